/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An AHCI controller that is stopped, reset, paused or freed while a read is under way.
 */
#include "ahci-rig.h"

static void
hold_read (AhciFixture *f)
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
test_stop_in_flight (AhciFixture *f, gconstpointer data)
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
  ahci_check_read (f, 0x25, 0, 1, 1);

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
  ahci_check_read (f, 0x25, 0, 1, 1);

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
test_reset_in_flight (AhciFixture *f, gconstpointer data)
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
  ahci_check_read (f, 0x25, 0, 1, 1);
}

static void
paused_cb (void *data)
{
  *(bool *) data = true;
}

static void
test_pause (AhciFixture *f, gconstpointer data)
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
  ahci_check_read (f, 0x25, 0, 1, 1);
  g_byte_array_unref (state);
}

/* The device goes while requests are under way. */
static void
test_free_in_flight (AhciFixture *f, gconstpointer data)
{
  hold_read (f);
}

static const AhciTest tests[] = {
  { "stop-in-flight", test_stop_in_flight },
  { "reset-in-flight", test_reset_in_flight },
  { "pause", test_pause },
  { "free-in-flight", test_free_in_flight },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ahci_add_tests (tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
