/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PCI configuration, and the tests of what is found through it or through fw_cfg: tables, display,
 * disk, CD, message-signalled interrupts.
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

static uint8_t buffer[16384] __attribute__ ((aligned (4096)));

static bool
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

/* The display: the first function of class 3. */
bool
test_vga (void)
{
  uint8_t  fn = 0;
  uint32_t lfb;

  for (unsigned slot = 1; slot < 31 && fn == 0; slot++)
    if ((pci_read ((uint8_t) (slot << 3), 8) >> 24) == 3)
      fn = (uint8_t) (slot << 3);
  CHECK (fn != 0, 0);
  /* The firmware's text page is live. */
  MMIO16 (0xb8000) = 0x0741;
  CHECK (MMIO16 (0xb8000) == 0x0741, MMIO16 (0xb8000));
  outw (0x1ce, 0);
  CHECK ((inw (0x1cf) & 0xfff0) == 0xb0c0, inw (0x1cf));
  lfb = (uint32_t) pci_bar (fn, 0, 0xc0000000);
  outw (0x1ce, 4);
  outw (0x1cf, 0);
  outw (0x1ce, 1);
  outw (0x1cf, 640);
  outw (0x1ce, 2);
  outw (0x1cf, 480);
  outw (0x1ce, 3);
  outw (0x1cf, 32);
  outw (0x1ce, 4);
  outw (0x1cf, 0x41);
  for (unsigned y = 0; y < 480; y += 16)
    for (unsigned x = 0; x < 640; x += 16)
      MMIO32 (lfb + (y * 640 + x) * 4) = 0x00ff8000u + x;
  CHECK (MMIO32 (lfb + (16 * 640 + 32) * 4) == 0x00ff8000 + 32, MMIO32 (lfb + (16 * 640 + 32) * 4));
  return true;
}

/* AHCI ----------------------------------------------------------------------------------------- */

static uint32_t command_list[256] __attribute__ ((aligned (1024)));
static uint32_t received[64] __attribute__ ((aligned (256)));
static uint32_t table[64] __attribute__ ((aligned (128)));

static const uint8_t ahci_fn = 0x1f << 3 | 2;

static void
port_start (uint32_t port)
{
  MMIO32 (port + 0x18) &= ~0x11u;
  for (unsigned i = 0; i < 500 && (MMIO32 (port + 0x18) & 0xc000) != 0; i++)
    delay_ms (1);
  MMIO32 (port + 0x00) = (uint32_t) (uintptr_t) command_list;
  MMIO32 (port + 0x04) = 0;
  MMIO32 (port + 0x08) = (uint32_t) (uintptr_t) received;
  MMIO32 (port + 0x0c) = 0;
  MMIO32 (port + 0x30) = 0xffffffff;
  MMIO32 (port + 0x10) = 0xffffffff;
  MMIO32 (port + 0x18) |= 0x10;
  MMIO32 (port + 0x18) |= 0x01;
}

/* One command in slot 0; false where it doesn't end, or ends in an error. */
static bool
command (uint32_t port, uint8_t ata, uint64_t lba, uint16_t count, const uint8_t *packet, uint32_t bytes)
{
  for (unsigned i = 0; i < 64; i++)
    table[i] = 0;
  table[0] = 0x27 | 0x8000 | (uint32_t) ata << 16 | (packet != NULL ? 1u << 24 : 0);
  table[1] = (uint32_t) (lba & 0xffffff) | 0x40000000;
  table[2] = (uint32_t) (lba >> 24) & 0xffffff;
  table[3] = count;
  if (packet != NULL)
    for (unsigned i = 0; i < 12; i++)
      ((uint8_t *) table)[0x40 + i] = packet[i];
  table[32] = (uint32_t) (uintptr_t) buffer;
  table[35] = (bytes - 1) | 0x80000000u;
  command_list[0] = 5 | (packet != NULL ? 0x20 : 0) | 1u << 16;
  command_list[1] = 0;
  command_list[2] = (uint32_t) (uintptr_t) table;
  command_list[3] = 0;
  MMIO32 (port + 0x10) = 0xffffffff;
  MMIO32 (port + 0x38) = 1;
  for (unsigned i = 0; i < 5000; i++)
    {
      if ((MMIO32 (port + 0x38) & 1) == 0)
        return (MMIO32 (port + 0x20) & 1) == 0;
      if ((MMIO32 (port + 0x10) & 0x40000000) != 0)
        return false;
      delay_ms (1);
    }
  return false;
}

static uint32_t
ahci_base (void)
{
  if (pci_read (ahci_fn, 0) != 0x29228086)
    return 0;
  return (uint32_t) pci_bar (ahci_fn, 5, 0xfebf0000);
}

/* The first port whose device has @signature. */
static uint32_t
ahci_port (uint32_t signature)
{
  uint32_t base = ahci_base ();

  if (base == 0)
    return 0;
  MMIO32 (base + 4) |= 0x80000000;
  for (unsigned n = 0; n < 6; n++)
    {
      uint32_t port = base + 0x100 + 0x80 * n;

      if ((MMIO32 (base + 0x0c) & (1u << n)) == 0 || (MMIO32 (port + 0x28) & 0xf) != 3)
        continue;
      port_start (port);
      delay_ms (1);
      if (MMIO32 (port + 0x24) == signature)
        return port;
    }
  return 0;
}

bool
test_ahci (void)
{
  uint32_t port = ahci_port (0x00000101);

  CHECK (port != 0, ahci_base ());
  CHECK (command (port, 0xec, 0, 0, NULL, 512), MMIO32 (port + 0x20));
  CHECK ((buffer[49 * 2 + 1] & 2) != 0, buffer[49 * 2 + 1]); /* LBA. */
  /* The test's disk has each sector's number in its first four bytes. */
  CHECK (command (port, 0x25, 5, 2, NULL, 1024), MMIO32 (port + 0x20));
  CHECK (*(uint32_t *) buffer == 5, *(uint32_t *) buffer);
  CHECK (*(uint32_t *) (buffer + 512) == 6, *(uint32_t *) (buffer + 512));
  return true;
}

bool
test_cdrom (void)
{
  static const uint8_t read10[12] = { 0x28, 0, 0, 0, 0, 16, 0, 0, 1 };
  static const uint8_t ready[12] = { 0 };
  uint32_t             port = ahci_port (0xeb140101);
  bool                 done = false;

  CHECK (port != 0, ahci_base ());
  CHECK (command (port, 0xa1, 0, 0, NULL, 512), MMIO32 (port + 0x20));
  /* Unit attention first: a medium that came with power has changed, too. */
  for (unsigned i = 0; i < 4 && !done; i++)
    {
      done = command (port, 0xa0, 0, 0, ready, 8);
      if (!done)
        port_start (port);
    }
  CHECK (done, MMIO32 (port + 0x20));
  CHECK (command (port, 0xa0, 2048u << 8, 0, read10, 2048), MMIO32 (port + 0x20));
  CHECK (same (buffer + 1, "CD001", 5), buffer[1]);
  return true;
}

/* A disk's completion by MSI, if the controller has it. */
bool
test_msi (void)
{
  unsigned cap = pci_capability (ahci_fn, 0x05);
  uint32_t base = ahci_base (), port, control;

  CHECK (cap != 0, cap);
  port = ahci_port (0x00000101);
  CHECK (port != 0, base);
  pci_write (ahci_fn, cap + 4, LAPIC);
  control = pci_read (ahci_fn, cap);
  if ((control & 0x800000) != 0)
    {
      pci_write (ahci_fn, cap + 8, 0);
      pci_write (ahci_fn, cap + 12, VECTOR_MSI);
    }
  else
    pci_write (ahci_fn, cap + 8, VECTOR_MSI);
  pci_write (ahci_fn, cap, (control & 0xff8fffff) | 0x10000);
  MMIO32 (base + 8) = 0xffffffff;
  MMIO32 (port + 0x14) = 0xffffffff;
  MMIO32 (base + 4) |= 2;
  CHECK (command (port, 0xec, 0, 0, NULL, 512), MMIO32 (port + 0x20));
  CHECK (wait_count (VECTOR_MSI, 1, 1000), counts[VECTOR_MSI]);
  MMIO32 (base + 4) &= ~2u;
  MMIO32 (port + 0x14) = 0;
  pci_write (ahci_fn, cap, control & ~0x10000u);
  return true;
}
