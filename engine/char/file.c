/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A byte channel into a file: what the device writes is kept, and nothing comes back.
 */
#include <errno.h>
#include <fcntl.h>

#include "char/fd.h"

static void
file_close (VtChar *chr)
{
  vt_char_fd_finish ((VtCharFd *) chr);
  g_free (chr);
}

static const VtCharOps file_ops = {
  .write = vt_char_fd_write,
  .attached = vt_char_fd_attached,
  .close = file_close,
};

VtChar *
vt_char_new_file (const char *path, GError **error)
{
  /* A FIFO without a reader must not hold the program up. */
  int       fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
  VtCharFd *c;

  if (fd < 0 && errno == ENXIO)
    {
      vt_set_error (error, VITRINE_ERROR_STATE,
                    "“%s” is a pipe that nobody reads: start its reader first", path);
      return NULL;
    }
  if (fd < 0)
    {
      vt_set_errno (error, errno, "The output file “%s” can't be opened", path);
      return NULL;
    }
  c = g_new0 (VtCharFd, 1);
  vt_char_fd_init (c, &file_ops, g_strdup (path), 0);
  vt_char_fd_open (c, -1, fd);
  return &c->chr;
}
