/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Text modes: cells drawn where they changed, and read out as text.
 */
#include "vga-core.h"

/* A cell as it was drawn: character, attribute, and what blinking made of it. */
#define CELL_CURSOR 0x10000u
#define CELL_HIDDEN 0x20000u
#define CELL_NONE UINT32_MAX

#define NO_UNDERLINE 0x1f
#define MAX_GLYPH_LINES 32

/* Code page 437 with its glyphs for control characters: what the fonts of text modes show. */
static const uint16_t code_page[256] = {
  0x0020, 0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25d8, 0x25cb, 0x25d9, 0x2642,
  0x2640, 0x266a, 0x266b, 0x263c, 0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7, 0x25ac, 0x21a8,
  0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194, 0x25b2, 0x25bc, 0x0020, 0x0021, 0x0022, 0x0023,
  0x0024, 0x0025, 0x0026, 0x0027, 0x0028, 0x0029, 0x002a, 0x002b, 0x002c, 0x002d, 0x002e, 0x002f,
  0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003a, 0x003b,
  0x003c, 0x003d, 0x003e, 0x003f, 0x0040, 0x0041, 0x0042, 0x0043, 0x0044, 0x0045, 0x0046, 0x0047,
  0x0048, 0x0049, 0x004a, 0x004b, 0x004c, 0x004d, 0x004e, 0x004f, 0x0050, 0x0051, 0x0052, 0x0053,
  0x0054, 0x0055, 0x0056, 0x0057, 0x0058, 0x0059, 0x005a, 0x005b, 0x005c, 0x005d, 0x005e, 0x005f,
  0x0060, 0x0061, 0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067, 0x0068, 0x0069, 0x006a, 0x006b,
  0x006c, 0x006d, 0x006e, 0x006f, 0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075, 0x0076, 0x0077,
  0x0078, 0x0079, 0x007a, 0x007b, 0x007c, 0x007d, 0x007e, 0x2302, 0x00c7, 0x00fc, 0x00e9, 0x00e2,
  0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
  0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2,
  0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
  0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502,
  0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510,
  0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566,
  0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
  0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0,
  0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229,
  0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a,
  0x207f, 0x00b2, 0x25a0, 0x00a0,
};

/* Some scan lines of the screen that show one row of text. */
typedef struct
{
  int      y, lines;
  int      first;   /* Line of the row at @y, doubled lines counted. */
  int      pan;
  uint32_t counter; /* Of the first cell. */
} Row;

/* The row at scan line @y. */
static Row
row_at (const VtVgaView *view, uint32_t start, int y)
{
  int lines = view->row_lines << view->double_scan;
  bool split = y > view->line_compare;
  /* After the split everything begins anew at address 0, without preset row scan. */
  int line = split ? y - view->line_compare - 1 : y + (view->preset_row << view->double_scan);
  int end = split || view->line_compare >= view->height ? view->height : view->line_compare + 1;
  Row row;

  row.y = y;
  row.first = line % lines;
  row.lines = MIN (lines - row.first, end - y);
  row.counter = (split ? 0 : start) + (uint32_t) (line / lines) * view->pitch;
  row.pan = split && !view->pan_in_split ? 0 : view->pan;
  return row;
}

/* Returns: whether a glyph is another one. */
static bool
load_fonts (VtVgaCore *core, const VtVgaView *view, bool redraw)
{
  bool changed = false;

  for (unsigned n = 0; n < 2; n++)
    {
      const uint8_t *plane_2 = core->vram + (uint64_t) view->font[n] * 4 + 2;
      uint8_t *font = core->fonts[n];

      if (!redraw
          && !vt_screen_dirty (&core->screen, (uint64_t) view->font[n] * 4, sizeof core->fonts[n] * 4))
        continue;
      for (unsigned i = 0; i < sizeof core->fonts[n]; i++)
        {
          changed |= font[i] != plane_2[i * 4];
          font[i] = plane_2[i * 4];
        }
    }
  return changed;
}

static void
draw_cell (VtVgaCore *core, const VtVgaView *view, const VtVgaMoment *moment, const Row *row,
           int column, uint32_t cell)
{
  VtSurface *surface = core->screen.surface;
  unsigned character = cell & 0xff, attribute = cell >> 8 & 0xff;
  unsigned back = attribute >> 4;
  uint32_t colours[2];
  const uint8_t *glyph = &core->fonts[attribute >> 3 & 1][character * MAX_GLYPH_LINES];
  int x = (column * view->cell_width - row->pan) * (1 + view->double_dots);

  if (view->blink)
    back &= 7;
  colours[0] = core->attributes[back];
  colours[1] = core->attributes[attribute & 15];
  for (int i = 0; i < row->lines; i++)
    {
      int scan = (row->first + i) >> view->double_scan;
      uint32_t *to = (uint32_t *) (void *) (surface->data
                                            + (size_t) (row->y + i) * (size_t) surface->stride);
      /* Nine bits, the leftmost dot in bit 8. */
      unsigned bits = 0;

      if (!(cell & CELL_HIDDEN))
        {
          bits = (unsigned) glyph[scan] << 1;
          /* The ninth dot continues the eighth in horizontal line graphics. */
          if (view->line_graphics && (character & 0xe0) == 0xc0)
            bits |= glyph[scan] & 1;
          if (scan == view->underline && (attribute & 0x77) == 0x01)
            bits = 0x1ff;
        }
      if (cell & CELL_CURSOR && scan >= moment->cursor_first && scan <= moment->cursor_last)
        bits = 0x1ff;
      for (int dot = 0; dot < view->cell_width; dot++)
        {
          uint32_t colour = colours[bits >> (8 - dot) & 1];
          int at = x + (dot << view->double_dots);

          for (int twice = 0; twice <= view->double_dots; twice++)
            if (at + twice >= 0 && at + twice < surface->width)
              to[at + twice] = colour;
        }
    }
}

/* Damage of cells @from to @to (exclusive) of @row. */
static void
damage_cells (VtVgaCore *core, const VtVgaView *view, const Row *row, int from, int to)
{
  int left = MAX ((from * view->cell_width - row->pan) * (1 + view->double_dots), 0);
  int right = MIN ((to * view->cell_width - row->pan) * (1 + view->double_dots), view->width);

  if (left < right)
    vt_screen_damage (&core->screen, left, row->y, right - left, row->lines);
}

static void
draw_row (VtVgaCore *core, const VtVgaView *view, const VtVgaMoment *moment, const Row *row,
          uint32_t *cells)
{
  /* Panning shows a part of one more column. */
  int columns = view->columns + (row->pan > 0 ? 1 : 0);
  int from = -1, to = 0;

  for (int column = 0; column < columns; column++)
    {
      uint32_t counter = row->counter + (uint32_t) column;
      const uint8_t *at = core->vram + vt_vga_address (core, view, counter, 0);
      uint32_t cell = at[0] | (uint32_t) at[1] << 8;

      if (moment->blink_off && at[1] & 0x80)
        cell |= CELL_HIDDEN;
      if ((counter & 0xffff) == moment->cursor)
        cell |= CELL_CURSOR;
      if (cell == cells[column])
        continue;
      cells[column] = cell;
      draw_cell (core, view, moment, row, column, cell);
      /* A gap of a few cells is cheaper drawn than told apart. */
      if (from >= 0 && column - to > 4)
        {
          damage_cells (core, view, row, from, to);
          from = -1;
        }
      if (from < 0)
        from = column;
      to = column + 1;
    }
  if (from >= 0)
    damage_cells (core, view, row, from, to);
}

void
vt_vga_draw_text (VtVgaCore *core, const VtVgaView *view, const VtVgaMoment *moment, bool redraw)
{
  int lines = view->row_lines << view->double_scan;
  size_t stride = (size_t) view->columns + 1;
  /* Whole rows, and a part at the top, on either side of the split and at the bottom. */
  size_t n = stride * (size_t) (view->height / lines + 4);
  uint32_t *cells;
  bool shape;

  if (n != core->n_cells || core->cells == NULL)
    {
      g_free (core->cells);
      core->cells = g_new (uint32_t, n);
      core->n_cells = n;
      redraw = true;
    }
  /* The cursor's shape is not part of a cell. */
  shape = moment->cursor_first != core->cursor_first || moment->cursor_last != core->cursor_last;
  core->cursor_first = moment->cursor_first;
  core->cursor_last = moment->cursor_last;
  if (load_fonts (core, view, redraw) || redraw)
    memset (core->cells, 0xff, n * sizeof *core->cells);

  cells = core->cells;
  for (int y = 0; y < view->height;)
    {
      Row row = row_at (view, moment->start, y);

      if (shape)
        for (size_t i = 0; i < stride; i++)
          if (cells[i] & CELL_CURSOR)
            cells[i] = CELL_NONE;
      draw_row (core, view, moment, &row, cells);
      cells += stride;
      y += row.lines;
    }
}

char *
vt_vga_text (VtVgaCore *core)
{
  VtVgaView view;
  VtVgaMoment moment;
  GString *text;
  int rows;

  vt_vga_view (core, &view);
  if (view.kind != VT_VGA_TEXT)
    return NULL;
  vt_vga_moment (core, &view, &moment);
  text = g_string_new (NULL);
  rows = view.height / (view.row_lines << view.double_scan);
  for (int row = 0; row < rows; row++)
    {
      gsize keep = text->len;

      for (int column = 0; column < view.columns; column++)
        {
          uint32_t counter = moment.start + (uint32_t) row * view.pitch + (uint32_t) column;
          uint8_t character = core->vram[vt_vga_address (core, &view, counter, 0)];

          g_string_append_unichar (text, code_page[character]);
          if (character != 0 && character != ' ' && character != 0xff)
            keep = text->len;
        }
      g_string_truncate (text, keep);
      g_string_append_c (text, '\n');
    }
  return g_string_free (text, FALSE);
}
