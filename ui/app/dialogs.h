/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The small dialogs and message bars that more than one window shows.
 */
#pragma once

#include <gtk/gtk.h>

/* Asks before something that can't be undone; @verb names it on its button. Returns: whether to do it. */
gboolean vt_dialog_confirm (GtkWindow *parent, const char *question, const char *explanation,
                            const char *verb);

/* Gives the close button of an info bar, which the toolkit makes, a name for those who can't see it. */
void vt_info_bar_name_close (GtkWidget *bar);

/* Shows the end of the text file @path, the log of machine @name. */
void vt_dialog_show_log (GtkWindow *parent, const char *name, const char *path);
