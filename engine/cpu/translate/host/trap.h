/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the host raises in guest instructions that it executes for us (SIGFPE, SIGILL, SIGSEGV, SIGBUS)
 * is the guest's. Signal dispositions belong to the whole process: what is not ours goes on to whoever had
 * the signal before.
 */
#pragma once

#include <ucontext.h>

#include "vt-base.h"

typedef struct VtTrap VtTrap;

struct VtTrap
{
  uint64_t first, last; /* The host addresses of instructions whose signals are meant. */
  /* Called in the handler, on the thread that was interrupted: puts @at where it shall go on. */
  void (*land) (VtTrap *trap, int signal, ucontext_t *at);
};

/* Sets up the handlers, once a process. */
void vt_trap_install (void);
/* Makes @trap (may be NULL) this thread's. Returns: the one before. */
VtTrap *vt_trap_set (VtTrap *trap);
