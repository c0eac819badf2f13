/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tests of the displays: each draws a picture of its own in one kind of mode, says so ("LOOK name") and
 * waits for a key, by which the host tells that it has looked.
 */
#include "guest.h"

/* VGA ports. */
#define SEQ 0x3c4
#define GC 0x3ce
#define CRTC 0x3d4
#define AC 0x3c0
#define MISC 0x3c2
#define STATUS 0x3da
#define DAC_INDEX 0x3c8
#define DAC_DATA 0x3c9

/* DISPI registers. */
enum
{
  XRES = 1,
  YRES,
  BPP,
  ENABLE,
};

static bool
look (const char *name)
{
  bool     aux;
  uint8_t  byte;

  print ("LOOK ");
  print (name);
  print ("\n");
  /* A minute: the break code of a key, so that the host is done with it; not a mouse's byte. */
  for (unsigned i = 0; i < 60000; i++)
    {
      while ((inb (0x64) & 1) != 0)
        {
          aux = (inb (0x64) & 0x20) != 0;
          byte = inb (0x60);
          if (!aux && byte >= 0x80)
            return true;
        }
      delay_ms (1);
    }
  return fail ("the host has looked", 0);
}

typedef struct
{
  uint8_t misc, seq[5], crtc[25], gc[9], ac[21];
} Mode;

/* As every VGA BIOS sets them: the registers of modes 12h and 13h. */
static const Mode mode_12 = {
  0xe3,
  { 0x03, 0x01, 0x0f, 0x00, 0x06 },
  { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xea, 0x0c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff },
  { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff },
  { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x01, 0x00, 0x0f, 0x00, 0x00 },
};

static const Mode mode_13 = {
  0x63,
  { 0x03, 0x01, 0x0f, 0x00, 0x0e },
  { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x9c, 0x0e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff },
  { 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff },
  { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x41, 0x00, 0x0f, 0x00, 0x00 },
};

static void
write_indexed (uint16_t port, unsigned index, uint8_t value)
{
  outw (port, (uint16_t) (value << 8 | index));
}

static void
set_mode (const Mode *mode)
{
  outb (MISC, mode->misc);
  write_indexed (SEQ, 0, 1);
  for (unsigned i = 1; i < sizeof mode->seq; i++)
    write_indexed (SEQ, i, mode->seq[i]);
  write_indexed (SEQ, 0, 3);
  /* Bit 7 of register 11h locks the first eight. */
  write_indexed (CRTC, 0x11, mode->crtc[0x11] & 0x7f);
  for (unsigned i = 0; i < sizeof mode->crtc; i++)
    write_indexed (CRTC, i, mode->crtc[i]);
  for (unsigned i = 0; i < sizeof mode->gc; i++)
    write_indexed (GC, i, mode->gc[i]);
  inb (STATUS);
  for (unsigned i = 0; i < sizeof mode->ac; i++)
    {
      outb (AC, (uint8_t) i);
      outb (AC, mode->ac[i]);
    }
  outb (AC, 0x20); /* The picture is on. */
  outb (0x3c6, 0xff);
}

static void
dispi (unsigned reg, uint16_t value)
{
  outw (0x1ce, (uint16_t) reg);
  outw (0x1cf, value);
}

/* The first function of the display class @class: 0x0300 or 0x0380. */
static uint8_t
find_display (uint32_t class)
{
  for (unsigned slot = 1; slot < 31; slot++)
    if ((pci_read ((uint8_t) (slot << 3), 8) >> 16) == class)
      return (uint8_t) (slot << 3);
  return 0;
}

/* A text page; the linear frame buffer; four planes; bytes through the palette. */
bool
test_vga (void)
{
  uint8_t  fn = find_display (0x0300);
  uint32_t lfb;

  CHECK (fn != 0, 0);
  for (unsigned i = 0; i < 80 * 25; i++)
    MMIO16 (0xb8000 + 2 * i) = 0x1720;
  for (unsigned i = 0; i < 7; i++)
    MMIO16 (0xb8000 + 2 * (3 * 80 + 5 + i)) = (uint16_t) (0x1700 | (uint8_t) "VITRINE"[i]);
  CHECK (MMIO16 (0xb8000 + 2 * (3 * 80 + 5)) == 0x1756, MMIO16 (0xb8000 + 2 * (3 * 80 + 5)));
  if (!look ("text"))
    return false;

  outw (0x1ce, 0);
  CHECK ((inw (0x1cf) & 0xfff0) == 0xb0c0, inw (0x1cf));
  lfb = (uint32_t) pci_bar (fn, 0, 0xc0000000);
  dispi (ENABLE, 0);
  dispi (XRES, 640);
  dispi (YRES, 480);
  dispi (BPP, 32);
  dispi (ENABLE, 0x41);
  for (unsigned y = 0; y < 480; y++)
    for (unsigned x = 0; x < 640; x += 16)
      MMIO32 (lfb + (y * 640 + x) * 4) = (y << 16 & 0xff0000) | (x & 0xff);
  CHECK (MMIO32 (lfb + (16 * 640 + 32) * 4) == (16 << 16 | 32), MMIO32 (lfb + (16 * 640 + 32) * 4));
  if (!look ("vbe"))
    return false;
  dispi (ENABLE, 0);

  /* Planes: sixteen bars of 40 pixels, each of a colour of the DAC. */
  set_mode (&mode_12);
  outb (DAC_INDEX, 0);
  for (unsigned i = 0; i < 16; i++)
    for (unsigned c = 0; c < 3; c++)
      outb (DAC_DATA, (uint8_t) (c == 0 ? 4 * i : c == 1 ? 63 - 4 * i : 32));
  for (unsigned plane = 0; plane < 4; plane++)
    {
      write_indexed (SEQ, 2, (uint8_t) (1u << plane));
      for (unsigned y = 0; y < 480; y++)
        for (unsigned bar = 0; bar < 16; bar++)
          for (unsigned byte = 0; byte < 5; byte++)
            MMIO8 (0xa0000 + y * 80 + bar * 5 + byte) = (bar >> plane & 1) != 0 ? 0xff : 0;
    }
  if (!look ("planar"))
    return false;

  /* One byte a pixel, chained: the colour is x plus y. */
  set_mode (&mode_13);
  outb (DAC_INDEX, 0);
  for (unsigned i = 0; i < 256; i++)
    {
      outb (DAC_DATA, (uint8_t) (i >> 2));
      outb (DAC_DATA, (uint8_t) (i & 63));
      outb (DAC_DATA, (uint8_t) (63 - (i >> 2)));
    }
  for (uint32_t y = 0; y < 200; y++)
    for (uint32_t x = 0; x < 320; x += 4)
      {
        uint32_t v = x + y;

        MMIO32 (0xa0000 + y * 320 + x) = (v & 0xff) | ((v + 1) & 0xff) << 8 | ((v + 2) & 0xff) << 16
                                         | (v + 3) << 24;
      }
  return look ("chained");
}

/* The display without VGA: EDID, mode and byte order by memory-mapped registers. */
bool
test_bochs_display (void)
{
  static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
  uint8_t              fn = find_display (0x0380), sum = 0;
  uint32_t             lfb, registers;

  CHECK (fn != 0, 0);
  CHECK (pci_read (fn, 0) == 0x11111234, pci_read (fn, 0));
  lfb = (uint32_t) pci_bar (fn, 0, 0xc0000000);
  registers = (uint32_t) pci_bar (fn, 2, 0xc4000000);
  for (unsigned i = 0; i < 8; i++)
    CHECK (MMIO8 (registers + i) == header[i], MMIO8 (registers + i));
  for (unsigned i = 0; i < 128; i++)
    sum = (uint8_t) (sum + MMIO8 (registers + i));
  CHECK (sum == 0, sum);
  CHECK ((MMIO16 (registers + 0x500) & 0xfff0) == 0xb0c0, MMIO16 (registers + 0x500));
  MMIO16 (registers + 0x500 + 2 * ENABLE) = 0;
  MMIO16 (registers + 0x500 + 2 * XRES) = 800;
  MMIO16 (registers + 0x500 + 2 * YRES) = 600;
  MMIO16 (registers + 0x500 + 2 * BPP) = 16;
  MMIO16 (registers + 0x500 + 2 * ENABLE) = 0x41;
  /* 5:6:5, two pixels at a time. */
  for (uint32_t y = 0; y < 600; y++)
    for (uint32_t x = 0; x < 800; x += 32)
      MMIO32 (lfb + (y * 800 + x) * 2) = (y >> 5) << 11 | (x >> 5);
  return look ("bochs");
}
