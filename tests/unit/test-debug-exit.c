/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The debug exit.
 */
#include "bench.h"
#include "platform/debug-exit.h"

static void
exit_cb (void *data, int status)
{
  *(int *) data = status;
}

static void
test_exit (void)
{
  Bench        bench;
  VtDebugExit *port;
  int          status = -1;

  bench_init (&bench, &vt_debug_exit_class);
  port = (VtDebugExit *) bench.dev;
  port->exit = exit_cb;
  port->data = &status;
  bench_start (&bench);
  g_assert_cmphex (bench_in (&bench, 0), ==, 0);
  g_assert_cmpint (status, ==, -1);
  bench_out (&bench, 0, 0);
  g_assert_cmpint (status, ==, 1);
  bench_out (&bench, 0, 0x10);
  g_assert_cmpint (status, ==, 0x21);
  /* No value makes it even or negative. */
  vt_region_write (vt_device_region (bench.dev, 0), 0, 4, 0xffffffff);
  g_assert_cmpint (status, ==, 0x7fffffff);
  bench_finish (&bench);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/debug-exit/status", test_exit);
  return g_test_run ();
}
