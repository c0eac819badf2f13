/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The engine of a raw image on io_uring: one ring per image. Whoever submits enters the kernel at
 * once; completions come by an eventfd to the context of the first request, where done() is called
 * without another thread in between. Requests of other contexts are answered by a post.
 */
#include <errno.h>
#include <liburing.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "block-private.h"

#define ENTRIES 128

struct VtRawEngine
{
  gint            refs;
  struct io_uring ring;
  int             event;
  GMutex          lock; /* Guards what follows and the ring. A leaf. */
  unsigned        in_ring;
  GQueue          waiting; /* VtRawOp: the ring is full. */
  VtContext      *context; /* Of the watch. */
  VtWatch        *watch;   /* Under the context's lock. */
  bool            stopped;
};

typedef struct
{
  VtRawOp *op;
  int      result;
} Completion;

static void
engine_unref (VtRawEngine *engine)
{
  if (!g_atomic_int_dec_and_test (&engine->refs))
    return;
  io_uring_queue_exit (&engine->ring);
  close (engine->event);
  g_mutex_clear (&engine->lock);
  g_free (engine);
}

static VtRawEngine *
uring_start (VtRaw *raw)
{
  VtRawEngine           *engine = g_new0 (VtRawEngine, 1);
  struct io_uring_probe *probe;
  bool                   able;

  engine->refs = 1;
  engine->event = -1;
  /* ENOSYS: no such kernel; EPERM: forbidden by a sandbox; ENOMEM: locked memory is used up. The
   * worker threads do in all of them. */
  if (io_uring_queue_init (ENTRIES, &engine->ring, 0) < 0)
    {
      g_free (engine);
      return NULL;
    }
  probe = io_uring_get_probe_ring (&engine->ring);
  able = probe != NULL && io_uring_opcode_supported (probe, IORING_OP_READV) &&
         io_uring_opcode_supported (probe, IORING_OP_WRITEV) &&
         io_uring_opcode_supported (probe, IORING_OP_FSYNC) &&
         io_uring_opcode_supported (probe, IORING_OP_FALLOCATE);
  io_uring_free_probe (probe);
  engine->event = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (!able || engine->event < 0 ||
      io_uring_register_eventfd (&engine->ring, engine->event) < 0)
    {
      io_uring_queue_exit (&engine->ring);
      if (engine->event >= 0)
        close (engine->event);
      g_free (engine);
      return NULL;
    }
  g_mutex_init (&engine->lock);
  g_queue_init (&engine->waiting);
  return engine;
}

/* Puts @op's next call into the ring, which has room. Lock held. */
static void
put (VtRawEngine *engine, VtRawOp *op)
{
  struct io_uring_sqe *sqe = io_uring_get_sqe (&engine->ring);
  VtRawCall            call;

  vt_raw_op_next (op, &call);
  switch (call.kind)
    {
    case VT_RAW_READV:
      io_uring_prep_readv (sqe, call.fd, call.iov, call.n_iov, call.offset);
      break;
    case VT_RAW_WRITEV:
      io_uring_prep_writev2 (sqe, call.fd, call.iov, call.n_iov, call.offset, call.flags);
      break;
    case VT_RAW_FALLOCATE:
      io_uring_prep_fallocate (sqe, call.fd, call.flags, (off_t) call.offset,
                               (off_t) call.length);
      break;
    case VT_RAW_FDATASYNC:
      io_uring_prep_fsync (sqe, call.fd, IORING_FSYNC_DATASYNC);
      break;
    }
  io_uring_sqe_set_data (sqe, op);
  engine->in_ring++;
}

/* Tells the kernel of new entries. Where it is out of memory for a moment the entries stay, and the
 * eventfd brings us back here. Lock held. */
static void
enter (VtRawEngine *engine)
{
  int n;

  do
    n = io_uring_submit (&engine->ring);
  while (n == -EINTR);
  if (n < 0 && n != -EBUSY)
    {
      g_thread_yield ();
      eventfd_write (engine->event, 1);
    }
}

/* Lock held. Never more in the ring than it has entries, so that no completion is ever lost. */
static void
add (VtRawEngine *engine, VtRawOp *op)
{
  if (engine->in_ring >= ENTRIES)
    g_queue_push_tail (&engine->waiting, op);
  else
    put (engine, op);
}

/* Takes up to @max completions. Lock held. */
static unsigned
reap (VtRawEngine *engine, Completion *out, unsigned max)
{
  struct io_uring_cqe *cqe;
  unsigned             n = 0;

  while (n < max && io_uring_peek_cqe (&engine->ring, &cqe) == 0)
    {
      out[n].op = io_uring_cqe_get_data (cqe);
      out[n++].result = cqe->res;
      io_uring_cqe_seen (&engine->ring, cqe);
      engine->in_ring--;
    }
  return n;
}

static void
event_cb (void *data, int fd, unsigned events)
{
  VtRawEngine *engine = data;
  Completion   done[ENTRIES];
  unsigned     n;
  eventfd_t    count;

  /* A done() may close the image, and with it the engine. */
  g_atomic_int_inc (&engine->refs);
  eventfd_read (fd, &count);
  g_mutex_lock (&engine->lock);
  n = reap (engine, done, G_N_ELEMENTS (done));
  for (unsigned i = 0; i < n; i++)
    {
      int error = 0;

      if (vt_raw_op_result (done[i].op, done[i].result, &error))
        done[i].result = error;
      else
        {
          add (engine, done[i].op);
          done[i].op = NULL;
        }
    }
  while (engine->in_ring < ENTRIES && !g_queue_is_empty (&engine->waiting))
    put (engine, g_queue_pop_head (&engine->waiting));
  enter (engine);
  g_mutex_unlock (&engine->lock);

  for (unsigned i = 0; i < n; i++)
    {
      if (done[i].op == NULL)
        continue;
      if (vt_raw_op_request (done[i].op)->context == engine->context)
        vt_raw_op_end (done[i].op, done[i].result);
      else
        vt_raw_op_post (done[i].op, done[i].result);
    }
  engine_unref (engine);
}

/* On the context of the first request: a watch can't be made inside submit, whose caller may hold
 * another context's lock. What completes before is found by the first event. */
static void
attach_cb (void *data)
{
  VtRawEngine *engine = data;
  bool         stopped;

  g_mutex_lock (&engine->lock);
  stopped = engine->stopped;
  g_mutex_unlock (&engine->lock);
  if (!stopped)
    engine->watch = vt_watch_new (engine->context, engine->event, EPOLLIN, event_cb, engine);
  engine_unref (engine);
}

static void
uring_submit (VtRawEngine *engine, VtRawOp *op)
{
  g_mutex_lock (&engine->lock);
  if (engine->context == NULL)
    {
      engine->context = vt_raw_op_request (op)->context;
      g_atomic_int_inc (&engine->refs);
      vt_context_post (engine->context, attach_cb, engine);
    }
  add (engine, op);
  enter (engine);
  g_mutex_unlock (&engine->lock);
}

/* Runs what is left to its end, here: an operation that is under way in the kernel writes to the
 * request's memory whether anybody waits for it or not. */
static void
finish_all (VtRawEngine *engine)
{
  g_mutex_lock (&engine->lock);
  while (engine->in_ring > 0 || !g_queue_is_empty (&engine->waiting))
    {
      Completion done;
      int        n, error = 0;

      while (engine->in_ring < ENTRIES && !g_queue_is_empty (&engine->waiting))
        put (engine, g_queue_pop_head (&engine->waiting));
      n = io_uring_submit_and_wait (&engine->ring, 1);
      if (n < 0 && n != -EINTR)
        g_usleep (1000); /* The kernel is out of memory for a moment. */
      if (reap (engine, &done, 1) == 0)
        continue;
      if (vt_raw_op_result (done.op, done.result, &error))
        vt_raw_op_post (done.op, error);
      else
        add (engine, done.op);
    }
  g_mutex_unlock (&engine->lock);
}

static void
uring_stop (VtRawEngine *engine)
{
  VtContext *context;
  bool       take;

  g_mutex_lock (&engine->lock);
  engine->stopped = true;
  context = engine->context;
  g_mutex_unlock (&engine->lock);
  if (context != NULL)
    {
      take = !vt_context_held (context);
      if (take)
        vt_context_lock (context);
      g_clear_pointer (&engine->watch, vt_watch_free);
      if (take)
        vt_context_unlock (context);
    }
  finish_all (engine);
  engine_unref (engine);
}

const VtRawEngineOps vt_raw_uring = {
  .name = "io_uring",
  .start = uring_start,
  .submit = uring_submit,
  .stop = uring_stop,
};
