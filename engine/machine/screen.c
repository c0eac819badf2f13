/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineScreen: a window's view of one console, with its signals on the default main context.
 */
#include "machine-private.h"

enum
{
  RESIZED,
  DAMAGED,
  CURSOR_CHANGED,
  N_SIGNALS,
};

/* From the device's thread to the main context; outlives the screen by what is under way. */
typedef struct
{
  gatomicrefcount refs;
  VitrineScreen  *screen; /* The main context's alone; NULL when it is gone. */
} Link;

struct _VitrineScreen
{
  GObject    parent_instance;
  VtConsole *console; /* NULL: detached. */
  VtViewer  *viewer;
  Link      *link;
  VtSurface *surface;
  VtCursor   cursor;
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (VitrineScreen, vitrine_screen, G_TYPE_OBJECT)

static void
link_unref (gpointer data)
{
  Link *link = data;
  if (g_atomic_ref_count_dec (&link->refs))
    g_free (link);
}

static void
take (VitrineScreen *self)
{
  VtFrame frame = { 0 };

  vt_viewer_take (self->viewer, &frame);
  if (frame.new_surface)
    {
      vt_surface_unref (self->surface);
      self->surface = g_steal_pointer (&frame.surface);
      g_signal_emit (self, signals[RESIZED], 0, self->surface ? self->surface->width : 0,
                     self->surface ? self->surface->height : 0);
    }
  if (frame.cursor_changed)
    {
      g_free (self->cursor.argb);
      self->cursor = frame.cursor;
      frame.cursor.argb = NULL;
      g_signal_emit (self, signals[CURSOR_CHANGED], 0);
    }
  for (unsigned i = 0; i < frame.n_rects; i++)
    g_signal_emit (self, signals[DAMAGED], 0, frame.rects[i].x, frame.rects[i].y, frame.rects[i].width,
                   frame.rects[i].height);
  vt_frame_clear (&frame);
}

static gboolean
take_cb (gpointer data)
{
  const Link *link = data;
  if (link->screen && link->screen->viewer)
    {
      g_autoptr (VitrineScreen) screen = g_object_ref (link->screen);
      take (screen);
    }
  return G_SOURCE_REMOVE;
}

static void
changed_cb (void *data)
{
  Link               *link = data;
  g_autoptr (GSource) source = g_idle_source_new ();

  g_atomic_ref_count_inc (&link->refs);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, take_cb, link, link_unref);
  g_source_attach (source, NULL);
}

VitrineScreen *
vt_screen_new (VtConsole *console, bool live)
{
  static const VtViewerOps ops = { changed_cb };
  VitrineScreen           *self = g_object_new (VITRINE_TYPE_SCREEN, NULL);
  VtFrame                  frame = { 0 };

  self->console = console;
  self->viewer = vt_viewer_new (console, &ops, self->link, live);
  /* The picture is there before the first signal. */
  vt_viewer_take (self->viewer, &frame);
  self->surface = g_steal_pointer (&frame.surface);
  if (frame.cursor_changed)
    {
      self->cursor = frame.cursor;
      frame.cursor.argb = NULL;
    }
  vt_frame_clear (&frame);
  return self;
}

void
vt_screen_detach (VitrineScreen *self)
{
  if (!self->viewer)
    return;
  g_clear_pointer (&self->viewer, vt_viewer_free);
  self->console = NULL;
  if (self->surface)
    {
      /* The surface may lie in the video memory of a machine that is about to go. */
      VtSurface *copy = vt_surface_new (self->surface->width, self->surface->height);
      for (int y = 0; copy && y < copy->height; y++)
        memcpy (copy->data + (size_t) y * (size_t) copy->stride,
                self->surface->data + (size_t) y * (size_t) self->surface->stride,
                (size_t) copy->width * 4);
      vt_surface_unref (self->surface);
      self->surface = copy;
      g_signal_emit (self, signals[RESIZED], 0, copy ? copy->width : 0, copy ? copy->height : 0);
    }
}

gboolean
vitrine_screen_get_pixels (VitrineScreen *self, VitrinePixels *pixels)
{
  *pixels = (VitrinePixels){ 0 };
  if (!self->surface)
    return FALSE;
  *pixels = (VitrinePixels){ self->surface->width, self->surface->height, self->surface->stride,
                             self->surface->data };
  return TRUE;
}

void
vitrine_screen_get_cursor (VitrineScreen *self, VitrineCursor *cursor)
{
  *cursor = (VitrineCursor){
    .visible = self->cursor.argb != NULL,
    .width = self->cursor.width,
    .height = self->cursor.height,
    .hot_x = self->cursor.hot_x,
    .hot_y = self->cursor.hot_y,
    .argb = self->cursor.argb,
  };
}

void
vitrine_screen_hint (VitrineScreen *self, int width, int height, int width_mm, int height_mm)
{
  const VtConsoleHint hint = { width, height, width_mm, height_mm };
  if (self->console)
    vt_console_hint (self->console, &hint);
}

static void
finalize (GObject *object)
{
  VitrineScreen *self = VITRINE_SCREEN (object);
  g_clear_pointer (&self->viewer, vt_viewer_free);
  self->link->screen = NULL;
  link_unref (self->link);
  vt_surface_unref (self->surface);
  g_free (self->cursor.argb);
  G_OBJECT_CLASS (vitrine_screen_parent_class)->finalize (object);
}

static void
vitrine_screen_class_init (VitrineScreenClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = finalize;
  signals[RESIZED] = g_signal_new ("resized", VITRINE_TYPE_SCREEN, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
  signals[DAMAGED] = g_signal_new ("damaged", VITRINE_TYPE_SCREEN, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 4, G_TYPE_INT, G_TYPE_INT, G_TYPE_INT, G_TYPE_INT);
  signals[CURSOR_CHANGED] = g_signal_new ("cursor-changed", VITRINE_TYPE_SCREEN, G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
vitrine_screen_init (VitrineScreen *self)
{
  self->link = g_new0 (Link, 1);
  g_atomic_ref_count_init (&self->link->refs);
  self->link->screen = self;
}
