/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The q35 board on a machine that never runs: no vCPU, so nothing of the host is needed, and time
 * only moves when it is told to.
 */
#include "board.h"

#include "platform/mc146818.h"

/* As much memory as stock QEMU has by default. */
#define PLAIN                                                                                      \
  "{ \"name\": \"oracle\", \"memory\": 128, \"cpus\": 1, \"display\": { \"model\": \"none\" } }"

/* 2024-05-06 07:08:09 UTC, which qtest.py gives QEMU. */
#define RTC_BASE INT64_C (1714979289)

typedef struct
{
  VtCpuEngine engine;
  void (*gsi) (unsigned n, bool level);
} Idle;

static void
set_gsi (VtCpuEngine *engine, unsigned n, bool level)
{
  ((Idle *) engine)->gsi (n, level);
}

/* The chips are the board's. Nobody acknowledges an interrupt, so nobody is to be woken. */
static void
attach (VtCpuEngine *engine, const VtChips *chips)
{
}

static const VtVcpuOps idle_ops = { .id = "idle", .attach = attach, .set_gsi = set_gsi };

VtMachine *
oracle_board_new (const char *json, void (*gsi) (unsigned n, bool level), GError **error)
{
  VitrineConfig *config = vitrine_config_from_json (json != NULL ? json : PLAIN, "ours", error);
  VtMachine     *machine;
  Idle          *idle;
  VtDeviceEnv   *env;

  if (config == NULL)
    return NULL;
  machine = vt_machine_new (config);
  machine->clock = vt_clock_new_manual ();
  machine->space = vt_space_new ();
  machine->input = vt_input_new ();
  machine->ram = vt_ram_new ("ram", vitrine_config_get_memory (config) * VT_MIB, error);
  if (machine->ram == NULL)
    return NULL;
  env = g_new0 (VtDeviceEnv, 1);
  *env = (VtDeviceEnv){ .context = vt_context_new_manual (),
                        .clock = machine->clock,
                        .space = machine->space };
  g_ptr_array_add (machine->envs, env);
  idle = g_new0 (Idle, 1);
  idle->engine.ops = &idle_ops;
  idle->gsi = gsi;
  machine->cpus = &idle->engine;
  if (!vt_boards[0]->build (machine, config, error))
    return NULL;
  for (guint i = 0; i < machine->devices->len; i++)
    {
      VtDevice *dev = machine->devices->pdata[i];

      if (dev->klass == &vt_mc146818_class)
        {
          ((VtMc146818 *) dev)->wall = NULL;
          ((VtMc146818 *) dev)->base_s = RTC_BASE;
          vt_device_reset (dev, VT_RESET_COLD);
        }
      vt_device_resume (dev);
    }
  return machine;
}
