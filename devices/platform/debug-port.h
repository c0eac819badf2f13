/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware debug port's struct, for the board that wires it.
 */
#pragma once

#include "vt-char.h"
#include "vt-device.h"

typedef struct
{
  VtDevice dev;

  /* Wiring. */
  uint16_t base; /* I/O port; 0: 0x402. */
  VtChar  *chr;  /* Where the bytes go; not owned. NULL: whole lines go to the trace. */

  /* The rest is the device's. */
  char     line[160];
  unsigned len;
} VtDebugPort;

extern const VtDeviceClass vt_debug_port_class;
