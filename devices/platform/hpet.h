/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The high precision event timers' struct, for the board that wires them.
 */
#pragma once

#include "vt-device.h"

#define VT_HPET_TIMERS 3
#define VT_HPET_GSIS 32
#define VT_HPET_BASE UINT64_C (0xfed00000)
/* Of the ACPI table's event timer block id: what GCAP_ID says in its low half. */
#define VT_HPET_ID UINT32_C (0x8086a201)

typedef struct
{
  uint64_t config; /* What can be written; capabilities are added when read. */
  uint64_t cmp;
  uint64_t period;
  uint64_t fsb;
  uint64_t target; /* The main counter's value of the next match, if armed. */
  bool     armed;
  uint8_t  pad_[7];
} VtHpetTimer;

typedef struct
{
  uint64_t    config;
  uint64_t    status;
  uint64_t    base; /* Stopped: the main counter. Running: what to add to the guest clock's ticks. */
  VtHpetTimer timers[VT_HPET_TIMERS];
} VtHpetState;

typedef struct
{
  VtDevice dev;

  /* Wiring. The RTC must be on the same context. */
  VtLine          *gsi[VT_HPET_GSIS]; /* The I/O APIC pins that timers may be routed to. */
  VtLine          *irq0;   /* Timer 0 while it replaces the PIT. */
  VtLine          *irq8;   /* Timer 1 while it replaces the RTC, else what rtc_in says. */
  VtLine          *legacy; /* High while they do: the PIT must not drive IRQ 0. */
  const VtMsiSink *msi;    /* NULL: no FSB delivery. */

  /* Made by realize, for the RTC's irq. */
  VtLine *rtc_in;

  /* The rest is the device's. */
  VtTimer    *timer;
  VtMsi      *vectors[VT_HPET_TIMERS];
  uint32_t    routes;
  VtHpetState s;
} VtHpet;

extern const VtDeviceClass vt_hpet_class;
