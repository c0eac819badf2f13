/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The translator with strings of one element: each program is run by the interpreter too, and both must leave the same
 * registers and the same memory.
 */
#include "translate-both.h"

#define TURNS 300

/* Every size in both directions, some of them over the border of a page; 32-bit addresses, and a segment with a base. */
#define ELEMENTS(suffix, direction) \
  direction "\n leal 0x20ff0(%rcx), %esi\n leal 0x22fe8(%rcx,%rcx), %edi\n lods" suffix "\n addq %rax, %rbx\n" \
  "movs" suffix "\n stos" suffix "\n stos" suffix "\n movs" suffix "\n lods" suffix "\n xorq %rax, %rbx\n" \
  "addq %rsi, %rbx\n rolq $7, %rbx\n addq %rdi, %rbx\n"
#define BOTH_WAYS(suffix) ELEMENTS (suffix, "std") ELEMENTS (suffix, "cld")
CORE_CODE (
    elements, 64,
    "movl $300, %r8d\n"
    "1: movl %r8d, %ecx\n andl $15, %ecx\n" BOTH_WAYS ("b") BOTH_WAYS ("w") BOTH_WAYS ("l") BOTH_WAYS ("q")
    "  movabsq $0x100024800, %rsi\n movabsq $0x100025800, %rdi\n cmpl $77, %r8d\n"
    "  .byte 0x67\n movsl\n .byte 0x67\n stosw\n .byte 0x67\n lodsb\n sbbq $0, %rbx\n"
    "  addq %rsi, %rbx\n rolq $7, %rbx\n addq %rdi, %rbx\n"
    "  movl $0x8800, %esi\n gs movsw\n gs lodsq\n addq %rax, %rbx\n stosb %al, %es:(%rdi)\n"
    "  decl %r8d\n jns 1b\n hlt\n");

/* The pages of 0x26000 and 0x27000 are made read-only and absent: the handler makes them what they were, and takes the
 * flags away, which nobody reads. */
CORE_CODE (
    element_faults, 64,
    "movl $300, %r8d\n"
    "1: andb $~2, 0x13130\n invlpg 0x26000\n movl $0x26ffd, %edi\n stosb\n"
    "  andb $~2, 0x13130\n invlpg 0x26000\n movl $0x28000, %esi\n movsw\n addq %rdi, %rbx\n"
    "  andb $~1, 0x13138\n invlpg 0x27000\n movl $0x27010, %esi\n movsb\n addq %rsi, %rbx\n"
    "  andb $~1, 0x13138\n invlpg 0x27000\n movl $0x27010, %esi\n lodsl\n addq %rax, %rbx\n"
    "  movabsq $0x8000000000000018, %rsi\n movsb\n movabsq $0x8000000000000018, %rdi\n movsq\n"
    "  movabsq $0x8000000000000020, %rdi\n stosl\n movabsq $0x8000000000000020, %rsi\n lodsb\n"
    "  decl %r8d\n jns 1b\n hlt\n"
    /* What is not canonical: both go on elsewhere. */
    LABEL (element_gp) "  incl %r15d\n andl $~0x8d5, 24(%rsp)\n addq %rsi, %rbx\n rolq $5, %rbx\n addq %rdi, %rbx\n"
    "  movl $0x28000, %esi\n movl $0x29000, %edi\n addq $8, %rsp\n iretq\n" LABEL (element_fault)
    "  incl %r15d\n andl $~0x8d5, 24(%rsp)\n addq %rsi, %rbx\n addq %rdi, %rbx\n addq (%rsp), %rbx\n rolq $5, %rbx\n"
    "  orb $3, 0x13130\n orb $3, 0x13138\n movq %cr2, %rdx\n invlpg (%rdx)\n addq $8, %rsp\n iretq\n");
extern const uint8_t element_fault[], element_gp[];

/* What is stored is executed next. */
CORE_CODE (element_code, 64,
           "movl $100, %r8d\n leaq 3f + 1(%rip), %rbp\n"
           "1: movq %rbp, %rdi\n movl %r8d, %eax\n stosb\n 3: movl $0x11223344, %ecx\n addq %rcx, %rbx\n"
           "  leaq -1(%rbp), %rsi\n lodsb\n rolq $3, %rbx\n addb %al, %bl\n decl %r8d\n jns 1b\n hlt\n");

/* With a segment for each operand, and offsets that wrap. */
#define ELEMENTS_16(suffix, direction) \
  direction "\n movl $0x1234fff8, %esi\n addw %cx, %si\n movl $0x5678fff6, %edi\n addw %cx, %di\n" \
  "lods" suffix "\n addl %eax, %ebx\n movs" suffix "\n stos" suffix "\n roll $7, %ebx\n addl %esi, %ebx\n" \
  "addl %edi, %ebx\n fs movs" suffix "\n xorl %edi, %ebx\n cs lods" suffix "\n xorl %eax, %ebx\n"
CORE_CODE (elements_16, 16,
           "movw $0x2000, %ax\n movw %ax, %ds\n movw $0x3000, %ax\n movw %ax, %es\n movw $0x3800, %ax\n movw %ax, %fs\n"
           "movw $300, %bp\n"
           "1: movw %bp, %cx\n andw $6, %cx\n" ELEMENTS_16 ("b", "std") ELEMENTS_16 ("w", "cld")
           "  movl $0x4100, %esi\n movl $0x4200, %edi\n addr32 movsl\n addr32 lodsw\n addr32 stosl\n"
           "  addl %eax, %ebx\n addl %esi, %ebx\n addl %edi, %ebx\n decw %bp\n jns 1b\n hlt\n");

static void
real_mode (CoreRig *rig, uint64_t rip)
{
  core_rig_reset (rig, rip);
}

/* @most: of so many instructions, those whose elements are in two pages are the interpreter's, and those that fault. */
static void
run (Both *both, unsigned most)
{
  for (unsigned k = 0; k < 2; k++)
    {
      CoreRig *rig = &both->rig[k];
      for (unsigned i = 0; i < 0x20000; i++)
        rig->mem[0x20000 + i] = (uint8_t) (i * 7 ^ i >> 8);
    }
  const VtTranslateCounts counts = both_run (both);
  if (!both->rig[TRANSLATED].core->chaos && !both->rig[TRANSLATED].core->strict)
    g_assert_cmpuint (counts.interpreted, <, most);
}

static void
test_elements (void)
{
  BOTH (elements, core_rig_long);
  EACH (rig)
    {
      rig->core->seg[VT_CPU_GS].base = 0x19000;
      /* What goes over the border is not what follows. */
      vt_st64 (core_pte (rig, 0x21000), 0x70000 | 7);
      vt_st64 (core_pte (rig, 0x23000), 0x71000 | 7);
    }
  run (&both, TURNS * 12);
  both_finish (&both);
}

static void
test_faults (void)
{
  BOTH (element_faults, core_rig_long);
  both_gate (&both, VT_EXC_PF, CORE_AT (element_faults, element_fault));
  both_gate (&both, VT_EXC_GP, CORE_AT (element_faults, element_gp));
  EACH (rig)
    rig->core->cr0 |= VT_CR0_WP;
  run (&both, UINT_MAX);
  g_assert_cmpuint (both.rig[INTERPRETED].core->gpr[15], ==, 8 * (TURNS + 1));
  both_finish (&both);
}

static void
test_code (void)
{
  BOTH (element_code, core_rig_long);
  run (&both, UINT_MAX);
  both_finish (&both);
}

static void
test_elements_16 (void)
{
  BOTH (elements_16, real_mode);
  run (&both, TURNS * 12);
  both_finish (&both);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-string/elements", test_elements);
  g_test_add_func ("/translate-string/faults", test_faults);
  g_test_add_func ("/translate-string/code", test_code);
  g_test_add_func ("/translate-string/elements-16", test_elements_16);
  return g_test_run ();
}
