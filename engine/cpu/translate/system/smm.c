/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * System management mode (SDM volume 3, chapter 31): its entry by an SMI, and RSM. The saved state has the layout of
 * AMD's 64-bit processors (APM volume 2, table 10-1), as virtual machines' firmware expects it under KVM too: an area
 * of 512 bytes that ends 64 KiB above SMBASE.
 */
#include "system.h"

#define SAVED_SIZE 0x200u
#define SAVED_BASE (0x10000u - SAVED_SIZE) /* From SMBASE; names below are the manual's offsets. */
#define ENTRY 0x8000u

enum
{
  SAVED_ES = 0xfe00, /* CS, SS, DS, FS, GS, each 16 bytes: selector, attributes, limit, base. */
  SAVED_GDT = 0xfe60,
  SAVED_LDT = 0xfe70,
  SAVED_IDT = 0xfe80,
  SAVED_TR = 0xfe90,
  SAVED_HALT = 0xfec9, /* Bit 0: RSM goes back to HLT. */
  SAVED_EFER = 0xfed0,
  SAVED_REVISION = 0xfefc,
  SAVED_SMBASE = 0xff00,
  SAVED_CR4 = 0xff48,
  SAVED_CR3 = 0xff50,
  SAVED_CR0 = 0xff58,
  SAVED_DR7 = 0xff60,
  SAVED_DR6 = 0xff68,
  SAVED_RFLAGS = 0xff70,
  SAVED_RIP = 0xff78,
  SAVED_R15 = 0xff80, /* And upwards to RAX. */
};
/* SMBASE can be moved; port accesses are not restarted. */
#define REVISION 0x00020064u

typedef struct
{
  uint8_t bytes[SAVED_SIZE];
} Saved;

static uint8_t *
at (Saved *saved, unsigned offset)
{
  return saved->bytes + (offset - SAVED_BASE);
}

static void
save_segment (Saved *saved, unsigned offset, const VtCpuSegment *s)
{
  const unsigned attributes = s->type | s->code_or_data << 4 | s->dpl << 5
                              | (s->present && !s->unusable) << 7 | s->avl << 12 | s->l << 13 | s->db << 14
                              | s->g << 15;

  vt_st16 (at (saved, offset), s->selector);
  vt_st16 (at (saved, offset + 2), (uint16_t) attributes);
  vt_st32 (at (saved, offset + 4), s->limit);
  vt_st64 (at (saved, offset + 8), s->base);
}

static void
load_segment (Saved *saved, unsigned offset, VtCpuSegment *s)
{
  const unsigned attributes = vt_ld16 (at (saved, offset + 2));

  *s = (VtCpuSegment){
    .selector = vt_ld16 (at (saved, offset)),
    .limit = vt_ld32 (at (saved, offset + 4)),
    .base = vt_ld64 (at (saved, offset + 8)),
    .type = attributes & 15,
    .code_or_data = attributes >> 4 & 1,
    .dpl = attributes >> 5 & 3,
    .present = attributes >> 7 & 1,
    .unusable = !(attributes >> 7 & 1),
    .avl = attributes >> 12 & 1,
    .l = attributes >> 13 & 1,
    .db = attributes >> 14 & 1,
    .g = attributes >> 15 & 1,
  };
}

/* Where the state is saved, in memory. */
static VtGpa
area (const VtCore *core)
{
  return (core->smbase & 0xffffffff) + SAVED_BASE;
}

static void
save (const VtCore *core, Saved *saved)
{
  *saved = (Saved){ 0 };
  for (unsigned i = 0; i < VT_CPU_GPRS; i++)
    vt_st64 (at (saved, SAVED_R15 + (VT_CPU_GPRS - 1 - i) * 8), core->gpr[i]);
  vt_st64 (at (saved, SAVED_RIP), core->rip);
  vt_st64 (at (saved, SAVED_RFLAGS), core->rflags);
  vt_st64 (at (saved, SAVED_DR6), core->dr6);
  vt_st64 (at (saved, SAVED_DR7), core->dr7);
  vt_st64 (at (saved, SAVED_CR0), core->cr0);
  vt_st64 (at (saved, SAVED_CR3), core->cr3);
  vt_st64 (at (saved, SAVED_CR4), core->cr4);
  vt_st64 (at (saved, SAVED_EFER), core->efer);
  vt_st32 (at (saved, SAVED_SMBASE), (uint32_t) core->smbase);
  vt_st32 (at (saved, SAVED_REVISION), REVISION);
  *at (saved, SAVED_HALT) = core->mp_state == VT_CPU_MP_HALTED;
  for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
    save_segment (saved, SAVED_ES + 16 * i, &core->seg[i]);
  save_segment (saved, SAVED_LDT, &core->seg[VT_CPU_LDT]);
  save_segment (saved, SAVED_TR, &core->seg[VT_CPU_TR]);
  vt_st32 (at (saved, SAVED_GDT + 4), core->gdt_limit);
  vt_st64 (at (saved, SAVED_GDT + 8), core->gdt_base);
  vt_st32 (at (saved, SAVED_IDT + 4), core->idt_limit);
  vt_st64 (at (saved, SAVED_IDT + 8), core->idt_base);
}

/* What the TLB has is of the other view of memory. (Code that has been translated is named by the RAM that it is in,
 * and can stay.) */
static void
change_view (VtCore *core, bool smm)
{
  if (__atomic_load_n (&core->requests, __ATOMIC_RELAXED) & VT_CORE_FLUSH)
    vt_mmu_mark_written (core);
  core->events.smm = smm;
  vt_mmu_flush (&core->mmu);
}

/* 31.3.1 and table 31-4. IDTR's limit is 0 on processors, which no manual says: a handler that has no table of its
 * own shuts down when it faults. */
static void
begin (VtCore *core)
{
  const VtCpuSegment flat = { .limit = 0xffffffff, .type = 3, .present = true, .code_or_data = true, .g = true };

  for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
    core->seg[i] = flat;
  core->seg[VT_CPU_CS].selector = (uint16_t) (core->smbase >> 4);
  core->seg[VT_CPU_CS].base = core->smbase & 0xffffffff;
  core->rip = ENTRY;
  core->rflags = VT_FLAG_FIXED;
  core->cr0 &= ~(VT_CR0_PE | VT_CR0_EM | VT_CR0_TS | VT_CR0_PG);
  core->cr4 = 0;
  core->efer = 0;
  core->cpl = 0;
  core->dr7 = VT_DR7_FIXED;
  core->idt_base = core->idt_limit = 0;
  core->mp_state = VT_CPU_MP_RUNNABLE;
  core->debug_hits = 0;
  vt_core_changed (core);
}

void
vt_smm_enter (VtCore *core)
{
  Saved saved;

  save (core, &saved);
  core->events.smi_pending = false;
  core->events.smi_in_nmi = core->events.nmi_masked;
  core->events.nmi_masked = true;
  change_view (core, true);
  for (unsigned i = 0; i < SAVED_SIZE; i += 8)
    vt_space_write (core->space, VT_SPACE_SMM, area (core) + i, saved.bytes + i, 8);
  begin (core);
}

/* Control registers in an order in which each is allowed, as code that goes there would write them. */
static void
load_control (VtCore *core, Saved *saved)
{
  const uint64_t cr4 = vt_ld64 (at (saved, SAVED_CR4)), cr3 = vt_ld64 (at (saved, SAVED_CR3));

  core->cr0 = VT_CR0_ET;
  core->cr4 = 0;
  core->efer = 0;
  core->rflags = VT_FLAG_FIXED;
  core->seg[VT_CPU_CS].l = false;
  vt_core_changed (core);
  vt_core_set_efer (core, vt_ld64 (at (saved, SAVED_EFER)) & ~VT_EFER_LMA);
  if (cr3 >> core->phys_bits)
    vt_core_gp (core, 0);
  core->cr3 = cr3;
  vt_core_set_cr4 (core, cr4 & ~VT_CR4_PCIDE);
  vt_core_set_cr0 (core, vt_ld64 (at (saved, SAVED_CR0)));
  if (cr4 & VT_CR4_PCIDE)
    {
      if (!core->long_mode || !(core->cr4_mask & VT_CR4_PCIDE))
        vt_core_gp (core, 0);
      core->cr4 |= VT_CR4_PCIDE;
    }
}

static void
load (VtCore *core, void *data)
{
  Saved         *saved = data;
  const uint64_t rflags = vt_ld64 (at (saved, SAVED_RFLAGS));

  core->smbase = vt_ld32 (at (saved, SAVED_SMBASE));
  load_segment (saved, SAVED_TR, &core->seg[VT_CPU_TR]);
  load_control (core, saved);
  if ((rflags & VT_FLAG_VM) && (!(core->cr0 & VT_CR0_PE) || core->long_mode))
    vt_core_gp (core, 0);
  for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
    load_segment (saved, SAVED_ES + 16 * i, &core->seg[i]);
  load_segment (saved, SAVED_LDT, &core->seg[VT_CPU_LDT]);
  core->gdt_limit = vt_ld32 (at (saved, SAVED_GDT + 4)) & 0xffff;
  core->gdt_base = vt_ld64 (at (saved, SAVED_GDT + 8));
  core->idt_limit = vt_ld32 (at (saved, SAVED_IDT + 4)) & 0xffff;
  core->idt_base = vt_ld64 (at (saved, SAVED_IDT + 8));
  for (unsigned i = 0; i < VT_CPU_GPRS; i++)
    core->gpr[i] = vt_ld64 (at (saved, SAVED_R15 + (VT_CPU_GPRS - 1 - i) * 8));
  core->next_rip = vt_ld64 (at (saved, SAVED_RIP));
  core->rflags = (rflags & VT_FLAGS_ALL) | VT_FLAG_FIXED;
  core->dr6 = (vt_ld64 (at (saved, SAVED_DR6)) & 0xe00f) | VT_DR6_FIXED;
  core->dr7 = (vt_ld64 (at (saved, SAVED_DR7)) & 0xffff2bff) | VT_DR7_FIXED;
  if (!(core->cr0 & VT_CR0_PE))
    core->cpl = 0;
  else
    core->cpl = rflags & VT_FLAG_VM ? 3 : core->seg[VT_CPU_SS].dpl;
  if (*at (saved, SAVED_HALT) & 1)
    core->mp_state = VT_CPU_MP_HALTED;
  vt_core_changed (core);
}

void
vt_smm_leave (VtCore *core)
{
  Saved saved;

  for (unsigned i = 0; i < SAVED_SIZE; i += 8)
    vt_space_read (core->space, VT_SPACE_SMM, area (core) + i, saved.bytes + i, 8);
  core->events.nmi_masked = core->events.smi_in_nmi;
  core->events.smi_in_nmi = false;
  change_view (core, false);
  /* 31.4.1: a state that no processor can be in ends it. */
  if (vt_core_try (core, load, &saved) != VT_CATCH_NONE)
    vt_core_shut_down (core);
}
