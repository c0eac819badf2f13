/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Watched pages. A page is put under watch before it's read, and written before its watch is looked at,
 * with a full fence between on both sides: so either the reader sees the new bytes, or the writer sees the
 * watch.
 */
#include "memory-private.h"

struct VtWatchers
{
  GMutex     lock;
  GPtrArray *all;   /* VtWatcher, not owned. */
  uint64_t   epoch; /* Atomic: counts pages put under watch. */
};

VtWatchers *
vt_watchers_new (void)
{
  VtWatchers *w = g_new0 (VtWatchers, 1);

  g_mutex_init (&w->lock);
  w->all = g_ptr_array_new ();
  return w;
}

void
vt_watchers_free (VtWatchers *w)
{
  g_ptr_array_free (w->all, TRUE);
  g_mutex_clear (&w->lock);
  g_free (w);
}

void
vt_space_watcher_add (VtSpace *space, VtWatcher *watcher)
{
  VtWatchers *w = vt_space_watchers (space);

  g_mutex_lock (&w->lock);
  g_ptr_array_add (w->all, watcher);
  g_mutex_unlock (&w->lock);
}

void
vt_space_watcher_remove (VtSpace *space, VtWatcher *watcher)
{
  VtWatchers *w = vt_space_watchers (space);

  g_mutex_lock (&w->lock);
  g_ptr_array_remove (w->all, watcher);
  g_mutex_unlock (&w->lock);
}

uint64_t
vt_space_watch_epoch (VtSpace *space)
{
  return __atomic_load_n (&vt_space_watchers (space)->epoch, __ATOMIC_SEQ_CST);
}

bool
vt_space_settled (VtSpace *space, uint64_t epoch, const VtWatcher *self)
{
  VtWatchers *w = vt_space_watchers (space);
  bool        all = true;

  g_mutex_lock (&w->lock);
  for (guint i = 0; i < w->all->len && all; i++)
    {
      const VtWatcher *other = w->all->pdata[i];
      all = other == self || other->settled (other->data, epoch);
    }
  g_mutex_unlock (&w->lock);
  return all;
}

static uint64_t *
watch_bits (VtRam *ram)
{
  uint64_t *bits = __atomic_load_n (&ram->watched, __ATOMIC_ACQUIRE);

  if (bits == NULL)
    {
      uint64_t *fresh = g_new0 (uint64_t, ((ram->size >> VT_PAGE_SHIFT) + 63) / 64);
      if (__atomic_compare_exchange_n (&ram->watched, &bits, fresh, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE))
        return fresh;
      g_free (fresh); /* Another was faster; @bits is now that one's. */
    }
  return bits;
}

uint64_t
vt_ram_watch (VtSpace *space, VtRam *ram, uint64_t offset, const VtWatcher *self)
{
  VtWatchers    *w = vt_space_watchers (space);
  const uint64_t page = offset >> VT_PAGE_SHIFT, bit = VT_BIT (page % 64);
  uint64_t      *word = &watch_bits (ram)[page / 64];
  uint64_t       epoch;

  g_mutex_lock (&w->lock);
  if (__atomic_fetch_or (word, bit, __ATOMIC_SEQ_CST) & bit)
    epoch = w->epoch;
  else
    {
      epoch = __atomic_add_fetch (&w->epoch, 1, __ATOMIC_SEQ_CST);
      for (guint i = 0; i < w->all->len; i++)
        {
          const VtWatcher *other = w->all->pdata[i];
          if (other != self)
            other->watched (other->data);
        }
    }
  g_mutex_unlock (&w->lock);
  return epoch;
}

static void
tell (VtRam *ram, uint64_t page)
{
  VtWatchers *w = ram->space == NULL ? NULL : vt_space_watchers (ram->space);

  if (w == NULL)
    return;
  g_mutex_lock (&w->lock);
  for (guint i = 0; i < w->all->len; i++)
    {
      const VtWatcher *watcher = w->all->pdata[i];
      watcher->written (watcher->data, ram->host + (page << VT_PAGE_SHIFT));
    }
  g_mutex_unlock (&w->lock);
}

void
vt_ram_tell_written (VtRam *ram, uint64_t offset, uint64_t len)
{
  const uint64_t first = offset >> VT_PAGE_SHIFT, last = (offset + len - 1) >> VT_PAGE_SHIFT;

  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  for (uint64_t page = first; page <= last; page++)
    {
      uint64_t *word = &ram->watched[page / 64];
      /* Most writes are of data, and whole words of pages without a watch are passed over. */
      if (__atomic_load_n (word, __ATOMIC_RELAXED) == 0)
        page |= 63;
      else if (__atomic_fetch_and (word, ~VT_BIT (page % 64), __ATOMIC_SEQ_CST) >> page % 64 & 1)
        tell (ram, page);
    }
}
