/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A CPU engine with a megabyte of RAM and a panel of ports and registers, for tests that run guest code
 * in it; with the board's interrupt controllers where the engine has none.
 */
#pragma once

#include "chips.h"
#include "cpu/vcpu.h"
#include "guest-code.h"
#include "vt-device.h"
#include "vt-loop.h"

#define RIG_RAM VT_MIB

/* A device with a debug port (0x402), a scratch port (0x500), a bell (0x600) and a page of registers
 * (0xd0000). */
typedef struct
{
  VtDevice base;
  GMutex   lock;
  GCond    changed;
  GString *output;
  uint32_t scratch[4];
  unsigned n_kicks, n_port_writes;
  VtKick  *kick;
  uint8_t  page[4096];
} Panel;

typedef struct
{
  VtContext   *context;
  VtClock     *clock;
  VtPcChips   *chips;        /* NULL: the engine's own. */
  GPtrArray   *chip_devices; /* of VtDevice */
  VtLine      *timer_line;
  VtSpace     *space;
  VtRam       *ram, *rom;
  uint8_t     *mem;
  Panel       *panel;
  VtCpuEngine *engine;
  VtCpuEnd     end;
  unsigned     n_ends;
} Rig;

/* Makes a machine with @code at GUEST_BASE and @engine. FALSE where this host has no KVM, whose error has
 * been checked then. */
bool rig_init (Rig *rig, const char *engine, unsigned n_cpus, const uint8_t *code, const uint8_t *end);
void rig_finish (Rig *rig);

/* Waits until the guest has put @text out @n times since the beginning. */
void expect (Rig *rig, const char *text, unsigned n);
void expect_end (Rig *rig, VtCpuEndKind kind);
void hold (Rig *rig);
/* Holds, and puts everything as power-on leaves it; and that alone, of a machine that is held. */
void reset (Rig *rig);
void rig_reset (Rig *rig);
/* Time stands still between the two. */
void rig_freeze (Rig *rig);
void rig_thaw (Rig *rig);

/* The interrupt controllers', whoever has them. */
void      rig_set_gsi (Rig *rig, unsigned gsi, bool level);
void      rig_nmi (Rig *rig);
VtMsiSink rig_msi (Rig *rig);
