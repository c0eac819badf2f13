/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A VitrineMachine (and a SPICE server) without an engine, for tests of the control socket and the
 * command line: its guest does at once what it is asked, and writes down what it was given.
 *
 * The configuration's description tells it how to behave: "fail" can't start, "deaf" ignores the
 * power button, "crash" crashes once it runs, "exit 7" ends by isa-debug-exit.
 */
#include "fake-machine.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vitrine-spice-server.h"

struct _VitrineMachine
{
  GObject        parent_instance;
  VitrineConfig *config;
  VitrineState   state;
  VitrineEnd     end;
  char          *status, *serial;
  int            exit_status;
  GString       *log;
};

enum
{
  PROP_STATE = 1,
};

G_DEFINE_TYPE (VitrineMachine, vitrine_machine, G_TYPE_OBJECT)

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  g_value_set_int (value, VITRINE_MACHINE (object)->state);
}

static void
finalize (GObject *object)
{
  VitrineMachine *self = VITRINE_MACHINE (object);
  const char     *path = g_getenv ("VITRINE_FAKE_LOG");
  if (path)
    g_file_set_contents (path, self->log->str, -1, NULL);
  g_object_unref (self->config);
  g_free (self->status);
  g_free (self->serial);
  g_string_free (self->log, TRUE);
  G_OBJECT_CLASS (vitrine_machine_parent_class)->finalize (object);
}

static void
vitrine_machine_class_init (VitrineMachineClass *klass)
{
  G_OBJECT_CLASS (klass)->get_property = get_property;
  G_OBJECT_CLASS (klass)->finalize = finalize;
  g_object_class_install_property (
      G_OBJECT_CLASS (klass), PROP_STATE,
      g_param_spec_int ("state", NULL, NULL, 0, 10, 0, G_PARAM_READABLE));
}

static void
vitrine_machine_init (VitrineMachine *self)
{
  self->log = g_string_new (NULL);
}

static gboolean
behaves (VitrineMachine *self, const char *how)
{
  g_autofree char *description = NULL;
  g_object_get (self->config, "description", &description, NULL);
  return g_str_has_prefix (description, how);
}

static void
set_state (VitrineMachine *self, VitrineState state, VitrineEnd end)
{
  self->state = state;
  self->end = end;
  g_object_notify (G_OBJECT (self), "state");
}

const char *
fake_machine_log (VitrineMachine *machine)
{
  return machine->log->str;
}

VitrineMachine *
vitrine_machine_new (VitrineConfig *config)
{
  VitrineMachine *self = g_object_new (VITRINE_TYPE_MACHINE, NULL);
  self->config = g_object_ref (config);
  return self;
}

static gboolean
end_cb (gpointer data)
{
  VitrineMachine  *self = data;
  g_autofree char *description = NULL;
  g_object_get (self->config, "description", &description, NULL);
  if (behaves (self, "crash"))
    {
      self->status = g_strdup ("The guest did what no guest should.");
      set_state (self, VITRINE_STATE_CRASHED, VITRINE_END_CRASH);
    }
  else if (behaves (self, "exit "))
    {
      self->exit_status = atoi (description + 5);
      set_state (self, VITRINE_STATE_OFF, VITRINE_END_DEBUG_EXIT);
    }
  return G_SOURCE_REMOVE;
}

static gboolean
start_cb (gpointer data)
{
  GTask          *task = data;
  VitrineMachine *self = g_task_get_source_object (task);
  if (behaves (self, "fail"))
    {
      set_state (self, VITRINE_STATE_OFF, VITRINE_END_ERROR);
      g_task_return_new_error (task, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND,
                               "The disk is missing; look under the table.");
    }
  else
    {
      set_state (self, VITRINE_STATE_RUNNING, VITRINE_END_NONE);
      g_task_return_boolean (task, TRUE);
      g_idle_add_full (G_PRIORITY_LOW, end_cb, g_object_ref (self), g_object_unref);
    }
  g_object_unref (task);
  return G_SOURCE_REMOVE;
}

void
vitrine_machine_start (VitrineMachine *self, GAsyncReadyCallback callback, gpointer data)
{
  set_state (self, VITRINE_STATE_STARTING, VITRINE_END_NONE);
  g_idle_add (start_cb, g_task_new (self, NULL, callback, data));
}

gboolean
vitrine_machine_start_finish (VitrineMachine *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
go (VitrineMachine *self, gboolean allowed, VitrineState state, VitrineEnd end, GError **error)
{
  if (!allowed)
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE, "Not while it is %s.",
                   vitrine_state_to_string (self->state));
      return FALSE;
    }
  set_state (self, state, end);
  return TRUE;
}

gboolean
vitrine_machine_pause (VitrineMachine *self, GError **error)
{
  return go (self, self->state == VITRINE_STATE_RUNNING, VITRINE_STATE_PAUSED, VITRINE_END_NONE,
             error);
}

gboolean
vitrine_machine_resume (VitrineMachine *self, GError **error)
{
  return go (self, self->state == VITRINE_STATE_PAUSED, VITRINE_STATE_RUNNING, VITRINE_END_NONE,
             error);
}

gboolean
vitrine_machine_reset (VitrineMachine *self, GError **error)
{
  g_string_append (self->log, "reset\n");
  return TRUE;
}

static gboolean
power_off_cb (gpointer data)
{
  set_state (data, VITRINE_STATE_OFF, VITRINE_END_POWEROFF);
  return G_SOURCE_REMOVE;
}

gboolean
vitrine_machine_shut_down (VitrineMachine *self, GError **error)
{
  if (self->state != VITRINE_STATE_RUNNING)
    return go (self, FALSE, 0, 0, error);
  if (!behaves (self, "deaf"))
    g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, power_off_cb, g_object_ref (self), g_object_unref);
  return TRUE;
}

gboolean
vitrine_machine_stop (VitrineMachine *self, GError **error)
{
  return go (self, self->state != VITRINE_STATE_OFF, VITRINE_STATE_OFF,
             self->state == VITRINE_STATE_CRASHED ? VITRINE_END_CRASH : VITRINE_END_STOPPED, error);
}

void
vitrine_machine_set_serial (VitrineMachine *self, guint n, const char *backend)
{
  if (n == 0)
    {
      g_free (self->serial);
      self->serial = g_strdup (backend);
    }
}

VitrineState
vitrine_machine_get_state (VitrineMachine *self)
{
  return self->state;
}

VitrineEnd
vitrine_machine_get_end (VitrineMachine *self)
{
  return self->end;
}

const char *
vitrine_machine_get_status (VitrineMachine *self)
{
  return self->status;
}

const char *
vitrine_machine_get_detail (VitrineMachine *self)
{
  return NULL;
}

int
vitrine_machine_get_exit_status (VitrineMachine *self)
{
  return self->exit_status;
}

const char *
vitrine_machine_get_cpu_engine (VitrineMachine *self)
{
  return "kvm";
}

const char *
vitrine_machine_get_cpu_detail (VitrineMachine *machine)
{
  return "The machine is none.";
}

VitrineConfig *
vitrine_machine_get_config (VitrineMachine *self)
{
  return self->config;
}

const char *
vitrine_state_to_string (VitrineState state)
{
  static const char *const names[]
      = { "off", "starting", "running", "pausing", "paused", "stopping", "crashed" };
  return names[state];
}

void
vitrine_machine_key (VitrineMachine *self, guint code, gboolean down)
{
  g_string_append_printf (self->log, "key %u %s\n", code, down ? "down" : "up");
}

void
vitrine_machine_motion (VitrineMachine *self, int dx, int dy)
{
  g_string_append_printf (self->log, "motion %d %d\n", dx, dy);
}

void
vitrine_machine_position (VitrineMachine *self, int x, int y)
{
  g_string_append_printf (self->log, "position %d %d\n", x, y);
}

void
vitrine_machine_button (VitrineMachine *self, guint button, gboolean down)
{
  g_string_append_printf (self->log, "button %u %s\n", button, down ? "down" : "up");
}

void
vitrine_machine_release_keys (VitrineMachine *self)
{
  g_string_append (self->log, "release\n");
}

gboolean
vitrine_machine_pointer_is_absolute (VitrineMachine *self)
{
  return !behaves (self, "relative");
}

char **
vitrine_machine_list_media (VitrineMachine *self)
{
  char **ids = g_new0 (char *, 2);
  ids[0] = (char *) "cd0";
  return ids;
}

gboolean
vitrine_machine_tray_is_open (VitrineMachine *self, const char *id)
{
  return FALSE;
}

gboolean
vitrine_machine_change_medium (VitrineMachine *self, const char *id, const char *path,
                               gboolean force, GError **error)
{
  if (!g_str_equal (id, "cd0"))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND, "There is no drive %s.", id);
      return FALSE;
    }
  g_string_append_printf (self->log, "medium %s %d\n", path ? path : "-", force);
  return TRUE;
}

guint
vitrine_machine_get_n_consoles (VitrineMachine *self)
{
  return 1;
}

gboolean
vitrine_machine_screenshot (VitrineMachine *self, guint n, const char *path, GError **error)
{
  if (g_file_set_contents (path, "\x89PNG\r\n", -1, NULL))
    return TRUE;
  g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_DENIED, "Can't write %s.", path);
  return FALSE;
}

char *
vitrine_machine_get_text (VitrineMachine *self, guint n, GError **error)
{
  if (!behaves (self, "graphics"))
    return g_strdup ("grub> \n");
  g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE, "It shows graphics.");
  return NULL;
}

const char *
vitrine_machine_get_serial_name (VitrineMachine *self, guint n)
{
  return n == 0 && self->serial && g_str_has_prefix (self->serial, "socket:")
             ? self->serial + strlen ("socket:")
             : NULL;
}

struct _VitrineSpiceServer
{
  GObject parent_instance;
  guint16 port;
};

G_DEFINE_TYPE (VitrineSpiceServer, vitrine_spice_server, G_TYPE_OBJECT)

static void
vitrine_spice_server_class_init (VitrineSpiceServerClass *klass)
{
}

static void
vitrine_spice_server_init (VitrineSpiceServer *self)
{
}

VitrineSpiceServer *
vitrine_spice_server_new (VitrineMachine *machine, const VitrineSpiceOptions *options,
                          GError **error)
{
  if (options->port == 1)
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_BUSY, "Port 1 is in use; choose another.");
      return NULL;
    }
  VitrineSpiceServer *self = g_object_new (VITRINE_TYPE_SPICE_SERVER, NULL);
  self->port = options->port ? options->port : 5999;
  return self;
}

guint16
vitrine_spice_server_get_port (VitrineSpiceServer *self)
{
  return self->port;
}

guint16
vitrine_spice_server_get_tls_port (VitrineSpiceServer *self)
{
  return 0;
}

gboolean
vitrine_spice_make_certificate (const char *folder, const char *host, GError **error)
{
  return TRUE;
}
