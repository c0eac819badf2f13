/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A 16550A serial port. The transmitter is as fast as the peer: a byte is gone as soon as the back
 * end takes it, and the baud rate only times the receiver's character time-out. A peer that takes
 * nothing for a second loses bytes, as on a wire without flow control, so it can't hang a guest.
 */
#include "serial-16550.h"

/* Registers, section 8.0, table II. */
enum
{
  REG_RBR_THR, /* DLL where LCR_DLAB. */
  REG_IER,     /* DLM where LCR_DLAB. */
  REG_IIR_FCR,
  REG_LCR,
  REG_MCR,
  REG_LSR,
  REG_MSR,
  REG_SCR,
};

/* 8.7 Interrupt enable register. */
#define IER_RDA 0x01
#define IER_THRE 0x02
#define IER_RLS 0x04
#define IER_MS 0x08

/* 8.6 Interrupt identification register, highest priority first. */
#define IIR_RLS 0x06
#define IIR_TIMEOUT 0x0c
#define IIR_RDA 0x04
#define IIR_THRE 0x02
#define IIR_MS 0x00
#define IIR_NONE 0x01
#define IIR_FIFOS 0xc0

/* 8.5 FIFO control register. */
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define FCR_CLEAR_TX 0x04
#define FCR_KEPT 0xc9 /* Enable, DMA mode and trigger level. */

/* 8.1 Line control register. */
#define LCR_STOP 0x04
#define LCR_PARITY 0x08
#define LCR_DLAB 0x80

/* 8.8 Modem control register. */
#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

/* 8.4 Line status register. */
#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_PE 0x04
#define LSR_FE 0x08
#define LSR_BI 0x10
#define LSR_THRE 0x20
#define LSR_TEMT 0x40
#define LSR_FIFO_ERROR 0x80
#define LSR_CHAR_ERRORS (LSR_PE | LSR_FE | LSR_BI)

/* 8.9 Modem status register: changes in the low half, levels in the high one. */
#define MSR_TERI 0x04
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80
#define MSR_CHANGES 0x0f

#define FIFO_SIZE 16
#define CRYSTAL_OVER_16 115200 /* 1.8432 MHz, 8.3. */
#define DIVISOR_RESET 12       /* 9600 baud; the data sheet leaves it undefined. */
#define TX_PATIENCE VT_NS_PER_SEC

static VtSerial16550 *
uart_of (VtDevice *dev)
{
  return (VtSerial16550 *) dev;
}

static bool
fifos_on (const VtSerial16550State *s)
{
  return (s->fcr & FCR_ENABLE) != 0;
}

static unsigned
depth (const VtSerial16550State *s)
{
  return fifos_on (s) ? FIFO_SIZE : 1;
}

static unsigned
trigger (const VtSerial16550State *s)
{
  static const uint8_t levels[4] = { 1, 4, 8, 14 };

  return fifos_on (s) ? levels[s->fcr >> 6] : 1;
}

static uint8_t
lsr (const VtSerial16550State *s)
{
  uint8_t v = s->overrun;

  if (s->rx_count > 0)
    {
      v |= LSR_DR;
      if (!s->top_read)
        v |= s->rx_flags[s->rx_head];
    }
  if (s->tx_count == 0)
    v |= LSR_THRE | LSR_TEMT;
  /* Bit 7: some character in the FIFO has an error, in FIFO mode only. */
  if (fifos_on (s))
    for (unsigned i = s->top_read ? 1 : 0; i < s->rx_count; i++)
      if (s->rx_flags[(s->rx_head + i) % FIFO_SIZE] != 0)
        v |= LSR_FIFO_ERROR;
  return v;
}

/* 8.6, table IV. */
static uint8_t
iir (const VtSerial16550State *s)
{
  if ((s->ier & IER_RLS) != 0 && (lsr (s) & (LSR_OE | LSR_CHAR_ERRORS)) != 0)
    return IIR_RLS;
  if ((s->ier & IER_RDA) != 0 && s->timeout_pending)
    return IIR_TIMEOUT;
  if ((s->ier & IER_RDA) != 0 && s->rx_count >= trigger (s))
    return IIR_RDA;
  if ((s->ier & IER_THRE) != 0 && s->thr_pending)
    return IIR_THRE;
  if ((s->ier & IER_MS) != 0 && (s->msr & MSR_CHANGES) != 0)
    return IIR_MS;
  return IIR_NONE;
}

/* PCs gate the line with OUT2. Here it isn't: nothing shares the wire that this would disturb, and
 * a driver that forgets OUT2 works. */
static void
update_irq (VtSerial16550 *uart)
{
  vt_line_set (uart->irq, iir (&uart->s) != IIR_NONE);
}

/* Receiver ------------------------------------------------------------------------------------- */

/* Four characters' time in ns (8.11), start and stop bits included; 1.5 stop bits count as 2. */
static int64_t
timeout_ns (const VtSerial16550State *s)
{
  unsigned bits = 1 + 5 + (s->lcr & 3) + ((s->lcr & LCR_PARITY) != 0) +
                  ((s->lcr & LCR_STOP) != 0 ? 2 : 1);
  unsigned divisor = s->divisor == 0 ? 0x10000 : s->divisor;

  return 4 * VT_NS_PER_SEC * bits * divisor / CRYSTAL_OVER_16;
}

/* Every arrival and every read of RBR starts the time-out anew, while something waits. */
static void
restart_rx_timeout (VtSerial16550 *uart)
{
  VtSerial16550State *s = &uart->s;

  s->timeout_pending = false;
  if (fifos_on (s) && s->rx_count > 0)
    {
      s->rx_timeout = vt_clock_now (uart->dev.clock) + timeout_ns (s);
      vt_timer_arm (uart->rx_timer, s->rx_timeout);
    }
  else
    {
      s->rx_timeout = 0;
      vt_timer_stop (uart->rx_timer);
    }
}

static void
rx_timer_cb (void *data)
{
  VtSerial16550 *uart = data;

  uart->s.rx_timeout = 0;
  uart->s.timeout_pending = uart->s.rx_count > 0;
  update_irq (uart);
}

static void
rx_push (VtSerial16550 *uart, uint8_t byte, uint8_t flags)
{
  VtSerial16550State *s = &uart->s;
  unsigned            at;

  if (s->rx_count >= depth (s))
    {
      /* 8.4: a full FIFO keeps what it has; without FIFOs the new character replaces the old. */
      s->overrun = LSR_OE;
      if (!fifos_on (s))
        {
          s->rx[s->rx_head] = byte;
          s->rx_flags[s->rx_head] = flags;
          s->top_read = false;
        }
      return;
    }
  at = (s->rx_head + s->rx_count) % FIFO_SIZE;
  s->rx[at] = byte;
  s->rx_flags[at] = flags;
  if (s->rx_count++ == 0)
    s->top_read = false;
  restart_rx_timeout (uart);
}

static uint8_t
rx_pop (VtSerial16550 *uart)
{
  VtSerial16550State *s = &uart->s;
  uint8_t             byte = s->rx[s->rx_head];

  /* An empty receiver repeats its last character, which is still in the buffer. */
  if (s->rx_count == 0)
    return s->rx[(s->rx_head + FIFO_SIZE - 1) % FIFO_SIZE];
  s->rx_head = (uint8_t) ((s->rx_head + 1) % FIFO_SIZE);
  s->rx_count--;
  s->top_read = false;
  restart_rx_timeout (uart);
  if (s->rx_count == 0)
    vt_char_poll (uart->chr);
  return byte;
}

static void
rx_clear (VtSerial16550 *uart)
{
  VtSerial16550State *s = &uart->s;

  memset (s->rx, 0, sizeof s->rx);
  memset (s->rx_flags, 0, sizeof s->rx_flags);
  s->rx_head = s->rx_count = s->top_read = 0;
  restart_rx_timeout (uart);
}

static size_t
room_cb (void *data)
{
  VtSerial16550            *uart = data;
  const VtSerial16550State *s = &uart->s;

  /* In loop-back the receiver hears nothing from outside: the back end keeps it for later. */
  if (vt_device_is_paused (&uart->dev) || (s->mcr & MCR_LOOP) != 0)
    return 0;
  return s->rx_count < depth (s) ? depth (s) - s->rx_count : 0;
}

static void
receive_cb (void *data, const uint8_t *bytes, size_t len)
{
  VtSerial16550 *uart = data;

  for (size_t i = 0; i < len; i++)
    rx_push (uart, bytes[i], 0);
  update_irq (uart);
}

void
vt_serial_16550_break (VtSerial16550 *uart)
{
  if ((uart->s.mcr & MCR_LOOP) != 0)
    return;
  rx_push (uart, 0, LSR_BI);
  update_irq (uart);
}

/* Transmitter ---------------------------------------------------------------------------------- */

static void
tx_emptied (VtSerial16550 *uart)
{
  uart->s.tx_head = uart->s.tx_count = 0;
  uart->s.tx_timeout = 0;
  uart->s.thr_pending = true;
  vt_timer_stop (uart->tx_timer);
}

/* Hands the back end what waits. */
static void
tx_drain (VtSerial16550 *uart)
{
  VtSerial16550State *s = &uart->s;

  while (s->tx_count > 0)
    {
      size_t run = MIN (s->tx_count, FIFO_SIZE - s->tx_head);
      size_t took = vt_char_write (uart->chr, s->tx + s->tx_head, run);

      took = MIN (took, run);
      s->tx_head = (uint8_t) ((s->tx_head + took) % FIFO_SIZE);
      s->tx_count = (uint8_t) (s->tx_count - took);
      if (took > 0)
        uart->peer_stuck = false;
      if (took < run)
        break;
    }
  if (s->tx_count == 0 || uart->peer_stuck)
    tx_emptied (uart);
  else if (s->tx_timeout == 0)
    {
      s->tx_timeout = vt_clock_now (uart->dev.clock) + TX_PATIENCE;
      vt_timer_arm (uart->tx_timer, s->tx_timeout);
    }
}

static void
tx_timer_cb (void *data)
{
  VtSerial16550 *uart = data;

  vt_trace (uart->dev.path, "nobody reads: %u bytes are lost", uart->s.tx_count);
  uart->peer_stuck = true;
  tx_emptied (uart);
  update_irq (uart);
}

static void
writable_cb (void *data)
{
  VtSerial16550 *uart = data;

  uart->peer_stuck = false;
  if (vt_device_is_paused (&uart->dev) || uart->s.tx_count == 0)
    return;
  uart->s.tx_timeout = 0;
  tx_drain (uart);
  update_irq (uart);
}

static void
transmit (VtSerial16550 *uart, uint8_t byte)
{
  VtSerial16550State *s = &uart->s;

  s->thr_pending = false;
  if ((s->mcr & MCR_LOOP) != 0)
    {
      /* 8.8: what is sent is received at once, in as many bits as the word has. */
      rx_push (uart, byte & (0xff >> (3 - (s->lcr & 3))), 0);
      if (s->tx_count == 0)
        s->thr_pending = true;
      return;
    }
  if (s->tx_count < depth (s))
    s->tx[(s->tx_head + s->tx_count++) % FIFO_SIZE] = byte;
  else
    vt_trace (uart->dev.path, "the guest writes to a full transmitter");
  tx_drain (uart);
}

/* Modem lines ---------------------------------------------------------------------------------- */

/* The four inputs: the terminal at the other end is always ready; in loop-back they follow MCR. */
static void
update_modem (VtSerial16550State *s)
{
  uint8_t now = MSR_CTS | MSR_DSR | MSR_DCD;
  uint8_t was = s->msr & ~MSR_CHANGES;
  uint8_t changed;

  if ((s->mcr & MCR_LOOP) != 0)
    now = (uint8_t) (((s->mcr & MCR_RTS) != 0 ? MSR_CTS : 0) |
                     ((s->mcr & MCR_DTR) != 0 ? MSR_DSR : 0) |
                     ((s->mcr & MCR_OUT1) != 0 ? MSR_RI : 0) |
                     ((s->mcr & MCR_OUT2) != 0 ? MSR_DCD : 0));
  changed = (uint8_t) ((was ^ now) >> 4);
  /* Of the ring indicator only the end counts. */
  if ((now & MSR_RI) != 0)
    changed &= (uint8_t) ~MSR_TERI;
  s->msr = (uint8_t) (now | (s->msr & MSR_CHANGES) | changed);
}

/* Registers ------------------------------------------------------------------------------------ */

static uint64_t
uart_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtSerial16550      *uart = uart_of (dev);
  VtSerial16550State *s = &uart->s;
  uint8_t             v = 0;

  switch (offset)
    {
    case REG_RBR_THR:
      v = (s->lcr & LCR_DLAB) != 0 ? (uint8_t) s->divisor : rx_pop (uart);
      break;
    case REG_IER:
      v = (s->lcr & LCR_DLAB) != 0 ? (uint8_t) (s->divisor >> 8) : s->ier;
      break;
    case REG_IIR_FCR:
      v = iir (s);
      /* 8.6: reading it acknowledges the transmitter's interrupt, if that is what it told. */
      if (v == IIR_THRE)
        s->thr_pending = false;
      if (fifos_on (s))
        v |= IIR_FIFOS;
      break;
    case REG_LCR:
      v = s->lcr;
      break;
    case REG_MCR:
      v = s->mcr;
      break;
    case REG_LSR:
      v = lsr (s);
      s->overrun = 0;
      s->top_read = s->rx_count > 0;
      break;
    case REG_MSR:
      v = s->msr;
      s->msr &= (uint8_t) ~MSR_CHANGES;
      break;
    case REG_SCR:
    default:
      v = s->scr;
      break;
    }
  update_irq (uart);
  return v;
}

static void
write_fcr (VtSerial16550 *uart, uint8_t v)
{
  VtSerial16550State *s = &uart->s;

  /* 8.5: switching the FIFOs on or off empties them, and without bit 0 no other bit is taken. */
  if (((v ^ s->fcr) & FCR_ENABLE) != 0)
    v |= FCR_CLEAR_RX | FCR_CLEAR_TX;
  s->fcr = (v & FCR_ENABLE) != 0 ? v & FCR_KEPT : 0;
  if ((v & FCR_CLEAR_RX) != 0)
    rx_clear (uart);
  if ((v & FCR_CLEAR_TX) != 0 && s->tx_count > 0)
    tx_emptied (uart);
  if ((v & FCR_CLEAR_RX) != 0)
    vt_char_poll (uart->chr);
}

static void
uart_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtSerial16550      *uart = uart_of (dev);
  VtSerial16550State *s = &uart->s;
  uint8_t             v = (uint8_t) value, was;

  switch (offset)
    {
    case REG_RBR_THR:
      if ((s->lcr & LCR_DLAB) != 0)
        s->divisor = (s->divisor & 0xff00) | v;
      else
        transmit (uart, v);
      break;
    case REG_IER:
      if ((s->lcr & LCR_DLAB) != 0)
        {
          s->divisor = (uint16_t) ((s->divisor & 0x00ff) | v << 8);
          break;
        }
      was = s->ier;
      s->ier = v & 0x0f;
      /* Enabling it while the transmitter is empty tells so at once; drivers start with that. */
      if ((s->ier & ~was & IER_THRE) != 0 && s->tx_count == 0)
        s->thr_pending = true;
      break;
    case REG_IIR_FCR:
      write_fcr (uart, v);
      break;
    case REG_LCR:
      s->lcr = v;
      break;
    case REG_MCR:
      was = s->mcr;
      s->mcr = v & MCR_MASK;
      update_modem (s);
      if ((was & ~s->mcr & MCR_LOOP) != 0)
        vt_char_poll (uart->chr);
      break;
    case REG_LSR: /* Factory test only. */
    case REG_MSR:
      break;
    case REG_SCR:
    default:
      s->scr = v;
      break;
    }
  update_irq (uart);
}

static const VtRegionOps uart_ops = {
  .name = "16550",
  .min_size = 1,
  .max_size = 1,
  .read = uart_read,
  .write = uart_write,
};

/* Life ----------------------------------------------------------------------------------------- */

static const VtCharUser char_user = {
  .room = room_cb,
  .receive = receive_cb,
  .writable = writable_cb,
};

static void
uart_reset (VtDevice *dev, VtResetKind kind)
{
  VtSerial16550 *uart = uart_of (dev);

  memset (&uart->s, 0, sizeof uart->s);
  uart->s.divisor = DIVISOR_RESET;
  uart->s.msr = MSR_CTS | MSR_DSR | MSR_DCD;
  uart->peer_stuck = false;
  vt_timer_stop (uart->rx_timer);
  vt_timer_stop (uart->tx_timer);
  update_irq (uart);
}

static void
uart_resume (VtDevice *dev)
{
  VtSerial16550 *uart = uart_of (dev);

  if (uart->s.rx_timeout != 0)
    vt_timer_arm (uart->rx_timer, uart->s.rx_timeout);
  if (uart->s.tx_timeout != 0)
    vt_timer_arm (uart->tx_timer, uart->s.tx_timeout);
  if (uart->s.tx_count > 0)
    {
      tx_drain (uart);
      update_irq (uart);
    }
  vt_char_poll (uart->chr);
}

static void
uart_loaded (VtDevice *dev)
{
  VtSerial16550 *uart = uart_of (dev);

  uart->peer_stuck = false;
  vt_timer_stop (uart->rx_timer);
  vt_timer_stop (uart->tx_timer);
  vt_line_import (uart->irq, iir (&uart->s) != IIR_NONE);
}

static bool
uart_realize (VtDevice *dev, GError **error)
{
  VtSerial16550 *uart = uart_of (dev);

  uart->rx_timer = vt_timer_new (dev->context, dev->clock, rx_timer_cb, uart);
  uart->tx_timer = vt_timer_new (dev->context, dev->clock, tx_timer_cb, uart);
  uart->region = vt_device_add_region (dev, VT_SPACE_IO, &uart_ops, 8);
  if (uart->base != 0)
    vt_region_map (uart->region, uart->base, 0);
  if (uart->chr != NULL)
    vt_char_attach (uart->chr, dev->context, &char_user, uart);
  return true;
}

static void
uart_unrealize (VtDevice *dev)
{
  VtSerial16550 *uart = uart_of (dev);

  if (uart->chr != NULL)
    vt_char_attach (uart->chr, dev->context, NULL, NULL);
  vt_timer_free (uart->rx_timer);
  vt_timer_free (uart->tx_timer);
}

static bool
uart_check (const void *state, GError **error)
{
  const VtSerial16550State *s = state;
  unsigned                  most = depth (s);

  if (s->rx_count > most || s->tx_count > most || s->rx_timeout < 0 || s->tx_timeout < 0)
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The saved serial port holds more bytes than its FIFOs");
  for (unsigned i = 0; i < FIFO_SIZE; i++)
    if ((s->rx_flags[i] & ~LSR_CHAR_ERRORS) != 0)
      return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                           "The saved serial port has an impossible character status");
  if ((s->overrun & ~LSR_OE) != 0 || (s->fcr & ~FCR_KEPT) != 0)
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The saved serial port has an impossible status");
  return true;
}

static const VtStateField uart_fields[] = {
  VT_STATE (VtSerial16550State, rx_timeout),
  VT_STATE (VtSerial16550State, tx_timeout),
  VT_STATE (VtSerial16550State, divisor),
  VT_STATE (VtSerial16550State, rx),
  VT_STATE (VtSerial16550State, rx_flags),
  VT_STATE (VtSerial16550State, tx),
  VT_STATE_MAX (VtSerial16550State, rx_head, FIFO_SIZE - 1),
  VT_STATE_MAX (VtSerial16550State, rx_count, FIFO_SIZE),
  VT_STATE_MAX (VtSerial16550State, tx_head, FIFO_SIZE - 1),
  VT_STATE_MAX (VtSerial16550State, tx_count, FIFO_SIZE),
  VT_STATE_MAX (VtSerial16550State, ier, 0x0f),
  VT_STATE (VtSerial16550State, fcr),
  VT_STATE (VtSerial16550State, lcr),
  VT_STATE_MAX (VtSerial16550State, mcr, MCR_MASK),
  VT_STATE (VtSerial16550State, msr),
  VT_STATE (VtSerial16550State, scr),
  VT_STATE (VtSerial16550State, overrun),
  VT_STATE_MAX (VtSerial16550State, top_read, 1),
  VT_STATE (VtSerial16550State, thr_pending),
  VT_STATE (VtSerial16550State, timeout_pending),
};
static const VtStateDesc uart_state = VT_STATE_DESC (VtSerial16550State, 1, uart_fields,
                                                     uart_check);

const VtDeviceClass vt_serial_16550_class = {
  .id = "serial-16550",
  .spec = "National Semiconductor PC16550D UART with FIFOs, June 1995, section 8.0",
  .size = sizeof (VtSerial16550),
  .state_offset = offsetof (VtSerial16550, s),
  .state = &uart_state,
  .realize = uart_realize,
  .unrealize = uart_unrealize,
  .reset = uart_reset,
  .resume = uart_resume,
  .loaded = uart_loaded,
};
