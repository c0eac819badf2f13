/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fuzz target for what a person types as keys: chords, and text character by character.
 */
#include "control/keys.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GError) error = NULL;
  guint    codes[VT_KEYS_MAX_CHORD] = { 0 }, code, n;
  gboolean shift;

  n = vt_keys_parse_chord (valid, codes, &error);
  g_assert_cmpuint (n, <=, VT_KEYS_MAX_CHORD);
  g_assert_true ((n == 0) == (error != NULL));
  g_assert_true (error == NULL || g_utf8_validate (error->message, -1, NULL));
  for (guint i = 0; i < n; i++)
    g_assert_true (codes[i] > 0 && codes[i] < 256);
  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    if (vt_keys_from_char (g_utf8_get_char (p), &code, &shift))
      g_assert_true (code > 0 && code < 256);
  return 0;
}
