/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The translator with programs of 32-bit and 16-bit code: each is run by the interpreter too, and both must
 * leave the same registers and the same memory. Single instructions are compared in test-narrow.c.
 */
#include "translate-both.h"

/* Real mode, with a stack at 2000:0100. */
static void
real_mode (CoreRig *rig, uint64_t rip)
{
  core_rig_reset (rig, rip);
  rig->core->seg[VT_CPU_SS].selector = 0x2000;
  rig->core->seg[VT_CPU_SS].base = 0x20000;
  rig->core->gpr[VT_CPU_RSP] = 0x100;
}

/* 32-bit code --------------------------------------------------------------------------------------- */

/* Loops, calls, indirect jumps and calls with flags that live across, forms that 64-bit mode lacks or gives
 * another meaning, and a function in another page. */
CORE_CODE (
    flow32, 32,
    "xorl %eax, %eax\n movl $1000, %ecx\n xorl %edi, %edi\n stc\n"
    "1: adcl %ecx, %eax\n incl %edi\n pushl %eax\n call 2f\n popl %ebx\n"
    "   movl %ecx, %edx\n andl $3, %edx\n movl 9f - base(,%edx,4), %edx\n cmpl %eax, %ebx\n"
    "   jmpl *%edx\n"
    "3: adcl $1, %ebp\n jmp 8f\n 4: sbbl $2, %ebp\n pushw %bp\n popw %si\n jmp 8f\n"
    "5: xorl %edi, %ebp\n decw %si\n pushl %ds\n popl %esi\n jmp 8f\n"
    "6: movl $2f - base, %edx\n calll *%edx\n pushl $10f - base\n ret\n"
    "10: enter $16, $0\n movl %edi, -8(%ebp)\n movl -8(%ebp), %esi\n leave\n"
    "8: cmpl $500, %ecx\n jb 7f\n roll $3, %ebp\n pushl $0x12345678\n pushl $-5\n addl (%esp), %esi\n"
    "   call 13f\n"
    "7: movl %eax, 0x3000\n movb 0x3001, %al\n addw 0x3002, %ax\n addr16 leal -3(%bx,%si), %edx\n"
    "   leaw 5(%edx), %dx\n addl %edx, 0x3004\n pushl 0x3004\n popl 0x3008\n addb %ah, 0x300c\n"
    "   testl $1, %ecx\n addr16 loope 11f\n incl %ecx\n 11: dec %ecx\n jecxz 12f\n jmp 1b\n"
    "12: movl %edi, 0x3010\n hlt\n"
    "2: xorl %ecx, %eax\n rcrl $1, %eax\n ret\n .balign 4\n"
    "9: .long 3b - base, 4b - base, 5b - base, 6b - base\n"
    ".fill 4096, 1, 0x90\n 13: addl 4(%esp), %edi\n addl 8(%esp), %ebp\n ret $8\n");

static void
test_flow32 (void)
{
  BOTH (flow32, core_rig_flat);
  /* It runs by itself once it is translated, but for ENTER and the POP to memory. */
  g_assert_cmpuint (both_run (&both).interpreted, <, 2000);
  both_finish (&both);
}

/* Segments with bases and limits, data that grows down, what may only be read, a null selector, addresses and
 * linear addresses that wrap at 4 GiB, a stack and code with a base and a limit. Each fault goes on behind its
 * instruction. */
#define SEL_NEAR (SEL_FREE)       /* Base 0x30000, limit 0xfff. */
#define SEL_WIDE (SEL_FREE + 8)   /* The same base, no limit. */
#define SEL_READ (SEL_FREE + 16)  /* Base 0x30000, read-only. */
#define SEL_DOWN (SEL_FREE + 24)  /* Base 0x40000, down to 0x1000. */
#define SEL_HIGH (SEL_FREE + 32)  /* Base 0xfffff000. */
#define SEL_EXEC (SEL_FREE + 40)  /* Base 0x800, code of 64 KiB. */

CORE_CODE (
    limits, 32,
    "movl $40, %ecx\n"
    "1: movw $16, %ax\n movw %ax, %ds\n movl $9f - base, 0x3000\n movw $72, %ax\n movw %ax, %ds\n movl $0xffd, %ebx\n stc\n"
    "   sbbl %edx, %edx\n"
    "2: adcl %ecx, (%ebx)\n" LABEL (limits_1) /* #GP: the last byte is outside. */
    "   adcl %ecx, -1(%ebx)\n movb (%ebx), %dl\n movb 3(%ebx), %dh\n" LABEL (limits_2)
    "   movl %cs:2b - base, %esi\n addl %esi, 0x20\n"
    "   movw $80, %ax\n movw %ax, %ds\n adcl %ecx, (%ebx)\n movl 0x8000, %edi\n"
    "   movw $88, %ax\n movw %ax, %ds\n addl 4(%ebx), %edi\n movl %edi, 4(%ebx)\n" LABEL (limits_3)
    "   movw $96, %ax\n movw %ax, %ds\n movl %ecx, 0x2000\n addl %ecx, 0x800\n" LABEL (limits_4)
    "   movw $104, %ax\n movw %ax, %ds\n addl %ecx, 0x9000\n movl $0xfffffff0, %esi\n"
    "   addl %ecx, 0x9020(%esi)\n addl 0x9030(%esi,%ecx,4), %edi\n"
    "   xorl %eax, %eax\n movw %ax, %es\n testl %ecx, %es:(%eax)\n" LABEL (limits_5)
    "   movl %esp, %edi\n movw $72, %ax\n movw %ax, %ss\n movl $0xffe, %esp\n popl %eax\n" LABEL (limits_6)
    "   pushl %ecx\n popl %ebp\n pushw %cx\n movw $16, %ax\n movw %ax, %ss\n movl %edi, %esp\n"
    "   ljmp $112, $4f - base - 0x800\n 4: addl %ebp, %cs:0x100\n" LABEL (limits_7)
    "   call 6f\n movl $7f - base - 0x800, %eax\n callw *%ax\n movl $0x10000, %eax\n"
    "   calll *%eax\n" LABEL (limits_8) " ljmp $8, $5f - base\n"
    "6: incl %ebp\n ret\n 7: incl %ebp\n retw\n 5: decl %ecx\n jnz 1b\n hlt\n"
    /* Where each fault goes on. */
    "9: .long limits_1 - base, limits_2 - base, limits_3 - base, limits_4 - base, limits_5 - base\n"
    ".long limits_6 - base, limits_7 - base - 0x800, limits_8 - base - 0x800\n"
    /* On a stack and with data of its own: a task's, so that SS may be anything. */
    LABEL (limits_fault) "pushl %eax\n pushl %ds\n movw $16, %ax\n movw %ax, %ds\n movl 0x3000, %eax\n"
                         "movl (%eax), %eax\n movl %eax, 12(%esp)\n addl $4, 0x3000\n incl 0x3004\n"
                         "popl %ds\n popl %eax\n addl $4, %esp\n iretl\n");
extern const uint8_t limits_fault[];

static void
test_limits (void)
{
  BOTH (limits, core_rig_flat);
  EACH (rig)
    {
      core_gdt (rig, SEL_NEAR, 0x30000, 0xfff, 0x93, 4);
      core_gdt (rig, SEL_WIDE, 0x30000, 0xfffff, 0x93, 0xc);
      core_gdt (rig, SEL_READ, 0x30000, 0xfffff, 0x91, 0xc);
      core_gdt (rig, SEL_DOWN, 0x40000, 0xfff, 0x97, 4);
      core_gdt (rig, SEL_HIGH, 0xfffff000, 0xfffff, 0x93, 0xc);
      core_gdt (rig, SEL_EXEC, 0x800, 0xffff, 0x9b, 4);
      core_gate (rig, VT_EXC_GP, SEL_CODE, CORE_AT (limits, limits_fault), 0x8e, 0);
      core_gate (rig, VT_EXC_SS, SEL_CODE, CORE_AT (limits, limits_fault), 0x8e, 0);
    }
  both_run (&both);
  EACH (rig)
    g_assert_cmpuint (vt_ld32 (rig->mem + 0x3004), ==, 40 * 8);
  both_finish (&both);
}

/* A program of a 64-bit system, with what that has left in the upper halves: page faults in it, a thread's
 * segment, the border of pages, and the way back. */
CORE_CODE (
    compat, 64,
    "movl $30, %ebp\n movabs $0xdeadbeef00000000, %rbx\n movabs $0x1234567800041000, %rsi\n"
    "1: orq %rbx, %rax\n orq %rbx, %rcx\n orq %rbx, %rdx\n"
    "   pushq $8\n pushq $(2f - base)\n lretq\n .code32\n"
    "2: movl $8, %ecx\n movl $0x40ff8, %edi\n"
    "3: addl %ecx, (%esi)\n adcl (%edi,%ecx,4), %edx\n addl %edx, %fs:(%edi)\n addw %dx, -2(%edi,%ecx)\n"
    "   pushl %ecx\n popl %eax\n leal -8(%esi,%eax), %ebx\n addl $0x100, %esi\n loop 3b\n"
    "   decl %ebp\n ljmpl $24, $(4f - base)\n .code64\n"
    "4: movabs $0xdeadbeef00000000, %rbx\n andl $0x7ffff, %esi\n testl %ebp, %ebp\n jnz 1b\n"
    "   movl %eax, %eax\n movl %ecx, %ecx\n movl %edx, %edx\n movl %edi, %edi\n movl %ebx, %ebx\n"
    "   movl %esp, %esp\n hlt\n"
    LABEL (compat_page) "pushq %rax\n pushq %rdx\n movq %cr2, %rax\n movq %rax, %rdx\n shrq $12, %rdx\n"
                        "orq $1, 0x13000(,%rdx,8)\n invlpg (%rax)\n incl 0x3008\n"
                        "popq %rdx\n popq %rax\n addq $8, %rsp\n iretq\n");
extern const uint8_t compat_page[];

static void
test_compat (void)
{
  BOTH (compat, core_rig_long);
  EACH (rig)
    {
      core_gate (rig, VT_EXC_PF, SEL_CODE64, CORE_AT (compat, compat_page), 0x8e, 0);
      *core_pte (rig, 0x41000) &= (uint8_t) ~1;
      *core_pte (rig, 0x43000) &= (uint8_t) ~1;
      rig->core->seg[VT_CPU_FS] = core_segment (SEL_DATA, false, false);
      rig->core->seg[VT_CPU_FS].base = 0x2010;
    }
  both_run (&both);
  both_finish (&both);
}

/* Stores into code, of the next instruction and of a function in another segment's page. */
CORE_CODE (modify32, 32,
           "movl $200, %ecx\n xorl %eax, %eax\n movw $72, %dx\n movw %dx, %fs\n"
           "1: movb %cl, 2f + 1 - base\n 2: addb $0, %al\n movl %ecx, %fs:1\n call base + 0x30000\n"
           "   addl %edx, %eax\n roll $1, %eax\n decl %ecx\n jnz 1b\n hlt\n");

static void
test_modify32 (void)
{
  static const uint8_t function[] = { 0xba, 0, 0, 0, 0, 0xc3 }; /* movl $0, %edx; ret */
  BOTH (modify32, core_rig_flat);
  EACH (rig)
    {
      core_gdt (rig, SEL_NEAR, 0x30000, 0xfff, 0x93, 4);
      memcpy (rig->mem + 0x30000, function, sizeof function);
    }
  both_run (&both);
  both_finish (&both);
}

/* 16-bit code --------------------------------------------------------------------------------------- */

CORE_CODE (
    flow16, 16,
    "xorw %ax, %ax\n movw $1000, %cx\n xorw %di, %di\n stc\n"
    "1: adcw %cx, %ax\n incw %di\n pushw %ax\n call 2f\n popw %bx\n movw %cx, %si\n andw $3, %si\n"
    "   shlw $1, %si\n cmpw %ax, %bx\n jmpw *%cs:9f - base(%si)\n"
    "3: adcw $1, %bp\n jmp 8f\n 4: sbbl $2, %ebp\n pushl %ebp\n popl %edx\n jmp 8f\n"
    "5: xorw %di, %bp\n decw %si\n pushw %ds\n popw %si\n jmp 8f\n"
    "6: movw $2f - base, %dx\n callw *%dx\n pushw $10f - base\n ret\n"
    "10: enterw $16, $0\n movw %di, -8(%bp)\n movw -8(%bp), %si\n leavew\n"
    "8: cmpw $500, %cx\n jb 7f\n rolw $3, %bp\n pushl $0x12345678\n pushw $-5\n popw %dx\n popl %esi\n"
    "   pushw %dx\n call 13f\n"
    "7: movw %ax, 0x3000\n movb 0x3001, %al\n addl 0x3002, %eax\n leal -3(%ebx,%esi,2), %edx\n"
    "   leaw 5(%bx,%di), %dx\n andl $0x3fff, %ebx\n addl %edx, 0x3004(%ebx)\n pushw 0x3004\n"
    "   popw 0x3008\n addb %ah, 0x300c\n movb %bh, 0x300d\n movb 0x300c, %dh\n"
    "   testw $1, %cx\n loope 11f\n jcxz 12f\n 11: decw %cx\n incl %ecx\n"
    "   addr32 loop 14f\n jmp 12f\n 14: jmp 1b\n"
    "12: movw %di, 0x3010\n movl %esp, 0x3014\n hlt\n"
    "2: xorw %cx, %ax\n rcrw $1, %ax\n ret\n"
    "9: .word 3b - base, 4b - base, 5b - base, 6b - base\n"
    ".fill 4096, 1, 0x90\n 13: addw %di, %bp\n ret $2\n");

static void
test_flow16 (void)
{
  BOTH (flow16, real_mode);
  g_assert_cmpuint (both_run (&both).interpreted, <, 2000);
  both_finish (&both);
}

/* The same offset is other code in another code segment, and the same code has another offset; calls within
 * them go to their own pages. The same offset in the same page may be different code, too. */
CORE_CODE (far16, 16,
           "movw $100, %cx\n"
           "1: lcall $0x1000, $0x100\n lcall $0x1800, $0x100\n lcall $0x1001, $0xf0\n"
           "   lcall $0x1801, $0xf0\n lcall $0x3000, $0\n lcall $0x3001, $0\n decw %cx\n jnz 1b\n hlt\n");
CORE_CODE (far16_there, 16,
           ".fill 0x100, 1, 0x90\n addw $1, %ax\n call 1f\n movw %ax, %si\n lret\n"
           ".fill 0x70, 1, 0x90\n .balign 16\n 3: incw %bx\n ret\n"
           ".fill 0x1100, 1, 0x90\n 1: xorw $0x55, %ax\n call 2f\n 2: popw %dx\n subw $(2b - 3b), %dx\n"
           "callw *%dx\n ret\n");

static void
test_far16 (void)
{
  static const uint8_t first[] = { 0x45, 0xcb }, second[] = { 0x83, 0xc7, 5, 0xcb }; /* incw %bp; addw $5, %di */
  const size_t size = (size_t) (code_far16_there_end - code_far16_there);
  BOTH (far16, real_mode);
  EACH (rig)
    {
      memcpy (rig->mem + 0x10000, code_far16_there, size);
      memcpy (rig->mem + 0x18000, code_far16_there, size);
      rig->mem[0x18102] = 3; /* It adds another number. */
      memcpy (rig->mem + 0x30000, first, sizeof first);
      memcpy (rig->mem + 0x30010, second, sizeof second);
    }
  both_run (&both);
  both_finish (&both);
}

/* IP, SP and offsets wrap at 64 KiB; an operand that does not fit before raises #GP or #SS; with other limits
 * than real mode's, 32-bit addresses reach all memory. */
CORE_CODE (
    wrap16, 16,
    "movw $60, %cx\n"
    "1: lcall $0x3000, $0xfffe\n"
    "   movw %sp, %di\n movw $2, %sp\n pushw %cx\n pushw %ax\n pushl %ecx\n popw %dx\n popl %ebx\n"
    "   popw %dx\n movw %di, %sp\n"
    "   movw $0xfff0, %bx\n movw $0x30, %si\n addw %cx, 0x3000(%bx,%si)\n addw %cx, 0x3010(%bx)\n"
    "   stc\n adcb %cl, 15(%bx)\n adcw %cx, 14(%bx)\n adcw %cx, 15(%bx)\n" LABEL (wrap16_gp)
    "   movw %sp, %di\n movw $0xfffd, %sp\n popl %eax\n" LABEL (wrap16_ss)
    "   movw %di, %sp\n leal 0x180000(,%ecx,8), %esi\n addl %ecx, %fs:(%esi)\n adcl %fs:4(%esi), %edx\n"
    "   decw %cx\n jnz 1b\n hlt\n"
    LABEL (wrap16_fault) "pushw %bp\n movw %sp, %bp\n incw %cs:0x3100\n addw $3, 2(%bp)\n movw $2, 6(%bp)\n"
                         "popw %bp\n iretw\n" LABEL (wrap16_stack)
                         "pushw %bp\n movw %sp, %bp\n incw %cs:0x3102\n addw $2, 2(%bp)\n movw $2, 6(%bp)\n"
                         "popw %bp\n iretw\n");
extern const uint8_t wrap16_gp[], wrap16_ss[], wrap16_fault[], wrap16_stack[];

static void
test_wrap16 (void)
{
  BOTH (wrap16, real_mode);
  EACH (rig)
    {
      static const uint8_t begin[] = { 0x40, 0x43 }, rest[] = { 0x01, 0xc5, 0xcb }; /* inc, inc; add, lret */
      memcpy (rig->mem + 0x3fffe, begin, sizeof begin);
      memcpy (rig->mem + 0x30000, rest, sizeof rest);
      vt_st32 (rig->mem + 4 * VT_EXC_GP, CORE_AT (wrap16, wrap16_fault));
      vt_st32 (rig->mem + 4 * VT_EXC_SS, CORE_AT (wrap16, wrap16_stack));
      rig->core->seg[VT_CPU_FS].limit = UINT32_MAX;
    }
  both_run (&both);
  EACH (rig)
    {
      g_assert_cmpuint (vt_ld16 (rig->mem + 0x3100), ==, 60);
      g_assert_cmpuint (vt_ld16 (rig->mem + 0x3102), ==, 60);
    }
  both_finish (&both);
}

/* A handler in another segment, at the offset behind the instruction that has faulted. */
CORE_CODE (handler16, 16,
           "movw $50, %cx\n xorw %bx, %bx\n"
           "1: xorw %dx, %dx\n movw $7, %ax\n divw %bx\n" LABEL (handler16_behind)
           "   incw %si\n decw %cx\n jnz 1b\n hlt\n");
CORE_CODE (handler16_there, 16,
           "incw %di\n pushw %bp\n movw %sp, %bp\n addw $2, 2(%bp)\n movw $2, 6(%bp)\n popw %bp\n iretw\n");
extern const uint8_t handler16_behind[];

static void
test_handler16 (void)
{
  const uint32_t behind = CORE_AT (handler16, handler16_behind);
  BOTH (handler16, real_mode);
  EACH (rig)
    {
      memcpy (rig->mem + 0x30000 + behind, code_handler16_there,
              (size_t) (code_handler16_there_end - code_handler16_there));
      vt_st32 (rig->mem + 4 * VT_EXC_DE, 0x3000u << 16 | behind);
    }
  both_run (&both);
  EACH (rig)
    {
      g_assert_cmpuint (rig->core->gpr[VT_CPU_RSI], ==, 50);
      g_assert_cmpuint (rig->core->gpr[VT_CPU_RDI], ==, 50);
    }
  both_finish (&both);
}

/* Stores into code of the same segment, by another, and of what is executed next. */
CORE_CODE (modify16, 16,
           "movw $200, %cx\n movw $0x3000, %dx\n movw %dx, %es\n"
           "1: movb %cl, 2f + 1 - base\n 2: addb $0, %al\n movw %cx, %es:1\n lcall $0x3000, $0\n"
           "   addw %dx, %ax\n rolw $1, %ax\n decw %cx\n jnz 1b\n hlt\n");

static void
test_modify16 (void)
{
  static const uint8_t function[] = { 0xba, 0, 0, 0xcb }; /* movw $0, %dx; lret */
  BOTH (modify16, real_mode);
  EACH (rig)
    memcpy (rig->mem + 0x30000, function, sizeof function);
  both_run (&both);
  both_finish (&both);
}

/* Virtual 8086 mode, from protected mode and back by what it may not do. */
CORE_CODE (virtual, 32,
           "pushl $0\n pushl $0\n pushl $0x2800\n pushl $0\n pushl $0x2000\n pushl $0x100\n"
           "pushl $0x20002\n pushl $0\n pushl $2f - base\n iretl\n .code16\n"
           "2: movw $500, %cx\n 1: addw %cx, (%bx)\n adcw (%bx), %ax\n pushw %ax\n popw %dx\n"
           "   call 3f\n loop 1b\n movl %esp, %edi\n hlt\n 3: addw %dx, 2(%bx,%si)\n ret\n .code32\n"
           LABEL (virtual_gp) "movl $1, %ss:0x3000\n hlt\n");
extern const uint8_t virtual_gp[];

static void
test_virtual (void)
{
  BOTH (virtual, core_rig_flat);
  EACH (rig)
    {
      core_gate (rig, VT_EXC_GP, SEL_CODE, CORE_AT (virtual, virtual_gp), 0x8e, 0);
      vt_st32 (rig->mem + 0x4004, 0x8000);
      vt_st32 (rig->mem + 0x4008, SEL_DATA);
      rig->core->seg[VT_CPU_TR] =
          (VtCpuSegment){ .base = 0x4000, .limit = 0x67, .type = 11, .present = true };
    }
  g_assert_cmpuint (both_run (&both).interpreted, <, 100);
  EACH (rig)
    g_assert_cmpuint (vt_ld32 (rig->mem + 0x3000), ==, 1);
  both_finish (&both);
}

/* A program that goes through more modes than there are jump tables, again and again. */
CORE_CODE (many, 32,
           "movl $40, %ecx\n"
           "1: movw $72, %ax\n testl $1, %ecx\n jz 2f\n movw $16, %ax\n 2: movw %ax, %es\n"
           "   movl %cr0, %eax\n xorl $8, %eax\n movl %eax, %cr0\n"
           "   movl %cr4, %eax\n testl $4, %ecx\n jz 3f\n xorl $0x200, %eax\n movl %eax, %cr4\n"
           "3: testl $2, %ecx\n jz 4f\n pushfl\n xorl $0x40000, (%esp)\n popfl\n"
           "4: call 13f\n testl $3, %ecx\n jnz 5f\n ljmp $112, $6f - base\n .code16\n"
           "6: call 14f\n ljmpl $8, $5f - base\n .code32\n"
           "5: decl %ecx\n jnz 1b\n hlt\n .fill 4096, 1, 0x90\n 13: incl %edx\n ret\n"
           ".code16\n 14: incw %si\n ret\n .code32\n");

static void
test_many (void)
{
  BOTH (many, core_rig_flat);
  EACH (rig)
    {
      core_gdt (rig, SEL_NEAR, 0x30000, 0xfff, 0x93, 4);
      core_gdt (rig, SEL_EXEC, 0, 0xffff, 0x9b, 0);
    }
  both_run (&both);
  both_finish (&both);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-narrow/flow32", test_flow32);
  g_test_add_func ("/translate-narrow/limits", test_limits);
  g_test_add_func ("/translate-narrow/compat", test_compat);
  g_test_add_func ("/translate-narrow/modify32", test_modify32);
  g_test_add_func ("/translate-narrow/flow16", test_flow16);
  g_test_add_func ("/translate-narrow/far16", test_far16);
  g_test_add_func ("/translate-narrow/wrap16", test_wrap16);
  g_test_add_func ("/translate-narrow/handler16", test_handler16);
  g_test_add_func ("/translate-narrow/modify16", test_modify16);
  g_test_add_func ("/translate-narrow/virtual", test_virtual);
  g_test_add_func ("/translate-narrow/many", test_many);
  return g_test_run ();
}
