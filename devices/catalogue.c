/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one list of device classes and boards.
 */
#include "platform/bios-rom.h"
#include "platform/fw-cfg.h"
#include "vt-board.h"

const VtDeviceClass *const vt_device_classes[] = {
  &vt_bios_rom_class,
  &vt_fw_cfg_class,
  NULL,
};

const VtBoardClass *const vt_boards[] = {
  NULL,
};
