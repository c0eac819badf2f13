/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The folders of the machines: find, list, add, delete.
 */
#include "library.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file-error.h"
#include "instance.h"

#define SUFFIX ".vitrine"

/* A machine's folder is flat; what nests deeper than this is not ours to delete. */
#define MAX_DELETE_DEPTH 32

char *
vt_library_folder (void)
{
  const char *home = g_getenv ("VITRINE_HOME");
  if (home && *home)
    return g_canonicalize_filename (home, NULL);
  return g_build_filename (g_get_user_data_dir (), "vitrine", NULL);
}

gboolean
vt_library_create (GError **error)
{
  g_autofree char *folder = vt_library_folder ();
  if (g_mkdir_with_parents (folder, 0700) < 0)
    return vt_file_error (error, errno, _("Can't make the folder"), folder);
  return TRUE;
}

char *
vt_library_machine_folder (const char *name)
{
  g_autofree char *library = vt_library_folder ();
  g_autofree char *base = g_strconcat (name, SUFFIX, NULL);
  return g_build_filename (library, base, NULL);
}

char *
vt_library_find (const char *name, GError **error)
{
  if (!vitrine_config_check_name (name, error))
    return NULL;
  g_autofree char *folder = vt_library_machine_folder (name);
  if (g_file_test (folder, G_FILE_TEST_IS_DIR))
    return g_steal_pointer (&folder);
  g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND,
               _("There is no machine “%s”; “vitrine list” shows those that there are."), name);
  return NULL;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_utf8_collate (*(const char *const *) a, *(const char *const *) b);
}

char **
vt_library_list (GError **error)
{
  g_autofree char *library = vt_library_folder ();
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) open_error = NULL;
  g_autoptr (GDir) dir = g_dir_open (library, 0, &open_error);
  if (!dir && !g_error_matches (open_error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_DENIED, _("Can't read the machines: %s."),
                   open_error->message);
      return NULL;
    }
  const char *entry;
  while (dir && (entry = g_dir_read_name (dir)))
    {
      if (!g_str_has_suffix (entry, SUFFIX))
        continue;
      g_autofree char *name = g_strndup (entry, strlen (entry) - strlen (SUFFIX));
      g_autofree char *path = g_build_filename (library, entry, NULL);
      if (vitrine_config_check_name (name, NULL) && g_file_test (path, G_FILE_TEST_IS_DIR))
        g_ptr_array_add (names, g_steal_pointer (&name));
    }
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&names), FALSE);
}

/* Removes what @name of @dirfd holds, then itself; never through a link. 0 or an errno. */
static int
delete_tree (int dirfd, const char *name, guint depth)
{
  if (unlinkat (dirfd, name, 0) == 0 || errno == ENOENT)
    return 0;
  if (errno != EISDIR && errno != EPERM)
    return errno;
  if (depth == MAX_DELETE_DEPTH)
    return ELOOP;
  int fd = openat (dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return errno;
  DIR *dir = fdopendir (fd);
  if (!dir)
    {
      int err = errno;
      close (fd);
      return err;
    }
  int            result = 0;
  struct dirent *entry;
  while (!result && (entry = readdir (dir)))
    if (!g_str_equal (entry->d_name, ".") && !g_str_equal (entry->d_name, ".."))
      result = delete_tree (fd, entry->d_name, depth + 1);
  closedir (dir);
  if (!result && unlinkat (dirfd, name, AT_REMOVEDIR) < 0)
    result = errno;
  return result;
}

gboolean
vt_library_add (VitrineConfig *config, VtLibraryPrepare prepare, gpointer data, GError **error)
{
  const char *name = vitrine_config_get_name (config);
  if (!vitrine_config_check_name (name, error) || !vt_library_create (error))
    return FALSE;
  g_autofree char *library = vt_library_folder ();
  g_autofree char *folder = vt_library_machine_folder (name);
  /* The dot hides it from list() while it is half made. */
  g_autofree char *temporary = g_build_filename (library, ".new.XXXXXX", NULL);
  if (g_file_test (folder, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_EXISTS,
                   _("There is a machine “%s” already; choose another name."), name);
      return FALSE;
    }
  if (!g_mkdtemp_full (temporary, 0700))
    return vt_file_error (error, errno, _("Can't make the machine's folder in"), library);
  gboolean ok = (!prepare || prepare (config, temporary, data, error))
                && vitrine_config_save (config, temporary, error);
  if (ok && renameat2 (AT_FDCWD, temporary, AT_FDCWD, folder, RENAME_NOREPLACE) < 0)
    {
      /* File systems that can't do it that way say EINVAL; there a race is left to the user. */
      if (errno != EINVAL || g_rename (temporary, folder) < 0)
        ok = vt_file_error (error, errno, _("Can't make the machine's folder"), folder);
    }
  if (!ok)
    delete_tree (AT_FDCWD, temporary, 0);
  return ok;
}

gboolean
vt_library_delete (const char *name, GError **error)
{
  g_autofree char *folder = vt_library_find (name, error);
  if (!folder)
    return FALSE;
  struct stat st;
  if (lstat (folder, &st) < 0)
    return vt_file_error (error, errno, _("Can't delete"), folder);
  if (S_ISLNK (st.st_mode))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                   _("%s is a link to a folder elsewhere; delete the link yourself."), folder);
      return FALSE;
    }
  int lock = vt_instance_lock (folder, error);
  if (lock < 0)
    return FALSE;
  /* First out of sight as a whole, then piece by piece: an interrupted delete leaves no half machine. */
  g_autofree char *library = vt_library_folder ();
  g_autofree char *hidden = g_build_filename (library, ".deleted.XXXXXX", NULL);
  if (!g_mkdtemp_full (hidden, 0700) || g_rename (folder, hidden) < 0)
    {
      int err = errno;
      g_rmdir (hidden);
      close (lock);
      return vt_file_error (error, err, _("Can't delete"), folder);
    }
  int err = delete_tree (AT_FDCWD, hidden, 0);
  close (lock);
  if (err)
    return vt_file_error (error, err, _("The machine is gone, but something is left in"), hidden);
  return TRUE;
}

gboolean
vt_library_make_image (const char *folder, const char *name, guint64 size, GError **error)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  int              fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return vt_file_error (error, errno, _("Can't make the disk image"), path);
  int err = ftruncate (fd, (off_t) size) < 0 ? errno : 0;
  if (close (fd) < 0 && !err)
    err = errno;
  if (!err)
    return TRUE;
  unlink (path);
  return vt_file_error (error, err, _("Can't make the disk image"), path);
}
