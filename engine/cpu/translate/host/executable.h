/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory for generated code: one memfd mapped twice, to be written and to be executed, so that no page is
 * ever both.
 */
#pragma once

#include "vt-base.h"

typedef struct
{
  uint8_t *write, *execute; /* The same memory; NULL: there is none. */
  size_t   size;
} VtExecutable;

/* Maps @size bytes (a multiple of 4 KiB), zeroed and taken from the host as they are touched. Returns:
 * false where the host lets nobody have executable memory; @area is empty then. */
bool vt_executable_map (VtExecutable *area, const char *name, size_t size);
void vt_executable_unmap (VtExecutable *area);
