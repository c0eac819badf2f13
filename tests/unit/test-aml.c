/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ACPI byte-code writer: encodings at their limits, and misuse that ends in no code.
 */
#include "vt-aml.h"

#define CODE(aml, ...)                                                                             \
  G_STMT_START                                                                                     \
  {                                                                                                \
    static const uint8_t want[] = { __VA_ARGS__ };                                                 \
    g_autoptr (GBytes) got = vt_aml_free_to_bytes (aml);                                           \
    g_assert_nonnull (got);                                                                        \
    g_assert_cmpmem (g_bytes_get_data (got, NULL), (int) g_bytes_get_size (got), want,              \
                     (int) sizeof want);                                                           \
  }                                                                                                \
  G_STMT_END

static void
test_integers (void)
{
  VtAml *aml = vt_aml_new ();

  vt_aml_integer (aml, 0);
  vt_aml_integer (aml, 1);
  vt_aml_integer (aml, 2);
  vt_aml_integer (aml, 0x100);
  vt_aml_integer (aml, 0x10000);
  vt_aml_integer (aml, UINT64_C (0x100000000));
  CODE (aml, 0x00, 0x01, 0x0a, 2, 0x0b, 0, 1, 0x0c, 0, 0, 1, 0, 0x0e, 0, 0, 0, 0, 1, 0, 0, 0);
}

static void
test_paths (void)
{
  VtAml *aml = vt_aml_new ();

  vt_aml_name (aml, "\\");
  vt_aml_name (aml, "\\_SB");
  vt_aml_name (aml, "^^A.B");
  vt_aml_name (aml, "A.B.C1");
  CODE (aml, 8, '\\', 0, 8, '\\', '_', 'S', 'B', '_', 8, '^', '^', 0x2e, 'A', '_', '_', '_', 'B',
        '_', '_', '_', 8, 0x2f, 3, 'A', '_', '_', '_', 'B', '_', '_', '_', 'C', '1', '_', '_');
}

static void
test_definitions (void)
{
  VtAml *aml = vt_aml_new ();

  vt_aml_scope (aml, "\\");
  vt_aml_device (aml, "DEV");
  vt_aml_name_eisa_id (aml, "_HID", "PNP0A08");
  vt_aml_end (aml);
  vt_aml_end (aml);
  CODE (aml, 0x10, 20, '\\', 0, 0x5b, 0x82, 15, 'D', 'E', 'V', '_', 0x08, '_', 'H', 'I', 'D', 0x0c,
        0x41, 0xd0, 0x0a, 0x08);
}

/* The length of a package grows to two bytes at 64, which it counts itself. */
static void
test_lengths (void)
{
  static const size_t sizes[] = { 10, 59, 60, 61, 62, 4000, 4090, 4095, 70000, 1100000 };

  for (unsigned i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = g_strnfill (sizes[i], 'x');
      g_autoptr (GBytes) got = NULL;
      VtAml         *aml = vt_aml_new ();
      const uint8_t *p;
      gsize          len;
      uint32_t       pkg;

      vt_aml_package (aml, 1);
      vt_aml_string (aml, text);
      vt_aml_end (aml);
      got = vt_aml_free_to_bytes (aml);
      p = g_bytes_get_data (got, &len);
      g_assert_cmpuint (p[0], ==, 0x12);
      pkg = p[1] >> 6 == 0 ? p[1] : p[1] & 0xf;
      for (unsigned n = 0; n < p[1] >> 6; n++)
        pkg |= (uint32_t) p[2 + n] << (4 + 8 * n);
      g_assert_cmpuint (pkg, ==, len - 1);
    }
}

static void
test_resources (void)
{
  VtAml *aml = vt_aml_new ();

  vt_aml_resources (aml);
  vt_aml_io (aml, 0x3f8, 8);
  vt_aml_irq (aml, 4);
  vt_aml_end (aml);
  CODE (aml, 0x11, 19, 0x0c, 13, 0, 0, 0, 0x47, 1, 0xf8, 3, 0xf8, 3, 1, 8, 0x22, 0x10, 0, 0x79, 0);
}

static void
test_misuse (void)
{
  static const char *const bad[] = { "toolong1", "lowr", "1ABC", "A..B", "A.", "A B" };
  VtAml                   *aml;

  for (unsigned i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      aml = vt_aml_new ();
      vt_aml_name (aml, bad[i]);
      g_assert_null (vt_aml_free_to_bytes (aml));
    }
  aml = vt_aml_new ();
  vt_aml_end (aml);
  g_assert_null (vt_aml_free_to_bytes (aml));
  aml = vt_aml_new ();
  vt_aml_scope (aml, "\\");
  g_assert_null (vt_aml_free_to_bytes (aml));
  aml = vt_aml_new ();
  vt_aml_eisa_id (aml, "PNP0");
  g_assert_null (vt_aml_free_to_bytes (aml));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/aml/integers", test_integers);
  g_test_add_func ("/aml/paths", test_paths);
  g_test_add_func ("/aml/definitions", test_definitions);
  g_test_add_func ("/aml/lengths", test_lengths);
  g_test_add_func ("/aml/resources", test_resources);
  g_test_add_func ("/aml/misuse", test_misuse);
  return g_test_run ();
}
