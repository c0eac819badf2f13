/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A machine's row: what it is, its state, a button for what comes next, and a menu of all that can be
 * done in that state.
 */
#include "machine-row.h"

#include <glib/gi18n.h>

struct _VtMachineRow
{
  HdyActionRow parent;

  char      *name;
  guint      offered; /* 1 << index of actions[]. */
  gboolean   known;   /* offered is shown. */
  GtkWidget *state, *start, *menu;
};

G_DEFINE_TYPE (VtMachineRow, vt_machine_row, HDY_TYPE_ACTION_ROW)

void
vt_machine_entry_free (VtMachineEntry *entry)
{
  g_free (entry->name);
  g_free (entry->state);
  g_free (entry->summary);
  g_free (entry);
}

/* States ------------------------------------------------------------------------------------- */

enum
{
  START,
  SHOW,
  PAUSE,
  RESUME,
  SHUT_DOWN,
  RESET,
  FORCE_OFF,
  LOG,
  DELETE,
};

#define BIT(action) (1u << (action))

static const struct
{
  const char *label, *action;
} actions[] = {
  [START] = { N_ ("_Start"), "win.start" },
  [SHOW] = { N_ ("Show _Window"), "win.show" },
  [PAUSE] = { N_ ("_Pause"), "win.pause" },
  [RESUME] = { N_ ("_Resume"), "win.resume" },
  [SHUT_DOWN] = { N_ ("Shut _Down"), "win.shut-down" },
  [RESET] = { N_ ("R_eset"), "win.reset" },
  [FORCE_OFF] = { N_ ("_Force Off…"), "win.force-off" },
  [LOG] = { N_ ("Show _Log"), "win.log" },
  [DELETE] = { N_ ("De_lete…"), "win.delete" },
};

static const struct
{
  const char *state, *text, *style; /* NULL style: as other text that matters less. */
  guint       offered;              /* While a process has the machine. */
} states[] = {
  { "off", N_ ("Off"), NULL, 0 },
  { "starting", N_ ("Starting…"), NULL, BIT (FORCE_OFF) },
  { "running", N_ ("Running"), "success",
    BIT (SHOW) | BIT (PAUSE) | BIT (SHUT_DOWN) | BIT (RESET) | BIT (FORCE_OFF) },
  { "pausing", N_ ("Pausing…"), NULL, BIT (SHOW) | BIT (FORCE_OFF) },
  { "paused", N_ ("Paused"), "warning", BIT (SHOW) | BIT (RESUME) | BIT (RESET) | BIT (FORCE_OFF) },
  { "stopping", N_ ("Stopping…"), NULL, BIT (SHOW) | BIT (FORCE_OFF) },
  { "crashed", N_ ("Crashed"), "error", BIT (SHOW) | BIT (RESET) | BIT (FORCE_OFF) | BIT (LOG) },
  { "unresponsive", N_ ("Does not respond"), "error", BIT (FORCE_OFF) | BIT (LOG) },
  { "invalid", N_ ("Invalid"), "error", 0 },
};

static guint
find_state (const char *state)
{
  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    if (g_strcmp0 (states[i].state, state) == 0)
      return i;
  return 0;
}

static guint
offers (const VtMachineEntry *entry)
{
  if (entry->process)
    return states[find_state (entry->state)].offered;
  if (g_strcmp0 (entry->state, "invalid") == 0)
    return BIT (DELETE);
  return BIT (START) | BIT (DELETE) | (g_strcmp0 (entry->state, "crashed") == 0 ? BIT (LOG) : 0);
}

/* Widgets ------------------------------------------------------------------------------------ */

static void
update_menu (VtMachineRow *row, guint offered)
{
  g_autoptr (GMenu) menu = g_menu_new ();

  if (row->known && row->offered == offered)
    return;
  row->known = TRUE;
  row->offered = offered;
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    if (offered & BIT (i))
      {
        g_autoptr (GMenuItem) item = g_menu_item_new (_ (actions[i].label), NULL);

        g_menu_item_set_action_and_target (item, actions[i].action, "s", row->name);
        g_menu_append_item (menu, item);
      }
  gtk_menu_button_set_menu_model (GTK_MENU_BUTTON (row->menu), G_MENU_MODEL (menu));
  gtk_widget_set_visible (row->start, (offered & BIT (START)) != 0);
}

void
vt_machine_row_update (VtMachineRow *row, const VtMachineEntry *entry)
{
  guint            state = find_state (entry->state);
  GtkStyleContext *style = gtk_widget_get_style_context (row->state);

  if (g_strcmp0 (hdy_action_row_get_subtitle (HDY_ACTION_ROW (row)), entry->summary) != 0)
    hdy_action_row_set_subtitle (HDY_ACTION_ROW (row), entry->summary);
  gtk_label_set_text (GTK_LABEL (row->state), _ (states[state].text));
  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    if (states[i].style != NULL)
      gtk_style_context_remove_class (style, states[i].style);
  gtk_style_context_remove_class (style, "dim-label");
  gtk_style_context_add_class (style, states[state].style ? states[state].style : "dim-label");
  update_menu (row, offers (entry));
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row),
                                    vt_machine_row_get_default (row) != NULL);
  atk_object_set_description (gtk_widget_get_accessible (GTK_WIDGET (row)), entry->summary);
}

const char *
vt_machine_row_get_name (VtMachineRow *row)
{
  return row->name;
}

const char *
vt_machine_row_get_default (VtMachineRow *row)
{
  return row->offered & BIT (START) ? "start" : row->offered & BIT (SHOW) ? "show" : NULL;
}

static void
vt_machine_row_finalize (GObject *object)
{
  g_free (VT_MACHINE_ROW (object)->name);
  G_OBJECT_CLASS (vt_machine_row_parent_class)->finalize (object);
}

static void
vt_machine_row_class_init (VtMachineRowClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = vt_machine_row_finalize;
}

static GtkWidget *
add_button (VtMachineRow *row, GtkWidget *button, const char *icon)
{
  gtk_button_set_image (GTK_BUTTON (button),
                        gtk_image_new_from_icon_name (icon, GTK_ICON_SIZE_BUTTON));
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_style_context_add_class (gtk_widget_get_style_context (button), "flat");
  gtk_container_add (GTK_CONTAINER (row), button);
  gtk_widget_show (button);
  return button;
}

static void
vt_machine_row_init (VtMachineRow *row)
{
  GtkWidget *icon = gtk_image_new_from_icon_name ("computer-symbolic", GTK_ICON_SIZE_DND);

  gtk_style_context_add_class (gtk_widget_get_style_context (icon), "dim-label");
  hdy_action_row_add_prefix (HDY_ACTION_ROW (row), icon);
  gtk_widget_show (icon);
  /* An error takes the lines that it needs. */
  hdy_action_row_set_subtitle_lines (HDY_ACTION_ROW (row), 0);
  row->state = gtk_label_new (NULL);
  gtk_container_add (GTK_CONTAINER (row), row->state);
  gtk_widget_show (row->state);
  row->start = add_button (row, gtk_button_new (), "media-playback-start-symbolic");
  gtk_widget_set_tooltip_text (row->start, _ ("Start"));
  row->menu = add_button (row, gtk_menu_button_new (), "view-more-symbolic");
  gtk_widget_set_tooltip_text (row->menu, _ ("What to do with this machine"));
}

GtkWidget *
vt_machine_row_new (const VtMachineEntry *entry)
{
  VtMachineRow    *row = g_object_new (VT_TYPE_MACHINE_ROW, "visible", TRUE, NULL);
  g_autofree char *start = g_strdup_printf (_ ("Start “%s”"), entry->name);
  g_autofree char *menu = g_strdup_printf (_ ("Menu of “%s”"), entry->name);

  row->name = g_strdup (entry->name);
  hdy_preferences_row_set_title (HDY_PREFERENCES_ROW (row), entry->name);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (row->start), "win.start");
  gtk_actionable_set_action_target (GTK_ACTIONABLE (row->start), "s", entry->name);
  atk_object_set_name (gtk_widget_get_accessible (GTK_WIDGET (row)), entry->name);
  atk_object_set_name (gtk_widget_get_accessible (row->start), start);
  atk_object_set_name (gtk_widget_get_accessible (row->menu), menu);
  vt_machine_row_update (row, entry);
  return GTK_WIDGET (row);
}
