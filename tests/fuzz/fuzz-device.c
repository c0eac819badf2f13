/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fuzz target for every device: `fuzz-device --device=ahci` (libFuzzer's own flags follow).
 * The input is a program of one-byte operations with little-endian operands; make-seeds.py writes
 * the same language:
 *
 *   00-3f HOW OFFSET VALUE     write a register          b0-cf AT LEN BYTES   fill guest memory
 *   40-4f HOW OFFSET N BYTES   write bytes to one        d0-df TIME           let time pass
 *   50-6f HOW OFFSET PAGE      write an address in RAM   e0-e7 KIND …         bytes, keys, pointer
 *   70-9f HOW OFFSET           read a register           e8-ef KIND VALUE     the class's own event
 *   a0-af HOW ADDRESS VALUE    access as a vCPU          f0-f7                reset
 *                                                        f8-ff N …            save, damage, load
 *
 * HOW: window in bits 3:0 (15: PCI configuration space), size in 5:4, one byte less of it in 6, a
 * third byte of offset in 7. OFFSET has one byte where the window has at most 256, else two.
 *
 * --device=planted is a device with a known buffer overrun, by which the target itself is tested.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rig/rig.h"

int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* What one input may cost; beyond it the rest is ignored. */
#define MAX_OPS 400
#define MAX_NS (5 * VT_NS_PER_SEC) /* The power button is held for four. */
#define MAX_STATES 4 /* Saved states are long: they would take most of the time. */

static const VtDeviceClass *klass;

/* The planted bug: register 3, after the right key, writes right behind its heap block, where no other
 * block can be. */
typedef struct
{
  uint8_t key, pad_[3];
  uint8_t array[4];
} PlantedState;

typedef struct
{
  VtDevice     base;
  uint8_t     *heap;
  PlantedState state;
} Planted;

static void
planted_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  Planted *p = (Planted *) dev;

  if (offset == 0)
    p->state.key = (uint8_t) value;
  else if (offset == 3 && p->state.key == 0x5a)
    p->heap[4] = 1;
}

static const VtRegionOps planted_ops = { "planted", 1, 1, NULL, planted_write };

static bool
planted_realize (VtDevice *dev, GError **error)
{
  ((Planted *) dev)->heap = g_malloc0 (4);
  vt_device_add_region (dev, VT_SPACE_IO, &planted_ops, 4);
  return true;
}

static void
planted_unrealize (VtDevice *dev)
{
  g_free (((Planted *) dev)->heap);
}

static const VtStateField planted_fields[] = {
  VT_STATE (PlantedState, key),
  VT_STATE (PlantedState, pad_),
  VT_STATE (PlantedState, array),
};
static const VtStateDesc planted_state = VT_STATE_DESC (PlantedState, 1, planted_fields, NULL);

static const VtDeviceClass planted_class = {
  .id = "planted",
  .spec = "none: a known bug",
  .size = sizeof (Planted),
  .state_offset = offsetof (Planted, state),
  .state = &planted_state,
  .realize = planted_realize,
  .unrealize = planted_unrealize,
};

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  const char *id = NULL;

  for (int i = 1; i < *argc; i++)
    if (g_str_has_prefix ((*argv)[i], "--device="))
      id = (*argv)[i] + strlen ("--device=");
  if (g_strcmp0 (id, "planted") == 0)
    klass = &planted_class;
  for (unsigned i = 0; vt_device_classes[i] != NULL; i++)
    if (g_strcmp0 (id, vt_device_classes[i]->id) == 0)
      klass = vt_device_classes[i];
  if (klass == NULL)
    {
      fprintf (stderr, "fuzz-device: say --device=ID, one of:");
      for (unsigned i = 0; vt_device_classes[i] != NULL; i++)
        fprintf (stderr, " %s", vt_device_classes[i]->id);
      fprintf (stderr, "\n");
      exit (2);
    }
  return 0;
}

typedef struct
{
  const uint8_t *p;
  size_t         left;
} Input;

static uint64_t
take (Input *in, unsigned size)
{
  uint64_t v;

  size = (unsigned) MIN (in->left, size);
  v = size == 0 ? 0 : vt_ld (in->p, size);
  in->p += size;
  in->left -= size;
  return v;
}

typedef enum
{
  WRITE,
  WRITE_BYTES,
  WRITE_POINTER,
  READ,
} Access;

static unsigned
how_size (unsigned how)
{
  unsigned size = 1u << ((how >> 4) & 3);

  return (how & 0x40) != 0 && size > 2 ? size - 1 : size;
}

static void
access_op (VtRig *rig, Input *in, Access access)
{
  unsigned windows = vt_rig_n_windows (rig);
  unsigned how = (unsigned) take (in, 1), window = how & 15, size = how_size (how);
  uint64_t range, offset;

  if (windows == 0)
    return;
  if (window == 15)
    window = windows - 1;
  else if (windows > 16)
    window = (unsigned) take (in, 1) % windows;
  else
    window %= windows;
  range = vt_rig_window_size (rig, window);
  offset = range > 256 ? take (in, 2) : take (in, 1);
  if ((how & 0x80) != 0)
    offset |= take (in, 1) << 16;
  if (range == 0)
    return;
  offset %= range;
  switch (access)
    {
    case WRITE:
      vt_rig_write (rig, window, offset, size, take (in, size));
      break;
    case WRITE_BYTES:
      for (unsigned n = (unsigned) take (in, 1) & 63; n > 0 && in->left > 0; n--)
        vt_rig_write (rig, window, offset, 1, take (in, 1));
      break;
    case WRITE_POINTER:
      /* Addresses by chance hit RAM too seldom: these always do. */
      vt_rig_write (rig, window, offset, size, (take (in, 2) << 4) % VT_RIG_RAM);
      break;
    case READ:
      vt_rig_read (rig, window, offset, size);
      break;
    }
}

/* Through the address space: legacy windows, shadowed memory, BARs where the guest has put them. */
static void
space_op (VtRig *rig, Input *in)
{
  unsigned    how = (unsigned) take (in, 1), size = how_size (how);
  VtSpaceKind kind = (how & 2) != 0 ? VT_SPACE_IO : VT_SPACE_MEMORY;
  uint64_t    address = take (in, 2);

  if (kind == VT_SPACE_MEMORY)
    switch (how >> 2 & 3)
      {
      case 0: /* The first MiB. */
        address <<= 4;
        break;
      case 1:
        address += VT_RIG_MEMORY_BARS;
        break;
      case 2: /* Below 4 GiB, where ROM is. */
        address = 4 * VT_GIB - 1 - address;
        break;
      default:
        address = address << 16 | take (in, 2);
        break;
      }
  if ((how & 1) != 0)
    vt_rig_space_write (rig, kind, address, size, take (in, size));
  else
    vt_rig_space_read (rig, kind, address, size);
}

/* At most MAX_NS of an input, in steps of nanoseconds or of milliseconds. */
static void
time_op (VtRig *rig, Input *in, unsigned scale)
{
  int64_t ns = (int64_t) (take (in, 2) << scale);

  if (ns <= MAX_NS - vt_clock_now (rig->clock))
    vt_clock_advance (rig->clock, ns);
}

static void
memory_op (VtRig *rig, Input *in)
{
  uint64_t at = (take (in, 2) << 4) % (VT_RIG_RAM - 256);
  uint64_t len = take (in, 1);

  /* MIN() evaluates its arguments twice. */
  len = MIN (len, in->left);
  memcpy (vt_ram_host (rig->ram) + at, in->p, len);
  in->p += len;
  in->left -= len;
}

static void
input_op (VtRig *rig, Input *in)
{
  uint8_t kind = (uint8_t) take (in, 1);

  if (rig->chr != NULL)
    {
      size_t n = MIN ((size_t) (kind & 31), in->left);

      vt_rig_char_feed (rig, in->p, n);
      in->p += n;
      in->left -= n;
    }
  if (rig->input == NULL)
    return;
  switch (kind & 3)
    {
    case 0:
      vt_input_key (rig->input, (unsigned) take (in, 1), (kind & 4) != 0);
      break;
    case 1:
      vt_input_motion (rig->input, (int) (int8_t) take (in, 1), (int) (int8_t) take (in, 1));
      break;
    case 2:
      vt_input_button (rig->input, (VtButton) (take (in, 1) % 5), (kind & 4) != 0);
      break;
    default:
      vt_input_wheel (rig->input, 0, (kind & 4) != 0 ? 1 : -1);
      break;
    }
  vt_input_sync (rig->input);
}

static void
event_op (VtRig *rig, Input *in)
{
  unsigned kind = (unsigned) take (in, 1) & 7;
  uint32_t value = (uint32_t) take (in, 3);

  if (rig->event != NULL)
    rig->event (rig, kind, value);
  vt_rig_look (rig);
}

/* A saved state is hostile input like any other: whatever is accepted must not hurt later. */
static void
state_op (VtRig *rig, Input *in)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  unsigned n;

  if (!vt_rig_pause (rig))
    abort ();
  vt_device_save (rig->dev, bytes);
  n = (unsigned) take (in, 1) & 7;
  for (unsigned i = 0; i < n && bytes->len > 0; i++)
    {
      uint64_t at = take (in, 2) % bytes->len;

      bytes->data[at] = (uint8_t) take (in, 1);
    }
  if (vt_device_load (rig->dev, rig->dev->klass->state->version, bytes->data, bytes->len, NULL))
    vt_device_commit (rig->dev);
  vt_device_resume (rig->dev);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Input    in = { data, size };
  unsigned states = 0;
  VtRig   *rig;

  rig = vt_rig_new (klass, true, NULL);
  if (rig == NULL)
    abort ();
  vt_rig_map_bars (rig);
  for (unsigned op = 0; op < MAX_OPS && in.left > 0; op++)
    {
      uint8_t code = (uint8_t) take (&in, 1);

      if (code < 0x40)
        access_op (rig, &in, WRITE);
      else if (code < 0x50)
        access_op (rig, &in, WRITE_BYTES);
      else if (code < 0x70)
        access_op (rig, &in, WRITE_POINTER);
      else if (code < 0xa0)
        access_op (rig, &in, READ);
      else if (code < 0xb0)
        space_op (rig, &in);
      else if (code < 0xd0)
        memory_op (rig, &in);
      else if (code < 0xe0)
        time_op (rig, &in, code & 15);
      else if (code < 0xe8)
        input_op (rig, &in);
      else if (code < 0xf0)
        event_op (rig, &in);
      else if (code < 0xf8)
        vt_device_reset (rig->dev, (VtResetKind) (code % 3));
      else if (states++ < MAX_STATES)
        state_op (rig, &in);
      vt_context_dispatch (rig->context);
    }
  vt_rig_look (rig);
  vt_rig_free (rig);
  return 0;
}
