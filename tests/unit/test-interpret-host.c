/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random instructions on this host's processor, in the interpreter and in the translator: see
 * rig/host-case.h. The fuzz
 * target interpret runs more of them.
 */
#include "rig/host-case.h"

#define CASES 60000u

static void
test_random (void)
{
  g_autoptr (GHashTable) declined = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  HostCase *hc = host_case_new ();
  unsigned  same = 0, different = 0;
  uint64_t  entries = 0;

  if (hc == NULL)
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
      switch (host_case_run (hc, data, sizeof data, &report))
        {
        case HOST_CASE_SAME:
          same++;
          break;
        case HOST_CASE_DIFFERENT:
          different++;
          if (different <= 20)
            g_printerr ("%s", report);
          break;
        case HOST_CASE_DECLINED:
          g_hash_table_add (declined, g_strndup (report, strcspn (report, " ")));
          break;
        default:
          break;
        }
    }
  g_autofree char **names = (char **) g_hash_table_get_keys_as_array (declined, NULL);
  g_autofree char  *list = g_strjoinv (" ", names);
  g_test_message ("%u the same, %u different; declined: %s", same, different, list);
  g_assert_cmpuint (different, ==, 0);
  /* Were everything skipped, nothing would have been tested. */
  g_assert_cmpuint (same, >, CASES / 20);
  if (host_case_translated (hc, &entries))
    g_assert_cmpuint (entries, >, same / 2);
  host_case_free (hc);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/interpret/host", test_random);
  return g_test_run ();
}
