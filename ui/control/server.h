/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The machine's half of org.vitrine.Machine1: D-Bus, peer to peer, over a UNIX socket that only this
 * user can reach. Default main context.
 */
#pragma once

#include "vitrine-machine.h"
#include "vitrine-spice-server.h"

typedef struct VtControlServer VtControlServer;

/* Listens at @path, in a folder that is ours alone. */
VtControlServer *vt_control_server_new (VitrineMachine *machine, const char *path, GError **error);
void             vt_control_server_free (VtControlServer *server);

/* What GetStatus tells of it; NULL: no remote viewing. Borrowed. */
void vt_control_server_set_spice (VtControlServer *server, VitrineSpiceServer *spice);

/* What ShowWindow does; without it the caller is told that there is no window. */
void vt_control_server_set_window (VtControlServer *server,
                                   gboolean (*show) (gpointer data, GError **error), gpointer data);
