/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Starts the process of a machine and waits for its word: "ok", or an error's code and sentence,
 * through a pipe that ends with the process.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Where the child finds the pipe. */
#define READY_FD 3

#define MAX_WORD 8192

#define LOG_FILE "log.txt"
#define OLD_LOG_FILE "log.old.txt"

void
vt_control_tell_started (int fd, const GError *error)
{
  g_autofree char *text = error ? g_strdup_printf ("%d %s\n", error->code, error->message)
                                : g_strdup ("ok\n");
  /* Whoever waited may be gone: that is no failure of the machine (SIGPIPE is ignored). */
  if (write (fd, text, strlen (text)) < 0)
    g_debug ("nobody waits for the start: %s", g_strerror (errno));
  close (fd);
}

/* A session of its own: closing the terminal doesn't end the machine. */
static void
child_setup_cb (gpointer data)
{
  setsid ();
}

/* TRUE: "ok" was said. */
static bool
hear (int fd, const char *folder, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[1024];
  while (text->len < MAX_WORD)
    {
      ssize_t n = read (fd, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        break;
      g_string_append_len (text, buffer, n);
    }
  if (g_str_equal (text->str, "ok\n"))
    return true;
  char   *rest;
  guint64 code = g_ascii_strtoull (text->str, &rest, 10);
  if (rest == text->str || *rest != ' ' || code > VITRINE_ERROR_STATE)
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED,
                   _("The machine's process ended before the machine ran; %s/%s may tell why."),
                   folder, LOG_FILE);
      return false;
    }
  g_strchomp (rest);
  g_set_error (error, VITRINE_ERROR, (int) code, "%s", rest + 1);
  return false;
}

char *
vt_control_log_path (const char *folder)
{
  return g_build_filename (folder, LOG_FILE, NULL);
}

static int
open_log (const char *folder)
{
  g_autofree char *path = vt_control_log_path (folder);
  g_autofree char *old = g_build_filename (folder, OLD_LOG_FILE, NULL);
  g_rename (path, old);
  return open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

gboolean
vt_control_start (const char *name, const char *folder, gboolean headless, GError **error)
{
  g_autoptr (GError) cause = NULL;
  g_autofree char *program = g_file_read_link ("/proc/self/exe", &cause);
  int              ends[2] = { -1, -1 }, null_fd = -1, log_fd = -1;
  bool             ok = false;
  if (!program || !g_unix_open_pipe (ends, FD_CLOEXEC, &cause))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED, _("Can't start a process: %s."),
                   cause->message);
      return FALSE;
    }
  null_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  log_fd = open_log (folder);
  if (log_fd < 0)
    {
      g_set_error (error, VITRINE_ERROR, (int) vitrine_error_code_from_errno (errno),
                   _("Can't write the log in %s: %s."), folder, g_strerror (errno));
      goto out;
    }
  const char *with_window[] = { program, "run", "--ready-fd=3", "--keep", "--", name, NULL };
  const char *without[]
      = { program, "run", "--ready-fd=3", "--keep", "--headless", "--", name, NULL };
  const int sources[] = { ends[1] }, targets[] = { READY_FD };
  if (!g_spawn_async_with_pipes_and_fds (NULL, headless ? without : with_window, NULL,
                                         G_SPAWN_DEFAULT, child_setup_cb, NULL, null_fd,
                                         log_fd, log_fd, sources, targets, 1, NULL, NULL,
                                         NULL, NULL, &cause))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED, _("Can't start a process: %s."),
                   cause->message);
      goto out;
    }
  close (ends[1]);
  ends[1] = -1;
  ok = hear (ends[0], folder, error);
out:
  for (guint i = 0; i < 2; i++)
    if (ends[i] >= 0)
      close (ends[i]);
  if (null_fd >= 0)
    close (null_fd);
  if (log_fd >= 0)
    close (log_fd);
  return ok;
}
