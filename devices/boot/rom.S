/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The boot ROM's real-mode half: an option ROM with a boot entry (BEV). It copies itself into low
 * memory, asks the BIOS for the memory map, calls the loader (rom.c) in protected mode, and starts
 * what that loaded. BIOS Boot Specification 1.01; Plug and Play BIOS 1.0A, 3; Linux boot protocol;
 * PVH: "x86/HVM direct boot ABI".
 *
 * Linked to run at VT_BOOT_ROM_AT. Real-mode addresses are offsets from there: OFF (symbol).
 */
#include "plan.h"

#define SEGMENT (VT_BOOT_ROM_AT >> 4)
#define OFF(symbol) ((symbol) - rom_start)
#define E820_MAX 128
#define E820_SIZE 24

#define CODE32 0x08
#define DATA32 0x10
#define CODE16 0x18
#define DATA16 0x20
#define TSS32 0x28

  .section .text16, "awx"
  .code16
  .globl rom_start
rom_start:
  .byte 0x55, 0xaa
  .byte 0                     /* Size in 512 bytes: mkrom.py fills it in. */
  jmp rom_init
  .org 0x18
  .word 0                     /* No PCI data: the ROM comes by fw_cfg. */
  .word OFF (pnp_header)

  .org 0x20
pnp_header:
  .ascii "$PnP"
  .byte 1                     /* Revision. */
  .byte 2                     /* Length in 16 bytes. */
  .word 0                     /* No further header. */
  .byte 0
  .byte 0                     /* Checksum: mkrom.py. */
  .long 0
  .word OFF (vendor)
  .word OFF (product)
  .byte 0, 0x80, 0x01         /* Mass storage, other. */
  .byte 0x04                  /* May be booted from. */
  .word 0                     /* BCV */
  .word 0                     /* Disconnect vector. */
  .word OFF (rom_boot)        /* BEV */
  .word 0
  .word 0

vendor:
  .asciz "Vitrine"
product:
  .asciz "Vitrine direct boot"

rom_init:
  lret

/* The BIOS far-calls this to boot. */
rom_boot:
  pushal
  pushw %ds
  pushw %es
  pushfw
  cld
  /* The copy: what the ROM writes is below, and the ROM's own place is read-only by now. */
  pushw %cs
  popw %ds
  movw $SEGMENT, %ax
  movw %ax, %es
  xorw %si, %si
  xorw %di, %di
  movl $rom_image_size, %ecx
  rep movsb
  movl $rom_bss_size, %ecx
  xorb %al, %al
  rep stosb
  ljmp $SEGMENT, $OFF (relocated)

relocated:
  movw %cs, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %sp, OFF (saved_sp)
  movw %ss, OFF (saved_ss)
  cli
  movw $(VT_BOOT_STACK_TOP >> 4 & 0xf000), %ax
  movw %ax, %ss
  movl $(VT_BOOT_STACK_TOP & 0xffff), %esp
  sti

  movw $0x2401, %ax           /* Enable A20; the port for a BIOS that can't. */
  int $0x15
  inb $0x92, %al
  orb $0x02, %al
  andb $0xfe, %al
  outb %al, $0x92

  /* INT 15h, E820h: an entry of 24 bytes at a time; %ebx 0 behind the last. */
  xorl %ebx, %ebx
  movl $e820_map, %edi
  subl $VT_BOOT_ROM_AT, %edi
  movw $E820_MAX, OFF (e820_left)
e820_next:
  movl $0xe820, %eax
  movl $0x534d4150, %edx
  movl $E820_SIZE, %ecx
  movl $1, %es:20(%di)
  int $0x15
  jc e820_done
  cmpl $0x534d4150, %eax
  jne e820_done
  addw $E820_SIZE, %di
  incl OFF (e820_count)
  decw OFF (e820_left)
  jz e820_done
  testl %ebx, %ebx
  jnz e820_next
e820_done:

  cli
  lgdtl OFF (gdt_pointer)
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $CODE32, $protected

  .code32
protected:
  movw $DATA32, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %fs
  movw %ax, %gs
  movw %ax, %ss
  movl $VT_BOOT_STACK_TOP, %esp
  pushl $e820_count
  pushl $e820_map
  call boot_load              /* 0: bzImage is ready; 1: PVH; else the address of a message. */
  addl $8, %esp
  cmpl $1, %eax
  je start_pvh
  movl %eax, outcome
  ljmp $CODE16, $OFF (leave_protected)

/* Flat 32-bit segments, a 32-bit task, interrupts off, %ebx the start information. */
start_pvh:
  movw $TSS32, %ax
  ltr %ax
  movl $boot_start_info, %ebx
  movl boot_entry, %edx
  xorl %eax, %eax
  xorl %ecx, %ecx
  xorl %esi, %esi
  xorl %edi, %edi
  xorl %ebp, %ebp
  jmp *%edx

  .code16
leave_protected:
  movw $DATA16, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %fs
  movw %ax, %gs
  movw %ax, %ss
  movl %cr0, %eax
  andl $~1, %eax
  movl %eax, %cr0
  ljmp $SEGMENT, $OFF (real)

real:
  lidtl %cs:OFF (real_idt)
  movw %cs, %ax
  movw %ax, %ds
  movw %ax, %es
  movw $(VT_BOOT_STACK_TOP >> 4 & 0xf000), %ax
  movw %ax, %ss
  movl $(VT_BOOT_STACK_TOP & 0xffff), %esp
  cmpl $0, OFF (outcome)
  jne failed

/* Linux boot protocol, "Running the Kernel": all segments the setup code's, entry at 0x200. */
  movw $(VT_BOOT_SETUP_AT >> 4), %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %fs
  movw %ax, %gs
  movw %ax, %ss
  movl $VT_BOOT_HEAP_END, %esp
  ljmp $((VT_BOOT_SETUP_AT + 0x200) >> 4), $0

/* Says why, on the screen and the debug port, and goes back to the BIOS. */
failed:
  sti
  movw $OFF (prefix), %si
  call print
  movl OFF (outcome), %esi
  subl $VT_BOOT_ROM_AT, %esi
  call print
  movw $OFF (newline), %si
  call print
  cli
  movw OFF (saved_ss), %ss
  movzwl OFF (saved_sp), %esp
  popfw
  popw %es
  popw %ds
  popal
  lret

print:
  lodsb
  testb %al, %al
  jz 1f
  movw $0x402, %dx
  outb %al, %dx
  movb $0x0e, %ah
  movw $0x0007, %bx
  int $0x10
  jmp print
1:
  ret

prefix:
  .asciz "\r\nVitrine direct boot: "
newline:
  .asciz "\r\n"

  .balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff    /* 32-bit code and data: all of memory. */
  .quad 0x00cf93000000ffff
  .quad 0x00009b040000ffff    /* 16-bit code and data: 64 KiB from the ROM on. */
  .quad 0x000093040000ffff
  .quad 0x0000890000000067    /* A 32-bit task, base 0. */
gdt_end:
gdt_pointer:
  .word gdt_end - gdt - 1
  .long gdt
real_idt:
  .word 0x3ff
  .long 0
saved_sp:
  .word 0
saved_ss:
  .word 0
e820_left:
  .word 0
  .balign 4
e820_count:
  .long 0
  .globl outcome
outcome:
  .long 0

  .section .note.GNU-stack, "", @progbits
