/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The VGA card: registers, planar memory, the Bochs VBE extension, EDID, saved state, hostile guests.
 * What the modes look like is in test-vga-modes.c.
 */
#include "vga-rig.h"

#define A0000 0xa0000u
#define B8000 0xb8000u

static void
test_registers (Rig *rig, gconstpointer data)
{
  /* Colour and monochrome addresses exclude each other. */
  outb (rig, 0x3c2, 0x67);
  g_assert_cmphex (inb (rig, 0x3cc), ==, 0x67);
  cr (rig, 0x0f, 0x12);
  outb (rig, 0x3d4, 0x0f);
  g_assert_cmphex (inb (rig, 0x3d5), ==, 0x12);
  g_assert_cmphex (inb (rig, 0x3b5), ==, 0xff);
  outb (rig, 0x3c2, 0x66);
  g_assert_cmphex (inb (rig, 0x3b5), ==, 0x12);
  g_assert_cmphex (inb (rig, 0x3d5), ==, 0xff);
  outb (rig, 0x3c2, 0x67);

  /* Bits that do not exist read as zero. */
  sr (rig, 4, 0xff);
  g_assert_cmphex (inb (rig, 0x3c5), ==, 0x0e);
  gr (rig, 3, 0xff);
  g_assert_cmphex (inb (rig, 0x3cf), ==, 0x1f);

  /* CR11 bit 7 protects 0 to 7, but for the line compare's bit. */
  cr (rig, 0x00, 0x5f);
  cr (rig, 0x07, 0x00);
  cr (rig, 0x11, 0x80);
  cr (rig, 0x00, 0x11);
  cr (rig, 0x07, 0xff);
  outb (rig, 0x3d4, 0x00);
  g_assert_cmphex (inb (rig, 0x3d5), ==, 0x5f);
  outb (rig, 0x3d4, 0x07);
  g_assert_cmphex (inb (rig, 0x3d5), ==, 0x10);
  cr (rig, 0x99, 0xff); /* No such register. */
  g_assert_cmphex (inb (rig, 0x3d5), ==, 0);

  /* The attribute controller's flip-flop. */
  ar (rig, 0x05, 0xff);
  inb (rig, 0x3da);
  outb (rig, 0x3c0, 0x25);
  g_assert_cmphex (inb (rig, 0x3c1), ==, 0x3f);
  g_assert_cmphex (inb (rig, 0x3c0), ==, 0x25);
  outb (rig, 0x3c0, 0x0a);
  g_assert_cmphex (inb (rig, 0x3c1), ==, 0x0a);
}

static void
test_dac (Rig *rig, gconstpointer data)
{
  outb (rig, 0x3c8, 0xff);
  outb (rig, 0x3c9, 0xc1); /* Six bits. */
  outb (rig, 0x3c9, 2);
  outb (rig, 0x3c9, 3);
  outb (rig, 0x3c9, 4); /* Wraps to entry 0, which is not complete. */
  g_assert_cmphex (inb (rig, 0x3c7), ==, 0);
  outb (rig, 0x3c7, 0xff);
  g_assert_cmphex (inb (rig, 0x3c7), ==, 3);
  g_assert_cmphex (inb (rig, 0x3c9), ==, 0x01);
  g_assert_cmphex (inb (rig, 0x3c9), ==, 2);
  g_assert_cmphex (inb (rig, 0x3c9), ==, 3);
  g_assert_cmphex (inb (rig, 0x3c9), ==, 0);

  dispi (rig, VT_DISPI_ENABLE, VT_DISPI_8BIT_DAC);
  outb (rig, 0x3c8, 7);
  for (unsigned i = 0; i < 3; i++)
    outb (rig, 0x3c9, 0xf5);
  outb (rig, 0x3c7, 7);
  g_assert_cmphex (inb (rig, 0x3c9), ==, 0xf5);
}

static void
test_retrace (Rig *rig, gconstpointer data)
{
  int64_t period;
  unsigned rises = 0, frames = 60;
  bool was = false;

  set_mode (rig, &mode_03);
  /* 70 Hz, retrace for two of 449 lines: at a sample each 16 us none is missed. */
  period = 16 * VT_NS_PER_US;
  for (int64_t t = 0; t < VT_NS_PER_SEC; t += period)
    {
      bool now = (inb (rig, 0x3da) & 8) != 0;

      rises += now && !was;
      was = now;
      vt_clock_advance (rig->clock, period);
    }
  g_assert_cmpuint (rises, >=, 69);
  g_assert_cmpuint (rises, <=, 71);

  /* Timings that make no sense get a retrace all the same. */
  cr (rig, 0x11, 0);
  for (unsigned i = 0; i < 25; i++)
    cr (rig, (uint8_t) i, 0xff);
  cr (rig, 0x11, 0);
  cr (rig, 0x06, 0);
  rises = 0;
  for (int64_t t = 0; t < VT_NS_PER_SEC; t += period)
    {
      bool now = (inb (rig, 0x3da) & 8) != 0;

      rises += now && !was;
      was = now;
      vt_clock_advance (rig->clock, period);
    }
  g_assert_cmpuint (rises, >=, frames - 2);
}

/* Planar memory ----------------------------------------------------------------------------------- */

/* The four planes at @at. */
static uint32_t
planes_at (Rig *rig, uint32_t at)
{
  return vt_ld32 (vt_ram_host (rig->card->vram) + at * 4);
}

static void
set_planes (Rig *rig, uint32_t at, uint32_t value)
{
  vt_st32 (vt_ram_host (rig->card->vram) + at * 4, value);
}

static void
test_write_modes (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_12);

  /* Mode 0: rotate, set/reset, function, bit mask, map mask. */
  poke (rig, A0000, 0x81);
  g_assert_cmphex (planes_at (rig, 0), ==, 0x81818181);
  gr (rig, 3, 0x01); /* Rotate right by one. */
  poke (rig, A0000 + 1, 0x81);
  g_assert_cmphex (planes_at (rig, 1), ==, 0xc0c0c0c0);
  gr (rig, 3, 0x00);
  gr (rig, 0, 0x05);
  gr (rig, 1, 0x03); /* Planes 0 and 1 from set/reset. */
  poke (rig, A0000 + 2, 0x3c);
  g_assert_cmphex (planes_at (rig, 2), ==, 0x3c3c00ff);
  gr (rig, 1, 0x00);
  sr (rig, 2, 0x04);
  poke (rig, A0000 + 3, 0x55);
  g_assert_cmphex (planes_at (rig, 3), ==, 0x00550000);
  sr (rig, 2, 0x0f);

  set_planes (rig, 4, 0x0ff0aa55);
  peek (rig, A0000 + 4); /* The latches. */
  gr (rig, 8, 0x0f);
  poke (rig, A0000 + 4, 0x00);
  g_assert_cmphex (planes_at (rig, 4), ==, 0x00f0a050);
  gr (rig, 8, 0xff);
  static const struct { uint8_t function; uint32_t expected; } functions[] = {
    { 0x08, 0x0f0ff00fu & 0x3c3c3c3cu },
    { 0x10, 0x0f0ff00fu | 0x3c3c3c3cu },
    { 0x18, 0x0f0ff00fu ^ 0x3c3c3c3cu },
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (functions); i++)
    {
      set_planes (rig, 5, 0x0f0ff00f);
      peek (rig, A0000 + 5);
      gr (rig, 3, functions[i].function);
      poke (rig, A0000 + 5, 0x3c);
      g_assert_cmphex (planes_at (rig, 5), ==, functions[i].expected);
    }
  gr (rig, 3, 0);

  /* Mode 1: the latches, whatever is written and whatever the bit mask says. */
  gr (rig, 5, 0x01);
  gr (rig, 8, 0x00);
  set_planes (rig, 6, 0x12345678);
  peek (rig, A0000 + 6);
  poke (rig, A0000 + 7, 0xff);
  g_assert_cmphex (planes_at (rig, 7), ==, 0x12345678);
  gr (rig, 8, 0xff);

  /* Mode 2: the low four bits are a colour. */
  gr (rig, 5, 0x02);
  gr (rig, 8, 0xf0);
  set_planes (rig, 8, 0x11223344);
  peek (rig, A0000 + 8);
  poke (rig, A0000 + 8, 0x0a);
  g_assert_cmphex (planes_at (rig, 8), ==, 0xf102f304);

  /* Mode 3: the data is one more bit mask for set/reset. */
  gr (rig, 5, 0x03);
  gr (rig, 8, 0x3c);
  gr (rig, 0, 0x06);
  set_planes (rig, 9, 0x00ff00ff);
  peek (rig, A0000 + 9);
  poke (rig, A0000 + 9, 0xf0);
  g_assert_cmphex (planes_at (rig, 9), ==, 0x00ff30cf);
}

static void
test_read_modes (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_12);
  set_planes (rig, 10, 0x44332211);
  for (unsigned p = 0; p < 4; p++)
    {
      gr (rig, 4, (uint8_t) p);
      g_assert_cmphex (peek (rig, A0000 + 10), ==, 0x11 * (p + 1));
    }
  /* Mode 1: which of the eight pixels have the colour, among the planes that matter. */
  set_planes (rig, 11, 0x0f33550f);
  gr (rig, 5, 0x08);
  gr (rig, 2, 0x05);
  gr (rig, 7, 0x0f);
  /* Planes 0 and 2 set, 1 and 3 clear. */
  g_assert_cmphex (peek (rig, A0000 + 11), ==, 0x0f & 0x33 & (uint8_t) ~0x55 & (uint8_t) ~0x0f);
  gr (rig, 7, 0x01);
  g_assert_cmphex (peek (rig, A0000 + 11), ==, 0x0f);
  gr (rig, 7, 0x00);
  g_assert_cmphex (peek (rig, A0000 + 11), ==, 0xff);
}

static void
test_decode (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_12);
  poke (rig, A0000, 0x77);
  g_assert_cmphex (peek (rig, B8000), ==, 0xff); /* Not decoded. */
  gr (rig, 6, 0x0d);                             /* 0xB8000, 32 KiB. */
  g_assert_cmphex (peek (rig, A0000), ==, 0xff);
  g_assert_cmphex (peek (rig, B8000), ==, 0x77);
  gr (rig, 6, 0x09); /* 0xB0000, 32 KiB. */
  g_assert_cmphex (peek (rig, 0xb0000), ==, 0x77);
  g_assert_cmphex (peek (rig, B8000), ==, 0xff);
  gr (rig, 6, 0x01); /* All of it; the second half is the first again. */
  g_assert_cmphex (peek (rig, A0000), ==, 0x77);
  g_assert_cmphex (peek (rig, 0xb0000), ==, 0x77);
  outb (rig, 0x3c2, 0xe1); /* The CPU's access is off. */
  g_assert_cmphex (peek (rig, A0000), ==, 0xff);
}

static void
test_odd_even (Rig *rig, gconstpointer data)
{
  set_mode (rig, &mode_03);
  poke_w (rig, B8000, 0x1741);
  poke_w (rig, B8000 + 2, 0x2842);
  g_assert_cmphex (planes_at (rig, 0), ==, 0x1741);
  g_assert_cmphex (planes_at (rig, 2), ==, 0x2842);
  g_assert_cmphex (planes_at (rig, 1), ==, 0);
  g_assert_cmphex (peek (rig, B8000 + 3), ==, 0x28);
}

/* The same accesses in text mode and in mode 0x13, before and after the window becomes memory. */
static void
test_mapping (Rig *rig, gconstpointer data)
{
  uint64_t base;

  set_mode (rig, &mode_03);
  look (rig);
  for (unsigned i = 0; i < 2000; i++)
    poke_w (rig, B8000 + i * 2, (uint16_t) (0x0700 | (i % 95 + 32)));
  g_assert_cmpint (rig->card->core.mapped, ==, VT_VGA_MAP_TEXT_COLOUR);
  g_assert_true (vt_region_mapped (rig->card->core.text_region, &base));
  g_assert_cmphex (base, ==, B8000);
  /* What was written by exits and by memory is all there. */
  for (unsigned i = 0; i < 2000; i++)
    g_assert_cmphex (peek (rig, B8000 + i * 2), ==, i % 95 + 32);
  g_autofree char *text = vt_console_text (rig->console);
  g_assert_cmpstr (text, !=, NULL);
  g_assert_true (g_str_has_prefix (text, " !\"#$%&'()*+,-./0123456789"));
  look (rig);

  /* One more character: one cell of damage. */
  poke (rig, B8000 + 2 * (80 * 3 + 7), 0x58);
  look (rig);
  assert_damage (rig, 7 * 9, 3 * 16, 9, 16);

  /* A change of the data path ends it, and the planes have everything. */
  poke (rig, B8000 + 10, 0x59);
  sr (rig, 4, 0x06);
  g_assert_cmpint (rig->card->core.mapped, ==, VT_VGA_MAP_NONE);
  g_assert_false (vt_region_mapped (rig->card->core.text_region, &base));
  g_assert_cmphex (planes_at (rig, 10), ==, 0x0759);
  sr (rig, 4, 0x02);
  g_assert_cmphex (peek (rig, B8000 + 10), ==, 0x59);

  /* A pause brings it back, too: a saved state needs nothing else. */
  for (unsigned i = 0; i < 300; i++)
    poke (rig, B8000 + i, (uint8_t) i);
  g_assert_cmpint (rig->card->core.mapped, ==, VT_VGA_MAP_TEXT_COLOUR);
  vt_device_pause (&rig->card->fn.base, NULL, NULL);
  g_assert_cmphex (planes_at (rig, 298), ==, 0x2b2a);
  vt_device_resume (&rig->card->fn.base);

  set_mode (rig, &mode_13);
  for (unsigned i = 0; i < 64000; i++)
    poke (rig, A0000 + i, (uint8_t) (i * 7));
  g_assert_cmpint (rig->card->core.mapped, ==, VT_VGA_MAP_LINEAR);
  for (unsigned i = 0; i < 64000; i += 61)
    g_assert_cmphex (peek (rig, A0000 + i), ==, (i * 7) & 0xff);
  sr (rig, 4, 0x06); /* Unchained: each plane has every fourth byte. */
  g_assert_cmpint (rig->card->core.mapped, ==, VT_VGA_MAP_NONE);
  gr (rig, 4, 2);
  g_assert_cmphex (peek (rig, A0000 + 100), ==, (402 * 7) & 0xff);
}

/* Bochs VBE --------------------------------------------------------------------------------------- */

static void
test_dispi (Rig *rig, gconstpointer data)
{
  g_assert_cmphex (dispi_get (rig, VT_DISPI_ID), ==, 0xb0c5);
  dispi (rig, VT_DISPI_ID, 0xb0c2);
  g_assert_cmphex (dispi_get (rig, VT_DISPI_ID), ==, 0xb0c2);
  dispi (rig, VT_DISPI_ID, 0xb0c6);
  g_assert_cmphex (dispi_get (rig, VT_DISPI_ID), ==, 0xb0c2);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_MEMORY_64K), ==, 256);
  g_assert_cmpuint (dispi_get (rig, 0x77), ==, 0);

  /* The data port at 0x1D0 as well, and bytes. */
  outw (rig, 0x1ce, VT_DISPI_XRES);
  outw (rig, 0x1d0, 1000);
  g_assert_cmpuint (inw (rig, 0x1d0), ==, 1000);
  g_assert_cmpuint (inw (rig, 0x1cf), ==, 1000);
  g_assert_cmpuint (inb (rig, 0x1cf), ==, 1000 & 255);
  g_assert_cmpuint (inb (rig, 0x1d0), ==, 1000 >> 8);
  g_assert_cmpuint (inw (rig, 0x1ce), ==, VT_DISPI_XRES);

  dispi (rig, VT_DISPI_ENABLE, VT_DISPI_GETCAPS);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_XRES), ==, 16000);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_YRES), ==, 12000);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_BPP), ==, 32);
  dispi (rig, VT_DISPI_ENABLE, 0);

  dispi (rig, VT_DISPI_XRES, 1024);
  dispi (rig, VT_DISPI_YRES, 768);
  dispi (rig, VT_DISPI_BPP, 32);
  vt_ram_host (rig->card->vram)[1234] = 9;
  dispi (rig, VT_DISPI_ENABLE, VT_DISPI_ENABLED | VT_DISPI_LFB | VT_DISPI_NOCLEAR);
  g_assert_cmpuint (vt_ram_host (rig->card->vram)[1234], ==, 9);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_VIRT_WIDTH), ==, 1024);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_VIRT_HEIGHT), ==, 4096);
  dispi (rig, VT_DISPI_ENABLE, 0);
  dispi (rig, VT_DISPI_ENABLE, VT_DISPI_ENABLED | VT_DISPI_LFB);
  g_assert_cmpuint (vt_ram_host (rig->card->vram)[1234], ==, 0);

  /* More than there is memory for is cut. */
  dispi (rig, VT_DISPI_YRES, 12000);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_YRES), ==, 4096);
  dispi (rig, VT_DISPI_VIRT_WIDTH, 65535);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_YRES), ==, 64);
  dispi (rig, VT_DISPI_XRES, 0);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_XRES), ==, 1);
  /* Dark until the attribute controller drives the screen. */
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 720);
  outb (rig, 0x3c0, 0x20);
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 1);
  g_assert_cmpint (rig->picture->height, ==, 64);
}

static void
test_dispi_bank (Rig *rig, gconstpointer data)
{
  dispi (rig, VT_DISPI_XRES, 640);
  dispi (rig, VT_DISPI_YRES, 480);
  dispi (rig, VT_DISPI_BPP, 8);
  dispi (rig, VT_DISPI_ENABLE, VT_DISPI_ENABLED);
  dispi (rig, VT_DISPI_BANK, 3);
  poke (rig, A0000 + 0x123, 0xab);
  g_assert_cmphex (vt_ram_host (rig->card->vram)[0x30123], ==, 0xab);
  g_assert_cmphex (peek (rig, A0000 + 0x123), ==, 0xab);
  dispi (rig, VT_DISPI_BANK, 259); /* 256 banks. */
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_BANK), ==, 3);
  dispi (rig, VT_DISPI_BANK, 0);
  for (unsigned i = 0; i < 200; i++)
    poke (rig, A0000 + i, (uint8_t) i);
  g_assert_cmpint (rig->card->core.mapped, ==, VT_VGA_MAP_LINEAR);
  dispi (rig, VT_DISPI_BANK, 1);
  poke (rig, A0000 + 5, 0x99);
  g_assert_cmphex (vt_ram_host (rig->card->vram)[5], ==, 5);
  g_assert_cmphex (vt_ram_host (rig->card->vram)[0x10005], ==, 0x99);
}

/* Whatever the registers hold, by writing or by loading, what is shown lies inside the memory. */
static void
test_dispi_limits (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);
  VtDispiState state = { 0 };
  unsigned shown = 0;

  for (unsigned i = 0; i < 100000; i++)
    {
      uint64_t vram = VT_MIB << g_rand_int_range (rand, 0, 9);
      VtLinearMode mode;
      unsigned shift = (unsigned) g_rand_int_range (rand, 0, 12);

      for (unsigned r = 0; r < VT_DISPI_N_REGS; r++)
        state.regs[r] = (uint16_t) ((g_rand_int (rand) & 0xffff) >> shift);
      state.regs[VT_DISPI_BPP] = (uint16_t[]){ 4, 8, 15, 16, 24, 32, 0, 77 }[i % 8];
      state.regs[VT_DISPI_ENABLE] |= VT_DISPI_ENABLED;
      g_assert_true (vt_dispi_mode (&state, vram, &mode));
      g_assert_true (mode.width >= 1 && mode.width <= VT_DISPI_MAX_X);
      g_assert_true (mode.height >= 1 && mode.height <= VT_DISPI_MAX_Y);
      g_assert_cmpint (mode.bytes, <=, mode.stride);
      g_assert_cmpint (mode.rows, >=, 0);
      g_assert_cmpint (mode.rows, <=, mode.height);
      /* No more pixels than the memory has, or the copy would be larger than the memory. */
      g_assert_true (mode.height == 1 || (uint64_t) mode.stride * (uint64_t) mode.height <= vram);
      if (mode.rows > 0)
        {
          uint64_t last = mode.offset + (uint64_t) (mode.rows - 1) * (uint64_t) mode.stride;

          g_assert_cmpuint (last + (uint64_t) mode.bytes, <=, vram);
          shown++;
        }
    }
  g_assert_cmpuint (shown, >, 1000);
}

static void
test_mmio (Rig *rig, gconstpointer data)
{
  VtRegion *registers = rig->card->registers;
  uint8_t sum = 0;

  /* EDID. */
  for (unsigned i = 0; i < 128; i++)
    sum = (uint8_t) (sum + vt_region_read (registers, i, 1));
  g_assert_cmpuint (sum, ==, 0);
  g_assert_cmphex (vt_region_read (registers, 0, 4), ==, 0xffffff00);
  g_assert_cmphex (vt_region_read (registers, 128, 1), ==, 0xff);

  /* Ports: 0x3C4 at 0x404. */
  vt_region_write (registers, 0x404, 2, 0x0302);
  g_assert_cmphex (vt_region_read (registers, 0x405, 1), ==, 3);
  g_assert_cmphex (inb (rig, 0x3c5), ==, 3);

  vt_region_write (registers, 0x502, 2, 800);
  vt_region_write (registers, 0x504, 2, 600);
  g_assert_cmpuint (dispi_get (rig, VT_DISPI_XRES), ==, 800);
  g_assert_cmpuint (vt_region_read (registers, 0x500, 2), ==, 0xb0c5);
  g_assert_cmpuint (vt_region_read (registers, 0x504, 4), ==, 600);
  g_assert_cmpuint (vt_region_read (registers, 0x514, 2), ==, 256);

  g_assert_cmphex (vt_region_read (registers, 0x600, 4), ==, 8);
  g_assert_cmphex (vt_region_read (registers, 0x604, 4), ==, 0x1e1e1e1e);
  vt_region_write (registers, 0x604, 4, 0xbebebebe);
  g_assert_cmphex (vt_region_read (registers, 0x604, 4), ==, 0xbebebebe);
  vt_region_write (registers, 0x604, 4, 0x12345678);
  g_assert_cmphex (vt_region_read (registers, 0x604, 4), ==, 0xbebebebe);
}

/* EDID -------------------------------------------------------------------------------------------- */

static void
check_edid (const uint8_t *e, int width, int height)
{
  uint8_t sum = 0;
  int h_total, v_total, clock;

  for (unsigned i = 0; i < 128; i++)
    sum = (uint8_t) (sum + e[i]);
  g_assert_cmpuint (sum, ==, 0);
  g_assert_cmpint (e[56] | (e[58] & 0xf0) << 4, ==, width);
  g_assert_cmpint (e[59] | (e[61] & 0xf0) << 4, ==, height);
  h_total = width + (e[57] | (e[58] & 15) << 8);
  v_total = height + (e[60] | (e[61] & 15) << 8);
  clock = vt_ld16 (e + 54) * 10000;
  g_assert_cmpint (clock, >, 0);
  /* The refresh rate that the timing says. */
  g_assert_cmpint (clock / (h_total * v_total), <=, 60);
  if (width <= 2560)
    g_assert_cmpint (clock / (h_total * v_total), >=, 59);
}

static void
test_edid (Rig *rig, gconstpointer data)
{
  static const struct { int width, height; } sizes[] = {
    { 640, 480 }, { 1280, 800 }, { 1366, 768 }, { 1920, 1080 }, { 2560, 1440 }, { 4095, 4095 },
  };
  uint8_t e[VT_EDID_SIZE];

  for (unsigned i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      VtEdidInfo info = { .width = sizes[i].width, .height = sizes[i].height, .name = "A long name "
                                                                                     "that is cut" };

      vt_edid_build (&info, e);
      check_edid (e, sizes[i].width, sizes[i].height);
      g_assert_cmpmem (e + 95, 13, "A long name t", 13);
    }
  vt_edid_build (&(VtEdidInfo){ .width = G_MAXINT, .height = -1, .width_mm = G_MAXINT }, e);
  check_edid (e, 4095, 64);

  /* A window's wish is the monitor's preferred mode. */
  vt_console_hint (rig->console, &(VtConsoleHint){ 1000, 700, 300, 200 });
  vt_context_dispatch (rig->context);
  check_edid (rig->card->core.edid, 1000, 700);
  g_assert_cmpuint (vt_region_read (rig->card->registers, 66, 1), ==, 300 & 255);
}

/* Saved state, hostile guests --------------------------------------------------------------------- */

static void
test_load (Rig *rig, gconstpointer data)
{
  VtDevice *dev = &rig->card->fn.base;
  g_autoptr (GByteArray) saved = g_byte_array_new ();
  g_autoptr (GError) error = NULL;

  set_mode (rig, &mode_03);
  poke_w (rig, B8000, 0x1fdb);
  for (unsigned i = 0; i < 32; i++)
    vt_ram_host (rig->card->vram)[(0xdb * 32 + i) * 4 + 2] = 0xff;
  look (rig);
  g_assert_cmphex (pixel (rig, 0, 0), ==, dac_colour (0x3f));
  vt_device_pause (dev, NULL, NULL);
  vt_device_save (dev, saved);
  vt_device_resume (dev);

  set_mode (rig, &mode_13);
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 640);
  vt_device_pause (dev, NULL, NULL);
  g_assert_true (vt_device_load (dev, 1, saved->data, saved->len, &error));
  g_assert_no_error (error);
  vt_device_commit (dev);
  look (rig);
  g_assert_cmpint (rig->picture->width, ==, 720);
  g_assert_cmphex (pixel (rig, 0, 0), ==, dac_colour (0x3f));
  g_assert_true (rig->frame.new_surface);

  /* The same size again: everything is drawn anew, because memory may be another. */
  vt_ram_host (rig->card->vram)[0] = 0; /* Behind the log's back, as a loader does. */
  g_assert_true (vt_device_load (dev, 1, saved->data, saved->len, &error));
  vt_device_commit (dev);
  look (rig);
  g_assert_cmphex (pixel (rig, 0, 0), ==, dac_colour (0x01));

  /* Registers that point outside their tables. */
  for (unsigned i = 0; i < saved->len; i++)
    {
      uint8_t old = saved->data[i];

      saved->data[i] = 0xff;
      if (vt_device_load (dev, 1, saved->data, saved->len, NULL))
        {
          vt_device_commit (dev);
          inb (rig, 0x3c5);
          inb (rig, 0x3c9);
          inb (rig, 0x3c1);
          inb (rig, 0x3cf);
          inb (rig, 0x3d5);
          if (i % 64 == 0 || i > VT_PCI_CONFIG_SIZE + 800)
            look (rig);
        }
      saved->data[i] = old;
    }
}

static void
test_hostile (Rig *rig, gconstpointer data)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (20240229);
  static const unsigned ports[] = { 0x3c0, 0x3c2, 0x3c4, 0x3c5, 0x3c6, 0x3c8, 0x3c9,
                                    0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3da, 0x3b4, 0x3b5 };

  for (unsigned round = 0; round < 250; round++)
    {
      for (unsigned i = 0; i < 200; i++)
        {
          uint32_t r = g_rand_int (rand);

          switch (r % 8)
            {
            case 0:
            case 1:
              outb (rig, ports[(r >> 8) % G_N_ELEMENTS (ports)], (uint8_t) (r >> 16));
              break;
            case 2:
              cr (rig, (uint8_t) (r >> 8) % 25, (uint8_t) (r >> 16));
              break;
            case 3:
              (r & 0x100 ? gr : sr) (rig, (uint8_t) (r >> 12) % 9, (uint8_t) (r >> 16));
              break;
            case 4:
              ar (rig, (uint8_t) (r >> 8) % 21, (uint8_t) (r >> 16));
              break;
            case 5:
              /* Half of them plausible, or hardly a mode would be valid. */
              dispi (rig, (uint16_t) ((r >> 8) % 11),
                     r & 0x80000000 ? (uint16_t) g_rand_int (rand)
                                    : (uint16_t) g_rand_int_range (rand, 0, 1600));
              break;
            default:
              if (r & 0x100)
                poke (rig, A0000 + (r >> 12) % 0x20000, (uint8_t) r);
              else
                peek (rig, A0000 + (r >> 12) % 0x20000);
              break;
            }
        }
      /* Screens show only with bit 5. */
      inb (rig, 0x3da);
      inb (rig, 0x3ba);
      outb (rig, 0x3c0, 0x20);
      sr (rig, 1, (uint8_t) (g_rand_int (rand) & 0x0d));
      if (round % 3 != 0)
        dispi (rig, VT_DISPI_ENABLE, 0);
      vt_clock_advance (rig->clock, 17 * VT_NS_PER_MS);
      look (rig);
      g_assert_nonnull (rig->picture);
      g_autofree char *text = vt_console_text (rig->console);
    }
}

static void
test_bare (void)
{
  VtContext *context = vt_context_new_manual ();
  VtClock *clock = vt_clock_new_manual ();
  VtDeviceEnv env = { context, clock, NULL };
  g_autoptr (GError) error = NULL;
  VtVgaCard *card = (VtVgaCard *) vt_device_new (&vt_vga_class, "vga", &env);

  g_assert_true (vt_device_realize (&card->fn.base, &error));
  vt_device_free (&card->fn.base);

  card = (VtVgaCard *) vt_device_new (&vt_vga_class, "vga", &env);
  card->vram_mib = 3;
  g_assert_false (vt_device_realize (&card->fn.base, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  vt_device_free (&card->fn.base);
  vt_clock_free (clock);
  vt_context_free (context);
}

/* A viewer's surface of the frame buffer lives on when the card has gone. */
static void
test_outlive (void)
{
  Rig rig = { 0 };
  VtSurface *surface;

  rig_up (&rig, NULL);
  outb (&rig, 0x3c0, 0x20);
  dispi (&rig, VT_DISPI_XRES, 320);
  dispi (&rig, VT_DISPI_YRES, 200);
  dispi (&rig, VT_DISPI_BPP, 32);
  dispi (&rig, VT_DISPI_ENABLE, VT_DISPI_ENABLED | VT_DISPI_LFB);
  vt_st32 (vt_ram_host (rig.card->vram), 0x123456);
  look (&rig);
  surface = vt_surface_ref (rig.frame.surface);
  rig_down (&rig, NULL);
  g_assert_cmphex (vt_ld32 (surface->data), ==, 0x123456);
  vt_surface_unref (surface);
}

/* On a thread of its own: the card draws by the host's clock, also while the guest's stands still, and
 * a viewer on another thread hears of each change while the guest goes on writing. */
typedef struct
{
  GMutex lock;
  GCond  cond;
  bool   changed;
} Bell;

static void
ring_cb (void *data)
{
  Bell *bell = data;

  g_mutex_lock (&bell->lock);
  bell->changed = true;
  g_cond_signal (&bell->cond);
  g_mutex_unlock (&bell->lock);
}

static void
wait_for (Bell *bell)
{
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  g_mutex_lock (&bell->lock);
  while (!bell->changed)
    g_assert_true (g_cond_wait_until (&bell->cond, &bell->lock, deadline));
  bell->changed = false;
  g_mutex_unlock (&bell->lock);
}

typedef struct
{
  Rig *rig;
  gint stop;
} Writer;

static gpointer
write_thread (gpointer data)
{
  Writer *writer = data;

  for (unsigned i = 0; !g_atomic_int_get (&writer->stop); i++)
    poke_w (writer->rig, B8000 + i % 2000 * 2, (uint16_t) i);
  return NULL;
}

static void
test_thread (void)
{
  static const VtViewerOps ops = { .changed = ring_cb };
  Rig rig = { 0 };
  Bell bell = { .changed = false };
  VtDeviceEnv env;
  Writer writer = { &rig, 0 };
  GThread *guest;
  VtFrame frame;
  bool shown = false;

  rig.context = vt_context_new ("display");
  rig.clock = vt_clock_new_guest ();
  rig.space = vt_space_new ();
  rig.console = vt_console_new ("vga");
  env = (VtDeviceEnv){ rig.context, rig.clock, rig.space };
  rig.card = (VtVgaCard *) vt_device_new (&vt_vga_class, "vga", &env);
  rig.card->console = rig.console;
  g_assert_true (vt_device_realize (&rig.card->fn.base, NULL));
  vt_device_resume (&rig.card->fn.base);

  set_mode (&rig, &mode_03);
  for (unsigned i = 0; i < 32; i++)
    vt_ram_host (rig.card->vram)[(0xdb * 32 + i) * 4 + 2] = 0xff;
  rig.viewer = vt_viewer_new (rig.console, &ops, &bell, true);
  wait_for (&bell);
  vt_viewer_take (rig.viewer, &frame);
  vt_frame_clear (&frame);

  guest = g_thread_new ("guest", write_thread, &writer);
  for (unsigned i = 0; i < 5; i++)
    {
      wait_for (&bell);
      vt_viewer_take (rig.viewer, &frame);
      g_assert_nonnull (frame.surface);
      vt_frame_clear (&frame);
    }
  g_atomic_int_set (&writer.stop, 1);
  g_thread_join (guest);

  /* What was written last is shown, without anybody asking for it. */
  poke_w (&rig, B8000 + 2 * 81, 0x0fdb);
  for (unsigned i = 0; i < 100 && !shown; i++)
    {
      wait_for (&bell);
      vt_viewer_take (rig.viewer, &frame);
      shown = (vt_ld32 (frame.surface->data + 16 * frame.surface->stride + 9 * 4) & 0xffffff)
              == dac_colour (0x3f);
      vt_frame_clear (&frame);
    }
  g_assert_true (shown);

  vt_device_free (&rig.card->fn.base);
  vt_viewer_free (rig.viewer);
  vt_console_free (rig.console);
  vt_space_free (rig.space);
  vt_clock_free (rig.clock);
  vt_context_free (rig.context);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/vga/" name, Rig, NULL, rig_up, func, rig_down)
  ADD ("registers", test_registers);
  ADD ("dac", test_dac);
  ADD ("retrace", test_retrace);
  ADD ("memory/write-modes", test_write_modes);
  ADD ("memory/read-modes", test_read_modes);
  ADD ("memory/decode", test_decode);
  ADD ("memory/odd-even", test_odd_even);
  ADD ("memory/mapping", test_mapping);
  ADD ("dispi/registers", test_dispi);
  ADD ("dispi/bank", test_dispi_bank);
  ADD ("mmio", test_mmio);
  ADD ("edid", test_edid);
  ADD ("load", test_load);
  ADD ("hostile", test_hostile);
  g_test_add_func ("/vga/dispi/limits", test_dispi_limits);
  g_test_add_func ("/vga/bare", test_bare);
  g_test_add_func ("/vga/outlive", test_outlive);
  g_test_add_func ("/vga/thread", test_thread);
  return g_test_run ();
}
