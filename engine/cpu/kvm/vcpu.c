/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One KVM vCPU: its making, its run loop, its exits, and the kick that no race can lose.
 */
#include "kvm.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../translate/mmu.h"

/* A signal that nothing else in the process uses. Its handler does nothing: that it came is enough to
 * end KVM_RUN. */
#define KICK_SIGNAL (SIGRTMIN + 4)

static void
kick_signal_cb (int signal)
{
}

static void
install_kick_signal (void)
{
  static gsize once;
  if (g_once_init_enter (&once))
    {
      struct sigaction action = { .sa_handler = kick_signal_cb, .sa_flags = SA_RESTART };
      sigemptyset (&action.sa_mask);
      sigaction (KICK_SIGNAL, &action, NULL);
      g_once_init_leave (&once, 1);
    }
}

bool
vt_kvm_cpu_init (VtCpu *base, GError **error)
{
  VtKvmCpu *cpu = (VtKvmCpu *) base;
  VtKvm    *kvm = (VtKvm *) base->engine;

  cpu->fd = ioctl (kvm->vm, KVM_CREATE_VCPU, (unsigned long) base->index);
  if (cpu->fd < 0)
    return vt_set_errno (error, errno, "KVM made no processor %u", base->index);
  void *run = mmap (NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
  if (run == MAP_FAILED)
    return vt_set_errno (error, errno, "Processor %u's page can't be mapped", base->index);
  cpu->run = run;
  install_kick_signal ();
  g_mutex_init (&cpu->sleep_lock);
  g_cond_init (&cpu->woken);
  cpu->settled = true;

  cpu->power_on = g_new0 (VtCpuState, 1);
  return vt_kvm_cpuid_set (cpu, error) && vt_kvm_msr_init (cpu, error)
         && vt_kvm_get (base, cpu->power_on, error) && vt_kvm_reset (base, error);
}

void
vt_kvm_cpu_finish (VtCpu *base)
{
  VtKvmCpu *cpu = (VtKvmCpu *) base;
  if (cpu->run)
    munmap (cpu->run, ((VtKvm *) base->engine)->run_size);
  if (cpu->fd > 0)
    close (cpu->fd);
  vt_kvm_helper_free (cpu->helper);
  g_free (cpu->power_on);
  g_mutex_clear (&cpu->sleep_lock);
  g_cond_clear (&cpu->woken);
}

/* The kernel reads immediate_exit when KVM_RUN begins. A kick that comes before finds KVM_RUN
 * returning at once by that byte; one that comes later ends it by the signal. A processor that is
 * halted outside of KVM sleeps under the lock. */
void
vt_kvm_kick (VtCpu *base)
{
  VtKvmCpu *cpu = (VtKvmCpu *) base;
  g_mutex_lock (&cpu->sleep_lock);
  cpu->wake = true;
  g_cond_signal (&cpu->woken);
  g_mutex_unlock (&cpu->sleep_lock);
  __atomic_store_n (&cpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
  if (g_atomic_int_get (&cpu->has_thread))
    pthread_kill (cpu->pthread, KICK_SIGNAL);
}

static void
port_exit (VtKvmCpu *cpu)
{
  const struct kvm_run *run = cpu->run;
  VtSpace              *space = cpu->base.engine->config.space;
  uint8_t              *data = (uint8_t *) cpu->run + run->io.data_offset;

  /* A string instruction comes as one exit with @count pieces, in the order of the guest. */
  for (unsigned i = 0; i < run->io.count; i++, data += run->io.size)
    if (run->io.direction == KVM_EXIT_IO_IN)
      vt_space_read (space, VT_SPACE_IO, run->io.port, data, run->io.size);
    else
      vt_space_write (space, VT_SPACE_IO, run->io.port, data, run->io.size);
}

/* Whether @gpa is in the page of the board's local APIC, and where. Accesses don't cross pages. */
static bool
in_apic (const VtKvmCpu *cpu, VtGpa gpa, unsigned *offset)
{
  *offset = (unsigned) (gpa & VT_PAGE_OFFSET);
  return cpu->port && (gpa & ~VT_PAGE_OFFSET) == cpu->port->page;
}

void
vt_kvm_read (VtKvmCpu *cpu, VtGpa gpa, void *to, unsigned size)
{
  const VtChips *chips = &((VtKvm *) cpu->base.engine)->chips;
  unsigned       offset;

  if (!in_apic (cpu, gpa, &offset))
    vt_space_read (cpu->base.engine->config.space, VT_SPACE_MEMORY, gpa, to, size);
  else
    for (unsigned done = 0; done < size; done += 4)
      {
        uint8_t        bytes[4];
        const unsigned piece = MIN (size - done, 4);
        vt_st32 (bytes, chips->ops->read (chips->data, cpu->base.index, offset + done, piece));
        memcpy ((uint8_t *) to + done, bytes, piece);
      }
}

void
vt_kvm_write (VtKvmCpu *cpu, VtGpa gpa, const void *from, unsigned size)
{
  const VtChips *chips = &((VtKvm *) cpu->base.engine)->chips;
  unsigned       offset;

  if (!in_apic (cpu, gpa, &offset))
    vt_space_write (cpu->base.engine->config.space, VT_SPACE_MEMORY, gpa, from, size);
  else
    for (unsigned done = 0; done < size; done += 4)
      {
        uint8_t        bytes[4] = { 0 };
        const unsigned piece = MIN (size - done, 4);
        memcpy (bytes, (const uint8_t *) from + done, piece);
        chips->ops->write (chips->data, cpu->base.index, offset + done, piece, vt_ld32 (bytes));
      }
}

static void
memory_exit (VtKvmCpu *cpu)
{
  struct kvm_run *run = cpu->run;
  const unsigned  size = MIN (run->mmio.len, (uint32_t) sizeof run->mmio.data);

  if (size == 0)
    return;
  if (run->mmio.is_write)
    vt_kvm_write (cpu, run->mmio.phys_addr, run->mmio.data, size);
  else
    vt_kvm_read (cpu, run->mmio.phys_addr, run->mmio.data, size);
}

static void
system_event (VtKvmCpu *cpu, VtCpuEnd *end)
{
  switch (cpu->run->system_event.type)
    {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
      end->kind = VT_CPU_END_POWEROFF;
      break;
    case KVM_SYSTEM_EVENT_RESET:
      end->kind = VT_CPU_END_RESET;
      break;
    default:
      vt_kvm_failure_exit (cpu, end);
      break;
    }
}

/* What KVM could not emulate, our interpreter executes. Returns: whether the vCPU goes on. */
static bool
internal_error (VtKvmCpu *cpu, VtCpuEnd *end)
{
  const VtKvmHelp help = cpu->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
                             ? vt_kvm_help (cpu)
                             : VT_KVM_NOT_HELPED;

  if (help == VT_KVM_TRIPLE_FAULT)
    vt_kvm_failure_triple (cpu, end);
  else if (help == VT_KVM_NOT_HELPED)
    vt_kvm_failure_internal (cpu, end);
  return help == VT_KVM_HELPED;
}

/* What ended KVM_RUN, beyond register accesses. Returns: whether the vCPU goes on. */
static bool
other_exit (VtKvmCpu *cpu, VtCpuEnd *end)
{
  switch (cpu->run->exit_reason)
    {
    case KVM_EXIT_SHUTDOWN:
      vt_kvm_failure_triple (cpu, end);
      return false;
    case KVM_EXIT_INTERNAL_ERROR:
      return internal_error (cpu, end);
    case KVM_EXIT_FAIL_ENTRY:
      vt_kvm_failure_entry (cpu, end);
      return false;
    case KVM_EXIT_SYSTEM_EVENT:
      system_event (cpu, end);
      return false;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
      return true;
    case KVM_EXIT_HLT:
      vt_kvm_halted (cpu);
      return true;
    default:
      vt_kvm_failure_exit (cpu, end);
      return false;
    }
}

void
vt_kvm_run (VtCpu *base, VtCpuEnd *end)
{
  VtKvmCpu       *cpu = (VtKvmCpu *) base;
  const VtKvm    *kvm = (const VtKvm *) base->engine;
  struct kvm_run *run = cpu->run;

  if (!g_atomic_int_get (&cpu->has_thread))
    {
      cpu->pthread = pthread_self ();
      g_atomic_int_set (&cpu->has_thread, 1);
    }
  for (;;)
    {
      if (kvm->user_irqchip && !vt_kvm_before_run (cpu, end))
        return;
      const int err = ioctl (cpu->fd, KVM_RUN, 0) < 0 ? errno : 0;
      if (kvm->user_irqchip)
        vt_kvm_after_run (cpu);
      cpu->settled = err == EINTR
                     || (run->exit_reason != KVM_EXIT_IO && run->exit_reason != KVM_EXIT_MMIO);
      if (err != 0)
        {
          if (err == EINTR)
            {
              /* Only here may a vCPU stop: KVM_RUN has first completed what the last exit left
               * half done. The byte is cleared before the flag is read, so a kick in between is seen
               * one way or the other. */
              __atomic_store_n (&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
              if (vt_cpu_must_stop (base))
                return;
            }
          else if (err != EAGAIN) /* An application processor has been woken by INIT or SIPI. */
            {
              vt_kvm_failure_errno (cpu, err, end);
              return;
            }
          continue;
        }
      if (run->exit_reason == KVM_EXIT_IO)
        port_exit (cpu);
      else if (run->exit_reason == KVM_EXIT_MMIO)
        memory_exit (cpu);
      else if (!other_exit (cpu, end))
        return;
    }
}
