/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An ATAPI CD and DVD drive's state and life; MMC-6, SPC-3 and ATA8-ACS.
 */
#pragma once

#include "ata.h"
#include "vt-state.h"

/* What the next command that wants the medium is told first. */
enum
{
  VT_ATAPI_SETTLED,
  VT_ATAPI_CHANGED, /* Unit attention: the medium may have changed. */
  VT_ATAPI_GONE,    /* Not ready, once, before that: some guests notice a swap only so. */
};

/* GET EVENT STATUS NOTIFICATION, media class: MMC-6 6.6.2.5. */
enum
{
  VT_ATAPI_EVENT_NONE,
  VT_ATAPI_EVENT_EJECT_REQUEST,
  VT_ATAPI_EVENT_NEW_MEDIUM,
  VT_ATAPI_EVENT_REMOVAL,
};

typedef struct
{
  uint8_t key, asc, ascq; /* Sense of the command that failed last. */
  uint8_t change;
  uint8_t event;
  uint8_t mode;  /* SET FEATURES 03h. */
  uint8_t power; /* As the disk's. */
  bool    locked; /* PREVENT ALLOW MEDIUM REMOVAL. */
  bool    open;   /* The tray is out; a medium in it is out of reach until it is loaded. */
} VtAtapiCdState;

extern const VtStateDesc vt_atapi_cd_state;

typedef struct
{
  VtAtaDrive      base;
  VtAtapiCdState *state;
} VtAtapiCd;

/* @block may be NULL: the drive is empty. */
void vt_atapi_cd_init (VtAtapiCd      *cd,
                       VtAtapiCdState *state,
                       VtBlock        *block,
                       const char     *serial,
                       const char     *model);

/* Whether @block can be a CD. */
bool vt_atapi_cd_fits (const VtBlock *block, GError **error);

/* From outside, by the user's hand: puts @block in, or opens the tray (NULL). False where the guest
 * has locked the tray and @force is not set; the guest is then asked to eject. */
bool vt_atapi_cd_change (VtAtapiCd *cd, VtBlock *block, bool force, GError **error);
