/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a frame-buffer device needs to show video memory on a console: a refresh timer that sleeps
 * while nobody looks, the dirty log, a surface, and damage gathered line by line.
 */
#pragma once

#include "vt-console.h"
#include "vt-memory.h"

/* A second mapping of video memory that lives as long as any surface shows it, so that a viewer may
 * hold a surface longer than the device exists. */
typedef struct VtRamView VtRamView;

typedef struct
{
  /* Writes what is kept elsewhere to video memory, before the dirty log is read. May be NULL. */
  void (*prepare) (void *data);
  /* Brings the surface up to date with vt_screen_size() or vt_screen_wrap(), then
   * vt_screen_line() or vt_screen_damage(). Looks at @full and at vt_screen_dirty(). */
  void (*draw) (void *data);
  char *(*text) (void *data);                           /* See vt_console_on_text(); may be NULL. */
  void (*hint) (void *data, const VtConsoleHint *hint); /* May be NULL. */
} VtScreenOps;

typedef struct
{
  VtConsole         *console; /* NULL: nobody ever looks. */
  VtContext         *context;
  VtRam             *ram;
  const VtScreenOps *ops;
  void              *data;

  VtTimer   *timer;
  VtRamView *view;
  VtSurface *surface;
  uint64_t   wrapped; /* Where in @ram the surface lies; UINT64_MAX: it has pixels of its own. */
  uint64_t  *dirty;   /* One bit per page of @ram since the last look. */
  bool       any_dirty;
  bool       logging;
  bool       full;    /* Everything must be drawn: nothing is known of what changed. */
  bool       changed; /* Some damage since the last look. */
  unsigned   quiet;   /* Looks in a row that found nothing. */
  VtRect     run;     /* Damaged lines that are gathered; empty where width is 0. */
} VtScreen;

/* @console may be NULL. @ram outlives the screen. */
void vt_screen_init (VtScreen *screen, VtConsole *console, VtContext *context, VtRam *ram,
                     const VtScreenOps *ops, void *data);
void vt_screen_finish (VtScreen *screen); /* Harmless where init never ran. */

/* Looks now. */
void vt_screen_update (VtScreen *screen);
/* Everything is drawn anew at the next look. */
void vt_screen_redraw (VtScreen *screen);

/* A surface of this size with pixels of its own. Returns: false where there is no memory for it. */
bool vt_screen_size (VtScreen *screen, int width, int height);
/* The surface is video memory itself; the caller has checked that it lies inside. */
bool vt_screen_wrap (VtScreen *screen, int width, int height, int stride, uint64_t offset);

/* Whether any byte of [@offset, @offset + @len) of the video memory may have changed. */
bool vt_screen_dirty (const VtScreen *screen, uint64_t offset, uint64_t len);

/* Line @y is @pixels now: what differs is copied and damaged. */
void vt_screen_line (VtScreen *screen, int y, const uint32_t *pixels);
void vt_screen_damage (VtScreen *screen, int x, int y, int width, int height);
