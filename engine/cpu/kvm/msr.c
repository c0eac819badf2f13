/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model-specific registers: those that this host lists, reads and takes back. A register that it
 * refuses is left alone, whatever the reason: some hosts list what they then don't accept.
 */
#include "kvm.h"

#include <errno.h>

#define MOST_MSRS 8192u

/* What kernels keep for a guest without always listing it: the memory type range registers. */
static const struct
{
  uint32_t first, last;
} unlisted[] = {
  { 0x10, 0x10 },   /* IA32_TSC */
  { 0x200, 0x20f }, /* IA32_MTRR_PHYSBASE0 … PHYSMASK7 */
  { 0x250, 0x250 }, /* IA32_MTRR_FIX64K_00000 */
  { 0x258, 0x259 }, /* … FIX16K */
  { 0x268, 0x26f }, /* … FIX4K */
  { 0x2ff, 0x2ff }, /* IA32_MTRR_DEF_TYPE */
};

typedef struct
{
  struct kvm_msrs      head;
  struct kvm_msr_entry entry;
} OneMsr;

static bool
read_one (int fd, uint32_t index, uint64_t *value)
{
  OneMsr one = { .head.nmsrs = 1, .entry.index = index };
  if (vt_kvm_ioctl (fd, KVM_GET_MSRS, &one) != 1)
    return false;
  *value = one.entry.data;
  return true;
}

static bool
write_one (int fd, uint32_t index, uint64_t value)
{
  OneMsr one = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };
  return vt_kvm_ioctl (fd, KVM_SET_MSRS, &one) == 1;
}

static int
compare_index (const void *a, const void *b)
{
  const uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
  return x < y ? -1 : x > y;
}

bool
vt_kvm_msr_init (VtKvmCpu *cpu, GError **error)
{
  VtKvm                          *kvm = (VtKvm *) cpu->base.engine;
  struct kvm_msr_list             none = { .nmsrs = 0 };
  g_autofree struct kvm_msr_list *list = NULL;
  g_autoptr (GArray)              all = g_array_new (FALSE, FALSE, sizeof (uint32_t));

  if (kvm->msrs)
    return true;
  if (vt_kvm_ioctl (kvm->kvm, KVM_GET_MSR_INDEX_LIST, &none) < 0
      && (errno != E2BIG || none.nmsrs > MOST_MSRS))
    return vt_set_errno (error, errno, "KVM told no model-specific registers");
  list = g_malloc0 (sizeof *list + none.nmsrs * sizeof list->indices[0]);
  list->nmsrs = none.nmsrs;
  if (none.nmsrs && vt_kvm_ioctl (kvm->kvm, KVM_GET_MSR_INDEX_LIST, list) < 0)
    return vt_set_errno (error, errno, "KVM told no model-specific registers");

  g_array_append_vals (all, list->indices, list->nmsrs);
  for (unsigned i = 0; i < G_N_ELEMENTS (unlisted); i++)
    for (uint32_t index = unlisted[i].first; index <= unlisted[i].last; index++)
      g_array_append_val (all, index);
  qsort (all->data, all->len, sizeof (uint32_t), compare_index);

  kvm->msrs = g_new (uint32_t, all->len);
  for (unsigned i = 0; i < all->len && kvm->n_msrs < VT_CPU_MSRS; i++)
    {
      const uint32_t index = g_array_index (all, uint32_t, i);
      uint64_t       value;
      if (i > 0 && index == g_array_index (all, uint32_t, i - 1))
        continue;
      if (read_one (cpu->fd, index, &value) && write_one (cpu->fd, index, value))
        kvm->msrs[kvm->n_msrs++] = index;
      else
        vt_trace ("kvm", "MSR 0x%x is listed but refused; it is left alone", index);
    }
  return true;
}

bool
vt_kvm_msr_get (VtKvmCpu *cpu, VtCpuState *state, GError **error)
{
  const VtKvm                *kvm = (const VtKvm *) cpu->base.engine;
  g_autofree struct kvm_msrs *msrs =
      g_malloc0 (sizeof *msrs + kvm->n_msrs * sizeof msrs->entries[0]);

  for (unsigned i = 0; i < kvm->n_msrs; i++)
    msrs->entries[i].index = kvm->msrs[i];
  msrs->nmsrs = kvm->n_msrs;
  state->n_msrs = 0;

  /* KVM stops at the first that it refuses and says how many it did: usually all of them. */
  const int n = kvm->n_msrs ? vt_kvm_ioctl (cpu->fd, KVM_GET_MSRS, msrs) : 0;
  if (n < 0)
    return vt_set_errno (error, errno, "KVM gave no model-specific registers");
  for (unsigned i = 0; i < kvm->n_msrs; i++)
    {
      uint64_t value = msrs->entries[i].data;
      if (i >= (unsigned) n && !read_one (cpu->fd, kvm->msrs[i], &value))
        continue;
      state->msr[state->n_msrs++] = (VtCpuMsr){ .index = kvm->msrs[i], .value = value };
    }
  return true;
}

void
vt_kvm_msr_get_listed (VtKvmCpu *cpu, const uint32_t *indices, unsigned n, VtCpuState *state)
{
  state->n_msrs = 0;
  for (unsigned i = 0; i < n; i++)
    {
      uint64_t value;
      if (read_one (cpu->fd, indices[i], &value))
        state->msr[state->n_msrs++] = (VtCpuMsr){ .index = indices[i], .value = value };
    }
}

void
vt_kvm_msr_set_changed (VtKvmCpu *cpu, const VtCpuState *state, const VtCpuState *was)
{
  for (unsigned i = 0; i < state->n_msrs; i++)
    if (state->msr[i].value != was->msr[i].value
        && !write_one (cpu->fd, state->msr[i].index, state->msr[i].value))
      vt_trace ("kvm", "MSR 0x%x is refused; it is left alone", state->msr[i].index);
}

void
vt_kvm_msr_set (VtKvmCpu *cpu, const VtCpuState *state)
{
  g_autofree struct kvm_msrs *msrs =
      g_malloc0 (sizeof *msrs + state->n_msrs * sizeof msrs->entries[0]);

  for (unsigned first = 0; first < state->n_msrs;)
    {
      msrs->nmsrs = state->n_msrs - first;
      for (unsigned i = 0; i < msrs->nmsrs; i++)
        msrs->entries[i] = (struct kvm_msr_entry){
          .index = state->msr[first + i].index,
          .data = state->msr[first + i].value,
        };
      const int n = vt_kvm_ioctl (cpu->fd, KVM_SET_MSRS, msrs);
      if (n < 0)
        {
          vt_trace ("kvm", "model-specific registers: %s", g_strerror (errno));
          return;
        }
      first += (unsigned) n;
      if (first < state->n_msrs)
        {
          vt_trace ("kvm", "MSR 0x%x is refused; it is left alone", state->msr[first].index);
          first++;
        }
    }
}
