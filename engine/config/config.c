/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineConfig: the configuration of a machine, its parts and lists of drives and ports.
 */
#include "config-internal.h"

struct _VitrineConfig
{
  GObject         parent_instance;
  char           *folder; /* Absolute; NULL before the first load or save. */
  char           *name, *uuid, *description, *board, *cpu_engine, *kernel_irqchip, *smm, *firmware, *nvram;
  char           *kernel, *initrd, *append, *boot_order;
  guint           cpus, memory;
  gboolean        boot_menu, rtc_local, debug_exit;
  VitrineDisplay *display;
  VitrineRemote  *remote;
  GListStore     *disks, *cdroms, *serials;
};

G_DEFINE_TYPE (VitrineConfig, vitrine_config, G_TYPE_OBJECT)

enum
{
  PROP_NAME = 1,
  PROP_UUID,
  PROP_DESCRIPTION,
  PROP_BOARD,
  PROP_CPUS,
  PROP_MEMORY,
  PROP_CPU_ENGINE,
  PROP_KERNEL_IRQCHIP,
  PROP_SMM,
  PROP_FIRMWARE,
  PROP_NVRAM,
  PROP_KERNEL,
  PROP_INITRD,
  PROP_APPEND,
  PROP_BOOT_MENU,
  PROP_BOOT_ORDER,
  PROP_RTC_LOCAL,
  PROP_DEBUG_EXIT,
  PROP_DISPLAY,
  PROP_REMOTE,
  PROP_DISKS,
  PROP_CDROMS,
  PROP_SERIALS,
};

static const char *const boards[] = { "q35", NULL };
static const char *const cpu_engines[] = { "auto", "kvm", "translate", NULL };
static const char *const smms[] = { "auto", "on", "off", NULL };
static const char *const kernel_irqchips[] = { "auto", "on", "off", NULL };

static void
vitrine_config_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  VitrineConfig *self = VITRINE_CONFIG (object);
  switch (id)
    {
    case PROP_NAME:
      g_value_set_string (value, self->name);
      break;
    case PROP_UUID:
      g_value_set_string (value, self->uuid);
      break;
    case PROP_DESCRIPTION:
      g_value_set_string (value, self->description);
      break;
    case PROP_BOARD:
      g_value_set_string (value, self->board);
      break;
    case PROP_CPUS:
      g_value_set_uint (value, self->cpus);
      break;
    case PROP_MEMORY:
      g_value_set_uint (value, self->memory);
      break;
    case PROP_CPU_ENGINE:
      g_value_set_string (value, self->cpu_engine);
      break;
    case PROP_KERNEL_IRQCHIP:
      g_value_set_string (value, self->kernel_irqchip);
      break;
    case PROP_SMM:
      g_value_set_string (value, self->smm);
      break;
    case PROP_FIRMWARE:
      g_value_set_string (value, self->firmware);
      break;
    case PROP_NVRAM:
      g_value_set_string (value, self->nvram);
      break;
    case PROP_KERNEL:
      g_value_set_string (value, self->kernel);
      break;
    case PROP_INITRD:
      g_value_set_string (value, self->initrd);
      break;
    case PROP_APPEND:
      g_value_set_string (value, self->append);
      break;
    case PROP_BOOT_MENU:
      g_value_set_boolean (value, self->boot_menu);
      break;
    case PROP_BOOT_ORDER:
      g_value_set_string (value, self->boot_order);
      break;
    case PROP_RTC_LOCAL:
      g_value_set_boolean (value, self->rtc_local);
      break;
    case PROP_DEBUG_EXIT:
      g_value_set_boolean (value, self->debug_exit);
      break;
    case PROP_DISPLAY:
      g_value_set_object (value, self->display);
      break;
    case PROP_REMOTE:
      g_value_set_object (value, self->remote);
      break;
    case PROP_DISKS:
      g_value_set_object (value, self->disks);
      break;
    case PROP_CDROMS:
      g_value_set_object (value, self->cdroms);
      break;
    case PROP_SERIALS:
      g_value_set_object (value, self->serials);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
vitrine_config_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  VitrineConfig *self = VITRINE_CONFIG (object);
  switch (id)
    {
    case PROP_NAME:
      vt_config_store_string (self, &self->name, value, pspec);
      break;
    case PROP_UUID:
      vt_config_store_string (self, &self->uuid, value, pspec);
      break;
    case PROP_DESCRIPTION:
      vt_config_store_string (self, &self->description, value, pspec);
      break;
    case PROP_BOARD:
      vt_config_store_string (self, &self->board, value, pspec);
      break;
    case PROP_CPUS:
      vt_config_store_uint (self, &self->cpus, value, pspec);
      break;
    case PROP_MEMORY:
      vt_config_store_uint (self, &self->memory, value, pspec);
      break;
    case PROP_CPU_ENGINE:
      vt_config_store_string (self, &self->cpu_engine, value, pspec);
      break;
    case PROP_KERNEL_IRQCHIP:
      vt_config_store_string (self, &self->kernel_irqchip, value, pspec);
      break;
    case PROP_SMM:
      vt_config_store_string (self, &self->smm, value, pspec);
      break;
    case PROP_FIRMWARE:
      vt_config_store_string (self, &self->firmware, value, pspec);
      break;
    case PROP_NVRAM:
      vt_config_store_string (self, &self->nvram, value, pspec);
      break;
    case PROP_KERNEL:
      vt_config_store_string (self, &self->kernel, value, pspec);
      break;
    case PROP_INITRD:
      vt_config_store_string (self, &self->initrd, value, pspec);
      break;
    case PROP_APPEND:
      vt_config_store_string (self, &self->append, value, pspec);
      break;
    case PROP_BOOT_MENU:
      vt_config_store_boolean (self, &self->boot_menu, value, pspec);
      break;
    case PROP_BOOT_ORDER:
      vt_config_store_string (self, &self->boot_order, value, pspec);
      break;
    case PROP_RTC_LOCAL:
      vt_config_store_boolean (self, &self->rtc_local, value, pspec);
      break;
    case PROP_DEBUG_EXIT:
      vt_config_store_boolean (self, &self->debug_exit, value, pspec);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
part_notify_cb (VitrineConfig *self)
{
  g_signal_emit_by_name (self, "changed");
}

static void
vitrine_config_notify (GObject *object, GParamSpec *pspec)
{
  part_notify_cb (VITRINE_CONFIG (object));
}

static void
vitrine_config_finalize (GObject *object)
{
  VitrineConfig *self = VITRINE_CONFIG (object);
  g_free (self->folder);
  g_free (self->name);
  g_free (self->uuid);
  g_free (self->description);
  g_free (self->board);
  g_free (self->cpu_engine);
  g_free (self->kernel_irqchip);
  g_free (self->smm);
  g_free (self->firmware);
  g_free (self->nvram);
  g_free (self->kernel);
  g_free (self->initrd);
  g_free (self->append);
  g_free (self->boot_order);
  g_object_unref (self->display);
  g_object_unref (self->remote);
  g_object_unref (self->disks);
  g_object_unref (self->cdroms);
  g_object_unref (self->serials);
  G_OBJECT_CLASS (vitrine_config_parent_class)->finalize (object);
}

static void
install_object (GObjectClass *klass, guint id, const char *name, const char *nick,
                const char *blurb, GType type)
{
  g_object_class_install_property (
      klass, id,
      g_param_spec_object (name, nick, blurb, type, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

/* In the order of the file. */
static void
vitrine_config_class_init (VitrineConfigClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = vitrine_config_get_property;
  object_class->set_property = vitrine_config_set_property;
  object_class->notify = vitrine_config_notify;
  object_class->finalize = vitrine_config_finalize;

  vt_config_param_require (vt_config_install_string (
      object_class, PROP_NAME, "name", _("Name"), _("The machine's name"), "", NULL));
  vt_config_install_string (object_class, PROP_UUID, "uuid", _("UUID"),
                            _("Tells this machine from all others; the guest sees it too"), "",
                            NULL);
  vt_config_install_string (object_class, PROP_DESCRIPTION, "description", _("Description"),
                            _("Notes about the machine"), "", NULL);
  vt_config_install_string (object_class, PROP_BOARD, "board", _("Board"),
                            _("The mainboard that the guest sees"), "q35", boards);
  vt_config_install_uint (object_class, PROP_CPUS, "cpus", _("Processors"),
                          _("How many processors the guest has"), 1, 255, 1);
  vt_config_install_uint (object_class, PROP_MEMORY, "memory", _("Memory"),
                          _("The guest's memory in MiB"), 4, 16 * 1024 * 1024, 1024);
  vt_config_install_string (object_class, PROP_CPU_ENGINE, "cpu-engine", _("CPU engine"),
                            _("What runs the guest's instructions"), "auto", cpu_engines);
  vt_config_install_string (object_class, PROP_KERNEL_IRQCHIP, "kernel-irqchip",
                            _("Interrupt controllers in the kernel"),
                            _("KVM's own, or Vitrine's where the host's KVM gets interrupts wrong"),
                            "auto", kernel_irqchips);
  vt_config_install_string (object_class, PROP_SMM, "smm", _("System management mode"),
                            _("For firmware that keeps its variables from the system by it"), "auto", smms);
  vt_config_install_string (object_class, PROP_FIRMWARE, "firmware", _("Firmware"),
                            _("“bios”, or the path of a firmware image"), "bios", NULL);
  vt_config_install_string (object_class, PROP_NVRAM, "nvram", _("Firmware's variables"),
                            _("A flash image below the firmware that it may write; empty: none"), "",
                            NULL);
  vt_config_install_string (object_class, PROP_KERNEL, "kernel", _("Kernel"),
                            _("A Linux kernel to boot directly; empty: boot from the drives"), "",
                            NULL);
  vt_config_install_string (object_class, PROP_INITRD, "initrd", _("Initial RAM disk"),
                            _("The initial RAM disk for the kernel"), "", NULL);
  vt_config_install_string (object_class, PROP_APPEND, "append", _("Kernel command line"),
                            _("The command line for the kernel"), "", NULL);
  vt_config_install_boolean (object_class, PROP_BOOT_MENU, "boot-menu", _("Boot menu"),
                             _("The firmware offers a menu of boot devices"), FALSE);
  vt_config_install_string (object_class, PROP_BOOT_ORDER, "boot-order", _("Boot order"),
                            _("Letters in the order to try: c for disks, d for CDs"), "dc", NULL);
  vt_config_install_boolean (object_class, PROP_RTC_LOCAL, "rtc-local", _("Clock in local time"),
                             _("The guest's clock shows local time instead of UTC"), FALSE);
  vt_config_install_boolean (object_class, PROP_DEBUG_EXIT, "debug-exit", _("Debug exit"),
                             _("A program in the guest can end the machine by port 0xf4"), FALSE);
  install_object (object_class, PROP_DISPLAY, "display", _("Display"), _("The graphics card"),
                  VITRINE_TYPE_DISPLAY);
  install_object (object_class, PROP_REMOTE, "remote", _("Remote viewing"), _("The SPICE server"),
                  VITRINE_TYPE_REMOTE);
  install_object (object_class, PROP_DISKS, "disks", _("Disks"), _("The disks"),
                  G_TYPE_LIST_MODEL);
  install_object (object_class, PROP_CDROMS, "cdroms", _("CD drives"), _("The CD drives"),
                  G_TYPE_LIST_MODEL);
  install_object (object_class, PROP_SERIALS, "serials", _("Serial ports"), _("The serial ports"),
                  G_TYPE_LIST_MODEL);

  g_signal_new ("changed", VITRINE_TYPE_CONFIG, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 0);
}

static GListStore *
new_list (VitrineConfig *self, GType type)
{
  GListStore *list = g_list_store_new (type);
  g_signal_connect_object (list, "items-changed", G_CALLBACK (part_notify_cb), self,
                           G_CONNECT_SWAPPED);
  return list;
}

static void
vitrine_config_init (VitrineConfig *self)
{
  char **empty[] = { &self->name,   &self->uuid,   &self->description, &self->nvram,
                     &self->kernel, &self->initrd, &self->append };
  for (guint i = 0; i < G_N_ELEMENTS (empty); i++)
    *empty[i] = g_strdup ("");
  self->board = g_strdup ("q35");
  self->cpu_engine = g_strdup ("auto");
  self->kernel_irqchip = g_strdup ("auto");
  self->smm = g_strdup ("auto");
  self->firmware = g_strdup ("bios");
  self->boot_order = g_strdup ("dc");
  self->cpus = 1;
  self->memory = 1024;
  self->display = g_object_new (VITRINE_TYPE_DISPLAY, NULL);
  self->remote = g_object_new (VITRINE_TYPE_REMOTE, NULL);
  g_signal_connect_object (self->display, "notify", G_CALLBACK (part_notify_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->remote, "notify", G_CALLBACK (part_notify_cb), self,
                           G_CONNECT_SWAPPED);
  self->disks = new_list (self, VITRINE_TYPE_DISK);
  self->cdroms = new_list (self, VITRINE_TYPE_CDROM);
  self->serials = new_list (self, VITRINE_TYPE_SERIAL);
}

VitrineConfig *
vt_config_new_empty (void)
{
  return g_object_new (VITRINE_TYPE_CONFIG, NULL);
}

VitrineConfig *
vitrine_config_new (const char *name)
{
  g_autofree char *uuid = g_uuid_string_random ();
  return g_object_new (VITRINE_TYPE_CONFIG, "name", name, "uuid", uuid, NULL);
}

void
vt_config_set_folder (VitrineConfig *config, const char *folder)
{
  g_autofree char *absolute = g_canonicalize_filename (folder, NULL);
  g_free (config->folder);
  config->folder = g_steal_pointer (&absolute);
}

const char *
vitrine_config_get_folder (VitrineConfig *config)
{
  return config->folder;
}

char *
vitrine_config_resolve (VitrineConfig *config, const char *path)
{
  if (!path)
    return NULL;
  if (g_path_is_absolute (path) || !config->folder)
    return g_strdup (path);
  return g_build_filename (config->folder, path, NULL);
}

/* A part may be in two configurations, or in one of them only for a time: the handler goes with it. */
static void
add_part (VitrineConfig *self, GListStore *list, gpointer part)
{
  g_signal_connect_object (part, "notify", G_CALLBACK (part_notify_cb), self, G_CONNECT_SWAPPED);
  g_list_store_append (list, part);
}

void
vitrine_config_add_disk (VitrineConfig *config, VitrineDisk *disk)
{
  add_part (config, config->disks, disk);
}

void
vitrine_config_add_cdrom (VitrineConfig *config, VitrineCdrom *cdrom)
{
  add_part (config, config->cdroms, cdrom);
}

void
vitrine_config_add_serial (VitrineConfig *config, VitrineSerial *serial)
{
  add_part (config, config->serials, serial);
}

void
vitrine_config_remove (VitrineConfig *config, gpointer device)
{
  GListStore *lists[] = { config->disks, config->cdroms, config->serials };
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      guint position;
      if (!g_type_is_a (G_OBJECT_TYPE (device), g_list_model_get_item_type (G_LIST_MODEL (lists[i])))
          || !g_list_store_find (lists[i], device, &position))
        continue;
      g_signal_handlers_disconnect_by_func (device, part_notify_cb, config);
      g_list_store_remove (lists[i], position);
      return;
    }
}

const char *
vitrine_config_get_name (VitrineConfig *config)
{
  return config->name;
}

const char *
vitrine_config_get_uuid (VitrineConfig *config)
{
  return config->uuid;
}

const char *
vitrine_config_get_board (VitrineConfig *config)
{
  return config->board;
}

guint
vitrine_config_get_cpus (VitrineConfig *config)
{
  return config->cpus;
}

guint64
vitrine_config_get_memory (VitrineConfig *config)
{
  return config->memory;
}

const char *
vitrine_config_get_cpu_engine (VitrineConfig *config)
{
  return config->cpu_engine;
}

const char *
vitrine_config_get_kernel_irqchip (VitrineConfig *config)
{
  return config->kernel_irqchip;
}

const char *
vitrine_config_get_smm (VitrineConfig *config)
{
  return config->smm;
}

const char *
vitrine_config_get_firmware (VitrineConfig *config)
{
  return config->firmware;
}

const char *
vitrine_config_get_nvram (VitrineConfig *config)
{
  return config->nvram;
}

const char *
vitrine_config_get_kernel (VitrineConfig *config)
{
  return config->kernel;
}

const char *
vitrine_config_get_initrd (VitrineConfig *config)
{
  return config->initrd;
}

const char *
vitrine_config_get_append (VitrineConfig *config)
{
  return config->append;
}

gboolean
vitrine_config_get_boot_menu (VitrineConfig *config)
{
  return config->boot_menu;
}

const char *
vitrine_config_get_boot_order (VitrineConfig *config)
{
  return config->boot_order;
}

gboolean
vitrine_config_get_rtc_local (VitrineConfig *config)
{
  return config->rtc_local;
}

gboolean
vitrine_config_get_debug_exit (VitrineConfig *config)
{
  return config->debug_exit;
}

VitrineDisplay *
vitrine_config_get_display (VitrineConfig *config)
{
  return config->display;
}

VitrineRemote *
vitrine_config_get_remote (VitrineConfig *config)
{
  return config->remote;
}

GListModel *
vitrine_config_get_disks (VitrineConfig *config)
{
  return G_LIST_MODEL (config->disks);
}

GListModel *
vitrine_config_get_cdroms (VitrineConfig *config)
{
  return G_LIST_MODEL (config->cdroms);
}

GListModel *
vitrine_config_get_serials (VitrineConfig *config)
{
  return G_LIST_MODEL (config->serials);
}
