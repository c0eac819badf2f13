/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading a bzImage's header. Linux x86 boot protocol (Documentation/arch/x86/boot.rst); offsets are
 * those of "The Real-Mode Kernel Header".
 */
#include "boot/boot.h"

#define SECTOR 512

#define SETUP_SECTS 0x1f1
#define SYSSIZE 0x1f4
#define BOOT_FLAG 0x1fe
#define HEADER 0x202
#define VERSION 0x206
#define LOADFLAGS 0x211
#define INITRD_ADDR_MAX 0x22c
#define KERNEL_ALIGNMENT 0x230
#define CMDLINE_SIZE 0x238
#define PREF_ADDRESS 0x258
#define INIT_SIZE 0x260
#define HEADER_END 0x264

#define LOADED_HIGH 0x01

/* "Loading The Rest of The Kernel". */
#define LOAD_ADDRESS 0x100000

/* For protocols before 2.03, and before 2.06. */
#define OLD_INITRD_ADDR_MAX 0x37ffffff
#define OLD_CMDLINE_SIZE 255

/* "Memory layout": setup code has at most 32 KiB. */
#define SETUP_MAX (64 * SECTOR)

bool
vt_kernel_is_bzimage (const uint8_t *data, size_t size)
{
  return size >= HEADER_END && vt_ld16 (data + BOOT_FLAG) == 0xaa55 &&
         memcmp (data + HEADER, "HdrS", 4) == 0;
}

bool
vt_bzimage_parse (const char *name, const uint8_t *data, size_t size, VtKernel *out, GError **error)
{
  unsigned version = vt_ld16 (data + VERSION);
  uint32_t setup = ((data[SETUP_SECTS] == 0 ? 4u : data[SETUP_SECTS]) + 1u) * SECTOR;
  uint64_t code, lowest, end;
  uint32_t highest = OLD_INITRD_ADDR_MAX;

  *out = (VtKernel){ .cmdline_max = OLD_CMDLINE_SIZE };
  if (version < 0x0202 || !(data[LOADFLAGS] & LOADED_HIGH))
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "The kernel “%s” is too old (boot protocol %u.%02u%s); choose one of "
                         "Linux 2.4 or later, made as bzImage.",
                         name, version >> 8, version & 0xff,
                         data[LOADFLAGS] & LOADED_HIGH ? "" : ", loaded low");
  if (setup > SETUP_MAX)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The kernel “%s” is damaged: its setup code has %u bytes.", name, setup);
  /* Before 2.04 the high half of the size was something else's. */
  code = version >= 0x0204 ? vt_ld32 (data + SYSSIZE) : vt_ld16 (data + SYSSIZE);
  code *= 16;
  if (code == 0 || !vt_range_ok (setup, code, size))
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The kernel “%s” is truncated: it has %" G_GSIZE_FORMAT
                         " bytes of %" G_GUINT64_FORMAT "; copy it again.",
                         name, size, (uint64_t) setup + code);
  code = size - setup;
  if (code > UINT32_MAX - LOAD_ADDRESS)
    return vt_set_error (error, VITRINE_ERROR_INVALID, "The kernel “%s” is larger than 4 GiB.",
                         name);

  /* Behind the kernel as loaded and, from 2.10 on, behind the room that it unpacks itself into. */
  lowest = LOAD_ADDRESS + code;
  if (version >= 0x020a &&
      vt_add (vt_ld64 (data + PREF_ADDRESS), (uint64_t) vt_ld32 (data + INIT_SIZE), &end))
    lowest = MAX (lowest, end);
  if (version >= 0x0203)
    highest = vt_ld32 (data + INITRD_ADDR_MAX);
  if (version >= 0x0206)
    out->cmdline_max = vt_ld32 (data + CMDLINE_SIZE);
  out->cmdline_max = MIN (out->cmdline_max, VT_BOOT_AREA - 1);
  out->plan = (VtBootPlan){
    .magic = VT_BOOT_PLAN_MAGIC,
    .version = VT_BOOT_PLAN_VERSION,
    .kind = VT_BOOT_KIND_BZIMAGE,
    .setup_size = setup,
    .initrd_lowest = (uint32_t) MIN (vt_align_up (MIN (lowest, UINT32_MAX), 4096), 0xfffff000),
    .initrd_highest = highest,
    .n_segments = 1,
    .segments = { { setup, (uint32_t) code, LOAD_ADDRESS, (uint32_t) code } },
  };
  return true;
}
