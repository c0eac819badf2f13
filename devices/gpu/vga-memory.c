/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The legacy window: how an access becomes bytes of the four planes.
 *
 * The path of a write is: decode (GR6, misc), pick planes and address (chain 4, odd/even, map mask),
 * then the graphics controller's data path (write mode, rotate, set/reset, function, bit mask).
 */
#include "vga-core.h"

#define SR4_NO_ODD_EVEN 0x04
#define SR4_CHAIN_4 0x08
#define GR5_READ_ODD_EVEN 0x10
#define GR6_CHAIN_ODD_EVEN 0x02
#define MISC_RAM 0x02

/* Each of the four low bits as a byte of ones. */
static uint32_t
planes (unsigned bits)
{
  return ((bits & 1) * 0xffu) | ((bits >> 1 & 1) * 0xff00u) | ((bits >> 2 & 1) * 0xff0000u)
         | ((bits >> 3 & 1) * 0xff000000u);
}

/* Whether the window decodes @address; then *@offset inside it. */
static bool
decode (const VtVgaState *s, uint32_t address, uint32_t *offset)
{
  *offset = address;
  /* VBE modes use the first half, whatever mode was programmed before. */
  if (vt_dispi_enabled (&s->dispi))
    return address < 0x10000;
  if (!(s->misc & MISC_RAM))
    return false;
  switch (s->gr[6] >> 2 & 3)
    {
    case 0:
      return true;
    case 1:
      return address < 0x10000;
    case 2:
      *offset = address - 0x10000;
      return address >= 0x10000 && address < 0x18000;
    default:
      *offset = address - 0x18000;
      return address >= 0x18000;
    }
}

/* The VBE extension's packed modes make the window plain memory. */
static bool
packed (const VtVgaState *s)
{
  return vt_dispi_enabled (&s->dispi) && s->dispi.regs[VT_DISPI_BPP] != 4;
}

/* The dword's place in video memory for plane address @at, with the bank of the VBE extension. False
 * past the end. */
static bool
place (const VtVgaCore *core, uint32_t at, uint64_t *where)
{
  const VtVgaState *s = core->state;
  uint64_t n = at & (VT_VGA_PLANE_SIZE - 1);

  if (vt_dispi_enabled (&s->dispi))
    n = at + (uint64_t) s->dispi.regs[VT_DISPI_BANK] * VT_VGA_PLANE_SIZE;
  *where = n * 4;
  return vt_range_ok (*where, 4, core->vram_size);
}

static uint64_t
packed_place (const VtVgaCore *core, uint32_t offset)
{
  return ((uint64_t) core->state->dispi.regs[VT_DISPI_BANK] << 16 | offset)
         & (core->vram_size - 1);
}

uint8_t
vt_vga_memory_read (VtVgaCore *core, uint32_t address)
{
  VtVgaState *s = core->state;
  uint32_t offset, at, differ;
  uint64_t where;
  unsigned plane;

  if (!decode (s, address, &offset))
    return 0xff;
  if (packed (s))
    return core->vram[packed_place (core, offset)];

  at = offset;
  plane = s->gr[4] & 3;
  if (s->sr[4] & SR4_CHAIN_4)
    {
      plane = offset & 3;
      at = offset >> 2;
    }
  else if (s->gr[5] & GR5_READ_ODD_EVEN)
    {
      plane = (s->gr[4] & 2) | (offset & 1);
      if (s->gr[6] & GR6_CHAIN_ODD_EVEN)
        at = offset & ~1u;
    }
  if (!place (core, at, &where))
    return 0xff;
  s->latch = vt_ld32 (core->vram + where);

  if (!(s->gr[5] & 0x08))
    return (uint8_t) (s->latch >> (8 * plane));
  /* Read mode 1: a bit is set where all the planes that matter equal the colour. */
  differ = (s->latch ^ planes (s->gr[2])) & planes (s->gr[7]);
  return (uint8_t) ~(differ | differ >> 8 | differ >> 16 | differ >> 24);
}

/* The graphics controller's logic function, GR3 bits 3 and 4. */
static uint32_t
function (const VtVgaState *s, uint32_t data)
{
  switch (s->gr[3] >> 3 & 3)
    {
    case 0:
      return data;
    case 1:
      return data & s->latch;
    case 2:
      return data | s->latch;
    default:
      return data ^ s->latch;
    }
}

/* What the data path makes of @value, for all planes. */
static uint32_t
combine (const VtVgaState *s, uint8_t value)
{
  uint32_t data, set, bits = s->gr[8] * 0x01010101u;
  unsigned rotate = s->gr[3] & 7;
  uint8_t rotated = (uint8_t) (value >> rotate | value << (8 - rotate));

  switch (s->gr[5] & 3)
    {
    case 0:
      set = planes (s->gr[1]);
      data = function (s, ((rotated * 0x01010101u) & ~set) | (planes (s->gr[0]) & set));
      break;
    case 1:
      return s->latch;
    case 2:
      data = function (s, planes (value));
      break;
    default:
      bits &= rotated * 0x01010101u;
      data = function (s, planes (s->gr[0]));
      break;
    }
  return (data & bits) | (s->latch & ~bits);
}

void
vt_vga_memory_write (VtVgaCore *core, uint32_t address, uint8_t value)
{
  VtVgaState *s = core->state;
  uint32_t offset, at, mask;
  uint64_t where;
  unsigned write_planes = s->sr[2];

  if (!decode (s, address, &offset))
    return;
  if (packed (s))
    {
      where = packed_place (core, offset);
      core->vram[where] = value;
      vt_ram_mark_dirty (core->ram, where, 1);
      return;
    }

  at = offset;
  if (s->sr[4] & SR4_CHAIN_4)
    {
      write_planes &= 1u << (offset & 3);
      at = offset >> 2;
    }
  else if (!(s->sr[4] & SR4_NO_ODD_EVEN))
    {
      write_planes &= offset & 1 ? 0xa : 0x5;
      if (s->gr[6] & GR6_CHAIN_ODD_EVEN)
        at = offset & ~1u;
    }
  if (write_planes == 0 || !place (core, at, &where))
    return;
  mask = planes (write_planes);
  vt_st32 (core->vram + where,
           (vt_ld32 (core->vram + where) & ~mask) | (combine (s, value) & mask));
  vt_ram_mark_dirty (core->ram, where, 4);
}
