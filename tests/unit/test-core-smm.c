/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * System management mode from outside of a guest (SDM volume 3, chapter 31): the state that an SMI leaves and RSM takes,
 * from and to every mode, and the states that RSM refuses.
 */
#include "core-rig.h"

#define BASE 0x20000u
#define AREA 0xfe00u
#define HANDLER 0x8000u

/* In a state like that of a system at @rip, with RSM for a handler. */
static void
begin (CoreRig *rig, uint64_t rip)
{
  core_rig_init (rig);
  core_rig_reset (rig, rip);
  rig->core->smbase = BASE;
  rig->mem[BASE + HANDLER] = 0x0f;
  rig->mem[BASE + HANDLER + 1] = 0xaa;
}

static VtStep
step (CoreRig *rig)
{
  uint64_t done = 0;

  return vt_interpret (rig->core, 1, &done);
}

/* Registers, segments and control of @a and @b are the same. */
static void
assert_same (const VtCpuState *a, const VtCpuState *b)
{
  g_assert_cmpmem (a->gpr, sizeof a->gpr, b->gpr, sizeof b->gpr);
  g_assert_cmphex (a->rip, ==, b->rip);
  g_assert_cmphex (a->rflags, ==, b->rflags);
  for (unsigned i = 0; i < VT_CPU_SEGMENTS; i++)
    {
      g_assert_cmphex (a->seg[i].base, ==, b->seg[i].base);
      g_assert_cmphex (a->seg[i].limit, ==, b->seg[i].limit);
      g_assert_cmphex (a->seg[i].selector, ==, b->seg[i].selector);
      g_assert_cmphex (a->seg[i].type, ==, b->seg[i].type);
      g_assert_cmphex (a->seg[i].dpl, ==, b->seg[i].dpl);
      g_assert_cmphex (a->seg[i].l | a->seg[i].db << 1 | a->seg[i].g << 2, ==,
                       b->seg[i].l | b->seg[i].db << 1 | b->seg[i].g << 2);
    }
  g_assert_cmphex (a->gdt_base, ==, b->gdt_base);
  g_assert_cmphex (a->idt_base, ==, b->idt_base);
  g_assert_cmphex (a->gdt_limit, ==, b->gdt_limit);
  g_assert_cmphex (a->idt_limit, ==, b->idt_limit);
  g_assert_cmphex (a->cr0, ==, b->cr0);
  g_assert_cmphex (a->cr3, ==, b->cr3);
  g_assert_cmphex (a->cr4, ==, b->cr4);
  g_assert_cmphex (a->efer, ==, b->efer);
  g_assert_cmphex (a->dr6, ==, b->dr6);
  g_assert_cmphex (a->dr7, ==, b->dr7);
}

typedef enum
{
  REAL,
  PROTECTED,
  VIRTUAL_8086,
  PAE,
  LONG,
  LONG_USER,
  N_MODES,
} Mode;

static void
put_mode (VtCpuState *s, Mode mode)
{
  const bool paged = mode >= PAE;

  for (unsigned i = 0; i < VT_CPU_GPRS; i++)
    s->gpr[i] = UINT64_C (0x0101010101010101) * (i + 1);
  s->dr7 = 0x455;
  if (mode == REAL)
    return;
  s->cr0 |= VT_CR0_PE | (paged ? VT_CR0_PG : 0);
  s->cr4 |= paged ? VT_CR4_PAE | VT_CR4_PGE : 0;
  s->cr3 = paged ? 0x11000 : 0;
  s->efer = mode >= LONG ? VT_EFER_LME | VT_EFER_LMA | VT_EFER_SCE | VT_EFER_NXE : 0;
  s->seg[VT_CPU_CS].db = mode == PROTECTED || mode == PAE;
  s->seg[VT_CPU_CS].l = mode >= LONG;
  s->seg[VT_CPU_CS].dpl = s->seg[VT_CPU_SS].dpl = mode == LONG_USER || mode == VIRTUAL_8086 ? 3 : 0;
  s->seg[VT_CPU_FS].base = mode >= LONG ? 0xffff800000001000 : 0x1000;
  s->gdt_base = 0x7000;
  s->gdt_limit = 0x7f;
  if (mode == VIRTUAL_8086)
    s->rflags |= VT_FLAG_VM;
}

static void
test_modes (void)
{
  for (Mode mode = REAL; mode < N_MODES; mode++)
    {
      g_autofree VtCpuState *was = g_new0 (VtCpuState, 1), *in = g_new0 (VtCpuState, 1),
                            *is = g_new0 (VtCpuState, 1);
      CoreRig rig;

      begin (&rig, 0x1000);
      vt_core_store (rig.core, was);
      put_mode (was, mode);
      vt_core_load (rig.core, was);
      const unsigned cpl = rig.core->cpl;
      vt_smm_enter (rig.core);
      vt_core_store (rig.core, in);
      g_assert_true (in->events.smm && in->events.nmi_masked);
      g_assert_cmphex (in->rip, ==, HANDLER);
      g_assert_cmphex (in->rflags, ==, 2);
      g_assert_cmphex (in->seg[VT_CPU_CS].base, ==, BASE);
      g_assert_cmphex (in->seg[VT_CPU_CS].selector, ==, BASE >> 4);
      for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
        g_assert_cmphex (in->seg[i].limit, ==, UINT32_MAX);
      g_assert_cmphex (in->cr0 & (VT_CR0_PE | VT_CR0_PG), ==, 0);
      g_assert_cmphex (in->cr4 | in->efer | in->idt_limit, ==, 0);
      g_assert_cmphex (in->dr7, ==, 0x400);
      g_assert_cmpuint (rig.core->code_bits, ==, 16);
      /* What the handler makes of them is of no matter. */
      memset (rig.core->gpr, 0x77, sizeof rig.core->gpr);
      rig.core->cr3 = rig.core->gdt_base = rig.core->idt_base = 0;
      rig.core->gdt_limit = 0;
      rig.core->dr6 = 0;
      rig.core->seg[VT_CPU_FS].base = 0;
      rig.core->seg[VT_CPU_TR].limit = 0;
      g_assert_cmpint (step (&rig), ==, VT_STEP_DONE);
      vt_core_store (rig.core, is);
      g_assert_false (is->events.smm || is->events.nmi_masked);
      assert_same (was, is);
      g_assert_cmpuint (rig.core->cpl, ==, cpl);
      core_rig_finish (&rig);
    }
}

/* What no processor can be in ends it; what none has of a register is left out. */
static void
test_refused (void)
{
  static const struct
  {
    unsigned offset;
    uint64_t value;
    bool     shuts_down;
  } cases[] = {
    { 0xff58, 0x80000010, true },         /* CR0: PG without PE, */
    { 0xff58, 0x20000011, true },         /* NW without CD, */
    { 0xff58, 0x100000011, true },        /* more than 32 bits. */
    { 0xff48, VT_BIT (13), true },        /* CR4: what is not there, */
    { 0xff48, VT_CR4_PCIDE, true },       /* and what needs IA-32e mode. */
    { 0xfed0, VT_BIT (9), true },         /* EFER */
    { 0xff50, VT_BIT (60), true },        /* CR3 */
    { 0xff70, VT_FLAG_VM | 2, true },     /* RFLAGS.VM in real mode. */
    { 0xff70, 0xffffffffffc08002, false },
    { 0xff60, UINT64_MAX, false },
    { 0xff00, 0x12345678, false },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      CoreRig rig;

      begin (&rig, 0x1000);
      vt_smm_enter (rig.core);
      vt_st64 (rig.mem + BASE + cases[i].offset, cases[i].value);
      g_test_message ("case %u", i);
      g_assert_cmpint (step (&rig), ==, cases[i].shuts_down ? VT_STEP_TRIPLE_FAULT : VT_STEP_DONE);
      g_assert_cmphex (rig.core->rflags & 0x8002, ==, 2);
      if (!cases[i].shuts_down)
        g_assert_cmphex (rig.core->rip, ==, 0x1000);
      core_rig_finish (&rig);
    }
}

/* HLT goes on, where the handler doesn't say otherwise; an NMI that was blocked stays so. */
static void
test_halted (void)
{
  for (unsigned again = 0; again < 2; again++)
    {
      CoreRig rig;

      begin (&rig, 0x1000);
      rig.core->mp_state = VT_CPU_MP_HALTED;
      rig.core->events.nmi_masked = true;
      vt_smm_enter (rig.core);
      g_assert_cmpuint (rig.core->mp_state, ==, VT_CPU_MP_RUNNABLE);
      g_assert_cmpuint (rig.mem[BASE + 0xfec9], ==, 1);
      rig.mem[BASE + 0xfec9] = (uint8_t) again;
      step (&rig);
      g_assert_cmpuint (rig.core->mp_state, ==, again ? VT_CPU_MP_HALTED : VT_CPU_MP_RUNNABLE);
      g_assert_cmphex (rig.core->rip, ==, 0x1000);
      g_assert_true (rig.core->events.nmi_masked);
      core_rig_finish (&rig);
    }
}

/* Outside of the mode there is no such instruction; and a fault in a handler that has no table is the end. */
static void
test_outside (void)
{
  CoreRig rig;

  begin (&rig, BASE + HANDLER);
  rig.core->rip = HANDLER;
  rig.core->seg[VT_CPU_CS].base = BASE;
  vt_st16 (rig.mem + 4 * VT_EXC_UD, 0x1234);
  step (&rig);
  g_assert_cmphex (rig.core->rip, ==, 0x1234);
  rig.core->smbase = 0;
  vt_st16 (rig.mem + HANDLER, 0x0b0f); /* UD2 */
  vt_smm_enter (rig.core);
  g_assert_cmpint (step (&rig), ==, VT_STEP_TRIPLE_FAULT);
  core_rig_finish (&rig);
}

/* The handler's code may be anywhere below 4 GiB, in real mode too. */
static void
test_far (void)
{
  static const uint8_t jump[] = { 0x66, 0xe9, 0xfa, 0x7f, 0x0f, 0x00 }; /* To 0x100000 from its segment's beginning. */
  static const uint8_t there[] = { 0x90, 0x0f, 0xaa };
  CoreRig rig;

  begin (&rig, 0x1000);
  memcpy (rig.mem + BASE + HANDLER, jump, sizeof jump);
  memcpy (rig.mem + BASE + 0x100000, there, sizeof there);
  vt_smm_enter (rig.core);
  step (&rig);
  g_assert_cmphex (rig.core->rip, ==, 0x100000);
  step (&rig);
  g_assert_cmphex (rig.core->rip, ==, 0x100001);
  step (&rig);
  g_assert_cmphex (rig.core->rip, ==, 0x1000);
  core_rig_finish (&rig);
}

/* What one view has is not found in the other: the same page, read, written and executed in turn. */
static void
test_views (void)
{
  static const VtDeviceClass klass = { .id = "secret", .size = sizeof (VtDevice), .state = &vt_state_none };
  VtContext  *context = vt_context_new_manual ();
  VtRam      *secret = vt_ram_new ("secret", VT_PAGE, NULL);
  CoreRig     rig;

  begin (&rig, 0x1000);
  const VtDeviceEnv env = { .context = context, .space = rig.space };
  VtDevice         *dev = vt_device_new (&klass, "secret", &env);
  VtRegion         *region = vt_device_add_ram_region (dev, secret, 0, VT_PAGE, VT_RAM_RW, NULL);

  vt_region_for_smm (region);
  vt_region_map (region, 0x8000, 1);
  memset (rig.mem + 0x8000, 0x40, 16);         /* INC AX */
  memset (vt_ram_host (secret), 0x48, 16);     /* DEC AX */
  for (unsigned turn = 0; turn < 2; turn++)
    {
      rig.core->rip = 0x8000;
      rig.core->gpr[VT_CPU_RAX] = 5;
      step (&rig);
      g_assert_cmphex (rig.core->gpr[VT_CPU_RAX], ==, 6);
      g_assert_cmphex (vt_mmu_load (rig.core, 0x8004, 1, VT_SET_KERNEL), ==, 0x40);
      vt_mmu_store (rig.core, 0x8008, 1, 0x11 + turn, VT_SET_KERNEL);
      vt_smm_enter (rig.core);
      rig.core->seg[VT_CPU_CS].base = 0;
      rig.core->rip = 0x8000;
      rig.core->gpr[VT_CPU_RAX] = 5;
      step (&rig);
      g_assert_cmphex (rig.core->gpr[VT_CPU_RAX], ==, 4);
      g_assert_cmphex (vt_mmu_load (rig.core, 0x8004, 1, VT_SET_KERNEL), ==, 0x48);
      vt_mmu_store (rig.core, 0x8008, 1, 0x21 + turn, VT_SET_KERNEL);
      rig.core->seg[VT_CPU_CS].base = BASE;
      rig.core->rip = HANDLER;
      g_assert_cmpint (step (&rig), ==, VT_STEP_DONE);
      g_assert_cmphex (rig.mem[0x8008], ==, 0x11 + turn);
      g_assert_cmphex (vt_ram_host (secret)[8], ==, 0x21 + turn);
    }
  vt_device_free (dev);
  vt_ram_free (secret);
  vt_context_free (context);
  core_rig_finish (&rig);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core-smm/modes", test_modes);
  g_test_add_func ("/core-smm/refused", test_refused);
  g_test_add_func ("/core-smm/halted", test_halted);
  g_test_add_func ("/core-smm/outside", test_outside);
  g_test_add_func ("/core-smm/far", test_far);
  g_test_add_func ("/core-smm/views", test_views);
  return g_test_run ();
}
