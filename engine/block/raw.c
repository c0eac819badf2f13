/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Raw images: files and block devices whose bytes are the disk's. This file opens them; what a
 * request does is in raw-op.c, who makes its system calls in raw-uring.c and raw-sync.c.
 *
 * A file that ends inside a sector is a whole number of sectors to the guest: the missing bytes read
 * as zeros, and a write to the last sector completes it in the file, so nothing of it is out of
 * reach and nothing is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raw-private.h"

static void
raw_submit (VtBlock *block, VtBlockRequest *request)
{
  VtRaw *raw = VT_CONTAINER (block, VtRaw, base);

  vt_block_account_begin (raw->account, request);
  raw->engine_ops->submit (raw->engine, vt_raw_op_new (raw, request));
}

static void
raw_drain (VtBlock *block, VtContext *context, VtFunc drained, void *data)
{
  vt_block_account_drain (VT_CONTAINER (block, VtRaw, base)->account, context, drained, data);
}

void
vt_raw_unref (VtRaw *raw)
{
  if (!g_atomic_int_dec_and_test (&raw->refs))
    return;
  if (raw->direct_fd >= 0)
    close (raw->direct_fd);
  if (raw->fd >= 0)
    close (raw->fd);
  vt_block_account_unref (raw->account);
  g_free (raw->base.info.name);
  g_free (raw);
}

static void
raw_close (VtBlock *block)
{
  VtRaw *raw = VT_CONTAINER (block, VtRaw, base);

  raw->engine_ops->stop (raw->engine);
  /* The lock goes now, not with the last done() that some context has yet to run: whoever closes an
   * image may open it again at once. */
  if (raw->direct_fd >= 0)
    close (raw->direct_fd);
  close (raw->fd);
  raw->direct_fd = raw->fd = -1;
  vt_raw_unref (raw);
}

static const VtBlockOps raw_ops = {
  .submit = raw_submit,
  .drain = raw_drain,
  .close = raw_close,
};

const char *
vt_block_raw_engine (const VtBlock *block)
{
  return block->ops == &raw_ops ? VT_CONTAINER (block, VtRaw, base)->engine_ops->name : NULL;
}

/* Opening -------------------------------------------------------------------------------------- */

static bool
open_failed (int err, const char *path, bool read_only, GError **error)
{
  switch (err)
    {
    case ENOENT:
    case ENOTDIR:
      return vt_set_error (error, VITRINE_ERROR_NOT_FOUND,
                           "There is no image “%s”: check the path, or make the image first", path);
    case EACCES:
    case EPERM:
    case EROFS:
      return vt_set_error (error, VITRINE_ERROR_DENIED,
                           read_only
                               ? "The image “%s” may not be read: check its permissions"
                               : "The image “%s” may not be written: check its permissions, or "
                                 "attach it read-only",
                           path);
    case EISDIR:
      return vt_set_error (error, VITRINE_ERROR_INVALID,
                           "“%s” is a folder, not an image: choose a file inside it", path);
    case ENXIO:
    case ENOMEDIUM:
      return vt_set_error (error, VITRINE_ERROR_NOT_FOUND,
                           "The device “%s” has no medium: insert one, or choose an image file",
                           path);
    default:
      return vt_set_errno (error, err, "The image “%s” can't be opened", path);
    }
}

/* A regular file or a block device, with its size in bytes. */
static bool
look (VtRaw *raw, const char *path, GError **error)
{
  struct stat st;
  int         sector = 0;
  unsigned    physical = 0;
  uint64_t    size = 0;

  if (fstat (raw->fd, &st) < 0)
    return vt_set_errno (error, errno, "The image “%s” can't be examined", path);
  if (S_ISDIR (st.st_mode))
    return open_failed (EISDIR, path, true, error);
  raw->base.info.sector = raw->base.info.physical = 512;
  if (S_ISBLK (st.st_mode))
    {
      if (ioctl (raw->fd, BLKGETSIZE64, &size) < 0)
        return vt_set_errno (error, errno, "The size of the device “%s” can't be told", path);
      if (ioctl (raw->fd, BLKSSZGET, &sector) == 0 && sector >= 512 && sector <= 65536)
        raw->base.info.sector = sector;
      if (ioctl (raw->fd, BLKPBSZGET, &physical) == 0 && physical >= raw->base.info.sector &&
          physical <= 65536)
        raw->base.info.physical = physical;
      else
        raw->base.info.physical = raw->base.info.sector;
      if (size == 0)
        return open_failed (ENOMEDIUM, path, true, error);
    }
  else if (S_ISREG (st.st_mode))
    size = (uint64_t) st.st_size;
  else
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "“%s” is neither a file nor a block device: choose an image file", path);
  if (size == 0)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The image “%s” is empty: choose another file, or give it a size first",
                         path);
  if (size > INT64_MAX - 65536)
    return vt_set_error (error, VITRINE_ERROR_INVALID, "The image “%s” is too large", path);
  raw->file_size = size;
  raw->base.info.size = S_ISBLK (st.st_mode) ? size : vt_align_up (size, 512);
  raw->device = S_ISBLK (st.st_mode);
  return true;
}

/* Whether a hole can be punched: tried beyond the end of a file, where there is nothing to lose. */
static bool
can_discard (const VtRaw *raw)
{
  if (raw->base.info.read_only)
    return false;
  if (raw->device)
    return true;
  return fallocate (raw->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    (off_t) vt_align_up (raw->base.info.size, 65536), 65536) == 0;
}

/* A second, unbuffered descriptor on the same file. What it can't do by its alignment goes through
 * the first; the kernel keeps both views of the file the same. */
static void
open_direct (VtRaw *raw, const char *path, int mode)
{
  struct stat  a, b;
  struct statx x = { 0 };
  int          fd = open (path, mode | O_DIRECT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

  if (fd < 0)
    return;
  if (fstat (fd, &a) < 0 || fstat (raw->fd, &b) < 0 || a.st_dev != b.st_dev ||
      a.st_ino != b.st_ino || fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) & ~O_NONBLOCK) < 0)
    {
      close (fd);
      return;
    }
  /* 4096 does for every disk there is; where the kernel tells, it may be less. */
  raw->direct_align = 4096;
#ifdef STATX_DIOALIGN
  if (statx (fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) == 0 && (x.stx_mask & STATX_DIOALIGN) != 0)
    {
      uint32_t align = MAX (x.stx_dio_mem_align, x.stx_dio_offset_align);

      if (x.stx_dio_offset_align == 0 || align > 65536)
        {
          close (fd);
          return;
        }
      raw->direct_align = MAX (align, 512);
    }
#endif
  raw->direct_fd = fd;
}

static bool
start_engine (VtRaw *raw, bool uring, GError **error)
{
  const VtRawEngineOps *engines[] = { uring ? &vt_raw_uring : NULL, &vt_raw_sync };

  for (unsigned i = 0; i < G_N_ELEMENTS (engines) && raw->engine == NULL; i++)
    if (engines[i] != NULL)
      {
        raw->engine_ops = engines[i];
        raw->engine = engines[i]->start (raw);
      }
  if (raw->engine != NULL)
    return true;
  return vt_set_error (error, VITRINE_ERROR_FAILED,
                       "No thread for the image “%s” could be started: close other programs",
                       raw->base.info.name);
}

VtBlock *
vt_block_open_raw (const char *path, VtBlockOpenFlags flags, GError **error)
{
  bool   read_only = (flags & VT_BLOCK_OPEN_READ_ONLY) != 0;
  int    mode = read_only ? O_RDONLY : O_RDWR;
  VtRaw *raw = g_new0 (VtRaw, 1);

  raw->refs = 1;
  raw->direct_fd = -1;
  raw->account = vt_block_account_new ();
  raw->base.ops = &raw_ops;
  raw->base.info.name = g_strdup (path);
  raw->base.info.read_only = read_only;
  /* O_NONBLOCK: the open of a pipe must not wait for its other end. It goes again below, because
   * the ring takes it as a wish to fail rather than to wait for the disk. */
  raw->fd = open (path, mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (raw->fd < 0)
    open_failed (errno, path, read_only, error);
  else if (look (raw, path, error) && vt_block_lock (raw->fd, path, read_only, error) &&
           vt_block_check_format (raw->fd, path, read_only, error))
    {
      if (fcntl (raw->fd, F_SETFL, fcntl (raw->fd, F_GETFL) & ~O_NONBLOCK) < 0)
        vt_set_errno (error, errno, "The image “%s” can't be opened", path);
      else
        {
          raw->base.info.can_discard = can_discard (raw);
          if ((flags & VT_BLOCK_OPEN_DIRECT) != 0)
            open_direct (raw, path, mode);
          if (start_engine (raw, (flags & VT_BLOCK_OPEN_NO_URING) == 0, error))
            return &raw->base;
        }
    }
  vt_raw_unref (raw);
  return NULL;
}
