/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The I/O APIC's struct, for the board that wires it.
 */
#pragma once

#include "vt-chips.h"
#include "vt-device.h"

#define VT_IOAPIC_PINS 24
#define VT_IOAPIC_BASE UINT64_C (0xfec00000)

typedef struct
{
  VtDevice dev;

  /* Wiring: takes its interrupts, as messages are laid out. Returns: whether a processor accepted. */
  bool (*send) (void *bus, uint64_t address, uint32_t message);
  void *bus;

  /* The rest is the device's. */
  GMutex        lock;   /* Guards what follows. Held while messages are sent. */
  uint32_t      levels; /* Of the inputs. */
  VtIoapicState s;
} VtIoapic;

extern const VtDeviceClass vt_ioapic_class;

/* Input @n, 0 to 23, has level @level. Any thread. */
void vt_ioapic_input (VtIoapic *ioapic, unsigned n, bool level);
/* Returns: the vector that an edge at input @n becomes; 0: it becomes none, or the input has levels. Any thread. */
unsigned vt_ioapic_edge_vector (VtIoapic *ioapic, unsigned n);
/* A processor has ended the level-triggered interrupt @vector. Any thread. */
void vt_ioapic_eoi (VtIoapic *ioapic, uint8_t vector);
