/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who is let in by the SPICE server: TLS and passwords.
 */
#include <glib/gstdio.h>

#include "spice-rig.h"

typedef struct
{
  char *folder, *cert, *key;
} Certificate;

static void
certificate_init (Certificate *certificate, const char *host)
{
  g_autoptr (GError) error = NULL;

  certificate->folder = g_dir_make_tmp ("vitrine-spice-XXXXXX", &error);
  g_assert_no_error (error);
  certificate->cert = g_build_filename (certificate->folder, "server-cert.pem", NULL);
  certificate->key = g_build_filename (certificate->folder, "server-key.pem", NULL);
  vitrine_spice_make_certificate (certificate->folder, host, &error);
  g_assert_no_error (error);
}

static void
certificate_finish (Certificate *certificate)
{
  g_unlink (certificate->cert);
  g_unlink (certificate->key);
  g_rmdir (certificate->folder);
  g_free (certificate->cert);
  g_free (certificate->key);
  g_free (certificate->folder);
}

static void
test_tls (void)
{
  Rig        *rig = rig_new ();
  Certificate certificate, other;
  certificate_init (&certificate, "vitrine.example");
  certificate_init (&other, "other.example");
  {
    g_autofree char *subject = vitrine_spice_certificate_subject (certificate.cert, NULL);
    g_autofree char *vv = NULL;
    g_autoptr (GKeyFile) file = g_key_file_new ();
    VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){
                                                     .tls = TRUE,
                                                     .cert_file = certificate.cert,
                                                     .key_file = certificate.key,
                                                     .password = "secret",
                                                 });
    ViewerOptions       options = {
            .host = "127.0.0.1",
            .tls_port = vitrine_spice_server_get_tls_port (server),
            .password = "secret",
            .ca_file = certificate.cert,
            .subject = subject,
    };
    Viewer *viewer;

    g_assert_cmpstr (subject, ==, "O=Vitrine,CN=vitrine.example");
    g_assert_cmpuint (vitrine_spice_server_get_port (server), ==, 0);
    g_assert_cmpuint (options.tls_port, !=, 0);

    /* By the subject. */
    viewer = viewer_new (&options);
    wait_for (rig_shown (rig, viewer));
    viewer_free (viewer);

    /* By the address, which the certificate names too. */
    options.subject = NULL;
    viewer = viewer_new (&options);
    wait_for (rig_shown (rig, viewer));
    viewer_free (viewer);

    /* Another certificate than the viewer trusts. */
    options.ca_file = other.cert;
    viewer = viewer_new (&options);
    wait_for (viewer->closed || viewer->failure);
    g_assert_false (viewer->opened);
    viewer_free (viewer);

    /* Without TLS on the TLS port. */
    options.port = options.tls_port;
    options.tls_port = 0;
    viewer = viewer_new (&options);
    wait_for (viewer->closed || viewer->failure);
    g_assert_false (viewer->opened);
    viewer_free (viewer);

    vv = vitrine_spice_server_dup_vv (server, "vitrine.example");
    g_assert_true (g_key_file_load_from_data (file, vv, (gsize) -1, 0, NULL));
    {
      g_autofree char *password = g_key_file_get_string (file, "virt-viewer", "password", NULL);
      g_autofree char *ca = g_key_file_get_string (file, "virt-viewer", "ca", NULL);
      g_autofree char *pem = NULL;

      g_file_get_contents (certificate.cert, &pem, NULL, NULL);
      g_assert_cmpstr (password, ==, "secret");
      g_assert_cmpstr (ca, ==, pem);
      g_assert_false (g_key_file_has_key (file, "virt-viewer", "port", NULL));
    }
    rig_end_server (server);
  }
  certificate_finish (&certificate);
  certificate_finish (&other);
  rig_free (rig);
}

static void
test_password (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ .password = "secret" });
  g_autoptr (GError) error = NULL;
  g_autofree char *longest = g_strnfill (59, 'x');
  Viewer          *viewer, *second;

  viewer = rig_view (server, "wrong");
  wait_for (viewer->failure == SPICE_CHANNEL_ERROR_AUTH);
  g_assert_false (viewer->opened);
  viewer_free (viewer);
  viewer = rig_view (server, NULL);
  wait_for (viewer->failure == SPICE_CHANNEL_ERROR_AUTH);
  viewer_free (viewer);

  viewer = rig_view (server, "secret");
  wait_for (rig_shown (rig, viewer));
  /* A wrong guess doesn't send away who is there. */
  second = rig_view (server, "guess");
  wait_for (second->failure == SPICE_CHANNEL_ERROR_AUTH);
  viewer_free (second);
  rig_damage (rig, 0, 0, 50, 50, 7);
  wait_for (rig_shown (rig, viewer));
  g_assert_false (viewer->closed);

  /* A change is for those who come. */
  g_assert_true (vitrine_spice_server_set_password (server, longest, &error));
  rig_damage (rig, 0, 0, 50, 50, 8);
  wait_for (rig_shown (rig, viewer));
  viewer_free (viewer);
  viewer = rig_view (server, "secret");
  wait_for (viewer->failure == SPICE_CHANNEL_ERROR_AUTH);
  viewer_free (viewer);
  viewer = rig_view (server, longest);
  wait_for (rig_shown (rig, viewer));
  viewer_free (viewer);

  /* None, and one again. */
  g_assert_true (vitrine_spice_server_set_password (server, NULL, &error));
  viewer = rig_view (server, NULL);
  wait_for (rig_shown (rig, viewer));
  viewer_free (viewer);
  g_assert_true (vitrine_spice_server_set_password (server, "again", &error));
  viewer = rig_view (server, NULL);
  wait_for (viewer->failure == SPICE_CHANNEL_ERROR_AUTH);
  viewer_free (viewer);
  viewer = rig_view (server, "again");
  wait_for (rig_shown (rig, viewer));
  viewer_free (viewer);
  rig_end_server (server);
  rig_free (rig);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/spice/tls", test_tls);
  g_test_add_func ("/spice/password", test_password);
  return g_test_run ();
}
