/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a rig connects each class that has wires or back ends. A class without an entry runs bare.
 */
#include "rig.h"

static const struct
{
  const char *id;
  void (*wire) (VtRig *rig);
} wirings[] = {
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
