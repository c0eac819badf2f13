/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The struct behind VitrineMachine, for the two files that implement its functions.
 */
#pragma once

#include "machine-private.h"

struct _VitrineMachine
{
  GObject        parent_instance;
  VitrineConfig *config;
  VitrineState   state;
  VitrineEnd     end;
  char          *status, *detail;
  int            exit_status;
  const char    *cpu_engine;
  char          *cpu_detail;
  gboolean       crash_on_triple_fault;
  char          *serial_override[VT_MACHINE_SERIALS];

  VtMachine *run;      /* From start to OFF. */
  gboolean   built;    /* Its board is complete: consoles, media and wires can be looked at. */
  GThread   *thread;   /* Of the last run's driver. */
  GTask     *start;    /* Until the driver has answered. */
  GPtrArray *screens;  /* VitrineScreen, weak. */
  VtViewer  *pointer_viewer; /* Tells the first console's size for pointer positions. */
  int        pointer_width, pointer_height;
};

/* viewer.c: before the consoles go. */
void vt_machine_detach_viewers (VitrineMachine *machine);
