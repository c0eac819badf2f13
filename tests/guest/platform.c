/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tests of the platform devices: serial port, clock, keyboard controller, timers, SMBus, and the
 * other processors.
 */
#include "guest.h"

bool
test_serial (void)
{
  /* COM1 carries the report: COM2 is the one under test, in loopback. */
  const uint16_t com = 0x2f8;

  outb (com + 7, 0x5a);
  CHECK (inb (com + 7) == 0x5a, inb (com + 7));
  outb (com + 3, 0x03);
  outb (com + 2, 0x07);
  outb (com + 4, 0x1b); /* Loopback; DTR, RTS, OUT2 come back as DSR, CTS, DCD. */
  CHECK ((inb (com + 6) & 0xf0) == 0xb0, inb (com + 6));
  outb (com, 'x');
  for (unsigned i = 0; i < 100 && (inb (com + 5) & 1) == 0; i++)
    delay_ms (1);
  CHECK ((inb (com + 5) & 1) != 0, inb (com + 5));
  CHECK (inb (com) == 'x', 0);
  /* In loopback the interrupt pin is cut off; out of it THRE interrupts come on IRQ 3. */
  outb (com + 4, 0x08);
  use_pic ((uint16_t) ~(1u << 3));
  outb (com + 1, 0x02);
  CHECK (wait_count (VECTOR_PIC + 3, 1, 1000), counts[VECTOR_PIC + 3]);
  CHECK ((inb (com + 2) & 0x0f) == 0x02, 0);
  outb (com + 1, 0);
  return true;
}

static uint8_t
cmos (uint8_t index)
{
  outb (0x70, index);
  return inb (0x71);
}

static void
set_cmos (uint8_t index, uint8_t value)
{
  outb (0x70, index);
  outb (0x71, value);
}

bool
test_rtc (void)
{
  uint8_t century = cmos (0x32), b = cmos (0x0b);

  CHECK ((cmos (0x0d) & 0x80) != 0, cmos (0x0d));
  CHECK (century == 0x20, century);
  CHECK ((cmos (0x08) & 0x0f) != 0 || cmos (0x08) == 0x10, cmos (0x08));
  /* 1024 Hz periodic interrupts on IRQ 8. */
  set_cmos (0x0a, 0x26);
  use_pic ((uint16_t) ~(1u << 8 | 1u << 2));
  cmos (0x0c);
  set_cmos (0x0b, b | 0x40);
  CHECK (wait_count (VECTOR_PIC + 8, 10, 2000), counts[VECTOR_PIC + 8]);
  set_cmos (0x0b, b);
  cmos (0x0c);
  return true;
}

static bool
i8042_wait (uint8_t mask, uint8_t want)
{
  for (unsigned i = 0; i < 1000; i++)
    {
      if ((inb (0x64) & mask) == want)
        return true;
      delay_ms (1);
    }
  return false;
}

static bool
i8042_ask (uint16_t port, uint8_t byte, uint8_t *answer)
{
  if (!i8042_wait (2, 0))
    return false;
  outb (port, byte);
  if (answer == NULL)
    return true;
  if (!i8042_wait (1, 1))
    return false;
  *answer = inb (0x60);
  return true;
}

bool
test_i8042 (void)
{
  uint8_t a = 0;

  for (unsigned i = 0; i < 64 && (inb (0x64) & 1) != 0; i++)
    inb (0x60);
  CHECK (i8042_ask (0x64, 0xaa, &a) && a == 0x55, a);
  CHECK (i8042_ask (0x64, 0xab, &a) && a == 0x00, a);
  /* Interrupts off while the devices answer. */
  CHECK (i8042_ask (0x64, 0x60, NULL), 0);
  CHECK (i8042_ask (0x60, 0x44, NULL), 0);
  CHECK (i8042_ask (0x60, 0xee, &a) && a == 0xee, a); /* Echo. */
  CHECK (i8042_ask (0x60, 0xf2, &a) && a == 0xfa, a); /* Identify: AB 83 (translated: AB 41). */
  CHECK (i8042_wait (1, 1), 0);
  a = inb (0x60);
  CHECK (a == 0xab, a);
  CHECK (i8042_wait (1, 1), 0);
  inb (0x60);
  /* The mouse: enable the port, reset, expect FA AA 00. */
  CHECK (i8042_ask (0x64, 0xa8, NULL), 0);
  CHECK (i8042_ask (0x64, 0xd4, NULL) && i8042_ask (0x60, 0xff, &a) && a == 0xfa, a);
  CHECK (i8042_wait (0x21, 0x21), inb (0x64));
  a = inb (0x60);
  CHECK (a == 0xaa, a);
  CHECK (i8042_wait (1, 1), 0);
  a = inb (0x60);
  CHECK (a == 0x00, a);
  /* IRQ 1 on an echo. */
  CHECK (i8042_ask (0x64, 0x60, NULL) && i8042_ask (0x60, 0x45, NULL), 0);
  use_pic ((uint16_t) ~(1u << 1));
  CHECK (i8042_ask (0x60, 0xee, NULL), 0);
  CHECK (wait_count (VECTOR_PIC + 1, 1, 1000), inb (0x64));
  CHECK (inb (0x60) == 0xee, 0);
  return true;
}

bool
test_pit (void)
{
  use_pic ((uint16_t) ~1u);
  outb (0x43, 0x34); /* Channel 0, rate generator, 100 Hz. */
  outb (0x40, 11932 & 0xff);
  outb (0x40, 11932 >> 8);
  CHECK (wait_count (VECTOR_PIC, 5, 2000), counts[VECTOR_PIC]);
  /* The same interrupt by the I/O APIC: GSI 2, as the MADT's override says. */
  mask_all ();
  use_ioapic (2, false, false);
  CHECK (wait_count (VECTOR_GSI + 2, 5, 2000), counts[VECTOR_GSI + 2]);
  return true;
}

bool
test_hpet (void)
{
  const uint32_t hpet = 0xfed00000;
  uint32_t       id = MMIO32 (hpet), period = MMIO32 (hpet + 4), a, b;

  CHECK ((id >> 16) == 0x8086, id);
  CHECK (period > 0 && period <= 100000000, period);
  MMIO32 (hpet + 0x10) = 0;
  MMIO32 (hpet + 0xf0) = 0;
  MMIO32 (hpet + 0xf4) = 0;
  MMIO32 (hpet + 0x10) = 1;
  a = MMIO32 (hpet + 0xf0);
  delay_ms (5);
  b = MMIO32 (hpet + 0xf0);
  /* 5 ms by one clock, within a wide margin by the other. */
  CHECK ((uint64_t) (b - a) * period / 1000000 > 4000000, b - a);
  /* Timer 0 one-shot on the first GSI that it can route to above 15. */
  {
    uint32_t routes = MMIO32 (hpet + 0x104);
    unsigned gsi = 0;

    for (unsigned i = 16; i < 24 && gsi == 0; i++)
      if ((routes & (1u << i)) != 0)
        gsi = i;
    CHECK (gsi != 0, routes);
    use_ioapic (gsi, false, false);
    MMIO32 (hpet + 0x100) = 0x04 | gsi << 9;
    MMIO32 (hpet + 0x108) = MMIO32 (hpet + 0xf0) + (uint32_t) (2000000000000ull / period);
    MMIO32 (hpet + 0x10c) = 0;
    CHECK (wait_count (VECTOR_GSI + gsi, 1, 2000), counts[VECTOR_GSI + gsi]);
  }
  MMIO32 (hpet + 0x100) = 0;
  MMIO32 (hpet + 0x10) = 0;
  return true;
}

bool
test_pm_timer (void)
{
  uint32_t a = inl (0x608), b;

  /* Against the PIT's channel 2, gated by port 0x61: 10 ms. */
  outb (0x61, (uint8_t) ((inb (0x61) & ~2u) | 1));
  outb (0x43, 0xb0);
  outb (0x42, 11932 & 0xff);
  outb (0x42, 11932 >> 8);
  a = inl (0x608);
  for (unsigned i = 0; i < 1000000 && (inb (0x61) & 0x20) == 0; i++)
    ;
  b = (inl (0x608) - a) & 0xffffff;
  CHECK (b > 3579545 / 1000 * 9, b);
  CHECK (b < 3579545 / 1000 * 100, b);
  return true;
}

bool
test_lapic_timer (void)
{
  MMIO32 (LAPIC + 0x3e0) = 0x3; /* Divide by 16. */
  MMIO32 (LAPIC + 0x320) = 0x20000 | VECTOR_TIMER; /* Periodic. */
  MMIO32 (LAPIC + 0x380) = 500000;
  CHECK (wait_count (VECTOR_TIMER, 3, 2000), counts[VECTOR_TIMER]);
  MMIO32 (LAPIC + 0x320) = 0x10000;
  return true;
}

/* COM1 carries the report; COM3 and COM4, by their scratch registers and loopback. */
bool
test_serials (void)
{
  static const uint16_t ports[] = { 0x3e8, 0x2e8 };

  for (unsigned i = 0; i < 2; i++)
    {
      const uint16_t com = ports[i];

      outb (com + 7, (uint8_t) (0xa5 + i));
      CHECK (inb (com + 7) == (uint8_t) (0xa5 + i), inb (com + 7));
      outb (com + 3, 0x03);
      outb (com + 2, 0x07);
      outb (com + 4, 0x1b);
      outb (com, (uint8_t) ('p' + i));
      for (unsigned ms = 0; ms < 100 && (inb (com + 5) & 1) == 0; ms++)
        delay_ms (1);
      CHECK (inb (com) == (uint8_t) ('p' + i), inb (com + 5));
      outb (com + 4, 0);
    }
  return true;
}

/* The firmware's log port says that it is there, and takes what it's given. */
bool
test_debug_port (void)
{
  CHECK (inb (0x402) == 0xe9, inb (0x402));
  for (const char *c = "GUEST SPEAKS\n"; *c != '\0'; c++)
    outb (0x402, (uint8_t) *c);
  return true;
}

int  visit_real_mode (void);
extern const char low[], low_end[];

/* Down to real mode and back; the BIOS's answers are its own, so that interrupts by the real-mode table
 * have worked. */
bool
test_modes (void)
{
  volatile uint8_t *page = (volatile uint8_t *) 0x9000;
  int               kib;

  for (unsigned i = 0; low + i < low_end; i++)
    page[i] = (uint8_t) low[i];
  kib = visit_real_mode ();
  CHECK (kib > 500 && kib <= 640, kib);
  return true;
}

extern const char trampoline[], trampoline_end[];
extern volatile uint32_t ap_arrived;
volatile uint32_t        ap_arrived;

void ap_main (void);
void ap_load_idt (void);

void
ap_main (void)
{
  uint32_t id = MMIO32 (LAPIC + 0x20) >> 24;

  ap_load_idt ();
  /* One stack is enough: they are woken one after another. */
  __asm__ volatile ("lock orl %1, %0" : "+m"(ap_arrived) : "r"(1u << id) : "memory");
  for (;;)
    __asm__ volatile ("cli; hlt");
}

bool
test_smp (void)
{
  volatile uint8_t *page = (volatile uint8_t *) 0x8000;
  uint32_t          n_cpus;

  for (unsigned i = 0; trampoline + i < trampoline_end; i++)
    page[i] = (uint8_t) trampoline[i];
  outw (0x510, 0x05); /* fw_cfg: how many CPUs there are. */
  n_cpus = inb (0x511);
  n_cpus |= (uint32_t) inb (0x511) << 8;
  CHECK (n_cpus >= 2, n_cpus);
  ap_arrived = 1u << (MMIO32 (LAPIC + 0x20) >> 24);
  for (unsigned id = 1; id < n_cpus; id++)
    {
      MMIO32 (LAPIC + 0x310) = id << 24;
      MMIO32 (LAPIC + 0x300) = 0x4500; /* INIT */
      delay_ms (10);
      for (unsigned again = 0; again < 2 && (ap_arrived & (1u << id)) == 0; again++)
        {
          MMIO32 (LAPIC + 0x310) = id << 24;
          MMIO32 (LAPIC + 0x300) = 0x4608; /* SIPI to 0x8000 */
          for (unsigned ms = 0; ms < 500 && (ap_arrived & (1u << id)) == 0; ms++)
            delay_ms (1);
        }
    }
  CHECK (ap_arrived == (1u << n_cpus) - 1, ap_arrived);
  return true;
}

bool
test_smbus (void)
{
  const uint8_t fn = 0x1f << 3 | 3;
  uint32_t      base;
  uint8_t       status = 0;

  CHECK (pci_read (fn, 0) == 0x29308086, pci_read (fn, 0));
  base = pci_read (fn, 0x20) & 0xffe0;
  if (base == 0)
    {
      base = 0x700;
      pci_write (fn, 0x20, base);
    }
  pci_write (fn, 4, pci_read (fn, 4) | 1);
  pci_write (fn, 0x40, pci_read (fn, 0x40) | 1);
  /* Receive a byte from an address where nothing is: a device error, and never a hang. */
  outb ((uint16_t) base, 0xff);
  outb ((uint16_t) (base + 4), 0x11);
  outb ((uint16_t) (base + 2), 0x44);
  for (unsigned i = 0; i < 1000; i++)
    {
      status = inb ((uint16_t) base);
      if ((status & 0x1e) != 0)
        break;
      delay_ms (1);
    }
  CHECK ((status & 0x04) != 0, status);
  outb ((uint16_t) base, 0xff);
  return true;
}
