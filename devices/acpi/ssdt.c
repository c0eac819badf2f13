/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The SSDT: the name space that differs from machine to machine. What never changes is in
 * data/dsdt.asl. ACPI 6.0.
 */
#include "acpi/acpi.h"

/* 7.3.4: Name (_Sx, Package () { PM1a type, PM1b type, 0, 0 }). */
static void
sleep_state (VtAml *aml, const char *path, uint8_t type)
{
  vt_aml_name (aml, path);
  vt_aml_package (aml, 4);
  vt_aml_integer (aml, type);
  vt_aml_integer (aml, type);
  vt_aml_integer (aml, 0);
  vt_aml_integer (aml, 0);
  vt_aml_end (aml);
}

/* 8.4: a processor device for each entry of the MADT, by the same _UID. */
static void
processors (VtAml *aml, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    {
      char name[8];

      g_snprintf (name, sizeof name, "C%03X", i);
      vt_aml_device (aml, name);
      vt_aml_name_string (aml, "_HID", "ACPI0007");
      vt_aml_name_integer (aml, "_UID", i);
      vt_aml_end (aml);
    }
}

static void
host_bridge_windows (VtAml *aml, const VtAcpiParams *p)
{
  unsigned last_bus = p->ecam_size == 0 ? 255 : (unsigned) (p->ecam_size >> 20) - 1;

  vt_aml_scope (aml, "\\_SB.PCI0");
  vt_aml_name (aml, "_CRS");
  vt_aml_resources (aml);
  vt_aml_bus_range (aml, 0, (uint16_t) last_bus);
  vt_aml_io (aml, 0x0cf8, 8); /* Its own: the configuration ports. */
  vt_aml_io_range (aml, 0x0000, 0x0cf7);
  vt_aml_io_range (aml, 0x0d00, 0xffff);
  vt_aml_memory_range32 (aml, 0x000a0000, 0x000bffff); /* VGA */
  if (p->hole32_last > p->hole32_first)
    vt_aml_memory_range32 (aml, p->hole32_first, p->hole32_last);
  if (p->hole64_last > p->hole64_first)
    vt_aml_memory_range64 (aml, p->hole64_first, p->hole64_last, true);
  vt_aml_end (aml);
  vt_aml_end (aml);
}

/* What is claimed by no other device: without it a guest may place a BAR there, and Linux does not
 * trust the MCFG table. */
static void
motherboard (VtAml *aml, const VtAcpiParams *p)
{
  vt_aml_device (aml, "MBRD");
  vt_aml_name_eisa_id (aml, "_HID", "PNP0C02");
  vt_aml_name_integer (aml, "_UID", 0);
  vt_aml_name (aml, "_CRS");
  vt_aml_resources (aml);
  if (p->ecam_size != 0 && p->ecam_base + p->ecam_size <= 4 * VT_GIB)
    vt_aml_memory32_fixed (aml, (uint32_t) p->ecam_base, p->ecam_size, true);
  vt_aml_memory32_fixed (aml, 0xfec00000, 0x1000, true);   /* I/O APIC */
  vt_aml_memory32_fixed (aml, 0xfed1c000, 0x4000, true);   /* Root complex registers */
  vt_aml_memory32_fixed (aml, 0xfee00000, 0x100000, true); /* Local APICs and messages */
  vt_aml_io (aml, p->pm_base, 0x80);
  vt_aml_io (aml, 0x00b2, 2);
  vt_aml_end (aml);
  vt_aml_end (aml);
}

static void
hpet (VtAml *aml, const VtAcpiParams *p)
{
  vt_aml_device (aml, "HPET");
  vt_aml_name_eisa_id (aml, "_HID", "PNP0103");
  vt_aml_name_integer (aml, "_UID", 0);
  vt_aml_name (aml, "_CRS");
  vt_aml_resources (aml);
  vt_aml_memory32_fixed (aml, p->hpet_base, 0x400, false);
  vt_aml_end (aml);
  vt_aml_end (aml);
}

static void
serial_port (VtAml *aml, unsigned n)
{
  static const uint16_t ports[4] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
  static const uint8_t  irqs[4] = { 4, 3, 4, 3 };
  char                  name[5];

  g_snprintf (name, sizeof name, "COM%u", (n & 3) + 1);
  vt_aml_device (aml, name);
  vt_aml_name_eisa_id (aml, "_HID", "PNP0501");
  vt_aml_name_integer (aml, "_UID", n + 1);
  vt_aml_name (aml, "_CRS");
  vt_aml_resources (aml);
  vt_aml_io (aml, ports[n & 3], 8);
  vt_aml_irq (aml, irqs[n & 3]);
  vt_aml_end (aml);
  vt_aml_end (aml);
}

/* By this id a Linux guest finds the device and shows its files in sysfs. */
static void
fw_cfg (VtAml *aml)
{
  vt_aml_device (aml, "FWCF");
  vt_aml_name_string (aml, "_HID", "QEMU0002");
  vt_aml_name_integer (aml, "_STA", 0x0b); /* Not shown to the user. */
  vt_aml_name (aml, "_CRS");
  vt_aml_resources (aml);
  vt_aml_io (aml, 0x0510, 12);
  vt_aml_end (aml);
  vt_aml_end (aml);
}

GBytes *
vt_acpi_ssdt (const VtAcpiParams *p)
{
  VtAml *aml = vt_aml_new ();

  if (p->has_s3)
    sleep_state (aml, "\\_S3", p->s3_type);
  if (p->has_s4)
    sleep_state (aml, "\\_S4", p->s4_type);
  sleep_state (aml, "\\_S5", p->s5_type);

  vt_aml_scope (aml, "\\_SB");
  processors (aml, p->n_cpus);
  motherboard (aml, p);
  if (p->has_hpet)
    hpet (aml, p);
  vt_aml_end (aml);

  host_bridge_windows (aml, p);

  vt_aml_scope (aml, "\\_SB.PCI0.LPC");
  for (unsigned n = 0; n < 4; n++)
    if (p->serial_mask & 1u << n)
      serial_port (aml, n);
  fw_cfg (aml);
  vt_aml_end (aml);

  if (p->extend != NULL)
    p->extend (p->data, aml);
  return vt_aml_free_to_bytes (aml);
}
