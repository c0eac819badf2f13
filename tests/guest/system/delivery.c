/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How exceptions and interrupts are delivered, and what comes where that fails (SDM volume 3, 6.11 to 6.15): gates,
 * stacks of their own, error codes, and what makes a double fault of two.
 */
#include "system.h"

#define IDT 2u /* In an error code: it is about a gate. */
#define EXT 1u /* … and the event came from outside of the program. */
#define AT(page) (WINDOW + (page) * 4096ull)

typedef struct
{
  uint16_t low, selector;
  uint8_t  ist, access;
  uint16_t middle;
  uint32_t high, zero;
} Gate;

typedef struct __attribute__ ((packed))
{
  uint16_t limit;
  uint64_t base;
} Pointer;

extern char trap_vectors[];

static uint8_t own[4096] __attribute__ ((aligned (4096)));

static Gate *
gate (unsigned vector)
{
  Pointer p;

  __asm__ volatile("sidt %0" : "=m"(p));
  return (Gate *) (uintptr_t) p.base + vector;
}

static void
restore (unsigned vector)
{
  set_gate (vector, trap_vectors + 32 * vector, 0);
}

static void
soft (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("int $0x84");
}

static void
undefined (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("ud2");
}

static void
divide (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" : : : "rax", "rcx", "rdx", "cc");
}

static void
load (uint64_t at)
{
  __asm__ volatile("movb (%0), %%al" : : "r"(at) : "rax", "memory");
}

/* A gate that is none, or leads nowhere (6.13): the vector's number and IDT, or the selector. */
static bool
gates (void)
{
  const unsigned v = 0x84;
  Pointer        p, shorter;

  gate (v)->access = 0x0e; /* Not present. */
  CAUGHT (trap_run (soft, 0), NP, v << 3 | IDT);
  gate (v)->access = 0x85; /* A task gate, of which long mode has none. */
  CAUGHT (trap_run (soft, 0), GP, v << 3 | IDT);
  gate (v)->access = 0x86; /* One of 16 bits. */
  CAUGHT (trap_run (soft, 0), GP, v << 3 | IDT);
  gate (v)->access = 0x8e;
  gate (v)->selector = 0;
  CAUGHT (trap_run (soft, 0), GP, 0u);
  gate (v)->selector = DATA;
  CAUGHT (trap_run (soft, 0), GP, DATA);
  gate (v)->selector = 24; /* 32-bit code. */
  CAUGHT (trap_run (soft, 0), GP, 24u);
  gate (v)->selector = 0x1000;
  CAUGHT (trap_run (soft, 0), GP, 0x1000u);
  system_gdt[SPARE / 8] = 0x00af1b000000ffff; /* 64-bit code that is not present. */
  gate (v)->selector = SPARE;
  CAUGHT (trap_run (soft, 0), NP, SPARE);
  restore (v);
  gate (v)->high = 0x8000;
  CAUGHT (trap_run (soft, 0), GP, 0u); /* To what is not canonical. */
  restore (v);

  __asm__ volatile("sidt %0" : "=m"(p));
  shorter = (Pointer){ v * 16 + 14, p.base };
  __asm__ volatile("lidt %0" : : "m"(shorter));
  CAUGHT (trap_run (soft, 0), GP, v << 3 | IDT);
  __asm__ volatile("lidt %0" : : "m"(p));
  PASSES (trap_run (soft, 0), v);

  /* Of an exception, from outside of the program. */
  gate (UD)->access = 0x0e;
  CAUGHT (trap_run (undefined, 0), NP, UD << 3 | IDT | EXT);
  restore (UD);
  gate (UD)->selector = DATA;
  CAUGHT (trap_run (undefined, 0), GP, DATA | EXT);
  restore (UD);
  return true;
}

static void
load_tr (uint64_t selector)
{
  __asm__ volatile("ltr %w0" : : "r"(selector) : "memory");
}

static void
load_ldt (uint64_t selector)
{
  __asm__ volatile("lldt %w0" : : "r"(selector) : "memory");
}

/* Descriptors of 16 bytes: their upper half's type must be 0 (volume 2, LTR and LLDT), and there must be one. */
static bool
tables (void)
{
  const uint64_t task = system_gdt[TASK / 8];

  system_gdt[TASK / 8] &= ~(2ull << 40);
  system_gdt[TASK / 8 + 1] |= 1ull << 44;
  CAUGHT (trap_run (load_tr, TASK), GP, TASK);
  system_gdt[TASK / 8 + 1] &= ~(1ull << 44);
  system_gdt[TASK / 8] &= ~(0x80ull << 40);
  CAUGHT (trap_run (load_tr, TASK), NP, TASK);
  system_gdt[TASK / 8] = task;
  CAUGHT (trap_run (load_tr, TASK), GP, TASK); /* It is busy. */
  CAUGHT (trap_run (load_tr, TASK | 4), GP, TASK | 4);
  CAUGHT (trap_run (load_tr, TABLE), GP, TABLE);
  system_gdt[TABLE / 8 + 1] |= 1ull << 40;
  CAUGHT (trap_run (load_ldt, TABLE), GP, TABLE);
  system_gdt[TABLE / 8 + 1] &= ~(1ull << 40);
  system_gdt[15] = system_gdt[TABLE / 8]; /* Its second half is beyond the table. */
  CAUGHT (trap_run (load_ldt, 0x78), GP, 0x78u);
  CAUGHT (trap_run (load_ldt, TASK), GP, TASK);
  PASSES (trap_run (load_ldt, 0), RETURNED);
  PASSES (trap_run (load_ldt, TABLE), RETURNED);
  return true;
}

/* Stacks of their own (6.14.5). */
static bool
stacks (void)
{
  const uint64_t top = (uintptr_t) own + sizeof own;
  uint64_t       rsp;

  system_tss.ist[2] = top - 3;
  gate (UD)->ist = 2;
  PASSES (trap_run (undefined, 0), UD);
  CHECK (trap_at == ((top - 3) & ~15ull) - 40, trap_at);
  CHECK (trap_ss == DATA && trap_cs == CODE, trap_ss);
  rsp = trap_rsp;
  restore (UD);
  PASSES (trap_run (undefined, 0), UD);
  CHECK (trap_rsp == rsp && trap_at == (rsp & ~15ull) - 40, trap_at);
  /* From privilege 3: the one of privilege 0, and a null SS with its number (6.14.4). */
  gate (UD)->ist = 2;
  PASSES (in_user (undefined, 0, 0), UD);
  CHECK (trap_at == ((top - 3) & ~15ull) - 40, trap_at);
  restore (UD);

  /* A trap gate leaves IF, which is clear here and set in the program. */
  gate (UD)->access = 0x8f;
  PASSES (in_user (undefined, 0, 0), UD);
  restore (UD);

  /* The stack pointer is no address, the stack is no memory, and the TSS has no such stack. */
  system_tss.ist[2] = 0x800000000000;
  gate (UD)->ist = 2;
  CAUGHT (trap_run (undefined, 0), SS, EXT);
  system_tss.ist[2] = AT (1);
  window[0] = 0;
  CAUGHT (trap_run (undefined, 0), PF, PF_WRITE);
  CHECK (trap_cr2 == AT (1) - 8, trap_cr2);
  system_gdt[TASK / 8] = (system_gdt[TASK / 8] & ~0xffffull & ~(2ull << 40)) | 50;
  __asm__ volatile("ltr %w0" : : "r"(TASK));
  CAUGHT (trap_run (undefined, 0), TS, TASK | EXT);
  gate (0x84)->ist = 2;
  CAUGHT (trap_run (soft, 0), TS, TASK);
  restore (0x84);
  system_gdt[TASK / 8] = (system_gdt[TASK / 8] & ~0xffffull & ~(2ull << 40)) | (sizeof system_tss - 1);
  __asm__ volatile("ltr %w0" : : "r"(TASK));
  restore (UD);
  return true;
}

/* A fault in the delivery of another (table 6-5): #DF of two that are contributory, of a page fault and one that is
 * or another page fault; of others the second alone. */
static bool
doubled (void)
{
  window[0] = 0;
  system_tss.ist[2] = AT (1); /* A page fault, for those who use it. */

  /* Contributory, contributory. */
  gate (DE)->access = 0x0e;
  CAUGHT (trap_run (divide, 0), DF, 0u);
  gate (DE)->access = 0x8e;
  gate (DE)->selector = DATA;
  CAUGHT (trap_run (divide, 0), DF, 0u);
  restore (DE);
  gate (GP)->access = 0x0e;
  CAUGHT (trap_run (load, 0x800000000000), DF, 0u);
  restore (GP);
  /* Contributory, page fault. */
  gate (DE)->ist = 2;
  CAUGHT (trap_run (divide, 0), PF, PF_WRITE);
  CHECK (trap_cr2 == AT (1) - 8, trap_cr2);
  restore (DE);
  /* Page fault, contributory; page fault, page fault. */
  gate (PF)->access = 0x0e;
  CAUGHT (trap_run (load, AT (7)), DF, 0u);
  CHECK (trap_cr2 == AT (7), trap_cr2);
  restore (PF);
  gate (PF)->ist = 2;
  CAUGHT (trap_run (load, AT (7)), DF, 0u);
  CHECK (trap_cr2 == AT (1) - 8, trap_cr2);
  restore (PF);
  /* Benign ones, INT n among them whatever its number, and what may be. */
  gate (UD)->access = 0x0e;
  CAUGHT (trap_run (undefined, 0), NP, UD << 3 | IDT | EXT);
  restore (UD);
  gate (0x84)->ist = 2;
  CAUGHT (trap_run (soft, 0), PF, PF_WRITE);
  restore (0x84);
  gate (UD)->ist = 2;
  gate (PF)->access = 0x0e; /* Three: a page fault in #UD's, and #NP in that one's. */
  CAUGHT (trap_run (undefined, 0), DF, 0u);
  restore (UD);
  restore (PF);
  return true;
}

/* What privilege 3 is given, and where it may not go. */
static bool
outwards (void)
{
  system_tss.rsp[0] &= ~0ull;
  PASSES (in_user (undefined, 0, 0), UD);
  CHECK (trap_at == system_tss.rsp[0] - 40, trap_at);
  CHECK (trap_cs == USER_CODE && trap_ss == USER_DATA, trap_ss);
  CHECK ((trap_rflags & 0x10000) != 0, trap_rflags); /* RF: a fault's handler goes back past breakpoints. */
  /* INT n of a gate for privilege 0 (6.12.1.2): #GP with the gate. */
  gate (0x84)->access = 0x8e;
  CAUGHT (in_user (soft, 0, 0), GP, 0x84u << 3 | IDT);
  gate (0x84)->access = 0xee;
  PASSES (in_user (soft, 0, 0), 0x84);
  CHECK ((trap_rflags & 0x10000) == 0, trap_rflags);
  /* To code of less privilege an interrupt does not go. */
  gate (0x84)->selector = USER_CODE;
  CAUGHT (trap_run (soft, 0), GP, USER_CODE & ~3u);
  restore (0x84);
  return true;
}

bool
test_gates (void)
{
  bool ok;

  system_begin ();
  ok = gates () && tables () && stacks ();
  system_end ();
  return ok;
}

bool
test_double_faults (void)
{
  bool ok;

  system_begin ();
  ok = doubled ();
  system_end ();
  return ok;
}

bool
test_outwards (void)
{
  bool ok;

  system_begin ();
  ok = outwards ();
  system_end ();
  return ok;
}
