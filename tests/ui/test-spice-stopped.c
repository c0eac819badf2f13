/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A viewer of the SPICE server that has stopped holds nobody up, and one that goes on catches up.
 */
#include <glib-unix.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spice-rig.h"

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
  g_autofree char *port = g_strdup_printf ("%u", vitrine_spice_server_get_port (server));
  char            *argv[] = { test_program, (char *) "--viewer", port, NULL };
  g_autoptr (GError) error = NULL;
  char byte = 0;

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
  while (wait_turn (until))
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
      wait_ms (40);
    }
  do
    {
      copies = vt_spice_screen_copies (screen);
      wait_ms (400);
    }
  while (vt_spice_screen_copies (screen) != copies);
}

static void
test_stopped (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ 0 });
  Window              window = { 0 };
  Child               child;
  Viewer             *viewer;
  unsigned            device, frames, stopped_device, stopped_frames, copies;
  gsize               held, most = 0;
  gint64              before;
  gint                gone = 0;

  window.viewer = vt_viewer_new (rig->console, &window_ops, &window, true);
  rig_set_drawing (rig, true);
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
      wait_ms (40);
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
  viewer = rig_view (server, NULL);
  rig_set_drawing (rig, false);
  wait_for (rig_shown (rig, viewer));
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
  wait_ms (500);
  viewer = rig_view (server, NULL);
  wait_for (rig_shown (rig, viewer));
  g_test_message ("another viewer sees the picture after %" G_GINT64_FORMAT " ms",
                  (g_get_monotonic_time () - before) / 1000);
  g_assert_cmpint (g_get_monotonic_time () - before, <, 10 * G_USEC_PER_SEC);
  viewer_free (viewer);
  child_end (&child);
  rig_set_surface (rig, 800, 600, 3);

  /* Stopping with a stopped viewer in a change of size: neither we nor the port wait. */
  child_start (&child, server);
  rig_set_drawing (rig, true);
  g_assert_cmpint (kill (child.pid, SIGSTOP), ==, 0);
  wait_stalled (rig, server, true);
  rig_set_surface (rig, 700, 400, 3);
  wait_ms (100);
  before = g_get_monotonic_time ();
  {
    VitrineSpiceOptions options = { .port = vitrine_spice_server_get_port (server) };

    rig_stop_server (server, &gone);
    server = rig_serve (rig, &options);
  }
  g_test_message ("stopped and anew on the same port in %" G_GINT64_FORMAT " ms",
                  (g_get_monotonic_time () - before) / 1000);
  g_assert_cmpint (g_get_monotonic_time () - before, <, 3 * G_USEC_PER_SEC);
  wait_for (g_atomic_int_get (&gone));
  g_assert_cmpint (g_get_monotonic_time () - before, <, 10 * G_USEC_PER_SEC);
  g_test_message ("the old one's thread ended after %" G_GINT64_FORMAT " ms",
                  (g_get_monotonic_time () - before) / 1000);
  rig_end_server (server);
  child_end (&child);
  vt_viewer_free (window.viewer);
  rig_free (rig);
}

/* A viewer that takes nothing for a while catches up, a new size included. */
static void
test_resumed (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ 0 });
  Viewer             *viewer = rig_view (server, NULL);

  wait_for (rig_shown (rig, viewer));
  rig_set_drawing (rig, true);
  /* This thread is the viewer's; it doesn't look at its connections meanwhile. */
  for (unsigned i = 0; i < 40; i++)
    {
      rig_damage (rig, 0, 0, 800, 600, i);
      g_usleep (30 * 1000);
    }
  rig_set_surface (rig, 720, 480, 50);
  g_usleep (500 * 1000);
  rig_set_drawing (rig, false);
  wait_for (rig_shown (rig, viewer));
  g_assert_false (viewer->closed);
  viewer_free (viewer);
  rig_end_server (server);
  rig_free (rig);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--viewer") == 0)
    return be_viewer (argv[2]);
  test_program = argv[0];
  rig_test_init (&argc, &argv);
  g_test_add_func ("/spice/stopped", test_stopped);
  g_test_add_func ("/spice/resumed", test_resumed);
  return g_test_run ();
}
