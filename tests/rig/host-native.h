/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One instruction on this host's processor, with every register given.
 */
#pragma once

#include "vt-base.h"

#define HOST_NATIVE_STACK (256u * 1024)

/* What a run begins with, or leaves. */
typedef struct
{
  uint64_t gpr[16], rip, flags, cr2;
  unsigned vector, error; /* Vector 256: none. */
  uint8_t  legacy[512];   /* The beginning of the XSAVE image; 416 bytes of it count. */
} HostOutcome;

/* Runs what is at @in's RIP until the INT3 behind it, or its fault. @signal_stack: HOST_NATIVE_STACK bytes.
 * One at a time. */
void host_native_run (void *signal_stack, const HostOutcome *in, HostOutcome *out);
