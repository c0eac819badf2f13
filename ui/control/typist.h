/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gives a guest keys, clicks and motion at a pace that its keyboard controller and driver keep up
 * with. Default main context.
 */
#pragma once

#include "vitrine-machine.h"

/* Between two events where the caller has no wish. A BIOS polls its controller, and an emulated one
 * takes its time; 15 ms is 33 characters a second. */
#define VT_TYPIST_DELAY_MS 15

typedef struct VtTypist VtTypist;

/* Called once the last event of a job has been given; @error where the machine went away first. NULL:
 * nobody waits. */
typedef void (*VtTypistDone) (gpointer data, const GError *error);

VtTypist *vt_typist_new (VitrineMachine *machine);
/* Ends the jobs that wait with an error, and releases what is pressed. */
void vt_typist_free (VtTypist *typist);

/* Jobs run one after another. Each returns FALSE with @error, and never calls @done, where a
 * character has no key, a key no name, or too many events wait. @delay_ms 0: the default. */
gboolean vt_typist_type (VtTypist *typist, const char *text, guint delay_ms, VtTypistDone done,
                         gpointer data, GError **error);
gboolean vt_typist_chord (VtTypist *typist, const char *chord, VtTypistDone done, gpointer data,
                          GError **error);
/* @button 1 to 3, or 0 to move only. With a relative pointer the way goes through the top left
 * corner, so a guest that accelerates the pointer misses. */
gboolean vt_typist_click (VtTypist *typist, int x, int y, guint button, guint count,
                          VtTypistDone done, gpointer data, GError **error);
