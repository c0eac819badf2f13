/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A viewer's keyboard, mouse and tablet: what the SPICE library hands over, put into the machine's
 * input hub. All of it runs on the server's thread but for the watch, which only posts.
 */
#include "input.h"

#include <linux/input-event-codes.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#define N_KEYS 256
#define POSITION_MAX 32767

struct VtSpiceInput
{
  SpiceKbdInstance    kbd;
  SpiceMouseInstance  mouse;
  SpiceTabletInstance tablet;
  VtSpiceCore        *core;
  SpiceServer        *server;
  VtFunc              update;
  void               *data;

  GMutex        lock; /* Guards what detach() looks at: these four. */
  VtInput      *input;
  VtInputWatch *watch;
  bool          keys[N_KEYS]; /* Held down by the viewer, as the next. */
  uint32_t      buttons;

  gint posted; /* Atomic: an update is under way to the server's thread. */

  VtSpiceScan scan;
  bool        has_tablet;
  VtLeds      leds;
  int         width, height;
};

/* Keyboard ------------------------------------------------------------------------------------- */

unsigned
vt_spice_scan (VtSpiceScan *scan, uint8_t byte, bool *down)
{
  bool e0 = scan->e0;

  /* Pause is the one key with E1: E1 1D 45 down, E1 9D C5 up. */
  if (byte == 0xe1)
    {
      *scan = (VtSpiceScan){ .e1 = 2 };
      return 0;
    }
  if (scan->e1 > 0)
    {
      if ((byte & 0x7f) != (scan->e1 == 2 ? 0x1d : 0x45))
        {
          *scan = (VtSpiceScan){ 0 };
          return 0;
        }
      *down = !(byte & 0x80);
      return --scan->e1 == 0 ? KEY_PAUSE : 0;
    }
  if (byte == 0xe0)
    {
      scan->e0 = true;
      return 0;
    }
  scan->e0 = false;
  *down = !(byte & 0x80);
  return vt_input_code_from_set1 (byte & 0x7f, e0);
}

static void
push_scan_cb (SpiceKbdInstance *kbd, uint8_t byte)
{
  VtSpiceInput *input = VT_CONTAINER (kbd, VtSpiceInput, kbd);
  bool          down = false;
  unsigned      code = vt_spice_scan (&input->scan, byte, &down);

  if (code == 0 || code >= N_KEYS)
    return;
  g_mutex_lock (&input->lock);
  if (input->input)
    {
      input->keys[code] = down;
      vt_input_key (input->input, code, down);
      vt_input_sync (input->input);
    }
  g_mutex_unlock (&input->lock);
}

static uint8_t
get_leds_cb (SpiceKbdInstance *kbd)
{
  VtSpiceInput *input = VT_CONTAINER (kbd, VtSpiceInput, kbd);

  /* SPICE's modifier bits are in the same order: scroll, num, caps. */
  return (uint8_t) (input->leds & (VT_LED_SCROLL | VT_LED_NUM | VT_LED_CAPS));
}

/* Pointer -------------------------------------------------------------------------------------- */

/* The library hands buttons over in the order of a PS/2 mouse. */
static const struct
{
  uint32_t bit;
  VtButton button;
} button_bits[] = {
  { 1 << 0, VT_BUTTON_LEFT },  { 1 << 1, VT_BUTTON_RIGHT }, { 1 << 2, VT_BUTTON_MIDDLE },
  { 1 << 4, VT_BUTTON_SIDE },  { 1 << 5, VT_BUTTON_EXTRA },
};

static void
set_buttons_locked (VtSpiceInput *input, uint32_t buttons)
{
  uint32_t changed = input->buttons ^ buttons;

  for (unsigned i = 0; i < G_N_ELEMENTS (button_bits); i++)
    if (changed & button_bits[i].bit)
      vt_input_button (input->input, button_bits[i].button, buttons & button_bits[i].bit);
  input->buttons = buttons;
}

/* @wheel: SPICE counts down as positive, the hub up. */
static void
pointer_locked (VtSpiceInput *input, int wheel, uint32_t buttons)
{
  set_buttons_locked (input, buttons);
  if (wheel)
    vt_input_wheel (input->input, 0, -CLAMP (wheel, -127, 127));
  vt_input_sync (input->input);
}

static void
mouse_motion_cb (SpiceMouseInstance *mouse, int dx, int dy, int dz, uint32_t buttons)
{
  VtSpiceInput *input = VT_CONTAINER (mouse, VtSpiceInput, mouse);

  g_mutex_lock (&input->lock);
  if (input->input)
    {
      if (dx || dy)
        vt_input_motion (input->input, CLAMP (dx, -POSITION_MAX, POSITION_MAX),
                         CLAMP (dy, -POSITION_MAX, POSITION_MAX));
      pointer_locked (input, dz, buttons);
    }
  g_mutex_unlock (&input->lock);
}

static void
mouse_buttons_cb (SpiceMouseInstance *mouse, uint32_t buttons)
{
  mouse_motion_cb (mouse, 0, 0, 0, buttons);
}

static void
tablet_set_logical_size_cb (SpiceTabletInstance *tablet, int width, int height)
{
  /* Comes on the worker's thread after an asynchronous change of size; the screen tells us
   * itself. */
}

/* Pixels to the hub's range, both ends of the screen included. */
static uint16_t
scale (int value, int size)
{
  if (size < 2)
    return 0;
  return (uint16_t) ((int64_t) CLAMP (value, 0, size - 1) * POSITION_MAX / (size - 1));
}

static void
tablet_position_cb (SpiceTabletInstance *tablet, int x, int y, uint32_t buttons)
{
  VtSpiceInput *input = VT_CONTAINER (tablet, VtSpiceInput, tablet);

  g_mutex_lock (&input->lock);
  if (input->input)
    {
      vt_input_position (input->input, scale (x, input->width), scale (y, input->height));
      pointer_locked (input, 0, buttons);
    }
  g_mutex_unlock (&input->lock);
}

static void
tablet_wheel_cb (SpiceTabletInstance *tablet, int wheel, uint32_t buttons)
{
  VtSpiceInput *input = VT_CONTAINER (tablet, VtSpiceInput, tablet);

  g_mutex_lock (&input->lock);
  if (input->input)
    pointer_locked (input, wheel, buttons);
  g_mutex_unlock (&input->lock);
}

static void
tablet_buttons_cb (SpiceTabletInstance *tablet, uint32_t buttons)
{
  tablet_wheel_cb (tablet, 0, buttons);
}

static const SpiceKbdInterface kbd_interface = {
  .base = {
    .type = SPICE_INTERFACE_KEYBOARD,
    .description = "vitrine",
    .major_version = SPICE_INTERFACE_KEYBOARD_MAJOR,
    .minor_version = SPICE_INTERFACE_KEYBOARD_MINOR,
  },
  .push_scan_freg = push_scan_cb,
  .get_leds = get_leds_cb,
};

static const SpiceMouseInterface mouse_interface = {
  .base = {
    .type = SPICE_INTERFACE_MOUSE,
    .description = "vitrine",
    .major_version = SPICE_INTERFACE_MOUSE_MAJOR,
    .minor_version = SPICE_INTERFACE_MOUSE_MINOR,
  },
  .motion = mouse_motion_cb,
  .buttons = mouse_buttons_cb,
};

static const SpiceTabletInterface tablet_interface = {
  .base = {
    .type = SPICE_INTERFACE_TABLET,
    .description = "vitrine",
    .major_version = SPICE_INTERFACE_TABLET_MAJOR,
    .minor_version = SPICE_INTERFACE_TABLET_MINOR,
  },
  .set_logical_size = tablet_set_logical_size_cb,
  .position = tablet_position_cb,
  .wheel = tablet_wheel_cb,
  .buttons = tablet_buttons_cb,
};

/* What the guest uses -------------------------------------------------------------------------- */

void
vt_spice_input_update (VtSpiceInput *input, bool settled)
{
  bool   absolute = input->has_tablet;
  VtLeds leds = input->leds;

  g_mutex_lock (&input->lock);
  if (input->input)
    {
      absolute = vt_input_is_absolute (input->input);
      leds = vt_input_leds (input->input);
    }
  g_mutex_unlock (&input->lock);

  if (leds != input->leds)
    {
      input->leds = leds;
      spice_server_kbd_leds (&input->kbd, (int) leds);
    }
  /* With a tablet viewers send positions and need no grab. */
  if (!settled || absolute == input->has_tablet)
    return;
  if (absolute)
    spice_server_add_interface (input->server, &input->tablet.base);
  else
    spice_server_remove_interface (&input->tablet.base);
  input->has_tablet = absolute;
}

static void
posted_cb (void *data)
{
  VtSpiceInput *input = data;

  g_atomic_int_set (&input->posted, 0);
  input->update (input->data);
}

/* Any thread, some with locks. */
static void
watch_cb (void *data)
{
  VtSpiceInput *input = data;

  if (g_atomic_int_compare_and_exchange (&input->posted, 0, 1))
    vt_spice_core_post (input->core, posted_cb, input);
}

void
vt_spice_input_set_size (VtSpiceInput *input, int width, int height)
{
  input->width = width;
  input->height = height;
}

/* Life ----------------------------------------------------------------------------------------- */

/* Only what this viewer holds: somebody may be typing at the local window. */
static void
release_locked (VtSpiceInput *input)
{
  if (!input->input)
    return;
  for (unsigned code = 0; code < N_KEYS; code++)
    if (input->keys[code])
      vt_input_key (input->input, code, false);
  memset (input->keys, 0, sizeof input->keys);
  set_buttons_locked (input, 0);
  vt_input_sync (input->input);
}

void
vt_spice_input_release (VtSpiceInput *input)
{
  input->scan = (VtSpiceScan){ 0 };
  g_mutex_lock (&input->lock);
  release_locked (input);
  g_mutex_unlock (&input->lock);
}

bool
vt_spice_input_attach (VtSpiceInput *input, SpiceServer *server)
{
  input->server = server;
  input->kbd.base.sif = &kbd_interface.base;
  input->mouse.base.sif = &mouse_interface.base;
  input->tablet.base.sif = &tablet_interface.base;
  if (spice_server_add_interface (server, &input->kbd.base) != 0
      || spice_server_add_interface (server, &input->mouse.base) != 0)
    return false;
#ifdef __SANITIZE_ADDRESS__
  /* The library never frees these two, 276 bytes together. They aren't ours to free. */
  __lsan_ignore_object (input->kbd.st);
  __lsan_ignore_object (input->mouse.st);
#endif
  vt_spice_input_update (input, true);
  return true;
}

VtSpiceInput *
vt_spice_input_new (VtSpiceCore *core, VtInput *hub, VtFunc update, void *data)
{
  VtSpiceInput *input = g_new0 (VtSpiceInput, 1);

  input->core = core;
  input->input = hub;
  input->update = update;
  input->data = data;
  g_mutex_init (&input->lock);
  if (hub)
    input->watch = vt_input_watch_new (hub, watch_cb, input);
  return input;
}

void
vt_spice_input_detach (VtSpiceInput *input)
{
  VtInputWatch *watch;

  /* Apart: freeing may wait for watch_cb(), which takes no lock of ours. */
  g_mutex_lock (&input->lock);
  release_locked (input);
  input->input = NULL;
  watch = g_steal_pointer (&input->watch);
  g_mutex_unlock (&input->lock);
  vt_input_watch_free (watch);
}

void
vt_spice_input_free (VtSpiceInput *input)
{
  g_mutex_clear (&input->lock);
  g_free (input);
}
