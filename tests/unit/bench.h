/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A test bench for one device: manual context and clock, and wires that remember what they did.
 */
#pragma once

#include "vt-device.h"

typedef struct
{
  VtLine  *line;
  bool     level;
  unsigned rises, falls;
} BenchWire;

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtDevice  *dev;
} Bench;

static inline void
bench_wire_cb (void *data, unsigned n, bool level)
{
  BenchWire *wire = data;

  wire->level = level;
  if (level)
    wire->rises++;
  else
    wire->falls++;
}

static inline VtLine *
bench_wire_init (BenchWire *wire)
{
  memset (wire, 0, sizeof *wire);
  wire->line = vt_line_new (bench_wire_cb, wire, 0);
  return wire->line;
}

/* The caller wires bench->dev, then calls bench_start(). */
static inline void
bench_init (Bench *bench, const VtDeviceClass *klass)
{
  VtDeviceEnv env = { 0 };

  bench->context = env.context = vt_context_new_manual ();
  bench->clock = env.clock = vt_clock_new_manual ();
  bench->dev = vt_device_new (klass, klass->id, &env);
}

static inline void
bench_start (Bench *bench)
{
  g_autoptr (GError) error = NULL;

  vt_device_realize (bench->dev, &error);
  g_assert_no_error (error);
  vt_device_resume (bench->dev);
}

static inline void
bench_finish (Bench *bench)
{
  vt_device_free (bench->dev);
  vt_context_dispatch (bench->context);
  vt_clock_free (bench->clock);
  vt_context_free (bench->context);
}

static inline uint8_t
bench_in (Bench *bench, unsigned reg)
{
  return (uint8_t) vt_region_read (vt_device_region (bench->dev, 0), reg, 1);
}

static inline void
bench_out (Bench *bench, unsigned reg, uint8_t value)
{
  vt_region_write (vt_device_region (bench->dev, 0), reg, 1, value);
}

/* Saves the device, and loads it into @to (of the same class, not resumed yet). */
static inline void
bench_move (Bench *from, Bench *to)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GError) error = NULL;

  vt_device_pause (from->dev, NULL, NULL);
  vt_device_save (from->dev, bytes);
  vt_clock_advance (to->clock, vt_clock_now (from->clock) - vt_clock_now (to->clock));
  vt_device_pause (to->dev, NULL, NULL);
  vt_device_load (to->dev, from->dev->klass->state->version, bytes->data, bytes->len, &error);
  g_assert_no_error (error);
  vt_device_commit (to->dev);
}
