/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A surface as a PNG file (W3C PNG specification, second edition). zlib, which GIO brings along
 * anyway, does the work; a picture library would cost every machine's process its memory for one
 * file now and then.
 */
#include <string.h>
#include <zlib.h>

#include "vt-console.h"

/* 5.3: length, type, data, and the CRC over type and data. */
static void
append_chunk (GByteArray *png, const char *type, const uint8_t *data, size_t length)
{
  uint32_t be = GUINT32_TO_BE ((uint32_t) length);
  guint begin;

  g_byte_array_append (png, (const uint8_t *) &be, sizeof be);
  begin = png->len;
  g_byte_array_append (png, (const uint8_t *) type, 4);
  if (length > 0)
    g_byte_array_append (png, data, (guint) length);
  be = GUINT32_TO_BE ((uint32_t) crc32 (0, png->data + begin, png->len - begin));
  g_byte_array_append (png, (const uint8_t *) &be, sizeof be);
}

/* 11.2.2: eight bits each of red, green and blue, no interlacing. */
static void
append_head (GByteArray *png, const VtSurface *surface)
{
  static const uint8_t signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
  uint8_t head[13] = { [8] = 8, [9] = 2 };
  uint32_t width = GUINT32_TO_BE ((uint32_t) surface->width);
  uint32_t height = GUINT32_TO_BE ((uint32_t) surface->height);

  memcpy (head, &width, sizeof width);
  memcpy (head + 4, &height, sizeof height);
  g_byte_array_append (png, signature, sizeof signature);
  append_chunk (png, "IHDR", head, sizeof head);
}

/* 9.2, filter type 2: the difference to the row above, which is nothing on most screens. */
static void
filter_row (uint8_t *to, const uint32_t *row, const uint32_t *above, int width)
{
  *to++ = 2;
  for (int x = 0; x < width; x++)
    for (int shift = 16; shift >= 0; shift -= 8)
      *to++ = (uint8_t) ((row[x] >> shift) - (above != NULL ? above[x] >> shift : 0));
}

/* 10: one zlib stream over all rows, in as many IDAT chunks as it takes. */
static bool
append_rows (GByteArray *png, const VtSurface *surface)
{
  size_t length = 1 + (size_t) surface->width * 3;
  g_autofree uint8_t *row = g_try_malloc (length);
  g_autofree uint8_t *out = g_try_malloc (65536);
  const uint32_t *above = NULL;
  z_stream stream = { 0 };
  int result = Z_OK;

  if (row == NULL || out == NULL || deflateInit (&stream, 6) != Z_OK)
    return false;
  stream.next_out = out;
  stream.avail_out = 65536;
  for (int y = 0; y <= surface->height && result == Z_OK; y++)
    {
      bool last = y == surface->height;

      if (!last)
        {
          const uint32_t *now =
              (const void *) (surface->data + (size_t) y * (size_t) surface->stride);
          filter_row (row, now, above, surface->width);
          above = now;
        }
      stream.next_in = row;
      stream.avail_in = last ? 0 : (uInt) length;
      do
        {
          result = deflate (&stream, last ? Z_FINISH : Z_NO_FLUSH);
          if (stream.avail_out == 0 || result == Z_STREAM_END)
            {
              append_chunk (png, "IDAT", out, 65536 - stream.avail_out);
              stream.next_out = out;
              stream.avail_out = 65536;
            }
        }
      while (result == Z_OK && (stream.avail_in > 0 || last));
    }
  deflateEnd (&stream);
  return result == Z_STREAM_END;
}

bool
vt_surface_write_png (const VtSurface *surface, const char *path, GError **error)
{
  g_autoptr (GByteArray) png = g_byte_array_new ();
  g_autoptr (GError) failure = NULL;

  append_head (png, surface);
  if (!append_rows (png, surface))
    return vt_set_error (error, VITRINE_ERROR_FAILED,
                         "The picture for %s can't be encoded: there is not enough memory", path);
  append_chunk (png, "IEND", NULL, 0);

  /* Whole or not at all: an existing file is replaced only once the new one is complete. */
  if (!g_file_set_contents (path, (const char *) png->data, (gssize) png->len, &failure))
    {
      VitrineError code = VITRINE_ERROR_FAILED;

      if (g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOSPC))
        code = VITRINE_ERROR_NO_SPACE;
      else if (g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_ACCES) ||
               g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_PERM))
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
