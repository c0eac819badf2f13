/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Showing a linear frame buffer.
 *
 * 32-bit pixels in the host's order are shown where they lie, without a copy; the dirty log tells
 * which lines changed. Everything else is converted line by line, dirty lines only.
 */
#include "linear.h"

#define PAGE_SHIFT 12

/* Widest line that is converted; DISPI's limit. */
#define MAX_WIDTH 16384

static uint32_t
expand_5 (unsigned v)
{
  return v << 3 | v >> 2;
}

static uint32_t
expand_6 (unsigned v)
{
  return v << 2 | v >> 4;
}

static uint32_t
from_15 (unsigned v)
{
  return expand_5 (v >> 10 & 31) << 16 | expand_5 (v >> 5 & 31) << 8 | expand_5 (v & 31);
}

static uint32_t
from_16 (unsigned v)
{
  return expand_5 (v >> 11 & 31) << 16 | expand_6 (v >> 5 & 63) << 8 | expand_5 (v & 31);
}

static void
convert (const VtLinearMode *mode, const uint32_t *colours, const uint8_t *from, uint32_t *to)
{
  switch (mode->bits)
    {
    case 8:
      for (int x = 0; x < mode->width; x++)
        to[x] = colours[from[x]];
      break;
    case 15:
    case 16:
      for (int x = 0; x < mode->width; x++)
        {
          uint16_t v = vt_ld16 (from + 2 * x);

          if (mode->big_endian)
            v = GUINT16_SWAP_LE_BE (v);
          to[x] = mode->bits == 15 ? from_15 (v) : from_16 (v);
        }
      break;
    case 24:
      for (int x = 0; x < mode->width; x++)
        {
          const uint8_t *p = from + 3 * x;

          to[x] = mode->big_endian ? (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2]
                                   : (uint32_t) p[2] << 16 | (uint32_t) p[1] << 8 | p[0];
        }
      break;
    default:
      for (int x = 0; x < mode->width; x++)
        {
          uint32_t v = vt_ld32 (from + 4 * x);

          to[x] = (mode->big_endian ? GUINT32_SWAP_LE_BE (v) : v) & 0xffffff;
        }
      break;
    }
}

/* Damage of a surface that is the memory itself: each stretch of dirty pages. */
static void
damage_pages (VtScreen *screen, const VtLinearMode *mode)
{
  uint64_t start = mode->offset;
  uint64_t end = start + (uint64_t) mode->stride * (uint64_t) (mode->height - 1)
                 + (uint64_t) mode->bytes;
  uint64_t last = (end - 1) >> PAGE_SHIFT;

  if (!screen->any_dirty)
    return;
  for (uint64_t page = start >> PAGE_SHIFT; page <= last; page++)
    {
      uint64_t from, to;
      int y1, y2, x1 = 0, x2 = mode->width;

      if (screen->dirty[page / 64] == 0)
        {
          page |= 63;
          continue;
        }
      if (!(screen->dirty[page / 64] & VT_BIT (page % 64)))
        continue;
      from = MAX (page << PAGE_SHIFT, start) - start;
      while (page < last && screen->dirty[(page + 1) / 64] & VT_BIT ((page + 1) % 64))
        page++;
      to = MIN ((page + 1) << PAGE_SHIFT, end) - 1 - start;
      y1 = (int) (from / (uint64_t) mode->stride);
      y2 = (int) (to / (uint64_t) mode->stride);
      if (y1 == y2)
        {
          x1 = MIN ((int) (from % (uint64_t) mode->stride) / 4, mode->width);
          x2 = MIN ((int) (to % (uint64_t) mode->stride) / 4 + 1, mode->width);
        }
      if (x1 < x2)
        vt_screen_damage (screen, x1, y1, x2 - x1, y2 - y1 + 1);
    }
}

void
vt_linear_draw (VtScreen *screen, const VtLinearMode *mode, const uint32_t *colours, bool redraw)
{
  const uint8_t *vram = vt_ram_host (screen->ram);
  g_autofree uint32_t *line = NULL;

  if (mode->bits == 32 && mode->rows == mode->height && mode->offset % 4 == 0
      && mode->big_endian == (G_BYTE_ORDER == G_BIG_ENDIAN)
      && vt_screen_wrap (screen, mode->width, mode->height, mode->stride, mode->offset))
    {
      if (screen->full)
        vt_screen_damage (screen, 0, 0, mode->width, mode->height);
      else
        damage_pages (screen, mode);
      return;
    }

  if (mode->width > MAX_WIDTH || !vt_screen_size (screen, mode->width, mode->height))
    return;
  redraw |= screen->full;
  if (!redraw && !screen->any_dirty)
    return;
  line = g_new0 (uint32_t, (size_t) mode->width);
  for (int y = 0; y < mode->height; y++)
    {
      uint64_t at = mode->offset + (uint64_t) y * (uint64_t) mode->stride;

      if (y >= mode->rows)
        {
          if (!redraw)
            break;
          memset (line, 0, (size_t) mode->width * 4);
        }
      else if (redraw || vt_screen_dirty (screen, at, (uint64_t) mode->bytes))
        convert (mode, colours, vram + at, line);
      else
        continue;
      vt_screen_line (screen, y, line);
    }
}
