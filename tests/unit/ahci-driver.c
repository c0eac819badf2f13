/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The small AHCI driver, and a block layer that holds or fails requests.
 */
#include "ahci-driver.h"

/* The device ----------------------------------------------------------------------------------------- */

static void
message_cb (void *data, uint64_t address, uint32_t message)
{
  ((AhciDriver *) data)->messages++;
}

static const VtMsiSinkOps sink_ops = { .send = message_cb };

AhciDriver *
ahci_driver_new (const VtAhciWiring *wiring, unsigned n, bool staggered)
{
  AhciDriver *d = g_new0 (AhciDriver, 1);
  VtMsiSink   sink = { .ops = &sink_ops, .data = d };
  VtDeviceEnv env;
  GError     *error = NULL;

  d->context = vt_context_new_manual ();
  d->clock = vt_clock_new_manual ();
  d->space = vt_space_new ();
  d->ram = vt_ram_new ("ram", DRIVER_RAM, &error);
  g_assert_no_error (error);
  d->mem = vt_ram_host (d->ram);
  vt_space_map_ram (d->space, d->ram, 0, DRIVER_RAM, 0, 0);
  d->bus = vt_pci_bus_new ("pci", &sink);
  env = (VtDeviceEnv){ .context = d->context, .clock = d->clock, .space = d->space };
  d->dev = vt_device_new (&vt_ahci_class, "ahci", &env);
  d->hba = VT_CONTAINER (d->dev, VtAhci, fn.base);
  d->hba->fn.bus = d->bus;
  d->hba->fn.devfn = VT_PCI_DEVFN (31, 2);
  d->hba->staggered = staggered;
  for (unsigned i = 0; i < n; i++)
    d->hba->wiring[i] = wiring[i];
  vt_device_realize (d->dev, &error);
  g_assert_no_error (error);
  vt_device_resume (d->dev);
  d->legacy = vt_device_region (d->dev, 0);
  d->abar = vt_device_region (d->dev, 1);
  vt_pci_bus_write (d->bus, 0, d->hba->fn.devfn, 4, 2, 7);
  ahci_write (d, REG_GHC, 0x80000002);
  return d;
}

void
ahci_driver_free (AhciDriver *d)
{
  vt_device_free (d->dev);
  while (vt_context_dispatch (d->context))
    ;
  vt_pci_bus_free (d->bus);
  vt_space_free (d->space);
  vt_ram_free (d->ram);
  vt_clock_free (d->clock);
  vt_context_free (d->context);
  g_free (d);
}

uint32_t
ahci_read (AhciDriver *d, unsigned reg)
{
  return (uint32_t) vt_region_read (d->abar, reg, 4);
}

void
ahci_write (AhciDriver *d, unsigned reg, uint32_t value)
{
  vt_region_write (d->abar, reg, 4, value);
}

uint32_t
ahci_port_read (AhciDriver *d, unsigned port, unsigned reg)
{
  return ahci_read (d, 0x100 + port * 0x80 + reg);
}

void
ahci_port_write (AhciDriver *d, unsigned port, unsigned reg, uint32_t value)
{
  ahci_write (d, 0x100 + port * 0x80 + reg, value);
}

/* Memory: 256 KiB a port from 1 MiB on ------------------------------------------------------------------- */

static VtGpa
port_memory (unsigned port)
{
  return VT_MIB + port * 256 * VT_KIB;
}

VtGpa
ahci_header (unsigned port, unsigned slot)
{
  return port_memory (port) + slot * 32;
}

VtGpa
ahci_fis_area (unsigned port)
{
  return port_memory (port) + 0x400;
}

VtGpa
ahci_table (unsigned port, unsigned slot)
{
  return port_memory (port) + 0x1000 + slot * 0x1000;
}

void
ahci_port_start (AhciDriver *d, unsigned port)
{
  ahci_port_write (d, port, PORT_CLB, (uint32_t) ahci_header (port, 0));
  ahci_port_write (d, port, PORT_CLBU, 0);
  ahci_port_write (d, port, PORT_FB, (uint32_t) ahci_fis_area (port));
  ahci_port_write (d, port, PORT_FBU, 0);
  ahci_port_write (d, port, PORT_CMD, 0x10);
  ahci_port_write (d, port, PORT_CMD, 0x12);
  g_assert_cmphex (ahci_port_read (d, port, PORT_SSTS) & 0xf, ==, 3);
  g_assert_cmphex (ahci_port_read (d, port, PORT_TFD) & 0x88, ==, 0);
  ahci_port_write (d, port, PORT_SERR, 0xffffffff);
  ahci_port_write (d, port, PORT_IS, 0xffffffff);
  ahci_port_write (d, port, PORT_IE, 0xffffffff);
  ahci_port_write (d, port, PORT_CMD, 0x13);
  g_assert_cmphex (ahci_port_read (d, port, PORT_CMD) & 0xc013, ==, 0xc013);
}

void
ahci_port_stop (AhciDriver *d, unsigned port)
{
  ahci_port_write (d, port, PORT_CMD, 0x12);
}

void
ahci_build (AhciDriver *d, unsigned port, unsigned slot, const AhciCommand *c)
{
  uint8_t *header = d->mem + ahci_header (port, slot), *table = d->mem + ahci_table (port, slot);

  memset (header, 0, 32);
  memset (table, 0, 0x80);
  vt_st32 (header, 5 | (c->packet ? 0x20u : 0) | c->n_prd << 16);
  vt_st64 (header + 8, ahci_table (port, slot));
  table[0] = 0x27;
  table[1] = 0x80;
  table[2] = c->packet ? 0xa0 : c->command;
  table[3] = (uint8_t) c->features;
  for (unsigned i = 0; i < 3; i++)
    {
      table[4 + i] = (uint8_t) (c->lba >> (8 * i));
      table[8 + i] = (uint8_t) (c->lba >> (24 + 8 * i));
    }
  table[7] = c->device;
  table[11] = (uint8_t) (c->features >> 8);
  vt_st16 (table + 12, c->count);
  memcpy (table + 0x40, c->cdb, 16);
  g_assert_cmpuint (c->n_prd, <=, (0x1000 - 0x80) / 16);
  for (unsigned i = 0; i < c->n_prd; i++)
    {
      uint8_t *prd = table + 0x80 + i * 16;

      vt_st64 (prd, c->prd[i].gpa);
      vt_st32 (prd + 8, 0);
      vt_st32 (prd + 12, (c->prd[i].len - 1) | (uint32_t) c->prd[i].interrupt << 31);
    }
}

void
ahci_issue (AhciDriver *d, unsigned port, uint32_t slots, bool queued)
{
  if (queued)
    ahci_port_write (d, port, PORT_SACT, slots);
  ahci_port_write (d, port, PORT_CI, slots);
}

bool
ahci_wait (AhciDriver *d, unsigned port, uint32_t slots)
{
  for (;;)
    {
      uint32_t busy = ahci_port_read (d, port, PORT_CI) | ahci_port_read (d, port, PORT_SACT);

      if ((ahci_port_read (d, port, PORT_IS) & 0x78000000) != 0)
        return false;
      if ((busy & slots) == 0)
        return true;
      /* Nothing left to happen: the device has forgotten the command. */
      if (!vt_context_dispatch (d->context))
        return false;
    }
}

void
ahci_recover (AhciDriver *d, unsigned port)
{
  ahci_port_stop (d, port);
  while ((ahci_port_read (d, port, PORT_CMD) & 0x8000) != 0 && vt_context_dispatch (d->context))
    ;
  g_assert_cmphex (ahci_port_read (d, port, PORT_CMD) & 0x8000, ==, 0);
  ahci_port_write (d, port, PORT_SERR, 0xffffffff);
  ahci_port_write (d, port, PORT_IS, 0xffffffff);
  ahci_port_write (d, port, PORT_CMD, 0x13);
}

uint32_t
ahci_run (AhciDriver *d, unsigned port, const AhciCommand *c)
{
  uint32_t tfd;

  ahci_port_write (d, port, PORT_IS, 0xffffffff);
  ahci_build (d, port, 0, c);
  ahci_issue (d, port, 1, false);
  if (ahci_wait (d, port, 1))
    return ahci_port_read (d, port, PORT_TFD);
  tfd = ahci_port_read (d, port, PORT_TFD);
  ahci_recover (d, port);
  return tfd;
}

uint32_t
ahci_prdbc (AhciDriver *d, unsigned port, unsigned slot)
{
  return vt_ld32 (d->mem + ahci_header (port, slot) + 4);
}

uint32_t
ahci_packet (AhciDriver *d, unsigned port, const uint8_t cdb[12], uint32_t len)
{
  AhciPrd     prd = { .gpa = DRIVER_DATA, .len = MAX (len, 2) };
  AhciCommand c = { .packet = true, .features = 1, .prd = &prd, .n_prd = len > 0 };
  uint8_t     keep[18];
  uint32_t    tfd;

  memcpy (c.cdb, cdb, 12);
  tfd = ahci_run (d, port, &c);
  if ((tfd & 1) == 0)
    {
      g_assert_cmphex (tfd, ==, 0x50);
      return 0;
    }
  /* Autosense, as a guest does it, behind the data of the test. */
  prd.gpa = DRIVER_DATA + 4 * VT_MIB;
  prd.len = 18;
  c.n_prd = 1;
  memset (c.cdb, 0, sizeof c.cdb);
  c.cdb[0] = 0x03;
  c.cdb[4] = 18;
  g_assert_cmphex (ahci_run (d, port, &c), ==, 0x50);
  memcpy (keep, d->mem + prd.gpa, 18);
  g_assert_cmphex (keep[0], ==, 0x70);
  g_assert_cmphex (keep[2], ==, tfd >> 12);
  return (uint32_t) keep[2] << 16 | (uint32_t) keep[12] << 8 | keep[13];
}

/* The layer ----------------------------------------------------------------------------------------------- */

typedef struct
{
  VtBlockRequest *request;
  int             error;
} Failed;

static void
fail_cb (void *data)
{
  Failed *f = data;

  f->request->done (f->request, f->error);
  g_free (f);
}

static void
pass (FaultBlock *fault, VtBlockRequest *request)
{
  if (fault->error != 0 && request->op == fault->op && request->offset >= fault->from)
    {
      Failed *f = g_new (Failed, 1);

      f->request = request;
      f->error = fault->error;
      vt_context_post (request->context, fail_cb, f);
    }
  else
    vt_block_submit (fault->base.next, request);
}

static void
fault_submit (VtBlock *block, VtBlockRequest *request)
{
  FaultBlock *fault = VT_CONTAINER (block, FaultBlock, base);

  g_array_append_val (fault->log, *request);
  if (fault->hold)
    g_queue_push_tail (&fault->held, request);
  else
    pass (fault, request);
}

void
fault_release (FaultBlock *fault)
{
  VtBlockRequest *request;

  fault->hold = false;
  while ((request = g_queue_pop_head (&fault->held)) != NULL)
    pass (fault, request);
}

static void
fault_close (VtBlock *block)
{
  FaultBlock *fault = VT_CONTAINER (block, FaultBlock, base);

  fault_release (fault);
  vt_block_close (block->next);
  if (fault->closed != NULL)
    *fault->closed = true;
  g_array_unref (fault->log);
  g_free (fault);
}

static const VtBlockOps fault_ops = { .submit = fault_submit, .close = fault_close };

VtBlock *
fault_block_new (VtBlock *next, FaultBlock **out)
{
  FaultBlock *fault = g_new0 (FaultBlock, 1);

  fault->base.ops = &fault_ops;
  fault->base.next = next;
  fault->base.info = next->info;
  fault->log = g_array_new (FALSE, FALSE, sizeof (VtBlockRequest));
  *out = fault;
  return &fault->base;
}
