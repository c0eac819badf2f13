/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the software processor's page walks want of RAM while a guest's vectors are in the units: compiled for general
 * registers alone, without locks, and calling nothing.
 */
#include "memory-private.h"

bool
vt_ram_watched (const VtRam *ram, uint64_t offset)
{
  const uint64_t *bits = __atomic_load_n (&ram->watched, __ATOMIC_ACQUIRE);
  const uint64_t  page = offset >> VT_PAGE_SHIFT;

  return bits != NULL
         && (__atomic_load_n (&bits[page / 64], __ATOMIC_RELAXED) >> page % 64 & 1) != 0;
}

void
vt_span_page (const VtSpaceSpan *span, VtGpa gpa, VtSpacePage *page)
{
  const uint64_t at = vt_align_down (gpa, VT_PAGE_SIZE) - span->first;

  page->host = span->host + at;
  page->ram = span->ram;
  page->offset = span->offset + at;
  page->writable = span->writable;
  page->logged = __atomic_load_n (&span->ram->logging, __ATOMIC_ACQUIRE) != 0;
  page->watched = vt_ram_watched (span->ram, page->offset);
}

void
vt_ram_log (VtRam *ram, uint64_t offset, uint64_t len)
{
  const uint64_t first = offset >> VT_PAGE_SHIFT, last = (offset + len - 1) >> VT_PAGE_SHIFT;

  if (!__atomic_load_n (&ram->logging, __ATOMIC_ACQUIRE))
    return;
  for (uint64_t page = first; page <= last; page++)
    __atomic_fetch_or (&ram->log[page / 64], VT_BIT (page % 64), __ATOMIC_RELAXED);
}

bool
vt_ram_mark_untold (VtRam *ram, uint64_t offset, uint64_t len)
{
  /* As in vt_ram_tell_written(). */
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  if (vt_ram_watched (ram, offset))
    return false;
  vt_ram_log (ram, offset, len);
  return true;
}
