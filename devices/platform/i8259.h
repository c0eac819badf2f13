/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interrupt controller pair's struct, for the board that wires it.
 */
#pragma once

#include "vt-chips.h"
#include "vt-device.h"

#define VT_I8259_INPUTS 16

typedef struct
{
  VtDevice dev;

  /* Wiring. */
  VtLine *intr; /* INTR of the processors. */

  /* The rest is the device's. */
  GMutex         lock; /* Guards @s. Held while @intr changes. */
  VtPicPairState s;
} VtI8259;

extern const VtDeviceClass vt_i8259_class;

/* Input @n, 0 to 15, has level @level; 2 is the slave's. Any thread. */
void vt_i8259_input (VtI8259 *pic, unsigned n, bool level);
/* The processor's acknowledge cycle. Returns: the vector; -1 where INTR is low. Any thread. */
int vt_i8259_acknowledge (VtI8259 *pic);
