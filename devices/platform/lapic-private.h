/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of the local APIC share: lapic.c (priorities, delivery, life), lapic-registers.c and
 * lapic-timer.c. Unless it says otherwise, the APIC's lock is held.
 */
#pragma once

#include "lapic.h"

/* IA32_APIC_BASE (11.4.4, 11.12.1). */
#define BASE_BSP VT_BIT (8)
#define BASE_X2APIC VT_BIT (10)
#define BASE_ENABLE VT_BIT (11)
#define BASE_ADDRESS UINT64_C (0x000ffffffffff000)
#define BASE_DEFAULT UINT64_C (0xfee00000)
#define BASE_DEFINED (BASE_ADDRESS | BASE_BSP | BASE_X2APIC | BASE_ENABLE)

#define SPURIOUS_ENABLE 0x100u

/* A change under the lock, and what has to follow it without. */
typedef struct
{
  gint    signals;
  int64_t wake;
} VtLapicChange;

static inline uint32_t *
vt_lapic_reg (VtLapic *l, unsigned offset)
{
  return &l->s.reg[offset / 4];
}

static inline uint32_t
vt_lapic_reg_get (VtLapic *l, unsigned offset)
{
  return *vt_lapic_reg (l, offset);
}

static inline void
vt_lapic_reg_set (VtLapic *l, unsigned offset, uint32_t v)
{
  *vt_lapic_reg (l, offset) = v;
}

static inline bool
vt_lapic_is_x2apic (const VtLapic *l)
{
  return (l->s.base & BASE_X2APIC) != 0;
}

static inline bool
vt_lapic_is_on (const VtLapic *l)
{
  return (l->s.base & BASE_ENABLE) != 0;
}

static inline bool
vt_lapic_is_software_on (VtLapic *l)
{
  return vt_lapic_is_on (l) && (vt_lapic_reg_get (l, VT_LAPIC_SPURIOUS) & SPURIOUS_ENABLE) != 0;
}

/* lapic.c. begin locks. end tells the vCPU's word what waits, unlocks, and sees to the timer; @kick:
 * this is another than the vCPU's own thread. */
VtLapicChange vt_lapic_begin (VtLapic *l);
void          vt_lapic_end (VtLapic *l, const VtLapicChange *before, bool kick);
/* An interrupt of the local vector table. */
void vt_lapic_local (VtLapic *l, unsigned lvt);
/* An error for the status register. */
void vt_lapic_fail (VtLapic *l, uint32_t error);
void vt_lapic_update_ppr (VtLapic *l);
/* Returns: the vector that the I/O APIC must hear of, without the lock; -1: none. */
int  vt_lapic_end_of_interrupt (VtLapic *l);

/* lapic-registers.c: as after power-up and INIT, which keep id and base; and what follows from base, id
 * and logical id. */
void vt_lapic_reset_registers (VtLapic *l);
void vt_lapic_address_changed (VtLapic *l);

/* lapic-timer.c. Each but init, finish and arm leaves it to end(), or to vt_lapic_timer_arm(). */
void vt_lapic_timer_init (VtLapic *l);
void vt_lapic_timer_finish (VtLapic *l);
/* Delivers what is due and puts the current count into its register. */
void vt_lapic_timer_sync (VtLapic *l);
/* Goes on from the registers: after a sync and a change, or a load. */
void vt_lapic_timer_start (VtLapic *l);
/* Stands still, with the count in its register; and goes on. */
void vt_lapic_timer_freeze (VtLapic *l);
void vt_lapic_timer_thaw (VtLapic *l);
/* The lock not held: sets the host's timer for what has changed. */
void vt_lapic_timer_arm (VtLapic *l);
