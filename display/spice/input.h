/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A viewer's keyboard, mouse and tablet.
 */
#pragma once

#include "core.h"
#include "vt-input.h"

typedef struct VtSpiceInput VtSpiceInput;

/* @update is called on the server's thread when vt_spice_input_update() should be. */
VtSpiceInput *vt_spice_input_new (VtSpiceCore *core, VtInput *input, VtFunc update, void *data);
/* The server's thread, after the library's server is gone. */
void vt_spice_input_free (VtSpiceInput *input);

/* The server's thread, between spice_server_init() and the first viewer. */
bool vt_spice_input_attach (VtSpiceInput *input, SpiceServer *server);
/* Tells viewers about LEDs and, if @settled, about the kind of pointer. The server's thread. */
void vt_spice_input_update (VtSpiceInput *input, bool settled);
/* The size of the screen in pixels, in which viewers give positions. The server's thread. */
void vt_spice_input_set_size (VtSpiceInput *input, int width, int height);
/* The viewer has gone: releases what it held. The server's thread. */
void vt_spice_input_release (VtSpiceInput *input);

/* Lets go of the hub for good, releasing what is held. Any thread; doesn't wait for the
 * server's. */
void vt_spice_input_detach (VtSpiceInput *input);

/* The parser of scan codes, apart for its test. */
typedef struct
{
  bool    e0;
  uint8_t e1; /* Bytes still to come after an E1. */
} VtSpiceScan;

/* Takes one byte of set 1. Returns the evdev code and whether it went down once a key is whole, 0
 * otherwise. */
unsigned vt_spice_scan (VtSpiceScan *scan, uint8_t byte, bool *down);
