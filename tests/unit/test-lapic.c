/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The local APIC's core, and the bus between several.
 */
#include "bench.h"
#include "platform/apic-bus.h"

#define CPUS 3

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtApicBus *bus;
  VtLapic   *cpu[CPUS];
  unsigned   kicks[CPUS];
  int        pic_vector;
  unsigned   n_ended;
  uint8_t    ended;
} Rig;

static void
kick_cb (void *data, unsigned cpu)
{
  ((Rig *) data)->kicks[cpu]++;
}

/* A TSC of 2 GHz that started at 1000. */
static int64_t
tsc_cb (void *data, unsigned cpu, uint64_t tsc)
{
  return ((int64_t) tsc - 1000) / 2;
}

static const VtChipsUserOps user_ops = { kick_cb, tsc_cb };

static int
acknowledge_cb (void *data)
{
  return ((Rig *) data)->pic_vector;
}

static void
eoi_cb (void *data, uint8_t vector)
{
  Rig *r = data;

  r->n_ended++;
  r->ended = vector;
}

static VtLapic *
new_cpu (Rig *r, unsigned id)
{
  const VtDeviceEnv env = { .context = r->context, .clock = r->clock };
  VtLapic          *l = (VtLapic *) vt_device_new (&vt_lapic_class, "lapic", &env);

  l->id = id;
  l->bus = r->bus;
  g_assert_true (vt_device_realize (&l->dev, NULL));
  vt_lapic_attach (l, &user_ops, r);
  vt_device_resume (&l->dev);
  return l;
}

static void
rig_init (Rig *r)
{
  memset (r, 0, sizeof *r);
  r->context = vt_context_new_manual ();
  r->clock = vt_clock_new_manual ();
  r->bus = vt_apic_bus_new ();
  r->bus->acknowledge = acknowledge_cb;
  r->bus->eoi = eoi_cb;
  r->bus->data = r;
  r->pic_vector = -1;
  for (unsigned i = 0; i < CPUS; i++)
    r->cpu[i] = new_cpu (r, i);
}

static void
rig_finish (Rig *r)
{
  for (unsigned i = 0; i < CPUS; i++)
    vt_device_free (&r->cpu[i]->dev);
  vt_apic_bus_free (r->bus);
  vt_clock_free (r->clock);
  vt_context_free (r->context);
}

#define RIG                                                                                        \
  Rig rig, *r = &rig;                                                                              \
  rig_init (r)

static uint32_t
get (Rig *r, unsigned cpu, unsigned reg)
{
  return vt_lapic_read (r->cpu[cpu], reg, 4);
}

static void
set (Rig *r, unsigned cpu, unsigned reg, uint32_t v)
{
  vt_lapic_write (r->cpu[cpu], reg, 4, v);
}

static void
enable (Rig *r)
{
  for (unsigned i = 0; i < CPUS; i++)
    set (r, i, VT_LAPIC_SPURIOUS, 0x1ff);
}

static bool
interrupted (Rig *r, unsigned cpu)
{
  return (g_atomic_int_get (&r->cpu[cpu]->port.signals) & VT_CPU_SIGNAL_INTERRUPT) != 0;
}

static void
send (Rig *r, unsigned dest, uint32_t message)
{
  vt_apic_bus_write (r->bus, 0xfee00000 | dest << 12, message);
}

#define assert_taken(which, vector)                                                                 \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_assert_true (interrupted (r, which));                                                        \
    g_assert_cmpint (vt_lapic_acknowledge (r->cpu[which]), ==, vector);                            \
  }                                                                                                \
  G_STMT_END

static void
test_reset (void)
{
  RIG;
  uint64_t v;

  for (unsigned i = 0; i < CPUS; i++)
    {
      g_assert_cmphex (get (r, i, VT_LAPIC_ID), ==, i << 24);
      g_assert_cmphex (get (r, i, VT_LAPIC_VERSION), ==, 0x50014);
      g_assert_cmphex (get (r, i, VT_LAPIC_DFR), ==, 0xffffffff);
      g_assert_cmphex (get (r, i, VT_LAPIC_SPURIOUS), ==, 0xff);
      g_assert_cmphex (get (r, i, VT_LAPIC_LVT_LINT0), ==, i == 0 ? 0x700 : 0x10000);
      g_assert_cmphex (get (r, i, VT_LAPIC_LVT_TIMER), ==, 0x10000);
      g_assert_true (vt_lapic_read_msr (r->cpu[i], 0x1b, &v));
      g_assert_cmphex (v, ==, 0xfee00800 | (i == 0 ? 0x100 : 0));
      g_assert_cmphex (r->cpu[i]->port.page, ==, 0xfee00000);
    }
  /* Off by software: no vector comes in, and masks stay. */
  send (r, 0, 0x4041);
  g_assert_cmpint (vt_lapic_acknowledge (r->cpu[0]), ==, -1);
  set (r, 0, VT_LAPIC_LVT_ERROR, 0x33);
  g_assert_cmphex (get (r, 0, VT_LAPIC_LVT_ERROR), ==, 0x10033);
  rig_finish (r);
}

static void
test_priorities (void)
{
  RIG;
  enable (r);
  send (r, 1, 0x41);
  send (r, 1, 0x45);
  send (r, 1, 0x62);
  g_assert_cmpuint (r->kicks[1], ==, 1);
  g_assert_cmphex (get (r, 1, VT_LAPIC_IRR + 0x20), ==, 0x22);
  g_assert_cmphex (get (r, 1, VT_LAPIC_IRR + 0x30), ==, 4);
  assert_taken (1, 0x62);
  g_assert_cmphex (get (r, 1, VT_LAPIC_PPR), ==, 0x60);
  g_assert_cmphex (get (r, 1, VT_LAPIC_ISR + 0x30), ==, 4);
  /* Lower classes and the same one wait; a higher one does not. */
  g_assert_false (interrupted (r, 1));
  send (r, 1, 0x6f);
  g_assert_false (interrupted (r, 1));
  send (r, 1, 0x70);
  assert_taken (1, 0x70);
  set (r, 1, VT_LAPIC_EOI, 0);
  g_assert_false (interrupted (r, 1));
  set (r, 1, VT_LAPIC_EOI, 0);
  assert_taken (1, 0x6f);
  set (r, 1, VT_LAPIC_EOI, 0);
  /* The task's priority. */
  vt_lapic_set_cr8 (r->cpu[1], 4);
  g_assert_cmphex (get (r, 1, VT_LAPIC_TPR), ==, 0x40);
  g_assert_false (interrupted (r, 1));
  g_assert_cmpint (vt_lapic_acknowledge (r->cpu[1]), ==, -1);
  set (r, 1, VT_LAPIC_TPR, 0x3f);
  g_assert_cmpuint (vt_lapic_cr8 (r->cpu[1]), ==, 3);
  g_assert_cmphex (get (r, 1, VT_LAPIC_PPR), ==, 0x3f);
  assert_taken (1, 0x45);
  set (r, 1, VT_LAPIC_EOI, 0);
  assert_taken (1, 0x41);
  set (r, 1, VT_LAPIC_EOI, 0);
  g_assert_false (interrupted (r, 1));
  g_assert_cmpuint (r->n_ended, ==, 0);
  rig_finish (r);
}

static void
test_levels (void)
{
  RIG;
  enable (r);
  send (r, 2, 0xc052);
  g_assert_cmphex (get (r, 2, VT_LAPIC_TMR + 0x20), ==, 1 << 0x12);
  assert_taken (2, 0x52);
  g_assert_cmpuint (r->n_ended, ==, 0);
  set (r, 2, VT_LAPIC_EOI, 0);
  g_assert_cmpuint (r->n_ended, ==, 1);
  g_assert_cmphex (r->ended, ==, 0x52);
  /* The same vector as an edge. */
  send (r, 2, 0x52);
  assert_taken (2, 0x52);
  set (r, 2, VT_LAPIC_EOI, 0);
  g_assert_cmpuint (r->n_ended, ==, 1);
  /* A level that goes says nothing; an end of nothing neither. */
  send (r, 2, 0x8052);
  set (r, 2, VT_LAPIC_EOI, 0);
  g_assert_false (interrupted (r, 2));
  g_assert_cmpuint (r->n_ended, ==, 1);
  rig_finish (r);
}

/* Ticks that come while the processor is away are taken one after the other; other edges are one. */
static void
test_ticks (void)
{
  RIG;
  enable (r);
  for (unsigned i = 0; i < 5; i++)
    send (r, 0, 0x30);
  assert_taken (0, 0x30);
  set (r, 0, VT_LAPIC_EOI, 0);
  g_assert_false (interrupted (r, 0));
  r->bus->tick_vector = 0x30;
  for (unsigned i = 0; i < 5; i++)
    {
      send (r, 0, 0x30);
      send (r, 0, 0x31);
    }
  assert_taken (0, 0x31);
  set (r, 0, VT_LAPIC_EOI, 0);
  for (unsigned i = 0; i < 5; i++)
    {
      assert_taken (0, 0x30);
      g_assert_false (interrupted (r, 0));
      set (r, 0, VT_LAPIC_EOI, 0);
    }
  g_assert_false (interrupted (r, 0));
  /* One who never looks gets a second of them, and none after a reset. */
  for (unsigned i = 0; i < 5000; i++)
    send (r, 0, 0x30);
  g_assert_cmpuint (r->cpu[0]->owed, ==, 1000);
  /* When another vector has become the timer's, the old one's are forgotten. */
  r->bus->tick_vector = 0x40;
  send (r, 0, 0x40);
  send (r, 0, 0x40);
  g_assert_cmpuint (r->cpu[0]->owed, ==, 1);
  r->bus->tick_vector = 0;
  for (unsigned i = 0; i < 2; i++)
    {
      assert_taken (0, 0x40);
      set (r, 0, VT_LAPIC_EOI, 0);
    }
  assert_taken (0, 0x30);
  set (r, 0, VT_LAPIC_EOI, 0);
  g_assert_false (interrupted (r, 0));
  r->bus->tick_vector = 0x30;
  for (unsigned i = 0; i < 3; i++)
    send (r, 0, 0x30);
  g_assert_cmpuint (r->cpu[0]->owed, ==, 2);
  vt_device_reset (&r->cpu[0]->dev, VT_RESET_COLD);
  g_assert_cmpuint (r->cpu[0]->owed, ==, 0);
  rig_finish (r);
}

/* Which processors a message with @message to @address reaches, as bits. */
static unsigned
reached (Rig *r, uint64_t address, uint32_t message)
{
  unsigned set_of = 0;

  vt_apic_bus_write (r->bus, address, message);
  for (unsigned i = 0; i < CPUS; i++)
    if (interrupted (r, i))
      {
        vt_lapic_acknowledge (r->cpu[i]);
        set (r, i, VT_LAPIC_EOI, 0);
        set_of |= 1u << i;
      }
  return set_of;
}

static void
test_destinations (void)
{
  RIG;
  enable (r);
  g_assert_cmpuint (reached (r, 0xfee01000, 0x41), ==, 2);
  g_assert_cmpuint (reached (r, 0xfee05000, 0x41), ==, 0);
  g_assert_cmpuint (reached (r, 0xfeeff000, 0x41), ==, 7);
  g_assert_cmpuint (reached (r, 0xfed01000, 0x41), ==, 0);
  g_assert_cmpuint (reached (r, UINT64_C (0x1fee01000), 0x41), ==, 0);
  /* Flat. */
  for (unsigned i = 0; i < CPUS; i++)
    set (r, i, VT_LAPIC_LDR, 1u << (24 + i));
  g_assert_cmpuint (reached (r, 0xfee05004, 0x41), ==, 5);
  g_assert_cmpuint (reached (r, 0xfeeff004, 0x41), ==, 7);
  g_assert_cmpuint (reached (r, 0xfee08004, 0x41), ==, 0);
  /* Lowest priority: one of them. */
  for (unsigned v = 0x40; v < 0x60; v++)
    {
      unsigned one = reached (r, 0xfee07004, 0x100 | v);
      g_assert_true (one == 1 || one == 2 || one == 4);
      g_assert_cmpuint (one, ==, reached (r, 0xfee07004, 0x100 | v));
    }
  set (r, 1, VT_LAPIC_SPURIOUS, 0xff);
  for (unsigned v = 0x40; v < 0x60; v++)
    {
      unsigned one = reached (r, 0xfee07004, 0x100 | v);
      g_assert_true (one == 1 || one == 4);
    }
  set (r, 1, VT_LAPIC_SPURIOUS, 0x1ff);
  /* Clusters. */
  for (unsigned i = 0; i < CPUS; i++)
    {
      set (r, i, VT_LAPIC_DFR, 0x0fffffff);
      set (r, i, VT_LAPIC_LDR, i < 2 ? 0x10000000u << 0 | 1u << (24 + i) : 0x21000000);
    }
  g_assert_cmphex (get (r, 0, VT_LAPIC_DFR), ==, 0x0fffffff);
  g_assert_cmpuint (reached (r, 0xfee13004, 0x41), ==, 3);
  g_assert_cmpuint (reached (r, 0xfee12004, 0x41), ==, 2);
  g_assert_cmpuint (reached (r, 0xfee2f004, 0x41), ==, 4);
  g_assert_cmpuint (reached (r, 0xfeeff004, 0x41), ==, 7);
  rig_finish (r);
}

static void
test_commands (void)
{
  RIG;
  uint8_t vector = 0;

  enable (r);
  set (r, 0, VT_LAPIC_ICR_HIGH, 0x02ffffff);
  set (r, 0, VT_LAPIC_ICR, 0x4041);
  g_assert_cmphex (get (r, 0, VT_LAPIC_ICR_HIGH), ==, 0x02000000);
  g_assert_cmphex (get (r, 0, VT_LAPIC_ICR), ==, 0x4041);
  assert_taken (2, 0x41);
  g_assert_false (interrupted (r, 0) || interrupted (r, 1));
  /* Self, all, all others. */
  set (r, 0, VT_LAPIC_ICR, 0x44050);
  assert_taken (0, 0x50);
  set (r, 0, VT_LAPIC_ICR, 0x84061);
  for (unsigned i = 0; i < CPUS; i++)
    assert_taken (i, 0x61);
  set (r, 0, VT_LAPIC_ICR, 0xc4072);
  g_assert_false (interrupted (r, 0));
  assert_taken (1, 0x72);
  assert_taken (2, 0x72);
  /* NMI, SMI, INIT and start-up go past software's switch. */
  set (r, 1, VT_LAPIC_SPURIOUS, 0xff);
  set (r, 0, VT_LAPIC_ICR_HIGH, 0x01000000);
  set (r, 0, VT_LAPIC_ICR, 0x4400);
  set (r, 0, VT_LAPIC_ICR, 0x4200);
  g_assert_cmphex (vt_lapic_take (r->cpu[1], 0x1f, NULL), ==, VT_CPU_SIGNAL_NMI | VT_CPU_SIGNAL_SMI);
  set (r, 1, VT_LAPIC_SPURIOUS, 0x1ff);
  set (r, 0, VT_LAPIC_ICR, 0xc500);
  set (r, 0, VT_LAPIC_ICR, 0x8500); /* The de-assert that old systems send. */
  set (r, 0, VT_LAPIC_ICR, 0x4699);
  g_assert_cmphex (r->cpu[1]->port.signals, ==, VT_CPU_SIGNAL_INIT | VT_CPU_SIGNAL_SIPI);
  g_assert_cmphex (vt_lapic_take (r->cpu[1], VT_CPU_SIGNAL_INIT, NULL), ==, VT_CPU_SIGNAL_INIT);
  /* INIT has reset it. */
  g_assert_cmphex (get (r, 1, VT_LAPIC_SPURIOUS), ==, 0xff);
  g_assert_cmphex (get (r, 1, VT_LAPIC_ID), ==, 0x01000000);
  g_assert_cmphex (vt_lapic_take (r->cpu[1], VT_CPU_SIGNAL_SIPI, &vector), ==, VT_CPU_SIGNAL_SIPI);
  g_assert_cmphex (vector, ==, 0x99);
  g_assert_cmphex (r->cpu[1]->port.signals, ==, 0);
  /* A later INIT drops an earlier start-up. */
  set (r, 0, VT_LAPIC_ICR, 0x4699);
  set (r, 0, VT_LAPIC_ICR, 0x4500);
  g_assert_cmphex (vt_lapic_take (r->cpu[1], 0x1f, NULL), ==, VT_CPU_SIGNAL_INIT);
  rig_finish (r);
}

static void
test_errors (void)
{
  RIG;
  enable (r);
  set (r, 0, VT_LAPIC_LVT_ERROR, 0xfe);
  set (r, 0, VT_LAPIC_ICR, 0x4005);
  assert_taken (0, 0xfe);
  g_assert_cmphex (get (r, 0, VT_LAPIC_ESR), ==, 0);
  set (r, 0, VT_LAPIC_ESR, 0);
  g_assert_cmphex (get (r, 0, VT_LAPIC_ESR), ==, 0x20);
  set (r, 0, VT_LAPIC_ESR, 0);
  g_assert_cmphex (get (r, 0, VT_LAPIC_ESR), ==, 0);
  set (r, 0, VT_LAPIC_EOI, 0);
  send (r, 0, 0x0f);
  assert_taken (0, 0xfe);
  get (r, 0, 0x040);
  set (r, 0, 0x3f0, 1);
  set (r, 0, VT_LAPIC_ESR, 0);
  g_assert_cmphex (get (r, 0, VT_LAPIC_ESR), ==, 0xc0);
  /* An error vector that is none: no end of errors. */
  set (r, 0, VT_LAPIC_EOI, 0);
  set (r, 0, VT_LAPIC_LVT_ERROR, 3);
  send (r, 0, 0x0f);
  g_assert_cmpint (vt_lapic_acknowledge (r->cpu[0]), ==, 0xfe);
  g_assert_cmpint (vt_lapic_acknowledge (r->cpu[0]), ==, -1);
  /* Bytes: reads inside a register's word work, writes do not. */
  g_assert_cmphex (vt_lapic_read (r->cpu[1], VT_LAPIC_ID + 3, 1), ==, 1);
  g_assert_cmphex (vt_lapic_read (r->cpu[1], VT_LAPIC_ID + 4, 4), ==, 0);
  vt_lapic_write (r->cpu[1], VT_LAPIC_TPR, 1, 0x20);
  g_assert_cmphex (get (r, 1, VT_LAPIC_TPR), ==, 0);
  rig_finish (r);
}

static void
test_pic (void)
{
  RIG;
  /* Through LINT0 of the first processor as it comes out of reset. */
  r->pic_vector = 0x24;
  vt_line_set (r->bus->intr, true);
  g_assert_cmpuint (r->kicks[0], ==, 1);
  g_assert_cmpuint (r->kicks[1], ==, 0);
  assert_taken (0, 0x24);
  g_assert_cmphex (get (r, 0, VT_LAPIC_ISR + 0x10), ==, 0);
  /* It comes before the APIC's own. */
  enable (r);
  send (r, 0, 0x80);
  assert_taken (0, 0x24);
  r->pic_vector = -1;
  assert_taken (0, 0x80);
  set (r, 0, VT_LAPIC_EOI, 0);
  g_assert_true (interrupted (r, 0));
  set (r, 0, VT_LAPIC_LVT_LINT0, 0x10700);
  g_assert_false (interrupted (r, 0));
  set (r, 0, VT_LAPIC_LVT_LINT0, 0x700);
  g_assert_true (interrupted (r, 0));
  vt_line_set (r->bus->intr, false);
  g_assert_false (interrupted (r, 0));
  /* As a vector, an NMI, and past an APIC that is off. */
  set (r, 0, VT_LAPIC_LVT_LINT0, 0x055);
  vt_line_pulse (r->bus->intr);
  assert_taken (0, 0x55);
  set (r, 0, VT_LAPIC_LVT_LINT0, 0x400);
  vt_line_pulse (r->bus->intr);
  g_assert_cmphex (vt_lapic_take (r->cpu[0], 0x1f, NULL), ==, VT_CPU_SIGNAL_NMI);
  g_assert_true (vt_lapic_write_msr (r->cpu[2], 0x1b, 0xfee00000));
  r->pic_vector = 0x21;
  vt_line_set (r->bus->intr, true);
  assert_taken (2, 0x21);
  rig_finish (r);
}

static void
pass (Rig *r, int64_t ns)
{
  vt_clock_advance (r->clock, ns);
}

static void
test_timer (void)
{
  RIG;
  enable (r);
  /* One shot, by 16. */
  set (r, 0, VT_LAPIC_DIVIDE, 3);
  set (r, 0, VT_LAPIC_LVT_TIMER, 0x40);
  set (r, 0, VT_LAPIC_INITIAL, 1000);
  g_assert_cmpuint (get (r, 0, VT_LAPIC_CURRENT), ==, 1000);
  pass (r, 1600);
  g_assert_cmpuint (get (r, 0, VT_LAPIC_CURRENT), ==, 900);
  pass (r, 14399);
  g_assert_false (interrupted (r, 0));
  g_assert_cmpuint (get (r, 0, VT_LAPIC_CURRENT), ==, 1);
  pass (r, 1);
  g_assert_cmpuint (r->kicks[0], ==, 1);
  assert_taken (0, 0x40);
  set (r, 0, VT_LAPIC_EOI, 0);
  g_assert_cmpuint (get (r, 0, VT_LAPIC_CURRENT), ==, 0);
  pass (r, VT_NS_PER_SEC);
  g_assert_false (interrupted (r, 0));
  /* For later, again and again: one timer that fires early. */
  set (r, 0, VT_LAPIC_DIVIDE, 0xb);
  for (unsigned i = 0; i < 10; i++)
    {
      set (r, 0, VT_LAPIC_INITIAL, 100000);
      pass (r, 50000);
      g_assert_false (interrupted (r, 0));
    }
  pass (r, 50000);
  assert_taken (0, 0x40);
  set (r, 0, VT_LAPIC_EOI, 0);
  /* For earlier. */
  set (r, 0, VT_LAPIC_INITIAL, 100000);
  set (r, 0, VT_LAPIC_INITIAL, 1000);
  pass (r, 1000);
  assert_taken (0, 0x40);
  set (r, 0, VT_LAPIC_EOI, 0);
  /* Stopped by 0; masked it counts and says nothing. */
  set (r, 0, VT_LAPIC_INITIAL, 1000);
  set (r, 0, VT_LAPIC_INITIAL, 0);
  pass (r, 5000);
  g_assert_false (interrupted (r, 0));
  set (r, 0, VT_LAPIC_LVT_TIMER, 0x10040);
  set (r, 0, VT_LAPIC_INITIAL, 1000);
  pass (r, 400);
  g_assert_cmpuint (get (r, 0, VT_LAPIC_CURRENT), ==, 600);
  set (r, 0, VT_LAPIC_LVT_TIMER, 0x40);
  pass (r, 600);
  assert_taken (0, 0x40);
  set (r, 0, VT_LAPIC_EOI, 0);
  set (r, 0, VT_LAPIC_LVT_TIMER, 0x10040);
  set (r, 0, VT_LAPIC_INITIAL, 1000);
  pass (r, 2000);
  set (r, 0, VT_LAPIC_LVT_TIMER, 0x40);
  g_assert_false (interrupted (r, 0));
  /* Periodic; a divider in mid-count. */
  set (r, 0, VT_LAPIC_LVT_TIMER, 0x20041);
  set (r, 0, VT_LAPIC_INITIAL, 100000);
  for (unsigned i = 0; i < 5; i++)
    {
      pass (r, 100000);
      assert_taken (0, 0x41);
      set (r, 0, VT_LAPIC_EOI, 0);
    }
  pass (r, 50000);
  set (r, 0, VT_LAPIC_DIVIDE, 0);
  g_assert_cmpuint (get (r, 0, VT_LAPIC_CURRENT), ==, 50000);
  pass (r, 99999);
  g_assert_false (interrupted (r, 0));
  pass (r, 1);
  assert_taken (0, 0x41);
  /* Shortest periods: what is missed is one interrupt, and the host lives. */
  set (r, 0, VT_LAPIC_EOI, 0);
  set (r, 0, VT_LAPIC_INITIAL, 1);
  pass (r, VT_NS_PER_SEC / 10);
  assert_taken (0, 0x41);
  rig_finish (r);
}

static void
test_deadline (void)
{
  RIG;
  uint64_t v;

  enable (r);
  g_assert_true (vt_lapic_write_msr (r->cpu[0], 0x6e0, 5000));
  g_assert_true (vt_lapic_read_msr (r->cpu[0], 0x6e0, &v));
  g_assert_cmpuint (v, ==, 0);
  set (r, 0, VT_LAPIC_LVT_TIMER, 0x40050);
  set (r, 0, VT_LAPIC_INITIAL, 1000);
  g_assert_cmpuint (get (r, 0, VT_LAPIC_INITIAL), ==, 0);
  /* TSC 5000 is 2000 ns. */
  g_assert_true (vt_lapic_write_msr (r->cpu[0], 0x6e0, 5000));
  pass (r, 1999);
  g_assert_true (vt_lapic_read_msr (r->cpu[0], 0x6e0, &v));
  g_assert_cmpuint (v, ==, 5000);
  g_assert_false (interrupted (r, 0));
  pass (r, 1);
  assert_taken (0, 0x50);
  set (r, 0, VT_LAPIC_EOI, 0);
  g_assert_true (vt_lapic_read_msr (r->cpu[0], 0x6e0, &v));
  g_assert_cmpuint (v, ==, 0);
  /* In the past: now. 0 disarms, and another mode does. */
  g_assert_true (vt_lapic_write_msr (r->cpu[0], 0x6e0, 1));
  assert_taken (0, 0x50);
  set (r, 0, VT_LAPIC_EOI, 0);
  g_assert_true (vt_lapic_write_msr (r->cpu[0], 0x6e0, 9000));
  g_assert_true (vt_lapic_write_msr (r->cpu[0], 0x6e0, 0));
  pass (r, 10000);
  g_assert_false (interrupted (r, 0));
  g_assert_true (vt_lapic_write_msr (r->cpu[0], 0x6e0, 90000));
  set (r, 0, VT_LAPIC_LVT_TIMER, 0x50);
  pass (r, 100000);
  g_assert_false (interrupted (r, 0));
  g_assert_true (vt_lapic_read_msr (r->cpu[0], 0x6e0, &v));
  g_assert_cmpuint (v, ==, 0);
  rig_finish (r);
}

static void
test_x2apic (void)
{
  RIG;
  uint64_t v;
  VtLapic *l = r->cpu[2];

  enable (r);
  g_assert_false (vt_lapic_read_msr (l, 0x802, &v));
  g_assert_false (vt_lapic_write_msr (l, 0x808, 0));
  /* The modes that there are ways to (11.12.5). */
  g_assert_false (vt_lapic_write_msr (l, 0x1b, 0xfee00400));
  g_assert_false (vt_lapic_write_msr (l, 0x1b, 0xfee00801));
  g_assert_true (vt_lapic_write_msr (l, 0x1b, 0xfee00c00));
  g_assert_false (vt_lapic_write_msr (l, 0x1b, 0xfee00800));
  g_assert_cmphex (l->port.page, ==, UINT64_MAX);
  g_assert_true (vt_lapic_read_msr (l, 0x802, &v));
  g_assert_cmphex (v, ==, 2);
  g_assert_true (vt_lapic_read_msr (l, 0x80d, &v));
  g_assert_cmphex (v, ==, 4);
  g_assert_true (vt_lapic_read_msr (l, 0x803, &v));
  g_assert_cmphex (v, ==, 0x50014);
  /* No such registers, read-only ones, reserved bits. */
  g_assert_false (vt_lapic_read_msr (l, 0x80e, &v));
  g_assert_false (vt_lapic_read_msr (l, 0x809, &v));
  g_assert_false (vt_lapic_read_msr (l, 0x831, &v));
  g_assert_false (vt_lapic_read_msr (l, 0x80b, &v));
  g_assert_false (vt_lapic_read_msr (l, 0x83f, &v));
  g_assert_false (vt_lapic_read_msr (l, 0x8ff, &v));
  g_assert_false (vt_lapic_write_msr (l, 0x802, 0));
  g_assert_false (vt_lapic_write_msr (l, 0x80d, 0));
  g_assert_false (vt_lapic_write_msr (l, 0x810, 0));
  g_assert_false (vt_lapic_write_msr (l, 0x80b, 1));
  g_assert_false (vt_lapic_write_msr (l, 0x828, 1));
  g_assert_false (vt_lapic_write_msr (l, 0x808, 0x100));
  g_assert_false (vt_lapic_write_msr (l, 0x80f, 0x1000));
  g_assert_false (vt_lapic_write_msr (l, 0x830, 1u << 16));
  g_assert_false (vt_lapic_write_msr (l, 0x832, 1u << 19));
  g_assert_true (vt_lapic_write_msr (l, 0x808, 0x30));
  g_assert_cmpuint (vt_lapic_cr8 (l), ==, 3);
  g_assert_true (vt_lapic_write_msr (l, 0x808, 0));
  /* Self, one destination by 32 bits, broadcast, logical. */
  g_assert_true (vt_lapic_write_msr (l, 0x83f, 0x61));
  assert_taken (2, 0x61);
  g_assert_true (vt_lapic_write_msr (l, 0x80b, 0));
  g_assert_true (vt_lapic_write_msr (l, 0x830, UINT64_C (1) << 32 | 0x62));
  assert_taken (1, 0x62);
  g_assert_true (vt_lapic_read_msr (l, 0x830, &v));
  g_assert_cmphex (v, ==, UINT64_C (1) << 32 | 0x62);
  g_assert_true (vt_lapic_write_msr (l, 0x830, UINT64_C (0xffffffff) << 32 | 0x73));
  for (unsigned i = 0; i < CPUS; i++)
    assert_taken (i, 0x73);
  g_assert_true (vt_lapic_write_msr (l, 0x830, UINT64_C (0x100) << 32 | 0x84));
  g_assert_false (interrupted (r, 0));
  g_assert_true (vt_lapic_write_msr (r->cpu[0], 0x1b, 0xfee00d00));
  g_assert_true (vt_lapic_write_msr (l, 0x830, UINT64_C (5) << 32 | 0x884));
  assert_taken (0, 0x84);
  assert_taken (2, 0x84);
  /* The page is gone, and comes back by way of off. */
  g_assert_true (vt_lapic_write_msr (l, 0x1b, 0xfee00000));
  send (r, 2, 0x4400);
  g_assert_cmphex (l->port.signals, ==, 0);
  g_assert_false (vt_lapic_write_msr (l, 0x1b, 0xfee00c00));
  g_assert_true (vt_lapic_write_msr (l, 0x1b, UINT64_C (0x100200800)));
  g_assert_cmphex (l->port.page, ==, UINT64_C (0x100200000));
  g_assert_cmphex (get (r, 2, VT_LAPIC_SPURIOUS), ==, 0xff);
  rig_finish (r);
}

static void
test_state (void)
{
  RIG;
  uint8_t  page[VT_LAPIC_PAGE];
  uint64_t base, deadline;

  enable (r);
  set (r, 0, VT_LAPIC_DIVIDE, 0xb);
  set (r, 0, VT_LAPIC_LVT_TIMER, 0x20041);
  set (r, 0, VT_LAPIC_INITIAL, 1000000);
  pass (r, 300000);
  send (r, 0, 0x52);
  send (r, 0, 0xc0a3);
  assert_taken (0, 0xa3);
  vt_device_pause (&r->cpu[0]->dev, NULL, NULL);
  vt_lapic_get (r->cpu[0], page, &base, &deadline);
  g_assert_cmpuint (vt_ld32 (page + VT_LAPIC_CURRENT), ==, 700000);
  g_assert_cmphex (vt_ld32 (page + VT_LAPIC_PPR), ==, 0xa0);
  /* Into another, at another time. */
  pass (r, 5000000);
  vt_device_pause (&r->cpu[1]->dev, NULL, NULL);
  g_assert_true (vt_lapic_set (r->cpu[1], page, base, deadline, NULL));
  vt_device_resume (&r->cpu[1]->dev);
  g_assert_cmpuint (get (r, 1, VT_LAPIC_CURRENT), ==, 700000);
  g_assert_false (interrupted (r, 1));
  set (r, 1, VT_LAPIC_EOI, 0);
  g_assert_cmphex (r->ended, ==, 0xa3);
  assert_taken (1, 0x52);
  set (r, 1, VT_LAPIC_EOI, 0);
  pass (r, 700000);
  assert_taken (1, 0x41);
  /* Bases that can't be are refused. */
  g_assert_false (vt_lapic_set (r->cpu[1], page, 0xfee00400, 0, NULL));
  g_assert_false (vt_lapic_set (r->cpu[1], page, 0xfee00801, 0, NULL));
  rig_finish (r);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/lapic/reset", test_reset);
  g_test_add_func ("/lapic/priorities", test_priorities);
  g_test_add_func ("/lapic/levels", test_levels);
  g_test_add_func ("/lapic/ticks", test_ticks);
  g_test_add_func ("/lapic/destinations", test_destinations);
  g_test_add_func ("/lapic/commands", test_commands);
  g_test_add_func ("/lapic/errors", test_errors);
  g_test_add_func ("/lapic/pic", test_pic);
  g_test_add_func ("/lapic/timer", test_timer);
  g_test_add_func ("/lapic/deadline", test_deadline);
  g_test_add_func ("/lapic/x2apic", test_x2apic);
  g_test_add_func ("/lapic/state", test_state);
  return g_test_run ();
}
