/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A VGA card on a manual context with a console and a recording viewer, driven by ports and window
 * accesses as a BIOS would. Shared by test-vga.c and test-vga-modes.c.
 */
#pragma once

#include "gpu/vga.h"
#include "memory/space.h"

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtConsole *console;
  VtViewer  *viewer;
  VtVgaCard *card;
  VtSurface *picture; /* The last look(). */
  VtFrame    frame;   /* What the viewer took after it. */
} Rig;

typedef struct
{
  uint8_t misc;
  uint8_t sr[5], cr[25], gr[9], ar[21];
} Mode;

/* The register sets of the IBM BIOS, by mode number. */
static const Mode mode_03 G_GNUC_UNUSED = {
  0x67,
  { 0x03, 0x00, 0x03, 0x00, 0x02 },
  { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
    0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff },
  { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff },
  { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
    0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00 },
};
static const Mode mode_04 G_GNUC_UNUSED = {
  0x63,
  { 0x03, 0x09, 0x03, 0x00, 0x02 },
  { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff },
  { 0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0f, 0x0f, 0xff },
  { 0x00, 0x13, 0x15, 0x17, 0x02, 0x04, 0x06, 0x07, 0x10, 0x11, 0x12,
    0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0x00, 0x03, 0x00, 0x00 },
};
static const Mode mode_0d G_GNUC_UNUSED = {
  0x63,
  { 0x03, 0x09, 0x0f, 0x00, 0x06 },
  { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff },
  { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff },
  { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12,
    0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0x00, 0x0f, 0x00, 0x00 },
};
static const Mode mode_12 G_GNUC_UNUSED = {
  0xe3,
  { 0x03, 0x01, 0x0f, 0x00, 0x06 },
  { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff },
  { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff },
  { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
    0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x01, 0x00, 0x0f, 0x00, 0x00 },
};
static const Mode mode_13 G_GNUC_UNUSED = {
  0x63,
  { 0x03, 0x01, 0x0f, 0x00, 0x0e },
  { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff },
  { 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff },
  { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
    0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x41, 0x00, 0x0f, 0x00, 0x00 },
};

static inline void
outb (Rig *rig, unsigned port, uint8_t value)
{
  vt_space_write (rig->space, VT_SPACE_IO, port, &value, 1);
}

static inline uint8_t
inb (Rig *rig, unsigned port)
{
  uint8_t value = 0;

  vt_space_read (rig->space, VT_SPACE_IO, port, &value, 1);
  return value;
}

static inline void
outw (Rig *rig, unsigned port, uint16_t value)
{
  uint8_t raw[2];

  vt_st16 (raw, value);
  vt_space_write (rig->space, VT_SPACE_IO, port, raw, 2);
}

static inline uint16_t
inw (Rig *rig, unsigned port)
{
  uint8_t raw[2] = { 0 };

  vt_space_read (rig->space, VT_SPACE_IO, port, raw, 2);
  return vt_ld16 (raw);
}

static inline void
reg (Rig *rig, unsigned port, uint8_t index, uint8_t value)
{
  outw (rig, port, (uint16_t) (value << 8 | index));
}

static inline void
sr (Rig *rig, uint8_t index, uint8_t value)
{
  reg (rig, 0x3c4, index, value);
}

static inline void
gr (Rig *rig, uint8_t index, uint8_t value)
{
  reg (rig, 0x3ce, index, value);
}

static inline void
cr (Rig *rig, uint8_t index, uint8_t value)
{
  reg (rig, 0x3d4, index, value);
}

static inline void
ar (Rig *rig, uint8_t index, uint8_t value)
{
  inb (rig, 0x3da);
  outb (rig, 0x3c0, index | 0x20);
  outb (rig, 0x3c0, value);
}

static inline void
dispi (Rig *rig, uint16_t index, uint16_t value)
{
  outw (rig, 0x1ce, index);
  outw (rig, 0x1cf, value);
}

static inline uint16_t
dispi_get (Rig *rig, uint16_t index)
{
  outw (rig, 0x1ce, index);
  return inw (rig, 0x1cf);
}

static inline void
poke (Rig *rig, uint32_t address, uint8_t value)
{
  vt_space_write (rig->space, VT_SPACE_MEMORY, address, &value, 1);
}

static inline uint8_t
peek (Rig *rig, uint32_t address)
{
  uint8_t value = 0;

  vt_space_read (rig->space, VT_SPACE_MEMORY, address, &value, 1);
  return value;
}

static inline void
poke_w (Rig *rig, uint32_t address, uint16_t value)
{
  uint8_t raw[2];

  vt_st16 (raw, value);
  vt_space_write (rig->space, VT_SPACE_MEMORY, address, raw, 2);
}

/* DAC entry n is (4 n, 2 n, n), six bits each, so that every entry below 16 is told apart. */
static inline uint32_t
dac_colour (unsigned n)
{
  unsigned r = n * 4 & 63, g = n * 2 & 63, b = n & 63;

  return (r << 2 | r >> 4) << 16 | (g << 2 | g >> 4) << 8 | (b << 2 | b >> 4);
}

static inline void
set_mode (Rig *rig, const Mode *mode)
{
  outb (rig, 0x3c2, mode->misc);
  for (unsigned i = 0; i < 5; i++)
    sr (rig, (uint8_t) i, mode->sr[i]);
  cr (rig, 0x11, 0);
  for (unsigned i = 0; i < 25; i++)
    cr (rig, (uint8_t) i, mode->cr[i]);
  for (unsigned i = 0; i < 9; i++)
    gr (rig, (uint8_t) i, mode->gr[i]);
  for (unsigned i = 0; i < 21; i++)
    ar (rig, (uint8_t) i, mode->ar[i]);
  outb (rig, 0x3c6, 0xff);
  outb (rig, 0x3c8, 0);
  for (unsigned i = 0; i < 256; i++)
    {
      outb (rig, 0x3c9, i * 4 & 63);
      outb (rig, 0x3c9, i * 2 & 63);
      outb (rig, 0x3c9, i & 63);
    }
}

/* Brings the picture up to date and takes what the viewer was told. */
static inline void
look (Rig *rig)
{
  vt_surface_unref (rig->picture);
  rig->picture = vt_console_snapshot (rig->console);
  vt_frame_clear (&rig->frame);
  vt_viewer_take (rig->viewer, &rig->frame);
}

static inline uint32_t
pixel (const Rig *rig, int x, int y)
{
  g_assert_true (x >= 0 && y >= 0 && x < rig->picture->width && y < rig->picture->height);
  return ((const uint32_t *) (const void *) (rig->picture->data + y * rig->picture->stride))[x]
         & 0xffffff;
}

static inline void
assert_damage (const Rig *rig, int x, int y, int width, int height)
{
  g_assert_cmpuint (rig->frame.n_rects, ==, 1);
  g_assert_cmpint (rig->frame.rects[0].x, ==, x);
  g_assert_cmpint (rig->frame.rects[0].y, ==, y);
  g_assert_cmpint (rig->frame.rects[0].width, ==, width);
  g_assert_cmpint (rig->frame.rects[0].height, ==, height);
}

static inline void
rig_up (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  VtDeviceEnv env;

  rig->context = vt_context_new_manual ();
  rig->clock = vt_clock_new_manual ();
  rig->space = vt_space_new ();
  rig->console = vt_console_new ("vga");
  rig->viewer = vt_viewer_new (rig->console, NULL, NULL, true);
  env = (VtDeviceEnv){ rig->context, rig->clock, rig->space };
  rig->card = (VtVgaCard *) vt_device_new (&vt_vga_class, "vga", &env);
  rig->card->console = rig->console;
  vt_device_realize (&rig->card->fn.base, &error);
  g_assert_no_error (error);
  vt_device_resume (&rig->card->fn.base);
}

static inline void
rig_down (Rig *rig, gconstpointer data)
{
  vt_frame_clear (&rig->frame);
  vt_surface_unref (rig->picture);
  vt_device_free (&rig->card->fn.base);
  vt_viewer_free (rig->viewer);
  vt_console_free (rig->console);
  vt_context_dispatch (rig->context);
  vt_space_free (rig->space);
  vt_clock_free (rig->clock);
  vt_context_free (rig->context);
}
