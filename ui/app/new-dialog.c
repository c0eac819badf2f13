/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * New machine: a disc image, and defaults for the rest. What can't be is said beside the fields, and
 * nothing of what was entered is lost.
 */
#include "new-dialog.h"

#include <glib/gi18n.h>

#include "control/library.h"
#include "vitrine-config.h"

#define DISK_NAME "disk0.img"
#define GIB (G_GUINT64_CONSTANT (1) << 30)

#define VT_TYPE_NEW_DIALOG (vt_new_dialog_get_type ())
G_DECLARE_FINAL_TYPE (VtNewDialog, vt_new_dialog, VT, NEW_DIALOG, GtkDialog)

struct _VtNewDialog
{
  GtkDialog parent;

  GtkLabel             *error_label;
  GtkFileChooserButton *medium;
  GtkEntry             *name;
  GtkSpinButton        *memory, *cpus, *disk;
  gboolean              named; /* The user has written a name of their own. */
  gboolean              naming; /* We are writing one. */
};

G_DEFINE_TYPE (VtNewDialog, vt_new_dialog, GTK_TYPE_DIALOG)

/* "debian-12.iso" gives "debian-12", or "debian-12 2" where that is taken. */
static void
suggest_name (VtNewDialog *dialog)
{
  g_autofree char *file = gtk_file_chooser_get_filename (GTK_FILE_CHOOSER (dialog->medium));
  g_autofree char *base = file != NULL ? g_filename_display_basename (file) : g_strdup (_ ("machine"));
  g_autofree char *name = NULL;
  char            *dot = strrchr (base, '.');

  if (dialog->named)
    return;
  if (dot != NULL && dot != base)
    *dot = '\0';
  name = g_strdup (base);
  for (guint n = 2; n < 1000; n++)
    {
      g_autofree char *folder = vt_library_machine_folder (name);

      if (!g_file_test (folder, G_FILE_TEST_EXISTS))
        break;
      g_free (name);
      name = g_strdup_printf ("%s %u", base, n);
    }
  dialog->naming = TRUE;
  gtk_entry_set_text (dialog->name, name);
  dialog->naming = FALSE;
}

static void
name_changed_cb (VtNewDialog *dialog)
{
  if (!dialog->naming)
    dialog->named = TRUE;
}

static gboolean
prepare (VitrineConfig *config, const char *folder, gpointer data, GError **error)
{
  guint64 size = *(guint64 *) data;

  return size == 0 || vt_library_make_image (folder, DISK_NAME, size, error);
}

static gboolean
create (VtNewDialog *dialog, GError **error)
{
  const char      *name = gtk_entry_get_text (dialog->name);
  g_autofree char *medium = gtk_file_chooser_get_filename (GTK_FILE_CHOOSER (dialog->medium));
  guint64          size = (guint64) gtk_spin_button_get_value_as_int (dialog->disk) * GIB;
  g_autoptr (VitrineConfig) config = NULL;
  g_autoptr (VitrineCdrom) cdrom = NULL;
  g_autoptr (VitrineSerial) serial = g_object_new (VITRINE_TYPE_SERIAL, NULL);

  if (!vitrine_config_check_name (name, error))
    return FALSE;
  config = vitrine_config_new (name);
  g_object_set (config, "memory", (guint) gtk_spin_button_get_value_as_int (dialog->memory), "cpus",
                (guint) gtk_spin_button_get_value_as_int (dialog->cpus), NULL);
  cdrom = g_object_new (VITRINE_TYPE_CDROM, "path", medium != NULL ? medium : "", NULL);
  vitrine_config_add_cdrom (config, cdrom);
  vitrine_config_add_serial (config, serial);
  if (size != 0)
    {
      g_autoptr (VitrineDisk) disk = g_object_new (VITRINE_TYPE_DISK, "path", DISK_NAME, NULL);

      vitrine_config_add_disk (config, disk);
    }
  return vitrine_config_validate (config, error) && vt_library_add (config, prepare, &size, error);
}

static void
vt_new_dialog_class_init (VtNewDialogClass *klass)
{
  GtkWidgetClass *widget = GTK_WIDGET_CLASS (klass);

  gtk_widget_class_set_template_from_resource (widget, "/org/vitrine/Vitrine/new-dialog.ui");
  gtk_widget_class_bind_template_child (widget, VtNewDialog, error_label);
  gtk_widget_class_bind_template_child (widget, VtNewDialog, medium);
  gtk_widget_class_bind_template_child (widget, VtNewDialog, name);
  gtk_widget_class_bind_template_child (widget, VtNewDialog, memory);
  gtk_widget_class_bind_template_child (widget, VtNewDialog, cpus);
  gtk_widget_class_bind_template_child (widget, VtNewDialog, disk);
}

static void
add_filter (VtNewDialog *dialog, const char *name, const char *pattern)
{
  GtkFileFilter *filter = gtk_file_filter_new ();

  gtk_file_filter_set_name (filter, name);
  gtk_file_filter_add_pattern (filter, pattern);
  gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog->medium), filter);
}

static void
vt_new_dialog_init (VtNewDialog *dialog)
{
  g_autoptr (VitrineConfig) defaults = vitrine_config_new ("default");

  gtk_widget_init_template (GTK_WIDGET (dialog));
  add_filter (dialog, _ ("Disc images"), "*.[iI][sS][oO]");
  add_filter (dialog, _ ("All files"), "*");
  gtk_spin_button_set_value (dialog->memory, (double) vitrine_config_get_memory (defaults));
  suggest_name (dialog);
  g_signal_connect_swapped (dialog->medium, "file-set", G_CALLBACK (suggest_name), dialog);
  g_signal_connect_swapped (dialog->name, "changed", G_CALLBACK (name_changed_cb), dialog);
}

char *
vt_new_dialog_run (GtkWindow *parent)
{
  VtNewDialog *dialog = g_object_new (VT_TYPE_NEW_DIALOG, "transient-for", parent, "use-header-bar", 0, NULL);
  char        *name = NULL;

  while (name == NULL && gtk_dialog_run (GTK_DIALOG (dialog)) == GTK_RESPONSE_ACCEPT)
    {
      g_autoptr (GError) error = NULL;

      if (create (dialog, &error))
        name = g_strdup (gtk_entry_get_text (dialog->name));
      else
        {
          gtk_label_set_text (dialog->error_label, error->message);
          gtk_widget_show (GTK_WIDGET (dialog->error_label));
        }
    }
  gtk_widget_destroy (GTK_WIDGET (dialog));
  return name;
}
