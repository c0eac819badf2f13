/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The monitor's description. VESA Enhanced EDID Standard, release A revision 2 (EDID 1.4).
 */
#pragma once

#include "vt-base.h"

#define VT_EDID_SIZE 128

typedef struct
{
  int         width, height;       /* Preferred mode, pixels; clamped to 64 to 4095. */
  int         refresh;             /* Hz; 0: 60. Lowered where the pixel clock would not fit. */
  int         width_mm, height_mm; /* 0: as at 100 dots per inch. */
  const char *name;                /* Up to 13 characters; NULL: "Vitrine". */
  uint32_t    serial;
} VtEdidInfo;

/* Fills @edid with one valid block. */
void vt_edid_build (const VtEdidInfo *info, uint8_t edid[VT_EDID_SIZE]);
