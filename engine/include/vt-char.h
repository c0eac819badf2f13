/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Byte channels: a device at one end, a pty, file, standard streams or socket at the other.
 */
#pragma once

#include "vt-base.h"
#include "vt-loop.h"

typedef struct VtChar VtChar;

/* The device's half; each runs on the device's context with its lock held. */
typedef struct
{
  /* How many bytes the device can take now. */
  size_t (*room) (void *data);
  void (*receive) (void *data, const uint8_t *bytes, size_t len); /* At most room(). */
  void (*writable) (void *data); /* vt_char_write() took less than all, and there is room again. */
  void (*opened) (void *data, bool open); /* A peer came or went. May be NULL. */
} VtCharUser;

typedef struct
{
  size_t (*write) (VtChar *chr, const uint8_t *bytes, size_t len);
  void (*poll) (VtChar *chr); /* The user has room again: read on. */
  /* A user has come (watches are made on its context) or is about to go. May be NULL. */
  void (*attached) (VtChar *chr, bool attached);
  void (*close) (VtChar *chr); /* Frees. */
} VtCharOps;

struct VtChar
{
  const VtCharOps  *ops;
  const VtCharUser *user;
  void             *user_data;
  VtContext        *context; /* Of the user; set by attach. */
  char             *name;    /* For messages and `vitrine show`: "/dev/pts/3". */
};

/* The device takes the channel; NULL @user lets go. On the device's context, lock held. */
void vt_char_attach (VtChar *chr, VtContext *context, const VtCharUser *user, void *data);
/* Never blocks. Returns how many bytes were taken; NULL @chr takes all. User's context, lock held. */
size_t vt_char_write (VtChar *chr, const uint8_t *bytes, size_t len);
void   vt_char_poll (VtChar *chr); /* NULL is allowed. */
void   vt_char_close (VtChar *chr); /* Detached. NULL is allowed. */

/* Back ends. */
VtChar *vt_char_new_stdio (GError **error); /* Raw terminal where it is one; restored at close. */
VtChar *vt_char_new_pty (GError **error);
VtChar *vt_char_new_file (const char *path, GError **error); /* Write only, truncated. */
/* A UNIX stream socket that listens at @path (unlinked at close); one peer at a time. What the guest
 * wrote while none was there is kept up to @backlog bytes, newest first to stay. */
VtChar *vt_char_new_socket (const char *path, size_t backlog, GError **error);
/* For tests: what the device wrote is gathered, and bytes can be fed; on a manual context. */
VtChar     *vt_char_new_memory (void);
GByteArray *vt_char_memory_output (VtChar *chr);
void        vt_char_memory_feed (VtChar *chr, const void *bytes, size_t len);
