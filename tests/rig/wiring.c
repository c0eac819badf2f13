/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a rig connects each class that has wires or back ends: as a board does, with small things in
 * memory. A class without an entry has nothing to connect.
 */
#include "rig.h"

#include "gpu/bochs-display.h"
#include "gpu/vga.h"
#include "pci/ich9-lpc.h"
#include "pci/ich9-smbus.h"
#include "pci/pcie-root-port.h"
#include "pci/q35-host.h"
#include "platform/apic-bus.h"
#include "platform/bios-rom.h"
#include "platform/debug-exit.h"
#include "platform/debug-port.h"
#include "platform/fw-cfg.h"
#include "platform/hpet.h"
#include "platform/i8042.h"
#include "platform/i8254.h"
#include "platform/i8259.h"
#include "platform/ioapic.h"
#include "platform/mc146818.h"
#include "platform/pflash.h"
#include "platform/port92.h"
#include "platform/serial-16550.h"
#include "storage/ahci.h"

#define SECTOR 2048

/* Storage ------------------------------------------------------------------------------------ */

/* What a guest looks at first on a disc: ECMA-119 §8.4, the primary volume descriptor in sector 16,
 * and the set terminator after it. */
static VtBlock *
new_disc (size_t sectors)
{
  g_autofree uint8_t *bytes = g_malloc0 (sectors * SECTOR);

  for (size_t i = 0; i < sectors; i++)
    vt_st32 (bytes + i * SECTOR, (uint32_t) i);
  memcpy (bytes + 16 * SECTOR, "\1CD001\1", 7);
  vt_st32 (bytes + 16 * SECTOR + 80, (uint32_t) sectors);
  vt_st16 (bytes + 16 * SECTOR + 128, SECTOR);
  memcpy (bytes + 17 * SECTOR, "\377CD001\1", 7);
  return vt_block_new_memory (bytes, sectors * SECTOR, true);
}

/* A person at the drive: takes the disc out, or puts in a small or a large one. */
static void
ahci_event (VtRig *rig, unsigned kind, uint32_t value)
{
  unsigned port = 2 + value % 2;
  VtBlock *disc = (kind & 3) == 0 ? NULL : new_disc ((kind & 3) == 1 ? 20 : 40);

  vt_context_lock (rig->context);
  if (!vt_ahci_change_medium (rig->dev, port, disc, (kind & 4) != 0, NULL))
    vt_block_close (disc);
  vt_context_unlock (rig->context);
}

/* The device closes its blocks. */
static void
wire_ahci (VtRig *rig)
{
  VtAhci             *hba = VT_CONTAINER (rig->dev, VtAhci, fn.base);
  g_autofree uint8_t *bytes = g_malloc0 (64 * VT_KIB);

  for (unsigned i = 0; i < 64 * VT_KIB; i += 512)
    vt_st32 (bytes + i, i / 512);
  hba->wiring[0].kind = VT_AHCI_DISK;
  hba->wiring[0].block = vt_block_new_memory (bytes, 64 * VT_KIB, false);
  hba->wiring[1].kind = VT_AHCI_DISK;
  hba->wiring[1].block = vt_block_new_memory (bytes, 16 * VT_KIB, true);
  hba->wiring[1].serial = "RIG-1";
  hba->wiring[1].model = "a read-only disk";
  hba->wiring[2].kind = VT_AHCI_CD;
  hba->wiring[2].block = new_disc (32);
  hba->wiring[3].kind = VT_AHCI_CD;
  rig->event = ahci_event;
}

/* Displays ----------------------------------------------------------------------------------- */

static VtConsole *
rig_console (VtRig *rig)
{
  static const VtViewerOps ops = { NULL };

  rig->console = vt_console_new ("rig");
  rig->viewer = vt_viewer_new (rig->console, &ops, NULL, true);
  return rig->console;
}

/* The viewer's window takes another size; somebody makes a screenshot or reads the text. */
static void
display_event (VtRig *rig, unsigned kind, uint32_t value)
{
  VtConsoleHint hint = { .width = (int) (value & 0xfff), .height = (int) (value >> 12 & 0xfff) };

  switch (kind & 3)
    {
    case 0:
      vt_console_hint (rig->console, &hint);
      break;
    case 1:
      vt_surface_unref (vt_console_snapshot (rig->console));
      break;
    case 2:
      g_free (vt_console_text (rig->console));
      break;
    default:
      vt_rig_look (rig);
      break;
    }
}

static void
wire_vga (VtRig *rig)
{
  VtVgaCard *card = VT_CONTAINER (rig->dev, VtVgaCard, fn.base);
  GBytes    *rom = g_bytes_new_static ("\x55\xaa\x01", 3);

  card->console = rig_console (rig);
  card->vram_mib = 1;
  card->rom = rom;
  vt_rig_defer (rig, (GDestroyNotify) g_bytes_unref, rom);
  rig->event = display_event;
}

static void
wire_bochs_display (VtRig *rig)
{
  VtBochsDisplay *card = VT_CONTAINER (rig->dev, VtBochsDisplay, fn.base);

  card->console = rig_console (rig);
  card->vram_mib = 1;
  rig->event = display_event;
}

/* The chipset -------------------------------------------------------------------------------- */

/* Something to find on the bus beside, or behind, the device. */
static void
add_neighbour (VtRig *rig, const VtDeviceClass *klass, VtPciBus *bus, uint8_t devfn)
{
  const VtDeviceEnv env = { .context = rig->context, .clock = rig->clock, .space = rig->space };
  VtDevice         *dev = vt_device_new (klass, "neighbour", &env);
  VtPciFunction    *fn = (VtPciFunction *) dev;

  fn->bus = bus;
  fn->devfn = devfn;
  if (!vt_device_realize (dev, NULL))
    g_assert_not_reached ();
  vt_device_resume (dev);
  g_ptr_array_add (rig->neighbours, dev);
}

static void
wire_q35_host (VtRig *rig)
{
  VtQ35Host *host = VT_CONTAINER (rig->dev, VtQ35Host, fn.base);

  host->msi = &rig->msi;
  host->ram = rig->ram;
  host->low_ram = VT_RIG_RAM;
  host->high_ram = VT_GIB;
  host->smm = true;
}

static void
populate_q35_host (VtRig *rig)
{
  VtQ35Host *host = VT_CONTAINER (rig->dev, VtQ35Host, fn.base);

  add_neighbour (rig, &vt_pcie_root_port_class, host->bus, VT_PCI_DEVFN (0x1c, 0));
  add_neighbour (rig, &vt_ich9_lpc_class, host->bus, VT_PCI_DEVFN (0x1f, 0));
  add_neighbour (rig, &vt_ich9_smbus_class, host->bus, VT_PCI_DEVFN (0x1f, 3));
}

static void
populate_pcie_root_port (VtRig *rig)
{
  VtPcieRootPort *port = VT_CONTAINER (rig->dev, VtPcieRootPort, fn.base);

  /* One with memory BARs, one with ports. */
  add_neighbour (rig, &vt_bochs_display_class, port->secondary, VT_PCI_DEVFN (0, 0));
  add_neighbour (rig, &vt_ich9_smbus_class, port->secondary, VT_PCI_DEVFN (0, 1));
}

/* The power button, other chips' events, the alarm. */
static void
lpc_event (VtRig *rig, unsigned kind, uint32_t value)
{
  VtIch9Lpc *lpc = VT_CONTAINER (rig->dev, VtIch9Lpc, fn.base);

  if ((kind & 3) == 0)
    vt_line_set (lpc->power_button, (kind & 4) != 0);
  else
    {
      vt_context_lock (rig->context);
      if ((kind & 3) == 1)
        vt_ich9_pm_rtc (&lpc->pm);
      else
        vt_ich9_pm_gpe (&lpc->pm, value % 64);
      vt_context_unlock (rig->context);
    }
}

static void
wire_ich9_lpc (VtRig *rig)
{
  VtIch9Lpc *lpc = VT_CONTAINER (rig->dev, VtIch9Lpc, fn.base);

  for (unsigned n = 0; n < VT_ICH9_GSIS; n++)
    lpc->gsi[n] = vt_rig_line (rig);
  lpc->reset = vt_rig_line (rig);
  lpc->reset_full = vt_rig_line (rig);
  lpc->poweroff = vt_rig_line (rig);
  lpc->suspend = vt_rig_line (rig);
  lpc->wake = vt_rig_line (rig);
  lpc->smi = vt_rig_line (rig);
  lpc->smi_all = vt_rig_line (rig);
  rig->event = lpc_event;
}

static bool
odd_write (void *data, const uint8_t *bytes, unsigned len)
{
  return len < 3;
}

/* A device that answers blocks, now of a legal length and now of none. */
static int
odd_read (void *data, int command, uint8_t *bytes, unsigned len, bool block)
{
  if (command < 0)
    return -1;
  memset (bytes, command, len);
  return block ? MIN (command, (int) len) : (int) len;
}

static void
wire_ich9_smbus (VtRig *rig)
{
  VtIch9Smbus *smbus = VT_CONTAINER (rig->dev, VtIch9Smbus, fn.base);
  uint8_t     *spd = g_malloc (256);

  for (unsigned i = 0; i < 256; i++)
    spd[i] = (uint8_t) i;
  vt_rig_defer (rig, g_free, spd);
  smbus->devices[0] = vt_smbus_eeprom (0x50, spd);
  smbus->devices[1] = (VtSmbusDevice){ .address = 0x51, .write = odd_write, .read = odd_read };
}

/* The platform ------------------------------------------------------------------------------- */

static void
wire_bios_rom (VtRig *rig)
{
  VtBiosRom *rom = (VtBiosRom *) rig->dev;

  rom->image = g_bytes_new_take (g_malloc0 (64 * VT_KIB), 64 * VT_KIB);
}

static void
exit_cb (void *data, int status)
{
  ((VtRig *) data)->edges++;
}

static void
wire_debug_exit (VtRig *rig)
{
  VtDebugExit *port = (VtDebugExit *) rig->dev;

  port->exit = exit_cb;
  port->data = rig;
}

static void
wire_debug_port (VtRig *rig)
{
  VtDebugPort *port = (VtDebugPort *) rig->dev;

  port->chr = vt_rig_char (rig);
}

static GBytes *
generate_cb (void *data)
{
  /* Sometimes shorter and sometimes longer than the directory says. */
  VtRig *rig = data;
  gsize  size = ++rig->edges % 700;

  return g_bytes_new_take (g_malloc0 (size), size);
}

static void
written_cb (void *data, const uint8_t *contents, uint32_t size)
{
  VtRig *rig = data;

  for (uint32_t i = 0; i < size; i++)
    rig->edges += contents[i];
}

static void
wire_fw_cfg (VtRig *rig)
{
  VtFwCfg            *fw = (VtFwCfg *) rig->dev;
  g_autofree uint8_t *large = g_malloc0 (300 * VT_KIB);

  vt_fw_cfg_add_u16 (fw, VT_FW_CFG_NB_CPUS, 2);
  vt_fw_cfg_add_u64 (fw, VT_FW_CFG_KERNEL_SIZE, 8);
  vt_fw_cfg_add (fw, VT_FW_CFG_IRQ0_OVERRIDE, "\1", 1);
  vt_fw_cfg_add (fw, VT_FW_CFG_KERNEL_DATA, large, 300 * VT_KIB);
  vt_fw_cfg_add_file (fw, "etc/empty", NULL, 0, NULL);
  vt_fw_cfg_add_file (fw, "etc/small", "small", 5, NULL);
  vt_fw_cfg_add_file_generated (fw, "etc/generated", 512, generate_cb, rig, NULL);
  vt_fw_cfg_add_file_writable (fw, "etc/writable", large, 64, written_cb, rig, NULL);
  vt_fw_cfg_add_file_writable (fw, "etc/written", NULL, 100, NULL, NULL, NULL);
}

/* The RTC's interrupt comes by. */
static void
hpet_event (VtRig *rig, unsigned kind, uint32_t value)
{
  vt_context_lock (rig->context);
  vt_line_set (((VtHpet *) rig->dev)->rtc_in, (kind & 1) != 0);
  vt_context_unlock (rig->context);
}

static void
wire_hpet (VtRig *rig)
{
  VtHpet *hpet = (VtHpet *) rig->dev;

  hpet->irq0 = vt_rig_line (rig);
  hpet->irq8 = vt_rig_line (rig);
  hpet->legacy = vt_rig_line (rig);
  for (unsigned i = 16; i < 24; i++)
    hpet->gsi[i] = vt_rig_line (rig);
  hpet->msi = &rig->msi;
  rig->event = hpet_event;
}

static void
wire_i8042 (VtRig *rig)
{
  VtI8042 *kbc = (VtI8042 *) rig->dev;

  kbc->irq1 = vt_rig_line (rig);
  kbc->irq12 = vt_rig_line (rig);
  kbc->a20 = vt_rig_line (rig);
  kbc->reset = vt_rig_line (rig);
  kbc->input = rig->input = vt_input_new ();
}

/* The HPET takes the timer's place, and gives it back. */
static void
i8254_event (VtRig *rig, unsigned kind, uint32_t value)
{
  vt_context_lock (rig->context);
  vt_i8254_take ((VtI8254 *) rig->dev, (kind & 1) != 0);
  vt_context_unlock (rig->context);
}

static void
wire_i8254 (VtRig *rig)
{
  ((VtI8254 *) rig->dev)->irq = vt_rig_line (rig);
  rig->event = i8254_event;
}

/* Lines, and a processor. */
static void
i8259_event (VtRig *rig, unsigned kind, uint32_t value)
{
  VtI8259 *pic = (VtI8259 *) rig->dev;

  if ((kind & 1) != 0)
    vt_i8259_input (pic, value % VT_I8259_INPUTS, (kind & 2) != 0);
  else
    vt_i8259_acknowledge (pic);
}

static void
wire_i8259 (VtRig *rig)
{
  ((VtI8259 *) rig->dev)->intr = vt_rig_line (rig);
  rig->event = i8259_event;
}

static bool
ioapic_send_cb (void *data, uint64_t address, uint32_t message)
{
  return ++((VtRig *) data)->edges % 3 != 0;
}

static void
ioapic_event (VtRig *rig, unsigned kind, uint32_t value)
{
  VtIoapic *ioapic = (VtIoapic *) rig->dev;

  if ((kind & 1) != 0)
    vt_ioapic_input (ioapic, value % VT_IOAPIC_PINS, (kind & 2) != 0);
  else
    vt_ioapic_eoi (ioapic, (uint8_t) value);
}

static void
wire_ioapic (VtRig *rig)
{
  VtIoapic *ioapic = (VtIoapic *) rig->dev;

  ioapic->send = ioapic_send_cb;
  ioapic->bus = rig;
  rig->event = ioapic_event;
}

/* Messages, the PIC, and what the processor does beside its registers. */
static void
lapic_event (VtRig *rig, unsigned kind, uint32_t value)
{
  static const uint32_t msrs[] = { 0x1b, 0x6e0, 0x800, 0x800 };
  VtLapic              *lapic = (VtLapic *) rig->dev;
  uint32_t              index = msrs[value & 3];
  uint64_t              v;

  if (index == 0x800)
    index += value >> 2 & 0x3f;
  switch (kind)
    {
    case 0:
      vt_apic_bus_write (lapic->bus, 0xfee00000 | (value & 0xf) << 12, value >> 4);
      break;
    case 1:
      vt_line_set (lapic->bus->intr, (value & 1) != 0);
      break;
    case 2:
      rig->edges += (uint64_t) vt_lapic_acknowledge (lapic);
      break;
    case 3:
      rig->edges += vt_lapic_take (lapic, (VtCpuSignal) (value & 0x1f), NULL);
      break;
    case 4:
      vt_lapic_read_msr (lapic, index, &v);
      rig->edges += v;
      break;
    case 5:
      /* Values that are taken: modes of the base, times near now, interrupt commands. */
      v = index == 0x1b ? 0xfee00000 | (value >> 4 & 3) << 10 : value >> 8;
      vt_lapic_write_msr (lapic, index, index == 0x6e0 ? v + (uint64_t) vt_clock_now (rig->clock) : v);
      break;
    case 6:
      vt_lapic_set_cr8 (lapic, value);
      break;
    default:
      vt_lapic_tsc_changed (lapic);
      break;
    }
}

static void
free_apic_bus_cb (void *bus)
{
  vt_apic_bus_free (bus);
}

static void
wire_lapic (VtRig *rig)
{
  VtLapic *lapic = (VtLapic *) rig->dev;

  lapic->bus = vt_apic_bus_new ();
  vt_rig_defer (rig, free_apic_bus_cb, lapic->bus);
  rig->event = lapic_event;
}

/* A second processor. */
static void
populate_lapic (VtRig *rig)
{
  const VtDeviceEnv env = { .context = rig->context, .clock = rig->clock, .space = rig->space };
  VtLapic          *other = (VtLapic *) vt_device_new (&vt_lapic_class, "other", &env);

  other->id = 1;
  other->bus = ((VtLapic *) rig->dev)->bus;
  if (!vt_device_realize (&other->dev, NULL))
    g_assert_not_reached ();
  vt_device_resume (&other->dev);
  g_ptr_array_add (rig->neighbours, other);
}

static void
wire_mc146818 (VtRig *rig)
{
  VtMc146818 *rtc = (VtMc146818 *) rig->dev;

  /* Without the wall's clock, so that every run is like the last. */
  rtc->irq = vt_rig_line (rig);
  rtc->nmi_mask = vt_rig_line (rig);
  rtc->base_s = INT64_C (951782395); /* Five seconds before a leap day. */
  vt_mc146818_set_memory (rtc, VT_RIG_RAM, 0);
}

static void
close_block_cb (void *block)
{
  vt_block_close (block);
}

static void
wire_pflash (VtRig *rig)
{
  VtPflash *flash = (VtPflash *) rig->dev;
  uint8_t  *erased = g_malloc (64 * VT_KIB);

  memset (erased, 0xff, 64 * VT_KIB);
  flash->image = g_bytes_new_take (erased, 64 * VT_KIB);
  flash->block = vt_block_new_memory (erased, 64 * VT_KIB, false);
  flash->address = 4 * VT_GIB - 64 * VT_KIB;
  flash->shadow = true;
  vt_rig_defer (rig, close_block_cb, flash->block);
}

static void
wire_port92 (VtRig *rig)
{
  VtPort92 *port = (VtPort92 *) rig->dev;

  port->a20 = vt_rig_line (rig);
  port->reset = vt_rig_line (rig);
}

/* A break, or the other end reads some of what was written. */
static void
serial_event (VtRig *rig, unsigned kind, uint32_t value)
{
  vt_context_lock (rig->context);
  if ((kind & 1) != 0)
    vt_serial_16550_break ((VtSerial16550 *) rig->dev);
  else
    vt_rig_char_drain (rig, value % 64);
  vt_context_unlock (rig->context);
}

static void
wire_serial_16550 (VtRig *rig)
{
  VtSerial16550 *uart = (VtSerial16550 *) rig->dev;

  uart->base = 0x3f8;
  uart->irq = vt_rig_line (rig);
  uart->chr = vt_rig_char (rig);
  rig->event = serial_event;
}

static const struct
{
  const char *id;
  void (*wire) (VtRig *rig);     /* Before realize. */
  void (*populate) (VtRig *rig); /* After it; may be NULL. */
} wirings[] = {
  { "ahci", wire_ahci, NULL },
  { "bios-rom", wire_bios_rom, NULL },
  { "bochs-display", wire_bochs_display, NULL },
  { "debug-exit", wire_debug_exit, NULL },
  { "debug-port", wire_debug_port, NULL },
  { "fw-cfg", wire_fw_cfg, NULL },
  { "hpet", wire_hpet, NULL },
  { "i8042", wire_i8042, NULL },
  { "i8254", wire_i8254, NULL },
  { "i8259", wire_i8259, NULL },
  { "ich9-lpc", wire_ich9_lpc, NULL },
  { "ich9-smbus", wire_ich9_smbus, NULL },
  { "ioapic", wire_ioapic, NULL },
  { "lapic", wire_lapic, populate_lapic },
  { "mc146818", wire_mc146818, NULL },
  { "pcie-root-port", NULL, populate_pcie_root_port },
  { "pflash", wire_pflash, NULL },
  { "port92", wire_port92, NULL },
  { "q35-host", wire_q35_host, populate_q35_host },
  { "serial-16550", wire_serial_16550, NULL },
  { "vga", wire_vga, NULL },
};

void
vt_rig_wire (VtRig *rig, bool realized)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (wirings); i++)
    if (strcmp (wirings[i].id, rig->dev->klass->id) == 0)
      {
        void (*func) (VtRig *) = realized ? wirings[i].populate : wirings[i].wire;

        if (func != NULL)
          func (rig);
      }
}
