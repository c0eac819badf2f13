/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Making a case, running it three or four times, and comparing. General registers are compared in their lower
 * halves, which is all that such code sees.
 */
#include "rig/narrow-case.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/translate/block/translate.h"
#include "cpu/translate/host/unit.h"
#include "cpu/translate/interpret/interpret.h"
#include "cpu/translate/interpret/ops.h"
#include "rig/host-native.h"
#include "rig/source.h"

/* With paging, as on the host: two pages of data, and nothing before or behind them; a page of code. */
#define DATA UINT64_C (0x24000000)
#define CODE UINT64_C (0x34000000)
#define CODE_AT 0x800u
#define DATA_SIZE 8192u
#define CODE_SIZE 4096u
/* In RAM, which is all that there is without paging. */
#define RAM_DATA 0x8000u
#define RAM_CODE 0x1a000u
#define RAM_LOW 0x22000u /* What accesses that go astray may write. */
#define HANDLERS 0x40000u
#define RAM_GDT 0x50000u
#define RAM_IDT 0x51000u
#define RAM_TSS 0x52000u
#define RAM_STACK 0x5f000u
#define RAM_TABLES 0x60000u

struct NarrowCase
{
  VtSpace *space;
  VtRam   *ram;
  uint8_t *mem, *data, *code_write;
  VtCore  *interpreted, *strict, *optimized;
  void    *stack;
  uint64_t n_native;
};

typedef enum
{
  FLAT32,   /* Compatibility mode as a program of the host's has it. */
  COMPAT32, /* The same with other segments; */
  COMPAT16,
  LEGACY32, /* without paging; */
  LEGACY16,
  REAL,
  VIRTUAL,
  MODES,
} Mode;

typedef struct
{
  Mode         mode;
  uint64_t     gpr[16], rip, flags;
  VtCpuSegment seg[6];
  uint8_t      legacy[416];
  uint64_t     data_at, code_at; /* Linear. */
  bool         native, warm_read, warm_write;
} Case;

typedef struct
{
  VtStep   step;
  uint64_t gpr[8], rip, flags, cr2;
  unsigned vector, error; /* 256: none. */
  uint16_t selector[6];
  uint8_t  legacy[416], data[DATA_SIZE], code[CODE_SIZE];
} Outcome;

static uint64_t
take_value (Source *source)
{
  static const uint64_t special[] = { 0,      1,          0x7f,       0x80,       0xff,       0x7fff, 0x8000,
                                      0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x3f800000, 0x10 };
  const uint8_t kind = source_byte (source);
  uint64_t      value = 0;

  for (unsigned i = 0; i < 8; i++)
    value = value << 8 | source_byte (source);
  if (kind < 80)
    return (value & ~UINT64_C (0xffffffff)) | special[kind % G_N_ELEMENTS (special)];
  return value;
}

/* The cores ---------------------------------------------------------------------------------------- */

static const VtCoreOps no_ops;

static bool
is_paged (Mode mode)
{
  return mode <= COMPAT16;
}

static unsigned
code_bits (Mode mode)
{
  return mode == FLAT32 || mode == COMPAT32 || mode == LEGACY32 ? 32 : 16;
}

static void
tables_init (uint8_t *mem)
{
  const uint32_t low = RAM_TABLES + 0x1000, dir = low + 0x1000, data = dir + 0x1000, code = data + 0x1000;

  vt_st64 (mem + RAM_TABLES, low | 7);
  vt_st64 (mem + low, dir | 7);
  vt_st64 (mem + dir, 0x83);
  vt_st64 (mem + dir + (DATA >> 21) * 8, data | 7);
  vt_st64 (mem + dir + (CODE >> 21) * 8, code | 7);
  vt_st64 (mem + data, RAM_DATA | 7);
  vt_st64 (mem + data + 8, (RAM_DATA + 0x1000) | 7);
  vt_st64 (mem + code, RAM_CODE | 5);
  vt_st64 (mem + RAM_GDT + 8, 0x00cf9b000000ffff);
  vt_st64 (mem + RAM_GDT + 16, 0x00cf93000000ffff);
  vt_st64 (mem + RAM_GDT + 24, 0x00af9b000000ffff);
}

/* What differs between long and legacy mode: gates, and the TSS. */
static void
mode_init (uint8_t *mem, Mode mode)
{
  for (unsigned v = 0; v < 32; v++)
    {
      const uint32_t at = HANDLERS + v * 16;
      const uint64_t gate = (at & 0xffff) | (is_paged (mode) ? 24u : 8u) << 16
                            | (uint64_t) 0x8e00 << 32 | (uint64_t) (at >> 16) << 48;
      vt_st64 (mem + RAM_IDT + v * (is_paged (mode) ? 16 : 8), gate);
      if (is_paged (mode))
        vt_st64 (mem + RAM_IDT + v * 16 + 8, 0);
      if (mode == REAL)
        vt_st32 (mem + v * 4, (HANDLERS >> 4) << 16 | v * 16);
    }
  vt_st64 (mem + RAM_TSS + 4, is_paged (mode) ? RAM_STACK : RAM_STACK | (uint64_t) 16 << 32);
}

static void
load (VtCore *core, const Case *c)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  vt_cpu_state_reset (state, true, 0x600);
  memcpy (state->gpr, c->gpr, sizeof state->gpr);
  state->rip = c->rip;
  state->rflags = c->flags | VT_FLAG_IF | VT_FLAG_FIXED | (c->mode == VIRTUAL ? VT_FLAG_VM : 0);
  state->gdt_base = RAM_GDT;
  state->gdt_limit = 31;
  state->idt_base = c->mode == REAL ? 0 : RAM_IDT;
  state->idt_limit = 0x1ff;
  state->cr0 = c->mode == REAL ? 0x10032 : 0x10033;
  state->cr4 = VT_CR4_OSFXSR | VT_CR4_OSXMMEXCPT;
  if (is_paged (c->mode))
    {
      state->cr0 |= VT_CR0_PG;
      state->cr3 = RAM_TABLES;
      state->cr4 |= VT_CR4_PAE;
      state->efer = VT_EFER_LME | VT_EFER_LMA | VT_EFER_NXE;
    }
  memcpy (state->seg, c->seg, sizeof c->seg);
  state->seg[VT_CPU_TR] = (VtCpuSegment){
    .base = RAM_TSS, .limit = 0x67, .selector = 0x40, .type = 11, .present = true
  };
  state->xsave_size = 576;
  memcpy (state->xsave, c->legacy, sizeof c->legacy);
  state->xsave[512] = 3;
  vt_core_load (core, state);
}

static void
touch_cb (VtCore *core, void *arg)
{
  const Case       *c = arg;
  const VtAccessSet set = vt_mmu_data_set (core);

  vt_mmu_host (core, c->code_at, 1, VT_ACCESS_FETCH, core->cpl == 3 ? VT_SET_USER : VT_SET_KERNEL);
  for (unsigned i = 0; i < DATA_SIZE; i += 4096)
    {
      if (c->warm_read)
        vt_mmu_host (core, c->data_at + i, 1, VT_ACCESS_READ, set);
      if (c->warm_write)
        vt_mmu_host (core, c->data_at + i, 1, VT_ACCESS_WRITE, set);
    }
}

/* The frame of the fault that has led to a handler tells what was before it. */
static void
look_at_frame (NarrowCase *nc, VtCore *core, Mode mode, Outcome *out)
{
  const unsigned size = mode == REAL ? 2 : is_paged (mode) ? 8 : 4;
  const uint64_t first = mode == REAL ? 0 : HANDLERS, rip = core->rip;
  const unsigned v = (unsigned) (rip - first) / 16;

  if (core->seg[VT_CPU_CS].selector != (mode == REAL ? HANDLERS >> 4 : is_paged (mode) ? 24 : 8)
      || rip < first || v >= 32)
    return;
  uint8_t *frame = nc->mem + core->gpr[VT_CPU_RSP];
  out->vector = v;
  if (mode == REAL)
    {
      const uint32_t ss = (uint32_t) core->seg[VT_CPU_SS].base;
      const uint16_t sp = (uint16_t) core->gpr[VT_CPU_RSP];
      uint8_t       *flags = nc->mem + ((ss + (uint16_t) (sp + 4)) & (VT_MIB - 1));
      out->rip = vt_ld16 (nc->mem + ((ss + sp) & (VT_MIB - 1)));
      out->flags = vt_ld16 (flags);
      vt_st16 (flags, 0);
      return;
    }
  if (v == 8 || (v >= 10 && v <= 14) || v == 17)
    {
      out->error = vt_ld32 (frame);
      frame += size;
    }
  out->rip = vt_ld (frame, size);
  out->flags = vt_ld (frame + 2 * size, size);
  out->gpr[VT_CPU_RSP] = vt_ld (frame + 3 * size, size);
}

static void
run_core (NarrowCase *nc, VtCore *core, Case *c,
          VtStep (*run) (VtCore *core, uint64_t budget, uint64_t *done), Outcome *out)
{
  uint64_t done = 0;

  if (!is_paged (c->mode))
    memset (nc->mem, 0, RAM_LOW);
  mode_init (nc->mem, c->mode);
  memcpy (nc->mem + RAM_DATA, nc->data, DATA_SIZE);
  memcpy (nc->mem + RAM_CODE, nc->code_write, CODE_SIZE);
  vt_ram_mark_dirty (nc->ram, RAM_CODE, CODE_SIZE);
  load (core, c);
  if (vt_core_try (core, touch_cb, c) != VT_CATCH_NONE)
    g_error ("the case's pages are not there");
  out->step = run (core, 1, &done);
  memcpy (out->gpr, core->gpr, sizeof out->gpr);
  out->rip = core->rip;
  out->flags = core->rflags;
  out->cr2 = core->cr2;
  out->vector = 256;
  out->error = 0;
  for (unsigned i = 0; i < 6; i++)
    out->selector[i] = core->seg[i].selector;
  look_at_frame (nc, core, c->mode, out);
  memcpy (out->legacy, core->xsave, sizeof out->legacy);
  memcpy (out->data, nc->mem + RAM_DATA, DATA_SIZE);
  memcpy (out->code, nc->mem + RAM_CODE, CODE_SIZE);
}

static void
run_native (NarrowCase *nc, const Case *c, Outcome *out)
{
  HostOutcome in = { .rip = c->rip, .flags = c->flags, .narrow = true }, left;

  memcpy (in.gpr, c->gpr, sizeof in.gpr);
  memcpy (in.legacy, c->legacy, sizeof c->legacy);
  host_native_run (nc->stack, &in, &left);
  nc->n_native++;
  memcpy (out->gpr, left.gpr, sizeof out->gpr);
  out->rip = left.rip;
  out->flags = left.flags;
  out->cr2 = left.cr2;
  out->vector = left.vector;
  out->error = left.error;
  memcpy (out->legacy, left.legacy, sizeof out->legacy);
  memcpy (out->data, nc->data, DATA_SIZE);
}

/* Making a case ------------------------------------------------------------------------------------- */

/* Bytes that are likely to be an instruction. */
static void
make_bytes (Source *source, uint8_t bytes[15])
{
  static const uint8_t prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65 };
  const uint8_t        kind = source_byte (source), map = source_byte (source);
  unsigned             n = 0;

  for (unsigned i = 0; i < 3; i++)
    if (kind >> i & 1)
      bytes[n++] = prefixes[source_byte (source) % (i == 2 ? 2 : G_N_ELEMENTS (prefixes))];
  if (map < 100)
    bytes[n++] = 0x0f;
  if (map < 20)
    bytes[n++] = map < 15 ? 0x38 : 0x3a;
  while (n < 15)
    bytes[n++] = source_byte (source);
}

/* Whether the instruction touches nothing but its operands, the stack and its flags. */
static bool
comparable (const VtInsn *insn)
{
  static void (*const run[]) (VtCore *, const VtInsn *) = {
    vt_op_binary,  vt_op_compare, vt_op_unary,        vt_op_shift,    vt_op_shift_double,
    vt_op_bit,     vt_op_scan,    vt_op_mul,          vt_op_imul,     vt_op_div,
    vt_op_idiv,    vt_op_cmov,    vt_op_set,          vt_op_extend_a, vt_op_extend_d,
    vt_op_xchg,    vt_op_xadd,    vt_op_cmpxchg,      vt_op_mov,      vt_op_cmpxchg_pair,
    vt_op_movzx,   vt_op_movsx,   vt_op_movbe,        vt_op_bswap,    vt_op_lea,
    vt_op_lahf,    vt_op_sahf,    vt_op_flag,         vt_op_cmc,      vt_op_nop,
    vt_op_string,  vt_op_push,    vt_op_pop,          vt_op_leave,    vt_op_xlat,
    vt_op_jcc,     vt_op_jmp,     vt_op_loop,         vt_op_jcxz,     vt_op_ud,
    vt_op_enter,   vt_op_call,    vt_op_ret,          vt_op_pusha,    vt_op_popa,
    vt_op_ascii_adjust, vt_op_decimal_adjust, vt_op_aam, vt_op_aad, vt_op_bound,
  };
  const unsigned which = insn->op->arg & 15;

  if (insn->op->run == vt_op_string && (which == VT_STRING_INS || which == VT_STRING_OUTS))
    return false;
  if (insn->op == &vt_op_far_jump || insn->op == &vt_op_far_call || insn->op == &vt_op_far_return)
    return false;
  /* Old and new processors differ. */
  if (insn->op->run == vt_op_bswap && insn->operand[0].size == 2)
    return false;
  for (unsigned i = 0; i < insn->n; i++)
    if ((insn->operand[i].kind == VT_OPERAND_SEG && insn->op->run != vt_op_push)
        || insn->operand[i].kind == VT_OPERAND_CR || insn->operand[i].kind == VT_OPERAND_DR)
      return false;
  if (insn->op == &vt_op_unit)
    return true;
  for (unsigned i = 0; i < G_N_ELEMENTS (run); i++)
    if (run[i] == insn->op->run)
      return true;
  return false;
}

static bool
is_transfer (const VtInsn *insn)
{
  return insn->op->run == vt_op_jmp || insn->op->run == vt_op_call || insn->op->run == vt_op_ret
         || insn->op->run == vt_op_jcc || insn->op->run == vt_op_loop || insn->op->run == vt_op_jcxz;
}

/* A segment over the data, as the mode has them. */
static VtCpuSegment
take_segment (Source *source, const Case *c)
{
  static const uint8_t types[] = { 1, 5, 7, 9, 11, 3, 3, 3 };
  const uint8_t        kind = source_byte (source), how = source_byte (source);
  VtCpuSegment seg = { .limit = UINT32_MAX, .selector = 0x2b, .type = 3, .dpl = 3, .present = true,
                       .code_or_data = true, .db = true, .g = true };

  if (c->mode == REAL || c->mode == VIRTUAL)
    {
      seg.base = c->data_at - source_byte (source) * 16u;
      seg.selector = (uint16_t) (seg.base >> 4);
      seg.limit = c->mode == REAL && kind < 30 ? UINT32_MAX : 0xffff;
      seg.db = false;
      return seg;
    }
  if (kind < 60)
    return seg;
  seg.base = (uint32_t) (c->data_at - source_byte (source) * 29u);
  if (kind < 100)
    seg.base = (uint32_t) (c->data_at + 0x1010 - source_byte (source) % 32); /* Offsets begin in the middle. */
  if (how < 80)
    seg.limit = 0xffff;
  else if (how < 140)
    seg.limit = (uint32_t) (c->data_at + 0x400 + source_byte (source) * 8u - seg.base);
  if (how >= 240)
    seg.type = types[source_byte (source) % G_N_ELEMENTS (types)];
  if (how == 255)
    seg.unusable = true;
  return seg;
}

static void
take_segments (Source *source, Case *c)
{
  const uint8_t kind = source_byte (source), how = source_byte (source);
  const bool    all_flat = kind < 60 && c->mode != REAL && c->mode != VIRTUAL;
  VtCpuSegment *cs = &c->seg[VT_CPU_CS], *ss = &c->seg[VT_CPU_SS];

  for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
    {
      c->seg[i] = take_segment (source, c);
      if (c->mode == FLAT32 || (all_flat && (i == VT_CPU_DS || i == VT_CPU_ES || i == VT_CPU_SS)))
        c->seg[i] = (VtCpuSegment){ .limit = UINT32_MAX, .selector = 0x2b, .type = 3, .dpl = 3,
                                    .present = true, .code_or_data = true, .db = true, .g = true };
    }
  if ((ss->type & 0xa) != 2)
    ss->type = 3;
  ss->unusable = false;
  if (c->mode != FLAT32 && c->mode != REAL && c->mode != VIRTUAL)
    ss->db = kind & 1;
  *cs = (VtCpuSegment){ .limit = UINT32_MAX, .selector = 0x23, .type = 11, .dpl = 3, .present = true,
                        .code_or_data = true, .db = code_bits (c->mode) == 32, .g = true };
  if (c->mode == REAL || c->mode == VIRTUAL)
    {
      /* From 64 KiB below the end of the instruction on. */
      cs->base = (c->code_at + CODE_AT - 0xfff0 + (how < 60 ? 0 : how * 64u)) & ~UINT64_C (15);
      cs->selector = (uint16_t) (cs->base >> 4);
      cs->limit = 0xffff;
      cs->db = false;
    }
  else if (c->mode != FLAT32 && kind >= 100)
    {
      cs->base = (uint32_t) (c->code_at + CODE_AT - (how < 30 ? 0xfff0u + how % 32 : how * 37u));
      if (kind >= 180)
        cs->limit = 0xffff;
    }
  c->rip = (uint32_t) (c->code_at + CODE_AT - cs->base);
  if (how < 20 && cs->limit == 0xffff)
    cs->limit = (uint32_t) c->rip + how; /* Which may be in the instruction. */
}

/* Where an access goes: mostly inside, now and then across the pages or their end. */
static uint32_t
take_target (Source *source, const Case *c)
{
  const uint8_t kind = source_byte (source);

  if (kind < 180)
    return (uint32_t) c->data_at + 0x400 + (source_byte (source) | (source_byte (source) & 7u) << 8);
  if (kind < 220)
    return (uint32_t) c->data_at + 4096 - source_byte (source) % 64;
  if (kind < 248 || is_paged (c->mode))
    return (uint32_t) c->data_at + DATA_SIZE - source_byte (source) % 64;
  return kind < 252 ? RAM_CODE + CODE_AT - 8 + source_byte (source) % 24 : 0x200000; /* No RAM there. */
}

static void
put (Case *c, unsigned reg, unsigned size, uint64_t value)
{
  c->gpr[reg] = (c->gpr[reg] & ~vt_ones (size)) | (value & vt_ones (size));
}

/* Lets the operand be at @target. */
static void
aim_memory (Case *c, const VtInsn *insn, const ZydisDecodedInstruction *zydis, uint8_t *bytes,
            uint32_t target)
{
  const uint64_t offset = target - c->seg[insn->seg].base - (uint64_t) insn->disp;
  const uint64_t index = insn->index == VT_NO_REG ? 0 : c->gpr[insn->index] * insn->scale;

  if (insn->base == VT_NO_REG && insn->index == VT_NO_REG)
    {
      if (zydis->raw.disp.size == 32)
        vt_st32 (bytes + zydis->raw.disp.offset, (uint32_t) (offset + (uint64_t) insn->disp));
      else if (zydis->raw.disp.size == 16)
        vt_st16 (bytes + zydis->raw.disp.offset, (uint16_t) (offset + (uint64_t) insn->disp));
    }
  else if (insn->base == VT_NO_REG)
    put (c, insn->index, insn->asize, (offset & vt_ones (insn->asize)) / insn->scale);
  else if (insn->base == insn->index)
    put (c, insn->base, insn->asize, (offset & vt_ones (insn->asize)) / (insn->scale + 1u));
  else
    put (c, insn->base, insn->asize, offset - index);
}

static void
aim (Source *source, NarrowCase *nc, const VtInsn *insn, const ZydisDecodedInstruction *zydis,
     uint8_t *bytes, Case *c)
{
  const unsigned width = c->seg[VT_CPU_SS].db && c->mode != VIRTUAL ? 4 : 2;
  const uint64_t stack = c->data_at + 0x1000 + (source_byte (source) & 0xf8) - c->seg[VT_CPU_SS].base;
  bool           memory = false;

  for (unsigned i = 0; i < insn->n; i++)
    memory |= insn->operand[i].kind == VT_OPERAND_MEM;
  /* In real mode even: part of a frame that does not fit would stay, with flags that may be dead. */
  const uint64_t low = source_byte (source) % 8 & (c->mode == REAL ? ~1u : ~0u);
  put (c, VT_CPU_RSP, width, source_byte (source) < 20 ? low : stack);
  put (c, VT_CPU_RBP, width, stack - 0x400);
  if (insn->op->run == vt_op_string)
    {
      const uint64_t at = c->data_at + (source_byte (source) < 128 ? 0x800 : 0xe00);
      put (c, VT_CPU_RSI, insn->asize, at + source_byte (source) * 4u - c->seg[insn->seg].base);
      put (c, VT_CPU_RDI, insn->asize, at + 0x100 + source_byte (source) * 4u - c->seg[VT_CPU_ES].base);
      put (c, VT_CPU_RCX, insn->asize, c->gpr[VT_CPU_RCX] & 0x3f);
    }
  if (insn->op->run == vt_op_xlat)
    put (c, VT_CPU_RBX, insn->asize, c->data_at + 0x800 - c->seg[insn->seg].base);
  if (memory)
    {
      if (insn->op->run == vt_op_bit && insn->operand[1].kind == VT_OPERAND_GPR)
        put (c, insn->operand[1].reg, 4, (uint64_t) ((int64_t) (int8_t) source_byte (source) * 4));
      const uint32_t target = take_target (source, c);
      VtCpuSegment  *seg = &c->seg[insn->seg];
      /* The segment ends in the operand, or just before or behind it. */
      if (c->mode != FLAT32 && c->mode != VIRTUAL && insn->seg != VT_CPU_CS && source_byte (source) < 50)
        seg->limit = (uint32_t) (target - seg->base) - 2 + source_byte (source) % 12;
      aim_memory (c, insn, zydis, bytes, target);
    }
  if (is_transfer (insn) && (insn->n == 0 || insn->op->run == vt_op_ret || insn->operand[0].kind != VT_OPERAND_IMM))
    {
      /* To somewhere in the page, or outside of the segment. */
      const uint64_t target =
          source_byte (source) < 220 ? c->rip - 0x100 + source_byte (source) : take_value (source);
      if (insn->operand[0].kind == VT_OPERAND_GPR)
        put (c, insn->operand[0].reg, 4, target);
      else
        for (unsigned i = 0; i + insn->osize <= DATA_SIZE; i += insn->osize)
          vt_st (nc->data + i, insn->osize, target & vt_ones (insn->osize));
    }
}

static void
fill (NarrowCase *nc, Source *source, Case *c)
{
  uint64_t word = take_value (source);

  for (unsigned i = 0; i < 16; i++)
    c->gpr[i] = take_value (source);
  /* What 64-bit code has left in the upper halves. */
  if (c->mode > COMPAT16 || source_byte (source) < 128)
    for (unsigned i = 0; i < 16; i++)
      c->gpr[i] = (uint32_t) c->gpr[i];
  c->flags = VT_FLAG_FIXED | ((source_byte (source) | (uint64_t) source_byte (source) << 8) & VT_FLAGS_STATUS);
  if (source_byte (source) < 30)
    c->flags |= VT_FLAG_DF;
  memset (c->legacy, 0, sizeof c->legacy);
  vt_st16 (c->legacy, 0x37f);
  vt_st32 (c->legacy + 24, 0x1f80);
  for (unsigned i = 0; i < 32; i++)
    vt_st64 (c->legacy + 160 + i * 8, take_value (source));
  for (unsigned i = 0; i < DATA_SIZE / 8; i++)
    {
      word = i % 64 < 16 ? take_value (source) : word * 6364136223846793005 + 1442695040888963407;
      vt_st64 (nc->data + i * 8, word);
    }
  const uint8_t how = source_byte (source);
  c->warm_read = (how & 1) != 0;
  c->warm_write = (how & 6) != 0;
}

/* Comparing ----------------------------------------------------------------------------------------- */

static void
compare (const Outcome *a, const Outcome *b, const char *who, bool exact, uint64_t undefined, GString *out)
{
  static const char *const names[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
  const uint64_t           mask = (exact ? UINT64_MAX : VT_FLAGS_STATUS | VT_FLAG_DF) & ~undefined;

#define TELL(format, ...) g_string_append_printf (out, "  %s: " format "\n", who, __VA_ARGS__)
  if (a->vector != b->vector || (exact && a->step != b->step))
    {
      TELL ("vector %u, %u; step %u, %u", a->vector, b->vector, a->step, b->step);
      return;
    }
  if (a->rip != b->rip)
    TELL ("rip %" PRIx64 ", %" PRIx64, a->rip, b->rip);
  for (unsigned i = 0; i < 8; i++)
    if ((uint32_t) a->gpr[i] != (uint32_t) b->gpr[i])
      TELL ("%s %08x, %08x", names[i], (uint32_t) a->gpr[i], (uint32_t) b->gpr[i]);
  if ((a->flags ^ b->flags) & mask)
    TELL ("flags %" PRIx64 ", %" PRIx64, a->flags & mask, b->flags & mask);
  if (a->vector != 256 && a->error != b->error)
    TELL ("error %x, %x", a->error, b->error);
  if (a->vector == VT_EXC_PF && a->cr2 != b->cr2)
    TELL ("page fault at %" PRIx64 ", %" PRIx64, a->cr2, b->cr2);
  for (unsigned i = exact ? 0 : 160; i < 288; i++)
    if (a->legacy[i] != b->legacy[i] && !(i >= 28 && i < 32))
      TELL ("unit byte %u %02x, %02x", i, a->legacy[i], b->legacy[i]);
  for (unsigned i = 0; i < DATA_SIZE; i++)
    if (a->data[i] != b->data[i])
      TELL ("memory %x %02x, %02x", i, a->data[i], b->data[i]);
  if (exact && memcmp (a->code, b->code, CODE_SIZE) != 0)
    TELL ("code%s", "");
  if (exact && memcmp (a->selector, b->selector, sizeof a->selector) != 0)
    TELL ("selectors%s", "");
#undef TELL
}

/* Whether the host's processor has the instruction as the interpreter has it. */
static bool
may_run_natively (const Case *c, const VtInsn *insn)
{
  if (c->mode != FLAT32 || insn->seg >= VT_CPU_FS || insn->lock)
    return false;
  if (insn->op->run == vt_op_push && insn->operand[0].kind == VT_OPERAND_SEG)
    return false;
  /* To where the host has nothing, or something else; makers differ in the prefixes. */
  if (is_transfer (insn))
    return insn->n && insn->operand[0].kind == VT_OPERAND_IMM && insn->op->run != vt_op_ret
           && (int64_t) insn->imm[0] < 1024 && (int64_t) insn->imm[0] > -1024
           && !((int64_t) insn->imm[0] < 0 && (int64_t) insn->imm[0] >= -(int64_t) insn->length)
           && !memchr (insn->bytes, 0x66, insn->length - 1)
           && !memchr (insn->bytes, 0xf2, insn->length - 1)
           && !memchr (insn->bytes, 0xf3, insn->length - 1);
  if (insn->op->run == vt_op_nop && insn->n && insn->operand[0].kind != VT_OPERAND_MEM)
    return false;
  return insn->op->run != vt_op_enter;
}

NarrowCaseEnd
narrow_case_run (NarrowCase *nc, const uint8_t *data, size_t size, char **report)
{
  static const ZydisMachineMode machine[MODES] = {
    ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
    ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_MACHINE_MODE_LEGACY_32,
    ZYDIS_MACHINE_MODE_LEGACY_16,      ZYDIS_MACHINE_MODE_REAL_16,
    ZYDIS_MACHINE_MODE_REAL_16,
  };
  Source                  source = source_init (data, size);
  uint8_t                 bytes[15];
  ZydisDecodedInstruction zydis;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  VtInsn                  insn;
  Case                    c = { .mode = (Mode) (source_byte (&source) % MODES) };
  g_autofree Outcome     *outcome = g_new0 (Outcome, 4);

  *report = NULL;
  make_bytes (&source, bytes);
  if (!ZYAN_SUCCESS (ZydisDecoderDecodeFull (vt_decoder_zydis (nc->interpreted->decoder, machine[c.mode]),
                                             bytes, 15, &zydis, operands)))
    return NARROW_CASE_SKIPPED;
  vt_insn_take (&insn, &zydis, operands, machine[c.mode], bytes);
  if (insn.op == NULL || !comparable (&insn))
    return NARROW_CASE_SKIPPED;
  c.data_at = is_paged (c.mode) ? DATA : RAM_DATA;
  c.code_at = is_paged (c.mode) ? CODE : RAM_CODE;
  memset (nc->code_write, 0xcc, CODE_SIZE);
  fill (nc, &source, &c);
  take_segments (&source, &c);
  aim (&source, nc, &insn, &zydis, bytes, &c);
  memcpy (nc->code_write + CODE_AT, bytes, zydis.length);
  memcpy (insn.bytes, bytes, zydis.length);

  const uint64_t undefined = zydis.cpu_flags ? zydis.cpu_flags->undefined : 0;
  g_autoptr (GString) out = g_string_new (NULL);
  run_core (nc, nc->interpreted, &c, vt_interpret, &outcome[0]);
  if (outcome[0].step == VT_STEP_DECLINED)
    return NARROW_CASE_SKIPPED;
  run_core (nc, nc->strict, &c, vt_translate, &outcome[1]);
  compare (&outcome[0], &outcome[1], "interpreter, translator", true, undefined, out);
  const bool faulted = outcome[0].vector != 256 || outcome[0].step != VT_STEP_DONE;
  run_core (nc, nc->optimized, &c, vt_translate, &outcome[2]);
  /* Dead flags are anything where a fault shows them. */
  compare (&outcome[0], &outcome[2], "interpreter, optimizing translator", true,
           undefined | (faulted ? VT_FLAGS_STATUS : 0), out);
  /* Low memory is the kernel's here, and nothing on the host. */
  const bool low = outcome[0].vector == VT_EXC_PF && outcome[0].cr2 < 2 * VT_MIB;
  if (!low && zydis.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && may_run_natively (&c, &insn))
    {
      run_native (nc, &c, &outcome[3]);
      compare (&outcome[3], &outcome[0], "host, interpreter", false, undefined, out);
    }
  if (out->len == 0)
    return NARROW_CASE_SAME;

  ZydisFormatter formatter;
  char           text[128];
  GString       *whole = g_string_new (NULL);
  ZydisFormatterInit (&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  ZydisFormatterFormatInstruction (&formatter, &zydis, operands, zydis.operand_count_visible, text,
                                   sizeof text, c.rip, NULL);
  g_string_append_printf (whole, "%s (", text);
  for (unsigned i = 0; i < zydis.length; i++)
    g_string_append_printf (whole, "%s%02x", i ? " " : "", bytes[i]);
  g_string_append_printf (whole, "), mode %u, rip %" PRIx64 ", flags %" PRIx64 ", vector %u\n", c.mode,
                          c.rip, c.flags, outcome[0].vector);
  for (unsigned i = 0; i < 6; i++)
    g_string_append_printf (whole, "  %u: base %" PRIx64 " limit %x type %u db %u\n", i, c.seg[i].base,
                            c.seg[i].limit, c.seg[i].type, c.seg[i].db);
  g_string_append_printf (whole, "%.800s", out->str);
  *report = g_string_free (whole, FALSE);
  return NARROW_CASE_DIFFERENT;
}

void
narrow_case_counts (const NarrowCase *nc, uint64_t *entries, uint64_t *native)
{
  VtTranslateCounts counts;

  vt_translate_counts (nc->strict, &counts);
  *entries = counts.entries;
  *native = nc->n_native;
}

bool
narrow_case_translates (const NarrowCase *nc)
{
  return vt_translate_available (nc->strict);
}

/* Making it ------------------------------------------------------------------------------------------ */

NarrowCase *
narrow_case_new (void)
{
  NarrowCase *nc = g_new0 (NarrowCase, 1);
  GError     *error = NULL;
  const int   fd = memfd_create ("case", MFD_CLOEXEC);
  void       *code = MAP_FAILED;

  nc->data = mmap ((void *) (uintptr_t) DATA, DATA_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (fd >= 0 && ftruncate (fd, CODE_SIZE) == 0)
    {
      code = mmap ((void *) (uintptr_t) CODE, CODE_SIZE, PROT_READ | PROT_EXEC,
                   MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
      nc->code_write = mmap (NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
  if (fd >= 0)
    close (fd);
  if (nc->data != (void *) (uintptr_t) DATA || code != (void *) (uintptr_t) CODE
      || nc->code_write == MAP_FAILED)
    {
      g_free (nc);
      return NULL;
    }
  nc->stack = g_malloc (HOST_NATIVE_STACK);
  nc->space = vt_space_new ();
  nc->ram = vt_ram_new ("ram", VT_MIB, &error);
  g_assert_no_error (error);
  vt_space_map_ram (nc->space, nc->ram, 0, VT_MIB, 0, 0);
  nc->mem = vt_ram_host (nc->ram);
  nc->interpreted = vt_core_new (nc->space, &no_ops, nc);
  nc->strict = vt_core_new (nc->space, &no_ops, nc);
  nc->strict->strict = true;
  nc->optimized = vt_core_new (nc->space, &no_ops, nc);
  tables_init (nc->mem);
  return nc;
}

void
narrow_case_free (NarrowCase *nc)
{
  munmap (nc->data, DATA_SIZE);
  munmap ((void *) (uintptr_t) CODE, CODE_SIZE);
  munmap (nc->code_write, CODE_SIZE);
  vt_core_free (nc->interpreted);
  vt_core_free (nc->strict);
  vt_core_free (nc->optimized);
  vt_space_free (nc->space);
  vt_ram_free (nc->ram);
  g_free (nc->stack);
  g_free (nc);
}
