/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The debug exit: test guests write their result to it. The status is odd, (value << 1) | 1, so that
 * no guest can fake the status 0 of an orderly power-off.
 */
#include "debug-exit.h"

#define DEFAULT_BASE 0xf4

static uint64_t
exit_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return 0;
}

static void
exit_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  const VtDebugExit *port = (const VtDebugExit *) dev;

  vt_trace (dev->path, "the guest exits with 0x%x", (unsigned) value);
  if (port->exit != NULL)
    port->exit (port->data, (int) (((uint32_t) value << 1 | 1) & INT32_MAX));
}

static const VtRegionOps exit_ops = {
  .name = "debug-exit",
  .min_size = 1,
  .max_size = 4,
  .read = exit_read,
  .write = exit_write,
};

static bool
exit_realize (VtDevice *dev, GError **error)
{
  const VtDebugExit *port = (const VtDebugExit *) dev;

  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &exit_ops, 4),
                 port->base != 0 ? port->base : DEFAULT_BASE, 0);
  return true;
}

const VtDeviceClass vt_debug_exit_class = {
  .id = "debug-exit",
  .spec = "isa-debug-exit as kvm-unit-tests uses it: port 0xf4, four bytes",
  .size = sizeof (VtDebugExit),
  .state_offset = offsetof (VtDebugExit, base), /* Of nothing: there is no guest-visible state. */
  .state = &vt_state_none,
  .realize = exit_realize,
};
