/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interrupt controller pair of a PC: two 8259A, the slave on the master's input 2, and ICH9's
 * edge/level registers beside them. Lines come from every thread and processors acknowledge from
 * theirs, so the pair has a lock of its own, and its registers need no other.
 *
 * The level of an input is in last_irr; irr has the request: an edge that was latched, or the level of
 * an input in level mode. The slave's request shows in the master's irr as a level.
 */
#include "i8259.h"

#define CASCADE 2
#define CASCADE_BIT (1u << CASCADE)
#define NONE 8 /* No priority: lower than 7. */

/* 8259A, "Initialization Command Words": D4 tells ICW1 from the operation words, D3 OCW3 from OCW2. */
#define ICW1 0x10
#define ICW1_ICW4 0x01
#define ICW4_AUTO_EOI 0x02
#define ICW4_FULLY_NESTED 0x10
#define OCW3 0x08
#define OCW3_READ_ISR 0x01
#define OCW3_READ 0x02
#define OCW3_POLL 0x04
#define OCW3_SPECIAL 0x20
#define OCW3_SET_SPECIAL 0x40

/* OCW2, bits 7:5. */
enum
{
  ROTATE_AUTO_OFF,
  EOI,
  NO_OPERATION,
  EOI_SPECIFIC,
  ROTATE_AUTO_ON,
  ROTATE_EOI,
  SET_PRIORITY,
  ROTATE_EOI_SPECIFIC,
};

/* Which word comes next at the odd port. */
enum
{
  NEXT_OCW1,
  NEXT_ICW2,
  NEXT_ICW3,
  NEXT_ICW4,
};

/* The core ------------------------------------------------------------------------------------- */

static uint8_t
bit (unsigned n)
{
  return (uint8_t) (1u << n);
}

/* How near to the top the first of @set is: 0 to 7, or NONE. */
static unsigned
first_of (const VtPicState *c, unsigned set)
{
  unsigned place = 0;

  while (place < NONE && (set & bit ((place + c->priority_add) & 7)) == 0)
    place++;
  return place;
}

/* The input that the chip asks for; -1: none. */
static int
request_of (const VtPicState *c, bool master)
{
  unsigned in_service = c->isr;
  unsigned place = first_of (c, c->irr & ~(unsigned) c->imr);

  /* "Special Mask Mode": a masked input in service holds no other back. */
  if (c->special_mask)
    in_service &= ~(unsigned) c->imr;
  /* "Special Fully Nested Mode": the slave is not locked out by its own earlier request. */
  if (master && c->special_fully_nested)
    in_service &= ~CASCADE_BIT;
  if (place == NONE || place >= first_of (c, in_service))
    return -1;
  return (int) ((place + c->priority_add) & 7);
}

static bool
is_level (const VtPicState *c, unsigned n)
{
  return (c->elcr & bit (n)) != 0;
}

/* INTR as the two chips make it. */
static bool
update_chips (VtPicPairState *s)
{
  VtPicState *master = &s->chip[0];

  if (request_of (&s->chip[1], false) >= 0)
    master->irr |= CASCADE_BIT;
  else
    master->irr &= (uint8_t) ~CASCADE_BIT;
  return request_of (master, true) >= 0;
}

static void
update (VtI8259 *pic)
{
  vt_line_set (pic->intr, update_chips (&pic->s));
}

/* Input @n of one chip goes into service (second pulse of "Interrupt Sequence"). */
static void
serve (VtPicState *c, unsigned n)
{
  if (!c->auto_eoi)
    c->isr |= bit (n);
  else if (c->rotate_on_auto_eoi)
    c->priority_add = (n + 1) & 7;
  if (!is_level (c, n))
    c->irr &= (uint8_t) ~bit (n);
}

static uint8_t
acknowledge_chip (VtPicState *c, bool master, int *served)
{
  int n = request_of (c, master);

  *served = n;
  if (n >= 0)
    serve (c, (unsigned) n);
  /* A request that is gone leaves the lowest: "a default IR7". */
  return (uint8_t) (c->irq_base + (n >= 0 ? n : 7));
}

static void
initialize (VtPicState *c, uint8_t v)
{
  const VtPicState old = *c;

  /* "ICW1": edges are forgotten, no mask, input 7 is the lowest, no special mask mode, status reads
   * give IRR; without ICW4 its functions are off. */
  *c = (VtPicState){
    .last_irr = old.last_irr,
    .irr = old.irr & old.elcr,
    .elcr = old.elcr,
    .elcr_mask = old.elcr_mask,
    .init4 = v & ICW1_ICW4,
    .init_state = NEXT_ICW2,
  };
}

/* OCW2's end of interrupt for input @n; with @rotate it becomes the lowest. */
static void
end_of (VtPicState *c, unsigned n, bool rotate)
{
  c->isr &= (uint8_t) ~bit (n);
  if (rotate)
    c->priority_add = (n + 1) & 7;
}

static void
operate (VtPicState *c, uint8_t v)
{
  unsigned command = v >> 5, n = v & 7, in_service = c->isr, place;

  switch (command)
    {
    case ROTATE_AUTO_OFF:
    case ROTATE_AUTO_ON:
      c->rotate_on_auto_eoi = command == ROTATE_AUTO_ON;
      break;
    case EOI:
    case ROTATE_EOI:
      /* In special mask mode it passes over what is masked. */
      if (c->special_mask)
        in_service &= ~(unsigned) c->imr;
      place = first_of (c, in_service);
      if (place != NONE)
        end_of (c, (place + c->priority_add) & 7, command == ROTATE_EOI);
      break;
    case EOI_SPECIFIC:
    case ROTATE_EOI_SPECIFIC:
      end_of (c, n, command == ROTATE_EOI_SPECIFIC);
      break;
    case SET_PRIORITY:
      c->priority_add = (n + 1) & 7;
      break;
    default:
      break;
    }
}

static void
write_even (VtPicState *c, uint8_t v)
{
  if ((v & ICW1) != 0)
    initialize (c, v);
  else if ((v & OCW3) != 0)
    {
      c->poll |= (v & OCW3_POLL) != 0;
      if ((v & OCW3_READ) != 0)
        c->read_isr = v & OCW3_READ_ISR;
      if ((v & OCW3_SET_SPECIAL) != 0)
        c->special_mask = (v & OCW3_SPECIAL) != 0;
    }
  else
    operate (c, v);
}

static void
write_odd (VtPicState *c, uint8_t v)
{
  switch (c->init_state)
    {
    case NEXT_ICW2:
      c->irq_base = v & 0xf8;
      c->init_state = NEXT_ICW3;
      break;
    case NEXT_ICW3:
      /* The cascade is wired: ICH9 data sheet 13.4.4. */
      c->init_state = c->init4 ? NEXT_ICW4 : NEXT_OCW1;
      break;
    case NEXT_ICW4:
      c->special_fully_nested = (v & ICW4_FULLY_NESTED) != 0;
      c->auto_eoi = (v & ICW4_AUTO_EOI) != 0;
      c->init_state = NEXT_OCW1;
      break;
    default:
      c->imr = v;
      break;
    }
}

static uint8_t
read_chip (VtPicState *c, bool master, bool odd)
{
  int n;

  /* "Poll Command": the next read acknowledges, whichever port it is of. */
  if (c->poll)
    {
      c->poll = 0;
      n = request_of (c, master);
      if (n < 0)
        return 0;
      serve (c, (unsigned) n);
      return (uint8_t) (0x80 | n);
    }
  if (odd)
    return c->imr;
  return c->read_isr ? c->isr : c->irr;
}

/* An input that becomes level-triggered requests what its level is (ICH9 data sheet 13.4.11). */
static void
write_elcr (VtPicState *c, uint8_t v)
{
  uint8_t fresh;

  v &= c->elcr_mask;
  fresh = (uint8_t) (v & ~c->elcr);
  c->elcr = v;
  c->irr = (uint8_t) ((c->irr & ~fresh) | (c->last_irr & fresh));
}

/* Lines ---------------------------------------------------------------------------------------- */

void
vt_i8259_input (VtI8259 *pic, unsigned n, bool level)
{
  VtPicState *c = &pic->s.chip[n / 8 & 1];
  uint8_t     mask = bit (n & 7);

  if (n == CASCADE || n >= VT_I8259_INPUTS)
    return;
  g_mutex_lock (&pic->lock);
  if (level && (is_level (c, n & 7) || (c->last_irr & mask) == 0))
    c->irr |= mask;
  else if (!level && is_level (c, n & 7))
    c->irr &= (uint8_t) ~mask;
  if (level)
    c->last_irr |= mask;
  else
    c->last_irr &= (uint8_t) ~mask;
  update (pic);
  g_mutex_unlock (&pic->lock);
}

int
vt_i8259_acknowledge (VtI8259 *pic)
{
  VtPicPairState *s = &pic->s;
  int             vector = -1, n;

  g_mutex_lock (&pic->lock);
  if (request_of (&s->chip[0], true) >= 0)
    {
      vector = acknowledge_chip (&s->chip[0], true, &n);
      if (n == CASCADE)
        vector = acknowledge_chip (&s->chip[1], false, &n);
      update (pic);
    }
  g_mutex_unlock (&pic->lock);
  return vector;
}

/* Glue ----------------------------------------------------------------------------------------- */

static VtI8259 *
pic_of (VtDevice *dev)
{
  return (VtI8259 *) dev;
}

static uint64_t
read_port (VtDevice *dev, unsigned chip, uint64_t offset)
{
  VtI8259 *pic = pic_of (dev);
  uint8_t  v;

  g_mutex_lock (&pic->lock);
  v = read_chip (&pic->s.chip[chip], chip == 0, offset == 1);
  update (pic);
  g_mutex_unlock (&pic->lock);
  return v;
}

static void
write_port (VtDevice *dev, unsigned chip, uint64_t offset, uint64_t value)
{
  VtI8259    *pic = pic_of (dev);
  VtPicState *c = &pic->s.chip[chip];

  g_mutex_lock (&pic->lock);
  if (offset == 0)
    write_even (c, (uint8_t) value);
  else
    write_odd (c, (uint8_t) value);
  update (pic);
  g_mutex_unlock (&pic->lock);
}

static uint64_t
read_master (VtDevice *dev, uint64_t offset, unsigned size)
{
  return read_port (dev, 0, offset);
}

static void
write_master (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  write_port (dev, 0, offset, value);
}

static uint64_t
read_slave (VtDevice *dev, uint64_t offset, unsigned size)
{
  return read_port (dev, 1, offset);
}

static void
write_slave (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  write_port (dev, 1, offset, value);
}

static uint64_t
read_modes (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtI8259 *pic = pic_of (dev);
  uint8_t  v;

  g_mutex_lock (&pic->lock);
  v = pic->s.chip[offset].elcr;
  g_mutex_unlock (&pic->lock);
  return v;
}

static void
write_modes (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtI8259 *pic = pic_of (dev);

  g_mutex_lock (&pic->lock);
  write_elcr (&pic->s.chip[offset], (uint8_t) value);
  update (pic);
  g_mutex_unlock (&pic->lock);
}

static const VtRegionOps master_ops = { "pic-master", 1, 1, read_master, write_master, true };
static const VtRegionOps slave_ops = { "pic-slave", 1, 1, read_slave, write_slave, true };
static const VtRegionOps modes_ops = { "pic-elcr", 1, 1, read_modes, write_modes, true };

static void
i8259_reset (VtDevice *dev, VtResetKind kind)
{
  VtI8259 *pic = pic_of (dev);

  g_mutex_lock (&pic->lock);
  memset (&pic->s, 0, sizeof pic->s);
  /* Timer, keyboard, cascade, clock and coprocessor have edges (ICH9 data sheet 13.4.10 and 11). */
  pic->s.chip[0].elcr_mask = 0xf8;
  pic->s.chip[1].elcr_mask = 0xde;
  update (pic);
  g_mutex_unlock (&pic->lock);
}

static void
i8259_loaded (VtDevice *dev)
{
  VtI8259 *pic = pic_of (dev);

  g_mutex_lock (&pic->lock);
  vt_line_import (pic->intr, request_of (&pic->s.chip[0], true) >= 0);
  g_mutex_unlock (&pic->lock);
}

static bool
i8259_realize (VtDevice *dev, GError **error)
{
  g_mutex_init (&pic_of (dev)->lock);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &master_ops, 2), 0x20, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &slave_ops, 2), 0xa0, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &modes_ops, 2), 0x4d0, 0);
  return true;
}

static void
i8259_unrealize (VtDevice *dev)
{
  g_mutex_clear (&pic_of (dev)->lock);
}

const VtDeviceClass vt_i8259_class = {
  .id = "i8259",
  .spec = "Intel 8259A data sheet (231468-003); ICH9 data sheet (316972-004), 5.8 and 13.4",
  .size = sizeof (VtI8259),
  .state_offset = offsetof (VtI8259, s),
  .state = &vt_pic_pair_state,
  .realize = i8259_realize,
  .unrealize = i8259_unrealize,
  .reset = i8259_reset,
  .loaded = i8259_loaded,
};
