/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The error domain, and errors made from errno.
 */
#include <errno.h>

#include "vt-base.h"

GQuark
vitrine_error_quark (void)
{
  return g_quark_from_static_string ("vitrine-error-quark");
}

VitrineError
vitrine_error_code_from_errno (int err)
{
  switch (err)
    {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return VITRINE_ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
      return VITRINE_ERROR_DENIED;
    case EBUSY:
    case EAGAIN:
    case EADDRINUSE:
    case ETXTBSY:
      return VITRINE_ERROR_BUSY;
    case EEXIST:
      return VITRINE_ERROR_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
      return VITRINE_ERROR_NO_SPACE;
    case EINVAL:
    case EISDIR:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return VITRINE_ERROR_INVALID;
    case ENOSYS:
    case ENOTSUP:
    case ENOTTY:
      return VITRINE_ERROR_UNSUPPORTED;
    default:
      return VITRINE_ERROR_FAILED;
    }
}

bool
vt_set_error (GError **error, VitrineError code, const char *format, ...)
{
  va_list args;

  if (error == NULL)
    return false;
  va_start (args, format);
  *error = g_error_new_valist (VITRINE_ERROR, (gint) code, format, args);
  va_end (args);
  return false;
}

bool
vt_set_errno (GError **error, int err, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list          args;

  if (error == NULL)
    return false;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  *error = g_error_new (VITRINE_ERROR, (gint) vitrine_error_code_from_errno (err), "%s: %s", text,
                        g_strerror (err));
  return false;
}
