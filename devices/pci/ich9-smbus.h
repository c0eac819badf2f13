/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ICH9's SMBus host controller, 00:1f.3, and what can be on its wires.
 */
#pragma once

#include "vt-pci-bus.h"

#define VT_ICH9_SMBUS_DEVFN VT_PCI_DEVFN (31, 3)
#define VT_ICH9_SMBUS_DEVICES 8
#define VT_ICH9_SMBUS_BLOCK 32

/* Something on the wires. Both run on the controller's context with its lock held. */
typedef struct
{
  uint8_t address; /* 7 bits. */
  /* Takes @len bytes, the command (if any) first; none: a quick write. False: not acknowledged. */
  bool (*write) (void *data, const uint8_t *bytes, unsigned len);
  /* Gives up to @len bytes after @command (-1: none; a plain receive). Returns how many, -1: not
   * acknowledged. For a block the device says itself how many there are. */
  int (*read) (void *data, int command, uint8_t *bytes, unsigned len, bool block);
  void *data;
} VtSmbusDevice;

typedef struct
{
  VtPciState pci;
  uint8_t    status, control, command, slave, data0, data1, block_data, pec;
  uint8_t    aux_status, aux_control, receive_slave, pins;
  uint8_t    buffer[VT_ICH9_SMBUS_BLOCK];
  uint8_t    index;  /* Into the buffer, at most its size. */
  uint8_t    length; /* Of a block that goes byte by byte; 0: none under way. */
  bool       reading;
  uint8_t    pad_[1];
} VtIch9SmbusState;

typedef struct
{
  VtPciFunction fn; /* Wiring: bus, devfn. */

  /* Wiring: who is on the wires; entries without functions are nobody. */
  VtSmbusDevice devices[VT_ICH9_SMBUS_DEVICES];

  VtIch9SmbusState state;
} VtIch9Smbus;

extern const VtDeviceClass vt_ich9_smbus_class;

/* A serial EEPROM of 256 bytes such as a memory module's SPD: read-only, @bytes stays the caller's. */
VtSmbusDevice vt_smbus_eeprom (uint8_t address, const uint8_t bytes[256]);
