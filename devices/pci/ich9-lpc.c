/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ICH9's LPC bridge: configuration registers, PIRQ routing, root complex registers, APM and
 * reset ports. The power management block is ich9-pm.c.
 */
#include "pci/ich9-lpc.h"

/* §13.1, configuration space. */
enum
{
  PMBASE = 0x40,
  ACPI_CNTL = 0x44,
  GPIOBASE = 0x48,
  GC = 0x4c,
  PIRQ_A = 0x60, /* To D; E to H are at 0x68. */
  SIRQ_CNTL = 0x64,
  PIRQ_E = 0x68,
  LPC_IODEC = 0x80,
  LPC_EN = 0x82,
  GEN_DEC = 0x84,
  GEN_PMCON_1 = 0xa0,
  GEN_PMCON_2 = 0xa2,
  GEN_PMCON_3 = 0xa4,
  GPI_ROUT = 0xb8,
  FWH_SEL1 = 0xd0,
  FWH_SEL2 = 0xd4,
  FWH_DEC_EN1 = 0xd8,
  BIOS_CNTL = 0xdc,
  RCBA = 0xf0,
  PMBASE_MASK = 0xff80,
  ACPI_CNTL_EN = 0x80,
  ACPI_CNTL_IRQ = 0x07,
  PIRQ_OFF = 0x80,
  PIRQ_IRQ = 0x0f,
  PMCON_SMI_LOCK = 0x10,
  BIOS_LOCK_ENABLE = 0x02,
};
#define RCBA_MASK 0xffffc000u
#define RCBA_ENABLE 1u

#define RCRB_SIZE (16 * VT_KIB)
/* Above BARs, below RAM: chipset registers win over what the guest has put onto them. */
#define CHIPSET_PRIORITY (-8)

/* §10.1, chipset configuration registers: those that firmware and drivers touch. The others read as
 * zero. Offsets are of dwords. */
static const struct
{
  uint16_t offset;
  uint32_t reset, writable;
} rcrb[VT_ICH9_N_RCRB] = {
  { 0x3100, 0x03243200, 0x0ffffff0 }, /* D31IP: which pin each function of device 31 uses. */
  { 0x3108, 0x10004321, 0xf000ffff }, /* D29IP */
  { 0x310c, 0x00214321, 0x00ffffff }, /* D28IP */
  { 0x3110, 0x00000001, 0x0000000f }, /* D27IP */
  { 0x3114, 0x30000321, 0xf0000fff }, /* D26IP */
  { 0x3118, 0x00000001, 0x0000000f }, /* D25IP */
  { 0x3140, 0x00003210, 0x00007777 }, /* D31IR; the upper half, D30IR, is read-only. */
  { 0x3144, 0x32103210, 0x77777777 }, /* D29IR, D28IR */
  { 0x3148, 0x00003210, 0x00007777 }, /* D27IR */
  { 0x314c, 0x00003210, 0x00007777 }, /* D26IR */
  { 0x3150, 0x00003210, 0x00007777 }, /* D25IR */
  { 0x31fc, 0x00000000, 0x03000000 }, /* OIC at 0x31ff */
  { 0x3400, 0x00000000, 0x0000001c }, /* RC: RTC configuration */
  { 0x3404, 0x00000000, 0x00000083 }, /* HPTC: where the HPET is; ours is always on. */
  { 0x3410, 0x00000020, 0x00001e64 }, /* GCS: bit 5 is NO_REBOOT, a strap that is set. */
  { 0x3418, 0x00000000, 0x03fffffe }, /* FD: kept, but no function goes away. */
};
enum
{
  RCRB_D31IR = 6,
  RCRB_D29IR = 7,
  RCRB_D27IR = 8,
  RCRB_D26IR = 9,
  RCRB_D25IR = 10,
  RCRB_GCS = 14,
  GCS_NO_REBOOT = 1 << 5,
};

/* §13.7.5, port 0xcf9. */
enum
{
  RESET_SYSTEM = 1 << 1,
  RESET_CPU = 1 << 2,
  RESET_FULL = 1 << 3,
  RESET_MASK = 0x0e,
};

static const VtStateField lpc_fields[] = {
  VT_STATE_STRUCT (VtIch9LpcState, pci, &vt_pci_state),
  VT_STATE_STRUCT (VtIch9LpcState, pm, &vt_ich9_pm_state),
  VT_STATE (VtIch9LpcState, rcrb),
  VT_STATE (VtIch9LpcState, apm_cnt),
  VT_STATE (VtIch9LpcState, apm_sts),
  VT_STATE (VtIch9LpcState, reset_control),
  VT_STATE (VtIch9LpcState, smi_locked),
  VT_STATE (VtIch9LpcState, bios_locked),
  VT_STATE (VtIch9LpcState, smi_agreed), /* This and the next were padding. */
  VT_STATE (VtIch9LpcState, smi_broadcast),
  VT_STATE (VtIch9LpcState, pad_),
  VT_STATE_SINCE (VtIch9LpcState, smi_requested, 2),
};
static const VtStateDesc lpc_state = VT_STATE_DESC (VtIch9LpcState, 2, lpc_fields, NULL);

/* Interrupt routing --------------------------------------------------------------------------------- */

/* The DxxIR register of @slot; false: the slot's pins are wired as they are. */
static bool
slot_route (const VtIch9Lpc *lpc, unsigned slot, uint32_t *ir)
{
  static const struct
  {
    uint8_t index, shift;
  } where[VT_PCI_SLOTS] = {
    [25] = { RCRB_D25IR, 0 },  [26] = { RCRB_D26IR, 0 }, [27] = { RCRB_D27IR, 0 },
    [28] = { RCRB_D29IR, 16 }, [29] = { RCRB_D29IR, 0 }, [31] = { RCRB_D31IR, 0 },
  };

  if (where[slot].index == 0)
    return false;
  *ir = lpc->state.rcrb[where[slot].index] >> where[slot].shift;
  return true;
}

static void
route_pins (VtIch9Lpc *lpc, bool quiet)
{
  if (lpc->fn.bus == NULL || vt_pci_bus_bridge (lpc->fn.bus) != NULL)
    return;
  for (unsigned slot = 0; slot < VT_PCI_SLOTS; slot++)
    for (unsigned pin = 0; pin < VT_PCI_PINS; pin++)
      {
        uint8_t *now = &lpc->routed[slot * VT_PCI_PINS + pin];
        uint8_t  pirq = (uint8_t) vt_ich9_default_pirq (slot, pin);
        uint32_t ir;

        /* §10.1.55 onwards: three bits per pin, each in a nibble. */
        if (slot_route (lpc, slot, &ir))
          pirq = ir >> (4 * pin) & 7;
        if (*now != pirq)
          vt_pci_bus_set_route (lpc->fn.bus, slot, pin, lpc->pirq[pirq], quiet);
        *now = pirq;
      }
}

/* §13.1.16: interrupts of the timer, the keyboard, the cascade, the RTC and the FPU can't be had. */
static bool
irq_allowed (unsigned irq)
{
  return irq >= 3 && irq != 8 && irq != 13;
}

static void
route_pirqs (VtIch9Lpc *lpc, bool quiet)
{
  for (unsigned i = 0; i < VT_ICH9_PIRQS; i++)
    {
      uint8_t rout = lpc->state.pci.config[i < 4 ? PIRQ_A + i : PIRQ_E + i - 4];
      bool    on = !(rout & PIRQ_OFF) && irq_allowed (rout & PIRQ_IRQ);

      vt_pci_route_end_at (lpc->pirq[i], on ? lpc->gsi[rout & PIRQ_IRQ] : NULL, quiet);
    }
}

static void
route_sci (VtIch9Lpc *lpc, bool quiet)
{
  /* §13.1.13; 3 is reserved. */
  static const uint8_t irq[8] = { 9, 10, 11, 9, 20, 21, 22, 23 };

  vt_pci_route_end_at (lpc->sci, lpc->gsi[irq[lpc->state.pci.config[ACPI_CNTL] & ACPI_CNTL_IRQ]],
                       quiet);
}

static void
sci_cb (void *data, bool level)
{
  VtIch9Lpc *lpc = data;

  vt_line_set (lpc->sci_source, level);
}

/* Decoding ------------------------------------------------------------------------------------------ */

static void
place (VtRegion *region, bool decodes, uint64_t base)
{
  uint64_t now;

  if (!decodes)
    vt_region_unmap (region);
  else if (!vt_region_mapped (region, &now) || now != base)
    vt_region_map (region, base, CHIPSET_PRIORITY);
}

static void
map (VtIch9Lpc *lpc)
{
  const uint8_t *c = lpc->state.pci.config;
  uint16_t       pmbase = vt_ld16 (c + PMBASE) & PMBASE_MASK;
  uint32_t       rcba = vt_ld32 (c + RCBA);

  vt_device_map_begin (&lpc->fn.base);
  place (lpc->pm_region, (c[ACPI_CNTL] & ACPI_CNTL_EN) && pmbase != 0, pmbase);
  place (lpc->rcrb_region, rcba & RCBA_ENABLE, rcba & RCBA_MASK);
  vt_device_map_commit (&lpc->fn.base);
}

static void
pass_to_pm (VtIch9Lpc *lpc)
{
  lpc->pm.no_reboot = lpc->state.rcrb[RCRB_GCS] & GCS_NO_REBOOT;
  lpc->pm.smi_lock = lpc->state.smi_locked;
  lpc->pm.broadcast = lpc->state.smi_broadcast;
}

void
vt_ich9_lpc_request_smi (VtIch9Lpc *lpc, uint64_t features)
{
  lpc->state.smi_requested = features;
}

bool
vt_ich9_lpc_agree_smi (VtIch9Lpc *lpc)
{
  if (!lpc->state.smi_agreed && !(lpc->state.smi_requested & ~(uint64_t) VT_ICH9_SMI_FEATURES))
    {
      lpc->state.smi_agreed = true;
      lpc->state.smi_broadcast = lpc->state.smi_requested & VT_ICH9_SMI_BROADCAST;
      pass_to_pm (lpc);
    }
  return lpc->state.smi_agreed;
}

static void
config_written (VtPciFunction *fn, unsigned offset, unsigned size)
{
  VtIch9Lpc *lpc = (VtIch9Lpc *) fn;
  uint8_t   *c = lpc->state.pci.config;

  /* Locks hold until the next reset. */
  lpc->state.smi_locked |= c[GEN_PMCON_1] & PMCON_SMI_LOCK;
  if (lpc->state.smi_locked)
    c[GEN_PMCON_1] |= PMCON_SMI_LOCK;
  lpc->state.bios_locked |= c[BIOS_CNTL] & BIOS_LOCK_ENABLE;
  if (lpc->state.bios_locked)
    c[BIOS_CNTL] |= BIOS_LOCK_ENABLE;
  pass_to_pm (lpc);
  map (lpc);
  if (offset < PIRQ_E + 4 && offset + size > PIRQ_A)
    route_pirqs (lpc, false);
  if (offset <= ACPI_CNTL && offset + size > ACPI_CNTL)
    route_sci (lpc, false);
}

/* Registers ----------------------------------------------------------------------------------------- */

static uint64_t
pm_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return vt_ich9_pm_read (&((VtIch9Lpc *) dev)->pm, (unsigned) offset, size);
}

static void
pm_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_ich9_pm_write (&((VtIch9Lpc *) dev)->pm, (unsigned) offset, size, (uint32_t) value);
}

static uint64_t
apm_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  const VtIch9Lpc *lpc = (VtIch9Lpc *) dev;

  return offset == 0 ? lpc->state.apm_cnt : lpc->state.apm_sts;
}

static void
apm_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtIch9Lpc *lpc = (VtIch9Lpc *) dev;

  /* §13.7.1 and 2: a mailbox whose first half rings. */
  if (offset == 0)
    {
      lpc->state.apm_cnt = (uint8_t) value;
      vt_ich9_pm_apm (&lpc->pm, (uint8_t) value);
    }
  else
    lpc->state.apm_sts = (uint8_t) value;
}

static uint64_t
cf9_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return ((VtIch9Lpc *) dev)->state.reset_control;
}

static void
cf9_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtIch9Lpc *lpc = (VtIch9Lpc *) dev;
  bool       was = lpc->state.reset_control & RESET_CPU;
  bool       full = (value & RESET_FULL) && (value & RESET_SYSTEM);

  lpc->state.reset_control = (uint8_t) value & RESET_MASK;
  /* §13.7.5: the rise of RST_CPU resets; SYS_RST only says whether the platform or just the CPUs,
   * and nothing needs the difference. */
  if ((value & RESET_CPU) && !was)
    vt_line_pulse (full && lpc->reset_full != NULL ? lpc->reset_full : lpc->reset);
}

static uint64_t
rcrb_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  const VtIch9Lpc *lpc = (VtIch9Lpc *) dev;

  for (unsigned i = 0; i < VT_ICH9_N_RCRB; i++)
    if (rcrb[i].offset == vt_align_down (offset, 4))
      return lpc->state.rcrb[i] >> (8 * (offset & 3));
  return 0;
}

static void
rcrb_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtIch9Lpc *lpc = (VtIch9Lpc *) dev;
  unsigned   shift = 8 * (offset & 3);

  for (unsigned i = 0; i < VT_ICH9_N_RCRB; i++)
    if (rcrb[i].offset == vt_align_down (offset, 4))
      {
        uint32_t mask = rcrb[i].writable & (uint32_t) (vt_ones (size) << shift);

        lpc->state.rcrb[i] =
            (lpc->state.rcrb[i] & ~mask) | ((uint32_t) (value << shift) & mask);
        pass_to_pm (lpc);
        route_pins (lpc, false);
      }
}

static const VtRegionOps pm_ops = {
  .name = "pm", .min_size = 1, .max_size = 4, .read = pm_read, .write = pm_write
};
static const VtRegionOps apm_ops = {
  .name = "apm", .min_size = 1, .max_size = 1, .read = apm_read, .write = apm_write
};
static const VtRegionOps cf9_ops = {
  .name = "reset-control", .min_size = 1, .max_size = 1, .read = cf9_read, .write = cf9_write
};
static const VtRegionOps rcrb_ops = {
  .name = "rcrb", .min_size = 1, .max_size = 4, .read = rcrb_read, .write = rcrb_write
};

/* Life ------------------------------------------------------------------------------------------------ */

static void
config_defaults (VtPciFunction *fn)
{
  vt_pci_set_default (fn, PMBASE, 4, 1); /* Bit 0: ports. */
  vt_pci_set_wmask (fn, PMBASE, 2, PMBASE_MASK);
  vt_pci_set_wmask (fn, ACPI_CNTL, 1, ACPI_CNTL_EN | ACPI_CNTL_IRQ);
  /* The base can be set and read; no pin of ours is wired, so nothing decodes there. */
  vt_pci_set_default (fn, GPIOBASE, 4, 1);
  vt_pci_set_wmask (fn, GPIOBASE, 2, 0xffc0);
  vt_pci_set_wmask (fn, GC, 1, 0x11);
  for (unsigned i = 0; i < VT_ICH9_PIRQS; i++)
    {
      unsigned offset = i < 4 ? PIRQ_A + i : PIRQ_E + i - 4;

      vt_pci_set_default (fn, offset, 1, PIRQ_OFF);
      vt_pci_set_wmask (fn, offset, 1, PIRQ_OFF | PIRQ_IRQ);
    }
  vt_pci_set_default (fn, SIRQ_CNTL, 1, 0x10);
  vt_pci_set_wmask (fn, SIRQ_CNTL, 1, 0xff);
  vt_pci_set_wmask (fn, LPC_IODEC, 2, 0x1377);
  vt_pci_set_wmask (fn, LPC_EN, 2, 0x3f0f);
  for (unsigned i = 0; i < 4; i++)
    vt_pci_set_wmask (fn, GEN_DEC + 4 * i, 4, 0x00fcfffd);
  vt_pci_set_wmask (fn, GEN_PMCON_1, 2, 0x04f7);
  vt_pci_set_wmask (fn, GEN_PMCON_2, 1, 0x80);
  vt_pci_set_wmask (fn, GEN_PMCON_3, 1, 0xf1);
  vt_pci_set_wmask (fn, GPI_ROUT, 4, UINT32_MAX);
  vt_pci_set_default (fn, FWH_SEL1, 4, 0x00112233);
  vt_pci_set_wmask (fn, FWH_SEL1, 4, 0xffffff00);
  vt_pci_set_default (fn, FWH_SEL2, 2, 0x4567);
  vt_pci_set_wmask (fn, FWH_SEL2, 2, 0xffff);
  vt_pci_set_default (fn, FWH_DEC_EN1, 2, 0xffcf);
  vt_pci_set_wmask (fn, FWH_DEC_EN1, 2, 0x7fcf);
  vt_pci_set_wmask (fn, BIOS_CNTL, 1, 0x0f);
  vt_pci_set_wmask (fn, RCBA, 4, RCBA_MASK | RCBA_ENABLE);
}

static bool
realize (VtDevice *dev, GError **error)
{
  VtIch9Lpc      *lpc = (VtIch9Lpc *) dev;
  const VtPciInfo info = { .vendor = 0x8086,
                           .device = 0x2918,
                           .revision = 2,
                           .class_code = 0x060100,
                           .subsystem_vendor = 0x1af4,
                           .subsystem = 0x1100,
                           .config_written = config_written };

  /* Function 0 of a device with several. */
  lpc->fn.multifunction = true;
  vt_pci_function_init (&lpc->fn, &lpc->state.pci, &info);
  config_defaults (&lpc->fn);
  lpc->pm_region = vt_device_add_region (dev, VT_SPACE_IO, &pm_ops, VT_ICH9_PM_SIZE);
  lpc->rcrb_region = vt_device_add_region (dev, VT_SPACE_MEMORY, &rcrb_ops, RCRB_SIZE);
  lpc->apm_region = vt_device_add_region (dev, VT_SPACE_IO, &apm_ops, 2);
  lpc->cf9_region = vt_device_add_region (dev, VT_SPACE_IO, &cf9_ops, 1);
  vt_region_map (lpc->apm_region, 0xb2, 0);

  for (unsigned i = 0; i < VT_ICH9_PIRQS; i++)
    lpc->pirq[i] = vt_pci_route_new (lpc->gsi[16 + i]);
  lpc->sci = vt_pci_route_new (NULL);
  lpc->sci_source = vt_line_share (vt_pci_route_line (lpc->sci));
  memset (lpc->routed, 0xff, sizeof lpc->routed);
  if (lpc->fn.bus != NULL)
    vt_pci_bus_set_cf9 (lpc->fn.bus, lpc->cf9_region);

  lpc->pm = (VtIch9Pm){ .state = &lpc->state.pm,
                        .context = dev->context,
                        .clock = dev->clock,
                        .smi = lpc->smi,
                        .smi_all = lpc->smi_all,
                        .reset = lpc->reset,
                        .poweroff = lpc->poweroff,
                        .suspend = lpc->suspend,
                        .wake = lpc->wake,
                        .sci = sci_cb,
                        .data = lpc };
  vt_ich9_pm_init (&lpc->pm);
  lpc->power_button = lpc->pm.button;
  return true;
}

static void
unrealize (VtDevice *dev)
{
  VtIch9Lpc *lpc = (VtIch9Lpc *) dev;

  if (lpc->fn.priv == NULL)
    return;
  vt_ich9_pm_finish (&lpc->pm);
  lpc->power_button = NULL;
  if (lpc->fn.bus != NULL)
    {
      vt_pci_bus_set_cf9 (lpc->fn.bus, NULL);
      for (unsigned i = 0; i < VT_PCI_SLOTS * VT_PCI_PINS; i++)
        if (lpc->routed[i] != 0xff)
          vt_pci_bus_set_route (lpc->fn.bus, i / VT_PCI_PINS, i % VT_PCI_PINS, NULL, false);
    }
  vt_line_free (lpc->sci_source);
  vt_pci_route_free (lpc->sci);
  for (unsigned i = 0; i < VT_ICH9_PIRQS; i++)
    vt_pci_route_free (lpc->pirq[i]);
  vt_pci_function_finish (&lpc->fn);
}

static void
reset (VtDevice *dev, VtResetKind kind)
{
  VtIch9Lpc *lpc = (VtIch9Lpc *) dev;

  vt_pci_function_reset (&lpc->fn, kind);
  for (unsigned i = 0; i < VT_ICH9_N_RCRB; i++)
    lpc->state.rcrb[i] = rcrb[i].reset;
  lpc->state.apm_cnt = lpc->state.apm_sts = lpc->state.reset_control = 0;
  lpc->state.smi_locked = lpc->state.bios_locked = false;
  lpc->state.smi_agreed = lpc->state.smi_broadcast = false;
  lpc->state.smi_requested = 0;
  pass_to_pm (lpc);
  vt_ich9_pm_reset (&lpc->pm, kind);
  map (lpc);
  route_pirqs (lpc, false);
  route_sci (lpc, false);
  route_pins (lpc, false);
}

static void
loaded (VtDevice *dev)
{
  VtIch9Lpc *lpc = (VtIch9Lpc *) dev;

  vt_pci_function_loaded (&lpc->fn);
  pass_to_pm (lpc);
  map (lpc);
  route_pirqs (lpc, true);
  route_sci (lpc, true);
  route_pins (lpc, true);
  vt_ich9_pm_loaded (&lpc->pm);
  vt_pci_route_import (lpc->sci, lpc->sci_source, vt_ich9_pm_sci (&lpc->pm));
}

const VtDeviceClass vt_ich9_lpc_class = {
  .id = "ich9-lpc",
  .spec = "Intel I/O Controller Hub 9 data sheet 316972-004, chapters 10 and 13",
  .size = sizeof (VtIch9Lpc),
  .state_offset = offsetof (VtIch9Lpc, state),
  .state = &lpc_state,
  .flags = VT_DEVICE_PCI,
  .realize = realize,
  .unrealize = unrealize,
  .reset = reset,
  .loaded = loaded,
};
