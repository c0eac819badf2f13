/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where machines live on the disk: $VITRINE_HOME or $XDG_DATA_HOME/vitrine, one folder NAME.vitrine
 * each.
 */
#pragma once

#include "vitrine-config.h"

/* (transfer full) */
char *vt_library_folder (void);
/* Makes the library's folder where it is not there yet. */
gboolean vt_library_create (GError **error);

/* The folder of the machine @name, which must be there; NULL and VITRINE_ERROR_NOT_FOUND (or
 * _INVALID where that can't be a name). (transfer full) */
char *vt_library_find (const char *name, GError **error);
/* The folder that a machine @name has or would have. (transfer full) */
char *vt_library_machine_folder (const char *name);

/* The names, sorted for people; a library that doesn't exist is an empty one. (transfer full) */
char **vt_library_list (GError **error);

/**
 * vt_library_add:
 * @prepare: fills the new machine's @folder (disk images) and changes @config; may fail.
 *
 * Makes a machine's folder with a machine.json. It appears whole under its name, or not at all.
 */
typedef gboolean (*VtLibraryPrepare) (VitrineConfig *config, const char *folder, gpointer data,
                                      GError **error);
gboolean vt_library_add (VitrineConfig *config, VtLibraryPrepare prepare, gpointer data,
                         GError **error);

/* Makes @folder/@name, a raw image of @size bytes, sparse: space is taken as the guest writes. Never
 * replaces a file. */
gboolean vt_library_make_image (const char *folder, const char *name, guint64 size, GError **error);

/* Deletes the machine's folder and all in it, and nothing outside: links are removed, not followed.
 * Refused while it runs. */
gboolean vt_library_delete (const char *name, GError **error);
