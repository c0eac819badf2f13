/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Interrupts, resets, A20 and power events as wires, and message-signalled interrupts.
 */
#pragma once

#include "vt-base.h"

typedef struct VtLine VtLine;
typedef struct VtMsi  VtMsi;

/* A sink runs in the setter's thread, under the setter's context lock: it is a leaf (an ioctl, an
 * eventfd, a mutex of its own that holds nothing else) or it posts. */
typedef void (*VtLineFunc) (void *data, unsigned n, bool level);

/* A wire that calls @func (@data, @n, level) on every change of level. Starts low. */
VtLine *vt_line_new (VtLineFunc func, void *data, unsigned n);

/* One more source for the same wire: the wire is high while any of its sources is (wired or).
 * @target must outlive it. */
VtLine *vt_line_share (VtLine *target);

void vt_line_free (VtLine *line);

/* NULL is a wire that ends nowhere. Setting the present level does nothing. Any thread. */
void vt_line_set (VtLine *line, bool level);
/* Of a wire whether any source is high, of a shared source its own. */
bool vt_line_level (const VtLine *line);

/* High, then low: an edge. */
void vt_line_pulse (VtLine *line);

/* Takes @level without telling the sink: after a load, when the sink's own state is loaded too. */
void vt_line_import (VtLine *line, bool level);

/* Message-signalled interrupts: one object per vector. */
typedef struct
{
  /* Delivers one message now. Any thread. */
  void (*send) (void *data, uint64_t address, uint32_t message);
  /* Optional: an eventfd whose write delivers the route without this process (irqfd); -1 if none
   * can be had. route_set tells of each change, masked or not; route_free gives it back. */
  int (*route_new) (void *data, unsigned *id);
  void (*route_set) (void *data, unsigned id, uint64_t address, uint32_t message, bool masked);
  void (*route_free) (void *data, unsigned id);
} VtMsiSinkOps;

typedef struct
{
  const VtMsiSinkOps *ops;
  void               *data;
} VtMsiSink;

/* @sink is copied; its data must outlive the object. NULL: a vector that ends nowhere. */
VtMsi *vt_msi_new (const VtMsiSink *sink);
void   vt_msi_free (VtMsi *msi);
/* What the guest programmed. A masked vector does not deliver; its owner keeps the pending bit. */
void vt_msi_set (VtMsi *msi, uint64_t address, uint32_t message, bool masked);
/* Returns: whether it was delivered; false where masked, so that the owner sets the pending bit. */
bool vt_msi_send (VtMsi *msi);
/* An eventfd that another thread or the kernel may write instead of vt_msi_send(); -1 if none. */
int vt_msi_fd (VtMsi *msi);
