/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stack instructions, near and far transfers, and software interrupts.
 */
#include "ops.h"

/* The operand size of near transfers and of the stack's implicit operands: 64-bit mode has but one. */
static unsigned
wide_size (const VtCore *core, const VtInsn *insn)
{
  return core->code_bits == 64 ? 8 : insn->osize;
}

/* ENTER and LEAVE have a 16-bit form in 64-bit mode too, and no 32-bit one. */
static unsigned
frame_size (const VtCore *core, const VtInsn *insn)
{
  return core->code_bits == 64 && insn->osize != 2 ? 8 : insn->osize;
}

void
vt_near_jump (VtCore *core, uint64_t rip, unsigned size)
{
  if (core->code_bits == 64)
    {
      if (!vt_core_canonical (core, rip))
        vt_core_gp (core, 0);
    }
  else
    {
      rip &= vt_ones (size);
      if (rip > core->seg[VT_CPU_CS].limit)
        vt_core_gp (core, 0);
    }
  core->next_rip = rip;
}

static uint64_t
near_target (VtCore *core, const VtInsn *insn)
{
  if (insn->operand[0].kind == VT_OPERAND_IMM)
    return core->next_rip + insn->imm[0];
  return vt_operand_read (core, insn, 0);
}

void
vt_op_jmp (VtCore *core, const VtInsn *insn)
{
  vt_near_jump (core, near_target (core, insn), wide_size (core, insn));
}

void
vt_op_jcc (VtCore *core, const VtInsn *insn)
{
  if (vt_condition (core, insn->op->arg))
    vt_near_jump (core, core->next_rip + insn->imm[0], wide_size (core, insn));
}

/* JCXZ and its kin: @arg is the counter's size. */
void
vt_op_jcxz (VtCore *core, const VtInsn *insn)
{
  if (vt_core_gpr (core, VT_CPU_RCX, insn->op->arg) == 0)
    vt_near_jump (core, core->next_rip + insn->imm[0], wide_size (core, insn));
}

/* @arg: 0 LOOP, 1 LOOPE, 2 LOOPNE. */
void
vt_op_loop (VtCore *core, const VtInsn *insn)
{
  const uint64_t count = (vt_core_gpr (core, VT_CPU_RCX, insn->asize) - 1) & vt_ones (insn->asize);
  const bool     zero = (core->rflags & VT_FLAG_ZF) != 0;

  if (count != 0 && (insn->op->arg == 0 || zero == (insn->op->arg == 1)))
    vt_near_jump (core, core->next_rip + insn->imm[0], wide_size (core, insn));
  vt_core_set_gpr (core, VT_CPU_RCX, insn->asize, count);
}

void
vt_op_call (VtCore *core, const VtInsn *insn)
{
  const unsigned size = wide_size (core, insn);
  const uint64_t back = core->next_rip;

  vt_near_jump (core, near_target (core, insn), size);
  vt_push (core, size, back);
}

void
vt_op_ret (VtCore *core, const VtInsn *insn)
{
  const unsigned size = wide_size (core, insn);
  const uint64_t sp = core->gpr[VT_CPU_RSP];
  const uint64_t release = insn->n && insn->operand[0].kind == VT_OPERAND_IMM ? insn->imm[0] & 0xffff
                                                                              : 0;
  const uint64_t rip = vt_pop (core, size);
  const uint64_t popped = core->gpr[VT_CPU_RSP];

  /* RSP moves only where the target is right. */
  core->gpr[VT_CPU_RSP] = sp;
  vt_near_jump (core, rip, size);
  core->gpr[VT_CPU_RSP] = popped;
  if (release)
    {
      const unsigned width = vt_stack_bytes (core);
      vt_core_set_gpr (core, VT_CPU_RSP, width, popped + release);
    }
}

/* Stack ------------------------------------------------------------------------------------------- */

void
vt_op_push (VtCore *core, const VtInsn *insn)
{
  const VtOperand *o = &insn->operand[0];
  const uint64_t   value = vt_operand_read (core, insn, 0);
  unsigned         size = o->kind == VT_OPERAND_GPR || o->kind == VT_OPERAND_MEM ? o->size
                                                                                 : insn->osize;

  if (core->code_bits == 64 && size == 4)
    size = 8;
  vt_push (core, size, value);
}

void
vt_op_pop (VtCore *core, const VtInsn *insn)
{
  const VtOperand *o = &insn->operand[0];
  const uint64_t   sp = core->gpr[VT_CPU_RSP];
  unsigned         size = o->kind == VT_OPERAND_SEG ? insn->osize : o->size;

  if (core->code_bits == 64 && size == 4)
    size = 8;
  if (o->kind == VT_OPERAND_SEG)
    {
      const uint16_t selector = (uint16_t) vt_pop (core, size);
      const uint64_t popped = core->gpr[VT_CPU_RSP];
      /* The load may fault, and RSP must be the old one then. */
      core->gpr[VT_CPU_RSP] = sp;
      vt_seg_load (core, o->reg, selector);
      core->gpr[VT_CPU_RSP] = popped;
      if (o->reg == VT_CPU_SS)
        core->new_shadow = 1;
      return;
    }
  vt_core_snapshot (core);
  /* A memory operand that is addressed by RSP uses the new one. */
  const uint64_t value = vt_pop (core, size);
  vt_operand_write (core, insn, 0, value);
}

void
vt_op_pusha (VtCore *core, const VtInsn *insn)
{
  const unsigned size = insn->op->arg;
  const uint64_t sp = core->gpr[VT_CPU_RSP];

  vt_core_snapshot (core);
  for (unsigned i = 0; i < 8; i++)
    vt_push (core, size, i == VT_CPU_RSP ? sp : core->gpr[i]);
}

void
vt_op_popa (VtCore *core, const VtInsn *insn)
{
  const unsigned size = insn->op->arg;

  vt_core_snapshot (core);
  for (unsigned i = 8; i-- > 0;)
    {
      const uint64_t value = vt_pop (core, size);
      if (i != VT_CPU_RSP)
        vt_core_set_gpr (core, i, size, value);
    }
}

/* @arg: the operand's size. */
void
vt_op_pushf (VtCore *core, const VtInsn *insn)
{
  const unsigned size = insn->op->arg;

  if ((core->rflags & VT_FLAG_VM) && (core->rflags & VT_FLAG_IOPL) != VT_FLAG_IOPL)
    {
      if (core->cr4 & VT_CR4_VME)
        vt_core_decline (core);
      vt_core_gp (core, 0);
    }
  vt_push (core, size, core->rflags & ~(VT_FLAG_RF | VT_FLAG_VM));
}

void
vt_op_popf (VtCore *core, const VtInsn *insn)
{
  const unsigned size = insn->op->arg;

  if ((core->rflags & VT_FLAG_VM) && (core->rflags & VT_FLAG_IOPL) != VT_FLAG_IOPL)
    {
      if (core->cr4 & VT_CR4_VME)
        vt_core_decline (core);
      vt_core_gp (core, 0);
    }
  const uint64_t flags = vt_pop (core, size);
  vt_pop_flags (core, flags, size, core->cpl, 0);
}

void
vt_op_enter (VtCore *core, const VtInsn *insn)
{
  const unsigned size = frame_size (core, insn), width = vt_stack_bytes (core);
  const unsigned room = insn->imm[0] & 0xffff, level = insn->imm[1] & 31;
  uint64_t       frame = core->gpr[VT_CPU_RBP];

  vt_core_snapshot (core);
  vt_push (core, size, frame);
  const uint64_t new_frame = core->gpr[VT_CPU_RSP];
  for (unsigned i = 1; i < level; i++)
    {
      frame -= size;
      const uint64_t at = vt_seg_linear (core, VT_CPU_SS, frame & vt_ones (width), size,
                                         VT_ACCESS_READ);
      vt_push (core, size, vt_mmu_load (core, at, size, vt_mmu_data_set (core)));
    }
  if (level)
    vt_push (core, size, new_frame);
  vt_core_set_gpr (core, VT_CPU_RBP, size, new_frame);
  vt_core_set_gpr (core, VT_CPU_RSP, width, core->gpr[VT_CPU_RSP] - room);
  /* The new top must be there. */
  vt_mmu_probe_write (core,
                      vt_seg_linear (core, VT_CPU_SS, vt_core_gpr (core, VT_CPU_RSP, width), 1,
                                     VT_ACCESS_WRITE),
                      1, vt_mmu_data_set (core));
}

void
vt_op_leave (VtCore *core, const VtInsn *insn)
{
  const unsigned size = frame_size (core, insn), width = vt_stack_bytes (core);

  vt_core_snapshot (core);
  vt_core_set_gpr (core, VT_CPU_RSP, width, core->gpr[VT_CPU_RBP]);
  vt_core_set_gpr (core, VT_CPU_RBP, size, vt_pop (core, size));
}

/* Far transfers ----------------------------------------------------------------------------------- */

/* Selector and offset of a far transfer, from the instruction or from memory. */
static uint64_t
far_pointer (VtCore *core, const VtInsn *insn, uint16_t *selector, unsigned *size)
{
  *size = insn->osize;
  if (insn->operand[0].kind == VT_OPERAND_FAR)
    {
      *selector = (uint16_t) insn->imm[1];
      return insn->imm[0] & vt_ones (*size);
    }
  if (insn->operand[0].kind != VT_OPERAND_MEM)
    vt_core_decline (core);
  const VtAccessSet set = vt_mmu_data_set (core);
  const uint64_t    offset =
      vt_mmu_load (core, vt_insn_linear (core, insn, 0, *size, VT_ACCESS_READ), *size, set);
  *selector = (uint16_t) vt_mmu_load (
      core, vt_insn_linear (core, insn, *size, 2, VT_ACCESS_READ), 2, set);
  return offset;
}

static void
op_far_jump (VtCore *core, const VtInsn *insn)
{
  uint16_t       selector;
  unsigned       size;
  const uint64_t offset = far_pointer (core, insn, &selector, &size);
  vt_far_jump (core, selector, offset, size);
  core->next_rip = core->rip;
}

static void
op_far_call (VtCore *core, const VtInsn *insn)
{
  uint16_t       selector;
  unsigned       size;
  const uint64_t offset = far_pointer (core, insn, &selector, &size);
  vt_far_call (core, selector, offset, size, core->next_rip);
  core->next_rip = core->rip;
}

static void
op_far_return (VtCore *core, const VtInsn *insn)
{
  const uint16_t release =
      insn->n && insn->operand[0].kind == VT_OPERAND_IMM ? (uint16_t) insn->imm[0] : 0;
  vt_far_return (core, insn->osize, release);
  core->next_rip = core->rip;
}

const VtOp vt_op_far_jump = { .run = op_far_jump };
const VtOp vt_op_far_call = { .run = op_far_call };
const VtOp vt_op_far_return = { .run = op_far_return };

/* @arg: the operand's size. */
void
vt_op_iret (VtCore *core, const VtInsn *insn)
{
  core->iret = true;
  vt_iret (core, insn->op->arg);
  core->next_rip = core->rip;
}

/* LES, LDS, LSS, LFS, LGS: @arg is the segment. */
void
vt_op_load_far (VtCore *core, const VtInsn *insn)
{
  const unsigned    size = insn->operand[0].size;
  const VtAccessSet set = vt_mmu_data_set (core);

  if (insn->operand[1].kind != VT_OPERAND_MEM)
    vt_core_ud (core);
  const uint64_t offset =
      vt_mmu_load (core, vt_insn_linear (core, insn, 0, size, VT_ACCESS_READ), size, set);
  const uint16_t selector = (uint16_t) vt_mmu_load (
      core, vt_insn_linear (core, insn, size, 2, VT_ACCESS_READ), 2, set);
  vt_seg_load (core, insn->op->arg, selector);
  vt_operand_write (core, insn, 0, offset);
}

/* Software interrupts ----------------------------------------------------------------------------- */

/* They are delivered once the instruction is over, so that a fault of the delivery is no fault of the
 * instruction's own: vt_interpret() does it. */
static void
software (VtCore *core, VtEventKind kind, uint8_t vector)
{
  core->soft_event = true;
  core->soft_kind = (uint8_t) kind;
  core->soft_vector = vector;
  core->soft_rip = core->rip;
}

void
vt_op_int (VtCore *core, const VtInsn *insn)
{
  software (core, VT_EVENT_SOFTWARE, (uint8_t) insn->imm[0]);
}

/* INT3, INTO and INT1: @arg is the vector. */
void
vt_op_int_fixed (VtCore *core, const VtInsn *insn)
{
  if (insn->op->arg == VT_EXC_OF && !(core->rflags & VT_FLAG_OF))
    return;
  software (core, insn->op->arg == VT_EXC_DB ? VT_EVENT_ICEBP : VT_EVENT_SOFTWARE, insn->op->arg);
}

void
vt_op_bound (VtCore *core, const VtInsn *insn)
{
  const unsigned    size = insn->operand[0].size, shift = 64 - size * 8;
  const VtAccessSet set = vt_mmu_data_set (core);
  const uint64_t    low =
      vt_mmu_load (core, vt_insn_linear (core, insn, 0, size, VT_ACCESS_READ), size, set);
  const uint64_t high =
      vt_mmu_load (core, vt_insn_linear (core, insn, size, size, VT_ACCESS_READ), size, set);
  const int64_t index = (int64_t) (vt_operand_read (core, insn, 0) << shift);

  if (index < (int64_t) (low << shift) || index > (int64_t) (high << shift))
    vt_core_raise (core, VT_EXC_BR, 0);
}

void
vt_op_ud (VtCore *core, const VtInsn *insn)
{
  vt_core_ud (core);
}

/* Fast calls. */
void
vt_op_syscall (VtCore *core, const VtInsn *insn)
{
  vt_syscall (core, core->next_rip);
  core->next_rip = core->rip;
}

void
vt_op_sysret (VtCore *core, const VtInsn *insn)
{
  vt_sysret (core, insn->osize);
  core->next_rip = core->rip;
}

void
vt_op_sysenter (VtCore *core, const VtInsn *insn)
{
  vt_sysenter (core);
  core->next_rip = core->rip;
}

void
vt_op_sysexit (VtCore *core, const VtInsn *insn)
{
  vt_sysexit (core, insn->osize);
  core->next_rip = core->rip;
}
