/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A decoded instruction as the interpreter wants it, and access to its operands.
 */
#pragma once

#include <Zydis/Zydis.h>

#include "../system/system.h"
#include "locked.h"

typedef enum
{
  VT_OPERAND_NONE,
  VT_OPERAND_GPR,
  VT_OPERAND_HIGH, /* AH, CH, DH, BH: @reg is 0 to 3. */
  VT_OPERAND_MEM,
  VT_OPERAND_IMM,  /* @reg: which of imm[]. */
  VT_OPERAND_SEG,
  VT_OPERAND_CR,
  VT_OPERAND_DR,
  VT_OPERAND_FAR,  /* A pointer in the instruction: imm[0] offset, imm[1] selector. */
  VT_OPERAND_OTHER, /* A register of the x87 or vector units. */
} VtOperandKind;

typedef struct
{
  uint8_t kind; /* VtOperandKind */
  uint8_t reg;
  uint8_t size; /* Bytes; 0 where it says nothing (LEA's memory). */
  bool    written;
} VtOperand;

#define VT_NO_REG 0xffu
#define VT_REG_RIP 0xfeu
#define VT_OPERANDS 4u

/* Computes on the low @size bytes of @a and @b; *@flags: RFLAGS in and out. */
typedef uint64_t (*VtAlu) (uint64_t a, uint64_t b, unsigned size, uint64_t *flags);

/* What table.c knows about a mnemonic. */
typedef struct
{
  void (*run) (VtCore *core, const VtInsn *insn);
  VtAlu   alu;
  uint8_t arg;
} VtOp;

struct VtInsn
{
  const VtOp *op;
  uint16_t    mnemonic;
  uint8_t     length;
  uint8_t     osize;  /* Operand size in bytes: 1, 2, 4, 8. */
  uint8_t     asize;  /* Address size: 2, 4, 8. */
  uint8_t     n;      /* Operands that the assembler shows. */
  bool        rep, repne, lock;
  /* The memory operand; for string instructions @seg is the source's. */
  uint8_t     seg, base, index, scale;
  int64_t     disp;
  uint64_t    imm[2];
  VtOperand   operand[VT_OPERANDS];
  uint8_t     bytes[15];
  uint8_t     mode; /* ZydisMachineMode */
};

extern const VtOp vt_op_unit; /* unit-state.c: whatever runs on the host's units. */
extern const VtOp vt_op_far_jump, vt_op_far_call, vt_op_far_return;
const VtOp       *vt_op_find (ZydisMnemonic mnemonic); /* table.c; NULL: none. */

/* decode.c: the instruction at CS:RIP. Raises what its fetch raises, and #UD. */
const VtInsn *vt_decode (VtCore *core);
ZydisMachineMode vt_decode_mode (const VtCore *core);
const ZydisDecoder *vt_decoder_zydis (const VtDecoder *decoder, ZydisMachineMode mode);
/* What Zydis has found, as the interpreter wants it. @op is NULL where nobody knows it. */
void vt_insn_take (VtInsn *insn, const ZydisDecodedInstruction *from,
                   const ZydisDecodedOperand *operands, ZydisMachineMode mode, const uint8_t *bytes);
/* @insn is the last that was decoded, wherever that was. */
void             vt_decoder_note (VtDecoder *decoder, const VtInsn *insn);
const char      *vt_decoder_last (const VtDecoder *decoder);
bool             vt_decoder_last_known (const VtDecoder *decoder);

/* operand.c */
/* The offset of the memory operand in its segment. */
uint64_t vt_insn_offset (const VtCore *core, const VtInsn *insn);
/* Its linear address, checked for @size bytes from @skip on. */
uint64_t vt_insn_linear (VtCore *core, const VtInsn *insn, unsigned skip, unsigned size,
                         VtAccessKind kind);
uint64_t vt_operand_read (VtCore *core, const VtInsn *insn, unsigned n);
void     vt_operand_write (VtCore *core, const VtInsn *insn, unsigned n, uint64_t value);

/* A destination that is read, computed on and written: checked for writing at once. */
typedef struct
{
  const VtInsn *insn;
  uint8_t      *host;   /* Of memory that is one piece of RAM. */
  uint64_t      linear;
  uint8_t       n, size;
  bool          memory, atomic;
  VtLocked      locked; /* Where it's atomic. */
} VtPlace;

void     vt_place_open (VtCore *core, const VtInsn *insn, unsigned n, VtPlace *place);
uint64_t vt_place_load (VtCore *core, const VtPlace *place);
/* Returns: false where a locked one has changed since @old was read, and all is to be done again. */
bool vt_place_store (VtCore *core, const VtPlace *place, uint64_t old, uint64_t value);

/* Whether condition @cc of Jcc, SETcc, CMOVcc holds (SDM volume 1, appendix B). */
static inline bool
vt_condition (const VtCore *core, unsigned cc)
{
  const uint64_t f = core->rflags;
  const bool     less = !(f & VT_FLAG_SF) != !(f & VT_FLAG_OF);
  bool           yes;

  switch (cc >> 1)
    {
    case 0:
      yes = (f & VT_FLAG_OF) != 0;
      break;
    case 1:
      yes = (f & VT_FLAG_CF) != 0;
      break;
    case 2:
      yes = (f & VT_FLAG_ZF) != 0;
      break;
    case 3:
      yes = (f & (VT_FLAG_CF | VT_FLAG_ZF)) != 0;
      break;
    case 4:
      yes = (f & VT_FLAG_SF) != 0;
      break;
    case 5:
      yes = (f & VT_FLAG_PF) != 0;
      break;
    case 6:
      yes = less;
      break;
    default:
      yes = less || (f & VT_FLAG_ZF);
      break;
    }
  return yes != (cc & 1);
}

static inline void
vt_put_flag (VtCore *core, uint64_t flag, bool on)
{
  core->rflags = on ? core->rflags | flag : core->rflags & ~flag;
}

/* Goes to @rip in the present code segment: #GP where it is outside. */
void vt_near_jump (VtCore *core, uint64_t rip, unsigned size);
