/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From guest code to a block: decoding up to where control leaves for good, then one instruction after
 * another, then what is out of the way.
 */
#include "make.h"

#define SINGLE_INSNS 16u
/* Turns of a loop in a block, and how many instructions they may come to. */
#define MOST_TURNS 4u
#define UNROLLED 32u

void
vt_make_stub (VtMake *make, uint32_t where, VtRcx rcx, uint32_t exit)
{
  if (make->n_stubs < VT_BLOCK_STUBS)
    make->stub[make->n_stubs++] =
        (VtStub){ .where = where, .rcx = (uint8_t) rcx, .exit = exit, .site.base = VT_NONE };
}

void
vt_make_rip (VtMake *make, bool wide, unsigned to, uint64_t rip)
{
  if (!make->block.moves)
    {
      vt_emit_mov_imm (make->e, to, wide ? rip : (uint32_t) rip);
      return;
    }
  vt_emit_load (make->e, true, to, VT_AT (fast.page_rip));
  vt_emit_lea (make->e, wide, to,
               (VtHostMem){ .base = (uint8_t) to, .index = VT_NONE, .disp = (int32_t) (rip - make->block.page_rip) });
}

static void
emit_leave (VtMake *make, uint32_t exit)
{
  vt_emit_store_imm (make->e, false, VT_AT (fast.exit), (int32_t) exit);
  vt_emit_jump_memory (make->e, VT_AT (fast.leave));
}

static void
emit_stub (VtMake *make, const VtStub *stub)
{
  vt_emit_aim (make->e, stub->where, make->e->at);
  if (stub->site.base != VT_NONE)
    {
      vt_site_stub (make, stub);
      if (stub->link == 0)
        return;
      stub->cold->miss = (uint64_t) (uintptr_t) (make->b->area.execute + make->e->at);
    }
  if (stub->slot)
    {
      vt_make_jump_slot (make, stub);
      return;
    }
  if (stub->way.gs)
    {
      vt_make_way (make, stub);
      return;
    }
  if (stub->rcx == VT_RCX_IN_MEMORY)
    vt_emit_load (make->e, true, VT_CPU_RCX, VT_AT (fast.rcx));
  else if (stub->rcx != VT_RCX_ITSELF)
    vt_emit_mov (make->e, VT_CPU_RCX, stub->rcx == VT_RCX_IN_G ? VT_G : VT_T);
  if (stub->branch)
    {
      vt_make_branch (make, stub->target);
      return;
    }
  if (stub->link)
    {
      const uint32_t where = vt_emit_jmp (make->e);
      vt_emit_aim (make->e, where, make->e->at);
      vt_block_link (make->b, stub->link - 1)->patch = where;
    }
  emit_leave (make, stub->exit);
}

/* Whether the block's instructions use the units, which must be loaded then. */
static void
emit_units (VtMake *make)
{
  vt_emit_mov (make->e, VT_T, VT_CPU_RCX);
  vt_emit_load (make->e, false, VT_CPU_RCX, VT_AT (fast.absent));
  vt_make_stub (make, vt_emit_unless_zero (make->e), VT_RCX_IN_T,
                vt_exit (VT_EXIT_UNITS, make->number));
  vt_emit_mov (make->e, VT_CPU_RCX, VT_T);
}

/* @g: NULL behind the last. */
static void
add_insn (VtMake *make, uint64_t rip, const VtGuestInsn *g)
{
  VtBlockInsn insn = {
    .host = make->e->at,
    .block = make->number,
    /* The end of a block may be the page's. */
    .offset = (uint16_t) (rip - make->block.page_rip),
    .inside = g != NULL && g->group >= VT_GROUP_MEMBER,
  };

  if (g != NULL && vt_guest_interpreted (g))
    {
      insn.leaves = g->kind == VT_KIND_INTERPRET || g->kind == VT_KIND_LAST;
      g_array_append_val (make->b->decoded, g->insn);
      insn.decoded = make->b->decoded->len;
    }

  make->insn = make->b->insns->len;
  g_array_append_val (make->b->insns, insn);
}

/* Returns: whether control may reach what follows. */
static bool
emit_insn (VtMake *make, const VtGuestInsn *g, const VtGuestInsn *next)
{
  switch (g->kind)
    {
    case VT_KIND_PLAIN:
      vt_make_plain (make, g);
      return true;
    case VT_KIND_NOTHING:
      return true;
    case VT_KIND_LEA:
      vt_make_lea (make, g);
      return true;
    case VT_KIND_PUSH:
      vt_make_push (make, g);
      return true;
    case VT_KIND_POP:
      vt_make_pop (make, g);
      return true;
    case VT_KIND_LEAVE:
      vt_make_leave (make, g);
      return true;
    case VT_KIND_STRING:
      vt_make_string (make, g);
      return true;
    case VT_KIND_JCC:
      vt_make_jcc (make, g);
      return true;
    case VT_KIND_COUNT:
      vt_make_count (make, g);
      return true;
    case VT_KIND_JMP:
      vt_make_jmp (make, g);
      return false;
    case VT_KIND_CALL:
      vt_make_call (make, g);
      return false;
    case VT_KIND_RET:
      vt_make_ret (make, g);
      return false;
    case VT_KIND_SYSTEM:
      if (!vt_make_system (make, g, next))
        emit_leave (make, vt_exit (VT_EXIT_INSN, make->insn));
      return true;
    case VT_KIND_AC:
      if (!vt_make_ac (make, g))
        emit_leave (make, vt_exit (VT_EXIT_INSN, make->insn));
      return false;
    case VT_KIND_QUICK:
      vt_make_quick (make, g);
      return true;
    case VT_KIND_AWAY:
      vt_make_quick (make, g);
      return false;
    case VT_KIND_LAST:
      emit_leave (make, vt_exit (VT_EXIT_INSN, make->insn));
      return false;
    default:
      emit_leave (make, vt_exit (VT_EXIT_INSN, make->insn));
      return true;
    }
}

/* The first @n instructions are a loop. There are several turns of a short one: they share the checks of groups, and the
 * last alone has a safe point. Not of one with long steps, since each turn's accesses have slots of their own, which
 * would be filled the oftener. Returns: how many instructions that makes. */
static unsigned
unroll (VtBlocks *b, unsigned n)
{
  const bool     once = (b->code.mode & VT_MODE_SINGLE) || b->core->strict || vt_group_strides (b, n);
  const unsigned turns = once ? 1 : CLAMP (UNROLLED / n, 1, MOST_TURNS);

  for (unsigned i = n; i < turns * n; i++)
    b->guest[i] = b->guest[i - n];
  for (unsigned turn = 1; turn < turns; turn++)
    {
      VtGuestInsn *jump = &b->guest[turn * n - 1];
      jump->inverted = true;
      jump->target = jump->next;
    }
  return turns * n;
}

/* Returns: how many instructions the block gets. */
static unsigned
decode (VtBlocks *b, bool *units)
{
  const unsigned most = b->code.mode & VT_MODE_SINGLE ? SINGLE_INSNS : VT_BLOCK_INSNS;
  uint64_t       rip = b->code.rip;
  unsigned       n = 0;

  *units = false;
  while (n < most && vt_code_holds (&b->code, rip) && vt_guest_decode (b, rip, &b->guest[n]))
    {
      const VtGuestInsn *g = &b->guest[n++];
      if (g->kind == VT_KIND_PLAIN && g->use.needs != VT_NEEDS_NOTHING)
        *units = true;
      rip = g->next;
      if (vt_guest_ends (g))
        break;
      if (g->kind == VT_KIND_JCC && g->target == b->code.rip)
        n = unroll (b, n);
    }
  return n;
}

/* Accesses of 16-bit code, and of such with segments, are checked each by itself. */
static bool
may_group (const VtBlocks *b)
{
  const unsigned flat = VT_MODE_FLAT | VT_MODE_STACK32, mode = b->code.mode;

  return !(mode & VT_MODE_SINGLE) && !b->core->strict
         && (!vt_mode_is_narrow (mode) || (mode & flat) == flat);
}

VtBlock *
vt_block_make (VtBlocks *b, const VtCode *from, VtGpa gpa, VtGpa tail_gpa)
{
  const uint64_t rip = from->rip;
  const unsigned mode = from->mode;
  VtStub         stub[VT_BLOCK_STUBS];
  VtMake         make = { .b = b, .e = &b->emit, .mode = (uint16_t) mode, .stub = stub };
  VtBarren      *barren = &b->barren[(rip ^ rip >> 10) % VT_BARREN];
  bool           units, on = true;

  if (barren->rip == rip && barren->page == from->page && barren->page_rip == from->page_rip
      && barren->mode == mode)
    return NULL;
  if (b->emit.at + VT_BLOCK_BYTES > b->emit.end || vt_jump_table (b, mode & ~VT_MODE_SINGLE) >= VT_JUMP_MODES
      || b->insns->len > VT_BLOCKS_INSNS || b->links->len > VT_BLOCKS_INSNS
      || b->n_sites + 2 * VT_BLOCK_INSNS > VT_SITES || b->n_jump_slots + VT_BLOCK_INSNS > VT_JUMP_SLOTS)
    vt_blocks_flush (b);
  VtCodePage *code = vt_blocks_page (b, gpa, from->page), *tail = NULL;
  if (code == NULL || !code->settled)
    return NULL;
  b->code = *from;
  vt_revive_look (b, from->page);
  if (vt_guest_crosses (b, rip))
    {
      tail = from->tail ? vt_blocks_page (b, tail_gpa, from->tail) : NULL;
      if (tail == NULL || !tail->settled)
        return NULL;
    }
  else
    b->code.tail = NULL;
  VtBlock *old = tail ? NULL : vt_revive (b, from, code);
  if (old)
    return old;
  const unsigned n = decode (b, &units);
  if (n == 0)
    {
      *barren = (VtBarren){ .rip = rip, .page_rip = from->page_rip, .page = from->page, .mode = mode };
      return NULL;
    }

  vt_flags_plan (b, n);
  vt_group_plan (b, may_group (b) ? n : 0);
  make.number = b->blocks->len;
  vt_emit32 (&b->emit, make.number);
  make.block = (VtBlock){
    .page_rip = from->page_rip,
    .offset = (uint16_t) (rip - from->page_rip),
    .moves = vt_code_moves (from),
    .page = from->page,
    .tail = b->code.tail,
    .host = b->emit.at,
    .first = b->insns->len,
    .first_link = b->links->len,
    .n = n,
    .mode = (uint16_t) mode,
    .units = units,
  };
  if (make.block.moves)
    {
      vt_emit_lea (make.e, true, VT_T,
                   (VtHostMem){ .base = VT_T, .index = VT_NONE, .disp = -(int32_t) make.block.offset });
      vt_emit_store (make.e, true, VT_T, VT_AT (fast.page_rip));
    }
  make.block.near = b->emit.at;
  if (units)
    emit_units (&make);
  make.block.inner = b->emit.at;
  for (unsigned i = 0; i < n && on; i++)
    {
      add_insn (&make, b->guest[i].rip, &b->guest[i]);
      make.live = b->guest[i].flags_live || b->core->strict;
      make.group = b->guest[i].group;
      make.group_at = b->guest[i].group_at;
      if (make.group == VT_GROUP_LEADER)
        vt_make_leader (&make, &b->guest[i]);
      on = emit_insn (&make, &b->guest[i], i + 1 < n ? &b->guest[i + 1] : NULL);
      vt_make_unshadow (&make);
    }
  add_insn (&make, b->guest[n - 1].next, NULL);
  if (!on)
    vt_block_insn (b, make.insn)->offset = VT_NOT_REACHED;
  else
    vt_make_branch (&make, b->guest[n - 1].next);
  for (unsigned i = 0; i < make.n_stubs; i++)
    emit_stub (&make, &make.stub[i]);
  make.block.dead_host = b->emit.at;
  emit_leave (&make, vt_exit (VT_EXIT_DEAD, make.number));
  vt_revive_note (b, &make.block);
  vt_blocks_add (b, &make.block, code, tail);
  b->counts.blocks++;
  b->counts.instructions += n;
  return vt_block (b, make.number);
}
