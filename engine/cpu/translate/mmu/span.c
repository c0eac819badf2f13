/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where the guest's page tables lie: walks (walk.c) go by spans of RAM that are noted here.
 */
#include "../core.h"

bool
vt_mmu_page (VtCore *core, VtGpa gpa, VtSpacePage *page)
{
  VtMmu             *mmu = &core->mmu;
  const VtSpaceSpan *span = vt_core_span (core, gpa);

  if (span == NULL)
    {
      const VtSpaceKind kind = vt_core_memory (core);
      VtSpaceSpan       found;
      if (!vt_space_span (core->space, kind, gpa, &found))
        return false;
      if (mmu->span_kind != kind)
        vt_mmu_forget_spans (mmu);
      mmu->span_kind = kind;
      mmu->span[mmu->next_span] = found;
      span = &mmu->span[mmu->next_span];
      mmu->next_span = (mmu->next_span + 1) % VT_MMU_SPANS;
    }
  vt_span_page (span, gpa, page);
  return true;
}

void
vt_mmu_forget_spans (VtMmu *mmu)
{
  memset (mmu->span, 0, sizeof mmu->span);
}

void
vt_mmu_tell (VtMmu *mmu)
{
  VtRam *const ram = mmu->untold;

  mmu->untold = NULL;
  if (ram)
    vt_ram_mark_dirty (ram, mmu->untold_offset, sizeof (uint64_t));
}

/* Each try notes a span or tells of a page; who changes the tables meanwhile can make more of them than they have. */
#define MOST_TRIES 64u

bool
vt_mmu_walk (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtWalk *out,
             uint32_t *error)
{
  for (unsigned tries = 0; tries < MOST_TRIES; tries++)
    {
      const VtWalkEnd end = vt_mmu_walk_noted (core, linear, kind, set, out, error);
      VtSpacePage     page;

      if (end == VT_WALK_DONE || end == VT_WALK_FAULT)
        return end == VT_WALK_DONE;
      if (end == VT_WALK_UNTOLD)
        vt_mmu_tell (&core->mmu);
      else if (!vt_mmu_page (core, out->gpa, &page))
        break;
    }
  /* What lies outside of RAM reads as ones, of which there are reserved bits. */
  *error = VT_PF_RESERVED | VT_PF_PRESENT | vt_mmu_error (core, kind, set);
  return false;
}

bool
vt_mmu_peek (VtCore *core, uint64_t linear, VtGpa *gpa)
{
  VtWalk   walk;
  uint32_t error;

  if (!vt_mmu_walk (core, linear, VT_ACCESS_KINDS, VT_SET_KERNEL, &walk, &error))
    return false;
  *gpa = walk.gpa;
  return true;
}

void
vt_core_load_pdptes (VtCore *core, uint64_t cr3)
{
  const uint64_t reserved = (~(VT_BIT (core->phys_bits) - 1)) | 0x1e6;
  const VtGpa    at = cr3 & 0xffffffe0;
  uint64_t       pdpte[4];
  VtSpacePage    page;
  const bool     is_ram = vt_mmu_page (core, at, &page);

  for (unsigned i = 0; i < 4; i++)
    {
      pdpte[i] = is_ram ? __atomic_load_n ((uint64_t *) (void *) (page.host + (at & VT_PAGE_OFFSET) + i * 8),
                                           __ATOMIC_RELAXED)
                        : UINT64_MAX;
      if ((pdpte[i] & VT_BIT (0)) && (pdpte[i] & reserved))
        vt_core_gp (core, 0);
    }
  memcpy (core->pdpte, pdpte, sizeof pdpte);
}
