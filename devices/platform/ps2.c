/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The PS/2 mouse (standard, IntelliMouse, IntelliMouse Explorer), and the queue that keyboard and
 * mouse share. Spec: Synaptics "PS/2 TouchPad Interfacing Guide" 510-000080-01, section 3; Microsoft
 * "IntelliMouse" device notes for the wheel and the fourth and fifth button.
 */
#include "ps2-queue.h"

/* Movement waits in the sums while this much is unread, so that a slow guest gets few large steps
 * instead of many old ones. Clicks are queued beyond it: summed up they would be lost. */
#define MOVE_BACKLOG 12
#define SUM_LIMIT 0x7fff

enum
{
  CMD_SCALE_1 = 0xe6,
  CMD_SCALE_2 = 0xe7,
  CMD_RESOLUTION = 0xe8,
  CMD_STATUS = 0xe9,
  CMD_STREAM = 0xea,
  CMD_READ = 0xeb,
  CMD_WRAP_END = 0xec,
  CMD_WRAP = 0xee,
  CMD_REMOTE = 0xf0,
  CMD_ID = 0xf2,
  CMD_RATE = 0xf3,
  CMD_ENABLE = 0xf4,
  CMD_DISABLE = 0xf5,
  CMD_DEFAULTS = 0xf6,
  CMD_RESEND = 0xfe,
  CMD_RESET = 0xff,
};

/* Queue ---------------------------------------------------------------------------------------- */

bool
vt_ps2_queue_push (VtPs2Queue *queue, const uint8_t *bytes, unsigned len, unsigned limit)
{
  if (queue->count + len > limit)
    return false;
  for (unsigned i = 0; i < len; i++)
    queue->bytes[(queue->head + queue->count++) % VT_PS2_QUEUE] = bytes[i];
  return true;
}

bool
vt_ps2_queue_pop (VtPs2Queue *queue, uint8_t *byte)
{
  if (queue->count == 0)
    return false;
  *byte = queue->bytes[queue->head];
  queue->head = (uint16_t) ((queue->head + 1) % VT_PS2_QUEUE);
  queue->count--;
  return true;
}

void
vt_ps2_queue_clear (VtPs2Queue *queue)
{
  memset (queue, 0, sizeof *queue);
}

static const VtStateField queue_fields[] = {
  VT_STATE_MAX (VtPs2Queue, head, VT_PS2_QUEUE - 1),
  VT_STATE_MAX (VtPs2Queue, count, VT_PS2_QUEUE),
  VT_STATE (VtPs2Queue, bytes),
};
const VtStateDesc vt_ps2_queue_desc = VT_STATE_DESC (VtPs2Queue, 1, queue_fields, NULL);

/* Packets -------------------------------------------------------------------------------------- */

static void
defaults (VtPs2Mouse *m)
{
  m->rate = 100;
  m->resolution = 2;
  m->scaled = m->enabled = m->remote = m->wrap = false;
  m->dx = m->dy = m->dz = 0;
  m->told = m->buttons;
}

void
vt_ps2_mouse_reset (VtPs2Mouse *m)
{
  uint8_t buttons = m->buttons;

  memset (m, 0, sizeof *m);
  m->buttons = buttons;
  defaults (m);
}

/* Takes at most 255 of a sum: nine bits with sign. */
static int
take_step (int32_t *sum, int most)
{
  int step = CLAMP (*sum, -most, most);

  *sum -= step;
  return step;
}

/* "Set scaling 2:1" of stream mode. */
static int
scale (const VtPs2Mouse *m, int step)
{
  static const uint8_t small[6] = { 0, 1, 1, 3, 6, 9 };
  int                  size = ABS (step);

  if (!m->scaled || m->remote)
    return step;
  size = size < 6 ? small[size] : MIN (size * 2, 255);
  return step < 0 ? -size : size;
}

static bool
push_packet (VtPs2Mouse *m, unsigned limit)
{
  unsigned len = m->id == 0 ? 3 : 4;
  uint8_t  packet[4];
  int      dx, dy, dz;

  if (m->queue.count + len > limit)
    return false;
  dx = scale (m, take_step (&m->dx, 255));
  dy = scale (m, -take_step (&m->dy, 255));
  dz = take_step (&m->dz, 7);
  packet[0] = (uint8_t) (0x08 | (m->buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0));
  packet[1] = (uint8_t) dx;
  packet[2] = (uint8_t) dy;
  packet[3] = (uint8_t) (m->id == 4 ? (dz & 0x0f) | (m->buttons & 0x18) << 1 : dz);
  if (m->id == 0)
    m->dz = 0;
  m->told = m->buttons;
  return vt_ps2_queue_push (&m->queue, packet, len, limit);
}

void
vt_ps2_mouse_report (VtPs2Mouse *m)
{
  uint8_t seen = m->id == 4 ? 0x1f : 0x07;

  if (!m->enabled || m->remote || m->wrap)
    return;
  if (m->id == 0)
    m->dz = 0;
  if (((m->buttons ^ m->told) & seen) != 0)
    push_packet (m, VT_PS2_QUEUE_EVENTS);
  while ((m->dx | m->dy | m->dz) != 0 && m->queue.count < MOVE_BACKLOG)
    push_packet (m, VT_PS2_QUEUE_EVENTS);
}

static int32_t
sum (int32_t a, int b)
{
  return CLAMP (a + CLAMP (b, -SUM_LIMIT, SUM_LIMIT), -SUM_LIMIT, SUM_LIMIT);
}

void
vt_ps2_mouse_move (VtPs2Mouse *m, int dx, int dy)
{
  m->dx = sum (m->dx, dx);
  m->dy = sum (m->dy, dy);
}

void
vt_ps2_mouse_wheel (VtPs2Mouse *m, int dy)
{
  m->dz = sum (m->dz, dy == INT_MIN ? INT_MAX : -dy);
}

void
vt_ps2_mouse_button (VtPs2Mouse *m, VtButton button, bool down)
{
  if (down)
    m->buttons |= (uint8_t) (1 << button);
  else
    m->buttons &= (uint8_t) ~(1 << button);
  /* Press and release each get their own packet, before the sync that comes after both. */
  vt_ps2_mouse_report (m);
}

/* Commands ------------------------------------------------------------------------------------- */

static void
reply (VtPs2Mouse *m, uint8_t byte)
{
  m->last = byte;
  vt_ps2_queue_push (&m->queue, &byte, 1, VT_PS2_QUEUE);
}

/* Three particular rates in a row turn the wheel on, three others the extra buttons. */
static void
knock (VtPs2Mouse *m, uint8_t rate)
{
  if (rate == 80 && m->knock[0] == 200 && m->knock[1] == 100)
    m->id = 3;
  else if (rate == 80 && m->knock[0] == 200 && m->knock[1] == 200 && m->id >= 3)
    m->id = 4;
  m->knock[0] = m->knock[1];
  m->knock[1] = rate;
  /* Buttons that can be told of from now on make no packet of their own. */
  m->told = m->buttons;
}

static void
parameter (VtPs2Mouse *m, uint8_t byte)
{
  if (m->command == CMD_RATE)
    {
      m->rate = byte;
      knock (m, byte);
    }
  else
    m->resolution = byte & 3;
  m->command = 0;
  reply (m, VT_PS2_ACK);
}

static void
status (VtPs2Mouse *m)
{
  uint8_t b = m->buttons;

  /* Byte 1 has the buttons in the order left, middle, right from bit 2. */
  reply (m, (uint8_t) ((m->remote ? 0x40 : 0) | (m->enabled ? 0x20 : 0) | (m->scaled ? 0x10 : 0) |
                       (b & 1) << 2 | (b & 4) >> 1 | (b & 2) >> 1));
  reply (m, m->resolution);
  reply (m, m->rate);
}

void
vt_ps2_mouse_send (VtPs2Mouse *m, uint8_t byte)
{
  /* In wrap mode all but the two that end it comes back as it is. */
  if (m->wrap && byte != CMD_RESET && byte != CMD_WRAP_END)
    {
      reply (m, byte);
      return;
    }
  if (m->command != 0 && byte != CMD_RESET)
    {
      parameter (m, byte);
      return;
    }
  m->command = 0;
  switch (byte)
    {
    case CMD_SCALE_1:
    case CMD_SCALE_2:
      m->scaled = byte == CMD_SCALE_2;
      reply (m, VT_PS2_ACK);
      break;
    case CMD_RESOLUTION:
    case CMD_RATE:
      m->command = byte;
      reply (m, VT_PS2_ACK);
      break;
    case CMD_STATUS:
      reply (m, VT_PS2_ACK);
      status (m);
      break;
    case CMD_STREAM:
    case CMD_REMOTE:
      m->remote = byte == CMD_REMOTE;
      reply (m, VT_PS2_ACK);
      break;
    case CMD_READ:
      reply (m, VT_PS2_ACK);
      push_packet (m, VT_PS2_QUEUE);
      break;
    case CMD_WRAP:
    case CMD_WRAP_END:
      m->wrap = byte == CMD_WRAP;
      reply (m, VT_PS2_ACK);
      break;
    case CMD_ID:
      reply (m, VT_PS2_ACK);
      reply (m, m->id);
      break;
    case CMD_ENABLE:
    case CMD_DISABLE:
      m->enabled = byte == CMD_ENABLE;
      m->dx = m->dy = m->dz = 0;
      m->told = m->buttons;
      reply (m, VT_PS2_ACK);
      break;
    case CMD_DEFAULTS:
      defaults (m);
      reply (m, VT_PS2_ACK);
      break;
    case CMD_RESEND:
      reply (m, m->last);
      break;
    case CMD_RESET:
      vt_ps2_mouse_reset (m);
      reply (m, VT_PS2_ACK);
      reply (m, VT_PS2_BAT_OK);
      reply (m, m->id);
      break;
    default:
      reply (m, VT_PS2_RESEND);
      break;
    }
}

static bool
mouse_check (const void *state, GError **error)
{
  const VtPs2Mouse *m = state;

  if ((m->id != 0 && m->id != 3 && m->id != 4) || ABS ((int64_t) m->dx) > SUM_LIMIT ||
      ABS ((int64_t) m->dy) > SUM_LIMIT || ABS ((int64_t) m->dz) > SUM_LIMIT ||
      (m->command != 0 && m->command != CMD_RATE && m->command != CMD_RESOLUTION))
    return vt_set_error (error, VITRINE_ERROR_CORRUPT, "The saved mouse is in no possible state");
  return true;
}

static const VtStateField mouse_fields[] = {
  VT_STATE_STRUCT (VtPs2Mouse, queue, &vt_ps2_queue_desc),
  VT_STATE (VtPs2Mouse, dx),
  VT_STATE (VtPs2Mouse, dy),
  VT_STATE (VtPs2Mouse, dz),
  VT_STATE_MAX (VtPs2Mouse, buttons, 0x1f),
  VT_STATE_MAX (VtPs2Mouse, told, 0x1f),
  VT_STATE (VtPs2Mouse, id),
  VT_STATE (VtPs2Mouse, rate),
  VT_STATE_MAX (VtPs2Mouse, resolution, 3),
  VT_STATE (VtPs2Mouse, command),
  VT_STATE (VtPs2Mouse, last),
  VT_STATE (VtPs2Mouse, knock),
  VT_STATE (VtPs2Mouse, enabled),
  VT_STATE (VtPs2Mouse, remote),
  VT_STATE (VtPs2Mouse, wrap),
  VT_STATE (VtPs2Mouse, scaled),
  VT_STATE (VtPs2Mouse, pad_),
};
const VtStateDesc vt_ps2_mouse_desc = VT_STATE_DESC (VtPs2Mouse, 1, mouse_fields, mouse_check);
