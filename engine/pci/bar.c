/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Base address registers and the expansion ROM: where the guest has put a function's regions. PCI
 * Local Bus 3.0 §6.2.5.
 */
#include "pci-private.h"

/* No CPU has more physical address bits; beyond, a BAR decodes nothing. */
#define ADDRESS_BITS 52

static unsigned
bar_offset (const VtPciFunction *fn, unsigned n)
{
  if (n == VT_PCI_BAR_ROM)
    return fn->priv->is_bridge ? VT_PCI_BRIDGE_ROM : VT_PCI_ROM;
  return VT_PCI_BAR0 + 4 * n;
}

static uint64_t
round_size (uint64_t size, uint64_t least)
{
  uint64_t rounded = least;

  while (rounded < size && rounded < VT_BIT (ADDRESS_BITS - 1))
    rounded <<= 1;
  return rounded;
}

void
vt_pci_add_bar (VtPciFunction *fn, unsigned n, VtRegion *region, VtPciBarFlags flags)
{
  VtPciBar *bar;
  bool      io = vt_region_kind (region) == VT_SPACE_IO;
  unsigned  offset;
  uint64_t  mask, type;

  g_return_if_fail (n + (flags & VT_PCI_BAR_64 ? 1 : 0) < (fn->priv->is_bridge ? 2 : VT_PCI_N_BARS));
  bar = &fn->priv->bar[n];
  offset = bar_offset (fn, n);
  bar->region = region;
  bar->flags = io ? VT_PCI_BAR_32 : flags;
  bar->size = round_size (vt_region_size (region), io ? 4 : 16);
  mask = ~(bar->size - 1);
  /* §6.2.5.1: bit 0 tells ports from memory, bits 2:1 the width, bit 3 prefetchable. */
  type = io ? 1 : (flags & VT_PCI_BAR_64 ? 4 : 0) | (flags & VT_PCI_BAR_PREFETCH ? 8 : 0);
  vt_pci_set_default (fn, offset, 4, type);
  vt_pci_set_wmask (fn, offset, bar->flags & VT_PCI_BAR_64 ? 8 : 4, mask);
}

void
vt_pci_add_rom (VtPciFunction *fn, VtRegion *region)
{
  VtPciBar *bar = &fn->priv->bar[VT_PCI_BAR_ROM];

  bar->region = region;
  bar->flags = VT_PCI_BAR_32;
  bar->size = round_size (vt_region_size (region), 2 * VT_KIB); /* §6.2.5.2: bits 10:1 are zero. */
  vt_pci_set_wmask (fn, bar_offset (fn, VT_PCI_BAR_ROM), 4, (~(bar->size - 1) & 0xfffff800) | 1);
}

/* Where BAR @n decodes; false: nowhere. */
static bool
bar_base (const VtPciFunction *fn, unsigned n, uint64_t *base)
{
  const VtPciBar *bar = &fn->priv->bar[n];
  const uint8_t  *reg = fn->config->config + bar_offset (fn, n);
  VtSpaceKind     kind = vt_region_kind (bar->region);
  uint64_t        at = vt_ld32 (reg), last;

  if (!(vt_pci_command (fn) & (kind == VT_SPACE_IO ? VT_PCI_COMMAND_IO : VT_PCI_COMMAND_MEMORY)))
    return false;
  if (n == VT_PCI_BAR_ROM && !(at & 1))
    return false;
  if (bar->flags & VT_PCI_BAR_64)
    at |= (uint64_t) vt_ld32 (reg + 4) << 32;
  at &= ~(bar->size - 1);
  /* Zero is "not set", though the specification would let it decode. All ones, which a guest leaves
   * there for a moment to learn the size, would end at the top of the space. */
  if (at == 0 || !vt_add (at, bar->size - 1, &last))
    return false;
  if (kind == VT_SPACE_IO ? last > 0xffff
                          : last >= (bar->flags & VT_PCI_BAR_64 ? VT_BIT (ADDRESS_BITS) : UINT32_MAX))
    return false;
  *base = at;
  return fn->bus == NULL || vt_pci_bus_forwards (fn->bus, kind, at, last);
}

/* A region that stays where it is is not mapped again: among equals the later mapped wins. */
static void
place (VtRegion *region, bool decodes, uint64_t base, int priority)
{
  uint64_t now;

  if (!decodes)
    vt_region_unmap (region);
  else if (!vt_region_mapped (region, &now) || now != base)
    vt_region_map (region, base, priority);
}

void
vt_pci_bars_update (VtPciFunction *fn)
{
  vt_device_map_begin (&fn->base);
  for (unsigned n = 0; n <= VT_PCI_BAR_ROM; n++)
    {
      VtPciBar *bar = &fn->priv->bar[n];
      uint64_t  base = 0;
      bool      decodes;

      if (bar->region == NULL)
        continue;
      decodes = bar_base (fn, n, &base);
      place (bar->region, decodes, base, VT_PCI_BAR_PRIORITY);
      for (unsigned i = 0; i < bar->n_sub; i++)
        place (bar->sub[i].region, decodes, base + bar->sub[i].offset, VT_PCI_BAR_PRIORITY + 1);
    }
  vt_device_map_commit (&fn->base);
}

bool
vt_pci_bars_touched (const VtPciFunction *fn, unsigned offset, unsigned size)
{
  unsigned rom = bar_offset (fn, VT_PCI_BAR_ROM);

  return (offset < VT_PCI_COMMAND + 2 && offset + size > VT_PCI_COMMAND) ||
         (offset < VT_PCI_BAR0 + 4 * VT_PCI_N_BARS && offset + size > VT_PCI_BAR0) ||
         (offset < rom + 4 && offset + size > rom);
}
