/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The translator with PUSHF, POPF, CLI and STI: each program is run by the interpreter too, and both must leave the same
 * registers and the same memory.
 */
#include "translate-both.h"

#define TURNS 400

/* Any flags but TF, from a generator in memory: what is popped is pushed, and goes into the sum. (Flags that are not
 * arithmetic's are looked at before any is written.) */
#define NEXT "imull $1103515245, 0x3000, %eax\n addl $12345, %eax\n movl %eax, 0x3000\n roll $7, %eax\n andl $0x3f7ed5, %eax\n"
#define SUM "xorl %eax, %ebx\n roll $5, %ebx\n"
CORE_CODE (flags32, 32,
           "movl $400, %ecx\n"
           "1: " NEXT "pushl %eax\n popfl\n pushfl\n popl %eax\n" SUM NEXT
           "  pushw %ax\n popfw\n pushfw\n popw %ax\n" SUM "pushl $0x3202\n popfl\n cmpl $7, %eax\n cli\n adcl $5, %ebx\n"
           "  pushfl\n popl %eax\n" SUM "cmpl %eax, %ebx\n sti\n adcl $9, %ebx\n pushfl\n popl %eax\n" SUM
           "  movl %esp, %edi\n movl $0x6002, %esp\n pushfl\n popl %eax\n" SUM "movl %edi, %esp\n"
           "  decl %ecx\n jnz 1b\n pushl $2\n popfl\n hlt\n");
CORE_CODE (flags16, 16,
           "movw $400, %cx\n"
           "1: " NEXT "pushl %eax\n popfl\n pushfl\n popl %eax\n" SUM NEXT
           "  pushw %ax\n popfw\n pushfw\n popw %ax\n" SUM "pushw $0x3202\n popfw\n cmpw $7, %ax\n cli\n adcw $5, %bx\n"
           "  pushfl\n popl %eax\n" SUM "cmpl %eax, %ebx\n sti\n adcl $9, %ebx\n pushfw\n popw %ax\n" SUM
           "  movw %sp, %di\n movw $2, %sp\n pushfw\n pushfw\n popl %eax\n" SUM
           "  movw $0xfffe, %sp\n popfl\n" LABEL (flags16_ss) "  movw %di, %sp\n"
           "  decw %cx\n jnz 1b\n pushw $2\n popfw\n hlt\n"
           /* By so much of a frame as there is. The instruction is of two bytes. */
           LABEL (flags16_fault) "movw %sp, %bp\n incw 0x3100\n addw $2, (%bp)\n movw $2, 4(%bp)\n iretw\n");
extern const uint8_t flags16_fault[];

/* At privilege 0; then at 3 without the right to IF, and with it. */
#define FLAGS64(to) \
  "movl $400, %ecx\n"                                                                                       \
  "1: " NEXT "pushq %rax\n popfq\n pushfq\n popq %rax\n xorq %rax, %rbx\n rolq $5, %rbx\n" NEXT              \
  "pushw %ax\n popfw\n pushfw\n popw %ax\n xorq %rax, %rbx\n rolq $5, %rbx\n decl %ecx\n jnz 1b\n pushq $2\n popfq\n" to
#define TO_USER(flags) \
  "pushq $35\n pushq $0x7000\n pushq $" flags "\n pushq $51\n leaq 2f(%rip), %rax\n pushq %rax\n iretq\n 2: "
CORE_CODE (flags64, 64,
           FLAGS64 (TO_USER ("0x3002")) FLAGS64 ("hlt\n") LABEL (flags64_gp)
           "incl 0x3200\n cmpl $2, 0x3200\n je 3f\n movl $0x8000, %esp\n" TO_USER ("2") FLAGS64 ("hlt\n") "3: hlt\n");
extern const uint8_t flags64_gp[];

/* A trap that is due behind the instruction after POPF, and a set of accesses that changes. */
CORE_CODE (flags_odd, 64,
           "movl $100, %ecx\n movl $0x26000, %edi\n"
           "1: pushq $2\n popfq\n pushq $0x102\n movq (%rsp), %rdx\n popfq\n nop\n addl $1, %ebx\n pushq $0x40002\n popfq\n addl %ecx, (%rdi)\n pushq $2\n popfq\n"
           "  addl (%rdi), %ebx\n decl %ecx\n jnz 1b\n hlt\n" LABEL (flags_db)
           "incl %r15d\n addq (%rsp), %rbx\n andl $~0x100, 16(%rsp)\n iretq\n" LABEL (flags_pf)
           "incl %r14d\n addq (%rsp), %rbx\n andl $~0x8d5, 24(%rsp)\n orl $0x40000, 24(%rsp)\n addq $8, %rsp\n iretq\n");
extern const uint8_t flags_db[], flags_pf[];

static void
real_mode (CoreRig *rig, uint64_t rip)
{
  core_rig_reset (rig, rip);
  rig->core->seg[VT_CPU_SS].selector = 0x2001;
  rig->core->seg[VT_CPU_SS].base = 0x20010;
  rig->core->gpr[VT_CPU_RSP] = 0x12340100;
}

/* @most: of so many instructions, the interpreter does those whose operands are in two pages, those that fault, and STI
 * where what follows is no plain instruction. */
static void
run (Both *both, unsigned most)
{
  const VtTranslateCounts counts = both_run (both);

  if (!both->rig[TRANSLATED].core->chaos && !both->rig[TRANSLATED].core->strict && counts.blocks)
    g_assert_cmpuint (counts.interpreted, <, most);
  both_finish (both);
}

static void
test_flags32 (void)
{
  BOTH (flags32, core_rig_flat);
  run (&both, TURNS * 3);
}

static void
test_flags16 (void)
{
  BOTH (flags16, real_mode);
  EACH (rig)
    vt_st32 (rig->mem + 4 * VT_EXC_SS, CORE_AT (flags16, flags16_fault));
  run (&both, TURNS * 6);
}

static void
test_flags64 (void)
{
  BOTH (flags64, core_rig_long);
  both_gate (&both, VT_EXC_GP, CORE_AT (flags64, flags64_gp));
  EACH (rig)
    {
      rig->core->seg[VT_CPU_TR] = (VtCpuSegment){ .base = 0xa000, .limit = 0x67, .type = 11, .present = true };
      vt_st64 (rig->mem + 0xa004, 0x8000);
    }
  /* Three times over, what has words on the stack, but for POPFW. */
  run (&both, 3 * TURNS * 3 + 200);
}

static void
test_odd (void)
{
  BOTH (flags_odd, core_rig_long);
  both_gate (&both, VT_EXC_DB, CORE_AT (flags_odd, flags_db));
  both_gate (&both, VT_EXC_PF, CORE_AT (flags_odd, flags_pf));
  EACH (rig)
    {
      rig->core->cr4 |= VT_CR4_SMAP;
      for (unsigned page = 0; page < 0x26; page++)
        *core_pte (rig, page * 0x1000) &= (uint8_t) ~4;
    }
  both_run (&both);
  g_assert_cmpuint (both.rig[INTERPRETED].core->gpr[15], ==, 100);
  g_assert_cmpuint (both.rig[INTERPRETED].core->gpr[14], ==, 100);
  both_finish (&both);
}

/* Where POPF sets IF, what waits for that is seen. */
CORE_CODE (flags_window, 64, "pushq $0x202\n movq (%rsp), %rax\n nop\n popfq\n incl %ebx\n hlt\n");

static void
test_window (void)
{
  BOTH (flags_window, core_rig_long);
  EACH (rig)
    rig->core->window = VT_WINDOW_INTERRUPT;
  if (vt_translate_available (both.rig[TRANSLATED].core))
    {
      VtCore *core = both.rig[TRANSLATED].core;
      VtStep  step = VT_STEP_DONE;
      for (unsigned i = 0; i < 100 && step == VT_STEP_DONE && !(core->rflags & VT_FLAG_IF); i++)
        step = vt_translate (core, UINT64_MAX, NULL);
      g_assert_cmpint (step, ==, VT_STEP_DONE);
      g_assert_cmpuint (core->gpr[VT_CPU_RBX], ==, 0);
    }
  both_finish (&both);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-flags/32-bit", test_flags32);
  g_test_add_func ("/translate-flags/16-bit", test_flags16);
  g_test_add_func ("/translate-flags/64-bit", test_flags64);
  g_test_add_func ("/translate-flags/odd", test_odd);
  g_test_add_func ("/translate-flags/window", test_window);
  return g_test_run ();
}
