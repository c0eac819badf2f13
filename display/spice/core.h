/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The thread on which one SPICE server lives, with a main context of its own, and the library's
 * SpiceCoreInterface on top of it.
 */
#pragma once

#include <spice.h>

#include "vt-loop.h"

typedef struct VtSpiceCore VtSpiceCore;

typedef void (*VtSpiceEventFunc) (void *data, int event, SpiceChannelEventInfo *info);

/* Starts the thread. @event is called on it for every channel event of the library. */
VtSpiceCore *vt_spice_core_new (VtSpiceEventFunc event, void *data);
/* Lets the thread run what has been posted, then @last, then end and free @core. Returns at once:
 * the library may hold the thread for half a minute when a viewer is stuck. Any thread, once. */
void vt_spice_core_finish (VtSpiceCore *core, VtFunc last, void *data);

/* Calls @func on the thread, in the order of the posts. Any thread. */
void vt_spice_core_post (VtSpiceCore *core, VtFunc func, void *data);
/* The same, and waits. Only for starting up, before any viewer can be stuck. */
void vt_spice_core_call (VtSpiceCore *core, VtFunc func, void *data);
/* Runs what is ready, waiting for it at most until @deadline (monotonic, µs). The server's
 * thread. */
void vt_spice_core_iterate (VtSpiceCore *core, gint64 deadline);

/* What spice_server_init() takes; lives as long as the program. */
SpiceCoreInterface *vt_spice_core_interface (void);

/* An alarm calls @func on the thread once its time has come. */
GSource *vt_spice_core_alarm (VtSpiceCore *core, VtFunc func, void *data);
/* @when: monotonic µs, -1 for never. Any thread. */
void vt_spice_alarm_set (GSource *alarm, gint64 when);
void vt_spice_alarm_free (GSource *alarm);

/* Calls @func on the thread while @fd is readable. */
GSource *vt_spice_core_readable (VtSpiceCore *core, int fd, VtFunc func, void *data);
