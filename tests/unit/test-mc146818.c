/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The real-time clock's core.
 */
#include "bench.h"
#include "platform/mc146818.h"

/* 1999-12-31 23:59:50 UTC, a Friday. */
#define PARTY INT64_C (946684790)

typedef struct
{
  Bench     bench;
  BenchWire irq, nmi;
} Rtc;

static VtMc146818 *
rtc_init (Rtc *r, int64_t base)
{
  VtMc146818 *rtc;

  bench_init (&r->bench, &vt_mc146818_class);
  rtc = (VtMc146818 *) r->bench.dev;
  rtc->irq = bench_wire_init (&r->irq);
  rtc->nmi_mask = bench_wire_init (&r->nmi);
  rtc->base_s = base;
  return rtc;
}

static void
rtc_start (Rtc *r, int64_t base)
{
  rtc_init (r, base);
  bench_start (&r->bench);
}

static void
rtc_finish (Rtc *r)
{
  bench_finish (&r->bench);
  vt_line_free (r->irq.line);
  vt_line_free (r->nmi.line);
}

static uint8_t
get (Rtc *r, uint8_t index)
{
  bench_out (&r->bench, 0, index);
  return bench_in (&r->bench, 1);
}

static void
set (Rtc *r, uint8_t index, uint8_t v)
{
  bench_out (&r->bench, 0, index);
  bench_out (&r->bench, 1, v);
}

static void
pass (Rtc *r, int64_t ms)
{
  vt_clock_advance (r->bench.clock, ms * VT_NS_PER_MS);
}

static void
assert_time (Rtc *r, const char *expected)
{
  g_autofree char *text = g_strdup_printf (
      "%02x%02x-%02x-%02x/%x %02x:%02x:%02x", get (r, 0x32), get (r, 9), get (r, 8), get (r, 7),
      get (r, 6), get (r, 4), get (r, 2), get (r, 0));

  g_assert_cmpstr (text, ==, expected);
}

static void
test_time (void)
{
  Rtc r;

  rtc_start (&r, PARTY);
  assert_time (&r, "1999-12-31/6 23:59:50");
  pass (&r, 9999);
  assert_time (&r, "1999-12-31/6 23:59:59");
  pass (&r, 1);
  assert_time (&r, "2000-01-01/7 00:00:00");
  pass (&r, INT64_C (59) * 86400 * 1000);
  assert_time (&r, "2000-02-29/3 00:00:00");
  /* Twelve hours: midnight is 12, and bit 7 is the afternoon. */
  set (&r, 0x0b, 0x00);
  g_assert_cmphex (get (&r, 4), ==, 0x12);
  pass (&r, 12 * 3600 * 1000);
  g_assert_cmphex (get (&r, 4), ==, 0x92);
  pass (&r, 3600 * 1000);
  g_assert_cmphex (get (&r, 4), ==, 0x81);
  /* Binary. */
  set (&r, 0x0b, 0x06);
  g_assert_cmpint (get (&r, 4), ==, 13);
  g_assert_cmpint (get (&r, 7), ==, 29);
  g_assert_cmpint (get (&r, 0x32), ==, 20);
  rtc_finish (&r);
}

static void
test_set_time (void)
{
  Rtc r;

  rtc_start (&r, PARTY);
  set (&r, 0x0b, 0x82);
  set (&r, 0, 0x58);
  set (&r, 2, 0x59);
  set (&r, 4, 0x23);
  set (&r, 7, 0x28);
  set (&r, 8, 0x02);
  set (&r, 9, 0x24);
  set (&r, 0x32, 0x20);
  /* It stands while SET is. */
  pass (&r, 5000);
  g_assert_cmphex (get (&r, 0), ==, 0x58);
  set (&r, 0x0b, 0x02);
  assert_time (&r, "2024-02-28/4 23:59:58");
  pass (&r, 2000);
  assert_time (&r, "2024-02-29/5 00:00:00");
  /* One register alone. */
  set (&r, 4, 0x17);
  pass (&r, 1000);
  assert_time (&r, "2024-02-29/5 17:00:01");
  /* Nonsense is carried over, never trusted. */
  set (&r, 0x0b, 0x82);
  for (unsigned i = 0; i < 10; i++)
    set (&r, (uint8_t) i, 0xff);
  set (&r, 0x32, 0xff);
  set (&r, 0x0b, 0x02);
  pass (&r, 1000);
  g_assert_cmphex (get (&r, 8), <=, 0x12);
  g_assert_cmphex (get (&r, 8), >=, 0x01);
  set (&r, 8, 0);
  set (&r, 7, 0);
  pass (&r, 1000);
  g_assert_cmphex (get (&r, 8), >=, 0x01);
  rtc_finish (&r);
}

static void
test_divider (void)
{
  Rtc r;

  rtc_start (&r, PARTY);
  pass (&r, 300);
  set (&r, 0x0a, 0x70);
  pass (&r, 5300);
  g_assert_cmphex (get (&r, 0), ==, 0x50);
  set (&r, 0x0a, 0x26);
  /* The first update comes half a second later. */
  pass (&r, 499);
  g_assert_cmphex (get (&r, 0), ==, 0x50);
  pass (&r, 1);
  g_assert_cmphex (get (&r, 0), ==, 0x51);
  rtc_finish (&r);
}

static void
test_uip (void)
{
  Rtc r;

  rtc_start (&r, PARTY);
  g_assert_cmphex (get (&r, 0x0a), ==, 0x26);
  pass (&r, 998);
  g_assert_cmphex (get (&r, 0x0a), ==, 0xa6);
  pass (&r, 2);
  g_assert_cmphex (get (&r, 0x0a), ==, 0x26);
  /* It can't be written, and SET suppresses it. */
  set (&r, 0x0a, 0xa6);
  g_assert_cmphex (get (&r, 0x0a), ==, 0x26);
  set (&r, 0x0b, 0x82);
  pass (&r, 998);
  g_assert_cmphex (get (&r, 0x0a), ==, 0x26);
  rtc_finish (&r);
}

static void
test_update_interrupt (void)
{
  Rtc r;

  rtc_start (&r, PARTY);
  g_assert_cmpint (vt_clock_next_deadline (r.bench.clock), ==, INT64_MAX);
  pass (&r, 1500);
  /* The flag comes without the enable, which then raises the line at once. */
  set (&r, 0x0b, 0x12);
  g_assert_true (r.irq.level);
  g_assert_cmphex (get (&r, 0x0c) & 0xb0, ==, 0x90);
  g_assert_false (r.irq.level);
  g_assert_cmphex (get (&r, 0x0c), ==, 0x00);
  pass (&r, 499);
  g_assert_false (r.irq.level);
  pass (&r, 1);
  g_assert_true (r.irq.level);
  /* Nothing runs while it is pending. */
  g_assert_cmpint (vt_clock_next_deadline (r.bench.clock), ==, INT64_MAX);
  /* SET takes UIE away. */
  set (&r, 0x0b, 0x92);
  g_assert_cmphex (get (&r, 0x0b), ==, 0x82);
  g_assert_false (r.irq.level);
  rtc_finish (&r);
}

static void
test_alarm (void)
{
  Rtc r;

  rtc_start (&r, PARTY);
  set (&r, 1, 0x05);
  set (&r, 3, 0x00);
  set (&r, 5, 0x00);
  get (&r, 0x0c);
  set (&r, 0x0b, 0x22);
  pass (&r, 14999);
  g_assert_false (r.irq.level);
  pass (&r, 1);
  assert_time (&r, "2000-01-01/7 00:00:05");
  g_assert_true (r.irq.level);
  g_assert_cmphex (get (&r, 0x0c) & 0xa0, ==, 0xa0);
  /* Once a day, unless a part of it does not care. */
  pass (&r, 86399 * 1000);
  g_assert_false (r.irq.level);
  pass (&r, 1000);
  g_assert_true (r.irq.level);
  get (&r, 0x0c);
  set (&r, 5, 0xc0);
  set (&r, 3, 0xff);
  pass (&r, 59999);
  g_assert_false (r.irq.level);
  pass (&r, 1);
  g_assert_true (r.irq.level);
  get (&r, 0x0c);
  /* An hour that never comes. */
  set (&r, 5, 0x77);
  g_assert_cmpint (vt_clock_next_deadline (r.bench.clock), ==, INT64_MAX);
  pass (&r, INT64_C (3) * 86400 * 1000);
  g_assert_false (r.irq.level);
  rtc_finish (&r);
}

static void
test_periodic (void)
{
  Rtc      r;
  unsigned n = 0;

  rtc_start (&r, PARTY);
  set (&r, 0x0a, 0x26); /* 1,024 Hz. */
  get (&r, 0x0c);
  set (&r, 0x0b, 0x42);
  for (unsigned i = 0; i < 20000; i++)
    {
      vt_clock_advance (r.bench.clock, 100 * VT_NS_PER_US);
      if (r.irq.level)
        {
          g_assert_cmphex (get (&r, 0x0c) & 0xc0, ==, 0xc0);
          n++;
        }
    }
  g_assert_cmpuint (n, ==, 2048);
  /* The two odd rates, and none. */
  set (&r, 0x0a, 0x21);
  get (&r, 0x0c);
  g_assert_cmpint (vt_clock_next_deadline (r.bench.clock) - vt_clock_now (r.bench.clock), <=,
                   VT_NS_PER_SEC / 256);
  set (&r, 0x0a, 0x20);
  get (&r, 0x0c);
  g_assert_cmpint (vt_clock_next_deadline (r.bench.clock), ==, INT64_MAX);
  rtc_finish (&r);
}

static void
test_memory (void)
{
  Rtc         r;
  VtMc146818 *rtc = rtc_init (&r, PARTY);

  vt_mc146818_set_memory (rtc, UINT64_C (0x80000000), UINT64_C (0x180000000));
  vt_mc146818_set_boot (rtc, VT_CMOS_BOOT_CD, VT_CMOS_BOOT_DISK, VT_CMOS_BOOT_NONE);
  vt_mc146818_set_cmos (rtc, 0x14, 0x06);
  vt_mc146818_set_cmos (rtc, 0xff, 0x06); /* Outside: nothing. */
  bench_start (&r.bench);
  g_assert_cmphex (get (&r, 0x15) | get (&r, 0x16) << 8, ==, 640);
  g_assert_cmphex (get (&r, 0x17) | get (&r, 0x18) << 8, ==, 0xffff);
  g_assert_cmphex (get (&r, 0x30) | get (&r, 0x31) << 8, ==, 0xffff);
  g_assert_cmphex (get (&r, 0x34) | get (&r, 0x35) << 8, ==, 0x7f00);
  g_assert_cmphex (get (&r, 0x5b) | get (&r, 0x5c) << 8 | get (&r, 0x5d) << 16, ==, 0x18000);
  g_assert_cmphex (get (&r, 0x3d), ==, 0x23);
  g_assert_cmphex (get (&r, 0x38), ==, 0x00);
  g_assert_cmphex (get (&r, 0x14), ==, 0x06);
  g_assert_cmphex (get (&r, 0x10), ==, 0x00);
  g_assert_cmphex (get (&r, 0x0d), ==, 0x80);
  /* The reset code survives a warm reset, and enables do not. */
  set (&r, 0x0f, 0x0a);
  set (&r, 0x0b, 0x72);
  vt_device_reset (r.bench.dev, VT_RESET_WARM);
  g_assert_cmphex (get (&r, 0x0f), ==, 0x0a);
  g_assert_cmphex (get (&r, 0x0b), ==, 0x02);
  vt_device_reset (r.bench.dev, VT_RESET_COLD);
  g_assert_cmphex (get (&r, 0x0f), ==, 0x00);
  /* The extended bank is apart. */
  bench_out (&r.bench, 2, 0x0f);
  bench_out (&r.bench, 3, 0x77);
  g_assert_cmphex (get (&r, 0x0f), ==, 0x00);
  bench_out (&r.bench, 2, 0x8f);
  g_assert_cmphex (bench_in (&r.bench, 2), ==, 0x0f);
  g_assert_cmphex (bench_in (&r.bench, 3), ==, 0x77);
  /* Bit 7 of the index masks NMI. */
  bench_out (&r.bench, 0, 0x8f);
  g_assert_true (r.nmi.level);
  bench_out (&r.bench, 0, 0x0f);
  g_assert_false (r.nmi.level);
  g_assert_cmphex (bench_in (&r.bench, 0), ==, 0xff);
  rtc_finish (&r);
}

static int64_t
noon_cb (void)
{
  return INT64_C (1000000000) * VT_NS_PER_SEC + 250 * VT_NS_PER_MS;
}

static void
test_wall (void)
{
  Rtc         r;
  VtMc146818 *rtc = rtc_init (&r, 0);

  rtc->wall = noon_cb;
  bench_start (&r.bench);
  /* 2001-09-09 01:46:40 and a quarter. */
  assert_time (&r, "2001-09-09/1 01:46:40");
  pass (&r, 749);
  g_assert_cmphex (get (&r, 0), ==, 0x40);
  pass (&r, 1);
  g_assert_cmphex (get (&r, 0), ==, 0x41);
  /* The guest runs an hour ahead of the wall, and still does after a pause. */
  set (&r, 4, 0x02);
  pass (&r, 10000);
  vt_device_pause (r.bench.dev, NULL, NULL);
  vt_device_resume (r.bench.dev);
  assert_time (&r, "2001-09-09/1 02:46:40");
  rtc_finish (&r);
}

static void
test_state (void)
{
  Rtc a, b;

  rtc_start (&a, PARTY);
  rtc_start (&b, 0);
  set (&a, 0x0b, 0x12);
  get (&a, 0x0c);
  pass (&a, 700);
  bench_move (&a.bench, &b.bench);
  vt_device_resume (b.bench.dev);
  assert_time (&b, "1999-12-31/6 23:59:50");
  pass (&b, 300);
  g_assert_true (b.irq.level);
  assert_time (&b, "1999-12-31/6 23:59:51");
  rtc_finish (&a);
  rtc_finish (&b);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mc146818/time", test_time);
  g_test_add_func ("/mc146818/set-time", test_set_time);
  g_test_add_func ("/mc146818/divider", test_divider);
  g_test_add_func ("/mc146818/uip", test_uip);
  g_test_add_func ("/mc146818/update-interrupt", test_update_interrupt);
  g_test_add_func ("/mc146818/alarm", test_alarm);
  g_test_add_func ("/mc146818/periodic", test_periodic);
  g_test_add_func ("/mc146818/memory", test_memory);
  g_test_add_func ("/mc146818/wall", test_wall);
  g_test_add_func ("/mc146818/state", test_state);
  return g_test_run ();
}
