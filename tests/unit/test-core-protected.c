/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * 32-bit protected mode: call gates and their stacks, the looks at selectors, BOUND and INTO, SYSENTER, and PAE's
 * pointers (SDM volume 3, chapters 4 and 5; volume 2).
 */
#include "core-faults.h"

/* Call gates (5.8) ---------------------------------------------------------------------------------------- */

CORE_CODE (call_gate, 32, USER ("pushl $0x1111\n pushl $0x2222\n lcall $115, $0\n int $0x42\n"));
CORE_CODE (jump_gate, 32, USER ("ljmp $115, $0\n"));
CORE_CODE (call_here, 32, "movw $56, %ax\n ltr %ax\n pushl $0x1111\n pushl $0x2222\n lcall $112, $0\n int $0x42\n");
CORE_CODE (direct, 32, USER ("lcall $120, $0\n"));
CORE_CODE (direct_rpl, 32, "lcall $43, $0\n");
CORE_CODE (return_inner, 32, USER ("pushl $8\n pushl $0\n lret\n"));

static void
gate_low (CoreRig *rig)
{
  rig->mem[CORE_GDT + GATE + 5] = 0x8c;
}

static void
gate_absent (CoreRig *rig)
{
  rig->mem[CORE_GDT + GATE + 5] = 0x6c;
}

#define GATE_TO(name, selector)                                                                    \
  static void name (CoreRig *rig) { vt_st16 (rig->mem + CORE_GDT + GATE + 2, (selector)); }

GATE_TO (gate_null, 0)
GATE_TO (gate_data, SEL_DATA)
GATE_TO (gate_beyond, 0x1000)

static void
code_absent (CoreRig *rig)
{
  rig->mem[CORE_GDT + INNER + 5] = 0x1b;
}

static void
code_short (CoreRig *rig)
{
  core_gdt (rig, INNER, 0, 0xfff, 0x9b, 4);
}

static void
code_conforming (CoreRig *rig)
{
  rig->mem[CORE_GDT + INNER + 5] = 0x9f;
  vt_st16 (rig->mem + CORE_GDT + GATE, INNER_CODE + 0x100);
  memcpy (rig->mem + INNER_CODE + 0x100, "\xcd\x42", 2);
}

#define STACK(name, selector)                                                                      \
  static void name (CoreRig *rig) { vt_st16 (rig->mem + TSS_A + SP0 + 4, (selector)); }

STACK (stack_null, 0)
STACK (stack_beyond, 0x1000)
STACK (stack_outer, SEL_USER_DATA)
STACK (stack_rpl, SEL_DATA | 3)
STACK (stack_code, SEL_CODE)

static void
stack_absent (CoreRig *rig)
{
  core_gdt (rig, ODD, 0, 0xfffff, 0x13, 0xc);
  vt_st16 (rig->mem + TSS_A + SP0 + 4, ODD);
}

static void
stack_short (CoreRig *rig)
{
  core_gdt (rig, ODD, 0, 0xfff, 0x93, 4);
  vt_st16 (rig->mem + TSS_A + SP0 + 4, ODD);
}

static void
test_gates (gconstpointer data)
{
  static const Case cases[] = {
    CASE (call_gate, NULL, -1, 0),
    CASE (call_gate, gate_low, VT_EXC_GP, GATE),
    CASE (call_gate, gate_absent, VT_EXC_NP, GATE),
    CASE (call_gate, gate_null, VT_EXC_GP, 0),
    CASE (call_gate, gate_data, VT_EXC_GP, SEL_DATA),
    CASE (call_gate, gate_beyond, VT_EXC_GP, 0x1000),
    CASE (call_gate, code_absent, VT_EXC_NP, INNER),
    CASE (call_gate, code_short, VT_EXC_GP, 0),
    CASE (call_gate, stack_null, VT_EXC_TS, 0),
    CASE (call_gate, stack_beyond, VT_EXC_TS, 0x1000),
    CASE (call_gate, stack_outer, VT_EXC_TS, SEL_USER_DATA & ~3u),
    CASE (call_gate, stack_rpl, VT_EXC_TS, SEL_DATA),
    CASE (call_gate, stack_code, VT_EXC_TS, SEL_CODE),
    CASE (call_gate, stack_absent, VT_EXC_SS, ODD),
    CASE (call_gate, stack_short, VT_EXC_SS, ODD),
    CASE (jump_gate, NULL, VT_EXC_GP, INNER), /* No way to more privilege. */
    CASE (jump_gate, code_conforming, -1, 0),
    CASE (call_here, gate_absent, VT_EXC_NP, GATE),
    CASE (direct, NULL, VT_EXC_GP, INNER),
    CASE (direct_rpl, NULL, VT_EXC_GP, 40),
    CASE (return_inner, NULL, VT_EXC_GP, SEL_CODE),
  };

  run_cases (cases, G_N_ELEMENTS (cases), GPOINTER_TO_UINT (data));
}

/* What the gate has brought, and what its return takes away. */
static void
test_gate_frames (gconstpointer data)
{
  RIG (call_gate);
  protected_init (rig);
  run (rig, kind);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x3010), ==, 0x6f00 - 24);
  g_assert_cmphex (vt_ld16 (rig->mem + 0x3014), ==, INNER);
  g_assert_cmphex (vt_ld16 (rig->mem + 0x3016), ==, SEL_DATA);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x3018), ==, 0x2222);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x6f00 - 4), ==, SEL_USER_DATA);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x6f00 - 8), ==, 0x7700); /* As INT has left it since. */
  g_assert_cmphex (rig->core->seg[VT_CPU_DS].selector, ==, SEL_USER_DATA);
  core_rig_finish (rig);
}

/* LAR, LSL, VERR, VERW, ARPL -------------------------------------------------------------------------------- */

CORE_CODE (looks, 32,
           "lar %ebx, %eax\n setz 0x3001\n lsl %ebx, %edx\n setz 0x3002\n verr %bx\n setz 0x3003\n verw %bx\n setz 0x3005\n"
           "int $0x42\n");

static void
test_looks (gconstpointer data)
{
  static const struct
  {
    uint16_t selector;
    uint8_t  access; /* Of ODD, where that is meant. */
    uint8_t  cpl;
    uint8_t  lar, lsl, verr, verw;
  } cases[] = {
    { 0, 0, 0, 0, 0, 0, 0 },
    { 3, 0, 0, 0, 0, 0, 0 },
    { 0x1000, 0, 0, 0, 0, 0, 0 },
    { ODD, 0x93, 0, 1, 1, 1, 1 },
    { ODD, 0x91, 0, 1, 1, 1, 0 },
    { ODD, 0x13, 0, 1, 1, 1, 1 }, /* Present or not. */
    { ODD, 0x9b, 0, 1, 1, 1, 0 },
    { ODD, 0x99, 0, 1, 1, 0, 0 },
    { ODD | 3, 0x93, 0, 0, 0, 0, 0 }, /* RPL */
    { ODD | 3, 0x9f, 0, 1, 1, 1, 0 }, /* … of conforming code does not matter. */
    { ODD, 0x93, 3, 0, 0, 0, 0 },
    { ODD, 0xf3, 3, 1, 1, 1, 1 },
    { ODD, 0x9f, 3, 1, 1, 1, 0 },
    { ODD, 0x80, 0, 0, 0, 0, 0 }, /* Systems' kinds, by their numbers. */
    { ODD, 0x81, 0, 1, 1, 0, 0 },
    { ODD, 0x82, 0, 1, 1, 0, 0 },
    { ODD, 0x83, 0, 1, 1, 0, 0 },
    { ODD, 0x84, 0, 1, 0, 0, 0 },
    { ODD, 0x85, 0, 1, 0, 0, 0 },
    { ODD, 0x86, 0, 0, 0, 0, 0 },
    { ODD, 0x87, 0, 0, 0, 0, 0 },
    { ODD, 0x88, 0, 0, 0, 0, 0 },
    { ODD, 0x89, 0, 1, 1, 0, 0 },
    { ODD, 0x8a, 0, 0, 0, 0, 0 },
    { ODD, 0x8b, 0, 1, 1, 0, 0 },
    { ODD, 0x8c, 0, 1, 0, 0, 0 },
    { ODD, 0x8d, 0, 0, 0, 0, 0 },
    { ODD, 0x8e, 0, 0, 0, 0, 0 },
    { ODD, 0x8f, 0, 0, 0, 0, 0 },
    { ODD, 0x89, 3, 0, 0, 0, 0 },
    { ODD | 3, 0xe9, 3, 1, 1, 0, 0 },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      RIG (looks);
      VtCore *core = rig->core;

      g_test_message ("%u", i);
      protected_init (rig);
      if (cases[i].access)
        core_gdt (rig, ODD, 0x12345678, 0xfedcb, cases[i].access, 0xd);
      core->gpr[VT_CPU_RBX] = cases[i].selector;
      core->gpr[VT_CPU_RAX] = core->gpr[VT_CPU_RDX] = 0x99;
      core->seg[VT_CPU_TR] = (VtCpuSegment){ .base = TSS_A, .limit = 0x67, .selector = A, .type = 11, .present = true };
      if (cases[i].cpl)
        {
          core->seg[VT_CPU_CS] = core_segment (SEL_USER_CODE, true, false);
          core->seg[VT_CPU_SS] = core_segment (SEL_USER_DATA, false, false);
          core->cpl = 3;
          vt_core_changed (core);
        }
      vt_st32 (rig->mem + 0x3000, 0);
      run (rig, kind);
      g_assert_cmphex (rig->mem[0x3001], ==, cases[i].lar);
      g_assert_cmphex (rig->mem[0x3002], ==, cases[i].lsl);
      g_assert_cmphex (rig->mem[0x3003], ==, cases[i].verr);
      g_assert_cmphex (rig->mem[0x3005], ==, cases[i].verw);
      /* EAX is spoiled by the handler: what counts is EDX, and bits that only LAR can have left in the TSS's frame. */
      g_assert_cmphex (core->gpr[VT_CPU_RDX], ==, cases[i].lsl ? 0xfedcbfffu : 0x99);
      core_rig_finish (rig);
    }
}

CORE_CODE (adjust, 32,
           "movw $0x20, %bx\n movw $3, %cx\n arpl %cx, %bx\n setz 0x3001\n movw %bx, 0x3008\n"
           "movw $0x33, %bx\n movw $0x12, %cx\n arpl %cx, %bx\n setz 0x3002\n movw %bx, 0x300a\n hlt\n");

static void
test_adjust (gconstpointer data)
{
  RIG (adjust);
  run (rig, kind);
  g_assert_cmphex (rig->mem[0x3001], ==, 1);
  g_assert_cmphex (vt_ld16 (rig->mem + 0x3008), ==, 0x23);
  g_assert_cmphex (rig->mem[0x3002], ==, 0);
  g_assert_cmphex (vt_ld16 (rig->mem + 0x300a), ==, 0x33);
  core_rig_finish (rig);
}

/* Software's exceptions ------------------------------------------------------------------------------------- */

CORE_CODE (into_set, 32, USER ("movb $0x7f, %al\n incb %al\n into\n"));
CORE_CODE (into_clear, 32, USER ("xorl %eax, %eax\n into\n int $0x42\n"));
CORE_CODE (bound_in, 32, USER ("movl $5, 0x7000\n movl $9, 0x7004\n movl $5, %eax\n bound %eax, 0x7000\n"
                               "movl $9, %eax\n bound %eax, 0x7000\n int $0x42\n"));
CORE_CODE (bound_below, 32, USER ("movl $-5, 0x7000\n movl $9, 0x7004\n movl $-6, %eax\n bound %eax, 0x7000\n"));
CORE_CODE (bound_above, 32, USER ("movl $5, 0x7000\n movl $9, 0x7004\n movl $10, %eax\n bound %eax, 0x7000\n"));
CORE_CODE (breakpoint, 32, USER ("int3\n"));
CORE_CODE (breakpoint_long, 32, USER ("int $3\n"));
CORE_CODE (icebp, 32, USER (".byte 0xf1\n"));
CORE_CODE (no_gate, 32, USER ("int $0x50\n"));

/* The gate of @vector for privilege 3 too. */
#define OPEN(name, vector)                                                                         \
  static void name (CoreRig *rig) { rig->mem[CORE_IDT + (vector) * 8 + 5] |= 0x60; }

OPEN (open_of, 4)
OPEN (open_bp, 3)

static void
test_soft (gconstpointer data)
{
  static const Case cases[] = {
    CASE (into_clear, NULL, -1, 0),
    CASE (into_set, open_of, 4, NO_ERROR),
    CASE (into_set, NULL, VT_EXC_GP, 4 * 8 + 2),
    CASE (bound_in, NULL, -1, 0),
    CASE (bound_below, NULL, 5, NO_ERROR), /* An exception: its gate's privilege does not matter. */
    CASE (bound_above, NULL, 5, NO_ERROR),
    CASE (breakpoint, open_bp, VT_EXC_BP, NO_ERROR),
    CASE (breakpoint, NULL, VT_EXC_GP, VT_EXC_BP * 8 + 2),
    CASE (breakpoint_long, NULL, VT_EXC_GP, VT_EXC_BP * 8 + 2),
    CASE (icebp, NULL, VT_EXC_DB, NO_ERROR),
    CASE (no_gate, NULL, VT_EXC_GP, 0x50 * 8 + 2),
  };

  run_cases (cases, G_N_ELEMENTS (cases), GPOINTER_TO_UINT (data));
}

/* SYSENTER and SYSEXIT ------------------------------------------------------------------------------------------ */

CORE_CODE (fast, 32, USER_IO ("stc\n sti\n sysenter\n") LABEL (fast_entry)
                     "pushfl\n popl 0x3030\n movw %cs, 0x3034\n movw %ss, 0x3036\n movl %esp, 0x3038\n"
                     "movl $(2f - base), %edx\n movl $0x7600, %ecx\n sysexit\n"
                     "2: movw %cs, 0x303c\n movw %ss, 0x303e\n movl %esp, 0x3040\n int $0x42\n");
extern const uint8_t fast_entry[];
CORE_CODE (fast_refused, 32, USER ("sysenter\n"));
CORE_CODE (exit_refused, 32, USER ("sysexit\n"));
CORE_CODE (exit_null, 32, "sysexit\n");

static void
test_fast (gconstpointer data)
{
  static const Case cases[] = {
    CASE (fast_refused, NULL, VT_EXC_GP, 0),
    CASE (exit_refused, NULL, VT_EXC_GP, 0),
    CASE (exit_null, NULL, VT_EXC_GP, 0),
  };
  RIG (fast);

  protected_init (rig);
  rig->core->sysenter_cs = SEL_CODE;
  rig->core->sysenter_eip = CORE_AT (fast, fast_entry);
  rig->core->sysenter_esp = 0x6e00;
  /* The selectors follow: 8, 16, 24, 32. */
  core_gdt (rig, 24, 0, 0xfffff, 0xfb, 0xc);
  core_gdt (rig, 32, 0, 0xfffff, 0xf3, 0xc);
  run (rig, kind);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x3030) & (VT_FLAG_CF | VT_FLAG_IF), ==, VT_FLAG_CF);
  g_assert_cmphex (vt_ld16 (rig->mem + 0x3034), ==, SEL_CODE);
  g_assert_cmphex (vt_ld16 (rig->mem + 0x3036), ==, SEL_DATA);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x3038), ==, 0x6e00);
  g_assert_cmphex (vt_ld16 (rig->mem + 0x303c), ==, 27);
  g_assert_cmphex (vt_ld16 (rig->mem + 0x303e), ==, 35);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x3040), ==, 0x7600);
  core_rig_finish (rig);
  run_cases (cases, G_N_ELEMENTS (cases), kind);
}

/* PAE's pointers (4.4.1) -------------------------------------------------------------------------------------- */

CORE_CODE (pae_enter, 32,
           "movl $0x10000, %eax\n movl %eax, %cr3\n movl $0x20, %eax\n movl %eax, %cr4\n movl $0x80000011, %eax\n"
           "movl %eax, %cr0\n int $0x42\n");
CORE_CODE (pae_reload, 32,
           "movl $0x10000, %eax\n movl %eax, %cr3\n movl $0x20, %eax\n movl %eax, %cr4\n movl $0x80000011, %eax\n"
           "movl %eax, %cr0\n movl $2, 0x10018\n movl $0x21, %eax\n movl %cr3, %eax\n movl $3, 0x10018\n movl %eax, %cr3\n");
CORE_CODE (pae_switch, 32,
           "movl $0x10000, %eax\n movl %eax, %cr3\n movl $0x20, %eax\n movl %eax, %cr4\n movl $0x80000011, %eax\n"
           "movl %eax, %cr0\n movl $3, 0x10018\n movl $0x30, %eax\n movl %eax, %cr4\n int $0x42\n");
CORE_CODE (pae_tss, 32,
           "movl $0x10000, %eax\n movl %eax, %cr3\n movl $0x20, %eax\n movl %eax, %cr4\n movl $0x80000011, %eax\n"
           "movl %eax, %cr0\n movl $3, 0x10018\n movl $0xa0, %eax\n movl %eax, %cr4\n int $0x42\n");
/* A pointer counts as it was when it was loaded. */
CORE_CODE (pae_kept, 32,
           "movl $0x10000, %eax\n movl %eax, %cr3\n movl $0x20, %eax\n movl %eax, %cr4\n movl $0x80000011, %eax\n"
           "movl %eax, %cr0\n movl $0, 0x10008\n movl 0x40003000, %ebx\n invlpg 0x40003000\n movl 0x40003000, %ebx\n"
           "int $0x42\n");
CORE_CODE (pae_gone, 32,
           "movl $0x10000, %eax\n movl %eax, %cr3\n movl $0x20, %eax\n movl %eax, %cr4\n movl $0x80000011, %eax\n"
           "movl %eax, %cr0\n movl $0, 0x10008\n movl %cr3, %eax\n movl %eax, %cr3\n movl 0x40003000, %ebx\n");

static void
pae_tables (CoreRig *rig)
{
  vt_st64 (rig->mem + 0x10000, 0x11001);
  vt_st64 (rig->mem + 0x10008, 0x11001);
  vt_st64 (rig->mem + 0x10010, ~UINT64_C (1)); /* Not present: nothing of it is reserved. */
  vt_st64 (rig->mem + 0x10018, 0);
  vt_st64 (rig->mem + 0x11000, 0x83);
  vt_st32 (rig->mem + TSS_F + CR3, 0x10000);
}

#define POINTER(name, value)                                                                       \
  static void name (CoreRig *rig)                                                                  \
  {                                                                                                \
    pae_tables (rig);                                                                              \
    vt_st64 (rig->mem + 0x10018, (value));                                                         \
  }

POINTER (pointer_bit_1, 3)
POINTER (pointer_bit_2, 5)
POINTER (pointer_bit_5, 0x21)
POINTER (pointer_bit_8, 0x101)
POINTER (pointer_cached, 0x19)
POINTER (pointer_far, VT_BIT (52) | 1)
POINTER (pointer_nx, VT_BIT (63) | 1)

/* The fault is before there is paging, or with the pointer that was: its task must be reachable. */
static void
pae_faulting (CoreRig *rig)
{
  pae_tables (rig);
  /* F loads the pointers again, of other tables. */
  vt_st64 (rig->mem + 0x12000, 0x11001);
  vt_st32 (rig->mem + TSS_F + CR3, 0x12000);
  core_gdt (rig, A, TSS_A, 0x67, 0x8b, 0);
  rig->core->seg[VT_CPU_TR] = (VtCpuSegment){ .base = TSS_A, .limit = 0x67, .selector = A, .type = 11, .present = true };
}

#define FAULTING(name)                                                                             \
  static void name##_faulting (CoreRig *rig)                                                       \
  {                                                                                                \
    pae_faulting (rig);                                                                            \
    name (rig);                                                                                    \
    vt_st32 (rig->mem + TSS_F + CR3, 0x12000);                                                     \
  }

FAULTING (pointer_bit_1)
FAULTING (pointer_bit_2)
FAULTING (pointer_bit_5)
FAULTING (pointer_bit_8)
FAULTING (pointer_far)
FAULTING (pointer_nx)

static void
test_pointers (gconstpointer data)
{
  static const Case cases[] = {
    CASE (pae_enter, pae_tables, -1, 0),
    CASE (pae_enter, pointer_cached, -1, 0), /* PWT and PCD. */
    CASE (pae_enter, pointer_bit_1_faulting, VT_EXC_GP, 0),
    CASE (pae_enter, pointer_bit_2_faulting, VT_EXC_GP, 0),
    CASE (pae_enter, pointer_bit_5_faulting, VT_EXC_GP, 0),
    CASE (pae_enter, pointer_bit_8_faulting, VT_EXC_GP, 0),
    CASE (pae_enter, pointer_far_faulting, VT_EXC_GP, 0),
    CASE (pae_enter, pointer_nx_faulting, VT_EXC_GP, 0),
    CASE (pae_reload, pae_faulting, VT_EXC_GP, 0),
    CASE (pae_switch, pae_faulting, VT_EXC_GP, 0), /* CR4.PSE is one of those that load them. */
    CASE (pae_tss, pae_faulting, VT_EXC_GP, 0),    /* PGE too. */
    CASE (pae_kept, pae_faulting, -1, 0),
    CASE (pae_gone, pae_faulting, VT_EXC_PF, 0),
  };

  run_cases (cases, G_N_ELEMENTS (cases), GPOINTER_TO_UINT (data));
}

int
main (int argc, char **argv)
{
  static const CoreTest tests[] = {
    { "gates", test_gates },
    { "gate-frames", test_gate_frames },
    { "looks", test_looks },
    { "adjust", test_adjust },
    { "soft", test_soft },
    { "fast", test_fast },
    { "pointers", test_pointers },
  };

  g_test_init (&argc, &argv, NULL);
  add_core_tests ("protected", tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
