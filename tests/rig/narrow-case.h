/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One random instruction of 32-bit or 16-bit code, in segments of all kinds, run by the interpreter, by the
 * translator, and, in a flat 32-bit segment, by this host's processor, from the same state: what they leave
 * must be the same. 64-bit mode's are host-case.h's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct NarrowCase NarrowCase;

/* Maps memory for the host; NULL where it lets nobody have the addresses. */
NarrowCase *narrow_case_new (void);
void        narrow_case_free (NarrowCase *nc);

typedef enum
{
  NARROW_CASE_SAME,
  NARROW_CASE_DIFFERENT,
  NARROW_CASE_SKIPPED, /* The bytes are none of those that can be compared. */
} NarrowCaseEnd;

/**
 * narrow_case_run:
 * @data: what the case is made of; any bytes, any length.
 * @report: (out): for NARROW_CASE_DIFFERENT: what it was and how it differs; otherwise NULL.
 */
NarrowCaseEnd narrow_case_run (NarrowCase *nc, const uint8_t *data, size_t size, char **report);

/* What has been done: entries into translated code, and runs on the host's processor. */
void narrow_case_counts (const NarrowCase *nc, uint64_t *entries, uint64_t *native);
/* Whether this host lets the translator translate. */
bool narrow_case_translates (const NarrowCase *nc);
