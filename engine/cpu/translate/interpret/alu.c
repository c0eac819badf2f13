/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arithmetic on the host's own adder: see alu.h. The status flags travel in AX, as LAHF and SETO leave
 * them: no stack is used, so the compiler's red zone is safe.
 */
#include "alu.h"

static inline uint32_t
pack (uint64_t flags)
{
  return (uint32_t) ((flags & 0xd5) << 8 | (flags >> 11 & 1));
}

static inline uint64_t
unpack (uint64_t flags, uint32_t packed)
{
  return (flags & ~VT_FLAGS_STATUS) | (packed >> 8 & 0xd5) | (uint64_t) (packed & 1) << 11;
}

/* 1 + 127 overflows and 0 + 127 does not; SAHF leaves OF alone. */
#define BEFORE "addb $127, %%al\n\tsahf\n\t"
#define AFTER "\n\tlahf\n\tseto %%al"

/* The operands of an instruction, each with the modifier of its width: b, w, k or q. */
#define Y_X(w) " %" #w "[y], %" #w "[x]"
#define X(w) " %" #w "[x]"
#define CL_X(w) " %%cl, %" #w "[x]"
#define CL_Y_X(w) " %%cl, %" #w "[y], %" #w "[x]"

/* The instruction at one width; what it reads besides x is given as constraints. */
#define WIDTH(type, text, ...)                                                                     \
  {                                                                                                \
    type x = (type) a, y = (type) b;                                                               \
    (void) y;                                                                                      \
    __asm__ (BEFORE text AFTER : [x] "+q"(x), [f] "+a"(f) : __VA_ARGS__ : "cc");                   \
    r = x;                                                                                         \
    break;                                                                                         \
  }

#define WORDS(insn, operands, ...)                                                                 \
  case 2:                                                                                          \
    WIDTH (uint16_t, insn "w" operands (w), __VA_ARGS__)                                           \
  case 4:                                                                                          \
    WIDTH (uint32_t, insn "l" operands (k), __VA_ARGS__)                                           \
  default:                                                                                         \
    WIDTH (uint64_t, insn "q" operands (q), __VA_ARGS__)

#define BYTES(insn, operands, ...)                                                                 \
  case 1:                                                                                          \
    WIDTH (uint8_t, insn "b" operands (b), __VA_ARGS__)                                            \
  WORDS (insn, operands, __VA_ARGS__)

#define FUNCTION(name, parameters, cases)                                                          \
  uint64_t name parameters                                                                         \
  {                                                                                                \
    uint32_t f = pack (*flags);                                                                    \
    uint64_t r;                                                                                    \
    switch (size)                                                                                  \
      {                                                                                            \
        cases                                                                                      \
      }                                                                                            \
    *flags = unpack (*flags, f);                                                                   \
    return r;                                                                                      \
  }

#define PLAIN (uint64_t a, uint64_t b, unsigned size, uint64_t *flags)
#define COUNTED (uint64_t a, uint64_t b, unsigned count, unsigned size, uint64_t *flags)

#define BINARY(name, insn) FUNCTION (name, PLAIN, BYTES (insn, Y_X, [y] "q"(y)))
#define UNARY(name, insn) FUNCTION (name, PLAIN, BYTES (insn, X, [y] "q"(y)))
#define SHIFT(name, insn) FUNCTION (name, PLAIN, BYTES (insn, CL_X, "c"((uint8_t) b)))
/* Without a byte form. */
#define WIDE(name, insn) FUNCTION (name, PLAIN, WORDS (insn, Y_X, [y] "q"(y)))
#define DOUBLE(name, insn)                                                                         \
  FUNCTION (name, COUNTED, WORDS (insn, CL_Y_X, [y] "q"(y), "c"((uint8_t) count)))

BINARY (vt_alu_add, "add")
BINARY (vt_alu_adc, "adc")
BINARY (vt_alu_sub, "sub")
BINARY (vt_alu_sbb, "sbb")
BINARY (vt_alu_and, "and")
BINARY (vt_alu_or, "or")
BINARY (vt_alu_xor, "xor")
UNARY (vt_alu_inc, "inc")
UNARY (vt_alu_dec, "dec")
UNARY (vt_alu_neg, "neg")
UNARY (vt_alu_not, "not")
SHIFT (vt_alu_rol, "rol")
SHIFT (vt_alu_ror, "ror")
SHIFT (vt_alu_rcl, "rcl")
SHIFT (vt_alu_rcr, "rcr")
SHIFT (vt_alu_shl, "shl")
SHIFT (vt_alu_shr, "shr")
SHIFT (vt_alu_sar, "sar")
WIDE (vt_alu_bt, "bt")
WIDE (vt_alu_bts, "bts")
WIDE (vt_alu_btr, "btr")
WIDE (vt_alu_btc, "btc")
WIDE (vt_alu_imul, "imul")
WIDE (vt_alu_bsf, "bsf")
WIDE (vt_alu_bsr, "bsr")
WIDE (vt_alu_tzcnt, "tzcnt")
WIDE (vt_alu_lzcnt, "lzcnt")
WIDE (vt_alu_popcnt, "popcnt")
DOUBLE (vt_alu_shld, "shld")
DOUBLE (vt_alu_shrd, "shrd")
