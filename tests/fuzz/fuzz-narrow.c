/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fuzz target for 32-bit and 16-bit code: the input is one instruction and the state that it meets, which
 * interpreter and translator, and this host's processor, must leave alike.
 */
#include "rig/narrow-case.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static NarrowCase *nc;
  g_autofree char   *report = NULL;

  if (nc == NULL)
    nc = narrow_case_new ();
  if (nc == NULL)
    g_error ("no memory at the addresses that the cases need");
  if (narrow_case_run (nc, data, size, &report) == NARROW_CASE_DIFFERENT)
    g_error ("%s", report);
  return 0;
}
