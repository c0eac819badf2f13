/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The input hub: takes events from any viewer's thread and hands each to the device that the guest
 * uses, on that device's context. Nothing here waits: a device that does not keep up has a bounded
 * queue, in which movement is summed and the newest presses are lost, but never a release.
 */
#include "vt-input.h"

#define N_CODES 256
#define N_BUTTONS (VT_BUTTON_EXTRA + 1)

/* A release is only sent for a press that was accepted, so room for one of each, and a sync after
 * each, is enough. */
#define RELEASE_RESERVE (2 * (N_CODES + N_BUTTONS))
#define QUEUE_PRESSES 1024
#define QUEUE_SIZE (QUEUE_PRESSES + RELEASE_RESERVE)

typedef enum
{
  EVENT_KEY,
  EVENT_MOTION,
  EVENT_POSITION,
  EVENT_WHEEL,
  EVENT_BUTTON,
  EVENT_SYNC,
} EventKind;

typedef struct
{
  uint8_t kind;
  int     a, b;
} Event;

/* Outlives its port while a post is under way. */
typedef struct
{
  GMutex            lock; /* A leaf. */
  const VtInputOps *ops;  /* NULL: the port is gone. Changes on the port's context only. */
  void             *data;
  VtContext        *context;
  bool              posted, unsynced;
  unsigned          head, count;
  Event             events[QUEUE_SIZE];
} Queue;

struct VtInputPort
{
  VtInput          *input;
  const VtInputOps *ops;
  Queue            *queue;
  VtLeds            leds;
};

struct VtInputWatch
{
  VtInput *input;
  VtFunc   func;
  void    *data;
};

struct VtInput
{
  GMutex       lock;  /* Guards what follows; queue locks nest inside. */
  GPtrArray   *ports; /* VtInputPort, the last activated first. */
  VtInputPort *keys[N_CODES];      /* Who has been told that the key is down. */
  VtInputPort *buttons[N_BUTTONS];
  bool         absolute;
  VtLeds       leds;
  GMutex       watch_lock; /* Guards watches, and is held while they are called. */
  GPtrArray   *watches;
};

/* Queues --------------------------------------------------------------------------------------- */

static void
queue_clear_cb (void *data)
{
  Queue *queue = data;

  g_mutex_clear (&queue->lock);
}

static void
queue_unref (Queue *queue)
{
  g_atomic_rc_box_release_full (queue, queue_clear_cb);
}

static void
deliver (const VtInputOps *ops, void *data, const Event *e)
{
  switch (e->kind)
    {
    case EVENT_KEY:
      ops->key (data, (unsigned) e->a, e->b != 0);
      break;
    case EVENT_MOTION:
      ops->motion (data, e->a, e->b);
      break;
    case EVENT_POSITION:
      ops->position (data, (uint16_t) e->a, (uint16_t) e->b);
      break;
    case EVENT_WHEEL:
      ops->wheel (data, e->a, e->b);
      break;
    case EVENT_BUTTON:
      ops->button (data, (VtButton) e->a, e->b != 0);
      break;
    case EVENT_SYNC:
    default:
      if (ops->sync != NULL)
        ops->sync (data);
      break;
    }
}

/* On the device's context, its lock held. */
static void
dispatch_cb (void *data)
{
  Queue   *queue = data;
  unsigned left;

  g_mutex_lock (&queue->lock);
  left = queue->count;
  g_mutex_unlock (&queue->lock);
  for (;;)
    {
      Event event;

      g_mutex_lock (&queue->lock);
      if (queue->ops == NULL || queue->count == 0)
        {
          queue->posted = false;
          g_mutex_unlock (&queue->lock);
          break;
        }
      /* Viewers that add as fast as this takes must not keep a vCPU from the lock. */
      if (left-- == 0)
        {
          g_mutex_unlock (&queue->lock);
          vt_context_post (queue->context, dispatch_cb, queue);
          return;
        }
      event = queue->events[queue->head];
      queue->head = (queue->head + 1) % QUEUE_SIZE;
      queue->count--;
      g_mutex_unlock (&queue->lock);
      deliver (queue->ops, queue->data, &event);
    }
  queue_unref (queue);
}

/* Adds to the movement that waits at the queue's end, if it is of this kind. */
static bool
merge (Queue *queue, EventKind kind, int a, int b)
{
  Event *last = &queue->events[(queue->head + queue->count + QUEUE_SIZE - 1) % QUEUE_SIZE];

  if (queue->count == 0 || last->kind != kind)
    return false;
  if (kind == EVENT_MOTION || kind == EVENT_WHEEL)
    {
      if (!vt_add (last->a, a, &last->a))
        last->a = a < 0 ? INT_MIN : INT_MAX;
      if (!vt_add (last->b, b, &last->b))
        last->b = b < 0 ? INT_MIN : INT_MAX;
      return true;
    }
  if (kind == EVENT_POSITION)
    {
      last->a = a;
      last->b = b;
      return true;
    }
  return kind == EVENT_SYNC;
}

/* Returns whether the event will be delivered. */
static bool
queue_push (Queue *queue, EventKind kind, int a, int b)
{
  bool release = ((kind == EVENT_KEY || kind == EVENT_BUTTON) && b == 0) || kind == EVENT_SYNC;
  bool taken = true, post = false;

  g_mutex_lock (&queue->lock);
  if (!merge (queue, kind, a, b))
    {
      if (queue->count < (release ? QUEUE_SIZE : QUEUE_PRESSES))
        queue->events[(queue->head + queue->count++) % QUEUE_SIZE] =
            (Event){ .kind = (uint8_t) kind, .a = a, .b = b };
      else
        taken = false;
    }
  if (taken)
    queue->unsynced = kind != EVENT_SYNC;
  if (taken && !queue->posted)
    post = queue->posted = true;
  g_mutex_unlock (&queue->lock);
  if (post)
    vt_context_post (queue->context, dispatch_cb, g_atomic_rc_box_acquire (queue));
  return taken;
}

/* Ports ---------------------------------------------------------------------------------------- */

static bool
takes (const VtInputPort *port, EventKind kind)
{
  switch (kind)
    {
    case EVENT_KEY:
      return port->ops->key != NULL;
    case EVENT_MOTION:
      return port->ops->motion != NULL;
    case EVENT_POSITION:
      return port->ops->position != NULL;
    case EVENT_WHEEL:
      return port->ops->wheel != NULL;
    case EVENT_BUTTON:
      return port->ops->button != NULL;
    case EVENT_SYNC:
    default:
      return true;
    }
}

static VtInputPort *
first_locked (const VtInput *input, EventKind kind)
{
  for (guint i = 0; i < input->ports->len; i++)
    if (takes (input->ports->pdata[i], kind))
      return input->ports->pdata[i];
  return NULL;
}

/* Recomputes what viewers see of the devices. Returns whether it changed. */
static bool
refresh_locked (VtInput *input)
{
  const VtInputPort *keyboard = first_locked (input, EVENT_KEY);
  VtLeds             leds = keyboard == NULL ? 0 : keyboard->leds;
  bool               absolute = false, changed;

  for (guint i = 0; i < input->ports->len; i++)
    {
      const VtInputPort *port = input->ports->pdata[i];

      if (takes (port, EVENT_POSITION) || takes (port, EVENT_MOTION))
        {
          absolute = takes (port, EVENT_POSITION);
          break;
        }
    }
  changed = leds != input->leds || absolute != input->absolute;
  input->leds = leds;
  input->absolute = absolute;
  return changed;
}

static void
tell_watches (VtInput *input)
{
  g_mutex_lock (&input->watch_lock);
  for (guint i = 0; i < input->watches->len; i++)
    {
      const VtInputWatch *watch = input->watches->pdata[i];

      watch->func (watch->data);
    }
  g_mutex_unlock (&input->watch_lock);
}

VtInputPort *
vt_input_port_new (VtInput *input, VtContext *context, const VtInputOps *ops, void *data)
{
  VtInputPort *port = g_new0 (VtInputPort, 1);
  bool         changed;

  port->input = input;
  port->ops = ops;
  port->queue = g_atomic_rc_box_new0 (Queue);
  g_mutex_init (&port->queue->lock);
  port->queue->ops = ops;
  port->queue->data = data;
  port->queue->context = context;
  g_mutex_lock (&input->lock);
  g_ptr_array_add (input->ports, port);
  changed = refresh_locked (input);
  g_mutex_unlock (&input->lock);
  if (changed)
    tell_watches (input);
  return port;
}

void
vt_input_port_free (VtInputPort *port)
{
  VtInput *input;
  bool     changed;

  if (port == NULL)
    return;
  input = port->input;
  g_mutex_lock (&input->lock);
  g_ptr_array_remove (input->ports, port);
  for (unsigned i = 0; i < N_CODES; i++)
    if (input->keys[i] == port)
      input->keys[i] = NULL;
  for (unsigned i = 0; i < N_BUTTONS; i++)
    if (input->buttons[i] == port)
      input->buttons[i] = NULL;
  changed = refresh_locked (input);
  g_mutex_unlock (&input->lock);
  g_mutex_lock (&port->queue->lock);
  port->queue->ops = NULL;
  g_mutex_unlock (&port->queue->lock);
  queue_unref (port->queue);
  g_free (port);
  if (changed)
    tell_watches (input);
}

void
vt_input_port_activate (VtInputPort *port)
{
  VtInput *input;
  guint    index;
  bool     changed;

  if (port == NULL)
    return;
  input = port->input;
  g_mutex_lock (&input->lock);
  if (g_ptr_array_find (input->ports, port, &index) && index != 0)
    {
      g_ptr_array_remove_index (input->ports, index);
      g_ptr_array_insert (input->ports, 0, port);
    }
  changed = refresh_locked (input);
  g_mutex_unlock (&input->lock);
  if (changed)
    tell_watches (input);
}

void
vt_input_port_set_leds (VtInputPort *port, VtLeds leds)
{
  VtInput *input;
  bool     changed;

  if (port == NULL)
    return;
  input = port->input;
  g_mutex_lock (&input->lock);
  port->leds = leds;
  changed = refresh_locked (input);
  g_mutex_unlock (&input->lock);
  if (changed)
    tell_watches (input);
}

/* Viewers -------------------------------------------------------------------------------------- */

/* A press goes to the device in front; its release, and repeats, to who had the press. */
static void
press_locked (VtInput *input, VtInputPort **owner, EventKind kind, unsigned n, bool down)
{
  VtInputPort *port = *owner != NULL ? *owner : first_locked (input, kind);

  if (port == NULL || (!down && *owner == NULL))
    return;
  if (queue_push (port->queue, kind, (int) n, down))
    *owner = down ? port : NULL;
}

void
vt_input_key (VtInput *input, unsigned code, bool down)
{
  if (code == 0 || code >= N_CODES)
    return;
  g_mutex_lock (&input->lock);
  press_locked (input, &input->keys[code], EVENT_KEY, code, down);
  g_mutex_unlock (&input->lock);
}

void
vt_input_button (VtInput *input, VtButton button, bool down)
{
  if ((unsigned) button >= N_BUTTONS)
    return;
  g_mutex_lock (&input->lock);
  press_locked (input, &input->buttons[button], EVENT_BUTTON, button, down);
  g_mutex_unlock (&input->lock);
}

static void
move (VtInput *input, EventKind kind, int a, int b)
{
  VtInputPort *port;

  g_mutex_lock (&input->lock);
  port = first_locked (input, kind);
  if (port != NULL)
    queue_push (port->queue, kind, a, b);
  g_mutex_unlock (&input->lock);
}

void
vt_input_motion (VtInput *input, int dx, int dy)
{
  if (dx != 0 || dy != 0)
    move (input, EVENT_MOTION, dx, dy);
}

void
vt_input_position (VtInput *input, uint16_t x, uint16_t y)
{
  move (input, EVENT_POSITION, MIN (x, 32767), MIN (y, 32767));
}

void
vt_input_wheel (VtInput *input, int dx, int dy)
{
  if (dx != 0 || dy != 0)
    move (input, EVENT_WHEEL, dx, dy);
}

static void
sync_locked (VtInput *input)
{
  for (guint i = 0; i < input->ports->len; i++)
    {
      Queue *queue = ((VtInputPort *) input->ports->pdata[i])->queue;
      bool   unsynced;

      g_mutex_lock (&queue->lock);
      unsynced = queue->unsynced;
      g_mutex_unlock (&queue->lock);
      if (unsynced)
        queue_push (queue, EVENT_SYNC, 0, 0);
    }
}

void
vt_input_sync (VtInput *input)
{
  g_mutex_lock (&input->lock);
  sync_locked (input);
  g_mutex_unlock (&input->lock);
}

void
vt_input_release_all (VtInput *input)
{
  g_mutex_lock (&input->lock);
  for (unsigned i = 0; i < N_CODES; i++)
    press_locked (input, &input->keys[i], EVENT_KEY, i, false);
  for (unsigned i = 0; i < N_BUTTONS; i++)
    press_locked (input, &input->buttons[i], EVENT_BUTTON, i, false);
  sync_locked (input);
  g_mutex_unlock (&input->lock);
}

bool
vt_input_is_absolute (const VtInput *input)
{
  VtInput *hub = (VtInput *) input;
  bool     absolute;

  g_mutex_lock (&hub->lock);
  absolute = hub->absolute;
  g_mutex_unlock (&hub->lock);
  return absolute;
}

VtLeds
vt_input_leds (const VtInput *input)
{
  VtInput *hub = (VtInput *) input;
  VtLeds   leds;

  g_mutex_lock (&hub->lock);
  leds = hub->leds;
  g_mutex_unlock (&hub->lock);
  return leds;
}

VtInputWatch *
vt_input_watch_new (VtInput *input, VtFunc func, void *data)
{
  VtInputWatch *watch = g_new0 (VtInputWatch, 1);

  watch->input = input;
  watch->func = func;
  watch->data = data;
  g_mutex_lock (&input->watch_lock);
  g_ptr_array_add (input->watches, watch);
  g_mutex_unlock (&input->watch_lock);
  return watch;
}

void
vt_input_watch_free (VtInputWatch *watch)
{
  if (watch == NULL)
    return;
  g_mutex_lock (&watch->input->watch_lock);
  g_ptr_array_remove (watch->input->watches, watch);
  g_mutex_unlock (&watch->input->watch_lock);
  g_free (watch);
}

VtInput *
vt_input_new (void)
{
  VtInput *input = g_new0 (VtInput, 1);

  g_mutex_init (&input->lock);
  g_mutex_init (&input->watch_lock);
  input->ports = g_ptr_array_new ();
  input->watches = g_ptr_array_new ();
  return input;
}

void
vt_input_free (VtInput *input)
{
  if (input == NULL)
    return;
  g_ptr_array_free (input->ports, TRUE);
  g_ptr_array_free (input->watches, TRUE);
  g_mutex_clear (&input->lock);
  g_mutex_clear (&input->watch_lock);
  g_free (input);
}
