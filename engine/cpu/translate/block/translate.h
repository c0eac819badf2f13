/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The translator: guest code as host code, guest registers in host registers; what it leaves, by the
 * interpreter.
 */
#pragma once

#include "../core.h"

/**
 * vt_translate:
 * @budget: how often it may come back from translated code, or interpret an instruction, before it returns.
 *   Between two of these it runs any number of instructions; a request ends it soon, wherever it is.
 * @done: (out) (nullable): how often that was, where anything changed.
 *
 * Runs as vt_interpret() does, and ends as it does, with the same state at every end. VT_CORE_CODE among
 * the requests is its own, and is no end. Where the host has no executable memory or lacks BMI2, it
 * interprets.
 *
 * In translated code the thread's GS base, alternative signal stack and signal mask are its own; they are
 * the caller's again when it returns.
 */
VtStep vt_translate (VtCore *core, uint64_t budget, uint64_t *done);

/* One instruction, with vt_translate()'s care for what is translated. */
VtStep vt_translate_one (VtCore *core);

/* Around what writes guest memory through this core's MMU outside of vt_translate(), such as the delivery of an
 * event: between the two, who translates a page that this core may be writing waits until it has looked. The
 * core's thread; they do not nest. */
void vt_translate_begin_writes (VtCore *core);
void vt_translate_end_writes (VtCore *core);

/* Whether vt_translate() translates on this host. */
bool vt_translate_available (VtCore *core);

/* What translating has come to, for reports and tests. */
typedef struct
{
  uint64_t blocks, instructions; /* Translated, those again that were written over. */
  uint64_t interpreted;          /* Instructions executed by the interpreter. */
  uint64_t entries;              /* Into translated code. */
  uint64_t written;              /* Pages whose code was written; */
  uint64_t revived;              /* blocks of them that were found unchanged. */
  uint64_t replaced;             /* Blocks, for accesses that go from page to page. */
  uint64_t flushes;              /* Of the whole cache. */
  uint64_t brought;              /* Pages to the TLB, without leaving translated code. */
} VtTranslateCounts;

void vt_translate_counts (const VtCore *core, VtTranslateCounts *counts);

/* Forgets everything. The core's thread, not out of translated code, or while it stands. */
void vt_blocks_flush (VtBlocks *blocks);
/* May be NULL. */
void vt_blocks_free (VtBlocks *blocks);
