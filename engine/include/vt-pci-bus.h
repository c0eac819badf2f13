/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PCI from the bus's side: buses, bridges, the two ways to configuration space, and where the INTx
 * wires go. For host bridges, bridges and boards; plain devices need vt-pci.h only.
 *
 * A board makes the host bridge first, whose realize makes the root bus. A function names its bus
 * and place before its own realize. A bridge comes before what is behind it, in the board and so in
 * a load: what is behind asks the bridges above whether its BARs are forwarded.
 */
#pragma once

#include "vt-pci.h"

#define VT_PCI_PINS 4   /* INTA# to INTD#. */
#define VT_PCI_SLOTS 32

/* Standard registers, PCI 3.0 §6.1 and PCI-to-PCI bridge 1.2 §3.2. */
enum
{
  VT_PCI_VENDOR = 0x00,
  VT_PCI_DEVICE = 0x02,
  VT_PCI_COMMAND = 0x04,
  VT_PCI_STATUS = 0x06,
  VT_PCI_REVISION = 0x08,
  VT_PCI_CACHE_LINE = 0x0c,
  VT_PCI_LATENCY = 0x0d,
  VT_PCI_HEADER_TYPE = 0x0e,
  VT_PCI_BAR0 = 0x10,
  VT_PCI_SUBSYSTEM_VENDOR = 0x2c,
  VT_PCI_SUBSYSTEM = 0x2e,
  VT_PCI_ROM = 0x30,
  VT_PCI_CAPABILITIES = 0x34,
  VT_PCI_INTERRUPT_LINE = 0x3c,
  VT_PCI_INTERRUPT_PIN = 0x3d,
  /* Header type 1. */
  VT_PCI_PRIMARY_BUS = 0x18,
  VT_PCI_SECONDARY_BUS = 0x19,
  VT_PCI_SUBORDINATE_BUS = 0x1a,
  VT_PCI_IO_BASE = 0x1c,
  VT_PCI_IO_LIMIT = 0x1d,
  VT_PCI_SECONDARY_STATUS = 0x1e,
  VT_PCI_MEMORY_BASE = 0x20,
  VT_PCI_MEMORY_LIMIT = 0x22,
  VT_PCI_PREFETCH_BASE = 0x24,
  VT_PCI_PREFETCH_LIMIT = 0x26,
  VT_PCI_PREFETCH_BASE_UPPER = 0x28,
  VT_PCI_PREFETCH_LIMIT_UPPER = 0x2c,
  VT_PCI_IO_BASE_UPPER = 0x30,
  VT_PCI_IO_LIMIT_UPPER = 0x32,
  VT_PCI_BRIDGE_ROM = 0x38,
  VT_PCI_BRIDGE_CONTROL = 0x3e,
};

enum
{
  VT_PCI_COMMAND_IO = 1 << 0,
  VT_PCI_COMMAND_MEMORY = 1 << 1,
  VT_PCI_COMMAND_MASTER = 1 << 2,
  VT_PCI_COMMAND_SERR = 1 << 8,
  VT_PCI_COMMAND_INTX_DISABLE = 1 << 10,
  VT_PCI_STATUS_INTERRUPT = 1 << 3,
  VT_PCI_STATUS_CAPABILITIES = 1 << 4,
  VT_PCI_BRIDGE_CONTROL_RESET = 1 << 6,
};

enum
{
  VT_PCI_CAP_PM = 0x01,
  VT_PCI_CAP_MSI = 0x05,
  VT_PCI_CAP_VENDOR = 0x09,
  VT_PCI_CAP_SSVID = 0x0d,
  VT_PCI_CAP_EXPRESS = 0x10,
  VT_PCI_CAP_MSIX = 0x11,
};

/* BARs decode below machine RAM (priority 0) and below what the chipset decodes on its own: a
 * guest that puts a BAR over its RAM sees the RAM, as on the real chipset. */
#define VT_PCI_BAR_PRIORITY (-16)

/* Wires whose end can be moved ------------------------------------------------------------------ */

/* A wire that ends at a line, and at a different one when a routing register says so; its level
 * follows. It has a mutex of its own that holds nothing but the lines after it, so it is a leaf in
 * the sense of vt-line.h and can be moved by one context while devices of others drive it. */
typedef struct VtPciRoute VtPciRoute;

/* @always: a line that the wire drives too, wherever its end is; may be NULL. */
VtPciRoute *vt_pci_route_new (VtLine *always);
void        vt_pci_route_free (VtPciRoute *route); /* NULL is allowed. Its sources are freed. */
/* The wire's beginning; share it with vt_line_share(). Owned by the route. */
VtLine     *vt_pci_route_line (VtPciRoute *route);
/* Moves the end to @line (NULL: nowhere), which stays the caller's. @quiet: after a load, without
 * telling anybody. */
void        vt_pci_route_end_at (VtPciRoute *route, VtLine *line, bool quiet);
/* The same with another route as the end. */
void        vt_pci_route_join (VtPciRoute *route, VtPciRoute *next, bool quiet);

/* In `loaded`: @source, shared from the route's beginning, takes @level, and the ends with it, without
 * telling anybody. */
void        vt_pci_route_import (VtPciRoute *route, VtLine *source, bool level);

/* Buses ----------------------------------------------------------------------------------------- */

/* The root bus, number 0. @msi is copied; NULL: messages end nowhere. */
VtPciBus *vt_pci_bus_new (const char *name, const VtMsiSink *msi);
void      vt_pci_bus_free (VtPciBus *bus); /* Every function on it gone. NULL is allowed. */

/* Where pin @pin (0: INTA#) of root slot @slot ends. Only the root bus has such wires: those of the
 * buses behind bridges are swizzled onto them. NULL @next: nowhere. */
void vt_pci_bus_set_route (VtPciBus *root, unsigned slot, unsigned pin, VtPciRoute *next, bool quiet);

/* The function at @devfn of this very bus, or NULL. */
VtPciFunction *vt_pci_bus_function (VtPciBus *bus, uint8_t devfn);
/* The bridge that the bus is behind; NULL: the root. */
VtPciFunction *vt_pci_bus_bridge (VtPciBus *bus);

/* Configuration ----------------------------------------------------------------------------------- */

/* Accesses as a host bridge makes them, with bus numbers as the guest has programmed the bridges.
 * They take the lock of the function's context, so the caller may hold that one or none: the ops of
 * a host bridge's regions are `unlocked`. Reads of nothing give all-ones. */
uint32_t vt_pci_bus_read (VtPciBus *root, uint8_t bus, uint8_t devfn, unsigned offset, unsigned size);
void     vt_pci_bus_write (VtPciBus *root, uint8_t bus, uint8_t devfn, unsigned offset,
                           unsigned size, uint32_t value);

/* Configuration mechanism #1 (PCI 3.0 §3.2.2.3.2), from offset 0 of a region of 8 ports at 0xcf8.
 * @address is the latch, in the host bridge's state. Only a dword latches; byte 1 of the latch is
 * the port 0xcf9 of whoever claimed it. */
uint32_t vt_pci_ports_read (VtPciBus *root, const uint32_t *address, uint64_t offset, unsigned size);
void     vt_pci_ports_write (VtPciBus *root, uint32_t *address, uint64_t offset, unsigned size,
                             uint32_t value);
/* @region (one byte, not mapped) answers byte accesses to 0xcf9; NULL: nobody. */
void     vt_pci_bus_set_cf9 (VtPciBus *root, VtRegion *region);

/* The enhanced mechanism (PCI Express 3.1 §7.2.2): bus in bits 27:20 of @offset, function in 19:12. */
uint32_t vt_pci_ecam_read (VtPciBus *root, uint64_t offset, unsigned size);
void     vt_pci_ecam_write (VtPciBus *root, uint64_t offset, unsigned size, uint32_t value);

/* Bridges ------------------------------------------------------------------------------------------ */

/* After vt_pci_function_init(): gives @fn header type 1 and a bus behind it, which
 * vt_pci_function_finish() frees. The windows and bus numbers work from here on; a change of them
 * remaps what is behind, and Secondary Bus Reset resets it. */
VtPciBus *vt_pci_bridge_init (VtPciFunction *fn);
/* @func tells, while the machine is built, whether anything is behind. */
void      vt_pci_bridge_watch (VtPciFunction *fn, void (*func) (VtPciFunction *bridge, bool present));
