/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PCI-to-PCI bridges, which root ports are: header type 1, bus numbers, windows. PCI-to-PCI Bridge
 * Architecture 1.2 chapter 3.
 */
#include "pci-private.h"

enum
{
  /* §3.2.5.17: parity response, SERR#, VGA palette and 16-bit decode are kept but do nothing here. */
  BRIDGE_CONTROL_MASK = 0x005f,
  PREFETCH_WINDOW_64 = 0x01, /* §3.2.5.9. */
  SECONDARY_STATUS_W1C = 0xf900,
};

VtPciBus *
vt_pci_bridge_init (VtPciFunction *fn)
{
  VtPciFunctionPrivate *priv = fn->priv;

  priv->is_bridge = true;
  /* A bridge has no subsystem IDs here: the upper half of the prefetch limit lies there. */
  vt_pci_set_default (fn, VT_PCI_SUBSYSTEM_VENDOR, 4, 0);
  vt_pci_set_default (fn, VT_PCI_HEADER_TYPE, 1, fn->multifunction ? 0x81 : 0x01);
  vt_pci_set_wmask (fn, VT_PCI_PRIMARY_BUS, 3, 0xffffff);
  vt_pci_set_wmask (fn, VT_PCI_IO_BASE, 2, 0xf0f0);
  vt_pci_set_wmask (fn, VT_PCI_MEMORY_BASE, 4, 0xfff0fff0);
  vt_pci_set_wmask (fn, VT_PCI_PREFETCH_BASE, 4, 0xfff0fff0);
  vt_pci_set_wmask (fn, VT_PCI_PREFETCH_BASE_UPPER, 8, UINT64_MAX);
  /* The specification leaves the windows open at first; shut (base above limit) is what a guest
   * that looks before it programs them can bear. */
  vt_pci_set_default (fn, VT_PCI_IO_BASE, 1, 0xf0);
  vt_pci_set_default (fn, VT_PCI_MEMORY_BASE, 2, 0xfff0);
  vt_pci_set_default (fn, VT_PCI_PREFETCH_BASE, 2, 0xfff0 | PREFETCH_WINDOW_64);
  vt_pci_set_default (fn, VT_PCI_PREFETCH_LIMIT, 2, PREFETCH_WINDOW_64);
  vt_pci_set_w1cmask (fn, VT_PCI_SECONDARY_STATUS, 2, SECONDARY_STATUS_W1C);
  vt_pci_set_wmask (fn, VT_PCI_BRIDGE_CONTROL, 2, BRIDGE_CONTROL_MASK);
  priv->secondary = vt_pci_bus_new_behind (fn);
  return priv->secondary;
}

void
vt_pci_bridge_watch (VtPciFunction *fn, void (*func) (VtPciFunction *bridge, bool present))
{
  fn->priv->secondary->watch = func;
}

static VtPciWindows
windows (const VtPciFunction *fn)
{
  const uint8_t *c = fn->config->config;
  uint16_t       command = vt_pci_command (fn);
  VtPciWindows   w = { .io_first = 1, .memory_first = 1, .prefetch_first = 1 };

  if (command & VT_PCI_COMMAND_IO)
    {
      w.io_first = (uint64_t) (c[VT_PCI_IO_BASE] & 0xf0) << 8;
      w.io_last = (uint64_t) (c[VT_PCI_IO_LIMIT] & 0xf0) << 8 | 0xfff;
    }
  if (command & VT_PCI_COMMAND_MEMORY)
    {
      w.memory_first = (uint64_t) (vt_ld16 (c + VT_PCI_MEMORY_BASE) & 0xfff0) << 16;
      w.memory_last = (uint64_t) (vt_ld16 (c + VT_PCI_MEMORY_LIMIT) & 0xfff0) << 16 | 0xfffff;
      w.prefetch_first = (uint64_t) (vt_ld16 (c + VT_PCI_PREFETCH_BASE) & 0xfff0) << 16 |
                         (uint64_t) vt_ld32 (c + VT_PCI_PREFETCH_BASE_UPPER) << 32;
      w.prefetch_last = (uint64_t) (vt_ld16 (c + VT_PCI_PREFETCH_LIMIT) & 0xfff0) << 16 | 0xfffff |
                        (uint64_t) vt_ld32 (c + VT_PCI_PREFETCH_LIMIT_UPPER) << 32;
    }
  return w;
}

/* Tells the bus behind what the registers say now. @whole: all of them, by a reset or a load, after
 * which what is behind is told by its own reset or load. */
void
vt_pci_bridge_publish (VtPciFunction *fn, bool whole)
{
  VtPciBus      *bus = fn->priv->secondary;
  const uint8_t *c = fn->config->config;
  VtPciWindows   w = windows (fn);
  bool           held;

  if (bus == NULL)
    return;
  g_mutex_lock (&bus->root->lock);
  bus->secondary = c[VT_PCI_SECONDARY_BUS];
  bus->subordinate = c[VT_PCI_SUBORDINATE_BUS];
  if (memcmp (&bus->windows, &w, sizeof w) != 0)
    {
      bus->windows = w;
      bus->remap = !whole;
    }
  held = c[VT_PCI_BRIDGE_CONTROL] & VT_PCI_BRIDGE_CONTROL_RESET;
  if (!whole && held && !bus->reset_held)
    bus->reset = true;
  bus->reset_held = held;
  g_mutex_unlock (&bus->root->lock);
}
