/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The translator and what a system does: the TLB.
 */
#include "translate-both.h"

/* Lets 4 MiB and so on lead to the page tables' large page at 2 MiB: pages that are 4 MiB apart share the TLB's
 * entries. */
static void
alias (Both *both)
{
  for (CoreRig *rig = both->rig; rig < both->rig + 2; rig++)
    for (unsigned i = 2; i < 32; i++)
      vt_st64 (rig->mem + CORE_TABLES + 0x2000 + i * 8, 0x200000 | 0x87);
}

/* More pages in turn than share an entry, some of them accessed by the interpreter in between. */
CORE_CODE (conflict, 64,
           "movl $3000, %ecx\n movl $0x200000, %ebx\n"
           "1: addq %rcx, (%rbx)\n incq 0x400008(%rbx)\n xchgq %rdx, 0x800010(%rbx)\n"
           "   addq 0xc00018(%rbx), %rdx\n pushq 0x1000008(%rbx)\n popq %rsi\n addq %rsi, 0x1400020(%rbx)\n"
           "   leaq 0x1800100(%rbx), %rsp\n pushq %rdx\n popq %rdi\n addq %rdi, %rdx\n"
           "   decl %ecx\n jnz 1b\n hlt\n");

static void
test_conflict (void)
{
  BOTH (conflict, core_rig_long);
  alias (&both);
  const VtTranslateCounts counts = both_run (&both);
  if (!both.rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.interpreted, <, 200);
  both_finish (&both);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-system/conflict", test_conflict);
  return g_test_run ();
}
