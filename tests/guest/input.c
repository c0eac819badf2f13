/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * "input": tells on the serial port what keyboard and mouse say, until Escape is let go. The i8042 is
 * polled: "K 1e" is a byte of the keyboard in scan code set 1, "M 09 +05 -03 +00" a packet of the
 * mouse, its first byte and three movements.
 */
#include "guest.h"

#define STATUS 0x64
#define DATA 0x60
#define FULL 0x01      /* A byte is there to be read. */
#define BUSY 0x02      /* The controller has not taken the last byte. */
#define FROM_MOUSE 0x20
#define ESCAPE_UP 0x81
#define PACKET 4

static bool
wait_for (uint8_t mask, uint8_t want)
{
  for (unsigned ms = 0; ms < 1000; ms++)
    {
      if ((inb (STATUS) & mask) == want)
        return true;
      delay_ms (1);
    }
  return false;
}

static bool
command (uint8_t byte)
{
  if (!wait_for (BUSY, 0))
    return false;
  outb (STATUS, byte);
  return true;
}

/* Every byte to the mouse is acknowledged by FA. */
static bool
to_mouse (uint8_t byte)
{
  if (!command (0xd4) || !wait_for (BUSY, 0))
    return false;
  outb (DATA, byte);
  return wait_for (FULL | FROM_MOUSE, FULL | FROM_MOUSE) && inb (DATA) == 0xfa;
}

/* Microsoft's knock: after these three sample rates a mouse with a wheel calls itself 3. */
static bool
enable_wheel (void)
{
  static const uint8_t rates[] = { 200, 100, 80 };

  for (unsigned i = 0; i < sizeof rates; i++)
    CHECK (to_mouse (0xf3) && to_mouse (rates[i]), i);
  CHECK (to_mouse (0xf2) && wait_for (FULL | FROM_MOUSE, FULL | FROM_MOUSE), 0);
  CHECK (inb (DATA) == 3, 3);
  return true;
}

static void
print_movement (int v)
{
  print (v < 0 ? " -" : " +");
  print_hex ((uint64_t) (v < 0 ? -v : v), 2);
}

static void
print_packet (const uint8_t *p)
{
  print ("M ");
  print_hex (p[0], 2);
  /* Nine bits each, the signs in the first byte. */
  print_movement (p[1] - ((p[0] & 0x10) != 0 ? 256 : 0));
  print_movement (p[2] - ((p[0] & 0x20) != 0 ? 256 : 0));
  print_movement ((int8_t) p[3]);
  print ("\n");
}

bool
test_input (void)
{
  uint8_t  packet[PACKET];
  unsigned n = 0;

  for (unsigned i = 0; i < 64 && (inb (STATUS) & FULL) != 0; i++)
    inb (DATA);
  /* Both ports on, translation, no interrupts. */
  CHECK (command (0x60) && wait_for (BUSY, 0), inb (STATUS));
  outb (DATA, 0x44);
  CHECK (command (0xa8), inb (STATUS));
  CHECK (enable_wheel (), 0);
  CHECK (to_mouse (0xf4), 0);
  print ("READY\n");
  for (;;)
    {
      uint8_t status = inb (STATUS), byte;

      if ((status & FULL) == 0)
        {
          delay_ms (1);
          continue;
        }
      byte = inb (DATA);
      if ((status & FROM_MOUSE) == 0)
        {
          print ("K ");
          print_hex (byte, 2);
          print ("\n");
          if (byte == ESCAPE_UP)
            return true;
        }
      else if (n > 0 || (byte & 0x08) != 0)
        {
          packet[n++] = byte;
          if (n == PACKET)
            {
              print_packet (packet);
              n = 0;
            }
        }
    }
}
