/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Surfaces: reference-counted pixels.
 */
#include "vt-console.h"

#define MAX_SIDE 16384

static VtSurface *
surface_new (int width, int height, int stride, uint8_t *data)
{
  VtSurface *surface = g_new0 (VtSurface, 1);

  surface->refs = 1;
  surface->width = width;
  surface->height = height;
  surface->stride = stride;
  surface->data = data;
  return surface;
}

VtSurface *
vt_surface_new (int width, int height)
{
  uint8_t *data;

  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE)
    return NULL;
  /* At most 1 GiB; calloc hands out pages that cost nothing until they are drawn on. */
  data = g_try_malloc0_n ((size_t) height, (size_t) width * 4);
  if (data == NULL)
    return NULL;
  return surface_new (width, height, width * 4, data);
}

VtSurface *
vt_surface_new_wrap (int width, int height, int stride, uint8_t *data, void (*release) (void *),
                     void *release_data)
{
  VtSurface *surface;

  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || stride < width * 4
      || stride % 4 != 0 || data == NULL)
    return NULL;
  surface = surface_new (width, height, stride, data);
  surface->release = release;
  surface->release_data = release_data;
  return surface;
}

VtSurface *
vt_surface_ref (VtSurface *surface)
{
  g_atomic_int_inc (&surface->refs);
  return surface;
}

void
vt_surface_unref (VtSurface *surface)
{
  if (surface == NULL || !g_atomic_int_dec_and_test (&surface->refs))
    return;
  if (surface->release != NULL)
    surface->release (surface->release_data);
  else
    g_free (surface->data);
  g_free (surface);
}
