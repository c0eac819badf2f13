/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A program by the interpreter and by the translator: both must leave the same registers and the same memory.
 */
#pragma once

#include "core-rig.h"
#include "cpu/translate/block/translate.h"

#define LABEL(name) ".globl " #name "\n" #name ":\n"

enum
{
  INTERPRETED,
  TRANSLATED,
};

typedef struct
{
  CoreRig rig[2];
} Both;

static inline void
both_init (Both *both, void (*mode) (CoreRig *rig, uint64_t rip), const uint8_t *code, const uint8_t *end)
{
  for (unsigned i = 0; i < 2; i++)
    {
      core_rig_init (&both->rig[i]);
      memcpy (both->rig[i].mem + 0x1000, code, (size_t) (end - code));
      mode (&both->rig[i], 0x1000);
    }
}

/* Declares @both with the code of CORE_CODE (name), in the mode that the function sets up. */
#define BOTH(name, mode) \
  Both both;             \
  both_init (&both, mode, code_##name, code_##name##_end)
#define EACH(rig) for (CoreRig *rig = both.rig; rig < both.rig + 2; rig++)

static inline void
both_gate (Both *both, unsigned vector, uint32_t handler)
{
  core_gate (&both->rig[INTERPRETED], vector, SEL_CODE64, handler, 0x8e, 0);
  core_gate (&both->rig[TRANSLATED], vector, SEL_CODE64, handler, 0x8e, 0);
}

/* Runs both to their HLT, compares, and returns what translating came to: all zero where this host can't. */
static inline VtTranslateCounts
both_run (Both *both)
{
  CoreRig          *i = &both->rig[INTERPRETED], *t = &both->rig[TRANSLATED];
  VtTranslateCounts counts;

  core_rig_run (i);
  if (!vt_translate_available (t->core))
    g_test_message ("this host has no executable memory or no BMI2: only the interpreter is tested");
  VtStep step = vt_translate (t->core, CORE_STEPS, NULL);
  /* Chaos ends runs early. */
  while (t->core->chaos && step == VT_STEP_DONE)
    step = vt_translate (t->core, CORE_STEPS, NULL);
  if (step != VT_STEP_HALTED)
    g_error ("ended with %d at %04x:%" G_GINT64_MODIFIER "x; fault %u error %x cr2 %" G_GINT64_MODIFIER "x",
             (int) step, t->core->seg[VT_CPU_CS].selector, t->core->rip, t->core->fault.vector,
             t->core->fault.error, t->core->cr2);
  g_assert_cmphex (t->core->rip, ==, i->core->rip);
  for (unsigned r = 0; r < VT_CPU_GPRS; r++)
    g_assert_cmphex (t->core->gpr[r], ==, i->core->gpr[r]);
  g_assert_cmphex (t->core->rflags, ==, i->core->rflags);
  g_assert_cmphex (t->core->cr2, ==, i->core->cr2);
  g_assert_cmphex (t->core->cpl, ==, i->core->cpl);
  g_assert_cmpmem (t->core->seg, sizeof t->core->seg, i->core->seg, sizeof i->core->seg);
  g_assert_cmpmem (t->core->xsave, 28, i->core->xsave, 28);
  g_assert_cmpmem (t->core->xsave + 32, 384, i->core->xsave + 32, 384);
  g_assert_cmpmem (t->mem, CORE_RAM, i->mem, CORE_RAM);
  g_assert_cmpstr (t->output->str, ==, i->output->str);
  vt_translate_counts (t->core, &counts);
  return counts;
}

static inline void
both_finish (Both *both)
{
  core_rig_finish (&both->rig[INTERPRETED]);
  core_rig_finish (&both->rig[TRANSLATED]);
}
