/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an instruction of the units touches: see examine.h.
 */
#include "examine.h"

#define RSP (1u << 4)

bool
vt_unit_never_offers (const ZydisDecodedInstruction *insn)
{
  const ZydisISASet set = insn->meta.isa_set;

  return (set >= ZYDIS_ISA_SET_AVX512ER_512 && set <= ZYDIS_ISA_SET_AVX512ER_SCALAR)
         || (set >= ZYDIS_ISA_SET_AVX512PF_512 && set <= ZYDIS_ISA_SET_AVX512_4VNNIW_512)
         || (set >= ZYDIS_ISA_SET_AVX512_FP16_128 && set <= ZYDIS_ISA_SET_AVX512_FP16_SCALAR)
         || (set >= ZYDIS_ISA_SET_AVX512_VP2INTERSECT_128 && set <= ZYDIS_ISA_SET_AVX512_VP2INTERSECT_512);
}

bool
vt_unit_runs (const ZydisDecodedInstruction *insn)
{
  if (vt_unit_never_offers (insn))
    return false;
  switch (insn->meta.isa_ext)
    {
    case ZYDIS_ISA_EXT_X87:
    case ZYDIS_ISA_EXT_MMX:
    case ZYDIS_ISA_EXT_SSE:
    case ZYDIS_ISA_EXT_SSE2:
    case ZYDIS_ISA_EXT_SSE3:
    case ZYDIS_ISA_EXT_SSSE3:
    case ZYDIS_ISA_EXT_SSE4:
    case ZYDIS_ISA_EXT_SSE4A:
    case ZYDIS_ISA_EXT_AES:
    case ZYDIS_ISA_EXT_PCLMULQDQ:
    case ZYDIS_ISA_EXT_AVX:
    case ZYDIS_ISA_EXT_AVX2:
    case ZYDIS_ISA_EXT_AVX512EVEX:
    case ZYDIS_ISA_EXT_AVX512VEX:
    case ZYDIS_ISA_EXT_AVXAES:
    case ZYDIS_ISA_EXT_FMA:
    case ZYDIS_ISA_EXT_F16C:
    case ZYDIS_ISA_EXT_SHA:
    case ZYDIS_ISA_EXT_GFNI:
    case ZYDIS_ISA_EXT_VAES:
    case ZYDIS_ISA_EXT_VPCLMULQDQ:
    case ZYDIS_ISA_EXT_BMI1:
    case ZYDIS_ISA_EXT_BMI2:
    case ZYDIS_ISA_EXT_ADOX_ADCX:
      return true;
    default:
      return false;
    }
}

uint32_t
vt_unit_mentions (const ZydisDecodedOperand *o)
{
  switch (ZydisRegisterGetClass (o->reg.value))
    {
    case ZYDIS_REGCLASS_GPR8:
      {
        const int id = ZydisRegisterGetId (o->reg.value);
        return 1u << (id < 4 ? id : id - 4);
      }
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      return 1u << ZydisRegisterGetId (o->reg.value);
    default:
      return 0;
    }
}

uint16_t
vt_unit_x87_opcode (const ZydisDecodedInstruction *insn)
{
  if (insn->meta.isa_ext != ZYDIS_ISA_EXT_X87 || insn->length < 2)
    return 0;
  return (uint16_t) ((insn->opcode & 7) << 8
                     | (insn->raw.modrm.mod << 6 | insn->raw.modrm.reg << 3 | insn->raw.modrm.rm));
}

static void
raise_needs (VtUnitUse *use, VtNeeds needs)
{
  if (needs > use->needs)
    use->needs = (uint8_t) needs;
}

/* Takes a register operand into account. Returns: whether such a one may be there at all. */
static bool
accept_register (VtUnitUse *use, const ZydisDecodedOperand *o, ZydisInstructionEncoding encoding)
{
  switch (ZydisRegisterGetClass (o->reg.value))
    {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
    case ZYDIS_REGCLASS_FLAGS:
      return true;
    case ZYDIS_REGCLASS_X87:
      use->x87_too = true;
      raise_needs (use, VT_NEEDS_X87);
      return true;
    case ZYDIS_REGCLASS_MMX:
      use->x87_too = true;
      raise_needs (use, VT_NEEDS_MMX);
      return true;
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_ZMM:
      raise_needs (use, encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX  ? VT_NEEDS_AVX512
                         : encoding == ZYDIS_INSTRUCTION_ENCODING_VEX ? VT_NEEDS_AVX
                                                                      : VT_NEEDS_SSE);
      return true;
    case ZYDIS_REGCLASS_MASK:
      raise_needs (use, VT_NEEDS_AVX512);
      return true;
    default:
      return o->reg.value == ZYDIS_REGISTER_MXCSR || o->reg.value == ZYDIS_REGISTER_X87CONTROL
             || o->reg.value == ZYDIS_REGISTER_X87STATUS || o->reg.value == ZYDIS_REGISTER_X87TAG;
    }
}

/* Whether the operand may have to be aligned (SDM volume 2, 2.7): where it is not, the host is asked. */
static bool
may_want_alignment (const ZydisDecodedInstruction *insn)
{
  if (insn->encoding != ZYDIS_INSTRUCTION_ENCODING_VEX
      && insn->encoding != ZYDIS_INSTRUCTION_ENCODING_EVEX)
    return insn->mnemonic != ZYDIS_MNEMONIC_MOVUPS && insn->mnemonic != ZYDIS_MNEMONIC_MOVDQU;
  return insn->meta.exception_class == ZYDIS_EXCEPTION_CLASS_AVX1
         || insn->meta.exception_class == ZYDIS_EXCEPTION_CLASS_E1
         || insn->meta.exception_class == ZYDIS_EXCEPTION_CLASS_E1NF;
}

static bool
is_packed (ZydisMnemonic mnemonic)
{
  switch (mnemonic)
    {
    case ZYDIS_MNEMONIC_VCOMPRESSPS:
    case ZYDIS_MNEMONIC_VCOMPRESSPD:
    case ZYDIS_MNEMONIC_VPCOMPRESSB:
    case ZYDIS_MNEMONIC_VPCOMPRESSW:
    case ZYDIS_MNEMONIC_VPCOMPRESSD:
    case ZYDIS_MNEMONIC_VPCOMPRESSQ:
    case ZYDIS_MNEMONIC_VEXPANDPS:
    case ZYDIS_MNEMONIC_VEXPANDPD:
    case ZYDIS_MNEMONIC_VPEXPANDB:
    case ZYDIS_MNEMONIC_VPEXPANDW:
    case ZYDIS_MNEMONIC_VPEXPANDD:
    case ZYDIS_MNEMONIC_VPEXPANDQ:
      return true;
    default:
      return false;
    }
}

/* Accesses the whole operand, or may fault as if it did, whatever its mask says (SDM volume 2, 2.8: classes without fault suppression). */
static bool
minds_all (const ZydisDecodedInstruction *insn)
{
  /* Of these, elements of the operand go into several of the result; Zydis has them in another class. */
  if (insn->mnemonic == ZYDIS_MNEMONIC_VCVTNE2PS2BF16
      || insn->mnemonic == ZYDIS_MNEMONIC_VDBPSADBW || insn->mnemonic == ZYDIS_MNEMONIC_VGF2P8AFFINEQB
      || insn->mnemonic == ZYDIS_MNEMONIC_VGF2P8AFFINEINVQB)
    return true;
  switch (insn->meta.exception_class)
    {
    case ZYDIS_EXCEPTION_CLASS_E1NF:
    case ZYDIS_EXCEPTION_CLASS_E2NF:
    case ZYDIS_EXCEPTION_CLASS_E3NF:
    case ZYDIS_EXCEPTION_CLASS_E4NF:
    case ZYDIS_EXCEPTION_CLASS_E5NF:
    case ZYDIS_EXCEPTION_CLASS_E6NF:
    case ZYDIS_EXCEPTION_CLASS_E9NF:
    case ZYDIS_EXCEPTION_CLASS_E10NF:
    case ZYDIS_EXCEPTION_CLASS_E11NF:
      return true;
    default:
      return false;
    }
}

/* Which of the operand's elements a mask of AVX-512 selects. The mask is about the elements that the
 * instruction computes: the widest of its operands, which a conversion has fewer of than of others. */
static void
examine_mask (const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands, VtUnitUse *use)
{
  const ZydisDecodedOperand *memory = NULL;
  unsigned                   widest = 8;

  if (insn->encoding != ZYDIS_INSTRUCTION_ENCODING_EVEX || insn->avx.mask.reg == ZYDIS_REGISTER_NONE
      || insn->avx.mask.reg == ZYDIS_REGISTER_K0 || use->size == 0 || (!use->writes && minds_all (insn)))
    return;
  for (unsigned i = 0; i < insn->operand_count_visible; i++)
    {
      const ZydisDecodedOperand *o = &operands[i];
      if (o->type == ZYDIS_OPERAND_TYPE_MEMORY)
        memory = o;
      else if (o->type != ZYDIS_OPERAND_TYPE_REGISTER
               || ZydisRegisterGetClass (o->reg.value) == ZYDIS_REGCLASS_MASK)
        continue;
      /* The bytes of its operand choose from among the bits of another's larger elements. */
      if (insn->mnemonic != ZYDIS_MNEMONIC_VPSHUFBITQMB)
        widest = MAX (widest, o->element_size);
    }
  use->mask = (uint8_t) ZydisRegisterGetId (insn->avx.mask.reg);
  use->packed = is_packed (insn->mnemonic);
  use->all_fault = minds_all (insn);
  use->n_bits = (uint8_t) (insn->avx.vector_length / widest);
  use->element = (uint8_t) (use->size / MAX (1u, use->n_bits));
  if (use->writes && !use->packed)
    {
      /* A piece of a register may be as little as a quarter of it. */
      use->n_bits = (uint8_t) memory->element_count;
      use->element = (uint8_t) (memory->element_size / 8);
    }
  else if (insn->avx.broadcast.mode != ZYDIS_BROADCAST_MODE_INVALID)
    use->element = (uint8_t) MIN (widest / 8, use->size);
  else if (memory->element_count <= 1)
    {
      /* A scalar. */
      use->n_bits = 1;
      use->element = use->size;
    }
}

bool
vt_unit_examine (const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                 VtUnitUse *use)
{
  unsigned n_memory = 0;

  *use = (VtUnitUse){ 0 };
  if (insn->meta.isa_ext == ZYDIS_ISA_EXT_X87)
    {
      use->x87_too = true;
      raise_needs (use, VT_NEEDS_X87);
    }
  if (insn->mnemonic == ZYDIS_MNEMONIC_EMMS)
    {
      use->x87_too = true;
      raise_needs (use, VT_NEEDS_MMX);
    }
  /* VZEROUPPER names no register, nor do conversions from memory to a general one. */
  if (insn->meta.isa_ext == ZYDIS_ISA_EXT_AVX)
    raise_needs (use, VT_NEEDS_AVX);
  if (insn->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX)
    raise_needs (use, VT_NEEDS_AVX512);
  if ((insn->meta.isa_ext == ZYDIS_ISA_EXT_SSE
       || insn->meta.isa_ext == ZYDIS_ISA_EXT_SSE2)
      && insn->meta.exception_class != ZYDIS_EXCEPTION_CLASS_NONE)
    raise_needs (use, VT_NEEDS_SSE);
  for (unsigned i = 0; i < insn->operand_count; i++)
    {
      const ZydisDecodedOperand *o = &operands[i];
      const bool                 visible = i < insn->operand_count_visible;
      switch (o->type)
        {
        case ZYDIS_OPERAND_TYPE_REGISTER:
          if (!accept_register (use, o, insn->encoding)
              || (!visible && vt_unit_mentions (o) == RSP))
            return false;
          use->flags |= ZydisRegisterGetClass (o->reg.value) == ZYDIS_REGCLASS_FLAGS
                        && (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
          break;
        case ZYDIS_OPERAND_TYPE_MEMORY:
          /* One, named, plain: no gather, and no operand that the assembler doesn't show. */
          if (!visible || n_memory++ || o->mem.type != ZYDIS_MEMOP_TYPE_MEM || o->size == 0
              || o->size / 8 > VT_UNIT_OPERAND)
            return false;
          use->size = (uint8_t) (o->size / 8);
          use->reads = (o->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0
                        || (o->actions & ZYDIS_OPERAND_ACTION_CONDWRITE) != 0;
          use->writes = (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
          use->aligned = use->size >= 16 && may_want_alignment (insn);
          break;
        case ZYDIS_OPERAND_TYPE_IMMEDIATE:
          break;
        default:
          return false;
        }
    }
  examine_mask (insn, operands, use);
  return true;
}
