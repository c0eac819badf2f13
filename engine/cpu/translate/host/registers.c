/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The units' registers in a core's image: where they are, and what a part stands for that is in its initial
 * state (SDM volume 1, 13.4 and 13.6). See unit.h.
 */
#include "examine.h"
#include "unit.h"

#define N_PIECES 3u
#define ST(n) (32u + 16u * (n))
#define N_ST 8u

void
vt_unit_use (VtCore *core, unsigned feature)
{
  const VtUnitPart *part = vt_unit_part (core->unit, feature);

  if (vt_unit_in_use (core) >> feature & 1)
    return;
  switch (feature)
    {
    case 0:
      memset (core->xsave, 0, 24); /* MXCSR, which is next, goes with no feature. */
      memset (core->xsave + ST (0), 0, N_ST * 16);
      vt_st16 (core->xsave, 0x37f);
      break;
    case 1:
      memset (core->xsave + 160, 0, 256);
      break;
    default:
      memset (core->xsave + part->offset, 0, part->size);
      break;
    }
  vt_unit_set_in_use (core, vt_unit_in_use (core) | VT_BIT (feature));
}

/* A part of a register, in a feature's part of the image. */
typedef struct
{
  unsigned feature, offset, size;
} Piece;

static unsigned
pieces (const VtCore *core, unsigned reg, Piece out[N_PIECES])
{
  const VtUnitPart *avx = vt_unit_part (core->unit, 2), *high = vt_unit_part (core->unit, 6),
                   *more = vt_unit_part (core->unit, 7);
  unsigned          n = 0;

  if (reg >= 16)
    {
      out[n++] = (Piece){ 7, more->offset + 64 * (reg - 16), 64 };
      return n;
    }
  out[n++] = (Piece){ 1, 160 + 16 * reg, 16 };
  if (avx->size)
    out[n++] = (Piece){ 2, avx->offset + 16 * reg, 16 };
  if (high->size)
    out[n++] = (Piece){ 6, high->offset + 32 * reg, 32 };
  return n;
}

static bool
is_zero (const uint8_t *bytes, unsigned size)
{
  for (unsigned i = 0; i < size; i += 8)
    if (vt_ld64 (bytes + i))
      return false;
  return true;
}

static void
get (const VtCore *core, const Piece *piece, uint8_t *to)
{
  if (vt_unit_in_use (core) >> piece->feature & 1)
    memcpy (to, core->xsave + piece->offset, piece->size);
  else
    memset (to, 0, piece->size);
}

static void
put (VtCore *core, const Piece *piece, const uint8_t *from)
{
  if (!(vt_unit_in_use (core) >> piece->feature & 1) && is_zero (from, piece->size))
    return;
  vt_unit_use (core, piece->feature);
  memcpy (core->xsave + piece->offset, from, piece->size);
}

void
vt_unit_get_vector (const VtCore *core, unsigned reg, uint8_t *to)
{
  Piece          piece[N_PIECES];
  const unsigned n = pieces (core, reg, piece);

  memset (to, 0, VT_UNIT_OPERAND);
  for (unsigned i = 0, at = 0; i < n; at += piece[i++].size)
    get (core, &piece[i], to + at);
}

void
vt_unit_put_vector (VtCore *core, unsigned reg, const uint8_t *from)
{
  Piece          piece[N_PIECES];
  const unsigned n = pieces (core, reg, piece);

  for (unsigned i = 0, at = 0; i < n; at += piece[i++].size)
    put (core, &piece[i], from + at);
}

static Piece
mask_piece (const VtCore *core, unsigned k)
{
  return (Piece){ 5, vt_unit_part (core->unit, 5)->offset + 8 * k, 8 };
}

uint64_t
vt_unit_get_mask (const VtCore *core, unsigned k)
{
  const Piece piece = mask_piece (core, k);
  uint8_t     mask[8];

  get (core, &piece, mask);
  return vt_ld64 (mask);
}

void
vt_unit_put_mask (VtCore *core, unsigned k, uint64_t value)
{
  const Piece piece = mask_piece (core, k);
  uint8_t     mask[8];

  vt_st64 (mask, value);
  put (core, &piece, mask);
}

/* The image has the x87's registers from its top on, which MMX's are by number. */
static Piece
mmx_piece (const VtCore *core, unsigned reg)
{
  const unsigned top = vt_unit_in_use (core) & VT_FEATURE_X87 ? vt_ld16 (core->xsave + 2) >> 11 : 0;

  return (Piece){ 0, ST ((reg - top) % N_ST), 16 };
}

void
vt_unit_get_mmx (const VtCore *core, unsigned reg, uint8_t *to)
{
  const Piece piece = mmx_piece (core, reg);

  get (core, &piece, to);
}

void
vt_unit_put_mmx (VtCore *core, unsigned reg, const uint8_t *from)
{
  const Piece piece = mmx_piece (core, reg);

  put (core, &piece, from);
}

void
vt_unit_move_top (VtCore *core, unsigned top)
{
  const unsigned by = (top - (vt_ld16 (core->xsave + 2) >> 11)) % N_ST;
  uint8_t        all[N_ST * 16];

  memcpy (all, core->xsave + ST (0), sizeof all);
  for (unsigned i = 0; i < N_ST; i++)
    memcpy (core->xsave + ST (i), all + 16 * ((i + by) % N_ST), 16);
}
