/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The SPICE server with real viewers: picture, damage, size, cursor, input, TLS, passwords, one
 * viewer after another, and that a viewer which has stopped holds nobody up.
 */
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <linux/input-event-codes.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#include "spice-viewer.h"
#include "spice/server.h"

#define DEADLINE (30 * G_USEC_PER_SEC)

/* Waiting -------------------------------------------------------------------------------------- */

static gboolean
wake_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* What is waited for partly happens on other threads: look every few milliseconds. */
static bool
turn (gint64 until)
{
  guint id = g_timeout_add (5, wake_cb, NULL);

  g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
  return g_get_monotonic_time () < until;
}

#define wait_for(condition)                                        \
  G_STMT_START                                                     \
  {                                                                \
    gint64 until_ = g_get_monotonic_time () + DEADLINE;            \
    while (!(condition))                                           \
      if (!turn (until_))                                          \
        g_error ("%s:%d: waited in vain for %s", __FILE__, __LINE__, #condition); \
  }                                                                \
  G_STMT_END

/* Lets the main context run for @ms. */
static void
run_for (int ms)
{
  gint64 until = g_get_monotonic_time () + ms * 1000;

  while (turn (until))
    continue;
}

/* A machine's half ----------------------------------------------------------------------------- */

typedef struct
{
  VtContext  *context; /* The device's. */
  VtConsole  *console;
  VtInput    *input;
  VtSurface  *surface;
  VtInputPort *keyboard, *mouse, *tablet;
  GMutex      lock;
  GString    *log; /* Of what the guest's devices got. */
  int         hint_width, hint_height;

  /* A device that draws 60 times a second. */
  VtTimer *timer;
  unsigned frames;
  int64_t  longest; /* ns in the console's functions. */
  GRand   *rand;
} Rig;

static void
note (Rig *rig, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_mutex_lock (&rig->lock);
  g_string_append_vprintf (rig->log, format, args);
  g_mutex_unlock (&rig->lock);
  va_end (args);
}

static bool
logged (Rig *rig, const char *text)
{
  bool found;

  g_mutex_lock (&rig->lock);
  found = strstr (rig->log->str, text) != NULL;
  g_mutex_unlock (&rig->lock);
  return found;
}

static void
log_clear (Rig *rig)
{
  g_mutex_lock (&rig->lock);
  g_string_truncate (rig->log, 0);
  g_mutex_unlock (&rig->lock);
}

static void
key_cb (void *data, unsigned code, bool down)
{
  note (data, "k%u%c ", code, down ? '+' : '-');
}

static void
motion_cb (void *data, int dx, int dy)
{
  note (data, "m%d,%d ", dx, dy);
}

static void
position_cb (void *data, uint16_t x, uint16_t y)
{
  note (data, "p%u,%u ", x, y);
}

static void
wheel_cb (void *data, int dx, int dy)
{
  note (data, "w%d,%d ", dx, dy);
}

static void
button_cb (void *data, VtButton button, bool down)
{
  note (data, "b%u%c ", button, down ? '+' : '-');
}

static const VtInputOps keyboard_ops = { .key = key_cb };
static const VtInputOps mouse_ops = { .motion = motion_cb, .wheel = wheel_cb, .button = button_cb };
static const VtInputOps tablet_ops = { .position = position_cb,
                                       .wheel = wheel_cb,
                                       .button = button_cb };

static void
hint_cb (void *data, const VtConsoleHint *hint)
{
  Rig *rig = data;

  g_atomic_int_set (&rig->hint_width, hint->width);
  g_atomic_int_set (&rig->hint_height, hint->height);
}

/* Each pixel tells where it is and which picture it belongs to. */
static void
paint (VtSurface *surface, int x0, int y0, int width, int height, unsigned seed)
{
  for (int y = y0; y < y0 + height; y++)
    for (int x = x0; x < x0 + width; x++)
      {
        uint32_t value = ((uint32_t) x * 2654435761u) ^ ((uint32_t) y * 40503u) ^ (seed * 97u);

        memcpy (surface->data + (size_t) y * (size_t) surface->stride + (size_t) x * 4, &value, 4);
      }
}

static void
rig_set_surface (Rig *rig, int width, int height, unsigned seed)
{
  vt_surface_unref (rig->surface);
  rig->surface = vt_surface_new (width, height);
  paint (rig->surface, 0, 0, width, height, seed);
  vt_context_lock (rig->context);
  vt_console_set_surface (rig->console, rig->surface);
  vt_context_unlock (rig->context);
}

static void
rig_damage (Rig *rig, int x, int y, int width, int height, unsigned seed)
{
  vt_context_lock (rig->context);
  paint (rig->surface, x, y, width, height, seed);
  vt_console_damage (rig->console, x, y, width, height);
  vt_context_unlock (rig->context);
}

static Rig *
rig_new (void)
{
  Rig *rig = g_new0 (Rig, 1);

  g_mutex_init (&rig->lock);
  rig->log = g_string_new (NULL);
  rig->context = vt_context_new ("device");
  rig->console = vt_console_new ("test");
  rig->input = vt_input_new ();
  rig->rand = g_rand_new_with_seed (1);
  vt_context_lock (rig->context);
  vt_console_on_hint (rig->console, rig->context, hint_cb, rig);
  rig->keyboard = vt_input_port_new (rig->input, rig->context, &keyboard_ops, rig);
  rig->mouse = vt_input_port_new (rig->input, rig->context, &mouse_ops, rig);
  vt_context_unlock (rig->context);
  rig_set_surface (rig, 800, 600, 1);
  return rig;
}

static void
rig_free (Rig *rig)
{
  vt_context_lock (rig->context);
  vt_timer_free (rig->timer);
  if (rig->tablet)
    vt_input_port_free (rig->tablet);
  vt_input_port_free (rig->keyboard);
  vt_input_port_free (rig->mouse);
  vt_console_free (rig->console);
  vt_context_unlock (rig->context);
  vt_context_free (rig->context);
  vt_input_free (rig->input);
  vt_surface_unref (rig->surface);
  g_string_free (rig->log, TRUE);
  g_rand_free (rig->rand);
  g_free (rig);
}

static bool
shown (Rig *rig, const Viewer *viewer)
{
  return viewer_shows (viewer, rig->surface->data, rig->surface->width, rig->surface->height,
                       rig->surface->stride);
}

static VitrineSpiceServer *
serve (Rig *rig, const VitrineSpiceOptions *options)
{
  g_autoptr (GError) error = NULL;
  VitrineSpiceServer *server =
      vt_spice_server_new (rig->console, rig->input, "Test", NULL, options, &error);

  g_assert_no_error (error);
  return server;
}

static void
gone_cb (void *data)
{
  g_atomic_int_set ((gint *) data, gettid ());
}

static bool
thread_lives (gint tid)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%d", tid);

  return access (path, F_OK) == 0;
}

/* Stops and waits for the thread's end, so that nothing of a test reaches into the next. */
static void
finish (VitrineSpiceServer *server)
{
  gint gone = 0;

  vt_spice_server_on_gone (server, gone_cb, &gone);
  vt_spice_server_stop (server);
  g_object_unref (server);
  wait_for (g_atomic_int_get (&gone) && !thread_lives (gone));
}

static Viewer *
view (VitrineSpiceServer *server, const char *password)
{
  const ViewerOptions options = {
    .host = "127.0.0.1",
    .port = vitrine_spice_server_get_port (server),
    .password = password,
  };

  return viewer_new (&options);
}

/* Tests ---------------------------------------------------------------------------------------- */

static void
test_picture (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ .password = "secret" });
  Viewer             *viewer;
  unsigned            copies;

  /* Nobody looks: nothing is copied, and the device needn't look either. */
  rig_damage (rig, 10, 10, 100, 100, 2);
  g_assert_cmpuint (vt_spice_screen_copies (vt_spice_server_screen (server)), ==, 0);
  g_assert_cmpint (vt_console_refresh_interval (rig->console), >, VT_NS_PER_SEC / 60);

  viewer = view (server, "secret");
  wait_for (shown (rig, viewer));
  g_assert_cmpint (vt_console_refresh_interval (rig->console), ==, VT_NS_PER_SEC / 60);
  wait_for (vitrine_spice_server_get_n_clients (server) == 1);

  /* Only what has changed is sent. */
  copies = vt_spice_screen_copies (vt_spice_server_screen (server));
  rig_damage (rig, 123, 45, 67, 89, 3);
  wait_for (shown (rig, viewer));
  g_assert_cmpuint (vt_spice_screen_copies (vt_spice_server_screen (server)), ==, copies + 1);
  wait_for (viewer->dirty_x == 123);
  g_assert_cmpint (viewer->dirty_y, ==, 45);
  g_assert_cmpint (viewer->dirty_width, ==, 67);
  g_assert_cmpint (viewer->dirty_height, ==, 89);

  /* Edges and single pixels. */
  rig_damage (rig, 799, 599, 1, 1, 4);
  rig_damage (rig, 0, 0, 1, 600, 5);
  wait_for (shown (rig, viewer));

  viewer_free (viewer);
  wait_for (vitrine_spice_server_get_n_clients (server) == 0);
  wait_for (vt_console_refresh_interval (rig->console) > VT_NS_PER_SEC / 60);
  finish (server);
  rig_free (rig);
}

static void
test_size (void)
{
  static const int sizes[][2] = {
    { 1024, 768 }, { 640, 480 }, { 720, 400 }, { 1, 1 }, { 1919, 1079 }, { 320, 200 },
  };
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = view (server, NULL);

  wait_for (shown (rig, viewer));
  for (unsigned i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      rig_set_surface (rig, sizes[i][0], sizes[i][1], i + 10);
      wait_for (shown (rig, viewer));
    }
  /* Faster than anybody can follow; the last one counts. */
  for (int i = 0; i < 50; i++)
    rig_set_surface (rig, 300 + i * 3, 500 - i * 2, (unsigned) i);
  wait_for (shown (rig, viewer));
  /* No picture: black. */
  vt_context_lock (rig->context);
  vt_console_set_surface (rig->console, NULL);
  vt_context_unlock (rig->context);
  {
    g_autofree uint8_t *black = g_malloc0 (640 * 480 * 4);

    wait_for (viewer_shows (viewer, black, 640, 480, 640 * 4));
  }
  rig_set_surface (rig, 640, 480, 99);
  wait_for (shown (rig, viewer));
  viewer_free (viewer);
  finish (server);
  rig_free (rig);
}

static void
test_cursor (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = view (server, NULL);
  uint32_t            argb[12 * 20];
  VtCursor            cursor = { .width = 12, .height = 20, .hot_x = 3, .hot_y = 4, .argb = argb };

  for (unsigned i = 0; i < G_N_ELEMENTS (argb); i++)
    argb[i] = 0xff000000u | i * 1234567u;
  wait_for (shown (rig, viewer) && viewer->cursor);

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
  finish (server);
  rig_free (rig);
}

static void
test_keyboard (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = view (server, NULL);

  wait_for (shown (rig, viewer) && viewer->inputs_open);
  spice_inputs_channel_key_press (viewer->inputs, 0x1e);
  wait_for (logged (rig, "k30+"));
  spice_inputs_channel_key_release (viewer->inputs, 0x1e);
  wait_for (logged (rig, "k30+ k30-"));
  /* Prefixed: Right, 0xe04d, is 0x14d to the client library. */
  spice_inputs_channel_key_press_and_release (viewer->inputs, 0x14d);
  wait_for (logged (rig, "k106+ k106-"));

  /* LEDs that the guest sets reach the viewer. */
  vt_context_lock (rig->context);
  vt_input_port_set_leds (rig->keyboard, VT_LED_CAPS | VT_LED_NUM);
  vt_context_unlock (rig->context);
  wait_for (viewer->locks == (SPICE_INPUTS_CAPS_LOCK | SPICE_INPUTS_NUM_LOCK));

  /* What a viewer holds when it goes is released, and nothing that others hold. */
  log_clear (rig);
  vt_input_key (rig->input, KEY_LEFTSHIFT, true);
  spice_inputs_channel_key_press (viewer->inputs, 0x1d);
  wait_for (logged (rig, "k29+"));
  viewer_free (viewer);
  wait_for (logged (rig, "k29-"));
  wait_for (vitrine_spice_server_get_n_clients (server) == 0);
  g_assert_false (logged (rig, "k42-"));
  vt_input_key (rig->input, KEY_LEFTSHIFT, false);
  finish (server);
  rig_free (rig);
}

static void
test_pointer (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = view (server, NULL);

  /* A mouse: movements. */
  wait_for (shown (rig, viewer) && viewer->inputs_open);
  wait_for (viewer->mouse_mode == SPICE_MOUSE_MODE_SERVER);
  spice_inputs_channel_motion (viewer->inputs, 5, -7, 0);
  wait_for (logged (rig, "m5,-7"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_LEFT,
                                     SPICE_MOUSE_BUTTON_MASK_LEFT);
  wait_for (logged (rig, "b0+"));
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_LEFT, 0);
  wait_for (logged (rig, "b0-"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_MIDDLE,
                                     SPICE_MOUSE_BUTTON_MASK_MIDDLE);
  wait_for (logged (rig, "b2+"));
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_MIDDLE, 0);
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_RIGHT,
                                     SPICE_MOUSE_BUTTON_MASK_RIGHT);
  wait_for (logged (rig, "b1+"));
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_RIGHT, 0);
  wait_for (logged (rig, "b1-"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_UP, 0);
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_UP, 0);
  wait_for (logged (rig, "w0,1"));

  /* A tablet appears: positions, over the whole screen whatever its size. */
  vt_context_lock (rig->context);
  rig->tablet = vt_input_port_new (rig->input, rig->context, &tablet_ops, rig);
  vt_input_port_activate (rig->tablet);
  vt_context_unlock (rig->context);
  wait_for (viewer->mouse_mode == SPICE_MOUSE_MODE_CLIENT);
  log_clear (rig);
  spice_inputs_channel_position (viewer->inputs, 799, 599, 0, 0);
  wait_for (logged (rig, "p32767,32767"));
  spice_inputs_channel_position (viewer->inputs, 0, 0, 0, 0);
  wait_for (logged (rig, "p0,0"));
  rig_set_surface (rig, 400, 300, 9);
  wait_for (shown (rig, viewer));
  log_clear (rig);
  spice_inputs_channel_position (viewer->inputs, 399, 299, 0, 0);
  wait_for (logged (rig, "p32767,32767"));
  /* Beyond the screen. */
  log_clear (rig);
  spice_inputs_channel_position (viewer->inputs, 100000, -5, 0, 0);
  wait_for (logged (rig, "p32767,"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_RIGHT,
                                     SPICE_MOUSE_BUTTON_MASK_RIGHT);
  wait_for (logged (rig, "b1+"));
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_RIGHT, 0);
  wait_for (logged (rig, "b1-"));
  spice_inputs_channel_button_press (viewer->inputs, SPICE_MOUSE_BUTTON_DOWN, 0);
  spice_inputs_channel_button_release (viewer->inputs, SPICE_MOUSE_BUTTON_DOWN, 0);
  wait_for (logged (rig, "w0,-1"));

  /* And goes again, while the viewer still sends positions. */
  vt_context_lock (rig->context);
  vt_input_port_free (rig->tablet);
  rig->tablet = NULL;
  vt_context_unlock (rig->context);
  for (int i = 0; i < 200; i++)
    spice_inputs_channel_position (viewer->inputs, i, i, 0, 0);
  wait_for (viewer->mouse_mode == SPICE_MOUSE_MODE_SERVER);
  log_clear (rig);
  spice_inputs_channel_motion (viewer->inputs, 3, 4, 0);
  wait_for (logged (rig, "m3,4"));
  viewer_free (viewer);
  finish (server);
  rig_free (rig);
}

/* TLS and passwords ---------------------------------------------------------------------------- */

typedef struct
{
  char *folder, *cert, *key;
} Certificate;

static void
certificate_init (Certificate *certificate, const char *host)
{
  g_autoptr (GError) error = NULL;

  certificate->folder = g_dir_make_tmp ("vitrine-spice-XXXXXX", &error);
  g_assert_no_error (error);
  certificate->cert = g_build_filename (certificate->folder, "server-cert.pem", NULL);
  certificate->key = g_build_filename (certificate->folder, "server-key.pem", NULL);
  vitrine_spice_make_certificate (certificate->folder, host, &error);
  g_assert_no_error (error);
}

static void
certificate_finish (Certificate *certificate)
{
  g_unlink (certificate->cert);
  g_unlink (certificate->key);
  g_rmdir (certificate->folder);
  g_free (certificate->cert);
  g_free (certificate->key);
  g_free (certificate->folder);
}

static void
test_tls (void)
{
  Rig        *rig = rig_new ();
  Certificate certificate, other;
  certificate_init (&certificate, "vitrine.example");
  certificate_init (&other, "other.example");
  {
    g_autofree char *subject = vitrine_spice_certificate_subject (certificate.cert, NULL);
    g_autofree char *vv = NULL;
    g_autoptr (GKeyFile) file = g_key_file_new ();
    VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){
                                                 .tls = TRUE,
                                                 .cert_file = certificate.cert,
                                                 .key_file = certificate.key,
                                                 .password = "secret",
                                             });
    ViewerOptions options = {
      .host = "127.0.0.1",
      .tls_port = vitrine_spice_server_get_tls_port (server),
      .password = "secret",
      .ca_file = certificate.cert,
      .subject = subject,
    };
    Viewer *viewer;

    g_assert_cmpstr (subject, ==, "O=Vitrine,CN=vitrine.example");
    g_assert_cmpuint (vitrine_spice_server_get_port (server), ==, 0);
    g_assert_cmpuint (options.tls_port, !=, 0);

    /* By the subject. */
    viewer = viewer_new (&options);
    wait_for (shown (rig, viewer));
    viewer_free (viewer);

    /* By the address, which the certificate names too. */
    options.subject = NULL;
    viewer = viewer_new (&options);
    wait_for (shown (rig, viewer));
    viewer_free (viewer);

    /* Another certificate than the viewer trusts. */
    options.ca_file = other.cert;
    viewer = viewer_new (&options);
    wait_for (viewer->closed || viewer->failure);
    g_assert_false (viewer->opened);
    viewer_free (viewer);

    /* Without TLS on the TLS port. */
    options.port = options.tls_port;
    options.tls_port = 0;
    viewer = viewer_new (&options);
    wait_for (viewer->closed || viewer->failure);
    g_assert_false (viewer->opened);
    viewer_free (viewer);

    vv = vitrine_spice_server_dup_vv (server, "vitrine.example");
    g_assert_true (g_key_file_load_from_data (file, vv, (gsize) -1, 0, NULL));
    {
      g_autofree char *password = g_key_file_get_string (file, "virt-viewer", "password", NULL);
      g_autofree char *ca = g_key_file_get_string (file, "virt-viewer", "ca", NULL);
      g_autofree char *pem = NULL;

      g_file_get_contents (certificate.cert, &pem, NULL, NULL);
      g_assert_cmpstr (password, ==, "secret");
      g_assert_cmpstr (ca, ==, pem);
      g_assert_false (g_key_file_has_key (file, "virt-viewer", "port", NULL));
    }
    finish (server);
  }
  certificate_finish (&certificate);
  certificate_finish (&other);
  rig_free (rig);
}

static void
test_password (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ .password = "secret" });
  g_autoptr (GError)  error = NULL;
  g_autofree char    *longest = g_strnfill (59, 'x');
  Viewer             *viewer, *second;

  viewer = view (server, "wrong");
  wait_for (viewer->failure == SPICE_CHANNEL_ERROR_AUTH);
  g_assert_false (viewer->opened);
  viewer_free (viewer);
  viewer = view (server, NULL);
  wait_for (viewer->failure == SPICE_CHANNEL_ERROR_AUTH);
  viewer_free (viewer);

  viewer = view (server, "secret");
  wait_for (shown (rig, viewer));
  /* A wrong guess doesn't send away who is there. */
  second = view (server, "guess");
  wait_for (second->failure == SPICE_CHANNEL_ERROR_AUTH);
  viewer_free (second);
  rig_damage (rig, 0, 0, 50, 50, 7);
  wait_for (shown (rig, viewer));
  g_assert_false (viewer->closed);

  /* A change is for those who come. */
  g_assert_true (vitrine_spice_server_set_password (server, longest, &error));
  rig_damage (rig, 0, 0, 50, 50, 8);
  wait_for (shown (rig, viewer));
  viewer_free (viewer);
  viewer = view (server, "secret");
  wait_for (viewer->failure == SPICE_CHANNEL_ERROR_AUTH);
  viewer_free (viewer);
  viewer = view (server, longest);
  wait_for (shown (rig, viewer));
  viewer_free (viewer);

  /* None, and one again. */
  g_assert_true (vitrine_spice_server_set_password (server, NULL, &error));
  viewer = view (server, NULL);
  wait_for (shown (rig, viewer));
  viewer_free (viewer);
  g_assert_true (vitrine_spice_server_set_password (server, "again", &error));
  viewer = view (server, NULL);
  wait_for (viewer->failure == SPICE_CHANNEL_ERROR_AUTH);
  viewer_free (viewer);
  viewer = view (server, "again");
  wait_for (shown (rig, viewer));
  viewer_free (viewer);
  finish (server);
  rig_free (rig);
}

/* One after another ---------------------------------------------------------------------------- */

static void
test_newest (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *first = view (server, NULL), *second;

  wait_for (shown (rig, first) && first->inputs_open);
  spice_inputs_channel_key_press (first->inputs, 0x1e);
  wait_for (logged (rig, "k30+"));
  second = view (server, NULL);
  wait_for (shown (rig, second) && second->inputs_open);
  wait_for (first->closed);
  wait_for (logged (rig, "k30-"));
  wait_for (vitrine_spice_server_get_n_clients (server) == 1);
  rig_damage (rig, 5, 5, 300, 300, 42);
  wait_for (shown (rig, second));
  spice_inputs_channel_key_press_and_release (second->inputs, 0x30);
  wait_for (logged (rig, "k48+ k48-"));
  viewer_free (first);
  viewer_free (second);
  finish (server);
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
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ 0 });
  guint16             port = vitrine_spice_server_get_port (server);

  for (int i = 0; i < 20; i++)
    {
      Viewer *viewer = view (server, NULL);

      wait_for (shown (rig, viewer));
      rig_damage (rig, i, i, 40, 40, (unsigned) i);
      wait_for (shown (rig, viewer));
      viewer_free (viewer);
      wait_for (vitrine_spice_server_get_n_clients (server) == 0);
      if (i == 4)
        {
          run_for (100);
          fds = count_fds ();
        }
    }
  wait_for (count_fds () <= fds);
  finish (server);
  for (int i = 0; i < 20; i++)
    {
      Viewer *viewer;

      server = serve (rig, &(VitrineSpiceOptions){ .port = port });
      viewer = view (server, NULL);
      wait_for (shown (rig, viewer));
      /* With the viewer still there. */
      finish (server);
      wait_for (viewer->closed);
      viewer_free (viewer);
    }
  wait_for (count_fds () <= fds);
  rig_free (rig);
}

/* A viewer that has stopped -------------------------------------------------------------------- */

static char *test_program;

typedef struct
{
  GPid pid;
  int  out;
} Child;

/* This program as a viewer of its own, to be stopped. Returns once it sees the picture. */
static void
child_start (Child *child, VitrineSpiceServer *server)
{
  g_autofree char   *port = g_strdup_printf ("%u", vitrine_spice_server_get_port (server));
  char              *argv[] = { test_program, (char *) "--viewer", port, NULL };
  g_autoptr (GError) error = NULL;
  char               byte = 0;

  g_spawn_async_with_pipes (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &child->pid,
                            NULL, &child->out, NULL, &error);
  g_assert_no_error (error);
  g_unix_set_fd_nonblocking (child->out, TRUE, NULL);
  wait_for (read (child->out, &byte, 1) == 1);
}

static void
child_end (Child *child)
{
  kill (child->pid, SIGKILL);
  waitpid (child->pid, NULL, 0);
  close (child->out);
}

static int
be_viewer (const char *port)
{
  const ViewerOptions options = { .host = "127.0.0.1", .port = (unsigned) atoi (port) };
  Viewer             *viewer = viewer_new (&options);

  while (viewer->invalidates == 0 || !viewer->pixels)
    g_main_context_iteration (NULL, TRUE);
  if (write (STDOUT_FILENO, "+", 1) != 1)
    return 1;
  for (;;)
    g_main_context_iteration (NULL, TRUE);
}

static void
device_cb (void *data)
{
  Rig    *rig = data;
  int64_t now = vt_clock_now (vt_clock_host ()), before;
  int     x = g_rand_int_range (rig->rand, 0, rig->surface->width - 16);
  int     y = g_rand_int_range (rig->rand, 0, rig->surface->height - 16);

  paint (rig->surface, x, y, 16, 16, rig->frames);
  before = vt_clock_now (vt_clock_host ());
  vt_console_damage (rig->console, x, y, 16, 16);
  rig->longest = MAX (rig->longest, vt_clock_now (vt_clock_host ()) - before);
  g_atomic_int_inc ((gint *) &rig->frames);
  vt_timer_arm (rig->timer, now + VT_NS_PER_SEC / 60);
}

/* The local window's stand-in: told by the device, takes on the main thread. */
typedef struct
{
  VtViewer *viewer;
  gint      pending, frames;
} Window;

static void
window_changed_cb (void *data)
{
  Window *window = data;

  g_atomic_int_set (&window->pending, 1);
}

static const VtViewerOps window_ops = { .changed = window_changed_cb };

static void
window_take (Window *window)
{
  VtFrame frame;

  if (!g_atomic_int_compare_and_exchange (&window->pending, 1, 0))
    return;
  vt_viewer_take (window->viewer, &frame);
  vt_frame_clear (&frame);
  window->frames++;
}

/* What device and window manage within @ms. */
static void
measure (Rig *rig, Window *window, int ms, unsigned *device, unsigned *frames)
{
  gint64   until = g_get_monotonic_time () + ms * 1000;
  unsigned before = (unsigned) g_atomic_int_get ((gint *) &rig->frames);

  window->frames = 0;
  while (turn (until))
    window_take (window);
  *device = (unsigned) g_atomic_int_get ((gint *) &rig->frames) - before;
  *frames = (unsigned) window->frames;
}

/* Until the library takes nothing more from us: it has noticed that the viewer doesn't either. With
 * @fill the connection is full in the middle of a message. */
static void
wait_stalled (Rig *rig, VitrineSpiceServer *server, bool fill)
{
  VtSpiceScreen *screen = vt_spice_server_screen (server);
  unsigned       copies;

  for (unsigned i = 0; fill && i < 20; i++)
    {
      rig_damage (rig, 0, 0, rig->surface->width, rig->surface->height, i);
      run_for (40);
    }
  do
    {
      copies = vt_spice_screen_copies (screen);
      run_for (400);
    }
  while (vt_spice_screen_copies (screen) != copies);
}

static void
test_stopped (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ 0 });
  Window              window = { 0 };
  Child               child;
  Viewer             *viewer;
  unsigned            device, frames, stopped_device, stopped_frames, copies;
  gsize               held, most = 0;
  gint64              before;
  gint                gone = 0;

  window.viewer = vt_viewer_new (rig->console, &window_ops, &window, true);
  vt_context_lock (rig->context);
  rig->timer = vt_timer_new (rig->context, vt_clock_host (), device_cb, rig);
  vt_timer_arm (rig->timer, vt_clock_now (vt_clock_host ()));
  vt_context_unlock (rig->context);
  child_start (&child, server);
  measure (rig, &window, 1500, &device, &frames);

  /* The library stops taking commands after some 50. */
  g_assert_cmpint (kill (child.pid, SIGSTOP), ==, 0);
  wait_stalled (rig, server, false);
  rig->longest = 0;
  copies = vt_spice_screen_copies (vt_spice_server_screen (server));
  measure (rig, &window, 1500, &stopped_device, &stopped_frames);
  g_assert_cmpuint (vt_spice_screen_copies (vt_spice_server_screen (server)), ==, copies);
  g_test_message (
      "frames in 1.5 s: device %u, window %u; with a stopped viewer: device %u, window %u; "
      "longest call into the console %" G_GINT64_FORMAT " µs",
      device, frames, stopped_device, stopped_frames, rig->longest / 1000);
  g_assert_cmpuint (stopped_device * 10, >=, device * 7);
  g_assert_cmpuint (stopped_frames * 10, >=, frames * 7);
  g_assert_cmpint (rig->longest, <, 100 * VT_NS_PER_MS);

  /* What is kept for it stays bounded. */
  for (int i = 0; i < 20; i++)
    {
      rig_damage (rig, 0, 0, 800, 600, (unsigned) i);
      run_for (40);
      held = vt_spice_screen_outstanding (vt_spice_server_screen (server));
      most = MAX (most, held);
    }
  g_test_message ("at most %" G_GSIZE_FORMAT " KiB kept", most / 1024);
  g_assert_cmpuint (most, <, 96 * 1024 * 1024);

  /* A change of size, for which the library wants to wait: device and window go on. */
  rig_set_surface (rig, 640, 400, 3);
  measure (rig, &window, 1500, &stopped_device, &stopped_frames);
  g_assert_cmpuint (stopped_device * 10, >=, device * 7);
  g_assert_cmpuint (stopped_frames * 10, >=, frames * 7);

  /* Somebody else can come. */
  before = g_get_monotonic_time ();
  viewer = view (server, NULL);
  vt_context_lock (rig->context);
  vt_timer_stop (rig->timer);
  vt_context_unlock (rig->context);
  wait_for (shown (rig, viewer));
  g_test_message ("another viewer sees the picture after %" G_GINT64_FORMAT " ms",
                  (g_get_monotonic_time () - before) / 1000);
  viewer_free (viewer);
  child_end (&child);

  /* The same with its connection full, for which the library would wait: the size has to. */
  rig_set_surface (rig, 800, 600, 3);
  child_start (&child, server);
  g_assert_cmpint (kill (child.pid, SIGSTOP), ==, 0);
  wait_stalled (rig, server, true);
  before = g_get_monotonic_time ();
  rig_set_surface (rig, 720, 400, 3);
  run_for (500);
  viewer = view (server, NULL);
  wait_for (shown (rig, viewer));
  g_test_message ("another viewer sees the picture after %" G_GINT64_FORMAT " ms",
                  (g_get_monotonic_time () - before) / 1000);
  g_assert_cmpint (g_get_monotonic_time () - before, <, 10 * G_USEC_PER_SEC);
  viewer_free (viewer);
  child_end (&child);
  rig_set_surface (rig, 800, 600, 3);

  /* Stopping with a stopped viewer in a change of size: neither we nor the port wait. */
  child_start (&child, server);
  vt_context_lock (rig->context);
  vt_timer_arm (rig->timer, vt_clock_now (vt_clock_host ()));
  vt_context_unlock (rig->context);
  g_assert_cmpint (kill (child.pid, SIGSTOP), ==, 0);
  wait_stalled (rig, server, true);
  rig_set_surface (rig, 700, 400, 3);
  run_for (100);
  vt_spice_server_on_gone (server, gone_cb, &gone);
  before = g_get_monotonic_time ();
  {
    VitrineSpiceOptions options = { .port = vitrine_spice_server_get_port (server) };

    vt_spice_server_stop (server);
    g_object_unref (server);
    server = serve (rig, &options);
  }
  g_test_message ("stopped and anew on the same port in %" G_GINT64_FORMAT " ms",
                  (g_get_monotonic_time () - before) / 1000);
  g_assert_cmpint (g_get_monotonic_time () - before, <, 3 * G_USEC_PER_SEC);
  wait_for (g_atomic_int_get (&gone));
  g_assert_cmpint (g_get_monotonic_time () - before, <, 10 * G_USEC_PER_SEC);
  g_test_message ("the old one's thread ended after %" G_GINT64_FORMAT " ms",
                  (g_get_monotonic_time () - before) / 1000);
  finish (server);
  child_end (&child);
  vt_viewer_free (window.viewer);
  rig_free (rig);
}

/* A viewer that takes nothing for a while catches up, a new size included. */
static void
test_resumed (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = view (server, NULL);

  wait_for (shown (rig, viewer));
  vt_context_lock (rig->context);
  rig->timer = vt_timer_new (rig->context, vt_clock_host (), device_cb, rig);
  vt_timer_arm (rig->timer, vt_clock_now (vt_clock_host ()));
  vt_context_unlock (rig->context);
  /* This thread is the viewer's; it doesn't look at its connections meanwhile. */
  for (unsigned i = 0; i < 40; i++)
    {
      rig_damage (rig, 0, 0, 800, 600, i);
      g_usleep (30 * 1000);
    }
  rig_set_surface (rig, 720, 480, 50);
  g_usleep (500 * 1000);
  vt_context_lock (rig->context);
  vt_timer_stop (rig->timer);
  vt_context_unlock (rig->context);
  wait_for (shown (rig, viewer));
  g_assert_false (viewer->closed);
  viewer_free (viewer);
  finish (server);
  rig_free (rig);
}

/* For peers of other programs: prints the port and what the devices get, until standard input
 * ends. */
static gboolean
stdin_cb (int fd, GIOCondition condition, gpointer data)
{
  *(bool *) data = true;
  return G_SOURCE_REMOVE;
}

static int
be_server (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = serve (rig, &(VitrineSpiceOptions){ 0 });
  bool                ended = false;
  int                 hint_width = 0, hint_height = 0;
  unsigned            seed = 0;

  g_print ("port %u\n", vitrine_spice_server_get_port (server));
  g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP, stdin_cb, &ended);
  while (!ended)
    {
      g_autofree char *text = NULL;
      int              width, height;

      turn (0);
      /* Something to draw, whoever looks. */
      rig_damage (rig, 100, 100, 16, 16, seed++);
      g_mutex_lock (&rig->lock);
      text = g_strdelimit (g_strdup (rig->log->str), " ", '\n');
      g_string_truncate (rig->log, 0);
      g_mutex_unlock (&rig->lock);
      g_print ("%s", text);
      width = g_atomic_int_get (&rig->hint_width);
      height = g_atomic_int_get (&rig->hint_height);
      if (width != hint_width || height != hint_height)
        g_print ("hint %dx%d\n", width, height);
      hint_width = width;
      hint_height = height;
      fflush (stdout);
    }
  finish (server);
  rig_free (rig);
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--viewer") == 0)
    return be_viewer (argv[2]);
  if (argc == 2 && strcmp (argv[1], "--serve") == 0)
    return be_server ();
  test_program = argv[0];
  g_test_init (&argc, &argv, NULL);
  /* Both libraries warn about refused viewers, which are part of the tests. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  g_test_add_func ("/spice/picture", test_picture);
  g_test_add_func ("/spice/size", test_size);
  g_test_add_func ("/spice/cursor", test_cursor);
  g_test_add_func ("/spice/keyboard", test_keyboard);
  g_test_add_func ("/spice/pointer", test_pointer);
  g_test_add_func ("/spice/tls", test_tls);
  g_test_add_func ("/spice/password", test_password);
  g_test_add_func ("/spice/newest", test_newest);
  g_test_add_func ("/spice/cycles", test_cycles);
  g_test_add_func ("/spice/stopped", test_stopped);
  g_test_add_func ("/spice/resumed", test_resumed);
  return g_test_run ();
}
