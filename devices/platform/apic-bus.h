/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What connects the local APICs with each other, with the I/O APIC, with devices' messages and with
 * the PIC: who is meant, and who takes it. It is no device: it has no state but wires.
 */
#pragma once

#include "lapic.h"

#define VT_APIC_BUS_MAX 255u

/* An interrupt on its way. */
typedef struct
{
  uint32_t destination; /* 8 bits, or 32 from an APIC in x2APIC mode. */
  uint8_t  vector, mode;
  bool     logical, level;
  bool     wide; /* The destination has 32 bits. */
} VtApicMessage;

struct VtApicBus
{
  VtLapic *lapics[VT_APIC_BUS_MAX];
  unsigned n;
  VtLine  *intr; /* For the PIC's output: every LINT0. */
  unsigned tick_vector; /* Atomic: of the timer's edge that is being sent, see VtLapic; 0: none is. */

  /* Wiring, each may be NULL: the PIC's acknowledge cycle (-1: INTR is low), and the end of a
   * level-triggered interrupt for the I/O APIC. */
  int (*acknowledge) (void *data);
  void (*eoi) (void *data, uint8_t vector);
  void *data;
};

VtApicBus *vt_apic_bus_new (void);
void       vt_apic_bus_free (VtApicBus *bus); /* After its APICs. */
/* Before anything runs. */
void       vt_apic_bus_add (VtApicBus *bus, VtLapic *lapic);

/* Returns: whether any APIC has accepted it. Any thread. */
bool vt_apic_bus_send (VtApicBus *bus, const VtApicMessage *message);
/* To all APICs, or all but @except. */
void vt_apic_bus_broadcast (VtApicBus *bus, const VtApicMessage *message, const VtLapic *except);
/* A message as devices write it to memory (SDM volume 3, 11.11); also for VtIoapic's send. */
bool vt_apic_bus_write (void *bus, uint64_t address, uint32_t message);

/* An APIC's address word: what decides whether a message means it. */
uint64_t vt_apic_address (uint64_t base, uint32_t id, uint32_t ldr, uint32_t dfr);
