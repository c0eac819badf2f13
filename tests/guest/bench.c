/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the benchmarks measure from inside: how long an access that leaves the guest takes. The clock is
 * the PM timer, whose own cost is measured by the same loop and is no part of the others.
 */
#include "guest.h"

/* The least of many short batches: on a busy computer a long one is never left alone. */
#define ROUNDS 50u
#define BATCHES 400

static uint32_t
loop_port (uint32_t port, uint32_t n)
{
  uint32_t begin = inl (0x608) & 0xffffff;

  while (n-- > 0)
    inb ((uint16_t) port);
  return ((inl (0x608) & 0xffffff) - begin) & 0xffffff;
}

static uint32_t
loop_mmio (uint32_t address, uint32_t n)
{
  uint32_t begin = inl (0x608) & 0xffffff;

  while (n-- > 0)
    (void) MMIO32 (address);
  return ((inl (0x608) & 0xffffff) - begin) & 0xffffff;
}

static uint32_t
loop_nothing (uint32_t where __attribute__ ((unused)), uint32_t n)
{
  uint32_t begin = inl (0x608) & 0xffffff;

  while (n-- > 0)
    __asm__ volatile ("nop");
  return ((inl (0x608) & 0xffffff) - begin) & 0xffffff;
}

static void
print_decimal (uint64_t v)
{
  char     text[21];
  unsigned at = 20;

  text[20] = '\0';
  do
    text[--at] = (char) ('0' + v % 10);
  while ((v /= 10) != 0);
  print (text + at);
}

static void
report (const char *what, uint32_t (*loop) (uint32_t where, uint32_t n), uint32_t where)
{
  uint32_t least = ~0u;

  for (unsigned i = 0; i < BATCHES; i++)
    {
      uint32_t ticks = loop (where, ROUNDS);

      if (ticks < least)
        least = ticks;
    }
  print ("BENCH ");
  print (what);
  print (" ");
  print_decimal ((uint64_t) least * 1000000000 / 3579545 / ROUNDS);
  print (" ns\n");
}

bool
test_bench (void)
{
  report ("nothing", loop_nothing, 0);
  report ("port", loop_port, 0x92);
  report ("mmio", loop_mmio, 0xfed00000); /* The HPET's capabilities. */
  return true;
}
