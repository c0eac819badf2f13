/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TLS for remote viewing: certificates, and the server's end of a connection. All of it stands on
 * GnuTLS, whose libraries take 2 MiB: so the program has it in a module of its own, and who needs it asks
 * for this table (vitrine_tls(), vitrine-spice-server.h).
 */
#pragma once

#include <sys/types.h>

#include "vitrine-spice-server.h"
#include "vt-base.h"

typedef struct VtTlsServer  VtTlsServer;  /* Certificate and key, and what is offered. */
typedef struct VtTlsSession VtTlsSession; /* One connection. Of one thread at a time. */

typedef enum
{
  VT_TLS_DONE,
  VT_TLS_UNDER_WAY, /* When the socket is ready for reading, or writing where @wants_to_write says so. */
  VT_TLS_FAILED,
} VtTlsProgress;

struct VtTls
{
  /* Whether the three PEM files can serve: readable, key and certificate belong together, in date.
   * @ca NULL: @cert stands for itself. */
  bool (*check) (const char *cert, const char *key, const char *ca, GError **error);

  /* Never NULL without @error. */
  VtTlsServer *(*server_new) (const char *cert, const char *key, GError **error);
  void (*server_free) (VtTlsServer *server);

  /* On @socket, which stays the caller's and mustn't block. NULL: no memory. @server outlives it. */
  VtTlsSession *(*session_new) (VtTlsServer *server, int socket);
  void (*session_free) (VtTlsSession *session);
  VtTlsProgress (*handshake) (VtTlsSession *session);
  bool (*wants_to_write) (const VtTlsSession *session);
  /* As recv() and send(): -1 and errno, EAGAIN included. */
  ssize_t (*recv) (VtTlsSession *session, void *data, gsize len);
  ssize_t (*send) (VtTlsSession *session, const void *data, gsize len);
  /* Says that nothing more will come, if it can be said at once. */
  void (*bye) (VtTlsSession *session);
};

/* certificate.c */
bool vt_tls_check (const char *cert, const char *key, const char *ca, GError **error);
