/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineDisk: the configuration of a disk.
 */
#include "config-internal.h"

struct _VitrineDisk
{
  GObject  parent_instance;
  char    *path, *bus;
  gboolean read_only, direct, discard;
};

G_DEFINE_TYPE (VitrineDisk, vitrine_disk, G_TYPE_OBJECT)

enum
{
  PROP_PATH = 1,
  PROP_BUS,
  PROP_READ_ONLY,
  PROP_DIRECT,
  PROP_DISCARD,
};

static const char *const buses[] = { "ahci", NULL };

static void
vitrine_disk_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  VitrineDisk *self = VITRINE_DISK (object);
  switch (id)
    {
    case PROP_PATH:
      g_value_set_string (value, self->path);
      break;
    case PROP_BUS:
      g_value_set_string (value, self->bus);
      break;
    case PROP_READ_ONLY:
      g_value_set_boolean (value, self->read_only);
      break;
    case PROP_DIRECT:
      g_value_set_boolean (value, self->direct);
      break;
    case PROP_DISCARD:
      g_value_set_boolean (value, self->discard);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
vitrine_disk_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  VitrineDisk *self = VITRINE_DISK (object);
  switch (id)
    {
    case PROP_PATH:
      vt_config_store_string (self, &self->path, value, pspec);
      break;
    case PROP_BUS:
      vt_config_store_string (self, &self->bus, value, pspec);
      break;
    case PROP_READ_ONLY:
      vt_config_store_boolean (self, &self->read_only, value, pspec);
      break;
    case PROP_DIRECT:
      vt_config_store_boolean (self, &self->direct, value, pspec);
      break;
    case PROP_DISCARD:
      vt_config_store_boolean (self, &self->discard, value, pspec);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
vitrine_disk_finalize (GObject *object)
{
  VitrineDisk *self = VITRINE_DISK (object);
  g_free (self->path);
  g_free (self->bus);
  G_OBJECT_CLASS (vitrine_disk_parent_class)->finalize (object);
}

static void
vitrine_disk_class_init (VitrineDiskClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = vitrine_disk_get_property;
  object_class->set_property = vitrine_disk_set_property;
  object_class->finalize = vitrine_disk_finalize;

  vt_config_param_require (vt_config_install_string (
      object_class, PROP_PATH, "path", _("Image"),
      _("The disk's image file, absolute or relative to the machine's folder"), "", NULL));
  vt_config_install_string (object_class, PROP_BUS, "bus", _("Bus"),
                            _("The controller that the disk is attached to"), "ahci", buses);
  vt_config_install_boolean (object_class, PROP_READ_ONLY, "read-only", _("Read-only"),
                             _("The guest can't write to the disk"), FALSE);
  vt_config_install_boolean (object_class, PROP_DIRECT, "direct", _("Bypass the host's cache"),
                             _("Read and write the image without the host's page cache"), FALSE);
  vt_config_install_boolean (object_class, PROP_DISCARD, "discard", _("Discard"),
                             _("Give space that the guest discards back to the host"), TRUE);
}

static void
vitrine_disk_init (VitrineDisk *self)
{
  self->path = g_strdup ("");
  self->bus = g_strdup ("ahci");
  self->discard = TRUE;
}

const char *
vitrine_disk_get_path (VitrineDisk *disk)
{
  return disk->path;
}

gboolean
vitrine_disk_get_read_only (VitrineDisk *disk)
{
  return disk->read_only;
}

gboolean
vitrine_disk_get_direct (VitrineDisk *disk)
{
  return disk->direct;
}

gboolean
vitrine_disk_get_discard (VitrineDisk *disk)
{
  return disk->discard;
}
