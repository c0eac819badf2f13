/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A console as a QXL display: primary surface, damage as draw commands, cursor, and changes of
 * size.
 *
 * Three threads meet here. The device's thread only sets an alarm (changed_cb). The server's thread
 * takes what has changed, copies those pixels and queues commands. The library's worker fetches the
 * commands and gives them back (the QXL functions). No thread waits for another one's work: @lock
 * keeps nobody but detach() waiting, for the copying of one picture at most, and @queue_lock is
 * held for a few instructions.
 *
 * Why the pixels are copied: the library draws lazily and keeps commands for as long as it likes,
 * while the guest writes on.
 */
#include "screen.h"

#include <spice/macros.h>

/* Before the guest has a picture. */
#define BLANK_WIDTH 640
#define BLANK_HEIGHT 480

/* Larger pictures aren't sent: four times 4K. */
#define MAX_PIXELS (32 * 1024 * 1024)
#define MAX_SIDE 16384
/* What the library may hold of us before it is asked to let go: this and three whole pictures. */
#define MAX_HELD (64 * 1024 * 1024)
#define MAX_CURSOR 256

#define FAST_US (G_USEC_PER_SEC / 60)
#define SLOW_US (G_USEC_PER_SEC / 30)
/* Frames of more pixels than this are sent at the slow pace: they cost a megabyte each and more. */
#define SLOW_PIXELS (512 * 1024)
/* How long a viewer's cursor channel may follow its display channel. */
#define CURSOR_US (G_USEC_PER_SEC / 2)

enum
{
  COOKIE_DESTROY = 1,
  COOKIE_CREATE,
};

typedef enum
{
  STATE_READY,
  STATE_DESTROYING, /* The worker takes the primary surface down … */
  STATE_CREATING,   /* … and makes the next. */
} State;

typedef struct
{
  VtSpiceScreen *screen;
  gsize          bytes;
  QXLCommandExt  ext;
  union
  {
    struct
    {
      QXLDrawable drawable;
      QXLImage    image;
    } draw;
    QXLCursorCmd cursor;
  } u;
  /* Pixels, or a QXLCursor. */
  _Alignas (8) uint8_t payload[];
} Command;

struct VtSpiceScreen
{
  QXLInstance             qxl;
  VtSpiceCore            *core;
  const VtSpiceScreenOps *ops;
  void                   *data;

  GMutex     lock; /* Guards the next three, which detach() clears. */
  VtConsole *console;
  VtViewer  *viewer;  /* While somebody has a display channel. */
  VtSurface *surface; /* The latest seen; NULL: no picture. */
  GSource   *tick;   /* Set by the device's thread, too. */

  GMutex queue_lock; /* A leaf. */
  GQueue draws, cursors;

  gsize held;   /* Atomic: bytes in commands that the library hasn't given back, queues included. */
  gint  copies; /* Atomic. */

  /* The server's thread only. */
  State      state;
  unsigned   n_viewers, n_cursors;
  uint8_t   *primary; /* The library draws into it; nobody reads it here. */
  int        width, height;
  bool       redraw;  /* Everything, once the primary fits. */
  gint64     next;    /* Not before. */
  uint32_t   unique;
  VtCursor   cursor;
  int        cursor_x, cursor_y;
  bool       cursor_set, cursor_moved; /* To be told. */
  bool       cursor_shown;             /* Viewers have a shape of ours. */
};

static void tick_cb (void *data);

/* Commands ------------------------------------------------------------------------------------- */

static Command *
command_new (VtSpiceScreen *screen, uint32_t type, gsize payload)
{
  Command *command = g_try_malloc (sizeof (Command) + payload);

  if (!command)
    return NULL;
  memset (command, 0, sizeof (Command));
  command->screen = screen;
  command->bytes = sizeof (Command) + payload;
  command->ext.cmd.type = type;
  command->ext.cmd.data = (uintptr_t) &command->u;
  g_atomic_pointer_add (&screen->held, (gssize) command->bytes);
  return command;
}

static void
command_free (Command *command)
{
  g_atomic_pointer_add (&command->screen->held, -(gssize) command->bytes);
  g_free (command);
}

static void
queue_clear (GQueue *queue)
{
  Command *command;

  while ((command = g_queue_pop_head (queue)))
    command_free (command);
}

static void
push (VtSpiceScreen *screen, GQueue *queue, Command *command)
{
  g_mutex_lock (&screen->queue_lock);
  g_queue_push_tail (queue, command);
  g_mutex_unlock (&screen->queue_lock);
}

/* A copy of @rect of the surface, which the rectangle lies within. */
static bool
push_draw_locked (VtSpiceScreen *screen, const VtRect *rect)
{
  const VtSurface *surface = screen->surface;
  gsize            row = (gsize) rect->width * 4;
  Command         *command = command_new (screen, QXL_CMD_DRAW, row * (gsize) rect->height);
  QXLDrawable     *drawable;
  QXLImage        *image;

  if (!command)
    return false;
  for (int y = 0; y < rect->height; y++)
    memcpy (command->payload + (gsize) y * row,
            surface->data + (gsize) (rect->y + y) * (gsize) surface->stride + (gsize) rect->x * 4,
            row);
  g_atomic_int_inc (&screen->copies);

  drawable = &command->u.draw.drawable;
  image = &command->u.draw.image;
  drawable->release_info.id = (uintptr_t) command;
  drawable->effect = QXL_EFFECT_OPAQUE;
  drawable->type = QXL_DRAW_COPY;
  drawable->bbox.left = rect->x;
  drawable->bbox.top = rect->y;
  drawable->bbox.right = rect->x + rect->width;
  drawable->bbox.bottom = rect->y + rect->height;
  drawable->clip.type = SPICE_CLIP_TYPE_NONE;
  drawable->mm_time = (uint32_t) (g_get_monotonic_time () / 1000);
  for (unsigned i = 0; i < 3; i++)
    drawable->surfaces_dest[i] = -1;
  drawable->u.copy.src_bitmap = (uintptr_t) image;
  drawable->u.copy.src_area.right = rect->width;
  drawable->u.copy.src_area.bottom = rect->height;
  drawable->u.copy.rop_descriptor = SPICE_ROPD_OP_PUT;

  QXL_SET_IMAGE_ID (image, QXL_IMAGE_GROUP_DEVICE, ++screen->unique);
  image->descriptor.type = SPICE_IMAGE_TYPE_BITMAP;
  image->descriptor.width = (uint32_t) rect->width;
  image->descriptor.height = (uint32_t) rect->height;
  image->bitmap.format = SPICE_BITMAP_FMT_32BIT;
  image->bitmap.flags = QXL_BITMAP_DIRECT | QXL_BITMAP_TOP_DOWN;
  image->bitmap.x = (uint32_t) rect->width;
  image->bitmap.y = (uint32_t) rect->height;
  image->bitmap.stride = (uint32_t) row;
  image->bitmap.data = (uintptr_t) command->payload;
  push (screen, &screen->draws, command);
  return true;
}

static void
push_cursor (VtSpiceScreen *screen)
{
  const VtCursor *cursor = &screen->cursor;
  bool            shape = screen->cursor_set && cursor->argb;
  gsize           pixels = shape ? (gsize) cursor->width * (gsize) cursor->height * 4 : 0;
  Command *command = command_new (screen, QXL_CMD_CURSOR, shape ? sizeof (QXLCursor) + pixels : 0);
  QXLCursorCmd *cmd;

  if (!command)
    return;
  cmd = &command->u.cursor;
  cmd->release_info.id = (uintptr_t) command;
  if (shape)
    {
      QXLCursor *data = (QXLCursor *) (void *) command->payload;

      memset (data, 0, sizeof *data);
      /* unique stays 0: not to be cached. */
      data->header.type = SPICE_CURSOR_TYPE_ALPHA;
      data->header.width = (uint16_t) cursor->width;
      data->header.height = (uint16_t) cursor->height;
      data->header.hot_spot_x = (uint16_t) CLAMP (cursor->hot_x, 0, cursor->width - 1);
      data->header.hot_spot_y = (uint16_t) CLAMP (cursor->hot_y, 0, cursor->height - 1);
      data->data_size = (uint32_t) pixels;
      data->chunk.data_size = (uint32_t) pixels;
      memcpy (command->payload + sizeof (QXLCursor), cursor->argb, pixels);
      cmd->type = QXL_CURSOR_SET;
      cmd->u.set.position.x = (int16_t) CLAMP (screen->cursor_x, INT16_MIN, INT16_MAX);
      cmd->u.set.position.y = (int16_t) CLAMP (screen->cursor_y, INT16_MIN, INT16_MAX);
      cmd->u.set.visible = 1;
      cmd->u.set.shape = (uintptr_t) data;
    }
  else if (screen->cursor_set)
    cmd->type = QXL_CURSOR_HIDE;
  else
    {
      cmd->type = QXL_CURSOR_MOVE;
      cmd->u.position.x = (int16_t) CLAMP (screen->cursor_x, INT16_MIN, INT16_MAX);
      cmd->u.position.y = (int16_t) CLAMP (screen->cursor_y, INT16_MIN, INT16_MAX);
    }
  push (screen, &screen->cursors, command);
}

/* A movement makes the library show the cursor again, so it is only told of one that is to be
 * seen. */
static void
tell_cursor (VtSpiceScreen *screen)
{
  bool visible = screen->cursor.argb;

  if ((screen->cursor_set && (visible || screen->cursor_shown))
      || (screen->cursor_moved && visible && screen->cursor_shown))
    {
      push_cursor (screen);
      screen->cursor_shown = visible;
    }
  screen->cursor_set = screen->cursor_moved = false;
}

/* The worker's side ---------------------------------------------------------------------------- */

static VtSpiceScreen *
from_qxl (QXLInstance *qxl)
{
  return VT_CONTAINER (qxl, VtSpiceScreen, qxl);
}

static void
attached_worker_cb (QXLInstance *qxl)
{
}

static void
set_compression_level_cb (QXLInstance *qxl, int level)
{
}

static void
get_init_info_cb (QXLInstance *qxl, QXLDevInitInfo *info)
{
  memset (info, 0, sizeof *info);
  info->num_memslots_groups = 1;
  info->num_memslots = 2;
  info->memslot_gen_bits = 1;
  info->memslot_id_bits = 1;
  info->qxl_ram_size = 16 * 1024 * 1024;
  info->n_surfaces = 1;
}

static int
pop (VtSpiceScreen *screen, GQueue *queue, QXLCommandExt *ext)
{
  Command *command;

  g_mutex_lock (&screen->queue_lock);
  command = g_queue_pop_head (queue);
  g_mutex_unlock (&screen->queue_lock);
  if (!command)
    return 0;
  *ext = command->ext;
  return 1;
}

static bool
is_empty (VtSpiceScreen *screen, GQueue *queue)
{
  bool empty;

  g_mutex_lock (&screen->queue_lock);
  empty = g_queue_is_empty (queue);
  g_mutex_unlock (&screen->queue_lock);
  return empty;
}

static int
get_command_cb (QXLInstance *qxl, QXLCommandExt *ext)
{
  VtSpiceScreen *screen = from_qxl (qxl);

  return pop (screen, &screen->draws, ext);
}

static int
get_cursor_command_cb (QXLInstance *qxl, QXLCommandExt *ext)
{
  VtSpiceScreen *screen = from_qxl (qxl);

  return pop (screen, &screen->cursors, ext);
}

/* 1: nothing is queued, spice_qxl_wakeup() will tell. */
static int
req_cmd_notification_cb (QXLInstance *qxl)
{
  VtSpiceScreen *screen = from_qxl (qxl);

  return is_empty (screen, &screen->draws);
}

static int
req_cursor_notification_cb (QXLInstance *qxl)
{
  VtSpiceScreen *screen = from_qxl (qxl);

  return is_empty (screen, &screen->cursors);
}

static void
release_resource_cb (QXLInstance *qxl, QXLReleaseInfoExt release)
{
  if (release.info)
    command_free ((Command *) (uintptr_t) release.info->id);
}

static void
notify_update_cb (QXLInstance *qxl, uint32_t update_id)
{
}

static int
flush_resources_cb (QXLInstance *qxl)
{
  return 0;
}

static void
update_area_complete_cb (QXLInstance *qxl, uint32_t surface_id, QXLRect *rects, uint32_t n)
{
}

static void
set_client_capabilities_cb (QXLInstance *qxl,
                            uint8_t present,
                            uint8_t caps[SPICE_CAPABILITIES_SIZE])
{
  /* Says that a viewer is present when the last one leaves (measured), so viewers are counted by
   * their channel events instead. */
}

/* Changes of size ------------------------------------------------------------------------------ */

static void
wanted_size_locked (const VtSpiceScreen *screen, int *width, int *height)
{
  *width = screen->surface ? screen->surface->width : BLANK_WIDTH;
  *height = screen->surface ? screen->surface->height : BLANK_HEIGHT;
}

static void
make_primary (VtSpiceScreen *screen, QXLDevSurfaceCreate *create)
{
  g_mutex_lock (&screen->lock);
  wanted_size_locked (screen, &screen->width, &screen->height);
  screen->primary = g_try_malloc0 ((gsize) screen->width * (gsize) screen->height * 4);
  if (!screen->primary)
    {
      vt_trace ("spice", "no memory for a screen of %d × %d", screen->width, screen->height);
      g_clear_pointer (&screen->surface, vt_surface_unref);
      wanted_size_locked (screen, &screen->width, &screen->height);
      screen->primary = g_malloc0 ((gsize) screen->width * (gsize) screen->height * 4);
    }
  g_mutex_unlock (&screen->lock);
  memset (create, 0, sizeof *create);
  create->width = (uint32_t) screen->width;
  create->height = (uint32_t) screen->height;
  create->stride = -screen->width * 4; /* Negative: top-down. */
  create->format = SPICE_SURFACE_FMT_32_xRGB;
  create->mouse_mode = 1;
  create->type = QXL_SURF_TYPE_PRIMARY;
  /* It is black already; told so, the library does not write to all of it. */
  create->flags = QXL_SURF_FLAG_KEEP_DATA;
  create->mem = (uintptr_t) screen->primary;
}

/* The asynchronous forms return at once; the other ones wait for the worker. The worker itself
 * waits up to 30 s for a viewer with a message half sent, and with it would wait whoever comes or
 * goes; so sizes change only while the connections flow (tick_cb). The completion of the
 * asynchronous forms calls into the library's mouse mode from the worker's thread. That is only
 * safe because nothing is to be changed then: the first surface is made while nobody is connected,
 * every one allows the client's mouse, and the tablet waits until we have settled
 * (vt_spice_screen_settled). */
static void
begin_resize (VtSpiceScreen *screen)
{
  g_mutex_lock (&screen->queue_lock);
  queue_clear (&screen->draws);
  g_mutex_unlock (&screen->queue_lock);
  screen->state = STATE_DESTROYING;
  spice_qxl_destroy_primary_surface_async (&screen->qxl, 0, COOKIE_DESTROY);
}

static void
destroyed_cb (void *data)
{
  VtSpiceScreen      *screen = data;
  QXLDevSurfaceCreate create;

  g_clear_pointer (&screen->primary, g_free);
  make_primary (screen, &create);
  screen->state = STATE_CREATING;
  spice_qxl_create_primary_surface_async (&screen->qxl, 0, &create, COOKIE_CREATE);
}

static void
created_cb (void *data)
{
  VtSpiceScreen *screen = data;

  screen->state = STATE_READY;
  screen->ops->settled (screen->data);
  vt_spice_alarm_set (screen->tick, 0);
}

static void
async_complete_cb (QXLInstance *qxl, uint64_t cookie)
{
  VtSpiceScreen *screen = from_qxl (qxl);

  if (cookie == COOKIE_DESTROY)
    vt_spice_core_post (screen->core, destroyed_cb, screen);
  else if (cookie == COOKIE_CREATE)
    vt_spice_core_post (screen->core, created_cb, screen);
}

static const QXLInterface qxl_interface = {
  .base = {
    .type = SPICE_INTERFACE_QXL,
    .description = "vitrine",
    .major_version = SPICE_INTERFACE_QXL_MAJOR,
    .minor_version = SPICE_INTERFACE_QXL_MINOR,
  },
  .attached_worker = attached_worker_cb,
  .set_compression_level = set_compression_level_cb,
  .get_init_info = get_init_info_cb,
  .get_command = get_command_cb,
  .req_cmd_notification = req_cmd_notification_cb,
  .release_resource = release_resource_cb,
  .get_cursor_command = get_cursor_command_cb,
  .req_cursor_notification = req_cursor_notification_cb,
  .notify_update = notify_update_cb,
  .flush_resources = flush_resources_cb,
  .async_complete = async_complete_cb,
  .update_area_complete = update_area_complete_cb,
  .set_client_capabilities = set_client_capabilities_cb,
};

/* Frames --------------------------------------------------------------------------------------- */

static void
take_picture_locked (VtSpiceScreen *screen, VtFrame *frame)
{
  VtSurface *surface = frame->surface;

  if (surface
      && (surface->width > MAX_SIDE || surface->height > MAX_SIDE
          || (gsize) surface->width * (gsize) surface->height > MAX_PIXELS))
    {
      vt_trace ("spice", "a screen of %d × %d is too large to send", surface->width,
                surface->height);
      surface = NULL;
    }
  if (frame->new_surface || surface != screen->surface)
    screen->redraw = true;
  g_clear_pointer (&screen->surface, vt_surface_unref);
  if (surface)
    screen->surface = vt_surface_ref (surface);
}

static void
take_cursor (VtSpiceScreen *screen, VtFrame *frame)
{
  if (frame->cursor_changed)
    {
      g_free (screen->cursor.argb);
      screen->cursor = frame->cursor;
      frame->cursor.argb = NULL;
      if (screen->cursor.width < 1 || screen->cursor.height < 1 || screen->cursor.width > MAX_CURSOR
          || screen->cursor.height > MAX_CURSOR)
        g_clear_pointer (&screen->cursor.argb, g_free);
      screen->cursor_set = true;
    }
  if (frame->cursor_moved)
    screen->cursor_moved = true;
  screen->cursor_x = frame->cursor_x;
  screen->cursor_y = frame->cursor_y;
}

/* Queues the picture's changes. Returns how many pixels. */
static gsize
draw_locked (VtSpiceScreen *screen, const VtFrame *frame)
{
  VtRect        all = { 0, 0, screen->width, screen->height };
  const VtRect *rects = screen->redraw ? &all : frame->rects;
  unsigned      n = screen->redraw ? 1 : frame->n_rects;
  gsize         pixels = 0;
  bool          gone = false;

  /* The picture has gone: a black one says so, once. */
  if (!screen->surface)
    {
      if (!screen->redraw)
        return 0;
      screen->surface = vt_surface_new (screen->width, screen->height);
      gone = true;
    }
  screen->redraw = false;
  for (unsigned i = 0; i < n; i++)
    {
      if (rects[i].width < 1 || rects[i].height < 1)
        continue;
      /* Short of memory: all of it, later. */
      if (!push_draw_locked (screen, &rects[i]))
        screen->redraw = true;
      pixels += (gsize) rects[i].width * (gsize) rects[i].height;
    }
  if (gone)
    g_clear_pointer (&screen->surface, vt_surface_unref);
  return pixels;
}

/* Fewer frames where the library can't pass on what it has: nobody sees them. */
static bool
congested (VtSpiceScreen *screen)
{
  gsize limit = MAX_HELD + 3 * (gsize) screen->width * (gsize) screen->height * 4;

  if (!is_empty (screen, &screen->draws) || !is_empty (screen, &screen->cursors))
    return true;
  if (vt_spice_screen_outstanding (screen) <= limit)
    return false;
  /* It draws the oldest commands into its own surface and gives them back. */
  spice_qxl_oom (&screen->qxl);
  return true;
}

static void
tick_cb (void *data)
{
  VtSpiceScreen *screen = data;
  VtFrame        frame;
  gint64         now = g_get_monotonic_time ();
  gsize          pixels = 0;
  int            width, height;
  bool           resize;

  if (screen->n_viewers == 0 || screen->state != STATE_READY)
    return;
  if (now < screen->next)
    {
      vt_spice_alarm_set (screen->tick, screen->next);
      return;
    }
  if (congested (screen))
    {
      vt_spice_alarm_set (screen->tick, now + SLOW_US);
      return;
    }

  g_mutex_lock (&screen->lock);
  if (!screen->viewer)
    {
      g_mutex_unlock (&screen->lock);
      return;
    }
  vt_viewer_take (screen->viewer, &frame);
  take_picture_locked (screen, &frame);
  take_cursor (screen, &frame);
  wanted_size_locked (screen, &width, &height);
  resize = width != screen->width || height != screen->height;
  if (!resize)
    pixels = draw_locked (screen, &frame);
  vt_frame_clear (&frame);
  g_mutex_unlock (&screen->lock);

  tell_cursor (screen);
  screen->next = now + (pixels > SLOW_PIXELS ? SLOW_US : FAST_US);
  if (resize && screen->ops->flows (screen->data))
    begin_resize (screen);
  else if (resize || screen->redraw)
    vt_spice_alarm_set (screen->tick, now + SLOW_US);
  if (resize)
    screen->redraw = true;
  spice_qxl_wakeup (&screen->qxl);
}

/* The device's thread, with its lock held. */
static void
changed_cb (void *data)
{
  VtSpiceScreen *screen = data;

  vt_spice_alarm_set (screen->tick, 0);
}

static const VtViewerOps viewer_ops = { .changed = changed_cb };

/* Life ----------------------------------------------------------------------------------------- */

void
vt_spice_screen_set_viewers (VtSpiceScreen *screen, unsigned n)
{
  VtViewer *viewer = NULL;

  /* The console has a viewer of ours only while somebody looks: the device then looks for changes
   * 60 times a second, and needn't otherwise. */
  g_mutex_lock (&screen->lock);
  if (n > 0 && !screen->viewer && screen->console)
    screen->viewer = vt_viewer_new (screen->console, &viewer_ops, screen, true);
  else if (n == 0)
    viewer = g_steal_pointer (&screen->viewer);
  /* Under the lock, so that the console is there until it is done. */
  if (viewer)
    vt_viewer_free (viewer);
  g_mutex_unlock (&screen->lock);
  screen->n_viewers = n;
  if (n == 0)
    return;
  /* A cursor channel that comes amid a change of size is set up twice by the library, at which
   * viewers complain. So the first picture, which may change the size, waits for it. */
  if (screen->n_cursors == 0)
    screen->next = g_get_monotonic_time () + CURSOR_US;
  vt_spice_alarm_set (screen->tick, 0);
}

void
vt_spice_screen_set_cursors (VtSpiceScreen *screen, unsigned n)
{
  if (n > screen->n_cursors)
    {
      screen->next = 0;
      vt_spice_alarm_set (screen->tick, 0);
    }
  screen->n_cursors = n;
}

bool
vt_spice_screen_settled (const VtSpiceScreen *screen)
{
  return screen->state == STATE_READY;
}

void
vt_spice_screen_size (const VtSpiceScreen *screen, int *width, int *height)
{
  *width = screen->width;
  *height = screen->height;
}

gsize
vt_spice_screen_outstanding (VtSpiceScreen *screen)
{
  return (gsize) g_atomic_pointer_get (&screen->held);
}

unsigned
vt_spice_screen_copies (VtSpiceScreen *screen)
{
  return (unsigned) g_atomic_int_get (&screen->copies);
}

bool
vt_spice_screen_attach (VtSpiceScreen *screen, SpiceServer *server)
{
  QXLDevMemSlot       slot = { .virt_end = UINTPTR_MAX };
  QXLDevSurfaceCreate create;

  screen->qxl.base.sif = &qxl_interface.base;
  screen->qxl.id = 0;
  if (spice_server_add_interface (server, &screen->qxl.base) != 0)
    return false;
  spice_qxl_set_device_info (&screen->qxl, "pci/0000/02.0", 0, 1);
  /* One slot over everything makes the addresses in commands plain pointers. */
  spice_qxl_add_memslot (&screen->qxl, &slot);
  make_primary (screen, &create);
  /* Waiting is fine here: nobody is connected. */
  spice_qxl_create_primary_surface (&screen->qxl, 0, &create);
  return true;
}

VtSpiceScreen *
vt_spice_screen_new (VtSpiceCore *core, VtConsole *console, const VtSpiceScreenOps *ops, void *data)
{
  VtSpiceScreen *screen = g_new0 (VtSpiceScreen, 1);

  screen->core = core;
  screen->console = console;
  screen->ops = ops;
  screen->data = data;
  g_mutex_init (&screen->lock);
  g_mutex_init (&screen->queue_lock);
  g_queue_init (&screen->draws);
  g_queue_init (&screen->cursors);
  screen->tick = vt_spice_core_alarm (core, tick_cb, screen);
  return screen;
}

void
vt_spice_screen_detach (VtSpiceScreen *screen)
{
  g_mutex_lock (&screen->lock);
  g_clear_pointer (&screen->viewer, vt_viewer_free);
  g_clear_pointer (&screen->surface, vt_surface_unref);
  screen->console = NULL;
  g_mutex_unlock (&screen->lock);
}

void
vt_spice_screen_free (VtSpiceScreen *screen)
{
  vt_spice_alarm_free (screen->tick);
  queue_clear (&screen->draws);
  queue_clear (&screen->cursors);
  vt_surface_unref (screen->surface);
  g_free (screen->cursor.argb);
  g_free (screen->primary);
  g_mutex_clear (&screen->lock);
  g_mutex_clear (&screen->queue_lock);
  g_free (screen);
}
