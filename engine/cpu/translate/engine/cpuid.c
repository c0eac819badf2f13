/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What CPUID answers: the host's processor, less what the software one does not do (a bit that is not
 * listed here is not offered), with the machine's own topology (one socket, one thread per core), local
 * APIC and time stamp counter. Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E.
 */
#include "engine.h"

#include <cpuid.h>

#include "../host/unit.h"

#define HYPERVISOR 0x40000000u
#define HYPERVISOR_LAST 0x40000010u
#define SIGNATURE "VitrineVMM\0\0"

#define BUS_KHZ 1000000u /* Of the local APIC's timer. */

/* EDK II makes page tables for every physical address that there can be, and of 2 MiB pages: for 48 bits, 1 GiB
 * of tables, so that a machine with less memory does not start. */
#define PHYSICAL_BITS 40u
#define RAM_HOLE (4 * VT_GIB) /* RAM that is not below 4 GiB begins there. */

#define B(n) (1u << (n))

/* Offered where the host has it. Leaf 1: FPU, DE, PSE, TSC, MSR, PAE, MCE, CX8, APIC, SEP, MTRR, PGE, MCA,
 * CMOV, PAT, PSE36, CLFSH, MMX, FXSR, SSE, SSE2; not VME, whose virtual interrupts are not modelled. */
#define ONE_EDX                                                                                    \
  (B (0) | B (2) | B (3) | B (4) | B (5) | B (6) | B (7) | B (8) | B (9) | B (11) | B (12) | B (13)   \
   | B (14) | B (15) | B (16) | B (17) | B (19) | B (23) | B (24) | B (25) | B (26))
/* SSE3, PCLMULQDQ, SSSE3, FMA, CX16, PCID, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE, AVX, F16C, RDRAND. */
#define ONE_ECX                                                                                    \
  (B (0) | B (1) | B (9) | B (12) | B (13) | B (17) | B (19) | B (20) | B (22) | B (23) | B (25)      \
   | B (26) | B (28) | B (29) | B (30))
/* x2APIC, TSC deadline, and that there is a hypervisor: whatever the host has. */
#define ONE_ECX_OURS (B (21) | B (24) | B (31))
/* Leaf 7: FSGSBASE, BMI1, SMEP, BMI2, ERMS, INVPCID, RDSEED, ADX, SMAP, CLFLUSHOPT, CLWB, SHA, and that
 * FDP is for exceptions only, and no FCS. */
#define SEVEN_EBX                                                                                  \
  (B (0) | B (3) | B (6) | B (7) | B (8) | B (9) | B (10) | B (13) | B (18) | B (19) | B (20) | B (23) \
   | B (24) | B (29))
#define SEVEN_EBX_AVX2 B (5)
/* AVX512F, DQ, IFMA, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; BF16. Not FP16 and VP2INTERSECT. */
#define SEVEN_EBX_AVX512 (B (16) | B (17) | B (21) | B (28) | B (30) | B (31))
#define SEVEN_ECX_AVX512 (B (1) | B (6) | B (11) | B (12) | B (14))
#define SEVEN_1_EAX_AVX512 B (5)
/* UMIP, PKU, GFNI, VAES, VPCLMULQDQ, LA57, RDPID. */
#define SEVEN_ECX (B (2) | B (3) | B (8) | B (9) | B (10) | B (16) | B (22))
#define SEVEN_EDX B (4) /* FSRM */
/* Leaf 0x80000001: LAHF, ABM, SSE4A, prefetches. */
#define WIDE_ECX (B (0) | B (5) | B (6) | B (8))
/* AMD repeats leaf 1 here; SYSCALL, NX, MMX extensions, 1 GiB pages, RDTSCP, long mode. */
#define WIDE_EDX_COPY                                                                              \
  (B (0) | B (2) | B (3) | B (4) | B (5) | B (6) | B (7) | B (8) | B (9) | B (12) | B (13) | B (14)   \
   | B (15) | B (16) | B (17) | B (23) | B (24))
#define WIDE_EDX (B (11) | B (20) | B (22) | B (26) | B (27) | B (29))

static unsigned
bits_for (unsigned n)
{
  unsigned bits = 0;
  while ((1u << bits) < n)
    bits++;
  return bits;
}

static void
host_cpuid (uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
  __cpuid_count (leaf, subleaf, out[0], out[1], out[2], out[3]);
}

static VtSoftLeaf *
find (const VtSoft *engine, uint32_t leaf, uint32_t subleaf)
{
  for (unsigned i = 0; i < engine->leaves->len; i++)
    {
      VtSoftLeaf *l = &g_array_index (engine->leaves, VtSoftLeaf, i);
      if (l->leaf == leaf && l->subleaf == subleaf)
        return l;
    }
  return NULL;
}

static void
add (VtSoft *engine, uint32_t leaf, uint32_t subleaf, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
  const VtSoftLeaf l = { leaf, subleaf, { a, b, c, d } };
  g_array_append_val (engine->leaves, l);
}

/* Features ----------------------------------------------------------------------------------------- */

static void
add_features (VtSoft *engine)
{
  const bool avx = (engine->xcr0 & VT_FEATURE_AVX) != 0;
  const bool avx512 = (engine->xcr0 & VT_FEATURES_AVX512) != 0;
  uint32_t   o[4];

  host_cpuid (1, 0, o);
  engine->signature = o[0];
  /* One family, model and stepping; the line of CLFLUSH; ids and counts are added for each vCPU. */
  add (engine, 1, 0, o[0], o[1] & 0xff00,
       (o[2] & ONE_ECX & ~(avx ? 0 : B (12) | B (28) | B (29))) | ONE_ECX_OURS,
       (o[3] & ONE_EDX) | (engine->base.config.n_cpus > 1 ? B (28) : 0));

  host_cpuid (7, 0, o);
  if (!(engine->xcr0 & VT_FEATURE_PKRU))
    o[2] &= ~B (3);
  if (!avx)
    o[2] &= ~(B (9) | B (10));
  uint32_t one[4] = { 0 };
  if (o[0] >= 1)
    host_cpuid (7, 1, one);
  add (engine, 7, 0, avx512 ? 1 : 0,
       o[1] & (SEVEN_EBX | (avx ? SEVEN_EBX_AVX2 : 0) | (avx512 ? SEVEN_EBX_AVX512 : 0)),
       o[2] & (SEVEN_ECX | (avx512 ? SEVEN_ECX_AVX512 : 0)), o[3] & SEVEN_EDX);
  if (avx512)
    add (engine, 7, 1, one[0] & SEVEN_1_EAX_AVX512, 0, 0, 0);

  host_cpuid (0x80000001, 0, o);
  add (engine, 0x80000001, 0, o[0], engine->is_amd ? o[1] : 0,
       (o[2] & WIDE_ECX) | (engine->is_amd && engine->base.config.n_cpus > 1 ? B (1) : 0),
       o[3] & (WIDE_EDX | (engine->is_amd ? WIDE_EDX_COPY : 0)));
}

/* Leaf 0xd: sizes as the host's, for no more than the units have. */
static void
add_xsave (VtSoft *engine)
{
  uint32_t o[4], size = VT_XSAVE_EXTENDED;

  host_cpuid (0xd, 1, o);
  /* XSAVEOPT, XSAVEC, XGETBV with ECX 1, XSAVES. */
  const uint32_t variants = o[0] & 15;
  for (unsigned i = 2; i < 32; i++)
    if (engine->xcr0 >> i & 1)
      {
        host_cpuid (0xd, i, o);
        add (engine, 0xd, i, o[0], o[1], o[2] & 2, 0);
        size = MAX (size, o[0] + o[1]);
      }
  add (engine, 0xd, 0, (uint32_t) engine->xcr0, 0, size, (uint32_t) (engine->xcr0 >> 32));
  add (engine, 0xd, 1, variants, 0, 0, 0);
}

/* Topology and caches -------------------------------------------------------------------------------- */

/* Leaves 4 and 0x8000001d: those of the third level are shared by all, those below belong to one core. */
static void
add_caches (VtSoft *engine, uint32_t leaf)
{
  const unsigned n = engine->base.config.n_cpus;
  uint32_t       o[4];

  for (uint32_t i = 0; i < 8; i++)
    {
      host_cpuid (leaf, i, o);
      if (!(o[0] & 0x1f))
        break;
      const bool     shared = (o[0] >> 5 & 7) >= 3;
      const uint32_t rounded = MIN ((1u << bits_for (n)) - 1, 63u);
      if (leaf == 4)
        o[0] = (o[0] & 0x3fff) | rounded << 26 | (shared ? rounded : 0) << 14;
      else
        o[0] = (o[0] & 0x3fff) | (shared ? n - 1 : 0) << 14;
      add (engine, leaf, i, o[0], o[1], o[2], o[3]);
    }
}

static void
add_host (VtSoft *engine, uint32_t leaf)
{
  uint32_t o[4];
  host_cpuid (leaf, 0, o);
  add (engine, leaf, 0, o[0], o[1], o[2], o[3]);
}

static void
add_basic (VtSoft *engine)
{
  const unsigned n = engine->base.config.n_cpus;
  uint32_t       zero[4];

  host_cpuid (0, 0, zero);
  const uint32_t most = CLAMP (zero[0], 0xd, 0x16);
  add (engine, 0, 0, most, zero[1], zero[2], zero[3]);
  if (!engine->is_amd)
    {
      add_host (engine, 2);
      add_caches (engine, 4);
    }
  add (engine, 6, 0, B (2), 0, 0, 0); /* The local APIC's timer never stops. */
  /* 0xb: a level of threads (one per core), a level of cores; each vCPU adds its id. */
  add (engine, 0xb, 0, 0, 1, 1u << 8, 0);
  add (engine, 0xb, 1, bits_for (n), n, 2u << 8 | 1, 0);
  add (engine, 0xb, 2, 0, 0, 2, 0);
  if (most >= 0x15)
    add (engine, 0x15, 0, BUS_KHZ, (uint32_t) engine->tsc_khz, BUS_KHZ * 1000, 0);
  if (most >= 0x16)
    add (engine, 0x16, 0, (uint32_t) (engine->tsc_khz / 1000), (uint32_t) (engine->tsc_khz / 1000),
         100, 0);
}

static void
add_extended (VtSoft *engine)
{
  const unsigned n = engine->base.config.n_cpus;
  uint32_t       o[4];

  host_cpuid (0x80000000, 0, o);
  const uint32_t most = MIN (o[0], engine->is_amd ? 0x80000021u : 0x80000008u);
  add (engine, 0x80000000, 0, most, o[1], o[2], o[3]);
  for (uint32_t leaf = 0x80000002; leaf <= 0x80000006; leaf++)
    add_host (engine, leaf);
  add (engine, 0x80000007, 0, 0, 0, 0, B (8)); /* The TSC is invariant. */
  host_cpuid (0x80000008, 0, o);
  const uint32_t wanted = MAX (g_bit_storage (RAM_HOLE + engine->base.config.memory - 1), PHYSICAL_BITS);
  o[0] = MIN (o[0] & 0xff, wanted) | (o[0] & 0xff00);
  add (engine, 0x80000008, 0, o[0], 0, engine->is_amd ? (n - 1) | bits_for (n) << 12 : 0, 0);
  if (!engine->is_amd)
    return;
  if (most >= 0x8000001d)
    add_caches (engine, 0x8000001d);
  if (most >= 0x80000021)
    {
      /* LFENCE serialises; loading a null selector clears its base. */
      host_cpuid (0x80000021, 0, o);
      add (engine, 0x80000021, 0, o[0] & (B (2) | B (6)), 0, 0, 0);
    }
}

void
vt_soft_cpuid_init (VtSoft *engine, uint64_t unit_features)
{
  uint32_t zero[4];

  engine->leaves = g_array_new (FALSE, TRUE, sizeof (VtSoftLeaf));
  host_cpuid (0, 0, zero);
  engine->is_amd = zero[1] == 0x68747541 || zero[1] == 0x6f677948; /* "Auth", "Hygo" */
  engine->xcr0 = unit_features;
  /* The three parts come together (SDM volume 1, 13.3), and on top of AVX. */
  if ((unit_features & (VT_FEATURES_AVX512 | VT_FEATURE_AVX)) != (VT_FEATURES_AVX512 | VT_FEATURE_AVX))
    engine->xcr0 &= ~VT_FEATURES_AVX512;
  add_basic (engine);
  add_features (engine);
  add_xsave (engine);
  add_extended (engine);

  uint32_t name[3];
  memcpy (name, SIGNATURE, sizeof name);
  add (engine, HYPERVISOR, 0, HYPERVISOR_LAST, name[0], name[1], name[2]);
  add (engine, HYPERVISOR_LAST, 0, (uint32_t) engine->tsc_khz, BUS_KHZ, 0, 0);
}

/* Answers ------------------------------------------------------------------------------------------- */

/* EBX of leaf 0xd: the area's size for what is enabled now; @compact: in that format. */
static uint32_t
xsave_size (VtSoftCpu *cpu, bool compact)
{
  uint32_t size = VT_XSAVE_EXTENDED;

  for (unsigned i = 2; i < 32; i++)
    if (cpu->core->xcr0 >> i & 1)
      {
        const VtUnitPart *part = vt_unit_part (cpu->core->unit, i);
        if (!compact)
          size = MAX (size, part->offset + part->size);
        else
          size = (part->align ? (size + 63) & ~63u : size) + part->size;
      }
  return size;
}

/* What differs from one vCPU to the next, and from one moment to the next. */
static void
adapt (VtSoftCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
  const VtSoft *engine = vt_soft_of (cpu);
  const VtCore      *core = cpu->core;
  const uint32_t     id = cpu->base.index;

  switch (leaf)
    {
    case 1:
      out[1] |= id << 24 | engine->base.config.n_cpus << 16;
      if (core->cr4 & VT_CR4_OSXSAVE)
        out[2] |= B (27);
      break;
    case 7:
      if (subleaf == 0 && (core->cr4 & VT_CR4_PKE))
        out[2] |= B (4);
      break;
    case 0xb:
      out[3] = id;
      break;
    case 0xd:
      if (subleaf <= 1)
        out[1] = xsave_size (cpu, subleaf == 1);
      break;
    case 0x8000001e:
      out[0] = id;
      out[1] = id & 0xff; /* Core id; one thread per core. */
      break;
    default:
      break;
    }
}

void
vt_soft_cpuid (VtSoftCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
  const VtSoft *engine = vt_soft_of (cpu);
  const bool         by_subleaf = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x8000001d;
  const VtSoftLeaf *found = find (engine, leaf, by_subleaf ? subleaf : 0);

  memset (out, 0, 4 * sizeof out[0]);
  if (found)
    memcpy (out, found->out, sizeof found->out);
  else if (leaf == 0xb)
    out[2] = subleaf & 0xff;
  else if (!(leaf == 0x8000001e && engine->is_amd))
    return;
  /* The core asks once before it has all of itself. */
  if (cpu->core)
    adapt (cpu, leaf, subleaf, out);
}
