/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An image in memory, for tests: the work is done inside submit, the answer comes by a post.
 */
#include <errno.h>

#include "block-private.h"

typedef struct
{
  VtBlock         base;
  VtBlockAccount *account;
  GMutex          lock; /* Requests come from any thread. A leaf. */
  uint8_t        *data;
} VtMemoryBlock;

static void
memory_submit (VtBlock *block, VtBlockRequest *request)
{
  VtMemoryBlock *memory = VT_CONTAINER (block, VtMemoryBlock, base);
  uint8_t       *at = memory->data + request->offset;

  vt_block_account_begin (memory->account, request);
  g_mutex_lock (&memory->lock);
  switch (request->op)
    {
    case VT_BLOCK_READ:
      for (unsigned i = 0; i < request->n_iov; i++)
        {
          memcpy (request->iov[i].iov_base, at, request->iov[i].iov_len);
          at += request->iov[i].iov_len;
        }
      break;
    case VT_BLOCK_WRITE:
      for (unsigned i = 0; i < request->n_iov; i++)
        {
          memcpy (at, request->iov[i].iov_base, request->iov[i].iov_len);
          at += request->iov[i].iov_len;
        }
      break;
    case VT_BLOCK_DISCARD:
    case VT_BLOCK_WRITE_ZEROES:
      memset (at, 0, request->length);
      break;
    case VT_BLOCK_FLUSH:
      break;
    }
  g_mutex_unlock (&memory->lock);
  vt_block_account_post (request, 0);
}

static void
memory_drain (VtBlock *block, VtContext *context, VtFunc drained, void *data)
{
  vt_block_account_drain (VT_CONTAINER (block, VtMemoryBlock, base)->account, context, drained,
                          data);
}

static void
memory_close (VtBlock *block)
{
  VtMemoryBlock *memory = VT_CONTAINER (block, VtMemoryBlock, base);

  vt_block_account_unref (memory->account);
  g_mutex_clear (&memory->lock);
  g_free (memory->data);
  g_free (block->info.name);
  g_free (memory);
}

static const VtBlockOps memory_ops = {
  .submit = memory_submit,
  .drain = memory_drain,
  .close = memory_close,
};

VtBlock *
vt_block_new_memory (const void *data, size_t len, bool read_only)
{
  VtMemoryBlock *memory = g_new0 (VtMemoryBlock, 1);
  size_t         size = vt_align_up (len, 512);

  memory->base.ops = &memory_ops;
  memory->base.info.size = size;
  memory->base.info.sector = 512;
  memory->base.info.physical = 512;
  memory->base.info.read_only = read_only;
  memory->base.info.can_discard = !read_only;
  memory->base.info.name = g_strdup ("memory");
  memory->account = vt_block_account_new ();
  g_mutex_init (&memory->lock);
  memory->data = g_malloc0 (size);
  if (len > 0 && data != NULL)
    memcpy (memory->data, data, len);
  return &memory->base;
}
