/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A byte channel over file descriptors. A watch exists only while its event would be acted on, so
 * that neither a full device nor a hung-up peer makes the context spin. A peer that went away only
 * halfway is read to its end, and what it does not take any more waits for the next one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "char/fd.h"

#define READ_MOST 4096

static void update_watches (VtCharFd *c);

/* Backlog -------------------------------------------------------------------------------------- */

static void
backlog_push (VtCharFd *c, const uint8_t *bytes, size_t len)
{
  if (c->backlog_size == 0)
    return;
  if (len > c->backlog_size)
    {
      bytes += len - c->backlog_size;
      len = c->backlog_size;
    }
  if (c->backlog == NULL)
    c->backlog = g_malloc (c->backlog_size);
  for (size_t i = 0; i < len; i++)
    {
      c->backlog[(c->backlog_head + c->backlog_len) % c->backlog_size] = bytes[i];
      if (c->backlog_len < c->backlog_size)
        c->backlog_len++;
      else
        c->backlog_head = (c->backlog_head + 1) % c->backlog_size;
    }
}

/* Writing -------------------------------------------------------------------------------------- */

/* A write to a pipe without a reader raises SIGPIPE in this thread. The program's disposition is not
 * a library's to change, so the signal is blocked for the call and taken away. */
static ssize_t
write_pipe (int fd, const uint8_t *bytes, size_t len)
{
  sigset_t        pipe_set, old, pending;
  struct timespec none = { 0 };
  ssize_t         n;
  int             err;

  sigemptyset (&pipe_set);
  sigaddset (&pipe_set, SIGPIPE);
  sigpending (&pending);
  pthread_sigmask (SIG_BLOCK, &pipe_set, &old);
  n = write (fd, bytes, len);
  err = errno;
  if (n < 0 && err == EPIPE && !sigismember (&pending, SIGPIPE))
    while (sigtimedwait (&pipe_set, NULL, &none) < 0 && errno == EINTR)
      ;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  errno = err;
  return n;
}

static ssize_t
write_some (VtCharFd *c, const uint8_t *bytes, size_t len)
{
  ssize_t n;

  do
    {
      if (c->out_careful)
        {
          struct pollfd p = { .fd = c->out, .events = POLLOUT };

          if (poll (&p, 1, 0) == 0)
            {
              errno = EAGAIN;
              return -1;
            }
          len = 1;
        }
      if (c->out_pipe)
        n = write_pipe (c->out, bytes, len);
      else if (c->out_socket)
        n = send (c->out, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
      else
        n = write (c->out, bytes, len);
    }
  while (n < 0 && errno == EINTR);
  return n;
}

/* Writes what the peer takes. Returns the count; fewer than @len only where it would block. */
static size_t
write_out (VtCharFd *c, const uint8_t *bytes, size_t len)
{
  size_t done = 0;

  while (done < len && !c->out_ended)
    {
      ssize_t n = write_some (c, bytes + done, len - done);

      if (n > 0)
        done += (size_t) n;
      else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return done;
      else
        {
          vt_trace (c->chr.name, "can't be written any more: %s", g_strerror (errno));
          c->out_ended = true;
        }
    }
  if (c->out_ended)
    backlog_push (c, bytes + done, len - done);
  return len;
}

/* Returns whether nothing is left. */
static bool
flush_backlog (VtCharFd *c)
{
  while (c->backlog_len > 0 && !c->out_ended && c->out >= 0)
    {
      size_t  run = MIN (c->backlog_len, c->backlog_size - c->backlog_head);
      ssize_t n = write_some (c, c->backlog + c->backlog_head, run);

      if (n > 0)
        {
          c->backlog_head = (c->backlog_head + (size_t) n) % c->backlog_size;
          c->backlog_len -= (size_t) n;
        }
      else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
      else
        c->out_ended = true;
    }
  return c->backlog_len == 0;
}

static void
out_cb (void *data, int fd, unsigned events)
{
  VtCharFd *c = data;

  if (!flush_backlog (c) && !c->out_ended)
    return;
  g_clear_pointer (&c->out_watch, vt_watch_free);
  if (c->chr.user != NULL && c->chr.user->writable != NULL)
    c->chr.user->writable (c->chr.user_data);
}

size_t
vt_char_fd_write (VtChar *chr, const uint8_t *bytes, size_t len)
{
  VtCharFd *c = (VtCharFd *) chr;
  size_t    done = 0;

  if (c->out < 0 || c->out_ended)
    {
      backlog_push (c, bytes, len);
      return len;
    }
  if (flush_backlog (c) || c->out_ended)
    done = write_out (c, bytes, len);
  if (done < len && c->out_watch == NULL && chr->context != NULL)
    c->out_watch = vt_watch_new (chr->context, c->out, EPOLLOUT, out_cb, c);
  return done;
}

/* Reading -------------------------------------------------------------------------------------- */

static void
read_in (VtCharFd *c)
{
  const VtCharUser *user = c->chr.user;
  uint8_t           bytes[READ_MOST];
  size_t            room;
  ssize_t           n;

  if (user == NULL || c->in < 0 || c->in_ended)
    return;
  room = MIN (user->room (c->chr.user_data), sizeof bytes);
  if (room == 0)
    {
      /* Until the next poll: a level-triggered event would come again and again. */
      g_clear_pointer (&c->in_watch, vt_watch_free);
      return;
    }
  do
    n = read (c->in, bytes, room);
  while (n < 0 && errno == EINTR);
  if (n > 0)
    {
      user->receive (c->chr.user_data, bytes, (size_t) n);
      if (c->in_kick != NULL)
        vt_kick_signal (c->in_kick);
    }
  else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
    {
      c->in_ended = true;
      g_clear_pointer (&c->in_watch, vt_watch_free);
      if (!c->keep_in)
        vt_char_fd_close (c);
    }
}

static void
in_cb (void *data, int fd, unsigned events)
{
  read_in (data);
}

static void
in_kick_cb (void *data)
{
  read_in (data);
}

void
vt_char_fd_poll (VtChar *chr)
{
  VtCharFd *c = (VtCharFd *) chr;

  update_watches (c);
  if (c->in_kick != NULL)
    vt_kick_signal (c->in_kick);
}

/* Life ----------------------------------------------------------------------------------------- */

static void
update_watches (VtCharFd *c)
{
  bool want = c->chr.user != NULL && c->in >= 0 && !c->in_ended;

  if (want && c->in_plain && c->in_kick == NULL)
    {
      c->in_kick = vt_kick_new (c->chr.context, in_kick_cb, c);
      vt_kick_signal (c->in_kick);
    }
  else if (want && !c->in_plain && c->in_watch == NULL)
    c->in_watch = vt_watch_new (c->chr.context, c->in, EPOLLIN, in_cb, c);
}

static void
drop_watches (VtCharFd *c)
{
  g_clear_pointer (&c->in_watch, vt_watch_free);
  g_clear_pointer (&c->out_watch, vt_watch_free);
  g_clear_pointer (&c->in_kick, vt_kick_free);
}

void
vt_char_fd_attached (VtChar *chr, bool attached)
{
  VtCharFd *c = (VtCharFd *) chr;

  drop_watches (c);
  if (attached)
    update_watches (c);
}

/* Regular files and some devices refuse epoll: they never block. */
static bool
is_plain (int fd)
{
  struct epoll_event event = { .events = EPOLLIN };
  int                set = epoll_create1 (EPOLL_CLOEXEC);
  bool               plain = epoll_ctl (set, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EPERM;

  close (set);
  return plain;
}

bool
vt_char_fd_is_open (const VtCharFd *c)
{
  return c->in >= 0 || c->out >= 0;
}

void
vt_char_fd_open (VtCharFd *c, int in, int out)
{
  struct stat st;

  c->in = in;
  c->out = out;
  c->in_ended = c->out_ended = false;
  c->in_plain = in >= 0 && is_plain (in);
  c->out_pipe = c->out_socket = false;
  if (out >= 0 && fstat (out, &st) == 0)
    {
      c->out_pipe = S_ISFIFO (st.st_mode);
      c->out_socket = S_ISSOCK (st.st_mode);
    }
  update_watches (c);
  if (c->chr.user != NULL && c->chr.user->opened != NULL)
    c->chr.user->opened (c->chr.user_data, true);
  if (!flush_backlog (c) && !c->out_ended && c->out >= 0 && c->chr.context != NULL &&
      c->out_watch == NULL)
    c->out_watch = vt_watch_new (c->chr.context, c->out, EPOLLOUT, out_cb, c);
}

static void
close_fds (VtCharFd *c)
{
  drop_watches (c);
  if (c->in >= 0)
    close (c->in);
  if (c->out >= 0)
    close (c->out);
  c->in = c->out = -1;
}

void
vt_char_fd_close (VtCharFd *c)
{
  bool waited = c->out_watch != NULL;

  if (!vt_char_fd_is_open (c))
    return;
  close_fds (c);
  if (c->peer_gone != NULL)
    c->peer_gone (&c->chr);
  if (c->chr.user == NULL)
    return;
  if (c->chr.user->opened != NULL)
    c->chr.user->opened (c->chr.user_data, false);
  /* Who waited for this peer may write into the backlog now. */
  if (waited && c->chr.user->writable != NULL)
    c->chr.user->writable (c->chr.user_data);
}

void
vt_char_fd_init (VtCharFd *c, const VtCharOps *ops, char *name, size_t backlog)
{
  c->chr.ops = ops;
  c->chr.name = name;
  c->in = c->out = -1;
  c->backlog_size = backlog;
}

void
vt_char_fd_finish (VtCharFd *c)
{
  close_fds (c);
  g_free (c->backlog);
  g_free (c->chr.name);
}
