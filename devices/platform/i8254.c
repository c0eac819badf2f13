/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interval timer, an 8254, with port 0x61 beside it: gate and output of channel 2. Nothing ticks:
 * counts and outputs are worked out from the guest clock, and one timer runs for the next rise of
 * channel 0's output. Falls of that output in the periodic modes are told together with the next rise,
 * which is what interrupts.
 *
 * The saved state has no phase, as KVM's has none: after a load the counters start over.
 */
#include "i8254.h"

#define HZ 1193182
/* The host's shortest step from one interrupt to the next. */
#define STEP_NS (50 * VT_NS_PER_US)
#define LATE_MAX 1000 /* As many as a local APIC counts. */

/* Control word, "Programming the 8254". */
#define SELECT_READ_BACK 3
#define READ_BACK_NO_COUNT 0x20
#define READ_BACK_NO_STATUS 0x10

/* RW1 and RW0, and how far a two-byte access has come. */
enum
{
  RW_LATCH,
  RW_LOW,
  RW_HIGH,
  RW_BOTH,
  RW_BOTH_SECOND,
};

#define MODE_NONE 255

/* Port 0x61: ICH9 data sheet 13.7.1. */
#define GATE_2 0x01
#define SPEAKER 0x02
#define REFRESH 0x10
#define OUT_2 0x20
#define REFRESH_NS 15085

/* Time ----------------------------------------------------------------------------------------- */

static VtI8254 *
pit_of (VtDevice *dev)
{
  return (VtI8254 *) dev;
}

/* Clocks in @ns, rounded down. */
static int64_t
clocks (int64_t ns)
{
  __int128 product = (__int128) ns * HZ;

  return (int64_t) (product >= 0 ? product / VT_NS_PER_SEC
                                 : -((-product + VT_NS_PER_SEC - 1) / VT_NS_PER_SEC));
}

/* Nanoseconds after which @n clocks have passed. */
static int64_t
duration (int64_t n)
{
  return (int64_t) (((__int128) n * VT_NS_PER_SEC + HZ - 1) / HZ);
}

/* Clocks since the counter was loaded. */
static int64_t
position (const VtI8254 *pit, unsigned i)
{
  const VtI8254Counter *c = &pit->counter[i];

  return c->stopped ? c->held : clocks (vt_clock_now (pit->dev.clock) - c->start);
}

static bool
is_periodic (const VtPitChannelState *s)
{
  return s->mode == 2 || s->mode == 3;
}

/* Where in its cycle a periodic counter is, and how long that cycle is. */
static uint32_t
phase (const VtI8254 *pit, unsigned i, uint32_t *n)
{
  const VtI8254Counter *c = &pit->counter[i];
  int64_t               at = position (pit, i);

  *n = at < 0 ? c->old_n : c->n;
  if (at < 0)
    return (uint32_t) (MAX (at + c->old_n, 0));
  return (uint32_t) (at % c->n);
}

/* Counts --------------------------------------------------------------------------------------- */

/* Clocks of a count as it was written; 0 stands for the largest ("Operation Common to All Modes"). */
static uint32_t
clocks_of (const VtPitChannelState *s)
{
  uint32_t n = 0;

  if (!s->bcd)
    return MAX (s->count, 1);
  for (int shift = 16; shift >= 0; shift -= 4)
    n = n * 10 + (s->count >> shift & 15);
  return MAX (n, 1);
}

static uint16_t
written_as (const VtPitChannelState *s, uint32_t n)
{
  uint32_t v = 0;

  if (!s->bcd)
    return (uint16_t) n;
  for (unsigned shift = 0; shift < 16; shift += 4, n /= 10)
    v |= n % 10 << shift;
  return (uint16_t) v;
}

static uint16_t
count_of (const VtI8254 *pit, unsigned i)
{
  const VtPitChannelState *s = &pit->s.channel[i];
  const VtI8254Counter    *c = &pit->counter[i];
  uint32_t                 n, at, modulus = s->bcd ? 10000 : 65536;

  if (c->idle)
    return written_as (s, c->n);
  if (!is_periodic (s))
    /* Past zero it goes on from the highest count. */
    return written_as (s, (uint32_t) ((c->n + modulus - position (pit, i) % modulus) % modulus));
  at = phase (pit, i, &n);
  if (s->mode == 2)
    return written_as (s, n - at);
  /* Mode 3 counts by two, an odd count from one less, and that once more while OUT is high. */
  if (at >= (n + 1) / 2)
    at -= (n + 1) / 2;
  return written_as (s, (n & ~1u) - 2 * at);
}

static bool
out_of (const VtI8254 *pit, unsigned i)
{
  const VtPitChannelState *s = &pit->s.channel[i];
  const VtI8254Counter    *c = &pit->counter[i];
  uint32_t                 n, at;

  if (c->idle)
    return s->mode != 0 && s->mode != MODE_NONE;
  switch (s->mode)
    {
    case 0:
    case 1:
      return position (pit, i) >= c->n;
    case 2:
      at = phase (pit, i, &n);
      return c->stopped || at != n - 1;
    case 3:
      at = phase (pit, i, &n);
      return c->stopped || at < (n + 1) / 2;
    default:
      return position (pit, i) != c->n;
    }
}

/* Channel 0's interrupt ------------------------------------------------------------------------- */

/* The clock, counted from the load, at which OUT rises next after @from; -1: never. */
static int64_t
next_rise (const VtI8254 *pit, int64_t from)
{
  const VtPitChannelState *s = &pit->s.channel[0];
  const VtI8254Counter    *c = &pit->counter[0];
  int64_t                  rise;

  if (c->idle || c->stopped)
    return -1;
  if (is_periodic (s))
    return from < 0 ? 0 : (from / c->n + 1) * c->n;
  rise = (int64_t) c->n + (s->mode == 4 || s->mode == 5);
  return from < rise ? rise : -1;
}

static void
schedule (VtI8254 *pit)
{
  const VtI8254Counter *c = &pit->counter[0];
  int64_t               now = vt_clock_now (pit->dev.clock), rise = next_rise (pit, position (pit, 0));
  int64_t               at;

  pit->rise = pit->s.taken ? -1 : rise;
  if (pit->rise < 0)
    {
      vt_timer_stop (pit->timer);
      return;
    }
  at = c->start + duration (rise);
  if (is_periodic (&pit->s.channel[0]) && duration (c->n) < STEP_NS)
    at = MAX (at, now + STEP_NS);
  vt_timer_arm (pit->timer, at);
}

/* The interrupt line's level: OUT, but for the short falls of the periodic modes. */
static bool
line_level (const VtI8254 *pit)
{
  uint8_t mode = pit->s.channel[0].mode;

  return !pit->s.taken && (mode <= 1 ? out_of (pit, 0) : mode != MODE_NONE);
}

static void
update (VtI8254 *pit)
{
  vt_line_set (pit->irq, line_level (pit));
  schedule (pit);
}

/* Tells every rise whose time has come: where this thread is late for some, systems count them all the same. */
static void
tell (VtI8254 *pit)
{
  const int64_t n = pit->counter[0].n, late = position (pit, 0) - pit->rise;
  int64_t       rises = 1;

  if (pit->rise < 0 || late < 0)
    return;
  if (is_periodic (&pit->s.channel[0]) && duration (n) >= STEP_NS)
    rises = MIN (late / n + 1, LATE_MAX);
  pit->rise = -1;
  for (; rises > 0; rises--)
    {
      if (pit->s.channel[0].mode > 1)
        vt_line_set (pit->irq, false);
      vt_line_set (pit->irq, line_level (pit));
    }
}

static void
timer_cb (void *data)
{
  VtI8254 *pit = data;

  tell (pit);
  update (pit);
}

void
vt_i8254_take (VtI8254 *pit, bool taken)
{
  pit->s.taken = taken;
  update (pit);
}

/* Programming ----------------------------------------------------------------------------------- */

/* The counting element takes the count, now. */
static void
load (VtI8254 *pit, unsigned i)
{
  VtI8254Counter *c = &pit->counter[i];

  c->n = c->old_n = clocks_of (&pit->s.channel[i]);
  c->start = vt_clock_now (pit->dev.clock);
  c->held = 0;
  c->idle = false;
}

/* The gate of modes 0, 2, 3 and 4 lets it count; that of modes 1 and 5 triggers only. */
static bool
gate_stops (const VtPitChannelState *s)
{
  return s->mode != 1 && s->mode != 5;
}

static void
write_count (VtI8254 *pit, unsigned i, uint32_t v)
{
  VtPitChannelState *s = &pit->s.channel[i];
  VtI8254Counter    *c = &pit->counter[i];
  int64_t            at;

  s->count = v == 0 ? 65536 : v;
  if (s->mode == 1 || s->mode == 5)
    {
      /* Taken by the next trigger. */
      if (c->idle)
        c->n = clocks_of (s);
    }
  else if (is_periodic (s) && !c->idle && !c->stopped)
    {
      /* Modes 2 and 3: "does not affect the current counting sequence". */
      at = position (pit, i);
      if (at >= 0)
        {
          c->start += duration ((at / c->n + 1) * c->n);
          c->old_n = c->n;
        }
      c->n = clocks_of (s);
    }
  else
    {
      load (pit, i);
      c->stopped = !s->gate && gate_stops (s);
    }
}

static void
set_gate (VtI8254 *pit, unsigned i, bool gate)
{
  VtPitChannelState *s = &pit->s.channel[i];
  VtI8254Counter    *c = &pit->counter[i];
  bool               rises = gate && !s->gate;

  if (gate == (s->gate != 0))
    return;
  if (!gate && gate_stops (s))
    {
      c->held = position (pit, i);
      c->stopped = true;
    }
  s->gate = gate;
  if (!rises || s->mode == MODE_NONE)
    return;
  if (s->mode == 1 || s->mode == 5)
    load (pit, i);
  else if (is_periodic (s) && !c->idle)
    load (pit, i);
  else
    c->start = vt_clock_now (pit->dev.clock) - duration (c->held);
  c->stopped = false;
}

static void
latch_count (VtI8254 *pit, unsigned i)
{
  VtPitChannelState *s = &pit->s.channel[i];

  if (s->count_latched)
    return;
  s->latched_count = count_of (pit, i);
  s->count_latched = s->rw_mode;
}

/* "Read-Back Command", the status byte. */
static void
latch_status (VtI8254 *pit, unsigned i)
{
  VtPitChannelState *s = &pit->s.channel[i];

  if (s->status_latched)
    return;
  s->status = (uint8_t) (out_of (pit, i) << 7 | pit->counter[i].idle << 6 | (s->rw_mode & 3) << 4
                         | (s->mode & 7) << 1 | s->bcd);
  s->status_latched = 1;
}

static void
write_control (VtI8254 *pit, uint8_t v)
{
  unsigned           select = v >> 6, access = v >> 4 & 3, mode = v >> 1 & 7;
  VtPitChannelState *s;

  if (select == SELECT_READ_BACK)
    {
      for (unsigned i = 0; i < VT_I8254_CHANNELS; i++)
        if ((v & 2u << i) != 0)
          {
            if ((v & READ_BACK_NO_COUNT) == 0)
              latch_count (pit, i);
            if ((v & READ_BACK_NO_STATUS) == 0)
              latch_status (pit, i);
          }
      return;
    }
  if (access == RW_LATCH)
    {
      latch_count (pit, select);
      return;
    }
  s = &pit->s.channel[select];
  /* What it shows until there is a count is not defined: the last one stands. */
  pit->counter[select].idle = true;
  pit->counter[select].stopped = false;
  pit->counter[select].n = clocks_of (s);
  s->rw_mode = s->read_state = s->write_state = (uint8_t) access;
  s->mode = (uint8_t) (mode > 5 ? mode - 4 : mode);
  s->bcd = v & 1;
  s->count_latched = 0;
}

static uint8_t
read_channel (VtI8254 *pit, unsigned i)
{
  VtPitChannelState *s = &pit->s.channel[i];
  uint16_t           count;
  uint8_t            state = s->read_state;

  if (s->status_latched)
    {
      s->status_latched = 0;
      return s->status;
    }
  if (s->count_latched)
    {
      bool high = s->count_latched == RW_HIGH;

      s->count_latched = s->count_latched == RW_BOTH ? RW_HIGH : 0;
      return (uint8_t) (s->latched_count >> (high ? 8 : 0));
    }
  count = count_of (pit, i);
  if (state == RW_BOTH || state == RW_BOTH_SECOND)
    s->read_state = state == RW_BOTH ? RW_BOTH_SECOND : RW_BOTH;
  return (uint8_t) (count >> (state == RW_HIGH || state == RW_BOTH_SECOND ? 8 : 0));
}

static void
write_channel (VtI8254 *pit, unsigned i, uint8_t v)
{
  VtPitChannelState *s = &pit->s.channel[i];

  switch (s->write_state)
    {
    case RW_LOW:
      write_count (pit, i, v);
      break;
    case RW_HIGH:
      write_count (pit, i, (uint32_t) v << 8);
      break;
    case RW_BOTH:
      s->write_latch = v;
      s->write_state = RW_BOTH_SECOND;
      /* Mode 0: "Writing the first byte disables counting." */
      if (s->mode == 0)
        pit->counter[i].idle = true;
      break;
    case RW_BOTH_SECOND:
      s->write_state = RW_BOTH;
      write_count (pit, i, s->write_latch | (uint32_t) v << 8);
      break;
    default:
      break;
    }
}

/* Glue ----------------------------------------------------------------------------------------- */

static uint64_t
pit_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  /* The control word can't be read. */
  return offset == 3 ? 0xff : read_channel (pit_of (dev), (unsigned) offset);
}

static void
pit_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtI8254 *pit = pit_of (dev);

  tell (pit);
  if (offset == 3)
    write_control (pit, (uint8_t) value);
  else
    write_channel (pit, (unsigned) offset, (uint8_t) value);
  update (pit);
}

static uint64_t
port61_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  const VtI8254 *pit = pit_of (dev);
  uint8_t        v = pit->s.channel[2].gate ? GATE_2 : 0;

  if (pit->s.speaker)
    v |= SPEAKER;
  if ((vt_clock_now (dev->clock) / REFRESH_NS & 1) != 0)
    v |= REFRESH;
  return v | (out_of (pit, 2) ? OUT_2 : 0);
}

static void
port61_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtI8254 *pit = pit_of (dev);

  pit->s.speaker = (value & SPEAKER) != 0;
  set_gate (pit, 2, (value & GATE_2) != 0);
}

static const VtRegionOps pit_ops = { "pit", 1, 1, pit_read, pit_write };
static const VtRegionOps port61_ops = { "port61", 1, 1, port61_read, port61_write };

/* The counters as they are where nothing but the state is known. */
static void
start_over (VtI8254 *pit)
{
  for (unsigned i = 0; i < VT_I8254_CHANNELS; i++)
    {
      const VtPitChannelState *s = &pit->s.channel[i];

      load (pit, i);
      pit->counter[i].idle = s->mode == MODE_NONE || !gate_stops (s);
      pit->counter[i].stopped = !s->gate && gate_stops (s);
    }
}

static void
i8254_reset (VtDevice *dev, VtResetKind kind)
{
  VtI8254 *pit = pit_of (dev);

  memset (&pit->s, 0, sizeof pit->s);
  for (unsigned i = 0; i < VT_I8254_CHANNELS; i++)
    {
      pit->s.channel[i].mode = MODE_NONE;
      pit->s.channel[i].count = 65536;
      pit->s.channel[i].gate = i != 2;
    }
  start_over (pit);
  update (pit);
}

static void
i8254_resume (VtDevice *dev)
{
  update (pit_of (dev));
}

static void
i8254_loaded (VtDevice *dev)
{
  VtI8254 *pit = pit_of (dev);

  for (unsigned i = 0; i < VT_I8254_CHANNELS; i++)
    if (pit->s.channel[i].mode > 5 && pit->s.channel[i].mode != MODE_NONE)
      pit->s.channel[i].mode -= 4;
  start_over (pit);
  pit->rise = -1;
  vt_timer_stop (pit->timer);
  /* What the controllers saw last is theirs to know. As if it were high: then the next level that is
   * told, from resume on, is news to the wire, and at most repeats what they know. */
  vt_line_import (pit->irq, true);
}

static bool
i8254_realize (VtDevice *dev, GError **error)
{
  VtI8254 *pit = pit_of (dev);

  pit->timer = vt_timer_new (dev->context, dev->clock, timer_cb, pit);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &pit_ops, 4), 0x40, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &port61_ops, 1), 0x61, 0);
  return true;
}

static void
i8254_unrealize (VtDevice *dev)
{
  vt_timer_free (pit_of (dev)->timer);
}

const VtDeviceClass vt_i8254_class = {
  .id = "i8254",
  .spec = "Intel 8254 data sheet (231164-005); ICH9 data sheet (316972-004), 5.7, 13.3 and 13.7.1",
  .size = sizeof (VtI8254),
  .state_offset = offsetof (VtI8254, s),
  .state = &vt_pit_state,
  .realize = i8254_realize,
  .unrealize = i8254_unrealize,
  .reset = i8254_reset,
  .resume = i8254_resume,
  .loaded = i8254_loaded,
};
