/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Building and driving a rig.
 */
#include "rig.h"

typedef struct
{
  GDestroyNotify func;
  void          *data;
} Deferred;

static void
count_cb (void *data, unsigned n, bool level)
{
  VtRig *rig = data;

  rig->edges++;
}

VtLine *
vt_rig_line (VtRig *rig)
{
  g_assert_cmpuint (rig->n_lines, <, G_N_ELEMENTS (rig->lines));
  rig->lines[rig->n_lines] = vt_line_new (count_cb, rig, rig->n_lines);
  return rig->lines[rig->n_lines++];
}

void
vt_rig_defer (VtRig *rig, GDestroyNotify func, void *data)
{
  Deferred *d = g_new (Deferred, 1);

  d->func = func;
  d->data = data;
  g_ptr_array_add (rig->cleanup, d);
}

static void
msi_cb (void *data, uint64_t address, uint32_t message)
{
  VtRig *rig = data;

  rig->edges++;
}

static const VtMsiSinkOps msi_ops = { msi_cb };

static bool
is_pci (const VtRig *rig)
{
  return (rig->dev->klass->flags & VT_DEVICE_PCI) != 0;
}

/* A slot of a root bus, whose pins end at lines. The host bridge makes the bus itself. */
static void
plug_in (VtRig *rig)
{
  VtPciFunction *fn = (VtPciFunction *) rig->dev;

  rig->bus = vt_pci_bus_new ("rig", &rig->msi);
  fn->bus = rig->bus;
  fn->devfn = VT_PCI_DEVFN (3, 0);
}

static void
free_route_cb (void *route)
{
  vt_pci_route_free (route);
}

static void
connect_pins (VtRig *rig)
{
  for (unsigned pin = 0; pin < VT_PCI_PINS; pin++)
    {
      VtPciRoute *route = vt_pci_route_new (vt_rig_line (rig));

      vt_pci_bus_set_route (rig->bus, 3, pin, route, false);
      vt_rig_defer (rig, free_route_cb, route);
    }
}

VtRig *
vt_rig_new (const VtDeviceClass *klass, bool wired, GError **error)
{
  VtRig      *rig = g_new0 (VtRig, 1);
  VtDeviceEnv env;

  rig->context = vt_context_new_manual ();
  rig->clock = vt_clock_new_manual ();
  rig->space = vt_space_new ();
  rig->ram = vt_ram_new ("rig", VT_RIG_RAM, error);
  g_assert_nonnull (rig->ram);
  vt_space_map_ram (rig->space, rig->ram, 0, VT_RIG_RAM, 0, 0);
  rig->msi = (VtMsiSink){ &msi_ops, rig };
  rig->io_bars = VT_RIG_IO_BARS;
  rig->memory_bars = VT_RIG_MEMORY_BARS;
  rig->neighbours = g_ptr_array_new ();
  rig->cleanup = g_ptr_array_new_with_free_func (g_free);
  env = (VtDeviceEnv){ .context = rig->context, .clock = rig->clock, .space = rig->space };
  rig->dev = vt_device_new (klass, klass->id, &env);
  if (wired)
    {
      if (is_pci (rig) && strcmp (klass->id, "q35-host") != 0)
        plug_in (rig);
      vt_rig_wire (rig, false);
    }
  if (!vt_device_realize (rig->dev, error))
    {
      vt_rig_free (rig);
      return NULL;
    }
  if (rig->bus != NULL)
    connect_pins (rig);
  if (wired)
    vt_rig_wire (rig, true);
  vt_device_resume (rig->dev);
  return rig;
}

void
vt_rig_free (VtRig *rig)
{
  if (rig == NULL)
    return;
  vt_rig_pause (rig);
  for (guint i = rig->neighbours->len; i-- > 0;)
    vt_device_free (rig->neighbours->pdata[i]);
  g_ptr_array_free (rig->neighbours, TRUE);
  vt_device_free (rig->dev);
  vt_context_dispatch (rig->context);
  if (rig->bus != NULL)
    vt_pci_bus_free (rig->bus);
  for (guint i = rig->cleanup->len; i-- > 0;)
    {
      Deferred *d = rig->cleanup->pdata[i];

      d->func (d->data);
    }
  g_ptr_array_free (rig->cleanup, TRUE);
  for (unsigned i = 0; i < rig->n_lines; i++)
    vt_line_free (rig->lines[i]);
  if (rig->viewer != NULL)
    vt_viewer_free (rig->viewer);
  if (rig->console != NULL)
    vt_console_free (rig->console);
  if (rig->input != NULL)
    vt_input_free (rig->input);
  vt_char_close (rig->chr);
  vt_space_free (rig->space);
  vt_ram_free (rig->ram);
  vt_clock_free (rig->clock);
  vt_context_free (rig->context);
  g_free (rig);
}

/* The byte channel ---------------------------------------------------------------------------- */

#define CHAR_ROOM 32

typedef struct
{
  VtChar      base;
  GByteArray *input;
  size_t      room; /* How much the peer takes still. */
  bool        feeding;
} RigChar;

static size_t
char_write (VtChar *chr, const uint8_t *bytes, size_t len)
{
  RigChar *c = (RigChar *) chr;
  size_t   n = MIN (len, c->room);

  c->room -= n;
  return n;
}

static void
char_poll (VtChar *chr)
{
  RigChar *c = (RigChar *) chr;

  /* A device that polls from inside receive() must not recurse. */
  if (c->feeding)
    return;
  c->feeding = true;
  while (chr->user != NULL && c->input->len > 0)
    {
      size_t n = MIN (chr->user->room (chr->user_data), c->input->len);

      if (n == 0)
        break;
      chr->user->receive (chr->user_data, c->input->data, n);
      g_byte_array_remove_range (c->input, 0, (guint) n);
    }
  c->feeding = false;
}

static void
char_close (VtChar *chr)
{
  g_byte_array_unref (((RigChar *) chr)->input);
  g_free (chr->name);
  g_free (chr);
}

static const VtCharOps char_ops = { .write = char_write, .poll = char_poll, .close = char_close };

VtChar *
vt_rig_char (VtRig *rig)
{
  RigChar *c = g_new0 (RigChar, 1);

  c->base.ops = &char_ops;
  c->base.name = g_strdup ("rig");
  c->input = g_byte_array_new ();
  c->room = CHAR_ROOM;
  rig->chr = &c->base;
  return rig->chr;
}

void
vt_rig_char_feed (VtRig *rig, const uint8_t *bytes, size_t len)
{
  g_byte_array_append (((RigChar *) rig->chr)->input, bytes, (guint) len);
  vt_context_lock (rig->context);
  char_poll (rig->chr);
  vt_context_unlock (rig->context);
}

void
vt_rig_char_drain (VtRig *rig, size_t len)
{
  RigChar *c = (RigChar *) rig->chr;

  c->room = MIN (c->room + len, CHAR_ROOM);
  if (c->room > 0 && rig->chr->user != NULL && rig->chr->user->writable != NULL)
    rig->chr->user->writable (rig->chr->user_data);
}

/* The screen ---------------------------------------------------------------------------------- */

/* Pictures are large and a walk is long: some are enough. */
#define MAX_LOOKS 8

void
vt_rig_look (VtRig *rig)
{
  VtFrame frame;

  if (rig->viewer == NULL || rig->looks++ >= MAX_LOOKS)
    return;
  vt_viewer_take (rig->viewer, &frame);
  for (unsigned i = 0; frame.surface != NULL && i < frame.n_rects; i++)
    {
      const VtRect *r = &frame.rects[i];

      if (r->x < 0 || r->y < 0 || r->width <= 0 || r->height <= 0
          || r->width > frame.surface->width - r->x || r->height > frame.surface->height - r->y)
        g_error ("damage outside of the surface: %d,%d %dx%d", r->x, r->y, r->width, r->height);
      for (int y = r->y; y < r->y + r->height; y++)
        {
          const uint8_t *row = frame.surface->data + (size_t) y * (size_t) frame.surface->stride;

          /* The sum is of no use; that the bytes are there is what counts. */
          rig->edges += row[(size_t) r->x * 4] + row[(size_t) (r->x + r->width) * 4 - 1];
        }
    }
  vt_frame_clear (&frame);
}

/* Driving it ---------------------------------------------------------------------------------- */

static void
paused_cb (void *data)
{
  *(bool *) data = true;
}

bool
vt_rig_pause (VtRig *rig)
{
  bool    paused = false;
  gint64  deadline = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;

  vt_device_pause (rig->dev, paused_cb, &paused);
  /* In-flight block I/O may end on another thread, and its completion is posted to ours. */
  while (!paused && g_get_monotonic_time () < deadline)
    if (!vt_context_dispatch (rig->context))
      g_thread_yield ();
  return paused;
}

static void
write_config (VtRig *rig, unsigned offset, unsigned size, uint64_t value)
{
  vt_rig_write (rig, vt_rig_n_windows (rig) - 1, offset, size, value);
}

void
vt_rig_map_bars (VtRig *rig)
{
  unsigned config = vt_rig_n_windows (rig) - 1;
  bool     bridge;

  if (!is_pci (rig))
    return;
  bridge = (vt_rig_read (rig, config, VT_PCI_HEADER_TYPE, 1) & 0x7f) == 1;
  for (unsigned bar = VT_PCI_BAR0; bar < VT_PCI_BAR0 + (bridge ? 8u : 24u); bar += 4)
    {
      uint64_t size, *next;
      uint32_t old = (uint32_t) vt_rig_read (rig, config, bar, 4), mask;
      bool     io = (old & 1) != 0, wide = (old & 7) == 4;

      write_config (rig, bar, 4, UINT32_MAX);
      mask = (uint32_t) vt_rig_read (rig, config, bar, 4) & ~(io ? 3u : 15u);
      if (mask == 0)
        continue;
      size = (uint32_t) ~mask + UINT64_C (1);
      if (io)
        size &= 0xffff;
      next = io ? &rig->io_bars : &rig->memory_bars;
      *next = vt_align_up (*next, MAX (size, 16));
      write_config (rig, bar, 4, *next);
      *next += size;
      if (wide)
        {
          bar += 4;
          write_config (rig, bar, 4, 0);
        }
    }
  write_config (rig, VT_PCI_COMMAND, 2,
                VT_PCI_COMMAND_IO | VT_PCI_COMMAND_MEMORY | VT_PCI_COMMAND_MASTER);
}

unsigned
vt_rig_n_windows (const VtRig *rig)
{
  return vt_device_n_regions (rig->dev) + (is_pci (rig) ? 1 : 0);
}

uint64_t
vt_rig_window_size (const VtRig *rig, unsigned n)
{
  return n == vt_device_n_regions (rig->dev) ? VT_PCI_CONFIG_SIZE
                                             : vt_region_size (vt_device_region (rig->dev, n));
}

uint64_t
vt_rig_read (VtRig *rig, unsigned n, uint64_t offset, unsigned size)
{
  uint64_t v;

  if (n < vt_device_n_regions (rig->dev))
    return vt_region_read (vt_device_region (rig->dev, n), offset, size);
  if (size > 4 || !vt_range_ok (offset, size, VT_PCI_CONFIG_SIZE))
    return vt_ones (size);
  vt_context_lock (rig->context);
  v = vt_pci_config_read ((VtPciFunction *) rig->dev, (unsigned) offset, size);
  vt_context_unlock (rig->context);
  return v;
}

void
vt_rig_write (VtRig *rig, unsigned n, uint64_t offset, unsigned size, uint64_t value)
{
  if (n < vt_device_n_regions (rig->dev))
    {
      vt_region_write (vt_device_region (rig->dev, n), offset, size, value);
      return;
    }
  if (size > 4 || !vt_range_ok (offset, size, VT_PCI_CONFIG_SIZE))
    return;
  vt_context_lock (rig->context);
  vt_pci_config_write ((VtPciFunction *) rig->dev, (unsigned) offset, size,
                       (uint32_t) (value & vt_ones (size)));
  vt_context_unlock (rig->context);
}

uint64_t
vt_rig_space_read (VtRig *rig, VtSpaceKind kind, uint64_t address, unsigned size)
{
  uint8_t bytes[8] = { 0 };

  vt_space_read (rig->space, kind, address, bytes, size);
  return vt_ld64 (bytes);
}

void
vt_rig_space_write (VtRig *rig, VtSpaceKind kind, uint64_t address, unsigned size, uint64_t value)
{
  uint8_t bytes[8];

  vt_st64 (bytes, value);
  vt_space_write (rig->space, kind, address, bytes, size);
}
