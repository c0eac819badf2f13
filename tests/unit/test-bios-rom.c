/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware ROM: where it lies, that nothing writes it, and images that are none.
 */
#include <glib/gstdio.h>

#include "memory/space.h"
#include "platform/bios-rom.h"

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  f->context = vt_context_new_manual ();
  f->clock = vt_clock_new_manual ();
  f->space = vt_space_new ();
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_space_free (f->space);
  vt_clock_free (f->clock);
  vt_context_free (f->context);
}

static VtBiosRom *
make (Fixture *f, gsize size)
{
  VtDeviceEnv env = { .context = f->context, .clock = f->clock, .space = f->space };
  VtBiosRom  *rom = (VtBiosRom *) vt_device_new (&vt_bios_rom_class, "bios", &env);
  uint8_t    *image = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    image[i] = (uint8_t) (i >> 12 ^ i);
  rom->image = g_bytes_new_take (image, size);
  return rom;
}

static void
test_map (Fixture *f, gconstpointer data)
{
  VtRam     *ram = vt_ram_new ("ram", VT_MIB, NULL);
  VtBiosRom *rom = make (f, 256 * VT_KIB);
  uint8_t    v[4], w[4];

  vt_space_map_ram (f->space, ram, 0, VT_MIB, 0, 0);
  g_assert_true (vt_device_realize (&rom->base, NULL));
  /* The reset vector is the same sixteen bytes in both windows. */
  g_assert_true (vt_space_read (f->space, VT_SPACE_MEMORY, 0xfffffff0, v, 4));
  g_assert_true (vt_space_read (f->space, VT_SPACE_MEMORY, 0xffff0, w, 4));
  g_assert_cmpmem (v, 4, w, 4);
  g_assert_cmpuint (v[1], ==, 0x3f ^ 0xf1);
  vt_space_read (f->space, VT_SPACE_MEMORY, 0xe0000, v, 1);
  g_assert_cmpuint (v[0], ==, 0x20);
  vt_space_read (f->space, VT_SPACE_MEMORY, 0xfffc1000, v, 1);
  g_assert_cmpuint (v[0], ==, 0x01);
  /* RAM below the window, ROM in it. */
  vt_space_write (f->space, VT_SPACE_MEMORY, 0xdffff, "\x77\x77", 2);
  vt_space_read (f->space, VT_SPACE_MEMORY, 0xdffff, v, 2);
  g_assert_cmpmem (v, 2, "\x77\x20", 2);
  vt_device_free (&rom->base);
  vt_space_read (f->space, VT_SPACE_MEMORY, 0xe0000, v, 1);
  g_assert_cmpuint (v[0], ==, 0);
  vt_space_free (f->space);
  f->space = vt_space_new ();
  vt_ram_free (ram);
}

static void
test_small (Fixture *f, gconstpointer data)
{
  VtBiosRom *rom = make (f, 64 * VT_KIB);
  uint8_t    v;

  g_assert_true (vt_device_realize (&rom->base, NULL));
  g_assert_true (vt_space_read (f->space, VT_SPACE_MEMORY, 0xf0000, &v, 1));
  g_assert_false (vt_space_read (f->space, VT_SPACE_MEMORY, 0xeffff, &v, 1));
  vt_device_free (&rom->base);
}

static void
test_load (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *dir = g_dir_make_tmp ("vitrine-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "image", NULL);
  g_autofree char *data = g_malloc0 (128 * VT_KIB);

  g_assert_null (vt_bios_rom_load (path, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (vt_bios_rom_load (dir, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_file_set_contents (path, data, 1000, NULL);
  g_assert_null (vt_bios_rom_load (path, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, path));
  /* EDK II's code, without its variables, is no multiple of 64 KiB. */
  g_file_set_contents (path, data, 124 * VT_KIB, NULL);
  bytes = vt_bios_rom_load (path, NULL);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 124 * VT_KIB);
  g_clear_pointer (&bytes, g_bytes_unref);
  g_file_set_contents (path, data, 128 * VT_KIB, NULL);
  bytes = vt_bios_rom_load (path, NULL);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 128 * VT_KIB);
  g_unlink (path);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/bios-rom/map", Fixture, NULL, setup, test_map, teardown);
  g_test_add ("/bios-rom/small", Fixture, NULL, setup, test_small, teardown);
  g_test_add_func ("/bios-rom/load", test_load);
  return g_test_run ();
}
