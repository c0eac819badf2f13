/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The snapshot's container: a header, then sections {path, class, version, length, checksum}, each of
 * a vCPU, a chip, a device, the clock, or a block of RAM with its holes skipped. Everything is
 * little-endian. A section without its device, or a device without its section, is an error.
 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "VITRINE\x1a"
#define FORMAT 1u
#define HEADER_SIZE 16u  /* Magic, format, number of sections. */
#define SECTION_SIZE 24u /* Path length, class length, version, zero, length, checksum. */
#define MOST_SECTIONS 4096u
#define LONGEST_NAME 255u
#define MOST_STATE (64 * VT_MIB) /* Of one device; RAM is not in it. */
#define CHUNK (1 * VT_MIB)
#define PAGE UINT64_C (4096)

#define CLASS_RAM "ram"
#define CLASS_CPU "vcpu"
#define CLASS_CLOCK "clock"

typedef struct
{
  uint64_t ns;
} ClockState;

static const VtStateField clock_fields[] = {
  VT_STATE_MAX (ClockState, ns, INT64_MAX),
};
static const VtStateDesc clock_state = VT_STATE_DESC (ClockState, 1, clock_fields, NULL);

/* Checksum ------------------------------------------------------------------------------------- */

static uint64_t
mix (uint64_t sum, uint64_t word)
{
  sum = (sum ^ word) * UINT64_C (0x9e3779b97f4a7c15);
  return sum ^ sum >> 29;
}

uint64_t
vt_snapshot_checksum (uint64_t sum, const uint8_t *data, uint64_t len)
{
  for (; len >= 8; data += 8, len -= 8)
    sum = mix (sum, vt_ld64 (data));
  return len ? mix (mix (sum, vt_ld (data, (unsigned) len)), len) : sum;
}

/* What stands before a payload, on top of the payload's own sum. */
static uint64_t
section_checksum (uint64_t sum, const uint8_t *head, const char *path, const char *klass)
{
  sum = vt_snapshot_checksum (sum, head, 16);
  sum = vt_snapshot_checksum (sum, (const uint8_t *) path, strlen (path));
  return vt_snapshot_checksum (sum, (const uint8_t *) klass, strlen (klass));
}

/* Files ---------------------------------------------------------------------------------------- */

static bool
write_at (int fd, const void *data, uint64_t len, uint64_t offset, GError **error)
{
  const uint8_t *from = data;
  while (len > 0)
    {
      const ssize_t n = pwrite (fd, from, len, (off_t) offset);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return vt_set_errno (error, n < 0 ? errno : EIO, "The machine's state can't be written");
      from += n;
      offset += (uint64_t) n;
      len -= (uint64_t) n;
    }
  return true;
}

static bool
read_at (int fd, void *data, uint64_t len, uint64_t offset, GError **error)
{
  uint8_t *to = data;
  while (len > 0)
    {
      const ssize_t n = pread (fd, to, len, (off_t) offset);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return vt_set_errno (error, errno, "The saved state can't be read");
      if (n == 0)
        return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                             "The saved state ends before it is complete; nothing was changed.");
      to += n;
      offset += (uint64_t) n;
      len -= (uint64_t) n;
    }
  return true;
}

/* What there is to save -------------------------------------------------------------------------- */

typedef struct
{
  char             *path;
  const char       *klass;
  uint16_t          version;
  VtDevice         *dev;  /* One of these four, or the clock. */
  VtRam            *ram;
  VtCpu            *cpu;
  const VtCpuPart  *part;
  /* While loading. */
  bool     found;
  uint64_t offset, length; /* Of the payload in the file. */
  uint16_t found_version;
  void    *state;     /* The validated state of a vCPU, chip or clock. */
  void    *old_state; /* What it replaces. */
} Item;

static void
item_clear (void *data)
{
  Item *item = data;
  g_free (item->path);
  g_free (item->state);
  g_free (item->old_state);
}

static void
add_item (GArray *items, char *path, const char *klass, uint16_t version, const Item *like)
{
  Item item = *like;
  item.path = path;
  item.klass = klass;
  item.version = version;
  g_array_append_val (items, item);
}

static void
add_ram (GArray *items, VtRam *ram)
{
  for (unsigned i = 0; i < items->len; i++)
    if (g_array_index (items, Item, i).ram == ram)
      return;
  add_item (items, g_strconcat ("ram/", vt_ram_name (ram), NULL), CLASS_RAM, 1, &(Item){ .ram = ram });
}

static GArray *
list_items (VtMachine *machine)
{
  GArray      *items = g_array_new (FALSE, TRUE, sizeof (Item));
  VtCpuEngine *cpus = machine->cpus;

  g_array_set_clear_func (items, item_clear);
  add_item (items, g_strdup (CLASS_CLOCK), CLASS_CLOCK, clock_state.version, &(Item){ 0 });
  for (unsigned i = 0; i < cpus->config.n_cpus; i++)
    add_item (items, g_strdup_printf ("cpu/%u", i), CLASS_CPU, vt_cpu_state.version,
              &(Item){ .cpu = cpus->cpus[i] });
  for (unsigned i = 0; i < cpus->ops->n_parts; i++)
    {
      const VtCpuPart *part = &cpus->ops->parts[i];
      add_item (items, g_strdup (part->path), part->klass, part->desc->version, &(Item){ .part = part });
    }
  for (unsigned i = 0; i < machine->devices->len; i++)
    {
      VtDevice *dev = machine->devices->pdata[i];
      if (dev->klass->flags & VT_DEVICE_IN_CPU)
        continue;
      add_item (items, g_strdup (dev->path), dev->klass->id, dev->klass->state->version,
                &(Item){ .dev = dev });
    }
  add_ram (items, machine->ram);
  for (unsigned i = 0; i < machine->devices->len; i++)
    for (unsigned r = 0; r < vt_device_n_regions (machine->devices->pdata[i]); r++)
      {
        VtRam *ram = vt_region_ram (vt_device_region (machine->devices->pdata[i], r));
        if (ram)
          add_ram (items, ram);
      }
  return items;
}

/* Saving --------------------------------------------------------------------------------------- */

static bool
is_zero (const uint8_t *page)
{
  return page[0] == 0 && memcmp (page, page + 1, PAGE - 1) == 0;
}

static bool
put (int fd, const void *data, uint64_t len, uint64_t *offset, uint64_t *sum, GError **error)
{
  if (!write_at (fd, data, len, *offset, error))
    return false;
  *sum = vt_snapshot_checksum (*sum, data, len);
  *offset += len;
  return true;
}

static bool
put_extent (int fd, uint64_t at, const uint8_t *bytes, uint64_t len, uint64_t *offset, uint64_t *sum,
            GError **error)
{
  uint8_t head[16];
  vt_st64 (head, at);
  vt_st64 (head + 8, len);
  return put (fd, head, sizeof head, offset, sum, error) && put (fd, bytes, len, offset, sum, error);
}

/* {size, 0}, then extents of {offset, length, bytes}, ended by {size, 0}. */
static bool
save_ram (const VtRam *ram, int fd, uint64_t *offset, uint64_t *sum, GError **error)
{
  const uint8_t *host = vt_ram_host (ram);
  const uint64_t size = vt_ram_size (ram);
  uint64_t       at = 0;

  if (!put_extent (fd, size, host, 0, offset, sum, error))
    return false;
  while (at < size)
    {
      /* What was never written is a hole in the file, and need not be looked at. */
      const off_t data = lseek (vt_ram_fd (ram), (off_t) at, SEEK_DATA);
      uint64_t    extent = 0;

      if (data < 0 && errno == ENXIO)
        break;
      if (data > (off_t) at)
        at = vt_align_down ((uint64_t) data, PAGE);
      while (at < size && is_zero (host + at))
        at += PAGE;
      while (at + extent < size && extent < CHUNK && !is_zero (host + at + extent))
        extent += PAGE;
      if (extent && !put_extent (fd, at, host + at, extent, offset, sum, error))
        return false;
      at += extent;
    }
  return put_extent (fd, size, host, 0, offset, sum, error);
}

static bool
save_state (VtMachine *machine, const Item *item, GByteArray *out, GError **error)
{
  if (item->dev)
    vt_device_save (item->dev, out);
  else if (item->cpu)
    {
      g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);
      if (!machine->cpus->ops->get (item->cpu, state, error))
        return false;
      vt_state_save (&vt_cpu_state, state, out);
    }
  else if (item->part)
    {
      g_autofree void *state = g_malloc0 (item->part->desc->size);
      if (!item->part->get (machine->cpus, state, error))
        return false;
      vt_state_save (item->part->desc, state, out);
    }
  else
    {
      const ClockState state = { .ns = (uint64_t) vt_clock_now (machine->clock) };
      vt_state_save (&clock_state, &state, out);
    }
  return true;
}

static bool
save_item (VtMachine *machine, const Item *item, int fd, uint64_t *offset, GError **error)
{
  const uint64_t head_at = *offset;
  const size_t   path_len = strlen (item->path), class_len = strlen (item->klass);
  uint8_t        head[SECTION_SIZE] = { 0 };
  uint64_t       sum = 0;

  if (path_len > LONGEST_NAME || class_len > LONGEST_NAME)
    return vt_set_error (error, VITRINE_ERROR_FAILED, "The device path “%s” is too long to be saved.",
                         item->path);
  *offset += SECTION_SIZE;
  if (!write_at (fd, item->path, path_len, *offset, error)
      || !write_at (fd, item->klass, class_len, *offset + path_len, error))
    return false;
  *offset += path_len + class_len;

  const uint64_t payload_at = *offset;
  if (item->ram)
    {
      if (!save_ram (item->ram, fd, offset, &sum, error))
        return false;
    }
  else
    {
      g_autoptr (GByteArray) state = g_byte_array_new ();
      if (!save_state (machine, item, state, error)
          || !write_at (fd, state->data, state->len, *offset, error))
        return false;
      sum = vt_snapshot_checksum (sum, state->data, state->len);
      *offset += state->len;
    }
  vt_st16 (head, (uint16_t) path_len);
  vt_st16 (head + 2, (uint16_t) class_len);
  vt_st16 (head + 4, item->version);
  vt_st64 (head + 8, *offset - payload_at);
  vt_st64 (head + 16, section_checksum (sum, head, item->path, item->klass));
  return write_at (fd, head, sizeof head, head_at, error);
}

static bool
check_paused (const VtMachine *machine, GError **error)
{
  /* A machine without a driver (a test's) never runs. */
  return machine->driver == NULL || vt_driver_is_paused (machine->driver)
         || vt_set_error (error, VITRINE_ERROR_STATE,
                          "A machine's state can be saved and loaded only while it is paused.");
}

bool
vt_snapshot_save (VtMachine *machine, int fd, GError **error)
{
  if (!check_paused (machine, error))
    return false;
  g_autoptr (GArray) items = list_items (machine);
  uint64_t           offset = HEADER_SIZE;
  uint8_t            head[HEADER_SIZE];

  for (unsigned i = 0; i < items->len; i++)
    if (!save_item (machine, &g_array_index (items, Item, i), fd, &offset, error))
      return false;
  memcpy (head, MAGIC, 8);
  vt_st32 (head + 8, FORMAT);
  vt_st32 (head + 12, items->len);
  /* The header comes last: a file whose writing was cut short is not one. */
  if (!write_at (fd, head, sizeof head, 0, error))
    return false;
  if (ftruncate (fd, (off_t) offset) < 0)
    return vt_set_errno (error, errno, "The machine's state can't be written");
  return true;
}

/* Loading -------------------------------------------------------------------------------------- */

static bool
corrupt (GError **error, const char *path, const char *what)
{
  return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                       "The saved state of “%s” %s; nothing was changed.", path, what);
}

static bool
sum_payload (int fd, uint64_t offset, uint64_t len, uint64_t *sum, GError **error)
{
  g_autofree uint8_t *chunk = g_malloc (CHUNK);
  *sum = 0;
  while (len > 0)
    {
      const uint64_t n = MIN (len, CHUNK);
      if (!read_at (fd, chunk, n, offset, error))
        return false;
      *sum = vt_snapshot_checksum (*sum, chunk, n);
      offset += n;
      len -= n;
    }
  return true;
}

/* Walks a RAM section's extents; with @commit, reads them into the block. */
static bool
walk_ram (const Item *item, int fd, bool commit, GError **error)
{
  const uint64_t size = vt_ram_size (item->ram), end = item->offset + item->length;
  uint64_t       at = item->offset, next = 0;
  uint8_t        head[16];

  for (bool first = true;; first = false)
    {
      if (end - at < sizeof head)
        return corrupt (error, item->path, "is cut short");
      if (!read_at (fd, head, sizeof head, at, error))
        return false;
      at += sizeof head;
      const uint64_t to = vt_ld64 (head), len = vt_ld64 (head + 8);
      if (first)
        {
          if (to != size || len != 0)
            return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                                 "The saved state has %" G_GUINT64_FORMAT " MiB in “%s”, and the machine "
                                 "has %" G_GUINT64_FORMAT "; nothing was changed.",
                                 to / VT_MIB, item->path, size / VT_MIB);
          continue;
        }
      if (len == 0)
        return at == end || corrupt (error, item->path, "has bytes after its end");
      if (to < next || to % PAGE || len % PAGE || !vt_range_ok (to, len, size) || len > end - at)
        return corrupt (error, item->path, "lies outside of its memory");
      if (commit && !read_at (fd, vt_ram_host (item->ram) + to, len, at, error))
        return false;
      at += len;
      next = to + len;
    }
}

static bool
validate_state (VtMachine *machine, Item *item, int fd, GError **error)
{
  if (item->length > MOST_STATE)
    return corrupt (error, item->path, "is too long");
  g_autofree uint8_t *data = g_malloc (item->length + 1);
  if (!read_at (fd, data, item->length, item->offset, error))
    return false;
  if (item->dev)
    return vt_device_load (item->dev, item->found_version, data, item->length, error);

  const VtStateDesc *desc = item->cpu    ? &vt_cpu_state
                            : item->part ? item->part->desc
                                         : &clock_state;
  item->state = g_malloc0 (desc->size);
  item->old_state = g_malloc0 (desc->size);
  if (!vt_state_load (desc, item->found_version, data, item->length, NULL, item->state, error))
    {
      g_prefix_error (error, "%s: ", item->path);
      return false;
    }
  if (item->cpu)
    return machine->cpus->ops->get (item->cpu, item->old_state, error);
  if (item->part)
    return item->part->get (machine->cpus, item->old_state, error);
  return true;
}

static Item *
find_item (GArray *items, const char *path)
{
  for (unsigned i = 0; i < items->len; i++)
    if (g_str_equal (g_array_index (items, Item, i).path, path))
      return &g_array_index (items, Item, i);
  return NULL;
}

static bool
read_section (GArray *items, int fd, uint64_t *offset, uint64_t size, GError **error)
{
  uint8_t head[SECTION_SIZE];
  char    path[LONGEST_NAME + 1] = { 0 }, klass[LONGEST_NAME + 1] = { 0 };

  if (!vt_range_ok (*offset, SECTION_SIZE, size) || !read_at (fd, head, sizeof head, *offset, error))
    return corrupt (error, "machine", "is cut short");
  *offset += SECTION_SIZE;
  const uint16_t path_len = vt_ld16 (head), class_len = vt_ld16 (head + 2);
  const uint64_t length = vt_ld64 (head + 8);
  if (path_len > LONGEST_NAME || class_len > LONGEST_NAME
      || !vt_range_ok (*offset, (uint64_t) path_len + class_len, size)
      || !vt_range_ok (*offset + path_len + class_len, length, size))
    return corrupt (error, "machine", "has a section that reaches beyond its end");
  if (!read_at (fd, path, path_len, *offset, error)
      || !read_at (fd, klass, class_len, *offset + path_len, error))
    return false;
  *offset += path_len + class_len;
  if (!g_utf8_validate (path, path_len, NULL) || !g_utf8_validate (klass, class_len, NULL))
    return corrupt (error, "machine", "has a section whose name is no text");

  Item *item = find_item (items, path);
  if (!item)
    return corrupt (error, path, "belongs to a device that this machine has not");
  if (item->found)
    return corrupt (error, path, "is there twice");
  if (!g_str_equal (item->klass, klass))
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The saved state of “%s” is one of a “%s”, and this machine has a “%s” there; "
                         "nothing was changed.",
                         path, klass, item->klass);
  uint64_t sum;
  if (!sum_payload (fd, *offset, length, &sum, error))
    return false;
  if (section_checksum (sum, head, path, klass) != vt_ld64 (head + 16))
    return corrupt (error, path, "is damaged (its checksum differs)");
  item->found = true;
  item->offset = *offset;
  item->length = length;
  item->found_version = vt_ld16 (head + 4);
  *offset += length;
  return true;
}

static bool
validate (VtMachine *machine, GArray *items, int fd, GError **error)
{
  struct stat st;
  uint8_t     head[HEADER_SIZE];
  uint64_t    offset = HEADER_SIZE;

  if (fstat (fd, &st) < 0)
    return vt_set_errno (error, errno, "The saved state can't be read");
  const uint64_t size = (uint64_t) MAX (st.st_size, 0);
  if (size < HEADER_SIZE || !read_at (fd, head, sizeof head, 0, error)
      || memcmp (head, MAGIC, 8) != 0)
    {
      g_clear_error (error);
      return vt_set_error (error, VITRINE_ERROR_CORRUPT, "This is not a machine's saved state.");
    }
  if (vt_ld32 (head + 8) != FORMAT)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                         "The saved state has format %u, and this version of Vitrine reads %u.",
                         vt_ld32 (head + 8), FORMAT);
  const uint32_t n = vt_ld32 (head + 12);
  if (n > MOST_SECTIONS)
    return corrupt (error, "machine", "has too many sections");
  for (uint32_t i = 0; i < n; i++)
    if (!read_section (items, fd, &offset, size, error))
      return false;
  if (offset != size)
    return corrupt (error, "machine", "has bytes after its end");

  for (unsigned i = 0; i < items->len; i++)
    {
      Item *item = &g_array_index (items, Item, i);
      if (!item->found)
        return corrupt (error, item->path, "is missing");
      if (item->ram && item->found_version != item->version)
        return corrupt (error, item->path, "is of an unknown version");
      if (item->ram ? !walk_ram (item, fd, false, error) : !validate_state (machine, item, fd, error))
        return false;
    }
  return true;
}

static bool
commit_item (VtMachine *machine, const Item *item, const void *state, GError **error)
{
  if (item->cpu)
    return machine->cpus->ops->set (item->cpu, state, error);
  if (item->part)
    return item->part->set (machine->cpus, state, error);
  return true;
}

/* What the host's kernel may refuse comes first, and is put back where it does. */
static bool
commit_engine (VtMachine *machine, GArray *items, GError **error)
{
  for (unsigned i = 0; i < items->len; i++)
    {
      const Item *item = &g_array_index (items, Item, i);
      if (!commit_item (machine, item, item->state, error))
        {
          for (unsigned back = 0; back <= i; back++)
            {
              const Item *old = &g_array_index (items, Item, back);
              commit_item (machine, old, old->old_state, NULL);
            }
          return false;
        }
    }
  return true;
}

bool
vt_snapshot_load (VtMachine *machine, int fd, GError **error)
{
  if (!check_paused (machine, error))
    return false;
  g_autoptr (GArray) items = list_items (machine);

  if (!validate (machine, items, fd, error) || !commit_engine (machine, items, error))
    return false;
  for (unsigned i = 0; i < items->len; i++)
    {
      const Item *item = &g_array_index (items, Item, i);
      if (!item->ram)
        continue;
      const uint64_t size = vt_ram_size (item->ram);
      /* Holes read as zeros again, and cost no memory. */
      if (fallocate (vt_ram_fd (item->ram), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t) size)
          < 0)
        memset (vt_ram_host (item->ram), 0, size);
      if (!walk_ram (item, fd, true, error))
        return false;
      vt_ram_mark_dirty (item->ram, 0, size);
    }
  for (unsigned i = 0; i < items->len; i++)
    {
      const Item *item = &g_array_index (items, Item, i);
      if (item->dev)
        vt_device_commit (item->dev);
      else if (!item->ram && !item->cpu && !item->part)
        vt_clock_set (machine->clock, (int64_t) ((const ClockState *) item->state)->ns);
    }
  return true;
}
