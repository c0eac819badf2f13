/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineSpiceServer from its parts: what tests use, who have a console and an input hub but no
 * machine.
 */
#pragma once

#include "screen.h"
#include "vitrine-spice-server.h"
#include "vt-input.h"

/* @name and @uuid (as text) may be NULL. @console and @input must live until the server is
 * stopped. */
VitrineSpiceServer *vt_spice_server_new (VtConsole *console, VtInput *input, const char *name,
                                         const char *uuid, const VitrineSpiceOptions *options,
                                         GError **error);

/* Lets go of console and input, frees the ports and sends the viewers away; the thread ends by
 * itself. Returns at once. Again: nothing. Disposing does it too. Default main context's thread. */
void vt_spice_server_stop (VitrineSpiceServer *server);

/* @func on the server's thread, as its last act. Before the stop. */
void vt_spice_server_on_gone (VitrineSpiceServer *server, VtFunc func, void *data);

/* NULL once stopped. */
VtSpiceScreen *vt_spice_server_screen (VitrineSpiceServer *server);
