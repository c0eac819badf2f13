/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vitrine list, show, status: what there is.
 */
#include "cli.h"

#include "control/client.h"
#include "control/library.h"

/* States in the language of the user; JSON keeps the words. */
static const char *
translate_state (const char *state)
{
  static const char *const states[][2] = {
    { "off", N_("off") },           { "starting", N_("starting") },
    { "running", N_("running") },   { "pausing", N_("pausing") },
    { "paused", N_("paused") },     { "stopping", N_("stopping") },
    { "crashed", N_("crashed") },   { "unresponsive", N_("unresponsive") },
    { "invalid", N_("invalid") },
  };
  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    if (g_str_equal (state, states[i][0]))
      return _(states[i][1]);
  return state;
}

static void
json_uint (JsonBuilder *builder, const char *key, guint64 value)
{
  json_builder_set_member_name (builder, key);
  json_builder_add_int_value (builder, (gint64) value);
}

static void
print_padded (const char *text, glong width)
{
  glong length = g_utf8_strlen (text, -1);
  g_print ("%s%*s", text, (int) MAX (width - length, 0) + 2, "");
}

int
vt_cli_list (const VtCommand *command, int argc, char **argv)
{
  gboolean           json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, N_("For scripts: print JSON"), NULL },
    { 0 },
  };
  int result;
  if (!vt_cli_parse (command, entries, &argc, &argv, 0, 0, &result))
    return result;
  GError *error = NULL;
  g_auto (GStrv) names = vt_library_list (&error);
  if (!names)
    return vt_cli_fail (error);

  glong width = g_utf8_strlen (_("NAME"), -1);
  for (char **name = names; *name; name++)
    width = MAX (width, g_utf8_strlen (*name, -1));
  JsonBuilder *builder = json_builder_new ();
  json_builder_begin_array (builder);
  if (!json && *names)
    {
      print_padded (_("NAME"), width);
      print_padded (_("STATE"), 12);
      print_padded (_("CPUS"), 4);
      g_print ("%s\n", _("MEMORY"));
    }
  for (char **name = names; *name; name++)
    {
      g_autofree char *folder = vt_library_machine_folder (*name);
      g_autoptr (GError) bad = NULL;
      g_autoptr (VitrineConfig) config = vitrine_config_load (folder, &bad);
      g_autoptr (GVariant) status = NULL;
      g_autofree char *state = vt_control_query_state (folder, &status);
      const char      *engine;
      /* A machine whose file was damaged while it runs still runs. */
      const char *shown = !config && g_str_equal (state, "off") ? "invalid" : state;
      json_builder_begin_object (builder);
      vt_cli_json_string (builder, "name", *name);
      vt_cli_json_string (builder, "state", shown);
      vt_cli_json_string (builder, "folder", folder);
      if (config)
        {
          vt_cli_json_string (builder, "uuid", vitrine_config_get_uuid (config));
          json_uint (builder, "cpus", vitrine_config_get_cpus (config));
          json_uint (builder, "memory", vitrine_config_get_memory (config));
        }
      else
        vt_cli_json_string (builder, "error", bad->message);
      if (status && g_variant_lookup (status, "cpu-engine", "&s", &engine) && *engine)
        vt_cli_json_string (builder, "cpu-engine", engine);
      json_builder_end_object (builder);
      if (json)
        continue;
      print_padded (*name, width);
      print_padded (translate_state (shown), 12);
      if (config)
        g_print ("%4u  %" G_GUINT64_FORMAT " MiB\n", vitrine_config_get_cpus (config),
                 vitrine_config_get_memory (config));
      else
        g_print ("%s\n", bad->message);
    }
  json_builder_end_array (builder);
  if (json)
    vt_cli_print_json (builder);
  else
    g_object_unref (builder);
  return VT_EXIT_OK;
}

/* GetStatus's dictionary as members of the object that is open. */
static void
json_status (JsonBuilder *builder, GVariant *status)
{
  GVariantIter iter;
  const char  *key;
  GVariant    *value;
  g_variant_iter_init (&iter, status);
  while (g_variant_iter_loop (&iter, "{&sv}", &key, &value))
    {
      json_builder_set_member_name (builder, key);
      json_builder_add_value (builder, json_gvariant_serialize (value));
    }
}

static void
print_status (GVariant *status)
{
  const char *text;
  guint       port;
  int         i = 0;
  g_autoptr (GVariantIter) serials = NULL;
  if (g_variant_lookup (status, "status", "&s", &text) && *text)
    g_print ("%s\n", text);
  if (g_variant_lookup (status, "detail", "&s", &text) && *text)
    g_print ("%s\n", text);
  if (g_variant_lookup (status, "pid", "u", &port))
    g_print ("%-14s %u\n", _("process"), port);
  if (g_variant_lookup (status, "cpu-engine", "&s", &text) && *text)
    g_print ("%-14s %s\n", _("CPU engine"), text);
  if (g_variant_lookup (status, "cpu-detail", "&s", &text) && *text)
    g_print ("%-14s %s\n", "", text);
  if (g_variant_lookup (status, "spice-port", "u", &port) && port)
    g_print ("%-14s spice://127.0.0.1:%u\n", _("viewer"), port);
  if (g_variant_lookup (status, "spice-tls-port", "u", &port) && port)
    g_print ("%-14s spice://127.0.0.1?tls-port=%u\n", _("viewer"), port);
  if (g_variant_lookup (status, "serials", "as", &serials))
    while (g_variant_iter_loop (serials, "&s", &text))
      g_print ("%-13s%d %s\n", _("serial port"), i++, *text ? text : "–");
}

int
vt_cli_status (const VtCommand *command, int argc, char **argv)
{
  gboolean           json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, N_("For scripts: print JSON"), NULL },
    { 0 },
  };
  int     result;
  GError *error = NULL;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 1, &result))
    return result;
  g_autofree char *folder = vt_library_find (argv[1], &error);
  if (!folder)
    return vt_cli_fail (error);
  g_autoptr (GVariant) status = NULL;
  g_autofree char *state = vt_control_query_state (folder, &status);
  if (json)
    {
      JsonBuilder *builder = json_builder_new ();
      json_builder_begin_object (builder);
      vt_cli_json_string (builder, "name", argv[1]);
      vt_cli_json_string (builder, "state", state);
      if (status)
        json_status (builder, status);
      json_builder_end_object (builder);
      vt_cli_print_json (builder);
      return VT_EXIT_OK;
    }
  g_print ("%-14s %s\n", _("state"), translate_state (state));
  if (status)
    print_status (status);
  return VT_EXIT_OK;
}

static void
show_drives (const char *label, GListModel *list)
{
  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (GObject) item = g_list_model_get_item (list, i);
      g_autofree char *path = NULL;
      g_object_get (item, "path", &path, NULL);
      g_print ("%-14s %s\n", label, *path ? path : _("empty"));
    }
}

static void
show_config (VitrineConfig *config)
{
  VitrineDisplay  *display = vitrine_config_get_display (config);
  VitrineRemote   *remote = vitrine_config_get_remote (config);
  GListModel      *serials = vitrine_config_get_serials (config);
  g_autofree char *memory = vt_cli_format_size (vitrine_config_get_memory (config) << 20);
  g_print ("%-14s %s\n", _("uuid"), vitrine_config_get_uuid (config));
  g_print ("%-14s %s\n", _("folder"), vitrine_config_get_folder (config));
  g_print ("%-14s %s\n", _("board"), vitrine_config_get_board (config));
  g_print ("%-14s %u\n", _("processors"), vitrine_config_get_cpus (config));
  g_print ("%-14s %s\n", _("memory"), memory);
  g_print ("%-14s %s\n", _("firmware"), vitrine_config_get_firmware (config));
  if (*vitrine_config_get_kernel (config))
    g_print ("%-14s %s\n%-14s %s\n%-14s %s\n", _("kernel"), vitrine_config_get_kernel (config),
             _("initrd"), vitrine_config_get_initrd (config), _("append"),
             vitrine_config_get_append (config));
  show_drives (_("disk"), vitrine_config_get_disks (config));
  show_drives (_("CD drive"), vitrine_config_get_cdroms (config));
  g_print ("%-14s %s, %u MiB, %u×%u\n", _("display"), vitrine_display_get_model (display),
           vitrine_display_get_vram (display), vitrine_display_get_width (display),
           vitrine_display_get_height (display));
  for (guint i = 0; i < g_list_model_get_n_items (serials); i++)
    {
      g_autoptr (VitrineSerial) serial = g_list_model_get_item (serials, i);
      g_print ("%-14s %s %s\n", _("serial port"), vitrine_serial_get_backend (serial),
               vitrine_serial_get_path (serial));
    }
  if (vitrine_remote_get_enabled (remote))
    g_print ("%-14s %s:%u%s\n", _("remote viewing"), vitrine_remote_get_address (remote),
             vitrine_remote_get_port (remote), vitrine_remote_get_tls (remote) ? " (TLS)" : "");
}

/* The file's own object, but for the password: output of this command ends up in bug reports. */
static void
json_config (JsonBuilder *builder, VitrineConfig *config)
{
  g_autofree char *text = vitrine_config_to_json (config);
  g_autoptr (JsonNode) root = json_from_string (text, NULL);
  JsonObject *remote
      = root ? json_object_get_object_member (json_node_get_object (root), "remote") : NULL;
  json_builder_set_member_name (builder, "config");
  if (remote)
    json_object_remove_member (remote, "password");
  if (root)
    json_builder_add_value (builder, g_steal_pointer (&root));
  else
    json_builder_add_null_value (builder);
}

int
vt_cli_show (const VtCommand *command, int argc, char **argv)
{
  gboolean           json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, N_("For scripts: print JSON"), NULL },
    { 0 },
  };
  int     result;
  GError *error = NULL;
  if (!vt_cli_parse (command, entries, &argc, &argv, 1, 1, &result))
    return result;
  g_autofree char *folder = vt_library_find (argv[1], &error);
  g_autoptr (VitrineConfig) config = folder ? vitrine_config_load (folder, &error) : NULL;
  if (!config)
    return vt_cli_fail (error);
  g_autoptr (GVariant) status = NULL;
  g_autofree char *state = vt_control_query_state (folder, &status);
  if (json)
    {
      JsonBuilder *builder = json_builder_new ();
      json_builder_begin_object (builder);
      vt_cli_json_string (builder, "name", argv[1]);
      vt_cli_json_string (builder, "state", state);
      vt_cli_json_string (builder, "folder", folder);
      json_config (builder, config);
      if (status)
        {
          json_builder_set_member_name (builder, "status");
          json_builder_begin_object (builder);
          json_status (builder, status);
          json_builder_end_object (builder);
        }
      json_builder_end_object (builder);
      vt_cli_print_json (builder);
      return VT_EXIT_OK;
    }
  g_print ("%-14s %s\n%-14s %s\n", _("name"), argv[1], _("state"), translate_state (state));
  show_config (config);
  if (status)
    print_status (status);
  return VT_EXIT_OK;
}
