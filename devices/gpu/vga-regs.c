/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The VGA's registers: ports, write protection, the palette, and where the beam is.
 *
 * Section numbers are those of the IBM PS/2 Hardware Interface Technical Reference's chapter "Video
 * Subsystem", whose registers have the same names.
 */
#include "vga-core.h"

/* Which bits of each register exist. */
static const uint8_t sr_bits[VT_VGA_N_SR] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff };
static const uint8_t gr_bits[VT_VGA_N_GR] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03,
                                              0x7b, 0x0f, 0x0f, 0xff };
static const uint8_t ar_bits[VT_VGA_N_AR] = { 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                              0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                              0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f };

#define MISC_COLOUR 0x01 /* The CRT controller is at 0x3Dx; otherwise at 0x3Bx. */

/* 0x3xA, input status 1. */
#define STATUS_NOT_DISPLAYING 0x01
#define STATUS_RETRACE 0x08

/* What stands for timings that no monitor would take, and for the VBE modes. */
#define DEFAULT_LINES 525
#define DEFAULT_FRAME_NS (VT_NS_PER_SEC / 60)
#define FRAME_NS_MIN (4 * VT_NS_PER_MS)
#define FRAME_NS_MAX (50 * VT_NS_PER_MS)

/* Whether the port answers: of the two CRT controller addresses only the chosen one. */
static bool
decoded (const VtVgaState *s, unsigned port)
{
  if (port >= 0x3c0 && port <= 0x3cf)
    return true;
  return (port >= 0x3d0) == ((s->misc & MISC_COLOUR) != 0);
}

/* Where the beam is, from the guest's clock: a guest that waits for the retrace sees it come once per
 * frame. */
static uint8_t
input_status_1 (const VtVgaCore *core)
{
  const VtVgaState *s = core->state;
  const uint8_t *cr = s->cr;
  int64_t now = vt_clock_now (core->clock);
  int64_t clock_hz = (s->misc >> 2 & 3) == 1 ? 28322000 : 25175000;
  int64_t dots = (s->sr[1] & 0x01) ? 8 : 9;
  int64_t total = cr[0x06] | (cr[0x07] & 0x01) << 8 | (cr[0x07] & 0x20) << 4;
  int64_t shown = cr[0x12] | (cr[0x07] & 0x02) << 7 | (cr[0x07] & 0x40) << 3;
  int64_t sync = cr[0x10] | (cr[0x07] & 0x04) << 6 | (cr[0x07] & 0x80) << 2;
  int64_t sync_lines = ((cr[0x11] & 15) - sync) & 15;
  int64_t columns = cr[0x00] + 5, shown_columns = cr[0x01] + 1;
  int64_t line_ns, frame_ns, line, column;
  uint8_t status = 0;

  if (s->sr[1] & 0x08)
    clock_hz /= 2;
  total += 2;
  shown += 1;
  line_ns = columns * dots * VT_NS_PER_SEC / clock_hz;
  frame_ns = line_ns * total;
  if (vt_dispi_enabled (&s->dispi) || frame_ns < FRAME_NS_MIN || frame_ns > FRAME_NS_MAX
      || sync >= total - 1)
    {
      total = DEFAULT_LINES;
      shown = 480;
      sync = 490;
      sync_lines = 2;
      columns = 100;
      shown_columns = 80;
      line_ns = DEFAULT_FRAME_NS / total;
      frame_ns = line_ns * total;
    }
  if (sync_lines == 0)
    sync_lines = 16;
  line = now % frame_ns / line_ns;
  column = now % line_ns * columns / line_ns;
  if (line >= shown || column >= shown_columns)
    status |= STATUS_NOT_DISPLAYING;
  if (line >= sync && line < sync + sync_lines)
    status |= STATUS_RETRACE;
  return status;
}

static uint8_t
dac_data_read (VtVgaState *s)
{
  uint8_t v = s->palette[s->dac_read * 3 + s->dac_component];

  if (++s->dac_component == 3)
    {
      s->dac_component = 0;
      s->dac_read++;
    }
  return v;
}

static void
dac_data_write (VtVgaCore *core, uint8_t value)
{
  VtVgaState *s = core->state;

  /* The DAC has six bits unless the VBE extension made it eight. */
  if (!(s->dispi.regs[VT_DISPI_ENABLE] & VT_DISPI_8BIT_DAC))
    value &= 0x3f;
  s->dac_cache[s->dac_component] = value;
  if (++s->dac_component == 3)
    {
      memcpy (&s->palette[s->dac_write * 3], s->dac_cache, 3);
      s->dac_component = 0;
      s->dac_write++;
      core->colours_stale = true;
    }
}

uint8_t
vt_vga_port_read (VtVgaCore *core, unsigned port)
{
  VtVgaState *s = core->state;

  if (!decoded (s, port))
    return 0xff;
  switch (port)
    {
    case 0x3c0:
      return s->ar_index;
    case 0x3c1:
      return (s->ar_index & 31) < VT_VGA_N_AR ? s->ar[s->ar_index & 31] : 0;
    case 0x3c2:
      return 0; /* No interrupt pending; sense bit as without a feature connector. */
    case 0x3c4:
      return s->sr_index;
    case 0x3c5:
      return s->sr_index < VT_VGA_N_SR ? s->sr[s->sr_index] : 0;
    case 0x3c6:
      return s->pel_mask;
    case 0x3c7:
      return s->dac_reading ? 3 : 0;
    case 0x3c8:
      return s->dac_write;
    case 0x3c9:
      return dac_data_read (s);
    case 0x3ca:
      return s->feature;
    case 0x3cc:
      return s->misc;
    case 0x3ce:
      return s->gr_index;
    case 0x3cf:
      return s->gr_index < VT_VGA_N_GR ? s->gr[s->gr_index] : 0;
    case 0x3b4:
    case 0x3d4:
      return s->cr_index;
    case 0x3b5:
    case 0x3d5:
      return s->cr_index < VT_VGA_N_CR ? s->cr[s->cr_index] : 0;
    case 0x3ba:
    case 0x3da:
      s->ar_data = 0;
      return input_status_1 (core);
    default:
      return 0xff;
    }
}

static void
attribute_write (VtVgaCore *core, uint8_t value)
{
  VtVgaState *s = core->state;

  if (!s->ar_data)
    s->ar_index = value & 0x3f;
  else if ((s->ar_index & 31) < VT_VGA_N_AR)
    {
      unsigned n = s->ar_index & 31;

      s->ar[n] = value & ar_bits[n];
      core->colours_stale = true;
    }
  s->ar_data ^= 1;
}

static void
crtc_write (VtVgaState *s, uint8_t value)
{
  unsigned n = s->cr_index;

  if (n >= VT_VGA_N_CR)
    return;
  /* CR11 bit 7 protects the horizontal and most of the vertical timing; bit 8 of the line compare is
   * not timing. */
  if (n <= 7 && s->cr[0x11] & 0x80)
    {
      if (n == 7)
        s->cr[7] = (uint8_t) ((s->cr[7] & ~0x10) | (value & 0x10));
      return;
    }
  s->cr[n] = value;
}

void
vt_vga_port_write (VtVgaCore *core, unsigned port, uint8_t value)
{
  VtVgaState *s = core->state;

  if (!decoded (s, port))
    return;
  switch (port)
    {
    case 0x3c0:
      attribute_write (core, value);
      break;
    case 0x3c2:
      s->misc = value & 0xef;
      vt_vga_window_changed (core);
      break;
    case 0x3c4:
      s->sr_index = value & 7;
      break;
    case 0x3c5:
      s->sr[s->sr_index] = value & sr_bits[s->sr_index];
      vt_vga_window_changed (core);
      break;
    case 0x3c6:
      s->pel_mask = value;
      core->colours_stale = true;
      break;
    case 0x3c7:
      s->dac_read = value;
      s->dac_component = 0;
      s->dac_reading = 1;
      break;
    case 0x3c8:
      s->dac_write = value;
      s->dac_component = 0;
      s->dac_reading = 0;
      break;
    case 0x3c9:
      dac_data_write (core, value);
      break;
    case 0x3ce:
      s->gr_index = value & 15;
      break;
    case 0x3cf:
      if (s->gr_index < VT_VGA_N_GR)
        {
          s->gr[s->gr_index] = value & gr_bits[s->gr_index];
          vt_vga_window_changed (core);
        }
      break;
    case 0x3b4:
    case 0x3d4:
      s->cr_index = value;
      break;
    case 0x3b5:
    case 0x3d5:
      crtc_write (s, value);
      break;
    case 0x3ba:
    case 0x3da:
      s->feature = value & 0x10;
      break;
    default:
      break;
    }
}

/* DISPI ------------------------------------------------------------------------------------------ */

/* What is in a mapped text page belongs to the time before the mode. */
static void
leave_text (VtVgaCore *core)
{
  if (core->mapped == VT_VGA_MAP_TEXT_COLOUR || core->mapped == VT_VGA_MAP_TEXT_MONO)
    vt_vga_window_unmap (core, true);
}

static void
dispi_written (VtVgaCore *core, bool wipe, uint64_t bytes)
{
  if (wipe)
    {
      memset (core->vram, 0, bytes);
      vt_ram_mark_dirty (core->ram, 0, bytes);
    }
  core->colours_stale = true;
  vt_vga_window_changed (core);
}

uint32_t
vt_vga_dispi_port_read (VtVgaCore *core, unsigned port, unsigned size)
{
  return vt_dispi_port_read (&core->state->dispi, port, size, core->vram_size);
}

void
vt_vga_dispi_port_write (VtVgaCore *core, unsigned port, unsigned size, uint32_t value)
{
  uint64_t bytes;
  bool wipe;

  if (port < 2)
    {
      /* The index, or half of a value: nothing happens yet. */
      vt_dispi_port_write (&core->state->dispi, port, size, value, core->vram_size, &bytes);
      return;
    }
  leave_text (core);
  wipe = vt_dispi_port_write (&core->state->dispi, port, size, value, core->vram_size, &bytes);
  dispi_written (core, wipe, bytes);
}

void
vt_vga_dispi_write (VtVgaCore *core, unsigned reg, uint16_t value)
{
  uint64_t bytes;
  bool wipe;

  leave_text (core);
  wipe = vt_dispi_write (&core->state->dispi, reg, value, core->vram_size, &bytes);
  dispi_written (core, wipe, bytes);
}
