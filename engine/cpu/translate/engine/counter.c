/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The guest's TSC. It follows the guest clock: it stands while the machine is paused, and is one for all vCPUs. Its
 * frequency is the host's, so that a machine saved by KVM finds its own again.
 *
 * Compiled for general registers alone: RDTSC comes here from translated code (../block/quick.c).
 */
#include "engine.h"
#include "vt-loop.h"

/* The counter's ticks in a nanosecond, times 2 to this power. */
#define SCALE_SHIFT 32

static uint64_t
host_tsc (void)
{
  uint32_t low, high;

  __asm__ volatile ("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t) high << 32 | low;
}

/* The host's TSC against its clock for 10 ms. A guest measures its own anyway: no more is needed than the right
 * neighbourhood. */
void
vt_soft_counter_init (VtSoft *engine)
{
  const VtClock *clock = vt_clock_host ();
  const int64_t  start = vt_clock_now (clock);
  const uint64_t tsc = host_tsc ();
  int64_t        elapsed;

  do
    elapsed = vt_clock_now (clock) - start;
  while (elapsed < 10 * VT_NS_PER_MS);
  const uint64_t khz = (host_tsc () - tsc) * 1000000 / (uint64_t) elapsed;
  engine->tsc_khz = CLAMP (khz, 100000, 10000000);
  engine->tsc_scale = (engine->tsc_khz << SCALE_SHIFT) / 1000000;
}

uint64_t
vt_soft_counter (const VtSoft *engine)
{
  const uint64_t ns = (uint64_t) vt_clock_now (engine->base.config.clock);
  return (uint64_t) ((unsigned __int128) ns * engine->tsc_scale >> SCALE_SHIFT);
}

uint64_t
vt_soft_counter_cb (void *data)
{
  return vt_soft_counter (vt_soft_of (data));
}

int64_t
vt_soft_when (const VtSoft *engine, uint64_t counter)
{
  const int64_t now = vt_clock_now (engine->base.config.clock);
  const int64_t ahead = (int64_t) (counter - vt_soft_counter (engine));

  if (ahead <= 0)
    return now;
  /* Rounded up. */
  const unsigned __int128 wide = ((unsigned __int128) (uint64_t) ahead << SCALE_SHIFT) + engine->tsc_scale - 1;
  const unsigned __int128 ns = wide / engine->tsc_scale;
  return ns < (unsigned __int128) (INT64_MAX - now) ? now + (int64_t) ns : INT64_MAX;
}
