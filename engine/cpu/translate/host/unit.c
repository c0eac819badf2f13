/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One guest instruction of the x87, MMX or vector units, or of BMI, on the host: which may be run there,
 * its slot, its operands. See unit.h.
 */
#include <cpuid.h>
#include <signal.h>

#include "../interpret/insn.h"
#include "examine.h"
#include "executable.h"
#include "unit.h"

#define SLOTS 1024u
#define SLOT_BYTES 32u
#define AREA (SLOTS * SLOT_BYTES)
#define PARTS 32u

typedef struct
{
  uint8_t   bytes[15], length, mode; /* The key. */
  bool      refused;
  uint8_t   base;     /* The register that points to the operand. */
  uint8_t   stand_in; /* For RSP, or VT_NO_REG. */
  uint16_t  opcode;   /* As the x87's last-opcode register has it. */
  VtUnitUse use;
} Slot;

struct VtUnit
{
  VtExecutable area;
  uint64_t   features;
  VtUnitPart part[PARTS];
  uint32_t   mxcsr_mask;
  Slot       slot[SLOTS];
  uint8_t    host[VT_CPU_XSAVE] __attribute__ ((aligned (64)));
  uint8_t    trial[VT_CPU_XSAVE] __attribute__ ((aligned (64)));
  uint8_t    bounce[2 * VT_UNIT_OPERAND] __attribute__ ((aligned (64)));
};

static uint64_t
read_xcr0 (void)
{
  uint32_t low, high;
  __asm__ ("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t) high << 32 | low;
}

static void
learn_parts (VtUnit *unit)
{
  uint32_t a, b, c, d;

  unit->mxcsr_mask = 0xffff;
  if (!__get_cpuid (1, &a, &b, &c, &d) || !(c & VT_BIT (27)))
    return;
  /* What the stubs and images know how to handle. */
  unit->features = read_xcr0 () & (VT_FEATURE_X87 | VT_FEATURE_SSE | VT_FEATURE_AVX
                                   | VT_FEATURES_AVX512 | VT_FEATURE_PKRU);
  for (unsigned i = 2; i < PARTS; i++)
    if ((unit->features >> i & 1) && __get_cpuid_count (0xd, i, &a, &b, &c, &d)
        && vt_range_ok (b, a, VT_CPU_XSAVE))
      unit->part[i] = (VtUnitPart){ .offset = b, .size = a, .align = (c & 2) != 0 };
}

VtUnit *
vt_unit_new (void)
{
  VtUnit *unit = g_aligned_alloc0 (1, sizeof *unit, 64);

  learn_parts (unit);
  if (unit->features)
    vt_executable_map (&unit->area, "vitrine-unit", AREA, 0);
  if (unit->area.execute)
    vt_trap_install ();
  return unit;
}

void
vt_unit_free (VtUnit *unit)
{
  vt_executable_unmap (&unit->area);
  g_aligned_free (unit);
}

bool
vt_unit_available (const VtUnit *unit)
{
  return unit->area.execute != NULL;
}

uint64_t
vt_unit_features (const VtUnit *unit)
{
  return unit->features;
}

const VtUnitPart *
vt_unit_part (const VtUnit *unit, unsigned feature)
{
  return feature < PARTS ? &unit->part[feature] : &unit->part[0];
}

uint32_t
vt_unit_pkru (const VtCore *core)
{
  const VtUnitPart *part = &core->unit->part[9];
  if (part->size == 0 || part->offset + 4 > core->xsave_size
      || !(vt_unit_in_use (core) & VT_FEATURE_PKRU))
    return 0;
  return vt_ld32 (core->xsave + part->offset);
}

void
vt_unit_set_pkru (VtCore *core, uint32_t value)
{
  const VtUnitPart *part = &core->unit->part[9];

  core->pkru = value;
  vt_mmu_flush (&core->mmu);
  if (part->size == 0)
    return;
  vt_st32 (core->xsave + part->offset, value);
  vt_unit_set_in_use (core, vt_unit_in_use (core) | VT_FEATURE_PKRU);
}

void
vt_unit_sanitize (VtCore *core)
{
  uint32_t mxcsr = vt_ld32 (core->xsave + 24);

  /* SDM volume 1, 13.8: what XRSTOR refuses. */
  memset (core->xsave + VT_XSAVE_HEADER + 8, 0, VT_XSAVE_EXTENDED - VT_XSAVE_HEADER - 8);
  vt_unit_set_in_use (core, vt_unit_in_use (core) & (core->unit->features | 3));
  vt_st32 (core->xsave + 24, mxcsr & core->unit->mxcsr_mask);
  vt_st32 (core->xsave + 28, core->unit->mxcsr_mask);
}

/* Slots ------------------------------------------------------------------------------------------- */

/* The lowest register of which @used says that the instruction does not name it; never RSP. Below R8, so
 * that no REX prefix is needed, which AH and its kin cannot bear. */
static uint8_t
free_register (uint32_t *used)
{
  for (uint8_t i = 0; i < 8; i++)
    if (i != VT_CPU_RSP && !(*used >> i & 1))
      {
        *used |= 1u << i;
        return i;
      }
  return VT_NO_REG;
}

static ZydisRegister
same_width (ZydisRegister old, unsigned number)
{
  switch (ZydisRegisterGetClass (old))
    {
    case ZYDIS_REGCLASS_GPR8:
      return ZydisRegisterEncode (ZYDIS_REGCLASS_GPR8, (ZyanU8) (number < 4 ? number : number + 4));
    default:
      return ZydisRegisterEncode (ZydisRegisterGetClass (old), (ZyanU8) number);
    }
}

/* Encodes it for 64-bit mode with [@base] as its memory, @stand_in for RSP. Returns: bytes, 0: refused. */
static unsigned
encode (const Slot *slot, const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
        uint8_t *to)
{
  ZydisEncoderRequest request;
  ZyanUSize           length = SLOT_BYTES - 1;

  if (!ZYAN_SUCCESS (ZydisEncoderDecodedInstructionToEncoderRequest (
          insn, operands, insn->operand_count_visible, &request)))
    return 0;
  request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
  request.address_size_hint = ZYDIS_ADDRESS_SIZE_HINT_NONE;
  request.prefixes &= ~(ZydisInstructionAttributes) ZYDIS_ATTRIB_HAS_SEGMENT;
  for (unsigned i = 0; i < request.operand_count; i++)
    {
      ZydisEncoderOperand *o = &request.operands[i];
      if (o->type == ZYDIS_OPERAND_TYPE_MEMORY)
        {
          o->mem.base = ZydisRegisterEncode (ZYDIS_REGCLASS_GPR64, slot->base);
          o->mem.index = ZYDIS_REGISTER_NONE;
          o->mem.scale = 0;
          o->mem.displacement = 0;
        }
      else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && slot->stand_in != VT_NO_REG
               && vt_unit_mentions (&operands[i]) == 1u << VT_CPU_RSP)
        o->reg.value = same_width (o->reg.value, slot->stand_in);
    }
  return ZYAN_SUCCESS (ZydisEncoderEncodeInstruction (&request, to, &length)) ? (unsigned) length : 0;
}

/* Decodes the instruction and decides what its slot holds. */
static void
prepare (VtUnit *unit, Slot *slot, unsigned index, const VtInsn *insn)
{
  ZydisDecoder            decoder;
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  uint8_t                 code[SLOT_BYTES] = { 0 };
  uint32_t                used = 0;
  unsigned                length = 0;

  *slot = (Slot){ .length = insn->length, .mode = insn->mode, .refused = true, .base = VT_NO_REG,
                  .stand_in = VT_NO_REG };
  memcpy (slot->bytes, insn->bytes, insn->length);
  ZydisDecoderInit (&decoder, (ZydisMachineMode) insn->mode,
                    insn->mode == ZYDIS_MACHINE_MODE_LONG_64       ? ZYDIS_STACK_WIDTH_64
                    : insn->mode == ZYDIS_MACHINE_MODE_LEGACY_32
                          || insn->mode == ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                        ? ZYDIS_STACK_WIDTH_32
                        : ZYDIS_STACK_WIDTH_16);
  if (!ZYAN_SUCCESS (ZydisDecoderDecodeFull (&decoder, insn->bytes, insn->length, &instruction,
                                             operands)))
    return;
  if (!vt_unit_examine (&instruction, operands, &slot->use))
    return;
  used = slot->use.gprs;
  const bool uses_rsp = (used >> VT_CPU_RSP & 1) != 0;
  /* In 16-bit code the operand-size prefix says the opposite (CRC32). */
  const bool word = decoder.stack_width == ZYDIS_STACK_WIDTH_16 && used != 0;
  if (slot->use.size && (slot->base = free_register (&used)) == VT_NO_REG)
    return;
  if (uses_rsp && (slot->stand_in = free_register (&used)) == VT_NO_REG)
    return;
  /* In VEX and EVEX there are bits that name registers in 64-bit mode and are ignored elsewhere. */
  const bool ignored = insn->mode != ZYDIS_MACHINE_MODE_LONG_64
                       && instruction.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY;
  if (slot->use.size || uses_rsp || word || ignored)
    length = encode (slot, &instruction, operands, code);
  else
    {
      /* The bytes mean the same in 64-bit mode. */
      length = insn->length;
      memcpy (code, insn->bytes, length);
    }
  if (length == 0 || length >= SLOT_BYTES)
    return;
  slot->opcode = vt_unit_x87_opcode (&instruction);
  code[length] = 0xc3;
  memcpy (unit->area.write + index * SLOT_BYTES, code, SLOT_BYTES);
  slot->refused = false;
}

static Slot *
find_slot (VtUnit *unit, const VtInsn *insn, unsigned *index, bool *fresh)
{
  uint32_t hash = 2166136261u ^ insn->mode;

  for (unsigned i = 0; i < insn->length; i++)
    hash = (hash ^ insn->bytes[i]) * 16777619u;
  *index = (hash ^ hash >> 16) % SLOTS;
  Slot *slot = &unit->slot[*index];
  *fresh = !(slot->length == insn->length && slot->mode == insn->mode
             && memcmp (slot->bytes, insn->bytes, insn->length) == 0);
  if (*fresh)
    prepare (unit, slot, *index, insn);
  return slot;
}

/* Running ----------------------------------------------------------------------------------------- */

/* The faults that come before anything else (SDM volume 3, tables 2-2 and 13-1). */
static void
check_needs (VtCore *core, const Slot *slot)
{
  const bool vex = slot->use.needs >= VT_NEEDS_AVX;

  if (slot->use.needs == VT_NEEDS_NOTHING)
    return;
  if (slot->use.needs == VT_NEEDS_X87)
    {
      if (core->cr0 & (VT_CR0_EM | VT_CR0_TS))
        vt_core_raise (core, VT_EXC_NM, 0);
    }
  else
    {
      const uint64_t wanted = VT_FEATURE_SSE | VT_FEATURE_AVX
                              | (slot->use.needs == VT_NEEDS_AVX512 ? VT_FEATURES_AVX512 : 0);
      if (!vex && (core->cr0 & VT_CR0_EM))
        vt_core_ud (core);
      if (slot->use.needs == VT_NEEDS_SSE && !(core->cr4 & VT_CR4_OSFXSR))
        vt_core_ud (core);
      if (vex
          && (!core->protected_mode || !(core->cr4 & VT_CR4_OSXSAVE)
              || (core->xcr0 & wanted) != wanted))
        vt_core_ud (core);
      if (core->cr0 & VT_CR0_TS)
        vt_core_raise (core, VT_EXC_NM, 0);
    }
  /* An exception that an earlier x87 instruction left unmasked. */
  if (slot->use.x87_too && (vt_unit_in_use (core) & VT_FEATURE_X87) && (core->xsave[2] & 0x80))
    {
      if (!(core->cr0 & VT_CR0_NE))
        vt_core_decline (core); /* FERR# is the chipset's. */
      vt_core_raise (core, VT_EXC_MF, 0);
    }
}

static uint64_t
features_of (const VtCore *core, const Slot *slot)
{
  static const uint64_t wanted[] = {
    [VT_NEEDS_NOTHING] = 0,
    [VT_NEEDS_X87] = VT_FEATURE_X87,
    [VT_NEEDS_MMX] = VT_FEATURE_X87 | VT_FEATURE_SSE, /* Conversions change MXCSR. */
    [VT_NEEDS_SSE] = VT_FEATURE_X87 | VT_FEATURE_SSE,
    [VT_NEEDS_AVX] = VT_FEATURE_X87 | VT_FEATURE_SSE | VT_FEATURE_AVX,
    [VT_NEEDS_AVX512] = VT_FEATURE_X87 | VT_FEATURE_SSE | VT_FEATURE_AVX | VT_FEATURES_AVX512,
  };
  uint64_t features = wanted[slot->use.needs];

  /* What VEX names not, it clears: registers are as long as XCR0 has them. */
  if (slot->use.needs == VT_NEEDS_AVX)
    features |= core->xcr0 & VT_FEATURES_AVX512;
  return features & core->unit->features;
}

static _Noreturn void
raise_signal (VtCore *core, const VtUnitCall *call)
{
  switch (call->signal)
    {
    case SIGFPE:
      /* The flags that it was raised with are seen by the handler; OSXMMEXCPT clear makes it #UD. */
      vt_st32 (core->xsave + 24, (vt_ld32 (core->xsave + 24) & ~0x3fu) | (call->mxcsr & 0x3f));
      if (!(core->cr4 & VT_CR4_OSXMMEXCPT))
        vt_core_ud (core);
      vt_core_raise (core, VT_EXC_XM, 0);
    case SIGILL:
      vt_core_ud (core);
    default:
      vt_core_gp (core, 0); /* An operand that had to be aligned. */
    }
}

/* FIP and FDP as the guest knows them: the host's addresses are none of its business. */
static void
put_pointers (VtCore *core, const VtInsn *insn, const Slot *slot, const uint8_t kept[18])
{
  memcpy (core->xsave + 6, kept, 18);
  if (slot->use.needs != VT_NEEDS_X87)
    return;
  vt_st16 (core->xsave + 6, slot->opcode);
  vt_st64 (core->xsave + 8, core->rip);
  if (slot->use.size)
    vt_st64 (core->xsave + 16, vt_insn_offset (core, insn));
}

/* An operand that is not aligned is #GP before it is a page fault, where the host's processor minds at
 * all: makers differ, so it is asked, with an operand and a state that don't count. */
static void
check_alignment (VtCore *core, const Slot *slot, const VtUnitCall *call, unsigned offset)
{
  VtUnit    *unit = core->unit;
  VtUnitCall trial = *call;

  memcpy (unit->trial, core->xsave, sizeof unit->trial);
  memset (unit->bounce, 0, sizeof unit->bounce);
  vt_st32 (unit->trial + 24, 0x1f80); /* No arithmetic exception. */
  trial.guest = unit->trial;
  trial.gpr[slot->base] = (uint64_t) (uintptr_t) (unit->bounce + offset);
  const uint32_t signal = vt_unit_call (&trial);
  if (signal == SIGSEGV || signal == SIGBUS)
    vt_core_gp (core, 0);
}

void
vt_unit_run (VtCore *core, const VtInsn *insn)
{
  VtUnit           *unit = core->unit;
  const VtAccessSet set = vt_mmu_data_set (core);
  uint64_t          linear = 0, selected = 0;
  unsigned          index;
  bool              fresh;
  uint8_t           kept[18];

  if (unit->area.execute == NULL)
    vt_core_decline (core);
  const Slot *slot = find_slot (unit, insn, &index, &fresh);
  if (slot->refused)
    vt_core_decline (core);
  check_needs (core, slot);

  VtUnitCall call = {
    .flags = (core->rflags & VT_FLAGS_STATUS) | VT_FLAG_FIXED,
    .code = (uint64_t) (uintptr_t) (unit->area.execute + index * SLOT_BYTES),
    .features = features_of (core, slot),
    .guest = core->xsave,
    .host = unit->host,
    .fresh = fresh,
  };
  memcpy (call.gpr, core->gpr, sizeof call.gpr);
  if (slot->stand_in != VT_NO_REG)
    call.gpr[slot->stand_in] = core->gpr[VT_CPU_RSP];
  uint8_t *bounce = unit->bounce;
  if (slot->use.size)
    {
      const VtAccessKind kind = slot->use.writes ? VT_ACCESS_WRITE : VT_ACCESS_READ;
      const unsigned checked = slot->use.mask ? 1 : slot->use.size;
      linear = vt_insn_linear (core, insn, 0, checked, kind);
      if (slot->use.aligned && (linear & (slot->use.size - 1)))
        check_alignment (core, slot, &call, linear & 63);
      /* At the same place in a cache line, so that what must be aligned faults as it would. */
      bounce += linear & 63;
      if (slot->use.mask)
        {
          selected = vt_unit_selected (core, &slot->use);
          if (slot->use.writes)
            vt_unit_masked_probe (core, insn, &slot->use, selected);
          else
            vt_unit_masked_read (core, insn, &slot->use, selected, bounce);
        }
      else if (slot->use.reads)
        vt_mmu_read (core, linear, bounce, slot->use.size, kind, set);
      else
        vt_mmu_probe_write (core, linear, slot->use.size, set);
      call.gpr[slot->base] = (uint64_t) (uintptr_t) bounce;
    }

  memcpy (kept, core->xsave + 6, sizeof kept);
  if (vt_unit_call (&call))
    raise_signal (core, &call);
  if (call.features & VT_FEATURE_X87)
    put_pointers (core, insn, slot, kept);
  if (slot->use.mask && slot->use.writes)
    vt_unit_masked_write (core, insn, &slot->use, selected, bounce);
  else if (slot->use.writes)
    vt_mmu_write (core, linear, bounce, slot->use.size, set);
  if (slot->stand_in != VT_NO_REG)
    call.gpr[VT_CPU_RSP] = call.gpr[slot->stand_in];
  else
    call.gpr[VT_CPU_RSP] = core->gpr[VT_CPU_RSP];
  for (unsigned i = 0; i < VT_CPU_GPRS; i++)
    if (i != slot->base && i != slot->stand_in)
      core->gpr[i] = call.gpr[i];
  core->rflags = (core->rflags & ~VT_FLAGS_STATUS) | (call.flags & VT_FLAGS_STATUS);
}
