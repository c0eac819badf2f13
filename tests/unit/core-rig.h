/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A software core with a flat megabyte or more of memory, for tests: guest programs run in it until
 * they halt, and what they leave is looked at.
 */
#pragma once

#include "cpu/translate/interpret/interpret.h"
#include "cpu/translate/system/system.h"

#define CORE_RAM (4 * VT_MIB)
#define CORE_STEPS 2000000u

typedef struct
{
  VtSpace *space;
  VtRam   *ram;
  uint8_t *mem;
  VtCore  *core;
  unsigned n_halts;
  uint32_t ports[16]; /* 0x500 to 0x50f: what was written last. */
  GString *output;    /* Port 0x402. */
} CoreRig;

static void
core_halt_cb (void *data)
{
  ((CoreRig *) data)->n_halts++;
}

static bool
core_in_cb (void *data, uint16_t port, unsigned size, uint32_t *value)
{
  CoreRig *rig = data;
  *value = port >= 0x500 && port < 0x510 ? rig->ports[port - 0x500] : port == 0x402 ? 0xe9 : UINT32_MAX;
  return true;
}

static bool
core_out_cb (void *data, uint16_t port, unsigned size, uint32_t value)
{
  CoreRig *rig = data;
  if (port == 0x402)
    g_string_append_c (rig->output, (char) value);
  if (port >= 0x500 && port < 0x510)
    rig->ports[port - 0x500] = value;
  return port != 0x666; /* One that is declined. */
}

static uint64_t
core_tsc_cb (void *data)
{
  return 1000;
}

static const VtCoreOps core_rig_ops = {
  .in = core_in_cb,
  .out = core_out_cb,
  .tsc = core_tsc_cb,
  .halt = core_halt_cb,
};

static inline void
core_rig_init (CoreRig *rig)
{
  GError *error = NULL;

  *rig = (CoreRig){ .output = g_string_new (NULL) };
  rig->space = vt_space_new ();
  rig->ram = vt_ram_new ("ram", CORE_RAM, &error);
  g_assert_no_error (error);
  vt_space_map_ram (rig->space, rig->ram, 0, CORE_RAM, 0, 0);
  rig->mem = vt_ram_host (rig->ram);
  rig->core = vt_core_new (rig->space, &core_rig_ops, rig);
}

static inline void
core_rig_finish (CoreRig *rig)
{
  vt_core_free (rig->core);
  vt_space_free (rig->space);
  vt_ram_free (rig->ram);
  g_string_free (rig->output, TRUE);
}

/* The state of RESET, but for CS:IP, which is 0:@rip. */
static inline void
core_rig_reset (CoreRig *rig, uint64_t rip)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  vt_cpu_state_reset (state, true, 0x600);
  state->rip = rip;
  state->seg[VT_CPU_CS].selector = 0;
  state->seg[VT_CPU_CS].base = 0;
  state->xsave_size = 576;
  vt_st16 (state->xsave, 0x37f);
  vt_st32 (state->xsave + 24, 0x1f80);
  vt_core_load (rig->core, state);
}

/* Runs until HLT; anything else fails the test. */
static inline void
core_rig_run (CoreRig *rig)
{
  uint64_t     done = 0;
  const VtStep step = vt_interpret (rig->core, CORE_STEPS, &done);

  if (step != VT_STEP_HALTED)
    g_error ("ended with %d at %04x:%" G_GINT64_MODIFIER "x after %" G_GUINT64_FORMAT
             " steps (%s); fault %u error %x cr2 %" G_GINT64_MODIFIER "x",
             (int) step, rig->core->seg[VT_CPU_CS].selector, rig->core->rip, done,
             vt_interpret_declined (rig->core), rig->core->fault.vector, rig->core->fault.error,
             rig->core->cr2);
}
