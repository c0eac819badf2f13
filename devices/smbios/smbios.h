/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SMBIOS: what the machine tells about itself. Two fw_cfg files; the firmware copies the structures
 * into memory and points the anchor at them.
 */
#pragma once

#include "platform/fw-cfg.h"

#define VT_SMBIOS_ANCHOR_FILE "etc/smbios/smbios-anchor"
#define VT_SMBIOS_TABLES_FILE "etc/smbios/smbios-tables"

/* Strings may be NULL; what is not ASCII in them becomes '?', and what is beyond 64 bytes is cut. */
typedef struct
{
  bool old_anchor; /* "_SM_", version 2.8, for guests older than SMBIOS 3. */

  /* Date: "mm/dd/yyyy". Vendor NULL: the firmware adds the structure that describes itself. */
  const char *bios_vendor, *bios_version, *bios_date;
  bool        uefi;

  const char *manufacturer, *product, *version, *serial, *sku, *family;
  const char *uuid; /* "01234567-89ab-…"; NULL: all zeros, which means absent. */

  unsigned    sockets, cores, threads; /* Cores for each socket, threads for each core; 0 is 1. */
  const char *cpu_vendor, *cpu_name;
  uint32_t    cpu_eax, cpu_edx; /* CPUID leaf 1. */

  uint64_t ram_below_4g, ram_above_4g; /* Bytes. */
} VtSmbiosParams;

typedef struct
{
  GByteArray *anchor, *tables;
} VtSmbiosTables;

/* False and @error where the UUID is malformed. */
bool vt_smbios_build (const VtSmbiosParams *params, VtSmbiosTables *out, GError **error);
void vt_smbios_tables_clear (VtSmbiosTables *tables);
bool vt_smbios_add_files (VtFwCfg *fw, const VtSmbiosParams *params, GError **error);

/* The 16 bytes of @text in its own order (network order). False and @error where it is malformed. */
bool vt_smbios_parse_uuid (const char *text, uint8_t uuid[16], GError **error);
