/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * When interrupts arrive (SDM volume 3, 6.8 and 11.8): the flag and its shadows, priorities, NMIs.
 */
#include "system.h"

static void
send (unsigned vector)
{
  MMIO32 (LAPIC + 0x310) = 0;
  MMIO32 (LAPIC + 0x300) = 0x4000 | vector;
}

static void
settle (void)
{
  while (MMIO32 (LAPIC + 0x300) & 0x1000)
    relax ();
}

extern char shadow_end[];

static void
after_sti (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("sti\n nop\n .globl shadow_end\n shadow_end: nop\n nop\n cli\n" ::: "memory");
}

static void
open (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("sti\n nop\n nop\n cli\n" ::: "memory");
}

static void
halt (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("sti\n hlt\n" ::: "memory");
}

static void
nothing (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("nop\n nop\n nop\n" ::: "memory");
}

static void
eoi (void)
{
  MMIO32 (LAPIC + 0xb0) = 0;
}

static bool
flag (void)
{
  send (0x90);
  settle ();
  CHECK (trap_run (nothing, 0) == RETURNED, trap_vector);
  CHECK (trap_run (after_sti, 0) == 0x90, trap_vector);
  CHECK (trap_rip == (uintptr_t) shadow_end, trap_rip); /* One instruction later. */
  CHECK ((trap_rflags & 0x200) != 0, trap_rflags);
  eoi ();
  CHECK (trap_run (open, 0) == RETURNED, trap_vector);
  return true;
}

static bool
priorities (void)
{
  send (0x91);
  send (0xa1);
  settle ();
  CHECK (trap_run (open, 0) == 0xa1, trap_vector);
  CHECK (trap_run (open, 0) == RETURNED, trap_vector); /* The lower class waits for the end. */
  send (0xb1);
  settle ();
  CHECK (trap_run (open, 0) == 0xb1, trap_vector);
  eoi ();
  eoi ();
  CHECK (trap_run (open, 0) == 0x91, trap_vector);
  eoi ();
  WRITE_CR (8, 9);
  send (0x9f);
  settle ();
  CHECK (trap_run (open, 0) == RETURNED, trap_vector);
  WRITE_CR (8, 8);
  CHECK (trap_run (open, 0) == 0x9f, trap_vector);
  eoi ();
  WRITE_CR (8, 0);
  return true;
}

static bool
timer (void)
{
  MMIO32 (LAPIC + 0x3e0) = 0xb; /* By one. */
  MMIO32 (LAPIC + 0x320) = 0x92;
  MMIO32 (LAPIC + 0x380) = 1000000;
  CHECK (trap_run (halt, 0) == 0x92, trap_vector);
  eoi ();
  MMIO32 (LAPIC + 0x320) = 0x10092;
  CHECK (MMIO32 (LAPIC + 0x390) == 0, MMIO32 (LAPIC + 0x390));
  return true;
}

/* An NMI comes whatever the flag says, and no second one before IRET. */
static void
send_nmi (uint64_t unused)
{
  (void) unused;
  MMIO32 (LAPIC + 0x310) = 0;
  MMIO32 (LAPIC + 0x300) = 0x4400;
  for (unsigned i = 0; i < 100; i++)
    relax ();
}

static void
iret_here (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("movq %%rsp, %%rax; pushq $16; pushq %%rax; pushfq; pushq $8; pushq $1f; iretq; 1: nop"
                   :
                   :
                   : "rax", "memory");
  for (unsigned i = 0; i < 100; i++)
    relax ();
}

static bool
unmaskable (void)
{
  CHECK (trap_run (send_nmi, 0) == 2, trap_vector);
  CHECK (trap_run (send_nmi, 0) == RETURNED, trap_vector);
  CHECK (trap_run (iret_here, 0) == 2, trap_vector);
  CHECK (trap_run (iret_here, 0) == RETURNED, trap_vector);
  return true;
}

bool
test_arrival (void)
{
  bool ok;

  system_begin ();
  ok = flag () && priorities () && timer ();
  system_end ();
  return ok;
}

bool
test_nmi (void)
{
  bool ok;

  system_begin ();
  ok = unmaskable ();
  system_end ();
  return ok;
}
