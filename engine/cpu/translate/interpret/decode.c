/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fetch and decoding by Zydis, with a cache of decoded instructions. An entry is used only where the
 * bytes in memory are still its own, so code that changes itself needs no bookkeeping.
 */
#include "interpret.h"

#include "../host/examine.h"
#include "insn.h"

#define CACHE 8192u
#define MOST_BYTES 15u
#define MODES 6u

typedef struct
{
  uint64_t linear;
  VtInsn   insn;
} Entry;

struct VtDecoder
{
  ZydisDecoder zydis[MODES];
  uint16_t     last; /* Mnemonic of the latest instruction. */
  bool         known; /* It is one that is executed here. */
  Entry        cache[CACHE];
};

VtDecoder *
vt_decoder_new (void)
{
  static const struct
  {
    ZydisMachineMode mode;
    ZydisStackWidth  stack;
  } modes[MODES] = {
    { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
    { ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32 },
    { ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16 },
    { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
    { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
    { ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16 },
  };
  VtDecoder *decoder = g_new0 (VtDecoder, 1);

  for (unsigned i = 0; i < MODES; i++)
    ZydisDecoderInit (&decoder->zydis[modes[i].mode], modes[i].mode, modes[i].stack);
  return decoder;
}

void
vt_decoder_free (VtDecoder *decoder)
{
  g_free (decoder);
}

const char *
vt_decoder_last (const VtDecoder *decoder)
{
  const char *name = ZydisMnemonicGetString (decoder->last);
  return name ? name : "";
}

bool
vt_decoder_last_known (const VtDecoder *decoder)
{
  return decoder->known;
}

const ZydisDecoder *
vt_decoder_zydis (const VtDecoder *decoder, ZydisMachineMode mode)
{
  return &decoder->zydis[mode];
}

ZydisMachineMode
vt_decode_mode (const VtCore *core)
{
  if (core->code_bits == 64)
    return ZYDIS_MACHINE_MODE_LONG_64;
  if (!core->protected_mode)
    return ZYDIS_MACHINE_MODE_REAL_16;
  if (core->long_mode)
    return core->code_bits == 32 ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                                 : ZYDIS_MACHINE_MODE_LONG_COMPAT_16;
  return core->code_bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16;
}

/* From Zydis's operands to ours ------------------------------------------------------------------- */

static uint8_t
gpr_number (ZydisRegister reg)
{
  if (reg == ZYDIS_REGISTER_NONE)
    return VT_NO_REG;
  if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP || reg == ZYDIS_REGISTER_IP)
    return VT_REG_RIP;
  return (uint8_t) ZydisRegisterGetId (reg);
}

static uint8_t
segment_number (ZydisRegister reg)
{
  switch (reg)
    {
    case ZYDIS_REGISTER_ES:
      return VT_CPU_ES;
    case ZYDIS_REGISTER_CS:
      return VT_CPU_CS;
    case ZYDIS_REGISTER_SS:
      return VT_CPU_SS;
    case ZYDIS_REGISTER_FS:
      return VT_CPU_FS;
    case ZYDIS_REGISTER_GS:
      return VT_CPU_GS;
    default:
      return VT_CPU_DS;
    }
}

static void
take_register (VtOperand *to, ZydisRegister reg)
{
  switch (ZydisRegisterGetClass (reg))
    {
    case ZYDIS_REGCLASS_GPR8:
      {
        /* AL to BL, AH to BH, SPL to R15B. */
        const uint8_t id = (uint8_t) ZydisRegisterGetId (reg);
        to->kind = id >= 4 && id < 8 ? VT_OPERAND_HIGH : VT_OPERAND_GPR;
        to->reg = id < 4 ? id : (uint8_t) (id - 4);
        break;
      }
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      to->kind = VT_OPERAND_GPR;
      to->reg = (uint8_t) ZydisRegisterGetId (reg);
      break;
    case ZYDIS_REGCLASS_SEGMENT:
      to->kind = VT_OPERAND_SEG;
      to->reg = segment_number (reg);
      break;
    case ZYDIS_REGCLASS_CONTROL:
      to->kind = VT_OPERAND_CR;
      to->reg = (uint8_t) ZydisRegisterGetId (reg);
      break;
    case ZYDIS_REGCLASS_DEBUG:
      to->kind = VT_OPERAND_DR;
      to->reg = (uint8_t) ZydisRegisterGetId (reg);
      break;
    default:
      to->kind = VT_OPERAND_OTHER;
      break;
    }
}

static void
take_memory (VtInsn *insn, const ZydisDecodedInstruction *whole, const ZydisDecodedOperand *from)
{
  insn->seg = segment_number (from->mem.segment);
  insn->base = gpr_number (from->mem.base);
  insn->index = gpr_number (from->mem.index);
  insn->scale = from->mem.scale;
  insn->disp = from->mem.disp.has_displacement ? from->mem.disp.value : 0;
  /* A displacement without a base (SDM volume 2, table 2-3), whatever REX.B says: with 32-bit addresses
   * Zydis 4.0.0 takes R13 for the base, and loses the displacement. */
  if ((whole->attributes & ZYDIS_ATTRIB_HAS_SIB) && whole->address_width != 16
      && whole->raw.modrm.mod == 0 && whole->raw.sib.base == 5)
    {
      insn->base = VT_NO_REG;
      insn->disp = whole->raw.disp.value;
    }
}

static void
take_operands (VtInsn *insn, const ZydisDecodedInstruction *from, const ZydisDecodedOperand *operands)
{
  unsigned n_imm = 0;

  insn->n = MIN (from->operand_count_visible, VT_OPERANDS);
  for (unsigned i = 0; i < insn->n; i++)
    {
      const ZydisDecodedOperand *o = &operands[i];
      VtOperand                 *to = &insn->operand[i];

      to->size = (uint8_t) MIN (o->size / 8, 255);
      to->written = (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
      switch (o->type)
        {
        case ZYDIS_OPERAND_TYPE_REGISTER:
          take_register (to, o->reg.value);
          break;
        case ZYDIS_OPERAND_TYPE_MEMORY:
          to->kind = VT_OPERAND_MEM;
          take_memory (insn, from, o);
          break;
        case ZYDIS_OPERAND_TYPE_POINTER:
          to->kind = VT_OPERAND_FAR;
          insn->imm[0] = o->ptr.offset;
          insn->imm[1] = o->ptr.segment;
          break;
        case ZYDIS_OPERAND_TYPE_IMMEDIATE:
          to->kind = VT_OPERAND_IMM;
          to->reg = (uint8_t) MIN (n_imm, 1);
          if (n_imm < 2)
            insn->imm[n_imm++] = o->imm.value.u;
          break;
        default:
          break;
        }
    }
}

void
vt_insn_take (VtInsn *insn, const ZydisDecodedInstruction *from,
              const ZydisDecodedOperand *operands, ZydisMachineMode mode, const uint8_t *bytes)
{
  static const struct
  {
    ZydisInstructionAttributes attribute;
    uint8_t                    seg;
  } overrides[] = {
    { ZYDIS_ATTRIB_HAS_SEGMENT_CS, VT_CPU_CS }, { ZYDIS_ATTRIB_HAS_SEGMENT_SS, VT_CPU_SS },
    { ZYDIS_ATTRIB_HAS_SEGMENT_DS, VT_CPU_DS }, { ZYDIS_ATTRIB_HAS_SEGMENT_ES, VT_CPU_ES },
    { ZYDIS_ATTRIB_HAS_SEGMENT_FS, VT_CPU_FS }, { ZYDIS_ATTRIB_HAS_SEGMENT_GS, VT_CPU_GS },
  };

  *insn = (VtInsn){
    .mnemonic = (uint16_t) from->mnemonic,
    .length = from->length,
    .osize = from->operand_width / 8,
    .asize = from->address_width / 8,
    .rep = (from->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) != 0,
    .repne = (from->attributes & ZYDIS_ATTRIB_HAS_REPNE) != 0,
    .lock = (from->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0,
    .seg = VT_CPU_DS,
    .base = VT_NO_REG,
    .index = VT_NO_REG,
    .mode = (uint8_t) mode,
  };
  memcpy (insn->bytes, bytes, from->length);
  for (unsigned i = 0; i < G_N_ELEMENTS (overrides); i++)
    if ((from->attributes & overrides[i].attribute)
        && (mode != ZYDIS_MACHINE_MODE_LONG_64 || overrides[i].seg >= VT_CPU_FS))
      insn->seg = overrides[i].seg;
  take_operands (insn, from, operands);
  if (from->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR && from->mnemonic == ZYDIS_MNEMONIC_JMP)
    insn->op = &vt_op_far_jump;
  else if (from->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR && from->mnemonic == ZYDIS_MNEMONIC_CALL)
    insn->op = &vt_op_far_call;
  else if (from->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR && from->mnemonic == ZYDIS_MNEMONIC_RET)
    insn->op = &vt_op_far_return;
  else
    insn->op = vt_op_find (from->mnemonic);
  /* With REX.B, PAUSE's bytes are what they were without its prefix: XCHG of R8 and RAX. */
  if (from->mnemonic == ZYDIS_MNEMONIC_PAUSE && from->raw.rex.B)
    {
      insn->op = vt_op_find (ZYDIS_MNEMONIC_XCHG);
      insn->n = 2;
      insn->operand[0] = (VtOperand){ .kind = VT_OPERAND_GPR,
                                      .reg = VT_CPU_R8,
                                      .size = insn->osize };
      insn->operand[1] = (VtOperand){ .kind = VT_OPERAND_GPR,
                                      .reg = VT_CPU_RAX,
                                      .size = insn->osize };
    }
  /* MOVSD and CMPSD are two instructions each. */
  if ((from->mnemonic == ZYDIS_MNEMONIC_MOVSD || from->mnemonic == ZYDIS_MNEMONIC_CMPSD)
      && from->meta.category != ZYDIS_CATEGORY_STRINGOP)
    insn->op = NULL;
  /* Zydis knows a coprocessor's VEX forms of LZCNT, POPCNT and TZCNT, which no processor of ours has. */
  if (from->meta.isa_ext == ZYDIS_ISA_EXT_KNC || from->meta.isa_ext == ZYDIS_ISA_EXT_KNCE
      || from->meta.isa_ext == ZYDIS_ISA_EXT_KNCV || vt_unit_never_offers (from))
    insn->op = vt_op_find (ZYDIS_MNEMONIC_UD2);
  if (insn->op == NULL && vt_unit_runs (from))
    insn->op = &vt_op_unit;
}

/* Fetch ------------------------------------------------------------------------------------------- */

void
vt_decoder_note (VtDecoder *decoder, const VtInsn *insn)
{
  decoder->last = insn->mnemonic;
  decoder->known = insn->op != NULL;
}

/* Whether the @there bytes begin with its own. */
static bool
is_at (const VtInsn *insn, const uint8_t *bytes, unsigned there)
{
  const unsigned n = insn->length;

  if (G_UNLIKELY (there < MOST_BYTES))
    return n <= there && memcmp (insn->bytes, bytes, n) == 0;
  const uint64_t low = vt_ld64 (insn->bytes) ^ vt_ld64 (bytes);
  const uint64_t high = vt_ld64 (insn->bytes + 7) ^ vt_ld64 (bytes + 7);

  /* The last byte of the lower half is the first of the upper one. */
  return n <= 8 ? low << (64 - 8 * n) == 0 : low == 0 && high << (120 - 8 * n) == 0;
}

static VtAccessSet
fetch_set (const VtCore *core)
{
  return core->cpl == 3 ? VT_SET_USER : VT_SET_KERNEL;
}

/* The instruction at @linear, of which there may be @allowed bytes, and @n in that page. */
static G_GNUC_NO_INLINE void
decode_anew (VtCore *core, Entry *entry, uint64_t linear, ZydisMachineMode mode, unsigned n, unsigned allowed)
{
  VtDecoder              *decoder = core->decoder;
  uint8_t                 bytes[MOST_BYTES];
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];

  vt_mmu_read (core, linear, bytes, n, VT_ACCESS_FETCH, fetch_set (core));
  ZyanStatus status = ZydisDecoderDecodeFull (&decoder->zydis[mode], bytes, n, &instruction, operands);
  if (status == ZYDIS_STATUS_NO_MORE_DATA && n < allowed)
    {
      /* The rest is in the next page, and only now may that one fault. */
      const uint64_t next = vt_mmu_wrap (core, linear + n);
      vt_mmu_read (core, next, bytes + n, allowed - n, VT_ACCESS_FETCH, fetch_set (core));
      status = ZydisDecoderDecodeFull (&decoder->zydis[mode], bytes, allowed, &instruction, operands);
    }
  decoder->last = 0;
  if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG
      || (status == ZYDIS_STATUS_NO_MORE_DATA))
    vt_core_gp (core, 0); /* Beyond 15 bytes, or the segment's limit. */
  if (!ZYAN_SUCCESS (status))
    vt_core_ud (core);
  entry->linear = linear;
  vt_insn_take (&entry->insn, &instruction, operands, mode, bytes);
}

const VtInsn *
vt_decode (VtCore *core)
{
  const ZydisMachineMode mode = vt_decode_mode (core);
  VtDecoder             *decoder = core->decoder;
  uint64_t               linear = core->rip, allowed = MOST_BYTES;

  if (core->code_bits == 64)
    {
      if (!vt_core_canonical (core, linear))
        vt_core_gp (core, 0);
    }
  else
    {
      const VtCpuSegment *cs = &core->seg[VT_CPU_CS];
      if (core->rip > cs->limit)
        vt_core_gp (core, 0);
      allowed = MIN (allowed, (uint64_t) cs->limit - core->rip + 1);
      linear = (uint32_t) (cs->base + core->rip);
    }

  const unsigned n = (unsigned) MIN (allowed, VT_PAGE - (linear & VT_PAGE_OFFSET));
  const uint8_t *host = vt_mmu_host (core, linear, 1, VT_ACCESS_FETCH, fetch_set (core));
  Entry         *entry = &decoder->cache[(linear ^ linear >> 13 ^ (unsigned) mode) % CACHE];
  if (entry->linear != linear || entry->insn.mode != mode || entry->insn.length == 0 || host == NULL
      || !is_at (&entry->insn, host, n))
    decode_anew (core, entry, linear, mode, n, (unsigned) allowed);
  vt_decoder_note (decoder, &entry->insn);
  return &entry->insn;
}
