/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Writes what a direct boot gives to the firmware into a folder, for stock QEMU to give the same:
 * boot-files FOLDER KERNEL INITRD APPEND MIB
 */
#include "boot/boot.h"

static void
save (VtFwCfg *fw, const char *folder, const char *name)
{
  uint16_t         key = vt_fw_cfg_find (fw, name);
  VtRegion        *ports = vt_device_region (&fw->base, 0);
  g_autofree char *base = g_path_get_basename (name);
  g_autofree char *path = g_build_filename (folder, base, NULL);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  uint32_t size = 0;

  /* The directory has the sizes. */
  vt_region_write (ports, 0, 2, VT_FW_CFG_FILE_DIR);
  for (unsigned i = 0; i < 4 + (key - VT_FW_CFG_FILE_FIRST) * 64u; i++)
    vt_region_read (ports, 1, 1);
  for (unsigned i = 0; i < 4; i++)
    size = size << 8 | (uint32_t) vt_region_read (ports, 1, 1);
  vt_region_write (ports, 0, 2, key);
  for (; size > 0; size--)
    {
      uint8_t v = (uint8_t) vt_region_read (ports, 1, 1);

      g_byte_array_append (bytes, &v, 1);
    }
  if (!g_file_set_contents (path, (char *) bytes->data, bytes->len, NULL))
    g_printerr ("%s can't be written\n", path);
}

int
main (int argc, char **argv)
{
  static const char *const files[] = { VT_BOOT_PLAN_FILE,   VT_BOOT_SETUP_FILE,
                                       VT_BOOT_KERNEL_FILE, VT_BOOT_INITRD_FILE,
                                       VT_BOOT_CMDLINE_FILE, VT_BOOT_ROM_FILE };
  VtContext   *context = vt_context_new_manual ();
  VtClock     *clock = vt_clock_new_manual ();
  VtDeviceEnv  env = { .context = context, .clock = clock };
  VtFwCfg     *fw = (VtFwCfg *) vt_device_new (&vt_fw_cfg_class, "fw-cfg", &env);
  VtBootParams p;
  g_autoptr (GError) error = NULL;
  bool ok;

  if (argc != 6)
    return 2;
  p = (VtBootParams){ argv[2], argv[3], argv[4], g_ascii_strtoull (argv[5], NULL, 10) * VT_MIB };
  ok = vt_device_realize (&fw->base, &error) && vt_boot_add (fw, &p, &error);
  if (ok)
    for (unsigned i = 0; i < G_N_ELEMENTS (files); i++)
      save (fw, argv[1], files[i]);
  else
    g_printerr ("%s\n", error->message);
  vt_device_free (&fw->base);
  vt_clock_free (clock);
  vt_context_free (context);
  return ok ? 0 : 1;
}
