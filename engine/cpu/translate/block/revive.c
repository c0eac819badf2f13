/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Blocks whose page has been written, but not what they were made of: firmware and boot loaders have variables in the
 * pages of their code. They are kept, dead, with the bytes that were looked at to make them; where these are found
 * again, they live on.
 */
#include "blocks.h"

static uint32_t *
bucket (VtBlocks *b, const uint8_t *page, unsigned offset, unsigned mode, uint64_t page_rip)
{
  return &b->dead[(vt_blocks_bucket (b, page, offset, mode, page_rip) - b->bucket) % VT_DEAD_BUCKETS];
}

void
vt_revive_begin (VtBlocks *b)
{
  memset (b->dead, 0xff, sizeof b->dead);
  g_byte_array_set_size (b->sources, 0);
}

void
vt_revive_look (VtBlocks *b, const uint8_t *page)
{
  memcpy (b->bytes, page, VT_PAGE);
  b->seen_first = VT_PAGE;
  b->seen_end = 0;
}

void
vt_revive_note (VtBlocks *b, VtBlock *block)
{
  const unsigned n = b->seen_end - b->seen_first;

  block->n_links = b->links->len - block->first_link;
  for (uint32_t i = block->first_link; i < b->links->len; i++)
    if (vt_block_link (b, i)->patch)
      vt_block_link (b, i)->unaimed = vt_ld32 (b->area.write + vt_block_link (b, i)->patch);
  if (block->tail || n > VT_MOST_SEEN || b->sources->len + n > VT_MOST_SOURCES)
    return;
  block->seen = b->sources->len;
  block->seen_at = b->seen_first;
  block->n_seen = (uint16_t) n;
  g_byte_array_append (b->sources, b->bytes + b->seen_first, n);
}

void
vt_revive_keep (VtBlocks *b, uint32_t n)
{
  VtBlock  *block = vt_block (b, n);
  uint32_t *head = bucket (b, block->page, block->offset, block->mode, block->moves ? 0 : block->page_rip);

  if (block->n_seen == 0)
    return;
  memcpy (block->entry, b->area.write + block->near, sizeof block->entry);
  block->next_hash = *head;
  *head = n;
}

VtBlock *
vt_revive (VtBlocks *b, const VtCode *code, VtCodePage *page)
{
  const unsigned offset = (unsigned) (code->rip - code->page_rip);
  uint32_t      *at = bucket (b, code->page, offset, code->mode, vt_code_moves (code) ? 0 : code->page_rip);

  while (*at != VT_NO_BLOCK && !vt_block_is_of (vt_block (b, *at), code))
    at = &vt_block (b, *at)->next_hash;
  const uint32_t n = *at;
  if (n == VT_NO_BLOCK)
    return NULL;
  /* If it doesn't live on, there will be another. */
  VtBlock *block = vt_block (b, n);
  *at = block->next_hash;
  if (memcmp (b->bytes + block->seen_at, b->sources->data + block->seen, block->n_seen) != 0)
    return NULL;
  memcpy (b->area.write + block->near, block->entry, sizeof block->entry);
  /* What it led to may not live. */
  for (uint32_t i = block->first_link; i < block->first_link + block->n_links; i++)
    if (vt_block_link (b, i)->patch)
      vt_st32 (b->area.write + vt_block_link (b, i)->patch, vt_block_link (b, i)->unaimed);
  block->dead = false;
  vt_blocks_enlist (b, n, page);
  b->counts.revived++;
  return block;
}
