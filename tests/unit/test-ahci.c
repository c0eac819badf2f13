/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The AHCI controller and its ports: registers, resets, interrupts, wiring.
 */
#include "ahci-rig.h"

static void
test_registers (AhciFixture *f, gconstpointer data)
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
test_reset (AhciFixture *f, gconstpointer data)
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
test_soft_reset (AhciFixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;

  for (unsigned port = 0; port < 2; port++)
    {
      AhciCommand c = { 0 };
      uint8_t    *fis = d->mem + ahci_table (port, 0);

      ahci_plain (f, port, 0xef, 0x02, 0, 0);
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
test_interrupts (AhciFixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  uint8_t     devfn = d->hba->fn.devfn;

  ahci_port_write (d, 0, PORT_IS, 0xffffffff);
  ahci_write (d, REG_IS, 0xffffffff);
  g_assert_cmphex (vt_pci_bus_read (d->bus, 0, devfn, 6, 2) & 8, ==, 0);
  g_assert_cmphex (ahci_plain (f, 0, 0xe7, 0, 0, 0), ==, 0x50);
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
  ahci_plain (f, 0, 0xe7, 0, 0, 0);
  g_assert_cmpuint (d->messages, ==, 1);
  ahci_plain (f, 1, 0xe5, 0, 0, 0);
  g_assert_cmpuint (d->messages, ==, 1);
  ahci_port_write (d, 0, PORT_IS, 1);
  ahci_write (d, REG_IS, 1);
  g_assert_cmphex (ahci_read (d, REG_IS), ==, 2);
  g_assert_cmpuint (d->messages, ==, 2);
  ahci_port_write (d, 1, PORT_IS, 1);
  ahci_write (d, REG_IS, 2);
  g_assert_cmpuint (d->messages, ==, 2);
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

static const AhciTest tests[] = {
  { "registers", test_registers },
  { "reset", test_reset },
  { "soft-reset", test_soft_reset },
  { "interrupts", test_interrupts },
  { "reset-staggered", test_reset, .staggered = true },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ahci_add_tests (tests, G_N_ELEMENTS (tests));
  g_test_add_func ("/ahci/bad-wiring", test_bad_wiring);
  return g_test_run ();
}
