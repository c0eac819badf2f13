/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Control, model-specific and debug registers (SDM volume 3, chapters 2 and 18; volume 4).
 */
#include "system.h"

static void
write_cr0 (uint64_t v)
{
  WRITE_CR (0, v);
}

static void
write_cr3 (uint64_t v)
{
  WRITE_CR (3, v);
}

static void
write_cr4 (uint64_t v)
{
  WRITE_CR (4, v);
}

static void
write_cr8 (uint64_t v)
{
  WRITE_CR (8, v);
}

static void
read_msr (uint64_t index)
{
  rdmsr ((uint32_t) index);
}

typedef struct
{
  uint32_t index;
  uint64_t value;
} Msr;

static void
write_msr (uint64_t msr)
{
  wrmsr (((const Msr *) (uintptr_t) msr)->index, ((const Msr *) (uintptr_t) msr)->value);
}

static void
write_xcr0 (uint64_t v)
{
  __asm__ volatile("xsetbv" : : "a"((uint32_t) v), "d"((uint32_t) (v >> 32)), "c"(0));
}

#define REFUSED(call)                                                                              \
  do                                                                                               \
    {                                                                                              \
      unsigned v_ = call;                                                                          \
      if (v_ != GP || trap_error != 0)                                                             \
        return fail (#call, v_ << 16 | trap_error);                                                \
    }                                                                                              \
  while (0)

static bool
controls (void)
{
  const uint64_t cr0 = READ_CR (0), cr4 = READ_CR (4);

  REFUSED (trap_run (write_cr0, cr0 & ~1ull));             /* Paging without protection. */
  REFUSED (trap_run (write_cr0, (cr0 & ~(1ull << 30)) | 1ull << 29)); /* NW without CD. */
  REFUSED (trap_run (write_cr0, cr0 | 1ull << 32));
  REFUSED (trap_run (write_cr0, cr0 & ~(1ull << 31)));     /* Out of paging from 64-bit code. */
  REFUSED (trap_run (write_cr4, cr4 & ~0x20ull));          /* Long mode without PAE. */
  REFUSED (trap_run (write_cr4, cr4 | 1ull << 63));
  REFUSED (trap_run (write_cr3, READ_CR (3) | 1ull << 62));
  REFUSED (trap_run (write_cr8, 16));
  WRITE_CR (8, 5);
  CHECK (READ_CR (8) == 5 && MMIO32 (LAPIC + 0x80) == 0x50, MMIO32 (LAPIC + 0x80));
  MMIO32 (LAPIC + 0x80) = 0x7f;
  CHECK (READ_CR (8) == 7, READ_CR (8));
  WRITE_CR (8, 0);
  CHECK (READ_CR (0) == cr0 && READ_CR (4) == cr4, READ_CR (0));
  return true;
}

static bool
model_specific (void)
{
  static const Msr refused[] = {
    { 0x277, 0x0207050600070406 },          /* IA32_PAT: no type 2. */
    { 0xc0000080, 0xfffe },                 /* IA32_EFER: bits that nobody has. */
    { 0xc0000100, 0x800000000000 },         /* IA32_FS_BASE: not canonical. */
    { 0xc0000082, 0x800000000000 },         /* IA32_LSTAR */
    { 0x1b, 1ull << 63 },                   /* IA32_APIC_BASE */
    { 0xfe, 0 },                            /* IA32_MTRRCAP is read-only. */
    { 0x12345678, 0 },
  };
  static const uint32_t kept[] = { 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000102, 0x174, 0x175, 0x176 };
  uint64_t              first, second;
  uint32_t              r[4], low, high, aux;

  for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++)
    {
      unsigned v = trap_run (write_msr, (uintptr_t) &refused[i]);
      CHECK (v == GP && trap_error == 0, (uint64_t) refused[i].index << 32 | v);
    }
  REFUSED (trap_run (read_msr, 0x12345678));
  for (unsigned i = 0; i < sizeof kept / sizeof kept[0]; i++)
    {
      wrmsr (kept[i], 0x1234560);
      CHECK (rdmsr (kept[i]) == 0x1234560, kept[i]);
      wrmsr (kept[i], 0);
    }
  CHECK (rdmsr (0xc0000080) & 0x400, rdmsr (0xc0000080)); /* EFER.LMA */
  /* The counter goes on, takes a value, and RDTSCP tells IA32_TSC_AUX. */
  first = rdmsr (0x10);
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  second = (uint64_t) high << 32 | low;
  CHECK (second > first, second - first);
  cpuid (0x80000001, 0, r);
  if (r[3] >> 27 & 1)
    {
      wrmsr (0xc0000103, 0x77);
      __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
      CHECK (aux == 0x77, aux);
      wrmsr (0xc0000103, 0);
    }
  return true;
}

static void
masked_store (uint64_t at)
{
  __asm__ volatile("vmovdqu32 %%zmm31, (%0)%{%%k1%}" : : "r"(at) : "memory");
}

/* Where CPUID offers it: its parts are switched on together, its registers are whole, and a store touches, and
 * faults by, what its mask selects. */
static bool
avx512 (void)
{
  static uint32_t words[16] __attribute__ ((aligned (64)));
  uint32_t        r[4];

  cpuid (13, 0, r);
  CHECK ((r[0] & 0xe7) == 0xe7, r[0]);
  REFUSED (trap_run (write_xcr0, 0x27)); /* Masks alone. */
  REFUSED (trap_run (write_xcr0, 0x67));
  REFUSED (trap_run (write_xcr0, 0xe3)); /* Without AVX. */
  CHECK (trap_run (write_xcr0, 7) == RETURNED, trap_vector);
  CHECK (trap_run (masked_store, (uintptr_t) words) == UD, trap_vector);
  CHECK (trap_run (write_xcr0, 0xe7) == RETURNED, trap_vector);
  cpuid (13, 0, r);
  CHECK (r[1] > 576 + 256 + 64 + 512 + 1024 - 1, r[1]);
  __asm__ volatile("vpternlogd $0xff, %%zmm31, %%zmm31, %%zmm31\n"
                   "kmovw %0, %%k1" : : "r"(0x8001));
  masked_store ((uintptr_t) words);
  CHECK (words[0] == UINT32_MAX && words[1] == 0 && words[14] == 0 && words[15] == UINT32_MAX, words[15]);
  /* Its middle alone could be accessed there: not a fault where the mask is empty. */
  __asm__ volatile("kmovw %0, %%k1" : : "r"(0));
  CHECK (trap_run (masked_store, WINDOW + 0x800) == RETURNED, trap_vector);
  __asm__ volatile("kmovw %0, %%k1" : : "r"(4));
  CHECK (trap_run (masked_store, WINDOW + 0x800) == PF && trap_cr2 == WINDOW + 0x808, trap_vector);
  return true;
}

static bool
extended (void)
{
  const uint64_t cr4 = READ_CR (4);
  uint32_t       r[4], low, high;

  cpuid (1, 0, r);
  if (!(r[2] >> 26 & 1))
    return true;
  WRITE_CR (4, cr4 | 0x40600);
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  CHECK (low == 1 && high == 0, low);
  REFUSED (trap_run (write_xcr0, 0));    /* Without x87. */
  REFUSED (trap_run (write_xcr0, 5));    /* AVX without SSE. */
  REFUSED (trap_run (write_xcr0, 1ull << 62 | 1));
  CHECK (trap_run (write_xcr0, 3) == RETURNED, trap_vector);
  cpuid (13, 0, r);
  CHECK (r[1] == 576, r[1]); /* The size of the area for what is on. */
  cpuid (7, 0, r);
  if ((r[1] >> 16 & 1) && !avx512 ())
    return false;
  write_xcr0 (1);
  WRITE_CR (4, cr4);
  cpuid (1, 0, r);
  CHECK (!(r[2] >> 27 & 1), r[2]); /* OSXSAVE follows CR4. */
  return true;
}

/* Debugging ----------------------------------------------------------------------------------------- */

extern char step_first[], step_second[], step_shadow[];

static void
step (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq\n"
                   "nop\n"
                   ".globl step_first\n step_first: nop\n"
                   :
                   :
                   : "memory", "cc");
}

/* The one behind a load of SS is not stopped at. */
static void
step_over_ss (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("movl $16, %%eax; pushfq; orl $0x100, (%%rsp); popfq\n"
                   "movl %%eax, %%ss\n"
                   "nop\n"
                   ".globl step_shadow\n step_shadow: nop\n"
                   :
                   :
                   : "rax", "memory", "cc");
}

static void
watched_store (uint64_t at)
{
  __asm__ volatile("movl $1, (%0)\n .globl step_second\n step_second: nop\n" : : "r"(at) : "memory");
}

static void
watched_load (uint64_t at)
{
  __asm__ volatile("movl (%0), %%eax" : : "r"(at) : "rax", "memory");
}

static bool
steps (void)
{
  CHECK (trap_run (step, 0) == DB, trap_vector);
  CHECK (trap_rip == (uintptr_t) step_first, trap_rip);
  CHECK ((trap_dr6 & 0x400f) == 0x4000, trap_dr6); /* BS */
  __asm__ volatile("movq %0, %%db6" : : "r"(0xffff0ff0ull));
  CHECK (trap_run (step_over_ss, 0) == DB, trap_vector);
  CHECK (trap_rip == (uintptr_t) step_shadow, trap_rip);
  __asm__ volatile("movq %0, %%db6" : : "r"(0xffff0ff0ull));
  return true;
}

static bool
breakpoints (void)
{
  static uint32_t watched[2];

  /* DR0: writes of four bytes (17.2.4). */
  __asm__ volatile("movq %0, %%db0; movq %1, %%db7" : : "r"((uint64_t) (uintptr_t) watched), "r"(0xd0402ull));
  CHECK (trap_run (watched_load, (uintptr_t) watched) == RETURNED, trap_vector);
  CHECK (trap_run (watched_store, (uintptr_t) (watched + 1)) == RETURNED, trap_vector);
  CHECK (trap_run (watched_store, (uintptr_t) watched) == DB, trap_vector);
  CHECK (trap_rip == (uintptr_t) step_second && watched[0] == 1, trap_rip); /* A trap: it is done. */
  CHECK ((trap_dr6 & 0xf) == 1, trap_dr6);
  __asm__ volatile("movq %0, %%db6; movq %1, %%db7" : : "r"(0xffff0ff0ull), "r"(0x400ull));
  /* DR1: execution, a fault. */
  __asm__ volatile("movq %0, %%db1; movq %1, %%db7" : : "r"((uint64_t) (uintptr_t) step_second), "r"(0x408ull));
  CHECK (trap_run (watched_store, (uintptr_t) watched) == DB, trap_vector);
  CHECK (trap_rip == (uintptr_t) step_second, trap_rip);
  CHECK ((trap_dr6 & 0xf) == 2, trap_dr6);
  __asm__ volatile("movq %0, %%db6; movq %1, %%db7" : : "r"(0xffff0ff0ull), "r"(0x400ull));
  return true;
}

bool
test_registers (void)
{
  bool ok;

  system_begin ();
  ok = controls () && model_specific () && extended ();
  system_end ();
  return ok;
}

bool
test_steps (void)
{
  bool ok;

  system_begin ();
  ok = steps ();
  system_end ();
  return ok;
}

bool
test_breakpoints (void)
{
  bool ok;

  system_begin ();
  ok = breakpoints ();
  system_end ();
  return ok;
}
