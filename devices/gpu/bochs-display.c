/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A display that has nothing but a linear frame buffer: no VGA ports, no legacy window, no option
 * ROM. UEFI firmware and bochs-drm drive it. 15 bits and more only, because there is no palette.
 *
 * BAR 0: the frame buffer. BAR 2, 4 KiB: 0x000 the monitor's EDID, 0x500 the DISPI registers, 0x600
 * the byte order.
 */
#include "bochs-display.h"

#define REGISTERS_SIZE 0x1000
#define VRAM_MIB 16
#define VRAM_MIB_MAX 256

#define BLANK_WIDTH 640
#define BLANK_HEIGHT 480

static uint64_t
registers_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtBochsDisplay *display = (VtBochsDisplay *) dev;
  const VtDispiState *dispi = &display->state.dispi;
  uint64_t vram = vt_ram_size (display->vram);

  if (offset < VT_EDID_SIZE)
    return vt_ld (display->edid + offset, size);
  if (offset >= VT_DISPI_MMIO && offset < VT_DISPI_MMIO + 2 * (VT_DISPI_N_REGS + 1))
    {
      unsigned reg = (unsigned) (offset - VT_DISPI_MMIO) / 2;
      uint64_t value = vt_dispi_read (dispi, reg, vram)
                       | (uint64_t) vt_dispi_read (dispi, reg + 1, vram) << 16;

      return value >> (8 * (offset & 1));
    }
  if (offset >= VT_DISPI_MMIO_EXTENDED && offset < VT_DISPI_MMIO_EXTENDED + 8)
    return vt_dispi_extended_read (dispi, (unsigned) (offset - VT_DISPI_MMIO_EXTENDED) & ~3u)
           >> (8 * (offset & 3));
  return vt_ones (size);
}

static void
registers_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtBochsDisplay *display = (VtBochsDisplay *) dev;
  VtDispiState *dispi = &display->state.dispi;

  if (offset >= VT_DISPI_MMIO && offset < VT_DISPI_MMIO + 2 * (VT_DISPI_N_REGS + 1) && size >= 2)
    for (unsigned i = 0; i < size; i += 2)
      {
        uint64_t bytes;

        if (vt_dispi_write (dispi, (unsigned) (offset - VT_DISPI_MMIO + i) / 2,
                            (uint16_t) (value >> (8 * i)), vt_ram_size (display->vram), &bytes))
          {
            memset (vt_ram_host (display->vram), 0, bytes);
            vt_ram_mark_dirty (display->vram, 0, bytes);
          }
      }
  else if (offset >= VT_DISPI_MMIO_EXTENDED && size == 4)
    vt_dispi_extended_write (dispi, (unsigned) (offset - VT_DISPI_MMIO_EXTENDED),
                             (uint32_t) value);
}

static const VtRegionOps registers_ops
    = { "bochs-display", 1, 4, registers_read, registers_write };

static void
draw_cb (void *data)
{
  VtBochsDisplay *display = data;
  VtScreen *screen = &display->screen;
  VtLinearMode mode;
  bool redraw;

  if (!vt_dispi_mode (&display->state.dispi, vt_ram_size (display->vram), &mode) || mode.bits < 15)
    {
      g_autofree uint32_t *line = NULL;

      mode = (VtLinearMode){ .width = BLANK_WIDTH, .height = BLANK_HEIGHT };
      if (!vt_screen_size (screen, mode.width, mode.height))
        return;
      if (screen->full || memcmp (&mode, &display->mode, sizeof mode) != 0)
        {
          line = g_new0 (uint32_t, BLANK_WIDTH);
          for (int y = 0; y < BLANK_HEIGHT; y++)
            vt_screen_line (screen, y, line);
        }
      display->mode = mode;
      return;
    }
  redraw = memcmp (&mode, &display->mode, sizeof mode) != 0;
  display->mode = mode;
  vt_linear_draw (screen, &mode, NULL, redraw);
}

static void
hint_cb (void *data, const VtConsoleHint *hint)
{
  VtBochsDisplay *display = data;

  if (hint->width > 0 && hint->height > 0)
    {
      display->monitor.width = hint->width;
      display->monitor.height = hint->height;
      display->monitor.width_mm = hint->width_mm;
      display->monitor.height_mm = hint->height_mm;
    }
  vt_edid_build (&display->monitor, display->edid);
}

static const VtScreenOps screen_ops = { .draw = draw_cb, .hint = hint_cb };

static bool
realize (VtDevice *dev, GError **error)
{
  static const VtPciInfo info = {
    .vendor = 0x1234,
    .device = 0x1111,
    .revision = 2,
    .class_code = 0x038000,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .express = true,
  };
  VtBochsDisplay *display = (VtBochsDisplay *) dev;
  g_autofree char *name = g_strdup_printf ("%s.vram", dev->path);
  uint64_t mib = display->vram_mib != 0 ? display->vram_mib : VRAM_MIB;

  if (mib > VRAM_MIB_MAX || (mib & (mib - 1)) != 0)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "Video memory of %" G_GUINT64_FORMAT
                         " MiB is not possible; choose a power of two from 1 to 256",
                         mib);
  vt_pci_function_init (&display->fn, &display->state.pci, &info);
  display->vram = vt_ram_new (name, mib * VT_MIB, error);
  if (display->vram == NULL)
    return false;
  if (display->monitor.width == 0)
    {
      display->monitor.width = 1280;
      display->monitor.height = 800;
    }
  vt_edid_build (&display->monitor, display->edid);
  display->frame_buffer
      = vt_device_add_ram_region (dev, display->vram, 0, mib * VT_MIB, VT_RAM_RW, NULL);
  display->registers
      = vt_device_add_region (dev, VT_SPACE_MEMORY, &registers_ops, REGISTERS_SIZE);
  vt_pci_add_bar (&display->fn, 0, display->frame_buffer, VT_PCI_BAR_32 | VT_PCI_BAR_PREFETCH);
  vt_pci_add_bar (&display->fn, 2, display->registers, VT_PCI_BAR_32);
  vt_screen_init (&display->screen, display->console, dev->context, display->vram, &screen_ops,
                  display);
  return true;
}

static void
unrealize (VtDevice *dev)
{
  VtBochsDisplay *display = (VtBochsDisplay *) dev;

  vt_screen_finish (&display->screen);
  vt_pci_function_finish (&display->fn);
  vt_ram_free (display->vram);
}

static void
reset (VtDevice *dev, VtResetKind kind)
{
  VtBochsDisplay *display = (VtBochsDisplay *) dev;

  vt_pci_function_reset (&display->fn, kind);
  vt_dispi_reset (&display->state.dispi);
  vt_screen_redraw (&display->screen);
}

static void
loaded (VtDevice *dev)
{
  VtBochsDisplay *display = (VtBochsDisplay *) dev;

  vt_pci_function_loaded (&display->fn);
  vt_screen_redraw (&display->screen);
}

static const VtStateField fields[] = {
  VT_STATE_STRUCT (VtBochsDisplayState, pci, &vt_pci_state),
  VT_STATE_STRUCT (VtBochsDisplayState, dispi, &vt_dispi_state),
};
static const VtStateDesc state = VT_STATE_DESC (VtBochsDisplayState, 1, fields, NULL);

const VtDeviceClass vt_bochs_display_class = {
  .id = "bochs-display",
  .spec = "Bochs VBE display interface 0xB0C5; QEMU bochs-display's memory BAR; VESA EDID 1.4",
  .size = sizeof (VtBochsDisplay),
  .state_offset = offsetof (VtBochsDisplay, state),
  .state = &state,
  .flags = VT_DEVICE_PCI,
  .realize = realize,
  .unrealize = unrealize,
  .reset = reset,
  .loaded = loaded,
};
