/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * String and port instructions. One step of a repeated one does a bounded amount of work and leaves RIP
 * where it is, with RCX, RSI and RDI telling how far it has come: interrupts come in between, and a
 * fault leaves a whole number of iterations done.
 */
#include "ops.h"

/* What a step may cost, in units of 64 bytes that are moved at once. An iteration by itself takes as long
 * as some of them. */
#define MOST_WORK 65536u
#define WORK_ALONE 16u

static uint64_t
source (VtCore *core, const VtInsn *insn, unsigned size)
{
  const uint64_t offset = vt_core_gpr (core, VT_CPU_RSI, insn->asize);
  return vt_seg_linear (core, insn->seg, offset, size, VT_ACCESS_READ);
}

/* ES cannot be overridden. */
static uint64_t
destination (VtCore *core, const VtInsn *insn, unsigned size, VtAccessKind kind)
{
  const uint64_t offset = vt_core_gpr (core, VT_CPU_RDI, insn->asize);
  return vt_seg_linear (core, VT_CPU_ES, offset, size, kind);
}

static void
advance (VtCore *core, const VtInsn *insn, unsigned reg, unsigned size)
{
  const uint64_t by = core->rflags & VT_FLAG_DF ? (uint64_t) 0 - size : size;
  vt_core_set_gpr (core, reg, insn->asize, core->gpr[reg] + by);
}

/* One iteration each; @size is the element's. */
static void
movs (VtCore *core, const VtInsn *insn, unsigned size)
{
  const VtAccessSet set = vt_mmu_data_set (core);
  const uint64_t    value = vt_mmu_load (core, source (core, insn, size), size, set);

  vt_mmu_store (core, destination (core, insn, size, VT_ACCESS_WRITE), size, value, set);
  advance (core, insn, VT_CPU_RSI, size);
  advance (core, insn, VT_CPU_RDI, size);
}

static void
stos (VtCore *core, const VtInsn *insn, unsigned size)
{
  vt_mmu_store (core, destination (core, insn, size, VT_ACCESS_WRITE), size,
                vt_core_gpr (core, VT_CPU_RAX, size), vt_mmu_data_set (core));
  advance (core, insn, VT_CPU_RDI, size);
}

static void
lods (VtCore *core, const VtInsn *insn, unsigned size)
{
  vt_core_set_gpr (core, VT_CPU_RAX, size,
                   vt_mmu_load (core, source (core, insn, size), size, vt_mmu_data_set (core)));
  advance (core, insn, VT_CPU_RSI, size);
}

static void
cmps (VtCore *core, const VtInsn *insn, unsigned size)
{
  const VtAccessSet set = vt_mmu_data_set (core);
  const uint64_t    a = vt_mmu_load (core, source (core, insn, size), size, set);
  const uint64_t    b =
      vt_mmu_load (core, destination (core, insn, size, VT_ACCESS_READ), size, set);

  vt_alu_sub (a, b, size, &core->rflags);
  advance (core, insn, VT_CPU_RSI, size);
  advance (core, insn, VT_CPU_RDI, size);
}

static void
scas (VtCore *core, const VtInsn *insn, unsigned size)
{
  const uint64_t b = vt_mmu_load (core, destination (core, insn, size, VT_ACCESS_READ), size,
                                  vt_mmu_data_set (core));

  vt_alu_sub (vt_core_gpr (core, VT_CPU_RAX, size), b, size, &core->rflags);
  advance (core, insn, VT_CPU_RDI, size);
}

static void
ins (VtCore *core, const VtInsn *insn, unsigned size)
{
  const uint64_t    at = destination (core, insn, size, VT_ACCESS_WRITE);
  const VtAccessSet set = vt_mmu_data_set (core);

  /* What is read from a device can't be put back: the page is checked before. */
  vt_mmu_probe_write (core, at, size, set);
  const uint32_t value = vt_port_in (core, (uint16_t) core->gpr[VT_CPU_RDX], size);
  vt_mmu_store (core, at, size, value, set);
  advance (core, insn, VT_CPU_RDI, size);
}

static void
outs (VtCore *core, const VtInsn *insn, unsigned size)
{
  const uint64_t value = vt_mmu_load (core, source (core, insn, size), size, vt_mmu_data_set (core));

  vt_port_out (core, (uint16_t) core->gpr[VT_CPU_RDX], size, (uint32_t) value);
  advance (core, insn, VT_CPU_RSI, size);
}

static void (*const iterations[]) (VtCore *core, const VtInsn *insn, unsigned size) = {
  [VT_STRING_MOVS] = movs, [VT_STRING_STOS] = stos, [VT_STRING_LODS] = lods,
  [VT_STRING_CMPS] = cmps, [VT_STRING_SCAS] = scas, [VT_STRING_INS] = ins,
  [VT_STRING_OUTS] = outs,
};

/* Many at once ------------------------------------------------------------------------------------ */

/* How many of @count elements from the one at @linear on, in the direction that DF tells, lie in its page, and neither
 * wrap nor meet a limit. */
static uint64_t
elements_in_page (const VtCore *core, const VtInsn *insn, unsigned seg, unsigned reg, uint64_t linear,
                  unsigned size, uint64_t count)
{
  const VtCpuSegment *s = &core->seg[seg];
  const uint64_t      offset = vt_core_gpr (core, reg, insn->asize), at = linear & VT_PAGE_OFFSET;
  const bool          expands_down = core->code_bits != 64 && (s->type & 0xc) == 4;
  const uint64_t      in_page = (VT_PAGE - at) / size;

  if (core->rflags & VT_FLAG_DF)
    return in_page == 0 || expands_down ? 0 : MIN (count, MIN (at, offset) / size + 1);
  /* Less the last, so that a whole address space is not zero. */
  uint64_t       before_end = (vt_ones (insn->asize) - offset) / size;

  if (core->code_bits != 64)
    {
      if (expands_down || offset > s->limit)
        return 0;
      before_end = MIN (before_end, (s->limit - offset + 1) / size);
    }
  return MIN (count, MIN (in_page, before_end));
}

static void
fill (uint8_t *to, unsigned size, uint64_t n, uint64_t value)
{
  if (size == 1)
    memset (to, (int) (value & 0xff), n);
  else
    for (uint64_t i = 0; i < n; i++)
      vt_st (to + i * size, size, value);
}

/* Does several of @count iterations that stay in one page of RAM. Returns: how many; 0: none, and the first is to be
 * done by itself. Raises what the first would. */
static uint64_t
several (VtCore *core, const VtInsn *insn, unsigned which, unsigned size, uint64_t count)
{
  const bool from = which == VT_STRING_MOVS || which == VT_STRING_CMPS;
  const bool writes = which == VT_STRING_MOVS || which == VT_STRING_STOS;
  const VtAccessKind kind = writes ? VT_ACCESS_WRITE : VT_ACCESS_READ;
  const VtAccessSet  set = vt_mmu_data_set (core);
  const bool         down = (core->rflags & VT_FLAG_DF) != 0;
  const int          step = down ? -(int) size : (int) size;
  const uint8_t     *a = NULL;
  uint8_t           *b;
  uint64_t           n = count, i = 0, x = 0, y = 0;

  if (vt_core_watches (core) || which == VT_STRING_LODS || which == VT_STRING_INS
      || which == VT_STRING_OUTS)
    return 0;
  if (from)
    {
      const uint64_t linear = source (core, insn, size);
      n = elements_in_page (core, insn, insn->seg, VT_CPU_RSI, linear, size, n);
      a = n > 1 ? vt_mmu_host (core, linear, size, VT_ACCESS_READ, set) : NULL;
      if (a == NULL)
        return 0;
    }
  const uint64_t linear = destination (core, insn, size, kind);
  n = elements_in_page (core, insn, VT_CPU_ES, VT_CPU_RDI, linear, size, n);
  b = n > 1 ? vt_mmu_host (core, linear, size, kind, set) : NULL;
  if (b == NULL)
    return 0;
  /* Of those that are moved or filled, the lowest. */
  const size_t before = down ? (n - 1) * size : 0;

  switch (which)
    {
    case VT_STRING_MOVS:
      /* Onto what follows, each element is one that has just been written. */
      if (down ? b < a && b + n * size > a : b > a && b < a + n * size)
        return 0;
      memmove (b - before, a - before, n * size);
      break;
    case VT_STRING_STOS:
      fill (b - before, size, n, vt_core_gpr (core, VT_CPU_RAX, size));
      break;
    default:
      /* To the first that is not as the prefix wants it, that one too. */
      do
        {
          x = from ? vt_ld (a + (int64_t) i * step, size) : vt_core_gpr (core, VT_CPU_RAX, size);
          y = vt_ld (b + (int64_t) i * step, size);
        }
      while (++i < n && (x == y) != insn->repne);
      n = i;
      vt_alu_sub (x, y, size, &core->rflags);
      break;
    }
  if (from)
    vt_core_set_gpr (core, VT_CPU_RSI, insn->asize, core->gpr[VT_CPU_RSI] + n * (uint64_t) (int64_t) step);
  vt_core_set_gpr (core, VT_CPU_RDI, insn->asize, core->gpr[VT_CPU_RDI] + n * (uint64_t) (int64_t) step);
  return n;
}

/* @arg: which, and the element's size in the upper half. */
void
vt_op_string (VtCore *core, const VtInsn *insn)
{
  const unsigned which = insn->op->arg & 15, size = insn->op->arg >> 4;
  const bool     compares = which == VT_STRING_CMPS || which == VT_STRING_SCAS;
  uint64_t       work = 0;

  if (which == VT_STRING_INS || which == VT_STRING_OUTS)
    vt_check_port (core, (uint16_t) core->gpr[VT_CPU_RDX], size);
  if (!insn->rep && !insn->repne)
    {
      iterations[which](core, insn, size);
      return;
    }
  while (work < MOST_WORK)
    {
      const uint64_t count = vt_core_gpr (core, VT_CPU_RCX, insn->asize);
      uint64_t       done;
      if (count == 0)
        return;
      done = several (core, insn, which, size, count);
      work += WORK_ALONE + done * size / 64;
      if (done == 0)
        {
          iterations[which](core, insn, size);
          done = 1;
        }
      vt_core_set_gpr (core, VT_CPU_RCX, insn->asize, count - done);
      core->progress = true;
      if (count == done)
        return;
      if (compares && ((core->rflags & VT_FLAG_ZF) != 0) == insn->repne)
        return;
      if (__atomic_load_n (&core->requests, __ATOMIC_RELAXED))
        break;
    }
  core->next_rip = core->rip;
}

/* Ports ------------------------------------------------------------------------------------------- */

uint32_t
vt_port_in (VtCore *core, uint16_t port, unsigned size)
{
  uint32_t value = 0;

  if (core->ops->in == NULL)
    vt_space_read (core->space, VT_SPACE_IO, port, &value, size);
  else if (!core->ops->in (core->data, port, size, &value))
    vt_core_decline (core);
  return value & (uint32_t) vt_ones (size);
}

void
vt_port_out (VtCore *core, uint16_t port, unsigned size, uint32_t value)
{
  if (core->ops->out == NULL)
    vt_space_write (core->space, VT_SPACE_IO, port, &value, size);
  else if (!core->ops->out (core->data, port, size, value))
    vt_core_decline (core);
}

static uint16_t
port_operand (VtCore *core, const VtInsn *insn, unsigned n)
{
  const VtOperand *o = &insn->operand[n];
  return (uint16_t) (o->kind == VT_OPERAND_IMM ? insn->imm[0] & 0xff : core->gpr[VT_CPU_RDX]);
}

void
vt_op_in (VtCore *core, const VtInsn *insn)
{
  const uint16_t port = port_operand (core, insn, 1);
  const unsigned size = insn->operand[0].size;

  vt_check_port (core, port, size);
  vt_core_set_gpr (core, VT_CPU_RAX, size, vt_port_in (core, port, size));
}

void
vt_op_out (VtCore *core, const VtInsn *insn)
{
  const uint16_t port = port_operand (core, insn, 0);
  const unsigned size = insn->operand[1].size;

  vt_check_port (core, port, size);
  vt_port_out (core, port, size, (uint32_t) vt_core_gpr (core, VT_CPU_RAX, size));
}

void
vt_op_xlat (VtCore *core, const VtInsn *insn)
{
  const uint64_t offset =
      (core->gpr[VT_CPU_RBX] + (core->gpr[VT_CPU_RAX] & 0xff)) & vt_ones (insn->asize);
  const uint64_t at = vt_seg_linear (core, insn->seg, offset, 1, VT_ACCESS_READ);

  vt_core_set_gpr (core, VT_CPU_RAX, 1, vt_mmu_load (core, at, 1, vt_mmu_data_set (core)));
}
