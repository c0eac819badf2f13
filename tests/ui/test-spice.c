/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The SPICE server with real viewers: picture, damage, size, cursor, input, one
 * viewer after another.
 */
#include <linux/input-event-codes.h>

#include "spice-rig.h"

static void
test_picture (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ .password = "secret" });
  Viewer             *viewer;
  unsigned            copies;

  /* Nobody looks: nothing is copied, and the device needn't look either. */
  rig_damage (rig, 10, 10, 100, 100, 2);
  g_assert_cmpuint (vt_spice_screen_copies (vt_spice_server_screen (server)), ==, 0);
  g_assert_cmpint (vt_console_refresh_interval (rig->console), >, VT_NS_PER_SEC / 60);

  viewer = rig_view (server, "secret");
  wait_for (rig_shown (rig, viewer));
  g_assert_cmpint (vt_console_refresh_interval (rig->console), ==, VT_NS_PER_SEC / 60);
  wait_for (vitrine_spice_server_get_n_clients (server) == 1);

  /* Only what has changed is sent. */
  copies = vt_spice_screen_copies (vt_spice_server_screen (server));
  rig_damage (rig, 123, 45, 67, 89, 3);
  wait_for (rig_shown (rig, viewer));
  g_assert_cmpuint (vt_spice_screen_copies (vt_spice_server_screen (server)), ==, copies + 1);
  wait_for (viewer->dirty_x == 123);
  g_assert_cmpint (viewer->dirty_y, ==, 45);
  g_assert_cmpint (viewer->dirty_width, ==, 67);
  g_assert_cmpint (viewer->dirty_height, ==, 89);

  /* Edges and single pixels. */
  rig_damage (rig, 799, 599, 1, 1, 4);
  rig_damage (rig, 0, 0, 1, 600, 5);
  wait_for (rig_shown (rig, viewer));

  viewer_free (viewer);
  wait_for (vitrine_spice_server_get_n_clients (server) == 0);
  wait_for (vt_console_refresh_interval (rig->console) > VT_NS_PER_SEC / 60);
  rig_end_server (server);
  rig_free (rig);
}

static void
test_size (void)
{
  static const int sizes[][2] = {
    { 1024, 768 }, { 640, 480 }, { 720, 400 }, { 1, 1 }, { 1919, 1079 }, { 320, 200 },
  };
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = rig_view (server, NULL);

  wait_for (rig_shown (rig, viewer));
  for (unsigned i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      rig_set_surface (rig, sizes[i][0], sizes[i][1], i + 10);
      wait_for (rig_shown (rig, viewer));
    }
  /* Faster than anybody can follow; the last one counts. */
  for (int i = 0; i < 50; i++)
    rig_set_surface (rig, 300 + i * 3, 500 - i * 2, (unsigned) i);
  wait_for (rig_shown (rig, viewer));
  /* No picture: black. */
  vt_context_lock (rig->context);
  vt_console_set_surface (rig->console, NULL);
  vt_context_unlock (rig->context);
  {
    g_autofree uint8_t *black = g_malloc0 (640 * 480 * 4);

    wait_for (viewer_shows (viewer, black, 640, 480, 640 * 4));
  }
  rig_set_surface (rig, 640, 480, 99);
  wait_for (rig_shown (rig, viewer));
  viewer_free (viewer);
  rig_end_server (server);
  rig_free (rig);
}

static void
test_cursor (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = rig_view (server, NULL);
  uint32_t            argb[12 * 20];
  VtCursor            cursor = { .width = 12, .height = 20, .hot_x = 3, .hot_y = 4, .argb = argb };

  for (unsigned i = 0; i < G_N_ELEMENTS (argb); i++)
    argb[i] = 0xff000000u | i * 1234567u;
  wait_for (rig_shown (rig, viewer) && viewer->cursor);

  vt_context_lock (rig->context);
  vt_console_set_cursor (rig->console, &cursor);
  vt_context_unlock (rig->context);
  wait_for (viewer->cursor_pixels);
  g_assert_cmpint (viewer->cursor_width, ==, 12);
  g_assert_cmpint (viewer->cursor_height, ==, 20);
  for (unsigned i = 0; i < G_N_ELEMENTS (argb); i++)
    {
      const uint8_t *rgba = (const uint8_t *) &viewer->cursor_pixels[i];

      g_assert_cmphex ((uint32_t) rgba[3] << 24 | (uint32_t) rgba[0] << 16 | (uint32_t) rgba[1] << 8
                           | rgba[2],
                       ==, argb[i]);
    }
  vt_context_lock (rig->context);
  vt_console_move_cursor (rig->console, 77, 88);
  vt_context_unlock (rig->context);
  wait_for (viewer->cursor_x == 77 && viewer->cursor_y == 88);
  vt_context_lock (rig->context);
  vt_console_set_cursor (rig->console, NULL);
  vt_context_unlock (rig->context);
  wait_for (!viewer->cursor_pixels);
  viewer_free (viewer);
  rig_end_server (server);
  rig_free (rig);
}

static void
test_keyboard (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = rig_view (server, NULL);

  wait_for (rig_shown (rig, viewer) && viewer->inputs_open);
  spice_inputs_channel_key_press (viewer->inputs, 0x1e);
  wait_for (rig_logged (rig, "k30+"));
  spice_inputs_channel_key_release (viewer->inputs, 0x1e);
  wait_for (rig_logged (rig, "k30+ k30-"));
  /* Prefixed: Right, 0xe04d, is 0x14d to the client library. */
  spice_inputs_channel_key_press_and_release (viewer->inputs, 0x14d);
  wait_for (rig_logged (rig, "k106+ k106-"));

  /* LEDs that the guest sets reach the viewer. */
  vt_context_lock (rig->context);
  vt_input_port_set_leds (rig->keyboard, VT_LED_CAPS | VT_LED_NUM);
  vt_context_unlock (rig->context);
  wait_for (viewer->locks == (SPICE_INPUTS_CAPS_LOCK | SPICE_INPUTS_NUM_LOCK));

  /* What a viewer holds when it goes is released, and nothing that others hold. */
  rig_clear_log (rig);
  vt_input_key (rig->input, KEY_LEFTSHIFT, true);
  spice_inputs_channel_key_press (viewer->inputs, 0x1d);
  wait_for (rig_logged (rig, "k29+"));
  viewer_free (viewer);
  wait_for (rig_logged (rig, "k29-"));
  wait_for (vitrine_spice_server_get_n_clients (server) == 0);
  g_assert_false (rig_logged (rig, "k42-"));
  vt_input_key (rig->input, KEY_LEFTSHIFT, false);
  rig_end_server (server);
  rig_free (rig);
}

static void
test_pointer (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = rig_view (server, NULL);

  /* A mouse: movements. */
  wait_for (rig_shown (rig, viewer) && viewer->inputs_open);
  wait_for (viewer->mouse_mode == SPICE_MOUSE_MODE_SERVER);
  spice_inputs_channel_motion (viewer->inputs, 5, -7, 0);
  wait_for (rig_logged (rig, "m5,-7"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_LEFT,
                                     SPICE_MOUSE_BUTTON_MASK_LEFT);
  wait_for (rig_logged (rig, "b0+"));
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_LEFT, 0);
  wait_for (rig_logged (rig, "b0-"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_MIDDLE,
                                     SPICE_MOUSE_BUTTON_MASK_MIDDLE);
  wait_for (rig_logged (rig, "b2+"));
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_MIDDLE, 0);
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_RIGHT,
                                     SPICE_MOUSE_BUTTON_MASK_RIGHT);
  wait_for (rig_logged (rig, "b1+"));
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_RIGHT, 0);
  wait_for (rig_logged (rig, "b1-"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_UP, 0);
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_UP, 0);
  wait_for (rig_logged (rig, "w0,1"));

  /* A tablet appears: positions, over the whole screen whatever its size. */
  rig_add_tablet (rig);
  wait_for (viewer->mouse_mode == SPICE_MOUSE_MODE_CLIENT);
  rig_clear_log (rig);
  spice_inputs_channel_position (viewer->inputs, 799, 599, 0, 0);
  wait_for (rig_logged (rig, "p32767,32767"));
  spice_inputs_channel_position (viewer->inputs, 0, 0, 0, 0);
  wait_for (rig_logged (rig, "p0,0"));
  rig_set_surface (rig, 400, 300, 9);
  wait_for (rig_shown (rig, viewer));
  rig_clear_log (rig);
  spice_inputs_channel_position (viewer->inputs, 399, 299, 0, 0);
  wait_for (rig_logged (rig, "p32767,32767"));
  /* Beyond the screen. */
  rig_clear_log (rig);
  spice_inputs_channel_position (viewer->inputs, 100000, -5, 0, 0);
  wait_for (rig_logged (rig, "p32767,"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_RIGHT,
                                     SPICE_MOUSE_BUTTON_MASK_RIGHT);
  wait_for (rig_logged (rig, "b1+"));
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_RIGHT, 0);
  wait_for (rig_logged (rig, "b1-"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_DOWN, 0);
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_DOWN, 0);
  wait_for (rig_logged (rig, "w0,-1"));

  /* And goes again, while the viewer still sends positions. */
  rig_remove_tablet (rig);
  for (int i = 0; i < 200; i++)
    spice_inputs_channel_position (viewer->inputs, i, i, 0, 0);
  wait_for (viewer->mouse_mode == SPICE_MOUSE_MODE_SERVER);
  rig_clear_log (rig);
  spice_inputs_channel_motion (viewer->inputs, 3, 4, 0);
  wait_for (rig_logged (rig, "m3,4"));
  viewer_free (viewer);
  rig_end_server (server);
  rig_free (rig);
}

static void
test_newest (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *first = rig_view (server, NULL), *second;

  wait_for (rig_shown (rig, first) && first->inputs_open);
  spice_inputs_channel_key_press (first->inputs, 0x1e);
  wait_for (rig_logged (rig, "k30+"));
  second = rig_view (server, NULL);
  wait_for (rig_shown (rig, second) && second->inputs_open);
  wait_for (first->closed);
  wait_for (rig_logged (rig, "k30-"));
  wait_for (vitrine_spice_server_get_n_clients (server) == 1);
  rig_damage (rig, 5, 5, 300, 300, 42);
  wait_for (rig_shown (rig, second));
  spice_inputs_channel_key_press_and_release (second->inputs, 0x30);
  wait_for (rig_logged (rig, "k48+ k48-"));
  viewer_free (first);
  viewer_free (second);
  rig_end_server (server);
  rig_free (rig);
}

static unsigned
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  unsigned n = 0;

  while (g_dir_read_name (dir))
    n++;
  return n;
}

static void
test_cycles (void)
{
  Rig     *rig = rig_new ();
  unsigned fds = 0;

  /* Twenty viewers of one server, and as many servers on one port. */
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ 0 });
  guint16             port = vitrine_spice_server_get_port (server);

  for (int i = 0; i < 20; i++)
    {
      Viewer *viewer = rig_view (server, NULL);

      wait_for (rig_shown (rig, viewer));
      rig_damage (rig, i, i, 40, 40, (unsigned) i);
      wait_for (rig_shown (rig, viewer));
      viewer_free (viewer);
      wait_for (vitrine_spice_server_get_n_clients (server) == 0);
      if (i == 4)
        {
          wait_ms (100);
          fds = count_fds ();
        }
    }
  wait_for (count_fds () <= fds);
  rig_end_server (server);
  for (int i = 0; i < 20; i++)
    {
      Viewer *viewer;

      server = rig_serve (rig, &(VitrineSpiceOptions){ .port = port });
      viewer = rig_view (server, NULL);
      wait_for (rig_shown (rig, viewer));
      /* With the viewer still there. */
      rig_end_server (server);
      wait_for (viewer->closed);
      viewer_free (viewer);
    }
  wait_for (count_fds () <= fds);
  rig_free (rig);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/spice/picture", test_picture);
  g_test_add_func ("/spice/size", test_size);
  g_test_add_func ("/spice/cursor", test_cursor);
  g_test_add_func ("/spice/keyboard", test_keyboard);
  g_test_add_func ("/spice/pointer", test_pointer);
  g_test_add_func ("/spice/newest", test_newest);
  g_test_add_func ("/spice/cycles", test_cycles);
  return g_test_run ();
}
