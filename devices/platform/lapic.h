/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A processor's local APIC: its struct and registers, for the board that wires it, for its own files
 * and for the bus (apic-bus.h) through which messages come.
 */
#pragma once

#include "vt-chips.h"
#include "vt-device.h"

typedef struct VtApicBus VtApicBus;

/* SDM volume 3, table 11-1: byte offsets in the page. */
enum
{
  VT_LAPIC_ID = 0x020,
  VT_LAPIC_VERSION = 0x030,
  VT_LAPIC_TPR = 0x080,
  VT_LAPIC_APR = 0x090,
  VT_LAPIC_PPR = 0x0a0,
  VT_LAPIC_EOI = 0x0b0,
  VT_LAPIC_RRD = 0x0c0,
  VT_LAPIC_LDR = 0x0d0,
  VT_LAPIC_DFR = 0x0e0,
  VT_LAPIC_SPURIOUS = 0x0f0,
  VT_LAPIC_ISR = 0x100, /* Eight registers each. */
  VT_LAPIC_TMR = 0x180,
  VT_LAPIC_IRR = 0x200,
  VT_LAPIC_ESR = 0x280,
  VT_LAPIC_ERRORS = 0x284, /* No register: what the next write of ESR will show. */
  VT_LAPIC_ICR = 0x300,
  VT_LAPIC_ICR_HIGH = 0x310,
  VT_LAPIC_LVT_TIMER = 0x320,
  VT_LAPIC_LVT_THERMAL = 0x330,
  VT_LAPIC_LVT_COUNTERS = 0x340,
  VT_LAPIC_LVT_LINT0 = 0x350,
  VT_LAPIC_LVT_LINT1 = 0x360,
  VT_LAPIC_LVT_ERROR = 0x370,
  VT_LAPIC_INITIAL = 0x380,
  VT_LAPIC_CURRENT = 0x390,
  VT_LAPIC_DIVIDE = 0x3e0,
  VT_LAPIC_SELF = 0x3f0, /* x2APIC mode only. */
};

/* Delivery modes (11.5.1, 11.6.1, 11.11.2). */
enum
{
  VT_APIC_FIXED,
  VT_APIC_LOWEST,
  VT_APIC_SMI,
  VT_APIC_RESERVED,
  VT_APIC_NMI,
  VT_APIC_INIT,
  VT_APIC_STARTUP,
  VT_APIC_EXTINT,
};

#define VT_LAPIC_LVT_VECTOR 0xffu
#define VT_LAPIC_LVT_MODE_SHIFT 8
#define VT_LAPIC_LVT_MASKED (1u << 16)
#define VT_LAPIC_LVT_TIMER_SHIFT 17 /* 11.5.4: one-shot, periodic, TSC deadline. */

/* Of the error status register (11.5.3). */
#define VT_LAPIC_ERROR_SEND_ILLEGAL 0x20u
#define VT_LAPIC_ERROR_RECEIVE_ILLEGAL 0x40u
#define VT_LAPIC_ERROR_REGISTER 0x80u

typedef struct
{
  uint32_t reg[VT_LAPIC_PAGE / 4]; /* The register at byte offset N is reg[N / 4]. */
  uint64_t base;                   /* IA32_APIC_BASE. */
  uint64_t tsc_deadline;           /* IA32_TSC_DEADLINE, 0 when over. */
  uint32_t signals;                /* VtCpuSignal that wait, without INTERRUPT. */
  uint32_t sipi_vector;
} VtLapicState;

typedef struct
{
  VtDevice dev;

  /* Wiring. */
  unsigned   id;  /* The processor's APIC id, 0 to 254; that of the bootstrap processor is 0. */
  VtApicBus *bus; /* NULL: messages end nowhere, and there is no PIC. */

  /* The rest is the device's. */
  GMutex    lock; /* A leaf: guards what follows, but what is atomic. */
  VtCpuPort port;
  uint64_t  address; /* Atomic: what a message's destination is compared with, see apic-bus.c. */
  bool      intr;    /* The PIC's output, at LINT0. */
  /* Ticks, as the bus's tick_vector tells them, that came while one waited: a real processor is never away for
   * several, but a host's thread is, and a system that counts ticks would take the timer for broken. Not saved. */
  unsigned  owed, owed_vector;
  VtTimer  *timer;
  int64_t   deadline; /* When the APIC's timer expires, guest ns; INT64_MAX: it does not run. */
  int64_t   wake;     /* For when @timer is armed, or about to be. */
  bool      frozen;   /* Paused: the current count is in its register. */

  /* Whose run loop is to look, and how to tell time from TSC; NULL: nobody, 1 GHz. */
  const VtChipsUserOps *user;
  void                 *user_data;

  VtLapicState s;
} VtLapic;

extern const VtDeviceClass vt_lapic_class;

void vt_lapic_attach (VtLapic *lapic, const VtChipsUserOps *user, void *data);
/* What VtChipsOps say of one vCPU; threads and results as there. */
int         vt_lapic_acknowledge (VtLapic *lapic);
VtCpuSignal vt_lapic_take (VtLapic *lapic, VtCpuSignal wanted, uint8_t *vector);
uint32_t    vt_lapic_read (VtLapic *lapic, unsigned offset, unsigned size);
void        vt_lapic_write (VtLapic *lapic, unsigned offset, unsigned size, uint32_t value);
bool        vt_lapic_read_msr (VtLapic *lapic, uint32_t index, uint64_t *value);
bool        vt_lapic_write_msr (VtLapic *lapic, uint32_t index, uint64_t value);
unsigned    vt_lapic_cr8 (VtLapic *lapic);
void        vt_lapic_set_cr8 (VtLapic *lapic, unsigned value);
void        vt_lapic_tsc_changed (VtLapic *lapic);
void        vt_lapic_get (VtLapic *lapic, uint8_t page[VT_LAPIC_PAGE], uint64_t *base,
                          uint64_t *deadline);
bool        vt_lapic_set (VtLapic *lapic, const uint8_t page[VT_LAPIC_PAGE], uint64_t base,
                          uint64_t deadline, GError **error);

/* For the bus; any thread. Delivers by @mode; false where it is not accepted. */
bool vt_lapic_deliver (VtLapic *lapic, unsigned mode, uint8_t vector, bool level);
/* An INIT, NMI or SMI that asks no APIC. */
void vt_lapic_signal (VtLapic *lapic, VtCpuSignal signal);
/* The PIC's output has changed. */
void vt_lapic_intr (VtLapic *lapic, bool level);
