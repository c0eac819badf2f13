/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Three machines of one core each, and the programs: see sequence-case.h. Single instructions are compared
 * with the host's processor in host-case.c; here the interpreter is what others are compared with.
 */
#include "rig/sequence-case.h"
#include "rig/source.h"

#include <inttypes.h>

#include "cpu/translate/block/translate.h"
#include "cpu/translate/interpret/interpret.h"

#define DATA UINT64_C (0x20000000)
#define PAGES 10u
#define CODE_PAGE 9u /* Of these, that of the code. */
#define CODE UINT64_C (0x30000000)
#define CODE_SIZE 0x2000u
/* Programs begin in the first page and go on in the second, or are in that alone. */
#define CODE_BORDER 0x1000u
#define CODE_AT 0x1100u
#define FUNCTION_AT 0x1900u
#define FUNCTION_END 0x1910u
#define ISLAND_AT 0xd00u /* Data, in the middle of what is left of the page. */
#define RAM_DATA 0x20000u
#define RAM_CODE 0x30000u
#define RAM_TABLES 0x10000u
#define TABLES_SIZE 0x5000u
#define RAM_IDT 0x5000u
#define RAM_TSS 0x4000u
#define RAM_STACK 0x9000u /* Of privilege 0. */
#define HANDLERS 0x40000u /* A HLT each. */
#define LOW_BYTES 0x50000u
#define RUNS 6u
#define LONGEST_RUN 20000u /* Instructions. */
#define MACHINES 3u

typedef struct
{
  VtSpace *space;
  VtRam   *ram;
  uint8_t *mem;
  VtCore  *core;
} Machine;

struct SequenceCase
{
  Machine        machine[MACHINES]; /* Interpreted, strict, optimized. */
  VtCpuState    *state;
  uint8_t       *low;  /* What the memory begins with. */
  SequenceCounts counts;
};

static const char *const names[MACHINES] = { "interpreter", "strict translator", "translator" };

/* What random choices are made of ------------------------------------------------------------------- */

static uint64_t
take64 (Source *source)
{
  const uint64_t high = source_below (source, UINT32_MAX);
  return high << 32 | source_below (source, UINT32_MAX);
}

/* Programs ------------------------------------------------------------------------------------------ */

#define LONGEST 40u

typedef struct
{
  Source  *source;
  uint8_t *code; /* CODE_SIZE bytes. */
  unsigned start, at, made;
  bool     narrow; /* 32-bit code: the first eight registers, and no REX prefixes. */
  uint8_t  base[3], index[2]; /* Registers that are kept for addresses. */
  uint16_t loop; /* Where the last backward jump may go, or 0. */
} Program;

#define COUNTER 15u /* R15 is counted down by backward jumps; in 32-bit code EDI. */

static void
byte (Program *p, unsigned value)
{
  if (p->at < FUNCTION_AT - 1)
    p->code[p->at++] = (uint8_t) value;
}

static void
word32 (Program *p, uint32_t value)
{
  for (unsigned i = 0; i < 4; i++)
    byte (p, value >> 8 * i & 0xff);
}

static void
rex (Program *p, unsigned bits)
{
  if (!p->narrow)
    byte (p, 0x40 | bits);
}

static bool
is_address (const Program *p, unsigned gpr)
{
  return gpr == p->base[0] || gpr == p->base[1] || gpr == p->base[2] || gpr == p->index[0]
         || gpr == p->index[1] || gpr == VT_CPU_RSP
         || gpr == (p->narrow ? COUNTER & 7 : COUNTER);
}

/* A register that may be written. */
static unsigned
any_gpr (Program *p)
{
  unsigned gpr;

  do
    gpr = source_below (p->source, p->narrow ? 8 : 16);
  while (is_address (p, gpr));
  return gpr;
}

/* A memory operand: ModRM's and SIB's fields, with @reg beside it, behind the prefixes and the opcode. */
typedef struct
{
  uint8_t  prefix; /* FS's, or 0. */
  uint8_t  rex;    /* X and B. */
  uint8_t  bytes[6];
  unsigned n;
} Memory;

static Memory
memory (Program *p, unsigned reg)
{
  Source        *s = p->source;
  Memory         m = { 0 };
  const unsigned how = source_below (s, 32), field = (reg & 7) << 3;
  unsigned       base = p->base[how % 3];
  int32_t        disp = (int32_t) source_below (s, 12) * 8 - 32;

  if (source_below (s, 8) == 0)
    disp = (int32_t) source_below (s, 700) - 350;
  if (how == 0)
    {
      /* A constant address. */
      m.bytes[0] = (uint8_t) (field | 4);
      m.bytes[1] = 0x25;
      vt_st32 (m.bytes + 2, (uint32_t) (DATA + source_below (s, PAGES * 4096)));
      m.n = 6;
      return m;
    }
  if (how == 1)
    {
      m.prefix = 0x64;
      base = p->index[0];
    }
  else if (how < 6)
    base = VT_CPU_RSP;
  const bool indexed = how >= 6 && how < 12;
  if (base >= 8)
    m.rex |= 1;
  if (indexed || (base & 7) == 4)
    {
      const unsigned index = indexed ? p->index[how & 1] : VT_CPU_RSP;
      m.bytes[m.n++] = (uint8_t) (0x80 | field | 4);
      m.bytes[m.n++] = (uint8_t) ((indexed ? source_below (s, 4) << 6 : 0) | (index & 7) << 3 | (base & 7));
      m.rex |= index >= 8 ? 2 : 0;
    }
  else
    m.bytes[m.n++] = (uint8_t) (0x80 | field | (base & 7));
  vt_st32 (m.bytes + m.n, (uint32_t) disp);
  m.n += 4;
  return m;
}

/* @legacy: a prefix, or 0; @opcode: one to three bytes, the first of which is the highest; @memory: of operand
 * @rm, else register @rm; @imm_size bytes at random behind it. */
static void
insn (Program *p, unsigned legacy, bool wide, uint32_t opcode, unsigned reg, bool mem, unsigned rm,
      unsigned imm_size)
{
  const Memory m = mem ? memory (p, reg) : (Memory){ .rex = rm >= 8 ? 1 : 0 };

  if (m.prefix)
    byte (p, m.prefix);
  if (legacy)
    byte (p, legacy);
  rex (p, (wide ? 8u : 0) | (reg >= 8 ? 4 : 0) | m.rex);
  if (opcode >> 16)
    byte (p, opcode >> 16);
  if (opcode >> 8)
    byte (p, opcode >> 8 & 0xff);
  byte (p, opcode & 0xff);
  if (mem)
    for (unsigned i = 0; i < m.n; i++)
      byte (p, m.bytes[i]);
  else
    byte (p, 0xc0 | (reg & 7) << 3 | (rm & 7));
  for (unsigned i = 0; i < imm_size; i++)
    byte (p, source_below (p->source, 256));
}

static void
adjust_base (Program *p)
{
  const unsigned base = p->base[source_below (p->source, 3)];
  const unsigned by = (source_below (p->source, 9) * 8 - 32) & 0xff, how = source_below (p->source, 3);

  rex (p, 8u | (base >= 8 ? how == 0 ? 5 : 1 : 0));
  byte (p, how == 0 ? 0x8d : 0x83);
  if (how == 0)
    {
      byte (p, 0x40 | (base & 7) << 3 | (base & 7));
      if ((base & 7) == 4)
        byte (p, 0x24);
    }
  else
    byte (p, (how == 1 ? 0xc0 : 0xe8) | (base & 7));
  byte (p, by);
}

/* Over what one to three further instructions make. */
static void make (Program *p);

static void
jump_forward (Program *p)
{
  const bool always = source_below (p->source, 8) == 0;

  if (always)
    byte (p, 0xe9);
  else
    {
      byte (p, 0x0f);
      byte (p, 0x80 | source_below (p->source, 16));
    }
  const unsigned where = p->at;
  word32 (p, 0);
  for (unsigned n = 1 + source_below (p->source, 3); n > 0; n--)
    make (p);
  if (p->at < FUNCTION_AT - 1)
    vt_st32 (p->code + where, p->at - (where + 4));
}

static void
jump_back (Program *p)
{
  if (p->loop == 0)
    {
      p->loop = (uint16_t) p->at;
      return;
    }
  /* SUB or LEA: flags die or live over it. */
  if (source_below (p->source, 2))
    {
      rex (p, 9);
      for (unsigned i = 0; i < 3; i++)
        byte (p, "\x83\xef\x01"[i] & 0xff);
    }
  else
    {
      rex (p, 13);
      for (unsigned i = 0; i < 3; i++)
        byte (p, "\x8d\x7f\xff"[i] & 0xff);
      rex (p, 13);
      byte (p, 0x85);
      byte (p, 0xff);
    }
  byte (p, 0x0f);
  byte (p, 0x85);
  word32 (p, p->loop - (p->at + 4));
  p->loop = 0;
}

/* Vector instructions: prefix and opcode. */
static void
vector (Program *p)
{
  static const uint32_t some[] = { 0xf30f6f, 0xf30f7f, 0x660f6f, 0x660f7f, 0xf20f10, 0xf20f11,
                                   0xf20f58, 0x660fd4, 0x660fef, 0x000f10, 0x000f11, 0x660f2e };
  const uint32_t one = some[source_below (p->source, G_N_ELEMENTS (some))];

  insn (p, one >> 16, false, one & 0xffff, source_below (p->source, p->narrow ? 8 : 16), true, 0, 0);
}

/* A VEX instruction with three registers of the general ones: ANDN; MULX, which has no flags. */
static void
vex (Program *p)
{
  const unsigned reg = any_gpr (p), other = any_gpr (p);
  const Memory   m = memory (p, reg);
  const bool     mulx = source_below (p->source, 2);

  if (m.prefix)
    byte (p, m.prefix);
  byte (p, 0xc4);
  byte (p, (~((reg >= 8 ? 4u : 0) | m.rex) & 7) << 5 | 2);
  byte (p, 0x80 | (~other & 15) << 3 | (mulx ? 3 : 0));
  byte (p, mulx ? 0xf6 : 0xf2);
  for (unsigned i = 0; i < m.n; i++)
    byte (p, m.bytes[i]);
}

static void
make (Program *p)
{
  Source        *s = p->source;
  const bool     wide = source_below (s, 2) && !p->narrow, mem = source_below (s, 4) != 0;
  const unsigned gpr = any_gpr (p), other = any_gpr (p), op = source_below (s, 8);
  const unsigned size = source_below (s, 6) == 0 ? 0x66 : 0;
  const bool     narrow = source_below (s, 6) == 0; /* Bytes. */

  p->made++;
  switch (source_below (s, 30))
    {
    case 0: case 1: case 2:
      insn (p, size, wide, narrow ? 0x8a : 0x8b, gpr, true, 0, 0);
      break;
    case 3: case 4: case 5:
      insn (p, size, wide, narrow ? 0x88 : 0x89, gpr, true, 0, 0);
      break;
    case 6: case 7:
      insn (p, size, wide, op << 3 | (narrow ? 2 : 3), gpr, mem, other, 0);
      break;
    case 8: case 9:
      insn (p, source_below (s, 8) || op == 7 || !mem ? size : 0xf0, wide, op << 3 | (narrow ? 0 : 1), gpr, mem, other, 0);
      break;
    case 10:
      insn (p, size, wide, narrow ? 0x80 : 0x83, op, mem, other, 1);
      break;
    case 11:
      insn (p, size, wide, narrow ? 0x84 : 0x85, gpr, mem, other, 0);
      break;
    case 12: /* INC, DEC; NOT, NEG. */
      insn (p, size, wide, source_below (s, 2) ? 0xff : 0xf7, 0, false, other, 0);
      p->code[p->at - 1] |= (uint8_t) (p->code[p->at - 2] == 0xff ? op & 8 : 0x10 | (op & 8));
      break;
    case 13: case 14:
      if (gpr >= 8)
        byte (p, 0x41);
      byte (p, 0x50 | (gpr & 7));
      break;
    case 15: case 16:
      if (gpr >= 8)
        byte (p, 0x41);
      byte (p, 0x58 | (gpr & 7));
      break;
    case 17:
      adjust_base (p);
      break;
    case 18:
      insn (p, 0, false, 0x0f90 | source_below (s, 16), 0, mem, other, 0);
      break;
    case 19:
      insn (p, size, wide, 0x0f40 | source_below (s, 16), gpr, mem, other, 0);
      break;
    case 20: case 21:
      jump_forward (p);
      break;
    case 22:
      jump_back (p);
      break;
    case 23:
      vector (p);
      break;
    case 24:
      insn (p, size, wide, 0xc1, op, mem, other, 1);
      break;
    case 25:
      insn (p, size, wide, source_below (s, 2) ? 0x0faf : 0x0fb6 + source_below (s, 2) * 8, gpr, mem, other, 0);
      break;
    case 26: /* XCHG, XADD, CMPXCHG. */
      insn (p, source_below (s, 2) && mem ? 0xf0 : 0, wide, source_below (s, 3) == 0 ? 0x87 : source_below (s, 2) ? 0x0fc1 : 0x0fb1, gpr,
            mem, other, 0);
      break;
    case 27:
      if (source_below (s, 2))
        vex (p);
      else
        {
          byte (p, 0xe8);
          word32 (p, FUNCTION_AT - (p->at + 4));
        }
      break;
    case 28:
      switch (source_below (s, 8))
        {
        case 0:
          byte (p, 0x9c); /* PUSHF: all flags are seen. */
          break;
        case 1:
          byte (p, 0xf8 | source_below (s, 2));
          break;
        case 2:
          byte (p, 0x9f); /* LAHF */
          break;
        case 3:
          byte (p, 0xc9); /* LEAVE */
          break;
        case 4: /* PUSH, INC and DEC of memory. */
          insn (p, 0, false, 0xff, source_below (s, 2) ? 6 : source_below (s, 2), true, 0, 0);
          break;
        case 5: /* DIV and its kin, whose flags nobody knows, and TEST. */
          insn (p, 0, wide, 0xf7, 4 + source_below (s, 4), mem, other, 0);
          byte (p, 0x85);
          byte (p, 0xc0);
          break;
        case 6: /* BT and its kin, by a constant. */
          insn (p, 0, wide, 0x0fba, 4 + source_below (s, 4), mem, other, 1);
          break;
        default:
          rex (p, 8);
          byte (p, p->narrow ? 0x40 + any_gpr (p) : source_below (s, 2) ? 0xab : 0xa5); /* INC; STOS, MOVS */
          break;
        }
      break;
    default: /* LEA */
      insn (p, 0, wide, 0x8d, gpr, true, 0, 0);
      break;
    }
}

static void
make_program (SequenceCase *sc, Program *p)
{
  static const uint8_t bases[] = { VT_CPU_RBX, VT_CPU_RSI, VT_CPU_RDI, VT_CPU_RBP, 8, 9, 10, 12, 13 };
  static const uint8_t indices[] = { VT_CPU_RCX, VT_CPU_RDX, 11, 14 };
  static const uint8_t narrow_bases[] = { VT_CPU_RBX, VT_CPU_RSI, VT_CPU_RBP };
  static const uint8_t function[] = { 0x48, 0x31, 0xc8, 0x51, 0x11, 0xd0, 0x59, 0xc3 };

  for (unsigned i = 0; i < 3; i++)
    p->base[i] = p->narrow ? narrow_bases[source_below (p->source, G_N_ELEMENTS (narrow_bases))]
                           : bases[source_below (p->source, G_N_ELEMENTS (bases))];
  for (unsigned i = 0; i < 2; i++)
    p->index[i] = indices[source_below (p->source, p->narrow ? 2 : G_N_ELEMENTS (indices))];
  memset (p->code, 0xcc, CODE_SIZE);
  /* XOR RAX, RCX; PUSH RCX; ADC EAX, EDX; POP RCX; RET */
  memcpy (p->code + FUNCTION_AT, function, sizeof function);
  p->at = p->start = source_below (p->source, 4) ? CODE_BORDER - source_below (p->source, 300) : CODE_AT;
  for (unsigned n = 6 + source_below (p->source, LONGEST - 6); n > 0; n--)
    make (p);
  sc->counts.instructions += p->made;
}

/* Running ------------------------------------------------------------------------------------------- */

/* A pointer into the data: mostly where it may be written, often by a page's border. */
static uint64_t
take_pointer (Source *s)
{
  static const uint8_t pages[] = { 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 9 };
  const uint64_t page = DATA + pages[source_below (s, G_N_ELEMENTS (pages))] * 4096u;

  if (page == DATA + CODE_PAGE * 4096)
    return page + ISLAND_AT + source_below (s, 16) * 8;
  switch (source_below (s, 4))
    {
    case 0:
      return page + source_below (s, 128);
    case 1:
      return page + 4095 - source_below (s, 128);
    default:
      return page + source_below (s, 512) * 8;
    }
}

static VtCpuSegment
flat (unsigned selector, bool code)
{
  return (VtCpuSegment){ .limit = UINT32_MAX,
                         .selector = (uint16_t) selector,
                         .type = code ? 11 : 3,
                         .dpl = 3,
                         .present = true,
                         .code_or_data = true,
                         .db = !code,
                         .l = code,
                         .g = true };
}

/* Of 32-bit code: flat, or with a base and a limit that some accesses are beyond. */
static void
take_segments (Source *s, const Program *p, VtCpuState *state)
{
  const bool limited = p->narrow && source_below (s, 2);

  state->seg[VT_CPU_CS] = flat (p->narrow ? 0x23 : 0x33, true);
  state->seg[VT_CPU_CS].l = !p->narrow;
  state->seg[VT_CPU_CS].db = p->narrow;
  for (unsigned i = VT_CPU_ES; i <= VT_CPU_DS; i++)
    if (i != VT_CPU_CS)
      {
        state->seg[i].base = limited ? source_below (s, 3) * 0x800 : 0;
        state->seg[i].limit = limited && source_below (s, 2) ? (uint32_t) (DATA + source_below (s, PAGES * 4096)) : UINT32_MAX;
      }
}

static void
take_state (Source *s, const Program *p, VtCpuState *state)
{
  for (unsigned i = 0; i < VT_CPU_GPRS; i++)
    state->gpr[i] = take64 (s) >> source_below (s, 64);
  for (unsigned i = 0; i < 3; i++)
    state->gpr[p->base[i]] = take_pointer (s);
  for (unsigned i = 0; i < 2; i++)
    state->gpr[p->index[i]] = source_below (s, 64);
  state->gpr[VT_CPU_RSP] = source_below (s, 8) ? DATA + 0x1000 + source_below (s, 256) * 8 - 0x100 : take_pointer (s);
  state->gpr[p->narrow ? COUNTER & 7 : COUNTER] = 1 + source_below (s, 20);
  /* What 64-bit code has left in the upper halves. */
  if (p->narrow && source_below (s, 2))
    for (unsigned i = 0; i < 8; i++)
      state->gpr[i] |= (uint64_t) source_below (s, UINT32_MAX) << 32;
  state->rflags = VT_FLAG_FIXED | VT_FLAG_IF | (source_below (s, UINT32_MAX) & VT_FLAGS_STATUS);
  state->seg[VT_CPU_FS].base = take_pointer (s);
  take_segments (s, p, state);
  state->rip = CODE + p->start;
  for (unsigned i = 0; i < 16; i++)
    {
      vt_st64 (state->xsave + 160 + i * 16, take64 (s));
      vt_st64 (state->xsave + 168 + i * 16, take64 (s));
    }
}

typedef struct
{
  uint64_t gpr[VT_CPU_GPRS], rip, flags, cr2, error;
  unsigned vector; /* 256: none; the run has not come to an end. */
} Outcome;

static Outcome
outcome (const Machine *m)
{
  const VtCore *core = m->core;
  Outcome       o = { .rip = core->rip, .flags = core->rflags, .cr2 = core->cr2, .vector = 256 };

  memcpy (o.gpr, core->gpr, sizeof o.gpr);
  if (core->rip < HANDLERS || core->rip >= HANDLERS + 32 * 16)
    return o;
  const uint8_t *frame = m->mem + core->gpr[VT_CPU_RSP];
  o.vector = (unsigned) (core->rip - HANDLERS) / 16;
  if (o.vector == 8 || (o.vector >= 10 && o.vector <= 14) || o.vector == 17)
    {
      o.error = vt_ld64 (frame);
      frame += 8;
    }
  o.rip = vt_ld64 (frame);
  o.flags = vt_ld64 (frame + 16);
  o.gpr[VT_CPU_RSP] = vt_ld64 (frame + 24);
  return o;
}

static void
compare (const Machine *m, const Outcome *a, const Outcome *b, unsigned which, bool narrow, GString *out)
{
  const uint8_t *const one = m[0].mem, *const other = m[which].mem;
  /* Dead flags are anything where a fault shows them, as a division's are. */
  const bool     dead = (which == 2 && a->vector != VT_EXC_BP) || a->vector == VT_EXC_DE;
  const uint64_t mask = dead ? ~(uint64_t) VT_FLAGS_STATUS : UINT64_MAX;

#define TELL(format, ...)                                                                          \
  g_string_append_printf (out, "  %s, %s: " format "\n", names[0], names[which], __VA_ARGS__)
  if (a->vector != b->vector || a->rip != b->rip || a->error != b->error || a->cr2 != b->cr2)
    TELL ("vector %u at %" PRIx64 " error %" PRIx64 " cr2 %" PRIx64 ", %u at %" PRIx64 " error %" PRIx64
          " cr2 %" PRIx64, a->vector, a->rip, a->error, a->cr2, b->vector, b->rip, b->error, b->cr2);
  for (unsigned i = 0; i < VT_CPU_GPRS; i++)
    if (narrow ? (uint32_t) a->gpr[i] != (uint32_t) b->gpr[i] : a->gpr[i] != b->gpr[i])
      TELL ("register %u %016" PRIx64 ", %016" PRIx64, i, a->gpr[i], b->gpr[i]);
  if ((a->flags ^ b->flags) & mask)
    TELL ("flags %" PRIx64 ", %" PRIx64, a->flags, b->flags);
  for (unsigned i = 160; i < 416; i++)
    if (m[0].core->xsave[i] != m[which].core->xsave[i])
      TELL ("vector byte %u", i);
  for (unsigned i = 0; i < PAGES * 4096; i++)
    if (one[RAM_DATA + i] != other[RAM_DATA + i])
      TELL ("memory %x %02x, %02x", i, one[RAM_DATA + i], other[RAM_DATA + i]);
  if (memcmp (one + RAM_CODE, other + RAM_CODE, CODE_SIZE) != 0)
    TELL ("code%s", "");
  /* Accessed and dirty bits. */
  for (unsigned i = 0; i < TABLES_SIZE; i += 8)
    if (vt_ld64 (one + RAM_TABLES + i) != vt_ld64 (other + RAM_TABLES + i))
      TELL ("page tables at %x: %" PRIx64 ", %" PRIx64, i, vt_ld64 (one + RAM_TABLES + i),
            vt_ld64 (other + RAM_TABLES + i));
#undef TELL
}

/* @warm: with the TLB and the slots of the run before. */
static void
start (Machine *m, const VtCpuState *state, bool warm)
{
  VtCore *core = m->core;

  if (!warm)
    {
      vt_core_load (core, state);
      return;
    }
  memcpy (core->gpr, state->gpr, sizeof core->gpr);
  memcpy (core->seg, state->seg, sizeof core->seg);
  memcpy (core->xsave, state->xsave, 576);
  core->rip = state->rip;
  core->rflags = state->rflags;
  core->cpl = 3;
  core->cr2 = 0;
  vt_core_changed (core);
}

static bool
run_all (SequenceCase *sc, const VtCpuState *state, bool warm, GString *out)
{
  Outcome o[MACHINES];

  for (unsigned i = 0; i < MACHINES; i++)
    {
      Machine *m = &sc->machine[i];
      uint64_t done = 0;
      start (m, state, warm);
      VtStep step;
      do
        step = (i ? vt_translate : vt_interpret) (m->core, LONGEST_RUN, &done);
      while (i && step == VT_STEP_DONE);
      /* What was dead by the code as it was may live by what it has made of itself; it may even loop. */
      if (step == VT_STEP_DONE
          || memcmp (m->mem + RAM_CODE, sc->low + RAM_CODE, FUNCTION_END) != 0)
        return false;
      o[i] = outcome (m);
      if (step != VT_STEP_DECLINED || o[i].vector == 256)
        g_string_append_printf (out, "  %s: ended with %d at %" PRIx64 "\n", names[i], (int) step, o[i].rip);
      else if (i)
        compare (sc->machine, &o[0], &o[i], i, !state->seg[VT_CPU_CS].l, out);
    }
  sc->counts.runs++;
  sc->counts.faults += o[0].vector != VT_EXC_BP;
  return out->len == 0;
}

char *
sequence_case_run (SequenceCase *sc, const uint8_t *data, size_t size)
{
  Source             source = source_init (data, size);
  uint8_t            code[CODE_SIZE];
  Program            p = { .source = &source, .code = code };
  g_autoptr (GString) out = g_string_new (NULL);
  uint64_t           word = take64 (&source);

  p.narrow = source_below (&source, 3) == 0;
  make_program (sc, &p);
  for (unsigned i = 0; i < PAGES * 4096; i += 8)
    {
      word = word * 6364136223846793005 + 1442695040888963407;
      vt_st64 (sc->low + RAM_DATA + i, word);
    }
  memcpy (sc->low + RAM_CODE, code, sizeof code);
  for (unsigned i = 0; i < MACHINES; i++)
    {
      memcpy (sc->machine[i].mem, sc->low, LOW_BYTES);
      vt_ram_mark_dirty (sc->machine[i].ram, 0, LOW_BYTES);
    }
  for (unsigned run = 0; run < RUNS; run++)
    {
      const bool warm = run && source_below (&source, 4);
      take_state (&source, &p, sc->state);
      if (!run_all (sc, sc->state, warm, out))
        break;
    }
  if (out->len == 0)
    return NULL;
  g_string_truncate (out, MIN (out->len, 1500));
  g_string_append (out, "  the program:");
  for (unsigned i = p.start; i < p.at; i++)
    g_string_append_printf (out, " %02x", code[i]);
  g_string_append_c (out, '\n');
  return g_string_free (g_steal_pointer (&out), FALSE);
}

void
sequence_case_counts (const SequenceCase *sc, SequenceCounts *counts)
{
  *counts = sc->counts;
}

/* Making it ------------------------------------------------------------------------------------------ */

static const VtCoreOps no_ops;

static void
low_init (uint8_t *mem)
{
  const uint32_t low = RAM_TABLES + 0x1000, dir = RAM_TABLES + 0x2000;
  const uint32_t data = RAM_TABLES + 0x3000, code = RAM_TABLES + 0x4000;

  vt_st64 (mem + RAM_TABLES, low | 7);
  vt_st64 (mem + low, dir | 7);
  vt_st64 (mem + dir, 0x83); /* 0 to 2 MiB: the kernel's. */
  vt_st64 (mem + dir + (DATA >> 21) * 8, data | 7);
  vt_st64 (mem + dir + (CODE >> 21) * 8, code | 7);
  for (unsigned i = 0; i < PAGES; i++)
    vt_st64 (mem + data + i * 8, (RAM_DATA + i * 4096) | 7);
  vt_st64 (mem + data + 3 * 8, (RAM_DATA + 3 * 4096) | 5); /* Not to be written. */
  vt_st64 (mem + data + 5 * 8, 0);
  vt_st64 (mem + data + 7 * 8, 0x800000 | 7); /* No RAM there. */
  vt_st64 (mem + data + CODE_PAGE * 8, (RAM_CODE + CODE_BORDER) | 7);
  vt_st64 (mem + code, RAM_CODE | 5);
  vt_st64 (mem + code + 8, (RAM_CODE + CODE_BORDER) | 5);
  for (unsigned v = 0; v < 32; v++)
    {
      const uint32_t at = HANDLERS + v * 16;
      vt_st64 (mem + RAM_IDT + v * 16,
               (at & 0xffff) | 8u << 16 | (uint64_t) (v == 3 ? 0xee00 : 0x8e00) << 32 | (uint64_t) (at >> 16) << 48);
      mem[at] = 0xf4;
    }
  vt_st64 (mem + 0x3008, 0x00af9b000000ffff);
  vt_st64 (mem + RAM_TSS + 4, RAM_STACK);
}

static void
state_init (VtCpuState *state)
{
  vt_cpu_state_reset (state, true, 0x600);
  state->gdt_base = 0x3000;
  state->gdt_limit = 0xff;
  state->idt_base = RAM_IDT;
  state->idt_limit = 32 * 16 - 1;
  state->cr0 = 0x80010033;
  state->cr3 = RAM_TABLES;
  state->cr4 = VT_CR4_PAE | VT_CR4_OSFXSR | VT_CR4_OSXMMEXCPT;
  state->efer = VT_EFER_LME | VT_EFER_LMA | VT_EFER_NXE | VT_EFER_SCE;
  state->seg[VT_CPU_CS] = flat (0x33, true);
  for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
    if (i != VT_CPU_CS)
      state->seg[i] = flat (0x2b, false);
  state->seg[VT_CPU_TR] = (VtCpuSegment){
    .base = RAM_TSS, .limit = 0x67, .selector = 0x40, .type = 11, .present = true
  };
  state->xsave_size = 576;
  vt_st16 (state->xsave, 0x37f);
  vt_st32 (state->xsave + 24, 0x1f80);
  state->xsave[512] = 3;
}

SequenceCase *
sequence_case_new (void)
{
  SequenceCase *sc = g_new0 (SequenceCase, 1);
  GError       *error = NULL;

  sc->low = g_malloc0 (LOW_BYTES);
  low_init (sc->low);
  sc->state = g_new0 (VtCpuState, 1);
  state_init (sc->state);
  for (unsigned i = 0; i < MACHINES; i++)
    {
      Machine *m = &sc->machine[i];
      m->space = vt_space_new ();
      m->ram = vt_ram_new ("ram", VT_MIB, &error);
      if (m->ram == NULL)
        g_error ("%s", error->message);
      vt_space_map_ram (m->space, m->ram, 0, VT_MIB, 0, 0);
      m->mem = vt_ram_host (m->ram);
      m->core = vt_core_new (m->space, &no_ops, NULL);
      m->core->strict = i == 1;
    }
  if (vt_translate_available (sc->machine[1].core))
    return sc;
  sequence_case_free (sc);
  return NULL;
}

void
sequence_case_free (SequenceCase *sc)
{
  for (unsigned i = 0; i < MACHINES; i++)
    {
      vt_core_free (sc->machine[i].core);
      vt_space_free (sc->machine[i].space);
      vt_ram_free (sc->machine[i].ram);
    }
  g_free (sc->low);
  g_free (sc->state);
  g_free (sc);
}
