/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of engine/pci share: a function's masks, BARs and vectors, and a bus.
 */
#pragma once

#include "vt-pci-bus.h"

#define VT_PCI_N_BARS 6
#define VT_PCI_BAR_ROM VT_PCI_N_BARS /* The expansion ROM is decoded like one more BAR. */
#define VT_PCI_MSI_MAX 32
#define VT_PCI_N_FUNCTIONS 256

/* A region that lies inside a BAR, over what the BAR's own region decodes. */
typedef struct
{
  VtRegion *region;
  uint64_t  offset;
} VtPciSubregion;

typedef struct
{
  VtRegion      *region; /* NULL: no such BAR. */
  VtPciBarFlags  flags;
  uint64_t       size; /* What the guest finds by sizing. */
  VtPciSubregion sub[2];
  unsigned       n_sub;
} VtPciBar;

struct VtPciFunctionPrivate
{
  unsigned  size; /* Of configuration space: 256, or 4096 for express functions. */
  bool      is_bridge;
  uint8_t   wmask[VT_PCI_CONFIG_SIZE];
  uint8_t   w1cmask[VT_PCI_CONFIG_SIZE];
  uint8_t   defaults[VT_PCI_CONFIG_SIZE];
  uint8_t   used[256]; /* Which bytes belong to the header or a capability. */
  VtPciBar  bar[VT_PCI_N_BARS + 1];
  uint8_t   msi; /* The capability's offset, 0: none. */
  unsigned  n_msi;
  VtMsi    *msi_vector[VT_PCI_MSI_MAX];
  uint8_t   msix;
  unsigned  n_msix;
  VtMsi    *msix_vector[VT_PCI_MSIX_MAX];
  VtPciMsixState *msix_state;
  VtLine   *intx; /* A source of the bus's wire; NULL: no pin or no bus. */
  unsigned  pin;  /* 0: INTA#; only where intx is not NULL. */
  VtPciBus *secondary; /* Of bridges; owned. */
  void (*config_written) (VtPciFunction *fn, unsigned offset, unsigned size);
};

/* What a bridge forwards, as bytes of addresses: first to last, nothing where first > last. */
typedef struct
{
  uint64_t io_first, io_last;
  uint64_t memory_first, memory_last;
  uint64_t prefetch_first, prefetch_last;
} VtPciWindows;

struct VtPciBus
{
  char          *name;
  VtPciBus      *root;
  VtPciBus      *parent; /* NULL: the root. */
  VtPciFunction *bridge; /* Likewise. */
  VtMsiSink      msi;
  bool           has_msi;
  /* Under the root's lock, a leaf: functions of several contexts read it. */
  GMutex         lock;
  VtPciFunction *functions[VT_PCI_N_FUNCTIONS];
  unsigned       n_functions;
  uint8_t        secondary, subordinate;
  VtPciWindows   windows;
  bool           remap; /* The windows have changed since what is behind was mapped. */
  bool           reset_held; /* The bit Secondary Bus Reset. */
  bool           reset;      /* It has just been set. */
  void (*watch) (VtPciFunction *bridge, bool present); /* May be NULL. */
  /* Of the root alone. */
  VtPciRoute *pins[VT_PCI_SLOTS * VT_PCI_PINS];
  VtRegion   *cf9;
};

/* function.c */
static inline uint16_t
vt_pci_command (const VtPciFunction *fn)
{
  return vt_ld16 (fn->config->config + VT_PCI_COMMAND);
}
void vt_pci_intx_update (VtPciFunction *fn);

/* bar.c */
void vt_pci_bars_update (VtPciFunction *fn);
bool vt_pci_bars_touched (const VtPciFunction *fn, unsigned offset, unsigned size);

/* msi.c: reprograms every vector and sends what has become deliverable. */
void vt_pci_msi_update (VtPciFunction *fn);
void vt_pci_msi_reset (VtPciFunction *fn);
void vt_pci_msi_finish (VtPciFunction *fn);

/* bus.c */
VtPciBus *vt_pci_bus_new_behind (VtPciFunction *bridge);
void      vt_pci_bus_add (VtPciBus *bus, VtPciFunction *fn);
void      vt_pci_bus_remove (VtPciBus *bus, VtPciFunction *fn);
bool      vt_pci_bus_forwards (VtPciBus *bus, VtSpaceKind kind, uint64_t first, uint64_t last);
/* The root wire of @pin (0: INTA#) of @slot, past every bridge. */
VtPciRoute *vt_pci_bus_pin (VtPciBus *bus, unsigned slot, unsigned pin);

/* bridge.c */
void vt_pci_bridge_publish (VtPciFunction *fn, bool whole);
