/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A paused machine's state in a file, and back. Both run on the state driver's thread.
 */
#pragma once

#include "machine-private.h"

/* Writes from offset 0 of @fd and cuts it there. */
bool vt_snapshot_save (VtMachine *machine, int fd, GError **error);
/* Reads from offset 0. Every section is validated before any is committed: where it fails, the
 * machine is as it was, unless the host refuses or the file changes in the middle of the commit. */
bool vt_snapshot_load (VtMachine *machine, int fd, GError **error);

/* Adds @len bytes to a section's checksum, which finds damage, not forgery: a payload, whose pieces but
 * the last are multiples of 8 bytes, then the first 16 bytes of its head, its path and its class. */
uint64_t vt_snapshot_checksum (uint64_t sum, const uint8_t *data, uint64_t len);
