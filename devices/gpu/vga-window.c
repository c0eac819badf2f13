/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Giving the guest memory instead of exits.
 *
 * Each access to the legacy window costs an exit. In two states memory does the same without one:
 *
 *  - Packed pixels (chain 4 with the plain data path, as BIOS mode 0x13 has it; bank 0 of the VBE
 *    extension): the window is the beginning of video memory itself.
 *  - Text (odd/even with the plain data path and map mask 3): the window is a page of its own, from
 *    which what changed is brought to planes 0 and 1 before anybody looks at them.
 *
 * In either, reads do not load the latches, which the plain data path does not use. A mapping costs
 * more than an exit, so it is made only once the guest has shown that it stays in the state, and any
 * register write that leaves the state ends it first.
 */
#include "vga-core.h"

/* Exits in one state before it is mapped. */
#define WISH 128

#define LINEAR_SIZE UINT64_C (0x10000)
#define TEXT_SIZE UINT64_C (0x8000)
#define TEXT_MONO UINT64_C (0x10000) /* Inside the window. */
#define TEXT_COLOUR UINT64_C (0x18000)

/* Above the board's RAM; a chipset's SMRAM goes above both. */
#define PRIORITY_EXITS 1
#define PRIORITY_MAPPED 2

#define MISC_RAM 0x02

bool
vt_vga_window_init (VtVgaCore *core, VtDevice *dev, const VtRegionOps *ops, GError **error)
{
  g_autofree char *name = g_strdup_printf ("%s.text", dev->path);

  core->text_ram = vt_ram_new (name, TEXT_SIZE, error);
  if (core->text_ram == NULL)
    return false;
  core->text_seen = g_malloc0 (TEXT_SIZE);
  core->window = vt_device_add_region (dev, VT_SPACE_MEMORY, ops, VT_VGA_WINDOW_SIZE);
  core->linear_region
      = vt_device_add_ram_region (dev, core->ram, 0, LINEAR_SIZE, VT_RAM_RW, NULL);
  core->text_region
      = vt_device_add_ram_region (dev, core->text_ram, 0, TEXT_SIZE, VT_RAM_RW, NULL);
  vt_region_map (core->window, VT_VGA_WINDOW, PRIORITY_EXITS);
  return true;
}

void
vt_vga_window_finish (VtVgaCore *core)
{
  /* The regions are the device's and unmapped by now. */
  vt_ram_free (core->text_ram);
  g_free (core->text_seen);
  core->text_ram = NULL;
  core->text_seen = NULL;
}

/* The data path changes nothing: write mode 0, read mode 0, no rotation, no function, no set/reset,
 * every bit. */
static bool
plain (const VtVgaState *s)
{
  return (s->gr[5] & 0x0b) == 0 && (s->gr[1] & 0x0f) == 0 && s->gr[3] == 0 && s->gr[8] == 0xff;
}

static VtVgaMap
possible (const VtVgaState *s)
{
  unsigned decode = s->gr[6] >> 2 & 3;

  if (vt_dispi_enabled (&s->dispi))
    return s->dispi.regs[VT_DISPI_BPP] != 4 && s->dispi.regs[VT_DISPI_BANK] == 0
               ? VT_VGA_MAP_LINEAR
               : VT_VGA_MAP_NONE;
  if (!(s->misc & MISC_RAM) || !plain (s))
    return VT_VGA_MAP_NONE;
  if (s->sr[4] & 0x08)
    return decode <= 1 && (s->sr[2] & 15) == 15 ? VT_VGA_MAP_LINEAR : VT_VGA_MAP_NONE;
  if (!(s->sr[4] & 0x04) && s->gr[5] & 0x10 && s->gr[6] & 0x02 && !(s->gr[4] & 0x02)
      && (s->sr[2] & 15) == 3 && decode >= 2)
    return decode == 2 ? VT_VGA_MAP_TEXT_MONO : VT_VGA_MAP_TEXT_COLOUR;
  return VT_VGA_MAP_NONE;
}

static bool
text_mapped (const VtVgaCore *core)
{
  return core->mapped == VT_VGA_MAP_TEXT_COLOUR || core->mapped == VT_VGA_MAP_TEXT_MONO;
}

/* Where cell byte @i of the text page lies in the planes: characters in plane 0, attributes in plane
 * 1, of even addresses. */
static uint8_t *
cell (const VtVgaCore *core, uint64_t i)
{
  return core->vram + (i & ~UINT64_C (1)) * 4 + (i & 1);
}

static void
map (VtVgaCore *core)
{
  core->mapped = core->map_possible;
  if (core->mapped == VT_VGA_MAP_LINEAR)
    {
      vt_region_map (core->linear_region, VT_VGA_WINDOW, PRIORITY_MAPPED);
      return;
    }
  for (uint64_t i = 0; i < TEXT_SIZE; i++)
    core->text_seen[i] = *cell (core, i);
  memcpy (vt_ram_host (core->text_ram), core->text_seen, TEXT_SIZE);
  vt_region_map (core->text_region,
                 VT_VGA_WINDOW
                     + (core->mapped == VT_VGA_MAP_TEXT_COLOUR ? TEXT_COLOUR : TEXT_MONO),
                 PRIORITY_MAPPED);
}

void
vt_vga_window_sync (VtVgaCore *core)
{
  const uint64_t *now = (const uint64_t *) (void *) vt_ram_host (core->text_ram);
  uint64_t *seen = (uint64_t *) (void *) core->text_seen;

  if (!text_mapped (core))
    return;
  for (uint64_t i = 0; i < TEXT_SIZE / 8; i++)
    {
      /* A vCPU may be writing: each word is read once. */
      uint64_t word = __atomic_load_n (&now[i], __ATOMIC_RELAXED);
      const uint8_t *new = (const uint8_t *) &word;
      const uint8_t *old = (const uint8_t *) &seen[i];

      if (word == seen[i])
        continue;
      for (unsigned b = 0; b < 8; b++)
        if (new[b] != old[b])
          *cell (core, i * 8 + b) = new[b];
      seen[i] = word;
      vt_ram_mark_dirty (core->ram, i * 32, 32);
    }
}

void
vt_vga_window_unmap (VtVgaCore *core, bool sync)
{
  bool text = text_mapped (core);

  if (core->mapped == VT_VGA_MAP_NONE)
    return;
  /* First unmapped, then read: nothing can be written in between. */
  vt_region_unmap (text ? core->text_region : core->linear_region);
  if (text && sync)
    vt_vga_window_sync (core);
  core->mapped = VT_VGA_MAP_NONE;
  core->map_wish = 0;
}

void
vt_vga_window_changed (VtVgaCore *core)
{
  VtVgaMap now = possible (core->state);

  if (core->mapped != VT_VGA_MAP_NONE && core->mapped != now)
    vt_vga_window_unmap (core, true);
  if (now != core->map_possible)
    core->map_wish = 0;
  core->map_possible = now;
}

/* Where in the mapped text page @offset of the window is, or NULL. A vCPU that had exited before the
 * page was mapped still comes here. */
static uint8_t *
in_text (const VtVgaCore *core, uint64_t offset)
{
  uint64_t base = core->mapped == VT_VGA_MAP_TEXT_COLOUR ? TEXT_COLOUR : TEXT_MONO;

  if (!text_mapped (core) || offset < base || offset - base >= TEXT_SIZE)
    return NULL;
  return vt_ram_host (core->text_ram) + (offset - base);
}

/* An exit that a mapping would have saved, perhaps. */
static void
count (VtVgaCore *core, uint64_t offset)
{
  uint64_t from, size;

  switch (core->map_possible)
    {
    case VT_VGA_MAP_LINEAR:
      from = 0;
      size = LINEAR_SIZE;
      break;
    case VT_VGA_MAP_TEXT_COLOUR:
      from = TEXT_COLOUR;
      size = TEXT_SIZE;
      break;
    case VT_VGA_MAP_TEXT_MONO:
      from = TEXT_MONO;
      size = TEXT_SIZE;
      break;
    default:
      return;
    }
  if (core->mapped == VT_VGA_MAP_NONE && offset >= from && offset - from < size
      && ++core->map_wish >= WISH)
    map (core);
}

uint64_t
vt_vga_window_read (VtVgaCore *core, uint64_t offset, unsigned size)
{
  uint64_t value = 0;

  for (unsigned i = 0; i < size; i++)
    {
      const uint8_t *text = in_text (core, offset + i);
      uint8_t byte = text != NULL ? *text
                                  : vt_vga_memory_read (core, (uint32_t) (offset + i));

      value |= (uint64_t) byte << (8 * i);
    }
  count (core, offset);
  return value;
}

void
vt_vga_window_write (VtVgaCore *core, uint64_t offset, unsigned size, uint64_t value)
{
  for (unsigned i = 0; i < size; i++)
    {
      uint8_t *text = in_text (core, offset + i);

      if (text != NULL)
        *text = (uint8_t) (value >> (8 * i));
      else
        vt_vga_memory_write (core, (uint32_t) (offset + i), (uint8_t) (value >> (8 * i)));
    }
  count (core, offset);
}
