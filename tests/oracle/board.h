/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The machine behind `poke`: devices and address spaces, no vCPU. Another way to build it replaces
 * board.c and nothing else.
 */
#pragma once

#include "memory/space.h"

#define ORACLE_GSIS 24

typedef struct
{
  VtContext *context; /* Manual. */
  VtClock   *clock;   /* Manual, at 0. */
  VtSpace   *space;
  VtLine    *gsi[ORACLE_GSIS]; /* The I/O APIC's inputs; made by the caller before the build. */
} OracleBoard;

/* Fills in everything but @gsi. @options are the words of the trace's "ours:" line. NULL-terminated;
 * false and @error for one that is not known. */
bool oracle_board_build (OracleBoard *board, char **options, GError **error);
