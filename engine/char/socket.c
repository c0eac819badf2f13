/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A byte channel over a UNIX socket that listens; one peer at a time. A second one is shown the
 * door rather than left to wait in silence.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "char/fd.h"

typedef struct
{
  VtCharFd c;
  char    *path;
  int      listener;
  VtWatch *listen_watch;
} SocketChar;

static void
accept_cb (void *data, int fd, unsigned events)
{
  SocketChar *s = data;
  int         peer = accept4 (fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), twin;

  if (peer < 0)
    {
      /* Out of descriptors, the listener would stay ready for ever. */
      if (errno == EMFILE || errno == ENFILE)
        {
          vt_trace (s->path, "no descriptor is left for a peer");
          g_clear_pointer (&s->listen_watch, vt_watch_free);
        }
      return;
    }
  twin = vt_char_fd_is_open (&s->c) ? -1 : fcntl (peer, F_DUPFD_CLOEXEC, 0);
  if (twin < 0)
    {
      close (peer);
      return;
    }
  vt_char_fd_open (&s->c, peer, twin);
}

static void
peer_gone (VtChar *chr)
{
  SocketChar *s = (SocketChar *) chr;

  if (chr->user != NULL && s->listen_watch == NULL)
    s->listen_watch = vt_watch_new (chr->context, s->listener, EPOLLIN, accept_cb, s);
}

static void
socket_attached (VtChar *chr, bool attached)
{
  SocketChar *s = (SocketChar *) chr;

  g_clear_pointer (&s->listen_watch, vt_watch_free);
  if (attached)
    s->listen_watch = vt_watch_new (chr->context, s->listener, EPOLLIN, accept_cb, s);
  vt_char_fd_attached (chr, attached);
}

static void
socket_close (VtChar *chr)
{
  SocketChar *s = (SocketChar *) chr;

  unlink (s->path);
  close (s->listener);
  g_free (s->path);
  vt_char_fd_finish (&s->c);
  g_free (s);
}

static const VtCharOps socket_ops = {
  .write = vt_char_fd_write,
  .poll = vt_char_fd_poll,
  .attached = socket_attached,
  .close = socket_close,
};

/* A socket file that a crash left behind refuses connections, and may go. */
static bool
remove_stale (const struct sockaddr_un *address, GError **error)
{
  const char *path = address->sun_path;
  struct stat st;
  int         probe, err;

  if (lstat (path, &st) < 0)
    return true;
  if (!S_ISSOCK (st.st_mode))
    return vt_set_error (error, VITRINE_ERROR_EXISTS,
                         "“%s” exists and is not a socket: choose another path or remove it", path);
  probe = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  err = connect (probe, (const struct sockaddr *) address, sizeof *address) < 0 ? errno : 0;
  close (probe);
  if (err != ECONNREFUSED)
    return vt_set_error (error, VITRINE_ERROR_BUSY,
                         "Another program listens at “%s”: end it or choose another path", path);
  unlink (path);
  return true;
}

VtChar *
vt_char_new_socket (const char *path, size_t backlog, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  SocketChar        *s;
  int                fd;

  if (strlen (path) >= sizeof address.sun_path)
    {
      vt_set_error (error, VITRINE_ERROR_INVALID,
                    "The socket path “%s” is longer than %zu bytes: choose a shorter one", path,
                    sizeof address.sun_path - 1);
      return NULL;
    }
  strcpy (address.sun_path, path);
  if (!remove_stale (&address, error))
    return NULL;
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  /* The mode that the file gets at bind: the guest's console is its owner's alone. */
  if (fd >= 0)
    fchmod (fd, 0600);
  if (fd < 0 || bind (fd, (const struct sockaddr *) &address, sizeof address) < 0 ||
      listen (fd, 4) < 0)
    {
      vt_set_errno (error, errno, "No socket can listen at “%s”", path);
      if (fd >= 0)
        close (fd);
      return NULL;
    }
  s = g_new0 (SocketChar, 1);
  vt_char_fd_init (&s->c, &socket_ops, g_strdup (path), backlog);
  s->c.peer_gone = peer_gone;
  s->path = g_strdup (path);
  s->listener = fd;
  return &s->c.chr;
}
