/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the firmware is told: memory map, keys, boot order.
 */
#include "platform/firmware.h"

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtFwCfg   *fw;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  VtDeviceEnv env;

  f->context = vt_context_new_manual ();
  f->clock = vt_clock_new_manual ();
  env = (VtDeviceEnv){ .context = f->context, .clock = f->clock };
  f->fw = (VtFwCfg *) vt_device_new (&vt_fw_cfg_class, "fw-cfg", &env);
  g_assert_true (vt_device_realize (&f->fw->base, NULL));
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_device_free (&f->fw->base);
  vt_clock_free (f->clock);
  vt_context_free (f->context);
}

static void
fetch (Fixture *f, uint16_t key, void *to, size_t len)
{
  VtRegion *ports = vt_device_region (&f->fw->base, 0);

  vt_region_write (ports, 0, 2, key);
  for (size_t i = 0; i < len; i++)
    ((uint8_t *) to)[i] = (uint8_t) vt_region_read (ports, 1, 1);
}

static void
test_e820 (void)
{
  static const VtFirmwareRange reserved[] = { { 0xfed1c000, 0x4000 } };
  VtFirmwareParams p = { .n_cpus = 1, .ram_below_4g = 2 * VT_GIB, .ram_above_4g = VT_GIB,
                         .reserved = reserved, .n_reserved = 1 };
  g_autoptr (GBytes) bytes = vt_firmware_e820 (&p);
  const uint8_t *e = g_bytes_get_data (bytes, NULL);

  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 60);
  g_assert_cmpuint (vt_ld64 (e), ==, 0);
  g_assert_cmpuint (vt_ld64 (e + 8), ==, 2 * VT_GIB);
  g_assert_cmpuint (vt_ld32 (e + 16), ==, 1);
  g_assert_cmpuint (vt_ld64 (e + 20), ==, 4 * VT_GIB);
  g_assert_cmpuint (vt_ld64 (e + 28), ==, VT_GIB);
  g_assert_cmpuint (vt_ld32 (e + 36), ==, 1);
  g_assert_cmpuint (vt_ld64 (e + 40), ==, 0xfed1c000);
  g_assert_cmpuint (vt_ld32 (e + 56), ==, 2);
}

static void
test_files (Fixture *f, gconstpointer data)
{
  static const char *const order[] = { "/rom@genroms/a.bin", "/pci@i0cf8/sata@1f,2/drive@0/disk@0",
                                       NULL };
  static const char        want[] = "/rom@genroms/a.bin\n/pci@i0cf8/sata@1f,2/drive@0/disk@0\nHALT";
  VtFirmwareParams         p = { .n_cpus = 3,
                                 .ram_below_4g = VT_GIB,
                                 .boot_menu = true,
                                 .boot_menu_wait_ms = 2500,
                                 .boot_order = order,
                                 .boot_only = true,
                                 .irq0_override = true,
                                 .has_s3 = true,
                                 .s3_type = 5,
                                 .s4_type = 6 };
  uint8_t                  buf[128];

  g_assert_true (vt_firmware_add_files (f->fw, &p, NULL));
  fetch (f, VT_FW_CFG_NB_CPUS, buf, 2);
  g_assert_cmpuint (vt_ld16 (buf), ==, 3);
  fetch (f, VT_FW_CFG_MAX_CPUS, buf, 2);
  g_assert_cmpuint (vt_ld16 (buf), ==, 3);
  fetch (f, VT_FW_CFG_BOOT_MENU, buf, 2);
  g_assert_cmpuint (vt_ld16 (buf), ==, 1);
  fetch (f, VT_FW_CFG_IRQ0_OVERRIDE, buf, 1);
  g_assert_cmpuint (buf[0], ==, 1);
  fetch (f, vt_fw_cfg_find (f->fw, "bootorder"), buf, sizeof want);
  g_assert_cmpstr ((char *) buf, ==, want);
  fetch (f, vt_fw_cfg_find (f->fw, "etc/boot-menu-wait"), buf, 4);
  g_assert_cmpuint (vt_ld32 (buf), ==, 2500);
  fetch (f, vt_fw_cfg_find (f->fw, "etc/system-states"), buf, 6);
  g_assert_cmpmem (buf, 6, "\x80\0\0\x85\x06\x80", 6);
  g_assert_cmpuint (vt_fw_cfg_find (f->fw, "etc/reserved-memory-end"), ==, 0);
}

static void
test_paths (void)
{
  g_autofree char *ahci = vt_firmware_path_ahci (0x1f, 2, 11);
  g_autofree char *rom = vt_firmware_path_rom ("genroms/x.bin");
  g_autofree char *pci = vt_firmware_path_pci (2, 0);

  g_assert_cmpstr (ahci, ==, "/pci@i0cf8/sata@1f,2/drive@b/disk@0");
  g_assert_cmpstr (rom, ==, "/rom@genroms/x.bin");
  g_assert_cmpstr (pci, ==, "/pci@i0cf8/device@2");
}

static void
test_bad (Fixture *f, gconstpointer data)
{
  static const VtFirmwareRange in_ram = { VT_MIB, VT_MIB }, empty = { 0xfed00000, 0 },
                               wraps = { UINT64_MAX, 2 }, over = { 0xffff0000, 0x20000 };
  const VtFirmwareRange *const bad[] = { &in_ram, &empty, &wraps, &over };

  for (unsigned i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      VtFirmwareParams p = { .n_cpus = 1, .ram_below_4g = VT_GIB, .ram_above_4g = VT_GIB,
                             .reserved = bad[i], .n_reserved = 1 };

      g_assert_false (vt_firmware_add_files (f->fw, &p, &error));
      g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/firmware/e820", test_e820);
  g_test_add ("/firmware/files", Fixture, NULL, setup, test_files, teardown);
  g_test_add_func ("/firmware/paths", test_paths);
  g_test_add ("/firmware/bad", Fixture, NULL, setup, test_bad, teardown);
  return g_test_run ();
}
