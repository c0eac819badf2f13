/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * System instructions that every entry to a kernel and every return from it has, without leaving
 * translated code: it saves the general registers and the flags and calls one of these functions, while the
 * guest's x87 and vector registers stay in the units. So this file is compiled for general registers alone,
 * and calls nothing that is not inline here, but the engine's counter.
 *
 * Whatever is not the common case (a fault, an event that waits, a page that the TLB hasn't got, a segment that is
 * not flat) is the interpreter's, before anything has changed.
 */
#include "../interpret/ops.h"
#include "quick.h"

/* The interpreter does it. */
#define NO UINT64_C (0)

/* What IRETQ loads at privilege 0; and RF, which has no meaning where nothing watches. */
#define POPPED \
  (VT_FLAGS_STATUS | VT_FLAG_TF | VT_FLAG_DF | VT_FLAG_NT | VT_FLAG_AC | VT_FLAG_ID | VT_FLAG_IOPL | VT_FLAG_IF)

/* Where code of the instruction's mode, but for accesses of @set, goes on at @rip, which is canonical then; or NO. */
static uint64_t
elsewhere (VtCore *core, uint32_t exit, VtAccessSet set, uint64_t rip)
{
  const VtBlocks *b = core->blocks;
  const VtBlock  *block;
  const unsigned  mode =
      (vt_block (b, vt_quick_insn (core, exit)->block)->mode & ~(VT_MODE_SET | VT_MODE_SINGLE)) | set;

  core->fast.to = rip;
  for (unsigned i = 0; i < b->n_jump_modes; i++)
    if (b->jump_mode[i] == mode)
      {
        const VtJump *jump = core->jump[i][vt_jump_index (rip)];
        if (jump->check == -rip || (++jump)->check == -rip)
          return jump->host;
      }
  block = vt_find_translated (core, mode, rip);
  return block ? (uint64_t) (uintptr_t) (b->area.execute + block->host) : NO;
}

static uint64_t
get_flags (const VtCore *core)
{
  return (core->rflags & ~VT_FLAGS_NATIVE) | (core->fast.flags & VT_FLAGS_NATIVE);
}

static void
put_flags (VtCore *core, uint64_t flags)
{
  core->rflags = flags | VT_FLAG_FIXED;
  core->fast.flags = (flags & VT_FLAGS_NATIVE) | VT_FLAG_FIXED;
}

/* Whether code at @cpl with @flags is none to translate. */
static bool
is_odd (const VtCore *core, unsigned cpl, uint64_t flags)
{
  return (flags & VT_FLAG_TF) || ((flags & VT_FLAG_AC) && cpl == 3 && (core->cr0 & VT_CR0_AM));
}

/* @size bytes at @linear, or NULL: the TLB hasn't got them, or they are in two pages. */
static const uint8_t *
reach (VtCore *core, VtAccessSet set, uint64_t linear, unsigned size)
{
  const uint64_t    page = linear & ~VT_PAGE_OFFSET;
  const VtTlbEntry *entry =
      &vt_mmu_table (&core->mmu, set, VT_ACCESS_READ)->entry[page / VT_PAGE % VT_TLB_ENTRIES];

  if (entry->tag != page || (linear & VT_PAGE_OFFSET) + size > VT_PAGE)
    return NULL;
  return (const uint8_t *) (uintptr_t) (linear + entry->addend);
}

/* A segment of the GDT that has been used before. */
static bool
read_segment (VtCore *core, uint16_t selector, VtDescriptor *out)
{
  const unsigned at = selector & 0xfff8;

  if ((selector & 0xfffc) == 0 || (selector & 4) || at + 7 > core->gdt_limit)
    return false;
  const uint8_t *from = reach (core, vt_mmu_system_set (core), core->gdt_base + at, 8);
  if (from == NULL)
    return false;
  *out = (VtDescriptor){ .raw = vt_ld64 (from), .address = core->gdt_base + at, .selector = selector };
  return vt_descriptor_is_segment (out) && vt_descriptor_present (out) && (vt_descriptor_type (out) & 1);
}

/* There and back -------------------------------------------------------------------------------- */

/* @next: behind the instruction. */
static uint64_t
quick_syscall (VtCore *core, uint32_t exit, uint64_t next)
{
  const uint64_t flags = get_flags (core) & ~VT_FLAG_RF, new_flags = flags & ~core->fmask;
  const uint16_t selector = (uint16_t) (core->star >> 32);
  const uint64_t to = elsewhere (core, exit, vt_mmu_set_of (core, 0, new_flags), core->lstar);

  if (!(core->efer & VT_EFER_SCE) || vt_quick_awaited (core) || to == NO)
    return NO;
  core->gpr[VT_CPU_RCX] = next;
  core->gpr[VT_CPU_R8 + 3] = flags;
  put_flags (core, new_flags);
  vt_enter_flat (core, selector, (uint16_t) (selector + 8), 0, true);
  return to;
}

static uint64_t
quick_sysret (VtCore *core, uint32_t exit, uint64_t next)
{
  const uint64_t flags = core->gpr[VT_CPU_R8 + 3] & VT_FLAGS_ALL & ~(VT_FLAG_RF | VT_FLAG_VM);
  const uint64_t rip = core->gpr[VT_CPU_RCX];
  const uint16_t selector = (uint16_t) (core->star >> 48);
  const uint64_t to = elsewhere (core, exit, VT_SET_USER, rip);

  if (!(core->efer & VT_EFER_SCE) || core->cpl != 0 || is_odd (core, 3, flags) || vt_quick_awaited (core)
      || to == NO)
    return NO;
  put_flags (core, flags);
  vt_enter_flat (core, (uint16_t) (selector + 16), (uint16_t) (selector + 8), 3, true);
  return to;
}

/* Whether a return to @cpl takes a data segment away. */
static bool
drops_segments (const VtCore *core, unsigned cpl)
{
  static const uint8_t data[] = { VT_CPU_ES, VT_CPU_DS, VT_CPU_FS, VT_CPU_GS };

  for (unsigned i = 0; i < G_N_ELEMENTS (data); i++)
    {
      const VtCpuSegment *s = &core->seg[data[i]];
      if (!s->unusable && s->present && s->dpl < cpl)
        return true;
    }
  return false;
}

/* The stack segment of a frame, for 64-bit mode at @cpl. */
static bool
read_stack (VtCore *core, uint16_t selector, unsigned cpl, VtCpuSegment *out)
{
  VtDescriptor d;

  if ((selector & 3u) != cpl)
    return false;
  if (selector == 0)
    {
      *out = vt_seg_flat (0, false, 0, false);
      return true;
    }
  if (!read_segment (core, selector, &d) || vt_descriptor_dpl (&d) != cpl
      || (vt_descriptor_type (&d) & 0xa) != 2)
    return false;
  *out = vt_descriptor_segment (&d);
  return true;
}

/* From privilege 0 to 64-bit code of any. */
static uint64_t
quick_iret (VtCore *core, uint32_t exit, uint64_t next)
{
  const uint8_t *frame = reach (core, vt_mmu_data_set (core), core->gpr[VT_CPU_RSP], 40);
  VtDescriptor   code;
  VtCpuSegment   ss;

  if (frame == NULL || core->cpl != 0 || (core->rflags & VT_FLAG_NT) || core->events.nmi_masked
      || vt_quick_awaited (core))
    return NO;
  const uint64_t rip = vt_ld64 (frame), sp = vt_ld64 (frame + 24);
  const uint16_t cs = (uint16_t) vt_ld64 (frame + 8);
  const unsigned cpl = cs & 3;
  const uint64_t flags = (get_flags (core) & ~POPPED) | (vt_ld64 (frame + 16) & POPPED);

  /* L without D. */
  if (is_odd (core, cpl, flags) || !read_segment (core, cs, &code) || !vt_descriptor_is_code (&code)
      || vt_descriptor_dpl (&code) != cpl || (code.raw >> 53 & 3) != 1
      || !read_stack (core, (uint16_t) vt_ld64 (frame + 32), cpl, &ss) || drops_segments (core, cpl))
    return NO;
  const uint64_t to = elsewhere (core, exit, vt_mmu_set_of (core, cpl, flags), rip);
  if (to == NO)
    return NO;
  put_flags (core, flags);
  core->seg[VT_CPU_CS] = vt_descriptor_segment (&code);
  core->seg[VT_CPU_SS] = ss;
  core->cpl = (uint8_t) cpl;
  core->gpr[VT_CPU_RSP] = sp;
  return to;
}

/* In between ------------------------------------------------------------------------------------ */

/* VERW, by which kernels have the processor's buffers cleared. */
static uint64_t
quick_verw (VtCore *core, uint32_t exit, uint64_t selector)
{
  VtDescriptor d;

  if (!read_segment (core, (uint16_t) selector, &d))
    return NO;
  const bool writable = (vt_descriptor_type (&d) & 0xa) == 2 && vt_descriptor_dpl (&d) >= core->cpl
                        && vt_descriptor_dpl (&d) >= (selector & 3);
  core->fast.flags = (core->fast.flags & ~VT_FLAG_ZF) | (writable ? VT_FLAG_ZF : 0);
  return vt_quick_behind (core, exit);
}

static uint64_t
quick_read_control (VtCore *core, uint32_t exit, uint64_t next)
{
  const VtInsn  *insn = vt_block_decoded (core->blocks, vt_quick_insn (core, exit));
  const uint64_t value[] = { core->cr0, 0, core->cr2, core->cr3, core->cr4, 0, 0, 0, core->cr8 };

  if (core->cpl != 0)
    return NO;
  core->gpr[insn->operand[0].reg] = value[insn->operand[1].reg];
  return vt_quick_behind (core, exit);
}

static uint64_t
quick_read_selector (VtCore *core, uint32_t exit, uint64_t next)
{
  const VtInsn *insn = vt_block_decoded (core->blocks, vt_quick_insn (core, exit));

  vt_core_set_gpr (core, insn->operand[0].reg, insn->operand[0].size, core->seg[insn->operand[1].reg].selector);
  return vt_quick_behind (core, exit);
}

static uint64_t
quick_read_base (VtCore *core, uint32_t exit, uint64_t next)
{
  const VtInsn *insn = vt_block_decoded (core->blocks, vt_quick_insn (core, exit));

  if (!(core->cr4 & VT_CR4_FSGSBASE))
    return NO;
  vt_core_set_gpr (core, insn->operand[0].reg, insn->operand[0].size, core->seg[insn->op->arg].base);
  return vt_quick_behind (core, exit);
}

static uint64_t
quick_write_base (VtCore *core, uint32_t exit, uint64_t next)
{
  const VtInsn  *insn = vt_block_decoded (core->blocks, vt_quick_insn (core, exit));
  const uint64_t base = vt_core_gpr (core, insn->operand[0].reg, insn->operand[0].size);

  if (!(core->cr4 & VT_CR4_FSGSBASE) || !vt_core_canonical (core, base))
    return NO;
  core->seg[insn->op->arg].base = base;
  return vt_quick_behind (core, exit);
}

/* POPF, where neither a trap nor another set of accesses comes of it. */
static uint64_t
quick_popf (VtCore *core, uint32_t exit, uint64_t next)
{
  const VtBlockInsn *insn = vt_quick_insn (core, exit);
  const unsigned     mode = vt_block (core->blocks, insn->block)->mode;
  const bool         narrow = vt_mode_is_narrow (mode);
  const unsigned     size = vt_block_decoded (core->blocks, insn)->op->arg;
  const unsigned     width = narrow ? mode & VT_MODE_STACK32 ? 4 : 2 : 8;
  const uint64_t     sp = vt_core_gpr (core, VT_CPU_RSP, width);
  uint64_t           linear = sp, mask = POPPED;

  if ((core->rflags & VT_FLAG_VM)
      || (narrow && (int64_t) (sp + size - 1) + core->fast.room[VT_CPU_SS][0] >= 0))
    return NO;
  if (narrow)
    linear = (uint32_t) (core->seg[VT_CPU_SS].base + sp);
  const uint8_t *top = reach (core, vt_mmu_data_set (core), linear, size);
  if (top == NULL)
    return NO;
  const uint64_t value = size == 2 ? vt_ld16 (top) : size == 4 ? vt_ld32 (top) : vt_ld64 (top);
  if (size == 2)
    mask &= UINT16_MAX;
  if (core->cpl != 0)
    mask &= ~(uint64_t) VT_FLAG_IOPL;
  if (core->cpl > (core->rflags >> 12 & 3))
    mask &= ~(uint64_t) VT_FLAG_IF;
  const uint64_t flags = (get_flags (core) & ~mask) | (value & mask);
  if (is_odd (core, core->cpl, flags) || vt_mmu_set_of (core, core->cpl, flags) != vt_mmu_data_set (core)
      || vt_quick_awaited (core))
    return NO;
  put_flags (core, flags);
  vt_core_set_gpr (core, VT_CPU_RSP, width, sp + size);
  return vt_quick_behind (core, exit);
}

/* RDTSC, RDTSCP. */
static uint64_t
quick_rdtsc (VtCore *core, uint32_t exit, uint64_t next)
{
  const VtInsn *insn = vt_block_decoded (core->blocks, vt_quick_insn (core, exit));

  if (((core->cr4 & VT_CR4_TSD) && core->cpl != 0) || core->ops->tsc == NULL)
    return NO;
  const uint64_t value = core->tsc_offset + core->ops->tsc (core->data);
  core->gpr[VT_CPU_RAX] = (uint32_t) value;
  core->gpr[VT_CPU_RDX] = value >> 32;
  if (insn->op->arg)
    core->gpr[VT_CPU_RCX] = (uint32_t) core->tsc_aux;
  return vt_quick_behind (core, exit);
}

VtQuick
vt_quick_find (const VtInsn *insn)
{
  void (*const run) (VtCore *, const VtInsn *) = insn->op->run;

  if (run == vt_op_syscall)
    return quick_syscall;
  if (run == vt_op_sysret)
    return insn->osize == 8 ? quick_sysret : NULL;
  if (run == vt_op_iret)
    return insn->op->arg == 8 ? quick_iret : NULL;
  if (run == vt_op_popf)
    return quick_popf;
  if (run == vt_op_rdtsc)
    return quick_rdtsc;
  if (run == vt_op_verify)
    return insn->op->arg && insn->operand[0].kind == VT_OPERAND_MEM ? quick_verw : NULL;
  if (run == vt_op_mov && insn->operand[0].kind == VT_OPERAND_GPR)
    {
      const VtOperand *from = &insn->operand[1];
      if (from->kind == VT_OPERAND_SEG)
        return quick_read_selector;
      if (from->kind == VT_OPERAND_CR && (VT_BIT (from->reg) & 0x11d))
        return quick_read_control;
      return NULL;
    }
  if (run == vt_op_string)
    return insn->asize >= 4 && (insn->op->arg & 15) < VT_STRING_INS ? vt_quick_string : NULL;
  if (run == vt_op_bit)
    return insn->asize == 8 && insn->operand[0].kind == VT_OPERAND_MEM ? vt_quick_bit : NULL;
  if (run == vt_op_read_base)
    return quick_read_base;
  if (run == vt_op_write_base)
    return quick_write_base;
  return NULL;
}
