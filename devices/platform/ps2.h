/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The PS/2 keyboard and mouse, without the controller that they are plugged into: bytes in, bytes
 * and events out. Pure: no context, clock or wire.
 */
#pragma once

#include "vt-input.h"
#include "vt-state.h"

#define VT_PS2_QUEUE 256

/* What a device has to say and the controller has not fetched yet. */
typedef struct
{
  uint16_t head, count;
  uint8_t  bytes[VT_PS2_QUEUE];
} VtPs2Queue;

bool vt_ps2_queue_pop (VtPs2Queue *queue, uint8_t *byte);

extern const VtStateDesc vt_ps2_keyboard_desc;
extern const VtStateDesc vt_ps2_mouse_desc;

/* Keyboard ------------------------------------------------------------------------------------- */

typedef struct
{
  VtPs2Queue queue;
  uint8_t    down[32]; /* By evdev code: what the guest believes to be down. */
  uint8_t    set;      /* Scan code set, 1 to 3. */
  uint8_t    leds;     /* VtLeds. */
  uint8_t    rate;     /* Typematic: kept, as the viewer's own repeat is passed on. */
  uint8_t    command;  /* The command that waits for its parameter; 0: none. */
  uint8_t    last;     /* The byte that Resend repeats. */
  bool       scanning;
  bool       overrun; /* An overrun has been told, and the queue not emptied since. */
  uint8_t    pad_[1];
} VtPs2Keyboard;

void vt_ps2_keyboard_reset (VtPs2Keyboard *k);
/* The host sends @byte. */
void vt_ps2_keyboard_send (VtPs2Keyboard *k, uint8_t byte);
/* A key moves; @code is an evdev code below 256. Returns false where a release found no room. */
bool vt_ps2_keyboard_key (VtPs2Keyboard *k, unsigned code, bool down);
/* Releases what the guest believes to be down and @held, 32 bytes, says is not. Returns whether
 * all found room. */
bool vt_ps2_keyboard_settle (VtPs2Keyboard *k, const uint8_t *held);

/* What a controller in translation mode makes of a scan code set 2 byte (not 0xf0). */
uint8_t vt_ps2_translate (uint8_t byte);

/* Mouse ---------------------------------------------------------------------------------------- */

typedef struct
{
  VtPs2Queue queue;
  int32_t    dx, dy, dz; /* Moved and not told yet; right, down and towards the user. */
  uint8_t    buttons;    /* 1 << VtButton. */
  uint8_t    told;       /* Those of the last packet. */
  uint8_t    id;         /* 0: standard, 3: with wheel, 4: with five buttons. */
  uint8_t    rate, resolution;
  uint8_t    command; /* As the keyboard's. */
  uint8_t    last;
  uint8_t    knock[2]; /* The last two sample rates: how drivers ask for the wheel. */
  bool       enabled, remote, wrap, scaled;
  uint8_t    pad_[3];
} VtPs2Mouse;

void vt_ps2_mouse_reset (VtPs2Mouse *m);
void vt_ps2_mouse_send (VtPs2Mouse *m, uint8_t byte);
void vt_ps2_mouse_move (VtPs2Mouse *m, int dx, int dy);
void vt_ps2_mouse_wheel (VtPs2Mouse *m, int dy); /* Positive: away from the user. */
void vt_ps2_mouse_button (VtPs2Mouse *m, VtButton button, bool down);
/* Makes packets of what has happened, if there is room; after events, and after each fetched byte. */
void vt_ps2_mouse_report (VtPs2Mouse *m);
