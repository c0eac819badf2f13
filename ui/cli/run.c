/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine run: the process of one machine, with its engine, its remote viewing and its control
 * socket.
 */
#include "cli.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <stdio.h>
#include <unistd.h>

#include "app/app.h"
#include "control/client.h"
#include "control/instance.h"
#include "control/library.h"
#include "control/server.h"
#include "vitrine-machine.h"
#include "vitrine-spice-server.h"

typedef struct
{
  /* Options. */
  gboolean headless, keep, tls;
  int      spice_port; /* -1: as configured. */
  int      ready_fd;   /* -1: nobody waits for the start. */
  char    *cpu_engine, *serial;

  VitrineConfig      *config;
  VitrineMachine     *machine;
  VtControlServer    *control;
  VitrineSpiceServer *spice;
  VtApp              *app; /* NULL: headless. */
  GMainLoop          *loop;
  char               *runtime; /* The folder of the sockets. */
  int                 lock;
  bool                started, asked;
  GError             *failure; /* For who waits for the start. */
  int                 exit_code;
} Run;

/* Tells the terminal or log now; and whoever started this process in the end, when it has let go of
 * the machine, so that one who tries again at once is not refused. */
static void
fail (Run *run, GError *error)
{
  if (run->ready_fd >= 0 && !run->failure)
    run->failure = g_error_copy (error);
  run->exit_code = vt_cli_fail (error);
}

/* The port where the address was left out, as remote-viewer takes it. */
static void
print_viewer (Run *run)
{
  VitrineRemote *remote = vitrine_config_get_remote (run->config);
  guint          port = vitrine_spice_server_get_port (run->spice);
  guint          tls_port = vitrine_spice_server_get_tls_port (run->spice);
  const char    *address = vitrine_remote_get_address (remote);
  if (!*address)
    address = "127.0.0.1";
  if (port)
    g_print (_("Viewers: remote-viewer spice://%s:%u (package “virt-viewer”)\n"), address, port);
  if (tls_port)
    g_print (_("Viewers: remote-viewer \"spice://%s?tls-port=%u\" --spice-ca-file=\"%s/server-cert.pem\" "
               "(package “virt-viewer”)\n"),
             address, tls_port, vitrine_config_get_folder (run->config));
}

static bool
start_spice (Run *run, GError **error)
{
  VitrineRemote *remote = vitrine_config_get_remote (run->config);
  const char    *folder = vitrine_config_get_folder (run->config);
  const char    *address = vitrine_remote_get_address (remote);
  const char    *password = vitrine_remote_get_password (remote);
  bool           tls = vitrine_remote_get_tls (remote);
  guint16        port = (guint16) (run->spice_port >= 0 ? (guint) run->spice_port
                                                        : vitrine_remote_get_port (remote));
  if (!vitrine_remote_get_enabled (remote) && run->spice_port < 0)
    return true;

  g_autofree char    *cert = g_build_filename (folder, "server-cert.pem", NULL);
  g_autofree char    *key = g_build_filename (folder, "server-key.pem", NULL);
  VitrineSpiceOptions options = {
    .address = *address ? address : NULL,
    .port = tls ? 0 : port,
    .tls_port = tls ? port : 0,
    .password = *password ? password : NULL,
    .tls = tls,
  };
  if (tls)
    {
      if (!vitrine_spice_make_certificate (folder, *address ? address : "127.0.0.1", error))
        return false;
      options.cert_file = cert;
      options.key_file = key;
      options.ca_file = cert;
    }
  run->spice = vitrine_spice_server_new (run->machine, &options, error);
  if (!run->spice)
    return false;
  vt_control_server_set_spice (run->control, run->spice);
  return true;
}

static void
started_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Run    *run = data;
  GError *error = NULL;
  if (!vitrine_machine_start_finish (run->machine, result, &error))
    {
      fail (run, error);
      g_main_loop_quit (run->loop);
      return;
    }
  run->started = true;
  if (!start_spice (run, &error))
    {
      fail (run, error);
      if (!vitrine_machine_stop (run->machine, NULL))
        g_main_loop_quit (run->loop);
      return;
    }
  if (run->ready_fd >= 0)
    {
      vt_control_tell_started (run->ready_fd, NULL);
      run->ready_fd = -1;
    }
  if (run->spice)
    print_viewer (run);
  const char *serial = vitrine_machine_get_serial_name (run->machine, 0);
  if (serial && run->serial)
    g_print (_("Serial port: %s\n"), serial);
  fflush (stdout);
  /* A machine can have ended between the start and this word of it. */
  if (vitrine_machine_get_state (run->machine) == VITRINE_STATE_OFF)
    g_main_loop_quit (run->loop);
}

/* Why it stands still, for the terminal or the log. */
static void
tell_status (Run *run)
{
  const char *status = vitrine_machine_get_status (run->machine);
  const char *detail = vitrine_machine_get_detail (run->machine);
  if (status && *status)
    vt_cli_warn ("%s", status);
  if (detail && *detail)
    g_printerr ("%s\n", detail);
}

static void
state_cb (Run *run)
{
  switch (vitrine_machine_get_state (run->machine))
    {
    case VITRINE_STATE_CRASHED:
      tell_status (run);
      /* With somebody to look at it, its screen stays until it is stopped. */
      if (!run->keep && run->headless)
        {
          run->exit_code = VT_EXIT_CRASH;
          vitrine_machine_stop (run->machine, NULL);
        }
      break;
    case VITRINE_STATE_PAUSED:
    case VITRINE_STATE_RUNNING:
      tell_status (run);
      break;
    case VITRINE_STATE_OFF:
      if (run->started)
        g_main_loop_quit (run->loop);
      break;
    default:
      break;
    }
}

static int
end_code (Run *run)
{
  if (run->exit_code)
    return run->exit_code;
  switch (vitrine_machine_get_end (run->machine))
    {
    case VITRINE_END_DEBUG_EXIT:
      return vitrine_machine_get_exit_status (run->machine) & 0xff;
    case VITRINE_END_CRASH:
      return VT_EXIT_CRASH;
    case VITRINE_END_ERROR:
      return VT_EXIT_FAILED;
    default:
      return VT_EXIT_OK;
    }
}

/* SIGTERM and SIGHUP: as if the plug were pulled, in order. */
static gboolean
terminate_cb (gpointer data)
{
  Run *run = data;
  if (!vitrine_machine_stop (run->machine, NULL))
    g_main_loop_quit (run->loop);
  return G_SOURCE_CONTINUE;
}

/* Ctrl+C: first the polite way. */
static gboolean
interrupt_cb (gpointer data)
{
  Run *run = data;
  if (run->asked || !vitrine_machine_shut_down (run->machine, NULL))
    return terminate_cb (run);
  run->asked = true;
  g_printerr (_("The guest is asked to shut down; Ctrl+C again pulls the plug.\n"));
  return G_SOURCE_CONTINUE;
}

/* --serial and the sockets of those ports that have no path of their own. */
static void
set_serials (Run *run)
{
  GListModel *serials = vitrine_config_get_serials (run->config);
  if (run->serial && !g_list_model_get_n_items (serials))
    {
      g_autoptr (VitrineSerial) serial = g_object_new (VITRINE_TYPE_SERIAL, NULL);
      vitrine_config_add_serial (run->config, serial);
    }
  for (guint i = 0; i < g_list_model_get_n_items (serials); i++)
    {
      g_autoptr (VitrineSerial) serial = g_list_model_get_item (serials, i);
      g_autofree char *socket = g_strdup_printf ("socket:%s/serial%u", run->runtime, i);
      if (i == 0 && run->serial)
        vitrine_machine_set_serial (run->machine, i, run->serial);
      else if (g_str_equal (vitrine_serial_get_backend (serial), "socket")
               && !*vitrine_serial_get_path (serial))
        vitrine_machine_set_serial (run->machine, i, socket);
    }
}

static bool
prepare (Run *run, const char *name, GError **error)
{
  g_autofree char *folder = vt_library_find (name, error);
  if (!folder)
    return false;
  run->config = vitrine_config_load (folder, error);
  if (!run->config)
    return false;
  if (run->cpu_engine)
    g_object_set (run->config, "cpu-engine", run->cpu_engine, NULL);
  if (!vitrine_config_validate (run->config, error))
    return false;
  run->lock = vt_instance_lock (folder, error);
  if (run->lock < 0)
    return false;
  run->runtime = vt_instance_runtime_folder (run->config, error);
  if (!run->runtime)
    return false;
  g_autofree char *socket = g_build_filename (run->runtime, "control", NULL);
  run->machine = vitrine_machine_new (run->config);
  run->control = vt_control_server_new (run->machine, socket, error);
  if (!run->control || !vt_instance_publish (run->lock, socket, error))
    return false;
  set_serials (run);
  return true;
}

/* A machine that was started without a window gets one where there is a display by now. */
static gboolean
show_window_cb (gpointer data, GError **error)
{
  Run *run = data;
  if (run->app)
    {
      vt_app_present (run->app);
      return TRUE;
    }
  run->app = vt_app_has_display () ? vt_app_open_machine (run->machine) : NULL;
  if (!run->app)
    {
      g_set_error (
          error, VITRINE_ERROR, VITRINE_ERROR_UNSUPPORTED,
          _ ("The machine was started without a display and can't open a window; use a SPICE "
             "viewer, or stop it and start it from here."));
      return FALSE;
    }
  /* From here on somebody looks at it: a crashed guest stays to be seen. */
  run->headless = FALSE;
  return TRUE;
}

/* The machine from start to end. */
static void
run_machine (Run *run)
{
  guint sources[] = {
    g_unix_signal_add (SIGINT, interrupt_cb, run),
    g_unix_signal_add (SIGTERM, terminate_cb, run),
    g_unix_signal_add (SIGHUP, terminate_cb, run),
  };
  g_signal_connect_swapped (run->machine, "notify::state", G_CALLBACK (state_cb), run);
  if (!run->headless)
    run->app = vt_app_open_machine (run->machine);
  vt_control_server_set_window (run->control, show_window_cb, run);
  vitrine_machine_start (run->machine, started_cb, run);
  g_main_loop_run (run->loop);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
  g_signal_handlers_disconnect_by_data (run->machine, run);
}

static void
finish (Run *run)
{
  g_clear_object (&run->spice);
  vt_control_server_free (run->control);
  vt_app_free (run->app);
  g_clear_object (&run->machine);
  if (run->runtime)
    vt_instance_remove_runtime (run->runtime);
  if (run->lock >= 0)
    vt_instance_release (run->lock);
  if (run->ready_fd >= 0 && run->failure)
    vt_control_tell_started (run->ready_fd, run->failure);
  else if (run->ready_fd >= 0)
    close (run->ready_fd);
  g_clear_error (&run->failure);
  g_clear_object (&run->config);
  g_clear_pointer (&run->loop, g_main_loop_unref);
  g_free (run->runtime);
  g_free (run->cpu_engine);
  g_free (run->serial);
}

/* What is wrong with the options; NULL: nothing. */
static const char *
options_problem (Run *run)
{
  static const char *const engines[] = { "auto", "kvm", "translate", NULL };
  if (run->spice_port < -1 || run->spice_port > 65535)
    return _("--spice-port must be from 0 to 65535.");
  if (run->cpu_engine && !g_strv_contains (engines, run->cpu_engine))
    return _("--cpu-engine must be auto, kvm or translate.");
  if (run->serial && !g_str_equal (run->serial, "stdio") && !g_str_equal (run->serial, "pty")
      && !(g_str_has_prefix (run->serial, "file:") && run->serial[strlen ("file:")]))
    return _("--serial must be stdio, pty or file:PATH.");
  return NULL;
}

int
vt_cli_run (const VtCommand *command, int argc, char **argv)
{
  Run                run = { .spice_port = -1, .ready_fd = -1, .lock = -1 };
  const GOptionEntry entries[] = {
    { "headless", 0, 0, G_OPTION_ARG_NONE, &run.headless, N_("Without a window"), NULL },
    { "spice-port", 0, 0, G_OPTION_ARG_INT, &run.spice_port,
      N_("Serve SPICE viewers at this port; 0: any free one"), N_("PORT") },
    { "cpu-engine", 0, 0, G_OPTION_ARG_FILENAME, &run.cpu_engine,
      N_("What runs the guest's instructions"), "auto|kvm|translate" },
    { "serial", 0, 0, G_OPTION_ARG_FILENAME, &run.serial,
      N_("What the first serial port is connected to"), "stdio|pty|file:PATH" },
    { "keep", 0, 0, G_OPTION_ARG_NONE, &run.keep,
      N_("Keep a crashed guest to look at, until it is stopped"), NULL },
    { "ready-fd", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_INT, &run.ready_fd, "", NULL },
    { 0 },
  };
  GError *error = NULL;
  int     result;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 1, &result))
    return result;
  const char *problem = options_problem (&run);
  if (problem)
    {
      result = vt_cli_usage (command, "%s", problem);
      finish (&run);
      return result;
    }
  if (run.serial && g_str_has_prefix (run.serial, "file:"))
    {
      g_autofree char *path = g_canonicalize_filename (run.serial + strlen ("file:"), NULL);
      g_free (run.serial);
      run.serial = g_strconcat ("file:", path, NULL);
    }
  if (!run.headless && !vt_app_has_display ())
    {
      fail (&run,
            g_error_new (VITRINE_ERROR, VITRINE_ERROR_FAILED,
                         _ ("No window can be opened here (there is no display); --headless runs "
                            "without.")));
      finish (&run);
      return VT_EXIT_FAILED;
    }
  if (run.ready_fd >= 0)
    fcntl (run.ready_fd, F_SETFD, FD_CLOEXEC);

  run.loop = g_main_loop_new (NULL, FALSE);
  if (prepare (&run, argv[1], &error))
    {
      run_machine (&run);
      result = end_code (&run);
    }
  else
    {
      fail (&run, error);
      result = run.exit_code;
    }
  finish (&run);
  return result;
}
