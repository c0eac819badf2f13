/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Exceptions (SDM volume 3, chapter 6): vector, error code, the address that is reported, and whose stack.
 */
#include "system.h"

/* One instruction (or several, the first of which traps) with a name for its address. */
#define SITE(name, code)                                                                           \
  extern char site_##name[];                                                                       \
  static __attribute__ ((noinline, noclone)) void name (uint64_t a)                                \
  {                                                                                                \
    __asm__ volatile("movq %0, %%rax\n"                                                            \
                     "xorl %%ecx, %%ecx\n"                                                         \
                     "xorl %%edx, %%edx\n"                                                         \
                     ".globl site_" #name "\n"                                                     \
                     "site_" #name ": " code                                                       \
                     :                                                                             \
                     : "r"(a)                                                                      \
                     : "rax", "rcx", "rdx", "rbx", "memory", "cc");                                \
  }

SITE (divide, "divl %%ecx")
SITE (divide_big, "movl $1, %%ecx; movl $1, %%edx; divl %%ecx")
SITE (breakpoint, "int3")
SITE (undefined, "ud2")
SITE (icebp, ".byte 0xf1")
SITE (lock_register, ".byte 0xf0, 0x01, 0xc0") /* LOCK ADD EAX, EAX */
SITE (soft, "int $0x81")
SITE (soft_user, "int $0x82")
SITE (load_far, "movb (%%rax), %%cl")
SITE (stack_far, "movq %%rbp, %%rbx; movq %%rax, %%rbp; movb (%%rbp), %%cl; movq %%rbx, %%rbp")
SITE (load_ds, "movl %%eax, %%ds")
SITE (load_ss, "movl %%eax, %%ss")
SITE (load_tr, "ltr %%ax")
SITE (halt, "hlt")
SITE (unaligned, "movl 1(%%rax), %%ecx")
SITE (float_exception, "fwait")
SITE (sse, "paddd %%xmm0, %%xmm0")
SITE (sse_unaligned, "movaps 1(%%rax), %%xmm0")
SITE (sse_divide, "divss %%xmm1, %%xmm0")
SITE (in_port, "inb $0x80, %%al")
SITE (clear_if, "cli")
SITE (return_user, "int $0x80")

/* The vector, error code and address of what comes of @code. */
#define TRAPS(name, argument, vector, error)                                                       \
  do                                                                                               \
    {                                                                                              \
      unsigned v_ = trap_run (name, (uint64_t) (argument));                                        \
      CHECK (v_ == (vector), v_);                                                                  \
      CHECK (trap_error == (error), trap_error);                                                   \
      CHECK (trap_rip == (uintptr_t) site_##name, trap_rip);                                       \
    }                                                                                              \
  while (0)
#define USER_TRAPS(name, argument, flags, vector, error)                                           \
  do                                                                                               \
    {                                                                                              \
      unsigned v_ = in_user (name, (uint64_t) (argument), flags);                                  \
      CHECK (v_ == (vector), v_);                                                                  \
      CHECK (trap_error == (error), trap_error);                                                   \
      CHECK (trap_rip == AS_USER (site_##name), trap_rip);                                         \
      CHECK (trap_cs == USER_CODE && trap_ss == USER_DATA, trap_cs);                               \
    }                                                                                              \
  while (0)

static bool
at_privilege_0 (void)
{
  TRAPS (divide, 5, DE, 0);
  CHECK (trap_run (divide_big, 0) == DE, trap_vector);
  CHECK (trap_rip == (uintptr_t) site_divide_big + 10, trap_rip);
  CHECK (trap_run (breakpoint, 0) == BP, trap_vector);
  CHECK (trap_rip == (uintptr_t) site_breakpoint + 1, trap_rip); /* A trap: behind it. */
  CHECK (trap_run (icebp, 0) == DB, trap_vector);
  CHECK (trap_rip == (uintptr_t) site_icebp + 1, trap_rip);
  TRAPS (undefined, 0, UD, 0);
  TRAPS (lock_register, 0, UD, 0);
  CHECK (trap_run (soft, 0) == 0x81, trap_vector);
  CHECK (trap_rip == (uintptr_t) site_soft + 2 && trap_error == 0, trap_rip);
  TRAPS (load_far, 0x800000000000, GP, 0); /* Not canonical. */
  CHECK (trap_run (stack_far, 0x800000000000) == SS && trap_error == 0, trap_vector);
  CHECK (trap_rip == (uintptr_t) site_stack_far + 6, trap_rip);
  TRAPS (load_ds, 0x1000, GP, 0x1000); /* Beyond the table. */
  TRAPS (load_ds, ABSENT, NP, ABSENT);
  TRAPS (load_ss, USER_DATA, GP, USER_DATA & ~3u);
  TRAPS (load_tr, 0, GP, 0);
  TRAPS (load_tr, TASK, GP, TASK); /* It is busy. */
  CHECK (trap_run (load_ds, 0) == RETURNED, trap_vector);
  CHECK (trap_run (load_ds, DATA) == RETURNED, trap_vector);
  return true;
}

static bool
at_privilege_3 (void)
{
  const uint64_t data = AS_USER (buffer);

  CHECK (in_user (return_user, 0, 0) == USER_CALL, trap_vector);
  CHECK (trap_rip == AS_USER (site_return_user) + 2, trap_rip);
  CHECK (trap_cs == USER_CODE && trap_ss == USER_DATA, trap_ss);
  USER_TRAPS (divide, 5, 0, DE, 0);
  USER_TRAPS (halt, 0, 0, GP, 0);
  USER_TRAPS (in_port, 0, 0, GP, 0);
  USER_TRAPS (clear_if, 0, 0, GP, 0);
  /* A gate that it may not use: the vector's number, as the table has it (6.13). */
  USER_TRAPS (soft_user, 0, 0, GP, 0x82 << 3 | 2);
  USER_TRAPS (load_far, 0x100000, 0, PF, PF_PRESENT | PF_USER); /* The kernel's. */
  CHECK (trap_cr2 == 0x100000, trap_cr2);
  /* Alignment: asked for by the program, and allowed by CR0.AM. */
  WRITE_CR (0, READ_CR (0) | 0x40000);
  USER_TRAPS (unaligned, data, 0x40000, AC, 0);
  WRITE_CR (0, READ_CR (0) & ~0x40000ull);
  CHECK (trap_run (unaligned, (uintptr_t) buffer) == RETURNED, trap_vector);
  return true;
}

static bool
units (void)
{
  const uint64_t cr0 = READ_CR (0), cr4 = READ_CR (4);
  const uint16_t control = 0x37b; /* Divisions by zero unmasked. */
  const uint32_t mxcsr = 0x1d80;  /* The same. */

  WRITE_CR (4, cr4 | 0x600);
  WRITE_CR (0, (cr0 & ~4ull) | 0x2a); /* TS, NE, MP. */
  TRAPS (sse, 0, NM, 0);
  TRAPS (float_exception, 0, NM, 0);
  WRITE_CR (0, (cr0 & ~0xcull) | 0x22);
  CHECK (trap_run (sse, 0) == RETURNED, trap_vector);
  WRITE_CR (4, cr4 & ~0x200ull);
  TRAPS (sse, 0, UD, 0);
  WRITE_CR (4, cr4 | 0x600);
  TRAPS (sse_unaligned, (uintptr_t) buffer, GP, 0);
  __asm__ volatile("ldmxcsr %0; pcmpeqd %%xmm0, %%xmm0; psrld $25, %%xmm0; pslld $23, %%xmm0; pxor %%xmm1, %%xmm1"
                   :
                   : "m"(mxcsr));
  TRAPS (sse_divide, 0, XM, 0);
  __asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(control));
  TRAPS (float_exception, 0, MF, 0);
  __asm__ volatile("fninit");
  WRITE_CR (0, cr0);
  WRITE_CR (4, cr4);
  return true;
}

bool
test_exceptions (void)
{
  bool ok;

  system_begin ();
  ok = at_privilege_0 () && at_privilege_3 ();
  system_end ();
  return ok;
}

/* Apart, since not every engine has the units in kernel code. */
bool
test_unit_exceptions (void)
{
  bool ok;

  system_begin ();
  ok = units ();
  system_end ();
  return ok;
}
