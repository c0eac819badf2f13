/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fuzz target for machine.json: any bytes are refused with one sentence, or give a configuration
 * that is written and read again as the same.
 */
#include "vitrine-config.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (VitrineConfig) config = vitrine_config_from_json (text, "machine.json", &error);
  if (!config)
    {
      g_assert_nonnull (error);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      return 0;
    }
  g_assert_no_error (error);
  g_autofree char *once = vitrine_config_to_json (config);
  g_autoptr (VitrineConfig) again = vitrine_config_from_json (once, "machine.json", &error);
  g_assert_no_error (error);
  g_autofree char *twice = vitrine_config_to_json (again);
  g_assert_cmpstr (once, ==, twice);
  return 0;
}
