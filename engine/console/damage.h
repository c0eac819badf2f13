/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A damaged area as a few disjoint rectangles.
 */
#pragma once

#include "vt-console.h"

typedef struct
{
  unsigned n;
  VtRect   rects[VT_VIEWER_RECTS]; /* Disjoint, none empty. */
} VtDamage;

void vt_damage_clear (VtDamage *damage);

/* Adds @rect, clipped to (0, 0, @width, @height). What was damaged stays covered; what was not may
 * become so where joining two rectangles costs little, or where room is short. */
void vt_damage_add (VtDamage *damage, const VtRect *rect, int width, int height);

/* @rect clipped to (0, 0, @width, @height); false where nothing remains. Any input is legal. */
bool vt_rect_clip (VtRect *rect, int width, int height);
