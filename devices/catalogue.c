/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one list of device classes and boards.
 */
#include "vt-board.h"

const VtDeviceClass *const vt_device_classes[] = {
  NULL,
};

const VtBoardClass *const vt_boards[] = {
  NULL,
};
