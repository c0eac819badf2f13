/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware debug port: SeaBIOS and EDK II write their log to it, a byte at a time, if a read
 * gives the magic value. A log is not worth waiting for: what a slow reader does not take is lost.
 */
#include "debug-port.h"

#define DEFAULT_BASE 0x402
#define MAGIC 0xe9

static uint64_t
debug_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return MAGIC;
}

static void
debug_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtDebugPort *port = (VtDebugPort *) dev;
  uint8_t      c = (uint8_t) value;

  if (port->chr != NULL)
    {
      vt_char_write (port->chr, &c, 1);
      return;
    }
  if (c != '\n')
    port->line[port->len++] = g_ascii_isprint (c) ? (char) c : ' ';
  if (c == '\n' || port->len == sizeof port->line - 1)
    {
      port->line[port->len] = '\0';
      vt_trace (dev->path, "%s", port->line);
      port->len = 0;
    }
}

static const VtRegionOps debug_ops = {
  .name = "debug-port",
  .min_size = 1,
  .max_size = 1,
  .read = debug_read,
  .write = debug_write,
};

/* Nothing is ever received; the channel still wants a user. */
static size_t
room_cb (void *data)
{
  return 0;
}

static void
receive_cb (void *data, const uint8_t *bytes, size_t len)
{
}

static const VtCharUser char_user = { .room = room_cb, .receive = receive_cb };

static bool
debug_realize (VtDevice *dev, GError **error)
{
  VtDebugPort *port = (VtDebugPort *) dev;

  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &debug_ops, 1),
                 port->base != 0 ? port->base : DEFAULT_BASE, 0);
  vt_char_attach (port->chr, dev->context, &char_user, port);
  return true;
}

static void
debug_unrealize (VtDevice *dev)
{
  vt_char_attach (((VtDebugPort *) dev)->chr, dev->context, NULL, NULL);
}

const VtDeviceClass vt_debug_port_class = {
  .id = "debug-port",
  .spec = "Bochs debug port 0xe9 as firmware for virtual machines uses it: port 0x402, magic 0xe9",
  .size = sizeof (VtDebugPort),
  .state_offset = offsetof (VtDebugPort, line), /* Of nothing: there is no guest-visible state. */
  .state = &vt_state_none,
  .realize = debug_realize,
  .unrealize = debug_unrealize,
};
