/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a display device gives (scanout, damage, cursor) and takes (resize hints), and what the
 * viewers (local window, SPICE, thumbnails, screenshots) see of it. One VtConsole per scanout.
 */
#pragma once

#include "vt-base.h"
#include "vt-loop.h"

typedef struct VtConsole VtConsole;
typedef struct VtSurface VtSurface;

typedef struct
{
  int x, y, width, height;
} VtRect;

/* Pixels in x8r8g8b8 (32 bits, host order: B, G, R, X in memory), top-down. The geometry of a
 * surface never changes; a mode change is a new surface. Viewers may read while the device writes:
 * a torn frame is possible and the following damage mends it. */
struct VtSurface
{
  gint     refs;
  int      width, height, stride; /* Stride in bytes, a multiple of 4. */
  uint8_t *data;
  void (*release) (void *data); /* NULL: @data is g_free()d. */
  void *release_data;
};

/* Allocates black pixels; 1 to 16384 each way, NULL otherwise. */
VtSurface *vt_surface_new (int width, int height);
/* Wraps memory that stays valid until @release. */
VtSurface *vt_surface_new_wrap (int width, int height, int stride, uint8_t *data,
                                void (*release) (void *), void *release_data);
VtSurface *vt_surface_ref (VtSurface *surface);
void       vt_surface_unref (VtSurface *surface); /* NULL is allowed. Any thread. */

/* Writes @surface as PNG. */
bool vt_surface_write_png (const VtSurface *surface, const char *path, GError **error);

typedef struct
{
  int       width, height, hot_x, hot_y;
  uint32_t *argb; /* Premultiplied, width * height; NULL hides the cursor. */
} VtCursor;

/* Device side; the device's context, lock held ------------------------------------------------- */

VtConsole *vt_console_new (const char *name);
void       vt_console_free (VtConsole *console);

void vt_console_set_surface (VtConsole *console, VtSurface *surface); /* Takes a reference. */
/* Clipped to the surface. Cheap: rectangles are merged per viewer. */
void vt_console_damage (VtConsole *console, int x, int y, int width, int height);
void vt_console_set_cursor (VtConsole *console, const VtCursor *cursor); /* NULL: hidden. Copied. */
void vt_console_move_cursor (VtConsole *console, int x, int y);

/* How often the device should look for changes, ns: 1/60 s while somebody watches, longer when only
 * a thumbnail is wanted, an hour while nobody looks. The device reads it at each tick; a viewer that
 * comes asks for an update (below), so a sleeping device hears of it. */
int64_t vt_console_refresh_interval (const VtConsole *console);

typedef struct
{
  int width, height;       /* Physical pixels wanted; 0: no wish. */
  int width_mm, height_mm; /* Physical size for the EDID; 0: unknown. */
} VtConsoleHint;

/* @func on @context (lock held) when a viewer asks for a size. One at most. */
void vt_console_on_hint (VtConsole *console, VtContext *context,
                         void (*func) (void *data, const VtConsoleHint *hint), void *data);

/* @func on @context (lock held) when the surface is wanted up to date on its return (screenshots),
 * and when a viewer has come. NULL: it always is. */
void vt_console_on_update (VtConsole *console, VtContext *context, VtFunc func, void *data);

/* @func on @context (lock held) returns (transfer full) what the screen says as UTF-8, a line per
 * row; NULL in graphics modes. */
void vt_console_on_text (VtConsole *console, VtContext *context, char *(*func) (void *data),
                         void *data);

/* A device that goes away takes its hooks back (@func NULL), in unrealize. */

/* Viewer side; any thread ---------------------------------------------------------------------- */

/* Called on the device's thread, under its lock and no other: they queue and return; never block,
 * never call back into the console but for the two take functions. */
typedef struct
{
  void (*changed) (void *data); /* Something is there to take: once until the next take. */
} VtViewerOps;

typedef struct VtViewer VtViewer;

/* A viewer starts with everything damaged and takes when it likes; its first call comes with the next
 * change. It may outlive the console. @live: it wants 60 Hz, not a thumbnail's pace. */
VtViewer *vt_viewer_new (VtConsole *console, const VtViewerOps *ops, void *data, bool live);
void      vt_viewer_free (VtViewer *viewer); /* No callback runs once it returns. */

#define VT_VIEWER_RECTS 32

typedef struct
{
  VtSurface *surface; /* (transfer full) or NULL where there is no picture. */
  bool       new_surface; /* Another one than at the last take; its size may be the same. */
  unsigned   n_rects;
  VtRect     rects[VT_VIEWER_RECTS]; /* Disjoint; clipped to @surface. */
  bool       cursor_moved, cursor_changed;
  int        cursor_x, cursor_y;
  VtCursor   cursor; /* Where changed: argb is (transfer full), g_free(). */
} VtFrame;

/* Takes what has changed since the last take. */
void vt_viewer_take (VtViewer *viewer, VtFrame *frame);
void vt_frame_clear (VtFrame *frame);

/* A copy of the surface, brought up to date first (waits for the device's context; no context lock
 * held); NULL where there is no picture. */
VtSurface *vt_console_snapshot (VtConsole *console);
/* What a text screen says (transfer full): rows without trailing blanks, each ended by a newline.
 * NULL where the guest shows graphics. Waits as above. */
char *vt_console_text (VtConsole *console);
void       vt_console_hint (VtConsole *console, const VtConsoleHint *hint);
const char *vt_console_name (const VtConsole *console);
