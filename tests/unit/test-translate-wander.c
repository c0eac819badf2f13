/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Accesses that go from page to page until their block is made anew for that: alone and in groups, where flags live and
 * where they don't, over the end of a page, and at last to one that isn't there.
 */
#include "translate-both.h"

#define FIRST 0x80000u
#define ABSENT 0xb7000u
#define TURNS "40000"

/* 32 pages at random, at two addresses each that share their places in the TLB, and then 64 until there's one too many. */
CORE_CODE (wander, 64,
           "movl $27, %r8d\n movl $" TURNS ", %ebp\n xorl %eax, %eax\n"
           "1: imull $1664525, %eax, %eax\n addl $1013904223, %eax\n movl %eax, %ebx\n movl %r8d, %ecx\n shrl %cl, %ebx\n"
           "   shll $12, %ebx\n addl $0x80000, %ebx\n movl %eax, %ecx\n andl $0x2000000, %ecx\n addl %ecx, %ebx\n"
           "   movl 0x20(%rbx), %ecx\n addl %ecx, %edx\n"
           "   movq 0x200(%rbx), %rsi\n addq %rsi, 0x208(%rbx)\n movl %eax, 0x210(%rbx)\n"
           "   addl %eax, %edx\n movq 0x7fc(%rbx), %rcx\n adcq %rcx, %rdi\n"
           "   addl %edi, %edx\n movl %edi, 0xc00(%rbx)\n movl 0xc04(%rbx), %r12d\n adcl %r12d, 0x20(%rbx)\n"
           "   movl 0xffc(%rbx), %r13d\n addl 0x1000(%rbx), %r13d\n addl %r13d, %r14d\n"
           "   decl %ebp\n jnz 1b\n"
           "   decl %r8d\n movl $" TURNS ", %ebp\n jmp 1b\n" LABEL (
               /* Flags that nobody reads may be any. */
               wander_end) "movq $0, 24(%rsp)\n xorl %ecx, %ecx\n hlt\n");
extern const uint8_t wander_end[];

static void
test_long (void)
{
  BOTH (wander, core_rig_long);
  both_gate (&both, VT_EXC_PF, CORE_AT (wander, wander_end));
  EACH (rig)
    {
      *core_pte (rig, ABSENT) &= (uint8_t) ~1;
      /* The end of a page is not the beginning of the next. */
      for (unsigned i = 0; i < 16; i++)
        vt_st64 (core_pte (rig, FIRST + i * VT_PAGE), (FIRST + (15 - i) * VT_PAGE) | 7);
      vt_st64 (rig->mem + CORE_TABLES + 0x2080, (CORE_TABLES + 0x3000) | 7);
      for (unsigned i = 0; i < 64 * VT_PAGE; i++)
        rig->mem[FIRST + i] = (uint8_t) (i * 37 + i / VT_PAGE);
    }
  const VtTranslateCounts counts = both_run (&both);
  g_assert_cmphex (both.rig[TRANSLATED].core->cr2 & 0x3ff000, ==, ABSENT);
  if (vt_translate_available (both.rig[TRANSLATED].core) && !both.rig[TRANSLATED].core->chaos)
    {
      g_assert_cmpuint (counts.replaced, >=, 7);
      g_assert_cmpuint (counts.replaced, <, 20);
      g_assert_cmpuint (counts.entries, <, 2000);
    }
  both_finish (&both);
}

/* The same in 32-bit code, where a leader's addend is the host's address. */
CORE_CODE (wander32, 32,
           "movl $" TURNS ", %ebp\n xorl %eax, %eax\n"
           "1: imull $1664525, %eax, %eax\n addl $1013904223, %eax\n movl %eax, %ebx\n shrl $27, %ebx\n shll $12, %ebx\n"
           "   addl $0x80000, %ebx\n"
           "   movl 0x20(%ebx), %ecx\n addl %ecx, %edx\n"
           "   movl 0x200(%ebx), %esi\n addl %esi, 0x208(%ebx)\n movl %eax, 0x210(%ebx)\n"
           "   addl %eax, %edx\n movl 0x7fe(%ebx), %ecx\n adcl %ecx, %edi\n"
           "   addl %edi, %edx\n movl %edi, 0xc00(%ebx)\n movl 0xc04(%ebx), %ecx\n adcl %ecx, 0x20(%ebx)\n"
           "   decl %ebp\n jnz 1b\n hlt\n");

static void
test_narrow (void)
{
  BOTH (wander32, core_rig_flat);
  const VtTranslateCounts counts = both_run (&both);
  if (vt_translate_available (both.rig[TRANSLATED].core) && !both.rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.replaced, >=, 5);
  both_finish (&both);
}

/* The next page each time is no wandering, nor is the same one after the TLB has been emptied. */
CORE_CODE (stream, 64,
           "movq %cr3, %rdx\n movl $2000, %ebp\n"
           "1: movl $0x80000, %ebx\n"
           "2: addl (%rbx), %eax\n addl $0x400, %ebx\n cmpl $0x84000, %ebx\n jb 2b\n"
           "   movq %rdx, %cr3\n addl 0x90000, %eax\n decl %ebp\n jnz 1b\n hlt\n");

static void
test_stream (void)
{
  BOTH (stream, core_rig_long);
  const VtTranslateCounts counts = both_run (&both);
  if (!both.rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.replaced, ==, 0);
  both_finish (&both);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-wander/long", test_long);
  g_test_add_func ("/translate-wander/narrow", test_narrow);
  g_test_add_func ("/translate-wander/stream", test_stream);
  return g_test_run ();
}
