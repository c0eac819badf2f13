/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Groups: accesses at constant distances from one register, which one check serves, of the whole span that
 * they make. Its addend stays in G from the first of them, the leader, to the last; in 32-bit code, where
 * addresses wrap and registers' upper halves may be anything, the host's address of the span. Where the span is not in
 * one page that may be accessed so, the leader goes to a block that is made without groups
 * (VT_MODE_SINGLE), at the same instruction.
 *
 * The leader's check promises nothing of the instructions between: what faults, faults on its own. A page
 * that a later member would write is never marked dirty by it, since only what is in the write table passes.
 */
#include "../interpret/ops.h"
#include "make.h"

/* The longest span: the longer, the more often it crosses a page. */
#define SPAN 256
/* A short step from one element to the next. */
#define STEP 64

typedef struct
{
  uint8_t base;
  int64_t disp;
  int     size;
  bool    write;
} Member;

/* Whether the instruction has one access, at a distance from a register. */
static bool
member_of (const VtGuestInsn *g, Member *m)
{
  const int near = (int) vt_guest_near_size (g);

  switch (g->kind)
    {
    case VT_KIND_PUSH:
    case VT_KIND_CALL:
      *m = (Member){ .base = VT_CPU_RSP, .disp = -near, .size = near, .write = true };
      return g->insn.operand[0].kind != VT_OPERAND_MEM
             && (g->kind == VT_KIND_PUSH || g->insn.operand[0].kind == VT_OPERAND_IMM);
    case VT_KIND_POP:
    case VT_KIND_RET:
      *m = (Member){ .base = VT_CPU_RSP, .size = near };
      return true;
    case VT_KIND_LEAVE:
      *m = (Member){ .base = VT_CPU_RBP, .size = near };
      return true;
    case VT_KIND_PLAIN:
      break;
    default:
      return false;
    }
  if (g->memory == NULL)
    return false;
  const VtGuestMem mem = vt_guest_mem (g);
  const bool flat = vt_guest_is_narrow (g) && mem.seg == VT_NONE && !mem.word && mem.base != VT_NONE;
  if (mem.index != VT_NONE || !(flat || vt_guest_mem_simple (mem)))
    return false;
  *m = (Member){ .base = mem.base,
                 .disp = (int64_t) mem.disp,
                 .size = g->memory->size / 8,
                 .write = (g->memory->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0 };
  return true;
}

static bool
writes (const VtGuestInsn *g, unsigned gpr)
{
  for (unsigned i = 0; i < g->zydis.operand_count; i++)
    if (g->operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER
        && (g->operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        && (vt_unit_mentions (&g->operands[i]) >> gpr & 1))
      return true;
  return false;
}

/* By how much the instruction moves @base. Returns: false where that isn't a constant. */
static bool
moves (const VtGuestInsn *g, unsigned base, int64_t *by)
{
  const VtInsn    *insn = &g->insn;
  const VtOperand *o = insn->operand;
  const int        near = (int) vt_guest_near_size (g);
  const unsigned   whole = vt_guest_is_narrow (g) ? 4 : 8;

  *by = 0;
  if (g->kind == VT_KIND_PUSH && base == VT_CPU_RSP)
    *by = -near;
  else if (g->kind == VT_KIND_POP && base == VT_CPU_RSP && o[0].reg != base)
    *by = near;
  else if (!writes (g, base))
    return true;
  else if (g->kind == VT_KIND_LEA && o[0].reg == base && o[0].size == whole && insn->base == base
           && insn->index == VT_NO_REG && insn->asize == whole)
    *by = insn->disp;
  else if (g->kind == VT_KIND_PLAIN && o[0].kind == VT_OPERAND_GPR && o[0].reg == base
           && o[0].size == whole && insn->n == 2 && o[1].kind == VT_OPERAND_IMM
           && (insn->mnemonic == ZYDIS_MNEMONIC_ADD || insn->mnemonic == ZYDIS_MNEMONIC_SUB))
    {
      const int64_t imm = (int64_t) insn->imm[o[1].reg];
      *by = insn->mnemonic == ZYDIS_MNEMONIC_ADD ? imm : (int64_t) -(uint64_t) imm;
    }
  else
    return false;
  return *by >= -SPAN && *by <= SPAN;
}

bool
vt_group_strides (const VtBlocks *b, unsigned n)
{
  uint32_t address = 0;
  int64_t  by;

  for (unsigned i = 0; i < n; i++)
    {
      const VtInsn *insn = &b->guest[i].insn;
      if (insn->base < VT_CPU_GPRS)
        address |= 1u << insn->base;
      if (insn->index < VT_CPU_GPRS)
        address |= 1u << insn->index;
    }
  for (unsigned i = 0; i < n; i++)
    {
      const VtGuestInsn *g = &b->guest[i];
      const VtOperand   *o = &g->insn.operand[0];
      const bool         adds = g->insn.mnemonic == ZYDIS_MNEMONIC_ADD || g->insn.mnemonic == ZYDIS_MNEMONIC_SUB
                        || (g->kind == VT_KIND_LEA && (g->insn.base == o->reg || g->insn.index == o->reg));
      if (adds && o->kind == VT_OPERAND_GPR && (address >> o->reg & 1)
          && !(moves (g, o->reg, &by) && by >= -STEP && by <= STEP))
        return true;
    }
  return false;
}

/* Whether G can outlast the instruction, which is no member. */
static bool
keeps_g (const VtGuestInsn *g)
{
  if (vt_guest_interpreted (g) || g->kind == VT_KIND_STRING)
    return false;
  if (vt_guest_accesses (g))
    return !g->flags_live && vt_guest_wanted (g) < 2 && g->kind != VT_KIND_RET
           && g->kind != VT_KIND_CALL && g->kind != VT_KIND_JMP;
  return !(vt_guest_lent (g, false) >> VT_G & 1);
}

/* The group that begins with instruction @from. Returns: its last member, or @from: there is none. */
static unsigned
group_at (VtGuestInsn *guest, unsigned from, unsigned n)
{
  VtGuestInsn *leader = &guest[from];
  Member       first, m;
  int64_t      at = 0, low, high, by;
  unsigned     last = from;
  bool         write;

  if (!member_of (leader, &first))
    return from;
  low = first.disp;
  high = first.disp + first.size;
  write = first.write;
  for (unsigned i = from; i < n; i++)
    {
      VtGuestInsn *g = &guest[i];
      if (member_of (g, &m) && m.base == first.base)
        {
          const int64_t l = MIN (low, at + m.disp), h = MAX (high, at + m.disp + m.size);
          if (h - l > SPAN)
            break;
          low = l;
          high = h;
          g->group_at = (int32_t) (at + m.disp);
          write |= m.write;
          last = i;
        }
      else if (!keeps_g (g))
        break;
      if (!moves (g, first.base, &by))
        break;
      at += by;
      if (at < -SPAN || at > SPAN)
        break;
    }
  if (last == from || low < INT32_MIN || high > INT32_MAX)
    return from;
  for (unsigned i = from; i <= last; i++)
    {
      const bool member = member_of (&guest[i], &m) && m.base == first.base;
      guest[i].group = member ? VT_GROUP_MEMBER : VT_GROUP_BESIDE;
      if (member)
        guest[i].group_at -= (int32_t) low;
    }
  leader->group = VT_GROUP_LEADER;
  leader->group_low = (int32_t) low;
  leader->group_span = (uint16_t) (high - low);
  leader->group_base = first.base;
  leader->group_write = write;
  return last;
}

void
vt_group_plan (VtBlocks *b, unsigned n)
{
  for (unsigned i = 0; i < VT_BLOCK_INSNS; i++)
    b->guest[i].group = VT_GROUP_NONE;
  for (unsigned i = 0; i < n; i++)
    i = group_at (b->guest, i, n);
}

/* What comes where the leader's check fails, whose address is @mem, or without registers in T. */
static void
add_stub (VtMake *make, const VtGuestInsn *g, uint32_t where, const VtSite *site, VtHostMem mem, bool looked)
{
  const uint32_t n = vt_make_link (make, g->rip, make->mode | VT_MODE_SINGLE);

  if (make->n_stubs < VT_BLOCK_STUBS)
    make->stub[make->n_stubs++] = (VtStub){
      .where = where,
      .rcx = site->live ? VT_RCX_IN_G : VT_RCX_ITSELF,
      .exit = vt_exit (VT_EXIT_LINK, n),
      .link = n + 1,
      .site = site->tag,
      .cold = site->cold,
      .live = site->live,
      .looked = looked,
      .table = (uint8_t) vt_make_table (make, g->group_write),
      .mem = mem,
    };
}

/* The same as vt_make_leader(), by the TLB. */
static void
look (VtMake *make, const VtGuestInsn *g, const VtSite *site)
{
  const bool     narrow = vt_guest_is_narrow (g);
  const unsigned table = vt_make_table (make, g->group_write);
  VtEmit        *e = make->e;

  vt_site_settle (site);
  vt_emit_lea (e, !narrow, VT_T, (VtHostMem){ .base = g->group_base, .index = VT_NONE, .disp = g->group_low });
  add_stub (make, g, vt_make_look (make, site, table, g->group_span), site,
            (VtHostMem){ .base = VT_NONE, .index = VT_NONE }, !site->live);
  if (narrow && !site->live)
    vt_make_look_back (e, table);
  vt_make_looked (make, site, table, VT_G);
  if (narrow)
    vt_emit_lea (e, true, VT_G, (VtHostMem){ .base = VT_G, .index = VT_T, .scale = 1 });
}

void
vt_make_leader (VtMake *make, const VtGuestInsn *g)
{
  const bool   narrow = vt_guest_is_narrow (g);
  VtEmit      *e = make->e;
  const VtSite site = vt_site_new (make, g->group_span);
  VtHostMem    mem = { .base = g->group_base, .index = VT_NONE, .disp = g->group_low };

  if (vt_make_wanders (make))
    {
      look (make, g, &site);
      return;
    }
  if (narrow)
    {
      vt_emit_lea (e, false, VT_T, mem);
      mem = (VtHostMem){ .base = VT_NONE, .index = VT_NONE };
    }
  if (make->live)
    {
      vt_emit_mov (e, VT_G, VT_CPU_RCX);
      if (mem.base == VT_CPU_RCX)
        mem.base = VT_G;
      add_stub (make, g,
                vt_make_window (make, &site,
                                narrow ? (VtHostMem){ .base = VT_T, .index = VT_NONE } : mem),
                &site, mem, false);
    }
  else
    {
      vt_emit_lea (e, true, narrow ? VT_S : VT_T, narrow ? (VtHostMem){ .base = VT_T, .index = VT_NONE } : mem);
      add_stub (make, g, vt_make_range (make, &site, narrow ? VT_S : VT_T, g->group_span), &site, mem, false);
    }
  vt_site_load (make, &site, VT_G);
  if (narrow)
    vt_emit_lea (e, true, VT_G, (VtHostMem){ .base = VT_G, .index = VT_T, .scale = 1 });
}
