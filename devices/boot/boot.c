/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Direct boot, the host's half: reads and checks kernel and initial RAM disk, and hands them with the
 * boot ROM to the firmware.
 */
#include "boot/boot.h"

/* rom.S and rom.c, built and checksummed. */
extern const uint8_t vt_boot_rom[];
extern const size_t  vt_boot_rom_size;

/* Memory that firmware tables and the kernel's first steps need beside what is loaded. */
#define SPARE (2 * VT_MIB)

/* Offsets in the setup header that a boot loader fills in. */
#define TYPE_OF_LOADER 0x210
#define LOADFLAGS 0x211
#define HEAP_END_PTR 0x224
#define CMD_LINE_PTR 0x228
#define LOADER_UNDEFINED 0xff
#define CAN_USE_HEAP 0x80

bool
vt_kernel_parse (const char *name, const uint8_t *data, size_t size, VtKernel *out, GError **error)
{
  if (vt_kernel_is_elf (data, size))
    return vt_pvh_parse (name, data, size, out, error);
  if (vt_kernel_is_bzimage (data, size))
    return vt_bzimage_parse (name, data, size, out, error);
  return vt_set_error (error, VITRINE_ERROR_INVALID,
                       "“%s” is not a Linux kernel; choose a bzImage (usually called vmlinuz) or an "
                       "ELF file with a PVH entry.",
                       name);
}

static void
add_key (VtFwCfg *fw, uint16_t size_key, uint16_t data_key, GBytes *bytes)
{
  vt_fw_cfg_add_u32 (fw, size_key, (uint32_t) g_bytes_get_size (bytes));
  vt_fw_cfg_add_bytes (fw, data_key, bytes);
}

/* The setup code with the header fields that do not depend on the guest's memory map. */
static GBytes *
make_setup (const uint8_t *kernel, uint32_t size)
{
  uint8_t *setup = g_memdup2 (kernel, size);

  setup[TYPE_OF_LOADER] = LOADER_UNDEFINED;
  setup[LOADFLAGS] |= CAN_USE_HEAP;
  vt_st16 (setup + HEAP_END_PTR, VT_BOOT_HEAP_END - 0x200);
  vt_st32 (setup + CMD_LINE_PTR, VT_BOOT_CMDLINE_AT);
  return g_bytes_new_take (setup, size);
}

/* The same under the keys by which UEFI firmware finds them, which loads them itself. */
static void
add_keys (VtFwCfg *fw, const VtBootPlan *plan, GBytes *setup, GBytes *kernel, GBytes *initrd,
          GBytes *cmdline)
{
  g_autoptr (GBytes) code =
      g_bytes_new_from_bytes (kernel, plan->setup_size,
                              g_bytes_get_size (kernel) - plan->setup_size);

  add_key (fw, VT_FW_CFG_SETUP_SIZE, VT_FW_CFG_SETUP_DATA, setup);
  vt_fw_cfg_add_u32 (fw, VT_FW_CFG_SETUP_ADDR, VT_BOOT_SETUP_AT);
  add_key (fw, VT_FW_CFG_KERNEL_SIZE, VT_FW_CFG_KERNEL_DATA, code);
  vt_fw_cfg_add_u32 (fw, VT_FW_CFG_KERNEL_ADDR, plan->segments[0].address);
  add_key (fw, VT_FW_CFG_INITRD_SIZE, VT_FW_CFG_INITRD_DATA, initrd);
  add_key (fw, VT_FW_CFG_CMDLINE_SIZE, VT_FW_CFG_CMDLINE_DATA, cmdline);
  vt_fw_cfg_add_u32 (fw, VT_FW_CFG_CMDLINE_ADDR, VT_BOOT_CMDLINE_AT);
}

/* What the ROM will find out again, said while there is somebody to read it. */
static bool
check_room (const VtBootParams *p, const VtBootPlan *plan, GError **error)
{
  uint64_t end = 0, top, need;

  for (unsigned i = 0; i < plan->n_segments; i++)
    end = MAX (end, (uint64_t) plan->segments[i].address + plan->segments[i].memory_size);
  need = end + SPARE;
  if (plan->initrd_size != 0)
    need = MAX (need, (uint64_t) plan->initrd_lowest + plan->initrd_size + SPARE);
  if (need > p->ram_below_4g)
    return vt_set_error (error, VITRINE_ERROR_NO_SPACE,
                         "The kernel “%s”%s needs %" G_GUINT64_FORMAT
                         " MiB of memory to start and the machine has %" G_GUINT64_FORMAT
                         " MiB below 4 GiB; give it more.",
                         p->kernel, plan->initrd_size == 0 ? "" : " with its initial RAM disk",
                         (need + VT_MIB - 1) / VT_MIB, p->ram_below_4g / VT_MIB);
  top = MIN (p->ram_below_4g, (uint64_t) plan->initrd_highest + 1);
  if (plan->initrd_size != 0 &&
      (top < plan->initrd_lowest || top - plan->initrd_lowest < plan->initrd_size))
    return vt_set_error (error, VITRINE_ERROR_NO_SPACE,
                         "The initial RAM disk “%s” is larger than the kernel “%s” can take; use a "
                         "smaller one.",
                         p->initrd, p->kernel);
  return true;
}

bool
vt_boot_add (VtFwCfg *fw, const VtBootParams *p, GError **error)
{
  const char    *append = p->append == NULL ? "" : p->append;
  VtKernel       kernel;
  const uint8_t *data;
  gsize          size, append_len = strlen (append);
  g_autoptr (GBytes) kernel_file = NULL;
  g_autoptr (GBytes) initrd = NULL;
  g_autoptr (GBytes) setup = NULL;
  g_autoptr (GBytes) cmdline = g_bytes_new (append, append_len + 1);

  kernel_file = vt_read_file (p->kernel, "kernel", UINT32_MAX, error);
  if (kernel_file == NULL)
    return false;
  data = g_bytes_get_data (kernel_file, &size);
  if (!vt_kernel_parse (p->kernel, data, size, &kernel, error))
    return false;
  if (p->initrd != NULL && *p->initrd != '\0')
    initrd = vt_read_file (p->initrd, "initial RAM disk", UINT32_MAX, error);
  else
    initrd = g_bytes_new (NULL, 0);
  if (initrd == NULL)
    return false;
  if (append_len > kernel.cmdline_max)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The kernel's command line has %" G_GSIZE_FORMAT
                         " bytes and “%s” takes at most %u; shorten it.",
                         append_len, p->kernel, kernel.cmdline_max);
  kernel.plan.cmdline_size = (uint32_t) append_len + 1;
  kernel.plan.initrd_size = (uint32_t) g_bytes_get_size (initrd);
  if (!check_room (p, &kernel.plan, error))
    return false;

  if (kernel.plan.kind == VT_BOOT_KIND_BZIMAGE)
    {
      setup = make_setup (data, kernel.plan.setup_size);
      add_keys (fw, &kernel.plan, setup, kernel_file, initrd, cmdline);
    }
  else
    setup = g_bytes_new (NULL, 0);
  return vt_fw_cfg_add_file (fw, VT_BOOT_PLAN_FILE, &kernel.plan, sizeof kernel.plan, error) &&
         vt_fw_cfg_add_file_bytes (fw, VT_BOOT_SETUP_FILE, setup, error) &&
         vt_fw_cfg_add_file_bytes (fw, VT_BOOT_KERNEL_FILE, kernel_file, error) &&
         vt_fw_cfg_add_file_bytes (fw, VT_BOOT_INITRD_FILE, initrd, error) &&
         vt_fw_cfg_add_file_bytes (fw, VT_BOOT_CMDLINE_FILE, cmdline, error) &&
         vt_fw_cfg_add_file (fw, VT_BOOT_ROM_FILE, vt_boot_rom, vt_boot_rom_size, error);
}
