/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a configuration makes sense: choices, required texts, and what one property demands of
 * another. What depends on the host (memory, files that exist) is for the start of the machine.
 */
#include "config-internal.h"

#include <string.h>

#include "vt-base.h"

typedef struct
{
  VtConfigLocate locate;
  gpointer       data;
  GError       **error;
} Check;

static bool fail (Check *check, const char *where, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Always false. The sentence after the property's name says what it must be. */
static bool
fail (Check *check, const char *where, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  g_autofree char *place = check->locate ? check->locate (check->data, where) : NULL;
  return vt_set_error (check->error, VITRINE_ERROR_INVALID, "%s%s: %s", place ? place : "", where,
                       what);
}

/* What becomes a file name, an argument of a command and a window's title. */
static const char *
name_problem (const char *name)
{
  if (!*name)
    return _("it is empty; give the machine a name");
  if (strlen (name) > VITRINE_CONFIG_MAX_NAME)
    return _("it is too long; use at most 200 bytes");
  if (!g_utf8_validate (name, -1, NULL))
    return _("it is not UTF-8");
  if (strchr (name, '/'))
    return _("it contains a slash; choose a name without one");
  if (*name == '.' || *name == '-')
    return _("it starts with a dot or a dash; choose a name that starts otherwise");
  for (const char *p = name; *p; p = g_utf8_next_char (p))
    if (g_unichar_iscntrl (g_utf8_get_char (p)))
      return _("it contains a control character; choose a name without one");
  if (g_ascii_isspace (name[0]) || g_ascii_isspace (name[strlen (name) - 1]))
    return _("it starts or ends with a space; leave that out");
  return NULL;
}

gboolean
vitrine_config_check_name (const char *name, GError **error)
{
  const char *problem = name_problem (name);
  if (!problem)
    return TRUE;
  g_autofree char *shown = g_utf8_make_valid (name, MIN ((gssize) strlen (name), 40));
  g_autofree char *escaped = g_strescape (shown, NULL);
  return vt_set_error (error, VITRINE_ERROR_INVALID, _("“%s” can't be a machine's name: %s."),
                       escaped, problem);
}

/* Strings by their GParamSpecs; the lists and parts of the configuration are walked by the callers. */
static bool
check_object (Check *check, GObject *object, const char *prefix)
{
  guint                  n;
  g_autofree GParamSpec **pspecs
      = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);
  for (guint i = 0; i < n; i++)
    {
      if (!G_IS_PARAM_SPEC_STRING (pspecs[i]))
        continue;
      g_autofree char   *text = NULL;
      g_autofree char   *where = g_strconcat (prefix, pspecs[i]->name, NULL);
      const char *const *choices = vitrine_config_get_choices (pspecs[i]);
      g_object_get (object, pspecs[i]->name, &text, NULL);
      if (!g_utf8_validate (text, -1, NULL))
        return fail (check, where, _("The text is not UTF-8."));
      if (vt_config_param_is_required (pspecs[i]) && !*text)
        return fail (check, where, _("It must not be empty."));
      if (choices && !g_strv_contains (choices, text))
        {
          g_autofree char *list = g_strjoinv (", ", (char **) choices);
          return fail (check, where, _("“%s” is unknown; it must be one of: %s."), text, list);
        }
    }
  return true;
}

static bool
check_list (Check *check, const char *name, GListModel *list)
{
  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (GObject) item = g_list_model_get_item (list, i);
      g_autofree char *prefix = g_strdup_printf ("%s[%u].", name, i);
      if (!check_object (check, item, prefix))
        return false;
      if (VITRINE_IS_SERIAL (item)
          && g_str_equal (vitrine_serial_get_backend (VITRINE_SERIAL (item)), "file")
          && !*vitrine_serial_get_path (VITRINE_SERIAL (item)))
        {
          g_autofree char *where = g_strconcat (prefix, "path", NULL);
          return fail (check, where, _("The back end “file” needs the path of a file."));
        }
    }
  return true;
}

static bool
check_boot_order (Check *check, const char *order)
{
  for (const char *p = order; *p; p++)
    if ((*p != 'c' && *p != 'd') || strchr (p + 1, *p))
      return fail (check, "boot-order",
                   _("“%s” is not an order; use the letters c (disks) and d (CDs), each once."),
                   order);
  return true;
}

gboolean
vt_config_check (VitrineConfig *config, VtConfigLocate locate, gpointer data, GError **error)
{
  Check           check = { locate, data, error };
  VitrineDisplay *display = vitrine_config_get_display (config);
  VitrineRemote  *remote = vitrine_config_get_remote (config);
  guint           vram = vitrine_display_get_vram (display);

  if (!check_object (&check, G_OBJECT (config), ""))
    return FALSE;
  const char *problem = name_problem (vitrine_config_get_name (config));
  if (problem)
    return fail (&check, "name", _("It can't be used: %s."), problem);
  if (!g_uuid_string_is_valid (vitrine_config_get_uuid (config)))
    return fail (&check, "uuid", _("“%s” is not a UUID such as %s."),
                 vitrine_config_get_uuid (config), "6f1e0cd2-7b53-4d0e-9a51-3c1f7f0b8a24");
  if (!*vitrine_config_get_firmware (config))
    return fail (&check, "firmware", _("It must be “bios” or the path of a firmware image."));
  if (!*vitrine_config_get_kernel (config))
    {
      if (*vitrine_config_get_initrd (config))
        return fail (&check, "initrd", _("An initial RAM disk needs a kernel; set “kernel” too."));
      if (*vitrine_config_get_append (config))
        return fail (&check, "append", _("A command line needs a kernel; set “kernel” too."));
    }
  if (!check_boot_order (&check, vitrine_config_get_boot_order (config)))
    return FALSE;

  if (!check_object (&check, G_OBJECT (display), "display."))
    return FALSE;
  if (vram & (vram - 1))
    return fail (&check, "display.vram", _("%u is not a power of two; use %u."), vram,
                 1u << (g_bit_storage (vram) - 1));
  if (!check_object (&check, G_OBJECT (remote), "remote."))
    return FALSE;
  if (strlen (vitrine_remote_get_password (remote)) > VT_CONFIG_MAX_PASSWORD)
    return fail (&check, "remote.password", _("It is too long; SPICE takes at most %d bytes."),
                 VT_CONFIG_MAX_PASSWORD);

  GListModel *disks = vitrine_config_get_disks (config);
  GListModel *cdroms = vitrine_config_get_cdroms (config);
  GListModel *serials = vitrine_config_get_serials (config);
  if (!check_list (&check, "disks", disks) || !check_list (&check, "cdroms", cdroms)
      || !check_list (&check, "serials", serials))
    return FALSE;
  guint n_disks = g_list_model_get_n_items (disks), n_cdroms = g_list_model_get_n_items (cdroms);
  if (n_disks > VT_CONFIG_MAX_DRIVES || n_cdroms > VT_CONFIG_MAX_DRIVES - n_disks)
    return fail (&check, n_disks > VT_CONFIG_MAX_DRIVES ? "disks" : "cdroms",
                 _("The board's SATA controller has %d ports; remove a disk or CD drive."),
                 VT_CONFIG_MAX_DRIVES);
  if (g_list_model_get_n_items (serials) > VT_CONFIG_MAX_SERIALS)
    return fail (&check, "serials", _("A machine has at most %d serial ports; remove one."),
                 VT_CONFIG_MAX_SERIALS);
  return TRUE;
}

gboolean
vitrine_config_validate (VitrineConfig *config, GError **error)
{
  return vt_config_check (config, NULL, NULL, error);
}
