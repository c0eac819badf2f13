/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The dialog that makes a machine.
 */
#pragma once

#include <gtk/gtk.h>

/* Asks, and makes the machine. Returns: (transfer full): its name, or NULL where the user changed
 * their mind. */
char *vt_new_dialog_run (GtkWindow *parent);
