/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A vCPU's loop: what waits for it between two stretches of instructions (INIT, SIPI, NMI, interrupts,
 * somebody who wants it held), its sleep, and its ends.
 */
#include "engine.h"

#include "../../report.h"
#include "../block/translate.h"

/* Instructions at a time. Whoever wants something before makes a request, so this only bounds what a
 * lost one could cost. */
#define STRETCH 1000000u

/* The translator has requests of its own, which wait until it runs. */
#define REQUESTS (VT_CORE_STOP | VT_CORE_FLUSH | VT_CORE_INTERRUPT)

/* Waking ------------------------------------------------------------------------------------------ */

void
vt_soft_request (VtSoftCpu *cpu, int requests)
{
  vt_core_request (cpu->core, requests);
  if (__atomic_load_n (&cpu->asleep, __ATOMIC_SEQ_CST))
    {
      g_mutex_lock (&cpu->lock);
      g_cond_signal (&cpu->wake);
      g_mutex_unlock (&cpu->lock);
    }
}

void
vt_soft_kick (VtCpu *base)
{
  vt_soft_request ((VtSoftCpu *) base, VT_CORE_STOP);
}

void
vt_soft_look (VtSoftCpu *cpu)
{
  const VtSoft *engine = vt_soft_of (cpu);

  cpu->core->cr8 = engine->chips.ops->cr8 (engine->chips.data, cpu->base.index);
  if (g_atomic_int_get (&cpu->port->signals))
    vt_core_request (cpu->core, VT_CORE_INTERRUPT);
}

/* Until somebody makes a request. */
static void
sleep_until_asked (VtSoftCpu *cpu)
{
  g_mutex_lock (&cpu->lock);
  __atomic_store_n (&cpu->asleep, 1, __ATOMIC_SEQ_CST);
  while (!(__atomic_load_n (&cpu->core->requests, __ATOMIC_SEQ_CST) & REQUESTS))
    g_cond_wait (&cpu->wake, &cpu->lock);
  __atomic_store_n (&cpu->asleep, 0, __ATOMIC_SEQ_CST);
  g_mutex_unlock (&cpu->lock);
}

/* Signals ----------------------------------------------------------------------------------------- */

void
vt_soft_absorb (VtSoftCpu *cpu)
{
  const VtSoft *engine = vt_soft_of (cpu);
  uint8_t            vector = 0;

  if (!(g_atomic_int_get (&cpu->port->signals) & ~VT_CPU_SIGNAL_INTERRUPT))
    return;
  /* An INIT waits for the end of system management mode (SDM volume 3, 31.10); a SIPI doesn't. */
  const VtCpuSignal taken = engine->chips.ops->take (
      engine->chips.data, cpu->base.index,
      (cpu->core->events.smm ? 0 : VT_CPU_SIGNAL_INIT) | VT_CPU_SIGNAL_SIPI | VT_CPU_SIGNAL_NMI
          | VT_CPU_SIGNAL_SMI,
      &vector);
  if (taken & VT_CPU_SIGNAL_INIT)
    vt_soft_init_processor (cpu);
  if ((taken & VT_CPU_SIGNAL_SIPI) && cpu->core->mp_state == VT_CPU_MP_INIT_RECEIVED)
    vt_soft_start_up (cpu, vector);
  if (taken & VT_CPU_SIGNAL_NMI)
    cpu->core->events.nmi_pending = true;
  if (taken & VT_CPU_SIGNAL_SMI)
    cpu->core->events.smi_pending = true;
}

/* What was on its way in when another engine saved the state. Returns: whether there was anything. */
static bool
deliver_saved (VtCore *core, VtStep *step)
{
  VtCpuEvents *e = &core->events;

  if (e->exception_injected || e->exception_pending)
    {
      const VtEvent event = {
        .kind = VT_EVENT_FAULT,
        .vector = e->exception,
        .has_error = e->exception_has_error,
        .error = e->exception_error,
        .rip = core->rip,
      };
      e->exception_injected = e->exception_pending = false;
      *step = vt_event_deliver (core, &event);
    }
  else if (e->interrupt_injected)
    {
      e->interrupt_injected = false;
      *step = vt_event_interrupt (core, e->interrupt);
    }
  else if (e->nmi_injected)
    {
      e->nmi_injected = false;
      *step = vt_event_nmi (core);
    }
  else
    return false;
  return true;
}

/* Delivers one event, if one may be now. Says in core->window what could not be, so that the core comes
 * back when that changes. Returns: whether there was one; @step: how its delivery ended. */
static bool
deliver_one (VtSoftCpu *cpu, VtStep *step)
{
  const VtSoft *engine = vt_soft_of (cpu);
  VtCore            *core = cpu->core;

  core->window = 0;
  if (core->mp_state != VT_CPU_MP_RUNNABLE && core->mp_state != VT_CPU_MP_HALTED)
    return false;
  if (deliver_saved (core, step))
    return true;
  if (core->events.smi_pending && vt_core_open (core, VT_WINDOW_SMI))
    {
      vt_smm_enter (core);
      return true;
    }
  if (core->events.smi_pending || (g_atomic_int_get (&cpu->port->signals) & VT_CPU_SIGNAL_INIT))
    core->window |= VT_WINDOW_SMI;
  if (core->events.nmi_pending)
    {
      if (vt_core_open (core, VT_WINDOW_NMI))
        {
          core->events.nmi_pending = false;
          *step = vt_event_nmi (core);
          return true;
        }
      core->window |= VT_WINDOW_NMI;
    }
  if (g_atomic_int_get (&cpu->port->signals) & VT_CPU_SIGNAL_INTERRUPT)
    {
      if (vt_core_open (core, VT_WINDOW_INTERRUPT))
        {
          const int vector = engine->chips.ops->acknowledge (engine->chips.data, cpu->base.index);
          if (vector < 0)
            return false;
          *step = vt_event_interrupt (core, (uint8_t) vector);
          return true;
        }
      core->window |= VT_WINDOW_INTERRUPT;
    }
  return false;
}

static bool
deliver (VtSoftCpu *cpu, VtStep *step)
{
  vt_translate_begin_writes (cpu->core);
  const bool any = deliver_one (cpu, step);
  vt_translate_end_writes (cpu->core);
  return any;
}

/* Running ----------------------------------------------------------------------------------------- */

/* Guest instructions until a request, or until a waiting event can be taken: the one place where guest
 * code is executed. */
static VtStep
execute (VtSoftCpu *cpu)
{
  VtCore *core = cpu->core;
  VtStep  step = vt_soft_of (cpu)->interpreted ? vt_interpret (core, STRETCH, NULL)
                                               : vt_translate (core, STRETCH, NULL);

  /* Where IRET has let an interrupt in, the program that it returned to goes on by one instruction first:
   * an interrupt that comes again at once (a level that nobody has taken care of) must not keep it from
   * going on at all. A real one has some way to come. */
  if (step == VT_STEP_DONE && core->iret && vt_core_awaited (core))
    {
      core->window = 0;
      step = vt_soft_of (cpu)->interpreted ? vt_interpret (core, 1, NULL) : vt_translate_one (core);
    }
  return step;
}

/* What stands at RIP, and the registers. (transfer full) */
static VtCpuReport *
report_new (VtSoftCpu *cpu)
{
  VtCpuReport *report = g_new0 (VtCpuReport, 1);
  VtGpa        gpa;

  vt_soft_get (&cpu->base, &report->state, NULL);
  const uint64_t linear = vt_cpu_report_linear (&report->state);
  while (report->n_bytes < VT_CPU_REPORT_BYTES
         && vt_mmu_peek (cpu->core, linear + report->n_bytes, &gpa))
    {
      VtSpacePage page;
      if (!vt_space_page (cpu->core->space, vt_core_memory (cpu->core), gpa, &page))
        break;
      report->bytes[report->n_bytes++] = page.host[gpa & VT_PAGE_OFFSET];
    }
  vt_cpu_report_decode (report);
  return report;
}

static void
end_triple (VtSoftCpu *cpu, VtCpuEnd *end)
{
  g_autofree VtCpuReport *report = report_new (cpu);
  vt_cpu_report_triple (report, cpu->base.index, end);
}

static void
end_declined (VtSoftCpu *cpu, VtCpuEnd *end)
{
  g_autofree VtCpuReport *report = report_new (cpu);

  end->kind = VT_CPU_END_ERROR;
  end->status = g_strdup_printf ("The guest's processor %u wants of “%s” at %s (%s) what the processor in "
                                 "software does not have.",
                                 cpu->base.index, report->text, report->where,
                                 vt_cpu_mode_name (&report->state));
  end->detail = vt_cpu_report_detail (report, cpu->base.index);
}

/* An instruction that nobody here knows is one that CPUID does not offer: undefined. One that is known
 * and wants too much is a fault of ours, which is told; but a program of the guest's must not be able to
 * end the machine. */
static VtStep
declined (VtSoftCpu *cpu)
{
  VtCore *core = cpu->core;

  if (core->cpl != 3 && vt_interpret_declined_known (core))
    return VT_STEP_DECLINED;
  vt_trace ("cpu", "processor %u: “%s” at 0x%" G_GINT64_MODIFIER "x is declined: undefined",
            cpu->base.index, vt_interpret_declined (core), core->rip);
  vt_translate_begin_writes (core);
  const VtStep step = vt_event_undefined (core);
  vt_translate_end_writes (core);
  return step;
}

void
vt_soft_run (VtCpu *base, VtCpuEnd *end)
{
  VtSoftCpu *cpu = (VtSoftCpu *) base;
  VtCore         *core = cpu->core;

  for (;;)
    {
      VtStep step = VT_STEP_DONE;

      /* Requests go before what they are about is looked at: one that comes in between is seen in the
       * next round. */
      const int requests = __atomic_fetch_and (&core->requests, ~REQUESTS, __ATOMIC_SEQ_CST);
      if (requests & VT_CORE_FLUSH)
        vt_core_flush_asked (core);
      vt_soft_absorb (cpu);
      if (vt_cpu_must_stop (base))
        return;
      if (!deliver (cpu, &step))
        {
          if (core->mp_state != VT_CPU_MP_RUNNABLE)
            {
              sleep_until_asked (cpu);
              continue;
            }
          step = execute (cpu);
          if (step == VT_STEP_DECLINED)
            step = declined (cpu);
        }
      if (step == VT_STEP_TRIPLE_FAULT)
        {
          end->kind = VT_CPU_END_TRIPLE_FAULT;
          end_triple (cpu, end);
          return;
        }
      if (step == VT_STEP_DECLINED)
        {
          end_declined (cpu, end);
          return;
        }
    }
}
