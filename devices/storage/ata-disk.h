/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An ATA disk's state and life; ATA8-ACS, with DATA SET MANAGEMENT from ACS-2.
 */
#pragma once

#include "ata.h"
#include "vt-state.h"

enum
{
  VT_ATA_ACTIVE,
  VT_ATA_IDLE,
  VT_ATA_STANDBY,
  VT_ATA_SLEEP,
};

typedef struct
{
  uint8_t multiple; /* Sectors per PIO block of READ/WRITE MULTIPLE; 0: not set. */
  uint8_t heads, sectors; /* INITIALIZE DEVICE PARAMETERS. */
  uint8_t mode;     /* SET FEATURES 03h. */
  uint8_t power;
  bool    write_cache, look_ahead, smart;
  bool    keep;      /* SET FEATURES 66h: a soft reset keeps what was set. */
  bool    ncq_error; /* A queued command failed: nothing but its log is served. */
  uint8_t log[14];   /* Log 10h: what failed. */
} VtAtaDiskState;

extern const VtStateDesc vt_ata_disk_state;

typedef struct
{
  VtAtaDrive      base;
  VtAtaDiskState *state;
  uint32_t        sector; /* Bytes, logical. */
  uint32_t        physical;
  uint64_t        n_sectors;
} VtAtaDisk;

/* @disk is the caller's memory; @block is not NULL and stays the caller's. */
void vt_ata_disk_init (VtAtaDisk      *disk,
                       VtAtaDiskState *state,
                       VtBlock        *block,
                       const char     *serial,
                       const char     *model);
