/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What distributions say about the firmware images that they ship: a file in JSON for each (QEMU's
 * docs/interop/firmware.json), of which only what a machine must have is of interest here.
 */
#include "config-internal.h"

#include <stdlib.h>

static JsonObject *
member_object (JsonObject *object, const char *name)
{
  JsonNode *node = object == NULL ? NULL : json_object_get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

/* Whether @object, a descriptor, is of the image at @path. */
static gboolean
is_of (JsonObject *object, const char *path)
{
  JsonObject *executable = member_object (member_object (object, "mapping"), "executable");
  JsonNode   *name = executable == NULL ? NULL : json_object_get_member (executable, "filename");
  const char *text = name != NULL && JSON_NODE_HOLDS_VALUE (name) ? json_node_get_string (name) : NULL;
  char       *real = text == NULL ? NULL : realpath (text, NULL);
  gboolean    same = g_strcmp0 (real, path) == 0 && path != NULL;

  free (real);
  return same;
}

static gboolean
has_feature (JsonObject *object, const char *feature)
{
  JsonNode  *node = json_object_get_member (object, "features");
  JsonArray *all = node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  for (guint i = 0; all != NULL && i < json_array_get_length (all); i++)
    {
      JsonNode *one = json_array_get_element (all, i);
      if (JSON_NODE_HOLDS_VALUE (one) && g_strcmp0 (json_node_get_string (one), feature) == 0)
        return TRUE;
    }
  return FALSE;
}

gboolean
vitrine_firmware_needs (const char *folder, const char *image, const char *feature)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  char       *path = realpath (image, NULL);
  const char *name;
  gboolean    needs = FALSE;

  while (dir != NULL && !needs && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char      *file = g_build_filename (folder, name, NULL);
      g_autoptr (JsonParser) parser = json_parser_new ();

      if (!g_str_has_suffix (name, ".json") || !json_parser_load_from_file (parser, file, NULL))
        continue;
      JsonNode *root = json_parser_get_root (parser);
      if (root != NULL && JSON_NODE_HOLDS_OBJECT (root))
        needs = is_of (json_node_get_object (root), path) && has_feature (json_node_get_object (root), feature);
    }
  free (path);
  return needs;
}
