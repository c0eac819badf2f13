/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random instructions of 32-bit and 16-bit code: see rig/narrow-case.h. The fuzz target narrow runs more of
 * them.
 */
#include "rig/narrow-case.h"

#include <string.h>

#define CASES 30000u

static void
test_random (void)
{
  NarrowCase *nc = narrow_case_new ();
  unsigned    same = 0, different = 0;
  uint64_t    entries, native;

  if (nc == NULL)
    {
      g_test_skip ("no memory at the addresses that the cases need");
      return;
    }
  for (unsigned i = 0; i < CASES; i++)
    {
      uint8_t          data[64];
      g_autofree char *report = NULL;

      for (unsigned n = 0; n < sizeof data; n += 4)
        {
          const guint32 r = (guint32) g_test_rand_int ();
          memcpy (data + n, &r, 4);
        }
      switch (narrow_case_run (nc, data, sizeof data, &report))
        {
        case NARROW_CASE_SAME:
          same++;
          break;
        case NARROW_CASE_DIFFERENT:
          different++;
          if (different <= 20)
            g_printerr ("%s", report);
          break;
        default:
          break;
        }
    }
  narrow_case_counts (nc, &entries, &native);
  g_test_message ("%u the same, %u different; %" G_GUINT64_FORMAT " entries, %" G_GUINT64_FORMAT
                  " on the host's processor",
                  same, different, entries, native);
  g_assert_cmpuint (different, ==, 0);
  /* Were everything skipped, nothing would have been tested. */
  g_assert_cmpuint (same, >, CASES / 10);
  if (narrow_case_translates (nc))
    g_assert_cmpuint (entries, >, same / 4);
  narrow_case_free (nc);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/narrow/random", test_random);
  return g_test_run ();
}
