/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The system side of a core: segmentation, stacks, event delivery, far transfers, task switches. All
 * of it may raise (core.h), and works by the state as it stands at the call.
 */
#pragma once

#include "../core.h"

/* System management mode: smm.c ----------------------------------------------------------------- */

/* Takes an SMI, between two instructions; RSM, inside one. An RSM to a state that is none shuts down. */
void vt_smm_enter (VtCore *core);
void vt_smm_leave (VtCore *core);

/* Segments: segment.c --------------------------------------------------------------------------- */

/**
 * vt_seg_linear:
 * @seg: VT_CPU_ES to VT_CPU_GS.
 * @size: bytes accessed, at least 1.
 *
 * Checks an access against its segment (limit, type, null; in 64-bit mode canonicality) and its
 * alignment, raising #GP(0), #SS(0) or #AC(0). Returns: the linear address.
 */
uint64_t vt_seg_linear (VtCore *core, unsigned seg, uint64_t offset, unsigned size,
                        VtAccessKind kind);

/* Whether the cached @seg lets @size bytes at @offset be accessed; not for 64-bit mode. */
bool vt_seg_allows (const VtCore *core, const VtCpuSegment *seg, uint64_t offset, unsigned size,
                    VtAccessKind kind);

/* A descriptor as it stands in a table. */
typedef struct
{
  uint64_t raw, high; /* @high: the upper half of one of 16 bytes, where it was asked for. */
  uint64_t address;   /* Linear. */
  uint16_t selector;
} VtDescriptor;

/* An error code that names a selector, with EXT as it stands. */
static inline uint32_t
vt_selector_error (const VtCore *core, uint16_t selector)
{
  return (selector & 0xfffcu) | core->ext;
}

/* Reads a descriptor. Outside of its table's limit it raises @vector with the selector. */
void vt_descriptor_read (VtCore *core, uint16_t selector, bool wide, uint8_t vector,
                         VtDescriptor *out);
/* Like it, for instructions that only ask (LAR, VERR …): false instead of a fault. */
bool vt_descriptor_peek (VtCore *core, uint16_t selector, bool wide, VtDescriptor *out);
/* Sets the type's accessed bit in the table, where it isn't yet. */
void vt_descriptor_mark (VtCore *core, VtDescriptor *descriptor);

static inline unsigned
vt_descriptor_type (const VtDescriptor *d)
{
  return d->raw >> 40 & 15;
}

static inline unsigned
vt_descriptor_dpl (const VtDescriptor *d)
{
  return d->raw >> 45 & 3;
}

static inline bool
vt_descriptor_is_segment (const VtDescriptor *d)
{
  return (d->raw >> 44 & 1) != 0;
}

static inline bool
vt_descriptor_present (const VtDescriptor *d)
{
  return (d->raw >> 47 & 1) != 0;
}

static inline bool
vt_descriptor_is_code (const VtDescriptor *d)
{
  return (d->raw >> 43 & 3) == 3;
}

static inline bool
vt_descriptor_conforming (const VtDescriptor *d)
{
  return (d->raw >> 42 & 7) == 7;
}

/* What a segment register caches of it. */
static inline VtCpuSegment
vt_descriptor_segment (const VtDescriptor *d)
{
  const uint64_t raw = d->raw;
  VtCpuSegment   seg = {
      .base = (raw >> 16 & 0xffffff) | (raw >> 56 & 0xff) << 24,
      .limit = (uint32_t) ((raw & 0xffff) | (raw >> 32 & 0xf0000)),
      .selector = d->selector,
      .type = (uint8_t) (raw >> 40 & 15),
      .dpl = (uint8_t) (raw >> 45 & 3),
      .present = raw >> 47 & 1,
      .code_or_data = raw >> 44 & 1,
      .db = raw >> 54 & 1,
      .l = raw >> 53 & 1,
      .g = raw >> 55 & 1,
      .avl = raw >> 52 & 1,
  };

  if (seg.g)
    seg.limit = seg.limit << 12 | 0xfff;
  seg.base |= d->high << 32;
  return seg;
}

/* Bits 44:40 of the upper half of one of 16 bytes: anything but 0 is an error. */
static inline unsigned
vt_descriptor_high_type (const VtDescriptor *d)
{
  return d->high >> 40 & 0x1f;
}

/* MOV or POP to ES, SS, DS, FS or GS in the present mode. */
void vt_seg_load (VtCore *core, unsigned seg, uint16_t selector);
/* As real and virtual 8086 mode load a segment register. CS too. */
void vt_seg_load_real (VtCore *core, unsigned seg, uint16_t selector);
/* What a null selector leaves. */
VtCpuSegment vt_seg_null (uint16_t selector);
void vt_load_ldt (VtCore *core, uint16_t selector);
void vt_load_tr (VtCore *core, uint16_t selector);
/* Whether ports @port to @port + @size - 1 may be accessed: IOPL or the TSS's bitmap. Raises #GP(0). */
void vt_check_port (VtCore *core, uint16_t port, unsigned size);

/* Stacks: stack.c ------------------------------------------------------------------------------- */

/* A stack that is worked on before it becomes, or stays, the core's. */
typedef struct
{
  VtCpuSegment ss;
  uint64_t     sp;
  uint32_t     error; /* Of #SS. */
  uint8_t      cpl;   /* With whose rights it is accessed. */
  bool         wide;  /* In 64-bit mode: flat, 64-bit. */
} VtStack;

void     vt_stack_current (const VtCore *core, VtStack *stack);
void     vt_stack_push (VtCore *core, VtStack *stack, unsigned size, uint64_t value);
uint64_t vt_stack_pop (VtCore *core, VtStack *stack, unsigned size);
/* Writes RSP (as much of it as the stack's size says). */
void vt_stack_commit (VtCore *core, const VtStack *stack);
/* The part of RSP that the stack segment uses: 2, 4 or 8 bytes. */
unsigned vt_stack_bytes (const VtCore *core);

/* The stack that the TSS has for privilege @dpl (or, in long mode, @ist 1 to 7), checked. */
void vt_stack_from_tss (VtCore *core, unsigned dpl, unsigned ist, VtStack *stack);

/* Push and pop of the instruction under way. */
void     vt_push (VtCore *core, unsigned size, uint64_t value);
uint64_t vt_pop (VtCore *core, unsigned size);

/* Events: event.c ------------------------------------------------------------------------------- */

typedef enum
{
  VT_EVENT_FAULT,     /* An exception whose return address is the instruction. */
  VT_EVENT_TRAP,      /* … is behind it: #DB of a single step. */
  VT_EVENT_SOFTWARE,  /* INT n, INT3, INTO: the gate's DPL counts. */
  VT_EVENT_ICEBP,     /* INT1 */
  VT_EVENT_EXTERNAL,  /* An interrupt or NMI. */
} VtEventKind;

typedef struct
{
  VtEventKind kind;
  uint8_t     vector;
  bool        has_error;
  uint32_t    error;
  uint64_t    rip; /* Where the handler returns to. */
} VtEvent;

/**
 * vt_event_deliver:
 *
 * Enters the handler of @event, or what comes of the attempt: a further fault, #DF, shutdown. Returns:
 * VT_STEP_DONE, VT_STEP_TRIPLE_FAULT or VT_STEP_DECLINED. Never raises.
 */
VtStep vt_event_deliver (VtCore *core, const VtEvent *event);
/* The fault in core->fault, at the present RIP. CR2 and DR6 are set. */
VtStep vt_event_deliver_fault (VtCore *core);
/* For the engine, between two instructions. An interrupt is delivered only where RFLAGS.IF is set and no
 * shadow is cast; an NMI where none is being handled. A halted core is woken. */
VtStep vt_event_interrupt (VtCore *core, uint8_t vector);
VtStep vt_event_nmi (VtCore *core);
/* #UD at the present instruction, for one that nobody knows. */
VtStep vt_event_undefined (VtCore *core);

/* Far transfers: far.c, return.c, task.c -------------------------------------------------------- */

/* @size: the operand's, 2, 4 or 8; @next: behind the instruction. */
void vt_far_jump (VtCore *core, uint16_t selector, uint64_t offset, unsigned size);
void vt_far_call (VtCore *core, uint16_t selector, uint64_t offset, unsigned size, uint64_t next);
void vt_far_return (VtCore *core, unsigned size, uint16_t release);
void vt_iret (VtCore *core, unsigned size);
void vt_syscall (VtCore *core, uint64_t next);
void vt_sysret (VtCore *core, unsigned size);
void vt_sysenter (VtCore *core);
void vt_sysexit (VtCore *core, unsigned size);

/* A segment as the fast calls load it, and IRET a stack segment that is null in 64-bit mode. */
static inline VtCpuSegment
vt_seg_flat (uint16_t selector, bool code, unsigned dpl, bool wide)
{
  return (VtCpuSegment){
    .selector = (uint16_t) ((selector & 0xfffc) | dpl),
    .limit = UINT32_MAX,
    .type = code ? 11 : 3,
    .dpl = (uint8_t) dpl,
    .present = true,
    .code_or_data = true,
    .db = !wide,
    .l = wide,
    .g = true,
  };
}

/* CS and SS of a fast call, and the privilege. */
static inline void
vt_enter_flat (VtCore *core, uint16_t cs, uint16_t ss, unsigned cpl, bool wide)
{
  core->seg[VT_CPU_CS] = vt_seg_flat (cs, true, cpl, wide);
  core->seg[VT_CPU_SS] = vt_seg_flat (ss, false, cpl, false);
  core->cpl = (uint8_t) cpl;
}

/* Puts a checked code segment into CS, with CPL as its RPL, and goes to @rip, which must lie in it. */
void vt_enter_code (VtCore *core, const VtDescriptor *code, unsigned cpl, uint64_t rip, unsigned size);
/* Flags from a popped image: those in @mask; CPL and IOPL have been looked at by the caller. */
void vt_set_flags (VtCore *core, uint64_t value, uint64_t mask);
/* Loads flags as POPF and IRET do at the present privilege. */
void vt_pop_flags (VtCore *core, uint64_t value, unsigned size, unsigned cpl, uint64_t also);

typedef enum
{
  VT_TASK_JUMP,
  VT_TASK_CALL, /* Also an interrupt through a task gate. */
  VT_TASK_RETURN,
} VtTaskSwitch;

/* @next: the RIP that the old task is saved with. @event (may be NULL): whose error code goes to the new
 * task's stack. */
void vt_task_switch (VtCore *core, uint16_t selector, VtTaskSwitch how, uint64_t next,
                     const VtEvent *event);
