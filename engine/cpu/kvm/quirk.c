/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A fault of some hosts' KVM, looked for by running guest code: those that emulate privileged code in
 * software (PVM) deliver an interrupt in 32-bit protected mode to ESP without adding the base of the
 * stack segment. The guest's handler then returns to whatever lies at SS:ESP. Exceptions that KVM itself
 * raises may share the fault; they can't be helped from here.
 */
#include <cpuid.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "probe-vm.h"

/* One page at PROBE_BASE. */
#define CODE 0x000u
#define GDT 0x100u
#define STACK 0x800u /* Where the frame ends that is in its right place. */
#define SS_BASE 0x400u
#define IDT 0x900u
#define VECTOR 0x20u

bool
vt_kvm_has_hardware (void)
{
  uint32_t   a, b, c, d;
  const bool vmx = __get_cpuid (1, &a, &b, &c, &d) && (c & 1u << 5);
  return vmx || (__get_cpuid (0x80000001, &a, &b, &c, &d) && (c & 1u << 2));
}

static void
prepare (uint8_t *page)
{
  memset (page + CODE, 0xf4, 16);                          /* HLT, the handler's and everybody's. */
  vt_st64 (page + GDT + 8, UINT64_C (0x00cf9b000000ffff)); /* 32-bit code. */
  vt_st64 (page + GDT + 16, UINT64_C (0x00cf93000000ffff)); /* Data. */
  vt_st32 (page + IDT + 8 * VECTOR, 8u << 16 | (VT_PROBE_BASE + CODE + 8));
  vt_st32 (page + IDT + 8 * VECTOR + 4, 0x8e00); /* A 32-bit interrupt gate. */
}

bool
vt_kvm_misplaces_frames (int kvm)
{
  VtKvmProbe            probe;
  struct kvm_sregs      sregs;
  struct kvm_interrupt  irq = { .irq = VECTOR };
  const struct kvm_regs regs = {
    .rip = VT_PROBE_BASE + CODE,
    .rsp = VT_PROBE_BASE + STACK - SS_BASE,
    .rflags = VT_BIT (9) | 2,
  };
  bool misplaced = false;

  /* Hardware delivers interrupts right, and a second virtual machine would cost every start some
   * milliseconds. */
  if (vt_kvm_has_hardware ())
    return false;
  const int vm = vt_kvm_ioctl (kvm, KVM_CREATE_VM, NULL);
  if (vt_kvm_probe_init (&probe, kvm, vm))
    {
      prepare (probe.page);
      if (vt_kvm_probe_flat (&probe, &sregs))
        {
          sregs.ss.base = SS_BASE;
          sregs.gdt = (struct kvm_dtable){ .base = VT_PROBE_BASE + GDT, .limit = 23 };
          sregs.idt = (struct kvm_dtable){ .base = VT_PROBE_BASE + IDT, .limit = 8 * VECTOR + 7 };
          misplaced = ioctl (probe.cpu, KVM_SET_SREGS, &sregs) == 0
                      && ioctl (probe.cpu, KVM_SET_REGS, &regs) == 0
                      && ioctl (probe.cpu, KVM_INTERRUPT, &irq) == 0
                      && vt_kvm_ioctl (probe.cpu, KVM_RUN, NULL) == 0
                      && (vt_ld32 (probe.page + STACK - 12) != regs.rip
                          || vt_ld32 (probe.page + STACK - 8) != sregs.cs.selector);
        }
    }
  vt_kvm_probe_finish (&probe);
  if (vm >= 0)
    close (vm);
  vt_trace ("kvm", "interrupts' frames are %s", misplaced ? "misplaced" : "in their place");
  return misplaced;
}
