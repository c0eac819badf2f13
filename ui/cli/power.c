/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine start, stop, pause, resume, reset.
 */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "control/client.h"
#include "control/instance.h"
#include "control/library.h"

/* How long a guest may take to shut down before the user is told that it doesn't. */
#define SHUT_DOWN_SECONDS 90

/* How long a process may take to end once the plug is pulled, before it is killed. */
#define STOP_SECONDS 10

int
vt_cli_start (const VtCommand *command, int argc, char **argv)
{
  gboolean           headless = FALSE;
  const GOptionEntry entries[] = {
    { "headless", 0, 0, G_OPTION_ARG_NONE, &headless, N_("Without a window"), NULL },
    { 0 },
  };
  int     result;
  GError *error = NULL;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 1, &result))
    return result;
  g_autofree char *folder = vt_library_find (argv[1], &error);
  g_autoptr (VitrineConfig) config = folder ? vitrine_config_load (folder, &error) : NULL;
  if (!config || !vt_control_start (argv[1], folder, headless, &error))
    return vt_cli_fail (error);
  return VT_EXIT_OK;
}

/* A handle of the process that holds the machine's lock; -1 where none does. The number may have
 * passed to another process meanwhile, but not while the lock is still held after the open. */
static int
open_process (const char *folder)
{
  VtInstance before, after;
  vt_instance_query (folder, &before);
  int fd = before.running && before.pid ? pidfd_open (before.pid, 0) : -1;
  vt_instance_query (folder, &after);
  if (fd >= 0 && (!after.running || after.pid != before.pid))
    {
      close (fd);
      fd = -1;
    }
  vt_instance_clear (&before);
  vt_instance_clear (&after);
  return fd;
}

/* Whether it ended in time. */
static bool
wait_for_end (int process, int seconds)
{
  struct pollfd fd = { .fd = process, .events = POLLIN };
  gint64        deadline = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  for (;;)
    {
      gint64 left = deadline - g_get_monotonic_time ();
      int    n = poll (&fd, 1, left > 0 ? (int) (left / 1000) + 1 : 0);
      if (n > 0)
        return true;
      if ((n == 0 && left <= 0) || (n < 0 && errno != EINTR))
        return false;
    }
}

static int
pull_plug (const char *folder, int process)
{
  g_autoptr (GDBusConnection) connection = vt_control_connect (folder, NULL);
  if (connection)
    {
      g_autoptr (GVariant) answer
          = vt_control_call (connection, "Stop", NULL, VT_CONTROL_TIMEOUT_MS, NULL);
      if (answer && wait_for_end (process, STOP_SECONDS))
        return VT_EXIT_OK;
    }
  /* Its image locks end with it, and the guest's loss is that of a power cut either way. */
  if (pidfd_send_signal (process, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
    {
      vt_cli_warn (_("Can't end the machine's process: %s."), g_strerror (errno));
      return VT_EXIT_FAILED;
    }
  if (!wait_for_end (process, STOP_SECONDS))
    {
      vt_cli_warn (_("The machine's process hangs in the kernel; look for failing disks."));
      return VT_EXIT_FAILED;
    }
  vt_cli_warn (_("The machine's process didn't answer and was killed."));
  return VT_EXIT_OK;
}

static int
shut_down (const char *folder, int process, int timeout)
{
  GError *error = NULL;
  g_autoptr (GDBusConnection) connection = vt_control_connect (folder, &error);
  g_autoptr (GVariant) answer = NULL;
  if (connection)
    answer = vt_control_call (connection, "ShutDown", NULL, VT_CONTROL_TIMEOUT_MS, &error);
  if (!answer)
    return vt_cli_fail (error);
  if (timeout == 0 || wait_for_end (process, timeout))
    return VT_EXIT_OK;
  vt_cli_warn (_("The guest was asked and hasn't shut down; “vitrine stop --force” pulls the plug."));
  return VT_EXIT_STATE;
}

int
vt_cli_stop (const VtCommand *command, int argc, char **argv)
{
  gboolean           force = FALSE;
  int                timeout = SHUT_DOWN_SECONDS;
  const GOptionEntry entries[] = {
    { "force", 0, 0, G_OPTION_ARG_NONE, &force, N_("Pull the plug; the guest may lose data"),
      NULL },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &timeout,
      N_("How long to wait for the guest (90); 0: don't wait"), N_("SECONDS") },
    { 0 },
  };
  int     result;
  GError *error = NULL;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 1, &result))
    return result;
  if (timeout < 0 || timeout > 86400)
    return vt_cli_usage (command, _("--timeout must be from 0 to 86400."));
  g_autofree char *folder = vt_library_find (argv[1], &error);
  if (!folder)
    return vt_cli_fail (error);
  int process = open_process (folder);
  if (process < 0)
    {
      vt_cli_warn (_("The machine doesn't run."));
      return VT_EXIT_STATE;
    }
  result = force ? pull_plug (folder, process) : shut_down (folder, process, timeout);
  close (process);
  return result;
}

/* The commands that are one call. */
static int
call_simple (const VtCommand *command, int argc, char **argv, const char *method)
{
  int     result;
  GError *error = NULL;
  if (!vt_cli_parse (command, NULL, &argc, &argv, 1, 1, &result))
    return result;
  g_autofree char *folder = vt_library_find (argv[1], &error);
  g_autoptr (GDBusConnection) connection = folder ? vt_control_connect (folder, &error) : NULL;
  g_autoptr (GVariant) answer = NULL;
  if (connection)
    answer = vt_control_call (connection, method, NULL, VT_CONTROL_TIMEOUT_MS, &error);
  return answer ? VT_EXIT_OK : vt_cli_fail (error);
}

int
vt_cli_pause (const VtCommand *command, int argc, char **argv)
{
  return call_simple (command, argc, argv, "Pause");
}

int
vt_cli_resume (const VtCommand *command, int argc, char **argv)
{
  return call_simple (command, argc, argv, "Resume");
}

int
vt_cli_reset (const VtCommand *command, int argc, char **argv)
{
  return call_simple (command, argc, argv, "Reset");
}
