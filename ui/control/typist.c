/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A queue of input events with a pause between each two.
 */
#include "typist.h"

#include <glib/gi18n.h>
#include <linux/input-event-codes.h>
#include <stdbool.h>
#include <string.h>

#include "keys.h"

/* Each character is at most four events; two full texts may wait. */
#define MAX_EVENTS (8 * 65536)

#define MAX_PAUSE_MS 10000

/* A PS/2 mouse reports at most 255 counts each way at a time. */
#define MOTION_STEP 100
/* Far enough to reach the corner of any screen. */
#define CORNER_STEPS 170

typedef enum
{
  EVENT_KEY,
  EVENT_BUTTON,
  EVENT_POSITION,
  EVENT_MOTION,
  EVENT_DONE,
} EventKind;

typedef struct
{
  EventKind    kind;
  guint        pause_ms; /* After it. */
  int          a, b;
  VtTypistDone done;
  gpointer     data;
} Event;

struct VtTypist
{
  VitrineMachine *machine;
  GQueue          events;
  guint           source;
};

static gboolean next_cb (gpointer data);

static void
push (VtTypist *typist, EventKind kind, int a, int b, guint pause_ms)
{
  Event *event = g_new0 (Event, 1);
  *event = (Event) { .kind = kind, .a = a, .b = b, .pause_ms = pause_ms };
  g_queue_push_tail (&typist->events, event);
}

static void
push_done (VtTypist *typist, VtTypistDone done, gpointer data)
{
  Event *event = g_new0 (Event, 1);
  *event = (Event) { .kind = EVENT_DONE, .done = done, .data = data };
  g_queue_push_tail (&typist->events, event);
  if (!typist->source)
    typist->source = g_idle_add (next_cb, typist);
}

static bool
give (VtTypist *typist, Event *event)
{
  switch (event->kind)
    {
    case EVENT_KEY:
      vitrine_machine_key (typist->machine, (guint) event->a, event->b);
      return true;
    case EVENT_BUTTON:
      vitrine_machine_button (typist->machine, (guint) event->a, event->b);
      return true;
    case EVENT_POSITION:
      vitrine_machine_position (typist->machine, event->a, event->b);
      return true;
    case EVENT_MOTION:
      vitrine_machine_motion (typist->machine, event->a, event->b);
      return true;
    default:
      if (event->done)
        event->done (event->data, NULL);
      return false;
    }
}

/* While the machine is paused nothing drains the guest's queue, so the typist waits with it. */
static gboolean
next_cb (gpointer data)
{
  VtTypist *typist = data;
  typist->source = 0;
  VitrineState state = vitrine_machine_get_state (typist->machine);
  if (state == VITRINE_STATE_PAUSED || state == VITRINE_STATE_PAUSING)
    {
      typist->source = g_timeout_add (50, next_cb, typist);
      return G_SOURCE_REMOVE;
    }
  for (;;)
    {
      Event *event = g_queue_pop_head (&typist->events);
      if (!event)
        return G_SOURCE_REMOVE;
      bool  given = give (typist, event);
      guint pause = event->pause_ms;
      g_free (event);
      if (given && pause)
        {
          typist->source = g_timeout_add (pause, next_cb, typist);
          return G_SOURCE_REMOVE;
        }
    }
}

VtTypist *
vt_typist_new (VitrineMachine *machine)
{
  VtTypist *typist = g_new0 (VtTypist, 1);
  typist->machine = g_object_ref (machine);
  g_queue_init (&typist->events);
  return typist;
}

void
vt_typist_free (VtTypist *typist)
{
  g_autoptr (GError) error = g_error_new (VITRINE_ERROR, VITRINE_ERROR_STATE,
                                          _("The machine ended before all was typed."));
  g_clear_handle_id (&typist->source, g_source_remove);
  /* Whose last key was what ended the machine has typed all. */
  bool untyped = false;
  for (Event *event; (event = g_queue_pop_head (&typist->events)); g_free (event))
    if (event->kind != EVENT_DONE)
      untyped = true;
    else
      {
        if (event->done)
          event->done (event->data, untyped ? error : NULL);
        untyped = false;
      }
  vitrine_machine_release_keys (typist->machine);
  g_object_unref (typist->machine);
  g_free (typist);
}

static bool
has_room (VtTypist *typist, gsize n, GError **error)
{
  if (n <= MAX_EVENTS && typist->events.length <= MAX_EVENTS - n)
    return true;
  g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_BUSY,
               _("Too much waits to be typed already; try again later."));
  return false;
}

gboolean
vt_typist_type (VtTypist *typist, const char *text, guint delay_ms, VtTypistDone done,
                gpointer data, GError **error)
{
  guint    code;
  gboolean shift;
  if (!has_room (typist, strlen (text) * 4, error))
    return FALSE;
  /* All or nothing: half a password helps nobody. */
  for (const char *p = text; *p; p = g_utf8_next_char (p))
    if (!vt_keys_from_char (g_utf8_get_char (p), &code, &shift))
      {
        gunichar ch = g_utf8_get_char (p);
        g_autofree char *shown = g_unichar_isprint (ch) ? g_ucs4_to_utf8 (&ch, 1, NULL, NULL, NULL)
                                                        : g_strdup_printf ("U+%04X", ch);
        g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                     _("No key of a US keyboard types “%s”; nothing was typed."),
                     shown ? shown : "?");
        return FALSE;
      }
  guint pause = delay_ms ? MIN (delay_ms, MAX_PAUSE_MS) : VT_TYPIST_DELAY_MS;
  for (const char *p = text; *p; p = g_utf8_next_char (p))
    {
      vt_keys_from_char (g_utf8_get_char (p), &code, &shift);
      if (shift)
        push (typist, EVENT_KEY, KEY_LEFTSHIFT, TRUE, pause);
      push (typist, EVENT_KEY, (int) code, TRUE, pause);
      push (typist, EVENT_KEY, (int) code, FALSE, pause);
      if (shift)
        push (typist, EVENT_KEY, KEY_LEFTSHIFT, FALSE, pause);
    }
  push_done (typist, done, data);
  return TRUE;
}

gboolean
vt_typist_chord (VtTypist *typist, const char *chord, VtTypistDone done, gpointer data,
                 GError **error)
{
  guint codes[VT_KEYS_MAX_CHORD];
  guint n = vt_keys_parse_chord (chord, codes, error);
  if (!n || !has_room (typist, 2 * n, error))
    return FALSE;
  for (guint i = 0; i < n; i++)
    push (typist, EVENT_KEY, (int) codes[i], TRUE, VT_TYPIST_DELAY_MS);
  for (guint i = n; i-- > 0;)
    push (typist, EVENT_KEY, (int) codes[i], FALSE, VT_TYPIST_DELAY_MS);
  push_done (typist, done, data);
  return TRUE;
}

static void
move_relative (VtTypist *typist, int x, int y)
{
  for (int i = 0; i < CORNER_STEPS; i++)
    push (typist, EVENT_MOTION, -MOTION_STEP, -MOTION_STEP, i % 8 ? 0 : VT_TYPIST_DELAY_MS);
  while (x > 0 || y > 0)
    {
      int dx = MIN (x, MOTION_STEP), dy = MIN (y, MOTION_STEP);
      push (typist, EVENT_MOTION, dx, dy, VT_TYPIST_DELAY_MS);
      x -= dx;
      y -= dy;
    }
}

gboolean
vt_typist_click (VtTypist *typist, int x, int y, guint button, guint count, VtTypistDone done,
                 gpointer data, GError **error)
{
  if (x < 0 || y < 0 || x > 16383 || y > 16383)
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                   _("No screen has a point %d, %d; give pixels from the top left."), x, y);
      return FALSE;
    }
  if (button > 3 || count > 3)
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                   _("A click is with button 1 to 3, at most three times."));
      return FALSE;
    }
  if (!has_room (typist, 1024, error))
    return FALSE;
  if (vitrine_machine_pointer_is_absolute (typist->machine))
    push (typist, EVENT_POSITION, x, y, VT_TYPIST_DELAY_MS);
  else
    move_relative (typist, x, y);
  for (guint i = 0; button && i < count; i++)
    {
      push (typist, EVENT_BUTTON, (int) button, TRUE, 2 * VT_TYPIST_DELAY_MS);
      push (typist, EVENT_BUTTON, (int) button, FALSE, 2 * VT_TYPIST_DELAY_MS);
    }
  push_done (typist, done, data);
  return TRUE;
}
