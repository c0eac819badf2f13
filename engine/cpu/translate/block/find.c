/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where code is: from RIP to what has been translated of it. Also for jumps of translated code, whose table doesn't know
 * their target, without leaving it: so this is compiled like quick.c.
 */
#include "quick.h"

/* @now: it is about to be executed. */
static const VtTlbEntry *
fetch_entry (VtCore *core, unsigned mode, uint64_t page, bool now)
{
  const VtAccessSet set = (mode & VT_MODE_SET) == VT_SET_USER ? VT_SET_USER : VT_SET_KERNEL;
  const VtTlbEntry *entry =
      &vt_mmu_table (&core->mmu, set, VT_ACCESS_FETCH)->entry[page / VT_PAGE % VT_TLB_ENTRIES];

  return entry->tag == page || (now && vt_mmu_bring (core, page, VT_ACCESS_FETCH, set)) ? entry : NULL;
}

static uint64_t
next_page (unsigned mode, uint64_t page)
{
  return vt_mode_is_narrow (mode) ? (uint32_t) (page + VT_PAGE) : page + VT_PAGE;
}

bool
vt_find_spot (VtCore *core, unsigned mode, uint64_t rip, VtSpot *out)
{
  const uint64_t linear =
      vt_mode_is_narrow (mode) ? (uint32_t) (core->seg[VT_CPU_CS].base + rip) : rip;
  const uint64_t    page = linear & ~VT_PAGE_OFFSET;
  const VtTlbEntry *entry = fetch_entry (core, mode, page, true);

  if (entry == NULL)
    return false;
  *out = (VtSpot){ .code = { .rip = rip,
                              .page_rip = rip - (linear & VT_PAGE_OFFSET),
                              .page = (uint8_t *) (uintptr_t) (page + entry->addend),
                              .mode = mode },
                    .linear = linear,
                    .gpa = entry->info & ~VT_PAGE_OFFSET,
                    .global = (entry->info & VT_TLB_GLOBAL) != 0 };
  if ((linear & VT_PAGE_OFFSET) > VT_PAGE - ZYDIS_MAX_INSTRUCTION_LENGTH)
    {
      const uint64_t    next = next_page (mode, page);
      const VtTlbEntry *tail = fetch_entry (core, mode, next, false);
      if (tail)
        {
          out->code.tail = (uint8_t *) (uintptr_t) (next + tail->addend);
          out->tail_gpa = tail->info & ~VT_PAGE_OFFSET;
          out->tail_global = (tail->info & VT_TLB_GLOBAL) != 0;
        }
    }
  return true;
}

VtBlock *
vt_find_block (VtBlocks *b, const VtCode *code)
{
  const unsigned  offset = (unsigned) (code->rip - code->page_rip);
  const bool      moves = vt_code_moves (code);
  const uint32_t *first =
      vt_blocks_bucket (b, code->page, offset, code->mode, moves ? 0 : code->page_rip);

  for (uint32_t n = *first; n != VT_NO_BLOCK; n = vt_block (b, n)->next_hash)
    {
      VtBlock *block = vt_block (b, n);
      if (vt_block_is_of (block, code))
        return block;
    }
  return NULL;
}

void
vt_find_note (VtCore *core, const VtBlock *block, const VtSpot *spot)
{
  const uint64_t key = vt_mode_is_narrow (spot->code.mode) ? core->seg[VT_CPU_CS].base << 32 : 0;
  bool           global = spot->global;

  if (block->mode & VT_MODE_SINGLE)
    return;
  if (block->tail)
    {
      vt_mmu_note_fetch (&core->mmu, next_page (block->mode, spot->linear & ~VT_PAGE_OFFSET));
      global &= spot->tail_global;
    }
  vt_jump_fill (core->blocks, block, spot->code.rip + key, spot->linear, global);
}

const VtBlock *
vt_find_translated (VtCore *core, unsigned mode, uint64_t rip)
{
  VtBlocks      *b = core->blocks;
  const VtBlock *block;
  VtSpot         spot;

  if (!vt_jump_current (b) || !vt_find_spot (core, mode, rip, &spot))
    return NULL;
  block = vt_find_block (b, &spot.code);
  if (block)
    vt_find_note (core, block, &spot);
  return block;
}

/* RIP in what jump tables are asked for. */
static uint64_t
rip_of (unsigned mode, uint64_t target)
{
  return vt_mode_is_narrow (mode) ? (uint32_t) target : target;
}

uint64_t
vt_quick_branch (VtCore *core, uint32_t exit, uint64_t target)
{
  const VtBlocks *b = core->blocks;
  const unsigned  mode = vt_block_link (b, exit & ((1u << VT_EXIT_SHIFT) - 1))->mode;

  if (__atomic_load_n (&core->fast.poll, __ATOMIC_RELAXED) == NULL)
    return 0;
  const VtBlock *block = vt_find_translated (core, mode, rip_of (mode, target));
  core->fast.to = target;
  return block ? (uint64_t) (uintptr_t) (b->area.execute + block->host) : 0;
}

uint64_t
vt_quick_indirect (VtCore *core, uint32_t exit, uint64_t target)
{
  const VtBlocks *b = core->blocks;
  const unsigned  mode = vt_block (b, vt_quick_insn (core, exit)->block)->mode & ~VT_MODE_SINGLE;

  if (__atomic_load_n (&core->fast.poll, __ATOMIC_RELAXED) == NULL)
    return 0;
  core->fast.to = target;
  return vt_find_translated (core, mode, rip_of (mode, target)) ? core->fast.back : 0;
}
