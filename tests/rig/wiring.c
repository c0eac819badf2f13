/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a rig connects each class that has wires or back ends. A class without an entry runs bare.
 */
#include "rig.h"

#include "gpu/bochs-display.h"
#include "gpu/vga.h"
#include "platform/bios-rom.h"
#include "platform/debug-port.h"
#include "platform/fw-cfg.h"
#include "platform/hpet.h"
#include "platform/i8042.h"
#include "platform/mc146818.h"
#include "platform/pflash.h"
#include "platform/port92.h"
#include "platform/serial-16550.h"
#include "storage/ahci.h"

/* A disk and a CD; the device closes them. */
static void
wire_ahci (VtRig *rig)
{
  VtAhci *hba = VT_CONTAINER (rig->dev, VtAhci, fn.base);

  hba->wiring[0].kind = VT_AHCI_DISK;
  hba->wiring[0].block = vt_block_new_memory (NULL, 1 << 20, false);
  hba->wiring[2].kind = VT_AHCI_CD;
  hba->wiring[2].block = vt_block_new_memory (NULL, 64 << 10, true);
  hba->wiring[3].kind = VT_AHCI_CD;
}

static GBytes *
image (size_t size)
{
  uint8_t *data = g_malloc (size);

  memset (data, 0xff, size);
  return g_bytes_new_take (data, size);
}

static void
wire_bios_rom (VtRig *rig)
{
  ((VtBiosRom *) rig->dev)->image = image (64 * VT_KIB);
}

static void
wire_bochs_display (VtRig *rig)
{
  VtBochsDisplay *display = VT_CONTAINER (rig->dev, VtBochsDisplay, fn.base);

  display->console = vt_rig_console (rig);
  display->vram_mib = 1;
}

/* One item of each sort. */
static void
wire_fw_cfg (VtRig *rig)
{
  VtFwCfg *fw = (VtFwCfg *) rig->dev;

  vt_fw_cfg_add_u16 (fw, VT_FW_CFG_NB_CPUS, 1);
  vt_fw_cfg_add_file (fw, "etc/plain", "plain", 5, NULL);
  vt_fw_cfg_add_file (fw, "etc/empty", NULL, 0, NULL);
  vt_fw_cfg_add_file_writable (fw, "etc/writable", "written", 7, NULL, NULL, NULL);
}

static void
wire_pflash (VtRig *rig)
{
  VtPflash *flash = (VtPflash *) rig->dev;

  flash->image = image (64 * VT_KIB);
  flash->address = 0xffff0000;
  flash->block = vt_rig_block (rig, 64 * VT_KIB, false);
}

static void
wire_debug_port (VtRig *rig)
{
  ((VtDebugPort *) rig->dev)->chr = rig->chr = vt_char_new_memory ();
}

static void
no_msi_cb (void *data, uint64_t address, uint32_t message)
{
}

static const VtMsiSinkOps no_msi_ops = { .send = no_msi_cb };
static const VtMsiSink    no_msi = { .ops = &no_msi_ops };

static void
wire_hpet (VtRig *rig)
{
  VtHpet *hpet = (VtHpet *) rig->dev;

  hpet->irq0 = vt_rig_line (rig);
  hpet->irq8 = vt_rig_line (rig);
  hpet->legacy = vt_rig_line (rig);
  for (unsigned i = 16; i < 24; i++)
    hpet->gsi[i] = vt_rig_line (rig);
  hpet->msi = &no_msi;
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

static void
wire_mc146818 (VtRig *rig)
{
  VtMc146818 *rtc = (VtMc146818 *) rig->dev;

  rtc->irq = vt_rig_line (rig);
  rtc->nmi_mask = vt_rig_line (rig);
}

static void
wire_port92 (VtRig *rig)
{
  VtPort92 *port = (VtPort92 *) rig->dev;

  port->a20 = vt_rig_line (rig);
  port->reset = vt_rig_line (rig);
}

static void
wire_serial (VtRig *rig)
{
  VtSerial16550 *uart = (VtSerial16550 *) rig->dev;

  uart->irq = vt_rig_line (rig);
  uart->chr = rig->chr = vt_char_new_memory ();
}

static void
wire_vga (VtRig *rig)
{
  VtVgaCard *card = VT_CONTAINER (rig->dev, VtVgaCard, fn.base);
  GBytes    *rom = image (32 * VT_KIB);

  card->console = vt_rig_console (rig);
  card->vram_mib = 1;
  card->rom = rom;
  vt_rig_defer (rig, (GDestroyNotify) g_bytes_unref, rom);
}

static const struct
{
  const char *id;
  void (*wire) (VtRig *rig);
} wirings[] = {
  { "ahci", wire_ahci },
  { "bios-rom", wire_bios_rom },
  { "bochs-display", wire_bochs_display },
  { "debug-port", wire_debug_port },
  { "fw-cfg", wire_fw_cfg },
  { "hpet", wire_hpet },
  { "i8042", wire_i8042 },
  { "mc146818", wire_mc146818 },
  { "pflash", wire_pflash },
  { "port92", wire_port92 },
  { "serial-16550", wire_serial },
  { "vga", wire_vga },
  { NULL, NULL },
};

bool
vt_rig_wire (VtRig *rig)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (wirings); i++)
    if (wirings[i].id != NULL && strcmp (wirings[i].id, rig->dev->klass->id) == 0)
      {
        wirings[i].wire (rig);
        return true;
      }
  return false;
}
