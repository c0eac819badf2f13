/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From 64-bit mode down to real mode, where the BIOS is asked for two things, and back up: every
 * change of mode in between (SDM volume 3, 9.9 and 9.8.5.4).
 *
 * The part from low to low_end is copied to 0x9000, since real mode reaches it there.
 */
#define LOW(x) (0x9000 + ((x) - low))

        .section .text
        .code64
        .globl  visit_real_mode, low, low_end
        /* bool visit_real_mode (void): what int 12h returned in AX, or 0. */
visit_real_mode:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        sidt    saved_idt
        movq    %rsp, saved_rsp
        pushq   $24                     /* 32-bit code */
        pushq   $down32
        lretq
        .code32
down32:
        movl    $32, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $0x9000, %esp           /* Below the copy. */
        movl    %cr0, %eax
        andl    $0x7fffffff, %eax       /* Paging off leaves long mode. */
        movl    %eax, %cr0
        movl    $0xc0000080, %ecx
        rdmsr
        andl    $0xfffffeff, %eax
        wrmsr
        lidt    real_idt
        lgdt    LOW (modes_gdt_pointer)
        ljmp    $8, $LOW (low)          /* 16-bit code */

        .code16
low:
        movw    $16, %ax                /* 64 KiB limits, as real mode wants them. */
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    %cr0, %eax
        andb    $0xfe, %al
        movl    %eax, %cr0
        ljmp    $0, $LOW (real)
real:
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x9000, %sp
        movw    $0x0003, %ax            /* Video: 80 by 25 text. */
        int     $0x10
        movw    $LOW (message), %si
1:      lodsb
        testb   %al, %al
        jz      2f
        movb    $0x0e, %ah              /* Teletype. */
        movw    $0x0007, %bx
        int     $0x10
        jmp     1b
2:      int     $0x12                   /* KiB of conventional memory. */
        movzwl  %ax, %esi
        cli
        lgdtl   LOW (boot_gdt_pointer)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $24, $up32
message:
        .asciz  "REAL MODE SAYS HELLO\r\n"
        .align  8
modes_gdt:
        .quad   0
        .quad   0x00009b000000ffff      /*  8: 16-bit code */
        .quad   0x000093000000ffff      /* 16: 16-bit data */
modes_gdt_pointer:
        .word   . - modes_gdt - 1
        .long   LOW (modes_gdt)
boot_gdt_pointer:
        .word   5 * 8 - 1               /* start.S's table. */
        .long   gdt
low_end:

        .code32
up32:
        movl    $32, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $0x9000, %esp
        call    enter_long
        .code64
        movq    saved_rsp, %rsp
        lidt    saved_idt
        movl    %esi, %eax
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

        .section .data
        .align  8
saved_rsp:
        .quad   0
saved_idt:
        .skip   16
real_idt:
        .word   0x3ff
        .long   0

        .section .note.GNU-stack, "", @progbits
