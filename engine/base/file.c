/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading a whole file that the user named.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vt-base.h"

static GBytes *
read_open_file (int fd, const char *path, const char *what, uint64_t max, GError **error)
{
  struct stat st;
  uint8_t    *data;
  size_t      size, done = 0;

  if (fstat (fd, &st) != 0)
    {
      vt_set_errno (error, errno, "The %s “%s” can't be read", what, path);
      return NULL;
    }
  if (!S_ISREG (st.st_mode))
    {
      vt_set_error (error, VITRINE_ERROR_INVALID, "The %s “%s” is not a file; choose a file.", what,
                    path);
      return NULL;
    }
  if ((uint64_t) st.st_size > max)
    {
      vt_set_error (error, VITRINE_ERROR_INVALID,
                    "The %s “%s” has %" G_GINT64_FORMAT " bytes, more than the %" G_GUINT64_FORMAT
                    " that it can have; choose another file.",
                    what, path, (gint64) st.st_size, max);
      return NULL;
    }
  size = (size_t) st.st_size;
  data = g_try_malloc (MAX (size, 1));
  if (data == NULL)
    {
      vt_set_error (error, VITRINE_ERROR_NO_SPACE,
                    "There is not enough memory to read the %s “%s”; close other programs.", what,
                    path);
      return NULL;
    }
  while (done < size)
    {
      ssize_t n = read (fd, data + done, size - done);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          vt_set_errno (error, n < 0 ? errno : EIO, "The %s “%s” can't be read", what, path);
          g_free (data);
          return NULL;
        }
      done += (size_t) n;
    }
  return g_bytes_new_take (data, size);
}

GBytes *
vt_read_file (const char *path, const char *what, uint64_t max, GError **error)
{
  /* Not blocking: a pipe without a writer would hold the caller for good. */
  int     fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  GBytes *bytes;

  if (fd < 0)
    {
      vt_set_errno (error, errno, "The %s “%s” can't be opened", what, path);
      return NULL;
    }
  bytes = read_open_file (fd, path, what, max, error);
  close (fd);
  return bytes;
}
