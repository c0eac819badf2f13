/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * High precision event timers: three comparators on a 64-bit counter of 10 ns. Nothing ticks: the
 * counter is worked out from the guest clock, matches are looked for at every access, and one timer
 * runs for the next match that would interrupt. Matches that came too close together are one
 * interrupt, so that a period of 10 ns can't occupy the host.
 */
#include "hpet.h"

#define TICK_NS 10
#define PERIOD_FS UINT64_C (10000000)
#define REGION_SIZE 1024

/* 2.3 Memory map. */
enum
{
  REG_ID = 0x000,
  REG_CONFIG = 0x010,
  REG_STATUS = 0x020,
  REG_COUNTER = 0x0f0,
  REG_TIMERS = 0x100,
  TIMER_STRIDE = 0x20,
  TIMER_CONFIG = 0x00,
  TIMER_COMPARATOR = 0x08,
  TIMER_FSB = 0x10,
};

/* 2.3.5 General configuration. */
#define CONFIG_ENABLE 0x1
#define CONFIG_LEGACY 0x2

/* 2.3.8 Timer n configuration and capabilities. */
#define TIMER_LEVEL 0x0002
#define TIMER_ENABLE 0x0004
#define TIMER_PERIODIC 0x0008
#define TIMER_PERIODIC_CAP 0x0010
#define TIMER_64_CAP 0x0020
#define TIMER_SET 0x0040
#define TIMER_32 0x0100
#define TIMER_ROUTE_SHIFT 9
#define TIMER_ROUTE 0x3e00
#define TIMER_FSB_ENABLE 0x4000
#define TIMER_FSB_CAP 0x8000
#define TIMER_WRITABLE 0x7f4e

/* A comparator that is written this late matches at once: a guest that was held up between reading
 * the counter and writing would otherwise wait until the counter comes round. */
#define GRACE_TICKS (VT_NS_PER_SEC / TICK_NS)
/* The host's shortest step from one interrupt of a timer to the next. */
#define STEP_NS (50 * VT_NS_PER_US)

static VtHpet *
hpet_of (VtDevice *dev)
{
  return (VtHpet *) dev;
}

static bool
running (const VtHpetState *s)
{
  return (s->config & CONFIG_ENABLE) != 0;
}

static uint64_t
ticks (const VtHpet *hpet)
{
  return (uint64_t) vt_clock_now (hpet->dev.clock) / TICK_NS;
}

static uint64_t
counter (const VtHpet *hpet)
{
  return running (&hpet->s) ? hpet->s.base + ticks (hpet) : hpet->s.base;
}

/* Interrupts ----------------------------------------------------------------------------------- */

static bool
level_of (const VtHpetState *s, unsigned n)
{
  const VtHpetTimer *t = &s->timers[n];

  return running (s) && (t->config & TIMER_ENABLE) != 0 && (t->config & TIMER_LEVEL) != 0 &&
         (t->config & TIMER_FSB_ENABLE) == 0 && (s->status & VT_BIT (n)) != 0;
}

/* Where timer @n's interrupt goes (2.3.8, LEG_RT_CNF first). */
static VtLine *
line_of (const VtHpet *hpet, unsigned n)
{
  if ((hpet->s.config & CONFIG_LEGACY) != 0 && n < 2)
    return n == 0 ? hpet->irq0 : hpet->irq8;
  return hpet->gsi[(hpet->s.timers[n].config & TIMER_ROUTE) >> TIMER_ROUTE_SHIFT];
}

/* The level that @line should have by all that can drive it. */
static bool
wanted (const VtHpet *hpet, const VtLine *line)
{
  for (unsigned n = 0; n < VT_HPET_TIMERS; n++)
    if (line_of (hpet, n) == line && level_of (&hpet->s, n))
      return true;
  return line == hpet->irq8 && (hpet->s.config & CONFIG_LEGACY) == 0 &&
         vt_line_level (hpet->rtc_in);
}

static void
each_line (VtHpet *hpet, void (*set) (VtLine *line, bool level))
{
  if (hpet->irq0 != NULL)
    set (hpet->irq0, wanted (hpet, hpet->irq0));
  if (hpet->irq8 != NULL)
    set (hpet->irq8, wanted (hpet, hpet->irq8));
  for (unsigned i = 0; i < VT_HPET_GSIS; i++)
    if (hpet->gsi[i] != NULL)
      set (hpet->gsi[i], wanted (hpet, hpet->gsi[i]));
  set (hpet->legacy, (hpet->s.config & CONFIG_LEGACY) != 0);
}

/* The RTC's interrupt passes through, unless timer 1 has taken its place. */
static void
rtc_cb (void *data, unsigned n, bool level)
{
  VtHpet *hpet = data;

  if ((hpet->s.config & CONFIG_LEGACY) == 0)
    vt_line_set (hpet->irq8, level);
}

static void
match (VtHpet *hpet, unsigned n)
{
  VtHpetTimer *t = &hpet->s.timers[n];

  /* 2.3.8, INT_ENB: without it a level-triggered timer still shows its status. */
  if ((t->config & TIMER_LEVEL) != 0)
    hpet->s.status |= VT_BIT (n);
  if ((t->config & TIMER_ENABLE) == 0)
    return;
  if ((t->config & TIMER_FSB_ENABLE) != 0)
    vt_msi_send (hpet->vectors[n]);
  else if ((t->config & TIMER_LEVEL) != 0)
    vt_line_set (line_of (hpet, n), true);
  else
    vt_line_pulse (line_of (hpet, n));
}

/* Matches -------------------------------------------------------------------------------------- */

static uint64_t
mask_of (const VtHpetTimer *t)
{
  return (t->config & TIMER_32) != 0 ? UINT32_MAX : UINT64_MAX;
}

/* Finds the counter value of the next match. @written: the guest has just set the comparator. */
static void
arm (VtHpet *hpet, VtHpetTimer *t, bool written)
{
  uint64_t now = counter (hpet), mask = mask_of (t);
  uint64_t late = (now - t->cmp) & mask, wait = (t->cmp - now) & mask;

  /* A 64-bit comparator that the counter has passed is not met again. */
  if (mask == UINT64_MAX && t->cmp <= now)
    wait = UINT64_MAX;
  else if (mask == UINT64_MAX)
    late = UINT64_MAX;
  if (written && late <= GRACE_TICKS)
    wait = 0;
  t->armed = running (&hpet->s) && wait <= INT64_MAX;
  t->target = t->armed ? now + wait : 0;
}

/* Interrupts for all that matched up to now. */
static void
catch_up (VtHpet *hpet)
{
  uint64_t now = counter (hpet);

  for (unsigned n = 0; n < VT_HPET_TIMERS; n++)
    {
      VtHpetTimer *t = &hpet->s.timers[n];
      uint64_t     mask = mask_of (t);

      if (!t->armed || (int64_t) (now - t->target) < 0)
        continue;
      if ((t->config & TIMER_PERIODIC) == 0)
        {
          /* Once round, which takes a 64-bit counter five thousand years. */
          t->armed = mask == UINT32_MAX;
          t->target += UINT64_C (1) << 32;
        }
      else if (t->period == 0)
        t->armed = false;
      else
        {
          t->target += ((now - t->target) / t->period + 1) * t->period;
          t->cmp = t->target & mask;
        }
      match (hpet, n);
    }
}

/* The timer for the next match that interrupts. */
static void
schedule (VtHpet *hpet)
{
  const VtHpetState *s = &hpet->s;
  int64_t            now = vt_clock_now (hpet->dev.clock), next = INT64_MAX;

  for (unsigned n = 0; n < VT_HPET_TIMERS; n++)
    {
      const VtHpetTimer *t = &s->timers[n];
      uint64_t           at = t->target - s->base;

      if (!t->armed || (t->config & TIMER_ENABLE) == 0 || at > INT64_MAX / TICK_NS)
        continue;
      at *= TICK_NS;
      if ((t->config & TIMER_PERIODIC) != 0 && t->period < STEP_NS / TICK_NS)
        at = MAX (at, (uint64_t) now + STEP_NS);
      next = MIN (next, (int64_t) MIN (at, INT64_MAX));
    }
  if (next == INT64_MAX)
    vt_timer_stop (hpet->timer);
  else
    vt_timer_arm (hpet->timer, next);
}

static void
timer_cb (void *data)
{
  VtHpet *hpet = data;

  catch_up (hpet);
  schedule (hpet);
}

/* Registers ------------------------------------------------------------------------------------ */

static uint64_t
read_timer (const VtHpet *hpet, const VtHpetTimer *t, unsigned reg)
{
  switch (reg)
    {
    case TIMER_CONFIG:
      return t->config | TIMER_PERIODIC_CAP | TIMER_64_CAP |
             (hpet->msi != NULL ? TIMER_FSB_CAP : 0) | (uint64_t) hpet->routes << 32;
    case TIMER_COMPARATOR:
      return t->cmp & mask_of (t);
    case TIMER_FSB:
      return t->fsb;
    default:
      return 0;
    }
}

static uint64_t
read_register (const VtHpet *hpet, unsigned reg)
{
  switch (reg)
    {
    case REG_ID:
      return PERIOD_FS << 32 | VT_HPET_ID;
    case REG_CONFIG:
      return hpet->s.config;
    case REG_STATUS:
      return hpet->s.status;
    case REG_COUNTER:
      return counter (hpet);
    default:
      if (reg >= REG_TIMERS && reg < REG_TIMERS + VT_HPET_TIMERS * TIMER_STRIDE)
        return read_timer (hpet, &hpet->s.timers[(reg - REG_TIMERS) / TIMER_STRIDE],
                           reg % TIMER_STRIDE);
      return 0;
    }
}

static void
program_vector (VtHpet *hpet, unsigned n)
{
  const VtHpetTimer *t = &hpet->s.timers[n];

  if (hpet->vectors[n] != NULL)
    vt_msi_set (hpet->vectors[n], t->fsb >> 32, (uint32_t) t->fsb,
                (t->config & TIMER_FSB_ENABLE) == 0);
}

static void
write_timer_config (VtHpet *hpet, VtHpetTimer *t, uint64_t v)
{
  uint64_t old = t->config;

  v &= TIMER_WRITABLE;
  if (hpet->msi == NULL)
    v &= ~(uint64_t) TIMER_FSB_ENABLE;
  /* An I/O APIC pin that the timer can't drive is not taken (2.3.8, INT_ROUTE_CNF). */
  if ((hpet->routes & VT_BIT ((v & TIMER_ROUTE) >> TIMER_ROUTE_SHIFT)) == 0)
    v = (v & ~(uint64_t) TIMER_ROUTE) | (old & TIMER_ROUTE);
  t->config = v;
  /* An edge leaves no status (2.3.6). */
  if ((v & TIMER_LEVEL) == 0)
    hpet->s.status &= ~VT_BIT (t - hpet->s.timers);
  if (((v ^ old) & (TIMER_PERIODIC | TIMER_32)) != 0)
    {
      t->cmp &= mask_of (t);
      t->period &= mask_of (t);
      arm (hpet, t, false);
    }
}

/* 2.3.9.2.2: in periodic mode a write sets the period, and with VAL_SET the next match too. */
static void
write_comparator (VtHpet *hpet, VtHpetTimer *t, uint64_t v, uint64_t written)
{
  uint64_t mask = mask_of (t);

  if ((t->config & TIMER_PERIODIC) != 0)
    t->period = ((t->period & ~written) | (v & written)) & (mask >> 1);
  if ((t->config & TIMER_PERIODIC) == 0 || (t->config & TIMER_SET) != 0)
    {
      t->cmp = ((t->cmp & ~written) | (v & written)) & mask;
      arm (hpet, t, true);
    }
  else if (!t->armed)
    arm (hpet, t, false);
  t->config &= ~(uint64_t) TIMER_SET;
}

static void
write_config (VtHpet *hpet, uint64_t v)
{
  VtHpetState *s = &hpet->s;
  uint64_t     now = counter (hpet);

  s->config = v & (CONFIG_ENABLE | CONFIG_LEGACY);
  /* The counter stands while disabled, and goes on from where it stood. */
  s->base = running (s) ? now - ticks (hpet) : now;
  for (unsigned n = 0; n < VT_HPET_TIMERS; n++)
    arm (hpet, &s->timers[n], false);
}

static void
write_register (VtHpet *hpet, unsigned reg, uint64_t v, uint64_t written)
{
  VtHpetState *s = &hpet->s;
  unsigned     n = (reg - REG_TIMERS) / TIMER_STRIDE;
  uint64_t     merged = (read_register (hpet, reg) & ~written) | (v & written);

  if (reg == REG_CONFIG)
    {
      if (merged != s->config)
        write_config (hpet, merged);
    }
  else if (reg == REG_STATUS)
    s->status &= ~(v & written);
  else if (reg == REG_COUNTER)
    {
      s->base = running (s) ? merged - ticks (hpet) : merged;
      for (unsigned i = 0; i < VT_HPET_TIMERS; i++)
        arm (hpet, &s->timers[i], false);
    }
  else if (reg >= REG_TIMERS && n < VT_HPET_TIMERS)
    {
      VtHpetTimer *t = &s->timers[n];

      if (reg % TIMER_STRIDE == TIMER_CONFIG)
        write_timer_config (hpet, t, merged);
      else if (reg % TIMER_STRIDE == TIMER_COMPARATOR)
        write_comparator (hpet, t, v, written);
      else if (reg % TIMER_STRIDE == TIMER_FSB && hpet->msi != NULL)
        t->fsb = merged;
      program_vector (hpet, n);
    }
}

static uint64_t
hpet_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtHpet *hpet = hpet_of (dev);

  catch_up (hpet);
  schedule (hpet);
  return read_register (hpet, (unsigned) offset & ~7u) >> (offset % 8 * 8);
}

static void
hpet_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtHpet  *hpet = hpet_of (dev);
  unsigned shift = (unsigned) offset % 8 * 8;

  catch_up (hpet);
  write_register (hpet, (unsigned) offset & ~7u, value << shift, vt_ones (size) << shift);
  catch_up (hpet);
  each_line (hpet, vt_line_set);
  schedule (hpet);
}

/* 2.2: 32-bit and 64-bit accesses, aligned. */
static const VtRegionOps hpet_ops = {
  .name = "hpet",
  .min_size = 4,
  .max_size = 8,
  .read = hpet_read,
  .write = hpet_write,
};

/* Life ----------------------------------------------------------------------------------------- */

static void
hpet_reset (VtDevice *dev, VtResetKind kind)
{
  VtHpet *hpet = hpet_of (dev);

  memset (&hpet->s, 0, sizeof hpet->s);
  for (unsigned n = 0; n < VT_HPET_TIMERS; n++)
    {
      hpet->s.timers[n].cmp = UINT64_MAX;
      program_vector (hpet, n);
    }
  vt_timer_stop (hpet->timer);
  each_line (hpet, vt_line_set);
}

static void
hpet_resume (VtDevice *dev)
{
  VtHpet *hpet = hpet_of (dev);

  /* By now the RTC has been loaded too, if anything has. */
  each_line (hpet, vt_line_import);
  catch_up (hpet);
  schedule (hpet);
}

static void
hpet_loaded (VtDevice *dev)
{
  VtHpet *hpet = hpet_of (dev);

  vt_timer_stop (hpet->timer);
  for (unsigned n = 0; n < VT_HPET_TIMERS; n++)
    {
      /* The saved machine's board may have had other wires. */
      if (hpet->msi == NULL)
        hpet->s.timers[n].config &= ~(uint64_t) TIMER_FSB_ENABLE;
      program_vector (hpet, n);
    }
  each_line (hpet, vt_line_import);
}

static bool
hpet_realize (VtDevice *dev, GError **error)
{
  VtHpet *hpet = hpet_of (dev);

  for (unsigned i = 0; i < VT_HPET_GSIS; i++)
    if (hpet->gsi[i] != NULL)
      hpet->routes |= (uint32_t) VT_BIT (i);
  for (unsigned n = 0; n < VT_HPET_TIMERS && hpet->msi != NULL; n++)
    hpet->vectors[n] = vt_msi_new (hpet->msi);
  hpet->rtc_in = vt_line_new (rtc_cb, hpet, 8);
  hpet->timer = vt_timer_new (dev->context, dev->clock, timer_cb, hpet);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_MEMORY, &hpet_ops, REGION_SIZE), VT_HPET_BASE,
                 0);
  return true;
}

static void
hpet_unrealize (VtDevice *dev)
{
  VtHpet *hpet = hpet_of (dev);

  for (unsigned n = 0; n < VT_HPET_TIMERS; n++)
    vt_msi_free (hpet->vectors[n]);
  vt_timer_free (hpet->timer);
  vt_line_free (hpet->rtc_in);
}

static bool
hpet_check (const void *state, GError **error)
{
  const VtHpetState *s = state;

  for (unsigned n = 0; n < VT_HPET_TIMERS; n++)
    {
      const VtHpetTimer *t = &s->timers[n];

      if ((t->config & ~(uint64_t) TIMER_WRITABLE) != 0 || t->period > UINT64_MAX >> 1 ||
          (t->armed && !running (s)))
        return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                             "The saved event timer %u is in no possible state", n);
    }
  return true;
}

static const VtStateField timer_fields[] = {
  VT_STATE (VtHpetTimer, config), VT_STATE (VtHpetTimer, cmp),   VT_STATE (VtHpetTimer, period),
  VT_STATE (VtHpetTimer, fsb),    VT_STATE (VtHpetTimer, target), VT_STATE (VtHpetTimer, armed),
  VT_STATE (VtHpetTimer, pad_),
};
static const VtStateDesc timer_state = VT_STATE_DESC (VtHpetTimer, 1, timer_fields, NULL);

static const VtStateField hpet_fields[] = {
  VT_STATE_MAX (VtHpetState, config, CONFIG_ENABLE | CONFIG_LEGACY),
  VT_STATE_MAX (VtHpetState, status, (1 << VT_HPET_TIMERS) - 1),
  VT_STATE (VtHpetState, base),
  VT_STATE_STRUCT (VtHpetState, timers, &timer_state),
};
static const VtStateDesc hpet_state = VT_STATE_DESC (VtHpetState, 1, hpet_fields, hpet_check);

const VtDeviceClass vt_hpet_class = {
  .id = "hpet",
  .spec = "IA-PC HPET (High Precision Event Timers) Specification, 1.0a, section 2.3",
  .size = sizeof (VtHpet),
  .state_offset = offsetof (VtHpet, s),
  .state = &hpet_state,
  .realize = hpet_realize,
  .unrealize = hpet_unrealize,
  .reset = hpet_reset,
  .resume = hpet_resume,
  .loaded = hpet_loaded,
};
