/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who is connected: accepts, counts and limits the viewers' connections.
 *
 * The library's own accepting has no CLOEXEC, no limit on peers that never log in, and spins when
 * the process runs out of file descriptors. So we accept, and hand the library the guard's end of
 * the connection. Of that we keep a duplicate, to look at and to shut down: the library's
 * descriptor could have been closed meanwhile and stand for something else.
 */
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A viewer opens up to a dozen connections at once. */
#define MAX_PEERS 48
#define BURST 64
#define PER_SECOND 16
#define LOGIN_US (20 * G_USEC_PER_SEC)

typedef struct
{
  int    fd;   /* Our duplicate of the library's. */
  int    type; /* SPICE_CHANNEL_*; -1 until it is logged in. */
  gint64 since;
} Peer;

typedef struct
{
  VtSpicePeers *peers;
  SpiceServer  *server;
  int           fd;
  bool          tls;
  GSource      *readable; /* NULL while it rests. */
} Door;

struct VtSpicePeers
{
  VtSpiceCore     *core;
  VtSpiceGuard    *guard;
  VtSpicePeersFunc func;
  void            *data;
  Door             doors[2]; /* Filled once, at the start; the fds are read under @lock. */
  unsigned         n_doors;
  int              accepting; /* The duplicate of what the library is being given, or -1. */
  GSource         *rest;      /* Opens the doors again. */
  GSource         *sweep;     /* Looks for those that don't log in. */
  double           tokens;
  gint64           filled;

  GMutex      lock;
  GHashTable *table; /* SpiceChannelEventInfo *, alive from CONNECTED to DISCONNECTED, to Peer. */
};

static void accept_cb (void *data);

static void
peer_free (gpointer data)
{
  Peer *peer = data;

  /* The library has closed its own by now; shutting down ours is what ends the connection. */
  shutdown (peer->fd, SHUT_RDWR);
  close (peer->fd);
  g_free (peer);
}

/* Doors ---------------------------------------------------------------------------------------- */

static void
door_rest (VtSpicePeers *peers, gint64 us)
{
  for (unsigned i = 0; i < peers->n_doors; i++)
    g_clear_pointer (&peers->doors[i].readable, vt_spice_alarm_free);
  vt_spice_alarm_set (peers->rest, g_get_monotonic_time () + us);
}

static void
rest_cb (void *data)
{
  VtSpicePeers *peers = data;

  for (unsigned i = 0; i < peers->n_doors; i++)
    {
      Door *door = &peers->doors[i];

      if (!door->readable)
        door->readable = vt_spice_core_readable (peers->core, door->fd, accept_cb, door);
    }
}

/* Whether one more may come in now: guessing passwords and filling the log have a pace. */
static bool
take_token (VtSpicePeers *peers)
{
  gint64 now = g_get_monotonic_time ();

  peers->tokens += (double) (now - peers->filled) * PER_SECOND / G_USEC_PER_SEC;
  peers->tokens = MIN (peers->tokens, (double) BURST);
  peers->filled = now;
  if (peers->tokens < 1)
    return false;
  peers->tokens -= 1;
  return true;
}

static void
give (Door *door, int fd)
{
  VtSpicePeers *peers = door->peers;
  int           on = 1, idle = 60, interval = 15, count = 4, result;

  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  fd = vt_spice_guard_add (peers->guard, fd, door->tls);
  if (fd < 0)
    return;
  peers->accepting = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  /* CONNECTED comes from inside this call and takes peers->accepting over. */
  result = peers->accepting < 0 ? -1 : spice_server_add_client (door->server, fd, 0);
  if (result < 0)
    close (fd);
  if (peers->accepting >= 0)
    close (peers->accepting);
  peers->accepting = -1;
}

static void
accept_cb (void *data)
{
  Door         *door = data;
  VtSpicePeers *peers = door->peers;
  int           fd;

  if (!take_token (peers))
    {
      door_rest (peers, G_USEC_PER_SEC / PER_SECOND);
      return;
    }
  fd = accept4 (door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0)
    {
      if (vt_spice_peers_total (peers) >= MAX_PEERS)
        {
          vt_trace ("spice", "more than %d connections: one refused", MAX_PEERS);
          close (fd);
        }
      else
        give (door, fd);
    }
  else if (errno == EINVAL)
    /* vt_spice_peers_close() has shut the socket. */
    door_rest (peers, G_MAXINT64 / 2);
  else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
    /* The connection stays in the queue and would wake us without end. */
    door_rest (peers, G_USEC_PER_SEC);
}

/* Peers ---------------------------------------------------------------------------------------- */

static void
sweep_cb (void *data)
{
  VtSpicePeers  *peers = data;
  GHashTableIter iter;
  gpointer       value;
  gint64         now = g_get_monotonic_time ();
  bool           more = false;

  g_mutex_lock (&peers->lock);
  g_hash_table_iter_init (&iter, peers->table);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Peer *peer = value;

      if (peer->type >= 0)
        continue;
      more = true;
      /* Library and guard see the end of the connection and let go of it. */
      if (now - peer->since >= LOGIN_US)
        shutdown (peer->fd, SHUT_RDWR);
    }
  g_mutex_unlock (&peers->lock);
  vt_spice_alarm_set (peers->sweep, more ? now + LOGIN_US / 4 : -1);
}

void
vt_spice_peers_event (VtSpicePeers *peers, int event, SpiceChannelEventInfo *info)
{
  Peer *peer;
  int   type = -1;
  bool  came = false;

  g_mutex_lock (&peers->lock);
  switch (event)
    {
    case SPICE_CHANNEL_EVENT_CONNECTED:
      if (peers->accepting < 0)
        break;
      peer = g_new0 (Peer, 1);
      peer->fd = peers->accepting;
      peer->type = -1;
      peer->since = g_get_monotonic_time ();
      peers->accepting = -1;
      g_hash_table_replace (peers->table, info, peer);
      vt_spice_alarm_set (peers->sweep, peer->since + LOGIN_US);
      break;

    case SPICE_CHANNEL_EVENT_INITIALIZED:
      peer = g_hash_table_lookup (peers->table, info);
      if (!peer || peer->type >= 0)
        break;
      type = peer->type = info->type;
      came = true;
      break;

    case SPICE_CHANNEL_EVENT_DISCONNECTED:
      peer = g_hash_table_lookup (peers->table, info);
      if (!peer)
        break;
      type = peer->type;
      g_hash_table_remove (peers->table, info);
      break;

    default:
      break;
    }
  g_mutex_unlock (&peers->lock);
  if (type >= 0)
    peers->func (peers->data, type, came);
}

unsigned
vt_spice_peers_count (VtSpicePeers *peers, int type)
{
  GHashTableIter iter;
  gpointer       value;
  unsigned       n = 0;

  g_hash_table_iter_init (&iter, peers->table);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    n += ((Peer *) value)->type == type;
  return n;
}

bool
vt_spice_peers_flow (VtSpicePeers *peers, int type)
{
  GHashTableIter iter;
  gpointer       value;

  g_hash_table_iter_init (&iter, peers->table);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Peer *peer = value;
      int         unsent = 0;

      if (peer->type == type && ioctl (peer->fd, SIOCOUTQNSD, &unsent) == 0 && unsent > 0)
        return false;
    }
  return true;
}

unsigned
vt_spice_peers_total (VtSpicePeers *peers)
{
  return g_hash_table_size (peers->table);
}

void
vt_spice_peers_close (VtSpicePeers *peers)
{
  g_mutex_lock (&peers->lock);
  /* On Linux this takes a socket out of the listening state, so that its port can be bound anew
   * although the descriptors live on until the server's thread closes them. */
  for (unsigned i = 0; i < peers->n_doors; i++)
    shutdown (peers->doors[i].fd, SHUT_RDWR);
  g_mutex_unlock (&peers->lock);
}

void
vt_spice_peers_open (VtSpicePeers *peers, SpiceServer *server, int fd, bool tls)
{
  Door *door;

  g_return_if_fail (peers->n_doors < G_N_ELEMENTS (peers->doors));
  g_mutex_lock (&peers->lock);
  door = &peers->doors[peers->n_doors++];
  door->peers = peers;
  door->server = server;
  door->fd = fd;
  door->tls = tls;
  g_mutex_unlock (&peers->lock);
  door->readable = vt_spice_core_readable (peers->core, fd, accept_cb, door);
}

VtSpicePeers *
vt_spice_peers_new (VtSpiceCore *core, VtSpiceGuard *guard, VtSpicePeersFunc func, void *data)
{
  VtSpicePeers *peers = g_new0 (VtSpicePeers, 1);

  peers->core = core;
  peers->guard = guard;
  peers->func = func;
  peers->data = data;
  peers->accepting = -1;
  peers->tokens = BURST;
  peers->filled = g_get_monotonic_time ();
  peers->rest = vt_spice_core_alarm (core, rest_cb, peers);
  peers->sweep = vt_spice_core_alarm (core, sweep_cb, peers);
  g_mutex_init (&peers->lock);
  peers->table = g_hash_table_new_full (NULL, NULL, NULL, peer_free);
  return peers;
}

void
vt_spice_peers_free (VtSpicePeers *peers)
{
  for (unsigned i = 0; i < peers->n_doors; i++)
    {
      vt_spice_alarm_free (peers->doors[i].readable);
      close (peers->doors[i].fd);
    }
  vt_spice_alarm_free (peers->rest);
  vt_spice_alarm_free (peers->sweep);
  g_hash_table_unref (peers->table);
  g_mutex_clear (&peers->lock);
  g_free (peers);
}
