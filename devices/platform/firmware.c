/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware's own configuration. SeaBIOS 1.16, docs/Runtime_config: the files; ACPI 6.0, 15: the
 * types of memory ranges.
 */
#include "platform/firmware.h"

#define E820_RAM 1
#define E820_RESERVED 2

static void
append_range (GByteArray *out, uint64_t base, uint64_t size, uint32_t type)
{
  uint8_t raw[20];

  vt_st64 (raw, base);
  vt_st64 (raw + 8, size);
  vt_st32 (raw + 16, type);
  g_byte_array_append (out, raw, sizeof raw);
}

GBytes *
vt_firmware_e820 (const VtFirmwareParams *p)
{
  GByteArray *out = g_byte_array_new ();

  if (p->ram_below_4g != 0)
    append_range (out, 0, p->ram_below_4g, E820_RAM);
  if (p->ram_above_4g != 0)
    append_range (out, 4 * VT_GIB, p->ram_above_4g, E820_RAM);
  for (unsigned i = 0; i < p->n_reserved; i++)
    append_range (out, p->reserved[i].base, p->reserved[i].size, E820_RESERVED);
  return g_byte_array_free_to_bytes (out);
}

char *
vt_firmware_path_ahci (unsigned slot, unsigned function, unsigned port)
{
  return g_strdup_printf ("/pci@i0cf8/sata@%x,%x/drive@%x/disk@0", slot, function, port);
}

char *
vt_firmware_path_pci (unsigned slot, unsigned function)
{
  /* SeaBIOS leaves function 0 out. */
  return function == 0 ? g_strdup_printf ("/pci@i0cf8/device@%x", slot)
                       : g_strdup_printf ("/pci@i0cf8/device@%x,%x", slot, function);
}

char *
vt_firmware_path_rom (const char *file)
{
  return g_strdup_printf ("/rom@%s", file);
}

static bool
check_params (const VtFirmwareParams *p, GError **error)
{
  uint64_t end;

  if (p->ram_below_4g > 4 * VT_GIB || !vt_add (p->ram_above_4g, 4 * VT_GIB, &end))
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The machine's memory does not fit into its address space.");
  for (unsigned i = 0; i < p->n_reserved; i++)
    {
      uint64_t base = p->reserved[i].base;

      if (p->reserved[i].size == 0 || !vt_add (base, p->reserved[i].size, &end) ||
          base < p->ram_below_4g ||
          (p->ram_above_4g != 0 && base < 4 * VT_GIB + p->ram_above_4g && end > 4 * VT_GIB))
        return vt_set_error (error, VITRINE_ERROR_INVALID,
                             "A reserved range at 0x%" G_GINT64_MODIFIER
                             "x is empty or lies in memory.",
                             base);
    }
  return true;
}

static bool
add_boot_order (VtFwCfg *fw, const VtFirmwareParams *p, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (unsigned i = 0; p->boot_order != NULL && p->boot_order[i] != NULL; i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "" : "\n", p->boot_order[i]);
  if (text->len == 0)
    return true;
  if (p->boot_only)
    g_string_append (text, "\nHALT");
  return vt_fw_cfg_add_file (fw, "bootorder", text->str, text->len + 1, error);
}

bool
vt_firmware_add_files (VtFwCfg *fw, const VtFirmwareParams *p, GError **error)
{
  g_autoptr (GBytes) e820 = NULL;
  unsigned limit = MAX (p->apic_id_limit, p->n_cpus);
  uint8_t  irq0 = p->irq0_override;
  /* Six bytes, S0 to S5: bit 7 says that the state exists, the rest is its SLP_TYP. */
  uint8_t states[6] = { 0x80, 0, 0, p->s3_type, p->s4_type, 0x80 };
  uint8_t number[8];

  if (!check_params (p, error))
    return false;
  vt_fw_cfg_add (fw, VT_FW_CFG_UUID, p->uuid, sizeof p->uuid);
  vt_fw_cfg_add_u64 (fw, VT_FW_CFG_RAM_SIZE, p->ram_below_4g);
  vt_fw_cfg_add_u16 (fw, VT_FW_CFG_NOGRAPHIC, p->nographic);
  vt_fw_cfg_add_u16 (fw, VT_FW_CFG_NB_CPUS, (uint16_t) MIN (p->n_cpus, UINT16_MAX));
  vt_fw_cfg_add_u16 (fw, VT_FW_CFG_MAX_CPUS, (uint16_t) MIN (limit, UINT16_MAX));
  vt_fw_cfg_add_u16 (fw, VT_FW_CFG_BOOT_MENU, p->boot_menu);
  vt_fw_cfg_add (fw, VT_FW_CFG_IRQ0_OVERRIDE, &irq0, 1);

  e820 = vt_firmware_e820 (p);
  if (!vt_fw_cfg_add_file_bytes (fw, "etc/e820", e820, error))
    return false;

  states[3] |= p->has_s3 ? 0x80 : 0;
  states[4] |= p->has_s4 ? 0x80 : 0;
  if (!vt_fw_cfg_add_file (fw, "etc/system-states", states, sizeof states, error))
    return false;

  vt_st64 (number, p->pci64_first);
  if (p->pci64_first != 0 &&
      !vt_fw_cfg_add_file (fw, "etc/reserved-memory-end", number, sizeof number, error))
    return false;

  vt_st32 (number, p->boot_menu_wait_ms);
  if (p->boot_menu && p->boot_menu_wait_ms != 0 &&
      !vt_fw_cfg_add_file (fw, "etc/boot-menu-wait", number, 4, error))
    return false;

  return add_boot_order (fw, p, error);
}
