/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interval timer's core.
 */
#include "bench.h"
#include "platform/i8254.h"

#define HZ INT64_C (1193182)

typedef struct
{
  Bench     bench;
  VtI8254  *pit;
  BenchWire irq;
} Rig;

static void
out (Rig *r, unsigned reg, uint8_t v)
{
  vt_region_write (vt_device_region (r->bench.dev, 0), reg, 1, v);
}

static uint8_t
in (Rig *r, unsigned reg)
{
  return (uint8_t) vt_region_read (vt_device_region (r->bench.dev, 0), reg, 1);
}

static void
out61 (Rig *r, uint8_t v)
{
  vt_region_write (vt_device_region (r->bench.dev, 1), 0, 1, v);
}

static uint8_t
in61 (Rig *r)
{
  return (uint8_t) vt_region_read (vt_device_region (r->bench.dev, 1), 0, 1);
}

/* Low and high byte of both. */
static void
program (Rig *r, unsigned channel, unsigned mode, uint16_t count)
{
  out (r, 3, (uint8_t) (channel << 6 | 0x30 | mode << 1));
  out (r, channel, (uint8_t) count);
  out (r, channel, (uint8_t) (count >> 8));
}

static unsigned
count (Rig *r, unsigned channel)
{
  out (r, 3, (uint8_t) (channel << 6));
  unsigned low = in (r, channel);
  return low | (unsigned) in (r, channel) << 8;
}

/* Until clock @n after time 0, and a little. */
static void
until (Rig *r, int64_t n)
{
  int64_t ns = n * VT_NS_PER_SEC / HZ + 2;

  vt_clock_advance (r->bench.clock, ns - vt_clock_now (r->bench.clock));
}

static void
rig_init (Rig *r)
{
  memset (r, 0, sizeof *r);
  bench_init (&r->bench, &vt_i8254_class);
  r->pit = (VtI8254 *) r->bench.dev;
  r->pit->irq = bench_wire_init (&r->irq);
  bench_start (&r->bench);
}

static void
rig_finish (Rig *r)
{
  bench_finish (&r->bench);
  vt_line_free (r->irq.line);
}

#define RIG                                                                                        \
  Rig rig, *r = &rig;                                                                              \
  rig_init (r)

static void
test_mode0 (void)
{
  RIG;
  program (r, 0, 0, 1000);
  g_assert_false (r->irq.level);
  g_assert_cmpuint (count (r, 0), ==, 1000);
  until (r, 400);
  g_assert_cmpuint (count (r, 0), ==, 600);
  until (r, 999);
  g_assert_false (r->irq.level);
  until (r, 1000);
  g_assert_true (r->irq.level);
  g_assert_cmpuint (r->irq.rises, ==, 1);
  /* It goes on below zero, and interrupts no more. */
  until (r, 1010);
  g_assert_cmpuint (count (r, 0), ==, 65526);
  until (r, 200000);
  g_assert_cmpuint (r->irq.rises, ==, 1);
  /* The first byte of a new count stops it, the second starts it. */
  out (r, 0, 0x10);
  g_assert_false (r->irq.level);
  until (r, 300000);
  g_assert_false (r->irq.level);
  out (r, 0, 0);
  until (r, 300015);
  g_assert_false (r->irq.level);
  until (r, 300017);
  g_assert_true (r->irq.level);
  rig_finish (r);
}

static void
test_mode2 (void)
{
  RIG;
  program (r, 0, 2, 1000);
  g_assert_true (r->irq.level);
  unsigned before = r->irq.rises;
  until (r, 10500);
  g_assert_cmpuint (r->irq.rises - before, ==, 10);
  g_assert_cmpuint (count (r, 0), ==, 500);
  /* A new count is for the next cycle. */
  out (r, 0, 0xd0);
  out (r, 0, 0x07);
  g_assert_cmpuint (count (r, 0), ==, 500);
  before = r->irq.rises;
  until (r, 11000);
  g_assert_cmpuint (r->irq.rises - before, ==, 1);
  until (r, 12999);
  g_assert_cmpuint (r->irq.rises - before, ==, 1);
  until (r, 13002);
  g_assert_cmpuint (r->irq.rises - before, ==, 2);
  g_assert_cmpuint (count (r, 0), ==, 2000 - 2);
  rig_finish (r);
}

static void
test_mode3 (void)
{
  RIG;
  program (r, 0, 3, 0);
  unsigned before = r->irq.rises;
  until (r, 65536 * 3 + 100);
  g_assert_cmpuint (r->irq.rises - before, ==, 3);
  /* By two. */
  g_assert_cmpuint (count (r, 0), ==, 65536 - 200);
  /* OUT is high for the first half, and one clock longer of an odd count. */
  out61 (r, 1);
  program (r, 2, 3, 7);
  for (unsigned i = 0; i < 14; i++)
    {
      static const unsigned counts[] = { 6, 4, 2, 0, 6, 4, 2 };
      g_assert_cmpuint (count (r, 2), ==, counts[i % 7]);
      g_assert_cmpuint (in61 (r) >> 5 & 1, ==, i % 7 < 4);
      until (r, 65536 * 3 + 101 + i);
    }
  rig_finish (r);
}

static void
test_one_shots (void)
{
  RIG;
  /* Mode 1: from the gate's rise. */
  program (r, 2, 1, 100);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0x20);
  until (r, 50);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0x20);
  out61 (r, 1);
  g_assert_cmphex (in61 (r) & 0x21, ==, 0x01);
  until (r, 148);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0);
  until (r, 152);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0x20);
  /* Again by another rise; a new count waits for it. */
  out (r, 2, 10);
  out (r, 2, 0);
  out61 (r, 0);
  out61 (r, 1);
  until (r, 155);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0);
  until (r, 164);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0x20);
  /* Mode 5: low for one clock. */
  program (r, 2, 5, 20);
  out61 (r, 0);
  out61 (r, 1);
  until (r, 183);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0x20);
  until (r, 184);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0);
  until (r, 186);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0x20);
  /* Mode 4 by the count; channel 0 interrupts as OUT rises again. */
  program (r, 0, 4, 30);
  unsigned before = r->irq.rises;
  until (r, 216);
  g_assert_cmpuint (r->irq.rises, ==, before);
  until (r, 218);
  g_assert_cmpuint (r->irq.rises, ==, before + 1);
  until (r, 100000);
  g_assert_cmpuint (r->irq.rises, ==, before + 1);
  /* Channel 0's gate never rises: no trigger. */
  program (r, 0, 1, 30);
  until (r, 110000);
  g_assert_cmpuint (r->irq.rises, ==, before + 1);
  rig_finish (r);
}

static void
test_gate (void)
{
  RIG;
  /* Low, it holds modes 0 and 4; 2 and 3 start over as it rises. */
  program (r, 2, 0, 1000);
  until (r, 500);
  g_assert_cmpuint (count (r, 2), ==, 1000);
  out61 (r, 1);
  until (r, 600);
  g_assert_cmpint (abs ((int) count (r, 2) - 900), <=, 1);
  out61 (r, 0);
  until (r, 5000);
  g_assert_cmpint (abs ((int) count (r, 2) - 900), <=, 1);
  out61 (r, 1);
  until (r, 5898);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0);
  until (r, 5903);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0x20);
  program (r, 2, 2, 1000);
  until (r, 6000);
  out61 (r, 0);
  g_assert_cmphex (in61 (r) & 0x20, ==, 0x20);
  out61 (r, 1);
  g_assert_cmpuint (count (r, 2), ==, 1000);
  rig_finish (r);
}

static void
test_bcd (void)
{
  RIG;
  out (r, 3, 0x35);
  out (r, 0, 0x00);
  out (r, 0, 0x10);
  g_assert_cmphex (count (r, 0), ==, 0x1000);
  until (r, 1);
  g_assert_cmphex (count (r, 0), ==, 0x0999);
  unsigned before = r->irq.rises;
  until (r, 1000);
  g_assert_cmpuint (r->irq.rises, ==, before + 1);
  /* 0 is ten thousand. */
  out (r, 3, 0x31);
  out (r, 0, 0);
  out (r, 0, 0);
  g_assert_cmphex (count (r, 0), ==, 0);
  vt_clock_advance (r->bench.clock, 2500);
  g_assert_cmphex (count (r, 0), ==, 0x9998);
  rig_finish (r);
}

static void
test_latches (void)
{
  RIG;
  program (r, 0, 2, 0x1234);
  out (r, 3, 0x00);
  until (r, 10);
  /* The latch stands until it is read, and a second one changes nothing. */
  out (r, 3, 0x00);
  g_assert_cmphex (in (r, 0), ==, 0x34);
  until (r, 20);
  g_assert_cmphex (in (r, 0), ==, 0x12);
  g_assert_cmphex (in (r, 0), ==, 0x20);
  g_assert_cmphex (in (r, 0), ==, 0x12);
  /* Read-back: status first, then the count; OUT, count loaded, both bytes, mode 2. */
  out (r, 3, 0xc2);
  g_assert_cmphex (in (r, 0), ==, 0xb4);
  g_assert_cmphex (in (r, 0), ==, 0x20);
  g_assert_cmphex (in (r, 0), ==, 0x12);
  out (r, 3, 0xd2);
  g_assert_cmphex (in (r, 0), ==, 0x20);
  in (r, 0);
  out (r, 3, 0xe2);
  g_assert_cmphex (in (r, 0), ==, 0xb4);
  /* Null count between control word and count; mode 6 is 2. */
  out (r, 3, 0x1c);
  out (r, 3, 0xe2);
  g_assert_cmphex (in (r, 0), ==, 0xd4);
  out (r, 0, 9);
  out (r, 3, 0xe2);
  g_assert_cmphex (in (r, 0), ==, 0x94);
  g_assert_cmphex (in (r, 0), ==, 9);
  g_assert_cmphex (in (r, 0), ==, 9);
  /* The high byte alone. */
  out (r, 3, 0x20);
  out (r, 0, 2);
  g_assert_cmphex (in (r, 0), ==, 2);
  g_assert_cmphex (r->pit->s.channel[0].count, ==, 0x200);
  out (r, 3, 0x00);
  g_assert_cmphex (in (r, 0), ==, 2);
  g_assert_cmphex (in (r, 3), ==, 0xff);
  rig_finish (r);
}

static void
test_port61 (void)
{
  RIG;
  g_assert_cmphex (in61 (r), ==, 0);
  out61 (r, 0xff);
  g_assert_cmphex (in61 (r), ==, 0x03);
  /* The refresh bit turns every 15 us. */
  unsigned turns = 0, last = in61 (r) & 0x10;
  for (unsigned i = 0; i < 1000; i++)
    {
      vt_clock_advance (r->bench.clock, VT_NS_PER_US);
      unsigned now = in61 (r) & 0x10;
      turns += now != last;
      last = now;
    }
  g_assert_cmpuint (turns, ==, 66);
  rig_finish (r);
}

static void
test_taken (void)
{
  RIG;
  program (r, 0, 2, 1000);
  g_assert_true (r->irq.level);
  vt_context_lock (r->bench.context);
  vt_i8254_take (r->pit, true);
  vt_context_unlock (r->bench.context);
  g_assert_false (r->irq.level);
  unsigned before = r->irq.rises;
  until (r, 10000);
  g_assert_cmpuint (r->irq.rises, ==, before);
  vt_context_lock (r->bench.context);
  vt_i8254_take (r->pit, false);
  vt_context_unlock (r->bench.context);
  until (r, 20500);
  g_assert_cmpuint (r->irq.rises, ==, before + 11);
  rig_finish (r);
}

static void
test_fast (void)
{
  RIG;
  /* A period of one clock can't occupy the host. */
  program (r, 0, 2, 1);
  unsigned before = r->irq.rises;
  vt_clock_advance (r->bench.clock, VT_NS_PER_SEC / 100);
  g_assert_cmpuint (r->irq.rises - before, >=, 100);
  g_assert_cmpuint (r->irq.rises - before, <=, 201);
  rig_finish (r);
}

/* Time passes and nobody looks. */
static void
late (Rig *r, int64_t n)
{
  r->pit->counter[0].start -= n * VT_NS_PER_SEC / HZ;
}

/* Rises that nobody was there to tell are all told, by the timer or by the next access. */
static void
test_late (void)
{
  RIG;
  program (r, 0, 2, 1000);
  unsigned before = r->irq.rises;
  until (r, 500);
  late (r, 5000);
  until (r, 999);
  g_assert_cmpuint (r->irq.rises - before, ==, 0);
  until (r, 1000);
  g_assert_cmpuint (r->irq.rises - before, ==, 6);
  until (r, 2000);
  g_assert_cmpuint (r->irq.rises - before, ==, 7);
  until (r, 2500);
  late (r, 3000);
  program (r, 2, 2, 500);
  g_assert_cmpuint (r->irq.rises - before, ==, 10);
  until (r, 3010);
  g_assert_cmpuint (r->irq.rises - before, ==, 11);
  /* Not without end; and of one that counts once, and of one that is too fast, one. */
  late (r, 1000000000);
  program (r, 2, 2, 500);
  g_assert_cmpuint (r->irq.rises - before, ==, 1011);
  program (r, 0, 0, 1000);
  before = r->irq.rises;
  late (r, 100000);
  program (r, 2, 2, 500);
  g_assert_cmpuint (r->irq.rises - before, ==, 1);
  program (r, 0, 2, 10);
  before = r->irq.rises;
  late (r, 100000);
  program (r, 2, 2, 500);
  g_assert_cmpuint (r->irq.rises - before, <=, 3);
  rig_finish (r);
}

static void
test_state (void)
{
  Rig other;
  RIG;
  program (r, 0, 2, 1000);
  out (r, 3, 0x04 << 4);
  rig_init (&other);
  bench_move (&r->bench, &other.bench);
  vt_device_resume (other.bench.dev);
  unsigned before = other.irq.rises;
  until (&other, 3500);
  g_assert_cmpuint (other.irq.rises - before, ==, 3);
  rig_finish (r);
  rig_finish (&other);
}

/* A wire that was high when mode 0's state was saved must fall before it rises. */
static void
test_state_mode0 (void)
{
  Rig other;
  RIG;
  program (r, 0, 0, 1000);
  until (r, 1100);
  g_assert_true (r->irq.level);
  rig_init (&other);
  bench_move (&r->bench, &other.bench);
  vt_device_resume (other.bench.dev);
  g_assert_cmpuint (other.irq.falls, ==, 1);
  until (&other, 2200);
  g_assert_true (other.irq.level);
  g_assert_cmpuint (other.irq.rises, ==, 1);
  rig_finish (r);
  rig_finish (&other);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/i8254/mode0", test_mode0);
  g_test_add_func ("/i8254/mode2", test_mode2);
  g_test_add_func ("/i8254/mode3", test_mode3);
  g_test_add_func ("/i8254/one-shots", test_one_shots);
  g_test_add_func ("/i8254/gate", test_gate);
  g_test_add_func ("/i8254/bcd", test_bcd);
  g_test_add_func ("/i8254/latches", test_latches);
  g_test_add_func ("/i8254/port61", test_port61);
  g_test_add_func ("/i8254/taken", test_taken);
  g_test_add_func ("/i8254/fast", test_fast);
  g_test_add_func ("/i8254/late", test_late);
  g_test_add_func ("/i8254/state", test_state);
  g_test_add_func ("/i8254/state-mode0", test_state_mode0);
  return g_test_run ();
}
