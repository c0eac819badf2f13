/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The high precision event timers' core.
 */
#include "bench.h"
#include "platform/hpet.h"

enum { ID = 0x00, CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0 };
enum { T_CONFIG = 0x100, T_CMP = 0x108, T_FSB = 0x110, T_STRIDE = 0x20 };

typedef struct
{
  Bench     bench;
  BenchWire irq0, irq8, gsi2, gsi20, legacy;
  VtMsiSink sink;
  unsigned  messages;
  uint64_t  address;
  uint32_t  message;
} Rig;

static void
send_cb (void *data, uint64_t address, uint32_t message)
{
  Rig *r = data;

  r->messages++;
  r->address = address;
  r->message = message;
}

static const VtMsiSinkOps sink_ops = { .send = send_cb };

static void
rig_init (Rig *r)
{
  VtHpet *hpet;

  memset (r, 0, sizeof *r);
  bench_init (&r->bench, &vt_hpet_class);
  hpet = (VtHpet *) r->bench.dev;
  hpet->irq0 = bench_wire_init (&r->irq0);
  hpet->irq8 = bench_wire_init (&r->irq8);
  hpet->gsi[2] = bench_wire_init (&r->gsi2);
  hpet->gsi[20] = bench_wire_init (&r->gsi20);
  hpet->legacy = bench_wire_init (&r->legacy);
  r->sink = (VtMsiSink){ .ops = &sink_ops, .data = r };
  hpet->msi = &r->sink;
  bench_start (&r->bench);
}

static void
rig_finish (Rig *r)
{
  bench_finish (&r->bench);
  vt_line_free (r->irq0.line);
  vt_line_free (r->irq8.line);
  vt_line_free (r->gsi2.line);
  vt_line_free (r->gsi20.line);
  vt_line_free (r->legacy.line);
}

static uint64_t
get (Rig *r, unsigned reg)
{
  return vt_region_read (vt_device_region (r->bench.dev, 0), reg, 8);
}

static void
set (Rig *r, unsigned reg, uint64_t v)
{
  vt_region_write (vt_device_region (r->bench.dev, 0), reg, 8, v);
}

static void
pass_us (Rig *r, int64_t us)
{
  vt_clock_advance (r->bench.clock, us * VT_NS_PER_US);
}

static void
test_identity (void)
{
  Rig r;

  rig_init (&r);
  g_assert_cmphex (get (&r, ID), ==, UINT64_C (0x009896808086a201));
  g_assert_cmphex (vt_region_read (vt_device_region (r.bench.dev, 0), 4, 4), ==, 0x00989680);
  g_assert_cmphex (get (&r, T_CONFIG), ==, UINT64_C (0x0010000400008030));
  g_assert_cmphex (get (&r, T_CMP), ==, UINT64_MAX);
  /* An unreachable pin is not taken, the capabilities can't be written. */
  set (&r, T_CONFIG, UINT64_MAX);
  g_assert_cmphex (get (&r, T_CONFIG), ==, UINT64_C (0x001000040000c17e));
  set (&r, T_CONFIG, 20 << 9);
  g_assert_cmphex (get (&r, T_CONFIG) & 0x3e00, ==, 20 << 9);
  /* Narrow writes are dropped, holes are zero, there is no fourth timer. */
  vt_region_write (vt_device_region (r.bench.dev, 0), CONFIG, 1, 1);
  g_assert_cmphex (get (&r, CONFIG), ==, 0);
  set (&r, T_CONFIG + 3 * T_STRIDE, 4);
  g_assert_cmphex (get (&r, T_CONFIG + 3 * T_STRIDE), ==, 0);
  g_assert_cmphex (get (&r, 0x3f8), ==, 0);
  rig_finish (&r);
}

static void
test_counter (void)
{
  Rig r;

  rig_init (&r);
  pass_us (&r, 5);
  g_assert_cmpuint (get (&r, COUNTER), ==, 0);
  set (&r, COUNTER, 1000);
  set (&r, CONFIG, 1);
  pass_us (&r, 1);
  g_assert_cmpuint (get (&r, COUNTER), ==, 1100);
  set (&r, CONFIG, 0);
  pass_us (&r, 100);
  g_assert_cmpuint (get (&r, COUNTER), ==, 1100);
  set (&r, CONFIG, 1);
  pass_us (&r, 2);
  g_assert_cmpuint (get (&r, COUNTER), ==, 1300);
  set (&r, COUNTER, UINT64_MAX);
  pass_us (&r, 1);
  g_assert_cmpuint (get (&r, COUNTER), ==, 99);
  /* By halves. */
  vt_region_write (vt_device_region (r.bench.dev, 0), COUNTER + 4, 4, 7);
  g_assert_cmphex (get (&r, COUNTER), ==, UINT64_C (0x700000063));
  rig_finish (&r);
}

static void
test_one_shot (void)
{
  Rig r;

  rig_init (&r);
  set (&r, T_CONFIG, 2 << 9 | 4);
  set (&r, CONFIG, 1);
  set (&r, T_CMP, 500);
  pass_us (&r, 4);
  g_assert_cmpuint (r.gsi2.rises, ==, 0);
  pass_us (&r, 1);
  g_assert_cmpuint (r.gsi2.rises, ==, 1);
  g_assert_false (r.gsi2.level);
  g_assert_cmphex (get (&r, STATUS), ==, 0);
  g_assert_cmpint (vt_clock_next_deadline (r.bench.clock), ==, INT64_MAX);
  /* A comparator that is a little late matches at once; a long passed one does not. */
  set (&r, T_CMP, 400);
  g_assert_cmpuint (r.gsi2.rises, ==, 2);
  pass_us (&r, 3000000);
  set (&r, T_CMP, 400);
  g_assert_cmpuint (r.gsi2.rises, ==, 2);
  set (&r, T_CMP, UINT64_MAX);
  g_assert_cmpuint (r.gsi2.rises, ==, 2);
  g_assert_cmpint (vt_clock_next_deadline (r.bench.clock), ==, INT64_MAX);
  rig_finish (&r);
}

static void
test_32_bits (void)
{
  Rig r;

  rig_init (&r);
  set (&r, T_CONFIG, 2 << 9 | 4 | 0x100);
  set (&r, COUNTER, UINT64_C (0x5fffffff0));
  set (&r, CONFIG, 1);
  set (&r, T_CMP, UINT64_C (0xff00000010));
  g_assert_cmphex (get (&r, T_CMP), ==, 0x10);
  vt_clock_advance (r.bench.clock, 0x1f * 10);
  g_assert_cmpuint (r.gsi2.rises, ==, 0);
  vt_clock_advance (r.bench.clock, 10);
  g_assert_cmpuint (r.gsi2.rises, ==, 1);
  /* Once round. */
  vt_clock_advance (r.bench.clock, INT64_C (10) << 32);
  g_assert_cmpuint (r.gsi2.rises, ==, 2);
  rig_finish (&r);
}

static void
test_periodic (void)
{
  Rig r;

  rig_init (&r);
  set (&r, T_CONFIG, 2 << 9 | 4 | 8 | 0x40);
  set (&r, T_CMP, 100000); /* One write: first match and period. */
  g_assert_cmphex (get (&r, T_CONFIG) & 0x40, ==, 0);
  set (&r, CONFIG, 1);
  pass_us (&r, 10500);
  g_assert_cmpuint (r.gsi2.rises, ==, 10);
  g_assert_cmpuint (get (&r, T_CMP), ==, 1100000);
  /* Two: the match now, then the period, as Linux does it. */
  set (&r, T_CONFIG, 2 << 9 | 4 | 8 | 0x40);
  set (&r, T_CMP, 1060000);
  set (&r, T_CMP, 20000);
  pass_us (&r, 99);
  g_assert_cmpuint (r.gsi2.rises, ==, 10);
  pass_us (&r, 1);
  g_assert_cmpuint (r.gsi2.rises, ==, 11);
  pass_us (&r, 1000);
  g_assert_cmpuint (r.gsi2.rises, ==, 16);
  rig_finish (&r);
}

static void
test_storm (void)
{
  Rig r;

  rig_init (&r);
  for (unsigned n = 0; n < 3; n++)
    {
      set (&r, T_CONFIG + n * T_STRIDE, 2 << 9 | 4 | 8 | 0x40);
      set (&r, T_CMP + n * T_STRIDE, n); /* Periods of 0, 1 and 2 ticks. */
    }
  set (&r, CONFIG, 1);
  pass_us (&r, 1000000);
  g_assert_cmpuint (r.gsi2.rises, >, 1000);
  g_assert_cmpuint (r.gsi2.rises, <, 50000);
  rig_finish (&r);
}

static void
test_level (void)
{
  Rig r;

  rig_init (&r);
  set (&r, T_CONFIG + T_STRIDE, 20 << 9 | 2);
  set (&r, CONFIG, 1);
  set (&r, T_CMP + T_STRIDE, 100);
  pass_us (&r, 1);
  /* Disabled it only shows its status. */
  g_assert_cmphex (get (&r, STATUS), ==, 2);
  g_assert_false (r.gsi20.level);
  set (&r, T_CONFIG + T_STRIDE, 20 << 9 | 2 | 4);
  g_assert_true (r.gsi20.level);
  set (&r, STATUS, 1);
  g_assert_true (r.gsi20.level);
  set (&r, CONFIG, 0);
  g_assert_false (r.gsi20.level);
  set (&r, CONFIG, 1);
  g_assert_true (r.gsi20.level);
  set (&r, STATUS, 2);
  g_assert_false (r.gsi20.level);
  g_assert_cmphex (get (&r, STATUS), ==, 0);
  rig_finish (&r);
}

static void
test_legacy (void)
{
  Rig     r;
  VtLine *rtc;

  rig_init (&r);
  rtc = ((VtHpet *) r.bench.dev)->rtc_in;
  vt_line_set (rtc, true);
  g_assert_true (r.irq8.level);
  set (&r, CONFIG, 3);
  g_assert_true (r.legacy.level);
  g_assert_false (r.irq8.level);
  vt_line_set (rtc, false);
  vt_line_set (rtc, true);
  g_assert_cmpuint (r.irq8.rises, ==, 1);
  set (&r, T_CONFIG, 2 << 9 | 4);
  set (&r, T_CMP, 100);
  set (&r, T_CONFIG + T_STRIDE, 2 << 9 | 4);
  set (&r, T_CMP + T_STRIDE, 200);
  set (&r, T_CONFIG + 2 * T_STRIDE, 20 << 9 | 4);
  set (&r, T_CMP + 2 * T_STRIDE, 200);
  pass_us (&r, 3);
  g_assert_cmpuint (r.irq0.rises, ==, 1);
  g_assert_cmpuint (r.irq8.rises, ==, 2);
  g_assert_cmpuint (r.gsi2.rises, ==, 0);
  g_assert_cmpuint (r.gsi20.rises, ==, 1);
  /* The RTC gets its line back as it has it. */
  set (&r, CONFIG, 1);
  g_assert_false (r.legacy.level);
  g_assert_true (r.irq8.level);
  vt_device_reset (r.bench.dev, VT_RESET_WARM);
  g_assert_true (r.irq8.level);
  vt_line_set (rtc, false);
  g_assert_false (r.irq8.level);
  rig_finish (&r);
}

static void
test_fsb (void)
{
  Rig r;

  rig_init (&r);
  set (&r, T_FSB, UINT64_C (0xfee0100000000041));
  set (&r, T_CONFIG, 0x4000 | 4);
  set (&r, CONFIG, 1);
  set (&r, T_CMP, 100);
  pass_us (&r, 1);
  g_assert_cmpuint (r.messages, ==, 1);
  g_assert_cmphex (r.address, ==, 0xfee01000);
  g_assert_cmphex (r.message, ==, 0x41);
  g_assert_cmpuint (r.gsi2.rises, ==, 0);
  rig_finish (&r);
}

static void
test_state (void)
{
  Rig a, b;

  rig_init (&a);
  rig_init (&b);
  set (&a, T_CONFIG, 20 << 9 | 4 | 2 | 8 | 0x40);
  set (&a, T_CMP, 100000);
  set (&a, CONFIG, 1);
  pass_us (&a, 1300);
  g_assert_true (a.gsi20.level);
  bench_move (&a.bench, &b.bench);
  g_assert_cmpuint (b.gsi20.rises, ==, 0);
  vt_device_resume (b.bench.dev);
  g_assert_cmpuint (get (&b, COUNTER), ==, 130000);
  set (&b, STATUS, 1);
  pass_us (&b, 699);
  g_assert_cmpuint (b.gsi20.rises, ==, 0);
  pass_us (&b, 1);
  g_assert_cmpuint (b.gsi20.rises, ==, 1);
  rig_finish (&a);
  rig_finish (&b);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hpet/identity", test_identity);
  g_test_add_func ("/hpet/counter", test_counter);
  g_test_add_func ("/hpet/one-shot", test_one_shot);
  g_test_add_func ("/hpet/32-bits", test_32_bits);
  g_test_add_func ("/hpet/periodic", test_periodic);
  g_test_add_func ("/hpet/storm", test_storm);
  g_test_add_func ("/hpet/level", test_level);
  g_test_add_func ("/hpet/legacy", test_legacy);
  g_test_add_func ("/hpet/fsb", test_fsb);
  g_test_add_func ("/hpet/state", test_state);
  return g_test_run ();
}
