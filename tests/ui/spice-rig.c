/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A machine's half of the SPICE server, and waiting.
 */
#include "spice-rig.h"

#include <unistd.h>

/* Waiting -------------------------------------------------------------------------------------- */

static gboolean
wake_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* What is waited for partly happens on other threads: look every few milliseconds. */
bool
wait_turn (gint64 until)
{
  guint id = g_timeout_add (5, wake_cb, NULL);

  g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
  return g_get_monotonic_time () < until;
}

void
wait_ms (int ms)
{
  gint64 until = g_get_monotonic_time () + ms * 1000;

  while (wait_turn (until))
    continue;
}

/* A machine's half ----------------------------------------------------------------------------- */

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

bool
rig_logged (Rig *rig, const char *text)
{
  bool found;

  g_mutex_lock (&rig->lock);
  found = strstr (rig->log->str, text) != NULL;
  g_mutex_unlock (&rig->lock);
  return found;
}

void
rig_clear_log (Rig *rig)
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

void
rig_set_surface (Rig *rig, int width, int height, unsigned seed)
{
  vt_surface_unref (rig->surface);
  rig->surface = vt_surface_new (width, height);
  paint (rig->surface, 0, 0, width, height, seed);
  vt_context_lock (rig->context);
  vt_console_set_surface (rig->console, rig->surface);
  vt_context_unlock (rig->context);
}

void
rig_damage (Rig *rig, int x, int y, int width, int height, unsigned seed)
{
  vt_context_lock (rig->context);
  paint (rig->surface, x, y, width, height, seed);
  vt_console_damage (rig->console, x, y, width, height);
  vt_context_unlock (rig->context);
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

void
rig_set_drawing (Rig *rig, bool drawing)
{
  vt_context_lock (rig->context);
  if (drawing)
    vt_timer_arm (rig->timer, vt_clock_now (vt_clock_host ()));
  else
    vt_timer_stop (rig->timer);
  vt_context_unlock (rig->context);
}

void
rig_add_tablet (Rig *rig)
{
  vt_context_lock (rig->context);
  rig->tablet = vt_input_port_new (rig->input, rig->context, &tablet_ops, rig);
  vt_input_port_activate (rig->tablet);
  vt_context_unlock (rig->context);
}

void
rig_remove_tablet (Rig *rig)
{
  vt_context_lock (rig->context);
  vt_input_port_free (rig->tablet);
  rig->tablet = NULL;
  vt_context_unlock (rig->context);
}

Rig *
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
  rig->timer = vt_timer_new (rig->context, vt_clock_host (), device_cb, rig);
  vt_context_unlock (rig->context);
  rig_set_surface (rig, 800, 600, 1);
  return rig;
}

void
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

bool
rig_shown (Rig *rig, const Viewer *viewer)
{
  return viewer_shows (viewer, rig->surface->data, rig->surface->width, rig->surface->height,
                       rig->surface->stride);
}

VitrineSpiceServer *
rig_serve (Rig *rig, const VitrineSpiceOptions *options)
{
  g_autoptr (GError) error = NULL;
  VitrineSpiceServer *server = vt_spice_server_new (rig->console, rig->input, "Test", NULL, options,
                                                    &error);

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

void
rig_stop_server (VitrineSpiceServer *server, gint *gone)
{
  vt_spice_server_on_gone (server, gone_cb, gone);
  vt_spice_server_stop (server);
  g_object_unref (server);
}

void
rig_end_server (VitrineSpiceServer *server)
{
  gint gone = 0;

  rig_stop_server (server, &gone);
  wait_for (g_atomic_int_get (&gone) && !thread_lives (gone));
}

Viewer *
rig_view (VitrineSpiceServer *server, const char *password)
{
  const ViewerOptions options = {
    .host = "127.0.0.1",
    .port = vitrine_spice_server_get_port (server),
    .password = password,
  };

  return viewer_new (&options);
}

void
rig_test_init (int *argc, char ***argv)
{
  g_test_init (argc, argv, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
}
