/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Functions that translated code calls. They are entered through vt_block_quick() (enter.c) on the host's stack,
 * with the guest's general registers in core->gpr[] and what the host's flags hold of its in fast.flags.
 */
#pragma once

#include "../interpret/insn.h"
#include "blocks.h"

/* What the host's flags hold of the guest's. */
#define VT_FLAGS_NATIVE (VT_FLAGS_STATUS | VT_FLAG_DF)

/* @exit: VT_EXIT_INSN and the instruction's number. @operand: where the next instruction is, or a selector.
 * Returns: the host address at which it goes on, or 0: the interpreter is to do it, or what is left of it. */
typedef uint64_t (*VtQuick) (VtCore *core, uint32_t exit, uint64_t operand);

static inline const VtBlockInsn *
vt_quick_insn (const VtCore *core, uint32_t exit)
{
  return vt_block_insn (core->blocks, exit & ((1u << VT_EXIT_SHIFT) - 1));
}

/* The host address behind the instruction, in its block. */
static inline uint64_t
vt_quick_behind (const VtCore *core, uint32_t exit)
{
  return (uint64_t) (uintptr_t) (core->blocks->area.execute + vt_quick_insn (core, exit)[1].host);
}

/* Somebody wants the core, or an event waits for what may change now. */
static inline bool
vt_quick_awaited (const VtCore *core)
{
  return __atomic_load_n (&core->fast.poll, __ATOMIC_RELAXED) == NULL || core->window;
}

/* quick-data.c: strings, and BT and its kin by the number in a register. */
uint64_t vt_quick_string (VtCore *core, uint32_t exit, uint64_t next);
uint64_t vt_quick_bit (VtCore *core, uint32_t exit, uint64_t next);

/* find.c: of a jump to @target, which the table hasn't got: of its link, and of the instruction. */
uint64_t vt_quick_branch (VtCore *core, uint32_t exit, uint64_t target);
uint64_t vt_quick_indirect (VtCore *core, uint32_t exit, uint64_t target);

/* For VT_EXIT_MISS, whose site and address are in core->fast: brings the page to the TLB. @live: where flags live. */
uint64_t vt_quick_miss (VtCore *core, uint32_t exit, uint64_t live);

/* The function for an instruction of 64-bit mode, or NULL; POPF's and strings' are for other modes, too. */
VtQuick vt_quick_find (const VtInsn *insn);
