/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * String and port instructions. One step of a repeated one does at most a page's worth and leaves RIP
 * where it is, with RCX, RSI and RDI telling how far it has come: interrupts come in between, and a
 * fault leaves a whole number of iterations done.
 */
#include "ops.h"

#define MOST_ITERATIONS 4096u

static uint64_t
source (VtCore *core, const VtInsn *insn, unsigned size)
{
  const uint64_t offset = vt_core_gpr (core, VT_CPU_RSI, insn->asize);
  return vt_seg_linear (core, insn->seg, offset, size, VT_ACCESS_READ);
}

/* ES cannot be overridden. */
static uint64_t
destination (VtCore *core, const VtInsn *insn, unsigned size, VtAccessKind kind)
{
  const uint64_t offset = vt_core_gpr (core, VT_CPU_RDI, insn->asize);
  return vt_seg_linear (core, VT_CPU_ES, offset, size, kind);
}

static void
advance (VtCore *core, const VtInsn *insn, unsigned reg, unsigned size)
{
  const uint64_t by = core->rflags & VT_FLAG_DF ? (uint64_t) 0 - size : size;
  vt_core_set_gpr (core, reg, insn->asize, core->gpr[reg] + by);
}

/* One iteration each; @size is the element's. */
static void
movs (VtCore *core, const VtInsn *insn, unsigned size)
{
  const VtAccessSet set = vt_mmu_data_set (core);
  const uint64_t    value = vt_mmu_load (core, source (core, insn, size), size, set);

  vt_mmu_store (core, destination (core, insn, size, VT_ACCESS_WRITE), size, value, set);
  advance (core, insn, VT_CPU_RSI, size);
  advance (core, insn, VT_CPU_RDI, size);
}

static void
stos (VtCore *core, const VtInsn *insn, unsigned size)
{
  vt_mmu_store (core, destination (core, insn, size, VT_ACCESS_WRITE), size,
                vt_core_gpr (core, VT_CPU_RAX, size), vt_mmu_data_set (core));
  advance (core, insn, VT_CPU_RDI, size);
}

static void
lods (VtCore *core, const VtInsn *insn, unsigned size)
{
  vt_core_set_gpr (core, VT_CPU_RAX, size,
                   vt_mmu_load (core, source (core, insn, size), size, vt_mmu_data_set (core)));
  advance (core, insn, VT_CPU_RSI, size);
}

static void
cmps (VtCore *core, const VtInsn *insn, unsigned size)
{
  const VtAccessSet set = vt_mmu_data_set (core);
  const uint64_t    a = vt_mmu_load (core, source (core, insn, size), size, set);
  const uint64_t    b =
      vt_mmu_load (core, destination (core, insn, size, VT_ACCESS_READ), size, set);

  vt_alu_sub (a, b, size, &core->rflags);
  advance (core, insn, VT_CPU_RSI, size);
  advance (core, insn, VT_CPU_RDI, size);
}

static void
scas (VtCore *core, const VtInsn *insn, unsigned size)
{
  const uint64_t b = vt_mmu_load (core, destination (core, insn, size, VT_ACCESS_READ), size,
                                  vt_mmu_data_set (core));

  vt_alu_sub (vt_core_gpr (core, VT_CPU_RAX, size), b, size, &core->rflags);
  advance (core, insn, VT_CPU_RDI, size);
}

static void
ins (VtCore *core, const VtInsn *insn, unsigned size)
{
  const uint64_t    at = destination (core, insn, size, VT_ACCESS_WRITE);
  const VtAccessSet set = vt_mmu_data_set (core);

  /* What is read from a device can't be put back: the page is checked before. */
  vt_mmu_probe_write (core, at, size, set);
  const uint32_t value = vt_port_in (core, (uint16_t) core->gpr[VT_CPU_RDX], size);
  vt_mmu_store (core, at, size, value, set);
  advance (core, insn, VT_CPU_RDI, size);
}

static void
outs (VtCore *core, const VtInsn *insn, unsigned size)
{
  const uint64_t value = vt_mmu_load (core, source (core, insn, size), size, vt_mmu_data_set (core));

  vt_port_out (core, (uint16_t) core->gpr[VT_CPU_RDX], size, (uint32_t) value);
  advance (core, insn, VT_CPU_RSI, size);
}

static void (*const iterations[]) (VtCore *core, const VtInsn *insn, unsigned size) = {
  [VT_STRING_MOVS] = movs, [VT_STRING_STOS] = stos, [VT_STRING_LODS] = lods,
  [VT_STRING_CMPS] = cmps, [VT_STRING_SCAS] = scas, [VT_STRING_INS] = ins,
  [VT_STRING_OUTS] = outs,
};

/* @arg: which, and the element's size in the upper half. */
void
vt_op_string (VtCore *core, const VtInsn *insn)
{
  const unsigned which = insn->op->arg & 15, size = insn->op->arg >> 4;
  const bool     compares = which == VT_STRING_CMPS || which == VT_STRING_SCAS;

  if (which == VT_STRING_INS || which == VT_STRING_OUTS)
    vt_check_port (core, (uint16_t) core->gpr[VT_CPU_RDX], size);
  if (!insn->rep && !insn->repne)
    {
      iterations[which](core, insn, size);
      return;
    }
  for (unsigned i = 0; i < MOST_ITERATIONS / size; i++)
    {
      const uint64_t count = vt_core_gpr (core, VT_CPU_RCX, insn->asize);
      if (count == 0)
        return;
      iterations[which](core, insn, size);
      vt_core_set_gpr (core, VT_CPU_RCX, insn->asize, count - 1);
      core->progress = true;
      if (count == 1)
        return;
      if (compares && ((core->rflags & VT_FLAG_ZF) != 0) == insn->repne)
        return;
      if (__atomic_load_n (&core->requests, __ATOMIC_RELAXED))
        break;
    }
  core->next_rip = core->rip;
}

/* Ports ------------------------------------------------------------------------------------------- */

uint32_t
vt_port_in (VtCore *core, uint16_t port, unsigned size)
{
  uint32_t value = 0;

  if (core->ops->in == NULL)
    vt_space_read (core->space, VT_SPACE_IO, port, &value, size);
  else if (!core->ops->in (core->data, port, size, &value))
    vt_core_decline (core);
  return value & (uint32_t) vt_ones (size);
}

void
vt_port_out (VtCore *core, uint16_t port, unsigned size, uint32_t value)
{
  if (core->ops->out == NULL)
    vt_space_write (core->space, VT_SPACE_IO, port, &value, size);
  else if (!core->ops->out (core->data, port, size, value))
    vt_core_decline (core);
}

static uint16_t
port_operand (VtCore *core, const VtInsn *insn, unsigned n)
{
  const VtOperand *o = &insn->operand[n];
  return (uint16_t) (o->kind == VT_OPERAND_IMM ? insn->imm[0] & 0xff : core->gpr[VT_CPU_RDX]);
}

void
vt_op_in (VtCore *core, const VtInsn *insn)
{
  const uint16_t port = port_operand (core, insn, 1);
  const unsigned size = insn->operand[0].size;

  vt_check_port (core, port, size);
  vt_core_set_gpr (core, VT_CPU_RAX, size, vt_port_in (core, port, size));
}

void
vt_op_out (VtCore *core, const VtInsn *insn)
{
  const uint16_t port = port_operand (core, insn, 0);
  const unsigned size = insn->operand[1].size;

  vt_check_port (core, port, size);
  vt_port_out (core, port, size, (uint32_t) vt_core_gpr (core, VT_CPU_RAX, size));
}

void
vt_op_xlat (VtCore *core, const VtInsn *insn)
{
  const uint64_t offset =
      (core->gpr[VT_CPU_RBX] + (core->gpr[VT_CPU_RAX] & 0xff)) & vt_ones (insn->asize);
  const uint64_t at = vt_seg_linear (core, insn->seg, offset, 1, VT_ACCESS_READ);

  vt_core_set_gpr (core, VT_CPU_RAX, 1, vt_mmu_load (core, at, 1, vt_mmu_data_set (core)));
}
