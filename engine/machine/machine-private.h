/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One run of a machine: everything that was built for it, and the state driver that drives it. Shared
 * by the files of this folder and by nobody else but the tests.
 */
#pragma once

#include "cpu/vcpu.h"
#include "vitrine-machine.h"
#include "vt-board.h"
#include "vt-display.h"

#define VT_MACHINE_SERIALS 4u
#define VT_MACHINE_REQUESTS (VT_REQUEST_DEBUG_EXIT + 1)

typedef struct
{
  char              *id;
  VtDevice          *dev;
  unsigned           slot;
  const VtMediumOps *ops;
} VtMedium;

typedef struct
{
  void *object;
  void (*destroy) (void *object);
} VtOwned;

typedef struct VtDriver VtDriver;

struct VtMachine
{
  VitrineConfig *config;
  char          *serial_override[VT_MACHINE_SERIALS]; /* NULL: as configured. */

  VtClock     *clock;
  VtSpace     *space;
  VtRam       *ram;
  VtCpuEngine *cpus;
  GPtrArray   *envs;    /* VtDeviceEnv, each with its context; the first is the platform's. */
  GPtrArray   *devices; /* VtDevice, in order of reset, save and resume. */
  GArray      *owned;   /* VtOwned, freed after the devices, the last first. */
  VtInput     *input;
  GPtrArray   *consoles; /* VtConsole */
  GArray      *media;    /* VtMedium */
  VtChar      *serial[VT_MACHINE_SERIALS];
  VtLine      *gsi[VT_CPU_GSIS];
  VtLine      *request[VT_MACHINE_REQUESTS];
  VtLine      *hpet_legacy;
  VtLine      *smi[2];
  bool         smm;
  VtLine      *power_button; /* The board's. */
  VtMsiSink    msi;
  VtChips      chips;      /* The board's, where the CPU engine has none. */
  VtDriver    *driver;
};

/* board.c: an empty machine, and its end (every thread but the driver's is gone then). */
VtMachine *vt_machine_new (VitrineConfig *config);
void       vt_machine_free (VtMachine *machine);
/* The parts that the configuration names, then the board. Also on failure only good to be freed. */
bool vt_machine_build (VtMachine *machine, GError **error);
/* Tells the CPU engine every line's level, as after a reset of its chips. */
void vt_machine_replay_lines (VtMachine *machine);

/* serial.c */
bool vt_machine_open_serials (VtMachine *machine, GError **error);

/* driver.c ------------------------------------------------------------------------------------- */

/* What the driver tells the default main context. */
typedef struct
{
  VitrineState state;
  VitrineEnd   end;
  int          exit_status;
  char        *status, *detail; /* May be NULL. */
  const char  *cpu_engine;      /* NULL until there is one. */
  char        *cpu_detail;
  bool         started;         /* The answer to the start request; @error tells of its failure. */
  GError      *error;
} VtUpdate;

typedef enum
{
  VT_COMMAND_PAUSE,
  VT_COMMAND_RESUME,
  VT_COMMAND_RESET,
  VT_COMMAND_POWER_BUTTON,
  VT_COMMAND_STOP,
} VtCommand;

/* @update runs on the default main context, never after vt_driver_forget(). @previous: the thread of
 * the run before, which is waited for first; may be NULL. */
VtDriver *vt_driver_new (VtMachine *machine, GThread *previous,
                         void (*update) (void *data, const VtUpdate *update), void *data);
/* To be joined by whoever starts the next run, or ends the program. */
GThread *vt_driver_thread (VtDriver *driver);
void vt_driver_command (VtDriver *driver, VtCommand command);
void vt_driver_set_crash_on_triple_fault (VtDriver *driver, bool crash);
/* From a guest. Any thread, any lock: the vCPUs are held at once and the driver does the rest. */
void vt_driver_request (VtDriver *driver, VtRequest request, int exit_status);
/* Likewise, from a CPU engine. */
void vt_driver_cpu_ended (VtDriver *driver, const VtCpuEnd *end);
/* Runs @func on the driver's thread and waits for it; for saving, loading and tests. Default main
 * context's thread. */
void vt_driver_call (VtDriver *driver, void (*func) (VtMachine *machine, void *data), void *data);
/* Whether everything is drained: on the driver's thread. */
bool vt_driver_is_paused (const VtDriver *driver);
/* No update is delivered any more. The driver's thread frees the machine and the driver, and ends. */
void vt_driver_forget (VtDriver *driver);

void vt_update_clear (VtUpdate *update);

/* machine.c: the present run, NULL where there is none; only on the default main context. */
VtMachine *vt_machine_of (VitrineMachine *machine);
/* screen.c: lets go of the console and keeps a copy of the last picture. */
void vt_screen_detach (VitrineScreen *screen);
VitrineScreen *vt_screen_new (VtConsole *console, bool live);
