/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ICH9's LPC bridge, 00:1f.0: interrupt routing, power management, reset control.
 *
 * How INTx gets to the I/O APIC and the PIC, which the _PRT has to repeat:
 *
 *   pin p (0 = INTA#) of slot s on bus 0     PIRQ index (0 = A … 7 = H)
 *     s = 0 … 24                               4 + ((s + p) & 3)                   E to H
 *     s = 25 … 29 and 31                       DsIR bits 4p+2:4p, default p        A to D
 *     s = 30                                   p                                   A to D
 *   behind a root port in slot s             pin (device + p) & 3 of slot s; the device is 0
 *
 *   PIRQ index i drives GSI 16 + i always, and ISA interrupt PIRQx_ROUT & 15 (GSI of that number)
 *   while bit 7 of PIRQx_ROUT is clear. In APIC mode an operating system leaves bit 7 set and uses
 *   GSI 16 to 23, level, active high as wired here and active low by convention of the tables.
 *
 * The SCI is GSI 9 (or what ACPI_CNTL says), level.
 */
#pragma once

#include "pci/ich9-pm.h"
#include "vt-pci-bus.h"

#define VT_ICH9_LPC_DEVFN VT_PCI_DEVFN (31, 0)
#define VT_ICH9_GSIS 24
#define VT_ICH9_PIRQS 8
#define VT_ICH9_N_RCRB 16

/* The PIRQ of a pin after reset, for tables: 0 = A … 7 = H. */
static inline unsigned
vt_ich9_default_pirq (unsigned slot, unsigned pin)
{
  return slot <= 24 ? 4 + ((slot + pin) & 3) : pin & 3;
}

typedef struct
{
  VtPciState    pci;
  VtIch9PmState pm;
  uint32_t      rcrb[VT_ICH9_N_RCRB]; /* The registers that there are; which: see the source. */
  uint8_t       apm_cnt, apm_sts, reset_control;
  bool          smi_locked; /* GEN_PMCON_1 SMI_LOCK has been set. */
  bool          bios_locked; /* BIOS_CNTL BLE likewise. */
  /* What firmware would have (VT_ICH9_SMI_FEATURES), and what it has been granted. */
  bool          smi_agreed, smi_broadcast;
  uint8_t       pad_[1];
  uint64_t      smi_requested;
} VtIch9LpcState;

typedef struct
{
  VtPciFunction fn; /* Wiring: bus (the root bus), devfn. */

  /* Wiring: the interrupt inputs of the I/O APIC and, below 16, of the PIC. Shared, so that others
   * may drive them too. */
  VtLine *gsi[VT_ICH9_GSIS];
  /* Wiring, each pulsed: */
  VtLine *reset;      /* Port 0xcf9 or the watchdog. */
  VtLine *reset_full; /* Port 0xcf9 with FULL_RST: power goes away for a moment; NULL: reset. */
  VtLine *poweroff;   /* SLP_TYP S5 or S4, or the button held for four seconds. */
  VtLine *suspend;    /* SLP_TYP S3. */
  VtLine *wake;       /* A wake event in S3. */
  VtLine *smi;        /* To the processor that asks. Without SMM: NULL. */
  VtLine *smi_all;

  /* Given after realize: the power button's wire, high while pressed. Any thread. */
  VtLine *power_button;
  VtIch9Pm pm; /* vt_ich9_pm_gpe() and vt_ich9_pm_rtc(), with the context's lock held. */

  /* Own. */
  VtRegion   *pm_region, *rcrb_region, *apm_region, *cf9_region;
  VtPciRoute *pirq[VT_ICH9_PIRQS];
  VtPciRoute *sci;
  VtLine     *sci_source;
  uint8_t     routed[VT_PCI_SLOTS * VT_PCI_PINS]; /* Where the pins go now, 0xff: nowhere. */

  VtIch9LpcState state;
} VtIch9Lpc;

extern const VtDeviceClass vt_ich9_lpc_class;

/* What firmware may choose of how SMIs go. Context's lock held. */
#define VT_ICH9_SMI_BROADCAST 1u /* Port 0xb2 interrupts all processors, not only the one that writes it. */
#define VT_ICH9_SMI_FEATURES VT_ICH9_SMI_BROADCAST
/* Firmware would have @features; and it asks whether it has, which holds until the next reset. */
void vt_ich9_lpc_request_smi (VtIch9Lpc *lpc, uint64_t features);
bool vt_ich9_lpc_agree_smi (VtIch9Lpc *lpc);
