/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the system refused of a file or folder, as an error.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * vt_file_error:
 * @err: an errno, which gives the code in VITRINE_ERROR too.
 * @what: what could not be done, translated; the path follows it, then the system's reason.
 *
 * Returns: false, for the caller to return.
 */
bool vt_file_error (GError **error, int err, const char *what, const char *path);
