/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * New machine: a disc image, and defaults for the rest. What can't be is said beside the fields, and
 * nothing of what was entered is lost.
 */
#include "new-dialog.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "control/library.h"
#include "vitrine-config.h"

#define DISK_NAME "disk0.img"
#define GIB (G_GUINT64_CONSTANT (1) << 30)

#define VT_TYPE_NEW_DIALOG (vt_new_dialog_get_type ())
G_DECLARE_FINAL_TYPE (VtNewDialog, vt_new_dialog, VT, NEW_DIALOG, GtkDialog)

struct _VtNewDialog
{
  GtkDialog parent;

  GtkLabel             *error_label; /* What belongs to no field. */
  GtkLabel             *medium_error, *name_error, *memory_error, *cpus_error, *disk_error;
  GtkFileChooserButton *medium;
  GtkEntry             *name;
  GtkSpinButton        *memory, *cpus, *disk;
  gboolean              named; /* The user has written a name of their own. */
  gboolean              naming; /* We are writing one. */
};

G_DEFINE_TYPE (VtNewDialog, vt_new_dialog, GTK_TYPE_DIALOG)

/* Messages ----------------------------------------------------------------------------------- */

/* @style: "error" or "warning"; NULL @text: there is nothing to say. */
static void
say (GtkLabel *label, const char *style, const char *text)
{
  GtkStyleContext *context = gtk_widget_get_style_context (GTK_WIDGET (label));

  gtk_style_context_remove_class (context, "error");
  gtk_style_context_remove_class (context, "warning");
  gtk_style_context_add_class (context, style);
  gtk_label_set_text (label, text != NULL ? text : "");
  gtk_widget_set_visible (GTK_WIDGET (label), text != NULL);
}

static void
mark (GtkWidget *field, gboolean wrong)
{
  GtkStyleContext *context = gtk_widget_get_style_context (field);

  if (wrong)
    gtk_style_context_add_class (context, "error");
  else
    gtk_style_context_remove_class (context, "error");
}

static gboolean
check_name (VtNewDialog *dialog)
{
  const char      *name = gtk_entry_get_text (dialog->name);
  g_autofree char *folder = vt_library_machine_folder (name);
  g_autofree char *taken = NULL;
  g_autoptr (GError) error = NULL;

  if (vitrine_config_check_name (name, &error) && g_file_test (folder, G_FILE_TEST_EXISTS))
    taken = g_strdup_printf (_ ("There is a machine “%s” already; choose another name."), name);
  say (dialog->name_error, "error", error != NULL ? error->message : taken);
  mark (GTK_WIDGET (dialog->name), error != NULL || taken != NULL);
  return error == NULL && taken == NULL;
}

/* ECMA-119 (ISO 9660) 8.1 and ECMA-167 (UDF) part 2, 9: volume descriptors start at byte 32768, five
 * characters behind a type. */
static gboolean
is_disc_image (int fd)
{
  char id[5];

  return pread (fd, id, sizeof id, 32769) == (ssize_t) sizeof id
         && (memcmp (id, "CD001", 5) == 0 || memcmp (id, "BEA01", 5) == 0
             || memcmp (id, "NSR0", 4) == 0);
}

static gboolean
check_medium (VtNewDialog *dialog)
{
  g_autofree char *path = gtk_file_chooser_get_filename (GTK_FILE_CHOOSER (dialog->medium));
  g_autofree char *problem = NULL;
  int              fd;

  if (path != NULL && !g_utf8_validate (path, -1, NULL))
    problem = g_strdup (_ ("The path of the image must be UTF-8; rename it."));
  else if (path != NULL)
    {
      fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
      if (fd < 0)
        problem = g_strdup_printf (errno == EACCES
                                       ? _ ("“%s” may not be read: check its permissions.")
                                       : _ ("“%s” can't be read: choose another file."),
                                   path);
      else
        {
          if (!is_disc_image (fd))
            problem =
                g_strdup_printf (_ ("“%s” is not a disc image (it has no ISO 9660 or UDF file "
                                    "system): choose another file, or download it again."),
                                 path);
          close (fd);
        }
    }
  say (dialog->medium_error, "error", problem);
  return problem == NULL;
}

/* What may work out, and should be known before. */
static void
check_memory (VtNewDialog *dialog)
{
  guint64          have = (guint64) sysconf (_SC_PHYS_PAGES) * (guint64) sysconf (_SC_PAGESIZE);
  guint64          wanted = (guint64) gtk_spin_button_get_value_as_int (dialog->memory) << 20;
  g_autofree char *text = NULL;
  g_autofree char *size = g_format_size_full (have, G_FORMAT_SIZE_IEC_UNITS);

  if (wanted > have)
    text = g_strdup_printf (
        _ ("This computer has %s of memory; with more the machine may not start."), size);
  say (dialog->memory_error, "warning", text);
}

static void
check_cpus (VtNewDialog *dialog)
{
  guint            have = g_get_num_processors ();
  g_autofree char *text = NULL;

  if ((guint) gtk_spin_button_get_value_as_int (dialog->cpus) > have)
    text = g_strdup_printf (g_dngettext (NULL,
                                         "This computer has %u processor; more make it slower.",
                                         "This computer has %u processors; more make it slower.",
                                         have),
                            have);
  say (dialog->cpus_error, "warning", text);
}

static void
check_disk (VtNewDialog *dialog)
{
  guint64          size = (guint64) gtk_spin_button_get_value_as_int (dialog->disk) * GIB;
  g_autofree char *library = vt_library_folder ();
  g_autofree char *text = NULL;
  struct statvfs   fs;

  /* The library's folder is made with the first machine. */
  while (statvfs (library, &fs) < 0 && strlen (library) > 1)
    {
      char *parent = g_path_get_dirname (library);

      g_free (library);
      library = parent;
    }
  if (statvfs (library, &fs) == 0 && (guint64) fs.f_bavail * fs.f_frsize < size)
    {
      g_autofree char *available = g_format_size_full ((guint64) fs.f_bavail * fs.f_frsize,
                                                       G_FORMAT_SIZE_IEC_UNITS);

      text = g_strdup_printf (_ ("The disk can grow beyond the %s that are free now."), available);
    }
  say (dialog->disk_error, "warning", text);
}

/* Fields ------------------------------------------------------------------------------------- */

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
  check_name (dialog);
}

static void
medium_set_cb (VtNewDialog *dialog)
{
  check_medium (dialog);
  suggest_name (dialog);
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
  gtk_widget_class_bind_template_child (widget, VtNewDialog, medium_error);
  gtk_widget_class_bind_template_child (widget, VtNewDialog, name_error);
  gtk_widget_class_bind_template_child (widget, VtNewDialog, memory_error);
  gtk_widget_class_bind_template_child (widget, VtNewDialog, cpus_error);
  gtk_widget_class_bind_template_child (widget, VtNewDialog, disk_error);
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
  check_memory (dialog);
  check_cpus (dialog);
  check_disk (dialog);
  g_signal_connect_swapped (dialog->medium, "file-set", G_CALLBACK (medium_set_cb), dialog);
  g_signal_connect_swapped (dialog->name, "changed", G_CALLBACK (name_changed_cb), dialog);
  g_signal_connect_swapped (dialog->memory, "value-changed", G_CALLBACK (check_memory), dialog);
  g_signal_connect_swapped (dialog->cpus, "value-changed", G_CALLBACK (check_cpus), dialog);
  g_signal_connect_swapped (dialog->disk, "value-changed", G_CALLBACK (check_disk), dialog);
}

/* The fields in their order; the first that is wrong gets the focus. */
static gboolean
check_fields (VtNewDialog *dialog)
{
  gboolean medium = check_medium (dialog), name = check_name (dialog);

  if (!medium)
    gtk_widget_child_focus (GTK_WIDGET (dialog->medium), GTK_DIR_TAB_FORWARD);
  else if (!name)
    gtk_widget_grab_focus (GTK_WIDGET (dialog->name));
  return medium && name;
}

char *
vt_new_dialog_run (GtkWindow *parent)
{
  VtNewDialog *dialog = g_object_new (VT_TYPE_NEW_DIALOG, "transient-for", parent, "use-header-bar",
                                      1, NULL);
  char        *name = NULL;

  while (name == NULL && gtk_dialog_run (GTK_DIALOG (dialog)) == GTK_RESPONSE_ACCEPT)
    {
      g_autoptr (GError) error = NULL;

      say (dialog->error_label, "error", NULL);
      if (!check_fields (dialog))
        continue;
      if (create (dialog, &error))
        name = g_strdup (gtk_entry_get_text (dialog->name));
      else
        say (dialog->error_label, "error", error->message);
    }
  gtk_widget_destroy (GTK_WIDGET (dialog));
  return name;
}
