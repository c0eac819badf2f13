/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One random instruction, run by this host's processor, by the interpreter and by the translator from the
 * same state: registers, flags, units, memory and faults must come out the same.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct HostCase HostCase;

/* What code the cases are from now on: of 64 bits, as at first, or of 32. */
void host_case_set_bits (HostCase *hc, unsigned bits);

/* Maps memory for both; NULL where this host lets nobody have the addresses. */
HostCase *host_case_new (void);
void      host_case_free (HostCase *hc);

typedef enum
{
  HOST_CASE_SAME,
  HOST_CASE_DIFFERENT,
  HOST_CASE_SKIPPED,  /* The bytes are none of those that can be compared. */
  HOST_CASE_DECLINED, /* The interpreter leaves it to somebody else. */
} HostCaseEnd;

/**
 * host_case_run:
 * @data: what the case is made of; any bytes, any length. The first 32 choose the instruction.
 * @report: (out): for HOST_CASE_DIFFERENT: what it was and how it differs; for HOST_CASE_DECLINED its text;
 * otherwise NULL.
 */
HostCaseEnd host_case_run (HostCase *hc, const uint8_t *data, size_t size, char **report);

/* The same of the instruction in @bytes, whose displacement may be changed; @seed, not 0, makes its state.
 * @report also for HOST_CASE_DECLINED. */
HostCaseEnd host_case_run_insn (HostCase *hc, uint8_t bytes[15], uint64_t seed, char **report);

/* Whether the instruction in @bytes, of @bits-bit code, is of a form that is to be compared, for some state. */
bool host_case_expects (unsigned bits, const uint8_t bytes[15]);

/* Whether this host lets the translator translate; how often it has entered translated code. */
bool host_case_translated (const HostCase *hc, uint64_t *entries);
