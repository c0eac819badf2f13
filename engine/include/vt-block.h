/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Block back ends. They stack: a layer forwards to @next, as in nbdkit.
 */
#pragma once

#include <sys/uio.h>

#include "vt-base.h"
#include "vt-loop.h"

typedef struct VtBlock        VtBlock;
typedef struct VtBlockRequest VtBlockRequest;

typedef enum
{
  VT_BLOCK_READ,
  VT_BLOCK_WRITE,
  VT_BLOCK_FLUSH,
  VT_BLOCK_DISCARD,
  VT_BLOCK_WRITE_ZEROES,
} VtBlockOp;

/* One request; the caller's memory, untouched by the caller until @done. */
struct VtBlockRequest
{
  VtBlockOp           op;
  bool                fua;    /* A write that is on stable storage when it is done. */
  uint64_t            offset; /* Bytes. */
  uint64_t            length; /* Bytes; for reads and writes the sum of @iov. */
  const struct iovec *iov;
  unsigned            n_iov;
  /* On @context with its lock held; @error is 0 or a positive errno. Never from inside submit. */
  void (*done) (VtBlockRequest *request, int error);
  VtContext *context;
  void      *data; /* The caller's. */
  void      *priv[4]; /* The back end's. */
};

typedef struct
{
  void (*submit) (VtBlock *block, VtBlockRequest *request);
  /* @drained on @context once everything submitted before has ended. */
  void (*drain) (VtBlock *block, VtContext *context, VtFunc drained, void *data);
  void (*close) (VtBlock *block); /* As vt_block_close(). */
} VtBlockOps;

typedef struct
{
  /* Bytes, whole sectors. A file that ends inside a sector is rounded up: what it lacks reads as
   * zeros, and a write to its last sector completes that in the file. */
  uint64_t size;
  uint32_t sector;        /* Logical, 512 unless the back end needs more. */
  uint32_t physical;      /* Physical sector, bytes. */
  bool     read_only;
  bool     can_discard;
  char    *name;          /* For messages: the path. */
} VtBlockInfo;

struct VtBlock
{
  const VtBlockOps *ops;
  VtBlock          *next; /* The layer below, or NULL. */
  VtBlockInfo       info;
};

/* Any thread. An out-of-range request, or a write to a read-only block, ends with EINVAL or EROFS. */
void vt_block_submit (VtBlock *block, VtBlockRequest *request);
void vt_block_drain (VtBlock *block, VtContext *context, VtFunc drained, void *data);
/* Frees; NULL is allowed. What is in flight is waited for: after the close no request's memory is
 * touched any more, though its done() may still come. Must come before the contexts go that the
 * requests named, and hold no lock but that of the context which made the first request. */
void vt_block_close (VtBlock *block);

typedef enum
{
  VT_BLOCK_OPEN_READ_ONLY = 1 << 0,
  VT_BLOCK_OPEN_DIRECT = 1 << 1, /* O_DIRECT where the file system has it. */
  VT_BLOCK_OPEN_NO_URING = 1 << 2, /* The preadv fallback, for tests and sandboxes. */
} VtBlockOpenFlags;

/* Opens and locks (OFD locks: shared for read-only, exclusive otherwise) a raw image. */
VtBlock *vt_block_open_raw (const char *path, VtBlockOpenFlags flags, GError **error);

/* An image in memory, for tests: @data is copied. */
VtBlock *vt_block_new_memory (const void *data, size_t len, bool read_only);
