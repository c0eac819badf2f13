/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A vCPU's state out of KVM and into it.
 */
#include "kvm.h"

#include <errno.h>

/* One ioctl on the vCPU, named for the message. */
static bool
call (VtKvmCpu *cpu, unsigned long request, void *argument, const char *what, GError **error)
{
  if (vt_kvm_ioctl (cpu->fd, request, argument) < 0)
    return vt_set_errno (error, errno, "KVM failed over processor %u's %s", cpu->base.index, what);
  return true;
}

static VtCpuSegment
segment_from (const struct kvm_segment *s)
{
  return (VtCpuSegment){
    .base = s->base,
    .limit = s->limit,
    .selector = s->selector,
    .type = s->type & 15,
    .dpl = s->dpl & 3,
    .present = s->present,
    .code_or_data = s->s,
    .db = s->db,
    .l = s->l,
    .g = s->g,
    .avl = s->avl,
    .unusable = s->unusable,
  };
}

static struct kvm_segment
segment_to (const VtCpuSegment *s)
{
  return (struct kvm_segment){
    .base = s->base,
    .limit = s->limit,
    .selector = s->selector,
    .type = s->type,
    .present = s->present,
    .dpl = s->dpl,
    .db = s->db,
    .s = s->code_or_data,
    .l = s->l,
    .g = s->g,
    .avl = s->avl,
    .unusable = s->unusable,
  };
}

static void
gprs_from (VtCpuState *state, const struct kvm_regs *r)
{
  const uint64_t gpr[VT_CPU_GPRS] = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp,
                                      r->rsi, r->rdi, r->r8,  r->r9,  r->r10, r->r11,
                                      r->r12, r->r13, r->r14, r->r15 };
  memcpy (state->gpr, gpr, sizeof gpr);
  state->rip = r->rip;
  state->rflags = r->rflags;
}

static struct kvm_regs
gprs_to (const VtCpuState *state)
{
  const uint64_t *g = state->gpr;
  return (struct kvm_regs){
    .rax = g[0], .rcx = g[1], .rdx = g[2], .rbx = g[3], .rsp = g[4], .rbp = g[5],
    .rsi = g[6], .rdi = g[7], .r8 = g[8], .r9 = g[9], .r10 = g[10], .r11 = g[11],
    .r12 = g[12], .r13 = g[13], .r14 = g[14], .r15 = g[15],
    .rip = state->rip, .rflags = state->rflags,
  };
}

static void
sregs_from (VtCpuState *state, const struct kvm_sregs *s)
{
  state->seg[VT_CPU_ES] = segment_from (&s->es);
  state->seg[VT_CPU_CS] = segment_from (&s->cs);
  state->seg[VT_CPU_SS] = segment_from (&s->ss);
  state->seg[VT_CPU_DS] = segment_from (&s->ds);
  state->seg[VT_CPU_FS] = segment_from (&s->fs);
  state->seg[VT_CPU_GS] = segment_from (&s->gs);
  state->seg[VT_CPU_LDT] = segment_from (&s->ldt);
  state->seg[VT_CPU_TR] = segment_from (&s->tr);
  state->gdt_base = s->gdt.base;
  state->gdt_limit = s->gdt.limit;
  state->idt_base = s->idt.base;
  state->idt_limit = s->idt.limit;
  state->cr0 = s->cr0;
  state->cr2 = s->cr2;
  state->cr3 = s->cr3;
  state->cr4 = s->cr4;
  state->cr8 = s->cr8;
  state->efer = s->efer;
  state->apic_base = s->apic_base;
}

static struct kvm_sregs
sregs_to (const VtCpuState *state)
{
  struct kvm_sregs s = {
    .es = segment_to (&state->seg[VT_CPU_ES]),
    .cs = segment_to (&state->seg[VT_CPU_CS]),
    .ss = segment_to (&state->seg[VT_CPU_SS]),
    .ds = segment_to (&state->seg[VT_CPU_DS]),
    .fs = segment_to (&state->seg[VT_CPU_FS]),
    .gs = segment_to (&state->seg[VT_CPU_GS]),
    .ldt = segment_to (&state->seg[VT_CPU_LDT]),
    .tr = segment_to (&state->seg[VT_CPU_TR]),
    .gdt = { .base = state->gdt_base, .limit = (uint16_t) state->gdt_limit },
    .idt = { .base = state->idt_base, .limit = (uint16_t) state->idt_limit },
    .cr0 = state->cr0,
    .cr2 = state->cr2,
    .cr3 = state->cr3,
    .cr4 = state->cr4,
    .cr8 = state->cr8,
    .efer = state->efer,
    .apic_base = state->apic_base,
  };
  /* A vector that was on its way into the guest is told here, not with the other events. */
  if (state->events.interrupt_injected && !state->events.interrupt_soft)
    s.interrupt_bitmap[state->events.interrupt / 64] |= VT_BIT (state->events.interrupt % 64);
  return s;
}

static void
events_from (VtCpuEvents *to, const struct kvm_vcpu_events *e)
{
  *to = (VtCpuEvents){
    .exception_injected = e->exception.injected,
    .exception_pending = e->exception.pending,
    .exception_has_error = e->exception.has_error_code,
    .exception = e->exception.nr & 31,
    .exception_error = e->exception.error_code,
    .interrupt_injected = e->interrupt.injected,
    .interrupt_soft = e->interrupt.soft,
    .interrupt = e->interrupt.nr,
    .shadow = e->interrupt.shadow & 3,
    .nmi_injected = e->nmi.injected,
    .nmi_pending = e->nmi.pending,
    .nmi_masked = e->nmi.masked,
    .smm = e->smi.smm,
    .smi_pending = e->smi.pending,
    .smi_in_nmi = e->smi.smm_inside_nmi,
    .init_latched = e->smi.latched_init,
    .sipi_vector = e->sipi_vector,
  };
}

static struct kvm_vcpu_events
events_to (const VtKvm *kvm, const VtCpuEvents *from)
{
  return (struct kvm_vcpu_events){
    .exception = { .injected = from->exception_injected,
                   .nr = from->exception,
                   .has_error_code = from->exception_has_error,
                   .pending = from->exception_pending,
                   .error_code = from->exception_error },
    .interrupt = { .injected = from->interrupt_injected,
                   .nr = from->interrupt,
                   .soft = from->interrupt_soft,
                   .shadow = from->shadow },
    .nmi = { .injected = from->nmi_injected,
             .pending = from->nmi_pending,
             .masked = from->nmi_masked },
    .sipi_vector = from->sipi_vector,
    .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR
             | KVM_VCPUEVENT_VALID_SHADOW | (kvm->smm ? KVM_VCPUEVENT_VALID_SMM : 0u),
    .smi = { .smm = from->smm,
             .pending = from->smi_pending,
             .smm_inside_nmi = from->smi_in_nmi,
             .latched_init = from->init_latched },
  };
}

static const struct
{
  VtCpuMpState ours;
  uint32_t     kvm;
} mp_states[] = {
  { VT_CPU_MP_RUNNABLE, KVM_MP_STATE_RUNNABLE },
  { VT_CPU_MP_WAIT_FOR_INIT, KVM_MP_STATE_UNINITIALIZED },
  { VT_CPU_MP_INIT_RECEIVED, KVM_MP_STATE_INIT_RECEIVED },
  { VT_CPU_MP_HALTED, KVM_MP_STATE_HALTED },
  { VT_CPU_MP_SIPI_RECEIVED, KVM_MP_STATE_SIPI_RECEIVED },
};

static bool
get_xsave (VtKvmCpu *cpu, VtCpuState *state, GError **error)
{
  const VtKvm *kvm = (const VtKvm *) cpu->base.engine;
  memset (state->xsave, 0, sizeof state->xsave);
  state->xsave_size = MAX (kvm->xsave_size, (unsigned) sizeof (struct kvm_xsave));
  return call (cpu, kvm->xsave_size ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, state->xsave,
               "extended state", error);
}

bool
vt_kvm_get_registers (VtKvmCpu *cpu, VtCpuState *state, GError **error)
{
  const VtKvm           *kvm = (const VtKvm *) cpu->base.engine;
  struct kvm_regs        regs;
  struct kvm_sregs       sregs;
  struct kvm_vcpu_events events = { 0 };

  if (!call (cpu, KVM_GET_REGS, &regs, "registers", error)
      || !call (cpu, KVM_GET_SREGS, &sregs, "system registers", error)
      || !call (cpu, KVM_GET_VCPU_EVENTS, &events, "pending events", error)
      || !get_xsave (cpu, state, error))
    return false;
  gprs_from (state, &regs);
  sregs_from (state, &sregs);
  events_from (&state->events, &events);

  state->xcr0 = 1;
  if (kvm->xcrs)
    {
      struct kvm_xcrs xcrs = { 0 };
      if (!call (cpu, KVM_GET_XCRS, &xcrs, "extended control registers", error))
        return false;
      for (unsigned i = 0; i < xcrs.nr_xcrs && i < KVM_MAX_XCRS; i++)
        if (xcrs.xcrs[i].xcr == 0)
          state->xcr0 = xcrs.xcrs[i].value;
    }
  if (kvm->debugregs)
    {
      struct kvm_debugregs debug = { 0 };
      if (!call (cpu, KVM_GET_DEBUGREGS, &debug, "debug registers", error))
        return false;
      memcpy (state->dr, debug.db, sizeof state->dr);
      state->dr6 = debug.dr6;
      state->dr7 = debug.dr7;
    }
  return true;
}

bool
vt_kvm_get (VtCpu *base, VtCpuState *state, GError **error)
{
  VtKvmCpu              *cpu = (VtKvmCpu *) base;
  const VtKvm           *kvm = (const VtKvm *) base->engine;
  struct kvm_mp_state    mp = { 0 };
  struct kvm_lapic_state lapic;

  memset (state, 0, sizeof *state);
  if (kvm->user_irqchip)
    {
      if (!vt_kvm_get_registers (cpu, state, error) || !vt_kvm_msr_get (cpu, state, error))
        return false;
      vt_kvm_get_apic (cpu, state);
      return true;
    }
  /* Asking for the multiprocessor state makes KVM take a pending INIT or SIPI, so it comes first. */
  if (!call (cpu, KVM_GET_MP_STATE, &mp, "multiprocessor state", error)
      || !vt_kvm_get_registers (cpu, state, error)
      || !call (cpu, KVM_GET_LAPIC, &lapic, "local APIC", error)
      || !vt_kvm_msr_get (cpu, state, error))
    return false;
  memcpy (state->lapic, lapic.regs, sizeof state->lapic);
  for (unsigned i = 0; i < G_N_ELEMENTS (mp_states); i++)
    if (mp_states[i].kvm == mp.mp_state)
      state->mp_state = mp_states[i].ours;
  return true;
}

static bool
set_units (VtKvmCpu *cpu, const VtCpuState *state, GError **error)
{
  const VtKvm *kvm = (const VtKvm *) cpu->base.engine;

  if (kvm->xcrs)
    {
      struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = state->xcr0 } } };
      if (!call (cpu, KVM_SET_XCRS, &xcrs, "extended control registers", error))
        return false;
    }
  if (state->xsave_size < MAX (kvm->xsave_size, (unsigned) sizeof (struct kvm_xsave)))
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "The saved processor's extended state is smaller than this host's.");
  return call (cpu, KVM_SET_XSAVE, (void *) state->xsave, "extended state", error);
}

static bool
set_debug (VtKvmCpu *cpu, const VtCpuState *state, GError **error)
{
  struct kvm_debugregs debug = { .dr6 = state->dr6, .dr7 = state->dr7 };

  if (!((const VtKvm *) cpu->base.engine)->debugregs)
    return true;
  memcpy (debug.db, state->dr, sizeof debug.db);
  return call (cpu, KVM_SET_DEBUGREGS, &debug, "debug registers", error);
}

static bool
set_events (VtKvmCpu *cpu, const VtCpuState *state, GError **error)
{
  struct kvm_vcpu_events events = events_to ((const VtKvm *) cpu->base.engine, &state->events);
  return call (cpu, KVM_SET_VCPU_EVENTS, &events, "pending events", error);
}

bool
vt_kvm_set_registers (VtKvmCpu *cpu, const VtCpuState *state, const VtCpuState *was, GError **error)
{
  const struct kvm_sregs sregs = sregs_to (state), old_sregs = sregs_to (was);
  struct kvm_regs        regs = gprs_to (state);

  if (memcmp (&sregs, &old_sregs, sizeof sregs) != 0
      && !call (cpu, KVM_SET_SREGS, (void *) &sregs, "system registers", error))
    return false;
  if (!call (cpu, KVM_SET_REGS, &regs, "registers", error))
    return false;
  vt_kvm_forget_window (cpu, state->rflags);
  if ((state->xcr0 != was->xcr0 || memcmp (state->xsave, was->xsave, state->xsave_size) != 0)
      && !set_units (cpu, state, error))
    return false;
  if ((state->dr6 != was->dr6 || state->dr7 != was->dr7
       || memcmp (state->dr, was->dr, sizeof state->dr) != 0)
      && !set_debug (cpu, state, error))
    return false;
  return memcmp (&state->events, &was->events, sizeof state->events) == 0
         || set_events (cpu, state, error);
}

static bool
set_lapic (VtKvmCpu *cpu, const VtCpuState *state, GError **error)
{
  struct kvm_lapic_state lapic;

  if (((const VtKvm *) cpu->base.engine)->user_irqchip)
    return true;
  memcpy (lapic.regs, state->lapic, sizeof lapic.regs);
  return call (cpu, KVM_SET_LAPIC, &lapic, "local APIC", error);
}

static bool
set_mp_state (VtKvmCpu *cpu, const VtCpuState *state, GError **error)
{
  struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };

  if (((const VtKvm *) cpu->base.engine)->user_irqchip)
    {
      cpu->mp_state = state->mp_state;
      return true;
    }
  for (unsigned i = 0; i < G_N_ELEMENTS (mp_states); i++)
    if (mp_states[i].ours == state->mp_state)
      mp.mp_state = mp_states[i].kvm;
  return call (cpu, KVM_SET_MP_STATE, &mp, "multiprocessor state", error);
}

/* All of it, but for the board's local APIC. */
static bool
put (VtKvmCpu *cpu, const VtCpuState *state, GError **error)
{
  struct kvm_regs  regs = gprs_to (state);
  struct kvm_sregs sregs = sregs_to (state);

  /* The APIC base (in the system registers) before the local APIC, whose layout it chooses; the
   * local APIC before the MSRs, of which the TSC deadline needs its timer's mode. */
  if (!call (cpu, KVM_SET_SREGS, &sregs, "system registers", error)
      || !call (cpu, KVM_SET_REGS, &regs, "registers", error) || !set_lapic (cpu, state, error)
      || !set_units (cpu, state, error))
    return false;
  vt_kvm_msr_set (cpu, state);
  vt_kvm_forget_window (cpu, state->rflags);
  cpu->apic_base = state->apic_base;
  return set_debug (cpu, state, error) && set_events (cpu, state, error)
         && set_mp_state (cpu, state, error);
}

bool
vt_kvm_set (VtCpu *base, const VtCpuState *state, GError **error)
{
  VtKvmCpu    *cpu = (VtKvmCpu *) base;
  const VtKvm *kvm = (const VtKvm *) base->engine;

  if ((state->events.smm || state->events.smi_pending) && !kvm->smm)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "The saved processor %u is in system management mode, which this host's KVM does not have; "
                         "run the machine with the CPU engine that saved it.",
                         base->index);
  return (cpu->port == NULL || vt_kvm_set_apic (cpu, state, error)) && put (cpu, state, error);
}

bool
vt_kvm_reset (VtCpu *base, GError **error)
{
  VtKvmCpu              *cpu = (VtKvmCpu *) base;
  g_autofree VtCpuState *state = g_memdup2 (cpu->power_on, sizeof *cpu->power_on);
  vt_cpu_state_reset (state, base->index == 0, ((VtKvm *) base->engine)->signature);
  return put (cpu, state, error); /* The board's local APIC is reset as a device. */
}
