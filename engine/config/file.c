/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * machine.json on the disk: read within bounds, and replaced as a whole or not at all.
 */
#include "config-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vt-base.h"

#define FILE_NAME "machine.json"

/* A machine with all its parts needs some KiB. */
#define MAX_FILE (1024 * 1024)
#define AT_ONCE (16 * 1024)

/* (transfer full) zero-terminated; NULL and @error. */
static char *
read_file (const char *path, gsize *len, GError **error)
{
  struct stat st;
  /* O_NONBLOCK: a FIFO in its place must not hang the program. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    {
      if (errno == ENOENT)
        vt_set_error (error, VITRINE_ERROR_NOT_FOUND,
                      _("There is no machine here: %s does not exist."), path);
      else
        vt_set_errno (error, errno, _("Can't read %s"), path);
      return NULL;
    }
  if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode))
    {
      vt_set_error (error, VITRINE_ERROR_INVALID, _("%s is not a regular file."), path);
      close (fd);
      return NULL;
    }

  g_autofree char *text = NULL;
  gsize            n = 0, room = 0;
  while (n <= MAX_FILE)
    {
      if (n == room)
        {
          room = MIN (room + AT_ONCE, MAX_FILE + 1);
          text = g_realloc (text, room + 1);
        }
      ssize_t got = read (fd, text + n, room - n);
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        {
          vt_set_errno (error, errno, _("Can't read %s"), path);
          close (fd);
          return NULL;
        }
      if (got == 0)
        break;
      n += (gsize) got;
    }
  close (fd);
  if (n > MAX_FILE)
    {
      vt_set_error (error, VITRINE_ERROR_INVALID,
                    _("%s is larger than 1 MiB, which no machine's configuration is."), path);
      return NULL;
    }
  text[n] = 0;
  *len = n;
  return g_realloc (g_steal_pointer (&text), n + 1);
}

VitrineConfig *
vitrine_config_load (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, FILE_NAME, NULL);
  gsize            len;
  g_autofree char *text = read_file (path, &len, error);
  if (!text)
    return NULL;
  if (strlen (text) != len)
    {
      vt_set_error (error, VITRINE_ERROR_INVALID, _("%s contains zero bytes; it is damaged."), path);
      return NULL;
    }
  VitrineConfig *config = vitrine_config_from_json (text, path, error);
  if (config)
    vt_config_set_folder (config, folder);
  return config;
}

/* 0 or an errno. */
static int
write_all (int fd, const char *text, gsize len)
{
  while (len)
    {
      ssize_t n = write (fd, text, len);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return n ? errno : ENOSPC;
      text += n;
      len -= (gsize) n;
    }
  return fsync (fd) < 0 ? errno : 0;
}

/* A rename is on the disk once its directory is. Some file systems can't do this: then it is theirs. */
static void
sync_folder (const char *folder)
{
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return;
  fsync (fd);
  close (fd);
}

gboolean
vitrine_config_save (VitrineConfig *config, const char *folder, GError **error)
{
  if (!vitrine_config_validate (config, error))
    return FALSE;
  g_autofree char *path = g_build_filename (folder, FILE_NAME, NULL);
  g_autofree char *temporary = g_strconcat (path, ".XXXXXX", NULL);
  g_autofree char *text = vitrine_config_to_json (config);
  /* Readable by its owner only: there may be a password in it. */
  int fd = g_mkstemp_full (temporary, O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0)
    return vt_set_errno (error, errno, _("Can't save %s; what was saved before is unchanged"), path);
  int err = write_all (fd, text, strlen (text));
  if (close (fd) < 0 && !err)
    err = errno;
  if (!err && g_rename (temporary, path) < 0)
    err = errno;
  if (err)
    {
      g_unlink (temporary);
      return vt_set_errno (error, err, _("Can't save %s; what was saved before is unchanged"), path);
    }
  sync_folder (folder);
  vt_config_set_folder (config, folder);
  return TRUE;
}
