/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The thread on which one SPICE server lives, and the library's SpiceCoreInterface on top of it.
 *
 * The interface has no opaque pointer, so its functions find their server by the thread they are
 * called on. Measured: libspice-server calls them on no other thread than the one that made it.
 */
#include "core.h"

#include <signal.h>

struct VtSpiceCore
{
  GMainContext    *context;
  VtSpiceEventFunc event;
  void            *event_data;
  bool             quit; /* This thread only. */
  VtFunc           last;
  void            *last_data;
};

/* A key, not state: each thread has its own value behind it. */
static GPrivate core_of_thread;

struct SpiceTimer
{
  GSource        source;
  SpiceTimerFunc func;
  void          *opaque;
};

struct SpiceWatch
{
  GSource        source;
  int            fd;
  gpointer       tag; /* NULL while nothing is waited for. */
  int            mask;
  SpiceWatchFunc func;
  void          *opaque;
};

/* Timers --------------------------------------------------------------------------------------- */

static gboolean
timer_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  SpiceTimer *timer = (SpiceTimer *) source;

  /* One shot, disarmed first: @func may start it again or remove it. */
  g_source_set_ready_time (source, -1);
  timer->func (timer->opaque);
  return G_SOURCE_CONTINUE;
}

static const GSourceFuncs timer_funcs = { .dispatch = timer_dispatch };

static SpiceTimer *
timer_new (VtSpiceCore *core, SpiceTimerFunc func, void *opaque)
{
  GSource    *source = g_source_new ((GSourceFuncs *) &timer_funcs, sizeof (SpiceTimer));
  SpiceTimer *timer = (SpiceTimer *) source;

  timer->func = func;
  timer->opaque = opaque;
  g_source_attach (source, core->context);
  return timer;
}

static SpiceTimer *
timer_add_cb (SpiceTimerFunc func, void *opaque)
{
  return timer_new (g_private_get (&core_of_thread), func, opaque);
}

static void
timer_start_cb (SpiceTimer *timer, uint32_t ms)
{
  g_source_set_ready_time (&timer->source, g_get_monotonic_time () + (gint64) ms * 1000);
}

static void
timer_cancel_cb (SpiceTimer *timer)
{
  g_source_set_ready_time (&timer->source, -1);
}

static void
timer_remove_cb (SpiceTimer *timer)
{
  g_source_destroy (&timer->source);
  g_source_unref (&timer->source);
}

/* Watches -------------------------------------------------------------------------------------- */

static gboolean
watch_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  SpiceWatch  *watch = (SpiceWatch *) source;
  GIOCondition ready = watch->tag ? g_source_query_unix_fd (source, watch->tag) : 0;
  int          events = 0;

  /* A hang-up or an error is found by whichever of read and write is tried next. */
  if (ready & (G_IO_IN | G_IO_HUP | G_IO_ERR))
    events |= SPICE_WATCH_EVENT_READ;
  if (ready & (G_IO_OUT | G_IO_ERR))
    events |= SPICE_WATCH_EVENT_WRITE;
  if ((ready & G_IO_HUP) && !(watch->mask & SPICE_WATCH_EVENT_READ))
    events |= SPICE_WATCH_EVENT_WRITE;
  events &= watch->mask;
  if (events)
    watch->func (watch->fd, events, watch->opaque);
  return G_SOURCE_CONTINUE;
}

static const GSourceFuncs watch_funcs = { .dispatch = watch_dispatch };

static void
watch_set (SpiceWatch *watch, int mask)
{
  GIOCondition condition = 0;

  if (mask & SPICE_WATCH_EVENT_READ)
    condition |= G_IO_IN;
  if (mask & SPICE_WATCH_EVENT_WRITE)
    condition |= G_IO_OUT;
  watch->mask = mask;
  /* An fd that is polled for nothing still reports hang-ups, for ever: take it out. */
  if (!condition && watch->tag)
    {
      g_source_remove_unix_fd (&watch->source, watch->tag);
      watch->tag = NULL;
    }
  else if (condition && watch->tag)
    g_source_modify_unix_fd (&watch->source, watch->tag, condition);
  else if (condition)
    watch->tag = g_source_add_unix_fd (&watch->source, watch->fd, condition);
}

static SpiceWatch *
watch_add_cb (int fd, int event_mask, SpiceWatchFunc func, void *opaque)
{
  VtSpiceCore *core = g_private_get (&core_of_thread);
  GSource     *source = g_source_new ((GSourceFuncs *) &watch_funcs, sizeof (SpiceWatch));
  SpiceWatch  *watch = (SpiceWatch *) source;

  watch->fd = fd;
  watch->func = func;
  watch->opaque = opaque;
  watch_set (watch, event_mask);
  g_source_attach (source, core->context);
  return watch;
}

static void
watch_update_mask_cb (SpiceWatch *watch, int event_mask)
{
  watch_set (watch, event_mask);
}

static void
watch_remove_cb (SpiceWatch *watch)
{
  g_source_destroy (&watch->source);
  g_source_unref (&watch->source);
}

static void
channel_event_cb (int event, SpiceChannelEventInfo *info)
{
  VtSpiceCore *core = g_private_get (&core_of_thread);

  if (core)
    core->event (core->event_data, event, info);
}

SpiceCoreInterface *
vt_spice_core_interface (void)
{
  /* The library asks for a pointer to non-const and doesn't write. */
  static const SpiceCoreInterface interface = {
    .base = {
      .type = SPICE_INTERFACE_CORE,
      .description = "vitrine",
      .major_version = SPICE_INTERFACE_CORE_MAJOR,
      .minor_version = SPICE_INTERFACE_CORE_MINOR,
    },
    .timer_add = timer_add_cb,
    .timer_start = timer_start_cb,
    .timer_cancel = timer_cancel_cb,
    .timer_remove = timer_remove_cb,
    .watch_add = watch_add_cb,
    .watch_update_mask = watch_update_mask_cb,
    .watch_remove = watch_remove_cb,
    .channel_event = channel_event_cb,
  };

  return (SpiceCoreInterface *) &interface;
}

/* Our own sources ------------------------------------------------------------------------------ */

GSource *
vt_spice_core_alarm (VtSpiceCore *core, VtFunc func, void *data)
{
  return &timer_new (core, func, data)->source;
}

void
vt_spice_alarm_set (GSource *alarm, gint64 when)
{
  g_source_set_ready_time (alarm, when);
}

void
vt_spice_alarm_free (GSource *alarm)
{
  if (!alarm)
    return;
  g_source_destroy (alarm);
  g_source_unref (alarm);
}

typedef struct
{
  GSource source;
  VtFunc  func;
  void   *data;
} Readable;

static gboolean
readable_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  Readable *readable = (Readable *) source;

  readable->func (readable->data);
  return G_SOURCE_CONTINUE;
}

static const GSourceFuncs readable_funcs = { .dispatch = readable_dispatch };

GSource *
vt_spice_core_readable (VtSpiceCore *core, int fd, VtFunc func, void *data)
{
  GSource  *source = g_source_new ((GSourceFuncs *) &readable_funcs, sizeof (Readable));
  Readable *readable = (Readable *) source;

  readable->func = func;
  readable->data = data;
  g_source_add_unix_fd (source, fd, G_IO_IN);
  g_source_attach (source, core->context);
  return source;
}

/* The thread ----------------------------------------------------------------------------------- */

typedef struct
{
  GSource source;
  VtFunc  func;
  void   *data;
} Post;

static gboolean
post_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  Post *post = (Post *) source;

  post->func (post->data);
  return G_SOURCE_REMOVE;
}

static const GSourceFuncs post_funcs = { .dispatch = post_dispatch };

void
vt_spice_core_post (VtSpiceCore *core, VtFunc func, void *data)
{
  GSource *source = g_source_new ((GSourceFuncs *) &post_funcs, sizeof (Post));
  Post    *post = (Post *) source;

  post->func = func;
  post->data = data;
  /* Before what comes over the network: a new password holds for whoever connects after it was
   * set. */
  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_set_ready_time (source, 0);
  g_source_attach (source, core->context);
  g_source_unref (source);
}

typedef struct
{
  VtFunc func;
  void  *data;
  GMutex lock;
  GCond  cond;
  bool   done;
} Call;

static void
call_cb (void *data)
{
  Call *call = data;

  call->func (call->data);
  g_mutex_lock (&call->lock);
  call->done = true;
  g_cond_signal (&call->cond);
  g_mutex_unlock (&call->lock);
}

void
vt_spice_core_call (VtSpiceCore *core, VtFunc func, void *data)
{
  Call call = { .func = func, .data = data };

  g_mutex_init (&call.lock);
  g_cond_init (&call.cond);
  vt_spice_core_post (core, call_cb, &call);
  g_mutex_lock (&call.lock);
  while (!call.done)
    g_cond_wait (&call.cond, &call.lock);
  g_mutex_unlock (&call.lock);
  g_mutex_clear (&call.lock);
  g_cond_clear (&call.cond);
}

static gpointer
thread_main (gpointer data)
{
  VtSpiceCore *core = data;
  sigset_t     signals;

  /* Writing to a viewer that has gone raises SIGPIPE on the writing thread; nothing else is for
   * this thread either, but for the faults that can't be blocked sensibly. */
  sigfillset (&signals);
  sigdelset (&signals, SIGSEGV);
  sigdelset (&signals, SIGBUS);
  sigdelset (&signals, SIGILL);
  sigdelset (&signals, SIGFPE);
  sigdelset (&signals, SIGABRT);
  pthread_sigmask (SIG_SETMASK, &signals, NULL);

  g_private_set (&core_of_thread, core);
  g_main_context_push_thread_default (core->context);
  while (!core->quit)
    g_main_context_iteration (core->context, TRUE);
  core->last (core->last_data);
  g_main_context_pop_thread_default (core->context);
  g_private_set (&core_of_thread, NULL);
  g_main_context_unref (core->context);
  g_free (core);
  return NULL;
}

VtSpiceCore *
vt_spice_core_new (VtSpiceEventFunc event, void *data)
{
  VtSpiceCore *core = g_new0 (VtSpiceCore, 1);

  core->context = g_main_context_new ();
  core->event = event;
  core->event_data = data;
  g_thread_unref (g_thread_new ("spice", thread_main, core));
  return core;
}

static void
quit_cb (void *data)
{
  VtSpiceCore *core = data;

  core->quit = true;
}

void
vt_spice_core_finish (VtSpiceCore *core, VtFunc last, void *data)
{
  /* Ordered before the thread's reading by the lock of the context's queue. */
  core->last = last;
  core->last_data = data;
  vt_spice_core_post (core, quit_cb, core);
}

static void
nothing_cb (void *data)
{
}

void
vt_spice_core_iterate (VtSpiceCore *core, gint64 deadline)
{
  GSource *wake = g_source_new ((GSourceFuncs *) &post_funcs, sizeof (Post));

  ((Post *) wake)->func = nothing_cb;
  g_source_set_ready_time (wake, deadline);
  g_source_attach (wake, core->context);
  g_main_context_iteration (core->context, TRUE);
  g_source_destroy (wake);
  g_source_unref (wake);
}
