/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Compare and exchange by the host's own instruction, or piece by piece: see locked.h.
 */
#include "locked.h"

#include "../host/trap.h"
#include "memory/space.h"

#define LINE 64u

/* The host's instruction by operand size: RDI points to it, RAX is the old value, RDX the new one. */
extern const char vt_locked_first[], vt_locked_last[], vt_locked_refused[];
uint64_t          vt_locked_swap_1 (uint8_t *host, uint64_t old, uint64_t value);
uint64_t          vt_locked_swap_2 (uint8_t *host, uint64_t old, uint64_t value);
uint64_t          vt_locked_swap_4 (uint8_t *host, uint64_t old, uint64_t value);
uint64_t          vt_locked_swap_8 (uint8_t *host, uint64_t old, uint64_t value);

__asm__ (".pushsection .text\n"
         ".globl vt_locked_first, vt_locked_last, vt_locked_refused\n"
         ".hidden vt_locked_first, vt_locked_last, vt_locked_refused\n"
         ".globl vt_locked_swap_1, vt_locked_swap_2, vt_locked_swap_4, vt_locked_swap_8\n"
         ".hidden vt_locked_swap_1, vt_locked_swap_2, vt_locked_swap_4, vt_locked_swap_8\n"
         "vt_locked_first:\n"
         "vt_locked_swap_1:\n  movq %rsi, %rax\n  lock cmpxchgb %dl, (%rdi)\n  ret\n"
         "vt_locked_swap_2:\n  movq %rsi, %rax\n  lock cmpxchgw %dx, (%rdi)\n  ret\n"
         "vt_locked_swap_4:\n  movq %rsi, %rax\n  lock cmpxchgl %edx, (%rdi)\n  ret\n"
         "vt_locked_swap_8:\n  movq %rsi, %rax\n  lock cmpxchgq %rdx, (%rdi)\n"
         "vt_locked_refused:\n  ret\n"
         "vt_locked_last:\n"
         ".popsection\n");

typedef struct
{
  VtTrap trap;
  bool   refused;
} Attempt;

static void
land_cb (VtTrap *trap, int signal, ucontext_t *at)
{
  ((Attempt *) (void *) trap)->refused = true;
  at->uc_mcontext.gregs[REG_RIP] = (greg_t) (uintptr_t) vt_locked_refused;
}

static uint64_t
swap (uint8_t *host, unsigned size, uint64_t old, uint64_t value)
{
  switch (size)
    {
    case 1:
      return vt_locked_swap_1 (host, old, value);
    case 2:
      return vt_locked_swap_2 (host, old, value);
    case 4:
      return vt_locked_swap_4 (host, old, value);
    default:
      return vt_locked_swap_8 (host, old, value);
    }
}

/* Where a host may refuse, with a bus error. Returns: false where it does. */
static bool
try_swap (uint8_t *host, unsigned size, uint64_t old, uint64_t value, uint64_t *found)
{
  Attempt attempt = { .trap = { .first = (uint64_t) (uintptr_t) vt_locked_first,
                                .last = (uint64_t) (uintptr_t) vt_locked_last,
                                .land = land_cb } };

  vt_trap_install ();
  VtTrap *const outer = vt_trap_set (&attempt.trap);
  *found = swap (host, size, old, value);
  vt_trap_set (outer);
  return !attempt.refused;
}

static bool
open_piece (VtCore *core, uint64_t linear, unsigned size, VtLockedPiece *out)
{
  const VtAccessSet set = vt_mmu_data_set (core);
  VtSpacePage       page;
  VtWalk            walk;
  uint32_t          error;

  *out = (VtLockedPiece){ .size = size, .host = vt_mmu_host (core, linear, size, VT_ACCESS_WRITE, set) };
  if (out->host)
    return true;
  /* RAM of which writes are noted is in no TLB for writing. */
  if (!vt_mmu_walk (core, linear, VT_ACCESS_WRITE, set, &walk, &error))
    vt_core_raise_page_fault (core, linear, error);
  if (!vt_space_page (core->space, vt_core_memory (core), walk.gpa, &page) || !page.writable)
    return false;
  out->host = page.host + (walk.gpa & VT_PAGE_OFFSET);
  out->logged = page.ram;
  out->offset = page.offset + (walk.gpa & VT_PAGE_OFFSET);
  return true;
}

bool
vt_locked_open (VtCore *core, uint64_t linear, unsigned size, VtLocked *out)
{
  const unsigned first = (unsigned) MIN (size, VT_PAGE - (linear & VT_PAGE_OFFSET));
  bool           ram = open_piece (core, linear, first, &out->piece[0]);

  out->n = 0;
  if (first < size)
    ram &= open_piece (core, vt_mmu_wrap (core, linear + first), size - first, &out->piece[1]);
  if (ram)
    out->n = first < size ? 2 : 1;
  return ram;
}

uint64_t
vt_locked_load (const VtLocked *locked)
{
  uint64_t value = vt_ld (locked->piece[0].host, locked->piece[0].size);

  if (locked->n == 2)
    value |= vt_ld (locked->piece[1].host, locked->piece[1].size) << locked->piece[0].size * 8;
  return value;
}

static bool
exchange_in_turn (VtCore *core, const VtLocked *locked, uint64_t old, uint64_t value)
{
  vt_space_lock_split (core->space);
  const bool same = vt_locked_load (locked) == old;
  if (same)
    {
      vt_st (locked->piece[0].host, locked->piece[0].size, value);
      if (locked->n == 2)
        vt_st (locked->piece[1].host, locked->piece[1].size, value >> locked->piece[0].size * 8);
    }
  vt_space_unlock_split (core->space);
  return same;
}

void
vt_locked_tell (const VtLocked *locked)
{
  for (unsigned i = 0; i < locked->n; i++)
    if (locked->piece[i].logged)
      vt_ram_mark_dirty (locked->piece[i].logged, locked->piece[i].offset, locked->piece[i].size);
}

bool
vt_locked_exchange (VtCore *core, const VtLocked *locked, uint64_t old, uint64_t value)
{
  const VtLockedPiece *one = &locked->piece[0];
  const uint64_t       ones = vt_ones (one->size);
  uint64_t             found;
  bool                 done;

  if (locked->n == 2)
    done = exchange_in_turn (core, locked, old, value);
  else if (((uintptr_t) one->host & (LINE - 1)) + one->size <= LINE)
    done = ((swap (one->host, one->size, old, value) ^ old) & ones) == 0;
  else if (try_swap (one->host, one->size, old, value, &found))
    done = ((found ^ old) & ones) == 0;
  else
    done = exchange_in_turn (core, locked, old, value);
  if (done)
    vt_locked_tell (locked);
  return done;
}
