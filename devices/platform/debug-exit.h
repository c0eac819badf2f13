/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The debug exit's struct, for the board that wires it.
 */
#pragma once

#include "vt-device.h"

typedef struct
{
  VtDevice dev;

  /* Wiring. */
  uint16_t base; /* I/O port of the four; 0: 0xf4. */
  /* The guest ends the machine with this exit status. Under the context's lock: it posts. */
  void (*exit) (void *data, int status);
  void *data;
} VtDebugExit;

extern const VtDeviceClass vt_debug_exit_class;
