/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Locked operations on RAM, at any alignment. Inside of a page they are the host's own locked instructions, as
 * they are in translated code. What crosses a page has no one host address, and some hosts forbid what crosses
 * a cache line (by a bus error): these are done under a lock of the machine's, and so are atomic among
 * themselves and not towards accesses that are not locked.
 */
#pragma once

#include "../core.h"

/* One page's part. */
typedef struct
{
  uint8_t *host;
  VtRam   *logged; /* NULL: nobody has to be told. */
  uint64_t offset; /* In @logged. */
  unsigned size;
} VtLockedPiece;

typedef struct
{
  VtLockedPiece piece[2];
  unsigned      n; /* 0: it's not all of RAM. */
} VtLocked;

/* Checks @size bytes, 1 to 8 or 16, at @linear for writing; raises the page fault. Returns: false where they are not
 * all RAM. */
bool vt_locked_open (VtCore *core, uint64_t linear, unsigned size, VtLocked *out);
/* Up to 8 bytes. */
uint64_t vt_locked_load (const VtLocked *locked);
/* Stores @value if @old is there still. Returns: whether it was. */
bool vt_locked_exchange (VtCore *core, const VtLocked *locked, uint64_t old, uint64_t value);
/* It has been written by somebody else's means. */
void vt_locked_tell (const VtLocked *locked);
