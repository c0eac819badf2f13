/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The configuration: classes, file, and every way in which a file can be bad.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vitrine-config.h"

#define UUID "6f1e0cd2-7b53-4d0e-9a51-3c1f7f0b8a24"

static VitrineConfig *
make_full (void)
{
  VitrineConfig *config = vitrine_config_new ("Debian “12”");
  g_object_set (config, "uuid", UUID, "memory", 2048u, "cpus", 3u, "description", "two\nlines\t\\",
                "kernel", "/boot/vmlinuz", "append", "console=ttyS0", "boot-menu", TRUE, NULL);
  g_object_set (vitrine_config_get_display (config), "model", "bochs-display", "vram", 64u, NULL);
  g_object_set (vitrine_config_get_remote (config), "enabled", TRUE, "port", 5930u, "password",
                "geheim", NULL);
  g_autoptr (VitrineDisk) disk
      = g_object_new (VITRINE_TYPE_DISK, "path", "disk0.img", "read-only", TRUE, NULL);
  g_autoptr (VitrineCdrom) cdrom = g_object_new (VITRINE_TYPE_CDROM, "path", "/x/a.iso", NULL);
  g_autoptr (VitrineSerial) serial = g_object_new (VITRINE_TYPE_SERIAL, "backend", "pty", NULL);
  vitrine_config_add_disk (config, disk);
  vitrine_config_add_cdrom (config, cdrom);
  vitrine_config_add_serial (config, serial);
  return config;
}

static void
test_round_trip (void)
{
  g_autoptr (VitrineConfig) a = make_full ();
  g_autofree char *text = vitrine_config_to_json (a);
  g_autoptr (GError) error = NULL;
  g_autoptr (VitrineConfig) b = vitrine_config_from_json (text, "t", &error);
  g_assert_no_error (error);
  g_autofree char *again = vitrine_config_to_json (b);
  g_assert_cmpstr (text, ==, again);
  g_assert_cmpstr (vitrine_config_get_name (b), ==, "Debian “12”");
  g_assert_cmpuint (vitrine_config_get_memory (b), ==, 2048);
  g_assert_cmpuint (vitrine_config_get_cpus (b), ==, 3);
  g_assert_true (vitrine_config_get_boot_menu (b));
  g_assert_cmpstr (vitrine_display_get_model (vitrine_config_get_display (b)), ==, "bochs-display");
  g_assert_cmpuint (vitrine_remote_get_port (vitrine_config_get_remote (b)), ==, 5930);
  g_autoptr (VitrineDisk) disk = g_list_model_get_item (vitrine_config_get_disks (b), 0);
  g_assert_cmpstr (vitrine_disk_get_path (disk), ==, "disk0.img");
  g_assert_true (vitrine_disk_get_read_only (disk));
  g_autoptr (VitrineSerial) serial = g_list_model_get_item (vitrine_config_get_serials (b), 0);
  g_assert_cmpstr (vitrine_serial_get_backend (serial), ==, "pty");
}

/* The default of each GParamSpec is what a new object has: a file may leave a key out. */
static void
test_defaults (void)
{
  GType types[] = { VITRINE_TYPE_CONFIG, VITRINE_TYPE_DISK,    VITRINE_TYPE_CDROM,
                    VITRINE_TYPE_SERIAL, VITRINE_TYPE_DISPLAY, VITRINE_TYPE_REMOTE };
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GObject) object = g_object_new (types[i], NULL);
      guint                   n;
      g_autofree GParamSpec **pspecs
          = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);
      g_assert_cmpuint (n, >, 0);
      for (guint j = 0; j < n; j++)
        {
          g_auto (GValue) value = G_VALUE_INIT;
          if (g_type_is_a (pspecs[j]->value_type, G_TYPE_OBJECT)
              || pspecs[j]->value_type == G_TYPE_LIST_MODEL)
            continue;
          g_value_init (&value, pspecs[j]->value_type);
          g_object_get_property (object, pspecs[j]->name, &value);
          if (!g_param_value_defaults (pspecs[j], &value))
            g_error ("%s: its value is not its default", pspecs[j]->name);
          g_assert_nonnull (g_param_spec_get_nick (pspecs[j]));
          g_assert_nonnull (g_param_spec_get_blurb (pspecs[j]));
        }
    }
}

static void
test_unknown_kept (void)
{
  const char *text = "{ \"name\": \"a\", \"uuid\": \"" UUID "\", \"later\": { \"x\": [1, 2.5, null] },"
                     "\"display\": { \"gl\": true }, \"disks\": [ { \"path\": \"d\", \"iops\": 10 } ] }";
  g_autoptr (GError) error = NULL;
  g_autoptr (VitrineConfig) a = vitrine_config_from_json (text, "t", &error);
  g_assert_no_error (error);
  g_object_set (a, "memory", 512u, NULL);
  g_autofree char *out = vitrine_config_to_json (a);
  g_assert_nonnull (strstr (out, "\"later\""));
  g_assert_nonnull (strstr (out, "2.5"));
  g_assert_nonnull (strstr (out, "\"gl\" : true"));
  g_assert_nonnull (strstr (out, "\"iops\" : 10"));
  g_autoptr (VitrineConfig) b = vitrine_config_from_json (out, "t", &error);
  g_assert_no_error (error);
  g_autofree char *again = vitrine_config_to_json (b);
  g_assert_cmpstr (out, ==, again);
}

static void
test_bad (void)
{
  static const struct
  {
    const char *json;   /* Of a file; the first line has the opening brace. */
    const char *expect; /* A part of the message. */
  } cases[] = {
    { "", "empty" },
    { " \n ", "empty" },
    { "nonsense", "t:1:" },
    { "[]", "an object, not a list" },
    { "3", "an object, not a whole number" },
    { "\"x\"", "an object, not a text" },
    { "null", "an object, not null" },
    { "{}", "“name”" },
    { "{\n\"name\": \"a\",\n\"memory\": \"lots\" }", "t:3: memory: It must be a whole number" },
    { "{ \"name\": \"a\",\n\"memory\": 1.5 }", "t:2: memory: It must be a whole number, not a num" },
    { "{ \"name\": \"a\", \"memory\": -5 }", "memory: -5 is out of range; it must be from 4 to" },
    { "{ \"name\": \"a\", \"memory\": 9223372036854775807 }", "out of range" },
    { "{ \"name\": \"a\", \"memory\": 9223372036854775808 }", "too large" },
    { "{ \"name\": \"a\", \"x\": 1e999 }", "too large" },
    { "{ \"name\": \"a\", \"cpus\": 0 }", "cpus: 0 is out of range; it must be from 1 to 255" },
    { "{ \"name\": \"a\", \"cpus\": 256 }", "cpus" },
    { "{ \"name\": \"a\", \"cpus\": true }", "not true or false" },
    { "{ \"name\": \"a\", \"cpus\": null }", "not null" },
    { "{ \"name\": \"a\", \"cpus\": [1] }", "not a list" },
    { "{ \"name\": \"a\", \"boot-menu\": 1 }", "boot-menu: It must be true or false" },
    { "{ \"name\": \"a\", \"debug-exit\": \"yes\" }", "debug-exit: It must be true or false, not a text" },
    { "{ \"name\": 7 }", "name: It must be a text" },
    { "{ \"name\": null }", "name: It must be a text" },
    { "{ \"name\": \"\" }", "name: It must not be empty" },
    { "{ \"name\": \"a/b\" }", "slash" },
    { "{ \"name\": \"..\" }", "dot" },
    { "{ \"name\": \"a\\nb\" }", "control" },
    { "{ \"name\": \"a\", \"name\": \"b\" }", "twice" },
    { "{ \"name\": \"a\", \"n\\u0061me\": \"b\" }", "twice" },
    { "{ \"name\": \"a\", \"uuid\": \"x\" }", "uuid: “x” is not a UUID" },
    { "{ \"name\": \"a\", \"board\": \"pc\" }", "board: “pc” is unknown; it must be one of: q35" },
    { "{ \"name\": \"a\", \"cpu-engine\": \"hvf\" }", "auto, kvm, translate" },
    { "{ \"name\": \"a\", \"boot-order\": \"cc\" }", "boot-order" },
    { "{ \"name\": \"a\", \"boot-order\": \"n\" }", "boot-order" },
    { "{ \"name\": \"a\", \"firmware\": \"\" }", "firmware" },
    { "{ \"name\": \"a\", \"initrd\": \"i\" }", "initrd: An initial RAM disk needs a kernel" },
    { "{ \"name\": \"a\", \"append\": \"i\" }", "append" },
    { "{ \"name\": \"a\", \"display\": 1 }", "display: It must be an object" },
    { "{ \"name\": \"a\",\n\n \"display\": { \"vram\": 24 } }", "t:3: display.vram: 24 is not a power" },
    { "{ \"name\": \"a\", \"display\": { \"vram\": 512 } }", "display.vram: 512 is out of range" },
    { "{ \"name\": \"a\", \"display\": { \"model\": \"cirrus\" } }", "display.model" },
    { "{ \"name\": \"a\", \"remote\": { \"port\": 65536 } }", "remote.port" },
    { "{ \"name\": \"a\", \"remote\": { \"password\": \"0123456789012345678901234567890123456789"
      "012345678901234567890\" } }", "remote.password" },
    { "{ \"name\": \"a\", \"disks\": {} }", "disks: It must be a list, not an object" },
    { "{ \"name\": \"a\", \"disks\": [ 1 ] }", "disks[0]: It must be an object" },
    { "{ \"name\": \"a\",\n\"disks\": [ { \"path\": \"d\" },\n{} ] }", "t:3: disks[1]: The key “path”" },
    { "{ \"name\": \"a\", \"disks\": [ { \"path\": 1 } ] }", "disks[0].path: It must be a text" },
    { "{ \"name\": \"a\", \"disks\": [ { \"path\": \"\" } ] }", "disks[0].path: It must not be emp" },
    { "{ \"name\": \"a\", \"disks\": [ { \"path\": \"x\", \"bus\": \"ide\" } ] }", "disks[0].bus" },
    { "{ \"name\": \"a\", \"cdroms\": [ {}, {}, {}, {}, {}, {}, {} ] }", "cdroms: The board's SATA" },
    { "{ \"name\": \"a\", \"serials\": [ {}, {}, {}, {}, {} ] }", "serials: A machine has at most 4" },
    { "{ \"name\": \"a\", \"serials\": [ { \"backend\": \"file\" } ] }", "serials[0].path" },
    { "{ \"name\": \"a\", \"serials\": [ { \"backend\": \"tcp\" } ] }", "serials[0].backend" },
    { "{ \"version\": 2, \"name\": \"a\" }", "newer Vitrine" },
    { "{ \"version\": 0, \"name\": \"a\" }", "version" },
    { "{ \"version\": \"1\", \"name\": \"a\" }", "version: It must be a whole number" },
    { "{ \"name\": \"a\" } x", "something follows" },
    { "{ \"name\": \"a\" } {}", "something follows" },
    { "{ \"name\": \"a\", }", "key in quotes" },
    { "{ \"name\": \"a\" /* c */ }", "comma" },
    { "// c\n{ \"name\": \"a\" }", "t:1:" },
    { "{ 'name': 'a' }", "key in quotes" },
    { "{ name: \"a\" }", "key in quotes" },
    { "{ \"name\" \"a\" }", "colon" },
    { "{ \"name\": \"a\" \"b\": 1 }", "comma" },
    { "{ \"name\": \"a\", \"x\": [1 2] }", "comma" },
    { "{ \"name\": \"a\", \"x\": [1,] }", "missing" },
    { "{ \"name\": \"a\", \"x\": 01 }", "comma" },
    { "{ \"name\": \"a\", \"x\": -a }", "digits" },
    { "{ \"name\": \"a\", \"x\": 1. }", "digits" },
    { "{ \"name\": \"a\", \"x\": 1e }", "digits" },
    { "{ \"name\": \"a\", \"x\": .5 }", "missing or misspelt" },
    { "{ \"name\": \"a\", \"x\": NaN }", "misspelt" },
    { "{ \"name\": \"a\", \"x\": truth }", "misspelt" },
    { "{ \"name\": \"a\\u0000b\" }", "zero byte" },
    { "{ \"name\": \"a\\ud800\" }", "surrogate" },
    { "{ \"name\": \"a\\ud800\\u0041\" }", "surrogate" },
    { "{ \"name\": \"a\\udc00\" }", "surrogate" },
    { "{ \"name\": \"a\\u12g4\" }", "hexadecimal" },
    { "{ \"name\": \"a\\x\" }", "escape" },
    { "{ \"name\": \"a\tb\" }", "control" },
    { "{ \"name\": \"a\xff\" }", "UTF-8" },
    { "{ \"name\": \"a }", "inside a text" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (VitrineConfig) config = vitrine_config_from_json (cases[i].json, "t", &error);
      if (config)
        g_error ("accepted: %s", cases[i].json);
      g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
      g_test_message ("%s", error->message);
      if (!strstr (error->message, cases[i].expect))
        g_error ("%s gave: %s; expected: %s", cases[i].json, error->message, cases[i].expect);
      g_assert_null (strchr (error->message, '\n'));
      g_assert_true (g_str_has_prefix (error->message, "t:"));
    }
}

static void
test_truncated (void)
{
  g_autoptr (VitrineConfig) a = make_full ();
  g_autofree char *text = vitrine_config_to_json (a);
  gsize            len = strlen (text);
  g_assert_cmpint (text[len - 1], ==, '\n');
  for (gsize n = 0; n < len - 1; n++)
    {
      g_autofree char *part = g_strndup (text, n);
      g_autoptr (GError) error = NULL;
      g_assert_null (vitrine_config_from_json (part, "t", &error));
      g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
    }
}

/* Every byte of a good file replaced by some others: refused or understood, and never worse. */
static void
test_damaged (void)
{
  g_autoptr (VitrineConfig) a = make_full ();
  g_autofree char *text = vitrine_config_to_json (a);
  static const char others[] = "\"{}[],:\\ 0-9eEtfn/'\x01\x80\xff";
  guint             refused = 0;
  for (gsize n = 0; text[n]; n++)
    for (const char *o = others; *o; o++)
      {
        g_autofree char *bad = g_strdup (text);
        bad[n] = *o;
        g_autoptr (GError) error = NULL;
        g_autoptr (VitrineConfig) config = vitrine_config_from_json (bad, "t", &error);
        g_assert_true ((config == NULL) == (error != NULL));
        refused += !config;
      }
  g_assert_cmpuint (refused, >, 0);
}

static void
test_nesting (void)
{
  static const char *const opens[] = { "[", "{\"a\":", "{\"disks\":[" };
  for (guint i = 0; i < G_N_ELEMENTS (opens); i++)
    {
      g_autoptr (GString) text = g_string_new ("{\"name\":\"a\",\"x\":");
      for (int n = 0; n < 100000; n++)
        g_string_append (text, opens[i]);
      g_autoptr (GError) error = NULL;
      g_assert_null (vitrine_config_from_json (text->str, "t", &error));
      g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, "nested too deeply"));
    }
}

static int changes;

static void
changed_cb (VitrineConfig *config, gpointer data)
{
  (*(int *) data)++;
}

static void
test_changed (void)
{
  g_autoptr (VitrineConfig) config = vitrine_config_new ("a");
  g_signal_connect (config, "changed", G_CALLBACK (changed_cb), &changes);
  g_object_set (config, "memory", 77u, NULL);
  g_assert_cmpint (changes, ==, 1);
  g_object_set (config, "memory", 77u, NULL);
  g_assert_cmpint (changes, ==, 1);
  g_object_set (vitrine_config_get_display (config), "vram", 8u, NULL);
  g_assert_cmpint (changes, ==, 2);
  g_autoptr (VitrineCdrom) cdrom = g_object_new (VITRINE_TYPE_CDROM, NULL);
  vitrine_config_add_cdrom (config, cdrom);
  g_assert_cmpint (changes, ==, 3);
  g_object_set (cdrom, "path", "x", NULL);
  g_assert_cmpint (changes, ==, 4);
  vitrine_config_remove (config, cdrom);
  g_assert_cmpint (changes, ==, 5);
  g_object_set (cdrom, "path", NULL, NULL);
  g_assert_cmpint (changes, ==, 5);
  g_assert_cmpstr (vitrine_cdrom_get_path (cdrom), ==, "");
  g_assert_cmpuint (g_list_model_get_n_items (vitrine_config_get_cdroms (config)), ==, 0);
  vitrine_config_remove (config, cdrom);
  g_assert_cmpint (changes, ==, 5);
}

static void
test_names (void)
{
  static const char *const good[] = { "a", "Debian 12", "été", "a.b", "a-b" };
  static const char *const bad[] = { "", ".", "..", ".a", "-a", "a/b", "a\nb", "\xff", " a", "a " };
  g_autofree char         *longest = g_strnfill (VITRINE_CONFIG_MAX_NAME, 'x');
  g_autofree char         *too_long = g_strnfill (VITRINE_CONFIG_MAX_NAME + 1, 'x');
  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (vitrine_config_check_name (good[i], NULL));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_false (vitrine_config_check_name (bad[i], &error));
      g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      g_assert_null (strchr (error->message, '\n'));
    }
  g_assert_true (vitrine_config_check_name (longest, NULL));
  g_assert_false (vitrine_config_check_name (too_long, NULL));
}

static void
test_uuid_derived (void)
{
  const char *text = "{ \"name\": \"a\" }";
  g_autoptr (VitrineConfig) a = vitrine_config_from_json (text, "x", NULL);
  g_autoptr (VitrineConfig) b = vitrine_config_from_json (text, "x", NULL);
  g_autoptr (VitrineConfig) c = vitrine_config_from_json (text, "y", NULL);
  g_assert_true (g_uuid_string_is_valid (vitrine_config_get_uuid (a)));
  g_assert_cmpstr (vitrine_config_get_uuid (a), ==, vitrine_config_get_uuid (b));
  g_assert_cmpstr (vitrine_config_get_uuid (a), !=, vitrine_config_get_uuid (c));
}

typedef struct
{
  char *folder, *file;
} Folder;

static void
folder_init (Folder *f, gconstpointer data)
{
  f->folder = g_dir_make_tmp ("vitrine-config-XXXXXX", NULL);
  g_assert_nonnull (f->folder);
  f->file = g_build_filename (f->folder, "machine.json", NULL);
}

static guint
count_entries (const char *folder)
{
  guint n = 0;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  while (g_dir_read_name (dir))
    n++;
  return n;
}

static void
folder_finish (Folder *f, gconstpointer data)
{
  g_rmdir (f->file);
  g_unlink (f->file);
  g_assert_cmpint (g_rmdir (f->folder), ==, 0);
  g_free (f->folder);
  g_free (f->file);
}

static void
test_save (Folder *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VitrineConfig) a = make_full ();
  g_assert_true (vitrine_config_save (a, f->folder, &error));
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (stat (f->file, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  g_assert_cmpuint (count_entries (f->folder), ==, 1);

  g_autoptr (VitrineConfig) b = vitrine_config_load (f->folder, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (vitrine_config_get_folder (b), ==, f->folder);
  g_autofree char *resolved = vitrine_config_resolve (b, "disk0.img");
  g_assert_true (g_str_has_prefix (resolved, f->folder));
  g_autofree char *absolute = vitrine_config_resolve (b, "/a");
  g_assert_cmpstr (absolute, ==, "/a");

  /* What makes no sense is not saved. */
  g_object_set (b, "uuid", "nonsense", NULL);
  g_assert_false (vitrine_config_save (b, f->folder, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_assert_true (g_str_has_prefix (error->message, "uuid: "));
  g_clear_error (&error);
  g_autoptr (VitrineConfig) c = vitrine_config_load (f->folder, &error);
  g_assert_no_error (error);
}

static void
test_no_space (Folder *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VitrineConfig) a = make_full ();
  g_autofree char *before = NULL, *after = NULL;
  g_assert_true (vitrine_config_save (a, f->folder, &error));
  g_assert_true (g_file_get_contents (f->file, &before, NULL, NULL));

  struct rlimit old, limit;
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &old), ==, 0);
  limit = old;
  limit.rlim_cur = 20;
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  g_object_set (a, "memory", 99u, NULL);
  gboolean saved = vitrine_config_save (a, f->folder, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &old), ==, 0);

  g_assert_false (saved);
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, f->file));
  g_assert_cmpuint (count_entries (f->folder), ==, 1);
  g_assert_true (g_file_get_contents (f->file, &after, NULL, NULL));
  g_assert_cmpstr (before, ==, after);
}

static void
assert_load_fails (Folder *f, VitrineError code)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (vitrine_config_load (f->folder, &error));
  g_assert_error (error, VITRINE_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, f->file));
}

static void
test_odd_files (Folder *f, gconstpointer data)
{
  assert_load_fails (f, VITRINE_ERROR_NOT_FOUND);

  g_assert_cmpint (g_mkdir (f->file, 0700), ==, 0);
  assert_load_fails (f, VITRINE_ERROR_INVALID);
  g_rmdir (f->file);

  g_assert_cmpint (mkfifo (f->file, 0600), ==, 0);
  assert_load_fails (f, VITRINE_ERROR_INVALID);
  g_unlink (f->file);

  g_assert_true (g_file_set_contents (f->file, "{\"name\":\"a\"}\0{}", 15, NULL));
  assert_load_fails (f, VITRINE_ERROR_INVALID);

  g_autofree char *huge = g_strnfill (1024 * 1024 + 1, ' ');
  g_assert_true (g_file_set_contents (f->file, huge, -1, NULL));
  assert_load_fails (f, VITRINE_ERROR_INVALID);

  if (geteuid () != 0)
    {
      g_assert_cmpint (g_chmod (f->file, 0), ==, 0);
      assert_load_fails (f, VITRINE_ERROR_DENIED);
    }
  g_autoptr (GError) error = NULL;
  g_autoptr (VitrineConfig) a = make_full ();
  g_assert_false (vitrine_config_save (a, "/nonexistent/folder", &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_NOT_FOUND);
}

/* Descriptors of firmware: by image, through links, and whatever nonsense lies beside them. */
static void
test_firmware (void)
{
  static const char *const nonsense[] = { "[]", "{", "", "1", "{\"mapping\": 1}", "{\"mapping\": {\"executable\": []}}",
                                          "{\"mapping\": {\"executable\": {\"filename\": {}}}}" };
  g_autofree char *folder = g_dir_make_tmp ("vitrine-firmware-XXXXXX", NULL);
  g_autofree char *image = g_build_filename (folder, "code.fd", NULL), *link = g_build_filename (folder, "link.fd", NULL);
  g_autofree char *other = g_build_filename (folder, "other.fd", NULL), *file = g_build_filename (folder, "x.json", NULL);
  g_autofree char *text = g_strdup_printf ("{\"mapping\": {\"executable\": {\"filename\": \"%s\"}},"
                                           " \"features\": [1, \"a\", \"requires-smm\"]}", link);

  g_assert_true (g_file_set_contents (image, "x", 1, NULL) && g_file_set_contents (other, "x", 1, NULL));
  g_assert_cmpint (symlink (image, link), ==, 0);
  g_assert_false (vitrine_firmware_needs (folder, image, "requires-smm"));
  g_assert_false (vitrine_firmware_needs ("/nonexistent", image, "requires-smm"));
  for (unsigned i = 0; i < G_N_ELEMENTS (nonsense); i++)
    {
      g_assert_true (g_file_set_contents (file, nonsense[i], -1, NULL));
      g_assert_false (vitrine_firmware_needs (folder, image, "requires-smm"));
    }
  g_assert_true (g_file_set_contents (file, text, -1, NULL));
  g_assert_true (vitrine_firmware_needs (folder, image, "requires-smm"));
  g_assert_true (vitrine_firmware_needs (folder, link, "requires-smm"));
  g_assert_false (vitrine_firmware_needs (folder, other, "requires-smm"));
  g_assert_false (vitrine_firmware_needs (folder, "/nonexistent", "requires-smm"));
  g_assert_false (vitrine_firmware_needs (folder, image, "b"));
  g_unlink (image);
  g_unlink (link);
  g_unlink (other);
  g_unlink (file);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/round-trip", test_round_trip);
  g_test_add_func ("/config/defaults", test_defaults);
  g_test_add_func ("/config/unknown-kept", test_unknown_kept);
  g_test_add_func ("/config/bad", test_bad);
  g_test_add_func ("/config/truncated", test_truncated);
  g_test_add_func ("/config/damaged", test_damaged);
  g_test_add_func ("/config/nesting", test_nesting);
  g_test_add_func ("/config/changed", test_changed);
  g_test_add_func ("/config/firmware", test_firmware);
  g_test_add_func ("/config/names", test_names);
  g_test_add_func ("/config/uuid-derived", test_uuid_derived);
  g_test_add ("/config/save", Folder, NULL, folder_init, test_save, folder_finish);
  g_test_add ("/config/no-space", Folder, NULL, folder_init, test_no_space, folder_finish);
  g_test_add ("/config/odd-files", Folder, NULL, folder_init, test_odd_files, folder_finish);
  return g_test_run ();
}
