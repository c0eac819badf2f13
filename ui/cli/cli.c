/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Options, errors and output for all commands.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "vitrine-error.h"

/* One line, whatever a message contains. */
static void
print_message (const char *message)
{
  g_autofree char *line = g_strdup (message);
  g_strchomp (line);
  g_strdelimit (line, "\n\r", ' ');
  fflush (stdout);
  g_printerr ("vitrine: %s\n", line);
}

void
vt_cli_warn (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  print_message (message);
}

int
vt_cli_usage (const VtCommand *command, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  g_autofree char *message
      = g_strdup_printf (_("%s (“vitrine %s --help” tells more)"), what, command->name);
  print_message (message);
  return VT_EXIT_USAGE;
}

int
vt_cli_exit_code (const GError *error)
{
  if (error->domain != VITRINE_ERROR)
    return VT_EXIT_FAILED;
  switch ((VitrineError) error->code)
    {
    case VITRINE_ERROR_NOT_FOUND:
      return VT_EXIT_NOT_FOUND;
    case VITRINE_ERROR_EXISTS:
    case VITRINE_ERROR_BUSY:
    case VITRINE_ERROR_STATE:
      return VT_EXIT_STATE;
    case VITRINE_ERROR_DENIED:
    case VITRINE_ERROR_UNSUPPORTED:
      return VT_EXIT_DENIED;
    case VITRINE_ERROR_INVALID:
    case VITRINE_ERROR_CORRUPT:
      return VT_EXIT_INVALID;
    case VITRINE_ERROR_NO_SPACE:
      return VT_EXIT_NO_SPACE;
    default:
      return VT_EXIT_FAILED;
    }
}

int
vt_cli_fail (GError *error)
{
  int code = vt_cli_exit_code (error);
  print_message (error->message);
  g_error_free (error);
  return code;
}

bool
vt_cli_parse (const VtCommand *command, const GOptionEntry *entries, int *argc, char ***argv,
              int min, int max, int *exit_code)
{
  g_autofree char *parameters
      = *command->arguments ? g_strdup_printf ("%s", command->arguments) : NULL;
  g_autoptr (GOptionContext) context = g_option_context_new (parameters);
  g_autoptr (GError) error = NULL;
  g_autofree char *program = g_strdup_printf ("vitrine %s", command->name);

  g_set_prgname (program);
  g_option_context_set_summary (context, _(command->summary));
  if (entries)
    g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  /* The parser's own --help would exit from within. */
  g_option_context_set_help_enabled (context, FALSE);
  gboolean     help = FALSE;
  GOptionEntry help_entries[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, N_("Show this help"), NULL },
    { 0 },
  };
  g_option_context_add_main_entries (context, help_entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, argc, argv, &error))
    {
      *exit_code = vt_cli_usage (command, "%s.", error->message);
      return false;
    }
  if (help)
    {
      g_autofree char *text = g_option_context_get_help (context, TRUE, NULL);
      g_print ("%s", text);
      *exit_code = VT_EXIT_OK;
      return false;
    }
  /* The parser leaves a "--" where something like an option follows. */
  for (int i = 1; i < *argc; i++)
    if (g_str_equal ((*argv)[i], "--"))
      {
        memmove (&(*argv)[i], &(*argv)[i + 1], sizeof **argv * (gsize) (*argc - i));
        (*argc)--;
        break;
      }
  if (*argc - 1 < min)
    *exit_code = vt_cli_usage (command, _("“%s” needs: %s."), command->name, command->arguments);
  else if (*argc - 1 > max)
    *exit_code = vt_cli_usage (command, _("“%s” is one argument too many."), (*argv)[max + 1]);
  else
    return true;
  return false;
}

void
vt_cli_print_json (JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree char *text = json_to_string (root, TRUE);
  /* JSON is UTF-8 in every locale, so not by g_print(). */
  puts (text);
  g_object_unref (builder);
}

void
vt_cli_json_string (JsonBuilder *builder, const char *key, const char *value)
{
  json_builder_set_member_name (builder, key);
  if (value)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

bool
vt_cli_parse_size (const char *text, guint64 unit, guint64 *bytes)
{
  static const char suffixes[] = "KMGTP";
  if (!g_ascii_isdigit (*text))
    return false;
  char       *rest;
  double      number = g_ascii_strtod (text, &rest);
  const char *suffix = *rest ? strchr (suffixes, g_ascii_toupper (*rest)) : NULL;
  if (suffix)
    {
      unit = UINT64_C (1) << (10 * (suffix - suffixes + 1));
      rest++;
      if (g_ascii_strcasecmp (rest, "iB") == 0 || g_ascii_strcasecmp (rest, "B") == 0)
        rest += strlen (rest);
    }
  /* strtod() also takes "0x10", "1e5"; that stops at a letter or passes here as what it is. */
  if (*rest || !unit || !(number >= 0) || number * (double) unit > 9e18)
    return false;
  *bytes = (guint64) (number * (double) unit);
  return true;
}

char *
vt_cli_format_size (guint64 bytes)
{
  return g_format_size_full (bytes, G_FORMAT_SIZE_IEC_UNITS);
}
