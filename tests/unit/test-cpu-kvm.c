/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The KVM engine with real guest code: exits, interrupts, several processors, the kernel's logs and
 * eventfds, holding, resets, faults, saved state. Where this host has no usable KVM, the one thing to
 * check is that the error says so and what to do.
 */
#include <fcntl.h>
#include <unistd.h>

#include "cpu/kvm/kvm.h"
#include "guest-code.h"
#include "vitrine-host.h"
#include "vt-device.h"

#define PATIENCE (20 * G_TIME_SPAN_SECOND)
#define RAM_SIZE VT_MIB

/* A device with a debug port, a scratch port and a page of registers ----------------------------- */

typedef struct
{
  VtDevice base;
  GMutex   lock;
  GCond    changed;
  GString *output;
  uint32_t scratch[4];
  unsigned n_kicks, n_port_writes;
  VtKick  *kick;
  uint8_t  page[4096];
} Panel;

static void
panel_put (Panel *panel, char c)
{
  g_mutex_lock (&panel->lock);
  g_string_append_c (panel->output, c);
  g_cond_broadcast (&panel->changed);
  g_mutex_unlock (&panel->lock);
}

static uint64_t
debug_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return 0xe9;
}

static void
debug_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  panel_put ((Panel *) dev, (char) value);
}

static uint64_t
scratch_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return ((Panel *) dev)->scratch[offset / 4] >> (offset % 4 * 8) & vt_ones (size);
}

static void
scratch_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  memcpy ((uint8_t *) ((Panel *) dev)->scratch + offset, &value, size);
}

static uint64_t
page_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return vt_ld (((Panel *) dev)->page + offset, size);
}

static void
page_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_st (((Panel *) dev)->page + offset, size, value);
}

static void
bell_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  ((Panel *) dev)->n_port_writes++;
}

static void
kick_cb (void *data)
{
  Panel *panel = data;
  panel->n_kicks++;
  panel_put (panel, 'k');
}

static bool
panel_realize (VtDevice *dev, GError **error)
{
  static const VtRegionOps debug = { "debug", 1, 1, debug_read, debug_write };
  static const VtRegionOps scratch = { "scratch", 1, 4, scratch_read, scratch_write };
  static const VtRegionOps page = { "page", 1, 8, page_read, page_write };
  static const VtRegionOps bell = { "bell", 1, 4, NULL, bell_write };
  Panel                   *panel = (Panel *) dev;

  panel->output = g_string_new (NULL);
  g_mutex_init (&panel->lock);
  g_cond_init (&panel->changed);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &debug, 1), 0x402, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &scratch, 16), 0x500, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_MEMORY, &page, 4096), 0xd0000, 1);
  VtRegion *bells = vt_device_add_region (dev, VT_SPACE_IO, &bell, 4);
  panel->kick = vt_kick_new (dev->context, kick_cb, panel);
  vt_region_add_kick (bells, 0, 2, -1, panel->kick);
  vt_region_map (bells, 0x600, 0);
  return true;
}

static void
panel_unrealize (VtDevice *dev)
{
  Panel *panel = (Panel *) dev;
  vt_kick_free (panel->kick);
  g_string_free (panel->output, TRUE);
  g_mutex_clear (&panel->lock);
  g_cond_clear (&panel->changed);
}

static const VtDeviceClass panel_class = {
  .id = "panel",
  .spec = "none: a test's own",
  .size = sizeof (Panel),
  .state = &vt_state_none,
  .realize = panel_realize,
  .unrealize = panel_unrealize,
};

/* The rig --------------------------------------------------------------------------------------- */

typedef struct
{
  VtContext   *context;
  VtSpace     *space;
  VtRam       *ram, *rom;
  uint8_t     *mem;
  Panel       *panel;
  VtCpuEngine *engine;
  VtCpuEnd     end;
  unsigned     n_ends;
} Rig;

static void
ended_cb (void *data, const VtCpuEnd *end)
{
  Rig *rig = data;
  g_mutex_lock (&rig->panel->lock);
  vt_cpu_end_clear (&rig->end);
  rig->end = *end;
  rig->end.status = g_strdup (end->status);
  rig->end.detail = g_strdup (end->detail);
  rig->n_ends++;
  g_cond_broadcast (&rig->panel->changed);
  g_mutex_unlock (&rig->panel->lock);
}

/* FALSE where this host has no KVM, whose error has been checked then. */
static bool
rig_init (Rig *rig, unsigned n_cpus, const uint8_t *code, const uint8_t *end)
{
  static const uint8_t jump[] = { 0xea, GUEST_BASE & 0xff, GUEST_BASE >> 8, 0, 0 };
  GError              *error = NULL;

  *rig = (Rig){ 0 };
  rig->context = vt_context_new ("rig");
  rig->space = vt_space_new ();
  rig->ram = vt_ram_new ("ram", RAM_SIZE, &error);
  g_assert_no_error (error);
  rig->rom = vt_ram_new ("rom", 4096, &error);
  g_assert_no_error (error);
  vt_space_map_ram (rig->space, rig->ram, 0, RAM_SIZE, 0, 0);
  vt_space_map_ram (rig->space, rig->rom, 0, 4096, 0xfffff000, 0);
  rig->mem = vt_ram_host (rig->ram);
  memcpy (vt_ram_host (rig->rom) + 0xff0, jump, sizeof jump);
  memcpy (rig->mem + GUEST_BASE, code, (size_t) (end - code));

  const VtDeviceEnv env = { rig->context, vt_clock_host (), rig->space };
  rig->panel = (Panel *) vt_device_new (&panel_class, "panel", &env);
  g_assert_true (vt_device_realize (&rig->panel->base, &error));

  const VtCpuEngineConfig config = { rig->space, n_cpus, ended_cb, rig };
  rig->engine = vt_cpu_engine_new ("kvm", &config, &error);
  if (rig->engine)
    return true;

  g_autoptr (VitrineKvmReport) report = vitrine_host_probe_kvm ();
  g_test_message ("no KVM here: %s", error->message);
  g_assert_cmpint (report->status, !=, VITRINE_KVM_USABLE);
  g_assert_cmpint (report->status, !=, VITRINE_KVM_EMULATED);
  g_assert_nonnull (report->remedy);
  g_autofree char *expected = g_strdup_printf ("%s %s", report->sentence, report->remedy);
  g_assert_cmpstr (error->message, ==, expected);
  g_error_free (error);
  return false;
}

static void
rig_finish (Rig *rig)
{
  if (rig->engine)
    vt_cpu_engine_stop (rig->engine);
  vt_device_free (&rig->panel->base);
  vt_cpu_engine_free (rig->engine);
  vt_context_free (rig->context);
  vt_space_free (rig->space);
  vt_ram_free (rig->ram);
  vt_ram_free (rig->rom);
  vt_cpu_end_clear (&rig->end);
}

#define RIG(n_cpus, name)                                                                          \
  Rig rig;                                                                                         \
  if (!rig_init (&rig, n_cpus, guest_##name, guest_##name##_end))                                  \
    {                                                                                              \
      rig_finish (&rig);                                                                           \
      return;                                                                                      \
    }

/* Waits until the guest has put @text out @n times since the beginning. */
static void
expect (Rig *rig, const char *text, unsigned n)
{
  Panel       *panel = rig->panel;
  const gint64 until = g_get_monotonic_time () + PATIENCE;

  g_mutex_lock (&panel->lock);
  for (;;)
    {
      unsigned    found = 0;
      const char *at = panel->output->str;
      while ((at = strstr (at, text)))
        {
          found++;
          at += strlen (text);
        }
      if (found >= n)
        break;
      if (rig->n_ends || !g_cond_wait_until (&panel->changed, &panel->lock, until))
        g_error ("waited for %u × “%s”; the guest said “%s”; it ended %u times: %s\n%s", n, text,
                 panel->output->str, rig->n_ends, rig->end.status ? rig->end.status : "-",
                 rig->end.detail ? rig->end.detail : "");
    }
  g_mutex_unlock (&panel->lock);
}

static void
expect_end (Rig *rig, VtCpuEndKind kind)
{
  const gint64 until = g_get_monotonic_time () + PATIENCE;
  g_mutex_lock (&rig->panel->lock);
  while (!rig->n_ends)
    if (!g_cond_wait_until (&rig->panel->changed, &rig->panel->lock, until))
      g_error ("the guest did not end; it said “%s”", rig->panel->output->str);
  g_mutex_unlock (&rig->panel->lock);
  if (rig->end.kind != kind)
    g_error ("the guest ended in another way: %s\n%s", rig->end.status, rig->end.detail);
}

static void
hold (Rig *rig)
{
  unsigned culprit = 0;
  vt_cpus_hold (rig->engine);
  if (!vt_cpus_wait (rig->engine, 10 * VT_NS_PER_SEC, &culprit))
    g_error ("vCPU %u does not stop", culprit);
}

static void
reset (Rig *rig)
{
  GError *error = NULL;
  hold (rig);
  vt_cpus_reset (rig->engine, &error);
  g_assert_no_error (error);
  rig->n_ends = 0;
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
test_ports (void)
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
test_registers (void)
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
test_smp (void)
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
 * by a jump: KVM's emulator, which some hosts run all of this in, has IRET for real mode only. */
GUEST_FLAT (messages, "lidtl 0x5ff0\n movl $0x1ff, 0xfee000f0\n" PUT ("R")
            "5: movl $0x8000, %esp\n sti\n hlt\n jmp 5b\n"
            ".globl guest_message\n guest_message:\n" PUT ("M") "movl $0, 0xfee000b0\n jmp 5b\n"
            ".globl guest_nmi\n guest_nmi:\n" PUT ("N") "jmp 5b\n");
extern const uint8_t guest_message[], guest_nmi[];

static void
test_messages (void)
{
  RIG (1, messages);
  const VtMsiSink sink = { rig.engine->ops->msi, rig.engine };
  VtMsi          *msi = vt_msi_new (&sink);
  const uint64_t  one = 1;

  guest_gate (rig.mem, 0x41, (uint32_t) (guest_message - guest_messages) + GUEST_BASE);
  guest_gate (rig.mem, 2, (uint32_t) (guest_nmi - guest_messages) + GUEST_BASE);
  vt_cpus_run (rig.engine);
  expect (&rig, "R", 1);

  vt_msi_set (msi, 0xfee00000, 0x41, false);
  g_assert_true (vt_msi_send (msi));
  expect (&rig, "M", 1);

  /* By an eventfd, through the kernel alone. */
  const int fd = vt_msi_fd (msi);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, &one, 8), ==, 8);
  expect (&rig, "M", 2);

  /* What is signalled while it is masked comes at the unmask. */
  vt_msi_set (msi, 0xfee00000, 0x41, true);
  g_assert_cmpint (write (fd, &one, 8), ==, 8);
  rig.engine->ops->nmi (rig.engine->cpus[0]);
  expect (&rig, "N", 1);
  g_assert_null (strstr (rig.panel->output->str, "MMM"));
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
test_timer (void)
{
  RIG (1, timer);
  /* Vectors 8 and 13 of the real-mode table. */
  vt_st32 (rig.mem + 8 * 4, (uint32_t) (guest_tick - guest_timer) + GUEST_BASE);
  vt_st32 (rig.mem + 13 * 4, (uint32_t) (guest_line - guest_timer) + GUEST_BASE);
  vt_cpus_run (rig.engine);
  expect (&rig, "T", 3);

  rig.engine->ops->set_gsi (rig.engine, 5, true);
  expect (&rig, "L", 1);
  rig.engine->ops->set_gsi (rig.engine, 5, false);

  /* Frozen time brings no ticks, nor those that were missed: the kernel's counter is off. */
  hold (&rig);
  rig.engine->ops->freeze (rig.engine);
  struct kvm_pit_state2 pit;
  g_assert_cmpint (vt_kvm_ioctl (((VtKvm *) rig.engine)->vm, KVM_GET_PIT2, &pit), ==, 0);
  g_assert_cmpint (pit.channels[0].mode, ==, 255);
  rig.engine->ops->thaw (rig.engine);
  const unsigned so_far = (unsigned) rig.panel->output->len;
  vt_cpus_run (rig.engine);
  g_assert_cmpuint (so_far, >, 0);
  expect (&rig, "T", so_far + 2);
  rig_finish (&rig);
}

GUEST_REAL (bell, "movw $0x600, %dx\n movw $7, %ax\n outw %ax, %dx\n outw %ax, %dx\n" PUT ("!")
            "movb $1, %al\n movw $0x602, %dx\n outb %al, %dx\n" PUT (".") "5: hlt\n jmp 5b\n");

static void
test_kick (void)
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
test_dirty (void)
{
  uint64_t bitmap[RAM_SIZE / 4096 / 64] = { 0 };

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
test_hold (void)
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
test_triple (void)
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
test_helper (void)
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
test_emulation (void)
{
  g_autoptr (VitrineKvmReport) report = vitrine_host_probe_kvm ();
  RIG (1, unknown);
  guest_gate (rig.mem, 6, (uint32_t) (guest_undefined - guest_unknown) + GUEST_BASE);
  vt_cpus_run (rig.engine);
  if (report->status == VITRINE_KVM_EMULATED)
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
  g_assert_cmpuint (left, ==, 0);
}

static void
test_save (void)
{
  RIG (2, timer);
  vt_st32 (rig.mem + 8 * 4, (uint32_t) (guest_tick - guest_timer) + GUEST_BASE);
  vt_cpus_run (rig.engine);
  expect (&rig, "T", 2);
  hold (&rig);
  rig.engine->ops->freeze (rig.engine);

  g_autoptr (GByteArray) first = save_all (&rig);
  GError                *error = NULL;
  vt_cpus_reset (rig.engine, &error);
  g_assert_no_error (error);
  g_autoptr (GByteArray) other = save_all (&rig);
  g_assert_cmpint (memcmp (first->data, other->data, first->len), !=, 0);

  load_all (&rig, first);
  g_autoptr (GByteArray) second = save_all (&rig);
  g_assert_cmpmem (first->data, first->len, second->data, second->len);

  /* And the guest goes on where it was. */
  const unsigned so_far = (unsigned) rig.panel->output->len;
  rig.engine->ops->thaw (rig.engine);
  vt_cpus_run (rig.engine);
  expect (&rig, "T", so_far + 1);
  g_assert_cmpint (rig.panel->output->str[0], ==, 'R');
  g_assert_null (strchr (rig.panel->output->str + 1, 'R'));
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
test_refused_msr (void)
{
  RIG (1, counting);
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  GError                *error = NULL;

  rig.engine->ops->get (rig.engine->cpus[0], state, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (state->n_msrs, >, 0);
  g_assert_cmpuint (state->n_msrs, <, VT_CPU_MSRS);
  /* One in the middle that no processor has. */
  const unsigned middle = state->n_msrs / 2;
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
test_cpuid (void)
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
      g_assert_cmpmem ((const char *) &out[1], 12, "KVMKVMKVM\0\0\0", 12);
      rig.engine->ops->cpuid (rig.engine->cpus[i], 0, 0, out);
      if (out[0] >= 0xb)
        {
          rig.engine->ops->cpuid (rig.engine->cpus[i], 0xb, 1, out);
          g_assert_cmpuint (out[0], ==, 2);
          g_assert_cmpuint (out[1], ==, 3);
          g_assert_cmpuint (out[3], ==, i);
        }
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
  vt_space_free (space);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cpu/tables", test_tables);
  g_test_add_func ("/cpu/choice", test_choice);
  g_test_add_func ("/cpu/probe", test_probe);
  g_test_add_func ("/cpu/ports", test_ports);
  g_test_add_func ("/cpu/registers", test_registers);
  g_test_add_func ("/cpu/cpuid", test_cpuid);
  g_test_add_func ("/cpu/refused-msr", test_refused_msr);
  g_test_add_func ("/cpu/hold", test_hold);
  g_test_add_func ("/cpu/smp", test_smp);
  g_test_add_func ("/cpu/messages", test_messages);
  g_test_add_func ("/cpu/timer", test_timer);
  g_test_add_func ("/cpu/kick", test_kick);
  g_test_add_func ("/cpu/dirty", test_dirty);
  g_test_add_func ("/cpu/triple", test_triple);
  g_test_add_func ("/cpu/helper", test_helper);
  g_test_add_func ("/cpu/emulation", test_emulation);
  g_test_add_func ("/cpu/save", test_save);
  return g_test_run ();
}
