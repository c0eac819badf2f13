/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The other half of org.vitrine.Machine1: talks to the process of a running machine, and starts one.
 */
#pragma once

#include <gio/gio.h>

#include "vitrine-error.h"

/* How long to wait for an answer that needs no work. */
#define VT_CONTROL_TIMEOUT_MS 5000

/**
 * vt_control_connect:
 * @folder: the machine's.
 *
 * Returns: a connection to the machine's process (transfer full), or NULL and VITRINE_ERROR_STATE
 * where it doesn't run, VITRINE_ERROR_BUSY where the process doesn't answer.
 */
GDBusConnection *vt_control_connect (const char *folder, GError **error);

/**
 * vt_control_call:
 * @parameters: (nullable): floating references are taken.
 * @timeout_ms: as of g_dbus_connection_call(); G_MAXINT: as long as it takes.
 *
 * Calls @method and waits. Errors are those of the machine's process, in VITRINE_ERROR.
 *
 * Returns: the answer's tuple (transfer full), NULL with @error set.
 */
GVariant *vt_control_call (GDBusConnection *connection, const char *method, GVariant *parameters,
                           int timeout_ms, GError **error);

/**
 * vt_control_query_state:
 * @status: (out) (nullable): gets GetStatus's dictionary, or NULL where no process answers.
 *
 * "off", "crashed" (its process was killed or died), "unresponsive", or what the machine says
 * ("running" …). (transfer full)
 */
char *vt_control_query_state (const char *folder, GVariant **status);

/**
 * vt_control_start:
 * @headless: without a window even where there is a display.
 *
 * Starts a process of its own for the machine, and waits until the machine runs or has failed. The
 * process's messages go to log.txt in @folder.
 */
gboolean vt_control_start (const char *name, const char *folder, gboolean headless, GError **error);

/* The process's half of that: tells the one who waits at @fd, and closes it. NULL @error: it runs. */
void vt_control_tell_started (int fd, const GError *error);

/**
 * vt_control_open_process:
 *
 * Returns: a handle of the process that has the machine, to be closed; -1 and VITRINE_ERROR_STATE where
 * none does.
 */
int      vt_control_open_process (const char *folder, GError **error);
/* Waits for the end of that process. FALSE: it still runs after @seconds. */
gboolean vt_control_wait_process (int process, int seconds);

/* Pulls the plug and waits for the end of @process. One that doesn't answer is killed, and @killed
 * tells that. */
gboolean vt_control_force_off (const char *folder, int process, gboolean *killed, GError **error);

/* Where the output of a machine's process is when vt_control_start() has started it. (transfer full) */
char *vt_control_log_path (const char *folder);
