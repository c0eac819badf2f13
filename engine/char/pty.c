/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A byte channel over a pseudo-terminal. The other side may be opened and closed at any time; what
 * the guest writes while it is closed is kept, up to a bound, for who opens it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <termios.h>
#include <unistd.h>

#include "char/fd.h"

#define BACKLOG (64 * 1024)

/* While no program has the terminal open its master reports a hang-up that can't be masked, and
 * nothing wakes a watch when one opens it: inotify on the terminal's path tells. */
typedef struct
{
  VtCharFd c;
  int      master, notify;
  VtWatch *notify_watch;
} PtyChar;

static void
look (PtyChar *pty)
{
  struct pollfd p = { .fd = pty->master, .events = POLLIN };
  int           in, out;

  if (vt_char_fd_is_open (&pty->c) || poll (&p, 1, 0) < 0 || (p.revents & POLLHUP) != 0)
    return;
  in = fcntl (pty->master, F_DUPFD_CLOEXEC, 0);
  out = fcntl (pty->master, F_DUPFD_CLOEXEC, 0);
  if (in >= 0 && out >= 0)
    {
      vt_char_fd_open (&pty->c, in, out);
      return;
    }
  if (in >= 0)
    close (in);
  if (out >= 0)
    close (out);
}

static void
notify_cb (void *data, int fd, unsigned events)
{
  PtyChar *pty = data;
  uint8_t  buffer[4096] __attribute__ ((aligned (8)));

  while (read (fd, buffer, sizeof buffer) > 0)
    ;
  look (pty);
}

static void
pty_attached (VtChar *chr, bool attached)
{
  PtyChar *pty = (PtyChar *) chr;

  g_clear_pointer (&pty->notify_watch, vt_watch_free);
  vt_char_fd_attached (chr, attached);
  if (!attached)
    return;
  pty->notify_watch = vt_watch_new (chr->context, pty->notify, EPOLLIN, notify_cb, pty);
  look (pty);
}

/* The peer may have been followed by another before its end was seen. */
static void
peer_gone (VtChar *chr)
{
  if (chr->user != NULL)
    look ((PtyChar *) chr);
}

static void
pty_close (VtChar *chr)
{
  PtyChar *pty = (PtyChar *) chr;

  close (pty->master);
  close (pty->notify);
  vt_char_fd_finish (&pty->c);
  g_free (pty);
}

static const VtCharOps pty_ops = {
  .write = vt_char_fd_write,
  .poll = vt_char_fd_poll,
  .attached = pty_attached,
  .close = pty_close,
};

/* Who opens it gets the guest's bytes as they are, unless it says otherwise. */
static bool
make_raw (const char *path)
{
  int            fd = open (path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios mode;
  bool           ok;

  if (fd < 0)
    return false;
  ok = tcgetattr (fd, &mode) == 0;
  cfmakeraw (&mode);
  ok = ok && tcsetattr (fd, TCSANOW, &mode) == 0;
  close (fd);
  return ok;
}

VtChar *
vt_char_new_pty (GError **error)
{
  int      master = posix_openpt (O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  int      notify = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  char     path[64];
  PtyChar *pty;

  if (master < 0 || notify < 0 || grantpt (master) < 0 || unlockpt (master) < 0 ||
      ptsname_r (master, path, sizeof path) != 0 || !make_raw (path) ||
      inotify_add_watch (notify, path, IN_OPEN | IN_CLOSE) < 0)
    {
      vt_set_errno (error, errno, "No pseudo-terminal can be had");
      if (master >= 0)
        close (master);
      if (notify >= 0)
        close (notify);
      return NULL;
    }
  pty = g_new0 (PtyChar, 1);
  vt_char_fd_init (&pty->c, &pty_ops, g_strdup (path), BACKLOG);
  pty->c.peer_gone = peer_gone;
  pty->master = master;
  pty->notify = notify;
  return &pty->c.chr;
}
