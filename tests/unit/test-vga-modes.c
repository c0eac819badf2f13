/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What each VGA mode looks like: set up by register accesses as a BIOS does, drawn, and compared with
 * the pixels that the registers mean; and how much of the screen each change damages.
 */
#include "vga-rig.h"

#define A0000 0xa0000u
#define B8000 0xb8000u

/* The palette register of attribute @n in mode 3 and 0x12: the BIOS's 64-colour numbers. */
static uint32_t
ega (unsigned n)
{
  static const uint8_t number[16] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07,
                                      0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f };

  return dac_colour (number[n]);
}

static void
load_glyph (Rig *rig, unsigned map, unsigned character, const uint8_t *rows, unsigned n)
{
  /* As a BIOS loads fonts: plane 2, flat, at 0xA0000. */
  sr (rig, 2, 0x04);
  sr (rig, 4, 0x06);
  gr (rig, 4, 0x02);
  gr (rig, 5, 0x00);
  gr (rig, 6, 0x04);
  for (unsigned i = 0; i < n; i++)
    poke (rig, A0000 + map * 0x4000 + character * 32 + i, rows[i]);
  sr (rig, 2, 0x03);
  sr (rig, 4, 0x02);
  gr (rig, 4, 0x00);
  gr (rig, 5, 0x10);
  gr (rig, 6, 0x0e);
}

static void
put (Rig *rig, int column, int row, uint8_t character, uint8_t attribute)
{
  poke_w (rig, B8000 + (uint32_t) (row * 80 + column) * 2,
          (uint16_t) (attribute << 8 | character));
}

static void
assert_cell (const Rig *rig, int x, int y, int width, const uint8_t *rows, int n, uint32_t fore,
             uint32_t back)
{
  for (int line = 0; line < n; line++)
    for (int dot = 0; dot < width; dot++)
      {
        bool on = dot < 8 && rows[line] & 0x80 >> dot;

        g_assert_cmphex (pixel (rig, x + dot, y + line), ==, on ? fore : back);
      }
}

static const uint8_t letter[16] = { 0x00, 0x00, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe,
                                    0xc6, 0xc6, 0xc6, 0xc7, 0x81, 0x00, 0xff, 0x01 };

static void
no_cursor (Rig *rig)
{
  cr (rig, 0x0a, 0x20);
}

static void
test_text (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_03);
  no_cursor (rig);
  load_glyph (rig, 0, 'A', letter, 16);
  load_glyph (rig, 0, 0xc4, letter, 16);
  put (rig, 0, 0, 'A', 0x1e);
  put (rig, 79, 24, 'A', 0x47);
  put (rig, 5, 3, 0xc4, 0x0f);
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 720);
  g_assert_cmpint (rig->picture->height, ==, 400);
  assert_cell (rig, 0, 0, 9, letter, 16, ega (14), ega (1));
  assert_cell (rig, 711, 384, 9, letter, 16, ega (7), ega (4));
  /* The ninth dot of line graphics is the eighth once more. */
  for (int line = 0; line < 16; line++)
    g_assert_cmphex (pixel (rig, 5 * 9 + 8, 3 * 16 + line), ==,
                     letter[line] & 1 ? ega (15) : ega (0));
  ar (rig, 0x10, 0x08);
  look (rig);
  g_assert_cmphex (pixel (rig, 5 * 9 + 8, 3 * 16 + 15), ==, ega (0));

  /* Nothing happened: nothing is damaged. */
  look (rig);
  g_assert_cmpuint (rig->frame.n_rects, ==, 0);
  /* One cell. */
  put (rig, 40, 10, 'A', 0x07);
  look (rig);
  assert_damage (rig, 360, 160, 9, 16);
  assert_cell (rig, 360, 160, 9, letter, 16, ega (7), ega (0));
  /* A word typed. */
  for (int i = 0; i < 10; i++)
    put (rig, 10 + i, 12, 'A', 0x02);
  look (rig);
  assert_damage (rig, 90, 192, 90, 16);
  /* Two cells of neighbouring rows, far apart. */
  put (rig, 0, 20, 'A', 0x03);
  put (rig, 79, 21, 'A', 0x03);
  look (rig);
  g_assert_cmpuint (rig->frame.n_rects, ==, 2);
  g_assert_cmpint (rig->frame.rects[0].width, ==, 9);
  /* Another glyph for every A: the whole is drawn, and what shows it changes. */
  load_glyph (rig, 0, 'A', (const uint8_t[]){ 0xff }, 1);
  look (rig);
  g_assert_cmphex (pixel (rig, 0, 0), ==, ega (14));

  /* Eight dots. */
  sr (rig, 1, 0x01);
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 640);
  g_assert_cmphex (pixel (rig, 320, 160), ==, ega (7));
  /* Dark. */
  sr (rig, 1, 0x21);
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 640);
  g_assert_cmphex (pixel (rig, 320, 160), ==, 0);
}

static void
test_text_blink (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_03);
  no_cursor (rig);
  load_glyph (rig, 0, 'A', letter, 16);
  put (rig, 2, 1, 'A', 0x9e); /* Blinks; background 1. */
  look (rig);
  assert_cell (rig, 18, 16, 9, letter, 16, ega (14), ega (1));
  vt_clock_advance (rig->clock, VT_NS_PER_SEC * 17 / 60);
  look (rig);
  assert_cell (rig, 18, 16, 9, letter, 16, ega (1), ega (1));
  assert_damage (rig, 18, 16, 9, 16);
  vt_clock_advance (rig->clock, VT_NS_PER_SEC * 17 / 60);
  look (rig);
  assert_cell (rig, 18, 16, 9, letter, 16, ega (14), ega (1));
  /* Without blinking the bit is intensity. */
  ar (rig, 0x10, 0x04);
  look (rig);
  assert_cell (rig, 18, 16, 9, letter, 16, ega (14), ega (9));
}

static void
test_text_cursor (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_03);
  put (rig, 3, 2, ' ', 0x07);
  cr (rig, 0x0e, 0);
  cr (rig, 0x0f, 2 * 80 + 3);
  look (rig);
  for (int line = 0; line < 16; line++)
    g_assert_cmphex (pixel (rig, 27 + 4, 32 + line), ==,
                     line == 13 || line == 14 ? ega (7) : ega (0));
  /* Moved: two cells. */
  put (rig, 4, 2, ' ', 0x0a);
  cr (rig, 0x0f, 2 * 80 + 4);
  look (rig);
  assert_damage (rig, 27, 32, 18, 16);
  g_assert_cmphex (pixel (rig, 27, 32 + 13), ==, ega (0));
  g_assert_cmphex (pixel (rig, 36, 32 + 13), ==, ega (10));
  /* A block. */
  cr (rig, 0x0a, 0);
  cr (rig, 0x0b, 15);
  look (rig);
  assert_damage (rig, 36, 32, 9, 16);
  g_assert_cmphex (pixel (rig, 36, 32), ==, ega (10));
  /* It blinks, and ends before it begins: no cursor. */
  vt_clock_advance (rig->clock, VT_NS_PER_SEC * 9 / 60);
  look (rig);
  g_assert_cmphex (pixel (rig, 36, 32), ==, ega (0));
  vt_clock_advance (rig->clock, VT_NS_PER_SEC * 9 / 60);
  look (rig);
  g_assert_cmphex (pixel (rig, 36, 32), ==, ega (10));
  cr (rig, 0x0a, 14);
  cr (rig, 0x0b, 3);
  look (rig);
  g_assert_cmphex (pixel (rig, 36, 32 + 14), ==, ega (0));
}

static void
test_text_fonts (Rig *rig, gconstpointer data)
{
  static const uint8_t other[16] = { 0xaa, 0x55, 0xaa, 0x55 };

  set_mode (rig, &mode_03);
  no_cursor (rig);
  load_glyph (rig, 0, 'A', letter, 16);
  load_glyph (rig, 1, 'A', other, 16);
  sr (rig, 3, 0x04); /* Bit 3 set: map 1; clear: map 0. */
  put (rig, 0, 0, 'A', 0x07);
  put (rig, 1, 0, 'A', 0x0f);
  look (rig);
  assert_cell (rig, 0, 0, 9, letter, 16, ega (7), ega (0));
  assert_cell (rig, 9, 0, 9, other, 16, ega (15), ega (0));
  /* 512 characters are often used with eight colours: plane 3 is off. */
  ar (rig, 0x12, 0x07);
  look (rig);
  assert_cell (rig, 9, 0, 9, other, 16, ega (7), ega (0));

  /* Underline, as the monochrome mode has it. */
  cr (rig, 0x14, 0x0c);
  put (rig, 2, 0, ' ', 0x01);
  put (rig, 3, 0, ' ', 0x07);
  look (rig);
  g_assert_cmphex (pixel (rig, 18, 12), ==, ega (1));
  g_assert_cmphex (pixel (rig, 26, 12), ==, ega (1));
  g_assert_cmphex (pixel (rig, 18, 11), ==, ega (0));
  g_assert_cmphex (pixel (rig, 27, 12), ==, ega (0));
}

static void
test_text_scroll (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_03);
  no_cursor (rig);
  load_glyph (rig, 0, 0xdb, (const uint8_t[]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                              0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
              16);
  for (int row = 0; row < 26; row++)
    for (int column = 0; column < 80; column++)
      put (rig, column, row, 0xdb, (uint8_t) (row % 15 + 1));
  look (rig);
  /* A row further by the start address. */
  cr (rig, 0x0d, 80);
  look (rig);
  g_assert_cmphex (pixel (rig, 0, 0), ==, ega (2));
  g_assert_cmphex (pixel (rig, 719, 399), ==, ega (25 % 15 + 1));
  /* Five lines further by the preset row scan. */
  cr (rig, 0x08, 5);
  look (rig);
  g_assert_cmphex (pixel (rig, 0, 10), ==, ega (2));
  g_assert_cmphex (pixel (rig, 0, 11), ==, ega (3));
  /* Split: from line 201 on, memory from 0. */
  cr (rig, 0x07, 0x0f);
  cr (rig, 0x09, 0x0f);
  cr (rig, 0x18, 200);
  look (rig);
  g_assert_cmphex (pixel (rig, 0, 10), ==, ega (2));
  g_assert_cmphex (pixel (rig, 0, 200), ==, ega (14));
  g_assert_cmphex (pixel (rig, 0, 201), ==, ega (1));
  g_assert_cmphex (pixel (rig, 0, 216), ==, ega (1));
  g_assert_cmphex (pixel (rig, 0, 217), ==, ega (2));
  /* Three dots to the left; the split stays where it is if asked. */
  cr (rig, 0x08, 0);
  cr (rig, 0x0d, 0);
  put (rig, 0, 0, 0xdb, 0x0f);
  ar (rig, 0x13, 2);
  look (rig);
  g_assert_cmphex (pixel (rig, 5, 0), ==, ega (15));
  g_assert_cmphex (pixel (rig, 6, 0), ==, ega (1));
  g_assert_cmphex (pixel (rig, 5, 201), ==, ega (15));
  g_assert_cmphex (pixel (rig, 6, 201), ==, ega (1));
  g_assert_cmphex (pixel (rig, 719, 0), ==, ega (2)); /* Row 1's first cell. */
  ar (rig, 0x10, 0x2c);
  look (rig);
  g_assert_cmphex (pixel (rig, 6, 0), ==, ega (1));
  g_assert_cmphex (pixel (rig, 8, 201), ==, ega (15));
}

static void
test_text_reading (Rig *rig, gconstpointer data)
{
  g_autofree char *before = vt_console_text (rig->console);
  static const char hello[] = "Hello, \x84\xe4 \xdb\x01";

  g_assert_null (before);
  set_mode (rig, &mode_03);
  for (int i = 0; i < 80 * 25; i++)
    poke_w (rig, B8000 + (uint32_t) i * 2, 0x0720);
  for (int i = 0; hello[i] != '\0'; i++)
    put (rig, 3 + i, 1, (uint8_t) hello[i], 0x07);
  g_autofree char *text = vt_console_text (rig->console);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 26); /* The last is what follows the last newline. */
  g_assert_cmpstr (lines[0], ==, "");
  g_assert_cmpstr (lines[1], ==, "   Hello, äΣ █☺");
  g_assert_cmpstr (lines[24], ==, "");
  g_assert_cmpstr (lines[25], ==, "");

  set_mode (rig, &mode_13);
  g_autofree char *graphics = vt_console_text (rig->console);
  g_assert_null (graphics);
}

/* Graphics ---------------------------------------------------------------------------------------- */

static void
test_planar (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_12);
  /* A diagonal of every colour, by write mode 2. */
  gr (rig, 5, 0x02);
  for (unsigned i = 0; i < 480; i++)
    {
      gr (rig, 8, (uint8_t) (0x80 >> (i & 7)));
      peek (rig, A0000 + i * 80 + i / 8);
      poke (rig, A0000 + i * 80 + i / 8, (uint8_t) (i & 15));
    }
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 640);
  g_assert_cmpint (rig->picture->height, ==, 480);
  for (int i = 0; i < 480; i++)
    {
      g_assert_cmphex (pixel (rig, i, i), ==, ega ((unsigned) i & 15));
      g_assert_cmphex (pixel (rig, i + 1, i), ==, ega (0));
    }
  look (rig);
  g_assert_cmpuint (rig->frame.n_rects, ==, 0);

  /* Eight pixels: eight pixels of damage, although the log knows pages only. */
  gr (rig, 8, 0xff);
  poke (rig, A0000 + 100 * 80 + 60, 0x0c);
  look (rig);
  assert_damage (rig, 480, 100, 8, 1);
  g_assert_cmphex (pixel (rig, 487, 100), ==, ega (12));
  /* A block. */
  for (unsigned y = 200; y < 216; y++)
    poke (rig, A0000 + y * 80 + 1, 0x0a);
  look (rig);
  assert_damage (rig, 8, 200, 8, 16);

  /* One palette register: what shows it. */
  ar (rig, 0x0c, 0x02);
  look (rig);
  g_assert_cmphex (pixel (rig, 480, 100), ==, dac_colour (2));
  /* The plane mask, and the upper bits from the colour select register. */
  ar (rig, 0x12, 0x03);
  look (rig);
  g_assert_cmphex (pixel (rig, 480, 100), ==, ega (0));
  ar (rig, 0x12, 0x0f);
  ar (rig, 0x0c, 0x3c);
  ar (rig, 0x14, 0x05); /* Bits 4-5: 1, bits 6-7: 1. */
  look (rig);
  g_assert_cmphex (pixel (rig, 480, 100), ==, dac_colour (0x7c));
  ar (rig, 0x10, 0x81);
  look (rig);
  g_assert_cmphex (pixel (rig, 480, 100), ==, dac_colour (0x5c));
  outb (rig, 0x3c6, 0x0f);
  look (rig);
  g_assert_cmphex (pixel (rig, 480, 100), ==, dac_colour (0x0c));
}

static void
test_planar_panning (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_12);
  sr (rig, 2, 0x0f);
  poke (rig, A0000 + 1, 0x80);           /* Pixel 8 of line 0. */
  poke (rig, A0000 + 80, 0x01);          /* Pixel 7 of line 1. */
  poke (rig, A0000 + 80 * 100, 0xff);
  look (rig);
  g_assert_cmphex (pixel (rig, 8, 0), ==, ega (15));
  ar (rig, 0x13, 3);
  look (rig);
  g_assert_cmphex (pixel (rig, 5, 0), ==, ega (15));
  g_assert_cmphex (pixel (rig, 4, 1), ==, ega (15));
  cr (rig, 0x08, 0x20); /* A byte more. */
  look (rig);
  g_assert_cmphex (pixel (rig, 639 - 2, 0), ==, ega (0));
  g_assert_cmphex (pixel (rig, 640 - 8 + 4, 0), ==, ega (15));
  cr (rig, 0x08, 0);
  ar (rig, 0x13, 0);
  /* Start at line 100; after line 49 the split shows line 0 again. */
  cr (rig, 0x0c, 80 * 100 >> 8);
  cr (rig, 0x0d, 80 * 100 & 255);
  cr (rig, 0x11, 0);
  cr (rig, 0x07, 0x2e);
  cr (rig, 0x09, 0x00);
  cr (rig, 0x18, 49);
  look (rig);
  g_assert_cmphex (pixel (rig, 0, 0), ==, ega (15));
  g_assert_cmphex (pixel (rig, 0, 1), ==, ega (0));
  g_assert_cmphex (pixel (rig, 8, 49), ==, ega (0));
  g_assert_cmphex (pixel (rig, 8, 50), ==, ega (15));
  g_assert_cmphex (pixel (rig, 7, 51), ==, ega (15));
}

static void
test_low_planar (Rig *rig, gconstpointer data)
{
  /* Mode 0x0D: dots and lines twice. */
  set_mode (rig, &mode_0d);
  poke (rig, A0000 + 40 * 3 + 2, 0x40);
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 640);
  g_assert_cmpint (rig->picture->height, ==, 400);
  assert_damage (rig, 0, 0, 640, 400);
  for (int y = 5; y < 9; y++)
    for (int x = 32; x < 38; x++)
      g_assert_cmphex (pixel (rig, x, y), ==,
                       (y == 6 || y == 7) && (x == 34 || x == 35) ? dac_colour (0x17)
                                                                 : dac_colour (0));
}

static void
test_cga (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_04);
  poke (rig, B8000, 0x1b);          /* Pixels 0, 1, 2, 3 of line 0. */
  poke (rig, B8000 + 1, 0xc0);      /* The next four: 3, 0, 0, 0. */
  poke (rig, B8000 + 0x2000, 0x40); /* Line 1 is in the other bank. */
  poke (rig, B8000 + 80, 0x80);     /* Line 2. */
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 640);
  g_assert_cmpint (rig->picture->height, ==, 400);
  static const uint8_t colours[4] = { 0x00, 0x13, 0x15, 0x17 };
  static const unsigned line_0[8] = { 0, 1, 2, 3, 3, 0, 0, 0 };
  for (int x = 0; x < 8; x++)
    for (int twice = 0; twice < 4; twice++)
      g_assert_cmphex (pixel (rig, x * 2 + (twice & 1), twice >> 1), ==,
                       dac_colour (colours[line_0[x]]));
  g_assert_cmphex (pixel (rig, 0, 2), ==, dac_colour (0x13));
  g_assert_cmphex (pixel (rig, 0, 4), ==, dac_colour (0x15));
}

static void
test_256 (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_13);
  for (unsigned i = 0; i < 64000; i++)
    poke (rig, A0000 + i, (uint8_t) (i % 320 + i / 320));
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 640);
  g_assert_cmpint (rig->picture->height, ==, 400);
  for (int y = 0; y < 400; y += 7)
    for (int x = 0; x < 640; x++)
      g_assert_cmphex (pixel (rig, x, y), ==, dac_colour ((unsigned) (x / 2 + y / 2) & 255));
  /* By now the window is memory; a pixel still damages itself only. */
  g_assert_cmpint (rig->card->core.mapped, ==, VT_VGA_MAP_LINEAR);
  poke (rig, A0000 + 320 * 10 + 20, 0xfe);
  look (rig);
  assert_damage (rig, 40, 20, 2, 2);
  /* A colour that is shown changes. */
  outb (rig, 0x3c8, 0xfe);
  outb (rig, 0x3c9, 63);
  outb (rig, 0x3c9, 0);
  outb (rig, 0x3c9, 63);
  look (rig);
  g_assert_cmphex (pixel (rig, 40, 20), ==, 0xff00ff);
}

static void
test_mode_x (Rig *rig, gconstpointer data)
{
  /* 320x240, unchained: plane n has every fourth pixel. */
  set_mode (rig, &mode_13);
  sr (rig, 4, 0x06);
  outb (rig, 0x3c2, 0xe3);
  cr (rig, 0x11, 0x2c);
  static const uint8_t crtc[][2] = { { 0x06, 0x0d }, { 0x07, 0x3e }, { 0x10, 0xea }, { 0x11, 0xac },
                                     { 0x12, 0xdf }, { 0x14, 0x00 }, { 0x15, 0xe7 }, { 0x16, 0x06 },
                                     { 0x17, 0xe3 } };
  for (unsigned i = 0; i < G_N_ELEMENTS (crtc); i++)
    cr (rig, crtc[i][0], crtc[i][1]);
  for (unsigned plane = 0; plane < 4; plane++)
    {
      sr (rig, 2, (uint8_t) (1 << plane));
      for (unsigned i = 0; i < 80 * 240; i++)
        poke (rig, A0000 + i, (uint8_t) (i % 80 * 4 + plane));
    }
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 640);
  g_assert_cmpint (rig->picture->height, ==, 480);
  for (int x = 0; x < 640; x++)
    {
      g_assert_cmphex (pixel (rig, x, 0), ==, dac_colour ((unsigned) (x / 2) & 255));
      g_assert_cmphex (pixel (rig, x, 479), ==, dac_colour ((unsigned) (x / 2) & 255));
    }
  /* The second page, and a pan of one pixel. */
  sr (rig, 2, 0x0f);
  poke (rig, A0000 + 19200, 0x33);
  cr (rig, 0x0c, 19200 >> 8);
  cr (rig, 0x0d, 19200 & 255);
  ar (rig, 0x13, 2);
  look (rig);
  g_assert_cmphex (pixel (rig, 5, 0), ==, dac_colour (0x33));
  g_assert_cmphex (pixel (rig, 6, 0), ==, dac_colour (0));
}

/* Bochs VBE --------------------------------------------------------------------------------------- */

static void
set_vbe (Rig *rig, uint16_t width, uint16_t height, uint16_t bpp)
{
  inb (rig, 0x3da);
  outb (rig, 0x3c0, 0x20);
  dispi (rig, VT_DISPI_ENABLE, 0);
  dispi (rig, VT_DISPI_XRES, width);
  dispi (rig, VT_DISPI_YRES, height);
  dispi (rig, VT_DISPI_BPP, bpp);
  dispi (rig, VT_DISPI_ENABLE, VT_DISPI_ENABLED | VT_DISPI_LFB);
}

static void
draw (Rig *rig, uint64_t offset, unsigned size, uint32_t value)
{
  vt_region_write (rig->card->frame_buffer, offset, size, value);
}

static void
test_vbe_depths (Rig *rig, gconstpointer data)
{
  static const struct
  {
    uint16_t bpp;
    unsigned bytes;
    uint32_t value, colour;
  } depths[] = {
    { 15, 2, 0x7c00 | 0x10 << 5 | 1, 0xff8408 },
    { 16, 2, 0xf800 | 0x20 << 5 | 1, 0xff8208 },
    { 24, 3, 0x123456, 0x123456 },
    { 32, 4, 0xff123456, 0x123456 },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (depths); i++)
    {
      uint64_t at = (uint64_t) (50 * 803 + 601) * depths[i].bytes;

      set_vbe (rig, 803, 600, depths[i].bpp); /* Widths need not be round. */
      look (rig);
      g_assert_cmpint (rig->picture->width, ==, 803);
      for (unsigned b = 0; b < depths[i].bytes; b++)
        draw (rig, at + b, 1, depths[i].value >> (8 * b) & 0xff);
      look (rig);
      g_assert_cmphex (pixel (rig, 601, 50), ==, depths[i].colour);
      g_assert_cmphex (pixel (rig, 600, 50), ==, 0);
      g_assert_cmphex (pixel (rig, 602, 50), ==, 0);
      /* Converted pictures know the pixel; direct ones the page. */
      if (depths[i].bpp != 32)
        assert_damage (rig, 601, 50, 1, 1);
      else
        g_assert_cmpint (rig->frame.rects[0].height, <=, 3);
    }

  /* The other byte order. */
  vt_region_write (rig->card->registers, 0x604, 4, 0xbebebebe);
  look (rig);
  g_assert_cmphex (pixel (rig, 601, 50), ==, 0x3412ff);
  vt_region_write (rig->card->registers, 0x604, 4, 0x1e1e1e1e);

  /* Eight bits through the palette, which may have eight bits itself. */
  set_mode (rig, &mode_13);
  set_vbe (rig, 640, 480, 8);
  draw (rig, 640 * 10 + 3, 1, 0x2a);
  look (rig);
  g_assert_cmphex (pixel (rig, 3, 10), ==, dac_colour (0x2a));
  dispi (rig, VT_DISPI_ENABLE,
         VT_DISPI_ENABLED | VT_DISPI_LFB | VT_DISPI_8BIT_DAC);
  outb (rig, 0x3c8, 0x2a);
  outb (rig, 0x3c9, 0xfe);
  outb (rig, 0x3c9, 0xdc);
  outb (rig, 0x3c9, 0xba);
  look (rig);
  g_assert_cmphex (pixel (rig, 3, 10), ==, 0xfedcba);
}

static void
test_vbe_planar (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_12);
  set_vbe (rig, 1024, 768, 4);
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 1024);
  g_assert_cmpint (rig->picture->height, ==, 768);
  gr (rig, 5, 0x02);
  poke (rig, A0000 + 128 * 5 + 2, 0x0b);
  /* Line 600 is in the second bank. */
  dispi (rig, VT_DISPI_BANK, 1);
  poke (rig, A0000 + 128 * 600 + 127 - 0x10000, 0x0d);
  look (rig);
  g_assert_cmphex (pixel (rig, 16, 5), ==, ega (11));
  g_assert_cmphex (pixel (rig, 23, 5), ==, ega (11));
  g_assert_cmphex (pixel (rig, 24, 5), ==, ega (0));
  g_assert_cmphex (pixel (rig, 1023, 600), ==, ega (13));
}

static void
test_vbe_offset (Rig *rig, gconstpointer data)
{
  uint64_t last = vt_ram_size (rig->card->vram) - 4;

  set_vbe (rig, 640, 480, 32);
  dispi (rig, VT_DISPI_VIRT_WIDTH, 1000);
  draw (rig, (1000 * 500 + 30) * 4, 4, 0xabcdef);
  dispi (rig, VT_DISPI_X_OFFSET, 20);
  dispi (rig, VT_DISPI_Y_OFFSET, 499);
  look (rig);
  g_assert_cmphex (pixel (rig, 10, 1), ==, 0xabcdef);
  /* Drawing straight into what is shown. */
  draw (rig, (1000 * 600 + 25) * 4, 4, 0x111111);
  look (rig);
  g_assert_cmphex (pixel (rig, 5, 101), ==, 0x111111);
  g_assert_cmpuint (rig->frame.n_rects, ==, 1);
  g_assert_cmpint (rig->frame.rects[0].height, <=, 3);

  /* Past the end of the memory: black, and the memory's last byte is the last that is shown. */
  draw (rig, last, 4, 0x222222);
  dispi (rig, VT_DISPI_VIRT_WIDTH, 640);
  dispi (rig, VT_DISPI_X_OFFSET, 0);
  dispi (rig, VT_DISPI_Y_OFFSET, 6553); /* 6553.6 rows of 2560 bytes. */
  look (rig);
  g_assert_cmpint (rig->picture->height, ==, 480);
  g_assert_cmphex (pixel (rig, 0, 1), ==, 0);
  dispi (rig, VT_DISPI_Y_OFFSET, 65535);
  dispi (rig, VT_DISPI_X_OFFSET, 65535);
  look (rig);
  g_assert_cmphex (pixel (rig, 0, 0), ==, 0);
  dispi (rig, VT_DISPI_X_OFFSET, 0);
  dispi (rig, VT_DISPI_Y_OFFSET, 6073); /* The last that fits. */
  draw (rig, (6073 * 640 + 7) * 4, 4, 0x333333);
  look (rig);
  g_assert_cmphex (pixel (rig, 7, 0), ==, 0x333333);
}

/* Nobody watches: nothing is done, and a screenshot is right all the same. */
static void
test_unwatched (Rig *rig, gconstpointer data)
{
  vt_viewer_free (rig->viewer);
  set_mode (rig, &mode_12);
  vt_context_dispatch (rig->context);
  rig->viewer = NULL;
  g_assert_false (rig->card->core.screen.logging);

  for (unsigned i = 0; i < 3; i++)
    {
      VtSurface *surface;

      poke (rig, A0000 + i, 0xff);
      surface = vt_console_snapshot (rig->console);
      g_assert_cmphex (vt_ld32 (surface->data + i * 32) & 0xffffff, ==, ega (15));
      vt_surface_unref (surface);
    }
  g_assert_false (rig->card->core.screen.logging);
  g_assert_false (vt_timer_armed (rig->card->core.screen.timer));

  rig->viewer = vt_viewer_new (rig->console, NULL, NULL, false);
  vt_context_dispatch (rig->context);
  g_assert_true (rig->card->core.screen.logging);
  g_assert_true (vt_timer_armed (rig->card->core.screen.timer));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/vga-modes/" name, Rig, NULL, rig_up, func, rig_down)
  ADD ("text/cells", test_text);
  ADD ("text/blink", test_text_blink);
  ADD ("text/cursor", test_text_cursor);
  ADD ("text/fonts", test_text_fonts);
  ADD ("text/scroll", test_text_scroll);
  ADD ("text/reading", test_text_reading);
  ADD ("planar/12", test_planar);
  ADD ("planar/panning", test_planar_panning);
  ADD ("planar/0d", test_low_planar);
  ADD ("cga/04", test_cga);
  ADD ("bytes/13", test_256);
  ADD ("bytes/x", test_mode_x);
  ADD ("vbe/depths", test_vbe_depths);
  ADD ("vbe/planar", test_vbe_planar);
  ADD ("vbe/offset", test_vbe_offset);
  ADD ("unwatched", test_unwatched);
  return g_test_run ();
}
