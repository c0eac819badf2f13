/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Linear memory: page walks, the software TLB, and access of 1 to 64 bytes with page crossing, faults
 * and the dirty log.
 *
 * The TLB is laid out for generated code: a set of three tables (read, write, fetch) for each way in
 * which an access can be privileged, of VT_TLB_ENTRIES entries of 32 bytes, direct-mapped by the low
 * bits of the page's number, and VT_TLB_VICTIMS more for what others have been filled over, which only C
 * looks for. An entry whose tag is a page's address says that every access of the
 * set's kind to that page is allowed, is to ordinary RAM, and needs no further bookkeeping:
 * * in the write table, the page's D bit is set, its RAM block has no dirty log on, and it is not ROM;
 * * a page under watch (somebody has translated its code) is in no write table: it's let go of first;
 * * MMIO is in no table;
 * * so the host address of linear address L is L + addend.
 * Pages may leave the write table at any time by vt_mmu_flush_write() (a block's log was switched on, a
 * translator found code in it).
 */
#pragma once

#include "memory/space.h"

typedef struct VtCore VtCore;

#define VT_TLB_ENTRIES 8192u
#define VT_TLB_VICTIMS 16u
#define VT_TLB_ALL (VT_TLB_ENTRIES + VT_TLB_VICTIMS)
#define VT_TLB_EMPTY 1u /* No page begins there. */
#define VT_PAGE UINT64_C (4096)
#define VT_PAGE_OFFSET (VT_PAGE - 1)

typedef struct
{
  uint64_t tag;    /* The page's linear address, or VT_TLB_EMPTY. */
  uint64_t addend; /* Host address minus linear address. */
  uint64_t check;  /* The tag, negative: with it the last byte's address is one in page 0. Empty: VT_SLOT_EMPTY. */
  uint64_t info;   /* The page's guest-physical address, and VT_TLB_GLOBAL. */
} VtTlbEntry;
#define VT_TLB_ENTRY_SHIFT 5
G_STATIC_ASSERT (sizeof (VtTlbEntry) == 1 << VT_TLB_ENTRY_SHIFT);

#define VT_TLB_GLOBAL 1u

typedef enum
{
  VT_ACCESS_READ,
  VT_ACCESS_WRITE, /* Also of what is read to be written. */
  VT_ACCESS_FETCH,
  VT_ACCESS_KINDS,
} VtAccessKind;

/* Who accesses. The three are needed because CR4.SMAP makes EFLAGS.AC part of a privilege. */
typedef enum
{
  VT_SET_USER,      /* CPL 3 */
  VT_SET_KERNEL,    /* CPL 0 to 2; may touch user pages. */
  VT_SET_KERNEL_AC, /* CPL 0 to 2, or the processor itself, under SMAP with AC clear. */
  VT_SETS,
} VtAccessSet;

/* Which entries have been filled since the last flush, so that flushing a table that was hardly used is cheap;
 * and of those of pages that aren't global, more: a change of the address space finds them without a look at
 * all. */
#define VT_TLB_USED 30u
#define VT_TLB_FILLED 990u

typedef struct
{
  VtTlbEntry entry[VT_TLB_ALL];
  uint32_t   n_used, n_filled; /* Beyond VT_TLB_USED, VT_TLB_FILLED: not recorded. */
  uint16_t   used[VT_TLB_USED], filled[VT_TLB_FILLED];
  uint64_t   next_victim; /* Among the victims: whose turn it is to be filled over. */
} VtTlb;

#define VT_FETCHED_WORDS 512u

/* A copy of an entry that one access of translated code keeps for itself. All are emptied where a page may have
 * gone from where it was, but for those of global pages where these stay. What is in a slot for writing is also in its table,
 * or among the strays. */
typedef struct VtTlbSlot VtTlbSlot;

struct VtTlbSlot
{
  uint64_t tag, addend; /* As the entry's; empty: VT_SLOT_EMPTY and 0. */
  /* Of those that have been filled, and of those with a page that isn't global; the last has VT_SLOTS_END.
   * NULL: it's not among them. */
  VtTlbSlot *next, *next_local;
};

/* Spans of RAM that are noted. More than a walk comes to. */
#define VT_MMU_SPANS 8u

/* An address that isn't canonical: were it accessed, the addend would leave it to fault on the host. */
#define VT_SLOT_EMPTY (UINT64_C (1) << 63)
#define VT_SLOTS_END ((VtTlbSlot *) 1)

/* Entries that have left a write table for want of room, while slots may have them. */
#define VT_MMU_STRAYS 128u

typedef struct
{
  VtTlb     *tlb;   /* [VT_SETS][VT_ACCESS_KINDS], the core's. */
  VtTlbSlot *slots, *slots_local; /* Those that have been filled. */
  VtTlbEntry stray[VT_MMU_STRAYS];
  unsigned   n_strays;
  uint64_t   n_walks; /* For tests and reports. */
  /* For who keeps to himself where code is (vt_mmu_note_fetch()): the first grows when any page may have
   * gone from there, the other when one may have that is not global. */
  uint64_t fetch_epoch, local_epoch;
  uint64_t fetched[VT_FETCHED_WORDS]; /* Bits by page number: a page that is not noted has none. */
  /* The smallest aligned range that holds every large page of which there is an entry: INVLPG in it
   * must reach the others of its page. */
  bool     has_large;
  uint64_t large_base, large_mask;
  /* Where RAM is in one view of memory, as has been asked since vt_mmu_forget_spans(); and which is replaced next. */
  VtSpaceSpan span[VT_MMU_SPANS];
  VtSpaceKind span_kind;
  unsigned    next_span;
  /* An entry of the page tables has been marked in a page that is under watch: vt_mmu_tell(). NULL: none. */
  VtRam   *untold;
  uint64_t untold_offset;
} VtMmu;

static inline VtTlb *
vt_mmu_table (VtMmu *mmu, VtAccessSet set, VtAccessKind kind)
{
  return &mmu->tlb[set * VT_ACCESS_KINDS + kind];
}

/* What vt_mmu_init() left alone reads as page 0 in an entry that isn't page 0's. (A victim may be anybody's.) */
static inline bool
vt_tlb_is_empty (const VtTlb *tlb, unsigned i)
{
  return tlb->entry[i].tag == VT_TLB_EMPTY || (tlb->entry[i].tag == 0 && i != 0 && i < VT_TLB_ENTRIES);
}

static inline void
vt_tlb_empty (VtTlbEntry *entry)
{
  entry->tag = VT_TLB_EMPTY;
  entry->check = VT_SLOT_EMPTY;
}

/* The entry of the page at linear address @page among the victims: it changes places with the one that
 * translated code looks at, which is returned. NULL: it isn't there. */
VtTlbEntry *vt_mmu_recall (VtTlb *tlb, uint64_t page);

/* The entry of the page at linear address @page, or NULL. */
static inline VtTlbEntry *
vt_mmu_find (VtTlb *tlb, uint64_t page)
{
  VtTlbEntry *entry = &tlb->entry[page / VT_PAGE % VT_TLB_ENTRIES];
  return G_LIKELY (entry->tag == page) ? entry : vt_mmu_recall (tlb, page);
}

/* Somebody keeps where the page at @linear is, beyond its stay in the fetch TLB. */
static inline void
vt_mmu_note_fetch (VtMmu *mmu, uint64_t linear)
{
  const uint64_t bit = linear / VT_PAGE % (VT_FETCHED_WORDS * 64);
  mmu->fetched[bit / 64] |= VT_BIT (bit % 64);
}

void vt_mmu_init (VtMmu *mmu, VtTlb *tlb);

/* Empties everything; all but global pages; one page (INVLPG: global ones too, and the whole of a large
 * page); what may be written. */
void vt_mmu_flush (VtMmu *mmu);
void vt_mmu_flush_local (VtMmu *mmu);
void vt_mmu_flush_page (VtMmu *mmu, uint64_t linear);
void vt_mmu_flush_write (VtMmu *mmu);

/* Empties the slots. */
void vt_mmu_forget_slots (VtMmu *mmu);

/* A page of RAM has been put under watch: this core's write tables let go of it. */
void vt_mmu_drop_written (VtMmu *mmu, const uint8_t *page);
/* Others have put pages under watch: those that are in this core's write tables may have been written since,
 * which is told, and leave them. */
void vt_mmu_drop_watched (VtCore *core);

/* Marks in the dirty logs every page that is in a write table: what may have been written since the last
 * flush. For the core's thread, or while it stands. */
void vt_mmu_mark_written (VtCore *core);

/* What a walk finds (SDM volume 3, 4.5). */
typedef struct
{
  VtGpa    gpa;  /* Of the byte asked for. */
  uint64_t size; /* Of the page: 4 KiB to 1 GiB. */
  bool     global;
} VtWalk;

/**
 * vt_mmu_walk:
 * @set: with what privilege.
 * @error: (out): a page fault's error code.
 *
 * Translates @linear by the guest's tables, without the TLB, and sets A and D bits as the access does.
 * Returns: false where it is a page fault. Never raises.
 */
bool vt_mmu_walk (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtWalk *out,
                  uint32_t *error);
/* The same for a debugger or a report: no privilege, no A or D bit. */
bool vt_mmu_peek (VtCore *core, uint64_t linear, VtGpa *gpa);
/* The page of RAM at @gpa: vt_space_page(), by the spans. */
bool vt_mmu_page (VtCore *core, VtGpa gpa, VtSpacePage *page);
/* Guest-physical RAM has moved: to be called with vt_mmu_flush(). */
void vt_mmu_forget_spans (VtMmu *mmu);
/* Tells the watchers of what vt_mmu_walk_noted() has left untold. */
void vt_mmu_tell (VtMmu *mmu);

/* Compiled for general registers alone, for translated code: walk.c, fill.c --------------------------- */

typedef enum
{
  VT_WALK_DONE,
  VT_WALK_FAULT,
  VT_WALK_UNKNOWN, /* A table is where no span is noted: at @out->gpa. */
  VT_WALK_UNTOLD,  /* vt_mmu_tell(), and again. */
} VtWalkEnd;

/* vt_mmu_walk() as far as spans are noted. @kind VT_ACCESS_KINDS: it is only looked at. */
VtWalkEnd vt_mmu_walk_noted (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, VtWalk *out,
                             uint32_t *error);

/* Of a page fault's error code, what tells of the access. */
uint32_t vt_mmu_error (const VtCore *core, VtAccessKind kind, VtAccessSet set);

/* Puts what a walk has found into the TLB: the page of @linear is @page. Returns: its entry, or NULL where it may have
 * none. */
VtTlbEntry *vt_mmu_fill (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set, const VtWalk *walk,
                         const VtSpacePage *page);

/* Brings the page of @linear to where translated code looks, for an access that is about to be made. Never
 * raises. Returns: false where it may not be accessed so, has no place in the TLB, or takes more than this. */
bool vt_mmu_bring (VtCore *core, uint64_t linear, VtAccessKind kind, VtAccessSet set);

/**
 * vt_mmu_host:
 *
 * Finds, by TLB or walk, the host address of @size bytes at @linear, which lie in one page. Raises the
 * page fault. Returns: NULL where the page is not ordinary RAM (or, to be written, has more to it):
 * then vt_mmu_load() and vt_mmu_store() know what to do.
 */
uint8_t *vt_mmu_host (VtCore *core, uint64_t linear, unsigned size, VtAccessKind kind, VtAccessSet set);

/* @size 1 to 8 at any alignment; may cross a page, and then both pages are checked first. Raise page
 * faults; decline MMIO that the engine's read or write refuses. */
uint64_t vt_mmu_load (VtCore *core, uint64_t linear, unsigned size, VtAccessSet set);
void     vt_mmu_store (VtCore *core, uint64_t linear, unsigned size, uint64_t value, VtAccessSet set);
/* Any length up to a page. A read with @kind VT_ACCESS_WRITE checks that it may be written back. */
void vt_mmu_read (VtCore *core, uint64_t linear, void *to, unsigned size, VtAccessKind kind,
                  VtAccessSet set);
void vt_mmu_write (VtCore *core, uint64_t linear, const void *from, unsigned size, VtAccessSet set);
/* Raises what a write of @size bytes would, and writes nothing. */
void vt_mmu_probe_write (VtCore *core, uint64_t linear, unsigned size, VtAccessSet set);
/* @linear + @offset as addresses wrap: at 4 GiB outside 64-bit mode. */
uint64_t vt_mmu_wrap (const VtCore *core, uint64_t linear);
