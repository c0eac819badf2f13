/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A machine's configuration: GObject classes with properties only. Ranges, defaults, nicks and
 * blurbs are in the GParamSpecs; property bindings feed the settings pages, json-glib does the file.
 */
#pragma once

#include <glib-object.h>
#include <gio/gio.h>

#include "vitrine-error.h"

G_BEGIN_DECLS

/* A disk: properties "path" (relative to the machine's folder or absolute), "bus" ("ahci"),
 * "read-only", "direct", "discard". */
#define VITRINE_TYPE_DISK (vitrine_disk_get_type ())
G_DECLARE_FINAL_TYPE (VitrineDisk, vitrine_disk, VITRINE, DISK, GObject)

/* A CD drive: "path" (empty: no medium). */
#define VITRINE_TYPE_CDROM (vitrine_cdrom_get_type ())
G_DECLARE_FINAL_TYPE (VitrineCdrom, vitrine_cdrom, VITRINE, CDROM, GObject)

/* A serial port: "backend" ("none", "socket", "stdio", "pty", "file"), "path". */
#define VITRINE_TYPE_SERIAL (vitrine_serial_get_type ())
G_DECLARE_FINAL_TYPE (VitrineSerial, vitrine_serial, VITRINE, SERIAL, GObject)

/* The display: "model" ("vga", "bochs-display", "none"), "vram" (MiB, 1-256, a power of two),
 * "width", "height" (preferred, for the EDID). */
#define VITRINE_TYPE_DISPLAY (vitrine_display_get_type ())
G_DECLARE_FINAL_TYPE (VitrineDisplay, vitrine_display, VITRINE, DISPLAY, GObject)

/* Remote viewing: "enabled", "address", "port" (0: any free), "tls", "password". */
#define VITRINE_TYPE_REMOTE (vitrine_remote_get_type ())
G_DECLARE_FINAL_TYPE (VitrineRemote, vitrine_remote, VITRINE, REMOTE, GObject)

/* The machine: "name", "uuid", "description", "board" ("q35"), "cpus" (1-255), "memory" (MiB),
 * "cpu-engine" ("auto", "kvm", "translate"), "kernel-irqchip" ("auto", "on", "off"), "smm" ("auto", "on", "off"), "firmware" ("bios",
 * or a path to an image), "nvram" (a path to a flash image), "kernel", "initrd", "append", "boot-menu",
 * "boot-order" (letters: c disk, d CD), "rtc-local", "debug-exit" (isa-debug-exit, for test guests).
 * Objects: "display", "remote". Lists: disks, cdroms, serials (GListModel). */
#define VITRINE_TYPE_CONFIG (vitrine_config_get_type ())
G_DECLARE_FINAL_TYPE (VitrineConfig, vitrine_config, VITRINE, CONFIG, GObject)

/* Signal "changed": a property of it, of a part or of a list's member changed, or a list did. */
VitrineConfig *vitrine_config_new (const char *name);

/* The longest name of a machine, in bytes: "NAME.vitrine" must be a file's name everywhere. */
#define VITRINE_CONFIG_MAX_NAME 200
/* Whether @name can be a machine's: not empty or too long, no slash, no control character, no dot or
 * dash at its start. */
gboolean vitrine_config_check_name (const char *name, GError **error);
/* The values that a string property accepts, NULL-terminated; NULL where any text will do. */
const char *const *vitrine_config_get_choices (GParamSpec *pspec);

/**
 * vitrine_config_load:
 * @folder: a NAME.vitrine folder with a machine.json.
 *
 * Unknown keys are kept and written back. A wrong type, an out-of-range value, a missing required
 * key or a truncated file is one error that names file, line where known, and property.
 */
VitrineConfig *vitrine_config_load (const char *folder, GError **error);
/* Writes @folder/machine.json atomically (temporary file, fsync, rename). */
gboolean vitrine_config_save (VitrineConfig *config, const char *folder, GError **error);
/* Names the property at fault. */
gboolean vitrine_config_validate (VitrineConfig *config, GError **error);
/* The file's text, as saved. (transfer full) */
char *vitrine_config_to_json (VitrineConfig *config);
VitrineConfig *vitrine_config_from_json (const char *json, const char *origin, GError **error);

/* The folder that it was loaded from or saved to; NULL before. */
const char *vitrine_config_get_folder (VitrineConfig *config);
/* @path made absolute against the folder. (transfer full) */
char *vitrine_config_resolve (VitrineConfig *config, const char *path);

const char *vitrine_config_get_name (VitrineConfig *config);
const char *vitrine_config_get_uuid (VitrineConfig *config);
const char *vitrine_config_get_board (VitrineConfig *config);
guint       vitrine_config_get_cpus (VitrineConfig *config);
guint64     vitrine_config_get_memory (VitrineConfig *config); /* MiB. */
const char *vitrine_config_get_cpu_engine (VitrineConfig *config);
const char *vitrine_config_get_kernel_irqchip (VitrineConfig *config);
const char *vitrine_config_get_smm (VitrineConfig *config);
/* Where distributions describe their firmware images; and whether a description there of @image has @feature. */
#define VITRINE_FIRMWARE_FOLDER "/usr/share/qemu/firmware"
gboolean vitrine_firmware_needs (const char *folder, const char *image, const char *feature);
const char *vitrine_config_get_firmware (VitrineConfig *config);
const char *vitrine_config_get_nvram (VitrineConfig *config);  /* NULL or "": none. */
const char *vitrine_config_get_kernel (VitrineConfig *config); /* NULL or "": none. */
const char *vitrine_config_get_initrd (VitrineConfig *config);
const char *vitrine_config_get_append (VitrineConfig *config);
gboolean    vitrine_config_get_boot_menu (VitrineConfig *config);
const char *vitrine_config_get_boot_order (VitrineConfig *config);
gboolean    vitrine_config_get_rtc_local (VitrineConfig *config);
gboolean    vitrine_config_get_debug_exit (VitrineConfig *config);
VitrineDisplay *vitrine_config_get_display (VitrineConfig *config);
VitrineRemote  *vitrine_config_get_remote (VitrineConfig *config);
GListModel     *vitrine_config_get_disks (VitrineConfig *config);   /* of VitrineDisk */
GListModel     *vitrine_config_get_cdroms (VitrineConfig *config);  /* of VitrineCdrom */
GListModel     *vitrine_config_get_serials (VitrineConfig *config); /* of VitrineSerial, at most 4 */
void vitrine_config_add_disk (VitrineConfig *config, VitrineDisk *disk);
void vitrine_config_add_cdrom (VitrineConfig *config, VitrineCdrom *cdrom);
void vitrine_config_add_serial (VitrineConfig *config, VitrineSerial *serial);
void vitrine_config_remove (VitrineConfig *config, gpointer device); /* Any of the three. */

const char *vitrine_disk_get_path (VitrineDisk *disk);
gboolean    vitrine_disk_get_read_only (VitrineDisk *disk);
gboolean    vitrine_disk_get_direct (VitrineDisk *disk);
gboolean    vitrine_disk_get_discard (VitrineDisk *disk);
const char *vitrine_cdrom_get_path (VitrineCdrom *cdrom);
const char *vitrine_serial_get_backend (VitrineSerial *serial);
const char *vitrine_serial_get_path (VitrineSerial *serial);
const char *vitrine_display_get_model (VitrineDisplay *display);
guint       vitrine_display_get_vram (VitrineDisplay *display);
guint       vitrine_display_get_width (VitrineDisplay *display);
guint       vitrine_display_get_height (VitrineDisplay *display);
gboolean    vitrine_remote_get_enabled (VitrineRemote *remote);
const char *vitrine_remote_get_address (VitrineRemote *remote);
guint       vitrine_remote_get_port (VitrineRemote *remote);
gboolean    vitrine_remote_get_tls (VitrineRemote *remote);
const char *vitrine_remote_get_password (VitrineRemote *remote);

G_END_DECLS
