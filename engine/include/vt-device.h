/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A device, as the engine drives it. A device is a pure core (registers in, registers out) plus thin
 * glue; its wiring (lines, back ends) is public fields of its own struct which the board fills
 * between vt_device_new() and vt_device_realize(). Wiring left NULL is "not connected", and every
 * device works so: the conformance walk builds each one bare.
 */
#pragma once

#include "vt-base.h"
#include "vt-line.h"
#include "vt-loop.h"
#include "vt-memory.h"
#include "vt-state.h"

typedef struct VtAml           VtAml; /* The ACPI byte-code writer, vt-aml.h. */
typedef struct VtDevice        VtDevice;
typedef struct VtDeviceClass   VtDeviceClass;
typedef struct VtDevicePrivate VtDevicePrivate;
typedef struct VtRegion        VtRegion;

typedef enum
{
  VT_RESET_COLD, /* Power has come: everything. */
  VT_RESET_WARM, /* The platform reset line: what survives it by specification is kept. */
  VT_RESET_BUS,  /* Only the bus above was reset (PCI secondary bus reset, function level reset). */
} VtResetKind;

typedef enum
{
  VT_SPACE_MEMORY,
  VT_SPACE_IO, /* x86 ports, 64 KiB. */
  /* Memory as a processor in system management mode sees it: that of VT_SPACE_MEMORY, and over it what is mapped
   * here. Nobody else sees that: no other processor, and no DMA. */
  VT_SPACE_SMM,
} VtSpaceKind;

/* Access to one region. The core splits, widens or refuses accesses before they come here: @offset
 * is inside the region and naturally aligned to @size, which lies within what the device decodes.
 * A wider access is split into max_size pieces, low address first. A narrower read is widened to
 * min_size and the bytes picked; a narrower write is dropped unless min_size is 1 (a chip with byte
 * enables decodes bytes and says so). NULL read gives all-ones, NULL write is dropped.
 * @unlocked ops are called without the context's lock, from any number of threads: they are for
 * dispatchers to devices of other contexts, which touch nothing but atomics of their own, and for
 * interrupt controllers, which every thread reaches and which have a lock of their own, a leaf. */
typedef struct
{
  const char *name;
  uint8_t     min_size, max_size; /* 1, 2, 4, 8. */
  uint64_t (*read) (VtDevice *dev, uint64_t offset, unsigned size);
  void (*write) (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value);
  bool unlocked;
} VtRegionOps;

typedef enum
{
  VT_DEVICE_PCI = 1 << 0, /* The struct begins with a VtPciFunction (vt-pci.h). */
  VT_DEVICE_IN_CPU = 1 << 1, /* Part of a vCPU, with which the machine saves it. */
} VtDeviceFlags;

struct VtDeviceClass
{
  const char        *id;   /* "serial-16550"; the file is named after it. */
  const char        *spec; /* Document, edition, sections. */
  size_t             size; /* Of the device's own struct, which begins with a VtDevice. */
  size_t             state_offset; /* Of the plain state struct inside it. */
  const VtStateDesc *state; /* Never NULL; &vt_state_none if there is none. */
  VtDeviceFlags      flags;

  /* Each may be NULL but realize. All run with the context's lock held. */
  bool (*realize) (VtDevice *dev, GError **error); /* Adds regions, makes timers; once. */
  void (*unrealize) (VtDevice *dev); /* Frees what realize made; also after a failed realize. */
  void (*reset) (VtDevice *dev, VtResetKind kind); /* Own state only; touches no other device. */
  /* No new work; calls vt_device_paused() now or when what is in flight has ended. NULL: at once. */
  void (*pause) (VtDevice *dev);
  /* Rearm timers, re-kick queues. After vt_device_new the machine is paused, so this comes first. */
  void (*resume) (VtDevice *dev);
  /* The state struct has been replaced by a loaded one: redo mappings, vt_line_import() levels. */
  void (*loaded) (VtDevice *dev);
  void (*build_aml) (const VtDevice *dev, VtAml *aml);
};

struct VtDevice
{
  const VtDeviceClass *klass;
  const char          *path;    /* "lpc/serial0": the section's key, and who in the trace. */
  VtContext           *context; /* Whose lock is held whenever a callback runs. */
  VtClock             *clock;   /* The guest clock. */
  VtMemory            *memory;  /* DMA. NULL where the device was built without a space. */
  void                *state;   /* klass->state_offset into this struct. */
  VtDevicePrivate     *priv;    /* The engine's. */
};

/* What a device is built into. */
typedef struct
{
  VtContext *context;
  VtClock   *clock;
  VtSpace   *space; /* NULL: regions are made but can't be mapped. */
} VtDeviceEnv;

/**
 * vt_device_new:
 * @path: copied.
 *
 * Returns: (transfer full): a zeroed, unrealized device of @klass->size bytes.
 */
VtDevice *vt_device_new (const VtDeviceClass *klass, const char *path, const VtDeviceEnv *env);

/* Realizes and cold-resets. On failure the device is only good for vt_device_free(). */
bool vt_device_realize (VtDevice *dev, GError **error);

/* Unmaps, unrealizes, frees. Not with the context's lock held. */
void vt_device_free (VtDevice *dev);

/* The engine's drive of a device; each takes the context's lock. */
void vt_device_reset (VtDevice *dev, VtResetKind kind);
/* @done is called once, on any thread, when the device has paused. */
void vt_device_pause (VtDevice *dev, void (*done) (void *data), void *data);
void vt_device_resume (VtDevice *dev);
void vt_device_save (VtDevice *dev, GByteArray *out); /* Paused devices. */
/* Checks everything and changes nothing; then vt_device_commit() can't fail. */
bool vt_device_load (VtDevice *dev, uint16_t version, const uint8_t *data, size_t len, GError **error);
void vt_device_commit (VtDevice *dev);

/* From pause(), or later from any callback of the device. */
void vt_device_paused (VtDevice *dev);
bool vt_device_is_paused (const VtDevice *dev);

/* Regions: made in realize, freed with the device ------------------------------------------------ */

VtRegion *
vt_device_add_region (VtDevice *dev, VtSpaceKind kind, const VtRegionOps *ops, uint64_t size);

typedef enum
{
  VT_RAM_RW,
  VT_RAM_ROM, /* The guest reads memory; writes go to @ops->write, or nowhere. */
} VtRamMode;

/* A window of @size bytes onto @ram from @offset. @ops (may be NULL) takes writes to ROM. */
VtRegion *vt_device_add_ram_region (VtDevice          *dev,
                                    VtRam             *ram,
                                    uint64_t           offset,
                                    uint64_t           size,
                                    VtRamMode          mode,
                                    const VtRegionOps *ops);
/* Before it is mapped: only processors in system management mode see @region (VT_SPACE_SMM). */
void vt_region_for_smm (VtRegion *region);

/* Maps at @base, over what lies there with a lower @priority (machine RAM has 0; equal: the later
 * mapped wins); moves it if mapped already. Safe from inside a handler. */
void     vt_region_map (VtRegion *region, uint64_t base, int priority);
void     vt_region_unmap (VtRegion *region);
bool     vt_region_mapped (const VtRegion *region, uint64_t *base);
uint64_t vt_region_size (const VtRegion *region);

/* Brackets that make several maps and unmaps one change of the space. They nest; any thread. */
void vt_device_map_begin (VtDevice *dev);
void vt_device_map_commit (VtDevice *dev);

/* The access that a vCPU makes: splits, widens, takes the context's lock unless this thread has it.
 * @size 1 to 8, any alignment inside the region. */
uint64_t vt_region_read (VtRegion *region, uint64_t offset, unsigned size);
void     vt_region_write (VtRegion *region, uint64_t offset, unsigned size, uint64_t value);

/* An ioeventfd: writes of @size bytes (0: of any size) at @offset signal @kick instead of calling
 * the ops, without an exit where the CPU engine can. @match: only this value; -1: any. */
void vt_region_add_kick (VtRegion *region, uint64_t offset, unsigned size, int64_t match, VtKick *kick);

unsigned    vt_device_n_regions (const VtDevice *dev);
VtRegion   *vt_device_region (const VtDevice *dev, unsigned n);
VtRam      *vt_region_ram (const VtRegion *region); /* NULL: not a RAM window. */
VtSpaceKind vt_region_kind (const VtRegion *region);

/* The list of every device class, NULL-terminated: devices/catalogue.c. */
extern const VtDeviceClass *const vt_device_classes[];
