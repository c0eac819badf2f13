/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Locked operations of several cores on one place: nothing is lost, whichever instruction it is, wherever the
 * place is (aligned, across a cache line, across a page), and whether a core is translated or interpreted.
 */
#include "smp-rig.h"

#define TIMES 10000u
#define PLACE 0x40000u    /* Page borders are there. */
#define BESIDE 0x200      /* What a lock at the place guards. */

/* RSI points to the place. Each time adds one to what is there, or beside it. */
#define CORE(name, body) CORE_CODE (name, 64, "1:\n" body "decl %ecx\n jnz 1b\n hlt\n")

CORE (add, "lock addq $1, (%rsi)\n");
CORE (inc_word, "lock incw (%rsi)\n");
CORE (sub, "lock subl $-1, (%rsi)\n");
CORE (xadd, "movl $1, %r9d\n lock xaddq %r9, (%rsi)\n addq %r9, %r10\n");
CORE (xadd_live, "stc\n movl $1, %eax\n lock xaddl %eax, (%rsi)\n adcl $0, %ebx\n");
CORE (cmpxchg, "movq (%rsi), %rax\n 2: leaq 1(%rax), %r9\n lock cmpxchgq %r9, (%rsi)\n jnz 2b\n");
CORE (cmpxchg8, "movl %ecx, %ebp\n movl (%rsi), %eax\n movl 4(%rsi), %edx\n"
                "2: movl %eax, %ebx\n movl %edx, %ecx\n addl $1, %ebx\n adcl $0, %ecx\n"
                "   lock cmpxchg8b (%rsi)\n jnz 2b\n movl %ebp, %ecx\n");
CORE (cmpxchg16, "movl %ecx, %ebp\n movq (%rsi), %rax\n movq 8(%rsi), %rdx\n"
                 "2: movq %rax, %rbx\n movq %rdx, %rcx\n addq $1, %rbx\n adcq $3, %rcx\n"
                 "   lock cmpxchg16b (%rsi)\n jnz 2b\n movl %ebp, %ecx\n");
/* Locks, by XCHG and by bits, around an addition that is not atomic; a core that has waited for long goes on
 * waiting without the bus. */
CORE (swap, "2: movl $1, %r9d\n xchgl %r9d, (%rsi)\n testl %r9d, %r9d\n jz 4f\n"
            "3: pause\n cmpl $0, (%rsi)\n jne 3b\n jmp 2b\n"
            "4: addq $1, 0x200(%rsi)\n movl $0, %r11d\n xchgl %r11d, (%rsi)\n");
CORE (bits, "2: lock btsl $5, (%rsi)\n jnc 4f\n 3: pause\n testb $0x20, (%rsi)\n jnz 3b\n jmp 2b\n"
            "4: addq $1, 0x200(%rsi)\n lock btrl $5, (%rsi)\n");
/* Two halves that are never seen apart: all ones or zero. */
CORE (whole, "xorl %eax, %eax\n 2: movq %rax, %r9\n notq %r9\n lock cmpxchgq %r9, (%rsi)\n jnz 3f\n"
             "   xorl %eax, %eax\n jmp 4f\n 3: cmpq $-1, %rax\n je 4f\n testq %rax, %rax\n jz 4f\n"
             "   lock incl 0x200(%rsi)\n xorl %eax, %eax\n 4:\n");

typedef struct
{
  const char    *name;
  const uint8_t *code, *end;
  unsigned       size;   /* Of the operand. */
  bool           beside; /* The sum is beside the place. */
  bool           aligned;
  uint64_t       sum;    /* Each time adds this. */
} Atomic;

#define ATOMIC(name, ...) { #name, code_##name, code_##name##_end, __VA_ARGS__ }

static const Atomic atomics[] = {
  ATOMIC (add, 8, .sum = 1),
  ATOMIC (inc_word, 2, .sum = 1),
  ATOMIC (sub, 4, .sum = 1),
  ATOMIC (xadd, 8, .sum = 1),
  ATOMIC (xadd_live, 4, .sum = 1),
  ATOMIC (cmpxchg, 8, .sum = 1),
  ATOMIC (cmpxchg8, 8, .sum = 1),
  ATOMIC (cmpxchg16, 16, .sum = 1, .aligned = true),
  ATOMIC (swap, 4, .sum = 1, .beside = true),
  ATOMIC (bits, 4, .sum = 1, .beside = true),
  ATOMIC (whole, 8, .sum = 0, .beside = true),
};

/* @mix: a bit for each core that is interpreted; @at: the place. */
static void
run_case (const Atomic *atomic, unsigned n, unsigned mix, uint64_t at, bool logged)
{
  Smp            smp;
  const uint64_t sum = n * TIMES * atomic->sum, ones = vt_ones (MIN (atomic->size, 8));

  smp_init (&smp, n);
  if (logged)
    vt_ram_log_start (smp.rig.ram);
  for (unsigned i = 0; i < n; i++)
    {
      uint64_t gpr[VT_CPU_GPRS] = { 0 };
      gpr[VT_CPU_RSI] = at;
      gpr[VT_CPU_RCX] = TIMES;
      smp.engine[i] = mix >> i & 1 ? vt_interpret : vt_translate;
      smp_load (&smp, i, atomic->code, atomic->end, gpr);
    }
  smp_run (&smp);
  const uint64_t found = vt_ld64 (smp.rig.mem + at + (atomic->beside ? BESIDE : 0));
  if ((found & ones) != (sum & ones))
    g_error ("%s by %u cores, %x of them interpreted, at %" G_GINT64_MODIFIER "x%s: %" G_GUINT64_FORMAT
             " instead of %" G_GUINT64_FORMAT,
             atomic->name, n, mix, at, logged ? " (logged)" : "", found & ones, sum & ones);
  if (atomic->size == 16)
    g_assert_cmpuint (vt_ld64 (smp.rig.mem + at + 8), ==, 3 * sum);
  if (logged)
    vt_ram_log_stop (smp.rig.ram);
  smp_finish (&smp);
}

static void
test_atomic (gconstpointer data)
{
  const Atomic *atomic = data;
  const struct
  {
    uint64_t at;
    bool     unaligned;
  } places[] = {
    { PLACE + 0x100, false },
    { PLACE + 0x100 + 1, true },                   /* In a cache line. */
    { PLACE + 0x140 - atomic->size / 2, true },    /* Across one. */
    { PLACE + 0x1000 - atomic->size / 2, true },   /* Across a page. */
    { PLACE + 0x1000 - 1, true },
  };
  static const struct
  {
    unsigned n, mix;
  } mixes[] = { { 2, 0 }, { 2, 1 }, { 2, 3 }, { 3, 2 }, { 4, 0 } };

  for (unsigned p = 0; p < G_N_ELEMENTS (places); p++)
    for (unsigned m = 0; m < G_N_ELEMENTS (mixes); m++)
      if (!atomic->aligned || !places[p].unaligned)
        run_case (atomic, mixes[m].n, mixes[m].mix, places[p].at, false);
  /* While a log of what is written is kept. */
  run_case (atomic, 2, 0, places[0].at, true);
  run_case (atomic, 3, 2, places[0].at, true);
  if (!atomic->aligned)
    run_case (atomic, 2, 0, places[3].at, true);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (atomics); i++)
    {
      g_autofree char *path = g_strconcat ("/atomics/", atomics[i].name, NULL);
      g_test_add_data_func (path, &atomics[i], test_atomic);
    }
  return g_test_run ();
}
