/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a frame-buffer device needs to show video memory on a console.
 *
 * The timer runs on the host's clock: a paused machine's picture can still be drawn. While no viewer
 * is there it does not run at all and the dirty log is off, so that the guest draws at full speed.
 */
#include "screen.h"

#include <sys/mman.h>

#define PAGE_SHIFT 12

/* After two seconds without a change at 60 Hz a look every other frame is enough. */
#define QUIET_LOOKS 120

/* Intervals from here on mean that nobody looks. */
#define ASLEEP (60 * VT_NS_PER_SEC)

struct VtRamView
{
  gint     refs;
  uint64_t size;
  uint8_t *data;
};

static VtRamView *
ram_view_new (VtRam *ram)
{
  VtRamView *view;
  void *data = mmap (NULL, vt_ram_size (ram), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                     vt_ram_fd (ram), 0);

  if (data == MAP_FAILED)
    return NULL;
  madvise (data, vt_ram_size (ram), MADV_DONTDUMP);
  view = g_new0 (VtRamView, 1);
  view->refs = 1;
  view->size = vt_ram_size (ram);
  view->data = data;
  return view;
}

static void
ram_view_unref (void *data)
{
  VtRamView *view = data;

  if (view == NULL || !g_atomic_int_dec_and_test (&view->refs))
    return;
  munmap (view->data, view->size);
  g_free (view);
}

static void
update_cb (void *data)
{
  vt_screen_update (data);
}

static char *
text_cb (void *data)
{
  VtScreen *screen = data;

  return screen->ops->text (screen->data);
}

static void
hint_cb (void *data, const VtConsoleHint *hint)
{
  VtScreen *screen = data;

  screen->ops->hint (screen->data, hint);
}

void
vt_screen_init (VtScreen *screen, VtConsole *console, VtContext *context, VtRam *ram,
                const VtScreenOps *ops, void *data)
{
  screen->console = console;
  screen->context = context;
  screen->ram = ram;
  screen->ops = ops;
  screen->data = data;
  screen->full = true;
  screen->wrapped = UINT64_MAX;
  screen->dirty = g_new0 (uint64_t, ((vt_ram_size (ram) >> PAGE_SHIFT) + 63) / 64);
  if (console == NULL)
    return;
  screen->timer = vt_timer_new (context, vt_clock_host (), update_cb, screen);
  vt_console_on_update (console, context, update_cb, screen);
  if (ops->text != NULL)
    vt_console_on_text (console, context, text_cb, screen);
  if (ops->hint != NULL)
    vt_console_on_hint (console, context, hint_cb, screen);
  /* Viewers may have come before the device. */
  if (vt_console_refresh_interval (console) < ASLEEP)
    vt_timer_arm (screen->timer, vt_clock_now (vt_clock_host ()));
}

void
vt_screen_finish (VtScreen *screen)
{
  if (screen->console != NULL)
    {
      vt_console_on_update (screen->console, NULL, NULL, NULL);
      vt_console_on_text (screen->console, NULL, NULL, NULL);
      vt_console_on_hint (screen->console, NULL, NULL, NULL);
      vt_console_set_surface (screen->console, NULL);
      vt_timer_free (screen->timer);
    }
  if (screen->logging)
    vt_ram_log_stop (screen->ram);
  vt_surface_unref (screen->surface);
  ram_view_unref (screen->view);
  g_free (screen->dirty);
  *screen = (VtScreen){ 0 };
}

void
vt_screen_redraw (VtScreen *screen)
{
  screen->full = true;
}

static void
flush (VtScreen *screen)
{
  VtRect *run = &screen->run;

  if (run->width == 0)
    return;
  if (screen->console != NULL)
    vt_console_damage (screen->console, run->x, run->y, run->width, run->height);
  run->width = 0;
}

void
vt_screen_update (VtScreen *screen)
{
  int64_t interval = screen->console != NULL ? vt_console_refresh_interval (screen->console)
                                             : INT64_MAX;
  bool watched = interval < ASLEEP;

  /* Without a log (a screenshot while nobody watches) everything is drawn. It is switched on before
   * the drawing, so that no write falls between. */
  if (watched != screen->logging)
    {
      if (watched)
        vt_ram_log_start (screen->ram);
      else
        vt_ram_log_stop (screen->ram);
      screen->logging = watched;
      screen->full = true;
    }
  if (!watched)
    screen->full = true;
  if (screen->ops->prepare != NULL)
    screen->ops->prepare (screen->data);
  screen->any_dirty = screen->logging && vt_ram_log_fetch (screen->ram, screen->dirty);
  screen->changed = false;
  screen->ops->draw (screen->data);
  flush (screen);
  screen->full = false;

  screen->quiet = screen->changed ? 0 : MIN (screen->quiet + 1, QUIET_LOOKS);
  if (watched)
    {
      if (screen->quiet == QUIET_LOOKS)
        interval *= 2;
      vt_timer_arm (screen->timer, vt_clock_now (vt_clock_host ()) + interval);
    }
  else if (screen->timer != NULL)
    vt_timer_stop (screen->timer);
}

bool
vt_screen_size (VtScreen *screen, int width, int height)
{
  VtSurface *surface;

  if (screen->surface != NULL && screen->wrapped == UINT64_MAX && screen->surface->width == width
      && screen->surface->height == height)
    return true;
  surface = vt_surface_new (width, height);
  if (surface == NULL)
    return false;
  vt_surface_unref (screen->surface);
  screen->surface = surface;
  screen->wrapped = UINT64_MAX;
  screen->full = true;
  screen->changed = true;
  screen->run.width = 0;
  if (screen->console != NULL)
    vt_console_set_surface (screen->console, surface);
  return true;
}

bool
vt_screen_wrap (VtScreen *screen, int width, int height, int stride, uint64_t offset)
{
  VtSurface *surface = screen->surface;

  if (surface != NULL && screen->wrapped == offset && surface->width == width
      && surface->height == height && surface->stride == stride)
    return true;
  if (screen->view == NULL)
    screen->view = ram_view_new (screen->ram);
  if (screen->view == NULL)
    return false;
  surface = vt_surface_new_wrap (width, height, stride, screen->view->data + offset, ram_view_unref,
                                 screen->view);
  if (surface == NULL)
    return false;
  g_atomic_int_inc (&screen->view->refs);
  vt_surface_unref (screen->surface);
  screen->surface = surface;
  screen->wrapped = offset;
  screen->full = false; /* A new surface damages itself. */
  screen->any_dirty = false;
  screen->changed = true;
  screen->run.width = 0;
  if (screen->console != NULL)
    vt_console_set_surface (screen->console, surface);
  return true;
}

bool
vt_screen_dirty (const VtScreen *screen, uint64_t offset, uint64_t len)
{
  if (screen->full)
    return true;
  if (!screen->any_dirty || len == 0 || !vt_range_ok (offset, len, vt_ram_size (screen->ram)))
    return false;
  for (uint64_t page = offset >> PAGE_SHIFT; page <= (offset + len - 1) >> PAGE_SHIFT; page++)
    if (screen->dirty[page / 64] & VT_BIT (page % 64))
      return true;
  return false;
}

void
vt_screen_damage (VtScreen *screen, int x, int y, int width, int height)
{
  VtRect *run = &screen->run;

  screen->changed = true;
  /* Lines that follow one another become one rectangle; anything else begins a new one. */
  if (run->width > 0 && y == run->y + run->height && x < run->x + run->width
      && run->x < x + width)
    {
      int right = MAX (run->x + run->width, x + width);

      run->x = MIN (run->x, x);
      run->width = right - run->x;
      run->height += height;
      return;
    }
  flush (screen);
  *run = (VtRect){ x, y, width, height };
}

void
vt_screen_line (VtScreen *screen, int y, const uint32_t *pixels)
{
  VtSurface *surface = screen->surface;
  uint32_t *to;
  int first = 0, last = surface->width - 1;

  if (y < 0 || y >= surface->height)
    return;
  to = (uint32_t *) (void *) (surface->data + (size_t) y * (size_t) surface->stride);
  if (memcmp (to, pixels, (size_t) surface->width * 4) == 0)
    return;
  while (to[first] == pixels[first])
    first++;
  while (to[last] == pixels[last])
    last--;
  memcpy (to + first, pixels + first, (size_t) (last - first + 1) * 4);
  vt_screen_damage (screen, first, y, last - first + 1, 1);
}
