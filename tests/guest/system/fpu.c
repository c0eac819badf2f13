/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What CR0 and CR4 say about the units (SDM volume 3, 2.5 and 13.1; volume 1, 8.7): TS, EM, MP and NE, OSFXSR,
 * OSXSAVE, and exceptions that wait.
 */
#include "system.h"

#define MP 0x02ull
#define EM 0x04ull
#define TS_FLAG 0x08ull
#define NE 0x20ull

static void
x87 (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("fldz; fstp %%st(0)" : : : "memory");
}

static void
wait (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("fwait");
}

static void
mmx (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("paddd %%mm0, %%mm0; emms" : : : "memory");
}

static void
sse (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("paddd %%xmm0, %%xmm0" : : : "memory");
}

static void
save (uint64_t unused)
{
  static uint8_t area[512] __attribute__ ((aligned (16)));

  (void) unused;
  __asm__ volatile("fxsave %0" : "=m"(area));
}

static void
avx (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("vpaddd %%xmm0, %%xmm0, %%xmm0" : : : "memory");
}

static void
get_xcr0 (uint64_t index)
{
  __asm__ volatile("xgetbv" : : "c"((uint32_t) index) : "rax", "rdx");
}

static bool
enabled (void)
{
  static const struct
  {
    uint64_t flags;
    uint16_t x87, wait, mmx, sse;
  } cases[] = {
    { 0, RETURNED, RETURNED, RETURNED, RETURNED },
    { MP, RETURNED, RETURNED, RETURNED, RETURNED },
    { TS_FLAG, NM, RETURNED, NM, NM },
    { TS_FLAG | MP, NM, NM, NM, NM },
    { EM, NM, RETURNED, UD, UD },
    { EM | MP, NM, RETURNED, UD, UD },
    { EM | TS_FLAG, NM, RETURNED, UD, UD },
    { EM | TS_FLAG | MP, NM, NM, UD, UD },
  };
  const uint64_t cr0 = READ_CR (0) & ~(MP | EM | TS_FLAG), cr4 = READ_CR (4);

  WRITE_CR (4, cr4 | 0x600);
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
    {
      WRITE_CR (0, cr0 | NE | cases[i].flags);
      CHECK (trap_run (x87, 0) == cases[i].x87, i << 8 | trap_vector);
      CHECK (trap_run (wait, 0) == cases[i].wait, i << 8 | trap_vector);
      CHECK (trap_run (mmx, 0) == cases[i].mmx, i << 8 | trap_vector);
      CHECK (trap_run (sse, 0) == cases[i].sse, i << 8 | trap_vector);
      CHECK (trap_run (save, 0) == (cases[i].flags & (EM | TS_FLAG) ? NM : RETURNED), i << 8 | trap_vector);
    }
  WRITE_CR (0, cr0 | NE | TS_FLAG);
  __asm__ volatile("clts");
  CHECK ((READ_CR (0) & TS_FLAG) == 0, READ_CR (0));
  PASSES (trap_run (sse, 0), RETURNED);
  WRITE_CR (4, cr4 & ~0x200ull); /* OSFXSR is about SSE's registers, not about MMX's. */
  PASSES (trap_run (sse, 0), UD);
  PASSES (trap_run (mmx, 0), RETURNED);
  WRITE_CR (4, (cr4 | 0x600) & ~0x40000ull); /* Nor AVX without OSXSAVE. */
  PASSES (trap_run (avx, 0), UD);
  PASSES (trap_run (get_xcr0, 0), UD);
  WRITE_CR (4, cr4 | 0x600);
  WRITE_CR (4, cr4);
  WRITE_CR (0, cr0);
  return true;
}

extern char pending_at[];

static void
pending (uint64_t unused)
{
  (void) unused;
  /* Neither FNSTSW nor FNSTCW waits, nor does an integer instruction; the next that waits does. */
  __asm__ volatile("fld1; fldz; fdivrp\n fnstsw %%ax\n addl $1, %%ecx\n"
                   ".globl pending_at\n pending_at: fldz\n" : : : "rax", "rcx", "memory", "cc");
}

static void
waits_for_mmx (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("fld1; fldz; fdivrp\n paddd %%mm0, %%mm0\n" : : : "memory");
}

static bool
waiting (void)
{
  const uint64_t cr0 = READ_CR (0), cr4 = READ_CR (4);
  const uint16_t control = 0x37b; /* Divisions by zero unmasked. */

  WRITE_CR (4, cr4 | 0x600);
  WRITE_CR (0, (cr0 & ~(EM | TS_FLAG)) | MP | NE);
  __asm__ volatile("fninit; fldcw %0" : : "m"(control));
  CHECK (trap_run (pending, 0) == MF && trap_rip == (uintptr_t) pending_at, trap_rip);
  CHECK (trap_run (wait, 0) == MF, trap_vector); /* It waits on. */
  __asm__ volatile("fnclex");
  PASSES (trap_run (wait, 0), RETURNED);
  __asm__ volatile("fninit; fldcw %0" : : "m"(control));
  PASSES (trap_run (waits_for_mmx, 0), MF);
  /* With TS, that comes first. */
  WRITE_CR (0, (cr0 & ~EM) | TS_FLAG | MP | NE);
  PASSES (trap_run (wait, 0), NM);
  WRITE_CR (0, (cr0 & ~(EM | TS_FLAG)) | MP | NE);
  __asm__ volatile("fninit");
  WRITE_CR (0, cr0);
  WRITE_CR (4, cr4);
  return true;
}

bool
test_unit_switches (void)
{
  bool ok;

  system_begin ();
  ok = enabled ();
  system_end ();
  return ok;
}

bool
test_unit_waits (void)
{
  bool ok;

  system_begin ();
  ok = waiting ();
  system_end ();
  return ok;
}
