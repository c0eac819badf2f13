/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The LPC bridge: PM timer, sleep, power button, watchdog, PIRQ routing, reset control, APM, RCRB.
 */
#include "memory/space.h"
#include "pci/ich9-lpc.h"
#include "pci/q35-host.h"

#define PMBASE 0x600
#define RCBA 0xfed1c000u

enum
{
  RESET,
  RESET_FULL,
  POWEROFF,
  SUSPEND,
  WAKE,
  SMI,
  SMI_ALL,
  N_WIRES,
};

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtQ35Host *host;
  VtIch9Lpc *lpc;
  VtLine    *gsi_line[VT_ICH9_GSIS], *wire[N_WIRES];
  bool       gsi[VT_ICH9_GSIS];
  unsigned   pulses[N_WIRES];
} Fixture;

static void
gsi_cb (void *data, unsigned n, bool level)
{
  ((Fixture *) data)->gsi[n] = level;
}

static void
wire_cb (void *data, unsigned n, bool level)
{
  ((Fixture *) data)->pulses[n] += level;
}

static void
cfg (Fixture *f, unsigned offset, unsigned size, uint32_t value)
{
  vt_pci_bus_write (f->host->bus, 0, VT_ICH9_LPC_DEVFN, offset, size, value);
}

static uint32_t
cfg_read (Fixture *f, unsigned offset, unsigned size)
{
  return vt_pci_bus_read (f->host->bus, 0, VT_ICH9_LPC_DEVFN, offset, size);
}

static void
out (Fixture *f, unsigned port, unsigned size, uint32_t value)
{
  uint8_t v[4];

  vt_st32 (v, value);
  vt_space_write (f->space, VT_SPACE_IO, port, v, size);
}

static uint32_t
in (Fixture *f, unsigned port, unsigned size)
{
  uint8_t v[4] = { 0 };

  vt_space_read (f->space, VT_SPACE_IO, port, v, size);
  return vt_ld32 (v);
}

static uint32_t
mem (Fixture *f, uint64_t address)
{
  uint8_t v[4];

  vt_space_read (f->space, VT_SPACE_MEMORY, address, v, 4);
  return vt_ld32 (v);
}

static void
mem_set (Fixture *f, uint64_t address, unsigned size, uint32_t value)
{
  uint8_t v[4];

  vt_st32 (v, value);
  vt_space_write (f->space, VT_SPACE_MEMORY, address, v, size);
}

static void
setup (Fixture *f, gconstpointer data)
{
  VtDeviceEnv env;

  f->context = vt_context_new_manual ();
  f->clock = vt_clock_new_manual ();
  f->space = vt_space_new ();
  env = (VtDeviceEnv){ .context = f->context, .clock = f->clock, .space = f->space };
  f->host = (VtQ35Host *) vt_device_new (&vt_q35_host_class, "host", &env);
  g_assert_true (vt_device_realize (&f->host->fn.base, NULL));
  f->lpc = (VtIch9Lpc *) vt_device_new (&vt_ich9_lpc_class, "lpc", &env);
  f->lpc->fn.bus = f->host->bus;
  f->lpc->fn.devfn = VT_ICH9_LPC_DEVFN;
  for (unsigned i = 0; i < VT_ICH9_GSIS; i++)
    f->lpc->gsi[i] = f->gsi_line[i] = vt_line_new (gsi_cb, f, i);
  for (unsigned i = 0; i < N_WIRES; i++)
    f->wire[i] = vt_line_new (wire_cb, f, i);
  f->lpc->reset = f->wire[RESET];
  f->lpc->reset_full = f->wire[RESET_FULL];
  f->lpc->poweroff = f->wire[POWEROFF];
  f->lpc->suspend = f->wire[SUSPEND];
  f->lpc->wake = f->wire[WAKE];
  f->lpc->smi = f->wire[SMI];
  f->lpc->smi_all = f->wire[SMI_ALL];
  g_assert_true (vt_device_realize (&f->lpc->fn.base, NULL));
  vt_device_resume (&f->lpc->fn.base);
  cfg (f, 0x40, 4, PMBASE | 1);
  cfg (f, 0x44, 1, 0x80);
  cfg (f, 0xf0, 4, RCBA | 1);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_device_free (&f->lpc->fn.base);
  vt_device_free (&f->host->fn.base);
  for (unsigned i = 0; i < VT_ICH9_GSIS; i++)
    vt_line_free (f->gsi_line[i]);
  for (unsigned i = 0; i < N_WIRES; i++)
    vt_line_free (f->wire[i]);
  vt_space_free (f->space);
  vt_clock_free (f->clock);
  vt_context_free (f->context);
}

static void
test_config (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (cfg_read (f, 0, 4), ==, 0x29188086);
  g_assert_cmphex (cfg_read (f, 8, 4), ==, 0x06010002);
  g_assert_cmphex (cfg_read (f, 0xe, 1), ==, 0x80);
  g_assert_cmphex (cfg_read (f, 0x40, 4), ==, 0x601);
  g_assert_cmphex (cfg_read (f, 0x60, 4), ==, 0x80808080);
  cfg (f, 0x60, 1, 0xff);
  g_assert_cmphex (cfg_read (f, 0x60, 1), ==, 0x8f);
  /* The block moves, goes with ACPI_EN, and is never at port 0. */
  g_assert_cmphex (in (f, 0x670, 1), ==, 3);
  cfg (f, 0x40, 2, 0xb000);
  g_assert_cmphex (in (f, 0x670, 1), ==, 0xff);
  g_assert_cmphex (in (f, 0xb070, 1), ==, 3);
  cfg (f, 0x44, 1, 0);
  g_assert_cmphex (in (f, 0xb070, 1), ==, 0xff);
  cfg (f, 0x44, 1, 0x80);
  cfg (f, 0x40, 2, 0);
  g_assert_cmphex (in (f, 0x70, 1), ==, 0xff);
  /* SMI_LOCK stays. */
  cfg (f, 0xa0, 1, 0x10);
  cfg (f, 0xa0, 1, 0);
  g_assert_cmphex (cfg_read (f, 0xa0, 1), ==, 0x10);
  vt_device_reset (&f->lpc->fn.base, VT_RESET_WARM);
  g_assert_cmphex (cfg_read (f, 0xa0, 1), ==, 0);
}

static void
test_timer (Fixture *f, gconstpointer data)
{
  uint32_t before;

  g_assert_cmpuint (in (f, PMBASE + 8, 4), ==, 0);
  vt_clock_advance (f->clock, VT_NS_PER_SEC);
  g_assert_cmpuint (in (f, PMBASE + 8, 4), ==, 3579545);
  g_assert_cmpuint (in (f, PMBASE + 0xa, 1), ==, 3579545 >> 16);
  out (f, PMBASE + 8, 4, 0);
  g_assert_cmpuint (in (f, PMBASE + 8, 4), ==, 3579545);
  g_assert_cmphex (in (f, PMBASE, 2), ==, 0);
  /* 2^23 ticks take 2343484437.3 ns. */
  vt_clock_advance (f->clock, 1343484437);
  g_assert_cmphex (in (f, PMBASE, 2), ==, 0);
  g_assert_cmphex (in (f, PMBASE + 8, 4), ==, 0x7fffff);
  vt_clock_advance (f->clock, 1);
  g_assert_cmphex (in (f, PMBASE, 2), ==, 1);
  g_assert_cmphex (in (f, PMBASE + 8, 4), ==, 0x800000);
  /* Set already: nobody is woken for it. */
  g_assert_false (vt_timer_armed (f->lpc->pm.overflow));
  g_assert_false (f->gsi[9]);
  out (f, PMBASE + 4, 2, 1);
  out (f, PMBASE + 2, 2, 1);
  g_assert_true (f->gsi[9]);
  out (f, PMBASE, 2, 1);
  g_assert_false (f->gsi[9]);
  g_assert_true (vt_timer_armed (f->lpc->pm.overflow));
  /* The other turn of bit 23: the count goes round. */
  vt_clock_advance (f->clock, 2343484438);
  g_assert_true (f->gsi[9]);
  g_assert_cmphex (in (f, PMBASE + 8, 4), <, 4);
  /* Years later nothing has overflowed. */
  out (f, PMBASE + 2, 2, 0);
  vt_clock_set (f->clock, INT64_C (1000) * 86400 * VT_NS_PER_SEC);
  before = in (f, PMBASE + 8, 4);
  g_assert_cmphex (before, ==, UINT64_C (1000) * 86400 * 3579545 & 0xffffff);
  vt_clock_set (f->clock, INT64_MAX);
  in (f, PMBASE + 8, 4);
  out (f, PMBASE, 2, 1);
  vt_clock_set (f->clock, -5);
  g_assert_cmphex (in (f, PMBASE + 8, 4), ==, 0);
}

static void
test_sci_route (Fixture *f, gconstpointer data)
{
  out (f, PMBASE + 4, 2, 1);
  vt_clock_advance (f->clock, 3 * VT_NS_PER_SEC);
  out (f, PMBASE + 2, 2, 1);
  g_assert_true (f->gsi[9]);
  cfg (f, 0x44, 1, 0x82);
  g_assert_true (f->gsi[11] && !f->gsi[9]);
  cfg (f, 0x44, 1, 0x87);
  g_assert_true (f->gsi[23] && !f->gsi[11]);
  cfg (f, 0x44, 1, 0x80);
  /* SCI_EN by the APM port. */
  out (f, 0xb2, 1, VT_ICH9_ACPI_DISABLE);
  g_assert_cmphex (in (f, PMBASE + 4, 2), ==, 0);
  g_assert_false (f->gsi[9]);
  out (f, 0xb2, 1, VT_ICH9_ACPI_ENABLE);
  g_assert_cmphex (in (f, PMBASE + 4, 2), ==, 1);
  g_assert_true (f->gsi[9]);
  out (f, 0xb3, 1, 0x77);
  g_assert_cmphex (in (f, 0xb2, 2), ==, 0x7702);
  /* Anything else is an SMI: told in the status, on the wire only with the global enable. */
  g_assert_cmphex (in (f, PMBASE + 0x30, 4), ==, 0);
  out (f, 0xb2, 1, 0x42);
  g_assert_cmphex (in (f, PMBASE + 0x34, 4), ==, 0);
  out (f, PMBASE + 0x30, 4, 0x20);
  out (f, 0xb2, 1, 0x42);
  g_assert_cmphex (in (f, PMBASE + 0x34, 4), ==, 0x20);
  g_assert_cmpuint (f->pulses[SMI], ==, 0);
  out (f, PMBASE + 0x30, 4, 0x21);
  out (f, 0xb2, 1, 0x42);
  g_assert_cmpuint (f->pulses[SMI], ==, 1);
  /* A general purpose event. */
  out (f, PMBASE + 2, 2, 0);
  g_assert_false (f->gsi[9]);
  vt_ich9_pm_gpe (&f->lpc->pm, 33);
  vt_ich9_pm_gpe (&f->lpc->pm, 64);
  g_assert_cmphex (in (f, PMBASE + 0x24, 4), ==, 2);
  out (f, PMBASE + 0x2c, 1, 2);
  g_assert_true (f->gsi[9]);
  out (f, PMBASE + 0x24, 1, 2);
  g_assert_false (f->gsi[9]);
}

/* Whom an SMI goes to: firmware and chipset agree once, and that is saved. */
static void
test_smi (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) saved = g_byte_array_new ();

  out (f, PMBASE + 0x30, 4, 0x21);
  vt_ich9_lpc_request_smi (f->lpc, VT_ICH9_SMI_FEATURES + 1);
  g_assert_false (vt_ich9_lpc_agree_smi (f->lpc));
  out (f, 0xb2, 1, 0x42);
  g_assert_cmpuint (f->pulses[SMI], ==, 1);
  g_assert_cmpuint (f->pulses[SMI_ALL], ==, 0);
  vt_ich9_lpc_request_smi (f->lpc, VT_ICH9_SMI_BROADCAST);
  out (f, 0xb2, 1, 0x42);
  g_assert_cmpuint (f->pulses[SMI_ALL], ==, 0);
  g_assert_true (vt_ich9_lpc_agree_smi (f->lpc));
  out (f, 0xb2, 1, 0x42);
  g_assert_cmpuint (f->pulses[SMI], ==, 2);
  g_assert_cmpuint (f->pulses[SMI_ALL], ==, 1);
  /* It holds, whatever is asked for later. */
  vt_ich9_lpc_request_smi (f->lpc, 0);
  g_assert_true (vt_ich9_lpc_agree_smi (f->lpc));
  out (f, 0xb2, 1, 0x42);
  g_assert_cmpuint (f->pulses[SMI_ALL], ==, 2);
  vt_device_save (&f->lpc->fn.base, saved);
  vt_device_reset (&f->lpc->fn.base, VT_RESET_COLD);
  cfg (f, 0x40, 4, PMBASE | 1);
  cfg (f, 0x44, 1, 0x80);
  out (f, PMBASE + 0x30, 4, 0x21);
  out (f, 0xb2, 1, 0x42);
  g_assert_cmpuint (f->pulses[SMI], ==, 3);
  g_assert_true (vt_device_load (&f->lpc->fn.base, 2, saved->data, saved->len, NULL));
  vt_device_commit (&f->lpc->fn.base);
  out (f, 0xb2, 1, 0x42);
  g_assert_cmpuint (f->pulses[SMI], ==, 3);
  g_assert_cmpuint (f->pulses[SMI_ALL], ==, 3);
  /* SMI_LOCK: the switch stays on. */
  cfg (f, 0xa0, 2, 0x10);
  out (f, PMBASE + 0x30, 4, 0);
  g_assert_cmphex (in (f, PMBASE + 0x30, 4), ==, 1);
}

static void
test_sleep (Fixture *f, gconstpointer data)
{
  static const struct
  {
    unsigned type, wire;
  } cases[] = { { 0, POWEROFF }, { 2, POWEROFF }, { 6, POWEROFF }, { 7, POWEROFF },
                { 1, SUSPEND },  { 5, SUSPEND },  { 3, N_WIRES },  { 4, N_WIRES } };

  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      memset (f->pulses, 0, sizeof f->pulses);
      out (f, PMBASE + 4, 2, cases[i].type << 10);
      g_assert_cmpuint (f->pulses[POWEROFF] + f->pulses[SUSPEND], ==, 0);
      out (f, PMBASE + 4, 2, cases[i].type << 10 | 1 << 13);
      g_assert_cmpuint (f->pulses[POWEROFF], ==, cases[i].wire == POWEROFF);
      g_assert_cmpuint (f->pulses[SUSPEND], ==, cases[i].wire == SUSPEND);
      g_assert_cmphex (in (f, PMBASE + 4, 2), ==, cases[i].type << 10);
    }
  /* By its upper byte, as some do. */
  memset (f->pulses, 0, sizeof f->pulses);
  out (f, PMBASE + 5, 1, 0x20 | 7 << 2);
  g_assert_cmpuint (f->pulses[POWEROFF], ==, 1);
}

static void
test_wake (Fixture *f, gconstpointer data)
{
  out (f, PMBASE + 2, 2, 1 << 10);
  out (f, PMBASE + 4, 2, 1 << 10 | 1 << 13);
  g_assert_cmpuint (f->pulses[SUSPEND], ==, 1);
  vt_ich9_pm_rtc (&f->lpc->pm);
  g_assert_cmpuint (f->pulses[WAKE], ==, 1);
  vt_device_reset (&f->lpc->fn.base, VT_RESET_WARM);
  cfg (f, 0x40, 4, PMBASE | 1);
  cfg (f, 0x44, 1, 0x80);
  g_assert_cmphex (in (f, PMBASE, 2), ==, 0x8400);
  vt_device_reset (&f->lpc->fn.base, VT_RESET_COLD);
  cfg (f, 0x40, 4, PMBASE | 1);
  cfg (f, 0x44, 1, 0x80);
  g_assert_cmphex (in (f, PMBASE, 2), ==, 0);
  vt_ich9_pm_rtc (&f->lpc->pm);
  g_assert_cmpuint (f->pulses[WAKE], ==, 1);
}

static void
test_button (Fixture *f, gconstpointer data)
{
  VtLine *button = f->lpc->power_button;

  out (f, PMBASE + 4, 2, 1);
  out (f, PMBASE + 2, 2, 1 << 8);
  /* A press that ends before anybody looks is a press. */
  vt_line_pulse (button);
  g_assert_false (f->gsi[9]);
  vt_context_dispatch (f->context);
  g_assert_cmphex (in (f, PMBASE, 2), ==, 0x100);
  g_assert_true (f->gsi[9]);
  out (f, PMBASE, 2, 0x100);
  g_assert_false (f->gsi[9]);
  vt_clock_advance (f->clock, 10 * VT_NS_PER_SEC);
  g_assert_cmpuint (f->pulses[POWEROFF], ==, 0);
  /* Held. */
  vt_line_set (button, true);
  vt_context_dispatch (f->context);
  vt_clock_advance (f->clock, 3900 * VT_NS_PER_MS);
  g_assert_cmpuint (f->pulses[POWEROFF], ==, 0);
  vt_clock_advance (f->clock, 200 * VT_NS_PER_MS);
  g_assert_cmpuint (f->pulses[POWEROFF], ==, 1);
  g_assert_cmphex (in (f, PMBASE, 2) & 0x900, ==, 0x900);
  vt_line_set (button, false);
  vt_context_dispatch (f->context);
  /* It wakes too. */
  out (f, PMBASE + 4, 2, 1 << 10 | 1 << 13);
  vt_line_pulse (button);
  vt_context_dispatch (f->context);
  g_assert_cmpuint (f->pulses[WAKE], ==, 1);
}

static void
test_watchdog (Fixture *f, gconstpointer data)
{
  const int64_t tick = 600 * VT_NS_PER_MS;

  /* Stands until it is told to run. */
  vt_clock_advance (f->clock, 100 * tick);
  g_assert_cmphex (in (f, PMBASE + 0x64, 2), ==, 0);
  g_assert_cmphex (in (f, PMBASE + 0x60, 2), ==, 4);
  out (f, PMBASE + 0x72, 2, 10);
  out (f, PMBASE + 0x60, 2, 1);
  vt_clock_advance (f->clock, 3 * tick);
  g_assert_cmphex (in (f, PMBASE + 0x60, 2), ==, 7);
  out (f, PMBASE + 0x60, 2, 1);
  vt_clock_advance (f->clock, 9 * tick);
  g_assert_cmphex (in (f, PMBASE + 0x64, 2), ==, 0);
  vt_clock_advance (f->clock, tick);
  g_assert_cmphex (in (f, PMBASE + 0x64, 2), ==, 8);
  vt_clock_advance (f->clock, 10 * tick);
  g_assert_cmphex (in (f, PMBASE + 0x66, 2), ==, 6);
  g_assert_cmpuint (f->pulses[RESET], ==, 0); /* The strap forbids it. */
  /* Without the strap. */
  mem_set (f, RCBA + 0x3410, 4, 0);
  out (f, PMBASE + 0x60, 2, 1);
  vt_clock_advance (f->clock, 20 * tick);
  g_assert_cmpuint (f->pulses[RESET], ==, 1);
  vt_clock_advance (f->clock, 100 * tick);
  g_assert_cmpuint (f->pulses[RESET], ==, 1);
  /* Halted. */
  out (f, PMBASE + 0x60, 2, 1);
  out (f, PMBASE + 0x68, 2, 0x800);
  vt_clock_advance (f->clock, 100 * tick);
  g_assert_cmpuint (f->pulses[RESET], ==, 1);
  /* The lock keeps itself. */
  out (f, PMBASE + 0x68, 2, 0x1800);
  out (f, PMBASE + 0x68, 2, 0);
  g_assert_cmphex (in (f, PMBASE + 0x68, 2), ==, 0x1000);
}

static void
test_reset_control (Fixture *f, gconstpointer data)
{
  out (f, 0xcf9, 1, 2);
  g_assert_cmpuint (f->pulses[RESET], ==, 0);
  out (f, 0xcf9, 1, 6);
  g_assert_cmpuint (f->pulses[RESET], ==, 1);
  g_assert_cmphex (in (f, 0xcf9, 1), ==, 6);
  /* Only the rise. */
  out (f, 0xcf9, 1, 6);
  g_assert_cmpuint (f->pulses[RESET], ==, 1);
  out (f, 0xcf9, 1, 0);
  out (f, 0xcf9, 1, 0xe);
  g_assert_cmpuint (f->pulses[RESET], ==, 1);
  g_assert_cmpuint (f->pulses[RESET_FULL], ==, 1);
  out (f, 0xcf9, 1, 0);
  out (f, 0xcf9, 1, 4);
  g_assert_cmpuint (f->pulses[RESET], ==, 2);
  /* A dword to the latch is not a reset. */
  out (f, 0xcf9, 1, 0);
  out (f, 0xcf8, 4, 0x80000600);
  g_assert_cmpuint (f->pulses[RESET], ==, 2);
  vt_device_reset (&f->lpc->fn.base, VT_RESET_WARM);
  g_assert_cmphex (in (f, 0xcf9, 1), ==, 0);
}

/* A wire of the root bus by slot and pin, as a function's interrupt would drive it. */
typedef struct
{
  VtPciFunction fn;
  uint8_t       pin;
  VtPciState    state;
} Source;

static bool
source_realize (VtDevice *dev, GError **error)
{
  Source         *s = (Source *) dev;
  const VtPciInfo info = { .vendor = 1, .device = 1, .interrupt_pin = s->pin };

  vt_pci_function_init (&s->fn, &s->state, &info);
  return true;
}

static void
source_unrealize (VtDevice *dev)
{
  vt_pci_function_finish (&((Source *) dev)->fn);
}

static const VtDeviceClass source_class = {
  .id = "source",
  .size = sizeof (Source),
  .state_offset = offsetof (Source, state),
  .state = &vt_pci_state,
  .flags = VT_DEVICE_PCI,
  .realize = source_realize,
  .unrealize = source_unrealize,
};

static Source *
source (Fixture *f, unsigned slot, unsigned pin)
{
  VtDeviceEnv env = { .context = f->context, .clock = f->clock, .space = f->space };
  Source     *s = (Source *) vt_device_new (&source_class, "source", &env);

  s->fn.bus = f->host->bus;
  s->fn.devfn = VT_PCI_DEVFN (slot, 1);
  s->pin = (uint8_t) (pin + 1);
  g_assert_true (vt_device_realize (&s->fn.base, NULL));
  return s;
}

static void
test_pirq (Fixture *f, gconstpointer data)
{
  for (unsigned slot = 0; slot < VT_PCI_SLOTS; slot++)
    for (unsigned pin = 0; pin < VT_PCI_PINS; pin++)
      {
        Source  *s = source (f, slot, pin);
        unsigned gsi = 16 + vt_ich9_default_pirq (slot, pin);

        vt_pci_intx (&s->fn, true);
        for (unsigned i = 0; i < VT_ICH9_GSIS; i++)
          g_assert_cmpint (f->gsi[i], ==, i == gsi);
        vt_pci_intx (&s->fn, false);
        g_assert_false (f->gsi[gsi]);
        vt_device_free (&s->fn.base);
      }
  g_assert_cmpuint (vt_ich9_default_pirq (2, 0), ==, 6);
  g_assert_cmpuint (vt_ich9_default_pirq (31, 0), ==, 0);
  g_assert_cmpuint (vt_ich9_default_pirq (30, 1), ==, 1);
}

static void
test_pirq_moves (Fixture *f, gconstpointer data)
{
  Source *a = source (f, 31, 0), *b = source (f, 2, 2);

  vt_pci_intx (&a->fn, true);
  g_assert_true (f->gsi[16]);
  cfg (f, 0x60, 1, 10);
  g_assert_true (f->gsi[10] && f->gsi[16]);
  cfg (f, 0x60, 1, 11);
  g_assert_true (f->gsi[11] && !f->gsi[10]);
  /* Two on one interrupt. Slot 2 pin C: E + (2 + 2) % 4. */
  cfg (f, 0x68, 1, 11);
  vt_pci_intx (&b->fn, true);
  g_assert_true (f->gsi[20]);
  vt_pci_intx (&a->fn, false);
  g_assert_true (f->gsi[11] && !f->gsi[16]);
  vt_pci_intx (&b->fn, false);
  g_assert_false (f->gsi[11]);
  /* Reserved choices and the off bit go nowhere. */
  vt_pci_intx (&a->fn, true);
  for (unsigned irq = 0; irq < 16; irq++)
    {
      bool allowed = irq >= 3 && irq != 8 && irq != 13;

      cfg (f, 0x60, 1, irq);
      g_assert_cmpint (f->gsi[irq], ==, allowed);
      cfg (f, 0x60, 1, 0x80 | irq);
      g_assert_false (f->gsi[irq]);
    }
  /* D31IR: pin A to PIRQ H. */
  mem_set (f, RCBA + 0x3140, 2, 0x3217);
  g_assert_true (f->gsi[23] && !f->gsi[16]);
  g_assert_cmphex (mem (f, RCBA + 0x3140), ==, 0x3217);
  /* D30IR is read-only; unknown registers read as zero. */
  mem_set (f, RCBA + 0x3142, 2, 0xffff);
  g_assert_cmphex (mem (f, RCBA + 0x3140), ==, 0x3217);
  mem_set (f, RCBA + 0x1000, 4, 0xffff);
  g_assert_cmphex (mem (f, RCBA + 0x1000), ==, 0);
  vt_device_reset (&f->lpc->fn.base, VT_RESET_WARM);
  g_assert_true (f->gsi[16] && !f->gsi[23]);
  vt_device_free (&a->fn.base);
  vt_device_free (&b->fn.base);
}

static void
test_load (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) saved = g_byte_array_new (), again = g_byte_array_new ();

  out (f, PMBASE + 4, 2, 1);
  vt_clock_advance (f->clock, 3 * VT_NS_PER_SEC);
  out (f, PMBASE + 2, 2, 1);
  out (f, PMBASE + 0x60, 2, 1);
  vt_device_save (&f->lpc->fn.base, saved);
  vt_device_reset (&f->lpc->fn.base, VT_RESET_COLD);
  g_assert_false (f->gsi[9]);
  g_assert_true (vt_device_load (&f->lpc->fn.base, 2, saved->data, saved->len, NULL));
  vt_device_commit (&f->lpc->fn.base);
  vt_device_save (&f->lpc->fn.base, again);
  g_assert_cmpmem (saved->data, saved->len, again->data, again->len);
  /* No edge for the interrupt controller, whose state has it; its end comes through. */
  g_assert_false (f->gsi[9]);
  f->gsi[9] = true;
  out (f, PMBASE, 2, 1);
  g_assert_false (f->gsi[9]);
  /* The watchdog runs on. */
  vt_clock_advance (f->clock, 3 * VT_NS_PER_SEC);
  g_assert_cmphex (in (f, PMBASE + 0x64, 2), ==, 8);
}

static void
test_hostile (Fixture *f, gconstpointer data)
{
  GRand *rand = g_rand_new_with_seed (31);

  for (unsigned i = 0; i < 30000; i++)
    {
      uint32_t value = g_rand_int (rand) >> (g_rand_int (rand) % 32);
      unsigned size = 1u << (g_rand_int (rand) % 3);

      switch (g_rand_int (rand) % 6)
        {
        case 0:
          cfg (f, 0x40 + g_rand_int (rand) % 0xc0, size, value);
          break;
        case 1:
          out (f, (cfg_read (f, 0x40, 2) & 0xff80) + g_rand_int (rand) % 132, size, value);
          break;
        case 2:
          in (f, PMBASE + g_rand_int (rand) % 132, size);
          break;
        case 3:
          mem_set (f, RCBA + 0x3100 + g_rand_int (rand) % 0x340, size, value);
          break;
        case 4:
          out (f, 0xb2 + g_rand_int (rand) % 2, size, value);
          out (f, 0xcf9, 1, value);
          break;
        default:
          vt_clock_advance (f->clock, value);
          vt_line_set (f->lpc->power_button, value & 1);
          vt_context_dispatch (f->context);
        }
      if (i % 64 == 0)
        {
          cfg (f, 0x40, 4, PMBASE | 1);
          cfg (f, 0x44, 1, 0x80);
          cfg (f, 0xf0, 4, RCBA | 1);
        }
    }
  g_rand_free (rand);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/ich9-lpc/" name, Fixture, NULL, setup, func, teardown)
  ADD ("config", test_config);
  ADD ("pm-timer", test_timer);
  ADD ("sci", test_sci_route);
  ADD ("smi", test_smi);
  ADD ("sleep", test_sleep);
  ADD ("wake", test_wake);
  ADD ("power-button", test_button);
  ADD ("watchdog", test_watchdog);
  ADD ("reset-control", test_reset_control);
  ADD ("pirq", test_pirq);
  ADD ("pirq-moves", test_pirq_moves);
  ADD ("load", test_load);
  ADD ("hostile", test_hostile);
  return g_test_run ();
}
