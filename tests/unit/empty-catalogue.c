/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A catalogue without devices, for tests of the engine alone.
 */
#include "vt-board.h"

const VtDeviceClass *const vt_device_classes[] = { NULL };
const VtBoardClass *const  vt_boards[] = { NULL };
