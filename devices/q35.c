/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The q35 board: a Q35 memory controller hub, an ICH9, and what a PC has beside them, wired as stock
 * firmware and operating systems expect. Where each thing is on bus 0:
 *
 *   00.0  memory controller hub      1c.0, 1c.1  PCI Express root ports
 *   01.0  display                    1f.0  LPC bridge   1f.2  AHCI   1f.3  SMBus
 */
#include "acpi/acpi.h"
#include "boot/boot.h"
#include "chips.h"
#include "gpu/bochs-display.h"
#include "gpu/vga.h"
#include "pci/ich9-lpc.h"
#include "pci/ich9-smbus.h"
#include "pci/pcie-root-port.h"
#include "pci/q35-host.h"
#include "platform/bios-rom.h"
#include "platform/debug-exit.h"
#include "platform/debug-port.h"
#include "platform/firmware.h"
#include "platform/fw-cfg.h"
#include "platform/hpet.h"
#include "platform/i8042.h"
#include "platform/mc146818.h"
#include "platform/pflash.h"
#include "platform/port92.h"
#include "platform/serial-16550.h"
#include "smbios/smbios.h"
#include "storage/ahci.h"
#include "vt-board.h"

#define FOUR_GIB (4 * VT_GIB)
/* The PCI hole begins at the ECAM. Memory that reaches it is cut at 2 GiB, so that what is moved above
 * 4 GiB keeps its gigabyte pages aligned. */
#define LOW_RAM_MAX VT_Q35_HOST_ECAM_BASE
#define LOW_RAM_CUT (2 * VT_GIB)
#define HOLE32_FIRST (VT_Q35_HOST_ECAM_BASE + VT_Q35_HOST_ECAM_SIZE)
#define HOLE32_LAST UINT32_C (0xfebfffff) /* The I/O APIC comes next. */
#define HOLE64_SIZE (32 * VT_GIB)

#define PM_BASE 0x600 /* Where stock firmware puts PMBASE. */
#define SCI 9
#define N_ROOT_PORTS 2

#define FIRMWARE_FOLDERS "/usr/share/seabios", "/usr/share/qemu", "/usr/share/vgabios"

typedef struct
{
  VtMachine     *machine;
  VitrineConfig *config;
  uint64_t       low_ram, high_ram, firmware; /* Bytes. */
  VtQ35Host     *host;
  VtIch9Lpc     *lpc;
  VtHpet        *hpet;
  VtFwCfg       *fw;
  GPtrArray     *boot; /* Firmware paths, owned. */
  bool           kernel; /* It boots a kernel given directly, and nothing else. */
} Board;

/* Devices ------------------------------------------------------------------------------------ */

static void
free_line_cb (void *line)
{
  vt_line_free (line);
}

/* One more source for interrupt @gsi, freed with the machine. */
static VtLine *
gsi (Board *b, unsigned n)
{
  VtLine *line = vt_line_share (vt_machine_gsi (b->machine, n));

  vt_machine_own (b->machine, line, free_line_cb);
  return line;
}

static VtLine *
request (Board *b, VtRequest what)
{
  return vt_machine_request_line (b->machine, what);
}

static void *
add (Board *b, const VtDeviceClass *klass, const char *path)
{
  return vt_machine_add (b->machine, klass, path, vt_machine_env (b->machine));
}

static void *
add_pci (Board *b, const VtDeviceClass *klass, const char *path, unsigned slot, unsigned function,
         const VtDeviceEnv *env)
{
  VtPciFunction *fn = (VtPciFunction *) vt_machine_add (b->machine, klass, path, env);

  fn->bus = b->host->bus;
  fn->devfn = VT_PCI_DEVFN (slot, function);
  return fn;
}

static bool
realize (void *dev, GError **error)
{
  return vt_device_realize (dev, error);
}

static bool
add_memory (Board *b, GError **error)
{
  uint64_t size = vt_ram_size (vt_machine_ram (b->machine));

  b->low_ram = size < LOW_RAM_MAX ? size : LOW_RAM_CUT;
  b->high_ram = size - b->low_ram;
  /* 640 KiB to 1 MiB is the host bridge's: VGA, ROM, shadow RAM. */
  vt_machine_map_ram (b->machine, 0, 640 * VT_KIB, 0);
  if (b->low_ram > VT_MIB)
    vt_machine_map_ram (b->machine, VT_MIB, b->low_ram - VT_MIB, VT_MIB);
  if (b->high_ram != 0)
    vt_machine_map_ram (b->machine, b->low_ram, b->high_ram, FOUR_GIB);
  return true;
}

static void
free_chips_cb (void *chips)
{
  vt_pc_chips_free (chips);
}

/* The interrupt controllers and the interval timer, for a CPU engine that has none inside. They are
 * saved where KVM's are, so that either engine can go on from what the other has saved. */
static bool
add_chips (Board *b, GError **error)
{
  const VtDeviceEnv *env;
  VtPcChips         *chips;

  if (!vt_machine_wants_chips (b->machine))
    return true;
  chips = vt_pc_chips_new ();
  vt_machine_own (b->machine, chips, free_chips_cb);
  env = vt_machine_env_new (b->machine, "apic");
  for (unsigned n = 0; n < vt_machine_n_cpus (b->machine); n++)
    {
      g_autofree char *path = g_strdup_printf ("cpu/%u/lapic", n);
      VtLapic         *lapic = (VtLapic *) vt_machine_add (b->machine, &vt_lapic_class, path, env);

      lapic->id = n;
      lapic->bus = chips->bus;
      if (!realize (lapic, error))
        return false;
    }
  chips->pic = add (b, &vt_i8259_class, "cpu/pic");
  chips->ioapic = add (b, &vt_ioapic_class, "cpu/ioapic");
  chips->pit = add (b, &vt_i8254_class, "cpu/pit");
  vt_pc_chips_wire (chips);
  chips->pit->irq = gsi (b, 0);
  if (!realize (chips->pic, error) || !realize (chips->ioapic, error) || !realize (chips->pit, error))
    return false;
  vt_machine_set_chips (b->machine, &chips->chips);
  return true;
}

static bool
add_chipset (Board *b, GError **error)
{
  VtIch9Smbus *smbus;

  b->host = add (b, &vt_q35_host_class, "host");
  b->host->msi = vt_machine_msi (b->machine);
  b->host->ram = vt_machine_ram (b->machine);
  b->host->low_ram = b->low_ram;
  b->host->high_ram = b->high_ram;
  b->host->smm = vt_machine_has_smm (b->machine);
  if (!realize (b->host, error))
    return false;

  for (unsigned n = 0; n < N_ROOT_PORTS; n++)
    {
      g_autofree char *path = g_strdup_printf ("root-port%u", n);
      VtPcieRootPort  *port =
          add_pci (b, &vt_pcie_root_port_class, path, 0x1c, n, vt_machine_env (b->machine));

      port->fn.multifunction = true;
      port->port = (uint8_t) (n + 1);
      port->slot = (uint16_t) (n + 1);
      if (!realize (port, error))
        return false;
    }

  b->lpc = add_pci (b, &vt_ich9_lpc_class, "lpc", 0x1f, 0, vt_machine_env (b->machine));
  b->lpc->fn.multifunction = true;
  for (unsigned n = 0; n < VT_ICH9_GSIS; n++)
    b->lpc->gsi[n] = gsi (b, n);
  b->lpc->reset = request (b, VT_REQUEST_RESET);
  b->lpc->poweroff = request (b, VT_REQUEST_POWEROFF);
  b->lpc->suspend = request (b, VT_REQUEST_SUSPEND);
  b->lpc->wake = request (b, VT_REQUEST_WAKE);
  if (vt_machine_has_smm (b->machine))
    {
      b->lpc->smi = vt_machine_smi (b->machine, false);
      b->lpc->smi_all = vt_machine_smi (b->machine, true);
    }
  if (!realize (b->lpc, error))
    return false;
  vt_machine_set_power_button (b->machine, b->lpc->power_button);

  smbus = add_pci (b, &vt_ich9_smbus_class, "smbus", 0x1f, 3, vt_machine_env (b->machine));
  return realize (smbus, error);
}

static bool
add_firmware_rom (Board *b, GError **error)
{
  static const char *const folders[] = { FIRMWARE_FOLDERS, NULL };
  const char              *firmware = vitrine_config_get_firmware (b->config);
  g_autofree char         *path = NULL;
  VtBiosRom               *rom = add (b, &vt_bios_rom_class, "bios");

  if (g_strcmp0 (firmware, "bios") != 0)
    path = vitrine_config_resolve (b->config, firmware);
  for (unsigned i = 0; path == NULL && folders[i] != NULL; i++)
    {
      path = g_build_filename (folders[i], "bios-256k.bin", NULL);
      if (!g_file_test (path, G_FILE_TEST_EXISTS))
        g_clear_pointer (&path, g_free);
    }
  if (path == NULL)
    return vt_set_error (error, VITRINE_ERROR_NOT_FOUND,
                         "The firmware bios-256k.bin is not installed: install the package “seabios”");
  rom->image = vt_bios_rom_load (path, error);
  if (rom->image == NULL)
    return false;
  b->firmware = g_bytes_get_size (rom->image);
  if (!realize (rom, error))
    return false;
  b->host->rom = rom->low;
  return true;
}

/* The flash that the firmware keeps its variables in lies right below it, where images that were split
 * into both parts have it. */
static bool
add_nvram (Board *b, GError **error)
{
  const char      *path = vitrine_config_get_nvram (b->config);
  g_autofree char *absolute = NULL;
  VtPflash        *flash;
  uint64_t         size;

  if (path == NULL || *path == '\0')
    return true;
  absolute = vitrine_config_resolve (b->config, path);
  flash = add (b, &vt_pflash_class, "nvram");
  flash->block = vt_block_open_raw (absolute, 0, error);
  if (flash->block == NULL)
    return false;
  vt_machine_own_block (b->machine, flash->block);
  flash->image = vt_read_file (absolute, "flash image", VT_PFLASH_MAX, error);
  if (flash->image == NULL)
    return false;
  size = g_bytes_get_size (flash->image);
  if (size > VT_PFLASH_MAX - b->firmware)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "“%s” and the firmware have more than the 16 MiB below 4 GiB that are theirs; choose "
                         "a smaller flash image.",
                         absolute);
  flash->address = 4 * VT_GIB - b->firmware - size;
  flash->smm_only = vt_machine_has_smm (b->machine);
  return realize (flash, error);
}

static bool
add_serial_ports (Board *b, GError **error)
{
  static const struct
  {
    uint16_t base;
    uint8_t  irq;
  } ports[] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };

  for (unsigned n = 0; n < G_N_ELEMENTS (ports); n++)
    {
      g_autofree char *path = g_strdup_printf ("serial%u", n);
      VtSerial16550   *serial = add (b, &vt_serial_16550_class, path);

      serial->base = ports[n].base;
      serial->irq = gsi (b, ports[n].irq);
      serial->chr = vt_machine_serial (b->machine, n);
      if (!realize (serial, error))
        return false;
    }
  return true;
}

static void
a20_cb (void *data, unsigned n, bool level)
{
  vt_machine_set_a20 (data, level);
}

/* The letters of the boot order as SeaBIOS's CMOS bytes name them; without fw_cfg's own list they
 * decide. */
static VtCmosBoot
cmos_boot (char letter)
{
  return letter == 'c'   ? VT_CMOS_BOOT_DISK
         : letter == 'd' ? VT_CMOS_BOOT_CD
                         : VT_CMOS_BOOT_NONE;
}

/* Timer 0 reaches pins 16 to 23; as a replacement of PIT and RTC the event timers drive 0 and 8. */
static bool
add_timers (Board *b, GError **error)
{
  VtHpet *hpet = add (b, &vt_hpet_class, "hpet");

  hpet->irq0 = gsi (b, 0);
  hpet->irq8 = gsi (b, 8);
  for (unsigned n = 16; n < 24; n++)
    hpet->gsi[n] = gsi (b, n);
  hpet->legacy = vt_machine_hpet_legacy (b->machine);
  hpet->msi = vt_machine_msi (b->machine);
  b->hpet = hpet;
  return realize (hpet, error);
}

static void
debug_exit_cb (void *data, int status)
{
  vt_machine_request_exit (data, status);
}

static bool
add_debug_ports (Board *b, GError **error)
{
  if (vitrine_config_get_debug_exit (b->config))
    {
      VtDebugExit *port = add (b, &vt_debug_exit_class, "debug-exit");

      port->exit = debug_exit_cb;
      port->data = b->machine;
      if (!realize (port, error))
        return false;
    }
  return realize (add (b, &vt_debug_port_class, "debug-port"), error);
}

static bool
add_platform (Board *b, GError **error)
{
  const char  *order = vitrine_config_get_boot_order (b->config);
  VtMc146818  *rtc = add (b, &vt_mc146818_class, "rtc");
  VtI8042     *i8042;
  VtPort92    *port92;
  VtLine      *a20 = vt_line_new (a20_cb, b->machine, 0), *a20_kbd = vt_line_share (a20),
         *a20_fast = vt_line_share (a20);

  vt_machine_own (b->machine, a20, free_line_cb);
  vt_machine_own (b->machine, a20_kbd, free_line_cb);
  vt_machine_own (b->machine, a20_fast, free_line_cb);

  rtc->irq = b->hpet->rtc_in;
  rtc->wall = vitrine_config_get_rtc_local (b->config) ? vt_mc146818_local : vt_mc146818_utc;
  vt_mc146818_set_memory (rtc, b->low_ram, b->high_ram);
  vt_mc146818_set_boot (rtc, cmos_boot (order[0]), order[0] != '\0' ? cmos_boot (order[1]) : VT_CMOS_BOOT_NONE,
                        VT_CMOS_BOOT_NONE);
  if (!realize (rtc, error))
    return false;

  i8042 = add (b, &vt_i8042_class, "i8042");
  i8042->irq1 = gsi (b, 1);
  i8042->irq12 = gsi (b, 12);
  i8042->a20 = a20_kbd;
  i8042->reset = request (b, VT_REQUEST_RESET);
  i8042->input = vt_machine_input (b->machine);
  if (!realize (i8042, error))
    return false;

  port92 = add (b, &vt_port92_class, "port92");
  port92->a20 = a20_fast;
  port92->reset = request (b, VT_REQUEST_RESET);
  return realize (port92, error) && add_debug_ports (b, error);
}

/* Display and drives ------------------------------------------------------------------------- */

static GBytes *
load_rom (const char *name, const char *package, GError **error)
{
  static const char *const folders[] = { FIRMWARE_FOLDERS, NULL };

  for (unsigned i = 0; folders[i] != NULL; i++)
    {
      g_autofree char *path = g_build_filename (folders[i], name, NULL);
      char            *data;
      gsize            len;

      if (g_file_get_contents (path, &data, &len, NULL))
        return g_bytes_new_take (data, len);
    }
  vt_set_error (error, VITRINE_ERROR_NOT_FOUND,
                "The display's firmware %s is not installed: install the package “%s”", name, package);
  return NULL;
}

static bool
add_display (Board *b, GError **error)
{
  VitrineDisplay    *display = vitrine_config_get_display (b->config);
  const char        *model = vitrine_display_get_model (display);
  VtEdidInfo         monitor = { .width = (int) vitrine_display_get_width (display),
                                 .height = (int) vitrine_display_get_height (display) };
  g_autoptr (GBytes) rom = NULL;
  VtBochsDisplay    *bochs;
  const VtDeviceEnv *env;

  if (g_strcmp0 (model, "none") == 0)
    return true;
  env = vt_machine_env_new (b->machine, "display");
  if (g_strcmp0 (model, "vga") == 0)
    {
      VtVgaCard *vga = add_pci (b, &vt_vga_class, "display", 1, 0, env);

      vga->console = vt_machine_add_console (b->machine, "display");
      vga->vram_mib = vitrine_display_get_vram (display);
      vga->core.monitor = monitor;
      rom = load_rom ("vgabios-stdvga.bin", "seabios", error);
      vga->rom = rom;
      return rom != NULL && realize (vga, error);
    }
  bochs = add_pci (b, &vt_bochs_display_class, "display", 1, 0, env);
  bochs->console = vt_machine_add_console (b->machine, "display");
  bochs->vram_mib = vitrine_display_get_vram (display);
  bochs->monitor = monitor;
  return realize (bochs, error);
}

static VtBlock *
open_image (Board *b, const char *path, VtBlockOpenFlags flags, GError **error)
{
  g_autofree char *absolute = vitrine_config_resolve (b->config, path);

  return vt_block_open_raw (absolute, flags, error);
}

static bool
wire_disk (Board *b, VtAhciWiring *wiring, VitrineDisk *disk, GError **error)
{
  VtBlockOpenFlags flags = 0;

  if (vitrine_disk_get_read_only (disk))
    flags |= VT_BLOCK_OPEN_READ_ONLY;
  if (vitrine_disk_get_direct (disk))
    flags |= VT_BLOCK_OPEN_DIRECT;
  wiring->kind = VT_AHCI_DISK;
  wiring->block = open_image (b, vitrine_disk_get_path (disk), flags, error);
  if (wiring->block != NULL && !vitrine_disk_get_discard (disk))
    wiring->block->info.can_discard = false;
  return wiring->block != NULL;
}

static bool
wire_cdrom (Board *b, VtAhciWiring *wiring, VitrineCdrom *cdrom, GError **error)
{
  const char *path = vitrine_cdrom_get_path (cdrom);

  wiring->kind = VT_AHCI_CD;
  if (path == NULL || *path == '\0')
    return true;
  wiring->block = open_image (b, path, VT_BLOCK_OPEN_READ_ONLY, error);
  return wiring->block != NULL;
}

static const VtMediumOps medium_ops = { vt_ahci_change_medium, vt_ahci_tray_open };

/* Boot devices in the order of the configuration's letters, each kind in its own order. */
static void
order_boot (Board *b, const VtAhci *ahci)
{
  const char *order = vitrine_config_get_boot_order (b->config);

  for (; *order != '\0'; order++)
    for (unsigned n = 0; n < VT_AHCI_PORTS; n++)
      if ((*order == 'c' && ahci->wiring[n].kind == VT_AHCI_DISK) ||
          (*order == 'd' && ahci->wiring[n].kind == VT_AHCI_CD))
        g_ptr_array_add (b->boot, vt_firmware_path_ahci (0x1f, 2, n));
}

/* Opens what hangs on the controller. What is open when something fails is closed again here: the
 * controller takes over only what it is realized with. */
static bool
wire_drives (Board *b, VtAhci *ahci, GListModel *disks, GListModel *cdroms, GError **error)
{
  unsigned port = 0;
  bool     ok = true;

  for (guint i = 0; ok && i < g_list_model_get_n_items (disks); i++)
    {
      g_autoptr (VitrineDisk) disk = g_list_model_get_item (disks, i);

      ok = wire_disk (b, &ahci->wiring[port++], disk, error);
    }
  for (guint i = 0; ok && i < g_list_model_get_n_items (cdroms); i++)
    {
      g_autoptr (VitrineCdrom) cdrom = g_list_model_get_item (cdroms, i);
      g_autofree char         *id = g_strdup_printf ("cd%u", i);

      vt_machine_add_medium (b->machine, id, &ahci->fn.base, port, &medium_ops);
      ok = wire_cdrom (b, &ahci->wiring[port++], cdrom, error);
    }
  for (unsigned n = 0; !ok && n < VT_AHCI_PORTS; n++)
    g_clear_pointer (&ahci->wiring[n].block, vt_block_close);
  return ok;
}

static bool
add_storage (Board *b, GError **error)
{
  GListModel *disks = vitrine_config_get_disks (b->config);
  GListModel *cdroms = vitrine_config_get_cdroms (b->config);
  guint       n_disks = g_list_model_get_n_items (disks), n_cdroms = g_list_model_get_n_items (cdroms);
  VtAhci     *ahci = add_pci (b, &vt_ahci_class, "ahci", 0x1f, 2,
                              vt_machine_env_new (b->machine, "storage"));

  if (n_disks + n_cdroms > VT_AHCI_PORTS)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The machine has %u disks and CD drives, and the controller takes %u: remove "
                         "some",
                         n_disks + n_cdroms, VT_AHCI_PORTS);
  if (!wire_drives (b, ahci, disks, cdroms, error))
    return false;
  order_boot (b, ahci);
  return realize (ahci, error);
}

/* Firmware tables ------------------------------------------------------------------------------ */

static bool
add_acpi (Board *b, GError **error)
{
  VtAcpiParams *p = g_new0 (VtAcpiParams, 1);

  /* fw_cfg makes the tables anew from these whenever the firmware asks. */
  vt_machine_own (b->machine, p, g_free);
  vt_acpi_params_init (p);
  p->n_cpus = vt_machine_n_cpus (b->machine);
  p->ecam_base = VT_Q35_HOST_ECAM_BASE;
  p->ecam_size = (uint32_t) VT_Q35_HOST_ECAM_SIZE;
  p->hole32_first = (uint32_t) HOLE32_FIRST;
  p->hole32_last = HOLE32_LAST;
  p->hole64_first = vt_align_up (FOUR_GIB + b->high_ram, VT_GIB);
  p->hole64_last = p->hole64_first + HOLE64_SIZE - 1;
  p->pm_base = PM_BASE;
  p->gpe0_base = PM_BASE + VT_ICH9_GPE0;
  p->gpe0_length = 16;
  p->sci = SCI;
  p->smi_command = 0xb2;
  p->acpi_enable = VT_ICH9_ACPI_ENABLE;
  p->acpi_disable = VT_ICH9_ACPI_DISABLE;
  p->has_s3 = false; /* The wires are there; no guest has slept and woken on this board yet. */
  p->has_s4 = true;
  p->s3_type = VT_ICH9_SLP_S3;
  p->s4_type = VT_ICH9_SLP_S4;
  p->s5_type = VT_ICH9_SLP_S5;
  p->has_hpet = true;
  p->hpet_base = (uint32_t) VT_HPET_BASE;
  p->hpet_id = VT_HPET_ID;
  p->irq0_override = true;
  p->has_8042 = true;
  p->serial_mask = 15;
  /* The clock holds its interrupt until register C is read, as the chip does: no RTC_GOOD, on whose
   * word a guest would leave that read out. */
  p->waet = VT_ACPI_WAET_TIMER_GOOD;
  return vt_acpi_add_files (b->fw, p, error);
}

static bool
add_tables (Board *b, GError **error)
{
  VtFirmwareRange reserved[] = { { VT_CPU_RESERVED_BASE, VT_CPU_RESERVED_SIZE } };
  VtFirmwareParams firmware = {
    .n_cpus = vt_machine_n_cpus (b->machine),
    .ram_below_4g = b->low_ram,
    .ram_above_4g = b->high_ram,
    .reserved = reserved,
    .n_reserved = G_N_ELEMENTS (reserved),
    .pci64_first = vt_align_up (FOUR_GIB + b->high_ram, VT_GIB),
    .boot_menu = vitrine_config_get_boot_menu (b->config),
    .boot_only = b->kernel,
    .irq0_override = true,
    .has_s4 = true,
    .s4_type = VT_ICH9_SLP_S4,
  };
  VtSmbiosParams smbios = {
    .manufacturer = "Vitrine",
    .product = "Q35 machine",
    .uuid = vitrine_config_get_uuid (b->config),
    .sockets = 1,
    .cores = vt_machine_n_cpus (b->machine),
    .threads = 1,
    .ram_below_4g = b->low_ram,
    .ram_above_4g = b->high_ram,
  };

  if (smbios.uuid != NULL && !vt_smbios_parse_uuid (smbios.uuid, firmware.uuid, error))
    return false;
  g_ptr_array_add (b->boot, NULL);
  firmware.boot_order = (const char *const *) b->boot->pdata;
  return vt_firmware_add_files (b->fw, &firmware, error) && add_acpi (b, error) &&
         vt_smbios_add_files (b->fw, &smbios, error);
}

static bool
add_kernel (Board *b, GError **error)
{
  const char      *kernel = vitrine_config_get_kernel (b->config);
  const char      *initrd = vitrine_config_get_initrd (b->config);
  g_autofree char *kernel_path = NULL, *initrd_path = NULL;
  VtBootParams     params;

  if (kernel == NULL || *kernel == '\0')
    return true;
  kernel_path = vitrine_config_resolve (b->config, kernel);
  if (initrd != NULL && *initrd != '\0')
    initrd_path = vitrine_config_resolve (b->config, initrd);
  params = (VtBootParams){
    .kernel = kernel_path,
    .initrd = initrd_path,
    .append = vitrine_config_get_append (b->config),
    .ram_below_4g = b->low_ram,
  };
  /* Whatever the drives hold, the kernel was asked for: nothing else is booted, so that the reason
   * why it could not start stays on the screen. */
  g_ptr_array_set_size (b->boot, 0);
  g_ptr_array_add (b->boot, vt_firmware_path_rom (VT_BOOT_ROM_FILE));
  b->kernel = true;
  return vt_boot_add (b->fw, &params, error);
}

static void
smi_requested_cb (void *data, const uint8_t *contents, uint32_t size)
{
  vt_ich9_lpc_request_smi (data, vt_ld64 (contents));
}

static GBytes *
smi_agreed_cb (void *data)
{
  const uint8_t agreed = vt_ich9_lpc_agree_smi (data);

  return g_bytes_new (&agreed, 1);
}

/* How firmware and chipset agree on SMIs: it reads what there is, writes what it would have, and reads whether it
 * has it. */
static bool
add_smi_files (Board *b, GError **error)
{
  uint8_t features[8];

  vt_st64 (features, VT_ICH9_SMI_FEATURES);
  return !vt_machine_has_smm (b->machine)
         || (vt_fw_cfg_add_file (b->fw, "etc/smi/supported-features", features, 8, error)
             && vt_fw_cfg_add_file_writable (b->fw, "etc/smi/requested-features", NULL, 8, smi_requested_cb,
                                             b->lpc, error)
             && vt_fw_cfg_add_file_generated (b->fw, "etc/smi/features-ok", 1, smi_agreed_cb, b->lpc, error));
}

static bool
add_firmware_config (Board *b, GError **error)
{
  b->fw = add (b, &vt_fw_cfg_class, "fw-cfg");
  return realize (b->fw, error) && add_smi_files (b, error);
}

static bool
q35_build (VtMachine *machine, VitrineConfig *config, GError **error)
{
  static bool (*const steps[]) (Board *, GError **) = {
    add_memory,           add_chips,            add_chipset,          add_firmware_rom,
    add_nvram,            add_timers,           add_platform,         add_serial_ports,
    add_display,          add_storage,          add_firmware_config,  add_kernel,
    add_tables,
  };
  Board board = { .machine = machine, .config = config };
  bool  ok = true;

  board.boot = g_ptr_array_new_with_free_func (g_free);
  for (unsigned i = 0; ok && i < G_N_ELEMENTS (steps); i++)
    ok = steps[i](&board, error);
  g_ptr_array_unref (board.boot);
  return ok;
}

const VtBoardClass vt_q35_board = {
  .id = "q35",
  .description = "PC with PCI Express (Intel Q35 and ICH9)",
  .build = q35_build,
  .has_chips = true,
};
