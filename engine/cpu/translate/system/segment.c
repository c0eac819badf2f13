/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Segmentation (SDM volume 3, chapters 3 and 5): checks of accesses, descriptors, and the loading of
 * segment registers.
 */
#include "system.h"

bool
vt_seg_allows (const VtCore *core, const VtCpuSegment *seg, uint64_t offset, unsigned size,
               VtAccessKind kind)
{
  const uint64_t last = offset + (size - 1);

  if (core->protected_mode)
    {
      if (seg->unusable || !seg->present)
        return false;
      if (kind == VT_ACCESS_WRITE && (seg->type & 0xa) != 2)
        return false;
      if (kind == VT_ACCESS_READ && (seg->type & 0xa) == 8)
        return false;
      /* Expand-down: valid is what is above the limit (3.4.5.1). */
      if ((seg->type & 0xc) == 4)
        return offset > seg->limit && last <= (seg->db ? 0xffffffffu : 0xffffu);
    }
  return last <= seg->limit;
}

uint64_t
vt_seg_linear (VtCore *core, unsigned seg, uint64_t offset, unsigned size, VtAccessKind kind)
{
  uint64_t linear;

  if (core->code_bits == 64)
    {
      linear = seg >= VT_CPU_FS ? offset + core->seg[seg].base : offset;
      if (!vt_core_canonical (core, linear) || !vt_core_canonical (core, linear + (size - 1)))
        vt_core_raise (core, seg == VT_CPU_SS ? VT_EXC_SS : VT_EXC_GP, 0);
    }
  else
    {
      const VtCpuSegment *s = &core->seg[seg];
      if (!vt_seg_allows (core, s, offset, size, kind))
        vt_core_raise (core, seg == VT_CPU_SS ? VT_EXC_SS : VT_EXC_GP, 0);
      linear = (uint32_t) (s->base + offset);
    }
  if (G_UNLIKELY (core->align_check) && size <= 8 && (linear & (size - 1)) && (size & (size - 1)) == 0)
    vt_core_raise (core, VT_EXC_AC, 0);
  return linear;
}

/* Descriptors ----------------------------------------------------------------------------------- */

/* Where @selector's descriptor is; false where its table ends before. */
static bool
descriptor_address (const VtCore *core, uint16_t selector, unsigned size, uint64_t *address)
{
  const VtCpuSegment *ldt = &core->seg[VT_CPU_LDT];
  uint64_t            base = core->gdt_base;
  uint32_t            limit = core->gdt_limit;

  if (selector & 4)
    {
      if (ldt->unusable || !ldt->present || (ldt->selector & 0xfffc) == 0)
        return false;
      base = ldt->base;
      limit = ldt->limit;
    }
  *address = vt_mmu_wrap (core, base + (selector & 0xfff8));
  if (core->long_mode)
    *address = base + (selector & 0xfff8);
  return (selector & 0xfff8) + size - 1 <= limit;
}

bool
vt_descriptor_peek (VtCore *core, uint16_t selector, bool wide, VtDescriptor *out)
{
  const VtAccessSet set = vt_mmu_system_set (core);

  *out = (VtDescriptor){ .selector = selector };
  if (!descriptor_address (core, selector, wide ? 16 : 8, &out->address))
    return false;
  out->raw = vt_mmu_load (core, out->address, 8, set);
  if (wide)
    out->high = vt_mmu_load (core, out->address + 8, 8, set);
  return true;
}

void
vt_descriptor_read (VtCore *core, uint16_t selector, bool wide, uint8_t vector, VtDescriptor *out)
{
  if (!vt_descriptor_peek (core, selector, wide, out))
    vt_core_raise (core, vector, vt_selector_error (core, selector));
}

void
vt_descriptor_mark (VtCore *core, VtDescriptor *d)
{
  if (d->raw & VT_BIT (40))
    return;
  d->raw |= VT_BIT (40);
  vt_mmu_store (core, d->address + 5, 1, d->raw >> 40 & 0xff, vt_mmu_system_set (core));
}

/* Loading --------------------------------------------------------------------------------------- */

VtCpuSegment
vt_seg_null (uint16_t selector)
{
  return (VtCpuSegment){ .selector = selector, .unusable = true };
}

void
vt_seg_load_real (VtCore *core, unsigned seg, uint16_t selector)
{
  VtCpuSegment *s = &core->seg[seg];

  s->selector = selector;
  s->base = (uint32_t) selector << 4;
  if (core->rflags & VT_FLAG_VM)
    /* SDM volume 3, 20.2.1: what virtual 8086 mode needs to find. */
    *s = (VtCpuSegment){ .base = s->base, .limit = 0xffff, .selector = selector, .type = 3, .dpl = 3,
                         .present = true, .code_or_data = true };
  else
    {
      /* Limit and size stay: "unreal" mode. A load makes a segment usable again. */
      s->unusable = false;
      s->present = true;
      s->code_or_data = true;
      s->dpl = 0;
      s->type = 3;
      if (seg == VT_CPU_CS)
        {
          s->type = 11;
          s->l = false;
        }
    }
}

static void
load_stack_segment (VtCore *core, uint16_t selector)
{
  VtDescriptor d;

  if ((selector & 0xfffc) == 0)
    {
      if (core->code_bits != 64 || core->cpl == 3 || (selector & 3) != core->cpl)
        vt_core_gp (core, 0);
      /* The cache still tells the privilege. */
      core->seg[VT_CPU_SS] = (VtCpuSegment){ .selector = selector, .limit = UINT32_MAX, .type = 3,
                                             .dpl = core->cpl, .present = true, .code_or_data = true,
                                             .db = true, .g = true };
      return;
    }
  vt_descriptor_read (core, selector, false, VT_EXC_GP, &d);
  if ((selector & 3) != core->cpl || vt_descriptor_dpl (&d) != core->cpl
      || !vt_descriptor_is_segment (&d) || (vt_descriptor_type (&d) & 0xa) != 2)
    vt_core_gp (core, vt_selector_error (core, selector));
  if (!vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_SS, vt_selector_error (core, selector));
  vt_descriptor_mark (core, &d);
  core->seg[VT_CPU_SS] = vt_descriptor_segment (&d);
}

void
vt_seg_load (VtCore *core, unsigned seg, uint16_t selector)
{
  VtDescriptor d;

  if (!core->protected_mode)
    {
      vt_seg_load_real (core, seg, selector);
      return;
    }
  if (seg == VT_CPU_SS)
    {
      load_stack_segment (core, selector);
      return;
    }
  if ((selector & 0xfffc) == 0)
    {
      core->seg[seg] = vt_seg_null (selector);
      return;
    }
  vt_descriptor_read (core, selector, false, VT_EXC_GP, &d);
  const unsigned type = vt_descriptor_type (&d), dpl = vt_descriptor_dpl (&d);
  if (!vt_descriptor_is_segment (&d) || (type & 0xa) == 8)
    vt_core_gp (core, vt_selector_error (core, selector));
  if (!vt_descriptor_conforming (&d) && ((selector & 3u) > dpl || core->cpl > dpl))
    vt_core_gp (core, vt_selector_error (core, selector));
  if (!vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_NP, vt_selector_error (core, selector));
  vt_descriptor_mark (core, &d);
  core->seg[seg] = vt_descriptor_segment (&d);
}

void
vt_load_ldt (VtCore *core, uint16_t selector)
{
  VtDescriptor d;

  if ((selector & 0xfffc) == 0)
    {
      core->seg[VT_CPU_LDT] = vt_seg_null (selector);
      core->seg[VT_CPU_LDT].type = VT_TYPE_LDT;
      return;
    }
  if (selector & 4)
    vt_core_gp (core, vt_selector_error (core, selector));
  vt_descriptor_read (core, selector, core->long_mode, VT_EXC_GP, &d);
  if (vt_descriptor_is_segment (&d) || vt_descriptor_type (&d) != VT_TYPE_LDT || vt_descriptor_high_type (&d))
    vt_core_gp (core, vt_selector_error (core, selector));
  if (!vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_NP, vt_selector_error (core, selector));
  const VtCpuSegment ldt = vt_descriptor_segment (&d);
  if (!vt_core_canonical (core, ldt.base))
    vt_core_gp (core, vt_selector_error (core, selector));
  core->seg[VT_CPU_LDT] = ldt;
}

void
vt_load_tr (VtCore *core, uint16_t selector)
{
  VtDescriptor d;

  if ((selector & 0xfffc) == 0)
    vt_core_gp (core, 0);
  if (selector & 4)
    vt_core_gp (core, vt_selector_error (core, selector));
  vt_descriptor_read (core, selector, core->long_mode, VT_EXC_GP, &d);
  const unsigned type = vt_descriptor_type (&d);
  if (vt_descriptor_is_segment (&d) || vt_descriptor_high_type (&d)
      || !(type == VT_TYPE_TSS || (type == VT_TYPE_TSS16 && !core->long_mode)))
    vt_core_gp (core, vt_selector_error (core, selector));
  if (!vt_descriptor_present (&d))
    vt_core_raise (core, VT_EXC_NP, vt_selector_error (core, selector));
  VtCpuSegment tr = vt_descriptor_segment (&d);
  if (!vt_core_canonical (core, tr.base))
    vt_core_gp (core, vt_selector_error (core, selector));
  tr.type |= 2; /* Busy. */
  d.raw |= VT_BIT (41);
  vt_mmu_store (core, d.address + 5, 1, d.raw >> 40 & 0xff, vt_mmu_system_set (core));
  core->seg[VT_CPU_TR] = tr;
}

void
vt_check_port (VtCore *core, uint16_t port, unsigned size)
{
  const VtCpuSegment *tr = &core->seg[VT_CPU_TR];
  const unsigned      iopl = core->rflags >> 12 & 3;
  const VtAccessSet   set = vt_mmu_system_set (core);

  if (!(core->cr0 & VT_CR0_PE) || (core->protected_mode && core->cpl <= iopl))
    return;
  /* Only a 32- or 64-bit TSS has a bitmap (SDM volume 1, 19.5.2). */
  if (tr->unusable || (tr->type & ~2u) != VT_TYPE_TSS || tr->limit < 103)
    vt_core_gp (core, 0);
  const uint32_t at = (uint32_t) vt_mmu_load (core, tr->base + 102, 2, set) + port / 8;
  if (at + 1 > tr->limit)
    vt_core_gp (core, 0);
  const uint64_t bits = vt_mmu_load (core, tr->base + at, 2, set);
  if (bits >> (port % 8) & ((1u << size) - 1))
    vt_core_gp (core, 0);
}
