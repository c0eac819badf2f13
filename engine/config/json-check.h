/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a text is JSON exactly as RFC 8259 has it, before the parser of json-glib sees it.
 */
#pragma once

#include <glib.h>

/* More than any file of ours nests, and far from what recursion in a parser could not stand. */
#define VT_JSON_MAX_DEPTH 64

/**
 * vt_json_check:
 * @origin: the file's name, for messages.
 * @lines: (element-type utf8 uint) or NULL: gets the line of each value, by its place:
 *   "remote.port", "disks[0].path". Places with a key of more than 64 bytes, or deeper than
 *   4 levels, are left out.
 *
 * Refuses what the parser would let pass and lose (comments, the same key twice, numbers out of
 * range, zero bytes in texts) and what it would not survive (nesting without end). Any length of
 * text is fine.
 */
gboolean vt_json_check (const char *text, gsize len, const char *origin, GHashTable *lines,
                        GError **error);
