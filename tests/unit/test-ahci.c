/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The AHCI controller with a disk and a CD drive, as a driver sees them.
 */
#include "ahci-driver.h"

#include <errno.h>

#define DISK_SECTORS 65600u
#define CD_BLOCKS 100u

typedef struct
{
  AhciDriver *d;
  uint8_t    *disk, *cd; /* What was put on them. */
  FaultBlock *fault;     /* Above the disk. */
  FaultBlock *cd_fault;
} Fixture;

static uint8_t *
pattern (size_t len, guint32 seed)
{
  GRand   *rand = g_rand_new_with_seed (seed);
  uint8_t *p = g_malloc (len);

  for (size_t i = 0; i + 4 <= len; i += 4)
    vt_st32 (p + i, g_rand_int (rand));
  g_rand_free (rand);
  return p;
}

/* Port 0: a disk; 1: a CD drive; 2: an empty CD drive; 3: nothing. */
static void
setup (Fixture *f, gconstpointer data)
{
  VtAhciWiring wiring[3] = {
    { .kind = VT_AHCI_DISK, .serial = "SERIAL-42", .model = "A Disk" },
    { .kind = VT_AHCI_CD },
    { .kind = VT_AHCI_CD },
  };

  f->disk = pattern (DISK_SECTORS * 512, 1);
  f->cd = pattern (CD_BLOCKS * 2048, 2);
  wiring[0].block =
      fault_block_new (vt_block_new_memory (f->disk, DISK_SECTORS * 512, false), &f->fault);
  wiring[1].block =
      fault_block_new (vt_block_new_memory (f->cd, CD_BLOCKS * 2048, true), &f->cd_fault);
  f->d = ahci_driver_new (wiring, 3, GPOINTER_TO_UINT (data));
  for (unsigned i = 0; i < 3; i++)
    ahci_port_start (f->d, i);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  ahci_driver_free (f->d);
  g_free (f->disk);
  g_free (f->cd);
}

static uint32_t
transfer (Fixture *f, uint8_t command, uint64_t lba, uint16_t count, uint32_t bytes)
{
  AhciPrd     prd[64];
  AhciCommand c = { .command = command, .device = 0x40, .lba = lba, .count = count, .prd = prd };
  VtGpa       at = DRIVER_DATA;

  /* Uneven pieces. */
  while (bytes > 0)
    {
      uint32_t len = MIN (bytes, c.n_prd % 2 == 0 ? 1026 : 1 << 20);

      g_assert_cmpuint (c.n_prd, <, 64);
      prd[c.n_prd++] = (AhciPrd){ .gpa = at, .len = len };
      at += len;
      bytes -= len;
    }
  return ahci_run (f->d, 0, &c);
}

static uint32_t
plain (Fixture *f, unsigned port, uint8_t command, uint16_t features, uint16_t count, uint64_t lba)
{
  AhciCommand c = {
    .command = command, .features = features, .count = count, .lba = lba, .device = 0x40
  };

  return ahci_run (f->d, port, &c);
}

static uint16_t
word (Fixture *f, unsigned n)
{
  return vt_ld16 (f->d->mem + DRIVER_DATA + 2 * n);
}

/* Controller ----------------------------------------------------------------------------------------- */

static void
test_registers (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;

  g_assert_cmphex (vt_pci_bus_read (d->bus, 0, 0xfa, 0, 4), ==, 0x29228086);
  g_assert_cmphex (vt_pci_bus_read (d->bus, 0, 0xfa, 8, 4) >> 8, ==, 0x010601);
  g_assert_cmphex (vt_pci_bus_read (d->bus, 0, 0xfa, 0xa8, 1), ==, 0x12);
  g_assert_cmphex (vt_pci_bus_read (d->bus, 0, 0xfa, 0xaa, 2), ==, 0x0010);
  g_assert_cmphex (vt_pci_bus_read (d->bus, 0, 0xfa, 0xac, 4), ==, 0x48);
  g_assert_cmphex (ahci_read (d, REG_CAP) & 0x1f, ==, 5);
  g_assert_cmphex (ahci_read (d, REG_CAP) >> 8 & 0x1f, ==, 31);
  g_assert_cmphex (ahci_read (d, REG_CAP) & 0xc0000000, ==, 0xc0000000);
  g_assert_cmphex (ahci_read (d, REG_PI), ==, 0x3f);
  g_assert_cmphex (ahci_read (d, REG_VS), ==, 0x00010301);
  g_assert_cmphex (ahci_read (d, REG_GHC), ==, 0x80000002);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SIG), ==, 0x00000101);
  g_assert_cmphex (ahci_port_read (d, 1, PORT_SIG), ==, 0xeb140101);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SSTS), ==, 0x133);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD), ==, 0x150);
  g_assert_cmphex (ahci_port_read (d, 1, PORT_TFD), ==, 0x100);
  g_assert_cmphex (ahci_port_read (d, 3, PORT_SSTS), ==, 0);
  g_assert_cmphex (ahci_port_read (d, 3, PORT_TFD), ==, 0x7f);
  g_assert_cmphex (ahci_port_read (d, 3, PORT_SIG), ==, 0xffffffff);

  /* Bytes are decoded; write-1-to-clear bits of the other bytes stay. */
  ahci_port_write (d, 0, PORT_CLB, 0xffffffff);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CLB), ==, 0xfffffc00);
  vt_region_write (d->abar, 0x100 + 3, 1, 0x12);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CLB), ==, 0x12fffc00);
  g_assert_cmphex (vt_region_read (d->abar, 0x103, 1), ==, 0x12);
  g_assert_cmphex (vt_region_read (d->abar, 0x100, 8), ==, 0x12fffc00);

  /* The index-data pair. */
  vt_region_write (d->legacy, 0x10, 4, 0x10);
  g_assert_cmphex (vt_region_read (d->legacy, 0x14, 4), ==, 0x00010301);
  vt_region_write (d->legacy, 0x10, 4, 0x100);
  vt_region_write (d->legacy, 0x14, 4, 0x100000);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CLB), ==, 0x100000);
  vt_region_write (d->legacy, 0x10, 4, 0xffffffff);
  g_assert_cmphex (vt_region_read (d->legacy, 0x10, 4), ==, 0xffc);
}

static void
test_reset (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;

  ahci_write (d, REG_GHC, 1);
  g_assert_cmphex (ahci_read (d, REG_GHC), ==, 0x80000000);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CLB), ==, ahci_header (0, 0));
  if (data != NULL)
    {
      /* The link waits to be asked for, and can be given up again. */
      g_assert_cmphex (ahci_read (d, REG_CAP) & 0x08000000, ==, 0x08000000);
      g_assert_cmphex (ahci_port_read (d, 0, PORT_CMD), ==, 4);
      g_assert_cmphex (ahci_port_read (d, 0, PORT_SSTS), ==, 0);
      ahci_port_write (d, 0, PORT_CMD, 0x02);
      g_assert_cmphex (ahci_port_read (d, 0, PORT_SSTS), ==, 0x133);
      ahci_port_write (d, 0, PORT_CMD, 0x00);
      g_assert_cmphex (ahci_port_read (d, 0, PORT_SSTS), ==, 0);
      ahci_port_write (d, 0, PORT_CMD, 0x02);
    }
  else
    {
      g_assert_cmphex (ahci_read (d, REG_CAP) & 0x08000000, ==, 0);
      ahci_port_write (d, 0, PORT_CMD, 0x00);
      g_assert_cmphex (ahci_port_read (d, 0, PORT_CMD), ==, 6);
    }
  /* The signature waits for FRE. */
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SSTS), ==, 0x133);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD), ==, 0xff);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SIG), ==, 0xffffffff);
  memset (d->mem + ahci_fis_area (0), 0, 256);
  ahci_port_write (d, 0, PORT_CMD, 0x12);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SIG), ==, 0x101);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD), ==, 0x150);
  g_assert_cmphex (d->mem[ahci_fis_area (0) + 0x40], ==, 0x34);
  g_assert_cmphex (d->mem[ahci_fis_area (0) + 0x4c], ==, 1);

  /* COMRESET, at a lower speed; what changed is told by PxSERR and PxIS. */
  ahci_port_write (d, 0, PORT_SERR, 0xffffffff);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS) & 0x400040, ==, 0);
  ahci_port_write (d, 0, PORT_SCTL, 0x11);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SSTS), ==, 0);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD), ==, 0x7f);
  ahci_port_write (d, 0, PORT_SCTL, 0x10);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SSTS), ==, 0x113);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SERR), ==, 0x04010000);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS) & 0x400040, ==, 0x400040);
  ahci_port_write (d, 0, PORT_IS, 0xffffffff);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS) & 0x400040, ==, 0x400040);

  /* The interface switched off, and on. */
  ahci_port_write (d, 0, PORT_SCTL, 0x04);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SSTS), ==, 4);
  ahci_port_write (d, 0, PORT_SCTL, 0x00);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SSTS), ==, 0x133);
}

/* Soft reset by two control frames, as Linux does it. */
static void
test_soft_reset (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;

  for (unsigned port = 0; port < 2; port++)
    {
      AhciCommand c = { 0 };
      uint8_t    *fis = d->mem + ahci_table (port, 0);

      plain (f, port, 0xef, 0x02, 0, 0);
      ahci_build (d, port, 0, &c);
      vt_st32 (d->mem + ahci_header (port, 0), 5 | 0x500);
      fis[1] = 0;
      fis[15] = 4;
      ahci_issue (d, port, 1, false);
      g_assert_true (ahci_wait (d, port, 1));
      g_assert_cmphex (ahci_port_read (d, port, PORT_TFD) & 0x80, ==, 0x80);
      vt_st32 (d->mem + ahci_header (port, 0), 5);
      fis[15] = 0;
      ahci_issue (d, port, 1, false);
      g_assert_true (ahci_wait (d, port, 1));
      g_assert_cmphex (ahci_port_read (d, port, PORT_TFD), ==, port == 0 ? 0x150 : 0x100);
      g_assert_cmphex (d->mem[ahci_fis_area (port) + 0x45], ==, port == 0 ? 0 : 0x14);
    }
}

static void
test_interrupts (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  uint8_t     devfn = d->hba->fn.devfn;

  ahci_port_write (d, 0, PORT_IS, 0xffffffff);
  ahci_write (d, REG_IS, 0xffffffff);
  g_assert_cmphex (vt_pci_bus_read (d->bus, 0, devfn, 6, 2) & 8, ==, 0);
  g_assert_cmphex (plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS), ==, 1);
  g_assert_cmphex (ahci_read (d, REG_IS), ==, 1);
  g_assert_cmphex (vt_pci_bus_read (d->bus, 0, devfn, 6, 2) & 8, ==, 8);
  ahci_write (d, REG_IS, 1);
  g_assert_cmphex (ahci_read (d, REG_IS), ==, 1); /* The port still says so. */
  ahci_port_write (d, 0, PORT_IS, 1);
  ahci_write (d, REG_IS, 1);
  g_assert_cmphex (ahci_read (d, REG_IS), ==, 0);
  g_assert_cmphex (vt_pci_bus_read (d->bus, 0, devfn, 6, 2) & 8, ==, 0);

  /* MSI: one message a rise, and one more where a port is left after an acknowledgement. */
  vt_pci_bus_write (d->bus, 0, devfn, 0x84, 4, 0xfee00000);
  vt_pci_bus_write (d->bus, 0, devfn, 0x88, 4, 0);
  vt_pci_bus_write (d->bus, 0, devfn, 0x8c, 2, 0x41);
  vt_pci_bus_write (d->bus, 0, devfn, 0x82, 2, 1);
  g_assert_true (vt_pci_msi_enabled (&d->hba->fn));
  plain (f, 0, 0xe7, 0, 0, 0);
  g_assert_cmpuint (d->messages, ==, 1);
  plain (f, 1, 0xe5, 0, 0, 0);
  g_assert_cmpuint (d->messages, ==, 1);
  ahci_port_write (d, 0, PORT_IS, 1);
  ahci_write (d, REG_IS, 1);
  g_assert_cmphex (ahci_read (d, REG_IS), ==, 2);
  g_assert_cmpuint (d->messages, ==, 2);
  ahci_port_write (d, 1, PORT_IS, 1);
  ahci_write (d, REG_IS, 2);
  g_assert_cmpuint (d->messages, ==, 2);
}

/* The disk -------------------------------------------------------------------------------------------- */

static void
test_identify (Fixture *f, gconstpointer data)
{
  AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 512, .interrupt = true };
  AhciCommand c = { .command = 0xec, .prd = &prd, .n_prd = 1 };
  uint8_t     sum = 0;

  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x50);
  g_assert_cmpuint (ahci_prdbc (f->d, 0, 0), ==, 512);
  /* PIO: the setup frame is the answer, and the descriptor asked for an interrupt of its own. */
  g_assert_cmphex (ahci_port_read (f->d, 0, PORT_IS), ==, 0x22);
  g_assert_cmphex (f->d->mem[ahci_fis_area (0) + 0x20], ==, 0x5f);
  g_assert_cmphex (f->d->mem[ahci_fis_area (0) + 0x21], ==, 0x60);
  g_assert_cmphex (f->d->mem[ahci_fis_area (0) + 0x22], ==, 0x58);
  g_assert_cmphex (f->d->mem[ahci_fis_area (0) + 0x2f], ==, 0x50);
  g_assert_cmphex (vt_ld16 (f->d->mem + ahci_fis_area (0) + 0x30), ==, 512);
  g_assert_cmpmem (f->d->mem + DRIVER_DATA + 20, 10, "ESIRLA4- 2", 10);
  g_assert_cmpmem (f->d->mem + DRIVER_DATA + 54, 6, " AiDks", 6);
  g_assert_cmphex (word (f, 0), ==, 0x0040);
  g_assert_cmpuint (vt_ld32 (f->d->mem + DRIVER_DATA + 120), ==, DISK_SECTORS);
  g_assert_cmpuint (vt_ld64 (f->d->mem + DRIVER_DATA + 200), ==, DISK_SECTORS);
  g_assert_cmphex (word (f, 75), ==, 31);
  g_assert_cmphex (word (f, 76) & 0x100, ==, 0x100);
  g_assert_cmphex (word (f, 83), ==, 0x7400);
  g_assert_cmphex (word (f, 88), ==, 0x407f);
  g_assert_cmphex (word (f, 169), ==, 1);
  for (unsigned i = 0; i < 512; i++)
    sum = (uint8_t) (sum + f->d->mem[DRIVER_DATA + i]);
  g_assert_cmphex (sum, ==, 0);
  /* A packet device's command. */
  g_assert_cmphex (plain (f, 0, 0xa1, 0, 0, 0), ==, 0x451);
}

static void
check_read (Fixture *f, uint8_t command, uint64_t lba, uint16_t count, uint32_t sectors)
{
  memset (f->d->mem + DRIVER_DATA, 0xee, sectors * 512 + 512);
  g_assert_cmphex (transfer (f, command, lba, count, sectors * 512), ==, 0x50);
  g_assert_cmpuint (ahci_prdbc (f->d, 0, 0), ==, sectors * 512);
  g_assert_true (memcmp (f->d->mem + DRIVER_DATA, f->disk + lba * 512, sectors * 512) == 0);
  g_assert_cmphex (f->d->mem[DRIVER_DATA + sectors * 512], ==, 0xee);
}

static void
test_read (Fixture *f, gconstpointer data)
{
  check_read (f, 0x25, 0, 1, 1);
  check_read (f, 0x25, DISK_SECTORS - 9, 9, 9);
  check_read (f, 0xc8, 3, 0, 256);
  check_read (f, 0x20, 100, 5, 5);
  check_read (f, 0x24, 100, 300, 300);
  /* READ MULTIPLE can be switched off. */
  check_read (f, 0xc4, 7, 20, 20);
  g_assert_cmphex (plain (f, 0, 0xc6, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (transfer (f, 0xc4, 0, 4, 2048), ==, 0x451);
  g_assert_cmphex (plain (f, 0, 0xc6, 0, 3, 0), ==, 0x451);
  g_assert_cmphex (plain (f, 0, 0xc6, 0, 8, 0), ==, 0x50);
  check_read (f, 0xc4, 7, 20, 20);
  check_read (f, 0x29, 7, 20, 20);
  /* Past the end; by heads and cylinders; sector 0 of these. */
  g_assert_cmphex (transfer (f, 0x25, DISK_SECTORS - 1, 2, 1024), ==, 0x1051);
  g_assert_cmphex (transfer (f, 0x25, UINT64_C (0xffffffffffff), 1, 512), ==, 0x1051);
  {
    AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 512 };
    AhciCommand c = { .command = 0xc8, .count = 1, .prd = &prd, .n_prd = 1 };

    c.lba = 2 << 8 | 5;
    c.device = 1;
    g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x50);
    g_assert_cmpmem (f->d->mem + DRIVER_DATA, 512, f->disk + ((2 * 16 + 1) * 63 + 4) * 512, 512);
    c.lba = 2 << 8;
    g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x1051);
  }
  g_assert_cmphex (plain (f, 0, 0x40, 0, 5, 0), ==, 0x50);
  g_assert_cmphex (plain (f, 0, 0x42, 0, 5000, 0), ==, 0x50);
  g_assert_cmphex (plain (f, 0, 0x42, 0, 0, 100), ==, 0x1051);
}

/* The longest command there is: 65536 sectors, in more pieces than are mapped at once. */
static void
test_long (Fixture *f, gconstpointer data)
{
  AhciPrd     prd[16];
  AhciCommand c = { .command = 0x25, .device = 0x40, .prd = prd, .n_prd = 16 };

  /* All on the same 2 MiB: overlapping descriptors are the guest's own affair. */
  for (unsigned i = 0; i < 16; i++)
    prd[i] = (AhciPrd){ .gpa = DRIVER_DATA, .len = 2 << 20 };
  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x50);
  g_assert_cmpuint (ahci_prdbc (f->d, 0, 0), ==, 32 << 20);
  g_assert_cmpuint (f->fault->log->len, >, 1);
  g_assert_cmpmem (f->d->mem + DRIVER_DATA, 2 << 20, f->disk + (30 << 20), 2 << 20);
}

static void
check_write (Fixture *f, uint8_t command, uint64_t lba, uint16_t count, uint32_t sectors)
{
  g_autofree uint8_t *p = pattern (sectors * 512, (guint32) lba + command);

  memcpy (f->d->mem + DRIVER_DATA, p, sectors * 512);
  g_assert_cmphex (transfer (f, command, lba, count, sectors * 512), ==, 0x50);
  g_assert_cmpuint (ahci_prdbc (f->d, 0, 0), ==, sectors * 512);
  memcpy (f->disk + lba * 512, p, sectors * 512);
  check_read (f, 0x25, lba - 1, (uint16_t) (sectors + 2), sectors + 2);
}

static bool
last_fua (Fixture *f)
{
  for (guint i = f->fault->log->len; i-- > 0;)
    {
      VtBlockRequest *r = &g_array_index (f->fault->log, VtBlockRequest, i);

      if (r->op == VT_BLOCK_WRITE)
        return r->fua;
    }
  g_assert_not_reached ();
}

static void
test_write (Fixture *f, gconstpointer data)
{
  check_write (f, 0x35, 10, 3, 3);
  g_assert_false (last_fua (f));
  check_write (f, 0xca, 20, 4, 4);
  check_write (f, 0x30, 30, 5, 5);
  /* PIO out: the setup frame goes the other way, and the answer is a register frame. */
  g_assert_cmphex (f->d->mem[ahci_fis_area (0) + 0x40], ==, 0x34);
  check_write (f, 0x34, 40, 6, 6);
  plain (f, 0, 0xc6, 0, 4, 0);
  check_write (f, 0xc5, 50, 7, 7);
  check_write (f, 0x39, 60, 7, 7);
  check_write (f, 0x3d, 70, 1, 1);
  g_assert_true (last_fua (f));
  check_write (f, 0xce, 80, 1, 1);
  g_assert_true (last_fua (f));
  /* Without a write cache every write is through. */
  g_assert_cmphex (plain (f, 0, 0xef, 0x82, 0, 0), ==, 0x50);
  check_write (f, 0x35, 90, 1, 1);
  g_assert_true (last_fua (f));
  g_assert_cmphex (plain (f, 0, 0xef, 0x02, 0, 0), ==, 0x50);
  check_write (f, 0x35, 90, 1, 1);
  g_assert_false (last_fua (f));
}

static void
test_commands (Fixture *f, gconstpointer data)
{
  AhciPrd        prd = { .gpa = DRIVER_DATA, .len = 512 };
  AhciCommand    c = { .command = 0x2f, .count = 1, .prd = &prd, .n_prd = 1 };
  const uint8_t *d2h = f->d->mem + ahci_fis_area (0) + 0x40;
  guint          before = f->fault->log->len;

  g_assert_cmphex (plain (f, 0, 0x00, 0, 0, 0), ==, 0x451);
  g_assert_cmphex (plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (plain (f, 0, 0xea, 0, 0, 0), ==, 0x50);
  g_assert_cmpuint (f->fault->log->len, ==, before + 2);
  g_assert_cmphex (plain (f, 0, 0xe5, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (d2h[12], ==, 0xff);
  plain (f, 0, 0xe0, 0, 0, 0);
  plain (f, 0, 0xe5, 0, 0, 0);
  g_assert_cmphex (d2h[12], ==, 0x00);
  plain (f, 0, 0xe1, 0, 0, 0);
  plain (f, 0, 0xe5, 0, 0, 0);
  g_assert_cmphex (d2h[12], ==, 0x80);
  check_read (f, 0x25, 0, 1, 1);
  plain (f, 0, 0xe5, 0, 0, 0);
  g_assert_cmphex (d2h[12], ==, 0xff);
  g_assert_cmphex (plain (f, 0, 0x27, 0, 0, 0), ==, 0x50);
  g_assert_cmpuint (d2h[4] | d2h[5] << 8 | d2h[6] << 16, ==, DISK_SECTORS - 1);
  g_assert_cmphex (plain (f, 0, 0x90, 0, 0, 0), ==, 0x150);
  g_assert_cmphex (plain (f, 0, 0xef, 0x03, 0x45, 0), ==, 0x50);
  g_assert_cmphex (plain (f, 0, 0xef, 0x03, 0x77, 0), ==, 0x451);
  g_assert_cmphex (plain (f, 0, 0xef, 0x99, 0, 0), ==, 0x451);
  g_assert_cmphex (plain (f, 0, 0xf5, 0, 0, 0), ==, 0x451);
  g_assert_cmphex (plain (f, 0, 0xb0, 0xda, 0, 0xc24f00), ==, 0x50);
  g_assert_cmphex (d2h[5] | d2h[6] << 8, ==, 0xc24f);
  g_assert_cmphex (plain (f, 0, 0xb0, 0xda, 0, 0x124f00), ==, 0x451);
  /* Logs: the directory, and one that is not there. */
  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x50);
  g_assert_cmphex (word (f, 0), ==, 1);
  g_assert_cmphex (word (f, 0x10), ==, 1);
  c.lba = 0x30;
  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x451);
  /* Asleep it answers nothing until a reset. */
  g_assert_cmphex (plain (f, 0, 0xe6, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (plain (f, 0, 0xe5, 0, 0, 0) & 0x80, ==, 0x80);
  ahci_port_stop (f->d, 0);
  ahci_port_write (f->d, 0, PORT_SCTL, 1);
  ahci_port_write (f->d, 0, PORT_SCTL, 0);
  ahci_port_write (f->d, 0, PORT_CMD, 0x13);
  g_assert_cmphex (plain (f, 0, 0xe5, 0, 0, 0), ==, 0x50);
}

static void
test_trim (Fixture *f, gconstpointer data)
{
  AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 512 };
  AhciCommand c = {
    .command = 0x06, .features = 1, .count = 1, .device = 0x40, .prd = &prd, .n_prd = 1
  };
  uint8_t *entries = f->d->mem + DRIVER_DATA;
  guint    before = f->fault->log->len;

  memset (entries, 0, 512);
  vt_st64 (entries, UINT64_C (4) << 48 | 8);
  vt_st64 (entries + 8, UINT64_C (4) << 48 | 12); /* Follows: one discard for both. */
  vt_st64 (entries + 24, UINT64_C (1) << 48 | 100);
  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x50);
  g_assert_cmpuint (f->fault->log->len, ==, before + 2);
  memset (f->disk + 8 * 512, 0, 8 * 512);
  memset (f->disk + 100 * 512, 0, 512);
  check_read (f, 0x25, 0, 128, 128);
  /* One range that is not there: nothing is discarded. */
  before = f->fault->log->len;
  memset (entries, 0, 512);
  vt_st64 (entries, UINT64_C (4) << 48 | 200);
  vt_st64 (entries + 8, UINT64_C (2) << 48 | (DISK_SECTORS - 1));
  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x1051);
  g_assert_cmpuint (f->fault->log->len, ==, before);
  c.count = 9;
  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x451);
  c.count = 1;
  c.features = 0;
  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x451);
}

/* Queued commands -------------------------------------------------------------------------------------- */

static void
build_queued (Fixture *f, unsigned slot, bool write, uint64_t lba, uint16_t count)
{
  AhciPrd     prd = { .gpa = DRIVER_DATA + slot * 0x10000, .len = count * 512u };
  AhciCommand c = { .command = write ? 0x61 : 0x60, .device = 0x40, .features = count, .lba = lba,
                    .count = (uint16_t) (slot << 3), .prd = &prd, .n_prd = 1 };

  ahci_build (f->d, 0, slot, &c);
}

static void
test_queued (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;

  f->fault->hold = true;
  for (unsigned i = 0; i < 32; i++)
    build_queued (f, i, false, i * 1000, 8);
  ahci_issue (d, 0, 0xffffffff, true);
  /* All are taken, none is done. */
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CI), ==, 0);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SACT), ==, 0xffffffff);
  g_assert_cmpuint (f->fault->held.length, ==, 32);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD) & 0x89, ==, 0);
  fault_release (f->fault);
  g_assert_true (ahci_wait (d, 0, 0xffffffff));
  for (unsigned i = 0; i < 32; i++)
    g_assert_cmpmem (d->mem + DRIVER_DATA + i * 0x10000, 4096, f->disk + i * 1000 * 512, 4096);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS), ==, 8);
  g_assert_cmphex (d->mem[ahci_fis_area (0) + 0x58], ==, 0xa1);
  g_assert_cmphex (d->mem[ahci_fis_area (0)], ==, 0x41);

  /* Writes, one of them through the cache; then a command that is not queued waits for them. */
  f->fault->hold = true;
  memset (d->mem + DRIVER_DATA + 0x10000, 0x5a, 512);
  build_queued (f, 1, true, 50, 1);
  d->mem[ahci_table (0, 1) + 7] |= 0x80;
  {
    AhciCommand flush = { .command = 0xea, .device = 0x40 };

    ahci_build (d, 0, 2, &flush);
  }
  ahci_issue (d, 0, 2, true);
  ahci_issue (d, 0, 4, false);
  g_assert_cmpuint (f->fault->held.length, ==, 1);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CI), ==, 4);
  fault_release (f->fault);
  g_assert_true (ahci_wait (d, 0, 6));
  g_assert_true (last_fua (f));
  memset (f->disk + 50 * 512, 0x5a, 512);
  check_read (f, 0x25, 49, 3, 3);
}

static void
test_queued_error (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  AhciPrd     prd = { .gpa = DRIVER_DATA + 0x200000, .len = 512 };
  AhciCommand log = { .command = 0x2f, .count = 1, .lba = 0x10, .prd = &prd, .n_prd = 1 };
  uint8_t    *page = d->mem + prd.gpa;

  f->fault->hold = true;
  f->fault->op = VT_BLOCK_READ;
  f->fault->error = EIO;
  f->fault->from = 5000 * 512;
  for (unsigned i = 0; i < 8; i++)
    build_queued (f, i, false, i * 1000, 8);
  ahci_issue (d, 0, 0x3f, true);
  fault_release (f->fault);
  g_assert_false (ahci_wait (d, 0, 0x3f));
  /* Tag 5 failed; the others had ended before that was told. */
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SACT), ==, 0x20);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD) & 0xff01, ==, 0x4001);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS) & 0x40000008, ==, 0x40000008);
  /* Nothing more is taken until the port is restarted. */
  ahci_issue (d, 0, 0x40, true);
  g_assert_false (vt_context_dispatch (d->context));
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SACT), ==, 0x60);
  ahci_recover (d, 0);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_SACT), ==, 0);
  /* The drive refuses everything but its log. */
  g_assert_cmphex (plain (f, 0, 0xe7, 0, 0, 0), ==, 0x451);
  g_assert_cmphex (ahci_run (d, 0, &log), ==, 0x50);
  g_assert_cmphex (page[0], ==, 5);
  g_assert_cmphex (page[2] & 1, ==, 1);
  g_assert_cmphex (page[3], ==, 0x40);
  g_assert_cmpuint (page[4] | page[5] << 8, ==, 5000);
  g_assert_cmphex (plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (ahci_run (d, 0, &log), ==, 0x50);
  g_assert_cmphex (page[0], ==, 0x80);

  /* The same tag twice, and a range that is not there. */
  f->fault->error = 0;
  f->fault->hold = true;
  build_queued (f, 0, false, 0, 8);
  build_queued (f, 1, false, 0, 8);
  vt_st16 (d->mem + ahci_table (0, 1) + 12, 0);
  ahci_issue (d, 0, 3, true);
  fault_release (f->fault);
  g_assert_false (ahci_wait (d, 0, 3));
  ahci_recover (d, 0);
  build_queued (f, 3, false, DISK_SECTORS, 8);
  ahci_issue (d, 0, 8, true);
  g_assert_false (ahci_wait (d, 0, 8));
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD) >> 8, ==, 0x10);
  ahci_recover (d, 0);
  g_assert_cmphex (ahci_run (d, 0, &log), ==, 0x50);
  g_assert_cmphex (page[0], ==, 3);
}

/* Errors ------------------------------------------------------------------------------------------------ */

static void
test_errors (Fixture *f, gconstpointer data)
{
  f->fault->op = VT_BLOCK_READ;
  f->fault->error = EIO;
  g_assert_cmphex (transfer (f, 0x25, 7, 1, 512), ==, 0x4051);
  g_assert_cmphex (f->d->mem[ahci_fis_area (0) + 0x44], ==, 7);
  g_assert_cmphex (transfer (f, 0x20, 7, 1, 512), ==, 0x4051);
  g_assert_cmphex (plain (f, 0, 0x40, 0, 1, 7), ==, 0x4051);
  f->fault->op = VT_BLOCK_WRITE;
  f->fault->error = ENOSPC;
  g_assert_cmphex (transfer (f, 0x35, 7, 1, 512), ==, 0x451);
  check_read (f, 0x25, 7, 1, 1); /* Nothing is lost. */
  f->fault->op = VT_BLOCK_FLUSH;
  g_assert_cmphex (plain (f, 0, 0xe7, 0, 0, 0), ==, 0x451);
  f->fault->op = VT_BLOCK_DISCARD;
  memset (f->d->mem + DRIVER_DATA, 0, 512);
  vt_st64 (f->d->mem + DRIVER_DATA, UINT64_C (1) << 48 | 5);
  {
    AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 512 };
    AhciCommand c = { .command = 0x06, .features = 1, .count = 1, .prd = &prd, .n_prd = 1 };

    g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x451);
  }
  f->fault->error = 0;
  check_read (f, 0x25, 7, 1, 1);
}

/* The error interrupts: both the frame's and the fatal one, and the slot stays to be seen. */
static void
test_error_bits (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  AhciCommand c = { .command = 0x00 }, good = { .command = 0xe7 };

  ahci_port_write (d, 0, PORT_IS, 0xffffffff);
  ahci_build (d, 0, 5, &c);
  ahci_build (d, 0, 6, &good);
  ahci_issue (d, 0, 0x60, false);
  g_assert_false (ahci_wait (d, 0, 0x60));
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS), ==, 0x40000001);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CI), ==, 0x60);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CMD) >> 8 & 31, ==, 5);
  ahci_recover (d, 0);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CI), ==, 0);
  g_assert_cmphex (plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
}

static uint32_t
run_raw (Fixture *f, const AhciCommand *c)
{
  ahci_issue (f->d, 0, 1, false);
  g_assert_false (ahci_wait (f->d, 0, 1));
  return ahci_port_read (f->d, 0, PORT_IS);
}

static void
test_hostile (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  AhciPrd     prd[2] = { { .gpa = DRIVER_DATA, .len = 512 }, { .gpa = 0 } };
  AhciCommand c = { .command = 0x25, .device = 0x40, .count = 1, .prd = prd, .n_prd = 1 };

  /* A descriptor that is not memory, or wraps. */
  prd[0].gpa = DRIVER_RAM;
  ahci_build (d, 0, 0, &c);
  g_assert_cmphex (run_raw (f, &c) & 0x20000000, ==, 0x20000000);
  ahci_recover (d, 0);
  prd[0].gpa = UINT64_MAX - 255;
  ahci_build (d, 0, 0, &c);
  g_assert_cmphex (run_raw (f, &c) & 0x20000000, ==, 0x20000000);
  ahci_recover (d, 0);
  /* Half of it is. */
  prd[0].gpa = DRIVER_RAM - 256;
  ahci_build (d, 0, 0, &c);
  g_assert_cmphex (run_raw (f, &c) & 0x20000000, ==, 0x20000000);
  ahci_recover (d, 0);
  /* A table that is too short. */
  prd[0] = (AhciPrd){ .gpa = DRIVER_DATA, .len = 256 };
  ahci_build (d, 0, 0, &c);
  g_assert_cmphex (run_raw (f, &c) & 0x41000000, ==, 0x41000000);
  ahci_recover (d, 0);
  c.n_prd = 0;
  ahci_build (d, 0, 0, &c);
  g_assert_cmphex (run_raw (f, &c) & 0x41000000, ==, 0x41000000);
  ahci_recover (d, 0);
  /* A table that is not memory; one that ends with memory. */
  c.n_prd = 1;
  ahci_build (d, 0, 0, &c);
  vt_st64 (d->mem + ahci_header (0, 0) + 8, DRIVER_RAM + 128);
  g_assert_cmphex (run_raw (f, &c) & 0x20000000, ==, 0x20000000);
  ahci_recover (d, 0);
  ahci_build (d, 0, 0, &c);
  memcpy (d->mem + DRIVER_RAM - 128, d->mem + ahci_table (0, 0), 128);
  vt_st64 (d->mem + ahci_header (0, 0) + 8, DRIVER_RAM - 128);
  g_assert_cmphex (run_raw (f, &c) & 0x20000000, ==, 0x20000000);
  ahci_recover (d, 0);
  /* No register frame; a length that can't be. */
  ahci_build (d, 0, 0, &c);
  d->mem[ahci_table (0, 0)] = 0x46;
  g_assert_cmphex (run_raw (f, &c) & 0x08000000, ==, 0x08000000);
  ahci_recover (d, 0);
  ahci_build (d, 0, 0, &c);
  vt_st32 (d->mem + ahci_header (0, 0), 1);
  g_assert_cmphex (run_raw (f, &c) & 0x08000000, ==, 0x08000000);
  ahci_recover (d, 0);
  /* A command list that is not memory. */
  ahci_port_stop (d, 0);
  ahci_port_write (d, 0, PORT_CLB, 0xfffffc00);
  ahci_port_write (d, 0, PORT_CMD, 0x13);
  ahci_issue (d, 0, 1, false);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS) & 0x20000000, ==, 0x20000000);
  ahci_port_write (d, 0, PORT_CLB, (uint32_t) ahci_header (0, 0));
  ahci_recover (d, 0);
  /* A FIS area that is not. */
  ahci_port_write (d, 0, PORT_FB, 0xffffff00);
  ahci_build (d, 0, 0, &c);
  prd[0].len = 512;
  g_assert_cmphex (plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
  ahci_port_write (d, 0, PORT_FB, (uint32_t) ahci_fis_area (0));
  ahci_recover (d, 0);
  /* Bus mastering off. */
  vt_pci_bus_write (d->bus, 0, d->hba->fn.devfn, 4, 2, 3);
  ahci_build (d, 0, 0, &c);
  g_assert_cmphex (run_raw (f, &c) & 0x20000000, ==, 0x20000000);
  vt_pci_bus_write (d->bus, 0, d->hba->fn.devfn, 4, 2, 7);
  ahci_recover (d, 0);
  check_read (f, 0x25, 0, 1, 1);
}

/* A sector in the smallest pieces there can be, and a table of the greatest length. */
static void
test_crumbs (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  AhciCommand c = { .command = 0x25, .device = 0x40, .count = 128 };
  VtGpa       table = 4 * VT_MIB;

  ahci_build (d, 0, 0, &c);
  vt_st32 (d->mem + ahci_header (0, 0), 5 | 0xffff0000);
  vt_st64 (d->mem + ahci_header (0, 0) + 8, table);
  memcpy (d->mem + table, d->mem + ahci_table (0, 0), 128);
  for (unsigned i = 0; i < 65535; i++)
    {
      vt_st64 (d->mem + table + 128 + i * 16, DRIVER_DATA + i * 4);
      vt_st32 (d->mem + table + 128 + i * 16 + 12, 1);
    }
  ahci_issue (d, 0, 1, false);
  g_assert_true (ahci_wait (d, 0, 1));
  for (unsigned i = 0; i < 128 * 256; i++)
    g_assert_true (memcmp (d->mem + DRIVER_DATA + i * 4, f->disk + i * 2, 2) == 0);
}

/* Random lists, tables and frames, with a bit of sense so that something happens. */
static void
test_random (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  GRand      *rand = g_rand_new_with_seed (20240229);
  static const uint8_t commands[] = { 0x25, 0x35, 0x60, 0x61, 0xc8, 0xca, 0x20, 0x30, 0x06, 0xec,
                                      0xa0, 0xa1, 0x2f, 0xe7, 0xef, 0xb0, 0x42, 0xe0, 0x08 };

  for (unsigned round = 0; round < 3000; round++)
    {
      unsigned port = g_rand_int_range (rand, 0, 3), slots = g_rand_int (rand);

      for (unsigned slot = 0; slot < 32; slot++)
        {
          uint8_t *header = d->mem + ahci_header (port, slot);
          uint8_t *table = d->mem + ahci_table (port, slot);

          if (g_rand_int_range (rand, 0, 4) != 0)
            continue;
          for (unsigned i = 0; i < 0x200; i += 4)
            vt_st32 (table + i, g_rand_int (rand));
          vt_st32 (header, (g_rand_int (rand) & ~31u) | 5);
          vt_st64 (header + 8, ahci_table (port, slot));
          table[0] = 0x27;
          table[1] = g_rand_int_range (rand, 0, 20) != 0 ? 0x80 : 0;
          table[2] = commands[g_rand_int_range (rand, 0, G_N_ELEMENTS (commands))];
          table[5] = table[6] = table[8] = table[9] = table[10] = 0;
          table[13] &= 1;
          table[0x40] = (uint8_t[]){ 0x28, 0x43, 0x46, 0x4a, 0x5a, 0x55, 0x12, 0x1b,
                                     0xbe }[g_rand_int_range (rand, 0, 9)];
          for (unsigned i = 0; i < 8; i++)
            {
              vt_st64 (table + 0x80 + i * 16, g_rand_int (rand) & 0xffffff);
              if (g_rand_int_range (rand, 0, 30) == 0)
                vt_st64 (table + 0x80 + i * 16, g_rand_int (rand));
              vt_st32 (table + 0x80 + i * 16 + 12, g_rand_int (rand) & 0x8000ffff);
            }
          /* Lists and tables may well be overwritten by that: so much the better. */
        }
      ahci_port_write (d, port, PORT_SACT, slots & g_rand_int (rand));
      ahci_port_write (d, port, PORT_CI, slots);
      f->fault->hold = g_rand_int_range (rand, 0, 4) == 0;
      if (g_rand_boolean (rand))
        vt_context_dispatch (d->context);
      switch (g_rand_int_range (rand, 0, 8))
        {
        case 0:
          ahci_write (d, REG_GHC, 0x80000003);
          break;
        case 1:
          vt_device_reset (d->dev, VT_RESET_COLD);
          vt_pci_bus_write (d->bus, 0, d->hba->fn.devfn, 4, 2, 7);
          break;
        case 2:
          ahci_port_write (d, port, PORT_SCTL, 1);
          ahci_port_write (d, port, PORT_SCTL, 0);
          break;
        default:
          break;
        }
      fault_release (f->fault);
      while (vt_context_dispatch (d->context))
        ;
      ahci_port_write (d, port, PORT_CMD, 0);
      while (vt_context_dispatch (d->context))
        ;
      g_assert_cmphex (ahci_port_read (d, port, PORT_CMD) & 0x8001, ==, 0);
      ahci_port_write (d, port, PORT_SCTL, 1);
      ahci_port_write (d, port, PORT_SCTL, 0);
      ahci_port_start (d, port);
    }
  g_rand_free (rand);
  /* And still it works. */
  ahci_port_stop (d, 0);
  ahci_port_start (d, 0);
  g_assert_cmphex (plain (f, 0, 0xe7, 0, 0, 0) & 0xff, !=, 0);
}

/* In flight ------------------------------------------------------------------------------------------------ */

static void
hold_read (Fixture *f)
{
  AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 4096 };
  AhciCommand c = {
    .command = 0x25, .device = 0x40, .count = 8, .lba = 16, .prd = &prd, .n_prd = 1
  };

  f->fault->hold = true;
  ahci_build (f->d, 0, 0, &c);
  ahci_issue (f->d, 0, 1, false);
  g_assert_cmpuint (f->fault->held.length, ==, 1);
  g_assert_cmphex (ahci_port_read (f->d, 0, PORT_TFD) & 0x80, ==, 0x80);
}

static void
test_stop_in_flight (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;

  /* ST cleared: CR stays until memory is left alone, and the result is dropped. */
  hold_read (f);
  ahci_port_write (d, 0, PORT_IS, 0xffffffff);
  ahci_port_stop (d, 0);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CMD) & 0x8001, ==, 0x8000);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CI), ==, 0);
  fault_release (f->fault);
  while (vt_context_dispatch (d->context))
    ;
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CMD) & 0x8001, ==, 0);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS), ==, 0);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD) & 0x80, ==, 0x80);
  ahci_port_write (d, 0, PORT_CMD, 0x1a); /* CLO. */
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD) & 0x80, ==, 0);
  ahci_port_write (d, 0, PORT_CMD, 0x13);
  check_read (f, 0x25, 0, 1, 1);

  /* The controller's reset waits likewise. */
  hold_read (f);
  ahci_write (d, REG_GHC, 0x80000003);
  g_assert_cmphex (ahci_read (d, REG_GHC) & 1, ==, 1);
  ahci_port_write (d, 0, PORT_CMD, 0x12); /* Ignored meanwhile. */
  fault_release (f->fault);
  while (vt_context_dispatch (d->context))
    ;
  g_assert_cmphex (ahci_read (d, REG_GHC), ==, 0x80000000);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CMD), ==, 6);
  ahci_port_start (d, 0);
  check_read (f, 0x25, 0, 1, 1);

  /* COMRESET. */
  hold_read (f);
  ahci_port_write (d, 0, PORT_SCTL, 1);
  ahci_port_write (d, 0, PORT_SCTL, 0);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD), ==, 0x150);
  ahci_port_write (d, 0, PORT_CMD, 0x13);
  {
    AhciCommand c = { .command = 0xe5 };

    ahci_build (d, 0, 1, &c);
    ahci_issue (d, 0, 2, false);
  }
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CI), ==, 2);
  fault_release (f->fault);
  g_assert_true (ahci_wait (d, 0, 2));
}

/* The machine is reset while a read is under way: what comes of it is dropped. */
static void
test_reset_in_flight (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;

  hold_read (f);
  vt_device_reset (d->dev, VT_RESET_COLD);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD), ==, 0xff);
  fault_release (f->fault);
  while (vt_context_dispatch (d->context))
    ;
  g_assert_cmphex (ahci_port_read (d, 0, PORT_TFD), ==, 0xff);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_IS), ==, 0x400040);
  vt_pci_bus_write (d->bus, 0, d->hba->fn.devfn, 4, 2, 7);
  ahci_port_start (d, 0);
  check_read (f, 0x25, 0, 1, 1);
}

static void
paused_cb (void *data)
{
  *(bool *) data = true;
}

static void
test_pause (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  GByteArray *state = g_byte_array_new ();
  GError     *error = NULL;
  AhciCommand c = { .command = 0xe7 };
  bool        paused = false;

  hold_read (f);
  ahci_build (d, 0, 7, &c);
  ahci_issue (d, 0, 1u << 7, false);
  vt_device_pause (d->dev, paused_cb, &paused);
  g_assert_false (paused);
  fault_release (f->fault);
  while (vt_context_dispatch (d->context))
    ;
  g_assert_true (paused);
  /* The read is over; the flush has not begun, and is saved as what it is: a bit in PxCI. */
  g_assert_cmpmem (d->mem + DRIVER_DATA, 4096, f->disk + 16 * 512, 4096);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CI), ==, 0x80);
  vt_device_save (d->dev, state);
  vt_device_reset (d->dev, VT_RESET_COLD);
  g_assert_true (vt_device_load (d->dev, 1, state->data, state->len, &error));
  g_assert_no_error (error);
  vt_device_commit (d->dev);
  g_assert_cmphex (ahci_port_read (d, 0, PORT_CI), ==, 0x80);
  vt_device_resume (d->dev);
  g_assert_true (ahci_wait (d, 0, 0x80));
  check_read (f, 0x25, 0, 1, 1);
  g_byte_array_unref (state);
}

/* The device goes while requests are under way. */
static void
test_free_in_flight (Fixture *f, gconstpointer data)
{
  hold_read (f);
}

/* The CD drive ------------------------------------------------------------------------------------------------ */

static uint32_t
packet (Fixture *f, unsigned port, uint32_t len, const char *hex)
{
  uint8_t cdb[12] = { 0 };

  for (unsigned i = 0; i < 12 && hex[0] != '\0'; i++)
    {
      cdb[i] = (uint8_t) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));
      hex += 2 + (hex[2] == ' ');
    }
  return ahci_packet (f->d, port, cdb, len);
}

static void
test_cd_identify (Fixture *f, gconstpointer data)
{
  AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 512 };
  AhciCommand c = { .command = 0xa1, .prd = &prd, .n_prd = 1 };

  g_assert_cmphex (ahci_run (f->d, 1, &c), ==, 0x50);
  g_assert_cmphex (word (f, 0), ==, 0x85c0);
  /* IDENTIFY DEVICE is refused with the signature. */
  g_assert_cmphex (plain (f, 1, 0xec, 0, 0, 0), ==, 0x451);
  g_assert_cmphex (f->d->mem[ahci_fis_area (1) + 0x45], ==, 0x14);
  g_assert_cmphex (f->d->mem[ahci_fis_area (1) + 0x46], ==, 0xeb);
  g_assert_cmphex (packet (f, 1, 36, "12 00 00 00 24"), ==, 0);
  g_assert_cmphex (f->d->mem[DRIVER_DATA], ==, 5);
  g_assert_cmphex (f->d->mem[DRIVER_DATA + 1], ==, 0x80);
  g_assert_cmpmem (f->d->mem + DRIVER_DATA + 8, 8, "VITRINE ", 8);
  g_assert_cmpuint (ahci_prdbc (f->d, 1, 0), ==, 36);
  g_assert_cmphex (packet (f, 1, 36, "12 01 00 00 24"), ==, 0x052400);
  g_assert_cmphex (packet (f, 1, 0, "ff"), ==, 0x052000);
}

static void
test_cd_read (Fixture *f, gconstpointer data)
{
  uint8_t *at = f->d->mem + DRIVER_DATA;

  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0);
  g_assert_cmphex (packet (f, 1, 8, "25"), ==, 0);
  g_assert_cmphex (at[3], ==, CD_BLOCKS - 1);
  g_assert_cmphex (at[6], ==, 8);
  g_assert_cmphex (packet (f, 1, 6144, "28 00 00 00 00 05 00 00 03"), ==, 0);
  g_assert_cmpmem (at, 6144, f->cd + 5 * 2048, 6144);
  g_assert_cmphex (packet (f, 1, 2048, "a8 00 00 00 00 63 00 00 00 01"), ==, 0);
  g_assert_cmpmem (at, 2048, f->cd + 99 * 2048, 2048);
  g_assert_cmphex (packet (f, 1, 2048, "be 00 00 00 00 07 00 00 01 10"), ==, 0);
  g_assert_cmpmem (at, 2048, f->cd + 7 * 2048, 2048);
  g_assert_cmphex (packet (f, 1, 2048, "b9 00 00 00 02 04 00 02 05 10"), ==, 0);
  g_assert_cmpmem (at, 2048, f->cd + 4 * 2048, 2048);
  g_assert_cmphex (packet (f, 1, 4096, "28 00 00 00 00 63 00 00 02"), ==, 0x052100);
  g_assert_cmphex (packet (f, 1, 0, "28 00 00 00 00 63 00 00 00"), ==, 0);
  g_assert_cmphex (packet (f, 1, 2048, "be 04 00 00 00 07 00 00 01 10"), ==, 0x052400);
  g_assert_cmphex (packet (f, 1, 0, "2f 00 00 00 00 00 00 00 64"), ==, 0);
  g_assert_cmphex (packet (f, 1, 0, "2b 00 00 00 00 64"), ==, 0x052100);
  /* By PIO, with a byte count limit: setup frame, then register frame. */
  {
    AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 4096 };
    AhciCommand c = { .packet = true, .lba = 2048 << 8, .prd = &prd, .n_prd = 1,
                      .cdb = { 0x28, 0, 0, 0, 0, 1, 0, 0, 2 } };

    memset (at, 0, 4096);
    g_assert_cmphex (ahci_run (f->d, 1, &c), ==, 0x50);
    g_assert_cmpmem (at, 4096, f->cd + 2048, 4096);
    g_assert_cmphex (ahci_port_read (f->d, 1, PORT_IS), ==, 3);
    g_assert_cmphex (f->d->mem[ahci_fis_area (1) + 0x4c], ==, 3);
  }
  f->cd_fault->op = VT_BLOCK_READ;
  f->cd_fault->error = EIO;
  g_assert_cmphex (packet (f, 1, 2048, "28 00 00 00 00 05 00 00 01"), ==, 0x031100);
  f->cd_fault->error = 0;
  g_assert_cmphex (packet (f, 1, 2048, "28 00 00 00 00 05 00 00 01"), ==, 0);
}

static void
test_cd_tell (Fixture *f, gconstpointer data)
{
  uint8_t *at = f->d->mem + DRIVER_DATA;

  /* Table of contents, each format; truncated; a track that is not there. */
  g_assert_cmphex (packet (f, 1, 804, "43 00 00 00 00 00 00 03 24"), ==, 0);
  g_assert_cmpmem (at, 20,
                   ((uint8_t[]){ 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 0,
                                 100 }),
                   20);
  g_assert_cmpuint (ahci_prdbc (f->d, 1, 0), ==, 20);
  g_assert_cmphex (packet (f, 1, 804, "43 02 00 00 00 00 aa 03 24"), ==, 0);
  g_assert_cmpmem (at, 12, ((uint8_t[]){ 0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 3, 25 }), 12);
  g_assert_cmphex (packet (f, 1, 804, "43 00 00 00 00 00 02 03 24"), ==, 0x052400);
  g_assert_cmphex (packet (f, 1, 12, "43 00 01 00 00 00 00 00 0c"), ==, 0);
  g_assert_cmpmem (at, 4, ((uint8_t[]){ 0, 10, 1, 1 }), 4);
  g_assert_cmphex (packet (f, 1, 12, "43 00 00 00 00 00 00 00 0c 40"), ==, 0);
  g_assert_cmpmem (at, 4, ((uint8_t[]){ 0, 10, 1, 1 }), 4);
  g_assert_cmphex (packet (f, 1, 48, "43 00 02 00 00 00 00 00 30"), ==, 0);
  g_assert_cmphex (at[1], ==, 46);
  g_assert_cmphex (at[4 + 3], ==, 0xa0);
  at[4] = 0xee;
  g_assert_cmphex (packet (f, 1, 4, "43 00 00 00 00 00 00 00 04"), ==, 0);
  g_assert_cmphex (at[4], ==, 0xee);
  g_assert_cmphex (packet (f, 1, 0, "43 00 00 00 00 00 00 00 00"), ==, 0);

  /* Configuration: a CD is the current profile; one feature; an empty drive. */
  g_assert_cmphex (packet (f, 1, 256, "46 00 00 00 00 00 00 01 00"), ==, 0);
  g_assert_cmphex (at[7], ==, 0x08);
  g_assert_cmpuint (ahci_prdbc (f->d, 1, 0), ==, vt_ld32 (at) == 0 ? 0 : at[3] + 4u);
  g_assert_cmphex (packet (f, 1, 256, "46 02 00 1e 00 00 00 01 00"), ==, 0);
  g_assert_cmphex (at[9], ==, 0x1e);
  g_assert_cmphex (at[10] & 1, ==, 1);
  g_assert_cmphex (packet (f, 2, 256, "46 00 00 00 00 00 00 01 00"), ==, 0);
  g_assert_cmphex (at[7], ==, 0);

  /* Mode pages. */
  g_assert_cmphex (packet (f, 1, 192, "5a 00 2a 00 00 00 00 00 c0"), ==, 0);
  g_assert_cmphex (at[8], ==, 0x2a);
  g_assert_cmphex (at[9], ==, 20);
  g_assert_cmpuint (at[1] + 2u, ==, ahci_prdbc (f->d, 1, 0));
  g_assert_cmphex (packet (f, 1, 192, "1a 00 3f 00 c0"), ==, 0);
  g_assert_cmpuint (at[0] + 1u, ==, ahci_prdbc (f->d, 1, 0));
  g_assert_cmphex (packet (f, 1, 192, "5a 00 05 00 00 00 00 00 c0"), ==, 0x052400);
  g_assert_cmphex (packet (f, 1, 192, "5a 00 ea 00 00 00 00 00 c0"), ==, 0x053900);
  memset (at, 0, 20);
  at[8] = 0x01;
  at[9] = 10;
  g_assert_cmphex (packet (f, 1, 20, "55 10 00 00 00 00 00 00 14"), ==, 0);
  at[9] = 9;
  g_assert_cmphex (packet (f, 1, 20, "55 10 00 00 00 00 00 00 14"), ==, 0x052600);
  g_assert_cmphex (packet (f, 1, 4, "55 10 00 00 00 00 00 00 04"), ==, 0x051a00);

  g_assert_cmphex (packet (f, 1, 34, "51 00 00 00 00 00 00 00 22"), ==, 0);
  g_assert_cmphex (at[2], ==, 0x0e);
  g_assert_cmphex (packet (f, 1, 36, "52 01 00 00 00 01 00 00 24"), ==, 0);
  g_assert_cmphex (at[27], ==, CD_BLOCKS);
  g_assert_cmphex (packet (f, 1, 8, "bd 00 00 00 00 00 00 00 00 08"), ==, 0);
  g_assert_cmphex (packet (f, 1, 16, "42 02 40 01 00 00 00 00 10"), ==, 0);
  g_assert_cmphex (packet (f, 1, 0, "bb 00 ff ff"), ==, 0);
  /* Not a DVD. */
  g_assert_cmphex (packet (f, 1, 20, "ad 00 00 00 00 00 00 00 00 14"), ==, 0x053002);
}

/* What no CD can hold is a DVD; what ends inside a block is padded. */
static void
test_cd_sizes (Fixture *f, gconstpointer data)
{
  uint8_t *at = f->d->mem + DRIVER_DATA;
  uint8_t  bytes[1024];
  VtBlock *block;

  memset (bytes, 0x77, sizeof bytes);
  block = vt_block_new_memory (bytes, sizeof bytes, true);
  g_assert_true (vt_ahci_change_medium (f->d->dev, 2, block, false, NULL));
  g_assert_cmphex (packet (f, 2, 0, "00"), ==, 0x062800);
  g_assert_cmphex (packet (f, 2, 8, "25"), ==, 0);
  g_assert_cmphex (at[3], ==, 0);
  memset (at, 0xee, 4096);
  g_assert_cmphex (packet (f, 2, 2048, "28 00 00 00 00 00 00 00 01"), ==, 0);
  g_assert_cmpmem (at, 1024, bytes, 1024);
  for (unsigned i = 1024; i < 2048; i++)
    g_assert_cmphex (at[i], ==, 0);
  g_assert_cmphex (at[2048], ==, 0xee);

  /* Only its size is looked at. */
  f->cd_fault->base.info.size = UINT64_C (4700000000) / 2048 * 2048;
  g_assert_cmphex (packet (f, 1, 256, "46 00 00 00 00 00 00 01 00"), ==, 0);
  g_assert_cmphex (at[7], ==, 0x10);
  g_assert_cmphex (packet (f, 1, 2052, "ad 00 00 00 00 00 00 00 08 04"), ==, 0);
  g_assert_cmphex (at[0] << 8 | at[1], ==, 2050);
  g_assert_cmphex (packet (f, 1, 16, "ad 00 00 00 00 00 00 ff 00 10"), ==, 0);
  f->cd_fault->base.info.size = CD_BLOCKS * 2048;
}

static void
test_cd_change (Fixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  uint8_t    *at = d->mem + DRIVER_DATA, first[2048];
  VtBlock    *block;
  GError     *error = NULL;
  bool        closed = false;

  memset (first, 0x11, sizeof first);
  f->cd_fault->closed = &closed;
  /* An empty drive, closed. */
  g_assert_cmphex (packet (f, 2, 0, "00"), ==, 0x023a01);
  g_assert_cmphex (packet (f, 2, 8, "4a 01 00 00 10 00 00 00 08"), ==, 0);
  g_assert_cmpmem (at, 8, ((uint8_t[]){ 0, 4, 4, 0x10, 0, 0, 0, 0 }), 8);

  /* The guest opens and closes its tray. */
  g_assert_cmphex (packet (f, 1, 0, "1b 00 00 00 02"), ==, 0);
  g_assert_true (vt_ahci_tray_open (d->dev, 1));
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x023a02);
  g_assert_cmphex (packet (f, 1, 8, "4a 01 00 00 10 00 00 00 08"), ==, 0);
  g_assert_cmpmem (at + 4, 2, ((uint8_t[]){ 3, 1 }), 2);
  g_assert_cmphex (packet (f, 1, 8, "bd 00 00 00 00 00 00 00 00 08"), ==, 0);
  g_assert_cmphex (at[1], ==, 0x10);
  g_assert_cmphex (packet (f, 1, 0, "1b 00 00 00 03"), ==, 0);
  g_assert_false (vt_ahci_tray_open (d->dev, 1));
  g_assert_cmphex (packet (f, 1, 8, "4a 01 00 00 10 00 00 00 08"), ==, 0);
  g_assert_cmpmem (at + 4, 2, ((uint8_t[]){ 2, 2 }), 2);
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x062800);
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0);

  /* Locked: the guest can't eject, and the user is told, and the guest is asked. */
  g_assert_cmphex (packet (f, 1, 0, "1e 00 00 00 01"), ==, 0);
  g_assert_cmphex (packet (f, 1, 0, "1b 00 00 00 02"), ==, 0x055302);
  g_assert_false (vt_ahci_change_medium (d->dev, 1, NULL, false, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE);
  g_clear_error (&error);
  g_assert_false (closed);
  g_assert_cmphex (packet (f, 1, 8, "4a 01 00 00 10 00 00 00 08"), ==, 0);
  g_assert_cmpmem (at + 4, 2, ((uint8_t[]){ 1, 2 }), 2);
  g_assert_cmphex (packet (f, 1, 2048, "28 00 00 00 00 05 00 00 01"), ==, 0);

  /* By force, while it is read: the read ends as if nothing had happened. */
  f->cd_fault->hold = true;
  {
    AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 2048 };
    AhciCommand c = { .packet = true, .features = 1, .prd = &prd, .n_prd = 1,
                      .cdb = { 0x28, 0, 0, 0, 0, 9, 0, 0, 1 } };

    ahci_build (d, 1, 0, &c);
    ahci_issue (d, 1, 1, false);
    block = vt_block_new_memory (first, sizeof first, true);
    g_assert_true (vt_ahci_change_medium (d->dev, 1, block, true, &error));
    g_assert_false (closed);
    fault_release (f->cd_fault);
    g_assert_true (ahci_wait (d, 1, 1));
    g_assert_true (closed);
    g_assert_cmpmem (at, 2048, f->cd + 9 * 2048, 2048);
  }
  /* A swap shows as a removal, then as a new medium. */
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x023a00);
  g_assert_cmphex (packet (f, 1, 8, "25"), ==, 0x062800);
  g_assert_cmphex (packet (f, 1, 8, "25"), ==, 0);
  g_assert_cmphex (packet (f, 1, 2048, "28 00 00 00 00 00 00 00 01"), ==, 0);
  g_assert_cmpmem (at, 2048, first, 2048);

  /* Out, and the drive says so; in again. */
  g_assert_true (vt_ahci_change_medium (d->dev, 1, NULL, false, &error));
  g_assert_true (vt_ahci_tray_open (d->dev, 1));
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x023a02);
  g_assert_true (
      vt_ahci_change_medium (d->dev, 1, vt_block_new_memory (first, 2048, true), false, &error));
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x062800);
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0);

  /* Not every port has a drive, and not every block is a disc. */
  g_assert_false (vt_ahci_change_medium (d->dev, 0, NULL, false, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (vt_ahci_change_medium (d->dev, 9, NULL, false, NULL));
  block = vt_block_new_memory (first, 2048, true);
  block->info.sector = 4096;
  g_assert_false (vt_ahci_change_medium (d->dev, 1, block, false, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);
  vt_block_close (block);
}

static void
test_bad_wiring (void)
{
  VtContext  *context = vt_context_new_manual ();
  VtClock    *clock = vt_clock_new_manual ();
  VtDeviceEnv env = { .context = context, .clock = clock };
  VtDevice   *dev = vt_device_new (&vt_ahci_class, "ahci", &env);
  VtAhci     *hba = VT_CONTAINER (dev, VtAhci, fn.base);
  GError     *error = NULL;

  hba->wiring[0].kind = VT_AHCI_DISK;
  hba->wiring[0].block = vt_block_new_memory (NULL, 65536, false);
  hba->wiring[0].block->info.sector = 65536;
  hba->wiring[1].kind = VT_AHCI_CD;
  hba->wiring[1].block = vt_block_new_memory (NULL, 65536, false);
  hba->wiring[1].block->info.sector = 4096;
  g_assert_false (vt_device_realize (dev, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);
  vt_device_free (dev);
  vt_clock_free (clock);
  vt_context_free (context);
}

static const struct
{
  const char *name;
  void (*func) (Fixture *f, gconstpointer data);
} tests[] = {
  { "registers", test_registers },
  { "reset", test_reset },
  { "soft-reset", test_soft_reset },
  { "interrupts", test_interrupts },
  { "identify", test_identify },
  { "read", test_read },
  { "long", test_long },
  { "write", test_write },
  { "commands", test_commands },
  { "trim", test_trim },
  { "queued", test_queued },
  { "queued-error", test_queued_error },
  { "errors", test_errors },
  { "error-bits", test_error_bits },
  { "hostile", test_hostile },
  { "crumbs", test_crumbs },
  { "random", test_random },
  { "stop-in-flight", test_stop_in_flight },
  { "reset-in-flight", test_reset_in_flight },
  { "pause", test_pause },
  { "free-in-flight", test_free_in_flight },
  { "cd/identify", test_cd_identify },
  { "cd/read", test_cd_read },
  { "cd/tell", test_cd_tell },
  { "cd/sizes", test_cd_sizes },
  { "cd/change", test_cd_change },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strdup_printf ("/ahci/%s", tests[i].name);

      g_test_add (path, Fixture, NULL, setup, tests[i].func, teardown);
    }
  g_test_add ("/ahci/reset-staggered", Fixture, GUINT_TO_POINTER (1), setup, test_reset, teardown);
  g_test_add_func ("/ahci/bad-wiring", test_bad_wiring);
  return g_test_run ();
}
