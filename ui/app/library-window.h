/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The library window: every machine with its state, to start, stop, make and delete.
 */
#pragma once

#include <gtk/gtk.h>

#define VT_TYPE_LIBRARY_WINDOW (vt_library_window_get_type ())
G_DECLARE_FINAL_TYPE (VtLibraryWindow, vt_library_window, VT, LIBRARY_WINDOW, GtkApplicationWindow)

VtLibraryWindow *vt_library_window_new (GtkApplication *app);
