/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The state driver: one thread and one queue through which a machine is built, started, paused,
 * resumed, reset and ended, whether its user, its guest or a fault of either asked. Everything is done
 * in the order of the queue, so no two of them meet half-way.
 */
#include "machine-private.h"

#define CPU_DEADLINE (10 * VT_NS_PER_SEC)  /* For a vCPU to leave a register access. */
#define DRAIN_DEADLINE (5 * VT_NS_PER_SEC) /* For the devices, before the user is told which hangs. */
#define STOP_DEADLINE (2 * VT_NS_PER_SEC)  /* The same when the plug is pulled anyway. */

typedef enum
{
  MESSAGE_COMMAND,
  MESSAGE_REQUEST,
  MESSAGE_CPU_ENDED,
  MESSAGE_DRAINED,
  MESSAGE_CALL,
  MESSAGE_QUIT,
} MessageKind;

typedef struct
{
  MessageKind kind;
  VtCommand   command;
  VtRequest   request;
  int         exit_status;
  VtCpuEnd    end;
  void (*func) (VtMachine *machine, void *data);
  void *data;
} Message;

/* Between the driver's thread and the default main context; outlives either. */
typedef struct
{
  gatomicrefcount refs;
  void (*update) (void *data, const VtUpdate *update);
  void *data;
  bool  forgotten; /* The main context's alone. */
} Link;

struct VtDriver
{
  VtMachine   *machine;
  GThread     *thread, *previous;
  GAsyncQueue *queue;
  Link        *link;
  gint         crash_on_triple_fault;
  gint         undecided; /* Requests and ends in the queue: the vCPUs stay held until none is. */

  GMutex lock; /* Of the three below. */
  GCond  changed;
  bool   drained, call_done;

  /* The driver thread's alone. */
  VitrineState state;
  bool         asleep;        /* ACPI S3: the vCPUs stay held, the devices run. */
  bool         clock_running;
  bool         draining;      /* The device below the drained ones has been asked. */
  unsigned     n_undrained;   /* Devices from this index on are drained. */
  int64_t      deadline;      /* While pausing, host ns; 0 once the user has been told. */
};

/* Updates -------------------------------------------------------------------------------------- */

void
vt_update_clear (VtUpdate *update)
{
  g_clear_pointer (&update->status, g_free);
  g_clear_pointer (&update->detail, g_free);
  g_clear_pointer (&update->cpu_detail, g_free);
  g_clear_error (&update->error);
}

typedef struct
{
  Link    *link;
  VtUpdate update;
} Delivery;

static void
link_unref (Link *link)
{
  if (g_atomic_ref_count_dec (&link->refs))
    g_free (link);
}

static gboolean
deliver_cb (gpointer data)
{
  Delivery *delivery = data;
  if (!delivery->link->forgotten)
    delivery->link->update (delivery->link->data, &delivery->update);
  return G_SOURCE_REMOVE;
}

static void
delivery_free (gpointer data)
{
  Delivery *delivery = data;
  link_unref (delivery->link);
  vt_update_clear (&delivery->update);
  g_free (delivery);
}

/* Takes what @update holds. */
static void
post (VtDriver *driver, const VtUpdate *update)
{
  Delivery            *delivery = g_new (Delivery, 1);
  g_autoptr (GSource)  source = g_idle_source_new ();

  *delivery = (Delivery){ driver->link, *update };
  g_atomic_ref_count_inc (&driver->link->refs);
  if (driver->machine->cpus)
    {
      delivery->update.cpu_engine = driver->machine->cpus->ops->id;
      delivery->update.cpu_detail = vt_cpu_engine_describe (driver->machine->cpus);
    }
  /* Attached, not invoked: g_main_context_invoke() may run it here, while the main loop is idle. */
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, deliver_cb, delivery, delivery_free);
  g_source_attach (source, NULL);
}

static void
set_state (VtDriver *driver, VitrineState state, char *status, char *detail)
{
  driver->state = state;
  post (driver, &(VtUpdate){ .state = state, .status = status, .detail = detail });
}

/* Running and standing still ------------------------------------------------------------------- */

static void
let_cpus_run (VtDriver *driver)
{
  if (driver->asleep || g_atomic_int_get (&driver->undecided))
    return;
  vt_cpus_run (driver->machine->cpus);
  /* A request that came in between has held them before they ran. */
  if (g_atomic_int_get (&driver->undecided))
    vt_cpus_hold (driver->machine->cpus);
}

static void
stop_clock (VtDriver *driver)
{
  if (!driver->clock_running)
    return;
  if (driver->machine->cpus->ops->freeze)
    driver->machine->cpus->ops->freeze (driver->machine->cpus);
  vt_clock_stop (driver->machine->clock);
  driver->clock_running = false;
}

static void
crash (VtDriver *driver, char *status, char *detail)
{
  vt_cpus_hold (driver->machine->cpus);
  vt_cpus_wait (driver->machine->cpus, VT_NS_PER_SEC, NULL);
  stop_clock (driver);
  set_state (driver, VITRINE_STATE_CRASHED, status, detail);
}

/* Holds the vCPUs. Where one hangs in a register access, the machine has crashed: false. */
static bool
hold_cpus (VtDriver *driver)
{
  unsigned culprit = 0;
  vt_cpus_hold (driver->machine->cpus);
  if (vt_cpus_wait (driver->machine->cpus, CPU_DEADLINE, &culprit))
    return true;
  crash (driver,
         g_strdup_printf ("Processor %u has hung in a device's register access for %d seconds; stop the "
                          "machine.",
                          culprit, (int) (CPU_DEADLINE / VT_NS_PER_SEC)),
         NULL);
  return false;
}

static void
drained_cb (void *data)
{
  VtDriver *driver = data;
  Message  *message = g_new0 (Message, 1);

  g_mutex_lock (&driver->lock);
  driver->drained = true;
  g_cond_broadcast (&driver->changed);
  g_mutex_unlock (&driver->lock);
  message->kind = MESSAGE_DRAINED;
  g_async_queue_push (driver->queue, message);
}

/* Drains one device after the other, the last first. Returns: whether all are. */
static bool
drain (VtDriver *driver, int64_t wait_ns)
{
  GPtrArray   *devices = driver->machine->devices;
  const gint64 until = g_get_monotonic_time () + wait_ns / VT_NS_PER_US;

  for (; driver->n_undrained > 0; driver->n_undrained--, driver->draining = false)
    {
      bool done;
      if (!driver->draining)
        {
          driver->draining = true;
          driver->drained = false;
          vt_device_pause (devices->pdata[driver->n_undrained - 1], drained_cb, driver);
        }
      g_mutex_lock (&driver->lock);
      while (!driver->drained && wait_ns > 0)
        if (!g_cond_wait_until (&driver->changed, &driver->lock, until))
          break;
      done = driver->drained;
      g_mutex_unlock (&driver->lock);
      if (!done)
        return false;
    }
  return true;
}

/* Everything goes (on): devices that were paused, time, vCPUs. */
static void
go (VtDriver *driver)
{
  GPtrArray     *devices = driver->machine->devices;
  const unsigned first = driver->n_undrained - (driver->draining ? 1 : 0);

  for (unsigned i = first; i < devices->len; i++)
    vt_device_resume (devices->pdata[i]);
  driver->n_undrained = devices->len;
  driver->draining = false;
  if (!driver->clock_running)
    {
      if (driver->machine->cpus->ops->thaw)
        driver->machine->cpus->ops->thaw (driver->machine->cpus);
      vt_clock_start (driver->machine->clock);
      driver->clock_running = true;
    }
  let_cpus_run (driver);
}

static void
end_run (VtDriver *driver, VitrineEnd end, int exit_status, char *status)
{
  /* A vCPU that hangs, or a device that does not drain, can't keep a machine from ending. */
  vt_cpus_hold (driver->machine->cpus);
  vt_cpus_wait (driver->machine->cpus, STOP_DEADLINE, NULL);
  stop_clock (driver);
  drain (driver, STOP_DEADLINE);
  driver->state = VITRINE_STATE_OFF;
  post (driver, &(VtUpdate){ .state = VITRINE_STATE_OFF,
                             .end = end,
                             .exit_status = exit_status,
                             .status = status });
}

static void
reset (VtDriver *driver, char *status)
{
  VtMachine *machine = driver->machine;
  GError    *error = NULL;

  if (!hold_cpus (driver))
    {
      g_free (status);
      return;
    }
  driver->asleep = false;
  for (unsigned i = 0; i < machine->devices->len; i++)
    vt_device_reset (machine->devices->pdata[i], VT_RESET_WARM);
  if (!vt_cpus_reset (machine->cpus, &error))
    {
      g_free (status);
      crash (driver, g_strdup (error->message), NULL);
      g_error_free (error);
      return;
    }
  vt_machine_replay_lines (machine);
  if (driver->state == VITRINE_STATE_PAUSED || driver->state == VITRINE_STATE_PAUSING)
    {
      g_free (status);
      return;
    }
  go (driver);
  set_state (driver, VITRINE_STATE_RUNNING, status, NULL);
}

/* Messages ------------------------------------------------------------------------------------- */

static void
start (VtDriver *driver)
{
  VtMachine *machine = driver->machine;
  VtUpdate   update = { .started = true };

  g_clear_pointer (&driver->previous, g_thread_join);
  if (vt_machine_build (machine, &update.error))
    {
      /* The board's wiring was done before the engine's chips knew of it. */
      vt_machine_replay_lines (machine);
      driver->state = update.state = VITRINE_STATE_RUNNING;
      driver->n_undrained = 0;
      update.status = g_strdup (machine->cpus->warning);
      go (driver);
    }
  else
    {
      driver->state = update.state = VITRINE_STATE_OFF;
      update.end = VITRINE_END_ERROR;
      if (!update.error)
        vt_set_error (&update.error, VITRINE_ERROR_FAILED, "The machine could not be built.");
      update.status = g_strdup (update.error->message);
    }
  post (driver, &update);
}

static void
paused (VtDriver *driver)
{
  set_state (driver, VITRINE_STATE_PAUSED, NULL, NULL);
}

static void
pause_machine (VtDriver *driver)
{
  if (!hold_cpus (driver))
    return;
  stop_clock (driver);
  driver->state = VITRINE_STATE_PAUSING;
  driver->deadline = vt_clock_now (vt_clock_host ()) + DRAIN_DEADLINE;
  if (drain (driver, 0))
    paused (driver);
}

/* The user learns which device keeps the machine from pausing; it pauses when that has ended. */
static void
name_culprit (VtDriver *driver)
{
  const VtDevice *dev = driver->machine->devices->pdata[driver->n_undrained - 1];
  driver->deadline = 0;
  set_state (driver, VITRINE_STATE_PAUSING,
             g_strdup_printf ("Waits for “%s”, which has work in flight for more than %d seconds.",
                              dev->path, (int) (DRAIN_DEADLINE / VT_NS_PER_SEC)),
             NULL);
}

static void
handle_command (VtDriver *driver, VtCommand command)
{
  const VitrineState state = driver->state;

  if (state == VITRINE_STATE_OFF)
    return;
  switch (command)
    {
    case VT_COMMAND_PAUSE:
      if (state == VITRINE_STATE_RUNNING)
        pause_machine (driver);
      break;
    case VT_COMMAND_RESUME:
      if (state == VITRINE_STATE_PAUSED || state == VITRINE_STATE_PAUSING)
        {
          go (driver);
          set_state (driver, VITRINE_STATE_RUNNING, NULL, NULL);
        }
      break;
    case VT_COMMAND_RESET:
      reset (driver, NULL);
      break;
    case VT_COMMAND_POWER_BUTTON:
      vt_line_pulse (driver->machine->power_button);
      break;
    case VT_COMMAND_STOP:
      end_run (driver, VITRINE_END_STOPPED, 0, g_strdup ("It was switched off by its user."));
      break;
    default:
      break;
    }
}

static void
handle_request (VtDriver *driver, VtRequest request, int exit_status)
{
  if (driver->state == VITRINE_STATE_OFF || driver->state == VITRINE_STATE_CRASHED)
    return;
  switch (request)
    {
    case VT_REQUEST_RESET:
      reset (driver, NULL);
      return;
    case VT_REQUEST_POWEROFF:
      end_run (driver, VITRINE_END_POWEROFF, 0, g_strdup ("The guest switched itself off."));
      return;
    case VT_REQUEST_DEBUG_EXIT:
      end_run (driver, VITRINE_END_DEBUG_EXIT, exit_status,
               g_strdup_printf ("The guest ended the machine with status %d.", exit_status));
      return;
    case VT_REQUEST_SUSPEND:
      if (!driver->asleep)
        {
          driver->asleep = true;
          if (hold_cpus (driver))
            set_state (driver, driver->state, g_strdup ("The guest sleeps; the power button wakes it."),
                       NULL);
        }
      return;
    case VT_REQUEST_WAKE:
      if (driver->asleep)
        reset (driver, NULL);
      return;
    default:
      break;
    }
  if (driver->state == VITRINE_STATE_RUNNING)
    let_cpus_run (driver);
}

static void
handle_cpu_end (VtDriver *driver, VtCpuEnd *end)
{
  if (driver->state == VITRINE_STATE_OFF || driver->state == VITRINE_STATE_CRASHED)
    return;
  switch (end->kind)
    {
    case VT_CPU_END_RESET:
      reset (driver, NULL);
      break;
    case VT_CPU_END_POWEROFF:
      end_run (driver, VITRINE_END_POWEROFF, 0, g_strdup ("The guest switched itself off."));
      break;
    case VT_CPU_END_TRIPLE_FAULT:
      if (!g_atomic_int_get (&driver->crash_on_triple_fault))
        {
          vt_trace ("machine", "%s\n%s", end->status, end->detail ? end->detail : "");
          reset (driver, g_strdup_printf ("It was reset after a triple fault of processor %u.", end->cpu));
          break;
        }
      G_GNUC_FALLTHROUGH;
    case VT_CPU_END_ERROR:
      crash (driver, g_steal_pointer (&end->status), g_steal_pointer (&end->detail));
      break;
    default:
      break;
    }
}

static void
handle (VtDriver *driver, Message *message)
{
  switch (message->kind)
    {
    case MESSAGE_COMMAND:
      handle_command (driver, message->command);
      break;
    case MESSAGE_REQUEST:
      g_atomic_int_add (&driver->undecided, -1);
      handle_request (driver, message->request, message->exit_status);
      break;
    case MESSAGE_CPU_ENDED:
      g_atomic_int_add (&driver->undecided, -1);
      handle_cpu_end (driver, &message->end);
      break;
    case MESSAGE_DRAINED:
      if (driver->state == VITRINE_STATE_PAUSING && drain (driver, 0))
        paused (driver);
      break;
    case MESSAGE_CALL:
      message->func (driver->machine, message->data);
      g_mutex_lock (&driver->lock);
      driver->call_done = true;
      g_cond_broadcast (&driver->changed);
      g_mutex_unlock (&driver->lock);
      break;
    default:
      break;
    }
}

static void
message_free (gpointer data)
{
  Message *message = data;
  vt_cpu_end_clear (&message->end);
  g_free (message);
}

static Message *
next_message (VtDriver *driver)
{
  while (driver->state == VITRINE_STATE_PAUSING && driver->deadline)
    {
      const int64_t left = driver->deadline - vt_clock_now (vt_clock_host ());
      Message      *message = left > 0 ? g_async_queue_timeout_pop (
                                        driver->queue, (guint64) (left / VT_NS_PER_US) + 1)
                                  : g_async_queue_try_pop (driver->queue);
      if (message)
        return message;
      if (left <= 0)
        name_culprit (driver);
    }
  return g_async_queue_pop (driver->queue);
}

static gpointer
driver_thread (gpointer data)
{
  VtDriver *driver = data;
  bool      quit = false;

  start (driver);
  while (!quit)
    {
      Message *message = next_message (driver);
      quit = message->kind == MESSAGE_QUIT;
      if (!quit)
        handle (driver, message);
      message_free (message);
    }
  vt_machine_free (driver->machine);
  g_async_queue_unref (driver->queue);
  link_unref (driver->link);
  g_mutex_clear (&driver->lock);
  g_cond_clear (&driver->changed);
  g_free (driver);
  return NULL;
}

/* The outside ---------------------------------------------------------------------------------- */

VtDriver *
vt_driver_new (VtMachine *machine, GThread *previous,
               void (*update) (void *data, const VtUpdate *update), void *data)
{
  VtDriver *driver = g_new0 (VtDriver, 1);
  driver->machine = machine;
  driver->previous = previous;
  driver->state = VITRINE_STATE_STARTING;
  driver->queue = g_async_queue_new_full (message_free);
  driver->link = g_new0 (Link, 1);
  g_atomic_ref_count_init (&driver->link->refs);
  driver->link->update = update;
  driver->link->data = data;
  g_mutex_init (&driver->lock);
  g_cond_init (&driver->changed);
  machine->driver = driver;
  driver->thread = g_thread_new ("state", driver_thread, driver);
  return driver;
}

void
vt_driver_command (VtDriver *driver, VtCommand command)
{
  Message *message = g_new0 (Message, 1);
  message->kind = MESSAGE_COMMAND;
  message->command = command;
  g_async_queue_push (driver->queue, message);
}

void
vt_driver_set_crash_on_triple_fault (VtDriver *driver, bool do_crash)
{
  g_atomic_int_set (&driver->crash_on_triple_fault, do_crash);
}

void
vt_driver_request (VtDriver *driver, VtRequest request, int exit_status)
{
  Message *message = g_new0 (Message, 1);
  message->kind = MESSAGE_REQUEST;
  message->request = request;
  message->exit_status = exit_status;
  /* Counted before they are held: the driver lets nobody run while one is undecided. */
  g_atomic_int_add (&driver->undecided, 1);
  if (request != VT_REQUEST_WAKE && driver->machine->cpus)
    vt_cpus_hold (driver->machine->cpus);
  g_async_queue_push (driver->queue, message);
}

void
vt_driver_cpu_ended (VtDriver *driver, const VtCpuEnd *end)
{
  Message *message = g_new0 (Message, 1);
  message->kind = MESSAGE_CPU_ENDED;
  message->end = *end;
  message->end.status = g_strdup (end->status);
  message->end.detail = g_strdup (end->detail);
  g_atomic_int_add (&driver->undecided, 1);
  g_async_queue_push (driver->queue, message);
}

void
vt_driver_call (VtDriver *driver, void (*func) (VtMachine *machine, void *data), void *data)
{
  Message *message = g_new0 (Message, 1);
  message->kind = MESSAGE_CALL;
  message->func = func;
  message->data = data;
  g_mutex_lock (&driver->lock);
  driver->call_done = false;
  g_async_queue_push (driver->queue, message);
  while (!driver->call_done)
    g_cond_wait (&driver->changed, &driver->lock);
  g_mutex_unlock (&driver->lock);
}

bool
vt_driver_is_paused (const VtDriver *driver)
{
  return driver->state == VITRINE_STATE_PAUSED;
}

GThread *
vt_driver_thread (VtDriver *driver)
{
  return driver->thread;
}

void
vt_driver_forget (VtDriver *driver)
{
  Message *message = g_new0 (Message, 1);
  driver->link->forgotten = true;
  message->kind = MESSAGE_QUIT;
  g_async_queue_push (driver->queue, message);
}
