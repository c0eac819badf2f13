/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The KVM engine: the virtual machine's file descriptor and what the host's kernel can do.
 */
#include "kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vt-board.h"

int
vt_kvm_ioctl (int fd, unsigned long request, void *argument)
{
  int r;
  do
    r = ioctl (fd, request, argument);
  while (r < 0 && errno == EINTR);
  return r;
}

int
vt_kvm_check (int fd, int capability)
{
  const int r = ioctl (fd, KVM_CHECK_EXTENSION, capability);
  return MAX (r, 0);
}

void
vt_kvm_fail (VtKvm *kvm, int err, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *what = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  VtCpuEnd end = {
    .kind = VT_CPU_END_ERROR,
    .status = g_strdup_printf ("The host's KVM refused %s: %s.", what, g_strerror (err)),
  };
  vt_cpus_hold (&kvm->base);
  kvm->base.config.ended (kvm->base.config.data, &end);
  vt_cpu_end_clear (&end);
}

static bool
check_required (VtKvm *kvm, GError **error)
{
  static const struct
  {
    int         capability;
    const char *name;
  } required[] = {
    { KVM_CAP_USER_MEMORY, "user memory regions" },
    { KVM_CAP_IRQCHIP, "an interrupt controller" },
    { KVM_CAP_PIT2, "an interval timer" },
    { KVM_CAP_IRQ_ROUTING, "interrupt routing" },
    { KVM_CAP_IRQFD, "irqfd" },
    { KVM_CAP_SIGNAL_MSI, "message-signalled interrupts" },
    { KVM_CAP_IMMEDIATE_EXIT, "immediate exits" },
    { KVM_CAP_READONLY_MEM, "read-only memory" },
    { KVM_CAP_EXT_CPUID, "a list of processor features" },
    { KVM_CAP_VCPU_EVENTS, "access to pending events" },
    { KVM_CAP_MP_STATE, "multiprocessor state" },
    { KVM_CAP_XSAVE, "access to the extended state" },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (required); i++)
    if (!vt_kvm_check (kvm->vm, required[i].capability)
        && !vt_kvm_check (kvm->kvm, required[i].capability))
      return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                           "This host's KVM lacks %s; run a Linux kernel of 4.12 or newer.",
                           required[i].name);
  return true;
}

static void
destroy (VtCpuEngine *engine)
{
  VtKvm *kvm = (VtKvm *) engine;
  if (kvm->slots)
    vt_space_listen (engine->config.space, NULL, NULL);
  vt_kvm_irqchip_finish (kvm);
  vt_kvm_memslots_finish (kvm);
  if (kvm->vm >= 0)
    close (kvm->vm);
  if (kvm->kvm >= 0)
    close (kvm->kvm);
  g_free (kvm->cpuid);
  g_free (kvm->msrs);
  g_free (kvm);
}

static bool
init (VtKvm *kvm, GError **error)
{
  const unsigned n_cpus = kvm->base.config.n_cpus;

  kvm->kvm = open ("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm->kvm < 0)
    return vt_kvm_set_error (error, "/dev/kvm", VT_KVM_AT_OPEN, errno);
  const int version = ioctl (kvm->kvm, KVM_GET_API_VERSION, 0);
  if (version != KVM_API_VERSION)
    return vt_kvm_set_error (error, "/dev/kvm", VT_KVM_AT_VERSION, version < 0 ? errno : 0);
  kvm->vm = vt_kvm_ioctl (kvm->kvm, KVM_CREATE_VM, NULL);
  if (kvm->vm < 0)
    return vt_kvm_set_error (error, "/dev/kvm", VT_KVM_AT_CREATE, errno);
  if (!check_required (kvm, error))
    return false;
  kvm->user_irqchip = kvm->base.config.chips == VT_CPU_CHIPS_ATTACHED
                      || (kvm->base.config.chips == VT_CPU_CHIPS_AUTO
                          && vt_kvm_misplaces_frames (kvm->kvm));
  if (kvm->user_irqchip)
    kvm->base.ops = &vt_kvm_user_irqchip_ops;

  const int max = vt_kvm_check (kvm->vm, KVM_CAP_MAX_VCPUS);
  if (max && n_cpus > (unsigned) max)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "This host's KVM runs at most %d processors in a machine; set “cpus” to %d "
                         "or less.",
                         max, max);
  const int run_size = ioctl (kvm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (run_size < (int) sizeof (struct kvm_run))
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "This host's KVM has processor pages of %d bytes; a newer kernel is needed.",
                         run_size);
  kvm->run_size = (size_t) run_size;

  kvm->any_length_kicks = vt_kvm_check (kvm->vm, KVM_CAP_IOEVENTFD_ANY_LENGTH);
  kvm->smm = vt_kvm_check (kvm->vm, KVM_CAP_X86_SMM);
  kvm->xcrs = vt_kvm_check (kvm->vm, KVM_CAP_XCRS);
  kvm->debugregs = vt_kvm_check (kvm->vm, KVM_CAP_DEBUGREGS);
  kvm->adjust_clock = vt_kvm_check (kvm->vm, KVM_CAP_ADJUST_CLOCK);
  kvm->clock_ctrl = vt_kvm_check (kvm->vm, KVM_CAP_KVMCLOCK_CTRL);
  kvm->tsc_deadline = !kvm->user_irqchip && vt_kvm_check (kvm->vm, KVM_CAP_TSC_DEADLINE_TIMER);
  kvm->xsave_size = (unsigned) vt_kvm_check (kvm->vm, KVM_CAP_XSAVE2);
  if (kvm->xsave_size > VT_CPU_XSAVE)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "This host's processor has %u bytes of extended state, and at most %u are "
                         "known here.",
                         kvm->xsave_size, VT_CPU_XSAVE);

  /* Failures of privilege 3 come to us too, and not to the guest as an undefined opcode: helper.c. Where
   * the kernel is older than this, those stay as they were. */
  struct kvm_enable_cap failures = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = { 1 } };
  if (vt_kvm_check (kvm->vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE)
      && vt_kvm_ioctl (kvm->vm, KVM_ENABLE_CAP, &failures) < 0)
    vt_trace ("kvm", "no exits on emulation failures of user code: %s", g_strerror (errno));

  /* On Intel processors that cannot run real mode natively, KVM needs a page for identity-mapped
   * page tables and three for a task state segment: in the hole below every firmware image, where
   * the board's memory map reserves them. */
  uint64_t identity = VT_CPU_RESERVED_BASE;
  if (vt_kvm_check (kvm->vm, KVM_CAP_SET_IDENTITY_MAP_ADDR)
      && vt_kvm_ioctl (kvm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
    return vt_set_errno (error, errno, "KVM took no page for its identity map");
  if (vt_kvm_check (kvm->vm, KVM_CAP_SET_TSS_ADDR)
      && ioctl (kvm->vm, KVM_SET_TSS_ADDR, (unsigned long) VT_CPU_RESERVED_BASE + 0x1000) < 0)
    return vt_set_errno (error, errno, "KVM took no pages for its task state segment");

  if (!kvm->user_irqchip && (!vt_kvm_irqchip_init (kvm, error) || !vt_kvm_chips_init (kvm, error)))
    return false;
  if (!vt_kvm_cpuid_init (kvm, error))
    return false;
  vt_kvm_memslots_init (kvm);
  vt_space_listen (kvm->base.config.space, &vt_kvm_listener, kvm);
  return true;
}

static VtCpuEngine *
create (const VtCpuEngineConfig *config, GError **error)
{
  VtKvm *kvm = g_new0 (VtKvm, 1);
  kvm->base.ops = &vt_kvm_ops;
  kvm->base.config = *config;
  kvm->kvm = kvm->vm = -1;
  g_mutex_init (&kvm->irq_lock);
  if (!init (kvm, error))
    {
      destroy (&kvm->base);
      return NULL;
    }
  return &kvm->base;
}

static char *
describe (VtCpuEngine *engine)
{
  return g_strdup (vt_kvm_has_hardware ()
                       ? "KVM runs the guest's code on this computer's processor."
                       : "KVM emulates part of the guest's code, since this computer's processor has no "
                         "virtualization for it.");
}

const VtVcpuOps vt_kvm_ops = {
  .id = "kvm",
  .native = vt_kvm_has_hardware,
  .lacks = "KVM is not used: this computer's processor has no virtualization for it (VT-x or AMD-V).",
  .description = "Hardware virtualization by the Linux kernel",
  .cpu_size = sizeof (VtKvmCpu),
  .create = create,
  .destroy = destroy,
  .cpu_init = vt_kvm_cpu_init,
  .cpu_finish = vt_kvm_cpu_finish,
  .run = vt_kvm_run,
  .kick = vt_kvm_kick,
  .get = vt_kvm_get,
  .set = vt_kvm_set,
  .reset = vt_kvm_reset,
  .cpuid = vt_kvm_cpuid_get,
  .set_gsi = vt_kvm_set_gsi,
  .nmi = vt_kvm_nmi,
  .init = vt_kvm_init_signal,
  .msi = &vt_kvm_msi,
  .set_timer_taken = vt_kvm_set_timer_taken,
  .parts = vt_kvm_parts,
  .n_parts = VT_KVM_N_PARTS,
  .reset_chips = vt_kvm_reset_chips,
  .freeze = vt_kvm_freeze,
  .thaw = vt_kvm_thaw,
  .describe = describe,
};

const VtVcpuOps vt_kvm_user_irqchip_ops = {
  .id = "kvm",
  .native = vt_kvm_has_hardware,
  .lacks = "KVM is not used: this computer's processor has no virtualization for it (VT-x or AMD-V).",
  .description = "Hardware virtualization by the Linux kernel",
  .cpu_size = sizeof (VtKvmCpu),
  .create = create,
  .destroy = destroy,
  .cpu_init = vt_kvm_cpu_init,
  .cpu_finish = vt_kvm_cpu_finish,
  .run = vt_kvm_run,
  .kick = vt_kvm_kick,
  .get = vt_kvm_get,
  .set = vt_kvm_set,
  .reset = vt_kvm_reset,
  .cpuid = vt_kvm_cpuid_get,
  .attach = vt_kvm_attach,
  .parts = &vt_kvm_parts[VT_KVM_PVCLOCK],
  .n_parts = 1,
  .freeze = vt_kvm_freeze,
  .thaw = vt_kvm_thaw,
  .describe = describe,
};
