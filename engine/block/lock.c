/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Image locks. Open-file-description locks (fcntl(2), F_OFD_SETLK) end with the last descriptor of
 * the open file, also in a crash, and don't vanish when another part of the process closes the file.
 *
 * A writer locks the whole file exclusively. A reader shares byte 0, and two bytes by which QEMU 2.10
 * and later says "I read" (100) and "nobody may write" (201), so that both programs can read one
 * image at once and neither writes what the other has open.
 */
#include <errno.h>
#include <fcntl.h>

#include "block-private.h"

#define READER_BYTE 0
#define QEMU_READS 100
#define QEMU_WRITES 101
#define QEMU_NOBODY_WRITES 201

static int
ofd (int fd, int command, short type, off_t start, off_t len, struct flock *out)
{
  struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

  while (fcntl (fd, command, &lock) < 0)
    if (errno != EINTR)
      return errno;
  if (out != NULL)
    *out = lock;
  return 0;
}

static int
lock_shared (int fd)
{
  struct flock found = { 0 };
  int          err = ofd (fd, F_OFD_SETLK, F_RDLCK, READER_BYTE, 1, NULL);

  if (err == 0)
    err = ofd (fd, F_OFD_SETLK, F_RDLCK, QEMU_READS, 1, NULL);
  if (err == 0)
    err = ofd (fd, F_OFD_SETLK, F_RDLCK, QEMU_NOBODY_WRITES, 1, NULL);
  if (err == 0)
    err = ofd (fd, F_OFD_GETLK, F_WRLCK, QEMU_WRITES, 1, &found);
  if (err == 0 && found.l_type != F_UNLCK)
    err = EAGAIN;
  return err;
}

bool
vt_block_lock (int fd, const char *path, bool read_only, GError **error)
{
  int err = read_only ? lock_shared (fd) : ofd (fd, F_OFD_SETLK, F_WRLCK, 0, 0, NULL);

  switch (err)
    {
    case 0:
      return true;
    case EAGAIN:
    case EACCES:
      return vt_set_error (error, VITRINE_ERROR_BUSY,
                           read_only ? "The image “%s” is being written by another machine or "
                                       "program: shut that down first, or use a copy of the image"
                                     : "The image “%s” is in use by another machine or program: "
                                       "shut that down first, or use a copy of the image",
                           path);
    case ENOLCK:
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
      /* Some network file systems can't lock. Refusing them would take away what used to work. */
      vt_trace ("block", "%s: not locked, its file system has no locks: %s", path,
                g_strerror (err));
      return true;
    default:
      return vt_set_errno (error, err, "The image “%s” can't be locked", path);
    }
}
