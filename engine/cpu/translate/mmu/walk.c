/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The guest's page tables: 32-bit, PAE, 4 and 5 levels (SDM volume 3, chapter 4), with the rights of
 * every level, A and D bits, and page faults' error codes.
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

/* What lies outside of RAM reads as ones, whose reserved bits make it a page fault. */
static void
entry_read (VtCore *core, VtGpa gpa, unsigned size, Entry *entry)
{
  VtSpacePage page;

  *entry = (Entry){ .value = UINT64_MAX };
  if (!vt_space_page (core->space, vt_core_memory (core), gpa, &page))
    return;
  const uint64_t at = gpa & VT_PAGE_OFFSET & ~(uint64_t) (size - 1);
  uint8_t       *host = page.host + at;
  /* The guest's other processors write these while we read: one access, as hardware does. */
  entry->value = size == 8 ? __atomic_load_n ((uint64_t *) (void *) host, __ATOMIC_RELAXED)
                           : __atomic_load_n ((uint32_t *) (void *) host, __ATOMIC_RELAXED);
  if (page.writable)
    {
      entry->host = host;
      entry->ram = page.ram;
      entry->offset = page.offset + at;
    }
}

/* Sets @bits if the entry is still what was walked. Returns: false where it has changed meanwhile. */
static bool
entry_mark (Entry *entry, unsigned size, uint64_t bits)
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
  if (ok)
    vt_ram_mark_dirty (entry->ram, entry->offset, size);
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
path_32 (VtCore *core, uint32_t linear, Path *path)
{
  Entry entry;

  path->width = 4;
  entry_read (core, (core->cr3 & 0xfffff000) + (linear >> 22) * 4, 4, &entry);
  entry.value &= 0xffffffff;
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
  entry_read (core, (entry.value & 0xfffff000) + (linear >> 12 & 0x3ff) * 4, 4, &entry);
  entry.value &= 0xffffffff;
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
path_64 (VtCore *core, uint64_t linear, VtGpa table, unsigned level, Path *path)
{
  const uint64_t reserved = reserved_physical (core) | (core->efer & VT_EFER_NXE ? 0 : XD);
  /* PAE entries have nothing in bits 52 to 62. */
  const uint64_t upper = core->long_mode ? 0 : vt_ones (8) >> 1 & ~(VT_BIT (52) - 1);

  path->width = 8;
  for (;; level--)
    {
      const unsigned shift = 12 + 9 * (level - 1);
      Entry          entry;

      entry_read (core, table + (linear >> shift & 0x1ff) * 8, 8, &entry);
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
path_find (VtCore *core, uint64_t linear, Path *path)
{
  *path = (Path){ .rights = RW | US };
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

static bool
mark (Path *path, VtAccessKind kind)
{
  for (unsigned i = 0; i < path->n; i++)
    {
      const bool leaf = i == path->n - 1;
      if (!entry_mark (&path->entry[i], path->width, A | (leaf && kind == VT_ACCESS_WRITE ? D : 0)))
        return false;
    }
  return true;
}

/* Somebody who keeps changing the tables under us can hold us up this often; then the access goes on by
 * what was read, as if it had come before the change. */
#define MOST_TRIES 64u

bool
vt_mmu_walk (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtWalk *out,
             uint32_t *error)
{
  Path path;

  core->mmu.n_walks++;
  if (!(core->cr0 & VT_CR0_PG))
    {
      *out = (VtWalk){ .gpa = (uint32_t) linear, .size = VT_PAGE };
      return true;
    }
  for (unsigned tries = 0;; tries++)
    {
      const PathEnd end = path_find (core, linear, &path);
      bool          ok = false;
      uint32_t      bits = end == PATH_RESERVED ? VT_PF_RESERVED | VT_PF_PRESENT : 0;

      if (end == PATH_OK)
        {
          const bool locked = is_locked (core, &path, kind, set);
          bits = VT_PF_PRESENT | (locked ? VT_PF_KEY : 0);
          ok = !locked && is_allowed (core, &path, kind, set);
        }
      if (!ok)
        {
          *error = bits | (kind == VT_ACCESS_WRITE ? VT_PF_WRITE : 0)
                   | (set == VT_SET_USER ? VT_PF_USER : 0);
          if (kind == VT_ACCESS_FETCH
              && ((core->efer & VT_EFER_NXE && core->cr4 & VT_CR4_PAE) || core->cr4 & VT_CR4_SMEP))
            *error |= VT_PF_FETCH;
          return false;
        }
      if (mark (&path, kind) || tries == MOST_TRIES)
        break;
    }
  *out = (VtWalk){
    .gpa = path.gpa,
    .size = path.size,
    .global = (path.leaf & G) && (core->cr4 & VT_CR4_PGE),
  };
  return true;
}

bool
vt_mmu_peek (VtCore *core, uint64_t linear, VtGpa *gpa)
{
  Path path;

  if (!(core->cr0 & VT_CR0_PG))
    {
      *gpa = (uint32_t) linear;
      return true;
    }
  if (path_find (core, linear, &path) != PATH_OK)
    return false;
  *gpa = path.gpa;
  return true;
}

void
vt_core_load_pdptes (VtCore *core, uint64_t cr3)
{
  uint64_t       pdpte[4];
  const uint64_t reserved = reserved_physical (core) | ~(VT_BIT (52) - 1) | 0x1e6;

  for (unsigned i = 0; i < 4; i++)
    {
      Entry entry;
      entry_read (core, (cr3 & 0xffffffe0) + i * 8, 8, &entry);
      pdpte[i] = entry.value;
      if ((pdpte[i] & P) && (pdpte[i] & reserved))
        vt_core_gp (core, 0);
    }
  memcpy (core->pdpte, pdpte, sizeof pdpte);
}
