/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A generic PCI Express root port, 1b36:000c. PCI Express Base 3.1 §7.8 for the capability; bus
 * numbers and windows are engine/pci/bridge.c. The slot is described as it is: what is in it stays
 * there, so no button, no power control and no hot-plug events are advertised.
 */
#include "pci/pcie-root-port.h"

/* Offsets inside the capability, §7.8. */
enum
{
  EXP_CAPABILITIES = 0x02,
  EXP_DEVICE_CAP = 0x04,
  EXP_DEVICE_CTL = 0x08,
  EXP_DEVICE_STS = 0x0a,
  EXP_LINK_CAP = 0x0c,
  EXP_LINK_CTL = 0x10,
  EXP_LINK_STS = 0x12,
  EXP_SLOT_CAP = 0x14,
  EXP_SLOT_CTL = 0x18,
  EXP_SLOT_STS = 0x1a,
  EXP_ROOT_CTL = 0x1c,
  EXP_ROOT_STS = 0x20,
  EXP_DEVICE_CAP2 = 0x24,
  EXP_DEVICE_CTL2 = 0x28,
  EXP_LINK_CAP2 = 0x2c,
  EXP_LINK_CTL2 = 0x30,
  EXP_LEN = 0x3c,
  EXP_AT = 0x54,
  CAP_VERSION = 2,
  CAP_ROOT_PORT = 4 << 4,
  CAP_SLOT = 1 << 8,
  DEVICE_CAP_ROLE_BASED = 1 << 15,
  SPEED_16G = 4,
  WIDTH_32 = 32 << 4,
  LINK_CAP_L0S = 1 << 10,
  LINK_CAP_ACTIVE_REPORTING = 1 << 20,
  LINK_CAP_BANDWIDTH = 1 << 21,
  LINK_CTL_MASK = 0x0cfb,
  LINK_STS_ACTIVE = 1 << 13,
  LINK_STS_W1C = 0xc000,
  SLOT_CAP_NO_COMMAND_COMPLETED = 1 << 18,
  SLOT_CAP_NUMBER_SHIFT = 19,
  SLOT_CTL_INDICATORS_OFF = 0x03c0,
  SLOT_CTL_MASK = 0x17ff,
  SLOT_STS_PRESENT = 1 << 6,
  SLOT_STS_W1C = 0x011f,
  ROOT_CTL_MASK = 0x001f,
  ARI_FORWARDING = 1 << 5,
};

static const VtStateField port_fields[] = {
  VT_STATE_STRUCT (VtPcieRootPortState, pci, &vt_pci_state),
  VT_STATE_STRUCT (VtPcieRootPortState, msix, &vt_pci_msix_state),
};
static const VtStateDesc port_state = VT_STATE_DESC (VtPcieRootPortState, 1, port_fields, NULL);

/* Something is plugged in, or was taken out, while the machine is built. */
static void
watch_cb (VtPciFunction *fn, bool present)
{
  vt_pci_set_default (fn, EXP_AT + EXP_LINK_STS, 2,
                      SPEED_16G | WIDTH_32 | (present ? LINK_STS_ACTIVE : 0));
  vt_pci_set_default (fn, EXP_AT + EXP_SLOT_STS, 2, present ? SLOT_STS_PRESENT : 0);
}

static void
add_express (VtPcieRootPort *port)
{
  VtPciFunction *fn = &port->fn;

  vt_pci_add_capability (fn, VT_PCI_CAP_EXPRESS, EXP_AT, EXP_LEN);
  vt_pci_set_default (fn, EXP_AT + EXP_CAPABILITIES, 2, CAP_VERSION | CAP_ROOT_PORT | CAP_SLOT);
  vt_pci_set_default (fn, EXP_AT + EXP_DEVICE_CAP, 4, DEVICE_CAP_ROLE_BASED);
  vt_pci_set_wmask (fn, EXP_AT + EXP_DEVICE_CTL, 2, 0x000f);
  vt_pci_set_w1cmask (fn, EXP_AT + EXP_DEVICE_STS, 2, 0x000f);
  vt_pci_set_default (fn, EXP_AT + EXP_LINK_CAP, 4,
                      SPEED_16G | WIDTH_32 | LINK_CAP_L0S | LINK_CAP_ACTIVE_REPORTING |
                          LINK_CAP_BANDWIDTH | (uint32_t) port->port << 24);
  vt_pci_set_wmask (fn, EXP_AT + EXP_LINK_CTL, 2, LINK_CTL_MASK);
  vt_pci_set_w1cmask (fn, EXP_AT + EXP_LINK_STS, 2, LINK_STS_W1C);
  vt_pci_set_default (fn, EXP_AT + EXP_SLOT_CAP, 4,
                      SLOT_CAP_NO_COMMAND_COMPLETED |
                          (uint32_t) (port->slot & 0x1fff) << SLOT_CAP_NUMBER_SHIFT);
  vt_pci_set_default (fn, EXP_AT + EXP_SLOT_CTL, 2, SLOT_CTL_INDICATORS_OFF);
  vt_pci_set_wmask (fn, EXP_AT + EXP_SLOT_CTL, 2, SLOT_CTL_MASK);
  vt_pci_set_w1cmask (fn, EXP_AT + EXP_SLOT_STS, 2, SLOT_STS_W1C);
  vt_pci_set_wmask (fn, EXP_AT + EXP_ROOT_CTL, 2, ROOT_CTL_MASK);
  vt_pci_set_default (fn, EXP_AT + EXP_DEVICE_CAP2, 4, ARI_FORWARDING);
  vt_pci_set_wmask (fn, EXP_AT + EXP_DEVICE_CTL2, 2, ARI_FORWARDING);
  vt_pci_set_default (fn, EXP_AT + EXP_LINK_CAP2, 4, 0x1e); /* 2.5 to 16 GT/s. */
  vt_pci_set_default (fn, EXP_AT + EXP_LINK_CTL2, 2, SPEED_16G);
  watch_cb (fn, false);
}

static bool
realize (VtDevice *dev, GError **error)
{
  VtPcieRootPort *port = (VtPcieRootPort *) dev;
  const VtPciInfo info = {
    .vendor = 0x1b36, .device = 0x000c, .class_code = 0x060400, .interrupt_pin = 1, .express = true
  };
  unsigned at;

  vt_pci_function_init (&port->fn, &port->state.pci, &info);
  port->secondary = vt_pci_bridge_init (&port->fn);
  /* PCI-to-PCI bridge 1.2 §3.2.5.20: where a bridge tells whose it is. */
  at = vt_pci_add_capability (&port->fn, VT_PCI_CAP_SSVID, 0x40, 8);
  vt_pci_set_default (&port->fn, at + 4, 4, 0x1b36);
  vt_pci_add_msix (&port->fn, &port->state.msix, 1, 0, 4096, 0, 0x800, NULL);
  add_express (port);
  vt_pci_bridge_watch (&port->fn, watch_cb);
  return true;
}

static void
unrealize (VtDevice *dev)
{
  vt_pci_function_finish (&((VtPcieRootPort *) dev)->fn);
}

static void
reset (VtDevice *dev, VtResetKind kind)
{
  vt_pci_function_reset (&((VtPcieRootPort *) dev)->fn, kind);
}

static void
loaded (VtDevice *dev)
{
  vt_pci_function_loaded (&((VtPcieRootPort *) dev)->fn);
}

const VtDeviceClass vt_pcie_root_port_class = {
  .id = "pcie-root-port",
  .spec = "PCI Express Base 3.1 §7.8; PCI-to-PCI Bridge Architecture 1.2 chapter 3",
  .size = sizeof (VtPcieRootPort),
  .state_offset = offsetof (VtPcieRootPort, state),
  .state = &port_state,
  .flags = VT_DEVICE_PCI,
  .realize = realize,
  .unrealize = unrealize,
  .reset = reset,
  .loaded = loaded,
};
