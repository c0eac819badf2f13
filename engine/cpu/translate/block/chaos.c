/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * For tests: what may happen at any time to a core that translates happens at random (core->chaos). Its guest
 * must not notice.
 */
#include "blocks.h"

static uint64_t
next (VtCore *core)
{
  core->chaos ^= core->chaos << 13;
  core->chaos ^= core->chaos >> 7;
  core->chaos ^= core->chaos << 17;
  return core->chaos >> 16;
}

/* Once in so many times. */
static bool
once_in (VtCore *core, uint64_t times)
{
  return next (core) % MAX (times, 1) == 0;
}

void
vt_chaos_between (VtCore *core, VtBlocks *b)
{
  const uint64_t period = core->chaos_period;

  if (!once_in (core, period / 4))
    return;
  switch (next (core) % 4)
    {
    case 0:
      vt_mmu_flush (&core->mmu);
      break;
    case 1:
      vt_mmu_flush_local (&core->mmu);
      break;
    case 2:
      vt_mmu_flush_write (&core->mmu);
      break;
    default:
      vt_mmu_forget_slots (&core->mmu);
      break;
    }
  /* To translate everything anew takes long. */
  if (once_in (core, period))
    vt_blocks_flush (b);
}

bool
vt_chaos_stops (VtCore *core)
{
  return once_in (core, core->chaos_period / 8);
}

uint64_t
vt_chaos_budget (VtCore *core, uint64_t budget)
{
  return once_in (core, 8) ? MIN (budget, 1 + next (core) % 64) : budget;
}
