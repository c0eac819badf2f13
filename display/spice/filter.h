/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a viewer may say to the SPICE library: the protocol's framing, read byte by byte, without
 * any socket.
 */
#pragma once

#include "vt-base.h"

/* The longest message that is passed on; what a viewer without an agent sends is far shorter. */
#define VT_SPICE_MESSAGE_MAX 4096

typedef enum
{
  VT_SPICE_LINK_HEADER,
  VT_SPICE_LINK_BODY,
  VT_SPICE_AUTH,   /* Which way of authentication. */
  VT_SPICE_TICKET, /* Or, from the server, the result. */
  VT_SPICE_HEADER, /* A message's. */
  VT_SPICE_BODY,
} VtSpicePhase;

typedef struct
{
  VtSpicePhase phase;
  unsigned     need, have; /* Bytes of the present part. */
  uint32_t     skip;       /* Bytes of a message that is left out. */
  uint16_t     type;       /* The message's. */
  uint8_t      part[VT_SPICE_MESSAGE_MAX];
} VtSpiceReader;

typedef struct
{
  VtSpiceReader up, down;
  uint8_t       channel;        /* SPICE_CHANNEL_*, valid from VT_SPICE_AUTH on. */
  bool          short_headers;  /* As the viewer asks; the server can. */
  bool          auth_selection; /* The same. */
  bool          linked;         /* The server has let the viewer in. */
  bool          init_sent;      /* A display channel's first message was passed on. */
  bool          serving;        /* A display channel's server has begun to send pictures. */
} VtSpiceFilter;

void vt_spice_filter_init (VtSpiceFilter *filter);

/* Reads what came from the viewer, and appends to @out what the library may see of it, whole
 * messages only. False: the viewer breaks the protocol, and nothing more is to be passed on. */
bool vt_spice_filter_up (VtSpiceFilter *filter, const uint8_t *data, gsize len, GByteArray *out);

/* Looks at what goes to the viewer, as far as the end of the first message (or part of the link's opening)
 * in it. Returns: how many bytes that is, @len where it goes on after them. */
gsize vt_spice_filter_down (VtSpiceFilter *filter, const uint8_t *data, gsize len);

/* Whether the library waits for a display channel's first message. If the connection ended now, it
 * would go on to use what it has freed (0.15.1); it also blocks its worker meanwhile. */
bool vt_spice_filter_must_stay (const VtSpiceFilter *filter);

/* Appends that message in place of the viewer's, if it isn't sent yet. */
void vt_spice_filter_add_init (VtSpiceFilter *filter, GByteArray *out);
