/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A console as a QXL display of the SPICE server.
 */
#pragma once

#include "core.h"
#include "vt-console.h"

typedef struct VtSpiceScreen VtSpiceScreen;

typedef struct
{
  /* Both on the server's thread. */
  /* A change of size is over: vt_spice_screen_settled() is true again. */
  void (*settled) (void *data);
  bool (*flows) (void *data);   /* Whether no viewer's connection is full. */
} VtSpiceScreenOps;

VtSpiceScreen *vt_spice_screen_new (VtSpiceCore *core,
                                    VtConsole *console,
                                    const VtSpiceScreenOps *ops,
                                    void *data);
/* The server's thread, after the library's server is gone. */
void vt_spice_screen_free (VtSpiceScreen *screen);

/* The server's thread, between spice_server_init() and the first viewer. */
bool vt_spice_screen_attach (VtSpiceScreen *screen, SpiceServer *server);
/* How many viewers have a display channel: with none, nothing is looked at or copied. The server's
 * thread. */
void vt_spice_screen_set_viewers (VtSpiceScreen *screen, unsigned n);
/* How many have a cursor channel. The server's thread. */
void vt_spice_screen_set_cursors (VtSpiceScreen *screen, unsigned n);
/* Whether no change of size is under way. The server's thread. */
bool vt_spice_screen_settled (const VtSpiceScreen *screen);
/* The size that viewers see. The server's thread. */
void vt_spice_screen_size (const VtSpiceScreen *screen, int *width, int *height);

/* Lets go of the console for good. Any thread; doesn't wait for the server's. */
void vt_spice_screen_detach (VtSpiceScreen *screen);

/* Bytes that the library holds of us now, and how often pixels were copied. For tests; any
 * thread. */
gsize    vt_spice_screen_outstanding (VtSpiceScreen *screen);
unsigned vt_spice_screen_copies (VtSpiceScreen *screen);
