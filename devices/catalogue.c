/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one list of device classes and boards.
 */
#include "gpu/bochs-display.h"
#include "gpu/vga.h"
#include "pci/ich9-lpc.h"
#include "pci/ich9-smbus.h"
#include "pci/pcie-root-port.h"
#include "pci/q35-host.h"
#include "platform/bios-rom.h"
#include "platform/debug-exit.h"
#include "platform/debug-port.h"
#include "platform/fw-cfg.h"
#include "platform/hpet.h"
#include "platform/i8042.h"
#include "platform/i8254.h"
#include "platform/i8259.h"
#include "platform/ioapic.h"
#include "platform/lapic.h"
#include "platform/mc146818.h"
#include "platform/pflash.h"
#include "platform/port92.h"
#include "platform/serial-16550.h"
#include "storage/ahci.h"
#include "vt-board.h"

const VtDeviceClass *const vt_device_classes[] = {
  &vt_ahci_class,
  &vt_bios_rom_class,
  &vt_bochs_display_class,
  &vt_debug_exit_class,
  &vt_debug_port_class,
  &vt_fw_cfg_class,
  &vt_hpet_class,
  &vt_i8042_class,
  &vt_i8254_class,
  &vt_i8259_class,
  &vt_ich9_lpc_class,
  &vt_ich9_smbus_class,
  &vt_ioapic_class,
  &vt_lapic_class,
  &vt_mc146818_class,
  &vt_pcie_root_port_class,
  &vt_pflash_class,
  &vt_port92_class,
  &vt_q35_host_class,
  &vt_serial_16550_class,
  &vt_vga_class,
  NULL,
};

extern const VtBoardClass vt_q35_board;

const VtBoardClass *const vt_boards[] = {
  &vt_q35_board,
  NULL,
};
