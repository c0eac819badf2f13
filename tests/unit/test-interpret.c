/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interpreter with guest programs of every mode: far transfers, exceptions, strings, the units'
 * state. What one instruction computes is compared with the host's processor in test-interpret-host.c.
 */
#include "core-rig.h"
#include "rig/guest-code.h"

#define RUN(name)                                                                                  \
  CoreRig rig;                                                                                     \
  core_rig_init (&rig);                                                                            \
  memcpy (rig.mem + GUEST_BASE, guest_##name, (size_t) (guest_##name##_end - guest_##name));       \
  core_rig_reset (&rig, GUEST_BASE)

GUEST_REAL (hello, "movw $(6f - guest + 0x1000), %si\n movw $0x402, %dx\n movw $5, %cx\n cld\n"
            "rep outsb\n movl $0x12345678, %eax\n movw $0x500, %dx\n outl %eax, %dx\n hlt\n"
            "6: .ascii \"world\"\n");

static void
test_hello (void)
{
  RUN (hello);
  core_rig_run (&rig);
  g_assert_cmpstr (rig.output->str, ==, "world");
  g_assert_cmphex (rig.ports[0], ==, 0x12345678);
  g_assert_cmpuint (rig.core->gpr[VT_CPU_RCX], ==, 0);
  core_rig_finish (&rig);
}

/* What KVM's emulator can't do: IRET in protected mode. */
GUEST_FLAT (iret32, PUT ("R") "pushfl\n pushl %cs\n pushl $(1f - guest + 0x1000)\n iretl\n"
            "hlt\n 1:" PUT ("!") "hlt\n");

static void
test_iret32 (void)
{
  RUN (iret32);
  core_rig_run (&rig);
  g_assert_cmpstr (rig.output->str, ==, "R!");
  g_assert_cmpuint (rig.core->gpr[VT_CPU_RSP], ==, 0x8000);
  core_rig_finish (&rig);
}

GUEST_FLAT (units, "movl %cr4, %eax\n orl $0x600, %eax\n movl %eax, %cr4\n"
            "movl %cr0, %eax\n andl $~4, %eax\n orl $0x22, %eax\n movl %eax, %cr0\n"
            "fninit\n fld1\n fldpi\n faddp\n fstpl 0x3000\n"
            "movl $3, %eax\n cvtsi2sd %eax, %xmm1\n sqrtsd %xmm1, %xmm1\n movups %xmm1, 0x3011\n"
            "popcntl 0x3011, %ecx\n hlt\n");

static void
test_units (void)
{
  RUN (units);
  core_rig_run (&rig);
  double sum;
  memcpy (&sum, rig.mem + 0x3000, 8);
  g_assert_cmpfloat_with_epsilon (sum, 4.14159265358979, 1e-12);
  memcpy (&sum, rig.mem + 0x3011, 8);
  g_assert_cmpfloat_with_epsilon (sum, 1.7320508075688772, 1e-12);
  g_assert_cmpuint (rig.core->gpr[VT_CPU_RCX], ==,
                    (unsigned) __builtin_popcount (vt_ld32 (rig.mem + 0x3011)));
  core_rig_finish (&rig);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/interpret/hello", test_hello);
  g_test_add_func ("/interpret/iret32", test_iret32);
  g_test_add_func ("/interpret/units", test_units);
  return g_test_run ();
}
