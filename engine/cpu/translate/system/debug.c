/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Breakpoints (SDM volume 3, 18.2): what DR0 to DR3 and DR7 watch. Those of ports (CR4.DE) are not
 * modelled.
 */
#include "system.h"

/* R/W0 to R/W3 in DR7 (18.2.4). */
enum
{
  ON_EXECUTION,
  ON_WRITE,
  ON_PORT,
  ON_ACCESS,
};

static bool
watches (unsigned rw, VtAccessKind kind)
{
  switch (rw)
    {
    case ON_EXECUTION:
      return kind == VT_ACCESS_FETCH;
    case ON_WRITE:
      return kind == VT_ACCESS_WRITE;
    case ON_ACCESS:
      return kind != VT_ACCESS_FETCH;
    default:
      return false;
    }
}

void
vt_debug_look (VtCore *core, uint64_t linear, unsigned size, VtAccessKind kind)
{
  static const uint8_t lengths[] = { 1, 2, 8, 4 };

  for (unsigned n = 0; n < 4; n++)
    {
      const unsigned control = (unsigned) (core->dr7 >> (16 + 4 * n)) & 15;
      const uint64_t length = lengths[control >> 2], first = core->dr[n] & ~(length - 1);

      if ((core->dr7 >> (2 * n) & 3) && watches (control & 3, kind) && linear < first + length
          && first < linear + size)
        core->debug_hits |= (uint8_t) (1u << n);
    }
}
