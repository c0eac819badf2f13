/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A rig: one device of the catalogue on a manual context and clock, with RAM to reach by DMA and,
 * where it has back ends, small ones in memory. PCI functions sit on a bus of their own with their
 * BARs mapped. The conformance walk and the fuzz target use it.
 */
#pragma once

#include "memory/space.h"
#include "vt-block.h"
#include "vt-char.h"
#include "vt-console.h"
#include "vt-device.h"
#include "vt-input.h"
#include "vt-pci-bus.h"

#define VT_RIG_RAM (4 * VT_MIB)

#define VT_RIG_IO_BARS 0xc000
#define VT_RIG_MEMORY_BARS UINT64_C (0xc0000000)

typedef struct VtRig VtRig;

struct VtRig
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtRam     *ram; /* VT_RIG_RAM bytes at 0. */
  VtDevice  *dev;
  VtLine    *lines[64]; /* Recording wires for the device's outputs. */
  unsigned   n_lines;
  VtPciBus  *bus; /* NULL unless the device is a wired PCI function that is no host bridge. */
  VtMsiSink  msi;
  uint64_t   edges; /* How often a line changed or a message was sent. */
  uint64_t   io_bars, memory_bars; /* Where the next one goes. */

  /* NULL unless the wiring made one. */
  VtChar    *chr;
  VtInput   *input;
  VtConsole *console;
  VtViewer  *viewer; /* Of @console. */
  unsigned   looks;  /* How often vt_rig_look() was called; it stops after some. */
  GPtrArray *neighbours; /* VtDevice on the device's bus, which end before it. */
  /* Something that comes from outside and only this class has; @kind below 8. */
  void (*event) (VtRig *rig, unsigned kind, uint32_t value);

  GPtrArray *cleanup; /* Pairs of GDestroyNotify and data, run after the device is gone. */
};

/* @wired: with back ends (wiring.c); otherwise bare, with everything NULL. NULL and @error where
 * realize fails. The device has been resumed. */
VtRig *vt_rig_new (const VtDeviceClass *klass, bool wired, GError **error);
void   vt_rig_free (VtRig *rig);

/* A wire whose changes are counted. */
VtLine *vt_rig_line (VtRig *rig);
/* @func (@data) when the rig is freed, after the device. */
void vt_rig_defer (VtRig *rig, GDestroyNotify func, void *data);

/* Sets rig->chr: a peer that takes 32 bytes, and more only after vt_rig_char_drain(). */
VtChar *vt_rig_char (VtRig *rig);
void    vt_rig_char_feed (VtRig *rig, const uint8_t *bytes, size_t len);
/* The peer reads @len bytes. Context's lock held. */
void    vt_rig_char_drain (VtRig *rig, size_t len);

/* The viewer takes a frame and reads every pixel that has changed. */
void vt_rig_look (VtRig *rig);

/* Programs and enables the BARs of a PCI function as firmware does. */
void vt_rig_map_bars (VtRig *rig);

/* Runs what is posted; true where the device says that it has paused. */
bool vt_rig_pause (VtRig *rig);

/* A region's register access at any offset of the device; PCI configuration space is one more
 * region behind the last. */
unsigned vt_rig_n_windows (const VtRig *rig);
uint64_t vt_rig_window_size (const VtRig *rig, unsigned n);
uint64_t vt_rig_read (VtRig *rig, unsigned n, uint64_t offset, unsigned size);
void     vt_rig_write (VtRig *rig, unsigned n, uint64_t offset, unsigned size, uint64_t value);

/* The same as a vCPU does it: what the device has mapped there, RAM, or a hole. */
uint64_t vt_rig_space_read (VtRig *rig, VtSpaceKind kind, uint64_t address, unsigned size);
void     vt_rig_space_write (VtRig *rig, VtSpaceKind kind, uint64_t address, unsigned size,
                             uint64_t value);

/* wiring.c: connects what the class has, before the device is realized and after. */
void vt_rig_wire (VtRig *rig, bool realized);
