/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The machine window: console, power, keys to send, view, discs, and what went wrong.
 */
#include "machine-window.h"

#include <glib/gi18n.h>

#include "control/typist.h"
#include "dialogs.h"
#include "screen-view.h"

/* In full screen the bar comes when the pointer touches the top edge, and goes when it is this far
 * below. Widget units. */
#define BAR_EDGE 2
#define BAR_LEAVE 80
/* It also comes for this long on entering full screen, and when the pointer is captured there: the
 * header that tells how to get out is not shown. Milliseconds. */
#define BAR_SHOWN_MS 4000
/* What decorations and panels may take of the monitor besides. */
#define ROOM_BESIDE 100

struct _VtMachineWindow
{
  GtkApplicationWindow parent;

  VitrineMachine *machine;
  VtTypist       *typist;
  VtScreenView   *view;
  VitrineScreen  *screen;
  gboolean        fullscreen;
  int             asked_width, asked_height; /* What the window was sized to for the picture. */
  int             width_then, height_then;   /* What it was before. */
  guint           bar_timer;

  GtkHeaderBar *header;
  GtkWidget    *info_bar, *info_details, *info_reset, *pause_button, *paused;
  GtkLabel     *info_label;
  GtkTextView  *info_text;
  GtkImage     *pause_image;
  GtkWidget    *scroller;
  GtkOverlay   *overlay;
  GtkRevealer  *bar_revealer;
  GtkLabel     *bar_title;
  GtkWidget    *bar_keys;
};

G_DEFINE_TYPE (VtMachineWindow, vt_machine_window, GTK_TYPE_APPLICATION_WINDOW)

/* Messages ----------------------------------------------------------------------------------- */

static void
show_message (VtMachineWindow *window, GtkMessageType type, const char *text, const char *detail)
{
  gtk_info_bar_set_message_type (GTK_INFO_BAR (window->info_bar), type);
  gtk_label_set_text (window->info_label, text);
  gtk_widget_set_visible (window->info_details, detail != NULL);
  gtk_text_buffer_set_text (gtk_text_view_get_buffer (window->info_text), detail != NULL ? detail : "",
                            -1);
  gtk_widget_set_visible (window->info_reset,
                          vitrine_machine_get_state (window->machine) == VITRINE_STATE_CRASHED);
  gtk_widget_show (window->info_bar);
}

static void
show_error (VtMachineWindow *window, const GError *error)
{
  if (error != NULL)
    show_message (window, GTK_MESSAGE_ERROR, error->message, NULL);
}

/* State -------------------------------------------------------------------------------------- */

static void
enable (VtMachineWindow *window, const char *action, gboolean enabled)
{
  g_simple_action_set_enabled (
      G_SIMPLE_ACTION (g_action_map_lookup_action (G_ACTION_MAP (window), action)), enabled);
}

static const char *
state_text (VitrineState state)
{
  switch (state)
    {
    case VITRINE_STATE_OFF:
      return _ ("Off");
    case VITRINE_STATE_STARTING:
      return _ ("Starting…");
    case VITRINE_STATE_RUNNING:
      return NULL;
    case VITRINE_STATE_PAUSING:
      return _ ("Pausing…");
    case VITRINE_STATE_PAUSED:
      return _ ("Paused");
    case VITRINE_STATE_STOPPING:
      return _ ("Stopping…");
    case VITRINE_STATE_CRASHED:
    default:
      return _ ("Crashed");
    }
}

/* What runs the guest's code, in the words of a person. */
static const char *
engine_text (const char *engine)
{
  if (g_strcmp0 (engine, "kvm") == 0)
    return _ ("KVM");
  return g_strcmp0 (engine, "translate") == 0 ? _ ("In software") : NULL;
}

static void
reveal_bar (VtMachineWindow *window, gboolean reveal)
{
  if (reveal)
    gtk_widget_show (GTK_WIDGET (window->bar_revealer));
  gtk_revealer_set_reveal_child (window->bar_revealer, reveal);
}

/* A revealer that reveals nothing is still a strip along the top edge, and would keep the pointer's
 * motion there from us. */
static void
bar_revealed_cb (VtMachineWindow *window)
{
  if (!gtk_revealer_get_child_revealed (window->bar_revealer)
      && !gtk_revealer_get_reveal_child (window->bar_revealer))
    gtk_widget_hide (GTK_WIDGET (window->bar_revealer));
}

static gboolean
bar_timeout_cb (gpointer data)
{
  VtMachineWindow *window = data;
  GdkWindow       *surface = gtk_widget_get_window (GTK_WIDGET (window));
  GdkSeat *seat = gdk_display_get_default_seat (gtk_widget_get_display (GTK_WIDGET (window)));
  int      y = BAR_LEAVE + 1;

  window->bar_timer = 0;
  if (surface != NULL)
    gdk_window_get_device_position (surface, gdk_seat_get_pointer (seat), NULL, &y, NULL);
  /* Not from under the pointer. */
  if (vt_screen_view_is_grabbed (window->view)
      || (y > BAR_LEAVE && !gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (window->bar_keys))))
    reveal_bar (window, FALSE);
  return G_SOURCE_REMOVE;
}

static void
show_bar_for_a_while (VtMachineWindow *window)
{
  g_clear_handle_id (&window->bar_timer, g_source_remove);
  window->bar_timer = g_timeout_add (BAR_SHOWN_MS, bar_timeout_cb, window);
  reveal_bar (window, TRUE);
}

static void
update_title (VtMachineWindow *window)
{
  const char *state = state_text (vitrine_machine_get_state (window->machine));
  const char *name = vitrine_config_get_name (vitrine_machine_get_config (window->machine));

  gtk_header_bar_set_title (window->header, name);
  gtk_window_set_title (GTK_WINDOW (window), name);
  if (vt_screen_view_is_grabbed (window->view))
    state = _ ("Press and release Ctrl+Alt to free the pointer");
  gtk_header_bar_set_subtitle (
      window->header,
      state != NULL ? state : engine_text (vitrine_machine_get_cpu_engine (window->machine)));
  /* Where the buttons have none of their own. */
  gtk_widget_set_tooltip_text (GTK_WIDGET (window->header),
                               vitrine_machine_get_cpu_detail (window->machine));
  gtk_label_set_text (window->bar_title, state != NULL ? state : name);
}

static void
grabbed_changed_cb (VtMachineWindow *window)
{
  update_title (window);
  if (window->fullscreen)
    show_bar_for_a_while (window);
}

static void
monitor_room (VtMachineWindow *window, int *width, int *height)
{
  GdkDisplay  *display = gtk_widget_get_display (GTK_WIDGET (window));
  GdkWindow   *surface = gtk_widget_get_window (GTK_WIDGET (window));
  GdkMonitor  *monitor = surface != NULL ? gdk_display_get_monitor_at_window (display, surface)
                                         : gdk_display_get_monitor (display, 0);
  GdkRectangle area = { 0, 0, 1024, 768 };

  if (monitor != NULL)
    gdk_monitor_get_workarea (monitor, &area);
  *width = MAX (area.width - ROOM_BESIDE, 320);
  *height = MAX (area.height - ROOM_BESIDE, 200);
}

/* The window follows the picture's size until somebody gives it another one. Small pictures are shown
 * in the window as it is. */
static void
picture_resized_cb (VtMachineWindow *window, int width, int height)
{
  int      factor = gtk_widget_get_scale_factor (GTK_WIDGET (window));
  int      is_width, is_height, max_width, max_height;
  gboolean ours;

  if (width < 640 || height < 200 || window->fullscreen
      || gtk_window_is_maximized (GTK_WINDOW (window)))
    return;
  gtk_window_get_size (GTK_WINDOW (window), &is_width, &is_height);
  ours = (is_width == window->asked_width && is_height == window->asked_height)
         || (is_width == window->width_then && is_height == window->height_then);
  if (window->asked_width != 0 && !ours)
    return;
  monitor_room (window, &max_width, &max_height);
  /* A pixel of the guest's is a whole number of ours: as many as a dense display needs for the size that
   * it has on others, fewer where there is no room. */
  while (factor > 1 && (width > max_width || height > max_height))
    {
      width = width * (factor - 1) / factor;
      height = height * (factor - 1) / factor;
      factor--;
    }
  window->width_then = is_width;
  window->height_then = is_height;
  window->asked_width = MIN (width, max_width);
  window->asked_height = MIN (height, max_height);
  gtk_window_resize (GTK_WINDOW (window), window->asked_width, window->asked_height);
}

/* The console exists once the machine is built, and a reset or stop may take it away. */
static void
update_screen (VtMachineWindow *window)
{
  VitrineState state = vitrine_machine_get_state (window->machine);
  gboolean     wanted = state != VITRINE_STATE_OFF && state != VITRINE_STATE_STARTING;

  if (wanted && window->screen == NULL)
    {
      window->screen = vitrine_machine_open_screen (window->machine, 0, TRUE);
      vt_screen_view_set_screen (window->view, window->screen);
    }
  else if (!wanted && window->screen != NULL)
    {
      vt_screen_view_set_screen (window->view, NULL);
      g_clear_object (&window->screen);
    }
}

/* What comes next: from a crash only a restart leads on. */
static void
update_pause_button (VtMachineWindow *window, VitrineState state)
{
  static const struct
  {
    const char *action, *text, *icon;
  } start = { "win.start", N_ ("Start"), "media-playback-start-symbolic" },
    pause = { "win.pause", N_ ("Pause"), "media-playback-pause-symbolic" },
    resume = { "win.resume", N_ ("Resume"), "media-playback-start-symbolic" },
    restart = { "win.reset", N_ ("Restart"), "view-refresh-symbolic" }, *next;

  next = state == VITRINE_STATE_OFF       ? &start
         : state == VITRINE_STATE_RUNNING ? &pause
         : state == VITRINE_STATE_CRASHED ? &restart
                                          : &resume;
  gtk_image_set_from_icon_name (window->pause_image, next->icon, GTK_ICON_SIZE_BUTTON);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (window->pause_button), next->action);
  gtk_widget_set_tooltip_text (window->pause_button, _ (next->text));
  atk_object_set_name (gtk_widget_get_accessible (window->pause_button), _ (next->text));
}

static gboolean
is_over (GtkWindow *dialog, VtMachineWindow *window)
{
  while (dialog != NULL && dialog != GTK_WINDOW (window))
    dialog = gtk_window_get_transient_for (dialog);
  return dialog != NULL;
}

/* A question about a machine that is off by now has no answer, and would keep its process. One can be
 * over another: whether to replace the file that was chosen. */
static void
close_dialogs (VtMachineWindow *window)
{
  /* An answer can destroy a dialog further on. */
  g_autolist (GtkWindow) all = gtk_window_list_toplevels ();

  for (GList *one = all; one != NULL; one = one->next)
    g_object_ref (one->data);
  for (GList *one = all; one != NULL; one = one->next)
    if (GTK_IS_DIALOG (one->data) && is_over (one->data, window))
      gtk_dialog_response (GTK_DIALOG (one->data), GTK_RESPONSE_CANCEL);
}

static void
state_changed_cb (VtMachineWindow *window)
{
  VitrineState     state = vitrine_machine_get_state (window->machine);
  gboolean         running = state == VITRINE_STATE_RUNNING, paused = state == VITRINE_STATE_PAUSED;
  gboolean         crashed = state == VITRINE_STATE_CRASHED, off = state == VITRINE_STATE_OFF;
  g_autofree char **media = NULL; /* The ids stay the machine's. */
  const char      *status;

  update_screen (window);
  if (!off && state != VITRINE_STATE_STARTING)
    media = vitrine_machine_list_media (window->machine);
  enable (window, "pause", running);
  enable (window, "resume", paused);
  enable (window, "start", off);
  enable (window, "shut-down", running);
  enable (window, "reset", running || paused || crashed);
  enable (window, "force-off", running || paused || crashed || state == VITRINE_STATE_PAUSING);
  enable (window, "send-keys", running);
  enable (window, "screenshot", window->screen != NULL);
  enable (window, "insert-disc", media != NULL && media[0] != NULL);
  enable (window, "eject-disc", media != NULL && media[0] != NULL);
  update_pause_button (window, state);
  gtk_widget_set_visible (window->paused, paused);
  if (!running)
    vt_screen_view_release (window->view);
  status = vitrine_machine_get_status (window->machine);
  if ((crashed || off) && status != NULL)
    show_message (window,
                  crashed || vitrine_machine_get_end (window->machine) == VITRINE_END_ERROR
                      ? GTK_MESSAGE_ERROR
                      : GTK_MESSAGE_INFO,
                  status, vitrine_machine_get_detail (window->machine));
  else if ((running || paused) && status != NULL)
    show_message (window, GTK_MESSAGE_WARNING, status,
                  vitrine_machine_get_detail (window->machine));
  else
    gtk_widget_hide (window->info_bar);
  update_title (window);
  if (off)
    close_dialogs (window);
}

/* Actions ------------------------------------------------------------------------------------ */

#define SIMPLE_ACTION(name, call)                                                                  \
  static void name##_cb (GSimpleAction *action, GVariant *parameter, gpointer data)                \
  {                                                                                                \
    VtMachineWindow *window = data;                                                                \
    g_autoptr (GError) error = NULL;                                                               \
                                                                                                   \
    if (!call (window->machine, &error))                                                           \
      show_error (window, error);                                                                  \
  }

SIMPLE_ACTION (pause, vitrine_machine_pause)
SIMPLE_ACTION (resume, vitrine_machine_resume)
SIMPLE_ACTION (shut_down, vitrine_machine_shut_down)
SIMPLE_ACTION (reset, vitrine_machine_reset)

static void
started_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (VtMachineWindow) window = data;
  g_autoptr (GError) error = NULL;

  if (!vitrine_machine_start_finish (VITRINE_MACHINE (source), result, &error))
    show_error (window, error);
}

static void
start_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  VtMachineWindow *window = data;

  vitrine_machine_start (window->machine, started_cb, g_object_ref (window));
}

static void
force_off_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  VtMachineWindow *window = data;
  g_autoptr (GError) error = NULL;

  vt_screen_view_release (window->view);
  if (!vt_dialog_confirm (GTK_WINDOW (window), _ ("Force the machine off?"),
                          _ ("It is like pulling the plug: what the guest has not saved is lost."),
                          _ ("_Force Off")))
    return;
  if (!vitrine_machine_stop (window->machine, &error))
    show_error (window, error);
}

static void
send_keys_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  VtMachineWindow *window = data;
  g_autoptr (GError) error = NULL;

  if (!vt_typist_chord (window->typist, g_variant_get_string (parameter, NULL), NULL, NULL, &error))
    show_error (window, error);
  gtk_widget_grab_focus (GTK_WIDGET (window->view));
}

static void
fullscreen_cb (GSimpleAction *action, GVariant *state, gpointer data)
{
  VtMachineWindow *window = data;

  if (g_variant_get_boolean (state))
    gtk_window_fullscreen (GTK_WINDOW (window));
  else
    gtk_window_unfullscreen (GTK_WINDOW (window));
  g_simple_action_set_state (action, state);
}

static gboolean
vt_machine_window_state_event (GtkWidget *widget, GdkEventWindowState *event)
{
  VtMachineWindow *window = VT_MACHINE_WINDOW (widget);

  window->fullscreen = (event->new_window_state & GDK_WINDOW_STATE_FULLSCREEN) != 0;
  /* The window manager may have changed it without us. */
  g_simple_action_set_state (
      G_SIMPLE_ACTION (g_action_map_lookup_action (G_ACTION_MAP (window), "fullscreen")),
      g_variant_new_boolean (window->fullscreen));
  /* While the keyboard is grabbed the toolkit does not tell that another window got the focus. */
  if ((event->changed_mask & GDK_WINDOW_STATE_FOCUSED) != 0
      && (event->new_window_state & GDK_WINDOW_STATE_FOCUSED) == 0)
    vt_screen_view_release (window->view);
  if ((event->changed_mask & GDK_WINDOW_STATE_FULLSCREEN) != 0)
    {
      if (window->fullscreen)
        show_bar_for_a_while (window);
      else
        reveal_bar (window, FALSE);
    }
  return GTK_WIDGET_CLASS (vt_machine_window_parent_class)->window_state_event (widget, event);
}

static void
scale_cb (GSimpleAction *action, GVariant *state, gpointer data)
{
  VtMachineWindow *window = data;
  gboolean         none = g_strcmp0 (g_variant_get_string (state, NULL), "none") == 0;

  vt_screen_view_set_scale (window->view, none ? VT_SCALE_NONE : VT_SCALE_FIT);
  g_simple_action_set_state (action, state);
}

static char *
choose_file (VtMachineWindow *window, GtkFileChooserAction kind, const char *title, const char *accept,
             const char *folder, const char *suggestion)
{
  GtkFileChooserNative *chooser =
      gtk_file_chooser_native_new (title, GTK_WINDOW (window), kind, accept, NULL);
  char *path = NULL;

  vt_screen_view_release (window->view);
  if (folder != NULL)
    gtk_file_chooser_set_current_folder (GTK_FILE_CHOOSER (chooser), folder);
  if (suggestion != NULL)
    gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (chooser), suggestion);
  gtk_file_chooser_set_do_overwrite_confirmation (GTK_FILE_CHOOSER (chooser), TRUE);
  if (gtk_native_dialog_run (GTK_NATIVE_DIALOG (chooser)) == GTK_RESPONSE_ACCEPT)
    path = gtk_file_chooser_get_filename (GTK_FILE_CHOOSER (chooser));
  g_object_unref (chooser);
  return path;
}

static void
screenshot_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  VtMachineWindow *window = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *stamp = g_date_time_format (now, "%Y-%m-%d %H-%M-%S");
  g_autofree char *name = g_strdup_printf (
      "%s %s.png", vitrine_config_get_name (vitrine_machine_get_config (window->machine)), stamp);
  const char *pictures = g_get_user_special_dir (G_USER_DIRECTORY_PICTURES);
  g_autofree char *path = choose_file (window, GTK_FILE_CHOOSER_ACTION_SAVE, _ ("Save Screenshot"),
                                       _ ("_Save"), pictures != NULL ? pictures : g_get_home_dir (), name);

  if (path != NULL && !vitrine_machine_screenshot (window->machine, 0, path, &error))
    show_error (window, error);
}

static void
change_disc (VtMachineWindow *window, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char **media = vitrine_machine_list_media (window->machine);

  if (media != NULL && media[0] != NULL &&
      !vitrine_machine_change_medium (window->machine, media[0], path, FALSE, &error))
    show_error (window, error);
}

static void
insert_disc_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  VtMachineWindow *window = data;
  g_autofree char *path = choose_file (window, GTK_FILE_CHOOSER_ACTION_OPEN, _ ("Insert Disc"),
                                       _ ("_Insert"), NULL, NULL);

  if (path != NULL)
    change_disc (window, path);
}

static void
eject_disc_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  change_disc (data, NULL);
}

static const GActionEntry actions[] = {
  { .name = "pause", .activate = pause_cb },
  { .name = "resume", .activate = resume_cb },
  { .name = "start", .activate = start_cb },
  { .name = "shut-down", .activate = shut_down_cb },
  { .name = "reset", .activate = reset_cb },
  { .name = "force-off", .activate = force_off_cb },
  { .name = "send-keys", .activate = send_keys_cb, .parameter_type = "s" },
  { .name = "fullscreen", .state = "false", .change_state = fullscreen_cb },
  { .name = "scale", .parameter_type = "s", .state = "'fit'", .change_state = scale_cb },
  { .name = "screenshot", .activate = screenshot_cb },
  { .name = "insert-disc", .activate = insert_disc_cb },
  { .name = "eject-disc", .activate = eject_disc_cb },
};

/* Events ------------------------------------------------------------------------------------- */

/* While the guest's screen has the focus every key is the guest's, before any of our shortcuts. */
static gboolean
vt_machine_window_key (GtkWidget *widget, GdkEventKey *event)
{
  VtMachineWindow *window = VT_MACHINE_WINDOW (widget);
  GtkWidgetClass  *parent = GTK_WIDGET_CLASS (vt_machine_window_parent_class);

  if (gtk_window_get_focus (GTK_WINDOW (window)) == GTK_WIDGET (window->view) &&
      gtk_widget_event (GTK_WIDGET (window->view), (GdkEvent *) event))
    return TRUE;
  return event->type == GDK_KEY_PRESS ? parent->key_press_event (widget, event)
                                      : parent->key_release_event (widget, event);
}

/* A jump into the view, from the bar or another screen, comes as an entry without a motion. */
static gboolean
pointer_moved_cb (VtMachineWindow *window, GdkEvent *event)
{
  double y;

  if (!window->fullscreen || vt_screen_view_is_grabbed (window->view)
      || !gdk_event_get_coords (event, NULL, &y))
    return FALSE;
  if (y <= BAR_EDGE)
    reveal_bar (window, TRUE);
  else if (y > BAR_LEAVE && window->bar_timer == 0)
    reveal_bar (window, FALSE);
  return FALSE;
}

enum
{
  KEEP_RUNNING = 1,
  SHUT_DOWN,
  FORCE_OFF,
};

static gboolean
vt_machine_window_delete (GtkWidget *widget, GdkEventAny *event)
{
  VtMachineWindow *window = VT_MACHINE_WINDOW (widget);
  VitrineState     state = vitrine_machine_get_state (window->machine);
  GtkWidget       *dialog;
  int              response;

  if (state == VITRINE_STATE_OFF)
    return FALSE;
  vt_screen_view_release (window->view);
  dialog = gtk_message_dialog_new (GTK_WINDOW (window), GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT,
                                   GTK_MESSAGE_QUESTION, GTK_BUTTONS_NONE, "%s",
                                   _ ("The machine is still on."));
  gtk_message_dialog_format_secondary_text (
      GTK_MESSAGE_DIALOG (dialog), "%s",
      _ ("It can go on without its window; starting it again from the library shows the window."));
  gtk_dialog_add_buttons (GTK_DIALOG (dialog), _ ("_Cancel"), GTK_RESPONSE_CANCEL, _ ("_Force Off"),
                          FORCE_OFF, NULL);
  if (state == VITRINE_STATE_RUNNING)
    gtk_dialog_add_button (GTK_DIALOG (dialog), _ ("_Shut Down"), SHUT_DOWN);
  gtk_dialog_add_button (GTK_DIALOG (dialog), _ ("_Keep Running"), KEEP_RUNNING);
  gtk_dialog_set_default_response (GTK_DIALOG (dialog), KEEP_RUNNING);
  response = gtk_dialog_run (GTK_DIALOG (dialog));
  gtk_widget_destroy (dialog);
  if (response == KEEP_RUNNING)
    gtk_widget_hide (widget);
  else if (response == SHUT_DOWN)
    vitrine_machine_shut_down (window->machine, NULL);
  else if (response == FORCE_OFF)
    vitrine_machine_stop (window->machine, NULL);
  return TRUE;
}

/* The object --------------------------------------------------------------------------------- */

static void
vt_machine_window_dispose (GObject *object)
{
  VtMachineWindow *window = VT_MACHINE_WINDOW (object);

  /* A menu that is open gives the focus back when it is hidden. GtkWindow's own dispose has dropped the
   * focus by then, and would keep a pointer to the view beyond the view's end. */
  gtk_widget_hide (GTK_WIDGET (window));
  if (window->machine != NULL)
    g_signal_handlers_disconnect_by_data (window->machine, window);
  g_clear_handle_id (&window->bar_timer, g_source_remove);
  g_clear_pointer (&window->typist, vt_typist_free);
  if (window->view != NULL)
    vt_screen_view_set_screen (window->view, NULL);
  window->view = NULL;
  g_clear_object (&window->screen);
  g_clear_object (&window->machine);
  G_OBJECT_CLASS (vt_machine_window_parent_class)->dispose (object);
}

static void
vt_machine_window_class_init (VtMachineWindowClass *klass)
{
  GtkWidgetClass *widget = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = vt_machine_window_dispose;
  widget->key_press_event = vt_machine_window_key;
  widget->key_release_event = vt_machine_window_key;
  widget->window_state_event = vt_machine_window_state_event;
  widget->delete_event = vt_machine_window_delete;
  gtk_widget_class_set_template_from_resource (widget, "/org/vitrine/Vitrine/machine-window.ui");
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, header);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, info_bar);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, info_label);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, info_details);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, info_text);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, info_reset);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, pause_button);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, pause_image);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, paused);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, scroller);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, overlay);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, bar_revealer);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, bar_title);
  gtk_widget_class_bind_template_child (widget, VtMachineWindow, bar_keys);
}

static void
vt_machine_window_init (VtMachineWindow *window)
{
  gtk_widget_init_template (GTK_WIDGET (window));
  g_action_map_add_action_entries (G_ACTION_MAP (window), actions, G_N_ELEMENTS (actions), window);
  vt_info_bar_name_close (window->info_bar);
  g_signal_connect (window->info_bar, "response", G_CALLBACK (gtk_widget_hide), NULL);
}

static void
name_children (VtMachineWindow *window)
{
  GtkWidget *viewport;

  gtk_container_add (GTK_CONTAINER (window->scroller), GTK_WIDGET (window->view));
  viewport = gtk_bin_get_child (GTK_BIN (window->scroller));
  if (GTK_IS_VIEWPORT (viewport))
    gtk_viewport_set_shadow_type (GTK_VIEWPORT (viewport), GTK_SHADOW_NONE);
}

VtMachineWindow *
vt_machine_window_new (GtkApplication *app, VitrineMachine *machine)
{
  VtMachineWindow *window = g_object_new (VT_TYPE_MACHINE_WINDOW, "application", app, NULL);

  window->machine = g_object_ref (machine);
  window->typist = vt_typist_new (machine);
  window->view = VT_SCREEN_VIEW (vt_screen_view_new (machine));
  name_children (window);
  g_signal_connect_swapped (window->view, "grabbed-changed", G_CALLBACK (grabbed_changed_cb),
                            window);
  g_signal_connect_swapped (window->view, "picture-resized", G_CALLBACK (picture_resized_cb), window);
  g_signal_connect_swapped (window->view, "motion-notify-event", G_CALLBACK (pointer_moved_cb), window);
  g_signal_connect_swapped (window->view, "enter-notify-event", G_CALLBACK (pointer_moved_cb),
                            window);
  g_signal_connect_swapped (machine, "notify::state", G_CALLBACK (state_changed_cb), window);
  g_signal_connect_swapped (machine, "notify::status", G_CALLBACK (state_changed_cb), window);
  g_signal_connect_swapped (machine, "notify::cpu-detail", G_CALLBACK (update_title), window);
  g_signal_connect_swapped (window->bar_revealer, "notify::child-revealed",
                            G_CALLBACK (bar_revealed_cb), window);
  state_changed_cb (window);
  gtk_widget_grab_focus (GTK_WIDGET (window->view));
  return window;
}
