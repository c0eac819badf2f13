/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Why a vCPU can't go on, told to a person: one sentence, and below it the decoded instruction, its
 * bytes, where it is, and the registers. For every CPU engine.
 */
#pragma once

#include "vcpu.h"

#define VT_CPU_REPORT_BYTES 15u /* An x86 instruction is no longer. */

typedef struct
{
  VtCpuState state;                       /* To be filled first, */
  uint8_t    bytes[VT_CPU_REPORT_BYTES];  /* then what is at vt_cpu_report_linear(). */
  unsigned   n_bytes;
  /* By vt_cpu_report_decode(). */
  unsigned length; /* Of the decoded instruction; 0 where it isn't one. */
  char     text[128];
  char     where[64];
} VtCpuReport;

/* The linear address of the instruction. */
uint64_t vt_cpu_report_linear (const VtCpuState *state);
void     vt_cpu_report_decode (VtCpuReport *report);
/* (transfer full) */
char *vt_cpu_report_detail (const VtCpuReport *report, unsigned cpu);
/* Fills @end for processor @cpu, which has shut down. */
void vt_cpu_report_triple (const VtCpuReport *report, unsigned cpu, VtCpuEnd *end);
