/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Moves, arithmetic, shifts, bits, multiplication and division.
 */
#include "ops.h"

void
vt_op_mov (VtCore *core, const VtInsn *insn)
{
  const VtOperand *to = &insn->operand[0], *from = &insn->operand[1];

  if (to->kind == VT_OPERAND_SEG)
    {
      if (to->reg == VT_CPU_CS)
        vt_core_ud (core);
      vt_seg_load (core, to->reg, (uint16_t) vt_operand_read (core, insn, 1));
      if (to->reg == VT_CPU_SS)
        core->new_shadow = 1;
    }
  else if (to->kind == VT_OPERAND_CR || from->kind == VT_OPERAND_CR)
    vt_op_mov_control (core, insn);
  else if (to->kind == VT_OPERAND_DR || from->kind == VT_OPERAND_DR)
    vt_op_mov_debug (core, insn);
  else
    vt_operand_write (core, insn, 0, vt_operand_read (core, insn, 1));
}

void
vt_op_movzx (VtCore *core, const VtInsn *insn)
{
  vt_operand_write (core, insn, 0, vt_operand_read (core, insn, 1));
}

static uint64_t
sign_extend (uint64_t value, unsigned size)
{
  const unsigned shift = 64 - size * 8;
  return (uint64_t) ((int64_t) (value << shift) >> shift);
}

void
vt_op_movsx (VtCore *core, const VtInsn *insn)
{
  vt_operand_write (core, insn, 0,
                    sign_extend (vt_operand_read (core, insn, 1), insn->operand[1].size));
}

static uint64_t
swap_bytes (uint64_t value, unsigned size)
{
  return GUINT64_SWAP_LE_BE (value) >> (64 - size * 8);
}

void
vt_op_movbe (VtCore *core, const VtInsn *insn)
{
  vt_operand_write (core, insn, 0,
                    swap_bytes (vt_operand_read (core, insn, 1), insn->operand[0].size));
}

void
vt_op_bswap (VtCore *core, const VtInsn *insn)
{
  const unsigned size = insn->operand[0].size;
  /* Of 16 bits it is undefined; processors give 0. */
  vt_operand_write (core, insn, 0,
                    size == 2 ? 0 : swap_bytes (vt_operand_read (core, insn, 0), size));
}

void
vt_op_lea (VtCore *core, const VtInsn *insn)
{
  vt_operand_write (core, insn, 0, vt_insn_offset (core, insn));
}

void
vt_op_cmov (VtCore *core, const VtInsn *insn)
{
  /* The source is read whatever the condition, and a 32-bit destination cleared above. */
  const uint64_t value = vt_operand_read (core, insn, 1);
  vt_operand_write (core, insn, 0,
                    vt_condition (core, insn->op->arg) ? value : vt_operand_read (core, insn, 0));
}

void
vt_op_set (VtCore *core, const VtInsn *insn)
{
  vt_operand_write (core, insn, 0, vt_condition (core, insn->op->arg));
}

void
vt_op_xchg (VtCore *core, const VtInsn *insn)
{
  const unsigned m = insn->operand[1].kind == VT_OPERAND_MEM ? 1 : 0;
  VtPlace        place;
  uint64_t       old;
  const uint64_t value = vt_operand_read (core, insn, 1 - m);

  vt_place_open (core, insn, m, &place);
  do
    old = vt_place_load (core, &place);
  while (!vt_place_store (core, &place, old, value));
  vt_operand_write (core, insn, 1 - m, old);
}

/* Arithmetic ------------------------------------------------------------------------------------ */

void
vt_op_binary (VtCore *core, const VtInsn *insn)
{
  const uint64_t b = vt_operand_read (core, insn, 1);
  VtPlace        place;
  uint64_t       old, value, flags;

  vt_place_open (core, insn, 0, &place);
  do
    {
      flags = core->rflags;
      old = vt_place_load (core, &place);
      value = insn->op->alu (old, b, place.size, &flags);
    }
  while (!vt_place_store (core, &place, old, value));
  core->rflags = flags;
}

/* CMP and TEST: nothing is written. */
void
vt_op_compare (VtCore *core, const VtInsn *insn)
{
  const uint64_t a = vt_operand_read (core, insn, 0);
  insn->op->alu (a, vt_operand_read (core, insn, 1), insn->operand[0].size, &core->rflags);
}

void
vt_op_unary (VtCore *core, const VtInsn *insn)
{
  VtPlace  place;
  uint64_t old, value, flags;

  vt_place_open (core, insn, 0, &place);
  do
    {
      flags = core->rflags;
      old = vt_place_load (core, &place);
      value = insn->op->alu (old, 0, place.size, &flags);
    }
  while (!vt_place_store (core, &place, old, value));
  core->rflags = flags;
}

void
vt_op_xadd (VtCore *core, const VtInsn *insn)
{
  const uint64_t b = vt_operand_read (core, insn, 1);
  VtPlace        place;
  uint64_t       old, value, flags;

  vt_place_open (core, insn, 0, &place);
  do
    {
      flags = core->rflags;
      old = vt_place_load (core, &place);
      value = vt_alu_add (old, b, place.size, &flags);
    }
  while (!vt_place_store (core, &place, old, value));
  if (place.memory)
    vt_operand_write (core, insn, 1, old);
  else
    {
      /* XADD of a register to itself leaves the sum. */
      vt_operand_write (core, insn, 1, old);
      vt_operand_write (core, insn, 0, value);
    }
  core->rflags = flags;
}

void
vt_op_cmpxchg (VtCore *core, const VtInsn *insn)
{
  const unsigned size = insn->operand[0].size;
  const uint64_t b = vt_operand_read (core, insn, 1);
  const uint64_t want = vt_core_gpr (core, VT_CPU_RAX, size);
  VtPlace        place;
  uint64_t       old, flags;

  vt_place_open (core, insn, 0, &place);
  do
    {
      flags = core->rflags;
      old = vt_place_load (core, &place);
      vt_alu_sub (want, old, size, &flags);
    }
  /* Memory is written whatever comes out; a register that is not equal stays whole. */
  while ((place.memory || old == want)
         && !vt_place_store (core, &place, old, old == want ? b : old));
  if (old != want)
    vt_core_set_gpr (core, VT_CPU_RAX, size, old);
  core->rflags = flags;
}

/* The host's own locked instruction where the operand is RAM; it is aligned then. */
static bool
exchange_16 (uint8_t *host, uint64_t old[2], const uint64_t new[2])
{
  bool done;
  __asm__ volatile ("lock cmpxchg16b %1\n\tsete %0"
                    : "=q"(done), "+m"(*(unsigned __int128 *) (void *) host), "+a"(old[0]),
                      "+d"(old[1])
                    : "b"(new[0]), "c"(new[1])
                    : "cc", "memory");
  return done;
}

void
vt_op_cmpxchg_pair (VtCore *core, const VtInsn *insn)
{
  const unsigned    half = insn->op->arg;
  const VtAccessSet set = vt_mmu_data_set (core);
  const uint64_t    linear = vt_insn_linear (core, insn, 0, half * 2, VT_ACCESS_WRITE);
  const uint64_t    want[2] = { vt_core_gpr (core, VT_CPU_RAX, half),
                                vt_core_gpr (core, VT_CPU_RDX, half) };
  const uint64_t    new[2] = { vt_core_gpr (core, VT_CPU_RBX, half),
                               vt_core_gpr (core, VT_CPU_RCX, half) };
  uint64_t          old[2] = { want[0], want[1] };
  bool              equal;

  if (half == 8 && (linear & 15))
    vt_core_gp (core, 0);
  VtLocked locked = { .n = 0 };
  const bool ram = vt_locked_open (core, linear, half * 2, &locked);
  if (ram && half == 8)
    {
      equal = exchange_16 (locked.piece[0].host, old, new);
      vt_locked_tell (&locked);
    }
  else if (ram)
    {
      uint64_t was;
      do
        {
          was = vt_locked_load (&locked);
          equal = was == (want[0] | want[1] << 32);
        }
      while (!vt_locked_exchange (core, &locked, was, equal ? new[0] | new[1] << 32 : was));
      old[0] = was & 0xffffffff;
      old[1] = was >> 32;
    }
  else
    {
      uint8_t bytes[16];
      vt_mmu_read (core, linear, bytes, half * 2, VT_ACCESS_WRITE, set);
      old[0] = vt_ld (bytes, half);
      old[1] = vt_ld (bytes + half, half);
      equal = old[0] == want[0] && old[1] == want[1];
      vt_st (bytes, half, equal ? new[0] : old[0]);
      vt_st (bytes + half, half, equal ? new[1] : old[1]);
      vt_mmu_write (core, linear, bytes, half * 2, set);
    }
  if (!equal)
    {
      vt_core_set_gpr (core, VT_CPU_RAX, half, old[0]);
      vt_core_set_gpr (core, VT_CPU_RDX, half, old[1]);
    }
  vt_put_flag (core, VT_FLAG_ZF, equal);
}

/* Shifts ---------------------------------------------------------------------------------------- */

void
vt_op_shift (VtCore *core, const VtInsn *insn)
{
  const uint64_t count = insn->n > 1 ? vt_operand_read (core, insn, 1) : 1;
  VtPlace        place;
  uint64_t       flags = core->rflags;

  vt_place_open (core, insn, 0, &place);
  const uint64_t old = vt_place_load (core, &place);
  const uint64_t value = insn->op->alu (old, count, place.size, &flags);
  vt_place_store (core, &place, old, value);
  core->rflags = flags;
}

void
vt_op_shift_double (VtCore *core, const VtInsn *insn)
{
  const uint64_t b = vt_operand_read (core, insn, 1);
  const unsigned count = vt_operand_read (core, insn, 2) & 0xff;
  VtPlace        place;
  uint64_t       flags = core->rflags;

  vt_place_open (core, insn, 0, &place);
  const uint64_t old = vt_place_load (core, &place);
  const uint64_t value = (insn->op->arg ? vt_alu_shrd : vt_alu_shld) (old, b, count, place.size,
                                                                      &flags);
  vt_place_store (core, &place, old, value);
  core->rflags = flags;
}

/* Bits ------------------------------------------------------------------------------------------ */

/* A bit number in a register reaches beyond a memory operand: bit -1 is the byte before it. */
void
vt_op_bit (VtCore *core, const VtInsn *insn)
{
  const VtOperand *to = &insn->operand[0];
  const unsigned   size = to->size;
  const uint64_t   number = vt_operand_read (core, insn, 1);
  VtInsn           moved = *insn;
  VtPlace          place;
  uint64_t         old, value, flags;

  if (to->kind == VT_OPERAND_MEM && insn->operand[1].kind == VT_OPERAND_GPR)
    moved.disp += ((int64_t) sign_extend (number, size) >> 3) & ~(int64_t) (size - 1);
  const uint64_t bit = number & (size * 8 - 1);
  if (insn->op->alu == vt_alu_bt)
    {
      vt_alu_bt (vt_operand_read (core, &moved, 0), bit, size, &core->rflags);
      return;
    }
  vt_place_open (core, &moved, 0, &place);
  do
    {
      flags = core->rflags;
      old = vt_place_load (core, &place);
      value = insn->op->alu (old, bit, size, &flags);
    }
  while (!vt_place_store (core, &place, old, value));
  core->rflags = flags;
}

void
vt_op_scan (VtCore *core, const VtInsn *insn)
{
  const uint64_t b = vt_operand_read (core, insn, 1);
  const uint64_t value = insn->op->alu (vt_operand_read (core, insn, 0), b, insn->operand[0].size,
                                        &core->rflags);
  /* BSF and BSR of nothing leave the destination whole, upper half and all. */
  if (b == 0 && (insn->mnemonic == ZYDIS_MNEMONIC_BSF || insn->mnemonic == ZYDIS_MNEMONIC_BSR))
    return;
  vt_operand_write (core, insn, 0, value);
}

/* Multiplication and division ------------------------------------------------------------------- */

static void
put_wide (VtCore *core, unsigned size, uint64_t low, uint64_t high)
{
  if (size == 1)
    vt_core_set_gpr (core, VT_CPU_RAX, 2, (low & 0xff) | (high & 0xff) << 8);
  else
    {
      vt_core_set_gpr (core, VT_CPU_RAX, size, low);
      vt_core_set_gpr (core, VT_CPU_RDX, size, high);
    }
}

/* The one-operand forms. @arg: signed. SF, ZF, AF and PF are undefined and stay. */
void
vt_op_mul (VtCore *core, const VtInsn *insn)
{
  const unsigned size = insn->operand[0].size;
  const uint64_t a = vt_core_gpr (core, VT_CPU_RAX, size), b = vt_operand_read (core, insn, 0);
  uint64_t       low, high;
  bool           over;

  if (insn->op->arg)
    {
      const __int128 wide = (__int128) (int64_t) sign_extend (a, size)
                            * (__int128) (int64_t) sign_extend (b, size);
      low = (uint64_t) wide & vt_ones (size);
      high = (uint64_t) ((unsigned __int128) wide >> (size * 8)) & vt_ones (size);
      over = wide != (__int128) (int64_t) sign_extend (low, size);
    }
  else
    {
      const unsigned __int128 wide = (unsigned __int128) a * b;
      low = (uint64_t) wide & vt_ones (size);
      high = (uint64_t) (wide >> (size * 8)) & vt_ones (size);
      over = high != 0;
    }
  put_wide (core, size, low, high);
  vt_put_flag (core, VT_FLAG_CF, over);
  vt_put_flag (core, VT_FLAG_OF, over);
}

void
vt_op_imul (VtCore *core, const VtInsn *insn)
{
  if (insn->n == 1)
    {
      vt_op_mul (core, insn);
      return;
    }
  const unsigned a = insn->n == 3 ? 1 : 0;
  const uint64_t x = vt_operand_read (core, insn, a), y = vt_operand_read (core, insn, a + 1);
  vt_operand_write (core, insn, 0,
                    vt_alu_imul (x, y, insn->operand[0].size, &core->rflags));
}

static unsigned __int128
dividend (const VtCore *core, unsigned size)
{
  if (size == 1)
    return vt_core_gpr (core, VT_CPU_RAX, 2);
  return (unsigned __int128) vt_core_gpr (core, VT_CPU_RDX, size) << (size * 8)
         | vt_core_gpr (core, VT_CPU_RAX, size);
}

void
vt_op_div (VtCore *core, const VtInsn *insn)
{
  const unsigned          size = insn->operand[0].size;
  const uint64_t          b = vt_operand_read (core, insn, 0);
  const unsigned __int128 a = dividend (core, size);

  if (b == 0 || a / b > vt_ones (size))
    vt_core_raise (core, VT_EXC_DE, 0);
  put_wide (core, size, (uint64_t) (a / b), (uint64_t) (a % b));
}

void
vt_op_idiv (VtCore *core, const VtInsn *insn)
{
  const unsigned size = insn->operand[0].size;
  const int64_t  b = (int64_t) sign_extend (vt_operand_read (core, insn, 0), size);
  const unsigned shift = 128 - size * 16;
  const __int128 a = (__int128) (dividend (core, size) << shift) >> shift;

  if (b == 0)
    vt_core_raise (core, VT_EXC_DE, 0);
  /* The least 128-bit number by -1 has no 128-bit quotient; no quotient of it fits anyway. */
  if (b == -1 && a == (__int128) ((unsigned __int128) 1 << 127))
    vt_core_raise (core, VT_EXC_DE, 0);
  const __int128 quotient = a / b;
  if (quotient != (__int128) (int64_t) sign_extend ((uint64_t) quotient, size))
    vt_core_raise (core, VT_EXC_DE, 0);
  put_wide (core, size, (uint64_t) quotient & vt_ones (size),
            (uint64_t) (a % b) & vt_ones (size));
}

/* CBW, CWDE, CDQE; CWD, CDQ, CQO: @arg is the size that is extended. */
void
vt_op_extend_a (VtCore *core, const VtInsn *insn)
{
  const unsigned from = insn->op->arg;
  vt_core_set_gpr (core, VT_CPU_RAX, from * 2,
                   sign_extend (vt_core_gpr (core, VT_CPU_RAX, from), from));
}

void
vt_op_extend_d (VtCore *core, const VtInsn *insn)
{
  const unsigned from = insn->op->arg;
  const uint64_t sign = sign_extend (vt_core_gpr (core, VT_CPU_RAX, from), from);
  vt_core_set_gpr (core, VT_CPU_RDX, from, (int64_t) sign < 0 ? UINT64_MAX : 0);
}

/* Flags ------------------------------------------------------------------------------------------- */

/* @arg: bits 0 to 5 the flag's number, bit 6 its value. */
void
vt_op_flag (VtCore *core, const VtInsn *insn)
{
  vt_put_flag (core, VT_BIT (insn->op->arg & 63), (insn->op->arg & 64) != 0);
}

void
vt_op_cmc (VtCore *core, const VtInsn *insn)
{
  core->rflags ^= VT_FLAG_CF;
}

void
vt_op_lahf (VtCore *core, const VtInsn *insn)
{
  core->gpr[VT_CPU_RAX] = (core->gpr[VT_CPU_RAX] & ~UINT64_C (0xff00))
                          | ((core->rflags & 0xd5) | 2) << 8;
}

void
vt_op_sahf (VtCore *core, const VtInsn *insn)
{
  core->rflags = (core->rflags & ~UINT64_C (0xd5)) | (core->gpr[VT_CPU_RAX] >> 8 & 0xd5);
}

/* MFENCE: what was stored before it is seen before what is loaded behind it. */
void
vt_op_fence (VtCore *core, const VtInsn *insn)
{
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
}

void
vt_op_nop (VtCore *core, const VtInsn *insn)
{
}
