/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Instructions about the units' state rather than their numbers: control words, environments, FXSAVE and
 * XSAVE with their kin, PKRU. They work on the core's image, so that no address of the host's can get into what a
 * guest reads.
 */
#include "../host/unit.h"
#include "ops.h"

#define FCW 0u
#define FSW 2u
#define FTW 4u /* One bit a register: not empty. */
#define FOP 6u
#define FIP 8u
#define FDP 16u
#define MXCSR 24u
#define ST(n) (32u + 16u * (n))
#define XMM 160u
#define XMM_END 416u

static void
check_x87 (VtCore *core)
{
  if (core->cr0 & (VT_CR0_EM | VT_CR0_TS))
    vt_core_raise (core, VT_EXC_NM, 0);
  vt_unit_use (core, 0);
}

/* Waiting instructions report what an earlier one left. */
static void
check_pending (VtCore *core)
{
  if (!(vt_ld16 (core->xsave + FSW) & 0x80))
    return;
  if (!(core->cr0 & VT_CR0_NE))
    vt_core_decline (core); /* FERR# is the chipset's. */
  vt_core_raise (core, VT_EXC_MF, 0);
}

/* ES and B follow from the exceptions and their masks. */
static void
update_summary (VtCore *core)
{
  uint16_t   fsw = vt_ld16 (core->xsave + FSW);
  const bool summary = (fsw & ~vt_ld16 (core->xsave + FCW) & 0x3f) != 0;

  fsw = (uint16_t) ((fsw & ~0x8080u) | (summary ? 0x8080u : 0));
  vt_st16 (core->xsave + FSW, fsw);
}

static void
initialize (VtCore *core)
{
  vt_unit_move_top (core, 0);
  vt_st16 (core->xsave + FCW, 0x37f);
  vt_st16 (core->xsave + FSW, 0);
  core->xsave[FTW] = 0;
  memset (core->xsave + FOP, 0, MXCSR - FOP);
}

void
vt_op_fninit (VtCore *core, const VtInsn *insn)
{
  check_x87 (core);
  initialize (core);
}

void
vt_op_fclex (VtCore *core, const VtInsn *insn)
{
  check_x87 (core);
  vt_st16 (core->xsave + FSW, vt_ld16 (core->xsave + FSW) & 0x7f00);
}

void
vt_op_fnstcw (VtCore *core, const VtInsn *insn)
{
  check_x87 (core);
  vt_operand_write (core, insn, 0, vt_ld16 (core->xsave + FCW));
}

void
vt_op_fnstsw (VtCore *core, const VtInsn *insn)
{
  check_x87 (core);
  vt_operand_write (core, insn, 0, vt_ld16 (core->xsave + FSW));
}

void
vt_op_fldcw (VtCore *core, const VtInsn *insn)
{
  check_x87 (core);
  check_pending (core);
  const uint64_t value = vt_operand_read (core, insn, 0);
  vt_st16 (core->xsave + FCW, (uint16_t) ((value & 0x1f3f) | 0x40));
  update_summary (core);
}

void
vt_op_fwait (VtCore *core, const VtInsn *insn)
{
  if ((core->cr0 & (VT_CR0_MP | VT_CR0_TS)) == (VT_CR0_MP | VT_CR0_TS))
    vt_core_raise (core, VT_EXC_NM, 0);
  vt_unit_use (core, 0);
  check_pending (core);
}

/* Environments ------------------------------------------------------------------------------------ */

/* Two bits a register: 0 valid, 1 zero, 2 special, 3 empty (SDM volume 1, 8.1.7). */
static uint16_t
full_tags (const VtCore *core)
{
  const unsigned top = vt_ld16 (core->xsave + FSW) >> 11 & 7;
  uint16_t       tags = 0;

  for (unsigned physical = 0; physical < 8; physical++)
    {
      const uint8_t *value = core->xsave + ST ((physical - top) & 7);
      const unsigned exponent = vt_ld16 (value + 8) & 0x7fff;
      const uint64_t fraction = vt_ld64 (value);
      unsigned       tag;
      if (!(core->xsave[FTW] >> physical & 1))
        tag = 3;
      else if (exponent == 0 && fraction == 0)
        tag = 1;
      else if (exponent == 0 || exponent == 0x7fff || !(fraction >> 63))
        tag = 2;
      else
        tag = 0;
      tags |= (uint16_t) (tag << physical * 2);
    }
  return tags;
}

/* Real and virtual 8086 mode have linear pointers, the others selector and offset (SDM volume 1, 8.1.10).
 * The selectors read as 0, as processors that have deprecated them do. Returns: how many bytes. */
static unsigned
put_environment (const VtCore *core, unsigned size, uint8_t *to)
{
  const uint64_t fip = vt_ld64 (core->xsave + FIP), fdp = vt_ld64 (core->xsave + FDP);
  const uint32_t opcode = vt_ld16 (core->xsave + FOP) & 0x7ff;
  const bool     linear = !core->protected_mode;

  memset (to, 0, 28);
  if (size == 2)
    {
      vt_st16 (to, vt_ld16 (core->xsave + FCW));
      vt_st16 (to + 2, vt_ld16 (core->xsave + FSW));
      vt_st16 (to + 4, full_tags (core));
      vt_st16 (to + 6, (uint16_t) fip);
      vt_st16 (to + 8, (uint16_t) (linear ? (fip >> 4 & 0xf000) | opcode : 0));
      vt_st16 (to + 10, (uint16_t) fdp);
      vt_st16 (to + 12, (uint16_t) (linear ? fdp >> 4 & 0xf000 : 0));
      return 14;
    }
  vt_st32 (to, 0xffff0000u | vt_ld16 (core->xsave + FCW));
  vt_st32 (to + 4, 0xffff0000u | vt_ld16 (core->xsave + FSW));
  vt_st32 (to + 8, 0xffff0000u | full_tags (core));
  if (linear)
    {
      vt_st32 (to + 12, 0xffff0000u | (uint16_t) fip);
      vt_st32 (to + 16, (uint32_t) (fip >> 4 & 0x0ffff000) | opcode);
      vt_st32 (to + 20, 0xffff0000u | (uint16_t) fdp);
      vt_st32 (to + 24, (uint32_t) (fdp >> 4 & 0x0ffff000));
    }
  else
    {
      vt_st32 (to + 12, (uint32_t) fip);
      vt_st32 (to + 16, opcode << 16);
      vt_st32 (to + 20, (uint32_t) fdp);
      vt_st32 (to + 24, 0xffff0000u);
    }
  return 28;
}

static unsigned
take_environment (VtCore *core, unsigned size, const uint8_t *from)
{
  const unsigned step = size == 2 ? 2 : 4;
  const bool     linear = !core->protected_mode;
  uint64_t       fip, fdp;
  uint32_t       opcode;
  uint8_t        abridged = 0;

  vt_st16 (core->xsave + FCW, (uint16_t) ((vt_ld16 (from) & 0x1f3f) | 0x40));
  vt_unit_move_top (core, vt_ld16 (from + step) >> 11 & 7);
  vt_st16 (core->xsave + FSW, vt_ld16 (from + step));
  const uint16_t tags = vt_ld16 (from + 2 * step);
  for (unsigned i = 0; i < 8; i++)
    abridged |= (uint8_t) ((tags >> 2 * i & 3) == 3 ? 0 : 1u << i);
  core->xsave[FTW] = abridged;
  if (size == 2)
    {
      fip = vt_ld16 (from + 6) | (linear ? (uint32_t) (vt_ld16 (from + 8) & 0xf000) << 4 : 0);
      opcode = linear ? vt_ld16 (from + 8) & 0x7ff : 0;
      fdp = vt_ld16 (from + 10) | (linear ? (uint32_t) (vt_ld16 (from + 12) & 0xf000) << 4 : 0);
    }
  else if (linear)
    {
      fip = vt_ld16 (from + 12) | (vt_ld32 (from + 16) & 0x0ffff000) << 4;
      opcode = vt_ld32 (from + 16) & 0x7ff;
      fdp = vt_ld16 (from + 20) | (vt_ld32 (from + 24) & 0x0ffff000) << 4;
    }
  else
    {
      fip = vt_ld32 (from + 12);
      opcode = vt_ld32 (from + 16) >> 16 & 0x7ff;
      fdp = vt_ld32 (from + 20);
    }
  vt_st16 (core->xsave + FOP, (uint16_t) opcode);
  vt_st64 (core->xsave + FIP, fip);
  vt_st64 (core->xsave + FDP, fdp);
  update_summary (core);
  return size == 2 ? 14 : 28;
}

/* Environments come in a short and a long form; 64-bit operands mean the long one. */
static unsigned
form (const VtInsn *insn)
{
  return insn->osize == 2 ? 2 : 4;
}

void
vt_op_fnstenv (VtCore *core, const VtInsn *insn)
{
  uint8_t bytes[28];

  check_x87 (core);
  const unsigned n = put_environment (core, form (insn), bytes);
  vt_mmu_write (core, vt_insn_linear (core, insn, 0, n, VT_ACCESS_WRITE), bytes, n,
                vt_mmu_data_set (core));
  /* Every exception is masked then. */
  vt_st16 (core->xsave + FCW, vt_ld16 (core->xsave + FCW) | 0x3f);
  update_summary (core);
}

void
vt_op_fldenv (VtCore *core, const VtInsn *insn)
{
  const unsigned n = form (insn) == 2 ? 14 : 28;
  uint8_t        bytes[28];

  check_x87 (core);
  check_pending (core);
  vt_mmu_read (core, vt_insn_linear (core, insn, 0, n, VT_ACCESS_READ), bytes, n, VT_ACCESS_READ,
               vt_mmu_data_set (core));
  take_environment (core, form (insn), bytes);
}

void
vt_op_fnsave (VtCore *core, const VtInsn *insn)
{
  uint8_t bytes[28 + 80];

  check_x87 (core);
  const unsigned n = put_environment (core, form (insn), bytes);
  for (unsigned i = 0; i < 8; i++)
    memcpy (bytes + n + i * 10, core->xsave + ST (i), 10);
  vt_mmu_write (core, vt_insn_linear (core, insn, 0, n + 80, VT_ACCESS_WRITE), bytes, n + 80,
                vt_mmu_data_set (core));
  initialize (core);
}

void
vt_op_frstor (VtCore *core, const VtInsn *insn)
{
  const unsigned n = form (insn) == 2 ? 14 : 28;
  uint8_t        bytes[28 + 80];

  check_x87 (core);
  check_pending (core);
  vt_mmu_read (core, vt_insn_linear (core, insn, 0, n + 80, VT_ACCESS_READ), bytes, n + 80,
               VT_ACCESS_READ, vt_mmu_data_set (core));
  take_environment (core, form (insn), bytes);
  for (unsigned i = 0; i < 8; i++)
    {
      memset (core->xsave + ST (i), 0, 16);
      memcpy (core->xsave + ST (i), bytes + n + i * 10, 10);
    }
}

/* MXCSR and FXSAVE -------------------------------------------------------------------------------- */

static void
check_sse (VtCore *core)
{
  if ((core->cr0 & VT_CR0_EM) || !(core->cr4 & VT_CR4_OSFXSR))
    vt_core_ud (core);
  if (core->cr0 & VT_CR0_TS)
    vt_core_raise (core, VT_EXC_NM, 0);
}

void
vt_op_ldmxcsr (VtCore *core, const VtInsn *insn)
{
  check_sse (core);
  const uint64_t value = vt_operand_read (core, insn, 0);
  if (value & ~(uint64_t) VT_MXCSR_MASK)
    vt_core_gp (core, 0);
  vt_st32 (core->xsave + MXCSR, (uint32_t) value);
  vt_unit_use (core, 1);
}

void
vt_op_stmxcsr (VtCore *core, const VtInsn *insn)
{
  check_sse (core);
  vt_operand_write (core, insn, 0, vt_ld32 (core->xsave + MXCSR));
}

/* The legacy area as instructions without REX.W write it: pointers of 32 bits, and selectors, which are
 * 0 here. */
static void
shorten_pointers (uint8_t *area)
{
  memset (area + FIP + 4, 0, 4);
  memset (area + FDP + 4, 0, 4);
}

void
vt_op_fxsave (VtCore *core, const VtInsn *insn)
{
  uint8_t area[512];

  if (core->cr0 & (VT_CR0_EM | VT_CR0_TS))
    vt_core_raise (core, VT_EXC_NM, 0);
  const uint64_t linear = vt_insn_linear (core, insn, 0, 512, VT_ACCESS_WRITE);
  if (linear & 15)
    vt_core_gp (core, 0);
  vt_unit_use (core, 0);
  vt_unit_use (core, 1);
  memcpy (area, core->xsave, XMM_END);
  vt_st32 (area + MXCSR + 4, VT_MXCSR_MASK);
  if (!insn->op->arg)
    shorten_pointers (area);
  /* What is reserved, and what software may use, is not written. */
  vt_mmu_probe_write (core, linear, 512, vt_mmu_data_set (core));
  vt_mmu_write (core, linear, area, XMM_END, vt_mmu_data_set (core));
}

void
vt_op_fxrstor (VtCore *core, const VtInsn *insn)
{
  uint8_t area[512];

  if (core->cr0 & (VT_CR0_EM | VT_CR0_TS))
    vt_core_raise (core, VT_EXC_NM, 0);
  const uint64_t linear = vt_insn_linear (core, insn, 0, 512, VT_ACCESS_READ);
  if (linear & 15)
    vt_core_gp (core, 0);
  vt_mmu_read (core, linear, area, 512, VT_ACCESS_READ, vt_mmu_data_set (core));
  if (vt_ld32 (area + MXCSR) & ~VT_MXCSR_MASK)
    vt_core_gp (core, 0);
  if (!insn->op->arg)
    shorten_pointers (area);
  vt_st32 (area + MXCSR + 4, VT_MXCSR_MASK);
  memcpy (core->xsave, area, XMM_END);
  core->xsave[FTW + 1] = 0;
  vt_unit_set_in_use (core, vt_unit_in_use (core) | VT_FEATURE_X87 | VT_FEATURE_SSE);
}

/* XSAVE ------------------------------------------------------------------------------------------- */

static uint64_t
xsave_begin (VtCore *core, const VtInsn *insn, uint64_t *linear)
{
  if (!(core->cr4 & VT_CR4_OSXSAVE))
    vt_core_ud (core);
  if (insn->op->arg == VT_XSAVE_SUPERVISOR && core->cpl != 0)
    vt_core_gp (core, 0);
  if (core->cr0 & VT_CR0_TS)
    vt_core_raise (core, VT_EXC_NM, 0);
  *linear = vt_insn_linear (core, insn, 0, VT_XSAVE_EXTENDED, VT_ACCESS_READ);
  if (*linear & 63)
    vt_core_gp (core, 0);
  return ((core->gpr[VT_CPU_RAX] & 0xffffffff) | core->gpr[VT_CPU_RDX] << 32) & core->xcr0;
}

/* Where a feature is in an area whose compact format holds @all; the standard one where @compact is
 * false. */
static uint32_t
part_offset (const VtCore *core, unsigned feature, uint64_t all, bool compact)
{
  uint32_t at = VT_XSAVE_EXTENDED;

  if (!compact)
    return vt_unit_part (core->unit, feature)->offset;
  for (unsigned i = 2; i < feature; i++)
    if (all >> i & 1)
      {
        const VtUnitPart *part = vt_unit_part (core->unit, i);
        if (part->align)
          at = (at + 63) & ~63u;
        at += part->size;
      }
  return vt_unit_part (core->unit, feature)->align ? (at + 63) & ~63u : at;
}

static bool
wide_form (const VtInsn *insn)
{
  return insn->mnemonic == ZYDIS_MNEMONIC_XSAVE64 || insn->mnemonic == ZYDIS_MNEMONIC_XSAVEC64
         || insn->mnemonic == ZYDIS_MNEMONIC_XSAVEOPT64 || insn->mnemonic == ZYDIS_MNEMONIC_XSAVES64
         || insn->mnemonic == ZYDIS_MNEMONIC_XRSTOR64 || insn->mnemonic == ZYDIS_MNEMONIC_XRSTORS64;
}

/* A part of the state to memory; faults come before anything that matters has changed. */
static void
put (VtCore *core, uint64_t linear, uint32_t at, const uint8_t *from, uint32_t size)
{
  for (uint32_t done = 0; done < size;)
    {
      const unsigned n = MIN (size - done, 2048);
      vt_mmu_write (core, vt_mmu_wrap (core, linear + at + done), from + done, n,
                    vt_mmu_data_set (core));
      done += n;
    }
}

static void
get (VtCore *core, uint64_t linear, uint32_t at, uint8_t *to, uint32_t size)
{
  for (uint32_t done = 0; done < size;)
    {
      const unsigned n = MIN (size - done, 2048);
      vt_mmu_read (core, vt_mmu_wrap (core, linear + at + done), to + done, n, VT_ACCESS_READ,
                   vt_mmu_data_set (core));
      done += n;
    }
}

/* SDM volume 1, 13.7 to 13.11. */
void
vt_op_xsave (VtCore *core, const VtInsn *insn)
{
  const bool     compact = insn->op->arg >= VT_XSAVE_COMPACT;
  uint64_t       linear;
  const uint64_t wanted = xsave_begin (core, insn, &linear);
  const uint64_t in_use = vt_unit_in_use (core) & core->xcr0;
  uint8_t        legacy[XMM_END];

  memcpy (legacy, core->xsave, sizeof legacy);
  if (!wide_form (insn))
    shorten_pointers (legacy);
  /* What is in its initial state is written by XSAVE alone. */
  const uint64_t write = insn->op->arg == VT_XSAVE_STANDARD ? wanted : wanted & in_use;
  if (write & VT_FEATURE_X87)
    {
      vt_unit_use (core, 0);
      memcpy (legacy, core->xsave, MXCSR);
      memcpy (legacy + ST (0), core->xsave + ST (0), XMM - ST (0));
      if (!wide_form (insn))
        shorten_pointers (legacy);
      put (core, linear, 0, legacy, MXCSR);
      put (core, linear, ST (0), legacy + ST (0), XMM - ST (0));
    }
  if (wanted & (VT_FEATURE_SSE | VT_FEATURE_AVX))
    {
      vt_st32 (legacy + MXCSR + 4, VT_MXCSR_MASK);
      put (core, linear, MXCSR, legacy + MXCSR, 8);
    }
  if (write & VT_FEATURE_SSE)
    {
      const bool zero = !(in_use & VT_FEATURE_SSE);
      if (zero)
        memset (legacy + XMM, 0, XMM_END - XMM);
      put (core, linear, XMM, legacy + XMM, XMM_END - XMM);
    }
  for (unsigned i = 2; i < 32; i++)
    if (write >> i & 1)
      {
        const VtUnitPart *part = vt_unit_part (core->unit, i);
        static const uint8_t none[VT_CPU_XSAVE];
        if (part->size)
          put (core, linear, part_offset (core, i, wanted, compact),
               in_use >> i & 1 ? core->xsave + part->offset : none, part->size);
      }
  if (compact)
    {
      uint8_t header[64] = { 0 };
      vt_st64 (header, wanted & in_use);
      vt_st64 (header + 8, wanted | VT_BIT (63));
      put (core, linear, VT_XSAVE_HEADER, header, 64);
    }
  else
    {
      uint8_t old[8];
      get (core, linear, VT_XSAVE_HEADER, old, 8);
      vt_st64 (old, (vt_ld64 (old) & ~wanted) | (wanted & in_use));
      put (core, linear, VT_XSAVE_HEADER, old, 8);
    }
}

void
vt_op_xrstor (VtCore *core, const VtInsn *insn)
{
  uint64_t           linear;
  const uint64_t     wanted = xsave_begin (core, insn, &linear);
  uint8_t            header[64], legacy[XMM_END];

  get (core, linear, VT_XSAVE_HEADER, header, 64);
  get (core, linear, 0, legacy, XMM_END);
  const uint64_t present = vt_ld64 (header), layout = vt_ld64 (header + 8);
  const bool     compact = (layout >> 63) != 0;
  uint8_t        rest = 0;
  for (unsigned i = compact ? 16 : 8; i < (compact ? 64u : 24u); i++)
    rest |= header[i];
  if (rest || (present & ~core->xcr0) || (compact && (present & ~layout))
      || (compact && (layout & ~VT_BIT (63) & ~core->xcr0))
      || (insn->op->arg == VT_XSAVE_SUPERVISOR && !compact))
    vt_core_gp (core, 0);
  const bool takes_mxcsr = (wanted & (VT_FEATURE_SSE | VT_FEATURE_AVX)) != 0
                           && (!compact || (present & VT_FEATURE_SSE));
  if (takes_mxcsr && (vt_ld32 (legacy + MXCSR) & ~VT_MXCSR_MASK))
    vt_core_gp (core, 0);

  /* Every page is looked at before the first part is taken. */
  for (unsigned i = 2; i < 32; i++)
    if ((wanted & present) >> i & 1)
      {
        const VtUnitPart *part = vt_unit_part (core->unit, i);
        uint8_t           byte;
        const uint32_t    at = part_offset (core, i, layout & ~VT_BIT (63), compact);
        for (uint32_t step = 0; step < part->size; step += 4096)
          get (core, linear, at + step, &byte, 1);
        if (part->size)
          get (core, linear, at + part->size - 1, &byte, 1);
      }

  if (!wide_form (insn))
    shorten_pointers (legacy);
  if (wanted & present & VT_FEATURE_X87)
    {
      memcpy (core->xsave, legacy, MXCSR);
      memcpy (core->xsave + ST (0), legacy + ST (0), XMM - ST (0));
      core->xsave[FTW + 1] = 0;
    }
  if (takes_mxcsr)
    memcpy (core->xsave + MXCSR, legacy + MXCSR, 4);
  else if (compact && (wanted & VT_FEATURE_SSE))
    vt_st32 (core->xsave + MXCSR, 0x1f80);
  if (wanted & present & VT_FEATURE_SSE)
    memcpy (core->xsave + XMM, legacy + XMM, XMM_END - XMM);
  for (unsigned i = 2; i < 32; i++)
    if ((wanted & present) >> i & 1)
      {
        const VtUnitPart *part = vt_unit_part (core->unit, i);
        if (part->size)
          get (core, linear, part_offset (core, i, layout & ~VT_BIT (63), compact),
               core->xsave + part->offset, part->size);
      }
  vt_unit_set_in_use (core, (vt_unit_in_use (core) & ~wanted) | (wanted & present));
  if (wanted & VT_FEATURE_PKRU)
    {
      core->pkru = vt_unit_pkru (core);
      vt_mmu_flush (&core->mmu);
    }
}

void
vt_op_xgetbv (VtCore *core, const VtInsn *insn)
{
  uint64_t       value;
  const uint32_t index = (uint32_t) core->gpr[VT_CPU_RCX];

  if (!(core->cr4 & VT_CR4_OSXSAVE))
    vt_core_ud (core);
  if (index > 1)
    vt_core_gp (core, 0);
  value = index ? vt_unit_in_use (core) & core->xcr0 : core->xcr0;
  vt_core_set_gpr (core, VT_CPU_RAX, 4, value);
  vt_core_set_gpr (core, VT_CPU_RDX, 4, value >> 32);
}

void
vt_op_xsetbv (VtCore *core, const VtInsn *insn)
{
  const uint64_t value = (core->gpr[VT_CPU_RAX] & 0xffffffff) | core->gpr[VT_CPU_RDX] << 32;
  const uint64_t wide = value & VT_FEATURES_AVX512;

  if (!(core->cr4 & VT_CR4_OSXSAVE))
    vt_core_ud (core);
  if (core->cpl != 0 || (uint32_t) core->gpr[VT_CPU_RCX] != 0)
    vt_core_gp (core, 0);
  if (!(value & VT_FEATURE_X87) || (value & ~core->xcr0_mask)
      || ((value & VT_FEATURE_AVX) && !(value & VT_FEATURE_SSE))
      || (wide && (wide != VT_FEATURES_AVX512 || !(value & VT_FEATURE_AVX))))
    vt_core_gp (core, 0);
  core->xcr0 = value;
}

/* Protection keys --------------------------------------------------------------------------------- */

void
vt_op_rdpkru (VtCore *core, const VtInsn *insn)
{
  if (!(core->cr4 & VT_CR4_PKE))
    vt_core_ud (core);
  if ((uint32_t) core->gpr[VT_CPU_RCX])
    vt_core_gp (core, 0);
  vt_core_set_gpr (core, VT_CPU_RAX, 4, core->pkru);
  vt_core_set_gpr (core, VT_CPU_RDX, 4, 0);
}

void
vt_op_wrpkru (VtCore *core, const VtInsn *insn)
{
  if (!(core->cr4 & VT_CR4_PKE))
    vt_core_ud (core);
  if ((uint32_t) core->gpr[VT_CPU_RCX] || (uint32_t) core->gpr[VT_CPU_RDX])
    vt_core_gp (core, 0);
  vt_unit_set_pkru (core, (uint32_t) core->gpr[VT_CPU_RAX]);
}

static void
run_on_unit (VtCore *core, const VtInsn *insn)
{
  vt_unit_run (core, insn);
}

const VtOp vt_op_unit = { .run = run_on_unit };
