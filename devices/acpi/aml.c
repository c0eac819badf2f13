/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ACPI byte-code writer. ACPI 6.0, chapter 20 for the code, 6.4 for resources.
 */
#include "vt-aml.h"

/* 20.2.4: a package length of at most 28 bits. */
#define PKG_MAX ((UINT32_C (1) << 28) - 1)

typedef struct
{
  guint start;     /* Where the definition's body begins: the length goes there. */
  bool  resources; /* A resource template: closed by an end tag and a buffer's header. */
} Frame;

struct VtAml
{
  GByteArray *code;
  GArray     *frames; /* Frame */
  bool        broken;
};

VtAml *
vt_aml_new (void)
{
  VtAml *aml = g_new0 (VtAml, 1);

  aml->code = g_byte_array_new ();
  aml->frames = g_array_new (FALSE, FALSE, sizeof (Frame));
  return aml;
}

void
vt_aml_free (VtAml *aml)
{
  if (aml == NULL)
    return;
  g_byte_array_unref (aml->code);
  g_array_unref (aml->frames);
  g_free (aml);
}

GBytes *
vt_aml_free_to_bytes (VtAml *aml)
{
  GBytes *bytes = NULL;

  if (!aml->broken && aml->frames->len == 0)
    bytes = g_bytes_new (aml->code->data, aml->code->len);
  vt_aml_free (aml);
  return bytes;
}

static void
put (VtAml *aml, const void *data, size_t len)
{
  if (len > PKG_MAX - MIN (aml->code->len, PKG_MAX))
    aml->broken = true;
  else
    g_byte_array_append (aml->code, data, (guint) len);
}

static void
put8 (VtAml *aml, unsigned v)
{
  uint8_t raw = (uint8_t) v;

  put (aml, &raw, 1);
}

/* The low @size bytes of @v, little-endian. */
static void
put_le (VtAml *aml, uint64_t v, unsigned size)
{
  uint8_t raw[8];

  vt_st (raw, size, v);
  put (aml, raw, size);
}

/* ExtOpPrefix and a second byte. */
static void
put_ext (VtAml *aml, unsigned op)
{
  put8 (aml, 0x5b);
  put8 (aml, op);
}

/* 20.2.2: NameString. */

static bool
segment_ok (const char *seg, size_t len)
{
  if (len == 0 || len > 4 || g_ascii_isdigit (seg[0]))
    return false;
  for (size_t i = 0; i < len; i++)
    if (!g_ascii_isupper (seg[i]) && !g_ascii_isdigit (seg[i]) && seg[i] != '_')
      return false;
  return true;
}

static void
put_path (VtAml *aml, const char *path)
{
  g_auto (GStrv) segments = NULL;
  unsigned n;

  if (*path == '\\')
    put8 (aml, *path++);
  else
    while (*path == '^')
      put8 (aml, *path++);
  segments = g_strsplit (path, ".", -1);
  n = g_strv_length (segments);
  if (n == 0)
    put8 (aml, 0x00); /* NullName: the root or a parent itself. */
  else if (n == 2)
    put8 (aml, 0x2e); /* DualNamePrefix */
  else if (n > 2)
    {
      put8 (aml, 0x2f); /* MultiNamePrefix */
      put8 (aml, n);
    }
  if (n > 255)
    aml->broken = true;
  for (unsigned i = 0; i < n; i++)
    {
      char   seg[4] = { '_', '_', '_', '_' };
      size_t len = strlen (segments[i]);

      if (segment_ok (segments[i], len))
        memcpy (seg, segments[i], len);
      else
        aml->broken = true;
      put (aml, seg, 4);
    }
}

/* 20.2.4: PkgLength counts itself. Returns how many bytes were written to @out. */
static unsigned
encode_length (uint32_t body, uint8_t out[4])
{
  unsigned n = body + 1 <= 0x3f ? 1 : body + 2 <= 0xfff ? 2 : body + 3 <= 0xfffff ? 3 : 4;
  uint32_t total = body + n;

  if (n == 1)
    {
      out[0] = (uint8_t) total;
      return 1;
    }
  out[0] = (uint8_t) ((n - 1) << 6 | (total & 0x0f));
  for (unsigned i = 1; i < n; i++)
    out[i] = (uint8_t) (total >> (4 + 8 * (i - 1)));
  return n;
}

static void
insert (VtAml *aml, guint at, const void *data, guint len)
{
  guint tail = aml->code->len - at;

  g_byte_array_set_size (aml->code, aml->code->len + len);
  memmove (aml->code->data + at + len, aml->code->data + at, tail);
  memcpy (aml->code->data + at, data, len);
}

static void
open_frame (VtAml *aml, bool resources)
{
  Frame frame = { .start = aml->code->len, .resources = resources };

  g_array_append_val (aml->frames, frame);
}

void
vt_aml_end (VtAml *aml)
{
  Frame    frame;
  uint8_t  length[4];
  unsigned n;

  if (aml->frames->len == 0)
    {
      aml->broken = true;
      return;
    }
  frame = g_array_index (aml->frames, Frame, aml->frames->len - 1);
  g_array_set_size (aml->frames, aml->frames->len - 1);
  if (frame.resources)
    {
      uint8_t size[5] = { 0x0c }; /* DWordPrefix: iasl's choice is shorter, the meaning the same. */

      /* 6.4.2.9: the end tag; a checksum of zero means that there is none. */
      put8 (aml, 0x79);
      put8 (aml, 0x00);
      vt_st32 (size + 1, aml->code->len - frame.start);
      insert (aml, frame.start, size, sizeof size);
    }
  if (aml->code->len - frame.start > PKG_MAX - 4)
    {
      aml->broken = true;
      return;
    }
  n = encode_length (aml->code->len - frame.start, length);
  insert (aml, frame.start, length, n);
}

/* Definitions ---------------------------------------------------------------------------------- */

void
vt_aml_scope (VtAml *aml, const char *path)
{
  put8 (aml, 0x10);
  open_frame (aml, false);
  put_path (aml, path);
}

void
vt_aml_device (VtAml *aml, const char *path)
{
  put_ext (aml, 0x82);
  open_frame (aml, false);
  put_path (aml, path);
}

void
vt_aml_package (VtAml *aml, unsigned n_elements)
{
  put8 (aml, 0x12);
  open_frame (aml, false);
  if (n_elements > 255)
    aml->broken = true;
  put8 (aml, n_elements);
}

void
vt_aml_resources (VtAml *aml)
{
  put8 (aml, 0x11);
  open_frame (aml, true);
}

void
vt_aml_name (VtAml *aml, const char *path)
{
  put8 (aml, 0x08);
  put_path (aml, path);
}

/* Objects -------------------------------------------------------------------------------------- */

void
vt_aml_integer (VtAml *aml, uint64_t value)
{
  if (value <= 1)
    {
      put8 (aml, (unsigned) value); /* ZeroOp, OneOp */
      return;
    }
  if (value <= UINT8_MAX)
    {
      put8 (aml, 0x0a);
      put_le (aml, value, 1);
    }
  else if (value <= UINT16_MAX)
    {
      put8 (aml, 0x0b);
      put_le (aml, value, 2);
    }
  else if (value <= UINT32_MAX)
    {
      put8 (aml, 0x0c);
      put_le (aml, value, 4);
    }
  else
    {
      put8 (aml, 0x0e);
      put_le (aml, value, 8);
    }
}

void
vt_aml_string (VtAml *aml, const char *ascii)
{
  put8 (aml, 0x0d);
  for (const char *p = ascii; *p != '\0'; p++)
    put8 (aml, (uint8_t) *p < 0x80 ? (uint8_t) *p : '?');
  put8 (aml, 0);
}

void
vt_aml_eisa_id (VtAml *aml, const char *id)
{
  uint32_t v = 0;

  /* 19.3.4: three letters of five bits and four digits, the bytes of the value swapped. */
  if (strlen (id) != 7)
    {
      aml->broken = true;
      return;
    }
  for (int i = 0; i < 3; i++)
    {
      aml->broken |= !g_ascii_isupper (id[i]);
      v = v << 5 | (uint32_t) ((id[i] - 0x40) & 0x1f);
    }
  for (int i = 3; i < 7; i++)
    {
      int digit = g_ascii_xdigit_value (id[i]);

      aml->broken |= digit < 0;
      v = v << 4 | (uint32_t) (digit & 0xf);
    }
  put8 (aml, 0x0c);
  put_le (aml, GUINT32_SWAP_LE_BE (v), 4);
}

void
vt_aml_name_integer (VtAml *aml, const char *path, uint64_t value)
{
  vt_aml_name (aml, path);
  vt_aml_integer (aml, value);
}

void
vt_aml_name_string (VtAml *aml, const char *path, const char *ascii)
{
  vt_aml_name (aml, path);
  vt_aml_string (aml, ascii);
}

void
vt_aml_name_eisa_id (VtAml *aml, const char *path, const char *id)
{
  vt_aml_name (aml, path);
  vt_aml_eisa_id (aml, id);
}

/* Resources ------------------------------------------------------------------------------------ */

void
vt_aml_io (VtAml *aml, uint16_t base, uint8_t length)
{
  put8 (aml, 0x47); /* 6.4.2.5 */
  put8 (aml, 0x01); /* Decodes 16 bits. */
  put_le (aml, base, 2);
  put_le (aml, base, 2);
  put8 (aml, 1);
  put8 (aml, length);
}

void
vt_aml_irq (VtAml *aml, unsigned irq)
{
  aml->broken |= irq > 15;
  put8 (aml, 0x22); /* 6.4.2.1, without flags. */
  put_le (aml, UINT64_C (1) << (irq & 15), 2);
}

void
vt_aml_memory32_fixed (VtAml *aml, uint32_t base, uint32_t length, bool writable)
{
  put8 (aml, 0x86); /* 6.4.3.4 */
  put_le (aml, 9, 2);
  put8 (aml, writable ? 1 : 0);
  put_le (aml, base, 4);
  put_le (aml, length, 4);
}

/* 6.4.3.5: address space descriptors. Type 0 memory, 1 I/O, 2 bus number. Minimum and maximum are
 * fixed, the bridge produces the range and decodes it positively. */
static void
address_space (VtAml *aml, unsigned size, unsigned type, unsigned specific, uint64_t first,
               uint64_t last)
{
  aml->broken |= last < first;
  put8 (aml, size == 2 ? 0x88 : size == 4 ? 0x87 : 0x8a);
  put_le (aml, 3 + 5 * (uint64_t) size, 2);
  put8 (aml, type);
  put8 (aml, 0x0c); /* _MIF | _MAF */
  put8 (aml, specific);
  put_le (aml, 0, size);
  put_le (aml, first, size);
  put_le (aml, last, size);
  put_le (aml, 0, size);
  put_le (aml, last - first + 1, size);
}

void
vt_aml_bus_range (VtAml *aml, uint16_t first, uint16_t last)
{
  address_space (aml, 2, 2, 0, first, last);
}

void
vt_aml_io_range (VtAml *aml, uint16_t first, uint16_t last)
{
  address_space (aml, 2, 1, 0x03, first, last); /* _RNG: entire range. */
}

void
vt_aml_memory_range32 (VtAml *aml, uint32_t first, uint32_t last)
{
  address_space (aml, 4, 0, 0x01, first, last); /* Read-write, not cacheable. */
}

void
vt_aml_memory_range64 (VtAml *aml, uint64_t first, uint64_t last, bool prefetchable)
{
  address_space (aml, 8, 0, prefetchable ? 0x07 : 0x01, first, last);
}
