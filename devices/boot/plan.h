/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the host tells the boot ROM: one little-endian struct in a fw_cfg file. Both sides include
 * this, so it holds nothing but the wire format.
 */
#pragma once

/* The files; whichever is empty is not there. */
#define VT_BOOT_PLAN_FILE "vitrine/boot/plan"
#define VT_BOOT_SETUP_FILE "vitrine/boot/setup"   /* bzImage: real-mode code, header filled in. */
#define VT_BOOT_KERNEL_FILE "vitrine/boot/kernel" /* The kernel's whole file. */
#define VT_BOOT_INITRD_FILE "vitrine/boot/initrd"
#define VT_BOOT_CMDLINE_FILE "vitrine/boot/cmdline" /* With its terminator. */

#define VT_BOOT_PLAN_MAGIC 0x50425456 /* "VTBP" */
#define VT_BOOT_PLAN_VERSION 1

#define VT_BOOT_KIND_BZIMAGE 1
#define VT_BOOT_KIND_PVH 2

#define VT_BOOT_SEGMENTS_MAX 32

/* Where the ROM puts things below 1 MiB; each has 64 KiB. */
#define VT_BOOT_SETUP_AT 0x10000
#define VT_BOOT_CMDLINE_AT 0x20000
#define VT_BOOT_DIRECTORY_AT 0x30000
#define VT_BOOT_ROM_AT 0x40000
#define VT_BOOT_STACK_TOP 0x5fff0
#define VT_BOOT_AREA 0x10000

/* 2.02 protocol: the setup code's stack and heap end here, in its own segment. */
#define VT_BOOT_HEAP_END 0xe000

#ifndef __ASSEMBLER__
#include <stdint.h>

typedef struct
{
  uint32_t file_offset, file_size; /* Of the kernel's file. */
  uint32_t address, memory_size;   /* What is beyond file_size is zeroed. */
} VtBootSegment;

typedef struct
{
  uint32_t magic, version;
  uint32_t kind;
  uint32_t entry;         /* PVH: physical address of the 32-bit entry. */
  uint32_t setup_size;    /* bzImage. */
  uint32_t cmdline_size;  /* With its terminator. */
  uint32_t initrd_size;   /* 0: none. */
  uint32_t initrd_lowest; /* The initial RAM disk lies in [lowest, highest]. */
  uint32_t initrd_highest;
  uint32_t n_segments;
  VtBootSegment segments[VT_BOOT_SEGMENTS_MAX];
} VtBootPlan;
#endif
