/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Declared state: round trip, refusals, coverage, versions.
 */
#include "vt-state.h"

typedef struct
{
  uint16_t a;
  uint8_t  b[2];
} Inner;

static const VtStateField inner_fields[] = { VT_STATE (Inner, a), VT_STATE_MAX (Inner, b, 9) };
static const VtStateDesc  inner_desc = VT_STATE_DESC (Inner, 1, inner_fields, NULL);

typedef struct
{
  uint64_t big;
  uint32_t index;
  Inner    inner[3];
  int64_t  when;
  bool     on;
  uint8_t  later;
  uint8_t  pad_[6];
} Outer;

static bool
outer_check (const void *state, GError **error)
{
  return ((const Outer *) state)->big != 13;
}

static const VtStateField outer_fields[] = {
  VT_STATE (Outer, big),  VT_STATE_MAX (Outer, index, 100),       VT_STATE_STRUCT (Outer, inner, &inner_desc),
  VT_STATE (Outer, when), VT_STATE (Outer, on), VT_STATE_SINCE (Outer, later, 2), VT_STATE (Outer, pad_),
};
static const VtStateDesc outer_desc = VT_STATE_DESC (Outer, 2, outer_fields, outer_check);

static Outer
sample (void)
{
  Outer o = { .big = UINT64_C (0x1122334455667788), .index = 100, .when = -5, .on = true, .later = 7 };

  o.inner[2] = (Inner){ 0xabcd, { 9, 1 } };
  return o;
}

static void
test_round_trip (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  Outer in = sample (), out;

  vt_state_save (&outer_desc, &in, bytes);
  g_assert_cmpuint (bytes->len, ==, 8 + 4 + 3 * 4 + 8 + 1 + 1 + 6);
  g_assert_cmphex (bytes->data[0], ==, 0x88);
  g_assert_true (vt_state_load (&outer_desc, 2, bytes->data, bytes->len, NULL, &out, &error));
  g_assert_no_error (error);
  g_assert_cmpmem (&in, sizeof in, &out, sizeof out);
}

static void
refuse (void (*spoil) (uint8_t *bytes), const char *says)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  Outer in = sample (), out;

  vt_state_save (&outer_desc, &in, bytes);
  spoil (bytes->data);
  g_assert_false (vt_state_load (&outer_desc, 2, bytes->data, bytes->len, NULL, &out, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, says));
}

static void
spoil_max (uint8_t *b)
{
  b[8] = 101;
}

static void
spoil_inner (uint8_t *b)
{
  b[8 + 4 + 2] = 10;
}

static void
spoil_bool (uint8_t *b)
{
  b[8 + 4 + 12 + 8] = 2;
}

static void
spoil_check (uint8_t *b)
{
  memset (b, 0, 8);
  b[0] = 13;
}

static void
test_refusals (void)
{
  refuse (spoil_max, "index");
  refuse (spoil_inner, "Inner.b");
  refuse (spoil_bool, "Outer.on");
  refuse (spoil_check, "contradicts");
}

static void
test_versions (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  Outer in = sample (), out, defaults = { .later = 42 };

  vt_state_save (&outer_desc, &in, bytes);
  /* Version 1 had no "later". */
  g_byte_array_remove_index (bytes, 8 + 4 + 12 + 8 + 1);
  g_assert_true (vt_state_load (&outer_desc, 1, bytes->data, bytes->len, &defaults, &out, NULL));
  g_assert_cmpuint (out.later, ==, 42);
  g_assert_cmpuint (out.index, ==, 100);
  g_assert_false (vt_state_load (&outer_desc, 3, bytes->data, bytes->len, NULL, &out, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_UNSUPPORTED);
  g_assert_false (vt_state_load (&outer_desc, 0, bytes->data, bytes->len, NULL, &out, NULL));
}

static void
test_coverage (void)
{
  static const VtStateField hole[] = { VT_STATE (Inner, a) };
  static const VtStateField twice[] = { VT_STATE (Inner, a), VT_STATE (Inner, a), VT_STATE (Inner, b) };
  const VtStateDesc         hole_desc = VT_STATE_DESC (Inner, 1, hole, NULL);
  const VtStateDesc         twice_desc = VT_STATE_DESC (Inner, 1, twice, NULL);

  g_assert_cmpint (vt_state_uncovered (&outer_desc), ==, -1);
  g_assert_cmpint (vt_state_uncovered (&hole_desc), ==, 2);
  g_assert_cmpint (vt_state_uncovered (&twice_desc), ==, 0);
  g_assert_cmpint (vt_state_uncovered (&vt_state_none), ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/state/round-trip", test_round_trip);
  g_test_add_func ("/state/refusals", test_refusals);
  g_test_add_func ("/state/versions", test_versions);
  g_test_add_func ("/state/coverage", test_coverage);
  return g_test_run ();
}
