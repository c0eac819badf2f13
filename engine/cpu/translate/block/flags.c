/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where status flags are dead: an instruction before which none will be read again until it's written may be
 * translated with a comparison, which is shorter and faster than what leaves flags alone. Should it fault, or
 * an interrupt come there, the flags that the guest sees are not those that were; when it goes on, nothing
 * reads them.
 *
 * Whatever leaves the page, or is the interpreter's, reads all. A flag that the manuals leave undefined counts
 * as not written, since a host may well leave it as it was.
 */
#include "../interpret/ops.h"
#include "make.h"

#define ALL ((uint32_t) VT_FLAGS_STATUS)
/* How far one looks ahead behind a block. */
#define AHEAD 6u

static bool
is_logic (const VtGuestInsn *g)
{
  return g->insn.mnemonic == ZYDIS_MNEMONIC_AND || g->insn.mnemonic == ZYDIS_MNEMONIC_OR
         || g->insn.mnemonic == ZYDIS_MNEMONIC_XOR || g->insn.mnemonic == ZYDIS_MNEMONIC_TEST;
}

/* Shifts and rotations by a count that is zero write no flag, and OF only those by one. */
static uint32_t
written_by_shift (const VtGuestInsn *g, uint32_t flags)
{
  const VtInsn *insn = &g->insn;

  if (insn->osize < 4 || insn->operand[insn->n - 1].kind != VT_OPERAND_IMM)
    return 0;
  const uint64_t count = insn->imm[insn->operand[insn->n - 1].reg] & (insn->osize == 8 ? 63 : 31);
  return count == 0 ? 0 : count == 1 ? flags : flags & ~(uint32_t) VT_FLAG_OF;
}

static uint32_t
written (const VtGuestInsn *g)
{
  const ZydisAccessedFlags *f = g->zydis.cpu_flags;

  if (g->kind != VT_KIND_PLAIN || f == NULL)
    return 0;
  const uint32_t flags = (f->modified | f->set_0 | f->set_1) & ~f->undefined & ALL;
  if (g->insn.op->run == vt_op_shift || g->insn.op->run == vt_op_shift_double)
    return written_by_shift (g, flags);
  /* These clear AF on every processor so far. */
  return is_logic (g) ? ALL : flags;
}

static uint32_t
read_by (const VtGuestInsn *g)
{
  if (vt_guest_interpreted (g))
    return ALL;
  return g->zydis.cpu_flags ? g->zydis.cpu_flags->tested & ALL : 0;
}

/* Which flags code at @rip may read before it writes them. */
static uint32_t
read_ahead (VtBlocks *b, uint64_t rip)
{
  uint32_t dead = 0, live = 0;

  for (unsigned i = 0; i < AHEAD && dead != ALL; i++)
    {
      VtGuestInsn *g = &b->guest[VT_BLOCK_INSNS];
      if (!vt_code_holds (&b->code, rip) || !vt_guest_decode (b, rip, g))
        return ALL & ~dead;
      live |= read_by (g) & ~dead;
      dead |= written (g) & ~live;
      if (g->kind == VT_KIND_JMP && g->target && vt_code_holds (&b->code, g->target))
        rip = g->target;
      else if (vt_guest_ends (g) || g->kind == VT_KIND_JCC || g->kind == VT_KIND_COUNT)
        return ALL & ~dead;
      else
        rip = g->next;
    }
  return ALL & ~dead;
}

/* What is read at @target, where an instruction leads out of the block, or to. */
static uint32_t
read_there (VtBlocks *b, uint64_t target)
{
  return vt_code_holds (&b->code, target) ? read_ahead (b, target) : ALL;
}

/* Whether the flags in front of instruction @i depend on those behind it: there's an access, or a jump, which
 * is no writer of all flags between. */
static bool
matters (const VtBlocks *b, unsigned i)
{
  for (unsigned k = i + 1; k-- > 0;)
    {
      const VtGuestInsn *g = &b->guest[k];
      if (written (g) == ALL)
        return false;
      if (vt_guest_accesses (g))
        return true;
    }
  return false;
}

void
vt_flags_plan (VtBlocks *b, unsigned n)
{
  uint32_t live = ALL;

  for (unsigned i = n; i-- > 0;)
    {
      VtGuestInsn *g = &b->guest[i];
      const bool   jumps = g->kind == VT_KIND_JCC || g->kind == VT_KIND_COUNT;
      const bool   direct = (g->kind == VT_KIND_JMP || g->kind == VT_KIND_CALL) && g->target;

      if (i == n - 1 && !vt_guest_ends (g) && matters (b, i))
        live = read_there (b, g->next);
      if (direct)
        live = matters (b, i) ? read_there (b, g->target) : ALL;
      else if (jumps && live != ALL)
        live |= matters (b, i) ? read_there (b, g->target) : ALL;
      live = (live & ~written (g)) | read_by (g);
      g->flags_live = live != 0;
    }
}
