/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Jumps, calls and returns. Within a page a jump goes straight to its target's block: while the one's code
 * runs, its page is where it was, and so is the other's. Elsewhere it goes by the jump table, which is
 * emptied whenever a page may have gone from where it was. Backward and indirect jumps begin with a safe
 * point, so every loop ends soon when it is asked to.
 */
#include "make.h"

/* A safe point (fast.poll): at the instruction's beginning, before it has changed anything. S is used. */
static void
emit_poll (VtMake *make)
{
  vt_emit_load (make->e, true, VT_S, VT_AT (fast.poll));
  vt_emit_load (make->e, false, VT_S, (VtHostMem){ .base = VT_S, .index = VT_NONE });
}

static bool
is_backward (const VtGuestInsn *g)
{
  return g->target <= g->rip;
}

static unsigned
next_mode (const VtMake *make)
{
  return make->mode & ~VT_MODE_SINGLE;
}

/* T is a RIP, and becomes a target. S is used. */
static void
emit_key (VtMake *make)
{
  if (!vt_mode_is_narrow (make->mode))
    return;
  vt_emit_load (make->e, true, VT_S, VT_AT (fast.code_key));
  vt_emit_lea (make->e, true, VT_T, (VtHostMem){ .base = VT_T, .index = VT_S, .scale = 1 });
}

uint32_t
vt_make_link (VtMake *make, uint64_t target, unsigned mode)
{
  const VtBlockLink link = { .target = target - make->block.page_rip, .block = make->number, .mode = (uint16_t) mode };

  g_array_append_val (make->b->links, link);
  return make->b->links->len - 1;
}

/* Whether a block at @target is valid as long as this one is. */
static bool
leads_to_page (VtMake *make, uint64_t target)
{
  return vt_code_holds (&make->b->code, target) && !vt_guest_crosses (make->b, target);
}

/* The mode's table in the core. */
static uint32_t
ways (VtMake *make)
{
  return vt_jump_ways (vt_jump_table (make->b, next_mode (make)));
}

/* The jump at @where looks into the other way, @other, and goes on at @back, or to it where that's 0. An indirect jump is
 * done @again where its target has been found. */
static void
make_way_stub (VtMake *make, uint32_t where, VtHostMem other, uint32_t again, uint32_t back, uint32_t exit)
{
  if (make->n_stubs < VT_BLOCK_STUBS)
    make->stub[make->n_stubs++] = (VtStub){
      .where = where, .rcx = VT_RCX_IN_G, .exit = exit, .site.base = VT_NONE, .way = other, .back = back, .again = again
    };
}

void
vt_make_way (VtMake *make, const VtStub *stub)
{
  VtEmit   *e = make->e;
  VtHostMem check = stub->way, host = stub->way;

  check.disp += (int32_t) offsetof (VtJump, check);
  host.disp += (int32_t) offsetof (VtJump, host);
  vt_emit_load (e, true, VT_CPU_RCX, check);
  vt_emit_lea (e, true, VT_CPU_RCX, (VtHostMem){ .base = VT_CPU_RCX, .index = VT_T, .scale = 1 });
  const uint32_t neither = vt_emit_unless_zero (e);
  if (stub->back)
    {
      vt_emit_lea (e, true, VT_S, (VtHostMem){ .base = VT_S, .index = VT_NONE, .disp = sizeof (VtJump) });
      vt_emit_aim (e, vt_emit_jmp (e), stub->back);
    }
  else
    {
      vt_emit_mov (e, VT_CPU_RCX, VT_G);
      vt_emit_jump_memory (e, host);
    }
  vt_emit_aim (e, neither, e->at);
  vt_emit_mov (e, VT_CPU_RCX, VT_G);
  if (stub->back)
    {
      vt_emit_lea (e, true, VT_S, (VtHostMem){ .base = VT_RIP, .disp = (int32_t) stub->again });
      vt_emit_store (e, true, VT_S, VT_AT (fast.back));
    }
  vt_emit_mov (e, VT_G, VT_T);
  vt_emit_mov_imm (e, VT_T, stub->exit);
  vt_emit_aim (e, vt_emit_jmp (e), make->b->jump_ask[stub->back != 0]);
}

/* T is a target, whose slot is looked at: as long as it's the same it need not be looked for. */
static void
emit_jump_slot (VtMake *make, uint32_t exit)
{
  VtEmit        *e = make->e;
  const uint32_t at =
      (uint32_t) (VT_CACHE_BYTES + VT_CACHE_DATA + make->b->n_jump_slots++ * sizeof (VtJumpSlot));

  *(VtJumpSlot *) (void *) (make->b->area.execute + at) = (VtJumpSlot){ .exit = exit };
  vt_emit_mov (e, VT_G, VT_CPU_RCX);
  vt_emit_load (e, true, VT_CPU_RCX,
                (VtHostMem){ .base = VT_RIP, .disp = (int32_t) (at + offsetof (VtJumpSlot, jump.check)) });
  vt_emit_lea (e, true, VT_CPU_RCX, (VtHostMem){ .base = VT_CPU_RCX, .index = VT_T, .scale = 1 });
  const uint32_t where = vt_emit_unless_zero (e);
  if (make->n_stubs < VT_BLOCK_STUBS)
    make->stub[make->n_stubs++] = (VtStub){ .where = where, .site.base = VT_NONE, .slot = at };
  vt_emit_mov (e, VT_CPU_RCX, VT_G);
  vt_emit_jump_memory (e, (VtHostMem){ .base = VT_RIP, .disp = (int32_t) (at + offsetof (VtJumpSlot, jump.host)) });
}

void
vt_make_jump_slot (VtMake *make, const VtStub *stub)
{
  vt_emit_lea (make->e, true, VT_S, (VtHostMem){ .base = VT_RIP, .disp = (int32_t) stub->slot });
  vt_emit_aim (make->e, vt_emit_jmp (make->e),
               make->b->jump_fill[vt_jump_table (make->b, next_mode (make))]);
}

void
vt_make_branch (VtMake *make, uint64_t target)
{
  VtEmit        *e = make->e;
  const uint32_t n = vt_make_link (make, target, next_mode (make)), exit = vt_exit (VT_EXIT_LINK, n);

  if (leads_to_page (make, target))
    {
      const uint32_t where = vt_emit_jmp (e);
      vt_block_link (make->b, n)->patch = where;
      vt_make_stub (make, where, VT_RCX_ITSELF, exit);
      return;
    }
  vt_make_rip (make, true, VT_T, target);
  if (make->block.moves)
    {
      emit_jump_slot (make, exit);
      return;
    }
  const uint32_t entry = ways (make) + (uint32_t) (vt_jump_index (target) * sizeof (VtJump) * VT_JUMP_WAYS);
  emit_key (make);
  vt_emit_mov (e, VT_G, VT_CPU_RCX);
  vt_emit_load (e, true, VT_CPU_RCX, VT_AT_CORE (entry + offsetof (VtJump, check)));
  vt_emit_lea (e, true, VT_CPU_RCX,
               (VtHostMem){ .base = VT_CPU_RCX, .index = VT_T, .scale = 1 });
  make_way_stub (make, vt_emit_unless_zero (e), VT_AT_CORE (entry + sizeof (VtJump)), 0, 0, exit);
  vt_emit_mov (e, VT_CPU_RCX, VT_G);
  vt_emit_jump_memory (e, VT_AT_CORE (entry + offsetof (VtJump, host)));
}

void
vt_make_branch_later (VtMake *make, uint32_t where, const VtGuestInsn *g)
{
  if (make->n_stubs < VT_BLOCK_STUBS)
    make->stub[make->n_stubs++] =
        (VtStub){ .where = where, .branch = true, .target = g->target, .site.base = VT_NONE };
}

void
vt_make_jcc (VtMake *make, const VtGuestInsn *g)
{
  if (is_backward (g))
    emit_poll (make);
  const uint32_t where = vt_emit_jcc (make->e, g->insn.op->arg ^ g->inverted);

  if (leads_to_page (make, g->target))
    {
      /* In the page: the conditional jump itself will go there. */
      const uint32_t n = vt_make_link (make, g->target, next_mode (make));
      vt_block_link (make->b, n)->patch = where;
      vt_make_stub (make, where, VT_RCX_ITSELF, vt_exit (VT_EXIT_LINK, n));
    }
  else
    vt_make_branch_later (make, where, g);
}

void
vt_make_count (VtMake *make, const VtGuestInsn *g)
{
  VtEmit *e = make->e;

  if (is_backward (g))
    emit_poll (make);
  if (g->insn.asize == 2)
    {
      vt_narrow_count (make, g);
      return;
    }
  if (g->insn.asize == 4)
    vt_emit8 (e, 0x67);
  vt_emit8 (e, g->zydis.opcode);
  vt_emit8 (e, 2); /* Taken: to the long jump. */
  vt_emit8 (e, 0xeb);
  vt_emit8 (e, 5); /* Else: over it. */
  vt_make_branch_later (make, vt_emit_jmp (e), g);
}

/* T is a target. S: the offset of its entry from the jump table's, past this where it is the right one; else the
 * instruction is the interpreter's, which also sees whether there may be such a target at all. */
static void
emit_indirect (VtMake *make)
{
  VtEmit        *e = make->e;
  const uint32_t exit = vt_exit (VT_EXIT_INSN, make->insn);
  const uint32_t table = ways (make);

  const uint32_t again = e->at;
  vt_emit_mov (e, VT_G, VT_CPU_RCX);
  vt_jump_emit_place (e);
  vt_emit_load (e, true, VT_CPU_RCX, VT_AT_CORE_PLUS (VT_S, table + offsetof (VtJump, check)));
  vt_emit_lea (e, true, VT_CPU_RCX,
               (VtHostMem){ .base = VT_CPU_RCX, .index = VT_T, .scale = 1 });
  const uint32_t where = vt_emit_unless_zero (e);
  make_way_stub (make, where, VT_AT_CORE_PLUS (VT_S, table + sizeof (VtJump)), again, e->at, exit);
  vt_emit_mov (e, VT_CPU_RCX, VT_G);
}

static VtHostMem
jump_host (VtMake *make)
{
  return VT_AT_CORE_PLUS (VT_S, ways (make) + offsetof (VtJump, host));
}

/* T: where an indirect jump or call goes. */
static void
emit_target (VtMake *make, const VtGuestInsn *g)
{
  const VtOperand *o = &g->insn.operand[0];

  if (o->kind == VT_OPERAND_MEM)
    {
      const VtAccess from = vt_make_access (make, vt_guest_mem (g), o->size, false, 1);
      vt_emit_load_sized (make->e, o->size, VT_T, from.mem);
    }
  else if (vt_is_lent (o->reg))
    vt_emit_load (make->e, true, VT_T, VT_AT_GPR (o->reg));
  else if (o->size == 2)
    vt_emit_extend16 (make->e, VT_T, o->reg);
  else
    vt_emit_mov_sized (make->e, o->size, VT_T, o->reg);
  emit_key (make);
}

void
vt_make_jmp (VtMake *make, const VtGuestInsn *g)
{
  if (g->insn.operand[0].kind == VT_OPERAND_IMM)
    {
      if (is_backward (g))
        emit_poll (make);
      vt_make_branch (make, g->target);
      return;
    }
  emit_poll (make);
  emit_target (make, g);
  emit_indirect (make);
  vt_emit_jump_memory (make->e, jump_host (make));
}

void
vt_make_call (VtMake *make, const VtGuestInsn *g)
{
  VtEmit *e = make->e;

  if (g->insn.operand[0].kind == VT_OPERAND_IMM)
    {
      if (is_backward (g))
        emit_poll (make);
      vt_make_push_return (make, g);
      vt_make_branch (make, g->target);
      return;
    }
  emit_poll (make);
  /* The target is looked at first: one that faults leaves the stack alone. */
  emit_target (make, g);
  emit_indirect (make);
  vt_emit_store (e, true, VT_T, VT_AT (fast.to));
  vt_emit_load (e, true, VT_T, jump_host (make));
  vt_emit_store (e, true, VT_T, VT_AT (fast.temp));
  vt_make_push_return (make, g);
  vt_emit_load (e, true, VT_T, VT_AT (fast.to));
  vt_emit_jump_memory (e, VT_AT (fast.temp));
}

void
vt_make_ret (VtMake *make, const VtGuestInsn *g)
{
  const unsigned release = g->insn.n ? g->insn.imm[0] & 0xffff : 0;
  const unsigned size = vt_guest_near_size (g);

  emit_poll (make);
  const VtAccess from = vt_make_access (make, vt_make_stack_at (make, VT_CPU_RSP, 0), size, false, 1);

  vt_emit_load_sized (make->e, size, VT_T, from.mem);
  emit_key (make);
  emit_indirect (make);
  vt_make_move_stack (make, VT_CPU_RSP, (int) (size + release), VT_T);
  vt_emit_jump_memory (make->e, jump_host (make));
}
