/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The jump tables: from a target to its block, while the page that it's in is where it was. One for
 * each mode, so that the mode need not be compared: and so the kernel's, whose pages are global, outlasts a
 * change of the address space.
 */
#include "quick.h"

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

static void
forget_slots (VtBlocks *b)
{
  VtFast *fast = &b->core->fast;

  for (VtJumpSlot *slot = fast->jump_slots, *next; slot != VT_JUMP_SLOTS_END; slot = next)
    {
      next = slot->next;
      slot->next = NULL;
      slot->jump.check = 0;
    }
  fast->jump_slots = VT_JUMP_SLOTS_END;
}

uint32_t
vt_jump_ways (unsigned table)
{
  return (uint32_t) (offsetof (VtCore, jump) + table * sizeof (VtJump) * VT_JUMPS * VT_JUMP_WAYS);
}

void
vt_jump_emit_place (VtEmit *e)
{
  vt_emit_rorx (e, VT_S, VT_T, VT_JUMP_PAGE);
  vt_emit_lea (e, true, VT_S, (VtHostMem){ .base = VT_S, .index = VT_T, .scale = 1 });
  vt_emit_pdep (e, VT_S, VT_S, VT_AT (fast.jump_mask));
}

/* S points to a slot. */
#define AT_SLOT(field) \
  ((VtHostMem){ .base = VT_S, .index = VT_NONE, .disp = (int32_t) offsetof (VtJumpSlot, field) })

/* T: how to leave where it doesn't know; G: its operand. */
static void
emit_ask (VtEmit *e, VtQuick quick)
{
  vt_emit_mov_imm (e, VT_S, (uint64_t) (uintptr_t) quick);
  vt_emit_jump_memory (e, VT_AT (fast.quick));
}

/* T is a target, and S a slot that hasn't got it; RCX is in G. It's filled from the table, or who knows more is asked. */
static void
emit_fill (VtEmit *e, unsigned table)
{
  const uint32_t ways = vt_jump_ways (table);
  uint32_t       found[VT_JUMP_WAYS];

  vt_emit_store (e, true, VT_S, VT_AT (fast.scratch[0]));
  vt_jump_emit_place (e);
  for (unsigned way = 0; way < VT_JUMP_WAYS; way++)
    {
      vt_emit_load (e, true, VT_CPU_RCX, VT_AT_CORE_PLUS (VT_S, ways + offsetof (VtJump, check)));
      vt_emit_lea (e, true, VT_CPU_RCX, (VtHostMem){ .base = VT_CPU_RCX, .index = VT_T, .scale = 1 });
      const uint32_t other = vt_emit_unless_zero (e);
      found[way] = vt_emit_jmp (e);
      vt_emit_aim (e, other, e->at);
      vt_emit_lea (e, true, VT_S, (VtHostMem){ .base = VT_S, .index = VT_NONE, .disp = sizeof (VtJump) });
    }
  vt_emit_load (e, true, VT_S, VT_AT (fast.scratch[0]));
  vt_emit_mov (e, VT_CPU_RCX, VT_G);
  vt_emit_mov (e, VT_G, VT_T);
  vt_emit_load (e, false, VT_T, AT_SLOT (exit));
  emit_ask (e, vt_quick_branch);

  for (unsigned way = 0; way < VT_JUMP_WAYS; way++)
    vt_emit_aim (e, found[way], e->at);
  vt_emit_load (e, true, VT_CPU_RCX, VT_AT_CORE_PLUS (VT_S, ways + offsetof (VtJump, host)));
  vt_emit_load (e, true, VT_S, VT_AT (fast.scratch[0]));
  vt_emit_store (e, true, VT_CPU_RCX, AT_SLOT (jump.host));
  vt_emit_mov (e, VT_CPU_RCX, VT_T);
  vt_emit_not (e, VT_CPU_RCX);
  vt_emit_lea (e, true, VT_CPU_RCX, (VtHostMem){ .base = VT_CPU_RCX, .index = VT_NONE, .disp = 1 });
  vt_emit_store (e, true, VT_CPU_RCX, AT_SLOT (jump.check));
  vt_emit_load (e, true, VT_CPU_RCX, AT_SLOT (next));
  const uint32_t listed = vt_emit_unless_zero (e);
  vt_emit_load (e, true, VT_CPU_RCX, VT_AT (fast.jump_slots));
  vt_emit_store (e, true, VT_CPU_RCX, AT_SLOT (next));
  vt_emit_store (e, true, VT_S, VT_AT (fast.jump_slots));
  vt_emit_aim (e, listed, e->at);
  vt_emit_mov (e, VT_CPU_RCX, VT_G);
  vt_emit_jump_memory (e, AT_SLOT (jump.host));
}

void
vt_jump_slots_begin (VtBlocks *b)
{
  b->core->fast.jump_slots = VT_JUMP_SLOTS_END;
  b->n_jump_slots = 0;
  for (unsigned indirect = 0; indirect < 2; indirect++)
    {
      b->jump_ask[indirect] = b->emit.at;
      emit_ask (&b->emit, indirect ? vt_quick_indirect : vt_quick_branch);
    }
  for (unsigned table = 0; table < VT_JUMP_MODES; table++)
    {
      b->jump_fill[table] = b->emit.at;
      emit_fill (&b->emit, table);
    }
}

bool
vt_jump_current (const VtBlocks *b)
{
  return b->jump_epoch == b->core->mmu.fetch_epoch && b->jump_local_epoch == b->core->mmu.local_epoch;
}

void
vt_jump_update (VtBlocks *b)
{
  const VtMmu *mmu = &b->core->mmu;
  const bool   all = b->jump_epoch != mmu->fetch_epoch;

  if (G_LIKELY (vt_jump_current (b)))
    return;
  for (unsigned i = 0; i < b->n_jump_modes; i++)
    if (all || b->jump_local[i])
      clear_table (b, i);
  forget_slots (b);
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
