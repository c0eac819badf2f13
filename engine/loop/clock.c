/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Clocks: the host's, a machine's own that stands still while the machine is paused, and the
 * tests', which moves only when told to.
 *
 * The time is also read by translated code, while a guest's vector registers are in the processor: this file is
 * compiled for general registers alone.
 */
#include <dlfcn.h>
#include <sys/syscall.h>
#include <time.h>

#include "loop-private.h"

#define RUNNING INT64_MIN

struct VtClock
{
  enum
  {
    CLOCK_HOST,
    CLOCK_GUEST,
    CLOCK_MANUAL,
  } kind;
  int64_t    frozen; /* Atomic. The time while it stands, RUNNING while it runs. */
  int64_t    offset; /* Atomic. Monotonic minus guest time while it runs. */
  GMutex     lock;   /* Guards timers. A leaf. */
  GPtrArray *timers; /* NULL for the host clock. */
};

/* The kernel's own function of vdso(7), which it compiles without vector instructions; of the C library's nobody
 * says so. NULL: there is none. */
static int (*get_time) (clockid_t clock, struct timespec *out);

__attribute__ ((constructor)) static void
find_time (void)
{
  void *vdso = dlopen ("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);

  if (vdso)
    *(void **) (void *) &get_time = dlsym (vdso, "__vdso_clock_gettime");
}

static int64_t
monotonic (void)
{
  struct timespec ts = { 0 };
  long            result = SYS_clock_gettime;

  if (get_time)
    get_time (CLOCK_MONOTONIC, &ts);
  else
    __asm__ volatile ("syscall"
                      : "+a"(result)
                      : "D"(CLOCK_MONOTONIC), "S"(&ts)
                      : "rcx", "r11", "memory");
  return (int64_t) ts.tv_sec * VT_NS_PER_SEC + ts.tv_nsec;
}

static VtClock *
clock_new (int kind)
{
  VtClock *clock = g_new0 (VtClock, 1);

  clock->kind = kind;
  g_mutex_init (&clock->lock);
  clock->timers = g_ptr_array_new ();
  return clock;
}

VtClock *
vt_clock_new_guest (void)
{
  return clock_new (CLOCK_GUEST);
}

VtClock *
vt_clock_new_manual (void)
{
  return clock_new (CLOCK_MANUAL);
}

VtClock *
vt_clock_host (void)
{
  static VtClock host = { .kind = CLOCK_HOST, .frozen = RUNNING };

  return &host;
}

void
vt_clock_free (VtClock *clock)
{
  if (clock == NULL || clock->kind == CLOCK_HOST)
    return;
  g_ptr_array_free (clock->timers, TRUE);
  g_mutex_clear (&clock->lock);
  g_free (clock);
}

int64_t
vt_clock_now (const VtClock *clock)
{
  int64_t frozen = __atomic_load_n (&clock->frozen, __ATOMIC_ACQUIRE);

  if (frozen != RUNNING)
    return frozen;
  return monotonic () - __atomic_load_n (&clock->offset, __ATOMIC_RELAXED);
}

bool
vt_clock_runs (const VtClock *clock)
{
  return __atomic_load_n (&clock->frozen, __ATOMIC_ACQUIRE) == RUNNING;
}

/* A deadline that was far off while the clock stood may be near now. */
static void
wake_all (VtClock *clock)
{
  g_mutex_lock (&clock->lock);
  for (guint i = 0; i < clock->timers->len; i++)
    vt_context_wake (((VtTimer *) clock->timers->pdata[i])->context);
  g_mutex_unlock (&clock->lock);
}

void
vt_clock_start (VtClock *clock)
{
  int64_t frozen = __atomic_load_n (&clock->frozen, __ATOMIC_ACQUIRE);

  if (clock->kind != CLOCK_GUEST || frozen == RUNNING)
    return;
  __atomic_store_n (&clock->offset, monotonic () - frozen, __ATOMIC_RELAXED);
  __atomic_store_n (&clock->frozen, RUNNING, __ATOMIC_RELEASE);
  wake_all (clock);
}

void
vt_clock_stop (VtClock *clock)
{
  if (clock->kind == CLOCK_GUEST && vt_clock_runs (clock))
    __atomic_store_n (&clock->frozen, vt_clock_now (clock), __ATOMIC_RELEASE);
}

void
vt_clock_set (VtClock *clock, int64_t ns)
{
  if (clock->kind != CLOCK_HOST && !vt_clock_runs (clock))
    __atomic_store_n (&clock->frozen, ns, __ATOMIC_RELEASE);
}

void
vt_clock_add_timer (VtClock *clock, VtTimer *timer)
{
  if (clock->timers == NULL)
    return;
  g_mutex_lock (&clock->lock);
  g_ptr_array_add (clock->timers, timer);
  g_mutex_unlock (&clock->lock);
}

void
vt_clock_remove_timer (VtClock *clock, VtTimer *timer)
{
  if (clock->timers == NULL)
    return;
  g_mutex_lock (&clock->lock);
  g_ptr_array_remove (clock->timers, timer);
  g_mutex_unlock (&clock->lock);
}

static VtTimer *
first_timer (VtClock *clock)
{
  VtTimer *first = NULL;

  for (guint i = 0; i < clock->timers->len; i++)
    {
      VtTimer *t = clock->timers->pdata[i];

      if (t->armed && (first == NULL || t->deadline < first->deadline))
        first = t;
    }
  return first;
}

int64_t
vt_clock_next_deadline (VtClock *clock)
{
  VtTimer *first = clock->timers == NULL ? NULL : first_timer (clock);

  return first == NULL ? INT64_MAX : first->deadline;
}

void
vt_clock_advance (VtClock *clock, int64_t ns)
{
  int64_t  target;
  VtTimer *first;

  g_return_if_fail (clock->kind == CLOCK_MANUAL && ns >= 0);
  if (!vt_add (clock->frozen, ns, &target))
    target = INT64_MAX;
  while ((first = first_timer (clock)) != NULL && first->deadline <= target)
    {
      VtContext *context = first->context;

      clock->frozen = MAX (clock->frozen, first->deadline);
      vt_context_fire (context, first);
      if (vt_context_is_manual (context))
        vt_context_dispatch (context);
    }
  clock->frozen = target;
}
