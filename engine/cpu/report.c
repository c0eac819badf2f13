/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reports of vCPUs that can't go on: the decoded instruction and the registers.
 */
#include "report.h"

#include <Zydis/Zydis.h>

uint64_t
vt_cpu_report_linear (const VtCpuState *state)
{
  if (vt_cpu_code_bits (state) == 64)
    return state->rip;
  return (uint32_t) (state->seg[VT_CPU_CS].base + state->rip);
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

void
vt_cpu_report_decode (VtCpuReport *report)
{
  const VtCpuState *state = &report->state;
  const unsigned    bits = vt_cpu_code_bits (state);

  if (bits == 64)
    g_snprintf (report->where, sizeof report->where, "%016" G_GINT64_MODIFIER "x", state->rip);
  else
    g_snprintf (report->where, sizeof report->where, "%04x:%0*" G_GINT64_MODIFIER "x",
                state->seg[VT_CPU_CS].selector, bits == 32 ? 8 : 4, state->rip);

  ZydisDisassembledInstruction instruction;
  report->length = 0;
  if (report->n_bytes
      && ZYAN_SUCCESS (ZydisDisassembleIntel (machine_mode (state), state->rip, report->bytes,
                                              report->n_bytes, &instruction)))
    {
      report->length = instruction.info.length;
      g_strlcpy (report->text, instruction.text, sizeof report->text);
    }
}

char *
vt_cpu_report_detail (const VtCpuReport *report, unsigned cpu)
{
  GString       *out = g_string_new (NULL);
  const unsigned shown = report->length ? report->length : report->n_bytes;

  g_string_append_printf (out, "processor %u at %s, %s\n", cpu, report->where,
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

void
vt_cpu_report_triple (const VtCpuReport *report, unsigned cpu, VtCpuEnd *end)
{
  end->kind = VT_CPU_END_TRIPLE_FAULT;
  end->status = g_strdup_printf ("The guest's processor %u shut down at %s: a fault in its handler for a "
                                 "double fault (triple fault).",
                                 cpu, report->where);
  end->detail = vt_cpu_report_detail (report, cpu);
}
