/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware debug port.
 */
#include "bench.h"
#include "platform/debug-port.h"

static void
test_bytes (void)
{
  Bench       bench;
  VtChar     *chr = vt_char_new_memory ();
  GByteArray *output = vt_char_memory_output (chr);

  bench_init (&bench, &vt_debug_port_class);
  ((VtDebugPort *) bench.dev)->chr = chr;
  bench_start (&bench);
  g_assert_cmphex (bench_in (&bench, 0), ==, 0xe9);
  for (const char *s = "SeaBIOS\n"; *s != '\0'; s++)
    bench_out (&bench, 0, (uint8_t) *s);
  g_assert_cmpmem (output->data, output->len, "SeaBIOS\n", 8);
  /* Nothing is ever received. */
  vt_char_memory_feed (chr, "x", 1);
  g_assert_cmphex (bench_in (&bench, 0), ==, 0xe9);
  bench_finish (&bench);
  vt_char_close (chr);
}

static void
test_endless_line (void)
{
  Bench bench;

  bench_init (&bench, &vt_debug_port_class);
  bench_start (&bench);
  for (unsigned i = 0; i < 100000; i++)
    bench_out (&bench, 0, (uint8_t) (i % 3 == 0 ? 0xff : 'x'));
  g_assert_cmpuint (((VtDebugPort *) bench.dev)->len, <,
                    sizeof ((VtDebugPort *) bench.dev)->line);
  bench_finish (&bench);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/debug-port/bytes", test_bytes);
  g_test_add_func ("/debug-port/endless-line", test_endless_line);
  return g_test_run ();
}
