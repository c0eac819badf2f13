/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What viewers do with a machine: keys and pointer, changing media, screenshots, screens, and the
 * display layer's way to consoles and input.
 */
#include "machine-object.h"

#define POSITION_MAX 32767

static VtInput *
input_of (VitrineMachine *self)
{
  return self->built ? self->run->input : NULL;
}

void
vitrine_machine_key (VitrineMachine *self, guint code, gboolean down)
{
  VtInput *input = input_of (self);
  if (!input)
    return;
  vt_input_key (input, code, down);
  vt_input_sync (input);
}

void
vitrine_machine_motion (VitrineMachine *self, int dx, int dy)
{
  VtInput *input = input_of (self);
  if (!input)
    return;
  vt_input_motion (input, dx, dy);
  vt_input_sync (input);
}

/* Nothing to do: the size is looked up when a position comes. */
static void
pointer_changed_cb (void *data)
{
}

static void
look_up_size (VitrineMachine *self)
{
  static const VtViewerOps ops = { pointer_changed_cb };
  VtFrame                  frame = { 0 };

  if (!self->pointer_viewer)
    {
      if (self->run->consoles->len == 0)
        return;
      self->pointer_viewer = vt_viewer_new (self->run->consoles->pdata[0], &ops, NULL, false);
    }
  vt_viewer_take (self->pointer_viewer, &frame);
  if (frame.surface)
    {
      self->pointer_width = frame.surface->width;
      self->pointer_height = frame.surface->height;
    }
  vt_frame_clear (&frame);
}

static uint16_t
scale (int at, int size)
{
  if (size <= 1)
    return 0;
  return (uint16_t) ((int64_t) CLAMP (at, 0, size - 1) * POSITION_MAX / (size - 1));
}

void
vitrine_machine_position (VitrineMachine *self, int x, int y)
{
  VtInput *input = input_of (self);
  if (!input)
    return;
  look_up_size (self);
  vt_input_position (input, scale (x, self->pointer_width), scale (y, self->pointer_height));
  vt_input_sync (input);
}

void
vitrine_machine_button (VitrineMachine *self, guint button, gboolean down)
{
  static const VtButton buttons[] = { VT_BUTTON_LEFT, VT_BUTTON_MIDDLE, VT_BUTTON_RIGHT };
  VtInput              *input = input_of (self);
  VtButton              which;

  /* As X11 numbers them: 4 to 7 are the wheel's, 8 and 9 the side buttons. */
  if (button >= 1 && button <= G_N_ELEMENTS (buttons))
    which = buttons[button - 1];
  else if (button == 8 || button == 9)
    which = button == 8 ? VT_BUTTON_SIDE : VT_BUTTON_EXTRA;
  else
    return;
  if (!input)
    return;
  vt_input_button (input, which, down);
  vt_input_sync (input);
}

void
vitrine_machine_wheel (VitrineMachine *self, int dx, int dy)
{
  VtInput *input = input_of (self);
  if (!input)
    return;
  vt_input_wheel (input, dx, dy);
  vt_input_sync (input);
}

void
vitrine_machine_release_keys (VitrineMachine *self)
{
  VtInput *input = input_of (self);
  if (input)
    vt_input_release_all (input);
}

gboolean
vitrine_machine_pointer_is_absolute (VitrineMachine *self)
{
  VtInput *input = input_of (self);
  return input && vt_input_is_absolute (input);
}

/* Media ---------------------------------------------------------------------------------------- */

char **
vitrine_machine_list_media (VitrineMachine *self)
{
  GPtrArray *ids = g_ptr_array_new ();
  for (unsigned i = 0; self->built && i < self->run->media->len; i++)
    g_ptr_array_add (ids, (&g_array_index (self->run->media, VtMedium, i))->id);
  g_ptr_array_add (ids, NULL);
  return (char **) g_ptr_array_free (ids, FALSE);
}

static const VtMedium *
find_medium (VitrineMachine *self, const char *id)
{
  for (unsigned i = 0; self->built && i < self->run->media->len; i++)
    if (g_str_equal (g_array_index (self->run->media, VtMedium, i).id, id))
      return &g_array_index (self->run->media, VtMedium, i);
  return NULL;
}

typedef struct
{
  const VtMedium *medium;
  bool            open;
} Tray;

static void
tray_cb (void *data)
{
  Tray *tray = data;
  tray->open = tray->medium->ops->tray_open (tray->medium->dev, tray->medium->slot);
}

gboolean
vitrine_machine_tray_is_open (VitrineMachine *self, const char *id)
{
  Tray tray = { .medium = find_medium (self, id) };

  if (tray.medium)
    vt_context_call (tray.medium->dev->context, tray_cb, &tray);
  return tray.open;
}

typedef struct
{
  const VtMedium *medium;
  VtBlock        *block;
  bool            force, done;
  GError        **error;
} Change;

static void
change_cb (void *data)
{
  Change *change = data;
  change->done = change->medium->ops->change (change->medium->dev, change->medium->slot, change->block,
                                              change->force, change->error);
}

gboolean
vitrine_machine_change_medium (VitrineMachine *self, const char *id, const char *path, gboolean force,
                               GError **error)
{
  Change change = { .force = force, .error = error };

  if (!self->built)
    return vt_set_error (error, VITRINE_ERROR_STATE, "“%s” is off; change its configuration instead.",
                         vitrine_config_get_name (self->config));
  change.medium = find_medium (self, id);
  if (!change.medium)
    return vt_set_error (error, VITRINE_ERROR_NOT_FOUND,
                         "“%s” has no drive “%s” whose medium can be changed.",
                         vitrine_config_get_name (self->config), id);
  if (path)
    {
      g_autofree char *resolved = vitrine_config_resolve (self->config, path);
      change.block = vt_block_open_raw (resolved, VT_BLOCK_OPEN_READ_ONLY, error);
      if (!change.block)
        return FALSE;
    }
  vt_context_call (change.medium->dev->context, change_cb, &change);
  if (!change.done)
    vt_block_close (change.block);
  return change.done;
}

/* Consoles ------------------------------------------------------------------------------------- */

guint
vitrine_machine_get_n_consoles (VitrineMachine *self)
{
  return self->built ? self->run->consoles->len : 0;
}

VtConsole *
vt_display_console (VitrineMachine *self, unsigned n)
{
  return n < vitrine_machine_get_n_consoles (self) ? self->run->consoles->pdata[n] : NULL;
}

VtInput *
vt_display_input (VitrineMachine *self)
{
  return input_of (self);
}

gboolean
vitrine_machine_screenshot (VitrineMachine *self, guint n, const char *path, GError **error)
{
  VtConsole *console = vt_display_console (self, n);
  if (!console)
    return vt_set_error (error, VITRINE_ERROR_NOT_FOUND, "“%s” has no screen %u to take a picture of.",
                         vitrine_config_get_name (self->config), n);
  VtSurface *surface = vt_console_snapshot (console);
  if (!surface)
    return vt_set_error (error, VITRINE_ERROR_STATE, "“%s” shows no picture yet.",
                         vitrine_config_get_name (self->config));
  const bool done = vt_surface_write_png (surface, path, error);
  vt_surface_unref (surface);
  return done;
}

char *
vitrine_machine_get_text (VitrineMachine *self, guint n, GError **error)
{
  VtConsole *console = vt_display_console (self, n);
  char      *text = console ? vt_console_text (console) : NULL;
  if (!console)
    vt_set_error (error, VITRINE_ERROR_NOT_FOUND, "“%s” has no screen %u to read.",
                  vitrine_config_get_name (self->config), n);
  else if (!text)
    vt_set_error (error, VITRINE_ERROR_STATE,
                  "“%s” shows graphics now; take a screenshot instead.",
                  vitrine_config_get_name (self->config));
  return text;
}

const char *
vitrine_machine_get_serial_name (VitrineMachine *self, guint n)
{
  return self->built && n < VT_MACHINE_SERIALS && self->run->serial[n] ? self->run->serial[n]->name
                                                                       : NULL;
}

static void
screen_gone_cb (gpointer data, GObject *screen)
{
  VitrineMachine *self = data;
  g_ptr_array_remove_fast (self->screens, screen);
}

VitrineScreen *
vitrine_machine_open_screen (VitrineMachine *self, guint n, gboolean live)
{
  VtConsole *console = vt_display_console (self, n);
  if (!console)
    return NULL;
  VitrineScreen *screen = vt_screen_new (console, live);
  g_ptr_array_add (self->screens, screen);
  g_object_weak_ref (G_OBJECT (screen), screen_gone_cb, self);
  return screen;
}

void
vt_machine_detach_viewers (VitrineMachine *self)
{
  for (unsigned i = 0; i < self->screens->len; i++)
    {
      VitrineScreen *screen = self->screens->pdata[i];
      g_object_weak_unref (G_OBJECT (screen), screen_gone_cb, self);
      vt_screen_detach (screen);
    }
  g_ptr_array_set_size (self->screens, 0);
  g_clear_pointer (&self->pointer_viewer, vt_viewer_free);
}
