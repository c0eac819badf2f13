/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The window of one machine that runs in this process.
 */
#pragma once

#include <gtk/gtk.h>

#include "vitrine-machine.h"

#define VT_TYPE_MACHINE_WINDOW (vt_machine_window_get_type ())
G_DECLARE_FINAL_TYPE (VtMachineWindow, vt_machine_window, VT, MACHINE_WINDOW, GtkApplicationWindow)

/* Closing the window asks whether to keep the machine running without it, shut it down, or force it
 * off; "keep running" hides the window, and gtk_window_present() brings it back. */
VtMachineWindow *vt_machine_window_new (GtkApplication *app, VitrineMachine *machine);
