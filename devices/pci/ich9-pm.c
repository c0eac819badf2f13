/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ICH9's power management block. Intel ICH9 data sheet (316972) §13.8 and §13.9; ACPI 6.0 §4.8.
 */
#include "pci/ich9-pm.h"

/* PM1, §13.8.3.1 to 3. */
enum
{
  PM1_TIMER = 1 << 0,
  PM1_GLOBAL = 1 << 5,
  PM1_BUTTON = 1 << 8,
  PM1_RTC = 1 << 10,
  PM1_OVERRIDE = 1 << 11,
  PM1_WAKE = 1 << 15,
  PM1_STS_MASK = 0xcd31,
  PM1_EN_MASK = 0x4521,
  PM1_EVENTS = PM1_TIMER | PM1_GLOBAL | PM1_BUTTON | PM1_RTC,
  /* In the resume well, so they outlive the platform's reset. */
  PM1_STS_KEPT = PM1_BUTTON | PM1_RTC | PM1_OVERRIDE | PM1_WAKE,
  CNT_SCI_EN = 1 << 0,
  CNT_GBL_RLS = 1 << 2,
  CNT_SLP_TYP_SHIFT = 10,
  CNT_SLP_EN = 1 << 13,
  CNT_MASK = 0x1c03,
};

/* SMI, §13.8.3.13 and 14. */
enum
{
  SMI_GLOBAL = 1 << 0,
  SMI_BIOS = 1 << 2,
  SMI_APMC = 1 << 5,
  SMI_BIOS_RLS = 1 << 7,
  SMI_TCO = 1 << 13,
  SMI_EN_MASK = 0x1a06687f,
  SMI_STS_MASK = 0x1a26fffc,
};

/* Of button_level. */
enum
{
  BUTTON_DOWN = 1,
  BUTTON_PRESSED = 2, /* Since the context looked last. */
};

/* TCO, §13.9. */
enum
{
  TCO_RLD = 0x60,
  TCO_DAT_IN = 0x62,
  TCO_DAT_OUT = 0x63,
  TCO1_STS = 0x64,
  TCO2_STS = 0x66,
  TCO1_CNT = 0x68,
  TCO2_CNT = 0x6a,
  TCO_MESSAGE = 0x6c,
  TCO_WDCNT = 0x6e,
  TCO_SW_IRQ = 0x70,
  TCO_TMR = 0x72,
  TCO1_STS_MASK = 0x178f,
  TCO1_STS_OS = 1 << 1,
  TCO1_STS_INT = 1 << 2,
  TCO1_STS_TIMEOUT = 1 << 3,
  TCO2_STS_MASK = 0x001f,
  TCO2_STS_SECOND = 1 << 1,
  TCO2_STS_BOOT = 1 << 2,
  TCO1_CNT_HALT = 1 << 11,
  TCO1_CNT_LOCK = 1 << 12,
  TCO1_CNT_MASK = 0x1a00,
  TCO2_CNT_MASK = 0x003e,
  TCO_TMR_MASK = 0x03ff,
  TCO_TMR_DEFAULT = 4,
  TCO_SW_IRQ_DEFAULT = 3,
  TCO2_CNT_DEFAULT = 8,
};
#define TCO_TICK (600 * VT_NS_PER_MS)

#define TIMER_BITS 24
#define TIMER_HALF UINT64_C (0x800000) /* §13.8.3.4: the status is set whenever bit 23 turns. */
#define OVERRIDE_HOLD (4 * VT_NS_PER_SEC)

static const VtStateField pm_fields[] = {
  VT_STATE (VtIch9PmState, tco_deadline),   VT_STATE (VtIch9PmState, gpe_sts),
  VT_STATE (VtIch9PmState, gpe_en),         VT_STATE (VtIch9PmState, pm1_cnt),
  VT_STATE (VtIch9PmState, proc_cnt),       VT_STATE (VtIch9PmState, smi_en),
  VT_STATE (VtIch9PmState, smi_sts),        VT_STATE (VtIch9PmState, pm1_sts),
  VT_STATE (VtIch9PmState, pm1_en),         VT_STATE (VtIch9PmState, alt_gp_smi_en),
  VT_STATE (VtIch9PmState, alt_gp_smi_sts), VT_STATE (VtIch9PmState, devact_sts),
  VT_STATE (VtIch9PmState, tco1_sts),       VT_STATE (VtIch9PmState, tco2_sts),
  VT_STATE (VtIch9PmState, tco1_cnt),       VT_STATE (VtIch9PmState, tco2_cnt),
  VT_STATE_MAX (VtIch9PmState, tco_tmr, TCO_TMR_MASK),
  VT_STATE (VtIch9PmState, uprwc),          VT_STATE (VtIch9PmState, gpe_cnt),
  VT_STATE (VtIch9PmState, pm2_cnt),        VT_STATE (VtIch9PmState, tco_dat_in),
  VT_STATE (VtIch9PmState, tco_dat_out),    VT_STATE (VtIch9PmState, tco_message),
  VT_STATE (VtIch9PmState, tco_wdcnt),      VT_STATE (VtIch9PmState, tco_sw_irq),
  VT_STATE (VtIch9PmState, tco_once),       VT_STATE (VtIch9PmState, asleep),
  VT_STATE (VtIch9PmState, pad_),
};
const VtStateDesc vt_ich9_pm_state = VT_STATE_DESC (VtIch9PmState, 1, pm_fields, NULL);

/* The PM timer --------------------------------------------------------------------------------- */

static int64_t
now_ns (const VtIch9Pm *pm)
{
  return MAX (vt_clock_now (pm->clock), 0);
}

/* The count is a function of the guest clock alone, which saved machines carry along. */
static uint64_t
ticks (const VtIch9Pm *pm)
{
  uint64_t ns = (uint64_t) now_ns (pm);

  /* Seconds apart, so that nothing overflows before the clock does. */
  return ns / VT_NS_PER_SEC * VT_ICH9_PM_HZ + ns % VT_NS_PER_SEC * VT_ICH9_PM_HZ / VT_NS_PER_SEC;
}

/* The first nanosecond at which the count is @tick. */
static int64_t
tick_time (uint64_t tick)
{
  uint64_t seconds = tick / VT_ICH9_PM_HZ, rest = tick % VT_ICH9_PM_HZ;

  return (int64_t) (seconds * VT_NS_PER_SEC +
                    (rest * VT_NS_PER_SEC + VT_ICH9_PM_HZ - 1) / VT_ICH9_PM_HZ);
}

static void
update_sci (VtIch9Pm *pm)
{
  if (pm->sci != NULL)
    pm->sci (pm->data, vt_ich9_pm_sci (pm));
}

/* Nobody needs to be woken every two seconds for a status bit that is set already. */
static void
arm_overflow (VtIch9Pm *pm)
{
  if (pm->state->pm1_sts & PM1_TIMER)
    vt_timer_stop (pm->overflow);
  else
    vt_timer_arm (pm->overflow, tick_time ((ticks (pm) / TIMER_HALF + 1) * TIMER_HALF));
}

static void
overflow_cb (void *data)
{
  VtIch9Pm *pm = data;

  pm->state->pm1_sts |= PM1_TIMER;
  update_sci (pm);
}

/* A vCPU may read the status before the context's thread gets to the timer. */
static void
sync_overflow (VtIch9Pm *pm)
{
  if (vt_timer_armed (pm->overflow) && now_ns (pm) >= vt_timer_deadline (pm->overflow))
    {
      vt_timer_stop (pm->overflow);
      overflow_cb (pm);
    }
}

/* Events ---------------------------------------------------------------------------------------- */

bool
vt_ich9_pm_sci (const VtIch9Pm *pm)
{
  const VtIch9PmState *s = pm->state;

  /* §13.8.3.3: without SCI_EN the events would be SMIs, which firmware for virtual machines does not serve. */
  return (s->pm1_cnt & CNT_SCI_EN) &&
         ((s->pm1_sts & s->pm1_en & PM1_EVENTS) || (s->gpe_sts & s->gpe_en));
}

static void
raise_smi (VtIch9Pm *pm, uint32_t status)
{
  pm->state->smi_sts |= status;
  if (pm->state->smi_en & SMI_GLOBAL)
    vt_line_pulse (pm->broadcast ? pm->smi_all : pm->smi);
}

/* Sets bits of PM1_STS; one whose event is enabled ends S3. */
static void
event (VtIch9Pm *pm, uint16_t bits, bool wakes)
{
  pm->state->pm1_sts |= bits;
  if (pm->state->asleep && wakes)
    vt_line_pulse (pm->wake);
  update_sci (pm);
}

void
vt_ich9_pm_rtc (VtIch9Pm *pm)
{
  event (pm, PM1_RTC, pm->state->pm1_en & PM1_RTC);
}

void
vt_ich9_pm_gpe (VtIch9Pm *pm, unsigned n)
{
  if (n >= 64)
    return;
  pm->state->gpe_sts |= VT_BIT (n);
  event (pm, 0, pm->state->gpe_en & VT_BIT (n));
}

static void
button_line_cb (void *data, unsigned n, bool level)
{
  VtIch9Pm *pm = data;

  /* A short press is not lost if it ends before the context has looked. */
  if (level)
    __atomic_store_n (&pm->button_level, BUTTON_DOWN | BUTTON_PRESSED, __ATOMIC_RELEASE);
  else
    __atomic_and_fetch (&pm->button_level, ~BUTTON_DOWN, __ATOMIC_ACQ_REL);
  vt_kick_signal (pm->button_kick);
}

static void
button_cb (void *data)
{
  VtIch9Pm *pm = data;
  int       button = __atomic_fetch_and (&pm->button_level, ~BUTTON_PRESSED, __ATOMIC_ACQ_REL);

  if (button & BUTTON_PRESSED)
    {
      vt_timer_arm (pm->override, now_ns (pm) + OVERRIDE_HOLD);
      event (pm, PM1_BUTTON, true);
    }
  if (!(button & BUTTON_DOWN))
    vt_timer_stop (pm->override);
}

/* §5.13.8.1.1: held for four seconds, the button turns the power off whatever software does. */
static void
override_cb (void *data)
{
  VtIch9Pm *pm = data;

  pm->state->pm1_sts |= PM1_OVERRIDE;
  pm->state->asleep = false;
  vt_line_pulse (pm->poweroff);
}

void
vt_ich9_pm_apm (VtIch9Pm *pm, uint8_t value)
{
  /* What firmware's SMI handler would do, done here: ACPI 6.0 §4.8.3.2.1 only asks for the bit. Firmware for virtual
   * machines has no such handler, with SMM or without. */
  if (value == VT_ICH9_ACPI_ENABLE || value == VT_ICH9_ACPI_DISABLE)
    {
      pm->state->pm1_cnt = (pm->state->pm1_cnt & ~(uint32_t) CNT_SCI_EN) |
                           (value == VT_ICH9_ACPI_ENABLE ? CNT_SCI_EN : 0);
      update_sci (pm);
    }
  else if (pm->state->smi_en & SMI_APMC)
    raise_smi (pm, SMI_APMC);
}

static void
sleep_now (VtIch9Pm *pm, unsigned type)
{
  switch (type)
    {
    case VT_ICH9_SLP_S3:
    case 5:
      pm->state->asleep = true;
      vt_line_pulse (pm->suspend);
      break;
    case VT_ICH9_SLP_S5:
    case VT_ICH9_SLP_S4: /* The image is on the disk: off is off. */
    case 6:
    case 7:
      vt_line_pulse (pm->poweroff);
      break;
    default:
      vt_trace ("ich9-pm", "reserved SLP_TYP %u", type);
    }
}

/* The watchdog ----------------------------------------------------------------------------------- */

static void
arm_tco (VtIch9Pm *pm)
{
  if (pm->state->tco_deadline > 0)
    vt_timer_arm (pm->tco, pm->state->tco_deadline);
  else
    vt_timer_stop (pm->tco);
}

static void
reload_tco (VtIch9Pm *pm)
{
  VtIch9PmState *s = pm->state;

  s->tco_deadline = 0;
  if (!(s->tco1_cnt & TCO1_CNT_HALT))
    s->tco_deadline = now_ns (pm) + MAX (s->tco_tmr & TCO_TMR_MASK, 2) * TCO_TICK;
  arm_tco (pm);
}

static void
tco_cb (void *data)
{
  VtIch9Pm      *pm = data;
  VtIch9PmState *s = pm->state;

  s->tco1_sts |= TCO1_STS_TIMEOUT;
  if (s->smi_en & SMI_TCO)
    raise_smi (pm, SMI_TCO);
  if (s->tco_once)
    {
      /* §13.9.5: the second time in a row nobody is at home. */
      s->tco2_sts |= TCO2_STS_SECOND | TCO2_STS_BOOT;
      s->tco_once = false;
      s->tco_deadline = 0;
      if (!pm->no_reboot)
        {
          vt_line_pulse (pm->reset);
          return;
        }
    }
  else
    s->tco_once = true;
  reload_tco (pm);
}

static uint16_t
tco_count (const VtIch9Pm *pm)
{
  const VtIch9PmState *s = pm->state;
  int64_t              left = s->tco_deadline - now_ns (pm);

  if (s->tco_deadline <= 0)
    return s->tco_tmr;
  return (uint16_t) (CLAMP (left, 0, TCO_TMR_MASK * TCO_TICK) / TCO_TICK);
}

/* Registers ---------------------------------------------------------------------------------------- */

/* The block as bytes, which makes every width and offset one case. */
static void
image (VtIch9Pm *pm, uint8_t regs[VT_ICH9_PM_SIZE])
{
  const VtIch9PmState *s = pm->state;

  memset (regs, 0, VT_ICH9_PM_SIZE);
  vt_st16 (regs + VT_ICH9_PM1_STS, s->pm1_sts);
  vt_st16 (regs + VT_ICH9_PM1_EN, s->pm1_en);
  vt_st32 (regs + VT_ICH9_PM1_CNT, s->pm1_cnt);
  vt_st32 (regs + VT_ICH9_PM_TMR, (uint32_t) (ticks (pm) & (VT_BIT (TIMER_BITS) - 1)));
  vt_st32 (regs + 0x10, s->proc_cnt);
  vt_st64 (regs + VT_ICH9_GPE0, s->gpe_sts);
  vt_st64 (regs + VT_ICH9_GPE0 + 8, s->gpe_en);
  vt_st32 (regs + VT_ICH9_SMI_EN, s->smi_en);
  vt_st32 (regs + VT_ICH9_SMI_STS, s->smi_sts);
  vt_st16 (regs + 0x38, s->alt_gp_smi_en);
  vt_st16 (regs + 0x3a, s->alt_gp_smi_sts);
  regs[0x3c] = s->uprwc;
  regs[0x42] = s->gpe_cnt;
  vt_st16 (regs + 0x44, s->devact_sts);
  regs[0x50] = s->pm2_cnt;
  vt_st16 (regs + TCO_RLD, tco_count (pm));
  regs[TCO_DAT_IN] = s->tco_dat_in;
  regs[TCO_DAT_OUT] = s->tco_dat_out;
  vt_st16 (regs + TCO1_STS, s->tco1_sts);
  vt_st16 (regs + TCO2_STS, s->tco2_sts);
  vt_st16 (regs + TCO1_CNT, s->tco1_cnt);
  vt_st16 (regs + TCO2_CNT, s->tco2_cnt);
  memcpy (regs + TCO_MESSAGE, s->tco_message, 2);
  regs[TCO_WDCNT] = s->tco_wdcnt;
  regs[TCO_SW_IRQ] = s->tco_sw_irq;
  vt_st16 (regs + TCO_TMR, s->tco_tmr);
}

uint32_t
vt_ich9_pm_read (VtIch9Pm *pm, unsigned offset, unsigned size)
{
  uint8_t regs[VT_ICH9_PM_SIZE];

  if (size == 0 || size > 4 || !vt_range_ok (offset, size, VT_ICH9_PM_SIZE))
    return UINT32_MAX;
  sync_overflow (pm);
  /* What guests read in loops. */
  if (offset == VT_ICH9_PM_TMR && size == 4)
    return (uint32_t) (ticks (pm) & (VT_BIT (TIMER_BITS) - 1));
  image (pm, regs);
  return (uint32_t) vt_ld (regs + offset, size);
}

/* One access as one register of it sees it. */
typedef struct
{
  uint64_t value, mask; /* In the register's own bits; the mask tells which were written. */
} Piece;

static bool
hits (unsigned offset, unsigned size, uint32_t value, unsigned reg, unsigned len, Piece *p)
{
  int shift = 8 * ((int) offset - (int) reg);

  if (offset >= reg + len || reg >= offset + size)
    return false;
  p->value = value & vt_ones (size);
  p->mask = vt_ones (size);
  p->value = shift >= 0 ? p->value << shift : p->value >> -shift;
  p->mask = (shift >= 0 ? p->mask << shift : p->mask >> -shift) & vt_ones (len);
  p->value &= p->mask;
  return true;
}

/* @old with the written ones among the bits of @writable replaced. */
static uint64_t
merge (uint64_t old, const Piece *p, uint64_t writable)
{
  return (old & ~(p->mask & writable)) | (p->value & writable);
}

static void
write_pm1 (VtIch9Pm *pm, unsigned offset, unsigned size, uint32_t value)
{
  VtIch9PmState *s = pm->state;
  Piece          p;

  if (hits (offset, size, value, VT_ICH9_PM1_STS, 2, &p))
    {
      sync_overflow (pm);
      s->pm1_sts &= (uint16_t) ~(p.value & PM1_STS_MASK);
      arm_overflow (pm);
    }
  if (hits (offset, size, value, VT_ICH9_PM1_EN, 2, &p))
    s->pm1_en = (uint16_t) merge (s->pm1_en, &p, PM1_EN_MASK);
  if (hits (offset, size, value, VT_ICH9_PM1_CNT, 4, &p))
    {
      s->pm1_cnt = (uint32_t) merge (s->pm1_cnt, &p, CNT_MASK);
      if ((p.value & CNT_GBL_RLS) && (s->smi_en & SMI_BIOS))
        raise_smi (pm, SMI_BIOS);
      if (p.value & CNT_SLP_EN)
        sleep_now (pm, s->pm1_cnt >> CNT_SLP_TYP_SHIFT & 7);
    }
  if (hits (offset, size, value, 0x10, 4, &p))
    s->proc_cnt = (uint32_t) merge (s->proc_cnt, &p, 0x000200fe);
}

static void
write_gpe_smi (VtIch9Pm *pm, unsigned offset, unsigned size, uint32_t value)
{
  VtIch9PmState *s = pm->state;
  Piece          p;

  if (hits (offset, size, value, VT_ICH9_GPE0, 8, &p))
    s->gpe_sts &= ~p.value;
  if (hits (offset, size, value, VT_ICH9_GPE0 + 8, 8, &p))
    s->gpe_en = merge (s->gpe_en, &p, UINT64_MAX);
  if (hits (offset, size, value, VT_ICH9_SMI_EN, 4, &p))
    {
      uint32_t keep = pm->smi_lock ? s->smi_en & SMI_GLOBAL : 0;

      s->smi_en = (uint32_t) merge (s->smi_en, &p, SMI_EN_MASK) | keep;
      /* §13.8.3.13: firmware gives the global lock back. */
      if (p.value & SMI_BIOS_RLS)
        s->pm1_sts |= PM1_GLOBAL;
    }
  if (hits (offset, size, value, VT_ICH9_SMI_STS, 4, &p))
    s->smi_sts &= (uint32_t) ~(p.value & SMI_STS_MASK);
  if (hits (offset, size, value, 0x38, 2, &p))
    s->alt_gp_smi_en = (uint16_t) merge (s->alt_gp_smi_en, &p, 0xffff);
  if (hits (offset, size, value, 0x3a, 2, &p))
    s->alt_gp_smi_sts &= (uint16_t) ~p.value;
  if (hits (offset, size, value, 0x3c, 1, &p))
    s->uprwc = (uint8_t) merge (s->uprwc, &p, 0x02);
  if (hits (offset, size, value, 0x42, 1, &p))
    s->gpe_cnt = (uint8_t) merge (s->gpe_cnt, &p, 0x02);
  if (hits (offset, size, value, 0x44, 2, &p))
    s->devact_sts &= (uint16_t) ~p.value;
  if (hits (offset, size, value, 0x50, 1, &p))
    s->pm2_cnt = (uint8_t) merge (s->pm2_cnt, &p, 0x01);
}

static void
write_tco (VtIch9Pm *pm, unsigned offset, unsigned size, uint32_t value)
{
  VtIch9PmState *s = pm->state;
  Piece          p;

  if (hits (offset, size, value, TCO_DAT_IN, 1, &p))
    {
      s->tco_dat_in = (uint8_t) p.value;
      s->tco1_sts |= TCO1_STS_OS;
      raise_smi (pm, SMI_TCO);
    }
  if (hits (offset, size, value, TCO_DAT_OUT, 1, &p))
    {
      s->tco_dat_out = (uint8_t) p.value;
      s->tco1_sts |= TCO1_STS_INT;
    }
  if (hits (offset, size, value, TCO1_STS, 2, &p))
    s->tco1_sts &= (uint16_t) ~(p.value & TCO1_STS_MASK);
  if (hits (offset, size, value, TCO2_STS, 2, &p))
    s->tco2_sts &= (uint16_t) ~(p.value & TCO2_STS_MASK);
  if (hits (offset, size, value, TCO_TMR, 2, &p))
    s->tco_tmr = (uint16_t) merge (s->tco_tmr, &p, TCO_TMR_MASK);
  if (hits (offset, size, value, TCO1_CNT, 2, &p))
    {
      uint16_t was = s->tco1_cnt;

      /* §13.9.6: the lock keeps itself and the halt. */
      s->tco1_cnt = (uint16_t) (merge (was, &p, was & TCO1_CNT_LOCK ? TCO1_CNT_MASK & ~TCO1_CNT_LOCK
                                                                    : TCO1_CNT_MASK));
      if ((was ^ s->tco1_cnt) & TCO1_CNT_HALT)
        reload_tco (pm);
    }
  if (hits (offset, size, value, TCO2_CNT, 2, &p))
    s->tco2_cnt = (uint16_t) merge (s->tco2_cnt, &p, TCO2_CNT_MASK);
  for (unsigned i = 0; i < 2; i++)
    if (hits (offset, size, value, TCO_MESSAGE + i, 1, &p))
      s->tco_message[i] = (uint8_t) p.value;
  if (hits (offset, size, value, TCO_WDCNT, 1, &p))
    s->tco_wdcnt = (uint8_t) p.value;
  if (hits (offset, size, value, TCO_SW_IRQ, 1, &p))
    s->tco_sw_irq = (uint8_t) merge (s->tco_sw_irq, &p, 0x03);
  if (hits (offset, size, value, TCO_RLD, 2, &p))
    {
      s->tco_once = false;
      reload_tco (pm);
    }
}

void
vt_ich9_pm_write (VtIch9Pm *pm, unsigned offset, unsigned size, uint32_t value)
{
  if (size == 0 || size > 4 || !vt_range_ok (offset, size, VT_ICH9_PM_SIZE))
    return;
  if (offset >= VT_ICH9_TCO)
    write_tco (pm, offset, size, value);
  else if (offset >= VT_ICH9_GPE0)
    write_gpe_smi (pm, offset, size, value);
  else
    write_pm1 (pm, offset, size, value);
  update_sci (pm);
}

/* Life ------------------------------------------------------------------------------------------- */

void
vt_ich9_pm_init (VtIch9Pm *pm)
{
  pm->overflow = vt_timer_new (pm->context, pm->clock, overflow_cb, pm);
  pm->tco = vt_timer_new (pm->context, pm->clock, tco_cb, pm);
  pm->override = vt_timer_new (pm->context, pm->clock, override_cb, pm);
  pm->button_kick = vt_kick_new (pm->context, button_cb, pm);
  pm->button = vt_line_new (button_line_cb, pm, 0);
}

void
vt_ich9_pm_finish (VtIch9Pm *pm)
{
  g_clear_pointer (&pm->button, vt_line_free);
  g_clear_pointer (&pm->button_kick, vt_kick_free);
  g_clear_pointer (&pm->override, vt_timer_free);
  g_clear_pointer (&pm->tco, vt_timer_free);
  g_clear_pointer (&pm->overflow, vt_timer_free);
}

void
vt_ich9_pm_reset (VtIch9Pm *pm, VtResetKind kind)
{
  VtIch9PmState *s = pm->state;
  VtIch9PmState  was = *s;

  memset (s, 0, sizeof *s);
  if (kind != VT_RESET_COLD)
    {
      s->pm1_sts = was.pm1_sts & PM1_STS_KEPT;
      s->tco2_sts = was.tco2_sts;
      /* The way out of S3 is a reset too, and software sees that it was one. */
      if (was.asleep)
        s->pm1_sts |= PM1_WAKE;
    }
  /* Firmware takes this for "the SMI handler is in place" and does not try to make one. */
  s->smi_en = pm->smi == NULL ? SMI_APMC : 0;
  s->tco_tmr = TCO_TMR_DEFAULT;
  s->tco_sw_irq = TCO_SW_IRQ_DEFAULT;
  s->tco2_cnt = TCO2_CNT_DEFAULT;
  vt_timer_stop (pm->override);
  vt_timer_stop (pm->tco);
  arm_overflow (pm);
  update_sci (pm);
}

void
vt_ich9_pm_loaded (VtIch9Pm *pm)
{
  arm_overflow (pm);
  arm_tco (pm);
  vt_timer_stop (pm->override);
}
