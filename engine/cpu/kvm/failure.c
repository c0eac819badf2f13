/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Why a vCPU can't go on, told to a person: one sentence, and below it the decoded instruction, its
 * bytes, where it is, and the registers.
 */
#include "kvm.h"

#include "../report.h"

/* Reads @most guest bytes at linear address @at; returns how many there are. */
static unsigned
read_linear (VtKvmCpu *cpu, uint64_t at, uint8_t *to, unsigned most)
{
  for (unsigned i = 0; i < most; i++)
    {
      struct kvm_translation translation = { .linear_address = at + i };
      uint64_t               rest;
      /* RAM only: looking at a device's register would change the machine. */
      if (vt_kvm_ioctl (cpu->fd, KVM_TRANSLATE, &translation) < 0 || !translation.valid)
        return i;
      const uint8_t *host =
          vt_space_host (cpu->base.engine->config.space, translation.physical_address, &rest);
      if (!host || rest == 0)
        return i;
      to[i] = *host;
    }
  return most;
}

static void
report_fill (VtKvmCpu *cpu, VtCpuReport *report)
{
  GError *error = NULL;

  if (!vt_kvm_get (&cpu->base, &report->state, &error))
    {
      vt_trace ("kvm", "%s", error->message);
      g_clear_error (&error);
    }
  /* The bytes that the kernel tried to emulate, where it tells them; else what memory has now. */
  const struct kvm_run *run = cpu->run;
  if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR
      && run->emulation_failure.suberror == KVM_INTERNAL_ERROR_EMULATION
      && run->emulation_failure.ndata >= 3
      && (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
    {
      report->n_bytes = MIN (run->emulation_failure.insn_size, VT_CPU_REPORT_BYTES);
      memcpy (report->bytes, run->emulation_failure.insn_bytes, report->n_bytes);
    }
  if (report->n_bytes == 0)
    report->n_bytes = read_linear (cpu, vt_cpu_report_linear (&report->state), report->bytes,
                                   VT_CPU_REPORT_BYTES);

  vt_cpu_report_decode (report);
}

static void
fail (VtKvmCpu *cpu, VtCpuEnd *end, const VtCpuReport *report, char *status)
{
  end->kind = VT_CPU_END_ERROR;
  end->status = status;
  end->detail = vt_cpu_report_detail (report, cpu->base.index);
}

static char *
emulation_status (const VtKvmCpu *cpu, const VtCpuReport *report)
{
  if (report->n_bytes == 0)
    return g_strdup_printf ("The guest jumped to %s, where there is no memory, in %s.", report->where,
                            vt_cpu_mode_name (&report->state));
  if (!report->length)
    return g_strdup_printf ("The guest ran into bytes that are no instruction at %s, in %s.",
                            report->where, vt_cpu_mode_name (&report->state));
  return g_strdup_printf (
      "The guest's instruction “%s” at %s (%s) had to be emulated on this host, and "
      "neither KVM nor Vitrine's interpreter knows it; where the processor runs guests in "
      "hardware, far fewer have to be.",
      report->text, report->where, vt_cpu_mode_name (&report->state));
}

void
vt_kvm_failure_internal (VtKvmCpu *cpu, VtCpuEnd *end)
{
  g_autofree VtCpuReport    *report = g_new0 (VtCpuReport, 1);
  const struct kvm_run *run = cpu->run;

  report_fill (cpu, report);
  switch (run->internal.suberror)
    {
    case KVM_INTERNAL_ERROR_EMULATION:
      fail (cpu, end, report, emulation_status (cpu, report));
      break;
    case KVM_INTERNAL_ERROR_SIMUL_EX:
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
      fail (cpu, end, report,
            g_strdup_printf ("KVM could not deliver an exception to the guest at %s: its interrupt "
                             "table or stack is not in ordinary memory.",
                             report->where));
      break;
    default:
      fail (cpu, end, report,
            g_strdup_printf ("The host's KVM gave up at %s with internal error %u; the host's kernel log "
                             "may say more.",
                             report->where, run->internal.suberror));
      break;
    }
}

void
vt_kvm_failure_entry (VtKvmCpu *cpu, VtCpuEnd *end)
{
  g_autofree VtCpuReport *report = g_new0 (VtCpuReport, 1);
  report_fill (cpu, report);
  fail (cpu, end, report,
        g_strdup_printf ("The host's processor refused the guest's state at %s (hardware reason "
                         "0x%" G_GINT64_MODIFIER "x).",
                         report->where,
                         (uint64_t) cpu->run->fail_entry.hardware_entry_failure_reason));
}

void
vt_kvm_failure_exit (VtKvmCpu *cpu, VtCpuEnd *end)
{
  g_autofree VtCpuReport *report = g_new0 (VtCpuReport, 1);
  report_fill (cpu, report);
  if (cpu->run->exit_reason == KVM_EXIT_SYSTEM_EVENT)
    fail (cpu, end, report,
          g_strdup_printf ("The guest reported a crash of its own at %s (system event %u).",
                           report->where, cpu->run->system_event.type));
  else
    fail (cpu, end, report,
          g_strdup_printf ("KVM left the guest at %s for a reason that is not known here (%u).",
                           report->where, cpu->run->exit_reason));
}

void
vt_kvm_failure_errno (VtKvmCpu *cpu, int err, VtCpuEnd *end)
{
  g_autofree VtCpuReport *report = g_new0 (VtCpuReport, 1);
  report_fill (cpu, report);
  fail (cpu, end, report,
        g_strdup_printf ("KVM could not go on with the guest at %s: %s.", report->where,
                         g_strerror (err)));
}

void
vt_kvm_failure_triple (VtKvmCpu *cpu, VtCpuEnd *end)
{
  g_autofree VtCpuReport *report = g_new0 (VtCpuReport, 1);
  report_fill (cpu, report);
  vt_cpu_report_triple (report, cpu->base.index, end);
}
