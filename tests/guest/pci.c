/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PCI configuration, and the tests of what the firmware tells: fw_cfg and the ACPI tables.
 */
#include "guest.h"

uint32_t
pci_read (uint8_t devfn, unsigned offset)
{
  outl (0xcf8, 0x80000000u | (uint32_t) devfn << 8 | (offset & 0xfc));
  return inl (0xcfc);
}

void
pci_write (uint8_t devfn, unsigned offset, uint32_t value)
{
  outl (0xcf8, 0x80000000u | (uint32_t) devfn << 8 | (offset & 0xfc));
  outl (0xcfc, value);
}

unsigned
pci_capability (uint8_t devfn, uint8_t id)
{
  unsigned at = pci_read (devfn, 0x34) & 0xfc;

  for (unsigned n = 0; n < 48 && at != 0; n++)
    {
      uint32_t head = pci_read (devfn, at);

      if ((head & 0xff) == id)
        return at;
      at = (head >> 8) & 0xfc;
    }
  return 0;
}

uint64_t
pci_bar (uint8_t devfn, unsigned n, uint32_t fallback)
{
  uint32_t base = pci_read (devfn, 0x10 + 4 * n);

  if ((base & ~0xfu) == 0)
    {
      pci_write (devfn, 0x10 + 4 * n, fallback);
      base = fallback;
    }
  pci_write (devfn, 4, pci_read (devfn, 4) | 7);
  return base & ~0xfu;
}

bool
test_pci (void)
{
  uint32_t ecam;
  unsigned found = 0;

  CHECK (pci_read (0, 0) == 0x29c08086, pci_read (0, 0));
  ecam = pci_read (0, 0x60);
  if ((ecam & 1) == 0)
    {
      pci_write (0, 0x64, 0);
      pci_write (0, 0x60, 0xe0000001);
      ecam = pci_read (0, 0x60);
    }
  CHECK ((ecam & 1) != 0, ecam);
  ecam &= 0xf0000000;
  for (unsigned devfn = 0; devfn < 256; devfn++)
    {
      uint32_t id = pci_read ((uint8_t) devfn, 0);

      if (MMIO32 (ecam + (devfn << 12)) != id)
        return fail ("both configuration mechanisms agree", devfn);
      found += id != 0xffffffff;
    }
  CHECK (found >= 4, found);
  CHECK (pci_read (0x1f << 3, 0) == 0x29188086, pci_read (0x1f << 3, 0));
  /* A write to a read-only register changes nothing. */
  pci_write (0, 0, 0);
  CHECK (pci_read (0, 0) == 0x29c08086, pci_read (0, 0));
  return true;
}

static uint64_t
swap64 (uint64_t v)
{
  return __builtin_bswap64 (v);
}

typedef struct
{
  uint32_t control, length;
  uint64_t address;
} __attribute__ ((packed)) DmaRequest;

/* One transfer by fw_cfg's DMA interface (QEMU fw_cfg specification, "DMA interface"). */
static bool
fw_cfg_dma (uint16_t key, void *to, uint32_t length)
{
  static volatile DmaRequest request;
  uint64_t                   at = (uintptr_t) &request;

  request.control = __builtin_bswap32 ((uint32_t) key << 16 | 0x0a); /* Select and read. */
  request.length = __builtin_bswap32 (length);
  request.address = swap64 ((uintptr_t) to);
  outl (0x514, __builtin_bswap32 ((uint32_t) (at >> 32)));
  outl (0x518, __builtin_bswap32 ((uint32_t) at));
  for (unsigned i = 0; i < 2000 && request.control != 0; i++)
    delay_ms (1);
  return request.control == 0;
}

uint8_t buffer[16384] __attribute__ ((aligned (4096)));

bool
same (const void *a, const char *b, unsigned n)
{
  const char *p = a;

  for (unsigned i = 0; i < n; i++)
    if (p[i] != b[i])
      return false;
  return true;
}

typedef struct
{
  uint32_t size;
  uint16_t select, reserved;
  char     name[56];
} __attribute__ ((packed)) FwFile;

static uint16_t
fw_cfg_find (const char *name, unsigned len, uint32_t *size)
{
  const FwFile *files = (const FwFile *) (buffer + 4);
  uint32_t      n;

  if (!fw_cfg_dma (0x19, buffer, sizeof buffer))
    return 0;
  n = __builtin_bswap32 (*(uint32_t *) buffer);
  for (uint32_t i = 0; i < n && i < 128; i++)
    if (same (files[i].name, name, len))
      {
        *size = __builtin_bswap32 (files[i].size);
        return __builtin_bswap16 (files[i].select);
      }
  return 0;
}

bool
test_fw_cfg (void)
{
  uint32_t size = 0;
  uint16_t key;

  outw (0x510, 0);
  for (unsigned i = 0; i < 4; i++)
    {
      uint8_t c = inb (0x511);

      CHECK (c == (uint8_t) "QEMU"[i], c);
    }
  CHECK (fw_cfg_dma (0, buffer, 4) && same (buffer, "QEMU", 4), buffer[0]);
  key = fw_cfg_find ("etc/e820", 9, &size);
  CHECK (key != 0 && size % 20 == 0 && size > 0, size);
  /* A transfer to where there is no memory says so. */
  {
    bool refused = !fw_cfg_dma (0, (void *) 0xfffffffff000, 4);

    CHECK (refused, 0);
  }
  return true;
}

static uint8_t
sum (const uint8_t *p, uint32_t n)
{
  uint8_t s = 0;

  while (n-- > 0)
    s = (uint8_t) (s + *p++);
  return s;
}

/* The RSDP that the firmware installed, and every table that it leads to, has a good checksum. */
bool
test_acpi (void)
{
  const uint8_t *rsdp = NULL, *rsdt;
  uint32_t       n;
  unsigned       seen = 0;

  for (uintptr_t at = 0xe0000; at < 0x100000 && rsdp == NULL; at += 16)
    if (same ((const void *) at, "RSD PTR ", 8) && sum ((const uint8_t *) at, 20) == 0)
      rsdp = (const uint8_t *) at;
  CHECK (rsdp != NULL, 0);
  rsdt = (const uint8_t *) (uintptr_t) *(const uint32_t *) (rsdp + 16);
  CHECK (same (rsdt, "RSDT", 4), *(const uint32_t *) rsdt);
  n = (*(const uint32_t *) (rsdt + 4) - 36) / 4;
  CHECK (n >= 3 && n < 32, n);
  CHECK (sum (rsdt, *(const uint32_t *) (rsdt + 4)) == 0, 0);
  for (uint32_t i = 0; i < n; i++)
    {
      const uint8_t *t = (const uint8_t *) (uintptr_t) *(const uint32_t *) (rsdt + 36 + 4 * i);

      CHECK (sum (t, *(const uint32_t *) (t + 4)) == 0, *(const uint32_t *) t);
      seen |= same (t, "FACP", 4) ? 1 : same (t, "APIC", 4) ? 2 : same (t, "MCFG", 4) ? 4
                                                              : same (t, "HPET", 4)   ? 8
                                                                                      : 0;
    }
  CHECK (seen == 15, seen);
  return true;
}

/* Root ports: each has a bus of its own behind it, which both configuration mechanisms reach; there is
 * nothing on it, and asking does no harm. */
bool
test_root_ports (void)
{
  uint32_t ecam = pci_read (0, 0x60) & 0xf0000000;
  unsigned found = 0, used = 0;

  for (unsigned devfn = 0; devfn < 256; devfn++)
    {
      uint32_t buses;
      uint8_t  secondary;

      if (pci_read ((uint8_t) devfn, 0) == 0xffffffff || (pci_read ((uint8_t) devfn, 8) >> 16) != 0x0604)
        continue;
      found++;
      CHECK (((pci_read ((uint8_t) devfn, 0x0c) >> 16) & 0x7f) == 1, pci_read ((uint8_t) devfn, 0x0c));
      CHECK (pci_capability ((uint8_t) devfn, 0x10) != 0, devfn); /* PCI Express */
      buses = pci_read ((uint8_t) devfn, 0x18);
      secondary = (uint8_t) (buses >> 8);
      if (secondary == 0)
        continue;
      used++;
      outl (0xcf8, 0x80000000u | (uint32_t) secondary << 16);
      CHECK (inl (0xcfc) == 0xffffffff, devfn);
      if (ecam != 0)
        CHECK (MMIO32 (ecam + ((uint32_t) secondary << 20)) == 0xffffffff, devfn);
    }
  CHECK (found > 0, found);
  CHECK (used == found, used); /* The firmware has numbered them all. */
  return true;
}
