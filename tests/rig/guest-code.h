/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Guest programs inside a unit test: assembled with it, copied to GUEST_BASE in guest RAM. GUEST_AT()
 * gives a label's guest address.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#define GUEST_BASE 0x1000

/* Starts in 16-bit real mode with CS, DS and SS 0. */
#define GUEST_REAL(name, body)                                                                     \
  extern const uint8_t guest_##name[], guest_##name##_end[];                                       \
  __asm__ (".pushsection .rodata\n"                                                                \
           ".balign 16\n"                                                                          \
           "guest_" #name ":\n"                                                                    \
           ".set guest, guest_" #name "\n"                                                         \
           ".code16\n"                                                                             \
           "xorw %ax, %ax\n movw %ax, %ds\n movw %ax, %es\n movw %ax, %ss\n movw $0x8000, %sp\n"   \
           body "\n"                                                                               \
           ".code64\n"                                                                             \
           "guest_" #name "_end:\n"                                                                \
           ".popsection\n")

/* Goes to flat 32-bit protected mode first; the interrupt table's descriptor is at IDT_POINTER. */
#define GUEST_FLAT(name, body)                                                                     \
  GUEST_REAL (name,                                                                                \
              "cli\n"                                                                              \
              "lgdtl (9f - guest_" #name " + 0x1000)\n"                                            \
              "movl %cr0, %eax\n orb $1, %al\n movl %eax, %cr0\n"                                  \
              "ljmpl $8, $(2f - guest_" #name " + 0x1000)\n"                                       \
              ".balign 8\n"                                                                        \
              "8: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"                               \
              "9: .word 23\n .long 8b - guest_" #name " + 0x1000\n"                                \
              ".code32\n"                                                                          \
              "2: movw $0x10, %ax\n movw %ax, %ds\n movw %ax, %es\n movw %ax, %ss\n"               \
              "movl $0x8000, %esp\n" body)

#define IDT 0x6000
#define IDT_POINTER 0x5ff0

/* Puts one character out of the debug port. */
#define PUT(c) "movw $0x402, %dx\n movb $'" c "', %al\n outb %al, %dx\n"

/* A 32-bit interrupt gate in the table at IDT. */
static inline void
guest_gate (uint8_t *ram, unsigned vector, uint32_t handler)
{
  uint8_t       *gate = ram + IDT + vector * 8;
  const uint16_t limit = 256 * 8 - 1;
  const uint32_t base = IDT;

  gate[0] = (uint8_t) handler;
  gate[1] = (uint8_t) (handler >> 8);
  gate[2] = 8;
  gate[5] = 0x8e;
  gate[6] = (uint8_t) (handler >> 16);
  gate[7] = (uint8_t) (handler >> 24);
  memcpy (ram + IDT_POINTER, &limit, 2);
  memcpy (ram + IDT_POINTER + 2, &base, 4);
}
