/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ACPI tables of the q35 board, and how the firmware gets them: plain parameters in, three
 * fw_cfg files out. The firmware places them in memory and patches addresses and checksums as the
 * loader script says.
 */
#pragma once

#include "platform/fw-cfg.h"
#include "vt-aml.h"

#define VT_ACPI_TABLES_FILE "etc/acpi/tables"
#define VT_ACPI_RSDP_FILE "etc/acpi/rsdp"
#define VT_ACPI_LOADER_FILE "etc/table-loader"

/* Windows ACPI Emulated Devices Table: what a guest may rely on. */
typedef enum
{
  VT_ACPI_WAET_RTC_GOOD = 1 << 0,   /* Periodic interrupts need no read of register C. */
  VT_ACPI_WAET_TIMER_GOOD = 1 << 1, /* One read of the PM timer is enough. */
} VtAcpiWaet;

typedef struct VtAcpiParams VtAcpiParams;

struct VtAcpiParams
{
  unsigned n_cpus; /* APIC ids are 0 to n_cpus - 1. */

  uint64_t ecam_base;
  uint32_t ecam_size; /* Bytes: 1 MiB for each bus. 0: no ECAM. */

  /* What the host bridge forwards to PCI. Both ends belong to it. */
  uint32_t hole32_first, hole32_last;
  uint64_t hole64_first, hole64_last; /* Last 0: none. */

  uint16_t pm_base;       /* PM1a event +0, control +4, timer +8. */
  uint16_t gpe0_base;
  uint8_t  gpe0_length;   /* Bytes, status and enable together. */
  uint8_t  sci;           /* GSI and PIC input. */
  uint16_t smi_command;   /* Port; 0: the machine is always in ACPI mode. */
  uint8_t  acpi_enable, acpi_disable; /* Values for that port. */
  bool     rtc_wake;      /* PM1 has RTC status and enable bits. */

  bool    has_s3, has_s4;
  uint8_t s3_type, s4_type, s5_type; /* SLP_TYP values. */

  bool     has_hpet;
  uint32_t hpet_base;
  uint32_t hpet_id; /* Bits 31 to 0 of its capabilities register. */

  bool     irq0_override; /* The timer is GSI 2. */
  bool     has_8042;
  unsigned serial_mask; /* Bit n: COM(n + 1) is there. */
  unsigned waet;        /* VtAcpiWaet */

  /* Devices' own definitions (build_aml) into the SSDT; may be NULL. */
  void (*extend) (void *data, VtAml *aml);
  /* Called before the tables are made anew for the firmware, which has placed BARs by then; may
   * change windows. May be NULL. */
  void (*update) (void *data, VtAcpiParams *params);
  void *data;
};

/* The q35 board's usual values, one CPU, no holes: the board fills in the rest. */
void vt_acpi_params_init (VtAcpiParams *params);

typedef struct
{
  GByteArray *tables, *rsdp, *loader; /* Contents of the three files. */
} VtAcpiTables;

void vt_acpi_tables_clear (VtAcpiTables *tables);

/* Fails, with @error set, only where the parameters contradict each other. */
bool vt_acpi_build (const VtAcpiParams *params, VtAcpiTables *out, GError **error);

/* Adds the three files; they are made anew when the firmware selects one. @params must live as long
 * as @fw. */
bool vt_acpi_add_files (VtFwCfg *fw, VtAcpiParams *params, GError **error);

/* The parts, for tables.c ----------------------------------------------------------------------- */

/* The AML of the SSDT without its header. (transfer full); NULL where a name is malformed. */
GBytes *vt_acpi_ssdt (const VtAcpiParams *params);

/* The loader script: 128-byte commands (loader.c). */
typedef enum
{
  VT_ACPI_ZONE_HIGH = 1, /* Below 4 GiB. */
  VT_ACPI_ZONE_FSEG = 2, /* Between 0xf0000 and 1 MiB, where the RSDP is searched for. */
} VtAcpiZone;

void vt_acpi_loader_allocate (GByteArray *script, const char *file, uint32_t align, VtAcpiZone zone);
/* The @size bytes at @offset of @file hold an offset into @target, whose address is to be added. */
void vt_acpi_loader_pointer (GByteArray *script, const char *file, uint32_t offset, uint8_t size,
                             const char *target);
/* The byte at @offset of @file makes the @length bytes from @start sum up to zero. */
void vt_acpi_loader_checksum (GByteArray *script, const char *file, uint32_t offset,
                              uint32_t start, uint32_t length);
