/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The software TLB: its making and flushing. What an entry promises is told in mmu.h.
 */
#include "../core.h"

#define N_TABLES (VT_SETS * VT_ACCESS_KINDS)

static void
table_clear (VtTlb *tlb)
{
  if (tlb->n_used <= VT_TLB_USED)
    for (unsigned i = 0; i < tlb->n_used; i++)
      vt_tlb_empty (&tlb->entry[tlb->used[i]]);
  else
    for (unsigned i = 0; i < VT_TLB_ALL; i++)
      vt_tlb_empty (&tlb->entry[i]);
  tlb->n_used = tlb->n_filled = 0;
}

/* All but global pages. */
static void
table_clear_local (VtTlb *tlb)
{
  if (tlb->n_filled <= VT_TLB_FILLED)
    {
      for (unsigned i = 0; i < tlb->n_filled; i++)
        if (!(tlb->entry[tlb->filled[i]].info & VT_TLB_GLOBAL))
          vt_tlb_empty (&tlb->entry[tlb->filled[i]]);
    }
  else
    for (unsigned i = 0; i < VT_TLB_ALL; i++)
      if (!(tlb->entry[i].info & VT_TLB_GLOBAL))
        vt_tlb_empty (&tlb->entry[i]);
  tlb->n_filled = 0;
}

static void
forget_local_slots (VtMmu *mmu)
{
  for (VtTlbSlot *slot = mmu->slots_local, *next; slot != VT_SLOTS_END; slot = next)
    {
      next = slot->next_local;
      *slot = (VtTlbSlot){ .tag = VT_SLOT_EMPTY, .next = slot->next };
    }
  mmu->slots_local = VT_SLOTS_END;
}

void
vt_mmu_init (VtMmu *mmu, VtTlb *tlb)
{
  mmu->tlb = tlb;
  mmu->slots = mmu->slots_local = VT_SLOTS_END;
  /* Zeroes say page 0, which is looked for in the first entry alone: the others are left untouched, and
   * take no memory before they are used. An access that goes on at address 0 is looked for in the last. */
  for (unsigned t = 0; t < N_TABLES; t++)
    {
      vt_tlb_empty (&mmu->tlb[t].entry[0]);
      for (unsigned i = VT_TLB_ENTRIES - 1; i < VT_TLB_ALL; i++)
        vt_tlb_empty (&mmu->tlb[t].entry[i]);
    }
}

static void
forget_fetches (VtMmu *mmu)
{
  memset (mmu->fetched, 0, sizeof mmu->fetched);
  mmu->fetch_epoch++;
}

void
vt_mmu_flush (VtMmu *mmu)
{
  for (unsigned t = 0; t < N_TABLES; t++)
    table_clear (&mmu->tlb[t]);
  vt_mmu_forget_slots (mmu);
  mmu->has_large = false;
  forget_fetches (mmu);
}

void
vt_mmu_flush_local (VtMmu *mmu)
{
  unsigned n = 0;

  mmu->local_epoch++;
  forget_local_slots (mmu);
  for (unsigned i = 0; i < mmu->n_strays; i++)
    if (mmu->stray[i].info & VT_TLB_GLOBAL)
      mmu->stray[n++] = mmu->stray[i];
  mmu->n_strays = n;
  for (unsigned t = 0; t < N_TABLES; t++)
    table_clear_local (&mmu->tlb[t]);
}

void
vt_mmu_flush_page (VtMmu *mmu, uint64_t linear)
{
  const uint64_t page = linear & ~VT_PAGE_OFFSET;

  if (mmu->has_large && ((linear ^ mmu->large_base) & mmu->large_mask) == 0)
    {
      vt_mmu_flush (mmu);
      return;
    }
  for (unsigned t = 0; t < N_TABLES; t++)
    {
      VtTlbEntry *entry = vt_mmu_find (&mmu->tlb[t], page);
      if (entry)
        vt_tlb_empty (entry);
    }
  vt_mmu_forget_slots (mmu);
  const uint64_t bit = page / VT_PAGE % (VT_FETCHED_WORDS * 64);
  if (mmu->fetched[bit / 64] >> bit % 64 & 1)
    forget_fetches (mmu);
}

void
vt_mmu_flush_write (VtMmu *mmu)
{
  for (unsigned set = 0; set < VT_SETS; set++)
    table_clear (vt_mmu_table (mmu, (VtAccessSet) set, VT_ACCESS_WRITE));
  vt_mmu_forget_slots (mmu);
}

void
vt_mmu_drop_written (VtMmu *mmu, const uint8_t *page)
{
  for (unsigned set = 0; set < VT_SETS; set++)
    {
      VtTlb         *tlb = vt_mmu_table (mmu, (VtAccessSet) set, VT_ACCESS_WRITE);
      const bool     few = tlb->n_used <= VT_TLB_USED;
      const unsigned n = few ? tlb->n_used : VT_TLB_ALL;
      for (unsigned i = 0; i < n; i++)
        {
          VtTlbEntry *entry = &tlb->entry[few ? tlb->used[i] : i];
          if (entry->tag + entry->addend == (uint64_t) (uintptr_t) page)
            {
              vt_tlb_empty (entry);
              vt_mmu_forget_slots (mmu);
            }
        }
    }
  for (unsigned i = 0; i < mmu->n_strays; i++)
    if (mmu->stray[i].tag + mmu->stray[i].addend == (uint64_t) (uintptr_t) page)
      vt_mmu_forget_slots (mmu);
}

static bool
page_of (VtCore *core, const VtTlbEntry *entry, VtSpacePage *page)
{
  return vt_space_page (core->space, vt_core_memory (core), entry->info & ~VT_PAGE_OFFSET, page);
}

void
vt_mmu_drop_watched (VtCore *core)
{
  VtMmu *mmu = &core->mmu;
  bool   stray = false;

  for (unsigned i = 0; i < mmu->n_strays; i++)
    {
      VtSpacePage page;
      if (page_of (core, &mmu->stray[i], &page) && page.watched)
        {
          stray = true;
          vt_ram_mark_dirty (page.ram, page.offset, VT_PAGE);
        }
    }
  if (stray)
    vt_mmu_forget_slots (mmu);
  for (unsigned set = 0; set < VT_SETS; set++)
    {
      VtTlb *tlb = vt_mmu_table (&core->mmu, (VtAccessSet) set, VT_ACCESS_WRITE);
      for (unsigned i = 0; i < VT_TLB_ALL; i++)
        {
          VtSpacePage page;
          if (!vt_tlb_is_empty (tlb, i) && page_of (core, &tlb->entry[i], &page) && page.watched)
            {
              vt_tlb_empty (&tlb->entry[i]);
              vt_mmu_forget_slots (&core->mmu);
              vt_ram_mark_dirty (page.ram, page.offset, VT_PAGE);
            }
        }
    }
}

void
vt_mmu_mark_written (VtCore *core)
{
  for (unsigned set = 0; set < VT_SETS; set++)
    {
      const VtTlb *tlb = vt_mmu_table (&core->mmu, (VtAccessSet) set, VT_ACCESS_WRITE);
      for (unsigned i = 0; i < VT_TLB_ALL; i++)
        {
          VtSpacePage page;
          if (!vt_tlb_is_empty (tlb, i) && page_of (core, &tlb->entry[i], &page))
            vt_ram_mark_dirty (page.ram, page.offset, VT_PAGE);
        }
    }
  for (unsigned i = 0; i < core->mmu.n_strays; i++)
    {
      VtSpacePage page;
      if (page_of (core, &core->mmu.stray[i], &page))
        vt_ram_mark_dirty (page.ram, page.offset, VT_PAGE);
    }
}

/* For an access that the TLB does not have: the page's physical address, its entry if it may have one. */
VtTlbEntry *vt_mmu_miss (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtGpa *gpa);

VtTlbEntry *
vt_mmu_miss (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtGpa *gpa)
{
  VtWalk      walk;
  VtSpacePage page;
  uint32_t    error;

  if (!vt_mmu_walk (core, linear, kind, set, &walk, &error))
    vt_core_raise_page_fault (core, linear, error);
  *gpa = walk.gpa;
  if (!vt_mmu_page (core, walk.gpa, &page))
    return NULL;
  /* Whoever has made code of it learns of the write before there is a way to write past them. The access is made
   * before anything else is. */
  if (kind == VT_ACCESS_WRITE && page.watched && page.writable && !page.logged)
    vt_ram_mark_dirty (page.ram, page.offset, VT_PAGE);
  return vt_mmu_fill (core, linear, kind, set, &walk, &page);
}
