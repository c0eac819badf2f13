/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Paging at its edges (SDM volume 3, chapter 4): reserved bits, rights and flags level by level, large pages, what
 * INVPCID and CR3 forget, and accesses that a processor makes by itself. Canonical addresses (3.3.7.1).
 */
#include "system.h"

#define FAR (0x20000000000ull) /* Free, by a table of the top level that these tests make. */
#define HIGH 0x800000000000ull /* Not canonical, and the first that is not. */

static uint64_t pdpt[512] __attribute__ ((aligned (4096))), pd[512] __attribute__ ((aligned (4096))),
    pt[512] __attribute__ ((aligned (4096)));
static uint8_t page[4096] __attribute__ ((aligned (4096))), other[4096] __attribute__ ((aligned (4096)));
static uint64_t *const levels[] = { pt, pd, pdpt, NULL };

extern uint64_t pml4[];

/* The entry of level @level, 1 to 4, that leads to FAR. */
static uint64_t *
entry (unsigned level)
{
  return level == 4 ? &pml4[FAR >> 39] : levels[level - 1];
}

/* All levels, that allow everything. */
static void
lead (void)
{
  *entry (4) = (uintptr_t) pdpt | PT_P | PT_W | PT_U;
  *entry (3) = (uintptr_t) pd | PT_P | PT_W | PT_U;
  *entry (2) = (uintptr_t) pt | PT_P | PT_W | PT_U;
  *entry (1) = (uintptr_t) page | PT_P | PT_W | PT_U;
  flush_tlb ();
}

static void
load (uint64_t at)
{
  __asm__ volatile("movb (%0), %%al" : : "r"(at) : "rax", "memory");
}

static void
store (uint64_t at)
{
  __asm__ volatile("movb $7, (%0)" : : "r"(at) : "memory");
}

static void
jump (uint64_t at)
{
  __asm__ volatile("call *%0" : : "r"(at) : "memory");
}

static void
user_load (uint64_t at)
{
  __asm__ volatile("movb (%0), %%al; int $0x80" : : "r"(at) : "rax", "memory");
}

static void
user_store (uint64_t at)
{
  __asm__ volatile("movb $7, (%0); int $0x80" : : "r"(at) : "memory");
}

static unsigned
physical_bits (void)
{
  uint32_t r[4];

  cpuid (0x80000008, 0, r);
  return r[0] & 0xff;
}

/* Each is refused at each level, and tells that it is reserved; nothing has been marked as accessed below. */
static bool
reserved (void)
{
  uint32_t r[4];

  lead ();
  PASSES (trap_run (load, FAR), RETURNED);
  for (unsigned level = 1; level <= 4; level++)
    {
      if (physical_bits () < 52)
        {
          lead ();
          *entry (level) |= 1ull << 51;
          flush_tlb ();
          CAUGHT (trap_run (load, FAR), PF, PF_PRESENT | PF_RESERVED);
          CAUGHT (trap_run (store, FAR), PF, PF_PRESENT | PF_RESERVED | PF_WRITE);
          *entry (level) = (*entry (level) & ~(1ull << 51)) | 1ull << physical_bits ();
          flush_tlb ();
          CAUGHT (trap_run (load, FAR), PF, PF_PRESENT | PF_RESERVED);
        }
      /* XD without EFER.NXE. */
      lead ();
      wrmsr (0xc0000080, rdmsr (0xc0000080) & ~0x800ull);
      *entry (level) |= PT_NX;
      flush_tlb ();
      CAUGHT (trap_run (load, FAR), PF, PF_PRESENT | PF_RESERVED);
      wrmsr (0xc0000080, rdmsr (0xc0000080) | 0x800);
      flush_tlb ();
      PASSES (trap_run (load, FAR), RETURNED);
      /* An entry that is not there has nothing reserved. */
      *entry (level) = ~(uint64_t) PT_P;
      flush_tlb ();
      CAUGHT (trap_run (load, FAR), PF, 0u);
    }
  lead ();
  *entry (4) |= PT_PS;
  flush_tlb ();
  CAUGHT (trap_run (load, FAR), PF, PF_PRESENT | PF_RESERVED);
  /* Large pages: bits between PAT and the address. */
  lead ();
  *entry (2) = PT_P | PT_W | PT_PS | 1ull << 13;
  flush_tlb ();
  CAUGHT (trap_run (load, FAR), PF, PF_PRESENT | PF_RESERVED);
  *entry (2) = PT_P | PT_W | PT_PS | 1ull << 12; /* PAT itself. */
  flush_tlb ();
  PASSES (trap_run (load, FAR), RETURNED);
  cpuid (0x80000001, 0, r);
  *entry (3) = PT_P | PT_W | PT_PS | (r[3] >> 26 & 1 ? 1ull << 29 : 0);
  flush_tlb ();
  CAUGHT (trap_run (load, FAR), PF, PF_PRESENT | PF_RESERVED);
  if (r[3] >> 26 & 1)
    {
      *entry (3) = PT_P | PT_W | PT_PS;
      flush_tlb ();
      PASSES (trap_run (load, FAR + 0x12345), RETURNED);
    }
  return true;
}

/* A right that one level withholds is not there (4.6); XD that one has is. */
static bool
conjunction (void)
{
  page[0] = 0xc3; /* RET */
  for (unsigned level = 1; level <= 4; level++)
    {
      lead ();
      PASSES (trap_run (jump, FAR), RETURNED);
      *entry (level) |= PT_NX;
      flush_tlb ();
      CAUGHT (trap_run (jump, FAR), PF, PF_PRESENT | PF_FETCH);
      lead ();
      *entry (level) &= ~PT_W;
      flush_tlb ();
      PASSES (trap_run (load, FAR), RETURNED);
      CAUGHT (trap_run (store, FAR + 8), PF, PF_PRESENT | PF_WRITE);
      lead ();
      *entry (level) &= ~PT_U;
      flush_tlb ();
      PASSES (trap_run (load, FAR), RETURNED);
      CAUGHT (in_user (user_load, FAR, 0), PF, PF_PRESENT | PF_USER);
      CAUGHT (in_user (user_store, FAR, 0), PF, PF_PRESENT | PF_USER | PF_WRITE);
      /* One that is not there is not there, whatever the others allow. */
      *entry (level) &= ~PT_P;
      flush_tlb ();
      CAUGHT (in_user (user_load, FAR, 0), PF, PF_USER);
    }
  return true;
}

/* A is set on the way, D in what maps the page alone (4.8). */
static bool
accessed (void)
{
  lead ();
  for (unsigned level = 1; level <= 4; level++)
    CHECK ((*entry (level) & (PT_A | PT_D)) == 0, level);
  PASSES (trap_run (load, FAR), RETURNED);
  for (unsigned level = 1; level <= 4; level++)
    CHECK ((*entry (level) & (PT_A | PT_D)) == PT_A, level);
  PASSES (trap_run (store, FAR), RETURNED);
  for (unsigned level = 1; level <= 4; level++)
    CHECK ((*entry (level) & (PT_A | PT_D)) == (level == 1 ? PT_A | PT_D : PT_A), level);
  *entry (2) = PT_P | PT_W | PT_PS;
  flush_tlb ();
  PASSES (trap_run (load, FAR + 0x1000), RETURNED);
  CHECK ((*entry (2) & (PT_A | PT_D)) == PT_A, *entry (2));
  /* The first 2 MiB, by which the tables themselves can be reached: a word that is the test's. */
  PASSES (trap_run (store, FAR + (uintptr_t) other), RETURNED);
  CHECK ((*entry (2) & (PT_A | PT_D)) == (PT_A | PT_D), *entry (2));
  CHECK (other[0] == 7, other[0]);
  return true;
}

/* INVPCID and contexts ----------------------------------------------------------------------------------- */

typedef struct
{
  uint64_t type, pcid, linear;
} Invalidation;

static void
invpcid (uint64_t at)
{
  const Invalidation *i = (const Invalidation *) (uintptr_t) at;

  __asm__ volatile("invpcid %0, %1" : : "m"(i->pcid), "r"(i->type) : "memory");
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

#define PCIDE (1ull << 17)
#define PGE (1ull << 7)
#define NO_FLUSH (1ull << 63)

static uint8_t
seen (void)
{
  return *(volatile uint8_t *) (FAR + 100);
}

static void
lead_to (const uint8_t *to, uint64_t global)
{
  *entry (1) = (uintptr_t) to | PT_P | PT_W | global;
}

static bool
contexts (void)
{
  const uint64_t cr4 = READ_CR (4), cr3 = READ_CR (3);
  uint32_t       r[4];
  Invalidation   i;

  cpuid (1, 0, r);
  if (!(r[2] >> 17 & 1) || !has_feature (1, 10))
    return true;
  page[100] = 1, other[100] = 2;
  lead ();
  CAUGHT (trap_run (write_cr3, cr3 | NO_FLUSH), GP, 0u); /* Without PCIDE it is reserved. */
  WRITE_CR (3, cr3 | 8);
  CAUGHT (trap_run (write_cr4, cr4 | PCIDE), GP, 0u); /* CR3[11:0] is not 0. */
  WRITE_CR (3, cr3);
  i = (Invalidation){ 0, 5, FAR };
  CAUGHT (trap_run (invpcid, (uintptr_t) &i), GP, 0u); /* A context, where there are none. */
  i.pcid = 0;
  PASSES (trap_run (invpcid, (uintptr_t) &i), RETURNED);
  WRITE_CR (4, cr4 | PCIDE | PGE);
  i = (Invalidation){ 4, 0, 0 };
  CAUGHT (trap_run (invpcid, (uintptr_t) &i), GP, 0u);
  i = (Invalidation){ 2, 0x1000, 0 };
  CAUGHT (trap_run (invpcid, (uintptr_t) &i), GP, 0u);
  i = (Invalidation){ 0, 1, HIGH };
  CAUGHT (trap_run (invpcid, (uintptr_t) &i), GP, 0u);
  i.type = 1; /* Where no address is asked for. */
  PASSES (trap_run (invpcid, (uintptr_t) &i), RETURNED);
  i.type = 0;
  CAUGHT (in_user (invpcid, AS_USER (&i), 0), GP, 0u);
  i = (Invalidation){ 2, 0, 0 };
  CAUGHT (trap_run (invpcid, FAR + 0x200000), PF, 0u); /* Its operand is memory like another. */

  /* Each of the four forgets what it is about. */
  WRITE_CR (3, cr3 | 7);
  for (unsigned type = 0; type < 4; type++)
    {
      const uint64_t global = type == 2 ? PT_G : 0;

      i = (Invalidation){ 2, 0, 0 };
      lead_to (page, global);
      invpcid ((uintptr_t) &i);
      CHECK (seen () == 1, type);
      lead_to (other, global);
      i = (Invalidation){ type, 7, FAR + 100 };
      if (type == 2)
        i.pcid = 0;
      invpcid ((uintptr_t) &i);
      CHECK (seen () == 2, type);
    }
  /* One of another context, which is then gone to without a flush. */
  lead_to (page, 0);
  i = (Invalidation){ 2, 0, 0 };
  invpcid ((uintptr_t) &i);
  CHECK (seen () == 1, seen ());
  WRITE_CR (3, cr3 | 9 | NO_FLUSH);
  lead_to (other, 0);
  i = (Invalidation){ 1, 7, 0 };
  invpcid ((uintptr_t) &i);
  WRITE_CR (3, cr3 | 7 | NO_FLUSH);
  CHECK (seen () == 2, seen ());
  CHECK (READ_CR (3) == (cr3 | 7), READ_CR (3)); /* Bit 63 is not kept. */
  WRITE_CR (3, cr3);
  WRITE_CR (4, cr4);
  return true;
}

/* What the processor accesses by itself ------------------------------------------------------------------ */

static void
load_es (uint64_t selector)
{
  __asm__ volatile("movl %k0, %%es" : : "r"(selector) : "memory");
}

static void
load_es_ac (uint64_t selector)
{
  __asm__ volatile("stac; movl %k0, %%es" : : "r"(selector) : "memory");
}

/* Descriptor tables are a supervisor's, also where a program loads a segment; and on a user's page SMAP keeps the
 * processor from them, whatever AC says (4.6.1). */
static bool
implicit (void)
{
  struct __attribute__ ((packed))
  {
    uint16_t limit;
    uint64_t base;
  } table = { sizeof system_gdt - 1, (uintptr_t) system_gdt },
    far = { sizeof system_gdt - 1, FAR + ((uintptr_t) system_gdt & 0xfff) };
  const uint64_t cr4 = READ_CR (4);

  lead ();
  /* Two pages, in case it crosses. */
  entry (1)[0] = ((uintptr_t) system_gdt & ~0xfffull) | PT_P | PT_W;
  entry (1)[1] = (((uintptr_t) system_gdt & ~0xfffull) + 4096) | PT_P | PT_W;
  flush_tlb ();
  __asm__ volatile("lgdt %0" : : "m"(far));
  PASSES (trap_run (load_es, DATA), RETURNED);
  if (has_feature (1, 20))
    {
      entry (1)[0] |= PT_U;
      entry (1)[1] |= PT_U;
      flush_tlb ();
      PASSES (trap_run (load_es, DATA), RETURNED);
      __asm__ volatile("lgdt %0" : : "m"(table));
      /* The handlers' gates need the table too: of the one at FAR none can be delivered. So what is on a user's
       * page is the local table. */
      system_gdt[TABLE / 8] = 0x0000820000000000ull | 31 | (FAR & 0xffffff) << 16;
      system_gdt[TABLE / 8 + 1] = FAR >> 32;
      page[14] = 0;
      ((uint64_t *) page)[1] = 0x00cf93000000ffff;
      lead ();
      __asm__ volatile("lldt %w0" : : "r"(TABLE));
      PASSES (trap_run (load_es, 12), RETURNED);
      WRITE_CR (4, cr4 | 1ull << 21);
      CAUGHT (trap_run (load_es, 12), PF, PF_PRESENT);
      CHECK (trap_cr2 == FAR + 8, trap_cr2);
      CAUGHT (trap_run (load_es_ac, 12), PF, PF_PRESENT);
      WRITE_CR (4, cr4);
    }
  __asm__ volatile("lgdt %0" : : "m"(table));
  load_es (DATA);
  return true;
}

static void
user_load_fs (uint64_t selector)
{
  __asm__ volatile("movl %k0, %%fs; int $0x80" : : "r"(selector) : "memory");
}

/* A program's load of a segment reads a table that it may not read itself, and marks the descriptor. */
static bool
implicit_user (void)
{
  const uint64_t before = system_gdt[USER_DATA / 8];

  system_gdt[USER_DATA / 8] = before & ~(1ull << 40);
  PASSES (in_user (user_load_fs, USER_DATA, 0), USER_CALL);
  CHECK (system_gdt[USER_DATA / 8] == before, system_gdt[USER_DATA / 8]);
  CAUGHT (in_user (user_load_fs, DATA, 0), GP, DATA);
  CAUGHT (in_user (user_load_fs, ABSENT, 0), GP, ABSENT); /* Of privilege 0: that is looked at first. */
  return true;
}

/* Canonical addresses ------------------------------------------------------------------------------------- */

static void
far_return (uint64_t at)
{
  __asm__ volatile("pushq $16; movq %%rsp, %%rax; pushq %%rax; pushfq; pushq $8; pushq %0; iretq" : : "r"(at) : "rax", "memory");
}

static void
push_there (uint64_t at)
{
  __asm__ volatile("movq %%rsp, %%rax; movq %0, %%rsp; pushq %%rax" : : "r"(at) : "rax", "memory");
}

static void
load_table (uint64_t at)
{
  struct __attribute__ ((packed))
  {
    uint16_t limit;
    uint64_t base;
  } table = { 0xff, at };

  __asm__ volatile("lgdt %0" : : "m"(table));
}

static void
load_8 (uint64_t at)
{
  __asm__ volatile("movq (%0), %%rax" : : "r"(at) : "rax", "memory");
}

static void
invlpg (uint64_t at)
{
  __asm__ volatile("invlpg (%0)" : : "r"(at) : "memory");
}

static bool
canonical (void)
{
  CAUGHT (trap_run (load_8, HIGH - 4), GP, 0u); /* It begins where it may. */
  CAUGHT (trap_run (load_8, ~(HIGH - 1) - 4), GP, 0u); /* … and ends where it may. */
  CAUGHT (trap_run (jump, HIGH), GP, 0u);
  CAUGHT (trap_run (far_return, HIGH), GP, 0u);
  CAUGHT (in_user (push_there, HIGH + 8, 0), SS, 0u);
  CAUGHT (trap_run (load_table, HIGH), GP, 0u);
  PASSES (trap_run (invlpg, HIGH), RETURNED); /* It does nothing. */
  return true;
}

static bool
with (bool (*what) (void))
{
  bool ok;

  system_begin ();
  ok = what ();
  pml4[FAR >> 39] = 0;
  flush_tlb ();
  system_end ();
  return ok;
}

bool
test_reserved_bits (void)
{
  return with (reserved);
}

bool
test_levels (void)
{
  return with (accessed) && with (conjunction);
}

bool
test_contexts (void)
{
  return with (contexts);
}

bool
test_implicit (void)
{
  return with (implicit) && with (implicit_user);
}

bool
test_canonical (void)
{
  return with (canonical);
}
