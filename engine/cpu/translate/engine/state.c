/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A vCPU's state out of the software engine and into it, and what RESET and INIT leave.
 */
#include "engine.h"

#include "../host/unit.h"

/* The XSAVE area that is saved: what KVM of this host takes at least. */
#define LEAST_XSAVE 4096u

static uint32_t
saved_xsave_size (const VtSoftCpu *cpu)
{
  uint32_t size = LEAST_XSAVE;

  for (unsigned i = 2; i < 63; i++)
    {
      const VtUnitPart *part = vt_unit_part (cpu->core->unit, i);
      if (vt_soft_of (cpu)->xcr0 >> i & 1)
        size = MAX (size, part->offset + part->size);
    }
  return MIN (size, VT_CPU_XSAVE);
}

bool
vt_soft_get (VtCpu *base, VtCpuState *state, GError **error)
{
  VtSoftCpu    *cpu = (VtSoftCpu *) base;
  const VtSoft *engine = vt_soft_of (cpu);
  uint64_t           deadline = 0;

  vt_soft_absorb (cpu);
  memset (state, 0, sizeof *state);
  vt_soft_msr_get (cpu, state);
  vt_core_store (cpu->core, state);
  if (engine->chips.ops)
    {
      engine->chips.ops->get (engine->chips.data, base->index, state->lapic, &state->apic_base,
                              &deadline);
      state->cr8 = engine->chips.ops->cr8 (engine->chips.data, base->index);
    }
  for (unsigned i = 0; i < state->n_msrs; i++)
    if (state->msr[i].index == VT_MSR_TSC_DEADLINE)
      state->msr[i].value = deadline;
  /* What is left there waits for the end of system management mode. */
  state->events.init_latched = (g_atomic_int_get (&cpu->port->signals) & VT_CPU_SIGNAL_INIT) != 0;
  return true;
}

static bool
unsupported (const VtSoftCpu *cpu, const char *what, GError **error)
{
  return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                       "The saved processor %u %s, which the software processor does not have; run the "
                       "machine with the CPU engine that saved it.",
                       cpu->base.index, what);
}

/* What another engine's processor can be in, and this one can't. */
static bool
check (const VtSoftCpu *cpu, const VtCpuState *state, GError **error)
{
  if (state->xcr0 & ~vt_soft_of (cpu)->xcr0)
    return unsupported (cpu, "uses extended state", error);
  if (state->cr4 & ~cpu->core->cr4_mask)
    return unsupported (cpu, "has a feature in CR4 switched on", error);
  for (unsigned i = 0; i < state->n_msrs; i++)
    {
      const uint32_t index = state->msr[i].index;
      /* KVM's clock, its steal time, its asynchronous page faults and its end-of-interrupt bit. */
      if (((index == 0x12 || (index >= 0x4b564d01 && index <= 0x4b564d04))) && (state->msr[i].value & 1))
        return unsupported (cpu, "uses a service of KVM's", error);
    }
  return true;
}

bool
vt_soft_set (VtCpu *base, const VtCpuState *state, GError **error)
{
  VtSoftCpu    *cpu = (VtSoftCpu *) base;
  const VtSoft *engine = vt_soft_of (cpu);
  VtCore            *core = cpu->core;
  uint64_t           deadline = 0;

  if (!check (cpu, state, error))
    return false;
  for (unsigned i = 0; i < state->n_msrs; i++)
    if (state->msr[i].index == VT_MSR_TSC_DEADLINE)
      deadline = state->msr[i].value;
  vt_soft_msr_set (cpu, state);
  vt_core_load (core, state);
  core->xsave_size = MAX (core->xsave_size, saved_xsave_size (cpu));
  if (core->mp_state == VT_CPU_MP_SIPI_RECEIVED)
    vt_soft_start_up (cpu, (uint8_t) state->events.sipi_vector);
  if (engine->chips.ops == NULL)
    return true;
  /* The timer's deadline is told in TSC, which is set by now. */
  if (!engine->chips.ops->set (engine->chips.data, base->index, state->lapic, state->apic_base,
                               deadline, error))
    return false;
  core->cr8 = engine->chips.ops->cr8 (engine->chips.data, base->index);
  if (state->events.init_latched)
    engine->chips.ops->init (engine->chips.data, base->index);
  return true;
}

bool
vt_soft_reset (VtCpu *base, GError **error)
{
  VtSoftCpu       *cpu = (VtSoftCpu *) base;
  VtSoft          *engine = vt_soft_of (cpu);
  VtCore               *core = cpu->core;
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  vt_cpu_state_reset (state, base->index == 0, engine->signature);
  /* The units as FNINIT leaves them, not RESET, which no system can tell before it executes that. */
  state->xsave_size = saved_xsave_size (cpu);
  vt_st16 (state->xsave, 0x37f);
  vt_st32 (state->xsave + 24, 0x1f80);
  vt_core_load (core, state);
  core->star = core->lstar = core->cstar = core->fmask = core->kernel_gs_base = 0;
  core->sysenter_cs = core->sysenter_esp = core->sysenter_eip = core->tsc_aux = 0;
  core->pat = VT_PAT_RESET;
  core->smbase = VT_SMBASE_RESET;
  core->tsc_offset = 0 - engine->origin;
  vt_soft_msr_reset (cpu);
  /* The local APIC is a device of the board's, which has been reset as one. */
  return true;
}

void
vt_soft_init_processor (VtSoftCpu *cpu)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  /* MSRs, which are in no list here, stay in the core. */
  vt_core_store (cpu->core, state);
  vt_cpu_state_init (state, cpu->base.index == 0, vt_soft_of (cpu)->signature);
  vt_core_load (cpu->core, state);
}

void
vt_soft_start_up (VtSoftCpu *cpu, uint8_t vector)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  vt_core_store (cpu->core, state);
  vt_cpu_state_startup (state, vector);
  vt_core_load (cpu->core, state);
}
