/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The input hub: who gets what, bounded queues, nothing left pressed.
 */
#include <linux/input-event-codes.h>

#include "vt-input.h"

/* A device that writes down what it is told. */
typedef struct
{
  VtContext   *context;
  VtInputPort *port;
  GString     *log;
  unsigned     events;
} Sink;

static void
key_cb (void *data, unsigned code, bool down)
{
  Sink *s = data;

  s->events++;
  g_string_append_printf (s->log, "%c%u ", down ? '+' : '-', code);
}

static void
motion_cb (void *data, int dx, int dy)
{
  g_string_append_printf (((Sink *) data)->log, "m%d,%d ", dx, dy);
}

static void
position_cb (void *data, uint16_t x, uint16_t y)
{
  g_string_append_printf (((Sink *) data)->log, "p%u,%u ", x, y);
}

static void
wheel_cb (void *data, int dx, int dy)
{
  g_string_append_printf (((Sink *) data)->log, "w%d,%d ", dx, dy);
}

static void
button_cb (void *data, VtButton button, bool down)
{
  g_string_append_printf (((Sink *) data)->log, "%cb%d ", down ? '+' : '-', (int) button);
}

static void
sync_cb (void *data)
{
  g_string_append (((Sink *) data)->log, "s ");
}

static const VtInputOps keyboard = { .key = key_cb, .sync = sync_cb };
static const VtInputOps mouse = {
  .motion = motion_cb,
  .wheel = wheel_cb,
  .button = button_cb,
  .sync = sync_cb,
};
static const VtInputOps tablet = {
  .position = position_cb,
  .wheel = wheel_cb,
  .button = button_cb,
  .sync = sync_cb,
};

static void
sink_init (Sink *s, VtInput *input, const VtInputOps *ops)
{
  s->context = vt_context_new_manual ();
  s->log = g_string_new (NULL);
  s->events = 0;
  s->port = vt_input_port_new (input, s->context, ops, s);
}

static void
sink_finish (Sink *s)
{
  vt_input_port_free (s->port);
  vt_context_dispatch (s->context);
  g_string_free (s->log, TRUE);
  vt_context_free (s->context);
}

static void
expect (Sink *s, const char *log)
{
  vt_context_dispatch (s->context);
  g_assert_cmpstr (s->log->str, ==, log);
  g_string_truncate (s->log, 0);
}

static void
test_order (void)
{
  VtInput *input = vt_input_new ();
  Sink     ps2, usb;

  /* Nobody is there: nothing happens. */
  vt_input_key (input, KEY_A, true);
  vt_input_sync (input);
  sink_init (&ps2, input, &keyboard);
  sink_init (&usb, input, &keyboard);
  vt_input_key (input, KEY_B, true);
  vt_input_sync (input);
  expect (&ps2, "+48 s ");
  expect (&usb, "");
  /* The release goes to who had the press. */
  vt_input_port_activate (usb.port);
  vt_input_key (input, KEY_B, false);
  vt_input_key (input, KEY_C, true);
  vt_input_key (input, KEY_C, true);
  vt_input_sync (input);
  expect (&ps2, "-48 s ");
  expect (&usb, "+46 +46 s ");
  /* A release without a press is nobody's. */
  vt_input_key (input, KEY_D, false);
  vt_input_key (input, 0, true);
  vt_input_key (input, 256, true);
  vt_input_key (input, UINT_MAX, true);
  vt_input_button (input, (VtButton) 77, true);
  expect (&ps2, "");
  expect (&usb, "");
  /* A device that leaves takes its presses with it. */
  vt_input_port_free (usb.port);
  usb.port = NULL;
  vt_input_key (input, KEY_C, false);
  vt_input_key (input, KEY_C, true);
  vt_input_sync (input);
  expect (&ps2, "+46 s ");
  sink_finish (&ps2);
  sink_finish (&usb);
  vt_input_free (input);
}

static void
test_pointers (void)
{
  VtInput *input = vt_input_new ();
  Sink     rel, abs;

  sink_init (&rel, input, &mouse);
  sink_init (&abs, input, &tablet);
  g_assert_false (vt_input_is_absolute (input));
  vt_input_motion (input, 3, -4);
  vt_input_motion (input, 1, 1);
  vt_input_button (input, VT_BUTTON_LEFT, true);
  vt_input_motion (input, 1, 1);
  vt_input_sync (input);
  vt_input_sync (input);
  expect (&rel, "m4,-3 +b0 m1,1 s ");
  vt_input_port_activate (abs.port);
  g_assert_true (vt_input_is_absolute (input));
  vt_input_position (input, 1, 2);
  vt_input_position (input, 40000, 65535);
  vt_input_button (input, VT_BUTTON_LEFT, false);
  vt_input_button (input, VT_BUTTON_RIGHT, true);
  vt_input_wheel (input, 0, 1);
  vt_input_wheel (input, 1, 1);
  vt_input_wheel (input, 0, 0);
  vt_input_sync (input);
  expect (&rel, "-b0 s ");
  expect (&abs, "p32767,32767 +b1 w1,2 s ");
  vt_input_motion (input, INT_MAX, INT_MIN);
  vt_input_motion (input, INT_MAX, INT_MIN);
  vt_input_sync (input);
  expect (&rel, "m2147483647,-2147483648 s ");
  sink_finish (&rel);
  sink_finish (&abs);
  vt_input_free (input);
}

static void
test_bounded (void)
{
  VtInput *input = vt_input_new ();
  Sink     s;
  unsigned down = 0;

  sink_init (&s, input, &keyboard);
  /* The device does not come round to it. */
  for (unsigned i = 0; i < 100000; i++)
    {
      vt_input_key (input, 1 + i % 100, i % 3 != 0);
      vt_input_sync (input);
    }
  vt_input_release_all (input);
  vt_context_dispatch (s.context);
  g_assert_cmpuint (s.events, >, 500);
  g_assert_cmpuint (s.events, <, 2000);
  /* Whatever was lost, each last word about a key is that it is up. */
  for (unsigned code = 1; code <= 100; code++)
    {
      g_autofree char *plus = g_strdup_printf ("+%u ", code), *minus = g_strdup_printf ("-%u ", code);
      const char      *last_down = g_strrstr (s.log->str, plus);

      if (last_down != NULL)
        {
          down++;
          g_assert_nonnull (strstr (last_down, minus));
        }
    }
  g_assert_cmpuint (down, >, 10);
  g_string_truncate (s.log, 0);
  vt_input_release_all (input);
  expect (&s, "");
  vt_input_key (input, KEY_A, true);
  vt_input_sync (input);
  expect (&s, "+30 s ");
  sink_finish (&s);
  vt_input_free (input);
}

static void
test_release_all (void)
{
  VtInput *input = vt_input_new ();
  Sink     k, m;

  sink_init (&k, input, &keyboard);
  sink_init (&m, input, &mouse);
  vt_input_key (input, KEY_LEFTCTRL, true);
  vt_input_key (input, KEY_LEFTALT, true);
  vt_input_button (input, VT_BUTTON_MIDDLE, true);
  vt_input_release_all (input);
  expect (&k, "+29 +56 -29 -56 s ");
  expect (&m, "+b2 -b2 s ");
  sink_finish (&k);
  sink_finish (&m);
  vt_input_free (input);
}

static void
count_cb (void *data)
{
  ++*(unsigned *) data;
}

static void
test_watch (void)
{
  VtInput      *input = vt_input_new ();
  unsigned      n = 0;
  VtInputWatch *watch = vt_input_watch_new (input, count_cb, &n);
  Sink          a, b, abs;

  sink_init (&a, input, &keyboard);
  sink_init (&b, input, &keyboard);
  g_assert_cmpuint (n, ==, 0);
  vt_input_port_set_leds (a.port, VT_LED_NUM);
  g_assert_cmpuint (n, ==, 1);
  vt_input_port_set_leds (a.port, VT_LED_NUM);
  /* Not the keyboard in front. */
  vt_input_port_set_leds (b.port, VT_LED_CAPS);
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpint (vt_input_leds (input), ==, VT_LED_NUM);
  vt_input_port_activate (b.port);
  g_assert_cmpuint (n, ==, 2);
  g_assert_cmpint (vt_input_leds (input), ==, VT_LED_CAPS);
  sink_init (&abs, input, &tablet);
  g_assert_cmpuint (n, ==, 3);
  vt_input_watch_free (watch);
  vt_input_port_set_leds (b.port, 0);
  g_assert_cmpuint (n, ==, 3);
  sink_finish (&a);
  sink_finish (&b);
  sink_finish (&abs);
  vt_input_free (input);
}

/* Viewers on threads of their own, a device on its context, and a port that goes meanwhile. */
static gpointer
viewer (gpointer data)
{
  VtInput *input = data;

  for (unsigned i = 0; i < 20000; i++)
    {
      vt_input_key (input, KEY_A, i % 2 == 0);
      vt_input_motion (input, 1, 1);
      vt_input_sync (input);
    }
  return NULL;
}

static void
free_port_cb (void *data)
{
  g_clear_pointer (&((Sink *) data)->port, vt_input_port_free);
}

static void
test_threads (void)
{
  VtInput   *input = vt_input_new ();
  VtContext *context = vt_context_new ("input");
  Sink       s = { .context = context, .log = g_string_new (NULL) };
  GThread   *threads[3];

  s.port = vt_input_port_new (input, context, &keyboard, &s);
  for (unsigned i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("viewer", viewer, input);
  g_thread_join (threads[0]);
  vt_context_call (context, free_port_cb, &s);
  for (unsigned i = 1; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (s.events, >, 0);
  vt_context_free (context);
  vt_input_free (input);
  g_string_free (s.log, TRUE);
}

static void
test_scancodes (void)
{
  unsigned n = 0, back = 0;
  uint8_t  scancode;
  bool     e0;

  for (unsigned code = 1; code < 256; code++)
    if (vt_input_code_to_set1 (code, &scancode, &e0))
      {
        g_assert_cmphex (scancode, >, 0);
        g_assert_cmphex (scancode, <, 0x80);
        n++;
        /* Two keys share the code of the grave accent. */
        if (code != KEY_ZENKAKUHANKAKU)
          g_assert_cmpuint (vt_input_code_from_set1 (scancode, e0), ==, code);
      }
  g_assert_cmpuint (n, >=, 105);
  for (unsigned v = 0; v < 256; v++)
    for (unsigned half = 0; half < 2; half++)
      if (vt_input_code_from_set1 ((uint8_t) v, half) != 0)
        back++;
  g_assert_cmpuint (back, >=, n);
  g_assert_cmpuint (vt_input_code_from_set1 (0x1e, false), ==, KEY_A);
  g_assert_cmpuint (vt_input_code_from_set1 (0x48, true), ==, KEY_UP);
  g_assert_cmpuint (vt_input_code_from_set1 (0x48, false), ==, KEY_KP8);
  g_assert_cmpuint (vt_input_code_from_set1 (0x54, false), ==, KEY_SYSRQ);
  g_assert_cmpuint (vt_input_code_from_set1 (0x46, true), ==, KEY_PAUSE);
  g_assert_cmpuint (vt_input_code_from_set1 (0x00, false), ==, 0);
  g_assert_cmpuint (vt_input_code_from_set1 (0x00, true), ==, 0);
  g_assert_cmpuint (vt_input_code_from_set1 (0x9e, false), ==, 0);
  g_assert_false (vt_input_code_to_set1 (0, &scancode, &e0));
  g_assert_false (vt_input_code_to_set1 (1000, &scancode, &e0));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/input/order", test_order);
  g_test_add_func ("/input/pointers", test_pointers);
  g_test_add_func ("/input/bounded", test_bounded);
  g_test_add_func ("/input/release-all", test_release_all);
  g_test_add_func ("/input/watch", test_watch);
  g_test_add_func ("/input/threads", test_threads);
  g_test_add_func ("/input/scancodes", test_scancodes);
  return g_test_run ();
}
