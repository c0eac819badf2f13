/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interrupt controller pair's core.
 */
#include "bench.h"
#include "platform/i8259.h"

typedef struct
{
  Bench     bench;
  VtI8259  *pic;
  BenchWire intr;
} Rig;

static void
out (Rig *r, unsigned chip, unsigned odd, uint8_t v)
{
  vt_region_write (vt_device_region (r->bench.dev, chip), odd, 1, v);
}

static uint8_t
in (Rig *r, unsigned chip, unsigned odd)
{
  return (uint8_t) vt_region_read (vt_device_region (r->bench.dev, chip), odd, 1);
}

static uint8_t
irr (Rig *r, unsigned chip)
{
  out (r, chip, 0, 0x0a);
  return in (r, chip, 0);
}

static uint8_t
isr (Rig *r, unsigned chip)
{
  out (r, chip, 0, 0x0b);
  return in (r, chip, 0);
}

static void
line_up (Rig *r, unsigned n)
{
  vt_i8259_input (r->pic, n, true);
}

static void
line_down (Rig *r, unsigned n)
{
  vt_i8259_input (r->pic, n, false);
}

static void
initialize (Rig *r, unsigned chip, uint8_t base, uint8_t icw4)
{
  out (r, chip, 0, 0x11);
  out (r, chip, 1, base);
  out (r, chip, 1, chip == 0 ? 4 : 2);
  out (r, chip, 1, icw4);
}

static void
rig_init (Rig *r)
{
  memset (r, 0, sizeof *r);
  bench_init (&r->bench, &vt_i8259_class);
  r->pic = (VtI8259 *) r->bench.dev;
  r->pic->intr = bench_wire_init (&r->intr);
  bench_start (&r->bench);
  initialize (r, 0, 0x20, 1);
  initialize (r, 1, 0x28, 1);
}

static void
rig_finish (Rig *r)
{
  bench_finish (&r->bench);
  vt_line_free (r->intr.line);
}

#define RIG                                                                                        \
  Rig rig, *r = &rig;                                                                              \
  rig_init (r)

static void
test_edges (void)
{
  RIG;
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, -1);
  line_up (r, 4);
  g_assert_true (r->intr.level);
  g_assert_cmphex (irr (r, 0), ==, 0x10);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x24);
  g_assert_false (r->intr.level);
  g_assert_cmphex (irr (r, 0), ==, 0);
  g_assert_cmphex (isr (r, 0), ==, 0x10);
  /* Still high: no second one, in service or not. */
  out (r, 0, 0, 0x20);
  g_assert_cmphex (isr (r, 0), ==, 0);
  g_assert_false (r->intr.level);
  line_up (r, 4);
  g_assert_false (r->intr.level);
  line_down (r, 4);
  line_up (r, 4);
  g_assert_true (r->intr.level);
  /* An edge stays latched when its line falls. */
  line_down (r, 4);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x24);
  rig_finish (r);
}

static void
test_priorities (void)
{
  RIG;
  line_up (r, 5);
  line_up (r, 3);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x23);
  /* Fully nested: a lower one waits, a higher one comes. */
  g_assert_false (r->intr.level);
  line_up (r, 1);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x21);
  g_assert_cmphex (isr (r, 0), ==, 0x0a);
  out (r, 0, 0, 0x20);
  g_assert_cmphex (isr (r, 0), ==, 0x08);
  g_assert_false (r->intr.level);
  out (r, 0, 0, 0x20);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x25);
  /* Specific end; masks hold back but keep the request. */
  out (r, 0, 0, 0x65);
  g_assert_cmphex (isr (r, 0), ==, 0);
  out (r, 0, 1, 0x40);
  line_up (r, 6);
  g_assert_false (r->intr.level);
  g_assert_cmphex (irr (r, 0), ==, 0x40);
  g_assert_cmphex (in (r, 0, 1), ==, 0x40);
  out (r, 0, 1, 0);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x26);
  rig_finish (r);
}

static void
test_cascade (void)
{
  RIG;
  line_up (r, 12);
  g_assert_cmphex (irr (r, 0), ==, 4);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x2c);
  g_assert_cmphex (isr (r, 0), ==, 4);
  g_assert_cmphex (isr (r, 1), ==, 0x10);
  /* A higher one of the slave waits for the master's end, unless it is specially nested. */
  line_up (r, 8);
  g_assert_false (r->intr.level);
  out (r, 0, 0, 0x20);
  g_assert_true (r->intr.level);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x28);
  line_down (r, 8);
  line_down (r, 12);
  initialize (r, 0, 0x20, 0x11);
  initialize (r, 1, 0x28, 1);
  line_up (r, 12);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x2c);
  line_up (r, 8);
  g_assert_true (r->intr.level);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x28);
  /* Input 2 is the slave's alone. */
  line_up (r, 2);
  g_assert_cmphex (irr (r, 0), ==, 0);
  rig_finish (r);
}

static void
test_rotation (void)
{
  RIG;
  /* Set priority: 5 is the lowest, so 6 the highest. */
  out (r, 0, 0, 0xc5);
  line_up (r, 0);
  line_up (r, 6);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x26);
  /* Rotating end: 6 is the lowest now. */
  out (r, 0, 0, 0xa0);
  g_assert_cmpuint (r->pic->s.chip[0].priority_add, ==, 7);
  line_up (r, 7);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x27);
  out (r, 0, 0, 0xe7);
  g_assert_cmpuint (r->pic->s.chip[0].priority_add, ==, 0);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x20);
  out (r, 0, 0, 0x20);
  rig_finish (r);
}

static void
test_auto_eoi (void)
{
  RIG;
  initialize (r, 0, 0x40, 3);
  line_up (r, 3);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x43);
  g_assert_cmphex (isr (r, 0), ==, 0);
  /* Rotating. */
  out (r, 0, 0, 0x80);
  line_up (r, 5);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x45);
  g_assert_cmpuint (r->pic->s.chip[0].priority_add, ==, 6);
  out (r, 0, 0, 0x00);
  line_down (r, 5);
  line_up (r, 5);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x45);
  g_assert_cmpuint (r->pic->s.chip[0].priority_add, ==, 6);
  rig_finish (r);
}

static void
test_special_mask (void)
{
  RIG;
  line_up (r, 1);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x21);
  line_up (r, 4);
  g_assert_false (r->intr.level);
  /* With 1 masked and the special mask, the lower one comes. */
  out (r, 0, 1, 0x02);
  g_assert_false (r->intr.level);
  out (r, 0, 0, 0x68);
  g_assert_true (r->intr.level);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x24);
  /* A non-specific end passes over the masked one. */
  out (r, 0, 0, 0x20);
  g_assert_cmphex (isr (r, 0), ==, 0x02);
  out (r, 0, 0, 0x20);
  g_assert_cmphex (isr (r, 0), ==, 0x02);
  out (r, 0, 0, 0x48);
  out (r, 0, 0, 0x20);
  g_assert_cmphex (isr (r, 0), ==, 0);
  rig_finish (r);
}

static void
test_poll (void)
{
  RIG;
  out (r, 0, 0, 0x0c);
  g_assert_cmphex (in (r, 0, 0), ==, 0);
  line_up (r, 6);
  out (r, 0, 0, 0x0c);
  g_assert_cmphex (in (r, 0, 0), ==, 0x86);
  g_assert_cmphex (isr (r, 0), ==, 0x40);
  g_assert_false (r->intr.level);
  /* One read only. */
  g_assert_cmphex (in (r, 0, 0), ==, 0x40);
  line_up (r, 14);
  out (r, 0, 0, 0x0c);
  g_assert_cmphex (in (r, 0, 1), ==, 0x82);
  out (r, 1, 0, 0x0c);
  g_assert_cmphex (in (r, 1, 0), ==, 0x86);
  g_assert_cmphex (isr (r, 1), ==, 0x40);
  rig_finish (r);
}

static void
test_levels (void)
{
  RIG;
  /* What can't be level stays edge. */
  out (r, 2, 0, 0xff);
  out (r, 2, 1, 0xff);
  g_assert_cmphex (in (r, 2, 0), ==, 0xf8);
  g_assert_cmphex (in (r, 2, 1), ==, 0xde);
  line_up (r, 10);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x2a);
  g_assert_cmphex (irr (r, 1), ==, 0x04);
  /* Again after the end, as long as it is high. */
  out (r, 1, 0, 0x20);
  out (r, 0, 0, 0x20);
  g_assert_true (r->intr.level);
  line_down (r, 10);
  g_assert_false (r->intr.level);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, -1);
  /* A high line that becomes a level asks; ICW1 keeps levels and forgets edges. */
  out (r, 2, 0, 0);
  line_up (r, 5);
  line_up (r, 1);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x21);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, -1);
  out (r, 0, 0, 0x20);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x25);
  out (r, 0, 0, 0x20);
  g_assert_cmphex (irr (r, 0), ==, 0);
  out (r, 2, 0, 0x20);
  g_assert_cmphex (irr (r, 0), ==, 0x20);
  line_down (r, 1);
  line_up (r, 1);
  g_assert_cmphex (irr (r, 0), ==, 0x22);
  initialize (r, 0, 0x20, 1);
  g_assert_cmphex (irr (r, 0), ==, 0x20);
  rig_finish (r);
}

static void
test_spurious (void)
{
  RIG;
  /* The slave's request goes while the master's acknowledge is on its way. */
  out (r, 2, 1, 0x04);
  line_up (r, 10);
  r->pic->s.chip[1].irr = 0;
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x2f);
  g_assert_cmphex (isr (r, 0), ==, 4);
  g_assert_cmphex (isr (r, 1), ==, 0);
  rig_finish (r);
}

static void
test_initialization (void)
{
  RIG;
  out (r, 0, 1, 0xff);
  out (r, 0, 0, 0x68);
  out (r, 0, 0, 0xc2);
  initialize (r, 0, 0x77, 0x13);
  g_assert_cmphex (r->pic->s.chip[0].irq_base, ==, 0x70);
  g_assert_cmphex (r->pic->s.chip[0].imr, ==, 0);
  g_assert_cmpuint (r->pic->s.chip[0].special_mask, ==, 0);
  g_assert_cmpuint (r->pic->s.chip[0].priority_add, ==, 0);
  g_assert_cmpuint (r->pic->s.chip[0].special_fully_nested, ==, 1);
  g_assert_cmpuint (r->pic->s.chip[0].auto_eoi, ==, 1);
  /* Without ICW4 its functions are off, and three words are all. */
  out (r, 0, 0, 0x10);
  out (r, 0, 1, 0x30);
  out (r, 0, 1, 4);
  out (r, 0, 1, 0x5a);
  g_assert_cmphex (in (r, 0, 1), ==, 0x5a);
  g_assert_cmpuint (r->pic->s.chip[0].auto_eoi, ==, 0);
  rig_finish (r);
}

static void
test_state (void)
{
  Rig other;
  RIG;
  line_up (r, 3);
  line_up (r, 13);
  g_assert_cmpint (vt_i8259_acknowledge (r->pic), ==, 0x2d);
  rig_init (&other);
  bench_move (&r->bench, &other.bench);
  vt_device_resume (other.bench.dev);
  g_assert_cmphex (isr (&other, 0), ==, 4);
  g_assert_cmphex (isr (&other, 1), ==, 0x20);
  g_assert_cmphex (irr (&other, 0), ==, 8);
  /* The lines' levels came along: no edge without a fall. */
  line_up (&other, 13);
  g_assert_cmphex (irr (&other, 1), ==, 0);
  out (&other, 1, 0, 0x20);
  out (&other, 0, 0, 0x20);
  g_assert_cmpint (vt_i8259_acknowledge (other.pic), ==, 0x23);
  rig_finish (r);
  rig_finish (&other);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/i8259/edges", test_edges);
  g_test_add_func ("/i8259/priorities", test_priorities);
  g_test_add_func ("/i8259/cascade", test_cascade);
  g_test_add_func ("/i8259/rotation", test_rotation);
  g_test_add_func ("/i8259/auto-eoi", test_auto_eoi);
  g_test_add_func ("/i8259/special-mask", test_special_mask);
  g_test_add_func ("/i8259/poll", test_poll);
  g_test_add_func ("/i8259/levels", test_levels);
  g_test_add_func ("/i8259/spurious", test_spurious);
  g_test_add_func ("/i8259/initialization", test_initialization);
  g_test_add_func ("/i8259/state", test_state);
  return g_test_run ();
}
