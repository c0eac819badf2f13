/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The local APIC's registers, in memory and as MSRs, and what a write of them sends.
 */
#include "apic-bus.h"
#include "lapic-private.h"

#define VERSION 0x00050014u

#define MSR_APIC_BASE 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC 0x800u
#define MSR_X2APIC_END 0x900u

#define SPURIOUS_DEFINED 0x3ffu /* Bits 8:0, and 9: no focus checking, which does nothing. */

/* The local vectors' bits (figure 11-8): vector, mode, LINT polarity and trigger, mask, timer mode. */
#define LVT_TIMER_DEFINED 0x700ffu
#define LVT_MODE_DEFINED 0x107ffu
#define LVT_LINT_DEFINED 0x1a7ffu
#define LVT_ERROR_DEFINED 0x100ffu

/* The interrupt command (11.6.1). */
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)
#define ICR_SHORTHAND_SHIFT 18
#define ICR_DEFINED 0xccfffu

enum
{
  TO_DESTINATION,
  TO_SELF,
  TO_ALL,
  TO_OTHERS,
};

/* Sending ---------------------------------------------------------------------------------------- */

static void
tell_end (VtLapic *l, int vector)
{
  if (vector >= 0 && l->bus != NULL && l->bus->eoi != NULL)
    l->bus->eoi (l->bus->data, (uint8_t) vector);
}

/* 11.6.1; no lock held. */
static void
command (VtLapic *l, uint32_t low, uint32_t destination, bool wide)
{
  unsigned      shorthand = low >> ICR_SHORTHAND_SHIFT & 3;
  VtApicMessage m = {
    .destination = destination,
    .logical = (low & ICR_LOGICAL) != 0,
    .wide = wide,
    .vector = (uint8_t) low,
    .mode = low >> 8 & 7,
  };
  VtLapicChange before;

  if (m.mode <= VT_APIC_LOWEST && m.vector < 16)
    {
      before = vt_lapic_begin (l);
      vt_lapic_fail (l, VT_LAPIC_ERROR_SEND_ILLEGAL);
      vt_lapic_end (l, &before, false);
      return;
    }
  /* INIT level de-assert, which set arbitration ids once; and modes that can't be sent. */
  if ((m.mode == VT_APIC_INIT && (low & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
      || m.mode == VT_APIC_RESERVED || m.mode == VT_APIC_EXTINT)
    return;
  if (shorthand == TO_SELF)
    {
      if (m.mode <= VT_APIC_LOWEST)
        vt_lapic_deliver (l, VT_APIC_FIXED, m.vector, false);
    }
  else if (l->bus == NULL)
    return;
  else if (shorthand == TO_DESTINATION)
    vt_apic_bus_send (l->bus, &m);
  else
    vt_apic_bus_broadcast (l->bus, &m, shorthand == TO_OTHERS ? l : NULL);
}

/* Registers -------------------------------------------------------------------------------------- */

void
vt_lapic_address_changed (VtLapic *l)
{
  uint32_t id = vt_lapic_is_x2apic (l) ? l->id : vt_lapic_reg_get (l, VT_LAPIC_ID) >> 24;
  uint64_t address;

  /* 11.12.10.2. */
  if (vt_lapic_is_x2apic (l))
    vt_lapic_reg_set (l, VT_LAPIC_LDR, l->id >> 4 << 16 | 1u << (l->id & 15));
  address = vt_apic_address (l->s.base, id, vt_lapic_reg_get (l, VT_LAPIC_LDR),
                             vt_lapic_reg_get (l, VT_LAPIC_DFR));
  __atomic_store_n (&l->address, address, __ATOMIC_RELEASE);
  l->port.page = vt_lapic_is_on (l) && !vt_lapic_is_x2apic (l) ? l->s.base & BASE_ADDRESS
                                                               : UINT64_MAX;
}

/* 11.4.7: as after power-up and INIT, which keep id and base. */
void
vt_lapic_reset_registers (VtLapic *l)
{
  memset (l->s.reg, 0, sizeof l->s.reg);
  vt_lapic_reg_set (l, VT_LAPIC_ID, l->id << 24);
  vt_lapic_reg_set (l, VT_LAPIC_VERSION, VERSION);
  vt_lapic_reg_set (l, VT_LAPIC_DFR, UINT32_MAX);
  vt_lapic_reg_set (l, VT_LAPIC_SPURIOUS, 0xff);
  for (unsigned lvt = VT_LAPIC_LVT_TIMER; lvt <= VT_LAPIC_LVT_ERROR; lvt += 16)
    vt_lapic_reg_set (l, lvt, VT_LAPIC_LVT_MASKED);
  /* Every PC's firmware lets the PIC through to the first processor, and some forgets to say so. */
  if ((l->s.base & BASE_BSP) != 0)
    vt_lapic_reg_set (l, VT_LAPIC_LVT_LINT0, VT_APIC_EXTINT << VT_LAPIC_LVT_MODE_SHIFT);
  l->s.tsc_deadline = 0;
  l->owed = 0;
  vt_lapic_timer_start (l);
  vt_lapic_address_changed (l);
}

static uint32_t
lvt_defined (unsigned offset)
{
  switch (offset)
    {
    case VT_LAPIC_LVT_TIMER:
      return LVT_TIMER_DEFINED;
    case VT_LAPIC_LVT_LINT0:
    case VT_LAPIC_LVT_LINT1:
      return LVT_LINT_DEFINED;
    case VT_LAPIC_LVT_ERROR:
      return LVT_ERROR_DEFINED;
    default:
      return LVT_MODE_DEFINED;
    }
}

static void
write_lvt (VtLapic *l, unsigned offset, uint32_t v)
{
  uint32_t old = vt_lapic_reg_get (l, offset);

  v &= lvt_defined (offset);
  /* 11.4.7.2: masks can't be taken off while it is off by software. */
  if (!vt_lapic_is_software_on (l))
    v |= VT_LAPIC_LVT_MASKED;
  if (offset != VT_LAPIC_LVT_TIMER)
    {
      vt_lapic_reg_set (l, offset, v);
      return;
    }
  vt_lapic_timer_sync (l);
  vt_lapic_reg_set (l, offset, v);
  /* 11.5.4.1: to and from TSC-deadline mode, the timer is disarmed. */
  if (((v ^ old) >> VT_LAPIC_LVT_TIMER_SHIFT & 2) != 0)
    {
      vt_lapic_reg_set (l, VT_LAPIC_INITIAL, 0);
      vt_lapic_reg_set (l, VT_LAPIC_CURRENT, 0);
      l->s.tsc_deadline = 0;
    }
  vt_lapic_timer_start (l);
}

static void
write_spurious (VtLapic *l, uint32_t v)
{
  vt_lapic_reg_set (l, VT_LAPIC_SPURIOUS, v & SPURIOUS_DEFINED);
  if ((v & SPURIOUS_ENABLE) != 0)
    return;
  vt_lapic_timer_sync (l);
  for (unsigned lvt = VT_LAPIC_LVT_TIMER; lvt <= VT_LAPIC_LVT_ERROR; lvt += 16)
    *vt_lapic_reg (l, lvt) |= VT_LAPIC_LVT_MASKED;
  vt_lapic_timer_start (l);
}

/* What one write leaves to do without the lock. */
typedef struct
{
  int  ended; /* A vector, or -1. */
  bool sends;
} Rest;

/* A register that both modes have. Returns: whether there is one. */
static bool
write_register (VtLapic *l, unsigned offset, uint32_t v, Rest *rest)
{
  switch (offset)
    {
    case VT_LAPIC_TPR:
      vt_lapic_reg_set (l, offset, v & 0xff);
      return true;
    case VT_LAPIC_EOI:
      rest->ended = vt_lapic_end_of_interrupt (l);
      return true;
    case VT_LAPIC_SPURIOUS:
      write_spurious (l, v);
      return true;
    case VT_LAPIC_ESR:
      vt_lapic_reg_set (l, VT_LAPIC_ESR, vt_lapic_reg_get (l, VT_LAPIC_ERRORS));
      vt_lapic_reg_set (l, VT_LAPIC_ERRORS, 0);
      return true;
    case VT_LAPIC_ICR:
      /* Delivered at once: the status in bit 12 is never seen set. */
      vt_lapic_reg_set (l, offset, v & ICR_DEFINED);
      rest->sends = true;
      return true;
    case VT_LAPIC_LVT_TIMER:
    case VT_LAPIC_LVT_THERMAL:
    case VT_LAPIC_LVT_COUNTERS:
    case VT_LAPIC_LVT_LINT0:
    case VT_LAPIC_LVT_LINT1:
    case VT_LAPIC_LVT_ERROR:
      write_lvt (l, offset, v);
      return true;
    case VT_LAPIC_INITIAL:
      if ((vt_lapic_reg_get (l, VT_LAPIC_LVT_TIMER) >> VT_LAPIC_LVT_TIMER_SHIFT & 2) != 0)
        return true;
      vt_lapic_timer_sync (l);
      vt_lapic_reg_set (l, offset, v);
      vt_lapic_reg_set (l, VT_LAPIC_CURRENT, v);
      vt_lapic_timer_start (l);
      return true;
    case VT_LAPIC_DIVIDE:
      vt_lapic_timer_sync (l);
      vt_lapic_reg_set (l, offset, v & 0xb);
      vt_lapic_timer_start (l);
      return true;
    default:
      return false;
    }
}

/* Those of the page alone. */
static bool
write_page_register (VtLapic *l, unsigned offset, uint32_t v)
{
  switch (offset)
    {
    case VT_LAPIC_ID:
    case VT_LAPIC_LDR:
      vt_lapic_reg_set (l, offset, v & 0xff000000);
      break;
    case VT_LAPIC_DFR:
      vt_lapic_reg_set (l, offset, v | 0x0fffffff);
      break;
    case VT_LAPIC_ICR_HIGH:
      vt_lapic_reg_set (l, offset, v & 0xff000000);
      return true;
    default:
      return false;
    }
  vt_lapic_address_changed (l);
  return true;
}

static bool
is_readable (unsigned offset)
{
  switch (offset)
    {
    case VT_LAPIC_ID:
    case VT_LAPIC_VERSION:
    case VT_LAPIC_TPR:
    case VT_LAPIC_PPR:
    case VT_LAPIC_LDR:
    case VT_LAPIC_SPURIOUS:
    case VT_LAPIC_ESR:
    case VT_LAPIC_ICR:
    case VT_LAPIC_INITIAL:
    case VT_LAPIC_CURRENT:
    case VT_LAPIC_DIVIDE:
      return true;
    default:
      return (offset >= VT_LAPIC_ISR && offset < VT_LAPIC_ESR)
             || (offset >= VT_LAPIC_LVT_TIMER && offset <= VT_LAPIC_LVT_ERROR);
    }
}

static uint32_t
read_register (VtLapic *l, unsigned offset)
{
  if (offset == VT_LAPIC_CURRENT)
    vt_lapic_timer_sync (l);
  else if (offset == VT_LAPIC_PPR)
    vt_lapic_update_ppr (l);
  return vt_lapic_reg_get (l, offset);
}

uint32_t
vt_lapic_read (VtLapic *l, unsigned offset, unsigned size)
{
  unsigned      reg = offset & 0xff0, byte = offset & 15;
  uint32_t      v = 0;
  VtLapicChange before;

  /* 11.4.1: each register is the first four bytes of sixteen. */
  if (offset >= 4096 || byte + size > 4)
    return 0;
  before = vt_lapic_begin (l);
  if (is_readable (reg) || reg == VT_LAPIC_DFR || reg == VT_LAPIC_ICR_HIGH)
    v = read_register (l, reg);
  else if (reg != VT_LAPIC_APR && reg != VT_LAPIC_RRD && reg != VT_LAPIC_EOI)
    vt_lapic_fail (l, VT_LAPIC_ERROR_REGISTER);
  vt_lapic_end (l, &before, false);
  return v >> byte * 8 & (uint32_t) vt_ones (size);
}

void
vt_lapic_write (VtLapic *l, unsigned offset, unsigned size, uint32_t value)
{
  Rest          rest = { .ended = -1 };
  VtLapicChange before;

  if (offset >= 4096 || offset % 16 != 0 || size != 4)
    return;
  before = vt_lapic_begin (l);
  if (!write_register (l, offset, value, &rest) && !write_page_register (l, offset, value)
      && !is_readable (offset))
    vt_lapic_fail (l, VT_LAPIC_ERROR_REGISTER);
  uint32_t low = vt_lapic_reg_get (l, VT_LAPIC_ICR), high = vt_lapic_reg_get (l, VT_LAPIC_ICR_HIGH);
  vt_lapic_end (l, &before, false);
  tell_end (l, rest.ended);
  if (rest.sends)
    command (l, low, high >> 24, false);
}

unsigned
vt_lapic_cr8 (VtLapic *l)
{
  unsigned v;

  g_mutex_lock (&l->lock);
  v = vt_lapic_reg_get (l, VT_LAPIC_TPR) >> 4 & 15;
  g_mutex_unlock (&l->lock);
  return v;
}

void
vt_lapic_set_cr8 (VtLapic *l, unsigned value)
{
  VtLapicChange before = vt_lapic_begin (l);

  vt_lapic_reg_set (l, VT_LAPIC_TPR, (value & 15) << 4);
  vt_lapic_end (l, &before, false);
}

/* MSRs ------------------------------------------------------------------------------------------- */

/* Bits of x2APIC mode's registers that may be written (11.12.1.2); the others are reserved. */
static bool
x2apic_writable (unsigned offset, uint64_t v)
{
  switch (offset)
    {
    case VT_LAPIC_TPR:
    case VT_LAPIC_SELF:
      return v <= 0xff;
    case VT_LAPIC_EOI:
    case VT_LAPIC_ESR:
      return v == 0;
    case VT_LAPIC_SPURIOUS:
      return (v & ~(uint64_t) SPURIOUS_DEFINED) == 0;
    case VT_LAPIC_ICR:
      return (v & UINT32_MAX & ~(uint64_t) ICR_DEFINED) == 0;
    case VT_LAPIC_INITIAL:
      return v <= UINT32_MAX;
    case VT_LAPIC_DIVIDE:
      return (v & ~UINT64_C (0xb)) == 0;
    default:
      if (offset >= VT_LAPIC_LVT_TIMER && offset <= VT_LAPIC_LVT_ERROR)
        /* Delivery status and remote IRR are there, and read-only. */
        return (v & ~(uint64_t) (lvt_defined (offset) | 0x5000)) == 0;
      return false;
    }
}

static bool
write_x2apic (VtLapic *l, unsigned offset, uint64_t v)
{
  Rest          rest = { .ended = -1 };
  VtLapicChange before = vt_lapic_begin (l);

  if (!vt_lapic_is_x2apic (l) || !x2apic_writable (offset, v))
    {
      vt_lapic_end (l, &before, false);
      return false;
    }
  if (offset == VT_LAPIC_ICR)
    vt_lapic_reg_set (l, VT_LAPIC_ICR_HIGH, (uint32_t) (v >> 32));
  write_register (l, offset, (uint32_t) v, &rest);
  vt_lapic_end (l, &before, false);
  tell_end (l, rest.ended);
  if (rest.sends)
    command (l, (uint32_t) v, (uint32_t) (v >> 32), true);
  if (offset == VT_LAPIC_SELF)
    command (l, (uint32_t) v | TO_SELF << ICR_SHORTHAND_SHIFT, 0, true);
  return true;
}

static bool
read_x2apic (VtLapic *l, unsigned offset, uint64_t *value)
{
  VtLapicChange before = vt_lapic_begin (l);
  bool          ok = vt_lapic_is_x2apic (l) && is_readable (offset);

  if (ok)
    *value = read_register (l, offset);
  if (ok && offset == VT_LAPIC_ID)
    *value = l->id;
  if (ok && offset == VT_LAPIC_ICR)
    *value |= (uint64_t) vt_lapic_reg_get (l, VT_LAPIC_ICR_HIGH) << 32;
  vt_lapic_end (l, &before, false);
  return ok;
}

/* What 11.12.5 has no arrow for, and reserved bits. */
static bool
base_allowed (uint64_t from, uint64_t to)
{
  uint64_t mode = to & (BASE_X2APIC | BASE_ENABLE), old = from & (BASE_X2APIC | BASE_ENABLE);

  if ((to & ~BASE_DEFINED) != 0 || mode == BASE_X2APIC)
    return false;
  if (old == (BASE_X2APIC | BASE_ENABLE))
    return mode != BASE_ENABLE;
  return old != 0 || mode != (BASE_X2APIC | BASE_ENABLE);
}

static bool
write_base (VtLapic *l, uint64_t v)
{
  VtLapicChange before = vt_lapic_begin (l);
  bool          ok = base_allowed (l->s.base, v);
  bool          was_on = vt_lapic_is_on (l), was_x2apic = vt_lapic_is_x2apic (l);

  if (ok)
    {
      l->s.base = v;
      vt_lapic_timer_sync (l);
      /* 11.4.3: off and on again is like power-up. 11.12.5.3: x2APIC mode begins with the id that
       * the processor was made with, and the command's upper half clear. */
      if (was_on && !vt_lapic_is_on (l))
        vt_lapic_reset_registers (l);
      if (!was_x2apic && vt_lapic_is_x2apic (l))
        {
          vt_lapic_reg_set (l, VT_LAPIC_ID, l->id << 24);
          vt_lapic_reg_set (l, VT_LAPIC_ICR_HIGH, 0);
        }
      vt_lapic_address_changed (l);
    }
  vt_lapic_end (l, &before, false);
  return ok;
}

static void
write_deadline (VtLapic *l, uint64_t v)
{
  VtLapicChange before = vt_lapic_begin (l);

  /* 11.5.4.1: in other modes it reads as zero, and writes do nothing. */
  if ((vt_lapic_reg_get (l, VT_LAPIC_LVT_TIMER) >> VT_LAPIC_LVT_TIMER_SHIFT & 3) == 2)
    {
      vt_lapic_timer_sync (l);
      l->s.tsc_deadline = v;
      vt_lapic_timer_start (l);
    }
  vt_lapic_end (l, &before, false);
}

bool
vt_lapic_read_msr (VtLapic *l, uint32_t index, uint64_t *value)
{
  VtLapicChange before;

  *value = 0;
  if (index >= MSR_X2APIC && index < MSR_X2APIC_END)
    return index < MSR_X2APIC + 0x40 && read_x2apic (l, (index - MSR_X2APIC) * 16, value);
  if (index != MSR_APIC_BASE && index != MSR_TSC_DEADLINE)
    return false;
  before = vt_lapic_begin (l);
  if (index == MSR_TSC_DEADLINE)
    vt_lapic_timer_sync (l);
  *value = index == MSR_APIC_BASE ? l->s.base : l->s.tsc_deadline;
  vt_lapic_end (l, &before, false);
  return true;
}

bool
vt_lapic_write_msr (VtLapic *l, uint32_t index, uint64_t value)
{
  if (index >= MSR_X2APIC && index < MSR_X2APIC_END)
    return index < MSR_X2APIC + 0x40 && write_x2apic (l, (index - MSR_X2APIC) * 16, value);
  if (index == MSR_APIC_BASE)
    return write_base (l, value);
  if (index != MSR_TSC_DEADLINE)
    return false;
  write_deadline (l, value);
  return true;
}
