/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fuzz target for interpreter and translator: the input is one instruction and the state that it meets,
 * which this host's processor and both must leave alike.
 */
#include "rig/host-case.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static HostCase *hc;
  g_autofree char *report = NULL;

  if (hc == NULL)
    hc = host_case_new ();
  if (hc == NULL)
    g_error ("no memory at the addresses that the cases need");
  if (host_case_run (hc, data, size, &report) == HOST_CASE_DIFFERENT)
    g_error ("%s", report);
  return 0;
}
