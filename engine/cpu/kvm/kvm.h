/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The KVM engine's own structs, shared by its files and by nobody else. Documentation/virt/kvm/api.rst
 * of Linux is the specification of every ioctl here.
 */
#pragma once

#include <linux/kvm.h>
#include <pthread.h>

#include "../vcpu.h"
#include "vt-chips.h"

/* With the kernel's interrupt controllers, and with the board's. */
extern const VtVcpuOps vt_kvm_ops, vt_kvm_user_irqchip_ops;

typedef struct
{
  VtGpa    gpa;
  uint64_t size;
  VtRam   *ram; /* NULL: the slot is free. */
  uint64_t offset;
  bool     rom, log;
} VtKvmSlot;

typedef struct VtKvmHelper VtKvmHelper; /* helper.c */

/* An MSI route: a GSI of its own behind an eventfd. */
typedef struct
{
  int      fd; /* -1: free. */
  uint64_t address;
  uint32_t message;
  bool     set, attached; /* Programmed and not masked; the irqfd is in place. */
} VtKvmRoute;

typedef struct
{
  VtCpuEngine base;
  int         kvm, vm;
  size_t      run_size; /* Of a vCPU's shared page. */
  unsigned    n_routes_max;
  bool        immediate_exit, read_only_memory, any_length_kicks, smm, xcrs, debugregs, adjust_clock,
      clock_ctrl, tsc_deadline;
  unsigned               xsave_size; /* Bytes of KVM_GET_XSAVE2, 0: only the plain 4 KiB one. */
  struct kvm_cpuid2     *cpuid; /* The host's, before each vCPU's own topology. */
  uint32_t               signature; /* Leaf 1's EAX. */

  /* Which MSRs this host reads and takes back; filled by the first vCPU. */
  uint32_t *msrs;
  unsigned  n_msrs;

  /* Memory slots, under the space's mutex. */
  GArray  *slots; /* of VtKvmSlot */
  unsigned n_slots_max;
  gint ram_changes; /* Atomic: counts what the listener hears about RAM, for the helper's TLB. */

  /* The board's interrupt controllers instead of the kernel's: user-irqchip.c, and not irqchip.c. */
  bool    user_irqchip;
  VtChips chips;

  GMutex  irq_lock; /* A leaf. */
  GArray *routes;   /* of VtKvmRoute */

  /* The chips as the kernel made them, which is how power-on leaves them. */
  VtPicPairState power_on_pic;
  VtIoapicState  power_on_ioapic;
  VtPitState     power_on_pit;

  /* While frozen. */
  bool           frozen;
  VtPitState     frozen_pit;
  VtPvClockState frozen_clock;
} VtKvm;

typedef struct
{
  VtCpu           base;
  int             fd;
  struct kvm_run *run;
  pthread_t       pthread; /* Of its thread, once that has run; see has_thread. */
  gint            has_thread;
  VtCpuState     *power_on;
  VtKvmHelper    *helper; /* NULL until KVM has failed to emulate something. */

  /* user-irqchip.c; its thread's, or anybody's while it is parked. */
  VtCpuPort   *port;
  VtCpuMpState mp_state;
  uint64_t     apic_base; /* As the local APIC has it. */
  bool         settled;   /* No register access is left for KVM_RUN to complete. */
  /* What kicks it out of its sleep; a leaf. */
  GMutex       sleep_lock;
  GCond        woken;
  bool         wake;
} VtKvmCpu;

/* kvm.c: an ioctl that goes on after a signal; -1 and errno. */
int vt_kvm_ioctl (int fd, unsigned long request, void *argument);
/* The value of a capability, 0 where there is none. */
int vt_kvm_check (int fd, int capability);
/* Something in the kernel has failed in a place that can return no error: ends the machine. */
void vt_kvm_fail (VtKvm *kvm, int err, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* memslots.c */
extern const VtSpaceListener vt_kvm_listener;
void vt_kvm_memslots_init (VtKvm *kvm);
void vt_kvm_memslots_finish (VtKvm *kvm);

/* irqchip.c */
bool vt_kvm_irqchip_init (VtKvm *kvm, GError **error);
void vt_kvm_irqchip_finish (VtKvm *kvm);
void vt_kvm_set_gsi (VtCpuEngine *engine, unsigned gsi, bool level);
void vt_kvm_nmi (VtCpu *cpu);
void vt_kvm_init_signal (VtCpu *cpu);
void vt_kvm_set_timer_taken (VtCpuEngine *engine, bool taken);
extern const VtMsiSinkOps vt_kvm_msi;

/* chips.c */
bool vt_kvm_chips_init (VtKvm *kvm, GError **error);
bool vt_kvm_reset_chips (VtCpuEngine *engine, GError **error);
void vt_kvm_freeze (VtCpuEngine *engine);
void vt_kvm_thaw (VtCpuEngine *engine);
#define VT_KVM_N_PARTS 4
#define VT_KVM_PVCLOCK 3 /* The part that the board's chips do not replace. */
extern const VtCpuPart vt_kvm_parts[VT_KVM_N_PARTS];

/* user-irqchip.c: the board's interrupt controllers around KVM_RUN. */
void vt_kvm_attach (VtCpuEngine *engine, const VtChips *chips);
/* Before KVM_RUN: the processor takes what waits for it, and sleeps while it is halted. False: somebody
 * wants it held, or it has ended and @end says how. */
bool vt_kvm_before_run (VtKvmCpu *cpu, VtCpuEnd *end);
void vt_kvm_after_run (VtKvmCpu *cpu);
/* KVM_EXIT_HLT. */
void vt_kvm_halted (VtKvmCpu *cpu);
/* RFLAGS has been set from outside: what KVM_RUN has said of interrupts is void. */
void vt_kvm_forget_window (VtKvmCpu *cpu, uint64_t rflags);
/* Parked: the local APIC and the multiprocessor state, which are not the kernel's. */
void vt_kvm_get_apic (VtKvmCpu *cpu, VtCpuState *state);
bool vt_kvm_set_apic (VtKvmCpu *cpu, const VtCpuState *state, GError **error);

/* cpuid.c */
bool vt_kvm_cpuid_init (VtKvm *kvm, GError **error);
bool vt_kvm_cpuid_set (VtKvmCpu *cpu, GError **error);
void vt_kvm_cpuid_get (VtCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* msr.c */
bool vt_kvm_msr_init (VtKvmCpu *cpu, GError **error);
bool vt_kvm_msr_get (VtKvmCpu *cpu, VtCpuState *state, GError **error);
/* What the host refuses is left out, with a trace. */
void vt_kvm_msr_set (VtKvmCpu *cpu, const VtCpuState *state);

/* Those of @indices that the host reads; and, of the same list, what differs from @was. */
void vt_kvm_msr_get_listed (VtKvmCpu *cpu, const uint32_t *indices, unsigned n, VtCpuState *state);
void vt_kvm_msr_set_changed (VtKvmCpu *cpu, const VtCpuState *state, const VtCpuState *was);

/* state.c */
/* Registers of every kind, events and XSAVE area; no MSRs, no local APIC, no multiprocessor state. The
 * second writes what differs from @was. */
bool vt_kvm_get_registers (VtKvmCpu *cpu, VtCpuState *state, GError **error);
bool vt_kvm_set_registers (VtKvmCpu *cpu, const VtCpuState *state, const VtCpuState *was,
                           GError **error);
bool vt_kvm_get (VtCpu *cpu, VtCpuState *state, GError **error);
bool vt_kvm_set (VtCpu *cpu, const VtCpuState *state, GError **error);
bool vt_kvm_reset (VtCpu *cpu, GError **error);

/* vcpu.c */
bool vt_kvm_cpu_init (VtCpu *cpu, GError **error);
void vt_kvm_cpu_finish (VtCpu *cpu);
void vt_kvm_run (VtCpu *cpu, VtCpuEnd *end);
void vt_kvm_kick (VtCpu *cpu);
/* A register, or the local APIC's where that is the board's. */
void vt_kvm_read (VtKvmCpu *cpu, VtGpa gpa, void *to, unsigned size);
void vt_kvm_write (VtKvmCpu *cpu, VtGpa gpa, const void *from, unsigned size);

/* helper.c: executes what KVM could not emulate. */
typedef enum
{
  VT_KVM_HELPED,     /* KVM_RUN may go on. */
  VT_KVM_NOT_HELPED, /* Nothing has changed. */
  VT_KVM_TRIPLE_FAULT,
} VtKvmHelp;
VtKvmHelp vt_kvm_help (VtKvmCpu *cpu);
/* Takes an interrupt: pushes its frame and goes to its handler. Only where RFLAGS.IF allows it. */
VtKvmHelp vt_kvm_help_interrupt (VtKvmCpu *cpu, uint8_t vector);
void      vt_kvm_helper_free (VtKvmHelper *helper);

/* failure.c: fill @end for a vCPU that can't go on. */
void vt_kvm_failure_internal (VtKvmCpu *cpu, VtCpuEnd *end);
void vt_kvm_failure_entry (VtKvmCpu *cpu, VtCpuEnd *end);
void vt_kvm_failure_exit (VtKvmCpu *cpu, VtCpuEnd *end);
void vt_kvm_failure_errno (VtKvmCpu *cpu, int err, VtCpuEnd *end);
void vt_kvm_failure_triple (VtKvmCpu *cpu, VtCpuEnd *end);

/* probe.c: why /dev/kvm can't be used, in words that a person understands. */
typedef enum
{
  VT_KVM_AT_OPEN,
  VT_KVM_AT_VERSION,
  VT_KVM_AT_CREATE,
} VtKvmStep;
/* @err: a positive errno; 0 at VT_KVM_AT_VERSION: the version is another one. */
bool vt_kvm_set_error (GError **error, const char *device, VtKvmStep step, int err);
/* quirk.c: whether this host's KVM puts an interrupt's frame in the wrong place. */
bool vt_kvm_misplaces_frames (int kvm);
/* Whether the processor has VT-x or AMD-V: without, a KVM that works emulates in software. */
bool vt_kvm_has_hardware (void);
