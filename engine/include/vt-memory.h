/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Guest memory as a device sees it: RAM blocks that it owns (video memory, flash), and DMA.
 */
#pragma once

#include <sys/uio.h>

#include "vt-base.h"

typedef struct VtRam    VtRam;
typedef struct VtMemory VtMemory;
typedef struct VtSpace  VtSpace; /* The machine's physical address spaces; the engine's. */

/* RAM blocks --------------------------------------------------------------------------------- */

/* A zeroed block of @size bytes (rounded up to 4 KiB) in a memfd called @name, which is also the
 * key of its contents in a saved state. NULL and @error where the host has not the memory. */
VtRam    *vt_ram_new (const char *name, uint64_t size, GError **error);
void      vt_ram_free (VtRam *ram); /* No region may map it any more. */
uint8_t  *vt_ram_host (const VtRam *ram);
uint64_t  vt_ram_size (const VtRam *ram);
int       vt_ram_fd (const VtRam *ram);
const char *vt_ram_name (const VtRam *ram);

/* Dirty logging, by 4 KiB page, of what vCPUs and DMA write. Device code that writes through
 * vt_ram_host() calls vt_ram_mark_dirty() itself. */
void vt_ram_log_start (VtRam *ram);
void vt_ram_log_stop (VtRam *ram);
void vt_ram_mark_dirty (VtRam *ram, uint64_t offset, uint64_t len);

/**
 * vt_ram_log_fetch:
 * @bitmap: (out): one bit per 4 KiB page of the block, bit 0 of word 0 first; the caller's, with room
 *   for (pages + 63) / 64 words. Overwritten.
 *
 * Takes and clears the log. Returns: whether any page is dirty.
 */
bool vt_ram_log_fetch (VtRam *ram, uint64_t *bitmap);

/* DMA ---------------------------------------------------------------------------------------- */

/* A handle reaches RAM only, so a device can never reach another device's registers, and nothing
 * while its gate (PCI bus-master enable) is shut. Every call is fallible: false or 0 means that
 * some byte of the range is not RAM, or the gate is shut; a failed read leaves @to zeroed. */
bool vt_memory_read (VtMemory *memory, VtGpa gpa, void *to, size_t len);
bool vt_memory_write (VtMemory *memory, VtGpa gpa, const void *from, size_t len);

/**
 * vt_memory_map:
 * @gpa, @len: the guest's range.
 * @write: whether the holder will write it. The pages are marked dirty at the unmap.
 * @iov: (out): filled with at most @max host pieces.
 *
 * Maps for scatter-gather I/O without copying. Returns: the number of pieces; 0 where the range is
 * not wholly RAM or needs more than @max. Each success is given back by vt_memory_unmap().
 */
unsigned vt_memory_map (VtMemory     *memory,
                        VtGpa         gpa,
                        uint64_t      len,
                        bool          write,
                        struct iovec *iov,
                        unsigned      max);
void     vt_memory_unmap (VtMemory *memory, VtGpa gpa, uint64_t len, bool write);

/* A handle on @space; vt_memory_set_gate() opens and shuts it (open at first). */
VtMemory *vt_memory_new (VtSpace *space);
void      vt_memory_free (VtMemory *memory);
void      vt_memory_set_gate (VtMemory *memory, bool open);
