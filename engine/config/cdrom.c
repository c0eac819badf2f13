/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineCdrom: the configuration of a CD drive.
 */
#include "config-internal.h"

struct _VitrineCdrom
{
  GObject parent_instance;
  char   *path;
};

G_DEFINE_TYPE (VitrineCdrom, vitrine_cdrom, G_TYPE_OBJECT)

enum
{
  PROP_PATH = 1,
};

static void
vitrine_cdrom_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  if (id == PROP_PATH)
    g_value_set_string (value, VITRINE_CDROM (object)->path);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
vitrine_cdrom_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  if (id == PROP_PATH)
    vt_config_store_string (object, &VITRINE_CDROM (object)->path, value, pspec);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
vitrine_cdrom_finalize (GObject *object)
{
  g_free (VITRINE_CDROM (object)->path);
  G_OBJECT_CLASS (vitrine_cdrom_parent_class)->finalize (object);
}

static void
vitrine_cdrom_class_init (VitrineCdromClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = vitrine_cdrom_get_property;
  object_class->set_property = vitrine_cdrom_set_property;
  object_class->finalize = vitrine_cdrom_finalize;

  vt_config_install_string (object_class, PROP_PATH, "path", _("Medium"),
                            _("The ISO image in the drive; empty: no medium"), "", NULL);
}

static void
vitrine_cdrom_init (VitrineCdrom *self)
{
  self->path = g_strdup ("");
}

const char *
vitrine_cdrom_get_path (VitrineCdrom *cdrom)
{
  return cdrom->path;
}
