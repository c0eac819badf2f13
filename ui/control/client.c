/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connects to a machine's process, calls it, asks for its state.
 */
#include "client.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gi18n.h>
#include <stdbool.h>
#include <unistd.h>

#include "instance.h"
#include "interface.h"

/* G_IO_ERROR and G_DBUS_ERROR become sentences of ours; VITRINE_ERROR stays what the process said. */
static void
translate (GError **error, GError *cause)
{
  g_dbus_error_strip_remote_error (cause);
  if (cause->domain == VITRINE_ERROR)
    {
      g_propagate_error (error, cause);
      return;
    }
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_BUSY,
                 _("The machine's process doesn't answer; “vitrine stop --force” ends it."));
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CLOSED))
    g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE, _("The machine's process has ended."));
  else
    g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED,
                 _("Can't talk to the machine's process: %s."), cause->message);
  g_error_free (cause);
}

/* A UNIX socket whose backlog is full refuses at once, and nothing tells when there is room. */
static gboolean
connect_patiently (GSocket *socket, GSocketAddress *address, GError **error)
{
  gint64 end = g_get_monotonic_time () + VT_CONTROL_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;
  for (;;)
    {
      GError *cause = NULL;
      if (g_socket_connect (socket, address, NULL, &cause))
        return TRUE;
      if (!g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)
          || g_get_monotonic_time () > end)
        {
          g_propagate_error (error, cause);
          return FALSE;
        }
      g_error_free (cause);
      g_usleep (2 * G_TIME_SPAN_MILLISECOND);
    }
}

typedef struct
{
  GAsyncQueue  *done; /* Gets an element when the handshake is over. */
  GCancellable *late;
} Patience;

static gpointer
patience_thread (gpointer data)
{
  Patience *patience = data;
  if (!g_async_queue_timeout_pop (patience->done, VT_CONTROL_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND))
    g_cancellable_cancel (patience->late);
  return NULL;
}

/* A process that hangs doesn't finish the handshake. It isn't the socket that has the time limit: GDBus's
 * thread waits for the first message before this one could take the limit back, and a call that takes longer
 * than it would then end with the connection. */
static GDBusConnection *
shake_hands (GIOStream *stream, GError **error)
{
  g_autoptr (GCancellable) late = g_cancellable_new ();
  g_autoptr (GAsyncQueue) done = g_async_queue_new ();
  Patience patience = { done, late };
  GError  *cause = NULL;
  GThread *thread = g_thread_new ("patience", patience_thread, &patience);
  GDBusConnection *connection = g_dbus_connection_new_sync (
      stream, NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, late, &cause);
  g_async_queue_push (done, &patience);
  g_thread_join (thread);
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    cause->code = G_IO_ERROR_TIMED_OUT;
  if (cause)
    g_propagate_error (error, cause);
  return connection;
}

static GDBusConnection *
connect_to (const char *path, GError **error)
{
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (path);
  g_autoptr (GSocket) socket = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM,
                                             G_SOCKET_PROTOCOL_DEFAULT, error);
  if (!socket)
    return NULL;
  if (!connect_patiently (socket, address, error))
    return NULL;
  g_autoptr (GCredentials) peer = g_socket_get_credentials (socket, error);
  if (!peer)
    return NULL;
  if (g_credentials_get_unix_user (peer, NULL) != geteuid ())
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_DENIED,
                   _("Another user listens at the machine's socket %s."), path);
      return NULL;
    }
  g_autoptr (GSocketConnection) stream = g_socket_connection_factory_create_connection (socket);
  return shake_hands (G_IO_STREAM (stream), error);
}

GDBusConnection *
vt_control_connect (const char *folder, GError **error)
{
  VtInstance instance;
  GError    *cause = NULL;
  vt_control_register_errors ();
  vt_instance_query (folder, &instance);
  if (!instance.running || !instance.socket)
    {
      g_set_error (error, VITRINE_ERROR,
                   instance.running ? VITRINE_ERROR_BUSY : VITRINE_ERROR_STATE, "%s",
                   instance.running   ? _("The machine is just being started; try again.")
                   : instance.crashed ? _("The machine's process died; “vitrine start” starts it.")
                                      : _("The machine is off; “vitrine start” starts it."));
      vt_instance_clear (&instance);
      return NULL;
    }
  GDBusConnection *connection = connect_to (instance.socket, &cause);
  vt_instance_clear (&instance);
  if (cause)
    translate (error, cause);
  return connection;
}

GVariant *
vt_control_call (GDBusConnection *connection, const char *method, GVariant *parameters,
                 int timeout_ms, GError **error)
{
  GError   *cause = NULL;
  GVariant *result = g_dbus_connection_call_sync (connection, NULL, VT_CONTROL_PATH,
                                                  VT_CONTROL_INTERFACE, method, parameters, NULL,
                                                  G_DBUS_CALL_FLAGS_NONE, timeout_ms, NULL, &cause);
  if (!result)
    translate (error, cause);
  return result;
}

char *
vt_control_query_state (const char *folder, GVariant **status)
{
  VtInstance instance;
  if (status)
    *status = NULL;
  vt_instance_query (folder, &instance);
  bool running = instance.running, crashed = instance.crashed, known = instance.socket != NULL;
  vt_instance_clear (&instance);
  if (!running)
    return g_strdup (crashed ? "crashed" : "off");
  if (!known)
    return g_strdup ("starting");

  g_autoptr (GDBusConnection) connection = vt_control_connect (folder, NULL);
  g_autoptr (GVariant) answer = NULL;
  if (connection)
    answer = vt_control_call (connection, "GetStatus", NULL, VT_CONTROL_TIMEOUT_MS, NULL);
  if (!answer)
    {
      /* It may have ended in between. */
      vt_instance_query (folder, &instance);
      running = instance.running;
      crashed = instance.crashed;
      vt_instance_clear (&instance);
      return g_strdup (running ? "unresponsive" : crashed ? "crashed" : "off");
    }
  g_autoptr (GVariant) dictionary = NULL;
  const char *state = "unresponsive";
  if (g_variant_is_of_type (answer, G_VARIANT_TYPE ("(a{sv})")))
    {
      g_variant_get (answer, "(@a{sv})", &dictionary);
      g_variant_lookup (dictionary, "state", "&s", &state);
    }
  char *result = g_strdup (state);
  if (status)
    *status = g_steal_pointer (&dictionary);
  return result;
}
