/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Serves one machine to whoever of the same user connects.
 */
#include "server.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <sys/un.h>
#include <unistd.h>

#include "interface.h"
#include "typist.h"

/* A library window, some scripts; more is a mistake. As many again are told so. */
#define MAX_CONNECTIONS 64

/* At the end, for peers that don't read their last answers. */
#define FAREWELL_MS 2000

#define MAX_SERIALS 4

struct VtControlServer
{
  VitrineMachine     *machine;
  VitrineSpiceServer *spice;
  VtTypist           *typist;
  GDBusServer        *server;
  GPtrArray          *connections; /* (element-type GDBusConnection) */
  char               *path;
  gboolean (*show) (gpointer data, GError **error);
  gpointer show_data;
};

/* Answers @invocation: done, or with @error, which is freed. */
static void
answer (GDBusMethodInvocation *invocation, GError *error)
{
  if (error)
    g_dbus_method_invocation_take_error (invocation, error);
  else
    g_dbus_method_invocation_return_value (invocation, NULL);
}

static void
typed_cb (gpointer data, const GError *error)
{
  answer (data, error ? g_error_copy (error) : NULL);
}

static const char *
end_to_string (VitrineEnd end)
{
  switch (end)
    {
    case VITRINE_END_POWEROFF:
      return "poweroff";
    case VITRINE_END_STOPPED:
      return "stopped";
    case VITRINE_END_DEBUG_EXIT:
      return "debug-exit";
    case VITRINE_END_ERROR:
      return "error";
    case VITRINE_END_CRASH:
      return "crash";
    default:
      return "none";
    }
}

static void
add_string (GVariantBuilder *builder, const char *key, const char *value)
{
  g_autofree char *valid = g_utf8_make_valid (value ? value : "", -1);
  g_variant_builder_add (builder, "{sv}", key, g_variant_new_string (valid));
}

static GVariant *
get_status (VtControlServer *server)
{
  VitrineMachine *machine = server->machine;
  VitrineConfig  *config = vitrine_machine_get_config (machine);
  GVariantBuilder builder, serials;
  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add_string (&builder, "name", vitrine_config_get_name (config));
  add_string (&builder, "uuid", vitrine_config_get_uuid (config));
  add_string (&builder, "state", vitrine_state_to_string (vitrine_machine_get_state (machine)));
  add_string (&builder, "end", end_to_string (vitrine_machine_get_end (machine)));
  add_string (&builder, "status", vitrine_machine_get_status (machine));
  add_string (&builder, "detail", vitrine_machine_get_detail (machine));
  add_string (&builder, "cpu-engine", vitrine_machine_get_cpu_engine (machine));
  add_string (&builder, "cpu-detail", vitrine_machine_get_cpu_detail (machine));
  g_variant_builder_add (&builder, "{sv}", "exit-status",
                         g_variant_new_int32 (vitrine_machine_get_exit_status (machine)));
  g_variant_builder_add (&builder, "{sv}", "pid", g_variant_new_uint32 ((guint32) getpid ()));
  g_variant_builder_init (&serials, G_VARIANT_TYPE_STRING_ARRAY);
  guint n = g_list_model_get_n_items (vitrine_config_get_serials (config));
  for (guint i = 0; i < MIN (n, MAX_SERIALS); i++)
    {
      const char      *name = vitrine_machine_get_serial_name (machine, i);
      g_autofree char *valid = g_utf8_make_valid (name ? name : "", -1);
      g_variant_builder_add (&serials, "s", valid);
    }
  g_variant_builder_add (&builder, "{sv}", "serials", g_variant_builder_end (&serials));
  g_variant_builder_add (
      &builder, "{sv}", "spice-port",
      g_variant_new_uint32 (server->spice ? vitrine_spice_server_get_port (server->spice) : 0));
  g_variant_builder_add (
      &builder, "{sv}", "spice-tls-port",
      g_variant_new_uint32 (server->spice ? vitrine_spice_server_get_tls_port (server->spice) : 0));
  g_variant_builder_add (
      &builder, "{sv}", "absolute-pointer",
      g_variant_new_boolean (vitrine_machine_pointer_is_absolute (machine)));
  g_variant_builder_add (&builder, "{sv}", "window", g_variant_new_boolean (server->show != NULL));
  return g_variant_new ("(a{sv})", &builder);
}

static void
handle_status (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  g_dbus_method_invocation_return_value (invocation, get_status (server));
}

/* The five requests to the state driver have one shape. */
static void
request (VtControlServer *server, GDBusMethodInvocation *invocation,
         gboolean (*func) (VitrineMachine *machine, GError **error))
{
  GError *error = NULL;
  func (server->machine, &error);
  answer (invocation, error);
}

static void
handle_pause (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  request (server, invocation, vitrine_machine_pause);
}

static void
handle_resume (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  request (server, invocation, vitrine_machine_resume);
}

static void
handle_reset (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  request (server, invocation, vitrine_machine_reset);
}

static void
handle_shut_down (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  request (server, invocation, vitrine_machine_shut_down);
}

static void
handle_stop (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  request (server, invocation, vitrine_machine_stop);
}

static void
handle_show_window (VtControlServer *server, GVariant *parameters,
                    GDBusMethodInvocation *invocation)
{
  GError *error = NULL;
  if (server->show)
    server->show (server->show_data, &error);
  else
    error = g_error_new (VITRINE_ERROR, VITRINE_ERROR_UNSUPPORTED,
                         _("The machine runs without a window."));
  answer (invocation, error);
}

static void
handle_screenshot (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  GError     *error = NULL;
  guint       console;
  const char *path;
  g_variant_get (parameters, "(u&s)", &console, &path);
  if (!g_path_is_absolute (path))
    error = g_error_new (VITRINE_ERROR, VITRINE_ERROR_INVALID,
                         _("“%s” is not an absolute path."), path);
  else if (console >= vitrine_machine_get_n_consoles (server->machine))
    error = g_error_new (VITRINE_ERROR, VITRINE_ERROR_STATE, _("The machine has no screen %u."),
                         console);
  else
    vitrine_machine_screenshot (server->machine, console, path, &error);
  answer (invocation, error);
}

static void
handle_screen_text (VtControlServer *server, GVariant *parameters,
                    GDBusMethodInvocation *invocation)
{
  GError *error = NULL;
  guint   console;
  g_variant_get (parameters, "(u)", &console);
  g_autofree char *text = vitrine_machine_get_text (server->machine, console, &error);
  g_autofree char *valid = text ? g_utf8_make_valid (text, -1) : NULL;
  if (valid)
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(s)", valid));
  else
    answer (invocation, error);
}

static bool
check_on (VtControlServer *server, GError **error)
{
  VitrineState state = vitrine_machine_get_state (server->machine);
  if (state == VITRINE_STATE_RUNNING || state == VITRINE_STATE_PAUSED
      || state == VITRINE_STATE_PAUSING)
    return true;
  g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE,
               _("The machine takes no input now: it is %s."), vitrine_state_to_string (state));
  return false;
}

static void
handle_type (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  GError     *error = NULL;
  const char *text;
  guint       delay;
  g_variant_get (parameters, "(&su)", &text, &delay);
  if (strlen (text) > VT_CONTROL_MAX_TEXT)
    error = g_error_new (VITRINE_ERROR, VITRINE_ERROR_INVALID,
                         _("The text is too long; type at most %d bytes at a time."),
                         VT_CONTROL_MAX_TEXT);
  else if (check_on (server, &error))
    vt_typist_type (server->typist, text, delay, typed_cb, invocation, &error);
  if (error)
    answer (invocation, error);
}

static void
handle_key (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  GError     *error = NULL;
  const char *chord;
  g_variant_get (parameters, "(&s)", &chord);
  if (check_on (server, &error))
    vt_typist_chord (server->typist, chord, typed_cb, invocation, &error);
  if (error)
    answer (invocation, error);
}

static void
handle_click (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  GError *error = NULL;
  int     x, y;
  guint   button, count;
  g_variant_get (parameters, "(iiuu)", &x, &y, &button, &count);
  if (check_on (server, &error))
    vt_typist_click (server->typist, x, y, button, count, typed_cb, invocation, &error);
  if (error)
    answer (invocation, error);
}

static void
handle_move (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  GError *error = NULL;
  int     x, y;
  g_variant_get (parameters, "(ii)", &x, &y);
  if (check_on (server, &error))
    vt_typist_click (server->typist, x, y, 0, 0, typed_cb, invocation, &error);
  if (error)
    answer (invocation, error);
}

static void
handle_list_media (VtControlServer *server, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  g_autofree char **ids = vitrine_machine_list_media (server->machine);
  GVariantBuilder   drives;
  g_variant_builder_init (&drives, G_VARIANT_TYPE ("a(sb)"));
  for (unsigned i = 0; ids[i]; i++)
    g_variant_builder_add (&drives, "(sb)", ids[i],
                           vitrine_machine_tray_is_open (server->machine, ids[i]));
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(a(sb))", &drives));
}

static void
handle_change_medium (VtControlServer *server, GVariant *parameters,
                      GDBusMethodInvocation *invocation)
{
  GError     *error = NULL;
  const char *id, *path;
  gboolean    force;
  g_variant_get (parameters, "(&s&sb)", &id, &path, &force);
  if (*path && !g_path_is_absolute (path))
    error = g_error_new (VITRINE_ERROR, VITRINE_ERROR_INVALID,
                         _("“%s” is not an absolute path."), path);
  else
    vitrine_machine_change_medium (server->machine, id, *path ? path : NULL, force, &error);
  answer (invocation, error);
}

static const struct
{
  const char *name;
  void (*handle) (VtControlServer *server, GVariant *parameters,
                  GDBusMethodInvocation *invocation);
} methods[] = {
  { "GetStatus", handle_status },
  { "Pause", handle_pause },
  { "Resume", handle_resume },
  { "Reset", handle_reset },
  { "ShutDown", handle_shut_down },
  { "Stop", handle_stop },
  { "ShowWindow", handle_show_window },
  { "Screenshot", handle_screenshot },
  { "ScreenText", handle_screen_text },
  { "Type", handle_type },
  { "Key", handle_key },
  { "Click", handle_click },
  { "Move", handle_move },
  { "ListMedia", handle_list_media },
  { "ChangeMedium", handle_change_medium },
};

/* GDBus has checked the method's name and its arguments' types against the description. */
static void
method_cb (GDBusConnection *connection, const char *sender, const char *path,
           const char *interface, const char *method, GVariant *parameters,
           GDBusMethodInvocation *invocation, gpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (methods); i++)
    if (g_str_equal (method, methods[i].name))
      {
        methods[i].handle (data, parameters, invocation);
        return;
      }
  g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD,
                                         "%s", method);
}

static void
busy_cb (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
         const char *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer data)
{
  g_dbus_method_invocation_return_error (
      invocation, VITRINE_ERROR, VITRINE_ERROR_BUSY, "%s",
      _ ("Too many commands talk to the machine at once; try again later."));
}

static void
closed_cb (GDBusConnection *connection, gboolean remote_vanished, GError *error,
           VtControlServer *server)
{
  g_signal_handlers_disconnect_by_data (connection, server);
  g_ptr_array_remove_fast (server->connections, connection);
}

static gboolean
new_connection_cb (GDBusServer *dbus, GDBusConnection *connection, VtControlServer *server)
{
  static const GDBusInterfaceVTable vtable = { .method_call = method_cb }, busy = { .method_call = busy_cb };
  const guint n = server->connections->len;
  if (n == 2 * MAX_CONNECTIONS
      || !g_dbus_connection_register_object (connection, VT_CONTROL_PATH, vt_control_interface (),
                                             n < MAX_CONNECTIONS ? &vtable : &busy, server, NULL, NULL))
    return FALSE;
  g_signal_connect (connection, "closed", G_CALLBACK (closed_cb), server);
  /* Who has left already may have had its "closed" before anybody listened, and would keep its place. */
  if (g_dbus_connection_is_closed (connection))
    {
      g_signal_handlers_disconnect_by_data (connection, server);
      return FALSE;
    }
  g_ptr_array_add (server->connections, g_object_ref (connection));
  return TRUE;
}

static gboolean
allow_mechanism_cb (GDBusAuthObserver *observer, const char *mechanism)
{
  return g_str_equal (mechanism, "EXTERNAL");
}

/* The folder's mode keeps others out already; the kernel's word on the peer is the second lock. */
static gboolean
authorize_cb (GDBusAuthObserver *observer, GIOStream *stream, GCredentials *credentials)
{
  return credentials && g_credentials_get_unix_user (credentials, NULL) == geteuid ();
}

static void
state_cb (VtControlServer *server)
{
  const char      *status = vitrine_machine_get_status (server->machine);
  g_autofree char *valid = g_utf8_make_valid (status ? status : "", -1);
  const char      *state
      = vitrine_state_to_string (vitrine_machine_get_state (server->machine));
  for (guint i = 0; i < server->connections->len; i++)
    g_dbus_connection_emit_signal (server->connections->pdata[i], NULL, VT_CONTROL_PATH,
                                   VT_CONTROL_INTERFACE, "StateChanged",
                                   g_variant_new ("(ss)", state, valid), NULL);
}

VtControlServer *
vt_control_server_new (VitrineMachine *machine, const char *path, GError **error)
{
  vt_control_register_errors ();
  if (strlen (path) >= sizeof ((struct sockaddr_un *) NULL)->sun_path)
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                   _("%s is too long for a socket's name; set XDG_RUNTIME_DIR to a shorter path."),
                   path);
      return NULL;
    }
  g_autofree char *escaped = g_dbus_address_escape_value (path);
  g_autofree char *address = g_strconcat ("unix:path=", escaped, NULL);
  g_autofree char *guid = g_dbus_generate_guid ();
  g_autoptr (GDBusAuthObserver) observer = g_dbus_auth_observer_new ();
  g_autoptr (GError) listen_error = NULL;
  g_signal_connect (observer, "allow-mechanism", G_CALLBACK (allow_mechanism_cb), NULL);
  g_signal_connect (observer, "authorize-authenticated-peer", G_CALLBACK (authorize_cb), NULL);
  /* What a killed process left. The caller holds the machine's lock, so nobody listens there. */
  g_unlink (path);
  GDBusServer *dbus = g_dbus_server_new_sync (address, G_DBUS_SERVER_FLAGS_NONE, guid, observer,
                                              NULL, &listen_error);
  if (!dbus)
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED,
                   _("Can't listen for commands at %s: %s."), path, listen_error->message);
      return NULL;
    }
  VtControlServer *server = g_new0 (VtControlServer, 1);
  server->machine = g_object_ref (machine);
  server->typist = vt_typist_new (machine);
  server->server = dbus;
  server->path = g_strdup (path);
  server->connections = g_ptr_array_new_with_free_func (g_object_unref);
  g_signal_connect (dbus, "new-connection", G_CALLBACK (new_connection_cb), server);
  g_signal_connect_swapped (machine, "notify::state", G_CALLBACK (state_cb), server);
  g_dbus_server_start (dbus);
  return server;
}

static void
flushed_cb (GObject *connection, GAsyncResult *result, gpointer left)
{
  --*(guint *) left;
}

static gboolean
farewell_cb (gpointer over)
{
  *(gboolean *) over = TRUE;
  return G_SOURCE_REMOVE;
}

/* The answers to those who wait leave before the end, but nobody's slowness holds it up. */
static void
flush (VtControlServer *server)
{
  GMainContext *context = g_main_context_new ();
  GSource      *farewell = g_timeout_source_new (FAREWELL_MS);
  guint         left = server->connections->len;
  gboolean      over = FALSE;
  g_main_context_push_thread_default (context);
  for (guint i = 0; i < server->connections->len; i++)
    g_dbus_connection_flush (server->connections->pdata[i], NULL, flushed_cb, &left);
  g_source_set_callback (farewell, farewell_cb, &over, NULL);
  g_source_attach (farewell, context);
  while (left && !over)
    g_main_context_iteration (context, TRUE);
  g_source_destroy (farewell);
  g_source_unref (farewell);
  g_main_context_pop_thread_default (context);
  /* What comes later is told nobody: the context doesn't run again. */
  g_main_context_unref (context);
}

void
vt_control_server_free (VtControlServer *server)
{
  if (!server)
    return;
  g_signal_handlers_disconnect_by_data (server->machine, server);
  g_signal_handlers_disconnect_by_data (server->server, server);
  g_dbus_server_stop (server->server);
  vt_typist_free (server->typist);
  flush (server);
  for (guint i = 0; i < server->connections->len; i++)
    {
      GDBusConnection *connection = server->connections->pdata[i];
      g_signal_handlers_disconnect_by_data (connection, server);
      g_dbus_connection_close_sync (connection, NULL, NULL);
    }
  g_ptr_array_unref (server->connections);
  g_object_unref (server->server);
  g_object_unref (server->machine);
  g_unlink (server->path);
  g_free (server->path);
  g_free (server);
}

void
vt_control_server_set_spice (VtControlServer *server, VitrineSpiceServer *spice)
{
  server->spice = spice;
}

void
vt_control_server_set_window (VtControlServer *server,
                              gboolean (*show) (gpointer data, GError **error), gpointer data)
{
  server->show = show;
  server->show_data = data;
}
