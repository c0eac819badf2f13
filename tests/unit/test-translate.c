/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The translator with whole programs of 64-bit mode: each is run by the interpreter too, and both must leave
 * the same registers and the same memory. Single instructions are compared in test-interpret-host.c.
 */
#include "cpu/translate/host/unit.h"
#include "translate-both.h"

#define STACK 0x8000u

/* Programs ---------------------------------------------------------------------------------------- */

/* Loops, calls, indirect jumps and calls, a jump table, all of them with flags that live across. */
CORE_CODE (
    flow, 64,
    "xorl %eax, %eax\n movl $1000, %ecx\n xorl %r9d, %r9d\n movl $7, %r10d\n stc\n"
    "1: adcq %rcx, %rax\n leaq 1(%r9), %r9\n pushq %rax\n call 2f\n popq %rbx\n"
    "   movq %rcx, %rdx\n andl $3, %edx\n leaq 9f(%rip), %rsi\n movslq (%rsi,%rdx,4), %rdx\n"
    "   addq %rsi, %rdx\n cmpq %rax, %rbx\n jmpq *%rdx\n"
    "3: adcl $1, %r10d\n jmp 8f\n 4: sbbl $2, %r10d\n jmp 8f\n 5: xorq %r9, %r10\n jmp 8f\n"
    "6: leaq 2f(%rip), %r11\n callq *%r11\n"
    "8: cmpq $500, %rcx\n jb 7f\n rolq $3, %r10\n"
    "7: loop 1b\n jrcxz 1f\n hlt\n 1: pushfq\n popq %r15\n"
    "movq %r9, 0x3000\n movq %r10, 0x3008\n hlt\n"
    "2: xorq %rcx, %rax\n rcrq $1, %rax\n ret\n"
    ".balign 4\n 9: .long 3b - 9b, 4b - 9b, 5b - 9b, 6b - 9b\n");

static void
test_flow (void)
{
  BOTH (flow, core_rig_long);
  const VtTranslateCounts counts = both_run (&both);
  /* It runs by itself once it is translated. */
  if (!both.rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.interpreted, <, 200);
  both_finish (&both);
}

/* Across pages: code that continues in the next page, an instruction on the border, calls there and back. */
CORE_CODE (pages, 64,
           "movl $300, %ecx\n xorl %eax, %eax\n"
           "1: call 2f\n subl $1, %ecx\n jnz 1b\n hlt\n"
           ".fill 4096 - 12 - 24, 1, 0x90\n"
           "2: addl %ecx, %eax\n nop\n nop\n nop\n nop\n movabs $0x123456789abcdef0, %rdx\n"
           "addq %rdx, %rax\n leaq 3f(%rip), %r9\n jmpq *%r9\n .fill 4200, 1, 0x90\n"
           "3: xorq %rdx, %rax\n ret\n");

static void
test_pages (void)
{
  BOTH (pages, core_rig_long);
  both_run (&both);
  both_finish (&both);
}

/* Memory: all forms, page crossing, a loop over more pages than the TLB has entries for one index. */
CORE_CODE (
    memory, 64,
    "movl $0x200000, %ebx\n movl $0x2ff0, %edi\n xorl %eax, %eax\n movl $64, %ecx\n"
    "1: addq %rcx, (%rdi)\n adcb $1, 7(%rdi)\n movzbl 3(%rdi), %edx\n movq %rdx, %r11\n"
    "   addq %r11, 8(%rdi,%rcx,2)\n addq %rdi, %rax\n xchgq %r11, 0x100(%rdi)\n incq %rdi\n"
    "   decl %ecx\n jnz 1b\n"
    "movl $1000, %ecx\n movl $0x10, %r8d\n"
    "2: movq %rax, (%rbx)\n addq 0x1000(%rbx), %rax\n lock xaddq %rcx, 8(%rbx)\n"
    "   cmpxchgq %r8, 16(%rbx)\n movq 8(%rbx), %rcx\n addq $4096, %rbx\n cmpq $0x3f0000, %rbx\n"
    "   jb 3f\n movl $0x200008, %ebx\n 3: decl %r8d\n cmpl $-2000, %r8d\n jne 2b\n hlt\n");

static void
test_memory (void)
{
  BOTH (memory, core_rig_long);
  both_run (&both);
  both_finish (&both);
}

/* Stores into code: of the next instruction, of the loop's own body, of a function in another page, and by
 * the other half of a store that crosses into a page of code. */
CORE_CODE (
    modify, 64,
    "movl $200, %ecx\n xorl %eax, %eax\n"
    "1: movb %cl, 2f+1(%rip)\n 2: addb $0, %al\n movl %ecx, 3f+1(%rip)\n call 3f\n"
    "   addl %edx, %eax\n leal -1(%rcx,%rcx), %r9d\n movl %r9d, 4f-1(%rip)\n call base + 0x9000\n"
    "   addl $0x01010101, 0x9001\n addl %edx, %eax\n rorl $1, %eax\n decl %ecx\n jnz 1b\n hlt\n"
    "3: movl $0, %edx\n ret\n .byte 0xc7\n 4: .long 0\n .fill 16, 1, 0x90\n");

static void
test_modify (void)
{
  static const uint8_t function[] = { 0xba, 0, 0, 0, 0, 0xc3 }; /* movl $0, %edx; ret */
  BOTH (modify, core_rig_long);

  memcpy (both.rig[INTERPRETED].mem + 0x9000, function, sizeof function);
  memcpy (both.rig[TRANSLATED].mem + 0x9000, function, sizeof function);
  const VtTranslateCounts counts = both_run (&both);
  if (counts.blocks)
    g_assert_cmpuint (counts.written, >=, 200);
  both_finish (&both);
}

/* The same address is other code: by another page, by INVLPG and by CR3, jumped to directly and by a
 * pointer, from this page and from its neighbour. */
CORE_CODE (remap, 64,
           "movl $20, %ecx\n xorl %ebx, %ebx\n movl $0x30000, %esi\n"
           "1: call base + 0x21000\n addl %eax, %ebx\n leaq 0x21000, %r10\n callq *%r10\n"
           "   imull $3, %ebx\n addl %eax, %ebx\n"
           "   movq 0x13108, %rax\n xorq $0x3000, %rax\n movq %rax, 0x13108\n" /* 22000 or 21000. */
           "   testl $1, %ecx\n jz 2f\n invlpg 0x21000\n jmp 3f\n"
           "2: movq %cr3, %rdx\n movq %rdx, %cr3\n"
           "3: decl %ecx\n jnz 1b\n hlt\n");

static void
test_remap (void)
{
  static const uint8_t first[] = { 0xb8, 1, 0, 0, 0, 0xc3 }, second[] = { 0xb8, 2, 0, 0, 0, 0xc3 };
  BOTH (remap, core_rig_long);
  CoreRig *const rigs[] = { &both.rig[INTERPRETED], &both.rig[TRANSLATED] };

  for (unsigned i = 0; i < 2; i++)
    {
      memcpy (rigs[i]->mem + 0x21000, first, sizeof first);
      memcpy (rigs[i]->mem + 0x22000, second, sizeof second);
    }
  both_run (&both);
  both_finish (&both);
}

/* An instruction whose end is in another page, which is exchanged and written. */
CORE_CODE (border, 64,
           "movl $60, %ecx\n xorl %ebx, %ebx\n"
           "1: movl $8, %edx\n"
           "2: call base + 0x21ffe\n addl %eax, %ebx\n leaq 0x21ffe, %r10\n callq *%r10\n"
           "   imull $3, %ebx\n addl %eax, %ebx\n decl %edx\n jnz 2b\n"
           "   testl $1, %ecx\n jz 3f\n addb %cl, 0x22001\n"
           "3: xorq $0x1000, 0x13110\n testl $2, %ecx\n jz 4f\n invlpg 0x22000\n jmp 5f\n"
           "4: movq %cr3, %rdx\n movq %rdx, %cr3\n"
           "5: decl %ecx\n jnz 1b\n hlt\n");

static void
test_border (void)
{
  /* MOV EAX, constant; RET: the first two bytes, and the others in two pages. */
  static const uint8_t first[] = { 0xb8, 1 }, rest[] = { 2, 3, 4, 0xc3 }, other[] = { 5, 6, 7, 0xc3 };
  BOTH (border, core_rig_long);
  CoreRig *const rigs[] = { &both.rig[INTERPRETED], &both.rig[TRANSLATED] };

  for (unsigned i = 0; i < 2; i++)
    {
      memcpy (rigs[i]->mem + 0x21ffe, first, sizeof first);
      memcpy (rigs[i]->mem + 0x22000, rest, sizeof rest);
      memcpy (rigs[i]->mem + 0x23000, other, sizeof other);
    }
  const VtTranslateCounts counts = both_run (&both);
  /* It is translated: the interpreter does what changes the page, and what comes right behind that. */
  if (counts.blocks)
    g_assert_cmpuint (counts.interpreted, <, 60 * 16);
  both_finish (&both);
}

/* Faults in the middle of blocks, whose handlers go back: #PF that is mended, #DE and #UD that are stepped
 * over, with the state of that very instruction. */
CORE_CODE (
    faults, 64,
    "movl $0x40000, %ebx\n movl $5, %ecx\n xorl %r12d, %r12d\n movl $0x77, %r9d\n"
    "1: stc\n movl %ecx, %eax\n cltd\n adcq %r9, (%rbx)\n adcl $0, %r12d\n"
    "   xorl %edi, %edi\n divl %edi\n ud2\n addl %eax, %r12d\n addq $4096, %rbx\n"
    "   pushq (%rbx)\n popq %r13\n loop 1b\n hlt\n" LABEL (
        faults_page) "pushq %rax\n pushq %rdx\n movq %cr2, %rax\n movq %rax, %rdx\n shrq $12, %rdx\n"
                     "addq %rax, 0x3000\n orq $1, 0x13000(,%rdx,8)\n invlpg (%rax)\n"
                     "popq %rdx\n popq %rax\n incl 0x3008\n addq $8, %rsp\n iretq\n" LABEL (
                         faults_divide) "incl 0x3010\n addq $2, (%rsp)\n iretq\n" LABEL (
                             faults_undefined) "incl 0x3018\n addq $2, (%rsp)\n iretq\n");
extern const uint8_t faults_page[], faults_divide[], faults_undefined[];

static void
test_faults (void)
{
  BOTH (faults, core_rig_long);
  both_gate (&both, VT_EXC_PF, CORE_AT (faults, faults_page));
  both_gate (&both, VT_EXC_DE, CORE_AT (faults, faults_divide));
  both_gate (&both, VT_EXC_UD, CORE_AT (faults, faults_undefined));
  for (unsigned p = 0; p < 8; p++)
    {
      *core_pte (&both.rig[INTERPRETED], 0x40000 + p * 0x1000) &= (uint8_t) ~1;
      *core_pte (&both.rig[TRANSLATED], 0x40000 + p * 0x1000) &= (uint8_t) ~1;
    }
  both_run (&both);
  g_assert_cmpuint (vt_ld32 (both.rig[TRANSLATED].mem + 0x3008), ==, 6);
  g_assert_cmpuint (vt_ld32 (both.rig[TRANSLATED].mem + 0x3010), ==, 5);
  both_finish (&both);
}

/* Accesses around one register and the stack's, which one check serves: over the border of pages, the second of
 * which isn't there at first and the third not to be written; with the register moved in between, others
 * beside it, a fault that is not of memory among them, and stores into the code's own page. The handlers
 * clear the flags in their frames, which nothing reads any more. */
CORE_CODE (
    groups, 64,
    "movl $0x40f20, %ebx\n movl $0x300, %r12d\n xorl %eax, %eax\n movl $3, %r9d\n movl $5, %r11d\n"
    "1: movq (%rbx), %rdx\n addq 8(%rbx), %rax\n addl $7, 0x18(%rbx)\n movb %al, 0x20(%rbx)\n"
    "   leaq 8(%rbx), %rbx\n movq %r9, 0x10(%rbx)\n addq (%rbx,%r12), %r11\n xorq 0x28(%rbx), %r9\n"
    "   subq $16, %rbx\n cmpq %r11, 8(%rbx)\n jb 2f\n movdqu 4(%rbx), %xmm1\n paddq %xmm1, %xmm2\n"
    "2: adcq $0, %rax\n leaq 16(%rbx), %rbx\n"
    "   movq %rsp, %r13\n leaq (%rbx,%rbx), %rsp\n subq %rbx, %rsp\n"
    "   pushq %rax\n pushq %rdx\n movl $0, %ecx\n movq 8(%rsp), %rsi\n divl %ecx\n pushq %r9\n"
    "   popq %rdi\n popq %rcx\n addq %rdi, (%rsp)\n popq %rdx\n movq %r13, %rsp\n"
    "   leaq 3f(%rip), %rdi\n addq (%rdi), %rax\n movb %r12b, 8(%rdi)\n addq %r9, 16(%rdi)\n"
    "   addq 8(%rdi), %rax\n addq $24, %rbx\n decl %r12d\n cmpq $0x42100, %rbx\n jb 1b\n"
    "movdqa %xmm2, 0x3000\n hlt\n .balign 8\n3: .quad 1, 2, 3\n" LABEL (
        groups_page) "pushq %rax\n movq %cr2, %rax\n shrq $12, %rax\n"
                     "orq $3, 0x13000(,%rax,8)\n movq %cr2, %rax\n invlpg (%rax)\n popq %rax\n"
                     "incl 0x3010\n addq $8, %rsp\n andl $0x400, 16(%rsp)\n orl $2, 16(%rsp)\n iretq\n"
    LABEL (groups_divide) "incl 0x3018\n andl $0x400, 16(%rsp)\n orl $2, 16(%rsp)\n"
                          "addq $2, (%rsp)\n iretq\n");
extern const uint8_t groups_page[], groups_divide[];

static void
test_groups (void)
{
  BOTH (groups, core_rig_long);
  CoreRig *const rigs[] = { &both.rig[INTERPRETED], &both.rig[TRANSLATED] };

  for (unsigned i = 0; i < 2; i++)
    {
      /* Frames go to another stack. */
      core_gate (rigs[i], VT_EXC_PF, SEL_CODE64, CORE_AT (groups, groups_page), 0x8e, 1);
      core_gate (rigs[i], VT_EXC_DE, SEL_CODE64, CORE_AT (groups, groups_divide), 0x8e, 1);
      vt_st64 (rigs[i]->mem + 0x4024, STACK); /* IST 1 */
      rigs[i]->core->seg[VT_CPU_TR] =
          (VtCpuSegment){ .base = 0x4000, .limit = 0x67, .type = 11, .present = true };
      *core_pte (rigs[i], 0x41000) &= (uint8_t) ~1;
      *core_pte (rigs[i], 0x42000) &= (uint8_t) ~2;
      rigs[i]->core->cr0 |= VT_CR0_WP;
    }
  both_run (&both);
  g_assert_cmpuint (vt_ld32 (both.rig[TRANSLATED].mem + 0x3010), ==, 2);
  g_assert_cmpuint (vt_ld32 (both.rig[TRANSLATED].mem + 0x3018), >, 100);
  both_finish (&both);
}

/* The units: SSE with memory that misses and crosses, a misaligned operand (#GP), CR0.TS (#NM), x87 between,
 * an unmasked exception (#XM). */
CORE_CODE (
    units, 64,
    "movl $0x200000, %ebx\n movl $100, %ecx\n cvtsi2sd %ecx, %xmm1\n movapd %xmm1, %xmm8\n fld1\n"
    "1: addsd %xmm8, %xmm1\n movsd %xmm1, 0x1ffc(%rbx)\n mulsd 0x1ffc(%rbx), %xmm8\n sqrtsd %xmm8, %xmm8\n"
    "   faddl 0x1ffc(%rbx)\n movaps %xmm1, (%rbx)\n pxor (%rbx), %xmm2\n pmuludq %xmm1, %xmm2\n"
    "   movq %xmm2, %r10\n addq %r10, %rdx\n addq $0x1010, %rbx\n decl %ecx\n jnz 1b\n"
    "movups %xmm2, 0x3001\n movaps 0x3008, %xmm3\n" /* #GP */
    "movq %cr0, %rax\n orl $8, %eax\n movq %rax, %cr0\n addsd %xmm1, %xmm2\n" /* #NM */
    "movl $0x1d80, 0x3040\n ldmxcsr 0x3040\n xorps %xmm4, %xmm4\n divss %xmm4, %xmm1\n" /* #XM */
    "fstpl 0x3050\n stmxcsr 0x3058\n hlt\n" LABEL (
        units_gp) "incl 0x3060\n addq $8, %rsp\n addq $8, (%rsp)\n iretq\n" LABEL (
            units_nm) "incl 0x3064\n clts\n iretq\n" LABEL (units_xm) "incl 0x3068\n addq $4, (%rsp)\n iretq\n");
extern const uint8_t units_gp[], units_nm[], units_xm[];

static void
test_units (void)
{
  BOTH (units, core_rig_long);
  both_gate (&both, VT_EXC_GP, CORE_AT (units, units_gp));
  both_gate (&both, VT_EXC_NM, CORE_AT (units, units_nm));
  both_gate (&both, VT_EXC_XM, CORE_AT (units, units_xm));
  both_run (&both);
  for (unsigned at = 0x3060; at <= 0x3068; at += 4)
    g_assert_cmpuint (vt_ld32 (both.rig[TRANSLATED].mem + at), ==, 1);
  both_finish (&both);
}

/* AVX-512 by masks, at the end of a page behind which there is none: what a mask leaves out is not touched and
 * does not fault; what it selects does. Behind the first HLT, it goes on from a state that has been moved. */
CORE_CODE (
    avx512, 64,
    "movq %cr4, %rax\n orl $0x40600, %eax\n movq %rax, %cr4\n"
    "xorl %ecx, %ecx\n xorl %edx, %edx\n movl $0xe7, %eax\n xsetbv\n"
    "movl $0x40fe0, %ebx\n movl $0xff, %eax\n kmovw %eax, %k1\n movl $0xaaaa, %eax\n kmovw %eax, %k2\n"
    "vpternlogd $0xff, %zmm5, %zmm5, %zmm5\n vpslld $3, %zmm5, %zmm31\n movl $100, %ecx\n"
    "1: vpaddd %zmm5, %zmm6, %zmm6\n vmovdqu32 %zmm6, (%rbx){%k1}\n vmovdqu32 (%rbx), %zmm7{%k1}{z}\n"
    "   vpaddd %zmm7, %zmm8, %zmm8\n vpaddd %zmm31, %zmm8, %zmm8\n vpcompressd %zmm8, (%rbx){%k2}\n"
    "   vpexpandd (%rbx), %zmm9{%k2}{z}\n vpaddd %zmm9, %zmm10, %zmm10\n"
    "   vpaddd 28(%rbx){1to16}, %zmm10, %zmm10{%k2}\n vpmovqb %zmm10, 24(%rbx){%k1}\n"
    "   vpmovqd %zmm10, (%rbx){%k2}\n decl %ecx\n jnz 1b\n hlt\n"
    "   movl $0x1ff, %eax\n kmovw %eax, %k1\n vmovdqu32 %zmm10, (%rbx){%k1}\n"
    "   vmovdqu64 %zmm8, 0x3000\n vmovdqu64 %zmm10, 0x3040\n vmovdqu64 %zmm31, 0x3080\n"
    "   kmovw %k2, 0x30c0\n hlt\n" LABEL (
        avx512_page) "pushq %rax\n movq %cr2, %rax\n movq %rax, 0x30e0\n shrq $12, %rax\n"
                     "orq $3, 0x13000(,%rax,8)\n movq %cr2, %rax\n invlpg (%rax)\n popq %rax\n"
                     "incl 0x30e8\n addq $8, %rsp\n iretq\n");
extern const uint8_t avx512_page[];

/* The state goes from @rig to a core of its own there. */
static void
move (CoreRig *rig)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  vt_core_store (rig->core, state);
  g_assert_cmphex (state->xcr0, ==, 0xe7);
  vt_core_free (rig->core);
  rig->core = vt_core_new (rig->space, &core_rig_ops, rig);
  state->mp_state = VT_CPU_MP_RUNNABLE;
  vt_core_load (rig->core, state);
}

static void
test_avx512 (void)
{
  BOTH (avx512, core_rig_long);
  CoreRig *const rigs[] = { &both.rig[INTERPRETED], &both.rig[TRANSLATED] };

  if ((vt_unit_features (both.rig[TRANSLATED].core->unit) & VT_FEATURES_AVX512) != VT_FEATURES_AVX512)
    {
      g_test_skip ("this host's processor has no AVX-512");
      both_finish (&both);
      return;
    }
  both_gate (&both, VT_EXC_PF, CORE_AT (avx512, avx512_page));
  for (unsigned i = 0; i < 2; i++)
    {
      *core_pte (rigs[i], 0x41000) &= (uint8_t) ~1;
      rigs[i]->core->xsave_size = VT_CPU_XSAVE;
    }
  both_run (&both);
  g_assert_cmpuint (vt_ld32 (both.rig[TRANSLATED].mem + 0x30e8), ==, 0);
  move (rigs[0]);
  move (rigs[1]);
  both_run (&both);
  g_assert_cmpuint (vt_ld32 (both.rig[TRANSLATED].mem + 0x30e8), ==, 1);
  g_assert_cmphex (vt_ld64 (both.rig[TRANSLATED].mem + 0x30e0), ==, 0x41000);
  g_assert_cmphex (vt_ld32 (both.rig[TRANSLATED].mem + 0x3080), ==, 0xfffffff8);
  g_assert_cmphex (vt_ld16 (both.rig[TRANSLATED].mem + 0x30c0), ==, 0xaaaa);
  both_finish (&both);
}

/* What the interpreter does in between: strings, flags to memory, CPUID's like, ports, shadows. */
CORE_CODE (mixed, 64,
           "movl $0x3000, %edi\n movl $0x1000, %esi\n movl $100, %ecx\n cld\n rep movsb\n"
           "movl $50, %ebx\n"
           "1: stc\n pushfq\n popq %r9\n adcq %r9, %r10\n movl %ebx, %eax\n movw $0x500, %dx\n"
           "   outl %eax, %dx\n inl %dx, %eax\n addq %rax, %r11\n cli\n sti\n nop\n movw %ds, %ax\n"
           "   movw %ax, %ss\n pushq %r11\n popq %r14\n xlatb\n btsq %rbx, 0x3800\n"
           "   addb %ah, 0x3900(%rbx)\n enter $16, $1\n leave\n std\n stosb\n cld\n decl %ebx\n jnz 1b\n"
           "movb $0x2a, %al\n movw $0x402, %dx\n outb %al, %dx\n hlt\n");

static void
test_mixed (void)
{
  BOTH (mixed, core_rig_long);
  both_run (&both);
  both_finish (&both);
}

/* A kernel's ways in and out: system calls with what goes with them, so that blocks begin with what is interpreted and control
 * comes back by the jump table; and faults whose handlers return with RF set to an instruction that faults again, to
 * one that pushes the flags, and to one that interrupts. All that is pushed is compared. */
CORE_CODE (
    kernel, 64,
    "movl $0xc0000082, %ecx\n movl $(kernel_call - base), %eax\n xorl %edx, %edx\n wrmsr\n"
    "movl $0xc0000081, %ecx\n movl $0x00180018, %edx\n xorl %eax, %eax\n wrmsr\n"
    "movl $0xc0000084, %ecx\n movl $0x200, %eax\n xorl %edx, %edx\n wrmsr\n"
    "movl $0xc0000101, %ecx\n movl $0x3000, %eax\n wrmsr\n"
    "movl $0xc0000102, %ecx\n movl $0x4000, %eax\n wrmsr\n"
    "movl $100, %ebp\n xorl %ebx, %ebx\n"
    "1: sti\n nop\n stc\n syscall\n adcq %r11, %rbx\n decl %ebp\n jnz 1b\n"
    "xorl %esi, %esi\n movl $7, %eax\n xorl %edx, %edx\n divl %esi\n addq %rax, %rbx\n"
    "movl $50, %ebp\n"
    "2: ud2\n pushfq\n popq %r13\n addq %r13, %rbx\n ud2\n int $0x40\n ud2\n swapgs\n sti\n ud2\n cli\n"
    "   rolq $5, %rbx\n decl %ebp\n jnz 2b\n hlt\n" LABEL (
        kernel_call) "swapgs\n incq %gs:8\n movq %cr3, %rax\n movq %rax, %cr3\n pushfq\n popq %rax\n"
                     "addq %rax, %rbx\n sti\n pushfq\n sti\n popq %rax\n addq %rax, %rbx\n stac\n"
                     "pushfq\n clac\n clac\n popq %rax\n addq %rax, %rbx\n cmpq %rax, %rbx\n cli\n"
                     "setb %al\n adcb %al, 0x3100\n swapgs\n incq %gs:8\n movl $16, %edx\n"
                     "movl %edx, %ss\n pushq %r11\n popfq\n jmpq *%rcx\n"
    LABEL (kernel_divide) "incl %edi\n cmpl $3, %edi\n jb 3f\n incl %esi\n 3: iretq\n"
    LABEL (kernel_undefined) "addq $2, (%rsp)\n addq 16(%rsp), %rbx\n iretq\n"
    LABEL (kernel_int) "addq 16(%rsp), %rbx\n iretq\n");
extern const uint8_t kernel_divide[], kernel_undefined[], kernel_int[];

static void
test_kernel (void)
{
  BOTH (kernel, core_rig_long);
  both_gate (&both, VT_EXC_DE, CORE_AT (kernel, kernel_divide));
  both_gate (&both, VT_EXC_UD, CORE_AT (kernel, kernel_undefined));
  both_gate (&both, 0x40, CORE_AT (kernel, kernel_int));
  both_run (&both);
  g_assert_cmphex (both.rig[TRANSLATED].core->kernel_gs_base, ==, both.rig[INTERPRETED].core->kernel_gs_base);
  g_assert_cmpuint (both.rig[TRANSLATED].core->gpr[VT_CPU_RSI], ==, 1);
  g_assert_cmpuint (vt_ld64 (both.rig[TRANSLATED].mem + 0x3008), ==, 100);
  g_assert_cmpuint (vt_ld64 (both.rig[TRANSLATED].mem + 0x4008), ==, 100);
  both_finish (&both);
}

/* Modes: from real mode through 32 bits to 64, and down to compatibility mode and back. */
CORE_CODE (modes, 64,
           "movl $30, %ebp\n"
           "1: addl %ebp, 0x3000\n pushq $8\n pushq $(2f - base)\n lretq\n .code32\n"
           "2: addl %ebp, 0x3004\n decl %ebp\n ljmpl $24, $(3f - base)\n .code64\n"
           "3: testl %ebp, %ebp\n jnz 1b\n hlt\n");

static void
test_modes (void)
{
  BOTH (modes, core_rig_long);
  both_run (&both);
  both_finish (&both);
}

/* Others ------------------------------------------------------------------------------------------ */

/* Chaos ends runs early. */
static VtStep
run_to_halt (VtCore *core)
{
  VtStep step;

  do
    step = vt_translate (core, UINT64_MAX, NULL);
  while (core->chaos && step == VT_STEP_DONE && !core->requests);
  return step;
}

CORE_CODE (forever, 64, "1: incq %rax\n movq %rax, 0x3000\n jmp 1b\n");

static void *
stop_cb (void *data)
{
  CoreRig *rig = data;

  /* Until it runs. */
  while (vt_ld64 (rig->mem + 0x3000) < 1000)
    g_thread_yield ();
  vt_core_request (rig->core, VT_CORE_STOP);
  return NULL;
}

/* A loop that never leaves translated code ends when it's asked to, and goes on afterwards. */
static void
test_request (void)
{
  CoreRig rig;

  core_rig_init (&rig);
  CORE_PUT (&rig, forever);
  core_rig_long (&rig, 0x1000);
  for (unsigned i = 0; i < 3; i++)
    {
      vt_st64 (rig.mem + 0x3000, 0);
      rig.core->gpr[VT_CPU_RAX] = 0;
      GThread *thread = g_thread_new ("stop", stop_cb, &rig);
      g_assert_cmpint (run_to_halt (rig.core), ==, VT_STEP_DONE);
      g_thread_join (thread);
      g_assert_cmphex (rig.core->requests, ==, VT_CORE_STOP);
      g_assert_cmpuint (rig.core->gpr[VT_CPU_RAX], >=, 1000);
      rig.core->requests = 0;
    }
  core_rig_finish (&rig);
}

/* Code that a device writes, while it runs. */
CORE_CODE (dma, 64,
           "1: call base + 0x9000\n incl 0xa040\n cmpl $0, 0xa000\n je 1b\n"
           "movq %rax, %cr2\n call base + 0x9000\n hlt\n");

static void *
dma_cb (void *data)
{
  static const uint8_t second[] = { 0xba, 5, 0, 0, 0, 0xc3 }, one = 1;
  CoreRig             *rig = data;
  VtMemory            *memory = vt_memory_new (rig->space);

  while (vt_ld32 (rig->mem + 0xa040) < 1000)
    g_thread_yield ();
  g_assert_true (vt_memory_write (memory, 0x9000, second, sizeof second));
  g_assert_true (vt_memory_write (memory, 0xa000, &one, 1));
  vt_memory_free (memory);
  return NULL;
}

static void
test_dma (void)
{
  static const uint8_t first[] = { 0xba, 0, 0, 0, 0, 0xc3 };
  CoreRig              rig;

  core_rig_init (&rig);
  CORE_PUT (&rig, dma);
  memcpy (rig.mem + 0x9000, first, sizeof first);
  core_rig_long (&rig, 0x1000);
  GThread *thread = g_thread_new ("dma", dma_cb, &rig);
  g_assert_cmpint (run_to_halt (rig.core), ==, VT_STEP_HALTED);
  g_thread_join (thread);
  g_assert_cmpuint (rig.core->gpr[VT_CPU_RDX], ==, 5);
  core_rig_finish (&rig);
}

/* More pages are written while a core stands than it is told of one by one. */
static void
test_lost (void)
{
  static const uint8_t first[] = { 0xba, 1, 0, 0, 0, 0xc3 }, second[] = { 0xba, 5, 0, 0, 0, 0xc3 };
  const uint32_t       on = 1;
  CoreRig              rig;

  core_rig_init (&rig);
  CORE_PUT (&rig, dma);
  memcpy (rig.mem + 0x9000, first, sizeof first);
  memcpy (rig.mem + 0xa000, &on, sizeof on);
  core_rig_long (&rig, 0x1000);
  g_assert_cmpint (run_to_halt (rig.core), ==, VT_STEP_HALTED);
  g_assert_cmpuint (rig.core->gpr[VT_CPU_RDX], ==, 1);
  for (unsigned i = 0; i < 5000; i++)
    {
      vt_ram_watch (rig.space, rig.ram, 0x100000, NULL);
      vt_ram_mark_dirty (rig.ram, 0x100000, 1);
    }
  memcpy (rig.mem + 0x9000, second, sizeof second);
  vt_ram_mark_dirty (rig.ram, 0x9000, sizeof second);
  rig.core->rip = 0x1000;
  rig.core->mp_state = VT_CPU_MP_RUNNABLE;
  g_assert_cmpint (run_to_halt (rig.core), ==, VT_STEP_HALTED);
  g_assert_cmpuint (rig.core->gpr[VT_CPU_RDX], ==, 5);
  core_rig_finish (&rig);
}

/* Code that another core writes: that one puts a number into a function and says so; this one, told,
 * serializes, calls it, and answers with what it got. */
CORE_CODE (writer, 64,
           "movl $1, %ecx\n"
           "1: movl %ecx, 0x9001\n movl %ecx, 0xa000\n"
           "2: pause\n cmpl %ecx, 0xa040\n jne 2b\n incl %ecx\n cmpl $3000, %ecx\n jne 1b\n hlt\n");
CORE_CODE (reader, 64,
           "movl $1, %ecx\n"
           "1: pause\n cmpl %ecx, 0xa000\n jne 1b\n movq %rax, %cr2\n call base + 0x9000\n"
           "cmpl %edx, %ecx\n jne 3f\n movl %ecx, 0xa040\n incl %ecx\n cmpl $3000, %ecx\n jne 1b\n"
           "movl $1, %esi\n hlt\n 3: movl $2, %esi\n movl $-1, 0xa040\n hlt\n");

typedef struct
{
  VtCore *core;
  VtStep  step;
} Other;

static void *
other_cb (void *data)
{
  Other *other = data;

  other->step = run_to_halt (other->core);
  return NULL;
}

static void
test_other_core (void)
{
  static const uint8_t  function[] = { 0xba, 0, 0, 0, 0, 0xc3 };
  CoreRig               rig;
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  Other                 writer = { 0 };

  core_rig_init (&rig);
  CORE_PUT (&rig, reader);
  memcpy (rig.mem + 0x2000, code_writer, (size_t) (code_writer_end - code_writer));
  memcpy (rig.mem + 0x9000, function, sizeof function);
  core_rig_long (&rig, 0x1000);
  vt_core_store (rig.core, state);
  writer.core = vt_core_new (rig.space, &core_rig_ops, &rig);
  state->rip = 0x2000;
  state->gpr[VT_CPU_RSP] = 0x7000;
  vt_core_load (writer.core, state);

  GThread *thread = g_thread_new ("writer", other_cb, &writer);
  g_assert_cmpint (run_to_halt (rig.core), ==, VT_STEP_HALTED);
  vt_core_request (writer.core, VT_CORE_STOP);
  g_thread_join (thread);
  g_assert_cmpuint (rig.core->gpr[VT_CPU_RSI], ==, 1);
  vt_core_free (writer.core);
  core_rig_finish (&rig);
}

/* What another core may be writing outside of the translator, as the delivery of an event does, is not translated
 * until that one has looked: a store through its TLB tells nobody. */
CORE_CODE (store_once, 64, "movl $0xba, %eax\n movb %al, 0x9000\n hlt\n");
CORE_CODE (call_once, 64, "xorl %edx, %edx\n call base + 0x9000\n hlt\n");

static void
store_cb (VtCore *core, void *arg)
{
  vt_mmu_store (core, 0x9001, 4, *(const uint32_t *) arg, VT_SET_KERNEL);
}

static void
test_delivery (void)
{
  static const uint8_t  function[] = { 0xba, 1, 0, 0, 0, 0xc3 }; /* movl $1, %edx; ret */
  CoreRig               rig;
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  uint32_t              value = 1;

  core_rig_init (&rig);
  CORE_PUT (&rig, call_once);
  memcpy (rig.mem + 0x2000, code_store_once, (size_t) (code_store_once_end - code_store_once));
  memcpy (rig.mem + 0x9000, function, sizeof function);
  core_rig_long (&rig, 0x1000);
  vt_core_store (rig.core, state);
  VtCore *other = vt_core_new (rig.space, &core_rig_ops, &rig);
  state->rip = 0x2000;
  vt_core_load (other, state);
  g_assert_cmpint (run_to_halt (other), ==, VT_STEP_HALTED);
  for (unsigned i = 0; i < 20; i++)
    {
      /* It stands, and is about to deliver. */
      vt_translate_begin_writes (other);
      for (unsigned n = 0; n < 3; n++)
        {
          rig.core->rip = 0x1000;
          rig.core->mp_state = VT_CPU_MP_RUNNABLE;
          g_assert_cmpint (run_to_halt (rig.core), ==, VT_STEP_HALTED);
          g_assert_cmpuint (rig.core->gpr[VT_CPU_RDX], ==, value);
          value++;
          g_assert_cmpint (vt_core_try (other, store_cb, &value), ==, VT_CATCH_NONE);
        }
      vt_translate_end_writes (other);
      rig.core->rip = 0x1000;
      rig.core->mp_state = VT_CPU_MP_RUNNABLE;
      g_assert_cmpint (run_to_halt (rig.core), ==, VT_STEP_HALTED);
      g_assert_cmpuint (rig.core->gpr[VT_CPU_RDX], ==, value);
    }
  vt_core_free (other);
  core_rig_finish (&rig);
}

/* RAM that is moved takes its code along. */
static void
test_flush (void)
{
  CoreRig rig;

  core_rig_init (&rig);
  CORE_PUT (&rig, flow);
  core_rig_long (&rig, 0x1000);
  vt_core_request (rig.core, VT_CORE_FLUSH);
  g_assert_cmpint (run_to_halt (rig.core), ==, VT_STEP_HALTED);
  g_assert_cmphex (rig.core->requests, ==, 0);
  core_rig_finish (&rig);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate/flow", test_flow);
  g_test_add_func ("/translate/pages", test_pages);
  g_test_add_func ("/translate/memory", test_memory);
  g_test_add_func ("/translate/modify", test_modify);
  g_test_add_func ("/translate/remap", test_remap);
  g_test_add_func ("/translate/border", test_border);
  g_test_add_func ("/translate/faults", test_faults);
  g_test_add_func ("/translate/groups", test_groups);
  g_test_add_func ("/translate/units", test_units);
  g_test_add_func ("/translate/avx512", test_avx512);
  g_test_add_func ("/translate/mixed", test_mixed);
  g_test_add_func ("/translate/kernel", test_kernel);
  g_test_add_func ("/translate/modes", test_modes);
  g_test_add_func ("/translate/request", test_request);
  g_test_add_func ("/translate/dma", test_dma);
  g_test_add_func ("/translate/lost", test_lost);
  g_test_add_func ("/translate/other-core", test_other_core);
  g_test_add_func ("/translate/delivery", test_delivery);
  g_test_add_func ("/translate/flush", test_flush);
  return g_test_run ();
}
