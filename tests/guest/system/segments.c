/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Segments in 64-bit mode and the ways between privilege levels (SDM volume 3, chapters 3, 5 and 7;
 * volume 2, SYSCALL, SYSRET, SWAPGS, IRET).
 */
#include "system.h"

static uint64_t
lar (uint64_t selector, bool *valid)
{
  uint64_t r = 0;

  __asm__ volatile("lar %k2, %k0; setz %1" : "+r"(r), "=q"(*valid) : "r"(selector) : "cc");
  return r;
}

static uint64_t
lsl (uint64_t selector, bool *valid)
{
  uint64_t r = 0;

  __asm__ volatile("lsl %k2, %k0; setz %1" : "+r"(r), "=q"(*valid) : "r"(selector) : "cc");
  return r;
}

static bool
verw (uint64_t selector)
{
  bool r;

  __asm__ volatile("verw %w1; setz %0" : "=q"(r) : "r"(selector) : "cc");
  return r;
}

static bool
looks (void)
{
  bool valid;

  /* Bits 19:16 are undefined. */
  CHECK ((lar (CODE, &valid) & ~0xf0000u) == 0x00a09b00 && valid, lar (CODE, &valid));
  CHECK ((lar (USER_DATA, &valid) & ~0xf0000u) == 0x00c0f300 && valid, lar (USER_DATA, &valid));
  CHECK (lsl (DATA, &valid) == 0xffffffff && valid, lsl (DATA, &valid));
  CHECK (lsl (TASK, &valid) == sizeof (Tss) - 1 && valid, lsl (TASK, &valid));
  lar (0, &valid);
  CHECK (!valid, 0);
  lar (0x1000, &valid);
  CHECK (!valid, 0);
  CHECK (verw (DATA) && verw (USER_DATA) && !verw (CODE) && !verw (0), verw (CODE));
  /* The table that LLDT has loaded: its second entry is selector 12. */
  system_ldt[1] = 0x00cf92000000ffff;
  __asm__ volatile("movl %0, %%es; movl %1, %%es" : : "r"(12), "r"(DATA) : "memory");
  CHECK (system_ldt[1] == 0x00cf93000000ffff, system_ldt[1]); /* It has been marked as accessed. */
  return true;
}

static bool
bases (void)
{
  static const uint64_t words[2] = { 0x1111, 0x2222 };
  uint64_t              r, fs = (uintptr_t) &words[0], gs = (uintptr_t) &words[1];

  wrmsr (0xc0000100, fs);
  wrmsr (0xc0000101, gs);
  wrmsr (0xc0000102, fs);
  __asm__ volatile("movq %%fs:0, %0" : "=r"(r));
  CHECK (r == 0x1111, r);
  __asm__ volatile("movq %%gs:0, %0" : "=r"(r));
  CHECK (r == 0x2222, r);
  __asm__ volatile("swapgs; movq %%gs:0, %0" : "=r"(r));
  CHECK (r == 0x1111 && rdmsr (0xc0000102) == gs, r);
  __asm__ volatile("swapgs");
  /* A selector's load takes its descriptor's base; DS and ES have none. */
  __asm__ volatile("movl %0, %%fs" : : "r"(DATA));
  CHECK (rdmsr (0xc0000100) == 0, rdmsr (0xc0000100));
  if (has_feature (1, 0))
    {
      WRITE_CR (4, READ_CR (4) | 0x10000);
      __asm__ volatile("wrfsbase %1; rdfsbase %0" : "=r"(r) : "r"(fs));
      CHECK (r == fs && rdmsr (0xc0000100) == fs, r);
      WRITE_CR (4, READ_CR (4) & ~0x10000ull);
    }
  wrmsr (0xc0000100, 0);
  wrmsr (0xc0000101, 0);
  return true;
}

/* Far transfers ------------------------------------------------------------------------------------- */

extern char gate_target[];
__asm__(".globl gate_target\n"
        "gate_target:\n"
        "  movl %cs, %eax\n  movq %rsp, %rdx\n  lretq\n");

static bool
far (void)
{
  uint64_t cs = 0, rsp = 0, before;
  struct __attribute__ ((packed))
  {
    uint32_t offset;
    uint16_t selector;
  } pointer = { 0, GATE };
  const uint64_t at = (uintptr_t) gate_target;

  /* A 64-bit call gate that privilege 3 may use too (5.8.3.1). */
  system_gdt[GATE / 8] = (at & 0xffff) | CODE << 16 | 0xecull << 40 | (at >> 16 & 0xffff) << 48;
  system_gdt[GATE / 8 + 1] = at >> 32;
  __asm__ volatile("movq %%rsp, %2; lcall *%3; movq %%rax, %0; movq %%rdx, %1"
                   : "=&r"(cs), "=&r"(rsp), "=&r"(before)
                   : "m"(pointer)
                   : "rax", "rdx", "memory");
  CHECK ((cs & 0xffff) == CODE, cs);
  CHECK (rsp == before - 16, before - rsp);
  /* A far return to 32-bit code and from it. */
  __asm__ volatile("movq %%rsp, %1\n"
                   "pushq $24\n pushq $1f\n lretq\n"
                   ".code32\n"
                   "1: movl %%cs, %%eax\n"
                   "ljmp $8, $2f\n"
                   ".code64\n"
                   "2: movq %1, %%rsp\n"
                   "movl %%eax, %k0\n"
                   : "=&r"(cs), "=&r"(before)
                   :
                   : "rax", "memory");
  CHECK (cs == 24, cs);
  return true;
}

/* The gate from privilege 3: the stack is the task's, and holds the old one. */
static void
user_gate (uint64_t pointer)
{
  __asm__ volatile("movq %%rsp, %%rcx\n lcall *(%0)\n int $0x80\n" : : "r"(pointer) : "rax", "rcx", "rdx", "memory");
}

static bool
user_far (void)
{
  static struct __attribute__ ((packed))
  {
    uint32_t offset;
    uint16_t selector;
  } pointer = { 0, GATE | 3 };

  CHECK (in_user (user_gate, AS_USER (&pointer), 0) == USER_CALL, trap_vector << 16 | trap_error);
  CHECK (trap_cs == USER_CODE && trap_ss == USER_DATA, trap_cs);
  CHECK ((trap_rax & 0xffff) == CODE, trap_rax);
  return true;
}

/* SYSCALL ------------------------------------------------------------------------------------------- */

extern char syscall_entry[], user_syscall_code[];
uint64_t    syscall_rcx, syscall_r11, syscall_rsp;
__asm__(".globl syscall_entry, user_syscall_code\n"
        "syscall_entry:\n"
        "  movq %rcx, syscall_rcx\n  movq %r11, syscall_r11\n  movq %rsp, syscall_rsp\n"
        "  orq $0x1, %r11\n" /* CF, for the program to see. */
        "  sysretq\n"
        "user_syscall_code:\n"
        "  syscall\n"
        "  sbbq %rax, %rax\n"
        "  int $0x80\n");

static bool
syscalls (void)
{
  /* SYSRET's selectors are the base plus 16 and plus 8 (here 0x33 and 0x2b), SYSCALL's 8 and 16. */
  wrmsr (0xc0000081, (uint64_t) (USER_CODE - 16) << 48 | (uint64_t) CODE << 32);
  wrmsr (0xc0000082, (uintptr_t) syscall_entry);
  wrmsr (0xc0000084, 0x401); /* Clears DF and CF. */
  CHECK (in_user ((void (*) (uint64_t)) (uintptr_t) user_syscall_code, 0, 0x400) == USER_CALL,
         trap_vector << 16 | trap_error);
  CHECK (syscall_rcx == AS_USER (user_syscall_code) + 2, syscall_rcx);
  CHECK ((syscall_r11 & 0x400) != 0, syscall_r11);
  CHECK (trap_rax == ~0ull, trap_rax);
  CHECK (trap_cs == USER_CODE && trap_ss == USER_DATA, trap_cs << 16 | trap_ss);
  CHECK ((trap_rflags & 0x400) != 0, trap_rflags);
  wrmsr (0xc0000080, rdmsr (0xc0000080) & ~1ull); /* Without SCE it is undefined. */
  CHECK (in_user ((void (*) (uint64_t)) (uintptr_t) user_syscall_code, 0, 0) == UD, trap_vector);
  wrmsr (0xc0000080, rdmsr (0xc0000080) | 1);
  return true;
}

/* Stacks of interrupts ------------------------------------------------------------------------------ */

static void
own_stack (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("int $0x83");
}

static void
bad_return (uint64_t selector)
{
  __asm__ volatile("pushq $16; pushq %%rsp; pushfq; pushq %0; pushq $1f; iretq; 1: addq $8, %%rsp"
                   :
                   : "r"(selector)
                   : "memory");
}

static bool
stacks (void)
{
  extern char trap_vectors[];
  uint64_t    rsp;

  /* A gate with an interrupt stack of its own (6.14.5): aligned, at the top of the table's entry. */
  set_gate (0x83, trap_vectors + 32 * 0x83, 0);
  CHECK (trap_run (own_stack, 0) == 0x83, trap_vector);
  rsp = trap_rsp;
  CHECK (rsp != 0 && trap_cs == CODE, rsp);
  /* IRET to what it may not go to. */
  CHECK (trap_run (bad_return, 0) == GP && trap_error == 0, trap_vector << 16 | trap_error);
  CHECK (trap_run (bad_return, DATA) == GP && trap_error == DATA, trap_vector << 16 | trap_error);
  CHECK (trap_run (bad_return, 0x1000) == GP && trap_error == 0x1000, trap_vector << 16 | trap_error);
  return true;
}

bool
test_segments (void)
{
  bool ok;

  system_begin ();
  ok = looks () && bases () && far () && user_far () && stacks ();
  system_end ();
  return ok;
}

bool
test_syscalls (void)
{
  bool ok;

  system_begin ();
  ok = syscalls ();
  system_end ();
  return ok;
}
