/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Instructions that an emulating KVM does not know, as an operating system uses them: the x87 and SSE
 * units and their state, 16-byte exchanges, bit counts, and a trip to privilege 3 and back. Each by
 * itself, and many in a row, since both are different work for whoever helps KVM.
 */
#include "guest.h"

typedef struct __attribute__ ((packed))
{
  uint32_t reserved;
  uint64_t rsp[3], ist[8], reserved2;
  uint16_t reserved3, bitmap;
} Tss;

extern char     pml4[], pdpt[], pds[];
extern uint64_t ring3_trip (void);
extern char     ring3_back[];

static uint64_t gdt[9] = {
  0,
  0x00af9b000000ffff, /*  8: 64-bit code */
  0x00cf93000000ffff, /* 16: data */
  0x00cf9b000000ffff, /* 24: 32-bit code */
  0x00cf93000000ffff, /* 32: data */
  0x00cff3000000ffff, /* 40: data of privilege 3 */
  0x00affb000000ffff, /* 48: 64-bit code of privilege 3 */
};
static Tss     tss;
static uint8_t ring0_stack[4096] __attribute__ ((aligned (16)));
uint64_t       ring3_saved;
uint8_t        ring3_stack[4096] __attribute__ ((aligned (16)));

__asm__(".globl ring3_trip, ring3_back\n"
        "ring3_trip:\n"
        "  pushq %rbx\n  pushq %rbp\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, ring3_saved\n"
        "  pushq $0x2b\n  pushq $(ring3_stack + 4096)\n  pushfq\n  pushq $0x33\n"
        "  pushq $1f\n  iretq\n"
        /* Privilege 3: its own stack, a call and the units; HLT is not for it, so it comes back. */
        "1: call 2f\n  hlt\n"
        "2: movl %cs, %eax\n  cvtsi2sd %rax, %xmm3\n  cvttsd2si %xmm3, %rax\n  ret\n"
        "ring3_back:\n"
        "  movq ring3_saved, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbp\n  popq %rbx\n"
        "  ret\n");

static void
units_on (void)
{
  uint64_t cr0, cr4;

  __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
  __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
  cr0 = (cr0 & ~0xcull) | 0x22;
  cr4 |= 0x600;
  __asm__ volatile("movq %0, %%cr0" : : "r"(cr0));
  __asm__ volatile("movq %0, %%cr4" : : "r"(cr4));
}

static bool
x87 (void)
{
  uint16_t control = 0, status = 0xffff;
  uint64_t result = 0;

  __asm__ volatile("fninit; fnstcw %0; fnstsw %1" : "=m"(control), "=m"(status));
  CHECK (control == 0x37f, control);
  CHECK (status == 0, status);
  /* 1 + pi, rounded to an integer: 4. */
  __asm__ volatile("fld1; fldpi; faddp; fistpll %0" : "=m"(result));
  CHECK (result == 4, result);
  __asm__ volatile("fwait");
  return true;
}

static bool
sse (void)
{
  static const uint32_t a[4] = { 1, 2, 3, 0xffffffff }, b[4] = { 10, 20, 30, 1 };
  uint32_t              sum[5] = { 0 };
  uint32_t              mxcsr = 0;

  __asm__ volatile("movups %1, %%xmm0; movups %2, %%xmm1; paddd %%xmm1, %%xmm0; movups %%xmm0, %0"
                   : "=m"(*(uint32_t (*)[4]) & sum[1])
                   : "m"(a), "m"(b));
  CHECK (sum[1] == 11 && sum[2] == 22 && sum[3] == 33 && sum[4] == 0, sum[4]);
  CHECK (sum[0] == 0, sum[0]);
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  CHECK (mxcsr == 0x1f80, mxcsr);
  /* Many: sums 0 to 999 in a vector register. */
  {
    uint64_t total = 0;

    __asm__ volatile("pxor %%xmm2, %%xmm2" : :);
    for (uint64_t i = 0; i < 1000; i++)
      __asm__ volatile("movq %0, %%xmm3; paddq %%xmm3, %%xmm2" : : "r"(i));
    __asm__ volatile("movq %%xmm2, %0" : "=r"(total));
    CHECK (total == 499500, total);
  }
  return true;
}

static bool
saved_state (void)
{
  static uint8_t area[512] __attribute__ ((aligned (16)));
  uint64_t       value = 0;

  __asm__ volatile("movq %0, %%xmm7; fxsave %1; pxor %%xmm7, %%xmm7; fxrstor %1; movq %%xmm7, %0"
                   : "+r"(value), "+m"(area));
  CHECK (value == 0, value);
  value = 0x1122334455667788;
  __asm__ volatile("movq %0, %%xmm7; fxsave %1; pxor %%xmm7, %%xmm7; fxrstor %1; movq %%xmm7, %0"
                   : "+r"(value), "+m"(area));
  CHECK (value == 0x1122334455667788, value);
  CHECK (area[160 + 7 * 16] == 0x88, area[160 + 7 * 16]);
  return true;
}

static bool
integers (void)
{
  static uint64_t pair[2] __attribute__ ((aligned (16))) = { 5, 6 };
  uint64_t        low = 5, high = 6, count = 0;
  uint32_t        swapped = 0;
  bool            equal;

  __asm__ volatile("lock cmpxchg16b %1; sete %0"
                   : "=q"(equal), "+m"(pair), "+a"(low), "+d"(high)
                   : "b"(7ull), "c"(8ull));
  CHECK (equal && pair[0] == 7 && pair[1] == 8, pair[0]);
  low = 5;
  high = 6;
  __asm__ volatile("lock cmpxchg16b %1; sete %0"
                   : "=q"(equal), "+m"(pair), "+a"(low), "+d"(high)
                   : "b"(9ull), "c"(9ull));
  CHECK (!equal && low == 7 && high == 8 && pair[0] == 7, low);
  __asm__ volatile("popcntq %1, %0" : "=r"(count) : "r"(0xf0f0f0f0f0f0f0f0ull));
  CHECK (count == 32, count);
  __asm__ volatile("movl $0x01020304, %%eax; movbe %%eax, %0" : "=m"(swapped) : : "eax");
  CHECK (swapped == 0x04030201, swapped);
  return true;
}

/* A page that privilege 3 may use: the first 2 MiB, in which the guest lies. */
static bool
rings (void)
{
  struct __attribute__ ((packed))
  {
    uint16_t limit;
    uint64_t base;
  } pointer = { sizeof gdt - 1, (uintptr_t) gdt };
  const uint64_t at = (uintptr_t) &tss;
  uint64_t       cr3;

  *(volatile uint64_t *) pml4 |= 4;
  *(volatile uint64_t *) pdpt |= 4;
  *(volatile uint64_t *) pds |= 4;
  __asm__ volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(cr3) : : "memory");
  tss.rsp[0] = (uintptr_t) ring0_stack + sizeof ring0_stack;
  tss.bitmap = sizeof tss;
  gdt[7] = (sizeof tss - 1) | (at & 0xffffff) << 16 | 0x89ull << 40 | (at >> 24 & 0xff) << 56;
  gdt[8] = at >> 32;
  set_gate (13, ring3_back, 0);
  __asm__ volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(0x38));
  for (unsigned i = 0; i < 3; i++)
    {
      const uint64_t cs = ring3_trip ();
      CHECK (cs == 0x33, cs);
    }
  interrupts_init ();
  return true;
}

bool
test_units (void)
{
  units_on ();
  return x87 () && sse () && saved_state () && integers () && rings ();
}

/* A store into the local APIC (its task priority) has to be emulated where KVM runs the guest: KVM's emulator does
 * not know MASKMOVDQU, and KVM's APIC is not the interpreter's to write. Without KVM's APIC it is, but what an x87
 * exception does without CR0.NE (the chipset's FERR#) the interpreter leaves to others. */
void
not_emulated (void)
{
  units_on ();
  __asm__ volatile("pcmpeqb %%xmm1, %%xmm1; pxor %%xmm0, %%xmm0; maskmovdqu %%xmm1, %%xmm0"
                   :
                   : "D"(0xfee00080)
                   : "memory");
  const uint16_t control = 0x37b; /* A division by zero is not masked. */
  uint64_t       cr0;
  __asm__ volatile("movq %%cr0, %0; andq $~0x20, %0; movq %0, %%cr0; fninit; fldcw %1; fld1; fldz; fdivr %%st(1); fwait"
                   : "=&r"(cr0)
                   : "m"(control));
}
