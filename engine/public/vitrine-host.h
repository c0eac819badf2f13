/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What this host can do for machines, for `vitrine doctor` and the preferences.
 */
#pragma once

#include "vitrine-error.h"

G_BEGIN_DECLS

/**
 * VitrineKvmStatus:
 * @VITRINE_KVM_USABLE: guest code runs at the processor's own speed.
 * @VITRINE_KVM_EMULATED: it works, but the kernel emulates privileged guest code instruction by
 *   instruction, and may stop at one that it does not know. Measured, not guessed.
 * @VITRINE_KVM_FORBIDDEN: the device is there and this user may not open it.
 * @VITRINE_KVM_BUSY: another hypervisor holds the processor's virtualization.
 * @VITRINE_KVM_ABSENT: there is no KVM device.
 * @VITRINE_KVM_BROKEN: it can be opened but not used.
 */
typedef enum
{
  VITRINE_KVM_USABLE,
  VITRINE_KVM_EMULATED,
  VITRINE_KVM_FORBIDDEN,
  VITRINE_KVM_BUSY,
  VITRINE_KVM_ABSENT,
  VITRINE_KVM_BROKEN,
} VitrineKvmStatus;

typedef struct
{
  VitrineKvmStatus status;
  char            *sentence; /* What is so. */
  char            *remedy;   /* What to do about it; NULL where there is nothing to do. */
  double           instructions_per_second; /* Of kernel-mode guest code; 0: not measured. */
  int              api_version;             /* 12; 0: not known. */
  char           **capabilities; /* NULL-terminated; a leading '-' on those that are missing. */
  gboolean         chosen; /* A machine with the CPU engine "auto" takes it. */
} VitrineKvmReport;

/* Opens /dev/kvm and runs a short loop of kernel-mode code: some tens of milliseconds. Any thread. */
VitrineKvmReport *vitrine_host_probe_kvm (void);
/* The same of another device file, for tests. */
VitrineKvmReport *vitrine_host_probe_kvm_at (const char *device);
void              vitrine_kvm_report_free (VitrineKvmReport *report);
/* "usable", "emulated", …: stable, not translated. */
const char *vitrine_kvm_status_to_string (VitrineKvmStatus status);

typedef struct
{
  /* Instructions per second of one loop: by this computer's processor itself, and by the processor in
   * software (0: it doesn't run). */
  double   native, software;
  gboolean translated; /* In software; else interpreted. */
} VitrineSpeed;

/* Runs the loop for some tens of milliseconds. Any thread. */
void vitrine_host_measure (VitrineSpeed *speed);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VitrineKvmReport, vitrine_kvm_report_free)

G_END_DECLS
