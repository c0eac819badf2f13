/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading an ELF kernel with a PVH entry. System V ABI, chapters 4 and 5; "x86/HVM direct boot ABI"
 * (Xen): the note of name "Xen" and type 18, XEN_ELFNOTE_PHYS32_ENTRY.
 */
#include "boot/boot.h"

#define EM_386 3
#define EM_X86_64 62
#define PT_LOAD 1
#define PT_NOTE 4
#define NOTE_PHYS32_ENTRY 18

#define PHDRS_MAX 64
#define LOWEST_ADDRESS VT_MIB
#define CMDLINE_MAX 4095

/* Header and program header, of whichever class. */
typedef struct
{
  bool     wide;
  uint64_t ph_offset;
  unsigned ph_size, n_ph;
} Elf;

typedef struct
{
  uint32_t type;
  uint64_t offset, physical, file_size, memory_size, align;
} Phdr;

bool
vt_kernel_is_elf (const uint8_t *data, size_t size)
{
  return size >= 4 && memcmp (data, "\177ELF", 4) == 0;
}

static bool
parse_header (const uint8_t *d, size_t size, Elf *elf)
{
  unsigned machine;

  if (size < 52 || (d[4] != 1 && d[4] != 2) || d[5] != 1)
    return false;
  elf->wide = d[4] == 2;
  if (elf->wide && size < 64)
    return false;
  machine = vt_ld16 (d + 18);
  elf->ph_offset = elf->wide ? vt_ld64 (d + 32) : vt_ld32 (d + 28);
  elf->ph_size = vt_ld16 (d + (elf->wide ? 54 : 42));
  elf->n_ph = vt_ld16 (d + (elf->wide ? 56 : 44));
  return (machine == EM_386 || machine == EM_X86_64) && elf->n_ph > 0 && elf->n_ph <= PHDRS_MAX &&
         elf->ph_size >= (elf->wide ? 56u : 32u) &&
         vt_range_ok (elf->ph_offset, (uint64_t) elf->n_ph * elf->ph_size, size);
}

static Phdr
phdr (const Elf *elf, const uint8_t *data, unsigned n)
{
  const uint8_t *p = data + elf->ph_offset + (uint64_t) n * elf->ph_size;

  if (elf->wide)
    return (Phdr){ vt_ld32 (p),      vt_ld64 (p + 8),  vt_ld64 (p + 24),
                   vt_ld64 (p + 32), vt_ld64 (p + 40), vt_ld64 (p + 48) };
  return (Phdr){ vt_ld32 (p),      vt_ld32 (p + 4),  vt_ld32 (p + 12),
                 vt_ld32 (p + 16), vt_ld32 (p + 20), vt_ld32 (p + 28) };
}

/* Whether the notes in the @size bytes at @p have the entry's address. */
static bool
find_entry (const uint8_t *p, uint64_t size, uint64_t align, uint32_t *entry)
{
  /* Sizes are rounded up to four bytes, but in segments that ask for eight. */
  uint64_t round = align == 8 ? 8 : 4, at = 0;

  while (vt_range_ok (at, 12, size))
    {
      uint64_t name_size = vt_ld32 (p + at), desc_size = vt_ld32 (p + at + 4);
      uint64_t name = at + 12, desc = vt_align_up (name + name_size, round);

      if (!vt_range_ok (desc, desc_size, size))
        return false;
      if (vt_ld32 (p + at + 8) == NOTE_PHYS32_ENTRY && name_size == 4 &&
          memcmp (p + name, "Xen", 4) == 0 && (desc_size == 4 || desc_size == 8) &&
          (desc_size == 4 || vt_ld32 (p + desc + 4) == 0))
        {
          *entry = vt_ld32 (p + desc);
          return true;
        }
      at = vt_align_up (desc + desc_size, round);
    }
  return false;
}

static bool
add_segment (const char *name, const Phdr *h, size_t size, VtBootPlan *plan, GError **error)
{
  if (!vt_range_ok (h->offset, h->file_size, size))
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The kernel “%s” is truncated: a segment ends behind its end; copy it "
                         "again.",
                         name);
  if (h->memory_size == 0)
    return true;
  if (h->file_size > h->memory_size || h->offset > UINT32_MAX || h->physical < LOWEST_ADDRESS ||
      !vt_range_ok (h->physical, h->memory_size, 4 * VT_GIB))
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The kernel “%s” wants to be at 0x%" G_GINT64_MODIFIER
                         "x, where there is no room for it: below 1 MiB or above 4 GiB.",
                         name, h->physical);
  if (plan->n_segments == VT_BOOT_SEGMENTS_MAX)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "The kernel “%s” has more than %d segments.", name, VT_BOOT_SEGMENTS_MAX);
  plan->segments[plan->n_segments++] =
      (VtBootSegment){ (uint32_t) h->offset, (uint32_t) h->file_size, (uint32_t) h->physical,
                       (uint32_t) h->memory_size };
  plan->initrd_lowest =
      (uint32_t) MAX (plan->initrd_lowest,
                      MIN (vt_align_up (h->physical + h->memory_size, 4096), 0xfffff000));
  return true;
}

bool
vt_pvh_parse (const char *name, const uint8_t *data, size_t size, VtKernel *out, GError **error)
{
  VtBootPlan *plan = &out->plan;
  bool        found = false, inside = false;
  Elf         elf;

  *out = (VtKernel){ .cmdline_max = CMDLINE_MAX };
  plan->magic = VT_BOOT_PLAN_MAGIC;
  plan->version = VT_BOOT_PLAN_VERSION;
  plan->kind = VT_BOOT_KIND_PVH;
  plan->initrd_lowest = LOWEST_ADDRESS;
  plan->initrd_highest = UINT32_MAX;
  if (!parse_header (data, size, &elf))
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The kernel “%s” is truncated, or an ELF file that is not for x86; choose "
                         "another one.",
                         name);
  for (unsigned i = 0; i < elf.n_ph; i++)
    {
      Phdr h = phdr (&elf, data, i);

      if (h.type == PT_LOAD && !add_segment (name, &h, size, plan, error))
        return false;
      if (h.type != PT_NOTE || found)
        continue;
      if (!vt_range_ok (h.offset, h.file_size, size))
        return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                             "The kernel “%s” is truncated: its notes end behind its end; copy it "
                             "again.",
                             name);
      found = find_entry (data + h.offset, h.file_size, h.align, &plan->entry);
    }
  if (!found)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "The ELF file “%s” has no PVH entry; choose a bzImage, or a kernel made "
                         "with CONFIG_PVH.",
                         name);
  for (unsigned i = 0; i < plan->n_segments; i++)
    inside |= plan->entry >= plan->segments[i].address &&
              plan->entry - plan->segments[i].address < plan->segments[i].file_size;
  if (!inside)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The kernel “%s” is damaged: its entry at 0x%x is outside of it.", name,
                         plan->entry);
  return true;
}
