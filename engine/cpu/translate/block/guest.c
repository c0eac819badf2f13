/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Decoding, and which instruction is translated how. What is not named here is interpreted, so that nothing
 * runs on the host that nobody has thought of.
 */
#include "../interpret/ops.h"
#include "make.h"

/* Instructions that touch nothing but flags and the operands that they show, or registers that are in
 * their places. */
static bool
touches_operands (const VtInsn *insn)
{
  static void (*const run[]) (VtCore *, const VtInsn *) = {
    vt_op_binary,   vt_op_compare,  vt_op_unary,        vt_op_shift, vt_op_shift_double, vt_op_bit,
    vt_op_scan,     vt_op_mul,      vt_op_imul,         vt_op_div,   vt_op_idiv,         vt_op_extend_a,
    vt_op_extend_d, vt_op_cmov,     vt_op_set,          vt_op_xchg,  vt_op_xadd,         vt_op_cmpxchg,
    vt_op_movzx,    vt_op_movsx,    vt_op_cmpxchg_pair, vt_op_movbe, vt_op_bswap,        vt_op_lahf,
    vt_op_sahf,     vt_op_flag,     vt_op_cmc,          vt_op_mov,
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (run); i++)
    if (insn->op->run == run[i])
      return true;
  return false;
}

/* Instructions behind which a block does not go on: they go elsewhere, or into another mode. */
static bool
goes_away (const VtInsn *insn)
{
  static void (*const run[]) (VtCore *, const VtInsn *) = {
    vt_op_iret, vt_op_syscall, vt_op_sysret, vt_op_sysenter, vt_op_sysexit, vt_op_int,
    vt_op_int_fixed, vt_op_ud, vt_op_hlt, vt_op_jmp, vt_op_call, vt_op_ret,
  };

  if (insn->op == NULL || insn->op == &vt_op_far_jump || insn->op == &vt_op_far_call
      || insn->op == &vt_op_far_return)
    return true;
  for (unsigned i = 0; i < G_N_ELEMENTS (run); i++)
    if (insn->op->run == run[i])
      return true;
  return false;
}

/* Whether AH to BH can change places with the lower half beside a memory operand, where a REX prefix makes
 * another register of it. */
static bool
high_fits (const VtInsn *insn, unsigned reg)
{
  const bool addressed = insn->base == reg || insn->index == reg;

  return (insn->op->run == vt_op_mov || insn->op->run == vt_op_binary || insn->op->run == vt_op_compare)
         && (insn->mode != ZYDIS_MACHINE_MODE_LONG_64 || !addressed);
}

/* Whether it is less than a displacement can say by as much as there is in a page. */
static bool
is_distance (uint64_t by)
{
  return (int64_t) by >= INT32_MIN + (int) (2 * VT_PAGE) && (int64_t) by <= INT32_MAX - (int) (2 * VT_PAGE);
}

/* Whether its address, if relative to RIP, can be had from its page's by a displacement. */
static bool
is_within_reach (const VtInsn *insn)
{
  return insn->base != VT_REG_RIP || (insn->asize == 8 && is_distance ((uint64_t) insn->disp));
}

/* Whether registers are in fields that can be written anew, and the operand is plain memory. */
static bool
memory_fits (const VtGuestInsn *g)
{
  const ZydisDecodedOperand *m = g->memory;

  if (!is_within_reach (&g->insn) || m->mem.type != ZYDIS_MEMOP_TYPE_MEM || m->size == 0 || m->size / 8 > VT_UNIT_OPERAND
      || !(g->zydis.attributes & ZYDIS_ATTRIB_HAS_MODRM)
      || (g->zydis.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY
          && g->zydis.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX
          && g->zydis.encoding != ZYDIS_INSTRUCTION_ENCODING_EVEX))
    return false;
  for (unsigned i = 0; i < g->insn.n; i++)
    {
      const ZydisDecodedOperand *o = &g->operands[i];
      const uint32_t             lent = 7u << VT_G;
      if (g->insn.operand[i].kind == VT_OPERAND_HIGH && !high_fits (&g->insn, g->insn.operand[i].reg))
        return false;
      if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && (vt_unit_mentions (o) & lent)
          && o->encoding != ZYDIS_OPERAND_ENCODING_MODRM_REG
          && o->encoding != ZYDIS_OPERAND_ENCODING_NDSNDD)
        return false;
    }
  return true;
}

/* By itself, an instruction of the units; the interpreter has those that store by a mask, or are about control words, done
 * in C. LDMXCSR is left to it: AMD's processors have a bit there that guests are not offered. */
static bool
is_unit (const VtInsn *insn)
{
  static void (*const run[]) (VtCore *, const VtInsn *) = {
    vt_op_masked, vt_op_fnstcw, vt_op_fldcw, vt_op_fnstsw, vt_op_fclex, vt_op_fwait, vt_op_stmxcsr,
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (run); i++)
    if (insn->op->run == run[i])
      return true;
  return insn->op == &vt_op_unit;
}

static bool
is_plain (const VtGuestInsn *g, unsigned mode)
{
  const VtInsn *insn = &g->insn;

  if (is_unit (insn))
    {
      /* MMX and the x87 want the same. */
      static const uint8_t wanted[] = { 0,           VT_MODE_MMX, VT_MODE_MMX,
                                        VT_MODE_SSE, VT_MODE_AVX, VT_MODE_AVX512 };
      if ((mode & wanted[g->use.needs]) != wanted[g->use.needs])
        return false;
    }
  else
    {
      if (!touches_operands (insn))
        return false;
      for (unsigned i = 0; i < insn->n; i++)
        if (insn->operand[i].kind != VT_OPERAND_GPR && insn->operand[i].kind != VT_OPERAND_HIGH
            && insn->operand[i].kind != VT_OPERAND_MEM && insn->operand[i].kind != VT_OPERAND_IMM)
          return false;
      /* A register as the bit's number reaches beyond the operand. */
      if (insn->op->run == vt_op_bit && g->memory && insn->operand[1].kind == VT_OPERAND_GPR)
        return false;
    }
  return g->memory == NULL || memory_fits (g);
}

static VtKind
jump_kind (VtBlocks *b, VtGuestInsn *g, VtKind kind)
{
  const VtOperand *o = &g->insn.operand[0];

  /* In 64-bit mode makers differ in what an operand-size prefix does here. */
  if (!vt_guest_is_narrow (g) && (g->zydis.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE))
    return VT_KIND_LAST;
  if (o->kind == VT_OPERAND_IMM)
    {
      g->target = (g->next + g->insn.imm[0]) & vt_ones (vt_guest_near_size (g));
      return is_distance (g->insn.imm[0]) && g->target <= b->code.last && vt_core_canonical (b->core, g->target) ? kind : VT_KIND_LAST;
    }
  if (o->kind == VT_OPERAND_MEM)
    {
      g->memory = &g->operands[0];
      return memory_fits (g) && o->size == vt_guest_near_size (g) ? kind : VT_KIND_LAST;
    }
  return o->kind == VT_OPERAND_GPR && o->size == vt_guest_near_size (g) ? kind : VT_KIND_LAST;
}

static VtKind
push_kind (VtGuestInsn *g)
{
  const VtOperand *o = &g->insn.operand[0];
  const bool       narrow = vt_guest_is_narrow (g);

  if (!narrow && (g->zydis.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE))
    return VT_KIND_INTERPRET;
  if (o->kind == VT_OPERAND_MEM)
    {
      g->memory = &g->operands[0];
      return memory_fits (g) && o->size == vt_guest_near_size (g) ? VT_KIND_PUSH : VT_KIND_INTERPRET;
    }
  return o->kind == VT_OPERAND_IMM || (o->kind == VT_OPERAND_SEG && narrow)
                 || (o->kind == VT_OPERAND_GPR && o->size == vt_guest_near_size (g))
             ? VT_KIND_PUSH
             : VT_KIND_INTERPRET;
}

static VtKind
pop_kind (const VtGuestInsn *g)
{
  const VtOperand *o = &g->insn.operand[0];

  if (o->kind != VT_OPERAND_GPR || o->size != vt_guest_near_size (g) || (o->size == 2 && o->reg == VT_CPU_RSP))
    return VT_KIND_INTERPRET;
  return VT_KIND_POP;
}

static VtKind
kind_of (VtBlocks *b, VtGuestInsn *g, unsigned mode)
{
  const VtInsn *insn = &g->insn;
  const bool    narrow = vt_guest_is_narrow (g);
  /* In 64-bit mode. */
  const bool    word = !narrow && (g->zydis.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE), strict = b->core->strict;

  /* What comes behind it is not in the segment, or RIP begins anew. */
  if (insn->op == NULL || g->next > b->code.last)
    return VT_KIND_LAST;
  void (*const run) (VtCore *, const VtInsn *) = insn->op->run;

  if (run == vt_op_jmp)
    return jump_kind (b, g, VT_KIND_JMP);
  if (run == vt_op_call)
    return jump_kind (b, g, VT_KIND_CALL);
  if (run == vt_op_ret)
    return word ? VT_KIND_LAST : VT_KIND_RET;
  if (run == vt_op_jcc || run == vt_op_loop || run == vt_op_jcxz)
    {
      const VtKind kind = jump_kind (b, g, run == vt_op_jcc ? VT_KIND_JCC : VT_KIND_COUNT);
      /* With a repeat prefix an AMD processor makes LOOPE of LOOPNE. */
      if (kind == VT_KIND_COUNT && (insn->rep || insn->repne || (!narrow && g->zydis.length > 3)))
        return VT_KIND_INTERPRET;
      return kind == VT_KIND_LAST ? VT_KIND_INTERPRET : kind;
    }
  if (goes_away (insn))
    return !strict && vt_system_kind (g, mode) == VT_KIND_AWAY ? VT_KIND_AWAY : VT_KIND_LAST;
  if (run == vt_op_swapgs || run == vt_op_cli || run == vt_op_sti || run == vt_op_ac || run == vt_op_pushf)
    return vt_system_kind (g, mode);
  if (run == vt_op_string && vt_string_fits (insn))
    return VT_KIND_STRING;
  if (run == vt_op_string || run == vt_op_popf || (run == vt_op_bit && insn->operand[0].kind == VT_OPERAND_MEM
                              && insn->operand[1].kind == VT_OPERAND_GPR))
    return strict ? VT_KIND_INTERPRET : vt_system_kind (g, mode);
  if (run == vt_op_push)
    return push_kind (g);
  if (run == vt_op_pop)
    return pop_kind (g);
  if (run == vt_op_leave)
    return word ? VT_KIND_INTERPRET : VT_KIND_LEAVE;
  if (run == vt_op_lea)
    return insn->operand[1].kind == VT_OPERAND_MEM && (insn->osize > 2 || narrow) && is_within_reach (insn)
               ? VT_KIND_LEA
               : VT_KIND_INTERPRET;
  if (narrow && (touches_operands (insn) || run == vt_op_nop || run == vt_op_fence
                 || is_unit (insn))
      && !vt_narrow_encode (b, g))
    return VT_KIND_INTERPRET;
  if (run == vt_op_nop || run == vt_op_fence)
    {
      const bool order = run == vt_op_fence || insn->mnemonic == ZYDIS_MNEMONIC_LFENCE
                         || insn->mnemonic == ZYDIS_MNEMONIC_SFENCE
                         || insn->mnemonic == ZYDIS_MNEMONIC_PAUSE;
      return order && insn->n == 0 ? VT_KIND_PLAIN : VT_KIND_NOTHING;
    }
  if (is_unit (insn) && !vt_unit_examine (&g->zydis, g->operands, &g->use))
    return VT_KIND_INTERPRET;
  for (unsigned i = 0; i < insn->n; i++)
    if (g->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
      {
        if (g->memory)
          return VT_KIND_INTERPRET;
        g->memory = &g->operands[i];
      }
  if (is_plain (g, mode))
    return VT_KIND_PLAIN;
  return !strict && (g->memory == NULL || memory_fits (g)) ? vt_system_kind (g, mode) : VT_KIND_INTERPRET;
}

static const ZydisDecoder *
decoder_of (VtBlocks *b)
{
  return vt_decoder_zydis (b->core->decoder,
                           (ZydisMachineMode) ((b->code.mode & VT_MODE_DECODE) >> VT_MODE_DECODE_SHIFT));
}

/* The bytes at @rip, of which the guest may write others: what is decoded is what is translated. An instruction
 * that isn't the block's first ends in the page. Returns: how many. */
static unsigned
fetch (VtBlocks *b, uint64_t rip, bool cross, uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH])
{
  const unsigned at = (unsigned) (rip - b->code.page_rip);
  const unsigned in_page = MIN ((unsigned) VT_PAGE - at, ZYDIS_MAX_INSTRUCTION_LENGTH);
  const unsigned most = cross ? ZYDIS_MAX_INSTRUCTION_LENGTH : in_page;

  memcpy (bytes, b->bytes + at, in_page);
  if (cross)
    memcpy (bytes + in_page, b->code.tail, ZYDIS_MAX_INSTRUCTION_LENGTH - in_page);
  return (unsigned) MIN ((uint64_t) most - 1, b->code.last - rip) + 1;
}

bool
vt_guest_crosses (VtBlocks *b, uint64_t rip)
{
  ZydisDecodedInstruction insn;
  uint8_t                 bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];

  if (rip - b->code.page_rip <= VT_PAGE - ZYDIS_MAX_INSTRUCTION_LENGTH)
    return false;
  vt_revive_seen (b, (unsigned) (rip - b->code.page_rip), (unsigned) (VT_PAGE - (rip - b->code.page_rip)));
  return ZydisDecoderDecodeInstruction (decoder_of (b), NULL, bytes, fetch (b, rip, false, bytes), &insn)
         == ZYDIS_STATUS_NO_MORE_DATA;
}

bool
vt_guest_decode (VtBlocks *b, uint64_t rip, VtGuestInsn *g)
{
  const ZydisMachineMode mode =
      (ZydisMachineMode) ((b->code.mode & VT_MODE_DECODE) >> VT_MODE_DECODE_SHIFT);
  uint8_t        bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];
  const unsigned at = (unsigned) (rip - b->code.page_rip);
  const unsigned n = fetch (b, rip, b->code.tail != NULL && rip == b->code.rip, bytes);

  if (!ZYAN_SUCCESS (ZydisDecoderDecodeFull (decoder_of (b), bytes, n, &g->zydis, g->operands)))
    {
      vt_revive_seen (b, at, MIN (n, (unsigned) VT_PAGE - at));
      return false;
    }
  vt_revive_seen (b, at, MIN (g->zydis.length, (unsigned) VT_PAGE - at));
  g->memory = NULL;
  g->use = (VtUnitUse){ 0 };
  g->rip = rip;
  g->next = rip + g->zydis.length;
  g->target = 0;
  g->inverted = false;
  vt_insn_take (&g->insn, &g->zydis, g->operands, mode, bytes);
  g->x87_opcode = vt_unit_x87_opcode (&g->zydis);
  g->flat = (b->code.mode & VT_MODE_FLAT) != 0;
  g->kind = (uint8_t) kind_of (b, g, b->code.mode);
  if (g->kind == VT_KIND_INTERPRET || g->kind == VT_KIND_LAST)
    {
      /* It may have been encoded anew, and the interpreter wants what stands there. */
      g->insn.length = (uint8_t) (g->next - rip);
      memcpy (g->insn.bytes, bytes, g->insn.length);
    }
  return true;
}
