/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The 16550A serial port's struct, for the board that wires it.
 */
#pragma once

#include "vt-char.h"
#include "vt-device.h"

/* What the guest can see, or can come to see. */
typedef struct
{
  int64_t  rx_timeout; /* Guest ns at which the character time-out comes; 0: none runs. */
  int64_t  tx_timeout; /* Guest ns at which bytes that nobody takes are lost; 0: none wait. */
  uint16_t divisor;
  uint8_t  rx[16], rx_flags[16]; /* The receiver FIFO and each character's LSR error bits. */
  uint8_t  tx[16];
  uint8_t  rx_head, rx_count, tx_head, tx_count;
  uint8_t  ier, fcr, lcr, mcr, msr, scr;
  uint8_t  overrun;  /* LSR_OE or 0. */
  uint8_t  top_read; /* The top character's error bits have been read. */
  bool     thr_pending, timeout_pending;
} VtSerial16550State;

typedef struct
{
  VtDevice dev;

  /* Wiring. */
  uint16_t base; /* I/O port of register 0: 0x3f8, 0x2f8, 0x3e8, 0x2e8; 0: not mapped. */
  VtLine  *irq;  /* High while an enabled interrupt is pending. */
  VtChar  *chr;  /* The other end; not owned. */

  /* The rest is the device's. */
  VtRegion          *region;
  VtTimer           *rx_timer, *tx_timer;
  bool               peer_stuck; /* Bytes were lost, and the peer has not read since. */
  VtSerial16550State s;
} VtSerial16550;

extern const VtDeviceClass vt_serial_16550_class;

/* A break condition arrives on the line (a SysRq over serial). Context's lock held. */
void vt_serial_16550_break (VtSerial16550 *uart);
