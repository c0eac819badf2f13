/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Exceptions and interrupts: the real-mode table, 16- and 32-bit gates, 64-bit gates with IST, task
 * gates, virtual 8086 mode, and what becomes of a fault during the delivery (SDM volume 3, chapter 6).
 */
#include "system.h"

/* The error code of a fault that is about the table's entry itself: bit 1, IDT. */
static uint32_t
gate_error (const VtCore *core, const VtEvent *event)
{
  return event->vector * 8u | 2 | core->ext;
}

static void
clear_flags (VtCore *core, bool interrupt_gate)
{
  core->rflags &= ~(VT_FLAG_TF | VT_FLAG_NT | VT_FLAG_RF | VT_FLAG_VM);
  if (interrupt_gate)
    core->rflags &= ~VT_FLAG_IF;
}

static void
deliver_real (VtCore *core, const VtEvent *event)
{
  VtStack stack;

  if (event->vector * 4u + 3 > core->idt_limit)
    vt_core_gp (core, gate_error (core, event));
  const uint32_t target = (uint32_t) vt_mmu_load (core, core->idt_base + event->vector * 4u, 4,
                                                  vt_mmu_system_set (core));
  vt_stack_current (core, &stack);
  vt_stack_push (core, &stack, 2, core->rflags & 0xffff);
  vt_stack_push (core, &stack, 2, core->seg[VT_CPU_CS].selector);
  vt_stack_push (core, &stack, 2, event->rip & 0xffff);
  vt_stack_commit (core, &stack);
  core->rflags &= ~(VT_FLAG_IF | VT_FLAG_TF | VT_FLAG_AC | VT_FLAG_RF);
  vt_seg_load_real (core, VT_CPU_CS, (uint16_t) (target >> 16));
  core->rip = target & 0xffff;
  vt_core_changed (core);
}

/* An entry of the IDT, checked as far as it doesn't depend on its kind. */
static void
read_gate (VtCore *core, const VtEvent *event, VtDescriptor *gate)
{
  const unsigned    size = core->long_mode ? 16 : 8;
  const VtAccessSet set = vt_mmu_system_set (core);
  const uint64_t    address = core->idt_base + event->vector * size;

  if (event->vector * size + size - 1 > core->idt_limit)
    vt_core_gp (core, gate_error (core, event));
  *gate = (VtDescriptor){ .address = address, .raw = vt_mmu_load (core, address, 8, set) };
  if (core->long_mode)
    gate->high = vt_mmu_load (core, address + 8, 8, set);

  const unsigned type = vt_descriptor_type (gate);
  const bool     interrupt_or_trap =
      type == VT_TYPE_INT || type == VT_TYPE_TRAP
      || (!core->long_mode
          && (type == VT_TYPE_INT16 || type == VT_TYPE_TRAP16 || type == VT_TYPE_TASK_GATE));
  if (vt_descriptor_is_segment (gate) || !interrupt_or_trap)
    vt_core_gp (core, gate_error (core, event));
  if (event->kind == VT_EVENT_SOFTWARE && vt_descriptor_dpl (gate) < core->cpl)
    vt_core_gp (core, gate_error (core, event));
  if (!vt_descriptor_present (gate))
    vt_core_raise (core, VT_EXC_NP, gate_error (core, event));
}

static void
read_handler (VtCore *core, const VtDescriptor *gate, VtDescriptor *code)
{
  const uint16_t selector = (uint16_t) (gate->raw >> 16);

  if ((selector & 0xfffc) == 0)
    vt_core_gp (core, core->ext);
  vt_descriptor_read (core, selector, false, VT_EXC_GP, code);
  if (!vt_descriptor_is_code (code) || vt_descriptor_dpl (code) > core->cpl)
    vt_core_gp (core, vt_selector_error (core, selector));
  if (!vt_descriptor_present (code))
    vt_core_raise (core, VT_EXC_NP, vt_selector_error (core, selector));
  /* L without D: a handler of long mode is 64-bit code. */
  if (core->long_mode && (code->raw >> 53 & 3) != 1)
    vt_core_gp (core, vt_selector_error (core, selector));
}

/* What virtual 8086 mode keeps from its handler: the data segments, pushed and then nulled. */
static void
push_data_segments (VtCore *core, VtStack *stack, unsigned size)
{
  static const uint8_t order[] = { VT_CPU_GS, VT_CPU_FS, VT_CPU_DS, VT_CPU_ES };

  for (unsigned i = 0; i < G_N_ELEMENTS (order); i++)
    {
      vt_stack_push (core, stack, size, core->seg[order[i]].selector);
      core->seg[order[i]] = vt_seg_null (0);
    }
}

static void
deliver_gate (VtCore *core, const VtEvent *event, const VtDescriptor *gate)
{
  const unsigned type = vt_descriptor_type (gate);
  const unsigned size = core->long_mode ? 8 : type & 8 ? 4 : 2;
  const unsigned ist = core->long_mode ? gate->raw >> 32 & 7 : 0;
  const bool     from_virtual = (core->rflags & VT_FLAG_VM) != 0;
  const uint64_t flags = core->rflags;
  const uint16_t old_cs = core->seg[VT_CPU_CS].selector, old_ss = core->seg[VT_CPU_SS].selector;
  const uint64_t old_sp = core->gpr[VT_CPU_RSP];
  uint64_t       rip = (gate->raw & 0xffff) | (gate->raw >> 32 & 0xffff0000);
  VtDescriptor   code;
  VtStack        stack;

  if (core->long_mode)
    rip |= gate->high << 32;
  else if (size == 2)
    rip &= 0xffff;
  read_handler (core, gate, &code);
  const unsigned dpl = vt_descriptor_dpl (&code);
  const bool     inner = !vt_descriptor_conforming (&code) && dpl < core->cpl;
  const unsigned cpl = inner ? dpl : core->cpl;

  /* Virtual 8086 mode is left for privilege 0 alone (20.3). */
  if (from_virtual && (!inner || dpl != 0))
    vt_core_gp (core, vt_selector_error (core, code.selector));
  if (inner || ist)
    vt_stack_from_tss (core, cpl, ist, &stack);
  else
    {
      vt_stack_current (core, &stack);
      stack.wide = core->long_mode;
    }
  if (core->long_mode)
    stack.sp &= ~UINT64_C (15);
  if (from_virtual)
    push_data_segments (core, &stack, size);
  if (inner || core->long_mode)
    {
      vt_stack_push (core, &stack, size, old_ss);
      vt_stack_push (core, &stack, size, old_sp);
    }
  vt_stack_push (core, &stack, size, flags);
  vt_stack_push (core, &stack, size, old_cs);
  vt_stack_push (core, &stack, size, event->rip);
  if (event->has_error)
    vt_stack_push (core, &stack, size, event->error);

  clear_flags (core, type == VT_TYPE_INT || type == VT_TYPE_INT16);
  vt_enter_code (core, &code, cpl, rip, size);
  if (inner)
    {
      core->seg[VT_CPU_SS] = stack.ss;
      /* In long mode the selector becomes null, with the new privilege (6.14.4). */
    }
  vt_stack_commit (core, &stack);
}

static void
deliver_protected (VtCore *core, const VtEvent *event)
{
  VtDescriptor gate;

  /* INT n in virtual 8086 mode is privileged (20.2.7); CR4.VME's redirection is not modelled. */
  if (event->kind == VT_EVENT_SOFTWARE && (core->rflags & VT_FLAG_VM)
      && event->vector != VT_EXC_BP && event->vector != VT_EXC_OF
      && (core->rflags & VT_FLAG_IOPL) != VT_FLAG_IOPL)
    {
      if (core->cr4 & VT_CR4_VME)
        vt_core_decline (core);
      vt_core_gp (core, 0);
    }
  read_gate (core, event, &gate);
  if (vt_descriptor_type (&gate) == VT_TYPE_TASK_GATE)
    vt_task_switch (core, (uint16_t) (gate.raw >> 16), VT_TASK_CALL, event->rip, event);
  else
    deliver_gate (core, event, &gate);
}

static void
deliver_cb (VtCore *core, void *data)
{
  const VtEvent *event = data;

  vt_core_snapshot (core);
  /* A fault's handler returns to the instruction, which then ignores its breakpoint (17.3.1.1). */
  if (event->kind == VT_EVENT_FAULT && event->vector != VT_EXC_DB && event->vector != VT_EXC_DF)
    core->rflags |= VT_FLAG_RF;
  core->ext = event->kind != VT_EVENT_SOFTWARE;
  if (core->cr0 & VT_CR0_PE)
    deliver_protected (core, event);
  else
    deliver_real (core, event);
  core->snapshot_taken = false;
  /* So that a debugger may use what it keeps from others (17.2.4). */
  if (event->vector == VT_EXC_DB && event->kind != VT_EVENT_SOFTWARE && event->kind != VT_EVENT_EXTERNAL)
    core->dr7 &= ~VT_DR7_GD;
}

/* SDM volume 3, table 6-5. */
typedef enum
{
  BENIGN,
  CONTRIBUTORY,
  PAGE_FAULT,
  DOUBLE_FAULT,
} Class;

static Class
class_of (const VtEvent *event)
{
  if (event->kind == VT_EVENT_EXTERNAL || event->kind == VT_EVENT_SOFTWARE)
    return BENIGN;
  switch (event->vector)
    {
    case VT_EXC_DE:
    case VT_EXC_TS:
    case VT_EXC_NP:
    case VT_EXC_SS:
    case VT_EXC_GP:
      return CONTRIBUTORY;
    case VT_EXC_PF:
      return PAGE_FAULT;
    case VT_EXC_DF:
      return DOUBLE_FAULT;
    default:
      return BENIGN;
    }
}

static void
take_fault (VtCore *core, VtEvent *event)
{
  const VtFault *fault = &core->fault;

  if (fault->vector == VT_EXC_PF)
    core->cr2 = fault->address;
  *event = (VtEvent){
    .kind = VT_EVENT_FAULT,
    .vector = fault->vector,
    .has_error = fault->has_error && (core->cr0 & VT_CR0_PE),
    .error = fault->error,
    .rip = core->rip,
  };
}

VtStep
vt_event_deliver (VtCore *core, const VtEvent *first)
{
  VtEvent event = *first;

  /* Each turn either raises the class or ends: benign, contributory, page fault, double fault. The bound
   * is for certainty. */
  for (unsigned turns = 0; turns < 8; turns++)
    {
      const int how = vt_core_try (core, deliver_cb, &event);
      core->ext = 0;
      if (how == VT_CATCH_NONE)
        {
          core->shadow = 0;
          return VT_STEP_DONE;
        }
      if (how == VT_CATCH_DECLINE)
        return VT_STEP_DECLINED;

      const Class before = class_of (&event);
      VtEvent     next;
      take_fault (core, &next);
      const Class now = class_of (&next);
      if (before == DOUBLE_FAULT)
        break;
      if ((before == CONTRIBUTORY && now == CONTRIBUTORY)
          || (before == PAGE_FAULT && (now == CONTRIBUTORY || now == PAGE_FAULT)))
        event = (VtEvent){
          .kind = VT_EVENT_FAULT,
          .vector = VT_EXC_DF,
          .has_error = (core->cr0 & VT_CR0_PE) != 0,
          .rip = core->rip,
        };
      else
        event = next;
    }
  return VT_STEP_TRIPLE_FAULT;
}

VtStep
vt_event_deliver_fault (VtCore *core)
{
  VtEvent event;

  take_fault (core, &event);
  if (core->fault.vector == VT_EXC_DB)
    core->dr6 |= core->fault.dr6;
  return vt_event_deliver (core, &event);
}

VtStep
vt_event_interrupt (VtCore *core, uint8_t vector)
{
  const VtEvent event = { .kind = VT_EVENT_EXTERNAL, .vector = vector, .rip = core->rip };

  if (core->mp_state == VT_CPU_MP_HALTED)
    core->mp_state = VT_CPU_MP_RUNNABLE;
  return vt_event_deliver (core, &event);
}

VtStep
vt_event_nmi (VtCore *core)
{
  const VtEvent event = { .kind = VT_EVENT_EXTERNAL, .vector = VT_EXC_NMI, .rip = core->rip };

  if (core->mp_state == VT_CPU_MP_HALTED)
    core->mp_state = VT_CPU_MP_RUNNABLE;
  core->events.nmi_masked = true;
  return vt_event_deliver (core, &event);
}

VtStep
vt_event_undefined (VtCore *core)
{
  const VtEvent event = { .kind = VT_EVENT_FAULT, .vector = VT_EXC_UD, .rip = core->rip };

  return vt_event_deliver (core, &event);
}
