/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * KVM's memory slots, kernel dirty log and ioeventfds, kept in step with the address space.
 */
#include "kvm.h"

#include <errno.h>

static uint32_t
slot_flags (const VtKvmSlot *slot)
{
  return (slot->rom ? KVM_MEM_READONLY : 0u) | (slot->log ? KVM_MEM_LOG_DIRTY_PAGES : 0u);
}

static void
slot_apply (VtKvm *kvm, unsigned n, const VtKvmSlot *slot, bool present)
{
  struct kvm_userspace_memory_region region = {
    .slot = n,
    .flags = present ? slot_flags (slot) : 0,
    .guest_phys_addr = slot->gpa,
    .memory_size = present ? slot->size : 0,
    .userspace_addr = (uintptr_t) vt_ram_host (slot->ram) + slot->offset,
  };
  if (vt_kvm_ioctl (kvm->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
    vt_kvm_fail (kvm, errno, "%s bytes 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER "x of guest memory",
                 present ? "to map" : "to unmap", slot->gpa, slot->gpa + slot->size - 1);
}

static VtKvmSlot *
slot_find (VtKvm *kvm, VtGpa gpa, uint64_t size, const VtRam *ram, unsigned *n)
{
  for (unsigned i = 0; i < kvm->slots->len; i++)
    {
      VtKvmSlot *slot = &g_array_index (kvm->slots, VtKvmSlot, i);
      if (slot->ram == ram && slot->gpa == gpa && slot->size == size)
        {
          *n = i;
          return slot;
        }
    }
  return NULL;
}

static void
slot_sync (VtKvm *kvm, unsigned n, const VtKvmSlot *slot)
{
  const uint64_t      pages = slot->size / 4096;
  g_autofree uint64_t *bitmap = g_new0 (uint64_t, (pages + 63) / 64);
  struct kvm_dirty_log log = { .slot = n, .dirty_bitmap = bitmap };

  if (!slot->log)
    return;
  if (vt_kvm_ioctl (kvm->vm, KVM_GET_DIRTY_LOG, &log) < 0)
    {
      /* Without the log every page may have changed. */
      vt_trace ("kvm", "dirty log of slot %u: %s", n, g_strerror (errno));
      vt_ram_mark_dirty (slot->ram, slot->offset, slot->size);
      return;
    }
  for (uint64_t page = 0; page < pages;)
    {
      const uint64_t word = bitmap[page / 64] >> (page % 64);
      if (word == 0)
        {
          page = (page / 64 + 1) * 64;
          continue;
        }
      page += (uint64_t) __builtin_ctzll (word);
      uint64_t end = page;
      while (end < pages && (bitmap[end / 64] >> (end % 64) & 1))
        end++;
      vt_ram_mark_dirty (slot->ram, slot->offset + page * 4096, (end - page) * 4096);
      page = end;
    }
}

static void
ram_add_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset, bool rom)
{
  VtKvm    *kvm = data;
  VtKvmSlot slot = { .gpa = gpa, .size = size, .ram = ram, .offset = offset, .rom = rom };
  unsigned  n = 0;

  g_atomic_int_inc (&kvm->ram_changes);
  while (n < kvm->slots->len && g_array_index (kvm->slots, VtKvmSlot, n).ram)
    n++;
  if (n >= kvm->n_slots_max)
    {
      vt_kvm_fail (kvm, ENOSPC, "one more piece of guest memory (it has %u)", n);
      return;
    }
  if (n == kvm->slots->len)
    g_array_set_size (kvm->slots, n + 1);
  g_array_index (kvm->slots, VtKvmSlot, n) = slot;
  slot_apply (kvm, n, &slot, true);
}

static void
ram_remove_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset)
{
  VtKvm     *kvm = data;
  unsigned   n;
  VtKvmSlot *slot = slot_find (kvm, gpa, size, ram, &n);

  g_atomic_int_inc (&kvm->ram_changes);
  if (!slot)
    return;
  /* The kernel's log goes with the slot. */
  slot_sync (kvm, n, slot);
  slot_apply (kvm, n, slot, false);
  slot->ram = NULL;
}

static void
log_changed_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset, bool rom, bool on)
{
  VtKvm     *kvm = data;
  unsigned   n;
  VtKvmSlot *slot = slot_find (kvm, gpa, size, ram, &n);

  g_atomic_int_inc (&kvm->ram_changes);
  if (!slot || slot->log == on)
    return;
  slot_sync (kvm, n, slot);
  slot->log = on;
  slot_apply (kvm, n, slot, true);
}

static void
log_sync_cb (void *data, VtGpa gpa, uint64_t size, VtRam *ram, uint64_t offset)
{
  VtKvm           *kvm = data;
  unsigned         n;
  const VtKvmSlot *slot = slot_find (kvm, gpa, size, ram, &n);
  if (slot)
    slot_sync (kvm, n, slot);
}

static void
kick_change (VtKvm *kvm, VtSpaceKind kind, uint64_t address, unsigned size, int64_t match, int fd,
             bool present)
{
  struct kvm_ioeventfd kick = {
    .addr = address,
    .len = size,
    .fd = fd,
    .flags = (present ? 0u : 1u << kvm_ioeventfd_flag_nr_deassign)
             | (kind == VT_SPACE_IO ? 1u << kvm_ioeventfd_flag_nr_pio : 0u),
  };
  if (match >= 0)
    {
      kick.flags |= 1u << kvm_ioeventfd_flag_nr_datamatch;
      kick.datamatch = (uint64_t) match;
    }
  /* Where the kernel can't watch it, the write exits to us and the address space signals the same
   * eventfd: only slower. */
  if (size == 0 && (!kvm->any_length_kicks || match >= 0))
    return;
  if (vt_kvm_ioctl (kvm->vm, KVM_IOEVENTFD, &kick) < 0)
    vt_trace ("kvm", "%s ioeventfd at %s 0x%" G_GINT64_MODIFIER "x: %s", present ? "add" : "remove",
              kind == VT_SPACE_IO ? "port" : "address", address, g_strerror (errno));
}

static void
kick_add_cb (void *data, VtSpaceKind kind, uint64_t address, unsigned size, int64_t match, int fd)
{
  kick_change (data, kind, address, size, match, fd, true);
}

static void
kick_remove_cb (void *data, VtSpaceKind kind, uint64_t address, unsigned size, int64_t match, int fd)
{
  kick_change (data, kind, address, size, match, fd, false);
}

const VtSpaceListener vt_kvm_listener = {
  .ram_add = ram_add_cb,
  .ram_remove = ram_remove_cb,
  .log_changed = log_changed_cb,
  .log_sync = log_sync_cb,
  .kick_add = kick_add_cb,
  .kick_remove = kick_remove_cb,
};

void
vt_kvm_memslots_init (VtKvm *kvm)
{
  const int max = vt_kvm_check (kvm->vm, KVM_CAP_NR_MEMSLOTS);
  kvm->n_slots_max = max > 0 ? (unsigned) max : 32;
  kvm->slots = g_array_new (FALSE, TRUE, sizeof (VtKvmSlot));
}

void
vt_kvm_memslots_finish (VtKvm *kvm)
{
  if (kvm->slots)
    g_array_unref (kvm->slots);
}
