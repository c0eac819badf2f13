/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Remote viewing of a running machine: a SPICE server in this process, on a thread of its own.
 */
#pragma once

#include "vitrine-machine.h"

G_BEGIN_DECLS

typedef struct
{
  const char *address;  /* NULL: 127.0.0.1. */
  guint16     port;     /* Plain TCP; 0 with tls_port 0: any free port. */
  guint16     tls_port; /* 0: no TLS. */
  const char *cert_file, *key_file, *ca_file; /* PEM, for TLS. */
  const char *password; /* At most 60 bytes; NULL: none is asked for (loopback only). */
  gboolean    tls;      /* With tls_port 0: any free TLS port, and no plain one unless @port. */
} VitrineSpiceOptions;

/* Properties: "port", "tls-port" (as bound), "n-clients". */
#define VITRINE_TYPE_SPICE_SERVER (vitrine_spice_server_get_type ())
G_DECLARE_FINAL_TYPE (VitrineSpiceServer, vitrine_spice_server, VITRINE, SPICE_SERVER, GObject)

/* Starts to listen for viewers of @machine, which must be built. A port in use, an unreadable
 * certificate or a password that is too long is @error. */
VitrineSpiceServer *vitrine_spice_server_new (VitrineMachine *machine, const VitrineSpiceOptions *options,
                                              GError **error);
guint16 vitrine_spice_server_get_port (VitrineSpiceServer *server);
guint16 vitrine_spice_server_get_tls_port (VitrineSpiceServer *server);
guint   vitrine_spice_server_get_n_clients (VitrineSpiceServer *server);
void    vitrine_spice_server_set_password (VitrineSpiceServer *server, const char *password);
/* Makes a self-signed certificate and key for @host in @folder (server-cert.pem, server-key.pem, mode 0600) unless
 * they are there. */
gboolean vitrine_spice_make_certificate (const char *folder, const char *host, GError **error);

G_END_DECLS
