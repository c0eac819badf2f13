/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The TLB in translated code. An access that crosses pages misses, and is the interpreter's with all others
 * that miss.
 *
 * An access has a slot of its own (site.c), and its address is compared with the slot's page: the host's address
 * does not depend on that, so a chain of loads is not the longer for it. Where flags live it is with a window of
 * the page, by LEA, PEXT and JRCXZ, none of which touches one. There, to fill a slot costs more than to look into the
 * TLB, which is what elements of arrays do, since they may be anywhere; and in strict mode all. An access that has been
 * to one page after another (wander.c) looks into the TLB, too.
 */
#include "make.h"

#define ADDEND 8
#define CHECK 16

G_STATIC_ASSERT (offsetof (VtTlbEntry, addend) == ADDEND);
G_STATIC_ASSERT (offsetof (VtTlbEntry, check) == CHECK);

VtGuestMem
vt_guest_mem (const VtGuestInsn *g)
{
  const VtInsn *insn = &g->insn;
  VtGuestMem    m = {
       .base = insn->base == VT_REG_RIP || insn->base == VT_NO_REG ? VT_NONE : insn->base,
       .index = insn->index == VT_NO_REG ? VT_NONE : insn->index,
       .scale = insn->scale ? insn->scale : 1,
       .seg = insn->seg >= VT_CPU_FS || (vt_guest_is_narrow (g) && (!g->flat || insn->seg == VT_CPU_CS))
                  ? insn->seg
                  : VT_NONE,
       .narrow = insn->asize <= 4,
       .word = insn->asize == 2,
       .disp = (uint64_t) insn->disp,
  };

  if (insn->base == VT_REG_RIP)
    {
      m.disp += g->next;
      m.relative = true;
    }
  if (m.narrow && m.base == VT_NONE && m.index == VT_NONE)
    m.disp &= vt_ones (insn->asize);
  m.limited = vt_guest_is_narrow (g) && m.seg != VT_NONE;
  return m;
}

bool
vt_make_wanders (const VtMake *make)
{
  return vt_wanders (make->b, make->block.page, vt_block_insn (make->b, make->insn)->offset);
}

unsigned
vt_make_table (const VtMake *make, bool write)
{
  return (make->mode & VT_MODE_SET) * 2u + write;
}

bool
vt_guest_mem_simple (VtGuestMem m)
{
  return m.seg == VT_NONE && !m.narrow && m.base != VT_NONE && !vt_is_lent (m.base)
         && (m.index == VT_NONE || !vt_is_lent (m.index)) && (int64_t) m.disp >= INT32_MIN
         && (int64_t) m.disp <= INT32_MAX - (int) VT_UNIT_OPERAND;
}

static VtHostMem
simple (VtGuestMem m)
{
  return (VtHostMem){ .base = m.base, .index = m.index, .scale = m.scale, .disp = (int32_t) m.disp };
}

/* @to: the linear address of @size bytes, whatever it's made of; S is used. */
static void
emit_linear (VtMake *make, unsigned to, VtGuestMem m, unsigned size, bool write)
{
  VtEmit   *e = make->e;
  VtHostMem mem = { .base = m.base, .index = m.index, .scale = m.scale, .disp = (int32_t) m.disp };

  if (m.base == VT_NONE && m.index == VT_NONE)
    {
      if (m.relative)
        vt_make_rip (make, true, to, m.disp);
      else
        vt_emit_mov_imm (e, to, m.disp);
    }
  else
    {
      if (m.base != VT_NONE && vt_is_lent (m.base))
        vt_emit_load (e, true, mem.base = VT_T, VT_AT_GPR (m.base));
      if (m.index != VT_NONE && vt_is_lent (m.index))
        vt_emit_load (e, true, mem.index = VT_S, VT_AT_GPR (m.index));
      vt_emit_lea (e, !m.narrow, to, mem);
    }
  if (m.word)
    vt_emit_extend16 (e, to, to);
  if (m.limited)
    vt_narrow_linear (make, to, m.seg, size, write);
  else if (m.seg != VT_NONE)
    {
      vt_emit_load (e, true, VT_S,
                    VT_AT_CORE (offsetof (VtCore, seg) + m.seg * sizeof (VtCpuSegment)
                                + offsetof (VtCpuSegment, base)));
      vt_emit_lea (e, true, to, (VtHostMem){ .base = (uint8_t) to, .index = VT_S, .scale = 1 });
    }
}

void
vt_make_offset (VtMake *make, VtGuestMem m)
{
  m.seg = VT_NONE;
  m.limited = false;
  emit_linear (make, VT_T, m, 0, false);
}

/* By a slot ---------------------------------------------------------------------------------------- */

/* Of an address, its distance from the slot's page: it must end before the page does. */
uint32_t
vt_make_range (VtMake *make, const VtSite *site, unsigned reg, unsigned size)
{
  vt_emit_alu (make->e, VT_ALU_SUB, reg, site->tag);
  vt_emit_alu_imm (make->e, VT_ALU_CMP, true, reg, (int32_t) (VT_PAGE - size));
  return vt_emit_jcc (make->e, VT_CC_ABOVE);
}

/* Its distance from the slot's window. */
uint32_t
vt_make_window (VtMake *make, const VtSite *site, VtHostMem mem)
{
  VtEmit *e = make->e;

  vt_emit_load (e, true, VT_CPU_RCX, site->tag);
  if (mem.base == VT_NONE)
    mem.base = VT_CPU_RCX;
  else
    {
      mem.index = VT_CPU_RCX;
      mem.scale = 1;
    }
  vt_emit_lea (e, true, VT_CPU_RCX, mem);
  vt_emit_pext (e, VT_CPU_RCX, VT_CPU_RCX, VT_AT (fast.window_mask));
  return vt_emit_unless_zero (e);
}

/* An operand whose address is in T. */
static const VtHostMem in_t = { .base = VT_NONE, .index = VT_NONE };

/* The jump at @where goes to the site's stub. */
static void
add_site_stub (VtMake *make, const VtSite *site, uint32_t where, bool write, VtHostMem mem, bool looked)
{
  if (make->n_stubs < VT_BLOCK_STUBS)
    make->stub[make->n_stubs++] = (VtStub){
      .where = where,
      .table = (uint8_t) vt_make_table (make, write),
      .live = site->live,
      .looked = looked,
      .site = site->tag,
      .mem = mem,
    };
}

static bool
is_constant (const VtMake *make, VtGuestMem m)
{
  return m.base == VT_NONE && m.index == VT_NONE && m.seg == VT_NONE
         && !(m.relative && make->block.moves) && (int64_t) m.disp == (int32_t) m.disp;
}

/* A constant address, which is in the slot's page whenever that is filled. */
static VtAccess
access_constant (VtMake *make, int32_t address, unsigned size, bool write)
{
  VtEmit        *e = make->e;
  const VtSite   site = vt_site_new (make, size);
  const VtHostMem mem = { .base = VT_RIP, .disp = address };

  vt_emit_cmp_zero (e, site.addend);
  add_site_stub (make, &site, vt_emit_jcc (e, VT_CC_EQUAL), write, mem, false);
  vt_site_load (make, &site, VT_S);
  return (VtAccess){ .mem = { .base = VT_S, .index = VT_NONE, .disp = address },
                     .free = { VT_T, VT_G } };
}

/* The address is in T, and the slot's addend in S. */
static VtAccess
access_at_t (VtMake *make, unsigned wanted)
{
  /* G is free, or it's the group's. */
  if (wanted <= (make->group == VT_GROUP_NONE))
    return (VtAccess){ .mem = { .base = VT_T, .index = VT_S, .scale = 1 }, .free = { VT_G } };
  vt_emit_lea (make->e, true, VT_T, (VtHostMem){ .base = VT_T, .index = VT_S, .scale = 1 });
  return (VtAccess){ .mem = { .base = VT_T, .index = VT_NONE }, .free = { VT_S, VT_G } };
}

/* By the TLB ---------------------------------------------------------------------------------------- */

uint32_t
vt_make_look (VtMake *make, const VtSite *site, unsigned table, unsigned size)
{
  VtEmit       *e = make->e;
  const int32_t at = (int32_t) vt_table_offset (table);

  if (site->live)
    vt_emit_mov (e, VT_G, VT_CPU_RCX);
  vt_site_resume (make, site);
  if (site->live)
    {
      vt_emit_rorx (e, VT_S, VT_T, 12);
      vt_emit_pdep (e, VT_S, VT_S, VT_AT (fast.entry_mask));
      vt_emit_load (e, true, VT_CPU_RCX, VT_AT_CORE_PLUS (VT_S, at + CHECK));
      vt_emit_lea (e, true, VT_CPU_RCX,
                   (VtHostMem){ .base = VT_CPU_RCX, .index = VT_T, .scale = 1, .disp = (int32_t) size - 1 });
      vt_emit_pext (e, VT_CPU_RCX, VT_CPU_RCX, VT_AT (fast.page_mask));
      return vt_emit_unless_zero (e);
    }
  vt_emit_rorx (e, VT_S, VT_T, 12 - VT_TLB_ENTRY_SHIFT);
  vt_emit_alu_imm (e, VT_ALU_AND, false, VT_S, (VT_TLB_ENTRIES - 1) * sizeof (VtTlbEntry));
  vt_emit_alu (e, VT_ALU_ADD, VT_T, VT_AT_CORE_PLUS (VT_S, at + CHECK));
  vt_emit_alu_imm (e, VT_ALU_CMP, true, VT_T, (int32_t) (VT_PAGE - size));
  return vt_emit_jcc (e, VT_CC_ABOVE);
}

void
vt_make_look_back (VtEmit *e, unsigned table)
{
  vt_emit_alu (e, VT_ALU_SUB, VT_T, VT_AT_CORE_PLUS (VT_S, (int32_t) vt_table_offset (table) + CHECK));
}

void
vt_make_looked (VtMake *make, const VtSite *site, unsigned table, unsigned addend)
{
  if (site->live)
    vt_emit_mov (make->e, VT_CPU_RCX, VT_G);
  vt_emit_load (make->e, true, addend, VT_AT_CORE_PLUS (VT_S, (int32_t) vt_table_offset (table) + ADDEND));
}

static VtAccess
access_tlb (VtMake *make, VtGuestMem m, unsigned size, bool write, unsigned wanted)
{
  const unsigned table = vt_make_table (make, write);
  const VtSite   site = vt_site_new (make, size);

  vt_site_settle (&site);
  emit_linear (make, VT_T, m, size, write);
  add_site_stub (make, &site, vt_make_look (make, &site, table, size), write, in_t, !site.live);
  if (!site.live)
    vt_make_look_back (make->e, table);
  vt_make_looked (make, &site, table, VT_S);
  return access_at_t (make, wanted);
}

static VtAccess
access_window (VtMake *make, VtGuestMem m, unsigned size, bool write, unsigned wanted)
{
  VtEmit      *e = make->e;
  const bool   near = vt_guest_mem_simple (m) && m.index == VT_NONE, constant = is_constant (make, m);
  const VtSite site = vt_site_new (make, size);
  VtHostMem    mem = { .base = VT_T, .index = VT_NONE }, stub = in_t;

  if (near || constant)
    mem = simple (m);
  else
    emit_linear (make, VT_T, m, size, write);
  vt_emit_mov (e, VT_G, VT_CPU_RCX);
  if (mem.base == VT_CPU_RCX)
    mem.base = VT_G;
  if (near)
    stub = mem;
  else if (constant)
    stub = (VtHostMem){ .base = VT_RIP, .disp = mem.disp };
  add_site_stub (make, &site, vt_make_window (make, &site, mem), write, stub, false);
  vt_site_load (make, &site, VT_S);
  if (near)
    return (VtAccess){ .mem = { .base = m.base, .index = VT_S, .scale = 1, .disp = mem.disp },
                       .free = { VT_T, VT_G } };
  if (constant)
    return (VtAccess){ .mem = { .base = VT_S, .index = VT_NONE, .disp = mem.disp }, .free = { VT_T, VT_G } };
  return access_at_t (make, wanted);
}

static VtAccess
access_range (VtMake *make, VtGuestMem m, unsigned size, bool write, unsigned wanted)
{
  VtEmit *e = make->e;

  if (is_constant (make, m))
    return access_constant (make, (int32_t) m.disp, size, write);
  const VtSite site = vt_site_new (make, size);

  if (vt_guest_mem_simple (m) && m.index == VT_NONE)
    {
      const VtHostMem mem = simple (m);
      vt_emit_lea (e, true, VT_T, mem);
      add_site_stub (make, &site, vt_make_range (make, &site, VT_T, size), write, mem, false);
      vt_site_load (make, &site, VT_S);
      return (VtAccess){ .mem = { .base = mem.base, .index = VT_S, .scale = 1, .disp = mem.disp },
                         .free = { VT_T, VT_G } };
    }
  emit_linear (make, VT_T, m, size, write);
  vt_emit_mov (e, VT_S, VT_T);
  add_site_stub (make, &site, vt_make_range (make, &site, VT_S, size), write, in_t, false);
  vt_site_load (make, &site, VT_S);
  return access_at_t (make, wanted);
}

VtAccess
vt_make_access (VtMake *make, VtGuestMem m, unsigned size, bool write, unsigned wanted)
{
  if (make->group >= VT_GROUP_LEADER && make->group <= VT_GROUP_MEMBER && vt_mode_is_narrow (make->mode))
    return (VtAccess){ .mem = { .base = VT_G, .index = VT_NONE, .disp = make->group_at },
                       .free = { VT_T, VT_S } };
  if (make->group == VT_GROUP_LEADER || make->group == VT_GROUP_MEMBER)
    return (VtAccess){ .mem = { .base = m.base, .index = VT_G, .scale = 1, .disp = (int32_t) m.disp },
                       .free = { VT_T, VT_S } };
  if (vt_make_wanders (make) && !is_constant (make, m))
    return access_tlb (make, m, size, write, wanted);
  if (!make->live)
    return access_range (make, m, size, write, wanted);
  if (make->b->core->strict || (m.base != VT_NONE && m.index != VT_NONE))
    return access_tlb (make, m, size, write, wanted);
  return access_window (make, m, size, write, wanted);
}
