/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Far returns: RETF and IRET in every mode, and the fast calls' SYSRET and SYSEXIT with their entries
 * (SDM volume 2; AMD APM volume 3 for SYSCALL in compatibility mode).
 */
#include "system.h"

void
vt_set_flags (VtCore *core, uint64_t value, uint64_t mask)
{
  core->rflags = (core->rflags & ~mask) | (value & mask) | VT_FLAG_FIXED;
  vt_core_changed (core);
}

void
vt_pop_flags (VtCore *core, uint64_t value, unsigned size, unsigned cpl, uint64_t also)
{
  uint64_t mask = VT_FLAGS_STATUS | VT_FLAG_TF | VT_FLAG_DF | VT_FLAG_NT | also;

  if (size > 2)
    mask |= VT_FLAG_AC | VT_FLAG_ID;
  if (cpl == 0)
    mask |= VT_FLAG_IOPL;
  if (cpl <= (core->rflags >> 12 & 3))
    mask |= VT_FLAG_IF;
  vt_set_flags (core, value, mask);
}

/* The code segment of a return: checked for the privilege in its RPL. */
static void
read_return_code (VtCore *core, uint16_t selector, VtDescriptor *code)
{
  const unsigned rpl = selector & 3;

  if ((selector & 0xfffc) == 0)
    vt_core_gp (core, 0);
  vt_descriptor_read (core, selector, false, VT_EXC_GP, code);
  const unsigned dpl = vt_descriptor_dpl (code);
  if (!vt_descriptor_is_code (code) || rpl < core->cpl
      || (vt_descriptor_conforming (code) ? dpl > rpl : dpl != rpl)
      || (core->long_mode && (code->raw >> 53 & 3) == 3))
    vt_core_gp (core, vt_selector_error (core, selector));
  if (!vt_descriptor_present (code))
    vt_core_raise (core, VT_EXC_NP, vt_selector_error (core, selector));
}

/* The stack segment that a return to @rpl pops. */
static VtCpuSegment
read_return_stack (VtCore *core, uint16_t selector, unsigned rpl, bool to_64)
{
  VtDescriptor d;

  if ((selector & 0xfffc) == 0)
    {
      if (!to_64 || rpl == 3 || (selector & 3u) != rpl)
        vt_core_gp (core, 0);
      return vt_seg_flat (selector, false, rpl, false);
    }
  vt_descriptor_read (core, selector, false, VT_EXC_GP, &d);
  if ((selector & 3u) != rpl || vt_descriptor_dpl (&d) != rpl || !vt_descriptor_is_segment (&d)
      || (vt_descriptor_type (&d) & 0xa) != 2)
    vt_core_gp (core, vt_selector_error (core, selector));
  if (!vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_SS, vt_selector_error (core, selector));
  vt_descriptor_mark (core, &d);
  return vt_descriptor_segment (&d);
}

/* Data segments that the outer privilege may not have become null. */
static void
drop_segments (VtCore *core)
{
  static const uint8_t data[] = { VT_CPU_ES, VT_CPU_DS, VT_CPU_FS, VT_CPU_GS };

  for (unsigned i = 0; i < G_N_ELEMENTS (data); i++)
    {
      VtCpuSegment *s = &core->seg[data[i]];
      const bool    conforming = (s->type & 0xc) == 0xc;
      if (s->unusable || !s->present)
        continue;
      if (!conforming && s->dpl < core->cpl)
        {
          const uint64_t base = s->base;
          *s = vt_seg_null (0);
          /* FS and GS keep their base where only that counts. */
          if (core->code_bits == 64)
            s->base = base;
        }
    }
}

/* Goes out to SS:SP of a lesser privilege. @stack: what the frame was popped from. */
static void
to_outer (VtCore *core, const VtDescriptor *code, uint64_t rip, uint64_t sp, uint16_t ss, unsigned size,
          uint16_t release)
{
  const unsigned rpl = code->selector & 3;
  const bool     to_64 = core->long_mode && (code->raw >> 53 & 1);
  VtCpuSegment   seg = read_return_stack (core, ss, rpl, to_64);

  vt_enter_code (core, code, rpl, rip, size);
  core->seg[VT_CPU_SS] = seg;
  vt_core_set_gpr (core, VT_CPU_RSP, vt_stack_bytes (core), sp + release);
  drop_segments (core);
}

void
vt_far_return (VtCore *core, unsigned size, uint16_t release)
{
  VtDescriptor code;
  VtStack      stack;

  vt_core_snapshot (core);
  vt_stack_current (core, &stack);
  const uint64_t rip = vt_stack_pop (core, &stack, size);
  const uint16_t cs = (uint16_t) vt_stack_pop (core, &stack, size);
  stack.sp += release;
  if (!core->protected_mode)
    {
      if (rip > core->seg[VT_CPU_CS].limit)
        vt_core_gp (core, 0);
      vt_stack_commit (core, &stack);
      vt_seg_load_real (core, VT_CPU_CS, cs);
      core->rip = rip;
      vt_core_changed (core);
      return;
    }
  read_return_code (core, cs, &code);
  if ((cs & 3u) == core->cpl)
    {
      vt_enter_code (core, &code, core->cpl, rip, size);
      vt_stack_commit (core, &stack);
      return;
    }
  const uint64_t sp = vt_stack_pop (core, &stack, size);
  const uint16_t ss = (uint16_t) vt_stack_pop (core, &stack, size);
  to_outer (core, &code, rip, sp, ss, size, release);
}

/* IRET -------------------------------------------------------------------------------------------- */

static void
iret_real (VtCore *core, unsigned size)
{
  VtStack stack;

  if ((core->rflags & VT_FLAG_VM) && (core->rflags & VT_FLAG_IOPL) != VT_FLAG_IOPL)
    {
      if (core->cr4 & VT_CR4_VME)
        vt_core_decline (core);
      vt_core_gp (core, 0);
    }
  vt_stack_current (core, &stack);
  const uint64_t rip = vt_stack_pop (core, &stack, size);
  const uint16_t cs = (uint16_t) vt_stack_pop (core, &stack, size);
  const uint64_t flags = vt_stack_pop (core, &stack, size);
  if (rip > core->seg[VT_CPU_CS].limit)
    vt_core_gp (core, 0);
  vt_stack_commit (core, &stack);
  vt_seg_load_real (core, VT_CPU_CS, cs);
  core->rip = rip;
  vt_pop_flags (core, flags, size, core->rflags & VT_FLAG_VM ? 3 : 0,
                size > 2 ? VT_FLAG_RF : 0);
}

/* Back into virtual 8086 mode: 20.2.3. */
static void
iret_virtual (VtCore *core, VtStack *stack, uint64_t rip, uint16_t cs, uint64_t flags)
{
  static const uint8_t order[] = { VT_CPU_ES, VT_CPU_DS, VT_CPU_FS, VT_CPU_GS };
  uint16_t             data[4];
  const uint64_t       sp = vt_stack_pop (core, stack, 4);
  const uint16_t       ss = (uint16_t) vt_stack_pop (core, stack, 4);

  for (unsigned i = 0; i < G_N_ELEMENTS (order); i++)
    data[i] = (uint16_t) vt_stack_pop (core, stack, 4);
  core->rflags = (flags & VT_FLAGS_ALL) | VT_FLAG_FIXED;
  core->cpl = 3;
  vt_seg_load_real (core, VT_CPU_CS, cs);
  vt_seg_load_real (core, VT_CPU_SS, ss);
  for (unsigned i = 0; i < G_N_ELEMENTS (order); i++)
    vt_seg_load_real (core, order[i], data[i]);
  core->gpr[VT_CPU_RSP] = (uint32_t) sp;
  core->rip = rip & 0xffff;
  vt_core_changed (core);
}

void
vt_iret (VtCore *core, unsigned size)
{
  VtDescriptor code;
  VtStack      stack;

  vt_core_snapshot (core);
  core->events.nmi_masked = false;
  if (!core->protected_mode)
    {
      iret_real (core, size);
      return;
    }
  if (core->rflags & VT_FLAG_NT)
    {
      if (core->long_mode)
        vt_core_gp (core, 0);
      const uint16_t back = (uint16_t) vt_mmu_load (
          core, (uint32_t) core->seg[VT_CPU_TR].base, 2, vt_mmu_system_set (core));
      vt_task_switch (core, back, VT_TASK_RETURN, core->next_rip, NULL);
      return;
    }
  vt_stack_current (core, &stack);
  const bool     from_64 = core->code_bits == 64;
  const unsigned cpl = core->cpl;
  const uint64_t rip = vt_stack_pop (core, &stack, size);
  const uint16_t cs = (uint16_t) vt_stack_pop (core, &stack, size);
  const uint64_t flags = vt_stack_pop (core, &stack, size);

  if ((flags & VT_FLAG_VM) && size == 4 && cpl == 0 && !core->long_mode)
    {
      iret_virtual (core, &stack, rip, cs, flags);
      return;
    }
  read_return_code (core, cs, &code);
  const bool outer = (cs & 3u) > cpl;
  /* From 64-bit mode the stack is popped always. */
  if (outer || from_64)
    {
      const uint64_t sp = vt_stack_pop (core, &stack, size);
      const uint16_t ss = (uint16_t) vt_stack_pop (core, &stack, size);
      /* With the privilege that it is popped with, before the flags: they go by the old one. */
      vt_pop_flags (core, flags, size, cpl, size > 2 ? VT_FLAG_RF : 0);
      to_outer (core, &code, rip, sp, ss, size, 0);
      return;
    }
  vt_enter_code (core, &code, cpl, rip, size);
  vt_stack_commit (core, &stack);
  vt_pop_flags (core, flags, size, cpl, size > 2 ? VT_FLAG_RF : 0);
}

/* Fast calls -------------------------------------------------------------------------------------- */

void
vt_syscall (VtCore *core, uint64_t next)
{
  const uint16_t selector = (uint16_t) (core->star >> 32);

  if (!(core->efer & VT_EFER_SCE) || !core->protected_mode)
    vt_core_ud (core);
  if (!core->long_mode)
    {
      /* AMD's legacy form: EIP from STAR. */
      core->gpr[VT_CPU_RCX] = (uint32_t) next;
      core->rip = (uint32_t) core->star;
      core->rflags &= ~(VT_FLAG_VM | VT_FLAG_IF | VT_FLAG_RF);
      vt_enter_flat (core, selector, (uint16_t) (selector + 8), 0, false);
      vt_core_changed (core);
      return;
    }
  const uint64_t target = core->code_bits == 64 ? core->lstar : core->cstar;
  core->gpr[VT_CPU_RCX] = next;
  core->gpr[VT_CPU_R8 + 3] = core->rflags & ~VT_FLAG_RF;
  core->rip = target;
  core->rflags = (core->rflags & ~(core->fmask | VT_FLAG_RF)) | VT_FLAG_FIXED;
  core->step = (core->rflags & VT_FLAG_TF) != 0;
  vt_enter_flat (core, selector, (uint16_t) (selector + 8), 0, true);
  vt_core_changed (core);
}

void
vt_sysret (VtCore *core, unsigned size)
{
  const uint16_t selector = (uint16_t) (core->star >> 48);
  const uint64_t flags = core->gpr[VT_CPU_R8 + 3];

  if (!(core->efer & VT_EFER_SCE) || !core->protected_mode)
    vt_core_ud (core);
  if (core->cpl != 0)
    vt_core_gp (core, 0);
  if (size == 8 && core->code_bits == 64)
    {
      if (!vt_core_canonical (core, core->gpr[VT_CPU_RCX]))
        vt_core_gp (core, 0);
      core->rip = core->gpr[VT_CPU_RCX];
      vt_enter_flat (core, (uint16_t) (selector + 16), (uint16_t) (selector + 8), 3, true);
    }
  else
    {
      core->rip = (uint32_t) core->gpr[VT_CPU_RCX];
      vt_enter_flat (core, selector, (uint16_t) (selector + 8), 3, false);
    }
  if (core->long_mode)
    core->rflags = (flags & VT_FLAGS_ALL & ~(VT_FLAG_RF | VT_FLAG_VM)) | VT_FLAG_FIXED;
  /* Unlike IRET, it is followed by the trap that the flags which it loads ask for. */
  if (core->long_mode)
    core->step = (core->rflags & VT_FLAG_TF) != 0;
  else
    core->rflags |= VT_FLAG_IF;
  vt_core_changed (core);
}

void
vt_sysenter (VtCore *core)
{
  const uint16_t selector = (uint16_t) core->sysenter_cs;

  if (!core->protected_mode && !(core->rflags & VT_FLAG_VM))
    vt_core_gp (core, 0);
  if ((selector & 0xfffc) == 0)
    vt_core_gp (core, 0);
  core->rflags &= ~(VT_FLAG_VM | VT_FLAG_IF | VT_FLAG_RF);
  core->gpr[VT_CPU_RSP] = core->long_mode ? core->sysenter_esp : (uint32_t) core->sysenter_esp;
  core->rip = core->long_mode ? core->sysenter_eip : (uint32_t) core->sysenter_eip;
  vt_enter_flat (core, selector, (uint16_t) (selector + 8), 0, core->long_mode);
  vt_core_changed (core);
}

void
vt_sysexit (VtCore *core, unsigned size)
{
  const uint16_t selector = (uint16_t) core->sysenter_cs;
  const bool     wide = size == 8 && core->code_bits == 64;

  if ((selector & 0xfffc) == 0 || !core->protected_mode || core->cpl != 0)
    vt_core_gp (core, 0);
  if (wide
      && (!vt_core_canonical (core, core->gpr[VT_CPU_RCX])
          || !vt_core_canonical (core, core->gpr[VT_CPU_RDX])))
    vt_core_gp (core, 0);
  core->rip = wide ? core->gpr[VT_CPU_RDX] : (uint32_t) core->gpr[VT_CPU_RDX];
  core->gpr[VT_CPU_RSP] = wide ? core->gpr[VT_CPU_RCX] : (uint32_t) core->gpr[VT_CPU_RCX];
  vt_enter_flat (core, (uint16_t) (selector + (wide ? 32 : 16)), (uint16_t) (selector + (wide ? 40 : 24)),
              3, wide);
  vt_core_changed (core);
}
