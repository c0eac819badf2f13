/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The VGA core's life, and what its registers say is on the screen.
 */
#include "vga-core.h"

#include <sys/mman.h>

/* What is shown before the firmware has set a mode. */
#define BLANK_WIDTH 720
#define BLANK_HEIGHT 400

#define AR_SCREEN_ON 0x20 /* 0x3C0: the palette drives the screen, not the bus. */

static bool
check (const void *state, GError **error)
{
  const VtVgaState *s = state;

  /* Registers that index an array; the others are masked where they are used. */
  if (s->sr_index >= VT_VGA_N_SR || s->dac_component > 2)
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "A register of the display points outside its table");
  return true;
}

static const VtStateField fields[] = {
  VT_STATE (VtVgaState, latch),
  VT_STATE (VtVgaState, sr),
  VT_STATE (VtVgaState, gr),
  VT_STATE (VtVgaState, cr),
  VT_STATE (VtVgaState, ar),
  VT_STATE_MAX (VtVgaState, sr_index, VT_VGA_N_SR - 1),
  VT_STATE_MAX (VtVgaState, gr_index, 15),
  VT_STATE (VtVgaState, cr_index),
  VT_STATE_MAX (VtVgaState, ar_index, 0x3f),
  VT_STATE_MAX (VtVgaState, ar_data, 1),
  VT_STATE (VtVgaState, misc),
  VT_STATE (VtVgaState, feature),
  VT_STATE (VtVgaState, pel_mask),
  VT_STATE (VtVgaState, dac_read),
  VT_STATE (VtVgaState, dac_write),
  VT_STATE_MAX (VtVgaState, dac_component, 2),
  VT_STATE_MAX (VtVgaState, dac_reading, 1),
  VT_STATE (VtVgaState, dac_cache),
  VT_STATE (VtVgaState, palette),
  VT_STATE (VtVgaState, pad_),
  VT_STATE_STRUCT (VtVgaState, dispi, &vt_dispi_state),
};
const VtStateDesc vt_vga_core_state = VT_STATE_DESC (VtVgaState, 1, fields, check);

static void prepare_cb (void *data);
static void draw_cb (void *data);
static char *text_cb (void *data);
static void hint_cb (void *data, const VtConsoleHint *hint);

static const VtScreenOps screen_ops
    = { .prepare = prepare_cb, .draw = draw_cb, .text = text_cb, .hint = hint_cb };

bool
vt_vga_init (VtVgaCore *core, VtDevice *dev, VtVgaState *state, VtRam *ram, VtConsole *console,
             const VtRegionOps *window_ops, GError **error)
{
  core->state = state;
  core->ram = ram;
  core->vram = vt_ram_host (ram);
  core->vram_size = vt_ram_size (ram);
  core->clock = dev->clock;
  for (unsigned v = 0; v < 256; v++)
    for (unsigned bit = 0; bit < 8; bit++)
      if (v & 0x80u >> bit)
        ((uint8_t *) &core->spread[v])[bit] = 1;
  if (core->monitor.width == 0)
    {
      core->monitor.width = 1280;
      core->monitor.height = 800;
    }
  vt_edid_build (&core->monitor, core->edid);
  if (!vt_vga_window_init (core, dev, window_ops, error))
    return false;
  vt_screen_init (&core->screen, console, dev->context, ram, &screen_ops, core);
  return true;
}

void
vt_vga_finish (VtVgaCore *core)
{
  vt_screen_finish (&core->screen);
  vt_vga_window_finish (core);
  g_clear_pointer (&core->cells, g_free);
}

void
vt_vga_reset (VtVgaCore *core, VtResetKind kind)
{
  vt_vga_window_unmap (core, kind != VT_RESET_COLD);
  memset (core->state, 0, sizeof *core->state);
  vt_dispi_reset (&core->state->dispi);
  if (kind == VT_RESET_COLD)
    {
      /* Power on: memory is empty, and given back to the host. */
      if (madvise (core->vram, core->vram_size, MADV_REMOVE) < 0)
        memset (core->vram, 0, core->vram_size);
    }
  core->colours_stale = true;
  vt_vga_window_changed (core);
  vt_screen_redraw (&core->screen);
}

void
vt_vga_loaded (VtVgaCore *core)
{
  /* Memory is loaded too: what a mapped page holds is the past's. */
  vt_vga_window_unmap (core, false);
  core->colours_stale = true;
  vt_vga_window_changed (core);
  vt_screen_redraw (&core->screen);
}

void
vt_vga_pause (VtVgaCore *core)
{
  vt_vga_window_unmap (core, true);
}

static void
hint_cb (void *data, const VtConsoleHint *hint)
{
  VtVgaCore *core = data;

  if (hint->width > 0 && hint->height > 0)
    {
      core->monitor.width = hint->width;
      core->monitor.height = hint->height;
      core->monitor.width_mm = hint->width_mm;
      core->monitor.height_mm = hint->height_mm;
    }
  vt_edid_build (&core->monitor, core->edid);
}

/* What is shown ---------------------------------------------------------------------------------- */

/* Bochs VBE's sixteen colours: planes without the CRT controller. */
static void
view_vbe_planar (VtVgaView *view)
{
  view->kind = VT_VGA_PLANAR;
  view->width = view->linear.width;
  view->height = MAX (view->linear.rows, 1);
  view->columns = view->width / 8;
  view->cell_width = 8;
  view->row_lines = 1;
  view->pitch = (uint32_t) view->linear.stride / 4;
  view->line_compare = G_MAXINT;
  view->addressing = VT_VGA_FLAT;
  view->keep_13 = view->keep_14 = 1;
}

static int
text_pan (int pan, int cell_width)
{
  /* Nine dots: 8 means none, 0 means one. */
  if (cell_width == 9)
    return pan < 8 ? pan + 1 : 0;
  return pan & 7;
}

void
vt_vga_view (const VtVgaCore *core, VtVgaView *view)
{
  const VtVgaState *s = core->state;
  const uint8_t *cr = s->cr;
  bool graphics = (s->gr[6] & 1) != 0;
  int shift = s->gr[5] >> 5 & 3;

  memset (view, 0, sizeof *view);
  if (!(s->ar_index & AR_SCREEN_ON) || s->sr[1] & 0x20)
    return;
  if (vt_dispi_mode (&s->dispi, core->vram_size, &view->linear))
    {
      if (view->linear.bits == 4)
        view_vbe_planar (view);
      else
        view->kind = VT_VGA_LINEAR;
      return;
    }

  view->columns = cr[0x01] + 1;
  view->height = (cr[0x12] | (cr[0x07] & 0x02) << 7 | (cr[0x07] & 0x40) << 3) + 1;
  view->line_compare = cr[0x18] | (cr[0x07] & 0x10) << 4 | (cr[0x09] & 0x40) << 3;
  view->row_lines = (cr[0x09] & 0x1f) + 1;
  view->double_scan = cr[0x09] >> 7;
  view->preset_row = cr[0x08] & 0x1f;
  view->pitch = cr[0x13] * 2u;
  view->pan_in_split = (s->ar[0x10] & 0x20) == 0;
  view->addressing = cr[0x14] & 0x40   ? VT_VGA_DWORD
                     : cr[0x17] & 0x40 ? VT_VGA_BYTE
                                       : VT_VGA_WORD;
  view->wrap_15 = cr[0x17] >> 5 & 1;
  view->keep_13 = cr[0x17] & 1;
  view->keep_14 = cr[0x17] >> 1 & 1;
  view->double_dots = s->sr[1] >> 3 & 1;
  view->cell_width = graphics || s->sr[1] & 1 ? 8 : 9;
  view->width = view->columns * view->cell_width << view->double_dots;

  if (!graphics)
    {
      /* SR3: five bits of two fields; SR4 bit 1 gives access to more than the first map. */
      unsigned a = (s->sr[3] >> 2 & 3) | (s->sr[3] >> 5 & 1) << 2;
      unsigned b = (s->sr[3] & 3) | (s->sr[3] >> 4 & 1) << 2;

      view->kind = VT_VGA_TEXT;
      view->pan = text_pan (s->ar[0x13] & 15, view->cell_width);
      if (s->sr[4] & 2)
        {
          view->font[0] = (b & 3) * 0x4000 + (b >> 2) * 0x2000;
          view->font[1] = (a & 3) * 0x4000 + (a >> 2) * 0x2000;
        }
      view->blink = s->ar[0x10] >> 3 & 1;
      view->line_graphics = s->ar[0x10] >> 2 & 1;
      view->underline = cr[0x14] & 0x1f;
    }
  else if (shift >= 2)
    {
      view->kind = VT_VGA_BYTES;
      view->nibbles = (s->ar[0x10] & 0x40) == 0;
      view->pan = s->ar[0x13] & (view->nibbles ? 7 : 6);
    }
  else
    {
      view->kind = shift == 1 ? VT_VGA_INTERLEAVE : VT_VGA_PLANAR;
      view->pan = s->ar[0x13] & 7;
    }
}

void
vt_vga_moment (const VtVgaCore *core, const VtVgaView *view, VtVgaMoment *moment)
{
  const uint8_t *cr = core->state->cr;
  /* Frames since power-on, as far as blinking goes: the cursor has 8 on and 8 off, text 16 each. */
  int64_t frames = vt_clock_now (core->clock) * 60 / VT_NS_PER_SEC;

  memset (moment, 0, sizeof *moment);
  if (view->kind == VT_VGA_BLANK || view->kind == VT_VGA_LINEAR)
    return;
  if (view->addressing == VT_VGA_FLAT)
    {
      moment->start = (uint32_t) (view->linear.offset / 4);
      return;
    }
  moment->start = (uint32_t) (cr[0x0c] << 8 | cr[0x0d]) + (cr[0x08] >> 5 & 3);
  moment->cursor = UINT32_MAX;
  if (view->kind != VT_VGA_TEXT)
    return;
  moment->blink_off = view->blink && frames & 16;
  if (!(cr[0x0a] & 0x20) && (cr[0x0a] & 0x1f) <= (cr[0x0b] & 0x1f) && !(frames & 8))
    {
      moment->cursor = ((uint32_t) (cr[0x0e] << 8 | cr[0x0f]) + (cr[0x0b] >> 5 & 3)) & 0xffff;
      moment->cursor_first = cr[0x0a] & 0x1f;
      moment->cursor_last = cr[0x0b] & 0x1f;
    }
}

uint64_t
vt_vga_address (const VtVgaCore *core, const VtVgaView *view, uint32_t counter, int scan)
{
  uint32_t at = counter;

  switch (view->addressing)
    {
    case VT_VGA_FLAT:
      return (uint64_t) counter * 4 & (core->vram_size - 1);
    case VT_VGA_BYTE:
      break;
    case VT_VGA_WORD:
      at = counter << 1 | (counter >> (view->wrap_15 ? 15 : 13) & 1);
      break;
    default:
      at = counter << 2;
      break;
    }
  /* CR17 bits 0 and 1: the row scan counter takes the place of two address bits (CGA, Hercules). */
  if (!view->keep_13)
    at = (at & ~0x2000u) | (uint32_t) (scan & 1) << 13;
  if (!view->keep_14)
    at = (at & ~0x4000u) | (uint32_t) (scan >> 1 & 1) << 14;
  at &= VT_VGA_PLANE_SIZE - 1;
  /* Chain-4 memory is kept linear, so the address of its four bytes is the counter again. */
  if (view->addressing == VT_VGA_DWORD)
    at >>= 2;
  return (uint64_t) at * 4;
}

/* Returns: whether any colour is another one. */
static bool
update_colours (VtVgaCore *core)
{
  const VtVgaState *s = core->state;
  uint32_t colours[256], attributes[16];
  bool eight = (s->dispi.regs[VT_DISPI_ENABLE] & VT_DISPI_8BIT_DAC) != 0;
  bool changed;

  if (!core->colours_stale)
    return false;
  core->colours_stale = false;
  for (unsigned i = 0; i < 256; i++)
    {
      const uint8_t *p = &s->palette[(i & s->pel_mask) * 3];
      uint32_t rgb = 0;

      for (unsigned c = 0; c < 3; c++)
        rgb = rgb << 8 | (eight ? p[c] : (uint32_t) ((p[c] & 0x3f) << 2 | (p[c] & 0x3f) >> 4));
      colours[i] = rgb;
    }
  for (unsigned i = 0; i < 16; i++)
    {
      /* AR12 gates the planes; AR14 supplies the bits that a palette register lacks. */
      unsigned index = s->ar[i & s->ar[0x12]] & 0x3f;

      if (s->ar[0x10] & 0x80)
        index = (index & 15) | (s->ar[0x14] & 3u) << 4;
      index |= (s->ar[0x14] >> 2 & 3u) << 6;
      attributes[i] = colours[index];
    }
  changed = memcmp (colours, core->colours, sizeof colours) != 0
            || memcmp (attributes, core->attributes, sizeof attributes) != 0;
  memcpy (core->colours, colours, sizeof colours);
  memcpy (core->attributes, attributes, sizeof attributes);
  return changed;
}

static void
draw_blank (VtVgaCore *core, bool redraw)
{
  VtScreen *screen = &core->screen;
  const VtSurface *surface = screen->surface;
  g_autofree uint32_t *line = NULL;

  /* A screen that is dark for a moment keeps its size. */
  if (!vt_screen_size (screen, surface != NULL ? surface->width : BLANK_WIDTH,
                       surface != NULL ? surface->height : BLANK_HEIGHT))
    return;
  if (!redraw && !screen->full)
    return;
  line = g_new0 (uint32_t, (size_t) screen->surface->width);
  for (int y = 0; y < screen->surface->height; y++)
    vt_screen_line (screen, y, line);
}

static void
prepare_cb (void *data)
{
  vt_vga_window_sync (data);
}

static void
draw_cb (void *data)
{
  VtVgaCore *core = data;
  VtScreen *screen = &core->screen;
  VtVgaView view;
  VtVgaMoment moment;
  bool redraw, moved;

  vt_vga_view (core, &view);
  vt_vga_moment (core, &view, &moment);
  redraw = update_colours (core);
  redraw |= memcmp (&view, &core->view, sizeof view) != 0;
  moved = memcmp (&moment, &core->moment, sizeof moment) != 0;
  core->view = view;
  core->moment = moment;

  switch (view.kind)
    {
    case VT_VGA_BLANK:
      draw_blank (core, redraw);
      break;
    case VT_VGA_LINEAR:
      vt_linear_draw (screen, &view.linear, core->colours, redraw);
      break;
    case VT_VGA_TEXT:
      if (!vt_screen_size (screen, view.width, view.height))
        break;
      redraw |= screen->full;
      if (redraw || moved || screen->any_dirty)
        vt_vga_draw_text (core, &view, &moment, redraw);
      break;
    default:
      if (!vt_screen_size (screen, view.width, view.height))
        break;
      redraw |= screen->full || moved;
      if (redraw || screen->any_dirty)
        vt_vga_draw_graphics (core, &view, &moment, redraw);
      break;
    }
}

static char *
text_cb (void *data)
{
  VtVgaCore *core = data;

  vt_vga_window_sync (core);
  return vt_vga_text (core);
}
