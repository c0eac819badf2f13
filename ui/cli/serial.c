/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine serial: this terminal at the other end of the guest's serial port.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "control/client.h"
#include "control/library.h"

/* Ctrl+], as telnet has it. */
#define ESCAPE 0x1d

#define BUFFER 4096

/* The socket or terminal at @path; -1 and @error. */
static int
open_port (const char *path, GError **error)
{
  struct stat        st;
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  struct termios     raw;
  int                fd = -1;
  if (stat (path, &st) == 0 && S_ISSOCK (st.st_mode) && strlen (path) < sizeof address.sun_path)
    {
      strcpy (address.sun_path, path);
      fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd >= 0 && connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
        return fd;
    }
  else if (stat (path, &st) == 0 && S_ISCHR (st.st_mode))
    {
      fd = open (path, O_RDWR | O_NOCTTY | O_CLOEXEC);
      if (fd >= 0 && tcgetattr (fd, &raw) == 0)
        {
          cfmakeraw (&raw);
          if (tcsetattr (fd, TCSANOW, &raw) == 0)
            return fd;
        }
    }
  else
    errno = ENOTSUP;
  int err = errno;
  if (fd >= 0)
    close (fd);
  g_set_error (error, VITRINE_ERROR, (int) vitrine_error_code_from_errno (err),
               _("Can't connect to the serial port at %s: %s."), path, g_strerror (err));
  return -1;
}

static bool
write_all (int fd, const char *bytes, size_t len)
{
  while (len)
    {
      ssize_t n = write (fd, bytes, len);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return false;
      bytes += n;
      len -= (size_t) n;
    }
  return true;
}

/* Until either end closes, or the escape comes from a terminal. */
static void
copy (int port, bool terminal)
{
  struct pollfd fds[2] = { { .fd = port, .events = POLLIN },
                           { .fd = STDIN_FILENO, .events = POLLIN } };
  char          buffer[BUFFER];
  for (;;)
    {
      if (poll (fds, 2, -1) < 0)
        {
          if (errno == EINTR)
            continue;
          return;
        }
      if (fds[0].revents)
        {
          ssize_t n = read (port, buffer, sizeof buffer);
          if (n <= 0 || !write_all (STDOUT_FILENO, buffer, (size_t) n))
            return;
        }
      if (fds[1].revents)
        {
          ssize_t     n = read (STDIN_FILENO, buffer, sizeof buffer);
          const char *escape = n > 0 && terminal ? memchr (buffer, ESCAPE, (size_t) n) : NULL;
          if (escape)
            n = escape - buffer;
          if (n > 0 && !write_all (port, buffer, (size_t) n))
            return;
          if (escape)
            return;
          /* From a pipe all has been said, and the guest's answer is still to come. */
          if (n <= 0)
            fds[1].fd = -1;
        }
    }
}

/* (transfer full) */
static char *
port_path (const char *folder, int port, GError **error)
{
  g_autoptr (GDBusConnection) connection = vt_control_connect (folder, error);
  g_autoptr (GVariant) answer = NULL, status = NULL;
  g_autofree char **serials = NULL;
  if (connection)
    answer = vt_control_call (connection, "GetStatus", NULL, VT_CONTROL_TIMEOUT_MS, error);
  if (!answer)
    return NULL;
  g_variant_get (answer, "(@a{sv})", &status);
  g_variant_lookup (status, "serials", "^a&s", &serials);
  if (serials && port >= 0 && (guint) port < g_strv_length (serials) && *serials[port])
    return g_strdup (serials[port]);
  g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND,
               _("The machine has no serial port %d that can be connected to; set its back end to "
                 "“socket” or “pty”."),
               port);
  return NULL;
}

int
vt_cli_serial (const VtCommand *command, int argc, char **argv)
{
  int                port = 0, result;
  const GOptionEntry entries[] = {
    { "port", 0, 0, G_OPTION_ARG_INT, &port, N_("Which serial port (0)"), "N" },
    { 0 },
  };
  GError *error = NULL;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 1, &result))
    return result;
  g_autofree char *folder = vt_library_find (argv[1], &error);
  g_autofree char *path = folder ? port_path (folder, port, &error) : NULL;
  int              fd = path ? open_port (path, &error) : -1;
  if (fd < 0)
    return vt_cli_fail (error);

  struct termios saved, raw;
  bool           terminal = isatty (STDIN_FILENO) && tcgetattr (STDIN_FILENO, &saved) == 0;
  if (terminal)
    {
      g_printerr (_("Connected to the serial port; Ctrl+] ends.\n"));
      raw = saved;
      cfmakeraw (&raw);
      tcsetattr (STDIN_FILENO, TCSADRAIN, &raw);
    }
  copy (fd, terminal);
  if (terminal)
    {
      tcsetattr (STDIN_FILENO, TCSADRAIN, &saved);
      g_printerr ("\n");
    }
  close (fd);
  return VT_EXIT_OK;
}
