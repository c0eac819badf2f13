/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The VGA card: the core on a PCI function, as the stock option ROM vgabios-stdvga and the drivers
 * bochs-drm, QemuVideoDxe and every VGA driver know it.
 *
 * BAR 0: the frame buffer. BAR 2, 4 KiB: 0x000 the monitor's EDID, 0x400 ports 0x3C0 to 0x3DF, 0x500
 * the DISPI registers, 0x600 the byte order. The legacy ports and window are always decoded: a card
 * whose firmware has not run yet answers them as real ones do after their own initialisation.
 */
#include "vga.h"

#define VENDOR 0x1234
#define DEVICE 0x1111
#define SUBSYSTEM_VENDOR 0x1af4
#define SUBSYSTEM 0x1100

#define REGISTERS_SIZE 0x1000
#define MMIO_PORTS 0x400
#define MMIO_PORTS_SIZE 0x20

#define VRAM_MIB 16
#define VRAM_MIB_MAX 256
#define ROM_MAX (16 * VT_MIB)

static VtVgaCore *
core_of (VtDevice *dev)
{
  return &((VtVgaCard *) dev)->core;
}

static uint64_t
window_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return vt_vga_window_read (core_of (dev), offset, size);
}

static void
window_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_vga_window_write (core_of (dev), offset, size, value);
}

static const VtRegionOps window_ops = { "vga-window", 1, 8, window_read, window_write };

static uint64_t
crtc_mono_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return vt_vga_port_read (core_of (dev), 0x3b4 + (unsigned) offset);
}

static void
crtc_mono_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_vga_port_write (core_of (dev), 0x3b4 + (unsigned) offset, (uint8_t) value);
}

static uint64_t
ports_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return vt_vga_port_read (core_of (dev), 0x3c0 + (unsigned) offset);
}

static void
ports_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_vga_port_write (core_of (dev), 0x3c0 + (unsigned) offset, (uint8_t) value);
}

static uint64_t
dispi_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return vt_vga_dispi_port_read (core_of (dev), (unsigned) offset, size);
}

static void
dispi_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_vga_dispi_port_write (core_of (dev), (unsigned) offset, size, (uint32_t) value);
}

/* Ports are bytes: the core splits a word write, low byte (the index) first, as the bus does. */
static const VtRegionOps crtc_mono_ops = { "vga-mono", 1, 1, crtc_mono_read, crtc_mono_write };
static const VtRegionOps ports_ops = { "vga", 1, 1, ports_read, ports_write };
static const VtRegionOps dispi_ops = { "dispi", 1, 2, dispi_read, dispi_write };

static uint64_t
registers_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtVgaCore *core = core_of (dev);
  uint64_t value = 0;

  if (offset < VT_EDID_SIZE)
    return vt_ld (core->edid + offset, size);
  if (offset >= MMIO_PORTS && offset < MMIO_PORTS + MMIO_PORTS_SIZE)
    {
      for (unsigned i = 0; i < size; i++)
        value |= (uint64_t) vt_vga_port_read (core, 0x3c0 + (unsigned) offset - MMIO_PORTS + i)
                 << (8 * i);
      return value;
    }
  if (offset >= VT_DISPI_MMIO && offset < VT_DISPI_MMIO + 2 * (VT_DISPI_N_REGS + 1))
    {
      unsigned reg = (unsigned) (offset - VT_DISPI_MMIO) / 2;

      value = vt_dispi_read (&core->state->dispi, reg, core->vram_size)
              | (uint64_t) vt_dispi_read (&core->state->dispi, reg + 1, core->vram_size) << 16;
      return value >> (8 * (offset & 1));
    }
  if (offset >= VT_DISPI_MMIO_EXTENDED && offset < VT_DISPI_MMIO_EXTENDED + 8)
    return vt_dispi_extended_read (&core->state->dispi,
                                   (unsigned) (offset - VT_DISPI_MMIO_EXTENDED) & ~3u)
           >> (8 * (offset & 3));
  return vt_ones (size);
}

static void
registers_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtVgaCore *core = core_of (dev);

  if (offset >= MMIO_PORTS && offset < MMIO_PORTS + MMIO_PORTS_SIZE)
    for (unsigned i = 0; i < size; i++)
      vt_vga_port_write (core, 0x3c0 + (unsigned) offset - MMIO_PORTS + i,
                         (uint8_t) (value >> (8 * i)));
  else if (offset >= VT_DISPI_MMIO && offset < VT_DISPI_MMIO + 2 * (VT_DISPI_N_REGS + 1)
           && size >= 2)
    for (unsigned i = 0; i < size; i += 2)
      vt_vga_dispi_write (core, (unsigned) (offset - VT_DISPI_MMIO + i) / 2,
                          (uint16_t) (value >> (8 * i)));
  else if (offset >= VT_DISPI_MMIO_EXTENDED && size == 4)
    vt_dispi_extended_write (&core->state->dispi, (unsigned) (offset - VT_DISPI_MMIO_EXTENDED),
                             (uint32_t) value);
}

static const VtRegionOps registers_ops
    = { "vga-registers", 1, 4, registers_read, registers_write };

static bool
make_rom (VtVgaCard *card, GError **error)
{
  VtDevice *dev = &card->fn.base;
  g_autofree char *name = g_strdup_printf ("%s.rom", dev->path);
  gsize len;
  const void *image = g_bytes_get_data (card->rom, &len);
  uint64_t size = 4096;

  if (len == 0 || len > ROM_MAX)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The display's option ROM has %" G_GSIZE_FORMAT
                         " bytes; it must have some, and 16 MiB at most",
                         len);
  while (size < len)
    size *= 2;
  card->rom_ram = vt_ram_new (name, size, error);
  if (card->rom_ram == NULL)
    return false;
  memcpy (vt_ram_host (card->rom_ram), image, len);
  card->rom_region = vt_device_add_ram_region (dev, card->rom_ram, 0, size, VT_RAM_ROM, NULL);
  vt_pci_add_rom (&card->fn, card->rom_region);
  return true;
}

static bool
realize (VtDevice *dev, GError **error)
{
  static const VtPciInfo info = {
    .vendor = VENDOR,
    .device = DEVICE,
    .revision = 2,
    .class_code = 0x030000,
    .subsystem_vendor = SUBSYSTEM_VENDOR,
    .subsystem = SUBSYSTEM,
  };
  VtVgaCard *card = (VtVgaCard *) dev;
  g_autofree char *name = g_strdup_printf ("%s.vram", dev->path);
  uint64_t mib = card->vram_mib != 0 ? card->vram_mib : VRAM_MIB;

  if (card->rom != NULL)
    g_bytes_ref (card->rom);
  if (mib > VRAM_MIB_MAX || (mib & (mib - 1)) != 0)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "Video memory of %" G_GUINT64_FORMAT
                         " MiB is not possible; choose a power of two from 1 to 256",
                         mib);
  vt_pci_function_init (&card->fn, &card->state.pci, &info);
  card->vram = vt_ram_new (name, mib * VT_MIB, error);
  if (card->vram == NULL
      || !vt_vga_init (&card->core, dev, &card->state.vga, card->vram, card->console, &window_ops,
                       error))
    return false;

  /* 0x3B4 to 0x3BB: the printer port at 0x3BC is somebody else's. */
  card->ports[0] = vt_device_add_region (dev, VT_SPACE_IO, &crtc_mono_ops, 8);
  card->ports[1] = vt_device_add_region (dev, VT_SPACE_IO, &ports_ops, 0x20);
  card->ports[2] = vt_device_add_region (dev, VT_SPACE_IO, &dispi_ops, 4);
  vt_region_map (card->ports[0], 0x3b4, 0);
  vt_region_map (card->ports[1], 0x3c0, 0);
  vt_region_map (card->ports[2], 0x1ce, 0);

  card->frame_buffer
      = vt_device_add_ram_region (dev, card->vram, 0, mib * VT_MIB, VT_RAM_RW, NULL);
  card->registers
      = vt_device_add_region (dev, VT_SPACE_MEMORY, &registers_ops, REGISTERS_SIZE);
  vt_pci_add_bar (&card->fn, 0, card->frame_buffer, VT_PCI_BAR_32 | VT_PCI_BAR_PREFETCH);
  vt_pci_add_bar (&card->fn, 2, card->registers, VT_PCI_BAR_32);
  return card->rom == NULL || make_rom (card, error);
}

static void
unrealize (VtDevice *dev)
{
  VtVgaCard *card = (VtVgaCard *) dev;

  vt_vga_finish (&card->core);
  vt_pci_function_finish (&card->fn);
  vt_ram_free (card->vram);
  vt_ram_free (card->rom_ram);
  g_clear_pointer (&card->rom, g_bytes_unref);
}

static void
reset (VtDevice *dev, VtResetKind kind)
{
  VtVgaCard *card = (VtVgaCard *) dev;

  vt_pci_function_reset (&card->fn, kind);
  vt_vga_reset (&card->core, kind);
}

static void
pause_device (VtDevice *dev)
{
  vt_vga_pause (core_of (dev));
  vt_device_paused (dev);
}

static void
loaded (VtDevice *dev)
{
  VtVgaCard *card = (VtVgaCard *) dev;

  vt_pci_function_loaded (&card->fn);
  vt_vga_loaded (&card->core);
}

static const VtStateField fields[] = {
  VT_STATE_STRUCT (VtVgaCardState, pci, &vt_pci_state),
  VT_STATE_STRUCT (VtVgaCardState, vga, &vt_vga_core_state),
};
static const VtStateDesc state = VT_STATE_DESC (VtVgaCardState, 1, fields, NULL);

const VtDeviceClass vt_vga_class = {
  .id = "vga",
  .spec = "IBM PS/2 Hardware Interface Technical Reference (1992), Video Subsystem; Bochs VBE "
          "display interface 0xB0C5; QEMU standard VGA's memory BAR; VESA EDID 1.4",
  .size = sizeof (VtVgaCard),
  .state_offset = offsetof (VtVgaCard, state),
  .state = &state,
  .flags = VT_DEVICE_PCI,
  .realize = realize,
  .unrealize = unrealize,
  .reset = reset,
  .pause = pause_device,
  .loaded = loaded,
};
