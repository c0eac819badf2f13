/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finding the local APICs that an interrupt means (SDM volume 3, 11.6.2 and 11.12.10). Each publishes
 * what that needs as one atomic word, so that a sender takes no lock but that of the APIC it delivers
 * to.
 */
#include "apic-bus.h"

/* The address word: bits 31:0 the id, 39:32 the logical id, then what it is. */
#define LOGICAL_SHIFT 32
#define IS_CLUSTER VT_BIT (40)
#define IS_ON VT_BIT (41)
#define IS_X2APIC VT_BIT (42)

#define BASE_X2APIC VT_BIT (10)
#define BASE_ENABLE VT_BIT (11)
#define DFR_FLAT 0xfu /* Bits 31:28. */

/* 11.11.1: where messages go. */
#define MESSAGE_BASE UINT64_C (0xfee00000)

uint64_t
vt_apic_address (uint64_t base, uint32_t id, uint32_t ldr, uint32_t dfr)
{
  uint64_t word = id;

  if ((base & BASE_ENABLE) == 0)
    return word;
  word |= IS_ON;
  if ((base & BASE_X2APIC) != 0)
    return word | IS_X2APIC;
  if (dfr >> 28 != DFR_FLAT)
    word |= IS_CLUSTER;
  return word | (uint64_t) (ldr >> 24) << LOGICAL_SHIFT;
}

static bool
is_everybody (const VtApicMessage *m)
{
  return m->destination == (m->wide ? UINT32_MAX : 0xff);
}

/* 11.12.10.2: the logical id of x2APIC mode follows from the id: cluster and place in it. */
static bool
matches_x2apic (uint32_t id, uint32_t destination)
{
  return destination >> 16 == id >> 4 && (destination & 1u << (id & 15)) != 0;
}

static bool
matches (uint64_t word, const VtApicMessage *m)
{
  uint32_t id = (uint32_t) word, logical = (uint32_t) (word >> LOGICAL_SHIFT) & 0xff;

  if ((word & IS_ON) == 0)
    return false;
  if (is_everybody (m))
    return true;
  if (!m->logical)
    return id == m->destination;
  if ((word & IS_X2APIC) != 0)
    return matches_x2apic (id, m->destination);
  if (m->destination > 0xff)
    return false;
  if ((word & IS_CLUSTER) != 0)
    return m->destination >> 4 == logical >> 4 && (m->destination & logical & 15) != 0;
  return (m->destination & logical) != 0;
}

static bool
is_meant (const VtLapic *lapic, const VtApicMessage *m)
{
  return matches (__atomic_load_n (&lapic->address, __ATOMIC_ACQUIRE), m);
}

/* Lowest priority (11.6.2.4) as processors of today have it: no arbitration, but one of those that are
 * meant, always the same for a vector. */
static bool
send_lowest (VtApicBus *bus, const VtApicMessage *m)
{
  unsigned n = 0, skip;

  for (unsigned i = 0; i < bus->n; i++)
    n += is_meant (bus->lapics[i], m);
  if (n == 0)
    return false;
  skip = m->vector % n;
  /* One that is switched off leaves it to the next. */
  for (unsigned tries = 0, i = 0; tries < n + skip && i < 2 * bus->n; i++)
    {
      VtLapic *lapic = bus->lapics[i % bus->n];

      if (!is_meant (lapic, m))
        continue;
      if (tries++ >= skip && vt_lapic_deliver (lapic, VT_APIC_LOWEST, m->vector, m->level))
        return true;
    }
  return false;
}

bool
vt_apic_bus_send (VtApicBus *bus, const VtApicMessage *m)
{
  bool accepted = false;

  if (m->mode == VT_APIC_LOWEST)
    return send_lowest (bus, m);
  for (unsigned i = 0; i < bus->n; i++)
    if (is_meant (bus->lapics[i], m))
      accepted |= vt_lapic_deliver (bus->lapics[i], m->mode, m->vector, m->level);
  return accepted;
}

void
vt_apic_bus_broadcast (VtApicBus *bus, const VtApicMessage *m, const VtLapic *except)
{
  VtApicMessage everybody = *m;

  everybody.wide = true;
  everybody.destination = UINT32_MAX;
  for (unsigned i = 0; i < bus->n; i++)
    if (bus->lapics[i] != except && is_meant (bus->lapics[i], &everybody))
      vt_lapic_deliver (bus->lapics[i], m->mode, m->vector, m->level);
}

bool
vt_apic_bus_write (void *data, uint64_t address, uint32_t message)
{
  VtApicMessage m = {
    .destination = (uint32_t) (address >> 12) & 0xff,
    .logical = (address >> 2 & 1) != 0,
    .vector = (uint8_t) message,
    .mode = message >> 8 & 7,
    .level = (message >> 15 & 1) != 0,
  };

  if ((address & ~UINT64_C (0xfffff)) != MESSAGE_BASE)
    {
      vt_trace ("apic", "message 0x%x to 0x%" G_GINT64_MODIFIER "x, where no APIC is", message, address);
      return false;
    }
  /* 11.11.2: a level that goes away says nothing. */
  if (m.level && (message >> 14 & 1) == 0)
    return false;
  return vt_apic_bus_send (data, &m);
}

/* The PIC's output. */
static void
intr_cb (void *data, unsigned n, bool level)
{
  VtApicBus *bus = data;

  for (unsigned i = 0; i < bus->n; i++)
    vt_lapic_intr (bus->lapics[i], level);
}

VtApicBus *
vt_apic_bus_new (void)
{
  VtApicBus *bus = g_new0 (VtApicBus, 1);

  bus->intr = vt_line_new (intr_cb, bus, 0);
  return bus;
}

void
vt_apic_bus_free (VtApicBus *bus)
{
  if (bus == NULL)
    return;
  vt_line_free (bus->intr);
  g_free (bus);
}

void
vt_apic_bus_add (VtApicBus *bus, VtLapic *lapic)
{
  if (bus->n < VT_APIC_BUS_MAX)
    bus->lapics[bus->n++] = lapic;
}
