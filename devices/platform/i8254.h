/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interval timer's struct, for the board that wires it.
 */
#pragma once

#include "vt-chips.h"
#include "vt-device.h"

#define VT_I8254_CHANNELS 3

/* Where a channel's counting element is. */
typedef struct
{
  int64_t  start; /* Guest ns at which it was loaded; in the future while an old cycle ends. */
  int64_t  held;  /* Clocks since then, while @stopped. */
  uint32_t n;     /* Clocks of a cycle, 1 to 65536. */
  uint32_t old_n; /* Of the cycle that ends at @start. */
  bool     idle;  /* Waits for its count or its trigger. */
  bool     stopped; /* By the gate. */
} VtI8254Counter;

typedef struct
{
  VtDevice dev;

  /* Wiring. */
  VtLine *irq; /* OUT of channel 0, but low while the HPET has taken its place. */

  /* The rest is the device's. */
  VtTimer       *timer;
  int64_t        rise; /* For which the timer runs: a clock counted from the load; -1: for none. */
  VtI8254Counter counter[VT_I8254_CHANNELS];
  VtPitState     s;
} VtI8254;

extern const VtDeviceClass vt_i8254_class;

/* The HPET has taken the interrupt over, or gives it back. The context's lock is held. */
void vt_i8254_take (VtI8254 *pit, bool taken);
