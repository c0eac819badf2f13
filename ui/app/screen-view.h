/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A widget that shows one console of a machine and gives it keys and pointer.
 */
#pragma once

#include <gtk/gtk.h>

#include "vitrine-machine.h"

typedef enum
{
  VT_SCALE_FIT,  /* As large as the window allows, proportions kept. */
  VT_SCALE_NONE, /* One guest pixel is one physical pixel; the widget asks for that much room. */
} VtScaleMode;

/* Signals: "grabbed-changed", "picture-resized" (width, height in guest pixels). */
#define VT_TYPE_SCREEN_VIEW (vt_screen_view_get_type ())
G_DECLARE_FINAL_TYPE (VtScreenView, vt_screen_view, VT, SCREEN_VIEW, GtkDrawingArea)

GtkWidget *vt_screen_view_new (VitrineMachine *machine);

/* Shows console @n once the machine is built; until then, and for NULL, the view is black. */
void vt_screen_view_set_screen (VtScreenView *view, VitrineScreen *screen);

void vt_screen_view_set_scale (VtScreenView *view, VtScaleMode mode);

/* Whether the pointer (in relative mode) and the keyboard belong to the guest alone. */
gboolean vt_screen_view_is_grabbed (VtScreenView *view);
void     vt_screen_view_release (VtScreenView *view);

/* The guest's picture in pixels; FALSE where there is none. */
gboolean vt_screen_view_get_picture_size (VtScreenView *view, int *width, int *height);
