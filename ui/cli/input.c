/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine type, key, click, move, screenshot: the guest's keyboard, mouse and screen.
 */
#include "cli.h"

#include <stdio.h>
#include <unistd.h>

#include "control/client.h"
#include "control/interface.h"
#include "control/library.h"

/* Finds the machine, calls it and prints what went wrong; for what has no answer. @parameters:
 * floating. */
static int
call (const char *name, const char *method, GVariant *parameters, int timeout_ms)
{
  GError          *error = NULL;
  g_autoptr (GVariant) owned = g_variant_ref_sink (parameters);
  g_autofree char *folder = vt_library_find (name, &error);
  g_autoptr (GDBusConnection) connection = folder ? vt_control_connect (folder, &error) : NULL;
  g_autoptr (GVariant) answer = NULL;
  if (connection)
    answer = vt_control_call (connection, method, owned, timeout_ms, &error);
  return answer ? VT_EXIT_OK : vt_cli_fail (error);
}

/* The standard input's text; NULL: it can't be read or is too long. (transfer full) */
static char *
read_input (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char   buffer[4096];
  size_t n;
  while ((n = fread (buffer, 1, sizeof buffer, stdin)) > 0 && text->len <= VT_CONTROL_MAX_TEXT)
    g_string_append_len (text, buffer, (gssize) n);
  return ferror (stdin) ? NULL : g_string_free (g_steal_pointer (&text), FALSE);
}

int
vt_cli_type (const VtCommand *command, int argc, char **argv)
{
  gboolean           enter = FALSE;
  int                delay = 0;
  const GOptionEntry entries[] = {
    { "enter", 'e', 0, G_OPTION_ARG_NONE, &enter, N_("Press Return at the end"), NULL },
    { "delay", 0, 0, G_OPTION_ARG_INT, &delay, N_("Milliseconds between two events (15)"), "MS" },
    { 0 },
  };
  int result;
  if (!vt_cli_parse (command, entries, &argc, &argv, 2, 2, &result))
    return result;
  if (delay < 0 || delay > 10000)
    return vt_cli_usage (command, _("--delay must be from 0 to 10000."));
  g_autofree char *input = g_str_equal (argv[2], "-") ? read_input () : g_strdup (argv[2]);
  if (!input || !g_utf8_validate (input, -1, NULL))
    return vt_cli_usage (command, _("The text must be UTF-8."));
  g_autofree char *text = g_strconcat (input, enter ? "\n" : "", NULL);
  return call (argv[1], "Type", g_variant_new ("(su)", text, (guint) delay), G_MAXINT);
}

int
vt_cli_key (const VtCommand *command, int argc, char **argv)
{
  int result;
  if (!vt_cli_parse (command, NULL, &argc, &argv, 2, 64, &result))
    return result;
  for (int i = 2; i < argc; i++)
    {
      if (!g_utf8_validate (argv[i], -1, NULL))
        return vt_cli_usage (command, _("The name of a key must be UTF-8."));
      result = call (argv[1], "Key", g_variant_new ("(s)", argv[i]), G_MAXINT);
      if (result)
        return result;
    }
  return VT_EXIT_OK;
}

static bool
parse_point (char **argv, int *x, int *y)
{
  guint64 values[2];
  for (guint i = 0; i < 2; i++)
    if (!g_ascii_string_to_unsigned (argv[i], 10, 0, 16383, &values[i], NULL))
      return false;
  *x = (int) values[0];
  *y = (int) values[1];
  return true;
}

int
vt_cli_click (const VtCommand *command, int argc, char **argv)
{
  static const char *const buttons[] = { "left", "middle", "right", NULL };
  g_autofree char         *button = NULL;
  gboolean                 twice = FALSE;
  const GOptionEntry       entries[] = {
    { "button", 0, 0, G_OPTION_ARG_FILENAME, &button, N_("Which button (left)"),
            "left|middle|right" },
    { "double", 0, 0, G_OPTION_ARG_NONE, &twice, N_("Click twice"), NULL },
    { 0 },
  };
  int result, x, y;
  if (!vt_cli_parse (command, entries, &argc, &argv, 3, 3, &result))
    return result;
  if (!parse_point (&argv[2], &x, &y))
    return vt_cli_usage (command, _("“%s %s” is not a point of a screen."), argv[2], argv[3]);
  guint number = 1;
  if (button)
    for (number = 1; buttons[number - 1] && !g_str_equal (buttons[number - 1], button); number++)
      ;
  if (number > 3)
    return vt_cli_usage (command, _("“%s” is not a button."), button);
  return call (argv[1], "Click", g_variant_new ("(iiuu)", x, y, number, twice ? 2u : 1u), G_MAXINT);
}

int
vt_cli_move (const VtCommand *command, int argc, char **argv)
{
  int result, x, y;
  if (!vt_cli_parse (command, NULL, &argc, &argv, 3, 3, &result))
    return result;
  if (!parse_point (&argv[2], &x, &y))
    return vt_cli_usage (command, _("“%s %s” is not a point of a screen."), argv[2], argv[3]);
  return call (argv[1], "Move", g_variant_new ("(ii)", x, y), G_MAXINT);
}

int
vt_cli_text (const VtCommand *command, int argc, char **argv)
{
  int                console = 0;
  const GOptionEntry entries[] = {
    { "screen", 0, 0, G_OPTION_ARG_INT, &console, N_("Which screen (0)"), "N" },
    { 0 },
  };
  int     result;
  GError *error = NULL;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 1, &result))
    return result;
  if (console < 0)
    return vt_cli_usage (command, _("--screen must be 0 or more."));
  g_autofree char *folder = vt_library_find (argv[1], &error);
  g_autoptr (GDBusConnection) connection = folder ? vt_control_connect (folder, &error) : NULL;
  g_autoptr (GVariant) answer = NULL;
  if (connection)
    answer = vt_control_call (connection, "ScreenText", g_variant_new ("(u)", (guint) console),
                              VT_CONTROL_TIMEOUT_MS, &error);
  if (!answer)
    return vt_cli_fail (error);
  const char *text;
  g_variant_get (answer, "(&s)", &text);
  fputs (text, stdout);
  return VT_EXIT_OK;
}

int
vt_cli_screenshot (const VtCommand *command, int argc, char **argv)
{
  int                console = 0;
  const GOptionEntry entries[] = {
    { "screen", 0, 0, G_OPTION_ARG_INT, &console, N_("Which screen (0)"), "N" },
    { 0 },
  };
  int result;
  if (!vt_cli_parse (command, entries, &argc, &argv, 2, 2, &result))
    return result;
  if (console < 0)
    return vt_cli_usage (command, _("--screen must be 0 or more."));
  g_autofree char *path = g_canonicalize_filename (argv[2], NULL);
  if (!g_utf8_validate (path, -1, NULL))
    return vt_cli_usage (command, _("The path of the picture must be UTF-8."));
  return call (argv[1], "Screenshot", g_variant_new ("(us)", (guint) console, path), 60000);
}
