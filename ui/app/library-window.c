/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The library window. Machines are processes of their own: this one asks each for its state, starts
 * them and passes on what the user wants of them, and is not harmed when one dies.
 */
#include "library-window.h"

#include <glib/gi18n.h>
#include <handy.h>

#include <unistd.h>

#include "control/client.h"
#include "control/library.h"
#include "dialogs.h"
#include "machine-row.h"
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
  gboolean    asking;     /* A look at the library is under way. */
  gboolean    unreadable; /* The last one failed. */
};

G_DEFINE_TYPE (VtLibraryWindow, vt_library_window, GTK_TYPE_APPLICATION_WINDOW)

static void refresh (VtLibraryWindow *window);

static void
show_error (VtLibraryWindow *window, const GError *error)
{
  /* The window may have been closed meanwhile. */
  if (error == NULL || window->timer == 0)
    return;
  gtk_label_set_text (window->info_label, error->message);
  gtk_widget_show (window->info_bar);
}

/* What a machine is, or what its user should know of it before that. @status: of its process. */
static char *
summarize (VtMachineEntry *entry, VitrineConfig *config, GVariant *status, const GError *error)
{
  const char *text = "";

  if (config == NULL)
    return g_strdup (error->message);
  if (status != NULL)
    g_variant_lookup (status, "status", "&s", &text);
  if (*text != '\0')
    return g_strdup (text);
  if (g_strcmp0 (entry->state, "crashed") == 0)
    return g_strdup (_ ("Its process ended without a word; the log may tell why."));
  return g_strdup_printf (g_dngettext (NULL, "%u processor, %u MiB of memory",
                                       "%u processors, %u MiB of memory",
                                       vitrine_config_get_cpus (config)),
                          vitrine_config_get_cpus (config),
                          (guint) vitrine_config_get_memory (config));
}

static VtMachineEntry *
look_at (const char *name)
{
  VtMachineEntry  *entry = g_new0 (VtMachineEntry, 1);
  g_autofree char *folder = vt_library_machine_folder (name);
  g_autoptr (GVariant) status = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (VitrineConfig) config = vitrine_config_load (folder, &error);

  entry->name = g_strdup (name);
  entry->state = vt_control_query_state (folder, &status);
  entry->process = status != NULL
                   || (g_strcmp0 (entry->state, "off") != 0
                       && g_strcmp0 (entry->state, "crashed") != 0);
  /* A machine whose file was damaged while it runs still runs. */
  if (config == NULL && !entry->process)
    {
      g_free (entry->state);
      entry->state = g_strdup ("invalid");
    }
  entry->summary = summarize (entry, config, status, error);
  return entry;
}

/* On a worker thread. */
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
  entries = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_machine_entry_free);
  for (char **name = names; *name != NULL; name++)
    g_ptr_array_add (entries, look_at (*name));
  g_task_return_pointer (task, entries, (GDestroyNotify) g_ptr_array_unref);
}

/* Rows --------------------------------------------------------------------------------------- */

static gboolean
is_listed (GPtrArray *entries, guint first, const char *name)
{
  for (guint i = first; i < entries->len; i++)
    if (strcmp (((VtMachineEntry *) entries->pdata[i])->name, name) == 0)
      return TRUE;
  return FALSE;
}

/* A machine keeps its row, and so the focus and an open menu stay where they are. */
static void
update_rows (VtLibraryWindow *window, GPtrArray *entries)
{
  GtkListBoxRow *row;

  for (guint i = 0; i < entries->len; i++)
    {
      const VtMachineEntry *entry = entries->pdata[i];

      while ((row = gtk_list_box_get_row_at_index (window->list, (int) i)) != NULL
             && !is_listed (entries, i, vt_machine_row_get_name (VT_MACHINE_ROW (row))))
        gtk_widget_destroy (GTK_WIDGET (row));
      if (row != NULL && strcmp (vt_machine_row_get_name (VT_MACHINE_ROW (row)), entry->name) == 0)
        vt_machine_row_update (VT_MACHINE_ROW (row), entry);
      else
        gtk_list_box_insert (window->list, vt_machine_row_new (entry), (int) i);
    }
  while ((row = gtk_list_box_get_row_at_index (window->list, (int) entries->len)) != NULL)
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
      window->unreadable = FALSE;
      /* The window may have been closed meanwhile. */
      if (window->timer != 0)
        update_rows (window, entries);
      g_ptr_array_unref (entries);
    }
  else if (!window->unreadable)
    {
      /* Said once, and not every second. */
      window->unreadable = TRUE;
      show_error (window, error);
    }
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
  g_autofree char *text = NULL;

  /* A computer on which machines run well needs no line. */
  if (report == NULL || window->timer == 0 || report->status == VITRINE_KVM_USABLE)
    return;
  text = report->remedy != NULL && *report->remedy != '\0'
             ? g_strdup_printf ("%s %s", report->sentence, report->remedy)
             : g_strdup (report->sentence);
  gtk_label_set_text (window->health, text);
  gtk_widget_show (GTK_WIDGET (window->health));
}

/* Actions ------------------------------------------------------------------------------------ */

/* One thing to do with one machine, away from the user interface's thread: starting waits until the
 * machine runs, and a process that hangs answers late. */
typedef struct
{
  char       *name;
  const char *method; /* Of the control interface; NULL: start. "Stop" is more than the call. */
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;

  g_free (job->name);
  g_free (job);
}

static gboolean
force_off (const char *folder, GError **error)
{
  int      process = vt_control_open_process (folder, error);
  gboolean killed, ok;

  if (process < 0)
    return FALSE;
  ok = vt_control_force_off (folder, process, &killed, error);
  close (process);
  return ok;
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
  else if (folder != NULL && strcmp (job->method, "Stop") == 0)
    ok = force_off (folder, &error);
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
MACHINE_ACTION (reset, "Reset")

static void
force_off_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  VtLibraryWindow *window = data;
  const char      *name = g_variant_get_string (parameter, NULL);
  g_autofree char *question = g_strdup_printf (_ ("Force “%s” off?"), name);

  if (vt_dialog_confirm (GTK_WINDOW (window), question,
                         _ ("It is like pulling the plug: what the guest has not saved is lost."),
                         _ ("_Force Off")))
    do_job (window, name, "Stop");
}

static void
log_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  const char      *name = g_variant_get_string (parameter, NULL);
  g_autofree char *folder = vt_library_machine_folder (name);
  g_autofree char *path = vt_control_log_path (folder);

  vt_dialog_show_log (data, name, path);
}

static void
delete_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  VtLibraryWindow *window = data;
  const char      *name = g_variant_get_string (parameter, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *question = g_strdup_printf (_ ("Delete “%s”?"), name);

  if (vt_dialog_confirm (GTK_WINDOW (window), question,
                         _ ("Its settings and the disks in its folder are deleted for good. Disc "
                            "images and disks elsewhere are kept."),
                         _ ("_Delete"))
      && !vt_library_delete (name, &error))
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
  { .name = "reset", .activate = reset_cb, .parameter_type = "s" },
  { .name = "log", .activate = log_cb, .parameter_type = "s" },
  { .name = "force-off", .activate = force_off_cb, .parameter_type = "s" },
  { .name = "delete", .activate = delete_cb, .parameter_type = "s" },
};

static void
row_activated_cb (VtLibraryWindow *window, GtkListBoxRow *row)
{
  const char *name = vt_machine_row_get_name (VT_MACHINE_ROW (row));
  const char *action = vt_machine_row_get_default (VT_MACHINE_ROW (row));

  if (action != NULL)
    g_action_group_activate_action (G_ACTION_GROUP (window), action, g_variant_new_string (name));
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
  vt_info_bar_name_close (window->info_bar);
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
