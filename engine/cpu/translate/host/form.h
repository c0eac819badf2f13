/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The form of an instruction of the units: the same with other registers of the same kinds, another operand
 * in memory. One of each form is part of the program (list-forms.c), so that the host executes a guest's
 * instruction without any code being written: registers are put where the form has them, and back.
 */
#pragma once

#include <Zydis/Zydis.h>

#include "vt-base.h"

#define VT_FORM_BASE 7u  /* RDI points to the operand in memory. */
#define VT_FORM_OPERANDS 5u
#define VT_FORM_ALL 0xff /* For a mask: all of its bits are set. */

typedef enum
{
  VT_FORM_GPR,
  VT_FORM_HIGH, /* AH to BH, which the form has a low byte for. */
  VT_FORM_MMX,
  VT_FORM_VECTOR,
  VT_FORM_MASK,
} VtFormKind;

/* A register that the instruction names. */
typedef struct
{
  uint8_t kind;        /* VtFormKind */
  uint8_t guest, host; /* In the instruction, and in its form. */
  bool    written;
  bool    cleared; /* Zeroes go into the form's. */
} VtFormRegister;

typedef struct
{
  /* Its bytes, behind them RET, behind that zeroes; the first in the lowest bits. All are that short. */
  uint64_t       code;
  unsigned       n;
  VtFormRegister reg[VT_FORM_OPERANDS];
} VtForm;

/* The form of an instruction that vt_unit_examine() lets through. Returns: false, there is none. */
bool vt_form_of (const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands, VtForm *form);
