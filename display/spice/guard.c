/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stands between the viewers' connections and the SPICE library.
 *
 * Each connection has a second one, from here to the library. A thread moves the bytes: what the
 * viewer says goes through the filter, what the library says goes through as it is, both through
 * bounded buffers, so that whoever doesn't read holds up only its own connection. TLS ends here;
 * with it the library's own reading of certificates, which fails without a reason.
 *
 * The second connection is one of TCP over loopback: to a UNIX socket the library sends pictures
 * uncompressed, taking it for a viewer on this computer.
 */
#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spice/enums.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter.h"
#include "tls/tls.h"

#define BUFFER (64 * 1024)
/* In the kernel, of the connection to the library: enough for a round trip of this thread. */
#define KERNEL_BUFFER (256 * 1024)
/* A display channel that says nothing blocks the library's worker: speak for it. */
#define SILENCE_US (3 * G_USEC_PER_SEC)
/* The last words of the library may take this long to reach a viewer. */
#define FAREWELL_US (3 * G_USEC_PER_SEC)
/* Longer than the library itself waits for anything. */
#define STAY_US (40 * G_USEC_PER_SEC)

typedef struct
{
  int              peer; /* -1 once the viewer has gone or was sent away. */
  int              library; /* -1 once the library has closed its end. */
  const VtTls     *tls;  /* NULL without. */
  VtTlsSession    *session;
  bool             handshaking;
  bool             peer_ended;
  VtSpiceFilter    filter;
  GByteArray      *up; /* To the library, filtered. */
  gsize            up_sent;
  uint8_t          down[BUFFER]; /* To the viewer. */
  gsize            down_len, down_sent;
  gsize            down_record; /* Where what is being sent ends: see next_record(). */
  gint64           since; /* Of whatever has a deadline now; 0: nothing. */
} Link;

struct VtSpiceGuard
{
  const VtTls *tls; /* NULL: none. */
  VtTlsServer *server;
  GThread     *thread;
  int          wake;

  GMutex     lock; /* Guards what others leave for the thread. */
  GPtrArray *coming;
  bool       cut, quit;

  GPtrArray *links; /* The thread's. */
};

/* Sockets -------------------------------------------------------------------------------------- */

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

static void
tune (int fd)
{
  int on = 1, size = KERNEL_BUFFER;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

static bool
same_end (int a, int b)
{
  struct sockaddr_in here = { 0 }, there = { 0 };
  socklen_t          here_len = sizeof here, there_len = sizeof there;

  return getsockname (a, (struct sockaddr *) &here, &here_len) == 0
         && getpeername (b, (struct sockaddr *) &there, &there_len) == 0
         && here.sin_port == there.sin_port;
}

/* Two ends of one connection over loopback. */
static bool
tcp_pair (int ends[2])
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t          len = sizeof address;
  int door = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  ends[0] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ends[1] = -1;
  if (door >= 0 && ends[0] >= 0 && bind (door, (struct sockaddr *) &address, sizeof address) == 0
      && listen (door, 4) == 0 && getsockname (door, (struct sockaddr *) &address, &len) == 0
      && connect (ends[0], (struct sockaddr *) &address, sizeof address) == 0)
    /* Another program may have come in before: only our own end will do. */
    for (unsigned i = 0; i < 8 && ends[1] < 0; i++)
      {
        ends[1] = accept4 (door, NULL, NULL, SOCK_CLOEXEC);
        if (ends[1] >= 0 && !same_end (ends[0], ends[1]))
          close_fd (&ends[1]);
      }
  close_fd (&door);
  if (ends[1] < 0)
    {
      close_fd (&ends[0]);
      return false;
    }
  tune (ends[0]);
  tune (ends[1]);
  return true;
}

/* Links ---------------------------------------------------------------------------------------- */

static void
link_free (gpointer data)
{
  Link *link = data;

  if (link->session)
    link->tls->session_free (link->session);
  close_fd (&link->peer);
  close_fd (&link->library);
  g_byte_array_unref (link->up);
  g_free (link);
}

static bool
again (ssize_t n)
{
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* As read() and write(), EAGAIN included. */
static ssize_t
peer_read (Link *link, void *data, gsize len)
{
  return link->tls ? link->tls->recv (link->session, data, len) : recv (link->peer, data, len, 0);
}

static ssize_t
peer_write (Link *link, const void *data, gsize len)
{
  return link->tls ? link->tls->send (link->session, data, len)
                   : send (link->peer, data, len, MSG_NOSIGNAL);
}

/* Chooses what to send next: to TLS one message, or what there is of it. A viewer made of spice-gtk
 * waits for its socket, and doesn't see a second message that has come in the same TLS record: a ping
 * that it answers too late ends its session. */
static void
next_record (Link *link)
{
  while (link->down_record < link->down_len
         && (!link->tls || link->peer_ended || link->down_record == link->down_sent))
    link->down_record += vt_spice_filter_down (&link->filter, link->down + link->down_record,
                                               link->down_len - link->down_record);
}

/* The viewer is gone. The library is told at once, or when it can bear it. */
static void
end_peer (Link *link)
{
  if (link->peer_ended)
    return;
  link->peer_ended = true;
  close_fd (&link->peer);
  next_record (link);
  link->down_len = link->down_sent = link->down_record = 0;
  link->since = g_get_monotonic_time ();
  if (vt_spice_filter_must_stay (&link->filter))
    vt_spice_filter_add_init (&link->filter, link->up);
}

static void
end_library (Link *link)
{
  close_fd (&link->library);
  link->since = g_get_monotonic_time ();
}

static void
handshake (Link *link)
{
  const VtTlsProgress progress = link->tls->handshake (link->session);

  if (progress == VT_TLS_DONE)
    link->handshaking = false;
  else if (progress == VT_TLS_FAILED)
    end_peer (link);
}

static void
from_peer (Link *link)
{
  uint8_t data[16 * 1024];

  /* What TLS has taken from the socket already doesn't show in poll(). */
  while (!link->peer_ended && link->up->len < BUFFER)
    {
      ssize_t n = peer_read (link, data, sizeof data);

      if (again (n))
        return;
      if (n <= 0)
        end_peer (link);
      else if (!vt_spice_filter_up (&link->filter, data, (gsize) n, link->up))
        {
          vt_trace ("spice", "a viewer broke the protocol (channel %u, message %u)",
                    link->filter.channel, link->filter.up.type);
          end_peer (link);
        }
    }
}

static void
to_library (Link *link)
{
  while (link->library >= 0 && link->up_sent < link->up->len)
    {
      ssize_t n = send (link->library, link->up->data + link->up_sent,
                        link->up->len - link->up_sent, MSG_NOSIGNAL);

      if (again (n))
        return;
      if (n < 0)
        {
          end_library (link);
          return;
        }
      link->up_sent += (gsize) n;
    }
  if (link->up_sent == link->up->len)
    {
      g_byte_array_set_size (link->up, 0);
      link->up_sent = 0;
    }
}

static void
from_library (Link *link)
{
  ssize_t n = recv (link->library, link->down, sizeof link->down, 0);

  if (again (n))
    return;
  if (n <= 0)
    {
      end_library (link);
      return;
    }
  link->down_len = (gsize) n;
  link->down_sent = link->down_record = 0;
  next_record (link);
  /* The filter has seen it; nobody else will. */
  if (link->peer_ended)
    link->down_len = 0;
}

static void
to_peer (Link *link)
{
  while (!link->peer_ended && link->down_sent < link->down_len)
    {
      ssize_t n = peer_write (link, link->down + link->down_sent, link->down_record - link->down_sent);

      if (again (n))
        return;
      if (n < 0)
        {
          end_peer (link);
          return;
        }
      link->down_sent += (gsize) n;
      next_record (link);
    }
  link->down_len = link->down_sent = link->down_record = 0;
}

/* Whether the library would suffer from the link's end now. Where a viewer's main channel ends while the
 * library makes its display channel, the library keeps that one for ever (0.15.1: 150 KiB). Sessions
 * aren't told apart here: there is one viewer at a time. */
static bool
must_stay (const VtSpiceGuard *guard, const Link *link)
{
  bool stay = vt_spice_filter_must_stay (&link->filter);

  for (guint i = 0; !stay && link->filter.channel == SPICE_CHANNEL_MAIN && i < guard->links->len; i++)
    stay = vt_spice_filter_must_stay (&((const Link *) guard->links->pdata[i])->filter);
  return stay;
}

/* What is due by time. Returns whether the link is over. */
static bool
link_over (const VtSpiceGuard *guard, Link *link, gint64 now)
{
  if (link->library < 0)
    {
      /* The library has said its last. */
      if (link->peer_ended || link->down_len == 0 || now - link->since > FAREWELL_US)
        {
          if (link->tls && !link->peer_ended && !link->handshaking)
            link->tls->bye (link->session);
          return true;
        }
      return false;
    }
  if (link->peer_ended)
    return !must_stay (guard, link) || now - link->since > STAY_US;
  if (vt_spice_filter_must_stay (&link->filter) && !link->filter.init_sent)
    {
      if (link->since == 0)
        link->since = now;
      if (now - link->since > SILENCE_US)
        vt_spice_filter_add_init (&link->filter, link->up);
    }
  return false;
}

/* Whether a deadline of link_over() runs. */
static bool
link_timed (const Link *link)
{
  return link->library < 0 || link->peer_ended
         || (vt_spice_filter_must_stay (&link->filter) && !link->filter.init_sent);
}

static void
link_events (const Link *link, struct pollfd *peer, struct pollfd *library)
{
  *peer = (struct pollfd){ .fd = link->peer_ended ? -1 : link->peer };
  *library = (struct pollfd){ .fd = link->library };
  if (link->handshaking)
    {
      peer->events = link->tls->wants_to_write (link->session) ? POLLOUT : POLLIN;
      library->events = POLLIN; /* It may lose its patience. */
      return;
    }
  if (link->up->len < BUFFER)
    peer->events |= POLLIN;
  if (link->down_len > 0)
    peer->events |= POLLOUT;
  else
    library->events |= POLLIN;
  if (link->up_sent < link->up->len)
    library->events |= POLLOUT;
  /* A hang-up of a side that nothing is wanted of would wake us without end. */
  if (!peer->events)
    peer->fd = -1;
  if (!library->events)
    library->fd = -1;
}

static void
link_serve (Link *link, short peer, short library)
{
  if (library & (POLLIN | POLLHUP | POLLERR) && link->down_len == 0)
    from_library (link);
  if (link->handshaking)
    {
      if (peer)
        handshake (link);
      if (link->handshaking)
        return;
    }
  if (link->down_len > 0)
    to_peer (link);
  /* Room first: what TLS holds already is read when there is some, or with the next event. */
  if (link->up->len > 0)
    to_library (link);
  from_peer (link);
  if (link->up->len > 0)
    to_library (link);
}

/* The thread ----------------------------------------------------------------------------------- */

static bool
take_orders (VtSpiceGuard *guard)
{
  uint64_t count;
  bool     quit, cut;

  /* Nothing to read is fine too. */
  if (read (guard->wake, &count, sizeof count) < 0)
    count = 0;
  g_mutex_lock (&guard->lock);
  quit = guard->quit;
  cut = guard->cut;
  guard->cut = false;
  while (guard->coming->len > 0)
    g_ptr_array_add (guard->links, g_ptr_array_steal_index_fast (guard->coming, 0));
  g_mutex_unlock (&guard->lock);
  for (guint i = 0; cut && i < guard->links->len; i++)
    {
      Link *link = guard->links->pdata[i];

      link->handshaking = false;
      end_peer (link);
      to_library (link);
    }
  return !quit;
}

static gpointer
thread_main (gpointer data)
{
  VtSpiceGuard *guard = data;
  g_autoptr (GArray) fds = g_array_new (FALSE, TRUE, sizeof (struct pollfd));
  sigset_t all;

  /* No signal is for this thread. */
  sigfillset (&all);
  sigdelset (&all, SIGSEGV);
  sigdelset (&all, SIGBUS);
  sigdelset (&all, SIGILL);
  sigdelset (&all, SIGFPE);
  sigdelset (&all, SIGABRT);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
  while (take_orders (guard))
    {
      gint64 now = g_get_monotonic_time ();
      int    timeout = -1;

      for (guint i = guard->links->len; i-- > 0;)
        {
          Link *link = guard->links->pdata[i];

          if (link_over (guard, link, now))
            g_ptr_array_remove_index_fast (guard->links, i);
          else if (link_timed (link))
            timeout = 100;
        }
      g_array_set_size (fds, 1 + 2 * guard->links->len);
      g_array_index (fds, struct pollfd, 0) =
          (struct pollfd){ .fd = guard->wake, .events = POLLIN };
      for (guint i = 0; i < guard->links->len; i++)
        link_events (guard->links->pdata[i], &g_array_index (fds, struct pollfd, 1 + 2 * i),
                     &g_array_index (fds, struct pollfd, 2 + 2 * i));
      if (poll ((struct pollfd *) (void *) fds->data, fds->len, timeout) < 0)
        continue;
      for (guint i = 0; i < guard->links->len; i++)
        {
          short peer = g_array_index (fds, struct pollfd, 1 + 2 * i).revents;
          short library = g_array_index (fds, struct pollfd, 2 + 2 * i).revents;
          Link *link = guard->links->pdata[i];

          if (peer || library || link->up->len > 0)
            link_serve (link, peer, library);
        }
    }
  return NULL;
}

static void
wake (VtSpiceGuard *guard)
{
  const uint64_t one = 1;

  /* It can only fail where the thread is to wake anyway. */
  if (write (guard->wake, &one, sizeof one) < 0)
    return;
}

static bool
start_tls (VtSpiceGuard *guard, Link *link)
{
  link->tls = guard->tls;
  link->session = guard->tls->session_new (guard->server, link->peer);
  link->handshaking = true;
  return link->session != NULL;
}

int
vt_spice_guard_add (VtSpiceGuard *guard, int fd, bool tls)
{
  Link *link = g_new0 (Link, 1);
  int   ends[2], on = 1;

  link->peer = fd;
  link->library = -1;
  link->up = g_byte_array_new ();
  vt_spice_filter_init (&link->filter);
  if ((tls && !start_tls (guard, link)) || !tcp_pair (ends))
    {
      link_free (link);
      return -1;
    }
  link->library = ends[0];
  fcntl (ends[0], F_SETFL, O_NONBLOCK);
  fcntl (ends[1], F_SETFL, O_NONBLOCK);
  fcntl (fd, F_SETFL, O_NONBLOCK);
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  g_mutex_lock (&guard->lock);
  g_ptr_array_add (guard->coming, link);
  g_mutex_unlock (&guard->lock);
  wake (guard);
  return ends[1];
}

void
vt_spice_guard_cut (VtSpiceGuard *guard)
{
  g_mutex_lock (&guard->lock);
  guard->cut = true;
  g_mutex_unlock (&guard->lock);
  wake (guard);
}

static bool
load (VtSpiceGuard *guard, const char *cert, const char *key, GError **error)
{
  guard->tls = vitrine_tls (error);
  if (guard->tls)
    guard->server = guard->tls->server_new (cert, key, error);
  return guard->server != NULL;
}

VtSpiceGuard *
vt_spice_guard_new (const char *cert, const char *key, GError **error)
{
  VtSpiceGuard *guard = g_new0 (VtSpiceGuard, 1);

  g_mutex_init (&guard->lock);
  guard->coming = g_ptr_array_new_with_free_func (link_free);
  guard->links = g_ptr_array_new_with_free_func (link_free);
  guard->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (guard->wake < 0)
    vt_set_errno (error, errno, "Remote viewing can't start");
  else if (!cert || load (guard, cert, key, error))
    {
      guard->thread = g_thread_new ("spice-guard", thread_main, guard);
      return guard;
    }
  vt_spice_guard_free (guard);
  return NULL;
}

void
vt_spice_guard_free (VtSpiceGuard *guard)
{
  if (guard->thread)
    {
      g_mutex_lock (&guard->lock);
      guard->quit = true;
      g_mutex_unlock (&guard->lock);
      wake (guard);
      g_thread_join (guard->thread);
    }
  g_ptr_array_unref (guard->links);
  g_ptr_array_unref (guard->coming);
  if (guard->server)
    guard->tls->server_free (guard->server);
  close_fd (&guard->wake);
  g_mutex_clear (&guard->lock);
  g_free (guard);
}
