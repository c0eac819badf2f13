/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keys, the typist, the library's folders, the machine's lock, and the control socket with a machine
 * that has no engine.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <linux/input-event-codes.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/client.h"
#include "control/instance.h"
#include "control/interface.h"
#include "control/keys.h"
#include "control/library.h"
#include "control/server.h"
#include "control/typist.h"
#include "fake-machine.h"

/* Bytes of requests, whose answers are more than a socket holds. */
#define PESTERED (2 * 1024 * 1024)

static void
test_chords (void)
{
  static const struct
  {
    const char *chord;
    guint       n, codes[3];
  } good[] = {
    { "ctrl+alt+delete", 3, { KEY_LEFTCTRL, KEY_LEFTALT, KEY_DELETE } },
    { "F12", 1, { KEY_F12 } },
    { "Return", 1, { KEY_ENTER } },
    { "a", 1, { KEY_A } },
    { "A", 1, { KEY_A } },
    { "Shift+A", 2, { KEY_LEFTSHIFT, KEY_A } },
    { "/", 1, { KEY_SLASH } },
    { "Ctrl+plus", 3, { KEY_LEFTCTRL, KEY_LEFTSHIFT, KEY_EQUAL } },
  };
  static const char *const bad[] = { "", "+", "ctrl+", "hyper", "ctrl++a", "é", "?", "a+b+c+d+e+f+g+h+i",
                                     "\x01" };
  guint                    codes[VT_KEYS_MAX_CHORD];
  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_cmpuint (vt_keys_parse_chord (good[i].chord, codes, &error), ==, good[i].n);
      g_assert_no_error (error);
      for (guint j = 0; j < good[i].n; j++)
        g_assert_cmpuint (codes[j], ==, good[i].codes[j]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_cmpuint (vt_keys_parse_chord (bad[i], codes, &error), ==, 0);
      g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
    }
}

/* Every printable character of ASCII has a key, no two the same, and nothing else has one. */
static void
test_characters (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  for (gunichar ch = ' '; ch < 127; ch++)
    {
      guint    code;
      gboolean shift;
      g_assert_true (vt_keys_from_char (ch, &code, &shift));
      g_assert_true (g_hash_table_add (seen, GUINT_TO_POINTER (code << 1 | shift)));
      g_assert_cmpint (shift, ==, g_ascii_isupper ((char) ch) || strchr ("!@#$%^&*()_+{}:\"~|<>?",
                                                                         (int) ch) != NULL);
    }
  guint    code;
  gboolean shift;
  g_assert_false (vt_keys_from_char (0, &code, &shift));
  g_assert_false (vt_keys_from_char (0xe9, &code, &shift));
  g_assert_false (vt_keys_from_char (0x10ffff, &code, &shift));
}

/* A temporary home and runtime folder, and a machine "a" in it. */
typedef struct
{
  char            *root, *folder, *socket;
  VitrineConfig   *config;
  VitrineMachine  *machine;
  VtControlServer *server;
  int              lock;
  int              peer; /* A socket of one that doesn't read. */
} Fixture;

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *entry;
  while (dir && (entry = g_dir_read_name (dir)))
    {
      g_autofree char *below = g_build_filename (path, entry, NULL);
      if (g_file_test (below, G_FILE_TEST_IS_DIR) && !g_file_test (below, G_FILE_TEST_IS_SYMLINK))
        remove_tree (below);
      else
        g_unlink (below);
    }
  g_rmdir (path);
}

static void
fixture_init (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->root = g_dir_make_tmp ("vitrine-XXXXXX", NULL);
  g_setenv ("VITRINE_HOME", f->root, TRUE);
  g_setenv ("XDG_RUNTIME_DIR", f->root, TRUE);
  f->config = vitrine_config_new ("a");
  g_object_set (f->config, "description", data ? data : "", NULL);
  g_assert_true (vt_library_add (f->config, NULL, NULL, &error));
  g_assert_no_error (error);
  g_clear_object (&f->config);
  f->folder = vt_library_find ("a", &error);
  g_assert_no_error (error);
  f->config = vitrine_config_load (f->folder, &error);
  g_assert_no_error (error);
  f->lock = -1;
}

static void
fixture_finish (Fixture *f, gconstpointer data)
{
  vt_control_server_free (f->server);
  g_clear_object (&f->machine);
  g_clear_object (&f->config);
  if (f->lock >= 0)
    close (f->lock);
  remove_tree (f->root);
  g_free (f->root);
  g_free (f->folder);
  g_free (f->socket);
}

static void
test_library (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *outside = g_build_filename (f->root, "precious", NULL);
  g_autofree char *precious = g_build_filename (outside, "data", NULL);
  g_autofree char *link = g_build_filename (f->folder, "link", NULL);
  g_autofree char *inside = g_build_filename (f->folder, "sub", NULL);
  g_autofree char *file = g_build_filename (inside, "file", NULL);

  g_assert_false (vt_library_add (f->config, NULL, NULL, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_EXISTS);
  g_clear_error (&error);

  g_assert_cmpint (g_mkdir (outside, 0700), ==, 0);
  g_assert_true (g_file_set_contents (precious, "x", 1, NULL));
  g_assert_cmpint (symlink (outside, link), ==, 0);
  g_assert_cmpint (g_mkdir (inside, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, "x", 1, NULL));

  g_auto (GStrv) names = vt_library_list (&error);
  g_assert_cmpuint (g_strv_length (names), ==, 1);
  g_assert_cmpstr (names[0], ==, "a");

  int lock = vt_instance_lock (f->folder, &error);
  g_assert_no_error (error);
  g_assert_false (vt_library_delete ("a", &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_BUSY);
  g_clear_error (&error);
  g_assert_true (g_file_test (file, G_FILE_TEST_EXISTS));
  vt_instance_release (lock);

  g_assert_true (vt_library_delete ("a", &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (f->folder, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (precious, G_FILE_TEST_EXISTS));
  g_assert_false (vt_library_delete ("a", &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (vt_library_delete ("../precious", &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);

  /* A folder elsewhere that is only linked to. */
  g_assert_cmpint (symlink (outside, f->folder), ==, 0);
  g_assert_false (vt_library_delete ("a", &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_assert_true (g_file_test (precious, G_FILE_TEST_EXISTS));
}

static gboolean
fail_prepare (VitrineConfig *config, const char *folder, gpointer data, GError **error)
{
  g_autofree char *file = g_build_filename (folder, "half", NULL);
  g_assert_true (g_file_set_contents (file, "x", 1, NULL));
  g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_NO_SPACE, "full");
  return FALSE;
}

static void
test_half_made (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VitrineConfig) config = vitrine_config_new ("b");
  g_assert_false (vt_library_add (config, fail_prepare, NULL, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_NO_SPACE);
  guint n = 0;
  g_autoptr (GDir) dir = g_dir_open (f->root, 0, NULL);
  while (g_dir_read_name (dir))
    n++;
  g_assert_cmpuint (n, ==, 1);
}

static void
test_lock (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  VtInstance       instance;
  g_autofree char *state = NULL;

  vt_instance_query (f->folder, &instance);
  g_assert_false (instance.running || instance.crashed);

  int lock = vt_instance_lock (f->folder, &error);
  g_assert_no_error (error);
  g_assert_true (vt_instance_publish (lock, "/x/y", &error));
  vt_instance_query (f->folder, &instance);
  g_assert_true (instance.running && !instance.crashed);
  g_assert_cmpint (instance.pid, ==, getpid ());
  g_assert_cmpstr (instance.socket, ==, "/x/y");
  vt_instance_clear (&instance);

  g_assert_cmpint (vt_instance_lock (f->folder, &error), ==, -1);
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_BUSY);
  g_clear_error (&error);

  /* As a killed process leaves it. */
  close (lock);
  vt_instance_query (f->folder, &instance);
  g_assert_true (!instance.running && instance.crashed && !instance.socket);
  state = vt_control_query_state (f->folder, NULL);
  g_assert_cmpstr (state, ==, "crashed");

  lock = vt_instance_lock (f->folder, &error);
  g_assert_no_error (error);
  vt_instance_release (lock);
  vt_instance_query (f->folder, &instance);
  g_assert_false (instance.running || instance.crashed);

  /* Nonsense in it is no worse than nothing. */
  g_autofree char *path = g_build_filename (f->folder, "lock", NULL);
  g_autofree char *long_text = g_strnfill (100000, '9');
  const char      *texts[] = { "", "\n\n\n", "x\ny\n", "99999999999999999999\n/a\n", "-1\n/a", long_text };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_assert_true (g_file_set_contents (path, texts[i], -1, NULL));
      vt_instance_query (f->folder, &instance);
      g_assert_false (instance.running);
      vt_instance_clear (&instance);
    }
}

static void
test_runtime (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *runtime = vt_instance_runtime_folder (f->config, &error);
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (stat (runtime, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0700);
  g_autofree char *again = vt_instance_runtime_folder (f->config, &error);
  g_assert_cmpstr (runtime, ==, again);

  g_assert_cmpint (g_chmod (runtime, 0755), ==, 0);
  g_assert_null (vt_instance_runtime_folder (f->config, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_DENIED);
  g_clear_error (&error);
  vt_instance_remove_runtime (runtime);
  g_assert_false (g_file_test (runtime, G_FILE_TEST_EXISTS));

  g_assert_cmpint (symlink ("/tmp", runtime), ==, 0);
  g_assert_null (vt_instance_runtime_folder (f->config, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_DENIED);
}

static void
done_cb (gpointer data, const GError *error)
{
  *(int *) data = error ? -1 : 1;
}

static void
wait_for (int *flag)
{
  while (!*flag)
    g_main_context_iteration (NULL, TRUE);
}

static void
start_machine (Fixture *f)
{
  f->machine = vitrine_machine_new (f->config);
  vitrine_machine_start (f->machine, NULL, NULL);
  while (vitrine_machine_get_state (f->machine) != VITRINE_STATE_RUNNING)
    g_main_context_iteration (NULL, TRUE);
}

static void
typist_ends_at_last_key (Fixture *f)
{
  int       done = 0;
  gsize     before = strlen (fake_machine_log (f->machine));
  VtTypist *typist = vt_typist_new (f->machine);
  g_assert_true (vt_typist_chord (typist, "Return", done_cb, &done, NULL));
  while (!strstr (fake_machine_log (f->machine) + before, "key 28 up"))
    g_main_context_iteration (NULL, TRUE);
  vt_typist_free (typist);
  g_assert_cmpint (done, ==, 1);
}

static void
test_typist (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int done = 0;
  start_machine (f);
  VtTypist *typist = vt_typist_new (f->machine);

  g_assert_true (vt_typist_type (typist, "aB\n", 1, done_cb, &done, &error));
  wait_for (&done);
  g_assert_cmpint (done, ==, 1);
  g_assert_cmpstr (fake_machine_log (f->machine), ==,
                   "key 30 down\nkey 30 up\nkey 42 down\nkey 48 down\nkey 48 up\nkey 42 up\n"
                   "key 28 down\nkey 28 up\n");

  g_assert_false (vt_typist_type (typist, "abcé", 1, done_cb, &done, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "é"));
  g_clear_error (&error);
  g_assert_false (vt_typist_click (typist, -1, 0, 1, 1, done_cb, &done, &error));
  g_clear_error (&error);

  gsize before = strlen (fake_machine_log (f->machine));
  done = 0;
  g_assert_true (vt_typist_click (typist, 10, 20, 1, 2, done_cb, &done, &error));
  wait_for (&done);
  g_assert_cmpstr (fake_machine_log (f->machine) + before, ==,
                   "position 10 20\nbutton 1 down\nbutton 1 up\nbutton 1 down\nbutton 1 up\n");

  /* Where the last key ends the machine, all has been typed: the events go at once, the pause after the
   * last is still to come. */
  typist_ends_at_last_key (f);

  /* A paused guest gets nothing, and what waits ends with the machine. */
  before = strlen (fake_machine_log (f->machine));
  done = 0;
  g_assert_true (vitrine_machine_pause (f->machine, NULL));
  g_assert_true (vt_typist_type (typist, "x", 1, done_cb, &done, &error));
  for (int i = 0; i < 3; i++)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (strlen (fake_machine_log (f->machine)), ==, before);
  vt_typist_free (typist);
  g_assert_cmpint (done, ==, -1);
}

static void
test_relative (Fixture *f, gconstpointer data)
{
  int x = 500, y = 500, done = 0;
  start_machine (f);
  VtTypist *typist = vt_typist_new (f->machine);
  g_assert_true (vt_typist_click (typist, 310, 45, 0, 0, done_cb, &done, NULL));
  wait_for (&done);
  /* A pointer that stops at the edges ends where it was sent. */
  g_auto (GStrv) lines = g_strsplit (fake_machine_log (f->machine), "\n", -1);
  for (char **line = lines; *line; line++)
    {
      int dx, dy;
      if (sscanf (*line, "motion %d %d", &dx, &dy) != 2)
        continue;
      x = MAX (x + dx, 0);
      y = MAX (y + dy, 0);
    }
  g_assert_cmpint (x, ==, 310);
  g_assert_cmpint (y, ==, 45);
  vt_typist_free (typist);
}

static void
serve (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  start_machine (f);
  f->socket = g_build_filename (f->root, "control", NULL);
  f->server = vt_control_server_new (f->machine, f->socket, &error);
  g_assert_no_error (error);
  f->lock = vt_instance_lock (f->folder, &error);
  g_assert_no_error (error);
  g_assert_true (vt_instance_publish (f->lock, f->socket, &error));
}

/* The client blocks, so it has a thread; the server's loop is the test's. */
typedef struct
{
  void (*func) (Fixture *f);
  Fixture *f;
  int      done;
} Client;

static gboolean
end_client_cb (gpointer data)
{
  ((Client *) data)->done = 1;
  return G_SOURCE_REMOVE;
}

static gpointer
client_thread (gpointer data)
{
  Client *client = data;
  client->func (client->f);
  g_idle_add (end_client_cb, client);
  return NULL;
}

static void
with_client (Fixture *f, void (*func) (Fixture *f))
{
  Client   client = { func, f, 0 };
  GThread *thread = g_thread_new ("client", client_thread, &client);
  wait_for (&client.done);
  g_thread_join (thread);
}

static void
call_all (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) connection = vt_control_connect (f->folder, &error);
  g_assert_no_error (error);
  static const struct
  {
    const char *method, *arguments;
    int         code; /* -1: it works. */
  } calls[] = {
    { "Pause", "()", -1 },
    { "Pause", "()", VITRINE_ERROR_STATE },
    { "Resume", "()", -1 },
    { "Reset", "()", -1 },
    { "Type", "('hello', uint32 1)", -1 },
    { "Type", "('h\u00e9', uint32 1)", VITRINE_ERROR_INVALID },
    { "Key", "('ctrl+alt+delete',)", -1 },
    { "Key", "('hyper',)", VITRINE_ERROR_INVALID },
    { "Click", "(1, 2, uint32 3, uint32 1)", -1 },
    { "Click", "(1, 2, uint32 9, uint32 1)", VITRINE_ERROR_INVALID },
    { "Move", "(1, 2)", -1 },
    { "Move", "(100000, 2)", VITRINE_ERROR_INVALID },
    { "ListMedia", "()", -1 },
    { "ChangeMedium", "('cd0', '/x.iso', false)", -1 },
    { "ChangeMedium", "('cd0', '', true)", -1 },
    { "ChangeMedium", "('cd0', 'x.iso', false)", VITRINE_ERROR_INVALID },
    { "ChangeMedium", "('cd9', '', false)", VITRINE_ERROR_NOT_FOUND },
    { "Screenshot", "(uint32 7, '/x')", VITRINE_ERROR_STATE },
    { "Screenshot", "(uint32 0, 'x')", VITRINE_ERROR_INVALID },
    { "Screenshot", "(uint32 0, '/nonexistent/x')", VITRINE_ERROR_DENIED },
    { "ShowWindow", "()", VITRINE_ERROR_UNSUPPORTED },
    { "GetStatus", "()", -1 },
    { "Nonsense", "()", VITRINE_ERROR_FAILED },
    { "Type", "()", VITRINE_ERROR_FAILED },
  };
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      GVariant *arguments = g_variant_new_parsed (calls[i].arguments);
      g_autoptr (GVariant) answer
          = vt_control_call (connection, calls[i].method, arguments, 30000, &error);
      g_test_message ("%s %s: %s", calls[i].method, calls[i].arguments,
                      error ? error->message : "ok");
      if (calls[i].code < 0)
        g_assert_no_error (error);
      else
        g_assert_error (error, VITRINE_ERROR, calls[i].code);
      g_clear_error (&error);
    }
  g_autoptr (GVariant) status = NULL;
  g_autofree char *state = vt_control_query_state (f->folder, &status);
  g_assert_cmpstr (state, ==, "running");
  const char *name = NULL;
  g_assert_true (g_variant_lookup (status, "name", "&s", &name));
  g_assert_cmpstr (name, ==, "a");
}

static void
test_protocol (Fixture *f, gconstpointer data)
{
  serve (f);
  with_client (f, call_all);
  g_assert_nonnull (strstr (fake_machine_log (f->machine), "medium /x.iso 0\nmedium - 1\n"));
}

static void
query (Fixture *f)
{
  g_autofree char *state = vt_control_query_state (f->folder, NULL);
  g_assert_cmpstr (state, ==, "running");
}

/* Peers that say nothing, nonsense, or leave in the middle. */
static void
behave_badly (Fixture *f)
{
  static const char *const words[]
      = { "", "\0", "nonsense\r\n", "\0AUTH ANONYMOUS\r\n", "\0AUTH EXTERNAL\r\nBEGIN\r\n" };
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_strlcpy (address.sun_path, f->socket, sizeof address.sun_path);
  for (guint round = 0; round < 20; round++)
    for (guint i = 0; i < G_N_ELEMENTS (words); i++)
      {
        int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint (connect (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
        size_t len = i ? 1 + strlen (words[i] + 1) : 0;
        if (i == 2)
          len = strlen (words[i]);
        g_assert_cmpint (send (fd, words[i], len, MSG_NOSIGNAL), ==, (ssize_t) len);
        close (fd);
      }
  query (f);
}

static void
test_bad_peers (Fixture *f, gconstpointer data)
{
  serve (f);
  with_client (f, behave_badly);
}

/* How long the thread of a client is held up right after its handshake, as a busy computer does it. */
static guint held_up_ms;

GDBusConnection *
g_dbus_connection_new_sync (GIOStream *stream, const gchar *guid, GDBusConnectionFlags flags,
                            GDBusAuthObserver *observer, GCancellable *cancellable, GError **error)
{
  __typeof__ (g_dbus_connection_new_sync) *real = dlsym (RTLD_NEXT, __func__);
  GDBusConnection *connection = real (stream, guid, flags, observer, cancellable, error);
  g_usleep (held_up_ms * 1000);
  return connection;
}

static void
call_late (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  held_up_ms = 50;
  g_autoptr (GDBusConnection) connection = vt_control_connect (f->folder, &error);
  held_up_ms = 0;
  g_assert_no_error (error);
  g_usleep ((VT_CONTROL_TIMEOUT_MS + 500) * 1000);
  g_autoptr (GVariant) answer =
      vt_control_call (connection, "GetStatus", NULL, VT_CONTROL_TIMEOUT_MS, &error);
  g_assert_no_error (error);
}

/* The handshake's time limit is none for what comes after it. */
static void
test_patience (Fixture *f, gconstpointer data)
{
  serve (f);
  with_client (f, call_late);
}

/* Sends requests and doesn't read what comes back, till nothing more can be sent. Returns the socket. */
static int
pester (Fixture *f)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  struct timeval     second = { .tv_sec = 1 };
  g_autofree char   *uid = g_strdup_printf ("%u", geteuid ());
  g_autoptr (GString) hello = g_string_new ("-AUTH EXTERNAL ");
  char               answer[256] = "";
  gsize              size, sent = 0;
  ssize_t            n;
  int                fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, f->socket, sizeof address.sun_path);
  g_assert_cmpint (connect (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  for (const char *c = uid; *c; c++)
    g_string_append_printf (hello, "%02x", *c);
  g_string_append (hello, "\r\n");
  hello->str[0] = 0;
  g_assert_cmpint (write (fd, hello->str, hello->len), ==, (ssize_t) hello->len);
  g_assert_cmpint (read (fd, answer, sizeof answer - 1), >, 0);
  g_assert_true (g_str_has_prefix (answer, "OK "));
  g_assert_cmpint (write (fd, "BEGIN\r\n", 7), ==, 7);
  g_autoptr (GDBusMessage) message =
      g_dbus_message_new_method_call (NULL, VT_CONTROL_PATH, VT_CONTROL_INTERFACE, "GetStatus");
  g_dbus_message_set_serial (message, 1);
  g_autofree guchar *blob = g_dbus_message_to_blob (message, &size, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
  setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
  do
    sent += size;
  while (sent < PESTERED && (n = send (fd, blob, size, MSG_NOSIGNAL)) == (ssize_t) size);
  return fd;
}

static void
pester_and_query (Fixture *f)
{
  f->peer = pester (f);
  query (f);
}

/* A peer that doesn't read delays neither the others nor the end. */
static void
test_stuck_peer (Fixture *f, gconstpointer data)
{
  serve (f);
  with_client (f, pester_and_query);
  gint64 begin = g_get_monotonic_time ();
  g_clear_pointer (&f->server, vt_control_server_free);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 10 * G_USEC_PER_SEC);
  close (f->peer);
}

static void
crowd (Fixture *f)
{
  g_autoptr (GPtrArray) many = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;
  guint served = 0, told = 0, refused = 0;
  for (guint i = 0; i < 140; i++)
    {
      GDBusConnection *connection = vt_control_connect (f->folder, &error);
      g_assert_no_error (error);
      g_ptr_array_add (many, connection);
      g_autoptr (GVariant) answer = vt_control_call (connection, "GetStatus", NULL, 30000, &error);
      if (answer)
        served++;
      else if (g_error_matches (error, VITRINE_ERROR, VITRINE_ERROR_BUSY))
        told++;
      else
        refused++;
      g_clear_error (&error);
    }
  g_assert_cmpuint (served, ==, 64);
  g_assert_cmpuint (told, ==, 64);
  g_assert_cmpuint (refused, ==, 12);
}

static gboolean
be_slow_cb (gpointer data)
{
  g_usleep (5000);
  return G_SOURCE_CONTINUE;
}

/* Leaves right after the handshake, often before a slow server's loop has turned. */
static void
leave_early (Fixture *f)
{
  for (guint i = 0; i < 140; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GDBusConnection) connection = vt_control_connect (f->folder, &error);
      g_assert_no_error (error);
      g_assert_true (g_dbus_connection_close_sync (connection, NULL, &error));
    }
}

/* When the server has seen that the others have gone. */
static void
query_at_last (Fixture *f)
{
  g_autofree char *state = NULL;
  for (guint i = 0; i < 1000 && g_strcmp0 (state, "running") != 0; i++)
    {
      g_free (state);
      state = vt_control_query_state (f->folder, NULL);
    }
  g_assert_cmpstr (state, ==, "running");
}

/* More than are served are told so, and nobody's place is lost. */
static void
test_crowd (Fixture *f, gconstpointer data)
{
  serve (f);
  guint slow = g_idle_add (be_slow_cb, NULL);
  with_client (f, leave_early);
  g_source_remove (slow);
  with_client (f, crowd);
  with_client (f, query_at_last);
}

static void
query_unresponsive (Fixture *f)
{
  g_autofree char *state = vt_control_query_state (f->folder, NULL);
  g_assert_cmpstr (state, ==, "unresponsive");
  g_autoptr (GError) error = NULL;
  g_assert_null (vt_control_connect (f->folder, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED);
}

/* The lock is held and the socket is gone. */
static void
test_unresponsive (Fixture *f, gconstpointer data)
{
  serve (f);
  g_unlink (f->socket);
  query_unresponsive (f);
  /* The server removes it at its end, and complains where it can't. */
  g_assert_true (g_file_set_contents (f->socket, "", 0, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/control/chords", test_chords);
  g_test_add_func ("/control/characters", test_characters);
#define ADD(path, func, data) g_test_add (path, Fixture, data, fixture_init, func, fixture_finish)
  ADD ("/control/library", test_library, NULL);
  ADD ("/control/half-made", test_half_made, NULL);
  ADD ("/control/lock", test_lock, NULL);
  ADD ("/control/runtime", test_runtime, NULL);
  ADD ("/control/typist", test_typist, NULL);
  ADD ("/control/relative", test_relative, "relative");
  ADD ("/control/protocol", test_protocol, NULL);
  ADD ("/control/bad-peers", test_bad_peers, NULL);
  ADD ("/control/unresponsive", test_unresponsive, NULL);
  ADD ("/control/patience", test_patience, NULL);
  ADD ("/control/stuck-peer", test_stuck_peer, NULL);
  ADD ("/control/crowd", test_crowd, NULL);
  return g_test_run ();
}
