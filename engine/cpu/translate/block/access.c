/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The TLB in translated code. An access that crosses pages misses, and is the interpreter's with all others
 * that miss.
 *
 * Where flags are dead, an access has a slot of its own (site.c), and its address is compared with the slot's
 * page: the host's address does not depend on that, so a chain of loads is not the longer for it. Where
 * flags live, the page's number of the access's last byte is compared with the TLB's entry of its first
 * byte's page by PEXT, PDEP, LEA and JRCXZ, none of which touches one.
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
    m.disp += g->next;
  if (m.narrow && m.base == VT_NONE && m.index == VT_NONE)
    m.disp &= vt_ones (insn->asize);
  m.limited = vt_guest_is_narrow (g) && m.seg != VT_NONE;
  return m;
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
    vt_emit_mov_imm (e, to, m.disp);
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

/* With flags that live ----------------------------------------------------------------------------- */

/* S: the offset of the entry for the address in @reg. */
static void
emit_entry (VtMake *make, unsigned reg)
{
  vt_emit_rorx (make->e, VT_S, reg, 12);
  vt_emit_pdep (make->e, VT_S, VT_S, VT_AT (fast.entry_mask));
}

/* T is the last byte's address. */
static uint32_t
emit_compare (VtMake *make, uint32_t table)
{
  vt_emit_pext (make->e, VT_T, VT_T, VT_AT (fast.page_mask));
  vt_emit_load (make->e, true, VT_CPU_RCX, VT_AT_CORE_PLUS (VT_S, table + CHECK));
  vt_emit_lea (make->e, true, VT_CPU_RCX,
               (VtHostMem){ .base = VT_CPU_RCX, .index = VT_T, .scale = 1 });
  return vt_emit_unless_zero (make->e);
}

uint32_t
vt_make_flagless (VtMake *make, VtHostMem mem, unsigned size, uint32_t table)
{
  const bool      narrow = vt_mode_is_narrow (make->mode);
  const VtHostMem at_t = { .base = VT_T, .index = VT_NONE };

  vt_emit_lea (make->e, !narrow, VT_T, mem);
  emit_entry (make, VT_T);
  if (narrow)
    mem = at_t;
  mem.disp += (int32_t) size - 1;
  if (size > 1)
    vt_emit_lea (make->e, true, VT_T, mem);
  return emit_compare (make, table);
}

/* The address is computed where it is needed, and RCX is saved in G. */
static VtAccess
access_simple (VtMake *make, VtHostMem mem, unsigned size, uint32_t table, unsigned wanted)
{
  VtEmit *e = make->e;

  vt_emit_mov (e, VT_G, VT_CPU_RCX);
  vt_make_stub (make, vt_make_flagless (make, mem, size, table), VT_RCX_IN_G,
                vt_exit (VT_EXIT_INSN, make->insn));
  vt_emit_mov (e, VT_CPU_RCX, VT_G);
  vt_emit_load (e, true, VT_S, VT_AT_CORE_PLUS (VT_S, table + ADDEND));
  if (mem.index == VT_NONE)
    return (VtAccess){ .mem = { .base = mem.base, .index = VT_S, .scale = 1, .disp = mem.disp },
                       .free = { VT_T, VT_G } };
  vt_emit_lea (e, true, VT_T, mem);
  if (wanted < 2)
    return (VtAccess){ .mem = { .base = VT_T, .index = VT_S, .scale = 1 }, .free = { VT_G } };
  vt_emit_lea (e, true, VT_T, (VtHostMem){ .base = VT_T, .index = VT_S, .scale = 1 });
  return (VtAccess){ .mem = { .base = VT_T, .index = VT_NONE }, .free = { VT_G, VT_S } };
}

static VtAccess
access_flagless (VtMake *make, VtGuestMem m, unsigned size, bool write, unsigned wanted)
{
  VtEmit        *e = make->e;
  const uint32_t table = vt_table_offset (vt_make_table (make, write));

  if (vt_guest_mem_simple (m))
    return access_simple (make, simple (m), size, table, wanted);
  emit_linear (make, VT_G, m, size, write);
  emit_entry (make, VT_G);
  vt_emit_lea (e, true, VT_T,
               (VtHostMem){ .base = VT_G, .index = VT_NONE, .disp = (int32_t) size - 1 });
  vt_emit_store (e, true, VT_CPU_RCX, VT_AT (fast.rcx));
  vt_make_stub (make, emit_compare (make, table), VT_RCX_IN_MEMORY,
                vt_exit (VT_EXIT_INSN, make->insn));
  vt_emit_load (e, true, VT_CPU_RCX, VT_AT (fast.rcx));
  vt_emit_load (e, true, VT_S, VT_AT_CORE_PLUS (VT_S, table + ADDEND));
  vt_emit_lea (e, true, VT_G, (VtHostMem){ .base = VT_G, .index = VT_S, .scale = 1 });
  return (VtAccess){ .mem = { .base = VT_G, .index = VT_NONE }, .free = { VT_T, VT_S } };
}

/* With flags that are dead ------------------------------------------------------------------------- */

/* Of an address, its distance from the slot's page: it must end before the page does. */
uint32_t
vt_make_range (VtMake *make, const VtSite *site, unsigned reg, unsigned size)
{
  vt_emit_alu (make->e, VT_ALU_SUB, reg, site->tag);
  vt_emit_alu_imm (make->e, VT_ALU_CMP, true, reg, (int32_t) (VT_PAGE - size));
  return vt_emit_jcc (make->e, VT_CC_ABOVE);
}

/* The jump at @where goes to the site's miss, from which it goes on here. */
static void
add_site_stub (VtMake *make, const VtSite *site, uint32_t where, bool write, VtHostMem mem)
{
  if (make->n_stubs < VT_BLOCK_STUBS)
    make->stub[make->n_stubs++] = (VtStub){
      .where = where,
      .table = (uint8_t) vt_make_table (make, write),
      .site = site->tag,
      .mem = mem,
    };
  vt_site_resume (make, site);
}

/* A constant address, which is in the slot's page whenever that is filled. */
static VtAccess
access_constant (VtMake *make, int32_t address, unsigned size, bool write)
{
  VtEmit        *e = make->e;
  const VtSite   site = vt_site_new (make, size, vt_exit (VT_EXIT_MISS, make->insn));
  const VtHostMem mem = { .base = VT_RIP, .disp = address };

  vt_emit_cmp_zero (e, site.addend);
  add_site_stub (make, &site, vt_emit_jcc (e, VT_CC_EQUAL), write, mem);
  vt_emit_load (e, true, VT_S, site.addend);
  return (VtAccess){ .mem = { .base = VT_S, .index = VT_NONE, .disp = address },
                     .free = { VT_T, VT_G } };
}

static VtAccess
access_site (VtMake *make, VtGuestMem m, unsigned size, bool write, unsigned wanted)
{
  VtEmit *e = make->e;

  if (m.base == VT_NONE && m.index == VT_NONE && m.seg == VT_NONE
      && (int64_t) m.disp == (int32_t) m.disp)
    return access_constant (make, (int32_t) m.disp, size, write);
  const VtSite site = vt_site_new (make, size, vt_exit (VT_EXIT_MISS, make->insn));

  if (vt_guest_mem_simple (m) && m.index == VT_NONE)
    {
      const VtHostMem mem = simple (m);
      vt_emit_lea (e, true, VT_T, mem);
      add_site_stub (make, &site, vt_make_range (make, &site, VT_T, size), write, mem);
      vt_emit_load (e, true, VT_S, site.addend);
      return (VtAccess){ .mem = { .base = mem.base, .index = VT_S, .scale = 1, .disp = mem.disp },
                         .free = { VT_T, VT_G } };
    }
  emit_linear (make, VT_T, m, size, write);
  vt_emit_mov (e, VT_S, VT_T);
  add_site_stub (make, &site, vt_make_range (make, &site, VT_S, size), write,
                 (VtHostMem){ .base = VT_NONE, .index = VT_NONE });
  vt_emit_load (e, true, VT_S, site.addend);
  /* G is free, or it's the group's. */
  if (wanted <= (make->group == VT_GROUP_NONE))
    return (VtAccess){ .mem = { .base = VT_T, .index = VT_S, .scale = 1 }, .free = { VT_G } };
  vt_emit_lea (e, true, VT_T, (VtHostMem){ .base = VT_T, .index = VT_S, .scale = 1 });
  return (VtAccess){ .mem = { .base = VT_T, .index = VT_NONE }, .free = { VT_S, VT_G } };
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
  if (make->live)
    return access_flagless (make, m, size, write, wanted);
  return access_site (make, m, size, write, wanted);
}
