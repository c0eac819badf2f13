/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A PCI function: configuration space with its write masks, capabilities, command register, INTx.
 * PCI Local Bus 3.0 chapter 6.
 */
#include "pci-private.h"

static const VtStateField pci_fields[] = {
  VT_STATE (VtPciState, config),
};
const VtStateDesc vt_pci_state = VT_STATE_DESC (VtPciState, 1, pci_fields, NULL);

/* §6.2.3: what the device has done since the guest last looked, cleared by writing ones. */
#define STATUS_W1C 0xf900

void
vt_pci_function_init (VtPciFunction *fn, VtPciState *state, const VtPciInfo *info)
{
  VtPciFunctionPrivate *priv = g_new0 (VtPciFunctionPrivate, 1);

  fn->config = state;
  fn->priv = priv;
  priv->size = info->express ? VT_PCI_CONFIG_SIZE : 256;
  priv->config_written = info->config_written;
  memset (state, 0, sizeof *state);
  memset (priv->used, 1, 0x40);
  vt_pci_set_default (fn, VT_PCI_VENDOR, 2, info->vendor);
  vt_pci_set_default (fn, VT_PCI_DEVICE, 2, info->device);
  vt_pci_set_default (fn, VT_PCI_REVISION, 4,
                      info->revision | (uint64_t) (info->class_code & 0xffffff) << 8);
  vt_pci_set_default (fn, VT_PCI_HEADER_TYPE, 1, fn->multifunction ? 0x80 : 0);
  vt_pci_set_default (fn, VT_PCI_SUBSYSTEM_VENDOR, 2, info->subsystem_vendor);
  vt_pci_set_default (fn, VT_PCI_SUBSYSTEM, 2, info->subsystem);
  vt_pci_set_default (fn, VT_PCI_INTERRUPT_PIN, 1, info->interrupt_pin);
  /* Parity Error Response may be hardwired to 0 in functions of the root complex. */
  vt_pci_set_wmask (fn, VT_PCI_COMMAND, 2,
                    VT_PCI_COMMAND_IO | VT_PCI_COMMAND_MEMORY | VT_PCI_COMMAND_MASTER |
                        VT_PCI_COMMAND_SERR | VT_PCI_COMMAND_INTX_DISABLE);
  vt_pci_set_w1cmask (fn, VT_PCI_STATUS, 2, STATUS_W1C);
  vt_pci_set_wmask (fn, VT_PCI_CACHE_LINE, 1, 0xff);
  vt_pci_set_wmask (fn, VT_PCI_INTERRUPT_LINE, 1, 0xff);
  if (fn->bus == NULL)
    return;
  vt_pci_bus_add (fn->bus, fn);
  if (info->interrupt_pin >= 1 && info->interrupt_pin <= VT_PCI_PINS)
    {
      priv->pin = info->interrupt_pin - 1u;
      priv->intx = vt_line_share (
          vt_pci_route_line (vt_pci_bus_pin (fn->bus, fn->devfn >> 3, priv->pin)));
    }
}

void
vt_pci_function_finish (VtPciFunction *fn)
{
  VtPciFunctionPrivate *priv = fn->priv;

  if (priv == NULL)
    return;
  if (fn->bus != NULL)
    vt_pci_bus_remove (fn->bus, fn);
  vt_pci_bus_free (priv->secondary);
  vt_line_free (priv->intx);
  vt_pci_msi_finish (fn);
  g_clear_pointer (&fn->priv, g_free);
}

static void
update_gate (VtPciFunction *fn)
{
  /* Bus Master Enable of the bridges above is not looked at: firmware sets it in the function that
   * it drives and leaves the root ports alone. */
  vt_memory_set_gate (fn->base.memory, vt_pci_command (fn) & VT_PCI_COMMAND_MASTER);
}

void
vt_pci_function_reset (VtPciFunction *fn, VtResetKind kind)
{
  memcpy (fn->config->config, fn->priv->defaults, VT_PCI_CONFIG_SIZE);
  vt_pci_msi_reset (fn);
  vt_pci_intx_update (fn);
  update_gate (fn);
  if (fn->priv->is_bridge)
    vt_pci_bridge_publish (fn, true);
  vt_pci_bars_update (fn);
}

/* Whether the guest sees the function's wire high. */
static bool
intx_asserted (const VtPciFunction *fn)
{
  return (fn->config->config[VT_PCI_STATUS] & VT_PCI_STATUS_INTERRUPT) &&
         !(vt_pci_command (fn) & VT_PCI_COMMAND_INTX_DISABLE) && !vt_pci_msi_enabled (fn) &&
         !vt_pci_msix_enabled (fn);
}

void
vt_pci_function_loaded (VtPciFunction *fn)
{
  VtPciFunctionPrivate *priv = fn->priv;

  vt_pci_msi_update (fn);
  update_gate (fn);
  if (priv->is_bridge)
    vt_pci_bridge_publish (fn, true);
  vt_pci_bars_update (fn);
  if (priv->intx != NULL)
    vt_pci_route_import (vt_pci_bus_pin (fn->bus, fn->devfn >> 3, priv->pin), priv->intx,
                         intx_asserted (fn));
}

/* Masks and capabilities ------------------------------------------------------------------------ */

static void
put (uint8_t *bytes, unsigned offset, unsigned size, uint64_t value)
{
  g_return_if_fail (size >= 1 && size <= 8 && vt_range_ok (offset, size, VT_PCI_CONFIG_SIZE));
  vt_st (bytes + offset, size, value);
}

void
vt_pci_set_wmask (VtPciFunction *fn, unsigned offset, unsigned size, uint64_t mask)
{
  put (fn->priv->wmask, offset, size, mask);
}

void
vt_pci_set_w1cmask (VtPciFunction *fn, unsigned offset, unsigned size, uint64_t mask)
{
  put (fn->priv->w1cmask, offset, size, mask);
}

void
vt_pci_set_default (VtPciFunction *fn, unsigned offset, unsigned size, uint64_t value)
{
  put (fn->priv->defaults, offset, size, value);
  put (fn->config->config, offset, size, value);
}

static unsigned
find_room (const VtPciFunctionPrivate *priv, unsigned len)
{
  unsigned run = 0;

  for (unsigned at = 0x40; at < 256; at++)
    {
      run = priv->used[at] ? 0 : run + 1;
      if (run >= len && (at + 1 - len) % 4 == 0)
        return at + 1 - len;
    }
  return 0;
}

uint8_t
vt_pci_add_capability (VtPciFunction *fn, uint8_t id, unsigned offset, unsigned len)
{
  VtPciFunctionPrivate *priv = fn->priv;

  len = (unsigned) vt_align_up (len, 4);
  if (offset == 0)
    offset = find_room (priv, len);
  g_return_val_if_fail (offset >= 0x40 && vt_range_ok (offset, len, 256), 0);
  memset (priv->used + offset, 1, len);
  /* §6.7: the new one becomes the head of the list. */
  vt_pci_set_default (fn, offset, 1, id);
  vt_pci_set_default (fn, offset + 1, 1, priv->defaults[VT_PCI_CAPABILITIES]);
  vt_pci_set_default (fn, VT_PCI_CAPABILITIES, 1, offset);
  vt_pci_set_default (fn, VT_PCI_STATUS, 2,
                      vt_ld16 (priv->defaults + VT_PCI_STATUS) | VT_PCI_STATUS_CAPABILITIES);
  return (uint8_t) offset;
}

/* INTx -------------------------------------------------------------------------------------------- */

void
vt_pci_intx_update (VtPciFunction *fn)
{
  vt_line_set (fn->priv->intx, intx_asserted (fn));
}

void
vt_pci_intx (VtPciFunction *fn, bool level)
{
  uint8_t *status = fn->config->config + VT_PCI_STATUS;

  /* §6.2.3: the status bit tells of the request, whatever Interrupt Disable says. */
  *status = (uint8_t) (level ? *status | VT_PCI_STATUS_INTERRUPT
                             : *status & ~VT_PCI_STATUS_INTERRUPT);
  vt_pci_intx_update (fn);
}

void
vt_pci_irq (VtPciFunction *fn, bool level)
{
  bool was = fn->config->config[VT_PCI_STATUS] & VT_PCI_STATUS_INTERRUPT;

  vt_pci_intx (fn, level);
  if (level && !was && (vt_pci_msi_enabled (fn) || vt_pci_msix_enabled (fn)))
    vt_pci_msi_send (fn, 0);
}

/* Configuration access ---------------------------------------------------------------------------- */

uint32_t
vt_pci_config_read (VtPciFunction *fn, unsigned offset, unsigned size)
{
  if (size == 0 || size > 4 || !vt_range_ok (offset, size, fn->priv->size))
    return UINT32_MAX;
  return (uint32_t) vt_ld (fn->config->config + offset, size);
}

static bool
overlaps (unsigned offset, unsigned size, unsigned at, unsigned len)
{
  return offset < at + len && at < offset + size;
}

void
vt_pci_config_write (VtPciFunction *fn, unsigned offset, unsigned size, uint32_t value)
{
  VtPciFunctionPrivate *priv = fn->priv;
  uint8_t              *config = fn->config->config;

  if (size == 0 || size > 4 || !vt_range_ok (offset, size, priv->size))
    return;
  for (unsigned i = 0; i < size; i++)
    {
      unsigned at = offset + i;
      uint8_t  v = (uint8_t) (value >> (8 * i)), mask = priv->wmask[at];

      config[at] = (uint8_t) ((config[at] & ~mask) | (v & mask));
      config[at] = (uint8_t) (config[at] & ~(v & priv->w1cmask[at]));
    }
  if (overlaps (offset, size, VT_PCI_COMMAND, 2))
    update_gate (fn);
  vt_pci_msi_update (fn);
  vt_pci_intx_update (fn);
  if (priv->is_bridge)
    vt_pci_bridge_publish (fn, false);
  if (vt_pci_bars_touched (fn, offset, size))
    vt_pci_bars_update (fn);
  if (priv->config_written != NULL)
    priv->config_written (fn, offset, size);
}
