/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ACPI tables as a firmware would place them: a small interpreter runs the loader script over
 * the files in a fake memory, then the tables are walked from the RSDP, and iasl takes each apart
 * and puts it together again without a complaint.
 */
#include <glib/gstdio.h>

#include "acpi/acpi.h"

/* A fake memory: the files at these addresses. */
#define TABLES_AT 0x7ffe0000u
#define RSDP_AT 0x000f5a00u

static GByteArray *
file_of (VtAcpiTables *t, const char *name, uint32_t *address)
{
  if (strcmp (name, VT_ACPI_TABLES_FILE) == 0)
    {
      *address = TABLES_AT;
      return t->tables;
    }
  g_assert_cmpstr (name, ==, VT_ACPI_RSDP_FILE);
  *address = RSDP_AT;
  return t->rsdp;
}

static uint8_t
sum (const uint8_t *p, uint32_t len)
{
  uint8_t s = 0;

  while (len-- > 0)
    s = (uint8_t) (s + *p++);
  return s;
}

static void
run_script (VtAcpiTables *t)
{
  unsigned allocated = 0;

  g_assert_cmpuint (t->loader->len % 128, ==, 0);
  for (guint at = 0; at < t->loader->len; at += 128)
    {
      const uint8_t *c = t->loader->data + at;
      uint32_t       address, target;
      GByteArray    *file = file_of (t, (const char *) c + 4, &address);

      switch (vt_ld32 (c))
        {
        case 1:
          /* Allocations come before anything uses the file. */
          g_assert_cmpuint (address % vt_ld32 (c + 60), ==, 0);
          g_assert_cmpuint (c[64], ==, address < VT_MIB ? VT_ACPI_ZONE_FSEG : VT_ACPI_ZONE_HIGH);
          allocated++;
          break;
        case 2:
          {
            uint32_t offset = vt_ld32 (c + 116);
            unsigned size = c[120];
            uint64_t v;

            g_assert_cmpuint (allocated, ==, 2);
            g_assert_true (vt_range_ok (offset, size, file->len));
            v = vt_ld (file->data + offset, size);
            g_assert_cmpuint (v, <, file_of (t, (const char *) c + 60, &target)->len);
            file_of (t, (const char *) c + 60, &target);
            vt_st (file->data + offset, size, v + target);
            break;
          }
        case 3:
          {
            uint32_t offset = vt_ld32 (c + 60), start = vt_ld32 (c + 64), len = vt_ld32 (c + 68);

            g_assert_true (vt_range_ok (start, len, file->len));
            g_assert_true (offset >= start && offset < start + len);
            g_assert_cmpuint (file->data[offset], ==, 0);
            file->data[offset] = (uint8_t) (0 - sum (file->data + start, len));
            break;
          }
        default:
          g_assert_not_reached ();
        }
    }
}

/* The table at physical @address, whose length and checksum hold. */
static const uint8_t *
table_at (VtAcpiTables *t, uint64_t address)
{
  uint64_t       offset = address - TABLES_AT;
  const uint8_t *p;

  g_assert_true (vt_range_ok (offset, 36, t->tables->len));
  p = t->tables->data + offset;
  g_assert_true (vt_range_ok (offset, vt_ld32 (p + 4), t->tables->len));
  g_assert_cmpuint (sum (p, vt_ld32 (p + 4)), ==, 0);
  return p;
}

static const uint8_t *
find (VtAcpiTables *t, const char *signature)
{
  const uint8_t *xsdt = table_at (t, vt_ld64 (t->rsdp->data + 24));

  for (uint32_t at = 36; at < vt_ld32 (xsdt + 4); at += 8)
    {
      const uint8_t *p = table_at (t, vt_ld64 (xsdt + at));

      if (memcmp (p, signature, 4) == 0)
        return p;
    }
  return NULL;
}

static void
params_full (VtAcpiParams *p)
{
  vt_acpi_params_init (p);
  p->n_cpus = 4;
  p->hole32_first = 0xc0000000;
  p->hole32_last = 0xfebfffff;
  p->hole64_first = UINT64_C (0x180000000);
  p->hole64_last = UINT64_C (0x97fffffff);
  p->has_hpet = true;
  p->serial_mask = 0x5;
}

static void
build (VtAcpiParams *p, VtAcpiTables *t)
{
  g_assert_true (vt_acpi_build (p, t, NULL));
  run_script (t);
}

static void
test_walk (void)
{
  VtAcpiParams   p;
  VtAcpiTables   t;
  const uint8_t *rsdt, *xsdt, *fadt, *dsdt;

  params_full (&p);
  build (&p, &t);
  g_assert_cmpmem (t.rsdp->data, 8, "RSD PTR ", 8);
  g_assert_cmpuint (sum (t.rsdp->data, 20), ==, 0);
  g_assert_cmpuint (sum (t.rsdp->data, 36), ==, 0);
  rsdt = table_at (&t, vt_ld32 (t.rsdp->data + 16));
  xsdt = table_at (&t, vt_ld64 (t.rsdp->data + 24));
  g_assert_cmpmem (rsdt, 4, "RSDT", 4);
  g_assert_cmpmem (xsdt, 4, "XSDT", 4);
  g_assert_cmpuint ((vt_ld32 (rsdt + 4) - 36) / 4, ==, (vt_ld32 (xsdt + 4) - 36) / 8);
  for (uint32_t i = 0; i < (vt_ld32 (rsdt + 4) - 36) / 4; i++)
    g_assert_cmpuint (vt_ld32 (rsdt + 36 + 4 * i), ==, vt_ld64 (xsdt + 36 + 8 * i));

  fadt = find (&t, "FACP");
  g_assert_cmpuint (vt_ld32 (fadt + 4), ==, 276);
  g_assert_cmpuint (vt_ld32 (fadt + 36) % 64, ==, 0);
  g_assert_cmpmem (t.tables->data + (vt_ld32 (fadt + 36) - TABLES_AT), 4, "FACS", 4);
  g_assert_cmpuint (vt_ld64 (fadt + 132), ==, 0);
  g_assert_cmpuint (vt_ld32 (fadt + 40), ==, vt_ld64 (fadt + 140));
  dsdt = table_at (&t, vt_ld64 (fadt + 140));
  g_assert_cmpmem (dsdt, 4, "DSDT", 4);
  g_assert_cmpuint (vt_ld32 (fadt + 76), ==, 0x608);
  g_assert_cmpuint (vt_ld64 (fadt + 120), ==, 0xcf9);
  g_assert_nonnull (find (&t, "HPET"));
  g_assert_cmpuint (vt_ld64 (find (&t, "MCFG") + 44), ==, 0xb0000000);
  g_assert_cmpuint (find (&t, "MCFG")[55], ==, 255);
  g_assert_nonnull (find (&t, "WAET"));
  vt_acpi_tables_clear (&t);

  vt_acpi_params_init (&p);
  p.ecam_size = 0;
  build (&p, &t);
  g_assert_null (find (&t, "HPET"));
  g_assert_null (find (&t, "MCFG"));
  vt_acpi_tables_clear (&t);
}

/* Every CPU once, 255 and above as x2APIC, in the order of the SSDT's processor devices. */
static void
test_madt (void)
{
  static const unsigned counts[] = { 1, 8, 255, 256, 300 };

  for (unsigned c = 0; c < G_N_ELEMENTS (counts); c++)
    {
      VtAcpiParams   p;
      VtAcpiTables   t;
      const uint8_t *madt, *ssdt;
      unsigned       next = 0, overrides = 0;
      char           last[8];

      params_full (&p);
      p.n_cpus = counts[c];
      build (&p, &t);
      madt = find (&t, "APIC");
      for (uint32_t at = 44; at < vt_ld32 (madt + 4); at += madt[at + 1])
        {
          const uint8_t *e = madt + at;

          g_assert_cmpuint (e[1], >=, 6);
          if (e[0] == 0)
            {
              g_assert_cmpuint (e[2], ==, next);
              g_assert_cmpuint (e[3], ==, next++);
            }
          else if (e[0] == 9)
            {
              g_assert_cmpuint (vt_ld32 (e + 4), ==, next);
              g_assert_cmpuint (vt_ld32 (e + 12), ==, next++);
            }
          else if (e[0] == 2)
            overrides++;
        }
      g_assert_cmpuint (next, ==, counts[c]);
      g_assert_cmpuint (overrides, ==, 2);
      ssdt = find (&t, "SSDT");
      g_snprintf (last, sizeof last, "C%03X", counts[c] - 1);
      g_assert_nonnull (memmem (ssdt, vt_ld32 (ssdt + 4), last, 4));
      g_snprintf (last, sizeof last, "C%03X", counts[c]);
      g_assert_null (memmem (ssdt, vt_ld32 (ssdt + 4), last, 4));
      g_assert_nonnull (memmem (ssdt, vt_ld32 (ssdt + 4), "COM3", 4));
      g_assert_null (memmem (ssdt, vt_ld32 (ssdt + 4), "COM2", 4));
      vt_acpi_tables_clear (&t);
    }
}

/* The routing rule and the DSDT's packages say the same, for both controllers. */
static void
test_routing (void)
{
  VtAcpiParams   p;
  VtAcpiTables   t;
  const uint8_t *dsdt, *apic, *pic;
  uint32_t       len;

  params_full (&p);
  build (&p, &t);
  dsdt = table_at (&t, vt_ld64 (find (&t, "FACP") + 140));
  len = vt_ld32 (dsdt + 4);
  apic = memmem (dsdt, len, "PRTA", 4);
  pic = memmem (dsdt, len, "PRTP", 4);
  g_assert_nonnull (apic);
  g_assert_nonnull (pic);
  /* Each entry is Package (4) {0xSSSSFFFF, pin, …}: 0x12, length, 4, then the address. */
  for (unsigned slot = 0; slot < 32; slot++)
    for (unsigned pin = 0; pin < 4; pin++)
      {
        unsigned pirq = slot <= 24 ? 4 + ((slot + pin) & 3) : pin;
        uint8_t  head[12] = { 0 }, want[24];
        char     link[] = "LNKA";
        size_t   n = 0, m;

        if (slot == 0)
          {
            head[n++] = 0x0b; /* WordPrefix: the address is 0xffff. */
            vt_st16 (head + n, 0xffff);
            n += 2;
          }
        else
          {
            head[n++] = 0x0c;
            vt_st32 (head + n, slot << 16 | 0xffff);
            n += 4;
          }
        if (pin > 1)
          head[n++] = 0x0a;
        head[n++] = (uint8_t) pin;
        memcpy (want, head, n);
        m = n;
        want[m++] = 0;
        want[m++] = 0x0a;
        want[m++] = (uint8_t) (16 + pirq);
        g_assert_nonnull (memmem (apic, len - (size_t) (apic - dsdt), want, m));
        memcpy (want, head, n);
        m = n;
        link[3] = (char) ('A' + pirq);
        memcpy (want + m, link, 4);
        m += 4;
        want[m++] = 0;
        g_assert_nonnull (memmem (pic, len - (size_t) (pic - dsdt), want, m));
      }
  vt_acpi_tables_clear (&t);
}

static char *
run_iasl (const char *folder, const char *const *args)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  char *out = NULL;
  int   status;

  g_ptr_array_add (argv, (char *) "iasl");
  for (; *args != NULL; args++)
    g_ptr_array_add (argv, (char *) *args);
  g_ptr_array_add (argv, NULL);
  g_spawn_sync (folder, (char **) argv->pdata, NULL,
                G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL, &status,
                &error);
  g_assert_no_error (error);
  if (status != 0)
    g_test_message ("%s", out);
  g_assert_cmpint (status, ==, 0);
  return out;
}

static void
iasl_round_trip (VtAcpiParams *p)
{
  g_autofree char *folder = g_dir_make_tmp ("vitrine-acpi-XXXXXX", NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  VtAcpiTables   t;
  const uint8_t *xsdt, *dsdt;

  build (p, &t);
  xsdt = table_at (&t, vt_ld64 (t.rsdp->data + 24));
  dsdt = table_at (&t, vt_ld64 (find (&t, "FACP") + 140));
  for (uint32_t at = 28; at < vt_ld32 (xsdt + 4); at += 8)
    {
      const uint8_t   *table = at == 28 ? dsdt : table_at (&t, vt_ld64 (xsdt + at));
      g_autofree char *name = g_ascii_strdown ((const char *) table, 4);
      g_autofree char *file = g_strdup_printf ("%s/%s.dat", folder, name);

      g_assert_true (g_file_set_contents (file, (const char *) table, vt_ld32 (table + 4), NULL));
      g_ptr_array_add (names, g_steal_pointer (&name));
    }
  for (guint i = 0; i < names->len; i++)
    {
      const char      *name = names->pdata[i];
      bool             code = g_str_has_suffix (name, "sdt");
      g_autofree char *dat = g_strdup_printf ("%s.dat", name);
      g_autofree char *dsl = g_strdup_printf ("%s.dsl", name);
      g_autofree char *again = g_strdup_printf ("%s-again", name);
      g_autofree char *again_path = g_strdup_printf ("%s/%s-again.aml", folder, name);
      g_autofree char *dat_path = g_strdup_printf ("%s/%s", folder, dat);
      g_autofree char *o1 = NULL, *o2 = NULL, *got = NULL, *want = NULL;
      gsize            got_len, want_len;

      if (strcmp (name, "ssdt") == 0)
        o1 = run_iasl (folder, (const char *[]){ "-e", "dsdt.dat", "-d", dat, NULL });
      else
        o1 = run_iasl (folder, (const char *[]){ "-d", dat, NULL });
      o2 = run_iasl (folder, (const char *[]){ "-we", "-p", again, dsl, NULL });
      if (code && strstr (o2, "0 Errors, 0 Warnings, 0 Remarks") == NULL)
        g_error ("%s: %s", name, o2);
      g_assert_null (strstr (o2, "Warning "));
      g_assert_null (strstr (o2, "Error "));
      /* Tables of data come out bit by bit as they went in, but for iasl's own name and version. */
      if (!code)
        {
          g_assert_true (g_file_get_contents (again_path, &got, &got_len, NULL));
          g_assert_true (g_file_get_contents (dat_path, &want, &want_len, NULL));
          g_assert_cmpuint (got_len, ==, want_len);
          g_assert_cmpmem (got + 36, (int) got_len - 36, want + 36, (int) want_len - 36);
        }
    }
  vt_acpi_tables_clear (&t);
  {
    g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
    const char *entry;

    while ((entry = g_dir_read_name (dir)) != NULL)
      {
        g_autofree char *path = g_build_filename (folder, entry, NULL);
        g_unlink (path);
      }
  }
  g_rmdir (folder);
}

static void
test_iasl (void)
{
  VtAcpiParams p;

  params_full (&p);
  iasl_round_trip (&p);
  vt_acpi_params_init (&p);
  p.has_s3 = p.has_s4 = false;
  p.n_cpus = 260;
  p.serial_mask = 0xf;
  iasl_round_trip (&p);
}

static void
extend_cb (void *data, VtAml *aml)
{
  vt_aml_scope (aml, "\\_SB");
  vt_aml_device (aml, "EXTR");
  vt_aml_name_string (aml, "_HID", "VTRN0001");
  vt_aml_end (aml);
  vt_aml_end (aml);
}

static void
bad_extend_cb (void *data, VtAml *aml)
{
  vt_aml_scope (aml, "\\_SB");
}

static void
test_extend (void)
{
  g_autoptr (GError) error = NULL;
  VtAcpiParams p;
  VtAcpiTables t;

  params_full (&p);
  p.extend = extend_cb;
  build (&p, &t);
  g_assert_nonnull (memmem (t.tables->data, t.tables->len, "VTRN0001", 8));
  vt_acpi_tables_clear (&t);
  p.extend = bad_extend_cb;
  g_assert_false (vt_acpi_build (&p, &t, &error));
  g_assert_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED);
}

static void
test_bad_params (void)
{
  VtAcpiParams p;
  VtAcpiTables t;

  vt_acpi_params_init (&p);
  p.n_cpus = 0;
  g_assert_false (vt_acpi_build (&p, &t, NULL));
  p.n_cpus = 1 << 20;
  g_assert_false (vt_acpi_build (&p, &t, NULL));
  params_full (&p);
  p.hole32_first = 0xa0000000;
  g_assert_false (vt_acpi_build (&p, &t, NULL));
  params_full (&p);
  p.ecam_size = 12345;
  g_assert_false (vt_acpi_build (&p, &t, NULL));
}

static void
update_cb (void *data, VtAcpiParams *p)
{
  p->hole64_last += *(uint64_t *) data;
}

/* Through fw_cfg: sizes stay those of the directory, contents follow the update. */
static void
test_files (void)
{
  VtContext   *context = vt_context_new_manual ();
  VtClock     *clock = vt_clock_new_manual ();
  VtDeviceEnv  env = { .context = context, .clock = clock };
  VtFwCfg     *fw = (VtFwCfg *) vt_device_new (&vt_fw_cfg_class, "fw-cfg", &env);
  VtRegion    *ports;
  uint64_t     more = VT_GIB;
  VtAcpiParams p;
  g_autoptr (GByteArray) blob = g_byte_array_new ();
  uint8_t end[8];

  g_assert_true (vt_device_realize (&fw->base, NULL));
  ports = vt_device_region (&fw->base, 0);
  params_full (&p);
  p.update = update_cb;
  p.data = &more;
  g_assert_true (vt_acpi_add_files (fw, &p, NULL));
  vt_st64 (end, p.hole64_last);
  vt_region_write (ports, 0, 2, vt_fw_cfg_find (fw, VT_ACPI_TABLES_FILE));
  for (unsigned i = 0; i < 16384; i++)
    {
      uint8_t v = (uint8_t) vt_region_read (ports, 1, 1);
      g_byte_array_append (blob, &v, 1);
    }
  g_assert_null (memmem (blob->data, blob->len, end, 8));
  vt_st64 (end, p.hole64_last);
  g_assert_nonnull (memmem (blob->data, blob->len, end, 8));
  vt_device_free (&fw->base);
  vt_clock_free (clock);
  vt_context_free (context);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/acpi/walk", test_walk);
  g_test_add_func ("/acpi/madt", test_madt);
  g_test_add_func ("/acpi/routing", test_routing);
  g_test_add_func ("/acpi/iasl", test_iasl);
  g_test_add_func ("/acpi/extend", test_extend);
  g_test_add_func ("/acpi/bad-params", test_bad_params);
  g_test_add_func ("/acpi/files", test_files);
  return g_test_run ();
}
