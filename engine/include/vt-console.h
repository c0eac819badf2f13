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
/* Whether the guest draws the pointer at absolute positions; viewers choose their mouse mode. */

/* How often the device should look for changes, ns: 1/60 s while somebody watches, longer when only
 * a thumbnail is wanted. The device reads it at each tick. */
int64_t vt_console_refresh_interval (const VtConsole *console);

typedef struct
{
  int width, height;       /* Physical pixels wanted; 0: no wish. */
  int width_mm, height_mm; /* Physical size for the EDID; 0: unknown. */
} VtConsoleHint;

/* @func on @context (lock held) when a viewer asks for a size. One at most. */
void vt_console_on_hint (VtConsole *console, VtContext *context,
                         void (*func) (void *data, const VtConsoleHint *hint), void *data);

/* Asks the device to look now and to call @done when the surface is up to date (screenshots). Set by
 * the device; NULL: always up to date. On @context, lock held. */
void vt_console_on_update (VtConsole *console, VtContext *context, VtFunc func, void *data);

/* Viewer side; any thread ---------------------------------------------------------------------- */

/* Called on the device's thread, under its lock and no other: they queue and return; never block,
 * never call back into the console but for the two take functions. */
typedef struct
{
  void (*changed) (void *data); /* Something is there to take: once until the next take. */
} VtViewerOps;

typedef struct VtViewer VtViewer;

/* A viewer starts with everything damaged. @live: it wants 60 Hz, not a thumbnail's pace. */
VtViewer *vt_viewer_new (VtConsole *console, const VtViewerOps *ops, void *data, bool live);
void      vt_viewer_free (VtViewer *viewer); /* No callback runs once it returns. */

#define VT_VIEWER_RECTS 32

typedef struct
{
  VtSurface *surface; /* (transfer full) or NULL where there is no picture. */
  bool       new_surface; /* Another one than at the last take. */
  unsigned   n_rects;
  VtRect     rects[VT_VIEWER_RECTS]; /* Disjoint; clipped to @surface. */
  bool       cursor_moved, cursor_changed;
  int        cursor_x, cursor_y;
  VtCursor   cursor; /* Where changed: argb is (transfer full), g_free(). */
} VtFrame;

/* Takes what has changed since the last take. */
void vt_viewer_take (VtViewer *viewer, VtFrame *frame);
void vt_frame_clear (VtFrame *frame);

/* The surface now, brought up to date first (waits for the device's context; no lock held). */
VtSurface *vt_console_snapshot (VtConsole *console);
void       vt_console_hint (VtConsole *console, const VtConsoleHint *hint);
const char *vt_console_name (const VtConsole *console);
