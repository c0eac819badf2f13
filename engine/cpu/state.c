/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A vCPU's state as a table, as RESET leaves it, and as text.
 */
#include "vcpu.h"

#define CR0_PE VT_BIT (0)
#define CR0_NW VT_BIT (29)
#define CR0_CD VT_BIT (30)
#define CR0_PG VT_BIT (31)
#define EFER_LMA VT_BIT (10)
#define RFLAGS_VM VT_BIT (17)
#define APIC_BASE_BSP VT_BIT (8)

static const VtStateField segment_fields[] = {
  VT_STATE (VtCpuSegment, base),
  VT_STATE (VtCpuSegment, limit),
  VT_STATE (VtCpuSegment, selector),
  VT_STATE_MAX (VtCpuSegment, type, 15),
  VT_STATE_MAX (VtCpuSegment, dpl, 3),
  VT_STATE (VtCpuSegment, present),
  VT_STATE (VtCpuSegment, code_or_data),
  VT_STATE (VtCpuSegment, db),
  VT_STATE (VtCpuSegment, l),
  VT_STATE (VtCpuSegment, g),
  VT_STATE (VtCpuSegment, avl),
  VT_STATE (VtCpuSegment, unusable),
  VT_STATE (VtCpuSegment, pad_),
};
static const VtStateDesc segment_state = VT_STATE_DESC (VtCpuSegment, 1, segment_fields, NULL);

static const VtStateField events_fields[] = {
  VT_STATE (VtCpuEvents, exception_injected),
  VT_STATE (VtCpuEvents, exception_pending),
  VT_STATE (VtCpuEvents, exception_has_error),
  VT_STATE_MAX (VtCpuEvents, exception, 31),
  VT_STATE (VtCpuEvents, exception_error),
  VT_STATE (VtCpuEvents, interrupt_injected),
  VT_STATE (VtCpuEvents, interrupt_soft),
  VT_STATE (VtCpuEvents, interrupt),
  VT_STATE_MAX (VtCpuEvents, shadow, 3),
  VT_STATE (VtCpuEvents, nmi_injected),
  VT_STATE (VtCpuEvents, nmi_pending),
  VT_STATE (VtCpuEvents, nmi_masked),
  VT_STATE (VtCpuEvents, smm),
  VT_STATE (VtCpuEvents, smi_pending),
  VT_STATE (VtCpuEvents, smi_in_nmi),
  VT_STATE (VtCpuEvents, init_latched),
  VT_STATE (VtCpuEvents, pad_),
  VT_STATE (VtCpuEvents, sipi_vector),
};
static const VtStateDesc events_state = VT_STATE_DESC (VtCpuEvents, 1, events_fields, NULL);

static const VtStateField msr_fields[] = {
  VT_STATE (VtCpuMsr, index),
  VT_STATE (VtCpuMsr, pad_),
  VT_STATE (VtCpuMsr, value),
};
static const VtStateDesc msr_state = VT_STATE_DESC (VtCpuMsr, 1, msr_fields, NULL);

static const VtStateField cpu_fields[] = {
  VT_STATE (VtCpuState, gpr),
  VT_STATE (VtCpuState, rip),
  VT_STATE (VtCpuState, rflags),
  VT_STATE_STRUCT (VtCpuState, seg, &segment_state),
  VT_STATE (VtCpuState, gdt_base),
  VT_STATE (VtCpuState, idt_base),
  VT_STATE_MAX (VtCpuState, gdt_limit, 0xffff),
  VT_STATE_MAX (VtCpuState, idt_limit, 0xffff),
  VT_STATE (VtCpuState, cr0),
  VT_STATE (VtCpuState, cr2),
  VT_STATE (VtCpuState, cr3),
  VT_STATE (VtCpuState, cr4),
  VT_STATE (VtCpuState, cr8),
  VT_STATE (VtCpuState, efer),
  VT_STATE (VtCpuState, apic_base),
  VT_STATE (VtCpuState, xcr0),
  VT_STATE (VtCpuState, dr),
  VT_STATE (VtCpuState, dr6),
  VT_STATE (VtCpuState, dr7),
  VT_STATE_MAX (VtCpuState, mp_state, VT_CPU_MP_SIPI_RECEIVED),
  VT_STATE_STRUCT (VtCpuState, events, &events_state),
  VT_STATE (VtCpuState, lapic),
  VT_STATE_MAX (VtCpuState, n_msrs, VT_CPU_MSRS),
  VT_STATE_MAX (VtCpuState, xsave_size, VT_CPU_XSAVE),
  VT_STATE (VtCpuState, pad_),
  VT_STATE_STRUCT (VtCpuState, msr, &msr_state),
  VT_STATE (VtCpuState, xsave),
};

static bool
cpu_check (const void *data, GError **error)
{
  const VtCpuState *state = data;
  for (unsigned i = 1; i < state->n_msrs; i++)
    if (state->msr[i].index <= state->msr[i - 1].index)
      return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                           "The saved processor's model-specific registers are not in order.");
  return true;
}

const VtStateDesc vt_cpu_state = VT_STATE_DESC (VtCpuState, 1, cpu_fields, cpu_check);

void
vt_cpu_state_reset (VtCpuState *state, bool bsp, uint32_t signature)
{
  memset (state->gpr, 0, sizeof state->gpr);
  state->gpr[VT_CPU_RDX] = signature;
  state->rip = 0xfff0;
  state->rflags = 2;
  for (unsigned i = 0; i < VT_CPU_SEGMENTS; i++)
    state->seg[i] = (VtCpuSegment){ .limit = 0xffff, .type = 3, .present = true, .code_or_data = true };
  /* The first instruction is fetched 16 bytes below 4 GiB: the base belies the selector. */
  state->seg[VT_CPU_CS].selector = 0xf000;
  state->seg[VT_CPU_CS].base = 0xffff0000;
  state->seg[VT_CPU_CS].type = 11;
  state->seg[VT_CPU_LDT].type = 2;
  state->seg[VT_CPU_LDT].code_or_data = false;
  state->seg[VT_CPU_TR].type = 11;
  state->seg[VT_CPU_TR].code_or_data = false;
  state->gdt_base = state->idt_base = 0;
  state->gdt_limit = state->idt_limit = 0xffff;
  state->cr0 = 0x60000010; /* CD, NW, ET. */
  state->cr2 = state->cr3 = state->cr4 = state->cr8 = 0;
  state->efer = 0;
  state->apic_base = 0xfee00900 & ~(bsp ? 0 : APIC_BASE_BSP);
  state->xcr0 = 1;
  memset (state->dr, 0, sizeof state->dr);
  state->dr6 = 0xffff0ff0;
  state->dr7 = 0x400;
  state->mp_state = bsp ? VT_CPU_MP_RUNNABLE : VT_CPU_MP_WAIT_FOR_INIT;
  state->events = (VtCpuEvents){ 0 };
}

void
vt_cpu_state_init (VtCpuState *state, bool bsp, uint32_t signature)
{
  const uint64_t caches = state->cr0 & (CR0_CD | CR0_NW), apic_base = state->apic_base;
  const uint64_t xcr0 = state->xcr0;

  vt_cpu_state_reset (state, bsp, signature);
  state->cr0 = (state->cr0 & ~(CR0_CD | CR0_NW)) | caches;
  state->apic_base = apic_base;
  state->xcr0 = xcr0;
  state->mp_state = bsp ? VT_CPU_MP_RUNNABLE : VT_CPU_MP_INIT_RECEIVED;
}

void
vt_cpu_state_startup (VtCpuState *state, uint8_t vector)
{
  state->seg[VT_CPU_CS].selector = (uint16_t) (vector << 8);
  state->seg[VT_CPU_CS].base = (uint64_t) vector << 12;
  state->rip = 0;
  state->mp_state = VT_CPU_MP_RUNNABLE;
}

unsigned
vt_cpu_code_bits (const VtCpuState *state)
{
  if ((state->efer & EFER_LMA) && state->seg[VT_CPU_CS].l)
    return 64;
  if (!(state->cr0 & CR0_PE) || (state->rflags & RFLAGS_VM))
    return 16;
  return state->seg[VT_CPU_CS].db ? 32 : 16;
}

const char *
vt_cpu_mode_name (const VtCpuState *state)
{
  if (!(state->cr0 & CR0_PE))
    return "real mode";
  if (state->rflags & RFLAGS_VM)
    return "virtual 8086 mode";
  switch (vt_cpu_code_bits (state))
    {
    case 64:
      return "64-bit mode";
    case 32:
      return state->efer & EFER_LMA ? "32-bit compatibility mode" : "32-bit protected mode";
    default:
      return state->efer & EFER_LMA ? "16-bit compatibility mode" : "16-bit protected mode";
    }
}

void
vt_cpu_state_print (const VtCpuState *state, GString *out)
{
  static const char *const gprs[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15" };
  static const char *const segs[] = { "es ", "cs ", "ss ", "ds ", "fs ", "gs ", "ldt", "tr " };
  const unsigned           n = state->efer & EFER_LMA ? 16 : 8;

  for (unsigned i = 0; i < n; i++)
    g_string_append_printf (out, "%s %016" G_GINT64_MODIFIER "x%s", gprs[i], state->gpr[i],
                            i % 4 == 3 ? "\n" : "  ");
  g_string_append_printf (out,
                          "rip %016" G_GINT64_MODIFIER "x  flags %08" G_GINT64_MODIFIER
                          "x  (%s, privilege level %u)\n",
                          state->rip, state->rflags, vt_cpu_mode_name (state),
                          state->seg[VT_CPU_SS].dpl);
  for (unsigned i = 0; i < VT_CPU_SEGMENTS; i++)
    {
      const VtCpuSegment *s = &state->seg[i];
      g_string_append_printf (out,
                              "%s %04x  base %016" G_GINT64_MODIFIER
                              "x  limit %08x  type %x%s%s%s%s\n",
                              segs[i], s->selector, s->base, s->limit, s->type,
                              s->present ? "" : " absent", s->db ? " 32-bit" : "",
                              s->l ? " 64-bit" : "", s->unusable ? " unusable" : "");
    }
  g_string_append_printf (out,
                          "gdt %016" G_GINT64_MODIFIER "x/%04x  idt %016" G_GINT64_MODIFIER "x/%04x\n",
                          state->gdt_base, state->gdt_limit, state->idt_base, state->idt_limit);
  g_string_append_printf (out,
                          "cr0 %08" G_GINT64_MODIFIER "x  cr2 %016" G_GINT64_MODIFIER
                          "x  cr3 %016" G_GINT64_MODIFIER "x  cr4 %08" G_GINT64_MODIFIER
                          "x  efer %" G_GINT64_MODIFIER "x\n",
                          state->cr0, state->cr2, state->cr3, state->cr4, state->efer);
}
