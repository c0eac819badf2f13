/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interrupt controllers and the interval timer: the layout in which they are saved, whichever
 * engine or device models them, and how a CPU engine that has none inside uses the board's.
 *
 * Such an engine says so by VtVcpuOps.attach; the board then makes the chips (devices/chips.c) and
 * gives them as a VtChips. Between the two go: lines, messages and interrupts to the chips; from the
 * chips to a vCPU one atomic word of what waits for it, and a kick when something new does.
 */
#pragma once

#include "vt-line.h"
#include "vt-state.h"

/* Saved state ---------------------------------------------------------------------------------- */

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

/* A local APIC's register page: register N at byte offset N (SDM volume 3, 11.4.1), as VtCpuState has
 * it. In x2APIC mode too the id is in bits 31:24, and the upper half of the interrupt command at
 * offset 0x310. The current count is what is left when it is saved. */
#define VT_LAPIC_PAGE 1024u

/* The board's chips for an engine ----------------------------------------------------------------
 *
 * A run loop looks at port->signals between two instructions. INIT: take it, reset the processor, and
 * wait for a SIPI (the first processor goes on at its reset vector). SIPI: take it, and start where it
 * says if one was waited for. SMI, NMI: take them when not blocked. INTERRUPT: with interrupts enabled,
 * acknowledge() and deliver what it gives. Only a new signal kicks: one that was seen and could not be
 * taken is looked for again when that changes (IF, the shadow, NMI's block, CR8). HLT sleeps until
 * there is a signal that would be taken, under a lock that kick takes too: none is slept through. */

/* What waits for a vCPU. */
typedef enum
{
  VT_CPU_SIGNAL_INTERRUPT = 1 << 0, /* acknowledge() has a vector: when RFLAGS.IF and no shadow. */
  VT_CPU_SIGNAL_NMI = 1 << 1,
  VT_CPU_SIGNAL_SMI = 1 << 2,
  VT_CPU_SIGNAL_INIT = 1 << 3, /* Before a SIPI that waits too. */
  VT_CPU_SIGNAL_SIPI = 1 << 4, /* To be dropped where the vCPU does not wait for one. */
} VtCpuSignal;

/* One vCPU's window onto its local APIC. */
typedef struct
{
  gint     signals; /* VtCpuSignal, atomic: what the run loop polls. */
  uint64_t page;    /* Where the registers are in memory, UINT64_MAX where they are not. Changes only
                     * by calls of the vCPU's own thread, and while it is parked. */
} VtCpuPort;

/* What the chips ask of the engine. */
typedef struct
{
  /* A signal has appeared: the vCPU shall look at its word soon, also out of HLT. Any thread, with the
   * chips' locks held: sets a flag and wakes, and neither calls back nor waits. A vCPU is not kicked
   * for what its own thread does, but for what it sends to itself by a message. */
  void (*kick) (void *data, unsigned cpu);
  /* The guest clock's nanosecond at which @cpu's TSC reaches @tsc; in the past where it has. Any
   * thread, like kick. */
  int64_t (*tsc_to_clock) (void *data, unsigned cpu, uint64_t tsc);
} VtChipsUserOps;

typedef struct
{
  /* Once, before any vCPU runs. */
  void (*attach) (void *chips, const VtChipsUserOps *user, void *data);
  /* Good as long as the chips are. */
  VtCpuPort *(*port) (void *chips, unsigned cpu);

  /* Any thread, never blocking for long. GSI 0 is pin 2 of the I/O APIC. */
  void (*set_gsi) (void *chips, unsigned gsi, bool level);
  void (*nmi) (void *chips, unsigned cpu);
  void (*init) (void *chips, unsigned cpu);
  void (*smi) (void *chips, unsigned cpu);
  const VtMsiSinkOps *msi; /* Its data is @chips. */
  /* The platform context's lock held: the HPET has taken timer interrupt 0 over, or given it back. */
  void (*set_timer_taken) (void *chips, bool taken);

  /* From here on: the vCPU's own thread, no lock held. */

  /* The interrupt with the highest priority, which becomes in service; -1: it is gone. The PIC's comes
   * first. Called where the guest takes an interrupt, after INTERRUPT was seen. */
  int (*acknowledge) (void *chips, unsigned cpu);
  /* Takes those of @wanted that wait. An INIT that is taken has reset the local APIC but for its id and
   * base. @vector (may be NULL): of a SIPI that was taken. */
  VtCpuSignal (*take) (void *chips, unsigned cpu, VtCpuSignal wanted, uint8_t *vector);
  /* At @offset of the page at port->page; 1 to 4 bytes. A write counts only where it is 4, aligned. */
  uint32_t (*read) (void *chips, unsigned cpu, unsigned offset, unsigned size);
  void (*write) (void *chips, unsigned cpu, unsigned offset, unsigned size, uint32_t value);
  /* IA32_APIC_BASE, IA32_TSC_DEADLINE and 0x800 to 0x8ff. False: #GP(0). An address beyond the
   * processor's physical ones is the engine's to refuse. */
  bool (*read_msr) (void *chips, unsigned cpu, uint32_t index, uint64_t *value);
  bool (*write_msr) (void *chips, unsigned cpu, uint32_t index, uint64_t value);
  unsigned (*cr8) (void *chips, unsigned cpu);
  void (*set_cr8) (void *chips, unsigned cpu, unsigned value); /* 0 to 15. */
  /* tsc_to_clock() answers differently now. */
  void (*tsc_changed) (void *chips, unsigned cpu);

  /* Parked vCPUs: what VtCpuState has of the local APIC. */
  void (*get) (void *chips, unsigned cpu, uint8_t page[VT_LAPIC_PAGE], uint64_t *apic_base,
               uint64_t *tsc_deadline);
  /* Drops the signals. False and @error where @apic_base is none. */
  bool (*set) (void *chips, unsigned cpu, const uint8_t page[VT_LAPIC_PAGE], uint64_t apic_base,
               uint64_t tsc_deadline, GError **error);
} VtChipsOps;

typedef struct
{
  const VtChipsOps *ops;
  void             *data;
} VtChips;
