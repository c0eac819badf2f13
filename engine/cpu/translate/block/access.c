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
       .seg = insn->seg >= VT_CPU_FS ? insn->seg : VT_NONE,
       .narrow = insn->asize == 4,
       .disp = (uint64_t) insn->disp,
  };

  if (insn->base == VT_REG_RIP)
    m.disp += g->next;
  if (m.narrow && m.base == VT_NONE && m.index == VT_NONE)
    m.disp = (uint32_t) m.disp;
  return m;
}

static unsigned
table_of (const VtMake *make, bool write)
{
  return (make->mode & VT_MODE_SET) * 2u + write;
}

/* Registers in their places, and a displacement that leaves room. */
static bool
is_simple (VtGuestMem m)
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

/* @to: the linear address, whatever it's made of; S is used. */
static void
emit_linear (VtMake *make, unsigned to, VtGuestMem m)
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
  if (m.seg != VT_NONE)
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

/* RCX, which has been saved: zero where T's page is the entry's. */
static void
emit_compare (VtMake *make, uint32_t table, VtRcx rcx)
{
  vt_emit_pext (make->e, VT_T, VT_T, VT_AT (fast.page_mask));
  vt_emit_load (make->e, true, VT_CPU_RCX, VT_AT_CORE_PLUS (VT_S, table + CHECK));
  vt_emit_lea (make->e, true, VT_CPU_RCX,
               (VtHostMem){ .base = VT_CPU_RCX, .index = VT_T, .scale = 1 });
  vt_make_stub (make, vt_emit_unless_zero (make->e), rcx, vt_exit (VT_EXIT_INSN, make->insn));
}

/* The address is computed where it is needed, and RCX is saved in G. */
static VtAccess
access_simple (VtMake *make, VtHostMem mem, unsigned size, uint32_t table, unsigned wanted)
{
  VtEmit   *e = make->e;
  VtHostMem last = mem;

  last.disp += (int32_t) size - 1;
  vt_emit_lea (e, true, VT_T, mem);
  emit_entry (make, VT_T);
  if (size > 1)
    vt_emit_lea (e, true, VT_T, last);
  vt_emit_mov (e, VT_G, VT_CPU_RCX);
  emit_compare (make, table, VT_RCX_IN_G);
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
  const uint32_t table = vt_table_offset (table_of (make, write));

  if (is_simple (m))
    return access_simple (make, simple (m), size, table, wanted);
  emit_linear (make, VT_G, m);
  emit_entry (make, VT_G);
  vt_emit_lea (e, true, VT_T,
               (VtHostMem){ .base = VT_G, .index = VT_NONE, .disp = (int32_t) size - 1 });
  vt_emit_store (e, true, VT_CPU_RCX, VT_AT (fast.rcx));
  emit_compare (make, table, VT_RCX_IN_MEMORY);
  vt_emit_load (e, true, VT_CPU_RCX, VT_AT (fast.rcx));
  vt_emit_load (e, true, VT_S, VT_AT_CORE_PLUS (VT_S, table + ADDEND));
  vt_emit_lea (e, true, VT_G, (VtHostMem){ .base = VT_G, .index = VT_S, .scale = 1 });
  return (VtAccess){ .mem = { .base = VT_G, .index = VT_NONE }, .free = { VT_T, VT_S } };
}

/* With flags that are dead ------------------------------------------------------------------------- */

/* T is the access's distance from the slot's page: it must end before the page does. */
static void
emit_range (VtMake *make, const VtSite *site, unsigned reg, unsigned size, bool write, VtHostMem mem)
{
  vt_emit_alu (make->e, VT_ALU_SUB, reg, site->tag);
  vt_emit_alu_imm (make->e, VT_ALU_CMP, true, reg, (int32_t) (VT_PAGE - size));
  const uint32_t where = vt_emit_jcc (make->e, VT_CC_ABOVE);
  if (make->n_stubs < VT_BLOCK_STUBS)
    make->stub[make->n_stubs++] = (VtStub){
      .where = where,
      .table = (uint8_t) table_of (make, write),
      .site = site->tag,
      .mem = mem,
    };
  vt_site_resume (make, site);
}

static VtAccess
access_site (VtMake *make, VtGuestMem m, unsigned size, bool write, unsigned wanted)
{
  VtEmit      *e = make->e;
  const VtSite site = vt_site_new (make, size, vt_exit (VT_EXIT_INSN, make->insn));

  if (!is_simple (m))
    {
      emit_linear (make, VT_T, m);
      vt_emit_mov (e, VT_S, VT_T);
      emit_range (make, &site, VT_S, size, write, (VtHostMem){ .base = VT_NONE, .index = VT_NONE });
      vt_emit_load (e, true, VT_S, site.addend);
      if (wanted < 2)
        return (VtAccess){ .mem = { .base = VT_T, .index = VT_S, .scale = 1 }, .free = { VT_G } };
    }
  else
    {
      const VtHostMem mem = simple (m);
      vt_emit_lea (e, true, VT_T, mem);
      emit_range (make, &site, VT_T, size, write, mem);
      vt_emit_load (e, true, VT_S, site.addend);
      if (mem.index == VT_NONE)
        return (VtAccess){ .mem = { .base = mem.base, .index = VT_S, .scale = 1, .disp = mem.disp },
                           .free = { VT_T, VT_G } };
      vt_emit_lea (e, true, VT_T, mem);
      if (wanted < 2)
        return (VtAccess){ .mem = { .base = VT_T, .index = VT_S, .scale = 1 }, .free = { VT_G } };
    }
  vt_emit_lea (e, true, VT_T, (VtHostMem){ .base = VT_T, .index = VT_S, .scale = 1 });
  return (VtAccess){ .mem = { .base = VT_T, .index = VT_NONE }, .free = { VT_G, VT_S } };
}

VtAccess
vt_make_access (VtMake *make, VtGuestMem m, unsigned size, bool write, unsigned wanted)
{
  if (make->live)
    return access_flagless (make, m, size, write, wanted);
  return access_site (make, m, size, write, wanted);
}
