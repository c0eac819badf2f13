/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Instructions of the stack. The stack pointer moves last.
 */
#include "make.h"

VtGuestMem
vt_make_stack_at (const VtMake *make, unsigned base, int disp)
{
  const bool narrow = vt_mode_is_narrow (make->mode), flat = !narrow || (make->mode & VT_MODE_FLAT);

  return (VtGuestMem){ .base = (uint8_t) base,
                       .index = VT_NONE,
                       .scale = 1,
                       .seg = flat ? VT_NONE : VT_CPU_SS,
                       .narrow = narrow,
                       .word = narrow && !(make->mode & VT_MODE_STACK32),
                       .limited = !flat,
                       .disp = (uint64_t) (int64_t) disp };
}

void
vt_make_move_stack (VtMake *make, unsigned from, int by, unsigned scratch)
{
  const VtHostMem to = { .base = (uint8_t) from, .index = VT_NONE, .disp = by };

  if (!vt_mode_is_narrow (make->mode))
    vt_emit_lea (make->e, true, VT_CPU_RSP, to);
  else if (make->mode & VT_MODE_STACK32)
    vt_emit_lea (make->e, false, VT_CPU_RSP, to);
  else
    {
      vt_emit_lea (make->e, false, scratch, to);
      vt_emit_mov_sized (make->e, 2, VT_CPU_RSP, scratch);
    }
}

void
vt_make_push (VtMake *make, const VtGuestInsn *g)
{
  VtEmit          *e = make->e;
  const VtOperand *o = &g->insn.operand[0];
  const unsigned   size = vt_guest_near_size (g);

  if (o->kind == VT_OPERAND_MEM)
    {
      const VtAccess from = vt_make_access (make, vt_guest_mem (g), size, false, 1);
      vt_emit_load_sized (e, size, from.free[0], from.mem);
      vt_emit_store (e, true, from.free[0], VT_AT (fast.temp));
    }
  const VtAccess to =
      vt_make_access (make, vt_make_stack_at (make, VT_CPU_RSP, -(int) size), size, true, 1);
  uint8_t from = to.free[0];
  if (o->kind == VT_OPERAND_MEM)
    vt_emit_load (e, true, from, VT_AT (fast.temp));
  else if (o->kind == VT_OPERAND_SEG)
    vt_emit_load_sized (e, 2, from,
                        VT_AT_CORE (offsetof (VtCore, seg) + o->reg * sizeof (VtCpuSegment)
                                    + offsetof (VtCpuSegment, selector)));
  else if (o->kind == VT_OPERAND_GPR && vt_is_lent (o->reg))
    vt_emit_load (e, true, from, VT_AT_GPR (o->reg));
  else
    from = o->reg;
  if (o->kind == VT_OPERAND_IMM)
    vt_emit_store_imm_sized (e, size, to.mem, (int32_t) g->insn.imm[0]);
  else
    vt_emit_store_sized (e, size, from, to.mem);
  vt_make_move_stack (make, VT_CPU_RSP, -(int) size, VT_T);
}

void
vt_make_push_return (VtMake *make, const VtGuestInsn *g)
{
  VtEmit        *e = make->e;
  const unsigned size = vt_guest_near_size (g);
  const VtAccess to =
      vt_make_access (make, vt_make_stack_at (make, VT_CPU_RSP, -(int) size), size, true, 1);

  if (size < 8 || (!make->block.moves && (int64_t) g->next == (int32_t) g->next))
    vt_emit_store_imm_sized (e, size, to.mem, (int32_t) g->next);
  else
    {
      vt_make_rip (make, true, to.free[0], g->next);
      vt_emit_store (e, true, to.free[0], to.mem);
    }
  vt_make_move_stack (make, VT_CPU_RSP, -(int) size, VT_T);
}

void
vt_make_pop (VtMake *make, const VtGuestInsn *g)
{
  VtEmit        *e = make->e;
  const uint8_t  to = g->insn.operand[0].reg;
  const unsigned size = vt_guest_near_size (g);
  const VtAccess from = vt_make_access (make, vt_make_stack_at (make, VT_CPU_RSP, 0), size, false, 1);

  if (to == VT_CPU_RSP)
    {
      vt_emit_load_sized (e, size, VT_CPU_RSP, from.mem);
      return;
    }
  if (size == 2 || vt_is_lent (to))
    vt_emit_load_sized (e, size, from.free[0], from.mem);
  else
    vt_emit_load_sized (e, size, to, from.mem);
  if (size == 2)
    vt_emit_mov_sized (e, 2, to, from.free[0]);
  else if (vt_is_lent (to))
    vt_emit_store (e, true, from.free[0], VT_AT_GPR (to));
  vt_make_move_stack (make, VT_CPU_RSP, (int) size, VT_T);
}

void
vt_make_leave (VtMake *make, const VtGuestInsn *g)
{
  const unsigned size = vt_guest_near_size (g);
  const VtAccess from = vt_make_access (make, vt_make_stack_at (make, VT_CPU_RBP, 0), size, false, 1);
  const uint8_t  frame = from.free[0];

  vt_emit_load_sized (make->e, size, frame, from.mem);
  vt_make_move_stack (make, VT_CPU_RBP, (int) size, frame == VT_T ? VT_S : VT_T);
  vt_emit_mov_sized (make->e, size, VT_CPU_RBP, frame);
}
