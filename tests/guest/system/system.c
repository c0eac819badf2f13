/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of the architecture stand on: descriptor tables, a task, page tables.
 */
#include "system.h"

extern char trap_vectors[], gdt[], pml4[];

typedef struct __attribute__ ((packed))
{
  uint16_t limit;
  uint64_t base;
} Pointer;

void trap_unasked (uint64_t vector, uint64_t rip);

uint64_t window[512] __attribute__ ((aligned (4096)));
uint64_t system_gdt[16], system_ldt[4];
Tss      system_tss;

static uint64_t window_pd[512] __attribute__ ((aligned (4096))), window_pdpt[512] __attribute__ ((aligned (4096)));
static uint64_t user_pd[512] __attribute__ ((aligned (4096))), user_pdpt[512] __attribute__ ((aligned (4096)));
static uint8_t  kernel_stack[4096] __attribute__ ((aligned (16))), ist_stack[4096] __attribute__ ((aligned (16)));
static uint8_t  user_stack[4096] __attribute__ ((aligned (16)));

void
trap_unasked (uint64_t vector, uint64_t rip)
{
  print ("UNASKED ");
  print_hex (vector, 2);
  print (" at ");
  print_hex (rip, 16);
  print ("\n");
  outb (0xf4, 97);
  for (;;)
    __asm__ volatile("cli; hlt");
}

void
flush_tlb (void)
{
  WRITE_CR (3, READ_CR (3));
}

/* A system descriptor of 16 bytes (3.5.2 and 7.2.3). */
static void
system_descriptor (unsigned selector, const void *base, unsigned limit, unsigned type)
{
  const uint64_t at = (uintptr_t) base;

  system_gdt[selector / 8] = (limit & 0xffffu) | (at & 0xffffff) << 16 | (uint64_t) (0x80 | type) << 40
                             | (at >> 24 & 0xff) << 56;
  system_gdt[selector / 8 + 1] = at >> 32;
}

void
system_begin (void)
{
  static const uint64_t descriptors[8] = {
    0,
    0x00af9b000000ffff, /* CODE */
    0x00cf93000000ffff, /* DATA */
    0x00cf9b000000ffff, /* 32-bit code, as at the start. */
    0x00cf93000000ffff, /* 32: data, as at the start. */
    0x00cff3000000ffff, /* USER_DATA */
    0x00affb000000ffff, /* USER_CODE */
    0x00cf13000000ffff, /* ABSENT: data that is not present. */
  };
  Pointer   pointer = { sizeof system_gdt - 1, (uintptr_t) system_gdt };
  uint64_t *top = (uint64_t *) (uintptr_t) pml4;

  for (unsigned i = 0; i < 8; i++)
    system_gdt[i] = descriptors[i];
  system_tss = (Tss){ .bitmap = sizeof (Tss) };
  system_tss.rsp[0] = (uintptr_t) kernel_stack + sizeof kernel_stack;
  system_tss.ist[1] = (uintptr_t) ist_stack + sizeof ist_stack;
  system_descriptor (TASK, &system_tss, sizeof system_tss - 1, 9);
  system_descriptor (TABLE, system_ldt, sizeof system_ldt - 1, 2);
  __asm__ volatile("lgdt %0; ltr %w1; lldt %w2" : : "m"(pointer), "r"(TASK), "r"(TABLE));
  for (unsigned v = 0; v < 256; v++)
    set_gate (v, trap_vectors + 32 * v, v == USER_CALL || v == BP ? 3 : 0);

  for (unsigned i = 0; i < 512; i++)
    {
      window[i] = 0;
      user_pd[i] = (uint64_t) i << 21 | PT_PS | PT_U | PT_W | PT_P;
    }
  user_pdpt[0] = (uintptr_t) user_pd | PT_U | PT_W | PT_P;
  top[USER_BASE >> 39] = (uintptr_t) user_pdpt | PT_U | PT_W | PT_P;
  window_pd[0] = (uintptr_t) window | PT_U | PT_W | PT_P;
  window_pdpt[0] = (uintptr_t) window_pd | PT_U | PT_W | PT_P;
  top[WINDOW >> 39] = (uintptr_t) window_pdpt | PT_U | PT_W | PT_P;
  WRITE_CR (0, READ_CR (0) | 0x10000); /* WP */
  wrmsr (0xc0000080, rdmsr (0xc0000080) | 0x801); /* NXE, SCE */
  flush_tlb ();
}

void
system_end (void)
{
  Pointer pointer = { 39, (uintptr_t) gdt };

  WRITE_CR (0, READ_CR (0) & ~0x10000ull);
  __asm__ volatile("lgdt %0" : : "m"(pointer));
  interrupts_init ();
}

unsigned
in_user (void (*code) (uint64_t), uint64_t argument, uint64_t flags)
{
  return trap_user (AS_USER (code), argument, AS_USER (user_stack + sizeof user_stack - 8), flags | 2);
}
