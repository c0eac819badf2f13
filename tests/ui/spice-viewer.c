/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A SPICE viewer without a window, on spice-client-glib, for tests of the server.
 */
#include "spice-viewer.h"

#include <string.h>

static void
primary_create_cb (SpiceChannel *channel, int format, int width, int height, int stride, int shmid,
                   gpointer data, Viewer *viewer)
{
  viewer->pixels = data;
  viewer->width = width;
  viewer->height = height;
  viewer->stride = stride;
  viewer->primaries++;
}

static void
primary_destroy_cb (SpiceChannel *channel, Viewer *viewer)
{
  viewer->pixels = NULL;
}

static void
invalidate_cb (SpiceChannel *channel, int x, int y, int width, int height, Viewer *viewer)
{
  viewer->invalidates++;
  viewer->dirty_x = x;
  viewer->dirty_y = y;
  viewer->dirty_width = width;
  viewer->dirty_height = height;
}

static void
cursor_set_cb (SpiceChannel *channel, int width, int height, int hot_x, int hot_y, gpointer rgba,
               Viewer *viewer)
{
  g_free (viewer->cursor_pixels);
  viewer->cursor_pixels =
      rgba ? g_memdup2 (rgba, (size_t) width * (size_t) height * 4) : NULL;
  viewer->cursor_width = width;
  viewer->cursor_height = height;
  viewer->cursor_sets++;
}

static void
cursor_hide_cb (SpiceChannel *channel, Viewer *viewer)
{
  g_clear_pointer (&viewer->cursor_pixels, g_free);
  viewer->cursor_hides++;
}

static void
cursor_move_cb (SpiceChannel *channel, int x, int y, Viewer *viewer)
{
  viewer->cursor_x = x;
  viewer->cursor_y = y;
  viewer->cursor_moves++;
}

static void
mouse_update_cb (SpiceChannel *channel, Viewer *viewer)
{
  g_object_get (channel, "mouse-mode", &viewer->mouse_mode, NULL);
}

static void
modifiers_cb (SpiceChannel *channel, Viewer *viewer)
{
  int modifiers = 0;

  g_object_get (channel, "key-modifiers", &modifiers, NULL);
  viewer->locks = (unsigned) modifiers;
}

static void
main_event_cb (SpiceChannel *channel, SpiceChannelEvent event, Viewer *viewer)
{
  switch (event)
    {
    case SPICE_CHANNEL_OPENED:
      viewer->opened = true;
      break;
    case SPICE_CHANNEL_SWITCHING:
      break;
    case SPICE_CHANNEL_CLOSED:
      viewer->closed = true;
      break;
    default:
      viewer->failure = event;
      viewer->closed = true;
      break;
    }
}

static void
inputs_event_cb (SpiceChannel *channel, SpiceChannelEvent event, Viewer *viewer)
{
  viewer->inputs_open = event == SPICE_CHANNEL_OPENED;
}

static void
channel_new_cb (SpiceSession *session, SpiceChannel *channel, Viewer *viewer)
{
  if (SPICE_IS_MAIN_CHANNEL (channel))
    {
      viewer->main = SPICE_MAIN_CHANNEL (channel);
      g_signal_connect (channel, "channel-event", G_CALLBACK (main_event_cb), viewer);
      g_signal_connect (channel, "main-mouse-update", G_CALLBACK (mouse_update_cb), viewer);
      return;
    }
  if (SPICE_IS_DISPLAY_CHANNEL (channel))
    {
      viewer->display = channel;
      g_signal_connect (channel, "display-primary-create", G_CALLBACK (primary_create_cb), viewer);
      g_signal_connect (channel, "display-primary-destroy", G_CALLBACK (primary_destroy_cb),
                        viewer);
      g_signal_connect (channel, "display-invalidate", G_CALLBACK (invalidate_cb), viewer);
    }
  else if (SPICE_IS_INPUTS_CHANNEL (channel))
    {
      viewer->inputs = SPICE_INPUTS_CHANNEL (channel);
      g_signal_connect (channel, "channel-event", G_CALLBACK (inputs_event_cb), viewer);
      g_signal_connect (channel, "inputs-modifiers", G_CALLBACK (modifiers_cb), viewer);
    }
  else if (SPICE_IS_CURSOR_CHANNEL (channel))
    {
      viewer->cursor = channel;
      g_signal_connect (channel, "cursor-set", G_CALLBACK (cursor_set_cb), viewer);
      g_signal_connect (channel, "cursor-hide", G_CALLBACK (cursor_hide_cb), viewer);
      g_signal_connect (channel, "cursor-move", G_CALLBACK (cursor_move_cb), viewer);
    }
  else
    return;
  spice_channel_connect (channel);
}

static void
channel_destroy_cb (SpiceSession *session, SpiceChannel *channel, Viewer *viewer)
{
  g_signal_handlers_disconnect_by_data (channel, viewer);
  if ((gpointer) channel == viewer->main)
    viewer->main = NULL;
  else if ((gpointer) channel == viewer->inputs)
    viewer->inputs = NULL;
  else if (channel == viewer->display)
    {
      viewer->display = NULL;
      viewer->pixels = NULL;
    }
  else if (channel == viewer->cursor)
    viewer->cursor = NULL;
}

Viewer *
viewer_new (const ViewerOptions *options)
{
  Viewer *viewer = g_new0 (Viewer, 1);
  SpiceSession *session = spice_session_new ();

  viewer->session = session;
  g_object_set (session, "host", options->host, "password", options->password, "enable-audio",
                FALSE, "enable-usbredir", FALSE, "enable-smartcard", FALSE, NULL);
  if (options->port)
    {
      g_autofree char *port = g_strdup_printf ("%u", options->port);

      g_object_set (session, "port", port, NULL);
    }
  if (options->tls_port)
    {
      g_autofree char *port = g_strdup_printf ("%u", options->tls_port);

      g_object_set (session, "tls-port", port, NULL);
    }
  if (options->ca_file)
    g_object_set (session, "ca-file", options->ca_file, NULL);
  if (options->subject)
    g_object_set (session, "cert-subject", options->subject, "verify", SPICE_SESSION_VERIFY_SUBJECT,
                  NULL);
  g_signal_connect (session, "channel-new", G_CALLBACK (channel_new_cb), viewer);
  g_signal_connect (session, "channel-destroy", G_CALLBACK (channel_destroy_cb), viewer);
  spice_session_connect (session);
  return viewer;
}

void
viewer_free (Viewer *viewer)
{
  g_autoptr (GList) channels = NULL;

  if (!viewer)
    return;
  channels = spice_session_get_channels (viewer->session);
  for (GList *l = channels; l; l = l->next)
    g_signal_handlers_disconnect_by_data (l->data, viewer);
  g_signal_handlers_disconnect_by_data (viewer->session, viewer);
  spice_session_disconnect (viewer->session);
  g_object_unref (viewer->session);
  g_free (viewer->cursor_pixels);
  g_free (viewer);
}

bool
viewer_shows (const Viewer *viewer, const uint8_t *pixels, int width, int height, int stride)
{
  if (!viewer->pixels || viewer->width != width || viewer->height != height)
    return false;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      if (memcmp (viewer->pixels + (size_t) y * (size_t) viewer->stride + (size_t) x * 4,
                  pixels + (size_t) y * (size_t) stride + (size_t) x * 4, 3))
        return false;
  return true;
}
