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

/* CR4.OSFXSR, OSXMMEXCPT and OSXSAVE, and XCR0 with what @mask has. */
#define ENABLE_AVX(mask)                                                                           \
  "movl %cr4, %eax\n orl $0x40600, %eax\n movl %eax, %cr4\n"                                      \
  "xorl %ecx, %ecx\n xorl %edx, %edx\n movl $" mask ", %eax\n xsetbv\n"

/* Elements 0, 2, 3, 4, 6 of eight, from 0x4000 + 4 * index; then as far as the segment lets it. */
GUEST_FLAT (gather, ENABLE_AVX ("7") "lidtl 0x5ff0\n movl $0x4000, %esi\n"
            "vmovups 0x3000, %ymm1\n vmovups 0x3020, %ymm2\n vmovups 0x3040, %ymm0\n"
            "vgatherdps %ymm2, (%esi,%ymm1,4), %ymm0\n vmovups %ymm0, 0x3060\n vmovups %ymm2, 0x3080\n"
            /* Quadwords by doublewords, negative ones, and the upper half is cleared. */
            "vmovups 0x3020, %xmm2\n vpcmpeqd %xmm2, %xmm2, %xmm2\n vpcmpeqd %ymm0, %ymm0, %ymm0\n"
            "vmovups 0x3100, %xmm1\n vpgatherdq %xmm2, 8(%esi,%xmm1,8), %xmm0\n vmovups %ymm0, 0x3120\n"
            "hlt\n"
            "vmovups 0x3020, %ymm2\n vpcmpeqd %ymm2, %ymm2, %ymm2\n vpxor %ymm0, %ymm0, %ymm0\n"
            "vmovups 0x3000, %ymm1\n vgatherdps %ymm2, %ds:(%esi,%ymm1,4), %ymm0\n hlt\n"
            ".globl guest_limit\n guest_limit: movw $0x10, %ax\n movw %ax, %ds\n"
            "vmovups %ymm0, 0x3140\n vmovups %ymm2, 0x3160\n hlt\n");
extern const uint8_t guest_limit[];

static void
test_gather (void)
{
  static const uint32_t index[8] = { 3, 1, 0, 7, 2, 9, 5, 1 }, wanted = 0x5d;
  if (!__builtin_cpu_supports ("avx2"))
    {
      g_test_skip ("this host has no AVX2");
      return;
    }
  RUN (gather);
  guest_gate (rig.mem, 13, (uint32_t) (guest_limit - guest_gather) + GUEST_BASE);
  for (unsigned i = 0; i < 8; i++)
    {
      vt_st32 (rig.mem + 0x3000 + i * 4, index[i]);
      vt_st32 (rig.mem + 0x3020 + i * 4, wanted >> i & 1 ? 0x80000000 : 0x7fffffff);
      vt_st32 (rig.mem + 0x3040 + i * 4, 0xaaaa0000 + i);
    }
  for (int i = -16; i < 16; i++)
    vt_st32 (rig.mem + 0x4000 + i * 4, (uint32_t) (0xcafe00 + i));
  vt_st32 (rig.mem + 0x3100, 1);
  vt_st32 (rig.mem + 0x3104, (uint32_t) -4);
  core_rig_run (&rig);
  for (unsigned i = 0; i < 8; i++)
    {
      g_assert_cmphex (vt_ld32 (rig.mem + 0x3060 + i * 4), ==,
                       wanted >> i & 1 ? 0xcafe00 + index[i] : 0xaaaa0000 + i);
      g_assert_cmphex (vt_ld32 (rig.mem + 0x3080 + i * 4), ==, 0);
    }
  g_assert_cmphex (vt_ld64 (rig.mem + 0x3120), ==, vt_ld64 (rig.mem + 0x4010));
  g_assert_cmphex (vt_ld64 (rig.mem + 0x3128), ==, vt_ld64 (rig.mem + 0x3fe8));
  g_assert_cmphex (vt_ld64 (rig.mem + 0x3130), ==, 0);

  /* The fourth element is beyond the limit: three are done, and their mask is clear. */
  rig.core->seg[VT_CPU_DS].limit = 0x401b;
  rig.core->mp_state = VT_CPU_MP_RUNNABLE;
  core_rig_run (&rig);
  for (unsigned i = 0; i < 8; i++)
    {
      g_assert_cmphex (vt_ld32 (rig.mem + 0x3140 + i * 4), ==, i < 3 ? 0xcafe00 + index[i] : 0);
      g_assert_cmphex (vt_ld32 (rig.mem + 0x3160 + i * 4), ==, i < 3 ? 0 : UINT32_MAX);
    }
  core_rig_finish (&rig);
}

/* Elements 0, 2, 3, 4, 6 of eight to 0x4000 and back; then 0, 2, 3, with the segment's end behind them. */
GUEST_FLAT (masked_words, ENABLE_AVX ("7") "vmovups 0x3000, %ymm0\n vmovups 0x3020, %ymm2\n"
            "vmaskmovps %ymm0, %ymm2, 0x4000\n vmaskmovps 0x4000, %ymm2, %ymm1\n vmovups %ymm1, 0x3060\n hlt\n"
            "vmovups 0x3020, %ymm2\n vpmaskmovd %ymm0, %ymm2, 0x4000\n vpmaskmovd 0x4000, %ymm2, %ymm1\n"
            "vmovups %ymm1, 0x3060\n hlt\n");

static void
test_masked_words (void)
{
  static const uint32_t wanted[] = { 0x5d, 0x0d };

  if (!__builtin_cpu_supports ("avx2"))
    {
      g_test_skip ("this host has no AVX2");
      return;
    }
  RUN (masked_words);
  for (unsigned round = 0; round < 2; round++)
    {
      for (unsigned i = 0; i < 8; i++)
        {
          vt_st32 (rig.mem + 0x3000 + i * 4, 0xcafe00 + i);
          vt_st32 (rig.mem + 0x3020 + i * 4, wanted[round] >> i & 1 ? 0x80000000 : 0x7fffffff);
          vt_st32 (rig.mem + 0x4000 + i * 4, 0xaaaa0000 + i);
        }
      core_rig_run (&rig);
      for (unsigned i = 0; i < 8; i++)
        {
          const bool in = wanted[round] >> i & 1;
          g_assert_cmphex (vt_ld32 (rig.mem + 0x4000 + i * 4), ==, in ? 0xcafe00 + i : 0xaaaa0000 + i);
          g_assert_cmphex (vt_ld32 (rig.mem + 0x3060 + i * 4), ==, in ? 0xcafe00 + i : 0);
        }
      rig.core->seg[VT_CPU_DS].limit = 0x400f;
      rig.core->mp_state = VT_CPU_MP_RUNNABLE;
    }
  core_rig_finish (&rig);
}

GUEST_FLAT (scatter, ENABLE_AVX ("0xe7") "movl $0x4000, %esi\n movl $0x6ff5, %eax\n kmovw %eax, %k1\n"
            "vmovups 0x3000, %zmm1\n vmovups 0x3040, %zmm0\n"
            "vpscatterdd %zmm0, 64(%esi,%zmm1,4){%k1}\n kmovw %k1, 0x3080\n"
            "movl $0xf5, %eax\n kmovw %eax, %k1\n vpxord %zmm0, %zmm0, %zmm0\n"
            "vpgatherdd 64(%esi,%zmm1,4), %zmm0{%k1}\n vmovups %zmm0, 0x30c0\n hlt\n");

static void
test_scatter (void)
{
  if (!__builtin_cpu_supports ("avx512f") || !__builtin_cpu_supports ("avx512vl"))
    {
      g_test_skip ("this host has no AVX-512");
      return;
    }
  RUN (scatter);
  for (unsigned i = 0; i < 16; i++)
    {
      vt_st32 (rig.mem + 0x3000 + i * 4, 15 - i);
      vt_st32 (rig.mem + 0x3040 + i * 4, 0x100 + i);
    }
  core_rig_run (&rig);
  for (unsigned i = 0; i < 16; i++)
    {
      g_assert_cmphex (vt_ld32 (rig.mem + 0x4040 + (15 - i) * 4), ==,
                       0x6ff5 >> i & 1 ? 0x100 + i : 0);
      g_assert_cmphex (vt_ld32 (rig.mem + 0x30c0 + i * 4), ==, (0xf5 & 0x6ff5) >> i & 1 ? 0x100 + i : 0);
    }
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3080), ==, 0);
  core_rig_finish (&rig);
}

GUEST_FLAT (masked, "movl %cr4, %eax\n orl $0x600, %eax\n movl %eax, %cr4\n"
            "movups 0x3000, %xmm0\n movups 0x3010, %xmm1\n movl $0x3ff9, %edi\n maskmovdqu %xmm1, %xmm0\n"
            "hlt\n");

static void
test_masked (void)
{
  RUN (masked);
  for (unsigned i = 0; i < 16; i++)
    {
      rig.mem[0x3000 + i] = (uint8_t) (i + 1);
      rig.mem[0x3010 + i] = i % 3 ? 0x80 : 0x7f;
    }
  core_rig_run (&rig);
  for (unsigned i = 0; i < 16; i++)
    g_assert_cmphex (rig.mem[0x3ff9 + i], ==, i % 3 ? i + 1 : 0);
  core_rig_finish (&rig);
}

/* ENDBR32, RDSSPD and what MPX has, on a processor without CET and MPX. */
GUEST_FLAT (hints, "movl $0x3000, %eax\n .byte 0xf3, 0x0f, 0x1e, 0xfb\n .byte 0xf3, 0x0f, 0x1e, 0xc8\n"
            ".byte 0xf3, 0x0f, 0x1a, 0x08\n .byte 0xf2, 0x0f, 0x1a, 0x08\n .byte 0xf2, 0x0f, 0x1b, 0x08\n"
            ".byte 0xf3, 0x0f, 0x1b, 0x08\n .byte 0x66, 0x0f, 0x1a, 0x08\n .byte 0x66, 0x0f, 0x1b, 0x08\n"
            ".byte 0x0f, 0x1a, 0x0c, 0x08\n .byte 0x0f, 0x1b, 0x0c, 0x08\n" PUT ("!") "hlt\n");

static void
test_hints (void)
{
  RUN (hints);
  core_rig_run (&rig);
  g_assert_cmpstr (rig.output->str, ==, "!");
  for (unsigned i = 0; i < 32; i++)
    g_assert_cmphex (rig.mem[0x3000 + i], ==, 0);
  core_rig_finish (&rig);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/interpret/hello", test_hello);
  g_test_add_func ("/interpret/iret32", test_iret32);
  g_test_add_func ("/interpret/units", test_units);
  g_test_add_func ("/interpret/hints", test_hints);
  g_test_add_func ("/interpret/gather", test_gather);
  g_test_add_func ("/interpret/masked-words", test_masked_words);
  g_test_add_func ("/interpret/scatter", test_scatter);
  g_test_add_func ("/interpret/masked", test_masked);
  return g_test_run ();
}
