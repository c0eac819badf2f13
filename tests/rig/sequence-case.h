/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random programs of a few dozen instructions, such as the translator's optimizations are about: accesses around
 * the same registers, some of which fault, cross pages, are a device's or the program's own code; flags that
 * live and die across them; jumps, calls and loops. The interpreter, the strict translator and the optimizing
 * one must leave the same state, several times over, with what they know from the time before.
 */
#pragma once

#include "vt-base.h"

typedef struct SequenceCase SequenceCase;

/* NULL: this host has no translator. */
SequenceCase *sequence_case_new (void);
void          sequence_case_free (SequenceCase *sc);

/* How much of what was run, for a test to see that something was. */
typedef struct
{
  uint64_t runs, faults, instructions; /* The last: that were made. */
} SequenceCounts;

void sequence_case_counts (const SequenceCase *sc, SequenceCounts *counts);

/* Makes a program of @data, which may be of any length, and runs it. Returns: what differs, or NULL. */
char *sequence_case_run (SequenceCase *sc, const uint8_t *data, size_t size);
