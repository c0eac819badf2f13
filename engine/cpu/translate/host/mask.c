/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory operands under a mask of AVX-512: only the elements that it selects are accessed, one by one, and
 * only these fault (SDM volume 1, 15.6.4).
 */
#include "../interpret/insn.h"
#include "examine.h"
#include "unit.h"

uint64_t
vt_unit_selected (const VtCore *core, const VtUnitUse *use)
{
  const unsigned n = use->size / use->element;
  uint64_t       mask = vt_unit_get_mask (core, use->mask), selected = 0;

  if (use->n_bits < 64)
    mask &= VT_BIT (use->n_bits) - 1;
  if (use->packed)
    {
      const unsigned set = (unsigned) __builtin_popcountll (mask);
      return set == 64 ? UINT64_MAX : VT_BIT (set) - 1;
    }
  for (unsigned i = 0; i < use->n_bits; i++)
    if (mask >> i & 1)
      selected |= VT_BIT (i % n);
  return selected;
}

void
vt_unit_masked_read (VtCore *core, const VtInsn *insn, const VtUnitUse *use, uint64_t selected, uint8_t *to)
{
  const VtAccessSet set = vt_mmu_data_set (core);
  const unsigned    size = use->element;

  memset (to, 0, use->size);
  for (unsigned i = 0; i < use->size / size; i++)
    if (selected >> i & 1)
      vt_st (to + i * size, size,
             vt_mmu_load (core, vt_insn_linear (core, insn, i * size, size, VT_ACCESS_READ), size, set));
}

void
vt_unit_masked_probe (VtCore *core, const VtInsn *insn, const VtUnitUse *use, uint64_t selected)
{
  const VtAccessSet set = vt_mmu_data_set (core);
  const unsigned    size = use->element;

  if (use->all_fault)
    vt_mmu_probe_write (core, vt_insn_linear (core, insn, 0, use->size, VT_ACCESS_WRITE), use->size, set);
  for (unsigned i = 0; i < use->size / size; i++)
    if (selected >> i & 1)
      vt_mmu_probe_write (core, vt_insn_linear (core, insn, i * size, size, VT_ACCESS_WRITE), size, set);
}

void
vt_unit_masked_write (VtCore *core, const VtInsn *insn, const VtUnitUse *use, uint64_t selected,
                      const uint8_t *from)
{
  const VtAccessSet set = vt_mmu_data_set (core);
  const unsigned    size = use->element;

  for (unsigned i = 0; i < use->size / size; i++)
    if (selected >> i & 1)
      vt_mmu_store (core, vt_insn_linear (core, insn, i * size, size, VT_ACCESS_WRITE), size,
                    vt_ld (from + i * size, size), set);
}
