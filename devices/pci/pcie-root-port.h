/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A PCI Express root port: one slot with a bus of its own behind it, at whose 00.0 the device is.
 */
#pragma once

#include "vt-pci-bus.h"

typedef struct
{
  VtPciState     pci;
  VtPciMsixState msix;
} VtPcieRootPortState;

typedef struct
{
  VtPciFunction fn; /* Wiring: bus (the root bus), devfn, multifunction. */

  /* Wiring: what the guest reads as port number and as the number printed beside the slot. */
  uint8_t  port;
  uint16_t slot; /* At most 8191. */

  /* Given by realize: the bus behind. */
  VtPciBus *secondary;

  VtPcieRootPortState state;
} VtPcieRootPort;

extern const VtDeviceClass vt_pcie_root_port_class;
