/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PC/AT scan code set 1 and the Linux evdev codes: one table, read both ways.
 */
#include <linux/input-event-codes.h>

#include "vt-input.h"

/* Where two keys share a scan code the first listed is the one that it means. Sources: "Keyboard
 * Scan Code Specification", revision 1.3a, Microsoft, appendices A to C; IBM PS/2 keyboard
 * technical reference. Pause has no code of its own in set 1 (E1 1D 45); what Ctrl-Pause sends,
 * E0 46, stands for it, as it does in SPICE. */
static const struct
{
  uint8_t code;
  uint8_t scancode;
  bool    e0;
} keys[] = {
  /* The typewriter block and the function keys: evdev took set 1's numbers, 0x01 to 0x53. */
  { KEY_102ND, 0x56, false },
  { KEY_F11, 0x57, false },
  { KEY_F12, 0x58, false },
  { KEY_KPEQUAL, 0x59, false },
  { KEY_KPJPCOMMA, 0x5c, false },
  { KEY_F13, 0x64, false },
  { KEY_F14, 0x65, false },
  { KEY_F15, 0x66, false },
  { KEY_F16, 0x67, false },
  { KEY_F17, 0x68, false },
  { KEY_F18, 0x69, false },
  { KEY_F19, 0x6a, false },
  { KEY_F20, 0x6b, false },
  { KEY_F21, 0x6c, false },
  { KEY_F22, 0x6d, false },
  { KEY_F23, 0x6e, false },
  { KEY_F24, 0x76, false },
  { KEY_KATAKANAHIRAGANA, 0x70, false },
  { KEY_HANJA, 0x71, false },
  { KEY_HANGEUL, 0x72, false },
  { KEY_RO, 0x73, false },
  { KEY_HIRAGANA, 0x77, false },
  { KEY_KATAKANA, 0x78, false },
  { KEY_HENKAN, 0x79, false },
  { KEY_MUHENKAN, 0x7b, false },
  { KEY_YEN, 0x7d, false },
  { KEY_KPCOMMA, 0x7e, false },
  { KEY_ZENKAKUHANKAKU, 0x29, false },
  /* The keys that the 101-key layout added, as twins of older ones. */
  { KEY_KPENTER, 0x1c, true },
  { KEY_RIGHTCTRL, 0x1d, true },
  { KEY_KPSLASH, 0x35, true },
  { KEY_SYSRQ, 0x37, true },
  { KEY_SYSRQ, 0x54, false }, /* With Alt. */
  { KEY_RIGHTALT, 0x38, true },
  { KEY_PAUSE, 0x46, true },
  { KEY_HOME, 0x47, true },
  { KEY_UP, 0x48, true },
  { KEY_PAGEUP, 0x49, true },
  { KEY_LEFT, 0x4b, true },
  { KEY_RIGHT, 0x4d, true },
  { KEY_KPPLUSMINUS, 0x4e, true },
  { KEY_END, 0x4f, true },
  { KEY_DOWN, 0x50, true },
  { KEY_PAGEDOWN, 0x51, true },
  { KEY_INSERT, 0x52, true },
  { KEY_DELETE, 0x53, true },
  { KEY_LEFTMETA, 0x5b, true },
  { KEY_RIGHTMETA, 0x5c, true },
  { KEY_COMPOSE, 0x5d, true },
  /* Power and media keys. */
  { KEY_POWER, 0x5e, true },
  { KEY_SLEEP, 0x5f, true },
  { KEY_WAKEUP, 0x63, true },
  { KEY_PREVIOUSSONG, 0x10, true },
  { KEY_NEXTSONG, 0x19, true },
  { KEY_MUTE, 0x20, true },
  { KEY_CALC, 0x21, true },
  { KEY_PLAYPAUSE, 0x22, true },
  { KEY_STOPCD, 0x24, true },
  { KEY_VOLUMEDOWN, 0x2e, true },
  { KEY_VOLUMEUP, 0x30, true },
  { KEY_HOMEPAGE, 0x32, true },
  { KEY_SEARCH, 0x65, true },
  { KEY_BOOKMARKS, 0x66, true },
  { KEY_REFRESH, 0x67, true },
  { KEY_STOP, 0x68, true },
  { KEY_FORWARD, 0x69, true },
  { KEY_BACK, 0x6a, true },
  { KEY_COMPUTER, 0x6b, true },
  { KEY_MAIL, 0x6c, true },
  { KEY_MEDIA, 0x6d, true },
};

#define LAST_IDENTICAL 0x53

unsigned
vt_input_code_from_set1 (uint8_t scancode, bool e0)
{
  if (!e0 && scancode >= 1 && scancode <= LAST_IDENTICAL)
    return scancode;
  for (unsigned i = 0; i < G_N_ELEMENTS (keys); i++)
    if (keys[i].scancode == scancode && keys[i].e0 == e0)
      return keys[i].code;
  return 0;
}

bool
vt_input_code_to_set1 (unsigned code, uint8_t *scancode, bool *e0)
{
  if (code >= 1 && code <= LAST_IDENTICAL)
    {
      *scancode = (uint8_t) code;
      *e0 = false;
      return true;
    }
  for (unsigned i = 0; i < G_N_ELEMENTS (keys); i++)
    if (keys[i].code == code)
      {
        *scancode = keys[i].scancode;
        *e0 = keys[i].e0;
        return true;
      }
  return false;
}
