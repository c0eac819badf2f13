/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * org.vitrine.Machine1: what a machine's process offers on its private socket. Both halves share it.
 */
#pragma once

#include <gio/gio.h>

#define VT_CONTROL_PATH "/org/vitrine/Machine"
#define VT_CONTROL_INTERFACE "org.vitrine.Machine1"

/* The longest text for one Type call, bytes. */
#define VT_CONTROL_MAX_TEXT 65536

/* The interface's description; never freed. */
GDBusInterfaceInfo *vt_control_interface (void);

/* Lets VitrineError cross the socket with its code. Both halves call it before anything else. */
void vt_control_register_errors (void);
