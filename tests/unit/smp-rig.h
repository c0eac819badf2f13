/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Several software cores on one memory, each with a program of its own on a thread of its own, by the
 * translator or by the interpreter.
 */
#pragma once

#include "core-rig.h"
#include "cpu/translate/block/translate.h"

#define SMP_CORES 4u
#define SMP_CODE 0x1000u   /* A page for each core's program. */
#define SMP_STACK 0x8000u  /* The first core's; 0x400 below it the next one's. */

typedef VtStep (*SmpEngine) (VtCore *core, uint64_t budget, uint64_t *done);

typedef struct
{
  CoreRig   rig;
  unsigned  n;
  VtCore   *core[SMP_CORES]; /* The first is the rig's. */
  SmpEngine engine[SMP_CORES];
  VtCpuState state;
  int        ready;          /* Threads that are about to begin. */
} Smp;

typedef struct
{
  Smp     *smp;
  unsigned n;
} SmpThread;

static inline void
smp_init (Smp *smp, unsigned n)
{
  *smp = (Smp){ .n = n };
  core_rig_init (&smp->rig);
  core_rig_long (&smp->rig, SMP_CODE);
  vt_core_store (smp->rig.core, &smp->state);
  for (unsigned i = 0; i < n; i++)
    {
      smp->core[i] = i ? vt_core_new (smp->rig.space, &core_rig_ops, &smp->rig) : smp->rig.core;
      smp->engine[i] = vt_translate;
    }
}

static inline void
smp_finish (Smp *smp)
{
  for (unsigned i = 1; i < smp->n; i++)
    vt_core_free (smp->core[i]);
  core_rig_finish (&smp->rig);
}

/* @code for core @i, and its registers; RSP is set. */
static inline void
smp_load (Smp *smp, unsigned i, const uint8_t *code, const uint8_t *end, const uint64_t gpr[VT_CPU_GPRS])
{
  const uint32_t at = SMP_CODE + i * 0x1000;

  memcpy (smp->rig.mem + at, code, (size_t) (end - code));
  vt_ram_mark_dirty (smp->rig.ram, at, 4096);
  smp->state.rip = at;
  smp->state.mp_state = VT_CPU_MP_RUNNABLE;
  memcpy (smp->state.gpr, gpr, sizeof smp->state.gpr);
  smp->state.gpr[VT_CPU_RSP] = SMP_STACK - i * 0x400;
  vt_core_load (smp->core[i], &smp->state);
}

static inline void *
smp_thread_cb (void *data)
{
  const SmpThread *thread = data;
  Smp             *smp = thread->smp;
  VtStep           step;

  __atomic_add_fetch (&smp->ready, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n (&smp->ready, __ATOMIC_SEQ_CST) < (int) smp->n)
    g_thread_yield ();
  do
    step = smp->engine[thread->n] (smp->core[thread->n], UINT64_MAX, NULL);
  while (step == VT_STEP_DONE);
  return GINT_TO_POINTER ((int) step);
}

/* Runs all of them to their HLT. */
static inline void
smp_run (Smp *smp)
{
  SmpThread arg[SMP_CORES];
  GThread  *thread[SMP_CORES];

  smp->ready = 0;
  for (unsigned i = 0; i < smp->n; i++)
    {
      arg[i] = (SmpThread){ .smp = smp, .n = i };
      thread[i] = g_thread_new ("core", smp_thread_cb, &arg[i]);
    }
  for (unsigned i = 0; i < smp->n; i++)
    g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread[i])), ==, VT_STEP_HALTED);
}
