/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Bochs VBE extension's registers.
 *
 * The geometry registers keep what was written until the mode is enabled; from then on they hold
 * what is really shown. Widths are taken as they are, not rounded to eight, but for the planar mode.
 */
#include "dispi.h"

#define ID_FIRST 0xb0c0
#define ID_LAST 0xb0c5

#define LITTLE 0x1e1e1e1e
#define BIG 0xbebebebe

static bool
check (const void *state, GError **error)
{
  const VtDispiState *dispi = state;

  if (dispi->big_endian > 1)
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The display's byte order is neither of the two");
  return true;
}

static const VtStateField fields[] = {
  VT_STATE (VtDispiState, regs),
  VT_STATE (VtDispiState, index),
  VT_STATE (VtDispiState, low),
  VT_STATE_MAX (VtDispiState, big_endian, 1),
};
const VtStateDesc vt_dispi_state = VT_STATE_DESC (VtDispiState, 1, fields, check);

void
vt_dispi_reset (VtDispiState *dispi)
{
  *dispi = (VtDispiState){ 0 };
  dispi->regs[VT_DISPI_ID] = ID_LAST;
}

bool
vt_dispi_enabled (const VtDispiState *dispi)
{
  return (dispi->regs[VT_DISPI_ENABLE] & VT_DISPI_ENABLED) != 0;
}

static unsigned
known_depth (unsigned bpp)
{
  switch (bpp)
    {
    case 4:
    case 8:
    case 15:
    case 16:
    case 24:
    case 32:
      return bpp;
    default:
      /* Depth 0 was the first version's way to say 8 bits. */
      return 8;
    }
}

/* Bytes that hold a row of @width pixels; in the planar mode bytes of all four planes, of which the
 * memory interleaves one each. */
static uint64_t
row_bytes (unsigned bits, uint64_t width)
{
  return bits == 4 ? width / 8 * 4 : width * ((bits + 7) / 8);
}

bool
vt_dispi_mode (const VtDispiState *dispi, uint64_t vram_size, VtLinearMode *mode)
{
  const uint16_t *r = dispi->regs;
  unsigned bits = known_depth (r[VT_DISPI_BPP]);
  uint64_t width = CLAMP (r[VT_DISPI_XRES], 1, VT_DISPI_MAX_X);
  uint64_t height = CLAMP (r[VT_DISPI_YRES], 1, VT_DISPI_MAX_Y);
  uint64_t virt = MAX (width, r[VT_DISPI_VIRT_WIDTH]);
  uint64_t row, bytes;

  *mode = (VtLinearMode){ 0 };
  if (!vt_dispi_enabled (dispi))
    return false;
  if (bits == 4)
    {
      width = MAX (width & ~UINT64_C (7), 8);
      virt = MAX (virt & ~UINT64_C (7), width);
    }
  row = row_bytes (bits, virt);
  bytes = row_bytes (bits, width);
  mode->bits = bits;
  mode->width = (int) width;
  mode->stride = (int) row;
  mode->offset = r[VT_DISPI_Y_OFFSET] * row + row_bytes (bits, r[VT_DISPI_X_OFFSET]);
  mode->bytes = (int) bytes;
  mode->big_endian = dispi->big_endian != 0;
  /* A picture that does not fit is cut, or it would have no end to allocate. */
  mode->height = (int) CLAMP (height, 1, MAX (1, vram_size / row));
  mode->rows = mode->offset + bytes > vram_size
                   ? 0
                   : (int) MIN ((uint64_t) mode->height,
                                (vram_size - mode->offset - bytes) / row + 1);
  return true;
}

/* While enabled the registers say what is shown. */
static void
settle (VtDispiState *dispi, uint64_t vram_size)
{
  VtLinearMode mode;
  uint16_t *r = dispi->regs;
  uint64_t virt;

  if (!vt_dispi_mode (dispi, vram_size, &mode))
    return;
  r[VT_DISPI_BPP] = (uint16_t) mode.bits;
  r[VT_DISPI_XRES] = (uint16_t) mode.width;
  r[VT_DISPI_YRES] = (uint16_t) mode.height;
  virt = mode.bits == 4 ? (uint64_t) mode.stride / 4 * 8
                        : (uint64_t) mode.stride / ((mode.bits + 7) / 8);
  r[VT_DISPI_VIRT_WIDTH] = (uint16_t) virt;
  r[VT_DISPI_VIRT_HEIGHT] = (uint16_t) MIN (vram_size / (uint64_t) mode.stride, UINT16_MAX);
}

uint16_t
vt_dispi_read (const VtDispiState *dispi, unsigned reg, uint64_t vram_size)
{
  if (reg == VT_DISPI_MEMORY_64K)
    return (uint16_t) MIN (vram_size >> 16, UINT16_MAX);
  if (reg >= VT_DISPI_N_REGS)
    return 0;
  if (dispi->regs[VT_DISPI_ENABLE] & VT_DISPI_GETCAPS)
    switch (reg)
      {
      case VT_DISPI_XRES:
        return VT_DISPI_MAX_X;
      case VT_DISPI_YRES:
        return VT_DISPI_MAX_Y;
      case VT_DISPI_BPP:
        return 32;
      default:
        break;
      }
  return dispi->regs[reg];
}

bool
vt_dispi_write (VtDispiState *dispi, unsigned reg, uint16_t value, uint64_t vram_size,
                uint64_t *clear)
{
  uint16_t *r = dispi->regs;
  bool was = vt_dispi_enabled (dispi);
  bool wipe = false;

  *clear = 0;
  switch (reg)
    {
    case VT_DISPI_ID:
      if (value >= ID_FIRST && value <= ID_LAST)
        r[reg] = value;
      break;
    case VT_DISPI_XRES:
      r[reg] = MIN (value, VT_DISPI_MAX_X);
      break;
    case VT_DISPI_YRES:
      r[reg] = MIN (value, VT_DISPI_MAX_Y);
      break;
    case VT_DISPI_BPP:
    case VT_DISPI_VIRT_WIDTH:
    case VT_DISPI_X_OFFSET:
    case VT_DISPI_Y_OFFSET:
      r[reg] = value;
      break;
    case VT_DISPI_BANK:
      /* Banks of 64 KiB; the legacy window shows one. */
      r[reg] = (uint16_t) (value % MAX (1, vram_size >> 16));
      break;
    case VT_DISPI_ENABLE:
      r[reg] = value;
      if ((value & VT_DISPI_ENABLED) && !was)
        {
          r[VT_DISPI_VIRT_WIDTH] = 0;
          r[VT_DISPI_X_OFFSET] = 0;
          r[VT_DISPI_Y_OFFSET] = 0;
          wipe = (value & VT_DISPI_NOCLEAR) == 0;
        }
      else if (!(value & VT_DISPI_ENABLED))
        r[VT_DISPI_BANK] = 0;
      break;
    default:
      break;
    }
  settle (dispi, vram_size);
  if (wipe)
    {
      VtLinearMode mode;

      vt_dispi_mode (dispi, vram_size, &mode);
      *clear = MIN ((uint64_t) mode.stride * (uint64_t) mode.height, vram_size);
    }
  return wipe;
}

/* The index is a word at 0x1CE; the data a word at 0x1CF (an odd port, which arrives here in bytes)
 * or at 0x1D0. Either way the high byte completes it. */
uint32_t
vt_dispi_port_read (const VtDispiState *dispi, unsigned port, unsigned size, uint64_t vram_size)
{
  uint16_t data = vt_dispi_read (dispi, dispi->index, vram_size);

  if (size == 2)
    return port == 0 ? dispi->index : port == 2 ? data : 0xffff;
  switch (port)
    {
    case 0:
      return dispi->index & 0xff;
    case 1:
      return data & 0xff;
    case 2:
      return data >> 8;
    default:
      return 0xff;
    }
}

bool
vt_dispi_port_write (VtDispiState *dispi, unsigned port, unsigned size, uint32_t value,
                     uint64_t vram_size, uint64_t *clear)
{
  *clear = 0;
  if (size == 2 && port == 2)
    return vt_dispi_write (dispi, dispi->index, (uint16_t) value, vram_size, clear);
  switch (port)
    {
    case 0:
      dispi->index = (uint16_t) value;
      return false;
    case 1:
      dispi->low = (uint8_t) value;
      return false;
    case 2:
      return vt_dispi_write (dispi, dispi->index,
                             (uint16_t) ((value & 0xff) << 8 | dispi->low), vram_size, clear);
    default:
      return false;
    }
}

uint32_t
vt_dispi_extended_read (const VtDispiState *dispi, unsigned offset)
{
  switch (offset)
    {
    case 0:
      return 8; /* Bytes that this block has. */
    case 4:
      return dispi->big_endian ? BIG : LITTLE;
    default:
      return UINT32_MAX;
    }
}

void
vt_dispi_extended_write (VtDispiState *dispi, unsigned offset, uint32_t value)
{
  if (offset == 4 && value == LITTLE)
    dispi->big_endian = 0;
  else if (offset == 4 && value == BIG)
    dispi->big_endian = 1;
}
