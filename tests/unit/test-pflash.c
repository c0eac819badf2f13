/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parallel flash: commands as firmware gives them, UEFI's probe, protection, and what reaches the
 * block device.
 */
#include "memory/space.h"
#include "platform/pflash.h"

#define SIZE (64 * VT_KIB)
#define BASE UINT64_C (0xffc00000)

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtBlock   *block;
  VtPflash  *f;
} Fixture;

typedef struct
{
  bool read_only, shadow, kept, smm_only;
} Kind;

static void
setup (Fixture *x, gconstpointer data)
{
  const Kind *kind = data;
  VtDeviceEnv env;
  uint8_t    *image = g_malloc (SIZE);

  memset (image, 0xff, SIZE);
  memcpy (image + 0x1000, "contents", 8);
  memcpy (image + SIZE - 16, "reset vector", 12);
  x->context = vt_context_new_manual ();
  x->clock = vt_clock_new_manual ();
  x->space = vt_space_new ();
  env = (VtDeviceEnv){ .context = x->context, .clock = x->clock, .space = x->space };
  x->f = (VtPflash *) vt_device_new (&vt_pflash_class, "flash", &env);
  x->f->image = g_bytes_new_take (image, SIZE);
  x->f->address = BASE;
  x->f->read_only = kind->read_only;
  x->f->shadow = kind->shadow;
  x->f->smm_only = kind->smm_only;
  x->block = kind->kept ? vt_block_new_memory (image, SIZE, false) : NULL;
  x->f->block = x->block;
  g_assert_true (vt_device_realize (&x->f->base, NULL));
  vt_device_resume (&x->f->base);
}

static void
teardown (Fixture *x, gconstpointer data)
{
  vt_device_free (&x->f->base);
  while (vt_context_dispatch (x->context))
    ;
  vt_block_close (x->block);
  vt_space_free (x->space);
  vt_clock_free (x->clock);
  vt_context_free (x->context);
}

static uint8_t
rd (Fixture *x, uint32_t offset)
{
  uint8_t v = 0;

  g_assert_true (vt_space_read (x->space, VT_SPACE_MEMORY, BASE + offset, &v, 1));
  return v;
}

static void
wr (Fixture *x, uint32_t offset, uint8_t v)
{
  vt_space_write (x->space, VT_SPACE_MEMORY, BASE + offset, &v, 1);
}

static void
test_program (Fixture *x, gconstpointer data)
{
  uint32_t word;

  wr (x, 0x20, 0x40);
  wr (x, 0x20, 0x5a);
  g_assert_cmpuint (rd (x, 0x20), ==, 0x80);
  g_assert_cmpuint (rd (x, 0x1000), ==, 0x80);
  wr (x, 0x20, 0xff);
  g_assert_cmpuint (rd (x, 0x20), ==, 0x5a);
  /* Only erasing sets bits. */
  wr (x, 0x20, 0x10);
  wr (x, 0x20, 0xf0);
  wr (x, 0x20, 0xff);
  g_assert_cmpuint (rd (x, 0x20), ==, 0x50);
  wr (x, 0x1004, 0x20);
  wr (x, 0x1004, 0xd0);
  g_assert_cmpuint (rd (x, 0x1000), ==, 0x80);
  wr (x, 0, 0xff);
  vt_space_read (x->space, VT_SPACE_MEMORY, BASE + 0x1000, &word, 4);
  g_assert_cmpuint (word, ==, UINT32_MAX);
  g_assert_cmpuint (rd (x, 0x20), ==, 0x50);
  /* An erase that is not confirmed. */
  wr (x, 0x20, 0x20);
  wr (x, 0x20, 0xff);
  g_assert_cmpuint (rd (x, 0), ==, 0xb0);
  wr (x, 0, 0x50);
  g_assert_cmpuint (rd (x, 0x20), ==, 0x50);
}

/* What only system management mode writes, others can't write, and see the array whatever it is asked meanwhile. */
static void
test_smm_only (Fixture *x, gconstpointer data)
{
  const uint8_t program[] = { 0x40, 0x5a }, array = 0xff;
  uint8_t       v;

  wr (x, 0x20, 0x40);
  wr (x, 0x20, 0x11);
  g_assert_cmpuint (rd (x, 0x20), ==, 0xff);
  vt_space_write (x->space, VT_SPACE_SMM, BASE + 0x20, &program[0], 1);
  wr (x, 0x20, 0x11);
  g_assert_cmpuint (rd (x, 0x20), ==, 0xff);
  vt_space_read (x->space, VT_SPACE_SMM, BASE + 0x20, &v, 1);
  g_assert_cmpuint (v, ==, 0x80);
  vt_space_write (x->space, VT_SPACE_SMM, BASE + 0x20, &program[1], 1);
  g_assert_cmpuint (rd (x, 0x20), ==, 0x5a);
  g_assert_cmpuint (rd (x, 0x1000), ==, 'c');
  vt_space_read (x->space, VT_SPACE_SMM, BASE + 0x1000, &v, 1);
  g_assert_cmpuint (v, ==, 0x80);
  vt_space_write (x->space, VT_SPACE_SMM, BASE, &array, 1);
  vt_space_read (x->space, VT_SPACE_SMM, BASE + 0x1000, &v, 1);
  g_assert_cmpuint (v, ==, 'c');
}

static void
test_buffer (Fixture *x, gconstpointer data)
{
  wr (x, 0x300, 0xe8);
  g_assert_cmpuint (rd (x, 0x300), ==, 0x80);
  wr (x, 0x300, 3);
  wr (x, 0x310, 1);
  wr (x, 0x311, 2);
  wr (x, 0x3ff, 3);
  wr (x, 0x300, 4);
  g_assert_cmpuint (vt_ram_host (x->f->ram)[0x310], ==, 0xff);
  wr (x, 0x300, 0xd0);
  wr (x, 0x300, 0xff);
  g_assert_cmpuint (rd (x, 0x310), ==, 1);
  g_assert_cmpuint (rd (x, 0x311), ==, 2);
  g_assert_cmpuint (rd (x, 0x312), ==, 0xff);
  g_assert_cmpuint (rd (x, 0x3ff), ==, 3);
  g_assert_cmpuint (rd (x, 0x300), ==, 4);
  /* Over the buffer's edge. */
  wr (x, 0x400, 0xe8);
  wr (x, 0x400, 1);
  wr (x, 0x4ff, 0);
  wr (x, 0x500, 0);
  g_assert_cmpuint (rd (x, 0), ==, 0xb0);
  wr (x, 0, 0x50);
  g_assert_cmpuint (rd (x, 0x4ff), ==, 0xff);
  /* The whole buffer, then something else than the confirmation. */
  wr (x, 0x600, 0xe8);
  wr (x, 0x600, 0xff);
  for (uint32_t i = 0; i < 256; i++)
    wr (x, 0x600 + i, 0);
  wr (x, 0x600, 0xff);
  g_assert_cmpuint (rd (x, 0), ==, 0xb0);
  wr (x, 0, 0x50);
  g_assert_cmpuint (rd (x, 0x600), ==, 0xff);
}

static void
test_identify (Fixture *x, gconstpointer data)
{
  wr (x, 0, 0x90);
  g_assert_cmpuint (rd (x, 0), ==, 0x89);
  g_assert_cmpuint (rd (x, 1), ==, 0x18);
  g_assert_cmpuint (rd (x, 2), ==, 0);
  wr (x, 0x55, 0x98);
  g_assert_cmpuint (rd (x, 0x10), ==, 'Q');
  g_assert_cmpuint (rd (x, 0x11), ==, 'R');
  g_assert_cmpuint (rd (x, 0x12), ==, 'Y');
  g_assert_cmpuint (rd (x, 0x13), ==, 1);
  g_assert_cmpuint (rd (x, 0x27), ==, 16);
  g_assert_cmpuint (rd (x, 0x2d) | rd (x, 0x2e) << 8, ==, SIZE / 4096 - 1);
  g_assert_cmpuint ((rd (x, 0x2f) | rd (x, 0x30) << 8) * 256, ==, 4096);
  wr (x, 0, 0xff);
  g_assert_cmpuint (rd (x, 0x1000), ==, 'c');
}

/* How UEFI's driver for virtual machines tells flash from ROM and RAM. */
static void
test_probe (Fixture *x, gconstpointer data)
{
  uint8_t original = rd (x, 0x1000);

  wr (x, 0x1000, 0x50);
  g_assert_cmpuint (rd (x, 0x1000), ==, original);
  wr (x, 0x1000, 0x70);
  g_assert_cmpuint (rd (x, 0x1000), ==, 0x00);
  wr (x, 0x1000, 0xff);
  g_assert_cmpuint (rd (x, 0x1000), ==, original);
}

static void
test_read_only (Fixture *x, gconstpointer data)
{
  uint8_t v[12];

  wr (x, 0x1000, 0x40);
  wr (x, 0x1000, 0);
  g_assert_cmpuint (rd (x, 0), ==, 0x92);
  wr (x, 0, 0x50);
  wr (x, 0x1000, 0x20);
  wr (x, 0x1000, 0xd0);
  g_assert_cmpuint (rd (x, 0), ==, 0x22 | 0x80);
  wr (x, 0, 0xff);
  g_assert_cmpuint (rd (x, 0x1000), ==, 'c');
  /* The legacy window shows the end of the array whatever the chip does. */
  wr (x, 0, 0x70);
  for (unsigned i = 0; i < sizeof v; i++)
    vt_space_read (x->space, VT_SPACE_MEMORY, 0xffff0 + i, &v[i], 1);
  g_assert_cmpmem (v, 12, "reset vector", 12);
}

static void
read_done_cb (VtBlockRequest *request, int error)
{
  g_assert_cmpint (error, ==, 0);
  *(bool *) request->data = true;
}

static void
read_back (Fixture *x, uint64_t offset, void *to, size_t len)
{
  bool           done = false;
  struct iovec   iov = { to, len };
  VtBlockRequest r = { .op = VT_BLOCK_READ, .offset = offset, .length = len, .iov = &iov,
                       .n_iov = 1, .done = read_done_cb, .context = x->context, .data = &done };

  vt_block_submit (x->block, &r);
  while (!done)
    vt_context_dispatch (x->context);
}

static void
paused_cb (void *data)
{
  *(bool *) data = true;
}

static void
test_keep (Fixture *x, gconstpointer data)
{
  uint8_t back[512];
  bool    paused = false;

  for (uint32_t i = 0; i < 4; i++)
    {
      wr (x, 0x2000 * i, 0x40);
      wr (x, 0x2000 * i, (uint8_t) (0xf0 | i));
    }
  wr (x, SIZE - 1, 0x20);
  wr (x, SIZE - 1, 0xd0);
  vt_device_pause (&x->f->base, paused_cb, &paused);
  while (!paused)
    g_assert_true (vt_context_dispatch (x->context));
  for (uint32_t i = 0; i < 4; i++)
    {
      read_back (x, 0x2000 * i, back, sizeof back);
      g_assert_cmpuint (back[0], ==, 0xf0 | i);
      g_assert_cmpuint (back[1], ==, 0xff);
    }
  read_back (x, SIZE - 512, back, sizeof back);
  g_assert_cmpuint (back[511 - 15], ==, 0xff);
}

/* A device that goes while its last write is under way. */
static void
test_gone (Fixture *x, gconstpointer data)
{
  wr (x, 0, 0x40);
  wr (x, 0, 0);
}

static void
test_state (Fixture *x, gconstpointer data)
{
  g_autoptr (GByteArray) saved = g_byte_array_new ();
  VtPflashState *s = (VtPflashState *) x->f->base.state;

  g_assert_cmpint (vt_state_uncovered (vt_pflash_class.state), ==, -1);
  wr (x, 0x100, 0xe8);
  wr (x, 0x100, 1);
  wr (x, 0x100, 0x11);
  vt_device_pause (&x->f->base, NULL, NULL);
  vt_device_save (&x->f->base, saved);
  vt_device_reset (&x->f->base, VT_RESET_COLD);
  g_assert_cmpuint (rd (x, 0x1000), ==, 'c');
  g_assert_true (vt_device_load (&x->f->base, 1, saved->data, saved->len, NULL));
  vt_device_commit (&x->f->base);
  vt_device_resume (&x->f->base);
  g_assert_cmpuint (rd (x, 0x1000), ==, 0x80);
  wr (x, 0x101, 0x22);
  wr (x, 0x100, 0xd0);
  wr (x, 0x100, 0xff);
  g_assert_cmpuint (rd (x, 0x100), ==, 0x11);
  g_assert_cmpuint (rd (x, 0x101), ==, 0x22);

  /* A state of a larger chip: the buffer lies outside of this one. */
  s->buffer_base = VT_PFLASH_MAX - VT_PFLASH_BUFFER;
  s->cycle = VT_PFLASH_BUFFER_CONFIRM;
  wr (x, 0x100, 0xd0);
  g_assert_cmpuint (s->status & 0x30, ==, 0x30);
}

static void
test_bad_image (void)
{
  VtContext  *context = vt_context_new_manual ();
  VtClock    *clock = vt_clock_new_manual ();
  VtDeviceEnv env = { .context = context, .clock = clock };
  g_autoptr (GError) error = NULL;
  VtPflash *f = (VtPflash *) vt_device_new (&vt_pflash_class, "flash", &env);

  f->image = g_bytes_new ("short", 5);
  g_assert_false (vt_device_realize (&f->base, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  vt_device_free (&f->base);
  vt_clock_free (clock);
  vt_context_free (context);
}

int
main (int argc, char **argv)
{
  static const Kind plain = { 0 }, code = { .read_only = true, .shadow = true },
                    kept = { .kept = true }, smm = { .smm_only = true };

  g_test_init (&argc, &argv, NULL);
#define ADD(name, kind, func) g_test_add ("/pflash/" name, Fixture, kind, setup, func, teardown)
  ADD ("program", &plain, test_program);
  ADD ("buffer", &plain, test_buffer);
  ADD ("identify", &plain, test_identify);
  ADD ("probe", &plain, test_probe);
  ADD ("smm-only", &smm, test_smm_only);
  ADD ("read-only", &code, test_read_only);
  ADD ("keep", &kept, test_keep);
  ADD ("gone", &kept, test_gone);
  ADD ("state", &plain, test_state);
  g_test_add_func ("/pflash/bad-image", test_bad_image);
  return g_test_run ();
}
