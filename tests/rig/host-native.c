/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One instruction on this host's processor: one return from a signal handler with the case's registers in
 * its frame, and one signal back: from the INT3 behind the instruction, or from its fault, with vector,
 * error code and CR2 as the processor gave them.
 */
#include "rig/host-native.h"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#include "cpu/translate/arch.h"

static struct
{
  const HostOutcome *in;
  HostOutcome       *out;
  sigjmp_buf         back;
} native; /* The handler's; one run at a time. */

/* The order of the frame's registers, by instruction number. */
static const int frame_order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                     REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                     REG_R12, REG_R13, REG_R14, REG_R15 };

static void
enter_cb (int signal, siginfo_t *info, void *context)
{
  ucontext_t *at = context;

  for (unsigned i = 0; i < 16; i++)
    at->uc_mcontext.gregs[frame_order[i]] = (greg_t) native.in->gpr[i];
  at->uc_mcontext.gregs[REG_RIP] = (greg_t) native.in->rip;
  at->uc_mcontext.gregs[REG_EFL] = (greg_t) (native.in->flags | VT_FLAG_IF);
  /* The legacy area, with the kernel's own words at its end kept. */
  memcpy (at->uc_mcontext.fpregs, native.in->legacy, 416);
  if (vt_ld32 ((uint8_t *) at->uc_mcontext.fpregs + 464) == 0x46505853) /* FP_XSTATE_MAGIC1 */
    {
      /* All beyond SSE is in its initial state. */
      vt_st64 ((uint8_t *) at->uc_mcontext.fpregs + 512, 3);
    }
}

static void
leave_cb (int signal, siginfo_t *info, void *context)
{
  const ucontext_t *at = context;
  HostOutcome      *out = native.out;

  for (unsigned i = 0; i < 16; i++)
    out->gpr[i] = (uint64_t) at->uc_mcontext.gregs[frame_order[i]];
  out->rip = (uint64_t) at->uc_mcontext.gregs[REG_RIP];
  out->flags = (uint64_t) at->uc_mcontext.gregs[REG_EFL];
  out->vector = (unsigned) at->uc_mcontext.gregs[REG_TRAPNO];
  out->error = (unsigned) at->uc_mcontext.gregs[REG_ERR];
  out->cr2 = (uint64_t) at->uc_mcontext.gregs[REG_CR2];
  memcpy (out->legacy, at->uc_mcontext.fpregs, 416);
  if (signal == SIGTRAP)
    {
      out->vector = 256;
      out->rip--;
    }
  siglongjmp (native.back, 1);
}

void
host_native_run (void *signal_stack, const HostOutcome *in, HostOutcome *out)
{
  static const int signals[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
  struct sigaction leave = { .sa_sigaction = leave_cb, .sa_flags = SA_SIGINFO | SA_ONSTACK };
  struct sigaction enter = { .sa_sigaction = enter_cb, .sa_flags = SA_SIGINFO | SA_ONSTACK };
  struct sigaction before[G_N_ELEMENTS (signals)], before_enter;
  stack_t          stack = { .ss_sp = signal_stack, .ss_size = HOST_NATIVE_STACK }, old_stack;

  sigfillset (&leave.sa_mask);
  sigemptyset (&enter.sa_mask);
  sigaltstack (&stack, &old_stack);
  for (unsigned i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &leave, &before[i]);
  sigaction (SIGUSR1, &enter, &before_enter);
  native.in = in;
  native.out = out;
  if (sigsetjmp (native.back, 1) == 0)
    raise (SIGUSR1);
  __asm__ volatile("cld");
  for (unsigned i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &before[i], NULL);
  sigaction (SIGUSR1, &before_enter, NULL);
  sigaltstack (&old_stack, NULL);
}
