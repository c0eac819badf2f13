/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Control registers and model-specific registers as instructions write them (SDM volume 3, 2.5, and
 * volume 4): which values are refused, and what a change does to paging and mode. The MSRs here are the
 * core's own; the engine's are behind VtCoreOps.
 */
#include "core.h"

void
vt_core_set_cr0 (VtCore *core, uint64_t value)
{
  const uint64_t known = VT_CR0_PE | VT_CR0_MP | VT_CR0_EM | VT_CR0_TS | VT_CR0_NE | VT_CR0_WP
                         | VT_CR0_AM | VT_CR0_NW | VT_CR0_CD | VT_CR0_PG;
  const uint64_t old = core->cr0;

  if (value >> 32)
    vt_core_gp (core, 0);
  value = (value & known) | VT_CR0_ET;
  if (((value & VT_CR0_PG) && !(value & VT_CR0_PE)) || ((value & VT_CR0_NW) && !(value & VT_CR0_CD)))
    vt_core_gp (core, 0);
  if ((value & VT_CR0_PG) && !(old & VT_CR0_PG))
    {
      if (core->efer & VT_EFER_LME)
        {
          /* Into IA-32e mode: SDM volume 3, 9.8.5. */
          const unsigned tss = core->seg[VT_CPU_TR].type;
          if (!(core->cr4 & VT_CR4_PAE) || core->seg[VT_CPU_CS].l
              || tss == VT_TYPE_TSS16 || tss == VT_TYPE_TSS16_BUSY)
            vt_core_gp (core, 0);
          core->efer |= VT_EFER_LMA;
        }
      else if (core->cr4 & VT_CR4_PAE)
        vt_core_load_pdptes (core, core->cr3);
    }
  else if (!(value & VT_CR0_PG) && (old & VT_CR0_PG))
    {
      if (core->code_bits == 64 || (core->cr4 & VT_CR4_PCIDE))
        vt_core_gp (core, 0);
      core->efer &= ~VT_EFER_LMA;
    }
  core->cr0 = value;
  if ((old ^ value) & (VT_CR0_PG | VT_CR0_WP | VT_CR0_PE))
    vt_mmu_flush (&core->mmu);
  /* The segments' caches stay: a jump loads CS, whose privilege is 0 on both sides. */
  vt_core_changed (core);
}

void
vt_core_set_cr3 (VtCore *core, uint64_t value)
{
  if (core->cr4 & VT_CR4_PCIDE)
    value &= ~VT_BIT (63); /* Keeping entries is allowed, not demanded. */
  if (core->long_mode)
    {
      if (value >> core->phys_bits)
        vt_core_gp (core, 0);
    }
  else
    value &= 0xffffffff;
  if ((core->cr0 & VT_CR0_PG) && (core->cr4 & VT_CR4_PAE) && !core->long_mode)
    vt_core_load_pdptes (core, value);
  core->cr3 = value;
  vt_mmu_flush_local (&core->mmu);
}

void
vt_core_set_cr4 (VtCore *core, uint64_t value)
{
  const uint64_t old = core->cr4, changed = old ^ value;

  if (value & ~core->cr4_mask)
    vt_core_gp (core, 0);
  if (core->long_mode && (!(value & VT_CR4_PAE) || (changed & VT_CR4_LA57)))
    vt_core_gp (core, 0);
  if ((value & ~old & VT_CR4_PCIDE) && (!core->long_mode || (core->cr3 & 0xfff)))
    vt_core_gp (core, 0);
  if ((core->cr0 & VT_CR0_PG) && !core->long_mode && (value & VT_CR4_PAE)
      && (changed & (VT_CR4_PAE | VT_CR4_PSE | VT_CR4_PGE | VT_CR4_SMEP)))
    vt_core_load_pdptes (core, core->cr3);
  core->cr4 = value;
  if (changed
      & (VT_CR4_PSE | VT_CR4_PAE | VT_CR4_PGE | VT_CR4_PCIDE | VT_CR4_SMEP | VT_CR4_SMAP | VT_CR4_PKE
         | VT_CR4_LA57))
    vt_mmu_flush (&core->mmu);
  vt_core_changed (core);
}

void
vt_core_set_efer (VtCore *core, uint64_t value)
{
  const uint64_t writable = VT_EFER_SCE | VT_EFER_LME | VT_EFER_NXE;

  if (value & ~(writable | VT_EFER_LMA))
    vt_core_gp (core, 0);
  if (((value ^ core->efer) & VT_EFER_LME) && (core->cr0 & VT_CR0_PG))
    vt_core_gp (core, 0);
  if ((value ^ core->efer) & VT_EFER_NXE)
    vt_mmu_flush (&core->mmu);
  core->efer = (core->efer & ~writable) | (value & writable);
  vt_core_changed (core);
}

/* Registers that are a plain field: what may be written, and whether it must be canonical. */
static const struct
{
  uint32_t index;
  uint32_t offset;
  uint64_t mask;
  bool     canonical;
} plain[] = {
  { VT_MSR_SYSENTER_CS, offsetof (VtCore, sysenter_cs), 0xffffffff, false },
  { VT_MSR_SYSENTER_ESP, offsetof (VtCore, sysenter_esp), UINT64_MAX, true },
  { VT_MSR_SYSENTER_EIP, offsetof (VtCore, sysenter_eip), UINT64_MAX, true },
  { VT_MSR_STAR, offsetof (VtCore, star), UINT64_MAX, false },
  { VT_MSR_LSTAR, offsetof (VtCore, lstar), UINT64_MAX, true },
  { VT_MSR_CSTAR, offsetof (VtCore, cstar), UINT64_MAX, true },
  { VT_MSR_FMASK, offsetof (VtCore, fmask), 0xffffffff, false },
  { VT_MSR_FS_BASE, offsetof (VtCore, seg[VT_CPU_FS].base), UINT64_MAX, true },
  { VT_MSR_GS_BASE, offsetof (VtCore, seg[VT_CPU_GS].base), UINT64_MAX, true },
  { VT_MSR_KERNEL_GS_BASE, offsetof (VtCore, kernel_gs_base), UINT64_MAX, true },
  { VT_MSR_TSC_AUX, offsetof (VtCore, tsc_aux), 0xffffffff, false },
};

static bool
pat_ok (uint64_t value)
{
  for (unsigned i = 0; i < 8; i++, value >>= 8)
    if ((value & 0xff) > 7 || (value & 0xff) == 2 || (value & 0xff) == 3)
      return false;
  return true;
}

uint64_t
vt_core_rdmsr (VtCore *core, uint32_t index)
{
  uint64_t value;

  for (unsigned i = 0; i < G_N_ELEMENTS (plain); i++)
    if (plain[i].index == index)
      {
        memcpy (&value, (const uint8_t *) core + plain[i].offset, 8);
        return value;
      }
  switch (index)
    {
    case VT_MSR_EFER:
      return core->efer;
    case VT_MSR_PAT:
      return core->pat;
    case VT_MSR_TSC:
      if (core->ops->tsc == NULL)
        vt_core_decline (core);
      return core->tsc_offset + core->ops->tsc (core->data);
    default:
      if (core->ops->msr_read == NULL)
        vt_core_decline (core);
      if (!core->ops->msr_read (core->data, index, &value))
        vt_core_gp (core, 0);
      return value;
    }
}

void
vt_core_wrmsr (VtCore *core, uint32_t index, uint64_t value)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (plain); i++)
    if (plain[i].index == index)
      {
        if ((value & ~plain[i].mask) || (plain[i].canonical && !vt_core_canonical (core, value)))
          vt_core_gp (core, 0);
        memcpy ((uint8_t *) core + plain[i].offset, &value, 8);
        return;
      }
  switch (index)
    {
    case VT_MSR_EFER:
      vt_core_set_efer (core, value);
      return;
    case VT_MSR_PAT:
      if (!pat_ok (value))
        vt_core_gp (core, 0);
      core->pat = value;
      return;
    case VT_MSR_TSC:
      if (core->ops->tsc == NULL)
        vt_core_decline (core);
      __atomic_store_n (&core->tsc_offset, value - core->ops->tsc (core->data), __ATOMIC_RELAXED);
      if (core->ops->tsc_changed)
        core->ops->tsc_changed (core->data);
      return;
    default:
      if (core->ops->msr_write == NULL)
        vt_core_decline (core);
      if (!core->ops->msr_write (core->data, index, value))
        vt_core_gp (core, 0);
      return;
    }
}
