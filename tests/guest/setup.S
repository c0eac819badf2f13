/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The real-mode half of a bzImage whose kernel is the test guest (Linux/x86 boot protocol 2.12,
 * Documentation/arch/x86/boot.rst): it makes a PVH start_info of what the loader wrote into the
 * header, and enters the kernel in protected mode as a PVH loader would.
 */
        .code16
        .text
        .globl  _start
_start:
        .org    0x1f1
        .byte   1                       /* setup_sects: this code is one sector behind the first. */
        .word   0
        .long   0                       /* syssize; mkbzimage.py */
        .word   0, 0xffff, 0
        .word   0xaa55
        jmp     setup                   /* 0x200 */
        .ascii  "HdrS"
        .word   0x020c
        .long   0
        .word   0, 0
        .byte   0, 1                    /* type_of_loader; loadflags: LOADED_HIGH */
        .word   0
        .long   0x100000                /* code32_start */
ramdisk_image:
        .long   0
ramdisk_size:
        .long   0
        .long   0
        .word   0
        .byte   0, 0
cmd_line_ptr:
        .long   0                       /* 0x228 */
        .long   0x7fffffff              /* initrd_addr_max */
        .long   0x100000
        .byte   0, 0
        .word   0
        .long   2047                    /* cmdline_size */
        .long   0
        .quad   0
        .long   0, 0
        .quad   0
        .quad   0x100000                /* pref_address */
        .long   0x100000                /* init_size */
        .long   0
        .org    0x268
setup:
        cli
        cld
        /* The header says so: ds is the segment that the first sector was loaded to. */
        xorl    %ebx, %ebx
        movw    %ds, %bx
        shll    $4, %ebx
        movl    ramdisk_image, %eax
        movl    %eax, module
        movl    ramdisk_size, %eax
        movl    %eax, module + 8
        testl   %eax, %eax
        jz      1f
        movl    $1, info + 12
        leal    module(%ebx), %eax
        movl    %eax, info + 16
1:      movl    cmd_line_ptr, %eax
        movl    %eax, info + 24
        leal    gdt(%ebx), %eax
        movl    %eax, gdt_pointer + 2
        lgdtl   gdt_pointer
        leal    info(%ebx), %ebx
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        ljmpl   $8, $0x100000

        .align  8
gdt:    .quad   0
        .quad   0x00cf9b000000ffff
        .quad   0x00cf93000000ffff
gdt_pointer:
        .word   23
        .long   0
info:   .long   0x336ec578, 1, 0, 0
        .quad   0, 0, 0
module: .quad   0, 0, 0, 0
        .org    0x400

        .section .note.GNU-stack, "", @progbits
