/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The I/O APIC's core.
 */
#include "bench.h"
#include "platform/ioapic.h"

typedef struct
{
  Bench     bench;
  VtIoapic *io;
  bool      refuses;
  unsigned  messages;
  uint64_t  address;
  uint32_t  message;
} Rig;

static bool
send_cb (void *data, uint64_t address, uint32_t message)
{
  Rig *r = data;

  r->messages++;
  r->address = address;
  r->message = message;
  return !r->refuses;
}

static uint32_t
get (Rig *r, unsigned index)
{
  vt_region_write (vt_device_region (r->bench.dev, 0), 0, 4, index);
  return (uint32_t) vt_region_read (vt_device_region (r->bench.dev, 0), 0x10, 4);
}

static void
set (Rig *r, unsigned index, uint32_t v)
{
  vt_region_write (vt_device_region (r->bench.dev, 0), 0, 4, index);
  vt_region_write (vt_device_region (r->bench.dev, 0), 0x10, 4, v);
}

static void
program (Rig *r, unsigned pin, uint32_t low, uint32_t high)
{
  set (r, 0x11 + pin * 2, high);
  set (r, 0x10 + pin * 2, low);
}

static void
rig_init (Rig *r)
{
  memset (r, 0, sizeof *r);
  bench_init (&r->bench, &vt_ioapic_class);
  r->io = (VtIoapic *) r->bench.dev;
  r->io->send = send_cb;
  r->io->bus = r;
  bench_start (&r->bench);
}

#define RIG                                                                                        \
  Rig rig, *r = &rig;                                                                              \
  rig_init (r)

static void
test_registers (void)
{
  RIG;
  g_assert_cmphex (get (r, 0), ==, 0);
  g_assert_cmphex (get (r, 1), ==, 0x00170011);
  set (r, 0, 0xffffffff);
  g_assert_cmphex (get (r, 0), ==, 0x0f000000);
  g_assert_cmphex (get (r, 2), ==, 0x0f000000);
  for (unsigned pin = 0; pin < VT_IOAPIC_PINS; pin++)
    {
      g_assert_cmphex (get (r, 0x10 + pin * 2), ==, 0x10000);
      g_assert_cmphex (get (r, 0x11 + pin * 2), ==, 0);
    }
  g_assert_cmphex (get (r, 0x40), ==, 0xffffffff);
  g_assert_cmphex (get (r, 3), ==, 0xffffffff);
  /* Status bits are the chip's, reserved ones are none. */
  program (r, 5, 0xffffffff, 0xffffffff);
  g_assert_cmphex (get (r, 0x1a), ==, 0x1afff);
  g_assert_cmphex (get (r, 0x1b), ==, 0xff000000);
  /* A register can be chosen by a byte; the window takes double words only. */
  vt_region_write (vt_device_region (r->bench.dev, 0), 0, 1, 1);
  g_assert_cmphex (vt_region_read (vt_device_region (r->bench.dev, 0), 0x10, 4), ==, 0x00170011);
  g_assert_cmphex (vt_region_read (vt_device_region (r->bench.dev, 0), 0x12, 1), ==, 0x17);
  vt_region_write (vt_device_region (r->bench.dev, 0), 0, 1, 0x1a);
  vt_region_write (vt_device_region (r->bench.dev, 0), 0x10, 1, 0);
  g_assert_cmphex (get (r, 0x1a), ==, 0x1afff);
  bench_finish (&r->bench);
}

static void
test_edges (void)
{
  RIG;
  /* Masked: nothing, and nothing is held (82093AA 3.2.4). */
  vt_ioapic_input (r->io, 4, true);
  g_assert_cmphex (r->io->s.irr, ==, 0x10);
  program (r, 4, 0x0841, 0x03000000);
  g_assert_cmpuint (r->messages, ==, 0);
  g_assert_cmphex (r->io->s.irr, ==, 0);
  vt_ioapic_input (r->io, 4, true);
  g_assert_cmpuint (r->messages, ==, 0);
  vt_ioapic_input (r->io, 4, false);
  vt_ioapic_input (r->io, 4, true);
  g_assert_cmpuint (r->messages, ==, 1);
  g_assert_cmphex (r->address, ==, 0xfee03004);
  g_assert_cmphex (r->message, ==, 0x4041);
  /* An edge is not held until its end. */
  vt_ioapic_input (r->io, 4, false);
  vt_ioapic_input (r->io, 4, true);
  g_assert_cmpuint (r->messages, ==, 2);
  vt_ioapic_input (r->io, 24, true);
  bench_finish (&r->bench);
}

static void
test_levels (void)
{
  RIG;
  program (r, 10, 0xa052, 0);
  vt_ioapic_input (r->io, 10, true);
  g_assert_cmpuint (r->messages, ==, 1);
  g_assert_cmphex (r->address, ==, 0xfee00000);
  g_assert_cmphex (r->message, ==, 0xc052);
  g_assert_cmphex (get (r, 0x24), ==, 0xe052);
  /* Held until the end, and again while it is high. */
  vt_ioapic_input (r->io, 10, false);
  vt_ioapic_input (r->io, 10, true);
  g_assert_cmpuint (r->messages, ==, 1);
  vt_ioapic_eoi (r->io, 0x53);
  g_assert_cmpuint (r->messages, ==, 1);
  vt_ioapic_eoi (r->io, 0x52);
  g_assert_cmpuint (r->messages, ==, 2);
  vt_ioapic_input (r->io, 10, false);
  vt_ioapic_eoi (r->io, 0x52);
  g_assert_cmpuint (r->messages, ==, 2);
  g_assert_cmphex (get (r, 0x24), ==, 0xa052);
  /* Masked while high, and off again: now it is delivered. */
  program (r, 10, 0x1a052, 0);
  vt_ioapic_input (r->io, 10, true);
  g_assert_cmpuint (r->messages, ==, 2);
  program (r, 10, 0xa052, 0);
  g_assert_cmpuint (r->messages, ==, 3);
  /* Systems clear the remote IRR by way of an edge. */
  program (r, 10, 0x12052, 0);
  g_assert_cmphex (get (r, 0x24), ==, 0x12052);
  program (r, 10, 0xa052, 0);
  g_assert_cmpuint (r->messages, ==, 4);
  /* Whom nobody accepts is not held. */
  vt_ioapic_input (r->io, 10, false);
  vt_ioapic_eoi (r->io, 0x52);
  r->refuses = true;
  vt_ioapic_input (r->io, 10, true);
  g_assert_cmpuint (r->messages, ==, 5);
  g_assert_cmphex (get (r, 0x24), ==, 0xa052);
  bench_finish (&r->bench);
}

static void
test_modes (void)
{
  RIG;
  /* NMI by a level is an edge all the same: nothing ends it. */
  program (r, 3, 0x8400, 0);
  vt_ioapic_input (r->io, 3, true);
  g_assert_cmphex (r->message, ==, 0xc400);
  g_assert_cmphex (get (r, 0x16), ==, 0x8400);
  program (r, 6, 0x0133, 0xff000000);
  vt_ioapic_input (r->io, 6, true);
  g_assert_cmphex (r->address, ==, 0xfeeff000);
  g_assert_cmphex (r->message, ==, 0x4133);
  bench_finish (&r->bench);
}

static void
test_state (void)
{
  Rig other;
  RIG;
  program (r, 10, 0xa052, 0);
  program (r, 11, 0xa053, 0);
  vt_ioapic_input (r->io, 10, true);
  r->refuses = true;
  vt_ioapic_input (r->io, 11, true);
  rig_init (&other);
  bench_move (&r->bench, &other.bench);
  g_assert_cmpuint (other.messages, ==, 0);
  /* What was accepted waits for its end; what was not goes out. */
  vt_device_resume (other.bench.dev);
  g_assert_cmpuint (other.messages, ==, 1);
  g_assert_cmphex (other.message, ==, 0xc053);
  vt_ioapic_eoi (other.io, 0x52);
  g_assert_cmpuint (other.messages, ==, 2);
  vt_ioapic_input (other.io, 10, false);
  vt_ioapic_eoi (other.io, 0x52);
  g_assert_cmpuint (other.messages, ==, 2);
  bench_finish (&r->bench);
  bench_finish (&other.bench);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ioapic/registers", test_registers);
  g_test_add_func ("/ioapic/edges", test_edges);
  g_test_add_func ("/ioapic/levels", test_levels);
  g_test_add_func ("/ioapic/modes", test_modes);
  g_test_add_func ("/ioapic/state", test_state);
  return g_test_run ();
}
