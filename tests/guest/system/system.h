/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The tests of what the architecture does beyond arithmetic (Intel SDM volume 3): written from the manual,
 * and run by every CPU engine. They call code that traps, and look at the trap.
 */
#pragma once

#include "../guest.h"

enum
{
  DE = 0, DB = 1, BP = 3, UD = 6, NM = 7, DF = 8, TS = 10, NP = 11, SS = 12, GP = 13, PF = 14, MF = 16,
  AC = 17, XM = 19,
  RETURNED = 256, /* It has not trapped. */
};

#define USER_CALL 0x80 /* The vector by which code of privilege 3 comes back. */

/* Selectors. */
enum
{
  CODE = 8, DATA = 16, USER_DATA = 0x2b, USER_CODE = 0x33, ABSENT = 0x38, TASK = 0x40, GATE = 0x50,
  TABLE = 0x60, SPARE = 0x70,
};

/* Error codes of page faults (4.7). */
#define PF_PRESENT 0x01u
#define PF_WRITE 0x02u
#define PF_USER 0x04u
#define PF_RESERVED 0x08u
#define PF_FETCH 0x10u
#define PF_KEY 0x20u

/* Entries of page tables (4.5). */
#define PT_P 0x001ull
#define PT_W 0x002ull
#define PT_U 0x004ull
#define PT_A 0x020ull
#define PT_D 0x040ull
#define PT_PS 0x080ull
#define PT_G 0x100ull
#define PT_NX (1ull << 63)

/* 512 pages of 4 KiB whose entries tests write, and the first GiB as privilege 3 may use it. */
#define WINDOW 0x8000000000ull
#define USER_BASE 0x10000000000ull
extern uint64_t window[512];

typedef struct __attribute__ ((packed))
{
  uint32_t reserved;
  uint64_t rsp[3], ist[8], reserved2;
  uint16_t reserved3, bitmap;
} Tss;

extern Tss      system_tss;
extern uint64_t system_gdt[16], system_ldt[4];

/* What the last trap was. */
extern volatile uint64_t trap_vector, trap_error, trap_rip, trap_cs, trap_rflags, trap_rsp, trap_ss,
    trap_cr2, trap_dr6, trap_rax, trap_at; /* The last: where the frame began, at RIP. */
unsigned trap_run (void (*code) (uint64_t), uint64_t argument);
unsigned trap_user (uint64_t rip, uint64_t argument, uint64_t rsp, uint64_t rflags);

/* Descriptor tables, task state and page tables anew, every vector to the traps; and back to what
 * the other tests have. */
void system_begin (void);
void system_end (void);
/* @code at privilege 3 with @argument, @flags besides the usual: the vector by which it came back. */
unsigned in_user (void (*code) (uint64_t), uint64_t argument, uint64_t flags);
/* The address of @p as privilege 3 may use it. */
#define AS_USER(p) ((uint64_t) (uintptr_t) (p) + USER_BASE)
void flush_tlb (void);

static inline void
cpuid (uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
  __asm__ volatile("cpuid"
                   : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                   : "a"(leaf), "c"(subleaf));
}

/* Leaf 7's EBX or ECX. */
static inline bool
has_feature (unsigned reg, unsigned bit)
{
  uint32_t r[4];

  cpuid (0, 0, r);
  if (r[0] < 7)
    return false;
  cpuid (7, 0, r);
  return r[reg] >> bit & 1;
}

/* A call that is expected to end with a trap, or with none. */
#define CAUGHT(call, vector, error)                                                                \
  do                                                                                               \
    {                                                                                              \
      unsigned v_ = (call);                                                                        \
      CHECK (v_ == (vector) && trap_error == (error), (uint64_t) v_ << 32 | trap_error);           \
    }                                                                                              \
  while (0)
#define PASSES(call, vector)                                                                       \
  do                                                                                               \
    {                                                                                              \
      unsigned v_ = (call);                                                                        \
      CHECK (v_ == (vector), (uint64_t) v_ << 32 | trap_error);                                    \
    }                                                                                              \
  while (0)

#define READ_CR(n)                                                                                 \
  ({                                                                                               \
    uint64_t v_;                                                                                   \
    __asm__ volatile("movq %%cr" #n ", %0" : "=r"(v_) : : "memory");                               \
    v_;                                                                                            \
  })
#define WRITE_CR(n, v) __asm__ volatile("movq %0, %%cr" #n : : "r"((uint64_t) (v)) : "memory")
