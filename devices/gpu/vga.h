/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The VGA card.
 */
#pragma once

#include "vga-core.h"
#include "vt-pci.h"

typedef struct
{
  VtPciState pci;
  VtVgaState vga;
} VtVgaCardState;

typedef struct
{
  VtPciFunction fn;

  /* Wiring. */
  VtConsole *console;  /* Where it is shown. */
  GBytes    *rom;      /* The option ROM (a reference is taken), up to 16 MiB; NULL: none. */
  uint64_t   vram_mib; /* Video memory: a power of two from 1 to 256; 0: 16. */

  VtVgaCore core; /* core.monitor may be filled, too. */
  VtRam    *vram, *rom_ram;
  VtRegion *ports[3], *frame_buffer, *registers, *rom_region;

  VtVgaCardState state;
} VtVgaCard;

extern const VtDeviceClass vt_vga_class;
