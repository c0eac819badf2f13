/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The physical region descriptor table of a command (AHCI 1.3.1 4.2.3.3): up to 65535 entries of up
 * to 4 MiB, read in batches, mapped in bounded pieces. Everything in it is the guest's word: an entry
 * may point anywhere, overlap others, or change under our hands.
 */
#include "ahci-private.h"

/* The most descriptors mapped at once: a 4 KiB sector in pieces of 2 bytes, which is the least a
 * descriptor can hold. */
#define MAPS_MAX 2048
/* Host pieces of one descriptor; RAM is in a few blocks. */
#define PIECES_MAX 16

typedef struct
{
  uint32_t index, skip;
} Cursor;

static VtPrdResult
entry (VtAhciTask *task, uint32_t index, VtGpa *gpa, uint32_t *len, bool *interrupt)
{
  const uint8_t *e;

  if (index >= task->n_prd)
    return VT_PRD_END;
  if (index < task->batch_first || index - task->batch_first >= task->batch_n)
    {
      uint32_t n = MIN (task->n_prd - index, PRD_BATCH);

      task->batch_n = 0;
      if (!vt_memory_read (vt_ahci_memory (task->port), task->table + (uint64_t) index * 16,
                           task->batch, n * 16))
        return VT_PRD_BAD;
      task->batch_first = index;
      task->batch_n = n;
    }
  e = task->batch + (index - task->batch_first) * 16;
  /* Bit 0 of the address is reserved, bit 0 of the count is always one: both are even. */
  *gpa = vt_ld64 (e) & ~UINT64_C (1);
  *len = ((vt_ld32 (e + 12) & 0x3fffff) | 1) + 1;
  *interrupt = vt_ld32 (e + 12) >> 31;
  return VT_PRD_OK;
}

/* The piece at @at, @most bytes of it at most; moves @at behind it. */
static VtPrdResult
take (VtAhciTask *task, Cursor *at, uint64_t most, VtGpa *gpa, uint32_t *len, bool *used_up)
{
  uint32_t    whole;
  bool        interrupt;
  VtPrdResult result = entry (task, at->index, gpa, &whole, &interrupt);

  *used_up = false;
  if (result != VT_PRD_OK)
    return result;
  /* A guest that shrinks the entry meanwhile harms nobody but itself. */
  if (at->skip >= whole)
    return VT_PRD_BAD;
  *gpa += at->skip;
  *len = (uint32_t) MIN (most, whole - at->skip);
  at->skip += *len;
  if (at->skip == whole)
    {
      at->index++;
      at->skip = 0;
      *used_up = interrupt;
    }
  return VT_PRD_OK;
}

static void
move_to (VtAhciTask *task, const Cursor *at)
{
  task->index = at->index;
  task->skip = at->skip;
}

uint64_t
vt_ahci_prd_copy (VtAhciTask *task, uint8_t *data, uint64_t len, bool to_guest, VtPrdResult *result)
{
  static const uint8_t zeros[2048];
  VtMemory            *memory = vt_ahci_memory (task->port);
  Cursor               at = { task->index, task->skip };
  uint64_t             done = 0;

  *result = VT_PRD_OK;
  while (done < len)
    {
      VtGpa    gpa;
      uint32_t part;
      uint64_t most = data == NULL ? MIN (len - done, sizeof zeros) : len - done;
      bool     ok, used_up;

      *result = take (task, &at, most, &gpa, &part, &used_up);
      if (*result != VT_PRD_OK)
        break;
      if (to_guest)
        ok = vt_memory_write (memory, gpa, data == NULL ? zeros : data + done, part);
      else
        ok = vt_memory_read (memory, gpa, data + done, part);
      if (!ok)
        {
          *result = VT_PRD_BAD;
          break;
        }
      task->dps |= used_up;
      done += part;
      move_to (task, &at);
    }
  task->moved += done;
  return done;
}

/* How many bytes can be mapped at once, whole units of them. */
static uint64_t
measure (VtAhciTask *task, uint64_t want, uint32_t unit, VtPrdResult *result)
{
  Cursor   at = { task->index, task->skip };
  uint64_t sum = 0;

  *result = VT_PRD_OK;
  for (unsigned n = 0; sum < want && n < MAPS_MAX; n++)
    {
      VtGpa    gpa;
      uint32_t part;
      bool     used_up;

      *result = take (task, &at, want - sum, &gpa, &part, &used_up);
      if (*result != VT_PRD_OK)
        break;
      sum += part;
    }
  return sum - sum % unit;
}

uint64_t
vt_ahci_prd_map (VtAhciTask *task, uint64_t want, uint32_t unit, bool to_guest, VtPrdResult *result)
{
  Cursor   at = { task->index, task->skip };
  uint64_t len = measure (task, want, unit, result), done = 0;

  g_array_set_size (task->iov, 0);
  g_array_set_size (task->maps, 0);
  if (len == 0 || *result == VT_PRD_BAD)
    return 0;
  *result = VT_PRD_OK;
  while (done < len)
    {
      VtAhciMap map;
      guint     first = task->iov->len;
      unsigned  n;
      bool      used_up;

      *result = take (task, &at, len - done, &map.gpa, &map.len, &used_up);
      if (*result != VT_PRD_OK)
        break;
      g_array_set_size (task->iov, first + PIECES_MAX);
      n = vt_memory_map (vt_ahci_memory (task->port), map.gpa, map.len, to_guest,
                         &g_array_index (task->iov, struct iovec, first), PIECES_MAX);
      g_array_set_size (task->iov, first + n);
      if (n == 0)
        {
          *result = VT_PRD_BAD;
          break;
        }
      g_array_append_val (task->maps, map);
      task->dps |= used_up;
      done += map.len;
    }
  if (*result != VT_PRD_OK)
    {
      vt_ahci_prd_unmap (task, to_guest);
      return 0;
    }
  move_to (task, &at);
  return len;
}

void
vt_ahci_prd_unmap (VtAhciTask *task, bool to_guest)
{
  for (guint i = 0; i < task->maps->len; i++)
    {
      const VtAhciMap *map = &g_array_index (task->maps, VtAhciMap, i);

      vt_memory_unmap (vt_ahci_memory (task->port), map->gpa, map->len, to_guest);
    }
  g_array_set_size (task->maps, 0);
  g_array_set_size (task->iov, 0);
}
