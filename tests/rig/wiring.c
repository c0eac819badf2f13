/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a rig connects each class that has wires or back ends. A class without an entry runs bare.
 */
#include "rig.h"

#include "platform/bios-rom.h"
#include "platform/fw-cfg.h"
#include "platform/pflash.h"
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

static const struct
{
  const char *id;
  void (*wire) (VtRig *rig);
} wirings[] = {
  { "ahci", wire_ahci },
  { "bios-rom", wire_bios_rom },
  { "fw-cfg", wire_fw_cfg },
  { "pflash", wire_pflash },
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
