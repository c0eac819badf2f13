/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The power management block of the ICH9, a core inside the LPC bridge: ACPI PM1 and GPE0, the PM
 * timer, SMI registers and the TCO watchdog.
 */
#pragma once

#include "vt-device.h"

/* The size of the block at PMBASE, and what is where in it, for the FADT. */
#define VT_ICH9_PM_SIZE 128
enum
{
  VT_ICH9_PM1_STS = 0x00,
  VT_ICH9_PM1_EN = 0x02,
  VT_ICH9_PM1_CNT = 0x04,
  VT_ICH9_PM_TMR = 0x08, /* 24 bits. */
  VT_ICH9_GPE0 = 0x20,   /* 8 bytes of status, 8 of enable. */
  VT_ICH9_SMI_EN = 0x30,
  VT_ICH9_SMI_STS = 0x34,
  VT_ICH9_TCO = 0x60,
};

/* SLP_TYP for the \_Sx packages. The data sheet's values (5, 6, 7) are taken as well as these, which
 * firmware for virtual machines uses. */
#define VT_ICH9_SLP_S5 0
#define VT_ICH9_SLP_S3 1
#define VT_ICH9_SLP_S4 2

/* What written to port 0xb2 turns ACPI mode on and off, for the FADT. */
#define VT_ICH9_ACPI_ENABLE 0x02
#define VT_ICH9_ACPI_DISABLE 0x03

#define VT_ICH9_PM_HZ 3579545

typedef struct
{
  int64_t  tco_deadline; /* Guest ns of the next timeout; 0: the watchdog stands. */
  uint64_t gpe_sts, gpe_en;
  uint32_t pm1_cnt, proc_cnt, smi_en, smi_sts;
  uint16_t pm1_sts, pm1_en, alt_gp_smi_en, alt_gp_smi_sts, devact_sts;
  uint16_t tco1_sts, tco2_sts, tco1_cnt, tco2_cnt, tco_tmr;
  uint8_t  uprwc, gpe_cnt, pm2_cnt;
  uint8_t  tco_dat_in, tco_dat_out, tco_message[2], tco_wdcnt, tco_sw_irq;
  bool     tco_once;   /* The watchdog has run out once. */
  bool     asleep;     /* In S3. */
  uint8_t  pad_[1];
} VtIch9PmState;

extern const VtStateDesc vt_ich9_pm_state;

typedef struct
{
  VtIch9PmState *state;
  VtContext     *context;
  VtClock       *clock;

  /* Wires, NULL: none. */
  VtLine *smi, *smi_all; /* To one processor, and where @broadcast, to all. NULL: nobody has such a mode. */
  VtLine *reset;
  VtLine *poweroff;
  VtLine *suspend;
  VtLine *wake;
  /* The level of the SCI has to be @level. */
  void (*sci) (void *data, bool level);
  void *data;

  bool no_reboot; /* GCS bit 5: the watchdog may not reset. */
  bool broadcast;
  bool smi_lock;  /* GEN_PMCON_1 bit 4: GBL_SMI_EN can't be cleared. */

  /* Own. */
  VtTimer *overflow, *tco, *override;
  VtKick  *button_kick;
  VtLine  *button; /* High while the power button is pressed. Any thread. */
  int      button_level; /* Atomic. */
} VtIch9Pm;

/* The wiring above has been set. */
void     vt_ich9_pm_init (VtIch9Pm *pm);
void     vt_ich9_pm_finish (VtIch9Pm *pm);
void     vt_ich9_pm_reset (VtIch9Pm *pm, VtResetKind kind);
/* Rearms the timers from the state; tells nobody. */
void     vt_ich9_pm_loaded (VtIch9Pm *pm);
bool     vt_ich9_pm_sci (const VtIch9Pm *pm);
uint32_t vt_ich9_pm_read (VtIch9Pm *pm, unsigned offset, unsigned size);
void     vt_ich9_pm_write (VtIch9Pm *pm, unsigned offset, unsigned size, uint32_t value);
/* A write to the APM control port. */
void     vt_ich9_pm_apm (VtIch9Pm *pm, uint8_t value);
/* Sets bit @n of GPE0_STS. */
void     vt_ich9_pm_gpe (VtIch9Pm *pm, unsigned n);
/* The RTC's alarm: RTC_STS, and the end of S3. */
void     vt_ich9_pm_rtc (VtIch9Pm *pm);
