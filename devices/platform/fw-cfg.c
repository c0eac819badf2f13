/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware configuration device: a selector, a data port that reads the selected item byte by
 * byte, and a DMA interface that moves whole items.
 */
#include "platform/fw-cfg.h"

/* "Selector Register" and "Data Register": x86 ports. */
#define PORT_SELECTOR 0x510
#define PORT_DMA 0x514

/* "Guest-side DMA Interface": the descriptor is big-endian { u32 control, u32 length, u64 address }
 * and the high half of its control word can select an item. */
#define DMA_ERROR 0x01
#define DMA_READ 0x02
#define DMA_SKIP 0x04
#define DMA_SELECT 0x08
#define DMA_WRITE 0x10
#define DMA_DESCRIPTOR_SIZE 16

/* What the DMA register reads as: "QEMU CFG" in the order of its bytes. */
#define DMA_SIGNATURE UINT64_C (0x51454d5520434647)

#define ID_TRADITIONAL 0x01
#define ID_DMA 0x02

/* Bits of a key that are not its number: arch-local, and the write flag of early versions. */
#define KEY_FLAGS 0xc000

/* A guest may ask for 4 GiB in one descriptor, and has to poll for its end. So that nobody waits for
 * a lock meanwhile, a transfer is made in pieces of at most this, the first one at once. */
#define PIECE (4 * VT_MIB)
#define PIECE_DELAY_NS INT64_C (1000)

#define DIRECTORY_ENTRY 64

struct VtFwCfgItem
{
  char           *name; /* NULL: an item by key. */
  GBytes         *bytes; /* NULL: writable, or to be generated. */
  uint32_t        size;
  VtFwCfgGenerate generate;
  bool            writable;
  uint32_t        pool; /* Writable: where in the state's array. */
  GBytes         *initial;
  VtFwCfgWritten  written;
  void           *data;
};

static void
item_free (void *pointer)
{
  VtFwCfgItem *item = pointer;

  if (item == NULL)
    return;
  g_free (item->name);
  g_clear_pointer (&item->bytes, g_bytes_unref);
  g_clear_pointer (&item->initial, g_bytes_unref);
  g_free (item);
}

/* The directory ("File Directory"): a big-endian count, then { u32 size, u16 key, u16 reserved,
 * char name[56] } for each file. */
static GBytes *
build_directory (VtFwCfg *fw)
{
  GByteArray *out = g_byte_array_new ();
  uint32_t    count = GUINT32_TO_BE (fw->files->len);

  g_byte_array_append (out, (const uint8_t *) &count, 4);
  for (guint i = 0; i < fw->files->len; i++)
    {
      const VtFwCfgItem *item = fw->files->pdata[i];
      uint8_t            entry[DIRECTORY_ENTRY] = { 0 };
      uint32_t           size = GUINT32_TO_BE (item->size);
      uint16_t           key = GUINT16_TO_BE ((uint16_t) (VT_FW_CFG_FILE_FIRST + i));

      memcpy (entry, &size, 4);
      memcpy (entry + 4, &key, 2);
      g_strlcpy ((char *) entry + 8, item->name, VT_FW_CFG_NAME_MAX);
      g_byte_array_append (out, entry, sizeof entry);
    }
  return g_byte_array_free_to_bytes (out);
}

static VtFwCfgItem *
find_item (VtFwCfg *fw, uint16_t key)
{
  unsigned arch = (key & VT_FW_CFG_ARCH_LOCAL) != 0;
  unsigned n = key & ~KEY_FLAGS;

  if (n < VT_FW_CFG_FILE_FIRST)
    return fw->legacy[arch][n];
  n -= VT_FW_CFG_FILE_FIRST;
  return arch == 0 && n < fw->files->len ? fw->files->pdata[n] : NULL;
}

static void
generate (VtFwCfgItem *item)
{
  g_autoptr (GBytes) made = item->generate (item->data);
  gsize          have = 0;
  const uint8_t *from = made == NULL ? NULL : g_bytes_get_data (made, &have);
  uint8_t       *padded = g_malloc0 (item->size);

  if (from != NULL)
    memcpy (padded, from, MIN (have, item->size));
  g_clear_pointer (&item->bytes, g_bytes_unref);
  item->bytes = g_bytes_new_take (padded, item->size);
}

/* The bytes of the selected item and, in @size, how many they are; NULL where there is none. */
static const uint8_t *
contents (VtFwCfg *fw, uint32_t *size)
{
  VtFwCfgItem   *item;
  gsize          len = 0;
  const uint8_t *data;

  *size = 0;
  if ((fw->state.selected & ~0x4000) == VT_FW_CFG_FILE_DIR)
    {
      if (fw->directory == NULL)
        fw->directory = build_directory (fw);
      data = g_bytes_get_data (fw->directory, &len);
      *size = (uint32_t) len;
      return data;
    }
  item = find_item (fw, fw->state.selected);
  if (item == NULL)
    return NULL;
  *size = item->size;
  if (item->writable)
    return fw->state.writable + item->pool;
  /* A loaded state may have an item selected that was not generated in this process yet. */
  if (item->generate != NULL && item->bytes == NULL)
    generate (item);
  return g_bytes_get_data (item->bytes, NULL);
}

static void
select_key (VtFwCfg *fw, uint16_t key)
{
  VtFwCfgItem *item;

  fw->state.selected = key;
  fw->state.offset = 0;
  item = find_item (fw, key);
  if (item != NULL && item->generate != NULL)
    generate (item);
}

/* DMA ------------------------------------------------------------------------------------------ */

static void
transfer_end (VtFwCfg *fw, bool ok)
{
  uint32_t control = GUINT32_TO_BE (ok ? 0 : DMA_ERROR);

  fw->state.transfer = VT_FW_CFG_IDLE;
  fw->state.transfer_left = 0;
  if (!ok)
    vt_trace (fw->base.path, "DMA with key 0x%x at 0x%" G_GINT64_MODIFIER "x failed",
              fw->state.selected, fw->state.transfer_gpa);
  if (!vt_memory_write (fw->base.memory, fw->state.descriptor, &control, sizeof control))
    vt_trace (fw->base.path, "descriptor at 0x%" G_GINT64_MODIFIER "x is not in RAM",
              fw->state.descriptor);
}

/* Moves one run of bytes of at most @max. Returns how many; 0 where it can't be done. */
static uint32_t
transfer_run (VtFwCfg *fw, uint32_t max)
{
  static const uint8_t zeros[4096];
  VtFwCfgState        *s = &fw->state;
  uint32_t             size;
  const uint8_t       *data = contents (fw, &size);
  uint32_t             have = s->offset < size ? size - s->offset : 0;
  uint32_t             n;

  if (s->transfer == VT_FW_CFG_READING)
    {
      /* Behind an item's end, and in items that do not exist, there are zeros. */
      n = have > 0 ? MIN (max, have) : MIN (max, (uint32_t) sizeof zeros);
      if (!vt_memory_write (fw->base.memory, s->transfer_gpa, have > 0 ? data + s->offset : zeros,
                            n))
        return 0;
    }
  else
    {
      VtFwCfgItem *item = find_item (fw, s->selected);

      n = MIN (max, have);
      if (n == 0 || item == NULL || !item->writable ||
          !vt_memory_read (fw->base.memory, s->transfer_gpa,
                           s->writable + item->pool + s->offset, n))
        return 0;
      if (item->written != NULL)
        item->written (item->data, s->writable + item->pool, item->size);
    }
  if (have > 0)
    s->offset += n;
  return n;
}

static void
transfer_step (void *data)
{
  VtFwCfg      *fw = data;
  VtFwCfgState *s = &fw->state;
  uint32_t      budget = PIECE;

  while (s->transfer != VT_FW_CFG_IDLE && s->transfer_left > 0)
    {
      uint32_t n;

      if (budget == 0)
        {
          vt_timer_arm (fw->timer, vt_clock_now (fw->base.clock) + PIECE_DELAY_NS);
          return;
        }
      n = transfer_run (fw, MIN (s->transfer_left, budget));
      if (n == 0)
        {
          transfer_end (fw, false);
          return;
        }
      s->transfer_gpa += n;
      s->transfer_left -= n;
      budget -= n;
    }
  if (s->transfer != VT_FW_CFG_IDLE)
    transfer_end (fw, true);
}

static void
transfer_start (VtFwCfg *fw, VtGpa descriptor)
{
  VtFwCfgState *s = &fw->state;
  uint8_t       raw[DMA_DESCRIPTOR_SIZE];
  uint32_t      control, length, size;

  if (s->transfer != VT_FW_CFG_IDLE)
    {
      vt_trace (fw->base.path, "a transfer is under way; the new one is dropped");
      return;
    }
  s->descriptor = descriptor;
  if (!vt_memory_read (fw->base.memory, descriptor, raw, sizeof raw))
    {
      transfer_end (fw, false);
      return;
    }
  control = GUINT32_FROM_BE (vt_ld32 (raw));
  length = GUINT32_FROM_BE (vt_ld32 (raw + 4));
  s->transfer_gpa = GUINT64_FROM_BE (vt_ld64 (raw + 8));
  if (control & DMA_SELECT)
    select_key (fw, (uint16_t) (control >> 16));
  if (control & DMA_READ)
    s->transfer = VT_FW_CFG_READING;
  else if (control & DMA_WRITE)
    s->transfer = VT_FW_CFG_WRITING;
  else
    {
      if (control & DMA_SKIP)
        {
          (void) contents (fw, &size);
          s->offset = s->offset >= size ? s->offset : s->offset + MIN (length, size - s->offset);
        }
      transfer_end (fw, true);
      return;
    }
  s->transfer_left = length;
  transfer_step (fw);
}

/* Registers ------------------------------------------------------------------------------------ */

static uint64_t
ports_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtFwCfg       *fw = (VtFwCfg *) dev;
  uint32_t       len;
  const uint8_t *data;

  /* Only bytes are readable. Byte reads of the selector's port see the data register too. */
  if (size != 1)
    return 0;
  data = contents (fw, &len);
  return fw->state.offset < len ? data[fw->state.offset++] : 0;
}

static void
ports_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  /* Byte writes go to the data register, which has been read-only for long: DMA writes instead. */
  if (offset == 0 && size == 2)
    select_key ((VtFwCfg *) dev, (uint16_t) value);
}

static const VtRegionOps ports_ops = {
  .name = "fw-cfg",
  .min_size = 1,
  .max_size = 2,
  .read = ports_read,
  .write = ports_write,
};

static uint64_t
dma_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return (GUINT64_SWAP_LE_BE (DMA_SIGNATURE) >> (offset * 8)) & vt_ones (size);
}

static void
dma_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtFwCfg *fw = (VtFwCfg *) dev;
  uint64_t low;

  /* A big-endian register on a little-endian bus; writing its low half starts the transfer. */
  if (size == 8)
    {
      fw->state.dma_high = 0;
      transfer_start (fw, GUINT64_SWAP_LE_BE (value));
    }
  else if (size == 4 && offset == 0)
    fw->state.dma_high = (uint64_t) GUINT32_SWAP_LE_BE ((uint32_t) value) << 32;
  else if (size == 4)
    {
      low = GUINT32_SWAP_LE_BE ((uint32_t) value) | fw->state.dma_high;
      fw->state.dma_high = 0;
      transfer_start (fw, low);
    }
}

static const VtRegionOps dma_ops = {
  .name = "fw-cfg-dma",
  .min_size = 1,
  .max_size = 8,
  .read = dma_read,
  .write = dma_write,
};

/* Items ---------------------------------------------------------------------------------------- */

static VtFwCfgItem *
item_new (GBytes *bytes)
{
  VtFwCfgItem *item = g_new0 (VtFwCfgItem, 1);

  if (bytes != NULL)
    {
      item->bytes = g_bytes_ref (bytes);
      item->size = (uint32_t) MIN (g_bytes_get_size (bytes), UINT32_MAX);
    }
  return item;
}

void
vt_fw_cfg_add_bytes (VtFwCfg *fw, uint16_t key, GBytes *bytes)
{
  unsigned arch = (key & VT_FW_CFG_ARCH_LOCAL) != 0;
  unsigned n = key & ~KEY_FLAGS;

  g_return_if_fail (n < VT_FW_CFG_FILE_FIRST);
  item_free (fw->legacy[arch][n]);
  fw->legacy[arch][n] = item_new (bytes);
}

void
vt_fw_cfg_add (VtFwCfg *fw, uint16_t key, const void *data, size_t size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);

  vt_fw_cfg_add_bytes (fw, key, bytes);
}

void
vt_fw_cfg_add_u16 (VtFwCfg *fw, uint16_t key, uint16_t value)
{
  uint8_t raw[2];

  vt_st16 (raw, value);
  vt_fw_cfg_add (fw, key, raw, sizeof raw);
}

void
vt_fw_cfg_add_u32 (VtFwCfg *fw, uint16_t key, uint32_t value)
{
  uint8_t raw[4];

  vt_st32 (raw, value);
  vt_fw_cfg_add (fw, key, raw, sizeof raw);
}

void
vt_fw_cfg_add_u64 (VtFwCfg *fw, uint16_t key, uint64_t value)
{
  uint8_t raw[8];

  vt_st64 (raw, value);
  vt_fw_cfg_add (fw, key, raw, sizeof raw);
}

/* Takes @item over, also where it fails. Keys follow the order of the names, so that they do not
 * depend on the order in which a board adds its files. */
static bool
insert_file (VtFwCfg *fw, const char *name, VtFwCfgItem *item, GError **error)
{
  guint at = 0;
  int   order = 1;

  if (fw->files == NULL)
    fw->files = g_ptr_array_new_with_free_func (item_free);
  item->name = g_strdup (name);
  while (at < fw->files->len &&
         (order = strcmp (name, ((VtFwCfgItem *) fw->files->pdata[at])->name)) > 0)
    at++;
  if (name[0] == '\0' || strlen (name) >= VT_FW_CFG_NAME_MAX)
    {
      item_free (item);
      return vt_set_error (error, VITRINE_ERROR_INVALID,
                           "The firmware file name “%s” is empty or longer than %d bytes.", name,
                           VT_FW_CFG_NAME_MAX - 1);
    }
  if (at < fw->files->len && order == 0)
    {
      item_free (fw->files->pdata[at]);
      fw->files->pdata[at] = item;
    }
  else if (fw->files->len == VT_FW_CFG_FILES_MAX)
    {
      item_free (item);
      return vt_set_error (error, VITRINE_ERROR_INVALID,
                           "The firmware file “%s” is one more than the %d that a machine can have.",
                           name, VT_FW_CFG_FILES_MAX);
    }
  else
    g_ptr_array_insert (fw->files, (int) at, item);
  g_clear_pointer (&fw->directory, g_bytes_unref);
  return true;
}

bool
vt_fw_cfg_add_file_bytes (VtFwCfg *fw, const char *name, GBytes *bytes, GError **error)
{
  if (g_bytes_get_size (bytes) > UINT32_MAX)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The firmware file “%s” has 4 GiB or more; use a smaller one.", name);
  return insert_file (fw, name, item_new (bytes), error);
}

bool
vt_fw_cfg_add_file (VtFwCfg *fw, const char *name, const void *data, size_t size, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);

  return vt_fw_cfg_add_file_bytes (fw, name, bytes, error);
}

bool
vt_fw_cfg_add_file_generated (VtFwCfg        *fw,
                              const char     *name,
                              size_t          size,
                              VtFwCfgGenerate generate_func,
                              void           *data,
                              GError        **error)
{
  VtFwCfgItem *item = item_new (NULL);

  item->size = (uint32_t) MIN (size, UINT32_MAX);
  item->generate = generate_func;
  item->data = data;
  return insert_file (fw, name, item, error);
}

static void
fill_writable (VtFwCfg *fw, const VtFwCfgItem *item)
{
  if (item->initial != NULL)
    memcpy (fw->state.writable + item->pool, g_bytes_get_data (item->initial, NULL), item->size);
  else
    memset (fw->state.writable + item->pool, 0, item->size);
}

bool
vt_fw_cfg_add_file_writable (VtFwCfg       *fw,
                             const char    *name,
                             const void    *initial,
                             size_t         size,
                             VtFwCfgWritten written,
                             void          *data,
                             GError       **error)
{
  VtFwCfgItem *item;

  if (!vt_range_ok (fw->writable_used, size, VT_FW_CFG_WRITABLE_MAX))
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The writable firmware file “%s” of %zu bytes does not fit any more.", name,
                         size);
  item = item_new (NULL);
  item->size = (uint32_t) size;
  item->writable = true;
  item->pool = fw->writable_used;
  item->initial = initial == NULL ? NULL : g_bytes_new (initial, size);
  item->written = written;
  item->data = data;
  if (!insert_file (fw, name, item, error))
    return false;
  fw->writable_used += item->size;
  fill_writable (fw, item);
  return true;
}

uint16_t
vt_fw_cfg_find (VtFwCfg *fw, const char *name)
{
  for (guint i = 0; i < fw->files->len; i++)
    if (strcmp (((VtFwCfgItem *) fw->files->pdata[i])->name, name) == 0)
      return (uint16_t) (VT_FW_CFG_FILE_FIRST + i);
  return 0;
}

/* Life ----------------------------------------------------------------------------------------- */

static bool
fw_cfg_realize (VtDevice *dev, GError **error)
{
  VtFwCfg *fw = (VtFwCfg *) dev;

  if (fw->files == NULL)
    fw->files = g_ptr_array_new_with_free_func (item_free);
  fw->timer = vt_timer_new (dev->context, dev->clock, transfer_step, fw);
  vt_fw_cfg_add (fw, VT_FW_CFG_SIGNATURE, "QEMU", 4);
  vt_fw_cfg_add_u32 (fw, VT_FW_CFG_ID, ID_TRADITIONAL | ID_DMA);
  fw->ports = vt_device_add_region (dev, VT_SPACE_IO, &ports_ops, 2);
  fw->dma = vt_device_add_region (dev, VT_SPACE_IO, &dma_ops, 8);
  vt_region_map (fw->ports, PORT_SELECTOR, 0);
  vt_region_map (fw->dma, PORT_DMA, 0);
  return true;
}

static void
fw_cfg_unrealize (VtDevice *dev)
{
  VtFwCfg *fw = (VtFwCfg *) dev;

  for (unsigned arch = 0; arch < 2; arch++)
    for (unsigned n = 0; n < VT_FW_CFG_FILE_FIRST; n++)
      item_free (fw->legacy[arch][n]);
  g_ptr_array_unref (fw->files);
  g_clear_pointer (&fw->directory, g_bytes_unref);
  vt_timer_free (fw->timer);
}

static void
fw_cfg_reset (VtDevice *dev, VtResetKind kind)
{
  VtFwCfg *fw = (VtFwCfg *) dev;

  vt_timer_stop (fw->timer);
  memset (&fw->state, 0, sizeof fw->state);
  for (guint i = 0; i < fw->files->len; i++)
    {
      const VtFwCfgItem *item = fw->files->pdata[i];

      if (item->writable)
        fill_writable (fw, item);
    }
}

static void
fw_cfg_pause (VtDevice *dev)
{
  /* A transfer under way is part of the state. */
  vt_timer_stop (((VtFwCfg *) dev)->timer);
  vt_device_paused (dev);
}

static void
fw_cfg_resume (VtDevice *dev)
{
  VtFwCfg *fw = (VtFwCfg *) dev;

  if (fw->state.transfer != VT_FW_CFG_IDLE)
    vt_timer_arm (fw->timer, vt_clock_now (dev->clock) + PIECE_DELAY_NS);
}

static bool
fw_cfg_check (const void *state, GError **error)
{
  const VtFwCfgState *s = state;

  if (s->transfer == VT_FW_CFG_IDLE && s->transfer_left != 0)
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The saved state has bytes left to move without a transfer.");
  return true;
}

static const VtStateField fw_cfg_fields[] = {
  VT_STATE (VtFwCfgState, dma_high),
  VT_STATE (VtFwCfgState, descriptor),
  VT_STATE (VtFwCfgState, transfer_gpa),
  VT_STATE (VtFwCfgState, transfer_left),
  VT_STATE (VtFwCfgState, offset),
  VT_STATE (VtFwCfgState, selected),
  VT_STATE_MAX (VtFwCfgState, transfer, VT_FW_CFG_WRITING),
  VT_STATE (VtFwCfgState, pad_),
  VT_STATE (VtFwCfgState, writable),
};

static const VtStateDesc fw_cfg_state = VT_STATE_DESC (VtFwCfgState, 1, fw_cfg_fields, fw_cfg_check);

const VtDeviceClass vt_fw_cfg_class = {
  .id = "fw-cfg",
  .spec = "QEMU Firmware Configuration (fw_cfg) Device, docs/specs/fw_cfg: selector, data, "
          "DMA interface, file directory",
  .size = sizeof (VtFwCfg),
  .state_offset = offsetof (VtFwCfg, state),
  .state = &fw_cfg_state,
  .realize = fw_cfg_realize,
  .unrealize = fw_cfg_unrealize,
  .reset = fw_cfg_reset,
  .pause = fw_cfg_pause,
  .resume = fw_cfg_resume,
};
