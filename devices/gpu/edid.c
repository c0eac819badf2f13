/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The monitor's description: one EDID 1.4 block. Section numbers are those of the EDID standard,
 * release A revision 2; timings are those of CVT 1.2 with reduced blanking.
 */
#include "edid.h"

/* CVT 1.2, 3.4.2: reduced blanking is fixed horizontally; vertically it lasts 460 us at least. */
#define H_BLANK 160
#define H_FRONT 48
#define H_SYNC 32
#define V_FRONT 3
#define V_MIN_BACK 6
#define V_MIN_BLANK_US 460

/* 3.10.2: the clock is in units of 10 kHz in sixteen bits; active pixels have twelve bits. */
#define MAX_CLOCK_10KHZ 65535
#define MAX_ACTIVE 4095
#define MIN_ACTIVE 64

#define STANDARD_NONE 0x0101

/* Sync width tells the aspect ratio, CVT 1.2 table 3-2. */
static int
v_sync (int width, int height)
{
  if (width * 3 == height * 4)
    return 4;
  if (width * 9 == height * 16)
    return 5;
  if (width * 10 == height * 16)
    return 6;
  if (width * 4 == height * 5 || width * 9 == height * 15)
    return 7;
  return 10;
}

/* Lines of blanking that a picture of @height at @refresh needs. */
static int
v_blank (int height, int refresh, int sync)
{
  /* line time = (1 / refresh - 460 us) / height */
  int64_t frame_us = 1000000 / refresh;
  int64_t active_us = MAX (frame_us - V_MIN_BLANK_US, 1);
  int lines = (int) (V_MIN_BLANK_US * (int64_t) height / active_us) + 1;

  return MAX (lines, V_FRONT + sync + V_MIN_BACK);
}

/* 3.10.2, detailed timing descriptor. */
static void
put_timing (uint8_t *d, int width, int height, int refresh, int width_mm, int height_mm)
{
  int sync = v_sync (width, height), blank;
  int64_t clock;

  for (;;)
    {
      blank = v_blank (height, refresh, sync);
      clock = (int64_t) (width + H_BLANK) * (height + blank) * refresh / 10000;
      if (clock <= MAX_CLOCK_10KHZ || refresh <= 1)
        break;
      refresh--;
    }
  vt_st16 (d, (uint16_t) MIN (clock, MAX_CLOCK_10KHZ));
  d[2] = (uint8_t) width;
  d[3] = (uint8_t) H_BLANK;
  d[4] = (uint8_t) ((width >> 8) << 4 | H_BLANK >> 8);
  d[5] = (uint8_t) height;
  d[6] = (uint8_t) blank;
  d[7] = (uint8_t) ((height >> 8) << 4 | blank >> 8);
  d[8] = H_FRONT;
  d[9] = H_SYNC;
  d[10] = (uint8_t) (V_FRONT << 4 | (sync & 15));
  d[11] = 0;
  d[12] = (uint8_t) width_mm;
  d[13] = (uint8_t) height_mm;
  d[14] = (uint8_t) ((width_mm >> 8) << 4 | height_mm >> 8);
  d[17] = 0x1a; /* Digital separate sync, horizontal positive, vertical negative (reduced blanking). */
}

/* 3.10.3: a string of 13, ended by a newline and filled with blanks. */
static void
put_string (uint8_t *d, uint8_t tag, const char *text)
{
  size_t n = 0;

  memset (d, 0, 5);
  d[3] = tag;
  memset (d + 5, ' ', 13);
  for (; n < 13 && text[n] != '\0'; n++)
    d[5 + n] = text[n] >= ' ' && text[n] <= '~' ? (uint8_t) text[n] : '?';
  if (n < 13)
    d[5 + n] = '\n';
}

/* 3.9: width / 8 - 31, then aspect ratio and refresh - 60. */
static uint16_t
standard (int width, int aspect)
{
  return (uint16_t) ((width / 8 - 31) | aspect << 14);
}

void
vt_edid_build (const VtEdidInfo *info, uint8_t edid[VT_EDID_SIZE])
{
  static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
  /* sRGB's primaries and white point, 3.7. */
  static const uint8_t chroma[10] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
  enum { A16_10, A4_3, A5_4, A16_9 };
  static const struct { int width, aspect; } standards[8] = {
    { 1920, A16_9 },  { 1600, A4_3 }, { 1680, A16_10 }, { 1440, A16_10 },
    { 1280, A16_10 }, { 1280, A5_4 }, { 1280, A16_9 },  { 1600, A16_9 },
  };
  int width = CLAMP (info->width, MIN_ACTIVE, MAX_ACTIVE);
  int height = CLAMP (info->height, MIN_ACTIVE, MAX_ACTIVE);
  int refresh = CLAMP (info->refresh > 0 ? info->refresh : 60, 1, 240);
  int width_mm = info->width_mm > 0 ? MIN (info->width_mm, 4095) : width * 254 / 1000;
  int height_mm = info->height_mm > 0 ? MIN (info->height_mm, 4095) : height * 254 / 1000;
  g_autofree char *serial = g_strdup_printf ("%u", info->serial);
  uint8_t sum = 0;

  memset (edid, 0, VT_EDID_SIZE);
  memcpy (edid, header, sizeof header);
  /* 3.4.1: three letters of five bits, big-endian. */
  edid[8] = (uint8_t) (('V' - '@') << 2 | ('T' - '@') >> 3);
  edid[9] = (uint8_t) (('T' - '@') << 5 | ('R' - '@'));
  vt_st16 (edid + 10, 0x0001);
  vt_st32 (edid + 12, info->serial);
  edid[16] = 1;    /* Week and year (since 1990) of manufacture. */
  edid[17] = 2024 - 1990;
  edid[18] = 1;
  edid[19] = 4;
  edid[20] = 0xa5; /* 3.6.1: digital, 8 bits per colour, DisplayPort. */
  edid[21] = (uint8_t) MIN ((width_mm + 5) / 10, 255);
  edid[22] = (uint8_t) MIN ((height_mm + 5) / 10, 255);
  edid[23] = 120;  /* Gamma 2.20. */
  edid[24] = 0x07; /* sRGB; the preferred timing is the native one; any frequency in range. */
  memcpy (edid + 25, chroma, sizeof chroma);
  /* 3.8: 640x480, 800x600, 1024x768 at 60 Hz. */
  edid[35] = 0x21;
  edid[36] = 0x08;
  for (unsigned i = 0; i < 8; i++)
    vt_st16 (edid + 38 + 2 * i, standards[i].width <= MAX (width, 1280)
                                    ? standard (standards[i].width, standards[i].aspect)
                                    : STANDARD_NONE);
  put_timing (edid + 54, width, height, refresh, width_mm, height_mm);
  /* 3.10.3.3.1: range limits, of a monitor that follows whatever the window is. */
  edid[75] = 0xfd;
  edid[77] = 1;   /* Vertical 1 to 240 Hz. */
  edid[78] = 240;
  edid[79] = 1;   /* Horizontal 1 to 255 kHz. */
  edid[80] = 255;
  edid[81] = 66;  /* Clock up to 660 MHz. */
  edid[82] = 0x01; /* Range limits only. */
  edid[83] = '\n';
  memset (edid + 84, ' ', 6);
  put_string (edid + 90, 0xfc, info->name != NULL ? info->name : "Vitrine");
  put_string (edid + 108, 0xff, serial);
  edid[126] = 0; /* No extension blocks. */
  for (unsigned i = 0; i < 127; i++)
    sum = (uint8_t) (sum + edid[i]);
  edid[127] = (uint8_t) (0x100 - sum);
}
