/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fixture of the AHCI tests.
 */
#include "ahci-rig.h"

uint8_t *
ahci_pattern (size_t len, guint32 seed)
{
  GRand   *rand = g_rand_new_with_seed (seed);
  uint8_t *p = g_malloc (len);

  for (size_t i = 0; i + 4 <= len; i += 4)
    vt_st32 (p + i, g_rand_int (rand));
  g_rand_free (rand);
  return p;
}

static void
set_up (AhciFixture *f, gconstpointer data)
{
  VtAhciWiring wiring[3] = {
    { .kind = VT_AHCI_DISK, .serial = "SERIAL-42", .model = "A Disk" },
    { .kind = VT_AHCI_CD },
    { .kind = VT_AHCI_CD },
  };

  f->disk = ahci_pattern (DISK_SECTORS * 512, 1);
  f->cd = ahci_pattern (CD_BLOCKS * 2048, 2);
  wiring[0].block = fault_block_new (vt_block_new_memory (f->disk, DISK_SECTORS * 512, false),
                                     &f->fault);
  wiring[1].block = fault_block_new (vt_block_new_memory (f->cd, CD_BLOCKS * 2048, true),
                                     &f->cd_fault);
  f->d = ahci_driver_new (wiring, 3, GPOINTER_TO_UINT (data));
  for (unsigned i = 0; i < 3; i++)
    ahci_port_start (f->d, i);
}

static void
tear_down (AhciFixture *f, gconstpointer data)
{
  ahci_driver_free (f->d);
  g_free (f->disk);
  g_free (f->cd);
}

uint32_t
ahci_transfer (AhciFixture *f, uint8_t command, uint64_t lba, uint16_t count, uint32_t bytes)
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

uint32_t
ahci_plain (AhciFixture *f, unsigned port, uint8_t command, uint16_t features, uint16_t count,
            uint64_t lba)
{
  AhciCommand c = {
    .command = command, .features = features, .count = count, .lba = lba, .device = 0x40
  };

  return ahci_run (f->d, port, &c);
}

uint16_t
ahci_word (AhciFixture *f, unsigned n)
{
  return vt_ld16 (f->d->mem + DRIVER_DATA + 2 * n);
}
void
ahci_check_read (AhciFixture *f, uint8_t command, uint64_t lba, uint16_t count, uint32_t sectors)
{
  memset (f->d->mem + DRIVER_DATA, 0xee, sectors * 512 + 512);
  g_assert_cmphex (ahci_transfer (f, command, lba, count, sectors * 512), ==, 0x50);
  g_assert_cmpuint (ahci_prdbc (f->d, 0, 0), ==, sectors * 512);
  g_assert_true (memcmp (f->d->mem + DRIVER_DATA, f->disk + lba * 512, sectors * 512) == 0);
  g_assert_cmphex (f->d->mem[DRIVER_DATA + sectors * 512], ==, 0xee);
}

void
ahci_add_tests (const AhciTest *tests, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    {
      g_autofree char *path = g_strdup_printf ("/ahci/%s", tests[i].name);

      g_test_add (path, AhciFixture, GUINT_TO_POINTER (tests[i].staggered), set_up, tests[i].run,
                  tear_down);
    }
}
