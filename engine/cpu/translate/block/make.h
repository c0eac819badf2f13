/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A block in the making.
 */
#pragma once

#include "../host/examine.h"
#include "../interpret/insn.h"
#include "blocks.h"

/* How an instruction is translated. */
typedef enum
{
  VT_KIND_INTERPRET, /* Not: the interpreter does it, and the block goes on behind it. */
  VT_KIND_LAST,      /* The same, and it doesn't come back behind it. */
  VT_KIND_PLAIN,     /* As it stands, but for its memory operand and lent registers. */
  VT_KIND_NOTHING,
  VT_KIND_LEA,
  VT_KIND_PUSH,
  VT_KIND_POP,
  VT_KIND_LEAVE,
  VT_KIND_STRING,    /* One element: string.c. */
  VT_KIND_JCC,
  VT_KIND_COUNT,     /* JRCXZ, LOOP and their kin. */
  VT_KIND_JMP,
  VT_KIND_CALL,
  VT_KIND_RET,
  VT_KIND_SYSTEM,    /* system.c */
  VT_KIND_AC,        /* STAC, CLAC: what follows is of another mode. */
  VT_KIND_QUICK,     /* By a function that translated code calls: quick.c. */
  VT_KIND_AWAY,      /* The same, and it goes elsewhere. */
} VtKind;

/* Whether a group's addend is in G, and whether the instruction's access is the group's. */
typedef enum
{
  VT_GROUP_NONE,
  VT_GROUP_LEADER,
  VT_GROUP_MEMBER,
  VT_GROUP_BESIDE,
} VtGroup;

struct VtGuestInsn
{
  ZydisDecodedInstruction zydis;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  VtInsn                  insn;
  VtUnitUse               use;
  const ZydisDecodedOperand *memory; /* The operand that is accessed, or NULL. */
  uint64_t                rip, next;
  uint64_t                target; /* Of a direct jump, or 0. */
  uint16_t                x87_opcode; /* vt_unit_x87_opcode() */
  uint8_t                 kind;   /* VtKind */
  bool                    flat;       /* VT_MODE_FLAT */
  bool                    inverted;   /* A conditional jump where its condition does not hold: unroll() in make.c. */
  bool                    flags_live; /* In front of it: they must stay. */
  /* Its group's: group.c. */
  uint8_t                 group;      /* VtGroup */
  uint8_t                 group_base; /* Of a leader: the register, and what is accessed from there on. */
  bool                    group_write;
  uint16_t                group_span;
  int32_t                 group_low;
  int32_t                 group_at; /* Of a member: how far from group_low it accesses. */
};

/* guest.c: decodes what is at @rip of b->code. Returns: false where that is no whole instruction of its page,
 * or none at all. */
bool vt_guest_decode (VtBlocks *b, uint64_t rip, VtGuestInsn *out);

/* guest.c: whether the instruction at @rip, which is in the block's page, crosses into the next. */
bool vt_guest_crosses (VtBlocks *b, uint64_t rip);

/* Whether nothing of the block comes behind it. */
static inline bool
vt_guest_ends (const VtGuestInsn *g)
{
  return g->kind == VT_KIND_LAST || g->kind == VT_KIND_JMP || g->kind == VT_KIND_CALL
         || g->kind == VT_KIND_RET || g->kind == VT_KIND_AC || g->kind == VT_KIND_AWAY;
}

/* Whether it is none of 64-bit mode. */
static inline bool
vt_guest_is_narrow (const VtGuestInsn *g)
{
  return g->insn.mode != ZYDIS_MACHINE_MODE_LONG_64;
}

/* The size of near transfers, and of the stack's operands where they don't show it. */
static inline unsigned
vt_guest_near_size (const VtGuestInsn *g)
{
  return vt_guest_is_narrow (g) ? g->insn.osize : 8;
}

/* Whether it's the interpreter's, or may be: it wants all as it is. */
static inline bool
vt_guest_interpreted (const VtGuestInsn *g)
{
  return g->kind == VT_KIND_INTERPRET || g->kind == VT_KIND_LAST || g->kind == VT_KIND_SYSTEM
         || g->kind == VT_KIND_AC || g->kind == VT_KIND_QUICK || g->kind == VT_KIND_AWAY;
}

/* Whether it checks an address. */
static inline bool
vt_guest_accesses (const VtGuestInsn *g)
{
  return g->kind != VT_KIND_INTERPRET && g->kind != VT_KIND_LAST
         && (g->memory != NULL || g->kind == VT_KIND_PUSH || g->kind == VT_KIND_POP
             || g->kind == VT_KIND_LEAVE || g->kind == VT_KIND_STRING || g->kind == VT_KIND_CALL
             || g->kind == VT_KIND_RET);
}

/* flags.c: sets flags_live of the block's @n instructions. */
void vt_flags_plan (VtBlocks *b, unsigned n);
/* group.c: sets what is the group's. */
void vt_group_plan (VtBlocks *b, unsigned n);
/* Whether the first @n, a loop, are seen to go through memory in long steps, or in some of unknown length. */
bool vt_group_strides (const VtBlocks *b, unsigned n);

/* plain.c: the lent registers that it names outside its memory operand, or writes. */
uint32_t vt_guest_lent (const VtGuestInsn *g, bool written);

/* How many scratch registers it needs beside its access. */
static inline unsigned
vt_guest_wanted (const VtGuestInsn *g)
{
  return (unsigned) __builtin_popcount (vt_guest_lent (g, false));
}

/* Where RCX is while translated code uses it. */
typedef enum
{
  VT_RCX_ITSELF,
  VT_RCX_IN_G,
  VT_RCX_IN_T,
  VT_RCX_IN_MEMORY, /* fast.rcx */
} VtRcx;

/* Code that is written behind the block. */
typedef struct
{
  uint32_t where;  /* The jump to it. */
  bool     branch; /* It goes on at @target, else it leaves with @exit. */
  uint32_t link;   /* One more than the number of the link by which it leaves, or 0. */
  uint8_t  rcx;    /* VtRcx: to be put right first. */
  uint8_t  table;  /* For a site, */
  bool     live;   /* with its flags, and RCX in G; */
  bool     looked; /* the TLB has been looked at, and S and T are as vt_make_look() leaves them. */
  uint32_t exit;
  uint64_t target;
  VtHostMem site;  /* Whose slot was another page's; base VT_NONE: it's none. */
  VtHostMem mem;   /* Its address; without registers: that is in T; with VT_RIP: that is @disp. */
  VtHostMem way;  /* Of a jump table: where else the target T may be; without GS it's none. */
  uint32_t  back, again; /* Where it goes on then, or 0: to the target; and where it begins anew. */
  uint32_t  slot; /* Where its slot is, or 0: it has none. */
  VtSiteCold *cold; /* Of one with a @link, which is where it misses to. */
} VtStub;

#define VT_BLOCK_STUBS (VT_BLOCK_INSNS * 8)

typedef struct
{
  VtBlocks *b;
  VtEmit   *e;
  bool      live;  /* The present instruction leaves the flags that it finds alone. */
  uint8_t   group; /* VtGroup: its. */
  int32_t   group_at;
  VtBlock   block;
  uint32_t  number; /* The block's. */
  uint32_t  insn;   /* The present instruction's. */
  uint16_t  mode;
  uint8_t   shadow; /* How many instructions, the present one among them, until STI's shadow ends; or 0. */
  unsigned  n_stubs;
  VtStub   *stub; /* VT_BLOCK_STUBS of them. */
} VtMake;

static inline uint32_t
vt_exit (unsigned kind, uint32_t n)
{
  return (uint32_t) kind << VT_EXIT_SHIFT | n;
}

/* @to becomes @rip, or its lower half: a constant, or in code that moves relative to where that is. */
void vt_make_rip (VtMake *make, bool wide, unsigned to, uint64_t rip);
/* The jump at @where leaves with @exit. */
void vt_make_stub (VtMake *make, uint32_t where, VtRcx rcx, uint32_t exit);

/* Where a table of data accesses is in the core: the set's number, times two, and one to write. */
static inline uint32_t
vt_table_offset (unsigned table)
{
  return (uint32_t) (offsetof (VtCore, tlb)
                     + (table / 2 * VT_ACCESS_KINDS + (table & 1 ? VT_ACCESS_WRITE : VT_ACCESS_READ))
                           * sizeof (VtTlb));
}

/* site.c ------------------------------------------------------------------------------------------- */

typedef struct
{
  VtHostMem   tag, addend; /* Of the slot. */
  VtSiteCold *cold;
  bool        live;
} VtSite;

/* An access of @size bytes. Where flags live, its slot's tag is the negative of a window's beginning, and RCX is in G
 * when it comes to the stub. */
VtSite vt_site_new (VtMake *make, unsigned size);
/* It does not compare with its slot, so that this is not said to wander. */
void vt_site_settle (const VtSite *site);
/* Filled, it goes on here, with its linear address in T. */
void vt_site_resume (VtMake *make, const VtSite *site);
/* The same, and the slot's addend is loaded to register @addend. RCX becomes itself again. */
void vt_site_load (VtMake *make, const VtSite *site, unsigned addend);
void vt_site_stub (VtMake *make, const VtStub *stub);

/* access.c ---------------------------------------------------------------------------------------- */

/* A guest's effective address: registers by number or VT_NONE. */
typedef struct
{
  uint8_t  base, index, scale;
  uint8_t  seg;     /* Whose base is added, or VT_NONE. */
  bool     narrow;  /* Offsets of 32 bits, or less; */
  bool     word;    /* of 16. */
  bool     limited; /* The segment is checked; linear addresses have 32 bits. */
  bool     relative;/* @disp is relative to RIP (vt_make_rip()). */
  uint64_t disp;
} VtGuestMem;

VtGuestMem vt_guest_mem (const VtGuestInsn *g);
/* Whether its registers are in their places, and its displacement leaves room for an operand's size; in 64-bit
 * mode. */
bool vt_guest_mem_simple (VtGuestMem m);

/* What an access leaves: the host's operand, and scratch registers that it doesn't use. */
typedef struct
{
  VtHostMem mem;
  uint8_t   free[2];
} VtAccess;

/**
 * vt_make_access:
 * @wanted: how many free scratch registers are needed, 0 to 2.
 *
 * Checks by the TLB that @size bytes at @guest may be read or written, which leaves for the interpreter
 * where that isn't known. No flag changes, and no register but the scratch ones.
 */
VtAccess vt_make_access (VtMake *make, VtGuestMem guest, unsigned size, bool write, unsigned wanted);

/* T: the offset in its segment, not checked. S is used. */
void vt_make_offset (VtMake *make, VtGuestMem guest);
/* The table of such accesses, as vt_table_offset() has it. */
unsigned vt_make_table (const VtMake *make, bool write);
/* The parts of it. Both return the jump that is taken where @size bytes are not in the page: */
/* @reg, an address, is compared with the site's slot, and lost. */
uint32_t vt_make_range (VtMake *make, const VtSite *site, unsigned reg, unsigned size);
/* The same without a change of flags, of the address @mem, which has no index and is not in RCX: that is lost. */
uint32_t vt_make_window (VtMake *make, const VtSite *site, VtHostMem mem);

/* Whether the present instruction has been seen to access one page after another. */
bool vt_make_wanders (const VtMake *make);
/* Of the linear address in T, by the TLB: the jump that is taken where @size bytes are not in a page that @table has. S is the
 * entry's offset; T stays where flags live, with RCX in G, and is else the offset in the page. */
uint32_t vt_make_look (VtMake *make, const VtSite *site, unsigned table, unsigned size);
/* T becomes the address again. */
void vt_make_look_back (VtEmit *e, unsigned table);
/* Behind it: the entry's addend to register @addend. RCX becomes itself again. */
void vt_make_looked (VtMake *make, const VtSite *site, unsigned table, unsigned addend);

/* group.c: what comes before a group's leader. */
void vt_make_leader (VtMake *make, const VtGuestInsn *g);

/* plain.c ----------------------------------------------------------------------------------------- */

void vt_make_plain (VtMake *make, const VtGuestInsn *g);
void vt_make_lea (VtMake *make, const VtGuestInsn *g);

/* stack.c ----------------------------------------------------------------------------------------- */

void vt_make_push (VtMake *make, const VtGuestInsn *g);
void vt_make_pop (VtMake *make, const VtGuestInsn *g);
void vt_make_leave (VtMake *make, const VtGuestInsn *g);
/* The return address of a call. */
void vt_make_push_return (VtMake *make, const VtGuestInsn *g);
/* In the stack segment, at @disp from register @base. */
VtGuestMem vt_make_stack_at (const VtMake *make, unsigned base, int disp);
/* The stack pointer becomes @from and @by; @scratch may be lost. */
void vt_make_move_stack (VtMake *make, unsigned from, int by, unsigned scratch);

/* string.c ---------------------------------------------------------------------------------------- */

bool vt_string_fits (const VtInsn *insn);
void vt_make_string (VtMake *make, const VtGuestInsn *g);

/* narrow.c ---------------------------------------------------------------------------------------- */

/* Lets @g, decoded, be what 64-bit mode has for it. Returns: false where there's no such thing. */
bool vt_narrow_encode (VtBlocks *b, VtGuestInsn *g);
/* Register @to, an offset, becomes a linear address: @size bytes are in @seg, or the instruction is the
 * interpreter's. S is used. */
void vt_narrow_linear (VtMake *make, unsigned to, unsigned seg, unsigned size, bool write);
void vt_narrow_lea (VtMake *make, const VtGuestInsn *g);
void vt_narrow_count (VtMake *make, const VtGuestInsn *g);

/* flow.c ------------------------------------------------------------------------------------------ */

/* A link to a block for @mode. */
uint32_t vt_make_link (VtMake *make, uint64_t target, unsigned mode);
/* A jump to @target. */
void vt_make_branch (VtMake *make, uint64_t target);
/* The jump at @where goes to @g's target. */
void vt_make_branch_later (VtMake *make, uint32_t where, const VtGuestInsn *g);
/* The whole of a stub with a way. */
void vt_make_way (VtMake *make, const VtStub *stub);
/* The whole of a stub with a slot. */
void vt_make_jump_slot (VtMake *make, const VtStub *stub);
void vt_make_jcc (VtMake *make, const VtGuestInsn *g);
void vt_make_count (VtMake *make, const VtGuestInsn *g);
void vt_make_jmp (VtMake *make, const VtGuestInsn *g);
void vt_make_call (VtMake *make, const VtGuestInsn *g);
void vt_make_ret (VtMake *make, const VtGuestInsn *g);

/* system.c ---------------------------------------------------------------------------------------- */

/* VT_KIND_SYSTEM, VT_KIND_AC, VT_KIND_QUICK, VT_KIND_AWAY or VT_KIND_INTERPRET. */
VtKind vt_system_kind (const VtGuestInsn *g, unsigned mode);
/* Both return false where they have made nothing: the instruction is the interpreter's. @next: what comes behind
 * it, or NULL. */
bool vt_make_system (VtMake *make, const VtGuestInsn *g, const VtGuestInsn *next);
bool vt_make_ac (VtMake *make, const VtGuestInsn *g);
void vt_make_quick (VtMake *make, const VtGuestInsn *g);
/* Behind an instruction: ends the shadow that it was in. */
void vt_make_unshadow (VtMake *make);
