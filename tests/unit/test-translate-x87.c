/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The x87 in the translator: its numbers, its control words, its pointers as environments show them, and its exceptions,
 * which the next instruction raises.
 */
#include "translate-both.h"

#define TURNS 200u

/* RBX: numbers; RSI: environments. What follows those two comes from the register that @far names. */
#define NUMBERS(bx, si, cx, far) \
  "fnstcw (%" bx ")\n orw $0xc00, (%" bx ")\n fldcw (%" bx ")\n fldl 8(%" bx ")\n fadds 16(%" bx ", %" cx ", 4)\n"     \
  "fstpt (%" far ")\n fnstenv (%" si ")\n fldt (%" far ")\n fld1\n fxch\n fpatan\n fnstenv 0x40(%" si ")\n"            \
  "fcomi %st(0), %st\n setp %dl\n fnstsw %ax\n addl %eax, %edi\n fnstsw 4(%" bx ")\n fwait\n"                        \
  "fldl2e\n fcmovnu %st(1), %st\n fistpll 0x800(%" bx ")\n fnstenv 0x80(%" si ")\n"                                   \
  "fildl 0x804(%" bx ")\n fbstp 0x810(%" bx ")\n fnsave 0x100(%" si ")\n frstor 0x100(%" si ")\n"                      \
  "fldenv (%" si ")\n fld1\n fnstenv 0x1c0(%" si ")\n ffree %st(0)\n fincstp\n"                                          \
  "fstpl 8(%" bx ")\n fnstenv 0xc0(%" si ")\n"                                                                      \
  /* Over the border of a page, and past what code before has been about. */                                      \
  "fld1\n fstpt 0xffa(%" bx ")\n fldt 0xffa(%" bx ")\n fnstenv 0x180(%" si ")\n ffree %st(0)\n fincstp\n fnclex\n"

CORE_CODE (numbers, 64,
           "  fninit\n movl $200, %ecx\n movl $0x20000, %ebx\n movl $0x30000, %esi\n movl $0x20900, %r10d\n xorl %edi, %edi\n"
           "1: " NUMBERS ("rbx", "rsi", "rcx", "r10")
           "  fldl %gs:0x20(%rbx)\n fnstenv 0x200(%rsi)\n fmull 3f(%rip)\n fnstenv 0x240(%rsi)\n fstpl 0x840(%r9, %r11, 8)\n"
           "  fxsave64 0x400(%rsi)\n fldl 0x20(%ebx, %r11d)\n fnstenv 0x280(%rsi)\n fstp %st(0)\n"
           "  stmxcsr 0x860(%rbx)\n ldmxcsr 0x860(%rbx)\n cvtsi2sdl %ecx, %xmm1\n mulsd 8(%rbx), %xmm1\n paddd %xmm1, %xmm2\n"
           "  decl %ecx\n jnz 1b\n hlt\n 3: .double 1.25\n");
CORE_CODE (numbers_flat, 32,
           "  fninit\n movl $200, %ecx\n movl $0x20000, %ebx\n movl $0x30000, %esi\n movl $0x20900, %ebp\n xorl %edi, %edi\n"
           "1: " NUMBERS ("ebx", "esi", "ecx", "ebp")
           "  fldl %gs:0x20(%ebx)\n fnstenv 0x200(%esi)\n fmull 0x20010\n fnstenv 0x240(%esi)\n fstpl 0x840(%ebx)\n"
           "  movl $0x1234800, %eax\n .byte 0x67\n fldl 0x20(%bx)\n fnstenv 0x280(%esi)\n fstp %st(0)\n"
           "  decl %ecx\n jnz 1b\n hlt\n");

static void
fill (Both *both)
{
  for (unsigned k = 0; k < 2; k++)
    {
      uint8_t *mem = both->rig[k].mem;
      both->rig[k].core->seg[VT_CPU_GS].base = 0x1000;
      both->rig[k].core->gpr[9] = 0x20000;
      for (unsigned i = 0; i < 0x400; i++)
        {
          const float value = 0.37f * (float) i;
          memcpy (mem + 0x20010 + 4 * i, &value, sizeof value);
        }
    }
}

/* What FNSTENV and its kin, whole numbers of BCD with them, are the interpreter's, and accesses of two pages. */
static void
check (Both *both)
{
  const VtTranslateCounts counts = both_run (both);

  if (!both->rig[TRANSLATED].core->chaos && counts.blocks)
    g_assert_cmpuint (counts.interpreted, <, TURNS * 18);
  both_finish (both);
}

static void
test_numbers (void)
{
  BOTH (numbers, core_rig_long);
  fill (&both);
  check (&both);
}

static void
test_numbers_flat (void)
{
  BOTH (numbers_flat, core_rig_flat);
  fill (&both);
  check (&both);
}

/* A division by zero, unmasked: nothing happens until the next of the x87, of MMX, or FWAIT; those that don't wait don't
 * mind. */
#define PENDING(next) \
  "fld1\n fldz\n fdivrp\n fnstsw %ax\n addl %eax, %edi\n fnstcw 2(%rbx)\n movb $1, 0x700(%rbx, %rcx)\n " next "\n"
CORE_CODE (pending, 64,
           "  movl $200, %ecx\n movl $0x20000, %ebx\n xorl %edi, %edi\n fninit\n movw $0x37b, (%rbx)\n fldcw (%rbx)\n"
           "1: " PENDING ("fld1") "fstp %st(0)\n fstp %st(0)\n" PENDING ("fwait") "fstp %st(0)\n"
           PENDING ("fldcw (%rbx)") "fstp %st(0)\n" PENDING ("fsts 0x10(%rbx)") "fstp %st(0)\n"
           PENDING ("paddd %mm0, %mm1") "emms\n"
           "  decl %ecx\n jnz 1b\n hlt\n" LABEL (x87_handler)
           "  incl %r8d\n fnstsw %ax\n addl %eax, %edi\n fnstenv 0x40(%rbx)\n addl 0x4c(%rbx), %edi\n fnclex\n fldcw (%rbx)\n iretq\n");
extern const uint8_t x87_handler[];

static void
test_pending (void)
{
  BOTH (pending, core_rig_long);
  both_gate (&both, VT_EXC_MF, CORE_AT (pending, x87_handler));
  EACH (rig)
    rig->core->gpr[8] = 0;
  both_run (&both);
  g_assert_cmpuint (both.rig[INTERPRETED].core->gpr[8], ==, 5 * TURNS);
  both_finish (&both);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-x87/numbers", test_numbers);
  g_test_add_func ("/translate-x87/numbers-flat", test_numbers_flat);
  g_test_add_func ("/translate-x87/pending", test_pending);
  return g_test_run ();
}
