/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A core's translated code: blocks by guest address, page and mode; the host code's memory; what is known
 * of each instruction; and the pages that blocks were made of.
 *
 * A block is code of one page, translated for one mode: what RIP, page and mode name. A program's is good wherever
 * the page is mapped, so that one which is loaded to another address each time is translated once. An instruction that
 * crosses into the next page is a block of its own, which that page names too, and which only jump tables lead
 * to: they know when a page has gone. A block is entered at its
 * beginning, and again behind an instruction that was interpreted. A block whose code has been written is
 * dead: its first bytes jump out, so that whoever still goes there learns of it. Its memory comes back when
 * the cache is flushed, which empties everything.
 */
#pragma once

#include "../host/executable.h"
#include "../host/trap.h"
#include "../interpret/insn.h"
#include "emit.h"
#include "memory/space.h"
#include "translate.h"

#define VT_CACHE_BYTES (64u * 1024 * 1024)
#define VT_BLOCK_INSNS 48u    /* The most in one block. */
#define VT_BLOCK_BYTES 32768u /* More than any block's host code. */

/* fast.exit: what, and which. */
#define VT_EXIT_SHIFT 28
enum
{
  VT_EXIT_LINK,  /* A jump to links[n], which has no block yet, or has been asked to stop. */
  VT_EXIT_INSN,  /* insns[n] is to be interpreted. */
  VT_EXIT_MISS,  /* The same: it accesses what the TLB can't have, or has not been given yet. */
  VT_EXIT_UNITS, /* blocks[n] wants the units loaded. */
  VT_EXIT_DEAD,  /* blocks[n] is dead. */
  VT_EXIT_FAULT, /* The host has raised something at fault_at. */
  VT_EXIT_WANDERS, /* The instruction of fast.site is to look into the TLB from now on. */
};

typedef struct
{
  uint32_t host;  /* Where its code begins. */
  uint32_t block;
  uint16_t offset; /* In the page. Of the entry behind a block's last: where the block goes on, which may be
                      4096, or VT_NOT_REACHED. */
  bool     inside; /* A group (group.c), which it can't be entered in. */
  bool     leaves; /* It is always the interpreter's. */
  uint32_t decoded; /* Its number among those that are kept decoded, and one more; or 0. */
} VtBlockInsn;

#define VT_NOT_REACHED UINT16_MAX

/* What a site (site.c) has: what code looks at, and what a miss does. */
typedef struct
{
  VtTlbSlot slot;
} VtSiteHot;

typedef struct
{
  uint64_t resume, miss; /* Host addresses: where it goes on, filled; and where the TLB hasn't got it. */
  uint64_t last;         /* The access's size less one. */
  uint32_t exit;         /* For a miss. */
  uint32_t wandered;     /* How often it was another page's, up to VT_SITE_WANDERS. */
} VtSiteCold;

#define VT_SITE_WANDERS 4096u
#define VT_SITES (1u << 19) /* In the cache. */
#define VT_JUMP_SLOTS (1u << 18) /* In the cache, behind the sites. */
#define VT_CACHE_DATA (VT_SITES * (sizeof (VtSiteHot) + sizeof (VtSiteCold)))
/* Where flags live, a slot is for a window of its page, so that one PEXT sees whether an access begins in it. */
#define VT_SITE_WINDOW 2048u

typedef struct
{
  uint64_t target; /* Less its page's RIP. */
  uint32_t block;  /* That it is part of. */
  uint32_t patch; /* The displacement of the jump to be aimed, or 0: it may not be. */
  uint32_t unaimed; /* What was there first. */
  uint16_t mode;  /* Of the target's. */
} VtBlockLink;

typedef struct
{
  uint8_t *page, *tail; /* Of the host: its own; and where it crosses into another, that. */
  uint64_t page_rip;    /* Of the page's first byte, where it was made. */
  uint32_t next_hash;
  uint16_t offset;      /* In the page. */
  uint16_t mode;        /* VT_MODE_* */
  bool     moves;       /* vt_code_moves() */
  bool     units, dead;
  uint32_t host;        /* Its entry from elsewhere, with its number in front: T is where it leads. */
  uint32_t near, inner; /* Where it's entered from its own page; and with the units loaded, if it uses them. */
  uint32_t dead_host;   /* The way out when it's dead. */
  uint32_t first, n;    /* Of insns[]; one more stands for the end. */
  uint32_t next_page, next_tail;
  /* revive.c: of links[]; what was looked at to make it, in the page and where it's kept, none: 0 bytes; and, of one that
   * is dead, where the jump to its way out has been written over its entry. */
  uint32_t first_link, n_links;
  uint32_t seen;
  uint16_t seen_at, n_seen;
  uint8_t  entry[5];
} VtBlock;

#define VT_NO_BLOCK UINT32_MAX

typedef struct
{
  VtRam   *ram;
  uint64_t offset;
  uint32_t first, first_tail; /* VtBlock: that begin there, and that cross into it. */
  uint64_t epoch;  /* Of its watch; see vt_ram_watch(). */
  bool     settled;
} VtCodePage;

/* What a block's code depends on beside its bytes. */
#define VT_MODE_SET 0x03u /* VtAccessSet of data accesses. */
#define VT_MODE_MMX 0x04u /* MMX, SSE, AVX, AVX-512 instructions raise nothing by being there. */
#define VT_MODE_SSE 0x08u
#define VT_MODE_AVX 0x10u
#define VT_MODE_AVX512 0x20u
/* Outside of 64-bit mode, what Zydis knows the mode by (ZydisMachineMode); */
#define VT_MODE_DECODE 0x0700u
#define VT_MODE_DECODE_SHIFT 8
/* whether the stack pointer is ESP; whether the code segment ends at 4 GiB, or at 64 KiB or beyond; */
#define VT_MODE_STACK32 0x0800u
#define VT_MODE_CODE_4G 0x1000u
/* and whether DS, ES and SS begin at 0, end at 4 GiB, and may be read and written. */
#define VT_MODE_FLAT 0x2000u
/* A short block without groups, which only a group's leader goes to; where it leads, there are groups again. */
#define VT_MODE_SINGLE 0x80u

typedef struct VtGuestInsn VtGuestInsn; /* make.h */

/* The code that a block is made of, or looked for. */
typedef struct
{
  uint64_t rip;
  uint64_t page_rip; /* Of the page's first byte. */
  uint8_t *page;     /* Of the host. */
  uint8_t *tail;     /* The next one, if RIP is so near that it may matter, or NULL: unknown. */
  unsigned mode;
  uint64_t last;     /* The segment ends there. */
} VtCode;

static inline bool
vt_code_holds (const VtCode *code, uint64_t rip)
{
  return rip - code->page_rip < VT_PAGE;
}

/* Whether what is made of it is good for any other place of which this holds, too: a 64-bit program's, where position-
 * independent ones are mapped, and far enough from the end of what is canonical that no direct jump leads there. */
#define VT_CODE_MOVES_FROM UINT64_C (0x100000000)
#define VT_CODE_MOVES_TO (UINT64_C (0x800000000000) - UINT64_C (0x100000000))

static inline bool
vt_code_moves (const VtCode *code)
{
  return (code->mode & (VT_MODE_DECODE | VT_MODE_SET)) == VT_SET_USER && code->page_rip >= VT_CODE_MOVES_FROM
         && code->page_rip < VT_CODE_MOVES_TO;
}

/* Where no block can begin: there is no instruction, or it goes on in another page. Good until any page under watch is
 * written. */
typedef struct
{
  uint64_t       rip, page_rip;
  const uint8_t *page; /* NULL: empty. */
  unsigned       mode;
} VtBarren;

#define VT_DEAD_BUCKETS 16384u
#define VT_MOST_SEEN 1024u /* Bytes that are kept of a block, and of all. */
#define VT_MOST_SOURCES (16u << 20)
#define VT_WANDERS 65536u /* Bits. */
#define VT_BLOCK_NUMBER 4u /* Bytes in front of a block's code. */
#define VT_BARREN 1024u
#define VT_BLOCK_BUCKETS (1u << 18)
#define VT_JUMPS_FILLED 2048u
#define VT_BLOCKS_WRITTEN 1024u
#define VT_BLOCKS_INSNS (2000000u) /* In the cache; the same for links. */
#define VT_X87_OPCODE_BITS 11u
#define VT_X87_NONE UINT32_MAX
G_STATIC_ASSERT (VT_BLOCKS_INSNS + 2 * VT_BLOCK_INSNS < VT_X87_NONE >> VT_X87_OPCODE_BITS);
#define VT_BLOCK_SIGNAL_STACK (64u * 1024) /* A handler's frame with AVX-512 takes 3 KiB of it. */

struct VtBlocks
{
  VtCore      *core;
  VtExecutable area;
  VtEmit       emit;
  ZydisDecoder decoder;
  VtCode       code;  /* That is being translated, */
  VtGuestInsn *guest; /* and VT_BLOCK_INSNS instructions of it, and one to look ahead. */

  /* Sites, and their code, where flags are dead and where they live: for the read and write table of each set, the
   * same for a second try, and for those that miss. */
  uint32_t n_sites, site_fill[2][2 * VT_SETS], site_again[2][2 * VT_SETS], site_miss[2];

  /* Slots of jumps, and the code that fills them, for each table. */
  uint32_t n_jump_slots, jump_fill[VT_JUMP_MODES];
  /* Where a target is looked for that the table hasn't got, of direct jumps and of others. */
  uint32_t jump_ask[2];

  /* wander.c: a filter of the instructions that access one page after another, and how many are in it. */
  uint64_t wanders[VT_WANDERS / 64];
  unsigned n_wanders;

  GArray     *blocks, *insns, *links;
  GArray     *decoded; /* VtInsn: those that are the interpreter's, or may well be. */
  uint32_t    bucket[VT_BLOCK_BUCKETS];
  GHashTable *pages; /* Host page: VtCodePage. */
  uint32_t    dead[VT_DEAD_BUCKETS];
  GByteArray *sources;                /* What was looked at for each block, */
  uint8_t     bytes[VT_PAGE];         /* and of the page of the one that is made, */
  uint16_t    seen_first, seen_end;   /* from here to there. */
  VtBarren    barren[VT_BARREN];

  /* The modes that have a jump table. */
  uint16_t jump_mode[VT_JUMP_MODES];
  unsigned n_jump_modes;
  /* Entries filled since the last clearing; beyond VT_JUMPS_FILLED: not recorded, clear all. */
  unsigned n_jumps_filled[VT_JUMP_MODES];
  uint16_t jumps_filled[VT_JUMP_MODES][VT_JUMPS_FILLED];
  bool     jump_local[VT_JUMP_MODES]; /* There are entries of pages that are not global. */
  uint64_t jump_epoch, jump_local_epoch; /* The MMU's, at which the tables were right. */

  /* Pages that have been written: by any thread. */
  VtWatcher  watcher;
  GMutex     lock;
  GPtrArray *written; /* Host pages, at most VT_BLOCKS_WRITTEN: a halted core doesn't look. */
  bool       lost;    /* There were more. */
  bool       others;  /* Another core has put pages under watch. */
  uint64_t   settled; /* Atomic: the epoch at which write tables are right; UINT64_MAX: not running. */

  VtTrap   trap;
  void    *signal_stack;
  VtTranslateCounts counts;
};

/* blocks.c */
VtBlocks *vt_blocks_new (VtCore *core); /* NULL: this host can't. */
/* The page's blocks are dead from here on. */
void vt_blocks_page_written (VtBlocks *b, const uint8_t *page);
/* The page at @gpa, which is of RAM and is @page in the host, under watch. Returns: NULL where it isn't. */
VtCodePage *vt_blocks_page (VtBlocks *b, VtGpa gpa, uint8_t *page);
/* Block @n into the lists by which it's found, and dies. */
void vt_blocks_enlist (VtBlocks *b, uint32_t n, VtCodePage *page);
/* Adds a block that has been emitted. @tail: the page that it crosses into, or NULL. */
void vt_blocks_add (VtBlocks *b, const VtBlock *block, VtCodePage *page, VtCodePage *tail);
/* Block @n dies, and won't live on. */
void vt_blocks_retire (VtBlocks *b, uint32_t n);
/* Who comes to block @n, which has been retired, goes to block @to, of the same code. */
void vt_blocks_replace (VtBlocks *b, uint32_t n, uint32_t to);
/* The instruction whose host code holds offset @host, or VT_NO_BLOCK. */
uint32_t vt_blocks_insn_at (const VtBlocks *b, uint32_t host);

static inline VtBlock *
vt_block (const VtBlocks *b, uint32_t n)
{
  return &g_array_index (b->blocks, VtBlock, n);
}

/* Of the block that runs. */
static inline uint64_t
vt_block_page_rip (const VtCore *core, const VtBlock *block)
{
  return block->moves ? core->fast.page_rip : block->page_rip;
}

static inline VtBlockInsn *
vt_block_insn (const VtBlocks *b, uint32_t n)
{
  return &g_array_index (b->insns, VtBlockInsn, n);
}

/* NULL where it isn't kept. */
static inline const VtInsn *
vt_block_decoded (const VtBlocks *b, const VtBlockInsn *insn)
{
  return insn->decoded ? &g_array_index (b->decoded, VtInsn, insn->decoded - 1) : NULL;
}

static inline VtBlockLink *
vt_block_link (const VtBlocks *b, uint32_t n)
{
  return &g_array_index (b->links, VtBlockLink, n);
}

/* @page_rip: what names the block, too, or 0. */
static inline uint32_t *
vt_blocks_bucket (VtBlocks *b, const uint8_t *page, unsigned offset, unsigned mode, uint64_t page_rip)
{
  const uint64_t at = (uint64_t) (uintptr_t) page + offset + page_rip;
  return &b->bucket[((at * UINT64_C (0x9e3779b97f4a7c15) >> 40) + mode) % VT_BLOCK_BUCKETS];
}

/* find.c: where the code at RIP is. */
typedef struct
{
  VtCode   code;
  uint64_t linear;
  VtGpa    gpa, tail_gpa; /* Of the pages. */
  bool     global, tail_global;
} VtSpot;

/* For code that is about to be executed. Returns: false where its page can't be brought to the fetch TLB. */
bool vt_find_spot (VtCore *core, unsigned mode, uint64_t rip, VtSpot *out);
/* NULL: it has not been translated. */
VtBlock *vt_find_block (VtBlocks *b, const VtCode *code);
/* The jump table knows from here on that it's there. */
void vt_find_note (VtCore *core, const VtBlock *block, const VtSpot *spot);
/* All three, for translated code; or NULL. */
const VtBlock *vt_find_translated (VtCore *core, unsigned mode, uint64_t rip);

/* Whether it is what @code names. */
static inline bool
vt_block_is_of (const VtBlock *block, const VtCode *code)
{
  return block->page == code->page && block->offset == code->rip - code->page_rip && block->mode == code->mode
         && (block->tail == NULL || block->tail == code->tail)
         && (vt_code_moves (code) ? block->moves : block->page_rip == code->page_rip);
}

/* revive.c: there are none. */
void vt_revive_begin (VtBlocks *b);
/* A block of @page, which is under watch, is going to be made; and has been: it's not among the others yet. */
void vt_revive_look (VtBlocks *b, const uint8_t *page);
void vt_revive_note (VtBlocks *b, VtBlock *block);
/* Block @n dies. */
void vt_revive_keep (VtBlocks *b, uint32_t n);
/* Between the two: a block of such code that has died, if it can live on; or NULL. */
VtBlock *vt_revive (VtBlocks *b, const VtCode *code, VtCodePage *page);

/* @n bytes of the page at @at have been looked at. */
static inline void
vt_revive_seen (VtBlocks *b, unsigned at, unsigned n)
{
  b->seen_first = (uint16_t) MIN (b->seen_first, at);
  b->seen_end = (uint16_t) MAX (b->seen_end, at + n);
}

/* wander.c: the instruction at @offset of the host's @page accesses one page after another. */
void vt_wander (VtBlocks *b, const uint8_t *page, unsigned offset);
bool vt_wanders (const VtBlocks *b, const uint8_t *page, unsigned offset);

/* mode.c */
/* The mode that the core is in. */
unsigned vt_mode_of (const VtCore *core);
/* Whether code of the present segment can be translated. */
bool vt_mode_fits (const VtCore *core);
/* The last RIP that code may have. */
uint64_t vt_mode_last (unsigned mode);
/* Puts what translated code wants to know of the segments into core->fast. */
void vt_mode_enter (VtCore *core);

static inline bool
vt_mode_is_narrow (unsigned mode)
{
  return (mode & VT_MODE_DECODE) != 0;
}

static inline uint64_t
vt_mode_code_key (const VtCore *core)
{
  return core->code_bits == 64 ? 0 : core->seg[VT_CPU_CS].base << 32;
}

/* jump.c: the jump tables. The number of a mode's; VT_JUMP_MODES: there are no more, flush. */
unsigned vt_jump_table (VtBlocks *b, unsigned mode);
void     vt_jump_update (VtBlocks *b); /* Forgets what may no longer be where it was. */
bool     vt_jump_current (const VtBlocks *b); /* There's nothing to forget. */
/* @block is where @target leads to, and @linear its linear address. */
void     vt_jump_fill (VtBlocks *b, const VtBlock *block, uint64_t target, uint64_t linear, bool global);
/* Where translated code of @mode would go to @target, or NULL. */
const VtBlock *vt_jump_find (VtBlocks *b, unsigned mode, uint64_t target);

/* A table's offset in the core. */
uint32_t vt_jump_ways (unsigned table);
/* S becomes where the target in T is in a table. */
void vt_jump_emit_place (VtEmit *e);
/* There are no slots, and their code is written. */
void vt_jump_slots_begin (VtBlocks *b);

/* Functions begin at multiples of 16: the page has its say, too. */
#define VT_JUMP_PAGE 12u

static inline unsigned
vt_jump_index (uint64_t target)
{
  return (target + (target >> VT_JUMP_PAGE)) % VT_JUMPS;
}

/* site.c: there are none, and their code is written. */
void vt_sites_begin (VtBlocks *b);
/* The instruction whose site has its hot part at @hot. */
uint32_t vt_site_insn (const uint8_t *hot);

/* make.c: translates @code, whose pages are at @gpa and @tail_gpa. Returns: NULL where there is nothing to
 * translate: the instruction is to be interpreted. */
VtBlock *vt_block_make (VtBlocks *b, const VtCode *code, VtGpa gpa, VtGpa tail_gpa);

/* enter.c: from the host's state to the guest's and back. */
void vt_block_enter (VtCore *core, uint64_t target);
extern const char vt_block_leave[];
/* Calls the VtQuick in S, with T and G for its exit and operand. */
extern const char vt_block_quick[];
/* The thread's own things, for as long as translated code may run. */
typedef struct
{
  uint64_t gs_base;
  uint64_t mask;
  stack_t  stack;
  VtTrap  *trap;
} VtBlockThread;

void vt_block_thread_enter (VtBlocks *b, VtBlockThread *saved);
void vt_block_thread_leave (VtBlocks *b, const VtBlockThread *saved);

/* chaos.c, where core->chaos: empties tables or forgets all code, between two instructions; whether the next
 * safe point is an exit; how much of a budget there is. */
void     vt_chaos_between (VtCore *core, VtBlocks *b);
bool     vt_chaos_stops (VtCore *core);
uint64_t vt_chaos_budget (VtCore *core, uint64_t budget);
