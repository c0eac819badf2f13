/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stands between the viewers' connections and the SPICE library: TLS, and the filter of what
 * viewers say.
 */
#pragma once

#include "vt-base.h"

typedef struct VtSpiceGuard VtSpiceGuard;

/* @cert, @key: PEM files for TLS, or NULL. Starts a thread, which never waits for anything but its
 * sockets. */
VtSpiceGuard *vt_spice_guard_new (const char *cert, const char *key, GError **error);
/* Ends every connection at once, and the thread. Waits for it, which is short. */
void vt_spice_guard_free (VtSpiceGuard *guard);

/* Takes over @fd, a viewer's connection. Returns the socket to give to the library, nonblocking and
 * with CLOEXEC; -1 (and @fd closed) where there are no more descriptors. Any thread. */
int vt_spice_guard_add (VtSpiceGuard *guard, int fd, bool tls);

/* Sends every viewer away, in such order as the library can bear. Any thread; doesn't wait. */
void vt_spice_guard_cut (VtSpiceGuard *guard);
