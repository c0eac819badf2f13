/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware's ROM. It has no registers and nothing in it changes: what the firmware writes goes
 * to the RAM that the host bridge puts over it.
 */
#include "platform/bios-rom.h"

GBytes *
vt_bios_rom_load (const char *path, GError **error)
{
  GBytes *bytes = vt_read_file (path, "firmware image", VT_BIOS_ROM_MAX, error);
  gsize   size;

  if (bytes == NULL)
    {
      if (error != NULL && g_error_matches (*error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND))
        g_prefix_error (error, "Install the package seabios or choose another firmware image: ");
      return NULL;
    }
  size = g_bytes_get_size (bytes);
  if (size == 0 || size % (4 * VT_KIB) != 0)
    {
      vt_set_error (error, VITRINE_ERROR_INVALID,
                    "“%s” is not a firmware image: it has %" G_GSIZE_FORMAT
                    " bytes, not a multiple of 4 KiB; choose another image.",
                    path, size);
      g_bytes_unref (bytes);
      return NULL;
    }
  return bytes;
}

static bool
bios_rom_realize (VtDevice *dev, GError **error)
{
  VtBiosRom  *rom = (VtBiosRom *) dev;
  gsize       size;
  const void *data;
  uint64_t    shadow;

  if (rom->image == NULL)
    return true;
  data = g_bytes_get_data (rom->image, &size);
  if (size == 0 || size > VT_BIOS_ROM_MAX || size % 4096 != 0)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The firmware image has %" G_GSIZE_FORMAT
                         " bytes; choose one of at most 16 MiB whose size is a multiple of 4 KiB.",
                         size);
  rom->ram = vt_ram_new ("bios", size, error);
  if (rom->ram == NULL)
    return false;
  memcpy (vt_ram_host (rom->ram), data, size);
  g_clear_pointer (&rom->image, g_bytes_unref);
  shadow = MIN (size, VT_BIOS_ROM_SHADOW_MAX);
  rom->high = vt_device_add_ram_region (dev, rom->ram, 0, size, VT_RAM_ROM, NULL);
  rom->low = vt_device_add_ram_region (dev, rom->ram, size - shadow, shadow, VT_RAM_ROM, NULL);
  vt_region_map (rom->high, 4 * VT_GIB - size, VT_BIOS_ROM_PRIORITY);
  vt_region_map (rom->low, VT_BIOS_ROM_SHADOW_END - shadow, VT_BIOS_ROM_PRIORITY);
  return true;
}

static void
bios_rom_unrealize (VtDevice *dev)
{
  VtBiosRom *rom = (VtBiosRom *) dev;

  g_clear_pointer (&rom->image, g_bytes_unref);
  g_clear_pointer (&rom->ram, vt_ram_free);
}

const VtDeviceClass vt_bios_rom_class = {
  .id = "bios-rom",
  .spec = "Intel ICH9 datasheet (316972), 5.20 Firmware hub: BIOS space below 4 GiB and below 1 MiB",
  .size = sizeof (VtBiosRom),
  .state_offset = sizeof (VtDevice),
  .state = &vt_state_none,
  .realize = bios_rom_realize,
  .unrealize = bios_rom_unrealize,
};
