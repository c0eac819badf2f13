/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Why a vCPU can't go on, told to a person: one sentence, and below it the decoded instruction, its
 * bytes, where it is, and the registers.
 */
#include "kvm.h"

#include <Zydis/Zydis.h>

#define MOST_BYTES 15u /* An x86 instruction is no longer. */

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

static ZydisMachineMode
machine_mode (const VtCpuState *state)
{
  const bool real = !(state->cr0 & 1);
  switch (vt_cpu_code_bits (state))
    {
    case 64:
      return ZYDIS_MACHINE_MODE_LONG_64;
    case 32:
      return ZYDIS_MACHINE_MODE_LEGACY_32;
    default:
      return real ? ZYDIS_MACHINE_MODE_REAL_16 : ZYDIS_MACHINE_MODE_LEGACY_16;
    }
}

typedef struct
{
  VtCpuState state;
  uint8_t    bytes[MOST_BYTES];
  unsigned   n_bytes;
  unsigned   length; /* Of the decoded instruction; 0 where it isn't one. */
  char       text[128];
  char       where[64];
} Report;

static void
report_fill (VtKvmCpu *cpu, Report *report)
{
  GError *error = NULL;

  if (!vt_kvm_get (&cpu->base, &report->state, &error))
    {
      vt_trace ("kvm", "%s", error->message);
      g_clear_error (&error);
    }
  const VtCpuState *state = &report->state;
  const bool        wide = vt_cpu_code_bits (state) == 64;
  const uint64_t    base = wide ? 0 : state->seg[VT_CPU_CS].base;
  const uint64_t    linear = wide ? state->rip : (uint32_t) (base + state->rip);

  if (wide)
    g_snprintf (report->where, sizeof report->where, "%016" G_GINT64_MODIFIER "x", state->rip);
  else
    g_snprintf (report->where, sizeof report->where, "%04x:%0*" G_GINT64_MODIFIER "x",
                state->seg[VT_CPU_CS].selector, vt_cpu_code_bits (state) == 32 ? 8 : 4, state->rip);

  /* The bytes that the kernel tried to emulate, where it tells them; else what memory has now. */
  const struct kvm_run *run = cpu->run;
  if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR
      && run->emulation_failure.suberror == KVM_INTERNAL_ERROR_EMULATION
      && run->emulation_failure.ndata >= 3
      && (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
    {
      report->n_bytes = MIN (run->emulation_failure.insn_size, MOST_BYTES);
      memcpy (report->bytes, run->emulation_failure.insn_bytes, report->n_bytes);
    }
  if (report->n_bytes == 0)
    report->n_bytes = read_linear (cpu, linear, report->bytes, MOST_BYTES);

  ZydisDisassembledInstruction instruction;
  if (report->n_bytes
      && ZYAN_SUCCESS (ZydisDisassembleIntel (machine_mode (state), state->rip, report->bytes,
                                              report->n_bytes, &instruction)))
    {
      report->length = instruction.info.length;
      g_strlcpy (report->text, instruction.text, sizeof report->text);
    }
}

static char *
report_detail (const VtKvmCpu *cpu, const Report *report)
{
  GString       *out = g_string_new (NULL);
  const unsigned shown = report->length ? report->length : report->n_bytes;

  g_string_append_printf (out, "processor %u at %s, %s\n", cpu->base.index, report->where,
                          vt_cpu_mode_name (&report->state));
  if (report->length)
    g_string_append_printf (out, "instruction: %s\n", report->text);
  if (shown)
    {
      g_string_append (out, "bytes:");
      for (unsigned i = 0; i < shown; i++)
        g_string_append_printf (out, " %02x", report->bytes[i]);
      g_string_append_c (out, '\n');
    }
  else
    g_string_append (out, "bytes: not in readable memory\n");
  vt_cpu_state_print (&report->state, out);
  return g_string_free (out, FALSE);
}

static void
fail (VtKvmCpu *cpu, VtCpuEnd *end, const Report *report, char *status)
{
  end->kind = VT_CPU_END_ERROR;
  end->status = status;
  end->detail = report_detail (cpu, report);
}

static char *
emulation_status (const VtKvmCpu *cpu, const Report *report)
{
  if (report->n_bytes == 0)
    return g_strdup_printf ("The guest jumped to %s, where there is no memory, in %s.", report->where,
                            vt_cpu_mode_name (&report->state));
  if (!report->length)
    return g_strdup_printf ("The guest ran into bytes that are no instruction at %s, in %s.",
                            report->where, vt_cpu_mode_name (&report->state));
  return g_strdup_printf (
      "The guest's instruction “%s” at %s (%s) is one that this host's KVM would "
      "have to emulate and cannot, nor can Vitrine's interpreter; a host whose "
      "processor runs guests in hardware executes it.",
      report->text, report->where, vt_cpu_mode_name (&report->state));
}

void
vt_kvm_failure_internal (VtKvmCpu *cpu, VtCpuEnd *end)
{
  g_autofree Report    *report = g_new0 (Report, 1);
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
  g_autofree Report *report = g_new0 (Report, 1);
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
  g_autofree Report *report = g_new0 (Report, 1);
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
  g_autofree Report *report = g_new0 (Report, 1);
  report_fill (cpu, report);
  fail (cpu, end, report,
        g_strdup_printf ("KVM could not go on with the guest at %s: %s.", report->where,
                         g_strerror (err)));
}

void
vt_kvm_failure_triple (VtKvmCpu *cpu, VtCpuEnd *end)
{
  g_autofree Report *report = g_new0 (Report, 1);
  report_fill (cpu, report);
  fail (cpu, end, report,
        g_strdup_printf ("The guest's processor %u shut down at %s: a fault in its handler for a double "
                         "fault (triple fault).",
                         cpu->base.index, report->where));
  end->kind = VT_CPU_END_TRIPLE_FAULT;
}
