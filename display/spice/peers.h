/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who is connected: accepts, counts and limits the viewers' connections.
 */
#pragma once

#include "core.h"
#include "guard.h"

typedef struct VtSpicePeers VtSpicePeers;

/* Both on the server's thread: a channel of @type (SPICE_CHANNEL_*) is in use, or no longer. */
typedef void (*VtSpicePeersFunc) (void *data, int type, bool came);

/* @guard must outlive it. */
VtSpicePeers *vt_spice_peers_new (VtSpiceCore *core, VtSpiceGuard *guard, VtSpicePeersFunc func,
                                  void *data);
/* The server's thread, after the library's server is gone. */
void vt_spice_peers_free (VtSpicePeers *peers);

/* Accepts connections of the listening socket @fd, which is taken over, for @server. The server's
 * thread. */
void vt_spice_peers_open (VtSpicePeers *peers, SpiceServer *server, int fd, bool tls);
/* The library's channel events. The server's thread. */
void vt_spice_peers_event (VtSpicePeers *peers, int event, SpiceChannelEventInfo *info);
/* How many channels of @type are in use. The server's thread. */
unsigned vt_spice_peers_count (VtSpicePeers *peers, int type);
/* Whether the connections of @type have sent all they were given. The server's thread. */
bool vt_spice_peers_flow (VtSpicePeers *peers, int type);
/* How many connections there are at all, logged in or not. The server's thread. */
unsigned vt_spice_peers_total (VtSpicePeers *peers);

/* Any thread: nobody new is accepted and the ports are free for others. */
void vt_spice_peers_close (VtSpicePeers *peers);
