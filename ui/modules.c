/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is loaded only when it is wanted: the windows, the SPICE server and TLS. They stand on scores of
 * libraries, which would cost every headless machine's start most of its time and much of its
 * memory. These are the entrances, with the names that callers know; behind each is the module's
 * function of the same name.
 */
#include <dlfcn.h>
#include <glib/gi18n.h>

#include "app/app.h"
#include "cli/cli.h"
#include "vitrine-error.h"
#include "vitrine-spice-server.h"

#define APP   "vitrine-app.so"
#define SPICE "vitrine-spice.so"
#define TLS   "vitrine-tls.so"

/* The modules lie beside the program in a build folder, and in a folder of libraries when
 * installed. A loaded module stays: its types can't be taken back. */
static void *
load (const char *name, GError **error)
{
  static const char *const folders[] = { ".", VITRINE_MODULES };
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *beside = program ? g_path_get_dirname (program) : NULL;

  for (guint i = 0; beside && i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = g_build_filename (beside, folders[i], name, NULL);

      if (!g_file_test (path, G_FILE_TEST_EXISTS))
        continue;
      void *module = dlopen (path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
      if (!module)
        g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED,
                     _ ("A part of Vitrine can't be loaded; install Vitrine again: %s"),
                     dlerror ());
      return module;
    }
  g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND,
               _ ("A part of Vitrine, %s, is missing; install Vitrine again."), name);
  return NULL;
}

/* A module that loads has all its functions: it was built with this program. Who calls without an
 * object of the module's own gets the error; the others can't fail. */
static void *
function (const char *module_name, const char *name, GError **error)
{
  void *module = load (module_name, error);
  void *found = module ? dlsym (module, name) : NULL;

  if (module && !found)
    g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED,
                 _ ("A part of Vitrine, %s, is of another version; install Vitrine again."),
                 module_name);
  return found;
}

static void *
app_function (const char *name)
{
  g_autoptr (GError) error = NULL;
  void *found = function (APP, name, &error);

  if (!found)
    vt_cli_warn ("%s", error->message);
  return found;
}

int
vt_app_run_library (void)
{
  int (*run) (void) = app_function (__func__);

  return run ? run () : VT_EXIT_FAILED;
}

gboolean
vt_app_has_display (void)
{
  gboolean (*has) (void) = app_function (__func__);

  return has && has ();
}

const char *
vt_app_display_name (void)
{
  const char *(*name) (void) = app_function (__func__);

  return name ? name () : NULL;
}

VtApp *
vt_app_open_machine (VitrineMachine *machine)
{
  VtApp *(*open) (VitrineMachine *) = app_function (__func__);

  return open ? open (machine) : NULL;
}

void
vt_app_present (VtApp *app)
{
  void (*present) (VtApp *) = app ? app_function (__func__) : NULL;

  if (present)
    present (app);
}

void
vt_app_free (VtApp *app)
{
  void (*free_app) (VtApp *) = app ? app_function (__func__) : NULL;

  if (free_app)
    free_app (app);
}

VitrineSpiceServer *
vitrine_spice_server_new (VitrineMachine *machine,
                          const VitrineSpiceOptions *options,
                          GError **error)
{
  VitrineSpiceServer *(*new_server) (VitrineMachine *, const VitrineSpiceOptions *, GError **) =
      function (SPICE, __func__, error);

  return new_server ? new_server (machine, options, error) : NULL;
}

guint16
vitrine_spice_server_get_port (VitrineSpiceServer *server)
{
  guint16 (*get) (VitrineSpiceServer *) = function (SPICE, __func__, NULL);

  return get ? get (server) : 0;
}

guint16
vitrine_spice_server_get_tls_port (VitrineSpiceServer *server)
{
  guint16 (*get) (VitrineSpiceServer *) = function (SPICE, __func__, NULL);

  return get ? get (server) : 0;
}

guint
vitrine_spice_server_get_n_clients (VitrineSpiceServer *server)
{
  guint (*get) (VitrineSpiceServer *) = function (SPICE, __func__, NULL);

  return get ? get (server) : 0;
}

gboolean
vitrine_spice_server_set_password (VitrineSpiceServer *server, const char *password, GError **error)
{
  gboolean (*set) (VitrineSpiceServer *, const char *, GError **) =
      function (SPICE, __func__, error);

  return set && set (server, password, error);
}

char *
vitrine_spice_server_dup_vv (VitrineSpiceServer *server, const char *host)
{
  char *(*dup_vv) (VitrineSpiceServer *, const char *) = function (SPICE, __func__, NULL);

  return dup_vv ? dup_vv (server, host) : NULL;
}

gboolean
vitrine_spice_make_certificate (const char *folder, const char *host, GError **error)
{
  gboolean (*make) (const char *, const char *, GError **) = function (TLS, __func__, error);

  return make && make (folder, host, error);
}

char *
vitrine_spice_certificate_fingerprint (const char *cert_file, GError **error)
{
  char *(*fingerprint) (const char *, GError **) = function (TLS, __func__, error);

  return fingerprint ? fingerprint (cert_file, error) : NULL;
}

char *
vitrine_spice_certificate_subject (const char *cert_file, GError **error)
{
  char *(*subject) (const char *, GError **) = function (TLS, __func__, error);

  return subject ? subject (cert_file, error) : NULL;
}

const VtTls *
vitrine_tls (GError **error)
{
  const VtTls *(*get) (GError **) = function (TLS, __func__, error);

  return get ? get (error) : NULL;
}
