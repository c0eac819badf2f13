/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware configuration device: items and directory, port and DMA access, hostile descriptors,
 * and a transfer that outlives a save.
 */
#include "memory/space.h"
#include "platform/fw-cfg.h"

#define RAM_SIZE (16 * VT_MIB)
#define DESC 0x1000
#define BUF 0x2000

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtRam     *ram;
  uint8_t   *mem;
  VtFwCfg   *fw;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  VtDeviceEnv env;

  f->context = vt_context_new_manual ();
  f->clock = vt_clock_new_manual ();
  f->space = vt_space_new ();
  f->ram = vt_ram_new ("ram", RAM_SIZE, NULL);
  f->mem = vt_ram_host (f->ram);
  vt_space_map_ram (f->space, f->ram, 0, RAM_SIZE, 0, 0);
  env = (VtDeviceEnv){ .context = f->context, .clock = f->clock, .space = f->space };
  f->fw = (VtFwCfg *) vt_device_new (&vt_fw_cfg_class, "fw-cfg", &env);
  g_assert_true (vt_device_realize (&f->fw->base, NULL));
  vt_device_resume (&f->fw->base);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_device_free (&f->fw->base);
  vt_space_free (f->space);
  vt_ram_free (f->ram);
  vt_clock_free (f->clock);
  vt_context_free (f->context);
}

static void
outw (Fixture *f, uint16_t port, uint16_t v)
{
  uint8_t raw[2];

  vt_st16 (raw, v);
  vt_space_write (f->space, VT_SPACE_IO, port, raw, 2);
}

static void
outl_be (Fixture *f, uint16_t port, uint32_t v)
{
  uint32_t raw = GUINT32_TO_BE (v);

  vt_space_write (f->space, VT_SPACE_IO, port, &raw, 4);
}

static uint8_t
inb (Fixture *f, uint16_t port)
{
  uint8_t v;

  vt_space_read (f->space, VT_SPACE_IO, port, &v, 1);
  return v;
}

static void
put_desc (Fixture *f, VtGpa at, uint32_t control, uint32_t length, uint64_t address)
{
  control = GUINT32_TO_BE (control);
  length = GUINT32_TO_BE (length);
  address = GUINT64_TO_BE (address);
  memcpy (f->mem + at, &control, 4);
  memcpy (f->mem + at + 4, &length, 4);
  memcpy (f->mem + at + 8, &address, 8);
}

static uint32_t
control_of (Fixture *f, VtGpa at)
{
  uint32_t v;

  memcpy (&v, f->mem + at, 4);
  return GUINT32_FROM_BE (v);
}

/* Starts and, where it takes more than a piece, finishes. Returns the control word. */
static uint32_t
dma (Fixture *f, uint32_t control, uint32_t length, uint64_t address)
{
  put_desc (f, DESC, control, length, address);
  outl_be (f, 0x514, 0);
  outl_be (f, 0x518, DESC);
  while (f->fw->state.transfer != VT_FW_CFG_IDLE)
    vt_clock_advance (f->clock, 1000);
  return control_of (f, DESC);
}

#define SELECT(key) ((uint32_t) (key) << 16 | 0x08)
#define READ 0x02
#define SKIP 0x04
#define WRITE 0x10
#define FAILED 0x01

static void
test_ports (Fixture *f, gconstpointer data)
{
  char     sig[5] = { 0 };
  uint64_t dma_sig;
  uint8_t  word[2];

  outw (f, 0x510, VT_FW_CFG_SIGNATURE);
  for (int i = 0; i < 4; i++)
    sig[i] = (char) inb (f, 0x511);
  g_assert_cmpstr (sig, ==, "QEMU");
  /* Behind the end, and in items that do not exist, there are zeros. */
  g_assert_cmpuint (inb (f, 0x511), ==, 0);
  outw (f, 0x510, 0x3fff);
  g_assert_cmpuint (inb (f, 0x511), ==, 0);
  outw (f, 0x510, VT_FW_CFG_ID);
  g_assert_cmpuint (inb (f, 0x511), ==, 3);
  vt_space_read (f->space, VT_SPACE_IO, 0x514, &dma_sig, 8);
  g_assert_cmpmem (&dma_sig, 8, "QEMU CFG", 8);
  vt_space_read (f->space, VT_SPACE_IO, 0x516, word, 2);
  g_assert_cmpmem (word, 2, "MU", 2);
  vt_fw_cfg_add_u32 (f->fw, VT_FW_CFG_IRQ0_OVERRIDE, 0x11223344);
  outw (f, 0x510, VT_FW_CFG_IRQ0_OVERRIDE);
  g_assert_cmpuint (inb (f, 0x511), ==, 0x44);
  outw (f, 0x510, VT_FW_CFG_IRQ0_OVERRIDE & 0x7fff);
  g_assert_cmpuint (inb (f, 0x511), ==, 0);
}

static void
test_directory (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const uint8_t *dir = f->mem + BUF;

  g_assert_true (vt_fw_cfg_add_file (f->fw, "etc/b", "bb", 2, NULL));
  g_assert_true (vt_fw_cfg_add_file (f->fw, "genroms/x", "xxxxx", 5, NULL));
  g_assert_true (vt_fw_cfg_add_file (f->fw, "etc/a", "a", 1, NULL));
  g_assert_true (vt_fw_cfg_add_file (f->fw, "etc/b", "bbb", 3, NULL));
  g_assert_cmpuint (dma (f, SELECT (VT_FW_CFG_FILE_DIR) | READ, 4 + 3 * 64 + 4, BUF), ==, 0);
  g_assert_cmpuint (GUINT32_FROM_BE (vt_ld32 (dir)), ==, 3);
  g_assert_cmpstr ((const char *) dir + 4 + 8, ==, "etc/a");
  g_assert_cmpstr ((const char *) dir + 4 + 64 + 8, ==, "etc/b");
  g_assert_cmpuint (GUINT32_FROM_BE (vt_ld32 (dir + 4 + 64)), ==, 3);
  g_assert_cmpuint (GUINT16_FROM_BE (vt_ld16 (dir + 4 + 64 + 4)), ==, 0x21);
  g_assert_cmpstr ((const char *) dir + 4 + 128 + 8, ==, "genroms/x");
  g_assert_cmpuint (vt_fw_cfg_find (f->fw, "genroms/x"), ==, 0x22);

  for (int i = 3; i < VT_FW_CFG_FILES_MAX; i++)
    {
      g_autofree char *name = g_strdup_printf ("z%d", i);
      g_assert_true (vt_fw_cfg_add_file (f->fw, name, "z", 1, NULL));
    }
  g_assert_false (vt_fw_cfg_add_file (f->fw, "one-more", "z", 1, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (vt_fw_cfg_add_file (
      f->fw, "a-name-of-fifty-six-bytes-which-is-one-byte-too-long-for", "z", 1, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
}

static void
test_dma (Fixture *f, gconstpointer data)
{
  uint16_t key;

  g_assert_true (vt_fw_cfg_add_file (f->fw, "etc/x", "0123456789", 10, NULL));
  key = vt_fw_cfg_find (f->fw, "etc/x");
  memset (f->mem + BUF, 0xaa, 32);
  g_assert_cmpuint (dma (f, SELECT (key) | READ, 4, BUF), ==, 0);
  g_assert_cmpmem (f->mem + BUF, 5, "0123\xaa", 5);
  g_assert_cmpuint (dma (f, SKIP, 2, 0), ==, 0);
  g_assert_cmpuint (dma (f, READ, 2, BUF), ==, 0);
  g_assert_cmpmem (f->mem + BUF, 2, "67", 2);
  /* The rest, then zeros. */
  g_assert_cmpuint (dma (f, READ, 5, BUF), ==, 0);
  g_assert_cmpmem (f->mem + BUF, 6, "89\0\0\0\xaa", 6);
  g_assert_cmpuint (dma (f, SKIP, UINT32_MAX, 0), ==, 0);
  g_assert_cmpuint (f->fw->state.offset, ==, 10);
  /* Selecting alone; the port sees what DMA selected. */
  g_assert_cmpuint (dma (f, SELECT (key), 0, 0), ==, 0);
  g_assert_cmpuint (inb (f, 0x511), ==, '0');
  /* Read-only. */
  g_assert_cmpuint (dma (f, SELECT (key) | WRITE, 1, BUF), ==, FAILED);
  /* One 64-bit write starts it too. */
  put_desc (f, DESC, SELECT (key) | READ, 1, BUF);
  {
    uint64_t raw = GUINT64_TO_BE (DESC);
    vt_space_write (f->space, VT_SPACE_IO, 0x514, &raw, 8);
  }
  g_assert_cmpuint (control_of (f, DESC), ==, 0);
}

static void
test_writable (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  uint16_t key;

  g_assert_true (vt_fw_cfg_add_file_writable (f->fw, "etc/w", "abcd", 4, NULL, NULL, NULL));
  g_assert_true (vt_fw_cfg_add_file_writable (f->fw, "etc/v", NULL, 8, NULL, NULL, NULL));
  key = vt_fw_cfg_find (f->fw, "etc/w");
  memcpy (f->mem + BUF, "WXYZ!", 5);
  g_assert_cmpuint (dma (f, SELECT (key) | WRITE, 2, BUF), ==, 0);
  g_assert_cmpmem (f->fw->state.writable, 4, "WXcd", 4);
  g_assert_cmpuint (dma (f, WRITE, 3, BUF), ==, FAILED);
  g_assert_cmpmem (f->fw->state.writable + 4, 8, "\0\0\0\0\0\0\0\0", 8);
  vt_device_reset (&f->fw->base, VT_RESET_COLD);
  g_assert_cmpmem (f->fw->state.writable, 4, "abcd", 4);
  g_assert_false (vt_fw_cfg_add_file_writable (f->fw, "etc/u", NULL, VT_FW_CFG_WRITABLE_MAX, NULL,
                                               NULL, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_INVALID);
}

static GBytes *
count_cb (void *data)
{
  char text[32];
  int  n = g_snprintf (text, sizeof text, "call %d", ++*(int *) data);

  return g_bytes_new (text, (gsize) n);
}

static void
test_generated (Fixture *f, gconstpointer data)
{
  int calls = 0;

  g_assert_true (vt_fw_cfg_add_file_generated (f->fw, "etc/g", 8, count_cb, &calls, NULL));
  outw (f, 0x510, 0x20);
  for (int i = 0; i < 6; i++)
    g_assert_cmpuint (inb (f, 0x511), ==, "call 1"[i]);
  g_assert_cmpint (calls, ==, 1);
  g_assert_cmpuint (dma (f, SELECT (0x20) | READ, 8, BUF), ==, 0);
  g_assert_cmpmem (f->mem + BUF, 8, "call 2\0\0", 8);
}

static void
test_hostile (Fixture *f, gconstpointer data)
{
  /* Into nothing, past the end of memory, around the end of the address space. */
  g_assert_cmpuint (dma (f, SELECT (0) | READ, 4, UINT64_MAX - 1), ==, FAILED);
  g_assert_cmpuint (dma (f, SELECT (0) | READ, UINT32_MAX, RAM_SIZE - 2), ==, FAILED);
  g_assert_cmpuint (dma (f, SELECT (0x99) | READ, 64, RAM_SIZE - 32), ==, FAILED);
  g_assert_cmpuint (dma (f, SELECT (0x99) | WRITE, 1, BUF), ==, FAILED);
  g_assert_cmpuint (dma (f, SELECT (0x99) | READ, 0, UINT64_MAX), ==, 0);
  /* Descriptors that are not in memory, or only half. */
  outl_be (f, 0x514, 0xffffffff);
  outl_be (f, 0x518, 0xfffffffc);
  outl_be (f, 0x518, RAM_SIZE - 8);
  g_assert_cmpuint (control_of (f, RAM_SIZE - 8), ==, FAILED);
  /* A transfer over its own descriptor. */
  dma (f, SELECT (0) | READ, 64, DESC - 8);
  g_assert_cmpuint (f->fw->state.transfer, ==, VT_FW_CFG_IDLE);
}

static void
test_long (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) saved = g_byte_array_new ();
  g_autofree uint8_t *big = g_malloc (10 * VT_MIB);
  uint16_t            key;

  for (uint32_t i = 0; i < 10 * VT_MIB; i++)
    big[i] = (uint8_t) (i * 31 >> 7);
  g_assert_true (vt_fw_cfg_add_file (f->fw, "big", big, 10 * VT_MIB, NULL));
  key = vt_fw_cfg_find (f->fw, "big");
  put_desc (f, DESC, SELECT (key) | READ, 10 * VT_MIB, BUF);
  outl_be (f, 0x518, DESC);
  /* Some is there, the end is not, and the guest sees that it has to wait. */
  g_assert_cmpuint (f->fw->state.transfer, ==, VT_FW_CFG_READING);
  g_assert_cmpuint (control_of (f, DESC), !=, 0);
  vt_clock_advance (f->clock, 1000);
  vt_device_pause (&f->fw->base, NULL, NULL);
  vt_device_save (&f->fw->base, saved);
  vt_clock_advance (f->clock, VT_NS_PER_SEC);
  g_assert_cmpuint (control_of (f, DESC), !=, 0);
  vt_device_reset (&f->fw->base, VT_RESET_COLD);
  g_assert_cmpuint (f->fw->state.transfer, ==, VT_FW_CFG_IDLE);
  g_assert_true (vt_device_load (&f->fw->base, 1, saved->data, saved->len, NULL));
  vt_device_commit (&f->fw->base);
  vt_device_resume (&f->fw->base);
  /* A second one meanwhile is dropped. */
  put_desc (f, DESC + 16, SELECT (0) | READ, 4, BUF);
  outl_be (f, 0x518, DESC + 16);
  g_assert_cmpuint (f->fw->state.selected, ==, key);
  vt_clock_advance (f->clock, VT_NS_PER_SEC);
  g_assert_cmpuint (control_of (f, DESC), ==, 0);
  g_assert_cmpmem (f->mem + BUF, 10 * VT_MIB, big, 10 * VT_MIB);
}

static void
test_no_space (void)
{
  VtContext  *context = vt_context_new_manual ();
  VtClock    *clock = vt_clock_new_manual ();
  VtDeviceEnv env = { .context = context, .clock = clock };
  VtDevice   *dev = vt_device_new (&vt_fw_cfg_class, "fw-cfg", &env);

  g_assert_true (vt_device_realize (dev, NULL));
  vt_region_write (vt_device_region (dev, 1), 4, 4, 0);
  g_assert_cmpuint (vt_region_read (vt_device_region (dev, 0), 1, 1), ==, 'Q');
  g_assert_cmpint (vt_state_uncovered (vt_fw_cfg_class.state), ==, -1);
  vt_device_free (dev);
  vt_clock_free (clock);
  vt_context_free (context);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/fw-cfg/" name, Fixture, NULL, setup, func, teardown)
  ADD ("ports", test_ports);
  ADD ("directory", test_directory);
  ADD ("dma", test_dma);
  ADD ("writable", test_writable);
  ADD ("generated", test_generated);
  ADD ("hostile", test_hostile);
  ADD ("long", test_long);
  g_test_add_func ("/fw-cfg/no-space", test_no_space);
  return g_test_run ();
}
