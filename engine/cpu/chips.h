/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The state of the chips that every CPU engine has inside: the PIC pair, the I/O APIC, the interval
 * timer and the paravirtual clock. One layout whichever engine models them.
 */
#pragma once

#include "vt-state.h"

/* One Intel 8259A. */
typedef struct
{
  uint8_t last_irr; /* Levels of the inputs, for the edge detector. */
  uint8_t irr, imr, isr;
  uint8_t priority_add; /* The input with the highest priority. */
  uint8_t irq_base;
  uint8_t read_isr;     /* OCW3 chose the in-service register. */
  uint8_t poll, special_mask;
  uint8_t init_state;   /* The next initialisation command word, 0 when done. */
  uint8_t auto_eoi, rotate_on_auto_eoi, special_fully_nested;
  uint8_t init4;        /* ICW4 will follow. */
  uint8_t elcr, elcr_mask;
} VtPicState;

typedef struct
{
  VtPicState chip[2]; /* Master, slave. */
} VtPicPairState;

/* Intel 82093AA. */
typedef struct
{
  uint64_t base;
  uint32_t index; /* IOREGSEL. */
  uint32_t id;
  uint32_t irr;
  uint32_t pad_;
  uint64_t redirection[24];
} VtIoapicState;

/* Intel 8254, one counter. */
typedef struct
{
  uint32_t count; /* 1 to 65536. */
  uint16_t latched_count;
  uint8_t  count_latched, status_latched, status;
  uint8_t  read_state, write_state, write_latch;
  uint8_t  rw_mode;
  uint8_t  mode; /* 0 to 5; 255: never programmed. */
  uint8_t  bcd, gate;
} VtPitChannelState;

typedef struct
{
  VtPitChannelState channel[3];
  uint32_t          taken;   /* The HPET has its interrupt. */
  uint32_t          speaker; /* Port 0x61's bit 1. */
} VtPitState;

/* Nanoseconds of the paravirtual clock. */
typedef struct
{
  uint64_t ns;
} VtPvClockState;

extern const VtStateDesc vt_pic_pair_state, vt_ioapic_state, vt_pit_state, vt_pvclock_state;
