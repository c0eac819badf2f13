/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineRemote: whether and how SPICE viewers may reach a machine.
 */
#include "config-internal.h"

struct _VitrineRemote
{
  GObject  parent_instance;
  gboolean enabled, tls;
  char    *address, *password;
  guint    port;
};

G_DEFINE_TYPE (VitrineRemote, vitrine_remote, G_TYPE_OBJECT)

enum
{
  PROP_ENABLED = 1,
  PROP_ADDRESS,
  PROP_PORT,
  PROP_TLS,
  PROP_PASSWORD,
};

static void
vitrine_remote_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  VitrineRemote *self = VITRINE_REMOTE (object);
  switch (id)
    {
    case PROP_ENABLED:
      g_value_set_boolean (value, self->enabled);
      break;
    case PROP_ADDRESS:
      g_value_set_string (value, self->address);
      break;
    case PROP_PORT:
      g_value_set_uint (value, self->port);
      break;
    case PROP_TLS:
      g_value_set_boolean (value, self->tls);
      break;
    case PROP_PASSWORD:
      g_value_set_string (value, self->password);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
vitrine_remote_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  VitrineRemote *self = VITRINE_REMOTE (object);
  switch (id)
    {
    case PROP_ENABLED:
      vt_config_store_boolean (self, &self->enabled, value, pspec);
      break;
    case PROP_ADDRESS:
      vt_config_store_string (self, &self->address, value, pspec);
      break;
    case PROP_PORT:
      vt_config_store_uint (self, &self->port, value, pspec);
      break;
    case PROP_TLS:
      vt_config_store_boolean (self, &self->tls, value, pspec);
      break;
    case PROP_PASSWORD:
      vt_config_store_string (self, &self->password, value, pspec);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
vitrine_remote_finalize (GObject *object)
{
  VitrineRemote *self = VITRINE_REMOTE (object);
  g_free (self->address);
  g_free (self->password);
  G_OBJECT_CLASS (vitrine_remote_parent_class)->finalize (object);
}

static void
vitrine_remote_class_init (VitrineRemoteClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = vitrine_remote_get_property;
  object_class->set_property = vitrine_remote_set_property;
  object_class->finalize = vitrine_remote_finalize;

  vt_config_install_boolean (object_class, PROP_ENABLED, "enabled", _("Remote viewing"),
                             _("SPICE viewers may connect to the machine"), FALSE);
  vt_config_install_string (object_class, PROP_ADDRESS, "address", _("Address"),
                            _("The host's address on which viewers are served"), "127.0.0.1", NULL);
  vt_config_install_uint (object_class, PROP_PORT, "port", _("Port"),
                          _("The TCP port; 0: any free one"), 0, 65535, 0);
  vt_config_install_boolean (object_class, PROP_TLS, "tls", _("Encryption"),
                             _("Viewers must connect by TLS"), FALSE);
  vt_config_install_string (object_class, PROP_PASSWORD, "password", _("Password"),
                            _("What viewers are asked for; empty: nothing"), "", NULL);
}

static void
vitrine_remote_init (VitrineRemote *self)
{
  self->address = g_strdup ("127.0.0.1");
  self->password = g_strdup ("");
}

gboolean
vitrine_remote_get_enabled (VitrineRemote *remote)
{
  return remote->enabled;
}

const char *
vitrine_remote_get_address (VitrineRemote *remote)
{
  return remote->address;
}

guint
vitrine_remote_get_port (VitrineRemote *remote)
{
  return remote->port;
}

gboolean
vitrine_remote_get_tls (VitrineRemote *remote)
{
  return remote->tls;
}

const char *
vitrine_remote_get_password (VitrineRemote *remote)
{
  return remote->password;
}
