/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What CPUID answers: the host's processor as KVM supports it, with the machine's own topology in it
 * (one socket, one thread per core). Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E.
 */
#include "kvm.h"

#include <asm/kvm_para.h>
#include <errno.h>

#define MOST_ENTRIES 4096u

static unsigned
bits_for (unsigned n)
{
  unsigned bits = 0;
  while ((1u << bits) < n)
    bits++;
  return bits;
}

bool
vt_kvm_cpuid_init (VtKvm *kvm, GError **error)
{
  for (unsigned room = 128; room <= MOST_ENTRIES; room *= 2)
    {
      g_free (kvm->cpuid);
      kvm->cpuid = g_malloc0 (sizeof *kvm->cpuid + room * sizeof kvm->cpuid->entries[0]);
      kvm->cpuid->nent = room;
      if (vt_kvm_ioctl (kvm->kvm, KVM_GET_SUPPORTED_CPUID, kvm->cpuid) == 0)
        {
          for (unsigned i = 0; i < kvm->cpuid->nent; i++)
            if (kvm->cpuid->entries[i].function == 1)
              kvm->signature = kvm->cpuid->entries[i].eax;
          return true;
        }
      if (errno != E2BIG)
        break;
    }
  return vt_set_errno (error, errno, "KVM told no processor features");
}

static void
put_bits (uint32_t *reg, unsigned low, unsigned width, uint32_t value)
{
  const uint32_t mask = (uint32_t) vt_ones (1) >> (8 - width) << low;
  *reg = (*reg & ~mask) | (value << low & mask);
}

static void
adapt (const VtKvm *kvm, struct kvm_cpuid_entry2 *e, unsigned apic_id)
{
  const unsigned n = kvm->base.config.n_cpus;

  switch (e->function)
    {
    case 1:
      put_bits (&e->ebx, 24, 8, apic_id);
      put_bits (&e->ebx, 16, 8, n);
      if (n > 1)
        e->edx |= 1u << 28; /* HTT: the count above is valid. */
      else
        e->edx &= ~(1u << 28);
      e->ecx |= 1u << 31; /* A hypervisor is there. */
      e->ecx &= ~(1u << 5); /* VMX, whose nested state could not be saved. */
      if (kvm->tsc_deadline)
        e->ecx |= 1u << 24;
      if (kvm->user_irqchip) /* TSC deadline and x2APIC, which are MSRs: these never reach us. */
        e->ecx &= ~(1u << 24 | 1u << 21);
      break;
    case 4:
      /* Cores in the package are in 6 bits; leaf 0xb has the true count of more. The caches of the
       * third level are shared by all, those below belong to one core. */
      if (e->eax & 0x1f)
        {
          const bool shared = (e->eax >> 5 & 7) >= 3;
          e->eax &= 0x3fff;
          e->eax |= MIN ((1u << bits_for (n)) - 1, 63u) << 26;
          e->eax |= (shared ? (1u << bits_for (n)) - 1 : 0) << 14;
        }
      break;
    case KVM_CPUID_FEATURES:
      /* What remains without the kernel's local APIC is the clock. */
      if (kvm->user_irqchip)
        e->eax &= 1u << KVM_FEATURE_CLOCKSOURCE | 1u << KVM_FEATURE_NOP_IO_DELAY
                  | 1u << KVM_FEATURE_CLOCKSOURCE2 | 1u << KVM_FEATURE_CLOCKSOURCE_STABLE_BIT;
      break;
    case 0x80000001:
      e->ecx &= ~(1u << 2); /* SVM, likewise. */
      if (n > 1)
        e->ecx |= 1u << 1; /* CmpLegacy: the logical processors are cores. */
      else
        e->ecx &= ~(1u << 1);
      break;
    case 0x80000008:
      put_bits (&e->ecx, 0, 8, n - 1);
      e->ecx = (e->ecx & ~0xf000u) | bits_for (n) << 12;
      break;
    case 0x8000001d:
      if (e->eax & 0x1f)
        {
          const bool shared = (e->eax >> 5 & 7) >= 3;
          e->eax &= 0x3fff;
          e->eax |= (shared ? n - 1 : 0) << 14;
        }
      break;
    case 0x8000001e:
      e->eax = apic_id;
      e->ebx = apic_id & 0xff; /* Core id; one thread per core. */
      e->ecx = 0;              /* Node 0 of one. */
      break;
    default:
      break;
    }
}

/* The topology leaves 0xb and 0x1f: a level of threads (one per core), a level of cores, the end. */
static void
add_topology (const VtKvm *kvm, struct kvm_cpuid2 *table, uint32_t function, unsigned apic_id)
{
  const unsigned n = kvm->base.config.n_cpus;
  for (uint32_t level = 0; level < 3; level++)
    {
      struct kvm_cpuid_entry2 *e = &table->entries[table->nent++];
      *e = (struct kvm_cpuid_entry2){
        .function = function,
        .index = level,
        .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
        .ecx = level,
        .edx = apic_id,
      };
      if (level == 0)
        {
          e->eax = 0;
          e->ebx = 1;
          e->ecx |= 1u << 8; /* Thread. */
        }
      else if (level == 1)
        {
          e->eax = bits_for (n);
          e->ebx = n;
          e->ecx |= 2u << 8; /* Core. */
        }
    }
}

bool
vt_kvm_cpuid_set (VtKvmCpu *cpu, GError **error)
{
  VtKvm                        *kvm = (VtKvm *) cpu->base.engine;
  const struct kvm_cpuid2      *from = kvm->cpuid;
  g_autofree struct kvm_cpuid2 *table =
      g_malloc0 (sizeof *table + (from->nent + 6) * sizeof table->entries[0]);
  bool had_b = false, had_1f = false;

  for (unsigned i = 0; i < from->nent; i++)
    {
      if (from->entries[i].function == 0xb || from->entries[i].function == 0x1f)
        {
          had_b |= from->entries[i].function == 0xb;
          had_1f |= from->entries[i].function == 0x1f;
          continue;
        }
      table->entries[table->nent] = from->entries[i];
      adapt (kvm, &table->entries[table->nent++], cpu->base.index);
    }
  if (had_b)
    add_topology (kvm, table, 0xb, cpu->base.index);
  if (had_1f)
    add_topology (kvm, table, 0x1f, cpu->base.index);
  if (vt_kvm_ioctl (cpu->fd, KVM_SET_CPUID2, table) < 0)
    return vt_set_errno (error, errno, "KVM took no processor features for processor %u",
                         cpu->base.index);
  return true;
}

void
vt_kvm_cpuid_get (VtCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
  const int                     fd = ((VtKvmCpu *) cpu)->fd;
  const unsigned                room = 512;
  g_autofree struct kvm_cpuid2 *table =
      g_malloc0 (sizeof *table + room * sizeof table->entries[0]);

  memset (out, 0, 4 * sizeof out[0]);
  table->nent = room;
  if (vt_kvm_ioctl (fd, KVM_GET_CPUID2, table) < 0)
    return;
  for (unsigned i = 0; i < table->nent; i++)
    {
      const struct kvm_cpuid_entry2 *e = &table->entries[i];
      if (e->function == leaf
          && (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == subleaf))
        {
          out[0] = e->eax;
          out[1] = e->ebx;
          out[2] = e->ecx;
          out[3] = e->edx;
          return;
        }
    }
}
