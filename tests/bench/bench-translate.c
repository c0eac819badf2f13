/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What translated code costs: loops of one kind each, by the host itself, the translator and the
 * interpreter. Prints nanoseconds an iteration (the best of several rounds) and ratios.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core-rig.h"
#include "cpu/translate/block/translate.h"

#define BUFFER 0x100000u /* In the guest; 64 KiB. */
#define BUFFER_BYTES 65536u
#define ROUNDS 5u

/* A function of RDI, the buffer, and RSI, the iterations: for the host, and copied into the guest. */
#define LOOP(name, body)                                                                           \
  extern const uint8_t loop_##name[], loop_##name##_end[];                                         \
  __asm__ (".pushsection .text\n.balign 64\nloop_" #name ":\n pushq %rbx\n pushq %rbp\n pushq %r12\n"  \
           "xorl %eax, %eax\n xorl %edx, %edx\n movl $1, %ebx\n" body                              \
           "\n popq %r12\n popq %rbp\n popq %rbx\n ret\nloop_" #name "_end:\n.popsection\n")

LOOP (integer, "1: leaq 3(%rax,%rbx), %rax\n xorq %rsi, %rbx\n rolq $7, %rax\n imulq $13, %rbx, %rbx\n"
               "addq %rbx, %rax\n movq %rax, %rdx\n shrq $5, %rdx\n subq %rdx, %rax\n decq %rsi\n jnz 1b");
LOOP (load, "1: addq (%rdi), %rax\n addq 64(%rdi), %rbx\n addq 128(%rdi), %rdx\n addq 192(%rdi), %rbp\n"
            "decq %rsi\n jnz 1b");
LOOP (store, "1: movq %rsi, (%rdi)\n movl %esi, 80(%rdi)\n movb %sil, 160(%rdi)\n movq %rsi, 240(%rdi)\n"
             "decq %rsi\n jnz 1b");
LOOP (modify, "1: incq (%rdi)\n addq %rsi, 64(%rdi,%rbp,8)\n decq %rsi\n jnz 1b");
LOOP (chase, "leaq 8(%rdi), %rax\n movq %rdi, (%rax)\n movq %rax, (%rdi)\n movq %rdi, %rax\n"
             "1: movq (%rax), %rax\n movq (%rax), %rax\n decq %rsi\n jnz 1b");
LOOP (call, "1: call 2f\n decq %rsi\n jnz 1b\n jmp 3f\n 2: addq %rsi, %rax\n ret\n 3:");
LOOP (indirect, "leaq 2f(%rip), %rbp\n 1: callq *%rbp\n decq %rsi\n jnz 1b\n jmp 3f\n"
                "2: addq %rsi, %rax\n ret\n 3:");
LOOP (lent, "1: addq %rsi, %r9\n xorq %r9, %r10\n leaq (%r10,%r11), %r11\n movq %r11, (%rdi)\n decq %rsi\n jnz 1b");
LOOP (sse2, "cvtsi2sdq %rsi, %xmm0\n movapd %xmm0, %xmm1\n movsd %xmm0, (%rdi)\n"
            "1: movsd (%rdi), %xmm2\n mulsd %xmm1, %xmm2\n addsd 64(%rdi), %xmm2\n movsd %xmm2, 64(%rdi)\n"
            "movdqu 128(%rdi), %xmm3\n paddd %xmm3, %xmm4\n decq %rsi\n jnz 1b");
LOOP (branch, "1: testl $8, %esi\n jz 2f\n addq $3, %rax\n 2: testl $1, %esi\n jnz 3f\n xorq %rsi, %rax\n"
              "3: cmpq %rax, %rsi\n ja 4f\n incq %rbx\n 4: decq %rsi\n jnz 1b");

static const struct
{
  const char    *name;
  const uint8_t *code, *end;
} loops[] = {
#define ROW(name, text) { text, loop_##name, loop_##name##_end }
  ROW (integer, "integer"), ROW (branch, "branches"), ROW (load, "four loads"),
  ROW (store, "four stores"), ROW (modify, "two read-modify-writes"), ROW (chase, "two dependent loads"),
  ROW (call, "call and return"), ROW (indirect, "indirect call, return"), ROW (lent, "r9 to r11, a store"),
  ROW (sse2, "SSE2, five in memory"),
};

/* The thread's own time, in nanoseconds: others may be using the processor. */
static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static double
run_host (unsigned n, uint64_t count, uint8_t *buffer)
{
  void (*const loop) (uint8_t *, uint64_t) = (void (*) (uint8_t *, uint64_t)) (uintptr_t) loops[n].code;
  const double start = now ();

  loop (buffer, count);
  return (now () - start) / (double) count;
}

static double
run_core (CoreRig *rig, unsigned n, uint64_t count,
          VtStep (*run) (VtCore *core, uint64_t budget, uint64_t *done))
{
  VtCore *core = rig->core;

  memcpy (rig->mem + 0x1000, loops[n].code, (size_t) (loops[n].end - loops[n].code));
  vt_ram_mark_dirty (rig->ram, 0x1000, 4096);
  rig->mem[0x2000] = 0xf4;
  core->mp_state = VT_CPU_MP_RUNNABLE;
  core->rip = 0x1000;
  core->gpr[VT_CPU_RSP] = 0x7ff8;
  vt_st64 (rig->mem + 0x7ff8, 0x2000);
  core->gpr[VT_CPU_RDI] = BUFFER;
  core->gpr[VT_CPU_RSI] = count;
  const double start = now ();
  const VtStep step = run (core, UINT64_MAX, NULL);
  if (step != VT_STEP_HALTED)
    g_error ("%s ended with %d", loops[n].name, (int) step);
  return (now () - start) / (double) count;
}

int
main (int argc, char **argv)
{
  const uint64_t    count = argc > 1 ? (uint64_t) atoll (argv[1]) : 10000000;
  g_autofree uint8_t *buffer = g_malloc0 (BUFFER_BYTES);
  CoreRig           translator, interpreter;

  core_rig_init (&translator);
  core_rig_init (&interpreter);
  core_rig_long (&translator, 0x1000);
  core_rig_long (&interpreter, 0x1000);
  if (!vt_translate_available (translator.core))
    {
      puts ("this host has no executable memory or no BMI2: there is no translator");
      return 0;
    }
  printf ("%-24s %9s %10s %11s %10s %12s\n", "ns an iteration", "host", "translated", "interpreted",
          "to host", "to interp.");
  for (unsigned n = 0; n < G_N_ELEMENTS (loops); n++)
    {
      double host = 1e9, translated = 1e9, interpreted = 1e9;
      for (unsigned i = 0; i < ROUNDS; i++)
        {
          host = MIN (host, run_host (n, count, buffer));
          translated = MIN (translated, run_core (&translator, n, count, vt_translate));
          interpreted = MIN (interpreted,
                             run_core (&interpreter, n, count / 200 + 1, vt_interpret));
        }
      printf ("%-24s %9.2f %10.2f %11.0f %9.2fx %11.0fx\n", loops[n].name, host, translated, interpreted,
              translated / host, interpreted / translated);
    }
  core_rig_finish (&translator);
  core_rig_finish (&interpreter);
  return 0;
}
