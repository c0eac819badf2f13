/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arithmetic with exact flags: the host's own instruction, with the guest's status flags before it and
 * its result's after it, so that what the manual leaves undefined is what this host's processor does.
 */
#pragma once

#include "insn.h"

uint64_t vt_alu_add (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_adc (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_sub (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_sbb (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_and (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_or (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_xor (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
/* @b is ignored. */
uint64_t vt_alu_inc (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_dec (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_neg (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_not (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
/* @b: the count, of which the processor takes the low 5 or 6 bits. */
uint64_t vt_alu_rol (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_ror (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_rcl (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_rcr (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_shl (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_shr (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_sar (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
/* 2, 4 or 8 bytes from here on. @b: the bit's number, below the width. */
uint64_t vt_alu_bt (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_bts (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_btr (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_btc (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_imul (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
/* @a: the old destination, which BSF and BSR of 0 leave. */
uint64_t vt_alu_bsf (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_bsr (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_tzcnt (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_lzcnt (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
uint64_t vt_alu_popcnt (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);
/* SHLD and SHRD: @a shifted, filled from @b. */
uint64_t vt_alu_shld (uint64_t a, uint64_t b, unsigned count, unsigned size, uint64_t *flags);
uint64_t vt_alu_shrd (uint64_t a, uint64_t b, unsigned count, unsigned size, uint64_t *flags);
