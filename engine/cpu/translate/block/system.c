/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * System instructions that a kernel does at every entry and around every critical section: SWAPGS, CLI, STI, STAC,
 * CLAC, PUSHF; in other modes than 64-bit mode CLI, STI and PUSHF. At privilege 0 they are a few moves in the core; whatever else there
 * may be to them is left to the interpreter. No status flag changes.
 */
#include "../interpret/ops.h"
#include "make.h"
#include "quick.h"

/* Not in 64-bit mode. */
static VtKind
narrow_kind (const VtGuestInsn *g, unsigned mode, bool user)
{
  void (*const run) (VtCore *, const VtInsn *) = g->insn.op->run;

  if (run == vt_op_string && (mode & VT_MODE_FLAT) && g->insn.seg < VT_CPU_FS && g->insn.seg != VT_CPU_CS)
    return vt_quick_find (&g->insn) ? VT_KIND_QUICK : VT_KIND_INTERPRET;
  /* PUSHF is not everybody's in virtual 8086 mode. */
  if (!user && (run == vt_op_cli || run == vt_op_sti || run == vt_op_pushf))
    return VT_KIND_SYSTEM;
  return run == vt_op_popf ? VT_KIND_QUICK : VT_KIND_INTERPRET;
}

VtKind
vt_system_kind (const VtGuestInsn *g, unsigned mode)
{
  void (*const run) (VtCore *, const VtInsn *) = g->insn.op->run;
  const bool user = (mode & VT_MODE_SET) == VT_SET_USER;

  if (vt_mode_is_narrow (mode))
    return narrow_kind (g, mode, user);
  if (vt_quick_find (&g->insn))
    return run == vt_op_syscall || run == vt_op_sysret || run == vt_op_iret ? VT_KIND_AWAY : VT_KIND_QUICK;
  if (run == vt_op_pushf)
    return g->insn.op->arg == 8 ? VT_KIND_SYSTEM : VT_KIND_INTERPRET;
  if (!user && (run == vt_op_swapgs || run == vt_op_cli || run == vt_op_sti))
    return VT_KIND_SYSTEM;
  if (run == vt_op_ac && (mode & VT_MODE_SET) == (g->insn.op->arg ? VT_SET_KERNEL_AC : VT_SET_KERNEL))
    return VT_KIND_AC;
  /* Where AC is clear under SMAP anyway: at the entry of a kernel. STAC where it's set is rare. */
  if (run == vt_op_ac && !g->insn.op->arg && (mode & VT_MODE_SET) == VT_SET_KERNEL_AC)
    return VT_KIND_SYSTEM;
  return VT_KIND_INTERPRET;
}

/* Leaves for the interpreter where the byte in the core isn't 0. G is used. */
static void
emit_unless (VtMake *make, VtHostMem byte)
{
  vt_emit_mov (make->e, VT_G, VT_CPU_RCX);
  vt_emit_load8 (make->e, VT_CPU_RCX, byte);
  vt_make_stub (make, vt_emit_unless_zero (make->e), VT_RCX_IN_G, vt_exit (VT_EXIT_INSN, make->insn));
  vt_emit_mov (make->e, VT_CPU_RCX, VT_G);
}

/* Keeps of @reg the bits of @mask. */
static void
emit_mask (VtEmit *e, unsigned reg, VtHostMem mask)
{
  vt_emit_pext (e, reg, reg, mask);
  vt_emit_pdep (e, reg, reg, mask);
}

static void
emit_add_imm (VtEmit *e, unsigned reg, int32_t imm)
{
  vt_emit_lea (e, true, reg, (VtHostMem){ .base = (uint8_t) reg, .index = VT_NONE, .disp = imm });
}

/* One flag of RFLAGS, which isn't a status flag. */
static void
emit_put_flag (VtEmit *e, VtHostMem others, uint32_t flag, bool on)
{
  vt_emit_load (e, true, VT_T, VT_AT (rflags));
  emit_mask (e, VT_T, others);
  if (on)
    emit_add_imm (e, VT_T, (int32_t) flag);
  vt_emit_store (e, true, VT_T, VT_AT (rflags));
}

static void
emit_swapgs (VtEmit *e)
{
  const VtHostMem base = VT_AT (seg[VT_CPU_GS].base), other = VT_AT (kernel_gs_base);

  vt_emit_load (e, true, VT_T, base);
  vt_emit_load (e, true, VT_S, other);
  vt_emit_store (e, true, VT_T, other);
  vt_emit_store (e, true, VT_S, base);
}

/* Whether an instruction may be the one in STI's shadow: it neither goes elsewhere nor to another block. */
static bool
stays (const VtGuestInsn *g)
{
  return (g->kind == VT_KIND_PLAIN || g->kind == VT_KIND_NOTHING || g->kind == VT_KIND_LEA
          || g->kind == VT_KIND_PUSH || g->kind == VT_KIND_POP)
         && g->group != VT_GROUP_LEADER;
}

/* The shadow is there while the next instruction is executed, which may leave for the interpreter. */
static void
emit_sti (VtMake *make)
{
  VtEmit *e = make->e;

  emit_unless (make, VT_AT (window));
  /* 2 where IF was clear, else 0. */
  vt_emit_load (e, true, VT_T, VT_AT (rflags));
  vt_emit_pext (e, VT_T, VT_T, VT_AT (fast.if_mask));
  vt_emit_lea (e, true, VT_T, (VtHostMem){ .base = VT_NONE, .index = VT_T, .scale = 2, .disp = -3 });
  vt_emit_not (e, VT_T);
  vt_emit_store8 (e, VT_T, VT_AT (shadow));
  emit_put_flag (e, VT_AT (fast.no_if_mask), VT_FLAG_IF, true);
  make->shadow = 2;
}

void
vt_make_unshadow (VtMake *make)
{
  if (make->shadow == 0 || --make->shadow > 0)
    return;
  vt_emit_mov_imm (make->e, VT_T, 0);
  vt_emit_store8 (make->e, VT_T, VT_AT (shadow));
}

/* The host's flags are read on the host's own stack. RF and VM, which are pushed as 0, are 0 in translated code. */
static void
emit_pushf (VtMake *make, unsigned size)
{
  VtEmit        *e = make->e;
  const VtAccess to =
      vt_make_access (make, vt_make_stack_at (make, VT_CPU_RSP, -(int) size), size, true, 2);
  const unsigned flags = to.free[0], other = to.free[1];

  vt_emit_mov (e, other, VT_CPU_RSP);
  vt_emit_load (e, true, VT_CPU_RSP, VT_AT (fast.host_rsp));
  vt_emit_pushf_pop (e, flags);
  vt_emit_mov (e, VT_CPU_RSP, other);
  emit_mask (e, flags, VT_AT (fast.native_mask));
  vt_emit_load (e, true, other, VT_AT (rflags));
  emit_mask (e, other, VT_AT (fast.not_native_mask));
  vt_emit_lea (e, true, flags, (VtHostMem){ .base = (uint8_t) flags, .index = (uint8_t) other, .scale = 1 });
  vt_emit_store_sized (e, size, flags, to.mem);
  vt_make_move_stack (make, VT_CPU_RSP, -(int) size, VT_T);
}

bool
vt_make_system (VtMake *make, const VtGuestInsn *g, const VtGuestInsn *next)
{
  void (*const run) (VtCore *, const VtInsn *) = g->insn.op->run;

  if (run == vt_op_sti && (next == NULL || !stays (next)))
    return false;
  if (run != vt_op_pushf)
    emit_unless (make, VT_AT (cpl));
  if (run == vt_op_swapgs)
    emit_swapgs (make->e);
  else if (run == vt_op_cli)
    emit_put_flag (make->e, VT_AT (fast.no_if_mask), VT_FLAG_IF, false);
  else if (run == vt_op_sti)
    emit_sti (make);
  else if (run == vt_op_pushf)
    emit_pushf (make, g->insn.op->arg);
  return true;
}

bool
vt_make_ac (VtMake *make, const VtGuestInsn *g)
{
  const bool     on = g->insn.op->arg != 0;
  const uint16_t mode = make->mode;
  const unsigned to = (mode & ~VT_MODE_SET) | (on ? VT_SET_KERNEL : VT_SET_KERNEL_AC);

  if (vt_jump_table (make->b, to & ~VT_MODE_SINGLE) >= VT_JUMP_MODES)
    return false;
  emit_unless (make, VT_AT (cpl));
  if (!on)
    {
      /* Without SMAP the mode stays as it is, or there is no such instruction. */
      VtEmit *e = make->e;
      vt_emit_mov (e, VT_G, VT_CPU_RCX);
      vt_emit_load (e, true, VT_T, VT_AT (cr4));
      vt_emit_pext (e, VT_CPU_RCX, VT_T, VT_AT (fast.smap_mask));
      vt_emit_lea (e, true, VT_CPU_RCX,
                   (VtHostMem){ .base = VT_CPU_RCX, .index = VT_NONE, .disp = -1 });
      vt_make_stub (make, vt_emit_unless_zero (e), VT_RCX_IN_G, vt_exit (VT_EXIT_INSN, make->insn));
      vt_emit_mov (e, VT_CPU_RCX, VT_G);
    }
  emit_put_flag (make->e, VT_AT (fast.no_ac_mask), VT_FLAG_AC, on);
  make->mode = (uint16_t) to;
  vt_make_branch (make, g->next);
  make->mode = mode;
  return true;
}

void
vt_make_quick (VtMake *make, const VtGuestInsn *g)
{
  VtEmit *e = make->e;

  if (g->memory)
    {
      const VtAccess from = vt_make_access (make, vt_guest_mem (g), g->insn.operand[0].size, false, 0);
      vt_emit_load_sized (e, g->insn.operand[0].size, VT_G, from.mem);
    }
  else
    vt_make_rip (make, true, VT_G, g->next);
  vt_emit_mov_imm (e, VT_S, (uint64_t) (uintptr_t) vt_quick_find (&g->insn));
  vt_emit_mov_imm (e, VT_T, vt_exit (VT_EXIT_INSN, make->insn));
  vt_emit_jump_memory (e, VT_AT (fast.quick));
}
