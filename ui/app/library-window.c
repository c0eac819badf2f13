/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The library window. Machines are processes of their own: this one asks each for its state, starts
 * them and passes on what the user wants of them, and is not harmed when one dies.
 */
#include "library-window.h"

#include <glib/gi18n.h>
#include <handy.h>

#include "control/client.h"
#include "control/library.h"
#include "new-dialog.h"
#include "vitrine-host.h"

/* How often states are asked for. Asking a machine that is off costs a lock test. */
#define REFRESH_MS 1000

struct _VtLibraryWindow
{
  GtkApplicationWindow parent;

  GtkStack   *stack;
  GtkListBox *list;
  GtkWidget  *info_bar;
  GtkLabel   *info_label, *health;
  guint       timer;
  gboolean    asking; /* A look at the library is under way. */
};

G_DEFINE_TYPE (VtLibraryWindow, vt_library_window, GTK_TYPE_APPLICATION_WINDOW)

static void refresh (VtLibraryWindow *window);

static void
show_error (VtLibraryWindow *window, const GError *error)
{
  if (error == NULL)
    return;
  gtk_label_set_text (window->info_label, error->message);
  gtk_widget_show (window->info_bar);
}

/* What one look at the library finds; made on a worker thread. */
typedef struct
{
  char *name, *state, *summary;
} Entry;

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_free (entry->name);
  g_free (entry->state);
  g_free (entry->summary);
  g_free (entry);
}

static char *
summarize (const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VitrineConfig) config = vitrine_config_load (folder, &error);

  if (config == NULL)
    return g_strdup (error->message);
  return g_strdup_printf (g_dngettext (NULL, "%u processor, %u MiB of memory",
                                       "%u processors, %u MiB of memory",
                                       vitrine_config_get_cpus (config)),
                          vitrine_config_get_cpus (config),
                          (guint) vitrine_config_get_memory (config));
}

static void
look (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError        *error = NULL;
  g_auto (GStrv) names = vt_library_list (&error);
  GPtrArray     *entries;

  if (names == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  entries = g_ptr_array_new_with_free_func (entry_free);
  for (char **name = names; *name != NULL; name++)
    {
      g_autofree char *folder = vt_library_machine_folder (*name);
      Entry           *entry = g_new0 (Entry, 1);

      entry->name = g_strdup (*name);
      entry->state = vt_control_query_state (folder, NULL);
      entry->summary = summarize (folder);
      g_ptr_array_add (entries, entry);
    }
  g_task_return_pointer (task, entries, (GDestroyNotify) g_ptr_array_unref);
}

/* Rows --------------------------------------------------------------------------------------- */

static const char *
state_text (const char *state)
{
  static const struct
  {
    const char *state, *text;
  } texts[] = {
    { "off", N_ ("Off") },         { "starting", N_ ("Starting…") },
    { "running", N_ ("Running") }, { "pausing", N_ ("Pausing…") },
    { "paused", N_ ("Paused") },   { "stopping", N_ ("Stopping…") },
    { "crashed", N_ ("Crashed") }, { "unresponsive", N_ ("Does not respond") },
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    if (g_strcmp0 (texts[i].state, state) == 0)
      return _ (texts[i].text);
  return state;
}

static GMenuModel *
row_menu (const char *name, const char *state)
{
  static const struct
  {
    const char *label, *action;
    gboolean    when_off, when_on;
  } items[] = {
    { N_ ("_Start"), "win.start", TRUE, FALSE },
    { N_ ("_Show Window"), "win.show", FALSE, TRUE },
    { N_ ("_Pause"), "win.pause", FALSE, TRUE },
    { N_ ("_Resume"), "win.resume", FALSE, TRUE },
    { N_ ("Shut _Down"), "win.shut-down", FALSE, TRUE },
    { N_ ("_Force Off"), "win.force-off", FALSE, TRUE },
    { N_ ("D_elete…"), "win.delete", TRUE, FALSE },
  };
  gboolean paused = g_strcmp0 (state, "paused") == 0;
  gboolean off = g_strcmp0 (state, "off") == 0 || g_strcmp0 (state, "crashed") == 0;
  GMenu   *menu = g_menu_new ();

  for (guint i = 0; i < G_N_ELEMENTS (items); i++)
    {
      g_autoptr (GMenuItem) item = NULL;

      if (!(off ? items[i].when_off : items[i].when_on) ||
          g_str_has_suffix (items[i].action, paused ? "pause" : "resume"))
        continue;
      item = g_menu_item_new (_ (items[i].label), NULL);
      g_menu_item_set_action_and_target (item, items[i].action, "s", name);
      g_menu_append_item (menu, item);
    }
  return G_MENU_MODEL (menu);
}

static GtkWidget *
row_new (const Entry *entry)
{
  GtkWidget       *row = hdy_action_row_new (), *state, *button;
  g_autofree char *shown = g_markup_escape_text (entry->name, -1);
  g_autofree char *summary = g_markup_escape_text (entry->summary, -1);
  g_autoptr (GMenuModel) menu = row_menu (entry->name, entry->state);

  hdy_preferences_row_set_title (HDY_PREFERENCES_ROW (row), shown);
  hdy_action_row_set_subtitle (HDY_ACTION_ROW (row), summary);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), TRUE);
  state = gtk_label_new (state_text (entry->state));
  gtk_container_add (GTK_CONTAINER (row), state);
  button = gtk_menu_button_new ();
  gtk_button_set_image (GTK_BUTTON (button),
                        gtk_image_new_from_icon_name ("view-more-symbolic", GTK_ICON_SIZE_BUTTON));
  gtk_menu_button_set_menu_model (GTK_MENU_BUTTON (button), menu);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (button, _ ("What to do with this machine"));
  gtk_style_context_add_class (gtk_widget_get_style_context (button), "flat");
  gtk_container_add (GTK_CONTAINER (row), button);
  g_object_set_data_full (G_OBJECT (row), "name", g_strdup (entry->name), g_free);
  g_object_set_data_full (G_OBJECT (row), "state", g_strdup (entry->state), g_free);
  g_object_set_data_full (G_OBJECT (row), "summary", g_strdup (entry->summary), g_free);
  gtk_widget_show_all (row);
  return row;
}

/* Rows are made anew only where something has changed, so that an open menu stays open. */
static void
update_rows (VtLibraryWindow *window, GPtrArray *entries)
{
  for (guint i = 0; i < entries->len; i++)
    {
      const Entry   *entry = entries->pdata[i];
      GtkListBoxRow *row = gtk_list_box_get_row_at_index (window->list, (int) i);

      if (row != NULL && g_strcmp0 (g_object_get_data (G_OBJECT (row), "name"), entry->name) == 0 &&
          g_strcmp0 (g_object_get_data (G_OBJECT (row), "state"), entry->state) == 0 &&
          g_strcmp0 (g_object_get_data (G_OBJECT (row), "summary"), entry->summary) == 0)
        continue;
      if (row != NULL)
        gtk_widget_destroy (GTK_WIDGET (row));
      gtk_list_box_insert (window->list, row_new (entry), (int) i);
    }
  for (GtkListBoxRow *row;
       (row = gtk_list_box_get_row_at_index (window->list, (int) entries->len)) != NULL;)
    gtk_widget_destroy (GTK_WIDGET (row));
  gtk_stack_set_visible_child_name (window->stack, entries->len > 0 ? "machines" : "empty");
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  VtLibraryWindow *window = VT_LIBRARY_WINDOW (source);
  g_autoptr (GError) error = NULL;
  GPtrArray *entries = g_task_propagate_pointer (G_TASK (result), &error);

  window->asking = FALSE;
  if (entries != NULL)
    {
      /* The window may have been closed meanwhile. */
      if (window->timer != 0)
        update_rows (window, entries);
      g_ptr_array_unref (entries);
    }
  else
    show_error (window, error);
}

static void
refresh (VtLibraryWindow *window)
{
  g_autoptr (GTask) task = NULL;

  if (window->asking)
    return;
  window->asking = TRUE;
  task = g_task_new (window, NULL, looked_cb, NULL);
  g_task_run_in_thread (task, look);
}

static gboolean
refresh_cb (gpointer data)
{
  refresh (data);
  return G_SOURCE_CONTINUE;
}

/* The health line: one look at what this computer offers, on a worker thread since it measures. */
static void
probe (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_task_return_pointer (task, vitrine_host_probe_kvm (), (GDestroyNotify) vitrine_kvm_report_free);
}

static void
probed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  VtLibraryWindow *window = VT_LIBRARY_WINDOW (source);
  g_autoptr (VitrineKvmReport) report = g_task_propagate_pointer (G_TASK (result), NULL);

  if (report == NULL || window->timer == 0)
    return;
  gtk_label_set_text (window->health, report->sentence);
  gtk_widget_set_tooltip_text (GTK_WIDGET (window->health), report->remedy);
}

/* Actions ------------------------------------------------------------------------------------ */

/* One thing to do with one machine, away from the user interface's thread: starting waits until the
 * machine runs, and a process that hangs answers late. */
typedef struct
{
  char       *name;
  const char *method; /* Of the control interface; NULL: start. */
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;

  g_free (job->name);
  g_free (job);
}

static void
job_run (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job             *job = data;
  GError          *error = NULL;
  g_autofree char *folder = vt_library_find (job->name, &error);
  gboolean         ok = FALSE;

  if (folder != NULL && job->method == NULL)
    ok = vt_control_start (job->name, folder, FALSE, &error);
  else if (folder != NULL)
    {
      g_autoptr (GDBusConnection) connection = vt_control_connect (folder, &error);
      g_autoptr (GVariant) answer = NULL;

      if (connection != NULL)
        answer = vt_control_call (connection, job->method, NULL, VT_CONTROL_TIMEOUT_MS, &error);
      ok = answer != NULL;
    }
  if (ok)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
job_done_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  VtLibraryWindow *window = VT_LIBRARY_WINDOW (source);
  g_autoptr (GError) error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    show_error (window, error);
  if (window->timer != 0)
    refresh (window);
}

static void
do_job (VtLibraryWindow *window, const char *name, const char *method)
{
  g_autoptr (GTask) task = g_task_new (window, NULL, job_done_cb, NULL);
  Job *job = g_new0 (Job, 1);

  job->name = g_strdup (name);
  job->method = method;
  g_task_set_task_data (task, job, job_free);
  g_task_run_in_thread (task, job_run);
}

#define MACHINE_ACTION(name, method)                                                               \
  static void name##_cb (GSimpleAction *action, GVariant *parameter, gpointer data)                \
  {                                                                                                \
    do_job (data, g_variant_get_string (parameter, NULL), method);                                 \
  }

MACHINE_ACTION (start, NULL)
MACHINE_ACTION (show, "ShowWindow")
MACHINE_ACTION (pause, "Pause")
MACHINE_ACTION (resume, "Resume")
MACHINE_ACTION (shut_down, "ShutDown")
MACHINE_ACTION (force_off, "Stop")

static void
delete_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  VtLibraryWindow *window = data;
  const char      *name = g_variant_get_string (parameter, NULL);
  g_autoptr (GError) error = NULL;
  GtkWidget *dialog =
      gtk_message_dialog_new (GTK_WINDOW (window), GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT,
                              GTK_MESSAGE_QUESTION, GTK_BUTTONS_NONE, _ ("Delete “%s”?"), name);
  int response;

  gtk_message_dialog_format_secondary_text (
      GTK_MESSAGE_DIALOG (dialog), "%s",
      _ ("Its settings and the disks in its folder are deleted for good. Disc images and disks "
         "elsewhere are kept."));
  gtk_dialog_add_button (GTK_DIALOG (dialog), _ ("_Cancel"), GTK_RESPONSE_CANCEL);
  gtk_style_context_add_class (
      gtk_widget_get_style_context (
          gtk_dialog_add_button (GTK_DIALOG (dialog), _ ("_Delete"), GTK_RESPONSE_ACCEPT)),
      "destructive-action");
  gtk_dialog_set_default_response (GTK_DIALOG (dialog), GTK_RESPONSE_CANCEL);
  response = gtk_dialog_run (GTK_DIALOG (dialog));
  gtk_widget_destroy (dialog);
  if (response == GTK_RESPONSE_ACCEPT && !vt_library_delete (name, &error))
    show_error (window, error);
  refresh (window);
}

static void
new_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  VtLibraryWindow *window = data;
  g_autofree char *name = vt_new_dialog_run (GTK_WINDOW (window));

  if (name != NULL)
    do_job (window, name, NULL);
  refresh (window);
}

static const GActionEntry actions[] = {
  { .name = "new", .activate = new_cb },
  { .name = "start", .activate = start_cb, .parameter_type = "s" },
  { .name = "show", .activate = show_cb, .parameter_type = "s" },
  { .name = "pause", .activate = pause_cb, .parameter_type = "s" },
  { .name = "resume", .activate = resume_cb, .parameter_type = "s" },
  { .name = "shut-down", .activate = shut_down_cb, .parameter_type = "s" },
  { .name = "force-off", .activate = force_off_cb, .parameter_type = "s" },
  { .name = "delete", .activate = delete_cb, .parameter_type = "s" },
};

static void
row_activated_cb (VtLibraryWindow *window, GtkListBoxRow *row)
{
  const char *name = g_object_get_data (G_OBJECT (row), "name");
  const char *state = g_object_get_data (G_OBJECT (row), "state");
  gboolean    off = g_strcmp0 (state, "off") == 0 || g_strcmp0 (state, "crashed") == 0;

  do_job (window, name, off ? NULL : "ShowWindow");
}

static void
info_response_cb (GtkWidget *bar)
{
  gtk_widget_hide (bar);
}

/* The object --------------------------------------------------------------------------------- */

static void
vt_library_window_dispose (GObject *object)
{
  VtLibraryWindow *window = VT_LIBRARY_WINDOW (object);

  if (window->timer != 0)
    g_source_remove (window->timer);
  window->timer = 0;
  G_OBJECT_CLASS (vt_library_window_parent_class)->dispose (object);
}

static void
vt_library_window_class_init (VtLibraryWindowClass *klass)
{
  GtkWidgetClass *widget = GTK_WIDGET_CLASS (klass);

  g_type_ensure (HDY_TYPE_CLAMP);
  g_type_ensure (HDY_TYPE_STATUS_PAGE);
  G_OBJECT_CLASS (klass)->dispose = vt_library_window_dispose;
  gtk_widget_class_set_template_from_resource (widget, "/org/vitrine/Vitrine/library-window.ui");
  gtk_widget_class_bind_template_child (widget, VtLibraryWindow, stack);
  gtk_widget_class_bind_template_child (widget, VtLibraryWindow, list);
  gtk_widget_class_bind_template_child (widget, VtLibraryWindow, info_bar);
  gtk_widget_class_bind_template_child (widget, VtLibraryWindow, info_label);
  gtk_widget_class_bind_template_child (widget, VtLibraryWindow, health);
}

static void
vt_library_window_init (VtLibraryWindow *window)
{
  g_autoptr (GTask) health = g_task_new (window, NULL, probed_cb, NULL);

  gtk_widget_init_template (GTK_WIDGET (window));
  g_action_map_add_action_entries (G_ACTION_MAP (window), actions, G_N_ELEMENTS (actions), window);
  g_signal_connect_swapped (window->list, "row-activated", G_CALLBACK (row_activated_cb), window);
  g_signal_connect (window->info_bar, "response", G_CALLBACK (info_response_cb), NULL);
  window->timer = g_timeout_add (REFRESH_MS, refresh_cb, window);
  refresh (window);
  g_task_run_in_thread (health, probe);
}

VtLibraryWindow *
vt_library_window_new (GtkApplication *app)
{
  return g_object_new (VT_TYPE_LIBRARY_WINDOW, "application", app, NULL);
}
