/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The handler of SMIs that smm.c copies to where a processor enters system management mode: it notes the saved
 * state, does what smm.c asks for, and returns. Its data segments are flat.
 */
        .section .text
        .globl  smm_handler, smm_handler_end
        .code16
smm_handler:
        addr32 incl    smm_count
        xorl    %esi, %esi
1:      movl    %cs:0xfe00(%esi), %eax
        movl    %eax, smm_seen(%esi)
        addl    $4, %esi
        cmpl    $512, %esi
        jb      1b
        addr32 movl    smm_peek_at, %ebx
        movl    (%ebx), %eax
        addr32 movl    %eax, smm_peeked
        addr32 movl    smm_poke_at, %ebx
        testl   %ebx, %ebx
        jz      2f
        addr32 movl    smm_poke, %eax
        movl    %eax, (%ebx)
        addr32 movl    $0, smm_poke_at
2:      addr32 cmpl    $0, smm_again
        je      3f
        addr32 movl    $0, smm_again
        movb    $0x55, %al
        outb    %al, $0xb2
        movl    $1000, %ecx
4:      decl    %ecx
        jnz     4b
        addr32 movl    smm_count, %eax
        addr32 movl    %eax, smm_count_inside
3:      addr32 movl    smm_patch_at, %ebx
        testl   %ebx, %ebx
        jz      5f
        addr32 movl    smm_patch, %eax
        movl    %eax, %cs:(%ebx)
        addr32 movl    $0, smm_patch_at
5:      rsm
smm_handler_end:

        .code64
        .globl  smm_ask, smm_after
/* void smm_ask (uint64_t out[2]): an SMI, with registers that are known, and what some of them are behind it. */
smm_ask:
        pushq   %rbx
        pushq   %r15
        movq    %rdi, %rcx
        movabsq $0x1122334455667788, %rbx
        movabsq $0x8877665544332211, %r15
        movl    $0x42, %eax
        outb    %al, $0xb2
smm_after:
        movq    %rbx, (%rcx)
        movq    %r15, 8(%rcx)
        popq    %r15
        popq    %rbx
        ret

        .section .bss
        .align  8
        .globl  smm_count, smm_seen, smm_peek_at, smm_peeked, smm_poke_at, smm_poke, smm_again, smm_count_inside
        .globl  smm_patch_at, smm_patch
smm_seen:         .skip 512
smm_count:        .skip 4
smm_peek_at:      .skip 4
smm_peeked:       .skip 4
smm_poke_at:      .skip 4
smm_poke:         .skip 4
smm_again:        .skip 4
smm_count_inside: .skip 4
smm_patch_at:     .skip 4
smm_patch:        .skip 4

        .section .note.GNU-stack, "", @progbits
