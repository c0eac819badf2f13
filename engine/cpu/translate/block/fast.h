/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What translated code reaches by GS beside a core's registers and TLB. Part of VtCore.
 */
#pragma once

#include "vt-base.h"

typedef struct VtBlocks VtBlocks; /* block/blocks.h: a core's translated code. */

/* Where indirect and far-reaching jumps go, for each mode: by bits of the target, which two may share. */
#define VT_JUMPS 16384u
#define VT_JUMP_WAYS 2u
#define VT_JUMP_MODES 16u

typedef struct
{
  uint64_t check; /* The negative of the target: RIP, with the code segment's base (code_key). */
  uint64_t host;  /* Its block's code. */
} VtJump;

/* What a jump of code that moves (vt_code_moves()) has beside it: where it led last, or a check of 0. */
typedef struct VtJumpSlot VtJumpSlot;
struct VtJumpSlot
{
  VtJump      jump;
  VtJumpSlot *next; /* That has been filled, or VT_JUMP_SLOTS_END; NULL: it hasn't. */
  uint32_t    exit, pad_; /* For a target that the table hasn't got, either. */
};

#define VT_JUMP_SLOTS_END ((VtJumpSlot *) 1)

typedef struct
{
  /* Masks for PEXT and PDEP, which leave the flags alone: a page's number out of an address, an entry's
   * offset out of a page's number, a jump's offset out of a RIP. */
  uint64_t page_mask, entry_mask, jump_mask;
  uint64_t flags;    /* The host's RFLAGS in and out: status and DF. */
  uint64_t host_rsp; /* Of the entry. */
  uint64_t target;   /* Where the entry goes. */
  uint64_t leave;    /* vt_block_leave(). */
  uint64_t temp;     /* Between the two accesses of one instruction. */
  uint64_t rcx;      /* While RCX is borrowed. */
  uint64_t features; /* Of the units: what is loaded and saved. */
  uint8_t *image;    /* The guest's XSAVE area. */
  uint32_t exit;     /* Why it came out: VT_EXIT_*. */
  uint32_t absent;   /* The guest's units are not loaded. */
  uint32_t load;     /* To the entry: load them. */
  uint32_t fresh;    /* To the entry: code has been written since the last. */
  uint64_t fault_at; /* The host address of VT_EXIT_FAULT. */
  /* Of VT_EXIT_MISS: its VtSiteHot, the linear address, and the table's number. */
  const uint8_t *site;
  uint64_t       missed;
  uint32_t       missed_table, pad_;
  /* A safe point reads what this points to: NULL while a request is to be seen, so that the host faults there,
   * with the state at the instruction's beginning. Atomic. */
  const int *poll;
  /* The last of the x87 since the entry: its number, above VT_X87_OPCODE_BITS of its opcode; or VT_X87_NONE. And the offset of
   * the last operand in memory. */
  uint32_t x87_last, pad2_;
  uint64_t x87_data;
  uint64_t scratch[3]; /* While registers are borrowed. */
  /* Outside of 64-bit mode, set at the entry. The code segment's base, in the upper half: with a RIP it makes
   * a jump's target. And for ES to GS, to be read and to be written: the negative of the first offset that
   * may not be; 0: the interpreter looks. */
  uint64_t code_key;
  int64_t  room[6][2];
  uint64_t sign_mask, window_mask; /* For PEXT. */
  uint64_t quick; /* vt_block_quick(). */
  /* Of code that may be anywhere (vt_code_moves()): where the page is that is running; where the x87's last instruction
   * was; and where an entry from a VtQuick leads, or an indirect call. */
  uint64_t    page_rip, x87_page, to;
  uint64_t    back; /* Where an indirect jump goes on that has asked for its target, in T again. */
  VtJumpSlot *jump_slots; /* Those that have been filled. */
  /* RFLAGS less IF, less AC; IF; what the host's flags hold of it, and the rest; and SMAP in CR4. */
  uint64_t no_if_mask, no_ac_mask, if_mask, native_mask, not_native_mask, smap_mask;
} VtFast;
