/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The software TLB: its making, filling and flushing. What an entry promises is told in mmu.h.
 */
#include "../core.h"

#define N_TABLES (VT_SETS * VT_ACCESS_KINDS)

/* What vt_mmu_init() left alone reads as page 0 in an entry that isn't page 0's. (A victim may be anybody's.) */
static bool
is_empty (const VtTlb *tlb, unsigned i)
{
  return tlb->entry[i].tag == VT_TLB_EMPTY || (tlb->entry[i].tag == 0 && i != 0 && i < VT_TLB_ENTRIES);
}

static void
empty (VtTlbEntry *entry)
{
  entry->tag = VT_TLB_EMPTY;
  entry->check = VT_SLOT_EMPTY;
}

static void
table_clear (VtTlb *tlb)
{
  if (tlb->n_used <= VT_TLB_USED)
    for (unsigned i = 0; i < tlb->n_used; i++)
      empty (&tlb->entry[tlb->used[i]]);
  else
    for (unsigned i = 0; i < VT_TLB_ALL; i++)
      empty (&tlb->entry[i]);
  tlb->n_used = tlb->n_filled = 0;
}

/* Notes @index in a list of @n that has room for @most. */
static void
note (uint16_t *list, uint32_t *n, uint32_t most, unsigned index)
{
  if (*n < most)
    list[*n] = (uint16_t) index;
  if (*n <= most)
    ++*n;
}

/* All but global pages. */
static void
table_clear_local (VtTlb *tlb)
{
  if (tlb->n_filled <= VT_TLB_FILLED)
    {
      for (unsigned i = 0; i < tlb->n_filled; i++)
        if (!(tlb->entry[tlb->filled[i]].info & VT_TLB_GLOBAL))
          empty (&tlb->entry[tlb->filled[i]]);
    }
  else
    for (unsigned i = 0; i < VT_TLB_ALL; i++)
      if (!(tlb->entry[i].info & VT_TLB_GLOBAL))
        empty (&tlb->entry[i]);
  tlb->n_filled = 0;
}

void
vt_mmu_forget_slots (VtMmu *mmu)
{
  for (VtTlbSlot *slot = mmu->slots, *next; slot != VT_SLOTS_END; slot = next)
    {
      next = slot->next;
      *slot = (VtTlbSlot){ .tag = VT_SLOT_EMPTY };
    }
  mmu->slots = mmu->slots_local = VT_SLOTS_END;
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
   * take no memory before they are used. */
  for (unsigned t = 0; t < N_TABLES; t++)
    {
      empty (&mmu->tlb[t].entry[0]);
      for (unsigned i = VT_TLB_ENTRIES; i < VT_TLB_ALL; i++)
        empty (&mmu->tlb[t].entry[i]);
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
  mmu->local_epoch++;
  forget_local_slots (mmu);
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
        empty (entry);
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
              empty (entry);
              vt_mmu_forget_slots (mmu);
            }
        }
    }
}

void
vt_mmu_drop_watched (VtCore *core)
{
  for (unsigned set = 0; set < VT_SETS; set++)
    {
      VtTlb *tlb = vt_mmu_table (&core->mmu, (VtAccessSet) set, VT_ACCESS_WRITE);
      for (unsigned i = 0; i < VT_TLB_ALL; i++)
        {
          VtSpacePage page;
          if (!is_empty (tlb, i)
              && vt_space_page (core->space, vt_core_memory (core), tlb->entry[i].info & ~VT_PAGE_OFFSET, &page)
              && page.watched)
            {
              empty (&tlb->entry[i]);
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
          if (!is_empty (tlb, i)
              && vt_space_page (core->space, vt_core_memory (core), tlb->entry[i].info & ~VT_PAGE_OFFSET, &page))
            vt_ram_mark_dirty (page.ram, page.offset, VT_PAGE);
        }
    }
}

/* Widens the range of large pages so that it holds @size bytes at @linear. */
static void
note_large (VtMmu *mmu, uint64_t linear, uint64_t size)
{
  uint64_t mask = ~(size - 1);

  if (mmu->has_large)
    {
      mask &= mmu->large_mask;
      while ((linear ^ mmu->large_base) & mask)
        mask <<= 1;
    }
  mmu->has_large = true;
  mmu->large_mask = mask;
  mmu->large_base = linear & mask;
}

/* Notes that entry @index has been filled, for the flushes. */
static void
note_filled (VtTlb *tlb, unsigned index)
{
  note (tlb->used, &tlb->n_used, VT_TLB_USED, index);
  if (!(tlb->entry[index].info & VT_TLB_GLOBAL))
    note (tlb->filled, &tlb->n_filled, VT_TLB_FILLED, index);
}

VtTlbEntry *
vt_mmu_recall (VtTlb *tlb, uint64_t page)
{
  const unsigned index = page / VT_PAGE % VT_TLB_ENTRIES;

  for (unsigned i = VT_TLB_ENTRIES; i < VT_TLB_ALL; i++)
    if (tlb->entry[i].tag == page)
      {
        const VtTlbEntry entry = tlb->entry[i];
        if (is_empty (tlb, index))
          empty (&tlb->entry[i]);
        else
          tlb->entry[i] = tlb->entry[index];
        tlb->entry[index] = entry;
        note_filled (tlb, i);
        note_filled (tlb, index);
        return &tlb->entry[index];
      }
  return NULL;
}

/* Makes room at @index: what is there becomes a victim. */
static void
make_room (VtMmu *mmu, VtTlb *tlb, VtAccessKind kind, unsigned index)
{
  const unsigned victim = VT_TLB_ENTRIES + tlb->next_victim++ % VT_TLB_VICTIMS;

  if (kind == VT_ACCESS_WRITE && !is_empty (tlb, victim))
    vt_mmu_forget_slots (mmu);
  tlb->entry[victim] = tlb->entry[index];
  note_filled (tlb, victim);
}

static VtTlbEntry *
fill (VtCore *core, VtTlb *tlb, VtAccessKind kind, uint64_t page, const VtWalk *walk, const VtSpacePage *ram)
{
  const unsigned index = page / VT_PAGE % VT_TLB_ENTRIES;

  if (!is_empty (tlb, index) && tlb->entry[index].tag != page)
    make_room (&core->mmu, tlb, kind, index);
  if (walk->size > VT_PAGE)
    note_large (&core->mmu, page, walk->size);
  tlb->entry[index] = (VtTlbEntry){
    .tag = page,
    .addend = (uint64_t) (uintptr_t) ram->host - page,
    .check = -page,
    .info = (walk->gpa & ~VT_PAGE_OFFSET) | (walk->global ? VT_TLB_GLOBAL : 0),
  };
  note_filled (tlb, index);
  return &tlb->entry[index];
}

/* What a walk has found, into the TLB. @now: the access is made before anything else is. Returns: its entry, or NULL
 * if it may have none. */
static VtTlbEntry *
enter (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, const VtWalk *walk, bool now)
{
  VtSpacePage ram;

  if (!vt_space_page (core->space, vt_core_memory (core), walk->gpa, &ram)
      || (kind == VT_ACCESS_WRITE && (!ram.writable || ram.logged)))
    return NULL;
  /* Whoever has made code of it learns of the write before there is a way to write past them. */
  if (kind == VT_ACCESS_WRITE && ram.watched)
    {
      if (!now)
        return NULL;
      vt_ram_mark_dirty (ram.ram, ram.offset, VT_PAGE);
    }
  return fill (core, vt_mmu_table (&core->mmu, set, kind), kind, linear & ~VT_PAGE_OFFSET, walk, &ram);
}

/* For an access that the TLB does not have: the page's physical address, its entry if it may have one. */
VtTlbEntry *vt_mmu_miss (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtGpa *gpa);

VtTlbEntry *
vt_mmu_miss (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtGpa *gpa)
{
  VtWalk   walk;
  uint32_t error;

  if (!vt_mmu_walk (core, linear, kind, set, &walk, &error))
    vt_core_raise_page_fault (core, linear, error);
  *gpa = walk.gpa;
  return enter (core, linear, kind, set, &walk, true);
}

bool
vt_mmu_bring (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set)
{
  VtWalk   walk;
  uint32_t error;

  /* A walk looks at no bit above those that tables translate. */
  return vt_mmu_find (vt_mmu_table (&core->mmu, set, kind), linear & ~VT_PAGE_OFFSET) != NULL
         || (vt_core_canonical (core, linear) && vt_mmu_walk (core, linear, kind, set, &walk, &error)
             && enter (core, linear, kind, set, &walk, false) != NULL);
}
