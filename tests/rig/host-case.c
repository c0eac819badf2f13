/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Making a case, running it three times, and comparing. Only instructions that touch nothing but registers
 * and the case's own pages are let through. What the host can't be given (a segment's base, a device, code
 * that is written) is compared between interpreter and translator alone.
 */
#include "rig/host-case.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/translate/block/translate.h"
#include "cpu/translate/host/unit.h"
#include "cpu/translate/interpret/interpret.h"
#include "cpu/translate/interpret/ops.h"
#include "rig/host-native.h"
#include "rig/source.h"

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
/* For interpreter and translator alone: a page of no RAM, and the code's page where it can be written. */
#define DEVICE (DATA + 0x4000)
#define CODE_ALIAS (DATA + 0x6000)
#define VECTORS (VT_FEATURE_AVX | VT_FEATURES_AVX512)

typedef struct CoreOutcome CoreOutcome;

struct HostCase
{
  ZydisDecoder decoder;
  bool         narrow;  /* 32-bit code. */
  CoreOutcome *outcome; /* 4 */
  VtSpace *space;
  VtRam   *ram;
  uint8_t *mem, *data, *code_write;
  VtCore  *core, *translated, *optimized; /* The second is strict: with exact flags at faults, too. */
  void    *stack;
};

/* What a software core leaves beside a HostOutcome. */
struct CoreOutcome
{
  HostOutcome host;
  uint8_t     data[DATA_SIZE], code[4096];
};

typedef struct
{
  HostOutcome in;
  const VtUnit *unit;
  uint64_t    base;   /* Of FS and GS. */
  bool        native; /* The host can run it. */
  bool        warm_read, warm_write;
} Case;

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
  vt_st64 (mem + data + 4 * 8, 0x800000 | 7); /* No RAM there. */
  vt_st64 (mem + data + 6 * 8, RAM_CODE | 7);
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

static void
load (VtCore *core, const Case *c)
{
  const HostOutcome     *in = &c->in;
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

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
  state->seg[VT_CPU_CS] = flat (in->narrow ? 0x23 : 0x33, true);
  state->seg[VT_CPU_CS].l = !in->narrow;
  state->seg[VT_CPU_CS].db = in->narrow;
  for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
    if (i != VT_CPU_CS)
      state->seg[i] = flat (0x2b, false);
  state->seg[VT_CPU_FS].base = state->seg[VT_CPU_GS].base = c->base;
  state->seg[VT_CPU_TR] = (VtCpuSegment){
    .base = RAM_TSS, .limit = 0x67, .selector = 0x40, .type = 11, .present = true
  };
  state->xsave_size = VT_CPU_XSAVE;
  memcpy (state->xsave, in->legacy, 416);
  vt_st64 (state->xsave + VT_XSAVE_HEADER, 3 | in->features);
  memcpy (state->xsave + VT_XSAVE_EXTENDED, in->image + VT_XSAVE_EXTENDED,
          HOST_NATIVE_IMAGE - VT_XSAVE_EXTENDED);
  vt_core_load (core, state);
}

static void
touch_cb (VtCore *core, void *arg)
{
  const Case *c = arg;

  vt_mmu_host (core, CODE, 1, VT_ACCESS_FETCH, VT_SET_USER);
  for (unsigned i = 0; i < DATA_SIZE; i += 4096)
    {
      if (c->warm_read)
        vt_mmu_host (core, DATA + i, 1, VT_ACCESS_READ, VT_SET_USER);
      if (c->warm_write)
        vt_mmu_host (core, DATA + i, 1, VT_ACCESS_WRITE, VT_SET_USER);
    }
}

/* What the translator finds in the TLB it does itself; the rest it leaves to the interpreter. */
static void
warm (VtCore *core, Case *c)
{
  if (vt_core_try (core, touch_cb, c) != VT_CATCH_NONE)
    g_error ("the case's pages are not there");
}

static bool
run_core (HostCase *hc, VtCore *core, Case *c,
          VtStep (*run) (VtCore *core, uint64_t budget, uint64_t *done), CoreOutcome *out)
{
  uint64_t done = 0;

  memcpy (hc->mem + RAM_DATA, hc->data, DATA_SIZE);
  memcpy (hc->mem + RAM_CODE, hc->code_write, 4096);
  vt_ram_mark_dirty (hc->ram, RAM_CODE, 4096);
  load (core, c);
  warm (core, c);
  const VtStep step = run (core, 1, &done);
  if (step == VT_STEP_DECLINED)
    return false;
  if (step != VT_STEP_DONE)
    g_error ("it ended with %d", (int) step);
  memcpy (out->host.gpr, core->gpr, sizeof out->host.gpr);
  out->host.rip = core->rip;
  out->host.flags = core->rflags;
  out->host.cr2 = core->cr2;
  out->host.vector = 256;
  out->host.error = 0;
  memcpy (out->host.legacy, core->xsave, 416);
  memset (out->host.image + VT_XSAVE_EXTENDED, 0, HOST_NATIVE_IMAGE - VT_XSAVE_EXTENDED);
  for (unsigned i = 2; i < 8; i++)
    if (vt_unit_in_use (core) & VECTORS & VT_BIT (i))
      {
        const VtUnitPart *part = vt_unit_part (core->unit, i);
        memcpy (out->host.image + part->offset, core->xsave + part->offset, part->size);
      }
  memcpy (out->data, hc->mem + RAM_DATA, DATA_SIZE);
  memcpy (out->code, hc->mem + RAM_CODE, 4096);
  if (core->rip >= HANDLERS && core->rip < HANDLERS + 32 * 16)
    {
      /* The frame tells the rest. */
      const uint8_t *frame = hc->mem + core->gpr[VT_CPU_RSP];
      out->host.vector = (unsigned) (core->rip - HANDLERS) / 16;
      if (out->host.vector == 8 || (out->host.vector >= 10 && out->host.vector <= 14)
          || out->host.vector == 17)
        {
          out->host.error = vt_ld32 (frame);
          frame += 8;
        }
      out->host.rip = vt_ld64 (frame);
      out->host.flags = vt_ld64 (frame + 16);
      out->host.gpr[VT_CPU_RSP] = vt_ld64 (frame + 24);
    }
  return true;
}

/* Making a case ------------------------------------------------------------------------------------- */

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
  const uint8_t kind = source_byte (source);

  if (kind < 100)
    return special[kind % G_N_ELEMENTS (special)];
  uint64_t value = 0;
  for (unsigned i = 0; i < 8; i++)
    value = value << 8 | source_byte (source);
  return kind < 140 ? value & 0x3f : value;
}

/* Bytes that are likely to be an instruction. */
static void
make_bytes (Source *source, uint8_t bytes[15])
{
  static const uint8_t prefixes[] = { 0x66, 0xf2, 0xf3, 0xf0 }, address[] = { 0x64, 0x65, 0x67 };
  unsigned             n = 0, before;
  const uint8_t        kind = source_byte (source), map = source_byte (source);

  if (kind >= 216)
    bytes[n++] = address[kind % G_N_ELEMENTS (address)];
  before = n;
  if (kind & 1)
    bytes[n++] = prefixes[source_byte (source) % G_N_ELEMENTS (prefixes)];
  if (kind & 2)
    bytes[n++] = prefixes[source_byte (source) % 2 ? 0 : 2];
  if (map >= 200 && map < 240)
    {
      const uint8_t b = source_byte (source);
      n = before;
      bytes[n++] = 0x62;
      bytes[n++] = (uint8_t) ((b & 0xf0) | (1 + b % 3));
      bytes[n++] = source_byte (source) | 4;
      bytes[n++] = source_byte (source);
    }
  else if (map < 50)
    {
      /* VEX of three bytes; the upper registers only now and then. */
      const uint8_t b = source_byte (source);
      n = before;
      bytes[n++] = 0xc4;
      bytes[n++] = (uint8_t) ((b & 0xe0) | (1 + b % 3));
      bytes[n++] = source_byte (source);
    }
  else
    {
      if (kind & 4)
        bytes[n++] = (uint8_t) (0x40 | (source_byte (source) & 15));
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
    bytes[n++] = source_byte (source);
}

static bool
is_near_jump (const VtInsn *insn)
{
  return insn->op->run == vt_op_jmp || insn->op->run == vt_op_jcc || insn->op->run == vt_op_loop
         || insn->op->run == vt_op_jcxz || insn->op->run == vt_op_call;
}

static bool
is_one_of (const VtInsn *insn, void (*const list[]) (VtCore *, const VtInsn *), unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    if (list[i] == insn->op->run)
      return true;
  return false;
}

/* Handlers that touch nothing but their operands: what they do is compared. */
static bool
is_compared (const VtInsn *insn)
{
  static void (*const run[]) (VtCore *, const VtInsn *) = {
    vt_op_binary,  vt_op_compare,  vt_op_unary,    vt_op_shift,        vt_op_shift_double,
    vt_op_bit,     vt_op_scan,     vt_op_mul,      vt_op_imul,         vt_op_div,
    vt_op_idiv,    vt_op_extend_a, vt_op_extend_d, vt_op_cmov,         vt_op_set,
    vt_op_xchg,    vt_op_xadd,     vt_op_cmpxchg,  vt_op_cmpxchg_pair, vt_op_movzx,
    vt_op_movsx,   vt_op_movbe,    vt_op_bswap,    vt_op_lea,          vt_op_lahf,
    vt_op_sahf,    vt_op_flag,     vt_op_cmc,      vt_op_nop,          vt_op_string,  vt_op_fence,
    vt_op_push,    vt_op_pop,      vt_op_leave,    vt_op_xlat,         vt_op_jcc,
    vt_op_jmp,     vt_op_loop,     vt_op_jcxz,     vt_op_mov,          vt_op_fninit,
    vt_op_fclex,   vt_op_fnstcw,   vt_op_fldcw,    vt_op_fnstsw,       vt_op_stmxcsr,
    vt_op_ldmxcsr, vt_op_ud,       vt_op_enter,    vt_op_call,         vt_op_ret,
    vt_op_gather,  vt_op_masked,   vt_op_masked_bytes,
    /* Of 32-bit code alone. */
    vt_op_aad,     vt_op_aam,      vt_op_ascii_adjust, vt_op_bound,    vt_op_decimal_adjust,
    vt_op_popa,    vt_op_pusha,    vt_op_salc,
  };

  return insn->op == &vt_op_unit || is_one_of (insn, run, G_N_ELEMENTS (run));
}

/* Handlers of what a program of this host can't do, or what it would tell of the host: system instructions,
 * far transfers, and images with addresses in them. tests/guest and tests/unit have them. */
static bool
is_elsewhere (const VtInsn *insn)
{
  static void (*const run[]) (VtCore *, const VtInsn *) = {
    vt_op_ac,         vt_op_arpl,           vt_op_cli,            vt_op_clts,         vt_op_cpuid,       vt_op_fldenv,     vt_op_fnsave,         vt_op_fnstenv,      vt_op_frstor,      vt_op_fwait,
    vt_op_fxrstor,    vt_op_fxsave,         vt_op_hlt,          vt_op_in,          vt_op_int,
    vt_op_int_fixed,  vt_op_invlpg,         vt_op_invpcid,      vt_op_iret,        vt_op_lar,
    vt_op_lldt,       vt_op_lmsw,           vt_op_load_far,     vt_op_load_table,  vt_op_lsl,
    vt_op_ltr,        vt_op_mov_control,    vt_op_mov_debug,    vt_op_out,         vt_op_popf,       vt_op_privileged_nop, vt_op_pushf,       vt_op_random,
    vt_op_rdmsr,      vt_op_rdpid,          vt_op_rdpkru,       vt_op_rdtsc,       vt_op_read_base,  vt_op_rsm,
    vt_op_smsw,           vt_op_sti,          vt_op_store_selector, vt_op_store_table,
    vt_op_swapgs,     vt_op_syscall,        vt_op_sysenter,     vt_op_sysexit,     vt_op_sysret,
    vt_op_touch,      vt_op_verify,         vt_op_write_base,   vt_op_wrmsr,       vt_op_wrpkru,
    vt_op_xgetbv,     vt_op_xrstor,         vt_op_xsave,        vt_op_xsetbv,
  };

  return insn->op == &vt_op_far_jump || insn->op == &vt_op_far_call || insn->op == &vt_op_far_return
         || is_one_of (insn, run, G_N_ELEMENTS (run));
}

/* Forms that the host can't be asked about, or in which makers differ. */
static bool
is_excepted (const VtInsn *insn)
{
  const unsigned which = insn->op->arg & 15;

  if (insn->op->run == vt_op_string && (which == VT_STRING_INS || which == VT_STRING_OUTS))
    return true;
  /* With an operand size prefix, an AMD processor truncates the target, which an Intel one does not; and
   * with a repeat prefix it makes LOOPE of LOOPNE. */
  if ((is_near_jump (insn) || insn->op->run == vt_op_ret)
      && (memchr (insn->bytes, 0x66, insn->length - 1)
          || memchr (insn->bytes, 0xf2, insn->length - 1)
          || memchr (insn->bytes, 0xf3, insn->length - 1)))
    return true;
  /* 0F 0D is PREFETCH of memory alone to one maker, and a NOP of registers to the other. */
  if (insn->op->run == vt_op_nop && insn->n && insn->operand[0].kind != VT_OPERAND_MEM)
    return true;
  /* An older AMD processor and an Intel one differ in BSWAP of 16 bits. */
  if (insn->op->run == vt_op_bswap && insn->operand[0].size == 2)
    return true;
  for (unsigned i = 0; i < insn->n; i++)
    if (insn->operand[i].kind == VT_OPERAND_SEG || insn->operand[i].kind == VT_OPERAND_CR
        || insn->operand[i].kind == VT_OPERAND_DR)
      return true;
  return false;
}

/* Whether a direct jump stays in the page, and is not into itself: that would loop, or be something else. */
static bool
stays_near (const VtInsn *insn)
{
  const int64_t by = (int64_t) insn->imm[0];

  if (!is_near_jump (insn) || insn->n == 0 || insn->operand[0].kind != VT_OPERAND_IMM)
    return true;
  return by <= 1024 && by >= -1024 && !(by < 0 && by >= -(int64_t) insn->length);
}

static void
init_decoder (ZydisDecoder *decoder, unsigned bits)
{
  if (bits == 32)
    ZydisDecoderInit (decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
  else
    ZydisDecoderInit (decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

bool
host_case_expects (unsigned bits, const uint8_t bytes[15])
{
  ZydisDecoder            decoder;
  ZydisDecodedInstruction zydis;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  VtInsn                  insn;

  init_decoder (&decoder, bits);
  if (!ZYAN_SUCCESS (ZydisDecoderDecodeFull (&decoder, bytes, 15, &zydis, operands)))
    return false;
  vt_insn_take (&insn, &zydis, operands, decoder.machine_mode, bytes);
  return insn.op && !is_elsewhere (&insn) && !is_excepted (&insn);
}

/* Where an access goes: mostly inside, at any alignment, now and then across the pages or their end. */
static uint64_t
take_target (Source *source, Case *c)
{
  const uint8_t kind = source_byte (source);

  if (kind < 90)
    return DATA + 0x400 + source_byte (source) * 16u;
  if (kind < 180)
    return DATA + 0x400 + (source_byte (source) | (source_byte (source) & 7u) << 8);
  if (kind < 220)
    return DATA + 4096 - source_byte (source) % 64;
  if (kind < 240)
    return DATA + DATA_SIZE - source_byte (source) % 64;
  c->native = false;
  if (kind < 248)
    return DEVICE + source_byte (source) * 8u;
  return CODE_ALIAS + CODE_AT - 8 + source_byte (source) % 24;
}

/* Writes the displacement, where the instruction has one of 32 bits. */
static bool
patch_disp (uint8_t *bytes, const ZydisDecodedInstruction *zydis, uint64_t disp)
{
  if (zydis->raw.disp.size == 64)
    {
      vt_st64 (bytes + zydis->raw.disp.offset, disp);
      return true;
    }
  if (zydis->raw.disp.size != 32 || (int64_t) disp != (int32_t) disp)
    return false;
  vt_st32 (bytes + zydis->raw.disp.offset, (uint32_t) disp);
  return true;
}

/* Gives registers, segment bases or the displacement values by which the operand is at @target. False where
 * that can't be. */
static bool
aim_memory (Case *c, const VtInsn *insn, const ZydisDecodedInstruction *zydis, uint8_t *bytes,
            uint64_t target)
{
  uint64_t *gpr = c->in.gpr;

  if (insn->seg >= VT_CPU_FS)
    {
      c->base = target & ~UINT64_C (0xfffff);
      target -= c->base;
      c->native = false;
    }
  const uint64_t index = insn->index == VT_NO_REG ? 0 : gpr[insn->index] * insn->scale;
  if (insn->base == VT_REG_RIP)
    return patch_disp (bytes, zydis, target - (c->in.rip + zydis->length));
  if (insn->base == VT_NO_REG)
    {
      if (insn->index == VT_NO_REG)
        return patch_disp (bytes, zydis, target);
      gpr[insn->index] = (target - (uint64_t) insn->disp) / insn->scale;
    }
  else if (insn->base == insn->index)
    gpr[insn->base] = (target - (uint64_t) insn->disp) / (insn->scale + 1u);
  else
    gpr[insn->base] = target - index - (uint64_t) insn->disp;
  return true;
}

/* Small numbers in the vector of indices, and the base so that all are around one place. */
static bool
aim_gather (Source *source, const VtInsn *insn, const ZydisDecodedInstruction *zydis, Case *c)
{
  const unsigned vector = insn->index & 31u;
  const bool     wide = (insn->op->arg & 1) != 0;
  uint8_t       *image = c->in.image;

  if (insn->base == VT_NO_REG || insn->base == VT_REG_RIP || insn->seg >= VT_CPU_FS)
    return false;
  for (unsigned i = 0; i < 16; i++)
    {
      /* The pieces of a register: 16 bytes of SSE, 16 of AVX, 32 of AVX-512; or all of the upper ones. */
      const VtUnitPart *avx = vt_unit_part (c->unit, 2), *high = vt_unit_part (c->unit, 6),
                       *more = vt_unit_part (c->unit, 7);
      const int         value = (int8_t) source_byte (source);
      uint8_t          *at = vector >= 16 ? (more->size ? image + more->offset + (vector - 16) * 64 + i * 4 : NULL)
                             : i < 4      ? image + 160 + vector * 16 + i * 4
                             : i < 8      ? image + avx->offset + vector * 16 + (i - 4) * 4
                             : high->size ? image + high->offset + vector * 32 + (i - 8) * 4
                                          : NULL;
      if (at && !(wide && i % 2))
        vt_st32 (at, (uint32_t) value);
      else if (at)
        vt_st32 (at, vt_ld32 (at - 4) >> 31 ? UINT32_MAX : 0);
    }
  c->in.gpr[insn->base] = take_target (source, c) - (uint64_t) insn->disp;
  return true;
}

/* Gives the registers that address memory values that stay in the data. False where that can't be. */
static bool
aim (Source *source, const VtInsn *insn, const ZydisDecodedInstruction *zydis, uint8_t *bytes, Case *c)
{
  uint64_t *gpr = c->in.gpr;
  bool      memory = false;

  for (unsigned i = 0; i < insn->n; i++)
    memory |= insn->operand[i].kind == VT_OPERAND_MEM && insn->op->run != vt_op_lea
              && insn->op->run != vt_op_nop;
  gpr[VT_CPU_RSP] = DATA + 0x1000 + (source_byte (source) & 0xf8);
  if (insn->op->run == vt_op_leave || insn->op->run == vt_op_enter)
    gpr[VT_CPU_RBP] = DATA + 0xc00 + (source_byte (source) & 0xf8);
  if (insn->op->run == vt_op_string)
    {
      /* In one page, or over the border of two. */
      const uint64_t at = DATA + (source_byte (source) < 128 ? 0x800 : 0xe00);
      gpr[VT_CPU_RSI] = at + source_byte (source) * 4u;
      gpr[VT_CPU_RDI] = at + 0x100 + source_byte (source) * 4u;
      gpr[VT_CPU_RCX] &= 0x3f;
    }
  if (insn->op->run == vt_op_xlat)
    gpr[VT_CPU_RBX] = DATA + 0x800;
  if (insn->op->run == vt_op_masked_bytes)
    gpr[VT_CPU_RDI] = take_target (source, c);
  if (insn->op->run == vt_op_gather)
    return aim_gather (source, insn, zydis, c);
  if (insn->seg >= VT_CPU_FS)
    c->native = false;
  /* Addresses of 16 bits reach none of the pages. */
  if (insn->asize == 2
      && (memory || insn->op->run == vt_op_string || insn->op->run == vt_op_xlat
          || insn->op->run == vt_op_masked_bytes))
    return false;
  if (!memory)
    return true;
  if (insn->op->run == vt_op_bit && insn->operand[1].kind == VT_OPERAND_GPR)
    {
      if (insn->operand[1].reg == insn->base || insn->operand[1].reg == insn->index)
        return false;
      gpr[insn->operand[1].reg] = (uint64_t) ((int64_t) (int8_t) source_byte (source) * 4);
    }
  uint64_t target = take_target (source, c);
  if (insn->op->run == vt_op_push || insn->op->run == vt_op_pop || insn->op->run == vt_op_enter
      || insn->op->run == vt_op_call)
    {
      /* The stack itself stays where it is. */
      if (insn->base == VT_CPU_RSP || insn->index == VT_CPU_RSP)
        return false;
      target = DATA + 0x400 + (target & 0x3f8);
      c->native |= insn->seg < VT_CPU_FS;
    }
  /* Not where a target would be made of two. */
  if ((insn->op->run == vt_op_jmp || insn->op->run == vt_op_call)
      && ((target & 7) || insn->base == VT_NO_REG || insn->base == insn->index))
    c->native = false;
  return aim_memory (c, insn, zydis, bytes, target);
}

/* An indirect jump's target is in the code's page, or nowhere at all. */
static void
aim_jump (Source *source, HostCase *hc, const VtInsn *insn, Case *c)
{
  const uint8_t  kind = source_byte (source);
  const uint64_t target = kind < 230 ? CODE + 0x100 + source_byte (source) : VT_BIT (52) | kind;

  /* Makers differ in which instruction it is that faults. */
  c->native &= target < VT_BIT (47);
  if (insn->op->run == vt_op_ret)
    vt_st64 (hc->data + (c->in.gpr[VT_CPU_RSP] - DATA), target);
  else if (insn->operand[0].kind == VT_OPERAND_GPR)
    c->in.gpr[insn->operand[0].reg] = target;
  else if (insn->operand[0].kind == VT_OPERAND_MEM)
    for (unsigned i = 0x400; i < 0x400 + 0x1000; i += 8)
      vt_st64 (hc->data + i, target);
}

/* How the two differ. What an instruction leaves undefined does not count, nor what a conversion to MMX that
 * faults did to the x87 stack, as some processors do; nor the x87's pointers where one is the host's (not
 * @exact). */
static void
compare (const CoreOutcome *one, const char *who_one, const CoreOutcome *other, const char *who,
         bool exact, uint64_t undefined, GString *out)
{
  static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
  const HostOutcome *a = &one->host, *b = &other->host;

#define TELL(format, ...) g_string_append_printf (out, "  %s, %s: " format "\n", who_one, who, __VA_ARGS__)
  if (a->vector != b->vector)
    {
      TELL ("vector %u, %u", a->vector, b->vector);
      return;
    }
  if (a->rip != b->rip)
    TELL ("rip %" PRIx64 ", %" PRIx64, a->rip, b->rip);
  /* In 32-bit code, upper halves may be anything. */
  const uint64_t seen = a->narrow ? UINT32_MAX : UINT64_MAX;
  for (unsigned i = 0; i < (a->narrow ? 8 : 16); i++)
    if ((a->gpr[i] ^ b->gpr[i]) & seen)
      TELL ("%s %016" PRIx64 ", %016" PRIx64, names[i], a->gpr[i], b->gpr[i]);
  const uint64_t mask = (exact ? UINT64_MAX : VT_FLAGS_STATUS | VT_FLAG_DF) & ~undefined;
  if ((a->flags ^ b->flags) & mask)
    TELL ("flags %" PRIx64 ", %" PRIx64, a->flags & mask, b->flags & mask);
  if (a->vector == 14 && (a->error != b->error || a->cr2 != b->cr2))
    TELL ("page fault %x at %" PRIx64 ", %x at %" PRIx64, a->error, a->cr2, b->error, b->cr2);
  for (unsigned i = a->vector == 19 ? 160 : 0; i < 416; i++)
    if (!(i >= 28 && i < 32) && (exact || (!(i >= 5 && i < 24) && !(i >= 32 && i < 160 && i % 16 >= 10)))
        && a->legacy[i] != b->legacy[i])
      TELL ("unit byte %u %02x, %02x", i, a->legacy[i], b->legacy[i]);
  if (memcmp (one->data, other->data, DATA_SIZE) != 0)
    for (unsigned i = 0; i < DATA_SIZE; i++)
      if (one->data[i] != other->data[i])
        TELL ("memory %x %02x, %02x", i, one->data[i], other->data[i]);
  if (memcmp (a->image + VT_XSAVE_EXTENDED, b->image + VT_XSAVE_EXTENDED,
              HOST_NATIVE_IMAGE - VT_XSAVE_EXTENDED) != 0)
    for (unsigned i = VT_XSAVE_EXTENDED; i < HOST_NATIVE_IMAGE; i += 8)
      if (vt_ld64 (a->image + i) != vt_ld64 (b->image + i))
        TELL ("vectors %u: %016" PRIx64 ", %016" PRIx64, i, vt_ld64 (a->image + i), vt_ld64 (b->image + i));
  if (exact && memcmp (one->code, other->code, sizeof one->code) != 0)
    TELL ("code%s", "");
#undef TELL
}

/* What is beyond SSE: all of it, or nothing, as the kernel's own programs leave it. */
static void
fill_vectors (HostCase *hc, Source *source, HostOutcome *in)
{
  const VtUnit *unit = hc->core->unit;

  in->features = source_byte (source) % 4 ? vt_unit_features (unit) & VECTORS : 0;
  for (unsigned i = 2; i < 8; i++)
    if (in->features >> i & 1)
      {
        const VtUnitPart *part = vt_unit_part (unit, i);
        for (unsigned at = 0; at < part->size; at += 8)
          vt_st64 (in->image + part->offset + at, i == 5 && source_byte (source) < 60 ? 0 : take_value (source));
      }
}

static void
fill (HostCase *hc, Source *source, Case *c)
{
  HostOutcome *in = &c->in;
  uint64_t word = 0;

  for (unsigned i = 0; i < 16; i++)
    in->gpr[i] = take_value (source);
  in->flags = VT_FLAG_FIXED | ((source_byte (source) | (uint64_t) source_byte (source) << 8) & VT_FLAGS_STATUS);
  if (source_byte (source) < 30)
    in->flags |= VT_FLAG_DF;
  in->rip = CODE + CODE_AT;
  memset (in->image, 0, sizeof in->image);
  vt_st16 (in->legacy, 0x37f);
  vt_st16 (in->legacy + 2, (uint16_t) ((source_byte (source) & 7) << 11));
  in->legacy[4] = source_byte (source);
  vt_st32 (in->legacy + 24, source_byte (source) < 40 ? 0x1f80 & ~(0x80u << source_byte (source) % 6) : 0x1f80);
  /* Rounding, and what becomes of denormals. */
  if (source_byte (source) < 60)
    vt_st32 (in->legacy + 24, vt_ld32 (in->legacy + 24) | (source_byte (source) & 0xe0u) << 8 | (source_byte (source) & 0x40u));
  for (unsigned i = 0; i < 8; i++)
    {
      vt_st64 (in->legacy + 32 + i * 16, take_value (source) | VT_BIT (63));
      vt_st16 (in->legacy + 40 + i * 16,
               (uint16_t) (source_byte (source) < 200 ? 0x3ff0u + source_byte (source) % 32
                                               : take_value (source)));
    }
  for (unsigned i = 0; i < 32; i++)
    vt_st64 (in->legacy + 160 + i * 8, take_value (source));
  fill_vectors (hc, source, in);
  for (unsigned i = 0; i < DATA_SIZE / 8; i++)
    {
      word = i % 64 < 16 ? take_value (source) : word * 6364136223846793005 + 1442695040888963407;
      vt_st64 (hc->data + i * 8, word);
    }
  const uint8_t how = source_byte (source);
  c->warm_read = (how & 1) != 0;
  c->warm_write = (how & 6) != 0;
}

/* Decodes the case's code where it will run. */
static const VtInsn *
decode (HostCase *hc)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  memcpy (hc->mem + RAM_CODE, hc->code_write, 4096);
  state->rip = RAM_CODE + CODE_AT;
  state->cr0 = 1;
  state->efer = VT_EFER_LMA | VT_EFER_LME;
  state->seg[VT_CPU_CS] = flat (0x33, true);
  state->seg[VT_CPU_CS].l = !hc->narrow;
  state->seg[VT_CPU_CS].db = hc->narrow;
  vt_core_load (hc->core, state);
  return vt_decode (hc->core);
}

static char *
text_of (const ZydisDecodedInstruction *zydis, const ZydisDecodedOperand *operands, uint64_t rip)
{
  ZydisFormatter formatter;
  char           text[128];

  ZydisFormatterInit (&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  ZydisFormatterFormatInstruction (&formatter, zydis, operands, zydis->operand_count_visible, text,
                                   sizeof text, rip, NULL);
  return g_strdup (text);
}

static HostCaseEnd
run_bytes (HostCase *hc, uint8_t bytes[15], Source *from, char **report)
{
  Source                  source = *from;
  ZydisDecodedInstruction zydis;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  Case                    c = { .unit = hc->core->unit, .in.narrow = hc->narrow, .native = true };
  CoreOutcome            *interpreted = &hc->outcome[0], *translated = &hc->outcome[1];
  CoreOutcome            *native = &hc->outcome[2], *optimized = &hc->outcome[3];

  *report = NULL;
  if (!ZYAN_SUCCESS (ZydisDecoderDecodeFull (&hc->decoder, bytes, 15, &zydis, operands)))
    return HOST_CASE_SKIPPED;
  memset (hc->code_write, 0xcc, 4096);
  memcpy (hc->code_write + CODE_AT, bytes, zydis.length);
  fill (hc, &source, &c);
  const VtInsn *insn = decode (hc);
  if (insn->op == NULL || !is_compared (insn) || is_excepted (insn) || !stays_near (insn)
      || !aim (&source, insn, &zydis, bytes, &c))
    return HOST_CASE_SKIPPED;
  if ((insn->op->run == vt_op_jmp || insn->op->run == vt_op_call || insn->op->run == vt_op_ret)
      && (insn->n == 0 || insn->operand[0].kind != VT_OPERAND_IMM || insn->op->run == vt_op_ret))
    aim_jump (&source, hc, insn, &c);
  memcpy (hc->code_write + CODE_AT, bytes, zydis.length);
  if (hc->narrow)
    for (unsigned i = 0; i < 16; i++)
      c.in.gpr[i] = i < 8 ? (uint32_t) c.in.gpr[i] : 0;
  for (unsigned i = 0; i < 4; i++)
    hc->outcome[i].host.narrow = hc->narrow;
  const uint64_t undefined = zydis.cpu_flags ? zydis.cpu_flags->undefined : 0;

  if (!run_core (hc, hc->core, &c, vt_interpret, interpreted))
    {
      *report = text_of (&zydis, operands, c.in.rip);
      return HOST_CASE_DECLINED;
    }
  /* Read at an odd address, an indirect jump's target is anywhere, where the host may have something else. */
  if (interpreted->host.vector == 256 && (interpreted->host.rip & ~UINT64_C (4095)) != CODE)
    c.native = false;
  g_autoptr (GString) out = g_string_new (NULL);
  if (!run_core (hc, hc->translated, &c, vt_translate, translated))
    g_string_append (out, "  declined by the translator alone\n");
  compare (interpreted, "interpreter", translated, "translator", true, undefined, out);
  if (!run_core (hc, hc->optimized, &c, vt_translate, optimized))
    g_string_append (out, "  declined by the optimizing translator alone\n");
  /* Dead flags are anything where a fault shows them. */
  const bool faulted = interpreted->host.vector != VT_EXC_BP;
  compare (interpreted, "interpreter", optimized, "optimizing translator", true,
           undefined | (faulted ? VT_FLAGS_STATUS : 0), out);
  /* Processors differ in which elements a gather or scatter has done before it faults, and in whether a byte
   * that MASKMOVDQU leaves out may fault. */
  if (insn->op->run == vt_op_gather && interpreted->host.vector == VT_EXC_PF)
    c.native = false;
  /* An AMD processor knows a bit of MXCSR more than guests are told of. */
  if (insn->op->run == vt_op_ldmxcsr && interpreted->host.vector == VT_EXC_GP)
    c.native = false;
  /* In 32-bit code they clear eight registers; here all, which such code can't tell. */
  if (hc->narrow
      && (insn->mnemonic == ZYDIS_MNEMONIC_VZEROUPPER || insn->mnemonic == ZYDIS_MNEMONIC_VZEROALL))
    c.native = false;
  /* What is offered to nobody the host may have. */
  if (insn->op->run == vt_op_ud && insn->mnemonic != ZYDIS_MNEMONIC_UD0
      && insn->mnemonic != ZYDIS_MNEMONIC_UD1 && insn->mnemonic != ZYDIS_MNEMONIC_UD2)
    c.native = false;
  if (c.native)
    {
      host_native_run (hc->stack, &c.in, &native->host);
      memcpy (native->data, hc->data, DATA_SIZE);
      if (!(insn->op->run == vt_op_masked_bytes && native->host.vector == VT_EXC_PF))
        compare (native, "host", interpreted, "interpreter", false, undefined, out);
    }
  if (out->len == 0)
    return HOST_CASE_SAME;
  g_autofree char *text = text_of (&zydis, operands, c.in.rip);
  GString         *whole = g_string_new (text);
  g_string_append (whole, " (");
  for (unsigned i = 0; i < zydis.length; i++)
    g_string_append_printf (whole, "%s%02x", i ? " " : "", bytes[i]);
  g_string_append_printf (whole, "), flags before %" PRIx64 ", rcx %" PRIx64 ", vector %u\n%.1500s",
                          c.in.flags, c.in.gpr[1], interpreted->host.vector, out->str);
  *report = g_string_free (whole, FALSE);
  return HOST_CASE_DIFFERENT;
}

HostCaseEnd
host_case_run (HostCase *hc, const uint8_t *data, size_t size, char **report)
{
  Source  source = source_init (data, size);
  uint8_t bytes[15];

  make_bytes (&source, bytes);
  return run_bytes (hc, bytes, &source, report);
}

HostCaseEnd
host_case_run_insn (HostCase *hc, uint8_t bytes[15], uint64_t seed, char **report)
{
  Source source = { .random = seed };

  return run_bytes (hc, bytes, &source, report);
}

void
host_case_set_bits (HostCase *hc, unsigned bits)
{
  hc->narrow = bits == 32;
  init_decoder (&hc->decoder, bits);
}

bool
host_case_translated (const HostCase *hc, uint64_t *entries)
{
  VtTranslateCounts counts;

  vt_translate_counts (hc->translated, &counts);
  *entries = counts.entries;
  return vt_translate_available (hc->translated);
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
  hc->stack = g_malloc (HOST_NATIVE_STACK);
  hc->outcome = g_new0 (CoreOutcome, 4);
  host_case_set_bits (hc, 64);
  hc->space = vt_space_new ();
  hc->ram = vt_ram_new ("ram", VT_MIB, &error);
  g_assert_no_error (error);
  vt_space_map_ram (hc->space, hc->ram, 0, VT_MIB, 0, 0);
  hc->mem = vt_ram_host (hc->ram);
  hc->core = vt_core_new (hc->space, &no_ops, hc);
  hc->translated = vt_core_new (hc->space, &no_ops, hc);
  hc->translated->strict = true;
  hc->optimized = vt_core_new (hc->space, &no_ops, hc);
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
  vt_core_free (hc->translated);
  vt_core_free (hc->optimized);
  vt_space_free (hc->space);
  vt_ram_free (hc->ram);
  g_free (hc->outcome);
  g_free (hc->stack);
  g_free (hc);
}
