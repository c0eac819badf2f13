/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The chips inside the kernel: their state out and in, their reset, and time standing still.
 */
#include "kvm.h"

#include <errno.h>

static bool
chip_ioctl (VtKvm *kvm, unsigned long request, struct kvm_irqchip *chip, GError **error)
{
  if (vt_kvm_ioctl (kvm->vm, request, chip) < 0)
    return vt_set_errno (error, errno, "KVM gave no access to interrupt controller %u", chip->chip_id);
  return true;
}

static bool
get_pic (VtCpuEngine *engine, void *data, GError **error)
{
  VtPicPairState *state = data;
  for (unsigned i = 0; i < 2; i++)
    {
      struct kvm_irqchip          chip = { .chip_id = i };
      const struct kvm_pic_state *from = &chip.chip.pic;
      if (!chip_ioctl ((VtKvm *) engine, KVM_GET_IRQCHIP, &chip, error))
        return false;
      state->chip[i] = (VtPicState){
        .last_irr = from->last_irr,
        .irr = from->irr,
        .imr = from->imr,
        .isr = from->isr,
        .priority_add = from->priority_add & 7,
        .irq_base = from->irq_base,
        .read_isr = from->read_reg_select != 0,
        .poll = from->poll != 0,
        .special_mask = from->special_mask != 0,
        .init_state = from->init_state & 3,
        .auto_eoi = from->auto_eoi != 0,
        .rotate_on_auto_eoi = from->rotate_on_auto_eoi != 0,
        .special_fully_nested = from->special_fully_nested_mode != 0,
        .init4 = from->init4 != 0,
        .elcr = from->elcr,
        .elcr_mask = from->elcr_mask,
      };
    }
  return true;
}

static bool
set_pic (VtCpuEngine *engine, const void *data, GError **error)
{
  const VtPicPairState *state = data;
  for (unsigned i = 0; i < 2; i++)
    {
      const VtPicState  *from = &state->chip[i];
      struct kvm_irqchip chip = { .chip_id = i };
      chip.chip.pic = (struct kvm_pic_state){
        .last_irr = from->last_irr,
        .irr = from->irr,
        .imr = from->imr,
        .isr = from->isr,
        .priority_add = from->priority_add,
        .irq_base = from->irq_base,
        .read_reg_select = from->read_isr,
        .poll = from->poll,
        .special_mask = from->special_mask,
        .init_state = from->init_state,
        .auto_eoi = from->auto_eoi,
        .rotate_on_auto_eoi = from->rotate_on_auto_eoi,
        .special_fully_nested_mode = from->special_fully_nested,
        .init4 = from->init4,
        .elcr = from->elcr,
        .elcr_mask = from->elcr_mask,
      };
      if (!chip_ioctl ((VtKvm *) engine, KVM_SET_IRQCHIP, &chip, error))
        return false;
    }
  return true;
}

static bool
get_ioapic (VtCpuEngine *engine, void *data, GError **error)
{
  VtIoapicState     *state = data;
  struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
  if (!chip_ioctl ((VtKvm *) engine, KVM_GET_IRQCHIP, &chip, error))
    return false;
  *state = (VtIoapicState){
    .base = chip.chip.ioapic.base_address,
    .index = chip.chip.ioapic.ioregsel & 0xff,
    .id = chip.chip.ioapic.id & 0xf,
    .irr = chip.chip.ioapic.irr & 0xffffff,
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (state->redirection); i++)
    state->redirection[i] = chip.chip.ioapic.redirtbl[i].bits;
  return true;
}

static bool
set_ioapic (VtCpuEngine *engine, const void *data, GError **error)
{
  const VtIoapicState *state = data;
  struct kvm_irqchip   chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
  chip.chip.ioapic.base_address = state->base;
  chip.chip.ioapic.ioregsel = state->index;
  chip.chip.ioapic.id = state->id;
  chip.chip.ioapic.irr = state->irr;
  for (unsigned i = 0; i < G_N_ELEMENTS (state->redirection); i++)
    chip.chip.ioapic.redirtbl[i].bits = state->redirection[i];
  return chip_ioctl ((VtKvm *) engine, KVM_SET_IRQCHIP, &chip, error);
}

static bool
get_pit (VtCpuEngine *engine, void *data, GError **error)
{
  VtKvm                *kvm = (VtKvm *) engine;
  VtPitState           *state = data;
  struct kvm_pit_state2 pit = { 0 };

  if (kvm->frozen)
    {
      *state = kvm->frozen_pit;
      return true;
    }
  if (vt_kvm_ioctl (kvm->vm, KVM_GET_PIT2, &pit) < 0)
    return vt_set_errno (error, errno, "KVM gave no access to the interval timer");
  *state = (VtPitState){
    .taken = (pit.flags & KVM_PIT_FLAGS_HPET_LEGACY) != 0,
    .speaker = (pit.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON) != 0,
  };
  for (unsigned i = 0; i < 3; i++)
    {
      const struct kvm_pit_channel_state *from = &pit.channels[i];
      state->channel[i] = (VtPitChannelState){
        .count = from->count,
        .latched_count = from->latched_count,
        .count_latched = from->count_latched,
        .status_latched = from->status_latched != 0,
        .status = from->status,
        .read_state = from->read_state,
        .write_state = from->write_state,
        .write_latch = from->write_latch,
        .rw_mode = from->rw_mode,
        .mode = from->mode,
        .bcd = from->bcd != 0,
        .gate = from->gate != 0,
      };
    }
  return true;
}

/* The counters start over: KVM keeps no phase that could be loaded, and what guests program is the
 * period. It also forgets the ticks that the guest has not taken yet. */
static bool
put_pit (VtKvm *kvm, const VtPitState *state, GError **error)
{
  struct kvm_pit_state2 pit = {
    .flags = (state->taken ? KVM_PIT_FLAGS_HPET_LEGACY : 0u)
             | (state->speaker ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0u),
  };

  for (unsigned i = 0; i < 3; i++)
    {
      const VtPitChannelState *from = &state->channel[i];
      pit.channels[i] = (struct kvm_pit_channel_state){
        .count = from->count,
        .latched_count = from->latched_count,
        .count_latched = from->count_latched,
        .status_latched = from->status_latched,
        .status = from->status,
        .read_state = from->read_state,
        .write_state = from->write_state,
        .write_latch = from->write_latch,
        .rw_mode = from->rw_mode,
        .mode = from->mode,
        .bcd = from->bcd,
        .gate = from->gate,
      };
    }
  if (vt_kvm_ioctl (kvm->vm, KVM_SET_PIT2, &pit) < 0)
    return vt_set_errno (error, errno, "KVM took no state for the interval timer");
  return true;
}

static bool
set_pit (VtCpuEngine *engine, const void *data, GError **error)
{
  VtKvm *kvm = (VtKvm *) engine;
  if (kvm->frozen)
    {
      kvm->frozen_pit = *(const VtPitState *) data;
      return true;
    }
  return put_pit (kvm, data, error);
}

static bool
get_clock (VtCpuEngine *engine, void *data, GError **error)
{
  VtKvm                *kvm = (VtKvm *) engine;
  VtPvClockState       *state = data;
  struct kvm_clock_data clock = { 0 };

  if (kvm->frozen)
    *state = kvm->frozen_clock;
  else if (!kvm->adjust_clock)
    state->ns = 0;
  else if (vt_kvm_ioctl (kvm->vm, KVM_GET_CLOCK, &clock) < 0)
    return vt_set_errno (error, errno, "KVM gave no access to the paravirtual clock");
  else
    state->ns = clock.clock;
  return true;
}

static bool
put_clock (VtKvm *kvm, const VtPvClockState *state, GError **error)
{
  struct kvm_clock_data clock = { .clock = state->ns };
  if (kvm->adjust_clock && vt_kvm_ioctl (kvm->vm, KVM_SET_CLOCK, &clock) < 0)
    return vt_set_errno (error, errno, "KVM took no value for the paravirtual clock");
  return true;
}

static bool
set_clock (VtCpuEngine *engine, const void *data, GError **error)
{
  VtKvm *kvm = (VtKvm *) engine;
  if (kvm->frozen)
    {
      kvm->frozen_clock = *(const VtPvClockState *) data;
      return true;
    }
  return put_clock (kvm, data, error);
}

const VtCpuPart vt_kvm_parts[VT_KVM_N_PARTS] = {
  { "cpu/pic", "i8259", &vt_pic_pair_state, get_pic, set_pic },
  { "cpu/ioapic", "ioapic", &vt_ioapic_state, get_ioapic, set_ioapic },
  { "cpu/pit", "i8254", &vt_pit_state, get_pit, set_pit },
  [VT_KVM_PVCLOCK] = { "cpu/pvclock", "pvclock", &vt_pvclock_state, get_clock, set_clock },
};

void
vt_kvm_freeze (VtCpuEngine *engine)
{
  VtKvm  *kvm = (VtKvm *) engine;
  GError *error = NULL;

  if (kvm->frozen)
    return;
  if (!get_clock (engine, &kvm->frozen_clock, &error)
      || (!kvm->user_irqchip && !get_pit (engine, &kvm->frozen_pit, &error)))
    {
      vt_trace ("kvm", "%s", error->message);
      g_clear_error (&error);
      return;
    }
  kvm->frozen = true;
  if (kvm->user_irqchip)
    return;
  /* The kernel's timer would go on and give the guest all the missed ticks at once. */
  VtPitState still = kvm->frozen_pit;
  still.channel[0].mode = 255;
  put_pit (kvm, &still, NULL);
}

void
vt_kvm_thaw (VtCpuEngine *engine)
{
  VtKvm  *kvm = (VtKvm *) engine;
  GError *error = NULL;

  if (!kvm->frozen)
    return;
  kvm->frozen = false;
  if (!put_clock (kvm, &kvm->frozen_clock, &error)
      || (!kvm->user_irqchip && !put_pit (kvm, &kvm->frozen_pit, &error)))
    {
      vt_trace ("kvm", "%s", error->message);
      g_clear_error (&error);
    }
  /* Tells a guest that looks that it was its host that stood still, not one of its own processors.
   * A guest without the paravirtual clock makes this fail, and needs it not. */
  for (unsigned i = 0; kvm->clock_ctrl && i < engine->config.n_cpus; i++)
    vt_kvm_ioctl (((VtKvmCpu *) engine->cpus[i])->fd, KVM_KVMCLOCK_CTRL, NULL);
}

bool
vt_kvm_chips_init (VtKvm *kvm, GError **error)
{
  return get_pic (&kvm->base, &kvm->power_on_pic, error)
         && get_ioapic (&kvm->base, &kvm->power_on_ioapic, error)
         && get_pit (&kvm->base, &kvm->power_on_pit, error);
}

bool
vt_kvm_reset_chips (VtCpuEngine *engine, GError **error)
{
  VtKvm *kvm = (VtKvm *) engine;
  return set_pic (engine, &kvm->power_on_pic, error)
         && set_ioapic (engine, &kvm->power_on_ioapic, error)
         && set_pit (engine, &kvm->power_on_pit, error);
}
