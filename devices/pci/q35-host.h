/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Q35's memory controller hub, 00:00.0: the root bus, both ways to configuration space, shadow
 * RAM below 1 MiB, RAM for system management mode (SMRAM).
 *
 * The board maps machine RAM at 0 to 0x9ffff, from 1 MiB to `low_ram` and from 4 GiB, not between
 * 0xa0000 and 0xfffff: there the hub maps RAM as PAM and SMRAM say, over a ROM at priority 1 and
 * over the VGA's window, and elsewhere nothing answers.
 */
#pragma once

#include "vt-pci-bus.h"

#define VT_Q35_HOST_N_PAM 13
/* Over firmware ROM and the VGA's legacy window. */
#define VT_Q35_HOST_SHADOW_PRIORITY 8

/* SMRAM behind the VGA's window, and what can be taken at the top of low RAM (TSEG): by the data sheet, 1, 2 or
 * 8 MiB; where firmware asks for it by a register of virtual machines, this many. */
#define VT_Q35_HOST_SMRAM_BASE 0xa0000
#define VT_Q35_HOST_TSEG_MIB 16
#define VT_Q35_HOST_N_TSEG 4

/* Where firmware puts the enhanced configuration window, for the MCFG. */
#define VT_Q35_HOST_ECAM_BASE UINT64_C (0xb0000000)
#define VT_Q35_HOST_ECAM_SIZE (256 * VT_MIB)

typedef struct
{
  VtPciState pci;
  uint32_t   config_address; /* The latch at port 0xcf8; atomic. */
  uint8_t    smram, esmramc; /* As they were when D_LCK was set. */
  bool       locked;         /* D_LCK. */
  uint8_t    pad_[1];
} VtQ35HostState;

typedef struct
{
  VtPciFunction fn; /* The bus is its own, and the place always 00:00.0. */

  /* Wiring: where messages of the functions end. Copied; NULL: nowhere. */
  const VtMsiSink *msi;
  /* Wiring: machine RAM, whose first MiB is at address 0. NULL: PAM is registers only. */
  VtRam *ram;
  /* Wiring: RAM below and above 4 GiB, for TOLUD and TOUUD. */
  uint64_t low_ram, high_ram;
  /* Wiring: there are processors that can enter system management mode. Where not, SMRAM can be opened (D_OPEN),
   * and is nowhere else. */
  bool smm;
  /* May be set later: the ROM below 1 MiB, which a write-only PAM segment shows. */
  VtRegion *rom;

  /* Given by realize: the root bus. */
  VtPciBus *bus;

  /* Own. */
  VtRegion *ports;
  VtRegion *ecam[3];                          /* 256, 128 and 64 MiB. */
  VtRegion *shadow[VT_Q35_HOST_N_PAM][3]; /* Read-only, write-only, both. */
  VtRegion *smram_open, *smram;
  VtRegion *tseg[VT_Q35_HOST_N_TSEG], *tseg_hole[VT_Q35_HOST_N_TSEG]; /* In the order of TSEG_SZ. */

  VtQ35HostState state;
} VtQ35Host;

extern const VtDeviceClass vt_q35_host_class;
