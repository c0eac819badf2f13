/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The loop: one instruction after another, with what holds between them: interrupt shadows, single step,
 * faults, and what others ask of the core.
 */
#include "interpret.h"

#include "insn.h"

const char *
vt_interpret_declined (const VtCore *core)
{
  return vt_decoder_last (core->decoder);
}

bool
vt_interpret_declined_known (const VtCore *core)
{
  return vt_decoder_last_known (core->decoder);
}

typedef struct
{
  const VtInsn *insn; /* NULL: whatever is at RIP. */
  uint64_t budget, done;
  bool     trap; /* A #DB is due behind the instruction, for a single step or a breakpoint on data. */
} Run;

/* A breakpoint on execution is a fault: it comes before its instruction, unless RF says that it has. */
static void
stop_before (VtCore *core)
{
  /* What a load of SS has met is still to be told (6.8.3). */
  const uint8_t held = core->shadow & 1 ? core->debug_hits : 0;

  core->debug_hits = 0;
  if (!(core->rflags & VT_FLAG_RF))
    vt_debug_look (core, vt_mmu_wrap (core, core->seg[VT_CPU_CS].base + core->rip), 1, VT_ACCESS_FETCH);
  if (core->debug_hits == 0)
    {
      core->debug_hits = held;
      return;
    }
  core->dr6 = (core->dr6 & ~UINT64_C (0xf)) | core->debug_hits;
  core->debug_hits = 0;
  vt_core_raise (core, VT_EXC_DB, 0);
}

static void
one (VtCore *core, Run *run)
{
  const VtInsn *insn = run->insn;

  if (G_UNLIKELY (vt_core_watches (core)))
    stop_before (core);
  if (insn == NULL)
    insn = vt_decode (core);

  if (G_UNLIKELY (insn->op == NULL))
    vt_core_decline (core);
  core->next_rip = core->rip + insn->length;
  /* In real mode RIP has 16 bits, where the segment is no larger: it is where system management mode begins. */
  if (core->code_bits == 16 && !core->protected_mode && core->seg[VT_CPU_CS].limit <= 0xffff)
    core->next_rip &= 0xffff;
  else if (core->code_bits != 64)
    core->next_rip = (uint32_t) core->next_rip;
  core->new_shadow = 0;
  core->iret = false;
  core->progress = false;
  core->step = (core->rflags & VT_FLAG_TF) != 0;
  insn->op->run (core, insn);

  core->snapshot_taken = false;
  core->rip = core->next_rip;
  core->shadow = core->new_shadow;
  if (!core->iret)
    core->rflags &= ~VT_FLAG_RF;
  run->done++;
  /* MOV SS holds the trap back for one instruction. */
  run->trap = (core->step || core->debug_hits) && !(core->shadow & 1) && !core->soft_event;
}

static void
run_cb (VtCore *core, void *data)
{
  Run *run = data;

  while (run->done < run->budget && !run->trap && !core->soft_event
         && core->mp_state == VT_CPU_MP_RUNNABLE
         && !__atomic_load_n (&core->requests, __ATOMIC_RELAXED) && !vt_core_awaited (core))
    one (core, run);
}

/* What an instruction left to be delivered behind it. */
static VtStep
deliver_after (VtCore *core, const Run *run, uint64_t back)
{
  if (core->soft_event)
    {
      const VtEvent event = { .kind = (VtEventKind) core->soft_kind,
                              .vector = core->soft_vector,
                              .rip = core->rip };
      core->soft_event = false;
      /* A fault of the delivery belongs to the instruction, whose RIP it reports. */
      core->rip = back;
      return vt_event_deliver (core, &event);
    }
  if (run->trap)
    {
      const VtEvent event = { .kind = VT_EVENT_TRAP, .vector = VT_EXC_DB, .rip = core->rip };
      if (core->step)
        core->dr6 |= VT_DR6_BS;
      if (core->debug_hits)
        core->dr6 = (core->dr6 & ~UINT64_C (0xf)) | core->debug_hits;
      core->debug_hits = 0;
      return vt_event_deliver (core, &event);
    }
  return VT_STEP_DONE;
}

/* Instructions up to one that ends it or leaves something to be delivered, which is done. */
static VtStep
stretch (VtCore *core, Run *run)
{
  run->trap = false;
  switch (vt_core_try (core, run_cb, run))
    {
    case VT_CATCH_FAULT:
      core->soft_event = false;
      run->done++;
      return vt_event_deliver_fault (core);
    case VT_CATCH_DECLINE:
      return VT_STEP_DECLINED;
    case VT_CATCH_SHUT_DOWN:
      return VT_STEP_TRIPLE_FAULT;
    default:
      return deliver_after (core, run, core->soft_rip);
    }
}

VtStep
vt_interpret_decoded (VtCore *core, const VtInsn *insn, uint64_t *done)
{
  Run run = { .insn = insn, .budget = 1 };

  core->soft_event = false;
  const VtStep step = stretch (core, &run);
  if (step == VT_STEP_DECLINED)
    vt_decoder_note (core->decoder, insn);
  *done = run.done;
  return step;
}

VtStep
vt_interpret (VtCore *core, uint64_t budget, uint64_t *done)
{
  Run    run = { .budget = budget };
  VtStep step = VT_STEP_DONE;

  core->soft_event = false;
  while (step == VT_STEP_DONE && run.done < budget)
    {
      const int requests = __atomic_load_n (&core->requests, __ATOMIC_RELAXED);
      if (requests & VT_CORE_FLUSH)
        {
          __atomic_fetch_and (&core->requests, ~VT_CORE_FLUSH, __ATOMIC_SEQ_CST);
          vt_core_flush_asked (core);
          continue;
        }
      if (requests || vt_core_awaited (core))
        break;
      if (core->mp_state == VT_CPU_MP_HALTED)
        {
          step = VT_STEP_HALTED;
          break;
        }
      step = stretch (core, &run);
    }
  if (done)
    *done = run.done;
  return step;
}
