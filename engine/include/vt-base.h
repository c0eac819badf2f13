/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What every file of the engine, the devices and the display starts from: checked arithmetic,
 * little-endian access, bits, and the trace in which a guest's mistakes end.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vitrine-error.h"

/* A guest physical address. */
typedef uint64_t VtGpa;

#define VT_KIB (UINT64_C (1) << 10)
#define VT_MIB (UINT64_C (1) << 20)
#define VT_GIB (UINT64_C (1) << 30)

#define VT_NS_PER_SEC INT64_C (1000000000)
#define VT_NS_PER_MS INT64_C (1000000)
#define VT_NS_PER_US INT64_C (1000)

#define VT_BIT(n) (UINT64_C (1) << (n))

/* @outer from its @member's address; the member is embedded, not pointed to. */
#define VT_CONTAINER(ptr, Type, member) ((Type *) (void *) ((char *) (ptr) -offsetof (Type, member)))

/* Checked arithmetic: true and *@out set where the result fits, false where it does not. */
#define vt_add(a, b, out) (!__builtin_add_overflow ((a), (b), (out)))
#define vt_sub(a, b, out) (!__builtin_sub_overflow ((a), (b), (out)))
#define vt_mul(a, b, out) (!__builtin_mul_overflow ((a), (b), (out)))

/* Whether [@offset, @offset + @len) lies inside [0, @size), without overflow. */
static inline bool
vt_range_ok (uint64_t offset, uint64_t len, uint64_t size)
{
  return offset <= size && len <= size - offset;
}

static inline uint64_t
vt_align_down (uint64_t v, uint64_t align)
{
  return v & ~(align - 1);
}

/* @v must be at least @align below UINT64_MAX; @align is a power of two. */
static inline uint64_t
vt_align_up (uint64_t v, uint64_t align)
{
  return (v + align - 1) & ~(align - 1);
}

/* All ones in the low @size bytes, 1 to 8. */
static inline uint64_t
vt_ones (unsigned size)
{
  return size >= 8 ? UINT64_MAX : (UINT64_C (1) << (size * 8)) - 1;
}

static inline uint16_t
vt_ld16 (const void *p)
{
  uint16_t v;
  memcpy (&v, p, sizeof v);
  return GUINT16_FROM_LE (v);
}

static inline uint32_t
vt_ld32 (const void *p)
{
  uint32_t v;
  memcpy (&v, p, sizeof v);
  return GUINT32_FROM_LE (v);
}

static inline uint64_t
vt_ld64 (const void *p)
{
  uint64_t v;
  memcpy (&v, p, sizeof v);
  return GUINT64_FROM_LE (v);
}

static inline void
vt_st16 (void *p, uint16_t v)
{
  v = GUINT16_TO_LE (v);
  memcpy (p, &v, sizeof v);
}

static inline void
vt_st32 (void *p, uint32_t v)
{
  v = GUINT32_TO_LE (v);
  memcpy (p, &v, sizeof v);
}

static inline void
vt_st64 (void *p, uint64_t v)
{
  v = GUINT64_TO_LE (v);
  memcpy (p, &v, sizeof v);
}

/* The little-endian value of the @size (1 to 8) bytes at @p. */
static inline uint64_t
vt_ld (const void *p, unsigned size)
{
  uint64_t v = 0;
  memcpy (&v, p, size);
  return GUINT64_FROM_LE (v);
}

/* Stores the low @size (1 to 8) bytes of @v at @p, little-endian. */
static inline void
vt_st (void *p, unsigned size, uint64_t v)
{
  v = GUINT64_TO_LE (v);
  memcpy (p, &v, size);
}

/**
 * vt_trace:
 * @who: the device's path or a module's name.
 * @format: printf format, without a newline.
 *
 * Records what a guest or peer did wrong. Costs one branch unless VITRINE_TRACE names @who or "all".
 * Rate-limited by the sink, so a guest can't fill a disk with it. Any thread.
 */
void vt_trace (const char *who, const char *format, ...) G_GNUC_PRINTF (2, 3);

/**
 * vt_read_file:
 * @path: a regular file.
 * @what: what it is to the user, for messages: "kernel".
 * @max: the largest size that makes sense, bytes.
 *
 * Reads it into memory, so that nobody can change or shorten it afterwards. Returns: (transfer full):
 * its contents; NULL and @error where it can't be read, is no regular file or is larger.
 */
GBytes *vt_read_file (const char *path, const char *what, uint64_t max, GError **error);

/**
 * vt_set_error:
 * @error: where to, or NULL.
 * @code: the kind.
 * @format: printf format: cause and remedy in one sentence.
 *
 * Returns: always false, so that a function can end in `return vt_set_error (…);`.
 */
bool vt_set_error (GError **error, VitrineError code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/**
 * vt_set_errno:
 * @error: where to, or NULL.
 * @err: a positive errno value, whose text is appended to the message.
 *
 * Returns: always false.
 */
bool vt_set_errno (GError **error, int err, const char *format, ...) G_GNUC_PRINTF (3, 4);
