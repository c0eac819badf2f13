/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The machine behind `poke`: the board as it runs, with an idle CPU engine.
 */
#pragma once

#include "machine/machine-private.h"

/* @json is the machine's configuration, NULL for the plain one; @gsi hears of every interrupt input's
 * change. The platform's context and the clock are manual. Lives until the process ends. */
VtMachine *
oracle_board_new (const char *json, void (*gsi) (unsigned n, bool level), GError **error);
