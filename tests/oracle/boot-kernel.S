/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A kernel that says on the debug port what it was given, and leaves by isa-debug-exit with 0x20:
 * a bzImage, or with PVH defined an ELF file with a PVH entry.
 */
#define DEBUG 0x402
#define EXIT 0xf4

#ifndef PVH
  .section .setup, "awx"
  .code16
setup:
  .org 0x1f1
  .byte 1                     /* setup_sects */
  .word 0
  .long code_size / 16
  .word 0, 0xffff, 0
  .word 0xaa55
  .byte 0xeb, start - 1f      /* The entry at 0x200. */
1:
  .ascii "HdrS"
  .word 0x020f
  .long 0
  .word 0, 0
  .org 0x211
  .byte 1                     /* loadflags: LOADED_HIGH */
  .org 0x214
  .long 0x100000
ramdisk_image:
  .long 0
ramdisk_size:
  .long 0
  .org 0x228
cmd_line_ptr:
  .long 0
  .long 0x7fffffff            /* initrd_addr_max */
  .org 0x238
  .long 255                   /* cmdline_size */
  .org 0x258
  .quad 0x100000              /* pref_address */
  .long 0x10000               /* init_size */

/* All segments are the setup's, so that its own variables can be read by offset. */
start:
  movl %ds:ramdisk_image - setup, %esi
  movl %ds:ramdisk_size - setup, %ecx
  movl %ds:cmd_line_ptr - setup, %ebx
  movw %ss, %ax
  movw %ds, %dx
  cmpw %ax, %dx
  jne hang
  cli
  lgdtl %ds:gdt_pointer - setup
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $0x08, $0x100000
hang:
  hlt
  jmp hang
  .balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
gdt_pointer:
  .word 23
  .long 0x10000 + gdt - setup
  .org 0x400
#else
  .section .note, "a", @note
  .long 4, 4, 18
  .asciz "Xen"
  .long entry
#endif

  .text
  .code32
code:
entry:
  .globl entry
#ifdef PVH
  cmpl $0x336ec578, (%ebx)
  jne bad
  cmpl $1, 4(%ebx)            /* Version. */
  jne bad
  cmpl $0, 48(%ebx)           /* Entries of the memory map. */
  je bad
  movl 32(%ebx), %eax         /* The RSDP. */
  cmpl $0x20445352, (%eax)
  jne bad
  cmpl $1, 12(%ebx)
  jne no_module
  movl 16(%ebx), %eax
  movl (%eax), %esi
  movl 8(%eax), %ecx
no_module:
  movl 24(%ebx), %ebx
#else
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
#endif
  movl $stack_top, %esp
  cmpl $0, bss_word
  jne bad
  movl $DEBUG, %edx
  pushl %esi
  movl $hello, %esi
  call print
  movl %ebx, %esi
  call print
  movb $'|', %al
  outb %al, %dx
  popl %esi
  rep outsb
  movb $'|', %al
  outb %al, %dx
  movl $tail, %esi
  call print
  movb $0x10, %al
  jmp leave
bad:
  movb $0x11, %al
leave:
  outb %al, $EXIT
halt:
  hlt
  jmp halt
print:
  lodsb
  testb %al, %al
  jz 1f
  outb %al, %dx
  jmp print
1:
  ret
hello:
  .asciz "hello|"
  .balign 4096
tail:
  .asciz "tail\n"
  .balign 16
  .set code_size, . - code
#ifdef PVH
  .bss
bss_word:
  .long 0
  .space 1024
stack_top:
#else
bss_word:
  .long 0
  .space 1020
stack_top:
#endif

  .section .note.GNU-stack, "", @progbits
