/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Translated code that is good wherever its page is mapped: a program at many addresses, which is translated once.
 */
#include "translate-both.h"

#define WRMSR(index, low, high) "movl $" index ", %ecx\n movl $" low ", %eax\n movl $" high ", %edx\n wrmsr\n"
#define ENTRIES 32u /* Of the top table, and the program is in every one. */
#define TURNS 6u
#define OTHER 0x9000u /* What the page behind the program changes places with. */

/* Goes to the program at each address in turn, by SYSRET; it comes back by SYSCALL. In between, the program's second page
 * is mapped to another, which the TLB is told of by INVLPG or by CR3. */
CORE_CODE (
    moves, 64,
    WRMSR ("0xc0000081", "0", "0x230018") WRMSR ("0xc0000082", "(back - base)", "0")
    WRMSR ("0xc0000084", "0x700", "0")
    "movl $6, %ebp\n"
    "1: xorl %r13d, %r13d\n"
    "2: movl %r13d, %edx\n call where\n movq %rcx, %r15\n"
    /* Odd turns: where the last gigabyte of each is. */
    "   testl $1, %ebp\n jz 3f\n movq $0x7fc0000000, %rax\n addq %rax, %r15\n"
    /* Three times each. */
    "3: movl $3, %r14d\n 9: leaq (program - base)(%r15), %rcx\n movl $0x202, %r11d\n movl $0x7000, %esp\n sysretq\n"
    "back: movl $0x8000, %esp\n addq %rcx, %rbx\n rolq $5, %rbx\n"
    "   decl %r14d\n jz 5f\n testl $3, %r13d\n jnz 9b\n cmpl $1, %r14d\n je 9b\n"
    "   movq 0x13018, %rax\n xorq $0xa000, %rax\n movq %rax, 0x13018\n"
    "   testl $4, %r13d\n jz 4f\n"
    /* All of its addresses, one after the other. */
    "   xorl %edx, %edx\n 6: call where\n invlpg 0x3000(%rcx)\n movq $0x7fc0000000, %rax\n"
    "   invlpg 0x3000(%rcx, %rax)\n incl %edx\n cmpl $32, %edx\n jb 6b\n jmp 9b\n"
    "4: movq %cr3, %rax\n movq %rax, %cr3\n jmp 9b\n"
    "5: incl %r13d\n cmpl $32, %r13d\n jb 2b\n decl %ebp\n jnz 1b\n hlt\n"
    /* The last of them where what is canonical ends. */
    "where: movq %rdx, %rcx\n cmpl $31, %edx\n jne 8f\n movl $255, %ecx\n 8: shlq $39, %rcx\n ret\n"
    ".balign 4096\n"
    "program: leaq program(%rip), %rax\n addq %rax, %rbx\n leal data(%rip), %eax\n addq %rax, %rbx\n"
    "   leaq data(%eip), %rax\n xorq %rax, %rbx\n leaq data(%rip), %r10\n addq %r10, %rbx\n"
    "   addq $3, data(%rip)\n movl data(%rip), %r9d\n addq %r9, %rbx\n cmpl $7, data(%rip)\n adcq $0, %rbx\n"
    "   call near\n call far\n leaq far(%rip), %r11\n callq *%r11\n stc\n call near\n leaq pointer(%rip), %rax\n"
    "   movq %r11, (%rax)\n callq *pointer(%rip)\n"
    /* The x87's pointers. */
    "   fldl data(%rip)\n fstp %st(0)\n fxsave64 0x6000\n addq 0x6008, %rbx\n rolq $7, %rbx\n addq 0x6010, %rbx\n"
    "   movq $20, %rcx\n 7: call far\n decl %ecx\n jnz 7b\n"
    "   jmp last\n"
    "near: adcq $1, %rbx\n pushq %rbx\n rolq $3, (%rsp)\n popq %rbx\n ret\n"
    ".fill 4096 - 4 - (. - program), 1, 0x90\n"
    /* Across the border. */
    "last: movabs $0x123456789abcdef, %rax\n addq %rax, %rbx\n syscall\n hlt\n"
    ".balign 16\n far: addq $1, %rbx\n rolq $9, %rbx\n jz near\n movq data(%rip), %rdx\n addq %rdx, %rbx\n ret\n"
    LABEL ("moves_far_end") ".balign 4096\n data: .quad 0\n pointer: .quad 0\n");
extern const uint8_t moves_far_end[];

static void
test_moves (void)
{
  BOTH (moves, core_rig_long);
  EACH (rig)
    {
      uint8_t *const top = rig->mem + CORE_TABLES, *const next = top + 0x1000;

      for (unsigned i = 1; i < ENTRIES; i++)
        memcpy (top + 8 * i, top, 8);
      memcpy (top + 8 * 255, top, 8);
      memcpy (next + 8 * 511, next, 8);
      /* Pages 0x3000 and 0x9000: the other adds something else. */
      memcpy (rig->mem + OTHER, rig->mem + 0x3000, 0x1000);
      uint8_t *const add = rig->mem + OTHER + (CORE_AT (moves, moves_far_end) & 0xfff);
      for (uint8_t *at = rig->mem + OTHER; at < add; at++)
        if (vt_ld32 (at) == 0x01c38348) /* addq $1, %rbx */
          at[3] = 77;
    }
  const VtTranslateCounts counts = both_run (&both);
  const VtCore *core = both.rig[TRANSLATED].core;
  /* Twice, for the two pages, and for the few addresses where it is none of these: less than at each of 64. */
  if (!core->chaos && !core->strict && counts.blocks)
    g_assert_cmpuint (counts.blocks, <, 100);
  both_finish (&both);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate/moves", test_moves);
  return g_test_run ();
}
