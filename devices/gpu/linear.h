/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Showing a linear frame buffer of 8 to 32 bits per pixel.
 */
#pragma once

#include "screen.h"

typedef struct
{
  unsigned bits; /* 4 (planar, not drawn here), 8, 15, 16, 24 or 32. */
  int      width, height;
  int      stride;     /* Bytes from row to row. */
  int      bytes;      /* Of a row that are shown. */
  int      rows;       /* That lie inside the video memory; the others are black. */
  bool     big_endian;
  uint64_t offset;     /* Of the first pixel in video memory. */
} VtLinearMode;

/* @colours: 256 entries for 8 bits. @redraw: a colour or the mode has changed. */
void vt_linear_draw (VtScreen *screen, const VtLinearMode *mode, const uint32_t *colours,
                     bool redraw);
