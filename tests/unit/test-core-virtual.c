/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Ports by the task's map (SDM volume 1, 18.5), and what virtual 8086 mode may (volume 3, chapter 20).
 */
#include "core-faults.h"

/* To virtual 8086 mode at 0x100:x, with all segments 0x300 but the stack's, and the flags @flags. */
#define VIRTUAL(flags, body)                                                                       \
  "movw $56, %ax\n ltr %ax\n"                                                                      \
  "pushl $0x300\n pushl $0x300\n pushl $0x300\n pushl $0x300\n pushl $0x700\n pushl $0x700\n pushl $" flags "\n" \
  "pushl $0x100\n pushl $(1f - base - 0x1000)\n iretl\n .code16\n 1: " body "\n .code32\n"

/* Ports ----------------------------------------------------------------------------------------------------- */

CORE_CODE (port_allowed, 32, USER ("movw $0x500, %dx\n outb %al, %dx\n inb %dx, %al\n int $0x42\n"));
CORE_CODE (port_denied, 32, USER ("movw $0x501, %dx\n outb %al, %dx\n int $0x42\n"));
CORE_CODE (port_straddles, 32, USER ("movw $0x500, %dx\n outw %ax, %dx\n int $0x42\n"));
CORE_CODE (port_bytes, 32, USER ("movw $0x507, %dx\n inw %dx, %ax\n int $0x42\n"));
CORE_CODE (port_string, 32, USER ("movw $0x501, %dx\n movl $0x7000, %esi\n outsb\n int $0x42\n"));
CORE_CODE (port_iopl, 32, USER_IO ("movw $0x501, %dx\n outb %al, %dx\n int $0x42\n"));
CORE_CODE (flag_iopl, 32, USER_IO ("sti\n cli\n int $0x42\n"));
CORE_CODE (flag_none, 32, USER ("sti\n"));
CORE_CODE (port_virtual, 32, VIRTUAL ("0x23002", "movw $0x501, %dx\n outb %al, %dx\n"));
CORE_CODE (port_virtual_ok, 32, VIRTUAL ("0x20002", "movw $0x500, %dx\n outb %al, %dx\n int3\n"));

/* A map at 0x68 that lets 0x500, 0x507 and 0x508 through, and reaches to the byte of 0x507. */
static void
map_ports (CoreRig *rig)
{
  vt_st16 (rig->mem + TSS_A + 102, 0x68);
  /* It would run into other tasks: this one moves. */
  memcpy (rig->mem + 0xa000, rig->mem + TSS_A, 0x68);
  memset (rig->mem + 0xa068, 0xff, 0x200);
  rig->mem[0xa068 + 0x500 / 8] = 0x7e;
  rig->mem[0xa068 + 0x508 / 8] = 0xfe;
  core_gdt (rig, A, 0xa000, 0x68 + 0x508 / 8, 0x89, 0);
}

static void
map_short (CoreRig *rig)
{
  map_ports (rig);
  /* Two bytes are read, the second of which it must have (volume 1, 18.5.2). */
  core_gdt (rig, A, 0xa000, 0x68 + 0x500 / 8, 0x89, 0);
}

static void
map_virtual (CoreRig *rig)
{
  map_ports (rig);
  rig->mem[CORE_IDT + 3 * 8 + 5] |= 0x60;
}

static void
test_ports (gconstpointer data)
{
  static const Case cases[] = {
    CASE (port_allowed, map_ports, -1, 0),
    CASE (port_denied, map_ports, VT_EXC_GP, 0),
    CASE (port_straddles, map_ports, VT_EXC_GP, 0),
    CASE (port_bytes, map_ports, -1, 0),
    CASE (port_string, map_ports, VT_EXC_GP, 0),
    CASE (port_allowed, NULL, VT_EXC_GP, 0), /* No map: its offset is 0, and the first byte... is the link. */
    CASE (port_allowed, map_short, VT_EXC_GP, 0),
    CASE (port_iopl, map_ports, -1, 0),
    CASE (flag_iopl, NULL, -1, 0),
    CASE (flag_none, NULL, VT_EXC_GP, 0),
    CASE (port_virtual, map_ports, VT_EXC_GP, 0), /* Whatever IOPL. */
    CASE (port_virtual_ok, map_virtual, VT_EXC_BP, NO_ERROR),
  };

  run_cases (cases, G_N_ELEMENTS (cases), GPOINTER_TO_UINT (data));
}

/* Virtual 8086 mode (20.2) ------------------------------------------------------------------------------------ */

CORE_CODE (virtual_int, 32, VIRTUAL ("0x23002", "int $0x42\n"));
CORE_CODE (virtual_int_low, 32, VIRTUAL ("0x20002", "int $0x42\n"));
CORE_CODE (virtual_pushf, 32, VIRTUAL ("0x20002", "movw $9, %cx\n 7: loop 7b\n pushf\n ud2\n"));
CORE_CODE (virtual_popf, 32, VIRTUAL ("0x20002", "pushw %ax\n popw %ax\n movw $9, %cx\n 7: loop 7b\n popf\n ud2\n"));
CORE_CODE (virtual_iret, 32, VIRTUAL ("0x20002", "iret\n"));
CORE_CODE (virtual_sti, 32, VIRTUAL ("0x20002", "sti\n"));
CORE_CODE (virtual_hlt, 32, VIRTUAL ("0x23002", "hlt\n"));
CORE_CODE (virtual_lldt, 32, VIRTUAL ("0x23002", "lldt %ax\n"));
CORE_CODE (virtual_verr, 32, VIRTUAL ("0x23002", "verr %ax\n"));
CORE_CODE (virtual_lar, 32, VIRTUAL ("0x23002", "lar %ax, %bx\n"));
CORE_CODE (virtual_arpl, 32, VIRTUAL ("0x23002", "arpl %ax, %bx\n"));
CORE_CODE (virtual_control, 32, VIRTUAL ("0x23002", "movl %cr0, %eax\n"));
CORE_CODE (virtual_lmsw, 32, VIRTUAL ("0x23002", "lmsw %ax\n"));
CORE_CODE (virtual_limit, 32, VIRTUAL ("0x23002", "movw $0xffff, %bx\n movw (%bx), %ax\n"));
CORE_CODE (virtual_stack, 32, VIRTUAL ("0x23002", "movw $1, %sp\n pushw %ax\n"));
/* IF, IOPL and VM are not its own to change. */
CORE_CODE (virtual_flags, 32,
           VIRTUAL ("0x23002", "pushw $0x0202\n popf\n pushf\n popw %bx\n pushw %bx\n pushw %cs\n pushw $(2f - base - 0x1000)\n iret\n"
                               "2: movw %ss, %cx\n movw $0xffff, %ax\n movw %ax, %es\n int $0x42\n"));
/* The handler's data segments are null: it has the kernel's first. */
static void
use_data (CoreRig *rig)
{
  static const uint8_t bytes[] = { 0x66, 0xb8, 0x10, 0, 0x8e, 0xd8 }; /* MOV AX, 16; MOV DS, AX */

  memcpy (rig->mem + INNER_CODE + 0xe0, bytes, sizeof bytes);
  memcpy (rig->mem + INNER_CODE + 0xe0 + sizeof bytes, code_done, (size_t) (code_done_end - code_done));
  core_gate (rig, DONE, SEL_CODE, INNER_CODE + 0xe0, 0xee, 0);
}

/* A frame of virtual 8086 mode has nine words, and data segments are null then (20.3.1). */
static void
test_virtual_frame (gconstpointer data)
{
  RIG (virtual_flags);
  protected_init (rig);
  use_data (rig);
  run (rig, kind);
  const uint8_t *frame = rig->mem + 0x6f00 - 36;
  g_assert_cmphex (vt_ld32 (rig->mem + 0x3020), ==, 0x6f00 - 36);
  g_assert_cmphex (vt_ld32 (frame + 4), ==, 0x100);
  g_assert_cmphex (vt_ld32 (frame + 8) & 0x3ffff, ==, 0x23202);
  g_assert_cmphex (vt_ld32 (frame + 12), ==, 0x700);
  g_assert_cmphex (vt_ld32 (frame + 16), ==, 0x700);
  g_assert_cmphex (vt_ld32 (frame + 20), ==, 0xffff); /* ES */
  g_assert_cmphex (vt_ld32 (frame + 24), ==, 0x300);
  g_assert_cmphex (vt_ld32 (frame + 32), ==, 0x300);
  g_assert_cmphex (rig->core->gpr[VT_CPU_RBX] & 0xffff, ==, 0x3202);
  g_assert_cmphex (rig->core->gpr[VT_CPU_RCX] & 0xffff, ==, 0x700);
  g_assert_true (rig->core->seg[VT_CPU_FS].unusable && rig->core->seg[VT_CPU_GS].unusable);
  core_rig_finish (rig);
}

static void
use_conforming (CoreRig *rig)
{
  core_gdt (rig, ODD, 0, 0xfffff, 0x9f, 0xc);
  core_gate (rig, DONE, ODD, INNER_CODE + 0x80, 0xee, 0);
}

static void
test_virtual (gconstpointer data)
{
  static const Case cases[] = {
    CASE (virtual_int, use_data, -1, 0),
    CASE (virtual_int, use_conforming, VT_EXC_GP, ODD), /* It must lead to privilege 0. */
    CASE (virtual_int_low, use_data, VT_EXC_GP, 0),
    CASE (virtual_pushf, NULL, VT_EXC_GP, 0),
    CASE (virtual_popf, NULL, VT_EXC_GP, 0),
    CASE (virtual_iret, NULL, VT_EXC_GP, 0),
    CASE (virtual_sti, NULL, VT_EXC_GP, 0),
    CASE (virtual_hlt, NULL, VT_EXC_GP, 0),
    CASE (virtual_lldt, NULL, VT_EXC_UD, NO_ERROR),
    CASE (virtual_verr, NULL, VT_EXC_UD, NO_ERROR),
    CASE (virtual_lar, NULL, VT_EXC_UD, NO_ERROR),
    CASE (virtual_arpl, NULL, VT_EXC_UD, NO_ERROR),
    CASE (virtual_control, NULL, VT_EXC_GP, 0),
    CASE (virtual_lmsw, NULL, VT_EXC_GP, 0),
    CASE (virtual_limit, NULL, VT_EXC_GP, 0),
    CASE (virtual_stack, NULL, VT_EXC_SS, 0),
  };

  run_cases (cases, G_N_ELEMENTS (cases), GPOINTER_TO_UINT (data));
}

int
main (int argc, char **argv)
{
  static const CoreTest tests[] = {
    { "ports", test_ports },
    { "virtual", test_virtual },
    { "frame", test_virtual_frame },
  };

  g_test_init (&argc, &argv, NULL);
  add_core_tests ("virtual", tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
