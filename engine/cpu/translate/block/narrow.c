/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * 32-bit and 16-bit code: its instructions encoded for 64-bit mode, and addresses in segments. General
 * registers are in the lower halves of the host's; nothing depends on the upper ones, which addresses drop.
 *
 * An encoding is taken where it is, decoded again, the same instruction of the same operands; so what the
 * modes differ in beyond what is done here goes to the interpreter.
 */
#include "../interpret/ops.h"
#include "make.h"

#define OPERAND_SIZE 0x66u

static bool
is_dropped (uint8_t prefix)
{
  return prefix == 0x2e || prefix == 0x36 || prefix == 0x3e || prefix == 0x26 || prefix == 0x64
         || prefix == 0x65 || prefix == 0x67;
}

static bool
same_operand (const ZydisDecodedOperand *a, const ZydisDecodedOperand *b)
{
  if (a->type != b->type || a->size != b->size || a->actions != b->actions)
    return false;
  switch (a->type)
    {
    case ZYDIS_OPERAND_TYPE_REGISTER:
      return a->reg.value == b->reg.value;
    case ZYDIS_OPERAND_TYPE_MEMORY:
      return a->mem.type == b->mem.type;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
      return (uint32_t) a->imm.value.u == (uint32_t) b->imm.value.u;
    default:
      return false;
    }
}

/* What stands behind the prefixes, with [RAX] for a memory operand. Returns: the length, or 0: there's none. */
static unsigned
encode_body (const ZydisDecodedInstruction *insn, const uint8_t *bytes, uint8_t *to)
{
  const unsigned at = insn->raw.prefix_count, modrm = insn->raw.modrm.offset;
  const uint8_t  opcode = bytes[at];
  unsigned       n = 0, rest = modrm + 1;

  if (!(insn->attributes & ZYDIS_ATTRIB_HAS_MODRM))
    {
      if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && opcode >= 0x40 && opcode <= 0x4f)
        {
          /* INC and DEC. */
          to[n++] = 0xff;
          to[n++] = (uint8_t) (opcode < 0x48 ? 0xc0 | (opcode & 7) : 0xc8 | (opcode & 7));
          return n;
        }
      if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && opcode >= 0xa0 && opcode <= 0xa3)
        {
          /* MOV of the accumulator and a constant address. */
          to[n++] = (uint8_t) (opcode < 0xa2 ? opcode + 0x8a - 0xa0 : opcode + 0x88 - 0xa2);
          to[n++] = 0;
          return n;
        }
      memcpy (to, bytes + at, insn->length - at);
      return insn->length - at;
    }
  memcpy (to, bytes + at, modrm - at);
  n = modrm - at;
  if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && opcode == 0x82)
    to[0] = 0x80;
  if (insn->raw.modrm.mod == 3)
    to[n++] = bytes[modrm];
  else
    {
      to[n++] = (uint8_t) (insn->raw.modrm.reg << 3);
      if (insn->attributes & ZYDIS_ATTRIB_HAS_SIB)
        rest++;
      rest += insn->raw.disp.size / 8;
    }
  memcpy (to + n, bytes + rest, insn->length - rest);
  return n + insn->length - rest;
}

bool
vt_narrow_encode (VtBlocks *b, VtGuestInsn *g)
{
  const uint8_t          *bytes = g->insn.bytes;
  ZydisDecodedInstruction zydis;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  uint8_t                 out[1 + 2 * ZYDIS_MAX_INSTRUCTION_LENGTH];
  bool                    prefixed = false;
  unsigned                n = 1; /* Room for a prefix. */

  for (unsigned i = 0; i < g->zydis.raw.prefix_count; i++)
    if (bytes[i] == OPERAND_SIZE)
      prefixed = true;
    else if (!is_dropped (bytes[i]))
      out[n++] = bytes[i];
  n += encode_body (&g->zydis, bytes, out + n);
  out[0] = OPERAND_SIZE;

  /* With the operand-size prefix, or without; as it was first. */
  for (unsigned i = 0; i < 2; i++)
    {
      const unsigned from = prefixed == (i == 0) ? 0 : 1;
      if (n - from > ZYDIS_MAX_INSTRUCTION_LENGTH
          || !ZYAN_SUCCESS (ZydisDecoderDecodeFull (&b->decoder, out + from, n - from, &zydis, operands))
          || zydis.length != n - from || zydis.mnemonic != g->zydis.mnemonic
          || zydis.operand_count_visible != g->zydis.operand_count_visible)
        continue;
      bool same = true;
      for (unsigned k = 0; k < zydis.operand_count_visible; k++)
        same &= same_operand (&operands[k], &g->operands[k]);
      if (!same)
        continue;
      g->zydis = zydis;
      memcpy (g->operands, operands, sizeof operands);
      memcpy (g->insn.bytes, out + from, zydis.length);
      g->insn.length = zydis.length;
      return true;
    }
  return false;
}

/* Segments ----------------------------------------------------------------------------------------- */

static VtHostMem
room_of (unsigned seg, bool write)
{
  return VT_AT_CORE (offsetof (VtCore, fast.room) + (seg * 2 + write) * sizeof (int64_t));
}

void
vt_narrow_linear (VtMake *make, unsigned to, unsigned seg, unsigned size, bool write)
{
  VtEmit         *e = make->e;
  const VtHostMem last = { .base = (uint8_t) to, .index = VT_S, .scale = 1, .disp = (int32_t) size - 1 };
  const uint32_t  exit = vt_exit (VT_EXIT_INSN, make->insn);

  /* With the room that there is, negative, the last byte's offset stays negative. */
  vt_emit_load (e, true, VT_S, room_of (seg, write));
  vt_emit_lea (e, true, VT_S, last);
  if (make->live)
    {
      vt_emit_store (e, true, VT_CPU_RCX, VT_AT (fast.rcx));
      vt_emit_not (e, VT_S);
      vt_emit_pext (e, VT_CPU_RCX, VT_S, VT_AT (fast.sign_mask));
      vt_make_stub (make, vt_emit_unless_zero (e), VT_RCX_IN_MEMORY, exit);
      vt_emit_load (e, true, VT_CPU_RCX, VT_AT (fast.rcx));
    }
  else
    {
      vt_emit_test (e, VT_S);
      vt_make_stub (make, vt_emit_jcc (e, VT_CC_NOT_SIGN), VT_RCX_ITSELF, exit);
    }
  vt_emit_load (e, true, VT_S,
                VT_AT_CORE (offsetof (VtCore, seg) + seg * sizeof (VtCpuSegment)
                            + offsetof (VtCpuSegment, base)));
  vt_emit_lea (e, false, to, (VtHostMem){ .base = (uint8_t) to, .index = VT_S, .scale = 1 });
}

/* LEA and counts ------------------------------------------------------------------------------------ */

void
vt_narrow_lea (VtMake *make, const VtGuestInsn *g)
{
  VtEmit          *e = make->e;
  const VtOperand *o = &g->insn.operand[0];
  const VtGuestMem m = vt_guest_mem (g);

  if (m.base == VT_NONE && m.index == VT_NONE)
    vt_emit_mov_imm (e, VT_T, m.disp);
  else
    vt_emit_lea (e, false, VT_T,
                 (VtHostMem){ .base = m.base, .index = m.index, .scale = m.scale,
                              .disp = (int32_t) m.disp });
  if (m.word)
    vt_emit_extend16 (e, VT_T, VT_T);
  vt_emit_mov_sized (e, o->size, o->reg, VT_T);
}

/* JCXZ, and LOOP and its kin by CX, which 64-bit mode does not have. RCX is in T while CX is looked at, and the
 * new CX in S. */
void
vt_narrow_count (VtMake *make, const VtGuestInsn *g)
{
  const bool loop = g->insn.op->run == vt_op_loop;
  VtEmit    *e = make->e;
  uint32_t   not_equal = 0;

  vt_emit_mov (e, VT_T, VT_CPU_RCX);
  vt_emit_lea (e, false, VT_S,
               (VtHostMem){ .base = VT_CPU_RCX, .index = VT_NONE, .disp = loop ? -1 : 0 });
  vt_emit_extend16 (e, VT_CPU_RCX, VT_S);
  const uint32_t more = vt_emit_unless_zero (e);
  vt_emit_mov (e, VT_CPU_RCX, VT_T);
  if (!loop)
    {
      vt_make_branch_later (make, vt_emit_jmp (e), g);
      vt_emit_aim (e, more, e->at);
      vt_emit_mov (e, VT_CPU_RCX, VT_T);
      return;
    }
  const uint32_t none = vt_emit_jmp (e);
  vt_emit_aim (e, more, e->at);
  vt_emit_mov (e, VT_CPU_RCX, VT_T);
  if (g->insn.op->arg)
    not_equal = vt_emit_jcc (e, g->insn.op->arg == 1 ? VT_CC_NOT_EQUAL : VT_CC_EQUAL);
  vt_emit_mov_sized (e, 2, VT_CPU_RCX, VT_S);
  vt_make_branch_later (make, vt_emit_jmp (e), g);
  vt_emit_aim (e, none, e->at);
  if (not_equal)
    vt_emit_aim (e, not_equal, e->at);
  vt_emit_mov_sized (e, 2, VT_CPU_RCX, VT_S);
}
