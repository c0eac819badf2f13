/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Q35's memory controller hub: Intel 3 Series Express Chipset data sheet (316966) §5.1.
 */
#include "pci/q35-host.h"

enum
{
  EXT_TSEG = 0x50, /* Of virtual machines' alone: written, it reads the MiB of the largest TSEG. */
  PCIEXBAR = 0x60, /* §5.1.16 */
  PAM0 = 0x90,     /* §5.1.18 to 24 */
  SMRAM = 0x9d,    /* §5.1.30 */
  ESMRAMC = 0x9e,  /* §5.1.31 */
  TOM = 0xa0,      /* §5.1.32 */
  TOUUD = 0xa2,
  GBSM = 0xa4,   /* §5.1.34 to 36: where firmware has put memory of its own, for itself to read. */
  BGSM = 0xa8,
  TSEGMB = 0xac,
  TOLUD = 0xb0,
  PCIEXBAR_ENABLE = 1 << 0,
  PCIEXBAR_LENGTH_SHIFT = 1,
  PAM_READ = 1 << 0,
  PAM_WRITE = 1 << 1,
  SMRAM_BASE_SEG = 0x02,
  SMRAM_GLOBAL = 1 << 3,
  SMRAM_LOCK = 1 << 4,
  SMRAM_OPEN = 1 << 6,
  SMRAM_MASK = 0x78,
  SMRAM_LOCKED = SMRAM_GLOBAL | SMRAM_LOCK | SMRAM_OPEN,
  ESMRAMC_CACHE = 0x38, /* Read-only ones. */
  ESMRAMC_ERROR = 1 << 6,
  ESMRAMC_TSEG = 1 << 0,
  ESMRAMC_SIZE_SHIFT = 1,
  ESMRAMC_HIGH = 1 << 7,
  ESMRAMC_MASK = 0x87, /* T_EN, TSEG_SZ, H_SMRAME. */
};
#define PCIEXBAR_BASE UINT64_C (0xff0000000)
/* Above BARs, below RAM. */
#define ECAM_PRIORITY (-8)

#define SMRAM_HIGH UINT64_C (0xfeda0000) /* With H_SMRAME. */
#define SMRAM_SIZE 0x20000
#define EXT_TSEG_UNASKED 0xffff

static const uint8_t tseg_mib[VT_Q35_HOST_N_TSEG] = { 1, 2, 8, VT_Q35_HOST_TSEG_MIB };

/* The segments in the order of their nibbles: PAM0's low one is reserved. */
#define SEGMENT_BASE(n) ((n) == 0 ? 0xf0000u : 0xc0000u + ((n) -1u) * 0x4000u)
#define SEGMENT_SIZE(n) ((n) == 0 ? 0x10000u : 0x4000u)

static const VtStateField host_fields[] = {
  VT_STATE_STRUCT (VtQ35HostState, pci, &vt_pci_state),
  VT_STATE (VtQ35HostState, config_address),
  VT_STATE (VtQ35HostState, smram),
  VT_STATE (VtQ35HostState, esmramc),
  VT_STATE (VtQ35HostState, locked),
  VT_STATE (VtQ35HostState, pad_),
};
static const VtStateDesc host_state = VT_STATE_DESC (VtQ35HostState, 1, host_fields, NULL);

/* Configuration accesses ------------------------------------------------------------------------- */

static uint64_t
ports_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtQ35Host *host = (VtQ35Host *) dev;

  return vt_pci_ports_read (host->bus, &host->state.config_address, offset, size);
}

static void
ports_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtQ35Host *host = (VtQ35Host *) dev;

  vt_pci_ports_write (host->bus, &host->state.config_address, offset, size, (uint32_t) value);
}

static uint64_t
ecam_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return vt_pci_ecam_read (((VtQ35Host *) dev)->bus, offset, size);
}

static void
ecam_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_pci_ecam_write (((VtQ35Host *) dev)->bus, offset, size, (uint32_t) value);
}

/* The functions behind these belong to contexts of their own. */
static const VtRegionOps ports_ops = { .name = "pci-config",
                                       .min_size = 1,
                                       .max_size = 4,
                                       .read = ports_read,
                                       .write = ports_write,
                                       .unlocked = true };
static const VtRegionOps ecam_ops = { .name = "ecam",
                                      .min_size = 1,
                                      .max_size = 4,
                                      .read = ecam_read,
                                      .write = ecam_write,
                                      .unlocked = true };

/* Shadow RAM --------------------------------------------------------------------------------------- */

/* Write-only: firmware copies a ROM onto itself this way. Reads see the ROM, writes reach RAM. */
static uint64_t
segment_read (VtDevice *dev, unsigned n, uint64_t offset, unsigned size)
{
  const VtQ35Host *host = (VtQ35Host *) dev;
  uint64_t         at = SEGMENT_BASE (n) + offset, base;

  if (host->rom == NULL || !vt_region_mapped (host->rom, &base) || at < base)
    return UINT64_MAX;
  return vt_region_read (host->rom, at - base, size);
}

static void
segment_write (VtDevice *dev, unsigned n, uint64_t offset, unsigned size, uint64_t value)
{
  VtQ35Host *host = (VtQ35Host *) dev;
  uint64_t   at = SEGMENT_BASE (n) + offset;

  vt_st (vt_ram_host (host->ram) + at, size, value);
  vt_ram_mark_dirty (host->ram, at, size);
}

/* The ops of a region learn the offset and not the region, so each segment has its own. */
#define SEGMENT(n)                                                                                 \
  static uint64_t segment_read_##n (VtDevice *dev, uint64_t offset, unsigned size)                 \
  {                                                                                                \
    return segment_read (dev, n, offset, size);                                                    \
  }                                                                                                \
  static void segment_write_##n (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)    \
  {                                                                                                \
    segment_write (dev, n, offset, size, value);                                                   \
  }
#define SEGMENT_OPS(n)                                                                             \
  {                                                                                                \
    .name = "shadow", .min_size = 1, .max_size = 8, .read = segment_read_##n,                      \
    .write = segment_write_##n                                                                     \
  }
SEGMENT (0)
SEGMENT (1)
SEGMENT (2)
SEGMENT (3)
SEGMENT (4)
SEGMENT (5)
SEGMENT (6)
SEGMENT (7)
SEGMENT (8)
SEGMENT (9)
SEGMENT (10)
SEGMENT (11)
SEGMENT (12)
static const VtRegionOps segment_ops[VT_Q35_HOST_N_PAM] = {
  SEGMENT_OPS (0), SEGMENT_OPS (1), SEGMENT_OPS (2),  SEGMENT_OPS (3),  SEGMENT_OPS (4),
  SEGMENT_OPS (5), SEGMENT_OPS (6), SEGMENT_OPS (7),  SEGMENT_OPS (8),  SEGMENT_OPS (9),
  SEGMENT_OPS (10), SEGMENT_OPS (11), SEGMENT_OPS (12),
};

/* TSEG for everybody who is not in system management mode: nothing. */
static const VtRegionOps hole_ops = { .name = "tseg", .min_size = 1, .max_size = 8, .unlocked = true };

/* What goes where --------------------------------------------------------------------------------- */

static void
place (VtRegion *region, bool decodes, uint64_t base, int priority)
{
  uint64_t now;

  if (region == NULL)
    return;
  if (!decodes)
    vt_region_unmap (region);
  else if (!vt_region_mapped (region, &now) || now != base)
    vt_region_map (region, base, priority);
}

/* §5.1.30 and 31. D_CLS, which would let code of that mode see the VGA's window as data, does nothing. */
static void
map_smram (VtQ35Host *host)
{
  const uint8_t  smram = host->state.pci.config[SMRAM], esmramc = host->state.pci.config[ESMRAMC];
  const bool     enabled = smram & SMRAM_GLOBAL;
  const uint64_t at = esmramc & ESMRAMC_HIGH ? SMRAM_HIGH : VT_Q35_HOST_SMRAM_BASE;

  place (host->smram_open, enabled && (smram & SMRAM_OPEN), at, VT_Q35_HOST_SHADOW_PRIORITY);
  place (host->smram, enabled && host->smm, at, VT_Q35_HOST_SHADOW_PRIORITY);
  for (unsigned i = 0; i < VT_Q35_HOST_N_TSEG; i++)
    {
      const uint64_t size = tseg_mib[i] * VT_MIB;
      const bool     on = enabled && host->smm && (esmramc & ESMRAMC_TSEG)
                      && (esmramc >> ESMRAMC_SIZE_SHIFT & 3u) == i;

      place (host->tseg_hole[i], on, host->low_ram - size, VT_Q35_HOST_SHADOW_PRIORITY);
      place (host->tseg[i], on, host->low_ram - size, VT_Q35_HOST_SHADOW_PRIORITY + 1);
    }
}

static void
map (VtQ35Host *host)
{
  const uint8_t *c = host->state.pci.config;
  uint64_t       pciexbar = vt_ld64 (c + PCIEXBAR);
  unsigned       length = pciexbar >> PCIEXBAR_LENGTH_SHIFT & 3;

  vt_device_map_begin (&host->fn.base);
  for (unsigned i = 0; i < G_N_ELEMENTS (host->ecam); i++)
    {
      /* Each smaller length gives one more bit to the base. */
      uint64_t base = pciexbar & 0xfffffffff & ~(vt_region_size (host->ecam[i]) - 1);

      place (host->ecam[i], (pciexbar & PCIEXBAR_ENABLE) && length == i, base, ECAM_PRIORITY);
    }
  for (unsigned n = 0; n < VT_Q35_HOST_N_PAM; n++)
    {
      /* Segment 0 is the high nibble of PAM0, then low and high of PAM1 and so on. */
      unsigned mode = c[PAM0 + (n + 1) / 2] >> (n % 2 == 0 ? 4 : 0) & 3;

      for (unsigned m = 0; m < 3; m++)
        place (host->shadow[n][m], mode == m + 1, SEGMENT_BASE (n), VT_Q35_HOST_SHADOW_PRIORITY);
    }
  map_smram (host);
  vt_device_map_commit (&host->fn.base);
}

/* D_LCK also fixes where SMRAM is said to be. */
static void
set_rights (VtQ35Host *host)
{
  const uint32_t mask = host->state.locked ? 0 : 0xfff00000;

  vt_pci_set_wmask (&host->fn, GBSM, 4, mask);
  vt_pci_set_wmask (&host->fn, BGSM, 4, mask);
  vt_pci_set_wmask (&host->fn, TSEGMB, 4, mask);
  vt_pci_set_wmask (&host->fn, TOLUD, 2, mask >> 16 & 0xfff0);
}

static void
config_written (VtPciFunction *fn, unsigned offset, unsigned size)
{
  VtQ35Host      *host = (VtQ35Host *) fn;
  VtQ35HostState *s = &host->state;
  uint8_t        *c = s->pci.config;

  /* §5.1.30: D_LCK shuts the window and freezes itself and its companions until the next reset. */
  if (s->locked)
    {
      c[SMRAM] = (uint8_t) ((c[SMRAM] & ~SMRAM_LOCKED) | s->smram);
      c[ESMRAMC] = (uint8_t) ((c[ESMRAMC] & ~ESMRAMC_MASK) | s->esmramc);
    }
  else if (c[SMRAM] & SMRAM_LOCK)
    {
      c[SMRAM] &= (uint8_t) ~SMRAM_OPEN;
      s->locked = true;
      s->smram = c[SMRAM] & SMRAM_LOCKED;
      s->esmramc = c[ESMRAMC] & ESMRAMC_MASK;
      set_rights (host);
    }
  if (host->smm && offset < EXT_TSEG + 2 && offset + size > EXT_TSEG)
    vt_st16 (c + EXT_TSEG, VT_Q35_HOST_TSEG_MIB);
  map (host);
}

/* Life ------------------------------------------------------------------------------------------------ */

static void
config_defaults (VtQ35Host *host)
{
  VtPciFunction *fn = &host->fn;
  uint64_t       top = host->high_ram > 0 ? 4 * VT_GIB + host->high_ram : host->low_ram;

  if (host->smm)
    vt_pci_set_default (fn, EXT_TSEG, 2, EXT_TSEG_UNASKED);
  vt_pci_set_default (fn, PCIEXBAR, 8, VT_Q35_HOST_ECAM_BASE);
  vt_pci_set_wmask (fn, PCIEXBAR, 8, PCIEXBAR_BASE | 0x0c000007);
  vt_pci_set_wmask (fn, PAM0, 1, (PAM_READ | PAM_WRITE) << 4);
  for (unsigned i = 1; i < 7; i++)
    vt_pci_set_wmask (fn, PAM0 + i, 1, (PAM_READ | PAM_WRITE) * 0x11);
  vt_pci_set_default (fn, SMRAM, 1, SMRAM_BASE_SEG);
  vt_pci_set_wmask (fn, SMRAM, 1, SMRAM_MASK);
  vt_pci_set_default (fn, ESMRAMC, 1, ESMRAMC_CACHE);
  vt_pci_set_wmask (fn, ESMRAMC, 1, ESMRAMC_MASK);
  vt_pci_set_w1cmask (fn, ESMRAMC, 1, ESMRAMC_ERROR);
  /* How much memory there is, which firmware for real boards would set: in 64 MiB, in MiB from bit
   * 0, and in MiB from bit 4. */
  vt_pci_set_default (fn, TOM, 2, (host->low_ram + host->high_ram) / (64 * VT_MIB) & 0x3ff);
  vt_pci_set_default (fn, TOUUD, 2, top / VT_MIB & 0xffff);
  vt_pci_set_default (fn, TOLUD, 2, host->low_ram / VT_MIB << 4 & 0xfff0);
}

static bool
realize (VtDevice *dev, GError **error)
{
  VtQ35Host      *host = (VtQ35Host *) dev;
  const VtPciInfo info = { .vendor = 0x8086,
                           .device = 0x29c0,
                           .class_code = 0x060000,
                           .subsystem_vendor = 0x1af4,
                           .subsystem = 0x1100,
                           .config_written = config_written };

  host->bus = vt_pci_bus_new (dev->path, host->msi);
  host->fn.bus = host->bus;
  host->fn.devfn = 0;
  vt_pci_function_init (&host->fn, &host->state.pci, &info);
  config_defaults (host);

  host->ports = vt_device_add_region (dev, VT_SPACE_IO, &ports_ops, 8);
  vt_region_map (host->ports, 0xcf8, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS (host->ecam); i++)
    host->ecam[i] =
        vt_device_add_region (dev, VT_SPACE_MEMORY, &ecam_ops, VT_Q35_HOST_ECAM_SIZE >> i);
  if (host->ram == NULL || vt_ram_size (host->ram) < VT_MIB)
    return true;
  for (unsigned n = 0; n < VT_Q35_HOST_N_PAM; n++)
    {
      host->shadow[n][PAM_READ - 1] = vt_device_add_ram_region (
          dev, host->ram, SEGMENT_BASE (n), SEGMENT_SIZE (n), VT_RAM_ROM, NULL);
      host->shadow[n][PAM_WRITE - 1] =
          vt_device_add_region (dev, VT_SPACE_MEMORY, &segment_ops[n], SEGMENT_SIZE (n));
      host->shadow[n][(PAM_READ | PAM_WRITE) - 1] = vt_device_add_ram_region (
          dev, host->ram, SEGMENT_BASE (n), SEGMENT_SIZE (n), VT_RAM_RW, NULL);
    }
  host->smram_open =
      vt_device_add_ram_region (dev, host->ram, VT_Q35_HOST_SMRAM_BASE, SMRAM_SIZE, VT_RAM_RW, NULL);
  host->smram =
      vt_device_add_ram_region (dev, host->ram, VT_Q35_HOST_SMRAM_BASE, SMRAM_SIZE, VT_RAM_RW, NULL);
  vt_region_for_smm (host->smram);
  for (unsigned i = 0; host->smm && i < VT_Q35_HOST_N_TSEG; i++)
    {
      const uint64_t size = tseg_mib[i] * VT_MIB;

      if (host->low_ram < size + VT_MIB || vt_ram_size (host->ram) < host->low_ram)
        continue;
      host->tseg_hole[i] = vt_device_add_region (dev, VT_SPACE_MEMORY, &hole_ops, size);
      host->tseg[i] =
          vt_device_add_ram_region (dev, host->ram, host->low_ram - size, size, VT_RAM_RW, NULL);
      vt_region_for_smm (host->tseg[i]);
    }
  return true;
}

static void
unrealize (VtDevice *dev)
{
  VtQ35Host *host = (VtQ35Host *) dev;

  vt_pci_function_finish (&host->fn);
  g_clear_pointer (&host->bus, vt_pci_bus_free);
  host->fn.bus = NULL;
}

static void
reset (VtDevice *dev, VtResetKind kind)
{
  VtQ35Host *host = (VtQ35Host *) dev;

  vt_pci_function_reset (&host->fn, kind);
  __atomic_store_n (&host->state.config_address, 0, __ATOMIC_RELAXED);
  host->state.smram = host->state.esmramc = 0;
  host->state.locked = false;
  set_rights (host);
  map (host);
}

static void
loaded (VtDevice *dev)
{
  VtQ35Host *host = (VtQ35Host *) dev;

  vt_pci_function_loaded (&host->fn);
  set_rights (host);
  map (host);
}

const VtDeviceClass vt_q35_host_class = {
  .id = "q35-host",
  .spec = "Intel 3 Series Express Chipset Family data sheet 316966-002, chapter 5; PCI 3.0 §3.2.2.3; "
          "PCI Express 3.1 §7.2",
  .size = sizeof (VtQ35Host),
  .state_offset = offsetof (VtQ35Host, state),
  .state = &host_state,
  .flags = VT_DEVICE_PCI,
  .realize = realize,
  .unrealize = unrealize,
  .reset = reset,
  .loaded = loaded,
};
