/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What block back ends share: the account of requests in flight, image locks, and the work of one
 * raw request as a series of system calls that either the ring or the worker pool makes.
 */
#pragma once

#include "vt-block.h"

/* The account ---------------------------------------------------------------------------------- */

/* Counts requests from begin to the return of their done(), and tells drains in between. It lives
 * until its back end and every request have let go, so a done() may close its own block. */
typedef struct VtBlockAccount VtBlockAccount;

VtBlockAccount *vt_block_account_new (void);
void            vt_block_account_unref (VtBlockAccount *account);

/* Takes request->priv[0] to [2]; [3] is the back end's. */
void vt_block_account_begin (VtBlockAccount *account, VtBlockRequest *request);
/* Calls done() by a post on the request's context. @account as begun, or NULL: never counted. */
void vt_block_account_post (VtBlockRequest *request, int error);
/* Calls done() now: on the request's context with its lock held, and not from inside submit. */
void vt_block_account_end (VtBlockRequest *request, int error);
void vt_block_account_drain (VtBlockAccount *account, VtContext *context, VtFunc drained, void *data);

/* Locks ---------------------------------------------------------------------------------------- */

/* Locks @fd, open as @read_only says, for as long as its open file description lives. */
bool vt_block_lock (int fd, const char *path, bool read_only, GError **error);

/* Refuses what is plainly no raw image. */
bool vt_block_check_format (int fd, const char *path, bool read_only, GError **error);

/* Raw images ----------------------------------------------------------------------------------- */

typedef struct VtRaw       VtRaw;
typedef struct VtRawEngine VtRawEngine;
typedef struct VtRawOp     VtRawOp;

/* The next system call of a request. */
typedef struct
{
  enum
  {
    VT_RAW_READV,
    VT_RAW_WRITEV,
    VT_RAW_FALLOCATE,
    VT_RAW_FDATASYNC,
  } kind;
  int                 fd;
  const struct iovec *iov;
  unsigned            n_iov;
  uint64_t            offset, length;
  int                 flags; /* RWF_* or FALLOC_FL_*. */
} VtRawCall;

typedef struct
{
  const char *name;
  /* NULL where this host has not what it needs; the next engine is tried. */
  VtRawEngine *(*start) (VtRaw *raw);
  void (*submit) (VtRawEngine *engine, VtRawOp *op);
  /* Returns once no request's memory is touched any more. Frees. */
  void (*stop) (VtRawEngine *engine);
} VtRawEngineOps;

extern const VtRawEngineOps vt_raw_uring;
extern const VtRawEngineOps vt_raw_sync;

/* Which engine an open image uses: for tests and for the machine's report. */
const char *vt_block_raw_engine (const VtBlock *block);

VtBlockRequest *vt_raw_op_request (const VtRawOp *op);
/* What to do next; the call's pointers are good until vt_raw_op_result(). */
void vt_raw_op_next (VtRawOp *op, VtRawCall *call);
/* Takes the call's result, a count or a negative errno. Returns whether the request has ended, with
 * *@error 0 or a positive errno. */
bool vt_raw_op_result (VtRawOp *op, int64_t result, int *error);
/* After the request has ended: frees @op, then calls done() by a post, or here and now. */
void vt_raw_op_post (VtRawOp *op, int error);
void vt_raw_op_end (VtRawOp *op, int error);
