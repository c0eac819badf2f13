/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The guest's page tables: 32-bit, PAE, 4 and 5 levels (SDM volume 3, chapter 4), with the rights of
 * every level, A and D bits, and page faults' error codes. Compiled for general registers alone: it calls nothing but
 * what is so, too.
 */
#include "../core.h"

#define P VT_BIT (0)
#define RW VT_BIT (1)
#define US VT_BIT (2)
#define A VT_BIT (5)
#define D VT_BIT (6)
#define PS VT_BIT (7)
#define G VT_BIT (8)
#define XD VT_BIT (63)

/* An entry of a paging structure: where it is, and its value. */
typedef struct
{
  uint64_t value;
  uint8_t *host; /* NULL: not in RAM that may be written; A and D can't be kept. */
  VtRam   *ram;
  uint64_t offset;
} Entry;

/* Returns: false where it isn't known what is there. */
static bool
entry_read (const VtCore *core, VtGpa gpa, unsigned size, Entry *entry)
{
  const VtSpaceSpan *span = vt_core_span (core, gpa);

  if (span == NULL)
    return false;
  const uint64_t at = (gpa & ~(uint64_t) (size - 1)) - span->first;
  uint8_t       *host = span->host + at;
  /* The guest's other processors write these while we read: one access, as hardware does. */
  entry->value = size == 8 ? __atomic_load_n ((uint64_t *) (void *) host, __ATOMIC_RELAXED)
                           : __atomic_load_n ((uint32_t *) (void *) host, __ATOMIC_RELAXED);
  entry->host = span->writable ? host : NULL;
  entry->ram = span->ram;
  entry->offset = span->offset + at;
  return true;
}

/* Sets @bits if the entry is still what was walked. Returns: false where it has changed meanwhile. */
static bool
entry_mark (VtMmu *mmu, Entry *entry, unsigned size, uint64_t bits)
{
  if ((entry->value & bits) == bits || entry->host == NULL)
    return true;
  bool ok;
  if (size == 8)
    {
      uint64_t old = entry->value;
      ok = __atomic_compare_exchange_n ((uint64_t *) (void *) entry->host, &old, old | bits, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
  else
    {
      uint32_t old = (uint32_t) entry->value;
      ok = __atomic_compare_exchange_n ((uint32_t *) (void *) entry->host, &old,
                                        old | (uint32_t) bits, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST);
    }
  if (ok && !vt_ram_mark_untold (entry->ram, entry->offset, size))
    {
      mmu->untold = entry->ram;
      mmu->untold_offset = entry->offset;
    }
  return ok;
}

#define MOST_LEVELS 5u

/* A walk under way. */
typedef struct
{
  Entry    entry[MOST_LEVELS];
  unsigned n, width; /* Entries read, and the bytes of one. */
  uint64_t rights;   /* RW and US: the conjunction; XD: the disjunction. */
  uint64_t leaf;
  uint64_t size;
  VtGpa    gpa;
} Path;

typedef enum
{
  PATH_OK,
  PATH_ABSENT,
  PATH_RESERVED,
  PATH_UNKNOWN, /* A table that isn't in a span; at @gpa. */
} PathEnd;

static uint64_t
reserved_physical (const VtCore *core)
{
  return ~(VT_BIT (core->phys_bits) - 1) & (VT_BIT (52) - 1);
}

/* Adds one entry's rights; 32-bit entries have no XD. */
static void
path_add (Path *path, const Entry *entry)
{
  path->entry[path->n++] = *entry;
  path->rights = (path->rights & (entry->value | ~(RW | US))) | (entry->value & XD);
}

/* 32-bit paging: SDM volume 3, 4.3. */
static PathEnd
path_32 (const VtCore *core, uint32_t linear, Path *path)
{
  Entry entry;

  path->width = 4;
  path->gpa = (core->cr3 & 0xfffff000) + (linear >> 22) * 4;
  if (!entry_read (core, path->gpa, 4, &entry))
    return PATH_UNKNOWN;
  if (!(entry.value & P))
    return PATH_ABSENT;
  path_add (path, &entry);
  if ((entry.value & PS) && (core->cr4 & VT_CR4_PSE))
    {
      /* PSE-36: bits 13 to 20 are bits 32 to 39 of the address; 21 is reserved. */
      if (entry.value & VT_BIT (21))
        return PATH_RESERVED;
      path->size = 4 * VT_MIB;
      path->leaf = entry.value;
      path->gpa = (entry.value & 0xffc00000) | (entry.value >> 13 & 0xff) << 32 | (linear & 0x3fffff);
      return path->gpa >> core->phys_bits ? PATH_RESERVED : PATH_OK;
    }
  path->gpa = (entry.value & 0xfffff000) + (linear >> 12 & 0x3ff) * 4;
  if (!entry_read (core, path->gpa, 4, &entry))
    return PATH_UNKNOWN;
  if (!(entry.value & P))
    return PATH_ABSENT;
  path_add (path, &entry);
  path->size = VT_PAGE;
  path->leaf = entry.value;
  path->gpa = (entry.value & 0xfffff000) | (linear & VT_PAGE_OFFSET);
  return PATH_OK;
}

/* Tables of 64-bit entries from @table, whose level (1: page table) is @level: 4.4 and 4.5. */
static PathEnd
path_64 (const VtCore *core, uint64_t linear, VtGpa table, unsigned level, Path *path)
{
  const uint64_t reserved = reserved_physical (core) | (core->efer & VT_EFER_NXE ? 0 : XD);
  /* PAE entries have nothing in bits 52 to 62. */
  const uint64_t upper = core->long_mode ? 0 : vt_ones (8) >> 1 & ~(VT_BIT (52) - 1);

  path->width = 8;
  for (;; level--)
    {
      const unsigned shift = 12 + 9 * (level - 1);
      Entry          entry;

      path->gpa = table + (linear >> shift & 0x1ff) * 8;
      if (!entry_read (core, path->gpa, 8, &entry))
        return PATH_UNKNOWN;
      if (!(entry.value & P))
        return PATH_ABSENT;
      path_add (path, &entry);
      if (entry.value & (reserved | upper))
        return PATH_RESERVED;
      table = entry.value & ((VT_BIT (52) - 1) & ~VT_PAGE_OFFSET);
      if (level > 1 && !(entry.value & PS))
        continue;
      if (level > 3 || (level == 3 && !core->has_gbytes))
        return PATH_RESERVED;
      path->size = VT_BIT (shift);
      /* A large page's address begins above its PAT bit (12). */
      if (level > 1 && (table & (path->size - 1) & ~VT_BIT (12)))
        return PATH_RESERVED;
      path->leaf = entry.value;
      path->gpa = (table & ~(path->size - 1)) | (linear & (path->size - 1));
      return PATH_OK;
    }
}

static PathEnd
path_find (const VtCore *core, uint64_t linear, Path *path)
{
  path->n = 0;
  path->rights = RW | US;
  if (!(core->cr4 & VT_CR4_PAE))
    return path_32 (core, (uint32_t) linear, path);
  if (core->long_mode)
    return path_64 (core, linear, core->cr3 & ((VT_BIT (52) - 1) & ~VT_PAGE_OFFSET),
                    core->cr4 & VT_CR4_LA57 ? 5 : 4, path);
  const uint64_t pointer = core->pdpte[linear >> 30 & 3];
  if (!(pointer & P))
    return PATH_ABSENT;
  return path_64 (core, (uint32_t) linear, pointer & ((VT_BIT (52) - 1) & ~VT_PAGE_OFFSET), 2, path);
}

/* 4.6.2: whether the page's protection key forbids the access, as its error code tells whatever else does. */
static bool
is_locked (const VtCore *core, const Path *path, VtAccessKind kind, VtAccessSet set)
{
  const uint32_t key = core->pkru >> (path->leaf >> 59 & 15) * 2 & 3;

  if (kind == VT_ACCESS_FETCH || !(path->rights & US) || !core->long_mode || !(core->cr4 & VT_CR4_PKE))
    return false;
  return (key & 1)
         || ((key & 2) && kind == VT_ACCESS_WRITE && (set == VT_SET_USER || (core->cr0 & VT_CR0_WP)));
}

/* SDM volume 3, 4.6: rights by mode. */
static bool
is_allowed (const VtCore *core, const Path *path, VtAccessKind kind, VtAccessSet set)
{
  const bool user_page = (path->rights & US) != 0;
  const bool user = set == VT_SET_USER;

  if (user && !user_page)
    return false;
  if (kind == VT_ACCESS_FETCH)
    return !((path->rights & XD) && (core->efer & VT_EFER_NXE))
           && !(!user && user_page && (core->cr4 & VT_CR4_SMEP));
  if (!user && user_page && set == VT_SET_KERNEL_AC && (core->cr4 & VT_CR4_SMAP))
    return false;
  return kind != VT_ACCESS_WRITE || (path->rights & RW) || (!user && !(core->cr0 & VT_CR0_WP));
}

uint32_t
vt_mmu_error (const VtCore *core, VtAccessKind kind, VtAccessSet set)
{
  const bool fetch = (core->efer & VT_EFER_NXE && core->cr4 & VT_CR4_PAE) || core->cr4 & VT_CR4_SMEP;

  return (kind == VT_ACCESS_WRITE ? VT_PF_WRITE : 0) | (set == VT_SET_USER ? VT_PF_USER : 0)
         | (kind == VT_ACCESS_FETCH && fetch ? VT_PF_FETCH : 0);
}

static bool
mark (VtMmu *mmu, Path *path, VtAccessKind kind)
{
  for (unsigned i = 0; i < path->n; i++)
    {
      const bool leaf = i == path->n - 1;
      if (!entry_mark (mmu, &path->entry[i], path->width, A | (leaf && kind == VT_ACCESS_WRITE ? D : 0))
          || mmu->untold)
        return false;
    }
  return true;
}

/* Somebody who keeps changing the tables under us can hold us up this often; then the access goes on by
 * what was read, as if it had come before the change. */
#define MOST_TRIES 64u

VtWalkEnd
vt_mmu_walk_noted (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtWalk *out,
                   uint32_t *error)
{
  Path path;

  core->mmu.n_walks++;
  out->size = VT_PAGE;
  out->global = false;
  out->gpa = (uint32_t) linear;
  if (!(core->cr0 & VT_CR0_PG))
    return VT_WALK_DONE;
  for (unsigned tries = 0;; tries++)
    {
      const PathEnd end = path_find (core, linear, &path);
      bool          ok = false;
      uint32_t      bits = end == PATH_RESERVED ? VT_PF_RESERVED | VT_PF_PRESENT : 0;

      out->gpa = path.gpa;
      if (end == PATH_UNKNOWN)
        return VT_WALK_UNKNOWN;
      if (kind == VT_ACCESS_KINDS)
        return end == PATH_OK ? VT_WALK_DONE : VT_WALK_FAULT;
      if (end == PATH_OK)
        {
          const bool locked = is_locked (core, &path, kind, set);
          bits = VT_PF_PRESENT | (locked ? VT_PF_KEY : 0);
          ok = !locked && is_allowed (core, &path, kind, set);
        }
      if (!ok)
        {
          *error = bits | vt_mmu_error (core, kind, set);
          return VT_WALK_FAULT;
        }
      const bool marked = mark (&core->mmu, &path, kind);
      if (core->mmu.untold)
        return VT_WALK_UNTOLD;
      if (marked || tries == MOST_TRIES)
        break;
    }
  out->size = path.size;
  out->global = (path.leaf & G) && (core->cr4 & VT_CR4_PGE);
  return VT_WALK_DONE;
}
