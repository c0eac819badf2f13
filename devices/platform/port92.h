/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * System control port A's struct, for the board that wires it.
 */
#pragma once

#include "vt-device.h"

typedef struct
{
  uint8_t value;
} VtPort92State;

typedef struct
{
  VtDevice dev;

  /* Wiring. */
  VtLine *a20;   /* High: enabled. One of several sources (the keyboard controller has another). */
  VtLine *reset; /* A pulse resets the machine. */

  /* The rest is the device's. */
  VtPort92State s;
} VtPort92;

extern const VtDeviceClass vt_port92_class;
