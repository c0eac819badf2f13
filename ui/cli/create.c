/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine create: a new machine from options.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "control/file-error.h"
#include "control/library.h"

#define SECTOR 512

typedef struct
{
  const VtCommand *command;
  guint64         *sizes; /* Of the new images, in the order of the configuration's disks; 0: exists. */
  guint            n_sizes;
} Create;

/* (transfer full) absolute; NULL and @error where @file can't be read. */
static char *
existing_file (const char *file, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (file, NULL);
  if (!g_utf8_validate (path, -1, NULL))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                   _("The path of a file must be UTF-8; rename it."));
      return NULL;
    }
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    {
      vt_file_error (error, errno, _("Can't read"), path);
      return NULL;
    }
  close (fd);
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                   _("%s is a folder; a file is wanted."), path);
      return NULL;
    }
  return g_steal_pointer (&path);
}

/* The image may promise more than there is: a person is told, and may know better. */
static void
warn_of_space (const char *folder, guint64 size)
{
  struct statvfs fs;
  if (statvfs (folder, &fs) < 0)
    return;
  guint64          available = (guint64) fs.f_bavail * fs.f_frsize;
  g_autofree char *free_text = vt_cli_format_size (available);
  if (available < size)
    vt_cli_warn (_("The disk can grow beyond the %s that are free on its file system now."),
                 free_text);
}

static gboolean
prepare (VitrineConfig *config, const char *folder, gpointer data, GError **error)
{
  Create *create = data;
  for (guint i = 0; i < create->n_sizes; i++)
    {
      g_autoptr (VitrineDisk) disk = g_list_model_get_item (vitrine_config_get_disks (config), i);
      if (!create->sizes[i])
        continue;
      if (!vt_library_make_image (folder, vitrine_disk_get_path (disk), create->sizes[i], error))
        return FALSE;
      warn_of_space (folder, create->sizes[i]);
    }
  return TRUE;
}

/* 0: done; an exit code otherwise. */
static int
add_disk (Create *create, VitrineConfig *config, const char *text)
{
  GError          *error = NULL;
  g_autofree char *path = NULL;
  guint64          size = 0;
  if (vt_cli_parse_size (text, 0, &size))
    {
      if (size < SECTOR)
        return vt_cli_usage (create->command, _("A disk of %s is too small."), text);
      size = (size + SECTOR - 1) / SECTOR * SECTOR;
      path = g_strdup_printf ("disk%u.img", create->n_sizes);
    }
  else if (*text && strspn (text, "0123456789") == strlen (text))
    return vt_cli_usage (create->command,
                         _("“%s” has no unit; write a size like %sG, or ./%s for a file."), text,
                         text, text);
  else if (!(path = existing_file (text, &error)))
    return vt_cli_fail (error);
  g_autoptr (VitrineDisk) disk = g_object_new (VITRINE_TYPE_DISK, "path", path, NULL);
  vitrine_config_add_disk (config, disk);
  create->sizes = g_renew (guint64, create->sizes, create->n_sizes + 1);
  create->sizes[create->n_sizes++] = size;
  return 0;
}

static int
set_file (VitrineConfig *config, const char *property, const char *file)
{
  GError *error = NULL;
  if (!file)
    return 0;
  g_autofree char *path = existing_file (file, &error);
  if (!path)
    return vt_cli_fail (error);
  g_object_set (config, property, path, NULL);
  return 0;
}

/* Setting a property clamps; a person is told. */
static int
set_number (const VtCommand *command, VitrineConfig *config, const char *property, gint64 value)
{
  GParamSpecUInt *pspec = G_PARAM_SPEC_UINT (
      g_object_class_find_property (G_OBJECT_GET_CLASS (config), property));
  if (value < pspec->minimum || value > pspec->maximum)
    return vt_cli_usage (command, _("--%s must be from %u to %u."), property, pspec->minimum,
                         pspec->maximum);
  g_object_set (config, property, (guint) value, NULL);
  return 0;
}

static int
add_drives (Create *create, VitrineConfig *config, char **isos, char **disks)
{
  int result = 0;
  for (char **disk = disks; !result && disk && *disk; disk++)
    result = add_disk (create, config, *disk);
  for (char **iso = isos; !result && iso && *iso; iso++)
    {
      GError          *error = NULL;
      g_autofree char *path = existing_file (*iso, &error);
      if (!path)
        return vt_cli_fail (error);
      g_autoptr (VitrineCdrom) cdrom = g_object_new (VITRINE_TYPE_CDROM, "path", path, NULL);
      vitrine_config_add_cdrom (config, cdrom);
    }
  if (!isos)
    {
      /* An empty drive: a medium can come later. */
      g_autoptr (VitrineCdrom) cdrom = g_object_new (VITRINE_TYPE_CDROM, NULL);
      vitrine_config_add_cdrom (config, cdrom);
    }
  g_autoptr (VitrineSerial) serial = g_object_new (VITRINE_TYPE_SERIAL, NULL);
  vitrine_config_add_serial (config, serial);
  return result;
}

int
vt_cli_create (const VtCommand *command, int argc, char **argv)
{
  g_auto (GStrv) isos = NULL, disks = NULL;
  g_autofree char *kernel = NULL, *initrd = NULL, *append = NULL, *memory = NULL, *firmware = NULL;
  g_autofree char *model = NULL;
  int              cpus = 1;
  const GOptionEntry entries[] = {
    { "iso", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &isos, N_("A CD drive with this medium"),
      N_("FILE") },
    { "disk", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &disks,
      N_("A disk: a new one of this size, or an image that exists"), N_("SIZE|FILE") },
    { "kernel", 0, 0, G_OPTION_ARG_FILENAME, &kernel, N_("Boot this Linux kernel directly"),
      N_("FILE") },
    { "initrd", 0, 0, G_OPTION_ARG_FILENAME, &initrd, N_("Its initial RAM disk"), N_("FILE") },
    { "append", 0, 0, G_OPTION_ARG_FILENAME, &append, N_("Its command line"), N_("TEXT") },
    { "memory", 0, 0, G_OPTION_ARG_FILENAME, &memory, N_("Memory in MiB, or like 2G"),
      N_("SIZE") },
    { "cpus", 0, 0, G_OPTION_ARG_INT, &cpus, N_("How many processors"), N_("N") },
    { "firmware", 0, 0, G_OPTION_ARG_FILENAME, &firmware,
      N_("“bios”, or a firmware image's file"), "bios|FILE" },
    { "display", 0, 0, G_OPTION_ARG_FILENAME, &model, N_("The graphics card"),
      "vga|bochs-display|none" },
    { 0 },
  };
  GError *error = NULL;
  int     result;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 1, &result))
    return result;
  if (!vitrine_config_check_name (argv[1], &error))
    return vt_cli_fail (error);

  g_autoptr (VitrineConfig) config = vitrine_config_new (argv[1]);
  g_autofree guint64 *sizes = NULL;
  Create              create = { .command = command };
  guint64             bytes = 0;
  if (memory && (!vt_cli_parse_size (memory, 1 << 20, &bytes) || bytes % (1 << 20)))
    return vt_cli_usage (command, _("“%s” is not an amount of memory; write 2048 or 2G."), memory);
  if ((memory && (result = set_number (command, config, "memory", (gint64) (bytes >> 20))))
      || (result = set_number (command, config, "cpus", cpus))
      || (result = set_file (config, "kernel", kernel))
      || (result = set_file (config, "initrd", initrd)))
    return result;
  if (firmware && !g_str_equal (firmware, "bios")
      && (result = set_file (config, "firmware", firmware)))
    return result;
  if (append)
    g_object_set (config, "append", append, NULL);
  if (model)
    g_object_set (vitrine_config_get_display (config), "model", model, NULL);
  result = add_drives (&create, config, isos, disks);
  sizes = create.sizes;
  if (result)
    return result;
  /* What is wrong now comes from the options. */
  if (!vitrine_config_validate (config, &error))
    {
      result = vt_cli_usage (command, "%s", error->message);
      g_error_free (error);
      return result;
    }
  return vt_library_add (config, prepare, &create, &error) ? VT_EXIT_OK : vt_cli_fail (error);
}
