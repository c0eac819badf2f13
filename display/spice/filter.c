/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a viewer may say to the SPICE library.
 *
 * libspice-server 0.15.1 ends the process for some messages that any viewer can send (a migration's
 * flush mark, a second display initialisation), and uses freed memory when a display channel ends
 * before its first message. So each connection is read here first: only messages that a viewer of
 * ours has reason to send are passed on, each whole and of the size it must have.
 *
 * The protocol: spice-protocol's <spice/protocol.h> (link messages, headers) and <spice/enums.h>
 * (message numbers); the bodies' sizes are those of the wire format, which is packed and
 * little-endian.
 */
#include "filter.h"

#include <spice/enums.h>
#include <spice/protocol.h>

#define LINK_HEADER 16
#define LINK_MESSAGE 18
#define TICKET 128
#define SHORT_HEADER 6
#define LONG_HEADER 18
#define MAX_CAPS 64
/* More than this isn't read to be left out. */
#define MAX_SKIP (64 * 1024)

/* Display initialisation: cache id (8), cache size in pixels (64), dictionary id (8), window
 * (32). */
#define INIT_SIZE 14
#define MAX_CACHE_PIXELS (32 * 1024 * 1024)
#define MIN_WINDOW (256 * 1024)
#define MAX_WINDOW (8 * 1024 * 1024)

typedef struct
{
  uint8_t  channel; /* 0: every one. */
  uint16_t type;
  uint16_t min, max;
} Allowed;

/* Left out, besides what no viewer should send: everything of migration (there is none), stream and
 * video codec messages (there are no streams), GL. */
static const Allowed allowed[] = {
  { 0, SPICE_MSGC_ACK_SYNC, 4, 4 },
  { 0, SPICE_MSGC_ACK, 0, 0 },
  { 0, SPICE_MSGC_PONG, 12, 12 },
  { 0, SPICE_MSGC_DISCONNECTING, 12, 12 },
  { SPICE_CHANNEL_MAIN, SPICE_MSGC_MAIN_CLIENT_INFO, 8, 8 },
  { SPICE_CHANNEL_MAIN, SPICE_MSGC_MAIN_ATTACH_CHANNELS, 0, 0 },
  { SPICE_CHANNEL_MAIN, SPICE_MSGC_MAIN_MOUSE_MODE_REQUEST, 2, 2 },
  { SPICE_CHANNEL_DISPLAY, SPICE_MSGC_DISPLAY_INIT, INIT_SIZE, INIT_SIZE },
  { SPICE_CHANNEL_DISPLAY, SPICE_MSGC_DISPLAY_PREFERRED_COMPRESSION, 1, 1 },
  { SPICE_CHANNEL_INPUTS, SPICE_MSGC_INPUTS_KEY_DOWN, 4, 4 },
  { SPICE_CHANNEL_INPUTS, SPICE_MSGC_INPUTS_KEY_UP, 4, 4 },
  { SPICE_CHANNEL_INPUTS, SPICE_MSGC_INPUTS_KEY_MODIFIERS, 2, 2 },
  { SPICE_CHANNEL_INPUTS, SPICE_MSGC_INPUTS_KEY_SCANCODE, 1, 64 },
  { SPICE_CHANNEL_INPUTS, SPICE_MSGC_INPUTS_MOUSE_MOTION, 10, 10 },
  { SPICE_CHANNEL_INPUTS, SPICE_MSGC_INPUTS_MOUSE_POSITION, 11, 11 },
  { SPICE_CHANNEL_INPUTS, SPICE_MSGC_INPUTS_MOUSE_PRESS, 3, 3 },
  { SPICE_CHANNEL_INPUTS, SPICE_MSGC_INPUTS_MOUSE_RELEASE, 3, 3 },
};

static void
next (VtSpiceReader *reader, VtSpicePhase phase, unsigned need)
{
  reader->phase = phase;
  reader->need = need;
  reader->have = 0;
}

static unsigned
header_size (const VtSpiceFilter *filter)
{
  return filter->short_headers ? SHORT_HEADER : LONG_HEADER;
}

void
vt_spice_filter_init (VtSpiceFilter *filter)
{
  memset (filter, 0, sizeof *filter);
  next (&filter->up, VT_SPICE_LINK_HEADER, LINK_HEADER);
  next (&filter->down, VT_SPICE_LINK_HEADER, LINK_HEADER);
}

/* From the viewer ------------------------------------------------------------------------------ */

static bool
read_link (VtSpiceFilter *filter)
{
  const VtSpiceReader *up = &filter->up;
  uint32_t             n_common = vt_ld32 (up->part + 6), n_channel = vt_ld32 (up->part + 10);
  uint32_t             offset = vt_ld32 (up->part + 14), common = 0;

  if (n_common > MAX_CAPS || n_channel > MAX_CAPS || offset < LINK_MESSAGE
      || !vt_range_ok (offset, (n_common + n_channel) * 4, up->need))
    return false;
  filter->channel = up->part[4];
  if (n_common > 0)
    common = vt_ld32 (up->part + offset);
  filter->auth_selection = common & VT_BIT (SPICE_COMMON_CAP_PROTOCOL_AUTH_SELECTION);
  filter->short_headers = common & VT_BIT (SPICE_COMMON_CAP_MINI_HEADER);
  return true;
}

static void
add_header (const VtSpiceFilter *filter, uint16_t type, uint32_t size, GByteArray *out)
{
  /* The serial and the list of sub-messages stay 0: the library reads neither. */
  uint8_t header[LONG_HEADER] = { 0 };
  uint8_t *at = filter->short_headers ? header : header + 8;

  vt_st16 (at, type);
  vt_st32 (at + 2, size);
  g_byte_array_append (out, header, header_size (filter));
}

static void
add_init (VtSpiceFilter *filter, uint8_t cache, int64_t pixels, uint8_t dictionary, int32_t window,
          GByteArray *out)
{
  uint8_t body[INIT_SIZE];

  body[0] = cache;
  vt_st64 (body + 1, (uint64_t) CLAMP (pixels, 0, MAX_CACHE_PIXELS));
  body[9] = dictionary;
  vt_st32 (body + 10, (uint32_t) CLAMP (window, MIN_WINDOW, MAX_WINDOW));
  add_header (filter, SPICE_MSGC_DISPLAY_INIT, INIT_SIZE, out);
  g_byte_array_append (out, body, sizeof body);
  filter->init_sent = true;
}

static bool
read_header (VtSpiceFilter *filter)
{
  VtSpiceReader *up = &filter->up;
  const uint8_t *at = filter->short_headers ? up->part : up->part + 8;
  uint16_t       type = vt_ld16 (at);
  uint32_t       size = vt_ld32 (at + 2);

  for (unsigned i = 0; i < G_N_ELEMENTS (allowed); i++)
    if (allowed[i].type == type &&
        (allowed[i].channel == 0 || allowed[i].channel == filter->channel))
      {
        if (size < allowed[i].min || size > allowed[i].max)
          return false;
        up->type = type;
        next (up, VT_SPICE_BODY, size);
        return true;
      }
  if (size > MAX_SKIP)
    return false;
  up->skip = size;
  next (up, VT_SPICE_HEADER, header_size (filter));
  return true;
}

static bool
pass (VtSpiceFilter *filter, GByteArray *out)
{
  const VtSpiceReader *up = &filter->up;

  if (filter->channel == SPICE_CHANNEL_DISPLAY)
    {
      if (up->type == SPICE_MSGC_DISPLAY_INIT)
        {
          if (!filter->init_sent)
            add_init (filter, up->part[0], (int64_t) vt_ld64 (up->part + 1), up->part[9],
                      (int32_t) vt_ld32 (up->part + 10), out);
          return true;
        }
      if (up->type == SPICE_MSGC_DISPLAY_PREFERRED_COMPRESSION &&
          (up->part[0] < SPICE_IMAGE_COMPRESSION_OFF || up->part[0] > SPICE_IMAGE_COMPRESSION_LZ4))
        return false;
    }
  add_header (filter, up->type, up->need, out);
  g_byte_array_append (out, up->part, up->need);
  return true;
}

/* A part is whole. */
static bool
up_part (VtSpiceFilter *filter, GByteArray *out)
{
  VtSpiceReader *up = &filter->up;
  bool           ok = true;

  switch (up->phase)
    {
    case VT_SPICE_LINK_HEADER:
      if (memcmp (up->part, "REDQ", 4) != 0 || vt_ld32 (up->part + 4) != SPICE_VERSION_MAJOR
          || vt_ld32 (up->part + 12) < LINK_MESSAGE
          || vt_ld32 (up->part + 12) > LINK_MESSAGE + 2 * MAX_CAPS * 4)
        return false;
      g_byte_array_append (out, up->part, up->need);
      next (up, VT_SPICE_LINK_BODY, vt_ld32 (up->part + 12));
      return true;

    case VT_SPICE_LINK_BODY:
      if (!read_link (filter))
        return false;
      g_byte_array_append (out, up->part, up->need);
      if (filter->auth_selection)
        next (up, VT_SPICE_AUTH, 4);
      else
        next (up, VT_SPICE_TICKET, TICKET);
      return true;

    case VT_SPICE_AUTH:
      if (vt_ld32 (up->part) != SPICE_COMMON_CAP_AUTH_SPICE)
        return false;
      g_byte_array_append (out, up->part, up->need);
      next (up, VT_SPICE_TICKET, TICKET);
      return true;

    case VT_SPICE_TICKET:
      g_byte_array_append (out, up->part, up->need);
      next (up, VT_SPICE_HEADER, header_size (filter));
      return true;

    case VT_SPICE_HEADER:
      return read_header (filter);

    case VT_SPICE_BODY:
    default:
      ok = pass (filter, out);
      next (up, VT_SPICE_HEADER, header_size (filter));
      return ok;
    }
}

/* Moves bytes to the present part. Returns how many. */
static gsize
fill (VtSpiceReader *reader, const uint8_t *data, gsize len)
{
  gsize n;

  if (reader->skip > 0)
    {
      n = MIN (len, reader->skip);
      reader->skip -= (uint32_t) n;
      return n;
    }
  n = MIN (len, reader->need - reader->have);
  memcpy (reader->part + reader->have, data, n);
  reader->have += (unsigned) n;
  return n;
}

bool
vt_spice_filter_up (VtSpiceFilter *filter, const uint8_t *data, gsize len, GByteArray *out)
{
  VtSpiceReader *up = &filter->up;

  for (;;)
    {
      gsize n;

      /* First, for bodies of no bytes. */
      while (up->skip == 0 && up->have == up->need)
        if (!up_part (filter, out))
          return false;
      if (len == 0)
        return true;
      n = fill (up, data, len);
      data += n;
      len -= n;
    }
}

/* To the viewer -------------------------------------------------------------------------------- */

static void
down_part (VtSpiceFilter *filter)
{
  VtSpiceReader *down = &filter->down;
  const uint8_t *at;

  switch (down->phase)
    {
    case VT_SPICE_LINK_HEADER:
      down->skip = vt_ld32 (down->part + 12);
      next (down, VT_SPICE_TICKET, 4);
      break;

    case VT_SPICE_TICKET:
      filter->linked = vt_ld32 (down->part) == SPICE_LINK_ERR_OK;
      next (down, VT_SPICE_HEADER, header_size (filter));
      break;

    case VT_SPICE_HEADER:
    default:
      at = filter->short_headers ? down->part : down->part + 8;
      /* Below are those of every channel, some of which come before the wait. */
      if (filter->channel == SPICE_CHANNEL_DISPLAY && vt_ld16 (at) > SPICE_MSG_BASE_LAST)
        filter->serving = true;
      down->skip = vt_ld32 (at + 2);
      next (down, VT_SPICE_HEADER, header_size (filter));
      break;
    }
}

gsize
vt_spice_filter_down (VtSpiceFilter *filter, const uint8_t *data, gsize len)
{
  VtSpiceReader *down = &filter->down;
  gsize          used = 0;

  while (used < len)
    {
      used += fill (down, data + used, len - used);
      if (down->skip == 0 && down->have == down->need)
        down_part (filter);
      /* Between two messages. */
      if (down->skip == 0 && down->have == 0)
        break;
    }
  return used;
}

bool
vt_spice_filter_must_stay (const VtSpiceFilter *filter)
{
  /* From the ticket on, which the library may just be looking at. */
  return filter->channel == SPICE_CHANNEL_DISPLAY && filter->up.phase >= VT_SPICE_HEADER
         && !filter->serving;
}

void
vt_spice_filter_add_init (VtSpiceFilter *filter, GByteArray *out)
{
  if (!filter->init_sent)
    add_init (filter, 1, 0, 1, MAX_WINDOW, out);
}
