/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where devices run. A device belongs to exactly one VtContext; the engine takes the context's lock
 * around every entry into the device (register access, fd, timer, post, reset, save), so device code
 * is serial by construction and contains no locks. No thread holds two context locks (asserted).
 */
#pragma once

#include "vt-base.h"

typedef struct VtContext VtContext;
typedef struct VtClock   VtClock;
typedef struct VtTimer   VtTimer;
typedef struct VtWatch   VtWatch;
typedef struct VtKick    VtKick;

typedef void (*VtFunc) (void *data);
typedef void (*VtFdFunc) (void *data, int fd, unsigned events);

/* Clocks ------------------------------------------------------------------------------------- */

/* A monotonic count of nanoseconds. The guest clock stands still while the machine is paused. */
VtClock *vt_clock_new_guest (void);  /* Starts at 0 and stopped. */
VtClock *vt_clock_new_manual (void); /* For tests: stands still but for vt_clock_advance(). */
VtClock *vt_clock_host (void);       /* CLOCK_MONOTONIC; never freed. */
void     vt_clock_free (VtClock *clock);

int64_t vt_clock_now (const VtClock *clock);      /* Any thread. */
void    vt_clock_start (VtClock *clock);          /* Guest clocks only. */
void    vt_clock_stop (VtClock *clock);           /* Guest clocks only. */
void    vt_clock_set (VtClock *clock, int64_t ns); /* Stopped guest or manual clocks only. */

/* Moves a manual clock @ns forward, firing what comes due on manual contexts in deadline order;
 * each timer sees its own deadline as now. */
void vt_clock_advance (VtClock *clock, int64_t ns);

/* The next deadline of any timer on a manual clock, INT64_MAX if none is armed. */
int64_t vt_clock_next_deadline (VtClock *clock);

/* Contexts ----------------------------------------------------------------------------------- */

/* A context with its own thread of that name (at most 15 bytes are shown). */
VtContext *vt_context_new (const char *name);
/* A context without a thread, for tests: vt_context_dispatch() and vt_clock_advance() drive it. */
VtContext *vt_context_new_manual (void);
/* Ends the thread and frees; every timer, watch and kick on it must be gone. Not from its thread. */
void vt_context_free (VtContext *context);

/* Runs posts and ready fds of a manual context without waiting. Returns whether anything ran. */
bool vt_context_dispatch (VtContext *context);

/* The engine's entry into the devices of @context. Asserts that this thread holds none other. */
void vt_context_lock (VtContext *context);
void vt_context_unlock (VtContext *context);
bool vt_context_held (const VtContext *context);

/* Calls @func on the context's thread, lock held, in the order of the posts. Any thread, any lock. */
void vt_context_post (VtContext *context, VtFunc func, void *data);

/* Like post, and waits until it has run. Must not hold any context lock; on the context's own
 * thread, or where the context is manual, it runs at once. */
void vt_context_call (VtContext *context, VtFunc func, void *data);

/* Calls @func with the lock held whenever @fd shows one of @events (EPOLL* bits). The caller keeps
 * @fd. Any thread. */
VtWatch *vt_watch_new (VtContext *context, int fd, unsigned events, VtFdFunc func, void *data);
/* Once it returns, on the context's thread or with its lock held, @func is not called again. */
void vt_watch_free (VtWatch *watch);

/* Timers: one shot, deadline absolute in ns of their clock. All calls with the lock held, but for
 * the manual contexts of tests, which need none. */
VtTimer *vt_timer_new (VtContext *context, VtClock *clock, VtFunc func, void *data);
void     vt_timer_free (VtTimer *timer);
void     vt_timer_arm (VtTimer *timer, int64_t deadline_ns);
void     vt_timer_stop (VtTimer *timer);
bool     vt_timer_armed (const VtTimer *timer);
int64_t  vt_timer_deadline (const VtTimer *timer);

/* A kick: an eventfd whose signal calls @func on the context. vt_kick_fd() is what KVM's ioeventfd
 * writes; vt_kick_signal() does the same from any thread. */
VtKick *vt_kick_new (VtContext *context, VtFunc func, void *data);
void    vt_kick_free (VtKick *kick);
int     vt_kick_fd (const VtKick *kick);
void    vt_kick_signal (VtKick *kick);
