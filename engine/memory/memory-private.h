/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What ram.c, space.c, dma.c and machine/device.c share.
 */
#pragma once

#include "memory/space.h"

#define VT_PAGE_SIZE UINT64_C (4096)
#define VT_PAGE_SHIFT 12

struct VtRam
{
  char     *name;
  uint64_t  size; /* A multiple of VT_PAGE_SIZE. */
  uint8_t  *host;
  int       fd;
  VtSpace  *space;     /* Where it is mapped; NULL: nowhere yet. */
  uint64_t *log;       /* One bit per page; made at the first log_start and kept. */
  int       logging;   /* Atomic: whether the log is wanted. */
  uint64_t *watched;   /* watch.c: one bit per page, or NULL. Atomic, as its words are. */
};

typedef struct
{
  uint64_t offset;
  unsigned size;
  int64_t  match;
  VtKick  *kick;
} VtRegionKick;

struct VtRegion
{
  VtDevice          *dev; /* NULL: machine RAM. */
  VtSpaceKind        kind;
  VtSpace           *space;
  const VtRegionOps *ops; /* May be NULL for RAM. */
  uint64_t           size;
  VtRam             *ram; /* NULL: registers. */
  uint64_t           ram_offset;
  VtRamMode          mode;
  GArray            *kicks; /* VtRegionKick, or NULL. Under the space's lock. */
  /* Under the space's lock: */
  bool     mapped;
  uint64_t base;
  int      priority;
  uint64_t order; /* Counts the maps: of equal priorities the later wins. */
};

/* One stretch of a flat view. */
typedef struct
{
  uint64_t  start, size;
  VtRegion *region;
  uint64_t  offset; /* Of start inside the region. */
} VtFlat;

typedef struct
{
  unsigned n;
  VtFlat   flats[];
} VtView;

/* The present view, which stays whole until the leave. They nest in a thread. */
const VtView *vt_space_enter (VtSpace *space, VtSpaceKind kind);
void          vt_space_leave (VtSpace *space);
/* The stretch that holds @address, or NULL. */
const VtFlat *vt_view_find (const VtView *view, uint64_t address);

VtRegion *vt_region_new (VtSpace *space, VtDevice *dev, VtSpaceKind kind, uint64_t size);
void      vt_region_free (VtRegion *region);

void vt_space_begin (VtSpace *space);
void vt_space_commit (VtSpace *space);

/* The listener's half of a block's dirty log. */
void vt_space_log_switch (VtSpace *space, VtRam *ram, bool on);
void vt_space_log_sync (VtSpace *space, VtRam *ram);

/* page.c: marks pages of @ram in its log, if that is on. */
void vt_ram_log (VtRam *ram, uint64_t offset, uint64_t len);

/* watch.c: pages of @ram have been written. */
void vt_ram_tell_written (VtRam *ram, uint64_t offset, uint64_t len);
/* The watchers of a space. */
typedef struct VtWatchers VtWatchers;
VtWatchers *vt_watchers_new (void);
void        vt_watchers_free (VtWatchers *watchers);
VtWatchers *vt_space_watchers (VtSpace *space);

/* The bytes of RAM behind @flat at @address; NULL: not RAM, or ROM and @write. */
uint8_t *vt_flat_host (const VtFlat *flat, uint64_t address, bool write);
