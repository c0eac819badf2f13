/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The test guest: 64-bit, one address space, integer instructions only, so that it also runs where
 * KVM emulates kernel code. Each test drives one device as a driver would and reports on COM1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void
outb (uint16_t port, uint8_t v)
{
  __asm__ volatile ("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void
outw (uint16_t port, uint16_t v)
{
  __asm__ volatile ("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void
outl (uint16_t port, uint32_t v)
{
  __asm__ volatile ("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint8_t
inb (uint16_t port)
{
  uint8_t v;
  __asm__ volatile ("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
  return v;
}

static inline uint16_t
inw (uint16_t port)
{
  uint16_t v;
  __asm__ volatile ("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
  return v;
}

static inline uint32_t
inl (uint16_t port)
{
  uint32_t v;
  __asm__ volatile ("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
  return v;
}

#define MMIO32(a) (*(volatile uint32_t *) (uintptr_t) (a))
#define MMIO16(a) (*(volatile uint16_t *) (uintptr_t) (a))
#define MMIO8(a) (*(volatile uint8_t *) (uintptr_t) (a))

static inline uint64_t
rdmsr (uint32_t msr)
{
  uint32_t lo, hi;
  __asm__ volatile ("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
  return (uint64_t) hi << 32 | lo;
}

static inline void
wrmsr (uint32_t msr, uint64_t v)
{
  __asm__ volatile ("wrmsr" : : "a"((uint32_t) v), "d"((uint32_t) (v >> 32)), "c"(msr) : "memory");
}

static inline void
relax (void)
{
  __asm__ volatile ("pause" ::: "memory");
}

/* Interrupts on, wait for one, off again: none is lost between. */
static inline void
wait_interrupt (void)
{
  __asm__ volatile ("sti; hlt; cli" ::: "memory");
}

/* main.c */
void print (const char *text);
void print_hex (uint64_t v, unsigned digits);
/* Ends the test with a sentence and the value that was wrong. */
bool fail (const char *why, uint64_t value);
#define CHECK(cond, value)                                                                         \
  do                                                                                               \
    {                                                                                              \
      if (!(cond))                                                                                 \
        return fail (#cond, (uint64_t) (value));                                                   \
    }                                                                                              \
  while (0)

/* interrupts.c */
#define LAPIC 0xfee00000u
#define IOAPIC 0xfec00000u
#define VECTOR_PIC 0x20   /* to 0x2f */
#define VECTOR_GSI 0x30   /* to 0x47 */
#define VECTOR_MSI 0x50
#define VECTOR_TIMER 0x60
extern volatile uint32_t counts[256];
void interrupts_init (void);
/* A gate of the present code segment; @dpl: the least privilege that may use it by INT. */
void                     set_gate (unsigned vector, const void *handler, unsigned dpl);
void use_pic (uint16_t mask); /* IRQs with a 0 bit come through the PIC pair, virtual wire. */
void use_ioapic (unsigned gsi, bool level, bool low);
void mask_all (void);
/* Waits with interrupts on until counts[@vector] reaches @n, or the PM timer says @ms have passed. */
bool wait_count (unsigned vector, uint32_t n, unsigned ms);
void delay_ms (unsigned ms); /* By the PM timer. */

/* pci.c */
uint32_t pci_read (uint8_t devfn, unsigned offset);
void     pci_write (uint8_t devfn, unsigned offset, uint32_t value);
unsigned pci_capability (uint8_t devfn, uint8_t id);
/* The base of BAR @n, sized and enabled as the firmware left it, or assigned @fallback. */
uint64_t pci_bar (uint8_t devfn, unsigned n, uint32_t fallback);
extern uint8_t buffer[16384]; /* For whoever transfers something; page-aligned. */
bool     same (const void *a, const char *b, unsigned n);

/* The tests. */
bool test_serial (void);
bool test_serials (void);
bool test_rtc (void);
bool test_i8042 (void);
bool test_pit (void);
bool test_hpet (void);
bool test_pm_timer (void);
bool test_lapic_timer (void);
bool test_smp (void);
bool test_modes (void);
bool test_debug_port (void);
bool test_smbus (void);
bool test_pci (void);
bool test_root_ports (void);
bool test_fw_cfg (void);
bool test_acpi (void);
bool test_vga (void);
bool test_bochs_display (void);
bool test_ahci (void);
bool test_ahci_write (void);
bool test_ncq (void);
bool test_trim (void);
bool test_cdrom (void);
bool test_media (void);
bool test_flash (void);
bool test_msi (void);
bool test_intx (void);
bool test_bench (void);
bool test_input (void);
bool test_units (void);
void not_emulated (void);
bool test_exceptions (void);
bool test_unit_exceptions (void);
bool test_paging (void);
bool test_segments (void);
bool test_syscalls (void);
bool test_registers (void);
bool test_steps (void);
bool test_breakpoints (void);
bool test_arrival (void);
bool test_nmi (void);
bool test_gates (void);
bool test_double_faults (void);
bool test_outwards (void);
bool test_watched_data (void);
bool test_debug_registers (void);
bool test_watched_code (void);
bool test_debug_shadows (void);
bool test_single_steps (void);
bool test_fast_call_steps (void);
bool test_unit_switches (void);
bool test_unit_waits (void);
bool test_reserved_bits (void);
bool test_levels (void);
bool test_contexts (void);
bool test_implicit (void);
bool test_canonical (void);
bool test_apic_registers (void);
bool test_apic_commands (void);
bool test_apic_timer (void);
bool test_undefined (void);
bool test_privileged (void);
bool test_msr_values (void);
bool test_smm (void);
