/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The vCPU threads: one per vCPU, which runs its engine's loop or is parked. What holds them, lets
 * them go and ends them is the same for every engine.
 */
#include "vcpu.h"

void
vt_cpu_end_clear (VtCpuEnd *end)
{
  g_clear_pointer (&end->status, g_free);
  g_clear_pointer (&end->detail, g_free);
}

bool
vt_cpu_must_stop (const VtCpu *cpu)
{
  return g_atomic_int_get (&cpu->stop) != 0;
}

static __thread VtCpu *current;

VtCpu *
vt_cpu_current (void)
{
  return current;
}

static gpointer
cpu_thread (gpointer data)
{
  VtCpu       *cpu = data;
  VtCpuEngine *engine = cpu->engine;

  current = cpu;
  g_mutex_lock (&engine->lock);
  for (;;)
    {
      while (!engine->quit && (!engine->running || cpu->ended))
        {
          cpu->parked = true;
          g_cond_broadcast (&engine->changed);
          g_cond_wait (&engine->changed, &engine->lock);
        }
      if (engine->quit)
        break;
      cpu->parked = false;
      g_atomic_int_set (&cpu->stop, 0);
      g_mutex_unlock (&engine->lock);

      VtCpuEnd end = { .kind = VT_CPU_END_KICKED, .cpu = cpu->index };
      engine->ops->run (cpu, &end);

      g_mutex_lock (&engine->lock);
      if (end.kind != VT_CPU_END_KICKED)
        {
          cpu->ended = true;
          g_mutex_unlock (&engine->lock);
          engine->config.ended (engine->config.data, &end);
          g_mutex_lock (&engine->lock);
        }
      vt_cpu_end_clear (&end);
    }
  cpu->parked = true;
  g_cond_broadcast (&engine->changed);
  g_mutex_unlock (&engine->lock);
  return NULL;
}

static void
hold_locked (VtCpuEngine *engine)
{
  engine->running = false;
  for (unsigned i = 0; i < engine->config.n_cpus; i++)
    {
      VtCpu *cpu = engine->cpus[i];
      /* The flag goes first: whoever is woken by the kick must find it. */
      g_atomic_int_set (&cpu->stop, 1);
      if (!cpu->parked)
        engine->ops->kick (cpu);
    }
}

void
vt_cpus_run (VtCpuEngine *engine)
{
  g_mutex_lock (&engine->lock);
  engine->running = true;
  g_cond_broadcast (&engine->changed);
  g_mutex_unlock (&engine->lock);
}

void
vt_cpus_hold (VtCpuEngine *engine)
{
  /* While it is being made nothing runs, and it may fail already. */
  if (!g_atomic_int_get (&engine->ready))
    return;
  g_mutex_lock (&engine->lock);
  hold_locked (engine);
  g_mutex_unlock (&engine->lock);
}

bool
vt_cpus_wait (VtCpuEngine *engine, int64_t timeout_ns, unsigned *culprit)
{
  const gint64 until = g_get_monotonic_time () + timeout_ns / VT_NS_PER_US;
  bool         all = true;

  g_mutex_lock (&engine->lock);
  for (unsigned i = 0; i < engine->config.n_cpus && all; i++)
    while (!engine->cpus[i]->parked)
      if (!g_cond_wait_until (&engine->changed, &engine->lock, until))
        {
          all = engine->cpus[i]->parked;
          if (!all && culprit)
            *culprit = i;
          break;
        }
  g_mutex_unlock (&engine->lock);
  return all;
}

bool
vt_cpus_reset (VtCpuEngine *engine, GError **error)
{
  if (engine->ops->reset_chips && !engine->ops->reset_chips (engine, error))
    return false;
  for (unsigned i = 0; i < engine->config.n_cpus; i++)
    if (!engine->ops->reset (engine->cpus[i], error))
      return false;
  g_mutex_lock (&engine->lock);
  for (unsigned i = 0; i < engine->config.n_cpus; i++)
    engine->cpus[i]->ended = false;
  g_mutex_unlock (&engine->lock);
  return true;
}

static VtCpuEngine *
engine_new (const VtVcpuOps *ops, const VtCpuEngineConfig *config, GError **error)
{
  VtCpuEngine *engine = ops->create (config, error);
  if (!engine)
    return NULL;
  if (!engine->ops)
    engine->ops = ops;
  g_mutex_init (&engine->lock);
  g_cond_init (&engine->changed);
  engine->cpus = g_new0 (VtCpu *, config->n_cpus);
  for (unsigned i = 0; i < config->n_cpus; i++)
    {
      VtCpu *cpu = g_malloc0 (ops->cpu_size);
      cpu->engine = engine;
      cpu->index = i;
      cpu->parked = true;
      engine->cpus[i] = cpu;
      if (!ops->cpu_init (cpu, error))
        {
          vt_cpu_engine_free (engine);
          return NULL;
        }
    }
  for (unsigned i = 0; i < config->n_cpus; i++)
    {
      g_autofree char *name = g_strdup_printf ("vcpu%u", i);
      engine->cpus[i]->thread = g_thread_try_new (name, cpu_thread, engine->cpus[i], error);
      if (!engine->cpus[i]->thread)
        {
          vt_cpu_engine_free (engine);
          return NULL;
        }
    }
  g_atomic_int_set (&engine->ready, 1);
  return engine;
}

VtCpuEngine *
vt_cpu_engine_new (const char *id, const VtCpuEngineConfig *config, GError **error)
{
  if (config->n_cpus < 1 || config->n_cpus > VT_CPU_MAX)
    {
      vt_set_error (error, VITRINE_ERROR_INVALID,
                    "A machine can't have %u processors; set “cpus” to 1 to %u.", config->n_cpus,
                    VT_CPU_MAX);
      return NULL;
    }
  if (!g_str_equal (id, "auto"))
    {
      const VtVcpuOps *ops = vt_cpu_engine_find (id, error);
      return ops ? engine_new (ops, config, error) : NULL;
    }

  GError *first = NULL;
  g_autofree char *why = NULL; /* Not the one before. */
  for (unsigned native = 2; native-- > 0;)
    for (unsigned i = 0; vt_cpu_engines[i]; i++)
      {
        const VtVcpuOps *ops = vt_cpu_engines[i];
        const bool is_native = ops->native == NULL || ops->native ();
        if (native == 1 && !is_native && !why)
          why = g_strdup (ops->lacks);
        if (is_native != (native == 1))
          continue;
        VtCpuEngine *engine = engine_new (ops, config, first ? NULL : &first);
        if (engine)
          {
            g_clear_error (&first);
            engine->why = g_steal_pointer (&why);
            return engine;
          }
        if (!why && first)
          why = g_strdup (first->message);
      }
  g_propagate_error (error, first);
  return NULL;
}

char *
vt_cpu_engine_describe (VtCpuEngine *engine)
{
  g_autofree char *how = engine->ops->describe (engine);
  return engine->why ? g_strconcat (how, " ", engine->why, NULL) : g_steal_pointer (&how);
}

void
vt_cpu_engine_stop (VtCpuEngine *engine)
{
  g_mutex_lock (&engine->lock);
  engine->quit = true;
  for (unsigned i = 0; i < engine->config.n_cpus; i++)
    if (engine->cpus[i])
      {
        g_atomic_int_set (&engine->cpus[i]->stop, 1);
        if (engine->cpus[i]->thread && !engine->cpus[i]->parked)
          engine->ops->kick (engine->cpus[i]);
      }
  g_cond_broadcast (&engine->changed);
  g_mutex_unlock (&engine->lock);
  for (unsigned i = 0; i < engine->config.n_cpus; i++)
    if (engine->cpus[i])
      g_clear_pointer (&engine->cpus[i]->thread, g_thread_join);
}

void
vt_cpu_engine_free (VtCpuEngine *engine)
{
  if (!engine)
    return;
  vt_cpu_engine_stop (engine);
  for (unsigned i = 0; i < engine->config.n_cpus; i++)
    if (engine->cpus[i])
      {
        engine->ops->cpu_finish (engine->cpus[i]);
        g_free (engine->cpus[i]);
      }
  g_free (engine->cpus);
  g_free (engine->why);
  g_mutex_clear (&engine->lock);
  g_cond_clear (&engine->changed);
  engine->ops->destroy (engine);
}
