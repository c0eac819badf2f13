/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Block back ends: memory and raw images, the latter over both engines and with direct I/O.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/raw-private.h"

/* Requests that wait for their done() on a context with its own thread. */

typedef struct
{
  VtBlockRequest request;
  GMutex         lock;
  GCond          cond;
  bool           ended, inside;
  int            error;
} Wait;

static void
done_cb (VtBlockRequest *request, int error)
{
  Wait *w = request->data;

  g_assert_true (vt_context_held (request->context));
  g_assert_false (w->inside);
  g_mutex_lock (&w->lock);
  w->ended = true;
  w->error = error;
  g_cond_signal (&w->cond);
  g_mutex_unlock (&w->lock);
}

static void
wait_init (Wait *w, VtContext *context, VtBlockOp op, uint64_t offset, uint64_t length,
           const struct iovec *iov, unsigned n_iov)
{
  memset (w, 0, sizeof *w);
  g_mutex_init (&w->lock);
  g_cond_init (&w->cond);
  w->request.op = op;
  w->request.offset = offset;
  w->request.length = length;
  w->request.iov = iov;
  w->request.n_iov = n_iov;
  w->request.done = done_cb;
  w->request.context = context;
  w->request.data = w;
}

static int
wait_end (Wait *w)
{
  gint64 limit = g_get_monotonic_time () + 30 * G_TIME_SPAN_SECOND;

  g_mutex_lock (&w->lock);
  while (!w->ended)
    if (!g_cond_wait_until (&w->cond, &w->lock, limit))
      g_error ("a request never ended");
  g_mutex_unlock (&w->lock);
  g_mutex_clear (&w->lock);
  g_cond_clear (&w->cond);
  return w->error;
}

static int
run (VtBlock *block, VtContext *context, VtBlockOp op, uint64_t offset, uint64_t length,
     const struct iovec *iov, unsigned n_iov, bool fua)
{
  Wait w;

  wait_init (&w, context, op, offset, length, iov, n_iov);
  w.request.fua = fua;
  vt_block_submit (block, &w.request);
  return wait_end (&w);
}

static int
transfer (VtBlock *block, VtContext *context, VtBlockOp op, uint64_t offset, void *data, size_t len)
{
  struct iovec iov = { .iov_base = data, .iov_len = len };

  return run (block, context, op, offset, len, &iov, 1, false);
}

typedef struct
{
  char      *folder, *path;
  VtContext *context;
  uint8_t    content[64 * 1024];
} Fixture;

/* Under the build folder rather than /tmp, which may be a tmpfs without direct I/O. */
static void
setup (Fixture *f, gconstpointer data)
{
  GRand *rand = g_rand_new_with_seed (4711);

  f->folder = g_strdup ("block-test-XXXXXX");
  g_assert_nonnull (g_mkdtemp (f->folder));
  f->path = g_build_filename (f->folder, "disk.img", NULL);
  for (size_t i = 0; i < sizeof f->content; i++)
    f->content[i] = (uint8_t) g_rand_int (rand);
  g_rand_free (rand);
  g_assert_true (g_file_set_contents (f->path, (char *) f->content, sizeof f->content, NULL));
  f->context = vt_context_new ("test");
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_context_free (f->context);
  g_unlink (f->path);
  g_assert_cmpint (g_rmdir (f->folder), ==, 0);
  g_free (f->path);
  g_free (f->folder);
}

static VtBlock *
open_ok (Fixture *f, unsigned flags)
{
  GError  *error = NULL;
  VtBlock *block = vt_block_open_raw (f->path, flags, &error);

  g_assert_no_error (error);
  g_assert_nonnull (block);
  return block;
}

static void
test_engines (Fixture *f, gconstpointer data)
{
  VtBlock *block = open_ok (f, VT_BLOCK_OPEN_NO_URING);

  g_assert_cmpstr (vt_block_raw_engine (block), ==, "threads");
  vt_block_close (block);
  block = open_ok (f, 0);
  g_test_message ("the default engine here is %s", vt_block_raw_engine (block));
  vt_block_close (block);
}

static void
test_read_write (Fixture *f, gconstpointer data)
{
  unsigned     flags = GPOINTER_TO_UINT (data);
  VtBlock     *block = open_ok (f, flags);
  uint8_t      buf[8192 + 64], pattern[4096];
  struct iovec odd[3] = { { buf + 1, 1000 }, { buf + 1001, 0 }, { buf + 1001, 3096 } };

  g_assert_cmpuint (block->info.size, ==, sizeof f->content);
  g_assert_cmpuint (block->info.sector, ==, 512);
  g_assert_false (block->info.read_only);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_READ, 512, buf, 8192), ==, 0);
  g_assert_cmpmem (buf, 8192, f->content + 512, 8192);

  /* Pieces at odd addresses, one empty, on an aligned and on an unaligned range. */
  for (unsigned at = 4096; at <= 4096 + 512; at += 512)
    {
      memset (buf, 0, sizeof buf);
      g_assert_cmpint (run (block, f->context, VT_BLOCK_READ, at, 4096, odd, 3, false), ==, 0);
      g_assert_cmpmem (buf + 1, 4096, f->content + at, 4096);
      memset (buf, at >> 9, sizeof buf);
      g_assert_cmpint (run (block, f->context, VT_BLOCK_WRITE, at + 16384, 4096, odd, 3, true), ==,
                       0);
      memset (pattern, at >> 9, sizeof pattern);
      g_assert_cmpint (transfer (block, f->context, VT_BLOCK_READ, at + 16384, buf, 4096), ==, 0);
      g_assert_cmpmem (buf, 4096, pattern, 4096);
    }
  g_assert_cmpint (run (block, f->context, VT_BLOCK_FLUSH, 0, 0, NULL, 0, false), ==, 0);
  g_assert_cmpint (run (block, f->context, VT_BLOCK_READ, 0, 0, NULL, 0, false), ==, 0);
  vt_block_close (block);
}

static void
test_many_pieces (Fixture *f, gconstpointer data)
{
  unsigned             flags = GPOINTER_TO_UINT (data);
  VtBlock             *block = open_ok (f, flags);
  g_autofree uint8_t  *buf = g_malloc0 (sizeof f->content);
  unsigned             n = sizeof f->content / 32;
  g_autofree struct iovec *iov = g_new (struct iovec, n);

  for (unsigned i = 0; i < n; i++)
    iov[i] = (struct iovec){ buf + i * 32, 32 };
  g_assert_cmpuint (n, >, 1024);
  g_assert_cmpint (run (block, f->context, VT_BLOCK_READ, 0, sizeof f->content, iov, n, false), ==,
                   0);
  g_assert_cmpmem (buf, sizeof f->content, f->content, sizeof f->content);
  for (size_t i = 0; i < sizeof f->content; i++)
    buf[i] ^= 0xff;
  g_assert_cmpint (run (block, f->context, VT_BLOCK_WRITE, 0, sizeof f->content, iov, n, false),
                   ==, 0);
  memset (buf, 0, sizeof f->content);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_READ, 0, buf, sizeof f->content), ==, 0);
  for (size_t i = 0; i < sizeof f->content; i++)
    g_assert_cmpuint (buf[i], ==, f->content[i] ^ 0xff);
  vt_block_close (block);
}

static void
test_discard (Fixture *f, gconstpointer data)
{
  VtBlock *block = open_ok (f, GPOINTER_TO_UINT (data));
  uint8_t  buf[16384], none[16384] = { 0 };

  g_assert_cmpint (run (block, f->context, VT_BLOCK_WRITE_ZEROES, 512, 8192, NULL, 0, true), ==, 0);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_READ, 0, buf, 16384), ==, 0);
  g_assert_cmpmem (buf, 512, f->content, 512);
  g_assert_cmpmem (buf + 512, 8192, none, 8192);
  g_assert_cmpmem (buf + 8704, 16384 - 8704, f->content + 8704, 16384 - 8704);
  g_assert_cmpint (run (block, f->context, VT_BLOCK_DISCARD, 32768, 16384, NULL, 0, false), ==, 0);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_READ, 32768, buf, 16384), ==, 0);
  if (block->info.can_discard)
    g_assert_cmpmem (buf, 16384, none, 16384);
  g_assert_cmpint (run (block, f->context, VT_BLOCK_DISCARD, 0, 0, NULL, 0, false), ==, 0);
  vt_block_close (block);
}

/* A file that ends inside a sector: zeros follow, and a write makes the sector whole. */
static void
test_tail (Fixture *f, gconstpointer data)
{
  unsigned    flags = GPOINTER_TO_UINT (data);
  VtBlock    *block;
  uint8_t     buf[1024], none[1024] = { 0 };
  struct stat st;

  g_assert_cmpint (truncate (f->path, 4096 + 100), ==, 0);
  block = open_ok (f, flags | VT_BLOCK_OPEN_READ_ONLY);
  g_assert_cmpuint (block->info.size, ==, 4096 + 512);
  memset (buf, 0xee, sizeof buf);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_READ, 4096 - 512, buf, 1024), ==, 0);
  g_assert_cmpmem (buf, 612, f->content + 4096 - 512, 612);
  g_assert_cmpmem (buf + 612, 412, none, 412);
  vt_block_close (block);

  block = open_ok (f, flags);
  memset (buf, 0xcc, 512);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_WRITE, 4096, buf, 512), ==, 0);
  vt_block_close (block);
  g_assert_cmpint (stat (f->path, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, 4096 + 512);
}

/* Somebody cuts the file while it is open: an error, not zeros. */
static void
test_cut (Fixture *f, gconstpointer data)
{
  VtBlock *block = open_ok (f, GPOINTER_TO_UINT (data));
  uint8_t  buf[8192];

  g_assert_cmpint (truncate (f->path, 4096), ==, 0);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_READ, 0, buf, 8192), ==, EIO);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_READ, 0, buf, 4096), ==, 0);
  vt_block_close (block);
}

/* A write that the host refuses is the guest's error, and what was there stays. */
static void
test_full (Fixture *f, gconstpointer data)
{
  struct rlimit old, small;
  VtBlock      *block;
  uint8_t       buf[4096], again[4096];

  g_assert_cmpint (truncate (f->path, 1 << 20), ==, 0);
  block = open_ok (f, GPOINTER_TO_UINT (data));
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &old), ==, 0);
  small = old;
  small.rlim_cur = 128 * 1024;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  memset (buf, 1, sizeof buf);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_WRITE, 512 * 1024, buf, 4096), ==, EFBIG);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &old), ==, 0);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_READ, 8192, again, 4096), ==, 0);
  g_assert_cmpmem (again, 4096, f->content + 8192, 4096);
  vt_block_close (block);
}

static void
check_refusals (VtBlock *block, VtContext *context)
{
  uint8_t      buf[1024];
  struct iovec short_iov = { buf, 512 }, huge[2] = { { buf, SIZE_MAX }, { buf, 513 } };

  g_assert_cmpint (transfer (block, context, VT_BLOCK_READ, block->info.size, buf, 512), ==, EINVAL);
  g_assert_cmpint (transfer (block, context, VT_BLOCK_READ, block->info.size - 512, buf, 1024), ==,
                   EINVAL);
  g_assert_cmpint (transfer (block, context, VT_BLOCK_READ, UINT64_MAX - 511, buf, 1024), ==,
                   EINVAL);
  g_assert_cmpint (transfer (block, context, VT_BLOCK_READ, 1, buf, 512), ==, EINVAL);
  g_assert_cmpint (transfer (block, context, VT_BLOCK_READ, 0, buf, 100), ==, EINVAL);
  g_assert_cmpint (run (block, context, VT_BLOCK_READ, 0, 1024, &short_iov, 1, false), ==, EINVAL);
  g_assert_cmpint (run (block, context, VT_BLOCK_READ, 0, 512, huge, 2, false), ==, EINVAL);
  g_assert_cmpint (run (block, context, VT_BLOCK_DISCARD, 512, UINT64_MAX - 511, NULL, 0, false),
                   ==, EINVAL);
  g_assert_cmpint (run (block, context, 99, 0, 0, NULL, 0, false), ==, EINVAL);
}

static void
test_refusals (Fixture *f, gconstpointer data)
{
  unsigned flags = GPOINTER_TO_UINT (data);
  uint8_t  buf[512];
  VtBlock *block = open_ok (f, flags);

  check_refusals (block, f->context);
  vt_block_close (block);
  block = open_ok (f, flags | VT_BLOCK_OPEN_READ_ONLY);
  g_assert_true (block->info.read_only);
  g_assert_cmpint (transfer (block, f->context, VT_BLOCK_WRITE, 0, buf, 512), ==, EROFS);
  g_assert_cmpint (run (block, f->context, VT_BLOCK_DISCARD, 0, 512, NULL, 0, false), ==, EROFS);
  g_assert_cmpint (run (block, f->context, VT_BLOCK_WRITE_ZEROES, 0, 512, NULL, 0, false), ==,
                   EROFS);
  g_assert_cmpint (run (block, f->context, VT_BLOCK_FLUSH, 0, 0, NULL, 0, false), ==, 0);
  vt_block_close (block);
}

typedef struct
{
  GMutex lock;
  GCond  cond;
  bool   drained;
  Wait  *waits;
  unsigned n;
} Drain;

static void
drained_cb (void *data)
{
  Drain *d = data;

  for (unsigned i = 0; i < d->n; i++)
    g_assert_true (d->waits[i].ended);
  g_mutex_lock (&d->lock);
  d->drained = true;
  g_cond_signal (&d->cond);
  g_mutex_unlock (&d->lock);
}

/* More requests than the ring has entries, on two contexts, while the context's lock is held: none
 * ends inside submit, and the drain comes after the last of them. */
static void
test_drain (Fixture *f, gconstpointer data)
{
  enum
  {
    N = 400,
  };
  VtBlock          *block = open_ok (f, GPOINTER_TO_UINT (data));
  VtContext        *other = vt_context_new ("other");
  g_autofree Wait  *waits = g_new0 (Wait, N);
  g_autofree uint8_t *buf = g_malloc (N * 512);
  struct iovec      iov[N];
  Drain             drain = { .waits = waits, .n = N };

  g_mutex_init (&drain.lock);
  g_cond_init (&drain.cond);
  vt_context_lock (f->context);
  for (unsigned i = 0; i < N; i++)
    {
      iov[i] = (struct iovec){ buf + i * 512, 512 };
      wait_init (&waits[i], i % 4 == 3 ? other : f->context, VT_BLOCK_READ, i % 100 * 512, 512,
                 &iov[i], 1);
      waits[i].inside = true;
      if (i % 4 == 3)
        waits[i].inside = false;
      vt_block_submit (block, &waits[i].request);
    }
  for (unsigned i = 0; i < N; i++)
    waits[i].inside = false;
  vt_block_drain (block, f->context, drained_cb, &drain);
  vt_context_unlock (f->context);
  g_mutex_lock (&drain.lock);
  while (!drain.drained)
    g_cond_wait (&drain.cond, &drain.lock);
  g_mutex_unlock (&drain.lock);
  for (unsigned i = 0; i < N; i++)
    {
      g_assert_cmpint (wait_end (&waits[i]), ==, 0);
      g_assert_cmpmem (buf + i * 512, 512, f->content + i % 100 * 512, 512);
    }
  /* Nothing is in flight: told at once. */
  drain.drained = false;
  vt_block_drain (block, other, drained_cb, &drain);
  g_mutex_lock (&drain.lock);
  while (!drain.drained)
    g_cond_wait (&drain.cond, &drain.lock);
  g_mutex_unlock (&drain.lock);
  vt_block_close (block);
  vt_context_free (other);
  g_mutex_clear (&drain.lock);
  g_cond_clear (&drain.cond);
}

/* Closing with requests under way: their memory is left alone after the close, they end as usual,
 * and the image can be opened again at once. */
static void
test_close_busy (Fixture *f, gconstpointer data)
{
  enum
  {
    N = 200,
  };
  VtBlock          *block = open_ok (f, GPOINTER_TO_UINT (data));
  g_autofree Wait  *waits = g_new0 (Wait, N);
  g_autofree uint8_t *buf = g_malloc (N * 512);
  struct iovec      iov[N];

  for (unsigned i = 0; i < N; i++)
    {
      iov[i] = (struct iovec){ buf + i * 512, 512 };
      wait_init (&waits[i], f->context, VT_BLOCK_READ, i % 100 * 512, 512, &iov[i], 1);
      vt_block_submit (block, &waits[i].request);
    }
  vt_block_close (block);
  block = open_ok (f, GPOINTER_TO_UINT (data));
  memset (buf, 0, N * 512);
  for (unsigned i = 0; i < N; i++)
    g_assert_cmpint (wait_end (&waits[i]), ==, 0);
  for (unsigned i = 0; i < N * 512; i++)
    g_assert_cmpuint (buf[i], ==, 0);
  vt_block_close (block);
}

static void
refused (const char *path, unsigned flags, VitrineError code, const char *hint)
{
  GError *error = NULL;

  g_assert_null (vt_block_open_raw (path, flags, &error));
  g_assert_error (error, VITRINE_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, hint));
  g_assert_null (strchr (error->message, '\n'));
  g_clear_error (&error);
}

static void
test_open_errors (Fixture *f, gconstpointer data)
{
  g_autofree char *other = g_build_filename (f->folder, "other", NULL);

  refused (other, 0, VITRINE_ERROR_NOT_FOUND, "other");
  refused (f->folder, VT_BLOCK_OPEN_READ_ONLY, VITRINE_ERROR_INVALID, "folder");
  refused (f->folder, 0, VITRINE_ERROR_INVALID, "folder");
  refused ("/dev/null", VT_BLOCK_OPEN_READ_ONLY, VITRINE_ERROR_INVALID, "neither");
  g_assert_cmpint (mkfifo (other, 0600), ==, 0);
  refused (other, VT_BLOCK_OPEN_READ_ONLY, VITRINE_ERROR_INVALID, "neither");
  g_unlink (other);
  g_assert_true (g_file_set_contents (other, "", 0, NULL));
  refused (other, VT_BLOCK_OPEN_READ_ONLY, VITRINE_ERROR_INVALID, "empty");
  g_unlink (other);
  g_assert_true (g_file_set_contents (other, "QFI\xfb and what follows", 22, NULL));
  refused (other, 0, VITRINE_ERROR_UNSUPPORTED, "QCOW");
  g_assert_true (g_file_set_contents (other, "\xfd" "7zXZ\0 and what follows", 22, NULL));
  refused (other, VT_BLOCK_OPEN_READ_ONLY, VITRINE_ERROR_INVALID, "unpack");
  vt_block_close (vt_block_open_raw (other, 0, NULL)); /* A disk may hold an archive. */
  g_unlink (other);
  if (geteuid () != 0)
    {
      g_assert_cmpint (chmod (f->path, 0), ==, 0);
      refused (f->path, VT_BLOCK_OPEN_READ_ONLY, VITRINE_ERROR_DENIED, "permissions");
      g_assert_cmpint (chmod (f->path, 0400), ==, 0);
      refused (f->path, 0, VITRINE_ERROR_DENIED, "read-only");
    }
}

static void
test_locks (Fixture *f, gconstpointer data)
{
  unsigned flags = GPOINTER_TO_UINT (data);
  VtBlock *a = open_ok (f, flags), *b;

  refused (f->path, flags, VITRINE_ERROR_BUSY, f->path);
  refused (f->path, flags | VT_BLOCK_OPEN_READ_ONLY, VITRINE_ERROR_BUSY, "written");
  vt_block_close (a);
  a = open_ok (f, flags | VT_BLOCK_OPEN_READ_ONLY);
  b = open_ok (f, flags | VT_BLOCK_OPEN_READ_ONLY);
  refused (f->path, flags, VITRINE_ERROR_BUSY, f->path);
  vt_block_close (a);
  refused (f->path, flags, VITRINE_ERROR_BUSY, f->path);
  vt_block_close (b);
  vt_block_close (open_ok (f, flags));
}

/* The system calls of one request, with results that no file system gives on demand. */
static void
test_op (Fixture *f, gconstpointer data)
{
  VtBlock       *block = open_ok (f, VT_BLOCK_OPEN_NO_URING);
  VtRaw         *raw = VT_CONTAINER (block, VtRaw, base);
  VtContext     *manual = vt_context_new_manual ();
  uint8_t        buf[1024];
  struct iovec   iov[2] = { { buf, 600 }, { buf + 600, 424 } };
  Wait           w;
  VtRawCall      call;
  VtRawOp       *op;
  int            error = -1;

  /* A short write in the middle of a piece, an interruption, the rest. */
  wait_init (&w, manual, VT_BLOCK_WRITE, 512, 1024, iov, 2);
  vt_block_account_begin (raw->account, &w.request);
  op = vt_raw_op_new (raw, &w.request);
  vt_raw_op_next (op, &call);
  g_assert_cmpint (call.kind, ==, VT_RAW_WRITEV);
  g_assert_false (vt_raw_op_result (op, 100, &error));
  vt_raw_op_next (op, &call);
  g_assert_cmpuint (call.offset, ==, 612);
  g_assert_cmpuint (call.n_iov, ==, 2);
  g_assert_true (call.iov[0].iov_base == buf + 100);
  g_assert_cmpuint (call.iov[0].iov_len, ==, 500);
  g_assert_false (vt_raw_op_result (op, -EINTR, &error));
  g_assert_false (vt_raw_op_result (op, 500, &error));
  vt_raw_op_next (op, &call);
  g_assert_cmpuint (call.n_iov, ==, 1);
  g_assert_true (call.iov[0].iov_base == buf + 600);
  g_assert_true (vt_raw_op_result (op, -ENOSPC, &error));
  g_assert_cmpint (error, ==, ENOSPC);
  vt_raw_op_post (op, error);
  g_assert_true (vt_context_dispatch (manual));
  g_assert_cmpint (wait_end (&w), ==, ENOSPC);

  /* Zeroes where the file system knows neither way: written, and synced for fua. */
  wait_init (&w, manual, VT_BLOCK_WRITE_ZEROES, 0, 2 << 20, NULL, 0);
  w.request.fua = true;
  vt_block_account_begin (raw->account, &w.request);
  op = vt_raw_op_new (raw, &w.request);
  vt_raw_op_next (op, &call);
  g_assert_cmpint (call.flags, ==, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
  g_assert_false (vt_raw_op_result (op, -EOPNOTSUPP, &error));
  vt_raw_op_next (op, &call);
  g_assert_cmpint (call.flags, ==, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
  g_assert_false (vt_raw_op_result (op, -EOPNOTSUPP, &error));
  for (unsigned i = 0; i < 2; i++)
    {
      vt_raw_op_next (op, &call);
      g_assert_cmpint (call.kind, ==, VT_RAW_WRITEV);
      g_assert_cmpuint (call.offset, ==, i << 20);
      g_assert_cmpuint (call.length, ==, 1 << 20);
      g_assert_false (vt_raw_op_result (op, 1 << 20, &error));
    }
  vt_raw_op_next (op, &call);
  g_assert_cmpint (call.kind, ==, VT_RAW_FDATASYNC);
  g_assert_true (vt_raw_op_result (op, 0, &error));
  vt_raw_op_post (op, error);
  vt_context_dispatch (manual);
  g_assert_cmpint (wait_end (&w), ==, 0);

  /* Interrupted for ever is an error, not a loop. */
  wait_init (&w, manual, VT_BLOCK_READ, 0, 1024, iov, 2);
  vt_block_account_begin (raw->account, &w.request);
  op = vt_raw_op_new (raw, &w.request);
  for (unsigned i = 0; !vt_raw_op_result (op, -EINTR, &error); i++)
    g_assert_cmpuint (i, <, 100000);
  g_assert_cmpint (error, ==, EINTR);
  vt_raw_op_post (op, error);
  vt_context_dispatch (manual);
  g_assert_cmpint (wait_end (&w), ==, EINTR);

  vt_block_close (block);
  vt_context_free (manual);
}

static void
test_memory (void)
{
  VtContext *context = vt_context_new ("test");
  VtBlock   *block = vt_block_new_memory ("hello", 5, false);
  char       buf[512];

  g_assert_cmpuint (block->info.size, ==, 512);
  g_assert_cmpint (transfer (block, context, VT_BLOCK_READ, 0, buf, 512), ==, 0);
  g_assert_cmpstr (buf, ==, "hello");
  strcpy (buf, "world");
  g_assert_cmpint (transfer (block, context, VT_BLOCK_WRITE, 0, buf, 512), ==, 0);
  memset (buf, 0, sizeof buf);
  g_assert_cmpint (transfer (block, context, VT_BLOCK_READ, 0, buf, 512), ==, 0);
  g_assert_cmpstr (buf, ==, "world");
  g_assert_cmpint (run (block, context, VT_BLOCK_FLUSH, 0, 0, NULL, 0, false), ==, 0);
  g_assert_cmpint (run (block, context, VT_BLOCK_DISCARD, 0, 512, NULL, 0, false), ==, 0);
  g_assert_cmpint (transfer (block, context, VT_BLOCK_READ, 0, buf, 512), ==, 0);
  g_assert_cmpstr (buf, ==, "");
  check_refusals (block, context);
  vt_block_close (block);
  vt_block_close (NULL);
  vt_context_free (context);
}

static void
add_for_engines (const char *name, void (*func) (Fixture *, gconstpointer))
{
  static const struct
  {
    const char *name;
    unsigned    flags;
  } engines[] = {
    { "uring", 0 },
    { "threads", VT_BLOCK_OPEN_NO_URING },
    { "uring-direct", VT_BLOCK_OPEN_DIRECT },
    { "threads-direct", VT_BLOCK_OPEN_NO_URING | VT_BLOCK_OPEN_DIRECT },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (engines); i++)
    {
      g_autofree char *path = g_strdup_printf ("/block/%s/%s", engines[i].name, name);

      g_test_add (path, Fixture, GUINT_TO_POINTER (engines[i].flags), setup, func, teardown);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/block/memory", test_memory);
  g_test_add ("/block/engines", Fixture, NULL, setup, test_engines, teardown);
  g_test_add ("/block/open-errors", Fixture, NULL, setup, test_open_errors, teardown);
  g_test_add ("/block/op", Fixture, NULL, setup, test_op, teardown);
  add_for_engines ("read-write", test_read_write);
  add_for_engines ("many-pieces", test_many_pieces);
  add_for_engines ("discard", test_discard);
  add_for_engines ("tail", test_tail);
  add_for_engines ("cut", test_cut);
  add_for_engines ("full", test_full);
  add_for_engines ("refusals", test_refusals);
  add_for_engines ("drain", test_drain);
  add_for_engines ("close-busy", test_close_busy);
  add_for_engines ("locks", test_locks);
  return g_test_run ();
}
