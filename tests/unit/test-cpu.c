/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The CPU engines with real guest code: exits, interrupts, several processors, dirty logs and eventfds,
 * holding, resets, faults, saved state. Each case runs on each engine. Where this host has no usable KVM,
 * the one thing to check of it is that the error says so and what to do.
 */
#include <errno.h>
#include <unistd.h>

#include "cpu/kvm/kvm.h"
#include "rig/cpu-rig.h"
#include "vitrine-host.h"

#define PATIENCE (20 * G_TIME_SPAN_SECOND)

#define RIG(n_cpus, name)                                                                          \
  Rig rig;                                                                                         \
  if (!rig_init (&rig, engine, n_cpus, guest_##name, guest_##name##_end))                          \
    {                                                                                              \
      rig_finish (&rig);                                                                           \
      return;                                                                                      \
    }

static bool
is_kvm (const char *engine)
{
  return g_str_equal (engine, "kvm");
}

/* Exits ----------------------------------------------------------------------------------------- */

GUEST_REAL (ports, PUT ("H")
            "movw $0x500, %dx\n movl $0x12345678, %eax\n outl %eax, %dx\n"
            "movw $0x502, %dx\n inb %dx, %al\n cmpb $0x34, %al\n jne 7f\n"
            "movw $0x501, %dx\n movb $0xaa, %al\n outb %al, %dx\n"
            "movw $0x500, %dx\n inl %dx, %eax\n cmpl $0x1234aa78, %eax\n jne 7f\n"
            /* A hole reads as all ones. */
            "movw $0x999, %dx\n inw %dx, %ax\n cmpw $0xffff, %ax\n jne 7f\n"
            /* A string instruction: five bytes in the guest's order. */
            "movw $0x402, %dx\n movw $(6f - guest + 0x1000), %si\n movw $5, %cx\n cld\n rep outsb\n"
            "movw $0x402, %dx\n movw $0x4000, %di\n movw $3, %cx\n rep insb\n" PUT ("!")
            "5: hlt\n jmp 5b\n 6: .ascii \"world\"\n 7:" PUT ("?") "jmp 5b\n");

static void
test_ports (gconstpointer engine)
{
  RIG (1, ports);
  vt_cpus_run (rig.engine);
  expect (&rig, "!", 1);
  hold (&rig);
  g_assert_cmpstr (rig.panel->output->str, ==, "Hworld!");
  g_assert_cmphex (rig.mem[0x4000], ==, 0xe9);
  g_assert_cmphex (rig.mem[0x4002], ==, 0xe9);
  g_assert_cmphex (rig.mem[0x4003], ==, 0);
  rig_finish (&rig);
}

GUEST_REAL (registers, "movw $0xd000, %ax\n movw %ax, %ds\n"
            "movl $0xcafe1234, %eax\n movl %eax, (16)\n movw (18), %bx\n cmpw $0xcafe, %bx\n jne 7f\n"
            "movb $0x55, (17)\n movl (16), %eax\n cmpl $0xcafe5534, %eax\n jne 7f\n" PUT ("!")
            "5: hlt\n jmp 5b\n 7:" PUT ("?") "jmp 5b\n");

static void
test_registers (gconstpointer engine)
{
  RIG (1, registers);
  vt_cpus_run (rig.engine);
  expect (&rig, "!", 1);
  hold (&rig);
  g_assert_cmphex (vt_ld32 (rig.panel->page + 16), ==, 0xcafe5534);
  rig_finish (&rig);
}

/* Interrupts ------------------------------------------------------------------------------------- */

/* SIPI vector 2: the others start at 0x2000. */
GUEST_FLAT (smp, "movl $0x000c4500, 0xfee00300\n"
            "movl $0x000c4602, 0xfee00300\n"
            "1: movw 0x3000, %ax\n cmpw $3, %ax\n jne 1b\n" PUT ("!") "5: hlt\n jmp 5b\n");
GUEST_REAL (smp_other, "movw $0x402, %dx\n movb $'a', %al\n outb %al, %dx\n"
            "lock incw 0x3000\n 5: cli\n hlt\n jmp 5b\n");

static void
test_smp (gconstpointer engine)
{
  RIG (4, smp);
  memcpy (rig.mem + 0x2000, guest_smp_other, (size_t) (guest_smp_other_end - guest_smp_other));
  vt_cpus_run (rig.engine);
  expect (&rig, "!", 1);
  expect (&rig, "a", 3);
  /* And once more after a reset, when the others must wait for INIT again. */
  reset (&rig);
  vt_st16 (rig.mem + 0x3000, 0);
  vt_cpus_run (rig.engine);
  expect (&rig, "!", 2);
  expect (&rig, "a", 6);
  rig_finish (&rig);
}

/* Enables the local APIC, says R, and answers vector 0x41 with M and an NMI with N. The handlers leave
 * by a jump: KVM's emulator, which some hosts run all of this in, has IRET for real mode only. So M ends
 * its interrupt before it says so: the NMI that follows does not return to it. */
GUEST_FLAT (messages, "lidtl 0x5ff0\n movl $0x1ff, 0xfee000f0\n" PUT ("R")
            "5: movl $0x8000, %esp\n sti\n hlt\n jmp 5b\n"
            ".globl guest_message\n guest_message: movl $0, 0xfee000b0\n" PUT ("M") "jmp 5b\n"
            ".globl guest_nmi\n guest_nmi:\n" PUT ("N") "jmp 5b\n");
extern const uint8_t guest_message[], guest_nmi[];

static void
ring (VtMsi *msi, int fd)
{
  const uint64_t one = 1;

  if (fd >= 0)
    g_assert_cmpint (write (fd, &one, 8), ==, 8);
  else
    g_assert_true (vt_msi_send (msi));
}

static void
test_messages (gconstpointer engine)
{
  RIG (1, messages);
  const VtMsiSink sink = rig_msi (&rig);
  VtMsi          *msi = vt_msi_new (&sink);

  guest_gate (rig.mem, 0x41, (uint32_t) (guest_message - guest_messages) + GUEST_BASE);
  guest_gate (rig.mem, 2, (uint32_t) (guest_nmi - guest_messages) + GUEST_BASE);
  vt_cpus_run (rig.engine);
  expect (&rig, "R", 1);

  vt_msi_set (msi, 0xfee00000, 0x41, false);
  g_assert_true (vt_msi_send (msi));
  expect (&rig, "M", 1);

  /* By an eventfd, through the kernel alone; in software there is none. */
  const int fd = vt_msi_fd (msi);
  g_assert_true ((fd >= 0) == is_kvm (engine));
  ring (msi, fd);
  expect (&rig, "M", 2);

  /* What is signalled while it is masked comes at the unmask. */
  vt_msi_set (msi, 0xfee00000, 0x41, true);
  if (fd >= 0)
    ring (msi, fd);
  rig_nmi (&rig);
  expect (&rig, "N", 1);
  g_assert_null (strstr (rig.panel->output->str, "MMM"));
  if (fd < 0)
    {
      /* A device's function keeps what is pending of a message that nothing else can signal. */
      g_assert_false (vt_msi_send (msi));
      vt_msi_set (msi, 0xfee00000, 0x41, false);
      ring (msi, fd);
    }
  vt_msi_set (msi, 0xfee00000, 0x41, false);
  expect (&rig, "M", 3);

  vt_cpu_engine_stop (rig.engine);
  vt_msi_free (msi);
  rig_finish (&rig);
}

GUEST_REAL (timer, "cli\n"
            "movb $0x11, %al\n outb %al, $0x20\n movb $8, %al\n outb %al, $0x21\n"
            "movb $4, %al\n outb %al, $0x21\n movb $1, %al\n outb %al, $0x21\n"
            "movb $0xde, %al\n outb %al, $0x21\n"
            "movb $0x34, %al\n outb %al, $0x43\n xorb %al, %al\n outb %al, $0x40\n"
            "movb $0x20, %al\n outb %al, $0x40\n sti\n" PUT ("R") "5: hlt\n jmp 5b\n"
            ".globl guest_tick\n guest_tick: pusha\n" PUT ("T")
            "movb $0x20, %al\n outb %al, $0x20\n popa\n iret\n"
            ".globl guest_line\n guest_line: pusha\n" PUT ("L")
            "movb $0x20, %al\n outb %al, $0x20\n popa\n iret\n");
extern const uint8_t guest_tick[], guest_line[];

static void
test_timer (gconstpointer engine)
{
  RIG (1, timer);
  /* Vectors 8 and 13 of the real-mode table. */
  vt_st32 (rig.mem + 8 * 4, (uint32_t) (guest_tick - guest_timer) + GUEST_BASE);
  vt_st32 (rig.mem + 13 * 4, (uint32_t) (guest_line - guest_timer) + GUEST_BASE);
  vt_cpus_run (rig.engine);
  expect (&rig, "T", 3);

  rig_set_gsi (&rig, 5, true);
  expect (&rig, "L", 1);
  rig_set_gsi (&rig, 5, false);

  /* Frozen time brings no ticks, nor those that were missed: KVM's counter is off. */
  hold (&rig);
  rig_freeze (&rig);
  if (is_kvm (engine))
    {
      struct kvm_pit_state2 pit;
      g_assert_cmpint (vt_kvm_ioctl (((VtKvm *) rig.engine)->vm, KVM_GET_PIT2, &pit), ==, 0);
      g_assert_cmpint (pit.channels[0].mode, ==, 255);
    }
  rig_thaw (&rig);
  const unsigned so_far = (unsigned) rig.panel->output->len;
  vt_cpus_run (rig.engine);
  g_assert_cmpuint (so_far, >, 0);
  expect (&rig, "T", so_far + 2);
  rig_finish (&rig);
}

GUEST_REAL (bell, "movw $0x600, %dx\n movw $7, %ax\n outw %ax, %dx\n outw %ax, %dx\n" PUT ("!")
            "movb $1, %al\n movw $0x602, %dx\n outb %al, %dx\n" PUT (".") "5: hlt\n jmp 5b\n");

static void
test_kick (gconstpointer engine)
{
  RIG (1, bell);
  vt_cpus_run (rig.engine);
  expect (&rig, ".", 1);
  expect (&rig, "k", 1);
  hold (&rig);
  /* The two words rang through the eventfd; only the byte came to the device. */
  g_assert_cmpuint (rig.panel->n_port_writes, ==, 1);
  g_assert_cmpuint (rig.panel->n_kicks, >=, 1);
  rig_finish (&rig);
}

/* Memory ----------------------------------------------------------------------------------------- */

GUEST_REAL (writes, "5:" PUT ("W") "movw $0x2000, %ax\n movw %ax, %ds\n movb $1, (0)\n"
            "movw $0x3000, %ax\n movw %ax, %ds\n movb $1, (0xffff)\n" PUT ("!") "6: hlt\n jmp 6b\n");

static void
test_dirty (gconstpointer engine)
{
  uint64_t bitmap[RIG_RAM / 4096 / 64] = { 0 };

  RIG (1, writes);
  vt_ram_log_start (rig.ram);
  vt_ram_log_fetch (rig.ram, bitmap);
  vt_cpus_run (rig.engine);
  expect (&rig, "!", 1);
  g_assert_true (vt_ram_log_fetch (rig.ram, bitmap));
  g_assert_true (bitmap[0x20 / 64] >> (0x20 % 64) & 1);
  g_assert_true (bitmap[0x3f / 64] >> (0x3f % 64) & 1);
  g_assert_false (bitmap[0x50 / 64] >> (0x50 % 64) & 1);
  hold (&rig);
  vt_ram_log_fetch (rig.ram, bitmap);
  g_assert_false (vt_ram_log_fetch (rig.ram, bitmap));
  vt_ram_log_stop (rig.ram);
  rig_finish (&rig);
}

/* Holding, resets, faults ---------------------------------------------------------------------------- */

GUEST_REAL (counting, PUT ("R") "5: incl 0x3000\n jmp 5b\n");

static void
test_hold (gconstpointer engine)
{
  RIG (1, counting);
  vt_cpus_run (rig.engine);
  expect (&rig, "R", 1);
  /* Many times, so that a lost kick would show. */
  for (unsigned i = 0; i < 300; i++)
    {
      hold (&rig);
      const uint32_t at = vt_ld32 (rig.mem + 0x3000);
      g_assert_cmpuint (at, ==, vt_ld32 (rig.mem + 0x3000));
      vt_cpus_run (rig.engine);
      if (i % 3 == 0)
        g_thread_yield ();
    }
  hold (&rig);
  const uint32_t before = vt_ld32 (rig.mem + 0x3000);
  vt_cpus_run (rig.engine);
  const gint64 until = g_get_monotonic_time () + PATIENCE;
  while (__atomic_load_n ((uint32_t *) (void *) (rig.mem + 0x3000), __ATOMIC_RELAXED) == before)
    g_assert_cmpint (g_get_monotonic_time (), <, until);

  reset (&rig);
  VtCpuState *state = g_new0 (VtCpuState, 1);
  GError     *error = NULL;
  rig.engine->ops->get (rig.engine->cpus[0], state, &error);
  g_assert_no_error (error);
  g_assert_cmphex (state->rip, ==, 0xfff0);
  g_assert_cmphex (state->seg[VT_CPU_CS].base, ==, 0xffff0000);
  g_assert_cmphex (state->seg[VT_CPU_CS].selector, ==, 0xf000);
  g_assert_cmphex (state->cr0, ==, 0x60000010);
  g_assert_cmphex (state->rflags, ==, 2);
  g_assert_cmpint (state->mp_state, ==, VT_CPU_MP_RUNNABLE);
  g_assert_cmphex (state->apic_base, ==, 0xfee00900);
  g_free (state);
  vt_cpus_run (rig.engine);
  expect (&rig, "R", 2);
  rig_finish (&rig);
}

GUEST_FLAT (triple, "movw $0, 0x5ff0\n lidtl 0x5ff0\n" PUT ("R")
            /* Beyond the descriptor table: a fault whose handlers are beyond the interrupt table. */
            "movw $0x18, %ax\n movw %ax, %ds\n");

static void
test_triple (gconstpointer engine)
{
  RIG (1, triple);
  vt_cpus_run (rig.engine);
  expect_end (&rig, VT_CPU_END_TRIPLE_FAULT);
  g_assert_nonnull (strstr (rig.end.status, "triple fault"));
  g_assert_nonnull (strstr (rig.end.detail, "32-bit protected mode"));
  g_assert_true (vt_cpus_wait (rig.engine, 10 * VT_NS_PER_SEC, NULL));
  /* It stays down until it is reset. */
  vt_cpus_run (rig.engine);
  reset (&rig);
  g_assert_cmpstr (rig.panel->output->str, ==, "R");
  vt_cpus_run (rig.engine);
  expect (&rig, "RR", 1);
  rig_finish (&rig);
}

/* KVM's emulator has IRET for real mode only, and no x87 or SSE arithmetic: where it must emulate, the
 * interpreter executes those, and everywhere the guest goes on. */
GUEST_FLAT (
    helped,
    PUT (
        "R") "pushfl\n pushl %cs\n pushl $(1f - guest + 0x1000)\n iretl\n"
             "1:" PUT (
                 "1") "fninit\n fld1\n fld1\n faddp\n fistps 0x3000\n"
                      "cmpw $2, 0x3000\n jne 5f\n" PUT (
                          "2") "movl %cr4, %eax\n orl $0x600, %eax\n movl %eax, %cr4\n"
                               "movl $3, %ecx\n cvtsi2sd %ecx, %xmm1\n addsd %xmm1, %xmm1\n cvttsd2si %xmm1, %eax\n"
                               "cmpl $6, %eax\n jne 5f\n" PUT ("3")
    /* An interrupt from inside a stretch that is interpreted. */
    "lidtl 0x5ff0\n movl $100, %ecx\n 4: addsd %xmm1, %xmm1\n int $0x41\n loop 4b\n" PUT (
        "!") "5: hlt\n jmp 5b\n"
             ".globl guest_counted\n guest_counted: incl 0x3004\n iretl\n");
extern const uint8_t guest_counted[];

static void
test_helper (gconstpointer engine)
{
  RIG (1, helped);
  guest_gate (rig.mem, 0x41, (uint32_t) (guest_counted - guest_helped) + GUEST_BASE);
  vt_cpus_run (rig.engine);
  expect (&rig, "!", 1);
  hold (&rig);
  g_assert_cmpstr (rig.panel->output->str, ==, "R123!");
  g_assert_cmpuint (vt_ld32 (rig.mem + 0x3004), ==, 100);
  rig_finish (&rig);
}

/* ENCLU is undefined at privilege 0, and neither KVM's emulator nor the interpreter know it: where KVM
 * must emulate, that is to be reported; elsewhere the guest's own handler runs. */
GUEST_FLAT (unknown, "lidtl 0x5ff0\n" PUT ("R") ".byte 0x0f, 0x01, 0xd7\n 5: hlt\n jmp 5b\n"
                                                ".globl guest_undefined\n guest_undefined: " PUT (
                                                    "!") "jmp 5b\n");
extern const uint8_t guest_undefined[];

static void
test_emulation (gconstpointer engine)
{
  g_autoptr (VitrineKvmReport) report = vitrine_host_probe_kvm ();
  RIG (1, unknown);
  guest_gate (rig.mem, 6, (uint32_t) (guest_undefined - guest_unknown) + GUEST_BASE);
  vt_cpus_run (rig.engine);
  if (is_kvm (engine) && report->status == VITRINE_KVM_EMULATED)
    {
      expect_end (&rig, VT_CPU_END_ERROR);
      g_test_message ("%s\n%s", rig.end.status, rig.end.detail);
      g_assert_nonnull (strstr (rig.end.status, "“enclu”"));
      g_assert_nonnull (strstr (rig.end.status, "32-bit protected mode"));
      g_assert_nonnull (strstr (rig.end.detail, "bytes: 0f 01 d7\n"));
      g_assert_nonnull (strstr (rig.end.detail, "cs  0008"));
      g_assert_cmpstr (rig.panel->output->str, ==, "R");
    }
  else
    expect (&rig, "!", 1);
  rig_finish (&rig);
}

/* Saved state --------------------------------------------------------------------------------------- */

static GByteArray *
save_all (Rig *rig)
{
  GByteArray           *out = g_byte_array_new ();
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  GError               *error = NULL;

  for (unsigned i = 0; i < rig->engine->config.n_cpus; i++)
    {
      rig->engine->ops->get (rig->engine->cpus[i], state, &error);
      g_assert_no_error (error);
      /* The time stamp counter goes on by itself. */
      for (unsigned m = 0; m < state->n_msrs; m++)
        if (state->msr[m].index == 0x10)
          state->msr[m].value = 0;
      /* So does the local APIC's timer: register 0x390 is its current count. */
      memset (state->lapic + 0x390, 0, 4);
      vt_state_save (&vt_cpu_state, state, out);
    }
  for (unsigned i = 0; i < rig->engine->ops->n_parts; i++)
    {
      const VtCpuPart *part = &rig->engine->ops->parts[i];
      g_autofree void *data = g_malloc0 (part->desc->size);
      part->get (rig->engine, data, &error);
      g_assert_no_error (error);
      vt_state_save (part->desc, data, out);
    }
  for (unsigned i = 0; i < rig->chip_devices->len; i++)
    if (!(((VtDevice *) rig->chip_devices->pdata[i])->klass->flags & VT_DEVICE_IN_CPU))
      vt_device_save (rig->chip_devices->pdata[i], out);
  return out;
}

static void
load_all (Rig *rig, const GByteArray *from)
{
  const uint8_t        *data = from->data;
  size_t                left = from->len;
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  GError               *error = NULL;
  g_autoptr (GByteArray) probe = g_byte_array_new ();

  /* The encoding's length is fixed, so a zeroed struct tells it. */
  vt_state_save (&vt_cpu_state, state, probe);
  for (unsigned i = 0; i < rig->engine->config.n_cpus; i++)
    {
      g_assert_cmpuint (left, >=, probe->len);
      vt_state_load (&vt_cpu_state, vt_cpu_state.version, data, probe->len, NULL, state, &error);
      g_assert_no_error (error);
      rig->engine->ops->set (rig->engine->cpus[i], state, &error);
      g_assert_no_error (error);
      data += probe->len;
      left -= probe->len;
    }
  for (unsigned i = 0; i < rig->engine->ops->n_parts; i++)
    {
      const VtCpuPart *part = &rig->engine->ops->parts[i];
      g_autofree void *chip = g_malloc0 (part->desc->size);
      g_byte_array_set_size (probe, 0);
      vt_state_save (part->desc, chip, probe);
      vt_state_load (part->desc, part->desc->version, data, probe->len, NULL, chip, &error);
      g_assert_no_error (error);
      part->set (rig->engine, chip, &error);
      g_assert_no_error (error);
      data += probe->len;
      left -= probe->len;
    }
  for (unsigned i = 0; i < rig->chip_devices->len; i++)
    {
      VtDevice *dev = rig->chip_devices->pdata[i];
      if (dev->klass->flags & VT_DEVICE_IN_CPU)
        continue;
      g_byte_array_set_size (probe, 0);
      vt_device_save (dev, probe);
      vt_device_load (dev, dev->klass->state->version, data, probe->len, &error);
      g_assert_no_error (error);
      vt_device_commit (dev);
      data += probe->len;
      left -= probe->len;
    }
  g_assert_cmpuint (left, ==, 0);
}

static void
test_save (gconstpointer engine)
{
  RIG (2, timer);
  vt_st32 (rig.mem + 8 * 4, (uint32_t) (guest_tick - guest_timer) + GUEST_BASE);
  vt_cpus_run (rig.engine);
  expect (&rig, "T", 2);
  hold (&rig);
  rig_freeze (&rig);

  g_autoptr (GByteArray) first = save_all (&rig);
  rig_reset (&rig);
  g_autoptr (GByteArray) other = save_all (&rig);
  g_assert_cmpint (memcmp (first->data, other->data, first->len), !=, 0);

  load_all (&rig, first);
  g_autoptr (GByteArray) second = save_all (&rig);
  g_assert_cmpmem (first->data, first->len, second->data, second->len);

  /* And the guest goes on where it was. */
  const unsigned so_far = (unsigned) rig.panel->output->len;
  rig_thaw (&rig);
  vt_cpus_run (rig.engine);
  expect (&rig, "T", so_far + 1);
  const char *start = strchr (rig.panel->output->str, 'R');
  g_assert_nonnull (start);
  g_assert_null (strchr (start + 1, 'R'));
  rig_finish (&rig);
}

static void
test_tables (void)
{
  g_assert_cmpint (vt_state_uncovered (&vt_cpu_state), ==, -1);
  g_assert_cmpint (vt_state_uncovered (&vt_pic_pair_state), ==, -1);
  g_assert_cmpint (vt_state_uncovered (&vt_ioapic_state), ==, -1);
  g_assert_cmpint (vt_state_uncovered (&vt_pit_state), ==, -1);
  g_assert_cmpint (vt_state_uncovered (&vt_pvclock_state), ==, -1);
}

/* A register that the host refuses must not stop a machine. */
static void
test_refused_msr (gconstpointer engine)
{
  RIG (1, counting);
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  GError                *error = NULL;

  rig.engine->ops->get (rig.engine->cpus[0], state, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (state->n_msrs, >, 0);
  g_assert_cmpuint (state->n_msrs, <, VT_CPU_MSRS);
  /* One in the middle that is in no list. */
  unsigned middle = state->n_msrs / 2;
  while (state->msr[middle].index == state->msr[middle - 1].index + 1)
    middle++;
  memmove (&state->msr[middle + 1], &state->msr[middle],
           (state->n_msrs - middle) * sizeof state->msr[0]);
  state->msr[middle] = (VtCpuMsr){ .index = state->msr[middle - 1].index + 1, .value = ~0ull };
  state->n_msrs++;
  g_assert_true (rig.engine->ops->set (rig.engine->cpus[0], state, &error));
  g_assert_no_error (error);
  vt_cpus_run (rig.engine);
  expect (&rig, "R", 1);
  rig_finish (&rig);
}

static void
test_cpuid (gconstpointer engine)
{
  uint32_t out[4];
  RIG (3, counting);
  for (unsigned i = 0; i < 3; i++)
    {
      rig.engine->ops->cpuid (rig.engine->cpus[i], 1, 0, out);
      g_assert_cmpuint (out[1] >> 24, ==, i);
      g_assert_cmpuint (out[1] >> 16 & 0xff, ==, 3);
      g_assert_true (out[2] >> 31 & 1);
      g_assert_false (out[2] >> 5 & 1);
      g_assert_true (out[3] >> 28 & 1);
      rig.engine->ops->cpuid (rig.engine->cpus[i], 0x40000000, 0, out);
      g_assert_cmpmem ((const char *) &out[1], 12,
                       is_kvm (engine) ? "KVMKVMKVM\0\0\0" : "VitrineVMM\0\0", 12);
      rig.engine->ops->cpuid (rig.engine->cpus[i], 0, 0, out);
      if (out[0] >= 0xb)
        {
          rig.engine->ops->cpuid (rig.engine->cpus[i], 0xb, 1, out);
          g_assert_cmpuint (out[0], ==, 2);
          g_assert_cmpuint (out[1], ==, 3);
          g_assert_cmpuint (out[3], ==, i);
        }
      /* No more than firmware has room for page tables for. */
      rig.engine->ops->cpuid (rig.engine->cpus[i], 0x80000008, 0, out);
      g_assert_true (is_kvm (engine) || (out[0] & 0xff) <= 40);
    }
  rig_finish (&rig);
}

/* Hosts ------------------------------------------------------------------------------------------- */

static void
test_probe (void)
{
  static const struct
  {
    VtKvmStep    step;
    int          err;
    VitrineError code;
    const char  *remedy;
  } cases[] = {
    { VT_KVM_AT_OPEN, ENOENT, VITRINE_ERROR_UNSUPPORTED, "modprobe" },
    { VT_KVM_AT_OPEN, EACCES, VITRINE_ERROR_DENIED, "usermod -aG kvm" },
    { VT_KVM_AT_CREATE, EBUSY, VITRINE_ERROR_BUSY, "VirtualBox" },
    { VT_KVM_AT_VERSION, 0, VITRINE_ERROR_UNSUPPORTED, "kernel" },
    { VT_KVM_AT_CREATE, EINVAL, VITRINE_ERROR_UNSUPPORTED, "dmesg" },
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_false (vt_kvm_set_error (&error, "/dev/kvm", cases[i].step, cases[i].err));
      g_assert_error (error, VITRINE_ERROR, (int) cases[i].code);
      g_assert_nonnull (strstr (error->message, cases[i].remedy));
    }

  g_autoptr (VitrineKvmReport) absent = vitrine_host_probe_kvm_at ("/nowhere/kvm");
  g_assert_cmpint (absent->status, ==, VITRINE_KVM_ABSENT);
  g_assert_nonnull (absent->remedy);
  /* Something else in its place. */
  g_autoptr (VitrineKvmReport) other = vitrine_host_probe_kvm_at ("/dev/null");
  g_assert_cmpint (other->status, ==, VITRINE_KVM_BROKEN);

  g_autoptr (VitrineKvmReport) report = vitrine_host_probe_kvm ();
  g_test_message ("%s: %s", vitrine_kvm_status_to_string (report->status), report->sentence);
  if (report->status == VITRINE_KVM_USABLE || report->status == VITRINE_KVM_EMULATED)
    {
      g_assert_cmpfloat (report->instructions_per_second, >, 1000);
      g_assert_cmpint (report->api_version, ==, 12);
      g_assert_cmpuint (g_strv_length (report->capabilities), >, 5);
    }
  else
    g_assert_nonnull (report->remedy);
}

static void
test_choice (void)
{
  g_autoptr (GError) error = NULL;
  VtSpace           *space = vt_space_new ();
  VtCpuEngineConfig  config = { space, 1, NULL, NULL };

  g_assert_null (vt_cpu_engine_new ("turbo", &config, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "kvm"));
  g_clear_error (&error);
  config.n_cpus = 300;
  g_assert_null (vt_cpu_engine_new ("auto", &config, &error));
  g_assert_nonnull (strstr (error->message, "cpus"));
  g_clear_error (&error);

  /* KVM where the processor has hardware for it, and it can be used; else software. */
  config.n_cpus = 1;
  g_autoptr (VitrineKvmReport) report = vitrine_host_probe_kvm ();
  VtCpuEngine *engine = vt_cpu_engine_new ("auto", &config, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (engine->ops->id, ==, report->chosen ? "kvm" : "translate");
  g_autofree char *text = vt_cpu_engine_describe (engine);
  g_test_message ("%s", text);
  /* Why it isn't KVM, where it isn't. */
  g_assert_cmpint (strstr (text, "KVM") != NULL, ==, true);
  vt_cpu_engine_free (engine);
  engine = vt_cpu_engine_new ("translate", &config, &error);
  g_assert_no_error (error);
  g_autofree char *asked = vt_cpu_engine_describe (engine);
  g_assert_null (strstr (asked, "KVM"));
  vt_cpu_engine_free (engine);
  vt_space_free (space);
}

/* Interpreting costs ten times and more; nothing is faster than the host. */
static void
test_speed (void)
{
  VitrineSpeed speed;

  vitrine_host_measure (&speed);
  g_test_message ("%.0f million by the processor, %.0f million in software", speed.native / 1e6,
                  speed.software / 1e6);
  g_assert_cmpfloat (speed.native, >, 50e6);
  g_assert_cmpfloat (speed.software, >, speed.native * (speed.translated ? .05 : .0005));
  g_assert_cmpfloat (speed.software, <, speed.native * 1.5);
}

typedef struct
{
  const char   *name;
  GTestDataFunc run;
} Case;

int
main (int argc, char **argv)
{
  static const Case cases[] = {
    { "ports", test_ports },         { "registers", test_registers }, { "cpuid", test_cpuid },
    { "refused-msr", test_refused_msr }, { "hold", test_hold },       { "smp", test_smp },
    { "messages", test_messages },   { "timer", test_timer },         { "kick", test_kick },
    { "dirty", test_dirty },         { "triple", test_triple },       { "helper", test_helper },
    { "emulation", test_emulation }, { "save", test_save },
  };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cpu/tables", test_tables);
  g_test_add_func ("/cpu/choice", test_choice);
  g_test_add_func ("/cpu/speed", test_speed);
  g_test_add_func ("/cpu/probe", test_probe);
  for (unsigned e = 0; vt_cpu_engines[e]; e++)
    for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
      {
        g_autofree char *path = g_strdup_printf ("/cpu/%s/%s", vt_cpu_engines[e]->id, cases[i].name);
        g_test_add_data_func (path, vt_cpu_engines[e]->id, cases[i].run);
      }
  return g_test_run ();
}
