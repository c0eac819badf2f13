/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a rig connects each class that has wires or back ends. A class without an entry runs bare.
 */
#include "rig.h"

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

static const struct
{
  const char *id;
  void (*wire) (VtRig *rig);
} wirings[] = {
  { "ahci", wire_ahci },
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
