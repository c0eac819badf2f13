/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the commands of the program share: the table, exit codes, options, errors, JSON.
 */
#pragma once

#include <glib/gi18n.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vitrine-config.h"

/* Documented in vitrine(1): scripts rely on them. */
typedef enum
{
  VT_EXIT_OK = 0,
  VT_EXIT_FAILED = 1,
  VT_EXIT_USAGE = 2,
  VT_EXIT_NOT_FOUND = 3,
  VT_EXIT_STATE = 4,    /* Busy, exists already, not in this state. */
  VT_EXIT_DENIED = 5,   /* Forbidden, or the host can't do it. */
  VT_EXIT_INVALID = 6,  /* A file or value is wrong or damaged. */
  VT_EXIT_NO_SPACE = 7, /* Disk or memory is exhausted. */
  VT_EXIT_CRASH = 8,    /* The guest crashed. */
} VtExit;

typedef struct VtCommand VtCommand;

struct VtCommand
{
  const char *name;
  const char *arguments; /* As in the help: "NAME [FILE]". */
  const char *summary;   /* N_(): one line. */
  int (*run) (const VtCommand *command, int argc, char **argv);
};

/* Ends with a NULL name. */
extern const VtCommand vt_cli_commands[];

int vt_cli_create (const VtCommand *command, int argc, char **argv);
int vt_cli_list (const VtCommand *command, int argc, char **argv);
int vt_cli_show (const VtCommand *command, int argc, char **argv);
int vt_cli_status (const VtCommand *command, int argc, char **argv);
int vt_cli_delete (const VtCommand *command, int argc, char **argv);
int vt_cli_start (const VtCommand *command, int argc, char **argv);
int vt_cli_stop (const VtCommand *command, int argc, char **argv);
int vt_cli_pause (const VtCommand *command, int argc, char **argv);
int vt_cli_resume (const VtCommand *command, int argc, char **argv);
int vt_cli_reset (const VtCommand *command, int argc, char **argv);
int vt_cli_run (const VtCommand *command, int argc, char **argv);
int vt_cli_screenshot (const VtCommand *command, int argc, char **argv);
int vt_cli_text (const VtCommand *command, int argc, char **argv);
int vt_cli_type (const VtCommand *command, int argc, char **argv);
int vt_cli_key (const VtCommand *command, int argc, char **argv);
int vt_cli_click (const VtCommand *command, int argc, char **argv);
int vt_cli_move (const VtCommand *command, int argc, char **argv);
int vt_cli_serial (const VtCommand *command, int argc, char **argv);
int vt_cli_medium (const VtCommand *command, int argc, char **argv);
int vt_cli_doctor (const VtCommand *command, int argc, char **argv);
int vt_cli_has_display (const VtCommand *command, int argc, char **argv);

/**
 * vt_cli_parse:
 * @entries: (nullable): the command's options. Texts should be G_OPTION_ARG_FILENAME, which takes
 *   any bytes in any locale.
 * @min, @max: how many arguments must remain in @argv[1…].
 *
 * Prints help or what is wrong. Returns: FALSE where the command is over with @exit_code.
 */
bool vt_cli_parse (const VtCommand *command, const GOptionEntry *entries, int *argc, char ***argv,
                   int min, int max, int *exit_code);

/* Prints "vitrine: SENTENCE" and how to get help; VT_EXIT_USAGE. */
int vt_cli_usage (const VtCommand *command, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Prints the error in one line, frees it and gives its exit code. */
int vt_cli_fail (GError *error);
int vt_cli_exit_code (const GError *error);
/* "vitrine: SENTENCE" on the standard error, nothing else. */
void vt_cli_warn (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* Prints and unrefs the builder's root. */
void vt_cli_print_json (JsonBuilder *builder);
/* Adds @key with the text, or null. */
void vt_cli_json_string (JsonBuilder *builder, const char *key, const char *value);

/* A whole number of units: "512M", "20G", "1.5T"; without a suffix it is in @unit (0: then a suffix
 * must be there). FALSE: it isn't such a number, or it is too large. */
bool vt_cli_parse_size (const char *text, guint64 unit, guint64 *bytes);
/* "1.5 GiB". (transfer full) */
char *vt_cli_format_size (guint64 bytes);
