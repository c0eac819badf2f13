/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random programs in the interpreter and in both kinds of translator: see rig/sequence-case.h. The fuzz target
 * sequence runs more of them.
 */
#include "rig/sequence-case.h"

#define PROGRAMS 3000u

static void
test_random (void)
{
  SequenceCase  *sc = sequence_case_new ();
  SequenceCounts counts;
  unsigned       different = 0;

  if (sc == NULL)
    {
      g_test_skip ("this host has no executable memory or no BMI2: there is no translator");
      return;
    }
  for (unsigned i = 0; i < PROGRAMS && different < 5; i++)
    {
      guint32 data[4];
      for (unsigned n = 0; n < G_N_ELEMENTS (data); n++)
        data[n] = (guint32) g_test_rand_int ();
      g_autofree char *report = sequence_case_run (sc, (const uint8_t *) data, sizeof data);
      if (report)
        {
          different++;
          g_printerr ("program %u\n%s", i, report);
        }
    }
  sequence_case_counts (sc, &counts);
  g_test_message ("%" G_GUINT64_FORMAT " runs, %" G_GUINT64_FORMAT " of them to a fault, of %" G_GUINT64_FORMAT
                  " instructions", counts.runs, counts.faults, counts.instructions);
  g_assert_cmpuint (different, ==, 0);
  /* Some come to their end, and some do not. */
  g_assert_cmpuint (counts.faults, <, counts.runs * 9 / 10);
  g_assert_cmpuint (counts.faults, >, counts.runs / 10);
  sequence_case_free (sc);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sequence/random", test_random);
  return g_test_run ();
}
