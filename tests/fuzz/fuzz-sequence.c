/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fuzz target for the translator's optimizations: the input chooses a program and what it meets.
 */
#include "rig/sequence-case.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static SequenceCase *sc;

  if (sc == NULL)
    sc = sequence_case_new ();
  if (sc == NULL)
    return 0;
  g_autofree char *report = sequence_case_run (sc, data, size);
  if (report)
    g_error ("%s", report);
  return 0;
}
