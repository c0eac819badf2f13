/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * KVM's interrupt controllers and ours are the same to a guest: what one has saved loads into the other
 * and reads back the same registers. The guest in KVM runs a script of accesses that is also run on our
 * devices. Where this host has no usable KVM there is nothing to compare, and the test says so.
 */
#include "chips.h"
#include "cpu/kvm/kvm.h"
#include "rig/guest-code.h"


#define PATIENCE (60 * G_TIME_SPAN_SECOND)
#define SCRIPT 0x9000u
#define ANSWERS 0xc000u
#define MOST 1000u

enum
{
  OUT,
  IN,
  WRITE,
  READ,
  WRMSR,
  RDMSR,
  END,
};

typedef struct
{
  uint32_t op, address, value;
} Access;

GUEST_FLAT (script, "movl $0x9000, %esi\n movl $0xc000, %edi\n"
            "1: movl (%esi), %ebx\n movl 4(%esi), %edx\n movl 8(%esi), %eax\n addl $12, %esi\n"
            "cmpl $0, %ebx\n je 10f\n cmpl $1, %ebx\n je 11f\n cmpl $2, %ebx\n je 12f\n"
            "cmpl $3, %ebx\n je 13f\n cmpl $4, %ebx\n je 14f\n cmpl $5, %ebx\n je 15f\n" PUT ("!")
            "5: hlt\n jmp 5b\n"
            "10: outb %al, %dx\n jmp 1b\n"
            "11: xorl %eax, %eax\n inb %dx, %al\n stosl\n jmp 1b\n"
            "12: movl %eax, (%edx)\n jmp 1b\n"
            "13: movl (%edx), %eax\n stosl\n jmp 1b\n"
            "14: movl %edx, %ecx\n xorl %edx, %edx\n wrmsr\n jmp 1b\n"
            "15: movl %edx, %ecx\n rdmsr\n stosl\n jmp 1b\n");

/* KVM ------------------------------------------------------------------------------------------- */

typedef struct
{
  VtDevice base;
  GMutex   lock;
  GCond    changed;
  unsigned n;
} Bell;

static void
bell_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  Bell *bell = (Bell *) dev;

  g_mutex_lock (&bell->lock);
  bell->n++;
  g_cond_broadcast (&bell->changed);
  g_mutex_unlock (&bell->lock);
}

static bool
bell_realize (VtDevice *dev, GError **error)
{
  static const VtRegionOps ops = { "bell", 1, 1, NULL, bell_write };

  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &ops, 1), 0x402, 0);
  return true;
}

static const VtDeviceClass bell_class = {
  .id = "bell", .spec = "none: a test's own", .size = sizeof (Bell), .state = &vt_state_none,
  .realize = bell_realize,
};

typedef struct
{
  VtContext   *context;
  VtSpace     *space;
  VtRam       *ram, *rom;
  Bell        *bell;
  VtCpuEngine *engine;
} Kvm;

static void
ended_cb (void *data, const VtCpuEnd *end)
{
  g_error ("the guest ended: %s\n%s", end->status, end->detail);
}

static void
kvm_finish (Kvm *k)
{
  if (k->engine)
    vt_cpu_engine_stop (k->engine);
  vt_device_free (&k->bell->base);
  vt_cpu_engine_free (k->engine);
  vt_context_free (k->context);
  vt_space_free (k->space);
  vt_ram_free (k->ram);
  vt_ram_free (k->rom);
}

static bool
kvm_init (Kvm *k)
{
  static const uint8_t jump[] = { 0xea, GUEST_BASE & 0xff, GUEST_BASE >> 8, 0, 0 };
  g_autoptr (GError)   error = NULL;

  memset (k, 0, sizeof *k);
  k->context = vt_context_new ("kvm");
  k->space = vt_space_new ();
  k->ram = vt_ram_new ("ram", VT_MIB, NULL);
  k->rom = vt_ram_new ("rom", 4096, NULL);
  vt_space_map_ram (k->space, k->ram, 0, VT_MIB, 0, 0);
  vt_space_map_ram (k->space, k->rom, 0, 4096, 0xfffff000, 0);
  memcpy (vt_ram_host (k->rom) + 0xff0, jump, sizeof jump);
  memcpy (vt_ram_host (k->ram) + GUEST_BASE, guest_script, (size_t) (guest_script_end - guest_script));

  const VtDeviceEnv env = { k->context, vt_clock_host (), k->space };
  k->bell = (Bell *) vt_device_new (&bell_class, "bell", &env);
  g_assert_true (vt_device_realize (&k->bell->base, NULL));
  const VtCpuEngineConfig config = { k->space, 1, ended_cb, k };
  k->engine = vt_cpu_engine_new ("kvm", &config, &error);
  if (k->engine)
    return true;
  g_test_skip (error->message);
  kvm_finish (k);
  return false;
}

/* Runs @script from the guest's reset vector on, and waits. */
static const uint32_t *
kvm_run (Kvm *k, const Access *script, unsigned n)
{
  uint8_t     *mem = vt_ram_host (k->ram);
  const Access stop = { END, 0, 0 };
  const gint64 until = g_get_monotonic_time () + PATIENCE;
  unsigned     before = k->bell->n;

  g_assert_cmpuint (n, <, MOST);
  memcpy (mem + SCRIPT, script, n * sizeof *script);
  memcpy (mem + SCRIPT + n * sizeof *script, &stop, sizeof stop);
  vt_cpus_run (k->engine);
  g_mutex_lock (&k->bell->lock);
  while (k->bell->n == before)
    if (!g_cond_wait_until (&k->bell->changed, &k->bell->lock, until))
      g_error ("the guest does not come to the end of its script");
  g_mutex_unlock (&k->bell->lock);
  vt_cpus_hold (k->engine);
  g_assert_true (vt_cpus_wait (k->engine, 10 * VT_NS_PER_SEC, NULL));
  return (const uint32_t *) (const void *) (mem + ANSWERS);
}

/* Ours ------------------------------------------------------------------------------------------ */

typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space;
  VtPcChips *chips;
} Ours;

static void *
ours_add (Ours *o, const VtDeviceClass *klass)
{
  const VtDeviceEnv env = { o->context, o->clock, o->space };

  return vt_device_new (klass, klass->id, &env);
}

static void
ours_init (Ours *o)
{
  VtLapic *lapic;

  o->context = vt_context_new_manual ();
  o->clock = vt_clock_new_manual ();
  o->space = vt_space_new ();
  o->chips = vt_pc_chips_new ();
  lapic = ours_add (o, &vt_lapic_class);
  lapic->bus = o->chips->bus;
  g_assert_true (vt_device_realize (&lapic->dev, NULL));
  o->chips->pic = ours_add (o, &vt_i8259_class);
  o->chips->ioapic = ours_add (o, &vt_ioapic_class);
  o->chips->pit = ours_add (o, &vt_i8254_class);
  vt_pc_chips_wire (o->chips);
  g_assert_true (vt_device_realize (&o->chips->pic->dev, NULL));
  g_assert_true (vt_device_realize (&o->chips->ioapic->dev, NULL));
  g_assert_true (vt_device_realize (&o->chips->pit->dev, NULL));
}

static VtLapic *
ours_lapic (Ours *o)
{
  return o->chips->bus->lapics[0];
}

static void
ours_resume (Ours *o)
{
  vt_device_resume (&ours_lapic (o)->dev);
  vt_device_resume (&o->chips->pic->dev);
  vt_device_resume (&o->chips->ioapic->dev);
  vt_device_resume (&o->chips->pit->dev);
}

static void
ours_finish (Ours *o)
{
  vt_device_free (&o->chips->pit->dev);
  vt_device_free (&o->chips->ioapic->dev);
  vt_device_free (&o->chips->pic->dev);
  vt_device_free (&ours_lapic (o)->dev);
  vt_pc_chips_free (o->chips);
  vt_space_free (o->space);
  vt_clock_free (o->clock);
  vt_context_free (o->context);
}

/* The device that has the state of @part. */
static VtDevice *
ours_device (Ours *o, const VtCpuPart *part)
{
  VtDevice *const all[] = { &o->chips->pic->dev, &o->chips->ioapic->dev, &o->chips->pit->dev };

  for (unsigned i = 0; i < G_N_ELEMENTS (all); i++)
    if (g_str_equal (all[i]->klass->id, part->klass))
      {
        g_assert_true (all[i]->klass->state == part->desc);
        return all[i];
      }
  return NULL;
}

/* The script as a vCPU's engine would do it. */
static unsigned
ours_run (Ours *o, const Access *script, unsigned n, uint32_t *answers)
{
  VtLapic *lapic = ours_lapic (o);
  unsigned n_answers = 0;
  uint64_t v;

  for (unsigned i = 0; i < n; i++)
    {
      const Access *a = &script[i];
      uint8_t       bytes[4] = { 0 };
      const bool    local = (a->address & 0xfffff000) == 0xfee00000;

      vt_st32 (bytes, a->value);
      switch (a->op)
        {
        case OUT:
          vt_space_write (o->space, VT_SPACE_IO, a->address, bytes, 1);
          break;
        case WRITE:
          if (local)
            vt_lapic_write (lapic, a->address & 0xfff, 4, a->value);
          else
            vt_space_write (o->space, VT_SPACE_MEMORY, a->address, bytes, 4);
          break;
        case WRMSR:
          g_assert_true (vt_lapic_write_msr (lapic, a->address, a->value));
          break;
        case IN:
          bytes[0] = bytes[1] = bytes[2] = bytes[3] = 0;
          vt_space_read (o->space, VT_SPACE_IO, a->address, bytes, 1);
          answers[n_answers++] = vt_ld32 (bytes);
          break;
        case READ:
          if (local)
            vt_st32 (bytes, vt_lapic_read (lapic, a->address & 0xfff, 4));
          else
            vt_space_read (o->space, VT_SPACE_MEMORY, a->address, bytes, 4);
          answers[n_answers++] = vt_ld32 (bytes);
          break;
        case RDMSR:
          g_assert_true (vt_lapic_read_msr (lapic, a->address, &v));
          answers[n_answers++] = (uint32_t) v;
          break;
        default:
          break;
        }
    }
  return n_answers;
}

/* Between them ----------------------------------------------------------------------------------- */

static void
kvm_to_ours (Kvm *k, Ours *o)
{
  g_autofree VtCpuState *cpu = g_new0 (VtCpuState, 1);
  g_autoptr (GError)     error = NULL;

  for (unsigned i = 0; i < k->engine->ops->n_parts; i++)
    {
      const VtCpuPart       *part = &k->engine->ops->parts[i];
      VtDevice              *dev = ours_device (o, part);
      g_autofree void       *state = g_malloc0 (part->desc->size);
      g_autoptr (GByteArray) bytes = g_byte_array_new ();

      if (!dev)
        continue;
      g_assert_true (part->get (k->engine, state, &error));
      vt_state_save (part->desc, state, bytes);
      vt_device_load (dev, part->desc->version, bytes->data, bytes->len, &error);
      g_assert_no_error (error);
      vt_device_commit (dev);
    }
  g_assert_true (k->engine->ops->get (k->engine->cpus[0], cpu, &error));
  g_assert_true (vt_lapic_set (ours_lapic (o), cpu->lapic, cpu->apic_base, 0, &error));
}

static void
ours_to_kvm (Ours *o, Kvm *k)
{
  g_autofree VtCpuState *cpu = g_new0 (VtCpuState, 1);
  g_autoptr (GError)     error = NULL;
  uint64_t               deadline;

  g_assert_true (vt_cpus_reset (k->engine, &error));
  for (unsigned i = 0; i < k->engine->ops->n_parts; i++)
    {
      const VtCpuPart *part = &k->engine->ops->parts[i];
      VtDevice        *dev = ours_device (o, part);

      if (dev)
        part->set (k->engine, dev->state, &error);
      g_assert_no_error (error);
    }
  g_assert_true (k->engine->ops->get (k->engine->cpus[0], cpu, &error));
  vt_lapic_get (ours_lapic (o), cpu->lapic, &cpu->apic_base, &deadline);
  k->engine->ops->set (k->engine->cpus[0], cpu, &error);
  g_assert_no_error (error);
}

#define IOAPIC(index, value) { WRITE, 0xfec00000, index }, { WRITE, 0xfec00010, value }
#define LAPIC(reg, value) { WRITE, 0xfee00000 + (reg), value }

/* Everything is programmed to something of its own; what would interrupt is masked, or waits, since the
 * guest never enables interrupts. */
static const Access program[] = {
  { OUT, 0x20, 0x11 }, { OUT, 0x21, 0x30 }, { OUT, 0x21, 4 }, { OUT, 0x21, 0x11 },
  { OUT, 0xa0, 0x11 }, { OUT, 0xa1, 0x38 }, { OUT, 0xa1, 2 }, { OUT, 0xa1, 0x01 },
  { OUT, 0x21, 0x5b }, { OUT, 0xa1, 0xc3 }, { OUT, 0x4d0, 0x20 }, { OUT, 0x4d1, 0x0c },
  { OUT, 0x20, 0xc3 }, { OUT, 0xa0, 0x0b }, { OUT, 0xa0, 0x68 },
  { OUT, 0x43, 0x34 }, { OUT, 0x40, 0x21 }, { OUT, 0x40, 0x43 }, { OUT, 0x43, 0x96 }, { OUT, 0x42, 0x55 },
  { OUT, 0x61, 0x03 },
  IOAPIC (0, 0x05000000), IOAPIC (0x13, 0x01000000), IOAPIC (0x12, 0x10931), IOAPIC (0x21, 0xff000000),
  IOAPIC (0x20, 0x1a971), IOAPIC (0x3e, 0x18400), IOAPIC (0x15, 0x03000000),
  LAPIC (0xf0, 0x1ff), LAPIC (0xd0, 0x05000000), LAPIC (0xe0, 0x0fffffff), LAPIC (0x80, 0x2b),
  LAPIC (0x330, 0x10033), LAPIC (0x340, 0x400), LAPIC (0x350, 0x10700), LAPIC (0x360, 0x18455),
  LAPIC (0x370, 0xfe), LAPIC (0x3e0, 0xa), LAPIC (0x320, 0x300a1), LAPIC (0x310, 0x07000000),
  LAPIC (0x300, 0x44061), LAPIC (0x300, 0x440b2),
};

#define PAGE_READS                                                                                 \
  { READ, 0xfee00020, 0 }, { READ, 0xfee00030, 0 }, { READ, 0xfee00080, 0 }, { READ, 0xfee000a0, 0 }, \
  { READ, 0xfee000d0, 0 }, { READ, 0xfee000e0, 0 }, { READ, 0xfee000f0, 0 }, { READ, 0xfee00120, 0 }, \
  { READ, 0xfee001b0, 0 }, { READ, 0xfee00230, 0 }, { READ, 0xfee00250, 0 }, { READ, 0xfee00280, 0 }, \
  { READ, 0xfee00300, 0 }, { READ, 0xfee00310, 0 }, { READ, 0xfee00320, 0 }, { READ, 0xfee00330, 0 }, \
  { READ, 0xfee00340, 0 }, { READ, 0xfee00350, 0 }, { READ, 0xfee00360, 0 }, { READ, 0xfee00370, 0 }, \
  { READ, 0xfee00380, 0 }, { READ, 0xfee00390, 0 }, { READ, 0xfee003e0, 0 }

static const Access page_reads[] = { PAGE_READS };

/* All that can be read but counts that run; @programmed: the interval timer's channels 0 and 2, of which
 * nothing is defined before. */
static unsigned
make_reads (Access *reads, bool programmed)
{
  unsigned n = 0;

  for (unsigned chip = 0; chip < 2; chip++)
    {
      const uint32_t port = chip ? 0xa0 : 0x20;
      /* The timer, once programmed, ticks within 15 ms. */
      const uint32_t ticks = programmed && chip == 0;

      reads[n++] = (Access){ IN, port, ticks };
      reads[n++] = (Access){ OUT, port, 0x0a };
      reads[n++] = (Access){ IN, port, ticks };
      reads[n++] = (Access){ OUT, port, 0x0b };
      reads[n++] = (Access){ IN, port, 0 };
      reads[n++] = (Access){ IN, port + 1, 0 };
      reads[n++] = (Access){ IN, 0x4d0 + chip, 0 };
    }
  for (unsigned channel = 0; programmed && channel < 3; channel += 2)
    {
      /* Only mode and access: the output turns. */
      reads[n++] = (Access){ OUT, 0x43, 0xe0 | 2u << channel };
      reads[n++] = (Access){ IN, 0x40 + channel, 0x80 };
    }
  reads[n++] = (Access){ IN, 0x61, 0x30 };
  for (unsigned index = 0; index < 0x42; index++)
    {
      reads[n++] = (Access){ WRITE, 0xfec00000, index };
      reads[n++] = (Access){ READ, 0xfec00010, 0 };
    }
  memcpy (reads + n, page_reads, sizeof page_reads);
  return n + G_N_ELEMENTS (page_reads);
}

/* A read's value: bits that may differ. */
static void
compare (const Access *reads, unsigned n, const uint32_t *kvm, const uint32_t *ours)
{
  unsigned at = 0, register_of = 0;

  for (unsigned i = 0; i < n; i++)
    {
      const Access *a = &reads[i];

      if (a->op == WRITE && a->address == 0xfec00000)
        register_of = a->value;
      if (a->op != IN && a->op != READ && a->op != RDMSR)
        continue;
      if ((kvm[at] & ~a->value) != (ours[at] & ~a->value))
        {
          g_test_message ("access %u: %s 0x%x (I/O APIC register 0x%x): KVM 0x%x, ours 0x%x", i,
                          a->op == IN ? "port" : a->op == READ ? "memory" : "MSR", a->address,
                          register_of, kvm[at], ours[at]);
          g_test_fail ();
        }
      at++;
    }
  g_assert_cmpuint (at, >, 5);
}

static void
test_power_on (void)
{
  Kvm                    k;
  Ours                   o;
  g_autofree VtCpuState *cpu = g_new0 (VtCpuState, 1);
  g_autofree Access     *reads = g_new0 (Access, MOST);
  uint32_t               ours[MOST];

  if (!kvm_init (&k))
    return;
  ours_init (&o);
  ours_resume (&o);
  for (unsigned i = 0; i < k.engine->ops->n_parts; i++)
    {
      const VtCpuPart       *part = &k.engine->ops->parts[i];
      VtDevice              *dev = ours_device (&o, part);
      g_autofree void       *state = g_malloc0 (part->desc->size);
      g_autoptr (GByteArray) a = g_byte_array_new (), b = g_byte_array_new ();

      if (!dev)
        continue;
      g_assert_true (part->get (k.engine, state, NULL));
      vt_state_save (part->desc, state, a);
      vt_device_save (dev, b);
      g_test_message ("%s", part->klass);
      g_assert_cmpmem (a->data, a->len, b->data, b->len);
    }
  g_assert_true (k.engine->ops->get (k.engine->cpus[0], cpu, NULL));
  g_assert_cmphex (cpu->apic_base, ==, ours_lapic (&o)->s.base);
  for (unsigned reg = 0; reg < VT_LAPIC_PAGE; reg += 16)
    if (vt_ld32 (cpu->lapic + reg) != ours_lapic (&o)->s.reg[reg / 4])
      {
        g_test_message ("register 0x%x: KVM 0x%x, ours 0x%x", reg, vt_ld32 (cpu->lapic + reg),
                        ours_lapic (&o)->s.reg[reg / 4]);
        g_test_fail ();
      }
  unsigned n = make_reads (reads, false);
  ours_run (&o, reads, n, ours);
  compare (reads, n, kvm_run (&k, reads, n), ours);
  ours_finish (&o);
  kvm_finish (&k);
}

/* The same program leaves the same registers. */
static void
test_same (void)
{
  Kvm                k;
  Ours               o;
  g_autofree Access *script = g_new0 (Access, MOST);
  unsigned           n = G_N_ELEMENTS (program);
  uint32_t           ours[MOST];

  if (!kvm_init (&k))
    return;
  ours_init (&o);
  ours_resume (&o);
  memcpy (script, program, sizeof program);
  n += make_reads (script + n, true);
  ours_run (&o, script, n, ours);
  compare (script, n, kvm_run (&k, script, n), ours);
  ours_finish (&o);
  kvm_finish (&k);
}

static void
test_from_kvm (void)
{
  Kvm                k;
  Ours               o;
  g_autofree Access *script = g_new0 (Access, MOST);
  const unsigned     n_program = G_N_ELEMENTS (program);
  unsigned           n = n_program;
  uint32_t           ours[MOST];

  if (!kvm_init (&k))
    return;
  ours_init (&o);
  memcpy (script, program, sizeof program);
  n += make_reads (script + n, true);
  const uint32_t *kvm = kvm_run (&k, script, n);
  kvm_to_ours (&k, &o);
  ours_resume (&o);
  ours_run (&o, script + n_program, n - n_program, ours);
  compare (script + n_program, n - n_program, kvm, ours);
  /* And what waited is there. */
  g_assert_cmpint (vt_lapic_acknowledge (ours_lapic (&o)), ==, 0xb2);
  g_assert_cmpint (vt_lapic_acknowledge (ours_lapic (&o)), ==, -1);
  vt_lapic_write (ours_lapic (&o), VT_LAPIC_EOI, 4, 0);
  g_assert_cmpint (vt_lapic_acknowledge (ours_lapic (&o)), ==, 0x61);
  ours_finish (&o);
  kvm_finish (&k);
}

static void
test_to_kvm (void)
{
  Kvm                k;
  Ours               o;
  g_autofree Access *reads = g_new0 (Access, MOST);
  unsigned           n = make_reads (reads, true);
  uint32_t           ours[MOST];

  if (!kvm_init (&k))
    return;
  ours_init (&o);
  ours_resume (&o);
  ours_run (&o, program, G_N_ELEMENTS (program), ours);
  ours_to_kvm (&o, &k);
  ours_run (&o, reads, n, ours);
  compare (reads, n, kvm_run (&k, reads, n), ours);
  ours_finish (&o);
  kvm_finish (&k);
}

/* x2APIC mode, whose saved page is laid out otherwise. */
static const Access to_x2apic[] = {
  LAPIC (0xf0, 0x1ff), { WRMSR, 0x1b, 0xfee00d00 }, { WRMSR, 0x808, 0x20 }, { WRMSR, 0x832, 0x100a1 },
  { WRMSR, 0x83e, 0xb }, { WRMSR, 0x83f, 0x61 }, { WRMSR, 0x830, 0x440b2 },
};
static const Access x2apic_reads[] = {
  { RDMSR, 0x802, 0 }, { RDMSR, 0x803, 0 }, { RDMSR, 0x808, 0 }, { RDMSR, 0x80a, 0 }, { RDMSR, 0x80d, 0 },
  { RDMSR, 0x80f, 0 }, { RDMSR, 0x823, 0 }, { RDMSR, 0x825, 0 }, { RDMSR, 0x830, 0 }, { RDMSR, 0x832, 0 },
  { RDMSR, 0x835, 0 }, { RDMSR, 0x83e, 0 }, { RDMSR, 0x838, 0 },
};

static void
test_x2apic (void)
{
  Kvm                k;
  Ours               o, there;
  g_autofree Access *script = g_new0 (Access, MOST);
  const unsigned     n_program = G_N_ELEMENTS (to_x2apic), n_reads = G_N_ELEMENTS (x2apic_reads);
  uint32_t           ours[MOST];

  if (!kvm_init (&k))
    return;
  memcpy (script, to_x2apic, sizeof to_x2apic);
  memcpy (script + n_program, x2apic_reads, sizeof x2apic_reads);
  ours_init (&o);
  ours_resume (&o);
  ours_run (&o, script, n_program + n_reads, ours);
  compare (script, n_program + n_reads, kvm_run (&k, script, n_program + n_reads), ours);
  ours_init (&there);
  kvm_to_ours (&k, &there);
  ours_resume (&there);
  ours_run (&there, x2apic_reads, n_reads, ours);
  compare (x2apic_reads, n_reads, (const uint32_t *) (const void *) (vt_ram_host (k.ram) + ANSWERS), ours);
  ours_to_kvm (&o, &k);
  ours_run (&o, x2apic_reads, n_reads, ours);
  compare (x2apic_reads, n_reads, kvm_run (&k, x2apic_reads, n_reads), ours);
  ours_finish (&there);
  ours_finish (&o);
  kvm_finish (&k);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/chips-kvm/power-on", test_power_on);
  g_test_add_func ("/chips-kvm/same", test_same);
  g_test_add_func ("/chips-kvm/from-kvm", test_from_kvm);
  g_test_add_func ("/chips-kvm/to-kvm", test_to_kvm);
  g_test_add_func ("/chips-kvm/x2apic", test_x2apic);
  return g_test_run ();
}
