/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The front of every block back end: range checks before a request goes down, and the account of
 * what is in flight, from which a drain knows its end.
 */
#include <errno.h>

#include "block-private.h"

/* The requests between two drains. A drain closes the newest epoch and is told when that one and all
 * before it are empty, so that requests which keep coming don't put it off. */
typedef struct
{
  uint64_t   count;
  VtContext *context; /* NULL: the newest, not closed by a drain yet. */
  VtFunc     drained;
  void      *data;
} Epoch;

struct VtBlockAccount
{
  GMutex lock;
  GQueue epochs; /* Epoch, oldest first; never empty. */
  gint   refs;
};

VtBlockAccount *
vt_block_account_new (void)
{
  VtBlockAccount *account = g_new0 (VtBlockAccount, 1);

  g_mutex_init (&account->lock);
  g_queue_init (&account->epochs);
  g_queue_push_tail (&account->epochs, g_new0 (Epoch, 1));
  account->refs = 1;
  return account;
}

void
vt_block_account_unref (VtBlockAccount *account)
{
  if (!g_atomic_int_dec_and_test (&account->refs))
    return;
  g_queue_clear_full (&account->epochs, g_free);
  g_mutex_clear (&account->lock);
  g_free (account);
}

void
vt_block_account_begin (VtBlockAccount *account, VtBlockRequest *request)
{
  Epoch *epoch;

  g_atomic_int_inc (&account->refs);
  g_mutex_lock (&account->lock);
  epoch = g_queue_peek_tail (&account->epochs);
  epoch->count++;
  g_mutex_unlock (&account->lock);
  request->priv[0] = account;
  request->priv[1] = epoch;
}

/* Tells the drains whose epochs are empty. Lock held. */
static void
settle (VtBlockAccount *account)
{
  Epoch *epoch;

  while ((epoch = g_queue_peek_head (&account->epochs)) != NULL && epoch->context != NULL &&
         epoch->count == 0)
    {
      g_queue_pop_head (&account->epochs);
      vt_context_post (epoch->context, epoch->drained, epoch->data);
      g_free (epoch);
    }
}

void
vt_block_account_end (VtBlockRequest *request, int error)
{
  VtBlockAccount *account = request->priv[0];
  Epoch          *epoch = request->priv[1];

  /* From here on the request is the caller's, who may free it or the block. */
  request->done (request, error);
  if (account == NULL)
    return;
  g_mutex_lock (&account->lock);
  epoch->count--;
  settle (account);
  g_mutex_unlock (&account->lock);
  vt_block_account_unref (account);
}

static void
posted_cb (void *data)
{
  VtBlockRequest *request = data;

  vt_block_account_end (request, GPOINTER_TO_INT (request->priv[2]));
}

void
vt_block_account_post (VtBlockRequest *request, int error)
{
  request->priv[2] = GINT_TO_POINTER (error);
  vt_context_post (request->context, posted_cb, request);
}

void
vt_block_account_drain (VtBlockAccount *account, VtContext *context, VtFunc drained, void *data)
{
  Epoch *epoch;

  g_mutex_lock (&account->lock);
  epoch = g_queue_peek_tail (&account->epochs);
  epoch->context = context;
  epoch->drained = drained;
  epoch->data = data;
  g_queue_push_tail (&account->epochs, g_new0 (Epoch, 1));
  settle (account);
  g_mutex_unlock (&account->lock);
}

/* Whether the pieces of a read or write add up to its length. */
static bool
pieces_fit (const VtBlockRequest *request)
{
  uint64_t sum = 0;

  for (unsigned i = 0; i < request->n_iov; i++)
    if (!vt_add (sum, request->iov[i].iov_len, &sum))
      return false;
  return sum == request->length;
}

static int
check (const VtBlock *block, const VtBlockRequest *request)
{
  uint32_t sector = block->info.sector;

  switch (request->op)
    {
    case VT_BLOCK_FLUSH:
      return 0;
    case VT_BLOCK_READ:
    case VT_BLOCK_WRITE:
      if (!pieces_fit (request))
        return EINVAL;
      break;
    case VT_BLOCK_DISCARD:
    case VT_BLOCK_WRITE_ZEROES:
      break;
    default:
      return EINVAL;
    }
  if (!vt_range_ok (request->offset, request->length, block->info.size) ||
      request->offset % sector != 0 || request->length % sector != 0)
    return EINVAL;
  if (request->op != VT_BLOCK_READ && block->info.read_only)
    return EROFS;
  return 0;
}

void
vt_block_submit (VtBlock *block, VtBlockRequest *request)
{
  int error = check (block, request);

  if (error == 0)
    {
      block->ops->submit (block, request);
      return;
    }
  request->priv[0] = NULL;
  request->priv[1] = NULL;
  vt_block_account_post (request, error);
}

void
vt_block_drain (VtBlock *block, VtContext *context, VtFunc drained, void *data)
{
  while (block->ops->drain == NULL && block->next != NULL)
    block = block->next;
  if (block->ops->drain != NULL)
    block->ops->drain (block, context, drained, data);
  else
    vt_context_post (context, drained, data);
}

void
vt_block_close (VtBlock *block)
{
  if (block != NULL)
    block->ops->close (block);
}
