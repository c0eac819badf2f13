/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the firmware is told about the machine beside the tables that it hands on: memory map, CPUs,
 * boot order and menu, sleep states.
 */
#pragma once

#include "platform/fw-cfg.h"

typedef struct
{
  uint64_t base, size; /* Bytes. */
} VtFirmwareRange;

typedef struct
{
  unsigned n_cpus;       /* Present. */
  unsigned apic_id_limit; /* One more than the largest APIC id; 0: n_cpus. */

  uint64_t               ram_below_4g, ram_above_4g; /* Bytes, from 0 and from 4 GiB. */
  const VtFirmwareRange *reserved; /* Further ranges that are no guest's; may be NULL. */
  unsigned               n_reserved;
  uint64_t               pci64_first; /* Where 64-bit BARs may begin; 0: the firmware chooses. */

  uint8_t uuid[16];

  bool     boot_menu;
  unsigned boot_menu_wait_ms; /* 0: the firmware's own choice. */
  /* Paths from the functions below, first choice first; NULL-terminated or NULL. */
  const char *const *boot_order;
  bool               boot_only; /* Nothing but what boot_order lists. */

  bool irq0_override; /* The timer is GSI 2. */
  bool nographic;     /* The firmware's text goes to the first serial port. */

  bool    has_s3, has_s4;
  uint8_t s3_type, s4_type; /* SLP_TYP values. */
} VtFirmwareParams;

/* Adds the keys and files. False and @error where the memory ranges make no sense. */
bool vt_firmware_add_files (VtFwCfg *fw, const VtFirmwareParams *params, GError **error);

/* The contents of "etc/e820": { u64 base, u64 size, u32 type } for each range. */
GBytes *vt_firmware_e820 (const VtFirmwareParams *params);

/* How SeaBIOS names what it boots. (transfer full) */
char *vt_firmware_path_ahci (unsigned slot, unsigned function, unsigned port);
char *vt_firmware_path_pci (unsigned slot, unsigned function); /* A device with an option ROM. */
char *vt_firmware_path_rom (const char *file); /* An option ROM in fw_cfg, "genroms/…". */
