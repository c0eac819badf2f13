/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The local APIC's timer (SDM volume 3, 11.5.4): one-shot, periodic and TSC deadline. Counts are worked
 * out from the guest clock; the bus clock is 1 GHz, as KVM's is. A system without ticks arms its timer
 * thousands of times a second and mostly for later: the host's timer is set only for earlier, and one
 * that fires too early sets itself anew.
 */
#include "lapic-private.h"

#define NEVER INT64_MAX
/* The host's shortest step from one interrupt of a periodic timer to the next. */
#define STEP_NS (50 * VT_NS_PER_US)

enum
{
  ONE_SHOT,
  PERIODIC,
  TSC_DEADLINE,
};

static unsigned
mode_of (VtLapic *l)
{
  return *vt_lapic_reg (l, VT_LAPIC_LVT_TIMER) >> VT_LAPIC_LVT_TIMER_SHIFT & 3;
}

/* 11.5.4, figure 11-10: a division by 2 to 128, or by 1. */
static unsigned
shift_of (VtLapic *l)
{
  uint32_t v = *vt_lapic_reg (l, VT_LAPIC_DIVIDE);

  return ((v & 3) + (v >> 1 & 4) + 1) & 7;
}

static int64_t
period_of (VtLapic *l)
{
  return (int64_t) *vt_lapic_reg (l, VT_LAPIC_INITIAL) << shift_of (l);
}

static bool
masked (VtLapic *l)
{
  return (*vt_lapic_reg (l, VT_LAPIC_LVT_TIMER) & VT_LAPIC_LVT_MASKED) != 0;
}

/* Decides for when the host's timer is wanted. */
static void
plan (VtLapic *l)
{
  int64_t at = masked (l) || l->frozen ? NEVER : l->deadline;

  if (at != NEVER && mode_of (l) == PERIODIC && period_of (l) < STEP_NS)
    at = MAX (at, vt_clock_now (l->dev.clock) + STEP_NS);
  l->wake = MIN (l->wake, at);
}

/* Expires what is due. Periods that were missed are one interrupt. */
static void
catch_up (VtLapic *l)
{
  int64_t now = vt_clock_now (l->dev.clock), period;

  if (l->deadline > now)
    return;
  vt_lapic_local (l, VT_LAPIC_LVT_TIMER);
  period = period_of (l);
  if (mode_of (l) == PERIODIC && period > 0)
    {
      l->deadline += ((now - l->deadline) / period + 1) * period;
      return;
    }
  l->deadline = NEVER;
  l->s.tsc_deadline = 0;
}

void
vt_lapic_timer_sync (VtLapic *l)
{
  unsigned shift = shift_of (l);
  int64_t  left, now;

  if (l->frozen)
    return;
  catch_up (l);
  if (mode_of (l) >= TSC_DEADLINE || l->deadline == NEVER)
    {
      *vt_lapic_reg (l, VT_LAPIC_CURRENT) = 0;
      return;
    }
  now = vt_clock_now (l->dev.clock);
  left = MAX (l->deadline - now, 0);
  *vt_lapic_reg (l, VT_LAPIC_CURRENT) = (uint32_t) ((left + (INT64_C (1) << shift) - 1) >> shift);
}

static int64_t
clock_of_tsc (VtLapic *l, uint64_t tsc)
{
  if (l->user != NULL)
    return l->user->tsc_to_clock (l->user_data, l->id, tsc);
  return (int64_t) MIN (tsc, (uint64_t) INT64_MAX - 1);
}

void
vt_lapic_timer_start (VtLapic *l)
{
  uint32_t initial = *vt_lapic_reg (l, VT_LAPIC_INITIAL), *current = vt_lapic_reg (l, VT_LAPIC_CURRENT);
  int64_t  now = vt_clock_now (l->dev.clock);

  /* A saved count that is more than there can be. */
  *current = MIN (*current, initial);
  if (l->frozen)
    return;
  l->deadline = NEVER;
  switch (mode_of (l))
    {
    case ONE_SHOT:
      if (*current != 0)
        l->deadline = now + ((int64_t) *current << shift_of (l));
      break;
    case PERIODIC:
      if (initial != 0)
        l->deadline = now + (*current != 0 ? (int64_t) *current << shift_of (l) : period_of (l));
      break;
    case TSC_DEADLINE:
      if (l->s.tsc_deadline != 0)
        l->deadline = MIN (clock_of_tsc (l, l->s.tsc_deadline), NEVER - 1);
      break;
    default:
      break;
    }
  catch_up (l);
  plan (l);
}

void
vt_lapic_timer_freeze (VtLapic *l)
{
  vt_lapic_timer_sync (l);
  l->frozen = true;
  l->deadline = NEVER;
  l->wake = NEVER;
  vt_timer_stop (l->timer);
}

void
vt_lapic_timer_thaw (VtLapic *l)
{
  if (!l->frozen)
    return;
  l->frozen = false;
  vt_lapic_timer_start (l);
}

static void
timer_cb (void *data)
{
  VtLapic *l = data;
  gint     before, after;

  g_mutex_lock (&l->lock);
  before = l->port.signals;
  l->wake = NEVER;
  if (!l->frozen)
    {
      catch_up (l);
      plan (l);
    }
  after = l->port.signals;
  g_mutex_unlock (&l->lock);
  if ((after & ~before) != 0 && l->user != NULL)
    l->user->kick (l->user_data, l->id);
  vt_lapic_timer_arm (l);
}

void
vt_lapic_timer_arm (VtLapic *l)
{
  bool    take = !vt_context_held (l->dev.context);
  int64_t wake;

  if (take)
    vt_context_lock (l->dev.context);
  /* Another thread, or the timer itself, may have come in between. */
  g_mutex_lock (&l->lock);
  wake = l->wake;
  g_mutex_unlock (&l->lock);
  if (wake != NEVER && (!vt_timer_armed (l->timer) || vt_timer_deadline (l->timer) != wake))
    vt_timer_arm (l->timer, wake);
  if (take)
    vt_context_unlock (l->dev.context);
}

void
vt_lapic_timer_init (VtLapic *l)
{
  l->deadline = l->wake = NEVER;
  l->frozen = true;
  l->timer = vt_timer_new (l->dev.context, l->dev.clock, timer_cb, l);
}

void
vt_lapic_timer_finish (VtLapic *l)
{
  vt_timer_free (l->timer);
}
