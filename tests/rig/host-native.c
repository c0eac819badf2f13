/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One instruction on this host's processor: one return from a signal handler with the case's registers in
 * its frame, and one signal back: from the INT3 behind the instruction, or from its fault, with vector,
 * error code and CR2 as the processor gave them.
 */
#include "rig/host-native.h"

#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#include "cpu/translate/arch.h"

#define FEATURES 8u
#define VECTORS 0xe4u /* AVX, and AVX-512's three. */
#define USER32_CS 0x23u /* Linux's, for programs of 32 bits. */
#define USER_DS 0x2bu

static struct
{
  const HostOutcome *in;
  HostOutcome       *out;
  sigjmp_buf         back;
  bool               known;
  struct
  {
    unsigned offset, size;
  } part[FEATURES]; /* Of the image; the vectors' and the masks'. */
} native; /* The handler's; one run at a time. */

static void
learn_parts (void)
{
  unsigned a, b, c, d;

  for (unsigned i = 2; i < FEATURES; i++)
    if ((VECTORS >> i & 1) && __get_cpuid_count (0xd, i, &a, &b, &c, &d) && a && b + a <= HOST_NATIVE_IMAGE)
      {
        native.part[i].offset = b;
        native.part[i].size = a;
      }
  native.known = true;
}

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
  if (native.in->narrow)
    at->uc_mcontext.gregs[REG_CSGSFS] =
        (greg_t) (((uint64_t) at->uc_mcontext.gregs[REG_CSGSFS] & ~UINT64_C (0xffff)) | USER32_CS);
  /* The legacy area, with the kernel's own words at its end kept. */
  memcpy (at->uc_mcontext.fpregs, native.in->legacy, 416);
  if (vt_ld32 ((uint8_t *) at->uc_mcontext.fpregs + 464) == 0x46505853) /* FP_XSTATE_MAGIC1 */
    {
      uint8_t *image = (uint8_t *) at->uc_mcontext.fpregs;
      /* All that is not given is in its initial state. */
      vt_st64 (image + 512, 3 | native.in->features);
      for (unsigned i = 2; i < FEATURES; i++)
        if (native.in->features >> i & 1)
          memcpy (image + native.part[i].offset, native.in->image + native.part[i].offset,
                  native.part[i].size);
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
  if (vt_ld32 ((uint8_t *) at->uc_mcontext.fpregs + 464) == 0x46505853)
    {
      const uint8_t *image = (const uint8_t *) at->uc_mcontext.fpregs;
      for (unsigned i = 2; i < FEATURES; i++)
        if (vt_ld64 (image + 512) >> i & 1)
          memcpy (out->image + native.part[i].offset, image + native.part[i].offset, native.part[i].size);
        else
          memset (out->image + native.part[i].offset, 0, native.part[i].size);
    }
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

  if (!native.known)
    learn_parts ();
  sigfillset (&leave.sa_mask);
  sigemptyset (&enter.sa_mask);
  sigaltstack (&stack, &old_stack);
  for (unsigned i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &leave, &before[i]);
  sigaction (SIGUSR1, &enter, &before_enter);
  if (in->narrow)
    __asm__ volatile("movl %0, %%ds\n movl %0, %%es" : : "r"(USER_DS));
  native.in = in;
  native.out = out;
  if (sigsetjmp (native.back, 1) == 0)
    raise (SIGUSR1);
  __asm__ volatile("cld");
  if (in->narrow)
    __asm__ volatile("movl %0, %%ds\n movl %0, %%es" : : "r"(0));
  for (unsigned i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &before[i], NULL);
  sigaction (SIGUSR1, &before_enter, NULL);
  sigaltstack (&old_stack, NULL);
}
