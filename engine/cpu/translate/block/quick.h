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
 * Returns: the host address at which it goes on, or 0: nothing has changed, and the interpreter is to do it. */
typedef uint64_t (*VtQuick) (VtCore *core, uint32_t exit, uint64_t operand);

/* The function for an instruction of 64-bit mode, or NULL. */
VtQuick vt_quick_find (const VtInsn *insn);
