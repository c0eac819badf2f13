/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ICH9's SATA controller in AHCI mode, with a disk, a CD drive or nothing on each of six ports.
 */
#pragma once

#include "ata-disk.h"
#include "atapi-cd.h"
#include "vt-pci.h"

#define VT_AHCI_PORTS 6

typedef enum
{
  VT_AHCI_NONE,
  VT_AHCI_DISK, /* Needs a block. */
  VT_AHCI_CD,   /* A block is its medium; NULL: the drive is empty. */
} VtAhciKind;

/* What hangs on a port. */
typedef struct
{
  VtAhciKind  kind;
  /* The device's from vt_device_realize() on, which closes it in the end, or when it is changed. */
  VtBlock    *block;
  /* Up to 20 ASCII characters and up to 40; copied by realize. NULL: something plain, the serial
   * number told apart by the port. */
  const char *serial, *model;
} VtAhciWiring;

/* Saved, per port. AHCI 1.3.1 section 3.3. */
typedef struct
{
  uint32_t       clb, clbu, fb, fbu;
  uint32_t       is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci, sntf;
  uint8_t        last_slot; /* Of the command taken last; the next is looked for after it. */
  bool           srst;      /* A control FIS holds the drive in soft reset. */
  bool           signature; /* The drive's first FIS waits for FRE. */
  bool           halted;    /* A fatal error: nothing is fetched until ST is cleared. */
  VtAtaDiskState disk;
  VtAtapiCdState cd;
  uint8_t        pad_[3];
} VtAhciPortState;

typedef struct
{
  VtPciState      pci;
  uint32_t        ghc, is;
  uint32_t        index; /* Of the index-data pair. */
  VtAhciPortState port[VT_AHCI_PORTS];
} VtAhciState;

typedef struct VtAhciPort VtAhciPort;

typedef struct
{
  VtPciFunction fn;
  /* Wiring. */
  VtAhciWiring wiring[VT_AHCI_PORTS];
  /* Links come up one by one, as the guest asks (CAP.SSS). Off: with power; Linux then looks at the
   * ports all at once, and boots sooner. */
  bool         staggered;
  /* The rest is the device's own. */
  VtAhciState state;
  VtAhciPort *ports; /* VT_AHCI_PORTS, from realize on. */
  bool        pausing;
  bool        resetting; /* GHC.HR waits for what is in flight. */
} VtAhci;

extern const VtDeviceClass vt_ahci_class;

/* VtMediumOps' change, for a port with a CD drive. */
bool vt_ahci_change_medium (VtDevice *dev, unsigned port, VtBlock *block, bool force, GError **error);

/* Whether the drive on @port has its tray out: by change(), or because the guest ejected. With the
 * context's lock held. */
bool vt_ahci_tray_open (VtDevice *dev, unsigned port);
