/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Buses: who is where, configuration accesses by number, and the INTx wires of the root.
 *
 * A vCPU's configuration access finds its function under the root's lock, a leaf, and then takes
 * the lock of the function's own context; what a bridge's registers change for the functions behind
 * it is carried to them afterwards, one lock at a time.
 */
#include "pci-private.h"

static VtPciBus *
bus_new (const char *name, VtPciFunction *bridge)
{
  VtPciBus *bus = g_new0 (VtPciBus, 1);

  bus->name = g_strdup (name);
  bus->root = bus;
  bus->bridge = bridge;
  g_mutex_init (&bus->lock);
  return bus;
}

VtPciBus *
vt_pci_bus_new (const char *name, const VtMsiSink *msi)
{
  VtPciBus *bus = bus_new (name, NULL);

  if (msi != NULL)
    bus->msi = *msi;
  bus->has_msi = msi != NULL;
  bus->subordinate = 0xff;
  for (unsigned i = 0; i < G_N_ELEMENTS (bus->pins); i++)
    bus->pins[i] = vt_pci_route_new (NULL);
  return bus;
}

VtPciBus *
vt_pci_bus_new_behind (VtPciFunction *bridge)
{
  VtPciBus *bus = bus_new (bridge->base.path, bridge);

  bus->parent = bridge->bus;
  if (bridge->bus != NULL)
    bus->root = bridge->bus->root;
  return bus;
}

void
vt_pci_bus_free (VtPciBus *bus)
{
  if (bus == NULL)
    return;
  for (unsigned i = 0; i < G_N_ELEMENTS (bus->pins); i++)
    vt_pci_route_free (bus->pins[i]);
  g_mutex_clear (&bus->lock);
  g_free (bus->name);
  g_free (bus);
}

void
vt_pci_bus_add (VtPciBus *bus, VtPciFunction *fn)
{
  bool first = false;

  g_mutex_lock (&bus->root->lock);
  if (bus->functions[fn->devfn] == NULL)
    {
      bus->functions[fn->devfn] = fn;
      first = bus->n_functions++ == 0;
    }
  else
    g_warning ("%s: %02x.%x of %s is taken by %s", fn->base.path, fn->devfn >> 3, fn->devfn & 7,
               bus->name, bus->functions[fn->devfn]->base.path);
  g_mutex_unlock (&bus->root->lock);
  if (first && bus->watch != NULL)
    bus->watch (bus->bridge, true);
}

void
vt_pci_bus_remove (VtPciBus *bus, VtPciFunction *fn)
{
  bool last = false;

  g_mutex_lock (&bus->root->lock);
  if (bus->functions[fn->devfn] == fn)
    {
      bus->functions[fn->devfn] = NULL;
      last = --bus->n_functions == 0;
    }
  g_mutex_unlock (&bus->root->lock);
  if (last && bus->watch != NULL)
    bus->watch (bus->bridge, false);
}

VtPciFunction *
vt_pci_bus_function (VtPciBus *bus, uint8_t devfn)
{
  VtPciFunction *fn;

  g_mutex_lock (&bus->root->lock);
  fn = bus->functions[devfn];
  g_mutex_unlock (&bus->root->lock);
  return fn;
}

VtPciFunction *
vt_pci_bus_bridge (VtPciBus *bus)
{
  return bus->bridge;
}

/* INTx -------------------------------------------------------------------------------------------- */

VtPciRoute *
vt_pci_bus_pin (VtPciBus *bus, unsigned slot, unsigned pin)
{
  /* PCI-to-PCI bridge 1.2 §9.1: behind a bridge the pins rotate with the slot, and leave as pins of
   * the bridge. */
  while (bus->bridge != NULL)
    {
      pin = (pin + slot) % VT_PCI_PINS;
      slot = bus->bridge->devfn >> 3;
      if (bus->parent == NULL)
        return NULL;
      bus = bus->parent;
    }
  return bus->pins[slot % VT_PCI_SLOTS * VT_PCI_PINS + pin];
}

void
vt_pci_bus_set_route (VtPciBus *root, unsigned slot, unsigned pin, VtPciRoute *next, bool quiet)
{
  g_return_if_fail (slot < VT_PCI_SLOTS && pin < VT_PCI_PINS && root->bridge == NULL);
  vt_pci_route_join (root->pins[slot * VT_PCI_PINS + pin], next, quiet);
}

/* Forwarding -------------------------------------------------------------------------------------- */

bool
vt_pci_bus_forwards (VtPciBus *bus, VtSpaceKind kind, uint64_t first, uint64_t last)
{
  VtPciBus *root = bus->root;
  bool      ok = true;

  g_mutex_lock (&root->lock);
  for (; ok && bus->bridge != NULL; bus = bus->parent)
    {
      const VtPciWindows *w = &bus->windows;

      if (kind == VT_SPACE_IO)
        ok = first >= w->io_first && last <= w->io_last;
      else
        ok = (first >= w->memory_first && last <= w->memory_last) ||
             (first >= w->prefetch_first && last <= w->prefetch_last);
      if (bus->parent == NULL)
        break;
    }
  g_mutex_unlock (&root->lock);
  return ok;
}

/* Runs @func on every function of @bus and of those behind it, bridges first, each under its own
 * context's lock. */
static void
for_each_below (VtPciBus *bus, void (*func) (VtPciFunction *fn))
{
  for (unsigned i = 0; i < VT_PCI_N_FUNCTIONS; i++)
    {
      VtPciFunction *fn = vt_pci_bus_function (bus, (uint8_t) i);
      bool           take;

      if (fn == NULL)
        continue;
      take = !vt_context_held (fn->base.context);
      if (take)
        vt_context_lock (fn->base.context);
      func (fn);
      if (take)
        vt_context_unlock (fn->base.context);
      if (fn->priv->secondary != NULL)
        for_each_below (fn->priv->secondary, func);
    }
}

static void
reset_one (VtPciFunction *fn)
{
  if (fn->base.klass->reset != NULL)
    fn->base.klass->reset (&fn->base, VT_RESET_BUS);
}

/* What a write to the bridge's registers has left to do behind it. */
static void
settle (VtPciBus *bus)
{
  bool remap, reset;

  g_mutex_lock (&bus->root->lock);
  remap = bus->remap;
  reset = bus->reset;
  bus->remap = bus->reset = false;
  g_mutex_unlock (&bus->root->lock);
  if (reset)
    for_each_below (bus, reset_one);
  if (remap)
    for_each_below (bus, vt_pci_bars_update);
}

/* Configuration by number --------------------------------------------------------------------------- */

/* The function that bus number @number and @devfn mean now; root's lock held. Bridges are followed
 * as they are programmed, so the depth is that of the tree whatever the numbers say. */
static VtPciFunction *
find_locked (VtPciBus *bus, uint8_t own, uint8_t number, uint8_t devfn)
{
  if (number == own)
    return bus->functions[devfn];
  for (unsigned i = 0; i < VT_PCI_N_FUNCTIONS; i++)
    {
      VtPciBus *below = bus->functions[i] == NULL ? NULL : bus->functions[i]->priv->secondary;

      if (below != NULL && below->secondary != 0 && number >= below->secondary &&
          number <= below->subordinate)
        return find_locked (below, below->secondary, number, devfn);
    }
  return NULL;
}

static VtPciFunction *
find (VtPciBus *root, uint8_t number, uint8_t devfn)
{
  VtPciFunction *fn;

  g_mutex_lock (&root->lock);
  fn = find_locked (root, 0, number, devfn);
  g_mutex_unlock (&root->lock);
  return fn;
}

uint32_t
vt_pci_bus_read (VtPciBus *root, uint8_t bus, uint8_t devfn, unsigned offset, unsigned size)
{
  VtPciFunction *fn = find (root, bus, devfn);
  uint32_t       value;
  bool           take;

  if (fn == NULL)
    return (uint32_t) vt_ones (MIN (size, 4));
  take = !vt_context_held (fn->base.context);
  if (take)
    vt_context_lock (fn->base.context);
  value = vt_pci_config_read (fn, offset, size);
  if (take)
    vt_context_unlock (fn->base.context);
  return value;
}

void
vt_pci_bus_write (VtPciBus *root, uint8_t bus, uint8_t devfn, unsigned offset, unsigned size,
                  uint32_t value)
{
  VtPciFunction *fn = find (root, bus, devfn);
  bool           take;

  if (fn == NULL)
    return;
  take = !vt_context_held (fn->base.context);
  if (take)
    vt_context_lock (fn->base.context);
  vt_pci_config_write (fn, offset, size, value);
  if (take)
    vt_context_unlock (fn->base.context);
  if (fn->priv->secondary != NULL)
    settle (fn->priv->secondary);
}
