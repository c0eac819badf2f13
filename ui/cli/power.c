/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine start, stop, pause, resume, reset.
 */
#include "cli.h"

#include <unistd.h>

#include "control/client.h"
#include "control/library.h"

/* How long a guest may take to shut down before the user is told that it doesn't. */
#define SHUT_DOWN_SECONDS 90

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

static int
pull_plug (const char *folder, int process)
{
  GError  *error = NULL;
  gboolean killed;
  if (!vt_control_force_off (folder, process, &killed, &error))
    return vt_cli_fail (error);
  if (killed)
    vt_cli_warn (_ ("The machine's process didn't answer and was killed."));
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
  if (timeout == 0 || vt_control_wait_process (process, timeout))
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
  int process = vt_control_open_process (folder, &error);
  if (process < 0)
    return vt_cli_fail (error);
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
