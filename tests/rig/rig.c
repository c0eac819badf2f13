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

VtBlock *
vt_rig_block (VtRig *rig, size_t size, bool read_only)
{
  g_autofree uint8_t *bytes = g_malloc0 (size);
  VtBlock            *block;

  for (size_t i = 0; i < size; i += 512)
    vt_st32 (bytes + i, (uint32_t) (i / 512));
  block = vt_block_new_memory (bytes, size, read_only);
  g_ptr_array_add (rig->blocks, block);
  return block;
}

VtConsole *
vt_rig_console (VtRig *rig)
{
  rig->console = vt_console_new ("rig");
  rig->viewer = vt_viewer_new (rig->console, NULL, NULL, true);
  return rig->console;
}

/* Pictures are large and the walk is long: a few are enough. */
#define MAX_LOOKS 4

void
vt_rig_look (VtRig *rig)
{
  VtConsoleHint hint = { 640 + (int) rig->looks, 480, 300, 200 };
  VtFrame       frame;

  if (rig->console == NULL || rig->looks++ >= MAX_LOOKS)
    return;
  vt_console_hint (rig->console, &hint);
  vt_surface_unref (vt_console_snapshot (rig->console));
  vt_viewer_take (rig->viewer, &frame);
  for (unsigned i = 0; i < frame.n_rects; i++)
    {
      g_assert_cmpint (frame.rects[i].x + frame.rects[i].width, <=, frame.surface->width);
      g_assert_cmpint (frame.rects[i].y + frame.rects[i].height, <=, frame.surface->height);
    }
  vt_frame_clear (&frame);
  g_free (vt_console_text (rig->console));
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
  rig->blocks = g_ptr_array_new ();
  rig->cleanup = g_ptr_array_new_with_free_func (g_free);
  env = (VtDeviceEnv){ .context = rig->context, .clock = rig->clock, .space = rig->space };
  rig->dev = vt_device_new (klass, klass->id, &env);
  if (wired)
    vt_rig_wire (rig);
  if (!vt_device_realize (rig->dev, error))
    {
      vt_rig_free (rig);
      return NULL;
    }
  vt_device_resume (rig->dev);
  return rig;
}

void
vt_rig_free (VtRig *rig)
{
  if (rig == NULL)
    return;
  vt_rig_pause (rig);
  vt_device_free (rig->dev);
  vt_context_dispatch (rig->context);
  for (guint i = rig->cleanup->len; i-- > 0;)
    {
      Deferred *d = rig->cleanup->pdata[i];

      d->func (d->data);
    }
  g_ptr_array_free (rig->cleanup, TRUE);
  for (guint i = 0; i < rig->blocks->len; i++)
    vt_block_close (rig->blocks->pdata[i]);
  g_ptr_array_free (rig->blocks, TRUE);
  for (unsigned i = 0; i < rig->n_lines; i++)
    vt_line_free (rig->lines[i]);
  vt_viewer_free (rig->viewer);
  vt_console_free (rig->console);
  if (rig->input != NULL)
    vt_input_free (rig->input);
  if (rig->chr != NULL)
    vt_char_close (rig->chr);
  vt_space_free (rig->space);
  vt_ram_free (rig->ram);
  vt_clock_free (rig->clock);
  vt_context_free (rig->context);
  g_free (rig);
}

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

static bool
is_pci (const VtRig *rig)
{
  return (rig->dev->klass->flags & VT_DEVICE_PCI) != 0;
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
