/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The channels behind the serial ports, as the configuration or the command line says.
 */
#include "machine-private.h"

#include <errno.h>
#include <glib/gstdio.h>

#define BACKLOG (64 * 1024) /* What a guest wrote before anybody looked: some screens of text. */
#define LONGEST_SOCKET_PATH 107u /* struct sockaddr_un. */

/* Beside the configuration where that fits into a socket's address, else in the runtime folder. */
static char *
default_socket_path (VitrineConfig *config, unsigned n, GError **error)
{
  const char      *folder = vitrine_config_get_folder (config);
  g_autofree char *name = g_strdup_printf ("serial%u.socket", n);

  if (folder)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      if (strlen (path) <= LONGEST_SOCKET_PATH)
        return g_steal_pointer (&path);
    }
  g_autofree char *runtime = g_build_filename (g_get_user_runtime_dir (), "vitrine",
                                               vitrine_config_get_uuid (config), NULL);
  if (g_mkdir_with_parents (runtime, 0700) < 0)
    {
      vt_set_errno (error, errno, "The folder “%s” for serial port %u can't be made", runtime, n);
      return NULL;
    }
  return g_build_filename (runtime, name, NULL);
}

static VtChar *
open_one (VtMachine *machine, unsigned n, const char *backend, const char *path, GError **error)
{
  if (g_str_equal (backend, "stdio"))
    return vt_char_new_stdio (error);
  if (g_str_equal (backend, "pty"))
    return vt_char_new_pty (error);
  if (g_str_equal (backend, "file"))
    {
      if (!path || !*path)
        {
          vt_set_error (error, VITRINE_ERROR_INVALID,
                        "Serial port %u writes to a file that has no name; give it a “path”.", n);
          return NULL;
        }
      g_autofree char *resolved = vitrine_config_resolve (machine->config, path);
      return vt_char_new_file (resolved, error);
    }
  if (g_str_equal (backend, "socket"))
    {
      g_autofree char *resolved = path && *path ? vitrine_config_resolve (machine->config, path)
                                                : default_socket_path (machine->config, n, error);
      return resolved ? vt_char_new_socket (resolved, BACKLOG, error) : NULL;
    }
  vt_set_error (error, VITRINE_ERROR_INVALID,
                "Serial port %u has no back end “%s”; choose none, stdio, pty, file or socket.", n,
                backend);
  return NULL;
}

bool
vt_machine_open_serials (VtMachine *machine, GError **error)
{
  g_autoptr (GListModel) configured = g_object_ref (vitrine_config_get_serials (machine->config));

  for (unsigned n = 0; n < VT_MACHINE_SERIALS; n++)
    {
      g_autoptr (VitrineSerial) serial = g_list_model_get_item (configured, n);
      g_autofree char          *backend = NULL;
      g_autofree char          *path = NULL;

      if (machine->serial_override[n])
        {
          const char *colon = strchr (machine->serial_override[n], ':');
          backend = colon ? g_strndup (machine->serial_override[n],
                                       (gsize) (colon - machine->serial_override[n]))
                          : g_strdup (machine->serial_override[n]);
          if (colon)
            {
              /* From the command line, so relative to where that was typed. */
              path = g_canonicalize_filename (colon + 1, NULL);
            }
        }
      else if (serial)
        {
          backend = g_strdup (vitrine_serial_get_backend (serial));
          path = g_strdup (vitrine_serial_get_path (serial));
        }
      if (!backend || g_str_equal (backend, "none"))
        continue;
      machine->serial[n] = open_one (machine, n, backend, path, error);
      if (!machine->serial[n])
        return false;
      vt_machine_own_char (machine, machine->serial[n]);
    }
  return true;
}
