/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sites: a checked access of translated code has a slot, which holds the entry of the page that it went to
 * last. An access that is not to that page comes here: it's looked for in the TLB, and the slot is filled. What the
 * TLB hasn't got is brought there by vt_quick_miss(), and looked for again.
 */
#include "make.h"
#include "quick.h"

#define HOT(site) (VT_CACHE_BYTES + (site) * sizeof (VtSiteHot))
#define COLD(site) (VT_CACHE_BYTES + VT_SITES * sizeof (VtSiteHot) + (site) * sizeof (VtSiteCold))

G_STATIC_ASSERT (sizeof (VtSiteHot) == sizeof (VtSiteCold));

#define AT(reg, offset)                                                                            \
  ((VtHostMem){ .base = (uint8_t) (reg), .index = VT_NONE, .disp = (int32_t) (offset) })
/* S points to a site's hot part. */
#define AT_HOT(field) AT (VT_S, offsetof (VtSiteHot, field))
#define AT_COLD(field) AT (VT_S, offsetof (VtSiteCold, field) + VT_SITES * sizeof (VtSiteHot))

/* The slot at S into a list, if it's not in it. G is used. */
static void
emit_list (VtEmit *e, VtHostMem next, VtHostMem list)
{
  vt_emit_load (e, true, VT_G, next);
  vt_emit_test (e, VT_G);
  const uint32_t listed = vt_emit_jcc (e, VT_CC_NOT_EQUAL);
  vt_emit_load (e, true, VT_G, list);
  vt_emit_store (e, true, VT_G, next);
  vt_emit_store (e, true, VT_S, list);
  vt_emit_aim (e, listed, e->at);
}

/* The flags, by way of RAX, to scratch[1] and back. */
static void
emit_keep_flags (VtEmit *e)
{
  vt_emit_store (e, true, VT_CPU_RAX, VT_AT (fast.scratch[2]));
  vt_emit_flags_to_ax (e);
  vt_emit_store (e, true, VT_CPU_RAX, VT_AT (fast.scratch[1]));
  vt_emit_load (e, true, VT_CPU_RAX, VT_AT (fast.scratch[2]));
}

static void
emit_give_flags (VtEmit *e)
{
  vt_emit_store (e, true, VT_CPU_RAX, VT_AT (fast.scratch[2]));
  vt_emit_load (e, true, VT_CPU_RAX, VT_AT (fast.scratch[1]));
  vt_emit_ax_to_flags (e);
  vt_emit_load (e, true, VT_CPU_RAX, VT_AT (fast.scratch[2]));
}

/* T, the page, becomes the negative of the window in it that has the access at fast.missed: the page's first, or
 * the last that an access of this size may begin in. G is used. */
static void
emit_window (VtEmit *e)
{
  vt_emit_lea (e, true, VT_G, AT (VT_T, VT_SITE_WINDOW));
  vt_emit_alu (e, VT_ALU_CMP, VT_G, VT_AT (fast.missed));
  const uint32_t first = vt_emit_jcc (e, VT_CC_ABOVE);
  vt_emit_lea (e, true, VT_T, AT (VT_T, VT_PAGE - VT_SITE_WINDOW));
  vt_emit_alu (e, VT_ALU_SUB, VT_T, AT_COLD (last));
  vt_emit_aim (e, first, e->at);
  vt_emit_not (e, VT_T);
  vt_emit_lea (e, true, VT_T, AT (VT_T, 1));
}

/* Counts the pages that are neither the one that the slot had nor the next. G is used. Returns: the jump that is taken at
 * the last that is let pass. */
static uint32_t
emit_count (VtEmit *e, bool live, unsigned limit)
{
  vt_emit_cmp_zero (e, AT_HOT (slot.addend));
  const uint32_t empty = vt_emit_jcc (e, VT_CC_EQUAL);
  vt_emit_mov (e, VT_G, VT_T);
  vt_emit_alu_imm (e, VT_ALU_AND, true, VT_G, -(int32_t) VT_PAGE);
  vt_emit_alu (e, live ? VT_ALU_ADD : VT_ALU_SUB, VT_G, AT_HOT (slot.tag));
  vt_emit_alu_imm (e, VT_ALU_CMP, true, VT_G, VT_PAGE);
  const uint32_t above = vt_emit_jcc (e, VT_CC_ABOVE);
  const uint32_t near = vt_emit_jmp (e);
  vt_emit_aim (e, above, e->at);
  vt_emit_load (e, false, VT_G, AT_COLD (wandered));
  vt_emit_lea (e, false, VT_G, AT (VT_G, 1));
  vt_emit_store (e, false, VT_G, AT_COLD (wandered));
  vt_emit_alu_imm (e, VT_ALU_CMP, false, VT_G, (int32_t) limit);
  const uint32_t last = vt_emit_jcc (e, VT_CC_EQUAL);
  vt_emit_aim (e, empty, e->at);
  vt_emit_aim (e, near, e->at);
  return last;
}

/* T is the linear address, S the site; both G and T are kept. Goes on at the site's resume, or at its miss. */
static void
emit_fill (VtEmit *e, unsigned number, bool live, unsigned limit)
{
  const uint32_t table = vt_table_offset (number);

  vt_emit_store (e, true, VT_G, VT_AT (fast.scratch[0]));
  vt_emit_store (e, true, VT_T, VT_AT (fast.missed));
  if (live)
    emit_keep_flags (e);
  const uint32_t wanders = emit_count (e, live, limit);
  vt_emit_rorx (e, VT_G, VT_T, 12 - VT_TLB_ENTRY_SHIFT);
  vt_emit_alu_imm (e, VT_ALU_AND, false, VT_G, (VT_TLB_ENTRIES - 1) * sizeof (VtTlbEntry));
  vt_emit_alu (e, VT_ALU_ADD, VT_T, AT_COLD (last));
  vt_emit_alu_imm (e, VT_ALU_AND, true, VT_T, -(int32_t) VT_PAGE);
  vt_emit_alu (e, VT_ALU_CMP, VT_T, VT_AT_CORE_PLUS (VT_G, table + offsetof (VtTlbEntry, tag)));
  const uint32_t miss = vt_emit_jcc (e, VT_CC_NOT_EQUAL);
  vt_emit_store (e, true, VT_T, AT_HOT (slot.tag));
  vt_emit_load (e, true, VT_T, VT_AT_CORE_PLUS (VT_G, table + offsetof (VtTlbEntry, info)));
  vt_emit_load (e, true, VT_G, VT_AT_CORE_PLUS (VT_G, table + offsetof (VtTlbEntry, addend)));
  vt_emit_store (e, true, VT_G, AT_HOT (slot.addend));
  emit_list (e, AT_HOT (slot.next), VT_AT (mmu.slots));
  vt_emit_alu_imm (e, VT_ALU_AND, false, VT_T, VT_TLB_GLOBAL);
  const uint32_t global = vt_emit_jcc (e, VT_CC_NOT_EQUAL);
  emit_list (e, AT_HOT (slot.next_local), VT_AT (mmu.slots_local));
  vt_emit_aim (e, global, e->at);
  if (live)
    {
      vt_emit_load (e, true, VT_T, AT_HOT (slot.tag));
      emit_window (e);
      vt_emit_store (e, true, VT_T, AT_HOT (slot.tag));
      emit_give_flags (e);
    }
  vt_emit_load (e, true, VT_T, VT_AT (fast.missed));
  vt_emit_load (e, true, VT_G, VT_AT (fast.scratch[0]));
  vt_emit_jump_memory (e, AT_COLD (resume));
  vt_emit_aim (e, miss, e->at);
  vt_emit_store_imm (e, false, VT_AT (fast.missed_table), (int32_t) number);
  if (live)
    emit_give_flags (e);
  vt_emit_load (e, true, VT_G, VT_AT (fast.scratch[0]));
  vt_emit_jump_memory (e, AT_COLD (miss));
  vt_emit_aim (e, wanders, e->at);
  if (live)
    {
      emit_give_flags (e);
      vt_emit_load (e, true, VT_CPU_RCX, VT_AT (fast.scratch[0]));
    }
  vt_emit_store (e, true, VT_S, VT_AT (fast.site));
  vt_emit_store_imm (e, false, VT_AT (fast.exit), (int32_t) vt_exit (VT_EXIT_WANDERS, 0));
  vt_emit_jump_memory (e, VT_AT (fast.leave));
}

void
vt_sites_begin (VtBlocks *b)
{
  VtEmit *e = &b->emit;

  vt_mmu_forget_slots (&b->core->mmu);
  b->n_sites = 0;
  for (unsigned live = 0; live < 2; live++)
    {
      b->site_miss[live] = e->at;
      if (live)
        vt_emit_mov (e, VT_CPU_RCX, VT_G);
      vt_emit_store (e, true, VT_S, VT_AT (fast.site));
      vt_emit_load (e, false, VT_T, AT_COLD (exit));
      vt_emit_mov_imm (e, VT_G, live);
      vt_emit_mov_imm (e, VT_S, (uint64_t) (uintptr_t) vt_quick_miss);
      vt_emit_jump_memory (e, VT_AT (fast.quick));
      for (unsigned table = 0; table < G_N_ELEMENTS (b->site_fill[live]); table++)
        {
          b->site_again[live][table] = e->at;
          vt_emit_load (e, true, VT_G, VT_AT (fast.scratch[0]));
          vt_emit_load (e, true, VT_S, VT_AT (fast.site));
          vt_emit_load (e, true, VT_T, VT_AT (fast.missed));
          b->site_fill[live][table] = e->at;
          emit_fill (e, table, live, b->core->chaos ? 2 : VT_SITE_WANDERS);
        }
    }
}

uint32_t
vt_site_insn (const uint8_t *hot)
{
  const VtSiteCold *cold = (const VtSiteCold *) (const void *) (hot + VT_SITES * sizeof (VtSiteHot));

  return cold->exit & ((1u << VT_EXIT_SHIFT) - 1);
}

VtSite
vt_site_new (VtMake *make, unsigned size)
{
  VtBlocks      *b = make->b;
  const uint32_t n = b->n_sites++;
  VtSiteHot     *hot = (VtSiteHot *) (void *) (b->area.execute + HOT (n));
  VtSiteCold    *cold = (VtSiteCold *) (void *) (b->area.execute + COLD (n));

  *hot = (VtSiteHot){ .slot.tag = VT_SLOT_EMPTY };
  *cold = (VtSiteCold){ .miss = (uint64_t) (uintptr_t) (b->area.execute + b->site_miss[make->live]),
                       .last = size - 1,
                       .exit = vt_exit (VT_EXIT_MISS, make->insn) };
  return (VtSite){
    .tag = { .base = VT_RIP, .index = VT_NONE,
             .disp = (int32_t) (HOT (n) + offsetof (VtSiteHot, slot.tag)) },
    .addend = { .base = VT_RIP, .index = VT_NONE,
                .disp = (int32_t) (HOT (n) + offsetof (VtSiteHot, slot.addend)) },
    .cold = cold,
    .live = make->live,
  };
}

void
vt_site_settle (const VtSite *site)
{
  site->cold->wandered = VT_SITE_WANDERS;
}

void
vt_site_resume (VtMake *make, const VtSite *site)
{
  site->cold->resume = (uint64_t) (uintptr_t) (make->b->area.execute + make->e->at);
}

void
vt_site_load (VtMake *make, const VtSite *site, unsigned addend)
{
  vt_site_resume (make, site);
  if (site->live)
    vt_emit_mov (make->e, VT_CPU_RCX, VT_G);
  vt_emit_load (make->e, true, addend, site->addend);
}

void
vt_site_stub (VtMake *make, const VtStub *stub)
{
  VtEmit *e = make->e;

  if (stub->looked)
    vt_make_look_back (e, stub->table);
  if (stub->mem.base == VT_RIP)
    vt_emit_mov_imm (e, VT_T, (uint64_t) (int64_t) stub->mem.disp);
  else if (stub->mem.base != VT_NONE || stub->mem.index != VT_NONE)
    vt_emit_lea (e, true, VT_T, stub->mem);
  vt_emit_lea (e, true, VT_S, stub->site);
  vt_emit_aim (e, vt_emit_jmp (e), make->b->site_fill[stub->live][stub->table]);
}
