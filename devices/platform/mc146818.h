/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The real-time clock's struct, for the board that wires it and fills the CMOS memory.
 */
#pragma once

#include "vt-device.h"

typedef struct
{
  int64_t  offset_s;  /* Calendar seconds since 1970 minus the seconds of the divider chain. */
  int64_t  ahead_s;   /* How far the guest has set the clock off the wall's. */
  uint64_t seen_s;    /* The divider's seconds up to which UF and AF have been looked for. */
  uint64_t seen_tick; /* Its 32,768ths up to which PF has been looked for. */
  uint32_t phase_ns;  /* The divider chain is this much ahead of the guest clock. */
  uint8_t  index, index2;
  bool     nmi_masked;
  bool     held; /* SET or a divider reset: the time stands in ram. */
  uint8_t  ram[256]; /* 0 to 127: registers and the standard bank; then the extended one. */
} VtMc146818State;

typedef struct
{
  VtDevice dev;

  /* Wiring. */
  VtLine *irq;      /* Line 8; high while an enabled flag of register C is set. */
  VtLine *nmi_mask; /* High while port 0x70 bit 7 masks NMI. */
  /* Nanoseconds since 1970 of the time that the clock shall show: vt_mc146818_utc() or _local().
   * NULL: base_s when the guest clock is 0, and nothing but the guest clock from then on. */
  int64_t (*wall) (void);
  int64_t base_s;
  uint8_t defaults[128]; /* The standard bank at power-on, from 0x0e; vt_mc146818_set_*(). */

  /* The rest is the device's. */
  VtTimer        *timer;
  VtMc146818State s;
} VtMc146818;

extern const VtDeviceClass vt_mc146818_class;

/* The host's clock, UTC or as the clock on its wall. */
int64_t vt_mc146818_utc (void);
int64_t vt_mc146818_local (void);

/* What firmware reads from CMOS; before vt_device_realize(). */
void vt_mc146818_set_cmos (VtMc146818 *rtc, uint8_t index, uint8_t value);
/* @below: bytes of RAM from 0 up to the PCI hole; @above: bytes from 4 GiB. */
void vt_mc146818_set_memory (VtMc146818 *rtc, uint64_t below, uint64_t above);

typedef enum
{
  VT_CMOS_BOOT_NONE,
  VT_CMOS_BOOT_FLOPPY,
  VT_CMOS_BOOT_DISK,
  VT_CMOS_BOOT_CD,
  VT_CMOS_BOOT_NET,
} VtCmosBoot;
void vt_mc146818_set_boot (VtMc146818 *rtc, VtCmosBoot first, VtCmosBoot second, VtCmosBoot third);
