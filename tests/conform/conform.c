/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The conformance walk: what every device of the catalogue has, checked for each of them.
 */
#include "rig/rig.h"

static const char *source_root;

/* A small deterministic generator: the walk is the same every time. */
static uint64_t
next_random (uint64_t *seed)
{
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static VtRig *
rig_for (const VtDeviceClass *klass, bool wired)
{
  g_autoptr (GError) error = NULL;
  VtRig *rig = vt_rig_new (klass, wired, &error);

  g_assert_no_error (error);
  /* Wired as in a machine, with its registers where a guest reaches them. */
  if (wired)
    vt_rig_map_bars (rig);
  return rig;
}

/* What a badly written driver does: random writes and reads, and time that passes. */
static void
poke (VtRig *rig, uint64_t seed, unsigned n)
{
  unsigned windows = vt_rig_n_windows (rig);

  seed = seed * UINT64_C (0x9e3779b97f4a7c15) + 1;
  for (unsigned i = 0; i < n; i++)
    {
      uint64_t r = next_random (&seed);

      if (windows > 0)
        {
          unsigned w = (unsigned) (r % windows), size = 1u << ((r >> 8) & 3);
          uint64_t range = vt_rig_window_size (rig, w);
          uint64_t offset = next_random (&seed) % range;

          if ((r & 0x1000) != 0)
            vt_rig_write (rig, w, offset, size, next_random (&seed));
          else
            vt_rig_read (rig, w, offset, size);
        }
      if ((r & 0x3f00000) == 0)
        vt_rig_look (rig);
      if ((r & 0xf0000) == 0)
        vt_clock_advance (rig->clock, (int64_t) (next_random (&seed) % 100000));
      vt_context_dispatch (rig->context);
    }
}

static GByteArray *
saved (VtRig *rig)
{
  GByteArray *bytes = g_byte_array_new ();

  vt_device_save (rig->dev, bytes);
  return bytes;
}

static void
assert_same (GByteArray *a, GByteArray *b, const VtDeviceClass *klass, const char *what)
{
  g_assert_cmpuint (a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++)
    if (a->data[i] != b->data[i])
      {
        g_test_message ("%s: %s: byte %u of the saved state differs: %02x and %02x", klass->id, what,
                        i, a->data[i], b->data[i]);
        g_test_fail ();
        return;
      }
}

static void
test_papers (gconstpointer data)
{
  const VtDeviceClass *klass = data;
  static const char   *folders[] = { "platform", "pci", "storage", "gpu", "input", "acpi", "net", "usb" };
  g_autofree char     *file = g_strdup_printf ("%s.c", klass->id);
  g_autofree char     *unit = g_strdup_printf ("%s/tests/unit/test-%s.c", source_root, klass->id);
  bool                 found = false;

  g_assert_nonnull (klass->spec);
  g_assert_cmpuint (strlen (klass->spec), >, 5);
  g_assert_nonnull (klass->state);
  g_assert_nonnull (klass->realize);
  for (unsigned i = 0; i < G_N_ELEMENTS (folders) && !found; i++)
    {
      g_autofree char *path = g_build_filename (source_root, "devices", folders[i], file, NULL);

      found = g_file_test (path, G_FILE_TEST_EXISTS);
    }
  if (!found)
    {
      g_test_message ("no file below devices/ is named %s", file);
      g_test_fail ();
    }
  if (!g_file_test (unit, G_FILE_TEST_EXISTS))
    {
      g_test_message ("%s is missing", unit);
      g_test_fail ();
    }
}

static void
test_covered (gconstpointer data)
{
  const VtDeviceClass *klass = data;
  int64_t              at = vt_state_uncovered (klass->state);

  if (at >= 0)
    {
      g_test_message ("%s: no field names byte %d of the state, or two do", klass->id, (int) at);
      g_test_fail ();
    }
  g_assert_cmpuint (klass->state_offset + klass->state->size, <=, klass->size);
}

static void
test_reset (gconstpointer data)
{
  const VtDeviceClass *klass = data;
  VtRig               *rig = rig_for (klass, false);
  GByteArray          *first, *again, *used;

  vt_device_reset (rig->dev, VT_RESET_COLD);
  first = saved (rig);
  vt_device_reset (rig->dev, VT_RESET_COLD);
  again = saved (rig);
  assert_same (first, again, klass, "a second reset changed something");
  for (unsigned i = 0; i < 20; i++)
    {
      /* Time has passed for the used device, and may show (a clock is no state of the reset). */
      poke (rig, i, 500);
      g_assert_true (vt_rig_pause (rig));
      vt_clock_advance (rig->clock, 0);
      vt_device_resume (rig->dev);
      vt_device_reset (rig->dev, VT_RESET_WARM);
      vt_device_reset (rig->dev, VT_RESET_BUS);
      vt_device_reset (rig->dev, VT_RESET_COLD);
    }
  used = saved (rig);
  g_assert_cmpuint (used->len, ==, first->len);
  vt_device_reset (rig->dev, VT_RESET_COLD);
  again = (g_byte_array_unref (again), saved (rig));
  assert_same (used, again, klass, "a second reset after use changed something");
  g_byte_array_unref (first);
  g_byte_array_unref (again);
  g_byte_array_unref (used);
  vt_rig_free (rig);
}

/* After a cold reset at the same time, a used device is like a new one. */
static void
test_reset_forgets (gconstpointer data)
{
  const VtDeviceClass *klass = data;

  for (unsigned wired = 0; wired < 2; wired++)
    {
      VtRig      *fresh = rig_for (klass, wired), *used = rig_for (klass, wired);
      GByteArray *a, *b;

      poke (used, 77, 2000);
      vt_clock_advance (fresh->clock, vt_clock_now (used->clock));
      vt_device_reset (fresh->dev, VT_RESET_COLD);
      vt_device_reset (used->dev, VT_RESET_COLD);
      a = saved (fresh);
      b = saved (used);
      assert_same (a, b, klass, "a cold reset kept something of the past");
      g_byte_array_unref (a);
      g_byte_array_unref (b);
      vt_rig_free (fresh);
      vt_rig_free (used);
    }
}

static void
test_save_load (gconstpointer data)
{
  const VtDeviceClass *klass = data;

  for (unsigned i = 0; i < 10; i++)
    {
      g_autoptr (GError) error = NULL;
      VtRig      *rig = rig_for (klass, i % 2 == 0), *other = rig_for (klass, i % 2 == 0);
      GByteArray *before, *after;

      poke (rig, i, 1000);
      g_assert_true (vt_rig_pause (rig));
      before = saved (rig);
      g_assert_true (vt_rig_pause (other));
      /* A guest clock is loaded before the devices are. */
      vt_clock_advance (other->clock, vt_clock_now (rig->clock));
      vt_device_load (other->dev, klass->state->version, before->data, before->len, &error);
      g_assert_no_error (error);
      vt_device_commit (other->dev);
      after = saved (other);
      assert_same (before, after, klass, "save, load, save");
      vt_device_resume (other->dev);
      poke (other, i, 200);
      g_byte_array_unref (before);
      g_byte_array_unref (after);
      vt_rig_free (rig);
      vt_rig_free (other);
    }
}

static void
test_truncated (gconstpointer data)
{
  const VtDeviceClass *klass = data;
  VtRig               *rig = rig_for (klass, false);
  GByteArray          *bytes, *now;
  guint                whole;

  poke (rig, 5, 500);
  g_assert_true (vt_rig_pause (rig));
  bytes = saved (rig);
  whole = bytes->len;
  g_byte_array_append (bytes, (const guint8 *) "", 1);
  for (guint len = 0; len <= whole + 1; len++)
    {
      g_autoptr (GError) error = NULL;

      if (len == whole)
        continue;
      g_assert_false (vt_device_load (rig->dev, klass->state->version, bytes->data, len, &error));
      g_assert_nonnull (error);
    }
  g_byte_array_set_size (bytes, whole);
  vt_device_commit (rig->dev); /* There is nothing to commit. */
  now = saved (rig);
  assert_same (bytes, now, klass, "a refused load changed something");
  g_assert_false (vt_device_load (rig->dev, (uint16_t) (klass->state->version + 1), now->data,
                                  now->len, NULL));
  g_byte_array_unref (bytes);
  g_byte_array_unref (now);
  vt_rig_free (rig);
}

static void
sweep (VtRig *rig)
{
  static const uint64_t values[] = { 0, UINT64_MAX, UINT64_C (0xa55aa55aa55aa55a) };

  for (unsigned w = 0; w < vt_rig_n_windows (rig); w++)
    {
      uint64_t size = vt_rig_window_size (rig, w);
      /* Every offset of a register block; a big window (video memory) by strides that are odd. */
      uint64_t step = size <= 8192 ? 1 : size / 4096 + 1;

      for (uint64_t offset = 0; offset < size; offset += step)
        for (unsigned bytes = 1; bytes <= 8; bytes++)
          {
            vt_rig_read (rig, w, offset, bytes);
            for (unsigned v = 0; v < G_N_ELEMENTS (values); v++)
              vt_rig_write (rig, w, offset, bytes, values[v]);
          }
      vt_context_dispatch (rig->context);
      vt_clock_advance (rig->clock, VT_NS_PER_MS);
    }
}

static void
test_sweep (gconstpointer data)
{
  for (unsigned wired = 0; wired < 2; wired++)
    {
      VtRig *rig = rig_for (data, wired);

      sweep (rig);
      vt_device_reset (rig->dev, VT_RESET_WARM);
      sweep (rig);
      vt_rig_free (rig);
    }
}

static void
test_pause (gconstpointer data)
{
  const VtDeviceClass *klass = data;
  VtRig               *rig = rig_for (klass, true);

  for (unsigned i = 0; i < 20; i++)
    {
      poke (rig, i, 200);
      g_assert_true (vt_rig_pause (rig));
      g_assert_true (vt_device_is_paused (rig->dev));
      vt_device_resume (rig->dev);
    }
  vt_rig_free (rig);
}

static void
test_independent (gconstpointer data)
{
  const VtDeviceClass *klass = data;
  VtRig               *quiet = rig_for (klass, false), *busy = rig_for (klass, false);
  GByteArray          *before = saved (quiet), *after;

  poke (busy, 3, 2000);
  after = saved (quiet);
  assert_same (before, after, klass, "one instance changed another");
  g_byte_array_unref (before);
  g_byte_array_unref (after);
  vt_rig_free (quiet);
  vt_rig_free (busy);
}

static const struct
{
  const char *name;
  GTestDataFunc func;
} checks[] = {
  { "papers", test_papers },
  { "state-covered", test_covered },
  { "reset-idempotent", test_reset },
  { "reset-forgets", test_reset_forgets },
  { "save-load-save", test_save_load },
  { "truncated-state-refused", test_truncated },
  { "register-sweep", test_sweep },
  { "pause-completes", test_pause },
  { "independent", test_independent },
};

static void
test_catalogue (void)
{
  guint n = 0;

  for (; vt_device_classes[n] != NULL; n++)
    for (guint i = 0; i < n; i++)
      g_assert_cmpstr (vt_device_classes[i]->id, !=, vt_device_classes[n]->id);
  g_test_message ("%u classes", n);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  source_root = g_getenv ("VITRINE_SOURCE_ROOT");
  g_assert_nonnull (source_root);
  g_test_add_func ("/conform/catalogue", test_catalogue);
  for (guint n = 0; vt_device_classes[n] != NULL; n++)
    for (guint c = 0; c < G_N_ELEMENTS (checks); c++)
      {
        g_autofree char *path =
            g_strdup_printf ("/conform/%s/%s", vt_device_classes[n]->id, checks[c].name);

        g_test_add_data_func (path, vt_device_classes[n], checks[c].func);
      }
  return g_test_run ();
}
