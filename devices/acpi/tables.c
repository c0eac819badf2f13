/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ACPI tables with a fixed layout, and the files in which the firmware gets them all. ACPI 6.0,
 * chapter 5.2; HPET 1.0a, 3.2.4; PCI Firmware 3.2, 4.1.2; Windows ACPI Emulated Devices Table 1.0.
 */
#include "acpi/acpi.h"

/* data/dsdt.asl, compiled. */
extern const uint8_t vt_acpi_dsdt[];
extern const size_t  vt_acpi_dsdt_size;

#define HEADER_SIZE 36
#define FADT_SIZE 276
#define FACS_SIZE 64
#define RSDP_SIZE 36

#define LAPIC_BASE 0xfee00000
#define IOAPIC_BASE 0xfec00000

/* Room for what an update may add, so that the files keep the sizes that the directory gave. */
#define SLACK 512

#define MAX_CPUS 4096

typedef struct
{
  const VtAcpiParams *p;
  GByteArray         *blob;   /* The tables file. */
  GByteArray         *script;
  GArray             *listed; /* uint32_t: offsets of the tables that RSDT and XSDT name. */
} Build;

/* Appends a table of @size zeroed bytes with its header (5.2.6). Returns where it begins. */
static uint32_t
begin_table (Build *b, const char *signature, unsigned revision, uint32_t size)
{
  uint32_t at = (uint32_t) vt_align_up (b->blob->len, 8);
  uint8_t *t;

  g_byte_array_set_size (b->blob, at + size);
  t = b->blob->data + at;
  memset (b->blob->data + at, 0, size);
  memcpy (t, signature, 4);
  t[8] = (uint8_t) revision;
  memcpy (t + 10, "VITRIN", 6);
  memcpy (t + 16, "VTRNQ35 ", 8);
  vt_st32 (t + 24, 1);
  memcpy (t + 28, "VTRN", 4);
  vt_st32 (t + 32, 1);
  return at;
}

static uint8_t *
grow (Build *b, uint32_t size)
{
  guint at = b->blob->len;

  g_byte_array_set_size (b->blob, at + size);
  memset (b->blob->data + at, 0, size);
  return b->blob->data + at;
}

/* The table from @at is complete: its length, and its checksum once pointers are patched. */
static void
end_table (Build *b, uint32_t at, bool listed)
{
  uint32_t length = b->blob->len - at;

  vt_st32 (b->blob->data + at + 4, length);
  vt_acpi_loader_checksum (b->script, VT_ACPI_TABLES_FILE, at + 9, at, length);
  if (listed)
    g_array_append_val (b->listed, at);
}

/* A pointer of @size bytes at @offset of the tables file to @to in it. */
static void
point (Build *b, uint32_t offset, uint8_t size, uint32_t to)
{
  vt_st (b->blob->data + offset, size, to);
  vt_acpi_loader_pointer (b->script, VT_ACPI_TABLES_FILE, offset, size, VT_ACPI_TABLES_FILE);
}

/* 5.2.3.2: a generic address in I/O space. */
static void
put_gas (uint8_t *at, unsigned bits, unsigned access, uint64_t address)
{
  at[0] = 1;
  at[1] = (uint8_t) bits;
  at[3] = (uint8_t) access;
  vt_st64 (at + 4, address);
}

/* 5.2.10 */
static uint32_t
build_facs (Build *b)
{
  uint8_t *t = grow (b, FACS_SIZE);

  memcpy (t, "FACS", 4);
  vt_st32 (t + 4, FACS_SIZE);
  t[32] = 2;
  return 0;
}

/* A table that comes ready, with or without its header. */
static uint32_t
build_code (Build *b, const char *signature, unsigned revision, const uint8_t *body, size_t size)
{
  uint32_t at = begin_table (b, signature, revision, HEADER_SIZE + (uint32_t) size);

  memcpy (b->blob->data + at + HEADER_SIZE, body, size);
  return at;
}

/* 5.2.9 */
static void
build_fadt (Build *b, uint32_t facs, uint32_t dsdt)
{
  const VtAcpiParams *p = b->p;
  uint32_t            at = begin_table (b, "FACP", 6, FADT_SIZE);
  uint8_t            *t = b->blob->data + at;
  uint32_t            flags = 0;

  t[45] = 1; /* Preferred_PM_Profile: desktop. */
  vt_st16 (t + 46, p->sci);
  vt_st32 (t + 48, p->smi_command);
  if (p->smi_command != 0)
    {
      t[52] = p->acpi_enable;
      t[53] = p->acpi_disable;
    }
  vt_st32 (t + 56, p->pm_base);
  vt_st32 (t + 64, p->pm_base + 4u);
  vt_st32 (t + 76, p->pm_base + 8u);
  vt_st32 (t + 80, p->gpe0_base);
  t[88] = 4;
  t[89] = 2;
  t[91] = 4;
  t[92] = p->gpe0_length;
  vt_st16 (t + 96, 0x0fff); /* P_LVL2_LAT, P_LVL3_LAT: neither state is there. */
  vt_st16 (t + 98, 0x0fff);
  t[108] = 0x32; /* CENTURY in the RTC's memory. */
  /* IAPC_BOOT_ARCH (5.2.9.3): legacy devices, 8042. */
  vt_st16 (t + 109, p->has_8042 ? 0x0003 : 0x0001);

  flags |= 1 << 0;  /* WBINVD */
  flags |= 1 << 2;  /* PROC_C1 */
  flags |= 1 << 5;  /* SLP_BUTTON: not a fixed feature; the power button is one. */
  flags |= p->rtc_wake ? 0 : 1 << 6; /* FIX_RTC */
  flags |= 1 << 10; /* RESET_REG_SUP */
  flags |= 1 << 15; /* USE_PLATFORM_CLOCK */
  /* FORCE_APIC_CLUSTER_MODEL: flat logical ids end at eight. */
  flags |= p->n_cpus > 8 ? 1 << 18 : 0;
  vt_st32 (t + 112, flags);

  put_gas (t + 116, 8, 1, 0x0cf9); /* RESET_REG: ICH9 13.7.5, full reset. */
  t[128] = 0x0e;

  put_gas (t + 148, 32, 2, p->pm_base);
  put_gas (t + 172, 16, 2, p->pm_base + 4u);
  put_gas (t + 208, 32, 3, p->pm_base + 8u);
  put_gas (t + 220, p->gpe0_length * 8u, 1, p->gpe0_base);

  /* The firmware looks for the FACS by the 32-bit field alone, and a guest wants only one of them. */
  point (b, at + 36, 4, facs);
  point (b, at + 40, 4, dsdt);
  point (b, at + 140, 8, dsdt);
  end_table (b, at, true);
}

/* 5.2.12 */
static void
build_madt (Build *b)
{
  const VtAcpiParams *p = b->p;
  uint32_t            at = begin_table (b, "APIC", 4, HEADER_SIZE + 8);
  uint8_t            *t = b->blob->data + at + HEADER_SIZE;
  bool                x2apic = false;

  vt_st32 (t, LAPIC_BASE);
  vt_st32 (t + 4, 1); /* PCAT_COMPAT: there is a PIC pair. */

  for (unsigned i = 0; i < p->n_cpus; i++)
    if (i < 255)
      {
        t = grow (b, 8); /* 5.2.12.2: processor local APIC. */
        t[0] = 0;
        t[1] = 8;
        t[2] = (uint8_t) i;
        t[3] = (uint8_t) i;
        vt_st32 (t + 4, 1);
      }
    else
      {
        x2apic = true;
        t = grow (b, 16); /* 5.2.12.12: processor local x2APIC. */
        t[0] = 9;
        t[1] = 16;
        vt_st32 (t + 4, i);
        vt_st32 (t + 8, 1);
        vt_st32 (t + 12, i);
      }

  t = grow (b, 12); /* 5.2.12.3: I/O APIC 0, from GSI 0. */
  t[0] = 1;
  t[1] = 12;
  vt_st32 (t + 4, IOAPIC_BASE);

  /* 5.2.12.5: interrupt source overrides. */
  if (p->irq0_override)
    {
      t = grow (b, 10);
      t[0] = 2;
      t[1] = 10;
      vt_st32 (t + 4, 2);
    }
  t = grow (b, 10);
  t[0] = 2;
  t[1] = 10;
  t[3] = p->sci;
  vt_st32 (t + 4, p->sci);
  vt_st16 (t + 8, 0x000d); /* ICH9 13.8.3.1: the SCI on IRQ 9 is level-triggered, active high. */

  t = grow (b, 6); /* 5.2.12.7: NMI on LINT1 of every local APIC. */
  t[0] = 4;
  t[1] = 6;
  t[2] = 0xff;
  t[5] = 1;
  if (x2apic)
    {
      t = grow (b, 12); /* 5.2.12.13 */
      t[0] = 10;
      t[1] = 12;
      vt_st32 (t + 4, UINT32_MAX);
      t[8] = 1;
    }
  end_table (b, at, true);
}

static void
build_hpet (Build *b)
{
  uint32_t at = begin_table (b, "HPET", 1, 56);
  uint8_t *t = b->blob->data + at;

  vt_st32 (t + 36, b->p->hpet_id);
  t[41] = 64;
  vt_st64 (t + 44, b->p->hpet_base);
  vt_st16 (t + 53, 0x80); /* The least periodic tick that loses no interrupt. */
  end_table (b, at, true);
}

static void
build_mcfg (Build *b)
{
  uint32_t at = begin_table (b, "MCFG", 1, HEADER_SIZE + 8 + 16);
  uint8_t *t = b->blob->data + at + HEADER_SIZE + 8;

  vt_st64 (t, b->p->ecam_base);
  t[11] = (uint8_t) ((b->p->ecam_size >> 20) - 1);
  end_table (b, at, true);
}

static void
build_waet (Build *b)
{
  uint32_t at = begin_table (b, "WAET", 1, HEADER_SIZE + 4);

  vt_st32 (b->blob->data + at + HEADER_SIZE, b->p->waet);
  end_table (b, at, true);
}

/* 5.2.7, 5.2.8 */
static uint32_t
build_root (Build *b, const char *signature, uint8_t width)
{
  uint32_t at = begin_table (b, signature, 1, HEADER_SIZE + width * b->listed->len);

  for (guint i = 0; i < b->listed->len; i++)
    point (b, at + HEADER_SIZE + i * width, width, g_array_index (b->listed, uint32_t, i));
  end_table (b, at, false);
  return at;
}

/* 5.2.5.3 */
static void
build_rsdp (GByteArray *rsdp, GByteArray *script, uint32_t rsdt, uint32_t xsdt)
{
  uint8_t t[RSDP_SIZE] = { 0 };

  memcpy (t, "RSD PTR ", 8);
  memcpy (t + 9, "VITRIN", 6);
  t[15] = 2;
  vt_st32 (t + 16, rsdt);
  vt_st32 (t + 20, sizeof t);
  vt_st64 (t + 24, xsdt);
  g_byte_array_append (rsdp, t, sizeof t);
  vt_acpi_loader_pointer (script, VT_ACPI_RSDP_FILE, 16, 4, VT_ACPI_TABLES_FILE);
  vt_acpi_loader_pointer (script, VT_ACPI_RSDP_FILE, 24, 8, VT_ACPI_TABLES_FILE);
  vt_acpi_loader_checksum (script, VT_ACPI_RSDP_FILE, 8, 0, 20);
  vt_acpi_loader_checksum (script, VT_ACPI_RSDP_FILE, 32, 0, sizeof t);
}

static bool
check_params (const VtAcpiParams *p, GError **error)
{
  uint64_t end;

  if (p->n_cpus == 0 || p->n_cpus > MAX_CPUS)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The ACPI tables can't describe %u CPUs; choose 1 to %d.", p->n_cpus,
                         MAX_CPUS);
  if (p->ecam_size % VT_MIB != 0 || p->ecam_size > 256 * VT_MIB ||
      !vt_add (p->ecam_base, (uint64_t) p->ecam_size, &end))
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The PCI Express window of %u bytes is not 1 to 256 MiB.", p->ecam_size);
  if (p->hole32_last != 0 && p->ecam_size != 0 && p->ecam_base <= p->hole32_last &&
      end > p->hole32_first)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The PCI window lies over the PCI Express configuration window.");
  return true;
}

void
vt_acpi_params_init (VtAcpiParams *params)
{
  *params = (VtAcpiParams){
    .n_cpus = 1,
    .ecam_base = 0xb0000000,
    .ecam_size = 256 * VT_MIB,
    .pm_base = 0x600,
    .gpe0_base = 0x620,
    .gpe0_length = 16,
    .sci = 9,
    .smi_command = 0xb2,
    .acpi_enable = 2,
    .acpi_disable = 3,
    .rtc_wake = true,
    .has_s3 = true,
    .has_s4 = true,
    .s3_type = 5, /* ICH9 13.8.3.3: SLP_TYP. */
    .s4_type = 6,
    .s5_type = 7,
    .hpet_base = 0xfed00000,
    .hpet_id = 0x8086a201,
    .irq0_override = true,
    .has_8042 = true,
    .waet = VT_ACPI_WAET_TIMER_GOOD,
  };
}

void
vt_acpi_tables_clear (VtAcpiTables *tables)
{
  g_clear_pointer (&tables->tables, g_byte_array_unref);
  g_clear_pointer (&tables->rsdp, g_byte_array_unref);
  g_clear_pointer (&tables->loader, g_byte_array_unref);
}

bool
vt_acpi_build (const VtAcpiParams *params, VtAcpiTables *out, GError **error)
{
  g_autoptr (GBytes) ssdt = NULL;
  g_autoptr (GArray) listed = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  Build    b = { .p = params, .listed = listed };
  uint32_t facs, dsdt, at, rsdt, xsdt;

  if (!check_params (params, error))
    return false;
  ssdt = vt_acpi_ssdt (params);
  if (ssdt == NULL)
    return vt_set_error (error, VITRINE_ERROR_FAILED,
                         "A device's ACPI description is malformed; please report this.");

  *out = (VtAcpiTables){ g_byte_array_new (), g_byte_array_new (), g_byte_array_new () };
  b.blob = out->tables;
  b.script = out->loader;
  vt_acpi_loader_allocate (b.script, VT_ACPI_RSDP_FILE, 16, VT_ACPI_ZONE_FSEG);
  vt_acpi_loader_allocate (b.script, VT_ACPI_TABLES_FILE, 64, VT_ACPI_ZONE_HIGH);

  /* The FACS is first, because it has to be aligned to 64 bytes. */
  facs = build_facs (&b);
  dsdt = build_code (&b, "DSDT", 2, vt_acpi_dsdt + HEADER_SIZE, vt_acpi_dsdt_size - HEADER_SIZE);
  memcpy (b.blob->data + dsdt + 10, vt_acpi_dsdt + 10, HEADER_SIZE - 10);
  end_table (&b, dsdt, false);
  build_fadt (&b, facs, dsdt);
  at = build_code (&b, "SSDT", 2, g_bytes_get_data (ssdt, NULL), g_bytes_get_size (ssdt));
  memcpy (b.blob->data + at + 16, "VTRNSSDT", 8);
  end_table (&b, at, true);
  build_madt (&b);
  if (params->has_hpet)
    build_hpet (&b);
  if (params->ecam_size != 0)
    build_mcfg (&b);
  build_waet (&b);
  rsdt = build_root (&b, "RSDT", 4);
  xsdt = build_root (&b, "XSDT", 8);
  build_rsdp (out->rsdp, b.script, rsdt, xsdt);
  return true;
}

/* Files ---------------------------------------------------------------------------------------- */

static GBytes *
generate (VtAcpiParams *params, size_t member)
{
  VtAcpiTables tables = { NULL };
  GByteArray **take = (GByteArray **) (void *) ((char *) &tables + member);
  GBytes      *bytes = NULL;

  if (params->update != NULL)
    params->update (params->data, params);
  if (vt_acpi_build (params, &tables, NULL))
    bytes = g_byte_array_free_to_bytes (g_steal_pointer (take));
  vt_acpi_tables_clear (&tables);
  return bytes;
}

static GBytes *
tables_cb (void *data)
{
  return generate (data, offsetof (VtAcpiTables, tables));
}

static GBytes *
rsdp_cb (void *data)
{
  return generate (data, offsetof (VtAcpiTables, rsdp));
}

static GBytes *
loader_cb (void *data)
{
  return generate (data, offsetof (VtAcpiTables, loader));
}

bool
vt_acpi_add_files (VtFwCfg *fw, VtAcpiParams *params, GError **error)
{
  VtAcpiTables tables = { NULL };
  bool         ok;

  if (!vt_acpi_build (params, &tables, error))
    return false;
  /* The script's padding is commands of number zero, which firmware skips. */
  ok = vt_fw_cfg_add_file_generated (fw, VT_ACPI_TABLES_FILE,
                                     vt_align_up (tables.tables->len + SLACK, 4096), tables_cb,
                                     params, error) &&
       vt_fw_cfg_add_file_generated (fw, VT_ACPI_RSDP_FILE, tables.rsdp->len, rsdp_cb, params,
                                     error) &&
       vt_fw_cfg_add_file_generated (fw, VT_ACPI_LOADER_FILE,
                                     vt_align_up (tables.loader->len, 4096), loader_cb, params,
                                     error);
  vt_acpi_tables_clear (&tables);
  return ok;
}
