/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keyboard controller's struct, for the board that wires it.
 */
#pragma once

#include "ps2.h"
#include "vt-device.h"

typedef struct
{
  VtPs2Keyboard keyboard;
  VtPs2Mouse    mouse;
  uint8_t       ram[32];   /* 0 is the command byte. */
  uint8_t       reply[16]; /* The controller's own answers, and whether for the mouse's side. */
  uint8_t       reply_aux[16];
  uint8_t       reply_head, reply_count;
  uint8_t       data, command, output_port;
  bool          full, full_aux; /* The output buffer, and whose byte it holds. */
  bool          last_command;   /* The last write was to port 0x64. */
  bool          system;         /* Status bit 2: the self test has passed. */
  bool          breaking;       /* Translation has swallowed an 0xf0. */
  uint8_t       pad_[2];
} VtI8042State;

typedef struct
{
  VtDevice dev;

  /* Wiring. */
  VtLine  *irq1, *irq12;
  VtLine  *a20;   /* High: enabled. Output port bit 1. */
  VtLine  *reset; /* A pulse resets the machine. */
  VtInput *input; /* Where keys and movement come from. */

  /* The rest is the device's. */
  VtInputPort *keys, *pointer;
  uint8_t      held[32]; /* Which keys the viewers hold, also while the machine is paused. */
  uint8_t      held_buttons;
  bool         unsettled; /* A release waits for room. */
  VtI8042State s;
} VtI8042;

extern const VtDeviceClass vt_i8042_class;
