/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Far jumps and calls, through code segments, call gates, task gates and TSS descriptors (SDM volume 2,
 * CALL and JMP; volume 3, 5.8).
 */
#include "system.h"

void
vt_enter_code (VtCore *core, const VtDescriptor *code, unsigned cpl, uint64_t rip, unsigned size)
{
  VtDescriptor d = *code;
  VtCpuSegment cs;

  vt_descriptor_mark (core, &d);
  cs = vt_descriptor_segment (&d);
  cs.selector = (uint16_t) ((cs.selector & 0xfffc) | cpl);
  if (core->long_mode && cs.l)
    {
      if (!vt_core_canonical (core, rip))
        vt_core_gp (core, 0);
    }
  else
    {
      rip &= size == 2 ? 0xffff : 0xffffffff;
      if (rip > cs.limit)
        vt_core_gp (core, 0);
    }
  core->seg[VT_CPU_CS] = cs;
  core->cpl = (uint8_t) cpl;
  core->rip = rip;
  vt_core_changed (core);
}

/* A code segment that is entered directly, without a gate. Returns: nothing, or raises. */
static void
check_direct (VtCore *core, const VtDescriptor *d)
{
  const uint32_t error = vt_selector_error (core, d->selector);
  const unsigned dpl = vt_descriptor_dpl (d);

  if (vt_descriptor_conforming (d) ? dpl > core->cpl
                                   : (d->selector & 3u) > core->cpl || dpl != core->cpl)
    vt_core_gp (core, error);
  if (!vt_descriptor_present (d))
    vt_core_raise (core, VT_EXC_NP, error);
  if (core->long_mode && (d->raw >> 53 & 3) == 3)
    vt_core_gp (core, error); /* L and D both. */
}

/* Reads a call gate, checks it, and reads the code segment that it names. */
static uint64_t
read_call_gate (VtCore *core, VtDescriptor *gate, bool jump, VtDescriptor *code)
{
  const uint32_t error = vt_selector_error (core, gate->selector);
  const unsigned dpl = vt_descriptor_dpl (gate);
  uint64_t       rip = (gate->raw & 0xffff) | (gate->raw >> 32 & 0xffff0000);

  if (dpl < core->cpl || (gate->selector & 3u) > dpl)
    vt_core_gp (core, error);
  if (!vt_descriptor_present (gate))
    vt_core_raise (core, VT_EXC_NP, error);
  if (core->long_mode)
    {
      vt_descriptor_read (core, gate->selector, true, VT_EXC_GP, gate);
      if (vt_descriptor_high_type (gate))
        vt_core_gp (core, error);
      rip |= gate->high << 32;
    }
  else if (!(vt_descriptor_type (gate) & 8))
    rip &= 0xffff;

  const uint16_t selector = (uint16_t) (gate->raw >> 16);
  if ((selector & 0xfffc) == 0)
    vt_core_gp (core, 0);
  vt_descriptor_read (core, selector, false, VT_EXC_GP, code);
  const unsigned code_dpl = vt_descriptor_dpl (code);
  if (!vt_descriptor_is_code (code) || code_dpl > core->cpl
      || (jump && !vt_descriptor_conforming (code) && code_dpl != core->cpl)
      || (core->long_mode && (code->raw >> 53 & 3) != 1))
    vt_core_gp (core, vt_selector_error (core, selector));
  if (!vt_descriptor_present (code))
    vt_core_raise (core, VT_EXC_NP, vt_selector_error (core, selector));
  return rip;
}

/* The task that a task gate names, or the selector of a TSS itself, checked for privilege. */
static uint16_t
task_of (VtCore *core, const VtDescriptor *d)
{
  const uint32_t error = vt_selector_error (core, d->selector);

  if (vt_descriptor_dpl (d) < core->cpl || (d->selector & 3u) > vt_descriptor_dpl (d))
    vt_core_gp (core, error);
  if (!vt_descriptor_present (d))
    vt_core_raise (core, VT_EXC_NP, error);
  return vt_descriptor_type (d) == VT_TYPE_TASK_GATE ? (uint16_t) (d->raw >> 16) : d->selector;
}

typedef enum
{
  TARGET_CODE,
  TARGET_GATE,
  TARGET_TASK,
} Target;

static Target
read_target (VtCore *core, uint16_t selector, VtDescriptor *d)
{
  if ((selector & 0xfffc) == 0)
    vt_core_gp (core, 0);
  vt_descriptor_read (core, selector, false, VT_EXC_GP, d);
  if (vt_descriptor_is_segment (d))
    {
      if (!vt_descriptor_is_code (d))
        vt_core_gp (core, vt_selector_error (core, selector));
      return TARGET_CODE;
    }
  const unsigned type = vt_descriptor_type (d);
  if (type == VT_TYPE_CALL || (type == VT_TYPE_CALL16 && !core->long_mode))
    return TARGET_GATE;
  if (!core->long_mode
      && (type == VT_TYPE_TASK_GATE || type == VT_TYPE_TSS || type == VT_TYPE_TSS16))
    return TARGET_TASK;
  vt_core_gp (core, vt_selector_error (core, selector));
}

void
vt_far_jump (VtCore *core, uint16_t selector, uint64_t offset, unsigned size)
{
  VtDescriptor d, code;

  vt_core_snapshot (core);
  if (!core->protected_mode)
    {
      if (offset > core->seg[VT_CPU_CS].limit)
        vt_core_gp (core, 0);
      vt_seg_load_real (core, VT_CPU_CS, selector);
      core->rip = offset;
      vt_core_changed (core);
      return;
    }
  switch (read_target (core, selector, &d))
    {
    case TARGET_CODE:
      check_direct (core, &d);
      vt_enter_code (core, &d, core->cpl, offset, size);
      break;
    case TARGET_GATE:
      {
        const uint64_t rip = read_call_gate (core, &d, true, &code);
        vt_enter_code (core, &code, core->cpl, rip, 4);
        break;
      }
    case TARGET_TASK:
      vt_task_switch (core, task_of (core, &d), VT_TASK_JUMP, core->next_rip, NULL);
      break;
    }
}

/* To more privilege through a gate: the stack of the TSS, with the parameters that the gate counts. */
static void
call_inner (VtCore *core, const VtDescriptor *gate, const VtDescriptor *code, uint64_t rip,
            uint64_t next)
{
  const unsigned dpl = vt_descriptor_dpl (code);
  const unsigned size = core->long_mode ? 8 : vt_descriptor_type (gate) & 8 ? 4 : 2;
  const unsigned n = core->long_mode ? 0 : gate->raw >> 32 & 31;
  VtStack        new, old;
  uint64_t       parameter[31];

  vt_stack_current (core, &old);
  vt_stack_from_tss (core, dpl, 0, &new);
  vt_stack_push (core, &new, size, core->seg[VT_CPU_SS].selector);
  vt_stack_push (core, &new, size, core->gpr[VT_CPU_RSP]);
  for (unsigned i = 0; i < n; i++)
    parameter[i] = vt_stack_pop (core, &old, size);
  for (unsigned i = n; i-- > 0;)
    vt_stack_push (core, &new, size, parameter[i]);
  vt_stack_push (core, &new, size, core->seg[VT_CPU_CS].selector);
  vt_stack_push (core, &new, size, next);
  vt_enter_code (core, code, dpl, rip, size == 2 ? 2 : 4);
  core->seg[VT_CPU_SS] = new.ss;
  vt_stack_commit (core, &new);
}

static void
call_same (VtCore *core, unsigned size, uint64_t next, const VtDescriptor *code, uint64_t rip,
           unsigned rip_size)
{
  VtStack stack;

  vt_stack_current (core, &stack);
  vt_stack_push (core, &stack, size, core->seg[VT_CPU_CS].selector);
  vt_stack_push (core, &stack, size, next);
  vt_enter_code (core, code, core->cpl, rip, rip_size);
  vt_stack_commit (core, &stack);
}

void
vt_far_call (VtCore *core, uint16_t selector, uint64_t offset, unsigned size, uint64_t next)
{
  VtDescriptor d, code;

  vt_core_snapshot (core);
  if (!core->protected_mode)
    {
      VtStack stack;
      if (offset > core->seg[VT_CPU_CS].limit)
        vt_core_gp (core, 0);
      vt_stack_current (core, &stack);
      vt_stack_push (core, &stack, size, core->seg[VT_CPU_CS].selector);
      vt_stack_push (core, &stack, size, next);
      vt_stack_commit (core, &stack);
      vt_seg_load_real (core, VT_CPU_CS, selector);
      core->rip = offset;
      vt_core_changed (core);
      return;
    }
  switch (read_target (core, selector, &d))
    {
    case TARGET_CODE:
      check_direct (core, &d);
      call_same (core, size, next, &d, offset, size);
      break;
    case TARGET_GATE:
      {
        const uint64_t rip = read_call_gate (core, &d, false, &code);
        if (!vt_descriptor_conforming (&code) && vt_descriptor_dpl (&code) < core->cpl)
          call_inner (core, &d, &code, rip, next);
        else
          call_same (core, core->long_mode ? 8 : vt_descriptor_type (&d) & 8 ? 4 : 2, next, &code, rip,
                     4);
        break;
      }
    case TARGET_TASK:
      vt_task_switch (core, task_of (core, &d), VT_TASK_CALL, next, NULL);
      break;
    }
}
