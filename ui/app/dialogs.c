/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A question before what can't be undone, and a machine's log.
 */
#include "dialogs.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <sys/stat.h>
#include <unistd.h>

/* What went wrong stands at a log's end. */
#define LOG_BYTES (64 * 1024)

gboolean
vt_dialog_confirm (GtkWindow *parent, const char *question, const char *explanation,
                   const char *verb)
{
  GtkWidget *dialog, *button;
  int        response;

  dialog = gtk_message_dialog_new (parent, GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT,
                                   GTK_MESSAGE_QUESTION, GTK_BUTTONS_NONE, "%s", question);
  gtk_message_dialog_format_secondary_text (GTK_MESSAGE_DIALOG (dialog), "%s", explanation);
  gtk_dialog_add_button (GTK_DIALOG (dialog), _ ("_Cancel"), GTK_RESPONSE_CANCEL);
  button = gtk_dialog_add_button (GTK_DIALOG (dialog), verb, GTK_RESPONSE_ACCEPT);
  gtk_style_context_add_class (gtk_widget_get_style_context (button), "destructive-action");
  gtk_dialog_set_default_response (GTK_DIALOG (dialog), GTK_RESPONSE_CANCEL);
  response = gtk_dialog_run (GTK_DIALOG (dialog));
  /* The machine may have ended meanwhile, and its window with it. */
  if (response != GTK_RESPONSE_NONE)
    gtk_widget_destroy (dialog);
  return response == GTK_RESPONSE_ACCEPT;
}

static void
name_close_cb (GtkWidget *widget, gpointer data)
{
  if (GTK_IS_BUTTON (widget) &&
      gtk_style_context_has_class (gtk_widget_get_style_context (widget), "close"))
    {
      gtk_widget_set_tooltip_text (widget, _ ("Dismiss"));
      atk_object_set_name (gtk_widget_get_accessible (widget), _ ("Dismiss"));
    }
  else if (GTK_IS_CONTAINER (widget))
    gtk_container_forall (GTK_CONTAINER (widget), name_close_cb, NULL);
}

void
vt_info_bar_name_close (GtkWidget *bar)
{
  gtk_container_forall (GTK_CONTAINER (bar), name_close_cb, NULL);
}

/* (transfer full) valid UTF-8; a sentence where there is nothing to read. */
static char *
read_end (const char *path)
{
  g_autofree char *text = g_malloc (LOG_BYTES);
  struct stat      st;
  ssize_t          n = -1;
  int              fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

  if (fd >= 0 && fstat (fd, &st) == 0)
    n = pread (fd, text, LOG_BYTES, MAX (st.st_size - LOG_BYTES, 0));
  if (n < 0)
    {
      int err = errno;

      if (fd >= 0)
        close (fd);
      return err == ENOENT
                 ? g_strdup (_ ("There is no log: the machine was not started from here."))
                 : g_strdup_printf (_ ("Can't read the log: %s."), g_strerror (err));
    }
  close (fd);
  if (n == 0)
    return g_strdup (_ ("The machine's process has written nothing."));
  return g_utf8_make_valid (text, n);
}

void
vt_dialog_show_log (GtkWindow *parent, const char *name, const char *path)
{
  g_autofree char *title = g_strdup_printf (_ ("Log of “%s”"), name);
  g_autofree char *text = read_end (path);
  GtkWidget       *dialog, *scroller, *view, *header;

  dialog = gtk_dialog_new_with_buttons (title, parent,
                                        GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT
                                            | GTK_DIALOG_USE_HEADER_BAR,
                                        NULL, NULL);
  header = gtk_dialog_get_header_bar (GTK_DIALOG (dialog));
  gtk_header_bar_set_subtitle (GTK_HEADER_BAR (header), path);
  gtk_window_set_default_size (GTK_WINDOW (dialog), 640, 400);
  view = gtk_text_view_new ();
  gtk_text_view_set_editable (GTK_TEXT_VIEW (view), FALSE);
  gtk_text_view_set_monospace (GTK_TEXT_VIEW (view), TRUE);
  gtk_text_view_set_wrap_mode (GTK_TEXT_VIEW (view), GTK_WRAP_WORD_CHAR);
  gtk_text_view_set_left_margin (GTK_TEXT_VIEW (view), 12);
  gtk_text_view_set_right_margin (GTK_TEXT_VIEW (view), 12);
  gtk_text_view_set_top_margin (GTK_TEXT_VIEW (view), 12);
  gtk_text_buffer_set_text (gtk_text_view_get_buffer (GTK_TEXT_VIEW (view)), text, -1);
  atk_object_set_name (gtk_widget_get_accessible (view), title);
  scroller = gtk_scrolled_window_new (NULL, NULL);
  gtk_widget_set_vexpand (scroller, TRUE);
  gtk_container_add (GTK_CONTAINER (scroller), view);
  gtk_container_set_border_width (GTK_CONTAINER (gtk_dialog_get_content_area (GTK_DIALOG (dialog))),
                                  0);
  gtk_container_add (GTK_CONTAINER (gtk_dialog_get_content_area (GTK_DIALOG (dialog))), scroller);
  gtk_widget_show_all (scroller);
  gtk_dialog_run (GTK_DIALOG (dialog));
  gtk_widget_destroy (dialog);
}
