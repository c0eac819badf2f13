/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request on a raw image as a series of system calls, told apart from who makes them: short
 * transfers are resumed, the end of the file reads as zeros, what the file system can't do is done
 * another way.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdlib.h>

#include "raw-private.h"

/* Most bytes of an aligned copy for direct I/O, or of zeros written at once. */
#define BOUNCE_MAX (1024 * 1024)
#define ZEROS_LEN 65536
/* Interrupted calls in a row before it counts as an error. */
#define RETRIES_MAX 1000

struct VtRawOp
{
  VtRaw          *raw;
  VtBlockRequest *request;
  enum
  {
    OP_TRANSFER,
    OP_DISCARD,
    OP_ZERO_RANGE, /* First choice for zeroes: the blocks stay allocated. */
    OP_ZERO_PUNCH, /* Second: the blocks go. */
    OP_ZERO_WRITE, /* Third. */
    OP_SYNC,
  } phase;
  uint64_t      pos;   /* Bytes done. */
  unsigned      index; /* request->iov's piece at pos ... */
  size_t        skip;  /* ... and how much of it is done. */
  unsigned      retries;
  bool          no_direct; /* Direct I/O was refused: this request goes through the page cache. */
  bool          bounced;   /* The call under way is on the bounce buffer. */
  uint8_t      *bounce;
  struct iovec *own; /* Pieces that differ from the request's. */
};

/* What OP_ZERO_WRITE writes from. */
static const uint8_t zeros[ZEROS_LEN];

VtRawOp *
vt_raw_op_new (VtRaw *raw, VtBlockRequest *request)
{
  VtRawOp *op = g_new0 (VtRawOp, 1);

  g_atomic_int_inc (&raw->refs);
  op->raw = raw;
  op->request = request;
  switch (request->op)
    {
    case VT_BLOCK_READ:
    case VT_BLOCK_WRITE:
      op->phase = OP_TRANSFER;
      break;
    case VT_BLOCK_DISCARD:
      op->phase = OP_DISCARD;
      break;
    case VT_BLOCK_WRITE_ZEROES:
      op->phase = OP_ZERO_RANGE;
      break;
    case VT_BLOCK_FLUSH:
      op->phase = OP_SYNC;
      break;
    }
  return op;
}

VtBlockRequest *
vt_raw_op_request (const VtRawOp *op)
{
  return op->request;
}

static VtBlockRequest *
op_free (VtRawOp *op)
{
  VtBlockRequest *request = op->request;

  free (op->bounce);
  g_free (op->own);
  vt_raw_unref (op->raw);
  g_free (op);
  return request;
}

void
vt_raw_op_post (VtRawOp *op, int error)
{
  vt_block_account_post (op_free (op), error);
}

void
vt_raw_op_end (VtRawOp *op, int error)
{
  vt_block_account_end (op_free (op), error);
}

/* Moves the cursor @len bytes on, and over empty pieces. */
static void
advance (VtRawOp *op, uint64_t len)
{
  const VtBlockRequest *r = op->request;

  op->pos += len;
  while (op->index < r->n_iov)
    {
      size_t left = r->iov[op->index].iov_len - op->skip;

      if (len < left)
        {
          op->skip += len;
          return;
        }
      len -= left;
      op->index++;
      op->skip = 0;
    }
}

/* Copies @len bytes between the request's pieces at the cursor and the bounce buffer. */
static void
copy (const VtRawOp *op, size_t len, bool to_pieces)
{
  const VtBlockRequest *r = op->request;
  uint8_t              *at = op->bounce;
  size_t                skip = op->skip;

  for (unsigned i = op->index; i < r->n_iov && len > 0; i++)
    {
      uint8_t *piece = (uint8_t *) r->iov[i].iov_base + skip;
      size_t   part = MIN (len, r->iov[i].iov_len - skip);

      if (to_pieces)
        memcpy (piece, at, part);
      else
        memcpy (at, piece, part);
      at += part;
      len -= part;
      skip = 0;
    }
}

static void
zero_rest (VtRawOp *op)
{
  const VtBlockRequest *r = op->request;

  while (op->index < r->n_iov)
    {
      size_t left = r->iov[op->index].iov_len - op->skip;

      memset ((uint8_t *) r->iov[op->index].iov_base + op->skip, 0, left);
      advance (op, left);
    }
}

/* The request's pieces from the cursor on, IOV_MAX at most: what is left out comes as a short
 * transfer. */
static void
pieces (VtRawOp *op, VtRawCall *call)
{
  const VtBlockRequest *r = op->request;
  unsigned              n = MIN (r->n_iov - op->index, IOV_MAX);

  call->iov = &r->iov[op->index];
  call->n_iov = n;
  if (op->skip > 0)
    {
      g_free (op->own);
      op->own = g_memdup2 (call->iov, n * sizeof *op->own);
      op->own[0].iov_base = (uint8_t *) op->own[0].iov_base + op->skip;
      op->own[0].iov_len -= op->skip;
      call->iov = op->own;
    }
}

static bool
pieces_aligned (const VtRawCall *call, uint32_t align)
{
  for (unsigned i = 0; i < call->n_iov; i++)
    if ((uintptr_t) call->iov[i].iov_base % align != 0 || call->iov[i].iov_len % align != 0)
      return false;
  return true;
}

static void
next_transfer (VtRawOp *op, VtRawCall *call)
{
  const VtBlockRequest *r = op->request;
  const VtRaw          *raw = op->raw;
  uint64_t              left = r->length - op->pos;

  call->kind = r->op == VT_BLOCK_READ ? VT_RAW_READV : VT_RAW_WRITEV;
  call->flags = r->op == VT_BLOCK_WRITE && r->fua ? RWF_DSYNC : 0;
  call->fd = raw->fd;
  call->offset = r->offset + op->pos;
  call->length = left;
  op->bounced = false;
  pieces (op, call);
  /* Direct I/O wants offset, length and memory aligned. Memory that isn't is copied; an offset or
   * length that isn't goes through the page cache. */
  if (raw->direct_fd < 0 || op->no_direct || call->offset % raw->direct_align != 0 ||
      left % raw->direct_align != 0)
    return;
  if (!pieces_aligned (call, raw->direct_align))
    {
      size_t len = MIN (left, BOUNCE_MAX);

      if (op->bounce == NULL &&
          posix_memalign ((void **) &op->bounce, MAX (raw->direct_align, 4096), len) != 0)
        {
          op->bounce = NULL;
          return;
        }
      op->bounced = true;
      if (r->op == VT_BLOCK_WRITE)
        copy (op, len, false);
      g_free (op->own);
      op->own = g_new (struct iovec, 1);
      op->own[0] = (struct iovec){ .iov_base = op->bounce, .iov_len = len };
      call->iov = op->own;
      call->n_iov = 1;
    }
  call->fd = raw->direct_fd;
}

static void
next_zeros (VtRawOp *op, VtRawCall *call)
{
  uint64_t len = MIN (op->request->length - op->pos, BOUNCE_MAX);
  unsigned n = (unsigned) ((len + ZEROS_LEN - 1) / ZEROS_LEN);

  if (op->own == NULL)
    op->own = g_new (struct iovec, BOUNCE_MAX / ZEROS_LEN);
  for (unsigned i = 0; i < n; i++)
    {
      op->own[i].iov_base = (void *) zeros;
      op->own[i].iov_len = MIN (len - (uint64_t) i * ZEROS_LEN, ZEROS_LEN);
    }
  call->kind = VT_RAW_WRITEV;
  call->fd = op->raw->fd;
  call->iov = op->own;
  call->n_iov = n;
  call->offset = op->request->offset + op->pos;
  call->length = len;
  call->flags = 0;
}

void
vt_raw_op_next (VtRawOp *op, VtRawCall *call)
{
  memset (call, 0, sizeof *call);
  switch (op->phase)
    {
    case OP_TRANSFER:
      next_transfer (op, call);
      return;
    case OP_ZERO_WRITE:
      next_zeros (op, call);
      return;
    case OP_SYNC:
      call->kind = VT_RAW_FDATASYNC;
      call->fd = op->raw->fd;
      return;
    case OP_DISCARD:
    case OP_ZERO_PUNCH:
      call->flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      break;
    case OP_ZERO_RANGE:
      call->flags = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
      break;
    }
  call->kind = VT_RAW_FALLOCATE;
  call->fd = op->raw->fd;
  call->offset = op->request->offset;
  call->length = op->request->length;
}

static bool
ended (int *error, int value)
{
  *error = value;
  return true;
}

/* A read that brought nothing has met the end of the file. Inside the last sector, which the file
 * never filled, that means zeros; before it, somebody has cut the file meanwhile. */
static bool
read_end (VtRawOp *op, int *error)
{
  if (op->request->offset + op->pos < op->raw->file_size)
    return ended (error, EIO);
  zero_rest (op);
  return ended (error, 0);
}

static bool
transferred (VtRawOp *op, uint64_t len, int *error)
{
  const VtBlockRequest *r = op->request;

  if (len == 0)
    return r->op == VT_BLOCK_READ ? read_end (op, error) : ended (error, EIO);
  len = MIN (len, r->length - op->pos);
  if (op->bounced && r->op == VT_BLOCK_READ)
    copy (op, len, true);
  advance (op, len);
  return op->pos == r->length && ended (error, 0);
}

/* Zeroes are written; with fua they have to reach the disk too. */
static bool
zeroed (VtRawOp *op, int *error)
{
  if (!op->request->fua)
    return ended (error, 0);
  op->phase = OP_SYNC;
  return false;
}

static bool
not_supported (int64_t result)
{
  return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV;
}

bool
vt_raw_op_result (VtRawOp *op, int64_t result, int *error)
{
  if ((result == -EINTR || result == -EAGAIN) && ++op->retries < RETRIES_MAX)
    return false;
  op->retries = result < 0 ? op->retries : 0;
  /* The kernel calls an empty range an error in some calls and not in others. */
  if (op->phase != OP_SYNC && op->request->length == 0)
    return ended (error, 0);
  switch (op->phase)
    {
    case OP_TRANSFER:
      if (result == -EINVAL && op->raw->direct_fd >= 0 && !op->no_direct)
        {
          op->no_direct = true;
          return false;
        }
      return result < 0 ? ended (error, (int) -result)
                        : transferred (op, (uint64_t) result, error);

    case OP_DISCARD:
      /* A discard is advice: where it can't be followed nothing is wrong. */
      return ended (error, result >= 0 || not_supported (result) ? 0 : (int) -result);

    case OP_ZERO_RANGE:
    case OP_ZERO_PUNCH:
      if (not_supported (result))
        {
          op->phase = op->phase == OP_ZERO_RANGE ? OP_ZERO_PUNCH : OP_ZERO_WRITE;
          return false;
        }
      return result < 0 ? ended (error, (int) -result) : zeroed (op, error);

    case OP_ZERO_WRITE:
      if (result <= 0)
        return ended (error, result < 0 ? (int) -result : EIO);
      op->pos += MIN ((uint64_t) result, op->request->length - op->pos);
      return op->pos == op->request->length && zeroed (op, error);

    case OP_SYNC:
      /* EINVAL: a special file that has nothing to sync. */
      return ended (error, result >= 0 || result == -EINVAL ? 0 : (int) -result);
    }
  return ended (error, EINVAL);
}
