/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From what a person writes to keys: chords such as "ctrl+alt+delete", and text on a US keyboard.
 */
#pragma once

#include <glib.h>

/* More keys than hands have fingers are not a chord. */
#define VT_KEYS_MAX_CHORD 8

/**
 * vt_keys_parse_chord:
 * @codes: gets the evdev codes in the order in which they are pressed.
 *
 * Names are those of keys ("Return", "F12", "delete", "left"), in any case, and the characters of a
 * US keyboard without shift; "plus" is the + key with shift.
 *
 * Returns: how many, 0 with @error set.
 */
guint vt_keys_parse_chord (const char *chord, guint codes[VT_KEYS_MAX_CHORD], GError **error);

/* The key that types @ch on a US keyboard, and whether with shift. FALSE: there is none. */
gboolean vt_keys_from_char (gunichar ch, guint *code, gboolean *shift);
