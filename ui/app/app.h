/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The graphical program's entrances.
 */
#pragma once

#include <glib.h>

#include "vitrine-machine.h"

/* The library window, until it is closed. One process a session: a second one presents the first.
 * Returns: the exit status. */
int vt_app_run_library (void);

/* Whether a window can be opened here. To be asked before the others. */
gboolean vt_app_has_display (void);
/* The display that windows open on; NULL: there is none. Owned by the toolkit. */
const char *vt_app_display_name (void);

typedef struct VtApp VtApp;

/* A window for @machine; the caller runs the default main context. */
VtApp *vt_app_open_machine (VitrineMachine *machine);
/* Shows it again after its user closed it, in front. */
void vt_app_present (VtApp *app);
void vt_app_free (VtApp *app); /* NULL is allowed. */
