/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From the host's state to the guest's and back. In translated code RSP is the guest's: no signal may be
 * handled there on what is taken for a stack. So those that only come from outside are held back, and those
 * that the code itself raises go to another stack, whatever RSP says (SS_AUTODISARM: the kernel otherwise
 * believes an RSP that points into the other stack).
 */
#include <asm/prctl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "blocks.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
#define HWCAP2_FSGSBASE_BIT 2u
#define KERNEL_SIGSET 8u

/* The offsets in the code below; what comes out of it stands behind the registers. */
#define FAST(field) (offsetof (VtCore, fast) + offsetof (VtFast, field))
G_STATIC_ASSERT (offsetof (VtCore, gpr) == 0);
G_STATIC_ASSERT (FAST (flags) == 152);
G_STATIC_ASSERT (FAST (host_rsp) == 160);
G_STATIC_ASSERT (FAST (target) == 168);
G_STATIC_ASSERT (FAST (features) == 200);
G_STATIC_ASSERT (FAST (image) == 208);
G_STATIC_ASSERT (FAST (absent) == 220);
G_STATIC_ASSERT (FAST (load) == 224);
G_STATIC_ASSERT (FAST (fresh) == 228);
G_STATIC_ASSERT (FAST (exit) == 216);
G_STATIC_ASSERT (FAST (to) == 456);

__asm__ (
    ".pushsection .text\n"
    ".type vt_block_enter, @function\n"
    ".globl vt_block_enter, vt_block_leave, vt_block_quick\n"
    ".hidden vt_block_enter, vt_block_leave, vt_block_quick\n"
    ".macro save\n"
    "  movq %rax, %gs:0\n  movq %rcx, %gs:8\n  movq %rdx, %gs:16\n  movq %rbx, %gs:24\n"
    "  movq %rsp, %gs:32\n  movq %rbp, %gs:40\n  movq %rsi, %gs:48\n  movq %rdi, %gs:56\n"
    "  movq %r8, %gs:64\n"
    "  movq %r12, %gs:96\n  movq %r13, %gs:104\n  movq %r14, %gs:112\n  movq %r15, %gs:120\n"
    "  movq %gs:160, %rsp\n"
    "  pushfq\n  popq %gs:152\n"
    "  cld\n"
    ".endm\n"
    "vt_block_enter:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  subq $24, %rsp\n  stmxcsr (%rsp)\n  fnstcw 4(%rsp)\n  movq %rdi, 8(%rsp)\n"
    "  movq %rsp, 160(%rdi)\n"
    "  movq %rsi, 168(%rdi)\n"
    "  cmpl $0, 224(%rdi)\n  je 1f\n"
    "  movl $0, 224(%rdi)\n  movl $0, 220(%rdi)\n"
    "  movl 200(%rdi), %eax\n  movl 204(%rdi), %edx\n"
    "  movq 208(%rdi), %rcx\n  xrstor64 (%rcx)\n"
    "1:cmpl $0, 228(%rdi)\n  je 2f\n"
    "  movl $0, 228(%rdi)\n"
    /* What was written by another address is executed safely behind a serializing instruction (SDM
     * volume 3, 8.1.3). */
    "  movq %rsp, %rax\n  movl %ss, %ecx\n  pushq %rcx\n  pushq %rax\n  pushfq\n"
    "  movl %cs, %ecx\n  pushq %rcx\n  leaq 2f(%rip), %rcx\n  pushq %rcx\n  iretq\n"
    "2:movq 456(%rdi), %r11\n"
    "  pushq 152(%rdi)\n  popfq\n"
    "  movq 0(%rdi), %rax\n  movq 8(%rdi), %rcx\n  movq 16(%rdi), %rdx\n  movq 24(%rdi), %rbx\n"
    "  movq 32(%rdi), %rsp\n  movq 40(%rdi), %rbp\n  movq 48(%rdi), %rsi\n"
    "  movq 64(%rdi), %r8\n"
    "  movq 96(%rdi), %r12\n  movq 104(%rdi), %r13\n  movq 112(%rdi), %r14\n  movq 120(%rdi), %r15\n"
    "  movq 56(%rdi), %rdi\n"
    "  jmpq *%gs:168\n"
    "vt_block_quick:\n"
    "  save\n"
    "  movq 8(%rsp), %rbp\n  movl %r11d, %ebx\n"
    "  movq %rbp, %rdi\n  movl %r11d, %esi\n  movq %r9, %rdx\n"
    "  callq *%r10\n"
    "  testq %rax, %rax\n  je 3f\n"
    "  movq %rax, 168(%rbp)\n  movq %rbp, %rdi\n"
    "  jmp 2b\n"
    "3:movl %ebx, 216(%rbp)\n"
    "  jmp 4f\n"
    "vt_block_leave:\n"
    "  save\n"
    "4:cmpl $0, %gs:220\n  jne 5f\n"
    "  movl $1, %gs:220\n"
    "  movl %gs:200, %eax\n  movl %gs:204, %edx\n"
    "  movq %gs:208, %rcx\n  xsave64 (%rcx)\n"
    "  fninit\n  fldcw 4(%rsp)\n  ldmxcsr (%rsp)\n"
    "5:addq $24, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size vt_block_enter, . - vt_block_enter\n"
    ".purgem save\n"
    ".popsection\n");

static bool
has_fsgsbase (void)
{
  return (getauxval (AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) != 0;
}

static uint64_t
read_gs_base (void)
{
  uint64_t base = 0;

  if (has_fsgsbase ())
    __asm__ volatile ("rdgsbase %0" : "=r"(base));
  else
    syscall (SYS_arch_prctl, ARCH_GET_GS, &base);
  return base;
}

static void
write_gs_base (uint64_t base)
{
  if (has_fsgsbase ())
    __asm__ volatile ("wrgsbase %0" : : "r"(base) : "memory");
  else
    syscall (SYS_arch_prctl, ARCH_SET_GS, base);
}

static void
land_cb (VtTrap *trap, int signal, ucontext_t *at)
{
  VtBlocks *b = (VtBlocks *) (void *) ((uint8_t *) trap - offsetof (VtBlocks, trap));
  VtFast   *fast = &b->core->fast;

  fast->exit = (uint32_t) VT_EXIT_FAULT << VT_EXIT_SHIFT;
  fast->fault_at = (uint64_t) at->uc_mcontext.gregs[REG_RIP];
  at->uc_mcontext.gregs[REG_RIP] = (greg_t) (uintptr_t) vt_block_leave;
}

void
vt_block_thread_enter (VtBlocks *b, VtBlockThread *saved)
{
  /* All but what an instruction raises. Past the C library, which keeps two for itself. */
  const uint64_t held = ~(VT_BIT (SIGSEGV - 1) | VT_BIT (SIGBUS - 1) | VT_BIT (SIGILL - 1)
                          | VT_BIT (SIGFPE - 1));
  const stack_t stack = { .ss_sp = b->signal_stack,
                          .ss_size = VT_BLOCK_SIGNAL_STACK,
                          .ss_flags = (int) SS_AUTODISARM };

  syscall (SYS_rt_sigprocmask, SIG_SETMASK, &held, &saved->mask, KERNEL_SIGSET);
  sigaltstack (&stack, &saved->stack);
  saved->gs_base = read_gs_base ();
  write_gs_base ((uint64_t) (uintptr_t) b->core);
  b->trap = (VtTrap){
    .first = (uint64_t) (uintptr_t) b->area.execute,
    .last = (uint64_t) (uintptr_t) b->area.execute + VT_CACHE_BYTES - 1,
    .land = land_cb,
  };
  saved->trap = vt_trap_set (&b->trap);
}

void
vt_block_thread_leave (VtBlocks *b, const VtBlockThread *saved)
{
  vt_trap_set (saved->trap);
  write_gs_base (saved->gs_base);
  sigaltstack (&saved->stack, NULL);
  syscall (SYS_rt_sigprocmask, SIG_SETMASK, &saved->mask, NULL, KERNEL_SIGSET);
}
