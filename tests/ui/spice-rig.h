/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A machine's half of the SPICE server, for its tests: a console and input ports on a context of
 * their own, whose devices note what they get; and waiting, with a deadline, for what viewers and the
 * server's threads do.
 */
#pragma once

#include "spice-viewer.h"
#include "spice/server.h"

#define WAIT_DEADLINE (30 * G_USEC_PER_SEC)

/* Lets the main context run for some milliseconds. Whether it is before @until, in the time of
 * g_get_monotonic_time(). */
bool wait_turn (gint64 until);

/* Lets the main context run until @condition holds; in vain is a failure. */
#define wait_for(condition) \
  G_STMT_START \
  { \
    gint64 until_ = g_get_monotonic_time () + WAIT_DEADLINE; \
    while (!(condition)) \
      if (!wait_turn (until_)) \
        g_error ("%s:%d: waited in vain for %s", __FILE__, __LINE__, #condition); \
  } \
  G_STMT_END

/* Lets the main context run for @ms. */
void wait_ms (int ms);

typedef struct
{
  VtContext   *context; /* The device's. */
  VtConsole   *console;
  VtInput     *input;
  VtSurface   *surface;
  VtInputPort *keyboard, *mouse, *tablet; /* No tablet at first. */
  GMutex       lock;
  GString     *log; /* Of what the guest's devices got. Under @lock. */
  int          hint_width, hint_height;

  /* A device that draws 60 times a second. */
  VtTimer *timer;
  unsigned frames;
  int64_t  longest; /* ns in the console's functions. */
  GRand   *rand;
} Rig;

/* Shows 800 × 600 pixels. */
Rig *rig_new (void);
void rig_free (Rig *rig);

/* A picture of a new size, and a rectangle of the picture, painted as @seed has it. */
void rig_set_surface (Rig *rig, int width, int height, unsigned seed);
void rig_damage (Rig *rig, int x, int y, int width, int height, unsigned seed);

/* Whether the device draws of itself. It doesn't at first. */
void rig_set_drawing (Rig *rig, bool drawing);

void rig_add_tablet (Rig *rig);
void rig_remove_tablet (Rig *rig);

/* Whether the devices got @text since the log was cleared: keys are k30+ and k30-, movements m5,-7,
 * positions p0,32767, turns of the wheel w0,1, buttons b0+. */
bool rig_logged (Rig *rig, const char *text);
void rig_clear_log (Rig *rig);

/* Whether @viewer sees what the machine shows. */
bool rig_shown (Rig *rig, const Viewer *viewer);

/* A server of the rig's console and input, which must start. */
VitrineSpiceServer *rig_serve (Rig *rig, const VitrineSpiceOptions *options);
/* Stops @server and drops the reference; @gone becomes non-zero with the end of its thread. */
void                rig_stop_server (VitrineSpiceServer *server, gint *gone);
/* The same, and waits for that end, so that nothing of a test reaches into the next. */
void                rig_end_server (VitrineSpiceServer *server);

/* A viewer at the port without TLS. */
Viewer *rig_view (VitrineSpiceServer *server, const char *password);

/* g_test_init(), but for warnings: both libraries warn about refused viewers, which are part of the
 * tests. */
void rig_test_init (int *argc, char ***argv);
