/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The guest's screen in a window, drawn directly: the scanout is wrapped in a cairo surface without
 * a copy, and only what the guest has changed is painted again.
 *
 * An absolute pointer follows the mouse freely. A relative one (PS/2) is captured by a click: the
 * pointer is hidden and held, every motion is sent as a difference, and Ctrl+Alt lets go.
 */
#include "screen-view.h"

#include <math.h>

#include <linux/input-event-codes.h>

/* X11 and Wayland keycodes are evdev's plus 8. */
#define KEYCODE_OFFSET 8
#define N_CODES 256
#define N_BUTTONS 10

struct _VtScreenView
{
  GtkDrawingArea parent;

  VitrineMachine *machine;
  VitrineScreen  *screen;
  VtScaleMode     scale;

  gboolean grabbed;     /* The pointer is captured (relative mode). */
  gboolean keyboard;    /* The keyboard is grabbed. */
  gboolean release_armed; /* Ctrl and Alt are down and no other key has come since. */
  gboolean ctrl, alt;
  gboolean keys[N_CODES]; /* What the guest holds down on our behalf, and nobody else's. */
  gboolean buttons[N_BUTTONS];
  double   last_x, last_y; /* Relative mode: where the pointer was, root coordinates. */
  double   rest_x, rest_y; /* What rounding has kept back so far. */
  double   scroll_y;

  GdkCursor *cursor; /* The guest's own, or NULL. */
  GdkCursor *blank;
};

enum
{
  GRABBED_CHANGED,
  PICTURE_RESIZED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_TYPE (VtScreenView, vt_screen_view, GTK_TYPE_DRAWING_AREA)

/* Geometry ----------------------------------------------------------------------------------- */

typedef struct
{
  double scale; /* Widget units per guest pixel. */
  double x, y;  /* Of the picture in the widget. */
  int    width, height; /* Guest pixels. */
} Placement;

static gboolean
place (VtScreenView *view, Placement *p)
{
  GtkWidget    *widget = GTK_WIDGET (view);
  VitrinePixels pixels;
  int           width = gtk_widget_get_allocated_width (widget);
  int           height = gtk_widget_get_allocated_height (widget);
  int           factor = gtk_widget_get_scale_factor (widget);

  if (view->screen == NULL || !vitrine_screen_get_pixels (view->screen, &pixels))
    return FALSE;
  p->width = pixels.width;
  p->height = pixels.height;
  if (view->scale == VT_SCALE_NONE)
    p->scale = 1.0 / factor;
  else
    p->scale = MIN ((double) width / pixels.width, (double) height / pixels.height);
  /* On whole physical pixels, so that an unscaled picture stays sharp. */
  p->x = floor ((width - pixels.width * p->scale) / 2 * factor) / factor;
  p->y = floor ((height - pixels.height * p->scale) / 2 * factor) / factor;
  return TRUE;
}

/* The guest pixel under a widget position, clamped to the picture. */
static gboolean
to_guest (VtScreenView *view, double x, double y, int *gx, int *gy)
{
  Placement p;

  if (!place (view, &p) || p.scale <= 0)
    return FALSE;
  *gx = CLAMP ((int) floor ((x - p.x) / p.scale), 0, p.width - 1);
  *gy = CLAMP ((int) floor ((y - p.y) / p.scale), 0, p.height - 1);
  return TRUE;
}

gboolean
vt_screen_view_get_picture_size (VtScreenView *view, int *width, int *height)
{
  VitrinePixels pixels;

  if (view->screen == NULL || !vitrine_screen_get_pixels (view->screen, &pixels))
    return FALSE;
  *width = pixels.width;
  *height = pixels.height;
  return TRUE;
}

static void
update_request (VtScreenView *view)
{
  int width, height, factor = gtk_widget_get_scale_factor (GTK_WIDGET (view));

  if (view->scale == VT_SCALE_NONE && vt_screen_view_get_picture_size (view, &width, &height))
    gtk_widget_set_size_request (GTK_WIDGET (view), (width + factor - 1) / factor,
                                 (height + factor - 1) / factor);
  else
    gtk_widget_set_size_request (GTK_WIDGET (view), 320, 200);
}

/* Drawing ------------------------------------------------------------------------------------ */

static gboolean
is_paused (VtScreenView *view)
{
  return view->machine != NULL && vitrine_machine_get_state (view->machine) == VITRINE_STATE_PAUSED;
}

static gboolean
vt_screen_view_draw (GtkWidget *widget, cairo_t *cr)
{
  VtScreenView    *view = VT_SCREEN_VIEW (widget);
  VitrinePixels    pixels;
  Placement        p;
  cairo_surface_t *surface;
  double           physical;

  cairo_set_source_rgb (cr, 0, 0, 0);
  cairo_paint (cr);
  if (!place (view, &p) || !vitrine_screen_get_pixels (view->screen, &pixels))
    return FALSE;
  surface = cairo_image_surface_create_for_data ((unsigned char *) (gsize) pixels.pixels,
                                                 CAIRO_FORMAT_RGB24, pixels.width, pixels.height,
                                                 pixels.stride);
  cairo_save (cr);
  cairo_translate (cr, p.x, p.y);
  cairo_scale (cr, p.scale, p.scale);
  cairo_set_source_surface (cr, surface, 0, 0);
  /* Whole multiples keep their pixels; only in between does smoothing help. */
  physical = p.scale * gtk_widget_get_scale_factor (widget);
  cairo_pattern_set_filter (cairo_get_source (cr), fabs (physical - round (physical)) < 0.001
                                                       ? CAIRO_FILTER_NEAREST
                                                       : CAIRO_FILTER_BILINEAR);
  cairo_rectangle (cr, 0, 0, pixels.width, pixels.height);
  cairo_fill (cr);
  cairo_restore (cr);
  cairo_surface_destroy (surface);
  /* A picture that stands still looks like it. */
  if (is_paused (view))
    {
      cairo_set_source_rgba (cr, 0, 0, 0, 0.5);
      cairo_paint (cr);
    }
  return FALSE;
}

static void
damaged_cb (VtScreenView *view, int x, int y, int width, int height)
{
  Placement p;

  if (!place (view, &p))
    return;
  /* One pixel more on each side, for what smoothing mixes in. */
  gtk_widget_queue_draw_area (GTK_WIDGET (view), (int) floor (p.x + (x - 1) * p.scale),
                              (int) floor (p.y + (y - 1) * p.scale),
                              (int) ceil ((width + 2) * p.scale) + 1,
                              (int) ceil ((height + 2) * p.scale) + 1);
}

static void
resized_cb (VtScreenView *view, int width, int height)
{
  update_request (view);
  gtk_widget_queue_draw (GTK_WIDGET (view));
  g_signal_emit (view, signals[PICTURE_RESIZED], 0, width, height);
}

/* Pointer and keyboard ------------------------------------------------------------------------- */

static void
show_cursor (VtScreenView *view)
{
  GdkWindow *window = gtk_widget_get_window (GTK_WIDGET (view));

  if (window != NULL)
    gdk_window_set_cursor (window, view->grabbed ? view->blank : view->cursor);
}

static void
cursor_changed_cb (VtScreenView *view)
{
  GdkDisplay   *display = gtk_widget_get_display (GTK_WIDGET (view));
  VitrineCursor c;

  g_clear_object (&view->cursor);
  vitrine_screen_get_cursor (view->screen, &c);
  if (c.visible && c.argb != NULL)
    {
      cairo_surface_t *surface = cairo_image_surface_create_for_data (
          (unsigned char *) (gsize) c.argb, CAIRO_FORMAT_ARGB32, c.width, c.height, c.width * 4);

      view->cursor = gdk_cursor_new_from_surface (display, surface, c.hot_x, c.hot_y);
      cairo_surface_destroy (surface);
    }
  show_cursor (view);
}

static GdkSeat *
view_seat (VtScreenView *view)
{
  return gdk_display_get_default_seat (gtk_widget_get_display (GTK_WIDGET (view)));
}

static void
grab (VtScreenView *view)
{
  GdkWindow *window = gtk_widget_get_window (GTK_WIDGET (view));

  if (view->grabbed || window == NULL)
    return;
  if (gdk_seat_grab (view_seat (view), window, GDK_SEAT_CAPABILITY_ALL, TRUE, view->blank, NULL, NULL,
                     NULL) != GDK_GRAB_SUCCESS)
    return;
  view->grabbed = view->keyboard = TRUE;
  view->rest_x = view->rest_y = 0;
  show_cursor (view);
  g_signal_emit (view, signals[GRABBED_CHANGED], 0);
}

static void
send_key (VtScreenView *view, guint code, gboolean down)
{
  if (code >= N_CODES)
    return;
  view->keys[code] = down;
  vitrine_machine_key (view->machine, code, down);
}

static void
send_button (VtScreenView *view, guint button, gboolean down)
{
  if (button >= N_BUTTONS)
    return;
  view->buttons[button] = down;
  vitrine_machine_button (view->machine, button, down);
}

void
vt_screen_view_release (VtScreenView *view)
{
  if (view->keyboard || view->grabbed)
    gdk_seat_ungrab (view_seat (view));
  view->keyboard = FALSE;
  /* A remote viewer may be holding others, which are not ours to let go. */
  for (guint i = 0; i < N_CODES; i++)
    if (view->keys[i])
      send_key (view, i, FALSE);
  for (guint i = 0; i < N_BUTTONS; i++)
    if (view->buttons[i])
      send_button (view, i, FALSE);
  view->ctrl = view->alt = view->release_armed = FALSE;
  if (view->grabbed)
    {
      view->grabbed = FALSE;
      show_cursor (view);
      g_signal_emit (view, signals[GRABBED_CHANGED], 0);
    }
}

gboolean
vt_screen_view_is_grabbed (VtScreenView *view)
{
  return view->grabbed;
}

/* Holds the pointer in the middle of the view, so that it can move on in every direction. */
static void
recentre (VtScreenView *view, GdkEventMotion *event)
{
  GtkWidget *widget = GTK_WIDGET (view);
  int        x, y, width = gtk_widget_get_allocated_width (widget);
  int        height = gtk_widget_get_allocated_height (widget);

  if (event->x > width * 0.25 && event->x < width * 0.75 && event->y > height * 0.25 &&
      event->y < height * 0.75)
    return;
  gdk_window_get_root_coords (gtk_widget_get_window (widget), width / 2, height / 2, &x, &y);
  gdk_device_warp (gdk_event_get_device ((GdkEvent *) event), gtk_widget_get_screen (widget), x, y);
  view->last_x = x;
  view->last_y = y;
}

static gboolean
vt_screen_view_motion (GtkWidget *widget, GdkEventMotion *event)
{
  VtScreenView *view = VT_SCREEN_VIEW (widget);
  int           x, y;

  if (view->machine == NULL)
    return FALSE;
  if (vitrine_machine_pointer_is_absolute (view->machine))
    {
      if (view->grabbed)
        vt_screen_view_release (view);
      if (to_guest (view, event->x, event->y, &x, &y))
        vitrine_machine_position (view->machine, x, y);
      return TRUE;
    }
  if (view->grabbed)
    {
      double dx = event->x_root - view->last_x + view->rest_x;
      double dy = event->y_root - view->last_y + view->rest_y;

      x = (int) trunc (dx);
      y = (int) trunc (dy);
      view->rest_x = dx - x;
      view->rest_y = dy - y;
      if (x != 0 || y != 0)
        vitrine_machine_motion (view->machine, x, y);
      view->last_x = event->x_root;
      view->last_y = event->y_root;
      recentre (view, event);
    }
  return TRUE;
}

static gboolean
vt_screen_view_button (GtkWidget *widget, GdkEventButton *event)
{
  VtScreenView *view = VT_SCREEN_VIEW (widget);
  int           x, y;

  if (view->machine == NULL || event->type == GDK_2BUTTON_PRESS || event->type == GDK_3BUTTON_PRESS)
    return FALSE;
  gtk_widget_grab_focus (widget);
  if (vitrine_machine_pointer_is_absolute (view->machine))
    {
      if (to_guest (view, event->x, event->y, &x, &y))
        vitrine_machine_position (view->machine, x, y);
    }
  else if (!view->grabbed)
    {
      /* The click that captures is the window's own; the guest does not see it. */
      if (event->type == GDK_BUTTON_PRESS && event->button == 1 &&
          vitrine_machine_get_state (view->machine) == VITRINE_STATE_RUNNING)
        {
          view->last_x = event->x_root;
          view->last_y = event->y_root;
          grab (view);
        }
      return TRUE;
    }
  if (event->button <= 3 || event->button == 8 || event->button == 9)
    send_button (view, event->button, event->type == GDK_BUTTON_PRESS);
  return TRUE;
}

static gboolean
vt_screen_view_scroll (GtkWidget *widget, GdkEventScroll *event)
{
  VtScreenView *view = VT_SCREEN_VIEW (widget);
  double        dx, dy;
  int           detents;

  if (view->machine == NULL)
    return FALSE;
  switch (event->direction)
    {
    case GDK_SCROLL_UP:
      vitrine_machine_wheel (view->machine, 0, 1);
      break;
    case GDK_SCROLL_DOWN:
      vitrine_machine_wheel (view->machine, 0, -1);
      break;
    case GDK_SCROLL_LEFT:
      vitrine_machine_wheel (view->machine, -1, 0);
      break;
    case GDK_SCROLL_RIGHT:
      vitrine_machine_wheel (view->machine, 1, 0);
      break;
    case GDK_SCROLL_SMOOTH:
    default:
      if (!gdk_event_get_scroll_deltas ((GdkEvent *) event, &dx, &dy))
        return FALSE;
      view->scroll_y -= dy;
      detents = (int) trunc (view->scroll_y);
      view->scroll_y -= detents;
      if (detents != 0)
        vitrine_machine_wheel (view->machine, 0, detents);
      break;
    }
  return TRUE;
}

/* Ctrl and Alt pressed and released with nothing else between them let go of the pointer; as part
 * of a chord (Ctrl+Alt+Delete) they are the guest's. */
static void
watch_release (VtScreenView *view, guint code, gboolean down)
{
  if (code == KEY_LEFTCTRL || code == KEY_RIGHTCTRL)
    view->ctrl = down;
  else if (code == KEY_LEFTALT)
    view->alt = down;
  else if (down)
    {
      view->release_armed = FALSE;
      return;
    }
  if (view->ctrl && view->alt)
    view->release_armed = TRUE;
  else if (!view->ctrl && !view->alt && view->release_armed)
    vt_screen_view_release (view);
}

static gboolean
vt_screen_view_key (GtkWidget *widget, GdkEventKey *event)
{
  VtScreenView *view = VT_SCREEN_VIEW (widget);
  gboolean      down = event->type == GDK_KEY_PRESS;
  guint         code;

  if (view->machine == NULL || event->hardware_keycode < KEYCODE_OFFSET)
    return FALSE;
  code = event->hardware_keycode - KEYCODE_OFFSET;
  send_key (view, code, down);
  watch_release (view, code, down);
  return TRUE;
}

static gboolean
vt_screen_view_focus_out (GtkWidget *widget, GdkEventFocus *event)
{
  vt_screen_view_release (VT_SCREEN_VIEW (widget));
  return FALSE;
}

/* While the pointer is over a focused view the keyboard is the guest's, window manager's
 * combinations included. */
static gboolean
vt_screen_view_crossing (GtkWidget *widget, GdkEventCrossing *event)
{
  VtScreenView *view = VT_SCREEN_VIEW (widget);

  if (view->grabbed || event->mode != GDK_CROSSING_NORMAL)
    return FALSE;
  if (event->type == GDK_ENTER_NOTIFY && gtk_widget_has_focus (widget) && !view->keyboard)
    view->keyboard =
        gdk_seat_grab (view_seat (view), gtk_widget_get_window (widget), GDK_SEAT_CAPABILITY_KEYBOARD,
                       TRUE, NULL, NULL, NULL, NULL) == GDK_GRAB_SUCCESS;
  else if (event->type == GDK_LEAVE_NOTIFY && view->keyboard)
    {
      gdk_seat_ungrab (view_seat (view));
      view->keyboard = FALSE;
    }
  return FALSE;
}

/* The object --------------------------------------------------------------------------------- */

void
vt_screen_view_set_screen (VtScreenView *view, VitrineScreen *screen)
{
  if (view->screen != NULL)
    g_signal_handlers_disconnect_by_data (view->screen, view);
  g_set_object (&view->screen, screen);
  if (screen != NULL)
    {
      g_signal_connect_swapped (screen, "damaged", G_CALLBACK (damaged_cb), view);
      g_signal_connect_swapped (screen, "resized", G_CALLBACK (resized_cb), view);
      g_signal_connect_swapped (screen, "cursor-changed", G_CALLBACK (cursor_changed_cb), view);
    }
  update_request (view);
  gtk_widget_queue_draw (GTK_WIDGET (view));
}

void
vt_screen_view_set_scale (VtScreenView *view, VtScaleMode mode)
{
  view->scale = mode;
  update_request (view);
  gtk_widget_queue_draw (GTK_WIDGET (view));
}

static void
vt_screen_view_realize (GtkWidget *widget)
{
  VtScreenView *view = VT_SCREEN_VIEW (widget);

  GTK_WIDGET_CLASS (vt_screen_view_parent_class)->realize (widget);
  view->blank = gdk_cursor_new_for_display (gtk_widget_get_display (widget), GDK_BLANK_CURSOR);
}

static void
vt_screen_view_dispose (GObject *object)
{
  VtScreenView *view = VT_SCREEN_VIEW (object);

  vt_screen_view_set_screen (view, NULL);
  g_clear_object (&view->machine);
  g_clear_object (&view->cursor);
  g_clear_object (&view->blank);
  G_OBJECT_CLASS (vt_screen_view_parent_class)->dispose (object);
}

static void
vt_screen_view_class_init (VtScreenViewClass *klass)
{
  GtkWidgetClass *widget = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = vt_screen_view_dispose;
  widget->realize = vt_screen_view_realize;
  widget->draw = vt_screen_view_draw;
  widget->motion_notify_event = vt_screen_view_motion;
  widget->button_press_event = vt_screen_view_button;
  widget->button_release_event = vt_screen_view_button;
  widget->scroll_event = vt_screen_view_scroll;
  widget->key_press_event = vt_screen_view_key;
  widget->key_release_event = vt_screen_view_key;
  widget->focus_out_event = vt_screen_view_focus_out;
  widget->enter_notify_event = vt_screen_view_crossing;
  widget->leave_notify_event = vt_screen_view_crossing;

  signals[GRABBED_CHANGED] = g_signal_new ("grabbed-changed", VT_TYPE_SCREEN_VIEW, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[PICTURE_RESIZED] = g_signal_new ("picture-resized", VT_TYPE_SCREEN_VIEW, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
}

static void
vt_screen_view_init (VtScreenView *view)
{
  GtkWidget *widget = GTK_WIDGET (view);
  AtkObject *accessible = gtk_widget_get_accessible (widget);

  gtk_widget_set_can_focus (widget, TRUE);
  gtk_widget_add_events (widget, GDK_POINTER_MOTION_MASK | GDK_BUTTON_PRESS_MASK |
                                     GDK_BUTTON_RELEASE_MASK | GDK_SCROLL_MASK |
                                     GDK_SMOOTH_SCROLL_MASK | GDK_KEY_PRESS_MASK |
                                     GDK_KEY_RELEASE_MASK | GDK_ENTER_NOTIFY_MASK |
                                     GDK_LEAVE_NOTIFY_MASK | GDK_FOCUS_CHANGE_MASK);
  atk_object_set_name (accessible, "Guest screen");
}

GtkWidget *
vt_screen_view_new (VitrineMachine *machine)
{
  VtScreenView *view = g_object_new (VT_TYPE_SCREEN_VIEW, "visible", TRUE, NULL);

  view->machine = g_object_ref (machine);
  g_signal_connect_object (machine, "notify::state", G_CALLBACK (gtk_widget_queue_draw), view,
                           G_CONNECT_SWAPPED);
  return GTK_WIDGET (view);
}
