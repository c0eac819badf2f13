/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How the software TLB is filled. Compiled for general registers alone, and calls nothing but what is so, too:
 * translated code comes here for a page that the TLB hasn't got.
 */
#include "../core.h"

/* Notes @index in a list of @n that has room for @most. */
static void
note (uint16_t *list, uint32_t *n, uint32_t most, unsigned index)
{
  if (*n < most)
    list[*n] = (uint16_t) index;
  if (*n <= most)
    ++*n;
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
  mmu->n_strays = 0;
}

/* @entry leaves a write table. */
static void
note_stray (VtMmu *mmu, const VtTlbEntry *entry)
{
  if (mmu->slots == VT_SLOTS_END)
    return;
  for (unsigned i = 0; i < mmu->n_strays; i++)
    if (mmu->stray[i].check == entry->check && mmu->stray[i].addend == entry->addend)
      return;
  if (mmu->n_strays == VT_MMU_STRAYS)
    vt_mmu_forget_slots (mmu);
  else
    mmu->stray[mmu->n_strays++] = *entry;
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
        if (vt_tlb_is_empty (tlb, index))
          vt_tlb_empty (&tlb->entry[i]);
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

  if (kind == VT_ACCESS_WRITE && !vt_tlb_is_empty (tlb, victim))
    note_stray (mmu, &tlb->entry[victim]);
  tlb->entry[victim] = tlb->entry[index];
  note_filled (tlb, victim);
}

VtTlbEntry *
vt_mmu_fill (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, const VtWalk *walk,
             const VtSpacePage *page)
{
  VtTlb         *tlb = vt_mmu_table (&core->mmu, set, kind);
  const uint64_t tag = linear & ~VT_PAGE_OFFSET;
  const unsigned index = tag / VT_PAGE % VT_TLB_ENTRIES;
  VtTlbEntry    *entry = &tlb->entry[index];

  if (kind == VT_ACCESS_WRITE && (!page->writable || page->logged))
    return NULL;
  if (!vt_tlb_is_empty (tlb, index) && entry->tag != tag)
    make_room (&core->mmu, tlb, kind, index);
  if (walk->size > VT_PAGE)
    note_large (&core->mmu, tag, walk->size);
  entry->tag = tag;
  entry->addend = (uint64_t) (uintptr_t) page->host - tag;
  entry->check = -tag;
  entry->info = (walk->gpa & ~VT_PAGE_OFFSET) | (walk->global ? VT_TLB_GLOBAL : 0);
  note_filled (tlb, index);
  return entry;
}

bool
vt_mmu_bring (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set)
{
  VtWalk      walk;
  VtSpacePage page;
  uint32_t    error;

  if (vt_mmu_find (vt_mmu_table (&core->mmu, set, kind), linear & ~VT_PAGE_OFFSET))
    return true;
  /* What may happen between two instructions happens where the interpreter does one: block/chaos.c. */
  if (G_UNLIKELY (core->chaos) && core->mmu.n_walks % 4 == 0)
    return false;
  /* A walk looks at no bit above those that tables translate. What is untold is told before there is more of it. */
  if (!vt_core_canonical (core, linear) || core->mmu.untold
      || vt_mmu_walk_noted (core, linear, kind, set, &walk, &error) != VT_WALK_DONE)
    return false;
  const VtSpaceSpan *span = vt_core_span (core, walk.gpa);
  if (span == NULL)
    return false;
  vt_span_page (span, walk.gpa, &page);
  /* Who has made code of it is told first (vt_mmu_miss()). */
  return !(kind == VT_ACCESS_WRITE && page.watched)
         && vt_mmu_fill (core, linear, kind, set, &walk, &page) != NULL;
}
