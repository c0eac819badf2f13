/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * GParamSpecs with choices and "required", and property storage, for all configuration classes.
 */
#include "config-internal.h"

static GQuark
choices_quark (void)
{
  return g_quark_from_static_string ("vitrine-config-choices");
}

static GQuark
required_quark (void)
{
  return g_quark_from_static_string ("vitrine-config-required");
}

static GQuark
extra_quark (void)
{
  return g_quark_from_static_string ("vitrine-config-extra");
}

GParamSpec *
vt_config_install_string (GObjectClass *klass, guint id, const char *name, const char *nick,
                          const char *blurb, const char *def, const char *const *choices)
{
  GParamSpec *pspec = g_param_spec_string (name, nick, blurb, def, VT_CONFIG_FLAGS);
  if (choices)
    g_param_spec_set_qdata (pspec, choices_quark (), (gpointer) choices);
  g_object_class_install_property (klass, id, pspec);
  return pspec;
}

void
vt_config_install_boolean (GObjectClass *klass, guint id, const char *name, const char *nick,
                           const char *blurb, gboolean def)
{
  g_object_class_install_property (
      klass, id, g_param_spec_boolean (name, nick, blurb, def, VT_CONFIG_FLAGS));
}

void
vt_config_install_uint (GObjectClass *klass, guint id, const char *name, const char *nick,
                        const char *blurb, guint min, guint max, guint def)
{
  g_object_class_install_property (
      klass, id, g_param_spec_uint (name, nick, blurb, min, max, def, VT_CONFIG_FLAGS));
}

void
vt_config_param_require (GParamSpec *pspec)
{
  g_param_spec_set_qdata (pspec, required_quark (), GINT_TO_POINTER (1));
}

gboolean
vt_config_param_is_required (GParamSpec *pspec)
{
  return g_param_spec_get_qdata (pspec, required_quark ()) != NULL;
}

const char *const *
vitrine_config_get_choices (GParamSpec *pspec)
{
  return g_param_spec_get_qdata (pspec, choices_quark ());
}

void
vt_config_store_string (gpointer object, char **field, const GValue *value, GParamSpec *pspec)
{
  const char *text = g_value_get_string (value);
  if (!text)
    text = "";
  if (g_strcmp0 (*field, text) == 0)
    return;
  g_free (*field);
  *field = g_strdup (text);
  g_object_notify_by_pspec (object, pspec);
}

void
vt_config_store_boolean (gpointer object, gboolean *field, const GValue *value, GParamSpec *pspec)
{
  gboolean b = g_value_get_boolean (value);
  if (*field == b)
    return;
  *field = b;
  g_object_notify_by_pspec (object, pspec);
}

void
vt_config_store_uint (gpointer object, guint *field, const GValue *value, GParamSpec *pspec)
{
  guint u = g_value_get_uint (value);
  if (*field == u)
    return;
  *field = u;
  g_object_notify_by_pspec (object, pspec);
}

JsonObject *
vt_config_get_extra (GObject *object)
{
  return g_object_get_qdata (object, extra_quark ());
}

void
vt_config_set_extra (GObject *object, JsonObject *extra)
{
  g_object_set_qdata_full (object, extra_quark (), extra, (GDestroyNotify) json_object_unref);
}
