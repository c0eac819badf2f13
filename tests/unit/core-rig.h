/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A software core with a flat megabyte or more of memory, for tests: guest programs run in it until
 * they halt, and what they leave is looked at.
 */
#pragma once

#include "cpu/translate/interpret/interpret.h"
#include "cpu/translate/system/system.h"

#define CORE_RAM (4 * VT_MIB)
#define CORE_STEPS 2000000u

typedef struct
{
  VtSpace *space;
  VtRam   *ram;
  uint8_t *mem;
  VtCore  *core;
  unsigned n_halts;
  uint32_t ports[16]; /* 0x500 to 0x50f: what was written last. */
  GString *output;    /* Port 0x402. */
} CoreRig;

static void
core_halt_cb (void *data)
{
  ((CoreRig *) data)->n_halts++;
}

static bool
core_in_cb (void *data, uint16_t port, unsigned size, uint32_t *value)
{
  CoreRig *rig = data;
  *value = port >= 0x500 && port < 0x510 ? rig->ports[port - 0x500] : port == 0x402 ? 0xe9 : UINT32_MAX;
  return true;
}

static bool
core_out_cb (void *data, uint16_t port, unsigned size, uint32_t value)
{
  CoreRig *rig = data;
  if (port == 0x402)
    g_string_append_c (rig->output, (char) value);
  if (port >= 0x500 && port < 0x510)
    rig->ports[port - 0x500] = value;
  return port != 0x666; /* One that is declined. */
}

static uint64_t
core_tsc_cb (void *data)
{
  return 1000;
}

static const VtCoreOps core_rig_ops = {
  .in = core_in_cb,
  .out = core_out_cb,
  .tsc = core_tsc_cb,
  .halt = core_halt_cb,
};

static inline void
core_rig_init (CoreRig *rig)
{
  GError *error = NULL;

  *rig = (CoreRig){ .output = g_string_new (NULL) };
  rig->space = vt_space_new ();
  rig->ram = vt_ram_new ("ram", CORE_RAM, &error);
  g_assert_no_error (error);
  vt_space_map_ram (rig->space, rig->ram, 0, CORE_RAM, 0, 0);
  rig->mem = vt_ram_host (rig->ram);
  rig->core = vt_core_new (rig->space, &core_rig_ops, rig);
}

static inline void
core_rig_finish (CoreRig *rig)
{
  vt_core_free (rig->core);
  vt_space_free (rig->space);
  vt_ram_free (rig->ram);
  g_string_free (rig->output, TRUE);
}

/* The state of RESET, but for CS:IP, which is 0:@rip. */
static inline void
core_rig_reset (CoreRig *rig, uint64_t rip)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  vt_cpu_state_reset (state, true, 0x600);
  state->rip = rip;
  state->seg[VT_CPU_CS].selector = 0;
  state->seg[VT_CPU_CS].base = 0;
  state->xsave_size = 576;
  vt_st16 (state->xsave, 0x37f);
  vt_st32 (state->xsave + 24, 0x1f80);
  vt_core_load (rig->core, state);
}

/* Runs until HLT; anything else fails the test. */
static inline void
core_rig_run (CoreRig *rig)
{
  uint64_t     done = 0;
  const VtStep step = vt_interpret (rig->core, CORE_STEPS, &done);

  if (step != VT_STEP_HALTED)
    g_error ("ended with %d at %04x:%" G_GINT64_MODIFIER "x after %" G_GUINT64_FORMAT
             " steps (%s); fault %u error %x cr2 %" G_GINT64_MODIFIER "x",
             (int) step, rig->core->seg[VT_CPU_CS].selector, rig->core->rip, done,
             vt_interpret_declined (rig->core), rig->core->fault.vector, rig->core->fault.error,
             rig->core->cr2);
}

/* Tables ---------------------------------------------------------------------------------------- */

#define CORE_GDT 0x5000u
#define CORE_IDT 0x6000u
#define CORE_TABLES 0x10000u /* PML4, PDPT, directory, and the page table of the first 2 MiB. */

/* Selectors that core_rig_flat() and core_rig_long() set up. */
#define SEL_CODE 8u
#define SEL_DATA 16u
#define SEL_CODE64 24u
#define SEL_USER_DATA 35u
#define SEL_USER_CODE 43u
#define SEL_USER_CODE64 51u
#define SEL_TSS 56u /* Two entries in long mode. */
#define SEL_FREE 72u

/* @access: the descriptor's byte 5; @flags: G, D/B, L, AVL in bits 3 to 0. */
static inline void
core_gdt (CoreRig *rig, unsigned selector, uint32_t base, uint32_t limit, unsigned access,
          unsigned flags)
{
  vt_st64 (rig->mem + CORE_GDT + (selector & ~7u),
           (limit & 0xffff) | (uint64_t) (base & 0xffffff) << 16 | (uint64_t) access << 40
               | (uint64_t) (limit >> 16 & 15) << 48 | (uint64_t) flags << 52
               | (uint64_t) (base >> 24) << 56);
}

/* A gate of 8 bytes at @address. */
static inline void
core_gate_at (CoreRig *rig, uint32_t address, unsigned selector, uint32_t offset, unsigned access)
{
  vt_st64 (rig->mem + address, (offset & 0xffff) | selector << 16 | (uint64_t) access << 40
                                   | (uint64_t) (offset >> 16) << 48);
}

/* An interrupt's; of 16 bytes in long mode, with @ist. */
static inline void
core_gate (CoreRig *rig, unsigned vector, unsigned selector, uint32_t offset, unsigned access,
           unsigned ist)
{
  const unsigned size = rig->core->long_mode ? 16 : 8;

  core_gate_at (rig, CORE_IDT + vector * size, selector, offset, access);
  rig->mem[CORE_IDT + vector * size + 4] = (uint8_t) ist;
}

static inline void
core_tables (CoreRig *rig, VtCpuState *state)
{
  memset (rig->mem + CORE_GDT, 0, 0x200);
  memset (rig->mem + CORE_IDT, 0, 0x1000);
  core_gdt (rig, SEL_CODE, 0, 0xfffff, 0x9b, 0xc);
  core_gdt (rig, SEL_DATA, 0, 0xfffff, 0x93, 0xc);
  core_gdt (rig, SEL_CODE64, 0, 0xfffff, 0x9b, 0xa);
  core_gdt (rig, SEL_USER_DATA, 0, 0xfffff, 0xf3, 0xc);
  core_gdt (rig, SEL_USER_CODE, 0, 0xfffff, 0xfb, 0xc);
  core_gdt (rig, SEL_USER_CODE64, 0, 0xfffff, 0xfb, 0xa);
  state->gdt_base = CORE_GDT;
  state->gdt_limit = 0x1ff;
  state->idt_base = CORE_IDT;
  state->idt_limit = 0xfff;
}

static inline VtCpuSegment
core_segment (unsigned selector, bool code, bool wide)
{
  return (VtCpuSegment){ .limit = UINT32_MAX,
                         .selector = (uint16_t) selector,
                         .type = code ? 11 : 3,
                         .dpl = selector & 3,
                         .present = true,
                         .code_or_data = true,
                         .db = !wide,
                         .l = wide,
                         .g = true };
}

static inline void
core_rig_flat_state (CoreRig *rig, VtCpuState *state, uint64_t rip)
{
  vt_cpu_state_reset (state, true, 0x600);
  state->xsave_size = 576;
  vt_st16 (state->xsave, 0x37f);
  vt_st32 (state->xsave + 24, 0x1f80);
  core_tables (rig, state);
  state->rip = rip;
  state->cr0 = 0x31;
  state->gpr[VT_CPU_RSP] = 0x8000;
  state->seg[VT_CPU_CS] = core_segment (SEL_CODE, true, false);
  for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
    if (i != VT_CPU_CS)
      state->seg[i] = core_segment (SEL_DATA, false, false);
}

/* Flat 32-bit protected mode, privilege 0, without paging. */
static inline void
core_rig_flat (CoreRig *rig, uint64_t rip)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  core_rig_flat_state (rig, state, rip);
  vt_core_load (rig->core, state);
}

/* 64-bit mode, privilege 0: the first 2 MiB by 4 KiB pages that everybody may use, the rest by one large
 * page. */
static inline void
core_rig_long (CoreRig *rig, uint64_t rip)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  core_rig_flat_state (rig, state, rip);
  memset (rig->mem + CORE_TABLES, 0, 0x4000);
  vt_st64 (rig->mem + CORE_TABLES, (CORE_TABLES + 0x1000) | 7);
  vt_st64 (rig->mem + CORE_TABLES + 0x1000, (CORE_TABLES + 0x2000) | 7);
  vt_st64 (rig->mem + CORE_TABLES + 0x2000, (CORE_TABLES + 0x3000) | 7);
  vt_st64 (rig->mem + CORE_TABLES + 0x2008, 0x200000 | 0x87);
  for (unsigned i = 0; i < 512; i++)
    vt_st64 (rig->mem + CORE_TABLES + 0x3000 + i * 8, i * 0x1000 | 7);
  state->cr0 = 0x80000031;
  state->cr3 = CORE_TABLES;
  state->cr4 = VT_CR4_PAE | VT_CR4_OSFXSR | VT_CR4_OSXMMEXCPT;
  state->efer = VT_EFER_LME | VT_EFER_LMA | VT_EFER_NXE | VT_EFER_SCE;
  state->seg[VT_CPU_CS] = core_segment (SEL_CODE64, true, true);
  vt_core_load (rig->core, state);
}

/* The entry of the page at @linear, below 2 MiB. */
static inline uint8_t *
core_pte (CoreRig *rig, uint64_t linear)
{
  return rig->mem + CORE_TABLES + 0x3000 + (linear >> 12) * 8;
}

/* Code of one mode without any set-up: GUEST_BASE is its address. */
#define CORE_CODE(name, bits, body) \
  extern const uint8_t code_##name[], code_##name##_end[]; \
  __asm__(".pushsection .rodata\n.balign 16\n" \
          "code_" #name ":\n.set base, code_" #name " - 0x1000\n" \
          ".code" #bits "\n" body "\n.code64\n" \
          "code_" #name "_end:\n.popsection\n")

#define CORE_PUT(rig, name) \
  memcpy ((rig)->mem + 0x1000, code_##name, (size_t) (code_##name##_end - code_##name))

/* The address of a label that the code has made global. */
#define CORE_AT(name, label) ((uint32_t) (0x1000 + ((label) -code_##name)))
