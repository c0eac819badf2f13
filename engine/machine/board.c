/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a board is given (vt-board.h): devices, memory, interrupts, wires, consoles, channels; and the
 * order in which all of it is made and freed.
 */
#include "machine-private.h"

static VtDeviceEnv *
env_new (VtMachine *machine, const char *name)
{
  VtDeviceEnv *env = g_new0 (VtDeviceEnv, 1);
  env->context = vt_context_new (name);
  env->clock = machine->clock;
  env->space = machine->space;
  g_ptr_array_add (machine->envs, env);
  return env;
}

VtMachine *
vt_machine_new (VitrineConfig *config)
{
  VtMachine *machine = g_new0 (VtMachine, 1);
  machine->config = g_object_ref (config);
  machine->envs = g_ptr_array_new ();
  machine->devices = g_ptr_array_new ();
  machine->consoles = g_ptr_array_new ();
  machine->owned = g_array_new (FALSE, FALSE, sizeof (VtOwned));
  machine->media = g_array_new (FALSE, FALSE, sizeof (VtMedium));
  return machine;
}

void
vt_machine_free (VtMachine *machine)
{
  if (machine->cpus)
    vt_cpu_engine_stop (machine->cpus);
  /* The last made goes first: a device on a bus before its bus. */
  for (unsigned i = machine->devices->len; i-- > 0;)
    vt_device_free (machine->devices->pdata[i]);
  g_ptr_array_unref (machine->devices);
  /* The lines that go now have nobody left to tell. */
  machine->chips = (VtChips){ 0 };
  for (unsigned i = machine->owned->len; i-- > 0;)
    {
      const VtOwned *owned = &g_array_index (machine->owned, VtOwned, i);
      owned->destroy (owned->object);
    }
  g_array_unref (machine->owned);
  for (unsigned i = 0; i < machine->media->len; i++)
    g_free (g_array_index (machine->media, VtMedium, i).id);
  g_array_unref (machine->media);
  for (unsigned i = 0; i < machine->consoles->len; i++)
    vt_console_free (machine->consoles->pdata[i]);
  g_ptr_array_unref (machine->consoles);
  if (machine->input)
    vt_input_free (machine->input);
  for (unsigned i = 0; i < VT_CPU_GSIS; i++)
    vt_line_free (machine->gsi[i]);
  for (unsigned i = 0; i < VT_MACHINE_REQUESTS; i++)
    vt_line_free (machine->request[i]);
  vt_line_free (machine->hpet_legacy);
  vt_line_free (machine->smi[false]);
  vt_line_free (machine->smi[true]);
  vt_cpu_engine_free (machine->cpus);
  for (unsigned i = 0; i < machine->envs->len; i++)
    {
      VtDeviceEnv *env = machine->envs->pdata[i];
      vt_context_free (env->context);
      g_free (env);
    }
  g_ptr_array_unref (machine->envs);
  if (machine->space)
    vt_space_free (machine->space);
  if (machine->ram)
    vt_ram_free (machine->ram);
  if (machine->clock)
    vt_clock_free (machine->clock);
  for (unsigned i = 0; i < VT_MACHINE_SERIALS; i++)
    g_free (machine->serial_override[i]);
  g_object_unref (machine->config);
  g_free (machine);
}

static void
cpu_ended_cb (void *data, const VtCpuEnd *end)
{
  VtMachine *machine = data;
  vt_driver_cpu_ended (machine->driver, end);
}

static const VtBoardClass *
find_board (const char *id, GError **error)
{
  for (unsigned i = 0; vt_boards[i]; i++)
    if (g_strcmp0 (vt_boards[i]->id, id) == 0)
      return vt_boards[i];
  vt_set_error (error, VITRINE_ERROR_INVALID, "There is no board “%s”; change “board” in the machine's "
                "configuration.", id ? id : "");
  return NULL;
}

/* "kernel-irqchip" */
static VtCpuChips
which_chips (VtMachine *machine, const VtBoardClass *board)
{
  const char *wanted = vitrine_config_get_kernel_irqchip (machine->config);

  if (!board->has_chips || g_strcmp0 (wanted, "on") == 0)
    return VT_CPU_CHIPS_INSIDE;
  return g_strcmp0 (wanted, "off") == 0 ? VT_CPU_CHIPS_ATTACHED : VT_CPU_CHIPS_AUTO;
}

/* "smm" */
static bool
choose_smm (VtMachine *machine, GError **error)
{
  const char      *wanted = vitrine_config_get_smm (machine->config);
  const char      *firmware = vitrine_config_get_firmware (machine->config);
  g_autofree char *path = vitrine_config_resolve (machine->config, firmware);

  machine->smm = g_strcmp0 (wanted, "on") == 0
                 || (g_strcmp0 (wanted, "auto") == 0
                     && vitrine_firmware_needs (VITRINE_FIRMWARE_FOLDER, path, "requires-smm"));
  if (machine->smm && !machine->cpus->ops->smm)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "System management mode is not offered with the CPU engine “%s”; set “cpu-engine” to "
                         "“translate”, or “smm” to “off” and choose firmware that does without.",
                         machine->cpus->ops->id);
  return true;
}

bool
vt_machine_build (VtMachine *machine, GError **error)
{
  const VtBoardClass *board = find_board (vitrine_config_get_board (machine->config), error);
  uint64_t            size;

  if (!board)
    return false;
  if (!vt_mul (vitrine_config_get_memory (machine->config), VT_MIB, &size) || size == 0)
    return vt_set_error (error, VITRINE_ERROR_INVALID, "“memory” is out of range.");

  machine->clock = vt_clock_new_guest ();
  machine->space = vt_space_new ();
  env_new (machine, "platform");
  machine->input = vt_input_new ();
  machine->ram = vt_ram_new ("ram", size, error);
  if (!machine->ram || !vt_machine_open_serials (machine, error))
    return false;

  const char              *engine = vitrine_config_get_cpu_engine (machine->config);
  const VtCpuEngineConfig  cpu_config = {
     .space = machine->space,
     .n_cpus = vt_machine_n_cpus (machine),
     .memory = size,
     .ended = cpu_ended_cb,
     .data = machine,
     .chips = which_chips (machine, board),
     .clock = machine->clock,
  };
  machine->cpus = vt_cpu_engine_new (engine && *engine ? engine : "auto", &cpu_config, error);
  if (!machine->cpus)
    return false;
  machine->msi = (VtMsiSink){ machine->cpus->ops->msi, machine->cpus };
  return choose_smm (machine, error) && board->build (machine, machine->config, error);
}

/* The engine's chips, or the board's; the tests' engine listens beside them. */
static void
set_gsi (VtMachine *machine, unsigned n, bool level)
{
  if (machine->chips.ops)
    machine->chips.ops->set_gsi (machine->chips.data, n, level);
  if (machine->cpus->ops->set_gsi)
    machine->cpus->ops->set_gsi (machine->cpus, n, level);
}

void
vt_machine_replay_lines (VtMachine *machine)
{
  for (unsigned i = 0; i < VT_CPU_GSIS; i++)
    if (machine->gsi[i])
      set_gsi (machine, i, vt_line_level (machine->gsi[i]));
}

/* Services ------------------------------------------------------------------------------------- */

const VtDeviceEnv *
vt_machine_env (VtMachine *machine)
{
  return machine->envs->pdata[0];
}

const VtDeviceEnv *
vt_machine_env_new (VtMachine *machine, const char *name)
{
  return env_new (machine, name);
}

VtDevice *
vt_machine_add (VtMachine *machine, const VtDeviceClass *klass, const char *path,
                const VtDeviceEnv *env)
{
  VtDevice *dev = vt_device_new (klass, path, env);
  g_ptr_array_add (machine->devices, dev);
  return dev;
}

VtRam *
vt_machine_ram (VtMachine *machine)
{
  return machine->ram;
}

void
vt_machine_map_ram (VtMachine *machine, uint64_t offset, uint64_t size, VtGpa gpa)
{
  vt_space_map_ram (machine->space, machine->ram, offset, size, gpa, 0);
}

unsigned
vt_machine_n_cpus (VtMachine *machine)
{
  return vitrine_config_get_cpus (machine->config);
}

VtInput *
vt_machine_input (VtMachine *machine)
{
  return machine->input;
}

static void
gsi_cb (void *data, unsigned n, bool level)
{
  set_gsi (data, n, level);
}

VtLine *
vt_machine_gsi (VtMachine *machine, unsigned gsi)
{
  if (gsi >= VT_CPU_GSIS)
    return NULL;
  if (!machine->gsi[gsi])
    machine->gsi[gsi] = vt_line_new (gsi_cb, machine, gsi);
  return machine->gsi[gsi];
}

const VtMsiSink *
vt_machine_msi (VtMachine *machine)
{
  return &machine->msi;
}

bool
vt_machine_wants_chips (VtMachine *machine)
{
  return machine->cpus->ops->attach != NULL;
}

void
vt_machine_set_chips (VtMachine *machine, const VtChips *chips)
{
  machine->chips = *chips;
  machine->msi = (VtMsiSink){ chips->ops->msi, chips->data };
  machine->cpus->ops->attach (machine->cpus, chips);
}

void
vt_machine_set_a20 (VtMachine *machine, bool enabled)
{
  vt_trace ("machine", "address line 20 %s", enabled ? "open" : "masked, which KVM can't do");
}

static void
hpet_legacy_cb (void *data, unsigned n, bool level)
{
  VtMachine *machine = data;
  if (machine->chips.ops)
    machine->chips.ops->set_timer_taken (machine->chips.data, level);
  if (machine->cpus->ops->set_timer_taken)
    machine->cpus->ops->set_timer_taken (machine->cpus, level);
}

VtLine *
vt_machine_hpet_legacy (VtMachine *machine)
{
  if (!machine->hpet_legacy)
    machine->hpet_legacy = vt_line_new (hpet_legacy_cb, machine, 0);
  return machine->hpet_legacy;
}

bool
vt_machine_has_smm (VtMachine *machine)
{
  return machine->smm;
}

static void
smi_cb (void *data, unsigned all, bool level)
{
  const VtMachine *machine = data;
  const VtCpu     *cpu = vt_cpu_current ();

  if (!level || machine->chips.ops == NULL)
    return;
  if (all)
    for (unsigned i = 0; i < machine->cpus->config.n_cpus; i++)
      machine->chips.ops->smi (machine->chips.data, i);
  else
    machine->chips.ops->smi (machine->chips.data, cpu == NULL ? 0 : cpu->index);
}

VtLine *
vt_machine_smi (VtMachine *machine, bool all)
{
  if (!machine->smi[all])
    machine->smi[all] = vt_line_new (smi_cb, machine, all);
  return machine->smi[all];
}

static void
request_cb (void *data, unsigned n, bool level)
{
  VtMachine *machine = data;
  if (level)
    vt_driver_request (machine->driver, (VtRequest) n, 0);
}

VtLine *
vt_machine_request_line (VtMachine *machine, VtRequest request)
{
  if (!machine->request[request])
    machine->request[request] = vt_line_new (request_cb, machine, request);
  return machine->request[request];
}

void
vt_machine_request_exit (VtMachine *machine, int status)
{
  vt_driver_request (machine->driver, VT_REQUEST_DEBUG_EXIT, status);
}

void
vt_machine_set_power_button (VtMachine *machine, VtLine *line)
{
  machine->power_button = line;
}

VtConsole *
vt_machine_add_console (VtMachine *machine, const char *name)
{
  VtConsole *console = vt_console_new (name);
  g_ptr_array_add (machine->consoles, console);
  return console;
}

void
vt_machine_own (VtMachine *machine, void *object, void (*destroy) (void *object))
{
  const VtOwned owned = { object, destroy };
  g_array_append_val (machine->owned, owned);
}

static void
close_block_cb (void *object)
{
  vt_block_close (object);
}

void
vt_machine_own_block (VtMachine *machine, VtBlock *block)
{
  vt_machine_own (machine, block, close_block_cb);
}

static void
close_char_cb (void *object)
{
  vt_char_close (object);
}

void
vt_machine_own_char (VtMachine *machine, VtChar *chr)
{
  vt_machine_own (machine, chr, close_char_cb);
}

VtChar *
vt_machine_serial (VtMachine *machine, unsigned n)
{
  return n < VT_MACHINE_SERIALS ? machine->serial[n] : NULL;
}

void
vt_machine_add_medium (VtMachine *machine, const char *id, VtDevice *dev, unsigned slot,
                       const VtMediumOps *ops)
{
  const VtMedium medium = { g_strdup (id), dev, slot, ops };
  g_array_append_val (machine->media, medium);
}
