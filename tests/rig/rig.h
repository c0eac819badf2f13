/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A rig: one device of the catalogue on a manual context and clock, with RAM to reach by DMA and,
 * where it has back ends, small ones in memory. The conformance walk and the fuzz target use it.
 */
#pragma once

#include "memory/space.h"
#include "vt-block.h"
#include "vt-char.h"
#include "vt-console.h"
#include "vt-device.h"
#include "vt-input.h"
#include "vt-pci.h"

#define VT_RIG_RAM (4 * VT_MIB)

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtRam     *ram; /* VT_RIG_RAM bytes at 0. */
  VtDevice  *dev;
  VtLine    *lines[64]; /* Recording wires for the device's outputs. */
  unsigned   n_lines;
  uint64_t   edges; /* How often any of them changed. */
  VtChar    *chr;   /* NULL unless the wiring made one. */
  VtInput   *input;
  VtConsole *console; /* Likewise; somebody watches it. */
  VtViewer  *viewer;
  unsigned   looks; /* How often it was drawn: vt_rig_look() stops after some. */
  GPtrArray *blocks;  /* VtBlock, closed with the rig. */
  GPtrArray *cleanup; /* Pairs of GDestroyNotify and data, run after the device is gone. */
} VtRig;

/* @wired: with back ends (wiring.c); otherwise bare, with everything NULL. NULL and @error where
 * realize fails. The device has been resumed. */
VtRig *vt_rig_new (const VtDeviceClass *klass, bool wired, GError **error);
void   vt_rig_free (VtRig *rig);

/* A wire whose changes are counted. */
VtLine *vt_rig_line (VtRig *rig);
/* @func (@data) when the rig is freed, after the device. */
void vt_rig_defer (VtRig *rig, GDestroyNotify func, void *data);
/* A disk of @size bytes in memory. */
VtBlock *vt_rig_block (VtRig *rig, size_t size, bool read_only);

/* A console that somebody watches. */
VtConsole *vt_rig_console (VtRig *rig);
/* What a viewer does: draws the picture, takes what has changed, reads the text, wishes a size. */
void vt_rig_look (VtRig *rig);

/* Runs what is posted; true where the device says that it has paused. */
bool vt_rig_pause (VtRig *rig);

/* A region's register access at any offset of the device; PCI configuration space is one more
 * region behind the last. */
unsigned vt_rig_n_windows (const VtRig *rig);
uint64_t vt_rig_window_size (const VtRig *rig, unsigned n);
uint64_t vt_rig_read (VtRig *rig, unsigned n, uint64_t offset, unsigned size);
void     vt_rig_write (VtRig *rig, unsigned n, uint64_t offset, unsigned size, uint64_t value);

/* wiring.c: connects what the class has; does nothing for a class without back ends. */
bool vt_rig_wire (VtRig *rig);
