/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The SMBus controller: every kind of transaction against a device that records, an empty bus, an
 * EEPROM, and random registers.
 */
#include "pci/ich9-smbus.h"

typedef struct
{
  VtContext   *context;
  VtClock     *clock;
  VtIch9Smbus *smbus;
  uint8_t      eeprom[256];
  uint8_t      got[64];
  unsigned     n_got;
  int          command;
} Fixture;

static bool
write_cb (void *data, const uint8_t *bytes, unsigned len)
{
  Fixture *f = data;

  g_assert_cmpuint (len, <=, sizeof f->got);
  memcpy (f->got, bytes, len);
  f->n_got = len;
  return true;
}

static int
read_cb (void *data, int command, uint8_t *bytes, unsigned len, bool block)
{
  Fixture *f = data;

  f->command = command;
  if (block)
    len = 5;
  for (unsigned i = 0; i < len; i++)
    bytes[i] = (uint8_t) (0xa0 + i);
  return (int) len;
}

static void
setup (Fixture *f, gconstpointer data)
{
  VtDeviceEnv env;

  f->context = vt_context_new_manual ();
  f->clock = vt_clock_new_manual ();
  env = (VtDeviceEnv){ .context = f->context, .clock = f->clock };
  f->smbus = (VtIch9Smbus *) vt_device_new (&vt_ich9_smbus_class, "smbus", &env);
  for (unsigned i = 0; i < 256; i++)
    f->eeprom[i] = (uint8_t) (i ^ 0x5a);
  f->smbus->devices[0] = vt_smbus_eeprom (0x50, f->eeprom);
  f->smbus->devices[3] =
      (VtSmbusDevice){ .address = 0x2c, .write = write_cb, .read = read_cb, .data = f };
  g_assert_true (vt_device_realize (&f->smbus->fn.base, NULL));
  vt_pci_config_write (&f->smbus->fn, 0x40, 1, 1);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_device_free (&f->smbus->fn.base);
  vt_clock_free (f->clock);
  vt_context_free (f->context);
}

static uint8_t
in (Fixture *f, unsigned reg)
{
  return (uint8_t) vt_region_read (vt_device_region (&f->smbus->fn.base, 0), reg, 1);
}

static void
out (Fixture *f, unsigned reg, uint8_t value)
{
  vt_region_write (vt_device_region (&f->smbus->fn.base, 0), reg, 1, value);
}

/* Runs one transaction; returns the status, which it clears. */
static uint8_t
run (Fixture *f, unsigned kind, uint8_t address, bool read)
{
  uint8_t status;

  out (f, 4, (uint8_t) (address << 1 | read));
  out (f, 2, (uint8_t) (0x40 | kind << 2));
  status = in (f, 0) & 0xbf;
  out (f, 0, 0xff);
  return status;
}

static void
test_simple (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (run (f, 0, 0x2c, false), ==, 2);
  g_assert_cmpuint (f->n_got, ==, 0);
  g_assert_cmphex (run (f, 0, 0x2c, true), ==, 2);
  out (f, 3, 0x42);
  out (f, 5, 0x11);
  out (f, 6, 0x22);
  g_assert_cmphex (run (f, 1, 0x2c, false), ==, 2);
  g_assert_cmpmem (f->got, f->n_got, "\x42", 1);
  g_assert_cmphex (run (f, 2, 0x2c, false), ==, 2);
  g_assert_cmpmem (f->got, f->n_got, "\x42\x11", 2);
  g_assert_cmphex (run (f, 3, 0x2c, false), ==, 2);
  g_assert_cmpmem (f->got, f->n_got, "\x42\x11\x22", 3);
  g_assert_cmphex (run (f, 1, 0x2c, true), ==, 2);
  g_assert_cmpint (f->command, ==, -1);
  g_assert_cmphex (in (f, 5), ==, 0xa0);
  g_assert_cmphex (run (f, 3, 0x2c, true), ==, 2);
  g_assert_cmpint (f->command, ==, 0x42);
  g_assert_cmphex (in (f, 6), ==, 0xa1);
  out (f, 5, 0x33);
  g_assert_cmphex (run (f, 4, 0x2c, false), ==, 2);
  g_assert_cmpmem (f->got, f->n_got, "\x42\x33\xa1", 3);
  g_assert_cmphex (in (f, 5), ==, 0xa0);
}

static void
test_nobody (Fixture *f, gconstpointer data)
{
  for (unsigned kind = 0; kind < 8; kind++)
    for (unsigned read = 0; read < 2; read++)
      {
        out (f, 5, 4);
        out (f, 0xd, 2);
        g_assert_cmphex (run (f, kind, 0x33, read), ==, 4);
      }
  /* Off: nothing happens at all. */
  vt_pci_config_write (&f->smbus->fn, 0x40, 1, 0);
  g_assert_cmphex (run (f, 2, 0x50, true), ==, 0);
}

static void
test_block_buffer (Fixture *f, gconstpointer data)
{
  out (f, 0xd, 2);
  out (f, 3, 0x42);
  out (f, 5, 3);
  in (f, 2);
  for (unsigned i = 1; i <= 3; i++)
    out (f, 7, (uint8_t) i);
  g_assert_cmphex (run (f, 5, 0x2c, false), ==, 2);
  g_assert_cmpmem (f->got, f->n_got, "\x42\x03\x01\x02\x03", 5);
  g_assert_cmphex (run (f, 5, 0x2c, true), ==, 2);
  g_assert_cmphex (in (f, 5), ==, 5);
  in (f, 2);
  for (unsigned i = 0; i < 5; i++)
    g_assert_cmphex (in (f, 7), ==, 0xa0 + i);
  /* No or too many bytes. */
  out (f, 5, 0);
  g_assert_cmphex (run (f, 5, 0x2c, false), ==, 4);
  out (f, 5, 33);
  g_assert_cmphex (run (f, 5, 0x2c, false), ==, 4);
  g_assert_cmphex (run (f, 6, 0x50, true), ==, 2);
  g_assert_cmphex (in (f, 5), ==, 32);
}

static void
test_block_bytes (Fixture *f, gconstpointer data)
{
  out (f, 3, 0x42);
  out (f, 5, 3);
  out (f, 4, 0x2c << 1);
  out (f, 7, 1);
  out (f, 2, 0x40 | 5 << 2 | 1);
  for (unsigned i = 2; i <= 3; i++)
    {
      g_assert_cmphex (in (f, 0) & 0xbf, ==, 0x81);
      g_assert_cmphex (vt_pci_config_read (&f->smbus->fn, 6, 1) & 8, ==, 8);
      out (f, 7, (uint8_t) i);
      out (f, 0, 0x80);
    }
  g_assert_cmphex (in (f, 0) & 0xbf, ==, 0x81);
  out (f, 0, 0x80);
  g_assert_cmphex (in (f, 0) & 0xbf, ==, 2);
  g_assert_cmpmem (f->got, f->n_got, "\x42\x03\x01\x02\x03", 5);
  out (f, 0, 2);
  g_assert_cmphex (vt_pci_config_read (&f->smbus->fn, 6, 1) & 8, ==, 0);
  /* Reading. */
  out (f, 4, 0x2c << 1 | 1);
  out (f, 2, 0x40 | 5 << 2);
  g_assert_cmphex (in (f, 5), ==, 5);
  for (unsigned i = 0; i < 5; i++)
    {
      g_assert_cmphex (in (f, 0) & 0xbf, ==, 0x81);
      g_assert_cmphex (in (f, 7), ==, 0xa0 + i);
      out (f, 0, 0x80);
    }
  g_assert_cmphex (in (f, 0) & 0xbf, ==, 2);
  /* Killed halfway. */
  out (f, 0, 0xff);
  out (f, 2, 0x40 | 5 << 2);
  out (f, 2, 2);
  g_assert_cmphex (in (f, 0) & 0xbf, ==, 0x10);
  g_assert_cmpuint (f->smbus->state.length, ==, 0);
}

static void
test_eeprom (Fixture *f, gconstpointer data)
{
  out (f, 3, 0x12);
  g_assert_cmphex (run (f, 2, 0x50, true), ==, 2);
  g_assert_cmphex (in (f, 5), ==, 0x12 ^ 0x5a);
  out (f, 3, 0xff);
  g_assert_cmphex (run (f, 3, 0x50, true), ==, 2);
  g_assert_cmphex (in (f, 5), ==, 0xff ^ 0x5a);
  g_assert_cmphex (in (f, 6), ==, 0x5a);
}

static void
test_semaphore (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (in (f, 0), ==, 0);
  g_assert_cmphex (in (f, 0), ==, 0x40);
  out (f, 0, 0x40);
  g_assert_cmphex (in (f, 0), ==, 0);
}

static void
test_hostile (Fixture *f, gconstpointer data)
{
  GRand *rand = g_rand_new_with_seed (3);

  for (unsigned i = 0; i < 50000; i++)
    {
      unsigned reg = g_rand_int (rand) % 32;

      if (g_rand_int (rand) % 4 == 0)
        out (f, 4, (uint8_t) (0x2c << 1 | (g_rand_int (rand) & 1)));
      if (g_rand_int (rand) % 2)
        out (f, reg, (uint8_t) g_rand_int (rand));
      else
        in (f, reg);
      g_assert_cmpuint (f->smbus->state.index, <=, VT_ICH9_SMBUS_BLOCK);
      g_assert_cmpuint (f->smbus->state.length, <=, VT_ICH9_SMBUS_BLOCK);
    }
  g_rand_free (rand);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/ich9-smbus/" name, Fixture, NULL, setup, func, teardown)
  ADD ("simple", test_simple);
  ADD ("nobody", test_nobody);
  ADD ("block-buffer", test_block_buffer);
  ADD ("block-bytes", test_block_bytes);
  ADD ("eeprom", test_eeprom);
  ADD ("semaphore", test_semaphore);
  ADD ("hostile", test_hostile);
  return g_test_run ();
}
