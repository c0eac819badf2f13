/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One machine of the library window's list.
 */
#pragma once

#include <handy.h>

/* What one look at the library finds of a machine. */
typedef struct
{
  char    *name;
  char    *state;   /* As vt_control_query_state() has it, or "invalid". */
  char    *summary; /* What it is, or what is wrong with it. */
  gboolean process; /* A process has the machine, also where its guest has crashed. */
} VtMachineEntry;

void vt_machine_entry_free (VtMachineEntry *entry);

#define VT_TYPE_MACHINE_ROW (vt_machine_row_get_type ())
G_DECLARE_FINAL_TYPE (VtMachineRow, vt_machine_row, VT, MACHINE_ROW, HdyActionRow)

/* Its buttons and menu use actions "win.start" … with the machine's name as their target. */
GtkWidget  *vt_machine_row_new (const VtMachineEntry *entry);
/* Shows what has changed. An open menu stays open unless other things can be done now. */
void        vt_machine_row_update (VtMachineRow *row, const VtMachineEntry *entry);
const char *vt_machine_row_get_name (VtMachineRow *row);
/* The action for a user who just wants this machine: "start" or "show"; NULL: there is nothing to do. */
const char *vt_machine_row_get_default (VtMachineRow *row);
