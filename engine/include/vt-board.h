/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a board (q35) sees of the machine that it is built into. Only boards may include this:
 * a device gets lines and memory, never the machine.
 */
#pragma once

#include "vitrine-config.h"
#include "vt-block.h"
#include "vt-char.h"
#include "vt-chips.h"
#include "vt-console.h"
#include "vt-device.h"
#include "vt-input.h"

typedef struct VtMachine VtMachine;

typedef struct
{
  const char *id;          /* "q35": the value of the configuration's "board". */
  const char *description; /* For `vitrine doctor` and the details page. */
  /* Builds every device. The machine frees what it was given, also where this fails. */
  bool (*build) (VtMachine *machine, VitrineConfig *config, GError **error);
  bool has_chips; /* It makes interrupt controllers where vt_machine_wants_chips(). */
} VtBoardClass;

/* NULL-terminated: devices/catalogue.c. */
extern const VtBoardClass *const vt_boards[];

/* The environment for a device on the platform context. */
const VtDeviceEnv *vt_machine_env (VtMachine *machine);
/* The same on a context of its own (made here; ends with the machine), named @name. */
const VtDeviceEnv *vt_machine_env_new (VtMachine *machine, const char *name);

/* A device of the machine, in order of reset, save and resume (pause goes backwards). The board
 * fills its wiring and calls vt_device_realize(). */
VtDevice *vt_machine_add (VtMachine *machine, const VtDeviceClass *klass, const char *path,
                          const VtDeviceEnv *env);

/* All guest RAM in one block; the board maps it below and above the PCI hole. */
VtRam   *vt_machine_ram (VtMachine *machine);
/* Maps [@offset, @offset + @size) of the RAM at @gpa, priority 0, for good. */
void     vt_machine_map_ram (VtMachine *machine, uint64_t offset, uint64_t size, VtGpa gpa);
unsigned vt_machine_n_cpus (VtMachine *machine);
VtInput *vt_machine_input (VtMachine *machine);

/* Interrupts: global system interrupt @gsi of the I/O APIC and, below 16, of the PIC pair; which
 * CPU engine serves them is not the board's business. Share lines with vt_line_share(). */
VtLine          *vt_machine_gsi (VtMachine *machine, unsigned gsi);
const VtMsiSink *vt_machine_msi (VtMachine *machine);
/* Whether the CPU engine has no interrupt controllers of its own: then the board makes them before
 * anything that has an interrupt, and gives them here. Their devices are the first to be reset. */
bool             vt_machine_wants_chips (VtMachine *machine);
void             vt_machine_set_chips (VtMachine *machine, const VtChips *chips);
/* Address line 20 is always open under KVM, as on every such machine: the kernel has no way to mask
 * it, and no firmware or system since the 80286 depends on the wrap. The call is for a translator. */
void             vt_machine_set_a20 (VtMachine *machine, bool enabled);
/* High while the HPET drives timer interrupt 0 instead of the interval timer (legacy replacement). */
VtLine          *vt_machine_hpet_legacy (VtMachine *machine);

/* Whether processors have system management mode, which the configuration may leave out; then a pulse is an SMI to the
 * processor whose access brings it (where none does, to the first), or to @all. */
bool    vt_machine_has_smm (VtMachine *machine);
VtLine *vt_machine_smi (VtMachine *machine, bool all);

/* Four pages that a CPU engine may use for itself; reserved in the guest's memory map (e820). */
#define VT_CPU_RESERVED_BASE UINT64_C (0xfeffc000)
#define VT_CPU_RESERVED_SIZE UINT64_C (0x4000)

typedef enum
{
  VT_REQUEST_RESET,     /* Warm: reset control register, keyboard controller, triple fault. */
  VT_REQUEST_POWEROFF,  /* ACPI S5. */
  VT_REQUEST_SUSPEND,   /* ACPI S3. */
  VT_REQUEST_WAKE,
  VT_REQUEST_DEBUG_EXIT, /* isa-debug-exit: ends like a power-off. */
} VtRequest;

/* Wires for the devices: a rise asks the state driver. Owned by the machine. */
VtLine *vt_machine_request_line (VtMachine *machine, VtRequest request);
/* With a value that `vitrine run` gives as its exit status. Any thread. */
void vt_machine_request_exit (VtMachine *machine, int status);

/* The button that "shut down" presses; the board's wire, high while pressed. */
void vt_machine_set_power_button (VtMachine *machine, VtLine *line);

/* A scanout; owned by the machine. */
VtConsole *vt_machine_add_console (VtMachine *machine, const char *name);
/* Owned by the machine: closed with it. */
void vt_machine_own_block (VtMachine *machine, VtBlock *block);
void vt_machine_own_char (VtMachine *machine, VtChar *chr);
/* Anything else (buses, shared lines): @destroy runs after the devices are gone, the last first. */
void vt_machine_own (VtMachine *machine, void *object, void (*destroy) (void *object));
/* The channel for serial port @n as the configuration or the command line says; NULL: none. */
VtChar *vt_machine_serial (VtMachine *machine, unsigned n);

/* A drive whose medium can be changed: @change runs on the device's context with its lock held, takes
 * @block over on success (NULL: eject), and refuses where the guest has locked the tray, unless
 * @force. @tray_open, likewise: whether the tray is out, and the medium not the guest's to read. */
typedef struct
{
  bool (*change) (VtDevice *dev, unsigned slot, VtBlock *block, bool force, GError **error);
  bool (*tray_open) (VtDevice *dev, unsigned slot);
} VtMediumOps;
void vt_machine_add_medium (VtMachine *machine, const char *id, VtDevice *dev, unsigned slot,
                            const VtMediumOps *ops);
