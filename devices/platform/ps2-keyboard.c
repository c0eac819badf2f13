/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The PS/2 keyboard. Spec: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and
 * 102-key)", October 1990; Microsoft "Keyboard Scan Code Specification" 1.3a. Repeats are the
 * viewer's own, passed on: a repeat made here would run away when a remote viewer stalls. In scan
 * code set 3 every key sends make and break, whatever commands F7 to FD ask for.
 */
#include <linux/input-event-codes.h>

#include "ps2-queue.h"

enum
{
  CMD_LEDS = 0xed,
  CMD_ECHO = 0xee,
  CMD_SET = 0xf0,
  CMD_ID = 0xf2,
  CMD_RATE = 0xf3,
  CMD_ENABLE = 0xf4,
  CMD_DISABLE = 0xf5,
  CMD_DEFAULTS = 0xf6,
  CMD_ALL_FIRST = 0xf7, /* To 0xfa: how all keys of set 3 behave. */
  CMD_ALL_LAST = 0xfa,
  CMD_KEY_FIRST = 0xfb, /* To 0xfd: how the keys that follow behave. */
  CMD_KEY_LAST = 0xfd,
  CMD_RESEND = 0xfe,
  CMD_RESET = 0xff,
};

#define RATE_DEFAULT 0x2b /* 10.9 characters a second after half a second. */
#define SEQUENCE_MAX 8

/* Set 2 to set 1, as the AT's controller has it in ROM; 0x83 (F7) and 0x84 (Alt-SysRq) besides. */
static const uint8_t set1_of_set2[128] = {
  0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
  0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
  0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
  0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
  0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
  0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
  0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
  0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

/* Scan code set 3 by evdev code, for the keys of the 105-key layout. */
static const uint8_t set3_codes[128] = {
  [KEY_ESC] = 0x08,        [KEY_1] = 0x16,         [KEY_2] = 0x1e,         [KEY_3] = 0x26,
  [KEY_4] = 0x25,          [KEY_5] = 0x2e,         [KEY_6] = 0x36,         [KEY_7] = 0x3d,
  [KEY_8] = 0x3e,          [KEY_9] = 0x46,         [KEY_0] = 0x45,         [KEY_MINUS] = 0x4e,
  [KEY_EQUAL] = 0x55,      [KEY_BACKSPACE] = 0x66, [KEY_TAB] = 0x0d,       [KEY_Q] = 0x15,
  [KEY_W] = 0x1d,          [KEY_E] = 0x24,         [KEY_R] = 0x2d,         [KEY_T] = 0x2c,
  [KEY_Y] = 0x35,          [KEY_U] = 0x3c,         [KEY_I] = 0x43,         [KEY_O] = 0x44,
  [KEY_P] = 0x4d,          [KEY_LEFTBRACE] = 0x54, [KEY_RIGHTBRACE] = 0x5b, [KEY_ENTER] = 0x5a,
  [KEY_LEFTCTRL] = 0x11,   [KEY_A] = 0x1c,         [KEY_S] = 0x1b,         [KEY_D] = 0x23,
  [KEY_F] = 0x2b,          [KEY_G] = 0x34,         [KEY_H] = 0x33,         [KEY_J] = 0x3b,
  [KEY_K] = 0x42,          [KEY_L] = 0x4b,         [KEY_SEMICOLON] = 0x4c, [KEY_APOSTROPHE] = 0x52,
  [KEY_GRAVE] = 0x0e,      [KEY_LEFTSHIFT] = 0x12, [KEY_BACKSLASH] = 0x5c, [KEY_Z] = 0x1a,
  [KEY_X] = 0x22,          [KEY_C] = 0x21,         [KEY_V] = 0x2a,         [KEY_B] = 0x32,
  [KEY_N] = 0x31,          [KEY_M] = 0x3a,         [KEY_COMMA] = 0x41,     [KEY_DOT] = 0x49,
  [KEY_SLASH] = 0x4a,      [KEY_RIGHTSHIFT] = 0x59, [KEY_KPASTERISK] = 0x7e, [KEY_LEFTALT] = 0x19,
  [KEY_SPACE] = 0x29,      [KEY_CAPSLOCK] = 0x14,  [KEY_F1] = 0x07,        [KEY_F2] = 0x0f,
  [KEY_F3] = 0x17,         [KEY_F4] = 0x1f,        [KEY_F5] = 0x27,        [KEY_F6] = 0x2f,
  [KEY_F7] = 0x37,         [KEY_F8] = 0x3f,        [KEY_F9] = 0x47,        [KEY_F10] = 0x4f,
  [KEY_NUMLOCK] = 0x76,    [KEY_SCROLLLOCK] = 0x5f, [KEY_KP7] = 0x6c,      [KEY_KP8] = 0x75,
  [KEY_KP9] = 0x7d,        [KEY_KPMINUS] = 0x84,   [KEY_KP4] = 0x6b,       [KEY_KP5] = 0x73,
  [KEY_KP6] = 0x74,        [KEY_KPPLUS] = 0x7c,    [KEY_KP1] = 0x69,       [KEY_KP2] = 0x72,
  [KEY_KP3] = 0x7a,        [KEY_KP0] = 0x70,       [KEY_KPDOT] = 0x71,     [KEY_102ND] = 0x13,
  [KEY_F11] = 0x56,        [KEY_F12] = 0x5e,       [KEY_KPENTER] = 0x79,   [KEY_RIGHTCTRL] = 0x58,
  [KEY_KPSLASH] = 0x77,    [KEY_SYSRQ] = 0x57,     [KEY_RIGHTALT] = 0x39,  [KEY_HOME] = 0x6e,
  [KEY_UP] = 0x63,         [KEY_PAGEUP] = 0x6f,    [KEY_LEFT] = 0x61,      [KEY_RIGHT] = 0x6a,
  [KEY_END] = 0x65,        [KEY_DOWN] = 0x60,      [KEY_PAGEDOWN] = 0x6d,  [KEY_INSERT] = 0x67,
  [KEY_DELETE] = 0x64,     [KEY_PAUSE] = 0x62,     [KEY_LEFTMETA] = 0x8b,  [KEY_RIGHTMETA] = 0x8c,
  [KEY_COMPOSE] = 0x8d,
};

uint8_t
vt_ps2_translate (uint8_t byte)
{
  if (byte < G_N_ELEMENTS (set1_of_set2))
    return set1_of_set2[byte];
  return byte == 0x83 ? 0x41 : byte == 0x84 ? 0x54 : byte;
}

static uint8_t
set2_of_set1 (uint8_t scancode)
{
  if (scancode == 0x41)
    return 0x83;
  if (scancode == 0x54)
    return 0x84;
  for (unsigned i = 0; i < G_N_ELEMENTS (set1_of_set2); i++)
    if (set1_of_set2[i] == scancode)
      return (uint8_t) i;
  return 0;
}

/* Key sequences -------------------------------------------------------------------------------- */

static bool
is_down (const VtPs2Keyboard *k, unsigned code)
{
  return (k->down[code / 8] & (1 << code % 8)) != 0;
}

typedef struct
{
  uint8_t  bytes[SEQUENCE_MAX];
  unsigned len;
} Sequence;

static void
add (Sequence *seq, uint8_t byte)
{
  if (seq->len < SEQUENCE_MAX)
    seq->bytes[seq->len++] = byte;
}

/* One make or break code of set 1 or 2; @scancode is set 1's. */
static void
add_code (Sequence *seq, unsigned set, uint8_t scancode, bool e0, bool down)
{
  if (e0)
    add (seq, 0xe0);
  if (set == 1)
    {
      add (seq, (uint8_t) (scancode | (down ? 0 : 0x80)));
      return;
    }
  if (!down)
    add (seq, 0xf0);
  add (seq, set2_of_set1 (scancode));
}

/* Pause sends make and break at once; with Ctrl it is Break, an old key's code. */
static void
add_pause (const VtPs2Keyboard *k, Sequence *seq, bool ctrl)
{
  static const uint8_t pause1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
  static const uint8_t pause2[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };

  if (ctrl)
    {
      add_code (seq, k->set, 0x46, true, true);
      add_code (seq, k->set, 0x46, true, false);
    }
  else if (k->set == 1)
    for (unsigned i = 0; i < sizeof pause1; i++)
      add (seq, pause1[i]);
  else
    for (unsigned i = 0; i < sizeof pause2; i++)
      add (seq, pause2[i]);
}

/* Print Screen pretends a Shift unless one is down; with Alt it is SysRq, a key of its own. */
static void
add_print (const VtPs2Keyboard *k, Sequence *seq, bool down, bool alt, bool shifted)
{
  if (alt)
    {
      add_code (seq, k->set, 0x54, false, down);
      return;
    }
  if (!shifted && down)
    add_code (seq, k->set, 0x2a, true, true);
  add_code (seq, k->set, 0x37, true, down);
  if (!shifted && !down)
    add_code (seq, k->set, 0x2a, true, false);
}

static void
build (const VtPs2Keyboard *k, Sequence *seq, unsigned code, bool down)
{
  bool    alt = is_down (k, KEY_LEFTALT) || is_down (k, KEY_RIGHTALT);
  bool    ctrl = is_down (k, KEY_LEFTCTRL) || is_down (k, KEY_RIGHTCTRL);
  bool    shift = is_down (k, KEY_LEFTSHIFT) || is_down (k, KEY_RIGHTSHIFT);
  uint8_t scancode;
  bool    e0;

  if (k->set == 3)
    {
      if (code >= G_N_ELEMENTS (set3_codes) || set3_codes[code] == 0)
        return;
      if (!down)
        add (seq, 0xf0);
      add (seq, set3_codes[code]);
    }
  else if (code == KEY_PAUSE)
    {
      if (down)
        add_pause (k, seq, ctrl);
    }
  else if (code == KEY_SYSRQ)
    add_print (k, seq, down, alt, shift || ctrl);
  else if (code == KEY_HANGEUL || code == KEY_HANJA)
    {
      /* These two have no break code. */
      if (down)
        add (seq, code == KEY_HANGEUL ? 0xf2 : 0xf1);
    }
  else if (vt_input_code_to_set1 (code, &scancode, &e0))
    add_code (seq, k->set, scancode, e0, down);
}

bool
vt_ps2_keyboard_key (VtPs2Keyboard *k, unsigned code, bool down)
{
  Sequence seq = { .len = 0 };
  uint8_t  bit = (uint8_t) (1 << code % 8);

  if (code / 8 >= sizeof k->down || (!down && !is_down (k, code)))
    return true;
  if (!k->scanning)
    {
      k->down[code / 8] &= (uint8_t) ~bit;
      return true;
    }
  build (k, &seq, code, down);
  if (!vt_ps2_queue_push (&k->queue, seq.bytes, seq.len, VT_PS2_QUEUE_EVENTS))
    {
      uint8_t lost = k->set == 1 ? 0xff : 0x00;

      /* "Overrun", told once. */
      if (!k->overrun)
        vt_ps2_queue_push (&k->queue, &lost, 1, VT_PS2_QUEUE);
      k->overrun = true;
      return down;
    }
  k->overrun = false;
  if (down)
    k->down[code / 8] |= bit;
  else
    k->down[code / 8] &= (uint8_t) ~bit;
  return true;
}

bool
vt_ps2_keyboard_settle (VtPs2Keyboard *k, const uint8_t *held)
{
  bool all = true;

  for (unsigned i = 0; i < sizeof k->down; i++)
    for (unsigned bit = 0; bit < 8; bit++)
      if ((k->down[i] & ~held[i] & (1 << bit)) != 0)
        all &= vt_ps2_keyboard_key (k, i * 8 + bit, false);
  return all;
}

/* Commands ------------------------------------------------------------------------------------- */

static void
defaults (VtPs2Keyboard *k)
{
  k->set = 2;
  k->rate = RATE_DEFAULT;
  k->overrun = false;
  memset (k->down, 0, sizeof k->down);
  vt_ps2_queue_clear (&k->queue);
}

void
vt_ps2_keyboard_reset (VtPs2Keyboard *k)
{
  memset (k, 0, sizeof *k);
  defaults (k);
  k->scanning = true;
}

static void
reply (VtPs2Keyboard *k, uint8_t byte)
{
  k->last = byte;
  vt_ps2_queue_push (&k->queue, &byte, 1, VT_PS2_QUEUE);
}

static void
parameter (VtPs2Keyboard *k, uint8_t byte)
{
  switch (k->command)
    {
    case CMD_LEDS:
      k->leds = byte & 7;
      reply (k, VT_PS2_ACK);
      break;
    case CMD_RATE:
      k->rate = byte & 0x7f;
      reply (k, VT_PS2_ACK);
      break;
    case CMD_SET:
      if (byte > 3)
        {
          reply (k, VT_PS2_RESEND);
          break;
        }
      reply (k, VT_PS2_ACK);
      if (byte == 0)
        reply (k, k->set);
      else
        k->set = byte;
      break;
    default:
      /* A key of F9's kind: the list goes on until the next command. */
      reply (k, VT_PS2_ACK);
      return;
    }
  k->command = 0;
}

static void
command (VtPs2Keyboard *k, uint8_t byte)
{
  switch (byte)
    {
    case CMD_LEDS:
    case CMD_SET:
    case CMD_RATE:
      k->command = byte;
      reply (k, VT_PS2_ACK);
      break;
    case CMD_ECHO:
      reply (k, CMD_ECHO);
      break;
    case CMD_ID:
      reply (k, VT_PS2_ACK);
      reply (k, 0xab);
      reply (k, 0x83);
      break;
    case CMD_ENABLE:
      vt_ps2_queue_clear (&k->queue);
      k->scanning = true;
      reply (k, VT_PS2_ACK);
      break;
    case CMD_DISABLE:
    case CMD_DEFAULTS:
      defaults (k);
      k->scanning = byte == CMD_DEFAULTS;
      reply (k, VT_PS2_ACK);
      break;
    case CMD_RESEND:
      reply (k, k->last);
      break;
    case CMD_RESET:
      vt_ps2_keyboard_reset (k);
      reply (k, VT_PS2_ACK);
      reply (k, VT_PS2_BAT_OK);
      break;
    default:
      if (byte >= CMD_KEY_FIRST && byte <= CMD_KEY_LAST)
        k->command = byte;
      reply (k, byte >= CMD_ALL_FIRST && byte <= CMD_KEY_LAST ? VT_PS2_ACK : VT_PS2_RESEND);
      break;
    }
}

void
vt_ps2_keyboard_send (VtPs2Keyboard *k, uint8_t byte)
{
  /* A command where a parameter is due replaces the one that waited. */
  if (k->command != 0 && byte < CMD_LEDS)
    {
      parameter (k, byte);
      return;
    }
  k->command = 0;
  command (k, byte);
}

static bool
keyboard_check (const void *state, GError **error)
{
  const VtPs2Keyboard *k = state;

  if (k->set < 1 || k->set > 3)
    return vt_set_error (error, VITRINE_ERROR_CORRUPT, "The saved keyboard is in no possible state");
  return true;
}

static const VtStateField keyboard_fields[] = {
  VT_STATE_STRUCT (VtPs2Keyboard, queue, &vt_ps2_queue_desc),
  VT_STATE (VtPs2Keyboard, down),
  VT_STATE (VtPs2Keyboard, set),
  VT_STATE_MAX (VtPs2Keyboard, leds, 7),
  VT_STATE (VtPs2Keyboard, rate),
  VT_STATE (VtPs2Keyboard, command),
  VT_STATE (VtPs2Keyboard, last),
  VT_STATE (VtPs2Keyboard, scanning),
  VT_STATE (VtPs2Keyboard, overrun),
  VT_STATE (VtPs2Keyboard, pad_),
};
const VtStateDesc vt_ps2_keyboard_desc =
    VT_STATE_DESC (VtPs2Keyboard, 1, keyboard_fields, keyboard_check);
