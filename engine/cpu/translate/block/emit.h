/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The few host instructions that the translator makes itself, none of which changes a flag (SDM volume 2),
 * and the rewriting of a guest instruction's memory operand.
 */
#pragma once

#include <Zydis/Zydis.h>

#include "../core.h"

/* Scratch in translated code: the guest's R9 to R11 live in core->gpr[] and are lent to the instructions
 * that name them. */
#define VT_G 9u
#define VT_S 10u
#define VT_T 11u
#define VT_NONE 0xffu

static inline bool
vt_is_lent (unsigned gpr)
{
  return gpr >= VT_G && gpr <= VT_T;
}

typedef struct
{
  uint8_t *write;    /* The cache's memory as it is written. */
  uint32_t at, end;  /* Offsets in it. */
} VtEmit;

/* A memory operand of the host's: registers by number or VT_NONE. With VT_RIP as its base @disp is an offset
 * in the cache, of which there may be one behind its end. */
typedef struct
{
  uint8_t base, index, scale;
  bool    gs;
  int32_t disp;
} VtHostMem;

#define VT_RIP 0xfeu

#define VT_AT_CORE(offset) \
  ((VtHostMem){ .base = VT_NONE, .index = VT_NONE, .gs = true, .disp = (int32_t) (offset) })
#define VT_AT(field) VT_AT_CORE (offsetof (VtCore, field))
#define VT_AT_GPR(n) VT_AT_CORE (offsetof (VtCore, gpr) + 8 * (n))
/* Relative to the core and a register. */
#define VT_AT_CORE_PLUS(reg, offset) \
  ((VtHostMem){ .base = (uint8_t) (reg), .index = VT_NONE, .gs = true, .disp = (int32_t) (offset) })

static inline void
vt_emit8 (VtEmit *e, unsigned byte)
{
  e->write[e->at++] = (uint8_t) byte;
}

static inline void
vt_emit32 (VtEmit *e, uint32_t value)
{
  vt_st32 (e->write + e->at, value);
  e->at += 4;
}

static inline void
vt_emit64 (VtEmit *e, uint64_t value)
{
  vt_st64 (e->write + e->at, value);
  e->at += 8;
}

/* Loads, stores and addresses: @wide: 64 bits, else 32. */
void vt_emit_load (VtEmit *e, bool wide, unsigned reg, VtHostMem mem);
void vt_emit_store (VtEmit *e, bool wide, unsigned reg, VtHostMem mem);
/* A byte, zero-extended; and the low one of R8 to R15. */
void vt_emit_load8 (VtEmit *e, unsigned reg, VtHostMem mem);
void vt_emit_store8 (VtEmit *e, unsigned reg, VtHostMem mem);
/* The host's RFLAGS, by its stack. */
void vt_emit_pushf_pop (VtEmit *e, unsigned reg);
void vt_emit_lea (VtEmit *e, bool wide, unsigned reg, VtHostMem mem);
/* The same of 2, 4 or 8 bytes: a load of 2 is extended by zeros. */
void vt_emit_load_sized (VtEmit *e, unsigned size, unsigned reg, VtHostMem mem);
void vt_emit_store_sized (VtEmit *e, unsigned size, unsigned reg, VtHostMem mem);
void vt_emit_store_imm_sized (VtEmit *e, unsigned size, VtHostMem mem, int32_t value);
/* Between registers; of 2 bytes only those are written. */
void vt_emit_mov_sized (VtEmit *e, unsigned size, unsigned to, unsigned from);
void vt_emit_extend16 (VtEmit *e, unsigned to, unsigned from);
void vt_emit_not (VtEmit *e, unsigned reg);
/* Status flags to AX and back. */
void vt_emit_flags_to_ax (VtEmit *e);
void vt_emit_ax_to_flags (VtEmit *e);
/* A string instruction, by the opcode that it has for bytes. */
void vt_emit_string (VtEmit *e, unsigned opcode, unsigned size);
/* AL and AH, or their like of RCX, RDX, RBX. */
void vt_emit_swap_halves (VtEmit *e, unsigned reg);
/* A constant to memory, sign-extended where it's @wide. */
void vt_emit_store_imm (VtEmit *e, bool wide, VtHostMem mem, int32_t value);
void vt_emit_mov (VtEmit *e, unsigned to, unsigned from);
void vt_emit_mov_imm (VtEmit *e, unsigned to, uint64_t value);
void vt_emit_rorx (VtEmit *e, unsigned to, unsigned from, unsigned count);
void vt_emit_pext (VtEmit *e, unsigned to, unsigned from, VtHostMem mask);
void vt_emit_pdep (VtEmit *e, unsigned to, unsigned from, VtHostMem mask);
void vt_emit_jump_memory (VtEmit *e, VtHostMem mem);

/* Those that do change flags. 64 bits, but for the AND. */
typedef enum
{
  VT_ALU_ADD = 0,
  VT_ALU_AND = 4,
  VT_ALU_SUB = 5,
  VT_ALU_CMP = 7, /* The numbers are those of opcode 81's ModRM. */
} VtAluOp;

void vt_emit_alu (VtEmit *e, VtAluOp op, unsigned reg, VtHostMem mem);
void vt_emit_alu_imm (VtEmit *e, VtAluOp op, bool wide, unsigned reg, int32_t imm);
void vt_emit_test (VtEmit *e, unsigned reg);
void vt_emit_cmp_zero (VtEmit *e, VtHostMem mem);
#define VT_CC_BELOW 2u
#define VT_CC_ABOVE 7u
#define VT_CC_EQUAL 4u
#define VT_CC_NOT_EQUAL 5u
#define VT_CC_NOT_SIGN 9u

/* Jumps with 32-bit displacements. Return: where the displacement is, for vt_emit_aim(). */
uint32_t vt_emit_jmp (VtEmit *e);
uint32_t vt_emit_jcc (VtEmit *e, unsigned condition);
/* Lets the displacement at @where go to @target; of code that may be running, too (SDM volume 3, 8.1.3: an
 * aligned or cache-line-contained store is seen whole; this thread alone runs it anyhow). */
void vt_emit_aim (VtEmit *e, uint32_t where, uint32_t target);

/* JRCXZ over a jump: what follows runs where RCX is zero, and the jump that is returned is taken where it
 * isn't. */
uint32_t vt_emit_unless_zero (VtEmit *e);

/**
 * vt_emit_rewritten:
 * @reg, @vvvv: general registers for the fields of those names, or VT_NONE: as they are.
 *
 * Emits the guest instruction with another memory operand, without its segment and address-size prefixes;
 * legacy, VEX and EVEX encodings that have a ModRM byte.
 */
void vt_emit_rewritten (VtEmit *e, const ZydisDecodedInstruction *insn, const uint8_t *bytes,
                        VtHostMem mem, unsigned reg, unsigned vvvv);
