/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lock file of a machine and its runtime folder.
 */
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file-error.h"

/* While the machine runs, and after a crash, it holds two lines: process id and control socket. */
#define LOCK_FILE "lock"

#define MAX_LOCK_TEXT 4096

/* FALSE: there is nothing to read in it. */
static bool
read_lock (int fd, VtInstance *instance)
{
  char    text[MAX_LOCK_TEXT];
  ssize_t n = pread (fd, text, sizeof text - 1, 0);
  if (n <= 0)
    return false;
  text[n] = 0;
  g_auto (GStrv) lines = g_strsplit (text, "\n", 3);
  guint64 pid;
  if (g_ascii_string_to_unsigned (lines[0], 10, 1, G_MAXINT32, &pid, NULL))
    instance->pid = (pid_t) pid;
  /* The last line is whole only with its newline: split() then gives a third part. */
  if (lines[1] && lines[2] && g_path_is_absolute (lines[1]))
    instance->socket = g_strdup (lines[1]);
  return true;
}

static int
write_lock (int fd, const char *socket)
{
  g_autofree char *text = socket ? g_strdup_printf ("%d\n%s\n", (int) getpid (), socket)
                                 : g_strdup_printf ("%d\n", (int) getpid ());
  ssize_t len = (ssize_t) strlen (text);
  if (ftruncate (fd, 0) < 0)
    return errno;
  ssize_t n = pwrite (fd, text, (size_t) len, 0);
  return n == len ? 0 : n < 0 ? errno : ENOSPC;
}

int
vt_instance_lock (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, LOCK_FILE, NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0)
    {
      vt_file_error (error, errno, _("Can't lock the machine; its lock file is"), path);
      return -1;
    }
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  if (fcntl (fd, F_OFD_SETLK, &lock) < 0)
    {
      int        err = errno;
      VtInstance other = { 0 };
      if (err != EAGAIN && err != EACCES)
        vt_file_error (error, err, _("Can't lock the machine; its lock file is"), path);
      else if (read_lock (fd, &other) && other.pid)
        g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_BUSY,
                     _("The machine runs already (process %d); stop it first."), (int) other.pid);
      else
        g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_BUSY,
                     _("Another process uses the machine; stop it first."));
      vt_instance_clear (&other);
      close (fd);
      return -1;
    }
  return fd;
}

gboolean
vt_instance_publish (int lock, const char *socket, GError **error)
{
  int err = write_lock (lock, socket);
  return err ? vt_file_error (error, err, _("Can't write the machine's file"), LOCK_FILE) : TRUE;
}

void
vt_instance_release (int lock)
{
  /* A file system without space can still shorten a file; if not, the machine shows as crashed. */
  if (ftruncate (lock, 0) < 0)
    g_debug ("lock file: %s", g_strerror (errno));
  close (lock);
}

void
vt_instance_query (const char *folder, VtInstance *instance)
{
  *instance = (VtInstance) { 0 };
  g_autofree char *path = g_build_filename (folder, LOCK_FILE, NULL);
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0)
    return;
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  if (fcntl (fd, F_OFD_GETLK, &lock) == 0)
    instance->running = lock.l_type != F_UNLCK;
  bool written = read_lock (fd, instance);
  close (fd);
  if (!instance->running)
    {
      g_clear_pointer (&instance->socket, g_free);
      instance->pid = 0;
      instance->crashed = written;
    }
}

void
vt_instance_clear (VtInstance *instance)
{
  g_clear_pointer (&instance->socket, g_free);
}

/* Makes @path if it isn't there, and makes sure that it is ours alone. */
static bool
private_folder (const char *path, GError **error)
{
  struct stat st;
  if (g_mkdir (path, 0700) < 0 && errno != EEXIST)
    return vt_file_error (error, errno, _("Can't make the folder"), path);
  if (lstat (path, &st) < 0)
    return vt_file_error (error, errno, _("Can't look at the folder"), path);
  if (!S_ISDIR (st.st_mode) || st.st_uid != geteuid () || (st.st_mode & 077))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_DENIED,
                   _("%s must be a folder that only you can enter; remove it, or set "
                     "XDG_RUNTIME_DIR to a folder of your own."),
                   path);
      return false;
    }
  return true;
}

char *
vt_instance_runtime_folder (VitrineConfig *config, GError **error)
{
  const char      *base = g_getenv ("XDG_RUNTIME_DIR");
  g_autofree char *all = NULL;
  if (base && g_path_is_absolute (base) && g_file_test (base, G_FILE_TEST_IS_DIR))
    all = g_build_filename (base, "vitrine", NULL);
  else
    all = g_strdup_printf ("/tmp/vitrine-%u", (guint) geteuid ());
  /* A copied folder has the same UUID, and both may run. */
  g_autofree char *hash = g_compute_checksum_for_string (
      G_CHECKSUM_SHA256, vitrine_config_get_folder (config), -1);
  g_autofree char *own = g_strdup_printf ("%s/%s-%.8s", all, vitrine_config_get_uuid (config), hash);
  if (!private_folder (all, error) || !private_folder (own, error))
    return NULL;
  return g_steal_pointer (&own);
}

void
vt_instance_remove_runtime (const char *runtime)
{
  g_autoptr (GDir) dir = g_dir_open (runtime, 0, NULL);
  const char *entry;
  while (dir && (entry = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (runtime, entry, NULL);
      g_unlink (path);
    }
  g_rmdir (runtime);
}
