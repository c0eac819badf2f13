/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Modes: what a block's code depends on beside its bytes, and what it learns at its entry of the segments.
 */
#include "../host/unit.h"
#include "../interpret/insn.h"
#include "blocks.h"

G_STATIC_ASSERT (ZYDIS_MACHINE_MODE_LONG_64 == 0);
G_STATIC_ASSERT (ZYDIS_MACHINE_MODE_MAX_VALUE <= VT_MODE_DECODE >> VT_MODE_DECODE_SHIFT);

#define WORD_LAST 0xffffu

static unsigned
unit_modes (const VtCore *core)
{
  const uint64_t avx = VT_FEATURE_SSE | VT_FEATURE_AVX;
  unsigned       mode = 0;

  if (core->cr0 & VT_CR0_TS)
    return 0;
  if (!(core->cr0 & VT_CR0_EM))
    mode |= VT_MODE_MMX | (core->cr4 & VT_CR4_OSFXSR ? VT_MODE_SSE : 0);
  if ((core->cr4 & VT_CR4_OSXSAVE) && (core->xcr0 & avx) == avx)
    mode |= VT_MODE_AVX
            | ((core->xcr0 & VT_FEATURES_AVX512) == VT_FEATURES_AVX512 ? VT_MODE_AVX512 : 0);
  return mode;
}

/* Of data that grows up, and code that may be read. */
static bool
is_plain (const VtCore *core, const VtCpuSegment *seg)
{
  return !core->protected_mode
         || (!seg->unusable && seg->present && ((seg->type & 0xc) == 0 || (seg->type & 0xa) == 0xa));
}

static bool
is_flat (const VtCore *core, unsigned n)
{
  const VtCpuSegment *seg = &core->seg[n];

  return seg->base == 0 && seg->limit == UINT32_MAX && is_plain (core, seg)
         && (!core->protected_mode || (seg->type & 0xa) == 2);
}

static unsigned
narrow_modes (const VtCore *core)
{
  const bool flat = is_flat (core, VT_CPU_DS) && is_flat (core, VT_CPU_ES) && is_flat (core, VT_CPU_SS);

  return (unsigned) vt_decode_mode (core) << VT_MODE_DECODE_SHIFT
         | (vt_stack_bytes (core) == 4 ? VT_MODE_STACK32 : 0)
         | (core->seg[VT_CPU_CS].limit == UINT32_MAX ? VT_MODE_CODE_4G : 0) | (flat ? VT_MODE_FLAT : 0);
}

unsigned
vt_mode_of (const VtCore *core)
{
  return vt_mmu_data_set (core) | unit_modes (core)
         | (core->code_bits == 64 ? 0 : narrow_modes (core));
}

uint64_t
vt_mode_last (unsigned mode)
{
  if (!vt_mode_is_narrow (mode))
    return UINT64_MAX;
  /* In real mode RIP has 16 bits, whatever the limit. */
  if (!(mode & VT_MODE_CODE_4G)
      || (mode & VT_MODE_DECODE) >> VT_MODE_DECODE_SHIFT == ZYDIS_MACHINE_MODE_REAL_16)
    return WORD_LAST;
  return UINT32_MAX;
}

bool
vt_mode_fits (const VtCore *core)
{
  const VtCpuSegment *cs = &core->seg[VT_CPU_CS];

  if (core->code_bits == 64)
    return true;
  return core->rip <= WORD_LAST ? cs->limit >= WORD_LAST
                                : cs->limit == UINT32_MAX && core->protected_mode;
}

void
vt_mode_enter (VtCore *core)
{
  VtFast *fast = &core->fast;

  fast->code_key = vt_mode_code_key (core);
  if (core->code_bits == 64)
    return;
  for (unsigned i = 0; i < G_N_ELEMENTS (fast->room); i++)
    {
      const VtCpuSegment *seg = &core->seg[i];
      const int64_t       room = is_plain (core, seg) ? -(int64_t) seg->limit - 1 : 0;
      fast->room[i][0] = room;
      fast->room[i][1] = !core->protected_mode || (seg->type & 0xa) == 2 ? room : 0;
    }
}
