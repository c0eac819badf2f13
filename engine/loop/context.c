/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Contexts: a thread, a lock, and what wakes the thread (posts, file descriptors, timers, kicks).
 * The lock is taken for each single callback, so that a vCPU that wants a register waits for one
 * callback at most.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "loop-private.h"

typedef struct
{
  VtFunc func;
  void  *data;
} Post;

struct VtContext
{
  char       *name;
  GThread    *thread; /* NULL: manual. */
  GMutex      lock;
  int         epoll, wake, timer;
  int         stop; /* Atomic. */
  uint64_t    next_id;
  GHashTable *watches; /* Under lock: id -> VtWatch, so that a stale event finds nothing. */
  GPtrArray  *armed;   /* Under lock: VtTimer. */
  GMutex      post_lock; /* A leaf. */
  GQueue      posts;
};

struct VtWatch
{
  VtContext *context;
  uint64_t   id;
  int        fd;
  VtFdFunc   func;
  void      *data;
};

struct VtKick
{
  VtWatch *watch;
  int      fd;
  VtFunc   func;
  void    *data;
};

/* Event data of the context's own descriptors; watches count from FIRST_WATCH. */
enum
{
  ID_WAKE,
  ID_TIMER,
  FIRST_WATCH,
};

static __thread VtContext *held;
static __thread VtContext *running;

void
vt_context_lock (VtContext *context)
{
  g_assert (held == NULL); /* Our own mistake, never a guest's: two context locks can deadlock. */
  g_mutex_lock (&context->lock);
  held = context;
}

void
vt_context_unlock (VtContext *context)
{
  g_assert (held == context);
  held = NULL;
  g_mutex_unlock (&context->lock);
}

bool
vt_context_held (const VtContext *context)
{
  return held == context;
}

bool
vt_context_is_manual (const VtContext *context)
{
  return context->thread == NULL;
}

static void
signal_fd (int fd)
{
  uint64_t one = 1;

  /* EAGAIN: the counter is full, so the reader is awake anyway. */
  while (write (fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

static void
drain_fd (int fd)
{
  uint64_t n;

  while (read (fd, &n, sizeof n) < 0 && errno == EINTR)
    ;
}

void
vt_context_wake (VtContext *context)
{
  signal_fd (context->wake);
}

/* Timers ------------------------------------------------------------------------------------- */

/* Sets the timerfd to the first deadline of a clock that runs. Lock held. */
static void
program_timer (VtContext *context)
{
  struct itimerspec when = { 0 };
  int64_t           host_now = vt_clock_now (vt_clock_host ());
  int64_t           wait = INT64_MAX, host;

  for (guint i = 0; i < context->armed->len; i++)
    {
      VtTimer *t = context->armed->pdata[i];

      if (vt_clock_runs (t->clock))
        {
          int64_t left;

          if (!vt_sub (t->deadline, vt_clock_now (t->clock), &left))
            left = t->deadline < 0 ? 0 : INT64_MAX;
          wait = MIN (wait, MAX (left, 0));
        }
    }
  if (wait != INT64_MAX && vt_add (host_now, wait, &host))
    {
      host = MAX (host, 1); /* Zero would disarm. */
      when.it_value.tv_sec = host / VT_NS_PER_SEC;
      when.it_value.tv_nsec = host % VT_NS_PER_SEC;
    }
  timerfd_settime (context->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static VtTimer *
due_timer (VtContext *context)
{
  VtTimer *due = NULL;

  for (guint i = 0; i < context->armed->len; i++)
    {
      VtTimer *t = context->armed->pdata[i];

      if (vt_clock_runs (t->clock) && t->deadline <= vt_clock_now (t->clock) &&
          (due == NULL || t->deadline < due->deadline))
        due = t;
    }
  return due;
}

void
vt_context_fire (VtContext *context, VtTimer *timer)
{
  bool take = !vt_context_held (context);

  if (take)
    vt_context_lock (context);
  vt_timer_stop (timer);
  timer->func (timer->data);
  if (take)
    vt_context_unlock (context);
}

/* Fires what is due now, once round: a timer that rearms itself in the past waits for the next
 * round, so that descriptors are not starved. */
static bool
run_timers (VtContext *context)
{
  bool     any = false;
  unsigned most;

  vt_context_lock (context);
  most = context->armed->len;
  while (most-- > 0)
    {
      VtTimer *timer = due_timer (context);

      if (timer == NULL)
        break;
      any = true;
      vt_timer_stop (timer);
      timer->func (timer->data);
      vt_context_unlock (context);
      vt_context_lock (context);
    }
  program_timer (context);
  vt_context_unlock (context);
  return any;
}

VtTimer *
vt_timer_new (VtContext *context, VtClock *clock, VtFunc func, void *data)
{
  VtTimer *timer = g_new0 (VtTimer, 1);

  timer->context = context;
  timer->clock = clock;
  timer->func = func;
  timer->data = data;
  vt_clock_add_timer (clock, timer);
  return timer;
}

void
vt_timer_free (VtTimer *timer)
{
  if (timer == NULL)
    return;
  vt_timer_stop (timer);
  vt_clock_remove_timer (timer->clock, timer);
  g_free (timer);
}

void
vt_timer_arm (VtTimer *timer, int64_t deadline_ns)
{
  VtContext *context = timer->context;

  timer->deadline = deadline_ns;
  if (!timer->armed)
    {
      timer->armed = true;
      g_ptr_array_add (context->armed, timer);
    }
  if (context->thread != NULL)
    program_timer (context);
}

void
vt_timer_stop (VtTimer *timer)
{
  if (timer->armed)
    {
      timer->armed = false;
      g_ptr_array_remove_fast (timer->context->armed, timer);
      /* The timerfd may wake the thread once for nothing: cheaper than to set it again here. */
    }
}

bool
vt_timer_armed (const VtTimer *timer)
{
  return timer->armed;
}

int64_t
vt_timer_deadline (const VtTimer *timer)
{
  return timer->deadline;
}

/* Posts -------------------------------------------------------------------------------------- */

void
vt_context_post (VtContext *context, VtFunc func, void *data)
{
  Post *post = g_new (Post, 1);
  bool  first;

  post->func = func;
  post->data = data;
  g_mutex_lock (&context->post_lock);
  first = g_queue_is_empty (&context->posts);
  g_queue_push_tail (&context->posts, post);
  g_mutex_unlock (&context->post_lock);
  if (first)
    vt_context_wake (context);
}

static bool
run_posts (VtContext *context)
{
  bool  any = false;
  guint most;

  g_mutex_lock (&context->post_lock);
  most = context->posts.length;
  g_mutex_unlock (&context->post_lock);
  while (most-- > 0)
    {
      Post *post;
      bool  take = !vt_context_held (context);

      g_mutex_lock (&context->post_lock);
      post = g_queue_pop_head (&context->posts);
      g_mutex_unlock (&context->post_lock);
      if (post == NULL)
        break;
      any = true;
      if (take)
        vt_context_lock (context);
      post->func (post->data);
      if (take)
        vt_context_unlock (context);
      g_free (post);
    }
  /* What the posts posted themselves comes after the descriptors' turn. */
  g_mutex_lock (&context->post_lock);
  if (!g_queue_is_empty (&context->posts))
    vt_context_wake (context);
  g_mutex_unlock (&context->post_lock);
  return any;
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
run_call_cb (void *data)
{
  Call *call = data;

  call->func (call->data);
  g_mutex_lock (&call->lock);
  call->done = true;
  g_cond_signal (&call->cond);
  g_mutex_unlock (&call->lock);
}

void
vt_context_call (VtContext *context, VtFunc func, void *data)
{
  Call call = { .func = func, .data = data };

  if (vt_context_held (context))
    {
      func (data);
      return;
    }
  if (context->thread == NULL || running == context)
    {
      vt_context_lock (context);
      func (data);
      vt_context_unlock (context);
      return;
    }
  g_assert (held == NULL);
  g_mutex_init (&call.lock);
  g_cond_init (&call.cond);
  vt_context_post (context, run_call_cb, &call);
  g_mutex_lock (&call.lock);
  while (!call.done)
    g_cond_wait (&call.cond, &call.lock);
  g_mutex_unlock (&call.lock);
  g_mutex_clear (&call.lock);
  g_cond_clear (&call.cond);
}

/* Descriptors -------------------------------------------------------------------------------- */

VtWatch *
vt_watch_new (VtContext *context, int fd, unsigned events, VtFdFunc func, void *data)
{
  VtWatch           *watch = g_new0 (VtWatch, 1);
  struct epoll_event event = { .events = events };
  bool               take = !vt_context_held (context);

  watch->context = context;
  watch->fd = fd;
  watch->func = func;
  watch->data = data;
  if (take)
    vt_context_lock (context);
  watch->id = context->next_id++;
  g_hash_table_insert (context->watches, &watch->id, watch);
  event.data.u64 = watch->id;
  /* A regular file can't be polled (EPERM): it is always ready, and its owner need not ask. */
  if (epoll_ctl (context->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
    vt_trace (context->name, "descriptor %d can't be watched: %s", fd, g_strerror (errno));
  if (take)
    vt_context_unlock (context);
  return watch;
}

void
vt_watch_free (VtWatch *watch)
{
  VtContext *context;
  bool       take;

  if (watch == NULL)
    return;
  context = watch->context;
  take = !vt_context_held (context);
  if (take)
    vt_context_lock (context);
  epoll_ctl (context->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
  g_hash_table_remove (context->watches, &watch->id);
  if (take)
    vt_context_unlock (context);
  g_free (watch);
}

static void
kick_cb (void *data, int fd, unsigned events)
{
  VtKick *kick = data;

  drain_fd (fd);
  kick->func (kick->data);
}

VtKick *
vt_kick_new (VtContext *context, VtFunc func, void *data)
{
  VtKick *kick = g_new0 (VtKick, 1);

  kick->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (kick->fd < 0)
    g_error ("No eventfd could be had: %s", g_strerror (errno));
  kick->func = func;
  kick->data = data;
  kick->watch = vt_watch_new (context, kick->fd, EPOLLIN, kick_cb, kick);
  return kick;
}

void
vt_kick_free (VtKick *kick)
{
  if (kick == NULL)
    return;
  vt_watch_free (kick->watch);
  close (kick->fd);
  g_free (kick);
}

int
vt_kick_fd (const VtKick *kick)
{
  return kick->fd;
}

void
vt_kick_signal (VtKick *kick)
{
  signal_fd (kick->fd);
}

/* The thread --------------------------------------------------------------------------------- */

static bool
run_events (VtContext *context, int timeout)
{
  struct epoll_event events[16];
  bool               any = false;
  int                n = epoll_wait (context->epoll, events, G_N_ELEMENTS (events), timeout);

  for (int i = 0; i < n; i++)
    {
      VtWatch *watch;

      if (events[i].data.u64 == ID_WAKE)
        drain_fd (context->wake);
      else if (events[i].data.u64 == ID_TIMER)
        drain_fd (context->timer);
      else
        {
          uint64_t id = events[i].data.u64;

          vt_context_lock (context);
          watch = g_hash_table_lookup (context->watches, &id);
          if (watch != NULL)
            {
              any = true;
              watch->func (watch->data, watch->fd, events[i].events);
            }
          vt_context_unlock (context);
        }
    }
  return any;
}

static gpointer
context_thread (gpointer data)
{
  VtContext *context = data;

  running = context;
  while (!__atomic_load_n (&context->stop, __ATOMIC_ACQUIRE))
    {
      run_timers (context);
      run_posts (context);
      run_events (context, -1);
    }
  /* Nobody's last words are lost. */
  run_posts (context);
  return NULL;
}

bool
vt_context_dispatch (VtContext *context)
{
  bool any = false, more;

  g_return_val_if_fail (context->thread == NULL, false);
  do
    {
      more = run_posts (context);
      if (!vt_context_held (context))
        {
          more |= run_events (context, 0);
          more |= run_timers (context);
        }
      any |= more;
    }
  while (more);
  return any;
}

static VtContext *
context_new (const char *name)
{
  VtContext         *context = g_new0 (VtContext, 1);
  struct epoll_event event = { .events = EPOLLIN };

  context->name = g_strdup (name);
  g_mutex_init (&context->lock);
  g_mutex_init (&context->post_lock);
  g_queue_init (&context->posts);
  context->next_id = FIRST_WATCH;
  context->watches = g_hash_table_new (g_int64_hash, g_int64_equal);
  context->armed = g_ptr_array_new ();
  context->epoll = epoll_create1 (EPOLL_CLOEXEC);
  context->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  context->timer = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  /* Without descriptors no machine can be built, and none has been: this is before the guest. */
  if (context->epoll < 0 || context->wake < 0 || context->timer < 0)
    g_error ("The process has no file descriptors left: raise “ulimit -n”");
  event.data.u64 = ID_WAKE;
  epoll_ctl (context->epoll, EPOLL_CTL_ADD, context->wake, &event);
  event.data.u64 = ID_TIMER;
  epoll_ctl (context->epoll, EPOLL_CTL_ADD, context->timer, &event);
  return context;
}

VtContext *
vt_context_new (const char *name)
{
  VtContext *context = context_new (name);

  context->thread = g_thread_new (name, context_thread, context);
  return context;
}

VtContext *
vt_context_new_manual (void)
{
  return context_new ("manual");
}

void
vt_context_free (VtContext *context)
{
  if (context == NULL)
    return;
  if (context->thread != NULL)
    {
      __atomic_store_n (&context->stop, 1, __ATOMIC_RELEASE);
      vt_context_wake (context);
      g_thread_join (context->thread);
    }
  g_queue_clear_full (&context->posts, g_free);
  g_hash_table_unref (context->watches);
  g_ptr_array_free (context->armed, TRUE);
  close (context->epoll);
  close (context->wake);
  close (context->timer);
  g_mutex_clear (&context->lock);
  g_mutex_clear (&context->post_lock);
  g_free (context->name);
  g_free (context);
}
