/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The translator with code in pages that are written: what has not changed is not translated again, and what has is.
 * Each program is run by the interpreter too, and both must leave the same registers and the same memory.
 */
#include "translate-both.h"

#define TURNS 500

/* A function and its variables in one page: it calls another one there. */
#define BESIDE(pointer) \
  "movl $500, %ecx\n 1: call 2f\n decl %ecx\n jnz 1b\n hlt\n .fill 4096, 1, 0x90\n" \
  "2: movl $" pointer ", %esi\n incl (%esi)\n call 3f\n addl 4(%esi), %ebx\n jc 4f\n roll $3, %ebx\n 4: ret\n" \
  "3: movl %ebx, 4(%esi)\n xorl %ecx, %ebx\n ret\n .fill 256, 1, 0x90\n"
CORE_CODE (beside32, 32, BESIDE ("(5f - base)") "5: .long 0, 7\n");
CORE_CODE (beside64, 64, BESIDE ("(5f - base)") "5: .long 0, 7\n");

/* What changes there and back: what an instruction does; whether the flags in front of an access are read, behind a jump;
 * the end of a way that has been taken before, with the units in use; and nothing of the way. */
CORE_CODE (changing, 64,
           "movl $500, %ecx\n movl $0x30000, %esi\n movd %ecx, %xmm0\n movl $3f - base, %r12d\n movl $5f - base, %r13d\n"
           "1: xorb $0x20, (%r12)\n xorb $3, 6(%r13)\n call 2f\n call 2f\n call 4f\n call 4f\n decl %ecx\n jnz 1b\n"
           "  movd %xmm1, %eax\n hlt\n .fill 4096, 1, 0x90\n"
           "2: addl $0xc0000001, %ebx\n movl (%rsi), %eax\n addl $0x1000, %esi\n andl $0x33000, %esi\n addl %ebx, %ebx\n"
           "  movl (%rsi,%rcx), %eax\n jmp 3f\n .fill 32, 1, 0x90\n"
           /* ADC, or XOR. */
           "3: adcl %eax, %eax\n adcl %eax, %ebx\n ret\n .fill 64, 1, 0x90\n"
           "4: paddd %xmm0, %xmm1\n jmp 5f\n .fill 32, 1, 0x90\n"
           "5: paddd %xmm1, %xmm0\n addl $1, %ebx\n ret\n");

static void
test_beside (const uint8_t *code, const uint8_t *end, void (*mode) (CoreRig *rig, uint64_t rip))
{
  Both both;

  both_init (&both, mode, code, end);
  const VtTranslateCounts counts = both_run (&both);
  if (!both.rig[TRANSLATED].core->chaos && counts.blocks)
    {
      g_assert_cmpuint (counts.blocks, <, 50);
      g_assert_cmpuint (counts.revived, >, TURNS);
    }
  both_finish (&both);
}

static void
test_beside_32 (void)
{
  test_beside (code_beside32, code_beside32_end, core_rig_flat);
}

static void
test_beside_64 (void)
{
  test_beside (code_beside64, code_beside64_end, core_rig_long);
}

static void
test_changing (void)
{
  BOTH (changing, core_rig_long);
  EACH (rig)
    for (unsigned i = 0; i < 0x5000; i++)
      rig->mem[0x30000 + i] = (uint8_t) (i * 7 ^ i >> 8);
  both_run (&both);
  both_finish (&both);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-revive/beside-32", test_beside_32);
  g_test_add_func ("/translate-revive/beside-64", test_beside_64);
  g_test_add_func ("/translate-revive/changing", test_changing);
  return g_test_run ();
}
