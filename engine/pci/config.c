/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two ways to configuration space: the port pair of PCI Local Bus 3.0 §3.2.2.3.2 and the memory
 * window of PCI Express 3.1 §7.2.2.
 */
#include "pci-private.h"

#define LATCH_ENABLE 0x80000000u
/* Bits 30:24 are reserved and bits 1:0 read as zero. */
#define LATCH_MASK 0x80fffffcu
#define DATA 4 /* The data port's offset in the region at 0xcf8. */
#define CF9 1

void
vt_pci_bus_set_cf9 (VtPciBus *root, VtRegion *region)
{
  root->cf9 = region;
}

/* Where a data access goes; false: nowhere. Several vCPUs may write the latch, as on a real board
 * where the operating system's own lock keeps the pair together. */
static bool
target (const uint32_t *address, uint64_t offset, uint8_t *bus, uint8_t *devfn, unsigned *reg)
{
  uint32_t latch = __atomic_load_n (address, __ATOMIC_RELAXED);

  *bus = (uint8_t) (latch >> 16);
  *devfn = (uint8_t) (latch >> 8);
  *reg = (latch & 0xfc) + (unsigned) (offset - DATA);
  return latch & LATCH_ENABLE;
}

uint32_t
vt_pci_ports_read (VtPciBus *root, const uint32_t *address, uint64_t offset, unsigned size)
{
  uint8_t  bus, devfn;
  unsigned reg;

  if (offset < DATA)
    {
      if (offset == 0 && size == 4)
        return __atomic_load_n (address, __ATOMIC_RELAXED);
      if (offset == CF9 && size == 1 && root != NULL && root->cf9 != NULL)
        return (uint32_t) vt_region_read (root->cf9, 0, 1);
      return UINT32_MAX;
    }
  if (root == NULL || !target (address, offset, &bus, &devfn, &reg))
    return UINT32_MAX;
  return vt_pci_bus_read (root, bus, devfn, reg, size);
}

void
vt_pci_ports_write (VtPciBus *root, uint32_t *address, uint64_t offset, unsigned size, uint32_t value)
{
  uint8_t  bus, devfn;
  unsigned reg;

  if (offset < DATA)
    {
      if (offset == 0 && size == 4)
        __atomic_store_n (address, value & LATCH_MASK, __ATOMIC_RELAXED);
      else if (offset == CF9 && size == 1 && root != NULL && root->cf9 != NULL)
        vt_region_write (root->cf9, 0, 1, value);
      return;
    }
  if (root != NULL && target (address, offset, &bus, &devfn, &reg))
    vt_pci_bus_write (root, bus, devfn, reg, size, value);
}

uint32_t
vt_pci_ecam_read (VtPciBus *root, uint64_t offset, unsigned size)
{
  return vt_pci_bus_read (root, (uint8_t) (offset >> 20), (uint8_t) (offset >> 12),
                          (unsigned) (offset & 0xfff), size);
}

void
vt_pci_ecam_write (VtPciBus *root, uint64_t offset, unsigned size, uint32_t value)
{
  vt_pci_bus_write (root, (uint8_t) (offset >> 20), (uint8_t) (offset >> 12),
                    (unsigned) (offset & 0xfff), size, value);
}
