/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the display layer gets of a machine: its consoles and its input hub. Both live as long as the
 * machine object is built; "notify::state" tells when it is torn down.
 */
#pragma once

#include "vitrine-machine.h"
#include "vt-console.h"
#include "vt-input.h"

/* NULL where the machine has no such console. Default main context's thread. */
VtConsole *vt_display_console (VitrineMachine *machine, unsigned n);
VtInput   *vt_display_input (VitrineMachine *machine);
