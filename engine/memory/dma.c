/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DMA: a device's fallible, gated access to RAM alone.
 */
#include "memory-private.h"

struct VtMemory
{
  VtSpace *space;
  int      open; /* Atomic: vCPUs switch it while workers use it. */
};

VtMemory *
vt_memory_new (VtSpace *space)
{
  VtMemory *memory = g_new0 (VtMemory, 1);

  memory->space = space;
  memory->open = 1;
  return memory;
}

void
vt_memory_free (VtMemory *memory)
{
  g_free (memory);
}

void
vt_memory_set_gate (VtMemory *memory, bool open)
{
  if (memory != NULL)
    __atomic_store_n (&memory->open, open, __ATOMIC_RELEASE);
}

static bool
gate_open (const VtMemory *memory)
{
  return memory != NULL && __atomic_load_n (&memory->open, __ATOMIC_ACQUIRE);
}

typedef bool (*PieceFunc) (void *data, const VtFlat *flat, uint8_t *host, uint64_t offset,
                           uint64_t len);

/* Calls @func for each contiguous piece of RAM; false where a byte is not RAM (or ROM and @write) or
 * @func says so. */
static bool
for_each_piece (VtMemory *memory, VtGpa gpa, uint64_t len, bool write, PieceFunc func, void *data)
{
  const VtView *view;
  bool          ok = true;
  uint64_t      end;

  if (!gate_open (memory) || !vt_add (gpa, len, &end))
    return false;
  view = vt_space_enter (memory->space, VT_SPACE_MEMORY);
  while (ok && len > 0)
    {
      const VtFlat *f = vt_view_find (view, gpa);
      uint8_t      *host = f == NULL ? NULL : vt_flat_host (f, gpa, write);
      uint64_t      part;

      ok = host != NULL;
      if (!ok)
        break;
      part = MIN (len, f->size - (gpa - f->start));
      ok = func (data, f, host, f->region->ram_offset + f->offset + (gpa - f->start), part);
      gpa += part;
      len -= part;
    }
  vt_space_leave (memory->space);
  return ok;
}

static bool
read_cb (void *data, const VtFlat *flat, uint8_t *host, uint64_t offset, uint64_t len)
{
  uint8_t **to = data;

  memcpy (*to, host, len);
  *to += len;
  return true;
}

bool
vt_memory_read (VtMemory *memory, VtGpa gpa, void *to, size_t len)
{
  uint8_t *p = to;

  if (for_each_piece (memory, gpa, len, false, read_cb, &p))
    return true;
  memset (to, 0, len);
  return false;
}

static bool
write_cb (void *data, const VtFlat *flat, uint8_t *host, uint64_t offset, uint64_t len)
{
  const uint8_t **from = data;

  memcpy (host, *from, len);
  *from += len;
  vt_ram_mark_dirty (flat->region->ram, offset, len);
  return true;
}

bool
vt_memory_write (VtMemory *memory, VtGpa gpa, const void *from, size_t len)
{
  const uint8_t *p = from;

  return for_each_piece (memory, gpa, len, true, write_cb, &p);
}

typedef struct
{
  struct iovec *iov;
  unsigned      n, max;
} Mapping;

static bool
map_cb (void *data, const VtFlat *flat, uint8_t *host, uint64_t offset, uint64_t len)
{
  Mapping *m = data;

  if (m->n > 0 && (uint8_t *) m->iov[m->n - 1].iov_base + m->iov[m->n - 1].iov_len == host)
    {
      m->iov[m->n - 1].iov_len += len;
      return true;
    }
  if (m->n == m->max)
    return false;
  m->iov[m->n++] = (struct iovec){ .iov_base = host, .iov_len = len };
  return true;
}

unsigned
vt_memory_map (VtMemory     *memory,
               VtGpa         gpa,
               uint64_t      len,
               bool          write,
               struct iovec *iov,
               unsigned      max)
{
  Mapping m = { .iov = iov, .max = max };

  if (len == 0 || !for_each_piece (memory, gpa, len, write, map_cb, &m))
    return 0;
  return m.n;
}

static bool
dirty_cb (void *data, const VtFlat *flat, uint8_t *host, uint64_t offset, uint64_t len)
{
  vt_ram_mark_dirty (flat->region->ram, offset, len);
  return true;
}

void
vt_memory_unmap (VtMemory *memory, VtGpa gpa, uint64_t len, bool write)
{
  if (write)
    for_each_piece (memory, gpa, len, true, dirty_cb, NULL);
}
