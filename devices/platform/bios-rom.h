/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware's ROM: below 4 GiB, where the reset vector is, and its last 128 KiB below 1 MiB.
 */
#pragma once

#include "vt-device.h"

#define VT_BIOS_ROM_MAX (16 * VT_MIB)

/* The legacy window ends at 1 MiB. It lies over machine RAM (priority 0); a host bridge whose PAM
 * registers give RAM back maps that above this. */
#define VT_BIOS_ROM_SHADOW_END VT_MIB
#define VT_BIOS_ROM_SHADOW_MAX (128 * VT_KIB)
#define VT_BIOS_ROM_PRIORITY 1

typedef struct
{
  VtDevice base;

  GBytes *image; /* Wiring: vt_bios_rom_load(); the device takes the reference. NULL: no ROM. */

  VtRam    *ram;
  VtRegion *high, *low;
} VtBiosRom;

extern const VtDeviceClass vt_bios_rom_class;

/**
 * vt_bios_rom_load:
 * @path: an image such as /usr/share/seabios/bios-256k.bin.
 *
 * Returns: (transfer full): its contents; NULL and @error where it can't be read or is no firmware
 * image: its size has to be a multiple of 4 KiB and at most 16 MiB.
 */
GBytes *vt_bios_rom_load (const char *path, GError **error);
