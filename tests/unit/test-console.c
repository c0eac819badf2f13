/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Surfaces, damage and viewers.
 */
#include <cairo.h>
#include <glib/gstdio.h>

#include "console/damage.h"

/* Damage ------------------------------------------------------------------------------------------ */

#define W 640
#define H 480

typedef struct
{
  uint8_t wanted[H][W], got[H][W];
} Map;

static void
mark (uint8_t map[H][W], VtRect r)
{
  if (!vt_rect_clip (&r, W, H))
    return;
  for (int y = r.y; y < r.y + r.height; y++)
    memset (&map[y][r.x], 1, (size_t) r.width);
}

/* Disjoint, inside, nothing lost. Returns how many pixels are covered. */
static int
check (const VtDamage *damage, Map *map)
{
  int covered = 0;

  g_assert_cmpuint (damage->n, <=, VT_VIEWER_RECTS);
  memset (map->got, 0, sizeof map->got);
  for (unsigned i = 0; i < damage->n; i++)
    {
      const VtRect *r = &damage->rects[i];

      g_assert_true (r->width > 0 && r->height > 0 && r->x >= 0 && r->y >= 0);
      g_assert_true (r->x + r->width <= W && r->y + r->height <= H);
      for (int y = r->y; y < r->y + r->height; y++)
        for (int x = r->x; x < r->x + r->width; x++)
          {
            g_assert_cmpint (map->got[y][x], ==, 0);
            map->got[y][x] = 1;
            covered++;
          }
    }
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++)
      g_assert_true (map->got[y][x] >= map->wanted[y][x]);
  return covered;
}

static void
test_damage_typing (void)
{
  g_autofree Map *map = g_new0 (Map, 1);
  VtDamage damage = { 0 };

  /* A line of characters, one cell after the other, is one rectangle. */
  for (int x = 0; x < 40; x++)
    {
      VtRect cell = { x * 9, 32, 9, 16 };

      vt_damage_add (&damage, &cell, W, H);
      mark (map->wanted, cell);
    }
  g_assert_cmpuint (damage.n, ==, 1);
  g_assert_cmpint (check (&damage, map), ==, 360 * 16);

  /* A clock in the far corner stays apart. */
  VtRect clock = { 560, 460, 72, 16 };
  vt_damage_add (&damage, &clock, W, H);
  mark (map->wanted, clock);
  g_assert_cmpuint (damage.n, ==, 2);
  g_assert_cmpint (check (&damage, map), ==, 360 * 16 + 72 * 16);
  /* Again the same: nothing new. */
  vt_damage_add (&damage, &clock, W, H);
  g_assert_cmpuint (damage.n, ==, 2);
}

static void
test_damage_cross (void)
{
  g_autofree Map *map = g_new0 (Map, 1);
  VtDamage damage = { 0 };
  VtRect bars[] = { { 0, 200, W, 20 }, { 300, 0, 20, H }, { 0, 0, W, 10 }, { 0, 0, 10, H } };

  for (unsigned i = 0; i < G_N_ELEMENTS (bars); i++)
    {
      vt_damage_add (&damage, &bars[i], W, H);
      mark (map->wanted, bars[i]);
    }
  /* Title bars and scroll bars that cross never make a frame of it. */
  g_assert_cmpint (check (&damage, map), <, W * H / 6);
}

static void
test_damage_scattered (void)
{
  g_autofree Map *map = g_new0 (Map, 1);
  VtDamage damage = { 0 };

  /* 200 dots in the upper left quarter and as many in the lower right one: more than there is room
   * for, and still not the whole frame. */
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  for (int i = 0; i < 400; i++)
    {
      int far = i & 1;
      VtRect dot = { g_rand_int_range (rand, 0, 200) + far * 400,
                     g_rand_int_range (rand, 0, 150) + far * 300, 4, 4 };

      vt_damage_add (&damage, &dot, W, H);
      mark (map->wanted, dot);
    }
  g_assert_cmpint (check (&damage, map), <=, 2 * 204 * 154);
}

static void
test_damage_random (void)
{
  g_autofree Map *map = g_new0 (Map, 1);
  g_autoptr (GRand) rand = g_rand_new_with_seed (42);

  for (int round = 0; round < 60; round++)
    {
      VtDamage damage = { 0 };
      int largest = 1 << g_rand_int_range (rand, 1, 10);

      memset (map, 0, sizeof *map);
      for (int i = 0; i < 120; i++)
        {
          VtRect r = { g_rand_int_range (rand, -50, W + 50), g_rand_int_range (rand, -50, H + 50),
                       g_rand_int_range (rand, -3, largest), g_rand_int_range (rand, -3, largest) };

          vt_damage_add (&damage, &r, W, H);
          if (r.width > 0 && r.height > 0)
            mark (map->wanted, r);
        }
      check (&damage, map);
    }
}

static void
test_damage_hostile (void)
{
  VtDamage damage = { 0 };
  VtRect everything = { G_MININT, G_MININT, G_MAXINT, G_MAXINT };
  VtRect past = { G_MAXINT, 3, G_MAXINT, 3 };
  VtRect all = { -5, -5, G_MAXINT, G_MAXINT };

  vt_damage_add (&damage, &everything, W, H);
  vt_damage_add (&damage, &past, W, H);
  g_assert_cmpuint (damage.n, ==, 0);
  vt_damage_add (&damage, &all, W, H);
  g_assert_cmpuint (damage.n, ==, 1);
  g_assert_cmpint (damage.rects[0].width, ==, W);
  g_assert_cmpint (damage.rects[0].height, ==, H);
}

/* Surfaces ---------------------------------------------------------------------------------------- */

static void
released_cb (void *data)
{
  ++*(int *) data;
}

static void
test_surface (void)
{
  uint32_t pixels[4 * 3];
  int released = 0;
  VtSurface *surface;

  g_assert_null (vt_surface_new (0, 5));
  g_assert_null (vt_surface_new (5, -1));
  g_assert_null (vt_surface_new (16385, 5));
  g_assert_null (vt_surface_new_wrap (5, 3, 16, (uint8_t *) pixels, NULL, NULL));
  vt_surface_unref (NULL);

  surface = vt_surface_new (3, 2);
  g_assert_cmpint (surface->stride, ==, 12);
  for (int i = 0; i < 24; i++)
    g_assert_cmpint (surface->data[i], ==, 0);
  vt_surface_unref (surface);

  surface = vt_surface_new_wrap (3, 3, 16, (uint8_t *) pixels, released_cb, &released);
  vt_surface_ref (surface);
  vt_surface_unref (surface);
  g_assert_cmpint (released, ==, 0);
  vt_surface_unref (surface);
  g_assert_cmpint (released, ==, 1);
}

static void
test_png (void)
{
  g_autofree char *dir = g_dir_make_tmp ("vitrine-png-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "a.png", NULL);
  g_autofree char *nowhere = g_build_filename (dir, "none", "a.png", NULL);
  g_autoptr (GError) error = NULL;
  VtSurface *surface = vt_surface_new (5, 4);
  cairo_surface_t *back;

  for (int i = 0; i < 20; i++)
    ((uint32_t *) (void *) surface->data)[i] = 0x102030u * (unsigned) (i % 7);
  g_assert_true (vt_surface_write_png (surface, path, &error));
  g_assert_no_error (error);
  back = cairo_image_surface_create_from_png (path);
  g_assert_cmpint (cairo_image_surface_get_width (back), ==, 5);
  g_assert_cmpint (cairo_image_surface_get_height (back), ==, 4);
  for (int y = 0; y < 4; y++)
    for (int x = 0; x < 5; x++)
      {
        const uint8_t *row = cairo_image_surface_get_data (back)
                             + y * cairo_image_surface_get_stride (back);

        g_assert_cmphex (((const uint32_t *) (const void *) row)[x] & 0xffffff, ==,
                         0x102030u * (unsigned) ((y * 5 + x) % 7));
      }
  cairo_surface_destroy (back);
  g_assert_false (vt_surface_write_png (surface, nowhere, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND);
  vt_surface_unref (surface);
  g_unlink (path);
  g_rmdir (dir);
}

/* Viewers ----------------------------------------------------------------------------------------- */

static void
count_cb (void *data)
{
  g_atomic_int_inc ((gint *) data);
}

static const VtViewerOps count_ops = { .changed = count_cb };

static void
test_viewer (void)
{
  VtConsole *console = vt_console_new ("screen");
  VtSurface *surface = vt_surface_new (W, H);
  gint calls = 0;
  VtViewer *viewer;
  VtFrame frame;
  uint32_t arrow[4] = { 1, 2, 3, 4 };

  g_assert_cmpstr (vt_console_name (console), ==, "screen");
  g_assert_cmpint (vt_console_refresh_interval (console), >, VT_NS_PER_SEC);
  viewer = vt_viewer_new (console, &count_ops, &calls, false);
  g_assert_cmpint (vt_console_refresh_interval (console), <=, VT_NS_PER_SEC);
  g_assert_cmpint (vt_console_refresh_interval (console), >, VT_NS_PER_SEC / 60);

  vt_viewer_take (viewer, &frame);
  g_assert_null (frame.surface);
  g_assert_cmpuint (frame.n_rects, ==, 0);
  vt_frame_clear (&frame);

  vt_console_set_surface (console, surface);
  g_assert_cmpint (calls, ==, 1);
  vt_console_damage (console, 3, 4, 5, 6);
  g_assert_cmpint (calls, ==, 1); /* Once until the next take. */
  vt_viewer_take (viewer, &frame);
  g_assert_true (frame.surface == surface && frame.new_surface);
  g_assert_cmpuint (frame.n_rects, ==, 1);
  g_assert_cmpint (frame.rects[0].width, ==, W);
  vt_frame_clear (&frame);

  vt_console_damage (console, 3, 4, 5, 6);
  vt_console_damage (console, 400, 400, 500, 6);
  g_assert_cmpint (calls, ==, 2);
  vt_viewer_take (viewer, &frame);
  g_assert_false (frame.new_surface);
  g_assert_cmpuint (frame.n_rects, ==, 2);
  g_assert_cmpint (frame.rects[0].height, ==, 6);
  g_assert_cmpint (frame.rects[1].width, ==, W - 400);
  vt_frame_clear (&frame);

  vt_console_set_cursor (console, &(VtCursor){ 2, 2, 1, 0, arrow });
  vt_console_move_cursor (console, 7, 8);
  vt_viewer_take (viewer, &frame);
  g_assert_true (frame.cursor_moved && frame.cursor_changed);
  g_assert_cmpint (frame.cursor_x, ==, 7);
  g_assert_cmpint (frame.cursor.hot_x, ==, 1);
  g_assert_true (frame.cursor.argb != arrow);
  g_assert_cmpmem (frame.cursor.argb, 16, arrow, 16);
  vt_frame_clear (&frame);
  vt_console_set_cursor (console, &(VtCursor){ G_MAXINT, G_MAXINT, 0, 0, arrow });
  vt_viewer_take (viewer, &frame);
  g_assert_true (frame.cursor_changed);
  g_assert_null (frame.cursor.argb);
  vt_frame_clear (&frame);

  /* The same surface again is no news. */
  calls = 0;
  vt_console_set_surface (console, surface);
  g_assert_cmpint (calls, ==, 0);
  vt_console_set_surface (console, NULL);
  g_assert_cmpint (calls, ==, 1);
  vt_console_damage (console, 0, 0, 10, 10);
  vt_viewer_take (viewer, &frame);
  g_assert_null (frame.surface);
  g_assert_true (frame.new_surface);
  g_assert_cmpuint (frame.n_rects, ==, 0);

  vt_surface_unref (surface);
  vt_console_free (console);
  vt_viewer_free (viewer); /* May outlive it. */
}

typedef struct
{
  VtConsole *console;
  VtSurface *surface;
  int        updates, hints;
  int        hint_width;
} Device;

static void
update_cb (void *data)
{
  Device *device = data;

  device->updates++;
  ((uint32_t *) (void *) device->surface->data)[0] = 0xabcdef;
}

static void
hint_cb (void *data, const VtConsoleHint *hint)
{
  Device *device = data;

  device->hints++;
  device->hint_width = hint->width;
}

static char *
text_cb (void *data)
{
  return g_strdup ("C:\\>\n");
}

static void
test_hooks (void)
{
  VtContext *context = vt_context_new_manual ();
  Device device = { vt_console_new ("screen"), vt_surface_new (4, 4), 0, 0, 0 };
  VtSurface *copy;
  VtViewer *viewer;
  VtConsoleHint hint = { 800, 600, 0, 0 };

  g_assert_null (vt_console_snapshot (device.console));
  g_assert_null (vt_console_text (device.console));
  vt_console_hint (device.console, &hint); /* To nobody. */

  vt_console_set_surface (device.console, device.surface);
  vt_console_on_update (device.console, context, update_cb, &device);
  vt_console_on_hint (device.console, context, hint_cb, &device);
  vt_console_on_text (device.console, context, text_cb, &device);

  copy = vt_console_snapshot (device.console);
  g_assert_true (copy != device.surface);
  g_assert_cmpint (device.updates, ==, 1);
  g_assert_cmphex (((uint32_t *) (void *) copy->data)[0], ==, 0xabcdef);
  vt_surface_unref (copy);

  g_autofree char *text = vt_console_text (device.console);
  g_assert_cmpstr (text, ==, "C:\\>\n");

  /* A viewer wakes the device; of many hints the last one counts. */
  viewer = vt_viewer_new (device.console, NULL, NULL, true);
  g_assert_cmpint (vt_console_refresh_interval (device.console), ==, VT_NS_PER_SEC / 60);
  for (hint.width = 100; hint.width < 110; hint.width++)
    vt_console_hint (device.console, &hint);
  vt_context_dispatch (context);
  g_assert_cmpint (device.updates, ==, 2);
  g_assert_cmpint (device.hints, ==, 1);
  g_assert_cmpint (device.hint_width, ==, 109);
  vt_viewer_free (viewer);

  /* A device that has gone is not called by what was posted before. */
  vt_console_hint (device.console, &hint);
  viewer = vt_viewer_new (device.console, NULL, NULL, true);
  vt_console_on_update (device.console, NULL, NULL, NULL);
  vt_console_on_hint (device.console, NULL, NULL, NULL);
  vt_console_on_text (device.console, NULL, NULL, NULL);
  vt_console_free (device.console);
  vt_context_dispatch (context);
  g_assert_cmpint (device.updates, ==, 2);
  g_assert_cmpint (device.hints, ==, 1);
  vt_viewer_free (viewer);
  vt_surface_unref (device.surface);
  vt_context_free (context);
}

/* A device thread that damages and changes modes while viewers come, take and go. */
typedef struct
{
  VtConsole *console;
  gint       stop;
} Race;

static gpointer
race_device (gpointer data)
{
  Race *race = data;

  for (unsigned i = 0; !g_atomic_int_get (&race->stop); i++)
    {
      vt_console_damage (race->console, (int) (i % 300), (int) (i % 200), 16, 16);
      vt_console_move_cursor (race->console, (int) i, 5);
      if (i % 64 == 0)
        {
          VtSurface *surface = vt_surface_new (100 + (int) (i / 64 % 400), 300);

          vt_console_set_surface (race->console, surface);
          vt_surface_unref (surface);
        }
    }
  return NULL;
}

typedef struct
{
  VtViewer *viewer;
  gint      alive, calls;
} Watcher;

static void
watcher_cb (void *data)
{
  Watcher *watcher = data;

  g_assert_cmpint (g_atomic_int_get (&watcher->alive), ==, 1);
  g_atomic_int_inc (&watcher->calls);
}

static gpointer
race_viewer (gpointer data)
{
  static const VtViewerOps ops = { .changed = watcher_cb };
  Race *race = data;
  unsigned frames = 0;

  for (int round = 0; round < 300; round++)
    {
      Watcher watcher = { NULL, 1, 0 };
      VtViewer *viewer = vt_viewer_new (race->console, &ops, &watcher, round & 1);

      for (int i = 0; i < 10; i++)
        {
          VtFrame frame;

          vt_viewer_take (viewer, &frame);
          for (unsigned n = 0; n < frame.n_rects; n++)
            g_assert_true (frame.rects[n].x + frame.rects[n].width <= frame.surface->width
                           && frame.rects[n].y + frame.rects[n].height <= frame.surface->height);
          frames += frame.n_rects > 0;
          vt_frame_clear (&frame);
        }
      vt_viewer_free (viewer);
      /* No callback runs once it has returned. */
      g_atomic_int_set (&watcher.alive, 0);
    }
  return GUINT_TO_POINTER (frames);
}

static void
test_threads (void)
{
  Race race = { vt_console_new ("race"), 0 };
  GThread *device = g_thread_new ("device", race_device, &race);
  GThread *viewers[3];

  for (int i = 0; i < 3; i++)
    viewers[i] = g_thread_new ("viewer", race_viewer, &race);
  for (int i = 0; i < 3; i++)
    g_thread_join (viewers[i]);
  g_atomic_int_set (&race.stop, 1);
  g_thread_join (device);
  vt_console_free (race.console);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/console/damage/typing", test_damage_typing);
  g_test_add_func ("/console/damage/cross", test_damage_cross);
  g_test_add_func ("/console/damage/scattered", test_damage_scattered);
  g_test_add_func ("/console/damage/random", test_damage_random);
  g_test_add_func ("/console/damage/hostile", test_damage_hostile);
  g_test_add_func ("/console/surface", test_surface);
  g_test_add_func ("/console/png", test_png);
  g_test_add_func ("/console/viewer", test_viewer);
  g_test_add_func ("/console/hooks", test_hooks);
  g_test_add_func ("/console/threads", test_threads);
  return g_test_run ();
}
