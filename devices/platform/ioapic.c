/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The I/O APIC. Each interrupt leaves it as a message, laid out as those of PCI devices, so that one
 * place (apic-bus.c) decodes both. It has version 0x11, as the one inside KVM, so that a guest that
 * moves between the CPU engines finds the chip it knows: ends of interrupts come by broadcast only.
 *
 * irr has the level of level-triggered inputs, and of edge-triggered ones the edges that were not
 * delivered; levels has every input's level, which a load can't tell of an edge-triggered one.
 */
#include "ioapic.h"

#define REGION_SIZE 4096

/* 82093AA 3.1, the two windows. */
#define IOREGSEL 0x00
#define IOWIN 0x10

/* 3.2, the indexed registers. */
#define INDEX_ID 0
#define INDEX_VERSION 1
#define INDEX_ARBITRATION 2
#define INDEX_REDIRECTION 16
#define VERSION ((VT_IOAPIC_PINS - 1) << 16 | 0x11)

/* 3.2.4, the redirection table. */
#define ENTRY_VECTOR 0xffu
#define ENTRY_MODE_SHIFT 8
#define ENTRY_LOGICAL VT_BIT (11)
#define ENTRY_STATUS VT_BIT (12)
#define ENTRY_REMOTE_IRR VT_BIT (14)
#define ENTRY_LEVEL VT_BIT (15)
#define ENTRY_MASKED VT_BIT (16)
#define ENTRY_DESTINATION_SHIFT 56
#define ENTRY_READ_ONLY (ENTRY_STATUS | ENTRY_REMOTE_IRR)
#define ENTRY_LOW UINT64_C (0x1ffff)
#define ENTRY_HIGH (UINT64_C (0xff) << ENTRY_DESTINATION_SHIFT)

/* SDM volume 3, 11.11.1 and 2: a message. */
#define MESSAGE_ADDRESS UINT64_C (0xfee00000)
#define MESSAGE_LOGICAL VT_BIT (2)
#define MESSAGE_ASSERT (1u << 14)
#define MESSAGE_LEVEL (1u << 15)

/* The core; the lock is held ------------------------------------------------------------------- */

static bool
is_level (const VtIoapic *io, unsigned pin)
{
  return (io->s.redirection[pin] & ENTRY_LEVEL) != 0;
}

/* Sends pin @pin's interrupt. What a processor has accepted by a vector, it will end; nothing else is
 * held until then (3.2.4, bit 14). */
static void
send (VtIoapic *io, unsigned pin)
{
  uint64_t *entry = &io->s.redirection[pin];
  unsigned  mode = (unsigned) (*entry >> ENTRY_MODE_SHIFT) & 7;
  bool      level = is_level (io, pin);
  uint64_t  address = MESSAGE_ADDRESS | (*entry >> ENTRY_DESTINATION_SHIFT) << 12;
  uint32_t  message = (uint32_t) (*entry & ENTRY_VECTOR) | mode << 8 | MESSAGE_ASSERT;

  if ((*entry & ENTRY_LOGICAL) != 0)
    address |= MESSAGE_LOGICAL;
  if (level)
    message |= MESSAGE_LEVEL;
  if (io->send != NULL && io->send (io->bus, address, message) && level && mode <= 1)
    *entry |= ENTRY_REMOTE_IRR;
}

/* A level that nobody serves yet. */
static void
serve_level (VtIoapic *io, unsigned pin)
{
  uint64_t entry = io->s.redirection[pin];

  if ((io->s.irr & VT_BIT (pin)) != 0 && is_level (io, pin)
      && (entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) == 0)
    send (io, pin);
}

static void
write_redirection (VtIoapic *io, unsigned pin, bool high, uint32_t v)
{
  uint64_t *entry = &io->s.redirection[pin];
  uint32_t  mask = (uint32_t) VT_BIT (pin);

  if (high)
    *entry = (*entry & UINT32_MAX) | ((uint64_t) v << 32 & ENTRY_HIGH);
  else
    *entry = (*entry & ~(uint64_t) UINT32_MAX) | (*entry & ENTRY_READ_ONLY)
             | (v & ENTRY_LOW & ~ENTRY_READ_ONLY);
  if (is_level (io, pin))
    io->s.irr = (io->s.irr & ~mask) | (io->levels & mask);
  else
    {
      /* Systems switch to edge and back where the chip has no EOI register; and an edge on a masked
       * pin is not held (3.2.4, bit 16). */
      *entry &= ~ENTRY_REMOTE_IRR;
      if ((*entry & ENTRY_MASKED) == 0)
        io->s.irr &= ~mask;
    }
  serve_level (io, pin);
}

static uint32_t
read_window (const VtIoapic *io)
{
  unsigned index = io->s.index, pin = (index - INDEX_REDIRECTION) / 2;

  switch (index)
    {
    case INDEX_ID:
    case INDEX_ARBITRATION:
      return io->s.id << 24;
    case INDEX_VERSION:
      return VERSION;
    default:
      /* What is reserved reads as ones, as in KVM. */
      return index >= INDEX_REDIRECTION && pin < VT_IOAPIC_PINS
                 ? (uint32_t) (io->s.redirection[pin] >> (index % 2 * 32))
                 : UINT32_MAX;
    }
}

static void
write_window (VtIoapic *io, uint32_t v)
{
  unsigned index = io->s.index, pin = (index - INDEX_REDIRECTION) / 2;

  if (index == INDEX_ID)
    io->s.id = v >> 24 & 15;
  else if (index >= INDEX_REDIRECTION && pin < VT_IOAPIC_PINS)
    write_redirection (io, pin, index % 2 != 0, v);
}

/* Lines ---------------------------------------------------------------------------------------- */

void
vt_ioapic_input (VtIoapic *io, unsigned n, bool level)
{
  uint32_t mask = (uint32_t) VT_BIT (n & 31);
  bool     rises;

  if (n >= VT_IOAPIC_PINS)
    return;
  g_mutex_lock (&io->lock);
  rises = level && (io->levels & mask) == 0;
  io->levels = level ? io->levels | mask : io->levels & ~mask;
  if (!level)
    io->s.irr &= ~mask;
  else if (is_level (io, n))
    {
      io->s.irr |= mask;
      serve_level (io, n);
    }
  else if (rises && (io->s.redirection[n] & ENTRY_MASKED) != 0)
    io->s.irr |= mask;
  else if (rises)
    send (io, n);
  g_mutex_unlock (&io->lock);
}

unsigned
vt_ioapic_edge_vector (VtIoapic *io, unsigned n)
{
  uint64_t entry;

  g_mutex_lock (&io->lock);
  entry = io->s.redirection[n];
  g_mutex_unlock (&io->lock);
  return (entry & (ENTRY_MASKED | ENTRY_LEVEL)) == 0 ? (unsigned) (entry & ENTRY_VECTOR) : 0;
}

void
vt_ioapic_eoi (VtIoapic *io, uint8_t vector)
{
  g_mutex_lock (&io->lock);
  for (unsigned pin = 0; pin < VT_IOAPIC_PINS; pin++)
    {
      uint64_t *entry = &io->s.redirection[pin];

      if ((*entry & ENTRY_REMOTE_IRR) == 0 || (*entry & ENTRY_VECTOR) != vector)
        continue;
      *entry &= ~ENTRY_REMOTE_IRR;
      serve_level (io, pin);
    }
  g_mutex_unlock (&io->lock);
}

/* Glue ----------------------------------------------------------------------------------------- */

static VtIoapic *
ioapic_of (VtDevice *dev)
{
  return (VtIoapic *) dev;
}

static uint64_t
ioapic_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtIoapic *io = ioapic_of (dev);
  uint32_t  v = 0;

  g_mutex_lock (&io->lock);
  if ((offset & 0xfc) == IOREGSEL)
    v = io->s.index;
  else if ((offset & 0xfc) == IOWIN)
    v = read_window (io);
  g_mutex_unlock (&io->lock);
  return v >> (offset % 4 * 8);
}

static void
ioapic_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtIoapic *io = ioapic_of (dev);

  g_mutex_lock (&io->lock);
  if ((offset & 0xff) == IOREGSEL)
    io->s.index = value & 0xff;
  else if ((offset & 0xff) == IOWIN && size == 4)
    write_window (io, (uint32_t) value);
  g_mutex_unlock (&io->lock);
}

/* 3.1: double words; some systems select a register by a byte. */
static const VtRegionOps ioapic_ops = { "ioapic", 1, 4, ioapic_read, ioapic_write, true };

static void
ioapic_reset (VtDevice *dev, VtResetKind kind)
{
  VtIoapic *io = ioapic_of (dev);

  g_mutex_lock (&io->lock);
  io->s = (VtIoapicState){ .base = VT_IOAPIC_BASE };
  io->levels = 0;
  for (unsigned pin = 0; pin < VT_IOAPIC_PINS; pin++)
    io->s.redirection[pin] = ENTRY_MASKED;
  g_mutex_unlock (&io->lock);
}

static void
ioapic_loaded (VtDevice *dev)
{
  VtIoapic *io = ioapic_of (dev);

  g_mutex_lock (&io->lock);
  io->levels = io->s.irr;
  g_mutex_unlock (&io->lock);
}

/* What was saved undelivered goes out now: by this time the processors have been loaded too. */
static void
ioapic_resume (VtDevice *dev)
{
  VtIoapic *io = ioapic_of (dev);

  g_mutex_lock (&io->lock);
  for (unsigned pin = 0; pin < VT_IOAPIC_PINS; pin++)
    if (is_level (io, pin))
      serve_level (io, pin);
    else if ((io->s.irr & VT_BIT (pin)) != 0 && (io->s.redirection[pin] & ENTRY_MASKED) == 0)
      {
        io->s.irr &= ~(uint32_t) VT_BIT (pin);
        send (io, pin);
      }
  g_mutex_unlock (&io->lock);
}

static bool
ioapic_realize (VtDevice *dev, GError **error)
{
  g_mutex_init (&ioapic_of (dev)->lock);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_MEMORY, &ioapic_ops, REGION_SIZE),
                 VT_IOAPIC_BASE, 0);
  return true;
}

static void
ioapic_unrealize (VtDevice *dev)
{
  g_mutex_clear (&ioapic_of (dev)->lock);
}

const VtDeviceClass vt_ioapic_class = {
  .id = "ioapic",
  .spec = "Intel 82093AA data sheet (290566-001), section 3; SDM volume 3, 11.11",
  .size = sizeof (VtIoapic),
  .state_offset = offsetof (VtIoapic, s),
  .state = &vt_ioapic_state,
  .realize = ioapic_realize,
  .unrealize = ioapic_unrealize,
  .reset = ioapic_reset,
  .resume = ioapic_resume,
  .loaded = ioapic_loaded,
};
