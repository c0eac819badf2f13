/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table loader's script ("etc/table-loader"): what the firmware does with the table files. Each
 * command is a little-endian record of 128 bytes; names have 56 bytes with their terminator.
 */
#include "acpi/acpi.h"

#define RECORD 128
#define NAME VT_FW_CFG_NAME_MAX

enum
{
  COMMAND_ALLOCATE = 1,
  COMMAND_POINTER = 2,
  COMMAND_CHECKSUM = 3,
};

void
vt_acpi_loader_allocate (GByteArray *script, const char *file, uint32_t align, VtAcpiZone zone)
{
  uint8_t r[RECORD] = { 0 };

  vt_st32 (r, COMMAND_ALLOCATE);
  g_strlcpy ((char *) r + 4, file, NAME);
  vt_st32 (r + 4 + NAME, align);
  r[4 + NAME + 4] = (uint8_t) zone;
  g_byte_array_append (script, r, sizeof r);
}

void
vt_acpi_loader_pointer (GByteArray *script, const char *file, uint32_t offset, uint8_t size,
                        const char *target)
{
  uint8_t r[RECORD] = { 0 };

  vt_st32 (r, COMMAND_POINTER);
  g_strlcpy ((char *) r + 4, file, NAME);
  g_strlcpy ((char *) r + 4 + NAME, target, NAME);
  vt_st32 (r + 4 + 2 * NAME, offset);
  r[4 + 2 * NAME + 4] = size;
  g_byte_array_append (script, r, sizeof r);
}

void
vt_acpi_loader_checksum (GByteArray *script, const char *file, uint32_t offset, uint32_t start,
                         uint32_t length)
{
  uint8_t r[RECORD] = { 0 };

  vt_st32 (r, COMMAND_CHECKSUM);
  g_strlcpy ((char *) r + 4, file, NAME);
  vt_st32 (r + 4 + NAME, offset);
  vt_st32 (r + 4 + NAME + 4, start);
  vt_st32 (r + 4 + NAME + 8, length);
  g_byte_array_append (script, r, sizeof r);
}
