/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interrupt controllers together, as an engine without any gets them: with many threads at once,
 * where nothing may be lost, and in a machine that one engine saves and the other loads.
 */
#include <cpuid.h>
#include <sys/mman.h>
#include <unistd.h>

#include "chips.h"
#include "machine/machine-private.h"
#include "machine/snapshot.h"

/* Many threads ---------------------------------------------------------------------------------- */

#define CPUS 4u
#define ROUNDS 3000u
#define PATIENCE (100 * G_TIME_SPAN_SECOND)

/* Vectors: what comes from where. */
#define V_TIMER 0xe0
#define V_IPI 0x40      /* + 8 * sender, up to 3 senders: one for each target. */
#define V_MSI 0x60      /* + 8 * sender. */
#define V_EDGE 0x80     /* + pin. */
#define V_LEVEL 0xa0    /* + pin. */
#define V_PIC 0x20
#define IRQ_PIC 4

typedef struct Rig Rig;

typedef struct
{
  Rig     *rig;
  unsigned index;
  GMutex   lock;
  GCond    wake;
  bool     kicked;
} Cpu;

/* A device with a level-triggered line and a heap of work, of which each interrupt does one piece. */
typedef struct
{
  GMutex   lock;
  unsigned work;
} Worker;

struct Rig
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtPcChips *chips;
  Cpu        cpu[CPUS];
  Worker     worker[VT_IOAPIC_PINS];
  gint       received[256][CPUS]; /* Atomic. */
  gint       quit, failed;
  gint64     until;
};

static void
kick_cb (void *data, unsigned index)
{
  Cpu *cpu = &((Rig *) data)->cpu[index];

  g_mutex_lock (&cpu->lock);
  cpu->kicked = true;
  g_cond_signal (&cpu->wake);
  g_mutex_unlock (&cpu->lock);
}

static int64_t
tsc_cb (void *data, unsigned cpu, uint64_t tsc)
{
  return (int64_t) tsc;
}

static const VtChipsUserOps user_ops = { kick_cb, tsc_cb };

static void *
add (Rig *r, const VtDeviceClass *klass)
{
  const VtDeviceEnv env = { r->context, r->clock, r->space };

  return vt_device_new (klass, klass->id, &env);
}

static void
start (void *dev)
{
  g_assert_true (vt_device_realize (dev, NULL));
  vt_device_resume (dev);
}

static void
port_out (Rig *r, unsigned port, uint8_t v)
{
  vt_space_write (r->space, VT_SPACE_IO, port, &v, 1);
}

static void
program_pin (Rig *r, unsigned pin, uint32_t low, uint32_t high)
{
  const uint32_t words[] = { 0x11 + pin * 2, high, 0x10 + pin * 2, low };

  for (unsigned i = 0; i < G_N_ELEMENTS (words); i++)
    vt_space_write (r->space, VT_SPACE_MEMORY, VT_IOAPIC_BASE + i % 2 * 16, &words[i], 4);
}

static void
rig_init (Rig *r)
{
  static const uint8_t icw[][2] = { { 0x20, 0x11 }, { 0x21, V_PIC }, { 0x21, 4 }, { 0x21, 1 },
                                    { 0xa0, 0x11 }, { 0xa1, V_PIC + 8 }, { 0xa1, 2 }, { 0xa1, 1 },
                                    { 0x21, 0xff & ~(1 << IRQ_PIC) }, { 0xa1, 0xff } };

  memset (r, 0, sizeof *r);
  r->until = g_get_monotonic_time () + PATIENCE;
  r->context = vt_context_new ("apic");
  r->clock = vt_clock_new_guest ();
  r->space = vt_space_new ();
  r->chips = vt_pc_chips_new ();
  for (unsigned i = 0; i < CPUS; i++)
    {
      VtLapic *lapic = add (r, &vt_lapic_class);

      lapic->id = i;
      lapic->bus = r->chips->bus;
      start (lapic);
      r->cpu[i] = (Cpu){ .rig = r, .index = i };
      g_mutex_init (&r->cpu[i].lock);
      g_cond_init (&r->cpu[i].wake);
      vt_lapic_write (lapic, VT_LAPIC_SPURIOUS, 4, 0x1ff);
      vt_lapic_write (lapic, VT_LAPIC_DIVIDE, 4, 0xb);
      vt_lapic_write (lapic, VT_LAPIC_LVT_TIMER, 4, 0x20000 | V_TIMER);
      vt_lapic_write (lapic, VT_LAPIC_INITIAL, 4, 1000000 + i * 1000);
    }
  r->chips->pic = add (r, &vt_i8259_class);
  r->chips->ioapic = add (r, &vt_ioapic_class);
  r->chips->pit = add (r, &vt_i8254_class);
  vt_pc_chips_wire (r->chips);
  start (r->chips->pic);
  start (r->chips->ioapic);
  start (r->chips->pit);
  r->chips->chips.ops->attach (r->chips, &user_ops, r);
  for (unsigned i = 0; i < G_N_ELEMENTS (icw); i++)
    port_out (r, icw[i][0], icw[i][1]);
  for (unsigned pin = 10; pin < 14; pin++)
    program_pin (r, pin, V_EDGE + pin, pin % CPUS << 24);
  for (unsigned pin = 16; pin < 20; pin++)
    {
      program_pin (r, pin, 0x8000 | (V_LEVEL + pin), pin % CPUS << 24);
      g_mutex_init (&r->worker[pin].lock);
    }
  vt_clock_start (r->clock);
}

static void
rig_finish (Rig *r)
{
  vt_clock_stop (r->clock);
  vt_device_free (&r->chips->pit->dev);
  vt_device_free (&r->chips->ioapic->dev);
  vt_device_free (&r->chips->pic->dev);
  for (unsigned i = CPUS; i-- > 0;)
    {
      vt_device_free (&r->chips->bus->lapics[i]->dev);
      g_mutex_clear (&r->cpu[i].lock);
      g_cond_clear (&r->cpu[i].wake);
    }
  vt_pc_chips_free (r->chips);
  vt_context_free (r->context);
  vt_space_free (r->space);
  vt_clock_free (r->clock);
}

/* One piece of work; the line is high while there is more. */
static void
do_work (Rig *r, unsigned pin)
{
  Worker *w = &r->worker[pin];

  g_mutex_lock (&w->lock);
  if (w->work == 0)
    g_atomic_int_set (&r->failed, 1); /* An interrupt that nobody asked for. */
  else if (--w->work == 0)
    r->chips->chips.ops->set_gsi (r->chips, pin, false);
  g_mutex_unlock (&w->lock);
}

static gpointer
cpu_thread (gpointer data)
{
  Cpu              *cpu = data;
  Rig              *r = cpu->rig;
  const VtChipsOps *ops = r->chips->chips.ops;
  VtCpuPort        *port = ops->port (r->chips, cpu->index);

  for (unsigned n = 0;; n++)
    {
      gint signals = g_atomic_int_get (&port->signals);
      int  vector = -1;

      if ((signals & VT_CPU_SIGNAL_NMI) != 0)
        {
          if (ops->take (r->chips, cpu->index, VT_CPU_SIGNAL_NMI, NULL) != 0)
            g_atomic_int_inc (&r->received[2][cpu->index]);
        }
      if ((signals & VT_CPU_SIGNAL_INTERRUPT) != 0)
        vector = ops->acknowledge (r->chips, cpu->index);
      if (vector >= 0)
        {
          if (vector >= V_LEVEL + 16 && vector < V_LEVEL + 20)
            do_work (r, (unsigned) vector - V_LEVEL);
          /* Before the end of interrupt: who sends again then finds it in service. */
          g_atomic_int_inc (&r->received[vector][cpu->index]);
          if (vector == V_PIC + IRQ_PIC)
            port_out (r, 0x20, 0x20);
          else
            ops->write (r->chips, cpu->index, VT_LAPIC_EOI, 4, 0);
          /* Sometimes the task's priority shuts all out for a moment. */
          if (n % 5 == 0)
            {
              ops->set_cr8 (r->chips, cpu->index, 15);
              g_thread_yield ();
              ops->set_cr8 (r->chips, cpu->index, 0);
            }
          continue;
        }
      /* As after HLT: nothing but a kick wakes it. */
      g_mutex_lock (&cpu->lock);
      while (!cpu->kicked && g_atomic_int_get (&port->signals) == 0 && !g_atomic_int_get (&r->quit))
        g_cond_wait (&cpu->wake, &cpu->lock);
      cpu->kicked = false;
      g_mutex_unlock (&cpu->lock);
      if (g_atomic_int_get (&r->quit))
        return NULL;
    }
}

/* Waits until @vector has come to @cpu @n times. */
static bool
expect (Rig *r, unsigned vector, unsigned cpu, unsigned n)
{
  while ((unsigned) g_atomic_int_get (&r->received[vector][cpu]) < n)
    {
      if (g_atomic_int_get (&r->failed) || g_get_monotonic_time () > r->until)
        {
          if (!g_atomic_int_get (&r->failed))
            g_printerr ("vector 0x%x came to CPU %u %d times, not %u\n", vector, cpu,
                        r->received[vector][cpu], n);
          g_atomic_int_set (&r->failed, 1);
          return false;
        }
      g_thread_yield ();
    }
  return true;
}

typedef struct
{
  Rig     *rig;
  unsigned n;
} Source;

/* A vCPU's own thread sends: here two others, as if two vCPUs had no other work. */
static gpointer
ipi_thread (gpointer data)
{
  Source           *s = data;
  Rig              *r = s->rig;
  const VtChipsOps *ops = r->chips->chips.ops;
  unsigned          base = V_IPI + 8 * s->n;

  for (unsigned round = 1; round <= ROUNDS; round++)
    {
      for (unsigned cpu = 0; cpu < CPUS; cpu++)
        {
          ops->write (r->chips, s->n, VT_LAPIC_ICR_HIGH, 4, cpu << 24);
          ops->write (r->chips, s->n, VT_LAPIC_ICR, 4, 0x4000 | (base + cpu));
        }
      for (unsigned cpu = 0; cpu < CPUS; cpu++)
        if (!expect (r, base + cpu, cpu, round))
          return NULL;
    }
  return NULL;
}

static gpointer
msi_thread (gpointer data)
{
  Source           *s = data;
  Rig              *r = s->rig;
  const VtChipsOps *ops = r->chips->chips.ops;
  unsigned          base = V_MSI + 8 * s->n;

  for (unsigned round = 1; round <= ROUNDS; round++)
    {
      for (unsigned cpu = 0; cpu < CPUS; cpu++)
        ops->msi->send (r->chips, 0xfee00000 | cpu << 12, base + cpu);
      if (s->n == 0)
        ops->nmi (r->chips, round % CPUS);
      for (unsigned cpu = 0; cpu < CPUS; cpu++)
        if (!expect (r, base + cpu, cpu, round))
          return NULL;
      if (s->n == 0 && !expect (r, 2, round % CPUS, (round + CPUS - 1) / CPUS))
        return NULL;
    }
  return NULL;
}

static gpointer
edge_thread (gpointer data)
{
  Source           *s = data;
  Rig              *r = s->rig;
  const VtChipsOps *ops = r->chips->chips.ops;
  unsigned          pin = s->n;

  for (unsigned round = 1; round <= ROUNDS; round++)
    {
      ops->set_gsi (r->chips, pin, true);
      ops->set_gsi (r->chips, pin, false);
      if (pin == IRQ_PIC ? !expect (r, V_PIC + IRQ_PIC, 0, round)
                         : !expect (r, V_EDGE + pin, pin % CPUS, round))
        return NULL;
    }
  return NULL;
}

static gpointer
level_thread (gpointer data)
{
  Source   *s = data;
  Rig      *r = s->rig;
  unsigned  pin = s->n, total = 0;
  Worker   *w = &r->worker[pin];

  for (unsigned round = 1; round <= ROUNDS; round++)
    {
      unsigned more = 1 + round % 3;

      g_mutex_lock (&w->lock);
      w->work += more;
      r->chips->chips.ops->set_gsi (r->chips, pin, true);
      g_mutex_unlock (&w->lock);
      total += more;
      /* Now and then it adds while there is work, now and then it waits. */
      if (round % 4 == 0 && !expect (r, V_LEVEL + pin, pin % CPUS, total))
        return NULL;
    }
  expect (r, V_LEVEL + pin, pin % CPUS, total);
  return NULL;
}

/* Ticks come while the processor is away; edges of another pin that has the same vector are one. */
static void
test_ticks (void)
{
  Rig               rig, *r = &rig;
  const VtChipsOps *ops;
  VtLapic          *lapic;
  unsigned          taken;

  rig_init (r);
  ops = r->chips->chips.ops;
  lapic = r->chips->bus->lapics[0];
  vt_lapic_write (lapic, VT_LAPIC_LVT_TIMER, 4, 0x10000);
  /* GSI 0 is pin 2. */
  program_pin (r, 2, V_EDGE + 2, 0);
  program_pin (r, 12, V_EDGE + 2, 0);
  for (unsigned gsi = 0; gsi <= 12; gsi += 12)
    {
      for (unsigned i = 0; i < 5; i++)
        {
          ops->set_gsi (r->chips, gsi, true);
          ops->set_gsi (r->chips, gsi, false);
        }
      for (taken = 0; ops->acknowledge (r->chips, 0) == V_EDGE + 2; taken++)
        vt_lapic_write (lapic, VT_LAPIC_EOI, 4, 0);
      g_assert_cmpuint (taken, ==, gsi == 0 ? 5 : 1);
    }
  rig_finish (r);
}

static void
test_threads (void)
{
  static const struct
  {
    GThreadFunc func;
    unsigned    n;
  } sources[] = {
    { ipi_thread, 0 },  { ipi_thread, 1 },         { msi_thread, 0 },    { msi_thread, 1 },
    { edge_thread, 10 }, { edge_thread, IRQ_PIC }, { level_thread, 16 }, { level_thread, 17 },
    { level_thread, 19 },
  };
  Rig      r;
  GThread *cpus[CPUS], *threads[G_N_ELEMENTS (sources)];
  Source   data[G_N_ELEMENTS (sources)];

  rig_init (&r);
  for (unsigned i = 0; i < CPUS; i++)
    cpus[i] = g_thread_new ("cpu", cpu_thread, &r.cpu[i]);
  for (unsigned i = 0; i < G_N_ELEMENTS (sources); i++)
    {
      data[i] = (Source){ &r, sources[i].n };
      threads[i] = g_thread_new ("source", sources[i].func, &data[i]);
    }
  for (unsigned i = 0; i < G_N_ELEMENTS (sources); i++)
    g_thread_join (threads[i]);
  for (unsigned i = 0; i < CPUS; i++)
    expect (&r, V_TIMER, i, 5);
  g_atomic_int_set (&r.quit, 1);
  for (unsigned i = 0; i < CPUS; i++)
    {
      kick_cb (&r, i);
      g_thread_join (cpus[i]);
    }
  g_assert_false (g_atomic_int_get (&r.failed));
  /* Nothing came twice either. */
  for (unsigned n = 0; n < 2; n++)
    for (unsigned i = 0; i < CPUS; i++)
      {
        g_assert_cmpint (r.received[V_IPI + 8 * n + i][i], ==, ROUNDS);
        g_assert_cmpint (r.received[V_MSI + 8 * n + i][i], ==, ROUNDS);
      }
  g_assert_cmpint (r.received[V_EDGE + 10][10 % CPUS], ==, ROUNDS);
  g_assert_cmpint (r.received[V_PIC + IRQ_PIC][0], ==, ROUNDS);
  for (unsigned pin = 16; pin < 20; pin++)
    if (pin != 18)
      {
        g_assert_cmpint (r.received[V_LEVEL + pin][pin % CPUS], ==, ROUNDS * 2);
        g_assert_cmpuint (r.worker[pin].work, ==, 0);
      }
  rig_finish (&r);
}

/* A machine --------------------------------------------------------------------------------------- */

/* An engine that runs nothing and keeps a vCPU's state as it is given; the chips are the board's. */
typedef struct
{
  VtCpu       base;
  VtCpuState *state;
} StillCpu;

typedef struct
{
  VtCpuEngine    base;
  const VtChips *chips;
  VtPvClockState clock;
} Still;

static void
still_kick_cb (void *data, unsigned cpu)
{
}

static const VtChipsUserOps still_user_ops = { still_kick_cb, tsc_cb };

static void
still_attach (VtCpuEngine *engine, const VtChips *chips)
{
  ((Still *) engine)->chips = chips;
  chips->ops->attach (chips->data, &still_user_ops, NULL);
}

static void
still_destroy (VtCpuEngine *engine)
{
}

static void
still_cpu_finish (VtCpu *cpu)
{
  g_free (((StillCpu *) cpu)->state);
}

static bool
still_get (VtCpu *cpu, VtCpuState *state, GError **error)
{
  const VtChips *chips = ((Still *) cpu->engine)->chips;
  uint64_t       deadline;

  *state = *((StillCpu *) cpu)->state;
  chips->ops->get (chips->data, cpu->index, state->lapic, &state->apic_base, &deadline);
  return true;
}

static bool
still_set (VtCpu *cpu, const VtCpuState *state, GError **error)
{
  const VtChips *chips = ((Still *) cpu->engine)->chips;

  *((StillCpu *) cpu)->state = *state;
  return chips->ops->set (chips->data, cpu->index, state->lapic, state->apic_base, 0, error);
}

static bool
still_get_clock (VtCpuEngine *engine, void *state, GError **error)
{
  *(VtPvClockState *) state = ((Still *) engine)->clock;
  return true;
}

static bool
still_set_clock (VtCpuEngine *engine, const void *state, GError **error)
{
  ((Still *) engine)->clock = *(const VtPvClockState *) state;
  return true;
}

static const VtCpuPart still_parts[] = {
  { "cpu/pvclock", "pvclock", &vt_pvclock_state, still_get_clock, still_set_clock },
};

static const VtVcpuOps still_ops = {
  .id = "still", .destroy = still_destroy, .cpu_finish = still_cpu_finish, .attach = still_attach,
  .get = still_get, .set = still_set, .parts = still_parts, .n_parts = G_N_ELEMENTS (still_parts),
};

#define MACHINE                                                                                    \
  "{ \"name\": \"chips\", \"memory\": 64, \"cpus\": 2, \"cpu-engine\": \"%s\", "                   \
  "\"kernel-irqchip\": \"%s\", \"display\": { \"model\": \"none\" } }"

static VtMachine *
new_machine (const char *engine, const char *kernel_irqchip)
{
  g_autofree char *json = g_strdup_printf (MACHINE, engine, kernel_irqchip);
  VitrineConfig   *config = vitrine_config_from_json (json, "chips", NULL);
  VtMachine       *machine = vt_machine_new (config);

  g_object_unref (config);
  return machine;
}

/* A q35 on the still engine. */
static VtMachine *
still_machine_new (Still *still)
{
  VtMachine         *machine = new_machine ("kvm", "off");
  g_autoptr (GError) error = NULL;
  VtDeviceEnv       *env = g_new0 (VtDeviceEnv, 1);

  machine->clock = vt_clock_new_guest ();
  machine->space = vt_space_new ();
  machine->input = vt_input_new ();
  machine->ram = vt_ram_new ("ram", 64 * VT_MIB, &error);
  g_assert_no_error (error);
  *env = (VtDeviceEnv){ vt_context_new ("platform"), machine->clock, machine->space };
  g_ptr_array_add (machine->envs, env);
  *still = (Still){ .base = { .ops = &still_ops, .config.n_cpus = 2 } };
  still->base.cpus = g_new0 (VtCpu *, 2);
  for (unsigned i = 0; i < 2; i++)
    {
      StillCpu *cpu = g_new0 (StillCpu, 1);

      cpu->base = (VtCpu){ .engine = &still->base, .index = i };
      cpu->state = g_new0 (VtCpuState, 1);
      vt_cpu_state_reset (cpu->state, i == 0, 0);
      still->base.cpus[i] = &cpu->base;
    }
  machine->cpus = &still->base;
  vt_boards[0]->build (machine, machine->config, &error);
  g_assert_no_error (error);
  return machine;
}

static void
still_machine_free (VtMachine *machine)
{
  for (unsigned i = 0; i < machine->devices->len; i++)
    vt_device_pause (machine->devices->pdata[i], NULL, NULL);
  vt_machine_free (machine);
}

static VtDevice *
device (VtMachine *machine, const char *path)
{
  for (unsigned i = 0; i < machine->devices->len; i++)
    if (g_str_equal (((VtDevice *) machine->devices->pdata[i])->path, path))
      return machine->devices->pdata[i];
  return NULL;
}

static void
machine_out (VtMachine *machine, unsigned port, uint8_t v)
{
  vt_space_write (machine->space, VT_SPACE_IO, port, &v, 1);
}

static uint8_t
machine_in (VtMachine *machine, unsigned port)
{
  uint8_t v = 0;

  vt_space_read (machine->space, VT_SPACE_IO, port, &v, 1);
  return v;
}

/* Lines and messages of a machine's devices reach the board's chips. */
static void
test_machine (void)
{
  Still      still;
  VtMachine *machine = still_machine_new (&still);
  VtCpuPort *port = still.chips->ops->port (still.chips->data, 1);
  uint32_t   words[] = { 0x10 + 2 * 5, 0x8055, 0x11 + 2 * 5, 1u << 24 };
  VtLine    *line = vt_line_share (vt_machine_gsi (machine, 5));

  g_assert_nonnull (device (machine, "cpu/pic"));
  still.chips->ops->write (still.chips->data, 1, VT_LAPIC_SPURIOUS, 4, 0x1ff);
  for (unsigned i = 0; i < G_N_ELEMENTS (words); i++)
    vt_space_write (machine->space, VT_SPACE_MEMORY, VT_IOAPIC_BASE + i % 2 * 16, &words[i], 4);
  vt_line_set (line, true);
  g_assert_cmphex (machine_in (machine, 0x20), ==, 0x20);
  g_assert_cmphex (g_atomic_int_get (&port->signals), ==, VT_CPU_SIGNAL_INTERRUPT);
  g_assert_cmpint (still.chips->ops->acknowledge (still.chips->data, 1), ==, 0x55);
  vt_line_set (line, false);
  still.chips->ops->write (still.chips->data, 1, VT_LAPIC_EOI, 4, 0);
  g_assert_cmphex (g_atomic_int_get (&port->signals), ==, 0);
  VtMsi *msi = vt_msi_new (vt_machine_msi (machine));
  vt_msi_set (msi, 0xfee01000, 0x66, false);
  g_assert_true (vt_msi_send (msi));
  g_assert_cmpint (still.chips->ops->acknowledge (still.chips->data, 1), ==, 0x66);
  vt_msi_free (msi);
  /* After a reset of the chips the lines are told anew. */
  vt_line_set (line, true);
  for (unsigned i = 0; i < machine->devices->len; i++)
    vt_device_reset (machine->devices->pdata[i], VT_RESET_WARM);
  g_assert_cmphex (machine_in (machine, 0x20), ==, 0);
  vt_machine_replay_lines (machine);
  g_assert_cmphex (machine_in (machine, 0x20), ==, 0x20);
  vt_line_free (line);
  still_machine_free (machine);
}

static int
save (VtMachine *machine)
{
  g_autoptr (GError) error = NULL;
  int                fd = memfd_create ("snapshot", MFD_CLOEXEC);

  vt_snapshot_save (machine, fd, &error);
  g_assert_no_error (error);
  return fd;
}

static void
load (VtMachine *machine, int fd)
{
  g_autoptr (GError) error = NULL;

  vt_snapshot_load (machine, fd, &error);
  g_assert_no_error (error);
  close (fd);
}

/* An engine, and whose chips it uses. */
typedef struct
{
  const char *engine, *kernel_irqchip;
} Choice;

static const Choice kvm_on = { "kvm", "on" }, kvm_off = { "kvm", "off" },
                    software = { "translate", "auto" };

/* From the still engine to a real one and back, whose chips are in the kernel or the board's: nothing of
 * them is lost or changed. The counter that runs is the speaker's, as the kernel's runs on between, and the
 * timer's interrupts would change the controllers. */
static void
test_engines (gconstpointer data)
{
  const Choice          *choice = data;
  static const uint8_t   writes[][2] = { { 0x20, 0x11 }, { 0x21, 0x40 }, { 0x21, 4 },    { 0x21, 3 },
                                         { 0x21, 0xa5 }, { 0xa1, 0x5a }, { 0x43, 0xb4 }, { 0x42, 0x12 },
                                         { 0x42, 0x34 }, { 0x61, 3 } };
  g_autoptr (GError)     error = NULL;
  g_autoptr (GByteArray) before = g_byte_array_new (), after = g_byte_array_new ();
  static const char     *paths[] = { "cpu/pic", "cpu/ioapic", "cpu/pit" };
  Still                  first, second;
  VtMachine             *other = new_machine (choice->engine, choice->kernel_irqchip), *a, *b;
  uint8_t                page[2][VT_LAPIC_PAGE];
  uint64_t               base[2], deadline;

  if (!vt_machine_build (other, &error))
    {
      g_test_skip (error->message);
      vt_machine_free (other);
      return;
    }
  g_assert_true ((device (other, "cpu/pic") == NULL) == g_str_equal (choice->kernel_irqchip, "on"));
  /* As a pause does: the timer in the kernel would tick on between load and save. */
  if (other->cpus->ops->freeze)
    other->cpus->ops->freeze (other->cpus);
  a = still_machine_new (&first);
  for (unsigned i = 0; i < 2; i++)
    other->cpus->ops->get (other->cpus->cpus[i], ((StillCpu *) first.base.cpus[i])->state, &error);
  g_assert_no_error (error);
  for (unsigned i = 0; i < G_N_ELEMENTS (writes); i++)
    machine_out (a, writes[i][0], writes[i][1]);
  for (unsigned cpu = 0; cpu < 2; cpu++)
    {
      first.chips->ops->write (first.chips->data, cpu, VT_LAPIC_SPURIOUS, 4, 0x1ff);
      first.chips->ops->write (first.chips->data, cpu, VT_LAPIC_LDR, 4, 1u << (24 + cpu));
    }
  first.chips->ops->write (first.chips->data, 0, VT_LAPIC_ICR, 4, 0x84061);
  load (other, save (a));
  b = still_machine_new (&second);
  load (b, save (other));
  for (unsigned i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      vt_device_save (device (a, paths[i]), before);
      vt_device_save (device (b, paths[i]), after);
    }
  g_assert_cmpmem (before->data, before->len, after->data, after->len);
  for (unsigned cpu = 0; cpu < 2; cpu++)
    {
      first.chips->ops->get (first.chips->data, cpu, page[0], &base[0], &deadline);
      second.chips->ops->get (second.chips->data, cpu, page[1], &base[1], &deadline);
      g_assert_cmpmem (page[0], VT_LAPIC_PAGE, page[1], VT_LAPIC_PAGE);
      g_assert_cmphex (base[0], ==, base[1]);
      g_assert_cmpint (second.chips->ops->acknowledge (second.chips->data, cpu), ==, 0x61);
    }
  still_machine_free (a);
  still_machine_free (b);
  vt_machine_free (other);
}

/* What a guest in 32-bit protected mode leaves in memory whose stack segment has a base: it sends itself
 * an interrupt, whose handler looks at its frame through SS:ESP and returns. */
#define STACK_CODE 0x1000u
#define STACK_HANDLER 0x1040u
#define STACK_RESULTS 0x2000u /* EIP in the frame, interrupts taken, times returned. */
#define STACK_IDT 0x3000u
#define STACK_GDT 0x3800u
#define STACK_BASE 0x8000u

static void
stack_guest (uint8_t *ram)
{
  static const uint8_t code[] = {
    0xfb, 0x90,                                                 /* sti; nop */
    0xc7, 0x05, 0xf0, 0x00, 0xe0, 0xfe, 0xff, 0x01, 0x00, 0x00, /* mov dword [0xfee000f0], 0x1ff */
    0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x40, 0x00, 0x04, 0x00, /* mov dword [0xfee00300], 0x40040 */
    0xff, 0x05, 0x08, 0x20, 0x00, 0x00,                         /* inc dword [0x2008] */
    0xf4, 0xeb, 0xfd,                                           /* 1: hlt; jmp 1b */
  };
  static const uint8_t handler[] = {
    0x8b, 0x04, 0x24,                         /* mov eax, [esp] */
    0xa3, 0x00, 0x20, 0x00, 0x00,             /* mov [0x2000], eax */
    0xff, 0x05, 0x04, 0x20, 0x00, 0x00,       /* inc dword [0x2004] */
    0xc7, 0x05, 0xb0, 0x00, 0xe0, 0xfe, 0, 0, 0, 0, /* mov dword [0xfee000b0], 0 */
    0xcf,                                     /* iretd */
  };

  memcpy (ram + STACK_CODE, code, sizeof code);
  memcpy (ram + STACK_HANDLER, handler, sizeof handler);
  vt_st64 (ram + STACK_GDT + 8, UINT64_C (0x00cf9b000000ffff));
  vt_st64 (ram + STACK_GDT + 16, UINT64_C (0x00cf93000000ffff));
  vt_st32 (ram + STACK_IDT + 8 * 0x40, 8u << 16 | STACK_HANDLER);
  vt_st32 (ram + STACK_IDT + 8 * 0x40 + 4, 0x8e00);
}

static void
stack_state (VtCpuState *state)
{
  const VtCpuSegment data = {
    .limit = 0xffffffff, .selector = 16, .type = 3, .present = true, .code_or_data = true, .db = true,
    .g = true,
  };

  for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
    state->seg[i] = data;
  state->seg[VT_CPU_CS].selector = 8;
  state->seg[VT_CPU_CS].type = 11;
  state->seg[VT_CPU_SS].base = STACK_BASE;
  state->cr0 |= 1;
  state->gdt_base = STACK_GDT;
  state->gdt_limit = 23;
  state->idt_base = STACK_IDT;
  state->idt_limit = 0x7ff;
  state->rip = STACK_CODE;
  state->gpr[VT_CPU_RSP] = 0x1000;
}

static void
run_until_counted (VtMachine *machine, uint32_t count)
{
  const uint8_t *results = vt_ram_host (machine->ram);
  const gint64   until = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  results += STACK_RESULTS + 8;
  vt_cpus_run (machine->cpus);
  while (__atomic_load_n ((const uint32_t *) results, __ATOMIC_SEQ_CST) < count
         && g_get_monotonic_time () < until)
    g_thread_yield ();
  vt_cpus_hold (machine->cpus);
  g_assert_true (vt_cpus_wait (machine->cpus, 60 * VT_NS_PER_SEC, NULL));
  g_assert_cmpuint (vt_ld32 (results), >=, count);
}

/* A machine that is reset, its first processor at STACK_CODE; NULL where this host has no such engine. */
static VtMachine *
stack_machine_new (const Choice *choice)
{
  g_autoptr (GError)     error = NULL;
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  VtMachine             *machine = new_machine (choice->engine, choice->kernel_irqchip);

  if (!vt_machine_build (machine, &error))
    {
      g_test_skip (error->message);
      vt_machine_free (machine);
      return NULL;
    }
  for (unsigned i = 0; i < machine->devices->len; i++)
    vt_device_reset (machine->devices->pdata[i], VT_RESET_COLD);
  g_assert_true (vt_cpus_reset (machine->cpus, &error));
  stack_guest (vt_ram_host (machine->ram));
  machine->cpus->ops->get (machine->cpus->cpus[0], state, &error);
  stack_state (state);
  machine->cpus->ops->set (machine->cpus->cpus[0], state, &error);
  g_assert_no_error (error);
  return machine;
}

/* Some hosts' KVM gets this wrong by itself. */
static void
test_stack_base (gconstpointer choice)
{
  g_autoptr (GError)     error = NULL;
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
  VtMachine             *machine = stack_machine_new (choice);
  const uint8_t         *results;

  if (machine == NULL)
    return;
  results = vt_ram_host (machine->ram) + STACK_RESULTS;
  run_until_counted (machine, 1);
  g_assert_cmphex (vt_ld32 (results), ==, STACK_CODE + 22);
  g_assert_cmpuint (vt_ld32 (results + 4), ==, 1);
  machine->cpus->ops->get (machine->cpus->cpus[0], state, &error);
  g_assert_no_error (error);
  g_assert_cmphex (state->gpr[VT_CPU_RSP], ==, 0x1000);
  g_assert_cmphex (state->rflags & 0x200, ==, 0x200);
  vt_machine_free (machine);
}

/* The extended state: vectors and masks of AVX-512 where both sides have them, else of AVX, else of SSE. */
static const uint8_t unit_states[] = { 0xe7, 7, 3 };

/* Whether the byte at @at of an area in the standard format is a register's, by CPUID's leaf 13. */
static bool
is_units (uint8_t xcr0, unsigned at)
{
  if (at >= 160 && at < 416)
    return true;
  for (unsigned i = 2; i < 8; i++)
    {
      uint32_t r[4];
      __cpuid_count (13, i, r[0], r[1], r[2], r[3]);
      if ((xcr0 >> i & 1) && at >= r[1] && at < r[1] + r[0])
        return true;
    }
  return false;
}

/* All registers of it, each byte with a value of its own. */
static bool
put_units (VtMachine *machine, uint8_t xcr0)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  machine->cpus->ops->get (machine->cpus->cpus[0], state, NULL);
  state->xcr0 = xcr0;
  for (unsigned at = 0; at < 4096; at++)
    if (is_units (xcr0, at))
      state->xsave[at] = (uint8_t) (at * 7 + at / 256 + 1);
  state->xsave[512] = xcr0;
  return machine->cpus->ops->set (machine->cpus->cpus[0], state, NULL);
}

static void
assert_units (VtMachine *machine, uint8_t xcr0)
{
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  machine->cpus->ops->get (machine->cpus->cpus[0], state, NULL);
  g_assert_cmphex (state->xcr0, ==, xcr0);
  g_assert_cmphex (state->xsave[512] | 1, ==, xcr0);
  for (unsigned at = 0; at < 4096; at++)
    if (is_units (xcr0, at))
      g_assert_cmphex (state->xsave[at], ==, (uint8_t) (at * 7 + at / 256 + 1));
}

/* A guest that counts goes from software to KVM, and back, and counts on; its vector registers go with it. */
static void
test_move (gconstpointer other)
{
  static const uint8_t count[] = { 0xff, 0x05, 0x08, 0x20, 0x00, 0x00, 0xeb, 0xf8 };
  VtMachine           *from = stack_machine_new (&software), *to = stack_machine_new (other), *back;
  unsigned             units = 0;

  if (to == NULL)
    {
      vt_machine_free (from);
      return;
    }
  memcpy (vt_ram_host (from->ram) + STACK_CODE, count, sizeof count);
  while (!put_units (to, unit_states[units]) || !put_units (from, unit_states[units]))
    g_assert_cmpuint (++units, <, G_N_ELEMENTS (unit_states));
  g_test_message ("XCR0 is 0x%x", unit_states[units]);
  vt_cpus_reset (to->cpus, NULL);
  run_until_counted (from, 1000);
  load (to, save (from));
  run_until_counted (to, vt_ld32 (vt_ram_host (to->ram) + STACK_RESULTS + 8) + 1000);
  assert_units (to, unit_states[units]);
  back = stack_machine_new (&software);
  load (back, save (to));
  run_until_counted (back, vt_ld32 (vt_ram_host (back->ram) + STACK_RESULTS + 8) + 1000);
  assert_units (back, unit_states[units]);
  vt_machine_free (from);
  vt_machine_free (to);
  vt_machine_free (back);
}

/* What another engine's processor can be in and the software one cannot is refused, and changes nothing. */
static void
test_refused (void)
{
  VtMachine             *machine = stack_machine_new (&software);
  VtCpu                 *cpu = machine->cpus->cpus[0];
  g_autofree VtCpuState *was = g_new0 (VtCpuState, 1), *state = g_new0 (VtCpuState, 1),
                        *is = g_new0 (VtCpuState, 1);

  machine->cpus->ops->get (cpu, was, NULL);
  for (unsigned i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;

      *state = *was;
      state->rip++;
      if (i == 0)
        state->xcr0 |= VT_BIT (18); /* AMX. */
      else if (i == 1)
        state->cr4 |= VT_BIT (13); /* VMXE */
      else
        state->msr[0] = (VtCpuMsr){ .index = 0x4b564d01, .value = 0x1001 }; /* KVM's clock. */
      g_assert_false (machine->cpus->ops->set (cpu, state, &error));
      g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, "engine that saved it"));
      machine->cpus->ops->get (cpu, is, NULL);
      g_assert_cmpmem (is, sizeof *is, was, sizeof *was);
    }
  vt_machine_free (machine);
}

/* A processor saved in system management mode, with what waits for its end, goes on in it. */
static void
test_smm (void)
{
  VtMachine             *machine = stack_machine_new (&software), *kvm = stack_machine_new (&kvm_off);
  VtCpu                 *cpu = machine->cpus->cpus[0];
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1), *is = g_new0 (VtCpuState, 1);
  g_autoptr (GError)     error = NULL;
  uint64_t               smbase = 0;

  machine->cpus->ops->get (cpu, state, NULL);
  state->events.smm = state->events.smi_pending = state->events.init_latched = state->events.nmi_masked = true;
  for (unsigned i = 0; i < state->n_msrs; i++)
    if (state->msr[i].index == 0x9e)
      {
        g_assert_cmphex (state->msr[i].value, ==, 0x30000);
        state->msr[i].value = 0x7f0000;
      }
  g_assert_true (machine->cpus->ops->set (cpu, state, NULL));
  machine->cpus->ops->get (cpu, is, NULL);
  g_assert_cmpmem (&is->events, sizeof is->events, &state->events, sizeof state->events);
  for (unsigned i = 0; i < is->n_msrs; i++)
    if (is->msr[i].index == 0x9e)
      smbase = is->msr[i].value;
  g_assert_cmphex (smbase, ==, 0x7f0000);
  if (kvm != NULL && !kvm->cpus->ops->set (kvm->cpus->cpus[0], state, &error))
    g_assert_nonnull (strstr (error->message, "system management mode"));
  vt_machine_free (machine);
  if (kvm != NULL)
    vt_machine_free (kvm);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/chips/threads", test_threads);
  g_test_add_func ("/chips/ticks", test_ticks);
  g_test_add_func ("/chips/machine", test_machine);
  g_test_add_data_func ("/chips/engines/on", &kvm_on, test_engines);
  g_test_add_data_func ("/chips/engines/off", &kvm_off, test_engines);
  g_test_add_data_func ("/chips/engines/software", &software, test_engines);
  g_test_add_data_func ("/chips/stack-base/kvm", &kvm_off, test_stack_base);
  g_test_add_data_func ("/chips/stack-base/software", &software, test_stack_base);
  g_test_add_data_func ("/chips/move/on", &kvm_on, test_move);
  g_test_add_data_func ("/chips/move/off", &kvm_off, test_move);
  g_test_add_func ("/chips/refused", test_refused);
  g_test_add_func ("/chips/smm", test_smm);
  return g_test_run ();
}
