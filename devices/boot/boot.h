/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Direct boot: a kernel, its initial RAM disk and its command line without a boot medium. The host
 * reads and checks the files; a boot ROM of ours, which the firmware runs like any other, puts them
 * into guest memory. So it works with every CPU engine and leaves the firmware's services in place.
 */
#pragma once

#include "boot/plan.h"
#include "platform/fw-cfg.h"

/* The boot ROM's file: what vt_firmware_path_rom() is to be asked for. */
#define VT_BOOT_ROM_FILE "genroms/vitrine-boot.bin"

/* What can be known of a kernel from its file. */
typedef struct
{
  VtBootPlan plan;         /* All but the sizes of command line and initial RAM disk. */
  uint32_t   cmdline_max;  /* Bytes, without the terminator. */
} VtKernel;

/**
 * vt_kernel_parse:
 * @name: for messages.
 * @data: @size bytes: the whole file; hostile input is expected.
 *
 * A bzImage of boot protocol 2.02 or later, or an ELF file (32 or 64 bits) with a PVH entry note.
 * Returns: false, with @error set, where it is neither, truncated, or of a kind that can't be booted.
 */
bool vt_kernel_parse (const char *name, const uint8_t *data, size_t size, VtKernel *out,
                      GError **error);

/* The two kinds, for vt_kernel_parse(). */
bool vt_kernel_is_bzimage (const uint8_t *data, size_t size);
bool vt_bzimage_parse (const char *name, const uint8_t *data, size_t size, VtKernel *out,
                       GError **error);
bool vt_kernel_is_elf (const uint8_t *data, size_t size);
bool vt_pvh_parse (const char *name, const uint8_t *data, size_t size, VtKernel *out,
                   GError **error);

typedef struct
{
  const char *kernel, *initrd, *append; /* Paths and text; NULL or "" are none. */
  uint64_t    ram_below_4g;             /* Bytes. */
} VtBootParams;

/* Reads the files and adds the boot ROM and what it needs. The board puts the ROM first in the boot
 * order. @error says which file is wrong, why, and what to do. */
bool vt_boot_add (VtFwCfg *fw, const VtBootParams *params, GError **error);
