/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the AHCI tests share: a controller with a disk, a CD drive and an empty one behind the small
 * driver, and the commands that most of them give.
 */
#pragma once

#include "ahci-driver.h"

#define DISK_SECTORS 65600u
#define CD_BLOCKS 100u

/* Port 0: a disk; 1: a CD drive; 2: an empty CD drive; 3: nothing. */
typedef struct
{
  AhciDriver *d;
  uint8_t    *disk, *cd; /* What was put on them. */
  FaultBlock *fault;     /* Above the disk. */
  FaultBlock *cd_fault;
} AhciFixture;

typedef struct
{
  const char *name; /* "/ahci/" goes before it. */
  void (*run) (AhciFixture *f, gconstpointer data);
  bool staggered; /* The controller can stagger spin-up, and @data isn't NULL. */
} AhciTest;

void ahci_add_tests (const AhciTest *tests, unsigned n);

/* @len random bytes, a multiple of 4. Free with g_free(). */
uint8_t *ahci_pattern (size_t len, guint32 seed);

/* Each runs a command in slot 0 and returns the task file as ahci_run() does: one without data; and
 * one for the disk, whose @bytes at DRIVER_DATA are in uneven pieces. */
uint32_t ahci_plain (AhciFixture *f, unsigned port, uint8_t command, uint16_t features,
                     uint16_t count, uint64_t lba);
uint32_t ahci_transfer (AhciFixture *f, uint8_t command, uint64_t lba, uint16_t count,
                        uint32_t bytes);

/* Reads @sectors by @command, and compares them with what was put on the disk. */
void ahci_check_read (AhciFixture *f, uint8_t command, uint64_t lba, uint16_t count,
                      uint32_t sectors);

/* The @n-th 16-bit word at DRIVER_DATA. */
uint16_t ahci_word (AhciFixture *f, unsigned n);
