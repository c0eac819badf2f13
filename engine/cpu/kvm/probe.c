/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether /dev/kvm can be used, how well, and what to do about it where it can't. Whether guest code
 * runs in hardware is measured by running some: neither CPU flags nor module names tell it, since
 * nested and paravirtual hosts have them or lack them in every combination.
 */
#include "vitrine-host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../speed.h"
#include "probe-vm.h"

/* Below this, kernel-mode code cannot be running in hardware: the slowest x86 that has
 * virtualization does ten times as many. */
#define HARDWARE_SPEED 50e6

static VitrineKvmStatus
explain (const char *device, VtKvmStep step, int err, char **sentence, char **remedy)
{
  VitrineKvmStatus status = VITRINE_KVM_BROKEN;

  *remedy = NULL;
  if (step == VT_KVM_AT_OPEN && (err == ENOENT || err == ENODEV || err == ENXIO || err == ENOTDIR))
    {
      status = VITRINE_KVM_ABSENT;
      *sentence = g_strdup_printf ("There is no %s, so this host can't run guests with KVM.", device);
      *remedy = g_strdup ("Switch virtualization (VT-x or AMD-V) on in the computer's firmware "
                          "settings and load the module with `sudo modprobe kvm_intel` or `sudo "
                          "modprobe kvm_amd`; inside a container or virtual machine, its host must "
                          "pass /dev/kvm on.");
    }
  else if (step == VT_KVM_AT_OPEN && (err == EACCES || err == EPERM))
    {
      status = VITRINE_KVM_FORBIDDEN;
      *sentence = g_strdup_printf ("You may not open %s.", device);
      *remedy = g_strdup ("Join the group kvm with `sudo usermod -aG kvm $USER`, then log out and in "
                          "again.");
    }
  else if (err == EBUSY)
    {
      status = VITRINE_KVM_BUSY;
      *sentence = g_strdup ("Another hypervisor holds this computer's virtualization.");
      *remedy = g_strdup ("Stop the other hypervisor's machines (VirtualBox, VMware), or unload its "
                          "module, and try again.");
    }
  else if (step == VT_KVM_AT_VERSION)
    {
      *sentence = g_strdup_printf ("%s is not a KVM device of the version that every Linux since 2.6.22 "
                                   "has.",
                                   device);
      *remedy = g_strdup ("Update the kernel, or remove what stands there in its place.");
    }
  else if (step == VT_KVM_AT_CREATE)
    {
      *sentence = g_strdup_printf ("%s can be opened, but makes no virtual machine: %s.", device,
                                   g_strerror (err));
      *remedy = g_strdup ("See the kernel's messages with `sudo dmesg`; the processor's virtualization "
                          "may be locked in the firmware settings.");
    }
  else
    {
      *sentence = g_strdup_printf ("%s can't be opened: %s.", device, g_strerror (err));
      *remedy = g_strdup ("See the kernel's messages with `sudo dmesg`.");
    }
  return status;
}

bool
vt_kvm_set_error (GError **error, const char *device, VtKvmStep step, int err)
{
  static const VitrineError codes[] = {
    [VITRINE_KVM_USABLE] = VITRINE_ERROR_FAILED,
    [VITRINE_KVM_EMULATED] = VITRINE_ERROR_FAILED,
    [VITRINE_KVM_FORBIDDEN] = VITRINE_ERROR_DENIED,
    [VITRINE_KVM_BUSY] = VITRINE_ERROR_BUSY,
    [VITRINE_KVM_ABSENT] = VITRINE_ERROR_UNSUPPORTED,
    [VITRINE_KVM_BROKEN] = VITRINE_ERROR_UNSUPPORTED,
  };
  g_autofree char *sentence = NULL, *remedy = NULL;
  const VitrineKvmStatus status = explain (device, step, err, &sentence, &remedy);
  return vt_set_error (error, codes[status], "%s %s", sentence, remedy);
}

/* Where things are in the page, beside the code. */
#define END 0x700u /* Where it returns to: HLT. */
#define BUFFER 0x800u
#define STACK 0xf00u

/* Runs @n rounds of the loop at privilege level 0; seconds, or a negative number. */
static double
probe_loop (VtKvmProbe *probe, uint32_t n)
{
  const struct kvm_regs regs = {
    .rip = VT_PROBE_BASE,
    .rdi = n,
    .rsi = VT_PROBE_BASE + BUFFER,
    .rsp = VT_PROBE_BASE + STACK,
    .rflags = 2,
  };
  struct kvm_sregs sregs;

  memcpy (probe->page, vt_speed_code, (size_t) (vt_speed_code_end - vt_speed_code));
  probe->page[END] = 0xf4;
  vt_st32 (probe->page + STACK, VT_PROBE_BASE + END);
  if (!vt_kvm_probe_flat (probe, &sregs) || ioctl (probe->cpu, KVM_SET_SREGS, &sregs) < 0
      || ioctl (probe->cpu, KVM_SET_REGS, &regs) < 0)
    return -1;

  const int64_t start = vt_speed_now ();
  if (vt_kvm_ioctl (probe->cpu, KVM_RUN, NULL) < 0 || probe->run->exit_reason != KVM_EXIT_HLT)
    return -1;
  return (double) (vt_speed_now () - start) / (double) VT_NS_PER_SEC;
}

/* Instructions per second, 0 where guest code does not run at all. */
static double
measure (int kvm, int vm)
{
  VtKvmProbe probe;
  double     speed = 0;

  if (vt_kvm_probe_init (&probe, kvm, vm))
    /* The first round also warms the page tables. */
    for (uint32_t n = VT_SPEED_LEAST; n <= VT_SPEED_MOST / 4; n *= 4)
      {
        const double seconds = probe_loop (&probe, n);
        if (seconds < 0)
          {
            speed = 0;
            break;
          }
        speed = VT_SPEED_INSNS * n / MAX (seconds, 1e-9);
        if (seconds * VT_NS_PER_SEC >= VT_SPEED_NS)
          break;
      }
  vt_kvm_probe_finish (&probe);
  return speed;
}

static char **
list_capabilities (int vm)
{
  static const struct
  {
    int         capability;
    const char *name;
  } interesting[] = {
    { KVM_CAP_IRQCHIP, "irqchip" },
    { KVM_CAP_PIT2, "pit" },
    { KVM_CAP_IRQFD, "irqfd" },
    { KVM_CAP_IOEVENTFD, "ioeventfd" },
    { KVM_CAP_SIGNAL_MSI, "msi" },
    { KVM_CAP_READONLY_MEM, "read-only-memory" },
    { KVM_CAP_IMMEDIATE_EXIT, "immediate-exit" },
    { KVM_CAP_TSC_DEADLINE_TIMER, "tsc-deadline-timer" },
    { KVM_CAP_TSC_CONTROL, "tsc-control" },
    { KVM_CAP_X86_SMM, "system-management-mode" },
    { KVM_CAP_NESTED_STATE, "nested-state" },
    { KVM_CAP_XSAVE2, "xsave2" },
    { KVM_CAP_DIRTY_LOG_RING, "dirty-ring" },
    { KVM_CAP_HYPERV, "hyper-v" },
  };
  char **list = g_new0 (char *, G_N_ELEMENTS (interesting) + 1);
  for (unsigned i = 0; i < G_N_ELEMENTS (interesting); i++)
    list[i] = g_strconcat (vt_kvm_check (vm, interesting[i].capability) ? "" : "-",
                           interesting[i].name, NULL);
  return list;
}

static VitrineKvmReport *
look (const char *device)
{
  VitrineKvmReport *report = g_new0 (VitrineKvmReport, 1);
  int               vm = -1;
  const int         kvm = open (device, O_RDWR | O_CLOEXEC);

  if (kvm < 0)
    {
      report->status = explain (device, VT_KVM_AT_OPEN, errno, &report->sentence, &report->remedy);
      return report;
    }
  report->api_version = ioctl (kvm, KVM_GET_API_VERSION, 0);
  if (report->api_version != KVM_API_VERSION)
    {
      report->status =
          explain (device, VT_KVM_AT_VERSION, errno, &report->sentence, &report->remedy);
      report->api_version = MAX (report->api_version, 0);
    }
  else if ((vm = vt_kvm_ioctl (kvm, KVM_CREATE_VM, NULL)) < 0)
    report->status = explain (device, VT_KVM_AT_CREATE, errno, &report->sentence, &report->remedy);
  else
    {
      report->capabilities = list_capabilities (vm);
      report->instructions_per_second = measure (kvm, vm);
      if (report->instructions_per_second >= HARDWARE_SPEED)
        {
          report->status = VITRINE_KVM_USABLE;
          report->sentence = g_strdup_printf ("KVM runs guests in hardware (%.0f million kernel-mode "
                                              "instructions per second).",
                                              report->instructions_per_second / 1e6);
        }
      else if (report->instructions_per_second > 0)
        {
          report->status = VITRINE_KVM_EMULATED;
          report->sentence = g_strdup_printf ("KVM works, but emulates privileged guest code in software "
                                              "(%.1f million instructions per second).",
                                              report->instructions_per_second / 1e6);
          report->remedy = g_strdup ("Run on a computer whose processor virtualizes in hardware, or, in a "
                                     "virtual machine, switch nested virtualization on at its host.");
        }
      else
        {
          report->status = VITRINE_KVM_BROKEN;
          report->sentence = g_strdup_printf ("%s makes a virtual machine, but runs no guest code in it.",
                                              device);
          report->remedy = g_strdup ("See the kernel's messages with `sudo dmesg`.");
        }
    }
  if (vm >= 0)
    close (vm);
  close (kvm);
  if (!report->capabilities)
    report->capabilities = g_new0 (char *, 1);
  return report;
}

VitrineKvmReport *
vitrine_host_probe_kvm_at (const char *device)
{
  VitrineKvmReport *report = look (device);

  /* As "auto" chooses (vcpu.c). */
  report->chosen = vt_kvm_has_hardware () && report->instructions_per_second > 0;
  if (!report->chosen)
    {
      g_autofree char *reason = report->sentence;
      report->sentence = g_strconcat (reason, " Machines run in software instead.", NULL);
    }
  return report;
}

VitrineKvmReport *
vitrine_host_probe_kvm (void)
{
  return vitrine_host_probe_kvm_at ("/dev/kvm");
}

void
vitrine_kvm_report_free (VitrineKvmReport *report)
{
  if (!report)
    return;
  g_free (report->sentence);
  g_free (report->remedy);
  g_strfreev (report->capabilities);
  g_free (report);
}

const char *
vitrine_kvm_status_to_string (VitrineKvmStatus status)
{
  static const char *const names[] = { "usable", "emulated", "forbidden", "busy", "absent", "broken" };
  return (unsigned) status < G_N_ELEMENTS (names) ? names[status] : "broken";
}
