/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The local APIC as software sees it (SDM volume 3, chapter 11): xAPIC and x2APIC mode and the ways between them,
 * what may be read and written, commands to oneself, the timer's modes.
 */
#include "system.h"

#define BASE 0x1b
#define ENABLE (1ull << 11)
#define X2APIC (1ull << 10)
#define DEADLINE 0x6e0

typedef struct
{
  uint32_t index;
  uint64_t value;
} Msr;

static void
read_msr (uint64_t index)
{
  rdmsr ((uint32_t) index);
}

static void
write_msr (uint64_t msr)
{
  wrmsr (((const Msr *) (uintptr_t) msr)->index, ((const Msr *) (uintptr_t) msr)->value);
}

static unsigned
written (uint32_t index, uint64_t value)
{
  const Msr msr = { index, value };

  return trap_run (write_msr, (uintptr_t) &msr);
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

/* Registers by MSR, where a mistake is #GP(0) (11.12.1.3). */
static bool
registers (void)
{
  static const uint16_t absent[] = { 0x800, 0x801, 0x804, 0x809, 0x80c, 0x80e, 0x831, 0x83a, 0x840, 0x8ff };
  static const uint16_t write_only[] = { 0x80b, 0x83f };
  static const uint16_t read_only[] = { 0x802, 0x803, 0x80a, 0x80d, 0x810, 0x817, 0x820, 0x839 };
  const uint64_t        base = rdmsr (BASE);
  const uint32_t        id = MMIO32 (LAPIC + 0x20) >> 24, version = MMIO32 (LAPIC + 0x30);
  uint32_t              r[4];

  cpuid (1, 0, r);
  if (!(r[2] >> 21 & 1))
    return true;
  CAUGHT (trap_run (read_msr, 0x802), GP, 0u); /* Not yet. */
  CAUGHT (written (0x80b, 0), GP, 0u);
  CHECK ((base & (ENABLE | X2APIC)) == ENABLE, base);
  /* To x2APIC mode from xAPIC mode alone; out of it by switching off alone (11.12.5). */
  CAUGHT (written (BASE, (base & ~ENABLE) | X2APIC), GP, 0u);
  wrmsr (BASE, base | X2APIC);
  CAUGHT (written (BASE, base), GP, 0u);
  CAUGHT (written (BASE, (base & ~ENABLE) | X2APIC), GP, 0u);
  CAUGHT (written (BASE, base | X2APIC | 1), GP, 0u); /* Reserved. */
  for (unsigned i = 0; i < sizeof absent / sizeof absent[0]; i++)
    {
      unsigned v = trap_run (read_msr, absent[i]);
      CHECK (v == GP && trap_error == 0, absent[i]);
      v = written (absent[i], 0);
      CHECK (v == GP && trap_error == 0, absent[i]);
    }
  for (unsigned i = 0; i < sizeof write_only / sizeof write_only[0]; i++)
    CHECK (trap_run (read_msr, write_only[i]) == GP, write_only[i]);
  for (unsigned i = 0; i < sizeof read_only / sizeof read_only[0]; i++)
    {
      rdmsr (read_only[i]);
      CHECK (written (read_only[i], 0) == GP, read_only[i]);
    }
  CHECK (rdmsr (0x802) == id && rdmsr (0x803) == version, rdmsr (0x802));
  CHECK (rdmsr (0x80d) == ((uint64_t) (id >> 4) << 16 | 1u << (id & 15)), rdmsr (0x80d));
  CAUGHT (written (0x80b, 1), GP, 0u);        /* EOI is 0. */
  CAUGHT (written (0x808, 0x100), GP, 0u);    /* Task priority: eight bits. */
  CAUGHT (written (0x832, 1u << 20), GP, 0u); /* A vector's entry: what is reserved. */
  CAUGHT (written (0x808, 1ull << 32), GP, 0u);
  wrmsr (0x808, 0x20);
  CHECK (READ_CR (8) == 2, READ_CR (8));
  wrmsr (0x808, 0);
  /* To itself: by its own register, and by command with the short hand and the number. */
  wrmsr (0x83f, 0x91);
  PASSES (trap_run (open, 0), 0x91);
  CHECK (rdmsr (0x814) == 1ull << 17, rdmsr (0x814));
  wrmsr (0x80b, 0);
  CHECK (rdmsr (0x814) == 0, rdmsr (0x814));
  wrmsr (0x830, 0x40092);
  PASSES (trap_run (open, 0), 0x92);
  wrmsr (0x80b, 0);
  wrmsr (0x830, (uint64_t) id << 32 | 0x93);
  PASSES (trap_run (open, 0), 0x93);
  wrmsr (0x80b, 0);
  wrmsr (0x830, 0xffffffff00000094); /* To everybody. */
  PASSES (trap_run (open, 0), 0x94);
  wrmsr (0x80b, 0);
  wrmsr (0x830, 0xc0095); /* To everybody else, of whom there is none. */
  PASSES (trap_run (open, 0), RETURNED);
  /* Off, and on again as after a reset: by software it is disabled. */
  wrmsr (BASE, base & ~(ENABLE | X2APIC));
  CAUGHT (trap_run (read_msr, 0x802), GP, 0u);
  CAUGHT (written (BASE, base | X2APIC), GP, 0u);
  wrmsr (BASE, base);
  CHECK ((MMIO32 (LAPIC + 0xf0) & 0x1ff) == 0xff, MMIO32 (LAPIC + 0xf0));
  CHECK (MMIO32 (LAPIC + 0x20) >> 24 == id, MMIO32 (LAPIC + 0x20));
  MMIO32 (LAPIC + 0xf0) = 0x1ff;
  return true;
}

/* Short hands, a vector that is none, and what masks. */
static bool
commands (void)
{
  MMIO32 (LAPIC + 0x280) = 0;
  MMIO32 (LAPIC + 0x300) = 0x40091; /* Itself. */
  PASSES (trap_run (open, 0), 0x91);
  MMIO32 (LAPIC + 0xb0) = 0;
  MMIO32 (LAPIC + 0x300) = 0x80092; /* All. */
  PASSES (trap_run (open, 0), 0x92);
  MMIO32 (LAPIC + 0xb0) = 0;
  MMIO32 (LAPIC + 0x300) = 0xc0093; /* All but itself. */
  PASSES (trap_run (open, 0), RETURNED);
  /* Vectors below 16 are an error that is kept until it is looked at (11.5.3). */
  MMIO32 (LAPIC + 0x300) = 0x40008;
  PASSES (trap_run (open, 0), RETURNED);
  MMIO32 (LAPIC + 0x280) = 0;
  CHECK ((MMIO32 (LAPIC + 0x280) & 0x60) != 0, MMIO32 (LAPIC + 0x280));
  MMIO32 (LAPIC + 0x280) = 0;
  CHECK (MMIO32 (LAPIC + 0x280) == 0, MMIO32 (LAPIC + 0x280));
  /* The one in service keeps its class off, and an end ends the highest. */
  MMIO32 (LAPIC + 0x300) = 0x40091;
  PASSES (trap_run (open, 0), 0x91);
  CHECK (MMIO32 (LAPIC + 0xa0) == 0x90, MMIO32 (LAPIC + 0xa0));
  MMIO32 (LAPIC + 0x300) = 0x4009f;
  PASSES (trap_run (open, 0), RETURNED);
  CHECK (MMIO32 (LAPIC + 0x200 + 0x40) == 1u << 31, MMIO32 (LAPIC + 0x240)); /* It is requested. */
  MMIO32 (LAPIC + 0xb0) = 0;
  PASSES (trap_run (open, 0), 0x9f);
  MMIO32 (LAPIC + 0xb0) = 0;
  MMIO32 (LAPIC + 0xb0) = 0; /* One too many does nothing. */
  CHECK (MMIO32 (LAPIC + 0xa0) == 0, MMIO32 (LAPIC + 0xa0));
  /* Switched off by software, it masks its own vectors and takes none. */
  MMIO32 (LAPIC + 0x320) = 0x92;
  MMIO32 (LAPIC + 0xf0) = 0xff;
  CHECK (MMIO32 (LAPIC + 0x320) == 0x10092, MMIO32 (LAPIC + 0x320));
  MMIO32 (LAPIC + 0x320) = 0x92;
  CHECK (MMIO32 (LAPIC + 0x320) == 0x10092, MMIO32 (LAPIC + 0x320));
  MMIO32 (LAPIC + 0x300) = 0x40091;
  PASSES (trap_run (open, 0), RETURNED);
  MMIO32 (LAPIC + 0xf0) = 0x1ff;
  return true;
}

/* The timer ------------------------------------------------------------------------------------------------ */

static bool
periodic (void)
{
  MMIO32 (LAPIC + 0x3e0) = 0xb;
  MMIO32 (LAPIC + 0x320) = 0x20092;
  MMIO32 (LAPIC + 0x380) = 200000;
  for (unsigned i = 0; i < 3; i++)
    {
      PASSES (trap_run (halt, 0), 0x92);
      MMIO32 (LAPIC + 0xb0) = 0;
    }
  CHECK (MMIO32 (LAPIC + 0x390) != 0 && MMIO32 (LAPIC + 0x390) <= 200000, MMIO32 (LAPIC + 0x390));
  /* Masked it counts on and tells nobody; a count of 0 stops it. */
  MMIO32 (LAPIC + 0x320) = 0x30092;
  delay_ms (2);
  PASSES (trap_run (open, 0), RETURNED);
  MMIO32 (LAPIC + 0x380) = 0;
  CHECK (MMIO32 (LAPIC + 0x390) == 0, MMIO32 (LAPIC + 0x390));
  MMIO32 (LAPIC + 0x320) = 0x20092;
  delay_ms (2);
  PASSES (trap_run (open, 0), RETURNED);
  MMIO32 (LAPIC + 0x320) = 0x10000;
  return true;
}

static bool
deadline (void)
{
  uint32_t r[4];

  cpuid (1, 0, r);
  if (!(r[2] >> 24 & 1))
    return true;
  MMIO32 (LAPIC + 0x320) = 0x40092;
  wrmsr (DEADLINE, rdmsr (0x10) + 100000000);
  CHECK (rdmsr (DEADLINE) != 0, rdmsr (DEADLINE));
  MMIO32 (LAPIC + 0x380) = 1000; /* The count means nothing in this mode. */
  CHECK (MMIO32 (LAPIC + 0x390) == 0, MMIO32 (LAPIC + 0x390));
  wrmsr (DEADLINE, 0); /* Disarmed. */
  PASSES (trap_run (open, 0), RETURNED);
  wrmsr (DEADLINE, 1); /* Long over. */
  PASSES (trap_run (halt, 0), 0x92);
  CHECK (rdmsr (DEADLINE) == 0, rdmsr (DEADLINE));
  MMIO32 (LAPIC + 0xb0) = 0;
  wrmsr (DEADLINE, rdmsr (0x10) + 1000000);
  PASSES (trap_run (halt, 0), 0x92);
  MMIO32 (LAPIC + 0xb0) = 0;
  /* Another mode forgets it, and has no such register. */
  wrmsr (DEADLINE, rdmsr (0x10) + 100000000);
  MMIO32 (LAPIC + 0x320) = 0x92;
  wrmsr (DEADLINE, rdmsr (0x10) + 100000000);
  CHECK (rdmsr (DEADLINE) == 0, rdmsr (DEADLINE));
  MMIO32 (LAPIC + 0x320) = 0x10000;
  return true;
}

static bool
with (bool (*what) (void))
{
  bool ok;

  system_begin ();
  ok = what ();
  system_end ();
  return ok;
}

bool
test_apic_registers (void)
{
  return with (registers);
}

bool
test_apic_commands (void)
{
  return with (commands);
}

bool
test_apic_timer (void)
{
  return with (periodic) && with (deadline);
}
