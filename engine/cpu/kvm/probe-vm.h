/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A virtual machine of one page with one vCPU, for looking at what the host's KVM does.
 */
#pragma once

#include "kvm.h"

#define VT_PROBE_BASE 0x1000u /* The page, in the guest. */
#define VT_PROBE_SIZE 4096u

typedef struct
{
  int             cpu;
  size_t          run_size;
  struct kvm_run *run;
  uint8_t        *page;
} VtKvmProbe;

/* @kvm: /dev/kvm; @vm: a new machine, the caller's. False where it can't be. To be finished in either
 * case. */
bool vt_kvm_probe_init (VtKvmProbe *probe, int kvm, int vm);
void vt_kvm_probe_finish (VtKvmProbe *probe);
/* System registers of 32-bit protected mode with flat segments (8: code, 16: data), not set yet. */
bool vt_kvm_probe_flat (VtKvmProbe *probe, struct kvm_sregs *sregs);
