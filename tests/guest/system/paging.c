/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Paging (SDM volume 3, chapter 4): rights and error codes, accessed and dirty flags, what the TLB may
 * keep, and the protections that CR4 switches on.
 */
#include "system.h"

#define AT(page) (WINDOW + (page) * 4096ull)
#define SMEP (1ull << 20)
#define SMAP (1ull << 21)
#define PKE (1ull << 22)
#define UMIP (1ull << 11)
#define PCIDE (1ull << 17)
#define PGE (1ull << 7)

static uint8_t page[4096] __attribute__ ((aligned (4096))), other[4096] __attribute__ ((aligned (4096)));

static void
load (uint64_t at)
{
  __asm__ volatile("movq %0, %%rdx; movb (%%rdx), %%al" : : "r"(at) : "rax", "rdx", "memory");
}

static void
store (uint64_t at)
{
  __asm__ volatile("movq %0, %%rdx; movb $7, (%%rdx)" : : "r"(at) : "rdx", "memory");
}

static void
modify (uint64_t at)
{
  __asm__ volatile("movq %0, %%rdx; incl (%%rdx)" : : "r"(at) : "rdx", "memory", "cc");
}

static void
jump (uint64_t at)
{
  __asm__ volatile("call *%0" : : "r"(at) : "memory");
}

static void
user_load (uint64_t at)
{
  __asm__ volatile("movq %0, %%rdx; movb (%%rdx), %%al; int $0x80" : : "r"(at) : "rax", "rdx", "memory");
}

static void
user_store (uint64_t at)
{
  __asm__ volatile("movq %0, %%rdx; movb $7, (%%rdx); int $0x80" : : "r"(at) : "rdx", "memory");
}

static void
user_jump (uint64_t at)
{
  __asm__ volatile("call *%0; int $0x80" : : "r"(at) : "memory");
}

static void
user_sgdt (uint64_t at)
{
  __asm__ volatile("movq %0, %%rdx; sgdt (%%rdx); int $0x80" : : "r"(at) : "rdx", "memory");
}

static void
map (unsigned n, const void *to, uint64_t flags)
{
  window[n] = to ? (uintptr_t) to | flags : flags;
  __asm__ volatile("invlpg (%0)" : : "r"(AT (n)) : "memory");
}

#define FAULTS(code, address, error)                                                               \
  do                                                                                               \
    {                                                                                              \
      unsigned v_ = (code);                                                                        \
      CHECK (v_ == PF, v_);                                                                        \
      CHECK (trap_error == (error), trap_error);                                                   \
      CHECK (trap_cr2 == (address), trap_cr2);                                                     \
    }                                                                                              \
  while (0)
static bool
rights (void)
{
  page[0] = 0xc3; /* RET */
  map (0, NULL, 0);
  FAULTS (trap_run (load, AT (0)), AT (0), 0u);
  FAULTS (trap_run (store, AT (0) + 5), AT (0) + 5, PF_WRITE);
  map (0, page, PT_P);
  PASSES (trap_run (load, AT (0)), RETURNED);
  FAULTS (trap_run (store, AT (0)), AT (0), PF_PRESENT | PF_WRITE);
  WRITE_CR (0, READ_CR (0) & ~0x10000ull); /* Without WP the kernel may. */
  PASSES (trap_run (store, AT (0) + 8), RETURNED);
  WRITE_CR (0, READ_CR (0) | 0x10000);
  FAULTS (in_user (user_load, AT (0), 0), AT (0), PF_PRESENT | PF_USER);
  map (0, page, PT_P | PT_U);
  PASSES (in_user (user_load, AT (0), 0), USER_CALL);
  FAULTS (in_user (user_store, AT (0), 0), AT (0), PF_PRESENT | PF_WRITE | PF_USER);
  PASSES (in_user (user_jump, AT (0), 0), USER_CALL);
  map (0, page, PT_P | PT_U | PT_NX);
  FAULTS (in_user (user_jump, AT (0), 0), AT (0), PF_PRESENT | PF_USER | PF_FETCH);
  FAULTS (trap_run (jump, AT (0)), AT (0), PF_PRESENT | PF_FETCH);
  map (0, page, PT_P | 1ull << 51); /* Beyond the physical addresses of every processor so far. */
  FAULTS (trap_run (load, AT (0)), AT (0), PF_PRESENT | PF_RESERVED);
  return true;
}

static bool
flags (void)
{
  map (1, page, PT_P | PT_W);
  CHECK ((window[1] & (PT_A | PT_D)) == 0, window[1]);
  PASSES (trap_run (load, AT (1)), RETURNED);
  CHECK ((window[1] & (PT_A | PT_D)) == PT_A, window[1]);
  PASSES (trap_run (store, AT (1)), RETURNED);
  CHECK ((window[1] & (PT_A | PT_D)) == (PT_A | PT_D), window[1]);
  map (2, page, PT_P);
  trap_run (store, AT (2)); /* A fault sets no dirty flag. */
  CHECK ((window[2] & PT_D) == 0, window[2]);
  /* One instruction that reads and writes. */
  map (2, page, PT_P | PT_W);
  PASSES (trap_run (modify, AT (2) + 16), RETURNED);
  CHECK ((window[2] & (PT_A | PT_D)) == (PT_A | PT_D), window[2]);
  return true;
}

/* Accesses over the border of two pages that are not neighbours. */
static bool
crossing (void)
{
  map (3, page, PT_P | PT_W);
  map (4, other, PT_P | PT_W);
  page[4094] = 1, page[4095] = 2, other[0] = 3, other[1] = 4;
  CHECK (*(volatile uint32_t *) (AT (4) - 2) == 0x04030201, *(volatile uint32_t *) (AT (4) - 2));
  *(volatile uint32_t *) (AT (4) - 2) = 0x0d0c0b0a;
  CHECK (page[4095] == 0x0b && other[0] == 0x0c, other[0]);
  PASSES (trap_run (modify, AT (4) - 1), RETURNED);
  map (4, other, PT_P);
  page[4094] = 0x55;
  FAULTS (trap_run (modify, AT (4) - 2), AT (4), PF_PRESENT | PF_WRITE);
  CHECK (page[4094] == 0x55, page[4094]); /* Nothing has been written of it. */
  map (4, NULL, 0);
  PASSES (trap_run (modify, AT (4) - 2), PF); /* As a read or as a write, that is the processor's. */
  CHECK (trap_cr2 == AT (4), trap_cr2);
  return true;
}

static bool
caching (void)
{
  page[100] = 1, other[100] = 2;
  map (5, page, PT_P | PT_W);
  CHECK (*(volatile uint8_t *) (AT (5) + 100) == 1, 0);
  map (5, other, PT_P | PT_W);
  CHECK (*(volatile uint8_t *) (AT (5) + 100) == 2, 0);
  window[5] = (uintptr_t) page | PT_P | PT_W;
  flush_tlb ();
  CHECK (*(volatile uint8_t *) (AT (5) + 100) == 1, 0);
  /* A global page outlives a write of CR3, and not one of CR4.PGE. */
  WRITE_CR (4, READ_CR (4) | PGE);
  window[5] = (uintptr_t) page | PT_P | PT_W | PT_G;
  __asm__ volatile("invlpg (%0)" : : "r"(AT (5)) : "memory");
  CHECK (*(volatile uint8_t *) (AT (5) + 100) == 1, 0);
  window[5] = (uintptr_t) other | PT_P | PT_W | PT_G;
  flush_tlb ();
  WRITE_CR (4, READ_CR (4) & ~PGE);
  CHECK (*(volatile uint8_t *) (AT (5) + 100) == 2, 0);
  /* More rights need no flush: a processor looks again before it faults. */
  map (6, page, PT_P);
  PASSES (trap_run (load, AT (6)), RETURNED);
  window[6] |= PT_W;
  PASSES (trap_run (store, AT (6)), RETURNED);
  return true;
}

/* What has been executed is written to, by this address and by another. */
static bool
code (void)
{
  static const uint8_t first[] = { 0xb8, 1, 0, 0, 0, 0xc3 }; /* mov eax, 1; ret */
  uint32_t             r;

  for (unsigned i = 0; i < sizeof first; i++)
    page[i] = first[i];
  map (7, page, PT_P | PT_W);
  for (unsigned i = 1; i < 40; i++)
    {
      *(volatile uint8_t *) (i & 1 ? AT (7) + 1 : (uintptr_t) page + 1) = (uint8_t) i;
      __asm__ volatile("call *%1" : "=a"(r) : "r"(AT (7)) : "memory");
      CHECK (r == i, r);
    }
  for (unsigned i = 0; i < sizeof first; i++)
    other[i] = first[i];
  other[1] = 77;
  map (7, other, PT_P | PT_W);
  __asm__ volatile("call *%1" : "=a"(r) : "r"(AT (7)) : "memory");
  CHECK (r == 77, r);
  return true;
}

static bool
protections (void)
{
  const uint64_t cr4 = READ_CR (4);

  page[0] = 0xc3;
  if (has_feature (1, 7))
    {
      map (8, page, PT_P | PT_U);
      PASSES (trap_run (jump, AT (8)), RETURNED);
      WRITE_CR (4, cr4 | SMEP);
      FAULTS (trap_run (jump, AT (8)), AT (8), PF_PRESENT | PF_FETCH);
      WRITE_CR (4, cr4);
    }
  if (has_feature (1, 20))
    {
      map (9, page, PT_P | PT_W | PT_U);
      WRITE_CR (4, cr4 | SMAP);
      FAULTS (trap_run (load, AT (9)), AT (9), PF_PRESENT);
      FAULTS (trap_run (store, AT (9)), AT (9), PF_PRESENT | PF_WRITE);
      __asm__ volatile("stac; movb (%0), %%al; movb %%al, 1(%0); clac" : : "r"(AT (9)) : "rax", "memory");
      FAULTS (trap_run (load, AT (9)), AT (9), PF_PRESENT);
      PASSES (in_user (user_load, AT (9), 0), USER_CALL);
      WRITE_CR (4, cr4);
    }
  if (has_feature (2, 2))
    {
      PASSES (in_user (user_sgdt, AS_USER (page + 64), 0), USER_CALL);
      WRITE_CR (4, cr4 | UMIP);
      PASSES (in_user (user_sgdt, AS_USER (page + 64), 0), GP);
      WRITE_CR (4, cr4);
    }
  if (has_feature (2, 3))
    {
      map (10, page, PT_P | PT_W | PT_U | 5ull << 59); /* Key 5. */
      WRITE_CR (4, cr4 | PKE);
      __asm__ volatile("wrpkru" : : "a"(2u << 10), "c"(0), "d"(0)); /* It may not be written to. */
      PASSES (in_user (user_load, AT (10), 0), USER_CALL);
      FAULTS (in_user (user_store, AT (10), 0), AT (10), PF_PRESENT | PF_WRITE | PF_USER | PF_KEY);
      __asm__ volatile("wrpkru" : : "a"(1u << 10), "c"(0), "d"(0)); /* Nor read. */
      FAULTS (in_user (user_load, AT (10), 0), AT (10), PF_PRESENT | PF_USER | PF_KEY);
      __asm__ volatile("wrpkru" : : "a"(0), "c"(0), "d"(0));
      WRITE_CR (4, cr4);
    }
  return true;
}

static bool
contexts (void)
{
  uint32_t r[4];

  cpuid (1, 0, r);
  if (!(r[2] >> 17 & 1))
    return true;
  page[200] = 1, other[200] = 2;
  map (11, page, PT_P | PT_W);
  WRITE_CR (4, READ_CR (4) | PCIDE);
  WRITE_CR (3, READ_CR (3) | 1);
  CHECK (*(volatile uint8_t *) (AT (11) + 200) == 1, 0);
  window[11] = (uintptr_t) other | PT_P | PT_W;
  WRITE_CR (3, (READ_CR (3) & ~0xfffull) | 2);
  CHECK (*(volatile uint8_t *) (AT (11) + 200) == 2, 0);
  WRITE_CR (3, (READ_CR (3) & ~0xfffull) | 1); /* Without bit 63 it forgets that context. */
  CHECK (*(volatile uint8_t *) (AT (11) + 200) == 2, 0);
  WRITE_CR (3, READ_CR (3) & ~0xfffull);
  WRITE_CR (4, READ_CR (4) & ~PCIDE);
  return true;
}

bool
test_paging (void)
{
  bool ok;

  system_begin ();
  ok = rights () && flags () && crossing () && caching () && code () && protections () && contexts ();
  system_end ();
  return ok;
}
