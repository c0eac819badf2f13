/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Consoles: where a display device leaves its scanout and cursor, and viewers take what changed.
 *
 * One mutex per console covers the surface, the cursor and what each viewer has not taken yet; it is
 * a leaf (nothing is called with it but vt_context_post). Viewers are told outside it, so that they
 * may take from within the call; vt_viewer_free() waits for a call that is under way.
 */
#include "damage.h"

#define LIVE_INTERVAL (VT_NS_PER_SEC / 60)
#define THUMBNAIL_INTERVAL (VT_NS_PER_SEC / 2)
/* Nobody looks. Not infinite, so that a device may add it to a time without thought. */
#define IDLE_INTERVAL (3600 * VT_NS_PER_SEC)

/* Larger cursors than any hardware has are refused. */
#define MAX_CURSOR 512

typedef struct
{
  VtContext *context;
  void      *data;
} Hook;

struct VtConsole
{
  gint   refs; /* The owner's, one per viewer, one per post under way. */
  char  *name;
  GMutex lock;
  GCond  told; /* Some viewer's callback has returned. */

  VtSurface *surface;
  VtCursor   cursor;
  int        cursor_x, cursor_y;

  GPtrArray *viewers; /* Not owned. */
  gint       n_viewers, n_live; /* Atomic, for the device's look at the interval. */

  Hook hint_hook, update_hook, text_hook;
  void (*hint_func) (void *data, const VtConsoleHint *hint);
  VtFunc update_func;
  char *(*text_func) (void *data);

  VtConsoleHint hint;
  bool          hint_posted, update_posted;
};

struct VtViewer
{
  VtConsole         *console;
  const VtViewerOps *ops;
  void              *data;
  bool               live;

  VtDamage damage;
  bool     new_surface, cursor_moved, cursor_changed;
  bool     notified; /* The viewer has been told and has not taken since. */
  unsigned calling;  /* Callbacks under way. */
};

static void
console_ref (VtConsole *console)
{
  g_atomic_int_inc (&console->refs);
}

static void
console_unref (VtConsole *console)
{
  if (!g_atomic_int_dec_and_test (&console->refs))
    return;
  vt_surface_unref (console->surface);
  g_free (console->cursor.argb);
  g_ptr_array_unref (console->viewers);
  g_mutex_clear (&console->lock);
  g_cond_clear (&console->told);
  g_free (console->name);
  g_free (console);
}

VtConsole *
vt_console_new (const char *name)
{
  VtConsole *console = g_new0 (VtConsole, 1);

  console->refs = 1;
  console->name = g_strdup (name);
  console->viewers = g_ptr_array_new ();
  g_mutex_init (&console->lock);
  g_cond_init (&console->told);
  return console;
}

void
vt_console_free (VtConsole *console)
{
  if (console == NULL)
    return;
  g_mutex_lock (&console->lock);
  console->hint_func = NULL;
  console->update_func = NULL;
  console->text_func = NULL;
  console->hint_hook = console->update_hook = console->text_hook = (Hook){ 0 };
  g_mutex_unlock (&console->lock);
  console_unref (console);
}

const char *
vt_console_name (const VtConsole *console)
{
  return console->name;
}

/* What the viewers are told ---------------------------------------------------------------------- */

static bool
viewer_pending (const VtViewer *viewer)
{
  return viewer->damage.n > 0 || viewer->new_surface || viewer->cursor_moved
         || viewer->cursor_changed;
}

static VtViewer *
next_to_tell_locked (VtConsole *console)
{
  for (unsigned i = 0; i < console->viewers->len; i++)
    {
      VtViewer *viewer = g_ptr_array_index (console->viewers, i);

      if (!viewer->notified && viewer_pending (viewer))
        return viewer;
    }
  return NULL;
}

/* Tells each viewer that has something to take and does not know. Unlocks while it calls, so the
 * list is looked at anew each time; a viewer that was told is not told again before it takes. The
 * bound keeps a viewer that takes within its call from holding the device up. */
static void
tell_locked (VtConsole *console)
{
  unsigned bound = console->viewers->len;
  VtViewer *viewer;

  while (bound-- > 0 && (viewer = next_to_tell_locked (console)) != NULL)
    {
      viewer->notified = true;
      if (viewer->ops == NULL || viewer->ops->changed == NULL)
        continue;
      viewer->calling++;
      g_mutex_unlock (&console->lock);
      viewer->ops->changed (viewer->data);
      g_mutex_lock (&console->lock);
      viewer->calling--;
      g_cond_broadcast (&console->told);
    }
}

static void
damage_all_locked (VtConsole *console, VtViewer *viewer)
{
  vt_damage_clear (&viewer->damage);
  if (console->surface != NULL)
    vt_damage_add (&viewer->damage,
                   &(VtRect){ 0, 0, console->surface->width, console->surface->height },
                   console->surface->width, console->surface->height);
}

/* Device side ------------------------------------------------------------------------------------ */

void
vt_console_set_surface (VtConsole *console, VtSurface *surface)
{
  VtSurface *old;

  if (surface != NULL)
    vt_surface_ref (surface);
  g_mutex_lock (&console->lock);
  old = console->surface;
  console->surface = surface;
  if (old != surface)
    {
      for (unsigned i = 0; i < console->viewers->len; i++)
        {
          VtViewer *viewer = g_ptr_array_index (console->viewers, i);

          viewer->new_surface = true;
          damage_all_locked (console, viewer);
        }
      tell_locked (console);
    }
  g_mutex_unlock (&console->lock);
  vt_surface_unref (old);
}

void
vt_console_damage (VtConsole *console, int x, int y, int width, int height)
{
  if (g_atomic_int_get (&console->n_viewers) == 0)
    return;
  g_mutex_lock (&console->lock);
  if (console->surface != NULL)
    {
      for (unsigned i = 0; i < console->viewers->len; i++)
        {
          VtViewer *viewer = g_ptr_array_index (console->viewers, i);

          vt_damage_add (&viewer->damage, &(VtRect){ x, y, width, height },
                         console->surface->width, console->surface->height);
        }
      tell_locked (console);
    }
  g_mutex_unlock (&console->lock);
}

/* An independent copy; hidden where @from is NULL or out of bounds. */
static VtCursor
cursor_copy (const VtCursor *from)
{
  VtCursor copy = { 0 };

  if (from == NULL || from->argb == NULL || from->width < 1 || from->height < 1
      || from->width > MAX_CURSOR || from->height > MAX_CURSOR)
    return copy;
  copy = *from;
  copy.argb = g_memdup2 (from->argb, (size_t) from->width * (size_t) from->height * 4);
  return copy;
}

void
vt_console_set_cursor (VtConsole *console, const VtCursor *cursor)
{
  g_mutex_lock (&console->lock);
  g_free (console->cursor.argb);
  console->cursor = cursor_copy (cursor);
  for (unsigned i = 0; i < console->viewers->len; i++)
    {
      VtViewer *viewer = g_ptr_array_index (console->viewers, i);

      viewer->cursor_changed = true;
    }
  tell_locked (console);
  g_mutex_unlock (&console->lock);
}

void
vt_console_move_cursor (VtConsole *console, int x, int y)
{
  g_mutex_lock (&console->lock);
  if (console->cursor_x != x || console->cursor_y != y)
    {
      console->cursor_x = x;
      console->cursor_y = y;
      for (unsigned i = 0; i < console->viewers->len; i++)
        {
          VtViewer *viewer = g_ptr_array_index (console->viewers, i);

          viewer->cursor_moved = true;
        }
      tell_locked (console);
    }
  g_mutex_unlock (&console->lock);
}

int64_t
vt_console_refresh_interval (const VtConsole *console)
{
  if (g_atomic_int_get (&console->n_live) > 0)
    return LIVE_INTERVAL;
  if (g_atomic_int_get (&console->n_viewers) > 0)
    return THUMBNAIL_INTERVAL;
  return IDLE_INTERVAL;
}

void
vt_console_on_hint (VtConsole *console, VtContext *context,
                    void (*func) (void *data, const VtConsoleHint *hint), void *data)
{
  g_mutex_lock (&console->lock);
  console->hint_hook = (Hook){ context, data };
  console->hint_func = func;
  g_mutex_unlock (&console->lock);
}

void
vt_console_on_update (VtConsole *console, VtContext *context, VtFunc func, void *data)
{
  g_mutex_lock (&console->lock);
  console->update_hook = (Hook){ context, data };
  console->update_func = func;
  g_mutex_unlock (&console->lock);
}

void
vt_console_on_text (VtConsole *console, VtContext *context, char *(*func) (void *data), void *data)
{
  g_mutex_lock (&console->lock);
  console->text_hook = (Hook){ context, data };
  console->text_func = func;
  g_mutex_unlock (&console->lock);
}

/* Calls to the device ---------------------------------------------------------------------------- */

/* The hooks are cleared under the device's context lock, which is held here too: a device that has
 * gone is not called. */
static void
run_update (VtConsole *console)
{
  VtFunc func;
  void *data;

  g_mutex_lock (&console->lock);
  func = console->update_func;
  data = console->update_hook.data;
  g_mutex_unlock (&console->lock);
  if (func != NULL)
    func (data);
}

static void
update_posted_cb (void *data)
{
  VtConsole *console = data;

  g_mutex_lock (&console->lock);
  console->update_posted = false;
  g_mutex_unlock (&console->lock);
  run_update (console);
  console_unref (console);
}

static void
hint_posted_cb (void *data)
{
  VtConsole *console = data;
  VtConsoleHint hint;
  void (*func) (void *, const VtConsoleHint *);
  void *func_data;

  g_mutex_lock (&console->lock);
  console->hint_posted = false;
  hint = console->hint;
  func = console->hint_func;
  func_data = console->hint_hook.data;
  g_mutex_unlock (&console->lock);
  if (func != NULL)
    func (func_data, &hint);
  console_unref (console);
}

void
vt_console_hint (VtConsole *console, const VtConsoleHint *hint)
{
  g_mutex_lock (&console->lock);
  console->hint = *hint;
  /* A window that is being dragged wishes often; the device sees the latest. */
  if (console->hint_func != NULL && !console->hint_posted)
    {
      console->hint_posted = true;
      console_ref (console);
      vt_context_post (console->hint_hook.context, hint_posted_cb, console);
    }
  g_mutex_unlock (&console->lock);
}

typedef struct
{
  VtConsole *console;
  VtSurface *copy;
} Snapshot;

/* A copy, so that what is looked at or written to a file is one moment. */
static void
snapshot_cb (void *data)
{
  Snapshot *snapshot = data;
  VtConsole *console = snapshot->console;
  VtSurface *surface;

  run_update (console);
  g_mutex_lock (&console->lock);
  surface = console->surface != NULL ? vt_surface_ref (console->surface) : NULL;
  g_mutex_unlock (&console->lock);
  if (surface == NULL)
    return;
  snapshot->copy = vt_surface_new (surface->width, surface->height);
  if (snapshot->copy != NULL)
    for (int y = 0; y < surface->height; y++)
      memcpy (snapshot->copy->data + (size_t) y * (size_t) snapshot->copy->stride,
              surface->data + (size_t) y * (size_t) surface->stride, (size_t) surface->width * 4);
  vt_surface_unref (surface);
}

VtSurface *
vt_console_snapshot (VtConsole *console)
{
  Snapshot snapshot = { console, NULL };
  VtContext *context;

  g_mutex_lock (&console->lock);
  context = console->update_func != NULL ? console->update_hook.context : NULL;
  g_mutex_unlock (&console->lock);
  if (context != NULL)
    vt_context_call (context, snapshot_cb, &snapshot);
  else
    snapshot_cb (&snapshot);
  return snapshot.copy;
}

typedef struct
{
  VtConsole *console;
  char      *text;
} Text;

static void
text_cb (void *data)
{
  Text *text = data;
  char *(*func) (void *);
  void *func_data;

  g_mutex_lock (&text->console->lock);
  func = text->console->text_func;
  func_data = text->console->text_hook.data;
  g_mutex_unlock (&text->console->lock);
  if (func != NULL)
    text->text = func (func_data);
}

char *
vt_console_text (VtConsole *console)
{
  Text text = { console, NULL };
  VtContext *context;

  g_mutex_lock (&console->lock);
  context = console->text_func != NULL ? console->text_hook.context : NULL;
  g_mutex_unlock (&console->lock);
  if (context != NULL)
    vt_context_call (context, text_cb, &text);
  return text.text;
}

/* Viewers ---------------------------------------------------------------------------------------- */

VtViewer *
vt_viewer_new (VtConsole *console, const VtViewerOps *ops, void *data, bool live)
{
  VtViewer *viewer = g_new0 (VtViewer, 1);

  viewer->console = console;
  viewer->ops = ops;
  viewer->data = data;
  viewer->live = live;
  viewer->new_surface = true;
  viewer->cursor_changed = viewer->cursor_moved = true;
  console_ref (console);

  g_mutex_lock (&console->lock);
  damage_all_locked (console, viewer);
  g_ptr_array_add (console->viewers, viewer);
  g_atomic_int_inc (&console->n_viewers);
  if (live)
    g_atomic_int_inc (&console->n_live);
  /* The device may be asleep until its next look at a slower interval. */
  if (console->update_func != NULL && !console->update_posted)
    {
      console->update_posted = true;
      console_ref (console);
      vt_context_post (console->update_hook.context, update_posted_cb, console);
    }
  g_mutex_unlock (&console->lock);
  return viewer;
}

void
vt_viewer_free (VtViewer *viewer)
{
  VtConsole *console;

  if (viewer == NULL)
    return;
  console = viewer->console;
  g_mutex_lock (&console->lock);
  g_ptr_array_remove (console->viewers, viewer);
  g_atomic_int_add (&console->n_viewers, -1);
  if (viewer->live)
    g_atomic_int_add (&console->n_live, -1);
  while (viewer->calling > 0)
    g_cond_wait (&console->told, &console->lock);
  g_mutex_unlock (&console->lock);
  g_free (viewer);
  console_unref (console);
}

void
vt_viewer_take (VtViewer *viewer, VtFrame *frame)
{
  VtConsole *console = viewer->console;

  *frame = (VtFrame){ 0 };
  g_mutex_lock (&console->lock);
  viewer->notified = false;
  if (console->surface != NULL)
    {
      frame->surface = vt_surface_ref (console->surface);
      /* The rectangles were clipped to this surface: a new one damages everything. */
      frame->n_rects = viewer->damage.n;
      memcpy (frame->rects, viewer->damage.rects, viewer->damage.n * sizeof (VtRect));
    }
  frame->new_surface = viewer->new_surface;
  frame->cursor_moved = viewer->cursor_moved;
  frame->cursor_changed = viewer->cursor_changed;
  frame->cursor_x = console->cursor_x;
  frame->cursor_y = console->cursor_y;
  if (viewer->cursor_changed)
    frame->cursor = cursor_copy (&console->cursor);
  vt_damage_clear (&viewer->damage);
  viewer->new_surface = viewer->cursor_moved = viewer->cursor_changed = false;
  g_mutex_unlock (&console->lock);
}

void
vt_frame_clear (VtFrame *frame)
{
  vt_surface_unref (frame->surface);
  g_free (frame->cursor.argb);
  *frame = (VtFrame){ 0 };
}
