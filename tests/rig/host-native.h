/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One instruction on this host's processor, with every register given.
 */
#pragma once

#include "vt-base.h"

#define HOST_NATIVE_STACK (256u * 1024)
/* Bytes of the XSAVE image in its standard format that count: vectors and masks are in them. */
#define HOST_NATIVE_IMAGE 3072u

/* What a run begins with, or leaves. */
typedef struct
{
  uint64_t gpr[16], rip, flags, cr2;
  bool     narrow; /* In: in the host's flat 32-bit code segment. */
  unsigned vector, error; /* Vector 256: none. */
  uint64_t features;      /* The parts of @image beyond SSE that are not in their initial state; of an outcome, all. */
  union
  {
    uint8_t legacy[512];  /* The beginning; 416 bytes of it count. */
    uint8_t image[HOST_NATIVE_IMAGE];
  };
} HostOutcome;

/* Runs what is at @in's RIP until the INT3 behind it, or its fault. @signal_stack: HOST_NATIVE_STACK bytes.
 * One at a time. */
void host_native_run (void *signal_stack, const HostOutcome *in, HostOutcome *out);
