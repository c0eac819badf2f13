/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Encoding (SDM volume 2, chapter 2): see emit.h.
 */
#include "emit.h"

#define OPERAND_SIZE 0x66u
#define REX 0x40u
#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

static unsigned
rex_bits (unsigned reg, VtHostMem mem)
{
  return (reg >= 8 ? REX_R : 0) | (mem.index != VT_NONE && mem.index >= 8 ? REX_X : 0)
         | (mem.base != VT_NONE && mem.base != VT_RIP && mem.base >= 8 ? REX_B : 0);
}

/* ModRM, SIB and displacement; @far: of 32 bits where there is one, since EVEX multiplies one of 8. */
static void
emit_operand_far (VtEmit *e, unsigned reg, VtHostMem mem, bool far)
{
  const unsigned field = (reg & 7) << 3;
  unsigned       scale = 0, mod = 2;

  for (unsigned s = mem.scale; s > 1; s >>= 1)
    scale++;
  if (mem.base == VT_RIP)
    {
      vt_emit8 (e, field | 5);
      vt_emit32 (e, (uint32_t) mem.disp - (e->at + 4));
      return;
    }
  if (mem.base == VT_NONE)
    {
      /* SIB without a base, and a 32-bit displacement. */
      vt_emit8 (e, field | 4);
      vt_emit8 (e, scale << 6 | (mem.index == VT_NONE ? 4 : mem.index & 7) << 3 | 5);
      vt_emit32 (e, (uint32_t) mem.disp);
      return;
    }
  if (mem.disp == 0 && (mem.base & 7) != 5)
    mod = 0;
  else if (mem.disp >= -128 && mem.disp <= 127 && !far)
    mod = 1;
  if (mem.index != VT_NONE || (mem.base & 7) == 4)
    {
      vt_emit8 (e, mod << 6 | field | 4);
      vt_emit8 (e, scale << 6 | (mem.index == VT_NONE ? 4 : mem.index & 7) << 3 | (mem.base & 7));
    }
  else
    vt_emit8 (e, mod << 6 | field | (mem.base & 7));
  if (mod == 1)
    vt_emit8 (e, (uint8_t) mem.disp);
  else if (mod == 2)
    vt_emit32 (e, (uint32_t) mem.disp);
}

static void
emit_operand (VtEmit *e, unsigned reg, VtHostMem mem)
{
  emit_operand_far (e, reg, mem, false);
}

static void
emit_op (VtEmit *e, bool wide, unsigned opcode, unsigned reg, VtHostMem mem)
{
  const unsigned rex = (wide ? REX_W : 0) | rex_bits (reg, mem);

  if (mem.gs)
    vt_emit8 (e, 0x65);
  if (rex)
    vt_emit8 (e, REX | rex);
  if (opcode > 0xff)
    vt_emit8 (e, 0x0f);
  vt_emit8 (e, opcode & 0xff);
  emit_operand (e, reg, mem);
}

void
vt_emit_load_sized (VtEmit *e, unsigned size, unsigned reg, VtHostMem mem)
{
  emit_op (e, size == 8, size == 2 ? 0x0fb7 : 0x8b, reg, mem);
}

void
vt_emit_store_sized (VtEmit *e, unsigned size, unsigned reg, VtHostMem mem)
{
  if (size == 2)
    vt_emit8 (e, OPERAND_SIZE);
  emit_op (e, size == 8, 0x89, reg, mem);
}

void
vt_emit_store_imm_sized (VtEmit *e, unsigned size, VtHostMem mem, int32_t value)
{
  if (size == 2)
    vt_emit8 (e, OPERAND_SIZE);
  emit_op (e, size == 8, 0xc7, 0, mem);
  vt_emit8 (e, value & 0xff);
  vt_emit8 (e, value >> 8 & 0xff);
  if (size == 2)
    return;
  vt_emit8 (e, value >> 16 & 0xff);
  vt_emit8 (e, value >> 24 & 0xff);
}

void
vt_emit_load (VtEmit *e, bool wide, unsigned reg, VtHostMem mem)
{
  emit_op (e, wide, 0x8b, reg, mem);
}

void
vt_emit_store (VtEmit *e, bool wide, unsigned reg, VtHostMem mem)
{
  emit_op (e, wide, 0x89, reg, mem);
}

void
vt_emit_load8 (VtEmit *e, unsigned reg, VtHostMem mem)
{
  if (mem.gs)
    vt_emit8 (e, 0x65);
  if (rex_bits (reg, mem))
    vt_emit8 (e, REX | rex_bits (reg, mem));
  vt_emit8 (e, 0x0f);
  vt_emit8 (e, 0xb6);
  emit_operand (e, reg, mem);
}

void
vt_emit_store8 (VtEmit *e, unsigned reg, VtHostMem mem)
{
  emit_op (e, false, 0x88, reg, mem);
}

void
vt_emit_pushf_pop (VtEmit *e, unsigned reg)
{
  vt_emit8 (e, 0x9c);
  if (reg >= 8)
    vt_emit8 (e, REX | REX_B);
  vt_emit8 (e, 0x58 | (reg & 7));
}

void
vt_emit_lea (VtEmit *e, bool wide, unsigned reg, VtHostMem mem)
{
  /* A move need not be executed. */
  if (mem.disp == 0 && mem.index == VT_NONE && mem.base != VT_RIP && mem.base != VT_NONE)
    {
      vt_emit_mov_sized (e, wide ? 8 : 4, reg, mem.base);
      return;
    }
  emit_op (e, wide, 0x8d, reg, mem);
}

void
vt_emit_store_imm (VtEmit *e, bool wide, VtHostMem mem, int32_t value)
{
  emit_op (e, wide, 0xc7, 0, mem);
  vt_emit32 (e, (uint32_t) value);
}

void
vt_emit_jump_memory (VtEmit *e, VtHostMem mem)
{
  emit_op (e, false, 0xff, 4, mem);
}

void
vt_emit_alu (VtEmit *e, VtAluOp op, unsigned reg, VtHostMem mem)
{
  emit_op (e, true, (unsigned) op << 3 | 3, reg, mem);
}

void
vt_emit_alu_imm (VtEmit *e, VtAluOp op, bool wide, unsigned reg, int32_t imm)
{
  const bool     byte = imm >= -128 && imm <= 127;
  const unsigned rex = (wide ? REX_W : 0) | (reg >= 8 ? REX_B : 0);

  if (rex)
    vt_emit8 (e, REX | rex);
  vt_emit8 (e, byte ? 0x83 : 0x81);
  vt_emit8 (e, 0xc0 | (unsigned) op << 3 | (reg & 7));
  if (byte)
    vt_emit8 (e, (uint8_t) imm);
  else
    vt_emit32 (e, (uint32_t) imm);
}

void
vt_emit_cmp_zero (VtEmit *e, VtHostMem mem)
{
  if (mem.base == VT_RIP)
    mem.disp--; /* It counts from the instruction's end, behind the constant. */
  emit_op (e, true, 0x83, VT_ALU_CMP, mem);
  vt_emit8 (e, 0);
}

void
vt_emit_test (VtEmit *e, unsigned reg)
{
  vt_emit8 (e, REX | REX_W | (reg >= 8 ? REX_R | REX_B : 0));
  vt_emit8 (e, 0x85);
  vt_emit8 (e, 0xc0 | (reg & 7) << 3 | (reg & 7));
}

void
vt_emit_mov (VtEmit *e, unsigned to, unsigned from)
{
  vt_emit8 (e, REX | REX_W | (from >= 8 ? REX_R : 0) | (to >= 8 ? REX_B : 0));
  vt_emit8 (e, 0x89);
  vt_emit8 (e, 0xc0 | (from & 7) << 3 | (to & 7));
}

/* Of two registers, the first in ModRM's field. */
static void
emit_registers (VtEmit *e, bool wide, unsigned opcode, unsigned reg, unsigned rm)
{
  const unsigned rex = (wide ? REX_W : 0) | (reg >= 8 ? REX_R : 0) | (rm >= 8 ? REX_B : 0);

  if (rex)
    vt_emit8 (e, REX | rex);
  if (opcode > 0xff)
    vt_emit8 (e, 0x0f);
  vt_emit8 (e, opcode & 0xff);
  vt_emit8 (e, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

void
vt_emit_mov_sized (VtEmit *e, unsigned size, unsigned to, unsigned from)
{
  if (size == 2)
    vt_emit8 (e, OPERAND_SIZE);
  emit_registers (e, size == 8, 0x89, from, to);
}

void
vt_emit_extend16 (VtEmit *e, unsigned to, unsigned from)
{
  emit_registers (e, false, 0x0fb7, to, from);
}

void
vt_emit_swap_halves (VtEmit *e, unsigned reg)
{
  emit_registers (e, false, 0x86, reg, reg | 4);
}

void
vt_emit_string (VtEmit *e, unsigned opcode, unsigned size)
{
  if (size == 2)
    vt_emit8 (e, OPERAND_SIZE);
  else if (size == 8)
    vt_emit8 (e, REX | REX_W);
  vt_emit8 (e, opcode | (size > 1));
}

void
vt_emit_flags_to_ax (VtEmit *e)
{
  vt_emit8 (e, 0x9f); /* LAHF; SETO AL */
  vt_emit8 (e, 0x0f);
  vt_emit8 (e, 0x90);
  vt_emit8 (e, 0xc0);
}

void
vt_emit_ax_to_flags (VtEmit *e)
{
  vt_emit8 (e, 0x04); /* ADD AL, 127: overflows where AL is 1; SAHF */
  vt_emit8 (e, 127);
  vt_emit8 (e, 0x9e);
}

void
vt_emit_not (VtEmit *e, unsigned reg)
{
  emit_registers (e, true, 0xf7, 2, reg);
}

void
vt_emit_mov_imm (VtEmit *e, unsigned to, uint64_t value)
{
  if (value <= UINT32_MAX)
    {
      if (to >= 8)
        vt_emit8 (e, REX | REX_B);
      vt_emit8 (e, 0xb8 | (to & 7));
      vt_emit32 (e, (uint32_t) value);
    }
  else if ((int64_t) value == (int32_t) value)
    {
      vt_emit8 (e, REX | REX_W | (to >= 8 ? REX_B : 0));
      vt_emit8 (e, 0xc7);
      vt_emit8 (e, 0xc0 | (to & 7));
      vt_emit32 (e, (uint32_t) value);
    }
  else
    {
      vt_emit8 (e, REX | REX_W | (to >= 8 ? REX_B : 0));
      vt_emit8 (e, 0xb8 | (to & 7));
      vt_emit64 (e, value);
    }
}

/* VEX: @map 2 is 0F38, 3 is 0F3A; @pp 2 is F3, 3 is F2. 64-bit operands. */
static void
emit_vex (VtEmit *e, unsigned map, unsigned pp, unsigned rex, unsigned vvvv)
{
  vt_emit8 (e, 0xc4);
  vt_emit8 (e, (~rex & 7) << 5 | map);
  vt_emit8 (e, 0x80 | (~vvvv & 15) << 3 | pp);
}

void
vt_emit_rorx (VtEmit *e, unsigned to, unsigned from, unsigned count)
{
  emit_vex (e, 3, 3, (to >= 8 ? REX_R : 0) | (from >= 8 ? REX_B : 0), 0);
  vt_emit8 (e, 0xf0);
  vt_emit8 (e, 0xc0 | (to & 7) << 3 | (from & 7));
  vt_emit8 (e, count);
}

static void
emit_bits (VtEmit *e, unsigned pp, unsigned to, unsigned from, VtHostMem mask)
{
  if (mask.gs)
    vt_emit8 (e, 0x65);
  emit_vex (e, 2, pp, rex_bits (to, mask), from);
  vt_emit8 (e, 0xf5);
  emit_operand (e, to, mask);
}

void
vt_emit_pext (VtEmit *e, unsigned to, unsigned from, VtHostMem mask)
{
  emit_bits (e, 2, to, from, mask);
}

void
vt_emit_pdep (VtEmit *e, unsigned to, unsigned from, VtHostMem mask)
{
  emit_bits (e, 3, to, from, mask);
}

uint32_t
vt_emit_jmp (VtEmit *e)
{
  vt_emit8 (e, 0xe9);
  vt_emit32 (e, 0);
  return e->at - 4;
}

uint32_t
vt_emit_jcc (VtEmit *e, unsigned condition)
{
  vt_emit8 (e, 0x0f);
  vt_emit8 (e, 0x80 | condition);
  vt_emit32 (e, 0);
  return e->at - 4;
}

void
vt_emit_aim (VtEmit *e, uint32_t where, uint32_t target)
{
  vt_st32 (e->write + where, target - (where + 4));
}

uint32_t
vt_emit_unless_zero (VtEmit *e)
{
  vt_emit8 (e, 0xe3);
  vt_emit8 (e, 5);
  return vt_emit_jmp (e);
}

/* Rewriting ---------------------------------------------------------------------------------------- */

static bool
is_legacy_prefix (uint8_t byte)
{
  return byte == 0x66 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3;
}

static bool
is_dropped_prefix (uint8_t byte)
{
  return byte == 0x67 || byte == 0x64 || byte == 0x65 || byte == 0x26 || byte == 0x2e || byte == 0x36
         || byte == 0x3e || (byte & 0xf0) == 0x40;
}

static void
rewrite_vex (VtEmit *e, const ZydisDecodedInstruction *insn, unsigned reg, unsigned vvvv, unsigned rex)
{
  const ZydisDecodedInstructionRawVex *vex = &insn->raw.vex;
  const unsigned r = reg == VT_NONE ? (vex->R ? 0 : REX_R) : reg >= 8 ? REX_R : 0;
  const unsigned v = vvvv == VT_NONE ? vex->vvvv : ~vvvv & 15;

  vt_emit8 (e, 0xc4);
  vt_emit8 (e, (~(r | (rex & ~REX_R)) & 7) << 5 | vex->m_mmmm);
  vt_emit8 (e, vex->W << 7 | v << 3 | vex->L << 2 | vex->pp);
}

/* SDM volume 2, 2.7.1: the first payload byte has R, X, B and R' of the operands, inverted. */
static void
rewrite_evex (VtEmit *e, const uint8_t *evex, unsigned reg, unsigned vvvv, unsigned rex)
{
  uint8_t first = evex[1] | 0x60, second = evex[2], third = evex[3];

  if (rex & REX_X)
    first &= (uint8_t) ~0x40;
  if (rex & REX_B)
    first &= (uint8_t) ~0x20;
  if (reg != VT_NONE)
    first = (uint8_t) ((first & ~0x90) | 0x10 | (reg >= 8 ? 0 : 0x80));
  if (vvvv != VT_NONE)
    {
      second = (uint8_t) ((second & ~0x78) | (~vvvv & 15) << 3);
      third |= 8;
    }
  vt_emit8 (e, 0x62);
  vt_emit8 (e, first);
  vt_emit8 (e, second);
  vt_emit8 (e, third);
}

void
vt_emit_rewritten (VtEmit *e, const ZydisDecodedInstruction *insn, const uint8_t *bytes,
                   VtHostMem mem, unsigned reg, unsigned vvvv)
{
  const bool     vex = insn->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
  const bool     evex = insn->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
  const unsigned modrm = insn->raw.modrm.offset;
  unsigned       at = 0, rest = modrm + 1;
  const unsigned field = reg == VT_NONE ? insn->raw.modrm.reg : reg & 7;
  unsigned       rex = rex_bits (0, mem);

  if (mem.gs)
    vt_emit8 (e, 0x65);
  if (vex)
    {
      at = (unsigned) insn->raw.vex.offset + insn->raw.vex.size;
      rewrite_vex (e, insn, reg, vvvv, rex);
    }
  else if (evex)
    {
      at = insn->raw.evex.offset;
      rewrite_evex (e, bytes + at, reg, vvvv, rex);
      at += 4;
    }
  else
    {
      const bool had_rex = (insn->attributes & ZYDIS_ATTRIB_HAS_REX) != 0;
      for (; is_legacy_prefix (bytes[at]) || is_dropped_prefix (bytes[at]); at++)
        if (is_legacy_prefix (bytes[at]))
          vt_emit8 (e, bytes[at]);
      if (had_rex)
        rex |= insn->raw.rex.W ? REX_W : 0;
      if (reg == VT_NONE ? had_rex && insn->raw.rex.R : reg >= 8)
        rex |= REX_R;
      if (rex || had_rex)
        vt_emit8 (e, REX | rex);
    }
  for (; at < modrm; at++)
    vt_emit8 (e, bytes[at]);
  emit_operand_far (e, field, mem, evex);
  if (insn->attributes & ZYDIS_ATTRIB_HAS_SIB)
    rest++;
  rest += insn->raw.disp.size / 8;
  for (; rest < insn->length; rest++)
    vt_emit8 (e, bytes[rest]);
}
