/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Code that is expected to trap: it is called or entered at privilege 3, and whatever exception or
 * interrupt comes leads back to the caller, with what was seen in the trap_ variables.
 */
        .section .text
        .code64
        .globl  trap_run, trap_user, trap_vectors, trap_back

        .macro  save_callee
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, trap_stack
        movq    $1, trap_armed
        .endm

/* unsigned trap_run (void (*code) (uint64_t), uint64_t argument): the vector; 256: it has returned. */
trap_run:
        save_callee
        movq    %rdi, %rax
        movq    %rsi, %rdi
        call    *%rax
        movl    $256, %eax
trap_out:
        movq    $0, trap_armed
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

/* unsigned trap_user (uint64_t rip, uint64_t argument, uint64_t rsp, uint64_t rflags) */
trap_user:
        save_callee
        pushq   $0x2b
        pushq   %rdx
        pushq   %rcx
        pushq   $0x33
        pushq   %rdi
        movq    %rsi, %rdi
        iretq

/* A stub for each vector, 32 bytes apart. */
        .macro  stub n
        .align  32
        .if     \n == 8 || (\n >= 10 && \n <= 14) || \n == 17 || \n == 21
        .else
        pushq   $0
        .endif
        pushq   $\n
        jmp     trapped
        .endm
        .align  32
trap_vectors:
        .set    v, 0
        .rept   256
        stub    v
        .set    v, v + 1
        .endr

trapped:
        cmpq    $0, trap_armed
        je      1f
        movq    %rax, trap_rax
        popq    trap_vector
        popq    trap_error
        movq    %rsp, trap_at
trap_frame:
        popq    trap_rip
        popq    trap_cs
        popq    trap_rflags
        popq    trap_rsp
        popq    trap_ss
        movq    %cr2, %rax
        movq    %rax, trap_cr2
        movq    %db6, %rax
        movq    %rax, trap_dr6
trap_back:
        movq    trap_stack, %rsp
        pushq   $2
        popfq
        movl    trap_vector, %eax
        jmp     trap_out
        /* Nobody has asked for it. */
1:      popq    %rdi
        addq    $8, %rsp
        movq    (%rsp), %rsi
        call    trap_unasked

        .section .bss
        .align  8
        .globl  trap_vector, trap_error, trap_rip, trap_cs, trap_rflags, trap_rsp, trap_ss, trap_cr2
        .globl  trap_dr6, trap_rax, trap_at, trap_armed, trap_stack
        .macro  variable name
\name:  .skip   8
        .endm
        variable trap_vector
        variable trap_error
        variable trap_rip
        variable trap_cs
        variable trap_rflags
        variable trap_rsp
        variable trap_ss
        variable trap_cr2
        variable trap_dr6
        variable trap_rax
        variable trap_at
        variable trap_armed
        variable trap_stack

        .section .note.GNU-stack, "", @progbits
