/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one list of device classes and boards.
 */
#include "platform/bios-rom.h"
#include "platform/debug-port.h"
#include "platform/fw-cfg.h"
#include "platform/mc146818.h"
#include "platform/serial-16550.h"
#include "storage/ahci.h"
#include "vt-board.h"

const VtDeviceClass *const vt_device_classes[] = {
  &vt_ahci_class,
  &vt_bios_rom_class,
  &vt_debug_port_class,
  &vt_fw_cfg_class,
  &vt_mc146818_class,
  &vt_serial_16550_class,
  NULL,
};

const VtBoardClass *const vt_boards[] = {
  NULL,
};
