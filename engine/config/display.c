/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineDisplay: the configuration of a machine's graphics card and monitor.
 */
#include "config-internal.h"

struct _VitrineDisplay
{
  GObject parent_instance;
  char   *model;
  guint   vram, width, height;
};

G_DEFINE_TYPE (VitrineDisplay, vitrine_display, G_TYPE_OBJECT)

enum
{
  PROP_MODEL = 1,
  PROP_VRAM,
  PROP_WIDTH,
  PROP_HEIGHT,
};

static const char *const models[] = { "vga", "bochs-display", "none", NULL };

static void
vitrine_display_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  VitrineDisplay *self = VITRINE_DISPLAY (object);
  switch (id)
    {
    case PROP_MODEL:
      g_value_set_string (value, self->model);
      break;
    case PROP_VRAM:
      g_value_set_uint (value, self->vram);
      break;
    case PROP_WIDTH:
      g_value_set_uint (value, self->width);
      break;
    case PROP_HEIGHT:
      g_value_set_uint (value, self->height);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
vitrine_display_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  VitrineDisplay *self = VITRINE_DISPLAY (object);
  switch (id)
    {
    case PROP_MODEL:
      vt_config_store_string (self, &self->model, value, pspec);
      break;
    case PROP_VRAM:
      vt_config_store_uint (self, &self->vram, value, pspec);
      break;
    case PROP_WIDTH:
      vt_config_store_uint (self, &self->width, value, pspec);
      break;
    case PROP_HEIGHT:
      vt_config_store_uint (self, &self->height, value, pspec);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
vitrine_display_finalize (GObject *object)
{
  g_free (VITRINE_DISPLAY (object)->model);
  G_OBJECT_CLASS (vitrine_display_parent_class)->finalize (object);
}

static void
vitrine_display_class_init (VitrineDisplayClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = vitrine_display_get_property;
  object_class->set_property = vitrine_display_set_property;
  object_class->finalize = vitrine_display_finalize;

  vt_config_install_string (object_class, PROP_MODEL, "model", _("Graphics card"),
                            _("The graphics card that the guest sees"), "vga", models);
  vt_config_install_uint (object_class, PROP_VRAM, "vram", _("Video memory"),
                          _("Video memory in MiB, a power of two"), 1, 256, 16);
  vt_config_install_uint (object_class, PROP_WIDTH, "width", _("Width"),
                          _("The monitor's preferred width in pixels"), 320, 16384, 1280);
  vt_config_install_uint (object_class, PROP_HEIGHT, "height", _("Height"),
                          _("The monitor's preferred height in pixels"), 200, 16384, 800);
}

static void
vitrine_display_init (VitrineDisplay *self)
{
  self->model = g_strdup ("vga");
  self->vram = 16;
  self->width = 1280;
  self->height = 800;
}

const char *
vitrine_display_get_model (VitrineDisplay *display)
{
  return display->model;
}

guint
vitrine_display_get_vram (VitrineDisplay *display)
{
  return display->vram;
}

guint
vitrine_display_get_width (VitrineDisplay *display)
{
  return display->width;
}

guint
vitrine_display_get_height (VitrineDisplay *display)
{
  return display->height;
}
