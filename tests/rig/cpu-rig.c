/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See cpu-rig.h.
 */
#include "cpu-rig.h"

#include "vitrine-host.h"

#define PATIENCE (20 * G_TIME_SPAN_SECOND)

/* A device with a debug port, a scratch port and a page of registers ----------------------------- */

static void
panel_put (Panel *panel, char c)
{
  g_mutex_lock (&panel->lock);
  g_string_append_c (panel->output, c);
  g_cond_broadcast (&panel->changed);
  g_mutex_unlock (&panel->lock);
}

static uint64_t
debug_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return 0xe9;
}

static void
debug_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  panel_put ((Panel *) dev, (char) value);
}

static uint64_t
scratch_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return ((Panel *) dev)->scratch[offset / 4] >> (offset % 4 * 8) & vt_ones (size);
}

static void
scratch_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  memcpy ((uint8_t *) ((Panel *) dev)->scratch + offset, &value, size);
}

static uint64_t
page_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return vt_ld (((Panel *) dev)->page + offset, size);
}

static void
page_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_st (((Panel *) dev)->page + offset, size, value);
}

static void
bell_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  ((Panel *) dev)->n_port_writes++;
}

static void
kick_cb (void *data)
{
  Panel *panel = data;
  panel->n_kicks++;
  panel_put (panel, 'k');
}

static bool
panel_realize (VtDevice *dev, GError **error)
{
  static const VtRegionOps debug = { "debug", 1, 1, debug_read, debug_write };
  static const VtRegionOps scratch = { "scratch", 1, 4, scratch_read, scratch_write };
  static const VtRegionOps page = { "page", 1, 8, page_read, page_write };
  static const VtRegionOps bell = { "bell", 1, 4, NULL, bell_write };
  Panel                   *panel = (Panel *) dev;

  panel->output = g_string_new (NULL);
  g_mutex_init (&panel->lock);
  g_cond_init (&panel->changed);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &debug, 1), 0x402, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &scratch, 16), 0x500, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_MEMORY, &page, 4096), 0xd0000, 1);
  VtRegion *bells = vt_device_add_region (dev, VT_SPACE_IO, &bell, 4);
  panel->kick = vt_kick_new (dev->context, kick_cb, panel);
  vt_region_add_kick (bells, 0, 2, -1, panel->kick);
  vt_region_map (bells, 0x600, 0);
  return true;
}

static void
panel_unrealize (VtDevice *dev)
{
  Panel *panel = (Panel *) dev;
  vt_kick_free (panel->kick);
  g_string_free (panel->output, TRUE);
  g_mutex_clear (&panel->lock);
  g_cond_clear (&panel->changed);
}

static const VtDeviceClass panel_class = {
  .id = "panel",
  .spec = "none: a test's own",
  .size = sizeof (Panel),
  .state = &vt_state_none,
  .realize = panel_realize,
  .unrealize = panel_unrealize,
};

/* The rig --------------------------------------------------------------------------------------- */

static void
ended_cb (void *data, const VtCpuEnd *end)
{
  Rig *rig = data;
  g_mutex_lock (&rig->panel->lock);
  vt_cpu_end_clear (&rig->end);
  rig->end = *end;
  rig->end.status = g_strdup (end->status);
  rig->end.detail = g_strdup (end->detail);
  rig->n_ends++;
  g_cond_broadcast (&rig->panel->changed);
  g_mutex_unlock (&rig->panel->lock);
}

/* The board's interrupt controllers, for an engine that has none. */
static void *
add_chip (Rig *rig, const VtDeviceClass *klass)
{
  const VtDeviceEnv env = { rig->context, rig->clock, rig->space };
  VtDevice         *dev = vt_device_new (klass, klass->id, &env);
  g_ptr_array_add (rig->chip_devices, dev);
  return dev;
}

static void
add_chips (Rig *rig, unsigned n_cpus)
{
  VtPcChips *chips = rig->chips = vt_pc_chips_new ();

  for (unsigned i = 0; i < n_cpus; i++)
    {
      VtLapic *lapic = add_chip (rig, &vt_lapic_class);
      lapic->id = i;
      lapic->bus = chips->bus;
    }
  chips->pic = add_chip (rig, &vt_i8259_class);
  chips->ioapic = add_chip (rig, &vt_ioapic_class);
  chips->pit = add_chip (rig, &vt_i8254_class);
  vt_pc_chips_wire (chips);
  chips->pit->irq = rig->timer_line;
  for (unsigned i = 0; i < rig->chip_devices->len; i++)
    {
      g_assert_true (vt_device_realize (rig->chip_devices->pdata[i], NULL));
      vt_device_reset (rig->chip_devices->pdata[i], VT_RESET_COLD);
      vt_device_resume (rig->chip_devices->pdata[i]);
    }
  rig->engine->ops->attach (rig->engine, &chips->chips);
}

static void
timer_line_cb (void *data, unsigned n, bool level)
{
  rig_set_gsi (data, n, level);
}

bool
rig_init (Rig *rig, const char *engine, unsigned n_cpus, const uint8_t *code, const uint8_t *end)
{
  static const uint8_t jump[] = { 0xea, GUEST_BASE & 0xff, GUEST_BASE >> 8, 0, 0 };
  GError              *error = NULL;

  *rig = (Rig){ 0 };
  rig->context = vt_context_new ("rig");
  rig->clock = vt_clock_new_guest ();
  rig->chip_devices = g_ptr_array_new ();
  rig->timer_line = vt_line_new (timer_line_cb, rig, 0);
  rig->space = vt_space_new ();
  rig->ram = vt_ram_new ("ram", RIG_RAM, &error);
  g_assert_no_error (error);
  rig->rom = vt_ram_new ("rom", 4096, &error);
  g_assert_no_error (error);
  vt_space_map_ram (rig->space, rig->ram, 0, RIG_RAM, 0, 0);
  vt_space_map_ram (rig->space, rig->rom, 0, 4096, 0xfffff000, 0);
  rig->mem = vt_ram_host (rig->ram);
  memcpy (vt_ram_host (rig->rom) + 0xff0, jump, sizeof jump);
  memcpy (rig->mem + GUEST_BASE, code, (size_t) (end - code));

  const VtDeviceEnv env = { rig->context, vt_clock_host (), rig->space };
  rig->panel = (Panel *) vt_device_new (&panel_class, "panel", &env);
  g_assert_true (vt_device_realize (&rig->panel->base, &error));

  const VtCpuEngineConfig config = {
    .space = rig->space, .n_cpus = n_cpus, .ended = ended_cb, .data = rig, .clock = rig->clock,
  };
  rig->engine = vt_cpu_engine_new (engine, &config, &error);
  if (rig->engine)
    {
      vt_clock_start (rig->clock);
      if (rig->engine->ops->attach)
        add_chips (rig, n_cpus);
      return true;
    }

  g_assert_cmpstr (engine, ==, "kvm");
  g_autoptr (VitrineKvmReport) report = vitrine_host_probe_kvm ();
  g_test_message ("no KVM here: %s", error->message);
  g_assert_cmpint (report->status, !=, VITRINE_KVM_USABLE);
  g_assert_cmpint (report->status, !=, VITRINE_KVM_EMULATED);
  g_assert_nonnull (report->remedy);
  g_autofree char *expected = g_strdup_printf ("%s %s", report->sentence, report->remedy);
  g_assert_cmpstr (error->message, ==, expected);
  g_error_free (error);
  return false;
}

void
rig_set_gsi (Rig *rig, unsigned gsi, bool level)
{
  if (rig->chips)
    rig->chips->chips.ops->set_gsi (rig->chips, gsi, level);
  else
    rig->engine->ops->set_gsi (rig->engine, gsi, level);
}

void
rig_nmi (Rig *rig)
{
  if (rig->chips)
    rig->chips->chips.ops->nmi (rig->chips, 0);
  else
    rig->engine->ops->nmi (rig->engine->cpus[0]);
}

VtMsiSink
rig_msi (Rig *rig)
{
  if (rig->chips)
    return (VtMsiSink){ rig->chips->chips.ops->msi, rig->chips };
  return (VtMsiSink){ rig->engine->ops->msi, rig->engine };
}

void
rig_freeze (Rig *rig)
{
  if (rig->engine->ops->freeze)
    rig->engine->ops->freeze (rig->engine);
  vt_clock_stop (rig->clock);
  for (unsigned i = 0; i < rig->chip_devices->len; i++)
    vt_device_pause (rig->chip_devices->pdata[i], NULL, NULL);
}

void
rig_thaw (Rig *rig)
{
  for (unsigned i = 0; i < rig->chip_devices->len; i++)
    vt_device_resume (rig->chip_devices->pdata[i]);
  vt_clock_start (rig->clock);
  if (rig->engine->ops->thaw)
    rig->engine->ops->thaw (rig->engine);
}

void
rig_finish (Rig *rig)
{
  if (rig->engine)
    vt_cpu_engine_stop (rig->engine);
  vt_device_free (&rig->panel->base);
  for (unsigned i = rig->chip_devices->len; i-- > 0;)
    vt_device_free (rig->chip_devices->pdata[i]);
  vt_pc_chips_free (rig->chips);
  vt_cpu_engine_free (rig->engine);
  g_ptr_array_unref (rig->chip_devices);
  vt_line_free (rig->timer_line);
  vt_clock_free (rig->clock);
  vt_context_free (rig->context);
  vt_space_free (rig->space);
  vt_ram_free (rig->ram);
  vt_ram_free (rig->rom);
  vt_cpu_end_clear (&rig->end);
}

void
expect (Rig *rig, const char *text, unsigned n)
{
  Panel       *panel = rig->panel;
  const gint64 until = g_get_monotonic_time () + PATIENCE;

  g_mutex_lock (&panel->lock);
  for (;;)
    {
      unsigned    found = 0;
      const char *at = panel->output->str;
      while ((at = strstr (at, text)))
        {
          found++;
          at += strlen (text);
        }
      if (found >= n)
        break;
      if (rig->n_ends || !g_cond_wait_until (&panel->changed, &panel->lock, until))
        g_error ("waited for %u × “%s”; the guest said “%s”; it ended %u times: %s\n%s", n, text,
                 panel->output->str, rig->n_ends, rig->end.status ? rig->end.status : "-",
                 rig->end.detail ? rig->end.detail : "");
    }
  g_mutex_unlock (&panel->lock);
}

void
expect_end (Rig *rig, VtCpuEndKind kind)
{
  const gint64 until = g_get_monotonic_time () + PATIENCE;
  g_mutex_lock (&rig->panel->lock);
  while (!rig->n_ends)
    if (!g_cond_wait_until (&rig->panel->changed, &rig->panel->lock, until))
      g_error ("the guest did not end; it said “%s”", rig->panel->output->str);
  g_mutex_unlock (&rig->panel->lock);
  if (rig->end.kind != kind)
    g_error ("the guest ended in another way: %s\n%s", rig->end.status, rig->end.detail);
}

void
hold (Rig *rig)
{
  unsigned culprit = 0;
  vt_cpus_hold (rig->engine);
  if (!vt_cpus_wait (rig->engine, 10 * VT_NS_PER_SEC, &culprit))
    g_error ("vCPU %u does not stop", culprit);
}

void
rig_reset (Rig *rig)
{
  GError *error = NULL;
  for (unsigned i = 0; i < rig->chip_devices->len; i++)
    vt_device_reset (rig->chip_devices->pdata[i], VT_RESET_WARM);
  vt_cpus_reset (rig->engine, &error);
  g_assert_no_error (error);
}

void
reset (Rig *rig)
{
  hold (rig);
  rig_reset (rig);
  rig->n_ends = 0;
}

