/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The byte channels, each against the real thing at the other end.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "vt-char.h"

/* A device that takes @room bytes. */
typedef struct
{
  VtContext *context;
  VtChar    *chr;
  GString   *got;
  size_t     room;
  unsigned   writable, opened, closed;
} User;

static size_t
room_cb (void *data)
{
  return ((User *) data)->room;
}

static void
receive_cb (void *data, const uint8_t *bytes, size_t len)
{
  User *u = data;

  g_assert_cmpuint (len, <=, u->room);
  u->room -= len;
  g_string_append_len (u->got, (const char *) bytes, (gssize) len);
}

static void
writable_cb (void *data)
{
  ((User *) data)->writable++;
}

static void
opened_cb (void *data, bool open)
{
  if (open)
    ((User *) data)->opened++;
  else
    ((User *) data)->closed++;
}

static const VtCharUser user_ops = {
  .room = room_cb,
  .receive = receive_cb,
  .writable = writable_cb,
  .opened = opened_cb,
};

static void
user_init (User *u, VtChar *chr)
{
  g_assert_nonnull (chr);
  *u = (User){ .context = vt_context_new_manual (), .chr = chr, .room = 1000000 };
  u->got = g_string_new (NULL);
  vt_char_attach (chr, u->context, &user_ops, u);
}

static void
user_finish (User *u)
{
  vt_char_attach (u->chr, NULL, NULL, NULL);
  vt_char_close (u->chr);
  vt_context_free (u->context);
  g_string_free (u->got, TRUE);
}

static size_t
put (User *u, const char *text)
{
  return vt_char_write (u->chr, (const uint8_t *) text, strlen (text));
}

/* Lets the context run until @condition; fails after ten seconds. */
#define RUN_UNTIL(u, condition)                                                                    \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 end_ = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;                                   \
    while (!(condition))                                                                           \
      {                                                                                            \
        g_assert_cmpint (g_get_monotonic_time (), <, end_);                                        \
        if (!vt_context_dispatch ((u)->context))                                                   \
          g_usleep (1000);                                                                         \
      }                                                                                            \
  }                                                                                                \
  G_STMT_END

/* What waits at @fd, at most @len bytes; waits for the first. */
static char *
read_text (int fd, size_t len)
{
  struct pollfd p = { .fd = fd, .events = POLLIN };
  char         *text = g_malloc0 (len + 1);
  size_t        done = 0;

  while (done < len && poll (&p, 1, 5000) > 0)
    {
      ssize_t n = read (fd, text + done, len - done);

      if (n <= 0)
        break;
      done += (size_t) n;
    }
  return text;
}

static void
assert_reads (int fd, const char *expected)
{
  g_autofree char *text = read_text (fd, strlen (expected));

  g_assert_cmpstr (text, ==, expected);
}

static char *
temporary (void)
{
  g_autoptr (GError) error = NULL;
  char *dir = g_dir_make_tmp ("vitrine-char-XXXXXX", &error);

  g_assert_no_error (error);
  return dir;
}

static void
test_null (void)
{
  vt_char_poll (NULL);
  vt_char_close (NULL);
  vt_char_attach (NULL, NULL, NULL, NULL);
  g_assert_cmpuint (vt_char_write (NULL, (const uint8_t *) "abc", 3), ==, 3);
}

static void
test_memory (void)
{
  VtChar     *chr = vt_char_new_memory ();
  GByteArray *output = vt_char_memory_output (chr);
  User        u;

  vt_char_memory_feed (chr, "early", 5);
  user_init (&u, chr);
  u.room = 3;
  vt_char_poll (chr);
  g_assert_cmpstr (u.got->str, ==, "ear");
  vt_char_memory_feed (chr, "late", 4);
  u.room = 100;
  vt_char_poll (chr);
  g_assert_cmpstr (u.got->str, ==, "earlylate");
  g_assert_cmpuint (put (&u, "out"), ==, 3);
  g_assert_cmpmem (output->data, output->len, "out", 3);
  user_finish (&u);
}

static void
test_file (void)
{
  g_autofree char *dir = temporary ();
  g_autofree char *path = g_build_filename (dir, "log", NULL);
  g_autofree char *nowhere = g_build_filename (dir, "no", "such", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  User u;

  g_assert_null (vt_char_new_file (nowhere, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, nowhere));
  g_assert_true (g_file_set_contents (path, "old contents", -1, NULL));
  user_init (&u, vt_char_new_file (path, NULL));
  g_assert_cmpuint (put (&u, "one "), ==, 4);
  g_assert_cmpuint (put (&u, "two"), ==, 3);
  vt_char_poll (u.chr);
  user_finish (&u);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "one two");
  g_remove (path);
  g_rmdir (dir);
}

static void
test_full_disk (void)
{
  User u;

  user_init (&u, vt_char_new_file ("/dev/full", NULL));
  /* The guest's words are lost, its time isn't. */
  g_assert_cmpuint (put (&u, "lost"), ==, 4);
  g_assert_cmpuint (put (&u, "too"), ==, 3);
  user_finish (&u);
}

/* A FIFO whose reader goes away raises SIGPIPE in whoever writes, unless that is careful. */
static void
test_broken_pipe (void)
{
  g_autofree char *dir = temporary ();
  g_autofree char *path = g_build_filename (dir, "fifo", NULL);
  g_autoptr (GError) error = NULL;
  struct sigaction now;
  User             u;
  int              reader;

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  g_assert_null (vt_char_new_file (path, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE);
  reader = open (path, O_RDONLY | O_NONBLOCK);
  user_init (&u, vt_char_new_file (path, NULL));
  signal (SIGPIPE, SIG_DFL);
  g_assert_cmpuint (put (&u, "abc"), ==, 3);
  assert_reads (reader, "abc");
  close (reader);
  g_assert_cmpuint (put (&u, "def"), ==, 3);
  g_assert_cmpuint (put (&u, "ghi"), ==, 3);
  /* The program's own disposition is as it was. */
  sigaction (SIGPIPE, NULL, &now);
  g_assert_true (now.sa_handler == SIG_DFL);
  user_finish (&u);
  g_remove (path);
  g_rmdir (dir);
}

static int
connect_to (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int                fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (connect (fd, (const struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

static void
test_socket (void)
{
  g_autofree char *dir = temporary ();
  g_autofree char *path = g_build_filename (dir, "serial", NULL);
  struct stat      st;
  User             u;
  int              peer, second;
  char             c;

  user_init (&u, vt_char_new_socket (path, 8, NULL));
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmphex (st.st_mode & 0777, ==, 0600);
  /* What is written before anybody comes: the newest eight bytes. */
  g_assert_cmpuint (put (&u, "0123"), ==, 4);
  g_assert_cmpuint (put (&u, "456789"), ==, 6);
  peer = connect_to (path);
  RUN_UNTIL (&u, u.opened == 1);
  assert_reads (peer, "23456789");
  g_assert_cmpuint (put (&u, "hello"), ==, 5);
  assert_reads (peer, "hello");
  g_assert_cmpint (write (peer, "typed", 5), ==, 5);
  RUN_UNTIL (&u, u.got->len == 5);
  g_assert_cmpstr (u.got->str, ==, "typed");

  /* A second peer is shown the door. */
  second = connect_to (path);
  vt_context_dispatch (u.context);
  g_assert_cmpint (read (second, &c, 1), ==, 0);
  close (second);

  /* The peer goes; the next one finds what was said meanwhile. */
  close (peer);
  RUN_UNTIL (&u, u.closed == 1);
  g_assert_cmpuint (put (&u, "meantime"), ==, 8);
  peer = connect_to (path);
  RUN_UNTIL (&u, u.opened == 2);
  assert_reads (peer, "meantime");
  close (peer);
  user_finish (&u);
  g_assert_cmpint (stat (path, &st), ==, -1);
  g_rmdir (dir);
}

/* A peer that says much and hangs up at once is heard to its end by a device that takes little. */
static void
test_socket_slow_device (void)
{
  g_autofree char *dir = temporary ();
  g_autofree char *path = g_build_filename (dir, "serial", NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  User     u;
  int      peer;
  unsigned spins = 0;

  user_init (&u, vt_char_new_socket (path, 0, NULL));
  for (unsigned i = 0; i < 500; i++)
    g_string_append_printf (text, "%u,", i);
  peer = connect_to (path);
  g_assert_cmpint (write (peer, text->str, text->len), ==, (ssize_t) text->len);
  close (peer);
  u.room = 0;
  while (vt_context_dispatch (u.context))
    g_assert_cmpuint (spins++, <, 100); /* A hang-up must not be news for ever. */
  /* The device says something, too, to one that listens no more. */
  g_assert_cmpuint (put (&u, "anybody?"), ==, 8);
  while (u.got->len < text->len)
    {
      size_t before = u.got->len;

      u.room = 16;
      vt_char_poll (u.chr);
      RUN_UNTIL (&u, u.got->len > before);
    }
  g_assert_cmpstr (u.got->str, ==, text->str);
  u.room = 1;
  vt_char_poll (u.chr);
  RUN_UNTIL (&u, u.closed == 1);
  user_finish (&u);
  g_rmdir (dir);
}

static void
test_socket_slow_peer (void)
{
  g_autofree char *dir = temporary ();
  g_autofree char *path = g_build_filename (dir, "serial", NULL);
  uint8_t          block[1024];
  size_t           sent = 0, seen = 0, n;
  User             u;
  int              peer;

  user_init (&u, vt_char_new_socket (path, 100, NULL));
  peer = connect_to (path);
  RUN_UNTIL (&u, u.opened == 1);
  memset (block, 'x', sizeof block);
  do
    {
      n = vt_char_write (u.chr, block, sizeof block);
      sent += n;
      g_assert_cmpuint (sent, <, 64 * 1024 * 1024);
    }
  while (n == sizeof block);
  g_assert_cmpuint (u.writable, ==, 0);
  while (u.writable == 0)
    {
      ssize_t got = read (peer, block, sizeof block);

      g_assert_cmpint (got, >, 0);
      seen += (size_t) got;
      vt_context_dispatch (u.context);
    }
  g_assert_cmpuint (put (&u, "end"), ==, 3);
  sent += 3;
  while (seen < sent)
    {
      ssize_t got = read (peer, block, sizeof block);

      g_assert_cmpint (got, >, 0);
      seen += (size_t) got;
    }
  g_assert_cmpuint (seen, ==, sent);

  /* One that goes while the device waits for it wakes the device. */
  memset (block, 'y', sizeof block);
  while (vt_char_write (u.chr, block, sizeof block) == sizeof block)
    ;
  u.writable = 0;
  close (peer);
  RUN_UNTIL (&u, u.writable == 1);
  g_assert_cmpuint (vt_char_write (u.chr, block, sizeof block), ==, sizeof block);
  user_finish (&u);
  g_rmdir (dir);
}

static void
test_socket_errors (void)
{
  g_autofree char *dir = temporary ();
  g_autofree char *path = g_build_filename (dir, "serial", NULL);
  g_autofree char *long_name = g_strnfill (120, 'a');
  g_autoptr (GError) error = NULL;
  VtChar *first, *again;
  int     stale;

  g_assert_null (vt_char_new_socket (long_name, 0, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);
  /* A file that is no socket is not removed. */
  g_assert_true (g_file_set_contents (path, "precious", -1, NULL));
  g_assert_null (vt_char_new_socket (path, 0, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_EXISTS);
  g_clear_error (&error);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  g_remove (path);
  first = vt_char_new_socket (path, 0, NULL);
  g_assert_null (vt_char_new_socket (path, 0, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_BUSY);
  vt_char_close (first);
  /* What a crash left behind is. */
  {
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_strlcpy (address.sun_path, path, sizeof address.sun_path);
    stale = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint (bind (stale, (const struct sockaddr *) &address, sizeof address), ==, 0);
    close (stale);
  }
  again = vt_char_new_socket (path, 0, NULL);
  g_assert_nonnull (again);
  vt_char_close (again);
  g_rmdir (dir);
}

static void
test_pty (void)
{
  User           u;
  int            terminal;
  struct termios mode;
  unsigned       spins = 0;

  user_init (&u, vt_char_new_pty (NULL));
  g_assert_true (g_str_has_prefix (u.chr->name, "/dev/pts/"));
  g_assert_cmpuint (put (&u, "before\r\n"), ==, 8);
  while (vt_context_dispatch (u.context))
    g_assert_cmpuint (spins++, <, 100);
  g_assert_cmpuint (u.opened, ==, 0);
  terminal = open (u.chr->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  g_assert_cmpint (terminal, >=, 0);
  RUN_UNTIL (&u, u.opened == 1);
  assert_reads (terminal, "before\r\n");
  g_assert_cmpint (tcgetattr (terminal, &mode), ==, 0);
  g_assert_cmphex (mode.c_lflag & (ECHO | ICANON | ISIG), ==, 0);
  g_assert_cmpint (write (terminal, "\003typed\n", 7), ==, 7);
  RUN_UNTIL (&u, u.got->len == 7);
  g_assert_cmpstr (u.got->str, ==, "\003typed\n");
  g_assert_cmpuint (put (&u, "now"), ==, 3);
  assert_reads (terminal, "now");

  close (terminal);
  RUN_UNTIL (&u, u.closed == 1);
  spins = 0;
  while (vt_context_dispatch (u.context))
    g_assert_cmpuint (spins++, <, 100);
  g_assert_cmpuint (put (&u, "later"), ==, 5);
  terminal = open (u.chr->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  RUN_UNTIL (&u, u.opened == 2);
  assert_reads (terminal, "later");
  close (terminal);
  user_finish (&u);
}

/* The standard streams are the process's, so each case runs in a child of its own. */
static bool
in_child (void (*func) (int channel), int in, int out, int channel)
{
  pid_t child = fork ();
  int   status;

  if (child == 0)
    {
      dup2 (in, 0);
      dup2 (out, 1);
      func (channel);
      _exit (0);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  return WIFEXITED (status) && WEXITSTATUS (status) == 0;
}

static void
pipe_child (int channel)
{
  User u;

  user_init (&u, vt_char_new_stdio (NULL));
  RUN_UNTIL (&u, u.got->len == 5);
  if (strcmp (u.got->str, "input") != 0 || put (&u, "output") != 6)
    _exit (1);
  /* The other end has closed by now: that is quiet. */
  vt_context_dispatch (u.context);
  user_finish (&u);
  /* The parent's open file still blocks. */
  if ((fcntl (0, F_GETFL) & O_NONBLOCK) != 0 || (fcntl (1, F_GETFL) & O_NONBLOCK) != 0)
    _exit (2);
}

static void
test_stdio_pipes (void)
{
  int in[2], out[2];

  g_assert_cmpint (pipe2 (in, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (out, O_CLOEXEC), ==, 0);
  g_assert_cmpint (write (in[1], "input", 5), ==, 5);
  close (in[1]);
  g_assert_true (in_child (pipe_child, in[0], out[1], -1));
  close (out[1]);
  assert_reads (out[0], "output");
  close (in[0]);
  close (out[0]);
}

static void
test_stdio_files (void)
{
  g_autofree char *dir = temporary ();
  g_autofree char *from = g_build_filename (dir, "in", NULL);
  g_autofree char *to = g_build_filename (dir, "out", NULL);
  g_autofree char *text = NULL;
  int              in, out;

  g_assert_true (g_file_set_contents (from, "input", -1, NULL));
  in = open (from, O_RDONLY | O_CLOEXEC);
  out = open (to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  g_assert_true (in_child (pipe_child, in, out, -1));
  g_assert_true (g_file_get_contents (to, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "output");
  close (in);
  close (out);
  g_remove (from);
  g_remove (to);
  g_rmdir (dir);
}

static void
closed_child (int channel)
{
  g_autoptr (GError) error = NULL;

  close (0);
  close (1);
  if (vt_char_new_stdio (&error) != NULL || error == NULL)
    _exit (1);
}

static void
test_stdio_closed (void)
{
  g_assert_true (in_child (closed_child, 0, 1, -1));
}

static bool
is_raw (int terminal)
{
  struct termios mode;

  g_assert_cmpint (tcgetattr (terminal, &mode), ==, 0);
  return (mode.c_lflag & ICANON) == 0;
}

static void
tty_child (int channel)
{
  User u;
  char how;

  user_init (&u, vt_char_new_stdio (NULL));
  if (!is_raw (0) || put (&u, "guest") != 5 || write (channel, "r", 1) != 1 ||
      read (channel, &how, 1) != 1)
    _exit (1);
  if (how == 'k')
    kill (getpid (), SIGKILL);
  if (how == 'a')
    abort ();
  user_finish (&u);
  if (is_raw (0))
    _exit (2);
}

/* However the program ends, its terminal is as it was. */
static void
test_stdio_terminal (void)
{
  static const char how[] = { 'q', 'k', 'a' };

  for (unsigned i = 0; i < sizeof how; i++)
    {
      int    master = posix_openpt (O_RDWR | O_NOCTTY | O_CLOEXEC), terminal, channel[2], status;
      char   c;
      pid_t  child;
      gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;

      g_assert_cmpint (grantpt (master) | unlockpt (master), ==, 0);
      terminal = open (ptsname (master), O_RDWR | O_NOCTTY | O_CLOEXEC);
      g_assert_false (is_raw (terminal));
      g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), ==, 0);
      child = fork ();
      if (child == 0)
        {
          dup2 (terminal, 0);
          dup2 (terminal, 1);
          tty_child (channel[1]);
          _exit (0);
        }
      close (channel[1]);
      g_assert_cmpint (read (channel[0], &c, 1), ==, 1);
      g_assert_true (is_raw (terminal));
      assert_reads (master, "guest");
      g_assert_cmpint (write (channel[0], &how[i], 1), ==, 1);
      g_assert_cmpint (waitpid (child, &status, 0), ==, child);
      g_assert_cmpint (how[i] == 'q' ? WEXITSTATUS (status) : WIFSIGNALED (status), ==,
                       how[i] == 'q' ? 0 : 1);
      while (is_raw (terminal))
        {
          g_assert_cmpint (g_get_monotonic_time (), <, end);
          g_usleep (1000);
        }
      close (channel[0]);
      close (terminal);
      close (master);
    }
}

static void
test_cloexec (void)
{
  g_autofree char *dir = temporary ();
  g_autofree char *path = g_build_filename (dir, "serial", NULL);
  g_autofree char *log = g_build_filename (dir, "log", NULL);
  User             socket_user, pty_user, file_user;
  int              peer, terminal;

  user_init (&socket_user, vt_char_new_socket (path, 8, NULL));
  user_init (&pty_user, vt_char_new_pty (NULL));
  user_init (&file_user, vt_char_new_file (log, NULL));
  peer = connect_to (path);
  terminal = open (pty_user.chr->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  RUN_UNTIL (&socket_user, socket_user.opened == 1);
  RUN_UNTIL (&pty_user, pty_user.opened == 1);
  for (int fd = 3; fd < 256; fd++)
    {
      int flags = fcntl (fd, F_GETFD);

      if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
        {
          g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);
          g_autofree char *target = g_file_read_link (link, NULL);

          /* What the test's own parent handed down does not count. */
          g_assert_false (g_str_has_prefix (target, dir) || g_str_has_prefix (target, "/dev/pt"));
        }
    }
  close (peer);
  close (terminal);
  user_finish (&socket_user);
  user_finish (&pty_user);
  user_finish (&file_user);
  g_remove (log);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/char/null", test_null);
  g_test_add_func ("/char/memory", test_memory);
  g_test_add_func ("/char/file", test_file);
  g_test_add_func ("/char/full-disk", test_full_disk);
  g_test_add_func ("/char/broken-pipe", test_broken_pipe);
  g_test_add_func ("/char/socket", test_socket);
  g_test_add_func ("/char/socket-slow-device", test_socket_slow_device);
  g_test_add_func ("/char/socket-slow-peer", test_socket_slow_peer);
  g_test_add_func ("/char/socket-errors", test_socket_errors);
  g_test_add_func ("/char/pty", test_pty);
  g_test_add_func ("/char/stdio-pipes", test_stdio_pipes);
  g_test_add_func ("/char/stdio-files", test_stdio_files);
  g_test_add_func ("/char/stdio-closed", test_stdio_closed);
  g_test_add_func ("/char/stdio-terminal", test_stdio_terminal);
  g_test_add_func ("/char/cloexec", test_cloexec);
  return g_test_run ();
}
