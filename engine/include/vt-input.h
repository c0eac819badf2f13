/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keyboard and pointer events from any viewer to whichever device the guest uses.
 */
#pragma once

#include "vt-base.h"
#include "vt-loop.h"

typedef struct VtInput VtInput; /* One hub per machine. */

/* The order of a PS/2 mouse's bits. */
typedef enum
{
  VT_BUTTON_LEFT,
  VT_BUTTON_RIGHT,
  VT_BUTTON_MIDDLE,
  VT_BUTTON_SIDE,
  VT_BUTTON_EXTRA,
} VtButton;

typedef enum
{
  VT_LED_SCROLL = 1 << 0, /* The order of the PS/2 "set LEDs" byte. */
  VT_LED_NUM = 1 << 1,
  VT_LED_CAPS = 1 << 2,
} VtLeds;

/* A device's half: each on its context with its lock held; NULL: it has none of that. */
typedef struct
{
  void (*key) (void *data, unsigned code, bool down); /* Linux evdev codes, KEY_* below 256. */
  void (*motion) (void *data, int dx, int dy);
  void (*position) (void *data, uint16_t x, uint16_t y); /* 0 to 32767 over the whole screen. */
  void (*wheel) (void *data, int dx, int dy); /* Detents; positive: right, away from the user. */
  void (*button) (void *data, VtButton button, bool down);
  void (*sync) (void *data); /* The events since the last sync belong together. */
} VtInputOps;

VtInput *vt_input_new (void);
void     vt_input_free (VtInput *input);

typedef struct VtInputPort VtInputPort;

/* A device joins; of several that take an event, the one that was activated last gets it. */
VtInputPort *vt_input_port_new (VtInput *input, VtContext *context, const VtInputOps *ops, void *data);
void         vt_input_port_free (VtInputPort *port);
/* The guest's driver has set the device up: it goes to the front. Device's context. */
void vt_input_port_activate (VtInputPort *port);
void vt_input_port_set_leds (VtInputPort *port, VtLeds leds);

/* Viewers; any thread. Events beyond a device's queue are dropped by it, never by blocking. */
void vt_input_key (VtInput *input, unsigned code, bool down);
void vt_input_motion (VtInput *input, int dx, int dy);
void vt_input_position (VtInput *input, uint16_t x, uint16_t y);
void vt_input_wheel (VtInput *input, int dx, int dy);
void vt_input_button (VtInput *input, VtButton button, bool down);
void vt_input_sync (VtInput *input);
/* Whether the active pointer takes positions, so that viewers need no grab. */
bool   vt_input_is_absolute (const VtInput *input);
VtLeds vt_input_leds (const VtInput *input);
/* Releases every key and button that is down (a viewer lost its focus or connection). */
void vt_input_release_all (VtInput *input);

/* @func on any thread, perhaps under a device's lock, when is_absolute or the LEDs change: it posts,
 * or only reads the hub; it may not make or free watches. */
typedef struct VtInputWatch VtInputWatch;
VtInputWatch *vt_input_watch_new (VtInput *input, VtFunc func, void *data);
void          vt_input_watch_free (VtInputWatch *watch);

/* PC/AT scan code set 1 <-> evdev codes; @e0 for the prefixed half. 0: no such key. */
unsigned vt_input_code_from_set1 (uint8_t scancode, bool e0);
bool     vt_input_code_to_set1 (unsigned code, uint8_t *scancode, bool *e0);
