/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineSerial: the configuration of a serial port.
 */
#include "config-internal.h"

struct _VitrineSerial
{
  GObject parent_instance;
  char   *backend, *path;
};

G_DEFINE_TYPE (VitrineSerial, vitrine_serial, G_TYPE_OBJECT)

enum
{
  PROP_BACKEND = 1,
  PROP_PATH,
};

static const char *const backends[] = { "none", "socket", "stdio", "pty", "file", NULL };

static void
vitrine_serial_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  VitrineSerial *self = VITRINE_SERIAL (object);
  if (id == PROP_BACKEND)
    g_value_set_string (value, self->backend);
  else if (id == PROP_PATH)
    g_value_set_string (value, self->path);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
vitrine_serial_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  VitrineSerial *self = VITRINE_SERIAL (object);
  if (id == PROP_BACKEND)
    vt_config_store_string (self, &self->backend, value, pspec);
  else if (id == PROP_PATH)
    vt_config_store_string (self, &self->path, value, pspec);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
vitrine_serial_finalize (GObject *object)
{
  VitrineSerial *self = VITRINE_SERIAL (object);
  g_free (self->backend);
  g_free (self->path);
  G_OBJECT_CLASS (vitrine_serial_parent_class)->finalize (object);
}

static void
vitrine_serial_class_init (VitrineSerialClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = vitrine_serial_get_property;
  object_class->set_property = vitrine_serial_set_property;
  object_class->finalize = vitrine_serial_finalize;

  vt_config_install_string (object_class, PROP_BACKEND, "backend", _("Connected to"),
                            _("What is at the other end of the serial port"), "socket", backends);
  vt_config_install_string (object_class, PROP_PATH, "path", _("File"),
                            _("The file that takes what the guest sends, or the socket's path"),
                            "", NULL);
}

static void
vitrine_serial_init (VitrineSerial *self)
{
  self->backend = g_strdup ("socket");
  self->path = g_strdup ("");
}

const char *
vitrine_serial_get_backend (VitrineSerial *serial)
{
  return serial->backend;
}

const char *
vitrine_serial_get_path (VitrineSerial *serial)
{
  return serial->path;
}
