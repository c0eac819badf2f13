/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Surfaces: reference-counted pixels, and a file of them.
 */
#include <cairo.h>
#include <errno.h>
#include <glib/gstdio.h>

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

static cairo_status_t
png_write_cb (void *closure, const unsigned char *data, unsigned len)
{
  g_byte_array_append (closure, data, len);
  return CAIRO_STATUS_SUCCESS;
}

bool
vt_surface_write_png (const VtSurface *surface, const char *path, GError **error)
{
  g_autoptr (GByteArray) png = g_byte_array_new ();
  g_autoptr (GError) failure = NULL;
  cairo_surface_t *image = cairo_image_surface_create_for_data (
      surface->data, CAIRO_FORMAT_RGB24, surface->width, surface->height, surface->stride);
  cairo_status_t status = cairo_surface_write_to_png_stream (image, png_write_cb, png);

  cairo_surface_destroy (image);
  if (status != CAIRO_STATUS_SUCCESS)
    return vt_set_error (error, VITRINE_ERROR_FAILED,
                         "The picture for %s can't be encoded: %s", path,
                         cairo_status_to_string (status));

  /* Whole or not at all: an existing file is replaced only once the new one is complete. */
  if (!g_file_set_contents (path, (const char *) png->data, (gssize) png->len, &failure))
    {
      VitrineError code = VITRINE_ERROR_FAILED;

      if (g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOSPC))
        code = VITRINE_ERROR_NO_SPACE;
      else if (g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_ACCES)
               || g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_PERM))
        code = VITRINE_ERROR_DENIED;
      else if (g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        code = VITRINE_ERROR_NOT_FOUND;
      return vt_set_error (error, code,
                           "The picture can't be written; choose a folder that exists and can be "
                           "written to: %s",
                           failure->message);
    }
  return true;
}
