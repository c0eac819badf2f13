/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A core's making, its state in and out, and the way by which faults leave an instruction.
 */
#include "core.h"

#include <sys/mman.h>

#include "block/translate.h"
#include "host/unit.h"
#include "interpret/interpret.h"

/* MSRs of VtCpuState that are fields of the core. */
static const struct
{
  uint32_t index;
  uint32_t offset;
} msr_fields[] = {
  { VT_MSR_SYSENTER_CS, offsetof (VtCore, sysenter_cs) },
  { VT_MSR_SYSENTER_ESP, offsetof (VtCore, sysenter_esp) },
  { VT_MSR_SYSENTER_EIP, offsetof (VtCore, sysenter_eip) },
  { VT_MSR_PAT, offsetof (VtCore, pat) },
  { VT_MSR_STAR, offsetof (VtCore, star) },
  { VT_MSR_LSTAR, offsetof (VtCore, lstar) },
  { VT_MSR_CSTAR, offsetof (VtCore, cstar) },
  { VT_MSR_FMASK, offsetof (VtCore, fmask) },
  { VT_MSR_KERNEL_GS_BASE, offsetof (VtCore, kernel_gs_base) },
  { VT_MSR_TSC_AUX, offsetof (VtCore, tsc_aux) },
  { VT_MSR_SMBASE, offsetof (VtCore, smbase) },
};

static uint64_t
cr4_known (void)
{
  return VT_CR4_VME | VT_CR4_PVI | VT_CR4_TSD | VT_CR4_DE | VT_CR4_PSE | VT_CR4_PAE | VT_CR4_MCE
         | VT_CR4_PGE | VT_CR4_PCE | VT_CR4_OSFXSR | VT_CR4_OSXMMEXCPT | VT_CR4_UMIP | VT_CR4_LA57
         | VT_CR4_FSGSBASE | VT_CR4_PCIDE | VT_CR4_OSXSAVE | VT_CR4_SMEP | VT_CR4_SMAP | VT_CR4_PKE;
}

/* What the guest's CPUID says about paging and CR4. */
static void
features (VtCore *core)
{
  uint32_t one[4], seven[4], wide[4], size[4], xsave[4];

  core->xcr0_mask = vt_unit_features (core->unit);
  core->phys_bits = 52;
  core->has_gbytes = true;
  core->cr4_mask = cr4_known ();
  if (core->ops->cpuid == NULL)
    return;
  core->ops->cpuid (core->data, 1, 0, one);
  core->ops->cpuid (core->data, 7, 0, seven);
  core->ops->cpuid (core->data, 0x80000001, 0, wide);
  core->ops->cpuid (core->data, 0x80000008, 0, size);
  core->ops->cpuid (core->data, 0xd, 0, xsave);
  core->xcr0_mask &= xsave[0] | (uint64_t) xsave[3] << 32;
  core->has_gbytes = (wide[3] & VT_BIT (26)) != 0;
  if ((size[0] & 0xff) >= 32 && (size[0] & 0xff) <= 52)
    core->phys_bits = (uint8_t) size[0];
  if (!(one[3] & VT_BIT (1)))
    core->cr4_mask &= ~(VT_CR4_VME | VT_CR4_PVI);
  if (!(one[2] & VT_BIT (17)))
    core->cr4_mask &= ~VT_CR4_PCIDE;
  if (!(one[2] & VT_BIT (26)))
    core->cr4_mask &= ~VT_CR4_OSXSAVE;
  if (!(seven[1] & VT_BIT (0)))
    core->cr4_mask &= ~VT_CR4_FSGSBASE;
  if (!(seven[1] & VT_BIT (7)))
    core->cr4_mask &= ~VT_CR4_SMEP;
  if (!(seven[1] & VT_BIT (20)))
    core->cr4_mask &= ~VT_CR4_SMAP;
  if (!(seven[2] & VT_BIT (2)))
    core->cr4_mask &= ~VT_CR4_UMIP;
  if (!(seven[2] & VT_BIT (3)))
    core->cr4_mask &= ~VT_CR4_PKE;
  if (!(seven[2] & VT_BIT (16)))
    core->cr4_mask &= ~VT_CR4_LA57;
}

/* LeakSanitizer's, where it's linked: it does not look for pointers in mappings by itself. */
extern void __lsan_register_root_region (const void *at, size_t size) __attribute__ ((weak));
extern void __lsan_unregister_root_region (const void *at, size_t size) __attribute__ ((weak));

VtCore *
vt_core_new (VtSpace *space, const VtCoreOps *ops, void *data)
{
  /* Of pages of its own, so that its tables take no memory before they are used. */
  VtCore *core =
      mmap (NULL, sizeof *core, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (core == MAP_FAILED)
    g_error ("no memory for a processor"); /* As every allocation ends. */
  if (__lsan_register_root_region)
    __lsan_register_root_region (core, sizeof *core);

  core->space = space;
  core->ops = ops;
  core->data = data;
  vt_mmu_init (&core->mmu, core->tlb);
  core->decoder = vt_decoder_new ();
  core->unit = vt_unit_new ();
  core->rflags = VT_FLAG_FIXED;
  core->xcr0 = 1;
  core->xsave_size = 576;
  const char *chaos = g_getenv ("VITRINE_CHAOS");
  char       *rest = NULL;
  if (chaos)
    core->chaos = g_ascii_strtoull (chaos, &rest, 0);
  core->chaos_period = rest && *rest == ':' ? g_ascii_strtoull (rest + 1, NULL, 0) : 32;
  const char *translate = g_getenv ("VITRINE_TRANSLATE");
  core->never = g_strcmp0 (translate, "never") == 0;
  core->strict = g_strcmp0 (translate, "strict") == 0;
  features (core);
  vt_core_changed (core);
  return core;
}

void
vt_core_free (VtCore *core)
{
  if (core == NULL)
    return;
  vt_unit_free (core->unit);
  vt_decoder_free (core->decoder);
  vt_blocks_free (core->blocks);
  if (__lsan_unregister_root_region)
    __lsan_unregister_root_region (core, sizeof *core);
  munmap (core, sizeof *core);
}

void
vt_core_changed (VtCore *core)
{
  const bool virtual_8086 = (core->rflags & VT_FLAG_VM) != 0;

  core->long_mode = (core->efer & VT_EFER_LMA) != 0;
  core->protected_mode = (core->cr0 & VT_CR0_PE) && !virtual_8086;
  if (core->long_mode && core->seg[VT_CPU_CS].l)
    core->code_bits = 64;
  else
    core->code_bits = core->protected_mode && core->seg[VT_CPU_CS].db ? 32 : 16;
  core->align_check =
      core->cpl == 3 && (core->cr0 & VT_CR0_AM) && (core->rflags & VT_FLAG_AC);
}

void
vt_core_load (VtCore *core, const VtCpuState *state)
{
  memcpy (core->gpr, state->gpr, sizeof core->gpr);
  core->rip = state->rip;
  core->rflags = (state->rflags & VT_FLAGS_ALL) | VT_FLAG_FIXED;
  memcpy (core->seg, state->seg, sizeof core->seg);
  core->gdt_base = state->gdt_base;
  core->idt_base = state->idt_base;
  core->gdt_limit = state->gdt_limit;
  core->idt_limit = state->idt_limit;
  core->cr0 = state->cr0;
  core->cr2 = state->cr2;
  core->cr3 = state->cr3;
  core->cr4 = state->cr4;
  core->cr8 = state->cr8;
  core->efer = state->efer;
  core->apic_base = state->apic_base;
  core->xcr0 = state->xcr0 | 1;
  memcpy (core->dr, state->dr, sizeof core->dr);
  core->dr6 = state->dr6;
  core->dr7 = state->dr7;
  core->mp_state = state->mp_state;
  core->events = state->events;
  core->shadow = state->events.shadow & 3;

  for (unsigned i = 0; i < state->n_msrs && i < VT_CPU_MSRS; i++)
    for (unsigned f = 0; f < G_N_ELEMENTS (msr_fields); f++)
      if (msr_fields[f].index == state->msr[i].index)
        memcpy ((uint8_t *) core + msr_fields[f].offset, &state->msr[i].value, 8);
      else if (state->msr[i].index == VT_MSR_TSC && core->ops->tsc)
        core->tsc_offset = state->msr[i].value - core->ops->tsc (core->data);

  core->xsave_size = CLAMP (state->xsave_size, 576, VT_CPU_XSAVE);
  memcpy (core->xsave, state->xsave, core->xsave_size);
  vt_unit_sanitize (core);
  core->pkru = vt_unit_pkru (core);

  /* The privilege is SS's; real mode has 0 and virtual 8086 mode 3, whatever SS says. */
  if (!(core->cr0 & VT_CR0_PE))
    core->cpl = 0;
  else
    core->cpl = core->rflags & VT_FLAG_VM ? 3 : core->seg[VT_CPU_SS].dpl & 3;
  core->snapshot_taken = false;
  vt_mmu_flush (&core->mmu);
  /* With the registers, memory may have come from elsewhere. */
  if (core->blocks)
    vt_blocks_flush (core->blocks);
  vt_core_changed (core);
  /* The pointers that the processor would hold; where the tables are no longer right, it is the
   * guest's next access that shows it. */
  memset (core->pdpte, 0, sizeof core->pdpte);
  if ((core->cr0 & VT_CR0_PG) && (core->cr4 & VT_CR4_PAE) && !core->long_mode)
    for (unsigned i = 0; i < 4; i++)
      vt_space_read (core->space, vt_core_memory (core), (core->cr3 & 0xffffffe0) + i * 8, &core->pdpte[i],
                     8);
}

void
vt_core_store (const VtCore *core, VtCpuState *state)
{
  memcpy (state->gpr, core->gpr, sizeof core->gpr);
  state->rip = core->rip;
  state->rflags = core->rflags;
  memcpy (state->seg, core->seg, sizeof core->seg);
  state->gdt_base = core->gdt_base;
  state->idt_base = core->idt_base;
  state->gdt_limit = core->gdt_limit;
  state->idt_limit = core->idt_limit;
  state->cr0 = core->cr0;
  state->cr2 = core->cr2;
  state->cr3 = core->cr3;
  state->cr4 = core->cr4;
  state->cr8 = core->cr8;
  state->efer = core->efer;
  state->apic_base = core->apic_base;
  state->xcr0 = core->xcr0;
  memcpy (state->dr, core->dr, sizeof core->dr);
  state->dr6 = core->dr6;
  state->dr7 = core->dr7;
  state->mp_state = core->mp_state;
  state->events = core->events;
  state->events.shadow = core->shadow;
  for (unsigned i = 0; i < state->n_msrs && i < VT_CPU_MSRS; i++)
    for (unsigned f = 0; f < G_N_ELEMENTS (msr_fields); f++)
      if (msr_fields[f].index == state->msr[i].index)
        memcpy (&state->msr[i].value, (const uint8_t *) core + msr_fields[f].offset, 8);
      else if (state->msr[i].index == VT_MSR_TSC && core->ops->tsc)
        state->msr[i].value = core->tsc_offset + core->ops->tsc (core->data);
  state->xsave_size = core->xsave_size;
  memcpy (state->xsave, core->xsave, core->xsave_size);
}

void
vt_core_flush_asked (VtCore *core)
{
  vt_mmu_mark_written (core);
  vt_mmu_flush (&core->mmu);
  vt_mmu_forget_spans (&core->mmu);
  if (core->blocks)
    vt_blocks_flush (core->blocks);
}

/* Faults --------------------------------------------------------------------------------------- */

int
vt_core_try (VtCore *core, void (*what) (VtCore *core, void *arg), void *arg)
{
  jmp_buf        here;
  jmp_buf *const outer = core->catch;
  const int      how = _setjmp (here);

  if (how == VT_CATCH_NONE)
    {
      core->catch = &here;
      what (core, arg);
    }
  core->catch = outer;
  return how;
}

void
vt_core_snapshot (VtCore *core)
{
  VtCoreSnapshot *s = &core->snapshot;

  memcpy (s->gpr, core->gpr, sizeof s->gpr);
  memcpy (s->seg, core->seg, sizeof s->seg);
  s->rip = core->rip;
  s->rflags = core->rflags;
  s->cr0 = core->cr0;
  s->cr3 = core->cr3;
  s->cpl = core->cpl;
  core->snapshot_taken = true;
}

static _Noreturn void
leave (VtCore *core, int how)
{
  if (core->snapshot_taken)
    {
      const VtCoreSnapshot *s = &core->snapshot;

      core->snapshot_taken = false;
      memcpy (core->gpr, s->gpr, sizeof s->gpr);
      memcpy (core->seg, s->seg, sizeof s->seg);
      core->rip = s->rip;
      core->rflags = s->rflags;
      core->cr0 = s->cr0;
      if (core->cr3 != s->cr3)
        {
          core->cr3 = s->cr3;
          vt_mmu_flush (&core->mmu);
        }
      core->cpl = s->cpl;
      vt_core_changed (core);
    }
  _longjmp (*core->catch, how);
}

static bool
has_error_code (unsigned vector)
{
  return vector == VT_EXC_DF || (vector >= VT_EXC_TS && vector <= VT_EXC_PF) || vector == VT_EXC_AC;
}

void
vt_core_raise (VtCore *core, uint8_t vector, uint32_t error)
{
  core->fault = (VtFault){
    .vector = vector,
    .has_error = has_error_code (vector),
    .error = error,
  };
  leave (core, VT_CATCH_FAULT);
}

void
vt_core_raise_page_fault (VtCore *core, uint64_t linear, uint32_t error)
{
  core->fault = (VtFault){
    .vector = VT_EXC_PF,
    .has_error = true,
    .error = error,
    .address = linear,
  };
  leave (core, VT_CATCH_FAULT);
}

void
vt_core_decline (VtCore *core)
{
  leave (core, VT_CATCH_DECLINE);
}

void
vt_core_shut_down (VtCore *core)
{
  leave (core, VT_CATCH_SHUT_DOWN);
}
