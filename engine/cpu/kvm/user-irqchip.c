/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * KVM without the kernel's interrupt controllers: the board's stand around it (vt-chips.h). What they
 * have for a processor is given to KVM before each KVM_RUN; HLT, INIT and SIPI are ours.
 *
 * A guest that moves its local APIC's page over RAM finds RAM there: only what KVM does not map comes
 * here.
 */
#include "kvm.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "../translate/arch.h"

#define APIC_BASE_EXTD VT_BIT (10) /* x2APIC mode. */

/* Halted -------------------------------------------------------------------------------------------- */

void
vt_kvm_halted (VtKvmCpu *cpu)
{
  cpu->mp_state = VT_CPU_MP_HALTED;
}

/* Until it is kicked. A kick that came after the caller looked at what waits is not slept through. */
static void
sleep_until_kicked (VtKvmCpu *cpu)
{
  g_mutex_lock (&cpu->sleep_lock);
  while (!cpu->wake && !vt_cpu_must_stop (&cpu->base))
    g_cond_wait (&cpu->woken, &cpu->sleep_lock);
  cpu->wake = false;
  g_mutex_unlock (&cpu->sleep_lock);
}

/* INIT and SIPI --------------------------------------------------------------------------------------- */

/* INIT, and a SIPI where @vector is one. */
static bool
restart (VtKvmCpu *cpu, int vector, GError **error)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1), *was = NULL;

  if (!vt_kvm_get_registers (cpu, state, error))
    return false;
  was = g_memdup2 (state, sizeof *state);
  if (vector < 0)
    {
      vt_cpu_state_init (state, cpu->base.index == 0, ((VtKvm *) cpu->base.engine)->signature);
      state->apic_base = was->apic_base;
    }
  else
    vt_cpu_state_startup (state, (uint8_t) vector);
  if (!vt_kvm_set_registers (cpu, state, was, error))
    return false;
  cpu->mp_state = state->mp_state;
  return true;
}

/* Takes INIT, SIPI, NMI and SMI. */
static bool
take_signals (VtKvmCpu *cpu, const VtChips *chips, VtCpuSignal signals, GError **error)
{
  const unsigned n = cpu->base.index;
  const VtKvm   *kvm = (const VtKvm *) cpu->base.engine;
  uint8_t        vector;

  if ((signals & VT_CPU_SIGNAL_INIT) && chips->ops->take (chips->data, n, VT_CPU_SIGNAL_INIT, NULL)
      && !restart (cpu, -1, error))
    return false;
  if ((signals & VT_CPU_SIGNAL_SIPI)
      && chips->ops->take (chips->data, n, VT_CPU_SIGNAL_SIPI, &vector)
      && cpu->mp_state == VT_CPU_MP_INIT_RECEIVED && !restart (cpu, vector, error))
    return false;
  if (cpu->mp_state != VT_CPU_MP_RUNNABLE && cpu->mp_state != VT_CPU_MP_HALTED)
    return true; /* The others wait for its start. */

  /* KVM remembers either until the guest can take it. */
  if ((signals & VT_CPU_SIGNAL_NMI) && chips->ops->take (chips->data, n, VT_CPU_SIGNAL_NMI, NULL))
    {
      if (ioctl (cpu->fd, KVM_NMI, 0) < 0)
        return vt_set_errno (error, errno, "KVM took no non-maskable interrupt");
      cpu->mp_state = VT_CPU_MP_RUNNABLE;
    }
  if ((signals & VT_CPU_SIGNAL_SMI) && chips->ops->take (chips->data, n, VT_CPU_SIGNAL_SMI, NULL)
      && kvm->smm)
    {
      if (ioctl (cpu->fd, KVM_SMI, 0) < 0)
        return vt_set_errno (error, errno, "KVM took no system management interrupt");
      cpu->mp_state = VT_CPU_MP_RUNNABLE;
    }
  return true;
}

/* Interrupts ------------------------------------------------------------------------------------------ */

void
vt_kvm_forget_window (VtKvmCpu *cpu, uint64_t rflags)
{
  cpu->run->ready_for_interrupt_injection = 0;
  cpu->run->if_flag = (rflags & VT_FLAG_IF) != 0;
}

/* Whether KVM may put the frame elsewhere than SS:ESP of the handler: quirk.c tells which do. Flat
 * segments at privilege level 0 are no matter. */
static bool
may_misplace (const struct kvm_sregs *s)
{
  return (s->cr0 & VT_CR0_PE) && !(s->efer & VT_EFER_LMA) && (s->ss.base != 0 || s->ss.dpl != 0);
}

static bool
inject (VtKvmCpu *cpu, const VtChips *chips, VtCpuEnd *end)
{
  struct kvm_sregs sregs;

  if (vt_kvm_ioctl (cpu->fd, KVM_GET_SREGS, &sregs) < 0)
    {
      vt_kvm_failure_errno (cpu, errno, end);
      return false;
    }
  const bool ours = may_misplace (&sregs);
  if (ours && !cpu->settled)
    {
      /* The registers are not those between two instructions yet: KVM_RUN completes the one under
       * way, and comes back at once. */
      __atomic_store_n (&cpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
      return true;
    }

  const int vector = chips->ops->acknowledge (chips->data, cpu->base.index);
  if (vector < 0)
    return true;
  if (ours)
    {
      const VtKvmHelp help = vt_kvm_help_interrupt (cpu, (uint8_t) vector);
      if (help == VT_KVM_TRIPLE_FAULT)
        vt_kvm_failure_triple (cpu, end);
      if (help != VT_KVM_NOT_HELPED)
        return help == VT_KVM_HELPED;
    }
  struct kvm_interrupt irq = { .irq = (uint32_t) vector };
  if (vt_kvm_ioctl (cpu->fd, KVM_INTERRUPT, &irq) < 0)
    {
      vt_kvm_failure_errno (cpu, errno, end);
      return false;
    }
  cpu->run->ready_for_interrupt_injection = 0;
  return true;
}

/* Around KVM_RUN -------------------------------------------------------------------------------------- */

bool
vt_kvm_before_run (VtKvmCpu *cpu, VtCpuEnd *end)
{
  const VtChips *chips = &((VtKvm *) cpu->base.engine)->chips;
  const unsigned n = cpu->base.index;

  for (;;)
    {
      g_autoptr (GError) error = NULL;
      const VtCpuSignal signals = (VtCpuSignal) g_atomic_int_get (&cpu->port->signals);

      if (!take_signals (cpu, chips, signals, &error))
        {
          *end = (VtCpuEnd){ .kind = VT_CPU_END_ERROR,
                             .cpu = n,
                             .status = g_strdup (error->message) };
          return false;
        }
      if (cpu->mp_state == VT_CPU_MP_HALTED && (signals & VT_CPU_SIGNAL_INTERRUPT)
          && cpu->run->if_flag)
        cpu->mp_state = VT_CPU_MP_RUNNABLE;
      if (cpu->mp_state == VT_CPU_MP_RUNNABLE)
        break;
      if (vt_cpu_must_stop (&cpu->base))
        return false;
      sleep_until_kicked (cpu);
    }

  if ((g_atomic_int_get (&cpu->port->signals) & VT_CPU_SIGNAL_INTERRUPT)
      && cpu->run->ready_for_interrupt_injection && !inject (cpu, chips, end))
    return false;
  cpu->run->request_interrupt_window = (g_atomic_int_get (&cpu->port->signals)
                                        & VT_CPU_SIGNAL_INTERRUPT)
                                       != 0;
  cpu->run->cr8 = chips->ops->cr8 (chips->data, n);
  return true;
}

void
vt_kvm_after_run (VtKvmCpu *cpu)
{
  const VtChips *chips = &((VtKvm *) cpu->base.engine)->chips;
  const unsigned n = cpu->base.index;

  if (cpu->run->cr8 != chips->ops->cr8 (chips->data, n))
    chips->ops->set_cr8 (chips->data, n, (unsigned) cpu->run->cr8 & 15);
  if (cpu->run->apic_base != cpu->apic_base)
    {
      cpu->apic_base = cpu->run->apic_base;
      if (!chips->ops->write_msr (chips->data, n, VT_MSR_APIC_BASE, cpu->apic_base))
        vt_trace ("kvm", "the local APIC refuses the base 0x%" G_GINT64_MODIFIER "x",
                  cpu->apic_base);
    }
}

/* State ----------------------------------------------------------------------------------------------- */

void
vt_kvm_get_apic (VtKvmCpu *cpu, VtCpuState *state)
{
  const VtChips *chips = &((VtKvm *) cpu->base.engine)->chips;
  uint64_t       deadline;

  state->mp_state = cpu->mp_state;
  if (cpu->port) /* It has none yet while power-on's state is read. */
    chips->ops->get (chips->data, cpu->base.index, state->lapic, &state->apic_base, &deadline);
}

bool
vt_kvm_set_apic (VtKvmCpu *cpu, const VtCpuState *state, GError **error)
{
  const VtChips *chips = &((VtKvm *) cpu->base.engine)->chips;

  if (state->apic_base & APIC_BASE_EXTD)
    return vt_set_error (
        error, VITRINE_ERROR_UNSUPPORTED,
        "The saved guest uses its local APICs in x2APIC mode, which needs KVM's own "
        "interrupt controllers; set “kernel-irqchip” to “on”.");
  return chips->ops->set (chips->data, cpu->base.index, state->lapic, state->apic_base, 0, error);
}

/* The board's --------------------------------------------------------------------------------------- */

static void
kick_cb (void *engine, unsigned cpu)
{
  vt_kvm_kick (((VtCpuEngine *) engine)->cpus[cpu]);
}

/* The guest is offered no TSC deadline (cpuid.c). */
static int64_t
tsc_to_clock_cb (void *engine, unsigned cpu, uint64_t tsc)
{
  return INT64_MAX;
}

void
vt_kvm_attach (VtCpuEngine *engine, const VtChips *chips)
{
  static const VtChipsUserOps user = { kick_cb, tsc_to_clock_cb };
  VtKvm                      *kvm = (VtKvm *) engine;

  kvm->chips = *chips;
  chips->ops->attach (chips->data, &user, engine);
  for (unsigned i = 0; i < engine->config.n_cpus; i++)
    ((VtKvmCpu *) engine->cpus[i])->port = chips->ops->port (chips->data, i);
}
