/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A machine's two physical address spaces (memory and x86 ports), of which system management mode has a view of
 * its own. Regions are mapped with a
 * priority; what the vCPUs see is a flat view: an immutable sorted array, replaced by a pointer swap
 * and freed once every reader has left the old one. So a BAR that a handler moves neither deadlocks
 * nor frees a live entry.
 */
#pragma once

#include "vt-device.h"

VtSpace *vt_space_new (void);
void     vt_space_free (VtSpace *space); /* Every region unmapped, every memory handle freed. */

/* Machine RAM: a window that no device owns. Unmapped by vt_space_free(). */
void vt_space_map_ram (VtSpace *space, VtRam *ram, uint64_t offset, uint64_t size, VtGpa gpa,
                       int priority);

/* A vCPU's access: @size 1 to 8 at any alignment. RAM and holes included; crossing accesses are
 * split. Reads of holes give all-ones. Returns whether anything but a hole was there. */
bool vt_space_read (VtSpace *space, VtSpaceKind kind, uint64_t address, void *to, unsigned size);
bool vt_space_write (VtSpace *space, VtSpaceKind kind, uint64_t address, const void *from,
                     unsigned size);

/* What a CPU engine keeps in step with the flat view. All calls come under the space's own mutex, in
 * the thread that changed the map: they must not take a context's lock, or call back. */
typedef struct
{
  /* Guest-physical RAM has appeared or is about to go. Page-aligned; never overlapping. */
  void (*ram_add) (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset, bool rom);
  void (*ram_remove) (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset);
  /* Dirty logging of a block was switched; its windows keep their addresses. */
  void (*log_changed) (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset, bool rom,
                       bool on);
  /* Merge the engine's own dirty bits of this window into the block (vt_ram_mark_dirty). */
  void (*log_sync) (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset);
  /* An ioeventfd has appeared or is about to go; @match -1: any value; @size 0: any size. */
  void (*kick_add) (void *data, VtSpaceKind kind, uint64_t address, unsigned size, int64_t match,
                    int fd);
  void (*kick_remove) (void *data, VtSpaceKind kind, uint64_t address, unsigned size, int64_t match,
                       int fd);
  /* RAM has appeared or gone for processors in system management mode (VT_SPACE_SMM). NULL: there are none. */
  void (*smm_changed) (void *data);
} VtSpaceListener;

/* One at most; told of everything that is mapped already. NULL @listener ends it. */
void vt_space_listen (VtSpace *space, const VtSpaceListener *listener, void *data);

/* The host address of @gpa and how many bytes from there are contiguous RAM; NULL where it is not
 * RAM. For loaders while the machine is stopped; the pointer is good while the map stands. */
uint8_t *vt_space_host (VtSpace *space, VtGpa gpa, uint64_t *len);

/* The 4 KiB page of RAM at @gpa as a CPU engine may use it for itself. */
typedef struct
{
  uint8_t *host;
  VtRam   *ram;
  uint64_t offset;   /* Of the page in @ram. */
  bool     writable; /* Not ROM. */
  bool     logged;   /* Whoever writes calls vt_ram_mark_dirty(). */
  bool     watched;  /* The same, and nobody keeps a way past it. */
} VtSpacePage;

/* Fills @page for the page that holds @gpa in @kind's view. Returns: false where it isn't wholly one block's RAM. The
 * pointer is good until the listener's ram_remove() of it has returned. */
bool vt_space_page (VtSpace *space, VtSpaceKind kind, VtGpa gpa, VtSpacePage *page);

/* Pages of RAM that lie together in both spaces, as a CPU engine may note them until that ram_remove(). */
typedef struct
{
  VtGpa    first;
  uint64_t size; /* In bytes; 0: none. */
  uint8_t *host;
  VtRam   *ram;
  uint64_t offset; /* Of the first in @ram. */
  bool     writable;
} VtSpaceSpan;

/* The span that holds @gpa. Returns: false as vt_space_page(). */
bool vt_space_span (VtSpace *space, VtSpaceKind kind, VtGpa gpa, VtSpaceSpan *span);
/* As vt_space_page(), of a page in the span; takes no lock (page.c). */
void vt_span_page (const VtSpaceSpan *span, VtGpa gpa, VtSpacePage *page);

/* page.c: does for @len bytes in one page what vt_ram_mark_dirty() does, without a lock. Returns: false where
 * watchers are to be told, which is left to that. */
bool vt_ram_mark_untold (VtRam *ram, uint64_t offset, uint64_t len);

/* Held around an operation on RAM that is to be atomic towards others that hold it: a processor's locked one
 * that the host's own instruction can't do. */
void vt_space_lock_split (VtSpace *space);
void vt_space_unlock_split (VtSpace *space);

/* Watched pages: watch.c ---------------------------------------------------------------------- */

/* Who has made something of the contents of RAM (translated its code) and must know when they change. The
 * functions are called on any thread, under the watchers' lock: they note it and return. */
typedef struct
{
  /* The page at @offset of @ram has been written, and is no longer watched. */
  void (*written) (void *data, uint8_t *page);
  /* Another watcher has put a page under watch: ways to write past vt_ram_mark_dirty() that were taken
   * before (write TLBs) are to be given up. */
  void (*watched) (void *data);
  /* Whether that has been done for all pages put under watch until @epoch. */
  bool (*settled) (void *data, uint64_t epoch);
  void *data;
} VtWatcher;

/* @watcher stays the caller's, and is whole until removed. */
void vt_space_watcher_add (VtSpace *space, VtWatcher *watcher);
void vt_space_watcher_remove (VtSpace *space, VtWatcher *watcher);

/**
 * vt_ram_watch:
 * @offset: of a page, in bytes.
 *
 * Puts a page under watch until it's next written: whoever writes it through vt_space_write(), DMA or
 * vt_ram_mark_dirty() then tells all watchers, once. To be called before its contents are read. Returns: the
 * epoch at which others must have settled for that to be all.
 */
uint64_t vt_ram_watch (VtSpace *space, VtRam *ram, uint64_t offset, const VtWatcher *self);
bool     vt_ram_watched (const VtRam *ram, uint64_t offset);
/* The present epoch; and whether all watchers but @self have settled at @epoch. */
uint64_t vt_space_watch_epoch (VtSpace *space);
bool     vt_space_settled (VtSpace *space, uint64_t epoch, const VtWatcher *self);
