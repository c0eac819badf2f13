/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the configuration classes, the file and the validation share: GParamSpecs that carry choices
 * and "required", and the keys of a file that this version doesn't know.
 */
#pragma once

#include <glib/gi18n-lib.h>
#include <json-glib/json-glib.h>

#include "vitrine-config.h"

/* The serial ports of a PC, and the SATA ports of the board's one controller. */
#define VT_CONFIG_MAX_SERIALS 4
#define VT_CONFIG_MAX_DRIVES 6

/* A password of SPICE has 60 bytes in the protocol, of which the library keeps one for the final zero. */
#define VT_CONFIG_MAX_PASSWORD 59

#define VT_CONFIG_FLAGS (G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS)

/* Installs the property @id of a class. A string is never NULL: absent is "". @choices, static and
 * NULL-terminated, or NULL, are the values that validation accepts. */
GParamSpec *vt_config_install_string (GObjectClass *klass, guint id, const char *name,
                                      const char *nick, const char *blurb, const char *def,
                                      const char *const *choices);
void vt_config_install_boolean (GObjectClass *klass, guint id, const char *name, const char *nick,
                                const char *blurb, gboolean def);
void vt_config_install_uint (GObjectClass *klass, guint id, const char *name, const char *nick,
                             const char *blurb, guint min, guint max, guint def);

/* A file without this key, or with an empty text there, is refused. */
void     vt_config_param_require (GParamSpec *pspec);
gboolean vt_config_param_is_required (GParamSpec *pspec);

/* Setters of the classes: store and notify where the value differs. */
void vt_config_store_string (gpointer object, char **field, const GValue *value, GParamSpec *pspec);
void vt_config_store_boolean (gpointer object, gboolean *field, const GValue *value,
                              GParamSpec *pspec);
void vt_config_store_uint (gpointer object, guint *field, const GValue *value, GParamSpec *pspec);

/* The members of the file's object that no property of @object has; NULL: none. */
JsonObject *vt_config_get_extra (GObject *object);
void        vt_config_set_extra (GObject *object, JsonObject *extra); /* (transfer full) */

/* Where it was loaded from or saved to. */
void vt_config_set_folder (VitrineConfig *config, const char *folder);

/**
 * vt_config_check:
 * @locate: gives a prefix such as "FILE:LINE: " for the property at @where; (transfer full) or NULL.
 *
 * The checks of vitrine_config_validate(), for which a file can tell the line.
 */
typedef char *(*VtConfigLocate) (gpointer data, const char *where);
gboolean vt_config_check (VitrineConfig *config, VtConfigLocate locate, gpointer data,
                          GError **error);

/* A configuration without a name or a UUID, for the file to fill. */
VitrineConfig *vt_config_new_empty (void);
