/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The serial port's core: registers in, registers out.
 */
#include "bench.h"
#include "platform/serial-16550.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

typedef struct
{
  Bench     bench;
  BenchWire irq;
  VtChar   *chr;
} Port;

static void
port_init (Port *p)
{
  VtSerial16550 *uart;

  bench_init (&p->bench, &vt_serial_16550_class);
  uart = (VtSerial16550 *) p->bench.dev;
  uart->irq = bench_wire_init (&p->irq);
  uart->chr = p->chr = vt_char_new_memory ();
  bench_start (&p->bench);
}

static void
port_finish (Port *p)
{
  bench_finish (&p->bench);
  vt_line_free (p->irq.line);
  vt_char_close (p->chr);
}

static uint8_t
in (Port *p, unsigned reg)
{
  return bench_in (&p->bench, reg);
}

static void
out (Port *p, unsigned reg, uint8_t v)
{
  bench_out (&p->bench, reg, v);
}

static void
assert_output (Port *p, const char *text)
{
  GByteArray *output = vt_char_memory_output (p->chr);

  g_assert_cmpmem (output->data, output->len, text, (int) strlen (text));
}

static void
test_reset_values (void)
{
  Port p;

  port_init (&p);
  g_assert_cmphex (in (&p, IER), ==, 0);
  g_assert_cmphex (in (&p, IIR), ==, 0x01);
  g_assert_cmphex (in (&p, LCR), ==, 0);
  g_assert_cmphex (in (&p, MCR), ==, 0);
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  g_assert_cmphex (in (&p, MSR), ==, 0xb0);
  out (&p, SCR, 0x5a);
  g_assert_cmphex (in (&p, SCR), ==, 0x5a);
  /* The divisor latch hides the data and enable registers. */
  out (&p, LCR, 0x83);
  out (&p, DATA, 0x34);
  out (&p, IER, 0x12);
  g_assert_cmphex (in (&p, DATA), ==, 0x34);
  g_assert_cmphex (in (&p, IER), ==, 0x12);
  out (&p, LCR, 0x03);
  g_assert_cmphex (in (&p, IER), ==, 0);
  out (&p, IER, 0xff);
  g_assert_cmphex (in (&p, IER), ==, 0x0f);
  out (&p, MCR, 0xff);
  g_assert_cmphex (in (&p, MCR), ==, 0x1f);
  port_finish (&p);
}

static void
test_transmit (void)
{
  Port p;

  port_init (&p);
  for (const char *s = "hello"; *s != '\0'; s++)
    out (&p, DATA, (uint8_t) *s);
  assert_output (&p, "hello");
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  g_assert_cmphex (in (&p, IIR), ==, 0x01);
  /* Enabling the interrupt while the transmitter is empty raises it; reading IIR takes it away. */
  out (&p, IER, 0x02);
  g_assert_true (p.irq.level);
  g_assert_cmphex (in (&p, IIR), ==, 0x02);
  g_assert_false (p.irq.level);
  g_assert_cmphex (in (&p, IIR), ==, 0x01);
  out (&p, DATA, '!');
  g_assert_true (p.irq.level);
  /* The write of the next byte acknowledges too: an edge, since that one is gone at once as well. */
  g_assert_cmphex (in (&p, IIR), ==, 0x02);
  out (&p, IER, 0x00);
  out (&p, IER, 0x02);
  g_assert_cmphex (in (&p, IIR), ==, 0x02);
  port_finish (&p);
}

static void
test_receive_single (void)
{
  Port p;

  port_init (&p);
  out (&p, IER, 0x01);
  vt_char_memory_feed (p.chr, "ab", 2);
  g_assert_true (p.irq.level);
  g_assert_cmphex (in (&p, IIR), ==, 0x04);
  g_assert_cmphex (in (&p, LSR), ==, 0x61);
  g_assert_cmphex (in (&p, DATA), ==, 'a');
  /* The back end held the second one until there was room. */
  g_assert_cmphex (in (&p, DATA), ==, 'b');
  g_assert_false (p.irq.level);
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  g_assert_cmphex (in (&p, DATA), ==, 'b');
  port_finish (&p);
}

static void
test_fifo_trigger (void)
{
  Port p;

  port_init (&p);
  out (&p, IIR, 0x81); /* Trigger at 8. */
  g_assert_cmphex (in (&p, IIR), ==, 0xc1);
  out (&p, IER, 0x01);
  vt_char_memory_feed (p.chr, "1234567", 7);
  g_assert_false (p.irq.level);
  vt_char_memory_feed (p.chr, "8", 1);
  g_assert_true (p.irq.level);
  g_assert_cmphex (in (&p, IIR), ==, 0xc4);
  g_assert_cmphex (in (&p, DATA), ==, '1');
  g_assert_false (p.irq.level);
  /* More than fits waits outside and comes as soon as the FIFO is empty. */
  vt_char_memory_feed (p.chr, "9abcdefghijk", 12);
  for (const char *s = "23456789abcdefghijk"; *s != '\0'; s++)
    {
      g_assert_cmphex (in (&p, LSR) & 1, ==, 1);
      g_assert_cmphex (in (&p, DATA), ==, *s);
    }
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  port_finish (&p);
}

static void
test_timeout (void)
{
  Port p;
  /* 8 bits, no parity, one stop: 40 bit times at 115,200 baud. */
  const int64_t four = 40 * VT_NS_PER_SEC / 115200;

  port_init (&p);
  out (&p, LCR, 0x83);
  out (&p, DATA, 1);
  out (&p, IER, 0);
  out (&p, LCR, 0x03);
  out (&p, IIR, 0xc1);
  out (&p, IER, 0x01);
  vt_char_memory_feed (p.chr, "xy", 2);
  vt_clock_advance (p.bench.clock, four - 1);
  g_assert_false (p.irq.level);
  vt_clock_advance (p.bench.clock, 1);
  g_assert_true (p.irq.level);
  g_assert_cmphex (in (&p, IIR), ==, 0xcc);
  /* Reading a character ends it, and starts it anew for the other. */
  g_assert_cmphex (in (&p, DATA), ==, 'x');
  g_assert_false (p.irq.level);
  vt_clock_advance (p.bench.clock, four);
  g_assert_cmphex (in (&p, IIR), ==, 0xcc);
  g_assert_cmphex (in (&p, DATA), ==, 'y');
  vt_clock_advance (p.bench.clock, VT_NS_PER_SEC);
  g_assert_cmphex (in (&p, IIR), ==, 0xc1);
  g_assert_cmpint (vt_clock_next_deadline (p.bench.clock), ==, INT64_MAX);
  /* Divisor 0 counts 65,536, and divides nothing by zero. */
  out (&p, LCR, 0x83);
  out (&p, DATA, 0);
  out (&p, LCR, 0x03);
  vt_char_memory_feed (p.chr, "z", 1);
  vt_clock_advance (p.bench.clock, 4 * 10 * VT_NS_PER_SEC / 115200 * 65535);
  g_assert_false (p.irq.level);
  vt_clock_advance (p.bench.clock, VT_NS_PER_SEC);
  g_assert_true (p.irq.level);
  port_finish (&p);
}

static void
test_loopback (void)
{
  Port p;

  port_init (&p);
  in (&p, MSR);
  out (&p, MCR, 0x10 | 0x0a); /* What Linux probes with: RTS and OUT2. */
  g_assert_cmphex (in (&p, MSR) & 0xf0, ==, 0x90);
  out (&p, LCR, 0x03);
  out (&p, DATA, 0xa5);
  assert_output (&p, "");
  g_assert_cmphex (in (&p, LSR), ==, 0x61);
  /* A second one overruns the receiver, which tells once. */
  out (&p, DATA, 0x5a);
  g_assert_cmphex (in (&p, LSR), ==, 0x63);
  g_assert_cmphex (in (&p, LSR), ==, 0x61);
  g_assert_cmphex (in (&p, DATA), ==, 0x5a);
  /* Five-bit words lose their upper bits. */
  out (&p, LCR, 0x00);
  out (&p, DATA, 0xff);
  g_assert_cmphex (in (&p, DATA), ==, 0x1f);
  /* With FIFOs the old ones stay. */
  out (&p, LCR, 0x03);
  out (&p, IIR, 0x01);
  for (unsigned i = 0; i < 17; i++)
    out (&p, DATA, (uint8_t) i);
  g_assert_cmphex (in (&p, LSR), ==, 0x63);
  for (unsigned i = 0; i < 16; i++)
    g_assert_cmphex (in (&p, DATA), ==, i);
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  /* What comes from outside meanwhile is kept for after. */
  vt_char_memory_feed (p.chr, "q", 1);
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  out (&p, MCR, 0x03);
  g_assert_cmphex (in (&p, DATA), ==, 'q');
  port_finish (&p);
}

static void
test_modem_changes (void)
{
  Port p;

  port_init (&p);
  out (&p, IER, 0x08);
  out (&p, MCR, 0x10);
  /* CTS, DSR and DCD fell. */
  g_assert_true (p.irq.level);
  g_assert_cmphex (in (&p, IIR), ==, 0x00);
  g_assert_cmphex (in (&p, MSR), ==, 0x0b);
  g_assert_false (p.irq.level);
  /* The ring indicator tells its end only. */
  out (&p, MCR, 0x14);
  g_assert_cmphex (in (&p, MSR), ==, 0x40);
  out (&p, MCR, 0x10);
  g_assert_cmphex (in (&p, MSR), ==, 0x04);
  port_finish (&p);
}

static void
test_break (void)
{
  Port p;

  port_init (&p);
  out (&p, IIR, 0x01);
  out (&p, IER, 0x05);
  vt_char_memory_feed (p.chr, "a", 1);
  vt_serial_16550_break ((VtSerial16550 *) p.bench.dev);
  /* The break is behind the "a": only the summary bit tells of it yet. */
  g_assert_cmphex (in (&p, LSR), ==, 0xe1);
  g_assert_cmphex (in (&p, DATA), ==, 'a');
  g_assert_cmphex (in (&p, IIR), ==, 0xc6);
  g_assert_cmphex (in (&p, LSR), ==, 0xf1);
  g_assert_cmphex (in (&p, LSR), ==, 0x61);
  g_assert_cmphex (in (&p, DATA), ==, 0);
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  port_finish (&p);
}

/* A back end that takes nothing until told. */
typedef struct
{
  VtChar chr;
  bool   open;
  GString *got;
} Gate;

static size_t
gate_write (VtChar *chr, const uint8_t *bytes, size_t len)
{
  Gate *gate = (Gate *) chr;

  if (!gate->open)
    return 0;
  g_string_append_len (gate->got, (const char *) bytes, (gssize) len);
  return len;
}

static void
gate_close (VtChar *chr)
{
}

static const VtCharOps gate_ops = { .write = gate_write, .close = gate_close };

static void
test_slow_peer (void)
{
  Port           p;
  Gate           gate = { .chr.ops = &gate_ops, .got = g_string_new (NULL) };
  VtSerial16550 *uart;

  bench_init (&p.bench, &vt_serial_16550_class);
  uart = (VtSerial16550 *) p.bench.dev;
  uart->irq = bench_wire_init (&p.irq);
  uart->chr = &gate.chr;
  bench_start (&p.bench);
  out (&p, IIR, 0x01);
  out (&p, IER, 0x02);
  in (&p, IIR);
  for (unsigned i = 0; i < 20; i++)
    out (&p, DATA, (uint8_t) ('a' + i));
  /* Four did not fit; nothing is empty, nothing is told. */
  g_assert_cmphex (in (&p, LSR), ==, 0x00);
  g_assert_false (p.irq.level);
  gate.open = true;
  gate.chr.user->writable (gate.chr.user_data);
  g_assert_cmpstr (gate.got->str, ==, "abcdefghijklmnop");
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  g_assert_true (p.irq.level);

  /* A peer that never reads costs the bytes, not the guest's time. */
  gate.open = false;
  out (&p, DATA, '1');
  g_assert_cmphex (in (&p, LSR), ==, 0x00);
  vt_clock_advance (p.bench.clock, VT_NS_PER_SEC);
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  out (&p, DATA, '2');
  g_assert_cmphex (in (&p, LSR), ==, 0x60);
  gate.open = true;
  gate.chr.user->writable (gate.chr.user_data);
  out (&p, DATA, '3');
  g_assert_cmpstr (gate.got->str, ==, "abcdefghijklmnop3");

  /* Paused, it neither sends nor takes. */
  gate.open = false;
  out (&p, DATA, '4');
  vt_device_pause (p.bench.dev, NULL, NULL);
  gate.open = true;
  gate.chr.user->writable (gate.chr.user_data);
  g_assert_cmpuint (gate.chr.user->room (gate.chr.user_data), ==, 0);
  g_assert_cmpstr (gate.got->str, ==, "abcdefghijklmnop3");
  vt_device_resume (p.bench.dev);
  g_assert_cmpstr (gate.got->str, ==, "abcdefghijklmnop34");
  bench_finish (&p.bench);
  vt_line_free (p.irq.line);
  g_string_free (gate.got, TRUE);
}

static void
test_state (void)
{
  Port a, b;

  port_init (&a);
  port_init (&b);
  out (&a, IIR, 0xc1);
  out (&a, IER, 0x01);
  vt_char_memory_feed (a.chr, "xyz", 3);
  bench_move (&a.bench, &b.bench);
  g_assert_false (b.irq.level);
  vt_device_resume (b.bench.dev);
  /* The time-out goes on where it was. */
  vt_clock_advance (b.bench.clock, 10 * VT_NS_PER_MS);
  g_assert_true (b.irq.level);
  g_assert_cmphex (in (&b, DATA), ==, 'x');
  port_finish (&a);
  port_finish (&b);
}

static void
test_bad_state (void)
{
  Port               p;
  VtSerial16550State s;
  const VtStateDesc *desc = vt_serial_16550_class.state;

  port_init (&p);
  s = ((VtSerial16550 *) p.bench.dev)->s;
  g_assert_true (desc->check (&s, NULL));
  s.rx_count = 2; /* Without FIFOs. */
  g_assert_false (desc->check (&s, NULL));
  s.rx_count = 0;
  s.rx_flags[3] = 0xff;
  g_assert_false (desc->check (&s, NULL));
  port_finish (&p);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/serial-16550/reset-values", test_reset_values);
  g_test_add_func ("/serial-16550/transmit", test_transmit);
  g_test_add_func ("/serial-16550/receive-single", test_receive_single);
  g_test_add_func ("/serial-16550/fifo-trigger", test_fifo_trigger);
  g_test_add_func ("/serial-16550/timeout", test_timeout);
  g_test_add_func ("/serial-16550/loopback", test_loopback);
  g_test_add_func ("/serial-16550/modem-changes", test_modem_changes);
  g_test_add_func ("/serial-16550/break", test_break);
  g_test_add_func ("/serial-16550/slow-peer", test_slow_peer);
  g_test_add_func ("/serial-16550/state", test_state);
  g_test_add_func ("/serial-16550/bad-state", test_bad_state);
  return g_test_run ();
}
