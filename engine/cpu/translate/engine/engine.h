/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The software CPU engine's own structs, shared by its files and by nobody else: a VtCore for each
 * vCPU, the board's interrupt controllers around it, and time from the guest clock.
 */
#pragma once

#include "../interpret/interpret.h"
#include "../system/system.h"

extern const VtVcpuOps vt_soft_ops;

typedef struct
{
  uint32_t leaf, subleaf, out[4];
} VtSoftLeaf;

typedef struct
{
  VtCpuEngine base;
  VtChips     chips;   /* The board's; ops NULL until attach. */
  bool        interpreted; /* Nothing can be translated here. */
  uint64_t    tsc_khz; /* Of the guest's TSC: the host's. */
  uint64_t    tsc_scale; /* counter.c */
  uint64_t    origin;  /* What the counter stood at when the machine was reset. */
  uint64_t    xcr0;    /* The features of XSAVE that guests get. */
  uint32_t    signature; /* Leaf 1's EAX. */
  bool        is_amd;
  GArray     *leaves;  /* of VtSoftLeaf, sorted: what CPUID answers but for what changes. */

  GMutex     lock; /* Guards @cpus, whom the space's listener tells; above a vCPU's own. */
  GPtrArray *cpus; /* of VtSoftCpu, not owned. */
} VtSoft;

/* The MSRs that are not the core's: all of them just kept. */
#define VT_SOFT_KEPT 96u

typedef struct
{
  VtCpu      base;
  VtCore    *core;
  VtCpuPort *port, unwired; /* The board's chips'; before attach, one that never says anything. */
  uint64_t   kept[VT_SOFT_KEPT]; /* In the order of msr.c's table. */

  /* HLT and its kin. @asleep is set before the core's requests are looked at for the last time, and
   * a kick sets a request before it looks at @asleep: one of the two sees the other. */
  GMutex lock;
  GCond  wake;
  gint   asleep;
} VtSoftCpu;

static inline VtSoft *
vt_soft_of (const VtSoftCpu *cpu)
{
  return (VtSoft *) cpu->base.engine;
}

/* counter.c: the counter that a core's TSC is an offset to, and the guest clock's nanosecond at which it
 * will be at @counter (now, where that is over). */
uint64_t vt_soft_counter (const VtSoft *engine);
int64_t  vt_soft_when (const VtSoft *engine, uint64_t counter);
uint64_t vt_soft_counter_cb (void *data); /* VtCoreOps.tsc */
void     vt_soft_counter_init (VtSoft *engine);

/* run.c */
void vt_soft_run (VtCpu *cpu, VtCpuEnd *end);
void vt_soft_kick (VtCpu *cpu);
/* Any thread: makes the vCPU see @requests (VT_CORE_*) before its next instruction, or awake for them. */
void vt_soft_request (VtSoftCpu *cpu, int requests);
/* Takes from the chips what has come for the vCPU: INIT and SIPI take effect, an NMI is pending. The
 * vCPU's thread, or while it is parked. */
void vt_soft_absorb (VtSoftCpu *cpu);
/* Something of this vCPU's own has spoken to its local APIC: what that brought is looked for before the
 * next instruction. */
void vt_soft_look (VtSoftCpu *cpu);

/* cpuid.c */
void vt_soft_cpuid_init (VtSoft *engine, uint64_t unit_features);
void vt_soft_cpuid (VtSoftCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* msr.c */
void vt_soft_msr_reset (VtSoftCpu *cpu);
bool vt_soft_msr_read (VtSoftCpu *cpu, uint32_t index, uint64_t *value);
bool vt_soft_msr_write (VtSoftCpu *cpu, uint32_t index, uint64_t value);
/* Makes @state's list, and fills in what the core does not. */
void vt_soft_msr_get (VtSoftCpu *cpu, VtCpuState *state);
/* Takes what is known of @state's list; the core's own are left to vt_core_load(). */
void vt_soft_msr_set (VtSoftCpu *cpu, const VtCpuState *state);

/* state.c */
bool vt_soft_get (VtCpu *cpu, VtCpuState *state, GError **error);
bool vt_soft_set (VtCpu *cpu, const VtCpuState *state, GError **error);
bool vt_soft_reset (VtCpu *cpu, GError **error);
/* The core's part of INIT, and of a SIPI behind it. */
void vt_soft_init_processor (VtSoftCpu *cpu);
void vt_soft_start_up (VtSoftCpu *cpu, uint8_t vector);
