/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stacks: pushes and pops of instructions, and of transfers that work on a stack which is not yet, or
 * no longer, the one in SS and RSP.
 */
#include "system.h"

unsigned
vt_stack_bytes (const VtCore *core)
{
  if (core->code_bits == 64)
    return 8;
  return core->protected_mode ? core->seg[VT_CPU_SS].db ? 4 : 2
         : core->seg[VT_CPU_SS].db && !(core->rflags & VT_FLAG_VM) ? 4 : 2;
}

static unsigned
bytes (const VtStack *stack)
{
  return stack->wide ? 8 : stack->ss.db ? 4 : 2;
}

void
vt_stack_current (const VtCore *core, VtStack *stack)
{
  *stack = (VtStack){
    .ss = core->seg[VT_CPU_SS],
    .sp = core->gpr[VT_CPU_RSP],
    .error = core->ext,
    .cpl = core->cpl,
    .wide = core->code_bits == 64,
  };
}

static VtAccessSet
rights (const VtCore *core, const VtStack *stack)
{
  if (stack->cpl == 3)
    return VT_SET_USER;
  return core->rflags & VT_FLAG_AC ? VT_SET_KERNEL : vt_mmu_system_set (core);
}

static uint64_t
linear (VtCore *core, const VtStack *stack, uint64_t sp, unsigned size, VtAccessKind kind)
{
  if (stack->wide)
    {
      if (!vt_core_canonical (core, sp) || !vt_core_canonical (core, sp + size - 1))
        vt_core_raise (core, VT_EXC_SS, stack->error);
      return sp;
    }
  sp &= vt_ones (bytes (stack));
  if (!vt_seg_allows (core, &stack->ss, sp, size, kind))
    vt_core_raise (core, VT_EXC_SS, stack->error);
  return (uint32_t) (stack->ss.base + sp);
}

void
vt_stack_push (VtCore *core, VtStack *stack, unsigned size, uint64_t value)
{
  const uint64_t sp = stack->sp - size;
  vt_mmu_store (core, linear (core, stack, sp, size, VT_ACCESS_WRITE), size, value,
                rights (core, stack));
  stack->sp = sp;
}

uint64_t
vt_stack_pop (VtCore *core, VtStack *stack, unsigned size)
{
  const uint64_t value = vt_mmu_load (
      core, linear (core, stack, stack->sp, size, VT_ACCESS_READ), size, rights (core, stack));
  stack->sp += size;
  return value;
}

void
vt_stack_commit (VtCore *core, const VtStack *stack)
{
  const uint64_t mask = vt_ones (bytes (stack));
  core->gpr[VT_CPU_RSP] = (core->gpr[VT_CPU_RSP] & ~mask) | (stack->sp & mask);
  /* A 32-bit stack pointer leaves no upper half behind. */
  if (mask == 0xffffffff)
    core->gpr[VT_CPU_RSP] &= mask;
}

void
vt_push (VtCore *core, unsigned size, uint64_t value)
{
  const unsigned width = vt_stack_bytes (core);
  const uint64_t sp = (core->gpr[VT_CPU_RSP] - size) & vt_ones (width);
  const uint64_t at = vt_seg_linear (core, VT_CPU_SS, sp, size, VT_ACCESS_WRITE);

  vt_mmu_store (core, at, size, value, vt_mmu_data_set (core));
  vt_core_set_gpr (core, VT_CPU_RSP, width, sp);
}

uint64_t
vt_pop (VtCore *core, unsigned size)
{
  const unsigned width = vt_stack_bytes (core);
  const uint64_t sp = vt_core_gpr (core, VT_CPU_RSP, width);
  const uint64_t at = vt_seg_linear (core, VT_CPU_SS, sp, size, VT_ACCESS_READ);
  const uint64_t value = vt_mmu_load (core, at, size, vt_mmu_data_set (core));

  vt_core_set_gpr (core, VT_CPU_RSP, width, sp + size);
  return value;
}

/* SDM volume 3, 7.2.1 and 7.7: where a TSS has its stacks. */
void
vt_stack_from_tss (VtCore *core, unsigned dpl, unsigned ist, VtStack *stack)
{
  const VtCpuSegment *tr = &core->seg[VT_CPU_TR];
  const VtAccessSet   set = vt_mmu_system_set (core);
  const uint32_t      error = vt_selector_error (core, tr->selector);
  VtDescriptor        d;

  if (core->long_mode)
    {
      const uint32_t at = ist ? 36 + (ist - 1) * 8 : 4 + dpl * 8;
      if (tr->unusable || at + 7 > tr->limit)
        vt_core_raise (core, VT_EXC_TS, error);
      *stack = (VtStack){
        .ss = { .selector = (uint16_t) dpl, .limit = UINT32_MAX, .type = 3, .dpl = (uint8_t) dpl,
                .present = true, .code_or_data = true, .db = true, .g = true },
        .sp = vt_mmu_load (core, tr->base + at, 8, set),
        .error = core->ext,
        .cpl = (uint8_t) dpl,
        .wide = true,
      };
      if (!vt_core_canonical (core, stack->sp))
        vt_core_raise (core, VT_EXC_SS, core->ext);
      return;
    }
  const bool     wide = (tr->type & 8) != 0;
  const uint32_t at = wide ? 4 + dpl * 8 : 2 + dpl * 4;
  if (tr->unusable || at + (wide ? 5u : 3u) > tr->limit)
    vt_core_raise (core, VT_EXC_TS, error);
  const uint64_t sp = vt_mmu_load (core, (uint32_t) (tr->base + at), wide ? 4 : 2, set);
  const uint16_t ss =
      (uint16_t) vt_mmu_load (core, (uint32_t) (tr->base + at + (wide ? 4 : 2)), 2, set);

  if ((ss & 0xfffc) == 0)
    vt_core_raise (core, VT_EXC_TS, core->ext);
  vt_descriptor_read (core, ss, false, VT_EXC_TS, &d);
  if ((ss & 3u) != dpl || vt_descriptor_dpl (&d) != dpl || !vt_descriptor_is_segment (&d)
      || (vt_descriptor_type (&d) & 0xa) != 2)
    vt_core_raise (core, VT_EXC_TS, vt_selector_error (core, ss));
  if (!vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_SS, vt_selector_error (core, ss));
  vt_descriptor_mark (core, &d);
  *stack = (VtStack){
    .ss = vt_descriptor_segment (&d),
    .sp = sp,
    .error = vt_selector_error (core, ss),
    .cpl = (uint8_t) dpl,
  };
}
