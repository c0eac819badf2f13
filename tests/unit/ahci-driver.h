/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A small AHCI driver for tests: it builds command lists and tables in guest RAM, issues commands by
 * register writes, and sees what a guest would see.
 */
#pragma once

#include "memory/space.h"
#include "storage/ahci.h"
#include "vt-pci-bus.h"

#define DRIVER_RAM (16 * VT_MIB)
/* Where tests put data. */
#define DRIVER_DATA (8 * VT_MIB)

enum
{
  REG_CAP = 0x00,
  REG_GHC = 0x04,
  REG_IS = 0x08,
  REG_PI = 0x0c,
  REG_VS = 0x10,
  PORT_CLB = 0x00,
  PORT_CLBU = 0x04,
  PORT_FB = 0x08,
  PORT_FBU = 0x0c,
  PORT_IS = 0x10,
  PORT_IE = 0x14,
  PORT_CMD = 0x18,
  PORT_TFD = 0x20,
  PORT_SIG = 0x24,
  PORT_SSTS = 0x28,
  PORT_SCTL = 0x2c,
  PORT_SERR = 0x30,
  PORT_SACT = 0x34,
  PORT_CI = 0x38,
};

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtRam     *ram;
  uint8_t   *mem; /* RAM as the host sees it. */
  VtPciBus  *bus;
  VtAhci    *hba;
  VtDevice  *dev;
  VtRegion  *legacy, *abar;
  unsigned   messages; /* MSIs that have been sent. */
} AhciDriver;

typedef struct
{
  VtGpa    gpa;
  uint32_t len; /* Even, up to 4 MiB. */
  bool     interrupt;
} AhciPrd;

typedef struct
{
  uint8_t        command, device;
  uint16_t       features, count;
  uint64_t       lba;
  bool           packet; /* PACKET with @cdb. */
  uint8_t        cdb[16];
  const AhciPrd *prd;
  unsigned       n_prd;
} AhciCommand;

/* A request that the guest's memory waits for, in the layer that holds or fails them. */
typedef struct
{
  VtBlock   base;
  bool      hold;  /* Nothing goes down until fault_release(). */
  VtBlockOp op;    /* What fails ... */
  int       error; /* ... with this; 0: nothing does. */
  uint64_t  from;  /* Only at or above this offset. */
  GQueue    held;
  GArray   *log; /* VtBlockRequest, as they came. */
  bool     *closed;
} FaultBlock;

AhciDriver *ahci_driver_new (const VtAhciWiring *wiring, unsigned n, bool staggered);
void        ahci_driver_free (AhciDriver *d);

uint32_t ahci_read (AhciDriver *d, unsigned reg);
void     ahci_write (AhciDriver *d, unsigned reg, uint32_t value);
uint32_t ahci_port_read (AhciDriver *d, unsigned port, unsigned reg);
void     ahci_port_write (AhciDriver *d, unsigned port, unsigned reg, uint32_t value);

/* Lists in place, FIS reception, link up, signature there, ST set. */
void ahci_port_start (AhciDriver *d, unsigned port);
void ahci_port_stop (AhciDriver *d, unsigned port);
/* Where the driver keeps them. */
VtGpa ahci_fis_area (unsigned port);
VtGpa ahci_header (unsigned port, unsigned slot);
VtGpa ahci_table (unsigned port, unsigned slot);

/* Builds @slot; issues what is built. */
void ahci_build (AhciDriver *d, unsigned port, unsigned slot, const AhciCommand *c);
void ahci_issue (AhciDriver *d, unsigned port, uint32_t slots, bool queued);
/* Runs what is posted until @slots are over or the port has an error. Whether all went well. */
bool ahci_wait (AhciDriver *d, unsigned port, uint32_t slots);
/* All of it in slot 0, recovering from an error. Returns the task file: status, error << 8. */
uint32_t ahci_run (AhciDriver *d, unsigned port, const AhciCommand *c);
/* Clears ST and errors, sets ST: 6.2.2. */
void ahci_recover (AhciDriver *d, unsigned port);
uint32_t ahci_prdbc (AhciDriver *d, unsigned port, unsigned slot);

/* A packet with its data at DRIVER_DATA, @len bytes. Sense key, code and qualifier where it fails. */
uint32_t ahci_packet (AhciDriver *d, unsigned port, const uint8_t cdb[12], uint32_t len);

VtBlock *fault_block_new (VtBlock *next, FaultBlock **out);
void     fault_release (FaultBlock *fault);
