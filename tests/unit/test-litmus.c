/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What processors may see of one another's stores (SDM volume 3, 8.2.3): litmus tests as guest programs, many
 * times each, with translated and interpreted cores. An outcome that the architecture forbids fails the test;
 * those that it allows, and that a processor which does everything in order would not have, are counted.
 */
#include "smp-rig.h"

#define ROUNDS 3u
#define TIMES 3000u
#define PLACES 0x200000u   /* For each time, x and y, a cache line each. */
#define RESULTS 0x300000u  /* Of each core, 8 bytes for each time. */
#define PROGRESS 0x3f0000u /* Of each core, a cache line. */

/* RSI points to x, and y is 64 bytes behind it; RDI points to y. EAX and EDX are what a core has seen. Before
 * each time a core waits, for a while, until its neighbour is there: R12 and R13 point to their progress. */
#define CORE(name, body)                                                                           \
  CORE_CODE (name, 64,                                                                             \
             "1: movl $-1, %eax\n movl %eax, %edx\n movl %ecx, (%r12)\n movl $300, %ebp\n"         \
             "8: cmpl %ecx, (%r13)\n jbe 9f\n pause\n decl %ebp\n jnz 8b\n 9:\n" body              \
             "movl %eax, (%r8)\n movl %edx, 4(%r8)\n addq $128, %rsi\n addq $128, %rdi\n"          \
             "addq $8, %r8\n decl %ecx\n jnz 1b\n hlt\n")

#define X1 "movl $1, (%rsi)\n"
#define X2 "movl $2, (%rsi)\n"
#define Y1 "movl $1, (%rdi)\n"
#define Y2 "movl $2, (%rdi)\n"
#define AX "movl (%rsi), %eax\n"
#define AY "movl (%rdi), %eax\n"
#define DX "movl (%rsi), %edx\n"
#define DY "movl (%rdi), %edx\n"
#define FENCE "mfence\n"
#define LOCK "lock orl $0, -8(%rsp)\n"
#define SWAP(p) "movl $1, %r9d\n xchgl %r9d, (" p ")\n"
#define ADD(p) "movl $1, %r10d\n lock xaddl %r10d, (" p ")\n"
#define LIVE(body) "stc\n" body "adcq $0, %r14\n" /* With a flag that lives across. */

CORE (x1, X1);
CORE (y1, Y1);
CORE (x1_ay, X1 AY);
CORE (y1_ax, Y1 AX);
CORE (x1_fence_ay, X1 FENCE AY);
CORE (y1_fence_ax, Y1 FENCE AX);
CORE (x1_lock_ay, X1 LOCK AY);
CORE (y1_lock_ax, LIVE (Y1 LOCK AX));
CORE (xswap_ay, SWAP ("%rsi") AY);
CORE (yadd_ax, ADD ("%rdi") AX);
CORE (x1_y1, X1 Y1);
CORE (x1_y1_group, "movl $1, (%rsi)\n movl $1, 64(%rsi)\n");
CORE (x1_y1_live, LIVE (X1 Y1));
CORE (ay_dx, AY DX);
CORE (ay_dx_group, "movl 64(%rsi), %eax\n movl (%rsi), %edx\n");
CORE (ay_dx_live, LIVE (AY DX));
CORE (ax_dy, AX DY);
CORE (ax_y1, AX Y1);
CORE (ay_x1, AY X1);
CORE (y2_ax, Y2 AX);
CORE (y2_fence_ax, Y2 FENCE AX);
CORE (x2_y1, X2 Y1);
CORE (x1_y2, X1 Y2);
CORE (y1_x2, Y1 X2);
CORE (x1_x2, X1 X2);
CORE (ax_dx, AX DX);

typedef struct
{
  uint32_t a[SMP_CORES], d[SMP_CORES], x, y;
} Outcome;

static bool
sb (const Outcome *o)
{
  return o->a[0] == 0 && o->a[1] == 0;
}

static bool
mp (const Outcome *o)
{
  return o->a[1] == 1 && o->d[1] == 0;
}

static bool
lb (const Outcome *o)
{
  return o->a[0] == 1 && o->a[1] == 1;
}

static bool
s (const Outcome *o)
{
  return o->a[1] == 1 && o->x == 2;
}

static bool
r (const Outcome *o)
{
  return o->y == 2 && o->a[1] == 0;
}

static bool
two_writes (const Outcome *o)
{
  return o->x == 1 && o->y == 1;
}

static bool
iriw (const Outcome *o)
{
  return o->a[2] == 1 && o->d[2] == 0 && o->a[3] == 1 && o->d[3] == 0;
}

static bool
wrc (const Outcome *o)
{
  return o->a[1] == 1 && o->a[2] == 1 && o->d[2] == 0;
}

/* Reads of one place that go back. */
static bool
coherence (const Outcome *o)
{
  return o->a[1] > o->d[1];
}

typedef struct
{
  const char    *name;
  const uint8_t *code[SMP_CORES], *end[SMP_CORES];
  bool (*strange) (const Outcome *o); /* Nobody who does everything in order would see it. */
  bool           allowed;
} Litmus;

#define TWO(one, two) { code_##one, code_##two }, { code_##one##_end, code_##two##_end }
#define THREE(one, two, three)                                                                     \
  { code_##one, code_##two, code_##three }, { code_##one##_end, code_##two##_end, code_##three##_end }
#define FOUR(one, two, three, four)                                                                \
  { code_##one, code_##two, code_##three, code_##four },                                           \
      { code_##one##_end, code_##two##_end, code_##three##_end, code_##four##_end }

static const Litmus tests[] = {
  { "SB", TWO (x1_ay, y1_ax), sb, true },
  { "SB+mfences", TWO (x1_fence_ay, y1_fence_ax), sb, false },
  { "SB+locked", TWO (x1_lock_ay, y1_lock_ax), sb, false },
  { "SB+xchg+xadd", TWO (xswap_ay, yadd_ax), sb, false },
  { "MP", TWO (x1_y1, ay_dx), mp, false },
  { "MP+groups", TWO (x1_y1_group, ay_dx_group), mp, false },
  { "MP+flags", TWO (x1_y1_live, ay_dx_live), mp, false },
  { "LB", TWO (ax_y1, ay_x1), lb, false },
  { "S", TWO (x2_y1, ay_x1), s, false },
  { "R", TWO (x1_y1, y2_ax), r, true },
  { "R+mfence", TWO (x1_y1, y2_fence_ax), r, false },
  { "2+2W", TWO (x1_y2, y1_x2), two_writes, false },
  { "CoRR", TWO (x1_x2, ax_dx), coherence, false },
  { "WRC", THREE (x1, ax_y1, ay_dx), wrc, false },
  { "IRIW", FOUR (x1, y1, ax_dy, ay_dx), iriw, false },
};

static unsigned
cores_of (const Litmus *litmus)
{
  unsigned n = 0;
  while (n < SMP_CORES && litmus->code[n])
    n++;
  return n;
}

/* One round of all times. Returns: how often the outcome was the strange one. */
static unsigned
run_round (Smp *smp, const Litmus *litmus)
{
  uint8_t *mem = smp->rig.mem;
  unsigned count = 0;

  memset (mem + PLACES, 0, TIMES * 128);
  for (unsigned i = 0; i < smp->n; i++)
    {
      uint64_t gpr[VT_CPU_GPRS] = { 0 };
      gpr[VT_CPU_RSI] = PLACES;
      gpr[VT_CPU_RDI] = PLACES + 64;
      gpr[VT_CPU_RCX] = TIMES;
      gpr[VT_CPU_R8] = RESULTS + i * 0x10000;
      gpr[VT_CPU_R8 + 4] = PROGRESS + i * 64;
      gpr[VT_CPU_R8 + 5] = PROGRESS + (i + 1) % smp->n * 64;
      vt_st32 (mem + gpr[VT_CPU_R8 + 4], UINT32_MAX);
      smp_load (smp, i, litmus->code[i], litmus->end[i], gpr);
    }
  smp_run (smp);
  for (unsigned t = 0; t < TIMES; t++)
    {
      Outcome o = { .x = vt_ld32 (mem + PLACES + t * 128), .y = vt_ld32 (mem + PLACES + t * 128 + 64) };
      for (unsigned i = 0; i < smp->n; i++)
        {
          o.a[i] = vt_ld32 (mem + RESULTS + i * 0x10000 + t * 8);
          o.d[i] = vt_ld32 (mem + RESULTS + i * 0x10000 + t * 8 + 4);
        }
      count += litmus->strange (&o);
    }
  return count;
}

/* @mix: a bit for each core that is interpreted. */
static void
run_mix (const Litmus *litmus, unsigned mix)
{
  Smp      smp;
  unsigned count = 0;

  smp_init (&smp, cores_of (litmus));
  for (unsigned i = 0; i < smp.n; i++)
    smp.engine[i] = mix >> i & 1 ? vt_interpret : vt_translate;
  for (unsigned n = 0; n < ROUNDS; n++)
    count += run_round (&smp, litmus);
  smp_finish (&smp);
  g_test_message ("%s, interpreted %x: %u of %u%s", litmus->name, mix, count, ROUNDS * TIMES,
                  litmus->allowed ? ", which is allowed" : "");
  if (!litmus->allowed)
    g_assert_cmpuint (count, ==, 0);
}

static void
test_litmus (gconstpointer data)
{
  const Litmus *litmus = data;

  run_mix (litmus, 0);
  run_mix (litmus, 1);
  run_mix (litmus, 2);
  run_mix (litmus, 15);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strconcat ("/litmus/", tests[i].name, NULL);
      g_test_add_data_func (path, &tests[i], test_litmus);
    }
  return g_test_run ();
}
