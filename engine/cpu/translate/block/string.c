/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * MOVS, STOS and LODS that are not repeated: the host's own, between host addresses. It goes the way that DF tells,
 * and by how far is added to the guest's registers.
 */
#include "../interpret/ops.h"
#include "make.h"

static unsigned
which_of (const VtGuestInsn *g)
{
  return g->insn.op->arg & 15;
}

static unsigned
size_of (const VtGuestInsn *g)
{
  return g->insn.op->arg >> 4;
}

bool
vt_string_fits (const VtInsn *insn)
{
  const unsigned which = insn->op->arg & 15;

  return !insn->rep && !insn->repne
         && (which == VT_STRING_MOVS || which == VT_STRING_STOS || which == VT_STRING_LODS);
}

/* Register @to: the host's address of the element that @reg points to in @seg. Where that is the page that an empty slot
 * has for its own, the host faults here, while nothing has changed yet. S is used. */
static void
emit_reach (VtMake *make, const VtGuestInsn *g, unsigned reg, unsigned seg, bool write, unsigned to)
{
  const bool     narrow = vt_guest_is_narrow (g);
  const bool     based = seg >= VT_CPU_FS || (narrow && (!g->flat || seg == VT_CPU_CS));
  const VtAccess at = vt_make_access (make,
                                      (VtGuestMem){ .base = (uint8_t) reg,
                                                    .index = VT_NONE,
                                                    .scale = 1,
                                                    .seg = (uint8_t) (based ? seg : VT_NONE),
                                                    .narrow = g->insn.asize <= 4,
                                                    .word = g->insn.asize == 2,
                                                    .limited = narrow && based },
                                      size_of (g), write, 0);

  vt_emit_lea (make->e, true, to, at.mem);
  vt_emit_load8 (make->e, VT_S, (VtHostMem){ .base = (uint8_t) to, .index = VT_NONE });
}

/* Register @reg: what it was, which is in @old and lost, and @by more. */
static void
emit_advance (VtEmit *e, const VtGuestInsn *g, unsigned reg, unsigned old, unsigned by)
{
  const VtHostMem sum = { .base = (uint8_t) old, .index = (uint8_t) by, .scale = 1 };

  if (g->insn.asize > 2)
    {
      vt_emit_lea (e, g->insn.asize == 8, reg, sum);
      return;
    }
  vt_emit_mov (e, reg, old);
  vt_emit_lea (e, false, old, sum);
  vt_emit_mov_sized (e, 2, reg, old);
}

/* Register @before, where @reg was: how far it has come since. */
static void
emit_distance (VtEmit *e, unsigned reg, unsigned before)
{
  vt_emit_not (e, before);
  vt_emit_lea (e, true, before,
               (VtHostMem){ .base = (uint8_t) before, .index = (uint8_t) reg, .scale = 1, .disp = 1 });
}

void
vt_make_string (VtMake *make, const VtGuestInsn *g)
{
  static const uint8_t opcode[] = { [VT_STRING_MOVS] = 0xa4, [VT_STRING_STOS] = 0xaa, [VT_STRING_LODS] = 0xac };
  const unsigned       which = which_of (g), reg = which == VT_STRING_LODS ? VT_CPU_RSI : VT_CPU_RDI;
  VtEmit              *e = make->e;

  if (which == VT_STRING_MOVS)
    {
      emit_reach (make, g, VT_CPU_RSI, g->insn.seg, false, VT_G);
      vt_emit_store (e, true, VT_G, VT_AT (fast.temp));
    }
  emit_reach (make, g, reg, reg == VT_CPU_RSI ? g->insn.seg : VT_CPU_ES, reg == VT_CPU_RDI, VT_G);
  /* The guest's RDI, or LODS's RSI, is in T, and MOVS's RSI in G. */
  vt_emit_mov (e, VT_T, reg);
  vt_emit_mov (e, reg, VT_G);
  vt_emit_mov (e, VT_S, VT_G);
  if (which == VT_STRING_MOVS)
    {
      vt_emit_mov (e, VT_G, VT_CPU_RSI);
      vt_emit_load (e, true, VT_CPU_RSI, VT_AT (fast.temp));
    }
  vt_emit_string (e, opcode[which], size_of (g));
  emit_distance (e, reg, VT_S);
  emit_advance (e, g, reg, VT_T, VT_S);
  if (which == VT_STRING_MOVS)
    emit_advance (e, g, VT_CPU_RSI, VT_G, VT_S);
}
