/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One guest instruction of the x87, MMX or vector units, or of BMI, on the host: which may be run there,
 * its form, its operands. See unit.h.
 */
#include <cpuid.h>
#include <signal.h>

#include "../interpret/insn.h"
#include "examine.h"
#include "form.h"
#include "unit.h"

#define CACHE 1024u
#define PARTS 32u
#define MXCSR_QUIET 0x1f80u /* No arithmetic exception. */

/* An instruction that has been decoded. */
typedef struct
{
  uint8_t   bytes[15], length, mode; /* The key. */
  uint16_t  opcode; /* As the x87's last-opcode register has it. */
  VtUnitUse use;
  VtForm    form;
  uint64_t  code; /* Where its form is; 0: it is declined. */
  bool      direct; /* Its registers are loaded, rather than the image. */
} Entry;

/* What the registers of a form held before, or shall hold. */
typedef struct
{
  uint8_t of[VT_FORM_OPERANDS][VT_UNIT_OPERAND];
} Registers;

struct VtUnit
{
  uint64_t   features;
  VtUnitPart part[PARTS];
  Entry      cache[CACHE];
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

  if (!__get_cpuid (1, &a, &b, &c, &d) || !(c & VT_BIT (27)))
    return;
  /* What the stubs and images know how to handle. */
  unit->features = read_xcr0 () & (VT_FEATURE_X87 | VT_FEATURE_SSE | VT_FEATURE_AVX
                                   | VT_FEATURES_AVX512 | VT_FEATURE_PKRU);
  /* Masks are loaded whole, which AVX-512 without BW has no instruction for. */
  if (!__get_cpuid_count (7, 0, &a, &b, &c, &d) || !(b & VT_BIT (30)))
    unit->features &= ~VT_FEATURES_AVX512;
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
    vt_trap_install ();
  return unit;
}

void
vt_unit_free (VtUnit *unit)
{
  g_aligned_free (unit);
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
  vt_st32 (core->xsave + 24, mxcsr & VT_MXCSR_MASK);
  vt_st32 (core->xsave + 28, VT_MXCSR_MASK);
}

/* Forms ------------------------------------------------------------------------------------------- */

/* list-forms.c: sorted. */
extern const uint64_t vt_forms[], vt_forms_end[];

static uint64_t
find_form (uint64_t code)
{
  const uint64_t *first = vt_forms;
  size_t          n = (size_t) (vt_forms_end - vt_forms);

  while (n > 1)
    {
      const size_t half = n / 2;
      if (first[half] <= code)
        first += half;
      n -= half;
    }
  return *first == code ? (uint64_t) (uintptr_t) first : 0;
}

/* Decodes the instruction and looks its form up. */
static void
prepare (Entry *entry, const VtInsn *insn)
{
  ZydisDecoder            decoder;
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];

  *entry = (Entry){ .length = insn->length, .mode = insn->mode };
  memcpy (entry->bytes, insn->bytes, insn->length);
  ZydisDecoderInit (&decoder, (ZydisMachineMode) insn->mode,
                    insn->mode == ZYDIS_MACHINE_MODE_LONG_64       ? ZYDIS_STACK_WIDTH_64
                    : insn->mode == ZYDIS_MACHINE_MODE_LEGACY_32
                          || insn->mode == ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                        ? ZYDIS_STACK_WIDTH_32
                        : ZYDIS_STACK_WIDTH_16);
  if (!ZYAN_SUCCESS (ZydisDecoderDecodeFull (&decoder, insn->bytes, insn->length, &instruction, operands))
      || !vt_unit_examine (&instruction, operands, &entry->use)
      || !vt_form_of (&instruction, operands, &entry->form))
    return;
  entry->opcode = vt_unit_x87_opcode (&instruction);
  entry->code = find_form (entry->form.code);
  /* Conversions from MMX may make its state the x87's even where they read memory: the host knows. */
  entry->direct = entry->use.needs >= VT_NEEDS_SSE && !entry->use.x87_too && entry->form.n != 0
                  && instruction.mnemonic != ZYDIS_MNEMONIC_CVTPI2PS
                  && instruction.mnemonic != ZYDIS_MNEMONIC_CVTPI2PD;
}

static const Entry *
find (VtUnit *unit, const VtInsn *insn)
{
  uint32_t hash = 2166136261u ^ insn->mode;

  for (unsigned i = 0; i < insn->length; i++)
    hash = (hash ^ insn->bytes[i]) * 16777619u;
  Entry *entry = &unit->cache[(hash ^ hash >> 16) % CACHE];
  if (entry->length != insn->length || entry->mode != insn->mode
      || memcmp (entry->bytes, insn->bytes, insn->length) != 0)
    prepare (entry, insn);
  return entry;
}

/* Registers --------------------------------------------------------------------------------------- */

static void
get (const VtCore *core, VtFormKind kind, unsigned reg, uint8_t to[VT_UNIT_OPERAND])
{
  if (kind == VT_FORM_VECTOR)
    vt_unit_get_vector (core, reg, to);
  else if (kind == VT_FORM_MMX)
    vt_unit_get_mmx (core, reg, to);
  else if (kind == VT_FORM_MASK)
    vt_st64 (to, reg == VT_FORM_ALL ? UINT64_MAX : vt_unit_get_mask (core, reg));
}

static void
put (VtCore *core, VtFormKind kind, unsigned reg, const uint8_t from[VT_UNIT_OPERAND])
{
  if (kind == VT_FORM_VECTOR)
    vt_unit_put_vector (core, reg, from);
  else if (kind == VT_FORM_MMX)
    vt_unit_put_mmx (core, reg, from);
  else if (kind == VT_FORM_MASK)
    vt_unit_put_mask (core, reg, vt_ld64 (from));
}

/* Puts the guest's registers where the form has them; @kept is for what was there in the image. */
static void
put_in_place (VtCore *core, const VtForm *form, uint64_t gpr[VT_CPU_GPRS], Registers *kept)
{
  Registers wanted;

  for (unsigned i = 0; i < form->n; i++)
    {
      const VtFormRegister *r = &form->reg[i];
      get (core, r->kind, r->guest, wanted.of[i]);
      get (core, r->kind, r->host, kept->of[i]);
      if (r->cleared)
        memset (wanted.of[i], 0, sizeof wanted.of[i]);
    }
  for (unsigned i = 0; i < form->n; i++)
    {
      const VtFormRegister *r = &form->reg[i];
      if (r->kind == VT_FORM_GPR || r->kind == VT_FORM_HIGH)
        gpr[r->host] = core->gpr[r->guest] >> (r->kind == VT_FORM_HIGH ? 8 : 0);
      else
        put (core, r->kind, r->host, wanted.of[i]);
    }
}

/* The way back, behind the instruction, if it was @done. Where it names a register twice, the first counts. */
static void
put_back (VtCore *core, const VtForm *form, const uint64_t gpr[VT_CPU_GPRS], const Registers *kept, bool done)
{
  Registers made;

  for (unsigned i = 0; i < form->n; i++)
    get (core, form->reg[i].kind, form->reg[i].host, made.of[i]);
  for (unsigned i = 0; i < form->n; i++)
    put (core, form->reg[i].kind, form->reg[i].host, kept->of[i]);
  for (unsigned i = form->n; done && i-- > 0;)
    {
      const VtFormRegister *r = &form->reg[i];
      if (r->written && r->kind == VT_FORM_GPR)
        core->gpr[r->guest] = gpr[r->host];
      else if (r->written)
        put (core, r->kind, r->guest, made.of[i]);
    }
}

/* The same for a call with the registers themselves. */
static void
load_registers (const VtCore *core, const Entry *entry, uint64_t gpr[VT_CPU_GPRS], VtUnitRegisters *to)
{
  for (unsigned i = 0; i < entry->form.n; i++)
    {
      const VtFormRegister *r = &entry->form.reg[i];
      if (r->kind == VT_FORM_GPR || r->kind == VT_FORM_HIGH)
        gpr[r->host] = core->gpr[r->guest] >> (r->kind == VT_FORM_HIGH ? 8 : 0);
      else if (r->kind == VT_FORM_MASK)
        to->mask[r->host] = r->guest == VT_FORM_ALL ? UINT64_MAX : vt_unit_get_mask (core, r->guest);
      else if (r->cleared)
        memset (to->vector[r->host], 0, sizeof to->vector[0]);
      else
        vt_unit_get_vector (core, r->guest, to->vector[r->host]);
    }
  to->mxcsr = vt_ld32 (core->xsave + 24);
  to->size = entry->use.needs == VT_NEEDS_SSE ? 16 : entry->use.needs == VT_NEEDS_AVX ? 32 : 64;
}

static void
store_registers (VtCore *core, const Entry *entry, const uint64_t gpr[VT_CPU_GPRS], VtUnitRegisters *from)
{
  for (unsigned i = entry->form.n; i-- > 0;)
    {
      const VtFormRegister *r = &entry->form.reg[i];
      if (!r->written)
        continue;
      if (r->kind == VT_FORM_GPR)
        core->gpr[r->guest] = gpr[r->host];
      else if (r->kind == VT_FORM_MASK)
        vt_unit_put_mask (core, r->guest, from->mask[r->host]);
      else
        {
          /* VEX clears what is beyond. */
          if (from->size == 32)
            memset (from->vector[r->host] + 32, 0, 32);
          vt_unit_put_vector (core, r->guest, from->vector[r->host]);
        }
    }
  vt_st32 (core->xsave + 24, from->mxcsr);
}

/* Running ----------------------------------------------------------------------------------------- */

/* The faults that come before anything else (SDM volume 3, tables 2-2 and 13-1). */
static void
check_needs (VtCore *core, const Entry *entry)
{
  const bool vex = entry->use.needs >= VT_NEEDS_AVX;

  if (entry->use.needs == VT_NEEDS_NOTHING)
    return;
  if (entry->use.needs == VT_NEEDS_X87)
    {
      if (core->cr0 & (VT_CR0_EM | VT_CR0_TS))
        vt_core_raise (core, VT_EXC_NM, 0);
    }
  else
    {
      const uint64_t wanted = VT_FEATURE_SSE | VT_FEATURE_AVX
                              | (entry->use.needs == VT_NEEDS_AVX512 ? VT_FEATURES_AVX512 : 0);
      if (!vex && (core->cr0 & VT_CR0_EM))
        vt_core_ud (core);
      if (entry->use.needs == VT_NEEDS_SSE && !(core->cr4 & VT_CR4_OSFXSR))
        vt_core_ud (core);
      if (vex
          && (!core->protected_mode || !(core->cr4 & VT_CR4_OSXSAVE)
              || (core->xcr0 & wanted) != wanted))
        vt_core_ud (core);
      if (core->cr0 & VT_CR0_TS)
        vt_core_raise (core, VT_EXC_NM, 0);
    }
  /* An exception that an earlier x87 instruction left unmasked. */
  if (entry->use.x87_too && (vt_unit_in_use (core) & VT_FEATURE_X87) && (core->xsave[2] & 0x80))
    {
      if (!(core->cr0 & VT_CR0_NE))
        vt_core_decline (core); /* FERR# is the chipset's. */
      vt_core_raise (core, VT_EXC_MF, 0);
    }
}

static uint64_t
features_of (const VtCore *core, const Entry *entry)
{
  static const uint64_t wanted[] = {
    [VT_NEEDS_NOTHING] = 0,
    [VT_NEEDS_X87] = VT_FEATURE_X87,
    [VT_NEEDS_MMX] = VT_FEATURE_X87 | VT_FEATURE_SSE, /* Conversions change MXCSR. */
    [VT_NEEDS_SSE] = VT_FEATURE_X87 | VT_FEATURE_SSE,
    [VT_NEEDS_AVX] = VT_FEATURE_X87 | VT_FEATURE_SSE | VT_FEATURE_AVX,
    [VT_NEEDS_AVX512] = VT_FEATURE_X87 | VT_FEATURE_SSE | VT_FEATURE_AVX | VT_FEATURES_AVX512,
  };
  uint64_t features = wanted[entry->use.needs];

  /* What VEX names not, it clears: registers are as long as XCR0 has them. */
  if (entry->use.needs == VT_NEEDS_AVX)
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
put_pointers (VtCore *core, const VtInsn *insn, const Entry *entry, const uint8_t kept[18])
{
  memcpy (core->xsave + 6, kept, 18);
  if (entry->use.needs != VT_NEEDS_X87)
    return;
  vt_st16 (core->xsave + 6, entry->opcode);
  vt_st64 (core->xsave + 8, core->rip);
  if (entry->use.size)
    vt_st64 (core->xsave + 16, vt_insn_offset (core, insn));
}

/* An operand that is not aligned is #GP before it is a page fault, where the host's processor minds at
 * all: makers differ, so it is asked, with an operand and a state that don't count. */
static void
check_alignment (VtCore *core, const Entry *entry, const VtUnitCall *call, unsigned offset)
{
  VtUnit         *unit = core->unit;
  VtUnitCall      trial = *call;
  VtUnitRegisters registers;
  Registers       kept;

  if (entry->direct)
    {
      load_registers (core, entry, trial.gpr, &registers);
      registers.mxcsr = MXCSR_QUIET;
      trial.registers = &registers;
    }
  else
    {
      put_in_place (core, &entry->form, trial.gpr, &kept);
      memcpy (unit->trial, core->xsave, sizeof unit->trial);
      put_back (core, &entry->form, trial.gpr, &kept, false);
      vt_st32 (unit->trial + 24, MXCSR_QUIET);
      trial.guest = unit->trial;
    }
  memset (unit->bounce, 0, sizeof unit->bounce);
  trial.gpr[VT_FORM_BASE] = (uint64_t) (uintptr_t) (unit->bounce + offset);
  const uint32_t signal = vt_unit_call (&trial);
  if (signal == SIGSEGV || signal == SIGBUS)
    vt_core_gp (core, 0);
}

/* RCX is the result of string comparisons, which no operand names. */
static void
run_direct (VtCore *core, const Entry *entry, VtUnitCall *call)
{
  VtUnitRegisters registers;

  load_registers (core, entry, call->gpr, &registers);
  call->registers = &registers;
  if (vt_unit_call (call))
    raise_signal (core, call);
  core->gpr[VT_CPU_RCX] = call->gpr[VT_CPU_RCX];
  store_registers (core, entry, call->gpr, &registers);
}

static void
run_by_image (VtCore *core, const VtInsn *insn, const Entry *entry, VtUnitCall *call)
{
  Registers registers;
  uint8_t   pointers[18];

  memcpy (pointers, core->xsave + 6, sizeof pointers);
  put_in_place (core, &entry->form, call->gpr, &registers);
  const bool done = vt_unit_call (call) == 0;
  put_back (core, &entry->form, call->gpr, &registers, done);
  if (!done)
    raise_signal (core, call);
  if (call->features & VT_FEATURE_X87)
    put_pointers (core, insn, entry, pointers);
}

void
vt_unit_run (VtCore *core, const VtInsn *insn)
{
  VtUnit           *unit = core->unit;
  const VtAccessSet set = vt_mmu_data_set (core);
  const Entry      *entry = find (unit, insn);
  const VtUnitUse  *use = &entry->use;
  uint64_t          linear = 0, selected = 0;

  if (!unit->features || entry->code == 0)
    vt_core_decline (core);
  check_needs (core, entry);

  VtUnitCall call = {
    .flags = (core->rflags & VT_FLAGS_STATUS) | VT_FLAG_FIXED,
    .code = entry->code,
    .features = features_of (core, entry),
    .guest = core->xsave,
    .host = unit->host,
  };
  memcpy (call.gpr, core->gpr, sizeof call.gpr);
  uint8_t *bounce = unit->bounce;
  if (use->size)
    {
      const VtAccessKind kind = use->writes ? VT_ACCESS_WRITE : VT_ACCESS_READ;
      linear = vt_insn_linear (core, insn, 0, use->mask ? 1 : use->size, kind);
      if (use->aligned && (linear & (use->size - 1)))
        check_alignment (core, entry, &call, linear & 63);
      /* At the same place in a cache line, so that what must be aligned faults as it would. */
      bounce += linear & 63;
      if (use->mask)
        {
          selected = vt_unit_selected (core, use);
          if (use->writes)
            vt_unit_masked_probe (core, insn, use, selected);
          else
            vt_unit_masked_read (core, insn, use, selected, bounce);
        }
      else if (use->reads)
        vt_mmu_read (core, linear, bounce, use->size, kind, set);
      else
        vt_mmu_probe_write (core, linear, use->size, set);
      call.gpr[VT_FORM_BASE] = (uint64_t) (uintptr_t) bounce;
    }

  if (entry->direct)
    run_direct (core, entry, &call);
  else
    run_by_image (core, insn, entry, &call);
  if (use->mask && use->writes)
    vt_unit_masked_write (core, insn, use, selected, bounce);
  else if (use->writes)
    vt_mmu_write (core, linear, bounce, use->size, set);
  /* Others than those of vectors may read flags, too, and have them loaded. */
  if (!entry->direct || use->flags)
    core->rflags = (core->rflags & ~VT_FLAGS_STATUS) | (call.flags & VT_FLAGS_STATUS);
}
