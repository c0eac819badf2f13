/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A byte channel over the standard streams. A terminal is made raw, but for the keys that signal
 * (Ctrl-C ends the program as ever), and gets its mode back however the program ends: a small child
 * process waits for that on a socket, which also a crash or a SIGKILL closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "char/fd.h"

typedef struct
{
  VtCharFd       c;
  bool           raw;
  struct termios mode;    /* As it was. */
  int            keeper;  /* Our end of its socket, or -1. */
  pid_t          keeper_pid;
} StdioChar;

/* Waits for the parent's end. In the child of a program with threads: only async-signal-safe calls. */
static void G_GNUC_NORETURN
keep_terminal (int parent, const struct termios *mode)
{
  char    c;
  ssize_t n;

  /* A session of its own: no signal of the terminal reaches it, and it may set the mode though it
   * is not in the foreground. */
  setsid ();
  if (dup2 (parent, 3) < 0)
    _exit (1);
  close (1);
  close (2);
  close_range (4, ~0U, 0);
  do
    n = read (3, &c, 1);
  while (n < 0 && errno == EINTR);
  if (n == 0)
    tcsetattr (0, TCSANOW, mode);
  _exit (0);
}

static void
start_keeper (StdioChar *s)
{
  int ends[2];

  s->keeper = -1;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return;
  s->keeper_pid = fork ();
  if (s->keeper_pid == 0)
    {
      close (ends[1]);
      keep_terminal (ends[0], &s->mode);
    }
  close (ends[0]);
  if (s->keeper_pid < 0)
    close (ends[1]);
  else
    s->keeper = ends[1];
}

static void
stop_keeper (StdioChar *s)
{
  if (s->keeper < 0)
    return;
  /* A byte: the mode has been restored here, go quietly. */
  while (send (s->keeper, "", 1, MSG_NOSIGNAL) < 0 && errno == EINTR)
    ;
  close (s->keeper);
  while (waitpid (s->keeper_pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

static void
stdio_close (VtChar *chr)
{
  StdioChar *s = (StdioChar *) chr;

  if (s->raw)
    {
      tcsetattr (0, TCSADRAIN, &s->mode);
      stop_keeper (s);
    }
  vt_char_fd_finish (&s->c);
  g_free (s);
}

static const VtCharOps stdio_ops = {
  .write = vt_char_fd_write,
  .poll = vt_char_fd_poll,
  .attached = vt_char_fd_attached,
  .close = stdio_close,
};

/* A descriptor for the same stream that does not block. O_NONBLOCK belongs to the open file, which
 * the shell shares, so terminals and pipes are opened anew; -1 where that can't be. */
static int
own (int fd, int flags, bool *careful)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  struct stat      st;
  int              mine = -1;

  if (fstat (fd, &st) < 0)
    return -1;
  if (S_ISCHR (st.st_mode) || S_ISFIFO (st.st_mode))
    {
      mine = open (path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
      *careful = mine < 0;
    }
  return mine >= 0 ? mine : fcntl (fd, F_DUPFD_CLOEXEC, 3);
}

static void
make_raw (StdioChar *s)
{
  struct termios mode;

  if (!isatty (0) || tcgetattr (0, &s->mode) < 0)
    return;
  start_keeper (s);
  mode = s->mode;
  cfmakeraw (&mode);
  mode.c_lflag |= ISIG;
  /* Messages of this program end in a bare newline. */
  mode.c_oflag |= OPOST;
  s->raw = tcsetattr (0, TCSADRAIN, &mode) == 0;
  if (!s->raw)
    stop_keeper (s);
}

VtChar *
vt_char_new_stdio (GError **error)
{
  bool       in_careful = false, out_careful = false;
  int        in = own (0, O_RDONLY, &in_careful);
  int        out = own (1, O_WRONLY, &out_careful);
  StdioChar *s;

  if (in < 0 && out < 0)
    {
      vt_set_error (error, VITRINE_ERROR_STATE,
                    "The standard input and output are closed: run the program from a terminal, or "
                    "choose a file or a pty for the serial port");
      return NULL;
    }
  s = g_new0 (StdioChar, 1);
  s->keeper = -1;
  make_raw (s);
  vt_char_fd_init (&s->c, &stdio_ops, g_strdup ("the standard streams"), 0);
  s->c.keep_in = true;
  s->c.out_careful = out_careful;
  vt_char_fd_open (&s->c, in, out);
  return &s->c.chr;
}
