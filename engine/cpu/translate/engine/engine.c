/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The software CPU engine: its making, and how it follows the machine's memory and chips.
 */
#include "engine.h"

#include "../block/translate.h"
#include "../host/executable.h"
#include "../host/unit.h"
#include "vt-loop.h"

/* Memory ---------------------------------------------------------------------------------------- */

/* Every core empties its TLB before its next instruction, one that sleeps too: what it wrote last may
 * belong into a dirty log. Until then it may reach a page where it was; its RAM block is there as long
 * as vCPUs run. */
static void
flush_all (VtSoft *engine)
{
  g_mutex_lock (&engine->lock);
  for (unsigned i = 0; i < engine->cpus->len; i++)
    vt_soft_request (engine->cpus->pdata[i], VT_CORE_FLUSH);
  g_mutex_unlock (&engine->lock);
}

static void
ram_add_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset, bool rom)
{
  flush_all (data);
}

static void
ram_remove_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset)
{
  flush_all (data);
}

static void
smm_changed_cb (void *data)
{
  flush_all (data);
}

static void
log_changed_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset, bool rom, bool on)
{
  flush_all (data);
}

/* Writes to a block with a log are marked as they are made. */
static void
log_sync_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset)
{
}

/* The address space signals eventfds by itself. */
static void
kick_cb (void *data, VtSpaceKind kind, uint64_t address, unsigned size, int64_t match, int fd)
{
}

static const VtSpaceListener listener = {
  .ram_add = ram_add_cb,
  .ram_remove = ram_remove_cb,
  .log_changed = log_changed_cb,
  .log_sync = log_sync_cb,
  .kick_add = kick_cb,
  .kick_remove = kick_cb,
  .smm_changed = smm_changed_cb,
};

/* What a core asks --------------------------------------------------------------------------------- */

static bool
is_apic (const VtSoftCpu *cpu, VtGpa gpa)
{
  return (gpa & ~VT_PAGE_OFFSET) == cpu->port->page;
}

static bool
read_cb (void *data, VtGpa gpa, void *to, unsigned size)
{
  VtSoftCpu    *cpu = data;
  const VtSoft *engine = vt_soft_of (cpu);

  if (G_LIKELY (!is_apic (cpu, gpa)))
    {
      vt_space_read (engine->base.config.space, vt_core_memory (cpu->core), gpa, to, size);
      return true;
    }
  uint8_t bytes[8] = { 0 };
  for (unsigned at = 0, n; at < size; at += n)
    {
      n = MIN (size - at, 4);
      vt_st32 (bytes + at, engine->chips.ops->read (engine->chips.data, cpu->base.index,
                                                    (gpa + at) & VT_PAGE_OFFSET, n));
    }
  memcpy (to, bytes, size);
  vt_soft_look (cpu);
  return true;
}

static bool
write_cb (void *data, VtGpa gpa, const void *from, unsigned size)
{
  VtSoftCpu    *cpu = data;
  const VtSoft *engine = vt_soft_of (cpu);

  if (G_LIKELY (!is_apic (cpu, gpa)))
    {
      vt_space_write (engine->base.config.space, vt_core_memory (cpu->core), gpa, from, size);
      return true;
    }
  for (unsigned at = 0, n; at < size; at += n)
    {
      n = MIN (size - at, 4);
      engine->chips.ops->write (engine->chips.data, cpu->base.index, (gpa + at) & VT_PAGE_OFFSET, n,
                                (uint32_t) vt_ld ((const uint8_t *) from + at, n));
    }
  vt_soft_look (cpu);
  return true;
}

static void
cpuid_cb (void *data, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
  vt_soft_cpuid (data, leaf, subleaf, out);
}

static bool
msr_read_cb (void *data, uint32_t index, uint64_t *value)
{
  return vt_soft_msr_read (data, index, value);
}

static bool
msr_write_cb (void *data, uint32_t index, uint64_t value)
{
  return vt_soft_msr_write (data, index, value);
}

static void
tsc_changed_cb (void *data)
{
  VtSoftCpu    *cpu = data;
  const VtSoft *engine = vt_soft_of (cpu);

  if (engine->chips.ops == NULL)
    return;
  engine->chips.ops->tsc_changed (engine->chips.data, cpu->base.index);
  vt_soft_look (cpu);
}

static void
tpr_cb (void *data, uint8_t priority)
{
  VtSoftCpu    *cpu = data;
  const VtSoft *engine = vt_soft_of (cpu);

  if (engine->chips.ops == NULL)
    return;
  engine->chips.ops->set_cr8 (engine->chips.data, cpu->base.index, priority);
  vt_soft_look (cpu);
}

/* The run loop sees that the core is halted. */
static void
halt_cb (void *data)
{
}

static const VtCoreOps core_ops = {
  .read = read_cb,
  .write = write_cb,
  .cpuid = cpuid_cb,
  .msr_read = msr_read_cb,
  .msr_write = msr_write_cb,
  .tsc = vt_soft_counter_cb,
  .tsc_changed = tsc_changed_cb,
  .tpr = tpr_cb,
  .halt = halt_cb,
};

/* Chips ------------------------------------------------------------------------------------------- */

static void
user_kick_cb (void *data, unsigned cpu)
{
  vt_soft_kick (((VtCpuEngine *) data)->cpus[cpu]);
}

static int64_t
tsc_to_clock_cb (void *data, unsigned cpu, uint64_t tsc)
{
  const VtSoft *engine = data;
  const VtCore      *core = ((VtSoftCpu *) engine->base.cpus[cpu])->core;

  return vt_soft_when (engine, tsc - __atomic_load_n (&core->tsc_offset, __ATOMIC_RELAXED));
}

static const VtChipsUserOps user_ops = { user_kick_cb, tsc_to_clock_cb };

static void
attach (VtCpuEngine *base, const VtChips *chips)
{
  VtSoft *engine = (VtSoft *) base;

  engine->chips = *chips;
  for (unsigned i = 0; i < base->config.n_cpus; i++)
    ((VtSoftCpu *) base->cpus[i])->port = chips->ops->port (chips->data, i);
  chips->ops->attach (chips->data, &user_ops, engine);
}

/* Called once at a machine's reset, before the vCPUs: their counters begin together. */
static bool
reset_chips (VtCpuEngine *base, GError **error)
{
  VtSoft *engine = (VtSoft *) base;
  engine->origin = vt_soft_counter (engine);
  return true;
}

/* There is no paravirtual clock; but a machine that KVM saved has one's state, and one that KVM shall
 * load must have it. */
static bool
get_clock (VtCpuEngine *engine, void *state, GError **error)
{
  ((VtPvClockState *) state)->ns = (uint64_t) vt_clock_now (engine->config.clock);
  return true;
}

static bool
set_clock (VtCpuEngine *engine, const void *state, GError **error)
{
  return true;
}

static const VtCpuPart parts[] = {
  { "cpu/pvclock", "pvclock", &vt_pvclock_state, get_clock, set_clock },
};

/* Life ------------------------------------------------------------------------------------------ */

static void
destroy (VtCpuEngine *base)
{
  VtSoft *engine = (VtSoft *) base;

  vt_space_listen (base->config.space, NULL, NULL);
  g_ptr_array_unref (engine->cpus);
  g_mutex_clear (&engine->lock);
  if (engine->leaves)
    g_array_unref (engine->leaves);
  g_free (engine);
}

static VtCpuEngine *
create (const VtCpuEngineConfig *config, GError **error)
{
  VtUnit        *unit = vt_unit_new ();
  const uint64_t features = vt_unit_features (unit);

  vt_unit_free (unit);
  if (!features)
    {
      vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                    "This computer's processor lacks XSAVE: without, the guest's vector instructions "
                    "cannot be executed in software.");
      return NULL;
    }

  VtSoft *engine = g_new0 (VtSoft, 1);
  engine->base.ops = &vt_soft_ops;
  engine->base.config = *config;
  if (engine->base.config.clock == NULL)
    engine->base.config.clock = vt_clock_host ();
  g_mutex_init (&engine->lock);
  engine->cpus = g_ptr_array_new ();
  vt_soft_counter_init (engine);
  engine->origin = vt_soft_counter (engine);
  vt_soft_cpuid_init (engine, features);
  if (!vt_executable_allowed ())
    engine->base.warning = "This program may not make memory executable: the guest's code is interpreted, "
                           "which is slow.";
  vt_space_listen (config->space, &listener, engine);
  return &engine->base;
}

static bool
cpu_init (VtCpu *base, GError **error)
{
  VtSoftCpu *cpu = (VtSoftCpu *) base;
  VtSoft    *engine = vt_soft_of (cpu);

  g_mutex_init (&cpu->lock);
  g_cond_init (&cpu->wake);
  cpu->unwired.page = UINT64_MAX;
  cpu->port = &cpu->unwired;
  cpu->core = vt_core_new (base->engine->config.space, &core_ops, cpu);
  engine->interpreted |= !vt_translate_available (cpu->core);
  g_mutex_lock (&engine->lock);
  g_ptr_array_add (engine->cpus, cpu);
  g_mutex_unlock (&engine->lock);
  return vt_soft_reset (base, error);
}

static void
cpu_finish (VtCpu *base)
{
  VtSoftCpu *cpu = (VtSoftCpu *) base;
  VtSoft    *engine = vt_soft_of (cpu);

  if (cpu->core == NULL)
    return;
  g_mutex_lock (&engine->lock);
  g_ptr_array_remove (engine->cpus, cpu);
  g_mutex_unlock (&engine->lock);
  vt_core_free (cpu->core);
  g_mutex_clear (&cpu->lock);
  g_cond_clear (&cpu->wake);
}

static void
cpuid (VtCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
  vt_soft_cpuid ((VtSoftCpu *) cpu, leaf, subleaf, out);
}

static char *
describe (VtCpuEngine *base)
{
  const VtSoft *engine = (const VtSoft *) base;
  return g_strdup (engine->interpreted ? "The guest's code is interpreted by Vitrine."
                                       : "The guest's code is translated by Vitrine.");
}

const VtVcpuOps vt_soft_ops = {
  .id = "translate",
  .description = "The processor in software",
  .cpu_size = sizeof (VtSoftCpu),
  .create = create,
  .destroy = destroy,
  .cpu_init = cpu_init,
  .cpu_finish = cpu_finish,
  .run = vt_soft_run,
  .kick = vt_soft_kick,
  .get = vt_soft_get,
  .set = vt_soft_set,
  .reset = vt_soft_reset,
  .cpuid = cpuid,
  .attach = attach,
  .smm = true,
  .reset_chips = reset_chips,
  .parts = parts,
  .n_parts = G_N_ELEMENTS (parts),
  .describe = describe,
};
