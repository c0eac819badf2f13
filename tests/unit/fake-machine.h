/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a test sees of the machine without an engine.
 */
#pragma once

#include "vitrine-machine.h"

/* What it was given so far, one event a line. */
const char *fake_machine_log (VitrineMachine *machine);
