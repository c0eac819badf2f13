/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SMBIOS: the structures walked as a guest walks them, and the anchors.
 */
#include "smbios/smbios.h"

#define UUID "00112233-4455-6677-8899-aabbccddeeff"

static void
params_full (VtSmbiosParams *p)
{
  *p = (VtSmbiosParams){
    .uuid = UUID,
    .bios_vendor = "Vendor",
    .bios_version = "1.2",
    .bios_date = "03/04/2023",
    .product = "Büro",
    .serial = "",
    .sockets = 2,
    .cores = 3,
    .threads = 2,
    .cpu_vendor = "GenuineIntel",
    .ram_below_4g = 2 * VT_GIB,
    .ram_above_4g = 40 * VT_GIB,
  };
}

/* The next structure of @type from *@at on; its strings begin behind its length. */
static const uint8_t *
next (const GByteArray *t, guint *at, int type)
{
  while (*at < t->len)
    {
      const uint8_t *s = t->data + *at;
      guint          end;

      g_assert_cmpuint (*at + 4, <=, t->len);
      g_assert_cmpuint (s[1], >=, 4);
      end = *at + s[1];
      g_assert_cmpuint (end + 2, <=, t->len);
      while (t->data[end] != 0 || t->data[end + 1] != 0)
        {
          end++;
          g_assert_cmpuint (end + 2, <=, t->len);
        }
      *at = end + 2;
      if (type < 0 || s[0] == type)
        return s;
    }
  return NULL;
}

static const char *
string (const uint8_t *s, unsigned n)
{
  const char *p = (const char *) s + s[1];

  while (--n > 0)
    p += strlen (p) + 1;
  return p;
}

static void
test_walk (void)
{
  static const uint8_t wire[16] = { 0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                                    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
  VtSmbiosParams p;
  VtSmbiosTables t;
  const uint8_t *s;
  guint          at = 0, n = 0;
  uint64_t       mib = 0;
  g_autoptr (GHashTable) handles = g_hash_table_new (NULL, NULL);

  params_full (&p);
  g_assert_true (vt_smbios_build (&p, &t, NULL));

  /* Handles are unique, and the end is the end. */
  while ((s = next (t.tables, &at, -1)) != NULL)
    {
      g_assert_true (g_hash_table_add (handles, GUINT_TO_POINTER (vt_ld16 (s + 2))));
      if (s[0] == 127)
        g_assert_cmpuint (at, ==, t.tables->len);
      n++;
    }
  g_assert_cmpuint (n, ==, 1 + 1 + 1 + 2 + 1 + 3 + 2 + 1 + 1);

  at = 0;
  s = next (t.tables, &at, 0);
  g_assert_cmpuint (s[1], ==, 0x18);
  g_assert_cmpstr (string (s, s[8]), ==, "03/04/2023");
  s = next (t.tables, &at, 1);
  g_assert_cmpuint (s[1], ==, 0x1b);
  g_assert_cmpmem (s + 8, 16, wire, 16);
  g_assert_cmpstr (string (s, s[4]), ==, "Vitrine");
  g_assert_cmpstr (string (s, s[5]), ==, "B??ro");
  g_assert_cmpuint (s[7], ==, 0);
  s = next (t.tables, &at, 3);
  g_assert_cmpuint (s[1], ==, 0x16);
  s = next (t.tables, &at, 4);
  g_assert_cmpuint (s[1], ==, 0x30);
  g_assert_cmpuint (s[0x23], ==, 3);
  g_assert_cmpuint (s[0x25], ==, 6);
  g_assert_cmpstr (string (s, s[7]), ==, "GenuineIntel");
  s = next (t.tables, &at, 16);
  g_assert_cmpuint (s[1], ==, 0x17);
  g_assert_cmpuint (vt_ld32 (s + 7), ==, 42u << 20);
  g_assert_cmpuint (vt_ld16 (s + 13), ==, 3);
  for (int i = 0; i < 3; i++)
    {
      s = next (t.tables, &at, 17);
      g_assert_cmpuint (s[1], ==, 0x28);
      mib += vt_ld16 (s + 12);
    }
  g_assert_cmpuint (mib, ==, 42 * 1024);
  s = next (t.tables, &at, 19);
  g_assert_cmpuint (s[1], ==, 0x1f);
  g_assert_cmpuint (vt_ld32 (s + 8), ==, (2u << 20) - 1);
  s = next (t.tables, &at, 19);
  g_assert_cmpuint (vt_ld32 (s + 4), ==, 4u << 20);
  s = next (t.tables, &at, 32);
  g_assert_cmpuint (s[1], ==, 11);
  g_assert_nonnull (next (t.tables, &at, 127));
  vt_smbios_tables_clear (&t);
}

static void
test_anchors (void)
{
  VtSmbiosParams p;
  VtSmbiosTables t;
  uint8_t        sum = 0;

  params_full (&p);
  g_assert_true (vt_smbios_build (&p, &t, NULL));
  g_assert_cmpuint (t.anchor->len, ==, 24);
  g_assert_cmpmem (t.anchor->data, 5, "_SM3_", 5);
  g_assert_cmpuint (vt_ld32 (t.anchor->data + 12), ==, t.tables->len);
  for (int i = 0; i < 24; i++)
    sum = (uint8_t) (sum + t.anchor->data[i]);
  g_assert_cmpuint (sum, ==, 0);
  vt_smbios_tables_clear (&t);

  p.old_anchor = true;
  g_assert_true (vt_smbios_build (&p, &t, NULL));
  g_assert_cmpuint (t.anchor->len, ==, 31);
  g_assert_cmpmem (t.anchor->data, 4, "_SM_", 4);
  g_assert_cmpuint (vt_ld16 (t.anchor->data + 22), ==, t.tables->len);
  g_assert_cmpuint (vt_ld16 (t.anchor->data + 28), ==, 13);
  for (int i = 0; i < 31; i++)
    sum = (uint8_t) (sum + t.anchor->data[i]);
  g_assert_cmpuint (sum, ==, 0);
  vt_smbios_tables_clear (&t);
}

/* The largest machine and the smallest. */
static void
test_extremes (void)
{
  VtSmbiosParams p = { .sockets = 255, .ram_below_4g = 2 * VT_GIB, .ram_above_4g = VT_GIB << 12 };
  VtSmbiosTables t;
  const uint8_t *s;
  guint          at = 0;
  uint64_t       mib = 0;

  g_assert_true (vt_smbios_build (&p, &t, NULL));
  s = next (t.tables, &at, 16);
  g_assert_cmpuint (vt_ld32 (s + 7), ==, 0x80000000);
  g_assert_cmpuint (vt_ld64 (s + 15), ==, 2 * VT_GIB + (VT_GIB << 12));
  while ((s = next (t.tables, &at, 17)) != NULL)
    mib += vt_ld16 (s + 12) == 0x7fff ? vt_ld32 (s + 28) : vt_ld16 (s + 12);
  g_assert_cmpuint (mib, ==, 2048 + (UINT64_C (1) << 22));
  vt_smbios_tables_clear (&t);
  p = (VtSmbiosParams){ .ram_below_4g = 1 };
  g_assert_true (vt_smbios_build (&p, &t, NULL));
  at = 0;
  g_assert_null (next (t.tables, &at, 0));
  vt_smbios_tables_clear (&t);
}

static void
test_uuid (void)
{
  static const char *const bad[] = { "", "0", "00112233-4455-6677-8899-aabbccddeef",
                                     "00112233-4455-6677-8899-aabbccddeefff",
                                     "00112233+4455-6677-8899-aabbccddeeff",
                                     "0011223g-4455-6677-8899-aabbccddeeff" };

  for (unsigned i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      VtSmbiosParams p = { .uuid = bad[i] };
      VtSmbiosTables t;

      g_assert_false (vt_smbios_build (&p, &t, &error));
      g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/smbios/walk", test_walk);
  g_test_add_func ("/smbios/anchors", test_anchors);
  g_test_add_func ("/smbios/extremes", test_extremes);
  g_test_add_func ("/smbios/uuid", test_uuid);
  return g_test_run ();
}
