/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The address spaces: what is mapped, the flat view that readers use, and what the CPU engine is
 * told. A reader announces the view it uses in a slot of its thread (a hazard pointer); a retired
 * view is freed at a later change, when no slot shows it.
 */
#include "memory-private.h"

#define NEST 4    /* A vCPU's access, the DMA of its handler, and room to spare. */
#define N_KINDS 3 /* VtSpaceKind. */

typedef struct
{
  GThread *thread;
  unsigned depth;           /* The owner's alone. */
  const VtView *views[NEST]; /* Atomic; read by whoever retires a view. */
} Slot;

typedef struct
{
  VtSpaceKind kind;
  uint64_t    address;
  unsigned    size;
  int64_t     match;
  int         fd;
} FlatKick;

struct VtSpace
{
  uint64_t               serial; /* Never used twice: a thread's cached slot names it. */
  GMutex                 lock;   /* Orders changes. Listener calls come under it. */
  unsigned               depth;  /* Of begin. */
  bool                   stale[N_KINDS];
  uint64_t               order;
  GPtrArray             *mapped[N_KINDS]; /* VtRegion */
  VtView                *view[N_KINDS];   /* Atomic. */
  GPtrArray             *retired;         /* VtView */
  GPtrArray             *slots;           /* Slot */
  GPtrArray             *ram;             /* VtRegion of machine RAM, owned. */
  GArray                *kicks;           /* FlatKick, as the listener knows them. */
  const VtSpaceListener *listener;
  void                  *listener_data;
  VtWatchers            *watchers;
  GMutex                 split; /* vt_space_lock_split() */
};

static __thread struct
{
  uint64_t serial;
  Slot    *slot;
} cache;

VtSpace *
vt_space_new (void)
{
  static uint64_t serials;
  VtSpace        *space = g_new0 (VtSpace, 1);

  space->serial = __atomic_add_fetch (&serials, 1, __ATOMIC_RELAXED);
  g_mutex_init (&space->lock);
  g_mutex_init (&space->split);
  space->watchers = vt_watchers_new ();
  for (unsigned k = 0; k < N_KINDS; k++)
    {
      space->mapped[k] = g_ptr_array_new ();
      space->view[k] = g_malloc0 (sizeof (VtView));
    }
  space->retired = g_ptr_array_new_with_free_func (g_free);
  space->slots = g_ptr_array_new_with_free_func (g_free);
  space->ram = g_ptr_array_new ();
  space->kicks = g_array_new (FALSE, FALSE, sizeof (FlatKick));
  return space;
}

void
vt_space_lock_split (VtSpace *space)
{
  g_mutex_lock (&space->split);
}

void
vt_space_unlock_split (VtSpace *space)
{
  g_mutex_unlock (&space->split);
}

void
vt_space_free (VtSpace *space)
{
  if (space == NULL)
    return;
  for (guint i = 0; i < space->ram->len; i++)
    vt_region_free (space->ram->pdata[i]);
  for (unsigned k = 0; k < N_KINDS; k++)
    {
      g_ptr_array_free (space->mapped[k], TRUE);
      g_free (space->view[k]);
    }
  g_ptr_array_free (space->retired, TRUE);
  g_ptr_array_free (space->slots, TRUE);
  g_ptr_array_free (space->ram, TRUE);
  g_array_free (space->kicks, TRUE);
  vt_watchers_free (space->watchers);
  g_mutex_clear (&space->lock);
  g_mutex_clear (&space->split);
  g_free (space);
}

VtWatchers *
vt_space_watchers (VtSpace *space)
{
  return space->watchers;
}

/* Readers ------------------------------------------------------------------------------------ */

static Slot *
thread_slot (VtSpace *space)
{
  Slot *slot = NULL;

  if (cache.serial == space->serial)
    return cache.slot;
  g_mutex_lock (&space->lock);
  for (guint i = 0; i < space->slots->len && slot == NULL; i++)
    if (((Slot *) space->slots->pdata[i])->thread == g_thread_self ())
      slot = space->slots->pdata[i];
  if (slot == NULL)
    {
      slot = g_new0 (Slot, 1);
      slot->thread = g_thread_self ();
      g_ptr_array_add (space->slots, slot);
    }
  g_mutex_unlock (&space->lock);
  cache.serial = space->serial;
  cache.slot = slot;
  return slot;
}

const VtView *
vt_space_enter (VtSpace *space, VtSpaceKind kind)
{
  Slot   *slot = thread_slot (space);
  VtView *view;

  g_assert (slot->depth < NEST); /* Our own recursion, which no guest steers. */
  do
    {
      view = __atomic_load_n (&space->view[kind], __ATOMIC_ACQUIRE);
      __atomic_store_n (&slot->views[slot->depth], view, __ATOMIC_SEQ_CST);
      /* If it was retired between the two, the writer may not have seen our slot. */
    }
  while (view != __atomic_load_n (&space->view[kind], __ATOMIC_SEQ_CST));
  slot->depth++;
  return view;
}

void
vt_space_leave (VtSpace *space)
{
  Slot *slot = thread_slot (space);

  slot->depth--;
  __atomic_store_n (&slot->views[slot->depth], NULL, __ATOMIC_RELEASE);
}

static bool
in_use (VtSpace *space, const VtView *view)
{
  for (guint i = 0; i < space->slots->len; i++)
    for (unsigned d = 0; d < NEST; d++)
      if (__atomic_load_n (&((Slot *) space->slots->pdata[i])->views[d], __ATOMIC_SEQ_CST) == view)
        return true;
  return false;
}

const VtFlat *
vt_view_find (const VtView *view, uint64_t address)
{
  unsigned low = 0, high = view->n;

  while (low < high)
    {
      unsigned      mid = (low + high) / 2;
      const VtFlat *f = &view->flats[mid];

      if (address < f->start)
        high = mid;
      else if (address - f->start >= f->size)
        low = mid + 1;
      else
        return f;
    }
  return NULL;
}

/* Building a view ------------------------------------------------------------------------------ */

static int
compare_u64 (const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

  return x < y ? -1 : x > y;
}

static bool
covers (const VtRegion *r, uint64_t address)
{
  return address >= r->base && address - r->base < r->size;
}

/* Cuts the space at every border and lets the highest region win each piece. Regions are tens, so
 * the square of their number is nothing. */
static VtView *
build_view (const VtSpace *space, unsigned kind)
{
  g_autoptr (GPtrArray) mapped = g_ptr_array_new ();

  g_ptr_array_extend (mapped, space->mapped[kind], NULL, NULL);
  if (kind == VT_SPACE_SMM)
    g_ptr_array_extend (mapped, space->mapped[VT_SPACE_MEMORY], NULL, NULL);

  guint               n_borders = 0;
  g_autofree uint64_t *borders = g_new (uint64_t, mapped->len * 2 + 1);
  VtView             *view = g_malloc0 (sizeof (VtView) + mapped->len * 2 * sizeof (VtFlat));

  for (guint i = 0; i < mapped->len; i++)
    {
      const VtRegion *r = mapped->pdata[i];

      borders[n_borders++] = r->base;
      /* A region that ends at 2^64 has no border there: its last piece is cut by its size. */
      if (r->base + r->size != 0)
        borders[n_borders++] = r->base + r->size;
    }
  qsort (borders, n_borders, sizeof *borders, compare_u64);
  for (guint b = 0; b < n_borders; b++)
    {
      VtRegion *top = NULL;
      uint64_t  start = borders[b], end = b + 1 < n_borders ? borders[b + 1] : 0;
      VtFlat   *last = view->n > 0 ? &view->flats[view->n - 1] : NULL;

      if (b + 1 < n_borders && end == start)
        continue;
      for (guint i = 0; i < mapped->len; i++)
        {
          VtRegion *r = mapped->pdata[i];

          if (covers (r, start) &&
              (top == NULL || r->priority > top->priority ||
               (r->priority == top->priority && r->order > top->order)))
            top = r;
        }
      if (top == NULL)
        continue;
      if (last != NULL && last->region == top && last->start + last->size == start)
        last->size += end - start;
      else
        view->flats[view->n++] =
            (VtFlat){ .start = start, .size = end - start, .region = top, .offset = start - top->base };
    }
  return view;
}

/* The whole pages of RAM in @f. */
static bool
ram_part (const VtFlat *f, uint64_t *gpa, uint64_t *size, uint64_t *offset)
{
  uint64_t first = vt_align_up (f->start, VT_PAGE_SIZE);
  uint64_t end = vt_align_down (f->start + f->size, VT_PAGE_SIZE);

  if (f->region->ram == NULL || first >= end)
    return false;
  *offset = f->region->ram_offset + f->offset + (first - f->start);
  /* A window whose pages straddle the guest's can't be mapped; accesses to it go through us. */
  if (*offset % VT_PAGE_SIZE != 0)
    return false;
  *gpa = first;
  *size = end - first;
  return true;
}

static bool
same_ram (const VtFlat *a, const VtFlat *b)
{
  return a->start == b->start && a->size == b->size && a->region->ram == b->region->ram &&
         a->region->ram_offset + a->offset == b->region->ram_offset + b->offset &&
         a->region->mode == b->region->mode;
}

static const VtFlat *
same_in (const VtView *view, const VtFlat *f)
{
  const VtFlat *other = vt_view_find (view, f->start);

  return other != NULL && other->region->ram != NULL && same_ram (f, other) ? other : NULL;
}

static void
tell_ram (VtSpace *space, const VtView *old, const VtView *new)
{
  uint64_t gpa, size, offset;

  for (unsigned i = 0; i < old->n; i++)
    if (ram_part (&old->flats[i], &gpa, &size, &offset) && same_in (new, &old->flats[i]) == NULL)
      {
        VtRam *ram = old->flats[i].region->ram;

        /* Its last dirty bits go with it otherwise. */
        if (__atomic_load_n (&ram->logging, __ATOMIC_ACQUIRE))
          space->listener->log_sync (space->listener_data, gpa, size, ram, offset);
        space->listener->ram_remove (space->listener_data, gpa, size, ram, offset);
      }
  for (unsigned i = 0; i < new->n; i++)
    if (ram_part (&new->flats[i], &gpa, &size, &offset) && same_in (old, &new->flats[i]) == NULL)
      {
        const VtRegion *r = new->flats[i].region;
        bool            rom = r->mode == VT_RAM_ROM;

        space->listener->ram_add (space->listener_data, gpa, size, r->ram, offset, rom);
        if (__atomic_load_n (&r->ram->logging, __ATOMIC_ACQUIRE))
          space->listener->log_changed (space->listener_data, gpa, size, r->ram, offset, rom, true);
      }
}

/* Whether @b lacks any RAM of @a. */
static bool
lacks_ram (const VtView *a, const VtView *b)
{
  for (unsigned i = 0; i < a->n; i++)
    if (a->flats[i].region->ram != NULL && same_in (b, &a->flats[i]) == NULL)
      return true;
  return false;
}

static GArray *
collect_kicks (VtSpace *space)
{
  GArray *kicks = g_array_new (FALSE, FALSE, sizeof (FlatKick));

  for (unsigned k = 0; k < VT_SPACE_SMM; k++)
    for (unsigned i = 0; i < space->view[k]->n; i++)
      {
        const VtFlat *f = &space->view[k]->flats[i];

        for (guint n = 0; f->region->kicks != NULL && n < f->region->kicks->len; n++)
          {
            const VtRegionKick *rk = &g_array_index (f->region->kicks, VtRegionKick, n);

            if (rk->offset >= f->offset && rk->offset - f->offset < f->size)
              {
                FlatKick kick = { .kind = (VtSpaceKind) k,
                                  .address = f->start + (rk->offset - f->offset),
                                  .size = rk->size,
                                  .match = rk->match,
                                  .fd = vt_kick_fd (rk->kick) };

                g_array_append_val (kicks, kick);
              }
          }
      }
  return kicks;
}

static bool
has_kick (const GArray *kicks, const FlatKick *kick)
{
  for (guint i = 0; i < kicks->len; i++)
    {
      const FlatKick *k = &g_array_index (kicks, FlatKick, i);

      if (k->kind == kick->kind && k->address == kick->address && k->size == kick->size &&
          k->match == kick->match && k->fd == kick->fd)
        return true;
    }
  return false;
}

static void
tell_kicks (VtSpace *space)
{
  GArray *now = collect_kicks (space);

  for (guint i = 0; i < space->kicks->len; i++)
    {
      FlatKick *k = &g_array_index (space->kicks, FlatKick, i);

      if (!has_kick (now, k))
        space->listener->kick_remove (space->listener_data, k->kind, k->address, k->size, k->match,
                                      k->fd);
    }
  for (guint i = 0; i < now->len; i++)
    {
      FlatKick *k = &g_array_index (now, FlatKick, i);

      if (!has_kick (space->kicks, k))
        space->listener->kick_add (space->listener_data, k->kind, k->address, k->size, k->match,
                                   k->fd);
    }
  g_array_free (space->kicks, TRUE);
  space->kicks = now;
}

/* Publishes new views where something has changed. Lock held. */
static void
refresh (VtSpace *space)
{
  space->stale[VT_SPACE_SMM] |= space->stale[VT_SPACE_MEMORY];
  if (space->depth > 0 || !(space->stale[VT_SPACE_IO] || space->stale[VT_SPACE_SMM]))
    return;
  for (unsigned k = 0; k < N_KINDS; k++)
    {
      VtView *old = space->view[k];

      if (!space->stale[k])
        continue;
      space->stale[k] = false;
      __atomic_store_n (&space->view[k], build_view (space, k), __ATOMIC_SEQ_CST);
      if (space->listener != NULL && k == VT_SPACE_MEMORY)
        tell_ram (space, old, space->view[k]);
      if (k == VT_SPACE_SMM && space->listener != NULL && space->listener->smm_changed != NULL
          && (lacks_ram (old, space->view[k]) || lacks_ram (space->view[k], old)))
        space->listener->smm_changed (space->listener_data);
      g_ptr_array_add (space->retired, old);
    }
  if (space->listener != NULL)
    tell_kicks (space);
  for (guint i = space->retired->len; i-- > 0;)
    if (!in_use (space, space->retired->pdata[i]))
      g_ptr_array_remove_index_fast (space->retired, i);
}

void
vt_space_begin (VtSpace *space)
{
  g_mutex_lock (&space->lock);
  space->depth++;
  g_mutex_unlock (&space->lock);
}

void
vt_space_commit (VtSpace *space)
{
  g_mutex_lock (&space->lock);
  space->depth--;
  refresh (space);
  g_mutex_unlock (&space->lock);
}

void
vt_space_listen (VtSpace *space, const VtSpaceListener *listener, void *data)
{
  g_autofree VtView *nothing = g_malloc0 (sizeof (VtView));

  g_mutex_lock (&space->lock);
  if (space->listener != NULL)
    {
      for (guint i = 0; i < space->kicks->len; i++)
        {
          FlatKick *k = &g_array_index (space->kicks, FlatKick, i);

          space->listener->kick_remove (space->listener_data, k->kind, k->address, k->size, k->match,
                                        k->fd);
        }
      tell_ram (space, space->view[VT_SPACE_MEMORY], nothing);
    }
  g_array_set_size (space->kicks, 0);
  space->listener = listener;
  space->listener_data = data;
  if (listener != NULL)
    {
      tell_ram (space, nothing, space->view[VT_SPACE_MEMORY]);
      tell_kicks (space);
    }
  g_mutex_unlock (&space->lock);
}

static void
for_each_window (VtSpace *space,
                 VtRam   *ram,
                 void (*func) (VtSpace *space, const VtFlat *f, uint64_t gpa, uint64_t size,
                               uint64_t offset))
{
  const VtView *view = space->view[VT_SPACE_MEMORY];
  uint64_t      gpa, size, offset;

  for (unsigned i = 0; i < view->n; i++)
    if (view->flats[i].region->ram == ram && ram_part (&view->flats[i], &gpa, &size, &offset))
      func (space, &view->flats[i], gpa, size, offset);
}

static void
log_on_cb (VtSpace *space, const VtFlat *f, uint64_t gpa, uint64_t size, uint64_t offset)
{
  space->listener->log_changed (space->listener_data, gpa, size, f->region->ram, offset,
                                f->region->mode == VT_RAM_ROM, true);
}

static void
log_off_cb (VtSpace *space, const VtFlat *f, uint64_t gpa, uint64_t size, uint64_t offset)
{
  space->listener->log_changed (space->listener_data, gpa, size, f->region->ram, offset,
                                f->region->mode == VT_RAM_ROM, false);
}

static void
log_sync_cb (VtSpace *space, const VtFlat *f, uint64_t gpa, uint64_t size, uint64_t offset)
{
  space->listener->log_sync (space->listener_data, gpa, size, f->region->ram, offset);
}

void
vt_space_log_switch (VtSpace *space, VtRam *ram, bool on)
{
  g_mutex_lock (&space->lock);
  if (space->listener != NULL)
    for_each_window (space, ram, on ? log_on_cb : log_off_cb);
  g_mutex_unlock (&space->lock);
}

void
vt_space_log_sync (VtSpace *space, VtRam *ram)
{
  g_mutex_lock (&space->lock);
  if (space->listener != NULL)
    for_each_window (space, ram, log_sync_cb);
  g_mutex_unlock (&space->lock);
}

/* Regions ------------------------------------------------------------------------------------ */

VtRegion *
vt_region_new (VtSpace *space, VtDevice *dev, VtSpaceKind kind, uint64_t size)
{
  VtRegion *region = g_new0 (VtRegion, 1);

  region->space = space;
  region->dev = dev;
  region->kind = kind;
  region->size = size;
  return region;
}

void
vt_region_free (VtRegion *region)
{
  vt_region_unmap (region);
  if (region->kicks != NULL)
    g_array_free (region->kicks, TRUE);
  g_free (region);
}

void
vt_region_for_smm (VtRegion *region)
{
  region->kind = VT_SPACE_SMM;
}

void
vt_region_map (VtRegion *region, uint64_t base, int priority)
{
  VtSpace *space = region->space;
  uint64_t limit = region->kind == VT_SPACE_IO ? 0x10000 : UINT64_MAX;

  if (space == NULL)
    return;
  /* The guest may program a base whose region would wrap; it decodes nothing then. */
  if (region->size == 0 || base > limit - (region->size - 1))
    {
      vt_region_unmap (region);
      return;
    }
  g_mutex_lock (&space->lock);
  if (!region->mapped || region->base != base || region->priority != priority)
    {
      if (!region->mapped)
        g_ptr_array_add (space->mapped[region->kind], region);
      if (region->ram != NULL)
        region->ram->space = space;
      region->mapped = true;
      region->base = base;
      region->priority = priority;
      region->order = ++space->order;
      space->stale[region->kind] = true;
      refresh (space);
    }
  g_mutex_unlock (&space->lock);
}

void
vt_region_unmap (VtRegion *region)
{
  VtSpace *space = region->space;

  if (space == NULL)
    return;
  g_mutex_lock (&space->lock);
  if (region->mapped)
    {
      region->mapped = false;
      g_ptr_array_remove_fast (space->mapped[region->kind], region);
      space->stale[region->kind] = true;
      refresh (space);
    }
  g_mutex_unlock (&space->lock);
}

bool
vt_region_mapped (const VtRegion *region, uint64_t *base)
{
  if (base != NULL)
    *base = region->base;
  return region->mapped;
}

void
vt_region_add_kick (VtRegion *region, uint64_t offset, unsigned size, int64_t match, VtKick *kick)
{
  VtRegionKick rk = { .offset = offset, .size = size, .match = match, .kick = kick };

  if (region->space != NULL)
    g_mutex_lock (&region->space->lock);
  if (region->kicks == NULL)
    region->kicks = g_array_new (FALSE, FALSE, sizeof (VtRegionKick));
  g_array_append_val (region->kicks, rk);
  if (region->space != NULL)
    {
      if (region->mapped && region->space->listener != NULL)
        tell_kicks (region->space);
      g_mutex_unlock (&region->space->lock);
    }
}

void
vt_space_map_ram (VtSpace *space, VtRam *ram, uint64_t offset, uint64_t size, VtGpa gpa, int priority)
{
  VtRegion *region = vt_region_new (space, NULL, VT_SPACE_MEMORY, size);

  region->ram = ram;
  region->ram_offset = offset;
  g_ptr_array_add (space->ram, region);
  vt_region_map (region, gpa, priority);
}

/* Access ------------------------------------------------------------------------------------- */

uint8_t *
vt_flat_host (const VtFlat *flat, uint64_t address, bool write)
{
  const VtRegion *r = flat->region;

  if (r->ram == NULL || (write && r->mode == VT_RAM_ROM))
    return NULL;
  return r->ram->host + r->ram_offset + flat->offset + (address - flat->start);
}

uint8_t *
vt_space_host (VtSpace *space, VtGpa gpa, uint64_t *len)
{
  const VtView *view = vt_space_enter (space, VT_SPACE_MEMORY);
  const VtFlat *f = vt_view_find (view, gpa);
  uint8_t      *host = f == NULL ? NULL : vt_flat_host (f, gpa, true);

  if (host != NULL && len != NULL)
    *len = f->size - (gpa - f->start);
  vt_space_leave (space);
  return host;
}

bool
vt_space_span (VtSpace *space, VtSpaceKind kind, VtGpa gpa, VtSpaceSpan *span)
{
  const VtGpa   page = vt_align_down (gpa, VT_PAGE_SIZE);
  const VtView *view = vt_space_enter (space, kind);
  const VtFlat *f = vt_view_find (view, page);
  bool          ok = false;

  /* A window whose pages straddle the guest's has none of its own to log. */
  if (f != NULL && ram_part (f, &span->first, &span->size, &span->offset) && page - span->first < span->size)
    {
      span->host = vt_flat_host (f, span->first, false);
      span->ram = f->region->ram;
      span->writable = f->region->mode != VT_RAM_ROM;
      ok = true;
    }
  vt_space_leave (space);
  return ok;
}

bool
vt_space_page (VtSpace *space, VtSpaceKind kind, VtGpa gpa, VtSpacePage *page)
{
  VtSpaceSpan span;

  if (!vt_space_span (space, kind, gpa, &span))
    return false;
  vt_span_page (&span, gpa, page);
  return true;
}

bool
vt_space_read (VtSpace *space, VtSpaceKind kind, uint64_t address, void *to, unsigned size)
{
  const VtView *view = vt_space_enter (space, kind);
  uint8_t      *out = to;
  bool          any = false;

  while (size > 0)
    {
      const VtFlat *f = vt_view_find (view, address);
      unsigned      part = size;

      if (f == NULL)
        {
          /* Byte by byte, since the next one may be somebody's. */
          part = 1;
          *out = 0xff;
        }
      else
        {
          uint64_t       left = f->size - (address - f->start);
          const uint8_t *host = vt_flat_host (f, address, false);

          part = (unsigned) MIN (left, size);
          any = true;
          if (host != NULL)
            memcpy (out, host, part);
          else
            vt_st (out, part, vt_region_read (f->region, f->offset + (address - f->start), part));
        }
      address += part;
      out += part;
      size -= part;
    }
  vt_space_leave (space);
  return any;
}

bool
vt_space_write (VtSpace *space, VtSpaceKind kind, uint64_t address, const void *from, unsigned size)
{
  const VtView  *view = vt_space_enter (space, kind);
  const uint8_t *in = from;
  bool           any = false;

  while (size > 0)
    {
      const VtFlat *f = vt_view_find (view, address);
      unsigned      part = 1;

      if (f != NULL)
        {
          uint64_t left = f->size - (address - f->start), offset = f->offset + (address - f->start);
          uint8_t *host = vt_flat_host (f, address, true);

          part = (unsigned) MIN (left, size);
          any = true;
          if (host != NULL)
            {
              memcpy (host, in, part);
              vt_ram_mark_dirty (f->region->ram, f->region->ram_offset + offset, part);
            }
          else
            vt_region_write (f->region, offset, part, vt_ld (in, part));
        }
      address += part;
      in += part;
      size -= part;
    }
  vt_space_leave (space);
  return any;
}
