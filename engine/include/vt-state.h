/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Declared saved state. Guest-visible state is one plain struct per device, without host pointers
 * and without padding; a table names its every byte. What is saved is the device being modelled,
 * not the way it was implemented.
 *
 *   typedef struct { uint32_t index; uint8_t ram[128]; uint8_t nmi, pad_[3]; } RtcState;
 *   static const VtStateField rtc_fields[] = {
 *     VT_STATE_MAX (RtcState, index, 127), VT_STATE (RtcState, ram), VT_STATE (RtcState, nmi),
 *     VT_STATE (RtcState, pad_),
 *   };
 *   static const VtStateDesc rtc_state = VT_STATE_DESC (RtcState, 1, rtc_fields, rtc_check);
 */
#pragma once

#include "vt-base.h"

typedef enum
{
  VT_STATE_KIND_BOOL, /* One byte, 0 or 1. */
  VT_STATE_KIND_U8,
  VT_STATE_KIND_U16,
  VT_STATE_KIND_U32,
  VT_STATE_KIND_U64,
  VT_STATE_KIND_S8,
  VT_STATE_KIND_S16,
  VT_STATE_KIND_S32,
  VT_STATE_KIND_S64,
  VT_STATE_KIND_STRUCT,
} VtStateKind;

typedef struct VtStateDesc VtStateDesc;

typedef struct
{
  const char        *name;
  uint32_t           offset; /* In the struct, bytes. */
  VtStateKind        kind;
  uint32_t           size;  /* Of the whole field, bytes: an array's count is size / element. */
  uint64_t           max;   /* Largest legal value of an unsigned field; 0: no limit. */
  uint16_t           since; /* First version that has the field; 0 and 1: always there. */
  const VtStateDesc *desc;  /* VT_STATE_KIND_STRUCT only: the element's own table. */
} VtStateField;

struct VtStateDesc
{
  const char         *name;
  uint32_t            size; /* sizeof the struct. */
  uint16_t            version;
  uint16_t            n_fields;
  const VtStateField *fields;
  /* Whether a loaded struct is consistent across its fields: indices inside arrays, sums inside
   * bounds. Sees a shadow copy; may be NULL. Sets @error where it returns false. */
  bool (*check) (const void *state, GError **error);
};

/* Arrays decay to a pointer to their element, so both are named. Two-dimensional arrays are
 * declared flat. */
#define VT_STATE_KIND_OF(T, f)                                                                     \
  _Generic (((T *) 0)->f,                                                                          \
            bool : VT_STATE_KIND_BOOL, bool *: VT_STATE_KIND_BOOL,                                 \
            uint8_t : VT_STATE_KIND_U8, uint8_t *: VT_STATE_KIND_U8,                               \
            uint16_t : VT_STATE_KIND_U16, uint16_t *: VT_STATE_KIND_U16,                           \
            uint32_t : VT_STATE_KIND_U32, uint32_t *: VT_STATE_KIND_U32,                           \
            uint64_t : VT_STATE_KIND_U64, uint64_t *: VT_STATE_KIND_U64,                           \
            int8_t : VT_STATE_KIND_S8, int8_t *: VT_STATE_KIND_S8,                                 \
            int16_t : VT_STATE_KIND_S16, int16_t *: VT_STATE_KIND_S16,                             \
            int32_t : VT_STATE_KIND_S32, int32_t *: VT_STATE_KIND_S32,                             \
            int64_t : VT_STATE_KIND_S64, int64_t *: VT_STATE_KIND_S64)

#define VT_STATE_FULL(T, f, max_, since_)                                                          \
  {                                                                                                \
    .name = #f, .offset = offsetof (T, f), .kind = VT_STATE_KIND_OF (T, f),                        \
    .size = sizeof (((T *) 0)->f), .max = (max_), .since = (since_)                                \
  }
#define VT_STATE(T, f) VT_STATE_FULL (T, f, 0, 0)
#define VT_STATE_MAX(T, f, max) VT_STATE_FULL (T, f, max, 0)
#define VT_STATE_SINCE(T, f, since) VT_STATE_FULL (T, f, 0, since)
#define VT_STATE_STRUCT(T, f, desc_)                                                               \
  {                                                                                                \
    .name = #f, .offset = offsetof (T, f), .kind = VT_STATE_KIND_STRUCT,                           \
    .size = sizeof (((T *) 0)->f), .desc = (desc_)                                                 \
  }
#define VT_STATE_DESC(T, version_, fields_, check_)                                                \
  {                                                                                                \
    .name = #T, .size = sizeof (T), .version = (version_), .n_fields = G_N_ELEMENTS (fields_),     \
    .fields = (fields_), .check = (check_)                                                         \
  }

/* The table of a device that has no guest-visible state. */
extern const VtStateDesc vt_state_none;

/**
 * vt_state_save:
 * @desc: the table.
 * @state: the struct, @desc->size bytes.
 * @out: where the little-endian encoding is appended.
 */
void vt_state_save (const VtStateDesc *desc, const void *state, GByteArray *out);

/**
 * vt_state_load:
 * @desc: the table.
 * @version: the version that wrote @data, 1 to @desc->version.
 * @data: @len bytes of encoding; hostile input is expected.
 * @defaults: a struct whose values stand for the fields that @version had not, or NULL for zeros.
 * @shadow: (out): filled with @desc->size bytes; garbage where it fails. The caller commits it.
 *
 * Returns: whether shape, ranges and check() hold and @data ends where the table does.
 */
bool vt_state_load (const VtStateDesc *desc,
                    uint16_t           version,
                    const uint8_t     *data,
                    size_t             len,
                    const void        *defaults,
                    void              *shadow,
                    GError           **error);

/**
 * vt_state_uncovered:
 *
 * Returns: the offset of the first byte of the struct that no field names, or that two do; -1 where
 * the table covers it exactly.
 */
int64_t vt_state_uncovered (const VtStateDesc *desc);
