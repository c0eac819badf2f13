/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What clock.c and context.c share.
 */
#pragma once

#include "vt-loop.h"

struct VtTimer
{
  VtContext *context;
  VtClock   *clock;
  VtFunc     func;
  void      *data;
  int64_t    deadline;
  bool       armed;
};

/* A clock knows its timers: to rouse their contexts when it starts, and to fire them itself when
 * it is a manual one. */
void vt_clock_add_timer (VtClock *clock, VtTimer *timer);
void vt_clock_remove_timer (VtClock *clock, VtTimer *timer);
bool vt_clock_runs (const VtClock *clock);

/* Makes the context's thread look at its timers again. Any thread. */
void vt_context_wake (VtContext *context);
/* Fires @timer, which is armed, with the lock taken. Manual contexts. */
void vt_context_fire (VtContext *context, VtTimer *timer);
bool vt_context_is_manual (const VtContext *context);
