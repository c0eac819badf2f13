/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model-specific registers that are not the core's (msr.c beside core.c): the local APIC's, which the
 * board's chips answer, and those that firmware and systems only want to be there. What is in neither
 * list raises #GP, as on a processor that lacks it; systems probe that way.
 */
#include "engine.h"

typedef enum
{
  KEPT,     /* Any value. */
  TYPED,    /* Memory types in all bytes: 0, 1, 4, 5 or 6. */
  DEFAULT,  /* IA32_MTRR_DEF_TYPE (11.11.2.1): type, and two bits that switch. */
  RANGE,    /* IA32_MTRR_PHYSBASEn: address and type; PHYSMASKn, which are odd: address and valid (11.11.2.3). */
  CONSTANT, /* Writes are ignored. */
  FIXED,    /* Writes raise #GP. */
} How;

/* SDM volume 4, table 2-2; AMD APM volume 2, appendix A, and what KVM gives its guests. */
static const struct
{
  uint32_t first, last;
  How      how;
  uint64_t reset;
} table[] = {
  { 0x17, 0x17, FIXED, 0 },                  /* IA32_PLATFORM_ID */
  { 0x34, 0x34, FIXED, 0 },                  /* MSR_SMI_COUNT */
  { 0x3a, 0x3a, FIXED, 1 },                  /* IA32_FEATURE_CONTROL: locked, nothing enabled. */
  { 0x79, 0x79, CONSTANT, 0 },               /* IA32_BIOS_UPDT_TRIG */
  { 0x8b, 0x8b, CONSTANT, 0x100000000 },     /* IA32_BIOS_SIGN_ID: the microcode's revision. */
  { 0xce, 0xce, FIXED, 0 },                  /* MSR_PLATFORM_INFO */
  { 0xfe, 0xfe, FIXED, 0x508 },              /* IA32_MTRRCAP: eight, fixed ranges, write combining. */
  { 0x179, 0x179, FIXED, 0 },                /* IA32_MCG_CAP: no banks. */
  { 0x17a, 0x17a, KEPT, 0 },                 /* IA32_MCG_STATUS */
  { 0x198, 0x198, FIXED, 0 },                /* IA32_PERF_STATUS */
  { 0x199, 0x199, KEPT, 0 },                 /* IA32_PERF_CTL */
  { 0x1a0, 0x1a0, KEPT, 0x1801 },            /* IA32_MISC_ENABLE: fast strings, no BTS, no PEBS. */
  { 0x1d9, 0x1d9, CONSTANT, 0 },             /* IA32_DEBUGCTL */
  { 0x200, 0x20f, RANGE, 0 },                /* IA32_MTRR_PHYSBASE0 … PHYSMASK7 */
  { 0x250, 0x250, TYPED, 0 },                /* IA32_MTRR_FIX64K_00000 */
  { 0x258, 0x259, TYPED, 0 },                /* … FIX16K */
  { 0x268, 0x26f, TYPED, 0 },                /* … FIX4K */
  { 0x2ff, 0x2ff, DEFAULT, 0 },                /* IA32_MTRR_DEF_TYPE */
  { 0x606, 0x606, FIXED, 0 },                /* MSR_RAPL_POWER_UNIT */
  { 0xda0, 0xda0, FIXED, 0 },                /* IA32_XSS: no supervisor state. See write. */
  { 0xc0010010, 0xc0010010, CONSTANT, 0 },   /* SYSCFG */
  { 0xc0010015, 0xc0010015, KEPT, 1 << 24 }, /* HWCR: the TSC runs at P0's frequency. */
  { 0xc001001a, 0xc001001a, CONSTANT, 0 },   /* TOP_MEM */
  { 0xc001001d, 0xc001001d, CONSTANT, 0 },   /* TOP_MEM2 */
  { 0xc001001f, 0xc001001f, CONSTANT, 0 },   /* NB_CFG */
  { 0xc0010020, 0xc0010020, CONSTANT, 0 },   /* PATCH_LOADER */
  { 0xc0010055, 0xc0010055, CONSTANT, 0 },   /* INT_PENDING */
  { 0xc0010058, 0xc0010058, CONSTANT, 0 },   /* MMIO_CONF_BASE */
  { 0xc0010112, 0xc0010113, CONSTANT, 0 },   /* SMM_ADDR, SMM_MASK */
  { 0xc0010114, 0xc0010114, CONSTANT, 0x18 }, /* VM_CR: SVM is disabled, and that is locked. */
  { 0xc0011020, 0xc0011023, KEPT, 0 },       /* LS_CFG, IC_CFG, DC_CFG, TW_CFG */
  { 0xc0011029, 0xc0011029, KEPT, 2 },       /* DE_CFG: LFENCE serialises. */
  { 0xc001102a, 0xc001102a, KEPT, 0 },       /* BU_CFG2 */
  { 0xc001102e, 0xc001102e, KEPT, 0 },       /* BP_CFG */
};

/* The core's own that are saved (core.c), and the timer's deadline, which the chips have. */
static const uint32_t cores[] = {
  VT_MSR_TSC,   VT_MSR_SYSENTER_CS, VT_MSR_SYSENTER_ESP, VT_MSR_SYSENTER_EIP,   VT_MSR_PAT,
  VT_MSR_STAR,  VT_MSR_LSTAR,       VT_MSR_CSTAR,        VT_MSR_FMASK,          VT_MSR_KERNEL_GS_BASE,
  VT_MSR_TSC_AUX, VT_MSR_TSC_DEADLINE, VT_MSR_SMBASE,
};

/* Where @index is kept; NULL: nowhere. */
static uint64_t *
find (VtSoftCpu *cpu, uint32_t index, How *how)
{
  unsigned at = 0;

  for (unsigned i = 0; i < G_N_ELEMENTS (table); i++)
    {
      if (index >= table[i].first && index <= table[i].last)
        {
          at += index - table[i].first;
          *how = table[i].how;
          return at < VT_SOFT_KEPT ? &cpu->kept[at] : NULL;
        }
      at += table[i].last - table[i].first + 1;
    }
  return NULL;
}

void
vt_soft_msr_reset (VtSoftCpu *cpu)
{
  How how;

  for (unsigned i = 0; i < G_N_ELEMENTS (table); i++)
    for (uint32_t index = table[i].first; index <= table[i].last; index++)
      *find (cpu, index, &how) = table[i].reset;
}

static bool
is_apic (uint32_t index)
{
  return index == VT_MSR_APIC_BASE || index == VT_MSR_TSC_DEADLINE || (index >= 0x800 && index <= 0x8ff);
}

bool
vt_soft_msr_read (VtSoftCpu *cpu, uint32_t index, uint64_t *value)
{
  const VtSoft *engine = vt_soft_of (cpu);
  How                how;

  if (is_apic (index))
    {
      const bool ok = engine->chips.ops
                      && engine->chips.ops->read_msr (engine->chips.data, cpu->base.index, index, value);
      vt_soft_look (cpu);
      return ok;
    }
  const uint64_t *kept = find (cpu, index, &how);
  if (kept == NULL)
    {
      vt_trace ("cpu", "processor %u reads MSR 0x%x, which is not there", cpu->base.index, index);
      return false;
    }
  *value = *kept;
  return true;
}

static bool
memory_types_ok (uint64_t value)
{
  for (unsigned i = 0; i < 8; i++, value >>= 8)
    if ((value & 0xff) > 6 || (value & 0xff) == 2 || (value & 0xff) == 3)
      return false;
  return true;
}

/* Whether nothing that is reserved is set. */
static bool
value_ok (const VtCore *core, uint32_t index, How how, uint64_t value)
{
  const uint64_t address = (VT_BIT (core->phys_bits) - 1) & ~VT_PAGE_OFFSET;

  switch (how)
    {
    case TYPED:
      return memory_types_ok (value);
    case DEFAULT:
      return (value & ~UINT64_C (0xcff)) == 0 && memory_types_ok (value & 0xff);
    case RANGE:
      return (value & ~(address | (index & 1 ? 0x800 : 0xff))) == 0 && (index & 1 || memory_types_ok (value & 0xff));
    default:
      return true;
    }
}

static bool
apic_write (VtSoftCpu *cpu, uint32_t index, uint64_t value)
{
  const VtSoft *engine = vt_soft_of (cpu);

  if (engine->chips.ops == NULL || (index == VT_MSR_APIC_BASE && value >> cpu->core->phys_bits)
      || !engine->chips.ops->write_msr (engine->chips.data, cpu->base.index, index, value))
    return false;
  if (index == VT_MSR_APIC_BASE)
    cpu->core->apic_base = value;
  vt_soft_look (cpu);
  return true;
}

bool
vt_soft_msr_write (VtSoftCpu *cpu, uint32_t index, uint64_t value)
{
  How how;

  if (is_apic (index))
    return apic_write (cpu, index, value);
  uint64_t *kept = find (cpu, index, &how);
  if (kept == NULL)
    {
      vt_trace ("cpu", "processor %u writes 0x%" G_GINT64_MODIFIER "x to MSR 0x%x, which is not there",
                cpu->base.index, value, index);
      return false;
    }
  switch (how)
    {
    case CONSTANT:
      return true;
    case FIXED:
      return value == *kept;
    default:
      if (!value_ok (cpu->core, index, how, value))
        return false;
      *kept = value;
      return true;
    }
}

/* State ------------------------------------------------------------------------------------------ */

static int
compare_index (const void *a, const void *b)
{
  const uint32_t x = ((const VtCpuMsr *) a)->index, y = ((const VtCpuMsr *) b)->index;
  return x < y ? -1 : x > y;
}

static bool
is_kept (How how)
{
  return how != CONSTANT && how != FIXED;
}

void
vt_soft_msr_get (VtSoftCpu *cpu, VtCpuState *state)
{
  How how;

  state->n_msrs = 0;
  for (unsigned i = 0; i < G_N_ELEMENTS (cores); i++)
    state->msr[state->n_msrs++] = (VtCpuMsr){ .index = cores[i] };
  for (unsigned i = 0; i < G_N_ELEMENTS (table); i++)
    if (is_kept (table[i].how))
      for (uint32_t index = table[i].first; index <= table[i].last; index++)
        state->msr[state->n_msrs++] = (VtCpuMsr){ .index = index, .value = *find (cpu, index, &how) };
  qsort (state->msr, state->n_msrs, sizeof state->msr[0], compare_index);
}

void
vt_soft_msr_set (VtSoftCpu *cpu, const VtCpuState *state)
{
  for (unsigned i = 0; i < state->n_msrs; i++)
    {
      const VtCpuMsr *msr = &state->msr[i];
      How             how;
      uint64_t       *kept = find (cpu, msr->index, &how);
      bool            is_core = false;

      for (unsigned c = 0; c < G_N_ELEMENTS (cores); c++)
        is_core |= cores[c] == msr->index;
      if (kept && is_kept (how))
        *kept = msr->value;
      else if (!kept && !is_core)
        vt_trace ("cpu", "MSR 0x%x is not there; it is left alone", msr->index);
    }
}
