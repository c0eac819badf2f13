/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Task switches by hardware, and what they are refused for (SDM volume 3, 7.3).
 */
#include "core-faults.h"

/* The ways ---------------------------------------------------------------------------------------------- */

CORE_CODE (jump, 32, "movw $56, %ax\n ltr %ax\n movl $0x77, %esi\n movl $0x88, %eax\n stc\n ljmp $72, $0\n hlt\n");
CORE_CODE (call, 32, "movw $56, %ax\n ltr %ax\n lcall $88, $0\n movl $5, 0x3008\n hlt\n");
CORE_CODE (soft, 32, "movw $56, %ax\n ltr %ax\n int $0x41\n movl $5, 0x3008\n hlt\n");
CORE_CODE (back, 32, "iretl\n movl $6, 0x300c\n iretl\n");

/* JMP: the old task is kept and no longer busy, the new one is, and knows of no other. */
static void
test_jump (gconstpointer data)
{
  RIG (jump);
  vt_st32 (rig->mem + TSS_B + ESI, 0x99);
  vt_st32 (rig->mem + TSS_B + EFLAGS, 0x200002 | VT_FLAG_OF);
  vt_st32 (rig->mem + TSS_B + LINK, 0x1234);
  vt_st32 (rig->mem + TSS_A + CR3, 0x5678);
  rig->core->dr7 = 0x7ff;
  run (rig, kind);
  g_assert_cmphex (rig->core->rip, ==, B_EIP + 1);
  g_assert_cmphex (rig->core->gpr[VT_CPU_RSI], ==, 0x99);
  g_assert_cmphex (rig->core->gpr[VT_CPU_RSP], ==, 0x7800);
  g_assert_cmphex (rig->core->rflags, ==, 0x200002 | VT_FLAG_OF);
  g_assert_cmphex (rig->core->seg[VT_CPU_TR].selector, ==, B);
  g_assert_cmphex (rig->core->seg[VT_CPU_TR].base, ==, TSS_B);
  g_assert_true (rig->core->cr0 & VT_CR0_TS);
  g_assert_cmphex (rig->core->dr7, ==, 0x6aa); /* Breakpoints of the old task alone. */
  g_assert_false (is_busy (rig, A));
  g_assert_true (is_busy (rig, B));
  g_assert_cmphex (of (rig, TSS_A, ESI), ==, 0x77);
  g_assert_cmphex (of (rig, TSS_A, EAX), ==, 0x88);
  g_assert_cmphex (of (rig, TSS_A, ESP), ==, 0x8000);
  g_assert_cmphex (of (rig, TSS_A, EIP), ==, 0x1000 + 7 + 5 + 5 + 1 + 7);
  g_assert_cmphex (of (rig, TSS_A, EFLAGS), ==, 3);
  g_assert_cmphex (of (rig, TSS_A, CS), ==, SEL_CODE);
  g_assert_cmphex (of (rig, TSS_A, GS), ==, SEL_DATA);
  g_assert_cmphex (of (rig, TSS_A, CR3), ==, 0x5678); /* It is not written. */
  g_assert_cmphex (of (rig, TSS_B, LINK) & 0xffff, ==, 0x1234);
  core_rig_finish (rig);
}

/* CALL and an interrupt through task gates, and IRET back: NT, the link, and who is busy. */
static void
nested (CoreRig *rig, unsigned kind)
{
  memcpy (rig->mem + B_EIP, code_back, (size_t) (code_back_end - code_back));
  run (rig, kind);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x3008), ==, 5);
  g_assert_cmphex (rig->core->seg[VT_CPU_TR].selector, ==, A);
  g_assert_true (is_busy (rig, A));
  g_assert_false (is_busy (rig, B));
  g_assert_cmphex (of (rig, TSS_B, LINK) & 0xffff, ==, A);
  g_assert_cmphex (of (rig, TSS_B, EIP), ==, B_EIP + 1); /* Behind its IRET. */
  g_assert_cmphex (of (rig, TSS_B, EFLAGS) & VT_FLAG_NT, ==, 0);
  g_assert_cmphex (rig->core->rflags & VT_FLAG_NT, ==, 0);
  core_rig_finish (rig);
}

static void
test_call (gconstpointer data)
{
  RIG (call);
  nested (rig, kind);
}

static void
test_interrupt (gconstpointer data)
{
  RIG (soft);
  nested (rig, kind);
}

/* While it is away, both are busy, and NT is set. */
static void
test_within (gconstpointer data)
{
  RIG (call);
  run (rig, kind);
  g_assert_cmphex (rig->core->rip, ==, B_EIP + 1);
  g_assert_true (is_busy (rig, A) && is_busy (rig, B));
  g_assert_true (rig->core->rflags & VT_FLAG_NT);
  g_assert_cmphex (of (rig, TSS_A, EFLAGS) & VT_FLAG_NT, ==, 0);
  core_rig_finish (rig);
}

/* A TSS of 16 bits (figure 7-10): to it, and what it is kept in. */
CORE_CODE (narrow, 32, "movw $56, %ax\n ltr %ax\n ljmp $72, $0\n");
CORE_CODE (to_wide, 32, "movl $0x12345678, %ebx\n ljmp $80, $0\n");

static void
test_narrow (gconstpointer data)
{
  RIG (narrow);
  memset (rig->mem + TSS_B, 0, 0x68);
  core_gdt (rig, B, TSS_B, 43, 0x81, 0);
  vt_st16 (rig->mem + TSS_B + 14, B_EIP);
  vt_st16 (rig->mem + TSS_B + 16, 2 | VT_FLAG_DF);
  vt_st16 (rig->mem + TSS_B + 20, 0x4321); /* CX */
  vt_st16 (rig->mem + TSS_B + 26, 0x7800); /* SP */
  for (unsigned i = 0; i < 4; i++)
    vt_st16 (rig->mem + TSS_B + 34 + 2 * i, i == 1 ? SEL_CODE : SEL_DATA);
  memcpy (rig->mem + B_EIP, code_to_wide, (size_t) (code_to_wide_end - code_to_wide));
  vt_st32 (rig->mem + TSS_F + EIP, FAULT_CODE + (uint32_t) (fault_none - code_fault));
  run (rig, kind);
  g_assert_cmphex (rig->core->seg[VT_CPU_TR].selector, ==, F);
  g_assert_false (is_busy (rig, A) || is_busy (rig, B));
  g_assert_cmphex (vt_ld16 (rig->mem + TSS_B + 14), ==, B_EIP + 12);
  g_assert_cmphex (vt_ld16 (rig->mem + TSS_B + 16), ==, 2 | VT_FLAG_DF);
  g_assert_cmphex (vt_ld16 (rig->mem + TSS_B + 20), ==, 0x4321);
  g_assert_cmphex (vt_ld16 (rig->mem + TSS_B + 24), ==, 0x5678);
  g_assert_cmphex (vt_ld16 (rig->mem + TSS_B + 34), ==, SEL_DATA);
  g_assert_cmphex (vt_ld16 (rig->mem + TSS_B + 44), ==, 0); /* Nothing behind its end. */
  core_rig_finish (rig);
}

/* Debugging: the T bit (17.3.1.5), with the first instruction still to come; RF of the new task. */
static void
test_trap (gconstpointer data)
{
  RIG (jump);
  vt_st16 (rig->mem + TSS_B + TRAP, 1);
  core_gate (rig, VT_EXC_DB, SEL_CODE, FAULT_CODE + (uint32_t) (fault_none - code_fault), 0x8e, 0);
  run (rig, kind);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x3004), ==, 1);
  g_assert_cmphex (rig->core->dr6 & 0xe00f, ==, VT_DR6_BT);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x7800 - 12), ==, B_EIP);
  core_rig_finish (rig);
}

static void
test_resume (gconstpointer data)
{
  for (unsigned rf = 0; rf < 2; rf++)
    {
      RIG (jump);
      core_gate (rig, VT_EXC_DB, SEL_CODE, FAULT_CODE + (uint32_t) (fault_none - code_fault), 0x8e, 0);
      vt_st32 (rig->mem + TSS_B + EFLAGS, rf ? 2 | VT_FLAG_RF : 2);
      rig->core->dr[0] = B_EIP;
      rig->core->dr7 = 0x402;
      run (rig, kind);
      g_assert_cmphex (vt_ld32 (rig->mem + 0x3004), ==, !rf);
      core_rig_finish (rig);
    }
}

/* Paging: PAE's pointers are loaded with CR3 (4.4.1). */
static void
test_pae (gconstpointer data)
{
  for (unsigned bad = 0; bad < 2; bad++)
    {
      RIG (jump);
      VtCore *core = rig->core;
      /* Two worlds; 0x200000 is there once itself and once the page at 0. */
      for (unsigned i = 0; i < 2; i++)
        {
          uint8_t *at = rig->mem + CORE_TABLES + i * 0x2000;
          vt_st64 (at, (CORE_TABLES + i * 0x2000 + 0x1000) | 1);
          vt_st64 (at + 0x1000, 0x87);
          vt_st64 (at + 0x1008, i ? 0x87 : 0x200087);
        }
      take (rig, VT_EXC_GP);
      if (bad)
        vt_st64 (rig->mem + CORE_TABLES + 0x2008, 3); /* Bit 1 is reserved. */
      core->cr4 |= VT_CR4_PAE;
      core->cr3 = CORE_TABLES;
      core->pdpte[0] = (CORE_TABLES + 0x1000) | 1;
      core->cr0 |= VT_CR0_PG;
      vt_core_changed (core);
      vt_mmu_flush (&core->mmu);
      vt_st32 (rig->mem + TSS_B + CR3, CORE_TABLES + 0x2000);
      vt_st32 (rig->mem + TSS_F + CR3, CORE_TABLES);
      /* movl 0x205000, %ebx; hlt */
      memcpy (rig->mem + B_EIP, "\x8b\x1d\x00\x50\x20\x00\xf4", 7);
      vt_st32 (rig->mem + 0x5000 + 0x180, 0x11111111);
      vt_st32 (rig->mem + B_EIP + 2, 0x205180);
      vt_st32 (rig->mem + 0x205180, 0x22222222);
      run (rig, kind);
      if (bad)
        {
          g_assert_cmphex (vt_ld32 (rig->mem + 0x3000), ==, 0);
          g_assert_cmphex (of (rig, TSS_F, LINK) & 0xffff, ==, B);
          g_assert_cmphex (of (rig, TSS_B, EIP), ==, B_EIP);
        }
      else
        {
          g_assert_cmphex (core->gpr[VT_CPU_RBX], ==, 0x11111111);
          g_assert_cmphex (core->cr3, ==, CORE_TABLES + 0x2000);
        }
      core_rig_finish (rig);
    }
}

/* Refusals --------------------------------------------------------------------------------------------- */

CORE_CODE (user_jump, 32,
           "movw $56, %ax\n ltr %ax\n pushl $35\n pushl $0x7700\n pushl $2\n pushl $43\n pushl $(1f - base)\n iretl\n"
           "1: ljmp $72, $0\n");
CORE_CODE (user_gate, 32,
           "movw $56, %ax\n ltr %ax\n pushl $35\n pushl $0x7700\n pushl $2\n pushl $43\n pushl $(1f - base)\n iretl\n"
           "1: ljmp $88, $0\n");
CORE_CODE (return_nested, 32, "movw $56, %ax\n ltr %ax\n movw $72, 0x4000\n pushl $0x4002\n popfl\n iretl\n");

static void
busy (CoreRig *rig)
{
  rig->mem[CORE_GDT + B + 5] = 0x8b;
}

static void
absent (CoreRig *rig)
{
  rig->mem[CORE_GDT + B + 5] = 0x09;
}

static void
absent_gate (CoreRig *rig)
{
  rig->mem[CORE_GDT + TO_B + 5] = 0x65;
}

static void
low_gate (CoreRig *rig)
{
  rig->mem[CORE_GDT + TO_B + 5] = 0x85;
}

static void
short_limit (CoreRig *rig)
{
  rig->mem[CORE_GDT + B] = 0x66;
}

static void
gate_to_data (CoreRig *rig)
{
  core_gate_at (rig, CORE_GDT + TO_B, SEL_DATA, 0, 0xe5);
  core_gate (rig, 0x41, SEL_DATA, 0, 0xe5, 0);
}

static void
gate_to_local (CoreRig *rig)
{
  core_gate_at (rig, CORE_GDT + TO_B, B | 4, 0, 0xe5);
}

static void
gate_beyond (CoreRig *rig)
{
  core_gate_at (rig, CORE_GDT + TO_B, 0x1000, 0, 0xe5);
}

#define SPOIL(name, at, value)                                                                     \
  static void name (CoreRig *rig) { vt_st16 (rig->mem + TSS_B + (at), (value)); }
/* A descriptor of the kind told by @access, and @at names it. */
#define SPOIL_ODD(name, at, rpl, access)                                                           \
  static void name (CoreRig *rig)                                                                  \
  {                                                                                                \
    core_gdt (rig, ODD, 0, 0xfffff, access, 0xc);                                                  \
    vt_st16 (rig->mem + TSS_B + (at), ODD | (rpl));                                                \
  }

SPOIL (null_code, CS, 0)
SPOIL (data_as_code, CS, SEL_DATA)
SPOIL (code_beyond, CS, 0x1000)
SPOIL (code_rpl, CS, SEL_CODE | 3)
SPOIL_ODD (code_absent, CS, 0, 0x1b)
SPOIL_ODD (conforming_inner, CS, 0, 0xfe) /* DPL 3, and its RPL is 0. */
SPOIL (null_stack, SS, 0)
SPOIL (code_as_stack, SS, SEL_CODE)
SPOIL (stack_dpl, SS, SEL_USER_DATA)
SPOIL (stack_rpl, SS, SEL_DATA | 3)
SPOIL_ODD (stack_read_only, SS, 0, 0x91)
SPOIL_ODD (stack_absent, SS, 0, 0x13)
SPOIL (data_beyond, DS, 0x1000)
SPOIL_ODD (code_unreadable, FS, 0, 0x98)
SPOIL_ODD (data_absent, GS, 0, 0x13)
SPOIL (data_is_task, ES, A)
SPOIL (table_is_data, LDT, SEL_DATA)
SPOIL (table_beyond, LDT, 0x1000)
SPOIL_ODD (table_absent, LDT, 0, 0x02)
SPOIL (table_local, LDT, ODD | 4)

static void
beyond_limit (CoreRig *rig)
{
  core_gdt (rig, ODD, 0, 0xfff, 0x9b, 4);
  vt_st16 (rig->mem + TSS_B + CS, ODD);
}

typedef struct
{
  const char    *name;
  const uint8_t *code, *end;
  void (*spoil) (CoreRig *rig);
  unsigned vector;
  uint32_t error;
  bool     within; /* It is the new task's fault. */
} Refusal;

#define REFUSED(how, spoil, vector, error, within)                                                     \
  { #how "/" #spoil, code_##how, code_##how##_end, spoil, VT_EXC_##vector, error, within }

static const Refusal refusals[] = {
  REFUSED (jump, busy, GP, B, false),
  REFUSED (jump, absent, NP, B, false),
  REFUSED (jump, short_limit, TS, B, false),
  REFUSED (call, busy, GP, B, false),
  REFUSED (call, absent, NP, B, false),
  REFUSED (call, absent_gate, NP, TO_B, false),
  REFUSED (call, gate_to_data, GP, SEL_DATA, false),
  REFUSED (call, gate_to_local, GP, B | 4, false),
  REFUSED (call, gate_beyond, GP, 0x1000, false),
  REFUSED (soft, busy, GP, B, false),
  REFUSED (soft, gate_to_data, GP, SEL_DATA, false),
  REFUSED (user_jump, NULL, GP, B, false), /* DPL 0 */
  REFUSED (user_gate, low_gate, GP, TO_B, false),
  REFUSED (return_nested, NULL, TS, B, false), /* Not busy. */
  REFUSED (return_nested, short_limit, TS, B, false),
  REFUSED (jump, null_code, TS, 0, true),
  REFUSED (jump, data_as_code, TS, SEL_DATA, true),
  REFUSED (jump, code_beyond, TS, 0x1000, true),
  REFUSED (jump, code_rpl, TS, SEL_CODE, true),
  REFUSED (jump, code_absent, NP, ODD, true),
  REFUSED (jump, conforming_inner, TS, ODD, true),
  REFUSED (jump, null_stack, TS, 0, true),
  REFUSED (jump, code_as_stack, TS, SEL_CODE, true),
  REFUSED (jump, stack_dpl, TS, SEL_USER_DATA & ~3u, true),
  REFUSED (jump, stack_rpl, TS, SEL_DATA, true),
  REFUSED (jump, stack_read_only, TS, ODD, true),
  REFUSED (jump, stack_absent, SS, ODD, true),
  REFUSED (jump, data_beyond, TS, 0x1000, true),
  REFUSED (jump, code_unreadable, TS, ODD, true),
  REFUSED (jump, data_absent, NP, ODD, true),
  REFUSED (jump, data_is_task, TS, A, true),
  REFUSED (jump, table_is_data, TS, SEL_DATA, true),
  REFUSED (jump, table_beyond, TS, 0x1000, true),
  REFUSED (jump, table_absent, TS, ODD, true),
  REFUSED (jump, table_local, TS, ODD | 4, true),
  REFUSED (jump, beyond_limit, GP, 0, true),
  REFUSED (call, null_stack, TS, 0, true),
  REFUSED (soft, code_absent, NP, ODD, true),
};

static void
test_refusals (gconstpointer data)
{
  const unsigned kind = GPOINTER_TO_UINT (data);

  for (unsigned i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      const Refusal *r = &refusals[i];
      CoreRig        rig_, *rig = &rig_;

      g_test_message ("%s", r->name);
      rig_init (rig, kind, r->code, r->end);
      take (rig, r->vector);
      if (r->spoil)
        r->spoil (rig);
      const bool was_busy = is_busy (rig, B);
      vt_st32 (rig->mem + TSS_B + EFLAGS, 0x203002); /* To be found again in what is kept of it. */
      run (rig, kind);
      g_assert_cmphex (vt_ld32 (rig->mem + 0x3000), ==, r->error);
      g_assert_cmphex (of (rig, TSS_F, LINK) & 0xffff, ==, r->within ? B : A);
      if (r->within)
        {
          g_assert_cmphex (of (rig, TSS_B, EIP), ==, B_EIP);
          g_assert_cmphex (of (rig, TSS_B, EFLAGS) & 0x203000, ==, 0x203000);
          g_assert_true (is_busy (rig, B));
          g_assert_cmpuint (is_busy (rig, A), ==, r->code != code_jump);
        }
      else
        {
          g_assert_true (is_busy (rig, A));
          g_assert_cmpuint (is_busy (rig, B), ==, was_busy);
          g_assert_cmphex (of (rig, TSS_B, LINK), ==, 0);
        }
      core_rig_finish (rig);
    }
}

/* The old task's TSS is not written where the new one's can't be read, and the other way round. */
static void
test_unmapped (gconstpointer data)
{
  for (unsigned old = 0; old < 2; old++)
    {
      RIG (jump);
      VtCore *core = rig->core;
      for (unsigned i = 0; i < 1024; i++)
        vt_st32 (rig->mem + 0x12000 + i * 4, i * 0x1000 | 7);
      vt_st32 (rig->mem + CORE_TABLES, 0x12007);
      /* Across two pages, the second of which is not there. */
      const uint32_t base = 0x8fc0;
      memcpy (rig->mem + base, rig->mem + (old ? TSS_A : TSS_B), 0x40);
      core_gdt (rig, old ? A : B, base, 0x67, 0x89, 0);
      vt_st32 (rig->mem + 0x12000 + 9 * 4, 0);
      vt_st32 (rig->mem + TSS_F + CR3, CORE_TABLES);
      core->cr3 = CORE_TABLES;
      core->cr0 |= VT_CR0_PG;
      vt_mmu_flush (&core->mmu);
      vt_core_changed (core);
      core_gate (rig, VT_EXC_PF, SEL_CODE, FAULT_CODE + (uint32_t) (fault_error - code_fault), 0x8e, 0);
      g_autofree uint8_t *before = g_memdup2 (rig->mem + 0x4000, 0x300);
      run (rig, kind);
      g_assert_cmphex (core->seg[VT_CPU_TR].selector, ==, A);
      g_assert_cmphex (core->cr2, >=, 0x9000);
      g_assert_cmphex (vt_ld32 (rig->mem + 0x3000), ==, old ? 2 : 0);
      g_assert_cmpmem (rig->mem + 0x4000, 0x300, before, 0x300);
      g_assert_false (is_busy (rig, B));
      core_rig_finish (rig);
    }
}

int
main (int argc, char **argv)
{
  static const CoreTest tests[] = {
    { "jump", test_jump },     { "call", test_call },   { "interrupt", test_interrupt }, { "within", test_within },
    { "narrow", test_narrow }, { "trap", test_trap },   { "resume", test_resume },       { "pae", test_pae },
    { "refusals", test_refusals }, { "unmapped", test_unmapped },
  };

  g_test_init (&argc, &argv, NULL);
  add_core_tests ("tasks", tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
