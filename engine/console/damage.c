/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A damaged area as a few disjoint rectangles.
 *
 * A device reports text cells, scan lines and blits; a viewer wants few rectangles that together are
 * not much more than what changed. So a rectangle joins a neighbour where their bounding box holds
 * little else, is cut where it only overlaps one (a scroll bar across a title bar must not become the
 * whole window), and once there is no room left the pair that wastes least is joined.
 */
#include "damage.h"

/* Joining may add this many pixels that did not change (some character cells), or this fraction of
 * the bounding box, whichever is more. */
#define WASTE_PIXELS 1024
#define WASTE_SHIFT 3

/* A cut leaves up to four pieces, each of which may be cut again. */
#define MAX_PIECES 16

static int64_t
area (const VtRect *r)
{
  return (int64_t) r->width * r->height;
}

static bool
intersect (const VtRect *a, const VtRect *b, VtRect *out)
{
  int x1 = MAX (a->x, b->x), y1 = MAX (a->y, b->y);
  int x2 = MIN (a->x + a->width, b->x + b->width);
  int y2 = MIN (a->y + a->height, b->y + b->height);

  if (x1 >= x2 || y1 >= y2)
    return false;
  *out = (VtRect){ x1, y1, x2 - x1, y2 - y1 };
  return true;
}

static VtRect
bounds (const VtRect *a, const VtRect *b)
{
  int x1 = MIN (a->x, b->x), y1 = MIN (a->y, b->y);
  int x2 = MAX (a->x + a->width, b->x + b->width);
  int y2 = MAX (a->y + a->height, b->y + b->height);

  return (VtRect){ x1, y1, x2 - x1, y2 - y1 };
}

static bool
contains (const VtRect *outer, const VtRect *inner)
{
  return inner->x >= outer->x && inner->y >= outer->y
         && inner->x + inner->width <= outer->x + outer->width
         && inner->y + inner->height <= outer->y + outer->height;
}

/* Pixels that the bounding box holds beyond the two. */
static int64_t
waste (const VtRect *a, const VtRect *b)
{
  VtRect box = bounds (a, b), common;
  int64_t both = area (a) + area (b);

  if (intersect (a, b, &common))
    both -= area (&common);
  return area (&box) - both;
}

/* Not where the box would cut into a third: what is cut apart there would be joined here again,
 * without end. */
static bool
worth_joining (const VtDamage *damage, const VtRect *a, const VtRect *b)
{
  VtRect box = bounds (a, b), common;

  if (waste (a, b) > MAX (WASTE_PIXELS, area (&box) >> WASTE_SHIFT))
    return false;
  for (unsigned i = 0; i < damage->n; i++)
    if (!contains (&box, &damage->rects[i]) && intersect (&box, &damage->rects[i], &common))
      return false;
  return true;
}

static void
drop (VtDamage *damage, unsigned i)
{
  damage->rects[i] = damage->rects[--damage->n];
}

/* Puts @rect in, growing it over everything that it meets: always fits where a place is free. */
static void
put_grown (VtDamage *damage, VtRect rect)
{
  VtRect common;

  for (unsigned i = 0; i < damage->n;)
    {
      if (intersect (&damage->rects[i], &rect, &common))
        {
          rect = bounds (&damage->rects[i], &rect);
          drop (damage, i);
          i = 0;
        }
      else
        i++;
    }
  damage->rects[damage->n++] = rect;
}

/* Joins the two that waste least, so that a place becomes free. */
static void
make_room (VtDamage *damage)
{
  unsigned a = 0, b = 1;
  int64_t least = INT64_MAX;

  for (unsigned i = 0; i < damage->n; i++)
    for (unsigned j = i + 1; j < damage->n; j++)
      {
        int64_t w = waste (&damage->rects[i], &damage->rects[j]);

        if (w < least)
          {
            least = w;
            a = i;
            b = j;
          }
      }

  VtRect box = bounds (&damage->rects[a], &damage->rects[b]);

  drop (damage, b); /* b > a, so a stays where it is. */
  drop (damage, a);
  put_grown (damage, box);
}

/* The parts of @r outside @hole, which lies within it: above, below, left, right. */
static unsigned
cut (const VtRect *r, const VtRect *hole, VtRect *out)
{
  unsigned n = 0;
  int r_right = r->x + r->width, r_bottom = r->y + r->height;
  int h_right = hole->x + hole->width, h_bottom = hole->y + hole->height;

  if (hole->y > r->y)
    out[n++] = (VtRect){ r->x, r->y, r->width, hole->y - r->y };
  if (h_bottom < r_bottom)
    out[n++] = (VtRect){ r->x, h_bottom, r->width, r_bottom - h_bottom };
  if (hole->x > r->x)
    out[n++] = (VtRect){ r->x, hole->y, hole->x - r->x, hole->height };
  if (h_right < r_right)
    out[n++] = (VtRect){ h_right, hole->y, r_right - h_right, hole->height };
  return n;
}

void
vt_damage_clear (VtDamage *damage)
{
  damage->n = 0;
}

bool
vt_rect_clip (VtRect *rect, int width, int height)
{
  int64_t x1 = CLAMP ((int64_t) rect->x, 0, width);
  int64_t y1 = CLAMP ((int64_t) rect->y, 0, height);
  int64_t x2 = CLAMP ((int64_t) rect->x + rect->width, 0, width);
  int64_t y2 = CLAMP ((int64_t) rect->y + rect->height, 0, height);

  if (x1 >= x2 || y1 >= y2)
    return false;
  *rect = (VtRect){ (int) x1, (int) y1, (int) (x2 - x1), (int) (y2 - y1) };
  return true;
}

void
vt_damage_add (VtDamage *damage, const VtRect *rect, int width, int height)
{
  VtRect pieces[MAX_PIECES];
  unsigned n_pieces = 1;

  pieces[0] = *rect;
  if (!vt_rect_clip (&pieces[0], width, height))
    return;

  while (n_pieces > 0)
    {
      VtRect piece = pieces[--n_pieces];
      bool settled = false;

      for (unsigned i = 0; i < damage->n && !settled;)
        {
          VtRect *other = &damage->rects[i];
          VtRect common;

          if (contains (other, &piece))
            settled = true;
          else if (contains (&piece, other))
            drop (damage, i);
          else if (worth_joining (damage, other, &piece))
            {
              /* The larger rectangle may meet others now: look at all of them again. */
              piece = bounds (other, &piece);
              drop (damage, i);
              i = 0;
            }
          else if (intersect (other, &piece, &common))
            {
              /* It meets one at least, so there is a place. */
              if (n_pieces + 4 > MAX_PIECES)
                put_grown (damage, piece);
              else
                n_pieces += cut (&piece, &common, &pieces[n_pieces]);
              settled = true;
            }
          else
            i++;
        }

      if (!settled)
        {
          if (damage->n == VT_VIEWER_RECTS)
            {
              /* Joining two may have grown over the piece: it takes its turn once more. */
              make_room (damage);
              pieces[n_pieces++] = piece;
            }
          else
            damage->rects[damage->n++] = piece;
        }
    }
}
