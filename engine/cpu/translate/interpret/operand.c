/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Operands: effective addresses, reads and writes, and destinations that are computed on, atomically
 * where the instruction is locked.
 */
#include "insn.h"

uint64_t
vt_insn_offset (const VtCore *core, const VtInsn *insn)
{
  uint64_t offset = (uint64_t) insn->disp;

  if (insn->base == VT_REG_RIP)
    offset += core->next_rip;
  else if (insn->base != VT_NO_REG)
    offset += core->gpr[insn->base];
  if (insn->index != VT_NO_REG)
    offset += core->gpr[insn->index] * insn->scale;
  return offset & vt_ones (insn->asize);
}

uint64_t
vt_insn_linear (VtCore *core, const VtInsn *insn, unsigned skip, unsigned size, VtAccessKind kind)
{
  const uint64_t offset = (vt_insn_offset (core, insn) + skip) & vt_ones (insn->asize);
  return vt_seg_linear (core, insn->seg, offset, size, kind);
}

uint64_t
vt_operand_read (VtCore *core, const VtInsn *insn, unsigned n)
{
  const VtOperand *o = &insn->operand[n];

  switch (o->kind)
    {
    case VT_OPERAND_GPR:
      return vt_core_gpr (core, o->reg, o->size);
    case VT_OPERAND_HIGH:
      return core->gpr[o->reg] >> 8 & 0xff;
    case VT_OPERAND_MEM:
      return vt_mmu_load (core, vt_insn_linear (core, insn, 0, o->size, VT_ACCESS_READ), o->size,
                          vt_mmu_data_set (core));
    case VT_OPERAND_IMM:
      return insn->imm[o->reg];
    case VT_OPERAND_SEG:
      return core->seg[o->reg].selector;
    default:
      vt_core_decline (core);
    }
}

static void
write_register (VtCore *core, const VtOperand *o, uint64_t value)
{
  if (o->kind == VT_OPERAND_GPR)
    vt_core_set_gpr (core, o->reg, o->size, value);
  else if (o->kind == VT_OPERAND_HIGH)
    core->gpr[o->reg] = (core->gpr[o->reg] & ~UINT64_C (0xff00)) | (value & 0xff) << 8;
  else
    vt_core_decline (core);
}

void
vt_operand_write (VtCore *core, const VtInsn *insn, unsigned n, uint64_t value)
{
  const VtOperand *o = &insn->operand[n];

  if (o->kind == VT_OPERAND_MEM)
    vt_mmu_store (core, vt_insn_linear (core, insn, 0, o->size, VT_ACCESS_WRITE), o->size,
                  value & vt_ones (o->size), vt_mmu_data_set (core));
  else
    write_register (core, o, value);
}

void
vt_place_open (VtCore *core, const VtInsn *insn, unsigned n, VtPlace *place)
{
  const VtOperand  *o = &insn->operand[n];
  const VtAccessSet set = vt_mmu_data_set (core);

  *place = (VtPlace){ .insn = insn, .n = (uint8_t) n, .size = o->size };
  if (o->kind != VT_OPERAND_MEM)
    return;
  place->memory = true;
  place->linear = vt_insn_linear (core, insn, 0, o->size, VT_ACCESS_READ);
  vt_insn_linear (core, insn, 0, o->size, VT_ACCESS_WRITE);
  if (insn->lock || insn->mnemonic == ZYDIS_MNEMONIC_XCHG)
    place->atomic = vt_locked_open (core, place->linear, o->size, &place->locked);
  else if ((place->linear & VT_PAGE_OFFSET) + o->size <= VT_PAGE)
    place->host = vt_mmu_host (core, place->linear, o->size, VT_ACCESS_WRITE, set);
  else
    vt_mmu_probe_write (core, place->linear, o->size, set);
}

uint64_t
vt_place_load (VtCore *core, const VtPlace *place)
{
  if (!place->memory)
    return vt_operand_read (core, place->insn, place->n);
  if (place->atomic)
    return vt_locked_load (&place->locked);
  if (place->host)
    return vt_ld (place->host, place->size);
  uint8_t bytes[8];
  vt_mmu_read (core, place->linear, bytes, place->size, VT_ACCESS_WRITE, vt_mmu_data_set (core));
  return vt_ld (bytes, place->size);
}

bool
vt_place_store (VtCore *core, const VtPlace *place, uint64_t old, uint64_t value)
{
  if (!place->memory)
    write_register (core, &place->insn->operand[place->n], value);
  else if (place->atomic)
    return vt_locked_exchange (core, &place->locked, old, value);
  else
    vt_mmu_store (core, place->linear, place->size, value & vt_ones (place->size),
                  vt_mmu_data_set (core));
  return true;
}
