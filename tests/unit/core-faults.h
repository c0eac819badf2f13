/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Programs of 32-bit protected mode, interpreted, and translated with and without optimizations, whose faults are taken
 * by a task: the one that fails may have no stack.
 */
#pragma once

#include "core-rig.h"
#include "cpu/translate/block/translate.h"

#define LABEL(name) ".globl " #name "\n" #name ":\n"

enum
{
  A = SEL_TSS, /* The task that the test begins in, */
  B = 72,      /* the one that it goes to, */
  F = 80,      /* and the one that takes faults. */
  TO_B = 88,   /* A task gate. */
  ODD = 104,   /* What a test wants. */
};

#define TSS_A 0x4000u
#define TSS_B 0x4100u
#define TSS_F 0x4200u

/* Of a TSS of 32 bits (figure 7-2). */
enum
{
  LINK = 0, SP0 = 4, CR3 = 28, EIP = 32, EFLAGS = 36, EAX = 40, ESP = 56, ESI = 64, ES = 72, CS = 76, SS = 80,
  DS = 84, FS = 88, GS = 92, LDT = 96, TRAP = 100,
};

#define B_EIP 0x2000u /* Where the other task begins: HLT, but for what a test puts there. */
#define FAULT_CODE 0x1800u

static const struct
{
  const char *name;
  bool        translated, strict;
} kinds[] = { { "interpreted", false, false }, { "strict", true, true }, { "optimized", true, false } };

static inline void
run (CoreRig *rig, unsigned kind)
{
  VtStep step;

  if (!kinds[kind].translated)
    {
      core_rig_run (rig);
      return;
    }
  while ((step = vt_translate (rig->core, CORE_STEPS, NULL)) == VT_STEP_DONE)
    ;
  g_assert_cmpint (step, ==, VT_STEP_HALTED);
}

static inline void
put_task (CoreRig *rig, unsigned selector, uint32_t base, uint32_t eip, uint32_t esp)
{
  core_gdt (rig, selector, base, 0x67, 0x89, 0);
  vt_st32 (rig->mem + base + EIP, eip);
  vt_st32 (rig->mem + base + EFLAGS, 2);
  vt_st32 (rig->mem + base + ESP, esp);
  for (unsigned at = ES; at <= GS; at += 4)
    vt_st16 (rig->mem + base + at, at == CS ? SEL_CODE : SEL_DATA);
}

CORE_CODE (fault, 32, LABEL (fault_error) "popl %eax\n movl %eax, 0x3000\n" LABEL (fault_none) "movl $1, 0x3004\n hlt\n");
extern const uint8_t fault_error[], fault_none[];

static inline void
rig_init (CoreRig *rig, unsigned kind, const uint8_t *code, const uint8_t *end)
{
  core_rig_init (rig);
  rig->core->strict = kinds[kind].strict;
  memcpy (rig->mem + 0x1000, code, (size_t) (end - code));
  memcpy (rig->mem + FAULT_CODE, code_fault, (size_t) (code_fault_end - code_fault));
  rig->mem[B_EIP] = 0xf4;
  core_rig_flat (rig, 0x1000);
  put_task (rig, A, TSS_A, 0, 0);
  put_task (rig, B, TSS_B, B_EIP, 0x7800);
  put_task (rig, F, TSS_F, FAULT_CODE + (uint32_t) (fault_error - code_fault), 0x7000);
  core_gate_at (rig, CORE_GDT + TO_B, B, 0, 0xe5);
  core_gate (rig, 0x41, B, 0, 0xe5, 0);
  vt_st32 (rig->mem + 0x3000, 0xffffffff);
}

/* What @vector brings is taken by F: with an error code, where it has one, at 0x3000. */
static inline void
take (CoreRig *rig, unsigned vector)
{
  const bool has_error = vector == VT_EXC_DF || (vector >= VT_EXC_TS && vector <= VT_EXC_PF) || vector == VT_EXC_AC;

  core_gate (rig, vector, F, 0, 0x85, 0);
  vt_st32 (rig->mem + TSS_F + EIP,
           FAULT_CODE + (uint32_t) ((has_error ? fault_error : fault_none) - code_fault));
}

#define RIG(name)                                                                                  \
  const unsigned kind = GPOINTER_TO_UINT (data);                                                   \
  CoreRig        rig_, *rig = &rig_;                                                               \
  rig_init (rig, kind, code_##name, code_##name##_end)

static inline bool
is_busy (CoreRig *rig, unsigned selector)
{
  return (rig->mem[CORE_GDT + selector + 5] & 2) != 0;
}

static inline uint32_t
of (CoreRig *rig, uint32_t tss, unsigned at)
{
  return vt_ld32 (rig->mem + tss + at);
}

/* Programs that end, or by a fault ------------------------------------------------------------------- */

#define NO_ERROR 0xffffffffu

/* To privilege 3, where @body runs; its stack ends at 0x7700. */
#define USER(body)                                                                                 \
  "movw $56, %ax\n ltr %ax\n movw $35, %ax\n movw %ax, %ds\n pushl $35\n pushl $0x7700\n pushl $2\n pushl $43\n" \
  "pushl $(1f - base)\n iretl\n 1: " body
/* The same with IOPL 3. */
#define USER_IO(body)                                                                              \
  "movw $56, %ax\n ltr %ax\n movw $35, %ax\n movw %ax, %ds\n pushl $35\n pushl $0x7700\n pushl $0x3002\n" \
  "pushl $43\n pushl $(1f - base)\n iretl\n 1: " body
enum
{
  GATE = 112,
  INNER = 120, /* Code of privilege 0 that a gate leads to. */
  DONE = 0x42, /* The vector by which a program ends. */
};

#define INNER_CODE 0x1900u

CORE_CODE (inner, 32, "movl %esp, 0x3010\n movw %cs, 0x3014\n movw %ss, 0x3016\n movl 8(%esp), %eax\n movl %eax, 0x3018\n lret $8\n");
CORE_CODE (done, 32, "movl %esp, 0x3020\n movl (%esp), %eax\n movl %eax, 0x3024\n movl 8(%esp), %eax\n movl %eax, 0x3028\n hlt\n");

static inline void
protected_init (CoreRig *rig)
{
  memcpy (rig->mem + INNER_CODE, code_inner, (size_t) (code_inner_end - code_inner));
  memcpy (rig->mem + INNER_CODE + 0x80, code_done, (size_t) (code_done_end - code_done));
  vt_st32 (rig->mem + TSS_A + SP0, 0x6f00);
  vt_st16 (rig->mem + TSS_A + SP0 + 4, SEL_DATA);
  core_gdt (rig, INNER, 0, 0xfffff, 0x9b, 0xc);
  core_gate_at (rig, CORE_GDT + GATE, INNER, INNER_CODE, 0xec);
  rig->mem[CORE_GDT + GATE + 4] = 2;
  core_gate (rig, DONE, SEL_CODE, INNER_CODE + 0x80, 0xee, 0);
}

typedef struct
{
  const char    *name;
  const uint8_t *code, *end;
  void (*spoil) (CoreRig *rig);
  int      vector; /* -1: the program ends. */
  uint32_t error;
} Case;

#define CASE(how, spoil, vector, error) { #how "/" #spoil, code_##how, code_##how##_end, spoil, vector, error }

/* Runs each until it ends by its own or by the fault that is told, at the instruction that has no other behind it:
 * programs end with it, or with INT. */
static inline void
run_cases (const Case *cases, unsigned n, unsigned kind)
{
  for (unsigned i = 0; i < n; i++)
    {
      const Case *c = &cases[i];
      CoreRig     rig_, *rig = &rig_;

      g_test_message ("%s", c->name);
      rig_init (rig, kind, c->code, c->end);
      protected_init (rig);
      if (c->vector >= 0)
        take (rig, (unsigned) c->vector);
      if (c->spoil)
        c->spoil (rig);
      run (rig, kind);
      if (c->vector < 0)
        {
          g_assert_cmphex (vt_ld32 (rig->mem + 0x3020), !=, 0);
          g_assert_cmpuint (vt_ld32 (rig->mem + 0x3004), ==, 0);
        }
      else
        {
          g_assert_cmpuint (vt_ld32 (rig->mem + 0x3004), ==, 1);
          g_assert_cmphex (vt_ld32 (rig->mem + 0x3000), ==, c->error);
          g_assert_cmphex (vt_ld32 (rig->mem + 0x3020), ==, 0);
        }
      core_rig_finish (rig);
    }
}

typedef struct
{
  const char   *name;
  GTestDataFunc run;
} CoreTest;

static inline void
add_core_tests (const char *suite, const CoreTest *tests, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    for (unsigned kind = 0; kind < G_N_ELEMENTS (kinds); kind++)
      {
        g_autofree char *path = g_strdup_printf ("/%s/%s/%s", suite, tests[i].name, kinds[kind].name);
        g_test_add_data_func (path, GUINT_TO_POINTER (kind), tests[i].run);
      }
}
