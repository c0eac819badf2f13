/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * System control port A.
 */
#include "bench.h"
#include "platform/port92.h"

static void
test_port (void)
{
  Bench     bench;
  BenchWire a20, reset;
  VtPort92 *port;

  bench_init (&bench, &vt_port92_class);
  port = (VtPort92 *) bench.dev;
  port->a20 = bench_wire_init (&a20);
  port->reset = bench_wire_init (&reset);
  bench_start (&bench);
  g_assert_cmphex (bench_in (&bench, 0), ==, 0);
  g_assert_false (a20.level);
  bench_out (&bench, 0, 0x02);
  g_assert_true (a20.level);
  g_assert_cmphex (bench_in (&bench, 0), ==, 0x02);
  g_assert_cmpuint (reset.rises, ==, 0);
  bench_out (&bench, 0, 0x03);
  bench_out (&bench, 0, 0x01); /* Still high: no edge. */
  g_assert_cmpuint (reset.rises, ==, 1);
  g_assert_false (a20.level);
  bench_out (&bench, 0, 0x02);
  bench_out (&bench, 0, 0x03);
  g_assert_cmpuint (reset.rises, ==, 2);
  g_assert_false (reset.level);
  vt_device_reset (bench.dev, VT_RESET_WARM);
  g_assert_false (a20.level);
  g_assert_cmphex (bench_in (&bench, 0), ==, 0);
  bench_finish (&bench);
  vt_line_free (a20.line);
  vt_line_free (reset.line);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/port92/a20-and-reset", test_port);
  return g_test_run ();
}
