/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Certificates for remote viewing: makes a self-signed one, checks those that the user has, and
 * tells subject and fingerprint, by which a viewer knows that it talks to the right machine.
 */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/socket.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define DAY (24 * 60 * 60)
#define MAX_PEM (1024 * 1024)

G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_x509_crt_t, gnutls_x509_crt_deinit, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_x509_privkey_t, gnutls_x509_privkey_deinit, NULL)

/* Reading -------------------------------------------------------------------------------------- */

static bool
read_pem (const char *path, char **text, gsize *len, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (!g_file_get_contents (path, text, len, &local))
    return vt_set_error (error,
                         g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT)
                             ? VITRINE_ERROR_NOT_FOUND
                             : VITRINE_ERROR_DENIED,
                         "%s (needed for TLS): name a readable PEM file, or switch TLS off.",
                         local->message);
  if (*len > MAX_PEM)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "%s is too large for a certificate or key: name a PEM file.", path);
  return true;
}

/* The first certificate of @path, which is the server's own where a chain follows. */
static gnutls_x509_crt_t
load_certificate (const char *path, GError **error)
{
  g_auto (gnutls_x509_crt_t) crt = NULL;
  g_autofree char *text = NULL;
  gsize            len = 0;
  gnutls_datum_t   datum;
  int              r;

  if (!read_pem (path, &text, &len, error))
    return NULL;
  datum.data = (unsigned char *) text;
  datum.size = (unsigned) len;
  r = gnutls_x509_crt_init (&crt);
  if (r >= 0)
    r = gnutls_x509_crt_import (crt, &datum, GNUTLS_X509_FMT_PEM);
  if (r < 0)
    {
      vt_set_error (error, VITRINE_ERROR_INVALID,
                    "%s holds no certificate in PEM format (%s): name another file.", path,
                    gnutls_strerror (r));
      return NULL;
    }
  return g_steal_pointer (&crt);
}

static gnutls_x509_privkey_t
load_key (const char *path, GError **error)
{
  g_auto (gnutls_x509_privkey_t) key = NULL;
  g_autofree char *text = NULL;
  gsize            len = 0;
  gnutls_datum_t   datum;
  int              r;

  if (!read_pem (path, &text, &len, error))
    return NULL;
  datum.data = (unsigned char *) text;
  datum.size = (unsigned) len;
  r = gnutls_x509_privkey_init (&key);
  if (r >= 0)
    r = gnutls_x509_privkey_import2 (key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
  gnutls_memset (text, 0, len);
  if (r < 0)
    {
      vt_set_error (
          error, VITRINE_ERROR_INVALID,
          "%s holds no private key in PEM format without a pass phrase (%s): name another "
          "file.",
          path, gnutls_strerror (r));
      return NULL;
    }
  return g_steal_pointer (&key);
}

bool
vt_tls_check (const char *cert, const char *key, const char *ca, GError **error)
{
  g_auto (gnutls_x509_crt_t) crt = NULL;
  g_auto (gnutls_x509_crt_t) ca_crt = NULL;
  g_auto (gnutls_x509_privkey_t) privkey = NULL;
  unsigned char crt_id[64], key_id[64];
  size_t        crt_len = sizeof crt_id, key_len = sizeof key_id;
  time_t        now = time (NULL);

  if (!cert || !key)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "TLS needs a certificate and its key: name both files, have them made, or "
                         "switch TLS off.");
  crt = load_certificate (cert, error);
  if (!crt)
    return false;
  privkey = load_key (key, error);
  if (!privkey)
    return false;
  if (ca && strcmp (ca, cert) != 0)
    {
      ca_crt = load_certificate (ca, error);
      if (!ca_crt)
        return false;
    }
  if (gnutls_x509_crt_get_key_id (crt, 0, crt_id, &crt_len) < 0
      || gnutls_x509_privkey_get_key_id (privkey, 0, key_id, &key_len) < 0 || crt_len != key_len
      || memcmp (crt_id, key_id, key_len) != 0)
    return vt_set_error (
        error, VITRINE_ERROR_INVALID,
        "The key %s does not belong to the certificate %s: name the one it was made "
        "with.",
        key, cert);
  if (gnutls_x509_crt_get_expiration_time (crt) < now
      || gnutls_x509_crt_get_activation_time (crt) > now)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The certificate %s is not valid today, so viewers would refuse it: check "
                         "this computer's date or replace the certificate.",
                         cert);
  return true;
}

/* Making --------------------------------------------------------------------------------------- */

/* Whether a server that listens on @host does so on every network. */
static bool
is_any (const char *host)
{
  const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
  struct addrinfo      *info = NULL;
  bool                  any = false;

  if (getaddrinfo (host, NULL, &hints, &info) != 0)
    return false;
  if (info->ai_family == AF_INET)
    any = ((const struct sockaddr_in *) info->ai_addr)->sin_addr.s_addr == INADDR_ANY;
  else if (info->ai_family == AF_INET6)
    any = IN6_IS_ADDR_UNSPECIFIED (&((const struct sockaddr_in6 *) info->ai_addr)->sin6_addr);
  freeaddrinfo (info);
  return any;
}

static int
add_name (gnutls_x509_crt_t crt, const char *host)
{
  const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
  struct addrinfo      *info = NULL;
  int                   r = GNUTLS_E_INVALID_REQUEST;

  if (getaddrinfo (host, NULL, &hints, &info) != 0)
    return gnutls_x509_crt_set_subject_alt_name (crt, GNUTLS_SAN_DNSNAME, host,
                                                 (unsigned) strlen (host), GNUTLS_FSAN_APPEND);
  if (info->ai_family == AF_INET)
    r = gnutls_x509_crt_set_subject_alt_name (
        crt, GNUTLS_SAN_IPADDRESS, &((struct sockaddr_in *) info->ai_addr)->sin_addr, 4,
        GNUTLS_FSAN_APPEND);
  else if (info->ai_family == AF_INET6)
    r = gnutls_x509_crt_set_subject_alt_name (
        crt, GNUTLS_SAN_IPADDRESS, &((struct sockaddr_in6 *) info->ai_addr)->sin6_addr, 16,
        GNUTLS_FSAN_APPEND);
  freeaddrinfo (info);
  return r;
}

/* One certificate that is its own authority, so that a viewer needs only this one as "ca". */
static int
sign (gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *host)
{
  static const char *const also[] = { "localhost", "127.0.0.1", "::1" };
  unsigned char serial[16], id[20];
  size_t        id_len = sizeof id;
  time_t        now = time (NULL);
  int           r;

#define TRY(call)      \
  do                   \
    if ((r = (call)) < 0) \
      return r;        \
  while (0)
  TRY (gnutls_rnd (GNUTLS_RND_NONCE, serial, sizeof serial));
  /* RFC 5280, 4.1.2.2: positive and not zero. */
  serial[0] = (serial[0] & 0x7f) | 0x40;
  TRY (gnutls_x509_crt_set_version (crt, 3));
  TRY (gnutls_x509_crt_set_serial (crt, serial, sizeof serial));
  /* A viewer's clock may be behind. */
  TRY (gnutls_x509_crt_set_activation_time (crt, now - DAY));
  TRY (gnutls_x509_crt_set_expiration_time (crt, now + (time_t) 3650 * DAY));
  TRY (gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, "Vitrine", 7));
  TRY (gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, host,
                                      (unsigned) strlen (host)));
  TRY (add_name (crt, host));
  for (unsigned i = 0; i < G_N_ELEMENTS (also); i++)
    if (g_ascii_strcasecmp (also[i], host) != 0)
      TRY (add_name (crt, also[i]));
  TRY (gnutls_x509_crt_set_key (crt, key));
  TRY (gnutls_x509_crt_set_basic_constraints (crt, 1, 0));
  TRY (
      gnutls_x509_crt_set_key_usage (crt, GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_CERT_SIGN));
  TRY (gnutls_x509_crt_set_key_purpose_oid (crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
  TRY (gnutls_x509_crt_get_key_id (crt, 0, id, &id_len));
  TRY (gnutls_x509_crt_set_subject_key_id (crt, id, id_len));
  TRY (gnutls_x509_crt_sign2 (crt, crt, key, GNUTLS_DIG_SHA256, 0));
#undef TRY
  return 0;
}

/* Writes @datum under @path with mode 0600, whole or not at all. */
static bool
write_private (const char *path, const gnutls_datum_t *datum, GError **error)
{
  g_autofree char *temporary = g_strconcat (path, ".new", NULL);
  ssize_t          n = -1;
  int              fd, err;

  unlink (temporary);
  fd = open (temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return vt_set_errno (error, errno, "The certificate can't be written to %s", path);
  n = write (fd, datum->data, datum->size);
  err = n < 0 ? errno : n != (ssize_t) datum->size ? ENOSPC : 0;
  if (!err && (fsync (fd) < 0 || rename (temporary, path) < 0))
    err = errno;
  close (fd);
  if (err)
    {
      unlink (temporary);
      return vt_set_errno (error, err, "The certificate can't be written to %s", path);
    }
  return true;
}

gboolean
vitrine_spice_make_certificate (const char *folder, const char *host, GError **error)
{
  g_autofree char *cert_path = g_build_filename (folder, "server-cert.pem", NULL);
  g_autofree char *key_path = g_build_filename (folder, "server-key.pem", NULL);
  g_auto (gnutls_x509_crt_t) crt = NULL;
  g_auto (gnutls_x509_privkey_t) key = NULL;
  gnutls_datum_t pem = { NULL, 0 };
  bool have_cert = g_file_test (cert_path, G_FILE_TEST_EXISTS);
  bool have_key = g_file_test (key_path, G_FILE_TEST_EXISTS);
  bool ok = true;
  int  r;

  if (have_cert && have_key)
    return TRUE;
  if (have_cert)
    return vt_set_error (error, VITRINE_ERROR_NOT_FOUND,
                         "%s is missing for the certificate %s: put the key back, or move the "
                         "certificate away to have both made anew.",
                         key_path, cert_path);
  /* Who listens everywhere is reached by its name. */
  if (host && *host && is_any (host))
    host = g_get_host_name ();
  if (!host || !*host || strlen (host) > 64)
    return vt_set_error (
        error, VITRINE_ERROR_INVALID,
        "A certificate needs this computer's name or address, of at most 64 letters.");

  /* The key goes first: one without a certificate, as an interrupted run leaves it, is used
   * again. */
  if (have_key)
    {
      key = load_key (key_path, error);
      if (!key)
        return FALSE;
      r = gnutls_x509_crt_init (&crt);
    }
  else
    {
      r = gnutls_x509_privkey_init (&key);
      if (r >= 0)
        r = gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA,
                                          GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0);
      if (r >= 0)
        r = gnutls_x509_crt_init (&crt);
      if (r >= 0)
        r = gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                               &pem);
      if (r >= 0)
        {
          ok = write_private (key_path, &pem, error);
          gnutls_memset (pem.data, 0, pem.size);
          g_clear_pointer (&pem.data, gnutls_free);
        }
    }
  if (r >= 0 && ok)
    r = sign (crt, key, host);
  if (r >= 0 && ok)
    r = gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_PEM, &pem);
  if (r >= 0 && ok)
    {
      ok = write_private (cert_path, &pem, error);
      gnutls_free (pem.data);
    }
  if (r < 0)
    return vt_set_error (error, VITRINE_ERROR_FAILED, "A certificate for \"%s\" can't be made: %s.",
                         host, gnutls_strerror (r));
  return ok;
}

/* Telling -------------------------------------------------------------------------------------- */

char *
vitrine_spice_certificate_fingerprint (const char *cert_file, GError **error)
{
  g_auto (gnutls_x509_crt_t) crt = load_certificate (cert_file, error);
  unsigned char      hash[32];
  size_t             len = sizeof hash;
  g_autoptr (GString) text = g_string_new (NULL);
  int                r;

  if (!crt)
    return NULL;
  r = gnutls_x509_crt_get_fingerprint (crt, GNUTLS_DIG_SHA256, hash, &len);
  if (r < 0)
    {
      vt_set_error (error, VITRINE_ERROR_INVALID, "The certificate %s has no fingerprint: %s.",
                    cert_file, gnutls_strerror (r));
      return NULL;
    }
  for (size_t i = 0; i < len; i++)
    g_string_append_printf (text, i ? ":%02X" : "%02X", hash[i]);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* In the order and form that viewers compare: "O=Vitrine,CN=host", commas within escaped. */
char *
vitrine_spice_certificate_subject (const char *cert_file, GError **error)
{
  g_auto (gnutls_x509_crt_t) crt = load_certificate (cert_file, error);
  g_autoptr (GString) text = g_string_new (NULL);

  if (!crt)
    return NULL;
  for (unsigned i = 0; i < 32; i++)
    {
      char        oid[128], value[512];
      size_t      oid_len = sizeof oid, len = sizeof value;
      const char *name;
      int         r = gnutls_x509_crt_get_dn_oid (crt, i, oid, &oid_len);
      unsigned    nth = 0;

      if (r < 0)
        break;
      /* Which of several attributes of one kind this is. */
      for (unsigned j = 0; j < i; j++)
        {
          char   other[128];
          size_t other_len = sizeof other;

          if (gnutls_x509_crt_get_dn_oid (crt, j, other, &other_len) >= 0 &&
              strcmp (other, oid) == 0)
            nth++;
        }
      name = gnutls_x509_dn_oid_name (oid, GNUTLS_X509_DN_OID_RETURN_OID);
      if (gnutls_x509_crt_get_dn_by_oid (crt, oid, nth, 0, value, &len) < 0)
        continue;
      g_string_append_printf (text, text->len ? ",%s=" : "%s=", name);
      /* It comes escaped by RFC 4514, of which viewers understand these two only. */
      for (size_t j = 0; j < len && value[j]; j++)
        {
          char c = value[j];

          if (c == '\\' && j + 2 < len && g_ascii_isxdigit (value[j + 1])
              && g_ascii_isxdigit (value[j + 2]))
            {
              c = (char) (g_ascii_xdigit_value (value[j + 1]) << 4 |
                          g_ascii_xdigit_value (value[j + 2]));
              j += 2;
            }
          else if (c == '\\' && j + 1 < len)
            c = value[++j];
          if (c == ',' || c == '\\')
            g_string_append_c (text, '\\');
          g_string_append_c (text, c);
        }
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}
