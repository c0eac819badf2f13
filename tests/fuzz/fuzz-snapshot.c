/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fuzz target for saved states. The input is a list of edits of a good file, so that small inputs
 * get behind what any damage would fail at; or, where its first byte is 0, the file itself. A file
 * that is refused leaves the machine as it was, and one that is taken leaves it able to be saved.
 *
 * The first byte: 0 the bytes are the file; bit 1: every section's checksum is mended afterwards, as a
 * forger does; 0xff: the edits are of a vCPU's state, which is too long to be in every file.
 * An edit: where (2 bytes), what (bits 7:6) and how many bytes (5:0), operands.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "machine/snapshot.h"

int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define RAM_SIZE (8 * VT_KIB)
#define LONGEST (64 * VT_KIB)
#define HEADER 16
#define HEAD 24

enum
{
  OVERWRITE,
  INSERT,
  REMOVE,
  COPY, /* Inserts eight times as many bytes from elsewhere (2 bytes) in the file. */
};

/* A machine with one of everything that has a section: no vCPU, one chip, one device. --------------- */

typedef struct
{
  uint32_t number;
  uint8_t  index, array[3];
} ThingState;

static const VtStateField thing_fields[] = {
  VT_STATE (ThingState, number),
  VT_STATE_MAX (ThingState, index, 2),
  VT_STATE (ThingState, array),
};
static const VtStateDesc thing_state = VT_STATE_DESC (ThingState, 2, thing_fields, NULL);

typedef struct
{
  VtDevice   base;
  ThingState state;
} Thing;

static bool
thing_realize (VtDevice *dev, GError **error)
{
  return true;
}

static const VtDeviceClass thing_class = {
  .id = "thing",
  .spec = "none",
  .size = sizeof (Thing),
  .state_offset = offsetof (Thing, state),
  .state = &thing_state,
  .realize = thing_realize,
};

typedef struct
{
  VtCpuEngine base;
  ThingState  chip;
} Engine;

static bool
chip_get (VtCpuEngine *engine, void *state, GError **error)
{
  memcpy (state, &((Engine *) engine)->chip, sizeof (ThingState));
  return true;
}

/* Refuses some, as a kernel does. */
static bool
chip_set (VtCpuEngine *engine, const void *state, GError **error)
{
  const ThingState *thing = state;

  if (thing->array[0] > 200)
    return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED, "The chip has no such state.");
  memcpy (&((Engine *) engine)->chip, state, sizeof (ThingState));
  return true;
}

static const VtCpuPart parts[] = { { "cpu/chip", "chip", &thing_state, chip_get, chip_set } };
static const VtVcpuOps ops = { .id = "none", .parts = parts, .n_parts = G_N_ELEMENTS (parts) };

typedef struct
{
  VtMachine  machine;
  Engine     engine;
  VtContext *context;
  int        fd;
} Rig;

static void
rig_init (Rig *rig)
{
  VtDeviceEnv env;
  VtDevice   *dev;

  memset (rig, 0, sizeof *rig);
  rig->engine.base.ops = &ops;
  rig->machine.cpus = &rig->engine.base;
  rig->context = vt_context_new_manual ();
  rig->machine.clock = vt_clock_new_manual ();
  rig->machine.space = vt_space_new ();
  rig->machine.ram = vt_ram_new ("ram", RAM_SIZE, NULL);
  rig->machine.devices = g_ptr_array_new ();
  env = (VtDeviceEnv){ rig->context, rig->machine.clock, rig->machine.space };
  dev = vt_device_new (&thing_class, "bus/thing", &env);
  g_assert_true (vt_device_realize (dev, NULL));
  g_ptr_array_add (rig->machine.devices, dev);
  memset (vt_ram_host (rig->machine.ram) + 4096, 0x55, 64);
  rig->fd = memfd_create ("snapshot", MFD_CLOEXEC);
}

static void
rig_finish (Rig *rig)
{
  close (rig->fd);
  vt_device_free (rig->machine.devices->pdata[0]);
  g_ptr_array_unref (rig->machine.devices);
  vt_space_free (rig->machine.space);
  vt_ram_free (rig->machine.ram);
  vt_clock_free (rig->machine.clock);
  vt_context_free (rig->context);
}

static GByteArray *
rig_save (Rig *rig)
{
  GByteArray *bytes = g_byte_array_new ();
  off_t       size;

  g_assert_true (vt_snapshot_save (&rig->machine, rig->fd, NULL));
  size = lseek (rig->fd, 0, SEEK_END);
  g_byte_array_set_size (bytes, (guint) size);
  g_assert_cmpint (pread (rig->fd, bytes->data, (size_t) size, 0), ==, size);
  return bytes;
}

/* Edits ---------------------------------------------------------------------------------------------- */

static GByteArray *good, *good_cpu;

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  g_autofree VtCpuState *cpu = g_new0 (VtCpuState, 1);
  Rig                    rig;

  rig_init (&rig);
  good = rig_save (&rig);
  rig_finish (&rig);
  vt_cpu_state_reset (cpu, true, 0x600);
  good_cpu = g_byte_array_new ();
  vt_state_save (&vt_cpu_state, cpu, good_cpu);
  return 0;
}

static void
insert (GByteArray *file, guint at, const uint8_t *bytes, guint n)
{
  g_autofree uint8_t *copy = g_memdup2 (bytes, n);
  guint               rest = file->len - at;

  if (n == 0 || file->len + n > LONGEST)
    return;
  g_byte_array_set_size (file, file->len + n);
  memmove (file->data + at + n, file->data + at, rest);
  memcpy (file->data + at, copy, n);
}

static GByteArray *
edited (const GByteArray *from, const uint8_t *p, size_t left)
{
  GByteArray *file = g_byte_array_new ();

  g_byte_array_append (file, from->data, from->len);
  while (left >= 3 && file->len > 0)
    {
      guint at = vt_ld16 (p) % file->len, what = p[2] >> 6, n = p[2] & 63;

      p += 3;
      left -= 3;
      switch (what)
        {
        case OVERWRITE:
        case INSERT:
          n = (guint) MIN (n, left);
          if (what == INSERT)
            insert (file, at, p, n);
          else
            memcpy (file->data + at, p, MIN (n, file->len - at));
          p += n;
          left -= n;
          break;
        case REMOVE:
          /* 63: the rest. */
          g_byte_array_remove_range (file, at, n == 63 ? file->len - at : MIN (n, file->len - at));
          break;
        case COPY:
          if (left >= 2)
            {
              guint source = vt_ld16 (p) % file->len;

              insert (file, at, file->data + source, MIN (8 * n, file->len - source));
              p += 2;
              left -= 2;
            }
          break;
        }
    }
  return file;
}

static void
mend (GByteArray *file)
{
  uint64_t at = HEADER;

  while (vt_range_ok (at, HEAD, file->len))
    {
      uint8_t *head = file->data + at;
      uint64_t path = vt_ld16 (head), klass = vt_ld16 (head + 2), length = vt_ld64 (head + 8), sum;

      at += HEAD;
      if (!vt_range_ok (at, path + klass, file->len)
          || !vt_range_ok (at + path + klass, length, file->len))
        return;
      sum = vt_snapshot_checksum (0, head + HEAD + path + klass, length);
      sum = vt_snapshot_checksum (sum, head, 16);
      sum = vt_snapshot_checksum (sum, head + HEAD, path);
      vt_st64 (head + 16, vt_snapshot_checksum (sum, head + HEAD + path, klass));
      at += path + klass + length;
    }
}

static void
try_cpu (const uint8_t *data, size_t size)
{
  g_autoptr (GByteArray) bytes = edited (good_cpu, data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree VtCpuState *state = g_new0 (VtCpuState, 1);

  if (!vt_state_load (&vt_cpu_state, vt_cpu_state.version, bytes->data, bytes->len, NULL, state, &error))
    {
      g_assert_nonnull (error);
      return;
    }
  g_assert_cmpuint (state->n_msrs, <=, VT_CPU_MSRS);
  g_assert_cmpuint (state->xsave_size, <=, VT_CPU_XSAVE);
  g_assert_nonnull (vt_cpu_mode_name (state));
  vt_cpu_state_print (state, text);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GByteArray) file = NULL, before = NULL, after = NULL;
  g_autoptr (GError) error = NULL;
  Rig rig;

  if (size == 0)
    return 0;
  if (data[0] == 0xff)
    {
      try_cpu (data + 1, size - 1);
      return 0;
    }
  if (data[0] == 0)
    file = g_byte_array_append (g_byte_array_new (), data + 1, (guint) size - 1);
  else
    file = edited (good, data + 1, size - 1);
  if ((data[0] & 2) != 0)
    mend (file);

  rig_init (&rig);
  before = rig_save (&rig);
  g_assert_cmpint (ftruncate (rig.fd, 0), ==, 0);
  g_assert_cmpint (pwrite (rig.fd, file->data, file->len, 0), ==, file->len);
  if (vt_snapshot_load (&rig.machine, rig.fd, &error))
    g_assert_no_error (error);
  else
    {
      g_assert_nonnull (error);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
  after = rig_save (&rig);
  if (error != NULL)
    g_assert_cmpmem (before->data, before->len, after->data, after->len);
  rig_finish (&rig);
  return 0;
}
