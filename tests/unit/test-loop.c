/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Contexts, clocks, timers, watches, kicks, lines and MSI vectors.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "vt-line.h"
#include "vt-loop.h"

typedef struct
{
  VtClock *clock;
  VtTimer *timer;
  GString *log;
  int64_t  period;
  char     name;
} Tick;

static void
tick_cb (void *data)
{
  Tick *t = data;

  g_string_append_printf (t->log, "%c%d ", t->name, (int) vt_clock_now (t->clock));
  if (t->period != 0)
    vt_timer_arm (t->timer, vt_clock_now (t->clock) + t->period);
}

static void
test_manual_clock (void)
{
  VtClock   *clock = vt_clock_new_manual ();
  VtContext *context = vt_context_new_manual ();
  g_autoptr (GString) log = g_string_new (NULL);
  Tick a = { clock, NULL, log, 10, 'a' }, b = { clock, NULL, log, 0, 'b' };

  a.timer = vt_timer_new (context, clock, tick_cb, &a);
  b.timer = vt_timer_new (context, clock, tick_cb, &b);
  g_assert_cmpint (vt_clock_next_deadline (clock), ==, INT64_MAX);
  vt_timer_arm (a.timer, 5);
  vt_timer_arm (b.timer, 17);
  g_assert_cmpint (vt_clock_next_deadline (clock), ==, 5);
  vt_clock_advance (clock, 4);
  g_assert_cmpstr (log->str, ==, "");
  vt_clock_advance (clock, 26);
  g_assert_cmpstr (log->str, ==, "a5 a15 b17 a25 ");
  g_assert_cmpint (vt_clock_now (clock), ==, 30);
  g_assert_false (vt_timer_armed (b.timer));
  vt_timer_stop (a.timer);
  vt_clock_advance (clock, 100);
  g_assert_cmpstr (log->str, ==, "a5 a15 b17 a25 ");
  vt_timer_free (a.timer);
  vt_timer_free (b.timer);
  vt_context_free (context);
  vt_clock_free (clock);
}

typedef struct
{
  GMutex lock;
  GCond  cond;
  int    n;
} Counter;

static void
count_cb (void *data)
{
  Counter *c = data;

  g_mutex_lock (&c->lock);
  c->n++;
  g_cond_broadcast (&c->cond);
  g_mutex_unlock (&c->lock);
}

static void
wait_for (Counter *c, int n)
{
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  g_mutex_lock (&c->lock);
  while (c->n < n && g_cond_wait_until (&c->cond, &c->lock, end))
    ;
  g_assert_cmpint (c->n, >=, n);
  g_mutex_unlock (&c->lock);
}

/* A guest clock's timer does not fire while the clock stands, and does once it runs. */
static void
test_guest_clock (void)
{
  VtClock   *clock = vt_clock_new_guest ();
  VtContext *context = vt_context_new ("test");
  Counter    c = { .n = 0 }, host = { .n = 0 };
  VtTimer   *timer = vt_timer_new (context, clock, count_cb, &c);
  VtTimer   *host_timer = vt_timer_new (context, vt_clock_host (), count_cb, &host);

  vt_context_lock (context);
  vt_timer_arm (timer, VT_NS_PER_MS);
  vt_timer_arm (host_timer, vt_clock_now (vt_clock_host ()) + 20 * VT_NS_PER_MS);
  vt_context_unlock (context);
  wait_for (&host, 1);
  g_assert_cmpint (c.n, ==, 0);
  g_assert_cmpint (vt_clock_now (clock), ==, 0);
  vt_clock_start (clock);
  wait_for (&c, 1);
  g_assert_cmpint (vt_clock_now (clock), >=, VT_NS_PER_MS);
  vt_clock_stop (clock);
  g_assert_cmpint (vt_clock_now (clock), ==, vt_clock_now (clock));
  vt_context_lock (context);
  vt_timer_free (timer);
  vt_timer_free (host_timer);
  vt_context_unlock (context);
  vt_context_free (context);
  vt_clock_free (clock);
}

static void
read_cb (void *data, int fd, unsigned events)
{
  char byte;

  g_assert_cmpint (read (fd, &byte, 1), ==, 1);
  count_cb (data);
}

static void
test_wakeups (void)
{
  VtContext *context = vt_context_new ("test");
  Counter    posts = { .n = 0 }, bytes = { .n = 0 }, kicks = { .n = 0 };
  VtWatch   *watch;
  VtKick    *kick;
  int        fds[2];

  g_assert_cmpint (pipe (fds), ==, 0);
  watch = vt_watch_new (context, fds[0], EPOLLIN, read_cb, &bytes);
  kick = vt_kick_new (context, count_cb, &kicks);
  for (int i = 0; i < 100; i++)
    vt_context_post (context, count_cb, &posts);
  g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
  vt_kick_signal (kick);
  wait_for (&posts, 100);
  wait_for (&bytes, 3);
  wait_for (&kicks, 1);
  vt_context_call (context, count_cb, &posts);
  g_assert_cmpint (posts.n, ==, 101);
  vt_watch_free (watch);
  vt_kick_free (kick);
  vt_context_free (context);
  close (fds[0]);
  close (fds[1]);
}

static void
level_cb (void *data, unsigned n, bool level)
{
  g_string_append_printf (data, "%u%c", n, level ? '+' : '-');
}

static void
test_lines (void)
{
  g_autoptr (GString) log = g_string_new (NULL);
  VtLine *line = vt_line_new (level_cb, log, 3);
  VtLine *a = vt_line_share (line), *b = vt_line_share (a);

  vt_line_set (line, true);
  vt_line_set (line, true);
  vt_line_set (a, true);
  vt_line_set (line, false);
  vt_line_set (b, true);
  vt_line_set (a, false);
  g_assert_cmpstr (log->str, ==, "3+");
  vt_line_set (b, false);
  g_assert_cmpstr (log->str, ==, "3+3-");
  vt_line_pulse (a);
  g_assert_cmpstr (log->str, ==, "3+3-3+3-");
  /* A loaded level is not told again, but the wire knows it. */
  vt_line_import (a, true);
  g_assert_cmpstr (log->str, ==, "3+3-3+3-");
  vt_line_free (a);
  g_assert_cmpstr (log->str, ==, "3+3-3+3-3-");
  vt_line_set (NULL, true);
  g_assert_false (vt_line_level (NULL));
  vt_line_free (b);
  vt_line_free (line);
}

static void
send_cb (void *data, uint64_t address, uint32_t message)
{
  g_string_append_printf (data, "%x:%x ", (unsigned) address, message);
}

static void
test_msi (void)
{
  g_autoptr (GString) log = g_string_new (NULL);
  static const VtMsiSinkOps ops = { .send = send_cb };
  const VtMsiSink           sink = { &ops, log };
  VtMsi                    *msi = vt_msi_new (&sink), *nowhere = vt_msi_new (NULL);

  g_assert_false (vt_msi_send (msi));
  vt_msi_set (msi, 0xfee00000, 0x41, false);
  g_assert_true (vt_msi_send (msi));
  vt_msi_set (msi, 0xfee00000, 0x42, true);
  g_assert_false (vt_msi_send (msi));
  g_assert_cmpstr (log->str, ==, "fee00000:41 ");
  g_assert_cmpint (vt_msi_fd (msi), ==, -1);
  vt_msi_set (nowhere, 1, 1, false);
  g_assert_true (vt_msi_send (nowhere));
  vt_msi_free (msi);
  vt_msi_free (nowhere);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loop/manual-clock", test_manual_clock);
  g_test_add_func ("/loop/guest-clock", test_guest_clock);
  g_test_add_func ("/loop/wakeups", test_wakeups);
  g_test_add_func ("/loop/lines", test_lines);
  g_test_add_func ("/loop/msi", test_msi);
  return g_test_run ();
}
