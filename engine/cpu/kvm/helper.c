/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * KVM's helper: where KVM reports that it cannot emulate an instruction, our interpreter executes it,
 * and the vCPU goes on. One instruction at first; where such reports follow each other closely, a
 * bounded number of instructions behind it too, since each report costs more than those. It also takes
 * interrupts for the guest where KVM would put their frames in the wrong place (user-irqchip.c).
 *
 * The interrupt controllers and the clocks are mostly the kernel's: what needs them (their registers,
 * ports, HLT, CPUID, the TSC) the interpreter leaves to KVM, which does all of it or asks us.
 */
#include "kvm.h"

#include "../translate/interpret/interpret.h"
#include "../translate/system/system.h"

#define MOST_AT_ONCE 1024u
/* Reports that come faster than this one after another are one stretch of code. */
#define CLOSE_US 2000

#define IOAPIC_BASE UINT64_C (0xfec00000)

struct VtKvmHelper
{
  VtKvmCpu  *cpu;
  VtCore    *core;
  VtCpuState state, was;
  bool       left_over;
  gint64     last; /* When the last report had been dealt with. */
  unsigned   at_once;
  gint      *ram_changes, seen; /* VtKvm.ram_changes, and what it was at the beginning. */
};

/* What instructions use of the MSRs, by rising index. */
static const uint32_t msrs[] = {
  VT_MSR_SYSENTER_CS, VT_MSR_SYSENTER_ESP, VT_MSR_SYSENTER_EIP,   VT_MSR_STAR,    VT_MSR_LSTAR,
  VT_MSR_CSTAR,       VT_MSR_FMASK,        VT_MSR_KERNEL_GS_BASE, VT_MSR_TSC_AUX,
};

/* Whether the page is one of those that the kernel's interrupt controllers answer. */
static bool
is_kernels (const VtKvmHelper *helper, VtGpa gpa)
{
  const uint64_t page = gpa & ~VT_PAGE_OFFSET;
  return helper->cpu->port == NULL
         && (page == IOAPIC_BASE || page == (helper->core->apic_base & ~VT_PAGE_OFFSET));
}

static bool
read_cb (void *data, VtGpa gpa, void *to, unsigned size)
{
  VtKvmHelper *helper = data;

  if (is_kernels (helper, gpa))
    return false;
  vt_kvm_read (helper->cpu, gpa, to, size);
  return true;
}

static bool
write_cb (void *data, VtGpa gpa, const void *from, unsigned size)
{
  VtKvmHelper *helper = data;

  if (is_kernels (helper, gpa))
    return false;
  vt_kvm_write (helper->cpu, gpa, from, size);
  /* The register may have been one that moves RAM. */
  if (g_atomic_int_get (helper->ram_changes) != helper->seen)
    vt_core_request (helper->core, VT_CORE_FLUSH);
  return true;
}

static bool
in_cb (void *data, uint16_t port, unsigned size, uint32_t *value)
{
  return false;
}

static bool
out_cb (void *data, uint16_t port, unsigned size, uint32_t value)
{
  return false;
}

static const VtCoreOps helper_ops = {
  .read = read_cb,
  .write = write_cb,
  .in = in_cb,
  .out = out_cb,
};

static VtKvmHelper *
helper_of (VtKvmCpu *cpu)
{
  if (cpu->helper == NULL)
    {
      VtKvmHelper *helper = g_new0 (VtKvmHelper, 1);
      helper->cpu = cpu;
      helper->core = vt_core_new (cpu->base.engine->config.space, &helper_ops, helper);
      helper->ram_changes = &((VtKvm *) cpu->base.engine)->ram_changes;
      helper->at_once = 1;
      cpu->helper = helper;
    }
  return cpu->helper;
}

void
vt_kvm_helper_free (VtKvmHelper *helper)
{
  if (helper == NULL)
    return;
  vt_core_free (helper->core);
  g_free (helper);
}

/* Reads what the interpreter works on. False: KVM does not give it. */
static bool
load (VtKvmHelper *helper, VtKvmCpu *cpu)
{
  g_autoptr (GError) error = NULL;

  memset (&helper->state.events, 0, sizeof helper->state.events);
  if (!vt_kvm_get_registers (cpu, &helper->state, &error))
    {
      vt_trace ("kvm", "%s", error->message);
      return false;
    }
  helper->state.mp_state = VT_CPU_MP_RUNNABLE;
  return true;
}

/* Lets the core have it. */
static void
take (VtKvmHelper *helper)
{
  const int changes = g_atomic_int_get (helper->ram_changes);

  if (changes != helper->seen)
    vt_mmu_forget_spans (&helper->core->mmu);
  helper->seen = changes;
  vt_core_load (helper->core, &helper->state);
}

/* Writes back what has changed. False: KVM does not take it. */
static bool
store (VtKvmHelper *helper, VtKvmCpu *cpu)
{
  g_autoptr (GError) error = NULL;

  vt_core_store (helper->core, &helper->state);
  if (vt_kvm_set_registers (cpu, &helper->state, &helper->was, &error))
    return true;
  vt_trace ("kvm", "%s", error->message);
  return false;
}

VtKvmHelp
vt_kvm_help_interrupt (VtKvmCpu *cpu, uint8_t vector)
{
  VtKvmHelper *helper = helper_of (cpu);

  if (!load (helper, cpu))
    return VT_KVM_NOT_HELPED;
  helper->was = helper->state;
  take (helper);
  const VtStep step = vt_event_interrupt (helper->core, vector);
  if (g_atomic_int_get (helper->ram_changes) != helper->seen)
    vt_mmu_mark_written (helper->core);
  if (step == VT_STEP_DECLINED || !store (helper, cpu))
    return VT_KVM_NOT_HELPED;
  return step == VT_STEP_TRIPLE_FAULT ? VT_KVM_TRIPLE_FAULT : VT_KVM_HELPED;
}

VtKvmHelp
vt_kvm_help (VtKvmCpu *cpu)
{
  VtKvmHelper *helper = helper_of (cpu);
  uint64_t     done = 0;

  if (!load (helper, cpu))
    return VT_KVM_NOT_HELPED;
  /* Older kernels leave an undefined-opcode exception behind a failure that they report. */
  helper->left_over = helper->state.events.exception == VT_EXC_UD
                      && (helper->state.events.exception_pending
                          || helper->state.events.exception_injected);
  vt_kvm_msr_get_listed (cpu, msrs, G_N_ELEMENTS (msrs), &helper->state);
  helper->was = helper->state;
  if (helper->left_over)
    helper->state.events.exception_pending = helper->state.events.exception_injected = false;

  helper->at_once = g_get_monotonic_time () - helper->last < CLOSE_US
                        ? MIN (helper->at_once * 2, MOST_AT_ONCE)
                        : 1;
  take (helper);
  VtStep step = vt_interpret (helper->core, helper->at_once, &done);
  /* A dirty log that another thread has switched on meanwhile hears of every page that may have been
   * written since. */
  if (g_atomic_int_get (helper->ram_changes) != helper->seen)
    vt_mmu_mark_written (helper->core);
  /* A program of the guest's must not be able to end the machine: there, what nobody knows is an
   * undefined opcode. */
  if (step == VT_STEP_DECLINED && done == 0 && helper->core->cpl == 3)
    step = vt_event_undefined (helper->core);
  else if (step == VT_STEP_DECLINED && done == 0)
    {
      vt_trace ("kvm", "the interpreter declines “%s” too", vt_interpret_declined (helper->core));
      return VT_KVM_NOT_HELPED;
    }
  if (!store (helper, cpu))
    return VT_KVM_NOT_HELPED;
  vt_kvm_msr_set_changed (cpu, &helper->state, &helper->was);
  vt_trace ("kvm",
            "%" G_GUINT64_FORMAT " instructions interpreted from 0x%" G_GINT64_MODIFIER
            "x to 0x%" G_GINT64_MODIFIER "x",
            done, helper->was.rip, helper->state.rip);
  helper->last = g_get_monotonic_time ();
  return step == VT_STEP_TRIPLE_FAULT ? VT_KVM_TRIPLE_FAULT : VT_KVM_HELPED;
}
