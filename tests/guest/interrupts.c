/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Interrupts as an operating system sets them up: IDT, PIC pair, local APIC, I/O APIC.
 */
#include "guest.h"

#define PM_TIMER 0x608
#define PM_TIMER_HZ 3579545u

typedef struct
{
  uint16_t low, selector, type, mid;
  uint32_t high, zero;
} Gate;

extern const char vectors[];

void interrupt (uint64_t vector, uint64_t rip);
void ap_load_idt (void);

static Gate idt[256];
volatile uint32_t counts[256];

void
ap_load_idt (void)
{
  struct __attribute__ ((packed))
  {
    uint16_t limit;
    uint64_t base;
  } pointer = { sizeof idt - 1, (uintptr_t) idt };

  __asm__ volatile ("lidt %0" : : "m"(pointer));
}

void
interrupt (uint64_t vector, uint64_t rip)
{
  counts[vector]++;
  if (vector < 32)
    {
      print ("EXCEPTION ");
      print_hex (vector, 2);
      print (" at ");
      print_hex (rip, 16);
      print ("\n");
      outb (0xf4, 98);
      for (;;)
        __asm__ volatile ("cli; hlt");
    }
  if (vector >= VECTOR_PIC && vector < VECTOR_PIC + 16)
    {
      if (vector >= VECTOR_PIC + 8)
        {
          /* Reading register C rearms the clock's interrupt. */
          if (vector == VECTOR_PIC + 8)
            {
              outb (0x70, 0x0c);
              inb (0x71);
            }
          outb (0xa0, 0x20);
        }
      outb (0x20, 0x20);
      return;
    }
  MMIO32 (LAPIC + 0xb0) = 0;
}

void
set_gate (unsigned vector, const void *handler, unsigned dpl)
{
  uintptr_t at = (uintptr_t) handler;

  idt[vector] = (Gate){
    (uint16_t) at,         8, (uint16_t) (0x8e00 | dpl << 13), (uint16_t) (at >> 16),
    (uint32_t) (at >> 32), 0
  };
}

void
interrupts_init (void)
{
  for (unsigned v = 0; v < 256; v++)
    set_gate (v, vectors + 16 * v, 0);
  ap_load_idt ();
  /* 8259A: ICW1 to ICW4, all masked. */
  outb (0x20, 0x11);
  outb (0xa0, 0x11);
  outb (0x21, VECTOR_PIC);
  outb (0xa1, VECTOR_PIC + 8);
  outb (0x21, 4);
  outb (0xa1, 2);
  outb (0x21, 1);
  outb (0xa1, 1);
  mask_all ();
  wrmsr (0x1b, rdmsr (0x1b) | 0x800);
  MMIO32 (LAPIC + 0xf0) = 0x1ff; /* Enabled, spurious vector 0xff. */
  MMIO32 (LAPIC + 0x80) = 0;
}

void
mask_all (void)
{
  outb (0x21, 0xff);
  outb (0xa1, 0xff);
  for (unsigned gsi = 0; gsi < 24; gsi++)
    {
      MMIO32 (IOAPIC) = 0x10 + 2 * gsi;
      MMIO32 (IOAPIC + 0x10) = 0x10000;
    }
  MMIO32 (LAPIC + 0x320) = 0x10000;
  MMIO32 (LAPIC + 0x350) = 0x10000;
  for (unsigned v = 32; v < 256; v++)
    counts[v] = 0;
}

void
use_pic (uint16_t mask)
{
  MMIO32 (LAPIC + 0x350) = 0x700; /* LINT0: ExtINT, the virtual wire. */
  outb (0x21, (uint8_t) mask);
  outb (0xa1, (uint8_t) (mask >> 8));
}

void
use_ioapic (unsigned gsi, bool level, bool low)
{
  MMIO32 (IOAPIC) = 0x11 + 2 * gsi;
  MMIO32 (IOAPIC + 0x10) = 0; /* To APIC id 0. */
  MMIO32 (IOAPIC) = 0x10 + 2 * gsi;
  MMIO32 (IOAPIC + 0x10) = (VECTOR_GSI + gsi) | (level ? 0x8000u : 0) | (low ? 0x2000u : 0);
}

static uint32_t
pm_now (void)
{
  return inl (PM_TIMER) & 0xffffff;
}

void
delay_ms (unsigned ms)
{
  uint32_t last = pm_now ();
  uint64_t left = (uint64_t) ms * PM_TIMER_HZ / 1000;

  for (;;)
    {
      uint32_t now = pm_now (), passed = (now - last) & 0xffffff;

      if (passed >= left)
        return;
      left -= passed;
      last = now;
    }
}

bool
wait_count (unsigned vector, uint32_t n, unsigned ms)
{
  uint32_t last = pm_now ();
  uint64_t left = (uint64_t) ms * PM_TIMER_HZ / 1000;

  /* Polls with interrupts on rather than halting: an interrupt that never comes must end the test. */
  __asm__ volatile ("sti" ::: "memory");
  while (counts[vector] < n)
    {
      uint32_t now = pm_now (), passed = (now - last) & 0xffffff;

      if (passed >= left)
        break;
      left -= passed;
      last = now;
    }
  __asm__ volatile ("cli" ::: "memory");
  return counts[vector] >= n;
}
