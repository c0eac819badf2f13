/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A test of the parallel flash below the firmware (JEDEC JESD68.01, Intel StrataFlash J3), as firmware
 * uses it for its variables. Stock firmware has 256 KiB, the test's flash image 64 KiB.
 */
#include "guest.h"

#define FLASH 0xfffb0000u
#define BLOCK 0x1000u

#define REG(offset) (*(volatile uint8_t *) (uintptr_t) (FLASH + (offset)))

static bool
ready (void)
{
  for (unsigned i = 0; i < 1000; i++)
    {
      if (REG (0) & 0x80)
        return true;
      delay_ms (1);
    }
  return false;
}

static bool
program (uint32_t at, uint8_t value)
{
  REG (at) = 0x40;
  REG (at) = value;
  return ready () && (REG (at) & 0x7f) == 0;
}

bool
test_flash (void)
{
  static const char text[] = "WRITTEN";
  const uint8_t     runs = REG (2 * BLOCK);

  REG (0x55) = 0x98; /* Common flash interface query. */
  CHECK (REG (0x10) == 'Q' && REG (0x11) == 'R' && REG (0x12) == 'Y', REG (0x10));
  CHECK (REG (0x13) == 1 && REG (0x14) == 0, REG (0x13)); /* Intel's command set. */
  CHECK (1u << REG (0x27) == 0x10000, REG (0x27));        /* Its size. */
  REG (0) = 0xff;

  REG (BLOCK) = 0x20; /* Block erase. */
  REG (BLOCK) = 0xd0;
  CHECK (ready (), REG (0));
  REG (0) = 0xff;
  for (uint32_t i = 0; i < BLOCK; i++)
    CHECK (REG (BLOCK + i) == 0xff, i);
  for (uint32_t i = 0; i < sizeof text; i++)
    CHECK (program (BLOCK + i, (uint8_t) text[i]), i);

  REG (BLOCK + 0x100) = 0xe8; /* A buffered write of four bytes. */
  CHECK (ready (), REG (0));
  REG (BLOCK + 0x100) = 3;
  for (uint32_t i = 0; i < 4; i++)
    REG (BLOCK + 0x100 + i) = (uint8_t) (0xa0 + i);
  REG (BLOCK + 0x100) = 0xd0;
  CHECK (ready (), REG (0));

  /* Programming only clears bits: one more bit for every run of this test. */
  CHECK (program (2 * BLOCK, (uint8_t) (runs << 1)), runs);
  REG (0) = 0xff;
  for (uint32_t i = 0; i < sizeof text; i++)
    CHECK (REG (BLOCK + i) == (uint8_t) text[i], i);
  for (uint32_t i = 0; i < 4; i++)
    CHECK (REG (BLOCK + 0x100 + i) == 0xa0 + i, i);
  CHECK (REG (2 * BLOCK) == (uint8_t) (runs << 1), REG (2 * BLOCK));
  CHECK (REG (3 * BLOCK) == 0x5a, REG (3 * BLOCK)); /* From the image. */
  return true;
}
