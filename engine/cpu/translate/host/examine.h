/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an instruction of the x87, MMX or vector units, or of BMI, touches: whether it may be executed on
 * the host at all, and what the machine must have for it.
 */
#pragma once

#include <Zydis/Zydis.h>

#include "vt-base.h"

#define VT_UNIT_OPERAND 64u /* The longest. */

typedef enum
{
  VT_NEEDS_NOTHING, /* General registers alone: BMI, CRC32. */
  VT_NEEDS_X87,
  VT_NEEDS_MMX,
  VT_NEEDS_SSE,
  VT_NEEDS_AVX,
  VT_NEEDS_AVX512,
} VtNeeds;

typedef struct VtUnitUse
{
  uint8_t  needs;   /* VtNeeds */
  bool     x87_too; /* It touches x87 registers, as MMX ones or its own. */
  uint8_t  size;    /* Of the memory operand, or 0. */
  bool     reads, writes;
  bool     aligned; /* The operand may have to be. */
  bool     flags;   /* It changes flags. */
  /* By a mask of AVX-512: its register, or 0 where all of the operand is accessed. */
  uint8_t mask;
  uint8_t element;   /* Bytes of one of the operand's elements. */
  bool    all_fault; /* A store that may fault by what isn't selected. */
  uint8_t n_bits;    /* Of the mask that count: bit i is about element i modulo the number of elements, */
  bool    packed;    /* or there are as many elements, from the first on, as bits are set. */
} VtUnitUse;

/* Parts of AVX-512 that are offered to nobody: the host may have them, or its processor be one of those that
 * check them after the operand. */
bool vt_unit_never_offers (const ZydisDecodedInstruction *insn);
/* The units' instructions, by the extension that they came with. Nothing else is ever executed on the
 * host: an extension that is not listed is declined. */
bool vt_unit_runs (const ZydisDecodedInstruction *insn);
/* What the x87's last-opcode register has of it: the low three bits of the first byte, and ModRM (SDM volume 1, 8.1.9);
 * 0: it's none of the x87's. */
uint16_t vt_unit_x87_opcode (const ZydisDecodedInstruction *insn);
/* Which general register an operand names, as a bit. RSP counts too. */
uint32_t vt_unit_mentions (const ZydisDecodedOperand *operand);
/* Returns: false where it touches anything besides general registers, its units' registers, and one plain
 * memory operand that it shows. */
bool vt_unit_examine (const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                      VtUnitUse *use);
