/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Instructions whose operands are where only their registers tell, without leaving translated code:
 * strings, also of flat 32-bit code, upwards and as far as their pages can be brought to the TLB; bits by number. Where
 * they can't, or an element is in two pages, or somebody wants the core, the interpreter goes on with what the registers
 * say is left.
 */
#include "../interpret/alu.h"
#include "../interpret/ops.h"
#include "quick.h"

/* Of the @n elements from @linear on: the host's address, and in @n how many are in the page; or NULL. */
static uint8_t *
reach (VtCore *core, VtAccessKind kind, uint64_t linear, unsigned size, uint64_t *n)
{
  const uint64_t    page = linear & ~VT_PAGE_OFFSET, in_page = (VT_PAGE - (linear & VT_PAGE_OFFSET)) / size;
  const VtAccessSet set = vt_mmu_data_set (core);
  const VtTlbEntry *entry = &vt_mmu_table (&core->mmu, set, kind)->entry[page / VT_PAGE % VT_TLB_ENTRIES];

  if (in_page == 0 || (entry->tag != page && !vt_mmu_bring (core, linear, kind, set)))
    return NULL;
  *n = MIN (*n, in_page);
  return (uint8_t *) (uintptr_t) (linear + entry->addend);
}

/* FS and GS alone have a base. */
static uint64_t
base_of (const VtCore *core, const VtInsn *insn)
{
  return insn->seg >= VT_CPU_FS ? core->seg[insn->seg].base : 0;
}

/* As vt_ld() and vt_st(), whose copies of any length are calls. */
static uint64_t
load (const uint8_t *at, unsigned size)
{
  return size == 1 ? *at : size == 2 ? vt_ld16 (at) : size == 4 ? vt_ld32 (at) : vt_ld64 (at);
}

static void
store (uint8_t *at, unsigned size, uint64_t value)
{
  if (size == 2)
    vt_st16 (at, (uint16_t) value);
  else if (size == 4)
    vt_st32 (at, (uint32_t) value);
  else
    vt_st64 (at, value);
}

/* Strings ---------------------------------------------------------------------------------------- */

/* By the host's own, so upwards element by element, also where one is written that is read later. */
static void
move (uint8_t *to, const uint8_t *from, unsigned size, uint64_t n)
{
  if (size == 1)
    __asm__ volatile ("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
  else if (size == 2)
    __asm__ volatile ("rep movsw" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
  else if (size == 4)
    __asm__ volatile ("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
  else
    __asm__ volatile ("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void
fill (uint8_t *to, unsigned size, uint64_t n, uint64_t value)
{
  if (size == 1)
    __asm__ volatile ("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
  else if (size == 2)
    __asm__ volatile ("rep stosw" : "+D"(to), "+c"(n) : "a"(value) : "memory");
  else if (size == 4)
    __asm__ volatile ("rep stosl" : "+D"(to), "+c"(n) : "a"(value) : "memory");
  else
    __asm__ volatile ("rep stosq" : "+D"(to), "+c"(n) : "a"(value) : "memory");
}

/* Compares up to @n elements with those at @from, or where that is NULL with RAX. Returns: how many, with the last that
 * was not as the prefix wants it. */
static uint64_t
compare (VtCore *core, const VtInsn *insn, const uint8_t *from, const uint8_t *to, unsigned size, uint64_t n)
{
  uint64_t i = 0, x, y;

  do
    {
      x = from ? load (from + i * size, size) : vt_core_gpr (core, VT_CPU_RAX, size);
      y = load (to + i * size, size);
    }
  while (++i < n && (x == y) != insn->repne);
  vt_alu_sub (x, y, size, &core->fast.flags);
  return i;
}

uint64_t
vt_quick_string (VtCore *core, uint32_t exit, uint64_t next)
{
  const VtInsn  *insn = vt_block_decoded (core->blocks, vt_quick_insn (core, exit));
  const unsigned which = insn->op->arg & 15, size = insn->op->arg >> 4;
  const bool     repeats = insn->rep || insn->repne;
  const bool     compares = which == VT_STRING_CMPS || which == VT_STRING_SCAS;
  const bool     reads = which == VT_STRING_MOVS || which == VT_STRING_CMPS || which == VT_STRING_LODS;
  uint64_t      *gpr = core->gpr, count = repeats ? vt_core_gpr (core, VT_CPU_RCX, insn->asize) : 1;

  if (core->fast.flags & VT_FLAG_DF)
    return 0;
  while (count)
    {
      const uint8_t *from = NULL;
      uint8_t       *to = NULL;
      uint64_t       n = count;

      if (reads)
        from = reach (core, VT_ACCESS_READ, base_of (core, insn) + vt_core_gpr (core, VT_CPU_RSI, insn->asize), size,
                      &n);
      if (reads && from == NULL)
        return 0;
      if (which != VT_STRING_LODS)
        to = reach (core, compares ? VT_ACCESS_READ : VT_ACCESS_WRITE,
                    vt_core_gpr (core, VT_CPU_RDI, insn->asize), size, &n);
      if (which != VT_STRING_LODS && to == NULL)
        return 0;
      if (compares)
        n = compare (core, insn, from, to, size, n);
      else if (which == VT_STRING_MOVS)
        move (to, from, size, n);
      else if (which == VT_STRING_STOS)
        fill (to, size, n, gpr[VT_CPU_RAX]);
      else
        vt_core_set_gpr (core, VT_CPU_RAX, size, load (from + (n - 1) * size, size));
      if (reads)
        vt_core_set_gpr (core, VT_CPU_RSI, insn->asize, gpr[VT_CPU_RSI] + n * size);
      if (which != VT_STRING_LODS)
        vt_core_set_gpr (core, VT_CPU_RDI, insn->asize, gpr[VT_CPU_RDI] + n * size);
      count -= n;
      if (repeats)
        vt_core_set_gpr (core, VT_CPU_RCX, insn->asize, count);
      if (compares && repeats && ((core->fast.flags & VT_FLAG_ZF) != 0) == insn->repne)
        break;
      if (count && vt_quick_awaited (core))
        return 0;
    }
  return vt_quick_behind (core, exit);
}

/* Bits ------------------------------------------------------------------------------------------- */

/* Returns: whether there was still @old. */
static bool
exchange (uint8_t *at, unsigned size, uint64_t old, uint64_t value)
{
  uint16_t word = (uint16_t) old;
  uint32_t half = (uint32_t) old;

  if (size == 2)
    return __atomic_compare_exchange_n ((uint16_t *) (void *) at, &word, (uint16_t) value, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST);
  if (size == 4)
    return __atomic_compare_exchange_n ((uint32_t *) (void *) at, &half, (uint32_t) value, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST);
  return __atomic_compare_exchange_n ((uint64_t *) (void *) at, &old, value, false, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST);
}

/* Bit -1 is in the element before it. */
uint64_t
vt_quick_bit (VtCore *core, uint32_t exit, uint64_t next)
{
  const VtInsn  *insn = vt_block_decoded (core->blocks, vt_quick_insn (core, exit));
  const unsigned size = insn->operand[0].size;
  const bool     writes = insn->op->alu != vt_alu_bt;
  const uint64_t number = core->gpr[insn->operand[1].reg];
  const int64_t  signed_number = (int64_t) (number << (64 - 8 * size)) >> (64 - 8 * size);
  uint64_t       linear = base_of (core, insn) + (uint64_t) insn->disp, n = 1, old, value, flags;

  if (insn->base == VT_REG_RIP)
    linear += next;
  else if (insn->base != VT_NO_REG)
    linear += core->gpr[insn->base];
  if (insn->index != VT_NO_REG)
    linear += core->gpr[insn->index] * insn->scale;
  linear += (uint64_t) (signed_number >> 3) & ~(uint64_t) (size - 1);
  uint8_t *at = reach (core, writes ? VT_ACCESS_WRITE : VT_ACCESS_READ, linear, size, &n);
  /* A host may forbid what crosses a cache line. */
  if (at == NULL || (insn->lock && linear % size))
    return 0;
  do
    {
      flags = core->fast.flags;
      old = load (at, size);
      value = insn->op->alu (old, number & (size * 8 - 1), size, &flags);
      if (writes && !insn->lock)
        store (at, size, value);
    }
  while (insn->lock && !exchange (at, size, old, value));
  core->fast.flags = flags;
  return vt_quick_behind (core, exit);
}

/* Pages ------------------------------------------------------------------------------------------ */

uint64_t
vt_quick_miss (VtCore *core, uint32_t exit, uint64_t live)
{
  const VtFast     *fast = &core->fast;
  const VtBlocks   *b = core->blocks;
  const VtSiteCold *cold = (const VtSiteCold *) (const void *) (fast->site + VT_SITES * sizeof (VtSiteHot));
  const uint64_t    linear = fast->missed, last = cold->last;

  /* Larger ones may have to be aligned, which is looked at before the page. */
  if ((linear & VT_PAGE_OFFSET) + last >= VT_PAGE || (last >= 8 && (linear & last) != 0)
      || !vt_mmu_bring (core, linear, fast->missed_table & 1 ? VT_ACCESS_WRITE : VT_ACCESS_READ,
                        (VtAccessSet) (fast->missed_table / 2)))
    return 0;
  core->blocks->counts.brought++;
  return (uint64_t) (uintptr_t) (b->area.execute + b->site_again[live][fast->missed_table]);
}
