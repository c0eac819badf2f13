/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The saved state of the PIC pair, the I/O APIC, the interval timer and the paravirtual clock.
 */
#include "vt-chips.h"

static const VtStateField pic_fields[] = {
  VT_STATE (VtPicState, last_irr),
  VT_STATE (VtPicState, irr),
  VT_STATE (VtPicState, imr),
  VT_STATE (VtPicState, isr),
  VT_STATE_MAX (VtPicState, priority_add, 7),
  VT_STATE (VtPicState, irq_base),
  VT_STATE_MAX (VtPicState, read_isr, 1),
  VT_STATE_MAX (VtPicState, poll, 1),
  VT_STATE_MAX (VtPicState, special_mask, 1),
  VT_STATE_MAX (VtPicState, init_state, 3),
  VT_STATE_MAX (VtPicState, auto_eoi, 1),
  VT_STATE_MAX (VtPicState, rotate_on_auto_eoi, 1),
  VT_STATE_MAX (VtPicState, special_fully_nested, 1),
  VT_STATE_MAX (VtPicState, init4, 1),
  VT_STATE (VtPicState, elcr),
  VT_STATE (VtPicState, elcr_mask),
};
static const VtStateDesc pic_state = VT_STATE_DESC (VtPicState, 1, pic_fields, NULL);

static const VtStateField pic_pair_fields[] = {
  VT_STATE_STRUCT (VtPicPairState, chip, &pic_state),
};
const VtStateDesc vt_pic_pair_state = VT_STATE_DESC (VtPicPairState, 1, pic_pair_fields, NULL);

static const VtStateField ioapic_fields[] = {
  VT_STATE (VtIoapicState, base),
  VT_STATE_MAX (VtIoapicState, index, 255),
  VT_STATE_MAX (VtIoapicState, id, 15),
  VT_STATE_MAX (VtIoapicState, irr, 0xffffff),
  VT_STATE (VtIoapicState, pad_),
  VT_STATE (VtIoapicState, redirection),
};
const VtStateDesc vt_ioapic_state = VT_STATE_DESC (VtIoapicState, 1, ioapic_fields, NULL);

static const VtStateField pit_channel_fields[] = {
  VT_STATE_MAX (VtPitChannelState, count, 65536),
  VT_STATE (VtPitChannelState, latched_count),
  VT_STATE_MAX (VtPitChannelState, count_latched, 4),
  VT_STATE_MAX (VtPitChannelState, status_latched, 1),
  VT_STATE (VtPitChannelState, status),
  VT_STATE_MAX (VtPitChannelState, read_state, 4),
  VT_STATE_MAX (VtPitChannelState, write_state, 4),
  VT_STATE (VtPitChannelState, write_latch),
  VT_STATE_MAX (VtPitChannelState, rw_mode, 4),
  VT_STATE (VtPitChannelState, mode),
  VT_STATE_MAX (VtPitChannelState, bcd, 1),
  VT_STATE_MAX (VtPitChannelState, gate, 1),
};
static const VtStateDesc pit_channel_state =
    VT_STATE_DESC (VtPitChannelState, 1, pit_channel_fields, NULL);

static const VtStateField pit_fields[] = {
  VT_STATE_STRUCT (VtPitState, channel, &pit_channel_state),
  VT_STATE_MAX (VtPitState, taken, 1),
  VT_STATE_MAX (VtPitState, speaker, 1),
};

static bool
pit_check (const void *data, GError **error)
{
  const VtPitState *state = data;
  for (unsigned i = 0; i < G_N_ELEMENTS (state->channel); i++)
    if (state->channel[i].mode > 7 && state->channel[i].mode != 255)
      return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                           "The interval timer's channel %u has no mode %u.", i,
                           state->channel[i].mode);
  return true;
}

const VtStateDesc vt_pit_state = VT_STATE_DESC (VtPitState, 1, pit_fields, pit_check);

static const VtStateField pvclock_fields[] = {
  VT_STATE (VtPvClockState, ns),
};
const VtStateDesc vt_pvclock_state = VT_STATE_DESC (VtPvClockState, 1, pvclock_fields, NULL);
