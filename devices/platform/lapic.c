/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A processor's local APIC: registers in memory and as MSRs, priorities, and what it takes and sends.
 * Its vCPU's thread works on it while every other may deliver to it, so it has a lock of its own; what
 * the vCPU polls and what senders compare are atomic words beside. It is as KVM's: version 0x14, six
 * local vectors, ends of level-triggered interrupts broadcast to the I/O APIC.
 *
 * The registers are never mapped: each vCPU sees its own at the same address, so its engine asks
 * (vt-chips.h). The region that is made is for tests.
 */
#include "apic-bus.h"
#include "lapic-private.h"

#define OWED_MAX 1000 /* About as many ticks as the fastest systems want in a second. */

static VtLapic *
lapic_of (VtDevice *dev)
{
  return (VtLapic *) dev;
}

/* Vectors and priorities ------------------------------------------------------------------------- */

static void
set_vector (VtLapic *l, unsigned registers, unsigned vector, bool on)
{
  uint32_t *reg = vt_lapic_reg (l, registers + vector / 32 * 16), mask = 1u << vector % 32;

  *reg = on ? *reg | mask : *reg & ~mask;
}

static bool
has_vector (VtLapic *l, unsigned registers, unsigned vector)
{
  return (vt_lapic_reg_get (l, registers + vector / 32 * 16) >> vector % 32 & 1) != 0;
}

/* The highest of the 256 bits; -1: none. */
static int
highest (VtLapic *l, unsigned registers)
{
  for (int i = 7; i >= 0; i--)
    {
      uint32_t v = vt_lapic_reg_get (l, registers + (unsigned) i * 16);

      if (v != 0)
        return i * 32 + 31 - __builtin_clz (v);
    }
  return -1;
}

/* 11.8.3.1: the processor's priority, by the task's and by what is in service. */
static uint32_t
priority (VtLapic *l)
{
  int      in_service = highest (l, VT_LAPIC_ISR);
  uint32_t tpr = vt_lapic_reg_get (l, VT_LAPIC_TPR), ppr = tpr;

  if (in_service >= 0 && ((unsigned) in_service & 0xf0) > (tpr & 0xf0))
    ppr = (uint32_t) in_service & 0xf0;
  vt_lapic_reg_set (l, VT_LAPIC_PPR, ppr);
  return ppr;
}

void
vt_lapic_update_ppr (VtLapic *l)
{
  priority (l);
}

/* The vector that may interrupt now; -1: none. */
static int
deliverable (VtLapic *l)
{
  int requested = vt_lapic_is_on (l) ? highest (l, VT_LAPIC_IRR) : -1;

  return requested >= 0 && ((uint32_t) requested & 0xf0) > (priority (l) & 0xf0) ? requested : -1;
}

/* Whether INTR of the PIC reaches the processor: by LINT0 (11.5.1, ExtINT), or past an APIC that is
 * off (11.4.3). */
static bool
takes_pic (VtLapic *l)
{
  uint32_t lint0 = vt_lapic_reg_get (l, VT_LAPIC_LVT_LINT0);

  return !vt_lapic_is_on (l)
         || ((lint0 & VT_LAPIC_LVT_MASKED) == 0
             && (lint0 >> VT_LAPIC_LVT_MODE_SHIFT & 7) == VT_APIC_EXTINT);
}

/* Tells the vCPU's word what waits. */
static void
publish (VtLapic *l)
{
  gint signals = (gint) l->s.signals;

  if (deliverable (l) >= 0 || (l->intr && takes_pic (l)))
    signals |= VT_CPU_SIGNAL_INTERRUPT;
  g_atomic_int_set (&l->port.signals, signals);
}

VtLapicChange
vt_lapic_begin (VtLapic *l)
{
  g_mutex_lock (&l->lock);
  return (VtLapicChange){ .signals = l->port.signals, .wake = l->wake };
}

/* Unlocks. @kick: by another than the vCPU's own thread. */
void
vt_lapic_end (VtLapic *l, const VtLapicChange *before, bool kick)
{
  bool arm = l->wake < before->wake;

  publish (l);
  kick = kick && (l->port.signals & ~before->signals) != 0;
  g_mutex_unlock (&l->lock);
  if (kick && l->user != NULL)
    l->user->kick (l->user_data, l->id);
  if (arm)
    vt_lapic_timer_arm (l);
}

/* Delivery --------------------------------------------------------------------------------------- */

static void
request (VtLapic *l, unsigned vector, bool level)
{
  if (!level && l->bus != NULL && vector == __atomic_load_n (&l->bus->tick_vector, __ATOMIC_RELAXED)
      && has_vector (l, VT_LAPIC_IRR, vector))
    {
      l->owed = l->owed_vector == vector ? MIN (l->owed + 1, OWED_MAX) : 1;
      l->owed_vector = vector;
    }
  set_vector (l, VT_LAPIC_IRR, vector, true);
  set_vector (l, VT_LAPIC_TMR, vector, level);
}

/* 11.5.3. The error's own vector is not checked again: it would never end. */
void
vt_lapic_fail (VtLapic *l, uint32_t error)
{
  uint32_t lvt = vt_lapic_reg_get (l, VT_LAPIC_LVT_ERROR), vector = lvt & VT_LAPIC_LVT_VECTOR;

  *vt_lapic_reg (l, VT_LAPIC_ERRORS) |= error;
  if ((lvt & VT_LAPIC_LVT_MASKED) == 0 && vector >= 16)
    request (l, vector, false);
}

/* Delivery that asks the registers alone; the lock is held. */
static bool
accept (VtLapic *l, unsigned mode, unsigned vector, bool level)
{
  switch (mode)
    {
    case VT_APIC_FIXED:
    case VT_APIC_LOWEST:
      if (!vt_lapic_is_software_on (l))
        return false;
      if (vector < 16)
        {
          vt_lapic_fail (l, VT_LAPIC_ERROR_RECEIVE_ILLEGAL);
          return false;
        }
      request (l, vector, level);
      return true;
    case VT_APIC_SMI:
      l->s.signals |= VT_CPU_SIGNAL_SMI;
      return true;
    case VT_APIC_NMI:
      l->s.signals |= VT_CPU_SIGNAL_NMI;
      return true;
    case VT_APIC_INIT:
      /* What was to start the processor before it was reset is gone. */
      l->s.signals = (l->s.signals & ~(uint32_t) VT_CPU_SIGNAL_SIPI) | VT_CPU_SIGNAL_INIT;
      return true;
    case VT_APIC_STARTUP:
      l->s.signals |= VT_CPU_SIGNAL_SIPI;
      l->s.sipi_vector = vector;
      return true;
    default:
      /* ExtINT comes by LINT0 only; the PIC is wired nowhere else. */
      return false;
    }
}

bool
vt_lapic_deliver (VtLapic *l, unsigned mode, uint8_t vector, bool level)
{
  VtLapicChange before = vt_lapic_begin (l);
  bool          accepted = vt_lapic_is_on (l) && accept (l, mode, vector, level);

  vt_lapic_end (l, &before, true);
  return accepted;
}

void
vt_lapic_signal (VtLapic *l, VtCpuSignal signal)
{
  VtLapicChange before = vt_lapic_begin (l);

  l->s.signals |= signal;
  vt_lapic_end (l, &before, true);
}

void
vt_lapic_local (VtLapic *l, unsigned lvt)
{
  uint32_t v = vt_lapic_reg_get (l, lvt);
  unsigned mode = v >> VT_LAPIC_LVT_MODE_SHIFT & 7;

  if ((v & VT_LAPIC_LVT_MASKED) != 0 || !vt_lapic_is_on (l))
    return;
  /* Timer and error have no mode; local interrupts are edges but for LINT0 and 1. */
  if (lvt == VT_LAPIC_LVT_TIMER || lvt == VT_LAPIC_LVT_ERROR)
    mode = VT_APIC_FIXED;
  if (mode != VT_APIC_EXTINT && mode != VT_APIC_STARTUP && mode != VT_APIC_LOWEST)
    accept (l, mode, v & VT_LAPIC_LVT_VECTOR, false);
  publish (l);
}

void
vt_lapic_intr (VtLapic *l, bool level)
{
  VtLapicChange before = vt_lapic_begin (l);

  /* Where LINT0 is no ExtINT, the PIC's output is an edge like another. */
  if (level && !l->intr)
    vt_lapic_local (l, VT_LAPIC_LVT_LINT0);
  l->intr = level;
  vt_lapic_end (l, &before, true);
}

int
vt_lapic_acknowledge (VtLapic *l)
{
  VtLapicChange before = vt_lapic_begin (l);
  bool          pic = l->intr && takes_pic (l) && l->bus != NULL && l->bus->acknowledge != NULL;
  int           vector = -1;

  /* The PIC's lock comes before this one: its output tells us of its changes. */
  if (pic)
    {
      g_mutex_unlock (&l->lock);
      vector = l->bus->acknowledge (l->bus->data);
      if (vector >= 0)
        return vector;
      g_mutex_lock (&l->lock);
    }
  vector = deliverable (l);
  if (vector >= 0)
    {
      set_vector (l, VT_LAPIC_IRR, (unsigned) vector, false);
      set_vector (l, VT_LAPIC_ISR, (unsigned) vector, true);
      if (l->owed > 0 && (unsigned) vector == l->owed_vector)
        {
          l->owed--;
          set_vector (l, VT_LAPIC_IRR, (unsigned) vector, true);
        }
    }
  priority (l);
  vt_lapic_end (l, &before, false);
  return vector;
}

/* 11.8.5. Returns: the vector that the I/O APIC must hear of; -1: none. */
int
vt_lapic_end_of_interrupt (VtLapic *l)
{
  int vector = highest (l, VT_LAPIC_ISR);

  if (vector < 0)
    return -1;
  set_vector (l, VT_LAPIC_ISR, (unsigned) vector, false);
  priority (l);
  return has_vector (l, VT_LAPIC_TMR, (unsigned) vector) ? vector : -1;
}

void
vt_lapic_attach (VtLapic *l, const VtChipsUserOps *user, void *data)
{
  VtLapicChange before = vt_lapic_begin (l);

  l->user = user;
  l->user_data = data;
  vt_lapic_end (l, &before, true);
}

void
vt_lapic_tsc_changed (VtLapic *l)
{
  VtLapicChange before = vt_lapic_begin (l);

  vt_lapic_timer_sync (l);
  vt_lapic_timer_start (l);
  vt_lapic_end (l, &before, false);
}

VtCpuSignal
vt_lapic_take (VtLapic *l, VtCpuSignal wanted, uint8_t *vector)
{
  VtLapicChange before = vt_lapic_begin (l);
  VtCpuSignal   taken = l->s.signals & wanted & ~(unsigned) VT_CPU_SIGNAL_INTERRUPT;

  l->s.signals &= ~(uint32_t) taken;
  if (vector != NULL)
    *vector = (uint8_t) l->s.sipi_vector;
  if ((taken & VT_CPU_SIGNAL_INIT) != 0)
    {
      vt_lapic_timer_sync (l);
      vt_lapic_reset_registers (l);
    }
  vt_lapic_end (l, &before, false);
  return taken;
}

/* State ------------------------------------------------------------------------------------------ */

void
vt_lapic_get (VtLapic *l, uint8_t page[VT_LAPIC_PAGE], uint64_t *base, uint64_t *deadline)
{
  VtLapicChange before = vt_lapic_begin (l);

  vt_lapic_timer_sync (l);
  priority (l);
  memcpy (page, l->s.reg, VT_LAPIC_PAGE);
  *base = l->s.base;
  *deadline = l->s.tsc_deadline;
  vt_lapic_end (l, &before, false);
}

static bool
check_base (uint64_t base, GError **error)
{
  if ((base & ~BASE_DEFINED) == 0 && (base & (BASE_X2APIC | BASE_ENABLE)) != BASE_X2APIC)
    return true;
  return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                       "The saved processor's local APIC is in no possible mode.");
}

/* After a load: what follows from the registers. */
static void
adopt (VtLapic *l)
{
  l->deadline = INT64_MAX;
  vt_lapic_timer_start (l);
  vt_lapic_address_changed (l);
}

bool
vt_lapic_set (VtLapic *l, const uint8_t page[VT_LAPIC_PAGE], uint64_t base, uint64_t deadline,
              GError **error)
{
  VtLapicChange before;

  if (!check_base (base, error))
    return false;
  before = vt_lapic_begin (l);
  memcpy (l->s.reg, page, VT_LAPIC_PAGE);
  l->s.base = base;
  l->s.tsc_deadline = deadline;
  l->s.signals = 0;
  l->s.sipi_vector = 0;
  l->owed = 0;
  adopt (l);
  vt_lapic_end (l, &before, false);
  return true;
}

/* Glue ------------------------------------------------------------------------------------------- */

static uint64_t
region_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return vt_lapic_read (lapic_of (dev), (unsigned) offset, size);
}

static void
region_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_lapic_write (lapic_of (dev), (unsigned) offset, size, (uint32_t) value);
}

static const VtRegionOps lapic_ops = { "lapic", 4, 4, region_read, region_write, true };

static void
lapic_reset (VtDevice *dev, VtResetKind kind)
{
  VtLapic      *l = lapic_of (dev);
  VtLapicChange before = vt_lapic_begin (l);

  l->s.base = BASE_DEFAULT | BASE_ENABLE | (l->id == 0 ? BASE_BSP : 0);
  l->s.signals = 0;
  l->s.sipi_vector = 0;
  l->deadline = INT64_MAX;
  vt_lapic_reset_registers (l);
  vt_lapic_end (l, &before, true);
}

static void
lapic_pause (VtDevice *dev)
{
  VtLapic      *l = lapic_of (dev);
  VtLapicChange before = vt_lapic_begin (l);

  vt_lapic_timer_freeze (l);
  vt_lapic_end (l, &before, true);
  vt_device_paused (dev);
}

/* By now the PIC has been loaded too, if anything has. */
static void
lapic_resume (VtDevice *dev)
{
  VtLapic      *l = lapic_of (dev);
  VtLapicChange before = vt_lapic_begin (l);

  l->intr = l->bus != NULL && vt_line_level (l->bus->intr);
  vt_lapic_timer_thaw (l);
  vt_lapic_end (l, &before, true);
}

static void
lapic_loaded (VtDevice *dev)
{
  VtLapic      *l = lapic_of (dev);
  VtLapicChange before = vt_lapic_begin (l);

  adopt (l);
  vt_lapic_end (l, &before, true);
}

static bool
lapic_realize (VtDevice *dev, GError **error)
{
  VtLapic *l = lapic_of (dev);

  g_mutex_init (&l->lock);
  vt_lapic_timer_init (l);
  vt_device_add_region (dev, VT_SPACE_MEMORY, &lapic_ops, 4096);
  if (l->bus != NULL)
    vt_apic_bus_add (l->bus, l);
  return true;
}

static void
lapic_unrealize (VtDevice *dev)
{
  vt_lapic_timer_finish (lapic_of (dev));
  g_mutex_clear (&lapic_of (dev)->lock);
}

static bool
lapic_check (const void *state, GError **error)
{
  return check_base (((const VtLapicState *) state)->base, error);
}

static const VtStateField lapic_fields[] = {
  VT_STATE (VtLapicState, reg),
  VT_STATE (VtLapicState, base),
  VT_STATE (VtLapicState, tsc_deadline),
  VT_STATE_MAX (VtLapicState, signals, 0x1e),
  VT_STATE_MAX (VtLapicState, sipi_vector, 255),
};
static const VtStateDesc lapic_state = VT_STATE_DESC (VtLapicState, 1, lapic_fields, lapic_check);

const VtDeviceClass vt_lapic_class = {
  .id = "lapic",
  .spec = "Intel SDM volume 3 (325384-079), chapter 11",
  .size = sizeof (VtLapic),
  .state_offset = offsetof (VtLapic, s),
  .state = &lapic_state,
  .flags = VT_DEVICE_IN_CPU,
  .realize = lapic_realize,
  .unrealize = lapic_unrealize,
  .reset = lapic_reset,
  .pause = lapic_pause,
  .resume = lapic_resume,
  .loaded = lapic_loaded,
};
