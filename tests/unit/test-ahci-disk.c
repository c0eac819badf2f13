/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A disk behind the AHCI controller: ATA commands, queued ones among them.
 */
#include "ahci-rig.h"

static void
test_identify (AhciFixture *f, gconstpointer data)
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
  g_assert_cmphex (ahci_word (f, 0), ==, 0x0040);
  g_assert_cmpuint (vt_ld32 (f->d->mem + DRIVER_DATA + 120), ==, DISK_SECTORS);
  g_assert_cmpuint (vt_ld64 (f->d->mem + DRIVER_DATA + 200), ==, DISK_SECTORS);
  g_assert_cmphex (ahci_word (f, 75), ==, 31);
  g_assert_cmphex (ahci_word (f, 76) & 0x100, ==, 0x100);
  g_assert_cmphex (ahci_word (f, 83), ==, 0x7400);
  g_assert_cmphex (ahci_word (f, 88), ==, 0x407f);
  g_assert_cmphex (ahci_word (f, 169), ==, 1);
  for (unsigned i = 0; i < 512; i++)
    sum = (uint8_t) (sum + f->d->mem[DRIVER_DATA + i]);
  g_assert_cmphex (sum, ==, 0);
  /* A packet device's command. */
  g_assert_cmphex (ahci_plain (f, 0, 0xa1, 0, 0, 0), ==, 0x451);
}

static void
test_read (AhciFixture *f, gconstpointer data)
{
  ahci_check_read (f, 0x25, 0, 1, 1);
  ahci_check_read (f, 0x25, DISK_SECTORS - 9, 9, 9);
  ahci_check_read (f, 0xc8, 3, 0, 256);
  ahci_check_read (f, 0x20, 100, 5, 5);
  ahci_check_read (f, 0x24, 100, 300, 300);
  /* READ MULTIPLE can be switched off. */
  ahci_check_read (f, 0xc4, 7, 20, 20);
  g_assert_cmphex (ahci_plain (f, 0, 0xc6, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (ahci_transfer (f, 0xc4, 0, 4, 2048), ==, 0x451);
  g_assert_cmphex (ahci_plain (f, 0, 0xc6, 0, 3, 0), ==, 0x451);
  g_assert_cmphex (ahci_plain (f, 0, 0xc6, 0, 8, 0), ==, 0x50);
  ahci_check_read (f, 0xc4, 7, 20, 20);
  ahci_check_read (f, 0x29, 7, 20, 20);
  /* Past the end; by heads and cylinders; sector 0 of these. */
  g_assert_cmphex (ahci_transfer (f, 0x25, DISK_SECTORS - 1, 2, 1024), ==, 0x1051);
  g_assert_cmphex (ahci_transfer (f, 0x25, UINT64_C (0xffffffffffff), 1, 512), ==, 0x1051);
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
  g_assert_cmphex (ahci_plain (f, 0, 0x40, 0, 5, 0), ==, 0x50);
  g_assert_cmphex (ahci_plain (f, 0, 0x42, 0, 5000, 0), ==, 0x50);
  g_assert_cmphex (ahci_plain (f, 0, 0x42, 0, 0, 100), ==, 0x1051);
}

/* The longest command there is: 65536 sectors, in more pieces than are mapped at once. */
static void
test_long (AhciFixture *f, gconstpointer data)
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
check_write (AhciFixture *f, uint8_t command, uint64_t lba, uint16_t count, uint32_t sectors)
{
  g_autofree uint8_t *p = ahci_pattern (sectors * 512, (guint32) lba + command);

  memcpy (f->d->mem + DRIVER_DATA, p, sectors * 512);
  g_assert_cmphex (ahci_transfer (f, command, lba, count, sectors * 512), ==, 0x50);
  g_assert_cmpuint (ahci_prdbc (f->d, 0, 0), ==, sectors * 512);
  memcpy (f->disk + lba * 512, p, sectors * 512);
  ahci_check_read (f, 0x25, lba - 1, (uint16_t) (sectors + 2), sectors + 2);
}

static bool
last_fua (AhciFixture *f)
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
test_write (AhciFixture *f, gconstpointer data)
{
  check_write (f, 0x35, 10, 3, 3);
  g_assert_false (last_fua (f));
  check_write (f, 0xca, 20, 4, 4);
  check_write (f, 0x30, 30, 5, 5);
  /* PIO out: the setup frame goes the other way, and the answer is a register frame. */
  g_assert_cmphex (f->d->mem[ahci_fis_area (0) + 0x40], ==, 0x34);
  check_write (f, 0x34, 40, 6, 6);
  ahci_plain (f, 0, 0xc6, 0, 4, 0);
  check_write (f, 0xc5, 50, 7, 7);
  check_write (f, 0x39, 60, 7, 7);
  check_write (f, 0x3d, 70, 1, 1);
  g_assert_true (last_fua (f));
  check_write (f, 0xce, 80, 1, 1);
  g_assert_true (last_fua (f));
  /* Without a write cache every write is through. */
  g_assert_cmphex (ahci_plain (f, 0, 0xef, 0x82, 0, 0), ==, 0x50);
  check_write (f, 0x35, 90, 1, 1);
  g_assert_true (last_fua (f));
  g_assert_cmphex (ahci_plain (f, 0, 0xef, 0x02, 0, 0), ==, 0x50);
  check_write (f, 0x35, 90, 1, 1);
  g_assert_false (last_fua (f));
}

static void
test_commands (AhciFixture *f, gconstpointer data)
{
  AhciPrd        prd = { .gpa = DRIVER_DATA, .len = 512 };
  AhciCommand    c = { .command = 0x2f, .count = 1, .prd = &prd, .n_prd = 1 };
  const uint8_t *d2h = f->d->mem + ahci_fis_area (0) + 0x40;
  guint          before = f->fault->log->len;

  g_assert_cmphex (ahci_plain (f, 0, 0x00, 0, 0, 0), ==, 0x451);
  g_assert_cmphex (ahci_plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (ahci_plain (f, 0, 0xea, 0, 0, 0), ==, 0x50);
  g_assert_cmpuint (f->fault->log->len, ==, before + 2);
  g_assert_cmphex (ahci_plain (f, 0, 0xe5, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (d2h[12], ==, 0xff);
  ahci_plain (f, 0, 0xe0, 0, 0, 0);
  ahci_plain (f, 0, 0xe5, 0, 0, 0);
  g_assert_cmphex (d2h[12], ==, 0x00);
  ahci_plain (f, 0, 0xe1, 0, 0, 0);
  ahci_plain (f, 0, 0xe5, 0, 0, 0);
  g_assert_cmphex (d2h[12], ==, 0x80);
  ahci_check_read (f, 0x25, 0, 1, 1);
  ahci_plain (f, 0, 0xe5, 0, 0, 0);
  g_assert_cmphex (d2h[12], ==, 0xff);
  g_assert_cmphex (ahci_plain (f, 0, 0x27, 0, 0, 0), ==, 0x50);
  g_assert_cmpuint (d2h[4] | d2h[5] << 8 | d2h[6] << 16, ==, DISK_SECTORS - 1);
  g_assert_cmphex (ahci_plain (f, 0, 0x90, 0, 0, 0), ==, 0x150);
  g_assert_cmphex (ahci_plain (f, 0, 0xef, 0x03, 0x45, 0), ==, 0x50);
  g_assert_cmphex (ahci_plain (f, 0, 0xef, 0x03, 0x77, 0), ==, 0x451);
  g_assert_cmphex (ahci_plain (f, 0, 0xef, 0x99, 0, 0), ==, 0x451);
  g_assert_cmphex (ahci_plain (f, 0, 0xf5, 0, 0, 0), ==, 0x451);
  g_assert_cmphex (ahci_plain (f, 0, 0xb0, 0xda, 0, 0xc24f00), ==, 0x50);
  g_assert_cmphex (d2h[5] | d2h[6] << 8, ==, 0xc24f);
  g_assert_cmphex (ahci_plain (f, 0, 0xb0, 0xda, 0, 0x124f00), ==, 0x451);
  /* Logs: the directory, and one that is not there. */
  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x50);
  g_assert_cmphex (ahci_word (f, 0), ==, 1);
  g_assert_cmphex (ahci_word (f, 0x10), ==, 1);
  c.lba = 0x30;
  g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x451);
  /* Asleep it answers nothing until a reset. */
  g_assert_cmphex (ahci_plain (f, 0, 0xe6, 0, 0, 0), ==, 0x50);
  g_assert_cmphex (ahci_plain (f, 0, 0xe5, 0, 0, 0) & 0x80, ==, 0x80);
  ahci_port_stop (f->d, 0);
  ahci_port_write (f->d, 0, PORT_SCTL, 1);
  ahci_port_write (f->d, 0, PORT_SCTL, 0);
  ahci_port_write (f->d, 0, PORT_CMD, 0x13);
  g_assert_cmphex (ahci_plain (f, 0, 0xe5, 0, 0, 0), ==, 0x50);
}

static void
test_trim (AhciFixture *f, gconstpointer data)
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
  ahci_check_read (f, 0x25, 0, 128, 128);
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

/* Queued commands ---------------------------------------------------------------------------- */

static void
build_queued (AhciFixture *f, unsigned slot, bool write, uint64_t lba, uint16_t count)
{
  AhciPrd     prd = { .gpa = DRIVER_DATA + slot * 0x10000, .len = count * 512u };
  AhciCommand c = { .command = write ? 0x61 : 0x60,
                    .device = 0x40,
                    .features = count,
                    .lba = lba,
                    .count = (uint16_t) (slot << 3),
                    .prd = &prd,
                    .n_prd = 1 };

  ahci_build (f->d, 0, slot, &c);
}

static void
test_queued (AhciFixture *f, gconstpointer data)
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
  ahci_check_read (f, 0x25, 49, 3, 3);
}

static void
test_queued_error (AhciFixture *f, gconstpointer data)
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
  g_assert_cmphex (ahci_plain (f, 0, 0xe7, 0, 0, 0), ==, 0x451);
  g_assert_cmphex (ahci_run (d, 0, &log), ==, 0x50);
  g_assert_cmphex (page[0], ==, 5);
  g_assert_cmphex (page[2] & 1, ==, 1);
  g_assert_cmphex (page[3], ==, 0x40);
  g_assert_cmpuint (page[4] | page[5] << 8, ==, 5000);
  g_assert_cmphex (ahci_plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
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

static const AhciTest tests[] = {
  { "identify", test_identify }, { "read", test_read },
  { "long", test_long },         { "write", test_write },
  { "commands", test_commands }, { "trim", test_trim },
  { "queued", test_queued },     { "queued-error", test_queued_error },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ahci_add_tests (tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
