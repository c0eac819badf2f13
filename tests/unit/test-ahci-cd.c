/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A CD drive behind the AHCI controller: packet commands, the medium and its change.
 */
#include "ahci-rig.h"

#include <errno.h>

static uint32_t
packet (AhciFixture *f, unsigned port, uint32_t len, const char *hex)
{
  uint8_t cdb[12] = { 0 };

  for (unsigned i = 0; i < 12 && hex[0] != '\0'; i++)
    {
      cdb[i] = (uint8_t) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));
      hex += 2 + (hex[2] == ' ');
    }
  return ahci_packet (f->d, port, cdb, len);
}

static void
test_cd_identify (AhciFixture *f, gconstpointer data)
{
  AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 512 };
  AhciCommand c = { .command = 0xa1, .prd = &prd, .n_prd = 1 };

  g_assert_cmphex (ahci_run (f->d, 1, &c), ==, 0x50);
  g_assert_cmphex (ahci_word (f, 0), ==, 0x85c0);
  /* IDENTIFY DEVICE is refused with the signature. */
  g_assert_cmphex (ahci_plain (f, 1, 0xec, 0, 0, 0), ==, 0x451);
  g_assert_cmphex (f->d->mem[ahci_fis_area (1) + 0x45], ==, 0x14);
  g_assert_cmphex (f->d->mem[ahci_fis_area (1) + 0x46], ==, 0xeb);
  g_assert_cmphex (packet (f, 1, 36, "12 00 00 00 24"), ==, 0);
  g_assert_cmphex (f->d->mem[DRIVER_DATA], ==, 5);
  g_assert_cmphex (f->d->mem[DRIVER_DATA + 1], ==, 0x80);
  g_assert_cmpmem (f->d->mem + DRIVER_DATA + 8, 8, "VITRINE ", 8);
  g_assert_cmpuint (ahci_prdbc (f->d, 1, 0), ==, 36);
  g_assert_cmphex (packet (f, 1, 36, "12 01 00 00 24"), ==, 0x052400);
  g_assert_cmphex (packet (f, 1, 0, "ff"), ==, 0x052000);
}

static void
test_cd_read (AhciFixture *f, gconstpointer data)
{
  uint8_t *at = f->d->mem + DRIVER_DATA;

  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0);
  g_assert_cmphex (packet (f, 1, 8, "25"), ==, 0);
  g_assert_cmphex (at[3], ==, CD_BLOCKS - 1);
  g_assert_cmphex (at[6], ==, 8);
  g_assert_cmphex (packet (f, 1, 6144, "28 00 00 00 00 05 00 00 03"), ==, 0);
  g_assert_cmpmem (at, 6144, f->cd + 5 * 2048, 6144);
  g_assert_cmphex (packet (f, 1, 2048, "a8 00 00 00 00 63 00 00 00 01"), ==, 0);
  g_assert_cmpmem (at, 2048, f->cd + 99 * 2048, 2048);
  g_assert_cmphex (packet (f, 1, 2048, "be 00 00 00 00 07 00 00 01 10"), ==, 0);
  g_assert_cmpmem (at, 2048, f->cd + 7 * 2048, 2048);
  g_assert_cmphex (packet (f, 1, 2048, "b9 00 00 00 02 04 00 02 05 10"), ==, 0);
  g_assert_cmpmem (at, 2048, f->cd + 4 * 2048, 2048);
  g_assert_cmphex (packet (f, 1, 4096, "28 00 00 00 00 63 00 00 02"), ==, 0x052100);
  g_assert_cmphex (packet (f, 1, 0, "28 00 00 00 00 63 00 00 00"), ==, 0);
  g_assert_cmphex (packet (f, 1, 2048, "be 04 00 00 00 07 00 00 01 10"), ==, 0x052400);
  g_assert_cmphex (packet (f, 1, 0, "2f 00 00 00 00 00 00 00 64"), ==, 0);
  g_assert_cmphex (packet (f, 1, 0, "2b 00 00 00 00 64"), ==, 0x052100);
  /* By PIO, with a byte count limit: setup frame, then register frame. */
  {
    AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 4096 };
    AhciCommand c = { .packet = true,
                      .lba = 2048 << 8,
                      .prd = &prd,
                      .n_prd = 1,
                      .cdb = { 0x28, 0, 0, 0, 0, 1, 0, 0, 2 } };

    memset (at, 0, 4096);
    g_assert_cmphex (ahci_run (f->d, 1, &c), ==, 0x50);
    g_assert_cmpmem (at, 4096, f->cd + 2048, 4096);
    g_assert_cmphex (ahci_port_read (f->d, 1, PORT_IS), ==, 3);
    g_assert_cmphex (f->d->mem[ahci_fis_area (1) + 0x4c], ==, 3);
  }
  f->cd_fault->op = VT_BLOCK_READ;
  f->cd_fault->error = EIO;
  g_assert_cmphex (packet (f, 1, 2048, "28 00 00 00 00 05 00 00 01"), ==, 0x031100);
  f->cd_fault->error = 0;
  g_assert_cmphex (packet (f, 1, 2048, "28 00 00 00 00 05 00 00 01"), ==, 0);
}

static void
test_cd_tell (AhciFixture *f, gconstpointer data)
{
  uint8_t *at = f->d->mem + DRIVER_DATA;

  /* Table of contents, each format; truncated; a track that is not there. */
  g_assert_cmphex (packet (f, 1, 804, "43 00 00 00 00 00 00 03 24"), ==, 0);
  g_assert_cmpmem (at, 20, ((uint8_t[]){ 0, 18, 1, 1,    0,    0x14, 1, 0, 0, 0,
                                         0, 0,  0, 0x14, 0xaa, 0,    0, 0, 0, 100 }),
                   20);
  g_assert_cmpuint (ahci_prdbc (f->d, 1, 0), ==, 20);
  g_assert_cmphex (packet (f, 1, 804, "43 02 00 00 00 00 aa 03 24"), ==, 0);
  g_assert_cmpmem (at, 12, ((uint8_t[]){ 0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 3, 25 }), 12);
  g_assert_cmphex (packet (f, 1, 804, "43 00 00 00 00 00 02 03 24"), ==, 0x052400);
  g_assert_cmphex (packet (f, 1, 12, "43 00 01 00 00 00 00 00 0c"), ==, 0);
  g_assert_cmpmem (at, 4, ((uint8_t[]){ 0, 10, 1, 1 }), 4);
  g_assert_cmphex (packet (f, 1, 12, "43 00 00 00 00 00 00 00 0c 40"), ==, 0);
  g_assert_cmpmem (at, 4, ((uint8_t[]){ 0, 10, 1, 1 }), 4);
  g_assert_cmphex (packet (f, 1, 48, "43 00 02 00 00 00 00 00 30"), ==, 0);
  g_assert_cmphex (at[1], ==, 46);
  g_assert_cmphex (at[4 + 3], ==, 0xa0);
  at[4] = 0xee;
  g_assert_cmphex (packet (f, 1, 4, "43 00 00 00 00 00 00 00 04"), ==, 0);
  g_assert_cmphex (at[4], ==, 0xee);
  g_assert_cmphex (packet (f, 1, 0, "43 00 00 00 00 00 00 00 00"), ==, 0);

  /* Configuration: a CD is the current profile; one feature; an empty drive. */
  g_assert_cmphex (packet (f, 1, 256, "46 00 00 00 00 00 00 01 00"), ==, 0);
  g_assert_cmphex (at[7], ==, 0x08);
  g_assert_cmpuint (ahci_prdbc (f->d, 1, 0), ==, vt_ld32 (at) == 0 ? 0 : at[3] + 4u);
  g_assert_cmphex (packet (f, 1, 256, "46 02 00 1e 00 00 00 01 00"), ==, 0);
  g_assert_cmphex (at[9], ==, 0x1e);
  g_assert_cmphex (at[10] & 1, ==, 1);
  g_assert_cmphex (packet (f, 2, 256, "46 00 00 00 00 00 00 01 00"), ==, 0);
  g_assert_cmphex (at[7], ==, 0);

  /* Mode pages. */
  g_assert_cmphex (packet (f, 1, 192, "5a 00 2a 00 00 00 00 00 c0"), ==, 0);
  g_assert_cmphex (at[8], ==, 0x2a);
  g_assert_cmphex (at[9], ==, 20);
  g_assert_cmpuint (at[1] + 2u, ==, ahci_prdbc (f->d, 1, 0));
  g_assert_cmphex (packet (f, 1, 192, "1a 00 3f 00 c0"), ==, 0);
  g_assert_cmpuint (at[0] + 1u, ==, ahci_prdbc (f->d, 1, 0));
  g_assert_cmphex (packet (f, 1, 192, "5a 00 05 00 00 00 00 00 c0"), ==, 0x052400);
  g_assert_cmphex (packet (f, 1, 192, "5a 00 ea 00 00 00 00 00 c0"), ==, 0x053900);
  memset (at, 0, 20);
  at[8] = 0x01;
  at[9] = 10;
  g_assert_cmphex (packet (f, 1, 20, "55 10 00 00 00 00 00 00 14"), ==, 0);
  at[9] = 9;
  g_assert_cmphex (packet (f, 1, 20, "55 10 00 00 00 00 00 00 14"), ==, 0x052600);
  g_assert_cmphex (packet (f, 1, 4, "55 10 00 00 00 00 00 00 04"), ==, 0x051a00);

  g_assert_cmphex (packet (f, 1, 34, "51 00 00 00 00 00 00 00 22"), ==, 0);
  g_assert_cmphex (at[2], ==, 0x0e);
  g_assert_cmphex (packet (f, 1, 36, "52 01 00 00 00 01 00 00 24"), ==, 0);
  g_assert_cmphex (at[27], ==, CD_BLOCKS);
  g_assert_cmphex (packet (f, 1, 8, "bd 00 00 00 00 00 00 00 00 08"), ==, 0);
  g_assert_cmphex (packet (f, 1, 16, "42 02 40 01 00 00 00 00 10"), ==, 0);
  g_assert_cmphex (packet (f, 1, 0, "bb 00 ff ff"), ==, 0);
  /* Not a DVD. */
  g_assert_cmphex (packet (f, 1, 20, "ad 00 00 00 00 00 00 00 00 14"), ==, 0x053002);
}

/* What no CD can hold is a DVD; what ends inside a block is padded. */
static void
test_cd_sizes (AhciFixture *f, gconstpointer data)
{
  uint8_t *at = f->d->mem + DRIVER_DATA;
  uint8_t  bytes[1024];
  VtBlock *block;

  memset (bytes, 0x77, sizeof bytes);
  block = vt_block_new_memory (bytes, sizeof bytes, true);
  g_assert_true (vt_ahci_change_medium (f->d->dev, 2, block, false, NULL));
  g_assert_cmphex (packet (f, 2, 0, "00"), ==, 0x062800);
  g_assert_cmphex (packet (f, 2, 8, "25"), ==, 0);
  g_assert_cmphex (at[3], ==, 0);
  memset (at, 0xee, 4096);
  g_assert_cmphex (packet (f, 2, 2048, "28 00 00 00 00 00 00 00 01"), ==, 0);
  g_assert_cmpmem (at, 1024, bytes, 1024);
  for (unsigned i = 1024; i < 2048; i++)
    g_assert_cmphex (at[i], ==, 0);
  g_assert_cmphex (at[2048], ==, 0xee);

  /* Only its size is looked at. */
  f->cd_fault->base.info.size = UINT64_C (4700000000) / 2048 * 2048;
  g_assert_cmphex (packet (f, 1, 256, "46 00 00 00 00 00 00 01 00"), ==, 0);
  g_assert_cmphex (at[7], ==, 0x10);
  g_assert_cmphex (packet (f, 1, 2052, "ad 00 00 00 00 00 00 00 08 04"), ==, 0);
  g_assert_cmphex (at[0] << 8 | at[1], ==, 2050);
  g_assert_cmphex (packet (f, 1, 16, "ad 00 00 00 00 00 00 ff 00 10"), ==, 0);
  f->cd_fault->base.info.size = CD_BLOCKS * 2048;
}

static void
test_cd_change (AhciFixture *f, gconstpointer data)
{
  AhciDriver *d = f->d;
  uint8_t    *at = d->mem + DRIVER_DATA, first[2048];
  VtBlock    *block;
  GError     *error = NULL;
  bool        closed = false;

  memset (first, 0x11, sizeof first);
  f->cd_fault->closed = &closed;
  /* An empty drive, closed. */
  g_assert_cmphex (packet (f, 2, 0, "00"), ==, 0x023a01);
  g_assert_cmphex (packet (f, 2, 8, "4a 01 00 00 10 00 00 00 08"), ==, 0);
  g_assert_cmpmem (at, 8, ((uint8_t[]){ 0, 4, 4, 0x10, 0, 0, 0, 0 }), 8);

  /* The guest opens and closes its tray. */
  g_assert_cmphex (packet (f, 1, 0, "1b 00 00 00 02"), ==, 0);
  g_assert_true (vt_ahci_tray_open (d->dev, 1));
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x023a02);
  g_assert_cmphex (packet (f, 1, 8, "4a 01 00 00 10 00 00 00 08"), ==, 0);
  g_assert_cmpmem (at + 4, 2, ((uint8_t[]){ 3, 1 }), 2);
  g_assert_cmphex (packet (f, 1, 8, "bd 00 00 00 00 00 00 00 00 08"), ==, 0);
  g_assert_cmphex (at[1], ==, 0x10);
  g_assert_cmphex (packet (f, 1, 0, "1b 00 00 00 03"), ==, 0);
  g_assert_false (vt_ahci_tray_open (d->dev, 1));
  g_assert_cmphex (packet (f, 1, 8, "4a 01 00 00 10 00 00 00 08"), ==, 0);
  g_assert_cmpmem (at + 4, 2, ((uint8_t[]){ 2, 2 }), 2);
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x062800);
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0);

  /* Locked: the guest can't eject, and the user is told, and the guest is asked. */
  g_assert_cmphex (packet (f, 1, 0, "1e 00 00 00 01"), ==, 0);
  g_assert_cmphex (packet (f, 1, 0, "1b 00 00 00 02"), ==, 0x055302);
  g_assert_false (vt_ahci_change_medium (d->dev, 1, NULL, false, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE);
  g_clear_error (&error);
  g_assert_false (closed);
  g_assert_cmphex (packet (f, 1, 8, "4a 01 00 00 10 00 00 00 08"), ==, 0);
  g_assert_cmpmem (at + 4, 2, ((uint8_t[]){ 1, 2 }), 2);
  g_assert_cmphex (packet (f, 1, 2048, "28 00 00 00 00 05 00 00 01"), ==, 0);

  /* By force, while it is read: the read ends as if nothing had happened. */
  f->cd_fault->hold = true;
  {
    AhciPrd     prd = { .gpa = DRIVER_DATA, .len = 2048 };
    AhciCommand c = { .packet = true,
                      .features = 1,
                      .prd = &prd,
                      .n_prd = 1,
                      .cdb = { 0x28, 0, 0, 0, 0, 9, 0, 0, 1 } };

    ahci_build (d, 1, 0, &c);
    ahci_issue (d, 1, 1, false);
    block = vt_block_new_memory (first, sizeof first, true);
    g_assert_true (vt_ahci_change_medium (d->dev, 1, block, true, &error));
    g_assert_false (closed);
    fault_release (f->cd_fault);
    g_assert_true (ahci_wait (d, 1, 1));
    g_assert_true (closed);
    g_assert_cmpmem (at, 2048, f->cd + 9 * 2048, 2048);
  }
  /* A swap shows as a removal, then as a new medium. */
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x023a00);
  g_assert_cmphex (packet (f, 1, 8, "25"), ==, 0x062800);
  g_assert_cmphex (packet (f, 1, 8, "25"), ==, 0);
  g_assert_cmphex (packet (f, 1, 2048, "28 00 00 00 00 00 00 00 01"), ==, 0);
  g_assert_cmpmem (at, 2048, first, 2048);

  /* Out, and the drive says so; in again. */
  g_assert_true (vt_ahci_change_medium (d->dev, 1, NULL, false, &error));
  g_assert_true (vt_ahci_tray_open (d->dev, 1));
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x023a02);
  g_assert_true (
      vt_ahci_change_medium (d->dev, 1, vt_block_new_memory (first, 2048, true), false, &error));
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0x062800);
  g_assert_cmphex (packet (f, 1, 0, "00"), ==, 0);

  /* Not every port has a drive, and not every block is a disc. */
  g_assert_false (vt_ahci_change_medium (d->dev, 0, NULL, false, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (vt_ahci_change_medium (d->dev, 9, NULL, false, NULL));
  block = vt_block_new_memory (first, 2048, true);
  block->info.sector = 4096;
  g_assert_false (vt_ahci_change_medium (d->dev, 1, block, false, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);
  vt_block_close (block);
}

static const AhciTest tests[] = {
  { "cd/identify", test_cd_identify }, { "cd/read", test_cd_read },     { "cd/tell", test_cd_tell },
  { "cd/sizes", test_cd_sizes },       { "cd/change", test_cd_change },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ahci_add_tests (tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
