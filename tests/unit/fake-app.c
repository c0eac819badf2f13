/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program without windows, for tests of the command line.
 */
#include "app/app.h"

gboolean
vt_app_has_display (void)
{
  return FALSE;
}

const char *
vt_app_display_name (void)
{
  return NULL;
}

int
vt_app_run_library (void)
{
  return 1;
}

VtApp *
vt_app_open_machine (VitrineMachine *machine)
{
  return NULL;
}

void
vt_app_present (VtApp *app)
{
}

void
vt_app_free (VtApp *app)
{
}
