/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A display that has nothing but a linear frame buffer.
 */
#pragma once

#include "dispi.h"
#include "edid.h"
#include "screen.h"
#include "vt-pci.h"

typedef struct
{
  VtPciState   pci;
  VtDispiState dispi;
} VtBochsDisplayState;

typedef struct
{
  VtPciFunction fn;

  /* Wiring. */
  VtConsole *console;  /* Where it is shown. */
  uint64_t   vram_mib; /* Video memory: a power of two from 1 to 256; 0: 16. */
  VtEdidInfo monitor;  /* Width 0: 1280x800. */

  VtScreen     screen;
  VtLinearMode mode; /* At the last look. */
  VtRam       *vram;
  VtRegion    *frame_buffer, *registers;
  uint8_t      edid[VT_EDID_SIZE];

  VtBochsDisplayState state;
} VtBochsDisplay;

extern const VtDeviceClass vt_bochs_display_class;
