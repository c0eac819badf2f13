/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The way into a form and out of it, and the signals that end one early.
 */
#include <stddef.h>

#include "unit.h"

void vt_unit_enter (VtUnitCall *call);
void vt_unit_enter_registers (VtUnitCall *call);
extern const char vt_unit_landing[], vt_unit_landing_registers[];

/* The offsets in the code below. */
G_STATIC_ASSERT (offsetof (VtUnitCall, flags) == 128);
G_STATIC_ASSERT (offsetof (VtUnitCall, code) == 136);
G_STATIC_ASSERT (offsetof (VtUnitCall, features) == 144);
G_STATIC_ASSERT (offsetof (VtUnitCall, guest) == 152);
G_STATIC_ASSERT (offsetof (VtUnitCall, host) == 160);
G_STATIC_ASSERT (offsetof (VtUnitCall, rsp) == 168);
G_STATIC_ASSERT (offsetof (VtUnitCall, registers) == 176);
G_STATIC_ASSERT (offsetof (VtUnitRegisters, mask) == 320);
G_STATIC_ASSERT (offsetof (VtUnitRegisters, mxcsr) == 360);
G_STATIC_ASSERT (offsetof (VtUnitRegisters, size) == 364);

__asm__ (
    ".pushsection .text\n"
    ".type vt_unit_enter, @function\n"
    ".globl vt_unit_enter, vt_unit_landing\n"
    ".hidden vt_unit_enter, vt_unit_landing\n"
    "vt_unit_enter:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, 168(%rdi)\n"
    "  movl 144(%rdi), %eax\n  movl 148(%rdi), %edx\n"
    "  movl %eax, %ecx\n  orl %edx, %ecx\n  jz 1f\n"
    "  movq 160(%rdi), %rcx\n  xsave64 (%rcx)\n"
    "  movq 152(%rdi), %rcx\n  xrstor64 (%rcx)\n"
    "1:pushq %rdi\n  pushq 136(%rdi)\n"
    "  pushq 128(%rdi)\n  popfq\n"
    "  movq 0(%rdi), %rax\n  movq 8(%rdi), %rcx\n  movq 16(%rdi), %rdx\n  movq 24(%rdi), %rbx\n"
    "  movq 40(%rdi), %rbp\n  movq 48(%rdi), %rsi\n"
    "  movq 64(%rdi), %r8\n  movq 72(%rdi), %r9\n  movq 80(%rdi), %r10\n  movq 88(%rdi), %r11\n"
    "  movq 96(%rdi), %r12\n  movq 104(%rdi), %r13\n  movq 112(%rdi), %r14\n  movq 120(%rdi), %r15\n"
    "  movq 56(%rdi), %rdi\n"
    "  call *(%rsp)\n"
    "  xchgq %rdi, 8(%rsp)\n"
    "  movq %rax, 0(%rdi)\n  movq %rcx, 8(%rdi)\n  movq %rdx, 16(%rdi)\n  movq %rbx, 24(%rdi)\n"
    "  movq %rbp, 40(%rdi)\n  movq %rsi, 48(%rdi)\n"
    "  movq %r8, 64(%rdi)\n  movq %r9, 72(%rdi)\n  movq %r10, 80(%rdi)\n  movq %r11, 88(%rdi)\n"
    "  movq %r12, 96(%rdi)\n  movq %r13, 104(%rdi)\n  movq %r14, 112(%rdi)\n  movq %r15, 120(%rdi)\n"
    "  pushfq\n  popq 128(%rdi)\n"
    "  movq 8(%rsp), %rax\n  movq %rax, 56(%rdi)\n"
    "  movl 144(%rdi), %eax\n  movl 148(%rdi), %edx\n"
    "  movl %eax, %ecx\n  orl %edx, %ecx\n  jz 2f\n"
    "  movq 152(%rdi), %rcx\n  xsave64 (%rcx)\n"
    /* A signal lands here, with RDI and RSP put right: the guest's state stays as it was. */
    "vt_unit_landing:\n"
    "  movl 144(%rdi), %eax\n  movl 148(%rdi), %edx\n"
    "  movl %eax, %ecx\n  orl %edx, %ecx\n  jz 2f\n"
    "  movq 160(%rdi), %rcx\n  xrstor64 (%rcx)\n"
    "2:cld\n"
    "  movq 168(%rdi), %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size vt_unit_enter, . - vt_unit_enter\n"
    ".popsection\n");

/* Vectors and masks are the callee's to use, but for MXCSR; so are the general registers that no form has.
 * Flags are only taken out, as no form reads them that comes here. */
__asm__ (
    ".pushsection .text\n"
    ".type vt_unit_enter_registers, @function\n"
    ".globl vt_unit_enter_registers, vt_unit_landing_registers\n"
    ".hidden vt_unit_enter_registers, vt_unit_landing_registers\n"
    "vt_unit_enter_registers:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %rax\n  stmxcsr (%rsp)\n"
    "  movq %rsp, 168(%rdi)\n"
    "  movq 176(%rdi), %rax\n  ldmxcsr 360(%rax)\n"
    "  cmpl $32, 364(%rax)\n  je 1f\n  ja 2f\n"
    "  movups (%rax), %xmm0\n  movups 64(%rax), %xmm1\n  movups 128(%rax), %xmm2\n"
    "  movups 192(%rax), %xmm3\n  movups 256(%rax), %xmm4\n  jmp 3f\n"
    "1:vmovups (%rax), %ymm0\n  vmovups 64(%rax), %ymm1\n  vmovups 128(%rax), %ymm2\n"
    "  vmovups 192(%rax), %ymm3\n  vmovups 256(%rax), %ymm4\n  jmp 3f\n"
    "2:vmovups (%rax), %zmm0\n  vmovups 64(%rax), %zmm1\n  vmovups 128(%rax), %zmm2\n"
    "  vmovups 192(%rax), %zmm3\n  vmovups 256(%rax), %zmm4\n"
    "  kmovq 328(%rax), %k1\n  kmovq 336(%rax), %k2\n  kmovq 344(%rax), %k3\n  kmovq 352(%rax), %k4\n"
    "3:pushq %rdi\n  pushq 136(%rdi)\n"
    "  movq 0(%rdi), %rax\n  movq 8(%rdi), %rcx\n  movq 16(%rdi), %rdx\n  movq 24(%rdi), %rbx\n"
    "  movq 40(%rdi), %rbp\n  movq 48(%rdi), %rsi\n  movq 56(%rdi), %rdi\n"
    "  call *(%rsp)\n"
    "  movq 8(%rsp), %rdi\n"
    "  movq %rcx, 8(%rdi)\n  movq %rbx, 24(%rdi)\n  movq %rbp, 40(%rdi)\n  movq %rsi, 48(%rdi)\n"
    "  pushfq\n  popq 128(%rdi)\n"
    "  movq 176(%rdi), %rax\n  stmxcsr 360(%rax)\n"
    "  cmpl $32, 364(%rax)\n  je 1f\n  ja 2f\n"
    "  movups %xmm0, (%rax)\n  movups %xmm1, 64(%rax)\n  movups %xmm2, 128(%rax)\n"
    "  movups %xmm3, 192(%rax)\n  movups %xmm4, 256(%rax)\n  jmp vt_unit_landing_registers\n"
    "1:vmovups %ymm0, (%rax)\n  vmovups %ymm1, 64(%rax)\n  vmovups %ymm2, 128(%rax)\n"
    "  vmovups %ymm3, 192(%rax)\n  vmovups %ymm4, 256(%rax)\n  vzeroupper\n  jmp vt_unit_landing_registers\n"
    "2:vmovups %zmm0, (%rax)\n  vmovups %zmm1, 64(%rax)\n  vmovups %zmm2, 128(%rax)\n"
    "  vmovups %zmm3, 192(%rax)\n  vmovups %zmm4, 256(%rax)\n"
    "  kmovq %k1, 328(%rax)\n  kmovq %k2, 336(%rax)\n  kmovq %k3, 344(%rax)\n  kmovq %k4, 352(%rax)\n"
    "  vzeroupper\n"
    "vt_unit_landing_registers:\n"
    "  movq 168(%rdi), %rsp\n  ldmxcsr (%rsp)\n"
    "  popq %rax\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size vt_unit_enter_registers, . - vt_unit_enter_registers\n"
    ".popsection\n");

static void
land_cb (VtTrap *trap, int signal, ucontext_t *at)
{
  VtUnitCall *call = (VtUnitCall *) (void *) ((uint8_t *) trap - offsetof (VtUnitCall, trap));

  call->signal = (uint32_t) signal;
  if (at->uc_mcontext.fpregs)
    call->mxcsr = at->uc_mcontext.fpregs->mxcsr;
  at->uc_mcontext.gregs[REG_RDI] = (greg_t) (uintptr_t) call;
  at->uc_mcontext.gregs[REG_RSP] = (greg_t) call->rsp;
  at->uc_mcontext.gregs[REG_RIP] =
      (greg_t) (uintptr_t) (call->registers ? vt_unit_landing_registers : vt_unit_landing);
  at->uc_mcontext.gregs[REG_EFL] &= ~(greg_t) VT_FLAG_DF;
}

uint32_t
vt_unit_call (VtUnitCall *call)
{
  /* Only the form's instruction may fault, which is its first. */
  call->trap = (VtTrap){ .first = call->code, .last = call->code, .land = land_cb };
  call->signal = 0;
  VtTrap *const outer = vt_trap_set (&call->trap);
  if (call->registers)
    vt_unit_enter_registers (call);
  else
    vt_unit_enter (call);
  vt_trap_set (outer);
  return call->signal;
}
