/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the system refused of a file or folder.
 */
#include "file-error.h"

#include "vitrine-error.h"

bool
vt_file_error (GError **error, int err, const char *what, const char *path)
{
  g_set_error (error, VITRINE_ERROR, (int) vitrine_error_code_from_errno (err), "%s %s: %s.", what,
               path, g_strerror (err));
  return false;
}
