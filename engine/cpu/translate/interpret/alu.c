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

#define TWO(type, text)                                                                            \
  {                                                                                                \
    type x = (type) a, y = (type) b;                                                               \
    __asm__ (BEFORE text AFTER : [x] "+q"(x), [f] "+a"(f) : [y] "q"(y) : "cc");                    \
    r = x;                                                                                         \
    break;                                                                                         \
  }

#define BINARY(name, text)                                                                         \
  uint64_t name (uint64_t a, uint64_t b, unsigned size, uint64_t *flags)                           \
  {                                                                                                \
    uint32_t f = pack (*flags);                                                                    \
    uint64_t r;                                                                                    \
    switch (size)                                                                                  \
      {                                                                                            \
      case 1:                                                                                      \
        TWO (uint8_t, text "b %b[y], %b[x]")                                                       \
      case 2:                                                                                      \
        TWO (uint16_t, text "w %w[y], %w[x]")                                                      \
      case 4:                                                                                      \
        TWO (uint32_t, text "l %k[y], %k[x]")                                                      \
      default:                                                                                     \
        TWO (uint64_t, text "q %q[y], %q[x]")                                                      \
      }                                                                                            \
    *flags = unpack (*flags, f);                                                                   \
    return r;                                                                                      \
  }

/* Without a byte form. */
#define WORDS(name, text)                                                                          \
  uint64_t name (uint64_t a, uint64_t b, unsigned size, uint64_t *flags)                           \
  {                                                                                                \
    uint32_t f = pack (*flags);                                                                    \
    uint64_t r;                                                                                    \
    switch (size)                                                                                  \
      {                                                                                            \
      case 2:                                                                                      \
        TWO (uint16_t, text "w %w[y], %w[x]")                                                      \
      case 4:                                                                                      \
        TWO (uint32_t, text "l %k[y], %k[x]")                                                      \
      default:                                                                                     \
        TWO (uint64_t, text "q %q[y], %q[x]")                                                      \
      }                                                                                            \
    *flags = unpack (*flags, f);                                                                   \
    return r;                                                                                      \
  }

#define UNARY(name, text)                                                                          \
  uint64_t name (uint64_t a, uint64_t b, unsigned size, uint64_t *flags)                           \
  {                                                                                                \
    uint32_t f = pack (*flags);                                                                    \
    uint64_t r;                                                                                    \
    switch (size)                                                                                  \
      {                                                                                            \
      case 1:                                                                                      \
        TWO (uint8_t, text "b %b[x]")                                                              \
      case 2:                                                                                      \
        TWO (uint16_t, text "w %w[x]")                                                             \
      case 4:                                                                                      \
        TWO (uint32_t, text "l %k[x]")                                                             \
      default:                                                                                     \
        TWO (uint64_t, text "q %q[x]")                                                             \
      }                                                                                            \
    *flags = unpack (*flags, f);                                                                   \
    return r;                                                                                      \
  }

#define COUNTED(type, text)                                                                        \
  {                                                                                                \
    type x = (type) a;                                                                             \
    __asm__ (BEFORE text AFTER : [x] "+q"(x), [f] "+a"(f) : "c"((uint8_t) b) : "cc");              \
    r = x;                                                                                         \
    break;                                                                                         \
  }

#define SHIFT(name, text)                                                                          \
  uint64_t name (uint64_t a, uint64_t b, unsigned size, uint64_t *flags)                           \
  {                                                                                                \
    uint32_t f = pack (*flags);                                                                    \
    uint64_t r;                                                                                    \
    switch (size)                                                                                  \
      {                                                                                            \
      case 1:                                                                                      \
        COUNTED (uint8_t, text "b %%cl, %b[x]")                                                    \
      case 2:                                                                                      \
        COUNTED (uint16_t, text "w %%cl, %w[x]")                                                   \
      case 4:                                                                                      \
        COUNTED (uint32_t, text "l %%cl, %k[x]")                                                   \
      default:                                                                                     \
        COUNTED (uint64_t, text "q %%cl, %q[x]")                                                   \
      }                                                                                            \
    *flags = unpack (*flags, f);                                                                   \
    return r;                                                                                      \
  }

#define FILLED(type, text)                                                                         \
  {                                                                                                \
    type x = (type) a, y = (type) b;                                                               \
    __asm__ (BEFORE text AFTER                                                                     \
             : [x] "+r"(x), [f] "+a"(f)                                                            \
             : [y] "r"(y), "c"((uint8_t) count)                                                    \
             : "cc");                                                                              \
    r = x;                                                                                         \
    break;                                                                                         \
  }

#define DOUBLE(name, text)                                                                         \
  uint64_t name (uint64_t a, uint64_t b, unsigned count, unsigned size, uint64_t *flags)           \
  {                                                                                                \
    uint32_t f = pack (*flags);                                                                    \
    uint64_t r;                                                                                    \
    switch (size)                                                                                  \
      {                                                                                            \
      case 2:                                                                                      \
        FILLED (uint16_t, text "w %%cl, %w[y], %w[x]")                                             \
      case 4:                                                                                      \
        FILLED (uint32_t, text "l %%cl, %k[y], %k[x]")                                             \
      default:                                                                                     \
        FILLED (uint64_t, text "q %%cl, %q[y], %q[x]")                                             \
      }                                                                                            \
    *flags = unpack (*flags, f);                                                                   \
    return r;                                                                                      \
  }

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
WORDS (vt_alu_bt, "bt")
WORDS (vt_alu_bts, "bts")
WORDS (vt_alu_btr, "btr")
WORDS (vt_alu_btc, "btc")
WORDS (vt_alu_imul, "imul")
WORDS (vt_alu_bsf, "bsf")
WORDS (vt_alu_bsr, "bsr")
WORDS (vt_alu_tzcnt, "tzcnt")
WORDS (vt_alu_lzcnt, "lzcnt")
WORDS (vt_alu_popcnt, "popcnt")
DOUBLE (vt_alu_shld, "shld")
DOUBLE (vt_alu_shrd, "shrd")
