/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The trace: what a guest or a peer did wrong, on standard error, for whoever asked for it by
 * VITRINE_TRACE ("all", or names separated by commas, each matching a path's beginning).
 */
#include <stdio.h>

#include "vt-base.h"

/* A guest can cause a line per instruction; beyond this many a second they are counted, not
 * printed. */
#define LINES_PER_SECOND 200

static const char *
trace_filter (void)
{
  static gsize       once;
  static const char *filter;

  if (g_once_init_enter (&once))
    {
      filter = g_getenv ("VITRINE_TRACE");
      g_once_init_leave (&once, 1);
    }
  return filter;
}

static bool
trace_wanted (const char *filter, const char *who)
{
  g_auto (GStrv) names = NULL;

  if (strcmp (filter, "all") == 0)
    return true;
  names = g_strsplit (filter, ",", -1);
  for (char **n = names; *n != NULL; n++)
    if (**n != '\0' && g_str_has_prefix (who, *n))
      return true;
  return false;
}

void
vt_trace (const char *who, const char *format, ...)
{
  static gint64 second;
  static gint   lines;
  const char   *filter = trace_filter ();
  gint64        now;
  int           n;
  va_list       args;

  if (filter == NULL || !trace_wanted (filter, who))
    return;
  now = g_get_monotonic_time () / G_USEC_PER_SEC;
  /* Two threads that meet here may let a few lines too many through; that is harmless. */
  if (__atomic_exchange_n (&second, now, __ATOMIC_RELAXED) != now)
    {
      n = g_atomic_int_get (&lines);
      g_atomic_int_set (&lines, 0);
      if (n > LINES_PER_SECOND)
        fprintf (stderr, "trace: %d more lines were left out\n", n - LINES_PER_SECOND);
    }
  if (g_atomic_int_add (&lines, 1) >= LINES_PER_SECOND)
    return;

  flockfile (stderr);
  fprintf (stderr, "%s: ", who);
  va_start (args, format);
  vfprintf (stderr, format, args);
  va_end (args);
  fputc ('\n', stderr);
  funlockfile (stderr);
}
