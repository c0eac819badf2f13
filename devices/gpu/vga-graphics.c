/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Graphics modes of the VGA proper: sixteen colours in planes, CGA's interleaved two bits, and 256
 * colours. One line at a time: fetch its dwords, serialize them to dots, double where asked.
 */
#include "vga-core.h"

#define PAGE_SHIFT 12
#define MAX_COLUMNS 2048 /* The VBE extension's planar modes; the CRT controller reaches 256. */

typedef struct
{
  int      columns; /* To fetch: one more where panning shows a part of it. */
  uint32_t at[MAX_COLUMNS + 1]; /* Places in video memory, bytes. */
} Fetch;

/* The first counter and the row scan of scan line @y. */
static uint32_t
line_at (const VtVgaView *view, uint32_t start, int y, int *scan, int *pan)
{
  int lines = view->row_lines << view->double_scan;
  bool split = y > view->line_compare;
  int line = split ? y - view->line_compare - 1 : y + (view->preset_row << view->double_scan);

  *scan = (line % lines) >> view->double_scan;
  *pan = split && !view->pan_in_split ? 0 : view->pan;
  return (split ? 0 : start) + (uint32_t) (line / lines) * view->pitch;
}

/* Returns: whether one of the line's dwords may have changed. */
static bool
fetch_line (VtVgaCore *core, const VtVgaView *view, uint32_t counter, int scan, int pan,
            Fetch *fetch)
{
  uint64_t page = UINT64_MAX;
  bool dirty = false;

  fetch->columns = MIN (view->columns + (pan > 0 ? 1 : 0), MAX_COLUMNS + 1);
  for (int i = 0; i < fetch->columns; i++)
    {
      uint64_t at = vt_vga_address (core, view, counter + (uint32_t) i, scan);

      fetch->at[i] = (uint32_t) at;
      if (!dirty && at >> PAGE_SHIFT != page)
        {
          page = at >> PAGE_SHIFT;
          dirty = vt_screen_dirty (&core->screen, at, 4);
        }
    }
  return dirty;
}

/* Eight dots of one bit from each plane. */
static void
planar (const VtVgaCore *core, const uint8_t *from, uint32_t *to)
{
  uint64_t nibbles = core->spread[from[0]] | core->spread[from[1]] << 1
                     | core->spread[from[2]] << 2 | core->spread[from[3]] << 3;
  const uint8_t *dots = (const uint8_t *) &nibbles;

  for (int i = 0; i < 8; i++)
    to[i] = core->attributes[dots[i]];
}

/* Four dots of two bits from planes 0 and 2, then four from planes 1 and 3. */
static void
interleave (const VtVgaCore *core, const uint8_t *from, uint32_t *to)
{
  for (int half = 0; half < 2; half++)
    for (int i = 0; i < 4; i++)
      {
        unsigned low = from[half] >> (6 - 2 * i) & 3;
        unsigned high = from[half + 2] >> (6 - 2 * i) & 3;

        to[half * 4 + i] = core->attributes[high << 2 | low];
      }
}

/* Four bytes: two dots of one colour each, or of a nibble each. */
static void
bytes (const VtVgaCore *core, const VtVgaView *view, const uint8_t *from, uint32_t *to)
{
  for (int i = 0; i < 4; i++)
    if (view->nibbles)
      {
        to[2 * i] = core->attributes[from[i] >> 4];
        to[2 * i + 1] = core->attributes[from[i] & 15];
      }
    else
      to[2 * i] = to[2 * i + 1] = core->colours[from[i]];
}

static void
serialize (const VtVgaCore *core, const VtVgaView *view, const Fetch *fetch, uint32_t *to)
{
  for (int i = 0; i < fetch->columns; i++, to += 8)
    {
      const uint8_t *from = core->vram + fetch->at[i];

      switch (view->kind)
        {
        case VT_VGA_PLANAR:
          planar (core, from, to);
          break;
        case VT_VGA_INTERLEAVE:
          interleave (core, from, to);
          break;
        default:
          bytes (core, view, from, to);
          break;
        }
    }
}

void
vt_vga_draw_graphics (VtVgaCore *core, const VtVgaView *view, const VtVgaMoment *moment,
                      bool redraw)
{
  g_autofree Fetch *fetch = g_new (Fetch, 1);
  /* One column more than is shown, then the doubled line. */
  g_autofree uint32_t *dots = g_new0 (uint32_t, ((size_t) view->columns + 1) * 8);
  g_autofree uint32_t *doubled = g_new0 (uint32_t, (size_t) view->width);
  uint32_t last_counter = 0;
  int last_scan = -1, last_pan = -1;
  bool drawn = false;

  if (view->columns > MAX_COLUMNS)
    return;
  for (int y = 0; y < view->height; y++)
    {
      int scan, pan;
      uint32_t counter = line_at (view, moment->start, y, &scan, &pan);
      const uint32_t *line;

      /* Lines of a row are the same unless the row scan is part of the address. */
      if (view->keep_13 && view->keep_14)
        scan = 0;
      if (counter != last_counter || scan != last_scan || pan != last_pan)
        {
          drawn = fetch_line (core, view, counter, scan, pan, fetch) || redraw;
          if (drawn)
            serialize (core, view, fetch, dots);
          last_counter = counter;
          last_scan = scan;
          last_pan = pan;
        }
      if (!drawn)
        continue;
      line = dots + pan;
      if (view->double_dots)
        {
          for (int x = 0; x < view->width; x++)
            doubled[x] = line[x / 2];
          line = doubled;
        }
      vt_screen_line (&core->screen, y, line);
    }
}
