/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Interrupts into the kernel's controllers: GSI lines, the routing table, messages and irqfds.
 */
#include "kvm.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PIC_PINS 16u
#define LOCAL_APIC_ADDRESS UINT64_C (0xfee00000)
#define DELIVERY_NMI (4u << 8) /* SDM volume 3, 11.11.2: bits 10:8 of a message. */
#define DELIVERY_INIT (5u << 8)
#define MESSAGE_ASSERT (1u << 14)

static void
add_entry (struct kvm_irq_routing *table, unsigned gsi, unsigned chip, unsigned pin)
{
  table->entries[table->nr++] = (struct kvm_irq_routing_entry){
    .gsi = gsi,
    .type = KVM_IRQ_ROUTING_IRQCHIP,
    .u.irqchip = { .irqchip = chip, .pin = pin },
  };
}

static bool
apply_routing_locked (VtKvm *kvm)
{
  const unsigned                     most = PIC_PINS + VT_CPU_GSIS + kvm->routes->len;
  g_autofree struct kvm_irq_routing *table =
      g_malloc0 (sizeof *table + most * sizeof table->entries[0]);

  for (unsigned gsi = 0; gsi < PIC_PINS; gsi++)
    if (gsi != 2) /* The slave's cascade. */
      add_entry (table, gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi % 8);
  /* The interval timer's interrupt 0 arrives at pin 2 of the I/O APIC; pin 0 is the PIC's own output,
   * which nobody uses. */
  for (unsigned gsi = 0; gsi < VT_CPU_GSIS; gsi++)
    if (gsi != 2)
      add_entry (table, gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? 2 : gsi);
  for (unsigned i = 0; i < kvm->routes->len; i++)
    {
      const VtKvmRoute *route = &g_array_index (kvm->routes, VtKvmRoute, i);
      if (route->fd >= 0 && route->set)
        table->entries[table->nr++] = (struct kvm_irq_routing_entry){
          .gsi = VT_CPU_GSIS + i,
          .type = KVM_IRQ_ROUTING_MSI,
          .u.msi = { .address_lo = (uint32_t) route->address,
                     .address_hi = (uint32_t) (route->address >> 32),
                     .data = route->message },
        };
    }
  return vt_kvm_ioctl (kvm->vm, KVM_SET_GSI_ROUTING, table) == 0;
}

static bool
attach_locked (VtKvm *kvm, unsigned id, bool attach)
{
  VtKvmRoute      *route = &g_array_index (kvm->routes, VtKvmRoute, id);
  struct kvm_irqfd irqfd = {
    .fd = (uint32_t) route->fd,
    .gsi = VT_CPU_GSIS + id,
    .flags = attach ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
  };
  if (route->attached == attach)
    return true;
  if (vt_kvm_ioctl (kvm->vm, KVM_IRQFD, &irqfd) < 0)
    return false;
  route->attached = attach;
  return true;
}

void
vt_kvm_set_gsi (VtCpuEngine *engine, unsigned gsi, bool level)
{
  VtKvm               *kvm = (VtKvm *) engine;
  struct kvm_irq_level irq = { .irq = gsi, .level = level };
  if (gsi < VT_CPU_GSIS && vt_kvm_ioctl (kvm->vm, KVM_IRQ_LINE, &irq) < 0)
    vt_trace ("kvm", "line %u: %s", gsi, g_strerror (errno));
}

static void
msi_send (void *data, uint64_t address, uint32_t message)
{
  VtKvm         *kvm = data;
  struct kvm_msi msi = {
    .address_lo = (uint32_t) address,
    .address_hi = (uint32_t) (address >> 32),
    .data = message,
  };
  if (vt_kvm_ioctl (kvm->vm, KVM_SIGNAL_MSI, &msi) < 0)
    vt_trace ("kvm", "message 0x%x to 0x%" G_GINT64_MODIFIER "x: %s", message, address,
              g_strerror (errno));
}

static int
msi_route_new (void *data, unsigned *id)
{
  VtKvm *kvm = data;
  int    fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0)
    return -1;

  g_mutex_lock (&kvm->irq_lock);
  unsigned n = 0;
  while (n < kvm->routes->len && g_array_index (kvm->routes, VtKvmRoute, n).fd >= 0)
    n++;
  if (n >= kvm->n_routes_max)
    {
      g_mutex_unlock (&kvm->irq_lock);
      close (fd);
      return -1;
    }
  if (n == kvm->routes->len)
    g_array_set_size (kvm->routes, n + 1);
  g_array_index (kvm->routes, VtKvmRoute, n) = (VtKvmRoute){ .fd = fd };
  g_mutex_unlock (&kvm->irq_lock);
  *id = n;
  return fd;
}

static void
msi_route_set (void *data, unsigned id, uint64_t address, uint32_t message, bool masked)
{
  VtKvm *kvm = data;

  g_mutex_lock (&kvm->irq_lock);
  VtKvmRoute *route = &g_array_index (kvm->routes, VtKvmRoute, id);
  const bool  changed =
      route->set == masked || route->address != address || route->message != message;
  if (masked)
    {
      /* Detached from the kernel, the eventfd itself keeps what is signalled meanwhile, and the
       * kernel delivers it when it is attached again. */
      if (!attach_locked (kvm, id, false))
        vt_trace ("kvm", "irqfd %u: %s", id, g_strerror (errno));
      route->set = false;
    }
  else if (changed)
    {
      route->set = true;
      route->address = address;
      route->message = message;
      if (!apply_routing_locked (kvm) || !attach_locked (kvm, id, true))
        vt_trace ("kvm", "route %u: %s", id, g_strerror (errno));
    }
  g_mutex_unlock (&kvm->irq_lock);
}

static void
msi_route_free (void *data, unsigned id)
{
  VtKvm *kvm = data;

  g_mutex_lock (&kvm->irq_lock);
  VtKvmRoute *route = &g_array_index (kvm->routes, VtKvmRoute, id);
  attach_locked (kvm, id, false);
  close (route->fd);
  route->fd = -1;
  route->set = route->attached = false;
  g_mutex_unlock (&kvm->irq_lock);
}

const VtMsiSinkOps vt_kvm_msi = {
  .send = msi_send,
  .route_new = msi_route_new,
  .route_set = msi_route_set,
  .route_free = msi_route_free,
};

/* KVM_NMI would wait for a running vCPU; a message of that delivery mode does not. */
void
vt_kvm_nmi (VtCpu *cpu)
{
  msi_send (cpu->engine, LOCAL_APIC_ADDRESS | (uint64_t) cpu->index << 12, DELIVERY_NMI);
}

void
vt_kvm_init_signal (VtCpu *cpu)
{
  msi_send (cpu->engine, LOCAL_APIC_ADDRESS | (uint64_t) cpu->index << 12,
            DELIVERY_INIT | MESSAGE_ASSERT);
}

void
vt_kvm_set_timer_taken (VtCpuEngine *engine, bool taken)
{
  VtKvm                *kvm = (VtKvm *) engine;
  struct kvm_pit_state2 pit;

  if (kvm->frozen)
    {
      kvm->frozen_pit.taken = taken;
      return;
    }
  if (vt_kvm_ioctl (kvm->vm, KVM_GET_PIT2, &pit) < 0)
    return;
  pit.flags = (pit.flags & ~(uint32_t) KVM_PIT_FLAGS_HPET_LEGACY)
              | (taken ? KVM_PIT_FLAGS_HPET_LEGACY : 0u);
  if (vt_kvm_ioctl (kvm->vm, KVM_SET_PIT2, &pit) < 0)
    vt_trace ("kvm", "interval timer: %s", g_strerror (errno));
}

bool
vt_kvm_irqchip_init (VtKvm *kvm, GError **error)
{
  /* Port 0x61 belongs to the timer too: its gate and output of channel 2 are there. */
  struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

  if (vt_kvm_ioctl (kvm->vm, KVM_CREATE_IRQCHIP, NULL) < 0)
    return vt_set_errno (error, errno, "This host's KVM made no interrupt controllers");
  if (vt_kvm_ioctl (kvm->vm, KVM_CREATE_PIT2, &pit) < 0)
    return vt_set_errno (error, errno, "This host's KVM made no interval timer");

  const int most = vt_kvm_check (kvm->vm, KVM_CAP_IRQ_ROUTING);
  kvm->n_routes_max = most > (int) VT_CPU_GSIS ? (unsigned) most - VT_CPU_GSIS : 0;
  kvm->routes = g_array_new (FALSE, TRUE, sizeof (VtKvmRoute));
  if (!apply_routing_locked (kvm))
    return vt_set_errno (error, errno, "This host's KVM took no interrupt routing table");
  return true;
}

void
vt_kvm_irqchip_finish (VtKvm *kvm)
{
  if (kvm->routes)
    {
      for (unsigned i = 0; i < kvm->routes->len; i++)
        if (g_array_index (kvm->routes, VtKvmRoute, i).fd >= 0)
          close (g_array_index (kvm->routes, VtKvmRoute, i).fd);
      g_array_unref (kvm->routes);
    }
  g_mutex_clear (&kvm->irq_lock);
}
