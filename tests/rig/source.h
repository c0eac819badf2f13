/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What random cases are made of: a fuzzer's bytes, and behind their end a generator that they have seeded.
 */
#pragma once

#include "vt-base.h"

typedef struct
{
  const uint8_t *data;
  size_t         left;
  uint64_t       random;
} Source;

static inline Source
source_init (const uint8_t *data, size_t size)
{
  return (Source){ .data = data, .left = size, .random = UINT64_C (88172645463325252) };
}

/* Mixes the next byte in, where there is one. */
static inline bool
source_seed (Source *source, uint8_t *byte)
{
  if (source->left == 0)
    return false;
  *byte = *source->data++;
  source->left--;
  source->random = (source->random ^ *byte) * UINT64_C (0x100000001b3);
  return true;
}

static inline uint32_t
source_generate (Source *source)
{
  source->random ^= source->random << 13;
  source->random ^= source->random >> 7;
  source->random ^= source->random << 17;
  return (uint32_t) (source->random >> 32);
}

/* The next byte as it is. */
static inline uint8_t
source_byte (Source *source)
{
  uint8_t byte;

  return source_seed (source, &byte) ? byte : (uint8_t) source_generate (source);
}

/* A number below @below, of which a byte decides. */
static inline uint32_t
source_below (Source *source, uint32_t below)
{
  uint8_t byte;

  source_seed (source, &byte);
  return (uint32_t) ((uint64_t) source_generate (source) * below >> 32);
}
