/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Direct boot: kernels of both kinds made here, cut at every length, with fields that lie; files that
 * can't be; and what reaches the firmware.
 */
#include <glib/gstdio.h>

#include "boot/boot.h"
#include "memory/space.h"

/* Kernels made for the test ---------------------------------------------------------------------- */

#define SETUP_SIZE (3 * 512)
#define CODE_SIZE 4096

static GByteArray *
make_bzimage (void)
{
  GByteArray *k = g_byte_array_new ();

  g_byte_array_set_size (k, SETUP_SIZE + CODE_SIZE);
  memset (k->data, 0, k->len);
  for (guint i = SETUP_SIZE; i < k->len; i++)
    k->data[i] = (uint8_t) (i * 7);
  k->data[0x1f1] = 2;
  vt_st32 (k->data + 0x1f4, CODE_SIZE / 16);
  vt_st16 (k->data + 0x1fe, 0xaa55);
  memcpy (k->data + 0x202, "HdrS", 4);
  vt_st16 (k->data + 0x206, 0x020f);
  k->data[0x211] = 1;
  vt_st32 (k->data + 0x22c, 0x7fffffff);
  vt_st32 (k->data + 0x238, 2047);
  vt_st64 (k->data + 0x258, 0x1000000);
  vt_st32 (k->data + 0x260, 0x800000);
  return k;
}

#define ELF_NOTE_AT 0x100
#define ELF_CODE_AT 0x200
#define ELF_CODE_SIZE 0x80
#define ELF_MEMORY_SIZE 0x2000

static GByteArray *
make_elf (bool wide)
{
  GByteArray *k = g_byte_array_new ();
  uint8_t    *d, *ph;

  g_byte_array_set_size (k, ELF_CODE_AT + ELF_CODE_SIZE);
  d = k->data;
  memset (d, 0, k->len);
  memcpy (d, "\177ELF", 4);
  d[4] = wide ? 2 : 1;
  d[5] = 1;
  vt_st16 (d + 18, wide ? 62 : 3);
  ph = d + (wide ? 64 : 52);
  if (wide)
    {
      vt_st64 (d + 32, 64);
      vt_st16 (d + 54, 56);
      vt_st16 (d + 56, 2);
      vt_st32 (ph, 1);
      vt_st64 (ph + 8, ELF_CODE_AT);
      vt_st64 (ph + 24, 0x100000);
      vt_st64 (ph + 32, ELF_CODE_SIZE);
      vt_st64 (ph + 40, ELF_MEMORY_SIZE);
      ph += 56;
      vt_st32 (ph, 4);
      vt_st64 (ph + 8, ELF_NOTE_AT);
      vt_st64 (ph + 32, 40);
      vt_st64 (ph + 48, 4);
    }
  else
    {
      vt_st32 (d + 28, 52);
      vt_st16 (d + 42, 32);
      vt_st16 (d + 44, 2);
      vt_st32 (ph, 1);
      vt_st32 (ph + 4, ELF_CODE_AT);
      vt_st32 (ph + 12, 0x100000);
      vt_st32 (ph + 16, ELF_CODE_SIZE);
      vt_st32 (ph + 20, ELF_MEMORY_SIZE);
      ph += 32;
      vt_st32 (ph, 4);
      vt_st32 (ph + 4, ELF_NOTE_AT);
      vt_st32 (ph + 16, 40);
      vt_st32 (ph + 28, 4);
    }
  /* Another note first. */
  vt_st32 (d + ELF_NOTE_AT, 3);
  vt_st32 (d + ELF_NOTE_AT + 4, 4);
  vt_st32 (d + ELF_NOTE_AT + 8, 18);
  memcpy (d + ELF_NOTE_AT + 12, "GN", 3);
  vt_st32 (d + ELF_NOTE_AT + 20, 4);
  vt_st32 (d + ELF_NOTE_AT + 24, 4);
  vt_st32 (d + ELF_NOTE_AT + 28, 18);
  memcpy (d + ELF_NOTE_AT + 32, "Xen", 4);
  vt_st32 (d + ELF_NOTE_AT + 36, 0x100010);
  return k;
}

static bool
parse (const GByteArray *k, VtKernel *out, GError **error)
{
  return vt_kernel_parse ("kernel", k->data, k->len, out, error);
}

/* Every prefix of @k is refused; copies of its own size, so that a sanitizer sees an overrun. */
static void
refuse_prefixes (const GByteArray *k)
{
  for (guint len = 0; len < k->len; len++)
    {
      g_autofree uint8_t *copy = len == 0 ? NULL : g_memdup2 (k->data, len);
      g_autoptr (GError) error = NULL;
      VtKernel out;

      g_assert_false (vt_kernel_parse ("kernel", copy, len, &out, &error));
      g_assert_nonnull (error);
      g_assert_nonnull (strstr (error->message, "kernel"));
      g_assert_null (strchr (error->message, '\n'));
    }
}

static void
test_bzimage (void)
{
  g_autoptr (GByteArray) k = make_bzimage ();
  VtKernel out;

  g_assert_true (parse (k, &out, NULL));
  g_assert_cmpuint (out.plan.kind, ==, VT_BOOT_KIND_BZIMAGE);
  g_assert_cmpuint (out.plan.setup_size, ==, SETUP_SIZE);
  g_assert_cmpuint (out.plan.segments[0].file_offset, ==, SETUP_SIZE);
  g_assert_cmpuint (out.plan.segments[0].file_size, ==, CODE_SIZE);
  g_assert_cmpuint (out.plan.segments[0].address, ==, 0x100000);
  g_assert_cmpuint (out.plan.initrd_lowest, ==, 0x1800000);
  g_assert_cmpuint (out.plan.initrd_highest, ==, 0x7fffffff);
  g_assert_cmpuint (out.cmdline_max, ==, 2047);
  refuse_prefixes (k);

  /* The oldest protocol that is taken: its fields end early and its size has 16 bits. */
  vt_st16 (k->data + 0x206, 0x0202);
  vt_st16 (k->data + 0x1f6, 0xffff);
  g_assert_true (parse (k, &out, NULL));
  g_assert_cmpuint (out.plan.initrd_lowest, ==, 0x101000);
  g_assert_cmpuint (out.plan.initrd_highest, ==, 0x37ffffff);
  g_assert_cmpuint (out.cmdline_max, ==, 255);
}

static void
test_bzimage_lies (void)
{
  VtKernel out;

  for (int n = 0; n < 6; n++)
    {
      g_autoptr (GByteArray) k = make_bzimage ();
      g_autoptr (GError) error = NULL;

      if (n == 0)
        vt_st16 (k->data + 0x206, 0x0201);
      else if (n == 1)
        k->data[0x211] = 0;
      else if (n == 2)
        k->data[0x1f1] = 255;
      else if (n == 3)
        vt_st32 (k->data + 0x1f4, UINT32_MAX);
      else if (n == 4)
        vt_st32 (k->data + 0x1f4, 0);
      else
        memcpy (k->data + 0x202, "hdrS", 4);
      g_assert_false (parse (k, &out, &error));
      g_assert_nonnull (error);
    }
  {
    g_autoptr (GByteArray) k = make_bzimage ();

    /* A preferred address that overflows can't make the kernel end low. */
    vt_st64 (k->data + 0x258, UINT64_MAX);
    g_assert_true (parse (k, &out, NULL));
    g_assert_cmpuint (out.plan.initrd_lowest, >=, 0x101000);
    vt_st64 (k->data + 0x258, UINT64_MAX - 0x800000);
    g_assert_true (parse (k, &out, NULL));
    g_assert_cmpuint (out.plan.initrd_lowest, ==, 0xfffff000);
    vt_st32 (k->data + 0x238, UINT32_MAX);
    g_assert_true (parse (k, &out, NULL));
    g_assert_cmpuint (out.cmdline_max, ==, 65535);
  }
}

static void
test_elf (gconstpointer data)
{
  bool wide = GPOINTER_TO_INT (data);
  g_autoptr (GByteArray) k = make_elf (wide);
  VtKernel out;

  g_assert_true (parse (k, &out, NULL));
  g_assert_cmpuint (out.plan.kind, ==, VT_BOOT_KIND_PVH);
  g_assert_cmpuint (out.plan.entry, ==, 0x100010);
  g_assert_cmpuint (out.plan.n_segments, ==, 1);
  g_assert_cmpuint (out.plan.segments[0].file_offset, ==, ELF_CODE_AT);
  g_assert_cmpuint (out.plan.segments[0].file_size, ==, ELF_CODE_SIZE);
  g_assert_cmpuint (out.plan.segments[0].memory_size, ==, ELF_MEMORY_SIZE);
  g_assert_cmpuint (out.plan.initrd_lowest, ==, 0x102000);
  refuse_prefixes (k);
}

static void
test_elf_lies (void)
{
  VtKernel out;

  for (int n = 0; n < 14; n++)
    {
      g_autoptr (GByteArray) k = make_elf (true);
      g_autoptr (GError) error = NULL;
      uint8_t *d = k->data, *load = d + 64, *note = d + ELF_NOTE_AT;

      switch (n)
        {
        case 0:
          d[4] = 3;
          break;
        case 1:
          vt_st16 (d + 18, 183);
          break;
        case 2:
          vt_st16 (d + 56, 0);
          break;
        case 3:
          vt_st16 (d + 56, 0xffff);
          break;
        case 4:
          vt_st64 (d + 32, UINT64_MAX - 8);
          break;
        case 5:
          vt_st64 (load + 8, UINT64_MAX - 8);
          break;
        case 6:
          vt_st64 (load + 40, 1); /* Memory size below file size. */
          break;
        case 7:
          vt_st64 (load + 24, 0x8000); /* Below 1 MiB. */
          break;
        case 8:
          vt_st64 (load + 24, 0xfffff000);
          break;
        case 9:
          vt_st64 (load + 24, UINT64_MAX);
          break;
        case 10:
          vt_st32 (note + 28, 17);
          break;
        case 11:
          vt_st32 (note, UINT32_MAX);
          break;
        case 12:
          vt_st32 (note + 36, 0x101000); /* An entry in memory that no file byte fills. */
          break;
        default:
          vt_st16 (d + 54, 8);
          break;
        }
      g_assert_false (parse (k, &out, &error));
      g_assert_nonnull (error);
    }
}

/* Whatever bytes there are, the plan that comes out stays inside the file and memory. */
static void
test_random (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);

  for (int n = 0; n < 20000; n++)
    {
      g_autoptr (GByteArray) k = n % 2 == 0 ? make_bzimage () : make_elf (n % 4 == 1);
      VtKernel out;

      for (int i = g_rand_int_range (rand, 1, 8); i > 0; i--)
        k->data[g_rand_int_range (rand, 0, 0x270)] = (uint8_t) g_rand_int (rand);
      if (!parse (k, &out, NULL))
        continue;
      g_assert_cmpuint (out.plan.n_segments, <=, VT_BOOT_SEGMENTS_MAX);
      g_assert_cmpuint (out.plan.setup_size, <=, k->len);
      for (unsigned i = 0; i < out.plan.n_segments; i++)
        {
          const VtBootSegment *s = &out.plan.segments[i];

          g_assert_true (vt_range_ok (s->file_offset, s->file_size, k->len));
          g_assert_cmpuint (s->file_size, <=, s->memory_size);
          g_assert_true (vt_range_ok (s->address, s->memory_size, 4 * VT_GIB));
        }
    }
}

/* Files ------------------------------------------------------------------------------------------ */

typedef struct
{
  char      *folder, *kernel, *initrd;
  VtContext *context;
  VtClock   *clock;
  VtFwCfg   *fw;
} Fixture;

static void
write_file (const char *path, const void *data, gsize size)
{
  g_assert_true (g_file_set_contents (path, data, (gssize) size, NULL));
}

static void
setup (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) k = make_bzimage ();
  VtDeviceEnv env;

  f->folder = g_dir_make_tmp ("vitrine-boot-XXXXXX", NULL);
  f->kernel = g_build_filename (f->folder, "vmlinuz", NULL);
  f->initrd = g_build_filename (f->folder, "initrd", NULL);
  write_file (f->kernel, k->data, k->len);
  write_file (f->initrd, "initial ram disk", 16);
  f->context = vt_context_new_manual ();
  f->clock = vt_clock_new_manual ();
  env = (VtDeviceEnv){ .context = f->context, .clock = f->clock };
  f->fw = (VtFwCfg *) vt_device_new (&vt_fw_cfg_class, "fw-cfg", &env);
  g_assert_true (vt_device_realize (&f->fw->base, NULL));
}

static void
teardown (Fixture *f, gconstpointer data)
{
  vt_device_free (&f->fw->base);
  vt_clock_free (f->clock);
  vt_context_free (f->context);
  g_unlink (f->kernel);
  g_unlink (f->initrd);
  g_rmdir (f->folder);
  g_free (f->kernel);
  g_free (f->initrd);
  g_free (f->folder);
}

static void
fetch (Fixture *f, uint16_t key, void *to, size_t len)
{
  VtRegion *ports = vt_device_region (&f->fw->base, 0);

  vt_region_write (ports, 0, 2, key);
  for (size_t i = 0; i < len; i++)
    ((uint8_t *) to)[i] = (uint8_t) vt_region_read (ports, 1, 1);
}

static void
test_add (Fixture *f, gconstpointer data)
{
  VtBootParams p = { f->kernel, f->initrd, "quiet", 256 * VT_MIB };
  VtBootPlan   plan;
  uint8_t      buf[SETUP_SIZE], rom[32768], sum = 0;
  uint32_t     pnp, pnp_sum = 0;

  g_assert_true (vt_boot_add (f->fw, &p, NULL));
  fetch (f, vt_fw_cfg_find (f->fw, VT_BOOT_PLAN_FILE), &plan, sizeof plan);
  g_assert_cmpuint (plan.magic, ==, VT_BOOT_PLAN_MAGIC);
  g_assert_cmpuint (plan.cmdline_size, ==, 6);
  g_assert_cmpuint (plan.initrd_size, ==, 16);
  fetch (f, vt_fw_cfg_find (f->fw, VT_BOOT_SETUP_FILE), buf, SETUP_SIZE);
  g_assert_cmpuint (buf[0x210], ==, 0xff);
  g_assert_cmpuint (buf[0x211], ==, 0x81);
  g_assert_cmpuint (vt_ld32 (buf + 0x228), ==, VT_BOOT_CMDLINE_AT);
  fetch (f, VT_FW_CFG_CMDLINE_DATA, buf, 6);
  g_assert_cmpstr ((char *) buf, ==, "quiet");
  fetch (f, VT_FW_CFG_KERNEL_SIZE, buf, 4);
  g_assert_cmpuint (vt_ld32 (buf), ==, CODE_SIZE);
  fetch (f, VT_FW_CFG_INITRD_DATA, buf, 16);
  g_assert_cmpmem (buf, 16, "initial ram disk", 16);

  /* The ROM is one: signature, size, sum; and its boot entry is inside. */
  fetch (f, vt_fw_cfg_find (f->fw, VT_BOOT_ROM_FILE), rom, sizeof rom);
  g_assert_cmpuint (vt_ld16 (rom), ==, 0xaa55);
  g_assert_cmpuint (rom[2], >, 0);
  g_assert_cmpuint (rom[2] * 512u, <=, sizeof rom);
  for (unsigned i = 0; i < rom[2] * 512u; i++)
    sum = (uint8_t) (sum + rom[i]);
  g_assert_cmpuint (sum, ==, 0);
  pnp = vt_ld16 (rom + 0x1a);
  g_assert_cmpmem (rom + pnp, 4, "$PnP", 4);
  for (unsigned i = 0; i < 32; i++)
    pnp_sum += rom[pnp + i];
  g_assert_cmpuint (pnp_sum & 0xff, ==, 0);
  g_assert_cmpuint (vt_ld16 (rom + pnp + 0x1a), <, rom[2] * 512u);
}

static void
test_add_pvh (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) k = make_elf (true);
  VtBootParams p = { f->kernel, NULL, NULL, 16 * VT_MIB };

  write_file (f->kernel, k->data, k->len);
  g_assert_true (vt_boot_add (f->fw, &p, NULL));
  g_assert_cmpuint (vt_fw_cfg_find (f->fw, VT_BOOT_ROM_FILE), !=, 0);
}

static void
refuse (Fixture *f, const VtBootParams *p, VitrineError code, const char *word)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (vt_boot_add (f->fw, p, &error));
  g_assert_error (error, VITRINE_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, word));
  g_assert_null (strchr (error->message, '\n'));
  g_assert_cmpuint (vt_fw_cfg_find (f->fw, VT_BOOT_ROM_FILE), ==, 0);
}

static void
test_bad_files (Fixture *f, gconstpointer data)
{
  g_autofree char *absent = g_build_filename (f->folder, "absent", NULL);
  g_autofree char *text = g_malloc0 (4096);

  memset (text, 'x', 4095);
  refuse (f, &(VtBootParams){ absent, NULL, NULL, VT_GIB }, VITRINE_ERROR_NOT_FOUND, absent);
  refuse (f, &(VtBootParams){ f->kernel, absent, NULL, VT_GIB }, VITRINE_ERROR_NOT_FOUND, absent);
  refuse (f, &(VtBootParams){ f->folder, NULL, NULL, VT_GIB }, VITRINE_ERROR_INVALID, f->folder);
  refuse (f, &(VtBootParams){ "/dev/zero", NULL, NULL, VT_GIB }, VITRINE_ERROR_INVALID,
          "/dev/zero");
  refuse (f, &(VtBootParams){ f->initrd, NULL, NULL, VT_GIB }, VITRINE_ERROR_INVALID,
          "not a Linux kernel");
  refuse (f, &(VtBootParams){ f->kernel, NULL, text, VT_GIB }, VITRINE_ERROR_INVALID,
          "command line");
  refuse (f, &(VtBootParams){ f->kernel, f->initrd, NULL, 25 * VT_MIB }, VITRINE_ERROR_NO_SPACE,
          "MiB");
  refuse (f, &(VtBootParams){ f->kernel, NULL, NULL, VT_MIB }, VITRINE_ERROR_NO_SPACE, "MiB");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/boot/bzimage", test_bzimage);
  g_test_add_func ("/boot/bzimage-lies", test_bzimage_lies);
  g_test_add_data_func ("/boot/elf32", GINT_TO_POINTER (0), test_elf);
  g_test_add_data_func ("/boot/elf64", GINT_TO_POINTER (1), test_elf);
  g_test_add_func ("/boot/elf-lies", test_elf_lies);
  g_test_add_func ("/boot/random", test_random);
  g_test_add ("/boot/add", Fixture, NULL, setup, test_add, teardown);
  g_test_add ("/boot/add-pvh", Fixture, NULL, setup, test_add_pvh, teardown);
  g_test_add ("/boot/bad-files", Fixture, NULL, setup, test_bad_files, teardown);
  return g_test_run ();
}
