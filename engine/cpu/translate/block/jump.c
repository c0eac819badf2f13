/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The jump tables: from a target to its block, while the page that it's in is where it was. One for
 * each mode, so that the mode need not be compared: and so the kernel's, whose pages are global, outlasts a
 * change of the address space.
 */
#include "blocks.h"

/* An empty entry has the check of a target that would be in another: 0, or in 0's 1. */
static void
empty (VtJump way[VT_JUMP_WAYS], unsigned n)
{
  way[0].check = way[1].check = -(uint64_t) (n == 0);
}

static void
clear_table (VtBlocks *b, unsigned table)
{
  VtJump (*const jump)[VT_JUMP_WAYS] = b->core->jump[table];

  if (b->n_jumps_filled[table] > VT_JUMPS_FILLED)
    for (unsigned n = 0; n < VT_JUMPS; n++)
      empty (jump[n], n);
  else
    for (unsigned i = 0; i < b->n_jumps_filled[table]; i++)
      empty (jump[b->jumps_filled[table][i]], b->jumps_filled[table][i]);
  b->n_jumps_filled[table] = 0;
  b->jump_local[table] = false;
}

unsigned
vt_jump_table (VtBlocks *b, unsigned mode)
{
  const unsigned n = b->n_jump_modes;

  for (unsigned i = 0; i < n; i++)
    if (b->jump_mode[i] == mode)
      return i;
  if (n == VT_JUMP_MODES)
    return n;
  b->jump_mode[n] = (uint16_t) mode;
  b->n_jump_modes++;
  b->n_jumps_filled[n] = VT_JUMPS_FILLED + 1; /* Nobody knows what is in there. */
  clear_table (b, n);
  return n;
}

void
vt_jump_update (VtBlocks *b)
{
  const VtMmu *mmu = &b->core->mmu;
  const bool   all = b->jump_epoch != mmu->fetch_epoch, local = b->jump_local_epoch != mmu->local_epoch;

  if (G_LIKELY (!all && !local))
    return;
  for (unsigned i = 0; i < b->n_jump_modes; i++)
    if (all || b->jump_local[i])
      clear_table (b, i);
  b->jump_epoch = mmu->fetch_epoch;
  b->jump_local_epoch = mmu->local_epoch;
}

void
vt_jump_fill (VtBlocks *b, const VtBlock *block, uint64_t target, uint64_t linear, bool global)
{
  const unsigned table = vt_jump_table (b, block->mode), n = vt_jump_index (target);
  unsigned      *filled = &b->n_jumps_filled[table];
  VtJump *const  way = b->core->jump[table][n];

  if (*filled < VT_JUMPS_FILLED)
    b->jumps_filled[table][*filled] = (uint16_t) n;
  if (*filled <= VT_JUMPS_FILLED)
    ++*filled;
  b->jump_local[table] |= !global;
  vt_mmu_note_fetch (&b->core->mmu, linear);
  /* What was asked for last stays the other. */
  if (way[0].check != -target)
    way[1] = way[0];
  way[0] = (VtJump){
    .check = -target,
    .host = (uint64_t) (uintptr_t) (b->area.execute + block->host),
  };
}

const VtBlock *
vt_jump_find (VtBlocks *b, unsigned mode, uint64_t target)
{
  const unsigned n = vt_jump_index (target);
  uint32_t       number;

  vt_jump_update (b);
  for (unsigned table = 0; table < b->n_jump_modes; table++)
    if (b->jump_mode[table] == mode)
      {
        const VtJump *jump = b->core->jump[table][n];
        if (jump->check != -target && (++jump)->check != -target)
          return NULL;
        memcpy (&number, (const uint8_t *) (uintptr_t) jump->host - VT_BLOCK_NUMBER, sizeof number);
        return vt_block (b, number)->dead ? NULL : vt_block (b, number);
      }
  return NULL;
}
