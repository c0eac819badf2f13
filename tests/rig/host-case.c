/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The native side is one return from a signal handler with the case's registers in its frame, and one
 * signal back: from the INT3 behind the instruction, or from its fault, with vector, error code and CR2
 * as the processor gave them. Only instructions that touch nothing but registers and the case's own
 * two pages are let through.
 */
#include "rig/host-case.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "cpu/translate/host/unit.h"
#include "cpu/translate/interpret/interpret.h"
#include "cpu/translate/interpret/ops.h"

#define DATA UINT64_C (0x20000000) /* Two pages, and nothing behind or before them. */
#define CODE UINT64_C (0x30000000)
#define CODE_AT 0x800u /* So that short jumps stay in the page. */
#define RAM_DATA 0x20000u
#define RAM_CODE 0x30000u
#define RAM_TABLES 0x10000u
#define RAM_IDT 0x5000u
#define RAM_TSS 0x4000u
#define HANDLERS 0x40000u
#define DATA_SIZE 8192u

struct HostCase
{
  VtSpace *space;
  VtRam   *ram;
  uint8_t *mem, *data, *code_write;
  VtCore  *core;
  void    *stack;
};

/* What a run leaves, on either side. */
typedef struct
{
  uint64_t gpr[16], rip, flags, cr2;
  unsigned vector, error; /* Vector 256: none. */
  uint8_t  legacy[512];
} Outcome;

/* Native ------------------------------------------------------------------------------------------- */

static struct
{
  const Outcome *in;
  Outcome       *out;
  sigjmp_buf     back;
} native; /* The handler's; one run at a time. */

/* The order of the frame's registers, by instruction number. */
static const int frame_order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                     REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                     REG_R12, REG_R13, REG_R14, REG_R15 };

static void
enter_cb (int signal, siginfo_t *info, void *context)
{
  ucontext_t *at = context;

  for (unsigned i = 0; i < 16; i++)
    at->uc_mcontext.gregs[frame_order[i]] = (greg_t) native.in->gpr[i];
  at->uc_mcontext.gregs[REG_RIP] = (greg_t) native.in->rip;
  at->uc_mcontext.gregs[REG_EFL] = (greg_t) (native.in->flags | VT_FLAG_IF);
  /* The legacy area, with the kernel's own words at its end kept. */
  memcpy (at->uc_mcontext.fpregs, native.in->legacy, 416);
  if (vt_ld32 ((uint8_t *) at->uc_mcontext.fpregs + 464) == 0x46505853) /* FP_XSTATE_MAGIC1 */
    {
      /* All beyond SSE is in its initial state. */
      vt_st64 ((uint8_t *) at->uc_mcontext.fpregs + 512, 3);
    }
}

static void
leave_cb (int signal, siginfo_t *info, void *context)
{
  const ucontext_t *at = context;
  Outcome          *out = native.out;

  for (unsigned i = 0; i < 16; i++)
    out->gpr[i] = (uint64_t) at->uc_mcontext.gregs[frame_order[i]];
  out->rip = (uint64_t) at->uc_mcontext.gregs[REG_RIP];
  out->flags = (uint64_t) at->uc_mcontext.gregs[REG_EFL];
  out->vector = (unsigned) at->uc_mcontext.gregs[REG_TRAPNO];
  out->error = (unsigned) at->uc_mcontext.gregs[REG_ERR];
  out->cr2 = (uint64_t) at->uc_mcontext.gregs[REG_CR2];
  memcpy (out->legacy, at->uc_mcontext.fpregs, 416);
  if (signal == SIGTRAP)
    {
      out->vector = 256;
      out->rip--;
    }
  siglongjmp (native.back, 1);
}

static void
run_native (HostCase *hc, const Outcome *in, Outcome *out)
{
  static const int signals[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
  struct sigaction leave = { .sa_sigaction = leave_cb, .sa_flags = SA_SIGINFO | SA_ONSTACK };
  struct sigaction enter = { .sa_sigaction = enter_cb, .sa_flags = SA_SIGINFO | SA_ONSTACK };
  struct sigaction before[G_N_ELEMENTS (signals)], before_enter;
  stack_t          stack = { .ss_sp = hc->stack, .ss_size = 256 * 1024 }, old_stack;

  sigfillset (&leave.sa_mask);
  sigemptyset (&enter.sa_mask);
  sigaltstack (&stack, &old_stack);
  for (unsigned i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &leave, &before[i]);
  sigaction (SIGUSR1, &enter, &before_enter);
  native.in = in;
  native.out = out;
  if (sigsetjmp (native.back, 1) == 0)
    raise (SIGUSR1);
  __asm__ volatile("cld");
  for (unsigned i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &before[i], NULL);
  sigaction (SIGUSR1, &before_enter, NULL);
  sigaltstack (&old_stack, NULL);
}

/* Interpreted --------------------------------------------------------------------------------------- */

static const VtCoreOps no_ops;

static void
tables_init (HostCase *hc)
{
  uint8_t       *mem = hc->mem;
  const uint32_t pml4 = RAM_TABLES, low = RAM_TABLES + 0x1000, dir = RAM_TABLES + 0x2000;
  const uint32_t data = RAM_TABLES + 0x3000, code = RAM_TABLES + 0x4000;

  vt_st64 (mem + pml4, low | 7);
  vt_st64 (mem + low, dir | 7);
  vt_st64 (mem + dir, 0x83); /* 0 to 2 MiB: the kernel's. */
  vt_st64 (mem + dir + (DATA >> 21) * 8, data | 7);
  vt_st64 (mem + dir + (CODE >> 21) * 8, code | 7);
  vt_st64 (mem + data, RAM_DATA | 7);
  vt_st64 (mem + data + 8, (RAM_DATA + 0x1000) | 7);
  vt_st64 (mem + code, RAM_CODE | 5);
  for (unsigned v = 0; v < 32; v++)
    {
      const uint32_t at = HANDLERS + v * 16;
      vt_st64 (mem + RAM_IDT + v * 16,
               (at & 0xffff) | 8u << 16 | (uint64_t) 0x8e00 << 32 | (uint64_t) (at >> 16) << 48);
    }
  vt_st64 (mem + 0x3008, 0x00af9b000000ffff);
  vt_st64 (mem + RAM_TSS + 4, 0x9000);
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

static bool
run_interpreted (HostCase *hc, const Outcome *in, Outcome *out)
{
  VtCore                *core = hc->core;
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  uint64_t               done = 0;

  vt_cpu_state_reset (state, true, 0x600);
  memcpy (state->gpr, in->gpr, sizeof state->gpr);
  state->rip = in->rip;
  state->rflags = in->flags | VT_FLAG_IF | VT_FLAG_FIXED;
  state->gdt_base = 0x3000;
  state->gdt_limit = 0xff;
  state->idt_base = RAM_IDT;
  state->idt_limit = 32 * 16 - 1;
  state->cr0 = 0x80010033;
  state->cr3 = RAM_TABLES;
  state->cr4 = VT_CR4_PAE | VT_CR4_OSFXSR | VT_CR4_OSXMMEXCPT | VT_CR4_OSXSAVE;
  state->efer = VT_EFER_LME | VT_EFER_LMA | VT_EFER_NXE | VT_EFER_SCE;
  state->xcr0 = vt_unit_features (core->unit) & 0xe7;
  state->seg[VT_CPU_CS] = flat (0x33, true);
  for (unsigned i = VT_CPU_ES; i <= VT_CPU_DS; i++)
    if (i != VT_CPU_CS)
      state->seg[i] = flat (0x2b, false);
  state->seg[VT_CPU_TR] = (VtCpuSegment){
    .base = RAM_TSS, .limit = 0x67, .selector = 0x40, .type = 11, .present = true
  };
  state->xsave_size = VT_CPU_XSAVE;
  memcpy (state->xsave, in->legacy, 416);
  state->xsave[512] = 3;
  vt_core_load (core, state);

  const VtStep step = vt_interpret (core, 1, &done);
  if (step == VT_STEP_DECLINED)
    return false;
  if (step != VT_STEP_DONE)
    g_error ("the interpreter ended with %d", (int) step);
  memcpy (out->gpr, core->gpr, sizeof out->gpr);
  out->rip = core->rip;
  out->flags = core->rflags;
  out->cr2 = core->cr2;
  out->vector = 256;
  out->error = 0;
  memcpy (out->legacy, core->xsave, 416);
  if (core->rip >= HANDLERS && core->rip < HANDLERS + 32 * 16)
    {
      /* The frame tells the rest. */
      const uint8_t *frame = hc->mem + core->gpr[VT_CPU_RSP];
      out->vector = (unsigned) (core->rip - HANDLERS) / 16;
      if (out->vector == 8 || (out->vector >= 10 && out->vector <= 14) || out->vector == 17)
        {
          out->error = vt_ld32 (frame);
          frame += 8;
        }
      out->rip = vt_ld64 (frame);
      out->flags = vt_ld64 (frame + 16);
      out->gpr[VT_CPU_RSP] = vt_ld64 (frame + 24);
    }
  return true;
}

/* Making a case ------------------------------------------------------------------------------------- */

typedef struct
{
  const uint8_t *data;
  size_t         left;
  uint64_t       random;
} Source;

/* The next byte; behind the end a generator goes on that the bytes have seeded. */
static uint8_t
take (Source *source)
{
  if (source->left)
    {
      const uint8_t b = *source->data++;
      source->left--;
      source->random = (source->random ^ b) * UINT64_C (0x100000001b3);
      return b;
    }
  source->random ^= source->random << 13;
  source->random ^= source->random >> 7;
  source->random ^= source->random << 17;
  return (uint8_t) (source->random >> 32);
}

static uint64_t
take_value (Source *source)
{
  static const uint64_t special[] = {
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffffffffffff,
    0x0123456789abcdef,
    0x3ff0000000000000,
    0x7ff0000000000000,
    0x7ff8000000000001,
    0x0000000000000001,
  };
  const uint8_t kind = take (source);

  if (kind < 100)
    return special[kind % G_N_ELEMENTS (special)];
  uint64_t value = 0;
  for (unsigned i = 0; i < 8; i++)
    value = value << 8 | take (source);
  return kind < 140 ? value & 0x3f : value;
}

/* Bytes that are likely to be an instruction. */
static void
make_bytes (Source *source, uint8_t bytes[15])
{
  static const uint8_t prefixes[] = { 0x66, 0xf2, 0xf3, 0xf0 };
  unsigned             n = 0;
  const uint8_t        kind = take (source), map = take (source);

  if (kind & 1)
    bytes[n++] = prefixes[take (source) % G_N_ELEMENTS (prefixes)];
  if (kind & 2)
    bytes[n++] = prefixes[take (source) % 2 ? 0 : 2];
  if (map < 50)
    {
      /* VEX of three bytes; the upper registers only now and then. */
      const uint8_t b = take (source);
      bytes[n = 0] = 0xc4;
      bytes[1] = (uint8_t) ((b & 0xe0) | (1 + b % 3));
      bytes[2] = take (source);
      n = 3;
    }
  else
    {
      if (kind & 4)
        bytes[n++] = (uint8_t) (0x40 | (take (source) & 15));
      if (map < 180)
        bytes[n++] = 0x0f;
      if (map >= 50 && map < 70)
        bytes[n++] = 0x38;
      else if (map >= 70 && map < 80)
        bytes[n++] = 0x3a;
      else if (map >= 240)
        bytes[n++] = (uint8_t) (0xd8 + map % 8);
    }
  while (n < 15)
    bytes[n++] = take (source);
}

/* Whether the handler of an instruction of the base set touches nothing but its operands. */
static bool
comparable (const VtInsn *insn)
{
  static void (*const run[]) (VtCore *, const VtInsn *) = {
    vt_op_binary,  vt_op_compare,  vt_op_unary,    vt_op_shift,        vt_op_shift_double,
    vt_op_bit,     vt_op_scan,     vt_op_mul,      vt_op_imul,         vt_op_div,
    vt_op_idiv,    vt_op_extend_a, vt_op_extend_d, vt_op_cmov,         vt_op_set,
    vt_op_xchg,    vt_op_xadd,     vt_op_cmpxchg,  vt_op_cmpxchg_pair, vt_op_movzx,
    vt_op_movsx,   vt_op_movbe,    vt_op_bswap,    vt_op_lea,          vt_op_lahf,
    vt_op_sahf,    vt_op_flag,     vt_op_cmc,      vt_op_nop,          vt_op_string,
    vt_op_push,    vt_op_pop,      vt_op_leave,    vt_op_xlat,         vt_op_jcc,
    vt_op_jmp,     vt_op_loop,     vt_op_jcxz,     vt_op_mov,          vt_op_fninit,
    vt_op_fclex,   vt_op_fnstcw,   vt_op_fldcw,    vt_op_fnstsw,       vt_op_stmxcsr,
    vt_op_ldmxcsr, vt_op_ud,       vt_op_enter,
  };
  const unsigned which = insn->op->arg & 15;

  /* What a mask leaves out does not fault, which the interpreter does not know. */
  if (insn->mnemonic == ZYDIS_MNEMONIC_VMASKMOVPS || insn->mnemonic == ZYDIS_MNEMONIC_VMASKMOVPD
      || insn->mnemonic == ZYDIS_MNEMONIC_VPMASKMOVD || insn->mnemonic == ZYDIS_MNEMONIC_VPMASKMOVQ)
    return false;
  if (insn->op == &vt_op_unit)
    return true;
  if (insn->op->run == vt_op_string && (which == VT_STRING_INS || which == VT_STRING_OUTS))
    return false;
  if ((insn->op->run == vt_op_jmp || insn->op->run == vt_op_jcc)
      && (insn->operand[0].kind != VT_OPERAND_IMM || insn->length > 3
          || (int64_t) insn->imm[0] > 127 || (int64_t) insn->imm[0] < -128))
    return false;
  /* Into itself, it would loop, or be something else. */
  if ((insn->op->run == vt_op_jmp || insn->op->run == vt_op_jcc || insn->op->run == vt_op_loop
       || insn->op->run == vt_op_jcxz)
      && (int64_t) insn->imm[0] < 0 && (int64_t) insn->imm[0] >= -(int64_t) insn->length)
    return false;
  /* With an operand size prefix, an AMD processor truncates the target, which an Intel one does not; and
   * with a repeat prefix it makes LOOPE of LOOPNE. */
  if ((insn->op->run == vt_op_jmp || insn->op->run == vt_op_jcc || insn->op->run == vt_op_loop
       || insn->op->run == vt_op_jcxz)
      && (memchr (insn->bytes, 0x66, insn->length - 1)
          || memchr (insn->bytes, 0xf2, insn->length - 1)
          || memchr (insn->bytes, 0xf3, insn->length - 1)))
    return false;
  /* 0F 0D is PREFETCH of memory alone to one maker, and a NOP of registers to the other. */
  if (insn->op->run == vt_op_nop && insn->n && insn->operand[0].kind != VT_OPERAND_MEM)
    return false;
  /* An older AMD processor and an Intel one differ in BSWAP of 16 bits. */
  if (insn->op->run == vt_op_bswap && insn->operand[0].size == 2)
    return false;
  for (unsigned i = 0; i < insn->n; i++)
    if (insn->operand[i].kind == VT_OPERAND_SEG || insn->operand[i].kind == VT_OPERAND_CR
        || insn->operand[i].kind == VT_OPERAND_DR)
      return false;
  for (unsigned i = 0; i < G_N_ELEMENTS (run); i++)
    if (run[i] == insn->op->run)
      return true;
  return false;
}

/* Where an access goes: mostly inside, at any alignment, now and then across the pages or their end. */
static uint64_t
take_target (Source *source)
{
  const uint8_t kind = take (source);

  if (kind < 100)
    return DATA + 0x400 + take (source) * 16u;
  if (kind < 200)
    return DATA + 0x400 + (take (source) | (take (source) & 7u) << 8);
  if (kind < 240)
    return DATA + 4096 - take (source) % 64;
  return DATA + DATA_SIZE - take (source) % 64;
}

/* Gives the registers that address memory values that stay in the data. False where that can't be. */
static bool
aim (Source *source, const VtInsn *insn, const ZydisDecodedInstruction *zydis, Outcome *in)
{
  bool memory = false;

  if (zydis->attributes & (ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS))
    return false;
  for (unsigned i = 0; i < insn->n; i++)
    memory |= insn->operand[i].kind == VT_OPERAND_MEM && insn->op->run != vt_op_lea
              && insn->op->run != vt_op_nop;
  in->gpr[VT_CPU_RSP] = DATA + 0x1000 + (take (source) & 0xf8);
  if (insn->op->run == vt_op_leave || insn->op->run == vt_op_enter)
    in->gpr[VT_CPU_RBP] = DATA + 0xc00 + (take (source) & 0xf8);
  if (insn->op->run == vt_op_string)
    {
      in->gpr[VT_CPU_RSI] = DATA + 0x800 + take (source) * 4u;
      in->gpr[VT_CPU_RDI] = DATA + 0x900 + take (source) * 4u;
      in->gpr[VT_CPU_RCX] &= 0x3f;
    }
  if (insn->op->run == vt_op_xlat)
    in->gpr[VT_CPU_RBX] = DATA + 0x800;
  if (!memory)
    return true;
  if (insn->base == VT_REG_RIP || insn->base == VT_NO_REG || insn->base == insn->index
      || insn->asize != 8)
    return false;
  if (insn->op->run == vt_op_bit && insn->operand[1].kind == VT_OPERAND_GPR)
    {
      if (insn->operand[1].reg == insn->base)
        return false;
      in->gpr[insn->operand[1].reg] = (uint64_t) ((int64_t) (int8_t) take (source) * 4);
    }
  const uint64_t index = insn->index == VT_NO_REG ? 0 : in->gpr[insn->index] * insn->scale;
  uint64_t       target = take_target (source);
  if (insn->op->run == vt_op_push || insn->op->run == vt_op_pop || insn->op->run == vt_op_enter)
    {
      /* The stack itself stays where it is. */
      if (insn->base == VT_CPU_RSP || insn->index == VT_CPU_RSP)
        return false;
      target = DATA + 0x400 + (target & 0x3f8);
    }
  in->gpr[insn->base] = target - index - (uint64_t) insn->disp;
  return true;
}

static void
compare (HostCase *hc, const Outcome *a, const Outcome *b, uint64_t undefined, GString *out)
{
  static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

  if (a->vector != b->vector)
    {
      g_string_append_printf (out, "  vector: host %u, interpreter %u\n", a->vector, b->vector);
      return;
    }
  if (a->rip != b->rip)
    g_string_append_printf (out, "  rip: host %" PRIx64 ", interpreter %" PRIx64 "\n", a->rip,
                            b->rip);
  for (unsigned i = 0; i < 16; i++)
    if (a->gpr[i] != b->gpr[i])
      g_string_append_printf (out, "  %s: host %016" PRIx64 ", interpreter %016" PRIx64 "\n",
                              names[i], a->gpr[i], b->gpr[i]);
  const uint64_t mask = (VT_FLAGS_STATUS | VT_FLAG_DF) & ~undefined;
  if ((a->flags ^ b->flags) & mask)
    g_string_append_printf (out, "  flags: host %" PRIx64 ", interpreter %" PRIx64 "\n",
                            a->flags & mask, b->flags & mask);
  if (a->vector == 14 && (a->error != b->error || a->cr2 != b->cr2))
    g_string_append_printf (out,
                            "  page fault: host %x at %" PRIx64 ", interpreter %x at %" PRIx64 "\n",
                            a->error, a->cr2, b->error, b->cr2);
  /* Control, status and tags; not the pointers. Then MXCSR, and all registers. A conversion to MMX that
   * faults has made some processors forget the x87 stack already. */
  for (unsigned i = a->vector == 19 ? 160 : 0; i < 416; i++)
    if (!(i >= 5 && i < 24) && !(i >= 28 && i < 32) && !(i >= 32 && i < 160 && i % 16 >= 10)
        && a->legacy[i] != b->legacy[i])
      g_string_append_printf (out, "  unit byte %u: host %02x, interpreter %02x\n", i, a->legacy[i],
                              b->legacy[i]);
  for (unsigned i = 0; i < DATA_SIZE; i++)
    if (hc->data[i] != hc->mem[RAM_DATA + i])
      g_string_append_printf (out, "  memory %x: host %02x, interpreter %02x\n", i, hc->data[i],
                              hc->mem[RAM_DATA + i]);
}

static void
fill (HostCase *hc, Source *source, Outcome *in)
{
  uint64_t word = 0;

  for (unsigned i = 0; i < 16; i++)
    in->gpr[i] = take_value (source);
  in->flags = VT_FLAG_FIXED | ((take (source) | (uint64_t) take (source) << 8) & VT_FLAGS_STATUS);
  if (take (source) < 30)
    in->flags |= VT_FLAG_DF;
  in->rip = CODE + CODE_AT;
  memset (in->legacy, 0, sizeof in->legacy);
  vt_st16 (in->legacy, 0x37f);
  vt_st16 (in->legacy + 2, (uint16_t) ((take (source) & 7) << 11));
  in->legacy[4] = take (source);
  vt_st32 (in->legacy + 24, take (source) < 40 ? 0x1f80 & ~(0x80u << take (source) % 6) : 0x1f80);
  for (unsigned i = 0; i < 8; i++)
    {
      vt_st64 (in->legacy + 32 + i * 16, take_value (source) | VT_BIT (63));
      vt_st16 (in->legacy + 40 + i * 16,
               (uint16_t) (take (source) < 200 ? 0x3ff0u + take (source) % 32
                                               : take_value (source)));
    }
  for (unsigned i = 0; i < 32; i++)
    vt_st64 (in->legacy + 160 + i * 8, take_value (source));
  for (unsigned i = 0; i < DATA_SIZE / 8; i++)
    {
      word = i % 64 < 16 ? take_value (source) : word * 6364136223846793005 + 1442695040888963407;
      vt_st64 (hc->data + i * 8, word);
    }
  memcpy (hc->mem + RAM_DATA, hc->data, DATA_SIZE);
}

HostCaseEnd
host_case_run (HostCase *hc, const uint8_t *data, size_t size, char **report)
{
  Source                  source = { .data = data, .left = size, .random = 88172645463325252 };
  uint8_t                 bytes[15];
  ZydisDecoder            decoder;
  ZydisDecodedInstruction zydis;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  Outcome                 in = { 0 }, host = { 0 }, ours = { 0 };

  *report = NULL;
  make_bytes (&source, bytes);
  ZydisDecoderInit (&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  if (!ZYAN_SUCCESS (ZydisDecoderDecodeFull (&decoder, bytes, 15, &zydis, operands)))
    return HOST_CASE_SKIPPED;

  /* Its handler says whether it can be compared: decoded where it will run. */
  memset (hc->code_write, 0xcc, 4096);
  memcpy (hc->code_write + CODE_AT, bytes, zydis.length);
  memcpy (hc->mem + RAM_CODE, hc->code_write, 4096);
  fill (hc, &source, &in);
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  state->rip = RAM_CODE + CODE_AT;
  state->cr0 = 1;
  state->efer = VT_EFER_LMA | VT_EFER_LME;
  state->seg[VT_CPU_CS] = flat (0x33, true);
  vt_core_load (hc->core, state);
  const VtInsn *insn = vt_decode (hc->core);
  if (insn->op == NULL || !comparable (insn) || !aim (&source, insn, &zydis, &in))
    return HOST_CASE_SKIPPED;
  /* Reciprocal estimates are each processor's own, and so is what it leaves of an undefined result. */
  const uint64_t undefined = zydis.cpu_flags ? zydis.cpu_flags->undefined : 0;

  ZydisFormatter formatter;
  char           text[128];
  ZydisFormatterInit (&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  ZydisFormatterFormatInstruction (&formatter, &zydis, operands, zydis.operand_count_visible, text,
                                   sizeof text, in.rip, NULL);
  *report = g_strdup (text);
  if (!run_interpreted (hc, &in, &ours))
    return HOST_CASE_DECLINED;
  run_native (hc, &in, &host);

  g_autoptr (GString) out = g_string_new (NULL);
  compare (hc, &host, &ours, undefined, out);
  if (out->len == 0)
    return HOST_CASE_SAME;
  GString *whole = g_string_new (text);
  g_string_append (whole, " (");
  for (unsigned i = 0; i < zydis.length; i++)
    g_string_append_printf (whole, "%s%02x", i ? " " : "", bytes[i]);
  g_string_append_printf (whole, "), flags before %" PRIx64 ", rcx %" PRIx64 ", vector %u\n%.1500s",
                          in.flags, in.gpr[1], host.vector, out->str);
  g_free (*report);
  *report = g_string_free (whole, FALSE);
  return HOST_CASE_DIFFERENT;
}

/* Making it ------------------------------------------------------------------------------------------ */

HostCase *
host_case_new (void)
{
  HostCase *hc = g_new0 (HostCase, 1);
  GError   *error = NULL;
  const int fd = memfd_create ("case", MFD_CLOEXEC);

  hc->data = mmap ((void *) (uintptr_t) DATA, DATA_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  void *code = MAP_FAILED;
  if (fd >= 0 && ftruncate (fd, 4096) == 0)
    {
      code = mmap ((void *) (uintptr_t) CODE, 4096, PROT_READ | PROT_EXEC,
                   MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
      hc->code_write = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
  if (fd >= 0)
    close (fd);
  if (hc->data != (void *) (uintptr_t) DATA || code != (void *) (uintptr_t) CODE
      || hc->code_write == MAP_FAILED)
    {
      g_free (hc);
      return NULL;
    }
  hc->stack = g_malloc (256 * 1024);
  hc->space = vt_space_new ();
  hc->ram = vt_ram_new ("ram", VT_MIB, &error);
  g_assert_no_error (error);
  vt_space_map_ram (hc->space, hc->ram, 0, VT_MIB, 0, 0);
  hc->mem = vt_ram_host (hc->ram);
  hc->core = vt_core_new (hc->space, &no_ops, hc);
  tables_init (hc);
  return hc;
}

void
host_case_free (HostCase *hc)
{
  munmap ((void *) (uintptr_t) DATA, DATA_SIZE);
  munmap ((void *) (uintptr_t) CODE, 4096);
  munmap (hc->code_write, 4096);
  vt_core_free (hc->core);
  vt_space_free (hc->space);
  vt_ram_free (hc->ram);
  g_free (hc->stack);
  g_free (hc);
}
