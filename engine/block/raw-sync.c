/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The engine of a raw image where io_uring can't be had: plain system calls on a few threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "block-private.h"

#define WORKERS 4

struct VtRawEngine
{
  GThreadPool *pool;
};

static int64_t
make_call (const VtRawCall *call)
{
  ssize_t n = -1;

  switch (call->kind)
    {
    case VT_RAW_READV:
      n = preadv (call->fd, call->iov, (int) call->n_iov, (off_t) call->offset);
      break;
    case VT_RAW_WRITEV:
      if (call->flags == 0)
        n = pwritev (call->fd, call->iov, (int) call->n_iov, (off_t) call->offset);
      else
        n = pwritev2 (call->fd, call->iov, (int) call->n_iov, (off_t) call->offset, call->flags);
      break;
    case VT_RAW_FALLOCATE:
      n = fallocate (call->fd, call->flags, (off_t) call->offset, (off_t) call->length);
      break;
    case VT_RAW_FDATASYNC:
      n = fdatasync (call->fd);
      break;
    }
  return n < 0 ? -errno : n;
}

static void
work (gpointer data, gpointer user_data)
{
  VtRawOp  *op = data;
  VtRawCall call;
  int       error = 0;

  do
    vt_raw_op_next (op, &call);
  while (!vt_raw_op_result (op, make_call (&call), &error));
  vt_raw_op_post (op, error);
}

static VtRawEngine *
sync_start (VtRaw *raw)
{
  VtRawEngine *engine = g_new0 (VtRawEngine, 1);

  engine->pool = g_thread_pool_new (work, NULL, WORKERS, FALSE, NULL);
  return engine;
}

static void
sync_submit (VtRawEngine *engine, VtRawOp *op)
{
  /* Where no thread can be started the work waits for one that runs; GLib keeps it queued. */
  g_thread_pool_push (engine->pool, op, NULL);
}

static void
sync_stop (VtRawEngine *engine)
{
  g_thread_pool_free (engine->pool, FALSE, TRUE);
  g_free (engine);
}

const VtRawEngineOps vt_raw_sync = {
  .name = "threads",
  .start = sync_start,
  .submit = sync_submit,
  .stop = sync_stop,
};
