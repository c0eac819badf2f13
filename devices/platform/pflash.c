/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parallel NOR flash. The guest reads the array as memory; a write is a command, and while the chip
 * answers commands its registers lie over the array. What the guest programs or erases is written
 * behind its back to a block device, a page at a time.
 */
#include "platform/pflash.h"

/* Intel StrataFlash J3 (290667), table 12: commands. */
#define CMD_PROGRAM 0x10
#define CMD_ERASE 0x20
#define CMD_PROGRAM_ALT 0x40
#define CMD_CLEAR_STATUS 0x50
#define CMD_LOCK 0x60
#define CMD_READ_STATUS 0x70
#define CMD_READ_ID 0x90
#define CMD_CFI 0x98
#define CMD_CONFIRM 0xd0
#define CMD_BUFFER 0xe8
#define CMD_READ_ARRAY 0xff

/* Table 15: the status register. */
#define STATUS_READY 0x80
#define STATUS_ERASE_ERROR 0x20
#define STATUS_PROGRAM_ERROR 0x10
#define STATUS_LOCKED 0x02

#define ID_MANUFACTURER 0x89
#define ID_DEVICE 0x18

#define SHADOW_MAX (128 * VT_KIB)

/* The most that goes to the block device in one request. */
#define KEEP_PAGES 16

/* Keeping --------------------------------------------------------------------------------------- */

/* It outlives the device where a request is still under way at its end. */
struct VtPflashKeeper
{
  VtPflash       *flash; /* NULL: the device is gone. */
  VtBlock        *block;
  uint8_t        *dirty; /* One byte for each page. */
  unsigned        n_pages;
  bool            busy, unflushed;
  VtBlockRequest  request;
  struct iovec    iov;
  uint8_t         bounce[KEEP_PAGES * VT_PFLASH_BLOCK];
};

static void keep (VtPflashKeeper *k);

static void
keeper_free (VtPflashKeeper *k)
{
  g_free (k->dirty);
  g_free (k);
}

static void
kept_cb (VtBlockRequest *request, int error)
{
  VtPflashKeeper *k = request->data;

  k->busy = false;
  if (k->flash == NULL)
    {
      keeper_free (k);
      return;
    }
  if (error != 0)
    g_message ("The flash contents can't be written to “%s” (%s); firmware settings will be lost "
               "when the machine ends.",
               k->block->info.name, g_strerror (error));
  keep (k);
}

static void
submit (VtPflashKeeper *k, VtBlockOp op, uint64_t offset, uint64_t length)
{
  k->busy = true;
  k->iov = (struct iovec){ k->bounce, length };
  k->request = (VtBlockRequest){ .op = op,
                                 .offset = offset,
                                 .length = length,
                                 .iov = op == VT_BLOCK_WRITE ? &k->iov : NULL,
                                 .n_iov = op == VT_BLOCK_WRITE ? 1 : 0,
                                 .done = kept_cb,
                                 .context = k->flash->base.context,
                                 .data = k };
  vt_block_submit (k->block, &k->request);
}

/* Writes the first run of dirty pages; behind the last, flushes; then there is nothing left. */
static void
keep (VtPflashKeeper *k)
{
  unsigned first = 0, n = 0;
  uint64_t offset, length;

  if (k->busy)
    return;
  while (first < k->n_pages && !k->dirty[first])
    first++;
  while (n < KEEP_PAGES && first + n < k->n_pages && k->dirty[first + n])
    k->dirty[first + n++] = false;
  offset = (uint64_t) first * VT_PFLASH_BLOCK;
  length = k->block->info.size - MIN (offset, k->block->info.size);
  length = MIN (length, (uint64_t) n * VT_PFLASH_BLOCK);
  if (length > 0)
    {
      /* Copied, because the guest may change it meanwhile. */
      memcpy (k->bounce, vt_ram_host (k->flash->ram) + offset, length);
      k->unflushed = true;
      submit (k, VT_BLOCK_WRITE, offset, length);
    }
  else if (k->unflushed)
    {
      k->unflushed = false;
      submit (k, VT_BLOCK_FLUSH, 0, 0);
    }
  else if (k->flash->pausing)
    {
      k->flash->pausing = false;
      vt_device_paused (&k->flash->base);
    }
}

static void
changed (VtPflash *f, uint64_t offset, uint64_t len)
{
  vt_ram_mark_dirty (f->ram, offset, len);
  if (f->keeper == NULL)
    return;
  for (uint64_t page = offset / VT_PFLASH_BLOCK; page <= (offset + len - 1) / VT_PFLASH_BLOCK; page++)
    f->keeper->dirty[page] = true;
  keep (f->keeper);
}

/* The array ------------------------------------------------------------------------------------- */

/* Programming clears bits and sets none. */
static void
program (VtPflash *f, uint64_t offset, uint8_t value)
{
  f->state.status |= STATUS_READY;
  if (f->read_only)
    f->state.status |= STATUS_PROGRAM_ERROR | STATUS_LOCKED;
  else
    {
      vt_ram_host (f->ram)[offset] &= value;
      changed (f, offset, 1);
    }
}

static void
erase (VtPflash *f, uint64_t offset)
{
  offset = vt_align_down (offset, VT_PFLASH_BLOCK);
  f->state.status |= STATUS_READY;
  if (f->read_only)
    f->state.status |= STATUS_ERASE_ERROR | STATUS_LOCKED;
  else
    {
      memset (vt_ram_host (f->ram) + offset, 0xff, VT_PFLASH_BLOCK);
      changed (f, offset, VT_PFLASH_BLOCK);
    }
}

/* 10.3: both error bits together say that commands came in no sensible sequence. */
static void
sequence_error (VtPflash *f)
{
  f->state.status |= STATUS_READY | STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR;
  f->state.cycle = VT_PFLASH_COMMAND;
}

static void
program_buffer (VtPflash *f)
{
  VtPflashState *s = &f->state;
  uint8_t       *array = vt_ram_host (f->ram) + s->buffer_base;

  /* A saved state does not know how large this chip is. */
  if (!vt_range_ok (s->buffer_base, VT_PFLASH_BUFFER, vt_ram_size (f->ram)))
    {
      sequence_error (f);
      return;
    }
  s->status |= STATUS_READY;
  if (f->read_only)
    {
      s->status |= STATUS_PROGRAM_ERROR | STATUS_LOCKED;
      return;
    }
  for (unsigned i = 0; i < VT_PFLASH_BUFFER; i++)
    if (s->buffer_mask[i / 8] & 1u << i % 8)
      array[i] &= s->buffer[i];
  changed (f, s->buffer_base, VT_PFLASH_BUFFER);
}

/* Commands -------------------------------------------------------------------------------------- */

static void
set_mode (VtPflash *f, uint8_t mode)
{
  f->state.mode = mode;
  if (f->registers == NULL)
    return;
  if (mode == CMD_READ_ARRAY)
    vt_region_unmap (f->registers);
  else
    vt_region_map (f->registers, f->address, VT_PFLASH_PRIORITY + 2);
}

static void
command (VtPflash *f, uint8_t value)
{
  VtPflashState *s = &f->state;

  switch (value)
    {
    case CMD_PROGRAM:
    case CMD_PROGRAM_ALT:
      s->cycle = VT_PFLASH_PROGRAM;
      set_mode (f, CMD_READ_STATUS);
      break;
    case CMD_ERASE:
      s->cycle = VT_PFLASH_ERASE;
      set_mode (f, CMD_READ_STATUS);
      break;
    case CMD_LOCK:
      s->cycle = VT_PFLASH_LOCK;
      set_mode (f, CMD_READ_STATUS);
      break;
    case CMD_BUFFER:
      s->cycle = VT_PFLASH_BUFFER_COUNT;
      s->status |= STATUS_READY;
      set_mode (f, CMD_READ_STATUS);
      break;
    case CMD_CLEAR_STATUS:
      /* A chip keeps its ready bit. UEFI's driver for virtual machines, which tells flash from RAM
       * and ROM by this, expects all of it to be cleared. */
      s->status = 0;
      set_mode (f, CMD_READ_ARRAY);
      break;
    case CMD_READ_STATUS:
    case CMD_READ_ID:
    case CMD_CFI:
      set_mode (f, value);
      break;
    default:
      /* 0xff; 0x00 and 0xf0 are what drivers of other command sets try. */
      if (value != CMD_READ_ARRAY && value != 0x00 && value != 0xf0)
        vt_trace (f->base.path, "unknown command 0x%02x", value);
      set_mode (f, CMD_READ_ARRAY);
      break;
    }
}

static void
buffer_data (VtPflash *f, uint64_t offset, uint8_t value)
{
  VtPflashState *s = &f->state;
  uint32_t       base = (uint32_t) vt_align_down (offset, VT_PFLASH_BUFFER);
  unsigned       at = (unsigned) (offset % VT_PFLASH_BUFFER);

  if (!s->buffer_used)
    {
      s->buffer_used = true;
      s->buffer_base = base;
      memset (s->buffer_mask, 0, sizeof s->buffer_mask);
    }
  else if (base != s->buffer_base)
    {
      sequence_error (f);
      return;
    }
  s->buffer[at] = value;
  s->buffer_mask[at / 8] |= (uint8_t) (1u << at % 8);
  if (--s->buffer_left == 0)
    s->cycle = VT_PFLASH_BUFFER_CONFIRM;
}

static void
flash_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t data)
{
  VtPflash      *f = (VtPflash *) dev;
  VtPflashState *s = &f->state;
  uint8_t        value = (uint8_t) data;

  switch ((VtPflashCycle) s->cycle)
    {
    case VT_PFLASH_COMMAND:
      command (f, value);
      break;
    case VT_PFLASH_PROGRAM:
      s->cycle = VT_PFLASH_COMMAND;
      program (f, offset, value);
      break;
    case VT_PFLASH_ERASE:
      s->cycle = VT_PFLASH_COMMAND;
      if (value == CMD_CONFIRM)
        erase (f, offset);
      else
        sequence_error (f);
      break;
    case VT_PFLASH_LOCK:
      /* Blocks are never locked, so there is nothing to do but to agree. */
      s->cycle = VT_PFLASH_COMMAND;
      if (value == CMD_CONFIRM || value == 0x01)
        s->status |= STATUS_READY;
      else
        sequence_error (f);
      break;
    case VT_PFLASH_BUFFER_COUNT:
      /* A byte holds at most the buffer's size less one. */
      s->buffer_left = (uint16_t) (value + 1);
      s->buffer_used = false;
      s->cycle = VT_PFLASH_BUFFER_DATA;
      break;
    case VT_PFLASH_BUFFER_DATA:
      buffer_data (f, offset, value);
      break;
    case VT_PFLASH_BUFFER_CONFIRM:
      s->cycle = VT_PFLASH_COMMAND;
      if (value == CMD_CONFIRM)
        program_buffer (f);
      else
        sequence_error (f);
      break;
    default:
      s->cycle = VT_PFLASH_COMMAND;
      break;
    }
}

/* JESD68.01, table 1; Intel's extended query (J3, table 32). */
static uint8_t
cfi_byte (const VtPflash *f, unsigned at)
{
  uint64_t size = vt_ram_size (f->ram);
  unsigned log2 = 0, blocks = (unsigned) (size / VT_PFLASH_BLOCK) - 1;

  while (UINT64_C (1) << log2 < size)
    log2++;
  switch (at)
    {
    case 0x10:
      return 'Q';
    case 0x11:
      return 'R';
    case 0x12:
      return 'Y';
    case 0x13: /* Primary command set: Intel extended. */
      return 0x01;
    case 0x15: /* Its table. */
      return 0x31;
    case 0x1b: /* Supply: 4.5 to 5.5 V. */
      return 0x45;
    case 0x1c:
      return 0x55;
    case 0x1f: /* Typical times, as powers of two: byte, buffer (µs), block (ms). */
    case 0x20:
      return 7;
    case 0x21:
      return 10;
    case 0x23: /* The most that they are exceeded by. */
    case 0x24:
    case 0x25:
      return 4;
    case 0x27:
      return (uint8_t) log2;
    case 0x2a: /* Write buffer, 2^n bytes. */
      return 8;
    case 0x2c: /* One region of equal blocks. */
      return 1;
    case 0x2d:
      return (uint8_t) blocks;
    case 0x2e:
      return (uint8_t) (blocks >> 8);
    case 0x30: /* Block size in 256 bytes, high byte at 0x30. */
      return (uint8_t) (VT_PFLASH_BLOCK / 256 >> 8);
    case 0x2f:
      return (uint8_t) (VT_PFLASH_BLOCK / 256);
    case 0x31:
      return 'P';
    case 0x32:
      return 'R';
    case 0x33:
      return 'I';
    case 0x34:
      return '1';
    case 0x35:
      return '0';
    default:
      return 0;
    }
}

static uint64_t
flash_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtPflash *f = (VtPflash *) dev;
  unsigned  at = (unsigned) (offset & 0xff);

  switch (f->state.mode)
    {
    case CMD_READ_ARRAY:
      return vt_ram_host (f->ram)[offset];
    case CMD_READ_ID:
      return at == 0 ? ID_MANUFACTURER : at == 1 ? ID_DEVICE : 0;
    case CMD_CFI:
      return cfi_byte (f, at);
    default:
      return f->state.status;
    }
}

static const VtRegionOps flash_ops = {
  .name = "pflash",
  .min_size = 1,
  .max_size = 1,
  .read = flash_read,
  .write = flash_write,
};

/* Life ------------------------------------------------------------------------------------------ */

static bool
pflash_realize (VtDevice *dev, GError **error)
{
  VtPflash   *f = (VtPflash *) dev;
  gsize       size;
  const void *data;
  uint64_t    shadow;

  if (f->image == NULL)
    return true;
  data = g_bytes_get_data (f->image, &size);
  if (size == 0 || size > VT_PFLASH_MAX || size % VT_PFLASH_BLOCK != 0)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "The flash image has %" G_GSIZE_FORMAT
                         " bytes; choose one of at most 16 MiB whose size is a multiple of 4 KiB.",
                         size);
  f->ram = vt_ram_new (dev->path, size, error);
  if (f->ram == NULL)
    return false;
  memcpy (vt_ram_host (f->ram), data, size);
  g_clear_pointer (&f->image, g_bytes_unref);
  if (f->block != NULL && !f->read_only)
    {
      f->keeper = g_new0 (VtPflashKeeper, 1);
      f->keeper->flash = f;
      f->keeper->block = f->block;
      f->keeper->n_pages = (unsigned) (size / VT_PFLASH_BLOCK);
      f->keeper->dirty = g_malloc0 (f->keeper->n_pages);
    }
  f->array = vt_device_add_ram_region (dev, f->ram, 0, size, VT_RAM_ROM, f->smm_only ? NULL : &flash_ops);
  f->registers = vt_device_add_region (dev, f->smm_only ? VT_SPACE_SMM : VT_SPACE_MEMORY, &flash_ops, size);
  vt_region_map (f->array, f->address, VT_PFLASH_PRIORITY);
  if (f->smm_only)
    {
      f->array_smm = vt_device_add_ram_region (dev, f->ram, 0, size, VT_RAM_ROM, &flash_ops);
      vt_region_for_smm (f->array_smm);
      vt_region_map (f->array_smm, f->address, VT_PFLASH_PRIORITY + 1);
    }
  if (f->shadow)
    {
      shadow = MIN (size, SHADOW_MAX);
      f->low = vt_device_add_ram_region (dev, f->ram, size - shadow, shadow, VT_RAM_ROM, NULL);
      vt_region_map (f->low, VT_MIB - shadow, VT_PFLASH_PRIORITY);
    }
  return true;
}

static void
pflash_unrealize (VtDevice *dev)
{
  VtPflash *f = (VtPflash *) dev;

  if (f->keeper != NULL)
    {
      f->keeper->flash = NULL;
      if (!f->keeper->busy)
        keeper_free (f->keeper);
      f->keeper = NULL;
    }
  g_clear_pointer (&f->image, g_bytes_unref);
  g_clear_pointer (&f->ram, vt_ram_free);
}

static void
pflash_reset (VtDevice *dev, VtResetKind kind)
{
  VtPflash *f = (VtPflash *) dev;

  memset (&f->state, 0, sizeof f->state);
  f->state.status = STATUS_READY;
  set_mode (f, CMD_READ_ARRAY);
}

static void
pflash_pause (VtDevice *dev)
{
  VtPflash *f = (VtPflash *) dev;

  if (f->keeper == NULL)
    {
      vt_device_paused (dev);
      return;
    }
  f->pausing = true;
  keep (f->keeper);
}

static void
pflash_resume (VtDevice *dev)
{
  ((VtPflash *) dev)->pausing = false;
}

static void
pflash_loaded (VtDevice *dev)
{
  VtPflash *f = (VtPflash *) dev;

  set_mode (f, f->state.mode);
  /* The array has been loaded too; what is kept outside is another one's. */
  if (f->keeper != NULL)
    {
      memset (f->keeper->dirty, true, f->keeper->n_pages);
      keep (f->keeper);
    }
}

static bool
pflash_check (const void *state, GError **error)
{
  const VtPflashState *s = state;

  if (s->buffer_base > VT_PFLASH_MAX - VT_PFLASH_BUFFER || s->buffer_base % VT_PFLASH_BUFFER != 0 ||
      (s->cycle == VT_PFLASH_BUFFER_DATA && s->buffer_left == 0))
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The saved flash state has a write buffer that can't be.");
  return true;
}

static const VtStateField pflash_fields[] = {
  VT_STATE (VtPflashState, buffer_base),
  VT_STATE_MAX (VtPflashState, buffer_left, VT_PFLASH_BUFFER),
  VT_STATE (VtPflashState, mode),
  VT_STATE (VtPflashState, status),
  VT_STATE_MAX (VtPflashState, cycle, VT_PFLASH_BUFFER_CONFIRM),
  VT_STATE_MAX (VtPflashState, buffer_used, 1),
  VT_STATE (VtPflashState, pad_),
  VT_STATE (VtPflashState, buffer),
  VT_STATE (VtPflashState, buffer_mask),
};

static const VtStateDesc pflash_state =
    VT_STATE_DESC (VtPflashState, 1, pflash_fields, pflash_check);

const VtDeviceClass vt_pflash_class = {
  .id = "pflash",
  .spec = "JEDEC JESD68.01 Common Flash Interface; Intel StrataFlash Memory (J3), 290667-021: 9 to "
          "14; command set 0001h",
  .size = sizeof (VtPflash),
  .state_offset = offsetof (VtPflash, state),
  .state = &pflash_state,
  .realize = pflash_realize,
  .unrealize = pflash_unrealize,
  .reset = pflash_reset,
  .pause = pflash_pause,
  .resume = pflash_resume,
  .loaded = pflash_loaded,
};
