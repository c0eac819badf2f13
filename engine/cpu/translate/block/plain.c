/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Instructions that run as they stand, but for the memory operand and the lent registers. An instruction that the host faults in has changed nothing yet: its registers are written back
 * behind it.
 */
#include "make.h"

uint32_t
vt_guest_lent (const VtGuestInsn *g, bool written)
{
  uint32_t lent = 0;

  for (unsigned i = 0; i < g->zydis.operand_count_visible; i++)
    {
      const ZydisDecodedOperand *o = &g->operands[i];
      if (o->type == ZYDIS_OPERAND_TYPE_REGISTER
          && (!written || (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)))
        lent |= vt_unit_mentions (o);
      /* LEA's. */
      if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && !written && g->memory == NULL)
        for (unsigned k = 0; k < 2; k++)
          {
            const ZydisRegister reg = k ? o->mem.index : o->mem.base;
            if (ZydisRegisterGetClass (reg) == ZYDIS_REGCLASS_GPR64
                || ZydisRegisterGetClass (reg) == ZYDIS_REGCLASS_GPR32)
              lent |= 1u << ZydisRegisterGetId (reg);
          }
    }
  return lent & 7u << VT_G;
}

static void
emit_verbatim (VtMake *make, const VtGuestInsn *g)
{
  const uint32_t used = vt_guest_lent (g, false), written = vt_guest_lent (g, true);

  for (unsigned r = VT_G; r <= VT_T; r++)
    if (used >> r & 1)
      vt_emit_load (make->e, true, r, VT_AT_GPR (r));
  for (unsigned i = 0; i < g->insn.length; i++)
    vt_emit8 (make->e, g->insn.bytes[i]);
  for (unsigned r = VT_G; r <= VT_T; r++)
    if (written >> r & 1)
      vt_emit_store (make->e, true, r, VT_AT_GPR (r));
}

/* Behind one of the x87: its pointers are the guest's when they are looked at (vt_x87_pointers()). */
static void
note_x87 (VtMake *make, const VtGuestInsn *g)
{
  if (g->use.needs != VT_NEEDS_X87 || g->insn.op != &vt_op_unit)
    return;
  vt_emit_store_imm (make->e, false, VT_AT (fast.x87_last), (int32_t) (make->insn << VT_X87_OPCODE_BITS | g->x87_opcode));
  if (make->block.moves)
    {
      vt_emit_load (make->e, true, VT_T, VT_AT (fast.page_rip));
      vt_emit_store (make->e, true, VT_T, VT_AT (fast.x87_page));
    }
  if (g->memory == NULL)
    return;
  vt_make_offset (make, vt_guest_mem (g));
  vt_emit_store (make->e, true, VT_T, VT_AT (fast.x87_data));
}

static void
make_with_memory (VtMake *make, const VtGuestInsn *g)
{
  VtEmit        *e = make->e;
  const uint32_t written = vt_guest_lent (g, true);
  uint8_t        reg = VT_NONE, vvvv = VT_NONE; /* The guest's in those fields, where lent. */

  for (unsigned i = 0; i < g->zydis.operand_count_visible; i++)
    {
      const ZydisDecodedOperand *o = &g->operands[i];
      if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && (vt_unit_mentions (o) & 7u << VT_G))
        {
          const uint8_t n = (uint8_t) ZydisRegisterGetId (o->reg.value);
          const uint8_t gpr =
              ZydisRegisterGetClass (o->reg.value) == ZYDIS_REGCLASS_GPR8 ? (uint8_t) (n - 4) : n;
          if (o->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG)
            reg = gpr;
          else
            vvvv = gpr;
        }
    }
  uint8_t        high = VT_NONE; /* Of AH to BH, which register it is in. */

  for (unsigned i = 0; i < g->insn.n; i++)
    if (g->insn.operand[i].kind == VT_OPERAND_HIGH)
      high = g->insn.operand[i].reg;
  const bool     two = reg != VT_NONE && vvvv != VT_NONE && reg != vvvv;
  const bool     write = (g->memory->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  const VtAccess access = vt_make_access (make, vt_guest_mem (g),
                                          g->memory->size / 8, write, vt_guest_wanted (g));
  const uint8_t  reg_host = reg == VT_NONE ? VT_NONE : access.free[0];
  const uint8_t  vvvv_host = vvvv == VT_NONE ? VT_NONE : two ? access.free[1] : access.free[0];

  if (reg != VT_NONE)
    vt_emit_load (e, true, reg_host, VT_AT_GPR (reg));
  if (vvvv != VT_NONE && (two || reg == VT_NONE))
    vt_emit_load (e, true, vvvv_host, VT_AT_GPR (vvvv));
  if (high != VT_NONE)
    {
      vt_emit_swap_halves (e, high);
      vt_emit_rewritten (e, &g->zydis, g->insn.bytes, access.mem, high, VT_NONE);
      vt_emit_swap_halves (e, high);
      return;
    }
  vt_emit_rewritten (e, &g->zydis, g->insn.bytes, access.mem, reg_host, vvvv_host);
  if (reg != VT_NONE && (written >> reg & 1))
    vt_emit_store (e, true, reg_host, VT_AT_GPR (reg));
  if (two && (written >> vvvv & 1))
    vt_emit_store (e, true, vvvv_host, VT_AT_GPR (vvvv));
  else if (reg == VT_NONE && vvvv != VT_NONE && (written >> vvvv & 1))
    vt_emit_store (e, true, vvvv_host, VT_AT_GPR (vvvv));
}

void
vt_make_plain (VtMake *make, const VtGuestInsn *g)
{
  if (g->memory)
    make_with_memory (make, g);
  else
    emit_verbatim (make, g);
  note_x87 (make, g);
}

void
vt_make_lea (VtMake *make, const VtGuestInsn *g)
{
  const VtGuestMem m = vt_guest_mem (g);
  const uint8_t    to = g->insn.operand[0].reg;

  if (vt_guest_is_narrow (g))
    {
      vt_narrow_lea (make, g);
      return;
    }
  if (g->insn.base != VT_REG_RIP)
    {
      emit_verbatim (make, g);
      return;
    }
  vt_make_rip (make, g->insn.operand[0].size > 4, vt_is_lent (to) ? VT_T : to, m.disp);
  if (vt_is_lent (to))
    vt_emit_store (make->e, true, VT_T, VT_AT_GPR (to));
}
