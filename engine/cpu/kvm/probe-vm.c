/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The small virtual machine in which probes run their code.
 */
#include "probe-vm.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

bool
vt_kvm_probe_init (VtKvmProbe *probe, int kvm, int vm)
{
  const int run_size = ioctl (kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

  *probe = (VtKvmProbe){ .cpu = -1 };
  if (run_size < (int) sizeof (struct kvm_run))
    return false;
  probe->run_size = (size_t) run_size;

  void *page = mmap (NULL, VT_PROBE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0);
  if (page == MAP_FAILED)
    return false;
  probe->page = page;
  struct kvm_userspace_memory_region region = {
    .guest_phys_addr = VT_PROBE_BASE,
    .memory_size = VT_PROBE_SIZE,
    .userspace_addr = (uintptr_t) page,
  };
  uint64_t identity = 0xfeffc000;
  /* Hosts that know no such addresses need none. */
  ioctl (vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
  ioctl (vm, KVM_SET_TSS_ADDR, (unsigned long) identity + 0x1000);
  if (ioctl (vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
    return false;
  probe->cpu = ioctl (vm, KVM_CREATE_VCPU, 0ul);
  if (probe->cpu < 0)
    return false;
  void *run = mmap (NULL, probe->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, probe->cpu, 0);
  if (run == MAP_FAILED)
    return false;
  probe->run = run;
  return true;
}

void
vt_kvm_probe_finish (VtKvmProbe *probe)
{
  if (probe->run)
    munmap (probe->run, probe->run_size);
  if (probe->cpu >= 0)
    close (probe->cpu);
  if (probe->page)
    munmap (probe->page, VT_PROBE_SIZE);
}

bool
vt_kvm_probe_flat (VtKvmProbe *probe, struct kvm_sregs *sregs)
{
  const struct kvm_segment data = {
    .limit = 0xffffffff,
    .selector = 16,
    .type = 3,
    .present = 1,
    .db = 1,
    .s = 1,
    .g = 1,
  };

  if (ioctl (probe->cpu, KVM_GET_SREGS, sregs) < 0)
    return false;
  sregs->cs = data;
  sregs->cs.selector = 8;
  sregs->cs.type = 11;
  sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
  sregs->cr0 |= 1;
  return true;
}
