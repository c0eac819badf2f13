/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Debugging (SDM volume 3, chapter 17): what breakpoints watch, what DR6 and DR7 keep, RF, and when a single step
 * stops.
 */
#include "system.h"

#define CLEAR_DR6 0xffff0ff0ull
#define BD 0x2000u
#define BS 0x4000u
#define TF 0x100ull
#define RF 0x10000ull
#define LOCAL(n) (1ull << 2 * (n))
#define GLOBAL(n) (2ull << 2 * (n))
#define ON(n, rw, length) ((uint64_t) (rw) << (16 + 4 * (n)) | (uint64_t) (length) << (18 + 4 * (n)))

#define WRITE_DR(n, v) __asm__ volatile("movq %0, %%db" #n : : "r"((uint64_t) (v)) : "memory")
#define READ_DR(n)                                                                                 \
  ({                                                                                               \
    uint64_t v_;                                                                                   \
    __asm__ volatile("movq %%db" #n ", %0" : "=r"(v_) : : "memory");                               \
    v_;                                                                                            \
  })

static uint64_t watched[16] __attribute__ ((aligned (64)));

static void
nothing_watched (void)
{
  WRITE_DR (7, 0x400);
  WRITE_DR (6, CLEAR_DR6);
}

/* Data ------------------------------------------------------------------------------------------------ */

static void
load1 (uint64_t at)
{
  __asm__ volatile("movb (%0), %%al" : : "r"(at) : "rax", "memory");
}

static void
store1 (uint64_t at)
{
  __asm__ volatile("movb $1, (%0)" : : "r"(at) : "memory");
}

static void
store8 (uint64_t at)
{
  __asm__ volatile("movq %0, (%0)" : : "r"(at) : "memory");
}

static void
add4 (uint64_t at)
{
  __asm__ volatile("addl $1, (%0)" : : "r"(at) : "memory", "cc");
}

static void
copy (uint64_t at)
{
  uint64_t n = 4;

  __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(0) : "memory");
}

/* Whether @code at @at meets what has been set up, and says so in DR6. */
static bool
met (void (*code) (uint64_t), uint64_t at, unsigned bits)
{
  unsigned v;

  WRITE_DR (6, CLEAR_DR6);
  v = trap_run (code, at);
  CHECK (bits == 0 ? v == RETURNED : v == DB, v);
  if (bits)
    CHECK ((trap_dr6 & 0xf) == bits && (trap_dr6 & (BS | BD)) == 0, trap_dr6);
  return true;
}
#define MET(code, at, bits)                                                                        \
  do                                                                                               \
    {                                                                                              \
      if (!met (code, at, bits))                                                                   \
        return fail (#code " of " #at, __LINE__);                                                  \
    }                                                                                              \
  while (0)

static bool
data (void)
{
  const uint64_t at = (uintptr_t) &watched[8];

  WRITE_DR (0, at);
  WRITE_DR (7, LOCAL (0) | ON (0, 1, 0)); /* One byte written. */
  MET (load1, at, 0u);
  MET (store1, at, 1u);
  MET (store1, at + 1, 0u);
  MET (store8, at, 1u);
  MET (store8, at - 7, 1u);
  MET (store8, at - 8, 0u);
  MET (add4, at, 1u);
  WRITE_DR (7, GLOBAL (0) | ON (0, 3, 0)); /* Read or written. */
  MET (load1, at, 1u);
  MET (store1, at, 1u);
  WRITE_DR (7, ON (0, 3, 0)); /* Switched off. */
  MET (load1, at, 0u);
  /* Lengths 2, 8 and 4: the address is rounded down. */
  WRITE_DR (1, at + 1);
  WRITE_DR (2, at + 13);
  WRITE_DR (3, at + 18);
  WRITE_DR (7, LOCAL (1) | GLOBAL (2) | LOCAL (3) | ON (1, 1, 1) | ON (2, 3, 2) | ON (3, 1, 3));
  MET (store1, at, 2u);
  MET (store1, at + 1, 2u);
  MET (store1, at + 2, 0u);
  MET (load1, at + 7, 0u);
  MET (load1, at + 8, 4u);
  MET (load1, at + 15, 4u);
  MET (store1, at + 16, 8u);
  MET (store1, at + 19, 8u);
  MET (store1, at + 20, 0u);
  MET (store8, at + 12, 12u); /* Two of them. */
  MET (copy, at + 4, 0u);
  MET (copy, at + 7, 4u);
  nothing_watched ();
  return true;
}

/* The registers ----------------------------------------------------------------------------------------- */

static void
write_dr6 (uint64_t v)
{
  WRITE_DR (6, v);
}

static void
write_dr7 (uint64_t v)
{
  WRITE_DR (7, v);
}

static void
read_dr0 (uint64_t unused)
{
  (void) unused;
  READ_DR (0);
}

extern char read_dr4_at[], guarded_at[], behind_icebp[];

static void
read_dr4 (uint64_t unused)
{
  (void) unused;
  __asm__ volatile(".globl read_dr4_at\n read_dr4_at: .byte 0x0f, 0x21, 0xe0" : : : "rax"); /* MOV RAX, DR4 */
}

static void
guarded (uint64_t unused)
{
  (void) unused;
  __asm__ volatile(".globl guarded_at\n guarded_at: movq %%db3, %%rax" : : : "rax");
}

static void
trap (uint64_t unused)
{
  (void) unused;
  __asm__ volatile(".byte 0xf1\n .globl behind_icebp\n behind_icebp:");
}

static bool
registers (void)
{
  const uint64_t cr4 = READ_CR (4);

  CAUGHT (trap_run (write_dr6, 1ull << 32), GP, 0u);
  CAUGHT (trap_run (write_dr7, 1ull << 32), GP, 0u);
  WRITE_DR (6, 0);
  CHECK (READ_DR (6) == CLEAR_DR6, READ_DR (6)); /* What is reserved stays. */
  WRITE_DR (6, 0xe00f);
  CHECK (READ_DR (6) == (CLEAR_DR6 | 0xe00f), READ_DR (6));
  WRITE_DR (7, 0xd000);
  CHECK (READ_DR (7) == 0x400, READ_DR (7));
  nothing_watched ();
  PASSES (in_user (read_dr0, 0, 0), GP);
  /* DR4 is DR6, but with CR4.DE it is none. */
  PASSES (trap_run (read_dr4, 0), RETURNED);
  WRITE_CR (4, cr4 | 8);
  PASSES (trap_run (read_dr4, 0), UD);
  CHECK (trap_rip == (uintptr_t) read_dr4_at, trap_rip);
  WRITE_CR (4, cr4);
  /* General detect (17.2.4): a fault, and off in its handler, and in that of every other debug exception. */
  WRITE_DR (7, 0x2400);
  CHECK (trap_run (guarded, 0) == DB, trap_vector);
  CHECK (trap_rip == (uintptr_t) guarded_at, trap_rip);
  CHECK ((trap_dr6 & (BD | BS | 0xf)) == BD, trap_dr6);
  CHECK (READ_DR (7) == 0x400, READ_DR (7));
  nothing_watched ();
  WRITE_DR (7, 0x2400);
  CHECK (trap_run (trap, 0) == DB, trap_vector);
  CHECK (trap_rip == (uintptr_t) behind_icebp, trap_rip); /* Not the handler's own look at DR6. */
  PASSES (trap_run (guarded, 0), RETURNED);
  nothing_watched ();
  return true;
}

/* Execution, and RF ------------------------------------------------------------------------------------- */

extern char two_first[], two_second[];

static void
two (uint64_t at)
{
  __asm__ volatile(".globl two_first, two_second\n"
                   "two_first: nop\n two_second: movb (%0), %%al\n" : : "r"(at) : "rax", "memory");
}

/* IRET to its first instruction, with @flags. */
static void
resumed (uint64_t flags)
{
  __asm__ volatile("movq %%rsp, %%rax; pushq $16; pushq %%rax; pushq %0; pushq $8; pushq $two_again; iretq\n"
                   ".globl two_again\n two_again: nop; nop; nop\n pushq $2\n popfq\n"
                   :
                   : "r"(flags)
                   : "rax", "memory", "cc");
}
extern char two_again[];

static bool
execution (void)
{
  WRITE_DR (2, (uintptr_t) two_first);
  WRITE_DR (7, LOCAL (2));
  CHECK (trap_run (two, (uintptr_t) watched) == DB && trap_rip == (uintptr_t) two_first, trap_rip);
  CHECK ((trap_dr6 & 0xf) == 4 && !(trap_rflags & RF), trap_dr6);
  WRITE_DR (6, CLEAR_DR6);
  /* In the middle of an instruction there is none. */
  WRITE_DR (2, (uintptr_t) two_second + 1);
  PASSES (trap_run (two, (uintptr_t) watched), RETURNED);
  /* A page fault's image of the flags has RF, so that its return passes the breakpoint. */
  window[3] = 0;
  CHECK (trap_run (two, WINDOW + 0x3000) == PF && (trap_rflags & RF), trap_rflags);
  /* What IRET sets holds for one instruction. */
  WRITE_DR (2, (uintptr_t) two_again);
  CHECK (trap_run (resumed, 2) == DB && trap_rip == (uintptr_t) two_again, trap_rip);
  WRITE_DR (6, CLEAR_DR6);
  PASSES (trap_run (resumed, RF | 2), RETURNED);
  WRITE_DR (2, (uintptr_t) two_again + 1);
  WRITE_DR (6, CLEAR_DR6);
  CHECK (trap_run (resumed, RF | 2) == DB && trap_rip == (uintptr_t) two_again + 1, trap_rip);
  nothing_watched ();
  return true;
}

/* Shadows: a breakpoint on data behind MOV SS comes with the next instruction. */
extern char late_at[];

static void
late (uint64_t at)
{
  __asm__ volatile("movw (%0), %%ss\n nop\n .globl late_at\n late_at: nop\n nop\n" : : "r"(at) : "memory");
}

static bool
shadows (void)
{
  watched[0] = DATA;
  WRITE_DR (0, (uintptr_t) watched);
  WRITE_DR (7, LOCAL (0) | ON (0, 3, 1));
  CHECK (trap_run (late, (uintptr_t) watched) == DB && trap_rip == (uintptr_t) late_at, trap_rip);
  CHECK ((trap_dr6 & 0xf) == 1, trap_dr6);
  nothing_watched ();
  return true;
}

/* Steps ------------------------------------------------------------------------------------------------- */

extern char steps_syscall[], steps_behind[], steps_sysret[], steps_entry[];
__asm__(".globl steps_syscall, steps_behind, steps_sysret, steps_entry\n"
        "steps_syscall: pushfq\n orl $0x100, (%rsp)\n popfq\n syscall\n steps_behind: nop\n int $0x80\n"
        "steps_sysret: movl $0x302, %r11d\n sysretq\n"
        "steps_entry: nop\n sysretq\n");

/* To privilege 3 by SYSRET with TF. */
static void
by_sysret (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("movq %0, %%rcx; jmp steps_sysret" : : "r"(AS_USER (steps_behind)) : "rcx", "r11", "memory");
}

extern char stepped_at[];

static void
iret_step (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("movq %%rsp, %%rax; pushq $16; pushq %%rax; pushq $0x102; pushq $8; pushq $1f; iretq\n"
                   "1: nop\n .globl stepped_at\n stepped_at: nop\n nop\n" : : : "rax", "memory");
}

static void
step_int (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; int $0x84" : : : "memory", "cc");
}

extern char step_sti_at[];

static void
step_sti (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; sti; .globl step_sti_at\n step_sti_at: nop; cli"
                   : : : "memory", "cc");
}

static void
step_fault (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; ud2" : : : "memory", "cc");
}

static bool
single (void)
{
  WRITE_DR (6, CLEAR_DR6);
  CHECK (trap_run (iret_step, 0) == DB && trap_rip == (uintptr_t) stepped_at, trap_rip);
  CHECK ((trap_dr6 & (BS | BD | 0xf)) == BS && (trap_rflags & TF), trap_dr6);
  WRITE_DR (6, CLEAR_DR6);
  /* INT n clears TF before its handler's first instruction; a fault comes instead of the trap, and tells TF. */
  CHECK (trap_run (step_int, 0) == 0x84 && (trap_rflags & TF), trap_vector);
  CHECK (trap_run (step_fault, 0) == UD && (trap_rflags & TF), trap_vector);
  CHECK ((trap_dr6 & BS) == 0, trap_dr6);
  /* STI's shadow does not hold it back. */
  CHECK (trap_run (step_sti, 0) == DB && trap_rip == (uintptr_t) step_sti_at, trap_rip);
  WRITE_DR (6, CLEAR_DR6);
  /* INT1 is a debug exception that leaves DR6 alone, and needs no right to its gate. */
  CHECK (in_user (trap, 0, 0) == DB && (trap_dr6 & (BS | 0xf)) == 0, trap_dr6);
  return true;
}

/* SYSCALL stops at the entry where the mask leaves TF, and nowhere where it does not; SYSRET that sets it, at once. */
static bool
fast_calls (void)
{
  wrmsr (0xc0000081, (uint64_t) (USER_CODE - 16) << 48 | (uint64_t) CODE << 32);
  wrmsr (0xc0000082, (uintptr_t) steps_entry);
  wrmsr (0xc0000084, 0);
  WRITE_DR (6, CLEAR_DR6);
  PASSES (in_user ((void (*) (uint64_t)) (uintptr_t) steps_syscall, 0, 0), DB);
  CHECK (trap_rip == (uintptr_t) steps_entry && trap_cs == CODE && (trap_dr6 & BS), trap_rip);
  wrmsr (0xc0000084, TF);
  WRITE_DR (6, CLEAR_DR6);
  PASSES (in_user ((void (*) (uint64_t)) (uintptr_t) steps_syscall, 0, 0), DB);
  CHECK (trap_rip == AS_USER (steps_behind) && trap_cs == USER_CODE, trap_rip);
  WRITE_DR (6, CLEAR_DR6);
  PASSES (trap_run (by_sysret, 0), DB);
  CHECK (trap_rip == AS_USER (steps_behind) && trap_cs == USER_CODE && (trap_dr6 & BS), trap_rip);
  WRITE_DR (6, CLEAR_DR6);
  return true;
}

#define TEST(name, what)                                                                           \
  bool name (void)                                                                                 \
  {                                                                                                \
    bool ok;                                                                                       \
                                                                                                   \
    system_begin ();                                                                               \
    ok = what ();                                                                                  \
    nothing_watched ();                                                                            \
    system_end ();                                                                                 \
    return ok;                                                                                     \
  }

TEST (test_watched_data, data)
TEST (test_debug_registers, registers)
TEST (test_watched_code, execution)
TEST (test_debug_shadows, shadows)
TEST (test_single_steps, single)
TEST (test_fast_call_steps, fast_calls)
