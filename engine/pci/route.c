/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Wires whose end can be moved: what an interrupt routing register is made of.
 */
#include "pci-private.h"

struct VtPciRoute
{
  VtLine     *line;   /* The beginning, which others share. */
  GMutex      lock;   /* Holds nothing but the lines after this one. */
  VtLine     *always; /* Sources of what comes after, or NULL. */
  VtLine     *end;
  VtPciRoute *next;
  bool        level;
};

static void
route_cb (void *data, unsigned n, bool level)
{
  VtPciRoute *route = data;

  g_mutex_lock (&route->lock);
  route->level = level;
  vt_line_set (route->always, level);
  vt_line_set (route->end, level);
  g_mutex_unlock (&route->lock);
}

VtPciRoute *
vt_pci_route_new (VtLine *always)
{
  VtPciRoute *route = g_new0 (VtPciRoute, 1);

  g_mutex_init (&route->lock);
  route->line = vt_line_new (route_cb, route, 0);
  route->always = vt_line_share (always);
  return route;
}

void
vt_pci_route_free (VtPciRoute *route)
{
  if (route == NULL)
    return;
  vt_line_free (route->line);
  vt_line_free (route->always);
  vt_line_free (route->end);
  g_mutex_clear (&route->lock);
  g_free (route);
}

VtLine *
vt_pci_route_line (VtPciRoute *route)
{
  return route == NULL ? NULL : route->line;
}

static void
move (VtPciRoute *route, VtLine *line, VtPciRoute *next, bool quiet)
{
  VtLine *end = vt_line_share (line), *old;

  if (route == NULL)
    {
      vt_line_free (end);
      return;
    }
  g_mutex_lock (&route->lock);
  old = route->end;
  route->end = end;
  route->next = next;
  /* The new end first: where both are the same wire it does not see a gap. */
  if (quiet)
    {
      vt_line_import (end, route->level);
      vt_line_import (old, false);
    }
  else
    vt_line_set (end, route->level);
  vt_line_free (old);
  g_mutex_unlock (&route->lock);
}

void
vt_pci_route_end_at (VtPciRoute *route, VtLine *line, bool quiet)
{
  move (route, line, NULL, quiet);
}

void
vt_pci_route_join (VtPciRoute *route, VtPciRoute *next, bool quiet)
{
  move (route, vt_pci_route_line (next), next, quiet);
}

void
vt_pci_route_import (VtPciRoute *route, VtLine *source, bool level)
{
  vt_line_import (source, level);
  /* The ends have state of their own that was loaded too. */
  while (route != NULL)
    {
      VtPciRoute *next;

      g_mutex_lock (&route->lock);
      route->level = vt_line_level (route->line);
      vt_line_import (route->always, route->level);
      vt_line_import (route->end, route->level);
      next = route->next;
      g_mutex_unlock (&route->lock);
      route = next;
    }
}
