/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The root port: its capability, link and slot status, numbers and windows, and what is behind it.
 */
#include "memory/space.h"
#include "pci/pcie-root-port.h"
#include "pci/ich9-smbus.h"

typedef struct
{
  VtContext      *context;
  VtClock        *clock;
  VtSpace        *space;
  VtPciBus       *root;
  VtPcieRootPort *port;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  VtDeviceEnv env;

  f->context = vt_context_new_manual ();
  f->clock = vt_clock_new_manual ();
  f->space = vt_space_new ();
  f->root = vt_pci_bus_new ("pci.0", NULL);
  env = (VtDeviceEnv){ .context = f->context, .clock = f->clock, .space = f->space };
  f->port = (VtPcieRootPort *) vt_device_new (&vt_pcie_root_port_class, "rp", &env);
  f->port->fn.bus = f->root;
  f->port->fn.devfn = VT_PCI_DEVFN (4, 0);
  f->port->slot = 7;
  f->port->port = 3;
  g_assert_true (vt_device_realize (&f->port->fn.base, NULL));
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_device_free (&f->port->fn.base);
  vt_pci_bus_free (f->root);
  vt_space_free (f->space);
  vt_clock_free (f->clock);
  vt_context_free (f->context);
}

static uint32_t
ecam (Fixture *f, unsigned bus, unsigned devfn, unsigned reg, unsigned size)
{
  return vt_pci_ecam_read (f->root, bus << 20 | devfn << 12 | reg, size);
}

static void
ecam_set (Fixture *f, unsigned bus, unsigned devfn, unsigned reg, unsigned size, uint32_t value)
{
  vt_pci_ecam_write (f->root, bus << 20 | devfn << 12 | reg, size, value);
}

/* Any function will do; this one needs no wires. */
static VtIch9Smbus *
plug (Fixture *f)
{
  VtDeviceEnv  env = { .context = f->context, .clock = f->clock, .space = f->space };
  VtIch9Smbus *dev = (VtIch9Smbus *) vt_device_new (&vt_ich9_smbus_class, "dev", &env);

  dev->fn.bus = f->port->secondary;
  g_assert_true (vt_device_realize (&dev->fn.base, NULL));
  return dev;
}

static void
test_capability (Fixture *f, gconstpointer data)
{
  const unsigned at = VT_PCI_DEVFN (4, 0);

  g_assert_cmphex (ecam (f, 0, at, 0, 4), ==, 0x000c1b36);
  g_assert_cmphex (ecam (f, 0, at, 8, 4), ==, 0x06040000);
  g_assert_cmphex (ecam (f, 0, at, 0xe, 1), ==, 1);
  g_assert_cmphex (ecam (f, 0, at, 0x34, 1), ==, 0x54);
  g_assert_cmphex (ecam (f, 0, at, 0x54, 4), ==, 0x01424810);
  g_assert_cmphex (ecam (f, 0, at, 0x60, 4), ==, 0x03300604);
  g_assert_cmphex (ecam (f, 0, at, 0x68, 4), ==, 7 << 19 | 1 << 18);
  g_assert_cmphex (ecam (f, 0, at, 0x100, 4), ==, 0);
  g_assert_cmphex (ecam (f, 0, at, 0xffc, 4), ==, 0);
  /* Windows are shut at first. */
  g_assert_cmphex (ecam (f, 0, at, 0x1c, 2), ==, 0x00f0);
  g_assert_cmphex (ecam (f, 0, at, 0x20, 4), ==, 0x0000fff0);
  g_assert_cmphex (ecam (f, 0, at, 0x24, 4), ==, 0x0001fff1);
  ecam_set (f, 0, at, 0x18, 4, 0xff0201);
  g_assert_cmphex (ecam (f, 0, at, 0x18, 4), ==, 0xff0201);
}

static void
test_slot (Fixture *f, gconstpointer data)
{
  const unsigned at = VT_PCI_DEVFN (4, 0);
  VtIch9Smbus   *dev;

  g_assert_cmphex (ecam (f, 0, at, 0x66, 2), ==, 0x0204);
  g_assert_cmphex (ecam (f, 0, at, 0x6e, 2), ==, 0);
  dev = plug (f);
  g_assert_cmphex (ecam (f, 0, at, 0x66, 2), ==, 0x2204);
  g_assert_cmphex (ecam (f, 0, at, 0x6e, 2), ==, 0x0040);
  /* It is a fact, not a setting. */
  ecam_set (f, 0, at, 0x6e, 2, 0xffff);
  ecam_set (f, 0, at, 0x66, 2, 0xffff);
  vt_device_reset (&f->port->fn.base, VT_RESET_COLD);
  g_assert_cmphex (ecam (f, 0, at, 0x66, 2), ==, 0x2204);
  g_assert_cmphex (ecam (f, 0, at, 0x6e, 2), ==, 0x0040);
  vt_device_free (&dev->fn.base);
  g_assert_cmphex (ecam (f, 0, at, 0x6e, 2), ==, 0);
}

static void
test_behind (Fixture *f, gconstpointer data)
{
  const unsigned at = VT_PCI_DEVFN (4, 0);
  VtIch9Smbus   *dev = plug (f);
  uint8_t        v;

  ecam_set (f, 0, at, 0x18, 4, 0x010100);
  g_assert_cmphex (ecam (f, 1, 0, 0, 4), ==, 0x29308086);
  g_assert_cmphex (ecam (f, 1, 8, 0, 4), ==, UINT32_MAX);
  /* Ports through the window. */
  ecam_set (f, 1, 0, 0x20, 4, 0xc000);
  ecam_set (f, 1, 0, 4, 2, 1);
  g_assert_false (vt_space_read (f->space, VT_SPACE_IO, 0xc00f, &v, 1));
  ecam_set (f, 0, at, 0x1c, 2, 0xc0c0);
  g_assert_false (vt_space_read (f->space, VT_SPACE_IO, 0xc00f, &v, 1));
  ecam_set (f, 0, at, 4, 2, 1);
  g_assert_true (vt_space_read (f->space, VT_SPACE_IO, 0xc00f, &v, 1));
  g_assert_cmphex (v, ==, 7);
  ecam_set (f, 0, at, 0x1c, 2, 0xd0c0);
  g_assert_true (vt_space_read (f->space, VT_SPACE_IO, 0xc00f, &v, 1));
  ecam_set (f, 0, at, 0x1c, 2, 0xd0d0);
  g_assert_false (vt_space_read (f->space, VT_SPACE_IO, 0xc00f, &v, 1));
  vt_device_free (&dev->fn.base);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/pcie-root-port/" name, Fixture, NULL, setup, func, teardown)
  ADD ("capability", test_capability);
  ADD ("slot", test_slot);
  ADD ("behind", test_behind);
  return g_test_run ();
}
