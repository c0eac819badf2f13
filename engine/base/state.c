/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Declared saved state: encoding, checked decoding, and the proof that a table covers its struct.
 * Elements follow each other in the table's order, little-endian, without padding.
 */
#include <inttypes.h>

#include "vt-state.h"

const VtStateDesc vt_state_none = { .name = "none", .size = 0, .version = 1 };

static unsigned
element_size (const VtStateField *f)
{
  switch (f->kind)
    {
    case VT_STATE_KIND_BOOL:
    case VT_STATE_KIND_U8:
    case VT_STATE_KIND_S8:
      return 1;
    case VT_STATE_KIND_U16:
    case VT_STATE_KIND_S16:
      return 2;
    case VT_STATE_KIND_U32:
    case VT_STATE_KIND_S32:
      return 4;
    case VT_STATE_KIND_U64:
    case VT_STATE_KIND_S64:
      return 8;
    case VT_STATE_KIND_STRUCT:
    default:
      return f->desc->size;
    }
}

static bool
is_unsigned (VtStateKind kind)
{
  return kind == VT_STATE_KIND_U8 || kind == VT_STATE_KIND_U16 || kind == VT_STATE_KIND_U32 ||
         kind == VT_STATE_KIND_U64;
}

/* Scalars are stored in host order, and the host is little-endian x86; going through a value keeps
 * the format's definition in one place all the same. */
static uint64_t
load_host (const uint8_t *p, unsigned size)
{
  switch (size)
    {
    case 1:
      return *p;
    case 2:
      return *(const uint16_t *) (const void *) p;
    case 4:
      return *(const uint32_t *) (const void *) p;
    default:
      return *(const uint64_t *) (const void *) p;
    }
}

static void
store_host (uint8_t *p, unsigned size, uint64_t v)
{
  switch (size)
    {
    case 1:
      *p = (uint8_t) v;
      break;
    case 2:
      *(uint16_t *) (void *) p = (uint16_t) v;
      break;
    case 4:
      *(uint32_t *) (void *) p = (uint32_t) v;
      break;
    default:
      *(uint64_t *) (void *) p = v;
      break;
    }
}

void
vt_state_save (const VtStateDesc *desc, const void *state, GByteArray *out)
{
  for (unsigned i = 0; i < desc->n_fields; i++)
    {
      const VtStateField *f = &desc->fields[i];
      const uint8_t      *p = (const uint8_t *) state + f->offset;
      unsigned            size = element_size (f);

      if (size == 1)
        {
          g_byte_array_append (out, p, f->size);
          continue;
        }
      for (unsigned n = f->size / size; n > 0; n--, p += size)
        {
          uint8_t bytes[8];

          if (f->kind == VT_STATE_KIND_STRUCT)
            {
              vt_state_save (f->desc, p, out);
              continue;
            }
          vt_st (bytes, size, load_host (p, size));
          g_byte_array_append (out, bytes, size);
        }
    }
}

typedef struct
{
  const uint8_t *p;
  size_t         left;
} Reader;

static bool
load_fields (const VtStateDesc *desc,
             uint16_t           version,
             Reader            *r,
             uint8_t           *shadow,
             GError           **error)
{
  for (unsigned i = 0; i < desc->n_fields; i++)
    {
      const VtStateField *f = &desc->fields[i];
      unsigned            size = element_size (f);
      uint8_t            *p = shadow + f->offset;

      /* Members of an embedded struct carry their own "since"; its version is the outer one's, so
       * an embedded table that grows makes every table around it grow a version too. */
      if (f->since > version)
        continue;
      for (unsigned n = f->size / size; n > 0; n--, p += size)
        {
          uint64_t v;

          if (f->kind == VT_STATE_KIND_STRUCT)
            {
              if (!load_fields (f->desc, f->desc->version, r, p, error))
                return false;
              continue;
            }
          if (r->left < size)
            return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                                 "The saved state ends inside “%s.%s”", desc->name, f->name);
          v = vt_ld (r->p, size);
          r->p += size;
          r->left -= size;
          if ((f->kind == VT_STATE_KIND_BOOL && v > 1) ||
              (is_unsigned (f->kind) && f->max != 0 && v > f->max))
            return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                                 "The saved state has the impossible value %" PRIu64
                                 " for “%s.%s”",
                                 v, desc->name, f->name);
          store_host (p, size, v);
        }
    }
  return desc->check == NULL || desc->check (shadow, error);
}

bool
vt_state_load (const VtStateDesc *desc,
               uint16_t           version,
               const uint8_t     *data,
               size_t             len,
               const void        *defaults,
               void              *shadow,
               GError           **error)
{
  Reader r = { data, len };

  if (version == 0 || version > desc->version)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "The saved state of “%s” has version %u, and this program knows up to %u: "
                         "use the program that saved it, or a newer one",
                         desc->name, version, desc->version);
  if (defaults != NULL)
    memcpy (shadow, defaults, desc->size);
  else if (desc->size != 0)
    memset (shadow, 0, desc->size);
  if (!load_fields (desc, version, &r, shadow, error))
    {
      if (error != NULL && *error == NULL)
        vt_set_error (error, VITRINE_ERROR_CORRUPT, "The saved state of “%s” contradicts itself",
                      desc->name);
      return false;
    }
  if (r.left != 0)
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The saved state of “%s” has %zu bytes too many", desc->name, r.left);
  return true;
}

int64_t
vt_state_uncovered (const VtStateDesc *desc)
{
  g_autofree uint8_t *seen = g_malloc0 (desc->size + 1);

  for (unsigned i = 0; i < desc->n_fields; i++)
    {
      const VtStateField *f = &desc->fields[i];

      if (!vt_range_ok (f->offset, f->size, desc->size) || f->size % element_size (f) != 0)
        return f->offset;
      if (f->kind == VT_STATE_KIND_STRUCT && vt_state_uncovered (f->desc) >= 0)
        return f->offset + vt_state_uncovered (f->desc);
      for (uint32_t b = f->offset; b < f->offset + f->size; b++)
        if (seen[b]++ != 0)
          return b;
    }
  for (uint32_t b = 0; b < desc->size; b++)
    if (seen[b] == 0)
      return b;
  return -1;
}
