/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The linear frame buffer without VGA.
 */
#include "gpu/bochs-display.h"
#include "memory/space.h"

typedef struct
{
  VtContext      *context;
  VtClock        *clock;
  VtSpace        *space;
  VtConsole      *console;
  VtViewer       *viewer;
  VtBochsDisplay *display;
} Rig;

static void
up (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  VtDeviceEnv env;

  rig->context = vt_context_new_manual ();
  rig->clock = vt_clock_new_manual ();
  rig->space = vt_space_new ();
  rig->console = vt_console_new ("bochs");
  rig->viewer = vt_viewer_new (rig->console, NULL, NULL, true);
  env = (VtDeviceEnv){ rig->context, rig->clock, rig->space };
  rig->display = (VtBochsDisplay *) vt_device_new (&vt_bochs_display_class, "bochs", &env);
  rig->display->console = rig->console;
  vt_device_realize (&rig->display->fn.base, &error);
  g_assert_no_error (error);
  vt_device_resume (&rig->display->fn.base);
}

static void
down (Rig *rig, gconstpointer data)
{
  vt_device_free (&rig->display->fn.base);
  vt_viewer_free (rig->viewer);
  vt_console_free (rig->console);
  vt_context_dispatch (rig->context);
  vt_space_free (rig->space);
  vt_clock_free (rig->clock);
  vt_context_free (rig->context);
}

static void
set (Rig *rig, unsigned index, uint16_t value)
{
  vt_region_write (rig->display->registers, 0x500 + 2 * index, 2, value);
}

static void
set_mode (Rig *rig, uint16_t width, uint16_t height, uint16_t bpp)
{
  set (rig, VT_DISPI_ENABLE, 0);
  set (rig, VT_DISPI_XRES, width);
  set (rig, VT_DISPI_YRES, height);
  set (rig, VT_DISPI_BPP, bpp);
  set (rig, VT_DISPI_ENABLE, VT_DISPI_ENABLED | VT_DISPI_LFB);
}

static uint32_t
pixel (Rig *rig, int x, int y)
{
  VtSurface *surface = vt_console_snapshot (rig->console);
  uint32_t value;

  g_assert_true (x < surface->width && y < surface->height);
  value = vt_ld32 (surface->data + y * surface->stride + 4 * x) & 0xffffff;
  vt_surface_unref (surface);
  return value;
}

static void
draw (Rig *rig, uint64_t offset, unsigned size, uint32_t value)
{
  vt_region_write (rig->display->frame_buffer, offset, size, value);
}

static void
test_ids (Rig *rig, gconstpointer data)
{
  VtPciFunction *fn = &rig->display->fn;

  g_assert_cmphex (vt_pci_config_read (fn, 0, 4), ==, 0x11111234);
  g_assert_cmphex (vt_pci_config_read (fn, 8, 4) >> 8, ==, 0x038000);
  g_assert_cmphex (vt_region_read (rig->display->registers, 0x500, 2), ==, 0xb0c5);
  g_assert_cmphex (vt_region_read (rig->display->registers, 0, 4), ==, 0xffffff00);
  /* No ports. */
  g_assert_cmpuint (vt_device_n_regions (&fn->base), ==, 2);
}

static void
test_modes (Rig *rig, gconstpointer data)
{
  /* Dark at first. */
  g_assert_cmphex (pixel (rig, 639, 479), ==, 0);
  set_mode (rig, 800, 600, 32);
  draw (rig, (10 * 800 + 20) * 4, 4, 0xff112233);
  g_assert_cmphex (pixel (rig, 20, 10), ==, 0x112233);
  /* An index has no palette to go through here. */
  set_mode (rig, 320, 200, 8);
  draw (rig, 0, 1, 0xff);
  g_assert_cmphex (pixel (rig, 0, 0), ==, 0);
  set_mode (rig, 800, 600, 16);
  draw (rig, (10 * 800 + 20) * 2, 2, 0xf81f);
  g_assert_cmphex (pixel (rig, 20, 10), ==, 0xff00ff);
}

static void
test_damage (Rig *rig, gconstpointer data)
{
  VtFrame frame;

  set_mode (rig, 1024, 768, 32);
  pixel (rig, 0, 0);
  vt_viewer_take (rig->viewer, &frame);
  g_assert_true (frame.new_surface);
  vt_frame_clear (&frame);
  pixel (rig, 0, 0);
  vt_viewer_take (rig->viewer, &frame);
  g_assert_cmpuint (frame.n_rects, ==, 0);
  vt_frame_clear (&frame);

  /* A page of the log is just one of these lines. */
  draw (rig, (100 * 1024 + 5) * 4, 4, 1);
  draw (rig, (101 * 1024 + 5) * 4, 4, 1);
  draw (rig, (700 * 1024 + 5) * 4, 4, 1);
  pixel (rig, 0, 0);
  vt_viewer_take (rig->viewer, &frame);
  g_assert_cmpuint (frame.n_rects, ==, 2);
  g_assert_cmpint (frame.rects[0].y, ==, 100);
  g_assert_cmpint (frame.rects[0].height, ==, 2);
  g_assert_cmpint (frame.rects[1].y, ==, 700);
  g_assert_cmpint (frame.rects[1].height, ==, 1);
  vt_frame_clear (&frame);

  /* Another offset is another surface. */
  set (rig, VT_DISPI_Y_OFFSET, 768);
  pixel (rig, 0, 0);
  vt_viewer_take (rig->viewer, &frame);
  g_assert_true (frame.new_surface);
  g_assert_cmpint (frame.rects[0].height, ==, 768);
  vt_frame_clear (&frame);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/bochs-display/ids", Rig, NULL, up, test_ids, down);
  g_test_add ("/bochs-display/modes", Rig, NULL, up, test_modes, down);
  g_test_add ("/bochs-display/damage", Rig, NULL, up, test_damage, down);
  return g_test_run ();
}
