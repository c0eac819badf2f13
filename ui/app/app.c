/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The graphical program: the library as an application, and a machine's window inside its process.
 */
#include "app.h"

#include <glib/gi18n.h>
#include <handy.h>

#include "library-window.h"
#include "machine-window.h"

struct VtApp
{
  GtkApplication  *application;
  VtMachineWindow *window;
};

gboolean
vt_app_has_display (void)
{
  static gsize once;

  /* The program has set the locale. */
  if (g_once_init_enter (&once))
    {
      gtk_disable_setlocale ();
      g_once_init_leave (&once, 1);
    }
  return gtk_init_check (NULL, NULL);
}

const char *
vt_app_display_name (void)
{
  return vt_app_has_display () ? gdk_display_get_name (gdk_display_get_default ()) : NULL;
}

/* What desktops find the windows' entry and icon by; the icons are in the program too, for one that is
 * not installed. */
#define APP_ID "org.vitrine.Vitrine"

static void
set_up (void)
{
  hdy_init ();
  g_set_application_name (_ ("Vitrine"));
  g_set_prgname (APP_ID);
  gdk_set_program_class (APP_ID);
  /* Windows with header bars have dialogs with them on every desktop. */
  g_object_set (gtk_settings_get_default (), "gtk-dialogs-use-header", TRUE, NULL);
}

static void
library_activate_cb (GtkApplication *application)
{
  GList *windows = gtk_application_get_windows (application);

  if (windows != NULL)
    gtk_window_present (windows->data);
  else
    gtk_window_present (GTK_WINDOW (vt_library_window_new (application)));
}

int
vt_app_run_library (void)
{
  g_autoptr (GtkApplication) application =
      gtk_application_new (APP_ID, G_APPLICATION_DEFAULT_FLAGS);

  set_up ();
  g_signal_connect (application, "activate", G_CALLBACK (library_activate_cb), NULL);
  return g_application_run (G_APPLICATION (application), 0, NULL);
}

VtApp *
vt_app_open_machine (VitrineMachine *machine)
{
  VtApp *app = g_new0 (VtApp, 1);
  g_autoptr (GError) error = NULL;

  set_up ();
  app->application = gtk_application_new ("org.vitrine.Machine", G_APPLICATION_NON_UNIQUE);
  g_application_set_resource_base_path (G_APPLICATION (app->application), "/org/vitrine/Vitrine");
  /* Without a session bus it is no less an application; its menus need no bus. */
  if (!g_application_register (G_APPLICATION (app->application), NULL, &error))
    g_debug ("%s", error->message);
  app->window = vt_machine_window_new (app->application, machine);
  g_object_ref_sink (app->window);
  vt_app_present (app);
  return app;
}

void
vt_app_present (VtApp *app)
{
  gtk_window_present (GTK_WINDOW (app->window));
}

void
vt_app_free (VtApp *app)
{
  if (app == NULL)
    return;
  gtk_widget_destroy (GTK_WIDGET (app->window));
  g_object_unref (app->window);
  g_object_unref (app->application);
  g_free (app);
}
