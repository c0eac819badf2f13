/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Vector instructions that touch memory element by element: gathers, scatters (SDM volume 2, VGATHERDPS and
 * its kin), VMASKMOVPS and its kin, and MASKMOVDQU, which has a byte mask and no visible operand in memory.
 * They work on the saved image of the registers. A fault finds the elements that a gather or scatter has
 * done before it done and their mask bits clear, as the manuals want it, so that the instruction goes on
 * behind the handler; the others have done nothing.
 */
#include "../host/examine.h"
#include "../host/unit.h"
#include "ops.h"

/* @arg of the table: sizes of 8 instead of 4 bytes, and the direction. */
#define WIDE_INDEX 1u
#define WIDE_DATA 2u
#define SCATTER 4u

#define REGISTER VT_UNIT_OPERAND /* Bytes of the longest. */

static void
check_avx (VtCore *core, uint64_t features)
{
  const uint64_t wanted = VT_FEATURE_SSE | VT_FEATURE_AVX | features;

  if (!core->protected_mode || !(core->cr4 & VT_CR4_OSXSAVE) || (core->xcr0 & wanted) != wanted)
    vt_core_ud (core);
  if (core->cr0 & VT_CR0_TS)
    vt_core_raise (core, VT_EXC_NM, 0);
}

static bool
decode (const VtInsn *insn, ZydisDecodedInstruction *out, ZydisDecodedOperand *operands)
{
  ZydisDecoder decoder;

  ZydisDecoderInit (&decoder, (ZydisMachineMode) insn->mode,
                    insn->mode == ZYDIS_MACHINE_MODE_LONG_64       ? ZYDIS_STACK_WIDTH_64
                    : insn->mode == ZYDIS_MACHINE_MODE_LEGACY_32
                          || insn->mode == ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                        ? ZYDIS_STACK_WIDTH_32
                        : ZYDIS_STACK_WIDTH_16);
  return ZYAN_SUCCESS (
      ZydisDecoderDecodeFull (&decoder, insn->bytes, insn->length, out, operands));
}

static bool
is_vector (const ZydisDecodedOperand *o)
{
  const ZydisRegisterClass c = ZydisRegisterGetClass (o->reg.value);
  return o->type == ZYDIS_OPERAND_TYPE_REGISTER
         && (c == ZYDIS_REGCLASS_XMM || c == ZYDIS_REGCLASS_YMM || c == ZYDIS_REGCLASS_ZMM);
}

void
vt_op_gather (VtCore *core, const VtInsn *insn)
{
  const unsigned          index_size = insn->op->arg & WIDE_INDEX ? 8 : 4;
  const unsigned          size = insn->op->arg & WIDE_DATA ? 8 : 4;
  const bool              scatter = (insn->op->arg & SCATTER) != 0;
  const VtAccessKind      kind = scatter ? VT_ACCESS_WRITE : VT_ACCESS_READ;
  const VtAccessSet       set = vt_mmu_data_set (core);
  ZydisDecodedInstruction whole;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  unsigned                data_reg = 0, mask_reg = 0, index_reg = 0, scale = 1, n_vectors = 0;
  uint8_t                 data[REGISTER], index[REGISTER], mask[REGISTER] = { 0 };

  if (!decode (insn, &whole, operands))
    vt_core_ud (core);
  const bool evex = whole.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
  check_avx (core, evex ? VT_FEATURES_AVX512 : 0);
  for (unsigned i = 0; i < whole.operand_count; i++)
    if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
      {
        index_reg = (unsigned) ZydisRegisterGetId (operands[i].mem.index);
        scale = operands[i].mem.scale;
      }
    else if (is_vector (&operands[i]) && n_vectors++ == 0)
      data_reg = (unsigned) ZydisRegisterGetId (operands[i].reg.value);
    else if (is_vector (&operands[i]))
      mask_reg = (unsigned) ZydisRegisterGetId (operands[i].reg.value);
  if (evex)
    mask_reg = (unsigned) ZydisRegisterGetId (whole.avx.mask.reg);

  const unsigned n = (unsigned) whole.avx.vector_length / 8 / MAX (index_size, size);
  vt_unit_get_vector (core, data_reg, data);
  vt_unit_get_vector (core, index_reg, index);
  uint64_t wanted = evex ? vt_unit_get_mask (core, mask_reg) : 0;
  if (!evex)
    {
      vt_unit_get_vector (core, mask_reg, mask);
      for (unsigned i = 0; i < n; i++)
        wanted |= (uint64_t) (mask[(i + 1) * size - 1] >> 7) << i;
    }
  for (unsigned i = 0; i < n; i++)
    {
      if (!(wanted >> i & 1))
        continue;
      const int64_t at = index_size == 8 ? (int64_t) vt_ld64 (index + i * 8)
                                         : (int32_t) vt_ld32 (index + i * 4);
      uint64_t offset = (uint64_t) insn->disp + (uint64_t) at * scale;
      if (insn->base != VT_NO_REG)
        offset += core->gpr[insn->base];
      const uint64_t linear =
          vt_seg_linear (core, insn->seg, offset & vt_ones (insn->asize), size, kind);
      if (scatter)
        vt_mmu_store (core, linear, size, vt_ld (data + i * size, size), set);
      else
        {
          vt_st (data + i * size, size, vt_mmu_load (core, linear, size, set));
          vt_unit_put_vector (core, data_reg, data);
        }
      wanted &= ~VT_BIT (i);
      if (evex)
        vt_unit_put_mask (core, mask_reg, wanted);
      else
        {
          memset (mask + i * size, 0, size);
          vt_unit_put_vector (core, mask_reg, mask);
        }
    }
  /* Done: the mask is clear, and what is above the elements. */
  if (!scatter)
    {
      memset (data + n * size, 0, REGISTER - n * size);
      vt_unit_put_vector (core, data_reg, data);
    }
  memset (mask, 0, sizeof mask);
  if (evex)
    vt_unit_put_mask (core, mask_reg, 0);
  else
    vt_unit_put_vector (core, mask_reg, mask);
}

/* VMASKMOVPS, VMASKMOVPD, VPMASKMOVD and VPMASKMOVQ. What the mask leaves out is not touched. */
void
vt_op_masked (VtCore *core, const VtInsn *insn)
{
  const unsigned          size = insn->op->arg & WIDE_DATA ? 8 : 4;
  const VtAccessSet       set = vt_mmu_data_set (core);
  ZydisDecodedInstruction whole;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  uint8_t                 data[REGISTER] = { 0 }, mask[REGISTER];

  if (!decode (insn, &whole, operands) || !is_vector (&operands[1]))
    vt_core_decline (core);
  check_avx (core, 0);
  const bool         store = operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
  const VtAccessKind kind = store ? VT_ACCESS_WRITE : VT_ACCESS_READ;
  const unsigned     n = (unsigned) whole.avx.vector_length / 8 / size;
  const unsigned     reg = (unsigned) ZydisRegisterGetId (operands[store ? 2 : 0].reg.value);
  uint64_t           linear[REGISTER / 4];

  vt_unit_get_vector (core, (unsigned) ZydisRegisterGetId (operands[1].reg.value), mask);
  if (store)
    vt_unit_get_vector (core, reg, data);
  for (unsigned i = 0; i < n; i++)
    {
      if (!(mask[(i + 1) * size - 1] & 0x80))
        continue;
      linear[i] = vt_insn_linear (core, insn, i * size, size, kind);
      if (store)
        vt_mmu_probe_write (core, linear[i], size, set);
      else
        vt_st (data + i * size, size, vt_mmu_load (core, linear[i], size, set));
    }
  if (!store)
    vt_unit_put_vector (core, reg, data);
  else
    for (unsigned i = 0; i < n; i++)
      if (mask[(i + 1) * size - 1] & 0x80)
        vt_mmu_store (core, linear[i], size, vt_ld (data + i * size, size), set);
}

/* What an instruction of MMX does besides: the x87's registers are all in use, from the first on. */
static void
check_mmx (VtCore *core)
{
  if (core->cr0 & VT_CR0_EM)
    vt_core_ud (core);
  if (core->cr0 & VT_CR0_TS)
    vt_core_raise (core, VT_EXC_NM, 0);
  if ((vt_unit_in_use (core) & VT_FEATURE_X87) && (core->xsave[2] & 0x80))
    {
      if (!(core->cr0 & VT_CR0_NE))
        vt_core_decline (core); /* FERR# is the chipset's. */
      vt_core_raise (core, VT_EXC_MF, 0);
    }
}

static void
enter_mmx (VtCore *core)
{
  vt_unit_use (core, 0);
  vt_unit_move_top (core, 0);
  vt_st16 (core->xsave + 2, vt_ld16 (core->xsave + 2) & 0xc7ff);
  core->xsave[4] = 0xff;
}

/* Of XMM or MMX register @o. */
static void
get_bytes (const VtCore *core, const ZydisDecodedOperand *o, uint8_t to[REGISTER])
{
  const unsigned reg = (unsigned) ZydisRegisterGetId (o->reg.value);

  if (is_vector (o))
    vt_unit_get_vector (core, reg, to);
  else
    vt_unit_get_mmx (core, reg, to);
}

/* MASKMOVQ, MASKMOVDQU and VMASKMOVDQU: the bytes at DS:rDI whose mask's sign is set. */
void
vt_op_masked_bytes (VtCore *core, const VtInsn *insn)
{
  const VtAccessSet       set = vt_mmu_data_set (core);
  const bool              mmx = insn->mnemonic == ZYDIS_MNEMONIC_MASKMOVQ;
  const unsigned          n = mmx ? 8 : 16;
  const uint64_t          offset = core->gpr[VT_CPU_RDI] & vt_ones (insn->asize);
  ZydisDecodedInstruction whole;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  uint8_t                 data[REGISTER], mask[REGISTER];
  uint64_t                linear[16];

  if (!decode (insn, &whole, operands))
    vt_core_decline (core);
  if (mmx)
    check_mmx (core);
  else if (whole.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
    check_avx (core, 0);
  else if ((core->cr0 & VT_CR0_EM) || !(core->cr4 & VT_CR4_OSFXSR))
    vt_core_ud (core);
  else if (core->cr0 & VT_CR0_TS)
    vt_core_raise (core, VT_EXC_NM, 0);
  get_bytes (core, &operands[0], data);
  get_bytes (core, &operands[1], mask);
  /* All is checked before the first byte is written. */
  for (unsigned i = 0; i < n; i++)
    if (mask[i] & 0x80)
      {
        linear[i] = vt_seg_linear (core, insn->seg, (offset + i) & vt_ones (insn->asize), 1,
                                   VT_ACCESS_WRITE);
        vt_mmu_probe_write (core, linear[i], 1, set);
      }
  for (unsigned i = 0; i < n; i++)
    if (mask[i] & 0x80)
      vt_mmu_store (core, linear[i], 1, data[i], set);
  if (mmx)
    enter_mmx (core);
}
