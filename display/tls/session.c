/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The server's end of TLS connections, by GnuTLS.
 */
#include "tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>

struct VtTlsServer
{
  gnutls_certificate_credentials_t credentials;
  gnutls_priority_t                priority;
};

struct VtTlsSession
{
  gnutls_session_t gnutls;
};

static void
server_free (VtTlsServer *server)
{
  if (server->priority)
    gnutls_priority_deinit (server->priority);
  if (server->credentials)
    gnutls_certificate_free_credentials (server->credentials);
  g_free (server);
}

static VtTlsServer *
server_new (const char *cert, const char *key, GError **error)
{
  VtTlsServer *server = g_new0 (VtTlsServer, 1);
  int          r = gnutls_certificate_allocate_credentials (&server->credentials);

  if (r >= 0)
    r = gnutls_certificate_set_x509_key_file (server->credentials, cert, key, GNUTLS_X509_FMT_PEM);
  if (r >= 0)
    r = gnutls_priority_init (&server->priority, "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3", NULL);
  if (r >= 0)
    return server;
  vt_set_error (
      error, VITRINE_ERROR_INVALID,
      "The certificate %s and the key %s can't serve TLS (%s): name others, or have "
      "new ones made.",
      cert, key, gnutls_strerror (r));
  server_free (server);
  return NULL;
}

static void
session_free (VtTlsSession *session)
{
  if (session->gnutls)
    gnutls_deinit (session->gnutls);
  g_free (session);
}

static VtTlsSession *
session_new (VtTlsServer *server, int socket)
{
  VtTlsSession *session = g_new0 (VtTlsSession, 1);

  if (gnutls_init (&session->gnutls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0
      || gnutls_priority_set (session->gnutls, server->priority) < 0
      || gnutls_credentials_set (session->gnutls, GNUTLS_CRD_CERTIFICATE, server->credentials) < 0)
    {
      session_free (session);
      return NULL;
    }
  gnutls_certificate_server_set_request (session->gnutls, GNUTLS_CERT_IGNORE);
  gnutls_transport_set_int (session->gnutls, socket);
  return session;
}

static VtTlsProgress
handshake (VtTlsSession *session)
{
  int r = gnutls_handshake (session->gnutls);

  if (r == GNUTLS_E_SUCCESS)
    return VT_TLS_DONE;
  if (!gnutls_error_is_fatal (r))
    return VT_TLS_UNDER_WAY;
  vt_trace ("spice", "TLS handshake: %s", gnutls_strerror (r));
  return VT_TLS_FAILED;
}

static bool
wants_to_write (const VtTlsSession *session)
{
  return gnutls_record_get_direction (session->gnutls) != 0;
}

/* Of GnuTLS's results. */
static ssize_t
as_errno (ssize_t n)
{
  if (n >= 0)
    return n;
  errno = gnutls_error_is_fatal ((int) n) ? EIO : EAGAIN;
  return -1;
}

static ssize_t
receive (VtTlsSession *session, void *data, gsize len)
{
  return as_errno (gnutls_record_recv (session->gnutls, data, len));
}

static ssize_t
transmit (VtTlsSession *session, const void *data, gsize len)
{
  return as_errno (gnutls_record_send (session->gnutls, data, len));
}

static void
bye (VtTlsSession *session)
{
  gnutls_bye (session->gnutls, GNUTLS_SHUT_WR);
}

const VtTls *
vitrine_tls (GError **error)
{
  static const VtTls tls = {
    .check = vt_tls_check,
    .server_new = server_new,
    .server_free = server_free,
    .session_new = session_new,
    .session_free = session_free,
    .handshake = handshake,
    .wants_to_write = wants_to_write,
    .recv = receive,
    .send = transmit,
    .bye = bye,
  };
  return &tls;
}
