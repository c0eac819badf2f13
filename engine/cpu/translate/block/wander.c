/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Instructions whose accesses go from page to page, such as those of allocators and of searches in trees. A slot (site.c)
 * does nothing for them but cost time: they look into the TLB, in blocks that are made anew when this is seen.
 */
#include "blocks.h"

static uint32_t
bit_of (const uint8_t *page, unsigned offset)
{
  const uint64_t at = (uint64_t) (uintptr_t) page + offset;

  return (uint32_t) (at * UINT64_C (0x9e3779b97f4a7c15) >> 48) % VT_WANDERS;
}

void
vt_wander (VtBlocks *b, const uint8_t *page, unsigned offset)
{
  const uint32_t bit = bit_of (page, offset);

  /* The fuller the filter, the more others it holds. */
  if (b->n_wanders++ == VT_WANDERS / 16)
    {
      memset (b->wanders, 0, sizeof b->wanders);
      b->n_wanders = 0;
    }
  b->wanders[bit / 64] |= VT_BIT (bit % 64);
}

bool
vt_wanders (const VtBlocks *b, const uint8_t *page, unsigned offset)
{
  const uint32_t bit = bit_of (page, offset);

  return b->wanders[bit / 64] >> bit % 64 & 1;
}
