/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The boot ROM's protected-mode half: fetches kernel, command line and initial RAM disk by fw_cfg
 * DMA to where the plan and the memory map let them be. Freestanding, integer-only 32-bit code; it
 * runs in the guest, with everything that the host made for it to be believed.
 */
#include <stdbool.h>
#include <stddef.h>

#include "plan.h"

#define PORT_SELECTOR 0x510
#define PORT_DATA 0x511
#define PORT_DMA 0x514

#define KEY_ID 0x01
#define KEY_DIRECTORY 0x19
#define KEY_NONE 0x3fff /* Never there, so it reads as zeros. */

#define DMA_ERROR 0x01
#define DMA_READ 0x02
#define DMA_SKIP 0x04
#define DMA_SELECT 0x08

#define E820_MAX 128
#define E820_RAM 1

/* What boot_load() gives back when it is not a message. */
#define READY_BZIMAGE 0
#define READY_PVH 1

typedef struct
{
  uint64_t base, size;
  uint32_t type, attributes;
} E820Entry;

/* PVH start information, version 1. */
typedef struct
{
  uint64_t address, size, cmdline, reserved;
} Module;

typedef struct
{
  uint64_t address, size;
  uint32_t type, reserved;
} MapEntry;

typedef struct
{
  uint32_t magic, version, flags, n_modules;
  uint64_t modules, cmdline, rsdp, map;
  uint32_t n_map, reserved;
} StartInfo;

/* rom.S knows these names. */
E820Entry e820_map[E820_MAX];
StartInfo boot_start_info;
uint32_t  boot_entry;
uint32_t  boot_load (const E820Entry *map, const uint32_t *count);

static VtBootPlan plan;
static MapEntry   pvh_map[E820_MAX];
static Module     pvh_initrd;

static inline void
out32 (uint16_t port, uint32_t v)
{
  __asm__ volatile ("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void
out16 (uint16_t port, uint16_t v)
{
  __asm__ volatile ("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint8_t
in8 (uint16_t port)
{
  uint8_t v;

  __asm__ volatile ("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
  return v;
}

/* The compiler may ask for these. */
void *memcpy (void *to, const void *from, size_t n);
void *memset (void *to, int c, size_t n);
int   memcmp (const void *a, const void *b, size_t n);

void *
memcpy (void *to, const void *from, size_t n)
{
  void *d = to;

  __asm__ volatile ("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
  return to;
}

void *
memset (void *to, int c, size_t n)
{
  void *d = to;

  __asm__ volatile ("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
  return to;
}

int
memcmp (const void *a, const void *b, size_t n)
{
  const uint8_t *p = a, *q = b;

  for (; n > 0; n--, p++, q++)
    if (*p != *q)
      return *p - *q;
  return 0;
}

/* One DMA descriptor; waits for its end. Big-endian. */
static bool
dma (uint32_t control, uint32_t address, uint32_t len)
{
  static volatile struct
  {
    uint32_t control, length, address_high, address_low;
  } d __attribute__ ((aligned (16)));

  d.length = __builtin_bswap32 (len);
  d.address_high = 0;
  d.address_low = __builtin_bswap32 (address);
  d.control = __builtin_bswap32 (control);
  out32 (PORT_DMA, 0);
  out32 (PORT_DMA + 4, __builtin_bswap32 ((uint32_t) (uintptr_t) &d));
  while (d.control & ~__builtin_bswap32 (DMA_ERROR))
    __asm__ volatile ("pause");
  return d.control == 0;
}

/* The bytes [@offset, @offset + @len) of item @key to @address. */
static bool
fetch (uint16_t key, uint32_t offset, uint32_t address, uint32_t len)
{
  uint32_t select = (uint32_t) key << 16 | DMA_SELECT;

  if (len == 0)
    return true;
  if (offset == 0)
    return dma (select | DMA_READ, address, len);
  return dma (select | DMA_SKIP, 0, offset) && dma (DMA_READ, address, len);
}

static bool
same_name (const char *a, const char *b)
{
  while (*a != '\0' && *a == *b)
    a++, b++;
  return *a == *b;
}

/* The key of file @name if it has at least @size bytes; 0 where it is not so. */
static uint16_t
find_file (const char *name, uint32_t size)
{
  const uint8_t *entry = (const uint8_t *) VT_BOOT_DIRECTORY_AT;
  uint32_t       n;

  if (!fetch (KEY_DIRECTORY, 0, VT_BOOT_DIRECTORY_AT, 4))
    return 0;
  n = __builtin_bswap32 (*(const uint32_t *) entry);
  if (n > (VT_BOOT_AREA - 4) / 64)
    n = (VT_BOOT_AREA - 4) / 64;
  if (!fetch (KEY_DIRECTORY, 0, VT_BOOT_DIRECTORY_AT, 4 + n * 64))
    return 0;
  for (entry += 4; n > 0; n--, entry += 64)
    if (same_name ((const char *) entry + 8, name))
      return __builtin_bswap32 (*(const uint32_t *) entry) >= size
                 ? __builtin_bswap16 (*(const uint16_t *) (entry + 4))
                 : 0;
  return 0;
}

/* Whether [@address, @address + @size) lies in one range of RAM above 1 MiB. */
static bool
is_ram (const E820Entry *map, uint32_t n, uint32_t address, uint32_t size)
{
  uint64_t end = (uint64_t) address + size;

  if (address < 0x100000)
    return false;
  for (; n > 0; n--, map++)
    if (map->type == E820_RAM && address >= map->base && end <= map->base + map->size)
      return true;
  return false;
}

/* The highest place for the initial RAM disk, or 0. */
static uint32_t
place_initrd (const E820Entry *map, uint32_t n)
{
  uint32_t best = 0;

  for (; n > 0; n--, map++)
    {
      uint64_t low = map->base, high = map->base + map->size;

      if (map->type != E820_RAM)
        continue;
      if (low < plan.initrd_lowest)
        low = plan.initrd_lowest;
      if (high > (uint64_t) plan.initrd_highest + 1)
        high = (uint64_t) plan.initrd_highest + 1;
      if (high < low || high - low < plan.initrd_size)
        continue;
      high = (high - plan.initrd_size) & ~UINT64_C (0xfff);
      if (high >= low && high > best)
        best = (uint32_t) high;
    }
  return best;
}

/* The root of the ACPI tables, where the BIOS put it. */
static uint32_t
find_rsdp (void)
{
  for (uint32_t at = 0xe0000; at < 0x100000; at += 16)
    if (memcmp ((const void *) at, "RSD PTR ", 8) == 0)
      return at;
  return 0;
}

static void
describe_to_pvh (const E820Entry *map, uint32_t n, uint32_t initrd)
{
  for (uint32_t i = 0; i < n; i++)
    pvh_map[i] = (MapEntry){ map[i].base, map[i].size, map[i].type, 0 };
  pvh_initrd = (Module){ initrd, plan.initrd_size, 0, 0 };
  boot_start_info = (StartInfo){
    .magic = 0x336ec578,
    .version = 1,
    .n_modules = initrd != 0,
    .modules = initrd != 0 ? (uint32_t) (uintptr_t) &pvh_initrd : 0,
    .cmdline = VT_BOOT_CMDLINE_AT,
    .rsdp = find_rsdp (),
    .map = (uint32_t) (uintptr_t) pvh_map,
    .n_map = n,
  };
}

static const char *
load (const E820Entry *map, uint32_t n)
{
  uint16_t key;
  uint32_t initrd = 0;

  out16 (PORT_SELECTOR, KEY_ID);
  if ((in8 (PORT_DATA) & 2) == 0)
    return "the firmware configuration device has no DMA";
  key = find_file (VT_BOOT_PLAN_FILE, sizeof plan);
  if (key == 0 || !fetch (key, 0, (uint32_t) (uintptr_t) &plan, sizeof plan) ||
      plan.magic != VT_BOOT_PLAN_MAGIC || plan.version != VT_BOOT_PLAN_VERSION ||
      plan.n_segments > VT_BOOT_SEGMENTS_MAX || plan.setup_size > VT_BOOT_AREA ||
      plan.cmdline_size > VT_BOOT_AREA)
    return "there is no kernel to start";

  key = find_file (VT_BOOT_KERNEL_FILE, 0);
  for (uint32_t i = 0; i < plan.n_segments; i++)
    {
      const VtBootSegment *s = &plan.segments[i];

      if (!is_ram (map, n, s->address, s->memory_size))
        return "the kernel does not fit into memory; give the machine more";
      if (key == 0 || !fetch (key, s->file_offset, s->address, s->file_size) ||
          !fetch (KEY_NONE, 0, s->address + s->file_size, s->memory_size - s->file_size))
        return "the kernel can't be read";
    }

  if (plan.initrd_size != 0)
    {
      initrd = place_initrd (map, n);
      if (initrd == 0)
        return "the initial RAM disk does not fit into memory; give the machine more";
      key = find_file (VT_BOOT_INITRD_FILE, plan.initrd_size);
      if (key == 0 || !fetch (key, 0, initrd, plan.initrd_size))
        return "the initial RAM disk can't be read";
    }

  key = find_file (VT_BOOT_CMDLINE_FILE, plan.cmdline_size);
  if (key == 0 || !fetch (key, 0, VT_BOOT_CMDLINE_AT, plan.cmdline_size))
    return "the command line can't be read";

  if (plan.kind == VT_BOOT_KIND_PVH)
    describe_to_pvh (map, n, initrd);
  else
    {
      key = find_file (VT_BOOT_SETUP_FILE, plan.setup_size);
      if (key == 0 || !fetch (key, 0, VT_BOOT_SETUP_AT, plan.setup_size))
        return "the kernel's setup code can't be read";
      /* Linux boot protocol: ramdisk_image and ramdisk_size. */
      memcpy ((void *) (VT_BOOT_SETUP_AT + 0x218), &initrd, 4);
      memcpy ((void *) (VT_BOOT_SETUP_AT + 0x21c), &plan.initrd_size, 4);
    }
  return NULL;
}

uint32_t
boot_load (const E820Entry *map, const uint32_t *count)
{
  const char *problem = load (map, *count);

  if (problem != NULL)
    return (uint32_t) (uintptr_t) problem;
  boot_entry = plan.entry;
  return plan.kind == VT_BOOT_KIND_PVH ? READY_PVH : READY_BZIMAGE;
}
