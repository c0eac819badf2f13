/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Addresses and listening sockets.
 */
#pragma once

#include <sys/socket.h>

#include "vt-base.h"

typedef struct
{
  struct sockaddr_storage sockaddr;
  socklen_t               len;
  char                    text[64]; /* Numeric. */
  bool                    loopback; /* Only programs of this computer can reach it. */
  bool                    any;      /* All addresses of this computer. */
} VtSpiceAddress;

/* @text: a numeric IPv4 or IPv6 address, or "localhost"; NULL: 127.0.0.1. Names are not looked up:
 * a name server could keep the caller waiting. */
bool vt_spice_address_parse (const char *text, VtSpiceAddress *address, GError **error);

/* A bound socket with CLOEXEC, listening if @listening; -1 and @error otherwise. @port 0: any free
 * one. */
int vt_spice_bind (const VtSpiceAddress *address, uint16_t port, bool listening, GError **error);

/* The port that @fd is bound to; 0 if it can't be told. */
uint16_t vt_spice_bound_port (int fd);
