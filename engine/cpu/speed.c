/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The loop that measures, on the host itself and in the processor in software. KVM's is in kvm/probe.c.
 */
#include "speed.h"

#include <time.h>

#include "translate/block/translate.h"
#include "translate/interpret/interpret.h"
#include "vcpu.h"
#include "vitrine-host.h"

/* Loads, stores, arithmetic, branches, calls; nothing with a REX prefix, so that it's the same in 32-bit
 * code. */
__asm__ (".pushsection .text\n.balign 64\n"
         ".globl vt_speed_code\n.hidden vt_speed_code\n.globl vt_speed_code_end\n.hidden vt_speed_code_end\n"
         "vt_speed_code:\n pushq %rbx\n xorl %ebx, %ebx\n xorl %edx, %edx\n"
         "1: movl (%rsi), %eax\n addl %edi, %eax\n movl %eax, (%rsi)\n xorl 64(%rsi), %ebx\n"
         "testl $1, %edi\n jz 2f\n addl %ebx, %edx\n"
         "2: call 3f\n subl $1, %edi\n jnz 1b\n popq %rbx\n ret\n"
         "3: leal 3(%rdx), %edx\n ret\n"
         "vt_speed_code_end:\n.popsection\n");

#define RAM (64 * VT_KIB)
#define CODE 0x1000u
#define END 0x1700u /* Where it returns to: HLT. */
#define BUFFER 0x2000u /* Not in the page of the code. */
#define STACK 0x3000u
#define TABLES 0x4000u /* PML4, page directory pointers and directory. */

int64_t
vt_speed_now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t) t.tv_sec * VT_NS_PER_SEC + t.tv_nsec;
}

static double
measure_native (void)
{
  void (*const run) (uint32_t rounds, uint8_t *buffer) =
      (void (*) (uint32_t, uint8_t *)) (uintptr_t) vt_speed_code;
  uint8_t buffer[VT_SPEED_BUFFER] = { 0 };

  for (uint32_t n = VT_SPEED_LEAST;; n *= 4)
    {
      const int64_t start = vt_speed_now ();
      run (n, buffer);
      const int64_t ns = vt_speed_now () - start;
      if (ns >= VT_SPEED_NS || n >= VT_SPEED_MOST)
        return VT_SPEED_INSNS * n * VT_NS_PER_SEC / (double) MAX (ns, 1);
    }
}

static void
halt_cb (void *data)
{
}

static const VtCoreOps ops = { .halt = halt_cb };

/* 64-bit mode, privilege 0, the first 2 MiB by one page. */
static void
prepare (VtCore *core, uint8_t *memory, uint32_t rounds)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  vt_cpu_state_reset (state, true, 0x600);
  memcpy (memory + CODE, vt_speed_code, (size_t) (vt_speed_code_end - vt_speed_code));
  memory[END] = 0xf4;
  vt_st64 (memory + STACK, END);
  vt_st64 (memory + TABLES, (TABLES + 0x1000) | 3);
  vt_st64 (memory + TABLES + 0x1000, (TABLES + 0x2000) | 3);
  vt_st64 (memory + TABLES + 0x2000, 0x83);
  state->cr0 |= VT_CR0_PE | VT_CR0_PG;
  state->cr3 = TABLES;
  state->cr4 = VT_CR4_PAE;
  state->efer = VT_EFER_LME | VT_EFER_LMA;
  for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
    state->seg[i] = (VtCpuSegment){ .limit = UINT32_MAX,
                                    .selector = i == VT_CPU_CS ? 8 : 16,
                                    .type = i == VT_CPU_CS ? 11 : 3,
                                    .present = true,
                                    .code_or_data = true,
                                    .db = i != VT_CPU_CS,
                                    .l = i == VT_CPU_CS,
                                    .g = true };
  state->rip = CODE;
  state->gpr[VT_CPU_RSP] = STACK;
  state->gpr[VT_CPU_RSI] = BUFFER;
  state->gpr[VT_CPU_RDI] = rounds;
  state->xsave_size = 576;
  vt_core_load (core, state);
}

static double
measure_core (VtCore *core, uint8_t *memory, bool translated)
{
  for (uint32_t n = VT_SPEED_LEAST;; n *= 4)
    {
      VtStep step = VT_STEP_DONE;
      prepare (core, memory, n);
      const int64_t start = vt_speed_now ();
      while (step == VT_STEP_DONE)
        step = translated ? vt_translate (core, UINT32_MAX, NULL) : vt_interpret (core, UINT32_MAX, NULL);
      const int64_t ns = vt_speed_now () - start;
      if (step != VT_STEP_HALTED)
        return 0;
      if (ns >= VT_SPEED_NS || n >= VT_SPEED_MOST)
        return VT_SPEED_INSNS * n * VT_NS_PER_SEC / (double) MAX (ns, 1);
    }
}

void
vitrine_host_measure (VitrineSpeed *speed)
{
  VtRam *ram = vt_ram_new ("speed", RAM, NULL);

  *speed = (VitrineSpeed){ .native = measure_native () };
  if (ram == NULL)
    return;
  VtSpace *space = vt_space_new ();
  vt_space_map_ram (space, ram, 0, RAM, 0, 0);
  VtCore *core = vt_core_new (space, &ops, NULL);
  speed->translated = vt_translate_available (core);
  speed->software = measure_core (core, vt_ram_host (ram), speed->translated);
  vt_core_free (core);
  vt_space_free (space);
  vt_ram_free (ram);
}
