/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a machine runs, and where to reach it: a lock on a file in its folder that dies with the
 * process, and a private runtime folder for its sockets.
 */
#pragma once

#include <sys/types.h>

#include "vitrine-config.h"

/**
 * vt_instance_lock:
 * @folder: the machine's.
 *
 * Returns: a file descriptor that holds the lock until it is closed; -1 and VITRINE_ERROR_BUSY where
 * another process has the machine.
 */
int vt_instance_lock (const char *folder, GError **error);
/* Tells others where the holder of @lock listens. */
gboolean vt_instance_publish (int lock, const char *socket, GError **error);
/* An end that was meant; without it, others see a crashed machine. */
void vt_instance_release (int lock);

typedef struct
{
  gboolean running; /* Somebody holds the lock. */
  gboolean crashed; /* Nobody does, and the last one didn't release it. */
  pid_t    pid;     /* 0: not known. */
  char    *socket;  /* Of the control interface; NULL: not known (yet). */
} VtInstance;

void vt_instance_query (const char *folder, VtInstance *instance);
void vt_instance_clear (VtInstance *instance);

/* Makes the private folder for the sockets of the machine, in $XDG_RUNTIME_DIR or below /tmp; refuses
 * one that others could write. (transfer full) */
char *vt_instance_runtime_folder (VitrineConfig *config, GError **error);
/* Removes that folder with the sockets in it. */
void vt_instance_remove_runtime (const char *runtime);
