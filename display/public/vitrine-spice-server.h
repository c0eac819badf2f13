/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Remote viewing of a running machine: a SPICE server in this process, on a thread of its own.
 */
#pragma once

#include "vitrine-machine.h"

G_BEGIN_DECLS

typedef struct
{
  const char *address;  /* Numeric, or "localhost"; NULL: 127.0.0.1. */
  guint16     port;     /* Plain TCP; 0 without TLS: any free port; 0 with TLS: none. */
  guint16     tls_port; /* 0: any free one if @tls, none otherwise. */
  const char *cert_file, *key_file; /* PEM, for TLS. */
  const char *ca_file;  /* PEM; NULL: the certificate is its own authority. */
  const char *password; /* At most 59 bytes; NULL or "": none is asked for (loopback only). */
  gboolean    tls;
} VitrineSpiceOptions;

/* Properties: "port", "tls-port" (as bound; 0: none), "n-clients". Notified on the default main
 * context. One viewer at a time: a new one takes the place of the one before. */
#define VITRINE_TYPE_SPICE_SERVER (vitrine_spice_server_get_type ())
G_DECLARE_FINAL_TYPE (VitrineSpiceServer, vitrine_spice_server, VITRINE, SPICE_SERVER, GObject)

/**
 * vitrine_spice_server_new:
 * @machine: a machine that is built and has a display.
 *
 * Starts to listen for viewers of @machine. A port in use, an address of another computer, an
 * unreadable certificate or a password that is too long is @error. It serves until it is disposed
 * of or the machine is off; neither waits for a viewer, and the ports are free at once.
 */
VitrineSpiceServer *vitrine_spice_server_new (VitrineMachine *machine,
                                              const VitrineSpiceOptions *options,
                                              GError **error);
guint16 vitrine_spice_server_get_port (VitrineSpiceServer *server);
guint16 vitrine_spice_server_get_tls_port (VitrineSpiceServer *server);
guint   vitrine_spice_server_get_n_clients (VitrineSpiceServer *server);

/* For those who connect from now on; who is connected stays, but for who came in when none was
 * asked for. The same conditions as in the options. */
gboolean vitrine_spice_server_set_password (VitrineSpiceServer *server, const char *password,
                                            GError **error);

/* The text of a .vv file, with which remote-viewer connects without a question: certificate,
 * subject and password are in it, so it is to be kept private. @host: how the viewer reaches this
 * computer; NULL: the address, or this computer's name. (transfer full) */
char *vitrine_spice_server_dup_vv (VitrineSpiceServer *server, const char *host);

/* Makes a self-signed certificate and its key for @host in @folder (server-cert.pem,
 * server-key.pem, mode 0600) unless they are there. */
gboolean vitrine_spice_make_certificate (const char *folder, const char *host, GError **error);

/* SHA-256, "AB:CD:…", for a person to compare. (transfer full) */
char *vitrine_spice_certificate_fingerprint (const char *cert_file, GError **error);

/* What viewers take as "host-subject", "O=Vitrine,CN=host". (transfer full) */
char *vitrine_spice_certificate_subject (const char *cert_file, GError **error);

/* The functions of TLS (display/tls/tls.h), for the SPICE server. NULL: they can't be had, and @error. */
typedef struct VtTls VtTls;
const VtTls         *vitrine_tls (GError **error);

G_END_DECLS
