/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The handlers of host faults: see trap.h.
 */
#include "trap.h"

#include <signal.h>

#include "../arch.h"

/* The handler runs on the thread that it belongs to. */
static __thread VtTrap *current;

static const int signals[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS };

/* Who had the signals before us; written once, before any handler can run. */
static struct sigaction before[G_N_ELEMENTS (signals)];

static void
pass_on (int signal, siginfo_t *info, void *context)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (signals); i++)
    if (signals[i] == signal)
      {
        const struct sigaction *old = &before[i];
        if (old->sa_flags & SA_SIGINFO)
          old->sa_sigaction (signal, info, context);
        else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)
          old->sa_handler (signal);
        else
          sigaction (signal, old, NULL); /* It comes again, and does what it did without us. */
      }
}

static void
fault_cb (int signal, siginfo_t *info, void *context)
{
  ucontext_t    *at = context;
  VtTrap        *trap = current;
  const uint64_t rip = (uint64_t) at->uc_mcontext.gregs[REG_RIP];

  if (trap == NULL || rip < trap->first || rip > trap->last)
    {
      pass_on (signal, info, context);
      return;
    }
  at->uc_mcontext.gregs[REG_EFL] &= ~(greg_t) (VT_FLAG_TF | VT_FLAG_RF | VT_FLAG_AC);
  trap->land (trap, signal, at);
}

void
vt_trap_install (void)
{
  static gsize once;

  if (g_once_init_enter (&once))
    {
      struct sigaction action = { .sa_sigaction = fault_cb, .sa_flags = SA_SIGINFO | SA_ONSTACK };
      sigemptyset (&action.sa_mask);
      for (unsigned i = 0; i < G_N_ELEMENTS (signals); i++)
        sigaction (signals[i], &action, &before[i]);
      g_once_init_leave (&once, 1);
    }
}

VtTrap *
vt_trap_set (VtTrap *trap)
{
  VtTrap *const old = current;

  /* The handler sees what happened before and after in this order. */
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  current = trap;
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  return old;
}
