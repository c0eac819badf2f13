/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A CPU engine: what runs a guest's processors and the interrupt controllers beside them. KVM is one
 * (kvm/), a translator will be another; nothing here is special to either. The engine says how one
 * vCPU runs until it is kicked; vcpu.c owns the threads, so that holding, ending and waiting are the
 * same for both.
 */
#pragma once

#include "memory/space.h"
#include "vt-chips.h"
#include "vt-line.h"
#include "vt-state.h"

typedef struct VtCpu       VtCpu;
typedef struct VtCpuEngine VtCpuEngine;
typedef struct VtVcpuOps   VtVcpuOps;

#define VT_CPU_GSIS 24u      /* Pins of the I/O APIC; the lower 16 are the PIC pair's too. */
#define VT_CPU_MAX 255u      /* xAPIC ids 0 to 254; 255 is the broadcast. */
#define VT_CPU_MSRS 512u
#define VT_CPU_XSAVE 16384u  /* Room for the tile state of AMX (about 11 KiB). */

/* State ---------------------------------------------------------------------------------------- */

typedef struct
{
  uint64_t base;
  uint32_t limit; /* In bytes, granularity applied. */
  uint16_t selector;
  uint8_t  type, dpl;
  bool     present, code_or_data, db, l, g, avl; /* SDM volume 3, 3.4.5. */
  bool     unusable;
  uint8_t  pad_;
} VtCpuSegment;

enum
{
  VT_CPU_RAX, VT_CPU_RCX, VT_CPU_RDX, VT_CPU_RBX, VT_CPU_RSP, VT_CPU_RBP, VT_CPU_RSI, VT_CPU_RDI,
  VT_CPU_R8, VT_CPU_GPRS = 16, /* The order of the instruction encoding. */
};

enum
{
  VT_CPU_ES, VT_CPU_CS, VT_CPU_SS, VT_CPU_DS, VT_CPU_FS, VT_CPU_GS, VT_CPU_LDT, VT_CPU_TR,
  VT_CPU_SEGMENTS, /* The first six in the order of the instruction encoding. */
};

typedef enum
{
  VT_CPU_MP_RUNNABLE,
  VT_CPU_MP_WAIT_FOR_INIT, /* An application processor after reset, until INIT. */
  VT_CPU_MP_INIT_RECEIVED, /* Waits for SIPI. */
  VT_CPU_MP_HALTED,
  VT_CPU_MP_SIPI_RECEIVED,
} VtCpuMpState;

/* What is under way between two instructions. */
typedef struct
{
  bool     exception_injected, exception_pending, exception_has_error;
  uint8_t  exception;
  uint32_t exception_error;
  bool     interrupt_injected, interrupt_soft;
  uint8_t  interrupt;
  uint8_t  shadow; /* Bit 0: after MOV SS, bit 1: after STI. */
  bool     nmi_injected, nmi_pending, nmi_masked;
  bool     smm, smi_pending, smi_in_nmi, init_latched;
  uint8_t  pad_;
  uint32_t sipi_vector;
} VtCpuEvents;

typedef struct
{
  uint32_t index, pad_;
  uint64_t value;
} VtCpuMsr;

/* All of one vCPU that its guest can see, saved as it stands here. */
typedef struct
{
  uint64_t     gpr[VT_CPU_GPRS];
  uint64_t     rip, rflags;
  VtCpuSegment seg[VT_CPU_SEGMENTS];
  uint64_t     gdt_base, idt_base;
  uint32_t     gdt_limit, idt_limit;
  uint64_t     cr0, cr2, cr3, cr4, cr8;
  uint64_t     efer, apic_base, xcr0;
  uint64_t     dr[4], dr6, dr7;
  uint32_t     mp_state; /* VtCpuMpState. */
  VtCpuEvents  events;
  uint8_t      lapic[VT_LAPIC_PAGE];
  uint32_t     n_msrs, xsave_size, pad_;
  VtCpuMsr     msr[VT_CPU_MSRS];     /* By rising index; EFER and the APIC base are above. */
  uint8_t      xsave[VT_CPU_XSAVE];  /* The standard format, @xsave_size bytes of it used. */
} VtCpuState;

extern const VtStateDesc vt_cpu_state;

/* Puts the architectural registers of @state where RESET puts them (SDM volume 3, table 10-1); MSRs,
 * XSAVE area and local APIC keep what the engine found at the vCPU's creation. @signature: CPUID leaf
 * 1's EAX. */
void vt_cpu_state_reset (VtCpuState *state, bool bsp, uint32_t signature);
/* The same for INIT, which leaves caches, units, XCR0 and the APIC base as they are; and for the SIPI
 * behind it (11.4.4), at @vector's page. */
void vt_cpu_state_init (VtCpuState *state, bool bsp, uint32_t signature);
void vt_cpu_state_startup (VtCpuState *state, uint8_t vector);

/* "16-bit real mode", … */
const char *vt_cpu_mode_name (const VtCpuState *state);
/* Width of the code segment: 16, 32 or 64. */
unsigned vt_cpu_code_bits (const VtCpuState *state);
/* Appends registers, a few per line. */
void vt_cpu_state_print (const VtCpuState *state, GString *out);

/* Engines -------------------------------------------------------------------------------------- */

typedef enum
{
  VT_CPU_END_KICKED,       /* Somebody wants it held. */
  VT_CPU_END_TRIPLE_FAULT, /* The processor has shut down. */
  VT_CPU_END_RESET,        /* The guest asked the hypervisor itself. */
  VT_CPU_END_POWEROFF,
  VT_CPU_END_ERROR,        /* It can't go on. */
} VtCpuEndKind;

typedef struct
{
  VtCpuEndKind kind;
  unsigned     cpu;
  char        *status; /* One sentence for the user; NULL where the kind says all. */
  char        *detail; /* Lines of registers and the decoded instruction; may be NULL. */
} VtCpuEnd;

void vt_cpu_end_clear (VtCpuEnd *end);

/* Whose interrupt controllers an engine is to use that could do with either. */
typedef enum
{
  VT_CPU_CHIPS_INSIDE,   /* Its own. */
  VT_CPU_CHIPS_ATTACHED, /* The board's: VtVcpuOps.attach will be called. */
  VT_CPU_CHIPS_AUTO,     /* Its own, unless this host has them wrong; the board can make some. */
} VtCpuChips;

typedef struct
{
  VtSpace *space;
  unsigned n_cpus; /* 1 to VT_CPU_MAX. */
  /* A vCPU has ended by itself, or the engine has failed. On any thread, no lock held; it queues. */
  void (*ended) (void *data, const VtCpuEnd *end);
  void *data;
  VtCpuChips chips;
  /* The guest clock, which time in software follows; NULL: the host's. */
  VtClock *clock;
  uint64_t memory; /* The machine's RAM, in bytes. */
} VtCpuEngineConfig;

/* A chip or clock that the engine has inside and that is saved with the machine. */
typedef struct
{
  const char        *path;  /* The section's key: "cpu/ioapic". */
  const char        *klass; /* "ioapic": what the state is of, whichever engine models it. */
  const VtStateDesc *desc;
  bool (*get) (VtCpuEngine *engine, void *state, GError **error);
  bool (*set) (VtCpuEngine *engine, const void *state, GError **error);
} VtCpuPart;

struct VtVcpuOps
{
  const char *id; /* "kvm": a value of the configuration's "cpu-engine". */
  const char *description;
  size_t      cpu_size; /* Of its own struct, which begins with a VtCpu. */

  /* Whether this host does for it what it is meant to: where not, "auto" takes it only if no other works,
   * and says in the words of @lacks why. NULL: every host does. */
  bool (*native) (void);
  const char *lacks;

  /* Makes the engine without its vCPUs; its own struct begins with a VtCpuEngine. It listens to
   * @config->space. An engine that works in two ways has a second table of functions, and sets
   * VtCpuEngine.ops to the one that counts. @error says what the host lacks, and the remedy. */
  VtCpuEngine *(*create) (const VtCpuEngineConfig *config, GError **error);
  void (*destroy) (VtCpuEngine *engine);

  /* cpu_init makes vCPU @cpu->index in its reset state; cpu_finish also follows a failed one. */
  bool (*cpu_init) (VtCpu *cpu, GError **error);
  void (*cpu_finish) (VtCpu *cpu);
  /* Runs guest code on this thread until vt_cpu_must_stop() or an end of its own, whose kind, status
   * and detail it sets. A register access that is under way is completed before it returns. */
  void (*run) (VtCpu *cpu, VtCpuEnd *end);
  /* Makes run look at vt_cpu_must_stop() soon. Any thread. */
  void (*kick) (VtCpu *cpu);
  /* Parked vCPUs only. set() skips MSRs that the host refuses, with a trace. */
  bool (*get) (VtCpu *cpu, VtCpuState *state, GError **error);
  bool (*set) (VtCpu *cpu, const VtCpuState *state, GError **error);
  bool (*reset) (VtCpu *cpu, GError **error);
  /* What CPUID answers on @cpu: EAX, EBX, ECX, EDX; zeros for a leaf that is not there. */
  void (*cpuid) (VtCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

  /* An engine without interrupt controllers of its own has this, and takes the board's before the first
   * run (vt-chips.h); they are reset, saved and paused as devices, but for the local APICs, which are
   * part of the vCPUs' state. What follows may be NULL then. */
  void (*attach) (VtCpuEngine *engine, const VtChips *chips);
  /* Its processors have system management mode, and see VT_SPACE_SMM in it. Such an engine uses the board's
   * interrupt controllers, by which SMIs come. */
  bool smm;

  /* Interrupts; any thread, never blocking. GSI 0 is pin 2 of the I/O APIC, as the MADT says. */
  void (*set_gsi) (VtCpuEngine *engine, unsigned gsi, bool level);
  void (*nmi) (VtCpu *cpu);
  void (*init) (VtCpu *cpu); /* The INIT signal. */
  const VtMsiSinkOps *msi; /* Its data is the engine. */
  /* The HPET has taken timer interrupt 0 over (legacy replacement), or given it back. */
  void (*set_timer_taken) (VtCpuEngine *engine, bool taken);

  /* The chips; vCPUs parked. */
  const VtCpuPart *parts;
  unsigned         n_parts;
  bool (*reset_chips) (VtCpuEngine *engine, GError **error);
  /* Time inside the engine stands still between the two. */
  void (*freeze) (VtCpuEngine *engine);
  void (*thaw) (VtCpuEngine *engine);

  /* One sentence about how the guest's code is run, for a person. (transfer full) */
  char *(*describe) (VtCpuEngine *engine);
};

struct VtCpuEngine
{
  const VtVcpuOps  *ops;
  VtCpuEngineConfig config;
  VtCpu           **cpus; /* config.n_cpus of them. */
  char             *why;  /* "auto" took it: a sentence; NULL: it was asked for. */
  const char       *warning; /* What the user is to know at the start, set by create(); NULL: nothing. */
  /* Private to vcpu.c. */
  GMutex lock;
  GCond  changed;
  bool   running, quit;
  gint   ready; /* Every vCPU has its thread. */
};

struct VtCpu
{
  VtCpuEngine *engine;
  unsigned     index; /* Also its APIC id. */
  /* Private to vcpu.c. */
  GThread *thread;
  bool     parked, ended;
  gint     stop;
};

/* NULL-terminated, in the order in which "auto" tries them: engines.c. */
extern const VtVcpuOps *const vt_cpu_engines[];
/* By id ("auto" is none of them); NULL and @error names those that there are. */
const VtVcpuOps *vt_cpu_engine_find (const char *id, GError **error);

/**
 * vt_cpu_engine_new:
 * @id: "auto" or an engine's id.
 *
 * Makes an engine with its vCPUs parked on threads of their own. Where "auto" finds none that works,
 * @error is the first one's.
 */
VtCpuEngine *vt_cpu_engine_new (const char *id, const VtCpuEngineConfig *config, GError **error);
/* How the guest's code is run, and why so where "auto" has chosen: sentences for a person. (transfer full) */
char *vt_cpu_engine_describe (VtCpuEngine *engine);
/* Ends the vCPU threads; nothing runs any more, but lines and MSIs may still call. */
void vt_cpu_engine_stop (VtCpuEngine *engine);
/* Stops it if that has not been done, and frees. NULL is allowed. */
void vt_cpu_engine_free (VtCpuEngine *engine);

/* Lets every vCPU run that has not ended since its last reset. */
void vt_cpus_run (VtCpuEngine *engine);
/* Asks every vCPU to park, and returns at once: any thread, a vCPU's own too, any lock. A vCPU that
 * asks executes no further guest instruction. */
void vt_cpus_hold (VtCpuEngine *engine);
/* Waits until all are parked. @culprit (may be NULL): one that is not. Returns: false after @timeout_ns. */
bool vt_cpus_wait (VtCpuEngine *engine, int64_t timeout_ns, unsigned *culprit);
/* Chips and vCPUs as power-on leaves them; parked only. */
bool vt_cpus_reset (VtCpuEngine *engine, GError **error);

/* The vCPU whose thread this is; NULL: no vCPU's. */
VtCpu *vt_cpu_current (void);

/* For run: whether somebody wants it held. */
bool vt_cpu_must_stop (const VtCpu *cpu);
