/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * System instructions: descriptor tables, control and debug registers, MSRs, CPUID, flags that need a
 * privilege, HLT.
 */
#include "ops.h"

#include <sys/random.h>

static void
privileged (VtCore *core)
{
  if (core->cpl != 0)
    vt_core_gp (core, 0);
}

/* CR4.UMIP keeps SGDT and its kin from user code. */
static void
not_user (VtCore *core)
{
  if ((core->cr4 & VT_CR4_UMIP) && core->cpl != 0)
    vt_core_gp (core, 0);
}

/* In real and virtual 8086 mode there are no selectors to ask about. */
static void
protected_only (VtCore *core)
{
  if (!core->protected_mode)
    vt_core_ud (core);
}

/* Flags ------------------------------------------------------------------------------------------- */

void
vt_op_cli (VtCore *core, const VtInsn *insn)
{
  if ((core->cr0 & VT_CR0_PE) && core->cpl > (core->rflags >> 12 & 3))
    {
      if (core->cr4 & (core->rflags & VT_FLAG_VM ? VT_CR4_VME : VT_CR4_PVI))
        vt_core_decline (core);
      vt_core_gp (core, 0);
    }
  core->rflags &= ~VT_FLAG_IF;
}

void
vt_op_sti (VtCore *core, const VtInsn *insn)
{
  if ((core->cr0 & VT_CR0_PE) && core->cpl > (core->rflags >> 12 & 3))
    {
      if (core->cr4 & (core->rflags & VT_FLAG_VM ? VT_CR4_VME : VT_CR4_PVI))
        vt_core_decline (core);
      vt_core_gp (core, 0);
    }
  if (!(core->rflags & VT_FLAG_IF))
    core->new_shadow = 2;
  core->rflags |= VT_FLAG_IF;
}

/* STAC and CLAC: @arg is AC's value. */
void
vt_op_ac (VtCore *core, const VtInsn *insn)
{
  if (core->cpl != 0 || !(core->cr4_mask & VT_CR4_SMAP))
    vt_core_ud (core);
  vt_put_flag (core, VT_FLAG_AC, insn->op->arg != 0);
  vt_core_changed (core);
}

void
vt_op_hlt (VtCore *core, const VtInsn *insn)
{
  privileged (core);
  if (core->ops->halt == NULL)
    vt_core_decline (core);
  core->mp_state = VT_CPU_MP_HALTED;
}

void
vt_op_rsm (VtCore *core, const VtInsn *insn)
{
  if (!core->events.smm)
    vt_core_ud (core);
  if (core->ops->halt == NULL)
    vt_core_decline (core);
  vt_smm_leave (core);
  core->iret = true; /* RF has been loaded. */
}

/* Descriptor tables ------------------------------------------------------------------------------- */

/* LGDT, LIDT: @arg 1 is the interrupt table. */
void
vt_op_load_table (VtCore *core, const VtInsn *insn)
{
  const VtAccessSet set = vt_mmu_data_set (core);
  const unsigned    size = core->code_bits == 64 ? 8 : 4;

  privileged (core);
  const uint32_t limit = (uint32_t) vt_mmu_load (
      core, vt_insn_linear (core, insn, 0, 2, VT_ACCESS_READ), 2, set);
  uint64_t base =
      vt_mmu_load (core, vt_insn_linear (core, insn, 2, size, VT_ACCESS_READ), size, set);
  if (core->code_bits != 64 && insn->osize == 2)
    base &= 0xffffff;
  if (!vt_core_canonical (core, base))
    vt_core_gp (core, 0);
  if (insn->op->arg)
    {
      core->idt_limit = limit;
      core->idt_base = base;
    }
  else
    {
      core->gdt_limit = limit;
      core->gdt_base = base;
    }
}

void
vt_op_store_table (VtCore *core, const VtInsn *insn)
{
  const unsigned size = core->code_bits == 64 ? 8 : 4;
  const uint64_t base = insn->op->arg ? core->idt_base : core->gdt_base;
  const uint32_t limit = insn->op->arg ? core->idt_limit : core->gdt_limit;
  uint8_t        bytes[10];

  not_user (core);
  vt_st16 (bytes, (uint16_t) limit);
  vt_st64 (bytes + 2, base);
  vt_mmu_write (core, vt_insn_linear (core, insn, 0, 2 + size, VT_ACCESS_WRITE), bytes, 2 + size,
                vt_mmu_data_set (core));
}

void
vt_op_lldt (VtCore *core, const VtInsn *insn)
{
  protected_only (core);
  privileged (core);
  vt_load_ldt (core, (uint16_t) vt_operand_read (core, insn, 0));
}

void
vt_op_ltr (VtCore *core, const VtInsn *insn)
{
  protected_only (core);
  privileged (core);
  vt_load_tr (core, (uint16_t) vt_operand_read (core, insn, 0));
}

/* SLDT, STR: @arg is the register. A register takes the selector zero-extended, memory 16 bits. */
void
vt_op_store_selector (VtCore *core, const VtInsn *insn)
{
  protected_only (core);
  not_user (core);
  vt_operand_write (core, insn, 0, core->seg[insn->op->arg].selector);
}

void
vt_op_smsw (VtCore *core, const VtInsn *insn)
{
  not_user (core);
  vt_operand_write (core, insn, 0, core->cr0);
}

void
vt_op_lmsw (VtCore *core, const VtInsn *insn)
{
  privileged (core);
  const uint64_t value = vt_operand_read (core, insn, 0) & 15;
  /* It can set PE and not clear it. */
  vt_core_set_cr0 (core, (core->cr0 & ~UINT64_C (14)) | value);
}

void
vt_op_clts (VtCore *core, const VtInsn *insn)
{
  privileged (core);
  core->cr0 &= ~VT_CR0_TS;
}

/* A selector that is only asked about: whether its descriptor may be seen from here. */
static bool
visible (VtCore *core, uint16_t selector, uint32_t system_types, VtDescriptor *d)
{
  if ((selector & 0xfffc) == 0 || !vt_descriptor_peek (core, selector, false, d))
    return false;
  if (!vt_descriptor_is_segment (d) && !(system_types >> vt_descriptor_type (d) & 1))
    return false;
  if (vt_descriptor_is_segment (d) && vt_descriptor_conforming (d))
    return true;
  return core->cpl <= vt_descriptor_dpl (d) && (selector & 3u) <= vt_descriptor_dpl (d);
}

void
vt_op_lar (VtCore *core, const VtInsn *insn)
{
  /* Long mode's gates of 16 bits are none (SDM volume 2, table 3-53). */
  const uint32_t types = core->long_mode ? 0x1a04 : 0x1a3e;
  VtDescriptor   d;

  protected_only (core);
  const bool ok = visible (core, (uint16_t) vt_operand_read (core, insn, 1), types, &d);
  if (ok)
    vt_operand_write (core, insn, 0, d.raw >> 32 & 0xffff00);
  vt_put_flag (core, VT_FLAG_ZF, ok);
}

void
vt_op_lsl (VtCore *core, const VtInsn *insn)
{
  const uint32_t types = core->long_mode ? 0x0a04 : 0x0a0e;
  VtDescriptor   d;

  protected_only (core);
  const bool ok = visible (core, (uint16_t) vt_operand_read (core, insn, 1), types, &d);
  if (ok)
    vt_operand_write (core, insn, 0, vt_descriptor_segment (&d).limit);
  vt_put_flag (core, VT_FLAG_ZF, ok);
}

/* VERR, VERW: @arg 1 asks for writing. */
void
vt_op_verify (VtCore *core, const VtInsn *insn)
{
  VtDescriptor d;

  protected_only (core);
  bool ok = visible (core, (uint16_t) vt_operand_read (core, insn, 0), 0, &d);
  if (ok)
    ok = insn->op->arg ? (vt_descriptor_type (&d) & 0xa) == 2 : (vt_descriptor_type (&d) & 0xa) != 8;
  vt_put_flag (core, VT_FLAG_ZF, ok);
}

void
vt_op_arpl (VtCore *core, const VtInsn *insn)
{
  const uint64_t rpl = vt_operand_read (core, insn, 1) & 3;
  VtPlace        place;

  protected_only (core);
  vt_place_open (core, insn, 0, &place);
  const uint64_t old = vt_place_load (core, &place);
  const bool     lower = (old & 3) < rpl;
  vt_place_store (core, &place, old, lower ? (old & ~UINT64_C (3)) | rpl : old);
  vt_put_flag (core, VT_FLAG_ZF, lower);
}

/* Control and debug registers ----------------------------------------------------------------------- */

static uint64_t
get_control (VtCore *core, unsigned n)
{
  switch (n)
    {
    case 0:
      return core->cr0;
    case 2:
      return core->cr2;
    case 3:
      return core->cr3;
    case 4:
      return core->cr4;
    case 8:
      return core->cr8;
    default:
      vt_core_ud (core);
    }
}

void
vt_op_mov_control (VtCore *core, const VtInsn *insn)
{
  privileged (core);
  if (insn->operand[0].kind != VT_OPERAND_CR)
    {
      vt_operand_write (core, insn, 0, get_control (core, insn->operand[1].reg));
      return;
    }
  const uint64_t value = vt_operand_read (core, insn, 1);
  switch (insn->operand[0].reg)
    {
    case 0:
      vt_core_set_cr0 (core, value);
      break;
    case 2:
      core->cr2 = value;
      break;
    case 3:
      vt_core_set_cr3 (core, value);
      break;
    case 4:
      vt_core_set_cr4 (core, value);
      break;
    case 8:
      if (value >> 4)
        vt_core_gp (core, 0);
      if (core->ops->tpr == NULL)
        vt_core_decline (core);
      core->cr8 = value;
      core->ops->tpr (core->data, (uint8_t) value);
      break;
    default:
      vt_core_ud (core);
    }
}

void
vt_op_mov_debug (VtCore *core, const VtInsn *insn)
{
  const bool load = insn->operand[0].kind == VT_OPERAND_DR;
  unsigned   n = insn->operand[load ? 0 : 1].reg;

  privileged (core);
  if (n == 4 || n == 5)
    {
      if (core->cr4 & VT_CR4_DE)
        vt_core_ud (core);
      n += 2;
    }
  if (n > 7)
    vt_core_ud (core);
  if (core->dr7 & VT_DR7_GD)
    {
      core->dr6 |= VT_DR6_BD;
      vt_core_raise (core, VT_EXC_DB, 0);
    }
  uint64_t *reg = n < 4 ? &core->dr[n] : n == 6 ? &core->dr6 : &core->dr7;
  if (!load)
    {
      vt_operand_write (core, insn, 0, *reg);
      return;
    }
  uint64_t value = vt_operand_read (core, insn, 1);
  if (n >= 6 && value >> 32)
    vt_core_gp (core, 0);
  if (n == 6)
    value = (value & 0xe00f) | VT_DR6_FIXED;
  else if (n == 7)
    value = (value & 0xffff2bff) | VT_DR7_FIXED;
  *reg = value;
}

/* TLB ----------------------------------------------------------------------------------------------- */

void
vt_op_invlpg (VtCore *core, const VtInsn *insn)
{
  privileged (core);
  uint64_t linear = vt_insn_offset (core, insn);
  if (core->code_bits == 64)
    {
      if (insn->seg >= VT_CPU_FS)
        linear += core->seg[insn->seg].base;
    }
  else
    linear = (uint32_t) (linear + core->seg[insn->seg].base);
  vt_mmu_flush_page (&core->mmu, linear);
}

void
vt_op_invpcid (VtCore *core, const VtInsn *insn)
{
  privileged (core);
  const unsigned size = core->code_bits == 64 ? 8 : 4;
  const uint64_t type = vt_core_gpr (core, insn->operand[0].reg, size);
  uint8_t        descriptor[16];
  vt_mmu_read (core, vt_insn_linear (core, insn, 0, 16, VT_ACCESS_READ), descriptor, 16,
               VT_ACCESS_READ, vt_mmu_data_set (core));
  if (type > 3 || vt_ld64 (descriptor) >> 12)
    vt_core_gp (core, 0);
  if (type <= 1 && !(core->cr4 & VT_CR4_PCIDE) && vt_ld64 (descriptor))
    vt_core_gp (core, 0);
  if (type == 0 && !vt_core_canonical (core, vt_ld64 (descriptor + 8)))
    vt_core_gp (core, 0);
  /* More than was asked for, which is allowed. */
  vt_mmu_flush (&core->mmu);
}

/* Caches: nothing to write back. */
void
vt_op_privileged_nop (VtCore *core, const VtInsn *insn)
{
  privileged (core);
}

/* CLFLUSH and its kin want their line readable. */
void
vt_op_touch (VtCore *core, const VtInsn *insn)
{
  const uint64_t linear = vt_insn_linear (core, insn, 0, 1, VT_ACCESS_READ);
  vt_mmu_load (core, linear, 1, vt_mmu_data_set (core));
}

/* MSRs, CPUID, counters --------------------------------------------------------------------------- */

void
vt_op_rdmsr (VtCore *core, const VtInsn *insn)
{
  privileged (core);
  const uint64_t value = vt_core_rdmsr (core, (uint32_t) core->gpr[VT_CPU_RCX]);
  vt_core_set_gpr (core, VT_CPU_RAX, 4, value);
  vt_core_set_gpr (core, VT_CPU_RDX, 4, value >> 32);
}

void
vt_op_wrmsr (VtCore *core, const VtInsn *insn)
{
  privileged (core);
  vt_core_wrmsr (core, (uint32_t) core->gpr[VT_CPU_RCX],
                 (core->gpr[VT_CPU_RAX] & 0xffffffff) | core->gpr[VT_CPU_RDX] << 32);
}

void
vt_op_cpuid (VtCore *core, const VtInsn *insn)
{
  uint32_t out[4];

  if (core->ops->cpuid == NULL)
    vt_core_decline (core);
  core->ops->cpuid (core->data, (uint32_t) core->gpr[VT_CPU_RAX], (uint32_t) core->gpr[VT_CPU_RCX],
                    out);
  vt_core_set_gpr (core, VT_CPU_RAX, 4, out[0]);
  vt_core_set_gpr (core, VT_CPU_RBX, 4, out[1]);
  vt_core_set_gpr (core, VT_CPU_RCX, 4, out[2]);
  vt_core_set_gpr (core, VT_CPU_RDX, 4, out[3]);
}

/* RDTSC, RDTSCP: @arg 1 gives IA32_TSC_AUX too. */
void
vt_op_rdtsc (VtCore *core, const VtInsn *insn)
{
  if ((core->cr4 & VT_CR4_TSD) && core->cpl != 0)
    vt_core_gp (core, 0);
  const uint64_t value = vt_core_rdmsr (core, VT_MSR_TSC);
  vt_core_set_gpr (core, VT_CPU_RAX, 4, value);
  vt_core_set_gpr (core, VT_CPU_RDX, 4, value >> 32);
  if (insn->op->arg)
    vt_core_set_gpr (core, VT_CPU_RCX, 4, core->tsc_aux);
}

void
vt_op_rdpid (VtCore *core, const VtInsn *insn)
{
  vt_operand_write (core, insn, 0, core->tsc_aux);
}

/* RDRAND, RDSEED: the host kernel's generator, which is seeded by the same hardware and never runs dry. */
void
vt_op_random (VtCore *core, const VtInsn *insn)
{
  const unsigned size = insn->operand[0].size;
  uint64_t       value = 0;
  const bool     ok = getrandom (&value, size, GRND_NONBLOCK) == (ssize_t) size;

  vt_operand_write (core, insn, 0, ok ? value : 0);
  core->rflags &= ~VT_FLAGS_STATUS;
  vt_put_flag (core, VT_FLAG_CF, ok);
}

void
vt_op_swapgs (VtCore *core, const VtInsn *insn)
{
  privileged (core);
  const uint64_t base = core->seg[VT_CPU_GS].base;
  core->seg[VT_CPU_GS].base = core->kernel_gs_base;
  core->kernel_gs_base = base;
}

/* RDFSBASE and its kin: @arg is the segment. */
void
vt_op_read_base (VtCore *core, const VtInsn *insn)
{
  if (!(core->cr4 & VT_CR4_FSGSBASE))
    vt_core_ud (core);
  vt_operand_write (core, insn, 0, core->seg[insn->op->arg].base);
}

void
vt_op_write_base (VtCore *core, const VtInsn *insn)
{
  if (!(core->cr4 & VT_CR4_FSGSBASE))
    vt_core_ud (core);
  const uint64_t base = vt_operand_read (core, insn, 0);
  if (!vt_core_canonical (core, base))
    vt_core_gp (core, 0);
  core->seg[insn->op->arg].base = base;
}
