/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the PS/2 keyboard and mouse share besides what their controller sees.
 */
#pragma once

#include "ps2.h"

#define VT_PS2_ACK 0xfa
#define VT_PS2_RESEND 0xfe
#define VT_PS2_BAT_OK 0xaa

/* Events leave room for the answers to commands. */
#define VT_PS2_QUEUE_EVENTS (VT_PS2_QUEUE - 16)

/* All of @bytes, if the queue then holds at most @limit, or nothing. */
bool vt_ps2_queue_push (VtPs2Queue *queue, const uint8_t *bytes, unsigned len, unsigned limit);
void vt_ps2_queue_clear (VtPs2Queue *queue);

extern const VtStateDesc vt_ps2_queue_desc;
