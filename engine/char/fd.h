/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A byte channel over file descriptors: what standard streams, ptys, files and sockets share.
 */
#pragma once

#include "vt-char.h"

typedef struct
{
  VtChar   chr; /* First: a VtChar is cast to this. */
  int      in, out; /* Owned, or -1; two numbers even for one file, so that each has its watch. */
  VtWatch *in_watch, *out_watch;
  VtKick  *in_kick;     /* Instead of in_watch, for a file that can't be watched. */
  bool     in_plain;    /* Such a file: it is always ready. */
  bool     in_ended;    /* Nothing more will come from this peer. */
  bool     out_ended;   /* The peer reads no more. */
  bool     out_pipe;    /* Writes may raise SIGPIPE. */
  bool     out_socket;
  bool     out_careful; /* The description is shared and may block: ask before each write. */
  bool     keep_in;     /* The end of input does not end the peer (standard streams). */

  /* What was written while no peer was there, the newest bytes; head is the oldest. */
  uint8_t *backlog;
  size_t   backlog_size, backlog_head, backlog_len;

  void (*peer_gone) (VtChar *chr); /* The peer's descriptors have just been closed. May be NULL. */
} VtCharFd;

/* @chr must be zeroed. Takes @name. Without descriptors yet. */
void vt_char_fd_init (VtCharFd *c, const VtCharOps *ops, char *name, size_t backlog);
/* Closes and frees what init and open made, but not @c. */
void vt_char_fd_finish (VtCharFd *c);

/* A peer has come: takes both descriptors, either may be -1. */
void vt_char_fd_open (VtCharFd *c, int in, int out);
/* The peer is gone: closes the descriptors. */
void vt_char_fd_close (VtCharFd *c);
bool vt_char_fd_is_open (const VtCharFd *c);

/* For VtCharOps, as they are or called by the back end's own. */
size_t vt_char_fd_write (VtChar *chr, const uint8_t *bytes, size_t len);
void   vt_char_fd_poll (VtChar *chr);
void   vt_char_fd_attached (VtChar *chr, bool attached);
