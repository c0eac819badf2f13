/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Key names and the US layout, as evdev codes.
 */
#include "keys.h"

#include <glib/gi18n.h>
#include <linux/input-event-codes.h>
#include <string.h>

#include "vitrine-error.h"

static const struct
{
  const char *name; /* Lower case. */
  guint       code;
} names[] = {
  { "ctrl", KEY_LEFTCTRL },
  { "control", KEY_LEFTCTRL },
  { "rctrl", KEY_RIGHTCTRL },
  { "shift", KEY_LEFTSHIFT },
  { "rshift", KEY_RIGHTSHIFT },
  { "alt", KEY_LEFTALT },
  { "altgr", KEY_RIGHTALT },
  { "ralt", KEY_RIGHTALT },
  { "super", KEY_LEFTMETA },
  { "meta", KEY_LEFTMETA },
  { "win", KEY_LEFTMETA },
  { "rsuper", KEY_RIGHTMETA },
  { "menu", KEY_COMPOSE },
  { "return", KEY_ENTER },
  { "enter", KEY_ENTER },
  { "esc", KEY_ESC },
  { "escape", KEY_ESC },
  { "tab", KEY_TAB },
  { "space", KEY_SPACE },
  { "backspace", KEY_BACKSPACE },
  { "delete", KEY_DELETE },
  { "del", KEY_DELETE },
  { "insert", KEY_INSERT },
  { "ins", KEY_INSERT },
  { "home", KEY_HOME },
  { "end", KEY_END },
  { "pageup", KEY_PAGEUP },
  { "page_up", KEY_PAGEUP },
  { "pagedown", KEY_PAGEDOWN },
  { "page_down", KEY_PAGEDOWN },
  { "up", KEY_UP },
  { "down", KEY_DOWN },
  { "left", KEY_LEFT },
  { "right", KEY_RIGHT },
  { "capslock", KEY_CAPSLOCK },
  { "caps_lock", KEY_CAPSLOCK },
  { "numlock", KEY_NUMLOCK },
  { "num_lock", KEY_NUMLOCK },
  { "scrolllock", KEY_SCROLLLOCK },
  { "scroll_lock", KEY_SCROLLLOCK },
  { "print", KEY_SYSRQ },
  { "sysrq", KEY_SYSRQ },
  { "pause", KEY_PAUSE },
  { "break", KEY_PAUSE },
  { "minus", KEY_MINUS },
  { "equal", KEY_EQUAL },
  { "comma", KEY_COMMA },
  { "period", KEY_DOT },
  { "dot", KEY_DOT },
  { "slash", KEY_SLASH },
  { "backslash", KEY_BACKSLASH },
  { "semicolon", KEY_SEMICOLON },
  { "apostrophe", KEY_APOSTROPHE },
  { "grave", KEY_GRAVE },
  { "bracketleft", KEY_LEFTBRACE },
  { "bracketright", KEY_RIGHTBRACE },
  { "less", KEY_102ND },
  { "f1", KEY_F1 },
  { "f2", KEY_F2 },
  { "f3", KEY_F3 },
  { "f4", KEY_F4 },
  { "f5", KEY_F5 },
  { "f6", KEY_F6 },
  { "f7", KEY_F7 },
  { "f8", KEY_F8 },
  { "f9", KEY_F9 },
  { "f10", KEY_F10 },
  { "f11", KEY_F11 },
  { "f12", KEY_F12 },
  { "kp0", KEY_KP0 },
  { "kp1", KEY_KP1 },
  { "kp2", KEY_KP2 },
  { "kp3", KEY_KP3 },
  { "kp4", KEY_KP4 },
  { "kp5", KEY_KP5 },
  { "kp6", KEY_KP6 },
  { "kp7", KEY_KP7 },
  { "kp8", KEY_KP8 },
  { "kp9", KEY_KP9 },
  { "kpplus", KEY_KPPLUS },
  { "kpminus", KEY_KPMINUS },
  { "kpenter", KEY_KPENTER },
  { "kpdot", KEY_KPDOT },
  { "kpslash", KEY_KPSLASH },
  { "kpasterisk", KEY_KPASTERISK },
};

/* The keys that type characters: what they type, and with shift. */
static const struct
{
  char  plain, shifted;
  guint code;
} characters[] = {
  { '1', '!', KEY_1 },          { '2', '@', KEY_2 },          { '3', '#', KEY_3 },
  { '4', '$', KEY_4 },          { '5', '%', KEY_5 },          { '6', '^', KEY_6 },
  { '7', '&', KEY_7 },          { '8', '*', KEY_8 },          { '9', '(', KEY_9 },
  { '0', ')', KEY_0 },          { '-', '_', KEY_MINUS },      { '=', '+', KEY_EQUAL },
  { 'q', 'Q', KEY_Q },          { 'w', 'W', KEY_W },          { 'e', 'E', KEY_E },
  { 'r', 'R', KEY_R },          { 't', 'T', KEY_T },          { 'y', 'Y', KEY_Y },
  { 'u', 'U', KEY_U },          { 'i', 'I', KEY_I },          { 'o', 'O', KEY_O },
  { 'p', 'P', KEY_P },          { '[', '{', KEY_LEFTBRACE },  { ']', '}', KEY_RIGHTBRACE },
  { 'a', 'A', KEY_A },          { 's', 'S', KEY_S },          { 'd', 'D', KEY_D },
  { 'f', 'F', KEY_F },          { 'g', 'G', KEY_G },          { 'h', 'H', KEY_H },
  { 'j', 'J', KEY_J },          { 'k', 'K', KEY_K },          { 'l', 'L', KEY_L },
  { ';', ':', KEY_SEMICOLON },  { '\'', '"', KEY_APOSTROPHE }, { '`', '~', KEY_GRAVE },
  { '\\', '|', KEY_BACKSLASH }, { 'z', 'Z', KEY_Z },          { 'x', 'X', KEY_X },
  { 'c', 'C', KEY_C },          { 'v', 'V', KEY_V },          { 'b', 'B', KEY_B },
  { 'n', 'N', KEY_N },          { 'm', 'M', KEY_M },          { ',', '<', KEY_COMMA },
  { '.', '>', KEY_DOT },        { '/', '?', KEY_SLASH },      { ' ', ' ', KEY_SPACE },
  { '\n', '\n', KEY_ENTER },    { '\t', '\t', KEY_TAB },      { '\b', '\b', KEY_BACKSPACE },
  { '\033', '\033', KEY_ESC },
};

gboolean
vt_keys_from_char (gunichar ch, guint *code, gboolean *shift)
{
  for (guint i = 0; i < G_N_ELEMENTS (characters); i++)
    if (ch == (guchar) characters[i].plain || ch == (guchar) characters[i].shifted)
      {
        *code = characters[i].code;
        *shift = ch != (guchar) characters[i].plain;
        return TRUE;
      }
  return FALSE;
}

/* 0: no key has that name. */
static guint
find_key (const char *name)
{
  g_autofree char *lower = g_ascii_strdown (name, -1);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (lower, names[i].name))
      return names[i].code;
  guint    code;
  gboolean shift;
  if (strlen (lower) == 1 && g_ascii_isgraph (*lower) && vt_keys_from_char ((guchar) *lower, &code, &shift)
      && !shift)
    return code;
  return 0;
}

guint
vt_keys_parse_chord (const char *chord, guint codes[VT_KEYS_MAX_CHORD], GError **error)
{
  g_auto (GStrv) parts = g_strsplit (chord, "+", VT_KEYS_MAX_CHORD + 2);
  guint n = 0;
  for (char **part = parts; *part; part++)
    {
      guint keys[2] = { find_key (*part), 0 };
      if (g_ascii_strcasecmp (*part, "plus") == 0)
        {
          keys[0] = KEY_LEFTSHIFT;
          keys[1] = KEY_EQUAL;
        }
      if (!keys[0])
        {
          g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                       _("There is no key “%s”; write a chord like ctrl+alt+delete, F12 or Return."),
                       **part ? *part : chord);
          return 0;
        }
      for (guint i = 0; i < 2 && keys[i]; i++)
        {
          if (n == VT_KEYS_MAX_CHORD)
            {
              g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                           _("“%s” has more than %d keys."), chord, VT_KEYS_MAX_CHORD);
              return 0;
            }
          codes[n++] = keys[i];
        }
    }
  if (!n)
    g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID,
                 _("No key is named; write a chord like ctrl+alt+delete, F12 or Return."));
  return n;
}
