/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Message-signalled interrupts: MSI and MSI-X, with masks and pending bits. PCI Local Bus 3.0 §6.8.
 */
#include "pci-private.h"

/* §6.8.1: MSI, 64-bit address, per-vector masking where there is more than one vector. */
enum
{
  MSI_CONTROL = 2,
  MSI_ADDRESS = 4,
  MSI_DATA = 12,
  MSI_MASK = 16,
  MSI_PENDING = 20,
  MSI_CONTROL_ENABLE = 1 << 0,
  MSI_CONTROL_CAPABLE_SHIFT = 1,
  MSI_CONTROL_ENABLED_SHIFT = 4,
  MSI_CONTROL_64 = 1 << 7,
  MSI_CONTROL_MASKING = 1 << 8,
};

/* §6.8.2: MSI-X. */
enum
{
  MSIX_CONTROL = 2,
  MSIX_TABLE = 4,
  MSIX_PBA = 8,
  MSIX_LEN = 12,
  MSIX_CONTROL_MASK = 1 << 14,
  MSIX_CONTROL_ENABLE = 1 << 15,
  MSIX_ENTRY = 16, /* Bytes. */
  MSIX_VECTOR_MASKED = 1 << 0,
};

static const VtStateField msix_fields[] = {
  VT_STATE (VtPciMsixState, table),
  VT_STATE (VtPciMsixState, pending),
};
const VtStateDesc vt_pci_msix_state = VT_STATE_DESC (VtPciMsixState, 1, msix_fields, NULL);

static const VtMsiSink *
sink (const VtPciFunction *fn)
{
  return fn->bus != NULL && fn->bus->root->has_msi ? &fn->bus->root->msi : NULL;
}

void
vt_pci_add_msi (VtPciFunction *fn, unsigned offset, unsigned n_vectors)
{
  VtPciFunctionPrivate *priv = fn->priv;
  bool                  masking = n_vectors > 1;
  unsigned              log2 = 0;

  g_return_if_fail (n_vectors >= 1 && n_vectors <= VT_PCI_MSI_MAX && priv->msi == 0);
  while (1u << log2 < n_vectors)
    log2++;
  priv->msi = vt_pci_add_capability (fn, VT_PCI_CAP_MSI, offset, masking ? 24 : 14);
  if (priv->msi == 0)
    return;
  priv->n_msi = 1u << log2;
  vt_pci_set_default (fn, priv->msi + MSI_CONTROL, 2,
                      log2 << MSI_CONTROL_CAPABLE_SHIFT | MSI_CONTROL_64 |
                          (masking ? MSI_CONTROL_MASKING : 0));
  vt_pci_set_wmask (fn, priv->msi + MSI_CONTROL, 2,
                    MSI_CONTROL_ENABLE | (log2 > 0 ? 7 << MSI_CONTROL_ENABLED_SHIFT : 0));
  vt_pci_set_wmask (fn, priv->msi + MSI_ADDRESS, 8, ~UINT64_C (3));
  vt_pci_set_wmask (fn, priv->msi + MSI_DATA, 2, 0xffff);
  if (masking)
    vt_pci_set_wmask (fn, priv->msi + MSI_MASK, 4, vt_ones (4) >> (32 - priv->n_msi));
  for (unsigned i = 0; i < priv->n_msi; i++)
    priv->msi_vector[i] = vt_msi_new (sink (fn));
}

bool
vt_pci_msi_enabled (const VtPciFunction *fn)
{
  const VtPciFunctionPrivate *priv = fn->priv;

  return priv->msi != 0 &&
         (fn->config->config[priv->msi + MSI_CONTROL] & MSI_CONTROL_ENABLE);
}

bool
vt_pci_msix_enabled (const VtPciFunction *fn)
{
  const VtPciFunctionPrivate *priv = fn->priv;

  return priv->msix != 0 &&
         (vt_ld16 (fn->config->config + priv->msix + MSIX_CONTROL) & MSIX_CONTROL_ENABLE);
}

/* How many MSI vectors the guest has given: a power of two, at most what was asked for. */
static unsigned
msi_granted (const VtPciFunction *fn)
{
  const VtPciFunctionPrivate *priv = fn->priv;
  unsigned log2 = fn->config->config[priv->msi + MSI_CONTROL] >> MSI_CONTROL_ENABLED_SHIFT & 7;

  /* §6.8.1.3: 6 and 7 are reserved. */
  return log2 > 5 ? 1 : MIN (1u << log2, priv->n_msi);
}

static void
update_msi (VtPciFunction *fn, bool master)
{
  VtPciFunctionPrivate *priv = fn->priv;
  uint8_t              *cap = fn->config->config + priv->msi;
  bool                  masking = priv->n_msi > 1;
  bool                  on = vt_pci_msi_enabled (fn);
  uint32_t              mask = masking ? vt_ld32 (cap + MSI_MASK) : 0;
  unsigned              granted = msi_granted (fn);

  for (unsigned i = 0; i < priv->n_msi; i++)
    {
      bool masked = !on || !master || i >= granted || (mask >> i & 1);
      /* §6.8.1.6: the low bits of the data tell the vectors apart. */
      uint32_t data = (vt_ld16 (cap + MSI_DATA) & ~(granted - 1)) | (i & (granted - 1));

      vt_msi_set (priv->msi_vector[i], vt_ld64 (cap + MSI_ADDRESS), data, masked);
      if (masking && !masked && (vt_ld32 (cap + MSI_PENDING) >> i & 1) &&
          vt_msi_send (priv->msi_vector[i]))
        vt_st32 (cap + MSI_PENDING, vt_ld32 (cap + MSI_PENDING) & ~(UINT32_C (1) << i));
    }
}

/* One MSI-X vector; @may: enabled, bus master and not masked as a whole. */
static void
update_vector (VtPciFunction *fn, unsigned n, bool may)
{
  VtPciFunctionPrivate *priv = fn->priv;
  VtPciMsixState       *state = priv->msix_state;
  const uint32_t       *entry = state->table + 4 * n;
  bool                  masked = !may || (entry[3] & MSIX_VECTOR_MASKED);

  vt_msi_set (priv->msix_vector[n], entry[0] | (uint64_t) entry[1] << 32, entry[2], masked);
  if (!masked && (state->pending >> n & 1) && vt_msi_send (priv->msix_vector[n]))
    state->pending &= ~VT_BIT (n);
}

static bool
msix_may_send (const VtPciFunction *fn)
{
  uint16_t control = vt_ld16 (fn->config->config + fn->priv->msix + MSIX_CONTROL);

  return (control & MSIX_CONTROL_ENABLE) && !(control & MSIX_CONTROL_MASK) &&
         (vt_pci_command (fn) & VT_PCI_COMMAND_MASTER);
}

void
vt_pci_msi_update (VtPciFunction *fn)
{
  VtPciFunctionPrivate *priv = fn->priv;

  if (priv->msi != 0)
    update_msi (fn, vt_pci_command (fn) & VT_PCI_COMMAND_MASTER);
  for (unsigned i = 0; i < priv->n_msix; i++)
    update_vector (fn, i, msix_may_send (fn));
}

void
vt_pci_msi_reset (VtPciFunction *fn)
{
  VtPciFunctionPrivate *priv = fn->priv;

  if (priv->msix_state != NULL)
    {
      memset (priv->msix_state, 0, sizeof *priv->msix_state);
      /* §6.8.2.9: each vector starts masked. Those that are not there have no entry. */
      for (unsigned i = 0; i < priv->n_msix; i++)
        priv->msix_state->table[4 * i + 3] = MSIX_VECTOR_MASKED;
    }
  vt_pci_msi_update (fn);
}

void
vt_pci_msi_finish (VtPciFunction *fn)
{
  for (unsigned i = 0; i < VT_PCI_MSI_MAX; i++)
    g_clear_pointer (&fn->priv->msi_vector[i], vt_msi_free);
  for (unsigned i = 0; i < VT_PCI_MSIX_MAX; i++)
    g_clear_pointer (&fn->priv->msix_vector[i], vt_msi_free);
}

void
vt_pci_msi_send (VtPciFunction *fn, unsigned n)
{
  VtPciFunctionPrivate *priv = fn->priv;

  if (!(vt_pci_command (fn) & VT_PCI_COMMAND_MASTER))
    return;
  if (vt_pci_msix_enabled (fn))
    {
      if (n < priv->n_msix && !vt_msi_send (priv->msix_vector[n]))
        priv->msix_state->pending |= VT_BIT (n);
    }
  else if (vt_pci_msi_enabled (fn))
    {
      uint8_t *pending = fn->config->config + priv->msi + MSI_PENDING;

      /* A guest that granted fewer vectors gets several causes on one. */
      n &= msi_granted (fn) - 1;
      if (!vt_msi_send (priv->msi_vector[n]) && priv->n_msi > 1)
        vt_st32 (pending, vt_ld32 (pending) | UINT32_C (1) << n);
    }
}

/* MSI-X table and pending array ------------------------------------------------------------------ */

static uint64_t
table_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return ((VtPciFunction *) dev)->priv->msix_state->table[offset / 4];
}

static void
table_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  /* Message address, its upper half, data, vector control; reserved bits read as zero. */
  static const uint32_t writable[4] = { 0xfffffffc, 0xffffffff, 0xffffffff, MSIX_VECTOR_MASKED };
  VtPciFunction        *fn = (VtPciFunction *) dev;

  fn->priv->msix_state->table[offset / 4] = (uint32_t) value & writable[offset / 4 % 4];
  update_vector (fn, (unsigned) (offset / MSIX_ENTRY), msix_may_send (fn));
}

static uint64_t
pba_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return ((VtPciFunction *) dev)->priv->msix_state->pending >> (8 * offset);
}

static uint64_t
nothing_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return 0;
}

/* §6.8.2: guests use aligned dwords and qwords; the rest is undefined. */
static const VtRegionOps table_ops = {
  .name = "msix-table", .min_size = 4, .max_size = 4, .read = table_read, .write = table_write
};
static const VtRegionOps pba_ops = {
  .name = "msix-pending", .min_size = 4, .max_size = 4, .read = pba_read
};
static const VtRegionOps nothing_ops = {
  .name = "msix-bar", .min_size = 1, .max_size = 8, .read = nothing_read
};

void
vt_pci_add_msix (VtPciFunction     *fn,
                 VtPciMsixState    *state,
                 unsigned           n,
                 unsigned           bar,
                 uint64_t           bar_size,
                 uint32_t           table_offset,
                 uint32_t           pba_offset,
                 const VtRegionOps *ops)
{
  VtPciFunctionPrivate *priv = fn->priv;
  uint8_t               cap;

  g_return_if_fail (n >= 1 && n <= VT_PCI_MSIX_MAX && bar < VT_PCI_N_BARS && priv->msix == 0);
  g_return_if_fail (vt_range_ok (table_offset, n * MSIX_ENTRY, bar_size) && table_offset % 8 == 0);
  g_return_if_fail (vt_range_ok (pba_offset, 8, bar_size) && pba_offset % 8 == 0);
  cap = vt_pci_add_capability (fn, VT_PCI_CAP_MSIX, 0, MSIX_LEN);
  if (cap == 0)
    return;
  priv->msix = cap;
  priv->n_msix = n;
  priv->msix_state = state;
  vt_pci_set_default (fn, cap + MSIX_CONTROL, 2, n - 1);
  vt_pci_set_wmask (fn, cap + MSIX_CONTROL, 2, MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK);
  vt_pci_set_default (fn, cap + MSIX_TABLE, 4, table_offset | bar);
  vt_pci_set_default (fn, cap + MSIX_PBA, 4, pba_offset | bar);
  for (unsigned i = 0; i < n; i++)
    priv->msix_vector[i] = vt_msi_new (sink (fn));

  vt_pci_add_bar (fn, bar,
                  vt_device_add_region (&fn->base, VT_SPACE_MEMORY, ops != NULL ? ops : &nothing_ops,
                                        bar_size),
                  VT_PCI_BAR_32);
  priv->bar[bar].sub[0] = (VtPciSubregion){
    .region = vt_device_add_region (&fn->base, VT_SPACE_MEMORY, &table_ops, n * MSIX_ENTRY),
    .offset = table_offset,
  };
  priv->bar[bar].sub[1] = (VtPciSubregion){
    .region = vt_device_add_region (&fn->base, VT_SPACE_MEMORY, &pba_ops, 8),
    .offset = pba_offset,
  };
  priv->bar[bar].n_sub = 2;
}
