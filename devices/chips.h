/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A PC's own interrupt controllers and interval timer, as a board gives them to a CPU engine that has
 * none (vt-chips.h).
 */
#pragma once

#include "platform/apic-bus.h"
#include "platform/i8254.h"
#include "platform/i8259.h"
#include "platform/ioapic.h"

typedef struct
{
  VtChips    chips; /* For the engine. */
  VtApicBus *bus;   /* The local APICs join it as they are realized. */

  /* The board's: made, set here, and realized after vt_pc_chips_wire(). */
  VtI8259  *pic;
  VtIoapic *ioapic;
  VtI8254  *pit;
} VtPcChips;

VtPcChips *vt_pc_chips_new (void);
void       vt_pc_chips_wire (VtPcChips *chips);
void       vt_pc_chips_free (VtPcChips *chips); /* After the devices. */
