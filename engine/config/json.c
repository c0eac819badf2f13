/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Configuration to and from machine.json, by walking the properties of the objects. A key that no
 * property has is kept with its object and written back.
 */
#include "config-internal.h"

#include "json-check.h"
#include "vt-base.h"

/* The format of the file; a higher one was written by a later program and may mean other things. */
#define FORMAT_VERSION 1
#define VERSION_KEY "version"

typedef struct
{
  const char *origin;
  GHashTable *lines; /* By place. */
  GError    **error;
} Reader;

static char *
locate (gpointer data, const char *where)
{
  Reader  *r = data;
  gpointer line;
  if (g_hash_table_lookup_extended (r->lines, where, NULL, &line))
    return g_strdup_printf ("%s:%u: ", r->origin, GPOINTER_TO_UINT (line));
  return g_strdup_printf ("%s: ", r->origin);
}

static bool fail (Reader *r, const char *where, const char *format, ...) G_GNUC_PRINTF (3, 4);

static bool
fail (Reader *r, const char *where, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  g_autofree char *place = locate (r, where);
  return vt_set_error (r->error, VITRINE_ERROR_INVALID, "%s%s%s%s", place, where, *where ? ": " : "",
                       what);
}

static const char *
describe_node (JsonNode *node)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    return _("an object");
  if (JSON_NODE_HOLDS_ARRAY (node))
    return _("a list");
  if (JSON_NODE_HOLDS_NULL (node))
    return _("null");
  switch (json_node_get_value_type (node))
    {
    case G_TYPE_STRING:
      return _("a text");
    case G_TYPE_BOOLEAN:
      return _("true or false");
    case G_TYPE_INT64:
      return _("a whole number");
    default:
      return _("a number with a fraction");
    }
}

static bool
fail_type (Reader *r, const char *where, const char *wanted, JsonNode *node)
{
  return fail (r, where, _("It must be %s, not %s."), wanted, describe_node (node));
}

static bool read_object (Reader *r, GObject *object, JsonNode *node, const char *where);

static bool
read_uint (Reader *r, GObject *object, GParamSpecUInt *pspec, JsonNode *node, const char *where)
{
  if (json_node_get_value_type (node) != G_TYPE_INT64)
    return fail_type (r, where, _("a whole number"), node);
  gint64 value = json_node_get_int (node);
  if (value < pspec->minimum || value > pspec->maximum)
    return fail (r, where, _("%" G_GINT64_FORMAT " is out of range; it must be from %u to %u."),
                 value, pspec->minimum, pspec->maximum);
  g_object_set (object, ((GParamSpec *) pspec)->name, (guint) value, NULL);
  return true;
}

static bool
read_list (Reader *r, GObject *object, GParamSpec *pspec, JsonNode *node, const char *where)
{
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return fail_type (r, where, _("a list"), node);
  g_autoptr (GListModel) list = NULL;
  g_object_get (object, pspec->name, &list, NULL);
  JsonArray *array = json_node_get_array (node);
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      g_autofree char    *place = g_strdup_printf ("%s[%u]", where, i);
      g_autoptr (GObject) item = g_object_new (g_list_model_get_item_type (list), NULL);
      if (!read_object (r, item, json_array_get_element (array, i), place))
        return false;
      if (VITRINE_IS_DISK (item))
        vitrine_config_add_disk (VITRINE_CONFIG (object), VITRINE_DISK (item));
      else if (VITRINE_IS_CDROM (item))
        vitrine_config_add_cdrom (VITRINE_CONFIG (object), VITRINE_CDROM (item));
      else
        vitrine_config_add_serial (VITRINE_CONFIG (object), VITRINE_SERIAL (item));
    }
  return true;
}

static bool
read_property (Reader *r, GObject *object, GParamSpec *pspec, JsonNode *node, const char *where)
{
  /* Of a node that holds no value the type is G_TYPE_INVALID or a container's. */
  bool is_value = JSON_NODE_HOLDS_VALUE (node);
  if (G_IS_PARAM_SPEC_STRING (pspec))
    {
      if (!is_value || json_node_get_value_type (node) != G_TYPE_STRING)
        return fail_type (r, where, _("a text"), node);
      g_object_set (object, pspec->name, json_node_get_string (node), NULL);
      return true;
    }
  if (G_IS_PARAM_SPEC_BOOLEAN (pspec))
    {
      if (!is_value || json_node_get_value_type (node) != G_TYPE_BOOLEAN)
        return fail_type (r, where, _("true or false"), node);
      g_object_set (object, pspec->name, json_node_get_boolean (node), NULL);
      return true;
    }
  if (G_IS_PARAM_SPEC_UINT (pspec))
    return is_value ? read_uint (r, object, G_PARAM_SPEC_UINT (pspec), node, where)
                    : fail_type (r, where, _("a whole number"), node);
  if (pspec->value_type == G_TYPE_LIST_MODEL)
    return read_list (r, object, pspec, node, where);
  g_autoptr (GObject) part = NULL;
  g_object_get (object, pspec->name, &part, NULL);
  return read_object (r, part, node, where);
}

static bool
check_required (Reader *r, GObject *object, JsonObject *json, const char *where)
{
  guint                  n;
  g_autofree GParamSpec **pspecs
      = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);
  for (guint i = 0; i < n; i++)
    if (vt_config_param_is_required (pspecs[i])
        && !json_object_has_member (json, pspecs[i]->name))
      return fail (r, where, _("The key “%s” is missing; add it."), pspecs[i]->name);
  return true;
}

static bool
read_object (Reader *r, GObject *object, JsonNode *node, const char *where)
{
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return fail_type (r, where, _("an object"), node);

  JsonObject *json = json_node_get_object (node);
  g_autoptr (JsonObject) extra = json_object_new ();
  g_autoptr (GList) members = json_object_get_members (json);
  for (GList *l = members; l; l = l->next)
    {
      const char *key = l->data;
      JsonNode   *member = json_object_get_member (json, key);
      GParamSpec *pspec = NULL;
      if (VITRINE_IS_CONFIG (object) && g_str_equal (key, VERSION_KEY))
        continue;
      /* g_object_class_find_property() takes "read_only" for "read-only"; a file is exact. */
      pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), key);
      if (!pspec || !g_str_equal (pspec->name, key))
        {
          json_object_set_member (extra, key, json_node_copy (member));
          continue;
        }
      g_autofree char *place = *where ? g_strconcat (where, ".", key, NULL) : g_strdup (key);
      if (!read_property (r, object, pspec, member, place))
        return false;
    }
  if (json_object_get_size (extra))
    vt_config_set_extra (object, g_steal_pointer (&extra));
  return check_required (r, object, json, where);
}

static bool
check_version (Reader *r, JsonNode *root)
{
  if (!JSON_NODE_HOLDS_OBJECT (root))
    return fail_type (r, "", _("an object"), root);
  JsonNode *node = json_object_get_member (json_node_get_object (root), VERSION_KEY);
  if (!node)
    return true;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64)
    return fail_type (r, VERSION_KEY, _("a whole number"), node);
  gint64 version = json_node_get_int (node);
  if (version < 1)
    return fail (r, VERSION_KEY, _("%" G_GINT64_FORMAT " is out of range; it must be %d."), version,
                 FORMAT_VERSION);
  if (version > FORMAT_VERSION)
    return fail (r, VERSION_KEY,
                 _("The file has the format %" G_GINT64_FORMAT " of a newer Vitrine, and this one "
                   "knows up to %d; use the newer program."),
                 version, FORMAT_VERSION);
  return true;
}

/* A file may leave the UUID out: it gets one that is the same at each load from the same place. */
static void
derive_uuid (VitrineConfig *config, const char *origin)
{
  g_autofree char *seed
      = g_strconcat (origin, "\n", vitrine_config_get_name (config), NULL);
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA1, seed, -1);
  /* RFC 4122, 4.3: version 5, variant 10x. */
  hash[12] = '5';
  hash[16] = "89ab"[g_ascii_xdigit_value (hash[16]) & 3];
  g_autofree char *uuid = g_strdup_printf ("%.8s-%.4s-%.4s-%.4s-%.12s", hash, hash + 8, hash + 12,
                                           hash + 16, hash + 20);
  g_object_set (config, "uuid", uuid, NULL);
}

VitrineConfig *
vitrine_config_from_json (const char *json, const char *origin, GError **error)
{
  g_autoptr (GHashTable) lines = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (VitrineConfig) config = vt_config_new_empty ();
  g_autoptr (GError) parse_error = NULL;
  Reader r = { origin ? origin : "machine.json", lines, error };

  if (!vt_json_check (json, strlen (json), r.origin, lines, error))
    return NULL;
  if (!json_parser_load_from_data (parser, json, -1, &parse_error)
      || !json_parser_get_root (parser))
    {
      fail (&r, "", _("This is not JSON: %s"), parse_error ? parse_error->message : "");
      return NULL;
    }
  JsonNode *root = json_parser_get_root (parser);
  if (!check_version (&r, root) || !read_object (&r, G_OBJECT (config), root, ""))
    return NULL;
  if (!*vitrine_config_get_uuid (config))
    derive_uuid (config, r.origin);
  if (!vt_config_check (config, locate, &r, error))
    return NULL;
  return g_steal_pointer (&config);
}

static JsonNode *write_object (GObject *object);

/* NULL where the file needs no such key: an empty text that is the default. */
static JsonNode *
write_property (GObject *object, GParamSpec *pspec)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_value_init (&value, pspec->value_type);
  g_object_get_property (object, pspec->name, &value);

  if (pspec->value_type == G_TYPE_LIST_MODEL)
    {
      GListModel *list = g_value_get_object (&value);
      JsonArray  *array = json_array_new ();
      for (guint i = 0; i < g_list_model_get_n_items (list); i++)
        {
          g_autoptr (GObject) item = g_list_model_get_item (list, i);
          json_array_add_element (array, write_object (item));
        }
      JsonNode *node = json_node_init_array (json_node_alloc (), array);
      json_array_unref (array);
      return node;
    }
  if (G_IS_PARAM_SPEC_OBJECT (pspec))
    return write_object (g_value_get_object (&value));
  if (G_IS_PARAM_SPEC_UINT (pspec))
    return json_node_init_int (json_node_alloc (), g_value_get_uint (&value));
  if (G_IS_PARAM_SPEC_BOOLEAN (pspec))
    return json_node_init_boolean (json_node_alloc (), g_value_get_boolean (&value));
  const char *text = g_value_get_string (&value);
  if (!*text && g_param_value_defaults (pspec, &value) && !vt_config_param_is_required (pspec))
    return NULL;
  return json_node_init_string (json_node_alloc (), text);
}

static JsonNode *
write_object (GObject *object)
{
  JsonObject             *json = json_object_new ();
  JsonObject             *extra = vt_config_get_extra (object);
  guint                   n;
  g_autofree GParamSpec **pspecs
      = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);

  if (VITRINE_IS_CONFIG (object))
    json_object_set_int_member (json, VERSION_KEY, FORMAT_VERSION);
  for (guint i = 0; i < n; i++)
    {
      JsonNode *node = write_property (object, pspecs[i]);
      if (node)
        json_object_set_member (json, pspecs[i]->name, node);
    }
  if (extra)
    {
      g_autoptr (GList) members = json_object_get_members (extra);
      for (GList *l = members; l; l = l->next)
        json_object_set_member (json, l->data, json_object_dup_member (extra, l->data));
    }
  JsonNode *node = json_node_init_object (json_node_alloc (), json);
  json_object_unref (json);
  return node;
}

char *
vitrine_config_to_json (VitrineConfig *config)
{
  g_autoptr (JsonNode) root = write_object (G_OBJECT (config));
  g_autofree char *text = json_to_string (root, TRUE);
  return g_strconcat (text, "\n", NULL);
}
