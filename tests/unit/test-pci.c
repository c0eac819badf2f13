/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PCI functions and buses: configuration space, BARs, MSI, MSI-X, INTx, bridges, both configuration
 * mechanisms, and random registers.
 */
#include "memory/space.h"
#include "vt-pci-bus.h"

/* A toy: BAR 0 64 KiB of memory, BAR 1 of 32 ports, BARs 2 and 3 one 64-bit region of 1 MiB, BAR 4
 * MSI-X, and a ROM. Register 0 of BAR 0 moves BAR 0 from inside the handler. */
typedef struct
{
  VtPciState     pci;
  VtPciMsixState msix;
  uint32_t       scratch, pad_;
} ToyState;

typedef struct
{
  VtPciFunction fn;
  bool          express;
  uint8_t       pin;
  unsigned      n_msi;
  unsigned      resets, bus_resets;
  ToyState      state;
} Toy;

static const VtStateField toy_fields[] = {
  VT_STATE_STRUCT (ToyState, pci, &vt_pci_state),
  VT_STATE_STRUCT (ToyState, msix, &vt_pci_msix_state),
  VT_STATE (ToyState, scratch),
  VT_STATE (ToyState, pad_),
};
static const VtStateDesc toy_state = VT_STATE_DESC (ToyState, 1, toy_fields, NULL);

static uint64_t
toy_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return offset == 0 ? ((Toy *) dev)->state.scratch : 0x11110000 + offset;
}

static void
toy_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  Toy *toy = (Toy *) dev;

  if (offset == 0)
    toy->state.scratch = (uint32_t) value;
  else if (offset == 4)
    vt_pci_config_write (&toy->fn, VT_PCI_BAR0, 4, (uint32_t) value);
}

static const VtRegionOps toy_ops = {
  .name = "toy", .min_size = 4, .max_size = 4, .read = toy_read, .write = toy_write
};

static bool
toy_realize (VtDevice *dev, GError **error)
{
  Toy            *toy = (Toy *) dev;
  const VtPciInfo info = { .vendor = 0x1234,
                           .device = 0x5678,
                           .revision = 3,
                           .class_code = 0x0c0330,
                           .subsystem_vendor = 0x1af4,
                           .subsystem = 0x1100,
                           .interrupt_pin = toy->pin,
                           .express = toy->express };

  vt_pci_function_init (&toy->fn, &toy->state.pci, &info);
  vt_pci_add_bar (&toy->fn, 0, vt_device_add_region (dev, VT_SPACE_MEMORY, &toy_ops, 64 * VT_KIB),
                  VT_PCI_BAR_32);
  vt_pci_add_bar (&toy->fn, 1, vt_device_add_region (dev, VT_SPACE_IO, &toy_ops, 32), VT_PCI_BAR_32);
  vt_pci_add_bar (&toy->fn, 2, vt_device_add_region (dev, VT_SPACE_MEMORY, &toy_ops, VT_MIB),
                  VT_PCI_BAR_64 | VT_PCI_BAR_PREFETCH);
  vt_pci_add_msix (&toy->fn, &toy->state.msix, 4, 4, 4096, 0x800, 0xc00, NULL);
  if (toy->n_msi > 0)
    vt_pci_add_msi (&toy->fn, 0, toy->n_msi);
  vt_pci_add_rom (&toy->fn, vt_device_add_region (dev, VT_SPACE_MEMORY, &toy_ops, 4096));
  return true;
}

static void
toy_unrealize (VtDevice *dev)
{
  vt_pci_function_finish (&((Toy *) dev)->fn);
}

static void
toy_reset (VtDevice *dev, VtResetKind kind)
{
  Toy *toy = (Toy *) dev;

  toy->resets++;
  toy->bus_resets += kind == VT_RESET_BUS;
  toy->state.scratch = 0;
  vt_pci_function_reset (&toy->fn, kind);
}

static void
toy_loaded (VtDevice *dev)
{
  vt_pci_function_loaded (&((Toy *) dev)->fn);
}

static const VtDeviceClass toy_class = {
  .id = "toy",
  .spec = "none",
  .size = sizeof (Toy),
  .state_offset = offsetof (Toy, state),
  .state = &toy_state,
  .flags = VT_DEVICE_PCI,
  .realize = toy_realize,
  .unrealize = toy_unrealize,
  .reset = toy_reset,
  .loaded = toy_loaded,
};

/* A bridge and nothing else. */
typedef struct
{
  VtPciFunction fn;
  VtPciBus     *secondary;
  VtPciState    state;
} Bridge;

static bool
bridge_realize (VtDevice *dev, GError **error)
{
  Bridge         *b = (Bridge *) dev;
  const VtPciInfo info = { .vendor = 0x1b36, .device = 1, .class_code = 0x060400 };

  vt_pci_function_init (&b->fn, &b->state, &info);
  b->secondary = vt_pci_bridge_init (&b->fn);
  return true;
}

static void
bridge_unrealize (VtDevice *dev)
{
  vt_pci_function_finish (&((Bridge *) dev)->fn);
}

static void
bridge_reset (VtDevice *dev, VtResetKind kind)
{
  vt_pci_function_reset (&((Bridge *) dev)->fn, kind);
}

static void
bridge_loaded (VtDevice *dev)
{
  vt_pci_function_loaded (&((Bridge *) dev)->fn);
}

static const VtDeviceClass bridge_class = {
  .id = "bridge",
  .spec = "none",
  .size = sizeof (Bridge),
  .state_offset = offsetof (Bridge, state),
  .state = &vt_pci_state,
  .flags = VT_DEVICE_PCI,
  .realize = bridge_realize,
  .unrealize = bridge_unrealize,
  .reset = bridge_reset,
  .loaded = bridge_loaded,
};

/* The fixture ------------------------------------------------------------------------------------- */

typedef struct
{
  VtContext *context, *other;
  VtClock   *clock;
  VtSpace   *space;
  VtRam     *ram;
  VtPciBus  *root;
  unsigned   n_msi;
  uint64_t   msi_address;
  uint32_t   msi_data;
  bool       gsi[8];
  unsigned   gsi_changes;
  VtLine    *lines[8];
  VtPciRoute *routes[8];
} Fixture;

static void
msi_send_cb (void *data, uint64_t address, uint32_t message)
{
  Fixture *f = data;

  f->n_msi++;
  f->msi_address = address;
  f->msi_data = message;
}

static const VtMsiSinkOps msi_ops = { .send = msi_send_cb };

static void
gsi_cb (void *data, unsigned n, bool level)
{
  Fixture *f = data;

  f->gsi[n] = level;
  f->gsi_changes++;
}

static void
setup (Fixture *f, gconstpointer data)
{
  VtMsiSink sink = { .ops = &msi_ops, .data = f };

  f->context = vt_context_new_manual ();
  f->other = vt_context_new_manual ();
  f->clock = vt_clock_new_manual ();
  f->space = vt_space_new ();
  f->ram = vt_ram_new ("ram", VT_MIB, NULL);
  vt_space_map_ram (f->space, f->ram, 0, VT_MIB, 0, 0);
  f->root = vt_pci_bus_new ("pci.0", &sink);
  for (unsigned i = 0; i < 8; i++)
    {
      f->lines[i] = vt_line_new (gsi_cb, f, i);
      f->routes[i] = vt_pci_route_new (NULL);
      vt_pci_route_end_at (f->routes[i], f->lines[i], false);
    }
  for (unsigned slot = 0; slot < VT_PCI_SLOTS; slot++)
    for (unsigned pin = 0; pin < VT_PCI_PINS; pin++)
      vt_pci_bus_set_route (f->root, slot, pin, f->routes[4 + (slot + pin) % 4], false);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_pci_bus_free (f->root);
  for (unsigned i = 0; i < 8; i++)
    {
      vt_pci_route_free (f->routes[i]);
      vt_line_free (f->lines[i]);
    }
  vt_space_free (f->space);
  vt_ram_free (f->ram);
  vt_clock_free (f->clock);
  vt_context_free (f->other);
  vt_context_free (f->context);
}

/* A toy that is not realized yet. */
static Toy *
toy_new (Fixture *f, VtPciBus *bus, uint8_t devfn, VtContext *context)
{
  VtDeviceEnv env = { .context = context, .clock = f->clock, .space = f->space };
  Toy        *toy = (Toy *) vt_device_new (&toy_class, "toy", &env);

  toy->fn.bus = bus;
  toy->fn.devfn = devfn;
  toy->pin = 1;
  return toy;
}

static Toy *
toy_realized (Fixture *f, VtPciBus *bus, uint8_t devfn)
{
  Toy *toy = toy_new (f, bus, devfn, f->context);

  g_assert_true (vt_device_realize (&toy->fn.base, NULL));
  return toy;
}

static void
toy_free (Toy *toy)
{
  vt_device_free (&toy->fn.base);
}

static uint32_t
cfg (Toy *toy, unsigned offset, unsigned size)
{
  return vt_pci_config_read (&toy->fn, offset, size);
}

static void
set (Toy *toy, unsigned offset, unsigned size, uint32_t value)
{
  vt_pci_config_write (&toy->fn, offset, size, value);
}

static uint32_t
mem (Fixture *f, uint64_t address)
{
  uint8_t v[4];

  vt_space_read (f->space, VT_SPACE_MEMORY, address, v, 4);
  return vt_ld32 (v);
}

static void
mem_set (Fixture *f, uint64_t address, uint32_t value)
{
  uint8_t v[4];

  vt_st32 (v, value);
  vt_space_write (f->space, VT_SPACE_MEMORY, address, v, 4);
}

/* The offset of capability @id, following the list. */
static unsigned
capability (Toy *toy, uint8_t id)
{
  unsigned at = cfg (toy, VT_PCI_CAPABILITIES, 1), left = 48;

  while (at != 0 && cfg (toy, at, 1) != id && left-- > 0)
    at = cfg (toy, at + 1, 1);
  g_assert_cmpuint (at, >=, 0x40);
  return at;
}

/* Tests --------------------------------------------------------------------------------------------- */

static void
test_header (Fixture *f, gconstpointer data)
{
  Toy *toy = toy_realized (f, NULL, 0);

  g_assert_cmphex (cfg (toy, 0, 4), ==, 0x56781234);
  g_assert_cmphex (cfg (toy, 8, 4), ==, 0x0c033003);
  g_assert_cmphex (cfg (toy, 0x2c, 4), ==, 0x11001af4);
  g_assert_cmphex (cfg (toy, VT_PCI_INTERRUPT_PIN, 1), ==, 1);
  g_assert_cmphex (cfg (toy, VT_PCI_STATUS, 2), ==, 0x10);
  set (toy, 0, 4, 0xffffffff);
  g_assert_cmphex (cfg (toy, 0, 4), ==, 0x56781234);
  set (toy, VT_PCI_COMMAND, 4, 0xffffffff);
  g_assert_cmphex (cfg (toy, VT_PCI_COMMAND, 4), ==, 0x00100507);
  /* Conventional: no extended space. Out of range and odd sizes. */
  g_assert_cmphex (cfg (toy, 256, 4), ==, UINT32_MAX);
  g_assert_cmphex (cfg (toy, 254, 4), ==, UINT32_MAX);
  g_assert_cmphex (cfg (toy, UINT_MAX, 4), ==, UINT32_MAX);
  set (toy, UINT_MAX - 1, 4, 1);
  set (toy, 4094, 8, 1);
  /* Write one to clear. */
  vt_pci_set_default (&toy->fn, VT_PCI_STATUS, 2, 0xf910);
  set (toy, VT_PCI_STATUS, 2, 0x8000);
  g_assert_cmphex (cfg (toy, VT_PCI_STATUS, 2), ==, 0x7910);
  toy_free (toy);
}

static void
test_sizing (Fixture *f, gconstpointer data)
{
  Toy *toy = toy_realized (f, f->root, 8);

  for (unsigned n = 0; n < 6; n++)
    set (toy, VT_PCI_BAR0 + 4 * n, 4, 0xffffffff);
  g_assert_cmphex (cfg (toy, 0x10, 4), ==, 0xffff0000);
  g_assert_cmphex (cfg (toy, 0x14, 4), ==, 0xffffffe1);
  g_assert_cmphex (cfg (toy, 0x18, 4), ==, 0xfff0000c);
  g_assert_cmphex (cfg (toy, 0x1c, 4), ==, 0xffffffff);
  g_assert_cmphex (cfg (toy, 0x20, 4), ==, 0xfffff000);
  g_assert_cmphex (cfg (toy, 0x24, 4), ==, 0);
  set (toy, VT_PCI_ROM, 4, 0xfffffffe);
  g_assert_cmphex (cfg (toy, VT_PCI_ROM, 4), ==, 0xfffff000);
  /* By bytes, as a slow guest does it. */
  set (toy, 0x13, 1, 0xe0);
  set (toy, 0x12, 1, 0x12);
  set (toy, 0x11, 1, 0x34);
  g_assert_cmphex (cfg (toy, 0x10, 4), ==, 0xe0120000);
  toy_free (toy);
}

static void
test_decode (Fixture *f, gconstpointer data)
{
  Toy     *toy = toy_realized (f, f->root, 8);
  uint8_t  v[4];

  set (toy, 0x10, 4, 0xe0000000);
  set (toy, 0x14, 4, 0xc000);
  set (toy, 0x18, 4, 0x00100000);
  set (toy, 0x1c, 4, 0x8);
  g_assert_cmphex (mem (f, 0xe0000010), ==, UINT32_MAX);
  set (toy, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MEMORY);
  g_assert_cmphex (mem (f, 0xe0000010), ==, 0x11110010);
  g_assert_cmphex (mem (f, 0x800100004), ==, 0x11110004);
  g_assert_false (vt_space_read (f->space, VT_SPACE_IO, 0xc004, v, 4));
  set (toy, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_IO);
  g_assert_true (vt_space_read (f->space, VT_SPACE_IO, 0xc004, v, 4));
  g_assert_cmphex (vt_ld32 (v), ==, 0x11110004);
  g_assert_cmphex (mem (f, 0xe0000010), ==, UINT32_MAX);
  /* Moved while it decodes. */
  set (toy, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_IO | VT_PCI_COMMAND_MEMORY);
  set (toy, 0x10, 4, 0xe1000000);
  g_assert_cmphex (mem (f, 0xe0000010), ==, UINT32_MAX);
  g_assert_cmphex (mem (f, 0xe1000010), ==, 0x11110010);
  /* From inside its own handler, and back. */
  mem_set (f, 0xe1000004, 0xe2000000);
  g_assert_cmphex (mem (f, 0xe1000010), ==, UINT32_MAX);
  g_assert_cmphex (mem (f, 0xe2000010), ==, 0x11110010);
  /* Nowhere: zero, the sizing pattern, ports beyond 64 Ki, addresses that no CPU has. */
  set (toy, 0x10, 4, 0);
  g_assert_cmphex (mem (f, 0x10), ==, 0);
  g_assert_false (vt_region_mapped (vt_device_region (&toy->fn.base, 0), NULL));
  set (toy, 0x10, 4, 0xffffffff);
  g_assert_false (vt_region_mapped (vt_device_region (&toy->fn.base, 0), NULL));
  set (toy, 0x14, 4, 0x1c000);
  g_assert_false (vt_region_mapped (vt_device_region (&toy->fn.base, 1), NULL));
  set (toy, 0x1c, 4, 0xffffffff);
  g_assert_false (vt_region_mapped (vt_device_region (&toy->fn.base, 2), NULL));
  /* Over machine RAM the RAM wins. */
  mem_set (f, 0x10010, 0xabcdef01);
  set (toy, 0x10, 4, 0x10000);
  g_assert_cmphex (mem (f, 0x10010), ==, 0xabcdef01);
  /* The ROM needs its own enable too. */
  set (toy, VT_PCI_ROM, 4, 0xe4000000);
  g_assert_cmphex (mem (f, 0xe4000008), ==, UINT32_MAX);
  set (toy, VT_PCI_ROM, 4, 0xe4000001);
  g_assert_cmphex (mem (f, 0xe4000008), ==, 0x11110008);
  vt_device_reset (&toy->fn.base, VT_RESET_WARM);
  g_assert_cmphex (mem (f, 0xe4000008), ==, UINT32_MAX);
  toy_free (toy);
}

static void
test_overlap (Fixture *f, gconstpointer data)
{
  Toy *a = toy_realized (f, f->root, 8), *b = toy_realized (f, f->root, 16);

  set (a, 0x10, 4, 0xe0000000);
  set (a, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MEMORY);
  set (b, 0x10, 4, 0xe0000000);
  set (b, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MEMORY);
  mem_set (f, 0xe0000000, 77);
  g_assert_cmpuint (b->state.scratch, ==, 77);
  g_assert_cmpuint (a->state.scratch, ==, 0);
  set (b, VT_PCI_COMMAND, 2, 0);
  mem_set (f, 0xe0000000, 78);
  g_assert_cmpuint (a->state.scratch, ==, 78);
  toy_free (b);
  mem_set (f, 0xe0000000, 79);
  g_assert_cmpuint (a->state.scratch, ==, 79);
  toy_free (a);
}

static void
test_master (Fixture *f, gconstpointer data)
{
  Toy    *toy = toy_realized (f, f->root, 8);
  uint8_t v[4];

  g_assert_false (vt_memory_read (toy->fn.base.memory, 0x100, v, 4));
  set (toy, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MASTER);
  g_assert_true (vt_memory_read (toy->fn.base.memory, 0x100, v, 4));
  vt_device_reset (&toy->fn.base, VT_RESET_BUS);
  g_assert_false (vt_memory_read (toy->fn.base.memory, 0x100, v, 4));
  toy_free (toy);
}

static void
test_msi (Fixture *f, gconstpointer data)
{
  Toy     *toy = toy_new (f, f->root, 8, f->context);
  unsigned cap;

  toy->n_msi = 4;
  g_assert_true (vt_device_realize (&toy->fn.base, NULL));
  cap = capability (toy, VT_PCI_CAP_MSI);
  g_assert_cmphex (cfg (toy, cap + 2, 2), ==, 0x0184);
  set (toy, cap + 4, 4, 0xfee01007);
  set (toy, cap + 12, 2, 0x4143);
  g_assert_cmphex (cfg (toy, cap + 4, 4), ==, 0xfee01004);
  vt_pci_msi_send (&toy->fn, 0);
  g_assert_cmpuint (f->n_msi, ==, 0);
  set (toy, cap + 2, 2, 1 | 2 << 4);
  vt_pci_msi_send (&toy->fn, 2); /* Bus mastering is off. */
  g_assert_cmpuint (f->n_msi, ==, 0);
  set (toy, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MASTER);
  vt_pci_msi_send (&toy->fn, 2);
  g_assert_cmpuint (f->n_msi, ==, 1);
  g_assert_cmphex (f->msi_address, ==, 0xfee01004);
  g_assert_cmphex (f->msi_data, ==, 0x4142);
  /* Masked: pending, and delivered at the unmask. */
  set (toy, cap + 16, 4, 0xffffffff);
  g_assert_cmphex (cfg (toy, cap + 16, 4), ==, 0xf);
  vt_pci_msi_send (&toy->fn, 3);
  g_assert_cmpuint (f->n_msi, ==, 1);
  g_assert_cmphex (cfg (toy, cap + 20, 4), ==, 8);
  set (toy, cap + 16, 1, 0x7);
  g_assert_cmpuint (f->n_msi, ==, 2);
  g_assert_cmphex (f->msi_data, ==, 0x4143);
  g_assert_cmphex (cfg (toy, cap + 20, 4), ==, 0);
  /* One vector granted: all causes on it. A reserved grant counts as one. */
  set (toy, cap + 16, 4, 0);
  set (toy, cap + 2, 2, 1);
  vt_pci_msi_send (&toy->fn, 3);
  g_assert_cmphex (f->msi_data, ==, 0x4143);
  set (toy, cap + 2, 2, 1 | 7 << 4);
  vt_pci_msi_send (&toy->fn, 1);
  g_assert_cmpuint (f->n_msi, ==, 4);
  vt_pci_msi_send (&toy->fn, UINT_MAX);
  /* Only a rise sends. */
  vt_pci_irq (&toy->fn, true);
  vt_pci_irq (&toy->fn, true);
  g_assert_cmpuint (f->n_msi, ==, 6);
  vt_pci_irq (&toy->fn, false);
  vt_pci_irq (&toy->fn, true);
  g_assert_cmpuint (f->n_msi, ==, 7);
  g_assert_false (f->gsi[5]);
  toy_free (toy);
}

static void
test_msix (Fixture *f, gconstpointer data)
{
  Toy      *toy = toy_realized (f, f->root, 8);
  unsigned  cap = capability (toy, VT_PCI_CAP_MSIX);
  const uint64_t bar = 0xe8000000, table = bar + 0x800, pba = bar + 0xc00;

  g_assert_cmphex (cfg (toy, cap + 2, 2), ==, 3);
  g_assert_cmphex (cfg (toy, cap + 4, 4), ==, 0x804);
  g_assert_cmphex (cfg (toy, cap + 8, 4), ==, 0xc04);
  set (toy, 0x20, 4, (uint32_t) bar);
  set (toy, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MEMORY | VT_PCI_COMMAND_MASTER);
  g_assert_cmphex (mem (f, bar), ==, 0);
  g_assert_cmphex (mem (f, table + 12), ==, 1);
  mem_set (f, table + 16, 0xfee00003);
  mem_set (f, table + 24, 0x55);
  mem_set (f, table + 28, 0xfffffffe);
  g_assert_cmphex (mem (f, table + 16), ==, 0xfee00000);
  g_assert_cmphex (mem (f, table + 28), ==, 0);
  vt_pci_msi_send (&toy->fn, 1); /* Not enabled: lost. */
  g_assert_cmpuint (f->n_msi, ==, 0);
  g_assert_cmphex (mem (f, pba), ==, 0);
  set (toy, cap + 2, 2, 0x8000);
  g_assert_true (vt_pci_msix_enabled (&toy->fn));
  vt_pci_msi_send (&toy->fn, 1);
  g_assert_cmpuint (f->n_msi, ==, 1);
  g_assert_cmphex (f->msi_data, ==, 0x55);
  /* Vector mask. */
  mem_set (f, table + 28, 1);
  vt_pci_msi_send (&toy->fn, 1);
  g_assert_cmphex (mem (f, pba), ==, 2);
  mem_set (f, table + 24, 0x56);
  mem_set (f, table + 28, 0);
  g_assert_cmpuint (f->n_msi, ==, 2);
  g_assert_cmphex (f->msi_data, ==, 0x56);
  g_assert_cmphex (mem (f, pba), ==, 0);
  /* Function mask. */
  set (toy, cap + 2, 2, 0xc000);
  vt_pci_msi_send (&toy->fn, 1);
  vt_pci_msi_send (&toy->fn, 64);
  g_assert_cmphex (mem (f, pba), ==, 2);
  g_assert_cmpuint (f->n_msi, ==, 2);
  set (toy, cap + 3, 1, 0x80);
  g_assert_cmpuint (f->n_msi, ==, 3);
  /* The pending array is read-only. */
  mem_set (f, pba, 0xffffffff);
  g_assert_cmphex (mem (f, pba), ==, 0);
  vt_device_reset (&toy->fn.base, VT_RESET_COLD);
  g_assert_false (vt_pci_msix_enabled (&toy->fn));
  g_assert_cmphex (toy->state.msix.table[7], ==, 1);
  g_assert_cmphex (toy->state.msix.table[4], ==, 0);
  toy_free (toy);
}

static void
test_intx (Fixture *f, gconstpointer data)
{
  Toy     *toy = toy_realized (f, f->root, VT_PCI_DEVFN (2, 0));
  Toy     *shared = toy_realized (f, f->root, VT_PCI_DEVFN (6, 0));
  unsigned msix = capability (toy, VT_PCI_CAP_MSIX);

  /* Slot 2 INTA -> (2 + 0) % 4 + 4. */
  vt_pci_irq (&toy->fn, true);
  g_assert_true (f->gsi[6]);
  g_assert_cmphex (cfg (toy, VT_PCI_STATUS, 2), ==, 0x18);
  set (toy, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_INTX_DISABLE);
  g_assert_false (f->gsi[6]);
  g_assert_cmphex (cfg (toy, VT_PCI_STATUS, 2), ==, 0x18);
  set (toy, VT_PCI_COMMAND, 2, 0);
  g_assert_true (f->gsi[6]);
  /* Two on one wire. */
  vt_pci_irq (&shared->fn, true);
  vt_pci_irq (&toy->fn, false);
  g_assert_true (f->gsi[6]);
  vt_pci_irq (&shared->fn, false);
  g_assert_false (f->gsi[6]);
  /* MSI-X on takes the wire away. */
  vt_pci_irq (&toy->fn, true);
  set (toy, msix + 2, 2, 0x8000);
  g_assert_false (f->gsi[6]);
  set (toy, msix + 2, 2, 0);
  g_assert_true (f->gsi[6]);
  /* The route moves and takes the level along; no glitch where it stays. */
  f->gsi_changes = 0;
  vt_pci_bus_set_route (f->root, 2, 0, f->routes[6], false);
  g_assert_cmpuint (f->gsi_changes, ==, 0);
  vt_pci_bus_set_route (f->root, 2, 0, f->routes[1], false);
  g_assert_true (f->gsi[1] && !f->gsi[6]);
  vt_pci_route_end_at (f->routes[1], f->lines[3], false);
  g_assert_true (f->gsi[3] && !f->gsi[1]);
  vt_pci_bus_set_route (f->root, 2, 0, NULL, false);
  g_assert_false (f->gsi[3]);
  vt_pci_bus_set_route (f->root, 2, 0, f->routes[1], false);
  vt_device_reset (&toy->fn.base, VT_RESET_COLD);
  g_assert_false (f->gsi[3]);
  toy_free (shared);
  toy_free (toy);
}

static void
test_load (Fixture *f, gconstpointer data)
{
  Toy                *toy = toy_realized (f, f->root, VT_PCI_DEVFN (2, 0));
  g_autoptr (GByteArray) saved = g_byte_array_new (), again = g_byte_array_new ();

  set (toy, 0x10, 4, 0xe0000000);
  set (toy, VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MEMORY | VT_PCI_COMMAND_MASTER);
  vt_pci_irq (&toy->fn, true);
  vt_device_save (&toy->fn.base, saved);
  vt_device_reset (&toy->fn.base, VT_RESET_COLD);
  g_assert_false (f->gsi[6]);
  f->gsi_changes = 0;
  g_assert_true (vt_device_load (&toy->fn.base, 1, saved->data, saved->len, NULL));
  vt_device_commit (&toy->fn.base);
  /* The interrupt controller has its own saved state: no edge is replayed … */
  g_assert_cmpuint (f->gsi_changes, ==, 0);
  g_assert_cmphex (mem (f, 0xe0000010), ==, 0x11110010);
  vt_device_save (&toy->fn.base, again);
  g_assert_cmpmem (saved->data, saved->len, again->data, again->len);
  /* … but the fall comes through all the wires. */
  f->gsi[6] = true;
  vt_pci_irq (&toy->fn, false);
  g_assert_false (f->gsi[6]);
  g_assert_cmpuint (f->gsi_changes, ==, 1);
  toy_free (toy);
}

static Bridge *
bridge_new (Fixture *f, VtPciBus *bus, uint8_t devfn)
{
  VtDeviceEnv env = { .context = f->context, .clock = f->clock, .space = f->space };
  Bridge     *b = (Bridge *) vt_device_new (&bridge_class, "bridge", &env);

  b->fn.bus = bus;
  b->fn.devfn = devfn;
  g_assert_true (vt_device_realize (&b->fn.base, NULL));
  return b;
}

static void
test_bridge (Fixture *f, gconstpointer data)
{
  Bridge *port = bridge_new (f, f->root, VT_PCI_DEVFN (3, 0));
  Bridge *inner = bridge_new (f, port->secondary, VT_PCI_DEVFN (1, 0));
  Toy    *toy = toy_new (f, inner->secondary, VT_PCI_DEVFN (5, 0), f->other);

  toy->pin = 2;
  g_assert_true (vt_device_realize (&toy->fn.base, NULL));
  g_assert_true (vt_pci_bus_bridge (inner->secondary) == &inner->fn);
  g_assert_true (vt_pci_bus_function (inner->secondary, VT_PCI_DEVFN (5, 0)) == &toy->fn);
  /* Before it has numbers nothing behind is found. */
  g_assert_cmphex (vt_pci_bus_read (f->root, 1, 8, 0, 4), ==, UINT32_MAX);
  vt_pci_bus_write (f->root, 0, VT_PCI_DEVFN (3, 0), VT_PCI_PRIMARY_BUS, 4, 0x050400);
  vt_pci_bus_write (f->root, 4, VT_PCI_DEVFN (1, 0), VT_PCI_PRIMARY_BUS, 4, 0x050504);
  g_assert_cmphex (vt_pci_bus_read (f->root, 5, VT_PCI_DEVFN (5, 0), 0, 4), ==, 0x56781234);
  g_assert_cmphex (vt_pci_bus_read (f->root, 6, VT_PCI_DEVFN (5, 0), 0, 4), ==, UINT32_MAX);
  /* A range that holds the number of its own root, or its parent's, ends somewhere. */
  vt_pci_bus_write (f->root, 4, VT_PCI_DEVFN (1, 0), VT_PCI_PRIMARY_BUS, 4, 0xff0404);
  g_assert_cmphex (vt_pci_bus_read (f->root, 5, VT_PCI_DEVFN (5, 0), 0, 4), ==, UINT32_MAX);
  vt_pci_bus_write (f->root, 4, VT_PCI_DEVFN (1, 0), VT_PCI_PRIMARY_BUS, 4, 0x050504);

  /* Windows: both bridges must forward. Functions of another context follow at once. */
  vt_pci_bus_write (f->root, 5, VT_PCI_DEVFN (5, 0), 0x10, 4, 0xe0100000);
  vt_pci_bus_write (f->root, 5, VT_PCI_DEVFN (5, 0), 0x18, 4, 0x00200000);
  vt_pci_bus_write (f->root, 5, VT_PCI_DEVFN (5, 0), 0x1c, 4, 9);
  vt_pci_bus_write (f->root, 5, VT_PCI_DEVFN (5, 0), VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MEMORY);
  g_assert_cmphex (mem (f, 0xe0100010), ==, UINT32_MAX);
  vt_pci_bus_write (f->root, 0, VT_PCI_DEVFN (3, 0), VT_PCI_MEMORY_BASE, 4, 0xe010e000);
  vt_pci_bus_write (f->root, 0, VT_PCI_DEVFN (3, 0), VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MEMORY);
  g_assert_cmphex (mem (f, 0xe0100010), ==, UINT32_MAX);
  vt_pci_bus_write (f->root, 4, VT_PCI_DEVFN (1, 0), VT_PCI_COMMAND, 2, VT_PCI_COMMAND_MEMORY);
  vt_pci_bus_write (f->root, 4, VT_PCI_DEVFN (1, 0), VT_PCI_MEMORY_BASE, 4, 0xe010e010);
  g_assert_cmphex (mem (f, 0xe0100010), ==, 0x11110010);
  vt_pci_bus_write (f->root, 0, VT_PCI_DEVFN (3, 0), VT_PCI_MEMORY_LIMIT, 2, 0xe000);
  g_assert_cmphex (mem (f, 0xe0100010), ==, UINT32_MAX);
  /* The prefetchable window, 64 bits. */
  for (unsigned i = 0; i < 2; i++)
    {
      uint8_t bus = i == 0 ? 0 : 4, devfn = i == 0 ? VT_PCI_DEVFN (3, 0) : VT_PCI_DEVFN (1, 0);

      vt_pci_bus_write (f->root, bus, devfn, VT_PCI_PREFETCH_BASE, 4, 0x00200020);
      vt_pci_bus_write (f->root, bus, devfn, VT_PCI_PREFETCH_BASE_UPPER, 4, 9);
      vt_pci_bus_write (f->root, bus, devfn, VT_PCI_PREFETCH_LIMIT_UPPER, 4, 9);
    }
  g_assert_cmphex (mem (f, 0x900200008), ==, 0x11110008);

  /* INTB of slot 5 -> pin (1 + 5) % 4 = C of slot 1 -> (2 + 1) % 4 = D of slot 3 on the root. */
  vt_context_lock (f->other);
  vt_pci_irq (&toy->fn, true);
  vt_context_unlock (f->other);
  g_assert_true (f->gsi[4 + (3 + 3) % 4]);

  /* Secondary Bus Reset: once, at the rise. */
  vt_pci_bus_write (f->root, 0, VT_PCI_DEVFN (3, 0), VT_PCI_BRIDGE_CONTROL, 2, 0x40);
  vt_pci_bus_write (f->root, 0, VT_PCI_DEVFN (3, 0), VT_PCI_BRIDGE_CONTROL, 2, 0x40);
  g_assert_cmpuint (toy->bus_resets, ==, 1);
  g_assert_false (f->gsi[4 + (3 + 3) % 4]);
  g_assert_cmphex (cfg (toy, VT_PCI_COMMAND, 2), ==, 0);
  g_assert_cmphex (mem (f, 0x900200008), ==, UINT32_MAX);
  vt_pci_bus_write (f->root, 0, VT_PCI_DEVFN (3, 0), VT_PCI_BRIDGE_CONTROL, 2, 0);
  g_assert_cmpuint (toy->bus_resets, ==, 1);
  toy_free (toy);
  vt_device_free (&inner->fn.base);
  vt_device_free (&port->fn.base);
}

static uint64_t
cf9_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return 0x5a;
}

static const VtRegionOps cf9_ops = { .name = "cf9", .min_size = 1, .max_size = 1, .read = cf9_read };

static void
test_mechanisms (Fixture *f, gconstpointer data)
{
  Toy      *toy = toy_new (f, f->root, VT_PCI_DEVFN (4, 0), f->context);
  uint32_t  latch = 0;

  toy->express = true;
  g_assert_true (vt_device_realize (&toy->fn.base, NULL));
  vt_pci_ports_write (f->root, &latch, 0, 4, 0xff000000 | VT_PCI_DEVFN (4, 0) << 8 | 3);
  g_assert_cmphex (vt_pci_ports_read (f->root, &latch, 0, 4), ==, 0x80002000);
  g_assert_cmphex (vt_pci_ports_read (f->root, &latch, 4, 4), ==, 0x56781234);
  g_assert_cmphex (vt_pci_ports_read (f->root, &latch, 6, 2) & 0xffff, ==, 0x5678);
  g_assert_cmphex (vt_pci_ports_read (f->root, &latch, 5, 1) & 0xff, ==, 0x12);
  /* Only dwords latch. */
  vt_pci_ports_write (f->root, &latch, 0, 2, 0);
  vt_pci_ports_write (f->root, &latch, 3, 1, 0);
  vt_pci_ports_write (f->root, &latch, 1, 1, 6);
  g_assert_cmphex (latch, ==, 0x80002000);
  g_assert_cmphex (vt_pci_ports_read (f->root, &latch, 1, 1), ==, UINT32_MAX);
  vt_pci_bus_set_cf9 (f->root, vt_device_add_region (&toy->fn.base, VT_SPACE_IO, &cf9_ops, 1));
  g_assert_cmphex (vt_pci_ports_read (f->root, &latch, 1, 1), ==, 0x5a);
  vt_pci_bus_set_cf9 (f->root, NULL);
  /* Not enabled; no such function; no bus at all. */
  vt_pci_ports_write (f->root, &latch, 0, 4, VT_PCI_DEVFN (4, 0) << 8);
  g_assert_cmphex (vt_pci_ports_read (f->root, &latch, 4, 4), ==, UINT32_MAX);
  vt_pci_ports_write (f->root, &latch, 0, 4, 0x80000000 | VT_PCI_DEVFN (9, 0) << 8);
  g_assert_cmphex (vt_pci_ports_read (f->root, &latch, 4, 4), ==, UINT32_MAX);
  g_assert_cmphex (vt_pci_ports_read (NULL, &latch, 4, 4), ==, UINT32_MAX);
  vt_pci_ports_write (NULL, &latch, 4, 4, 0);
  /* ECAM reaches the extended space. */
  g_assert_cmphex (vt_pci_ecam_read (f->root, VT_PCI_DEVFN (4, 0) << 12, 4), ==, 0x56781234);
  g_assert_cmphex (vt_pci_ecam_read (f->root, (VT_PCI_DEVFN (4, 0) << 12) + 0xffc, 4), ==, 0);
  g_assert_cmphex (vt_pci_ecam_read (f->root, 1 << 20, 4), ==, UINT32_MAX);
  vt_pci_ecam_write (f->root, (VT_PCI_DEVFN (4, 0) << 12) + 0x3c, 1, 11);
  g_assert_cmphex (cfg (toy, 0x3c, 1), ==, 11);
  toy_free (toy);
}

static void
test_hostile (Fixture *f, gconstpointer data)
{
  Bridge *port = bridge_new (f, f->root, VT_PCI_DEVFN (3, 0));
  Toy    *toy = toy_new (f, port->secondary, 0, f->context);
  GRand  *rand = g_rand_new_with_seed (20);

  toy->n_msi = 32;
  toy->express = true;
  g_assert_true (vt_device_realize (&toy->fn.base, NULL));
  for (unsigned i = 0; i < 20000; i++)
    {
      static const unsigned sizes[] = { 1, 2, 4, 8, 0 };
      unsigned offset = g_rand_int_range (rand, 0, 8) == 0 ? g_rand_int (rand) >> 8
                                                           : g_rand_int (rand) % 0x100;
      unsigned size = sizes[g_rand_int_range (rand, 0, 5)];
      uint32_t value = g_rand_int (rand) >> g_rand_int_range (rand, 0, 32);
      uint64_t at = (uint64_t) g_rand_int (rand) << (g_rand_int (rand) % 3 * 10);

      switch (g_rand_int_range (rand, 0, 6))
        {
        case 0:
          vt_pci_bus_write (f->root, 0, VT_PCI_DEVFN (3, 0), offset, size, value);
          break;
        case 1:
          vt_pci_config_write (&toy->fn, offset, size, value);
          break;
        case 2:
          vt_pci_bus_write (f->root, (uint8_t) value, 0, offset, size, value);
          break;
        case 3:
          vt_pci_msi_send (&toy->fn, value);
          vt_pci_irq (&toy->fn, value & 1);
          break;
        case 4:
          mem_set (f, at, value);
          (void) mem (f, at);
          break;
        default:
          (void) vt_pci_bus_read (f->root, (uint8_t) value, (uint8_t) at, offset, size);
        }
      if (i % 1000 == 0)
        {
          /* Any saved bytes at all: what is loaded is decoded with the same care. */
          uint8_t *state = (uint8_t *) &toy->state;

          for (unsigned b = 0; b < sizeof toy->state; b++)
            if (g_rand_int_range (rand, 0, 4) == 0)
              state[b] = (uint8_t) g_rand_int (rand);
          vt_pci_function_loaded (&toy->fn);
          vt_pci_msi_send (&toy->fn, value);
        }
    }
  g_rand_free (rand);
  toy_free (toy);
  vt_device_free (&port->fn.base);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/pci/" name, Fixture, NULL, setup, func, teardown)
  ADD ("header", test_header);
  ADD ("sizing", test_sizing);
  ADD ("decode", test_decode);
  ADD ("overlap", test_overlap);
  ADD ("bus-master", test_master);
  ADD ("msi", test_msi);
  ADD ("msix", test_msix);
  ADD ("intx", test_intx);
  ADD ("load", test_load);
  ADD ("bridge", test_bridge);
  ADD ("mechanisms", test_mechanisms);
  ADD ("hostile", test_hostile);
  return g_test_run ();
}
