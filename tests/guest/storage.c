/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tests of the SATA controller with its disk and CD drive (AHCI 1.3.1, ACS-3, MMC-6): reading,
 * writing, queued commands, TRIM, media, and both kinds of interrupt.
 */
#include "guest.h"

#define SIGNATURE_DISK 0x00000101u
#define SIGNATURE_CD 0xeb140101u

/* Registers, AHCI 3.1 and 3.3. */
#define HBA_GHC 0x04
#define HBA_IS 0x08
#define HBA_PI 0x0c
#define PORT_CLB 0x00
#define PORT_FB 0x08
#define PORT_IS 0x10
#define PORT_IE 0x14
#define PORT_CMD 0x18
#define PORT_TFD 0x20
#define PORT_SIG 0x24
#define PORT_SSTS 0x28
#define PORT_SERR 0x30
#define PORT_SACT 0x34
#define PORT_CI 0x38

static uint32_t command_list[256] __attribute__ ((aligned (1024)));
static uint32_t received[64] __attribute__ ((aligned (256)));
static uint32_t tables[32][64] __attribute__ ((aligned (128)));

static const uint8_t ahci_fn = 0x1f << 3 | 2;

typedef struct
{
  uint8_t        ata, features;
  uint64_t       lba;
  uint16_t       count;
  const uint8_t *packet; /* Twelve bytes, for PACKET. */
  void          *data;
  uint32_t       bytes;  /* 0: none. */
  bool           write;
} Command;

static void
port_start (uint32_t port)
{
  MMIO32 (port + PORT_CMD) &= ~0x11u;
  for (unsigned i = 0; i < 500 && (MMIO32 (port + PORT_CMD) & 0xc000) != 0; i++)
    delay_ms (1);
  MMIO32 (port + PORT_CLB) = (uint32_t) (uintptr_t) command_list;
  MMIO32 (port + PORT_CLB + 4) = 0;
  MMIO32 (port + PORT_FB) = (uint32_t) (uintptr_t) received;
  MMIO32 (port + PORT_FB + 4) = 0;
  MMIO32 (port + PORT_SERR) = 0xffffffff;
  MMIO32 (port + PORT_IS) = 0xffffffff;
  MMIO32 (port + PORT_CMD) |= 0x10;
  MMIO32 (port + PORT_CMD) |= 0x01;
}

/* The command header and table of @slot (AHCI 4.2.2 and 4.2.3). */
static void
prepare (unsigned slot, const Command *c)
{
  uint32_t *table = tables[slot];

  for (unsigned i = 0; i < 64; i++)
    table[i] = 0;
  table[0] = 0x27 | 0x8000 | (uint32_t) c->ata << 16 | (uint32_t) c->features << 24
             | (c->packet != NULL ? 1u << 24 : 0);
  table[1] = (uint32_t) (c->lba & 0xffffff) | 0x40000000;
  table[2] = (uint32_t) (c->lba >> 24) & 0xffffff;
  table[3] = c->count;
  if (c->packet != NULL)
    for (unsigned i = 0; i < 12; i++)
      ((uint8_t *) table)[0x40 + i] = c->packet[i];
  table[32] = (uint32_t) (uintptr_t) c->data;
  table[35] = (c->bytes - 1) | 0x80000000u;
  command_list[8 * slot] = 5 | (c->packet != NULL ? 0x20 : 0) | (c->write ? 0x40 : 0)
                           | (c->bytes != 0 ? 1u << 16 : 0);
  command_list[8 * slot + 1] = 0;
  command_list[8 * slot + 2] = (uint32_t) (uintptr_t) table;
  command_list[8 * slot + 3] = 0;
}

/* False where the commands of @slots don't end, or one ends in an error. */
static bool
finish (uint32_t port, uint32_t slots)
{
  for (unsigned i = 0; i < 5000; i++)
    {
      if (((MMIO32 (port + PORT_CI) | MMIO32 (port + PORT_SACT)) & slots) == 0)
        return (MMIO32 (port + PORT_TFD) & 1) == 0;
      if ((MMIO32 (port + PORT_IS) & 0x40000000) != 0)
        return false;
      delay_ms (1);
    }
  return false;
}

static bool
run (uint32_t port, const Command *c)
{
  prepare (0, c);
  MMIO32 (port + PORT_IS) = 0xffffffff;
  MMIO32 (port + PORT_CI) = 1;
  return finish (port, 1);
}

static bool
packet (uint32_t port, const uint8_t *cdb, uint32_t bytes)
{
  return run (port, &(Command){ .ata = 0xa0, .lba = 2048u << 8, .packet = cdb, .data = buffer,
                                .bytes = bytes });
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
  MMIO32 (base + HBA_GHC) |= 0x80000000;
  for (unsigned n = 0; n < 6; n++)
    {
      uint32_t port = base + 0x100 + 0x80 * n;

      if ((MMIO32 (base + HBA_PI) & (1u << n)) == 0 || (MMIO32 (port + PORT_SSTS) & 0xf) != 3)
        continue;
      port_start (port);
      delay_ms (1);
      if (MMIO32 (port + PORT_SIG) == signature)
        return port;
    }
  return 0;
}

static bool
identify (uint32_t port, uint8_t ata)
{
  return run (port, &(Command){ .ata = ata, .data = buffer, .bytes = 512 });
}

bool
test_ahci (void)
{
  uint32_t port = ahci_port (SIGNATURE_DISK);

  CHECK (port != 0, ahci_base ());
  CHECK (identify (port, 0xec), MMIO32 (port + PORT_TFD));
  CHECK ((buffer[49 * 2 + 1] & 2) != 0, buffer[49 * 2 + 1]); /* LBA. */
  /* The test's disk has each sector's number in its first four bytes. */
  CHECK (run (port, &(Command){ .ata = 0x25, .lba = 5, .count = 2, .data = buffer, .bytes = 1024 }),
         MMIO32 (port + PORT_TFD));
  CHECK (*(uint32_t *) buffer == 5, *(uint32_t *) buffer);
  CHECK (*(uint32_t *) (buffer + 512) == 6, *(uint32_t *) (buffer + 512));
  /* One past the end is an error, not a hang, and the port works again when it's restarted. */
  CHECK (!run (port, &(Command){ .ata = 0x25, .lba = 4096, .count = 1, .data = buffer, .bytes = 512 }),
         MMIO32 (port + PORT_TFD));
  port_start (port);
  CHECK (identify (port, 0xec), MMIO32 (port + PORT_TFD));
  return true;
}

/* Sectors 100 to 103 get what the host looks for afterwards. */
bool
test_ahci_write (void)
{
  uint32_t port = ahci_port (SIGNATURE_DISK);

  CHECK (port != 0, ahci_base ());
  for (unsigned i = 0; i < 2048; i++)
    buffer[i] = (uint8_t) (i * 7 + (i >> 8));
  CHECK (run (port, &(Command){ .ata = 0x35, .lba = 100, .count = 4, .data = buffer, .bytes = 2048,
                                .write = true }),
         MMIO32 (port + PORT_TFD));
  CHECK (run (port, &(Command){ .ata = 0xea }), MMIO32 (port + PORT_TFD)); /* FLUSH CACHE EXT */
  for (unsigned i = 0; i < 2048; i++)
    buffer[i] = 0;
  CHECK (run (port, &(Command){ .ata = 0x25, .lba = 100, .count = 4, .data = buffer, .bytes = 2048 }),
         MMIO32 (port + PORT_TFD));
  for (unsigned i = 0; i < 2048; i++)
    CHECK (buffer[i] == (uint8_t) (i * 7 + (i >> 8)), i);
  return true;
}

/* Native command queuing (ACS-3, 7.63 and 7.65): four writes at once, then four reads. */
bool
test_ncq (void)
{
  uint32_t port = ahci_port (SIGNATURE_DISK);

  CHECK (port != 0, ahci_base ());
  CHECK (identify (port, 0xec), MMIO32 (port + PORT_TFD));
  CHECK ((buffer[76 * 2 + 1] & 1) != 0, buffer[76 * 2 + 1]); /* Word 76 bit 8: NCQ. */
  for (unsigned pass = 0; pass < 2; pass++)
    {
      for (unsigned tag = 0; tag < 4; tag++)
        {
          uint8_t *data = buffer + 512 * tag;

          for (unsigned i = 0; i < 512; i++)
            data[i] = pass == 0 ? (uint8_t) (i ^ (0x31 * tag)) : 0;
          /* The count is in the features, the tag in the count's bits 7 to 3. */
          prepare (tag, &(Command){ .ata = pass == 0 ? 0x61 : 0x60, .features = 1, .lba = 200 + 2 * tag,
                                    .count = (uint16_t) (tag << 3), .data = data, .bytes = 512,
                                    .write = pass == 0 });
        }
      MMIO32 (port + PORT_IS) = 0xffffffff;
      MMIO32 (port + PORT_SACT) = 0xf;
      MMIO32 (port + PORT_CI) = 0xf;
      CHECK (finish (port, 0xf), MMIO32 (port + PORT_TFD));
    }
  for (unsigned i = 0; i < 2048; i++)
    CHECK (buffer[i] == (uint8_t) ((i & 511) ^ (0x31 * (i / 512))), i);
  return true;
}

/* DATA SET MANAGEMENT with TRIM (ACS-3, 7.10): on a raw file sectors 300 to 307 become a hole, which
 * reads as zeros; their neighbours are what they were. */
bool
test_trim (void)
{
  uint32_t port = ahci_port (SIGNATURE_DISK);

  CHECK (port != 0, ahci_base ());
  CHECK (identify (port, 0xec), MMIO32 (port + PORT_TFD));
  CHECK ((buffer[169 * 2] & 1) != 0, buffer[169 * 2]);
  for (unsigned i = 0; i < 512; i++)
    buffer[i] = 0;
  *(uint64_t *) buffer = 300 | (uint64_t) 8 << 48;
  CHECK (run (port, &(Command){ .ata = 0x06, .features = 1, .count = 1, .data = buffer, .bytes = 512,
                                .write = true }),
         MMIO32 (port + PORT_TFD));
  CHECK (run (port, &(Command){ .ata = 0x25, .lba = 299, .count = 10, .data = buffer, .bytes = 5120 }),
         MMIO32 (port + PORT_TFD));
  CHECK (*(uint32_t *) buffer == 299, *(uint32_t *) buffer);
  for (unsigned i = 512; i < 512 + 4096; i++)
    CHECK (buffer[i] == 0, i);
  CHECK (*(uint32_t *) (buffer + 512 + 4096) == 308, *(uint32_t *) (buffer + 512 + 4096));
  return true;
}

static const uint8_t test_unit_ready[12] = { 0 };

/* Until the drive is ready, past the unit attentions on the way: a medium that came with power has
 * changed, too. */
static bool
wait_ready (uint32_t port, unsigned tries)
{
  for (unsigned i = 0; i < tries; i++)
    {
      if (packet (port, test_unit_ready, 0))
        return true;
      port_start (port);
      delay_ms (10);
    }
  return false;
}

/* REQUEST SENSE: key, and additional code with qualifier. */
static uint32_t
sense (uint32_t port)
{
  static const uint8_t cdb[12] = { 0x03, 0, 0, 0, 18 };

  if (!packet (port, cdb, 18))
    {
      port_start (port);
      return 0xffffff;
    }
  return (uint32_t) (buffer[2] & 0xf) << 16 | (uint32_t) buffer[12] << 8 | buffer[13];
}

static bool
read_volume (uint32_t port)
{
  static const uint8_t read10[12] = { 0x28, 0, 0, 0, 0, 16, 0, 0, 1 };

  return packet (port, read10, 2048) && same (buffer + 1, "CD001", 5);
}

bool
test_cdrom (void)
{
  uint32_t port = ahci_port (SIGNATURE_CD);

  CHECK (port != 0, ahci_base ());
  CHECK (identify (port, 0xa1), MMIO32 (port + PORT_TFD));
  CHECK (wait_ready (port, 10), MMIO32 (port + PORT_TFD));
  CHECK (read_volume (port), buffer[1]);
  return true;
}

/* The guest ejects; the host, when it reads "EJECTED", inserts another medium, which the guest is told
 * of by a unit attention, 28h/00h: the medium may have changed (MMC-6, 4.1.6 and SPC-3, 4.5.6). */
bool
test_media (void)
{
  static const uint8_t eject[12] = { 0x1b, 0, 0, 0, 2 };
  uint32_t             port = ahci_port (SIGNATURE_CD), code = 0;

  CHECK (port != 0, ahci_base ());
  CHECK (wait_ready (port, 10), MMIO32 (port + PORT_TFD));
  CHECK (packet (port, eject, 0), MMIO32 (port + PORT_TFD));
  CHECK (!packet (port, test_unit_ready, 0), 0);
  port_start (port);
  code = sense (port);
  CHECK ((code & 0xffff00) == 0x023a00, code); /* Not ready, medium not present. */
  print ("EJECTED\n");
  for (unsigned i = 0; i < 60000 && (code & 0xffff00) == 0x023a00; i++)
    {
      if (packet (port, test_unit_ready, 0))
        return fail ("a unit attention comes before the new medium", i);
      port_start (port);
      code = sense (port);
      delay_ms (1);
    }
  CHECK (code == 0x062800, code);
  CHECK (wait_ready (port, 10), MMIO32 (port + PORT_TFD));
  CHECK (read_volume (port), buffer[1]);
  return true;
}

/* A disk's completion by MSI. */
bool
test_msi (void)
{
  unsigned cap = pci_capability (ahci_fn, 0x05);
  uint32_t base = ahci_base (), port, control;

  CHECK (cap != 0, cap);
  port = ahci_port (SIGNATURE_DISK);
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
  MMIO32 (base + HBA_IS) = 0xffffffff;
  MMIO32 (port + PORT_IE) = 0xffffffff;
  MMIO32 (base + HBA_GHC) |= 2;
  CHECK (identify (port, 0xec), MMIO32 (port + PORT_TFD));
  CHECK (wait_count (VECTOR_MSI, 1, 1000), counts[VECTOR_MSI]);
  MMIO32 (base + HBA_GHC) &= ~2u;
  MMIO32 (port + PORT_IE) = 0;
  pci_write (ahci_fn, cap, control & ~0x10000u);
  return true;
}

/* The same by INTA#: level-triggered through the I/O APIC, where it comes again after each EOI until
 * the controller is quiet. Function 1f.2's pin A is GSI 16 to 23 by the routing that the chipset's
 * D31IR register holds (ICH9 10.1.41): PIRQA is GSI 16. */
bool
test_intx (void)
{
  uint32_t base = ahci_base (), port = ahci_port (SIGNATURE_DISK);
  unsigned gsi = 0;
  uint32_t seen;

  CHECK (port != 0, base);
  CHECK (((pci_read (ahci_fn, 0x3c) >> 8) & 0xff) == 1, pci_read (ahci_fn, 0x3c));
  for (unsigned i = 16; i < 24; i++)
    use_ioapic (i, true, true);
  MMIO32 (base + HBA_IS) = 0xffffffff;
  MMIO32 (port + PORT_IE) = 0xffffffff;
  MMIO32 (base + HBA_GHC) |= 2;
  prepare (0, &(Command){ .ata = 0xec, .data = buffer, .bytes = 512 });
  MMIO32 (port + PORT_IS) = 0xffffffff;
  MMIO32 (port + PORT_CI) = 1;
  CHECK (finish (port, 1), MMIO32 (port + PORT_TFD));
  for (unsigned i = 0; i < 100 && gsi == 0; i++)
    for (unsigned n = 16; n < 24; n++)
      if (wait_count (VECTOR_GSI + n, 1, 2))
        gsi = n;
  CHECK (gsi != 0, MMIO32 (base + HBA_IS));
  CHECK (wait_count (VECTOR_GSI + gsi, 3, 1000), counts[VECTOR_GSI + gsi]);
  MMIO32 (port + PORT_IE) = 0;
  MMIO32 (port + PORT_IS) = 0xffffffff;
  MMIO32 (base + HBA_IS) = 0xffffffff;
  seen = counts[VECTOR_GSI + gsi];
  CHECK (!wait_count (VECTOR_GSI + gsi, seen + 2, 20), counts[VECTOR_GSI + gsi]);
  MMIO32 (base + HBA_GHC) &= ~2u;
  return true;
}
