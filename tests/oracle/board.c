/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A q35 of the devices that traces are for. Every device is freed by the end of the process: poke
 * lives for one trace.
 */
#include "board.h"

#include <stdlib.h>

#include "pci/ich9-lpc.h"
#include "pci/ich9-smbus.h"
#include "pci/pcie-root-port.h"
#include "pci/q35-host.h"

#define RAM (128 * VT_MIB) /* What stock QEMU has by default. */

static VtDevice *
make (OracleBoard *board, const VtDeviceClass *klass)
{
  VtDeviceEnv env = { .context = board->context, .clock = board->clock, .space = board->space };

  return vt_device_new (klass, klass->id, &env);
}

static bool
finish (VtDevice *dev, GError **error)
{
  if (!vt_device_realize (dev, error))
    return false;
  vt_device_resume (dev);
  return true;
}

static bool
add_root_port (OracleBoard *board, VtPciBus *bus, unsigned slot, GError **error)
{
  VtPcieRootPort *port = (VtPcieRootPort *) make (board, &vt_pcie_root_port_class);

  port->fn.bus = bus;
  port->fn.devfn = VT_PCI_DEVFN (slot, 0);
  port->slot = 1;
  return finish (&port->fn.base, error);
}

bool
oracle_board_build (OracleBoard *board, char **options, GError **error)
{
  VtRam       *ram;
  VtQ35Host   *host;
  VtIch9Lpc   *lpc;
  VtIch9Smbus *smbus;

  board->context = vt_context_new_manual ();
  board->clock = vt_clock_new_manual ();
  board->space = vt_space_new ();
  ram = vt_ram_new ("ram", RAM, error);
  if (ram == NULL)
    return false;
  vt_space_map_ram (board->space, ram, 0, 0xa0000, 0, 0);
  vt_space_map_ram (board->space, ram, VT_MIB, RAM - VT_MIB, VT_MIB, 0);

  host = (VtQ35Host *) make (board, &vt_q35_host_class);
  host->ram = ram;
  host->low_ram = RAM;
  if (!finish (&host->fn.base, error))
    return false;

  lpc = (VtIch9Lpc *) make (board, &vt_ich9_lpc_class);
  lpc->fn.bus = host->bus;
  lpc->fn.devfn = VT_ICH9_LPC_DEVFN;
  memcpy (lpc->gsi, board->gsi, sizeof lpc->gsi);
  if (!finish (&lpc->fn.base, error))
    return false;

  smbus = (VtIch9Smbus *) make (board, &vt_ich9_smbus_class);
  smbus->fn.bus = host->bus;
  smbus->fn.devfn = VT_ICH9_SMBUS_DEVFN;
  if (!finish (&smbus->fn.base, error))
    return false;

  for (; *options != NULL; options++)
    {
      if (g_str_has_prefix (*options, "root-port="))
        {
          if (!add_root_port (board, host->bus, (unsigned) atoi (strchr (*options, '=') + 1), error))
            return false;
        }
      else
        return vt_set_error (error, VITRINE_ERROR_INVALID, "poke does not know \"%s\"", *options);
    }
  return true;
}
