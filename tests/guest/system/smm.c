/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * System management mode (SDM volume 3, chapter 31) and the chipset's part of it: an SMI handler of our own behind
 * the VGA's window, after the firmware has gone there.
 */
#include "system.h"

#define HOST 0
#define SMRAM_BASE 0xa0000u
#define OTHER_BASE 0x30000u
#define HANDLER 0x8000u
#define AREA 0xfe00u
#define TSEG_SIZE 0x100000u

extern uint8_t           smm_handler[], smm_handler_end[], smm_after[];
extern volatile uint8_t  smm_seen[512];
extern volatile uint32_t smm_count, smm_peek_at, smm_peeked, smm_poke_at, smm_poke, smm_again, smm_count_inside,
    smm_patch_at, smm_patch;
void smm_ask (uint64_t out[2]);

static uint64_t
seen (unsigned offset)
{
  return *(volatile uint64_t *) (smm_seen + offset - AREA);
}

static unsigned
smram (void)
{
  return pci_read (HOST, 0x9c) >> 8 & 0xff;
}

static void
set_smram (unsigned value)
{
  pci_write (HOST, 0x9c, (pci_read (HOST, 0x9c) & 0xffff00ff) | value << 8);
}

static void
set_esmramc (unsigned value)
{
  pci_write (HOST, 0x9c, (pci_read (HOST, 0x9c) & 0xff00ffff) | value << 16);
}

static void
put_handler (uint32_t base)
{
  for (unsigned i = 0; smm_handler + i < smm_handler_end; i++)
    MMIO8 (base + HANDLER + i) = smm_handler[i];
}

static unsigned
pm_base (void)
{
  return pci_read (0xf8, 0x40) & 0xff80;
}

static void
send_smi (uint64_t unused)
{
  uint64_t out[2];

  (void) unused;
  smm_ask (out);
  relax ();
}

static void
read_msr (uint64_t index)
{
  rdmsr ((uint32_t) index);
}

static void
resume (uint64_t unused)
{
  (void) unused;
  __asm__ volatile("rsm");
}

/* Into SMRAM while it is open; it is closed behind. */
static bool
install (void)
{
  set_smram (0x4a);
  CHECK (smram () == 0x4a, smram ());
  put_handler (SMRAM_BASE);
  CHECK (MMIO32 (SMRAM_BASE + HANDLER) == *(uint32_t *) smm_handler, MMIO32 (SMRAM_BASE + HANDLER));
  set_smram (0x0a);
  CHECK (MMIO32 (SMRAM_BASE + HANDLER) != *(uint32_t *) smm_handler, MMIO32 (SMRAM_BASE + HANDLER));
  outl ((uint16_t) (pm_base () + 0x30), inl ((uint16_t) (pm_base () + 0x30)) | 0x21);
  smm_count = 0;
  smm_peek_at = SMRAM_BASE + HANDLER;
  return true;
}

static bool
state (void)
{
  uint64_t out[2];

  smm_ask (out);
  CHECK (smm_count == 1, smm_count);
  CHECK (smm_peeked == *(uint32_t *) smm_handler, smm_peeked);
  CHECK (out[0] == 0x1122334455667788 && out[1] == 0x8877665544332211, out[0]);
  CHECK (seen (0xff78) == (uintptr_t) smm_after, seen (0xff78));
  CHECK ((seen (0xfff8) & 0xff) == 0x42, seen (0xfff8));
  CHECK (seen (0xfff0) == (uintptr_t) out, seen (0xfff0));
  CHECK (seen (0xffe0) == 0x1122334455667788, seen (0xffe0));
  CHECK (seen (0xff80) == 0x8877665544332211, seen (0xff80));
  CHECK (seen (0xff58) == READ_CR (0), seen (0xff58));
  CHECK (seen (0xff50) == READ_CR (3), seen (0xff50));
  CHECK (seen (0xff48) == READ_CR (4), seen (0xff48));
  CHECK (seen (0xfed0) == rdmsr (0xc0000080), seen (0xfed0));
  CHECK ((seen (0xff70) & 0x202) == 2, seen (0xff70));
  CHECK (seen (0xfe18) == 0 && (seen (0xfe10) & 0x20ffffff) == (0x209b0000 | CODE), seen (0xfe10));
  CHECK (seen (0xfe68) == (uintptr_t) system_gdt, seen (0xfe68));
  CHECK ((seen (0xfe90) & 0xffff) == TASK && seen (0xfe98) == (uintptr_t) &system_tss, seen (0xfe90));
  CHECK ((uint32_t) seen (0xff00) == SMRAM_BASE, seen (0xff00));
  CHECK (seen (0xfef8) >> 32 == 0x20064, seen (0xfef8));
  CHECK ((smm_seen[0xfec9 - AREA] & 1) == 0, smm_seen[0xfec9 - AREA]);
  /* Everything is as it was: a trap goes by the table, to 64-bit code. */
  PASSES (trap_run (resume, 0), UD);
  PASSES (trap_run (read_msr, 0x9e), GP);
  return true;
}

static bool
changes (void)
{
  uint64_t out[2];

  smm_patch = 0xdeadbeef;
  smm_patch_at = 0xffe4;
  smm_ask (out);
  CHECK (out[0] == 0xdeadbeef55667788, out[0]);
  /* One that comes inside waits for the end; and so does an NMI. */
  smm_count = 0;
  smm_again = 1;
  smm_ask (out);
  CHECK (smm_count == 2 && smm_count_inside == 1, smm_count);
  CHECK (seen (0xff78) >= (uintptr_t) smm_after && seen (0xff78) < (uintptr_t) smm_after + 16, seen (0xff78));
  smm_count = 0;
  smm_again = 1;
  smm_poke = 0x4400;
  smm_poke_at = LAPIC + 0x300;
  PASSES (trap_run (send_smi, 0), 2);
  CHECK (smm_count == 2, smm_count);
  CHECK (trap_rip >= (uintptr_t) smm_after && trap_rip < (uintptr_t) smm_after + 16, trap_rip);
  /* By the local APIC. */
  smm_count = 0;
  MMIO32 (LAPIC + 0x310) = 0;
  MMIO32 (LAPIC + 0x300) = 0x4200;
  for (unsigned i = 0; i < 100 && smm_count == 0; i++)
    relax ();
  CHECK (smm_count == 1, smm_count);
  return true;
}

static bool
moves (void)
{
  uint64_t out[2];

  put_handler (OTHER_BASE);
  smm_patch = OTHER_BASE;
  smm_patch_at = 0xff00;
  smm_ask (out);
  CHECK ((uint32_t) seen (0xff00) == SMRAM_BASE, seen (0xff00));
  smm_patch = SMRAM_BASE;
  smm_patch_at = 0xff00;
  smm_ask (out);
  CHECK ((uint32_t) seen (0xff00) == OTHER_BASE, seen (0xff00));
  /* It is ordinary memory. */
  CHECK (MMIO32 (OTHER_BASE + 0xff00) == SMRAM_BASE, MMIO32 (OTHER_BASE + 0xff00));
  MMIO32 (OTHER_BASE + HANDLER) = 0;
  smm_ask (out);
  CHECK ((uint32_t) seen (0xff00) == SMRAM_BASE, seen (0xff00));
  return true;
}

/* Reads four bytes of fw_cfg's signature into @address. Returns: what the device says. */
static uint32_t
dma (uint32_t address)
{
  static struct __attribute__ ((packed))
  {
    uint32_t control, length;
    uint64_t address;
  } request __attribute__ ((aligned (16)));

  request.control = __builtin_bswap32 (0x0a);
  request.length = __builtin_bswap32 (4);
  request.address = __builtin_bswap64 (address);
  outl (0x514, 0);
  outl (0x518, __builtin_bswap32 ((uint32_t) (uintptr_t) &request));
  for (unsigned i = 0; i < 1000 && (__builtin_bswap32 (*(volatile uint32_t *) &request.control) & ~1u); i++)
    relax ();
  return __builtin_bswap32 (*(volatile uint32_t *) &request.control);
}

static bool
tseg (void)
{
  const uint32_t at = (pci_read (HOST, 0xb0) & 0xfff0) << 16, base = at - TSEG_SIZE;
  uint64_t       out[2];

  MMIO32 (base + 0x100) = 0x12345678;
  smm_peek_at = base + 0x100;
  set_esmramc (0x01);
  CHECK (MMIO32 (base + 0x100) == UINT32_MAX, MMIO32 (base + 0x100));
  CHECK (MMIO32 (base - 4) != UINT32_MAX, base - 4);
  MMIO32 (base + 0x100) = 7;
  smm_ask (out);
  CHECK (smm_peeked == 0x12345678, smm_peeked);
  CHECK (MMIO32 (base + 0x100) == UINT32_MAX, MMIO32 (base + 0x100));
  CHECK (dma (base + 0x100) == 1, dma (base + 0x100));
  smm_poke = 0x87654321;
  smm_poke_at = base + 0x100;
  smm_ask (out);
  CHECK (smm_peeked == 0x12345678, smm_peeked);
  smm_ask (out);
  CHECK (smm_peeked == 0x87654321, smm_peeked);
  set_esmramc (0);
  CHECK (MMIO32 (base + 0x100) == 0x87654321, MMIO32 (base + 0x100));
  CHECK (dma (base + 0x100) == 0, dma (base + 0x100));
  CHECK (MMIO32 (base + 0x100) == 0x554d4551, MMIO32 (base + 0x100));
  /* The largest, which firmware for virtual machines asks about. */
  pci_write (HOST, 0x50, pci_read (HOST, 0x50) | 0xffff);
  CHECK ((pci_read (HOST, 0x50) & 0xffff) == 16, pci_read (HOST, 0x50));
  set_esmramc (0x07);
  CHECK (MMIO32 (at - 0x1000000) == UINT32_MAX, at);
  set_esmramc (0x01);
  return true;
}

static bool
locks (void)
{
  uint64_t out[2];

  set_smram (0x5a);
  CHECK (smram () == 0x1a, smram ());
  set_smram (0x4a);
  CHECK (smram () == 0x1a, smram ());
  CHECK (MMIO32 (SMRAM_BASE + HANDLER) != *(uint32_t *) smm_handler, MMIO32 (SMRAM_BASE + HANDLER));
  set_esmramc (0x00);
  CHECK ((pci_read (HOST, 0x9c) >> 16 & 0x87) == 1, pci_read (HOST, 0x9c));
  smm_count = 0;
  smm_peek_at = SMRAM_BASE + HANDLER;
  smm_ask (out);
  CHECK (smm_count == 1 && smm_peeked == *(uint32_t *) smm_handler, smm_peeked);
  return true;
}

bool
test_smm (void)
{
  bool ok;

  system_begin ();
  ok = install () && state () && changes () && moves () && tseg () && locks ();
  system_end ();
  return ok;
}
