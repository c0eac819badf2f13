/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The address spaces: priorities, splitting and widening, changes from inside a handler and under
 * concurrent readers, the listener, DMA, dirty logs.
 */
#include "memory/space.h"

typedef struct
{
  VtDevice  base;
  VtRegion *io, *mem, *wide;
  GString  *log;
  bool      move; /* The next write moves mem from inside its own handler. */
  struct
  {
    uint32_t reg[16];
  } state;
} Probe;

static uint64_t
probe_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  Probe *p = (Probe *) dev;

  g_assert_true (vt_context_held (dev->context));
  if (p->log != NULL)
    g_string_append_printf (p->log, "r%u.%u ", (unsigned) offset, size);
  return (UINT64_C (0x8877665544332211) >> (8 * (offset & 7))) & vt_ones (size);
}

static void
probe_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  Probe *p = (Probe *) dev;

  if (p->log != NULL)
    g_string_append_printf (p->log, "w%u.%u=%x ", (unsigned) offset, size, (unsigned) value);
  if (p->move)
    {
      vt_region_map (p->mem, 0x20000, 1);
      vt_region_unmap (p->wide);
    }
}

static const VtRegionOps byte_ops = { "bytes", 1, 2, probe_read, probe_write };
static const VtRegionOps dword_ops = { "dwords", 4, 4, probe_read, probe_write };

static bool
probe_realize (VtDevice *dev, GError **error)
{
  Probe *p = (Probe *) dev;

  p->io = vt_device_add_region (dev, VT_SPACE_IO, &byte_ops, 8);
  p->mem = vt_device_add_region (dev, VT_SPACE_MEMORY, &dword_ops, 64);
  p->wide = vt_device_add_region (dev, VT_SPACE_MEMORY, &byte_ops, 0x1000);
  return true;
}

static const VtDeviceClass probe_class = {
  .id = "probe", .spec = "-", .size = sizeof (Probe), .state_offset = offsetof (Probe, state),
  .state = &vt_state_none, .realize = probe_realize,
};

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtRam     *ram;
  Probe     *probe;
} World;

static void
world_init (World *w)
{
  VtDeviceEnv env;

  w->context = vt_context_new_manual ();
  w->clock = vt_clock_new_manual ();
  w->space = vt_space_new ();
  w->ram = vt_ram_new ("ram", 0x40000, NULL);
  vt_space_map_ram (w->space, w->ram, 0, 0x40000, 0, 0);
  env = (VtDeviceEnv){ w->context, w->clock, w->space };
  w->probe = (Probe *) vt_device_new (&probe_class, "probe", &env);
  g_assert_true (vt_device_realize (&w->probe->base, NULL));
  w->probe->log = g_string_new (NULL);
}

static void
world_finish (World *w)
{
  g_string_free (w->probe->log, TRUE);
  vt_device_free (&w->probe->base);
  vt_space_free (w->space);
  vt_ram_free (w->ram);
  vt_clock_free (w->clock);
  vt_context_free (w->context);
}

static uint64_t
get (World *w, VtSpaceKind kind, uint64_t at, unsigned size)
{
  uint64_t v = 0;

  vt_space_read (w->space, kind, at, &v, size);
  return v;
}

static void
put (World *w, VtSpaceKind kind, uint64_t at, unsigned size, uint64_t v)
{
  vt_space_write (w->space, kind, at, &v, size);
}

static void
test_sizes (void)
{
  World w;

  world_init (&w);
  vt_region_map (w.probe->io, 0x100, 0);
  g_assert_cmphex (get (&w, VT_SPACE_IO, 0x100, 4), ==, 0x44332211);
  g_assert_cmpstr (w.probe->log->str, ==, "r0.2 r2.2 ");
  g_string_truncate (w.probe->log, 0);
  g_assert_cmphex (get (&w, VT_SPACE_IO, 0x101, 4), ==, 0x55443322);
  g_assert_cmpstr (w.probe->log->str, ==, "r1.1 r2.2 r4.1 ");
  g_string_truncate (w.probe->log, 0);
  /* Half inside, half in a hole. */
  g_assert_cmphex (get (&w, VT_SPACE_IO, 0x106, 4), ==, 0xffff8877);
  g_assert_cmphex (get (&w, VT_SPACE_IO, 0x80, 2), ==, 0xffff);
  vt_region_map (w.probe->mem, 0x50000, 0);
  g_string_truncate (w.probe->log, 0);
  /* Narrow reads are widened; narrow writes to a dword register are dropped. */
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0x50001, 1), ==, 0x22);
  put (&w, VT_SPACE_MEMORY, 0x50001, 1, 0xff);
  put (&w, VT_SPACE_MEMORY, 0x50004, 8, UINT64_C (0x1111111122222222));
  g_assert_cmpstr (w.probe->log->str, ==, "r0.4 w4.4=22222222 w8.4=11111111 ");
  world_finish (&w);
}

static void
test_priorities (void)
{
  World w;

  world_init (&w);
  put (&w, VT_SPACE_MEMORY, 0x10ffe, 4, 0xa5a5a5a5);
  vt_region_map (w.probe->wide, 0x11000, 1);
  /* Two bytes of RAM, two of the device above it. */
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0x10ffe, 4), ==, 0x2211a5a5);
  vt_region_map (w.probe->mem, 0x11010, 1);
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0x11010, 4), ==, 0x44332211);
  g_assert_nonnull (strstr (w.probe->log->str, "r0.4"));
  vt_region_unmap (w.probe->wide);
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0x10ffe, 4), ==, 0xa5a5a5a5);
  vt_region_map (w.probe->wide, 0x11000, -1);
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0x11000, 2), ==, 0xa5a5);
  /* A base that would wrap decodes nothing. */
  vt_region_map (w.probe->wide, UINT64_MAX - 5, 1);
  g_assert_false (vt_region_mapped (w.probe->wide, NULL));
  vt_region_map (w.probe->io, 0xfffc, 1);
  g_assert_false (vt_region_mapped (w.probe->io, NULL));
  /* The last byte of the space may be decoded. */
  vt_region_map (w.probe->wide, UINT64_MAX - 0xfff, 1);
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, UINT64_MAX - 1, 2), ==, 0x8877);
  world_finish (&w);
}

static void
test_move_inside (void)
{
  World w;

  world_init (&w);
  vt_region_map (w.probe->mem, 0x50000, 1);
  vt_region_map (w.probe->wide, 0x60000, 1);
  w.probe->move = true;
  put (&w, VT_SPACE_MEMORY, 0x50000, 4, 1);
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0x50000, 4), ==, 0xffffffff);
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0x20000, 4), ==, 0x44332211);
  world_finish (&w);
}

typedef struct
{
  World *w;
  int    stop;
  guint  reads;
} Reader;

static gpointer
reader_thread (gpointer data)
{
  Reader *r = data;

  while (!g_atomic_int_get (&r->stop))
    {
      uint32_t v = 0;

      vt_space_read (r->w->space, VT_SPACE_MEMORY, 0x21000, &v, 4);
      g_assert_true (v == 0x44332211 || v == 0x12345678);
      g_atomic_int_inc (&r->reads);
    }
  return NULL;
}

/* Views are swapped under readers; ASan and TSan watch the retired ones. */
static void
test_concurrent (void)
{
  World    w;
  Reader   r = { .w = &w };
  GThread *thread;

  world_init (&w);
  g_string_free (w.probe->log, TRUE);
  w.probe->log = NULL;
  put (&w, VT_SPACE_MEMORY, 0x21000, 4, 0x12345678);
  thread = g_thread_new ("reader", reader_thread, &r);
  while (g_atomic_int_get (&r.reads) == 0)
    g_thread_yield ();
  for (unsigned i = 0; i < 20000; i++)
    {
      vt_region_map (w.probe->mem, 0x21000, 1);
      vt_region_unmap (w.probe->mem);
    }
  g_atomic_int_set (&r.stop, 1);
  g_thread_join (thread);
  w.probe->log = g_string_new (NULL);
  world_finish (&w);
}

static void
ram_add_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset, bool rom)
{
  g_string_append_printf (data, "+%x.%x@%x%s ", (unsigned) gpa, (unsigned) size, (unsigned) offset,
                          rom ? "r" : "");
}

static void
ram_remove_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset)
{
  g_string_append_printf (data, "-%x.%x@%x ", (unsigned) gpa, (unsigned) size, (unsigned) offset);
}

static void
log_changed_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset, bool rom, bool on)
{
  g_string_append_printf (data, "log%d.%x ", on, (unsigned) gpa);
}

static void
log_sync_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset)
{
  vt_ram_mark_dirty (ram, 0x5000, 1);
}

static void
kick_add_cb (void *data, VtSpaceKind kind, uint64_t at, unsigned size, int64_t match, int fd)
{
  g_string_append_printf (data, "+kick%x.%u ", (unsigned) at, size);
}

static void
kick_remove_cb (void *data, VtSpaceKind kind, uint64_t at, unsigned size, int64_t match, int fd)
{
  g_string_append_printf (data, "-kick%x ", (unsigned) at);
}

static void
kicked_cb (void *data)
{
  ++*(int *) data;
}

static void
test_listener (void)
{
  static const VtSpaceListener listener = { ram_add_cb,  ram_remove_cb, log_changed_cb,
                                            log_sync_cb, kick_add_cb,   kick_remove_cb };
  g_autoptr (GString) log = g_string_new (NULL);
  uint64_t bitmap[1];
  VtKick  *kick;
  World    w;
  int      kicks = 0;

  world_init (&w);
  vt_space_listen (w.space, &listener, log);
  g_assert_cmpstr (log->str, ==, "+0.40000@0 ");
  g_string_truncate (log, 0);
  vt_region_map (w.probe->wide, 0x10000, 1);
  g_assert_cmpstr (log->str, ==, "-0.40000@0 +0.10000@0 +11000.2f000@11000 ");
  g_string_truncate (log, 0);
  kick = vt_kick_new (w.context, kicked_cb, &kicks);
  vt_region_add_kick (w.probe->wide, 0x10, 2, -1, kick);
  g_assert_cmpstr (log->str, ==, "+kick10010.2 ");
  put (&w, VT_SPACE_MEMORY, 0x10010, 2, 7);
  vt_context_dispatch (w.context);
  g_assert_cmpint (kicks, ==, 1);
  g_string_truncate (log, 0);
  vt_ram_log_start (w.ram);
  g_assert_cmpstr (log->str, ==, "log1.0 log1.11000 ");
  put (&w, VT_SPACE_MEMORY, 0x2fff, 2, 0);
  g_assert_true (vt_ram_log_fetch (w.ram, bitmap));
  g_assert_cmphex (bitmap[0], ==, 0x2c);
  g_string_truncate (log, 0);
  vt_region_unmap (w.probe->wide);
  g_assert_nonnull (strstr (log->str, "-kick10010"));
  g_assert_nonnull (strstr (log->str, "+0.40000@0 log1.0"));
  vt_space_listen (w.space, NULL, NULL);
  vt_ram_log_stop (w.ram);
  vt_device_free (&w.probe->base);
  w.probe = NULL;
  vt_kick_free (kick);
  vt_space_free (w.space);
  vt_ram_free (w.ram);
  vt_clock_free (w.clock);
  vt_context_free (w.context);
}

static void
smm_changed_cb (void *data)
{
  g_string_append (data, "smm ");
}

/* What is mapped for system management mode is seen by nobody else; all the rest is the same for both. */
static void
test_smm (void)
{
  static const VtSpaceListener listener = { ram_add_cb,  ram_remove_cb, log_changed_cb, log_sync_cb,
                                            kick_add_cb, kick_remove_cb, smm_changed_cb };
  g_autoptr (GString) log = g_string_new (NULL);
  VtRam      *secret = vt_ram_new ("secret", 0x2000, NULL);
  VtRegion   *region, *registers;
  VtSpacePage page;
  uint8_t     bytes[4];
  World       w;

  world_init (&w);
  vt_space_listen (w.space, &listener, log);
  g_string_truncate (log, 0);
  region = vt_device_add_ram_region (&w.probe->base, secret, 0, 0x2000, VT_RAM_RW, NULL);
  vt_region_for_smm (region);
  registers = vt_device_add_region (&w.probe->base, VT_SPACE_SMM, &byte_ops, 0x1000);
  vt_region_map (region, 0x8000, 1);
  g_assert_cmpstr (log->str, ==, "smm ");
  put (&w, VT_SPACE_MEMORY, 0x8000, 4, 0x11111111);
  put (&w, VT_SPACE_SMM, 0x8000, 4, 0x22222222);
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0x8000, 4), ==, 0x11111111);
  g_assert_cmphex (get (&w, VT_SPACE_SMM, 0x8000, 4), ==, 0x22222222);
  g_assert_cmphex (vt_ld32 (vt_ram_host (secret)), ==, 0x22222222);
  g_assert_true (vt_memory_read (w.probe->base.memory, 0x8000, bytes, 4));
  g_assert_cmphex (vt_ld32 (bytes), ==, 0x11111111);
  g_assert_true (vt_space_page (w.space, VT_SPACE_SMM, 0x9000, &page) && page.ram == secret && page.offset == 0x1000);
  g_assert_true (vt_space_page (w.space, VT_SPACE_MEMORY, 0x9000, &page) && page.ram == w.ram);
  /* Beside it, and at the ports, there is no difference. */
  put (&w, VT_SPACE_SMM, 0xa000, 4, 0x33333333);
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0xa000, 4), ==, 0x33333333);
  /* Registers over RAM, in one view: the engine is told; over nothing, there is no RAM to tell of. */
  g_string_truncate (log, 0);
  vt_region_map (registers, 0x20000, 1);
  g_assert_cmpstr (log->str, ==, "smm ");
  g_assert_cmphex (get (&w, VT_SPACE_SMM, 0x20001, 1), !=, get (&w, VT_SPACE_MEMORY, 0x20001, 1));
  vt_region_unmap (registers);
  g_string_truncate (log, 0);
  vt_region_map (registers, 0x100000, 1);
  g_assert_cmpstr (log->str, ==, "");
  /* What everybody sees changes for both. */
  vt_region_map (w.probe->wide, 0x30000, 1);
  g_assert_nonnull (strstr (log->str, "smm "));
  vt_region_unmap (region);
  g_assert_cmphex (get (&w, VT_SPACE_SMM, 0x8000, 4), ==, 0x11111111);
  vt_space_listen (w.space, NULL, NULL);
  g_string_free (w.probe->log, TRUE);
  vt_device_free (&w.probe->base);
  vt_space_free (w.space);
  vt_ram_free (secret);
  vt_ram_free (w.ram);
  vt_clock_free (w.clock);
  vt_context_free (w.context);
}

static void
test_dma (void)
{
  VtMemory    *memory;
  struct iovec iov[2];
  uint8_t      bytes[16] = { 1, 2, 3 }, back[16];
  World        w;

  world_init (&w);
  memory = w.probe->base.memory;
  g_assert_true (vt_memory_write (memory, 0x3fff0, bytes, 16));
  g_assert_true (vt_memory_read (memory, 0x3fff0, back, 16));
  g_assert_cmpmem (bytes, 16, back, 16);
  /* One byte past the RAM; the result is zeroed. */
  g_assert_false (vt_memory_read (memory, 0x3fff1, back, 16));
  g_assert_cmphex (back[0], ==, 0);
  g_assert_false (vt_memory_write (memory, UINT64_MAX - 3, bytes, 16));
  /* Never another device's registers. */
  vt_region_map (w.probe->wide, 0x8000, 1);
  g_assert_false (vt_memory_read (memory, 0x8000, back, 4));
  g_assert_cmpuint (vt_memory_map (memory, 0x7ff8, 16, true, iov, 2), ==, 0);
  g_assert_cmpuint (vt_memory_map (memory, 0x7ff8, 8, true, iov, 2), ==, 1);
  g_assert_true (iov[0].iov_base == vt_ram_host (w.ram) + 0x7ff8);
  vt_memory_unmap (memory, 0x7ff8, 8, true);
  vt_memory_set_gate (memory, false);
  g_assert_false (vt_memory_read (memory, 0, back, 4));
  vt_memory_set_gate (memory, true);
  g_assert_true (vt_memory_read (memory, 0, back, 4));
  g_assert_false (vt_memory_read (NULL, 0, back, 4));
  world_finish (&w);
}

static void
test_rom (void)
{
  VtRegion *rom;
  World     w;
  VtRam    *flash = vt_ram_new ("flash", 0x1000, NULL);

  world_init (&w);
  vt_ram_host (flash)[1] = 0x77;
  rom = vt_device_add_ram_region (&w.probe->base, flash, 0, 0x1000, VT_RAM_ROM, &byte_ops);
  vt_region_map (rom, 0x9000, 2);
  put (&w, VT_SPACE_MEMORY, 0x9001, 1, 0x11);
  g_assert_cmphex (get (&w, VT_SPACE_MEMORY, 0x9001, 1), ==, 0x77);
  g_assert_cmpstr (w.probe->log->str, ==, "w1.1=11 ");
  g_assert_false (vt_memory_write (w.probe->base.memory, 0x9001, "x", 1));
  g_string_free (w.probe->log, TRUE);
  vt_device_free (&w.probe->base);
  vt_space_free (w.space);
  vt_ram_free (flash);
  vt_ram_free (w.ram);
  vt_clock_free (w.clock);
  vt_context_free (w.context);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/memory/sizes", test_sizes);
  g_test_add_func ("/memory/priorities", test_priorities);
  g_test_add_func ("/memory/move-inside", test_move_inside);
  g_test_add_func ("/memory/concurrent", test_concurrent);
  g_test_add_func ("/memory/listener", test_listener);
  g_test_add_func ("/memory/smm", test_smm);
  g_test_add_func ("/memory/dma", test_dma);
  g_test_add_func ("/memory/rom", test_rom);
  return g_test_run ();
}
