/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Access to linear memory: by the TLB where it is one page of RAM, else piece by piece through the
 * dispatcher.
 */
#include "../core.h"

/* tlb.c */
VtTlbEntry *vt_mmu_miss (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtGpa *gpa);

/* The host address of the byte at @linear, or NULL and @*gpa. Raises. */
static uint8_t *
find (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtGpa *gpa)
{
  const uint64_t page = linear & ~VT_PAGE_OFFSET;
  VtTlbEntry    *entry = vt_mmu_find (vt_mmu_table (&core->mmu, set, kind), page);

  if (G_UNLIKELY (entry == NULL))
    {
      entry = vt_mmu_miss (core, linear, kind, set, gpa);
      if (entry == NULL)
        return NULL;
    }
  return (uint8_t *) (uintptr_t) (linear + entry->addend);
}

/* A breakpoint that is met is told behind the instruction, where that does not fault. */
static inline void
watch (VtCore *core, uint64_t linear, unsigned size, VtAccessKind kind)
{
  if (G_UNLIKELY (vt_core_watches (core)) && kind != VT_ACCESS_FETCH)
    vt_debug_look (core, linear, size, kind);
}

uint64_t
vt_mmu_wrap (const VtCore *core, uint64_t linear)
{
  return core->code_bits == 64 ? linear : (uint32_t) linear;
}

uint8_t *
vt_mmu_host (VtCore *core, uint64_t linear, unsigned size, VtAccessKind kind, VtAccessSet set)
{
  VtGpa gpa;

  watch (core, linear, size, kind);
  return find (core, linear, kind, set, &gpa);
}

static void
physical_read (VtCore *core, VtGpa gpa, void *to, unsigned size)
{
  VtSpacePage page;

  if (core->ops->read == NULL || vt_space_page (core->space, vt_core_memory (core), gpa, &page))
    vt_space_read (core->space, vt_core_memory (core), gpa, to, size);
  else if (!core->ops->read (core->data, gpa, to, size))
    vt_core_decline (core);
}

static void
physical_write (VtCore *core, VtGpa gpa, const void *from, unsigned size)
{
  VtSpacePage page;

  if (core->ops->write == NULL || vt_space_page (core->space, vt_core_memory (core), gpa, &page))
    vt_space_write (core->space, vt_core_memory (core), gpa, from, size);
  else if (!core->ops->write (core->data, gpa, from, size))
    vt_core_decline (core);
}

/* One page's part of an access, whose translation is known. */
typedef struct
{
  uint8_t *host;
  VtGpa    gpa;
  unsigned size;
} Piece;

static void
piece_read (VtCore *core, const Piece *piece, uint8_t *to)
{
  if (piece->host)
    memcpy (to, piece->host, piece->size);
  else
    for (unsigned at = 0, n; at < piece->size; at += n)
      {
        n = MIN (piece->size - at, 8);
        physical_read (core, piece->gpa + at, to + at, n);
      }
}

static void
piece_write (VtCore *core, const Piece *piece, const uint8_t *from)
{
  if (piece->host)
    memcpy (piece->host, from, piece->size);
  else
    for (unsigned at = 0, n; at < piece->size; at += n)
      {
        n = MIN (piece->size - at, 8);
        physical_write (core, piece->gpa + at, from + at, n);
      }
}

/* Both pages of an access that may cross, checked before either is touched. Returns: how many. */
static unsigned
pieces (VtCore *core, uint64_t linear, unsigned size, VtAccessKind kind, VtAccessSet set, Piece out[2])
{
  const unsigned first = (unsigned) MIN (size, VT_PAGE - (linear & VT_PAGE_OFFSET));

  out[0].size = first;
  out[0].host = find (core, linear, kind, set, &out[0].gpa);
  if (first == size)
    return 1;
  out[1].size = size - first;
  out[1].host = find (core, vt_mmu_wrap (core, linear + first), kind, set, &out[1].gpa);
  return 2;
}

void
vt_mmu_read (VtCore *core, uint64_t linear, void *to, unsigned size, VtAccessKind kind,
             VtAccessSet set)
{
  Piece          piece[2];
  const unsigned n = pieces (core, linear, size, kind, set, piece);

  watch (core, linear, size, kind);
  piece_read (core, &piece[0], to);
  if (n == 2)
    piece_read (core, &piece[1], (uint8_t *) to + piece[0].size);
}

void
vt_mmu_write (VtCore *core, uint64_t linear, const void *from, unsigned size, VtAccessSet set)
{
  Piece          piece[2];
  const unsigned n = pieces (core, linear, size, VT_ACCESS_WRITE, set, piece);

  watch (core, linear, size, VT_ACCESS_WRITE);
  piece_write (core, &piece[0], from);
  if (n == 2)
    piece_write (core, &piece[1], (const uint8_t *) from + piece[0].size);
}

void
vt_mmu_probe_write (VtCore *core, uint64_t linear, unsigned size, VtAccessSet set)
{
  Piece piece[2];
  pieces (core, linear, size, VT_ACCESS_WRITE, set, piece);
}

uint64_t
vt_mmu_load (VtCore *core, uint64_t linear, unsigned size, VtAccessSet set)
{
  uint8_t bytes[8];

  if (G_LIKELY ((linear & VT_PAGE_OFFSET) + size <= VT_PAGE && !vt_core_watches (core)))
    {
      VtGpa          gpa;
      const uint8_t *host = find (core, linear, VT_ACCESS_READ, set, &gpa);
      /* Aligned loads are one access to the other processors. */
      if (G_LIKELY (host != NULL))
        switch (size)
          {
          case 1:
            return *host;
          case 2:
            return vt_ld16 (host);
          case 4:
            return vt_ld32 (host);
          case 8:
            return vt_ld64 (host);
          default:
            return vt_ld (host, size);
          }
    }
  vt_mmu_read (core, linear, bytes, size, VT_ACCESS_READ, set);
  return vt_ld (bytes, size);
}

void
vt_mmu_store (VtCore *core, uint64_t linear, unsigned size, uint64_t value, VtAccessSet set)
{
  uint8_t bytes[8];

  if (G_LIKELY ((linear & VT_PAGE_OFFSET) + size <= VT_PAGE && !vt_core_watches (core)))
    {
      VtGpa    gpa;
      uint8_t *host = find (core, linear, VT_ACCESS_WRITE, set, &gpa);
      if (G_LIKELY (host != NULL))
        {
          switch (size)
            {
            case 1:
              *host = (uint8_t) value;
              return;
            case 2:
              vt_st16 (host, (uint16_t) value);
              return;
            case 4:
              vt_st32 (host, (uint32_t) value);
              return;
            case 8:
              vt_st64 (host, value);
              return;
            default:
              vt_st (host, size, value);
              return;
            }
        }
    }
  vt_st (bytes, size, value);
  vt_mmu_write (core, linear, bytes, size, set);
}
