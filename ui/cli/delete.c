/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine delete: asks, and removes a machine's folder.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/library.h"

/* What the machine uses outside its folder stays, and the user should know. */
static void
tell_kept (const char *folder)
{
  g_autoptr (VitrineConfig) config = vitrine_config_load (folder, NULL);
  g_autofree char *prefix = g_strconcat (folder, "/", NULL);
  if (!config)
    return;
  GListModel *disks = vitrine_config_get_disks (config);
  for (guint i = 0; i < g_list_model_get_n_items (disks); i++)
    {
      g_autoptr (VitrineDisk) disk = g_list_model_get_item (disks, i);
      g_autofree char *path = vitrine_config_resolve (config, vitrine_disk_get_path (disk));
      g_autofree char *plain = g_canonicalize_filename (path, NULL);
      if (!g_str_has_prefix (plain, prefix))
        g_print (_("The disk image %s is kept.\n"), plain);
    }
}

int
vt_cli_delete (const VtCommand *command, int argc, char **argv)
{
  gboolean           yes = FALSE;
  const GOptionEntry entries[] = {
    { "yes", 'y', 0, G_OPTION_ARG_NONE, &yes, N_("Don't ask"), NULL },
    { 0 },
  };
  int     result;
  GError *error = NULL;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 1, &result))
    return result;
  g_autofree char *folder = vt_library_find (argv[1], &error);
  if (!folder)
    return vt_cli_fail (error);
  if (!yes)
    {
      char line[16];
      if (!isatty (STDIN_FILENO))
        return vt_cli_usage (command, _("There is nobody to ask; give --yes to delete “%s”."),
                             argv[1]);
      g_print (_("Delete the machine “%s” and all files in %s? Type “yes”: "), argv[1], folder);
      fflush (stdout);
      if (!fgets (line, sizeof line, stdin)
          || (strcmp (g_strchomp (line), "yes") != 0 && strcmp (line, _("yes")) != 0))
        {
          vt_cli_warn (_("Nothing was deleted."));
          return VT_EXIT_FAILED;
        }
    }
  tell_kept (folder);
  return vt_library_delete (argv[1], &error) ? VT_EXIT_OK : vt_cli_fail (error);
}
