/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A loop that measures how fast guest code runs: the same bytes on the host itself and in a guest of 64 or
 * 32 bits.
 */
#pragma once

#include "vt-base.h"

/* A function of EDI, the rounds, and RSI, a buffer of VT_SPEED_BUFFER bytes; it needs 16 bytes of stack
 * besides its return address. */
extern const uint8_t vt_speed_code[], vt_speed_code_end[];

#define VT_SPEED_BUFFER 128u
#define VT_SPEED_INSNS 11.5 /* In a round. */
/* The thread's own time in ns: others may be using the processor. */
int64_t vt_speed_now (void);
/* A measurement that took this long is long enough to trust. */
#define VT_SPEED_NS (10 * VT_NS_PER_MS)
#define VT_SPEED_LEAST 2000u
#define VT_SPEED_MOST (VT_SPEED_LEAST << 20)
