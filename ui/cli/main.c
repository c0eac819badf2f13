/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program: finds the command in the table and runs it.
 */
#include "cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/app.h"

const VtCommand vt_cli_commands[] = {
  { "create", "NAME", N_("Make a machine"), vt_cli_create },
  { "list", "", N_("List the machines and their states"), vt_cli_list },
  { "show", "NAME", N_("Show a machine's configuration and state"), vt_cli_show },
  { "status", "NAME", N_("Tell a machine's state and where to reach it"), vt_cli_status },
  { "delete", "NAME", N_("Delete a machine and all files in its folder"), vt_cli_delete },
  { "start", "NAME", N_("Start a machine in the background"), vt_cli_start },
  { "stop", "NAME", N_("Ask the guest to shut down, or pull the plug"), vt_cli_stop },
  { "pause", "NAME", N_("Stop the guest's clock and processors for a while"), vt_cli_pause },
  { "resume", "NAME", N_("Let a paused machine go on"), vt_cli_resume },
  { "reset", "NAME", N_("Press the reset button"), vt_cli_reset },
  { "run", "NAME", N_("Run a machine here until its guest powers off"), vt_cli_run },
  { "screenshot", "NAME FILE.png", N_("Save the guest's screen as a picture"), vt_cli_screenshot },
  { "text", "NAME", N_("Print what the guest's screen says in a text mode"), vt_cli_text },
  { "type", "NAME TEXT", N_("Type text on the guest's keyboard (US layout)"), vt_cli_type },
  { "key", "NAME CHORD…", N_("Press keys: ctrl+alt+delete, F12, Return"), vt_cli_key },
  { "click", "NAME X Y", N_("Click at a point of the guest's screen"), vt_cli_click },
  { "move", "NAME X Y", N_("Move the guest's pointer"), vt_cli_move },
  { "serial", "NAME", N_("Connect this terminal to a serial port (Ctrl+] ends)"), vt_cli_serial },
  { "medium", "NAME [DRIVE [FILE]]", N_("Show, insert or eject the media of CD drives"),
    vt_cli_medium },
  { "doctor", "", N_("Check what this computer offers to machines"), vt_cli_doctor },
  { "has-display", "", N_("Tell by the exit code whether windows can be opened"),
    vt_cli_has_display },
  { 0 },
};

static void
print_help (void)
{
  g_print ("%s\n  vitrine %s\n\n%s\n\n%s\n", _("Usage:"), _("COMMAND [OPTION…] [ARGUMENT…]"),
           _("Virtual machines on this computer."), _("Commands:"));
  for (const VtCommand *command = vt_cli_commands; command->name; command++)
    g_print ("  %-12s %s\n", command->name, _(command->summary));
  g_print ("\n%s\n", _("“vitrine COMMAND --help” tells the options of a command."));
}

/* The user's locale; but the C locale, which is also what is left of one that is not installed, has no
 * character beyond ASCII, and the terminals that run in it show UTF-8. */
static void
set_locale (void)
{
  const char *charset;

  setlocale (LC_ALL, "");
  if (!g_get_charset (&charset) && g_str_equal (charset, "ANSI_X3.4-1968"))
    setlocale (LC_CTYPE, "C.UTF-8");
}

int
main (int argc, char **argv)
{
  set_locale ();
  bindtextdomain (GETTEXT_PACKAGE, VITRINE_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  /* A viewer or reader that goes away must not end a machine. */
  signal (SIGPIPE, SIG_IGN);

  const char *name = argc > 1 ? argv[1] : NULL;
  if (name && (g_str_equal (name, "--help") || g_str_equal (name, "-h") || g_str_equal (name, "help")))
    {
      print_help ();
      return VT_EXIT_OK;
    }
  if (name && g_str_equal (name, "--version"))
    {
      g_print ("vitrine %s\n", VITRINE_VERSION);
      return VT_EXIT_OK;
    }
  if (!name)
    {
      if (vt_app_has_display ())
        return vt_app_run_library () == 0 ? VT_EXIT_OK : VT_EXIT_FAILED;
      vt_cli_warn (_("No window can be opened here, and no command is given; “vitrine --help” lists "
                     "them."));
      return VT_EXIT_USAGE;
    }
  for (const VtCommand *command = vt_cli_commands; command->name; command++)
    if (g_str_equal (name, command->name))
      {
        int result = command->run (command, argc - 1, argv + 1);
        if (fflush (stdout) != 0 && result == VT_EXIT_OK)
          result = VT_EXIT_FAILED;
        return result;
      }
  vt_cli_warn (_("There is no command “%s”; “vitrine --help” lists them."), name);
  return VT_EXIT_USAGE;
}
