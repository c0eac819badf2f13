/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Task switches by hardware, between 16- and 32-bit TSSs (SDM volume 3, 7.3). Long mode has none.
 */
#include "system.h"

/* Where the two layouts have what is saved and loaded; a 16-bit TSS has no CR3, FS, GS. */
typedef struct
{
  uint8_t size;    /* Of a register in it. */
  uint8_t least;   /* Its limit at least. */
  uint8_t cr3, rip, flags, gpr, seg, ldt, n_segs;
} Layout;

static const Layout layouts[] = {
  { .size = 2, .least = 43, .cr3 = 0, .rip = 14, .flags = 16, .gpr = 18, .seg = 34, .ldt = 42,
    .n_segs = 4 },
  { .size = 4, .least = 103, .cr3 = 28, .rip = 32, .flags = 36, .gpr = 40, .seg = 72, .ldt = 96,
    .n_segs = 6 },
};

static const Layout *
layout_of (unsigned type)
{
  return &layouts[type & 8 ? 1 : 0];
}

/* A field at @at of the TSS at @base. */
static uint64_t
get (VtCore *core, uint64_t base, unsigned at, unsigned size)
{
  return vt_mmu_load (core, (uint32_t) (base + at), size, vt_mmu_system_set (core));
}

static void
put (VtCore *core, uint64_t base, unsigned at, unsigned size, uint64_t value)
{
  vt_mmu_store (core, (uint32_t) (base + at), size, value, vt_mmu_system_set (core));
}

static void
set_busy (VtCore *core, VtDescriptor *d, bool busy)
{
  d->raw = busy ? d->raw | VT_BIT (41) : d->raw & ~VT_BIT (41);
  vt_mmu_store (core, d->address + 5, 1, d->raw >> 40 & 0xff, vt_mmu_system_set (core));
}

static void
save (VtCore *core, uint64_t next, uint64_t flags)
{
  const VtCpuSegment *tr = &core->seg[VT_CPU_TR];
  const Layout       *to = layout_of (tr->type);

  /* Both ends first, so that a fault comes before anything is written. */
  vt_mmu_probe_write (core, (uint32_t) (tr->base + to->rip), 1, vt_mmu_system_set (core));
  vt_mmu_probe_write (core, (uint32_t) (tr->base + to->least), 1, vt_mmu_system_set (core));
  put (core, tr->base, to->rip, to->size, next);
  put (core, tr->base, to->flags, to->size, flags);
  for (unsigned i = 0; i < 8; i++)
    put (core, tr->base, to->gpr + i * to->size, to->size, core->gpr[i]);
  for (unsigned i = 0; i < to->n_segs; i++)
    put (core, tr->base, to->seg + i * to->size, 2, core->seg[i].selector);
}

/* A selector of the new task, as far as it can be told without its descriptor. */
static void
load_selectors (VtCore *core, uint64_t base, const Layout *from)
{
  static const uint8_t order[] = { VT_CPU_ES, VT_CPU_CS, VT_CPU_SS, VT_CPU_DS, VT_CPU_FS, VT_CPU_GS };

  for (unsigned i = 0; i < G_N_ELEMENTS (order); i++)
    {
      const uint16_t selector =
          i < from->n_segs ? (uint16_t) get (core, base, from->seg + i * from->size, 2) : 0;
      core->seg[order[i]] = vt_seg_null (selector);
    }
}

/* Faults from here on belong to the new task (7.3): #TS with the selector, at its first instruction. */
static void
load_descriptors (VtCore *core)
{
  static const uint8_t data[] = { VT_CPU_ES, VT_CPU_DS, VT_CPU_FS, VT_CPU_GS };
  const uint16_t       cs = core->seg[VT_CPU_CS].selector, ss = core->seg[VT_CPU_SS].selector;
  VtDescriptor         d;

  if (core->rflags & VT_FLAG_VM)
    {
      for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
        vt_seg_load_real (core, i, core->seg[i].selector);
      return;
    }
  if ((cs & 0xfffc) == 0)
    vt_core_raise (core, VT_EXC_TS, vt_selector_error (core, cs));
  vt_descriptor_read (core, cs, false, VT_EXC_TS, &d);
  if (!vt_descriptor_is_code (&d)
      || (vt_descriptor_conforming (&d) ? vt_descriptor_dpl (&d) > (cs & 3u)
                                        : vt_descriptor_dpl (&d) != (cs & 3u)))
    vt_core_raise (core, VT_EXC_TS, vt_selector_error (core, cs));
  if (!vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_NP, vt_selector_error (core, cs));
  vt_descriptor_mark (core, &d);
  core->seg[VT_CPU_CS] = vt_descriptor_segment (&d);

  if ((ss & 0xfffc) == 0)
    vt_core_raise (core, VT_EXC_TS, vt_selector_error (core, ss));
  vt_descriptor_read (core, ss, false, VT_EXC_TS, &d);
  if (!vt_descriptor_is_segment (&d) || (vt_descriptor_type (&d) & 0xa) != 2
      || vt_descriptor_dpl (&d) != core->cpl || (ss & 3u) != core->cpl)
    vt_core_raise (core, VT_EXC_TS, vt_selector_error (core, ss));
  if (!vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_SS, vt_selector_error (core, ss));
  vt_descriptor_mark (core, &d);
  core->seg[VT_CPU_SS] = vt_descriptor_segment (&d);

  for (unsigned i = 0; i < G_N_ELEMENTS (data); i++)
    {
      const uint16_t selector = core->seg[data[i]].selector;
      if ((selector & 0xfffc) == 0)
        continue;
      vt_descriptor_read (core, selector, false, VT_EXC_TS, &d);
      if (!vt_descriptor_is_segment (&d) || (vt_descriptor_type (&d) & 0xa) == 8
          || (!vt_descriptor_conforming (&d)
              && (vt_descriptor_dpl (&d) < core->cpl || vt_descriptor_dpl (&d) < (selector & 3u))))
        vt_core_raise (core, VT_EXC_TS, vt_selector_error (core, selector));
      if (!vt_descriptor_present (&d))
        vt_core_raise (core, VT_EXC_NP, vt_selector_error (core, selector));
      vt_descriptor_mark (core, &d);
      core->seg[data[i]] = vt_descriptor_segment (&d);
    }
}

static void
load_ldt (VtCore *core, uint16_t selector)
{
  VtDescriptor d;

  core->seg[VT_CPU_LDT] = vt_seg_null (selector);
  core->seg[VT_CPU_LDT].type = VT_TYPE_LDT;
  if ((selector & 0xfffc) == 0)
    return;
  if (selector & 4)
    vt_core_raise (core, VT_EXC_TS, vt_selector_error (core, selector));
  vt_descriptor_read (core, selector, false, VT_EXC_TS, &d);
  if (vt_descriptor_is_segment (&d) || vt_descriptor_type (&d) != VT_TYPE_LDT
      || !vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_TS, vt_selector_error (core, selector));
  core->seg[VT_CPU_LDT] = vt_descriptor_segment (&d);
}

void
vt_task_switch (VtCore *core, uint16_t selector, VtTaskSwitch how, uint64_t next, const VtEvent *event)
{
  const uint8_t  wrong = how == VT_TASK_RETURN ? VT_EXC_TS : VT_EXC_GP;
  const uint32_t error = vt_selector_error (core, selector);
  const uint16_t old_selector = core->seg[VT_CPU_TR].selector;
  uint64_t       flags = core->rflags;
  VtDescriptor   d, old;

  if ((selector & 4) || (selector & 0xfffc) == 0)
    vt_core_raise (core, wrong, error);
  vt_descriptor_read (core, selector, false, wrong, &d);
  const unsigned type = vt_descriptor_type (&d);
  const bool     busy = (type & 2) != 0;
  if (vt_descriptor_is_segment (&d) || ((type & ~10u) != 1) || busy != (how == VT_TASK_RETURN))
    vt_core_raise (core, wrong, error);
  if (!vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_NP, error);
  VtCpuSegment  tr = vt_descriptor_segment (&d);
  const Layout *from = layout_of (type);
  if (tr.limit < from->least)
    vt_core_raise (core, VT_EXC_TS, error);
  /* Whatever of the new TSS can fault does so before the old task is left. */
  get (core, tr.base, 0, 2);
  get (core, tr.base, from->least - 1, 2);

  if (how == VT_TASK_RETURN)
    flags &= ~VT_FLAG_NT;
  save (core, next, flags);
  if (how != VT_TASK_CALL)
    {
      vt_descriptor_read (core, old_selector, false, VT_EXC_TS, &old);
      set_busy (core, &old, false);
    }
  if (how != VT_TASK_RETURN)
    set_busy (core, &d, true);
  if (how == VT_TASK_CALL)
    put (core, tr.base, 0, 2, old_selector);
  tr.type |= 2;
  core->seg[VT_CPU_TR] = tr;
  core->cr0 |= VT_CR0_TS;

  const uint64_t cr3 = from->cr3 ? get (core, tr.base, from->cr3, 4) : core->cr3;
  const uint64_t rip = get (core, tr.base, from->rip, from->size);
  uint64_t       new_flags = get (core, tr.base, from->flags, from->size);
  const uint16_t ldt = (uint16_t) get (core, tr.base, from->ldt, 2);
  for (unsigned i = 0; i < 8; i++)
    core->gpr[i] = get (core, tr.base, from->gpr + i * from->size, from->size)
                   | (from->size == 2 ? 0xffff0000u : 0);
  load_selectors (core, tr.base, from);
  /* The trap bit of a 32-bit TSS: a debug exception before the first instruction. */
  const bool trap = from->size == 4 && (get (core, tr.base, 100, 2) & 1);
  if (from->size == 2)
    new_flags |= core->rflags & ~UINT64_C (0xffff) & ~VT_FLAG_VM;
  if (how == VT_TASK_CALL)
    new_flags |= VT_FLAG_NT;
  core->rip = rip;
  core->rflags = (new_flags & VT_FLAGS_ALL) | VT_FLAG_FIXED;
  core->dr7 &= ~UINT64_C (0x155); /* The local breakpoints. */
  /* The switch is done: a fault now does not bring the old task back. */
  core->snapshot_taken = false;
  core->iret = true; /* RF is the new task's. */
  core->cpl = core->rflags & VT_FLAG_VM ? 3 : core->seg[VT_CPU_CS].selector & 3;
  vt_core_changed (core);
  if ((core->cr0 & VT_CR0_PG) && from->cr3)
    vt_core_set_cr3 (core, cr3);
  load_ldt (core, ldt);
  load_descriptors (core);
  vt_core_changed (core);
  if (event && event->has_error)
    vt_push (core, from->size, event->error);
  if (core->rip > core->seg[VT_CPU_CS].limit)
    vt_core_gp (core, 0);
  if (trap)
    {
      core->fault = (VtFault){ 0 };
      core->dr6 |= VT_DR6_BT;
      vt_core_raise (core, VT_EXC_DB, 0);
    }
}
