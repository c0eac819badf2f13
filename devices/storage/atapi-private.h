/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What atapi-cd.c and atapi-disc.c share: operation codes, sense, big-endian fields.
 */
#pragma once

#include "atapi-cd.h"

#define VT_CD_BLOCK 2048

enum
{
  VT_ATAPI_IDLE = 1,
  VT_ATAPI_STANDBY,
  VT_ATAPI_SLEEP,
};

enum
{
  VT_MMC_TEST_UNIT_READY = 0x00,
  VT_MMC_REQUEST_SENSE = 0x03,
  VT_MMC_INQUIRY = 0x12,
  VT_MMC_MODE_SELECT_6 = 0x15,
  VT_MMC_MODE_SENSE_6 = 0x1a,
  VT_MMC_START_STOP = 0x1b,
  VT_MMC_PREVENT_ALLOW = 0x1e,
  VT_MMC_READ_CAPACITY = 0x25,
  VT_MMC_READ_10 = 0x28,
  VT_MMC_SEEK = 0x2b,
  VT_MMC_VERIFY = 0x2f,
  VT_MMC_READ_SUBCHANNEL = 0x42,
  VT_MMC_READ_TOC = 0x43,
  VT_MMC_GET_CONFIGURATION = 0x46,
  VT_MMC_GET_EVENT_STATUS = 0x4a,
  VT_MMC_READ_DISC_INFORMATION = 0x51,
  VT_MMC_READ_TRACK_INFORMATION = 0x52,
  VT_MMC_MODE_SELECT_10 = 0x55,
  VT_MMC_MODE_SENSE_10 = 0x5a,
  VT_MMC_READ_12 = 0xa8,
  VT_MMC_READ_DVD_STRUCTURE = 0xad,
  VT_MMC_READ_CD_MSF = 0xb9,
  VT_MMC_SET_CD_SPEED = 0xbb,
  VT_MMC_MECHANISM_STATUS = 0xbd,
  VT_MMC_READ_CD = 0xbe,
};

/* Key, additional code and qualifier. */
#define VT_SENSE_NO_MEDIUM 0x023a00
#define VT_SENSE_TRAY_EMPTY 0x023a01
#define VT_SENSE_TRAY_OPEN 0x023a02
#define VT_SENSE_READ_ERROR 0x031100
#define VT_SENSE_PARAMETERS 0x051a00
#define VT_SENSE_OPCODE 0x052000
#define VT_SENSE_LBA_RANGE 0x052100
#define VT_SENSE_FIELD 0x052400
#define VT_SENSE_PARAMETER_FIELD 0x052600
#define VT_SENSE_NO_SAVING 0x053900
#define VT_SENSE_WRONG_MEDIUM 0x053002
#define VT_SENSE_LOCKED_EMPTY 0x025302
#define VT_SENSE_LOCKED 0x055302
#define VT_SENSE_CHANGED 0x062800

static inline uint16_t
vt_atapi_be16 (const uint8_t *p)
{
  return (uint16_t) (p[0] << 8 | p[1]);
}

static inline uint32_t
vt_atapi_be32 (const uint8_t *p)
{
  return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static inline void
vt_atapi_put16 (uint8_t *p, uint32_t v)
{
  p[0] = (uint8_t) (v >> 8);
  p[1] = (uint8_t) v;
}

static inline void
vt_atapi_put32 (uint8_t *p, uint32_t v)
{
  vt_atapi_put16 (p, v >> 16);
  vt_atapi_put16 (p + 2, v);
}

/* @text, padded with spaces to @len. */
static inline void
vt_atapi_text (uint8_t *p, size_t len, const char *text)
{
  size_t n = MIN (strlen (text), len);

  memset (p, ' ', len);
  memcpy (p, text, n);
}

void     vt_atapi_good (const VtAtaCommand *c, VtAtaPlan *plan);
void     vt_atapi_check (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan, unsigned sense);
uint8_t *vt_atapi_data (const VtAtaCommand *c, VtAtaPlan *plan, uint32_t len, uint32_t allocated);
bool     vt_atapi_loaded (const VtAtapiCd *cd);
uint32_t vt_atapi_blocks (const VtAtapiCd *cd);

/* atapi-disc.c: packets that tell of drive and disc, and MODE SELECT with its data. */
void vt_atapi_tell (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan);
void vt_atapi_selected (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan);
