/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What goes wrong behind the AHCI controller: blocks that fail, and lists, tables and frames that make
 * no sense.
 */
#include "ahci-rig.h"

#include <errno.h>

static void
test_errors (AhciFixture *f, gconstpointer data)
{
  f->fault->op = VT_BLOCK_READ;
  f->fault->error = EIO;
  g_assert_cmphex (ahci_transfer (f, 0x25, 7, 1, 512), ==, 0x4051);
  g_assert_cmphex (f->d->mem[ahci_fis_area (0) + 0x44], ==, 7);
  g_assert_cmphex (ahci_transfer (f, 0x20, 7, 1, 512), ==, 0x4051);
  g_assert_cmphex (ahci_plain (f, 0, 0x40, 0, 1, 7), ==, 0x4051);
  f->fault->op = VT_BLOCK_WRITE;
  f->fault->error = ENOSPC;
  g_assert_cmphex (ahci_transfer (f, 0x35, 7, 1, 512), ==, 0x451);
  ahci_check_read (f, 0x25, 7, 1, 1); /* Nothing is lost. */
  f->fault->op = VT_BLOCK_FLUSH;
  g_assert_cmphex (ahci_plain (f, 0, 0xe7, 0, 0, 0), ==, 0x451);
  f->fault->op = VT_BLOCK_DISCARD;
  memset (f->d->mem + DRIVER_DATA, 0, 512);
  vt_st64 (f->d->mem + DRIVER_DATA, UINT64_C (1) << 48 | 5);
  {
    AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 512 };
    AhciCommand c = { .command = 0x06, .features = 1, .count = 1, .prd = &prd, .n_prd = 1 };

    g_assert_cmphex (ahci_run (f->d, 0, &c), ==, 0x451);
  }
  f->fault->error = 0;
  ahci_check_read (f, 0x25, 7, 1, 1);
}

/* The error interrupts: both the frame's and the fatal one, and the slot stays to be seen. */
static void
test_error_bits (AhciFixture *f, gconstpointer data)
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
  g_assert_cmphex (ahci_plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
}

static uint32_t
run_raw (AhciFixture *f, const AhciCommand *c)
{
  ahci_issue (f->d, 0, 1, false);
  g_assert_false (ahci_wait (f->d, 0, 1));
  return ahci_port_read (f->d, 0, PORT_IS);
}

static void
test_hostile (AhciFixture *f, gconstpointer data)
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
  g_assert_cmphex (ahci_plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
  ahci_port_write (d, 0, PORT_FB, (uint32_t) ahci_fis_area (0));
  ahci_recover (d, 0);
  /* Bus mastering off. */
  vt_pci_bus_write (d->bus, 0, d->hba->fn.devfn, 4, 2, 3);
  ahci_build (d, 0, 0, &c);
  g_assert_cmphex (run_raw (f, &c) & 0x20000000, ==, 0x20000000);
  vt_pci_bus_write (d->bus, 0, d->hba->fn.devfn, 4, 2, 7);
  ahci_recover (d, 0);
  ahci_check_read (f, 0x25, 0, 1, 1);
}

/* A sector in the smallest pieces there can be, and a table of the greatest length. */
static void
test_crumbs (AhciFixture *f, gconstpointer data)
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
test_random (AhciFixture *f, gconstpointer data)
{
  AhciDriver          *d = f->d;
  GRand               *rand = g_rand_new_with_seed (20240229);
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
          table[0x40] = (uint8_t[]){
            0x28, 0x43, 0x46, 0x4a, 0x5a, 0x55, 0x12, 0x1b, 0xbe
          }[g_rand_int_range (rand, 0, 9)];
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
  g_assert_cmphex (ahci_plain (f, 0, 0xe7, 0, 0, 0) & 0xff, !=, 0);
}

static const AhciTest tests[] = {
  { "errors", test_errors }, { "error-bits", test_error_bits }, { "hostile", test_hostile },
  { "crumbs", test_crumbs }, { "random", test_random },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ahci_add_tests (tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
