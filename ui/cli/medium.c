/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine medium: what is in the CD drives, now and at the next start.
 */
#include "cli.h"

#include <errno.h>
#include <unistd.h>

#include "control/client.h"
#include "control/library.h"

#define DRIVE_PREFIX "cd"

/* The configuration's drive that the engine calls @id: "cd0" is the first. NULL: none. */
static VitrineCdrom *
find_drive (VitrineConfig *config, const char *id)
{
  guint64 n;
  if (!g_str_has_prefix (id, DRIVE_PREFIX)
      || !g_ascii_string_to_unsigned (id + strlen (DRIVE_PREFIX), 10, 0, 1000, &n, NULL))
    return NULL;
  return g_list_model_get_item (vitrine_config_get_cdroms (config), (guint) n);
}

static gboolean
is_on (const char *folder)
{
  g_autofree char *state = vt_control_query_state (folder, NULL);
  return !g_str_equal (state, "off") && !g_str_equal (state, "crashed");
}

/* (transfer full): the ids of the drives whose tray is out, where the machine is on. */
static GHashTable *
find_open_trays (const char *folder)
{
  GHashTable *open = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GDBusConnection) connection = is_on (folder) ? vt_control_connect (folder, NULL) : NULL;
  g_autoptr (GVariant) answer =
      connection ? vt_control_call (connection, "ListMedia", NULL, 5000, NULL) : NULL;
  g_autoptr (GVariantIter) drives = NULL;
  const char *id;
  gboolean    is_open;
  if (!answer)
    return open;
  g_variant_get (answer, "(a(sb))", &drives);
  while (g_variant_iter_next (drives, "(&sb)", &id, &is_open))
    if (is_open)
      g_hash_table_add (open, g_strdup (id));
  return open;
}

static void
print_drives (VitrineConfig *config, const char *folder)
{
  g_autoptr (GHashTable) open = find_open_trays (folder);
  GListModel *drives = vitrine_config_get_cdroms (config);
  for (guint i = 0; i < g_list_model_get_n_items (drives); i++)
    {
      g_autoptr (VitrineCdrom) drive = g_list_model_get_item (drives, i);
      const char *path = vitrine_cdrom_get_path (drive);
      g_autofree char *id = g_strdup_printf (DRIVE_PREFIX "%u", i);
      if (*path && g_hash_table_contains (open, id))
        g_print (_("%s  ejected by the guest (%s)\n"), id, path);
      else
        g_print ("%s  %s\n", id, *path ? path : _("empty"));
    }
}

/* In the machine where it runs, then in its file. */
static int
change (const char *folder, VitrineConfig *config, const char *id, const char *path, gboolean force)
{
  GError *error = NULL;
  g_autoptr (VitrineCdrom) drive = find_drive (config, id);
  if (!drive)
    {
      vt_cli_warn (_("The machine has no CD drive “%s”; “vitrine medium NAME” lists them."), id);
      return VT_EXIT_NOT_FOUND;
    }
  if (is_on (folder))
    {
      g_autoptr (GDBusConnection) connection = vt_control_connect (folder, &error);
      g_autoptr (GVariant) answer = NULL;
      if (connection)
        answer = vt_control_call (connection, "ChangeMedium",
                                  g_variant_new ("(ssb)", id, path, force), 30000, &error);
      if (!answer)
        return vt_cli_fail (error);
    }
  g_object_set (drive, "path", path, NULL);
  return vitrine_config_save (config, folder, &error) ? VT_EXIT_OK : vt_cli_fail (error);
}

int
vt_cli_medium (const VtCommand *command, int argc, char **argv)
{
  gboolean           eject = FALSE, force = FALSE;
  const GOptionEntry entries[] = {
    { "eject", 0, 0, G_OPTION_ARG_NONE, &eject, N_("Take the medium out"), NULL },
    { "force", 0, 0, G_OPTION_ARG_NONE, &force, N_("Even where the guest has locked the drive"),
      NULL },
    { 0 },
  };
  int     result;
  GError *error = NULL;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 3, &result))
    return result;
  g_autofree char *folder = vt_library_find (argv[1], &error);
  g_autoptr (VitrineConfig) config = folder ? vitrine_config_load (folder, &error) : NULL;
  if (!config)
    return vt_cli_fail (error);
  const char *id = argc > 2 ? argv[2] : DRIVE_PREFIX "0";
  const char *file = argc > 3 ? argv[3] : NULL;
  /* "medium NAME FILE": the first drive. */
  g_autoptr (VitrineCdrom) named = find_drive (config, id);
  if (argc == 3 && !eject && !named)
    {
      file = argv[2];
      id = DRIVE_PREFIX "0";
    }
  if (eject && file)
    return vt_cli_usage (command, _("Either --eject or a file, not both."));
  if (eject)
    return change (folder, config, id, "", force);
  if (!file)
    {
      print_drives (config, folder);
      return VT_EXIT_OK;
    }
  g_autofree char *path = g_canonicalize_filename (file, NULL);
  errno = 0;
  if (access (path, R_OK) < 0 || g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      int err = errno ? errno : EISDIR;
      vt_cli_warn (_("Can't read %s: %s."), path, g_strerror (err));
      return err == ENOENT ? VT_EXIT_NOT_FOUND
                           : err == EACCES ? VT_EXIT_DENIED : VT_EXIT_INVALID;
    }
  if (!g_utf8_validate (path, -1, NULL))
    return vt_cli_usage (command, _("The path of a file must be UTF-8; rename it."));
  return change (folder, config, id, path, force);
}
