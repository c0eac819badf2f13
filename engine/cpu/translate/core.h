/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One processor in software: its architectural state, and what it asks of whoever runs it. The
 * interpreter and the translator work on this struct; the MMU (mmu.h) belongs to it.
 *
 * Contract
 * * A core belongs to one thread at a time. The only calls that other threads may make are
 *   vt_core_request() and reads of @requests.
 * * State comes in and goes out as VtCpuState (vcpu.h) between two instructions. What the core does
 *   not own there (the local APIC's page, MSRs that are not in msr.c) is left as it stands.
 * * A guest's fault leaves a function by longjmp: vt_core_raise() and everything that may raise (it is
 *   said at each) may only be called below vt_core_try(), and nothing on the way may hold a lock or an
 *   allocation. An instruction changes memory and registers last, or takes a snapshot first
 *   (vt_core_snapshot), so that the state at the catch is the one before the instruction; repeated
 *   string instructions stand at a whole iteration. The alternative, a result from every access, costs
 *   a test after each of them and is forgotten once.
 * * What a core can't do by itself it declines by the same way (vt_core_decline()): an instruction that
 *   it doesn't know, or one that needs a VtCoreOps function that is NULL. Nothing has changed then.
 * * Whatever guest bytes are given to it, a core reads and writes guest memory through its MMU and
 *   VtSpace alone, and one step ends after a bounded amount of work.
 */
#pragma once

#include <setjmp.h>

#include "arch.h"
#include "block/fast.h"
#include "cpu/vcpu.h"
#include "mmu.h"

typedef struct VtCore    VtCore;
typedef struct VtCoreOps VtCoreOps;

/* What the engine around a core provides. Each may be NULL, and instructions that need it are declined.
 * A function that returns false declines the instruction that asked. Called on the core's thread. */
struct VtCoreOps
{
  /* Physical memory that is not RAM: @size 1 to 8. NULL: straight to VtSpace. */
  bool (*read) (void *data, VtGpa gpa, void *to, unsigned size);
  bool (*write) (void *data, VtGpa gpa, const void *from, unsigned size);
  /* Ports: @size 1, 2 or 4. NULL: straight to VtSpace. */
  bool (*in) (void *data, uint16_t port, unsigned size, uint32_t *value);
  bool (*out) (void *data, uint16_t port, unsigned size, uint32_t value);
  /* CPUID's EAX, EBX, ECX, EDX. */
  void (*cpuid) (void *data, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
  /* MSRs that the core does not own (msr.c tells which it does). False raises #GP. */
  bool (*msr_read) (void *data, uint32_t index, uint64_t *value);
  bool (*msr_write) (void *data, uint32_t index, uint64_t value);
  /* The host's counter that IA32_TSC is an offset to. It leaves the vector registers alone. */
  uint64_t (*tsc) (void *data);
  /* The offset has been written. NULL: nobody minds. */
  void (*tsc_changed) (void *data);
  /* CR8 has been written: the local APIC's task priority. */
  void (*tpr) (void *data, uint8_t priority);
  /* An assist is wanted that only a whole engine has: HLT, MWAIT. NULL declines those. */
  void (*halt) (void *data);
};

/* What other threads ask of a core; it looks between two instructions. */
#define VT_CORE_STOP 0x1       /* Leave the loop. */
#define VT_CORE_FLUSH 0x2      /* Guest-physical RAM has moved: empty the TLB. */
#define VT_CORE_INTERRUPT 0x4  /* Something for vt_core_deliver_*() may be pending. */
#define VT_CORE_CODE 0x8       /* Translated pages have been written: vt_translate() sees to it. */

/* What the engine waits to deliver, and which the core could not take when it was asked. */
#define VT_WINDOW_INTERRUPT 0x1
#define VT_WINDOW_NMI 0x2
#define VT_WINDOW_SMI 0x4 /* An INIT too, which waits for the end of system management mode. */

/* How a step ended. */
typedef enum
{
  VT_STEP_DONE,         /* An instruction, an iteration, or a fault that has been delivered. */
  VT_STEP_HALTED,       /* HLT has been executed; RIP is behind it. */
  VT_STEP_DECLINED,     /* Nothing has changed. */
  VT_STEP_TRIPLE_FAULT, /* Shut down; the state is that of the last fault. */
} VtStep;

/* How control came back to vt_core_try(). */
enum
{
  VT_CATCH_NONE,
  VT_CATCH_FAULT,   /* core->fault says which. */
  VT_CATCH_DECLINE,
  VT_CATCH_SHUT_DOWN, /* The instruction has ended in the shutdown state. */
};

typedef struct
{
  uint8_t  vector;
  bool     has_error;
  uint16_t pad_;
  uint32_t error;
  uint64_t address;  /* CR2 of a page fault. */
  uint64_t dr6;      /* What a debug exception reports. */
} VtFault;

/* What an instruction that touches several registers may have to take back. */
typedef struct
{
  uint64_t     gpr[VT_CPU_GPRS], rip, rflags;
  VtCpuSegment seg[VT_CPU_SEGMENTS];
  uint64_t     cr0, cr3;
  uint8_t      cpl;
} VtCoreSnapshot;

typedef struct VtUnit     VtUnit;     /* host/unit.h: instructions run on the host's own units. */
typedef struct VtInsn     VtInsn;     /* interpret/insn.h */
typedef struct VtDecoder  VtDecoder;  /* interpret/decode.c */

struct VtCore
{
  /* Hot state first: the translator addresses it by small displacements. */
  uint64_t     gpr[VT_CPU_GPRS];
  VtFast       fast;
  uint64_t     rip;
  uint64_t     next_rip;     /* Where the instruction under way goes on. */
  uint64_t     rflags; /* Whole, bit 1 set. */
  uint8_t      cpl;
  uint8_t      code_bits;    /* 16, 32 or 64: derived from CS, EFER and CR0; see vt_core_changed(). */
  bool         long_mode;    /* EFER.LMA */
  bool         protected_mode; /* CR0.PE and not virtual-8086. */
  bool         align_check;  /* CPL 3, CR0.AM and RFLAGS.AC. */
  uint8_t      shadow;       /* VtCpuEvents.shadow. */
  uint8_t      new_shadow;   /* What the instruction under way leaves. */
  uint8_t      debug_hits;   /* Breakpoints that it has met: DR6's bits 3:0. */
  bool         snapshot_taken;
  bool         progress;     /* A repeated instruction has done an iteration. */
  bool         iret;         /* The instruction under way has loaded RF itself. */
  bool         step;         /* Behind the instruction under way comes a trap for TF: where it was set before it; but
                              * for SYSCALL and SYSRET, where it is set behind. */
  bool         soft_event;   /* The instruction under way is INT n or one of its kin. */
  uint8_t      soft_kind, soft_vector;
  uint64_t     soft_rip;     /* Of that instruction. */
  uint8_t      ext;          /* Bit 0 of error codes: an event from outside the program is being delivered. */
  int          requests;     /* VT_CORE_*, atomic. */
  uint8_t      window;       /* VT_WINDOW_*: the loop ends as soon as one of them is open. */
  VtMmu        mmu;

  VtCpuSegment seg[VT_CPU_SEGMENTS];
  uint64_t     gdt_base, idt_base;
  uint32_t     gdt_limit, idt_limit;
  uint64_t     cr0, cr2, cr3, cr4, cr8;
  uint64_t     pdpte[4];     /* Loaded by writes of CR3 in PAE mode (SDM volume 3, 4.4.1). */
  uint64_t     efer, apic_base, xcr0;
  uint64_t     dr[4], dr6, dr7;
  uint32_t     mp_state, pkru;
  VtCpuEvents  events;       /* As vcpu.h has it, but for the shadow, which is above. */

  /* Model-specific registers that instructions use; msr.c. */
  uint64_t     star, lstar, cstar, fmask, kernel_gs_base;
  uint64_t     sysenter_cs, sysenter_esp, sysenter_eip;
  uint64_t     tsc_offset, tsc_aux, pat;
  uint64_t     smbase; /* 32 bits of it. */

  /* Faults. */
  VtFault        fault;
  jmp_buf       *catch;
  VtCoreSnapshot snapshot;

  /* Around it. */
  VtSpace         *space;
  const VtCoreOps *ops;
  void            *data;
  VtDecoder       *decoder;
  VtUnit          *unit;
  VtBlocks        *blocks; /* NULL: it has never translated. */
  uint64_t         cr4_mask, xcr0_mask; /* Bits that the guest's CPUID offers. */
  uint8_t          phys_bits; /* MAXPHYADDR. */
  bool             never;     /* For tests: nothing is translated. */
  bool             strict;    /* For tests: the translator does without its optimizations. To be set before the first block is made. */
  /* For tests, from the environment's VITRINE_CHAOS, a number, or two with a colon between: where the first is
   * not 0, what may happen at any time to a core that translates happens at random (block/chaos.c), of each
   * kind about once in the second's number of times. */
  uint64_t         chaos, chaos_period;
  bool             has_gbytes; /* 1 GiB pages. */

  /* The standard format of XSAVE (SDM volume 1, 13.4); @xsave_size bytes of it are the guest's. */
  uint32_t xsave_size, pad_;
  uint8_t  xsave[VT_CPU_XSAVE] __attribute__ ((aligned (64)));

  /* Here, so that translated code reaches them by constant offsets. */
  VtTlb  tlb[VT_SETS * VT_ACCESS_KINDS] __attribute__ ((aligned (64)));
  VtJump jump[VT_JUMP_MODES][VT_JUMPS][VT_JUMP_WAYS];
};

/**
 * vt_core_new:
 * @space: the machine's physical spaces; outlives the core.
 * @ops: the engine's functions, and @data for them.
 *
 * A core with all of its state zero: vt_core_load() gives it one. Never NULL.
 */
VtCore *vt_core_new (VtSpace *space, const VtCoreOps *ops, void *data);
void    vt_core_free (VtCore *core);

/* Takes the architectural state of @state, and empties the TLB. */
void vt_core_load (VtCore *core, const VtCpuState *state);
/* Writes back all that the core owns; the rest of @state stays. */
void vt_core_store (const VtCore *core, VtCpuState *state);

/* To be called after a change of CS, CPL, CR0, CR4, EFER or RFLAGS.{VM,AC}: computes what is derived
 * from them. It empties no TLB. */
void vt_core_changed (VtCore *core);

/* Any thread: sets @requests' bits and lets the core see them soon. */
static inline void
vt_core_request (VtCore *core, int requests)
{
  __atomic_fetch_or (&core->requests, requests, __ATOMIC_SEQ_CST);
  __atomic_store_n (&core->fast.poll, NULL, __ATOMIC_SEQ_CST);
}

/* Breakpoints. Whether any is on, of which every access is to be told: */
static inline bool
vt_core_watches (const VtCore *core)
{
  return (core->dr7 & 0xff) != 0;
}
/* by this, which notes in @debug_hits those that @size bytes at @linear meet. */
void vt_debug_look (VtCore *core, uint64_t linear, unsigned size, VtAccessKind kind);

/* Whether one of the events of @window (VT_WINDOW_*) can be delivered now. */
static inline bool
vt_core_open (const VtCore *core, unsigned window)
{
  if (core->shadow)
    return false;
  return ((window & VT_WINDOW_INTERRUPT) && (core->rflags & VT_FLAG_IF))
         || ((window & VT_WINDOW_NMI) && !core->events.nmi_masked)
         || ((window & VT_WINDOW_SMI) && !core->events.smm);
}

/* Whether the engine can now deliver what it could not before. */
static inline bool
vt_core_awaited (const VtCore *core)
{
  return G_UNLIKELY (core->window) && vt_core_open (core, core->window);
}

/* The view of memory that the processor has. */
static inline VtSpaceKind
vt_core_memory (const VtCore *core)
{
  return core->events.smm ? VT_SPACE_SMM : VT_SPACE_MEMORY;
}

/* The noted span that holds @gpa, or NULL: none does. */
static inline const VtSpaceSpan *
vt_core_span (const VtCore *core, VtGpa gpa)
{
  if (core->mmu.span_kind == vt_core_memory (core))
    for (const VtSpaceSpan *span = core->mmu.span; span < core->mmu.span + VT_MMU_SPANS; span++)
      if (gpa - span->first < span->size)
        return span;
  return NULL;
}

/* Does what VT_CORE_FLUSH asks: what may have been written is marked in the dirty logs that are on by
 * now, and the TLB and the translator's cache are emptied. The core's thread, or while it stands. */
void vt_core_flush_asked (VtCore *core);

/* Faults --------------------------------------------------------------------------------------- */

/* Runs @what (@core, @arg) and catches what it raises. Returns: VT_CATCH_*. They nest. */
int vt_core_try (VtCore *core, void (*what) (VtCore *core, void *arg), void *arg);

/* Ends the instruction under way with a fault. The error code is ignored for vectors without one. */
_Noreturn void vt_core_raise (VtCore *core, uint8_t vector, uint32_t error);
_Noreturn void vt_core_raise_page_fault (VtCore *core, uint64_t linear, uint32_t error);
/* Ends it as one that this core leaves to somebody else. */
_Noreturn void vt_core_decline (VtCore *core);
/* Ends it, and the processor with it. */
_Noreturn void vt_core_shut_down (VtCore *core);

static inline _Noreturn void
vt_core_gp (VtCore *core, uint32_t error)
{
  vt_core_raise (core, VT_EXC_GP, error);
}

static inline _Noreturn void
vt_core_ud (VtCore *core)
{
  vt_core_raise (core, VT_EXC_UD, 0);
}

/* From here on, a fault of this instruction puts registers, segments, CR0, CR3 and CPL back. */
void vt_core_snapshot (VtCore *core);

/* Registers ------------------------------------------------------------------------------------- */

/* The low @size bytes of a general register; a 4-byte write clears the upper half, as 64-bit mode does,
 * and as no other mode can tell. */
static inline uint64_t
vt_core_gpr (const VtCore *core, unsigned n, unsigned size)
{
  return core->gpr[n] & vt_ones (size);
}

static inline void
vt_core_set_gpr (VtCore *core, unsigned n, unsigned size, uint64_t value)
{
  if (size >= 4)
    core->gpr[n] = value & vt_ones (size);
  else
    core->gpr[n] = (core->gpr[n] & ~vt_ones (size)) | (value & vt_ones (size));
}

/* The set of accesses that the processor makes itself (descriptor tables, TSS, IDT), which are privileged at every
 * CPL; */
static inline VtAccessSet
vt_mmu_system_set (const VtCore *core)
{
  return core->cr4 & VT_CR4_SMAP ? VT_SET_KERNEL_AC : VT_SET_KERNEL;
}

/* of data accesses with such a privilege and such flags; */
static inline VtAccessSet
vt_mmu_set_of (const VtCore *core, unsigned cpl, uint64_t rflags)
{
  if (cpl == 3)
    return VT_SET_USER;
  return rflags & VT_FLAG_AC ? VT_SET_KERNEL : vt_mmu_system_set (core);
}

/* and of those by the instruction under way. */
static inline VtAccessSet
vt_mmu_data_set (const VtCore *core)
{
  return vt_mmu_set_of (core, core->cpl, core->rflags);
}

/* Whether @linear is canonical for the paging that is on. */
static inline bool
vt_core_canonical (const VtCore *core, uint64_t linear)
{
  const unsigned shift = core->cr4 & VT_CR4_LA57 ? 7 : 16;
  return (uint64_t) ((int64_t) (linear << shift) >> shift) == linear;
}

/* Control and model-specific registers as instructions write them: may raise #GP. */
void vt_core_set_cr0 (VtCore *core, uint64_t value);
void vt_core_set_cr3 (VtCore *core, uint64_t value);
void vt_core_set_cr4 (VtCore *core, uint64_t value);
void vt_core_set_efer (VtCore *core, uint64_t value);
uint64_t vt_core_rdmsr (VtCore *core, uint32_t index);
void     vt_core_wrmsr (VtCore *core, uint32_t index, uint64_t value);
/* Reads the four PAE pointers of CR3; raises #GP where one has reserved bits set. */
void vt_core_load_pdptes (VtCore *core, uint64_t cr3);
