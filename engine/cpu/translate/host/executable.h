/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory for generated code: one memfd mapped twice, to be written and to be executed, so that no page is
 * ever both; and data behind it, which code reaches relative to RIP.
 */
#pragma once

#include "vt-base.h"

typedef struct
{
  uint8_t *write, *execute; /* The same memory; NULL: there is none. */
  uint8_t *data;            /* Right behind @execute. */
  size_t   size, data_size;
} VtExecutable;

/* Maps @size bytes of code and @data_size of data (multiples of 4 KiB, below 2 GiB together), zeroed and
 * taken from the host as they are touched. Returns: false where the host lets nobody have executable
 * memory; @area is empty then. */
bool vt_executable_map (VtExecutable *area, const char *name, size_t size, size_t data_size);
void vt_executable_unmap (VtExecutable *area);
/* Whether the host lets this program have any. */
bool vt_executable_allowed (void);
