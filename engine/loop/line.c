/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Wires and message-signalled interrupts.
 */
#include "vt-line.h"

struct VtLine
{
  VtLineFunc func;
  void      *data;
  unsigned   n;
  VtLine    *target; /* A source of a shared wire; func is NULL then. */
  GMutex     lock;   /* Orders the changes of a wire with those its sink sees. A leaf. */
  unsigned   high;   /* How many sources are high: 0 or 1 but for a shared wire's target. */
  bool       level;  /* Of this source. */
};

VtLine *
vt_line_new (VtLineFunc func, void *data, unsigned n)
{
  VtLine *line = g_new0 (VtLine, 1);

  line->func = func;
  line->data = data;
  line->n = n;
  g_mutex_init (&line->lock);
  return line;
}

VtLine *
vt_line_share (VtLine *target)
{
  VtLine *line;

  if (target == NULL)
    return NULL;
  line = vt_line_new (NULL, NULL, 0);
  line->target = target->target != NULL ? target->target : target;
  return line;
}

void
vt_line_free (VtLine *line)
{
  if (line == NULL)
    return;
  if (line->target != NULL)
    vt_line_set (line, false);
  g_mutex_clear (&line->lock);
  g_free (line);
}

/* One source of @line goes high or low; @tell: the sink hears of what the wire does. */
static void
wire_change (VtLine *line, bool up, bool tell)
{
  unsigned high;

  g_mutex_lock (&line->lock);
  high = __atomic_add_fetch (&line->high, up ? 1 : UINT_MAX, __ATOMIC_ACQ_REL);
  if (tell && line->func != NULL && high == (up ? 1 : 0))
    line->func (line->data, line->n, up);
  g_mutex_unlock (&line->lock);
}

static void
line_change (VtLine *line, bool level, bool tell)
{
  if (line == NULL || __atomic_exchange_n (&line->level, level, __ATOMIC_ACQ_REL) == level)
    return;
  wire_change (line->target != NULL ? line->target : line, level, tell);
}

void
vt_line_set (VtLine *line, bool level)
{
  line_change (line, level, true);
}

void
vt_line_import (VtLine *line, bool level)
{
  line_change (line, level, false);
}

bool
vt_line_level (const VtLine *line)
{
  if (line == NULL)
    return false;
  /* A wire with a sink is as high as any of its sources; a source knows its own level. */
  if (line->target == NULL)
    return __atomic_load_n (&line->high, __ATOMIC_ACQUIRE) > 0;
  return __atomic_load_n (&line->level, __ATOMIC_ACQUIRE);
}

void
vt_line_pulse (VtLine *line)
{
  vt_line_set (line, true);
  vt_line_set (line, false);
}

/* MSI ---------------------------------------------------------------------------------------- */

struct VtMsi
{
  VtMsiSink sink;
  GMutex    lock; /* The guest may program a vector while a worker sends it. A leaf. */
  uint64_t  address;
  uint32_t  message;
  bool      masked;
  bool      routed;
  unsigned  route;
  int       fd;
};

VtMsi *
vt_msi_new (const VtMsiSink *sink)
{
  VtMsi *msi = g_new0 (VtMsi, 1);

  if (sink != NULL)
    msi->sink = *sink;
  msi->masked = true;
  msi->fd = -1;
  g_mutex_init (&msi->lock);
  return msi;
}

void
vt_msi_free (VtMsi *msi)
{
  if (msi == NULL)
    return;
  if (msi->routed && msi->fd >= 0)
    msi->sink.ops->route_free (msi->sink.data, msi->route);
  g_mutex_clear (&msi->lock);
  g_free (msi);
}

void
vt_msi_set (VtMsi *msi, uint64_t address, uint32_t message, bool masked)
{
  g_mutex_lock (&msi->lock);
  if (msi->address != address || msi->message != message || msi->masked != masked)
    {
      msi->address = address;
      msi->message = message;
      msi->masked = masked;
      if (msi->fd >= 0)
        msi->sink.ops->route_set (msi->sink.data, msi->route, address, message, masked);
    }
  g_mutex_unlock (&msi->lock);
}

bool
vt_msi_send (VtMsi *msi)
{
  bool sent = false;

  g_mutex_lock (&msi->lock);
  if (!msi->masked)
    {
      if (msi->sink.ops != NULL)
        msi->sink.ops->send (msi->sink.data, msi->address, msi->message);
      sent = true;
    }
  g_mutex_unlock (&msi->lock);
  return sent;
}

int
vt_msi_fd (VtMsi *msi)
{
  int fd;

  g_mutex_lock (&msi->lock);
  if (!msi->routed && msi->sink.ops != NULL && msi->sink.ops->route_new != NULL)
    {
      msi->routed = true;
      msi->fd = msi->sink.ops->route_new (msi->sink.data, &msi->route);
      if (msi->fd >= 0)
        msi->sink.ops->route_set (msi->sink.data, msi->route, msi->address, msi->message,
                                  msi->masked);
    }
  fd = msi->fd;
  g_mutex_unlock (&msi->lock);
  return fd;
}
