/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fuzz target for every device: `fuzz-device --device=ahci` (libFuzzer's own flags follow).
 * The input is a program of one-byte operations with little-endian operands: register accesses, clock
 * steps, guest memory, back-end input, resets, pauses, saved states that have been damaged.
 *
 * --planted makes the rig's memory disk-free device "planted" the target: a device with a known
 * buffer overrun, by which the target itself is tested.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rig/rig.h"

int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* What one input may cost; beyond it the rest is ignored. */
#define MAX_OPS 400
#define MAX_STEP_NS (10 * VT_NS_PER_MS)

static const VtDeviceClass *klass;

/* The planted bug: register 3 writes past the array after the right key. */
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
    p->heap[value & 0xff] = 1;
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

static void
access_op (VtRig *rig, Input *in, bool write, bool pointer)
{
  unsigned windows = vt_rig_n_windows (rig);
  unsigned how = (unsigned) take (in, 1), window, size = 1u << ((how >> 4) & 3);
  uint64_t range, offset;

  if (windows == 0)
    return;
  window = (how & 15) % windows;
  range = vt_rig_window_size (rig, window);
  offset = range > 256 ? take (in, 2) : take (in, 1);
  if ((how & 0x80) != 0)
    offset |= take (in, 1) << 16;
  if (range == 0)
    return;
  offset %= range;
  if (!write)
    vt_rig_read (rig, window, offset, size);
  else if (pointer)
    /* Addresses by chance hit RAM too seldom: these always do. */
    vt_rig_write (rig, window, offset, size, (take (in, 2) << 4) % VT_RIG_RAM);
  else
    vt_rig_write (rig, window, offset, size, take (in, size));
}

static void
memory_op (VtRig *rig, Input *in)
{
  uint64_t at = (take (in, 2) << 4) % (VT_RIG_RAM - 256);
  uint64_t len = take (in, 1);

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

      vt_char_memory_feed (rig->chr, in->p, n);
      in->p += n;
      in->left -= n;
    }
  if (rig->console != NULL)
    vt_rig_look (rig);
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
  Input  in = { data, size };
  VtRig *rig;

  rig = vt_rig_new (klass, true, NULL);
  if (rig == NULL)
    abort ();
  if ((klass->flags & VT_DEVICE_PCI) != 0)
    /* Decoding and bus mastering on: nothing of interest happens without. */
    vt_rig_write (rig, vt_rig_n_windows (rig) - 1, 4, 2, 7);
  for (unsigned op = 0; op < MAX_OPS && in.left > 0; op++)
    {
      uint8_t code = (uint8_t) take (&in, 1);

      if (code < 0x60)
        access_op (rig, &in, true, false);
      else if (code < 0x80)
        access_op (rig, &in, true, true);
      else if (code < 0xb0)
        access_op (rig, &in, false, false);
      else if (code < 0xd0)
        memory_op (rig, &in);
      else if (code < 0xe0)
        vt_clock_advance (rig->clock, (int64_t) ((take (&in, 3) * 997) % MAX_STEP_NS));
      else if (code < 0xf0)
        input_op (rig, &in);
      else if (code < 0xf8)
        vt_device_reset (rig->dev, (VtResetKind) (code % 3));
      else
        state_op (rig, &in);
      vt_context_dispatch (rig->context);
    }
  vt_rig_free (rig);
  return 0;
}
