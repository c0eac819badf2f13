/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The real-time clock with its CMOS memory, as the PC has it since the AT. Nothing ticks: time and
 * flags are worked out when somebody looks, and a timer runs only while an interrupt is enabled and
 * not pending. Daylight saving (DSE) is a bit that is kept: no system of this century sets it.
 */
#include "mc146818.h"

/* Table 1, address map. */
enum
{
  REG_SECONDS = 0x00,
  REG_SECONDS_ALARM = 0x01,
  REG_MINUTES = 0x02,
  REG_MINUTES_ALARM = 0x03,
  REG_HOURS = 0x04,
  REG_HOURS_ALARM = 0x05,
  REG_WEEKDAY = 0x06,
  REG_DAY = 0x07,
  REG_MONTH = 0x08,
  REG_YEAR = 0x09,
  REG_A = 0x0a,
  REG_B = 0x0b,
  REG_C = 0x0c,
  REG_D = 0x0d,
  REG_CENTURY = 0x32, /* The PC's; the ACPI FADT names it. */
};

#define A_UIP 0x80
#define A_DIVIDER 0x70
#define A_DIVIDER_32K 0x20
#define A_RATE 0x0f
#define B_SET 0x80
#define B_PIE 0x40
#define B_AIE 0x20
#define B_UIE 0x10
#define B_SQWE 0x08
#define B_BINARY 0x04
#define B_24H 0x02
#define C_IRQF 0x80
#define C_PF 0x40
#define C_AF 0x20
#define C_UF 0x10
#define D_VRT 0x80
#define HOURS_PM 0x80
#define ALARM_ANY 0xc0

#define TICKS 32768
#define DAY_S 86400
/* Table 6: UIP rises 244 us before an update cycle of 1,984 us at 32.768 kHz. */
#define UIP_NS (2228 * VT_NS_PER_US)
/* 30,000 years either way: more than the registers can show, and no sum overflows. */
#define OFFSET_MAX INT64_C (1000000000000)

static VtMc146818 *
rtc_of (VtDevice *dev)
{
  return (VtMc146818 *) dev;
}

/* The divider chain ---------------------------------------------------------------------------- */

static uint64_t
chain_ns (const VtMc146818 *rtc)
{
  return (uint64_t) vt_clock_now (rtc->dev.clock) + rtc->s.phase_ns;
}

static uint64_t
chain_s (const VtMc146818 *rtc)
{
  return chain_ns (rtc) / VT_NS_PER_SEC;
}

static uint64_t
chain_tick (const VtMc146818 *rtc)
{
  uint64_t ns = chain_ns (rtc);

  return ns / VT_NS_PER_SEC * TICKS + ns % VT_NS_PER_SEC * TICKS / VT_NS_PER_SEC;
}

/* Ticks of one period; 0: none. Table 5 for the 32.768 kHz time base. */
static unsigned
period (const VtMc146818State *s)
{
  unsigned rate = s->ram[REG_A] & A_RATE;

  if (rate == 0)
    return 0;
  return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

/* Calendar ------------------------------------------------------------------------------------- */

/* Days from 1970-01-01 of the proleptic Gregorian calendar; months outside 1 to 12 carry over. */
static int64_t
days_from_date (int64_t year, int month, int day)
{
  int64_t era, of_era;
  int     of_year;

  year += (month - 1) / 12;
  month = (month - 1) % 12 + 1;
  if (month < 1)
    {
      month += 12;
      year--;
    }
  /* Years that begin in March put the leap day last. */
  year -= month <= 2;
  era = (year >= 0 ? year : year - 399) / 400;
  of_era = year - era * 400;
  of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1 - 719468;
}

static void
date_from_days (int64_t days, int64_t *year, int *month, int *day)
{
  int64_t era, of_era, y;
  int     of_year, m;

  days += 719468;
  era = (days >= 0 ? days : days - 146096) / 146097;
  of_era = days - era * 146097;
  y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  of_year = (int) (of_era - (365 * y + y / 4 - y / 100));
  m = (5 * of_year + 2) / 153;
  *day = of_year - (153 * m + 2) / 5 + 1;
  *month = m < 10 ? m + 3 : m - 9;
  *year = y + era * 400 + (*month <= 2);
}

static uint8_t
encode (const VtMc146818State *s, int v)
{
  return (uint8_t) ((s->ram[REG_B] & B_BINARY) != 0 ? v : v / 10 << 4 | v % 10);
}

static int
decode (const VtMc146818State *s, uint8_t v)
{
  return (s->ram[REG_B] & B_BINARY) != 0 ? v : (v >> 4) * 10 + (v & 0x0f);
}

static uint8_t
encode_hours (const VtMc146818State *s, int hours)
{
  if ((s->ram[REG_B] & B_24H) != 0)
    return encode (s, hours);
  return encode (s, hours % 12 == 0 ? 12 : hours % 12) | (hours >= 12 ? HOURS_PM : 0);
}

static int
decode_hours (const VtMc146818State *s, uint8_t v)
{
  if ((s->ram[REG_B] & B_24H) != 0)
    return decode (s, v);
  return decode (s, v & ~HOURS_PM & 0xff) % 12 + ((v & HOURS_PM) != 0 ? 12 : 0);
}

/* The time registers of calendar second @t. */
static void
store_time (VtMc146818State *s, int64_t t)
{
  int64_t days = (t >= 0 ? t : t - (DAY_S - 1)) / DAY_S, year;
  int     of_day = (int) (t - days * DAY_S), month, day;

  date_from_days (days, &year, &month, &day);
  s->ram[REG_SECONDS] = encode (s, of_day % 60);
  s->ram[REG_MINUTES] = encode (s, of_day / 60 % 60);
  s->ram[REG_HOURS] = encode_hours (s, of_day / 3600);
  /* Sunday is 1; 1970 began on a Thursday. */
  s->ram[REG_WEEKDAY] = encode (s, (int) (((days + 4) % 7 + 7) % 7) + 1);
  s->ram[REG_DAY] = encode (s, day);
  s->ram[REG_MONTH] = encode (s, month);
  s->ram[REG_YEAR] = encode (s, (int) ((year % 100 + 100) % 100));
  s->ram[REG_CENTURY] = encode (s, (int) ((year / 100 % 100 + 100) % 100));
}

static int64_t
parse_time (const VtMc146818State *s)
{
  int64_t year = decode (s, s->ram[REG_CENTURY]) * 100 + decode (s, s->ram[REG_YEAR]);
  int64_t days =
      days_from_date (year, decode (s, s->ram[REG_MONTH]), decode (s, s->ram[REG_DAY]));

  return days * DAY_S + decode_hours (s, s->ram[REG_HOURS]) * 3600 +
         decode (s, s->ram[REG_MINUTES]) * 60 + decode (s, s->ram[REG_SECONDS]);
}

static bool
is_time (unsigned index)
{
  return index == REG_CENTURY ||
         (index <= REG_YEAR && index != REG_SECONDS_ALARM && index != REG_MINUTES_ALARM &&
          index != REG_HOURS_ALARM);
}

static int64_t
now_s (const VtMc146818 *rtc)
{
  return rtc->s.offset_s + (int64_t) chain_s (rtc);
}

static void
show_time (VtMc146818 *rtc)
{
  if (!rtc->s.held)
    store_time (&rtc->s, now_s (rtc));
}

static void
take_time (VtMc146818 *rtc)
{
  int64_t old = rtc->s.offset_s;

  rtc->s.offset_s = parse_time (&rtc->s) - (int64_t) chain_s (rtc);
  rtc->s.ahead_s += rtc->s.offset_s - old;
}

/* Flags and interrupts ------------------------------------------------------------------------- */

/* Seconds from @of_day, at least 1, to the next one of the day that the alarm matches; 0: never. */
static unsigned
alarm_in (const VtMc146818State *s, unsigned of_day)
{
  uint8_t  ah = s->ram[REG_HOURS_ALARM], am = s->ram[REG_MINUTES_ALARM];
  uint8_t  as = s->ram[REG_SECONDS_ALARM];
  unsigned t = of_day + 1;

  while (t <= of_day + DAY_S)
    {
      int at = (int) (t % DAY_S);

      if (ah < ALARM_ANY && decode_hours (s, ah) != at / 3600)
        t += 3600 - t % 3600;
      else if (am < ALARM_ANY && decode (s, am) != at / 60 % 60)
        t += 60 - t % 60;
      else if (as < ALARM_ANY && decode (s, as) != at % 60)
        t++;
      else
        return t - of_day;
    }
  return 0;
}

/* The divider second at which the alarm next matches after @from; UINT64_MAX: never. */
static uint64_t
alarm_after (const VtMc146818State *s, uint64_t from)
{
  int64_t  t = s->offset_s + (int64_t) from;
  int64_t  of_day = (t % DAY_S + DAY_S) % DAY_S;
  unsigned wait = alarm_in (s, (unsigned) of_day);

  return wait == 0 ? UINT64_MAX : from + wait;
}

/* Sets the flags of what has happened since the last look. */
static void
catch_up (VtMc146818 *rtc)
{
  VtMc146818State *s = &rtc->s;
  uint64_t         sec = chain_s (rtc), tick = chain_tick (rtc);
  unsigned         ticks = period (s);

  if (!s->held)
    {
      if (sec > s->seen_s)
        s->ram[REG_C] |= C_UF;
      if (sec > s->seen_s && alarm_after (s, s->seen_s) <= sec)
        s->ram[REG_C] |= C_AF;
    }
  if (ticks != 0 && (s->ram[REG_A] & A_DIVIDER) <= A_DIVIDER_32K &&
      tick / ticks > s->seen_tick / ticks)
    s->ram[REG_C] |= C_PF;
  s->seen_s = sec;
  s->seen_tick = tick;
}

static bool
irq_level (const VtMc146818State *s)
{
  return (s->ram[REG_B] & s->ram[REG_C] & (C_PF | C_AF | C_UF)) != 0;
}

/* Nanoseconds of the chain at second @sec and, past it, tick @tick. */
static uint64_t
chain_at (uint64_t sec, uint64_t tick)
{
  sec += tick / TICKS;
  if (sec > INT64_MAX / VT_NS_PER_SEC - 1)
    return INT64_MAX;
  return sec * VT_NS_PER_SEC + (tick % TICKS * VT_NS_PER_SEC + TICKS - 1) / TICKS;
}

/* After catch_up(): sets the line, and the timer to the first event that would raise it. */
static void
update (VtMc146818 *rtc)
{
  VtMc146818State *s = &rtc->s;
  uint8_t          wanted = s->ram[REG_B] & ~s->ram[REG_C];
  unsigned         ticks = period (s);
  uint64_t         next = UINT64_MAX;

  vt_line_set (rtc->irq, irq_level (s));
  if (!s->held && (wanted & B_UIE) != 0)
    next = chain_at (s->seen_s + 1, 0);
  if (!s->held && (wanted & B_AIE) != 0)
    {
      uint64_t at = alarm_after (s, s->seen_s);

      if (at != UINT64_MAX)
        next = MIN (next, chain_at (at, 0));
    }
  if ((wanted & B_PIE) != 0 && ticks != 0 && (s->ram[REG_A] & A_DIVIDER) <= A_DIVIDER_32K)
    next = MIN (next, chain_at (0, (s->seen_tick / ticks + 1) * ticks));
  if (next == UINT64_MAX)
    vt_timer_stop (rtc->timer);
  else
    vt_timer_arm (rtc->timer, (int64_t) (next > s->phase_ns ? next - s->phase_ns : 0));
}

static void
timer_cb (void *data)
{
  VtMc146818 *rtc = data;

  catch_up (rtc);
  update (rtc);
}

/* Registers ------------------------------------------------------------------------------------ */

/* SET or a divider that is held reset stop the time; once neither does, it goes on from what the
 * registers say. The first update comes half a second after a divider reset ends (section "Divider
 * stages"). */
static void
write_control (VtMc146818 *rtc, uint8_t a, uint8_t b)
{
  VtMc146818State *s = &rtc->s;
  bool             divides = (a & A_DIVIDER) <= A_DIVIDER_32K;
  bool             divided = (s->ram[REG_A] & A_DIVIDER) <= A_DIVIDER_32K;
  bool             held = (b & B_SET) != 0 || !divides;

  if (held && !s->held)
    show_time (rtc);
  if (divides && !divided)
    {
      uint64_t ns = (uint64_t) vt_clock_now (rtc->dev.clock) % VT_NS_PER_SEC;

      s->phase_ns = (uint32_t) ((3 * (uint64_t) VT_NS_PER_SEC / 2 - ns) % VT_NS_PER_SEC);
      s->seen_s = chain_s (rtc);
      s->seen_tick = chain_tick (rtc);
    }
  s->ram[REG_A] = a & ~A_UIP & 0xff;
  s->ram[REG_B] = b;
  if (!held && s->held)
    take_time (rtc);
  s->held = held;
}

static void
write_ram (VtMc146818 *rtc, uint8_t index, uint8_t v)
{
  VtMc146818State *s = &rtc->s;

  catch_up (rtc);
  switch (index)
    {
    case REG_A:
      write_control (rtc, v, s->ram[REG_B]);
      break;
    case REG_B:
      /* Setting SET clears UIE. */
      write_control (rtc, s->ram[REG_A], (v & B_SET) != 0 ? v & ~B_UIE & 0xff : v);
      break;
    case REG_C:
    case REG_D:
      break;
    default:
      if (is_time (index) && !s->held)
        {
          show_time (rtc);
          s->ram[index] = v;
          take_time (rtc);
        }
      else
        s->ram[index] = v;
      break;
    }
  update (rtc);
}

static uint8_t
read_ram (VtMc146818 *rtc, uint8_t index)
{
  VtMc146818State *s = &rtc->s;
  uint8_t          v;

  switch (index)
    {
    case REG_A:
      v = s->ram[REG_A];
      if (!s->held && chain_ns (rtc) % VT_NS_PER_SEC >= VT_NS_PER_SEC - UIP_NS)
        v |= A_UIP;
      return v;
    case REG_C:
      catch_up (rtc);
      v = s->ram[REG_C] | (irq_level (s) ? C_IRQF : 0);
      s->ram[REG_C] = 0;
      update (rtc);
      return v;
    case REG_D:
      return D_VRT;
    default:
      if (is_time (index))
        show_time (rtc);
      return s->ram[index];
    }
}

/* Ports 0x70 to 0x73: index and data of the standard bank, then of the extended one. */
static uint64_t
port_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtMc146818 *rtc = rtc_of (dev);

  switch (offset)
    {
    case 1:
      return read_ram (rtc, rtc->s.index);
    case 2:
      return rtc->s.index2;
    case 3:
      return rtc->s.ram[0x80 | rtc->s.index2];
    default:
      return 0xff; /* 0x70 can only be written. */
    }
}

static void
port_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtMc146818 *rtc = rtc_of (dev);
  uint8_t     v = (uint8_t) value;

  switch (offset)
    {
    case 0:
      rtc->s.index = v & 0x7f;
      rtc->s.nmi_masked = (v & 0x80) != 0;
      vt_line_set (rtc->nmi_mask, rtc->s.nmi_masked);
      break;
    case 1:
      write_ram (rtc, rtc->s.index, v);
      break;
    case 2:
      rtc->s.index2 = v & 0x7f;
      break;
    default:
      rtc->s.ram[0x80 | rtc->s.index2] = v;
      break;
    }
}

static const VtRegionOps port_ops = {
  .name = "rtc",
  .min_size = 1,
  .max_size = 1,
  .read = port_read,
  .write = port_write,
};

/* What the board fills ------------------------------------------------------------------------- */

int64_t
vt_mc146818_utc (void)
{
  return g_get_real_time () * 1000;
}

int64_t
vt_mc146818_local (void)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();

  return g_get_real_time () * 1000 + g_date_time_get_utc_offset (now) * 1000;
}

void
vt_mc146818_set_cmos (VtMc146818 *rtc, uint8_t index, uint8_t value)
{
  if (index < G_N_ELEMENTS (rtc->defaults))
    rtc->defaults[index] = value;
}

static void
set_cmos16 (VtMc146818 *rtc, uint8_t index, uint64_t value)
{
  vt_st16 (rtc->defaults + index, (uint16_t) MIN (value, 0xffff));
}

void
vt_mc146818_set_memory (VtMc146818 *rtc, uint64_t below, uint64_t above)
{
  uint64_t above_64k = MIN (above / (64 * VT_KIB), 0xffffff);

  /* In KiB: conventional memory, and what lies above 1 MiB, twice. */
  set_cmos16 (rtc, 0x15, MIN (below / VT_KIB, 640));
  set_cmos16 (rtc, 0x17, below > VT_MIB ? (below - VT_MIB) / VT_KIB : 0);
  set_cmos16 (rtc, 0x30, below > VT_MIB ? (below - VT_MIB) / VT_KIB : 0);
  /* In 64 KiB: above 16 MiB, and above 4 GiB. */
  set_cmos16 (rtc, 0x34, below > 16 * VT_MIB ? (below - 16 * VT_MIB) / (64 * VT_KIB) : 0);
  set_cmos16 (rtc, 0x5b, above_64k & 0xffff);
  rtc->defaults[0x5d] = (uint8_t) (above_64k >> 16);
}

void
vt_mc146818_set_boot (VtMc146818 *rtc, VtCmosBoot first, VtCmosBoot second, VtCmosBoot third)
{
  rtc->defaults[0x3d] = (uint8_t) ((first & 0x0f) | (second & 0x0f) << 4);
  rtc->defaults[0x38] = (uint8_t) ((third & 0x0f) << 4);
}

/* Life ----------------------------------------------------------------------------------------- */

/* The seconds and the phase of the wall's clock, and what the guest set it off by. */
static void
follow_wall (VtMc146818 *rtc)
{
  int64_t now = vt_clock_now (rtc->dev.clock), wall = rtc->wall ();

  rtc->s.phase_ns = (uint32_t) (((wall - now) % VT_NS_PER_SEC + VT_NS_PER_SEC) % VT_NS_PER_SEC);
  rtc->s.offset_s = wall / VT_NS_PER_SEC - (int64_t) chain_s (rtc) + rtc->s.ahead_s;
}

static void
rtc_reset (VtDevice *dev, VtResetKind kind)
{
  VtMc146818      *rtc = rtc_of (dev);
  VtMc146818State *s = &rtc->s;

  if (kind == VT_RESET_COLD)
    {
      memset (s, 0, sizeof *s);
      memcpy (s->ram, rtc->defaults, sizeof rtc->defaults);
      memset (s->ram, 0, REG_D + 1);
      s->ram[REG_A] = A_DIVIDER_32K | 6; /* 1,024 Hz, as BIOSes leave it. */
      s->ram[REG_B] = B_24H;
      s->offset_s = rtc->base_s;
      if (rtc->wall != NULL)
        follow_wall (rtc);
      else
        store_time (s, s->offset_s);
    }
  /* "Reset pin": enables and flags go, time and memory stay. */
  s->ram[REG_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE) & 0xff;
  s->ram[REG_C] = 0;
  s->nmi_masked = false;
  vt_line_set (rtc->nmi_mask, false);
  update (rtc);
}

static void
rtc_resume (VtDevice *dev)
{
  VtMc146818 *rtc = rtc_of (dev);

  /* The guest clock stood still, the world has not. */
  if (rtc->wall != NULL && !rtc->s.held)
    {
      catch_up (rtc);
      follow_wall (rtc);
      rtc->s.seen_s = chain_s (rtc);
      rtc->s.seen_tick = chain_tick (rtc);
    }
  catch_up (rtc);
  update (rtc);
}

static void
rtc_loaded (VtDevice *dev)
{
  VtMc146818 *rtc = rtc_of (dev);

  vt_timer_stop (rtc->timer);
  vt_line_import (rtc->irq, irq_level (&rtc->s));
  vt_line_import (rtc->nmi_mask, rtc->s.nmi_masked);
}

static bool
rtc_realize (VtDevice *dev, GError **error)
{
  VtMc146818 *rtc = rtc_of (dev);

  rtc->timer = vt_timer_new (dev->context, dev->clock, timer_cb, rtc);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &port_ops, 4), 0x70, 0);
  return true;
}

static void
rtc_unrealize (VtDevice *dev)
{
  vt_timer_free (rtc_of (dev)->timer);
}

static bool
rtc_check (const void *state, GError **error)
{
  const VtMc146818State *s = state;
  bool                   held =
      (s->ram[REG_B] & B_SET) != 0 || (s->ram[REG_A] & A_DIVIDER) > A_DIVIDER_32K;

  if (s->offset_s < -OFFSET_MAX || s->offset_s > OFFSET_MAX ||
      s->ahead_s < -4 * OFFSET_MAX || s->ahead_s > 4 * OFFSET_MAX || s->held != held ||
      (s->ram[REG_A] & A_UIP) != 0 || (s->ram[REG_C] & ~(C_PF | C_AF | C_UF)) != 0)
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The saved clock shows an impossible time or status");
  return true;
}

static const VtStateField rtc_fields[] = {
  VT_STATE (VtMc146818State, offset_s),
  VT_STATE (VtMc146818State, ahead_s),
  VT_STATE_MAX (VtMc146818State, seen_s, INT64_MAX / VT_NS_PER_SEC + 1),
  VT_STATE_MAX (VtMc146818State, seen_tick, (INT64_MAX / VT_NS_PER_SEC + 2) * TICKS),
  VT_STATE_MAX (VtMc146818State, phase_ns, VT_NS_PER_SEC - 1),
  VT_STATE_MAX (VtMc146818State, index, 0x7f),
  VT_STATE_MAX (VtMc146818State, index2, 0x7f),
  VT_STATE (VtMc146818State, nmi_masked),
  VT_STATE (VtMc146818State, held),
  VT_STATE (VtMc146818State, ram),
};
static const VtStateDesc rtc_state = VT_STATE_DESC (VtMc146818State, 1, rtc_fields, rtc_check);

const VtDeviceClass vt_mc146818_class = {
  .id = "mc146818",
  .spec = "Motorola MC146818A Real-Time Clock Plus RAM, 1988; Intel ICH9 datasheet 316972, 13.6",
  .size = sizeof (VtMc146818),
  .state_offset = offsetof (VtMc146818, s),
  .state = &rtc_state,
  .realize = rtc_realize,
  .unrealize = rtc_unrealize,
  .reset = rtc_reset,
  .resume = rtc_resume,
  .loaded = rtc_loaded,
};
