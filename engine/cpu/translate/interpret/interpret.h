/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interpreter: guest instructions of every mode, one after another. See core.h for what holds of
 * the core meanwhile.
 */
#pragma once

#include "../core.h"

/**
 * vt_interpret:
 * @budget: the most instructions (iterations of repeated ones count as they are done in one go, at most
 *   a page's worth of them).
 * @done: (out) (nullable): how many there were, of those that changed something.
 *
 * Runs until something ends it: the budget, a request (core->requests), an event of core->window that
 * can be delivered, HLT, an instruction that is declined, shutdown. Faults are delivered and are no end.
 * Returns: how it ended; VT_STEP_DONE for the first three.
 */
VtStep vt_interpret (VtCore *core, uint64_t budget, uint64_t *done);

/**
 * vt_interpret_decoded:
 * @insn: what stands at RIP.
 *
 * Does what vt_interpret() does with a budget of one, where it may do an instruction at all.
 */
VtStep vt_interpret_decoded (VtCore *core, const VtInsn *insn, uint64_t *done);

/* Why the last instruction was declined, for traces and tests: its mnemonic, or "". */
const char *vt_interpret_declined (const VtCore *core);

/* Whether it is one that is executed otherwise: declined was what it wanted. */
bool vt_interpret_declined_known (const VtCore *core);

/* decode.c: the cache of decoded instructions. */
VtDecoder *vt_decoder_new (void);
void       vt_decoder_free (VtDecoder *decoder);
