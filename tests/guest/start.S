/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Entry of the test guest: PVH (32-bit protected mode, paging off) to long mode, and the real-mode
 * trampoline by which application processors come the same way.
 */
        .section .note.pvh, "a", @note
        .align  4
        .long   4, 4, 18                /* XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz  "Xen"
        .long   start32

        .section .head, "ax"
        .code32
        .globl  start32
start32:
        cld
        cli
        movl    %ebx, %esi              /* hvm_start_info, kept for main's first argument. */
        movl    $stack_top, %esp
        /* Identity-map 4 GiB with 2 MiB pages: PML4, one PDPT, four page directories. */
        movl    $(pdpt + 3), pml4
        movl    $(pds + 3), %eax
        movl    $pdpt, %edi
        movl    $4, %ecx
1:      movl    %eax, (%edi)
        addl    $0x1000, %eax
        addl    $8, %edi
        loop    1b
        movl    $0x83, %eax
        movl    $pds, %edi
        movl    $2048, %ecx
2:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    2b
        call    enter_long
        .code64
        movl    %esi, %edi
        call    main
3:      hlt
        jmp     3b

        .code32
        .globl  enter_long
enter_long:
        popl    %edx                    /* The 64-bit code to go on at. */
        lgdt    gdt_pointer
        movl    %cr4, %eax
        orl     $0x20, %eax             /* PAE */
        movl    %eax, %cr4
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx       /* EFER.LME; rdmsr clobbers edx. */
        movl    %edx, %ebp
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        ljmp    $8, $4f
        .code64
4:      movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        jmp     *%rbp

/* The page at 0x8000 that a SIPI with vector 8 starts, copied there by the guest. */
        .code16
        .globl  trampoline, trampoline_end
trampoline:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        lgdtl   0x8000 + (5f - trampoline)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $24, $ap32
        .align  4
5:      .word   gdt_end - gdt - 1
        .long   gdt
trampoline_end:

        .code32
ap32:
        movl    $32, %eax
        movl    %eax, %ds
        movl    %eax, %ss
        movl    $ap_stack_top, %esp
        call    enter_long
        .code64
        call    ap_main
6:      hlt
        jmp     6b

/* One stub for each vector; the handler gets the vector. Error codes do not come here: an exception
 * is the end, and its handler is fatal(). */
        .globl  vectors
        .macro  stub n
        .align  16
        pushq   $\n
        jmp     common
        .endm
        .align  16
vectors:
        .set    v, 0
        .rept   256
        stub    v
        .set    v, v + 1
        .endr
common:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        movq    72(%rsp), %rdi
        movq    80(%rsp), %rsi
        call    interrupt
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rax
        addq    $8, %rsp
        iretq

        .section .data
        .align  16
        .globl  gdt
gdt:    .quad   0
        .quad   0x00af9b000000ffff      /*  8: 64-bit code */
        .quad   0x00cf93000000ffff      /* 16: data */
        .quad   0x00cf9b000000ffff      /* 24: 32-bit code */
        .quad   0x00cf93000000ffff      /* 32: data */
gdt_end:
gdt_pointer:
        .word   gdt_end - gdt - 1
        .quad   gdt

        .section .bss
        .align  4096
        .globl  pml4, pdpt, pds
pml4:   .skip   4096
pdpt:   .skip   4096
pds:    .skip   4 * 4096
        .globl  ap_stack_top
        .skip   8192
stack_top:
        .skip   8192
ap_stack_top:

        .section .note.GNU-stack, "", @progbits
