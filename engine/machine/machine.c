/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineMachine: the object on the default main context that stands for a machine, asks its state
 * driver and tells what became of it.
 */
#include "machine-object.h"

enum
{
  PROP_0,
  PROP_CONFIG,
  PROP_STATE,
  PROP_END,
  PROP_STATUS,
  PROP_DETAIL,
  PROP_EXIT_STATUS,
  PROP_CPU_ENGINE,
  PROP_CPU_DETAIL,
  PROP_CRASH_ON_TRIPLE_FAULT,
  N_PROPS,
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (VitrineMachine, vitrine_machine, G_TYPE_OBJECT)

static const GEnumValue state_values[] = {
  { VITRINE_STATE_OFF, "VITRINE_STATE_OFF", "off" },
  { VITRINE_STATE_STARTING, "VITRINE_STATE_STARTING", "starting" },
  { VITRINE_STATE_RUNNING, "VITRINE_STATE_RUNNING", "running" },
  { VITRINE_STATE_PAUSING, "VITRINE_STATE_PAUSING", "pausing" },
  { VITRINE_STATE_PAUSED, "VITRINE_STATE_PAUSED", "paused" },
  { VITRINE_STATE_STOPPING, "VITRINE_STATE_STOPPING", "stopping" },
  { VITRINE_STATE_CRASHED, "VITRINE_STATE_CRASHED", "crashed" },
  { 0, NULL, NULL },
};

static const GEnumValue end_values[] = {
  { VITRINE_END_NONE, "VITRINE_END_NONE", "none" },
  { VITRINE_END_POWEROFF, "VITRINE_END_POWEROFF", "poweroff" },
  { VITRINE_END_STOPPED, "VITRINE_END_STOPPED", "stopped" },
  { VITRINE_END_DEBUG_EXIT, "VITRINE_END_DEBUG_EXIT", "debug-exit" },
  { VITRINE_END_ERROR, "VITRINE_END_ERROR", "error" },
  { VITRINE_END_CRASH, "VITRINE_END_CRASH", "crash" },
  { 0, NULL, NULL },
};

GType
vitrine_state_get_type (void)
{
  static gsize type;
  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("VitrineState", state_values));
  return type;
}

GType
vitrine_end_get_type (void)
{
  static gsize type;
  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("VitrineEnd", end_values));
  return type;
}

const char *
vitrine_state_to_string (VitrineState state)
{
  for (unsigned i = 0; state_values[i].value_nick; i++)
    if (state_values[i].value == (int) state)
      return state_values[i].value_nick;
  return "unknown";
}

/* Updates from the driver ---------------------------------------------------------------------- */

static void
set_string (VitrineMachine *self, char **field, const char *value, unsigned prop)
{
  if (g_strcmp0 (*field, value) == 0)
    return;
  g_free (*field);
  *field = g_strdup (value);
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static void
set_state (VitrineMachine *self, VitrineState state)
{
  if (self->state == state)
    return;
  self->state = state;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_STATE]);
}

/* The state is notified last, so that whoever wakes up by it finds the rest in place. */
static void
update_cb (void *data, const VtUpdate *update)
{
  VitrineMachine *self = data;

  g_object_ref (self);
  g_object_freeze_notify (G_OBJECT (self));
  set_string (self, &self->status, update->status, PROP_STATUS);
  set_string (self, &self->detail, update->detail, PROP_DETAIL);
  set_string (self, &self->cpu_detail, update->cpu_detail, PROP_CPU_DETAIL);
  if (update->cpu_engine != self->cpu_engine)
    {
      self->cpu_engine = update->cpu_engine;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CPU_ENGINE]);
    }
  const VitrineEnd end =
      update->state == VITRINE_STATE_CRASHED ? VITRINE_END_CRASH : update->end;
  if (self->end != end)
    {
      self->end = end;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_END]);
    }
  if (self->exit_status != update->exit_status)
    {
      self->exit_status = update->exit_status;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_EXIT_STATUS]);
    }
  if (update->started && !update->error)
    self->built = TRUE;

  VtMachine *ended = NULL;
  if (update->state == VITRINE_STATE_OFF)
    {
      vt_machine_detach_viewers (self);
      self->built = FALSE;
      ended = g_steal_pointer (&self->run);
    }
  set_state (self, update->state);
  g_object_thaw_notify (G_OBJECT (self));

  /* Only now, when everybody who was told has let go of its consoles, is the run torn down. */
  if (ended)
    vt_driver_forget (ended->driver);
  if (update->started)
    {
      g_autoptr (GTask) task = g_steal_pointer (&self->start);
      if (update->error)
        g_task_return_error (task, g_error_copy (update->error));
      else
        g_task_return_boolean (task, TRUE);
    }
  g_object_unref (self);
}

/* Requests ------------------------------------------------------------------------------------- */

void
vitrine_machine_start (VitrineMachine *self, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, data);

  g_return_if_fail (VITRINE_IS_MACHINE (self));
  g_task_set_source_tag (task, vitrine_machine_start);
  if (self->state != VITRINE_STATE_OFF || self->run)
    {
      g_task_return_new_error (task, VITRINE_ERROR, VITRINE_ERROR_STATE,
                               "“%s” is %s already.", vitrine_config_get_name (self->config),
                               vitrine_state_to_string (self->state));
      return;
    }
  self->run = vt_machine_new (self->config);
  for (unsigned i = 0; i < VT_MACHINE_SERIALS; i++)
    self->run->serial_override[i] = g_strdup (self->serial_override[i]);
  self->start = g_steal_pointer (&task);
  VtDriver *driver = vt_driver_new (self->run, g_steal_pointer (&self->thread), update_cb, self);
  self->thread = vt_driver_thread (driver);
  vt_driver_set_crash_on_triple_fault (driver, self->crash_on_triple_fault);

  g_object_freeze_notify (G_OBJECT (self));
  set_string (self, &self->status, NULL, PROP_STATUS);
  set_string (self, &self->detail, NULL, PROP_DETAIL);
  if (self->end != VITRINE_END_NONE)
    {
      self->end = VITRINE_END_NONE;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_END]);
    }
  set_state (self, VITRINE_STATE_STARTING);
  g_object_thaw_notify (G_OBJECT (self));
}

gboolean
vitrine_machine_start_finish (VitrineMachine *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* Whether the present state is one of @allowed, a set of bits; the error says what it is. */
static gboolean
check_state (VitrineMachine *self, unsigned allowed, const char *verb, GError **error)
{
  if (self->run && (allowed >> self->state & 1))
    return TRUE;
  return vt_set_error (error, VITRINE_ERROR_STATE, "“%s” can't be %s while it is %s.",
                       vitrine_config_get_name (self->config), verb,
                       vitrine_state_to_string (self->state));
}

#define IN(state) (1u << (state))

gboolean
vitrine_machine_pause (VitrineMachine *self, GError **error)
{
  if (!check_state (self, IN (VITRINE_STATE_RUNNING), "paused", error))
    return FALSE;
  vt_driver_command (self->run->driver, VT_COMMAND_PAUSE);
  set_state (self, VITRINE_STATE_PAUSING);
  return TRUE;
}

gboolean
vitrine_machine_resume (VitrineMachine *self, GError **error)
{
  if (!check_state (self, IN (VITRINE_STATE_PAUSED) | IN (VITRINE_STATE_PAUSING), "resumed", error))
    return FALSE;
  vt_driver_command (self->run->driver, VT_COMMAND_RESUME);
  return TRUE;
}

gboolean
vitrine_machine_reset (VitrineMachine *self, GError **error)
{
  if (!check_state (self,
                    IN (VITRINE_STATE_RUNNING) | IN (VITRINE_STATE_PAUSED)
                        | IN (VITRINE_STATE_PAUSING) | IN (VITRINE_STATE_CRASHED),
                    "reset", error))
    return FALSE;
  vt_driver_command (self->run->driver, VT_COMMAND_RESET);
  return TRUE;
}

gboolean
vitrine_machine_shut_down (VitrineMachine *self, GError **error)
{
  if (!check_state (self, IN (VITRINE_STATE_RUNNING), "asked to shut down", error))
    return FALSE;
  if (!self->run->power_button)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "“%s” has no power button; stop it instead.",
                         vitrine_config_get_name (self->config));
  vt_driver_command (self->run->driver, VT_COMMAND_POWER_BUTTON);
  return TRUE;
}

gboolean
vitrine_machine_stop (VitrineMachine *self, GError **error)
{
  if (!check_state (self, ~(IN (VITRINE_STATE_OFF) | IN (VITRINE_STATE_STOPPING)), "stopped", error))
    return FALSE;
  vt_driver_command (self->run->driver, VT_COMMAND_STOP);
  if (self->state != VITRINE_STATE_STARTING)
    set_state (self, VITRINE_STATE_STOPPING);
  return TRUE;
}

void
vitrine_machine_set_serial (VitrineMachine *self, guint n, const char *backend)
{
  g_return_if_fail (VITRINE_IS_MACHINE (self) && n < VT_MACHINE_SERIALS);
  g_free (self->serial_override[n]);
  self->serial_override[n] = g_strdup (backend);
}

/* Looking -------------------------------------------------------------------------------------- */

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
  return self->detail;
}

int
vitrine_machine_get_exit_status (VitrineMachine *self)
{
  return self->exit_status;
}

const char *
vitrine_machine_get_cpu_engine (VitrineMachine *self)
{
  return self->cpu_engine;
}

const char *
vitrine_machine_get_cpu_detail (VitrineMachine *self)
{
  return self->cpu_detail;
}

VitrineConfig *
vitrine_machine_get_config (VitrineMachine *self)
{
  return self->config;
}

VtMachine *
vt_machine_of (VitrineMachine *self)
{
  return self->built ? self->run : NULL;
}

/* The object ----------------------------------------------------------------------------------- */

VitrineMachine *
vitrine_machine_new (VitrineConfig *config)
{
  return g_object_new (VITRINE_TYPE_MACHINE, "config", config, NULL);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  VitrineMachine *self = VITRINE_MACHINE (object);
  switch (id)
    {
    case PROP_CONFIG:
      g_value_set_object (value, self->config);
      break;
    case PROP_STATE:
      g_value_set_enum (value, (int) self->state);
      break;
    case PROP_END:
      g_value_set_enum (value, (int) self->end);
      break;
    case PROP_STATUS:
      g_value_set_string (value, self->status);
      break;
    case PROP_DETAIL:
      g_value_set_string (value, self->detail);
      break;
    case PROP_EXIT_STATUS:
      g_value_set_int (value, self->exit_status);
      break;
    case PROP_CPU_ENGINE:
      g_value_set_string (value, self->cpu_engine);
      break;
    case PROP_CPU_DETAIL:
      g_value_set_string (value, self->cpu_detail);
      break;
    case PROP_CRASH_ON_TRIPLE_FAULT:
      g_value_set_boolean (value, self->crash_on_triple_fault);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
    }
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  VitrineMachine *self = VITRINE_MACHINE (object);
  switch (id)
    {
    case PROP_CONFIG:
      self->config = g_value_dup_object (value);
      break;
    case PROP_CRASH_ON_TRIPLE_FAULT:
      self->crash_on_triple_fault = g_value_get_boolean (value);
      if (self->run)
        vt_driver_set_crash_on_triple_fault (self->run->driver, self->crash_on_triple_fault);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
    }
}

/* Pulls the plug of a machine that still runs, and waits until all of it is gone. */
static void
dispose (GObject *object)
{
  VitrineMachine *self = VITRINE_MACHINE (object);

  vt_machine_detach_viewers (self);
  self->built = FALSE;
  if (self->run)
    {
      vt_driver_command (self->run->driver, VT_COMMAND_STOP);
      vt_driver_forget (g_steal_pointer (&self->run)->driver);
      self->state = VITRINE_STATE_OFF;
    }
  g_clear_pointer (&self->thread, g_thread_join);
  G_OBJECT_CLASS (vitrine_machine_parent_class)->dispose (object);
}

static void
finalize (GObject *object)
{
  VitrineMachine *self = VITRINE_MACHINE (object);
  g_clear_object (&self->config);
  g_free (self->status);
  g_free (self->detail);
  g_free (self->cpu_detail);
  for (unsigned i = 0; i < VT_MACHINE_SERIALS; i++)
    g_free (self->serial_override[i]);
  g_ptr_array_unref (self->screens);
  G_OBJECT_CLASS (vitrine_machine_parent_class)->finalize (object);
}

static void
vitrine_machine_class_init (VitrineMachineClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const int     read = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = get_property;
  object_class->set_property = set_property;
  object_class->dispose = dispose;
  object_class->finalize = finalize;

  props[PROP_CONFIG] =
      g_param_spec_object ("config", NULL, NULL, VITRINE_TYPE_CONFIG,
                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, VITRINE_TYPE_STATE, VITRINE_STATE_OFF, read);
  props[PROP_END] = g_param_spec_enum ("end", NULL, NULL, VITRINE_TYPE_END, VITRINE_END_NONE, read);
  props[PROP_STATUS] = g_param_spec_string ("status", NULL, NULL, NULL, read);
  props[PROP_DETAIL] = g_param_spec_string ("detail", NULL, NULL, NULL, read);
  props[PROP_EXIT_STATUS] = g_param_spec_int ("exit-status", NULL, NULL, G_MININT, G_MAXINT, 0, read);
  props[PROP_CPU_ENGINE] = g_param_spec_string ("cpu-engine", NULL, NULL, NULL, read);
  props[PROP_CPU_DETAIL] = g_param_spec_string ("cpu-detail", NULL, NULL, NULL, read);
  props[PROP_CRASH_ON_TRIPLE_FAULT] =
      g_param_spec_boolean ("crash-on-triple-fault", NULL, NULL, FALSE,
                            G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
vitrine_machine_init (VitrineMachine *self)
{
  self->screens = g_ptr_array_new ();
}
