/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The host bridge: both configuration mechanisms from the guest's side, PAM, SMRAM and its lock.
 */
#include "memory/space.h"
#include "pci/q35-host.h"

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtRam     *ram, *flash;
  VtQ35Host *host;
  VtDevice  *rom;
} Fixture;

/* A firmware ROM of 128 KiB below 1 MiB. */
static bool
rom_realize (VtDevice *dev, GError **error)
{
  return true;
}

static const VtDeviceClass rom_class = {
  .id = "rom", .size = sizeof (VtDevice), .state = &vt_state_none, .realize = rom_realize
};

/* @data: MiB of RAM below 4 GiB, and processors that have system management mode; NULL: 2, and none, and more is
 * pretended. */
static void
setup (Fixture *f, gconstpointer data)
{
  const uint64_t size = data == NULL ? 2 * VT_MIB : GPOINTER_TO_UINT (data) * VT_MIB;
  VtDeviceEnv    env;
  VtRegion      *low;

  f->context = vt_context_new_manual ();
  f->clock = vt_clock_new_manual ();
  f->space = vt_space_new ();
  f->ram = vt_ram_new ("ram", size, NULL);
  f->flash = vt_ram_new ("flash", 128 * VT_KIB, NULL);
  vt_space_map_ram (f->space, f->ram, 0, 0xa0000, 0, 0);
  vt_space_map_ram (f->space, f->ram, VT_MIB, size - VT_MIB, VT_MIB, 0);
  memset (vt_ram_host (f->flash), 0xf5, 128 * VT_KIB);
  memset (vt_ram_host (f->ram), 0x11, size);
  env = (VtDeviceEnv){ .context = f->context, .clock = f->clock, .space = f->space };
  f->rom = vt_device_new (&rom_class, "rom", &env);
  g_assert_true (vt_device_realize (f->rom, NULL));
  low = vt_device_add_ram_region (f->rom, f->flash, 0, 128 * VT_KIB, VT_RAM_ROM, NULL);
  vt_region_map (low, 0xe0000, 1);
  f->host = (VtQ35Host *) vt_device_new (&vt_q35_host_class, "host", &env);
  f->host->ram = f->ram;
  f->host->low_ram = data == NULL ? 2 * VT_GIB : size;
  f->host->smm = data != NULL;
  f->host->high_ram = VT_GIB;
  f->host->rom = low;
  g_assert_true (vt_device_realize (&f->host->fn.base, NULL));
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_device_free (&f->host->fn.base);
  vt_device_free (f->rom);
  vt_space_free (f->space);
  vt_ram_free (f->flash);
  vt_ram_free (f->ram);
  vt_clock_free (f->clock);
  vt_context_free (f->context);
}

static uint8_t
peek (Fixture *f, uint64_t address)
{
  uint8_t v;

  vt_space_read (f->space, VT_SPACE_MEMORY, address, &v, 1);
  return v;
}

static void
poke (Fixture *f, uint64_t address, uint8_t v)
{
  vt_space_write (f->space, VT_SPACE_MEMORY, address, &v, 1);
}

static uint32_t
in (Fixture *f, unsigned port, unsigned size)
{
  uint8_t v[4] = { 0 };

  vt_space_read (f->space, VT_SPACE_IO, port, v, size);
  return vt_ld32 (v);
}

static void
out (Fixture *f, unsigned port, unsigned size, uint32_t value)
{
  uint8_t v[4];

  vt_st32 (v, value);
  vt_space_write (f->space, VT_SPACE_IO, port, v, size);
}

static void
cfg (Fixture *f, unsigned offset, unsigned size, uint32_t value)
{
  out (f, 0xcf8, 4, 0x80000000 | (offset & 0xfc));
  out (f, 0xcfc + (offset & 3), size, value);
}

static uint32_t
cfg_read (Fixture *f, unsigned offset, unsigned size)
{
  out (f, 0xcf8, 4, 0x80000000 | (offset & 0xfc));
  return in (f, 0xcfc + (offset & 3), size);
}

static void
test_ports (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (cfg_read (f, 0, 4), ==, 0x29c08086);
  g_assert_cmphex (cfg_read (f, 2, 2), ==, 0x29c0);
  g_assert_cmphex (cfg_read (f, 0xb, 1), ==, 6);
  g_assert_cmphex (cfg_read (f, 0xb0, 2), ==, 0x8000); /* TOLUD: 2 GiB. */
  g_assert_cmphex (cfg_read (f, 0xa2, 2), ==, 0x1400); /* TOUUD: 5 GiB. */
  out (f, 0xcf8, 4, 0x8000f800);
  g_assert_cmphex (in (f, 0xcf8, 4), ==, 0x8000f800);
  g_assert_cmphex (in (f, 0xcfc, 4), ==, UINT32_MAX);
  out (f, 0xcf8, 4, 0);
  g_assert_cmphex (in (f, 0xcfc, 4), ==, UINT32_MAX);
  /* Across the data port's end, and a word at 0xcf9. */
  out (f, 0xcf8, 4, 0x80000000);
  g_assert_cmphex (in (f, 0xcfd, 4) & 0xffffff, ==, 0x29c080);
  out (f, 0xcf9, 2, 0x0606);
  g_assert_cmphex (in (f, 0xcf8, 4), ==, 0x80000000);
}

static void
test_ecam (Fixture *f, gconstpointer data)
{
  uint8_t v[8];

  g_assert_false (vt_space_read (f->space, VT_SPACE_MEMORY, 0xb0000000, v, 4));
  cfg (f, 0x60, 4, 0xb0000001);
  vt_space_read (f->space, VT_SPACE_MEMORY, 0xb0000000, v, 8);
  g_assert_cmphex (vt_ld32 (v), ==, 0x29c08086);
  g_assert_cmphex (vt_ld32 (v + 4), ==, 0);
  /* The last bus of 256, then of 64. */
  g_assert_true (vt_space_read (f->space, VT_SPACE_MEMORY, 0xbff00000, v, 4));
  cfg (f, 0x60, 4, 0xb4000005);
  g_assert_cmphex (cfg_read (f, 0x60, 4), ==, 0xb4000005);
  g_assert_false (vt_space_read (f->space, VT_SPACE_MEMORY, 0xb0000000, v, 4));
  vt_space_read (f->space, VT_SPACE_MEMORY, 0xb4000000, v, 4);
  g_assert_cmphex (vt_ld32 (v), ==, 0x29c08086);
  g_assert_false (vt_space_read (f->space, VT_SPACE_MEMORY, 0xb8000000, v, 4));
  /* A reserved length decodes nothing; above 4 GiB is fine; written through itself. */
  cfg (f, 0x60, 4, 0xb4000007);
  g_assert_false (vt_space_read (f->space, VT_SPACE_MEMORY, 0xb4000000, v, 4));
  cfg (f, 0x64, 4, 0xff);
  cfg (f, 0x60, 4, 0xe0000001);
  g_assert_cmphex (cfg_read (f, 0x64, 4), ==, 0xf);
  vt_space_read (f->space, VT_SPACE_MEMORY, 0xfe0000000, v, 4);
  g_assert_cmphex (vt_ld32 (v), ==, 0x29c08086);
  vt_st32 (v, 0xd0000001);
  vt_space_write (f->space, VT_SPACE_MEMORY, 0xfe0000060, v, 4);
  g_assert_false (vt_space_read (f->space, VT_SPACE_MEMORY, 0xfe0000000, v, 4));
  g_assert_true (vt_space_read (f->space, VT_SPACE_MEMORY, 0xfd0000000, v, 4));
}

static void
test_pam (Fixture *f, gconstpointer data)
{
  static const struct
  {
    unsigned reg, shift;
    uint32_t base, size;
  } segments[] = {
    { 0x90, 4, 0xf0000, 0x10000 }, { 0x91, 0, 0xc0000, 0x4000 }, { 0x91, 4, 0xc4000, 0x4000 },
    { 0x92, 0, 0xc8000, 0x4000 },  { 0x92, 4, 0xcc000, 0x4000 }, { 0x93, 0, 0xd0000, 0x4000 },
    { 0x93, 4, 0xd4000, 0x4000 },  { 0x94, 0, 0xd8000, 0x4000 }, { 0x94, 4, 0xdc000, 0x4000 },
    { 0x95, 0, 0xe0000, 0x4000 },  { 0x95, 4, 0xe4000, 0x4000 }, { 0x96, 0, 0xe8000, 0x4000 },
    { 0x96, 4, 0xec000, 0x4000 },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (segments); i++)
    {
      uint32_t at = segments[i].base, last = at + segments[i].size - 1;
      uint8_t  none = at >= 0xe0000 ? 0xf5 : 0xff;
      uint8_t *ram = vt_ram_host (f->ram);

      /* Neither: the ROM, or nothing. Writes are lost. */
      g_assert_cmphex (peek (f, at), ==, none);
      poke (f, at, 0x22);
      g_assert_cmphex (ram[at], ==, 0x11);
      /* Write only: reads still see the ROM. */
      cfg (f, segments[i].reg, 1, 2u << segments[i].shift);
      poke (f, at, 0x33);
      poke (f, last, 0x34);
      g_assert_cmphex (peek (f, at), ==, none);
      g_assert_cmphex (ram[at], ==, 0x33);
      g_assert_cmphex (ram[last], ==, 0x34);
      /* Read only. */
      cfg (f, segments[i].reg, 1, 1u << segments[i].shift);
      g_assert_cmphex (peek (f, at), ==, 0x33);
      g_assert_cmphex (peek (f, last), ==, 0x34);
      poke (f, at, 0x44);
      g_assert_cmphex (peek (f, at), ==, 0x33);
      /* Both. */
      cfg (f, segments[i].reg, 1, 3u << segments[i].shift);
      poke (f, at, 0x55);
      g_assert_cmphex (peek (f, at), ==, 0x55);
      cfg (f, segments[i].reg, 1, 0);
      g_assert_cmphex (peek (f, at), ==, none);
    }
  cfg (f, 0x90, 4, 0xffffffff);
  g_assert_cmphex (cfg_read (f, 0x90, 4), ==, 0x33333330);
  vt_device_reset (&f->host->fn.base, VT_RESET_WARM);
  g_assert_cmphex (peek (f, 0xf0000), ==, 0xf5);
}

static void
test_smram (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (cfg_read (f, 0x9d, 2), ==, 0x3802);
  g_assert_cmphex (peek (f, 0xa0000), ==, 0xff);
  cfg (f, 0x9d, 1, 0x48);
  g_assert_cmphex (peek (f, 0xa0000), ==, 0x11);
  poke (f, 0xbffff, 0x77);
  g_assert_cmphex (vt_ram_host (f->ram)[0xbffff], ==, 0x77);
  /* TSEG of 8 MiB, then the lock. */
  cfg (f, 0x9e, 1, 0x05);
  g_assert_cmphex (cfg_read (f, 0x9e, 1), ==, 0x3d);
  cfg (f, 0x9d, 1, 0x58);
  g_assert_cmphex (cfg_read (f, 0x9d, 1), ==, 0x1a);
  g_assert_cmphex (peek (f, 0xa0000), ==, 0xff);
  cfg (f, 0x9d, 2, 0xffff);
  g_assert_cmphex (cfg_read (f, 0x9d, 2), ==, 0x3d3a);
  cfg (f, 0x9d, 2, 0);
  g_assert_cmphex (cfg_read (f, 0x9d, 2), ==, 0x3d1a);
  vt_device_reset (&f->host->fn.base, VT_RESET_WARM);
  g_assert_cmphex (cfg_read (f, 0x9d, 2), ==, 0x3802);
}

static uint8_t
peek_smm (Fixture *f, uint64_t address)
{
  uint8_t v;

  vt_space_read (f->space, VT_SPACE_SMM, address, &v, 1);
  return v;
}

/* Behind the VGA's window, and above all with H_SMRAME. */
static void
test_smm (Fixture *f, gconstpointer data)
{
  uint8_t *ram = vt_ram_host (f->ram);

  ram[0xa0000] = 0x66;
  g_assert_cmphex (peek_smm (f, 0xa0000), ==, 0xff);
  cfg (f, 0x9d, 1, 0x08);
  g_assert_cmphex (peek_smm (f, 0xa0000), ==, 0x66);
  g_assert_cmphex (peek (f, 0xa0000), ==, 0xff);
  cfg (f, 0x9d, 1, 0x48);
  g_assert_cmphex (peek (f, 0xa0000), ==, 0x66);
  cfg (f, 0x9e, 1, 0x80);
  g_assert_cmphex (peek (f, 0xa0000), ==, 0xff);
  g_assert_cmphex (peek (f, 0xfeda0000), ==, 0x66);
  cfg (f, 0x9d, 1, 0x18);
  g_assert_cmphex (peek (f, 0xfeda0000), ==, 0xff);
  g_assert_cmphex (peek_smm (f, 0xfeda0000), ==, 0x66);
  g_assert_cmphex (peek_smm (f, 0xa0000), ==, 0xff);
  cfg (f, 0x9e, 1, 0x00);
  g_assert_cmphex (peek_smm (f, 0xfeda0000), ==, 0x66);
  vt_device_reset (&f->host->fn.base, VT_RESET_WARM);
  g_assert_cmphex (peek_smm (f, 0xfeda0000), ==, 0xff);
}

static void
test_tseg (Fixture *f, gconstpointer data)
{
  const uint64_t         top = f->host->low_ram;
  g_autoptr (GByteArray) saved = g_byte_array_new ();

  g_assert_cmphex (cfg_read (f, 0x50, 2), ==, 0xffff);
  cfg (f, 0x50, 2, 0xffff);
  g_assert_cmphex (cfg_read (f, 0x50, 2), ==, 16);
  for (unsigned i = 0; i < 4; i++)
    {
      static const unsigned mib[] = { 1, 2, 8, 16 };
      const bool fits = mib[i] * VT_MIB + VT_MIB <= top;
      const uint64_t first = fits ? top - mib[i] * VT_MIB : top - VT_MIB;

      cfg (f, 0x9d, 1, 0x08);
      cfg (f, 0x9e, 1, i << 1);
      g_assert_cmphex (peek (f, top - 1), ==, 0x11);
      cfg (f, 0x9e, 1, i << 1 | 1);
      g_assert_cmphex (peek (f, first), ==, fits ? 0xff : 0x11);
      g_assert_cmphex (peek (f, top - 1), ==, fits ? 0xff : 0x11);
      g_assert_cmphex (peek (f, first - 1), ==, 0x11);
      g_assert_cmphex (peek_smm (f, first), ==, 0x11);
      poke (f, first, fits ? 0x77 : 0x11);
      g_assert_cmphex (peek_smm (f, first), ==, 0x11);
      /* For nothing without G_SMRAME. */
      cfg (f, 0x9d, 1, 0x00);
      g_assert_cmphex (peek (f, first), ==, 0x11);
    }
  /* The lock holds all of it, and what says where it is, over a save and until the reset. */
  cfg (f, 0xac, 4, 0x1ff00000);
  cfg (f, 0xb0, 2, 0x2000);
  cfg (f, 0x9e, 1, 0x01);
  cfg (f, 0x9d, 1, 0x18);
  vt_device_save (&f->host->fn.base, saved);
  vt_device_reset (&f->host->fn.base, VT_RESET_WARM);
  g_assert_cmphex (peek (f, top - 1), ==, 0x11);
  g_assert_true (vt_device_load (&f->host->fn.base, 1, saved->data, saved->len, NULL));
  vt_device_commit (&f->host->fn.base);
  cfg (f, 0x9e, 1, 0x06);
  cfg (f, 0x9d, 1, 0x40);
  cfg (f, 0xac, 4, 0);
  cfg (f, 0xb0, 2, 0);
  g_assert_cmphex (cfg_read (f, 0x9d, 2), ==, 0x391a);
  g_assert_cmphex (cfg_read (f, 0xac, 4), ==, 0x1ff00000);
  g_assert_cmphex (cfg_read (f, 0xb0, 2), ==, 0x2000);
  g_assert_cmphex (peek (f, top - VT_MIB), ==, 0xff);
  g_assert_cmphex (peek_smm (f, top - VT_MIB), ==, 0x11);
  vt_device_reset (&f->host->fn.base, VT_RESET_WARM);
  g_assert_cmphex (peek (f, top - VT_MIB), ==, 0x11);
  cfg (f, 0xac, 4, 0);
  g_assert_cmphex (cfg_read (f, 0xac, 4), ==, 0);
}

/* Without such processors there is no such memory. */
static void
test_no_smm (Fixture *f, gconstpointer data)
{
  cfg (f, 0x9d, 1, 0x08);
  cfg (f, 0x9e, 1, 0x01);
  cfg (f, 0x50, 2, 0xffff);
  g_assert_cmphex (cfg_read (f, 0x50, 2), ==, 0);
  g_assert_cmphex (peek (f, 2 * VT_MIB - 1), ==, 0x11);
  g_assert_cmphex (peek_smm (f, 0xa0000), ==, 0xff);
}

static void
test_load (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) saved = g_byte_array_new ();

  cfg (f, 0x90, 4, 0x33333330);
  cfg (f, 0x60, 4, 0xb0000001);
  cfg (f, 0x9d, 1, 0x18);
  vt_device_save (&f->host->fn.base, saved);
  vt_device_reset (&f->host->fn.base, VT_RESET_COLD);
  g_assert_cmphex (peek (f, 0xf0000), ==, 0xf5);
  g_assert_true (vt_device_load (&f->host->fn.base, 1, saved->data, saved->len, NULL));
  vt_device_commit (&f->host->fn.base);
  g_assert_cmphex (peek (f, 0xf0000), ==, 0x11);
  g_assert_cmphex (peek (f, 0xb0000000), ==, 0x86);
  cfg (f, 0x9d, 1, 0x48);
  g_assert_cmphex (cfg_read (f, 0x9d, 1), ==, 0x1a);
}

static void
test_hostile (Fixture *f, gconstpointer data)
{
  GRand *rand = g_rand_new_with_seed (29);

  for (unsigned i = 0; i < 30000; i++)
    {
      uint32_t value = g_rand_int (rand) >> (g_rand_int (rand) % 32);
      unsigned size = 1u << (g_rand_int (rand) % 3);
      uint8_t  v[4];

      vt_st32 (v, value);
      switch (g_rand_int (rand) % 5)
        {
        case 0:
          cfg (f, g_rand_int (rand) % 256, size, value);
          break;
        case 1:
          out (f, 0xcf8 + g_rand_int (rand) % 8, size, value);
          break;
        case 2:
          in (f, 0xcf8 + g_rand_int (rand) % 8, size);
          break;
        case 3:
          vt_space_write (f->space, VT_SPACE_MEMORY, 0xa0000 + g_rand_int (rand) % 0x60000, v, size);
          break;
        default:
          vt_space_write (f->space, VT_SPACE_MEMORY, 0xb0000000 + g_rand_int (rand) % 0x10000, v, size);
        }
    }
  g_rand_free (rand);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/q35-host/" name, Fixture, NULL, setup, func, teardown)
  ADD ("ports", test_ports);
  ADD ("ecam", test_ecam);
  ADD ("pam", test_pam);
  ADD ("smram", test_smram);
  ADD ("load", test_load);
  ADD ("no-smm", test_no_smm);
  g_test_add ("/q35-host/smm", Fixture, GUINT_TO_POINTER (4), setup, test_smm, teardown);
  g_test_add ("/q35-host/tseg", Fixture, GUINT_TO_POINTER (24), setup, test_tseg, teardown);
  g_test_add ("/q35-host/tseg/little", Fixture, GUINT_TO_POINTER (4), setup, test_tseg, teardown);
  g_test_add ("/q35-host/hostile/smm", Fixture, GUINT_TO_POINTER (24), setup, test_hostile, teardown);
  ADD ("hostile", test_hostile);
  return g_test_run ();
}
