/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keyboard controller with its keyboard and mouse.
 */
#include <linux/input-event-codes.h>

#include "bench.h"
#include "platform/i8042.h"

typedef struct
{
  Bench     bench;
  BenchWire irq1, irq12, a20, reset;
  VtInput  *input;
} Kbc;

static VtI8042 *
kbc_of (Kbc *k)
{
  return (VtI8042 *) k->bench.dev;
}

static void
kbc_init (Kbc *k)
{
  bench_init (&k->bench, &vt_i8042_class);
  kbc_of (k)->irq1 = bench_wire_init (&k->irq1);
  kbc_of (k)->irq12 = bench_wire_init (&k->irq12);
  kbc_of (k)->a20 = bench_wire_init (&k->a20);
  kbc_of (k)->reset = bench_wire_init (&k->reset);
  kbc_of (k)->input = k->input = vt_input_new ();
  bench_start (&k->bench);
}

static void
kbc_finish (Kbc *k)
{
  bench_finish (&k->bench);
  vt_input_free (k->input);
  vt_line_free (k->irq1.line);
  vt_line_free (k->irq12.line);
  vt_line_free (k->a20.line);
  vt_line_free (k->reset.line);
}

static uint8_t
status (Kbc *k)
{
  return (uint8_t) vt_region_read (vt_device_region (k->bench.dev, 1), 0, 1);
}

static void
command (Kbc *k, uint8_t v)
{
  vt_region_write (vt_device_region (k->bench.dev, 1), 0, 1, v);
}

static void
data (Kbc *k, uint8_t v)
{
  bench_out (&k->bench, 0, v);
}

static uint8_t
get (Kbc *k)
{
  return bench_in (&k->bench, 0);
}

/* Everything that there is to read must be @hex. */
static void
expect (Kbc *k, const char *hex)
{
  g_autoptr (GString) got = g_string_new (NULL);

  vt_context_dispatch (k->bench.context);
  while ((status (k) & 1) != 0 && got->len < 1000)
    g_string_append_printf (got, "%s%02x", got->len > 0 ? " " : "", get (k));
  g_assert_cmpstr (got->str, ==, hex);
}

static void
mouse (Kbc *k, uint8_t v)
{
  command (k, 0xd4);
  data (k, v);
}

static void
press (Kbc *k, unsigned code)
{
  vt_input_key (k->input, code, true);
}

static void
release (Kbc *k, unsigned code)
{
  vt_input_key (k->input, code, false);
}

static void
test_controller (void)
{
  Kbc k;

  kbc_init (&k);
  g_assert_cmphex (status (&k), ==, 0x18);
  g_assert_true (k.a20.level);
  command (&k, 0xaa);
  g_assert_cmphex (status (&k), ==, 0x1d);
  expect (&k, "55");
  command (&k, 0xab);
  expect (&k, "00");
  command (&k, 0xa9);
  expect (&k, "00");
  command (&k, 0x20);
  expect (&k, "03");
  command (&k, 0x60);
  data (&k, 0x47);
  g_assert_cmphex (status (&k), ==, 0x14);
  command (&k, 0x20);
  expect (&k, "47");
  command (&k, 0xa7);
  command (&k, 0xad);
  command (&k, 0x20);
  expect (&k, "77");
  command (&k, 0xa8);
  command (&k, 0xae);
  command (&k, 0x20);
  expect (&k, "47");
  /* The rest of its memory. */
  command (&k, 0x7f);
  data (&k, 0x5a);
  command (&k, 0x3f);
  expect (&k, "5a");
  /* Echoes for the driver's probe: the second is the mouse's. */
  command (&k, 0xd2);
  data (&k, 0xa5);
  g_assert_cmphex (status (&k) & 0x21, ==, 0x01);
  expect (&k, "a5");
  command (&k, 0xd3);
  data (&k, 0x5a);
  g_assert_cmphex (status (&k) & 0x21, ==, 0x21);
  expect (&k, "5a");
  kbc_finish (&k);
}

static void
test_lines (void)
{
  Kbc k;

  kbc_init (&k);
  command (&k, 0xd1);
  data (&k, 0xcd);
  g_assert_false (k.a20.level);
  command (&k, 0xd0);
  expect (&k, "cd");
  command (&k, 0xdf);
  g_assert_true (k.a20.level);
  command (&k, 0xdd);
  g_assert_false (k.a20.level);
  g_assert_cmpuint (k.reset.rises, ==, 0);
  command (&k, 0xff);
  command (&k, 0xf1);
  g_assert_cmpuint (k.reset.rises, ==, 0);
  command (&k, 0xfe);
  g_assert_cmpuint (k.reset.rises, ==, 1);
  g_assert_false (k.reset.level);
  command (&k, 0xd1);
  data (&k, 0x02);
  g_assert_cmpuint (k.reset.rises, ==, 2);
  vt_device_reset (k.bench.dev, VT_RESET_WARM);
  g_assert_true (k.a20.level);
  kbc_finish (&k);
}

static void
test_interrupts (void)
{
  Kbc k;

  kbc_init (&k);
  press (&k, KEY_A);
  press (&k, KEY_B);
  vt_context_dispatch (k.bench.context);
  g_assert_cmpuint (k.irq1.rises, ==, 1);
  /* Each byte is an edge of its own. */
  g_assert_cmphex (get (&k), ==, 0x1c);
  g_assert_cmpuint (k.irq1.rises, ==, 2);
  g_assert_cmphex (get (&k), ==, 0x32);
  g_assert_false (k.irq1.level);
  /* An empty buffer repeats its byte. */
  g_assert_cmphex (get (&k), ==, 0x32);
  mouse (&k, 0xf2);
  g_assert_true (k.irq12.level);
  g_assert_cmpuint (k.irq1.rises, ==, 2);
  expect (&k, "fa 00");
  /* Masked by the command byte. */
  command (&k, 0x60);
  data (&k, 0x00);
  press (&k, KEY_C);
  vt_context_dispatch (k.bench.context);
  g_assert_false (k.irq1.level);
  command (&k, 0x60);
  data (&k, 0x01);
  g_assert_true (k.irq1.level);
  expect (&k, "21");
  /* With its clock off the keyboard keeps what it has. */
  command (&k, 0xad);
  release (&k, KEY_C);
  expect (&k, "");
  command (&k, 0xae);
  expect (&k, "f0 21");
  kbc_finish (&k);
}

static void
test_keyboard_commands (void)
{
  Kbc k;

  kbc_init (&k);
  data (&k, 0xff);
  expect (&k, "fa aa");
  data (&k, 0xf2);
  expect (&k, "fa ab 83");
  data (&k, 0xee);
  expect (&k, "ee");
  data (&k, 0xed);
  data (&k, 0x06);
  expect (&k, "fa fa");
  g_assert_cmpint (vt_input_leds (k.input), ==, VT_LED_NUM | VT_LED_CAPS);
  data (&k, 0xf3);
  data (&k, 0x00);
  data (&k, 0xf0);
  data (&k, 0x00);
  expect (&k, "fa fa fa fa 02");
  data (&k, 0xf0);
  data (&k, 0x07);
  data (&k, 0xfe);
  data (&k, 0x01);
  expect (&k, "fa fe fe fe");
  /* A command in place of a parameter. */
  data (&k, 0xed);
  data (&k, 0xf2);
  expect (&k, "fa fa ab 83");
  data (&k, 0xf5);
  expect (&k, "fa");
  press (&k, KEY_A);
  expect (&k, "");
  data (&k, 0xf4);
  expect (&k, "fa");
  press (&k, KEY_B);
  expect (&k, "32");
  /* Set 3's behaviour lists. */
  data (&k, 0xfb);
  data (&k, 0x1c);
  data (&k, 0x1b);
  expect (&k, "fa fa fa");
  data (&k, 0xf4);
  expect (&k, "fa");
  vt_device_reset (k.bench.dev, VT_RESET_WARM);
  g_assert_cmpint (vt_input_leds (k.input), ==, 0);
  kbc_finish (&k);
}

static void
test_scancodes (void)
{
  Kbc k;

  kbc_init (&k);
  press (&k, KEY_LEFTSHIFT);
  release (&k, KEY_LEFTSHIFT);
  press (&k, KEY_F7);
  press (&k, KEY_RIGHTCTRL);
  release (&k, KEY_RIGHTCTRL);
  expect (&k, "12 f0 12 83 e0 14 e0 f0 14");
  press (&k, KEY_PAUSE);
  release (&k, KEY_PAUSE);
  expect (&k, "e1 14 77 e1 f0 14 f0 77");
  press (&k, KEY_SYSRQ);
  release (&k, KEY_SYSRQ);
  expect (&k, "e0 12 e0 7c e0 f0 7c e0 f0 12");
  press (&k, KEY_LEFTALT);
  press (&k, KEY_SYSRQ);
  release (&k, KEY_SYSRQ);
  release (&k, KEY_LEFTALT);
  expect (&k, "11 84 f0 84 f0 11");
  press (&k, KEY_LEFTCTRL);
  press (&k, KEY_PAUSE);
  release (&k, KEY_PAUSE);
  release (&k, KEY_LEFTCTRL);
  expect (&k, "14 e0 7e e0 f0 7e f0 14");
  /* Repeats are passed on, releases of what is up are not. */
  press (&k, KEY_A);
  press (&k, KEY_A);
  release (&k, KEY_A);
  release (&k, KEY_A);
  expect (&k, "1c 1c f0 1c");
  /* Set 1, from the keyboard itself. */
  data (&k, 0xf0);
  data (&k, 0x01);
  expect (&k, "fa fa");
  press (&k, KEY_A);
  release (&k, KEY_A);
  press (&k, KEY_PAUSE);
  press (&k, KEY_UP);
  release (&k, KEY_UP);
  expect (&k, "1e 9e e1 1d 45 e1 9d c5 e0 48 e0 c8");
  data (&k, 0xf0);
  data (&k, 0x03);
  expect (&k, "fa fa");
  press (&k, KEY_ENTER);
  release (&k, KEY_ENTER);
  press (&k, KEY_KPENTER);
  expect (&k, "5a f0 5a 79");
  kbc_finish (&k);
}

static void
test_translation (void)
{
  Kbc k;

  kbc_init (&k);
  command (&k, 0x60);
  data (&k, 0x43);
  /* Through set 2 and the controller's table every key of the layout is back in set 1. */
  for (unsigned code = 1; code < 256; code++)
    {
      uint8_t          scancode;
      bool             e0;
      g_autofree char *expected = NULL;

      if (!vt_input_code_to_set1 (code, &scancode, &e0) || code == KEY_PAUSE ||
          code == KEY_SYSRQ || code == KEY_HANGEUL || code == KEY_HANJA)
        continue;
      press (&k, code);
      release (&k, code);
      expected = g_strdup_printf (e0 ? "e0 %02x e0 %02x" : "%02x %02x", scancode, scancode | 0x80);
      expect (&k, expected);
    }
  press (&k, KEY_PAUSE);
  expect (&k, "e1 1d 45 e1 9d c5");
  press (&k, KEY_SYSRQ);
  release (&k, KEY_SYSRQ);
  expect (&k, "e0 2a e0 37 e0 b7 e0 aa");
  press (&k, KEY_HANGEUL);
  release (&k, KEY_HANGEUL);
  expect (&k, "f2");
  data (&k, 0xf2);
  expect (&k, "fa ab 41");
  kbc_finish (&k);
}

static void
test_full_queue (void)
{
  Kbc      k;
  unsigned n = 0, overruns = 0;
  bool     down = false;

  kbc_init (&k);
  press (&k, KEY_LEFTSHIFT);
  for (unsigned i = 0; i < 2000; i++)
    {
      press (&k, KEY_UP);
      release (&k, KEY_UP);
      vt_context_dispatch (k.bench.context);
    }
  release (&k, KEY_LEFTSHIFT);
  vt_context_dispatch (k.bench.context);
  while ((status (&k) & 1) != 0)
    {
      uint8_t v = get (&k);

      n++;
      overruns += v == 0x00;
      if (v == 0x12)
        down = !down;
    }
  g_assert_cmpuint (n, <, 300);
  g_assert_cmpuint (overruns, ==, 1);
  /* However much was lost, Shift is not left hanging. */
  g_assert_false (down);
  for (unsigned i = 0; i < 32; i++)
    g_assert_cmphex (kbc_of (&k)->s.keyboard.down[i], ==, 0);
  kbc_finish (&k);
}

static void
test_mouse_commands (void)
{
  Kbc k;

  kbc_init (&k);
  mouse (&k, 0xff);
  expect (&k, "fa aa 00");
  mouse (&k, 0xe9);
  expect (&k, "fa 00 02 64");
  mouse (&k, 0xe8);
  mouse (&k, 0x03);
  mouse (&k, 0xf3);
  mouse (&k, 0x28);
  mouse (&k, 0xe7);
  mouse (&k, 0xf4);
  expect (&k, "fa fa fa fa fa fa");
  vt_input_button (k.input, VT_BUTTON_RIGHT, true);
  expect (&k, "0a 00 00");
  mouse (&k, 0xe9);
  expect (&k, "fa 31 03 28");
  vt_input_button (k.input, VT_BUTTON_RIGHT, false);
  expect (&k, "08 00 00");
  mouse (&k, 0xf6);
  mouse (&k, 0xe9);
  expect (&k, "fa fa 00 02 64");
  /* Wrap gives back all but its end. */
  mouse (&k, 0xee);
  mouse (&k, 0xf2);
  mouse (&k, 0x12);
  mouse (&k, 0xec);
  mouse (&k, 0xf2);
  expect (&k, "fa f2 12 fa fa 00");
  /* Remote mode: packets on demand. */
  mouse (&k, 0xf0);
  mouse (&k, 0xf4);
  expect (&k, "fa fa");
  vt_input_motion (k.input, 5, 3);
  vt_input_sync (k.input);
  expect (&k, "");
  mouse (&k, 0xeb);
  expect (&k, "fa 28 05 fd");
  mouse (&k, 0x77);
  expect (&k, "fe");
  kbc_finish (&k);
}

static void
test_mouse_packets (void)
{
  Kbc k;

  kbc_init (&k);
  vt_input_motion (k.input, 5, 3);
  vt_input_sync (k.input);
  expect (&k, ""); /* Not enabled yet. */
  mouse (&k, 0xf4);
  expect (&k, "fa");
  vt_input_motion (k.input, 5, -3);
  vt_input_sync (k.input);
  expect (&k, "08 05 03");
  vt_input_motion (k.input, -1, 2);
  vt_input_button (k.input, VT_BUTTON_LEFT, true);
  vt_input_button (k.input, VT_BUTTON_LEFT, false);
  vt_input_button (k.input, VT_BUTTON_MIDDLE, true);
  vt_input_sync (k.input);
  expect (&k, "39 ff fe 08 00 00 0c 00 00");
  /* Large steps in several packets, and no overflow. */
  vt_input_motion (k.input, 600, -300);
  vt_input_sync (k.input);
  expect (&k, "0c ff ff 0c ff 2d 0c 5a 00");
  /* The wheel is not there before the driver knocks. */
  vt_input_wheel (k.input, 0, 1);
  vt_input_sync (k.input);
  expect (&k, "");
  for (unsigned i = 0; i < 3; i++)
    {
      mouse (&k, 0xf3);
      mouse (&k, (const uint8_t[]){ 200, 100, 80 }[i]);
    }
  mouse (&k, 0xf2);
  expect (&k, "fa fa fa fa fa fa fa 03");
  vt_input_wheel (k.input, 0, 1);
  vt_input_sync (k.input);
  expect (&k, "0c 00 00 ff");
  /* The extra buttons need a second knock. */
  vt_input_button (k.input, VT_BUTTON_SIDE, true);
  vt_input_sync (k.input);
  expect (&k, "");
  for (unsigned i = 0; i < 3; i++)
    {
      mouse (&k, 0xf3);
      mouse (&k, (const uint8_t[]){ 200, 200, 80 }[i]);
    }
  mouse (&k, 0xf2);
  expect (&k, "fa fa fa fa fa fa fa 04");
  vt_input_wheel (k.input, 0, -2);
  vt_input_button (k.input, VT_BUTTON_EXTRA, true);
  vt_input_sync (k.input);
  expect (&k, "0c 00 00 32");
  kbc_finish (&k);
}

static void
test_slow_guest (void)
{
  Kbc      k;
  int      x = 0;
  unsigned packets = 0;

  kbc_init (&k);
  mouse (&k, 0xf4);
  expect (&k, "fa");
  for (unsigned i = 0; i < 10000; i++)
    {
      vt_input_motion (k.input, 1, 0);
      vt_input_sync (k.input);
      if (i % 100 == 0)
        vt_context_dispatch (k.bench.context);
    }
  vt_context_dispatch (k.bench.context);
  while ((status (&k) & 1) != 0)
    {
      g_assert_cmphex (get (&k), ==, 0x08);
      x += get (&k);
      g_assert_cmphex (get (&k), ==, 0);
      packets++;
    }
  /* Nothing of the way is lost, and it took few steps. */
  g_assert_cmpint (x, ==, 10000);
  g_assert_cmpuint (packets, <, 60);
  kbc_finish (&k);
}

static void
test_hostile (void)
{
  Kbc      k;
  uint32_t seed = 1;

  kbc_init (&k);
  for (unsigned i = 0; i < 200000; i++)
    {
      seed = seed * 1664525 + 1013904223;
      if ((seed & 0x01000000) != 0)
        command (&k, (uint8_t) (seed >> 8));
      else
        data (&k, (uint8_t) (seed >> 8));
      if ((seed & 0x06000000) == 0)
        get (&k);
    }
  g_assert_true (vt_i8042_class.state->check (&kbc_of (&k)->s, NULL));
  kbc_finish (&k);
}

static void
test_state (void)
{
  Kbc a, b;

  kbc_init (&a);
  kbc_init (&b);
  press (&a, KEY_LEFTSHIFT);
  vt_context_dispatch (a.bench.context);
  get (&a);
  command (&a, 0x60);
  data (&a, 0x43);
  press (&a, KEY_A);
  vt_context_dispatch (a.bench.context);
  bench_move (&a.bench, &b.bench);
  g_assert_cmpuint (b.irq1.rises, ==, 0);
  vt_device_resume (b.bench.dev);
  /* Nobody holds these keys here: their releases follow. */
  expect (&b, "1e 9e aa");
  g_assert_cmphex (kbc_of (&b)->s.keyboard.down[KEY_LEFTSHIFT / 8], ==, 0);

  /* While paused keys change nothing, and what was let go is up afterwards. */
  expect (&a, "1e");
  vt_device_pause (a.bench.dev, NULL, NULL);
  release (&a, KEY_A);
  press (&a, KEY_B);
  expect (&a, "");
  vt_device_resume (a.bench.dev);
  expect (&a, "9e");
  kbc_finish (&a);
  kbc_finish (&b);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/i8042/controller", test_controller);
  g_test_add_func ("/i8042/lines", test_lines);
  g_test_add_func ("/i8042/interrupts", test_interrupts);
  g_test_add_func ("/i8042/keyboard-commands", test_keyboard_commands);
  g_test_add_func ("/i8042/scancodes", test_scancodes);
  g_test_add_func ("/i8042/translation", test_translation);
  g_test_add_func ("/i8042/full-queue", test_full_queue);
  g_test_add_func ("/i8042/mouse-commands", test_mouse_commands);
  g_test_add_func ("/i8042/mouse-packets", test_mouse_packets);
  g_test_add_func ("/i8042/slow-guest", test_slow_guest);
  g_test_add_func ("/i8042/hostile", test_hostile);
  g_test_add_func ("/i8042/state", test_state);
  return g_test_run ();
}
