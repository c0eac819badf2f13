/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The machine and its state driver, with a board of the test's own and real guest code: every way into
 * and out of each state, and the snapshot's container against damaged files. Where this host has no
 * usable KVM, what is checked is the one error with which a machine doesn't start.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig/guest-code.h"
#include "machine/snapshot.h"
#include "vitrine-host.h"

#define PATIENCE 20 /* Seconds. */

/* Guests ------------------------------------------------------------------------------------------ */

/* Counts in RAM and, from the device's port 0x700, in a register. */
GUEST_REAL (counting, PUT ("R") "movw $0x700, %dx\n"
            "5: incl 0x3000\n movl 0x3000, %eax\n outl %eax, %dx\n jmp 5b\n");
GUEST_REAL (leaving, PUT ("R") "movw $0xf4, %dx\n movb $33, %al\n outb %al, %dx\n" PUT ("?")
            "5: hlt\n jmp 5b\n");
GUEST_REAL (poweroff, PUT ("R") "movw $0x604, %dx\n movb $1, %al\n outb %al, %dx\n" PUT ("?")
            "5: hlt\n jmp 5b\n");
/* Resets itself once, and says which life it is in. */
GUEST_REAL (phoenix, "incb 0x3000\n cmpb $1, 0x3000\n jne 1f\n" PUT ("1")
            "movw $0xcf9, %dx\n movb $6, %al\n outb %al, %dx\n" PUT ("?")
            "1:" PUT ("2") "5: hlt\n jmp 5b\n");
/* A triple fault in its first life. */
GUEST_FLAT (fault, "incb 0x3000\n cmpb $1, 0x3000\n jne 1f\n" PUT ("1")
            "movw $0, 0x5ff0\n lidtl 0x5ff0\n movw $0x18, %ax\n movw %ax, %ds\n"
            "1:" PUT ("2") "5: hlt\n jmp 5b\n");
/* Powers itself off when the button is pressed. */
GUEST_REAL (button, PUT ("R") "movw $0x701, %dx\n 5: inb %dx, %al\n testb %al, %al\n jz 5b\n"
            "movw $0x604, %dx\n movb $1, %al\n outb %al, %dx\n 6: hlt\n jmp 6b\n");
/* Sleeps, and wakes up in the firmware. */
GUEST_REAL (sleeping, "incb 0x3000\n cmpb $1, 0x3000\n jne 1f\n" PUT ("S")
            "movw $0x605, %dx\n movb $1, %al\n outb %al, %dx\n" PUT ("?")
            "1:" PUT ("W") "5: hlt\n jmp 5b\n");

static const struct
{
  const char    *name;
  const uint8_t *code, *end;
} guests[] = {
  { "counting", guest_counting, guest_counting_end }, { "leaving", guest_leaving, guest_leaving_end },
  { "poweroff", guest_poweroff, guest_poweroff_end }, { "phoenix", guest_phoenix, guest_phoenix_end },
  { "fault", guest_fault, guest_fault_end },          { "button", guest_button, guest_button_end },
  { "sleeping", guest_sleeping, guest_sleeping_end },
};

/* The board -------------------------------------------------------------------------------------- */

typedef struct
{
  uint32_t count;
  uint8_t  pressed, pad_[3];
} PanelState;

static const VtStateField panel_fields[] = {
  VT_STATE (PanelState, count),
  VT_STATE_MAX (PanelState, pressed, 1),
  VT_STATE (PanelState, pad_),
};
static const VtStateDesc panel_state = VT_STATE_DESC (PanelState, 1, panel_fields, NULL);

typedef struct
{
  VtDevice   base;
  VtMachine *machine;
  VtLine    *reset, *poweroff, *suspend, *wake;
  VtConsole *console;
  bool       stuck; /* Its pause never ends by itself. */
  GMutex     lock;
  GString   *output;
  unsigned   n_resets;
  PanelState state;
} Panel;

static void
debug_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  Panel *panel = (Panel *) dev;
  g_mutex_lock (&panel->lock);
  g_string_append_c (panel->output, (char) value);
  g_mutex_unlock (&panel->lock);
  g_main_context_wakeup (NULL);
}

static void
exit_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_machine_request_exit (((Panel *) dev)->machine, (int) value);
}

static void
reset_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_line_pulse (((Panel *) dev)->reset);
}

static void
power_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  vt_line_pulse (offset ? ((Panel *) dev)->suspend : ((Panel *) dev)->poweroff);
}

static uint64_t
count_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return ((Panel *) dev)->state.pressed;
}

static void
count_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  ((Panel *) dev)->state.count = (uint32_t) value;
}

static bool
panel_realize (VtDevice *dev, GError **error)
{
  static const VtRegionOps debug = { "debug", 1, 1, NULL, debug_write };
  static const VtRegionOps leave = { "exit", 1, 1, NULL, exit_write };
  static const VtRegionOps reset = { "reset", 1, 1, NULL, reset_write };
  static const VtRegionOps power = { "power", 1, 1, NULL, power_write };
  static const VtRegionOps count = { "count", 1, 4, count_read, count_write };
  Panel                   *panel = (Panel *) dev;

  panel->output = g_string_new (NULL);
  g_mutex_init (&panel->lock);
  if (!panel->reset)
    return true; /* The second one, which only pauses. */
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &debug, 1), 0x402, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &leave, 1), 0xf4, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &reset, 1), 0xcf9, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &power, 2), 0x604, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &count, 4), 0x700, 0);
  if (panel->console)
    {
      VtSurface *surface = vt_surface_new (64, 48);
      memset (surface->data, 0x55, (size_t) surface->stride * 48);
      vt_console_set_surface (panel->console, surface);
      vt_surface_unref (surface);
    }
  return true;
}

static void
panel_unrealize (VtDevice *dev)
{
  Panel *panel = (Panel *) dev;
  g_string_free (panel->output, TRUE);
  g_mutex_clear (&panel->lock);
}

static void
panel_reset (VtDevice *dev, VtResetKind kind)
{
  Panel *panel = (Panel *) dev;
  panel->state = (PanelState){ 0 };
  panel->n_resets++;
}

static void
panel_pause (VtDevice *dev)
{
  if (!((Panel *) dev)->stuck)
    vt_device_paused (dev);
}

static const VtDeviceClass panel_class = {
  .id = "panel",
  .spec = "none: a test's own",
  .size = sizeof (Panel),
  .state_offset = offsetof (Panel, state),
  .state = &panel_state,
  .realize = panel_realize,
  .unrealize = panel_unrealize,
  .reset = panel_reset,
  .pause = panel_pause,
};

static void
press_cb (void *data)
{
  Panel *panel = data;
  panel->state.pressed = 1;
  vt_line_pulse (panel->wake);
}

static void
button_cb (void *data, unsigned n, bool level)
{
  Panel *panel = data;
  if (level)
    vt_context_post (panel->base.context, press_cb, panel);
}

static void
free_line_cb (void *line)
{
  vt_line_free (line);
}

static void
free_ram_cb (void *ram)
{
  vt_ram_free (ram);
}

static bool
build (VtMachine *machine, VitrineConfig *config, GError **error)
{
  static const uint8_t jump[] = { 0xea, GUEST_BASE & 0xff, GUEST_BASE >> 8, 0, 0 };
  const char          *guest = vitrine_config_get_append (config);
  VtRam               *ram = vt_machine_ram (machine);

  if (g_str_equal (guest, "unbuildable"))
    return vt_set_error (error, VITRINE_ERROR_NOT_FOUND, "There is no such guest; write one.");
  vt_machine_map_ram (machine, 0, vt_ram_size (ram), 0);

  VtRam *rom = vt_ram_new ("rom", 4096, error);
  if (!rom)
    return false;
  vt_machine_own (machine, rom, free_ram_cb);
  memcpy (vt_ram_host (rom) + 0xff0, jump, sizeof jump);
  for (unsigned i = 0; i < G_N_ELEMENTS (guests); i++)
    if (g_str_has_prefix (guest, guests[i].name))
      memcpy (vt_ram_host (ram) + GUEST_BASE, guests[i].code,
              (size_t) (guests[i].end - guests[i].code));

  Panel *panel = (Panel *) vt_machine_add (machine, &panel_class, "panel", vt_machine_env (machine));
  panel->machine = machine;
  panel->reset = vt_machine_request_line (machine, VT_REQUEST_RESET);
  panel->poweroff = vt_machine_request_line (machine, VT_REQUEST_POWEROFF);
  panel->suspend = vt_machine_request_line (machine, VT_REQUEST_SUSPEND);
  panel->wake = vt_machine_request_line (machine, VT_REQUEST_WAKE);
  panel->console = vt_machine_add_console (machine, "screen");
  if (!vt_device_realize (&panel->base, error))
    return false;
  vt_region_map (vt_device_add_ram_region (&panel->base, rom, 0, 4096, VT_RAM_ROM, NULL), 0xfffff000, 1);
  if (!g_str_has_suffix (guest, "-buttonless"))
    {
      VtLine *button = vt_line_new (button_cb, panel, 0);
      vt_machine_own (machine, button, free_line_cb);
      vt_machine_set_power_button (machine, button);
    }

  Panel *second = (Panel *) vt_machine_add (machine, &panel_class, "bus/second",
                                            vt_machine_env_new (machine, "second"));
  second->stuck = g_str_has_suffix (guest, "-stuck");
  second->machine = machine;
  return vt_device_realize (&second->base, error);
}

static const VtBoardClass board = { "q35", "A test's own board", build };

const VtDeviceClass *const vt_device_classes[] = { &panel_class, NULL };
const VtBoardClass *const  vt_boards[] = { &board, NULL };

/* The rig ---------------------------------------------------------------------------------------- */

typedef struct
{
  VitrineMachine *machine;
  GError         *error;
  bool            answered;
} Rig;

static gboolean
timeout_cb (gpointer data)
{
  *(bool *) data = true;
  return G_SOURCE_REMOVE;
}

#define WAIT(condition)                                                                            \
  do                                                                                               \
    {                                                                                              \
      bool        late_ = false;                                                                   \
      const guint timer_ = g_timeout_add_seconds (PATIENCE, timeout_cb, &late_);                   \
      while (!(condition) && !late_)                                                               \
        g_main_context_iteration (NULL, TRUE);                                                     \
      if (late_)                                                                                   \
        g_error ("line %d: waited for " #condition "; the machine is %s: %s", __LINE__,            \
                 vitrine_state_to_string (vitrine_machine_get_state (rig.machine)),                \
                 vitrine_machine_get_status (rig.machine));                                        \
      g_source_remove (timer_);                                                                    \
    }                                                                                              \
  while (0)

static void
started_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Rig *rig = data;
  vitrine_machine_start_finish (VITRINE_MACHINE (source), result, &rig->error);
  rig->answered = true;
}

static VitrineMachine *
make (const char *guest, unsigned cpus)
{
  g_autoptr (VitrineConfig) config = vitrine_config_new ("test");
  g_object_set (config, "append", guest, "memory", (guint64) 4, "cpus", cpus, "cpu-engine", "kvm", NULL);
  return vitrine_machine_new (config);
}

static void
start (Rig *rig)
{
  rig->answered = false;
  vitrine_machine_start (rig->machine, started_cb, rig);
  g_assert_cmpint (vitrine_machine_get_state (rig->machine), ==, VITRINE_STATE_STARTING);
}

/* Without KVM, the error has been checked: the test is over. */
#define START(guest, cpus)                                                                         \
  Rig rig = { .machine = make (guest, cpus) };                                                     \
  start (&rig);                                                                                    \
  WAIT (rig.answered);                                                                             \
  if (rig.error)                                                                                   \
    {                                                                                              \
      check_no_kvm (&rig);                                                                         \
      return;                                                                                      \
    }                                                                                              \
  g_assert_true (rig.answered)

static void
check_no_kvm (Rig *rig)
{
  g_autoptr (VitrineKvmReport) report = vitrine_host_probe_kvm ();
  g_test_message ("no KVM here: %s", rig->error->message);
  g_assert_cmpint (report->status, !=, VITRINE_KVM_USABLE);
  g_assert_cmpint (report->status, !=, VITRINE_KVM_EMULATED);
  g_assert_nonnull (strstr (rig->error->message, report->remedy));
  g_assert_cmpint (vitrine_machine_get_state (rig->machine), ==, VITRINE_STATE_OFF);
  g_assert_cmpint (vitrine_machine_get_end (rig->machine), ==, VITRINE_END_ERROR);
  g_assert_cmpstr (vitrine_machine_get_status (rig->machine), ==, rig->error->message);
  g_clear_error (&rig->error);
  g_object_unref (rig->machine);
}

static Panel *
panel_of (Rig *rig)
{
  return vt_machine_of (rig->machine)->devices->pdata[0];
}

static bool
said (Rig *rig, const char *text)
{
  Panel *panel = panel_of (rig);
  g_mutex_lock (&panel->lock);
  const bool found = strstr (panel->output->str, text) != NULL;
  g_mutex_unlock (&panel->lock);
  return found;
}

static uint32_t
count_of (Rig *rig)
{
  return *(volatile uint32_t *) (void *) (vt_ram_host (vt_machine_of (rig->machine)->ram) + 0x3000);
}

static bool
is (Rig *rig, VitrineState state)
{
  return vitrine_machine_get_state (rig->machine) == state;
}

/* The guest goes on. It tells nobody, so this looks. */
static void
wait_progress (Rig *rig)
{
  const uint32_t from = count_of (rig);
  const gint64   until = g_get_monotonic_time () + PATIENCE * G_TIME_SPAN_SECOND;
  while (count_of (rig) == from)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, until);
      g_thread_yield ();
    }
}

#define CALL(function)                                                                             \
  do                                                                                               \
    {                                                                                              \
      GError *error_ = NULL;                                                                       \
      g_assert_true (vitrine_machine_##function (rig.machine, &error_));                           \
      g_assert_no_error (error_);                                                                  \
    }                                                                                              \
  while (0)

static void
refused (gboolean (*function) (VitrineMachine *, GError **), VitrineMachine *machine)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (function (machine, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE);
}

/* States ----------------------------------------------------------------------------------------- */

static void
test_pause (void)
{
  START ("counting", 2);
  WAIT (said (&rig, "R"));
  refused (vitrine_machine_resume, rig.machine);
  for (unsigned i = 0; i < 20; i++)
    {
      wait_progress (&rig);
      CALL (pause);
      refused (vitrine_machine_pause, rig.machine);
      WAIT (is (&rig, VITRINE_STATE_PAUSED));
      const uint32_t at = count_of (&rig);
      const int64_t  now = vt_clock_now (vt_machine_of (rig.machine)->clock);
      g_assert_true (vt_device_is_paused (&panel_of (&rig)->base));
      g_thread_yield ();
      g_assert_cmpuint (count_of (&rig), ==, at);
      g_assert_cmpint (vt_clock_now (vt_machine_of (rig.machine)->clock), ==, now);
      CALL (resume);
      WAIT (is (&rig, VITRINE_STATE_RUNNING));
    }
  wait_progress (&rig);

  /* Both at once: they are done in order. */
  CALL (pause);
  CALL (resume);
  WAIT (is (&rig, VITRINE_STATE_RUNNING));
  wait_progress (&rig);

  /* Reset while it is paused leaves it paused. */
  CALL (pause);
  WAIT (is (&rig, VITRINE_STATE_PAUSED));
  CALL (reset);
  CALL (resume);
  WAIT (said (&rig, "RR"));
  g_assert_cmpuint (panel_of (&rig)->n_resets, ==, 2);

  CALL (stop);
  WAIT (is (&rig, VITRINE_STATE_OFF));
  g_assert_cmpint (vitrine_machine_get_end (rig.machine), ==, VITRINE_END_STOPPED);
  g_assert_nonnull (vitrine_machine_get_status (rig.machine));
  refused (vitrine_machine_stop, rig.machine);
  refused (vitrine_machine_reset, rig.machine);

  /* And again, at once. */
  start (&rig);
  WAIT (rig.answered);
  g_assert_no_error (rig.error);
  WAIT (said (&rig, "R"));
  g_assert_cmpstr (vitrine_machine_get_cpu_engine (rig.machine), ==, "kvm");
  /* Dropped while it runs. */
  g_object_unref (rig.machine);
}

static void
test_user_reset (void)
{
  START ("counting", 1);
  WAIT (said (&rig, "R"));
  CALL (reset);
  WAIT (said (&rig, "RR"));
  g_object_unref (rig.machine);
}

static void
test_leaving (void)
{
  START ("leaving", 1);
  WAIT (is (&rig, VITRINE_STATE_OFF));
  g_assert_cmpint (vitrine_machine_get_end (rig.machine), ==, VITRINE_END_DEBUG_EXIT);
  g_assert_cmpint (vitrine_machine_get_exit_status (rig.machine), ==, 33);
  g_object_unref (rig.machine);
}

static void
test_poweroff (void)
{
  START ("poweroff", 1);
  WAIT (is (&rig, VITRINE_STATE_OFF));
  g_assert_cmpint (vitrine_machine_get_end (rig.machine), ==, VITRINE_END_POWEROFF);
  g_object_unref (rig.machine);
}

static void
test_guest_reset (void)
{
  START ("phoenix", 1);
  WAIT (said (&rig, "2"));
  /* Not one instruction after the write that asked for it. */
  g_assert_true (said (&rig, "12"));
  g_assert_cmpuint (panel_of (&rig)->n_resets, ==, 2);
  g_object_unref (rig.machine);
}

static void
test_triple_fault (void)
{
  START ("fault", 1);
  WAIT (said (&rig, "12"));
  WAIT (vitrine_machine_get_status (rig.machine));
  g_assert_nonnull (strstr (vitrine_machine_get_status (rig.machine), "triple fault"));
  g_assert_true (is (&rig, VITRINE_STATE_RUNNING));
  g_object_unref (rig.machine);
}

static void
test_crash (void)
{
  Rig rig = { .machine = make ("fault", 2) };
  g_object_set (rig.machine, "crash-on-triple-fault", TRUE, NULL);
  start (&rig);
  WAIT (rig.answered);
  if (rig.error)
    {
      check_no_kvm (&rig);
      return;
    }
  WAIT (is (&rig, VITRINE_STATE_CRASHED));
  g_assert_cmpint (vitrine_machine_get_end (rig.machine), ==, VITRINE_END_CRASH);
  g_assert_nonnull (strstr (vitrine_machine_get_status (rig.machine), "triple fault"));
  g_assert_nonnull (strstr (vitrine_machine_get_detail (rig.machine), "cr0"));
  g_assert_true (said (&rig, "1"));
  g_assert_false (said (&rig, "2"));
  refused (vitrine_machine_pause, rig.machine);
  refused (vitrine_machine_resume, rig.machine);

  CALL (reset);
  WAIT (said (&rig, "12"));
  WAIT (is (&rig, VITRINE_STATE_RUNNING));
  g_assert_cmpint (vitrine_machine_get_end (rig.machine), ==, VITRINE_END_NONE);
  g_assert_null (vitrine_machine_get_detail (rig.machine));
  g_object_unref (rig.machine);
}

static void
test_button (void)
{
  START ("button", 1);
  WAIT (said (&rig, "R"));
  CALL (shut_down);
  WAIT (is (&rig, VITRINE_STATE_OFF));
  g_assert_cmpint (vitrine_machine_get_end (rig.machine), ==, VITRINE_END_POWEROFF);
  refused (vitrine_machine_shut_down, rig.machine);
  g_object_unref (rig.machine);
}

static void
test_buttonless (void)
{
  g_autoptr (GError) error = NULL;
  START ("counting-buttonless", 1);
  g_assert_false (vitrine_machine_shut_down (rig.machine, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_UNSUPPORTED);
  g_object_unref (rig.machine);
}

static void
test_sleep (void)
{
  START ("sleeping", 1);
  WAIT (said (&rig, "S"));
  WAIT (vitrine_machine_get_status (rig.machine));
  g_assert_nonnull (strstr (vitrine_machine_get_status (rig.machine), "sleeps"));
  g_assert_false (said (&rig, "?"));
  CALL (pause);
  WAIT (is (&rig, VITRINE_STATE_PAUSED));
  CALL (resume);
  WAIT (is (&rig, VITRINE_STATE_RUNNING));
  g_assert_false (said (&rig, "?"));
  CALL (shut_down);
  WAIT (said (&rig, "SW"));
  g_object_unref (rig.machine);
}

/* A device that does not drain is named, and the machine can still go on or be stopped. */
static void
test_stuck (void)
{
  START ("counting-stuck", 1);
  WAIT (said (&rig, "R"));
  CALL (pause);
  WAIT (vitrine_machine_get_status (rig.machine));
  g_assert_true (is (&rig, VITRINE_STATE_PAUSING));
  g_assert_nonnull (strstr (vitrine_machine_get_status (rig.machine), "“bus/second”"));
  CALL (resume);
  WAIT (is (&rig, VITRINE_STATE_RUNNING));
  wait_progress (&rig);

  /* When its work ends after all, the pause completes. */
  CALL (pause);
  Panel *second = vt_machine_of (rig.machine)->devices->pdata[1];
  vt_context_lock (second->base.context);
  vt_device_paused (&second->base);
  vt_context_unlock (second->base.context);
  WAIT (is (&rig, VITRINE_STATE_PAUSED));
  g_object_unref (rig.machine);
}

static void
test_build_error (void)
{
  Rig rig = { .machine = make ("unbuildable", 1) };
  start (&rig);
  WAIT (rig.answered);
  g_assert_nonnull (rig.error);
  g_assert_cmpint (vitrine_machine_get_end (rig.machine), ==, VITRINE_END_ERROR);
  g_assert_cmpstr (vitrine_machine_get_status (rig.machine), ==, rig.error->message);
  g_assert_cmpuint (vitrine_machine_get_n_consoles (rig.machine), ==, 0);
  if (!strstr (rig.error->message, "write one"))
    {
      check_no_kvm (&rig);
      return;
    }
  g_clear_error (&rig.error);
  g_object_set (vitrine_machine_get_config (rig.machine), "append", "counting", NULL);
  start (&rig);
  /* A second start while it is starting is refused. */
  Rig other = { .machine = rig.machine };
  vitrine_machine_start (other.machine, started_cb, &other);
  WAIT (other.answered);
  g_assert_error (other.error, VITRINE_ERROR, VITRINE_ERROR_STATE);
  g_clear_error (&other.error);
  WAIT (rig.answered);
  g_assert_no_error (rig.error);
  g_object_unref (rig.machine);
}

/* Screens ---------------------------------------------------------------------------------------- */

static void
test_screen (void)
{
  VitrinePixels pixels;

  START ("counting", 1);
  g_assert_cmpuint (vitrine_machine_get_n_consoles (rig.machine), ==, 1);
  g_assert_null (vitrine_machine_open_screen (rig.machine, 1, TRUE));
  VitrineScreen *screen = vitrine_machine_open_screen (rig.machine, 0, TRUE);
  VitrineScreen *closed = vitrine_machine_open_screen (rig.machine, 0, FALSE);
  g_object_unref (closed);
  g_assert_true (vitrine_screen_get_pixels (screen, &pixels));
  g_assert_cmpint (pixels.width, ==, 64);
  g_assert_cmpint (pixels.height, ==, 48);
  vitrine_machine_position (rig.machine, 10, 10);

  g_autofree char   *path = g_build_filename (g_get_tmp_dir (), "vitrine-test-machine.png", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_true (vitrine_machine_screenshot (rig.machine, 0, path, &error));
  g_assert_no_error (error);
  g_assert_cmpint (unlink (path), ==, 0);

  /* The last picture outlives the machine. */
  CALL (stop);
  WAIT (is (&rig, VITRINE_STATE_OFF));
  g_assert_null (vt_display_console (rig.machine, 0));
  g_object_unref (rig.machine);
  g_assert_true (vitrine_screen_get_pixels (screen, &pixels));
  g_assert_cmphex (pixels.pixels[0], ==, 0x55);
  g_assert_cmphex (pixels.pixels[pixels.stride * 47 + 63 * 4], ==, 0x55);
  vitrine_screen_hint (screen, 100, 100, 0, 0);
  g_object_unref (screen);
}

/* Snapshots --------------------------------------------------------------------------------------- */

typedef struct
{
  int    fd;
  bool   load, done;
  GError *error;
} Transfer;

static void
transfer_cb (VtMachine *machine, void *data)
{
  Transfer *transfer = data;
  transfer->done = transfer->load ? vt_snapshot_load (machine, transfer->fd, &transfer->error)
                                  : vt_snapshot_save (machine, transfer->fd, &transfer->error);
}

static void
save (Rig *rig, int fd)
{
  Transfer transfer = { .fd = fd };
  vt_driver_call (vt_machine_of (rig->machine)->driver, transfer_cb, &transfer);
  g_assert_no_error (transfer.error);
  g_assert_true (transfer.done);
}

static bool
load (Rig *rig, int fd, GError **error)
{
  Transfer transfer = { .fd = fd, .load = true };
  vt_driver_call (vt_machine_of (rig->machine)->driver, transfer_cb, &transfer);
  g_assert_true (transfer.done == (transfer.error == NULL));
  if (transfer.error)
    g_propagate_error (error, transfer.error);
  return transfer.done;
}

static void
expect_refusal (Rig *rig, int fd, uint32_t count)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (load (rig, fd, &error));
  g_assert_nonnull (error->message);
  g_assert_cmpuint (count_of (rig), ==, count);
}

static GByteArray *
contents (int fd)
{
  GByteArray *bytes = g_byte_array_new ();
  g_byte_array_set_size (bytes, (guint) lseek (fd, 0, SEEK_END));
  g_assert_cmpint (pread (fd, bytes->data, bytes->len, 0), ==, (gssize) bytes->len);
  return bytes;
}

static void
put_contents (int fd, const uint8_t *data, size_t len)
{
  g_assert_cmpint (ftruncate (fd, 0), ==, 0);
  g_assert_cmpint (pwrite (fd, data, len, 0), ==, (gssize) len);
}

/* Where the section of @path begins. */
static size_t
find_section (const GByteArray *bytes, const char *path)
{
  size_t at = 16;
  while (at < bytes->len)
    {
      const uint8_t *head = bytes->data + at;
      if (vt_ld16 (head) == strlen (path) && memcmp (head + 24, path, strlen (path)) == 0)
        return at;
      at += 24u + vt_ld16 (head) + vt_ld16 (head + 2) + vt_ld64 (head + 8);
    }
  g_assert_not_reached ();
}

/* A forger mends the checksum, so what is behind it must hold by itself. */
static void
mend (GByteArray *bytes, size_t section)
{
  uint8_t       *head = bytes->data + section;
  const uint16_t path = vt_ld16 (head), klass = vt_ld16 (head + 2);
  uint64_t       sum = vt_snapshot_checksum (0, head + 24 + path + klass, vt_ld64 (head + 8));
  sum = vt_snapshot_checksum (sum, head, 16);
  sum = vt_snapshot_checksum (sum, head + 24, path);
  vt_st64 (head + 16, vt_snapshot_checksum (sum, head + 24 + path, klass));
}

/* Puts @value (8 bytes) at @offset of the payload of @path. */
static void
forge (Rig *rig, const GByteArray *bytes, const char *path, size_t offset, uint64_t value, int fd,
       uint32_t count)
{
  g_autoptr (GByteArray) forged = g_byte_array_new ();
  g_byte_array_append (forged, bytes->data, bytes->len);
  const size_t at = find_section (forged, path);
  uint8_t     *head = forged->data + at;
  g_assert_cmpuint (offset + 8, <=, vt_ld64 (head + 8));
  vt_st64 (head + 24 + vt_ld16 (head) + vt_ld16 (head + 2) + offset, value);
  mend (forged, at);
  put_contents (fd, forged->data, forged->len);
  expect_refusal (rig, fd, count);
}

static void
test_snapshot (void)
{
  GError *error = NULL;
  START ("counting", 2);
  const int fd = memfd_create ("snapshot", MFD_CLOEXEC), bad = memfd_create ("bad", MFD_CLOEXEC);

  /* Not while it runs. */
  g_assert_false (load (&rig, fd, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE);
  g_clear_error (&error);

  WAIT (said (&rig, "R"));
  wait_progress (&rig);
  CALL (pause);
  WAIT (is (&rig, VITRINE_STATE_PAUSED));
  const uint32_t count = count_of (&rig), in_device = panel_of (&rig)->state.count;
  const int64_t  clock = vt_clock_now (vt_machine_of (rig.machine)->clock);
  save (&rig, fd);
  g_autoptr (GByteArray) bytes = contents (fd);
  /* The 4 MiB of RAM are nearly all holes. */
  g_assert_cmpuint (bytes->len, <, 512 * 1024);

  CALL (resume);
  WAIT (is (&rig, VITRINE_STATE_RUNNING));
  wait_progress (&rig);
  CALL (pause);
  WAIT (is (&rig, VITRINE_STATE_PAUSED));
  const uint32_t later = count_of (&rig);
  g_assert_cmpuint (later, !=, count);
  vt_ram_host (vt_machine_of (rig.machine)->ram)[0x200000] = 7;

  /* Damage of every kind: each is refused, and nothing has changed. */
  for (size_t len = 0; len < bytes->len; len += len < 64 ? 1 : 1009)
    {
      put_contents (bad, bytes->data, len);
      expect_refusal (&rig, bad, later);
    }
  for (size_t at = 0; at < bytes->len; at += at < 64 ? 1 : 509)
    {
      put_contents (bad, bytes->data, bytes->len);
      const uint8_t flipped = bytes->data[at] ^ 0x40;
      g_autoptr (GError) ignored = NULL;
      g_assert_cmpint (pwrite (bad, &flipped, 1, (off_t) at), ==, 1);
      if (!load (&rig, bad, &ignored))
        g_assert_cmpuint (count_of (&rig), ==, later);
      else
        g_error ("byte %zu is in no checksum", at);
    }
  put_contents (bad, bytes->data, bytes->len);
  g_assert_cmpint (pwrite (bad, "x", 1, (off_t) bytes->len), ==, 1);
  expect_refusal (&rig, bad, later);
  /* One section less than there are devices. */
  put_contents (bad, bytes->data, bytes->len);
  const uint32_t fewer = vt_ld32 (bytes->data + 12) - 1;
  g_assert_cmpint (pwrite (bad, &fewer, 4, 12), ==, 4);
  expect_refusal (&rig, bad, later);

  /* Forgeries with the right checksum: the first extent of RAM is at byte 16 of its payload. */
  static const uint64_t offsets[] = { 1, 4 * VT_MIB, UINT64_MAX - 4095, VT_BIT (63), 0x3ff001 };
  static const uint64_t lengths[] = { 1, 4 * VT_MIB, VT_GIB, UINT64_MAX - 4095, VT_BIT (63), 0 };
  for (unsigned i = 0; i < G_N_ELEMENTS (offsets); i++)
    forge (&rig, bytes, "ram/ram", 16, offsets[i], bad, later);
  for (unsigned i = 0; i < G_N_ELEMENTS (lengths); i++)
    forge (&rig, bytes, "ram/ram", 24, lengths[i], bad, later);
  forge (&rig, bytes, "ram/ram", 0, 8 * VT_MIB, bad, later);
  forge (&rig, bytes, "panel", 0, VT_BIT (32) * 2, bad, later); /* "pressed" is 0 or 1. */
  forge (&rig, bytes, "cpu/ioapic", 8, 1000, bad, later);
  forge (&rig, bytes, "clock", 0, UINT64_MAX, bad, later);

  g_assert_true (load (&rig, fd, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (count_of (&rig), ==, count);
  g_assert_cmpuint (panel_of (&rig)->state.count, ==, in_device);
  g_assert_cmpint (vt_clock_now (vt_machine_of (rig.machine)->clock), ==, clock);
  g_assert_cmpint (vt_ram_host (vt_machine_of (rig.machine)->ram)[0x200000], ==, 0);

  /* The same machine again is the same file, but for what the processors' counters say. */
  save (&rig, bad);
  g_autoptr (GByteArray) again = contents (bad);
  g_assert_cmpuint (again->len, ==, bytes->len);

  CALL (resume);
  WAIT (is (&rig, VITRINE_STATE_RUNNING));
  wait_progress (&rig);
  g_assert_cmpuint (count_of (&rig), <, later + 100000000);
  g_object_unref (rig.machine);

  /* Another machine does not take it. */
  rig = (Rig){ .machine = make ("counting", 1) };
  start (&rig);
  WAIT (rig.answered);
  CALL (pause);
  WAIT (is (&rig, VITRINE_STATE_PAUSED));
  g_assert_false (load (&rig, fd, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "cpu/1"));
  g_clear_error (&error);
  g_object_unref (rig.machine);
  close (fd);
  close (bad);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/machine/pause", test_pause);
  g_test_add_func ("/machine/user-reset", test_user_reset);
  g_test_add_func ("/machine/leaving", test_leaving);
  g_test_add_func ("/machine/poweroff", test_poweroff);
  g_test_add_func ("/machine/guest-reset", test_guest_reset);
  g_test_add_func ("/machine/triple-fault", test_triple_fault);
  g_test_add_func ("/machine/crash", test_crash);
  g_test_add_func ("/machine/button", test_button);
  g_test_add_func ("/machine/buttonless", test_buttonless);
  g_test_add_func ("/machine/sleep", test_sleep);
  g_test_add_func ("/machine/stuck", test_stuck);
  g_test_add_func ("/machine/build-error", test_build_error);
  g_test_add_func ("/machine/screen", test_screen);
  g_test_add_func ("/machine/snapshot", test_snapshot);
  return g_test_run ();
}
