/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How the interrupt controllers of a PC hang together: lines go to the PIC pair and the I/O APIC, the
 * PIC's output to every LINT0, the I/O APIC's messages to the local APICs and ends of interrupts back.
 *
 * Locks, in the order in which they may nest: a line's; the PIC's or the I/O APIC's; the line's of the
 * PIC's output; a local APIC's. None is held while a local APIC asks the PIC or tells the I/O APIC.
 */
#include "chips.h"

#define CASCADE 2
#define TIMER_PIN 2 /* Where GSI 0 arrives, as the MADT says. */

static VtLapic *
lapic (void *data, unsigned cpu)
{
  return ((VtPcChips *) data)->bus->lapics[cpu];
}

static void
attach (void *data, const VtChipsUserOps *user, void *user_data)
{
  VtApicBus *bus = ((VtPcChips *) data)->bus;

  for (unsigned i = 0; i < bus->n; i++)
    vt_lapic_attach (bus->lapics[i], user, user_data);
}

static VtCpuPort *
port (void *data, unsigned cpu)
{
  return &lapic (data, cpu)->port;
}

/* Pin 0 of the I/O APIC could take the PIC's output; it is wired nowhere. */
static void
set_gsi (void *data, unsigned gsi, bool level)
{
  VtPcChips *chips = data;

  if (gsi == CASCADE)
    return;
  vt_i8259_input (chips->pic, gsi, level);
  if (gsi == 0 && level)
    __atomic_store_n (&chips->bus->tick_vector, vt_ioapic_edge_vector (chips->ioapic, TIMER_PIN), __ATOMIC_RELAXED);
  vt_ioapic_input (chips->ioapic, gsi == 0 ? TIMER_PIN : gsi, level);
  if (gsi == 0)
    __atomic_store_n (&chips->bus->tick_vector, 0, __ATOMIC_RELAXED);
}

static void
nmi (void *data, unsigned cpu)
{
  vt_lapic_signal (lapic (data, cpu), VT_CPU_SIGNAL_NMI);
}

static void
init (void *data, unsigned cpu)
{
  vt_lapic_signal (lapic (data, cpu), VT_CPU_SIGNAL_INIT);
}

static void
smi (void *data, unsigned cpu)
{
  vt_lapic_signal (lapic (data, cpu), VT_CPU_SIGNAL_SMI);
}

static void
msi_send (void *data, uint64_t address, uint32_t message)
{
  vt_apic_bus_write (((VtPcChips *) data)->bus, address, message);
}

static const VtMsiSinkOps msi_ops = { .send = msi_send };

static void
set_timer_taken (void *data, bool taken)
{
  vt_i8254_take (((VtPcChips *) data)->pit, taken);
}

static int
acknowledge (void *data, unsigned cpu)
{
  return vt_lapic_acknowledge (lapic (data, cpu));
}

static VtCpuSignal
take (void *data, unsigned cpu, VtCpuSignal wanted, uint8_t *vector)
{
  return vt_lapic_take (lapic (data, cpu), wanted, vector);
}

static uint32_t
read_page (void *data, unsigned cpu, unsigned offset, unsigned size)
{
  return vt_lapic_read (lapic (data, cpu), offset, size);
}

static void
write_page (void *data, unsigned cpu, unsigned offset, unsigned size, uint32_t value)
{
  vt_lapic_write (lapic (data, cpu), offset, size, value);
}

static bool
read_msr (void *data, unsigned cpu, uint32_t index, uint64_t *value)
{
  return vt_lapic_read_msr (lapic (data, cpu), index, value);
}

static bool
write_msr (void *data, unsigned cpu, uint32_t index, uint64_t value)
{
  return vt_lapic_write_msr (lapic (data, cpu), index, value);
}

static unsigned
cr8 (void *data, unsigned cpu)
{
  return vt_lapic_cr8 (lapic (data, cpu));
}

static void
set_cr8 (void *data, unsigned cpu, unsigned value)
{
  vt_lapic_set_cr8 (lapic (data, cpu), value);
}

static void
tsc_changed (void *data, unsigned cpu)
{
  vt_lapic_tsc_changed (lapic (data, cpu));
}

static void
get_state (void *data, unsigned cpu, uint8_t page[VT_LAPIC_PAGE], uint64_t *base, uint64_t *deadline)
{
  vt_lapic_get (lapic (data, cpu), page, base, deadline);
}

static bool
set_state (void *data, unsigned cpu, const uint8_t page[VT_LAPIC_PAGE], uint64_t base, uint64_t deadline,
           GError **error)
{
  return vt_lapic_set (lapic (data, cpu), page, base, deadline, error);
}

static const VtChipsOps chips_ops = {
  .attach = attach,
  .port = port,
  .set_gsi = set_gsi,
  .nmi = nmi,
  .init = init,
  .smi = smi,
  .msi = &msi_ops,
  .set_timer_taken = set_timer_taken,
  .acknowledge = acknowledge,
  .take = take,
  .read = read_page,
  .write = write_page,
  .read_msr = read_msr,
  .write_msr = write_msr,
  .cr8 = cr8,
  .set_cr8 = set_cr8,
  .tsc_changed = tsc_changed,
  .get = get_state,
  .set = set_state,
};

static int
acknowledge_pic (void *data)
{
  return vt_i8259_acknowledge (((VtPcChips *) data)->pic);
}

static void
eoi (void *data, uint8_t vector)
{
  vt_ioapic_eoi (((VtPcChips *) data)->ioapic, vector);
}

VtPcChips *
vt_pc_chips_new (void)
{
  VtPcChips *chips = g_new0 (VtPcChips, 1);

  chips->chips = (VtChips){ &chips_ops, chips };
  chips->bus = vt_apic_bus_new ();
  return chips;
}

void
vt_pc_chips_wire (VtPcChips *chips)
{
  chips->pic->intr = chips->bus->intr;
  chips->ioapic->send = vt_apic_bus_write;
  chips->ioapic->bus = chips->bus;
  chips->bus->acknowledge = acknowledge_pic;
  chips->bus->eoi = eoi;
  chips->bus->data = chips;
}

void
vt_pc_chips_free (VtPcChips *chips)
{
  if (chips == NULL)
    return;
  vt_apic_bus_free (chips->bus);
  g_free (chips);
}
