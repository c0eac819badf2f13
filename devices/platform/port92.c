/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * System control port A (0x92): the fast ways to gate A20 and to reset.
 */
#include "port92.h"

#define INIT_NOW 0x01
#define A20 0x02

static VtPort92 *
port_of (VtDevice *dev)
{
  return (VtPort92 *) dev;
}

static uint64_t
port_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return port_of (dev)->s.value;
}

static void
port_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtPort92 *port = port_of (dev);
  uint8_t   was = port->s.value;

  port->s.value = (uint8_t) value;
  vt_line_set (port->a20, (value & A20) != 0);
  /* The rise of bit 0 resets, not its level. */
  if ((value & ~was & INIT_NOW) != 0)
    vt_line_pulse (port->reset);
}

static const VtRegionOps port_ops = {
  .name = "port92",
  .min_size = 1,
  .max_size = 1,
  .read = port_read,
  .write = port_write,
};

static void
port_reset (VtDevice *dev, VtResetKind kind)
{
  VtPort92 *port = port_of (dev);

  port->s.value = 0;
  vt_line_set (port->a20, false);
}

static void
port_loaded (VtDevice *dev)
{
  vt_line_import (port_of (dev)->a20, (port_of (dev)->s.value & A20) != 0);
}

static bool
port_realize (VtDevice *dev, GError **error)
{
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &port_ops, 1), 0x92, 0);
  return true;
}

static const VtStateField port_fields[] = { VT_STATE (VtPort92State, value) };
static const VtStateDesc  port_state = VT_STATE_DESC (VtPort92State, 1, port_fields, NULL);

const VtDeviceClass vt_port92_class = {
  .id = "port92",
  .spec = "Intel ICH9 datasheet 316972, 13.7.3 PORT92 - Fast A20 and Init Register",
  .size = sizeof (VtPort92),
  .state_offset = offsetof (VtPort92, s),
  .state = &port_state,
  .realize = port_realize,
  .reset = port_reset,
  .loaded = port_loaded,
};
