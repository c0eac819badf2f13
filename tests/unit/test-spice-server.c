/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of the SPICE server that need no viewer: scan codes, addresses, certificates, what is
 * refused and how it says so, sockets that children don't inherit, peers that say nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/input-event-codes.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spice/input.h"
#include "spice/listen.h"
#include "spice/server.h"
#include "tls/tls.h"

#define DEADLINE (30 * G_USEC_PER_SEC)

/* Scan codes ----------------------------------------------------------------------------------- */

typedef struct
{
  const char *bytes; /* Hexadecimal. */
  const char *keys;  /* What comes of them. */
} ScanCase;

static void
test_scan (void)
{
  static const ScanCase cases[] = {
    { "1e9e", "30+ 30- " },             /* A. */
    { "1e1e1e9e", "30+ 30+ 30+ 30- " }, /* Repeated. */
    { "e04de0cd", "106+ 106- " },       /* Right. */
    { "4dcd", "77+ 77- " },             /* The keypad's 6, the same code without a prefix. */
    { "e11d45e19dc5", "119+ 119- " },   /* Pause, the one with E1. */
    { "e11e1e", "30+ " }, /* E1 and something else: forgotten, and on with the next. */
    { "e1e11d45", "119+ " },
    { "e0e04d", "106+ " },
    { "3fbf", "63+ 63- " }, /* F5. */
    { "00", "" },
    { "ff", "" },
    { "e0ff", "" },
    { "e000", "" },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GString) keys = g_string_new (NULL);
      VtSpiceScan         scan = { 0 };

      for (const char *p = cases[i].bytes; *p; p += 2)
        {
          bool     down = false;
          unsigned code = vt_spice_scan (
              &scan, (uint8_t) (g_ascii_xdigit_value (p[0]) << 4 | g_ascii_xdigit_value (p[1])),
              &down);

          if (code)
            g_string_append_printf (keys, "%u%c ", code, down ? '+' : '-');
        }
      g_test_message ("%s", cases[i].bytes);
      g_assert_cmpstr (keys->str, ==, cases[i].keys);
    }
}

/* Every sequence of two bytes leads to a key of the table or to none, and the third is itself
 * again. */
static void
test_scan_any (void)
{
  for (unsigned a = 0; a < 256; a++)
    for (unsigned b = 0; b < 256; b++)
      {
        VtSpiceScan scan = { 0 };
        bool        down;

        g_assert_cmpuint (vt_spice_scan (&scan, (uint8_t) a, &down), <, KEY_CNT);
        g_assert_cmpuint (vt_spice_scan (&scan, (uint8_t) b, &down), <, KEY_CNT);
        scan = (VtSpiceScan){ 0 };
        g_assert_cmpuint (vt_spice_scan (&scan, 0x1e, &down), ==, KEY_A);
        g_assert_true (down);
      }
}

/* Addresses ------------------------------------------------------------------------------------ */

static void
test_address (void)
{
  static const struct
  {
    const char *text;
    bool        ok, loopback, any;
  } cases[] = {
    { NULL, true, true, false },
    { "localhost", true, true, false },
    { "127.0.0.1", true, true, false },
    { "127.3.2.1", true, true, false },
    { "::1", true, true, false },
    { "0.0.0.0", true, false, true },
    { "::", true, false, true },
    { "192.0.2.7", true, false, false },
    { "", false, false, false },
    { "example.org", false, false, false },
    { "127.0.0.1:5900", false, false, false },
    { "300.1.2.3", false, false, false },
    { "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", false,
      false, false },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      VtSpiceAddress     address;

      g_test_message ("%s", cases[i].text ? cases[i].text : "(none)");
      g_assert_true (vt_spice_address_parse (cases[i].text, &address, &error) == cases[i].ok);
      if (!cases[i].ok)
        {
          g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
          continue;
        }
      g_assert_no_error (error);
      g_assert_true (address.loopback == cases[i].loopback);
      g_assert_true (address.any == cases[i].any);
    }
}

/* Certificates --------------------------------------------------------------------------------- */

typedef struct
{
  char *folder, *cert, *key;
} Files;

static void
files_init (Files *files)
{
  g_autoptr (GError) error = NULL;

  files->folder = g_dir_make_tmp ("vitrine-spice-XXXXXX", &error);
  g_assert_no_error (error);
  files->cert = g_build_filename (files->folder, "server-cert.pem", NULL);
  files->key = g_build_filename (files->folder, "server-key.pem", NULL);
}

static void
files_finish (Files *files)
{
  g_unlink (files->cert);
  g_unlink (files->key);
  g_assert_cmpint (g_rmdir (files->folder), ==, 0); /* Nothing else was left in it. */
  g_free (files->cert);
  g_free (files->key);
  g_free (files->folder);
}

static void
test_certificate (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char   *cert = NULL, *again = NULL, *anew = NULL, *key = NULL, *key_after = NULL;
  g_autofree char   *fingerprint = NULL, *subject = NULL;
  struct stat        st;
  Files              files;

  files_init (&files);
  g_assert_true (vitrine_spice_make_certificate (files.folder, "192.0.2.7", &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (files.cert, &st), ==, 0);
  g_assert_cmphex (st.st_mode & 0777, ==, 0600);
  g_assert_cmpint (g_stat (files.key, &st), ==, 0);
  g_assert_cmphex (st.st_mode & 0777, ==, 0600);
  g_assert_true (vitrine_tls (NULL)->check (files.cert, files.key, NULL, &error));
  g_assert_no_error (error);

  fingerprint = vitrine_spice_certificate_fingerprint (files.cert, &error);
  g_assert_cmpuint (strlen (fingerprint), ==, 32 * 3 - 1);
  subject = vitrine_spice_certificate_subject (files.cert, &error);
  g_assert_cmpstr (subject, ==, "O=Vitrine,CN=192.0.2.7");

  /* There already: left alone. */
  g_file_get_contents (files.cert, &cert, NULL, NULL);
  g_file_get_contents (files.key, &key, NULL, NULL);
  g_assert_true (vitrine_spice_make_certificate (files.folder, "other", &error));
  g_file_get_contents (files.cert, &again, NULL, NULL);
  g_assert_cmpstr (cert, ==, again);

  /* A key alone, as an interrupted run leaves it, is used again. */
  g_unlink (files.cert);
  g_assert_true (vitrine_spice_make_certificate (files.folder, "a,b\\c", &error));
  g_assert_no_error (error);
  g_file_get_contents (files.cert, &anew, NULL, NULL);
  g_file_get_contents (files.key, &key_after, NULL, NULL);
  g_assert_cmpstr (cert, !=, anew);
  g_assert_cmpstr (key, ==, key_after);
  g_assert_true (vitrine_tls (NULL)->check (files.cert, files.key, files.cert, &error));
  g_clear_pointer (&subject, g_free);
  subject = vitrine_spice_certificate_subject (files.cert, &error);
  g_assert_cmpstr (subject, ==, "O=Vitrine,CN=a\\,b\\\\c");

  /* A certificate without its key isn't overwritten. */
  g_unlink (files.key);
  g_assert_false (vitrine_spice_make_certificate (files.folder, "other", &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  files_finish (&files);

  /* An address that stands for all says nothing about this computer. */
  files_init (&files);
  g_assert_true (vitrine_spice_make_certificate (files.folder, "0.0.0.0", &error));
  g_clear_pointer (&subject, g_free);
  subject = vitrine_spice_certificate_subject (files.cert, &error);
  g_assert_null (strstr (subject, "0.0.0.0"));
  files_finish (&files);

  g_assert_false (vitrine_spice_make_certificate ("/nonexistent/folder", "host", &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "/nonexistent/folder"));
}

/* What is refused ------------------------------------------------------------------------------ */

typedef struct
{
  VtContext *context;
  VtConsole *console;
  VtInput   *input;
} Rig;

static void
rig_init (Rig *rig)
{
  rig->context = vt_context_new_manual ();
  rig->console = vt_console_new ("test");
  rig->input = vt_input_new ();
}

static void
rig_finish (Rig *rig)
{
  vt_console_free (rig->console);
  vt_input_free (rig->input);
  vt_context_free (rig->context);
}

static void
gone_cb (void *data)
{
  g_atomic_int_set ((gint *) data, gettid ());
}

static bool
thread_lives (gint tid)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%d", tid);

  return access (path, F_OK) == 0;
}

static void
finish (VitrineSpiceServer *server)
{
  gint   gone = 0;
  gint64 until = g_get_monotonic_time () + DEADLINE;

  vt_spice_server_on_gone (server, gone_cb, &gone);
  g_object_unref (server);
  while ((!g_atomic_int_get (&gone) || thread_lives (gone)) && g_get_monotonic_time () < until)
    g_usleep (1000);
  g_assert_true (g_atomic_int_get (&gone) && !thread_lives (gone));
}

static void
refused (const VitrineSpiceOptions *options, VitrineError code, const char *part)
{
  g_autoptr (GError)  error = NULL;
  VitrineSpiceServer *server;
  Rig                 rig;

  rig_init (&rig);
  server = vt_spice_server_new (rig.console, rig.input, "Test", NULL, options, &error);
  g_assert_null (server);
  g_assert_error (error, VITRINE_ERROR, (int) code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, part));
  g_assert_null (strchr (error->message, '\n'));
  rig_finish (&rig);
}

static void
test_refused (void)
{
  g_autofree char *long_password = g_strnfill (60, 'x');
  VtSpiceAddress   loopback;
  Files            files, others;
  int              fd;

  refused (&(VitrineSpiceOptions){ .address = "example.org" }, VITRINE_ERROR_INVALID,
           "example.org");
  refused (&(VitrineSpiceOptions){ .address = "192.0.2.7", .password = "x" }, VITRINE_ERROR_INVALID,
           "192.0.2.7");
  refused (&(VitrineSpiceOptions){ .password = long_password }, VITRINE_ERROR_INVALID, "59");
  refused (&(VitrineSpiceOptions){ .address = "0.0.0.0" }, VITRINE_ERROR_INVALID, "password");
  refused (&(VitrineSpiceOptions){ .address = "::", .password = "" }, VITRINE_ERROR_INVALID,
           "password");

  /* Another program's port, with and without TLS. */
  vt_spice_address_parse (NULL, &loopback, NULL);
  fd = vt_spice_bind (&loopback, 0, true, NULL);
  g_assert_cmpint (fd, >=, 0);
  files_init (&files);
  files_init (&others);
  g_assert_true (vitrine_spice_make_certificate (files.folder, "localhost", NULL));
  g_assert_true (vitrine_spice_make_certificate (others.folder, "localhost", NULL));
  {
    guint16          port = vt_spice_bound_port (fd);
    g_autofree char *text = g_strdup_printf ("%u", port);

    refused (&(VitrineSpiceOptions){ .port = port }, VITRINE_ERROR_BUSY, text);
    refused (&(VitrineSpiceOptions){
                 .tls_port = port, .cert_file = files.cert, .key_file = files.key },
             VITRINE_ERROR_BUSY, text);
    refused (&(VitrineSpiceOptions){
                 .port = port, .tls_port = port, .cert_file = files.cert, .key_file = files.key },
             VITRINE_ERROR_INVALID, text);
  }
  close (fd);

  /* Certificates. */
  refused (&(VitrineSpiceOptions){ .tls = TRUE }, VITRINE_ERROR_INVALID, "certificate");
  refused (
      &(VitrineSpiceOptions){ .tls = TRUE, .cert_file = "/nonexistent", .key_file = files.key },
      VITRINE_ERROR_NOT_FOUND, "/nonexistent");
  refused (&(VitrineSpiceOptions){ .tls = TRUE, .cert_file = files.cert, .key_file = files.folder },
           VITRINE_ERROR_DENIED, files.folder);
  refused (&(VitrineSpiceOptions){ .tls = TRUE, .cert_file = files.key, .key_file = files.key },
           VITRINE_ERROR_INVALID, files.key);
  refused (&(VitrineSpiceOptions){ .tls = TRUE, .cert_file = files.cert, .key_file = files.cert },
           VITRINE_ERROR_INVALID, files.cert);
  refused (&(VitrineSpiceOptions){ .tls = TRUE, .cert_file = files.cert, .key_file = others.key },
           VITRINE_ERROR_INVALID, others.key);
  refused (&(VitrineSpiceOptions){
               .tls = TRUE, .cert_file = files.cert, .key_file = files.key, .ca_file = files.key },
           VITRINE_ERROR_INVALID, files.key);
  g_assert_true (g_file_set_contents (files.cert, "garbage", -1, NULL));
  refused (&(VitrineSpiceOptions){ .tls = TRUE, .cert_file = files.cert, .key_file = files.key },
           VITRINE_ERROR_INVALID, files.cert);
  g_assert_true (g_file_set_contents (files.cert, "", -1, NULL));
  refused (&(VitrineSpiceOptions){ .tls = TRUE, .cert_file = files.cert, .key_file = files.key },
           VITRINE_ERROR_INVALID, files.cert);
  files_finish (&files);
  files_finish (&others);
}

static void
test_password_change (void)
{
  g_autofree char    *long_password = g_strnfill (60, 'x');
  g_autoptr (GError)  error = NULL;
  VitrineSpiceServer *server;
  Rig                 rig;

  rig_init (&rig);
  server = vt_spice_server_new (rig.console, rig.input, "Test", NULL,
                                &(VitrineSpiceOptions){ .address = "0.0.0.0", .password = "one" },
                                &error);
  g_assert_no_error (error);
  g_assert_false (vitrine_spice_server_set_password (server, long_password, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (vitrine_spice_server_set_password (server, NULL, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);
  {
    g_autofree char *vv = vitrine_spice_server_dup_vv (server, "machine.example");

    g_assert_nonnull (strstr (vv, "host=machine.example\n"));
    g_assert_nonnull (strstr (vv, "password=one\n"));
  }
  g_assert_true (vitrine_spice_server_set_password (server, "two", &error));
  {
    g_autofree char *vv = vitrine_spice_server_dup_vv (server, NULL);

    g_assert_nonnull (strstr (vv, "password=two\n"));
  }
  finish (server);
  rig_finish (&rig);
}

/* Sockets -------------------------------------------------------------------------------------- */

static int
connect_to (guint16 port)
{
  struct sockaddr_in address = {
    .sin_family = AF_INET,
    .sin_port = htons (port),
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
  };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (fd, >=, 0);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) < 0)
    {
      close (fd);
      return -1;
    }
  return fd;
}

/* Every internet socket of this process. */
static unsigned
count_sockets (unsigned *inheritable)
{
  unsigned n = 0;

  *inheritable = 0;
  for (int fd = 0; fd < 1024; fd++)
    {
      struct sockaddr_storage address;
      socklen_t               len = sizeof address;

      if (getsockname (fd, (struct sockaddr *) &address, &len) < 0
          || (address.ss_family != AF_INET && address.ss_family != AF_INET6))
        continue;
      n++;
      if (!(fcntl (fd, F_GETFD) & FD_CLOEXEC))
        ++*inheritable;
    }
  return n;
}

static void
test_sockets (void)
{
  VitrineSpiceServer *server;
  Rig                 rig;
  Files               files;
  unsigned            inheritable, n;
  int                 plain, tls;
  gint64              until = g_get_monotonic_time () + DEADLINE;
  VtSpiceAddress      loopback;
  guint16             port;

  /* A port of our choice, so that both kinds are served. */
  vt_spice_address_parse (NULL, &loopback, NULL);
  plain = vt_spice_bind (&loopback, 0, false, NULL);
  port = vt_spice_bound_port (plain);
  close (plain);

  files_init (&files);
  g_assert_true (vitrine_spice_make_certificate (files.folder, "localhost", NULL));
  rig_init (&rig);
  g_assert_cmpuint (count_sockets (&inheritable), ==, 0);
  server = vt_spice_server_new (
      rig.console, rig.input, NULL, "12345678-1234-5678-9abc-123456789abc",
      &(VitrineSpiceOptions){
          .port = port, .tls = TRUE, .cert_file = files.cert, .key_file = files.key },
      NULL);
  g_assert_nonnull (server);
  g_assert_cmpuint (vitrine_spice_server_get_port (server), ==, port);
  plain = connect_to (port);
  tls = connect_to (vitrine_spice_server_get_tls_port (server));
  g_assert_cmpint (plain, >=, 0);
  g_assert_cmpint (tls, >=, 0);
  /* Ours: two; the server's: two listening, and for each connection the viewer's, the guard's, the
   * library's and a duplicate. */
  while ((n = count_sockets (&inheritable)) < 2 + 2 + 8 && g_get_monotonic_time () < until)
    g_usleep (1000);
  g_assert_cmpuint (n, ==, 2 + 2 + 8);
  g_assert_cmpuint (inheritable, ==, 0);
  close (plain);
  close (tls);
  while ((n = count_sockets (&inheritable)) > 2 && g_get_monotonic_time () < until)
    g_usleep (1000);
  g_assert_cmpuint (n, ==, 2);
  finish (server);
  g_assert_cmpuint (count_sockets (&inheritable), ==, 0);
  g_assert_cmpint (connect_to (port), ==, -1);
  rig_finish (&rig);
  files_finish (&files);
}

/* More connections than any viewer needs, which say nothing or nonsense. */
static void
test_crowd (void)
{
  VitrineSpiceServer *server;
  Rig                 rig;
  int                 fds[100];
  unsigned            inheritable;
  gint64              until = g_get_monotonic_time () + DEADLINE;

  rig_init (&rig);
  server =
      vt_spice_server_new (rig.console, rig.input, NULL, NULL, &(VitrineSpiceOptions){ 0 }, NULL);
  g_assert_nonnull (server);
  for (unsigned i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      fds[i] = connect_to (vitrine_spice_server_get_port (server));
      g_assert_cmpint (fds[i], >=, 0);
      if (i % 2)
        g_assert_cmpint (send (fds[i], "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL), ==, 18);
    }
  /* Those that talk nonsense are sent away at once. */
  for (unsigned i = 1; i < 40; i += 2)
    {
      char byte[64];

      while (recv (fds[i], byte, sizeof byte, 0) > 0)
        continue;
    }
  /* Of the silent ones there are never more than the limit. */
  for (unsigned i = 0; i < 50; i++)
    {
      g_assert_cmpuint (count_sockets (&inheritable), <=, G_N_ELEMENTS (fds) + 1 + 4 * 48);
      g_usleep (1000);
    }
  for (unsigned i = 0; i < G_N_ELEMENTS (fds); i++)
    close (fds[i]);
  while (count_sockets (&inheritable) > 1 && g_get_monotonic_time () < until)
    g_usleep (1000);
  g_assert_cmpuint (count_sockets (&inheritable), ==, 1);
  finish (server);
  rig_finish (&rig);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* The library warns about peers that talk nonsense. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  g_test_add_func ("/spice-server/scan", test_scan);
  g_test_add_func ("/spice-server/scan-any", test_scan_any);
  g_test_add_func ("/spice-server/address", test_address);
  g_test_add_func ("/spice-server/certificate", test_certificate);
  g_test_add_func ("/spice-server/refused", test_refused);
  g_test_add_func ("/spice-server/password-change", test_password_change);
  g_test_add_func ("/spice-server/sockets", test_sockets);
  g_test_add_func ("/spice-server/crowd", test_crowd);
  return g_test_run ();
}
