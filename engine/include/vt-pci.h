/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PCI functions, from the device's side. PCI Local Bus 3.0 and PCI Express Base 3.1.
 *
 *   typedef struct { VtPciState pci; uint32_t ghc; … } AhciState;
 *   typedef struct { VtPciFunction fn; VtBlock *block[6]; AhciState state; } VtAhci;
 *
 * realize calls vt_pci_function_init() and adds BARs and capabilities; reset and loaded call their
 * vt_pci_function_*() halves.
 */
#pragma once

#include "vt-device.h"

typedef struct VtPciBus             VtPciBus;
typedef struct VtPciFunction        VtPciFunction;
typedef struct VtPciFunctionPrivate VtPciFunctionPrivate;

#define VT_PCI_CONFIG_SIZE 4096
#define VT_PCI_DEVFN(slot, function) ((uint8_t) ((slot) << 3 | (function)))

/* Saved: the first member of the device's own state struct. */
typedef struct
{
  uint8_t config[VT_PCI_CONFIG_SIZE];
} VtPciState;

extern const VtStateDesc vt_pci_state;

/* Saved, for functions with MSI-X: embedded in the device's own state struct. */
#define VT_PCI_MSIX_MAX 64
typedef struct
{
  uint32_t table[VT_PCI_MSIX_MAX * 4]; /* Address low, high, data, vector control. */
  uint64_t pending;
} VtPciMsixState;

extern const VtStateDesc vt_pci_msix_state;

struct VtPciFunction
{
  VtDevice              base;
  VtPciBus             *bus;   /* Set by the board before realize; NULL: on no bus. */
  uint8_t               devfn; /* Likewise. */
  bool                  multifunction; /* Likewise: sets bit 7 of the header type. */
  VtPciState           *config; /* Inside the device's state. */
  VtPciFunctionPrivate *priv;
};

typedef struct
{
  uint16_t vendor, device;
  uint8_t  revision;
  uint32_t class_code; /* 24 bits: base class, subclass, programming interface. */
  uint16_t subsystem_vendor, subsystem;
  uint8_t  interrupt_pin; /* 0: none, 1: INTA# … 4: INTD#. */
  bool     express; /* Extended configuration space is decoded. */
  /* After a write of @size bytes at @offset has gone through the write masks. May be NULL. */
  void (*config_written) (VtPciFunction *fn, unsigned offset, unsigned size);
} VtPciInfo;

/* @state must be inside the device's declared state. */
void vt_pci_function_init (VtPciFunction *fn, VtPciState *state, const VtPciInfo *info);
void vt_pci_function_finish (VtPciFunction *fn); /* In unrealize; harmless if never initialised. */
void vt_pci_function_reset (VtPciFunction *fn, VtResetKind kind);
void vt_pci_function_loaded (VtPciFunction *fn);

typedef enum
{
  VT_PCI_BAR_32 = 0,
  VT_PCI_BAR_64 = 1 << 0,
  VT_PCI_BAR_PREFETCH = 1 << 1,
} VtPciBarFlags;

/* BAR @n (0 to 5) decodes @region (of either space; its size a power of two, 4 or 16 bytes at least);
 * the function maps and unmaps it as the guest programs address and command register. */
void vt_pci_add_bar (VtPciFunction *fn, unsigned n, VtRegion *region, VtPciBarFlags flags);
/* The expansion ROM's image; @ram's size is a power of two. */
void vt_pci_add_rom (VtPciFunction *fn, VtRegion *region);

/* Reserves @len bytes (rounded up to 4) of configuration space for capability @id and links it.
 * @offset: where (0x40 or above), or 0 for the next free place. Returns: the offset. */
uint8_t vt_pci_add_capability (VtPciFunction *fn, uint8_t id, unsigned offset, unsigned len);

/* Marks which bits the guest can write (all others are read-only), and write-1-to-clear bits. */
void vt_pci_set_wmask (VtPciFunction *fn, unsigned offset, unsigned size, uint64_t mask);
void vt_pci_set_w1cmask (VtPciFunction *fn, unsigned offset, unsigned size, uint64_t mask);
/* What cold reset puts there; also sets it now. */
void vt_pci_set_default (VtPciFunction *fn, unsigned offset, unsigned size, uint64_t value);

/* MSI with 1 to 32 vectors, 64-bit addresses. */
void vt_pci_add_msi (VtPciFunction *fn, unsigned offset, unsigned n_vectors);
/* MSI-X with @n vectors; table and pending array are regions of their own inside BAR @bar at these
 * offsets: the caller gives the BAR @size bytes and what else it decodes by @ops (may be NULL). */
void vt_pci_add_msix (VtPciFunction     *fn,
                      VtPciMsixState    *state,
                      unsigned           n,
                      unsigned           bar,
                      uint64_t           bar_size,
                      uint32_t           table_offset,
                      uint32_t           pba_offset,
                      const VtRegionOps *ops);

bool vt_pci_msi_enabled (const VtPciFunction *fn);
bool vt_pci_msix_enabled (const VtPciFunction *fn);
/* Sends MSI or MSI-X vector @n as the guest programmed it; pending where masked; dropped where
 * neither is on or bus mastering is off. */
void vt_pci_msi_send (VtPciFunction *fn, unsigned n);
/* The function's INTx wire: held back while Interrupt Disable is set or MSI or MSI-X is on. */
void vt_pci_intx (VtPciFunction *fn, bool level);
/* What most devices want: @level on INTx, or, on a rise, one message on vector 0. */
void vt_pci_irq (VtPciFunction *fn, bool level);

/* Configuration access as from the bus; @size 1, 2 or 4, inside the space. */
uint32_t vt_pci_config_read (VtPciFunction *fn, unsigned offset, unsigned size);
void     vt_pci_config_write (VtPciFunction *fn, unsigned offset, unsigned size, uint32_t value);
