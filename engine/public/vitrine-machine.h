/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A machine that runs in this process. Every function is for the thread of the default main context,
 * where every signal and notify is emitted too; nothing here waits for the guest.
 */
#pragma once

#include "vitrine-config.h"

G_BEGIN_DECLS

typedef enum
{
  VITRINE_STATE_OFF,      /* Not built, or ended: status() tells why. */
  VITRINE_STATE_STARTING,
  VITRINE_STATE_RUNNING,
  VITRINE_STATE_PAUSING,
  VITRINE_STATE_PAUSED,
  VITRINE_STATE_STOPPING,
  VITRINE_STATE_CRASHED,  /* The guest can't go on; its memory and screen are still there to see. */
} VitrineState;

#define VITRINE_TYPE_STATE (vitrine_state_get_type ())
GType vitrine_state_get_type (void);

typedef enum
{
  VITRINE_END_NONE,       /* Still on, or never was. */
  VITRINE_END_POWEROFF,   /* The guest switched itself off. */
  VITRINE_END_STOPPED,    /* The user pulled the plug. */
  VITRINE_END_DEBUG_EXIT, /* isa-debug-exit; exit-status has the value. */
  VITRINE_END_ERROR,      /* It couldn't start. */
  VITRINE_END_CRASH,      /* Triple fault, KVM internal error, emulation failure. */
} VitrineEnd;

#define VITRINE_TYPE_END (vitrine_end_get_type ())
GType vitrine_end_get_type (void);

/* Properties: "config" (construct-only), "state", "end", "status" (a sentence: why it is in this
 * state, NULL where there is nothing to say), "detail" (registers and decoded instruction after a
 * crash, for the folded part of the message), "exit-status", "cpu-engine" (the one in use),
 * "cpu-detail" (sentences: how it runs the guest's code, and why this one was chosen).
 * On a triple fault the machine resets unless "crash-on-triple-fault". */
#define VITRINE_TYPE_MACHINE (vitrine_machine_get_type ())
G_DECLARE_FINAL_TYPE (VitrineMachine, vitrine_machine, VITRINE, MACHINE, GObject)

VitrineMachine *vitrine_machine_new (VitrineConfig *config);

/* Builds and starts; returns at once. A failure to build ends in STATE_OFF, END_ERROR and is given to
 * @callback's vitrine_machine_start_finish(). */
void     vitrine_machine_start (VitrineMachine *machine, GAsyncReadyCallback callback, gpointer data);
gboolean vitrine_machine_start_finish (VitrineMachine *machine, GAsyncResult *result, GError **error);

/* Requests to the state driver, done in order; each false with VITRINE_ERROR_STATE where it makes no
 * sense in the present state. */
gboolean vitrine_machine_pause (VitrineMachine *machine, GError **error);
gboolean vitrine_machine_resume (VitrineMachine *machine, GError **error);
gboolean vitrine_machine_reset (VitrineMachine *machine, GError **error);
gboolean vitrine_machine_shut_down (VitrineMachine *machine, GError **error); /* Power button. */
gboolean vitrine_machine_stop (VitrineMachine *machine, GError **error);      /* Pulls the plug. */

/* Overrides for this run, before start: serial port @n's back end ("stdio", "pty", "file:PATH",
 * "socket:PATH"). */
void vitrine_machine_set_serial (VitrineMachine *machine, guint n, const char *backend);

VitrineState vitrine_machine_get_state (VitrineMachine *machine);
VitrineEnd   vitrine_machine_get_end (VitrineMachine *machine);
const char  *vitrine_machine_get_status (VitrineMachine *machine);
const char  *vitrine_machine_get_detail (VitrineMachine *machine);
int          vitrine_machine_get_exit_status (VitrineMachine *machine);
const char  *vitrine_machine_get_cpu_engine (VitrineMachine *machine);
const char  *vitrine_machine_get_cpu_detail (VitrineMachine *machine);
VitrineConfig *vitrine_machine_get_config (VitrineMachine *machine);
const char *vitrine_state_to_string (VitrineState state); /* "running": stable, not translated. */

/* Keyboard and pointer to the guest; Linux evdev codes. */
void     vitrine_machine_key (VitrineMachine *machine, guint code, gboolean down);
void     vitrine_machine_motion (VitrineMachine *machine, int dx, int dy);
/* @x, @y in guest pixels of the first console. */
void     vitrine_machine_position (VitrineMachine *machine, int x, int y);
void     vitrine_machine_button (VitrineMachine *machine, guint button, gboolean down); /* 1 left, 2 middle, 3 right */
void     vitrine_machine_wheel (VitrineMachine *machine, int dx, int dy);
void     vitrine_machine_release_keys (VitrineMachine *machine);
gboolean vitrine_machine_pointer_is_absolute (VitrineMachine *machine);

/* The drives with a changeable medium: ids such as "cd0". (transfer container, element none) */
char   **vitrine_machine_list_media (VitrineMachine *machine);
/* Whether drive @id has its tray out, by the guest's eject or a change without a new medium. FALSE where
 * there is no such drive. */
gboolean vitrine_machine_tray_is_open (VitrineMachine *machine, const char *id);
/* @path NULL: eject. Waits for the device's context, at most some milliseconds. */
gboolean vitrine_machine_change_medium (VitrineMachine *machine, const char *id, const char *path,
                                        gboolean force, GError **error);

guint    vitrine_machine_get_n_consoles (VitrineMachine *machine);
/* Writes console @n's picture as PNG. */
gboolean vitrine_machine_screenshot (VitrineMachine *machine, guint n, const char *path, GError **error);
/* What console @n says where it is in a text mode (transfer full): rows without trailing blanks, each
 * ended by a newline. An error where it shows graphics. */
char    *vitrine_machine_get_text (VitrineMachine *machine, guint n, GError **error);

/* Where serial port @n can be reached: a pty's or socket's path; NULL where it can't. */
const char *vitrine_machine_get_serial_name (VitrineMachine *machine, guint n);

/* The local window's view of a console ---------------------------------------------------------- */

/* Signals: "resized" (width, height), "damaged" (x, y, width, height), "cursor-changed". */
#define VITRINE_TYPE_SCREEN (vitrine_screen_get_type ())
G_DECLARE_FINAL_TYPE (VitrineScreen, vitrine_screen, VITRINE, SCREEN, GObject)

/* NULL where the machine has no such console (or is not built yet). */
VitrineScreen *vitrine_machine_open_screen (VitrineMachine *machine, guint n, gboolean live);

typedef struct
{
  int           width, height, stride; /* x8r8g8b8, top-down. */
  const guint8 *pixels; /* Valid until the next "resized" or the screen's end. */
} VitrinePixels;

/* FALSE where there is no picture. */
gboolean vitrine_screen_get_pixels (VitrineScreen *screen, VitrinePixels *pixels);

typedef struct
{
  gboolean       visible;
  int            width, height, hot_x, hot_y;
  const guint32 *argb; /* Premultiplied; valid until the next "cursor-changed". */
} VitrineCursor;

void vitrine_screen_get_cursor (VitrineScreen *screen, VitrineCursor *cursor);
/* What the window would like, in physical pixels, for the guest's EDID. */
void vitrine_screen_hint (VitrineScreen *screen, int width, int height, int width_mm, int height_mm);

G_END_DECLS
