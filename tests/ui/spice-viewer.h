/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A SPICE viewer without a window, on spice-client-glib, for tests of the server.
 */
#pragma once

#include <spice-client.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct
{
  const char *host;
  unsigned    port, tls_port;
  const char *password;
  const char *ca_file; /* For TLS; with @subject or against @host. */
  const char *subject;
} ViewerOptions;

typedef struct
{
  SpiceSession       *session;
  SpiceMainChannel   *main;
  SpiceInputsChannel *inputs;
  SpiceChannel       *display, *cursor;

  /* The picture as the library draws it; NULL: none. */
  const uint8_t *pixels;
  int            width, height, stride;
  unsigned       primaries, invalidates;
  int            dirty_x, dirty_y, dirty_width, dirty_height; /* The last one's. */

  uint32_t *cursor_pixels; /* What came last; NULL: hidden or none. */
  int       cursor_width, cursor_height, cursor_x, cursor_y;
  unsigned  cursor_sets, cursor_hides, cursor_moves;

  bool              opened, closed; /* The main channel. */
  bool              inputs_open;    /* Events before are lost. */
  SpiceChannelEvent failure;        /* SPICE_CHANNEL_NONE or what the main channel ended with. */
  int               mouse_mode;
  unsigned          locks; /* SPICE_INPUTS_*_LOCK. */
} Viewer;

/* Starts to connect; the default main context does the rest. */
Viewer *viewer_new (const ViewerOptions *options);
void    viewer_free (Viewer *viewer);

/* Whether the picture is exactly these pixels, the unused byte apart. */
bool viewer_shows (const Viewer *viewer, const uint8_t *pixels, int width, int height, int stride);
