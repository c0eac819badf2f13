/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parallel NOR flash with the Common Flash Interface and Intel's command set: UEFI firmware and its
 * variables. One 8-bit chip of 4 KiB blocks.
 */
#pragma once

#include "vt-block.h"
#include "vt-device.h"

#define VT_PFLASH_BLOCK 4096
#define VT_PFLASH_MAX (16 * VT_MIB)
#define VT_PFLASH_BUFFER 256

#define VT_PFLASH_PRIORITY 1

/* What the next write is. */
typedef enum
{
  VT_PFLASH_COMMAND,
  VT_PFLASH_PROGRAM,        /* The byte to program. */
  VT_PFLASH_ERASE,          /* The confirmation of an erase. */
  VT_PFLASH_LOCK,           /* What to do with a block's lock. */
  VT_PFLASH_BUFFER_COUNT,   /* How many bytes follow, less one. */
  VT_PFLASH_BUFFER_DATA,    /* One of them. */
  VT_PFLASH_BUFFER_CONFIRM, /* The confirmation of a buffered write. */
} VtPflashCycle;

typedef struct
{
  uint32_t buffer_base;  /* Aligned to VT_PFLASH_BUFFER; where the buffer goes to. */
  uint16_t buffer_left;  /* Bytes to come. */
  uint8_t  mode;         /* The command whose answer a read gets; 0xff: the array. */
  uint8_t  status;       /* Status register. */
  uint8_t  cycle;        /* VtPflashCycle */
  uint8_t  buffer_used;  /* Whether buffer_base is set. */
  uint8_t  pad_[6];
  uint8_t  buffer[VT_PFLASH_BUFFER];
  uint8_t  buffer_mask[VT_PFLASH_BUFFER / 8]; /* Which of its bytes were given. */
} VtPflashState;

typedef struct VtPflashKeeper VtPflashKeeper;

typedef struct
{
  VtDevice base;

  /* Wiring. */
  GBytes  *image;     /* Contents; a multiple of 4 KiB. The device takes the reference. NULL: none. */
  VtBlock *block;     /* Where changes are kept; the machine's. NULL: until the machine ends. */
  uint64_t address;   /* Guest physical. */
  bool     read_only;
  bool     smm_only;  /* Only processors in system management mode can write it; others see the array always. */
  bool     shadow;    /* The last 128 KiB appear below 1 MiB too: firmware code. */

  VtRam          *ram;
  VtRegion       *array, *array_smm, *registers, *low;
  VtPflashKeeper *keeper;
  bool            pausing;

  VtPflashState state;
} VtPflash;

extern const VtDeviceClass vt_pflash_class;
